/* kernels/matmul/amx.c - packed weights (WEIGHT_R16) times int8 activations in the tiles of AMX.
 *
 * Start reading at multiply().  A tile takes M tokens (rows, 32 codes of a block each) times a group's 16 rows (columns, the
 * eight quads of a block, as they lie in a packed group).  The scales change with each block of 32, so its sums leave the
 * tiles and go on in AVX-512: the floats of M tokens x 2 groups stay in registers over a stretch of 16 blocks, for which the
 * weights were expanded once to signed bytes and float scales (a panel that stays in L1).  The sums of the next block
 * are computed while this one's are scaled.
 *
 * Bit for bit what avx512_packed.c computes (tests/kernels hold us to it): integers are exact, and the float operations
 * are its own in its own order.  So few tokens may go there, and a token's result does not depend on the batch.
 *
 * Why not bfloat16, all of K in the tiles: docs/decisions/0022, with the cycles of both.
 */
#include <immintrin.h>

#include "hw/cpu.h"
#include "kernels/matmul/amx_internal.h"
#include "kernels/matmul/amx_tiles.h"
#include "kernels/matmul/avx512_internal.h"

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")

/* What the loop does after the products of a block, as in avx512_packed.c:
 *   A: y += dx * (scale * acc)                                        zero point: Q8_0 Q4_0 Q5_0 IQ4_NL IQ4_XS MXFP4
 *   B: y += dx * (scale * acc + off * sum)                            minimum: Q4_1 Q5_1 Q4_K Q5_K
 *   C: y += dx * (scale0 * acc0 + scale1 * acc1)                      scales of 16: Q6_K Q3_K
 *   D: y += dx * (scale0 * acc0 + scale1 * acc1 + off0 * sum0 + off1 * sum1)                          Q2_K */
enum kind { KIND_A, KIND_B, KIND_C, KIND_D };
enum {
    M = 12,       /* tokens of a full tile: 24 of 32 registers are their sums */
    STRETCH = 16, /* blocks of a panel */
    FROM = 16,    /* tokens from which on expanding the weights pays */
};

INLINE enum kind kind_of(enum dtype t)
{
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
INLINE int halves_of(enum kind k) { return k == KIND_C || k == KIND_D ? 2 : 1; }
INLINE bool has_off(enum kind k) { return k == KIND_B || k == KIND_D; }

/* ---- panels ---- */

struct panel { /* a stretch of blocks of one group */
    alignas(64) int8_t code[STRETCH][8][64];
    float scale[STRETCH][2][16], off[STRETCH][2][16];
};

struct memory { /* scratch of one thread */
    struct panel panel[2];
    alignas(64) int32_t acc[2][2][2][M][16]; /* [even and odd blocks][half][group][token][row] */
    float sum[M][2 * STRETCH];               /* of the tokens' codes: of 32 (B) or 16 (D) */
    float out[M][2][16];                     /* tokens of a tile that is not full */
};

INLINE __m512i shift(__m512i x, int left) /* bits wander between bytes: mask afterwards */
{
    return left > 0 ? _mm512_slli_epi16(x, (unsigned)left) : left < 0 ? _mm512_srli_epi16(x, (unsigned)-left) : x;
}
INLINE __m512i take(const uint8_t *p, int left, int mask) { return _mm512_and_si512(shift(_mm512_loadu_si512(p), left), _mm512_set1_epi8((char)mask)); }

/* Quad j of a block as 64 signed codes: what weight_read_block() says, less the zero point. */
INLINE __m512i read_quad(const enum dtype t, const struct unit *u, const uint8_t *at, const int j)
{
    __m512i c = _mm512_setzero_si512();
    if (u->byte >= 0)
        return _mm512_xor_si512(_mm512_loadu_si512(at + u->byte + j * 64), _mm512_set1_epi8((char)0x80));
    if (u->low >= 0)
        c = take(at + u->low + j % 4 * 64, j < 4 ? 0 : -4, 15);
    if (u->two[0] >= 0 && u->low >= 0)
        c = _mm512_or_si512(c, take(at + u->two[j / 4], 4 - j % 4 * 2, 48));
    else if (u->two[0] >= 0)
        c = take(at + u->two[j / 4], -(j % 4 * 2), 3);
    if (u->one >= 0 && u->low >= 0)
        c = _mm512_or_si512(c, take(at + u->one, 4 - j, 16));
    else if (u->one >= 0)
        c = _mm512_or_si512(c, take(at + u->one, 2 - j, 4));
    if (t == DTYPE_IQ4_NL || t == DTYPE_IQ4_XS || t == DTYPE_MXFP4) {
        const int8_t *book = t == DTYPE_MXFP4 ? matmul_book_mxfp4 : matmul_book_iq4nl;
        return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(_mm_loadu_si128((const void *)book)), c);
    }
    const int zero = t == DTYPE_Q4_0 ? 8 : t == DTYPE_Q5_0 ? 16 : t == DTYPE_Q3_K ? 4 : t == DTYPE_Q6_K ? 32 : 0;
    return zero ? _mm512_sub_epi8(c, _mm512_set1_epi8((char)zero)) : c;
}

