/* tests/task/test_fft.c - the fast transform is judged by the slow one in double. */
#include "task/fft.h"

#include <math.h>
#include <string.h>

#include "test.h"

static const double PI = 3.14159265358979323846;

static void check_length(int n)
{
    struct err err = { 0 };
    struct fft *f = fft_new(n, &err);
    REQUIRE(f, "%d: %s", n, err.text);
    float *x = malloc((size_t)n * sizeof(float)), *re = malloc((size_t)(n / 2 + 1) * sizeof(float));
    float *im = malloc((size_t)(n / 2 + 1) * sizeof(float)), *power = malloc((size_t)(n / 2 + 1) * sizeof(float));
    double norm = 0;
    for (int i = 0; i < n; i++)
        x[i] = test_rand_f32(), norm += (double)x[i] * x[i];
    fft_real(f, x, re, im);
    fft_power(f, x, power);
    for (int k = 0; k <= n / 2; k++) {
        double r = 0, j = 0;
        for (int i = 0; i < n; i++) {
            const double a = -2 * PI * (double)((long long)i * k % n) / n;
            r += x[i] * cos(a), j += x[i] * sin(a);
        }
        /* The error of an FFT grows with log n times u times the norm of the signal (Higham, 24.2), here with room. */
        const double tol = 1e-6 * log2(n + 1) * sqrt(norm);
        CHECK(fabs(r - re[k]) <= tol && fabs(j - im[k]) <= tol, "n=%d k=%d: (%g, %g), want (%g, %g)", n, k, re[k], im[k], r, j);
        CHECK(fabs(power[k] - (r * r + j * j)) <= 2 * tol * sqrt(norm * n), "n=%d k=%d", n, k);
    }
    free(x), free(re), free(im), free(power);
    fft_free(f);
}

TEST(each_length_that_models_use_agrees_with_the_definition_in_double)
{
    static const int lengths[] = { 2, 4, 6, 8, 10, 12, 16, 20, 24, 30, 32, 50, 60, 64, 90, 128, 160, 200, 240, 250, 256, 320, 400, 480, 512, 1000, 1024 };
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
        check_length(lengths[i]);
}

TEST(lengths_with_other_factors_are_refused_not_computed_slowly)
{
    static const int lengths[] = { -4, 0, 1, 3, 14, 401, 402, 1 << 17 };
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        struct err err = { 0 };
        CHECK(!fft_new(lengths[i], &err) && err.code == ERR_UNSUPPORTED && strstr(err.text, "length"), "%d", lengths[i]);
    }
}
