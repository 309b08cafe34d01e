/* kernels/peak/dotprod.c - sdot on q registers. */
#include <arm_neon.h>

#include "hw/cpu.h"
#include "kernels/peak/peak.h"

enum { CHAINS = 16 };

static double int8(long n_rounds, volatile int *sink)
{
    int32x4_t acc[CHAINS];
    const int8x16_t a = vdupq_n_s8((int8_t)(*sink + 1));
    for (int i = 0; i < CHAINS; i++)
        acc[i] = vdupq_n_s32(i);
    for (long r = 0; r < n_rounds; r++)
#pragma GCC unroll 16
        for (int i = 0; i < CHAINS; i++)
            acc[i] = vdotq_s32(acc[i], a, a);
    int s = 0;
    for (int i = 0; i < CHAINS; i++)
        s += vaddvq_s32(acc[i]);
    *sink = s;
    return 32.0 * CHAINS * (double)n_rounds;
}

const struct peak_ops peak_dotprod = { .isa = "dotprod", .need = CPU_DOTPROD, .int8 = int8 };
