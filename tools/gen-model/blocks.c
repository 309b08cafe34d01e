/* gen-model/blocks.c - random weights written as blocks directly: random codes, and scales chosen so that the
 * values have the wanted spread.  A gigabyte takes about a second; start reading at blocks_make().
 *
 * What a format's codes amount to is measured with dtype_to_f32() on a few blocks of scale 1, not derived.
 * Layouts: dtype/dtype.h, and the formats' descriptions in src/dtype/.
 */
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "gen.h"

enum { N_SAMPLES = 64, BLOCK_LEN_MAX = 256, BLOCK_BYTES_MAX = 292 };

/* Where a block keeps its f16 scale and minimum (-1: none); min_per_scale: the minimum that centres the codes. */
static const struct layout {
    enum dtype type;
    int scale_at, min_at;
    float min_per_scale;
    bool scale_may_be_negative; /* codes that are not centred: a random sign of the scale does it */
} layouts[] = {
    { DTYPE_Q8_0, 0, -1, 0, false },    { DTYPE_Q4_0, 0, -1, 0, true },     { DTYPE_Q4_1, 0, 2, -7.5f, false },
    { DTYPE_Q5_0, 0, -1, 0, true },     { DTYPE_Q5_1, 0, 2, -15.5f, false }, { DTYPE_Q2_K, 80, 82, 1.5f, false },
    { DTYPE_Q3_K, 108, -1, 0, true },   { DTYPE_Q4_K, 0, 2, 7.5f, false },  { DTYPE_Q5_K, 0, 2, 15.5f, false },
    { DTYPE_Q6_K, 208, -1, 0, true },   { DTYPE_IQ4_NL, 0, -1, 0, true },   { DTYPE_IQ4_XS, 0, -1, 0, true },
    { DTYPE_MXFP4, -1, -1, 0, false },
};

static const struct layout *find_layout(enum dtype type)
{
    for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++)
        if (layouts[i].type == type)
            return &layouts[i];
    return NULL;
}

static void fill_random(struct rng *rng, uint8_t *out, size_t n)
{
    for (; n >= 8; n -= 8, out += 8) {
        const uint64_t r = rng_u64(rng);
        memcpy(out, &r, 8);
    }
    const uint64_t r = rng_u64(rng);
    memcpy(out, &r, n);
}

/* Eight scales and minima of 6 bits in 12 bytes, as Q4_K and Q5_K pack them; minimum = scale, 32 to 63. */
static void put_scales_6bit(uint8_t *s)
{
    uint8_t v[8];
    for (int j = 0; j < 8; j++)
        v[j] = 32 | (s[j] & 31);
    for (int j = 0; j < 4; j++) {
        s[j] = s[j + 4] = (uint8_t)(v[j] | (v[j + 4] >> 4) << 6);
        s[j + 8] = (uint8_t)((v[j + 4] & 15) | (v[j + 4] & 15) << 4);
    }
}

static void put_u16(uint8_t *p, uint16_t v) { p[0] = (uint8_t)v, p[1] = (uint8_t)(v >> 8); }

/* Random bits become a block that a quantizer could have written. */
static void make_valid(const struct block_maker *b, const struct layout *l, uint8_t *block)
{
    const unsigned r = block[l->scale_at >= 0 ? l->scale_at : 0]; /* still random here */
    if (l->scale_at >= 0)
        put_u16(block + l->scale_at, (uint16_t)(b->scale[r & 15] ^ (l->scale_may_be_negative ? (r & 0x80) << 8 : 0)));
    if (l->min_at >= 0)
        put_u16(block + l->min_at, b->min[r & 15]);
    switch (b->type) {
    case DTYPE_Q8_0:
        for (int i = 2; i < 34; i++)
            block[i] = block[i] == 0x80 ? 0x81 : block[i]; /* -128 is no code of the quantizer */
        break;
    case DTYPE_Q2_K:
        for (int i = 0; i < 16; i++) /* scale 8 to 15, minimum the same */
            block[i] = (uint8_t)((8 | (block[i] & 7)) * 0x11);
        break;
    case DTYPE_Q4_K:
    case DTYPE_Q5_K: put_scales_6bit(block + 4); break;
    case DTYPE_Q6_K:
        for (int i = 192; i < 208; i++) /* 64 to 127, either sign */
            block[i] = (uint8_t)(block[i] & 1 ? 64 | (block[i] >> 1 & 63) : -(64 | (block[i] >> 1 & 63)));
        break;
    case DTYPE_MXFP4: block[0] = (uint8_t)(b->exponent - (r & 1)); break;
    default: break;
    }
}

static float random_normal(struct rng *rng)
{
    /* The sum of four uniform 16-bit numbers, centred: variance 4 / 12. */
    const uint64_t r = rng_u64(rng);
    const float sum = (float)(r & 0xffff) + (float)(r >> 16 & 0xffff) + (float)(r >> 32 & 0xffff) + (float)(r >> 48);
    return (sum * 0x1p-16f - 2.0f) * 1.7320508f;
}

void blocks_make(struct block_maker *b, void *out, size_t n_blocks)
{
    const struct layout *l = find_layout(b->type);
    uint8_t *p = out;
    if (l) {
        fill_random(&b->rng, p, n_blocks * (size_t)b->block_bytes);
        for (size_t i = 0; i < n_blocks; i++, p += b->block_bytes)
            make_valid(b, l, p);
        return;
    }
    for (size_t i = 0; i < n_blocks; i++, p += b->block_bytes) {
        const float v = random_normal(&b->rng) * b->std;
        uint32_t bits;
        memcpy(&bits, &v, 4);
        if (b->type == DTYPE_F32)
            memcpy(p, &v, 4);
        else
            put_u16(p, b->type == DTYPE_F16 ? dtype_f32_to_f16(v) : dtype_f32_to_bf16(v));
    }
}

static float measure_std(struct block_maker *b)
{
    uint8_t block[BLOCK_BYTES_MAX];
    float x[BLOCK_LEN_MAX];
    double sum = 0.0;
    for (int i = 0; i < N_SAMPLES; i++) {
        blocks_make(b, block, 1);
        if (!dtype_to_f32(x, b->type, block, (size_t)b->block_len))
            return 0.0f;
        for (int k = 0; k < b->block_len; k++)
            sum += (double)x[k] * (double)x[k];
    }
    return (float)sqrt(sum / (N_SAMPLES * b->block_len));
}

bool blocks_init(struct block_maker *b, enum dtype type, float std, uint64_t seed)
{
    const struct dtype_info *info = dtype_info(type);
    const struct layout *l = find_layout(type);
    *b = (struct block_maker){ .type = type, .block_len = info->block_len, .block_bytes = info->block_bytes, .std = std };
    rng_seed(&b->rng, seed);
    if (!l)
        return type == DTYPE_F32 || type == DTYPE_F16 || type == DTYPE_BF16;
    for (int i = 0; i < 16; i++) {
        b->scale[i] = dtype_f32_to_f16(1.0f);
        b->min[i] = dtype_f32_to_f16(l->min_per_scale);
    }
    b->exponent = 127;
    const float unit = measure_std(b);
    if (!(unit > 0.0f))
        return false;
    for (int i = 0; i < 16; i++) {
        const float scale = std / unit * (0.8f + 0.025f * (float)i);
        b->scale[i] = dtype_f32_to_f16(scale);
        b->min[i] = dtype_f32_to_f16(scale * l->min_per_scale);
    }
    b->exponent = (uint8_t)(127 + lrintf(log2f(std / unit)));
    return true;
}