INLINE __m512 read_f16(const uint8_t *p) { return _mm512_cvtph_ps(_mm256_loadu_si256((const void *)p)); }
INLINE __m512i read_u8(const uint8_t *p) { return _mm512_cvtepu8_epi32(_mm_loadu_si128((const void *)p)); }
INLINE __m512 read_s8(const uint8_t *p) { return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const void *)p))); }

/* 2^(e - 128), as half_e8m0() in pack.c. */
INLINE __m512 read_e8m0(const uint8_t *p)
{
    const __m512i e = read_u8(p), normal = _mm512_slli_epi32(_mm512_sub_epi32(e, _mm512_set1_epi32(1)), 23);
    const __m512i tiny = _mm512_sllv_epi32(_mm512_set1_epi32(0x00200000), e);
    return _mm512_castsi512_ps(_mm512_mask_blend_epi32(_mm512_cmplt_epi32_mask(e, _mm512_set1_epi32(2)), normal, tiny));
}

/* Products of a half and a byte: exact. */
INLINE __m512 read_scale(const enum dtype t, const struct unit *u, const struct block *b, const int h)
{
    const uint8_t *d = b->unit + u->d, *sc = b->at + u->sc + h * 16;
    switch (t) {
    case DTYPE_MXFP4: return read_e8m0(sc);
    case DTYPE_Q2_K: return _mm512_mul_ps(read_f16(d), _mm512_cvtepi32_ps(_mm512_and_si512(read_u8(sc), _mm512_set1_epi32(15))));
    case DTYPE_Q4_K:
    case DTYPE_Q5_K: return _mm512_mul_ps(read_f16(d), _mm512_cvtepi32_ps(read_u8(sc)));
    case DTYPE_Q3_K:
    case DTYPE_Q6_K:
    case DTYPE_IQ4_XS: return _mm512_mul_ps(read_f16(d), read_s8(sc));
    default: return read_f16(d);
    }
}
INLINE __m512 read_off(const enum dtype t, const struct unit *u, const struct block *b, const int h)
{
    const __m512 m = read_f16(b->unit + u->m);
    if (t == DTYPE_Q4_1 || t == DTYPE_Q5_1)
        return m;
    const __m512i mn = t == DTYPE_Q2_K ? _mm512_srli_epi32(read_u8(b->at + u->sc + h * 16), 4) : read_u8(b->at + u->mn);
    return _mm512_fnmadd_ps(m, _mm512_cvtepi32_ps(mn), _mm512_setzero_ps());
}

/* Blocks [b0, b0 + n) of a group. */
INLINE void expand(const enum dtype t, struct panel *to, const uint8_t *group, size_t b0, int n)
{
    const struct unit u = unit_of(t);
    for (int i = 0; i < n; i++) {
        const struct block b = block_at(&u, group, b0 + (size_t)i);
        UNROLL
        for (int j = 0; j < 8; j++)
            _mm512_store_si512((void *)to->code[i][j], read_quad(t, &u, b.at, j));
        for (int h = 0; h < halves_of(kind_of(t)); h++) {
            _mm512_store_ps(to->scale[i][h], read_scale(t, &u, &b, h));
            if (has_off(kind_of(t)))
                _mm512_store_ps(to->off[i][h], read_off(t, &u, &b, h));
        }
    }
}

