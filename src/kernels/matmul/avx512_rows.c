/* kernels/matmul/avx512_rows.c - weights as they lie in the file (WEIGHT_ROWS) times float activations.
 *
 * A dot product runs in sixteen lanes, lane i adding the products k = i, i + 16, ..., and the lanes are added
 * in one fixed tree: the same for any tile, so the batch does not matter.  tile() holds 4 rows x up to 6 tokens in
 * registers.  F32, F16 and BF16 are converted as they are loaded; any other type is dequantized to floats
 * once, four rows at a time, and then used for the whole batch.
 */
#include <immintrin.h>
#include <string.h>

#include "kernels/matmul/avx512_internal.h"

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 8")

enum { ROWS = 4, COLS = 6, STRIP = 48 }; /* a strip of tokens stays in L2 while all rows pass */

INLINE __m512 read16(const int type, const uint8_t *row, size_t k, __mmask16 m)
{
    if (type == DTYPE_F32)
        return _mm512_maskz_loadu_ps(m, row + k * 4);
    const __m256i h = _mm256_maskz_loadu_epi16(m, row + k * 2);
    if (type == DTYPE_F16)
        return _mm512_cvtph_ps(h);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(h), 16));
}

/* y[c * ldy + r] for n_rows (1..4) rows and C tokens; a missing row is a copy of the first and not written. */
INLINE void tile(const int type, const int C, const uint8_t *const row[ROWS], int n_rows, const float *x, size_t n, float *y, size_t ldy)
{
    __m512 s[ROWS][COLS];
    size_t k = 0;
    UNROLL
    for (int r = 0; r < ROWS; r++)
        UNROLL
        for (int c = 0; c < C; c++)
            s[r][c] = _mm512_setzero_ps();
    for (; k < n; k += 16) {
        const __mmask16 m = n - k >= 16 ? (__mmask16)0xffff : (__mmask16)((1u << (n - k)) - 1);
        __m512 w[ROWS];
        UNROLL
        for (int r = 0; r < ROWS; r++)
            w[r] = read16(type, row[r], k, m);
        UNROLL
        for (int c = 0; c < C; c++) {
            const __m512 v = _mm512_maskz_loadu_ps(m, x + (size_t)c * n + k);
            UNROLL
            for (int r = 0; r < ROWS; r++)
                s[r][c] = _mm512_fmadd_ps(w[r], v, s[r][c]);
        }
    }
    UNROLL
    for (int r = 0; r < ROWS; r++)
        UNROLL
        for (int c = 0; c < C; c++)
            if (r < n_rows)
                y[(size_t)c * ldy + (size_t)r] = _mm512_reduce_add_ps(s[r][c]);
}

INLINE void tiles(const int type, const uint8_t *const row[ROWS], int n_rows, const float *x, size_t n, int n_tok, float *y, size_t ldy)
{
    for (; n_tok > 0; n_tok -= COLS, x += COLS * n, y += COLS * ldy)
        switch (n_tok) {
        case 1: tile(type, 1, row, n_rows, x, n, y, ldy); break;
        case 2: tile(type, 2, row, n_rows, x, n, y, ldy); break;
        case 3: tile(type, 3, row, n_rows, x, n, y, ldy); break;
        case 4: tile(type, 4, row, n_rows, x, n, y, ldy); break;
        case 5: tile(type, 5, row, n_rows, x, n, y, ldy); break;
        default: tile(type, COLS, row, n_rows, x, n, y, ldy); break;
        }
}

static int take_rows(const uint8_t *row[ROWS], const struct weight *w, int r, int row1)
{
    const int n = row1 - r < ROWS ? row1 - r : ROWS;
    for (int i = 0; i < ROWS; i++)
        row[i] = w->data + (size_t)(r + (i < n ? i : 0)) * w->row_bytes;
    return n;
}

INLINE void multiply(const int type, float *y, size_t ldy, const struct weight *w, int group0, int group1, const struct acts *a, int n_tok)
{
    const size_t n = (size_t)w->n_cols;
    const int row1 = group1 * 16 < w->n_rows ? group1 * 16 : w->n_rows;
    for (int t = 0; t < n_tok; t += STRIP)
        for (int r = group0 * 16; r < row1; r += ROWS) {
            const uint8_t *row[ROWS];
            const int n_rows = take_rows(row, w, r, row1);
            tiles(type, row, n_rows, a->x + (size_t)t * n, n, n_tok - t < STRIP ? n_tok - t : STRIP, y + (size_t)t * ldy + r, ldy);
        }
}

void matmul_avx512_F32(float *y, size_t ldy, const struct weight *w, int group0, int group1, const struct acts *a, int n_tok, void *scratch)
{
    (void)scratch;
    multiply(DTYPE_F32, y, ldy, w, group0, group1, a, n_tok);
}

void matmul_avx512_F16(float *y, size_t ldy, const struct weight *w, int group0, int group1, const struct acts *a, int n_tok, void *scratch)
{
    (void)scratch;
    multiply(DTYPE_F16, y, ldy, w, group0, group1, a, n_tok);
}

void matmul_avx512_BF16(float *y, size_t ldy, const struct weight *w, int group0, int group1, const struct acts *a, int n_tok, void *scratch)
{
    (void)scratch;
    multiply(DTYPE_BF16, y, ldy, w, group0, group1, a, n_tok);
}

void matmul_avx512_any_rows(float *y, size_t ldy, const struct weight *w, int group0, int group1, const struct acts *a, int n_tok,
                            void *scratch)
{
    const size_t n = (size_t)w->n_cols;
    const int row1 = group1 * 16 < w->n_rows ? group1 * 16 : w->n_rows;
    for (int r = group0 * 16; r < row1; r += ROWS) {
        const uint8_t *row[ROWS], *floats[ROWS];
        const int n_rows = take_rows(row, w, r, row1);
        for (int i = 0; i < ROWS; i++) {
            float *to = (float *)scratch + (size_t)(i < n_rows ? i : 0) * n;
            floats[i] = (const uint8_t *)to;
            if (i < n_rows && !dtype_to_f32(to, w->type, row[i], n))
                memset(to, 0, n * sizeof(float));
        }
        tiles(DTYPE_F32, floats, n_rows, a->x, n, n_tok, y + r, ldy);
    }
}

size_t matmul_avx512_rows_scratch_bytes(int n_cols) { return (size_t)n_cols * ROWS * sizeof(float); }
