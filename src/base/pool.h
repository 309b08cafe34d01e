/* base/pool.h - a team of threads that walk through one function together.
 *
 * For:     the engine: one forward pass is one pool_run() with a barrier between its steps.
 * Callers: llm/, kernels' benches, tools/.
 * Touches: threads.
 * Rule:    work is handed out in pieces (pool_take), so that a descheduled thread costs one piece;
 *          a barrier spins for some microseconds and then sleeps, so that the scheduler can bring a
 *          descheduled thread over to the core that waits for it.  Threads are not pinned for the
 *          same reason.  An idle pool uses no CPU.  Results must not depend on who takes a piece.
 */
#ifndef TUTTI_BASE_POOL_H
#define TUTTI_BASE_POOL_H
#include <stdint.h>

#include "base/err.h"

struct pool;

/* n_threads >= 1 counts the caller of pool_run().  Owned by the caller; NULL with err set. */
struct pool *pool_new(int n_threads, struct err *err);
void pool_free(struct pool *p); /* NULL is fine */
int pool_n_threads(const struct pool *p); /* as it was made */
/* From the next run on only n of them walk (1 .. n_threads; others are cut to that); the others sleep and use no CPU.  By the caller of
 * pool_run(), between two runs. */
void pool_use(struct pool *p, int n);

/* ith is 0 (the caller) .. n_threads - 1, or less after pool_use(). */
typedef void pool_fn(struct pool *p, int ith, void *ctx);
/* Runs fn on all threads and returns when all are through.  One at a time per pool. */
void pool_run(struct pool *p, pool_fn *fn, void *ctx);

/* Inside fn: nobody goes on before all are here.  Starts a new count for pool_take(). */
void pool_barrier(struct pool *p);
/* Inside fn: the next piece of the step, 0, 1, 2, ...; each number is given out once per step. */
int64_t pool_take(struct pool *p);
#endif
