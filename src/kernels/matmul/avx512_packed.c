/* kernels/matmul/avx512_packed.c - packed weights (WEIGHT_R16) times int8 activations, with VNNI.
 *
 * Start reading at multiply().  Everything is one loop, tile(): one or two groups (16 rows in the lanes of
 * a zmm) times up to six tokens, whose codes are broadcast from memory.  For each block of 32 along K it
 * adds products in int32, starting from -zero_point * (sum of the token's codes), and scales once.
 *
 *   few tokens (decode):  tile() unpacks the codes in registers, straight from the packed units;
 *   many (prefill):       types that are slow to unpack: two groups are expanded once to bytes and float scales, a
 *                         "panel" in scratch that stays in L2, and tile() runs over it for all tokens.
 *
 * Both do the same float operations in the same order, so a token's result does not depend on the batch.
 * What it costs on Zen 4: a block is 8 vpdpbusd and 2 (KIND_A) or 3 multiplies on the same two pipes, so
 * 80 % or 73 % of the int8 peak is the ceiling.  Two groups a tile, since every operand read from memory costs a
 * load slot and there is one (512 bits) a cycle.
 */
#include <immintrin.h>
#include <limits.h>
#include <string.h>

#include "kernels/matmul/avx512_internal.h"

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")

/* What the loop does after the products of a block; which types:
 *   A: y += dx * (scale * acc)                                        zero point: Q8_0 Q4_0 Q5_0 IQ4_NL IQ4_XS MXFP4
 *   B: y += dx * (scale * acc + off * sum)                            minimum: Q4_1 Q5_1 Q4_K Q5_K
 *   C: y += dx * (scale0 * acc0 + scale1 * acc1)                      scales of 16: Q6_K Q3_K
 *   D: y += dx * (scale0 * acc0 + scale1 * acc1 + off0 * sum0 + off1 * sum1)                          Q2_K */
enum kind { KIND_A, KIND_B, KIND_C, KIND_D };
/* A panel is a type of its own: after the 42 of DTYPE.  Its units are blocks of 32: codes as bytes, scale[halves][16], off[halves][16]. */
enum { PANEL = 100 };

INLINE enum kind kind_of(int t)
{
    if (t >= PANEL)
        return (enum kind)(t - PANEL);
    switch (t) {
    case DTYPE_Q4_1:
    case DTYPE_Q5_1:
    case DTYPE_Q4_K:
    case DTYPE_Q5_K: return KIND_B;
    case DTYPE_Q3_K:
    case DTYPE_Q6_K: return KIND_C;
    case DTYPE_Q2_K: return KIND_D;
    default: return KIND_A;
    }
}

/* Tokens in a tile: 2 groups x tokens x (acc, y[, sum of halves]) must fit in 32 registers. */
INLINE int max_cols(enum kind k) { return k == KIND_C || k == KIND_D ? 4 : 6; }

INLINE int zero_point(int t)
{
    switch (t) {
    case DTYPE_Q4_0: return 8;
    case DTYPE_Q5_0: return 16;
    case DTYPE_Q3_K: return 4;
    case DTYPE_Q6_K: return 32;
    case DTYPE_Q8_0:
    case DTYPE_IQ4_NL:
    case DTYPE_IQ4_XS:
    case DTYPE_MXFP4: return 128; /* the books are stored with 128 added */
    default: return 0;
    }
}

/* ---- reading a packed group: 16 rows ---- */

struct source { /* of two groups: where the first lies, how far the second */
    const uint8_t *at;
    size_t second;
};

INLINE struct unit source_unit(const int t)
{
    if (t < PANEL)
        return unit_of((enum dtype)t);
    const enum kind k = kind_of(t);
    const int n = k == KIND_C || k == KIND_D ? 128 : 64, bytes = 512 + (k == KIND_B || k == KIND_D ? 2 : 1) * n;
    return (struct unit){ .n_blocks = 1, .block_bytes = bytes, .sc = 512, .mn = 512 + n, .bytes = bytes };
}

INLINE __m512i load(const uint8_t *p) { return _mm512_loadu_si512((const void *)p); } /* units begin on 16 bytes */
INLINE __m512i bytes(int v) { return _mm512_set1_epi8((char)v); }
/* (a & mask) | (b & ~mask) */
INLINE __m512i blend(__m512i mask, __m512i a, __m512i b) { return _mm512_ternarylogic_epi32(mask, a, b, 0xCA); }
INLINE __m512i shift(__m512i x, int left) /* bits wander between bytes: mask afterwards */
{
    return left > 0 ? _mm512_slli_epi16(x, (unsigned)left) : left < 0 ? _mm512_srli_epi16(x, (unsigned)-left) : x;
}

