/* kernels/matmul/pack.c - from the file's blocks to groups of 16 rows, and back block by block.
 *
 * Start reading at weight_pack().  Each type has one reader that turns a file block into words of four codes as
 * a unit holds them, and scales; what follows is the same for all types.  Words of four, since that is what a
 * row has side by side in a quad: most types are then moved, not rewritten.
 */
#include <string.h>

#include "kernels/matmul/matmul_internal.h"

const int8_t matmul_book_iq4nl[16] = { -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113 };
const int8_t matmul_book_mxfp4[16] = { 0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12 };

enum weight_layout weight_layout_of(enum dtype type) { return unit_of(type).n_blocks ? WEIGHT_R16 : WEIGHT_ROWS; }

enum acts_kind matmul_acts_kind(enum dtype type) { return unit_of(type).n_blocks ? ACTS_Q8 : ACTS_F32; }

static size_t group_bytes(enum dtype type, int n_cols)
{
    const struct unit u = unit_of(type);
    return ((size_t)n_cols / 32 / (size_t)u.n_blocks * (size_t)u.bytes + 63) / 64 * 64;
}

size_t weight_packed_bytes(enum dtype type, int n_rows, int n_cols)
{
    size_t all;
    if (!unit_of(type).n_blocks || n_rows <= 0 || n_cols <= 0)
        return 0;
    const size_t n_groups = ((size_t)n_rows + 15) / 16;
    return __builtin_mul_overflow(group_bytes(type, n_cols), n_groups, &all) ? 0 : all;
}

struct weight weight_at(enum dtype type, int n_rows, int n_cols, const void *data)
{
    struct weight w = { .type = type, .layout = weight_layout_of(type), .n_rows = n_rows, .n_cols = n_cols, .data = data };
    if (w.layout == WEIGHT_R16)
        w.group_bytes = group_bytes(type, n_cols);
    else
        w.row_bytes = (size_t)dtype_row_bytes(type, (uint64_t)n_cols);
    return w;
}

/* One block of 256 (or 32) values of one row, taken apart into what one row has in each plane: words of four
 * codes, k ascending, for each block of 32. */
struct parts {
    uint32_t byte[1][8], low[8][4], two[8][2], one[8];
    uint16_t d, m; /* f16 bits */
    uint8_t sc[16], mn[16];
};

static uint16_t get16(const uint8_t *p) { return (uint16_t)(p[0] | p[1] << 8); }
static uint32_t get32(const uint8_t *p) { return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24; }
static void put16(uint8_t *p, uint16_t v) { p[0] = (uint8_t)v, p[1] = (uint8_t)(v >> 8); }
static void put32(uint8_t *p, uint32_t v) { p[0] = (uint8_t)v, p[1] = (uint8_t)(v >> 8), p[2] = (uint8_t)(v >> 16), p[3] = (uint8_t)(v >> 24); }

enum { LOW4 = 0x0f0f0f0f, TWO = 0x03030303, ONE = 0x01010101 };

/* Scales and minima of Q4_K, Q5_K: eight pairs of 6 bits in 12 bytes. */
static inline void read_k4_scales(struct parts *o, const uint8_t *s)
{
    for (int j = 0; j < 4; j++) {
        o->sc[j] = s[j] & 63;
        o->mn[j] = s[j + 4] & 63;
        o->sc[j + 4] = (uint8_t)((s[j + 8] & 15) | (s[j] >> 6) << 4);
        o->mn[j + 4] = (uint8_t)((s[j + 8] >> 4) | (s[j + 4] >> 6) << 4);
    }
}

/* Nibbles of which byte i holds codes i and i + 16: as packed already. */
static inline void read_nibbles_16(uint32_t low[4], const uint8_t *q)
{
    for (int j = 0; j < 4; j++)
        low[j] = get32(q + j * 4);
}

/* 32 bytes: the low nibbles are one block of 32 codes, the high ones another. */
static inline void read_nibbles_32(uint32_t lo[4], uint32_t hi[4], const uint8_t *q)
{
    for (int j = 0; j < 4; j++) {
        const uint32_t a = get32(q + j * 4), b = get32(q + 16 + j * 4);
        lo[j] = (a & LOW4) | (b & LOW4) << 4;
        hi[j] = (a >> 4 & LOW4) | (b & ~(uint32_t)LOW4);
    }
}

