/* kernels/attn/ref.c - what a chunk of attention means, in plain C; judges the other variants. */
#include <math.h>
#include <string.h>

#include "kernels/attn/attn_internal.h"

/* Value i of a position: K is [i][slot], V is [slot][i], for codes in pairs of the first index. */
static float get(enum attn_type type, const uint8_t *page, const float *scale, int i, int slot, int d, bool is_k)
{
    const int row = is_k ? i : slot, col = is_k ? slot : i, n_cols = is_k ? ATTN_PAGE : d;
    if (type == ATTN_F32) {
        float f;
        memcpy(&f, page + (size_t)(row * n_cols + col) * 4, 4);
        return f;
    }
    const size_t at = (size_t)((row / 2 * n_cols + col) * 2 + row % 2);
    int16_t w;
    memcpy(&w, page + at * 2, type == ATTN_I16 ? 2 : 0);
    return (float)(type == ATTN_I16 ? w : (int8_t)page[at]) * scale[slot];
}

static void part(const struct attn_job *job, const struct attn_queries *q, int pos0, float *state, void *scratch)
{
    (void)q, (void)scratch;
    for (int r = 0; r < job->n_rows; r++, state += attn_state_floats(job->d_v)) {
        const struct attn_row *row = &job->row[r];
        float most = -INFINITY, sum = 0, *out = state + ATTN_HEAD;
        memset(out, 0, (size_t)job->d_v * sizeof(float));
        for (int pos = row->first > pos0 ? row->first : pos0; pos <= row->last && pos < pos0 + ATTN_CHUNK; pos++) {
            const uint8_t *k = job->k[pos / ATTN_PAGE], *v = job->v[pos / ATTN_PAGE];
            const float *scale = attn_scales(job->type, k, job->d_k);
            const int slot = pos % ATTN_PAGE;
            float s = 0;
            for (int i = 0; i < job->d_k; i++)
                s += row->q[i] * get(job->type, k, scale, i, slot, job->d_k, true);
            s *= job->scale;
            if (job->softcap > 0)
                s = job->softcap * tanhf(s / job->softcap);
            s *= ATTN_LOG2E;
            if (s > most) { /* what was added so far counts less now */
                const float shrink = most > -INFINITY ? exp2f(most - s) : 0.0f;
                sum *= shrink;
                for (int i = 0; i < job->d_v; i++)
                    out[i] *= shrink;
                most = s;
            }
            const float p = exp2f(s - most);
            sum += p;
            for (int i = 0; i < job->d_v; i++)
                out[i] += p * get(job->type, v, scale + ATTN_PAGE, i, slot, job->d_v, false);
        }
        state[0] = most;
        state[1] = sum;
    }
}

const struct attn_ops attn_ref = { .isa = "ref", .need = 0, .part = part };
