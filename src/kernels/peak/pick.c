/* kernels/peak/pick.c - the list of variants and the choice. */
#include "kernels/peak/peak.h"

#define VARIANT(isa) extern const struct peak_ops peak_##isa;
#include "kernels/peak/variants.def"

const struct peak_ops *const peak_variants[] = {
#define VARIANT(isa) &peak_##isa,
#include "kernels/peak/variants.def"
};
const int peak_n_variants = sizeof(peak_variants) / sizeof(peak_variants[0]);

struct peak_ops peak_choose(uint32_t cpu)
{
    struct peak_ops best = { .isa = "best" };
    for (int v = 0; v < peak_n_variants; v++) {
        const struct peak_ops *o = peak_variants[v];
        if (o->need & ~cpu)
            continue;
        best.int8 = best.int8 ? best.int8 : o->int8;
        best.f32 = best.f32 ? best.f32 : o->f32;
        best.bf16 = best.bf16 ? best.bf16 : o->bf16;
    }
    return best;
}
