/* kernels/encode/lanes.h - W floats side by side, as wide as the flags of the file that includes it allow.
 *
 * For:     the searches of this folder, which are written once: lane l works on sub-block l, never on its neighbours.
 * Rule:    + - * / of C work on them and round once; no fused operation, no sum over lanes: so every width gives the
 *          same numbers, W = 1 (plain C) too.  lane_min() and lane_max() give b when both are equal.
 */
#ifndef TUTTI_KERNELS_ENCODE_LANES_H
#define TUTTI_KERNELS_ENCODE_LANES_H
#include <stdint.h>

#define INLINE static inline __attribute__((always_inline, unused))

#if defined(__AVX512F__) && defined(__AVX512DQ__)
#include <immintrin.h>
enum { W = 16 };
typedef __m512 lane_f;
typedef __mmask16 lane_b; /* a truth for each lane */
INLINE lane_f lane_set(float x) { return _mm512_set1_ps(x); }
INLINE lane_f lane_load(const float *p) { return _mm512_loadu_ps(p); }
INLINE void lane_store(float *p, lane_f a) { _mm512_storeu_ps(p, a); }
INLINE lane_f lane_min(lane_f a, lane_f b) { return _mm512_min_ps(a, b); }
INLINE lane_f lane_max(lane_f a, lane_f b) { return _mm512_max_ps(a, b); }
INLINE lane_f lane_abs(lane_f a) { return _mm512_abs_ps(a); }
INLINE lane_f lane_round(lane_f a) { return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
INLINE lane_b lane_lt(lane_f a, lane_f b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
INLINE lane_b lane_is_number(lane_f a) { return _mm512_cmp_ps_mask(a, a, _CMP_EQ_OQ); }
INLINE lane_f lane_pick(lane_b t, lane_f yes, lane_f no) { return _mm512_mask_blend_ps(t, no, yes); }

#elif defined(__AVX2__)
#include <immintrin.h>
enum { W = 8 };
typedef __m256 lane_f;
typedef __m256 lane_b;
INLINE lane_f lane_set(float x) { return _mm256_set1_ps(x); }
INLINE lane_f lane_load(const float *p) { return _mm256_loadu_ps(p); }
INLINE void lane_store(float *p, lane_f a) { _mm256_storeu_ps(p, a); }
INLINE lane_f lane_min(lane_f a, lane_f b) { return _mm256_min_ps(a, b); }
INLINE lane_f lane_max(lane_f a, lane_f b) { return _mm256_max_ps(a, b); }
INLINE lane_f lane_abs(lane_f a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }
INLINE lane_f lane_round(lane_f a) { return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
INLINE lane_b lane_lt(lane_f a, lane_f b) { return _mm256_cmp_ps(a, b, _CMP_LT_OQ); }
INLINE lane_b lane_is_number(lane_f a) { return _mm256_cmp_ps(a, a, _CMP_EQ_OQ); }
INLINE lane_f lane_pick(lane_b t, lane_f yes, lane_f no) { return _mm256_blendv_ps(no, yes, t); }

#elif defined(__aarch64__) && defined(ENCODE_NEON)
#include <arm_neon.h>
enum { W = 4 };
typedef float32x4_t lane_f;
typedef uint32x4_t lane_b;
INLINE lane_f lane_set(float x) { return vdupq_n_f32(x); }
INLINE lane_f lane_load(const float *p) { return vld1q_f32(p); }
INLINE void lane_store(float *p, lane_f a) { vst1q_f32(p, a); }
INLINE lane_b lane_lt(lane_f a, lane_f b) { return vcltq_f32(a, b); }
INLINE lane_b lane_is_number(lane_f a) { return vceqq_f32(a, a); }
INLINE lane_f lane_pick(lane_b t, lane_f yes, lane_f no) { return vbslq_f32(t, yes, no); }
INLINE lane_f lane_min(lane_f a, lane_f b) { return lane_pick(lane_lt(a, b), a, b); }
INLINE lane_f lane_max(lane_f a, lane_f b) { return lane_pick(lane_lt(b, a), a, b); }
INLINE lane_f lane_abs(lane_f a) { return vabsq_f32(a); }
INLINE lane_f lane_round(lane_f a) { return vrndnq_f32(a); }

#else
enum { W = 1 };
typedef float lane_f;
typedef int lane_b;
INLINE lane_f lane_set(float x) { return x; }
INLINE lane_f lane_load(const float *p) { return *p; }
INLINE void lane_store(float *p, lane_f a) { *p = a; }
INLINE lane_f lane_min(lane_f a, lane_f b) { return a < b ? a : b; }
INLINE lane_f lane_max(lane_f a, lane_f b) { return a > b ? a : b; }
INLINE lane_f lane_abs(lane_f a) { return a < 0.0f ? -a : a; }
/* Ties to even; |a| below 2^22.  (Without SSE4.1 rintf is a call.) */
INLINE lane_f lane_round(lane_f a) { return (a + 0x1.8p23f) - 0x1.8p23f; }
INLINE lane_b lane_lt(lane_f a, lane_f b) { return a < b; }
INLINE lane_b lane_is_number(lane_f a) { return a == a; }
INLINE lane_f lane_pick(lane_b t, lane_f yes, lane_f no) { return t ? yes : no; }
#endif

/* Whole numbers between lo and hi, of |a| below 2^22. */
INLINE lane_f lane_code(lane_f a, float lo, float hi) { return lane_round(lane_min(lane_max(a, lane_set(lo)), lane_set(hi))); }
#endif
