/* base/behind.h - threads whose work can wait: behind what answers already, and behind a start.
 *
 * For:     packing weights, finding out what machine this is.
 * Callers: llm/packing.c; route/, serve/, cmd/ for what goes on behind a start.
 * Touches: the niceness of the calling thread, which cannot be raised again: a thread that ends, or that may stay behind for ever.
 * Rule:    our own threads do not slow down what answers already: the server, other models.  A child process that is forked while models are
 *          loaded costs more than its own time: every page that is written then is copied.
 */
#ifndef TUTTI_BASE_BEHIND_H
#define TUTTI_BASE_BEHIND_H
#include <pthread.h>
#include <stdbool.h>

void behind_others(void); /* from now on */

/* A start: those who wait for it go on when it is told to be over, or has taken too long. */
struct behind {
    pthread_mutex_t lock;
    pthread_cond_t over;
    bool is_over;
};
void behind_init(struct behind *b);
void behind_fini(struct behind *b); /* nobody waits any more */
void behind_over(struct behind *b); /* any thread; NULL is fine */
void behind_wait(struct behind *b); /* behind_others(), too; NULL: it is over; 200 ms at most */
#endif