static const int8_t book_iq4nl[16] = { 1, 24, 45, 63, 79, 93, 106, 118, -127, -115, -103, -90, -75, -59, -39, -15 };
static const int8_t book_mxfp4[16] = { -128, -127, -126, -125, -124, -122, -120, -116, -128, 127, 126, 125, 124, 122, 120, 116 };

/* Quad j of a block as 64 unsigned codes. */
INLINE __m512i read_quad(const int t, const uint8_t *codes, const int j)
{
    const struct unit u = source_unit(t);
    if (t >= PANEL || t == DTYPE_Q8_0)
        return load(codes + j * 64);
    if (t == DTYPE_Q2_K || t == DTYPE_Q3_K) {
        const __m512i two = shift(load(codes + u.two + j / 4 * 64), -(j % 4 * 2));
        if (t == DTYPE_Q2_K)
            return _mm512_and_si512(two, bytes(3));
        const __m512i one = shift(load(codes + u.one), 2 - j);
        return blend(bytes(3), two, _mm512_and_si512(one, bytes(4)));
    }
    const __m512i low = shift(load(codes + u.low + j % 4 * 64), j < 4 ? 0 : -4);
    if (t == DTYPE_Q5_0 || t == DTYPE_Q5_1 || t == DTYPE_Q5_K) {
        const __m512i one = shift(load(codes + u.one), 4 - j);
        return blend(bytes(15), low, _mm512_and_si512(one, bytes(16)));
    }
    if (t == DTYPE_Q6_K) {
        const __m512i two = shift(load(codes + u.two + j / 4 * 64), 4 - j % 4 * 2);
        return blend(bytes(15), low, _mm512_and_si512(two, bytes(48)));
    }
    const __m512i code = _mm512_and_si512(low, bytes(15));
    if (t == DTYPE_IQ4_NL || t == DTYPE_IQ4_XS || t == DTYPE_MXFP4) {
        const int8_t *book = t == DTYPE_MXFP4 ? book_mxfp4 : book_iq4nl;
        return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(_mm_loadu_si128((const void *)book)), code);
    }
    return code;
}

INLINE __m512 read_f16(const uint8_t *p) { return _mm512_cvtph_ps(_mm256_loadu_si256((const void *)p)); }
INLINE __m512 read_u8(const uint8_t *p) { return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_load_si128((const void *)p))); }
INLINE __m512 read_s8(const uint8_t *p) { return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_load_si128((const void *)p))); }

/* 2^(e - 128), as half_e8m0() in pack.c. */
INLINE __m512 read_e8m0(const uint8_t *p)
{
    const __m512i e = _mm512_cvtepu8_epi32(_mm_load_si128((const void *)p));
    const __m512i normal = _mm512_slli_epi32(_mm512_sub_epi32(e, _mm512_set1_epi32(1)), 23);
    const __m512i tiny = _mm512_sllv_epi32(_mm512_set1_epi32(0x00200000), e);
    return _mm512_castsi512_ps(_mm512_mask_blend_epi32(_mm512_cmplt_epi32_mask(e, _mm512_set1_epi32(2)), normal, tiny));
}

struct scales {
    __m512 scale[2], off[2]; /* of halves; [0] alone for kinds A and B */
};

