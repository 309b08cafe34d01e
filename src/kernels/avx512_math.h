/* kernels/avx512_math.h - exp and what is made of it, sixteen at a time; for the avx512*.c of kernels/.
 *
 * exp(x) = 2^n e^r, n = round(x / ln 2), |r| <= ln 2 / 2; e^r = 1 + r + r^2 p(r), p minimax of degree 4 for the
 * relative error of e^r (3.1e-9, found with Lawson's algorithm in 40 digits); with the roundings below 1.5 ulp.
 * ln 2 is split so that n times its upper part is exact.  Out of range: 0 and infinity; NaN stays.
 */
#ifndef TUTTI_KERNELS_AVX512_MATH_H
#define TUTTI_KERNELS_AVX512_MATH_H
#if defined(__AVX512F__)
#include <immintrin.h>

static inline __m512 exp_512(__m512 x)
{
    /* NaN is the second operand, which min and max return then */
    x = _mm512_max_ps(_mm512_set1_ps(-200.0f), _mm512_min_ps(_mm512_set1_ps(200.0f), x));
    const __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(0x1.715476p+0f)), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    const __m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps(-0x1.05c61p-29f), _mm512_fnmadd_ps(n, _mm512_set1_ps(0x1.62e43p-1f), x));
    __m512 p = _mm512_set1_ps(1.3814315634e-3f);
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(8.3688515403e-3f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(4.1668401187e-2f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.6666519519e-1f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(4.9999993373e-1f));
    p = _mm512_fmadd_ps(_mm512_mul_ps(r, r), p, r);
    return _mm512_scalef_ps(_mm512_add_ps(p, _mm512_set1_ps(1.0f)), n);
}

/* 2^x for x <= 0 (down to -infinity's neighbour: 0).  2^r = 1 + r p(r), |r| <= 1/2, p minimax of degree 4 for the relative error of 2^r
 * (9.1e-8, Lawson again): with the roundings below 2 ulp. */
static inline __m512 exp2_512(__m512 x)
{
    const __m512 n = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC), r = _mm512_sub_ps(x, n);
    __m512 p = _mm512_set1_ps(1.326472731e-3f);
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(9.671512991e-3f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(5.550733581e-2f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(2.402224243e-1f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(6.931470037e-1f));
    return _mm512_scalef_ps(_mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f)), n);
}

/* 1 / (1 + exp(-x)) times y */
static inline __m512 sigmoid_mul_512(__m512 x, __m512 y)
{
    return _mm512_div_ps(y, _mm512_add_ps(_mm512_set1_ps(1.0f), exp_512(_mm512_sub_ps(_mm512_setzero_ps(), x))));
}

/* tanh(x) = 1 - 2 / (exp(2x) + 1): an absolute error of an ulp of 1, enough for soft caps and gates */
static inline __m512 tanh_512(__m512 x)
{
    const __m512 one = _mm512_set1_ps(1.0f);
    return _mm512_sub_ps(one, _mm512_div_ps(_mm512_set1_ps(2.0f), _mm512_add_ps(exp_512(_mm512_add_ps(x, x)), one)));
}
#endif
#endif
