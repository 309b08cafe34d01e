/* dtype/fit.c - for a handful of inverse scales: round, solve the least-squares scale for those codes,
 * keep the codes that leave the smallest error.  With sxq = sum x q and sqq = sum q q that scale is
 * sxq / sqq and removes sxq^2 / sqq from the error. */
#include "dtype/fit.h"

#include "dtype/dtype.h"

#define N_TRIES 7 /* inverse scales tried; for the symmetric search 7 with each sign */

void fit_clean(float *out, const float *x, int n, float limit)
{
    for (int i = 0; i < n; i++) {
        const float v = x[i] == x[i] ? x[i] : 0.0f;
        out[i] = v > limit ? limit : v < -limit ? -limit : v;
    }
}

uint16_t fit_f16(float d) { return dtype_f32_to_f16(d > 65504.0f ? 65504.0f : d < -65504.0f ? -65504.0f : d); }

static float largest(const float *x, int n)
{
    float v = 0.0f;
    for (int i = 0; i < n; i++)
        if ((x[i] < 0 ? -x[i] : x[i]) > (v < 0 ? -v : v))
            v = x[i];
    return v;
}

float fit_symmetric(const float *x, int n, int lo, int hi)
{
    const float top = largest(x, n);
    float best = 0.0f, best_gain = 0.0f;
    for (int i = 0; i < 2 * N_TRIES; i++) {
        /* even tries put the largest at lo, odd ones at hi; from half a code more to one less */
        const float end = (float)(i % 2 ? hi : lo);
        const float code = end * (1.0f + ((float)(i / 2) - 0.3f * (float)N_TRIES) * 0.1f / (float)-lo);
        const float inv = code / top;
        if (!(inv < 1e37f && inv > -1e37f)) /* subnormal: too small for any F16 scale */
            return 0.0f;
        float sxq = 0.0f, sqq = 0.0f;
        for (int j = 0; j < n; j++) {
            const float q = (float)fit_code(x[j] * inv, lo, hi);
            sxq += x[j] * q;
            sqq += q * q;
        }
        if (sqq > 0.0f && sxq * (sxq / sqq) > best_gain) {
            best = sxq / sqq;
            best_gain = sxq * best;
        }
    }
    return best;
}

void fit_affine(const float *x, int n, int hi, int offset_max_zero, float *d, float *offset)
{
    float min = x[0], max = x[0], sx = 0.0f;
    for (int i = 0; i < n; i++) {
        min = x[i] < min ? x[i] : min;
        max = x[i] > max ? x[i] : max;
        sx += x[i];
    }
    if (offset_max_zero && min > 0.0f)
        min = 0.0f;
    *d = 0.0f, *offset = min;
    if (!(max - min > 1e-30f))
        return;
    float best = -1.0f;
    for (int i = 0; i < N_TRIES; i++) {
        const float inv = ((float)hi + 0.1f * (float)(hi > 7 ? i - 2 : 3 * i - 2 * N_TRIES)) / (max - min);
        float sq = 0.0f, sqq = 0.0f, sxq = 0.0f;
        for (int j = 0; j < n; j++) {
            const float q = (float)fit_code((x[j] - min) * inv, 0, hi);
            sq += q;
            sqq += q * q;
            sxq += x[j] * q;
        }
        /* least squares for both; a forbidden offset becomes 0 and the scale alone is solved */
        const float det = (float)n * sqq - sq * sq;
        float dd = det > 0.0f ? ((float)n * sxq - sx * sq) / det : 1.0f / inv;
        float oo = (sx - dd * sq) / (float)n;
        if (offset_max_zero && oo > 0.0f) {
            oo = 0.0f;
            dd = sqq > 0.0f ? sxq / sqq : 0.0f;
        }
        const float gain = 2 * dd * sxq + 2 * oo * sx - dd * dd * sqq - 2 * dd * oo * sq - (float)n * oo * oo;
        if (dd >= 0.0f && (best < 0.0f || gain > best)) {
            best = gain > 0.0f ? gain : 0.0f;
            *d = dd, *offset = oo;
        }
    }
}

int fit_nearest16(float x, const int8_t values[16])
{
    int at = 0; /* the last value whose midpoint with its lower neighbour is below x */
    for (int step = 8; step > 0; step /= 2) /* no branch: it would be a coin toss each time */
        at += step * (2.0f * x > (float)(values[at + step] + values[at + step - 1]));
    return at;
}

float fit_values16(const float *x, int n, const int8_t values[16])
{
    const float top = largest(x, n);
    float best = 0.0f, best_gain = 0.0f;
    for (int i = 0; i < 2 * N_TRIES; i++) {
        const float inv = (float)values[i % 2 ? 15 : 0] * (1.0f + (float)(i / 2 - N_TRIES / 2) * 0.025f) / top;
        if (!(inv < 1e37f && inv > -1e37f))
            return 0.0f;
        float sxq = 0.0f, sqq = 0.0f;
        for (int j = 0; j < n; j++) {
            const float q = (float)values[fit_nearest16(x[j] * inv, values)];
            sxq += x[j] * q;
            sqq += q * q;
        }
        if (sxq * (sxq / sqq) > best_gain) {
            best = sxq / sqq;
            best_gain = sxq * best;
        }
    }
    return best;
}
