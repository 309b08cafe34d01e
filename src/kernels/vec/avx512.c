/* kernels/vec/avx512.c - norms, activations, softmax, rope in sixteen lanes. */
#include <immintrin.h>
#include <math.h>
#include <stddef.h>

#include "hw/cpu.h"
#include "kernels/avx512_math.h"
#include "kernels/vec/vec.h"

/* The lanes that are left of n at i: all sixteen, or the tail. */
static inline __mmask16 lanes(int i, int n) { return n - i >= 16 ? (__mmask16)0xffff : (__mmask16)((1u << (n - i)) - 1); }
static inline __m512 get(const float *x, __mmask16 m) { return _mm512_maskz_loadu_ps(m, x); }
static inline void put(float *x, __mmask16 m, __m512 v) { _mm512_mask_storeu_ps(x, m, v); }

static float add_lanes(__m512 v)
{
    float lane[16], s = 0;
    _mm512_storeu_ps(lane, v);
    for (int i = 0; i < 16; i++)
        s += lane[i];
    return s;
}

static void rmsnorm(float *out, const float *x, const float *w, int n, float eps)
{
    __m512 sum = _mm512_setzero_ps();
    for (int i = 0; i < n; i += 16) {
        const __m512 v = get(x + i, lanes(i, n));
        sum = _mm512_fmadd_ps(v, v, sum);
    }
    const __m512 s = _mm512_set1_ps(1.0f / sqrtf(add_lanes(sum) / (float)n + eps));
    for (int i = 0; i < n; i += 16) {
        const __mmask16 m = lanes(i, n);
        const __m512 v = _mm512_mul_ps(get(x + i, m), s);
        put(out + i, m, w ? _mm512_mul_ps(v, get(w + i, m)) : v);
    }
}

static void layernorm(float *out, const float *x, const float *w, const float *b, int n, float eps)
{
    __m512 sum = _mm512_setzero_ps(), square = _mm512_setzero_ps();
    for (int i = 0; i < n; i += 16)
        sum = _mm512_add_ps(sum, get(x + i, lanes(i, n)));
    const __m512 mean = _mm512_set1_ps(add_lanes(sum) / (float)n);
    for (int i = 0; i < n; i += 16) {
        const __mmask16 m = lanes(i, n);
        const __m512 v = _mm512_maskz_sub_ps(m, get(x + i, m), mean);
        square = _mm512_fmadd_ps(v, v, square);
    }
    const __m512 s = _mm512_set1_ps(1.0f / sqrtf(add_lanes(square) / (float)n + eps));
    for (int i = 0; i < n; i += 16) {
        const __mmask16 m = lanes(i, n);
        const __m512 v = _mm512_mul_ps(_mm512_sub_ps(get(x + i, m), mean), s);
        put(out + i, m, _mm512_fmadd_ps(v, get(w + i, m), b ? get(b + i, m) : _mm512_setzero_ps()));
    }
}

static void silu_mul(float *out, const float *g, const float *u, int n)
{
    for (int i = 0; i < n; i += 16) {
        const __mmask16 m = lanes(i, n);
        const __m512 x = get(g + i, m);
        put(out + i, m, _mm512_mul_ps(sigmoid_mul_512(x, x), get(u + i, m)));
    }
}

/* 0.5 g (1 + tanh z) = g sigmoid(2 z), which keeps its relative precision where tanh z nears -1 */
static void gelu_mul(float *out, const float *g, const float *u, int n)
{
    const __m512 two_c = _mm512_set1_ps(2.0f * 0.7978845608028654f), cubic = _mm512_set1_ps(0.044715f), one = _mm512_set1_ps(1.0f);
    for (int i = 0; i < n; i += 16) {
        const __mmask16 m = lanes(i, n);
        const __m512 x = get(g + i, m);
        const __m512 z = _mm512_mul_ps(_mm512_mul_ps(two_c, x), _mm512_fmadd_ps(_mm512_mul_ps(cubic, x), x, one));
        const __m512 y = sigmoid_mul_512(z, x);
        put(out + i, m, u ? _mm512_mul_ps(y, get(u + i, m)) : y);
    }
}

