/* kernels/matmul/avx512.c - AVX-512 with VNNI: quantizing activations, and the list of functions. */
#include <immintrin.h>
#include <string.h>

#include "hw/cpu.h"
#include "kernels/matmul/avx512_internal.h"

/* The same integers as ref.c: magnitudes compared as bits, so that NaN wins and zeroes its block's codes. */
/* Lane i + half onto lane i, half = 8, 4, 2, 1: the order that ref.c adds in. */
static inline float add_halves(__m512 v)
{
    const __m256 a = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
    const __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1)), c = _mm_add_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_add_ss(c, _mm_movehdup_ps(c)));
}

static void quantize(struct acts *a, int tok0, int tok1)
{
    const size_t nb = (size_t)a->n_cols / 32, end = (size_t)tok1 * nb;
    const __m512i magnitude = _mm512_set1_epi32(0x7fffffff);
    for (size_t b = (size_t)tok0 * nb; b < end; b++) {
        const __m512 lo = _mm512_loadu_ps(a->x + b * 32), hi = _mm512_loadu_ps(a->x + b * 32 + 16);
        const uint32_t top = _mm512_reduce_max_epu32(_mm512_max_epu32(_mm512_and_si512(_mm512_castps_si512(lo), magnitude),
                                                                      _mm512_and_si512(_mm512_castps_si512(hi), magnitude)));
        const bool plain = top >= 0x0d800000 && top < 0x7f800000; /* 2^-100 up to what is finite */
        float most;
        memcpy(&most, &top, 4);
        const __m512 inv = _mm512_set1_ps(plain ? 127.0f / most : 0.0f);
        const __mmask16 m = plain ? 0xffff : 0;
        const __m512 yl = _mm512_maskz_mul_ps(m, lo, inv), yh = _mm512_maskz_mul_ps(m, hi, inv);
        const __m512i ql = _mm512_cvtps_epi32(yl), qh = _mm512_cvtps_epi32(yh);
        const __m256i q = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm512_cvtepi32_epi8(ql)), _mm512_cvtepi32_epi8(qh), 1);
        _mm256_storeu_si256((void *)(a->q + b * 32), q);
        const float yq = add_halves(_mm512_add_ps(_mm512_mul_ps(yl, _mm512_cvtepi32_ps(ql)), _mm512_mul_ps(yh, _mm512_cvtepi32_ps(qh))));
        /* sums of q and of q q, four lanes for each half; then one lane each */
        const __m256i size = _mm256_abs_epi8(q), none = _mm256_setzero_si256();
        const __m256i by_4 = _mm256_hadd_epi32(_mm256_dpbusd_epi32(none, _mm256_set1_epi8(1), q), _mm256_dpbusd_epi32(none, size, size));
        const __m256i sums = _mm256_hadd_epi32(by_4, by_4);
        const __m128i low = _mm256_castsi256_si128(sums), high = _mm256_extracti128_si256(sums, 1);
        const int qq = _mm_extract_epi32(low, 1) + _mm_extract_epi32(high, 1);
        const float step = plain || top > 0x0d800000 ? most / 127.0f : 0.0f;
        a->d[b] = plain ? step * (yq / (float)qq) : step;
        a->sum[b * 2] = (int16_t)_mm_cvtsi128_si32(low);
        a->sum[b * 2 + 1] = (int16_t)_mm_cvtsi128_si32(high);
    }
}

static size_t scratch_bytes(int n_cols)
{
    const size_t packed = matmul_avx512_packed_scratch_bytes(n_cols), rows = matmul_avx512_rows_scratch_bytes(n_cols);
    return packed > rows ? packed : rows;
}

const struct matmul_ops matmul_avx512 = {
    .isa = "avx512",
    .need = CPU_AVX512,
    .quantize = quantize,
    .scratch_bytes = scratch_bytes,
    .fn = {
#define X(name) [DTYPE_##name] = matmul_avx512_##name,
        MATMUL_AVX512_PACKED(X) X(F32) X(F16) X(BF16)
#undef X
#define X(name) [DTYPE_##name] = matmul_avx512_any_rows,
        MATMUL_AVX512_ANY_ROWS(X)
#undef X
    },
};
