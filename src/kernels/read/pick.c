/* kernels/read/pick.c - the list of variants and the choice. */
#include "kernels/read/read.h"

#define VARIANT(isa) extern const struct read_ops read_##isa;
#include "kernels/read/variants.def"

const struct read_ops *const read_variants[] = {
#define VARIANT(isa) &read_##isa,
#include "kernels/read/variants.def"
};
const int read_n_variants = sizeof(read_variants) / sizeof(read_variants[0]);

const struct read_ops *read_choose(uint32_t cpu)
{
    int v = 0;
    while (read_variants[v]->need & ~cpu)
        v++; /* ends at ref, which needs nothing */
    return read_variants[v];
}
