/* kernels/lanes8.h - eight floats at a time: one ymm of AVX2 (with FMA and F16C), or two q registers of NEON.
 *
 * For:     kernels that are the same for both: <op>/lanes8.inc, included by <op>/avx2.c and <op>/neon.c.
 * Rule:    every function rounds as the formula beside it says, so both give the same numbers.
 */
#ifndef TUTTI_KERNELS_LANES8_H
#define TUTTI_KERNELS_LANES8_H
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline, unused))
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

#if defined(__AVX2__) && defined(__FMA__) && defined(__F16C__)
#define LANES8 1
#include <immintrin.h>

typedef __m256 v8;

/* One load for many uses: gcc would rather read memory again with each. */
#define V8_IN_REGISTER(v) __asm__("" : "+x"(v))

INLINE v8 v8_set(float x) { return _mm256_set1_ps(x); }
INLINE v8 v8_load(const float *p) { return _mm256_loadu_ps(p); }
INLINE void v8_store(float *p, v8 a) { _mm256_storeu_ps(p, a); }
INLINE v8 v8_add(v8 a, v8 b) { return _mm256_add_ps(a, b); }
INLINE v8 v8_sub(v8 a, v8 b) { return _mm256_sub_ps(a, b); }
INLINE v8 v8_mul(v8 a, v8 b) { return _mm256_mul_ps(a, b); }
INLINE v8 v8_div(v8 a, v8 b) { return _mm256_div_ps(a, b); }
INLINE v8 v8_fma(v8 a, v8 b, v8 c) { return _mm256_fmadd_ps(a, b, c); }   /* a b + c */
INLINE v8 v8_fnma(v8 a, v8 b, v8 c) { return _mm256_fnmadd_ps(a, b, c); } /* c - a b */
INLINE v8 v8_min(v8 a, v8 b) { return _mm256_min_ps(a, b); }              /* b when one is NaN (NEON: NaN) */
INLINE v8 v8_max(v8 a, v8 b) { return _mm256_max_ps(a, b); }
INLINE v8 v8_round(v8 a) { return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
INLINE v8 v8_abs(v8 a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }
INLINE v8 v8_with_sign(v8 magnitude, v8 sign) /* magnitude >= 0 */
{
    return _mm256_or_ps(magnitude, _mm256_and_ps(_mm256_set1_ps(-0.0f), sign));
}
/* a where x >= limit (or NaN), else 0. */
INLINE v8 v8_keep_from(v8 a, v8 x, float limit) { return _mm256_andnot_ps(_mm256_cmp_ps(x, _mm256_set1_ps(limit), _CMP_LT_OQ), a); }
/* a 2^n for whole n, the result in the normal range. */
INLINE v8 v8_scale(v8 a, v8 n)
{
    const __m256i e = _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23);
    return _mm256_mul_ps(a, _mm256_castsi256_ps(e));
}
/* Lane i is a where first <= i <= last, else `other`. */
INLINE v8 v8_keep_lanes(v8 a, int first, int last, float other)
{
    const __m256i at = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    const __m256i hidden = _mm256_or_si256(_mm256_cmpgt_epi32(_mm256_set1_epi32(first), at), _mm256_cmpgt_epi32(at, _mm256_set1_epi32(last)));
    return _mm256_blendv_ps(a, _mm256_set1_ps(other), _mm256_castsi256_ps(hidden));
}
INLINE float v8_max_of(v8 a)
{
    __m128 m = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    m = _mm_max_ps(m, _mm_movehl_ps(m, m));
    return _mm_cvtss_f32(_mm_max_ss(m, _mm_movehdup_ps(m)));
}
/* ((0 + 4) + (2 + 6)) + ((1 + 5) + (3 + 7)) */
INLINE float v8_sum_of(v8 a)
{
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}
INLINE v8 v8_load_f16(const void *p) { return _mm256_cvtph_ps(_mm_loadu_si128(p)); }
INLINE v8 v8_load_bf16(const void *p) { return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128(p)), 16)); }
INLINE v8 v8_load_s8(const void *p) { return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(p))); }
/* Eight pairs of codes (16 or 8 bits), the first of them pair `at`: the first and the second of each. */
INLINE void v8_load_codes(const int bits, v8 *first, v8 *second, const uint8_t *p, size_t at)
{
    const __m256i w = bits == 16 ? _mm256_loadu_si256((const void *)(p + at * 4)) : _mm256_cvtepi8_epi16(_mm_loadu_si128((const void *)(p + at * 2)));
    *first = _mm256_cvtepi32_ps(_mm256_srai_epi32(_mm256_slli_epi32(w, 16), 16));
    *second = _mm256_cvtepi32_ps(_mm256_srai_epi32(w, 16));
}
INLINE void v8_store_f16(void *p, v8 a) { _mm_storeu_si128(p, _mm256_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT)); }
/* Rounded to even, |a| <= 127. */
INLINE void v8_store_s8(void *p, v8 a)
{
    const __m256i c = _mm256_cvtps_epi32(a);
    const __m128i w = _mm_packs_epi32(_mm256_castsi256_si128(c), _mm256_extracti128_si256(c, 1));
    _mm_storel_epi64(p, _mm_packs_epi16(w, w));
}
INLINE float lane_f16_to_f32(uint16_t h) { return _cvtsh_ss(h); }
INLINE uint16_t lane_f32_to_f16(float f) { return _cvtss_sh(f, _MM_FROUND_TO_NEAREST_INT); }
/* Of four pairs: (x0 y0 x1 y1 ..): the x and the y of each, twice; and the pairs with their members exchanged. */
INLINE v8 v8_evens(v8 a) { return _mm256_moveldup_ps(a); }
INLINE v8 v8_odds(v8 a) { return _mm256_movehdup_ps(a); }
INLINE v8 v8_swap_pairs(v8 a) { return _mm256_permute_ps(a, 0xb1); }
/* a - b in even lanes, a + b in odd ones. */
INLINE v8 v8_addsub(v8 a, v8 b) { return _mm256_addsub_ps(a, b); }
/* Eight pairs as eight firsts and eight seconds. */
INLINE void v8_load_pairs(v8 *first, v8 *second, const float *p)
{
    const __m256 a = _mm256_loadu_ps(p), b = _mm256_loadu_ps(p + 8);
    const __m256 lo = _mm256_permute2f128_ps(a, b, 0x20), hi = _mm256_permute2f128_ps(a, b, 0x31);
    *first = _mm256_shuffle_ps(lo, hi, 0x88);
    *second = _mm256_shuffle_ps(lo, hi, 0xdd);
}

