/* kernels/attn/pick.c - the list of variants and the choice. */
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
