/* tools/train/gemm.h - C = A B (or C += A B) in f32 over a pool of threads.
 *
 * For:     the three products of each linear layer (forward, gradient of input, gradient of weights)
 *          and the Newton-Schulz steps of the optimizer.
 * Callers: model.c, optim.c.
 * Touches: the buffers of its own `struct gemm`.
 * Rule:    an element of C is summed in an order that depends on K alone: the number of threads does
 *          not change a bit.  Strides say how an operand lies: element (i, j) is at p[i * rs + j * cs].
 */
#ifndef TUTTI_TOOLS_TRAIN_GEMM_H
#define TUTTI_TOOLS_TRAIN_GEMM_H
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/pool.h"

struct mat {
    const float *p; /* borrowed */
    size_t rs, cs;  /* in floats */
};

struct gemm;
/* cpu_flags: of hw/cpu.h.  Owned by the caller; the pool is borrowed for life. */
struct gemm *gemm_new(struct pool *pool, unsigned cpu_flags, struct err *err);
void gemm_free(struct gemm *g);
/* C [m][n], rows ldc apart; false when memory for packing is out. */
bool gemm_run(struct gemm *g, size_t m, size_t n, size_t k, struct mat a, struct mat b, float *c, size_t ldc,
              bool accumulate, struct err *err);
/* A small product on the calling thread, f32, nothing packed: element (i, s) of A is at a[i * ars + s * acs],
 * row s of B at b + s * bs.  Adds nothing when m is 0; k may be 0. */
void gemm_small(const struct gemm *g, size_t m, size_t n, size_t k, const float *a, size_t ars, size_t acs, const float *b,
                size_t bs, float *c, size_t ldc, bool accumulate);
/* "avx512 bf16", "avx512", "avx2", "plain": which inner loop is in use. */
const char *gemm_isa(const struct gemm *g);
#endif
