/* dtype/iquants.c - IQ1, IQ2 and IQ3: eight or four values at a time are a point of a fixed grid, with signs.
 *
 * Each super-block is 256 values: eight groups of 32, in each four octets.  Scales are odd multiples of a
 * small step, so that no group's scale is zero.  Every product here is exact. */
#include "dtype/codec.h"
#include "dtype/grids.h"

static inline float negate_if(float v, unsigned bit) { return bit & 1 ? -v : v; }

static void octet_iq2(float *y, uint16_t point, unsigned signs, float d)
{
    for (int j = 0; j < 8; j++)
        y[j] = negate_if(d * (float)grid_iq2_value(point, j), signs >> j);
}

/* Scale (s + 1/2) / 4 of the F16. */
static inline float scale_iq2(float d, unsigned s) { return d * ((float)(s & 15) + 0.5f) * 0.25f; }

/* A group: four byte indices, then four times seven signs and a scale of four bits. */
void codec_decode_IQ2_XXS(float *out, const uint8_t *b, size_t n_blocks)
{
    for (; n_blocks-- > 0; b += 66) {
        for (int g = 0; g < 8; g++) {
            const uint8_t *index = b + 2 + 8 * g;
            const uint32_t word = get_u32(index + 4);
            const float d = scale_iq2(get_f16(b), word >> 28);
            for (int l = 0; l < 4; l++, out += 8)
                octet_iq2(out, grid_iq2xxs[index[l]], grid_signs(word >> 7 * l & 127), d);
        }
    }
}

/* An octet: nine bits of index, seven signs.  A scale for each half of a group. */
void codec_decode_IQ2_XS(float *out, const uint8_t *b, size_t n_blocks)
{
    for (; n_blocks-- > 0; b += 74) {
        for (int o = 0; o < 32; o++, out += 8) {
            const unsigned code = get_u16(b + 2 + 2 * o);
            const float d = scale_iq2(get_f16(b), b[66 + o / 4] >> o / 2 % 2 * 4);
            octet_iq2(out, grid_iq2xs[code & 511], grid_signs(code >> 9), d);
        }
    }
}

/* Low index bytes, sign bytes, two high index bits for each octet, scales. */
void codec_decode_IQ2_S(float *out, const uint8_t *b, size_t n_blocks)
{
    for (; n_blocks-- > 0; b += 82) {
        for (int o = 0; o < 32; o++, out += 8) {
            const unsigned index = b[2 + o] | (unsigned)(b[66 + o / 4] >> o % 4 * 2 & 3) << 8;
            const float d = scale_iq2(get_f16(b), b[74 + o / 4] >> o / 2 % 2 * 4);
            octet_iq2(out, grid_iq2s[index], b[34 + o], d);
        }
    }
}

/* Two byte indices for each octet; then for each group four times seven signs and a scale. */
void codec_decode_IQ3_XXS(float *out, const uint8_t *b, size_t n_blocks)
{
    for (; n_blocks-- > 0; b += 98) {
        for (int g = 0; g < 8; g++) {
            const uint32_t word = get_u32(b + 66 + 4 * g);
            const float d = get_f16(b) * ((float)(word >> 28) + 0.5f) * 0.5f;
            for (int i = 0; i < 32; i++) {
                const unsigned signs = grid_signs(word >> i / 8 * 7 & 127);
                const uint16_t point = grid_iq3xxs[b[2 + 8 * g + i / 4]];
                *out++ = negate_if(d * (float)grid_iq3xxs_value(point, i % 4), signs >> i % 8);
            }
        }
    }
}

/* Low index bytes (64), ninth index bits (8 bytes), signs (32), scales (4). */
void codec_decode_IQ3_S(float *out, const uint8_t *b, size_t n_blocks)
{
    for (; n_blocks-- > 0; b += 110) {
        for (int i = 0; i < 256; i++) {
            const int quad = i / 4;
            const unsigned index = b[2 + quad] | (unsigned)(b[66 + quad / 8] >> quad % 8 & 1) << 8;
            const float d = get_f16(b) * (float)(2 * (b[106 + i / 64] >> i / 32 % 2 * 4 & 15) + 1);
            *out++ = negate_if(d * (float)grid_iq3s_value(grid_iq3s[index], i % 4), (unsigned)b[74 + i / 8] >> i % 8);
        }
    }
}

/* IQ1: coordinates -1, 0, 1 plus or minus 1/8 for the whole octet or group. */
static void octet_iq1(float *y, unsigned index, unsigned minus, float d)
{
    for (int j = 0; j < 8; j++)
        y[j] = d * ((float)grid_iq1_value(grid_iq1[index], j) + (minus & 1 ? -0.125f : 0.125f));
}

/* A group's word: four times three high index bits, three bits of scale, the sign of the shift. */
void codec_decode_IQ1_S(float *out, const uint8_t *b, size_t n_blocks)
{
    for (; n_blocks-- > 0; b += 50) {
        for (int o = 0; o < 32; o++, out += 8) {
            const unsigned word = get_u16(b + 34 + o / 4 * 2);
            const float d = get_f16(b) * (float)(2 * (word >> 12 & 7) + 1);
            octet_iq1(out, b[2 + o] | (word >> o % 4 * 3 & 7) << 8, word >> 15, d);
        }
    }
}

/* Low index bytes (32); a nibble for each octet (three high index bits, the shift's sign); four words of
 * four 3-bit scales, whose top nibbles make the F16. */
void codec_decode_IQ1_M(float *out, const uint8_t *b, size_t n_blocks)
{
    for (; n_blocks-- > 0; b += 56) {
        unsigned half = 0;
        for (int i = 0; i < 4; i++)
            half |= (unsigned)get_u16(b + 48 + 2 * i) >> 12 << 4 * i;
        for (int o = 0; o < 32; o++, out += 8) {
            const unsigned nibble = (unsigned)b[32 + o / 2] >> o % 2 * 4;
            const unsigned scale = (unsigned)get_u16(b + 48 + o / 8 * 2) >> o / 2 % 4 * 3 & 7;
            const float d = dtype_f16_to_f32((uint16_t)half) * (float)(2 * scale + 1);
            octet_iq1(out, b[o] | (nibble & 7) << 8, nibble >> 3, d);
        }
    }
}
