/* kernels/attn/run.c - a job from end to end: queries as codes, chunk after chunk, states joined; start reading at attn_run(). */
#include <math.h>
#include <string.h>

#include "kernels/attn/attn_internal.h"

static size_t whole_lines(size_t bytes) { return (bytes + 63) / 64 * 64; }
size_t attn_k_bytes(enum attn_type type, int d_k)
{
    return whole_lines(type == ATTN_F32 ? (size_t)d_k * ATTN_PAGE * 4 : attn_scales_at(type, d_k) + 2 * ATTN_PAGE * sizeof(float));
}
size_t attn_v_bytes(enum attn_type type, int d_v) { return whole_lines((size_t)d_v * ATTN_PAGE * (type == ATTN_F32 ? 4 : type == ATTN_I16 ? 2 : 1)); }

static size_t query_ld(int d_k) { return (size_t)(d_k + 1) / 2 * 2; }
static size_t query_bytes(int d_k) { return (ATTN_ROWS * query_ld(d_k) * sizeof(int16_t) + 63) / 64 * 64 + ATTN_ROWS * sizeof(float); }

/* Variants block within it: a page of K and V as floats and what some rows see of it, or a tile's scores and all rows' weights in a block. */
size_t attn_part_bytes(int d_k, int d_v)
{
    const size_t floats = ((size_t)ATTN_PAGE * ((size_t)d_k + (size_t)d_v + 16) + (size_t)64 * ATTN_PAGE) * sizeof(float),
                 codes = (size_t)ATTN_BLOCK * (ATTN_TILE * sizeof(float) + ATTN_ROWS * sizeof(int16_t));
    return floats > codes ? floats : codes;
}
size_t attn_scratch_bytes(int d_k, int d_v)
{
    return 2 * ATTN_ROWS * attn_state_floats(d_v) * sizeof(float) + query_bytes(d_k) + attn_part_bytes(d_k, d_v);
}

static struct attn_queries make_queries(const struct attn_job *job, void *mem)
{
    struct attn_queries q = { .code = mem, .ld = query_ld(job->d_k) };
    q.factor = (float *)(void *)((uint8_t *)mem + query_bytes(job->d_k)) - ATTN_ROWS;
    if (job->type == ATTN_F32)
        return q;
    for (int r = 0; r < job->n_rows; r++) {
        int16_t *code = q.code + (size_t)r * q.ld;
        code[q.ld - 1] = 0;
        q.factor[r] = attn_encode_query(code, job->row[r].q, job->d_k) * job->scale * (job->softcap > 0 ? 1.0f / job->softcap : ATTN_LOG2E);
    }
    return q;
}

/* Chunks that some row sees: [*first, *end). */
static void find_chunks(const struct attn_job *job, int *first, int *end)
{
    int lo = INT32_MAX, hi = -1;
    for (int r = 0; r < job->n_rows; r++)
        if (job->row[r].first <= job->row[r].last) {
            lo = job->row[r].first < lo ? job->row[r].first : lo;
            hi = job->row[r].last > hi ? job->row[r].last : hi;
        }
    *first = hi < 0 ? 0 : lo / ATTN_CHUNK;
    *end = hi < 0 ? 0 : hi / ATTN_CHUNK + 1;
}

/* a = a and b; b saw later positions. */
static void join(float *restrict a, const float *restrict b, int d_v)
{
    if (b[0] == -INFINITY)
        return;
    const bool a_is_less = a[0] < b[0];
    const float less = a[0] == -INFINITY ? 0.0f : exp2f(a_is_less ? a[0] - b[0] : b[0] - a[0]), ka = a_is_less ? less : 1.0f,
                kb = a_is_less ? 1.0f : less;
    a[0] = a_is_less ? b[0] : a[0];
    a[1] = a[1] * ka + b[1] * kb;
    for (int i = 0; i < d_v; i++)
        a[ATTN_HEAD + i] = a[ATTN_HEAD + i] * ka + b[ATTN_HEAD + i] * kb;
}

/* The result of a row whose state is complete. */
static void give(const struct attn_row *row, const float *s, int d_v)
{
    float sum = s[1], scale = 1.0f;
    if (row->sink > -INFINITY) {
        const float sink = row->sink * ATTN_LOG2E, most = s[0];
        if (sink > most) {
            scale = most > -INFINITY ? exp2f(most - sink) : 0.0f;
            sum = sum * scale + 1.0f;
        } else
            sum += exp2f(sink - most);
    }
    scale = sum == 0.0f ? 0.0f : scale / sum;
    float *restrict out = row->out;
    for (int i = 0; i < d_v; i++)
        out[i] = s[ATTN_HEAD + i] * scale;
}

static void clear(float *state, size_t ld, int n_rows)
{
    memset(state, 0, (size_t)n_rows * ld * sizeof(float));
    for (int r = 0; r < n_rows; r++)
        state[(size_t)r * ld] = -INFINITY;
}

void attn_run(const struct attn_ops *o, const struct attn_job *job, void *scratch)
{
    const size_t ld = attn_state_floats(job->d_v);
    float *all = scratch, *part = all + ATTN_ROWS * ld;
    const struct attn_queries q = make_queries(job, part + ATTN_ROWS * ld);
    void *rest = (uint8_t *)(void *)(part + ATTN_ROWS * ld) + query_bytes(job->d_k);
    int chunk, end;
    find_chunks(job, &chunk, &end);
    clear(all, ld, job->n_rows);
    for (bool is_first = true; chunk < end; chunk++, is_first = false) {
        float *to = is_first ? all : part;
        if (!is_first)
            clear(part, ld, job->n_rows);
        o->part(job, &q, chunk * ATTN_CHUNK, to, rest);
        for (int r = 0; r < job->n_rows && !is_first; r++)
            join(all + (size_t)r * ld, part + (size_t)r * ld, job->d_v);
    }
    for (int r = 0; r < job->n_rows; r++)
        give(&job->row[r], all + (size_t)r * ld, job->d_v);
}
