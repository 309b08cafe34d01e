/* kernels/attn/avx512.c - attention with AVX-512: codes in avx512_codes.c, floats (encoders) here.
 *
 * Positions are walked page by page, rows in tiles of up to eight: score() and gather() keep rows x 2 sums of 16 in registers, weigh() is
 * the online softmax.  A row's sums run over dimensions and positions in order, so other rows do not matter.
 */
#include <immintrin.h>
#include <math.h>
#include <string.h>

#include "hw/cpu.h"
#include "kernels/attn/avx512_internal.h"
#include "kernels/avx512_math.h"

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 8")

enum { TILE = 8 };

static inline __mmask16 lanes(int i, int n)
{
    return n - i >= 16 ? (__mmask16)0xffff : n > i ? (__mmask16)((1u << (n - i)) - 1) : 0;
}

static inline const float *floats(const uint8_t *page) { return (const float *)(const void *)page; }

/* p[r][32] = q[r] . K of a page */
INLINE void score(const int R, const struct attn_job *job, const struct attn_row *row, const float *k, float *p)
{
    __m512 s[TILE][2];
    UNROLL
    for (int r = 0; r < R; r++)
        s[r][0] = s[r][1] = _mm512_setzero_ps();
    for (int i = 0; i < job->d_k; i++) {
        const __m512 k0 = _mm512_loadu_ps(k + i * ATTN_PAGE), k1 = _mm512_loadu_ps(k + i * ATTN_PAGE + 16);
        UNROLL
        for (int r = 0; r < R; r++) {
            const __m512 q = _mm512_set1_ps(row[r].q[i]);
            s[r][0] = _mm512_fmadd_ps(q, k0, s[r][0]);
            s[r][1] = _mm512_fmadd_ps(q, k1, s[r][1]);
        }
    }
    UNROLL
    for (int r = 0; r < R; r++) {
        _mm512_store_ps(p + r * ATTN_PAGE, s[r][0]);
        _mm512_store_ps(p + r * ATTN_PAGE + 16, s[r][1]);
    }
}

/* Scores of a row in the page at pos become probabilities, 0 where the row does not look; the factor of what was gathered before. */
static float weigh(const struct attn_job *job, const struct attn_row *row, int pos, float *p, float *state)
{
    const __m512i step = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    const __m512 scale = _mm512_set1_ps(job->softcap > 0 ? job->scale / job->softcap : job->scale * ATTN_LOG2E);
    __m512 s[2], top = _mm512_set1_ps(-INFINITY);
    __mmask16 m[2];
    for (int i = 0; i < 2; i++) {
        const __m512i at = _mm512_add_epi32(_mm512_set1_epi32(pos + i * 16), step);
        m[i] = _mm512_cmpge_epi32_mask(at, _mm512_set1_epi32(row->first)) & _mm512_cmple_epi32_mask(at, _mm512_set1_epi32(row->last));
        s[i] = _mm512_mul_ps(_mm512_load_ps(p + i * 16), scale);
        if (job->softcap > 0)
            s[i] = _mm512_mul_ps(_mm512_set1_ps(job->softcap * ATTN_LOG2E), tanh_512(s[i]));
        top = _mm512_mask_max_ps(top, m[i], top, s[i]);
    }
    const float in_page = _mm512_reduce_max_ps(top), most = in_page > state[0] ? in_page : state[0];
    __m512 all = _mm512_setzero_ps();
    for (int i = 0; i < 2; i++) {
        const __m512 e = _mm512_maskz_mov_ps(m[i], exp2_512(_mm512_sub_ps(s[i], _mm512_set1_ps(most))));
        _mm512_store_ps(p + i * 16, e);
        all = _mm512_add_ps(all, e);
    }
    const float shrink = most > state[0] ? _mm512_cvtss_f32(exp2_512(_mm512_set1_ps(state[0] > -INFINITY ? state[0] - most : -1000.0f))) : 1.0f;
    state[0] = most;
    state[1] = state[1] * shrink + _mm512_reduce_add_ps(all);
    return shrink;
}

