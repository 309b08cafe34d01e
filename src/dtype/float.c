/* dtype/float.c - F32, F16, BF16, F64 and plain integers. */
#include <string.h>

#include "dtype/codec.h"

static inline float float_from_bits(uint32_t u)
{
    union { uint32_t u; float f; } v = { .u = u };
    return v.f;
}
static inline uint32_t bits_of_float(float f)
{
    union { float f; uint32_t u; } v = { .f = f };
    return v.u;
}

/* IEEE 754 binary16.  A signalling NaN comes out quiet, as vcvtph2ps and fcvt do it. */
float dtype_f16_to_f32(uint16_t h)
{
    const uint32_t sign = (uint32_t)(h & 0x8000) << 16, exp = h >> 10 & 31, frac = h & 1023;
    if (exp == 31)
        return float_from_bits(sign | 0x7f800000 | frac << 13 | (frac ? 0x400000 : 0));
    if (exp == 0) /* zero and subnormals: frac * 2^-24 is exact */
        return float_from_bits(sign | bits_of_float((float)frac * 0x1p-24f));
    return float_from_bits(sign | (exp + 112) << 23 | frac << 13);
}

uint16_t dtype_f32_to_f16(float f)
{
    const uint32_t u = bits_of_float(f), sign = u >> 16 & 0x8000, mag = u & 0x7fffffff;
    if (mag > 0x7f800000)
        return (uint16_t)(sign | 0x7e00 | (mag >> 13 & 0x3ff));
    if (mag >= 0x477ff000) /* 65520 and more round to infinity */
        return (uint16_t)(sign | 0x7c00);
    if (mag < 0x38800000) /* below 2^-14: adding 0.5 makes the FPU round at bit 2^-24 */
        return (uint16_t)(sign | (bits_of_float(float_from_bits(mag) + 0.5f) - 0x3f000000));
    return (uint16_t)(sign | (mag - 0x38000000 + 0xfff + (mag >> 13 & 1)) >> 13);
}

uint16_t dtype_f32_to_bf16(float f)
{
    const uint32_t u = bits_of_float(f);
    if ((u & 0x7fffffff) > 0x7f800000)
        return (uint16_t)(u >> 16 | 0x40);
    return (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
}

void codec_decode_F32(float *out, const uint8_t *block, size_t n_blocks) { memcpy(out, block, n_blocks * 4); }

void codec_decode_F16(float *out, const uint8_t *block, size_t n_blocks)
{
    for (size_t i = 0; i < n_blocks; i++)
        out[i] = get_f16(block + 2 * i);
}
void codec_decode_BF16(float *out, const uint8_t *block, size_t n_blocks)
{
    for (size_t i = 0; i < n_blocks; i++)
        out[i] = dtype_bf16_to_f32(get_u16(block + 2 * i));
}
#define DECODE_PLAIN(NAME, type)                                                                   \
    void codec_decode_##NAME(float *out, const uint8_t *block, size_t n_blocks)                    \
    {                                                                                              \
        for (size_t i = 0; i < n_blocks; i++) {                                                    \
            type v;                                                                                \
            memcpy(&v, block + sizeof(v) * i, sizeof(v));                                          \
            out[i] = (float)v;                                                                     \
        }                                                                                          \
    }
DECODE_PLAIN(F64, double)
DECODE_PLAIN(I8, int8_t)
DECODE_PLAIN(I16, int16_t)
DECODE_PLAIN(I32, int32_t)
DECODE_PLAIN(I64, int64_t)
