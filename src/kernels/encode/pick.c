/* kernels/encode/pick.c - the list of variants and the choice. */
#include "kernels/encode/encode.h"

#define VARIANT(isa) extern const struct encode_ops encode_##isa;
#include "kernels/encode/variants.def"

const struct encode_ops *const encode_variants[] = {
#define VARIANT(isa) &encode_##isa,
#include "kernels/encode/variants.def"
};
const int encode_n_variants = sizeof(encode_variants) / sizeof(encode_variants[0]);

const struct encode_ops *encode_choose(uint32_t cpu)
{
    int v = 0;
    while (encode_variants[v]->need & ~cpu)
        v++; /* ends at ref, which needs nothing */
    return encode_variants[v];
}

bool encode_row(void *blocks, enum dtype type, const float *x, size_t n)
{
    const struct dtype_info *info = dtype_info(type);
    if (!info || !encode_ref.to[type] || n % (size_t)info->block_len != 0)
        return false;
    encode_ref.to[type](blocks, x, n);
    return true;
}
