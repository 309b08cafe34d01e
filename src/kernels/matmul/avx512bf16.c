/* kernels/matmul/avx512bf16.c - BF16 weights times activations rounded to bfloat16, with vdpbf16ps.
 *
 * The weights have 8 bits of precision and so have the activations then; pairs of products are added in f32 lanes:
 * twice the multiply-adds of f32.  Otherwise as avx512_rows.c: 4 rows x up to 6 tokens, a fixed order of adding.
 */
#include <immintrin.h>
#include <string.h>

#include "hw/cpu.h"
#include "kernels/matmul/matmul.h"

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 8")

enum { ROWS = 4, COLS = 6, STRIP = 48 };

INLINE __m512bh read32(const uint16_t *p, __mmask32 m)
{
    const __m512i v = _mm512_maskz_loadu_epi16(m, p);
    __m512bh h;
    memcpy(&h, &v, sizeof(h));
    return h;
}

INLINE void tile(const int C, const uint16_t *const row[ROWS], int n_rows, const uint16_t *x, size_t n, float *y, size_t ldy)
{
    __m512 s[ROWS][COLS];
    UNROLL
    for (int r = 0; r < ROWS; r++)
        UNROLL
        for (int c = 0; c < C; c++)
            s[r][c] = _mm512_setzero_ps();
    for (size_t k = 0; k < n; k += 32) {
        const __mmask32 m = n - k >= 32 ? 0xffffffffu : (1u << (n - k)) - 1;
        __m512bh w[ROWS];
        UNROLL
        for (int r = 0; r < ROWS; r++)
            w[r] = read32(row[r] + k, m);
        UNROLL
        for (int c = 0; c < C; c++) {
            const __m512bh v = read32(x + (size_t)c * n + k, m);
            UNROLL
            for (int r = 0; r < ROWS; r++)
                s[r][c] = _mm512_dpbf16_ps(s[r][c], w[r], v);
        }
    }
    UNROLL
    for (int r = 0; r < ROWS; r++)
        UNROLL
        for (int c = 0; c < C; c++)
            if (r < n_rows)
                y[(size_t)c * ldy + (size_t)r] = _mm512_reduce_add_ps(s[r][c]);
}

static void round_to_bf16(uint16_t *out, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i += 16) {
        const __mmask16 m = n - i >= 16 ? (__mmask16)0xffff : (__mmask16)((1u << (n - i)) - 1);
        const __m256bh h = _mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(m, x + i));
        __m256i v;
        memcpy(&v, &h, sizeof(v));
        _mm256_mask_storeu_epi16(out + i, m, v);
    }
}

static void multiply(float *y, size_t ldy, const struct weight *w, int group0, int group1, const struct acts *a, int n_tok, void *scratch)
{
    const size_t n = (size_t)w->n_cols;
    const int row1 = group1 * 16 < w->n_rows ? group1 * 16 : w->n_rows;
    for (int t0 = 0; t0 < n_tok; t0 += STRIP) {
        const int t1 = n_tok - t0 < STRIP ? n_tok : t0 + STRIP;
        round_to_bf16(scratch, a->x + (size_t)t0 * n, (size_t)(t1 - t0) * n);
        for (int r = group0 * 16; r < row1; r += ROWS) {
            const uint16_t *row[ROWS];
            const int n_rows = row1 - r < ROWS ? row1 - r : ROWS;
            for (int i = 0; i < ROWS; i++)
                row[i] = (const uint16_t *)(const void *)(w->data + (size_t)(r + (i < n_rows ? i : 0)) * w->row_bytes);
            for (int t = t0; t < t1; t += COLS) {
                const uint16_t *x = (const uint16_t *)scratch + (size_t)(t - t0) * n;
                float *out = y + (size_t)t * ldy + r;
                switch (t1 - t) {
                case 1: tile(1, row, n_rows, x, n, out, ldy); break;
                case 2: tile(2, row, n_rows, x, n, out, ldy); break;
                case 3: tile(3, row, n_rows, x, n, out, ldy); break;
                case 4: tile(4, row, n_rows, x, n, out, ldy); break;
                case 5: tile(5, row, n_rows, x, n, out, ldy); break;
                default: tile(COLS, row, n_rows, x, n, out, ldy); break;
                }
            }
        }
    }
}

static size_t scratch_bytes(int n_cols) { return (size_t)STRIP * (size_t)n_cols * sizeof(uint16_t); }

const struct matmul_ops matmul_avx512bf16 = {
    .isa = "avx512bf16",
    .need = CPU_AVX512 | CPU_AVX512BF16,
    .scratch_bytes = scratch_bytes,
    .fn = { [DTYPE_BF16] = multiply },
};
