/* kernels/matmul/amx_rows.c - BF16 weights as they lie in the file times activations rounded to bfloat16, in the tiles of AMX.
 *
 * Sixteen weight rows by 32 columns are a tile, loaded from the file's own bytes; sixteen tokens by the same 32 columns are
 * one too, turned in scratch to pairs of columns by tokens.  All of K is added in the tiles: two groups x two tiles of tokens.
 * What a tile adds for one row and token does not depend on the others, so one token goes the same way: decode needs
 * 1 KB of weights for each 16 cycles of the unit, more than memory gives.
 */
#include <immintrin.h>
#include <string.h>

#include "kernels/matmul/amx_internal.h"
#include "kernels/matmul/amx_tiles.h"

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")

enum { T = 16, STRIP = 2 * T, STEP = 32 }; /* tokens of a tile, tokens prepared at once, columns of a tile */

struct memory { /* scratch of one thread; turned: [n_cols / 32 rounded up][2] follows */
    alignas(64) float sum[16][T];
    uint16_t tail[2][16][STEP]; /* the columns behind the last 32 of two groups, zeros behind them */
};
typedef uint32_t turned[16][T]; /* pairs of columns by tokens */

/* v[i] lane j -> v[j] lane i, 32 bits each. */
INLINE void transpose(__m512i v[16])
{
    __m512i t[16], r[16];
    UNROLL
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_epi32(v[i], v[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(v[i], v[i + 1]);
    }
    UNROLL
    for (int i = 0; i < 16; i += 4) { /* r[i + j], 128-bit lane l: column 4 l + j of rows i .. i + 3 */
        r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
        r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
        r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
        r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    UNROLL
    for (int j = 0; j < 4; j++) {
        const __m512i a = _mm512_shuffle_i32x4(r[j], r[4 + j], 0x88), b = _mm512_shuffle_i32x4(r[8 + j], r[12 + j], 0x88);
        const __m512i c = _mm512_shuffle_i32x4(r[j], r[4 + j], 0xdd), d = _mm512_shuffle_i32x4(r[8 + j], r[12 + j], 0xdd);
        v[j] = _mm512_shuffle_i32x4(a, b, 0x88);
        v[4 + j] = _mm512_shuffle_i32x4(c, d, 0x88);
        v[8 + j] = _mm512_shuffle_i32x4(a, b, 0xdd);
        v[12 + j] = _mm512_shuffle_i32x4(c, d, 0xdd);
    }
}

INLINE __mmask16 first_lanes(int n) { return n >= 16 ? 0xffff : n > 0 ? (__mmask16)((1u << n) - 1) : 0; }

/* n_tok (1..T) rows of x, n columns each: every second of the tiles at `to`; zeros for what is missing. */
static void turn(turned *to, const float *x, int n, int n_tok)
{
    for (int k = 0; k < n; k += STEP, to += 2) {
        __m512i v[16];
        UNROLL
        for (int i = 0; i < 16; i++) {
            const float *row = x + (size_t)(i < n_tok ? i : 0) * (size_t)n + k;
            const int left = i < n_tok ? n - k : 0;
            const __m512bh h = _mm512_cvtne2ps_pbh(_mm512_maskz_loadu_ps(first_lanes(left - 16), row + 16), _mm512_maskz_loadu_ps(first_lanes(left), row));
            memcpy(&v[i], &h, sizeof(h));
        }
        transpose(v);
        UNROLL
        for (int i = 0; i < 16; i++)
            _mm512_store_si512((*to)[i], v[i]);
    }
}

/* Tiles: sums 0, 1 (first group by tokens 0.., 16..), 2, 3 (second group), weights 4, 5, tokens 6, 7. */
static void configure(int rows0, int rows1)
{
    struct tile_shapes s = { .palette = 1 };
    for (int i = 0; i < 8; i++) {
        s.rows[i] = (uint8_t)(i >= 6 ? 16 : i < 2 || i == 4 ? rows0 : rows1);
        s.colsb[i] = 64;
    }
    TILES_CONFIGURE(&s);
}

#define WRITE(tile, row0, rows, tok0, toks)                                            \
    do {                                                                               \
        TILE_STORE(tile, m->sum, 64);                                                  \
        write_sums(m, y + (size_t)(tok0) * ldy + (row0), ldy, first_lanes(rows), toks); \
    } while (0)
INLINE void write_sums(const struct memory *m, float *y, size_t ldy, __mmask16 rows, int n_tok)
{
    __m512i v[16];
    UNROLL
    for (int i = 0; i < 16; i++) /* rows that do not exist: old sums, not written */
        v[i] = _mm512_load_si512((const void *)m->sum[i]);
    transpose(v);
    UNROLL
    for (int i = 0; i < 16; i++)
        if (i < n_tok)
            _mm512_mask_storeu_epi32(y + (size_t)i * ldy, rows, v[i]);
}

/* Two groups, the second `apart` bytes behind the first, times up to T (WIDE: 2 T) tokens. */
#define STEP_OF(wide, p0, p1, stride, b)   \
    do {                                   \
        TILE_LOAD(4, p0, stride);          \
        TILE_LOAD(6, (b)[0], 64);          \
        TILE_DOT_BF16(0, 4, 6);            \
        TILE_LOAD(5, p1, stride);          \
        TILE_DOT_BF16(2, 5, 6);            \
        if (wide) {                        \
            TILE_LOAD(7, (b)[1], 64);      \
            TILE_DOT_BF16(1, 4, 7);        \
            TILE_DOT_BF16(3, 5, 7);        \
        }                                  \
    } while (0)
INLINE void pair(const bool wide, float *y, size_t ldy, const struct weight *w, int row0, int rows0, int rows1, bool is_lone, struct memory *m,
                 const turned *b, int n_tok)
{
    const int n = w->n_cols, whole = n / STEP * STEP;
    const uint8_t *p0 = w->data + (size_t)row0 * w->row_bytes, *p1 = is_lone ? p0 : p0 + 16 * w->row_bytes;
    TILE_ZERO(0);
    TILE_ZERO(1);
    TILE_ZERO(2);
    TILE_ZERO(3);
    for (int k = 0; k < whole; k += STEP, b += 2)
        STEP_OF(wide, p0 + (size_t)k * 2, p1 + (size_t)k * 2, w->row_bytes, b);
    if (whole < n) {
        memset(m->tail, 0, sizeof(m->tail));
        for (int i = 0; i < 16; i++) {
            if (i < rows0)
                memcpy(m->tail[0][i], p0 + (size_t)i * w->row_bytes + (size_t)whole * 2, (size_t)(n - whole) * 2);
            if (i < rows1)
                memcpy(m->tail[1][i], p1 + (size_t)i * w->row_bytes + (size_t)whole * 2, (size_t)(n - whole) * 2);
        }
        STEP_OF(wide, m->tail[0], m->tail[1], STEP * 2, b);
    }
    WRITE(0, row0, rows0, 0, n_tok);
    if (!is_lone)
        WRITE(2, row0 + 16, rows1, 0, n_tok);
    if (wide) {
        WRITE(1, row0, rows0, T, n_tok - T);
        if (!is_lone)
            WRITE(3, row0 + 16, rows1, T, n_tok - T);
    }
}

void matmul_amx_BF16(float *y, size_t ldy, const struct weight *w, int group0, int group1, const struct acts *a, int n_tok, void *scratch)
{
    const int n = w->n_cols, row1 = group1 * 16 < w->n_rows ? group1 * 16 : w->n_rows;
    struct memory *m = scratch;
    turned *b = (turned *)(void *)(m + 1);
    memset(m->sum, 0, sizeof(m->sum));
    for (int t = 0; t < n_tok; t += STRIP) {
        const int toks = n_tok - t < STRIP ? n_tok - t : STRIP;
        turn(b, a->x + (size_t)t * (size_t)n, n, toks < T ? toks : T);
        if (toks > T)
            turn(b + 1, a->x + (size_t)(t + T) * (size_t)n, n, toks - T);
        for (int r = group0 * 16, rows0 = 0, rows1 = 0; r < row1; r += 32) {
            const int left = row1 - r, n0 = left < 16 ? left : 16;
            const bool is_lone = left <= 16; /* its own neighbour: computed twice, written once */
            const int n1 = is_lone ? n0 : left < 32 ? left - 16 : 16;
            if (n0 != rows0 || n1 != rows1)
                configure(rows0 = n0, rows1 = n1);
            if (toks > T)
                pair(true, y + (size_t)t * ldy, ldy, w, r, n0, n1, is_lone, m, (const turned *)b, toks);
            else
                pair(false, y + (size_t)t * ldy, ldy, w, r, n0, n1, is_lone, m, (const turned *)b, toks);
        }
    }
    TILES_RELEASE();
}

size_t matmul_amx_rows_scratch_bytes(int n_cols) { return sizeof(struct memory) + ((size_t)n_cols + STEP - 1) / STEP * 2 * sizeof(turned); }
