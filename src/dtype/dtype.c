/* dtype/dtype.c - the table of number formats; the codecs themselves are in the files beside this one. */
#include "dtype/dtype.h"

#include <strings.h>

#include "base/checked.h"
#include "dtype/codec.h"

enum {
#define X(id, name, n, bytes) LEN_##name = n, BYTES_##name = bytes,
    DTYPE_LIST(X)
#undef X
};

struct entry {
    struct dtype_info info;
    codec_decode_fn *decode; /* NULL: no numbers, or none that stand alone */
};

#define NAME_ONLY(NAME, text) [DTYPE_##NAME] = { { text, LEN_##NAME, BYTES_##NAME }, NULL }
#define READ(NAME, text) [DTYPE_##NAME] = { { text, LEN_##NAME, BYTES_##NAME }, codec_decode_##NAME }

/* ORDER DTYPE: a test walks DTYPE_LIST and finds each name here. */
static const struct entry entries[DTYPE_ID_MAX + 1] = {
    READ(F32, "f32"), READ(F16, "f16"), READ(BF16, "bf16"), READ(F64, "f64"),
    READ(I8, "i8"), READ(I16, "i16"), READ(I32, "i32"), READ(I64, "i64"),
    READ(Q4_0, "q4_0"), READ(Q4_1, "q4_1"), READ(Q5_0, "q5_0"), READ(Q5_1, "q5_1"), READ(Q8_0, "q8_0"),
    NAME_ONLY(Q8_1, "q8_1"), NAME_ONLY(Q8_K, "q8_k"),
    READ(Q2_K, "q2_k"), READ(Q3_K, "q3_k"), READ(Q4_K, "q4_k"), READ(Q5_K, "q5_k"), READ(Q6_K, "q6_k"),
    READ(IQ1_S, "iq1_s"), READ(IQ1_M, "iq1_m"), READ(IQ2_XXS, "iq2_xxs"), READ(IQ2_XS, "iq2_xs"), READ(IQ2_S, "iq2_s"),
    READ(IQ3_XXS, "iq3_xxs"), READ(IQ3_S, "iq3_s"), READ(IQ4_NL, "iq4_nl"), READ(IQ4_XS, "iq4_xs"),
    READ(TQ1_0, "tq1_0"), READ(TQ2_0, "tq2_0"),
    READ(MXFP4, "mxfp4"), READ(NVFP4, "nvfp4"), READ(Q1_0, "q1_0"), READ(Q2_0, "q2_0"),
};

const struct dtype_info *dtype_info(uint32_t id)
{
    return id <= DTYPE_ID_MAX && entries[id].info.name ? &entries[id].info : NULL;
}

bool dtype_from_name(const char *name, enum dtype *type)
{
    for (int id = 0; id <= DTYPE_ID_MAX; id++) {
        if (entries[id].info.name && strcasecmp(entries[id].info.name, name) == 0) {
            *type = (enum dtype)id;
            return true;
        }
    }
    return false;
}

uint64_t dtype_row_bytes(enum dtype type, uint64_t n)
{
    const struct dtype_info *info = dtype_info(type);
    uint64_t bytes;
    if (!info || n % (uint64_t)info->block_len != 0 ||
        !checked_mul_u64(n / (uint64_t)info->block_len, (uint64_t)info->block_bytes, &bytes))
        return 0;
    return bytes;
}

bool dtype_to_f32(float *out, enum dtype type, const void *blocks, size_t n)
{
    const struct dtype_info *info = dtype_info(type);
    if (!info || !entries[type].decode || n % (size_t)info->block_len != 0)
        return false;
    entries[type].decode(out, blocks, n / (size_t)info->block_len);
    return true;
}
