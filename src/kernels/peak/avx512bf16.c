/* kernels/peak/avx512bf16.c - vdpbf16ps, zmm. */
#include <immintrin.h>

#include "hw/cpu.h"
#include "kernels/peak/peak.h"

enum { CHAINS = 16 };

static double bf16(long n_rounds, volatile int *sink)
{
    __m512 acc[CHAINS];
    const __m512 x = _mm512_set1_ps((float)*sink + 1e-3f);
    const __m512bh a = _mm512_cvtne2ps_pbh(x, x);
    for (int i = 0; i < CHAINS; i++)
        acc[i] = _mm512_set1_ps((float)i);
    for (long r = 0; r < n_rounds; r++)
#pragma GCC unroll 16
        for (int i = 0; i < CHAINS; i++)
            acc[i] = _mm512_dpbf16_ps(acc[i], a, a);
    __m512 s = acc[0];
    for (int i = 1; i < CHAINS; i++)
        s = _mm512_add_ps(s, acc[i]);
    *sink = _mm512_reduce_add_ps(s) > 0;
    return 64.0 * CHAINS * (double)n_rounds;
}

const struct peak_ops peak_avx512bf16 = { .isa = "avx512bf16", .need = CPU_AVX512 | CPU_AVX512BF16, .bf16 = bf16 };
