/* task/fft.h - the spectrum of a real signal.
 *
 * For:     task/mel.h and whoever looks at sound by frequency.
 * Touches: memory at fft_new() only.  Thread: one at a time for each struct fft (it owns scratch memory).
 * Rule:    lengths are even and n / 2 has no prime factor but 2, 3 and 5 (400, 512, 480, any power of two);
 *          everything else is refused by fft_new(), never computed slowly.
 */
#ifndef TUTTI_TASK_FFT_H
#define TUTTI_TASK_FFT_H
#include "base/err.h"

enum { FFT_N_MAX = 1 << 16 };

struct fft;

/* Owned by the caller.  NULL with err set: ERR_UNSUPPORTED (a length that this cannot do), ERR_NOMEM. */
struct fft *fft_new(int n, struct err *err);
void fft_free(struct fft *f); /* NULL is fine */

/* X[k] = sum over i of x[i] exp(-2 pi i k / n), k = 0 .. n / 2; re and im take n / 2 + 1 values each. */
void fft_real(struct fft *f, const float *x, float *re, float *im);
/* |X[k]|^2, k = 0 .. n / 2; out may not overlap x. */
void fft_power(struct fft *f, const float *x, float *out);
#endif
