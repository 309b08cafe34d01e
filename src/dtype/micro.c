/* dtype/micro.c - MXFP4 and NVFP4 (OCP and NVIDIA 4-bit floats), Q1_0 and Q2_0 (one or two bits). */
#include <math.h>

#include "dtype/codec.h"
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