/* 32 bytes: two bits of each, from bit `at`, are a block. */
static inline void read_two(uint32_t two[2], const uint8_t *q, int at)
{
    for (int p = 0; p < 2; p++) {
        two[p] = 0;
        for (int j = 0; j < 4; j++)
            two[p] |= (get32(q + p * 16 + j * 4) >> at & TWO) << (2 * j);
    }
}

/* 32 bytes: bit `at` of each. */
static inline uint32_t read_one(const uint8_t *h, int at)
{
    uint32_t one = 0;
    for (int j = 0; j < 8; j++)
        one |= (get32(h + j * 4) >> at & ONE) << j;
    return one;
}

/* 32 bits, one for each code: four neighbours go to four bytes. */
static inline uint32_t spread_bits(uint32_t h)
{
    uint32_t one = 0;
    for (int j = 0; j < 8; j++)
        one |= ((h >> (4 * j) & 15) * 0x00204081u & ONE) << j;
    return one;
}

static inline __attribute__((always_inline)) void read_block(struct parts *o, const enum dtype type, const uint8_t *b)
{
    switch (type) {
    case DTYPE_Q8_0: /* d, q[32] */
        o->d = get16(b);
        for (int j = 0; j < 8; j++)
            o->byte[0][j] = get32(b + 2 + j * 4) ^ 0x80808080u;
        break;
    case DTYPE_Q4_0:
    case DTYPE_IQ4_NL: /* d, nibbles[16] */
        o->d = get16(b);
        read_nibbles_16(o->low[0], b + 2);
        break;
    case DTYPE_Q4_1: /* d, m, nibbles[16] */
        o->d = get16(b), o->m = get16(b + 2);
        read_nibbles_16(o->low[0], b + 4);
        break;
    case DTYPE_Q5_0: /* d, high bits[4], nibbles[16] */
        o->d = get16(b);
        o->one[0] = spread_bits(get32(b + 2));
        read_nibbles_16(o->low[0], b + 6);
        break;
    case DTYPE_Q5_1: /* d, m, high bits[4], nibbles[16] */
        o->d = get16(b), o->m = get16(b + 2);
        o->one[0] = spread_bits(get32(b + 4));
        read_nibbles_16(o->low[0], b + 8);
        break;
    case DTYPE_Q2_K: /* scales[16], q[2][32], d, dmin */
        memcpy(o->sc, b, 16);
        o->d = get16(b + 80), o->m = get16(b + 82);
        for (int i = 0; i < 8; i++)
            read_two(o->two[i], b + 16 + i / 4 * 32, i % 4 * 2);
        break;
    case DTYPE_Q3_K: /* high bits[32], q[2][32], scales[12], d */
        o->d = get16(b + 108);
        for (int i = 0; i < 8; i++) {
            read_two(o->two[i], b + 32 + i / 4 * 32, i % 4 * 2);
            o->one[i] = read_one(b, i);
        }
        for (int j = 0; j < 16; j++) { /* sixteen scales of 6 bits, bias 32 */
            const uint8_t *s = b + 96;
            const int lo = j < 8 ? s[j] & 15 : s[j - 8] >> 4, hi = s[8 + j % 4] >> (j / 4 * 2) & 3;
            o->sc[j] = (uint8_t)((lo | hi << 4) - 32);
        }
        break;
    case DTYPE_Q4_K: /* d, dmin, scales[12], nibbles[4][32] */
        o->d = get16(b), o->m = get16(b + 2);
        read_k4_scales(o, b + 4);
        for (int i = 0; i < 4; i++)
            read_nibbles_32(o->low[2 * i], o->low[2 * i + 1], b + 16 + i * 32);
        break;
    case DTYPE_Q5_K: /* d, dmin, scales[12], high bits[32], nibbles[4][32] */
        o->d = get16(b), o->m = get16(b + 2);
        read_k4_scales(o, b + 4);
        for (int i = 0; i < 4; i++)
            read_nibbles_32(o->low[2 * i], o->low[2 * i + 1], b + 48 + i * 32);
        for (int i = 0; i < 8; i++)
            o->one[i] = read_one(b + 16, i);
        break;
    case DTYPE_Q6_K: /* low[2][2][32], high[2][32], scales[16], d */
        o->d = get16(b + 208);
        memcpy(o->sc, b + 192, 16);
        for (int i = 0; i < 4; i++) /* halves of 128: bytes of blocks 0 and 2, of 1 and 3 */
            read_nibbles_32(o->low[i / 2 * 4 + i % 2], o->low[i / 2 * 4 + i % 2 + 2], b + i * 32);
        for (int i = 0; i < 8; i++)
            read_two(o->two[i], b + 128 + i / 4 * 32, i % 4 * 2);
        break;
    case DTYPE_IQ4_XS: /* d, high scale bits[2], low scale bits[4], nibbles[8][16] */
        o->d = get16(b);
        for (int i = 0; i < 8; i++) {
            const int lo = b[4 + i / 2] >> (i % 2 * 4) & 15, hi = get16(b + 2) >> (i * 2) & 3;
            o->sc[i] = (uint8_t)((lo | hi << 4) - 32);
            read_nibbles_16(o->low[i], b + 8 + i * 16);
        }
        break;
    case DTYPE_MXFP4: /* exponent, nibbles[16] */
        o->sc[0] = b[0];
        read_nibbles_16(o->low[0], b + 1);
        break;
    default: break;
    }
}

