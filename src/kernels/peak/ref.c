/* kernels/peak/ref.c - plain C, as the compiler vectorises it. */
#include "kernels/peak/peak.h"

enum { LANES = 64 };

static double int8(long n_rounds, volatile int *sink)
{
    uint32_t acc[LANES] = { 0 }; /* sums wrap */
    int8_t a[LANES], b[LANES];
    for (int i = 0; i < LANES; i++)
        a[i] = (int8_t)(i + *sink), b[i] = (int8_t)(3 * i);
    for (long r = 0; r < n_rounds; r++)
        for (int i = 0; i < LANES; i++)
            acc[i] += (uint32_t)a[i] * ((uint32_t)b[i] + (uint32_t)r);
    for (int i = 0; i < LANES; i++)
        *sink = (int)acc[i];
    return 2.0 * LANES * (double)n_rounds;
}

static double f32(long n_rounds, volatile int *sink)
{
    float acc[LANES] = { 0 };
    const float x = (float)*sink + 1e-3f;
    for (long r = 0; r < n_rounds; r++)
        for (int i = 0; i < LANES; i++)
            acc[i] = acc[i] * x + x;
    for (int i = 0; i < LANES; i++)
        *sink = acc[i] > 0;
    return 2.0 * LANES * (double)n_rounds;
}

const struct peak_ops peak_ref = { .isa = "ref", .need = 0, .int8 = int8, .f32 = f32 };