#elif defined(__aarch64__)
#define LANES8 1
#include <arm_neon.h>

typedef struct {
    float32x4_t a, b;
} v8;
#define V8_IN_REGISTER(v) (void)(v)

INLINE v8 v8_set(float x) { return (v8){ vdupq_n_f32(x), vdupq_n_f32(x) }; }
INLINE v8 v8_load(const float *p) { return (v8){ vld1q_f32(p), vld1q_f32(p + 4) }; }
INLINE void v8_store(float *p, v8 x) { vst1q_f32(p, x.a), vst1q_f32(p + 4, x.b); }
INLINE v8 v8_add(v8 x, v8 y) { return (v8){ vaddq_f32(x.a, y.a), vaddq_f32(x.b, y.b) }; }
INLINE v8 v8_sub(v8 x, v8 y) { return (v8){ vsubq_f32(x.a, y.a), vsubq_f32(x.b, y.b) }; }
INLINE v8 v8_mul(v8 x, v8 y) { return (v8){ vmulq_f32(x.a, y.a), vmulq_f32(x.b, y.b) }; }
INLINE v8 v8_div(v8 x, v8 y) { return (v8){ vdivq_f32(x.a, y.a), vdivq_f32(x.b, y.b) }; }
INLINE v8 v8_fma(v8 x, v8 y, v8 z) { return (v8){ vfmaq_f32(z.a, x.a, y.a), vfmaq_f32(z.b, x.b, y.b) }; }
INLINE v8 v8_fnma(v8 x, v8 y, v8 z) { return (v8){ vfmsq_f32(z.a, x.a, y.a), vfmsq_f32(z.b, x.b, y.b) }; }
INLINE v8 v8_min(v8 x, v8 y) { return (v8){ vminq_f32(x.a, y.a), vminq_f32(x.b, y.b) }; }
INLINE v8 v8_max(v8 x, v8 y) { return (v8){ vmaxq_f32(x.a, y.a), vmaxq_f32(x.b, y.b) }; }
INLINE v8 v8_round(v8 x) { return (v8){ vrndnq_f32(x.a), vrndnq_f32(x.b) }; }
INLINE v8 v8_abs(v8 x) { return (v8){ vabsq_f32(x.a), vabsq_f32(x.b) }; }
INLINE v8 v8_with_sign(v8 magnitude, v8 sign)
{
    const uint32x4_t m = vdupq_n_u32(0x80000000);
    return (v8){ vbslq_f32(m, sign.a, magnitude.a), vbslq_f32(m, sign.b, magnitude.b) };
}
INLINE float32x4_t keep_from_4(float32x4_t a, float32x4_t x, float limit)
{
    return vreinterpretq_f32_u32(vbicq_u32(vreinterpretq_u32_f32(a), vcltq_f32(x, vdupq_n_f32(limit))));
}
INLINE v8 v8_keep_from(v8 x, v8 y, float limit) { return (v8){ keep_from_4(x.a, y.a, limit), keep_from_4(x.b, y.b, limit) }; }
INLINE float32x4_t scale_4(float32x4_t a, float32x4_t n)
{
    return vmulq_f32(a, vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(vcvtnq_s32_f32(n), vdupq_n_s32(127)), 23)));
}
INLINE v8 v8_scale(v8 x, v8 n) { return (v8){ scale_4(x.a, n.a), scale_4(x.b, n.b) }; }
INLINE float32x4_t keep_lanes_4(float32x4_t a, int32x4_t at, int first, int last, float other)
{
    const uint32x4_t hidden = vorrq_u32(vcgtq_s32(vdupq_n_s32(first), at), vcgtq_s32(at, vdupq_n_s32(last)));
    return vbslq_f32(hidden, vdupq_n_f32(other), a);
}
INLINE v8 v8_keep_lanes(v8 x, int first, int last, float other)
{
    const int32x4_t lo = { 0, 1, 2, 3 }, hi = { 4, 5, 6, 7 };
    return (v8){ keep_lanes_4(x.a, lo, first, last, other), keep_lanes_4(x.b, hi, first, last, other) };
}
INLINE float v8_max_of(v8 x) { return vmaxvq_f32(vmaxq_f32(x.a, x.b)); }
INLINE float v8_sum_of(v8 x)
{
    const float32x4_t s = vaddq_f32(x.a, x.b);
    const float32x2_t t = vadd_f32(vget_low_f32(s), vget_high_f32(s));
    return vget_lane_f32(t, 0) + vget_lane_f32(t, 1);
}
INLINE v8 v8_load_f16(const void *p)
{
    const float16x8_t h = vreinterpretq_f16_u8(vld1q_u8(p));
    return (v8){ vcvt_f32_f16(vget_low_f16(h)), vcvt_high_f32_f16(h) };
}
INLINE v8 v8_load_bf16(const void *p)
{
    const uint16x8_t h = vreinterpretq_u16_u8(vld1q_u8(p));
    return (v8){ vreinterpretq_f32_u32(vshll_n_u16(vget_low_u16(h), 16)), vreinterpretq_f32_u32(vshll_high_n_u16(h, 16)) };
}
INLINE v8 v8_load_s8(const void *p)
{
    const int16x8_t w = vmovl_s8(vld1_s8(p));
    return (v8){ vcvtq_f32_s32(vmovl_s16(vget_low_s16(w))), vcvtq_f32_s32(vmovl_high_s16(w)) };
}
INLINE v8 halves_to_v8(int32x4_t a, int32x4_t b) { return (v8){ vcvtq_f32_s32(a), vcvtq_f32_s32(b) }; }
INLINE void v8_load_codes(const int bits, v8 *first, v8 *second, const uint8_t *p, size_t at)
{
    int32x4_t a, b;
    if (bits == 16) {
        a = vreinterpretq_s32_u8(vld1q_u8(p + at * 4)), b = vreinterpretq_s32_u8(vld1q_u8(p + at * 4 + 16));
    } else {
        const int8x16_t c = vreinterpretq_s8_u8(vld1q_u8(p + at * 2));
        a = vreinterpretq_s32_s16(vmovl_s8(vget_low_s8(c))), b = vreinterpretq_s32_s16(vmovl_high_s8(c));
    }
    *first = halves_to_v8(vshrq_n_s32(vshlq_n_s32(a, 16), 16), vshrq_n_s32(vshlq_n_s32(b, 16), 16));
    *second = halves_to_v8(vshrq_n_s32(a, 16), vshrq_n_s32(b, 16));
}
INLINE void v8_store_f16(void *p, v8 x)
{
    vst1q_u8(p, vreinterpretq_u8_f16(vcombine_f16(vcvt_f16_f32(x.a), vcvt_f16_f32(x.b))));
}
INLINE void v8_store_s8(void *p, v8 x)
{
    vst1_s8(p, vqmovn_s16(vcombine_s16(vqmovn_s32(vcvtnq_s32_f32(x.a)), vqmovn_s32(vcvtnq_s32_f32(x.b)))));
}
INLINE float lane_f16_to_f32(uint16_t h) { return vgetq_lane_f32(vcvt_f32_f16(vreinterpret_f16_u16(vdup_n_u16(h))), 0); }
INLINE uint16_t lane_f32_to_f16(float f) { return vget_lane_u16(vreinterpret_u16_f16(vcvt_f16_f32(vdupq_n_f32(f))), 0); }
INLINE v8 v8_evens(v8 x) { return (v8){ vtrn1q_f32(x.a, x.a), vtrn1q_f32(x.b, x.b) }; }
INLINE v8 v8_odds(v8 x) { return (v8){ vtrn2q_f32(x.a, x.a), vtrn2q_f32(x.b, x.b) }; }
INLINE v8 v8_swap_pairs(v8 x) { return (v8){ vrev64q_f32(x.a), vrev64q_f32(x.b) }; }
INLINE v8 v8_addsub(v8 x, v8 y)
{
    const uint32x4_t even = { 0x80000000, 0, 0x80000000, 0 };
    const float32x4_t a = vreinterpretq_f32_u32(veorq_u32(vreinterpretq_u32_f32(y.a), even));
    const float32x4_t b = vreinterpretq_f32_u32(veorq_u32(vreinterpretq_u32_f32(y.b), even));
    return (v8){ vaddq_f32(x.a, a), vaddq_f32(x.b, b) };
}
INLINE void v8_load_pairs(v8 *first, v8 *second, const float *p)
{
    const float32x4x2_t a = vld2q_f32(p), b = vld2q_f32(p + 8);
    *first = (v8){ a.val[0], b.val[0] };
    *second = (v8){ a.val[1], b.val[1] };
}
#endif

