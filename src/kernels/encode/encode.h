/* kernels/encode/encode.h - floats to blocks of every format that we write; quantizing, best first.
 *
 * For:     quant/ (`tutti model quantize`), tools/train, tests.
 * Callers: rooms above; each thread hands in its own pieces.
 * Touches: nothing.
 * Rule:    out are the codes and scales that lose least of the sum of (x - decoded)^2 among those that were
 *          looked at: scales are searched as they will be stored, the scales of a super block together.  All
 *          variants give the same bytes: what one block becomes is computed in one lane, in one order, without
 *          fused operations.  So a file is the same from every machine and for any number of threads.
 *          NaN counts as 0, what no block can hold as the largest that it can.
 */
#ifndef TUTTI_KERNELS_ENCODE_ENCODE_H
#define TUTTI_KERNELS_ENCODE_ENCODE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dtype/dtype.h"

/* n values (a multiple of the block) to blocks, which need no alignment; returns the sum of (x - decoded)^2, each
 * difference in float. */
typedef double encode_fn(void *blocks, const float *x, size_t n);

struct encode_ops {
    const char *isa;
    uint32_t need;
    encode_fn *to[DTYPE_ID_MAX + 1]; /* NULL: not written (codebooks of 3 bits and less, integers, activations) */
    /* F16 to float; a signalling NaN comes out quiet. */
    void (*from_f16)(float *out, const void *halves, size_t n);
};
extern const struct encode_ops *const encode_variants[]; /* best first, ends with ref */
extern const int encode_n_variants;
const struct encode_ops *encode_choose(uint32_t cpu);

/* The same by the plain C variant, for who writes little: false when the type is not written or n no multiple of its block. */
bool encode_row(void *blocks, enum dtype type, const float *x, size_t n);
#endif
