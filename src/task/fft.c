/* task/fft.c - Stockham's self-sorting FFT with radices 4, 2, 3, 5; a real signal is half as many complex numbers.
 *
 * Start:   fft_real().  Formulas: C. Van Loan, Computational Frameworks for the FFT (1992), 1.7 (Stockham),
 *          and 4.3 (real data as complex data of half the length).
 */
#include "task/fft.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N_STAGES_MAX = 16 };

struct fft {
    int n, m;                   /* real values; m = n / 2 complex ones */
    int n_stages, radix[N_STAGES_MAX];
    float *twiddle;             /* per stage: [length / radix][radix - 1] of (cos, sin) */
    float *split;               /* [m / 2 + 1] of (cos, sin) of -2 pi k / n */
    float *are, *aim, *bre, *bim; /* [m] */
    float *re, *im;             /* [m + 1], fft_power()'s */
    float *block;               /* owns all of the above */
};

static const double PI = 3.14159265358979323846;

struct fft *fft_new(int n, struct err *err)
{
    struct fft *f = NULL;
    int rest = n / 2;
    int radix[N_STAGES_MAX], n_stages = 0;
    if (n < 2 || n > FFT_N_MAX || n % 2)
        return err_null(err, ERR_UNSUPPORTED, "fft: length %d is not an even number from 2 to %d", n, FFT_N_MAX);
    static const int primes[] = { 4, 2, 3, 5 };
    for (int i = 0; i < 4; i++)
        while (rest % primes[i] == 0 && n_stages < N_STAGES_MAX) {
            radix[n_stages++] = primes[i];
            rest /= primes[i];
        }
    if (rest != 1)
        return err_null(err, ERR_UNSUPPORTED, "fft: half of the length %d has a factor other than 2, 3, 5", n);
    f = calloc(1, sizeof(*f));
    /* The twiddles of all stages are fewer than 2 m (radix - 1) / radix + ... <= 2 m pairs. */
    const size_t m = (size_t)n / 2, n_split = m / 2 + 1;
    float *block = calloc(4 * m + 2 * n_split + 4 * m + 2 * (m + 1), sizeof(float));
    if (!f || !block) {
        free(f), free(block);
        return err_null(err, ERR_NOMEM, "fft: cannot allocate length %d", n);
    }
    *f = (struct fft){ .n = n, .m = n / 2, .n_stages = n_stages, .block = block };
    memcpy(f->radix, radix, sizeof(radix));
    f->are = block, f->aim = block + m, f->bre = block + 2 * m, f->bim = block + 3 * m;
    f->split = block + 4 * m;
    f->twiddle = f->split + 2 * n_split;
    for (size_t k = 0; k < n_split; k++) {
        f->split[2 * k] = (float)cos(-2 * PI * (double)k / n);
        f->split[2 * k + 1] = (float)sin(-2 * PI * (double)k / n);
    }
    f->re = f->twiddle + 4 * m, f->im = f->re + m + 1;
    float *t = f->twiddle;
    for (int s = 0, len = f->m; s < n_stages; len /= radix[s], s++)
        for (int j = 0; j < len / radix[s]; j++)
            for (int r = 1; r < radix[s]; r++) {
                *t++ = (float)cos(-2 * PI * j * r / len);
                *t++ = (float)sin(-2 * PI * j * r / len);
            }
    return f;
}

void fft_free(struct fft *f)
{
    if (f)
        free(f->block);
    free(f);
}

/* y = x * (c + i s) */
#define TURN(yr, yi, xr, xi, c, s)                                                                                     \
    do {                                                                                                               \
        const float xr_ = (xr), xi_ = (xi);                                                                            \
        (yr) = xr_ * (c) - xi_ * (s), (yi) = xr_ * (s) + xi_ * (c);                                                    \
    } while (0)

/* One stage: `len` is what is left of the length, `str` how many transforms are interleaved.  x and y do not overlap. */
static void stage2(const float *restrict xr, const float *restrict xi, float *restrict yr, float *restrict yi, int len,
                   int str, const float *tw)
{
    const int m = len / 2;
    for (int j = 0; j < m; j++, tw += 2)
        for (int q = 0; q < str; q++) {
            const int a = q + str * j, b = a + str * m, o = q + str * 2 * j;
            const float dr = xr[a] - xr[b], di = xi[a] - xi[b];
            yr[o] = xr[a] + xr[b], yi[o] = xi[a] + xi[b];
            TURN(yr[o + str], yi[o + str], dr, di, tw[0], tw[1]);
        }
}

static void stage3(const float *restrict xr, const float *restrict xi, float *restrict yr, float *restrict yi, int len,
                   int str, const float *tw)
{
    const int m = len / 3;
    const float s3 = 0.866025403784438647f; /* sin(pi / 3) */
    for (int j = 0; j < m; j++, tw += 4)
        for (int q = 0; q < str; q++) {
            const int a = q + str * j, b = a + str * m, c = b + str * m, o = q + str * 3 * j;
            const float tr = xr[b] + xr[c], ti = xi[b] + xi[c];
            const float ur = xr[a] - 0.5f * tr, ui = xi[a] - 0.5f * ti;
            const float vr = s3 * (xi[b] - xi[c]), vi = -s3 * (xr[b] - xr[c]);
            yr[o] = xr[a] + tr, yi[o] = xi[a] + ti;
            TURN(yr[o + str], yi[o + str], ur + vr, ui + vi, tw[0], tw[1]);
            TURN(yr[o + 2 * str], yi[o + 2 * str], ur - vr, ui - vi, tw[2], tw[3]);
        }
}

