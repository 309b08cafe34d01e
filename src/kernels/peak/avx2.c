/* kernels/peak/avx2.c - vpmaddubsw chains and FMA, ymm. */
#include <immintrin.h>

#include "hw/cpu.h"
#include "kernels/peak/peak.h"

enum { CHAINS = 12 };

static double int8(long n_rounds, volatile int *sink)
{
    __m256i acc[CHAINS], a = _mm256_set1_epi8((char)(*sink + 1)), ones = _mm256_set1_epi16(1);
    for (int i = 0; i < CHAINS; i++)
        acc[i] = _mm256_set1_epi32(i);
    for (long r = 0; r < n_rounds; r++) /* eight products are added in 16 bits before they are widened, as the kernels do */
#pragma GCC unroll 12
        for (int i = 0; i < CHAINS; i++) {
            const __m256i p = _mm256_maddubs_epi16(a, acc[i]);
            acc[i] = r % 8 == 7 ? _mm256_add_epi32(acc[i], _mm256_madd_epi16(p, ones)) : _mm256_add_epi16(acc[i], p);
        }
    __m256i s = acc[0];
    for (int i = 1; i < CHAINS; i++)
        s = _mm256_add_epi32(s, acc[i]);
    *sink = _mm256_extract_epi32(s, 0);
    return 64.0 * CHAINS * (double)n_rounds;
}

static double f32(long n_rounds, volatile int *sink)
{
    __m256 acc[CHAINS], x = _mm256_set1_ps((float)*sink + 1e-3f);
    for (int i = 0; i < CHAINS; i++)
        acc[i] = _mm256_set1_ps((float)i);
    for (long r = 0; r < n_rounds; r++)
#pragma GCC unroll 12
        for (int i = 0; i < CHAINS; i++)
            acc[i] = _mm256_fmadd_ps(acc[i], x, x);
    __m256 s = acc[0];
    for (int i = 1; i < CHAINS; i++)
        s = _mm256_add_ps(s, acc[i]);
    *sink = _mm256_cvtss_f32(s) > 0;
    return 16.0 * CHAINS * (double)n_rounds;
}

const struct peak_ops peak_avx2 = { .isa = "avx2", .need = CPU_AVX2, .int8 = int8, .f32 = f32 };
