/* kernels/attn/pick.c - the list of variants, the choice, and the sizes that all agree on. */
#include "kernels/attn/attn.h"

#define VARIANT(isa) extern const struct attn_ops attn_##isa;
#include "kernels/attn/variants.def"

const struct attn_ops *const attn_variants[] = {
#define VARIANT(isa) &attn_##isa,
#include "kernels/attn/variants.def"
};
const int attn_n_variants = sizeof(attn_variants) / sizeof(attn_variants[0]);

const struct attn_ops *attn_choose(uint32_t cpu)
{
    int v = 0;
    while (attn_variants[v]->need & ~cpu)
        v++; /* ends at ref, which needs nothing */
    return attn_variants[v];
}

size_t attn_page_bytes(enum dtype type, int d)
{
    const size_t n = (size_t)d * ATTN_PAGE;
    const size_t bytes = type == DTYPE_F32 ? n * 4 : type == DTYPE_F16 ? n * 2 : n + n / 32 * 2;
    return (bytes + 63) / 64 * 64;
}

/* Room for the scores of 64 rows over eight pages and as many accumulators: variants block within it. */
size_t attn_scratch_bytes(int d_k, int d_v)
{
    return (size_t)64 * ((size_t)d_k + (size_t)d_v + 8 * ATTN_PAGE + 16) * sizeof(float);
}
