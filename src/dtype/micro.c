/* dtype/micro.c - MXFP4 and NVFP4 (OCP and NVIDIA 4-bit floats), Q1_0 and Q2_0 (one or two bits). */
#include <math.h>

#include "dtype/codec.h"
#include "dtype/fit.h"
#include "dtype/grids.h"

/* Half of 2^(e - 127), because the table holds twice E2M1.  255 (NaN in the OCP paper) is 2^127 here, as in
 * llama.cpp. */
static float e8m0_half(int e) { return ldexpf(1.0f, e - 128); }

/* Half of an unsigned E4M3 (bias 7); 127, its NaN, is zero as in llama.cpp. */
static float ue4m3_half(uint8_t byte)
{
    const int e = byte >> 3 & 15, frac = byte & 7;
    if ((byte & 127) == 127)
        return 0.0f;
    return e == 0 ? ldexpf((float)frac, -10) : ldexpf((float)(8 + frac), e - 11);
}

void codec_decode_MXFP4(float *out, const uint8_t *b, size_t n_blocks)
{
    for (; n_blocks-- > 0; out += 32, b += 17) {
        const float d = e8m0_half(b[0]);
        for (int i = 0; i < 32; i++)
            out[i] = (float)dtype_e2m1_values[b[1 + i % 16] >> i / 16 * 4 & 15] * d;
    }
}

/* Four groups of 16; in each, value i < 8 is the low half of byte i, value i + 8 its high half. */
void codec_decode_NVFP4(float *out, const uint8_t *b, size_t n_blocks)
{
    for (; n_blocks-- > 0; out += 64, b += 36) {
        for (int i = 0; i < 64; i++) {
            const int code = b[4 + i / 16 * 8 + i % 8] >> i / 8 % 2 * 4 & 15;
            out[i] = (float)dtype_e2m1_values[code] * ue4m3_half(b[i / 16]);
        }
    }
}

void codec_decode_Q1_0(float *out, const uint8_t *b, size_t n_blocks)
{
    for (; n_blocks-- > 0; out += 128, b += 18) {
        const float d = get_f16(b);
        for (int i = 0; i < 128; i++)
            out[i] = b[2 + i / 8] >> i % 8 & 1 ? d : -d;
    }
}

void codec_decode_Q2_0(float *out, const uint8_t *b, size_t n_blocks)
{
    for (; n_blocks-- > 0; out += 64, b += 18) {
        const float d = get_f16(b);
        for (int i = 0; i < 64; i++)
            out[i] = (float)((b[2 + i / 4] >> i % 4 * 2 & 3) - 1) * d;
    }
}

/* The nearest code of E2M1 for a value in units of half its step; beyond 12 is 12. */
static int e2m1_code(float x)
{
    const float a = fabsf(x);
    int c = 0;
    while (c < 7 && 2 * a > (float)(dtype_e2m1_values[c] + dtype_e2m1_values[c + 1]))
        c++;
    return c | (x < 0.0f ? 8 : 0);
}

/* The exponent that puts the largest value into [4, 8) (6 is the largest code), or the next larger one. */
void codec_encode_MXFP4(uint8_t *b, const float *x, size_t n_blocks)
{
    float v[32];
    for (; n_blocks-- > 0; x += 32, b += 17) {
        float top = 0.0f, best_error = INFINITY;
        int e0 = 0;
        fit_clean(v, x, 32, 0x1p120f);
        for (int i = 0; i < 32; i++)
            top = fmaxf(top, fabsf(v[i]));
        if (top > 0.0f)
            (void)frexpf(top, &e0), e0 += 124; /* top = f * 2^e, f in [0.5, 1): e - 3 + 127 */
        for (int e = e0; e <= e0 + 1; e++) {
            const int stored = e < 0 ? 0 : e;
            const float d = e8m0_half(stored);
            float error = 0.0f;
            uint8_t qs[16] = { 0 };
            for (int i = 0; i < 32; i++) {
                const int code = e2m1_code(v[i] / d);
                const float off = v[i] / d - (float)dtype_e2m1_values[code];
                error += off * off * ldexpf(1.0f, 2 * (e - e0));
                qs[i % 16] = (uint8_t)(qs[i % 16] | code << i / 16 * 4);
            }
            if (error < best_error) {
                best_error = error;
                b[0] = (uint8_t)stored;
                for (int i = 0; i < 16; i++)
                    b[1 + i] = qs[i];
            }
        }
    }
}