INLINE struct scales read_scales(const int t, const struct block *b)
{
    const struct unit u = source_unit(t);
    const uint8_t *d = b->scales + u.d, *m = b->scales + u.m, *sc = b->scales + b->sc, *mn = b->scales + b->mn;
    struct scales s;
    s.scale[0] = s.scale[1] = s.off[0] = s.off[1] = _mm512_setzero_ps();
    switch (t) {
    case PANEL + KIND_B: s.off[0] = _mm512_load_ps((const void *)mn);
        /* fall through */
    case PANEL + KIND_A: s.scale[0] = _mm512_load_ps((const void *)sc); break;
    case PANEL + KIND_D:
        s.off[0] = _mm512_load_ps((const void *)mn);
        s.off[1] = _mm512_load_ps((const void *)(mn + 64));
        /* fall through */
    case PANEL + KIND_C:
        s.scale[0] = _mm512_load_ps((const void *)sc);
        s.scale[1] = _mm512_load_ps((const void *)(sc + 64));
        break;
    case DTYPE_Q4_1:
    case DTYPE_Q5_1: s.off[0] = read_f16(m);
        /* fall through */
    case DTYPE_Q8_0:
    case DTYPE_Q4_0:
    case DTYPE_Q5_0:
    case DTYPE_IQ4_NL: s.scale[0] = read_f16(d); break;
    case DTYPE_MXFP4: s.scale[0] = read_e8m0(sc); break;
    case DTYPE_IQ4_XS: s.scale[0] = _mm512_mul_ps(read_f16(d), read_s8(sc)); break;
    case DTYPE_Q4_K:
    case DTYPE_Q5_K:
        s.scale[0] = _mm512_mul_ps(read_f16(d), read_u8(sc));
        s.off[0] = _mm512_fnmadd_ps(read_f16(m), read_u8(mn), _mm512_setzero_ps());
        break;
    case DTYPE_Q3_K:
    case DTYPE_Q6_K: {
        const __m512 scale = read_f16(d);
        s.scale[0] = _mm512_mul_ps(scale, read_s8(sc));
        s.scale[1] = _mm512_mul_ps(scale, read_s8(sc + 16));
        break;
    }
    case DTYPE_Q2_K: {
        const __m512 scale = read_f16(d), min = read_f16(m);
        for (int h = 0; h < 2; h++) {
            const __m512i c = _mm512_cvtepu8_epi32(_mm_load_si128((const void *)(sc + h * 16)));
            s.scale[h] = _mm512_mul_ps(scale, _mm512_cvtepi32_ps(_mm512_and_si512(c, _mm512_set1_epi32(15))));
            s.off[h] = _mm512_fnmadd_ps(min, _mm512_cvtepi32_ps(_mm512_srli_epi32(c, 4)), _mm512_setzero_ps());
        }
        break;
    }
    }
    return s;
}

/* ---- what is prepared of the activations ---- */

struct columns { /* some tokens; the arrays of token c begin c * (their n) further */
    const int8_t *q; /* [c][n_cols] */
    const float *d;  /* [c][nb] */
    int32_t *start;  /* [c][nb or 2 nb] -zero_point * sum */
    float *sum;      /* [c][nb or 2 nb] KIND_B, KIND_D: sum */
    size_t nb;
};

/* Start values of n_tok tokens from tok0; the arrays have room for them. */
INLINE void prepare(const int t, struct columns *c, const struct acts *a, int tok0, int n_tok)
{
    const enum kind kind = kind_of(t);
    const size_t nb = (size_t)a->n_cols / 32, n = (size_t)n_tok * nb;
    const int16_t *sum = a->sum + (size_t)tok0 * nb * 2;
    const __m512i zero = _mm512_set1_epi32(-zero_point(t)), pair = _mm512_set1_epi16((short)-zero_point(t));
    c->q = a->q + (size_t)tok0 * nb * 32;
    c->d = a->d + (size_t)tok0 * nb;
    c->nb = nb;
    for (size_t i = 0; i < n; i += 16) { /* 16 blocks */
        const __mmask16 m = n - i >= 16 ? 0xffff : (__mmask16)((1u << (n - i)) - 1);
        const __m512i s = _mm512_maskz_loadu_epi32(m, sum + i * 2); /* pairs of int16 */
        if (kind == KIND_A)
            _mm512_mask_storeu_epi32(c->start + i, m, _mm512_madd_epi16(s, pair));
        if (kind == KIND_B)
            _mm512_mask_storeu_ps(c->sum + i, m, _mm512_cvtepi32_ps(_mm512_madd_epi16(s, _mm512_set1_epi16(1))));
    }
    for (size_t i = 0; i < 2 * n && (kind == KIND_C || kind == KIND_D); i += 16) {
        const __mmask16 m = 2 * n - i >= 16 ? 0xffff : (__mmask16)((1u << (2 * n - i)) - 1);
        const __m512i s = _mm512_cvtepi16_epi32(_mm256_maskz_loadu_epi16(m, sum + i));
        if (kind == KIND_C)
            _mm512_mask_storeu_epi32(c->start + i, m, _mm512_mullo_epi32(s, zero));
        if (kind == KIND_D)
            _mm512_mask_storeu_ps(c->sum + i, m, _mm512_cvtepi32_ps(s));
    }
}

/* ---- the loop ---- */

