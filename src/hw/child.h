/* hw/child.h - asking something that may hang or crash (a vendor's library, a vendor's program): in a child, with a deadline.
 *
 * For:     hw/gpu_nvml.c, hw/gpu_smi.c; root_child.c, whose child answers many reads and is left behind when it hangs.
 * Touches: one child process at a time; it is killed at the deadline, and left behind when a sick driver keeps even that
 *          from working.  It keeps none of our open files but stdin, stdout, stderr and its pipe.
 * Thread:  any.
 */
#ifndef TUTTI_HW_CHILD_H
#define TUTTI_HW_CHILD_H
#include <stddef.h>

/* In a child: closes every descriptor from `first` on but `keep`.  Async-signal-safe. */
void child_keep_files(int first, int keep);

enum child_end {
    CHILD_DONE,   /* it ended with status 0 and its answer fits */
    CHILD_FAILED, /* it could not start, crashed, or ended with another status */
    CHILD_LATE,   /* the deadline passed */
};

/* Runs fn(fd, ctx) in a child; what it writes to fd, at most size bytes, lands in answer, *n_bytes of them.  fn's result
 * is the child's status. */
typedef int child_fn(int fd, void *ctx);
enum child_end child_call(child_fn *fn, void *ctx, int deadline_ms, void *answer, size_t size, size_t *n_bytes);

/* Runs a program (searched on PATH) and reads its stdout; its stdin and stderr are /dev/null.  The text ends with '\0'. */
enum child_end child_run(char *const argv[], int deadline_ms, char *text, size_t size, size_t *n_bytes);
#endif
