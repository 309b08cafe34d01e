/* expert/worker.h - the inside of a worker process: `tutti worker`, which people never type.
 *
 * For:     cmd/cmd.c; tests that are their own worker.
 * Touches: descriptors 3 to 5 (worker_internal.h says what comes there), the sandbox, the task's library and model.
 * Thread:  one; libraries may have theirs.  Waiting for work it uses no CPU.  Ends when its parent does.
 */
#ifndef TUTTI_EXPERT_WORKER_H
#define TUTTI_EXPERT_WORKER_H
#include "task/task.h"

/* more: kinds that are looked at first, ends with NULL; NULL: only those of task/kinds.c.  Returns the exit status. */
int worker_main(const struct task_kind *const *more);
#endif
