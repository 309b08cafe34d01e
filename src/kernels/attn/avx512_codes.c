/* kernels/attn/avx512_codes.c - attention over a cache of codes with vpdpwssd, 32 multiply-adds an instruction.
 *
 * Start reading at attn_part_codes_512().  A chunk is walked in blocks of four pages (always the same blocks, counted from position 0), rows in
 * tiles of up to eight, so that a block's K and V come from L2 for all tiles but the first:
 *   score()  32 positions in two registers, rows x 2 sums, a pair of q broadcast
 *   weigh()  maximum, exp2, sum: the usual online softmax; weights of 64 positions become codes of one scale
 *   gather() 32 or 64 dimensions, rows x registers sums over 64 positions, a pair of weights broadcast; then to float
 * Sums of codes are exact and each row's floats are its own, so other rows do not matter.
 */
#include <immintrin.h>
#include <math.h>
#include <string.h>

#include "kernels/attn/avx512_internal.h"
#include "kernels/avx512_math.h"

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 8")

enum { TILE = 8, BLOCK_PAGES = 4, BLOCK = BLOCK_PAGES * ATTN_PAGE, STEPS = BLOCK / ATTN_STEP };

struct tile { /* of up to TILE rows in one block, in scratch */
    float *score;    /* [TILE][BLOCK] */
    int16_t *weight; /* [TILE][BLOCK] */
    int page_last; /* of what the rows look at: the block after this one is asked for until there; -1: another tile did */
    float shrink[TILE], unit[TILE][STEPS]; /* what was gathered before counts shrink; a weight of code 1 is unit */
};

static inline __mmask16 lanes(int i, int n)
{
    return n - i >= 16 ? (__mmask16)0xffff : n > i ? (__mmask16)((1u << (n - i)) - 1) : 0;
}

/* Sixteen pairs of codes, the first of them pair `at` of the page. */
INLINE __m512i read_pairs(const enum attn_type type, const uint8_t *page, size_t at)
{
    if (type == ATTN_I16)
        return _mm512_loadu_si512(page + at * 4);
    return _mm512_cvtepi8_epi16(_mm256_loadu_si256((const void *)(page + at * 2)));
}
INLINE __m512i read_some_pairs(const enum attn_type type, const uint8_t *page, size_t at, __mmask16 m)
{
    if (type == ATTN_I16)
        return _mm512_maskz_loadu_epi32(m, page + at * 4);
    return _mm512_cvtepi8_epi16(_mm256_maskz_loadu_epi16(m, page + at * 2));
}

/* Written out, since gcc keeps copies of the sums otherwise. */
INLINE void add_product(__m512i *sum, __m512i a, __m512i b) { __asm__("vpdpwssd %2, %1, %0" : "+v"(*sum) : "v"(a), "v"(b)); }

INLINE __m512i pair_of(const int16_t *p)
{
    int32_t x;
    memcpy(&x, p, 4);
    return _mm512_set1_epi32(x);
}

/* Asks for what is read a block later: memory in pieces of 4 KB is nothing that the hardware foresees (1.3-1.5 x at depth). */
INLINE void ask_pairs(const enum attn_type type, const uint8_t *page, size_t at, int n_registers)
{
    for (int l = 0; page && l < n_registers; l++)
        if (type == ATTN_I16 || l % 2 == 0)
            _mm_prefetch((const char *)page + (type == ATTN_I16 ? at * 4 + (size_t)l * 64 : at * 2 + (size_t)l * 32), _MM_HINT_T1);
}
INLINE void ask_scales(const enum attn_type type, const uint8_t *page, int d)
{
    if (!page)
        return;
    _mm_prefetch((const char *)page + attn_scales_at(type, d), _MM_HINT_T1);
    _mm_prefetch((const char *)page + attn_scales_at(type, d) + 64, _MM_HINT_T1);
}

