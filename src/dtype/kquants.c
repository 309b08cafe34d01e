/* dtype/kquants.c - Q2_K to Q6_K: 256 values in 16 or 8 sub-blocks, whose scales are themselves quantized.
 *
 * Each format has one pair of functions that know where its bits lie, x_unpack and x_pack; decoding is
 * the formula x = (d * scale) * code - (dmin * min) on what unpack gives, encoding searches what pack gets.
 * Q3_K and Q6_K have no min; there codes and scales are signed. */
#include <math.h>
#include <string.h>

#include "dtype/codec.h"
#include "dtype/fit.h"

enum { N = 256, MAX_SUB = 16 };

struct super {
    uint16_t d, dmin;            /* F16 */
    int scale[MAX_SUB], min[MAX_SUB];
    int code[N];
};

/* What the search needs to know of a format. */
struct shape {
    int sub_len;                 /* values in a sub-block */
    int code_lo, code_hi;
    int scale_lo, scale_hi;      /* mins have the range of scales */
};

/* --- layouts ------------------------------------------------------------------------------------------- */

/* Two bits at 32 bytes' distance: value i is in byte i / 128 * 32 + i % 32, plane i / 32 % 4. */
static inline int two_bits(const uint8_t *p, int i) { return p[i / 128 * 32 + i % 32] >> i / 32 % 4 * 2 & 3; }
static inline void put_two_bits(uint8_t *p, int i, int v)
{
    uint8_t *at = p + i / 128 * 32 + i % 32;
    *at = (uint8_t)(*at | (v & 3) << i / 32 % 4 * 2);
}
/* Nibbles of Q4_K and Q5_K: of each 64 values the first 32 are low halves. */
static inline int nibble(const uint8_t *p, int i) { return p[i / 64 * 32 + i % 32] >> i / 32 % 2 * 4 & 15; }
static inline void put_nibble(uint8_t *p, int i, int v)
{
    uint8_t *at = p + i / 64 * 32 + i % 32;
    *at = (uint8_t)(*at | (v & 15) << i / 32 % 2 * 4);
}
/* One bit, plane i / 32, byte i % 32: fifth bits of Q5_K, third bits of Q3_K. */
static inline int one_bit(const uint8_t *p, int i) { return p[i % 32] >> i / 32 & 1; }
static inline void put_one_bit(uint8_t *p, int i, int v) { p[i % 32] = (uint8_t)(p[i % 32] | (v & 1) << i / 32); }

/* 84 bytes: 16 x (min, scale) nibbles, 64 codes, d, dmin. */
static void q2_unpack(struct super *s, const uint8_t *b)
{
    s->d = get_u16(b + 80), s->dmin = get_u16(b + 82);
    for (int j = 0; j < 16; j++)
        s->scale[j] = b[j] & 15, s->min[j] = b[j] >> 4;
    for (int i = 0; i < N; i++)
        s->code[i] = two_bits(b + 16, i);
}
static void q2_pack(uint8_t *b, const struct super *s)
{
    memset(b, 0, 84);
    put_u16(b + 80, s->d), put_u16(b + 82, s->dmin);
    for (int j = 0; j < 16; j++)
        b[j] = (uint8_t)(s->scale[j] | s->min[j] << 4);
    for (int i = 0; i < N; i++)
        put_two_bits(b + 16, i, s->code[i]);
}

/* 110 bytes: 32 third bits, 64 codes, 12 scales of six bits, d.  Scale j: low nibble in byte j % 8 (high
 * half from 8 on), two high bits in byte 8 + j % 4, plane j / 4. */
static void q3_unpack(struct super *s, const uint8_t *b)
{
    const uint8_t *sc = b + 96;
    s->d = get_u16(b + 108), s->dmin = 0;
    for (int j = 0; j < 16; j++) {
        s->scale[j] = ((sc[j % 8] >> j / 8 * 4 & 15) | (sc[8 + j % 4] >> j / 4 * 2 & 3) << 4) - 32;
        s->min[j] = 0;
    }
    for (int i = 0; i < N; i++)
        s->code[i] = two_bits(b + 32, i) + 4 * one_bit(b, i) - 4;
}
static void q3_pack(uint8_t *b, const struct super *s)
{
    uint8_t *sc = b + 96;
    memset(b, 0, 110);
    put_u16(b + 108, s->d);
    for (int j = 0; j < 16; j++) {
        const int v = s->scale[j] + 32;
        sc[j % 8] = (uint8_t)(sc[j % 8] | (v & 15) << j / 8 * 4);
        sc[8 + j % 4] = (uint8_t)(sc[8 + j % 4] | v >> 4 << j / 4 * 2);
    }
    for (int i = 0; i < N; i++) {
        put_two_bits(b + 32, i, s->code[i] + 4);
        put_one_bit(b, i, (s->code[i] + 4) >> 2);
    }
}

/* 12 bytes of eight scales and eight mins, six bits each: bytes 0..3 and 4..7 hold those of j < 4; for
 * the others byte 8 + j % 4 has the low nibbles of both, and the top two bits of bytes 0..7 the rest. */
