/* tools/train/optim.c - see optim.h; start reading at optim_step(). */
#include "optim.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "gemm.h"

struct block { /* a matrix of its own */
    size_t at, rows, cols;
};

struct optim {
    struct model *m; /* borrowed */
    bool muon;
    size_t n; /* parameters */
    float *moments;
    struct block *block;
    size_t n_blocks;
    float *x, *a, *b; /* Newton-Schulz: [short][long], [short][short] twice */
};

/* q, k, v, gate and up lie together for speed; each is a matrix of its own here. */
static void list_blocks(struct optim *o)
{
    const struct shape *s = model_shape(o->m);
    const struct layout *at = model_layout(o->m);
    const size_t d = (size_t)s->dim, q = (size_t)(s->n_heads * s->head_dim), g = (size_t)(s->n_kv_heads * s->head_dim);
    const size_t f = (size_t)s->ffn;
    for (int l = 0; l < s->n_layers; l++) {
        const struct layer_at *y = &at->layer[l];
        const struct block b[] = {
            { y->wqkv, q, d }, { y->wqkv + q * d, g, d }, { y->wqkv + (q + g) * d, g, d }, { y->wo, d, q },
            { y->wgu, f, d },  { y->wgu + f * d, f, d },  { y->wd, d, f },
        };
        memcpy(o->block + o->n_blocks, b, sizeof(b));
        o->n_blocks += sizeof(b) / sizeof(b[0]);
    }
}

struct optim *optim_new(struct model *m, bool muon, struct err *err)
{
    struct optim *o = calloc(1, sizeof(*o));
    if (!o)
        return err_null(err, ERR_NOMEM, "optimizer: out of memory");
    o->m = m, o->muon = muon, o->n = model_layout(m)->n;
    o->moments = calloc(2 * o->n, sizeof(float));
    o->block = calloc((size_t)model_shape(m)->n_layers * 7, sizeof(*o->block));
    if (o->block)
        list_blocks(o);
    size_t longest = 1, widest = 1;
    for (size_t i = 0; i < o->n_blocks; i++) {
        const size_t r = o->block[i].rows, c = o->block[i].cols, lo = r < c ? r : c;
        longest = r * c > longest ? r * c : longest;
        widest = lo > widest ? lo : widest;
    }
    o->x = malloc(longest * sizeof(float));
    o->a = malloc(widest * widest * sizeof(float));
    o->b = malloc(widest * widest * sizeof(float));
    if (o->moments && o->block && o->x && o->a && o->b)
        return o;
    optim_free(o);
    return err_null(err, ERR_NOMEM, "optimizer: out of memory");
}

void optim_free(struct optim *o)
{
    if (!o)
        return;
    free(o->moments);
    free(o->block);
    free(o->x);
    free(o->a);
    free(o->b);
    free(o);
}

float *optim_moments(struct optim *o) { return o->moments; }

double optim_clip(struct model *m, double clip)
{
    float *g = model_grads(m);
    const size_t n = model_layout(m)->n;
    double sum = 0.0;
    for (size_t i = 0; i < n; i++)
        sum += (double)g[i] * g[i];
    const double norm = sqrt(sum);
    if (norm > clip) {
        const float c = (float)(clip / norm);
        for (size_t i = 0; i < n; i++)
            g[i] *= c;
    }
    return norm;
}

static void adamw(struct optim *o, size_t at, size_t n, int64_t step, double lr, double decay)
{
    const float b1 = 0.9f, b2 = 0.95f, eps = 1e-8f;
    const float c1 = (float)(1.0 / (1.0 - pow(0.9, (double)step + 1.0))), c2 = (float)(1.0 / (1.0 - pow(0.95, (double)step + 1.0)));
    const float rate = (float)lr, keep = (float)(1.0 - lr * decay);
    float *w = model_params(o->m) + at, *m = o->moments + at, *v = o->moments + o->n + at;
    const float *g = model_grads(o->m) + at;
    for (size_t i = 0; i < n; i++) {
        m[i] = b1 * m[i] + (1.0f - b1) * g[i];
        v[i] = b2 * v[i] + (1.0f - b2) * g[i] * g[i];
        w[i] = w[i] * keep - rate * (m[i] * c1) / (sqrtf(v[i] * c2) + eps);
    }
}

static bool muon(struct optim *o, const struct block *k, double lr, double decay, struct err *err)
{
    float *w = model_params(o->m) + k->at, *mom = o->moments + k->at, *x = o->x;
    const float *g = model_grads(o->m) + k->at;
    const size_t n = k->rows * k->cols;
    const bool tall = k->rows > k->cols;
    const size_t lo = tall ? k->cols : k->rows, hi = tall ? k->rows : k->cols;
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) {
        mom[i] = 0.95f * mom[i] + g[i];
        const float y = g[i] + 0.95f * mom[i]; /* Nesterov's look ahead */
        x[tall ? i % k->cols * k->rows + i / k->cols : i] = y;
        sum += (double)y * y;
    }
    const float scale = (float)(1.0 / (sqrt(sum) + 1e-7));
    for (size_t i = 0; i < n; i++)
        x[i] *= scale;
    struct gemm *gemm = model_gemm(o->m);
    for (int i = 0; i < 5; i++) { /* X = a X + (b A + c A A) X with A = X X^T */
        const struct mat mx = { x, hi, 1 }, mxt = { x, 1, hi }, ma = { o->a, lo, 1 }, mb = { o->b, lo, 1 };
        if (!gemm_run(gemm, lo, lo, hi, mx, mxt, o->a, lo, false, err) || !gemm_run(gemm, lo, lo, lo, ma, ma, o->b, lo, false, err))
            return false;
        for (size_t j = 0; j < lo * lo; j++)
            o->b[j] = -4.7750f * o->a[j] + 2.0315f * o->b[j];
        for (size_t j = 0; j < lo; j++)
            o->b[j * lo + j] += 3.4445f;
        /* X must not be read and written at once: through the gradient's place, which nobody needs any more. */
        float *next = model_grads(o->m) + k->at;
        if (!gemm_run(gemm, lo, hi, lo, mb, mx, next, hi, false, err))
            return false;
        memcpy(x, next, n * sizeof(*x));
    }
    const float rate = (float)(lr * 0.2 * sqrt((double)hi)), keep = (float)(1.0 - lr * decay);
    for (size_t i = 0; i < n; i++)
        w[i] = w[i] * keep - rate * x[tall ? i % k->cols * k->rows + i / k->cols : i];
    return true;
}

bool optim_step(struct optim *o, int64_t step, double lr, double weight_decay, struct err *err)
{
    const struct shape *s = model_shape(o->m);
    const struct layout *at = model_layout(o->m);
    const size_t d = (size_t)s->dim;
    adamw(o, at->embed, (size_t)s->vocab * d, step, lr, 0.0);
    for (int l = 0; l < s->n_layers; l++) {
        adamw(o, at->layer[l].norm1, d, step, lr, 0.0);
        adamw(o, at->layer[l].norm2, d, step, lr, 0.0);
    }
    adamw(o, at->norm, d, step, lr, 0.0);
    for (size_t i = 0; i < o->n_blocks; i++) {
        const struct block *b = &o->block[i];
        if (!o->muon)
            adamw(o, b->at, b->rows * b->cols, step, lr, weight_decay);
        else if (!muon(o, b, lr, weight_decay, err))
            return false;
    }
    return true;
}
