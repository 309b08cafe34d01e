/* kernels/attn/avx512.c - attention with f32 multiply-adds, 16 lanes.
 *
 * Start reading at run().  Positions are walked in blocks of eight pages (always the same blocks, counted from
 * position 0), rows in tiles of up to eight, so that a block's K and V come from L2 for all tiles but the first:
 *   score()  32 positions in two registers, rows x 2 sums, q broadcast, K converted once a tile
 *   weigh()  maximum, exp, sum: the usual online softmax, once a block
 *   gather() 32 dimensions in two registers, rows x 2 sums over the block's positions, p broadcast
 * A row's sums run over dimensions and positions in order, so other rows do not matter.
 */
#include <immintrin.h>
#include <math.h>
#include <string.h>

#include "hw/cpu.h"
#include "kernels/attn/attn.h"
#include "kernels/avx512_math.h"

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 8")

enum { TILE = 8, BLOCK_PAGES = 8, BLOCK = BLOCK_PAGES * ATTN_PAGE, ROWS_MAX = 64 };

struct state { /* of up to ROWS_MAX rows, in scratch */
    float *p;          /* [TILE][BLOCK] scores, then probabilities */
    float *acc;        /* [ROWS_MAX][d_v] */
    float *most, *sum; /* [ROWS_MAX] */
};

static inline __mmask16 lanes(int i, int n)
{
    return n - i >= 16 ? (__mmask16)0xffff : n > i ? (__mmask16)((1u << (n - i)) - 1) : 0;
}

/* Sixteen values of a page from index `at`; for Q8_0 without the scale. */
INLINE __m512 read16(const int type, const uint8_t *page, size_t at, __mmask16 m)
{
    if (type == DTYPE_F32)
        return _mm512_maskz_loadu_ps(m, page + at * 4);
    if (type == DTYPE_F16)
        return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(m, page + at * 2));
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(m, page + at)));
}

/* Q8_0: sixteen scales, one per position. */
INLINE __m512 read_scales(const uint8_t *page, size_t d, size_t at)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256((const void *)(page + d * ATTN_PAGE + at * 2)));
}

/* Asks for line i of a page of `lines` lines: memory in pieces of 4 KB is nothing that the hardware foresees. */
INLINE void ask(const uint8_t *page, int i, int lines)
{
    if (page && i < lines)
        _mm_prefetch((const char *)page + (size_t)i * 64, _MM_HINT_T1);
}

/* p[r][0..31 of each page] = q[r] . K for the pages [page0, page1).  Meanwhile these pages' V comes to L2. */
INLINE void score(const int type, const int R, const struct attn_job *job, const struct attn_row *row, int page0, int page1,
                  bool is_first, float *p)
{
    const int d = job->d_k, lines = (int)(attn_page_bytes(job->type, job->d_v) / 64);
    const int each = is_first ? (lines + d - 1) / d : 0; /* lines to ask for in a step */
    for (int page = page0; page < page1; page++, p += ATTN_PAGE) {
        const uint8_t *k = job->k[page], *v = job->v[page];
        __m512 s[TILE][2], scale[2];
        scale[0] = scale[1] = _mm512_setzero_ps();
        UNROLL
        for (int r = 0; r < R; r++)
            s[r][0] = s[r][1] = _mm512_setzero_ps();
        for (int i = 0; i < d; i++) {
            for (int l = 0; l < each; l++)
                ask(v, i * each + l, lines);
            __m512 k0 = read16(type, k, (size_t)i * ATTN_PAGE, 0xffff), k1 = read16(type, k, (size_t)i * ATTN_PAGE + 16, 0xffff);
            if (type == DTYPE_Q8_0) {
                if (i % 32 == 0) {
                    scale[0] = read_scales(k, (size_t)d, (size_t)i);
                    scale[1] = read_scales(k, (size_t)d, (size_t)i + 16);
                }
                k0 = _mm512_mul_ps(k0, scale[0]), k1 = _mm512_mul_ps(k1, scale[1]);
            }
            UNROLL
            for (int r = 0; r < R; r++) {
                const __m512 q = _mm512_set1_ps(row[r].q[i]);
                s[r][0] = _mm512_fmadd_ps(q, k0, s[r][0]);
                s[r][1] = _mm512_fmadd_ps(q, k1, s[r][1]);
            }
        }
        UNROLL
        for (int r = 0; r < R; r++) {
            _mm512_store_ps(p + r * BLOCK, s[r][0]);
            _mm512_store_ps(p + r * BLOCK + 16, s[r][1]);
        }
    }
}