/* ---- the loop ---- */

struct columns { /* some tokens from block b0 on; the arrays of token c begin c * (their n) further */
    const int8_t *q;    /* [c][nb * 32] */
    const float *d;     /* [c][nb] */
    const int16_t *sum; /* [c][2 nb] */
    size_t nb;          /* of the whole row */
};

/* Tiles: sums 0, 1 of the two groups (2, 3: of odd blocks, or of second halves), tokens 4, 5, weights 6, 7. */
static void configure(enum kind kind, int n_tok)
{
    struct tile_shapes s = { .palette = 1 };
    const int k = 32 / halves_of(kind);
    for (int i = 0; i < 4; i++)
        s.rows[i] = (uint8_t)n_tok, s.colsb[i] = 64;
    for (int i = 4; i < 6; i++)
        s.rows[i] = (uint8_t)n_tok, s.colsb[i] = (uint16_t)k;
    for (int i = 6; i < 8; i++)
        s.rows[i] = (uint8_t)(k / 4), s.colsb[i] = 64;
    TILES_CONFIGURE(&s);
}

/* acc[half][group] = codes of a block times those of the tokens. */
#define PRODUCTS(sum0, sum1, tokens, h, j0)                   \
    do {                                                      \
        TILE_LOAD(tokens, q + (j0) * 4, ldq);                 \
        TILE_LOAD(6, w0[j0], 64);                             \
        TILE_LOAD(7, w1[j0], 64);                             \
        TILE_ZERO(sum0);                                      \
        TILE_DOT_S8(sum0, tokens, 6);                         \
        TILE_ZERO(sum1);                                      \
        TILE_DOT_S8(sum1, tokens, 7);                         \
        TILE_STORE(sum0, acc[h][0], 64);                      \
        TILE_STORE(sum1, acc[h][1], 64);                      \
    } while (0)
INLINE void products(const enum kind kind, int32_t acc[2][2][M][16], const int8_t (*w0)[64], const int8_t (*w1)[64], const int8_t *q, size_t ldq,
                     int block)
{
    if (halves_of(kind) == 2) {
        PRODUCTS(0, 1, 4, 0, 0);
        PRODUCTS(2, 3, 5, 1, 4);
    } else if (block % 2 == 0)
        PRODUCTS(0, 1, 4, 0, 0);
    else
        PRODUCTS(2, 3, 5, 0, 0);
}

/* out[c] += a block's sums, scaled: the operations of avx512_packed.c's tile() in their order. */
INLINE void add_block(const enum kind kind, int n_tok, __m512 (*out)[2], int32_t (*acc)[2][M][16], const struct panel *const p[2], int i, const float *d,
                      size_t nb, const float (*sum)[2 * STRETCH])
{
    const int n_halves = halves_of(kind), n_offs = has_off(kind) ? n_halves : 0;
    UNROLL
    for (int c = 0; c < n_tok; c++) {
        const __m512 dx = _mm512_set1_ps(d[(size_t)c * nb]);
        UNROLL
        for (int g = 0; g < 2; g++) {
            __m512 part = _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_load_si512((const void *)acc[0][g][c])), _mm512_load_ps(p[g]->scale[i][0]));
            if (n_halves == 2)
                part = _mm512_fmadd_ps(_mm512_cvtepi32_ps(_mm512_load_si512((const void *)acc[1][g][c])), _mm512_load_ps(p[g]->scale[i][1]), part);
            UNROLL
            for (int h = 0; h < n_offs; h++)
                part = _mm512_fmadd_ps(_mm512_load_ps(p[g]->off[i][h]), _mm512_set1_ps(sum[c][i * n_halves + h]), part);
            out[c][g] = _mm512_fmadd_ps(part, dx, out[c][g]);
        }
    }
}