/* Puts what row r (0..15) has of a file block into its unit, or (n32 = 1) the unit of its only block. */
static inline __attribute__((always_inline)) void put_block(uint8_t *to, const struct unit *u, const struct parts *o, int r)
{
    for (int i = 0; i < u->n_blocks; i++) {
        uint8_t *block = to + u->first + i * u->block_bytes, *codes = block + r * 4;
        for (int j = 0; u->byte >= 0 && j < 8; j++)
            put32(codes + u->byte + j * 64, o->byte[i][j]);
        for (int j = 0; u->low >= 0 && j < 4; j++)
            put32(codes + u->low + j * 64, o->low[i][j]);
        for (int j = 0; u->two[0] >= 0 && j < 2; j++)
            put32(codes + u->two[j], o->two[i][j]);
        if (u->one >= 0)
            put32(codes + u->one, o->one[i]);
        if (u->n_sc == 32) {
            block[u->sc + r] = o->sc[i * 2];
            block[u->sc + 16 + r] = o->sc[i * 2 + 1];
        } else if (u->n_sc == 16)
            block[u->sc + r] = o->sc[i];
        if (u->mn >= 0)
            block[u->mn + r] = o->mn[i];
    }
    if (u->d >= 0)
        put16(to + u->d + r * 2, o->d);
    if (u->m >= 0)
        put16(to + u->m + r * 2, o->m);
}

/* The type is a constant here, so that each becomes a loop of its own. */
static inline __attribute__((always_inline)) void pack_rows(const enum dtype type, uint8_t *group, const uint8_t *src, size_t row_bytes, int n_rows,
                                                            size_t n_units, size_t block_bytes)
{
    const struct unit u = unit_of(type);
    for (size_t b = 0; b < n_units; b++)
        for (int r = 0; r < n_rows; r++) {
            struct parts o;
            read_block(&o, type, src + (size_t)r * row_bytes + b * block_bytes);
            put_block(group + b * (size_t)u.bytes, &u, &o, r);
        }
}