/* Scores of a row at positions [pos0, pos1) (multiples of 32) become probabilities; 0 where the row does not look. */
static void weigh(const struct attn_job *job, const struct attn_row *row, int pos0, int pos1, float *p, float *most, float *sum,
                  float *acc)
{
    const __m512i step = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    const __m512 scale = _mm512_set1_ps(job->scale), none = _mm512_set1_ps(-INFINITY);
    if (row->first >= pos1 || row->last < pos0) {
        memset(p, 0, (size_t)(pos1 - pos0) * sizeof(float));
        return;
    }
    __m512 top = none, all = _mm512_setzero_ps();
    for (int pos = pos0; pos < pos1; pos += 16) {
        const __m512i at = _mm512_add_epi32(_mm512_set1_epi32(pos), step);
        const __mmask16 m = _mm512_cmpge_epi32_mask(at, _mm512_set1_epi32(row->first)) & _mm512_cmple_epi32_mask(at, _mm512_set1_epi32(row->last));
        __m512 s = _mm512_mul_ps(_mm512_load_ps(p + pos - pos0), scale);
        if (job->softcap > 0)
            s = _mm512_mul_ps(_mm512_set1_ps(job->softcap), tanh_512(_mm512_div_ps(s, _mm512_set1_ps(job->softcap))));
        s = _mm512_mask_mov_ps(none, m, s);
        _mm512_store_ps(p + pos - pos0, s);
        top = _mm512_max_ps(top, s);
    }
    const float in_block = _mm512_reduce_max_ps(top), now = in_block > *most ? in_block : *most;
    /* all of it -infinity (or NaN): subtract 0 instead, so that exp gives 0 and not NaN */
    const __m512 base = _mm512_set1_ps(now > -INFINITY ? now : 0.0f);
    for (int pos = 0; pos < pos1 - pos0; pos += 16) {
        const __m512 e = exp_512(_mm512_sub_ps(_mm512_load_ps(p + pos), base));
        _mm512_store_ps(p + pos, e);
        all = _mm512_add_ps(all, e);
    }
    if (now > *most) { /* what was gathered so far counts less now */
        const __m512 shrink = exp_512(_mm512_set1_ps(*most - now));
        *sum *= _mm512_cvtss_f32(shrink);
        for (int i = 0; i < job->d_v; i += 16) {
            const __mmask16 m = lanes(i, job->d_v);
            _mm512_mask_storeu_ps(acc + i, m, _mm512_mul_ps(_mm512_maskz_loadu_ps(m, acc + i), shrink));
        }
        *most = now;
    }
    *sum += _mm512_reduce_add_ps(all);
}

/* acc[r] += sum over positions [pos0, pos1) of p[r][pos - block0] * V[pos], N registers of 16 dimensions from `at`.
 * Meanwhile K of the pages that lie `ahead` (0: nothing) further comes to L2. */
INLINE void gather_dims(const int type, const int R, const int N, const struct attn_job *job, int block0, int pos0, int pos1, int at,
                        int ahead, int page_last, const float *p, float *acc)
{
    const int d = job->d_v, lines = (int)(attn_page_bytes(job->type, job->d_k) / 64), each = (lines + ATTN_PAGE - 1) / ATTN_PAGE;
    __m512 s[TILE][4];
    __mmask16 m[4];
    UNROLL
    for (int n = 0; n < N; n++)
        m[n] = lanes(at + n * 16, d);
    UNROLL
    for (int r = 0; r < R; r++)
        UNROLL
        for (int n = 0; n < N; n++)
            s[r][n] = _mm512_maskz_loadu_ps(m[n], acc + r * d + at + n * 16);
    for (int pos = pos0; pos < pos1;) {
        const int page = pos / ATTN_PAGE, end = (page + 1) * ATTN_PAGE < pos1 ? (page + 1) * ATTN_PAGE : pos1;
        const uint8_t *v = job->v[page], *k = ahead && page + ahead <= page_last ? job->k[page + ahead] : NULL;
        for (; pos < end; pos++) {
            __m512 x[4];
            for (int l = 0; k && l < each; l++)
                ask(k, pos % ATTN_PAGE * each + l, lines);
            UNROLL
            for (int n = 0; n < N; n++) {
                x[n] = read16(type, v, (size_t)(pos % ATTN_PAGE) * (size_t)d + (size_t)(at + n * 16), m[n]);
                if (type == DTYPE_Q8_0) {
                    uint16_t h;
                    memcpy(&h, v + (size_t)d * ATTN_PAGE + ((size_t)(pos % ATTN_PAGE) * (size_t)(d / 32) + (size_t)((at + n * 16) / 32)) * 2, 2);
                    x[n] = _mm512_mul_ps(x[n], _mm512_set1_ps(_cvtsh_ss(h)));
                }
            }
            UNROLL
            for (int r = 0; r < R; r++) {
                const __m512 w = _mm512_set1_ps(p[r * BLOCK + pos - block0]);
                UNROLL
                for (int n = 0; n < N; n++)
                    s[r][n] = _mm512_fmadd_ps(w, x[n], s[r][n]);
            }
        }
    }
    UNROLL
    for (int r = 0; r < R; r++)
        UNROLL
        for (int n = 0; n < N; n++)
            _mm512_mask_storeu_ps(acc + r * d + at + n * 16, m[n], s[r][n]);
}