/* The page's probabilities times V, 32 dimensions from `at`, are added to the rows' states. */
INLINE void gather(const int R, const struct attn_job *job, const float *v, int lo, int hi, int at, const float *p, const float *shrink, float *state, size_t ld)
{
    const __mmask16 m0 = lanes(at, job->d_v), m1 = lanes(at + 16, job->d_v);
    __m512 s[TILE][2];
    UNROLL
    for (int r = 0; r < R; r++) { /* states have room for whole registers */
        const float *a = state + (size_t)r * ld + ATTN_HEAD + at;
        s[r][0] = _mm512_mul_ps(_mm512_load_ps(a), _mm512_set1_ps(shrink[r]));
        s[r][1] = _mm512_mul_ps(_mm512_maskz_load_ps(m1, a + 16), _mm512_set1_ps(shrink[r]));
    }
    for (int slot = lo; slot <= hi; slot++) { /* beyond may be anything */
        const float *x = v + slot * job->d_v + at;
        const __m512 v0 = _mm512_maskz_loadu_ps(m0, x), v1 = _mm512_maskz_loadu_ps(m1, x + 16);
        UNROLL
        for (int r = 0; r < R; r++) {
            const __m512 w = _mm512_set1_ps(p[r * ATTN_PAGE + slot]);
            s[r][0] = _mm512_fmadd_ps(w, v0, s[r][0]);
            s[r][1] = _mm512_fmadd_ps(w, v1, s[r][1]);
        }
    }
    UNROLL
    for (int r = 0; r < R; r++) {
        float *a = state + (size_t)r * ld + ATTN_HEAD + at;
        _mm512_store_ps(a, s[r][0]);
        _mm512_mask_store_ps(a + 16, m1, s[r][1]);
    }
}

INLINE void run_tile(const int R, const struct attn_job *job, const struct attn_row *row, int page, float *p, float *state, size_t ld)
{
    const int pos = page * ATTN_PAGE;
    float shrink[TILE];
    int lo = ATTN_PAGE, hi = -1;
    for (int r = 0; r < R; r++)
        if (attn_sees(&row[r], pos, ATTN_PAGE)) {
            lo = row[r].first - pos < lo ? row[r].first - pos : lo;
            hi = row[r].last - pos > hi ? row[r].last - pos : hi;
        }
    if (hi < 0)
        return;
    score(R, job, row, floats(job->k[page]), p);
    for (int r = 0; r < R; r++) {
        const bool sees = attn_sees(&row[r], pos, ATTN_PAGE);
        shrink[r] = sees ? weigh(job, &row[r], pos, p + r * ATTN_PAGE, state + (size_t)r * ld) : 1.0f;
        if (!sees)
            memset(p + r * ATTN_PAGE, 0, ATTN_PAGE * sizeof(float));
    }
    for (int at = 0; at < job->d_v; at += 32)
        gather(R, job, floats(job->v[page]), lo < 0 ? 0 : lo, hi < ATTN_PAGE ? hi : ATTN_PAGE - 1, at, p, shrink, state, ld);
}

static void part(const struct attn_job *job, const struct attn_queries *q, int pos0, float *state, void *scratch)
{
    const size_t ld = attn_state_floats(job->d_v);
    if (job->type != ATTN_F32) {
        attn_part_codes_512(job, q, pos0, state, scratch);
        return;
    }
    for (int r = 0; r < job->n_rows;) {
        const bool eight = job->n_rows - r >= TILE;
        for (int page = pos0 / ATTN_PAGE; page < (pos0 + ATTN_CHUNK) / ATTN_PAGE; page++)
            if (eight)
                run_tile(TILE, job, job->row + r, page, scratch, state + (size_t)r * ld, ld);
            else
                run_tile(1, job, job->row + r, page, scratch, state + (size_t)r * ld, ld);
        r += eight ? TILE : 1;
    }
}

const struct attn_ops attn_avx512 = { .isa = "avx512", .need = CPU_AVX512, .part = part };
