/* kernels/matmul/ref.c - what matmul means, in plain C; judges the other variants. */
#include <math.h>
#include <string.h>

#include "kernels/matmul/matmul_internal.h"

static void quantize(struct acts *a, int tok0, int tok1)
{
    const int nb = a->n_cols / 32;
    for (int t = tok0; t < tok1; t++)
        for (int b = 0; b < nb; b++) {
            const float *x = a->x + (size_t)t * a->n_cols + b * 32;
            int8_t *q = a->q + (size_t)t * a->n_cols + b * 32;
            /* As integers, magnitudes order like the numbers, and NaN lies above infinity: it wins. */
            uint32_t top = 0;
            for (int i = 0; i < 32; i++) {
                uint32_t u;
                memcpy(&u, &x[i], 4);
                top = (u & 0x7fffffff) > top ? u & 0x7fffffff : top;
            }
            float most;
            memcpy(&most, &top, 4);
            const bool plain = top >= 0x0d800000 && top < 0x7f800000; /* 2^-100 up to what is finite */
            const float step = plain || top > 0x0d800000 ? most / 127.0f : 0.0f, inv = plain ? 127.0f / most : 0.0f;
            int sum[2] = { 0, 0 }, qq = 0;
            float yq[16] = { 0 };
            for (int i = 0; i < 32; i++) {
                const float y = plain ? x[i] * inv : 0.0f;
                q[i] = (int8_t)lrintf(y);
                sum[i / 16] += q[i];
                qq += q[i] * q[i];
                yq[i % 16] += y * (float)q[i];
            }
            for (int half = 8; half > 0; half /= 2)
                for (int i = 0; i < half; i++)
                    yq[i] += yq[i + half];
            const float d = plain ? step * (yq[0] / (float)qq) : step;
            a->d[(size_t)t * nb + b] = d;
            a->sum[((size_t)t * nb + b) * 2] = (int16_t)sum[0];
            a->sum[((size_t)t * nb + b) * 2 + 1] = (int16_t)sum[1];
        }
}

/* Packed weights: for each block of 32: y += d_x * (sum over halves of scale * (codes . q) + off * sum q). */
static void packed(float *y, size_t ldy, const struct weight *w, int group0, int group1, const struct acts *a, int n_tok,
                   void *scratch)
{
    (void)scratch;
    const int nb = w->n_cols / 32, row1 = group1 * 16 < w->n_rows ? group1 * 16 : w->n_rows;
    for (int r = group0 * 16; r < row1; r++) {
        for (int t = 0; t < n_tok; t++)
            y[(size_t)t * ldy + r] = 0;
        for (int b = 0; b < nb; b++) {
            struct row_block o;
            weight_read_block(&o, w, r, b);
            for (int t = 0; t < n_tok; t++) {
                const int8_t *q = a->q + (size_t)t * w->n_cols + b * 32;
                const int16_t *sum = a->sum + ((size_t)t * nb + b) * 2;
                float s = 0;
                for (int h = 0; h < 2; h++) {
                    int dot = 0;
                    for (int i = 0; i < 16; i++)
                        dot += o.code[h * 16 + i] * q[h * 16 + i];
                    s += o.scale[h] * (float)dot + o.off[h] * (float)sum[h];
                }
                y[(size_t)t * ldy + r] += a->d[(size_t)t * nb + b] * s;
            }
        }
    }
}

/* Rows as in the file, any type: dequantize a row, then a float dot product in 16 lanes. */
static void rows(float *y, size_t ldy, const struct weight *w, int group0, int group1, const struct acts *a, int n_tok,
                 void *scratch)
{
    const int n = w->n_cols, row1 = group1 * 16 < w->n_rows ? group1 * 16 : w->n_rows;
    float *row = scratch;
    for (int r = group0 * 16; r < row1; r++) {
        if (!dtype_to_f32(row, w->type, w->data + (size_t)r * w->row_bytes, (size_t)n))
            memset(row, 0, (size_t)n * sizeof(float));
        for (int t = 0; t < n_tok; t++) {
            const float *x = a->x + (size_t)t * n;
            float lane[16] = { 0 }, s = 0;
            int k = 0;
            for (; k + 16 <= n; k += 16)
                for (int i = 0; i < 16; i++)
                    lane[i] += row[k + i] * x[k + i];
            for (; k < n; k++)
                s += row[k] * x[k];
            for (int i = 0; i < 16; i++)
                s += lane[i];
            y[(size_t)t * ldy + r] = s;
        }
    }
}

static void any(float *y, size_t ldy, const struct weight *w, int group0, int group1, const struct acts *a, int n_tok,
                void *scratch)
{
    (w->layout == WEIGHT_R16 ? packed : rows)(y, ldy, w, group0, group1, a, n_tok, scratch);
}

static size_t scratch_bytes(int n_cols) { return (size_t)n_cols * sizeof(float); }

const struct matmul_ops matmul_ref = {
    .isa = "ref",
    .need = 0,
    .quantize = quantize,
    .scratch_bytes = scratch_bytes,
    .fn = {
#define X(id, name, n, bytes) [DTYPE_##name] = any,
        DTYPE_LIST(X)
#undef X
    },
};
