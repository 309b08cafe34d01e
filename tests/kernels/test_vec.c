/* tests/kernels/test_vec.c - norms, activations, softmax and rope of every variant against sums in double.
 * Bounds: a few ulp of the result, plus an ulp of one per factor where exp or tanh saturates. */
#include "check.h" /* first: it asks for _GNU_SOURCE */

#include <math.h>

#include "hw/cpu.h"
#include "kernels/vec/vec.h"

static bool usable(const struct vec_ops *o) { return (o->need & ~cpu_flags()) == 0; }
#define EACH_VARIANT(o)                                                                            \
    for (int v_ = 0; v_ < vec_n_variants; v_++)                                                    \
        for (const struct vec_ops *o = vec_variants[v_]; o && usable(o); o = NULL)

/* Sizes around the lanes, and one that is usual. */
static const int sizes[] = { 1, 2, 3, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33, 40, 63, 64, 100, 576 };
enum { N_SIZES = sizeof(sizes) / sizeof(sizes[0]) };

/* Four arrays of n floats, unaligned, guarded. */
struct arrays {
    struct guarded g[4];
    float *f[4];
};
static void arrays_new(struct arrays *a, int n, float size)
{
    for (int k = 0; k < 4; k++) {
        guarded_new(&a->g[k], (size_t)n * 4, (size_t)(k + 1) * 4 % 16);
        a->f[k] = (float *)(void *)a->g[k].data;
        for (int i = 0; i < n; i++)
            a->f[k][i] = check_gauss() * size * (i % 13 == 5 ? 6.0f : 1.0f);
    }
}
static void arrays_free(struct arrays *a, const char *isa)
{
    for (int k = 0; k < 4; k++) {
        CHECK(guarded_intact(&a->g[k]), "%s: wrote beyond the margins of array %d", isa, k);
        guarded_free(&a->g[k]);
    }
}
#define NEAR(got, want, rel, abs_)                                                                 \
    CHECK(fabs((double)(got) - (want)) <= (rel) * fabs(want) + (abs_), "%s: n %d, [%d] is %.9g, not %.9g", o->isa, n, i, (double)(got), (double)(want))

TEST(norms_are_right)
{
    EACH_VARIANT(o)
        for (int k = 0; k < 4 * N_SIZES; k++) {
            const int n = sizes[k % N_SIZES], form = k / N_SIZES;
            struct arrays a;
            arrays_new(&a, n, 3.0f);
            const float *x = a.f[1], *w = a.f[2], *b = a.f[3];
            double mean = 0, square = 0, var = 0;
            for (int i = 0; i < n; i++)
                mean += (double)x[i] / n, square += (double)x[i] * x[i] / n;
            for (int i = 0; i < n; i++)
                var += ((double)x[i] - mean) * ((double)x[i] - mean) / n;
            if (form < 2) {
                o->rmsnorm(a.f[0], x, form ? NULL : w, n, 1e-5f);
                for (int i = 0; i < n; i++)
                    NEAR(a.f[0][i], x[i] / sqrt(square + 1e-5) * (form ? 1.0 : (double)w[i]), 4e-6, 0);
            } else {
                o->layernorm(a.f[0], x, w, form == 2 ? b : NULL, n, 1e-3f);
                for (int i = 0; i < n; i++)
                    NEAR(a.f[0][i], (x[i] - mean) / sqrt(var + 1e-3) * (double)w[i] + (form == 2 ? (double)b[i] : 0.0), 4e-6,
                         1e-5 * (fabs(w[i]) / sqrt(var + 1e-3) * (1 + fabs(mean)) + fabs(b[i])));
            }
            arrays_free(&a, o->isa);
        }
}

TEST(norms_work_in_place)
{
    EACH_VARIANT(o) {
        enum { N = 100 };
        float x[N], y[N];
        for (int i = 0; i < N; i++)
            x[i] = check_gauss();
        o->rmsnorm(y, x, x, N, 1e-6f);
        float w[N];
        memcpy(w, x, sizeof(w));
        o->rmsnorm(x, x, w, N, 1e-6f);
        CHECK(memcmp(x, y, sizeof(x)) == 0, "%s", o->isa);
    }
}

TEST(activations_are_right)
{
    EACH_VARIANT(o)
        for (int k = 0; k < 4 * N_SIZES; k++) {
            const int n = sizes[k % N_SIZES];
            struct arrays a;
            arrays_new(&a, n, k / N_SIZES == 3 ? 60.0f : 2.0f); /* large ones saturate */
            const float *g = a.f[1], *u = a.f[2];
            o->silu_mul(a.f[0], g, u, n);
            for (int i = 0; i < n; i++)
                NEAR(a.f[0][i], g[i] / (1 + exp(-(double)g[i])) * u[i], 2e-6, 1e-30);
            o->gelu_mul(a.f[0], g, k % 2 ? u : NULL, n);
            for (int i = 0; i < n; i++) {
                const double x = g[i], t = tanh(0.79788456080286535588 * (x + 0.044715 * x * x * x)), s = k % 2 ? (double)u[i] : 1.0;
                NEAR(a.f[0][i], 0.5 * x * (1 + t) * s, 4e-6, 2e-7 * fabs(x * s)); /* 1 + tanh loses its digits where it vanishes */
            }
            o->swiglu_oai(a.f[0], g, u, n, 1.702f, 7.0f);
            for (int i = 0; i < n; i++) {
                const double x = fmin(g[i], 7.0), y = fmax(fmin(u[i], 7.0), -7.0);
                NEAR(a.f[0][i], x / (1 + exp(-(double)1.702f * x)) * (y + 1), 2e-6, 1e-7 * fabs(x) / (1 + exp(-1.702 * x)) + 1e-30);
            }
            o->axpy(a.f[0], g, 0.37f, n);
            arrays_free(&a, o->isa);
        }
}