static void swiglu_oai(float *out, const float *g, const float *u, int n, float alpha, float limit)
{
    const __m512 a = _mm512_set1_ps(alpha), hi = _mm512_set1_ps(limit), lo = _mm512_set1_ps(-limit), one = _mm512_set1_ps(1.0f);
    for (int i = 0; i < n; i += 16) {
        const __mmask16 m = lanes(i, n);
        const __m512 x = _mm512_min_ps(get(g + i, m), hi), y = _mm512_max_ps(lo, _mm512_min_ps(hi, get(u + i, m)));
        put(out + i, m, _mm512_mul_ps(sigmoid_mul_512(_mm512_mul_ps(a, x), x), _mm512_add_ps(y, one)));
    }
}

static float softmax(float *x, int n)
{
    __m512 most = _mm512_set1_ps(-INFINITY), sum = _mm512_setzero_ps();
    for (int i = 0; i < n; i += 16)
        most = _mm512_mask_max_ps(most, lanes(i, n), most, get(x + i, lanes(i, n)));
    const float top = _mm512_reduce_max_ps(most);
    for (int i = 0; i < n; i += 16) {
        const __mmask16 m = lanes(i, n);
        const __m512 e = exp_512(_mm512_sub_ps(get(x + i, m), _mm512_set1_ps(top)));
        put(x + i, m, e);
        sum = _mm512_mask_add_ps(sum, m, sum, e);
    }
    const float all = add_lanes(sum);
    for (int i = 0; i < n; i += 16)
        put(x + i, lanes(i, n), _mm512_div_ps(get(x + i, lanes(i, n)), _mm512_set1_ps(all)));
    return top + logf(all);
}

static void axpy(float *out, const float *x, float s, int n)
{
    for (int i = 0; i < n; i += 16) {
        const __mmask16 m = lanes(i, n);
        put(out + i, m, _mm512_fmadd_ps(_mm512_set1_ps(s), get(x + i, m), get(out + i, m)));
    }
}

/* Even lanes a c - b s, odd lanes b c + a s. */
static void rope_adjacent(float *x, const float *cs, int n)
{
    for (int i = 0; i < n; i += 16) {
        const __mmask16 m = lanes(i, n);
        const __m512 v = get(x + i, m), t = get(cs + i, m);
        const __m512 cross = _mm512_mul_ps(_mm512_permute_ps(v, 0xB1), _mm512_movehdup_ps(t));
        put(x + i, m, _mm512_fmaddsub_ps(v, _mm512_moveldup_ps(t), cross));
    }
}

static void rope_halves(float *x, const float *cs, int n)
{
    const int half = n / 2;
    const __m512i even = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
    const __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
    for (int i = 0; i < half; i += 16) {
        const __mmask16 m = lanes(i, half);
        const __m512 t0 = get(cs + 2 * i, lanes(2 * i, n)), t1 = 2 * i + 16 < n ? get(cs + 2 * i + 16, lanes(2 * i + 16, n)) : t0;
        const __m512 c = _mm512_permutex2var_ps(t0, even, t1), s = _mm512_permutex2var_ps(t0, odd, t1);
        const __m512 a = get(x + i, m), b = get(x + half + i, m);
        put(x + i, m, _mm512_fmsub_ps(a, c, _mm512_mul_ps(b, s)));
        put(x + half + i, m, _mm512_fmadd_ps(a, s, _mm512_mul_ps(b, c)));
    }
}

const struct vec_ops vec_avx512 = {
    .isa = "avx512", .need = CPU_AVX512, .rmsnorm = rmsnorm, .layernorm = layernorm, .silu_mul = silu_mul, .gelu_mul = gelu_mul,
    .swiglu_oai = swiglu_oai, .softmax = softmax, .axpy = axpy, .rope_adjacent = rope_adjacent, .rope_halves = rope_halves,
};
