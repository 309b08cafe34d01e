/* kernels/vec/vec.h - the small loops between the products: norms, activations, exp.
 *
 * For:     llm/.
 * Rule:    all arrays are float; out may be the same array as the first input, otherwise nothing overlaps.
 *          Sums run in 16 lanes (lane i adds elements i, i + 16, ...) and are then added in order of the lanes, so that
 *          variants agree closely.
 */
#ifndef TUTTI_KERNELS_VEC_VEC_H
#define TUTTI_KERNELS_VEC_VEC_H
#include <stdint.h>

struct vec_ops {
    const char *isa;
    uint32_t need;
    /* out = x / sqrt(mean(x^2) + eps) * w; w NULL: 1 (Zhang, Sennrich 2019) */
    void (*rmsnorm)(float *out, const float *x, const float *w, int n, float eps);
    /* out = (x - mean) / sqrt(var + eps) * w + b; b may be NULL */
    void (*layernorm)(float *out, const float *x, const float *w, const float *b, int n, float eps);
    /* out = g * sigmoid(g) * u */
    void (*silu_mul)(float *out, const float *g, const float *u, int n);
    /* out = gelu(g) * u, tanh form: 0.5 g (1 + tanh(sqrt(2/pi) (g + 0.044715 g^3))); u NULL: 1 */
    void (*gelu_mul)(float *out, const float *g, const float *u, int n);
    /* gpt-oss: g = min(g, limit), u = clamp(u, +-limit); out = g * sigmoid(alpha g) * (u + 1) */
    void (*swiglu_oai)(float *out, const float *g, const float *u, int n, float alpha, float limit);
    /* x = softmax(x), returns log(sum exp) */
    float (*softmax)(float *x, int n);
    /* out += s * x */
    void (*axpy)(float *out, const float *x, float s, int n);
    /* Turns pairs by angles: adjacent: (x[2i], x[2i+1]), halves: (x[i], x[i + n/2]), i < n / 2; cs: [n/2][2] cos, sin */
    void (*rope_adjacent)(float *x, const float *cs, int n);
    void (*rope_halves)(float *x, const float *cs, int n);
};
extern const struct vec_ops *const vec_variants[]; /* best first, ends with ref */
extern const int vec_n_variants;
const struct vec_ops *vec_choose(uint32_t cpu);
#endif
