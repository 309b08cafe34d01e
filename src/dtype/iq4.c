/* dtype/iq4.c - IQ4_NL and IQ4_XS: four-bit indices into 16 fixed values that lie denser around zero. */
#include "dtype/codec.h"
#include "dtype/grids.h"

static void decode_32(float *y, const uint8_t *qs, float d)
{
    for (int i = 0; i < 32; i++)
        y[i] = d * (float)dtype_iq4_values[qs[i % 16] >> i / 16 * 4 & 15];
}

void codec_decode_IQ4_NL(float *out, const uint8_t *b, size_t n_blocks)
{
    for (; n_blocks-- > 0; out += 32, b += 18)
        decode_32(out, b + 2, get_f16(b));
}

/* F16 scale; two bits of each of eight scales in a word, four bits in four bytes; 128 bytes of codes. */
void codec_decode_IQ4_XS(float *out, const uint8_t *b, size_t n_blocks)
{
    for (; n_blocks-- > 0; b += 136) {
        const float d = get_f16(b);
        for (int i = 0; i < 8; i++, out += 32) {
            const int scale = (b[4 + i / 2] >> i % 2 * 4 & 15) | (get_u16(b + 2) >> 2 * i & 3) << 4;
            decode_32(out, b + 8 + 16 * i, d * (float)(scale - 32));
        }
    }
}