#if defined(LANES8)
/* exp(x) within 2 ulp; below -87 zero, above 88 as at 88; NaN stays NaN.
 * x = n ln 2 + r, |r| <= ln 2 / 2; exp(r) by its Taylor polynomial to r^7 (its remainder is 2^-27 of the value);
 * ln 2 in two parts, the first of 15 bits, so that n times it is exact. */
INLINE v8 v8_exp(v8 x)
{
    const v8 top = v8_min(v8_set(88.0f), x), n = v8_round(v8_mul(top, v8_set(1.44269504f)));
    const v8 r = v8_fnma(n, v8_set(1.42860677e-6f), v8_fnma(n, v8_set(0.693145751953125f), top));
    v8 p = v8_set(1.0f / 5040);
    p = v8_fma(p, r, v8_set(1.0f / 720));
    p = v8_fma(p, r, v8_set(1.0f / 120));
    p = v8_fma(p, r, v8_set(1.0f / 24));
    p = v8_fma(p, r, v8_set(1.0f / 6));
    p = v8_fma(p, r, v8_set(0.5f));
    p = v8_fma(p, r, v8_set(1.0f));
    p = v8_fma(p, r, v8_set(1.0f));
    return v8_keep_from(v8_scale(p, n), x, -87.0f);
}
/* 2^x for x <= 0 within 2 ulp, zero below -126; NaN stays NaN.  2^r = 1 + r p(r), |r| <= 1/2, p minimax of degree 4 (avx512_math.h). */
INLINE v8 v8_exp2(v8 x)
{
    const v8 n = v8_round(x), r = v8_sub(x, n);
    v8 p = v8_set(1.326472731e-3f);
    p = v8_fma(p, r, v8_set(9.671512991e-3f));
    p = v8_fma(p, r, v8_set(5.550733581e-2f));
    p = v8_fma(p, r, v8_set(2.402224243e-1f));
    p = v8_fma(p, r, v8_set(6.931470037e-1f));
    p = v8_fma(p, r, v8_set(1.0f));
    return v8_keep_from(v8_scale(p, n), x, -126.0f);
}
/* tanh(x) = sign(x) (1 - e) / (1 + e), e = exp(-2 |x|): an absolute error of an ulp of 1. */
INLINE v8 v8_tanh(v8 x)
{
    const v8 one = v8_set(1.0f), e = v8_exp(v8_mul(v8_abs(x), v8_set(-2.0f)));
    return v8_with_sign(v8_div(v8_sub(one, e), v8_add(one, e)), x);
}
/* 1 / (1 + exp(-x)) */
INLINE v8 v8_sigmoid(v8 x) { return v8_div(v8_set(1.0f), v8_add(v8_set(1.0f), v8_exp(v8_sub(v8_set(0.0f), x)))); }
#endif
#endif