/* t->score[r][32 of each page] = codes of q . codes of K * K's scale, for the pages [page0, page1) of the block at page `block`. */
INLINE void score(const enum attn_type type, const int R, const struct attn_job *job, const int16_t *q, size_t ldq, int block, int page0, int page1, struct tile *t)
{
    const size_t n_pairs = ldq / 2;
    for (int page = page0; page < page1; page++) {
        const uint8_t *k = job->k[page];
        const float *scale = attn_scales(job->type, k, job->d_k);
        __m512i s[TILE][2];
        UNROLL
        for (int r = 0; r < R; r++)
            s[r][0] = s[r][1] = _mm512_setzero_si512();
        const uint8_t *ahead = page + BLOCK_PAGES <= t->page_last ? job->k[page + BLOCK_PAGES] : NULL;
        ask_scales(type, ahead, job->d_k);
        for (size_t i = 0; i < n_pairs; i++) {
            ask_pairs(type, ahead, i * ATTN_PAGE, 2);
            const __m512i k0 = read_pairs(type, k, i * ATTN_PAGE), k1 = read_pairs(type, k, i * ATTN_PAGE + 16);
            UNROLL
            for (int r = 0; r < R; r++) {
                const __m512i x = pair_of(q + (size_t)r * ldq + i * 2);
                add_product(&s[r][0], x, k0);
                add_product(&s[r][1], x, k1);
            }
        }
        const __m512 scale0 = _mm512_loadu_ps(scale), scale1 = _mm512_loadu_ps(scale + 16);
        float *to = t->score + (page - block) * ATTN_PAGE;
        UNROLL
        for (int r = 0; r < R; r++) {
            _mm512_store_ps(to + r * BLOCK, _mm512_mul_ps(_mm512_cvtepi32_ps(s[r][0]), scale0));
            _mm512_store_ps(to + r * BLOCK + 16, _mm512_mul_ps(_mm512_cvtepi32_ps(s[r][1]), scale1));
        }
    }
}

/* Scores of a row at positions [pos0, pos1) (whole pages of the block at `block`) become weights; 0 where the row does not look. */
INLINE void weigh(const bool is_whole, const struct attn_job *job, const struct attn_row *row, float factor, int block, int pos0, int pos1, struct tile *t,
                  int r, float *state)
{
    const __m512i step = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    float *s = t->score + r * BLOCK - block;
    int16_t *w = t->weight + r * BLOCK - block;
    __m512 top = _mm512_set1_ps(-INFINITY), all = _mm512_setzero_ps();
    __mmask16 seen[BLOCK / 16];
    if (job->softcap > 0) {
        for (int pos = pos0; pos < pos1; pos += 16)
            _mm512_store_ps(s + pos, _mm512_mul_ps(_mm512_set1_ps(job->softcap * ATTN_LOG2E), tanh_512(_mm512_mul_ps(_mm512_load_ps(s + pos), _mm512_set1_ps(factor)))));
        factor = 1.0f;
    }
    for (int pos = pos0; pos < pos1; pos += 16) {
        const __m512i at = _mm512_add_epi32(_mm512_set1_epi32(pos), step);
        __mmask16 *m = &seen[(pos - pos0) / 16];
        *m = is_whole ? (__mmask16)0xffff : _mm512_cmpge_epi32_mask(at, _mm512_set1_epi32(row->first)) & _mm512_cmple_epi32_mask(at, _mm512_set1_epi32(row->last));
        top = _mm512_mask_max_ps(top, *m, top, _mm512_load_ps(s + pos));
    }
    const float in_block = _mm512_reduce_max_ps(top) * factor, most = in_block > state[0] ? in_block : state[0];
    const __m512 base = _mm512_set1_ps(most), f = _mm512_set1_ps(factor);
    for (int i = 0; i < STEPS; i++) {
        const int lo = block + i * ATTN_STEP > pos0 ? block + i * ATTN_STEP : pos0, hi = block + (i + 1) * ATTN_STEP < pos1 ? block + (i + 1) * ATTN_STEP : pos1;
        __m512 sum = _mm512_setzero_ps(), p[ATTN_STEP / 16];
        UNROLL
        for (int n = 0; n < ATTN_STEP / 16; n++) {
            const int pos = lo + n * 16;
            p[n] = _mm512_setzero_ps();
            if (pos >= hi)
                continue;
            const float *scale = attn_scales(job->type, job->v[pos / ATTN_PAGE], job->d_v) + pos % ATTN_PAGE;
            const __mmask16 m = is_whole ? (__mmask16)0xffff : seen[(pos - pos0) / 16];
            const __m512 e = _mm512_maskz_mov_ps(m, exp2_512(_mm512_fmsub_ps(_mm512_load_ps(s + pos), f, base)));
            all = _mm512_add_ps(all, e);
            p[n] = _mm512_maskz_mul_ps(m, e, _mm512_loadu_ps(scale));
            sum = _mm512_add_ps(sum, p[n]);
        }
        /* Sixteen sums of every sixteenth: none is above the largest, so all are below sixteen times that. */
        const float largest = _mm512_reduce_max_ps(sum);
        const __m512 c = _mm512_set1_ps(largest > 0 ? (ATTN_P_SUM / 16) / largest : 0.0f);
        t->unit[r][i] = largest * (1.0f / (ATTN_P_SUM / 16));
        UNROLL
        for (int n = 0; n < ATTN_STEP / 16; n++)
            if (lo + n * 16 < hi)
                _mm256_storeu_si256((void *)(w + lo + n * 16), _mm512_cvtepi32_epi16(_mm512_cvtps_epi32(_mm512_mul_ps(p[n], c))));
    }
    const float shrink = most > state[0] ? _mm512_cvtss_f32(exp2_512(_mm512_set1_ps(state[0] > -INFINITY ? state[0] - most : -1000.0f))) : 1.0f;
    t->shrink[r] = shrink;
    state[0] = most;
    state[1] = state[1] * shrink + _mm512_reduce_add_ps(all);
}