void weight_pack(uint8_t *dst, enum dtype type, int n_rows, int n_cols, const void *src, int group0, int group1)
{
    const struct dtype_info *info = dtype_info((uint32_t)type);
    const size_t row_bytes = (size_t)dtype_row_bytes(type, (uint64_t)n_cols), n_blocks = (size_t)(n_cols / info->block_len),
                 bytes = group_bytes(type, n_cols);
    for (int g = group0; g < group1; g++) {
        const int n = n_rows - g * 16 < 16 ? n_rows - g * 16 : 16;
        uint8_t *group = dst + (size_t)g * bytes;
        const uint8_t *from = (const uint8_t *)src + (size_t)g * 16 * row_bytes;
        /* rows that do not exist are zero, and so is what rounds a group up to 64 bytes */
        memset(n < 16 ? group : group + bytes - 64, 0, n < 16 ? bytes : 64);
        switch (type) {
#define X(name) \
    case DTYPE_##name: pack_rows(DTYPE_##name, group, from, row_bytes, n, n_blocks, (size_t)info->block_bytes); break;
            MATMUL_PACKED_LIST(X)
#undef X
        default: break;
        }
    }
}

/* 2^(e - 128): the exponent of MXFP4 halved, since its book is doubled; e = 0, 1 are subnormal. */
static float half_e8m0(uint8_t e)
{
    union { uint32_t u; float f; } v = { .u = e < 2 ? 0x00200000u << e : (uint32_t)(e - 1) << 23 };
    return v.f;
}

void weight_read_block(struct row_block *o, const struct weight *w, int row, int blk)
{
    const struct unit u = unit_of(w->type);
    const struct block at = block_at(&u, w->data + (size_t)(row / 16) * w->group_bytes, (size_t)blk);
    const int r = row % 16;
    for (int k = 0; k < 32; k++) {
        const int j = k / 4;
        const uint8_t *p = at.at + r * 4 + k % 4;
        int c = 0;
        if (u.byte >= 0)
            c = p[u.byte + j * 64];
        if (u.low >= 0)
            c = p[u.low + j % 4 * 64] >> (j / 4 * 4) & 15;
        if (u.two[0] >= 0)
            c |= (p[u.two[j / 4]] >> (j % 4 * 2) & 3) << (u.low >= 0 ? 4 : 0);
        if (u.one >= 0)
            c |= (p[u.one] >> j & 1) << (u.low >= 0 ? 4 : 2);
        if (w->type == DTYPE_IQ4_NL || w->type == DTYPE_IQ4_XS)
            c = matmul_book_iq4nl[c];
        if (w->type == DTYPE_MXFP4)
            c = matmul_book_mxfp4[c];
        o->code[k] = (int16_t)c;
    }
    const float d = u.d >= 0 ? dtype_f16_to_f32(get16(at.unit + u.d + r * 2)) : 1.0f;
    const float m = u.m >= 0 ? dtype_f16_to_f32(get16(at.unit + u.m + r * 2)) : 0.0f;
    for (int h = 0; h < 2; h++) {
        const uint8_t sc = u.n_sc ? at.at[u.sc + (u.n_sc == 32 ? h * 16 : 0) + r] : 0;
        const uint8_t mn = u.mn >= 0 ? at.at[u.mn + r] : 0;
        switch (w->type) {
        case DTYPE_Q8_0: o->scale[h] = d, o->off[h] = -128.0f * d; break;
        case DTYPE_Q4_0: o->scale[h] = d, o->off[h] = -8.0f * d; break;
        case DTYPE_Q5_0: o->scale[h] = d, o->off[h] = -16.0f * d; break;
        case DTYPE_Q4_1:
        case DTYPE_Q5_1: o->scale[h] = d, o->off[h] = m; break;
        case DTYPE_Q2_K: o->scale[h] = d * (sc & 15), o->off[h] = -(m * (sc >> 4)); break;
        case DTYPE_Q3_K: o->scale[h] = d * (int8_t)sc, o->off[h] = -4.0f * o->scale[h]; break;
        case DTYPE_Q4_K:
        case DTYPE_Q5_K: o->scale[h] = d * sc, o->off[h] = -(m * mn); break;
        case DTYPE_Q6_K: o->scale[h] = d * (int8_t)sc, o->off[h] = -32.0f * o->scale[h]; break;
        case DTYPE_IQ4_XS: o->scale[h] = d * (int8_t)sc, o->off[h] = 0; break;
        case DTYPE_MXFP4: o->scale[h] = half_e8m0(sc), o->off[h] = 0; break;
        default: o->scale[h] = d, o->off[h] = 0; break;
        }
    }
}
