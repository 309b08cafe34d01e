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
    ATTN_TILE = 8,               /* rows at a time at most */
    ATTN_BLOCK = 4 * ATTN_PAGE,  /* positions that all rows are taken through together */
    ATTN_STEP = 64,              /* positions whose sums stay integers */
    ATTN_V_MAX = 8190,
    ATTN_P_SUM = (1 << 18) - 64, /* times ATTN_V_MAX, with every code rounded up: below 2^31 */
};
_Static_assert((int64_t)(ATTN_P_SUM + ATTN_STEP / 2) * ATTN_V_MAX < INT32_MAX, "sums fit");

/* d codes, returns their scale. */
float attn_encode_query(int16_t *out, const float *q, int d);
/* Scratch of one part(). */
size_t attn_part_bytes(int d_k, int d_v);

/* What will be read soon: n_bytes at `at`. */
struct attn_ahead {
    const uint8_t *at;
    size_t n_bytes;
};
/* Reads a byte of each of the next lines.  Memory is fast only while it is read in one ascending stream, which the hardware then runs ahead of; so the
 * stream goes on while weights are made of scores.  Prefetch instructions end it, and are dropped when many come at once (docs/SPEED.md). */
static inline void attn_touch(struct attn_ahead *a, int n_lines)
{
    for (int i = 0; i < n_lines && a->n_bytes >= 64; i++, a->at += 64, a->n_bytes -= 64)
        (void)*(const volatile uint8_t *)a->at;
}
/* The same by prefetch instructions, a few at a time between much other work: then they are heeded. */
static inline void attn_ask(struct attn_ahead *a, int n_lines)
{
    for (int i = 0; i < n_lines && a->n_bytes >= 64; i++, a->at += 64, a->n_bytes -= 64)
        __builtin_prefetch(a->at, 0, 2);
}
/* A row looks at some of the n positions from pos. */
static inline bool attn_sees(const struct attn_row *row, int pos, int n)
{
    return row->first <= row->last && row->first < pos + n && row->last >= pos;
}
/* Scales of K [ATTN_PAGE], then of V [ATTN_PAGE]. */
static inline const float *attn_scales(enum attn_type type, const uint8_t *k_page, int d_k)
{
    return (const float *)(const void *)(k_page + attn_scales_at(type, d_k));
}
#endif
