/* kernels/peak/avx512.c - vpdpbusd and FMA, zmm. */
#include <immintrin.h>

#include "hw/cpu.h"
#include "kernels/peak/peak.h"

enum { CHAINS = 16 };

static double int8(long n_rounds, volatile int *sink)
{
    __m512i acc[CHAINS], a = _mm512_set1_epi8((char)(*sink + 1));
    for (int i = 0; i < CHAINS; i++)
        acc[i] = _mm512_set1_epi32(i);
    for (long r = 0; r < n_rounds; r++)
#pragma GCC unroll 16
        for (int i = 0; i < CHAINS; i++)
            acc[i] = _mm512_dpbusd_epi32(acc[i], a, a);
    __m512i s = acc[0];
    for (int i = 1; i < CHAINS; i++)
        s = _mm512_add_epi32(s, acc[i]);
    *sink = _mm512_reduce_add_epi32(s);
    return 128.0 * CHAINS * (double)n_rounds;
}

static double f32(long n_rounds, volatile int *sink)
{
    __m512 acc[CHAINS], x = _mm512_set1_ps((float)*sink + 1e-3f);
    for (int i = 0; i < CHAINS; i++)
        acc[i] = _mm512_set1_ps((float)i);
    for (long r = 0; r < n_rounds; r++)
#pragma GCC unroll 16
        for (int i = 0; i < CHAINS; i++)
            acc[i] = _mm512_fmadd_ps(acc[i], x, x);
    __m512 s = acc[0];
    for (int i = 1; i < CHAINS; i++)
        s = _mm512_add_ps(s, acc[i]);
    *sink = _mm512_reduce_add_ps(s) > 0;
    return 32.0 * CHAINS * (double)n_rounds;
}

const struct peak_ops peak_avx512 = { .isa = "avx512", .need = CPU_AVX512, .int8 = int8, .f32 = f32 };
