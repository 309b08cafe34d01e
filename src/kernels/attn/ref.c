/* kernels/attn/ref.c - what attention means, in plain C; judges the other variants. */
#include <math.h>
#include <string.h>

#include "kernels/attn/attn.h"

static float get(enum dtype type, const uint8_t *page, int at, int d, int scale_at)
{
    if (type == DTYPE_F32) {
        float f;
        memcpy(&f, page + (size_t)at * 4, 4);
        return f;
    }
    uint16_t h;
    if (type == DTYPE_F16) {
        memcpy(&h, page + (size_t)at * 2, 2);
        return dtype_f16_to_f32(h);
    }
    memcpy(&h, page + (size_t)d * ATTN_PAGE + (size_t)scale_at * 2, 2);
    return (float)(int8_t)page[at] * dtype_f16_to_f32(h);
}

static void run_row(const struct attn_job *job, const struct attn_row *row)
{
    float most = row->sink, sum = row->sink > -INFINITY ? 1.0f : 0.0f;
    memset(row->out, 0, (size_t)job->d_v * sizeof(float));
    for (int pos = row->first; pos <= row->last; pos++) {
        const uint8_t *k = job->k[pos / ATTN_PAGE], *v = job->v[pos / ATTN_PAGE];
        const int slot = pos % ATTN_PAGE;
        float s = 0;
        for (int i = 0; i < job->d_k; i++)
            s += row->q[i] * get(job->type, k, i * ATTN_PAGE + slot, job->d_k, i / 32 * ATTN_PAGE + slot);
        s *= job->scale;
        if (job->softcap > 0)
            s = job->softcap * tanhf(s / job->softcap);
        if (s > most) { /* what was added so far counts less now */
            const float shrink = most > -INFINITY ? expf(most - s) : 0.0f;
            sum *= shrink;
            for (int i = 0; i < job->d_v; i++)
                row->out[i] *= shrink;
            most = s;
        }
        const float p = expf(s - most);
        sum += p;
        for (int i = 0; i < job->d_v; i++)
            row->out[i] += p * get(job->type, v, slot * job->d_v + i, job->d_v, slot * (job->d_v / 32) + i / 32);
    }
    for (int i = 0; i < job->d_v; i++)
        row->out[i] = sum > 0 ? row->out[i] / sum : 0.0f;
}

static void run(const struct attn_job *job, void *scratch)
{
    (void)scratch;
    for (int r = 0; r < job->n_rows; r++)
        run_row(job, &job->row[r]);
}

static void put_one(enum dtype type, uint8_t *page, const float *x, int d, int slot, int stride, int step, int scale_at, int scale_step)
{
    /* value i lies at slot * stride + i * step; the scale of i / 32 at scale_at + i / 32 * scale_step */
    for (int i = 0; i < d; i++) {
        const size_t at = (size_t)(slot * stride + i * step);
        if (type == DTYPE_F32)
            memcpy(page + at * 4, &x[i], 4);
        else if (type == DTYPE_F16) {
            const uint16_t h = dtype_f32_to_f16(x[i]);
            memcpy(page + at * 2, &h, 2);
        } else {
            if (i % 32 == 0) {
                float most = 0;
                for (int j = i; j < i + 32; j++)
                    most = fabsf(x[j]) > most ? fabsf(x[j]) : most;
                const uint16_t h = dtype_f32_to_f16(most / 127.0f);
                memcpy(page + (size_t)d * ATTN_PAGE + (size_t)(scale_at + i / 32 * scale_step) * 2, &h, 2);
            }
            uint16_t h;
            memcpy(&h, page + (size_t)d * ATTN_PAGE + (size_t)(scale_at + i / 32 * scale_step) * 2, 2);
            const float scale = dtype_f16_to_f32(h), q = scale > 0 ? x[i] / scale : 0.0f;
            page[at] = (uint8_t)(int8_t)lrintf(q > 127.0f ? 127.0f : q < -127.0f ? -127.0f : q);
        }
    }
}

static void put(enum dtype type, uint8_t *k_page, uint8_t *v_page, int slot, const float *k, const float *v, int d_k, int d_v)
{
    put_one(type, k_page, k, d_k, slot, 1, ATTN_PAGE, slot, ATTN_PAGE);
    put_one(type, v_page, v, d_v, slot, d_v, 1, slot * (d_v / 32), 1);
}

const struct attn_ops attn_ref = { .isa = "ref", .need = 0, .run = run, .put = put };