/* Sums of the codes of n blocks as floats. */
INLINE void read_sums(const enum kind kind, float (*sum)[2 * STRETCH], const struct columns *in, int n_tok, int n)
{
    for (int c = 0; c < n_tok && has_off(kind); c++) {
        const int16_t *s = in->sum + (size_t)c * in->nb * 2;
        const __m512i pairs = _mm512_maskz_loadu_epi32((__mmask16)((1u << n) - 1), s);
        if (kind == KIND_B)
            _mm512_storeu_ps(sum[c], _mm512_cvtepi32_ps(_mm512_madd_epi16(pairs, _mm512_set1_epi16(1))));
        if (kind == KIND_D) {
            _mm512_storeu_ps(sum[c], _mm512_cvtepi32_ps(_mm512_cvtepi16_epi32(_mm512_castsi512_si256(pairs))));
            _mm512_storeu_ps(sum[c] + 16, _mm512_cvtepi32_ps(_mm512_cvtepi16_epi32(_mm512_extracti64x4_epi64(pairs, 1))));
        }
    }
}

/* n blocks of the panels for n_tok tokens; out is registers when n_tok is a constant. */
INLINE void tile(const enum kind kind, int n_tok, __m512 (*out)[2], struct memory *m, const struct panel *const p[2], const struct columns *in, int n)
{
    const size_t ldq = in->nb * 32;
    read_sums(kind, m->sum, in, n_tok, n);
    products(kind, m->acc[0], p[0]->code[0], p[1]->code[0], in->q, ldq, 0);
    for (int i = 0; i < n; i++) {
        if (i + 1 < n)
            products(kind, m->acc[(i + 1) % 2], p[0]->code[i + 1], p[1]->code[i + 1], in->q + (size_t)(i + 1) * 32, ldq, i + 1);
        add_block(kind, n_tok, out, m->acc[i % 2], p, i, in->d + i, in->nb, (const float (*)[2 * STRETCH])m->sum);
    }
}

INLINE __m512 get_rows(const float *y, __mmask16 m) { return _mm512_maskz_loadu_ps(m, y); }

/* A stretch for M tokens, or fewer; the sums of earlier stretches lie in y; first, second: which rows of the groups exist. */
INLINE void full_tile(const enum kind kind, float *y, size_t ldy, __mmask16 first, __mmask16 second, bool is_start, struct memory *m,
                      const struct panel *const p[2], const struct columns *in, int n)
{
    __m512 out[M][2];
    UNROLL
    for (int c = 0; c < M; c++) {
        out[c][0] = is_start ? _mm512_setzero_ps() : get_rows(y + (size_t)c * ldy, first);
        out[c][1] = is_start ? _mm512_setzero_ps() : get_rows(y + (size_t)c * ldy + 16, second);
    }
    tile(kind, M, out, m, p, in, n);
    UNROLL
    for (int c = 0; c < M; c++) {
        _mm512_mask_storeu_ps(y + (size_t)c * ldy, first, out[c][0]);
        _mm512_mask_storeu_ps(y + (size_t)c * ldy + 16, second, out[c][1]);
    }
}
INLINE void part_tile(const enum kind kind, int n_tok, float *y, size_t ldy, __mmask16 first, __mmask16 second, bool is_start, struct memory *m,
                      const struct panel *const p[2], const struct columns *in, int n)
{
    __m512 (*out)[2] = (__m512 (*)[2])(void *)m->out;
    for (int c = 0; c < n_tok; c++) {
        out[c][0] = is_start ? _mm512_setzero_ps() : get_rows(y + (size_t)c * ldy, first);
        out[c][1] = is_start ? _mm512_setzero_ps() : get_rows(y + (size_t)c * ldy + 16, second);
    }
    tile(kind, n_tok, out, m, p, in, n);
    for (int c = 0; c < n_tok; c++) {
        _mm512_mask_storeu_ps(y + (size_t)c * ldy, first, out[c][0]);
        _mm512_mask_storeu_ps(y + (size_t)c * ldy + 16, second, out[c][1]);
    }
}

