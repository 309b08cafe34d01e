/* dtype/kquants.c - Q2_K to Q6_K: 256 values in 16 or 8 sub-blocks, whose scales are themselves quantized.
 *
 * Each format has one function that knows where its bits lie, x_unpack; decoding is the formula
 * x = (d * scale) * code - (dmin * min) on what it gives.  (kernels/encode/ writes them.)
 * Q3_K and Q6_K have no min; there codes and scales are signed. */
#include "dtype/codec.h"

enum { N = 256, MAX_SUB = 16 };

struct super {
    uint16_t d, dmin;            /* F16 */
    int scale[MAX_SUB], min[MAX_SUB];
    int code[N];
};

/* --- layouts ------------------------------------------------------------------------------------------- */

/* Two bits at 32 bytes' distance: value i is in byte i / 128 * 32 + i % 32, plane i / 32 % 4. */
static inline int two_bits(const uint8_t *p, int i) { return p[i / 128 * 32 + i % 32] >> i / 32 % 4 * 2 & 3; }
/* Nibbles of Q4_K and Q5_K: of each 64 values the first 32 are low halves. */
static inline int nibble(const uint8_t *p, int i) { return p[i / 64 * 32 + i % 32] >> i / 32 % 2 * 4 & 15; }
/* One bit, plane i / 32, byte i % 32: fifth bits of Q5_K, third bits of Q3_K. */
static inline int one_bit(const uint8_t *p, int i) { return p[i % 32] >> i / 32 & 1; }

/* 84 bytes: 16 x (min, scale) nibbles, 64 codes, d, dmin. */
static void q2_unpack(struct super *s, const uint8_t *b)
{
    s->d = get_u16(b + 80), s->dmin = get_u16(b + 82);
    for (int j = 0; j < 16; j++)
        s->scale[j] = b[j] & 15, s->min[j] = b[j] >> 4;
    for (int i = 0; i < N; i++)
        s->code[i] = two_bits(b + 16, i);
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

/* 144 bytes: d, dmin, 12 scales, 128 codes. */
static void q4_unpack(struct super *s, const uint8_t *b)
{
    s->d = get_u16(b), s->dmin = get_u16(b + 2);
    scales_unpack(s, b + 4);
    for (int i = 0; i < N; i++)
        s->code[i] = nibble(b + 16, i);
}

/* 176 bytes: d, dmin, 12 scales, 32 fifth bits, 128 codes. */
static void q5_unpack(struct super *s, const uint8_t *b)
{
    s->d = get_u16(b), s->dmin = get_u16(b + 2);
    scales_unpack(s, b + 4);
    for (int i = 0; i < N; i++)
        s->code[i] = nibble(b + 48, i) + 16 * one_bit(b + 16, i);
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

#define AFFINE(NAME, stem, bytes, sub_len)                                                         \
    void codec_decode_##NAME(float *out, const uint8_t *b, size_t n_blocks)                        \
    {                                                                                              \
        struct super s;                                                                            \
        for (; n_blocks-- > 0; out += N, b += bytes) {                                             \
            stem##_unpack(&s, b);                                                                  \
            decode_affine(out, &s, sub_len);                                                       \
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
    }
AFFINE(Q2_K, q2, 84, 16)
SIGNED(Q3_K, q3, 110)
AFFINE(Q4_K, q4, 144, 32)
AFFINE(Q5_K, q5, 176, 32)
SIGNED(Q6_K, q6, 210)
