/* kernels/attn/avx2.c - attention with AVX2 and FMA: floats in lanes8.inc, codes (vpmaddwd, 16 multiply-adds in two instructions) here.
 *
 * Start reading at part_codes().  The same walk as avx512_codes.c with tiles of two rows: eight sums in registers, since a multiply-add needs a register
 * more than vpdpwssd.
 */
#include "hw/cpu.h"
#include "kernels/attn/lanes8.inc"

enum { CODE_TILE = 2, CODE_BLOCK = ATTN_BLOCK, STEPS = CODE_BLOCK / ATTN_STEP };

struct weights { /* of up to CODE_TILE rows in one block */
    int page0, page1; /* what the rows see of the block; none: page1 is 0 */
    float *p;         /* [CODE_TILE][CODE_BLOCK] scores, then probabilities; the next tile's too */
    int16_t *code;    /* [CODE_TILE][CODE_BLOCK] */
    float shrink[CODE_TILE], unit[CODE_TILE][STEPS];
};

/* Eight pairs of codes, the first of them pair `at` of the page. */
INLINE __m256i read_pairs(const enum attn_type t, const uint8_t *page, size_t at)
{
    return t == ATTN_I16 ? _mm256_loadu_si256((const void *)(page + at * 4)) : _mm256_cvtepi8_epi16(_mm_loadu_si128((const void *)(page + at * 2)));
}
/* The first n < 8 of them, the rest zeros. */
static __m256i read_some_pairs(enum attn_type t, const uint8_t *page, size_t at, int n)
{
    int16_t w[16] = { 0 };
    for (int i = 0; i < 2 * n; i++)
        w[i] = (int16_t)code_at(t, page, at * 2 + (size_t)i);
    return _mm256_loadu_si256((const void *)w);
}
INLINE __m256i pair_of(const int16_t *p)
{
    int32_t x;
    memcpy(&x, p, 4);
    return _mm256_set1_epi32(x);
}
INLINE __m256i add_product(__m256i sum, __m256i a, __m256i b) { return _mm256_add_epi32(sum, _mm256_madd_epi16(a, b)); }

/* w->p[r][..] = codes of q . codes of K * K's scale for the pages [page0, page1) of the block at page `block`. */
INLINE void score_codes(const enum attn_type t, const int R, const struct attn_job *job, const int16_t *q, size_t ldq, int block, int page0, int page1,
                        struct weights *w)
{
    for (int page = page0; page < page1; page++) {
        const uint8_t *k = job->k[page];
        const float *scale = attn_scales(t, k, job->d_k);
        __m256i s[CODE_TILE][4];
        UNROLL
        for (int r = 0; r < R; r++)
            for (int n = 0; n < 4; n++)
                s[r][n] = _mm256_setzero_si256();
        for (size_t i = 0; i < ldq / 2; i++) {
            __m256i x[CODE_TILE];
            UNROLL
            for (int r = 0; r < R; r++)
                x[r] = pair_of(q + (size_t)r * ldq + i * 2);
            UNROLL
            for (int n = 0; n < 4; n++) {
                const __m256i kk = read_pairs(t, k, i * ATTN_PAGE + (size_t)n * 8);
                UNROLL
                for (int r = 0; r < R; r++)
                    s[r][n] = add_product(s[r][n], x[r], kk);
            }
        }
        float *to = w->p + (page - block) * ATTN_PAGE;
        UNROLL
        for (int n = 0; n < 4; n++) {
            const v8 f = v8_load(scale + n * 8);
            UNROLL
            for (int r = 0; r < R; r++)
                v8_store(to + r * CODE_BLOCK + n * 8, v8_mul(_mm256_cvtepi32_ps(s[r][n]), f));
        }
    }
}

