/* kernels/matmul/avx512_packed.c - packed weights (WEIGHT_R16) times int8 activations, with VNNI.
 *
 * Start reading at multiply().  Everything is one loop, tile(): one or two groups (16 rows in the lanes of
 * a zmm) times up to eight or seven tokens, whose codes are broadcast from memory.  For each block of 32 along K it
 * adds products in int32, starting from -zero_point * (sum of the token's codes), and scales once.
 *
 *   few tokens (decode):  tile() unpacks the codes in registers, straight from the packed units;
 *   many (prefill):       types that are slow to unpack: two groups are expanded once to bytes and float scales, a
 *                         "panel" in scratch that stays in L2, and tile() runs over it for all tokens.
 *
 * Both do the same float operations in the same order, so a token's result does not depend on the batch; and so does
 * amx.c, which takes many tokens where there are tiles: change the order here and there.
 * What it costs on Zen 4: a block is 8 vpdpbusd and 2 (KIND_A) or 3 multiplies on the same two pipes, so
 * 80 % or 73 % of the int8 peak is the ceiling; conversions, shifts and additions go to the other two.  Loads of 512 bits: one a cycle,
 * broadcasts of 32 bits: two.
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
/* A panel is a type of its own: after the 42 of DTYPE.  Its units are blocks of 32: codes as bytes, scale[halves][16], off[halves][16].
 * In one of KIND_C the zero point is 32, so that the tile makes the start values itself, by shifts, beside its products. */
enum { PANEL = 100, PANEL_C_SHIFT = 5 };

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

/* Tokens in a tile of G groups: two groups x tokens x (y, acc of each half) must fit in 32 registers; see weave() for one. */
INLINE int max_cols(enum kind k, const int G)
{
    const bool by_halves = k == KIND_C || k == KIND_D;
    return G == 2 ? (by_halves ? 4 : 7) : k == KIND_A ? 4 : 8;
}
enum { COLS_MAX = 8 };

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

struct source { /* of one or two groups: where the first lies, how far the second */
    const uint8_t *at;
    size_t second;
    const uint8_t *soon, *end; /* what is asked for meanwhile, in lines of 64 bytes: the next one, and where that stops */
    int n_lines;               /* of them for each block; 0: nothing is asked for */
};

INLINE struct unit source_unit(const int t)
{
    if (t < PANEL)
        return unit_of((enum dtype)t);
    const enum kind k = kind_of(t);
    const int n = k == KIND_C || k == KIND_D ? 128 : 64, bytes = 512 + (k == KIND_B || k == KIND_D ? 2 : 1) * n;
    return (struct unit){ .n_blocks = 1, .sc = 512, .mn = 512 + n, .block_bytes = bytes, .bytes = bytes };
}

INLINE __m512i load(const uint8_t *p) { return _mm512_loadu_si512((const void *)p); } /* units begin on 16 bytes */
INLINE __m512i bytes(int v) { return _mm512_set1_epi8((char)v); }
/* (a & mask) | (b & ~mask); b first: what is not needed any more becomes the result, the mask stays */
INLINE __m512i blend(__m512i mask, __m512i a, __m512i b) { return _mm512_ternarylogic_epi32(b, a, mask, 0xD8); }
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
        const __m512i two = shift(load(codes + u.two[j / 4]), -(j % 4 * 2));
        if (t == DTYPE_Q2_K)
            return _mm512_and_si512(two, bytes(3));
        const __m512i one = shift(load(codes + u.one), 2 - j);
        return blend(bytes(3), two, _mm512_and_si512(one, bytes(4)));
    }
    /* High bits of two quads at a time, those of the earlier one 4 bits lower; what moves to a low nibble with them blend() does not take. */
    __m512i high = _mm512_setzero_si512();
    if (t == DTYPE_Q5_0 || t == DTYPE_Q5_1 || t == DTYPE_Q5_K)
        high = shift(_mm512_and_si512(shift(load(codes + u.one), -(j % 4)), bytes(0x11)), j < 4 ? 4 : 0);
    if (t == DTYPE_Q6_K)
        high = shift(_mm512_and_si512(shift(load(codes + u.two[j / 4]), -(j % 2 * 2)), bytes(0x33)), j % 4 < 2 ? 4 : 0);
    const __m512i low = shift(load(codes + u.low + j % 4 * 64), j < 4 ? 0 : -4);
    if (t == DTYPE_Q5_0 || t == DTYPE_Q5_1 || t == DTYPE_Q5_K || t == DTYPE_Q6_K)
        return blend(bytes(15), low, high);
    const __m512i code = _mm512_and_si512(low, bytes(15));
    if (t == DTYPE_IQ4_NL || t == DTYPE_IQ4_XS || t == DTYPE_MXFP4) {
        const int8_t *book = t == DTYPE_MXFP4 ? book_mxfp4 : book_iq4nl;
        return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(_mm_loadu_si128((const void *)book)), code);
    }
    return code;
}