TEST(axpy_adds)
{
    EACH_VARIANT(o)
        for (int k = 0; k < N_SIZES; k++) {
            const int n = sizes[k];
            struct arrays a;
            arrays_new(&a, n, 2.0f);
            memcpy(a.f[3], a.f[0], (size_t)n * 4);
            o->axpy(a.f[0], a.f[1], -0.37f, n);
            for (int i = 0; i < n; i++)
                NEAR(a.f[0][i], (double)a.f[3][i] - (double)0.37f * a.f[1][i], 2e-7, 2e-7 * fabs(a.f[1][i]));
            arrays_free(&a, o->isa);
        }
}

TEST(softmax_is_right)
{
    EACH_VARIANT(o)
        for (int k = 0; k < 3 * N_SIZES; k++) {
            const int n = sizes[k % N_SIZES];
            struct arrays a;
            arrays_new(&a, n, (float[]){ 1.0f, 30.0f, 0.0f }[k / N_SIZES]);
            if (k % 3 == 1 && n > 2)
                a.f[0][n - 1] = -INFINITY; /* masked */
            memcpy(a.f[1], a.f[0], (size_t)n * 4);
            double most = -INFINITY, sum = 0;
            for (int i = 0; i < n; i++)
                most = fmax(most, a.f[1][i]);
            for (int i = 0; i < n; i++)
                sum += exp((double)a.f[1][i] - most);
            const float l = o->softmax(a.f[0], n);
            for (int i = 0; i < n; i++)
                NEAR(a.f[0][i], exp((double)a.f[1][i] - most) / sum, 2e-5, 1e-35);
            int i = -1;
            NEAR(l, most + log(sum), 1e-6, 1e-6);
            arrays_free(&a, o->isa);
        }
}

TEST(rope_turns_pairs)
{
    EACH_VARIANT(o)
        for (int n = 2; n <= 160; n += 2) {
            struct arrays a;
            arrays_new(&a, n, 1.0f);
            memcpy(a.f[2], a.f[0], (size_t)n * 4), memcpy(a.f[1], a.f[0], (size_t)n * 4);
            for (int i = 0; i < n / 2; i++)
                a.f[3][2 * i] = cosf((float)i), a.f[3][2 * i + 1] = sinf((float)i);
            const float *cs = a.f[3], *x = a.f[2];
            o->rope_adjacent(a.f[0], cs, n);
            o->rope_halves(a.f[1], cs, n);
            for (int i = 0; i < n / 2; i++) {
                const double c = cs[2 * i], s = cs[2 * i + 1];
                NEAR(a.f[0][2 * i], x[2 * i] * c - x[2 * i + 1] * s, 1e-6, 1e-6);
                NEAR(a.f[0][2 * i + 1], x[2 * i] * s + x[2 * i + 1] * c, 1e-6, 1e-6);
                NEAR(a.f[1][i], x[i] * c - x[i + n / 2] * s, 1e-6, 1e-6);
                NEAR(a.f[1][i + n / 2], x[i] * s + x[i + n / 2] * c, 1e-6, 1e-6);
            }
            arrays_free(&a, o->isa);
        }
}

BENCH(vec)
{
    enum { N = 4096 };
    static float out[N], x[N], y[N];
    for (int i = 0; i < N; i++)
        x[i] = check_gauss(), y[i] = check_gauss();
    printf("# %d floats; G/s: rmsnorm silu_mul gelu_mul softmax axpy rope_halves\n", N);
    EACH_VARIANT(o) {
        double s[6];
        CHECK_TIME(s[0], 0.05, o->rmsnorm(out, x, y, N, 1e-5f));
        CHECK_TIME(s[1], 0.05, o->silu_mul(out, x, y, N));
        CHECK_TIME(s[2], 0.05, o->gelu_mul(out, x, y, N));
        CHECK_TIME(s[3], 0.05, o->softmax(out, N));
        CHECK_TIME(s[4], 0.05, o->axpy(out, x, 1e-9f, N));
        CHECK_TIME(s[5], 0.05, o->rope_halves(out, y, N));
        printf("vec %-8s", o->isa);
        for (int k = 0; k < 6; k++)
            printf(" %7.2f", N / s[k] * 1e-9);
        printf("\n");
    }
}
