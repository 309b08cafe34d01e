/* kernels/attn/attn_internal.h - what the variants share; for kernels/attn/ alone.
 *
 * Weights (probabilities times V's scales) of STEP positions become codes of a common scale, so that their products with V fit 32 bits:
 * |V code| <= ATTN_V_MAX, and the codes of a step sum up to ATTN_P_SUM at most.
 */
#ifndef TUTTI_KERNELS_ATTN_ATTN_INTERNAL_H
#define TUTTI_KERNELS_ATTN_ATTN_INTERNAL_H
#include "kernels/attn/attn.h"

#define ATTN_LOG2E 1.44269504f

enum {
    ATTN_STEP = 64,              /* positions whose sums stay integers */
    ATTN_V_MAX = 8190,
    ATTN_P_SUM = (1 << 18) - 64, /* times ATTN_V_MAX, with every code rounded up: below 2^31 */
};
_Static_assert((int64_t)(ATTN_P_SUM + ATTN_STEP / 2) * ATTN_V_MAX < INT32_MAX, "sums fit");

/* d codes, returns their scale. */
float attn_encode_query(int16_t *out, const float *q, int d);
/* Scratch of one part(). */
size_t attn_part_bytes(int d_k, int d_v);

/* A row looks at some of the n positions from pos. */
static inline bool attn_sees(const struct attn_row *row, int pos, int n)
{
    return row->first <= row->last && row->first < pos + n && row->last >= pos;
}
static inline const float *attn_scales(enum attn_type type, const uint8_t *page, int d)
{
    return (const float *)(const void *)(page + attn_scales_at(type, d));
}
#endif
