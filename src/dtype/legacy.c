/* dtype/legacy.c - the formats of 32 values: Q4_0 Q4_1 Q5_0 Q5_1 Q8_0.
 *
 * Value i < 16 lies in the low half of byte i, value i + 16 in its high half; fifth bits are a 32-bit word. */
#include "dtype/codec.h"

enum { N = 32 };
static inline int code_at(const uint8_t *qs, uint32_t high, int i)
{
    return (qs[i % 16] >> (i < 16 ? 0 : 4) & 15) | (int)(high >> i & 1) << 4;
}

static void decode(float *y, const uint8_t *qs, uint32_t high, float d, int zero, float m)
{
    for (int i = 0; i < N; i++)
        y[i] = (float)(code_at(qs, high, i) - zero) * d + m;
}

/* The same without the sum: -0 stays -0. */
static void decode_signed(float *y, const uint8_t *qs, uint32_t high, float d, int zero)
{
    for (int i = 0; i < N; i++)
        y[i] = (float)(code_at(qs, high, i) - zero) * d;
}

void codec_decode_Q4_0(float *out, const uint8_t *b, size_t n_blocks)
{
    for (; n_blocks-- > 0; out += N, b += 18)
        decode_signed(out, b + 2, 0, get_f16(b), 8);
}
void codec_decode_Q4_1(float *out, const uint8_t *b, size_t n_blocks)
{
    for (; n_blocks-- > 0; out += N, b += 20)
        decode(out, b + 4, 0, get_f16(b), 0, get_f16(b + 2));
}
void codec_decode_Q5_0(float *out, const uint8_t *b, size_t n_blocks)
{
    for (; n_blocks-- > 0; out += N, b += 22)
        decode_signed(out, b + 6, get_u32(b + 2), get_f16(b), 16);
}
void codec_decode_Q5_1(float *out, const uint8_t *b, size_t n_blocks)
{
    for (; n_blocks-- > 0; out += N, b += 24)
        decode(out, b + 8, get_u32(b + 4), get_f16(b), 0, get_f16(b + 2));
}
void codec_decode_Q8_0(float *out, const uint8_t *b, size_t n_blocks)
{
    for (; n_blocks-- > 0; out += N, b += 34) {
        const float d = get_f16(b);
        for (int i = 0; i < N; i++)
            out[i] = (float)(int8_t)b[2 + i] * d;
    }
}