INLINE __m512 read_f16(const uint8_t *p) { return _mm512_cvtph_ps(_mm256_loadu_si256((const void *)p)); }
INLINE __m512 read_u8(const uint8_t *p) { return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128((const void *)p))); }
INLINE __m512 read_s8(const uint8_t *p) { return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const void *)p))); }

/* 2^(e - 128), as half_e8m0() in pack.c. */
INLINE __m512 read_e8m0(const uint8_t *p)
{
    const __m512i e = _mm512_cvtepu8_epi32(_mm_loadu_si128((const void *)p));
    const __m512i normal = _mm512_slli_epi32(_mm512_sub_epi32(e, _mm512_set1_epi32(1)), 23);
    const __m512i tiny = _mm512_sllv_epi32(_mm512_set1_epi32(0x00200000), e);
    return _mm512_castsi512_ps(_mm512_mask_blend_epi32(_mm512_cmplt_epi32_mask(e, _mm512_set1_epi32(2)), normal, tiny));
}

struct pair { /* of a unit: d and m */
    __m512 d, m;
};
INLINE struct pair read_pair(const int t, const uint8_t *unit)
{
    const struct unit u = source_unit(t);
    struct pair p = { _mm512_setzero_ps(), _mm512_setzero_ps() };
    if (t < PANEL && t != DTYPE_MXFP4)
        p.d = read_f16(unit + u.d);
    if (t == DTYPE_Q4_1 || t == DTYPE_Q5_1 || t == DTYPE_Q2_K || t == DTYPE_Q4_K || t == DTYPE_Q5_K)
        p.m = read_f16(unit + u.m);
    return p;
}

/* Scale of half h (0 for kinds A and B) of a block, and what is added for each code of the activations. */
INLINE __m512 read_scale(const int t, const uint8_t *block, const struct pair *p, const int h)
{
    const uint8_t *sc = block + source_unit(t).sc;
    switch (t) {
    case PANEL + KIND_A:
    case PANEL + KIND_B:
    case PANEL + KIND_C:
    case PANEL + KIND_D: return _mm512_load_ps((const void *)(sc + h * 64));
    case DTYPE_MXFP4: return read_e8m0(sc);
    case DTYPE_IQ4_XS: return _mm512_mul_ps(p->d, read_s8(sc));
    case DTYPE_Q4_K:
    case DTYPE_Q5_K: return _mm512_mul_ps(p->d, read_u8(sc));
    case DTYPE_Q3_K:
    case DTYPE_Q6_K: return _mm512_mul_ps(p->d, read_s8(sc + h * 16));
    case DTYPE_Q2_K:
        return _mm512_mul_ps(p->d, _mm512_cvtepi32_ps(_mm512_and_si512(_mm512_cvtepu8_epi32(_mm_loadu_si128((const void *)(sc + h * 16))),
                                                                       _mm512_set1_epi32(15))));
    default: return p->d;
    }
}
INLINE __m512 read_off(const int t, const uint8_t *block, const struct pair *p, const int h)
{
    const struct unit u = source_unit(t);
    switch (t) {
    case PANEL + KIND_B:
    case PANEL + KIND_D: return _mm512_load_ps((const void *)(block + u.mn + h * 64));
    case DTYPE_Q4_K:
    case DTYPE_Q5_K: return _mm512_fnmadd_ps(p->m, read_u8(block + u.mn), _mm512_setzero_ps());
    case DTYPE_Q2_K:
        return _mm512_fnmadd_ps(p->m, _mm512_cvtepi32_ps(_mm512_srli_epi32(_mm512_cvtepu8_epi32(_mm_loadu_si128((const void *)(block + u.sc + h * 16))), 4)),
                                _mm512_setzero_ps());
    default: return p->m;
    }
}

