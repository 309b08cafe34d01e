/* dtype/fit.h - scale searches of the quantizers: which scale loses least of these numbers.
 *
 * For:     the encoders of dtype/.
 * Touches: nothing.
 * Rule:    the error is the plain sum of squares (no importance data).  Inputs are clean: fit_clean() has
 *          replaced what no block can hold.
 */
#ifndef TUTTI_DTYPE_FIT_H
#define TUTTI_DTYPE_FIT_H
#include <stdint.h>

/* Nearest integer, ties to even; |x| below 2^22.  (Without SSE4.1 rintf is a call.) */
static inline float fit_round(float x) { return (x + 0x1.8p23f) - 0x1.8p23f; }
static inline int fit_code(float x, int lo, int hi)
{
    x = x < (float)lo ? (float)lo : x;
    return (int)fit_round(x > (float)hi ? (float)hi : x);
}

/* Copies n numbers; NaN becomes 0, and what is larger than limit becomes limit with its sign. */
void fit_clean(float *out, const float *x, int n, float limit);
/* d is rounded to F16 by the caller's block: the nearest half, within its finite range. */
uint16_t fit_f16(float d);

/* The scale d (any sign) for x ~ d * q with q in [lo, hi]; lo < 0, and d * lo reaches the larger side. */
float fit_symmetric(const float *x, int n, int lo, int hi);
/* Scale d >= 0 and offset for x ~ d * q + offset with q in [0, hi]; K-quants can only store offsets <= 0. */
void fit_affine(const float *x, int n, int hi, int offset_max_zero, float *d, float *offset);
/* The scale for x ~ d * values[q], values ascending. */
float fit_values16(const float *x, int n, const int8_t values[16]);
/* Index of the nearest of 16 ascending values. */
int fit_nearest16(float x, const int8_t values[16]);
#endif
