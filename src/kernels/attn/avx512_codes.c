/* kernels/attn/avx512_codes.c - attention over a cache of codes with vpdpwssd, 32 multiply-adds an instruction.
 *
 * Start reading at attn_part_codes_512().  A chunk is walked in blocks of four pages (always the same blocks, counted from position 0), rows in
 * tiles of up to eight:
 *   score()  32 positions in two registers, rows x 2 sums, a pair of q broadcast
 *   weigh()  maximum, exp2, sum: the usual online softmax; weights of 64 positions become codes of one scale
 *   gather() 32 or 64 dimensions, rows x registers sums over 64 positions, a pair of weights broadcast; then to float
 * All tiles are weighed before the first one gathers: L1 has room for a block's K or V, not for both.
 * Sums of codes are exact and each row's floats are its own, so other rows do not matter.
 */
#include <immintrin.h>
#include <math.h>
#include <string.h>

#include "kernels/attn/avx512_internal.h"
#include "kernels/avx512_math.h"

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 8")

enum { TILE = ATTN_TILE, BLOCK = ATTN_BLOCK, BLOCK_PAGES = BLOCK / ATTN_PAGE, STEPS = BLOCK / ATTN_STEP };

struct tile { /* of up to TILE rows in one block */
    int page0, page1; /* what the rows see of the block; none: page1 is 0 */
    bool is_first;    /* who brings K and V to the caches */
    struct attn_ahead next; /* the others: a part of the next block */
    float *score;     /* [TILE][BLOCK], the next tile's too */
    int16_t *weight;  /* [TILE][BLOCK] */
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
        for (size_t i = 0; i < n_pairs; i++) {
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

/* The positions pos .. pos + 15 that a row sees. */
INLINE __mmask16 seen_at(const bool is_whole, const struct attn_row *row, int pos)
{
    if (is_whole)
        return 0xffff;
    const __m512i at = _mm512_add_epi32(_mm512_set1_epi32(pos), _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0));
    return _mm512_cmpge_epi32_mask(at, _mm512_set1_epi32(row->first)) & _mm512_cmple_epi32_mask(at, _mm512_set1_epi32(row->last));
}

/* Scores of n positions become capped ones, of which the factor is one. */
static void cap_scores(const struct attn_job *job, float factor, float *s, int n)
{
    for (int i = 0; i < n; i += 16)
        _mm512_store_ps(s + i, _mm512_mul_ps(_mm512_set1_ps(job->softcap * ATTN_LOG2E), tanh_512(_mm512_mul_ps(_mm512_load_ps(s + i), _mm512_set1_ps(factor)))));
}

/* The largest score of a row at the n positions from pos. */
INLINE float find_most(const bool is_whole, const struct attn_row *row, int pos, int n, const float *s)
{
    __m512 top = _mm512_set1_ps(-INFINITY);
    UNROLL
    for (int i = 0; i < n; i += 16)
        top = _mm512_mask_max_ps(top, seen_at(is_whole, row, pos + i), top, _mm512_load_ps(s + i));
    return _mm512_reduce_max_ps(top);
}

/* Scores of n <= ATTN_STEP positions from pos become probabilities times V's scales, 0 where the row does not look. *all grows by the
 * probabilities; returns the largest of sixteen sums of every sixteenth. */
INLINE float find_weights(const bool is_whole, const struct attn_job *job, const struct attn_row *row, float factor, float most, int pos, int n, float *s, __m512 *all)
{
    const __m512 base = _mm512_set1_ps(most), f = _mm512_set1_ps(factor);
    __m512 sum = _mm512_setzero_ps();
    UNROLL
    for (int i = 0; i < n; i += 16) {
        const float *scale = attn_scales(job->type, job->k[(pos + i) / ATTN_PAGE], job->d_k) + ATTN_PAGE + (pos + i) % ATTN_PAGE;
        const __mmask16 m = seen_at(is_whole, row, pos + i);
        const __m512 e = _mm512_maskz_mov_ps(m, exp2_512(_mm512_fmsub_ps(_mm512_load_ps(s + i), f, base)));
        const __m512 p = _mm512_maskz_mul_ps(m, e, _mm512_loadu_ps(scale)); /* a scale of what was not stored may be anything */
        *all = _mm512_add_ps(*all, e);
        sum = _mm512_add_ps(sum, p);
        _mm512_store_ps(s + i, p);
    }
    return _mm512_reduce_max_ps(sum);
}

/* n weights as codes: sixteen sums are all below sixteen times the largest.  Returns what a code of 1 stands for. */
INLINE float encode_weights(float largest, const float *p, int16_t *code, int n)
{
    const __m512 c = _mm512_set1_ps(largest > 0 ? (ATTN_P_SUM / 16) / largest : 0.0f);
    UNROLL
    for (int i = 0; i < n; i += 16)
        _mm256_storeu_si256((void *)(code + i), _mm512_cvtepi32_epi16(_mm512_cvtps_epi32(_mm512_mul_ps(_mm512_load_ps(p + i), c))));
    return largest * (1.0f / (ATTN_P_SUM / 16));
}

/* Step i of a block, as far as it lies in [lo, hi). */
struct span {
    int lo, hi;
};
static struct span step_of(int i, int lo, int hi)
{
    const int first = i * ATTN_STEP, end = first + ATTN_STEP;
    return (struct span){ first > lo ? first : lo, end < hi ? end : hi };
}

/* Scores of R rows become weights: a step of it for all rows before the next, since each ends in a chain that takes its time. */
static void weigh(int R, const struct attn_job *job, const struct attn_row *row, const float *factor, int block, struct tile *t, float *state, size_t ld)
{
    const int base = block * ATTN_PAGE, pos0 = t->page0 * ATTN_PAGE, pos1 = t->page1 * ATTN_PAGE;
    enum { NOTHING, PART, ALL } sees[TILE]; /* of the block */
    float most[TILE], largest[TILE][STEPS], f[TILE];
    struct attn_ahead ahead = { job->v[t->page0], attn_v_bytes(job->type, job->d_v) };
    const int n_ask = (int)(t->next.n_bytes / 64) / (R * STEPS) + 1;
    for (int r = 0; r < R; r++) {
        float *s = t->score + r * BLOCK;
        sees[r] = !attn_sees(&row[r], base, BLOCK) ? NOTHING : row[r].first <= base && row[r].last >= base + BLOCK - 1 ? ALL : PART;
        if (sees[r] == NOTHING)
            continue;
        f[r] = job->softcap > 0 ? 1.0f : factor[r];
        if (job->softcap > 0)
            cap_scores(job, factor[r], s + pos0 - base, pos1 - pos0);
        most[r] = f[r] * (sees[r] == ALL ? find_most(true, &row[r], base, BLOCK, s) : find_most(false, &row[r], pos0, pos1 - pos0, s + pos0 - base));
    }
    for (int r = 0; r < R; r++) {
        float *st = state + (size_t)r * ld, *s = t->score + r * BLOCK;
        const float was = st[0];
        __m512 all = _mm512_setzero_ps();
        t->shrink[r] = 1.0f;
        if (sees[r] == NOTHING)
            continue;
        if (most[r] > was)
            t->shrink[r] = _mm512_cvtss_f32(exp2_512(_mm512_set1_ps(was > -INFINITY ? was - most[r] : -1000.0f)));
        else
            most[r] = was;
        for (int i = 0; i < STEPS; i++) {
            const struct span n = step_of(i, pos0 - base, pos1 - base);
            if (t->is_first)
                attn_touch(&ahead, 8);
            else
                attn_ask(&t->next, n_ask);
            largest[r][i] = sees[r] == ALL ? find_weights(true, job, &row[r], f[r], most[r], base + i * ATTN_STEP, ATTN_STEP, s + i * ATTN_STEP, &all)
                                           : find_weights(false, job, &row[r], f[r], most[r], base + n.lo, n.hi - n.lo, s + n.lo, &all);
        }
        st[0] = most[r];
        st[1] = st[1] * t->shrink[r] + _mm512_reduce_add_ps(all);
    }
    for (int r = 0; r < R; r++)
        for (int i = 0; i < STEPS; i++) {
            const struct span n = step_of(i, pos0 - base, pos1 - base);
            t->unit[r][i] = encode_weights(sees[r] == NOTHING ? 0.0f : largest[r][i], t->score + r * BLOCK + n.lo, t->weight + r * BLOCK + n.lo, n.hi - n.lo);
        }
}

/* The block's weights times V, for N registers of 16 dimensions from `at`, are added to the rows' states. */
INLINE void gather_dims(const enum attn_type type, const int R, const int N, const bool is_odd, const struct attn_job *job, int block, int at, const struct tile *t,
                        float *state, size_t ld)
{
    const size_t d = (size_t)job->d_v;
    const int page0 = t->page0, page1 = t->page1;
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
            for (int pair = 0; pair < ATTN_PAGE / 2; pair++) {
                __m512i x[4];
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

INLINE void gather(const enum attn_type type, const int R, const struct attn_job *job, int block, const struct tile *t, float *state, size_t ld)
{
    int at = 0;
    if (t->page1 == 0)
        return;
    if (R <= 4) /* few rows: more dimensions at once, so that enough sums are under way */
        for (; at + 64 <= job->d_v; at += 64)
            gather_dims(type, R, 4, false, job, block, at, t, state, ld);
    for (; at + 32 <= job->d_v; at += 32)
        gather_dims(type, R, 2, false, job, block, at, t, state, ld);
    for (; at < job->d_v; at += 16)
        gather_dims(type, R, 1, true, job, block, at, t, state, ld);
}

/* Rows row0 .. row0 + R - 1 in the block at page `block`: their weights. */
INLINE void look(const enum attn_type type, const int R, const struct attn_job *job, const struct attn_queries *q, int row0, int block, float *state, size_t ld,
                 struct tile *t)
{
    const struct attn_row *row = job->row + row0;
    const int pos0 = block * ATTN_PAGE, pos1 = pos0 + BLOCK;
    int lo = INT32_MAX, hi = -1;
    for (int r = 0; r < R; r++) {
        if (!attn_sees(&row[r], pos0, BLOCK))
            continue;
        lo = row[r].first < lo ? row[r].first : lo;
        hi = row[r].last > hi ? row[r].last : hi;
    }
    t->page0 = (lo > pos0 ? lo : pos0) / ATTN_PAGE;
    t->page1 = hi < 0 ? 0 : (hi < pos1 ? hi : pos1 - 1) / ATTN_PAGE + 1;
    if (hi < 0)
        return;
    score(type, R, job, q->code + (size_t)row0 * q->ld, q->ld, block, t->page0, t->page1, t);
    weigh(R, job, row, q->factor + row0, block, t, state + (size_t)row0 * ld, ld);
}

#define TILES(name, type)                                                                                                             \
    static void look_##name(int n, const struct attn_job *job, const struct attn_queries *q, int row0, int block, float *state, size_t ld, \
                            struct tile *t)                                                                                            \
    {                                                                                                                                 \
        switch (n) {                                                                                                                  \
        case 1: look(type, 1, job, q, row0, block, state, ld, t); break;                                                              \
        case 2: look(type, 2, job, q, row0, block, state, ld, t); break;                                                              \
        case 3: look(type, 3, job, q, row0, block, state, ld, t); break;                                                              \
        case 4: look(type, 4, job, q, row0, block, state, ld, t); break;                                                              \
        case 5: look(type, 5, job, q, row0, block, state, ld, t); break;                                                              \
        case 6: look(type, 6, job, q, row0, block, state, ld, t); break;                                                              \
        case 7: look(type, 7, job, q, row0, block, state, ld, t); break;                                                              \
        default: look(type, 8, job, q, row0, block, state, ld, t); break;                                                             \
        }                                                                                                                             \
    }                                                                                                                                 \
    static void gather_##name(int n, const struct attn_job *job, int block, const struct tile *t, float *state, size_t ld)            \
    {                                                                                                                                 \
        switch (n) {                                                                                                                  \
        case 1: gather(type, 1, job, block, t, state, ld); break;                                                                     \
        case 2: gather(type, 2, job, block, t, state, ld); break;                                                                     \
        case 3: gather(type, 3, job, block, t, state, ld); break;                                                                     \
        case 4: gather(type, 4, job, block, t, state, ld); break;                                                                     \
        case 5: gather(type, 5, job, block, t, state, ld); break;                                                                     \
        case 6: gather(type, 6, job, block, t, state, ld); break;                                                                     \
        case 7: gather(type, 7, job, block, t, state, ld); break;                                                                     \
        default: gather(type, 8, job, block, t, state, ld); break;                                                                    \
        }                                                                                                                             \
    }
TILES(i16, ATTN_I16)
TILES(i8, ATTN_I8)

void attn_part_codes_512(const struct attn_job *job, const struct attn_queries *q, int pos0, float *state, void *scratch)
{
    struct tile tile[ATTN_ROWS / TILE];
    const size_t ld = attn_state_floats(job->d_v);
    const int n = job->n_rows;
    int lo = INT32_MAX, hi = -1;
    for (int r = 0; r < n; r++)
        if (job->row[r].first <= job->row[r].last) {
            lo = job->row[r].first < lo ? job->row[r].first : lo;
            hi = job->row[r].last > hi ? job->row[r].last : hi;
        }
    for (int i = 0; i < ATTN_ROWS / TILE; i++) {
        tile[i].is_first = i == 0;
        tile[i].next = (struct attn_ahead){ 0 };
        tile[i].score = scratch;
        tile[i].weight = (int16_t *)(void *)(tile[i].score + TILE * BLOCK) + i * TILE * BLOCK;
    }
    const int last_page = hi / ATTN_PAGE;
    lo = lo > pos0 ? lo : pos0;
    hi = hi < pos0 + ATTN_CHUNK ? hi : pos0 + ATTN_CHUNK - 1;
    for (int block = lo / BLOCK * BLOCK_PAGES; block * ATTN_PAGE <= hi; block += BLOCK_PAGES) {
        for (int i = 1; i * TILE < n; i++) {
            const int page = block + BLOCK_PAGES + (i - 1) % BLOCK_PAGES;
            const bool is_k = i <= BLOCK_PAGES;
            tile[i].next = (struct attn_ahead){ 0 };
            if (page <= last_page)
                tile[i].next = is_k ? (struct attn_ahead){ job->k[page], attn_k_bytes(job->type, job->d_k) } : (struct attn_ahead){ job->v[page], attn_v_bytes(job->type, job->d_v) };
        }
        for (int r = 0; r < n; r += TILE) /* K is in L1 meanwhile ... */
            (job->type == ATTN_I16 ? look_i16 : look_i8)(n - r < TILE ? n - r : TILE, job, q, r, block, state, ld, &tile[r / TILE]);
        for (int r = 0; r < n; r += TILE) /* ... and then V */
            (job->type == ATTN_I16 ? gather_i16 : gather_i8)(n - r < TILE ? n - r : TILE, job, block, &tile[r / TILE], state + (size_t)r * ld, ld);
    }
}