/* Probabilities times V's scales at the pages [page0, page1) as codes, one unit for each ATTN_STEP positions. */
static void encode_weights(const struct attn_job *job, int block, int page0, int page1, struct weights *w, int r)
{
    for (int i = 0; i < STEPS; i++) {
        const int first = block + i * (ATTN_STEP / ATTN_PAGE), end = first + ATTN_STEP / ATTN_PAGE;
        v8 sum = v8_set(0.0f);
        for (int page = first > page0 ? first : page0; page < end && page < page1; page++) {
            float *p = w->p + r * CODE_BLOCK + (page - block) * ATTN_PAGE;
            const float *scale = attn_scales(job->type, job->k[page], job->d_k) + ATTN_PAGE;
            for (int n = 0; n < ATTN_PAGE; n += 8) {
                const v8 x = v8_load(p + n), seen = _mm256_cmp_ps(x, v8_set(0.0f), _CMP_NEQ_UQ);
                const v8 y = _mm256_and_ps(v8_mul(x, v8_load(scale + n)), seen); /* a scale of what was not stored may be anything */
                v8_store(p + n, y);
                sum = v8_add(sum, y);
            }
        }
        /* Eight sums of every eighth: none is above the largest, so all are below eight times that; and a code is below 2^15. */
        const float largest = v8_max_of(sum), c = largest > 0 ? (ATTN_P_SUM / 8 - 8) / largest : 0.0f;
        w->unit[r][i] = largest * (1.0f / (ATTN_P_SUM / 8 - 8));
        for (int page = first > page0 ? first : page0; page < end && page < page1; page++) {
            const int at = r * CODE_BLOCK + (page - block) * ATTN_PAGE;
            for (int n = 0; n < ATTN_PAGE; n += 16) {
                const __m256i lo = _mm256_cvtps_epi32(v8_mul(v8_load(w->p + at + n), v8_set(c))), hi = _mm256_cvtps_epi32(v8_mul(v8_load(w->p + at + n + 8), v8_set(c)));
                _mm256_storeu_si256((void *)(w->code + at + n), _mm256_permute4x64_epi64(_mm256_packs_epi32(lo, hi), 0xd8));
            }
        }
    }
}

/* The block's weights times V, for N registers of eight dimensions from `at`, are added to the rows' states. */
INLINE void gather_codes(const enum attn_type t, const int R, const int N, const bool is_odd, const struct attn_job *job, int block, int at,
                         const struct weights *w, float *state, size_t ld)
{
    const int page0 = w->page0, page1 = w->page1;
    for (int i = 0; i < STEPS; i++) {
        const int first = block + i * (ATTN_STEP / ATTN_PAGE), end = first + ATTN_STEP / ATTN_PAGE;
        __m256i s[CODE_TILE][8];
        UNROLL
        for (int r = 0; r < R; r++)
            UNROLL
            for (int n = 0; n < N; n++)
                s[r][n] = _mm256_setzero_si256();
        for (int page = first > page0 ? first : page0; page < end && page < page1; page++) {
            const uint8_t *v = job->v[page];
            const int16_t *code = w->code + (page - block) * ATTN_PAGE;
            for (int pair = 0; pair < ATTN_PAGE / 2; pair++) {
                const size_t from = (size_t)pair * (size_t)job->d_v + (size_t)at;
                __m256i x[CODE_TILE];
                UNROLL
                for (int r = 0; r < R; r++)
                    x[r] = pair_of(code + r * CODE_BLOCK + pair * 2);
                UNROLL
                for (int n = 0; n < N; n++) {
                    const __m256i vv = is_odd ? read_some_pairs(t, v, from, job->d_v - at) : read_pairs(t, v, from + (size_t)n * 8);
                    UNROLL
                    for (int r = 0; r < R; r++)
                        s[r][n] = add_product(s[r][n], x[r], vv);
                }
            }
        }
        UNROLL
        for (int r = 0; r < R; r++) {
            const v8 shrink = v8_set(i == 0 ? w->shrink[r] : 1.0f), unit = v8_set(w->unit[r][i]);
            UNROLL
            for (int n = 0; n < N; n++) { /* states have room for whole registers */
                float *a = state + (size_t)r * ld + ATTN_HEAD + at + n * 8;
                v8_store(a, v8_fma(v8_load(a), shrink, v8_mul(_mm256_cvtepi32_ps(s[r][n]), unit)));
            }
        }
    }
}