static void scales_unpack(struct super *s, const uint8_t *p)
{
    for (int j = 0; j < 4; j++) {
        s->scale[j] = p[j] & 63;
        s->min[j] = p[j + 4] & 63;
        s->scale[j + 4] = (p[j + 8] & 15) | p[j] >> 6 << 4;
        s->min[j + 4] = p[j + 8] >> 4 | p[j + 4] >> 6 << 4;
    }
}
static void scales_pack(uint8_t *p, const struct super *s)
{
    for (int j = 0; j < 4; j++) {
        p[j] = (uint8_t)(s->scale[j] | s->scale[j + 4] >> 4 << 6);
        p[j + 4] = (uint8_t)(s->min[j] | s->min[j + 4] >> 4 << 6);
        p[j + 8] = (uint8_t)((s->scale[j + 4] & 15) | (s->min[j + 4] & 15) << 4);
    }
}

/* 144 bytes: d, dmin, 12 scales, 128 codes. */
static void q4_unpack(struct super *s, const uint8_t *b)
{
    s->d = get_u16(b), s->dmin = get_u16(b + 2);
    scales_unpack(s, b + 4);
    for (int i = 0; i < N; i++)
        s->code[i] = nibble(b + 16, i);
}
static void q4_pack(uint8_t *b, const struct super *s)
{
    memset(b, 0, 144);
    put_u16(b, s->d), put_u16(b + 2, s->dmin);
    scales_pack(b + 4, s);
    for (int i = 0; i < N; i++)
        put_nibble(b + 16, i, s->code[i]);
}

/* 176 bytes: d, dmin, 12 scales, 32 fifth bits, 128 codes. */
static void q5_unpack(struct super *s, const uint8_t *b)
{
    s->d = get_u16(b), s->dmin = get_u16(b + 2);
    scales_unpack(s, b + 4);
    for (int i = 0; i < N; i++)
        s->code[i] = nibble(b + 48, i) + 16 * one_bit(b + 16, i);
}
static void q5_pack(uint8_t *b, const struct super *s)
{
    memset(b, 0, 176);
    put_u16(b, s->d), put_u16(b + 2, s->dmin);
    scales_pack(b + 4, s);
    for (int i = 0; i < N; i++) {
        put_nibble(b + 48, i, s->code[i]);
        put_one_bit(b + 16, i, s->code[i] >> 4);
    }
}

/* 210 bytes: 128 low nibbles (of each 128 values the first 64 are low halves), 64 x two high bits, 16 scales, d. */
static void q6_unpack(struct super *s, const uint8_t *b)
{
    s->d = get_u16(b + 208), s->dmin = 0;
    for (int j = 0; j < 16; j++)
        s->scale[j] = (int8_t)b[192 + j], s->min[j] = 0;
    for (int i = 0; i < N; i++)
        s->code[i] = ((b[i / 128 * 64 + i % 64] >> i / 64 % 2 * 4 & 15) | two_bits(b + 128, i) << 4) - 32;
}
static void q6_pack(uint8_t *b, const struct super *s)
{
    memset(b, 0, 210);
    put_u16(b + 208, s->d);
    for (int j = 0; j < 16; j++)
        b[192 + j] = (uint8_t)s->scale[j];
    for (int i = 0; i < N; i++) {
        const int v = s->code[i] + 32;
        uint8_t *low = b + i / 128 * 64 + i % 64;
        *low = (uint8_t)(*low | (v & 15) << i / 64 % 2 * 4);
        put_two_bits(b + 128, i, v >> 4);
    }
}

/* --- decoding ------------------------------------------------------------------------------------------ */

static void decode_affine(float *y, const struct super *s, int sub_len)
{
    const float d = dtype_f16_to_f32(s->d), dmin = dtype_f16_to_f32(s->dmin);
    for (int i = 0; i < N; i++) {
        const int j = i / sub_len;
        y[i] = d * (float)s->scale[j] * (float)s->code[i] - dmin * (float)s->min[j];
    }
}
static void decode_signed(float *y, const struct super *s)
{
    const float d = dtype_f16_to_f32(s->d);
    for (int i = 0; i < N; i++)
        y[i] = d * (float)s->scale[i / 16] * (float)s->code[i];
}

/* --- encoding ------------------------------------------------------------------------------------------ */

/* Codes of one sub-block for given scale and offset; returns the squared error. */
static float choose_codes(int *code, const float *x, const struct shape *f, float d, float m)
{
    const float inv = d != 0.0f ? 1.0f / d : 0.0f;
    float error = 0.0f;
    for (int i = 0; i < f->sub_len; i++) {
        code[i] = fit_code((x[i] + m) * inv, f->code_lo, f->code_hi);
        const float off = x[i] - (d * (float)code[i] - m);
        error += off * off;
    }
    return error;
}

