/* kernels/vec/ref.c - what the small operations mean, in plain C. */
#include <math.h>
#include <stddef.h>

#include "kernels/vec/vec.h"

enum { LANES = 16 };

static float add_lanes(const float *lane)
{
    float s = 0;
    for (int i = 0; i < LANES; i++)
        s += lane[i];
    return s;
}

static void rmsnorm(float *out, const float *x, const float *w, int n, float eps)
{
    float lane[LANES] = { 0 };
    for (int i = 0; i < n; i++)
        lane[i % LANES] += x[i] * x[i];
    const float s = 1.0f / sqrtf(add_lanes(lane) / (float)n + eps);
    for (int i = 0; i < n; i++)
        out[i] = x[i] * s * (w ? w[i] : 1.0f);
}

static void layernorm(float *out, const float *x, const float *w, const float *b, int n, float eps)
{
    float lane[LANES] = { 0 };
    for (int i = 0; i < n; i++)
        lane[i % LANES] += x[i];
    const float mean = add_lanes(lane) / (float)n;
    for (int i = 0; i < LANES; i++)
        lane[i] = 0;
    for (int i = 0; i < n; i++)
        lane[i % LANES] += (x[i] - mean) * (x[i] - mean);
    const float s = 1.0f / sqrtf(add_lanes(lane) / (float)n + eps);
    for (int i = 0; i < n; i++)
        out[i] = (x[i] - mean) * s * w[i] + (b ? b[i] : 0.0f);
}

static void silu_mul(float *out, const float *g, const float *u, int n)
{
    for (int i = 0; i < n; i++)
        out[i] = g[i] / (1.0f + expf(-g[i])) * u[i];
}

static void gelu_mul(float *out, const float *g, const float *u, int n)
{
    const float c = 0.7978845608028654f; /* sqrt(2 / pi) */
    for (int i = 0; i < n; i++)
        out[i] = 0.5f * g[i] * (1.0f + tanhf(c * (g[i] + 0.044715f * g[i] * g[i] * g[i]))) * (u ? u[i] : 1.0f);
}

static void swiglu_oai(float *out, const float *g, const float *u, int n, float alpha, float limit)
{
    for (int i = 0; i < n; i++) {
        const float x = g[i] < limit ? g[i] : limit;
        const float y = u[i] > limit ? limit : u[i] < -limit ? -limit : u[i];
        out[i] = x / (1.0f + expf(-alpha * x)) * (y + 1.0f);
    }
}

static float softmax(float *x, int n)
{
    float most = -INFINITY, lane[LANES] = { 0 };
    for (int i = 0; i < n; i++)
        most = x[i] > most ? x[i] : most;
    for (int i = 0; i < n; i++) {
        x[i] = expf(x[i] - most);
        lane[i % LANES] += x[i];
    }
    const float sum = add_lanes(lane);
    for (int i = 0; i < n; i++)
        x[i] /= sum;
    return most + logf(sum);
}

static void axpy(float *out, const float *x, float s, int n)
{
    for (int i = 0; i < n; i++)
        out[i] += s * x[i];
}

static void rope_adjacent(float *x, const float *cs, int n)
{
    for (int i = 0; i < n / 2; i++) {
        const float a = x[2 * i], b = x[2 * i + 1];
        x[2 * i] = a * cs[2 * i] - b * cs[2 * i + 1];
        x[2 * i + 1] = a * cs[2 * i + 1] + b * cs[2 * i];
    }
}

static void rope_halves(float *x, const float *cs, int n)
{
    for (int i = 0; i < n / 2; i++) {
        const float a = x[i], b = x[i + n / 2];
        x[i] = a * cs[2 * i] - b * cs[2 * i + 1];
        x[i + n / 2] = a * cs[2 * i + 1] + b * cs[2 * i];
    }
}

const struct vec_ops vec_ref = {
    .isa = "ref", .need = 0, .rmsnorm = rmsnorm, .layernorm = layernorm, .silu_mul = silu_mul, .gelu_mul = gelu_mul,
    .swiglu_oai = swiglu_oai, .softmax = softmax, .axpy = axpy, .rope_adjacent = rope_adjacent, .rope_halves = rope_halves,
};