INLINE void gather(const int type, const int R, const struct attn_job *job, int block0, int pos0, int pos1, int ahead, int page_last,
                   const float *p, float *acc)
{
    int at = 0;
    if (R <= 4) /* few rows: more dimensions at once, so that enough sums are under way */
        for (; at + 32 < job->d_v; at += 64, ahead = 0)
            gather_dims(type, R, 4, job, block0, pos0, pos1, at, ahead, page_last, p, acc);
    for (; at < job->d_v; at += 32, ahead = 0)
        gather_dims(type, R, 2, job, block0, pos0, pos1, at, ahead, page_last, p, acc);
}

/* One block for R rows. */
INLINE void tile(const int type, const int R, const struct attn_job *job, const struct attn_row *row, const struct state *st, int r0,
                 int block0, int page_last)
{
    const bool is_first = r0 == 0; /* of the tiles that read these pages */
    int lo = row[0].first, hi = row[0].last;
    bool any = row[0].first <= row[0].last;
    for (int r = 1; r < R; r++) {
        if (row[r].first > row[r].last)
            continue;
        lo = !any || row[r].first < lo ? row[r].first : lo;
        hi = !any || row[r].last > hi ? row[r].last : hi;
        any = true;
    }
    lo = lo > block0 ? lo : block0;
    hi = hi < block0 + BLOCK - 1 ? hi : block0 + BLOCK - 1;
    if (!any || lo > hi)
        return;
    const int page0 = lo / ATTN_PAGE, page1 = hi / ATTN_PAGE + 1, pos0 = page0 * ATTN_PAGE;
    score(type, R, job, row, page0, page1, is_first, st->p);
    for (int r = 0; r < R; r++)
        weigh(job, &row[r], pos0, page1 * ATTN_PAGE, st->p + r * BLOCK, &st->most[r0 + r], &st->sum[r0 + r],
              st->acc + (size_t)(r0 + r) * (size_t)job->d_v);
    gather(type, R, job, pos0, lo, hi + 1, is_first ? BLOCK_PAGES : 0, page_last, st->p, st->acc + (size_t)r0 * (size_t)job->d_v);
}

#define TILES(name, type)                                                                                              \
    static void tile_##name(int n, const struct attn_job *job, const struct attn_row *row, const struct state *st, int r0, int block0, int last) \
    {                                                                                                                  \
        switch (n) {                                                                                                   \
        case 1: tile(type, 1, job, row, st, r0, block0, last); break;                                                        \
        case 2: tile(type, 2, job, row, st, r0, block0, last); break;                                                        \
        case 3: tile(type, 3, job, row, st, r0, block0, last); break;                                                        \
        case 4: tile(type, 4, job, row, st, r0, block0, last); break;                                                        \
        case 5: tile(type, 5, job, row, st, r0, block0, last); break;                                                        \
        case 6: tile(type, 6, job, row, st, r0, block0, last); break;                                                        \
        case 7: tile(type, 7, job, row, st, r0, block0, last); break;                                                        \
        default: tile(type, 8, job, row, st, r0, block0, last); break;                                                       \
        }                                                                                                              \
    }
TILES(f16, DTYPE_F16)
TILES(q8_0, DTYPE_Q8_0)
TILES(f32, DTYPE_F32)