/* The weights of R rows in the block at page `block`. */
INLINE void look(const enum attn_type t, const int R, const struct attn_job *job, const struct attn_queries *q, int row0, int block, float *state, size_t ld,
                 struct weights *w)
{
    const struct attn_row *row = job->row + row0;
    const int pos0 = block * ATTN_PAGE;
    int lo = INT32_MAX, hi = -1;
    for (int r = 0; r < R; r++)
        if (attn_sees(&row[r], pos0, CODE_BLOCK)) {
            lo = row[r].first < lo ? row[r].first : lo;
            hi = row[r].last > hi ? row[r].last : hi;
        }
    w->page0 = (lo > pos0 ? lo : pos0) / ATTN_PAGE;
    w->page1 = hi < 0 ? 0 : (hi < pos0 + CODE_BLOCK ? hi : pos0 + CODE_BLOCK - 1) / ATTN_PAGE + 1;
    if (hi < 0)
        return;
    const int page0 = w->page0, page1 = w->page1;
    score_codes(t, R, job, q->code + (size_t)row0 * q->ld, q->ld, block, page0, page1, w);
    for (int r = 0; r < R; r++) {
        if (!attn_sees(&row[r], pos0, CODE_BLOCK)) {
            memset(w->code + r * CODE_BLOCK, 0, CODE_BLOCK * sizeof(int16_t));
            memset(w->unit[r], 0, sizeof(w->unit[r]));
            w->shrink[r] = 1.0f;
            continue;
        }
        w->shrink[r] = weigh8(job, &row[r], q->factor[row0 + r], page0 * ATTN_PAGE, (page1 - page0) * ATTN_PAGE,
                              w->p + r * CODE_BLOCK + (page0 - block) * ATTN_PAGE, state + (size_t)(row0 + r) * ld);
        encode_weights(job, block, page0, page1, w, r);
    }
}

INLINE void gather(const enum attn_type t, const int R, const struct attn_job *job, int block, const struct weights *w, float *state, size_t ld)
{
    int at = 0;
    if (w->page1 == 0)
        return;
    for (; at + 32 <= job->d_v; at += 32)
        gather_codes(t, R, 4, false, job, block, at, w, state, ld);
    for (; at + 8 <= job->d_v; at += 8)
        gather_codes(t, R, 1, false, job, block, at, w, state, ld);
    if (at < job->d_v)
        gather_codes(t, R, 1, true, job, block, at, w, state, ld);
}

/* All tiles are weighed before the first one gathers: L1 has room for a block's K or V, not for both. */
INLINE void block_codes(const enum attn_type t, const struct attn_job *job, const struct attn_queries *q, int block, float *state, size_t ld, struct weights *w)
{
    for (int r = 0; r < job->n_rows; r += CODE_TILE)
        if (job->n_rows - r >= CODE_TILE)
            look(t, CODE_TILE, job, q, r, block, state, ld, &w[r / CODE_TILE]);
        else
            look(t, 1, job, q, r, block, state, ld, &w[r / CODE_TILE]);
    for (int r = 0; r < job->n_rows; r += CODE_TILE)
        if (job->n_rows - r >= CODE_TILE)
            gather(t, CODE_TILE, job, block, &w[r / CODE_TILE], state + (size_t)r * ld, ld);
        else
            gather(t, 1, job, block, &w[r / CODE_TILE], state + (size_t)r * ld, ld);
}

static void part_codes(const struct attn_job *job, const struct attn_queries *q, int pos0, float *state, void *scratch)
{
    const size_t ld = attn_state_floats(job->d_v);
    struct weights w[ATTN_ROWS / CODE_TILE];
    for (int i = 0; i < ATTN_ROWS / CODE_TILE; i++) {
        w[i].p = scratch;
        w[i].code = (int16_t *)(void *)(w[i].p + CODE_TILE * CODE_BLOCK) + i * CODE_TILE * CODE_BLOCK;
    }
    for (int block = pos0 / ATTN_PAGE; block < (pos0 + ATTN_CHUNK) / ATTN_PAGE; block += CODE_BLOCK / ATTN_PAGE)
        if (job->type == ATTN_I16)
            block_codes(ATTN_I16, job, q, block, state, ld, w);
        else
            block_codes(ATTN_I8, job, q, block, state, ld, w);
}

static void part(const struct attn_job *job, const struct attn_queries *q, int pos0, float *state, void *scratch)
{
    if (job->type == ATTN_F32)
        part_floats(job, pos0, state, scratch);
    else
        part_codes(job, q, pos0, state, scratch);
}

const struct attn_ops attn_avx2 = { .isa = "avx2", .need = CPU_AVX2, .part = part };