INLINE __m512i four(const int8_t *q)
{
    int32_t v;
    memcpy(&v, q, 4);
    return _mm512_set1_epi32(v);
}

INLINE void put_rows(float *y, __mmask16 m, __m512 v)
{
    if (m == 0xffff) /* stores with a mask are slow on Zen 4 */
        _mm512_storeu_ps(y, v);
    else
        _mm512_mask_storeu_ps(y, m, v);
}

/* y[c][row0 ..] of G (1 or 2) groups for C tokens; zp: of the type behind a panel is already in start. */
INLINE void tile(const int t, const int G, const int C, const struct source *w, const struct columns *in, float *y, size_t ldy,
                 __mmask16 first, __mmask16 second)
{
    const enum kind kind = kind_of(t);
    const struct unit u = source_unit(t);
    const int n_halves = kind == KIND_C || kind == KIND_D ? 2 : 1;
    const size_t nb = in->nb, ldq = nb * 32;
    __m512 out[6][2];
    UNROLL
    for (int c = 0; c < C; c++) {
        out[c][0] = out[c][1] = _mm512_setzero_ps();
        /* a large y is not in the caches: ask for its lines now, to write when the sums are done */
        __builtin_prefetch(y + (size_t)c * ldy, 1);
        __builtin_prefetch(y + (size_t)c * ldy + 16, 1);
    }
    for (size_t b = 0; b < nb; b++) {
        const struct block at[2] = { block_at(&u, w->at, b), block_at(&u, w->at + w->second, b) };
        __m512 part[6][2];
        __m512i acc[6][2];
        UNROLL
        for (int h = 0; h < n_halves; h++) {
            UNROLL
            for (int c = 0; c < C; c++) {
                if (kind == KIND_A)
                    acc[c][0] = _mm512_set1_epi32(in->start[(size_t)c * nb + b]);
                else if (kind == KIND_C)
                    acc[c][0] = _mm512_set1_epi32(in->start[((size_t)c * nb + b) * 2 + (size_t)h]);
                else
                    acc[c][0] = _mm512_setzero_si512();
                acc[c][1] = acc[c][0];
            }
            UNROLL
            for (int i = 0; i < 8 / n_halves; i++) {
                /* quads 0 4 1 5 ..: those that share bytes follow each other */
                const int j = t >= PANEL || t == DTYPE_Q8_0 ? h * 4 + i : n_halves == 2 ? h * 4 + i : i % 2 * 4 + i / 2;
                __m512i v[2];
                UNROLL
                for (int g = 0; g < G; g++)
                    v[g] = read_quad(t, at[g].codes, j);
                UNROLL
                for (int c = 0; c < C; c++) {
                    const __m512i x = four(in->q + (size_t)c * ldq + b * 32 + j * 4);
                    UNROLL
                    for (int g = 0; g < G; g++)
                        acc[c][g] = _mm512_dpbusd_epi32(acc[c][g], v[g], x);
                }
            }
            if (n_halves == 2) {
                UNROLL
                for (int g = 0; g < G; g++) {
                    const struct scales s = read_scales(t, &at[g]);
                    UNROLL
                    for (int c = 0; c < C; c++) {
                        const __m512 f = _mm512_cvtepi32_ps(acc[c][g]);
                        part[c][g] = h == 0 ? _mm512_mul_ps(f, s.scale[h]) : _mm512_fmadd_ps(f, s.scale[h], part[c][g]);
                    }
                }
            }
        }
        UNROLL
        for (int g = 0; g < G; g++) {
            const struct scales s = read_scales(t, &at[g]);
            UNROLL
            for (int c = 0; c < C; c++) {
                const __m512 d = _mm512_set1_ps(in->d[(size_t)c * nb + b]);
                if (kind == KIND_A || kind == KIND_B)
                    part[c][g] = _mm512_mul_ps(_mm512_cvtepi32_ps(acc[c][g]), s.scale[0]);
                if (kind == KIND_B)
                    part[c][g] = _mm512_fmadd_ps(s.off[0], _mm512_set1_ps(in->sum[(size_t)c * nb + b]), part[c][g]);
                if (kind == KIND_D)
                    for (int h = 0; h < 2; h++)
                        part[c][g] = _mm512_fmadd_ps(s.off[h], _mm512_set1_ps(in->sum[((size_t)c * nb + b) * 2 + (size_t)h]),
                                                     part[c][g]);
                out[c][g] = _mm512_fmadd_ps(part[c][g], d, out[c][g]);
            }
        }
    }
    UNROLL
    for (int c = 0; c < C; c++) {
        put_rows(y + (size_t)c * ldy, first, out[c][0]);
        if (G == 2 && second)
            put_rows(y + (size_t)c * ldy + 16, second, out[c][1]);
    }
}