static void run(const struct attn_job *job, void *scratch)
{
    struct state st = { .p = scratch };
    st.acc = st.p + TILE * BLOCK;
    st.most = st.acc + (size_t)ROWS_MAX * (size_t)job->d_v;
    st.sum = st.most + ROWS_MAX;
    for (int r0 = 0; r0 < job->n_rows; r0 += ROWS_MAX) {
        const struct attn_row *row = job->row + r0;
        const int n = job->n_rows - r0 < ROWS_MAX ? job->n_rows - r0 : ROWS_MAX;
        int lo = 0, hi = -1;
        bool any = false;
        for (int r = 0; r < n; r++) {
            st.most[r] = row[r].sink;
            st.sum[r] = row[r].sink > -INFINITY ? 1.0f : 0.0f;
            if (row[r].first > row[r].last)
                continue;
            lo = !any || row[r].first < lo ? row[r].first : lo;
            hi = !any || row[r].last > hi ? row[r].last : hi;
            any = true;
        }
        memset(st.acc, 0, (size_t)n * (size_t)job->d_v * sizeof(float));
        for (int block0 = lo / BLOCK * BLOCK; block0 <= hi; block0 += BLOCK)
            for (int r = 0; r < n; r += TILE) {
                const int m = n - r < TILE ? n - r : TILE;
                if (job->type == DTYPE_F16)
                    tile_f16(m, job, row + r, &st, r, block0, hi / ATTN_PAGE);
                else if (job->type == DTYPE_Q8_0)
                    tile_q8_0(m, job, row + r, &st, r, block0, hi / ATTN_PAGE);
                else
                    tile_f32(m, job, row + r, &st, r, block0, hi / ATTN_PAGE);
            }
        for (int r = 0; r < n; r++) {
            const float *acc = st.acc + (size_t)r * (size_t)job->d_v;
            const __m512 sum = _mm512_set1_ps(st.sum[r]);
            for (int i = 0; i < job->d_v; i += 16) {
                const __mmask16 m = lanes(i, job->d_v);
                _mm512_mask_storeu_ps(row[r].out + i, m,
                                      st.sum[r] > 0 ? _mm512_div_ps(_mm512_maskz_loadu_ps(m, acc + i), sum) : _mm512_setzero_ps());
            }
        }
    }
}

/* Value i of a position lies at slot * stride + i * step; the scale of i / 32 at scale_at + i / 32 * scale_step. */
static void put_f32(uint8_t *page, const float *x, int d, int slot, int stride, int step)
{
    float *out = (float *)(void *)page + slot * stride;
    if (step == 1)
        memcpy(out, x, (size_t)d * sizeof(float));
    else
        for (int i = 0; i < d; i++)
            out[i * step] = x[i];
}

static void put_f16(uint8_t *page, const float *x, int d, int slot, int stride, int step)
{
    uint16_t *out = (uint16_t *)(void *)page + slot * stride, h[16];
    for (int i = 0; i < d; i += 16) {
        const __mmask16 m = lanes(i, d);
        const __m256i v = _mm512_cvtps_ph(_mm512_maskz_loadu_ps(m, x + i), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
        if (step == 1) {
            _mm256_mask_storeu_epi16(out + i, m, v);
            continue;
        }
        _mm256_storeu_si256((void *)h, v);
        for (int j = 0; j < 16 && i + j < d; j++)
            out[(i + j) * step] = h[j];
    }
}

static void put_q8_0(uint8_t *page, const float *x, int d, int slot, int stride, int step, int scale_at, int scale_step)
{
    const __m512 limit = _mm512_set1_ps(127.0f);
    for (int i = 0; i < d; i += 32) {
        const __m512 lo = _mm512_loadu_ps(x + i), hi = _mm512_loadu_ps(x + i + 16);
        const float most = _mm512_reduce_max_ps(_mm512_max_ps(_mm512_abs_ps(lo), _mm512_abs_ps(hi)));
        const uint16_t h = _cvtss_sh(most / 127.0f, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
        const float scale = _cvtsh_ss(h);
        int8_t q[32] = { 0 };
        memcpy(page + (size_t)d * ATTN_PAGE + (size_t)(scale_at + i / 32 * scale_step) * 2, &h, 2);
        if (scale > 0)
            for (int part = 0; part < 2; part++) {
                __m512 v = _mm512_div_ps(part ? hi : lo, _mm512_set1_ps(scale));
                v = _mm512_max_ps(_mm512_min_ps(v, limit), _mm512_sub_ps(_mm512_setzero_ps(), limit));
                _mm_storeu_si128((void *)(q + part * 16), _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(v)));
            }
        for (int j = 0; j < 32; j++)
            page[slot * stride + (i + j) * step] = (uint8_t)q[j];
    }
}

static void put(enum dtype type, uint8_t *k_page, uint8_t *v_page, int slot, const float *k, const float *v, int d_k, int d_v)
{
    switch (type) {
    case DTYPE_F16:
        put_f16(k_page, k, d_k, slot, 1, ATTN_PAGE);
        put_f16(v_page, v, d_v, slot, d_v, 1);
        break;
    case DTYPE_Q8_0:
        put_q8_0(k_page, k, d_k, slot, 1, ATTN_PAGE, slot, ATTN_PAGE);
        put_q8_0(v_page, v, d_v, slot, d_v, 1, slot * (d_v / 32), 1);
        break;
    default:
        put_f32(k_page, k, d_k, slot, 1, ATTN_PAGE);
        put_f32(v_page, v, d_v, slot, d_v, 1);
    }
}

const struct attn_ops attn_avx512 = { .isa = "avx512", .need = CPU_AVX512, .run = run, .put = put };