/* ---- what is prepared of the activations ---- */

struct columns { /* some tokens; the arrays of token c begin c * (their n) further */
    const int8_t *q; /* [c][n_cols]; woven: [nb][c][32] */
    const float *d;  /* [c][nb] */
    const int16_t *pairs; /* [c][2 nb] sums of codes, for a panel of KIND_C */
    int32_t *start;  /* [c][nb or 2 nb] -zero_point * sum */
    float *sum;      /* [c][nb or 2 nb] KIND_B, KIND_D: sum */
    size_t nb;
};

/* Start values of n_tok tokens from tok0; the arrays have room for them.  t: also a panel. */
INLINE void prepare(const int t, struct columns *c, const struct acts *a, int tok0, int n_tok)
{
    const enum kind kind = kind_of(t);
    const size_t nb = (size_t)a->n_cols / 32, n = (size_t)n_tok * nb;
    const int16_t *sum = a->sum + (size_t)tok0 * nb * 2;
    const __m512i zero = _mm512_set1_epi32(-zero_point(t)), pair = _mm512_set1_epi16((short)-zero_point(t));
    c->q = a->q + (size_t)tok0 * nb * 32;
    c->d = a->d + (size_t)tok0 * nb;
    c->pairs = sum;
    c->nb = nb;
    if (t == PANEL + KIND_C)
        return;
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

/* -32 * sum of half h of a block. */
INLINE __m512i start_of(const int16_t *pair, const int h)
{
    int32_t v;
    memcpy(&v, pair, 4);
    const __m512i both = _mm512_set1_epi32(v);
    return _mm512_sub_epi32(_mm512_setzero_si512(), h == 0 ? _mm512_srai_epi32(_mm512_slli_epi32(both, 16), 16 - PANEL_C_SHIFT)
                                                           : _mm512_slli_epi32(_mm512_srai_epi32(both, 16), PANEL_C_SHIFT));
}

INLINE void put_rows(float *y, __mmask16 m, __m512 v)
{
    if (m == 0xffff) /* stores with a mask are slow on Zen 4 */
        _mm512_storeu_ps(y, v);
    else
        _mm512_mask_storeu_ps(y, m, v);
}

/* Keeps the compiler from reading scales or codes before the codes that lie in front of them: a stream that jumps ahead and back is
 * none for the processor's prefetching (Q6_K, two tokens: 27 -> 12 GB/s; Q8_0: 33 -> 25). */
#define IN_ORDER __asm__ volatile("" ::: "memory")

/* y[c][row0 ..] of G groups for C tokens: two, or one with woven tokens.  zp: of the type behind a panel is already in start. */
INLINE void tile(const int t, const int G, const int C, const struct source *w, const struct columns *in, float *y, size_t ldy,
                 __mmask16 first, __mmask16 second)
{
    const enum kind kind = kind_of(t);
    const struct unit u = source_unit(t);
    const int n_halves = kind == KIND_C || kind == KIND_D ? 2 : 1, n_offs = kind == KIND_B || kind == KIND_D ? n_halves : 0;
    const size_t nb = in->nb, q_tok = G == 1 ? 32 : nb * 32, q_block = G == 1 ? (size_t)C * 32 : 32;
    __m512 out[COLS_MAX][2];
    UNROLL
    for (int c = 0; c < C; c++) {
        out[c][0] = out[c][1] = _mm512_setzero_ps();
        /* a large y is not in the caches: ask for its lines now, to write when the sums are done */
        __builtin_prefetch(y + (size_t)c * ldy, 1);
        if (G == 2)
            __builtin_prefetch(y + (size_t)c * ldy + 16, 1);
    }
    const uint8_t *unit[2] = { w->at, w->at + w->second }, *soon = w->soon;
    const int n_lines = soon < w->end ? w->n_lines : 0;
    for (size_t b0 = 0; b0 < nb; b0 += (size_t)u.n_blocks, unit[0] += u.bytes, unit[1] += u.bytes) {
        struct pair dm[2];
        for (int g = 0; g < G && u.n_blocks > 1; g++)
            dm[g] = read_pair(t, unit[g]);
        for (int k = 0; k < u.n_blocks; k++) {
            const size_t b = b0 + (size_t)k;
            const uint8_t *const at[2] = { unit[0] + u.first + k * u.block_bytes, unit[1] + u.first + k * u.block_bytes };
            for (int l = 0; l < n_lines; l++, soon += 64)
                _mm_prefetch((const char *)soon, _MM_HINT_T1);
            __m512i acc[2][COLS_MAX][2]; /* [half][token][group] */
            UNROLL
            for (int h = 0; h < n_halves; h++) {
                UNROLL
                for (int c = 0; c < C; c++) {
                    const size_t tb = (size_t)c * nb + b;
                    if (t == PANEL + KIND_C)
                        acc[h][c][0] = start_of(in->pairs + tb * 2, h);
                    else if (kind == KIND_A)
                        acc[h][c][0] = _mm512_set1_epi32(in->start[tb]);
                    else if (kind == KIND_C)
                        acc[h][c][0] = _mm512_set1_epi32(in->start[tb * 2 + (size_t)h]);
                    else
                        acc[h][c][0] = _mm512_setzero_si512();
                    acc[h][c][1] = acc[h][c][0];
                }
                UNROLL
                for (int i = 0; i < 8 / n_halves; i++) {
                    /* in the order of memory: quads j and j + 4 share the bytes of `low` */
                    const int j = n_halves == 2 || u.low < 0 ? h * 4 + i : i % 2 * 4 + i / 2;
                    __m512i v[2];
                    if (G == 1)
                        IN_ORDER;
                    UNROLL
                    for (int g = 0; g < G; g++)
                        v[g] = read_quad(t, at[g], j);
                    UNROLL
                    for (int c = 0; c < C; c++) {
                        const __m512i x = four(in->q + (size_t)c * q_tok + b * q_block + (size_t)j * 4);
                        UNROLL
                        for (int g = 0; g < G; g++)
                            acc[h][c][g] = _mm512_dpbusd_epi32(acc[h][c][g], v[g], x);
                    }
                }
            }
            IN_ORDER;
            UNROLL
            for (int g = 0; g < G; g++) {
                if (u.n_blocks == 1)
                    dm[g] = read_pair(t, unit[g]);
                __m512 part[COLS_MAX];
                UNROLL
                for (int h = 0; h < n_halves; h++) {
                    const __m512 scale = read_scale(t, at[g], &dm[g], h);
                    UNROLL
                    for (int c = 0; c < C; c++) {
                        const __m512 f = _mm512_cvtepi32_ps(acc[h][c][g]);
                        part[c] = h == 0 ? _mm512_mul_ps(f, scale) : _mm512_fmadd_ps(f, scale, part[c]);
                    }
                }
                UNROLL
                for (int h = 0; h < n_offs; h++) {
                    const __m512 off = read_off(t, at[g], &dm[g], h);
                    UNROLL
                    for (int c = 0; c < C; c++)
                        part[c] = _mm512_fmadd_ps(off, _mm512_set1_ps(in->sum[((size_t)c * nb + b) * (size_t)n_halves + (size_t)h]), part[c]);
                }
                UNROLL
                for (int c = 0; c < C; c++)
                    out[c][g] = _mm512_fmadd_ps(part[c], _mm512_set1_ps(in->d[(size_t)c * nb + b]), out[c][g]);
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

/* One piece of code for each type and number of tokens, so that the registers of tile() are registers.  Two groups never have fewer than
 * two tokens: see share(). */
INLINE void tiles(const int t, const int G, const int n_tok, const struct source *w, const struct columns *in, float *y, size_t ldy,
                  __mmask16 first, __mmask16 second)
{
    const int most = max_cols(kind_of(t), G);
#define TILE(C) case C: if (C >= G && C <= most) tile(t, G, C, w, in, y, ldy, first, second); break;
    switch (n_tok) { TILE(1) TILE(2) TILE(3) TILE(4) TILE(5) TILE(6) TILE(7) TILE(8) }
#undef TILE
}

/* Up to max_cols(kind, 1) tokens take one group after the other: the weights are one stream then, which the processor's own prefetching
 * follows at the memory's full speed.  Their codes are woven, since as a stream for each token they drive each other and the
 * weights out of L1.  Zen 4, against a linear read of the same moment: 0.98-1.08 with 1 token, 0.75-1.0 with 4; not woven 0.5-0.7
 * with 4; two groups side by side 0.5-0.9; planes of codes and of scales 0.5-0.8; prefetch instructions make one stream slower.
 * More tokens are bound by products, which two groups at a time serve best.  Their tiles share out the lines of the next two groups evenly and
 * ask for them meanwhile: asked for by the first tile alone, it waits for the memory, and the memory then waits for the others (8 tokens, two
 * threads, weights in memory, evenly against that: Q8_0 1.13, Q4_0 1.16, Q4_K 1.09; 16 tokens, against nothing: 1.13, 1.12, 1.07).
 * One group at a time does up to eight tokens where there is more than a scale to unpack (8 tokens of Q4_K: 1.05-1.1), and up to a panel with scales
 * of 16, where a tile of two takes only four tokens and so unpacks twice (16 tokens: 1.03-1.08).  From 3 tokens on one group asks ahead, too (Q4_K,
 * Q5_K 1.0-1.4; types with nothing but a scale would be slower in L3, Q8_0 0.8). */
enum { AHEAD_BYTES = 8192 };
INLINE void weave(int8_t *to, const int8_t *q, size_t nb, int n_tok)
{
    for (size_t b = 0; b < nb; b++)
        for (int k = 0; k < n_tok; k++, to += 32)
            _mm256_storeu_si256((void *)to, _mm256_loadu_si256((const void *)(q + ((size_t)k * nb + b) * 32)));
}

/* From how many tokens on a panel pays: unpacking hides behind the products while it needs little of their two pipes.
 * Zen 4, 128 tokens, G multiply-adds/s without and with a panel: Q8_0 181 176, Q4_0 184 177, Q4_K 157 159, Q6_K 138 161. */
INLINE int panel_from(int t)
{
    switch (t) {
    case DTYPE_Q3_K:
    case DTYPE_Q6_K:
    case DTYPE_Q2_K:
    case DTYPE_Q4_K:
    case DTYPE_Q5_0:
    case DTYPE_Q5_1:
    case DTYPE_Q5_K: return 64;
    default: return INT_MAX;
    }
}

/* Tokens prepared at once for two groups: two or three tiles. */
enum { STRIP = 14 };

/* scratch: start[STRIP][2 nb], sum[STRIP][2 nb], woven[COLS_MAX][nb][32], two panels of units */
enum { PREPARED_BYTES = (STRIP * 2 * 2 * 4 + COLS_MAX * 32 + 63) / 64 * 64, PANEL_BYTES = 512 + 2 * 2 * 64 }; /* for each block, in whole lines */
size_t matmul_avx512_packed_scratch_bytes(int n_cols) { return ((size_t)n_cols + 31) / 32 * (PREPARED_BYTES + 2 * PANEL_BYTES); }

INLINE void expand(const int t, uint8_t *panel, const uint8_t *group, size_t nb)
{
    const enum kind kind = kind_of(t);
    const struct unit u = source_unit(t), to = source_unit(PANEL + (int)kind);
    const int higher = kind == KIND_C ? (1 << PANEL_C_SHIFT) - zero_point(t) : 0;
    for (size_t b = 0; b < nb; b++, panel += to.bytes) {
        const struct block from = block_at(&u, group, b);
        const struct pair p = read_pair(t, from.unit);
        UNROLL
        for (int j = 0; j < 8; j++) {
            const __m512i v = read_quad(t, from.at, j);
            _mm512_store_si512((void *)(panel + j * 64), higher ? _mm512_add_epi8(v, bytes(higher)) : v);
        }
        for (int h = 0; h < (kind == KIND_C || kind == KIND_D ? 2 : 1); h++) {
            _mm512_store_ps((void *)(panel + to.sc + h * 64), read_scale(t, from.at, &p, h));
            if (kind == KIND_B || kind == KIND_D)
                _mm512_store_ps((void *)(panel + to.mn + h * 64), read_off(t, from.at, &p, h));
        }
    }
}

/* n tokens in about equal shares of at most `most`: the size of the first one. */
INLINE int share(int n, int most)
{
    const int n_shares = (n + most - 1) / most;
    return (n + n_shares - 1) / n_shares;
}

/* Two groups for a strip of tokens. */
INLINE void strip(const int t, struct source *w, const struct columns *all, int n_tok, float *y, size_t ldy, __mmask16 first, __mmask16 second)
{
    const enum kind kind = kind_of(t);
    const size_t n_sums = kind == KIND_C || kind == KIND_D ? 2 * all->nb : all->nb;
    for (int c = 0, n; c < n_tok; c += n) {
        struct columns in = *all;
        n = share(n_tok - c, max_cols(kind, 2));
        in.q += (size_t)c * all->nb * 32, in.d += (size_t)c * all->nb, in.pairs += (size_t)c * all->nb * 2, in.start += (size_t)c * n_sums, in.sum += (size_t)c * n_sums;
        tiles(t, 2, n, w, &in, y + (size_t)c * ldy, ldy, first, second);
        w->soon += all->nb * (size_t)w->n_lines * 64;
    }
}

#define PANEL_STRIP(kind)                                                                                                                  \
    static void strip_##kind(struct source *w, const struct columns *in, int n, float *y, size_t ldy, __mmask16 first, __mmask16 second) \
    {                                                                                                                                      \
        strip(PANEL + KIND_##kind, w, in, n, y, ldy, first, second);                                                                       \
    }
PANEL_STRIP(A)
PANEL_STRIP(B)
PANEL_STRIP(C)
PANEL_STRIP(D)

static __mmask16 rows_mask(const struct weight *w, int group, int group1)
{
    const int n = group < group1 ? w->n_rows - group * 16 : 0;
    return n >= 16 ? 0xffff : n > 0 ? (__mmask16)((1u << n) - 1) : 0;
}

struct prepared { /* places in scratch */
    struct columns in;
    int8_t *woven;
    uint8_t *panel;
};
INLINE struct prepared places(void *scratch, size_t nb)
{
    return (struct prepared){ .in = { .start = scratch, .sum = (float *)scratch + STRIP * 2 * nb, .nb = nb },
                              .woven = (int8_t *)scratch + STRIP * 2 * 2 * 4 * nb,
                              .panel = (uint8_t *)scratch + PREPARED_BYTES * nb };
}

INLINE void multiply_few(const int t, float *y, size_t ldy, const struct weight *w, int group0, int group1, const struct acts *a, int tok0, int n_tok,
                         void *scratch)
{
    const size_t nb = (size_t)w->n_cols / 32;
    struct prepared p = places(scratch, nb);
    prepare(t, &p.in, a, tok0, n_tok);
    if (n_tok > 1) {
        weave(p.woven, p.in.q, nb, n_tok);
        p.in.q = p.woven;
    }
    for (int g = group0; g < group1; g++) {
        struct source src = { .at = w->data + (size_t)g * w->group_bytes, .end = w->data + (size_t)group1 * w->group_bytes };
        src.soon = src.at + AHEAD_BYTES;
        src.n_lines = n_tok > 2 && kind_of(t) != KIND_A ? (source_unit(t).block_bytes + 63) / 64 : 0;
        tiles(t, 1, n_tok, &src, &p.in, y + (size_t)g * 16, ldy, rows_mask(w, g, group1), 0);
    }
}

INLINE void multiply(const int t, float *y, size_t ldy, const struct weight *w, int group0, int group1, const struct acts *a,
                     int n_tok, void *scratch)
{
    const int few = max_cols(kind_of(t), 1); /* of each kind: see weave() */
    if (n_tok <= few || ((kind_of(t) == KIND_C || kind_of(t) == KIND_D) && n_tok < panel_from(t))) {
        for (int c = 0, n; c < n_tok; c += n) {
            n = share(n_tok - c, few);
            multiply_few(t, y + (size_t)c * ldy, ldy, w, group0, group1, a, c, n, scratch);
        }
        return;
    }
    const enum kind kind = kind_of(t);
    const size_t nb = (size_t)w->n_cols / 32;
    struct prepared p = places(scratch, nb);
    const bool use_panel = n_tok >= panel_from(t);
    const int n_strips = (n_tok + STRIP - 1) / STRIP, in_strip = share(n_tok, STRIP), most = max_cols(kind, 2);
    const size_t n_steps = (size_t)n_strips * (size_t)((in_strip + most - 1) / most) * nb; /* blocks of all tiles of a pair */
    for (int g = group0; g < group1; g += 2) {
        const __mmask16 m0 = rows_mask(w, g, group1), m1 = rows_mask(w, g + 1, group1);
        /* A lone last group is its own neighbour: computed twice, written once. */
        const bool is_lone = g + 1 >= group1;
        const uint8_t *at = w->data + (size_t)g * w->group_bytes;
        struct source src = { .at = at, .second = is_lone ? 0 : w->group_bytes };
        if (use_panel) {
            expand(t, p.panel, at, nb);
            if (!is_lone)
                expand(t, p.panel + nb * PANEL_BYTES, at + w->group_bytes, nb);
            src = (struct source){ .at = p.panel, .second = is_lone ? 0 : nb * PANEL_BYTES };
        }
        src.soon = at + 2 * w->group_bytes;
        src.end = w->data + (size_t)(group1 - g > 4 ? g + 4 : group1) * w->group_bytes;
        src.n_lines = (int)((2 * w->group_bytes / 64 + n_steps - 1) / n_steps);
        for (int c = 0, n; c < n_tok; c += n) {
            n = share(n_tok - c, STRIP);
            float *out = y + (size_t)c * ldy + (size_t)g * 16;
            prepare(use_panel && kind == KIND_C ? PANEL + KIND_C : t, &p.in, a, c, n);
            if (!use_panel)
                strip(t, &src, &p.in, n, out, ldy, m0, m1);
            else if (kind == KIND_A)
                strip_A(&src, &p.in, n, out, ldy, m0, m1);
            else if (kind == KIND_B)
                strip_B(&src, &p.in, n, out, ldy, m0, m1);
            else if (kind == KIND_C)
                strip_C(&src, &p.in, n, out, ldy, m0, m1);
            else
                strip_D(&src, &p.in, n, out, ldy, m0, m1);
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
