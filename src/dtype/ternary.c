/* dtype/ternary.c - TQ1_0 and TQ2_0: -1, 0 or +1 times one F16 scale for 256 values. */
#include "dtype/codec.h"

/* Five trits to a byte, as the fraction byte / 256 in base 3: digit n is the integer part after n
 * multiplications by 3 (modulo 256 the byte keeps the rest). */
static int trit(uint8_t byte, int n)
{
    static const uint8_t pow3[5] = { 1, 3, 9, 27, 81 };
    return (uint8_t)(byte * pow3[n]) * 3 >> 8;
}

/* 32 bytes of five digits, 16 bytes of five, 4 bytes of four; digit by digit over each group of bytes. */
void codec_decode_TQ1_0(float *out, const uint8_t *b, size_t n_blocks)
{
    static const struct { int first, n_bytes, n_digits; } groups[3] = { { 0, 32, 5 }, { 32, 16, 5 }, { 48, 4, 4 } };
    for (; n_blocks-- > 0; b += 54) {
        const float d = get_f16(b + 52);
        for (int g = 0; g < 3; g++)
            for (int n = 0; n < groups[g].n_digits; n++)
                for (int i = 0; i < groups[g].n_bytes; i++)
                    *out++ = (float)(trit(b[groups[g].first + i], n) - 1) * d;
    }
}

void codec_decode_TQ2_0(float *out, const uint8_t *b, size_t n_blocks)
{
    for (; n_blocks-- > 0; out += 256, b += 66) {
        const float d = get_f16(b + 64);
        for (int i = 0; i < 256; i++)
            out[i] = (float)((b[i / 128 * 32 + i % 32] >> i / 32 % 4 * 2 & 3) - 1) * d;
    }
}