/* The block's weights times V, for N registers of 16 dimensions from `at`, are added to the rows' states. */
INLINE void gather_dims(const enum attn_type type, const int R, const int N, const bool is_odd, const struct attn_job *job, int block, int page0, int page1, int at,
                        const struct tile *t, float *state, size_t ld)
{
    const size_t d = (size_t)job->d_v;
    __mmask16 m[4];
    UNROLL
    for (int n = 0; n < N; n++)
        m[n] = lanes(at + n * 16, job->d_v);
    for (int i = 0; i < STEPS; i++) {
        const int first = block + i * (ATTN_STEP / ATTN_PAGE), end = first + ATTN_STEP / ATTN_PAGE;
        __m512i s[TILE][4];
        UNROLL
        for (int r = 0; r < R; r++)
            UNROLL
            for (int n = 0; n < N; n++)
                s[r][n] = _mm512_setzero_si512();
        for (int page = first > page0 ? first : page0; page < end && page < page1; page++) {
            const uint8_t *v = job->v[page];
            const int16_t *w = t->weight + (page - block) * ATTN_PAGE;
            const uint8_t *ahead = page + BLOCK_PAGES <= t->page_last ? job->v[page + BLOCK_PAGES] : NULL;
            if (at == 0)
                ask_scales(type, ahead, job->d_v);
            for (int pair = 0; pair < ATTN_PAGE / 2; pair++) {
                __m512i x[4];
                ask_pairs(type, ahead, (size_t)pair * d + (size_t)at, N);
                UNROLL
                for (int n = 0; n < N; n++)
                    x[n] = is_odd ? read_some_pairs(type, v, (size_t)pair * d + (size_t)(at + n * 16), m[n])
                                  : read_pairs(type, v, (size_t)pair * d + (size_t)(at + n * 16));
                UNROLL
                for (int r = 0; r < R; r++) {
                    const __m512i p = pair_of(w + r * BLOCK + pair * 2);
                    UNROLL
                    for (int n = 0; n < N; n++)
                        add_product(&s[r][n], p, x[n]);
                }
            }
        }
        UNROLL
        for (int r = 0; r < R; r++) {
            const __m512 shrink = _mm512_set1_ps(i == 0 ? t->shrink[r] : 1.0f), unit = _mm512_set1_ps(t->unit[r][i]);
            UNROLL
            for (int n = 0; n < N; n++) { /* states have room for whole registers */
                float *a = state + (size_t)r * ld + ATTN_HEAD + at + n * 16;
                _mm512_store_ps(a, _mm512_fmadd_ps(_mm512_load_ps(a), shrink, _mm512_mul_ps(_mm512_cvtepi32_ps(s[r][n]), unit)));
            }
        }
    }
}

INLINE void gather(const enum attn_type type, const int R, const struct attn_job *job, int block, int page0, int page1, const struct tile *t, float *state, size_t ld)
{
    int at = 0;
    if (R <= 4) /* few rows: more dimensions at once, so that enough sums are under way */
        for (; at + 64 <= job->d_v; at += 64)
            gather_dims(type, R, 4, false, job, block, page0, page1, at, t, state, ld);
    for (; at + 32 <= job->d_v; at += 32)
        gather_dims(type, R, 2, false, job, block, page0, page1, at, t, state, ld);
    for (; at < job->d_v; at += 16)
        gather_dims(type, R, 1, true, job, block, page0, page1, at, t, state, ld);
}

