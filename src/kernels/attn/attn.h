/* kernels/attn/attn.h - attention of some query rows over one K/V head, whose cache lies in pages.
 *
 * For:     llm/.
 * Rule:    softmax(scale * q . k, capped, masked, with a sink) times V, in one pass over the pages
 *          (flash: running maximum and sum per row).  The order of adding depends on the pages only, so a
 *          row's result does not depend on the other rows.  exp is accurate to 4 ulp or better.
 *
 * A page holds ATTN_PAGE consecutive positions of one layer and one K/V head:
 *   F16:   K transposed [d_k][32] f16, so that 32 scores are summed without shuffles; V [32][d_v] f16
 *   Q8_0:  K [d_k][32] s8, then scales [d_k / 32][32] f16 (one per position and 32 dimensions);
 *          V [32][d_v] s8, then scales [32][d_v / 32] f16
 *   F32:   as F16 with float (for encoders and tests)
 */
#ifndef TUTTI_KERNELS_ATTN_ATTN_H
#define TUTTI_KERNELS_ATTN_ATTN_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dtype/dtype.h"

enum { ATTN_PAGE = 32 };

/* Bytes of the K or V part of a page for one head (a multiple of 64); type F16, F32 or Q8_0;
 * d a multiple of 32 for Q8_0. */
size_t attn_page_bytes(enum dtype type, int d);

struct attn_row {
    const float *q;   /* [d_k] */
    float *out;       /* [d_v] */
    int first, last;  /* visible positions, both included; first > last: out becomes zero (or sink only) */
    float sink;       /* one more score without a value; -INFINITY: none */
};

struct attn_job {
    enum dtype type;          /* of the cache: F16, Q8_0, F32 */
    int d_k, d_v;
    float scale;              /* usually 1 / sqrt(d_k) */
    float softcap;            /* 0: none; else s = softcap * tanh(s / softcap), before the mask */
    const uint8_t *const *k;  /* [n_pages] start of this head's K in each page; page p holds positions 32p .. 32p+31 */
    const uint8_t *const *v;
    const struct attn_row *row;
    int n_rows;
};

struct attn_ops {
    const char *isa;
    uint32_t need;
    /* scratch: attn_scratch_bytes(d_k, d_v), one per thread, 64-byte aligned. */
    void (*run)(const struct attn_job *job, void *scratch);
    /* Stores one position's key [d_k] and value [d_v] into slot 0..31 of a page. */
    void (*put)(enum dtype type, uint8_t *k_page, uint8_t *v_page, int slot, const float *k, const float *v, int d_k, int d_v);
};
size_t attn_scratch_bytes(int d_k, int d_v);

extern const struct attn_ops *const attn_variants[]; /* best first, ends with ref */
extern const int attn_n_variants;
const struct attn_ops *attn_choose(uint32_t cpu);
#endif
