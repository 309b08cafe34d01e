/* dtype/iq4.c - IQ4_NL and IQ4_XS: four-bit indices into 16 fixed values that lie denser around zero. */
#include <math.h>

#include "dtype/codec.h"
#include "dtype/fit.h"
#include "dtype/grids.h"

static void decode_32(float *y, const uint8_t *qs, float d)
{
    for (int i = 0; i < 32; i++)
        y[i] = d * (float)dtype_iq4_values[qs[i % 16] >> i / 16 * 4 & 15];
}

/* Writes 16 bytes of codes for the scale d and returns the squared error. */
static float encode_32(uint8_t *qs, const float *x, float d)
{
    const float inv = d != 0.0f ? 1.0f / d : 0.0f;
    float error = 0.0f;
    for (int i = 0; i < 32; i++) {
        const int code = fit_nearest16(x[i] * inv, dtype_iq4_values);
        const float off = x[i] - d * (float)dtype_iq4_values[code];
        qs[i % 16] = (uint8_t)(i < 16 ? code : qs[i % 16] | code << 4);
        error += off * off;
    }
    return error;
}

void codec_decode_IQ4_NL(float *out, const uint8_t *b, size_t n_blocks)
{
    for (; n_blocks-- > 0; out += 32, b += 18)
        decode_32(out, b + 2, get_f16(b));
}

void codec_encode_IQ4_NL(uint8_t *b, const float *x, size_t n_blocks)
{
    float v[32];
    for (; n_blocks-- > 0; x += 32, b += 18) {
        fit_clean(v, x, 32, 113 * 65504.0f);
        put_u16(b, fit_f16(fit_values16(v, 32, dtype_iq4_values)));
        encode_32(b + 2, v, get_f16(b));
    }
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

void codec_encode_IQ4_XS(uint8_t *b, const float *x, size_t n_blocks)
{
    float v[256], scales[8];
    for (; n_blocks-- > 0; x += 256, b += 136) {
        float top = 0.0f;
        unsigned high = 0;
        fit_clean(v, x, 256, 113 * 65504.0f);
        for (int i = 0; i < 8; i++) {
            scales[i] = fit_values16(v + 32 * i, 32, dtype_iq4_values);
            top = fabsf(scales[i]) > fabsf(top) ? scales[i] : top;
        }
        put_u16(b, fit_f16(top / -32.0f));
        const float d = get_f16(b), inv = d != 0.0f ? 1.0f / d : 0.0f;
        b[4] = b[5] = b[6] = b[7] = 0;
        for (int i = 0; i < 8; i++) {
            /* the rounded scale or a neighbour: with new codes one of those may lose less */
            const int near = fit_code(scales[i] * inv, -32, 31);
            float best_error = INFINITY;
            int best = near;
            uint8_t qs[16];
            for (int s = near > -32 ? near - 1 : near; s <= near + 1 && s <= 31; s++) {
                const float error = encode_32(qs, v + 32 * i, d * (float)s);
                if (error < best_error)
                    best_error = error, best = s;
            }
            encode_32(b + 8 + 16 * i, v + 32 * i, d * (float)best);
            high |= (unsigned)((best + 32) >> 4) << 2 * i;
            b[4 + i / 2] = (uint8_t)(b[4 + i / 2] | ((best + 32) & 15) << i % 2 * 4);
        }
        put_u16(b + 2, high);
    }
}
