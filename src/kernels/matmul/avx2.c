/* kernels/matmul/avx2.c - AVX2 with FMA and F16C: quantizing activations, and the list of functions; rows of floats are in lanes8_rows.inc. */
#include <immintrin.h>
#include <string.h>

#include "hw/cpu.h"
#include "kernels/matmul/avx2_internal.h"
#include "kernels/matmul/lanes8_rows.inc"

/* --- activations ----------------------------------------------------------------------------------------- */

INLINE int32_t max_of_8(__m256i v)
{
    __m128i m = _mm_max_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    m = _mm_max_epi32(m, _mm_shuffle_epi32(m, 0x4e));
    return _mm_cvtsi128_si32(_mm_max_epi32(m, _mm_shuffle_epi32(m, 0xb1)));
}

void matmul_avx2_quantize(struct acts *a, int tok0, int tok1)
{
    const size_t nb = (size_t)a->n_cols / 32, end = (size_t)tok1 * nb;
    const __m256i magnitude = _mm256_set1_epi32(0x7fffffff), in_order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    for (size_t b = (size_t)tok0 * nb; b < end; b++) {
        __m256 x[4];
        __m256i q[4], top = _mm256_setzero_si256();
        for (int i = 0; i < 4; i++) {
            x[i] = _mm256_loadu_ps(a->x + b * 32 + i * 8);
            top = _mm256_max_epi32(top, _mm256_and_si256(_mm256_castps_si256(x[i]), magnitude));
        }
        /* magnitudes as integers order like the numbers, with NaN above infinity: see ref.c */
        const int32_t bits = max_of_8(top);
        float most;
        memcpy(&most, &bits, 4);
        if (bits < 0x0d800000 || bits >= 0x7f800000) {
            a->d[b] = bits < 0x0d800000 ? 0.0f : most / 127.0f;
            _mm256_storeu_si256((void *)(a->q + b * 32), _mm256_setzero_si256());
            a->sum[b * 2] = a->sum[b * 2 + 1] = 0;
            continue;
        }
        const __m256 inv = _mm256_set1_ps(127.0f / most);
        __m256 yq[4];
        __m256i qq = _mm256_setzero_si256();
        for (int i = 0; i < 4; i++) {
            const __m256 y = _mm256_mul_ps(x[i], inv);
            q[i] = _mm256_cvtps_epi32(y);
            qq = _mm256_add_epi32(qq, _mm256_mullo_epi32(q[i], q[i]));
            yq[i] = _mm256_mul_ps(y, _mm256_cvtepi32_ps(q[i]));
        }
        /* lane i + half onto lane i, half = 16, 8, 4, 2, 1: the order that ref.c adds in */
        const __m256 y8 = _mm256_add_ps(_mm256_add_ps(yq[0], yq[2]), _mm256_add_ps(yq[1], yq[3]));
        const __m128 y4 = _mm_add_ps(_mm256_castps256_ps128(y8), _mm256_extractf128_ps(y8, 1)), y2 = _mm_add_ps(y4, _mm_movehl_ps(y4, y4));
        const float sum_yq = _mm_cvtss_f32(_mm_add_ss(y2, _mm_movehdup_ps(y2)));
        __m128i q4 = _mm_add_epi32(_mm256_castsi256_si128(qq), _mm256_extracti128_si256(qq, 1));
        q4 = _mm_add_epi32(q4, _mm_shuffle_epi32(q4, 0x4e));
        q4 = _mm_add_epi32(q4, _mm_shuffle_epi32(q4, 0xb1));
        const __m256i lo = _mm256_packs_epi32(q[0], q[1]), hi = _mm256_packs_epi32(q[2], q[3]); /* lanes: 0 1 | 0 1 */
        _mm256_storeu_si256((void *)(a->q + b * 32), _mm256_permutevar8x32_epi32(_mm256_packs_epi16(lo, hi), in_order));
        a->d[b] = most / 127.0f * (sum_yq / (float)_mm_cvtsi128_si32(q4));
        /* sums of the 16 in lo and the 16 in hi */
        const __m256i ones = _mm256_set1_epi16(1);
        __m256i s = _mm256_hadd_epi32(_mm256_madd_epi16(lo, ones), _mm256_madd_epi16(hi, ones)); /* lo lo hi hi | lo lo hi hi */
        s = _mm256_hadd_epi32(s, s);                                                             /* lo hi lo hi | lo hi lo hi */
        const __m128i both = _mm_add_epi32(_mm256_castsi256_si128(s), _mm256_extracti128_si256(s, 1));
        a->sum[b * 2] = (int16_t)_mm_extract_epi32(both, 0);
        a->sum[b * 2 + 1] = (int16_t)_mm_extract_epi32(both, 1);
    }
}

/* Float rows; or a panel of 16 blocks: 8 KB of codes, 4 KB of scales and offsets. */
size_t matmul_avx2_scratch_bytes(int n_cols)
{
    enum { PANEL = 16 * (512 + 2 * 2 * 64) };
    (void)n_cols;
    return (int)ROWS_SCRATCH > (int)PANEL ? ROWS_SCRATCH : PANEL;
}

const struct matmul_ops matmul_avx2 = {
    .isa = "avx2",
    .need = CPU_AVX2,
    .quantize = matmul_avx2_quantize,
    .scratch_bytes = matmul_avx2_scratch_bytes,
    .fn = {
#define X(name) [DTYPE_##name] = matmul_avx2_##name,
        MATMUL_PACKED_LIST(X)
#undef X
#define X(name) [DTYPE_##name] = rows,
        MATMUL_ROWS_LIST(X)
#undef X
    },
};