/* Rows row0 .. row0 + R - 1 in the block at page `block`. */
INLINE void run_tile(const enum attn_type type, const int R, const struct attn_job *job, const struct attn_queries *q, int row0, int block, float *state, size_t ld,
                     struct tile *t)
{
    const struct attn_row *row = job->row + row0;
    const int pos0 = block * ATTN_PAGE, pos1 = pos0 + BLOCK;
    int lo = INT32_MAX, hi = -1;
    bool sees_all = true;
    for (int r = 0; r < R; r++) {
        if (!attn_sees(&row[r], pos0, BLOCK))
            continue;
        lo = row[r].first < lo ? row[r].first : lo;
        hi = row[r].last > hi ? row[r].last : hi;
    }
    if (hi < 0)
        return;
    lo = lo > pos0 ? lo : pos0;
    hi = hi < pos1 ? hi : pos1 - 1;
    const int page0 = lo / ATTN_PAGE, page1 = hi / ATTN_PAGE + 1;
    score(type, R, job, q->code + (size_t)row0 * q->ld, q->ld, block, page0, page1, t);
    for (int r = 0; r < R; r++) {
        float *st = state + (size_t)(row0 + r) * ld;
        if (!attn_sees(&row[r], pos0, BLOCK)) {
            memset(t->weight + r * BLOCK, 0, BLOCK * sizeof(int16_t));
            memset(t->unit[r], 0, sizeof(t->unit[r]));
            t->shrink[r] = 1.0f;
            continue;
        }
        sees_all = row[r].first <= page0 * ATTN_PAGE && row[r].last >= page1 * ATTN_PAGE - 1;
        if (sees_all)
            weigh(true, job, &row[r], q->factor[row0 + r], pos0, page0 * ATTN_PAGE, page1 * ATTN_PAGE, t, r, st);
        else
            weigh(false, job, &row[r], q->factor[row0 + r], pos0, page0 * ATTN_PAGE, page1 * ATTN_PAGE, t, r, st);
    }
    gather(type, R, job, block, page0, page1, t, state + (size_t)row0 * ld, ld);
}

#define TILES(name, type)                                                                                                            \
    static void tile_##name(int n, const struct attn_job *job, const struct attn_queries *q, int row0, int block, float *state, size_t ld, \
                            struct tile *t)                                                                                           \
    {                                                                                                                                \
        switch (n) {                                                                                                                 \
        case 1: run_tile(type, 1, job, q, row0, block, state, ld, t); break;                                                         \
        case 2: run_tile(type, 2, job, q, row0, block, state, ld, t); break;                                                         \
        case 3: run_tile(type, 3, job, q, row0, block, state, ld, t); break;                                                         \
        case 4: run_tile(type, 4, job, q, row0, block, state, ld, t); break;                                                         \
        case 5: run_tile(type, 5, job, q, row0, block, state, ld, t); break;                                                         \
        case 6: run_tile(type, 6, job, q, row0, block, state, ld, t); break;                                                         \
        case 7: run_tile(type, 7, job, q, row0, block, state, ld, t); break;                                                         \
        default: run_tile(type, 8, job, q, row0, block, state, ld, t); break;                                                        \
        }                                                                                                                            \
    }
TILES(i16, ATTN_I16)
TILES(i8, ATTN_I8)

void attn_part_codes_512(const struct attn_job *job, const struct attn_queries *q, int pos0, float *state, void *scratch)
{
    struct tile t = { .score = scratch };
    const size_t ld = attn_state_floats(job->d_v);
    int lo = INT32_MAX, hi = -1;
    t.weight = (int16_t *)(void *)(t.score + TILE * BLOCK);
    for (int r = 0; r < job->n_rows; r++)
        if (job->row[r].first <= job->row[r].last) {
            lo = job->row[r].first < lo ? job->row[r].first : lo;
            hi = job->row[r].last > hi ? job->row[r].last : hi;
        }
    const int last = hi;
    lo = lo > pos0 ? lo : pos0;
    hi = hi < pos0 + ATTN_CHUNK ? hi : pos0 + ATTN_CHUNK - 1;
    for (int block = lo / BLOCK * BLOCK_PAGES; block * ATTN_PAGE <= hi; block += BLOCK_PAGES)
        for (int r = 0; r < job->n_rows; r += TILE) {
            t.page_last = r == 0 ? last / ATTN_PAGE : -1;
            (job->type == ATTN_I16 ? tile_i16 : tile_i8)(job->n_rows - r < TILE ? job->n_rows - r : TILE, job, q, r, block, state, ld, &t);
        }
}
