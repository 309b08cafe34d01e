/* base/behind.h - a thread whose work can wait.
 *
 * For:     what goes on behind a start: packing weights, finding out what machine this is.
 * Callers: llm/packing.c, route/steward.c, serve/.
 * Touches: the niceness of the calling thread, which cannot be raised again: a thread that ends, or that may stay behind for ever.
 * Rule:    our own threads do not slow down what answers already: the server, other models.
 */
#ifndef TUTTI_BASE_BEHIND_H
#define TUTTI_BASE_BEHIND_H
#include <sys/resource.h>

/* Of this thread alone (setpriority(2), "C library/kernel differences"). */
static inline void behind_others(void)
{
    enum { BEHIND_NICE = 10 };
    setpriority(PRIO_PROCESS, 0, BEHIND_NICE);
}
#endif