/* The scales are rounded now, which moved the best min and the best codes: look at the neighbours too. */
static void refine(struct super *s, int j, const float *x, const struct shape *f, int with_min)
{
    const float d = dtype_f16_to_f32(s->d), dmin = dtype_f16_to_f32(s->dmin);
    const int scale0 = s->scale[j], min0 = s->min[j];
    float best = INFINITY;
    int code[32];
    for (int sc = scale0 - 1; sc <= scale0 + 1; sc++) {
        for (int mn = min0 - with_min; mn <= min0 + with_min; mn++) {
            if (sc < f->scale_lo || sc > f->scale_hi || mn < 0 || mn > f->scale_hi)
                continue;
            const float error = choose_codes(code, x, f, d * (float)sc, dmin * (float)mn);
            if (error < best)
                best = error, s->scale[j] = sc, s->min[j] = mn;
        }
    }
    choose_codes(s->code + j * f->sub_len, x, f, d * (float)s->scale[j], dmin * (float)s->min[j]);
}

static void encode_affine(struct super *s, const float *x, const struct shape *f)
{
    const int n_sub = N / f->sub_len;
    float v[N], d[MAX_SUB], offset[MAX_SUB], top_d = 0.0f, top_m = 0.0f;
    fit_clean(v, x, N, 65504.0f * 15);
    for (int j = 0; j < n_sub; j++) {
        fit_affine(v + j * f->sub_len, f->sub_len, f->code_hi, 1, &d[j], &offset[j]);
        top_d = fmaxf(top_d, d[j]);
        top_m = fmaxf(top_m, -offset[j]);
    }
    s->d = fit_f16(top_d / (float)f->scale_hi);
    s->dmin = fit_f16(top_m / (float)f->scale_hi);
    const float sd = dtype_f16_to_f32(s->d), sm = dtype_f16_to_f32(s->dmin);
    for (int j = 0; j < n_sub; j++) {
        s->scale[j] = sd > 0.0f ? fit_code(d[j] / sd, 0, f->scale_hi) : 0;
        s->min[j] = sm > 0.0f ? fit_code(-offset[j] / sm, 0, f->scale_hi) : 0;
        refine(s, j, v + j * f->sub_len, f, 1);
    }
}

static void encode_signed(struct super *s, const float *x, const struct shape *f)
{
    float v[N], d[MAX_SUB], top = 0.0f;
    fit_clean(v, x, N, 65504.0f * 127);
    for (int j = 0; j < N / 16; j++) {
        d[j] = fit_symmetric(v + 16 * j, 16, f->code_lo, f->code_hi);
        top = fabsf(d[j]) > fabsf(top) ? d[j] : top;
    }
    s->d = fit_f16(top / (float)f->scale_lo);
    s->dmin = 0;
    const float sd = dtype_f16_to_f32(s->d);
    for (int j = 0; j < N / 16; j++) {
        s->scale[j] = sd != 0.0f ? fit_code(d[j] / sd, f->scale_lo, f->scale_hi) : 0;
        s->min[j] = 0;
        refine(s, j, v + 16 * j, f, 0);
    }
}

static const struct shape q2_shape = { 16, 0, 3, 0, 15 }, q3_shape = { 16, -4, 3, -32, 31 },
                          q4_shape = { 32, 0, 15, 0, 63 }, q5_shape = { 32, 0, 31, 0, 63 },
                          q6_shape = { 16, -32, 31, -128, 127 };

#define AFFINE(NAME, stem, bytes)                                                                  \
    void codec_decode_##NAME(float *out, const uint8_t *b, size_t n_blocks)                        \
    {                                                                                              \
        struct super s;                                                                            \
        for (; n_blocks-- > 0; out += N, b += bytes) {                                             \
            stem##_unpack(&s, b);                                                                  \
            decode_affine(out, &s, stem##_shape.sub_len);                                          \
        }                                                                                          \
    }                                                                                              \
    void codec_encode_##NAME(uint8_t *b, const float *x, size_t n_blocks)                          \
    {                                                                                              \
        struct super s;                                                                            \
        for (; n_blocks-- > 0; x += N, b += bytes) {                                               \
            encode_affine(&s, x, &stem##_shape);                                                   \
            stem##_pack(b, &s);                                                                    \
        }                                                                                          \
    }
#define SIGNED(NAME, stem, bytes)                                                                  \
    void codec_decode_##NAME(float *out, const uint8_t *b, size_t n_blocks)                        \
    {                                                                                              \
        struct super s;                                                                            \
        for (; n_blocks-- > 0; out += N, b += bytes) {                                             \
            stem##_unpack(&s, b);                                                                  \
            decode_signed(out, &s);                                                                \
        }                                                                                          \
    }                                                                                              \
    void codec_encode_##NAME(uint8_t *b, const float *x, size_t n_blocks)                          \
    {                                                                                              \
        struct super s;                                                                            \
        for (; n_blocks-- > 0; x += N, b += bytes) {                                               \
            encode_signed(&s, x, &stem##_shape);                                                   \
            stem##_pack(b, &s);                                                                    \
        }                                                                                          \
    }
AFFINE(Q2_K, q2, 84)
SIGNED(Q3_K, q3, 110)
AFFINE(Q4_K, q4, 144)
AFFINE(Q5_K, q5, 176)
SIGNED(Q6_K, q6, 210)
