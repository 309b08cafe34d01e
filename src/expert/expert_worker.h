/* expert/expert_worker.h - an expert that is a task (task/task.h) in a sandboxed process of its own.
 *
 * For:     open.c: every card whose kind is in task/kinds.c; tests.
 * Callers: expert/, tests; everything after opening goes through expert.h.
 * Touches: one thread (the supervisor) and, while there is work or the card's `keep` says so, one process; shared memory.
 * Rule:    what happens to the process happens to the jobs in it alone, and they are told: it is seen to die at once, to be
 *          stopped within half a second, to hang after the card's `timeout`, to outgrow its memory.  A job in whose
 *          process's death nothing had been sent yet runs again, alone; if the process dies of it again, it gets an error.
 *          Jobs that wait are never lost, none is answered twice.  Sessions (streams) end with their process.
 *          Idle it uses no CPU; requests that wait anyway are run as one batch when the task can.
 */
#ifndef TUTTI_EXPERT_EXPERT_WORKER_H
#define TUTTI_EXPERT_EXPERT_WORKER_H
#include "expert/open.h"

/* Takes the card over, also when it fails.  Reads nothing but the card.  NULL with err. */
struct expert *expert_worker_open(struct card *card, const struct expert_env *env, struct err *err);
/* The process at the moment, for tests and for people; 0: none. */
int expert_worker_pid(struct expert *e);
#endif