INLINE void stretch(const enum kind kind, float *y, size_t ldy, __mmask16 first, __mmask16 second, struct memory *m, bool is_lone, const struct acts *a,
                    int n_tok, size_t b0, int n)
{
    const size_t nb = (size_t)a->n_cols / 32;
    const struct panel *const p[2] = { &m->panel[0], &m->panel[is_lone ? 0 : 1] };
    int c = 0;
    for (int full = n_tok / M * M; c < n_tok; c += M) {
        const size_t tb = (size_t)c * nb + b0;
        const struct columns in = { a->q + tb * 32, a->d + tb, a->sum + tb * 2, nb };
        float *out = y + (size_t)c * ldy;
        if (c == 0 || c == full)
            configure(kind, c < full ? M : n_tok - c);
        if (c < full)
            full_tile(kind, out, ldy, first, second, b0 == 0, m, p, &in, n);
        else
            part_tile(kind, n_tok - c, out, ldy, first, second, b0 == 0, m, p, &in, n);
    }
}

/* One function for each kind, shared by its types. */
#define STRETCH_OF(KIND, name)                                                                                                             \
    static __attribute__((noinline)) void name(float *y, size_t ldy, __mmask16 first, __mmask16 second, struct memory *m, bool is_lone, \
                                               const struct acts *a, int n_tok, size_t b0, int n)                                          \
    {                                                                                                                                      \
        stretch(KIND, y, ldy, first, second, m, is_lone, a, n_tok, b0, n);                                                                 \
    }
STRETCH_OF(KIND_A, stretch_a)
STRETCH_OF(KIND_B, stretch_b)
STRETCH_OF(KIND_C, stretch_c)
STRETCH_OF(KIND_D, stretch_d)

static __mmask16 rows_mask(const struct weight *w, int group, int group1)
{
    const int n = group < group1 ? w->n_rows - group * 16 : 0;
    return n >= 16 ? 0xffff : n > 0 ? (__mmask16)((1u << n) - 1) : 0;
}

INLINE void multiply(const enum dtype t, matmul_fn *few, float *y, size_t ldy, const struct weight *w, int group0, int group1, const struct acts *a,
                     int n_tok, void *scratch)
{
    const enum kind kind = kind_of(t);
    const size_t nb = (size_t)w->n_cols / 32;
    struct memory *m = scratch;
    if (n_tok < FROM) {
        few(y, ldy, w, group0, group1, a, n_tok, scratch);
        return;
    }
    for (int g = group0; g < group1; g += 2) {
        const uint8_t *at = w->data + (size_t)g * w->group_bytes;
        const bool is_lone = g + 1 >= group1; /* its own neighbour: computed twice, written once */
        for (size_t b0 = 0; b0 < nb; b0 += STRETCH) {
            const int n = nb - b0 < STRETCH ? (int)(nb - b0) : STRETCH;
            expand(t, &m->panel[0], at, b0, n);
            if (!is_lone)
                expand(t, &m->panel[1], at + w->group_bytes, b0, n);
            (kind == KIND_A   ? stretch_a
             : kind == KIND_B ? stretch_b
             : kind == KIND_C ? stretch_c
                              : stretch_d)(y + (size_t)g * 16, ldy, rows_mask(w, g, group1), rows_mask(w, g + 1, group1), m, is_lone, a, n_tok, b0, n);
        }
    }
    TILES_RELEASE();
}

#define X(name)                                                                                                                                \
    static void multiply_##name(float *y, size_t ldy, const struct weight *w, int group0, int group1, const struct acts *a, int n_tok, void *scratch) \
    {                                                                                                                                          \
        multiply(DTYPE_##name, matmul_avx512_##name, y, ldy, w, group0, group1, a, n_tok, scratch);                                            \
    }
MATMUL_PACKED_LIST(X)
#undef X

static size_t scratch_bytes(int n_cols)
{
    const size_t few = matmul_avx512_packed_scratch_bytes(n_cols), rows = matmul_amx_rows_scratch_bytes(n_cols);
    const size_t own = few > sizeof(struct memory) ? few : sizeof(struct memory);
    return own > rows ? own : rows;
}

const struct matmul_ops matmul_amx = {
    .isa = "amx",
    .need = CPU_AMX | CPU_AVX512 | CPU_AVX512BF16,
    .scratch_bytes = scratch_bytes,
    .fn = {
#define X(name) [DTYPE_##name] = multiply_##name,
        MATMUL_PACKED_LIST(X)
#undef X
        [DTYPE_BF16] = matmul_amx_BF16,
    },
};
