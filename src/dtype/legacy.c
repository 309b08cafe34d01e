/* dtype/legacy.c - the formats of 32 values: Q4_0 Q4_1 Q5_0 Q5_1 Q8_0.
 *
 * Value i < 16 lies in the low half of byte i, value i + 16 in its high half; fifth bits are a 32-bit word. */
#include <string.h>

#include "dtype/codec.h"
#include "dtype/fit.h"

enum { N = 32 };
static const float CLEAN_MAX = 1e6f; /* codes up to 15, F16 scales up to 65504 */

static void put_codes(uint8_t *qs, uint8_t *qh, const int q[N])
{
    uint32_t high = 0;
    for (int i = 0; i < N / 2; i++)
        qs[i] = (uint8_t)((q[i] & 15) | (q[i + 16] & 15) << 4);
    for (int i = 0; i < N; i++)
        high |= (uint32_t)(q[i] >> 4 & 1) << i;
    if (qh)
        put_u16(qh, high), put_u16(qh + 2, high >> 16);
}

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

/* x ~ d * (q - zero): returns the scale as stored and fills the codes that fit it best. */
static uint16_t encode_symmetric(int q[N], const float *x, int zero)
{
    float v[N];
    fit_clean(v, x, N, CLEAN_MAX);
    const uint16_t h = fit_f16(fit_symmetric(v, N, -zero, zero - 1));
    const float d = dtype_f16_to_f32(h), inv = d != 0.0f ? 1.0f / d : 0.0f;
    for (int i = 0; i < N; i++)
        q[i] = zero + fit_code(v[i] * inv, -zero, zero - 1);
    return h;
}

static void encode_affine(uint8_t *dm, int q[N], const float *x, int hi)
{
    float v[N], d, m;
    /* the offset itself is an F16 */
    fit_clean(v, x, N, 65504.0f);
    fit_affine(v, N, hi, 0, &d, &m);
    put_u16(dm, fit_f16(d)), put_u16(dm + 2, fit_f16(m));
    d = get_f16(dm), m = get_f16(dm + 2);
    const float inv = d != 0.0f ? 1.0f / d : 0.0f;
    for (int i = 0; i < N; i++)
        q[i] = fit_code((v[i] - m) * inv, 0, hi);
}

void codec_encode_Q4_0(uint8_t *b, const float *x, size_t n_blocks)
{
    int q[N];
    for (; n_blocks-- > 0; x += N, b += 18) {
        put_u16(b, encode_symmetric(q, x, 8));
        put_codes(b + 2, NULL, q);
    }
}
void codec_encode_Q4_1(uint8_t *b, const float *x, size_t n_blocks)
{
    int q[N];
    for (; n_blocks-- > 0; x += N, b += 20) {
        encode_affine(b, q, x, 15);
        put_codes(b + 4, NULL, q);
    }
}
void codec_encode_Q5_0(uint8_t *b, const float *x, size_t n_blocks)
{
    int q[N];
    for (; n_blocks-- > 0; x += N, b += 22) {
        put_u16(b, encode_symmetric(q, x, 16));
        put_codes(b + 6, b + 2, q);
    }
}
void codec_encode_Q5_1(uint8_t *b, const float *x, size_t n_blocks)
{
    int q[N];
    for (; n_blocks-- > 0; x += N, b += 24) {
        encode_affine(b, q, x, 31);
        put_codes(b + 8, b + 4, q);
    }
}

/* At eight bits a search gains nothing: the largest value gets 127. */
void codec_encode_Q8_0(uint8_t *b, const float *x, size_t n_blocks)
{
    float v[N];
    for (; n_blocks-- > 0; x += N, b += 34) {
        float top = 0.0f;
        fit_clean(v, x, N, 127 * 65504.0f);
        for (int i = 0; i < N; i++)
            top = v[i] > top ? v[i] : -v[i] > top ? -v[i] : top;
        put_u16(b, fit_f16(top / 127.0f));
        const float d = get_f16(b), inv = d != 0.0f ? 1.0f / d : 0.0f;
        for (int i = 0; i < N; i++)
            b[2 + i] = (uint8_t)fit_code(v[i] * inv, -127, 127);
    }
}
