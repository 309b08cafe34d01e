/* proc/ask.h - asking something that may hang or crash (a vendor's library, a program): in a child, with a deadline.
 *
 * For:     hw/gpu_nvml.c, hw/gpu_smi.c.
 * Touches: one child process at a time; it is killed at the deadline, and left behind when a sick driver keeps even that
 *          from working.  It keeps none of our open files but stdin, stdout, stderr and its pipe.
 * Thread:  any.
 */
#ifndef TUTTI_PROC_ASK_H
#define TUTTI_PROC_ASK_H
#include <stddef.h>

enum ask_end {
    ASK_DONE,   /* it ended with status 0 and its answer fits */
    ASK_FAILED, /* it could not start, crashed, or ended with another status */
    ASK_LATE,   /* the deadline passed */
};

/* Runs fn(fd, ctx) in a copy of our process (fork); what it writes to fd, at most size bytes, lands in answer, *n_bytes of
 * them.  fn's result is the child's status. */
typedef int ask_fn(int fd, void *ctx);
enum ask_end ask_call(ask_fn *fn, void *ctx, int deadline_ms, void *answer, size_t size, size_t *n_bytes);

/* Runs a program (searched on PATH) and reads its stdout; its stdin and stderr are /dev/null.  The text ends with '\0'. */
enum ask_end ask_program(const char *const argv[], int deadline_ms, char *text, size_t size, size_t *n_bytes);
#endif