static void stage4(const float *restrict xr, const float *restrict xi, float *restrict yr, float *restrict yi, int len,
                   int str, const float *tw)
{
    const int m = len / 4;
    for (int j = 0; j < m; j++, tw += 6)
        for (int q = 0; q < str; q++) {
            const int a = q + str * j, b = a + str * m, c = b + str * m, d = c + str * m, o = q + str * 4 * j;
            const float sr = xr[a] + xr[c], si = xi[a] + xi[c], dr = xr[a] - xr[c], di = xi[a] - xi[c];
            const float tr = xr[b] + xr[d], ti = xi[b] + xi[d], er = xr[b] - xr[d], ei = xi[b] - xi[d];
            yr[o] = sr + tr, yi[o] = si + ti;
            TURN(yr[o + str], yi[o + str], dr + ei, di - er, tw[0], tw[1]);
            TURN(yr[o + 2 * str], yi[o + 2 * str], sr - tr, si - ti, tw[2], tw[3]);
            TURN(yr[o + 3 * str], yi[o + 3 * str], dr - ei, di + er, tw[4], tw[5]);
        }
}

static void stage5(const float *restrict xr, const float *restrict xi, float *restrict yr, float *restrict yi, int len,
                   int str, const float *tw)
{
    const int m = len / 5;
    const float c1 = 0.309016994374947424f, s1 = 0.951056516295153572f;  /* cos, sin of 2 pi / 5 */
    const float c2 = -0.809016994374947424f, s2 = 0.587785252292473129f; /* cos, sin of 4 pi / 5 */
    for (int j = 0; j < m; j++, tw += 8)
        for (int q = 0; q < str; q++) {
            const int a = q + str * j, b = a + str * m, c = b + str * m, d = c + str * m, e = d + str * m;
            const int o = q + str * 5 * j;
            const float pr = xr[b] + xr[e], pi = xi[b] + xi[e], ur = xr[b] - xr[e], ui = xi[b] - xi[e];
            const float rr = xr[c] + xr[d], ri = xi[c] + xi[d], vr = xr[c] - xr[d], vi = xi[c] - xi[d];
            const float fr = xr[a] + c1 * pr + c2 * rr, fi = xi[a] + c1 * pi + c2 * ri;
            const float gr = xr[a] + c2 * pr + c1 * rr, gi = xi[a] + c2 * pi + c1 * ri;
            const float hr = s1 * ui + s2 * vi, hi = -(s1 * ur + s2 * vr);
            const float kr = s2 * ui - s1 * vi, ki = -(s2 * ur - s1 * vr);
            yr[o] = xr[a] + pr + rr, yi[o] = xi[a] + pi + ri;
            TURN(yr[o + str], yi[o + str], fr + hr, fi + hi, tw[0], tw[1]);
            TURN(yr[o + 2 * str], yi[o + 2 * str], gr + kr, gi + ki, tw[2], tw[3]);
            TURN(yr[o + 3 * str], yi[o + 3 * str], gr - kr, gi - ki, tw[4], tw[5]);
            TURN(yr[o + 4 * str], yi[o + 4 * str], fr - hr, fi - hi, tw[6], tw[7]);
        }
}

void fft_real(struct fft *f, const float *x, float *re, float *im)
{
    const int m = f->m;
    float *xr = f->are, *xi = f->aim, *yr = f->bre, *yi = f->bim;
    for (int k = 0; k < m; k++)
        xr[k] = x[2 * k], xi[k] = x[2 * k + 1];
    const float *tw = f->twiddle;
    for (int s = 0, len = m, str = 1; s < f->n_stages; s++) {
        const int p = f->radix[s];
        (p == 2 ? stage2 : p == 3 ? stage3 : p == 4 ? stage4 : stage5)(xr, xi, yr, yi, len, str, tw);
        float *tr = xr, *ti = xi;
        xr = yr, xi = yi, yr = tr, yi = ti;
        len /= p, str *= p;
        tw += (size_t)2 * (p - 1) * len;
    }
    /* Z = even + i odd: the transforms of even and odd samples come apart by symmetry. */
    re[0] = xr[0] + xi[0], im[0] = 0;
    re[m] = xr[0] - xi[0], im[m] = 0;
    for (int k = 1; 2 * k <= m; k++) {
        const int l = m - k;
        const float er = 0.5f * (xr[k] + xr[l]), ei = 0.5f * (xi[k] - xi[l]);
        const float dr = 0.5f * (xi[k] + xi[l]), di = 0.5f * (xr[l] - xr[k]);
        const float c = f->split[2 * k], s = f->split[2 * k + 1];
        const float or_ = dr * c - di * s, oi = dr * s + di * c;
        re[k] = er + or_, im[k] = ei + oi;
        re[l] = er - or_, im[l] = oi - ei;
    }
}

void fft_power(struct fft *f, const float *x, float *out)
{
    fft_real(f, x, f->re, f->im);
    for (int k = 0; k <= f->m; k++)
        out[k] = f->re[k] * f->re[k] + f->im[k] * f->im[k];
}