/* One function for each type and number of tokens, so that the registers of tile() are registers. */
#define TILE(t, C) case C: tile(t, 2, C, w, &in, y, ldy, first, second); break;
INLINE void tiles(const int t, const struct source *w, const struct columns *all, int n_tok, float *y, size_t ldy,
                  __mmask16 first, __mmask16 second)
{
    const enum kind kind = kind_of(t);
    const int most = max_cols(kind);
    const size_t n = kind == KIND_C || kind == KIND_D ? 2 * all->nb : all->nb;
    struct columns in = *all;
    for (int c = 0; c < n_tok; c += most, y += (size_t)most * ldy) {
        in.q = all->q + (size_t)c * all->nb * 32;
        in.d = all->d + (size_t)c * all->nb;
        in.start = all->start + (size_t)c * n;
        in.sum = all->sum + (size_t)c * n;
        switch (n_tok - c < most ? n_tok - c : most) {
            TILE(t, 1) TILE(t, 2) TILE(t, 3) TILE(t, 4)
        default:
            if (most > 4 && n_tok - c == 5)
                tile(t, 2, 5, w, &in, y, ldy, first, second);
            else if (most > 4)
                tile(t, 2, 6, w, &in, y, ldy, first, second);
        }
    }
}
#undef TILE

/* Tokens prepared at once, a multiple of 4 and 6. */
enum { STRIP = 12 };

/* From how many tokens on a panel pays: unpacking hides behind the products while it needs little of their two pipes.
 * Zen 4, 128 tokens, G multiply-adds/s without and with a panel: Q8_0 181 176, Q4_0 184 177, Q4_K 157 159, Q6_K 138 161. */
INLINE int panel_from(int t)
{
    switch (t) {
    case DTYPE_Q3_K:
    case DTYPE_Q6_K: return 13;
    case DTYPE_Q2_K:
    case DTYPE_Q4_K:
    case DTYPE_Q5_0:
    case DTYPE_Q5_1:
    case DTYPE_Q5_K: return 64;
    default: return INT_MAX;
    }
}

/* Few tokens take one group after the other: the weights are one stream then, which the processor's own prefetching
 * follows at the memory's full speed.  Zen 4, one token, against a linear read of the same moment: 0.98-1.08; with two groups
 * side by side 0.5-0.8, with planes of codes and of scales 0.5-0.8, prefetch instructions repair little of it. */
enum { SOLO = 4 };

/* scratch: start[STRIP][2 nb], sum[STRIP][2 nb], two panels of codes [nb][512], scales [nb][2][16], offs [nb][2][16] */
size_t matmul_avx512_packed_scratch_bytes(int n_cols)
{
    const size_t nb = ((size_t)n_cols + 31) / 32;
    return nb * (2 * STRIP * 2 * sizeof(float) + 2 * (512 + 2 * 2 * 64));
}

INLINE void expand(const int t, uint8_t *panel, const uint8_t *group, size_t nb)
{
    const enum kind kind = kind_of(t);
    const struct unit u = source_unit(t), to = source_unit(PANEL + (int)kind);
    for (size_t b = 0; b < nb; b++, panel += to.bytes) {
        const struct block at = block_at(&u, group, b);
        UNROLL
        for (int j = 0; j < 8; j++)
            _mm512_store_si512((void *)(panel + j * 64), read_quad(t, at.codes, j));
        const struct scales s = read_scales(t, &at);
        _mm512_store_ps((void *)(panel + to.sc), s.scale[0]);
        if (kind == KIND_C || kind == KIND_D)
            _mm512_store_ps((void *)(panel + to.sc + 64), s.scale[1]);
        if (kind == KIND_B || kind == KIND_D)
            _mm512_store_ps((void *)(panel + to.mn), s.off[0]);
        if (kind == KIND_D)
            _mm512_store_ps((void *)(panel + to.mn + 64), s.off[1]);
    }
}

