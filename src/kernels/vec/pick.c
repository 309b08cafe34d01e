/* kernels/vec/pick.c - the list of variants and the choice. */
#include "kernels/vec/vec.h"

#define VARIANT(isa) extern const struct vec_ops vec_##isa;
#include "kernels/vec/variants.def"

const struct vec_ops *const vec_variants[] = {
#define VARIANT(isa) &vec_##isa,
#include "kernels/vec/variants.def"
};
const int vec_n_variants = sizeof(vec_variants) / sizeof(vec_variants[0]);

const struct vec_ops *vec_choose(uint32_t cpu)
{
    int v = 0;
    while (vec_variants[v]->need & ~cpu)
        v++; /* ends at ref, which needs nothing */
    return vec_variants[v];
}