static void run_panel_a(const struct source *w, const struct columns *c, int n, float *y, size_t ldy, __mmask16 m0, __mmask16 m1)
{
    tiles(PANEL + KIND_A, w, c, n, y, ldy, m0, m1);
}
static void run_panel_b(const struct source *w, const struct columns *c, int n, float *y, size_t ldy, __mmask16 m0, __mmask16 m1)
{
    tiles(PANEL + KIND_B, w, c, n, y, ldy, m0, m1);
}
static void run_panel_c(const struct source *w, const struct columns *c, int n, float *y, size_t ldy, __mmask16 m0, __mmask16 m1)
{
    tiles(PANEL + KIND_C, w, c, n, y, ldy, m0, m1);
}
static void run_panel_d(const struct source *w, const struct columns *c, int n, float *y, size_t ldy, __mmask16 m0, __mmask16 m1)
{
    tiles(PANEL + KIND_D, w, c, n, y, ldy, m0, m1);
}

static __mmask16 rows_mask(const struct weight *w, int group, int group1)
{
    const int n = group < group1 ? w->n_rows - group * 16 : 0;
    return n >= 16 ? 0xffff : n > 0 ? (__mmask16)((1u << n) - 1) : 0;
}

INLINE void multiply(const int t, float *y, size_t ldy, const struct weight *w, int group0, int group1, const struct acts *a,
                     int n_tok, void *scratch)
{
    const enum kind kind = kind_of(t);
    const size_t nb = (size_t)w->n_cols / 32;
    struct columns in = { .start = scratch, .sum = (float *)scratch + STRIP * 2 * nb, .nb = nb };
    uint8_t *panel = (uint8_t *)scratch + nb * (2 * STRIP * 2 * sizeof(float));
    const size_t panel_bytes = nb * (512 + 2 * 2 * 64);

    const bool use_panel = n_tok >= panel_from(t);
    if (n_tok <= STRIP)
        prepare(t, &in, a, 0, n_tok);
    for (int g = group0; g < group1 && n_tok <= SOLO; g++) {
        const struct source src = { .at = w->data + (size_t)g * w->group_bytes };
        const __mmask16 m = rows_mask(w, g, group1);
        float *out = y + (size_t)g * 16;
        switch (n_tok) {
        case 1: tile(t, 1, 1, &src, &in, out, ldy, m, 0); break;
        case 2: tile(t, 1, 2, &src, &in, out, ldy, m, 0); break;
        case 3: tile(t, 1, 3, &src, &in, out, ldy, m, 0); break;
        default: tile(t, 1, 4, &src, &in, out, ldy, m, 0); break;
        }
    }
    for (int g = group0; g < group1 && n_tok > SOLO; g += 2) {
        const __mmask16 m0 = rows_mask(w, g, group1), m1 = rows_mask(w, g + 1, group1);
        /* A lone last group is its own neighbour: computed twice, written once. */
        const bool is_lone = g + 1 >= group1;
        const uint8_t *at = w->data + (size_t)g * w->group_bytes;
        struct source src = { .at = at, .second = is_lone ? 0 : w->group_bytes };
        if (use_panel) {
            expand(t, panel, at, nb);
            if (!is_lone)
                expand(t, panel + panel_bytes, at + w->group_bytes, nb);
            src = (struct source){ .at = panel, .second = is_lone ? 0 : panel_bytes };
        }
        for (int c = 0; c < n_tok; c += STRIP) {
            const int n = n_tok - c < STRIP ? n_tok - c : STRIP;
            float *out = y + (size_t)c * ldy + (size_t)g * 16;
            if (n_tok > STRIP)
                prepare(t, &in, a, c, n);
            if (!use_panel)
                tiles(t, &src, &in, n, out, ldy, m0, m1);
            else if (kind == KIND_A)
                run_panel_a(&src, &in, n, out, ldy, m0, m1);
            else if (kind == KIND_B)
                run_panel_b(&src, &in, n, out, ldy, m0, m1);
            else if (kind == KIND_C)
                run_panel_c(&src, &in, n, out, ldy, m0, m1);
            else
                run_panel_d(&src, &in, n, out, ldy, m0, m1);
        }
    }
}

#define TYPE(name)                                                                                                    \
    void matmul_avx512_##name(float *y, size_t ldy, const struct weight *w, int group0, int group1, const struct acts *a, \
                              int n_tok, void *scratch)                                                               \
    {                                                                                                                 \
        multiply(DTYPE_##name, y, ldy, w, group0, group1, a, n_tok, scratch);                                         \
    }
MATMUL_AVX512_PACKED(TYPE)
