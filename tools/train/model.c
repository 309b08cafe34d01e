/* tools/train/model.c - see model.h; start reading at model_loss(): forward, loss, backward in that order.
 *
 * Everything between the products of gemm.c is small; it is written so that compilers vectorise it
 * (loops over the width or over earlier tokens innermost) and is compiled once for each instruction set.
 */
#include "model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "gemm.h"
#include "hw/cpu.h"

enum { PIECE = 32 /* tokens a thread takes at a time */, HEAD_DIM_MAX = 128, QUERY_BLOCK = 16, GROUP_MAX = 32 };

struct layer_acts { /* kept from forward for backward */
    float *x_in;  /* [T][D] before the attention block */
    float *h1;    /* [T][D] normed */
    float *qkv;   /* [T][Q + 2 G] after rope */
    float *att;   /* [T][Q] */
    float *lse;   /* [T][heads] log of the softmax's sum */
    float *x_mid; /* [T][D] before the feed-forward */
    float *h2;    /* [T][D] */
    float *gu;    /* [T][2 F] */
    float *act;   /* [T][F] */
};

struct model {
    struct shape s;
    struct layout at;
    struct pool *pool; /* borrowed */
    struct gemm *gemm;
    int isa; /* 0 plain, 1 avx2, 2 avx512 */
    size_t max_tokens;
    float *params, *grads; /* [at.n] */
    float *slab;           /* owner of all below */
    struct layer_acts layer[LAYERS_MAX];
    float *x, *h, *logits;        /* [T][D], [T][D], [T][V] */
    float *dx, *dh, *dqkv, *dgu, *datt; /* gradients on their way down; datt [T][max(Q, F)] */
    float *rope_cos, *rope_sin;   /* [ctx][head_dim / 2] */
    float *partial;               /* [pieces][D]: gains' gradients before they are added up */
    float *scratch;               /* per thread */
    size_t scratch_len;
    float *token_loss;            /* [T] */
};

/* ---- steps between the products: one struct of arguments, a body, three compilations ---- */

struct step {
    struct model *m;
    const struct batch *b;
    struct layer_acts *a;
    float *out, *out2;
    const float *in, *in2, *gain;
    size_t n_tokens, n_pieces;
    float inv_targets;
    bool backward;
};
typedef void step_body(const struct step *s, size_t piece, float *scratch);
struct step_call {
    const struct step *s;
    step_body *body;
};

static void run_pieces(struct pool *p, int ith, void *ctx)
{
    const struct step_call *c = ctx;
    float *scratch = c->s->m->scratch + (size_t)ith * c->s->m->scratch_len;
    for (size_t i; (i = (size_t)pool_take(p)) < c->s->n_pieces;)
        c->body(c->s, i, scratch);
}

#if defined(__x86_64__)
#define STEP(name)                                                                                                     \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,fma"))) static void name##_avx512(                       \
        const struct step *s, size_t piece, float *scratch) { name##_body(s, piece, scratch); }                        \
    __attribute__((target("avx2,fma"))) static void name##_avx2(const struct step *s, size_t piece, float *scratch)    \
    { name##_body(s, piece, scratch); }                                                                                \
    static void name##_plain(const struct step *s, size_t piece, float *scratch) { name##_body(s, piece, scratch); }   \
    static void name(struct step *s)                                                                                   \
    {                                                                                                                  \
        static step_body *const bodies[] = { name##_plain, name##_avx2, name##_avx512 };                               \
        struct step_call c = { s, bodies[s->m->isa] };                                                                 \
        pool_run(s->m->pool, run_pieces, &c);                                                                          \
    }
#else
#define STEP(name)                                                                                                     \
    static void name##_plain(const struct step *s, size_t piece, float *scratch) { name##_body(s, piece, scratch); }   \
    static void name(struct step *s)                                                                                   \
    {                                                                                                                  \
        struct step_call c = { s, name##_plain };                                                                      \
        pool_run(s->m->pool, run_pieces, &c);                                                                          \
    }
#endif
#define BODY static inline __attribute__((always_inline)) void

/* exp by 2^n times a polynomial of degree 6 on [-ln2/2, ln2/2] (Cephes expf, Moshier); error below 2 ulp. */
static inline __attribute__((always_inline)) float exp_fast(float x)
{
    x = x < -87.0f ? -87.0f : x > 88.0f ? 88.0f : x;
    const float magic = 12582912.0f; /* 1.5 * 2^23: adding it rounds to an integer */
    const float t = x * 1.44269504f + magic, n = t - magic;
    const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    union { float f; uint32_t u; } v = { .f = t }, w;
    w.u = (v.u - 0x4b400000u + 127u) << 23;
    return p * w.f;
}

/* Sums in 16 lanes: a fixed order, and one that vectorises. */
static inline __attribute__((always_inline)) float dot16(const float *a, const float *b, size_t n)
{
    float lane[16] = { 0 }, sum = 0.0f;
    size_t i = 0;
    for (; i + 16 <= n; i += 16)
        for (int k = 0; k < 16; k++)
            lane[k] += a[i + (size_t)k] * b[i + (size_t)k];
    for (int k = 0; k < 16; k++)
        sum += lane[k];
    for (; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}
static inline __attribute__((always_inline)) float sum16(const float *a, size_t n)
{
    float lane[16] = { 0 }, sum = 0.0f;
    size_t i = 0;
    for (; i + 16 <= n; i += 16)
        for (int k = 0; k < 16; k++)
            lane[k] += a[i + (size_t)k];
    for (int k = 0; k < 16; k++)
        sum += lane[k];
    for (; i < n; i++)
        sum += a[i];
    return sum;
}

static inline size_t piece_end(const struct step *s, size_t piece)
{
    const size_t end = (piece + 1) * PIECE;
    return end < s->n_tokens ? end : s->n_tokens;
}

BODY embed_body(const struct step *s, size_t piece, float *scratch)
{
    (void)scratch;
    const size_t d = (size_t)s->m->s.dim;
    for (size_t t = piece * PIECE; t < piece_end(s, piece); t++)
        memcpy(s->out + t * d, s->m->params + s->m->at.embed + s->b->token[t] * d, d * sizeof(float));
}
STEP(embed)

/* out = in * gain / rms(in) */
BODY norm_body(const struct step *s, size_t piece, float *scratch)
{
    (void)scratch;
    const size_t d = (size_t)s->m->s.dim;
    for (size_t t = piece * PIECE; t < piece_end(s, piece); t++) {
        const float *x = s->in + t * d;
        float *y = s->out + t * d;
        const float r = 1.0f / sqrtf(dot16(x, x, d) / (float)d + s->m->s.norm_eps);
        for (size_t i = 0; i < d; i++)
            y[i] = x[i] * r * s->gain[i];
    }
}
STEP(norm)

/* in: x, in2: d of the normed; out: dx is added to; partial: this piece's share of the gain's gradient. */
BODY norm_back_body(const struct step *s, size_t piece, float *scratch)
{
    (void)scratch;
    const size_t d = (size_t)s->m->s.dim;
    float *dg = s->m->partial + piece * d;
    memset(dg, 0, d * sizeof(float));
    for (size_t t = piece * PIECE; t < piece_end(s, piece); t++) {
        const float *x = s->in + t * d, *dy = s->in2 + t * d;
        float *dx = s->out + t * d;
        const float r = 1.0f / sqrtf(dot16(x, x, d) / (float)d + s->m->s.norm_eps);
        float lane[16] = { 0 }, sum = 0.0f;
        for (size_t i = 0; i + 16 <= d; i += 16) /* d is a multiple of 32: shape_check() */
            for (size_t k = 0; k < 16; k++)
                lane[k] += dy[i + k] * s->gain[i + k] * x[i + k];
        for (int k = 0; k < 16; k++)
            sum += lane[k];
        const float c = sum * r * r * r / (float)d;
        for (size_t i = 0; i < d; i++) {
            dg[i] += dy[i] * x[i] * r;
            dx[i] += dy[i] * s->gain[i] * r - x[i] * c;
        }
    }
}
STEP(norm_back)

BODY rope_body(const struct step *s, size_t piece, float *scratch)
{
    (void)scratch;
    const struct shape *sh = &s->m->s;
    const size_t hd = (size_t)sh->head_dim, half = hd / 2, n_rot = (size_t)(sh->n_heads + sh->n_kv_heads);
    const size_t width = (size_t)(sh->n_heads + 2 * sh->n_kv_heads) * hd;
    for (size_t t = piece * PIECE; t < piece_end(s, piece); t++) {
        const size_t pos = t % (size_t)sh->ctx - s->b->start[t];
        const float *co = s->m->rope_cos + pos * half, *si = s->m->rope_sin + pos * half;
        for (size_t h = 0; h < n_rot; h++) {
            float *v = s->out + t * width + h * hd;
            for (size_t i = 0; i < half; i++) {
                const float a = v[2 * i], b = v[2 * i + 1], sn = s->backward ? -si[i] : si[i];
                v[2 * i] = a * co[i] - b * sn;
                v[2 * i + 1] = a * sn + b * co[i];
            }
        }
    }
}
STEP(rope)

/* A piece is one key/value head of one row: all query heads that share it, so that the gradients of its
 * keys and values have one writer.  Keys and values are transposed into scratch: loops over earlier
 * tokens run along memory. */
static inline __attribute__((always_inline)) void transpose_head(float *out, const float *in, size_t stride, size_t ctx,
                                                                  size_t hd)
{
    for (size_t t = 0; t < ctx; t++)
        for (size_t i = 0; i < hd; i++)
            out[i * ctx + t] = in[t * stride + i];
}

/* Queries go in blocks of QUERY_BLOCK tokens, all heads of the group: [rows][hd], row = token x group + head. */
struct head_block {
    size_t t0, n_tok, rows; /* in the row of tokens; rows = n_tok * group */
    size_t k0, n_keys;      /* the keys that any of them may see, rounded out to 32 */
};
struct head_job {
    size_t hd, ctx, nh, group, width, row, kv;
    const float *base, *k, *v; /* qkv of the row; keys and values of this head, `width` apart */
    const uint16_t *start;     /* of the row */
};

static inline __attribute__((always_inline)) struct head_job head_job_of(const struct step *s, size_t piece)
{
    const struct shape *sh = &s->m->s;
    struct head_job j = { .hd = (size_t)sh->head_dim, .ctx = (size_t)sh->ctx, .nh = (size_t)sh->n_heads };
    const size_t nkv = (size_t)sh->n_kv_heads;
    j.group = j.nh / nkv, j.width = (j.nh + 2 * nkv) * j.hd, j.row = piece / nkv, j.kv = piece % nkv;
    j.base = s->a->qkv + j.row * j.ctx * j.width;
    j.k = j.base + (j.nh + j.kv) * j.hd, j.v = j.k + nkv * j.hd;
    j.start = s->b->start + j.row * j.ctx;
    return j;
}

static inline __attribute__((always_inline)) struct head_block block_at(const struct head_job *j, size_t t0)
{
    struct head_block b = { .t0 = t0, .n_tok = j->ctx - t0 < QUERY_BLOCK ? j->ctx - t0 : QUERY_BLOCK };
    const size_t end = (t0 + b.n_tok + 31) / 32 * 32;
    b.rows = b.n_tok * j->group;
    b.k0 = j->start[t0] / 32u * 32u; /* starts never go back within a row */
    b.n_keys = (end < j->ctx ? end : j->ctx) - b.k0;
    return b;
}

static inline __attribute__((always_inline)) void gather_queries(float *q, const struct head_job *j, const struct head_block *b,
                                                                  float scale)
{
    for (size_t t = 0; t < b->n_tok; t++)
        for (size_t i = 0; i < j->group * j->hd; i++)
            q[t * j->group * j->hd + i] = j->base[(b->t0 + t) * j->width + j->kv * j->group * j->hd + i] * scale;
}

BODY attend_body(const struct step *s, size_t piece, float *scratch)
{
    const struct head_job j = head_job_of(s, piece);
    const struct gemm *g = s->m->gemm;
    const size_t hd = j.hd, ctx = j.ctx, rows_max = QUERY_BLOCK * j.group;
    float *k_t = scratch, *q = k_t + hd * ctx, *out = q + rows_max * hd, *p = out + rows_max * hd;
    transpose_head(k_t, j.k, j.width, ctx, hd);
    for (size_t t0 = 0; t0 < ctx; t0 += QUERY_BLOCK) {
        const struct head_block b = block_at(&j, t0);
        gather_queries(q, &j, &b, 1.0f / sqrtf((float)hd));
        gemm_small(g, b.rows, b.n_keys, hd, q, hd, 1, k_t + b.k0, ctx, p, ctx, false);
        float inv[QUERY_BLOCK * GROUP_MAX];
        for (size_t r = 0; r < b.rows; r++) {
            const size_t t = t0 + r / j.group, lo = j.start[t] - b.k0, hi = t + 1 - b.k0;
            float *e = p + r * ctx, top = e[lo];
            for (size_t i = lo + 1; i < hi; i++)
                top = e[i] > top ? e[i] : top;
            for (size_t i = lo; i < hi; i++)
                e[i] = exp_fast(e[i] - top);
            const float sum = sum16(e + lo, hi - lo);
            inv[r] = 1.0f / sum;
            s->a->lse[(j.row * ctx + t) * j.nh + j.kv * j.group + r % j.group] = top + logf(sum);
            memset(e, 0, lo * sizeof(*e));
            memset(e + hi, 0, (b.n_keys - hi) * sizeof(*e));
        }
        gemm_small(g, b.rows, hd, b.n_keys, p, ctx, 1, j.v + b.k0 * j.width, j.width, out, hd, false);
        for (size_t r = 0; r < b.rows; r++)
            for (size_t i = 0; i < hd; i++)
                s->a->att[((j.row * ctx + t0 + r / j.group) * j.nh + j.kv * j.group + r % j.group) * hd + i] = out[r * hd + i] * inv[r];
    }
}
STEP(attend)

/* in: d of the heads' outputs [T][Q]; out: dqkv [T][Q + 2 G]. */
BODY attend_back_body(const struct step *s, size_t piece, float *scratch)
{
    const struct head_job j = head_job_of(s, piece);
    const struct gemm *g = s->m->gemm;
    const size_t hd = j.hd, ctx = j.ctx, rows_max = QUERY_BLOCK * j.group, nkv = j.nh / j.group;
    const float scale = 1.0f / sqrtf((float)hd);
    float *dbase = s->out + j.row * ctx * j.width;
    float *k_t = scratch, *v_t = k_t + hd * ctx, *dk = v_t + hd * ctx, *dv = dk + hd * ctx;
    float *q = dv + hd * ctx, *dq = q + rows_max * hd, *dout = dq + rows_max * hd, *p = dout + rows_max * hd, *dp = p + rows_max * ctx;
    transpose_head(k_t, j.k, j.width, ctx, hd);
    transpose_head(v_t, j.v, j.width, ctx, hd);
    memset(dk, 0, 2 * hd * ctx * sizeof(float));
    for (size_t t0 = 0; t0 < ctx; t0 += QUERY_BLOCK) {
        const struct head_block b = block_at(&j, t0);
        const size_t at0 = (j.row * ctx + t0) * j.nh + j.kv * j.group; /* of the block's first head and token */
        gather_queries(q, &j, &b, scale);
        for (size_t t = 0; t < b.n_tok; t++)
            memcpy(dout + t * j.group * hd, s->in + (at0 + t * j.nh) * hd, j.group * hd * sizeof(float));
        gemm_small(g, b.rows, b.n_keys, hd, q, hd, 1, k_t + b.k0, ctx, p, ctx, false);
        gemm_small(g, b.rows, b.n_keys, hd, dout, hd, 1, v_t + b.k0, ctx, dp, ctx, false);
        for (size_t r = 0; r < b.rows; r++) {
            const size_t t = t0 + r / j.group, lo = j.start[t] - b.k0, hi = t + 1 - b.k0;
            const size_t at = at0 + r / j.group * j.nh + r % j.group;
            const float lse = s->a->lse[at], mean = dot16(dout + r * hd, s->a->att + at * hd, hd); /* sum_s p[s] dp[s] */
            float *pr = p + r * ctx, *dr = dp + r * ctx;
            for (size_t i = lo; i < hi; i++) {
                pr[i] = exp_fast(pr[i] - lse);
                dr[i] = pr[i] * (dr[i] - mean);
            }
            memset(pr, 0, lo * sizeof(float));
            memset(dr, 0, lo * sizeof(float));
            memset(pr + hi, 0, (b.n_keys - hi) * sizeof(float));
            memset(dr + hi, 0, (b.n_keys - hi) * sizeof(float));
        }
        gemm_small(g, b.rows, hd, b.n_keys, dp, ctx, 1, j.k + b.k0 * j.width, j.width, dq, hd, false);
        gemm_small(g, b.n_keys, hd, b.rows, p, 1, ctx, dout, hd, dv + b.k0 * hd, hd, true);
        gemm_small(g, b.n_keys, hd, b.rows, dp, 1, ctx, q, hd, dk + b.k0 * hd, hd, true); /* q carries the scale */
        for (size_t t = 0; t < b.n_tok; t++)
            for (size_t i = 0; i < j.group * hd; i++)
                dbase[(t0 + t) * j.width + j.kv * j.group * hd + i] = dq[t * j.group * hd + i] * scale;
    }
    for (size_t t = 0; t < ctx; t++) {
        memcpy(dbase + t * j.width + (j.nh + j.kv) * hd, dk + t * hd, hd * sizeof(float));
        memcpy(dbase + t * j.width + (j.nh + nkv + j.kv) * hd, dv + t * hd, hd * sizeof(float));
    }
}
STEP(attend_back)

BODY glu_body(const struct step *s, size_t piece, float *scratch)
{
    (void)scratch;
    const size_t f = (size_t)s->m->s.ffn;
    for (size_t t = piece * PIECE; t < piece_end(s, piece); t++) {
        const float *g = s->a->gu + t * 2 * f, *u = g + f;
        float *y = s->a->act + t * f;
        for (size_t i = 0; i < f; i++)
            y[i] = g[i] / (1.0f + exp_fast(-g[i])) * u[i];
    }
}
STEP(glu)

/* in: d of act; out: d of gate and up */
BODY glu_back_body(const struct step *s, size_t piece, float *scratch)
{
    (void)scratch;
    const size_t f = (size_t)s->m->s.ffn;
    for (size_t t = piece * PIECE; t < piece_end(s, piece); t++) {
        const float *g = s->a->gu + t * 2 * f, *u = g + f, *dy = s->in + t * f;
        float *dg = s->out + t * 2 * f, *du = dg + f;
        for (size_t i = 0; i < f; i++) {
            const float sig = 1.0f / (1.0f + exp_fast(-g[i]));
            du[i] = dy[i] * g[i] * sig;
            dg[i] = dy[i] * u[i] * sig * (1.0f + g[i] * (1.0f - sig));
        }
    }
}
STEP(glu_back)

/* Cross entropy; with `backward` the logits turn into their gradients in place. */
BODY entropy_body(const struct step *s, size_t piece, float *scratch)
{
    const size_t v = (size_t)s->m->s.vocab;
    for (size_t t = piece * PIECE; t < piece_end(s, piece); t++) {
        float *l = s->m->logits + t * v;
        const int32_t target = s->b->target[t];
        s->m->token_loss[t] = 0.0f;
        if (target < 0) {
            if (s->backward)
                memset(l, 0, v * sizeof(float));
            continue;
        }
        float lane[16], top, *e = s->backward ? l : scratch;
        memcpy(lane, l, sizeof(lane)); /* vocab is a multiple of 32 */
        for (size_t i = 16; i < v; i += 16)
            for (size_t k = 0; k < 16; k++)
                lane[k] = l[i + k] > lane[k] ? l[i + k] : lane[k];
        top = lane[0];
        for (int k = 1; k < 16; k++)
            top = lane[k] > top ? lane[k] : top;
        const float at_target = l[target];
        for (size_t i = 0; i < v; i++)
            e[i] = exp_fast(l[i] - top);
        const float sum = sum16(e, v);
        s->m->token_loss[t] = top + logf(sum) - at_target;
        if (!s->backward)
            continue;
        const float c = s->inv_targets / sum;
        for (size_t i = 0; i < v; i++)
            l[i] *= c;
        l[target] -= s->inv_targets;
    }
}
STEP(entropy)

/* Gradient of the embedding rows: a piece is a strip of 32 columns, so each element has one writer. */
BODY embed_back_body(const struct step *s, size_t piece, float *scratch)
{
    (void)scratch;
    const size_t d = (size_t)s->m->s.dim;
    for (size_t t = 0; t < s->n_tokens; t++) {
        float *g = s->m->grads + s->m->at.embed + s->b->token[t] * d + piece * 32;
        const float *x = s->in + t * d + piece * 32;
        for (int i = 0; i < 32; i++)
            g[i] += x[i];
    }
}
STEP(embed_back)

/* ---- the story ---- */

static struct step step_of(struct model *m, const struct batch *b)
{
    const size_t n = (size_t)b->n_rows * (size_t)m->s.ctx;
    return (struct step){ .m = m, .b = b, .n_tokens = n, .n_pieces = (n + PIECE - 1) / PIECE };
}

/* y [T][n_out] = x [T][n_in] W^T */
static bool linear(struct model *m, float *y, const float *x, const float *w, size_t t, size_t n_in, size_t n_out,
                   struct err *err)
{
    return gemm_run(m->gemm, t, n_out, n_in, (struct mat){ x, n_in, 1 }, (struct mat){ w, 1, n_in }, y, n_out, false, err);
}
/* dx = dy W, dw += dy^T x */
static bool linear_back(struct model *m, float *dx, float *dw, const float *dy, const float *x, const float *w, size_t t,
                        size_t n_in, size_t n_out, bool add_dx, struct err *err)
{
    return gemm_run(m->gemm, n_out, n_in, t, (struct mat){ dy, 1, n_out }, (struct mat){ x, n_in, 1 }, dw, n_in, true, err) &&
           gemm_run(m->gemm, t, n_in, n_out, (struct mat){ dy, n_out, 1 }, (struct mat){ w, n_in, 1 }, dx, n_in, add_dx, err);
}

static bool layer_forward(struct model *m, const struct batch *b, int l, struct err *err)
{
    const struct layer_at *at = &m->at.layer[l];
    struct layer_acts *a = &m->layer[l];
    const size_t d = (size_t)m->s.dim, hd = (size_t)m->s.head_dim, q = (size_t)m->s.n_heads * hd;
    const size_t width = q + 2 * (size_t)m->s.n_kv_heads * hd, f = (size_t)m->s.ffn;
    struct step s = step_of(m, b), att = s;
    const size_t t = s.n_tokens;
    s.a = att.a = a;
    memcpy(a->x_in, m->x, t * d * sizeof(float));
    s.in = m->x, s.out = a->h1, s.gain = m->params + at->norm1;
    norm(&s);
    if (!linear(m, a->qkv, a->h1, m->params + at->wqkv, t, d, width, err))
        return false;
    s.out = a->qkv;
    rope(&s);
    att.n_pieces = (size_t)b->n_rows * (size_t)m->s.n_kv_heads;
    attend(&att);
    if (!gemm_run(m->gemm, t, d, q, (struct mat){ a->att, q, 1 }, (struct mat){ m->params + at->wo, 1, q }, m->x, d, true, err))
        return false;
    memcpy(a->x_mid, m->x, t * d * sizeof(float));
    s.in = m->x, s.out = a->h2, s.gain = m->params + at->norm2;
    norm(&s);
    if (!linear(m, a->gu, a->h2, m->params + at->wgu, t, d, 2 * f, err))
        return false;
    glu(&s);
    return gemm_run(m->gemm, t, d, f, (struct mat){ a->act, f, 1 }, (struct mat){ m->params + at->wd, 1, f }, m->x, d, true, err);
}

static void add_gain_grads(struct model *m, const struct step *s, float *dg)
{
    for (size_t p = 0; p < s->n_pieces; p++)
        for (size_t i = 0; i < (size_t)m->s.dim; i++)
            dg[i] += m->partial[p * (size_t)m->s.dim + i];
}

/* m->dx is d of the layer's output when called and d of its input afterwards. */
static bool layer_backward(struct model *m, const struct batch *b, int l, struct err *err)
{
    const struct layer_at *at = &m->at.layer[l];
    struct layer_acts *a = &m->layer[l];
    const float *w = m->params;
    float *g = m->grads;
    const size_t d = (size_t)m->s.dim, hd = (size_t)m->s.head_dim, q = (size_t)m->s.n_heads * hd;
    const size_t width = q + 2 * (size_t)m->s.n_kv_heads * hd, f = (size_t)m->s.ffn;
    struct step s = step_of(m, b), att = s;
    const size_t t = s.n_tokens;
    s.a = att.a = a;

    if (!linear_back(m, m->datt, g + at->wd, m->dx, a->act, w + at->wd, t, f, d, false, err))
        return false;
    s.in = m->datt, s.out = m->dgu;
    glu_back(&s);
    if (!linear_back(m, m->dh, g + at->wgu, m->dgu, a->h2, w + at->wgu, t, d, 2 * f, false, err))
        return false;
    s.in = a->x_mid, s.in2 = m->dh, s.out = m->dx, s.gain = w + at->norm2;
    norm_back(&s);
    add_gain_grads(m, &s, g + at->norm2);

    if (!linear_back(m, m->datt, g + at->wo, m->dx, a->att, w + at->wo, t, q, d, false, err))
        return false;
    att.in = m->datt, att.out = m->dqkv, att.n_pieces = (size_t)b->n_rows * (size_t)m->s.n_kv_heads;
    attend_back(&att);
    s.out = m->dqkv, s.backward = true;
    rope(&s);
    if (!linear_back(m, m->dh, g + at->wqkv, m->dqkv, a->h1, w + at->wqkv, t, d, width, false, err))
        return false;
    s.in = a->x_in, s.in2 = m->dh, s.out = m->dx, s.gain = w + at->norm1;
    norm_back(&s);
    add_gain_grads(m, &s, g + at->norm1);
    return true;
}

bool model_loss(struct model *m, const struct batch *b, bool backward, double *loss, size_t *n_targets, float *losses,
                struct err *err)
{
    struct step s = step_of(m, b);
    const size_t t = s.n_tokens, d = (size_t)m->s.dim, v = (size_t)m->s.vocab;
    const float *embedding = m->params + m->at.embed;
    if (t > m->max_tokens)
        return err_set(err, ERR_INTERNAL, "model: %zu tokens in a batch of at most %zu", t, m->max_tokens);

    s.out = m->x;
    embed(&s);
    for (int l = 0; l < m->s.n_layers; l++)
        if (!layer_forward(m, b, l, err))
            return false;
    s.in = m->x, s.out = m->h, s.gain = m->params + m->at.norm;
    norm(&s);
    if (!linear(m, m->logits, m->h, embedding, t, d, v, err))
        return false;

    size_t n = 0;
    for (size_t i = 0; i < t; i++)
        n += b->target[i] >= 0;
    s.backward = backward, s.inv_targets = n ? 1.0f / (float)n : 0.0f;
    entropy(&s);
    double sum = 0.0;
    for (size_t i = 0; i < t; i++)
        sum += m->token_loss[i];
    *loss = n ? sum / (double)n : 0.0;
    *n_targets = n;
    if (losses)
        memcpy(losses, m->token_loss, t * sizeof(float));
    if (!backward)
        return true;

    memset(m->grads, 0, m->at.n * sizeof(float));
    if (!linear_back(m, m->dh, m->grads + m->at.embed, m->logits, m->h, embedding, t, d, v, false, err))
        return false;
    memset(m->dx, 0, t * d * sizeof(float));
    s.in = m->x, s.in2 = m->dh, s.out = m->dx, s.gain = m->params + m->at.norm;
    norm_back(&s);
    add_gain_grads(m, &s, m->grads + m->at.norm);
    for (int l = m->s.n_layers - 1; l >= 0; l--)
        if (!layer_backward(m, b, l, err))
            return false;
    s.in = m->dx, s.n_pieces = d / 32;
    embed_back(&s);
    return true;
}

void model_logits_at(struct model *m, size_t token_index, float *logits)
{
    memcpy(logits, m->logits + token_index * (size_t)m->s.vocab, (size_t)m->s.vocab * sizeof(float));
}

/* ---- making ---- */

bool shape_check(const struct shape *s, struct err *err)
{
    if (s->n_layers < 1 || s->n_layers > LAYERS_MAX)
        return err_set(err, ERR_INPUT, "layers: %d is not between 1 and %d", s->n_layers, LAYERS_MAX);
    if (s->dim < 32 || s->dim > 4096 || s->dim % 32 || s->ffn < 32 || s->ffn > 16384 || s->ffn % 32)
        return err_set(err, ERR_INPUT, "dim %d and ffn %d must be multiples of 32", s->dim, s->ffn);
    if (s->vocab < 32 || s->vocab > 65536 || s->vocab % 32)
        return err_set(err, ERR_INPUT, "vocab: %d is no multiple of 32 up to 65536", s->vocab);
    if (s->head_dim < 4 || s->head_dim > HEAD_DIM_MAX || s->head_dim % 4 || s->n_kv_heads < 1 || s->n_heads < s->n_kv_heads ||
        s->n_heads % s->n_kv_heads || s->n_heads / s->n_kv_heads > GROUP_MAX || s->n_heads * s->head_dim % 32)
        return err_set(err, ERR_INPUT, "heads: %d of %d values over %d for keys do not fit together", s->n_heads, s->head_dim,
                       s->n_kv_heads);
    if (s->ctx < 8 || s->ctx > 8192)
        return err_set(err, ERR_INPUT, "ctx: %d is not between 8 and 8192", s->ctx);
    return true;
}

static void lay_out(struct layout *at, const struct shape *s)
{
    const size_t d = (size_t)s->dim, q = (size_t)(s->n_heads * s->head_dim), g = (size_t)(s->n_kv_heads * s->head_dim);
    size_t n = 0;
#define PLACE(field, len) at->field = n, n += (len)
    PLACE(embed, (size_t)s->vocab * d);
    for (int l = 0; l < s->n_layers; l++) {
        PLACE(layer[l].norm1, d);
        PLACE(layer[l].wqkv, (q + 2 * g) * d);
        PLACE(layer[l].wo, d * q);
        PLACE(layer[l].norm2, d);
        PLACE(layer[l].wgu, 2 * (size_t)s->ffn * d);
        PLACE(layer[l].wd, d * (size_t)s->ffn);
    }
    PLACE(norm, d);
#undef PLACE
    at->n = n;
}

/* Two walks: the first with slab NULL adds up, the second hands out. */
static size_t hand_out(struct model *m, float *slab)
{
    const struct shape *s = &m->s;
    const size_t t = m->max_tokens, d = (size_t)s->dim, q = (size_t)(s->n_heads * s->head_dim), f = (size_t)s->ffn;
    const size_t width = q + 2 * (size_t)(s->n_kv_heads * s->head_dim);
    size_t n = 0;
#define GIVE(field, len)                                                                                               \
    do {                                                                                                               \
        m->field = slab ? slab + n : NULL;                                                                             \
        n += ((len) + 15) / 16 * 16;                                                                                   \
    } while (0)
    for (int l = 0; l < s->n_layers; l++) {
        GIVE(layer[l].x_in, t * d);
        GIVE(layer[l].h1, t * d);
        GIVE(layer[l].qkv, t * width);
        GIVE(layer[l].att, t * q);
        GIVE(layer[l].lse, t * (size_t)s->n_heads);
        GIVE(layer[l].x_mid, t * d);
        GIVE(layer[l].h2, t * d);
        GIVE(layer[l].gu, t * 2 * f);
        GIVE(layer[l].act, t * f);
    }
    GIVE(params, m->at.n);
    GIVE(grads, m->at.n);
    GIVE(x, t * d);
    GIVE(h, t * d);
    GIVE(logits, t * (size_t)s->vocab);
    GIVE(dx, t * d);
    GIVE(dh, t * d);
    GIVE(dqkv, t * width);
    GIVE(dgu, t * 2 * f);
    GIVE(datt, t * (q > f ? q : f));
    GIVE(rope_cos, (size_t)(s->ctx * s->head_dim / 2));
    GIVE(rope_sin, (size_t)(s->ctx * s->head_dim / 2));
    GIVE(partial, (t / PIECE + 1) * d);
    GIVE(scratch, m->scratch_len * (size_t)pool_n_threads(m->pool));
    GIVE(token_loss, t);
#undef GIVE
    return n;
}

struct model *model_new(const struct shape *s, struct pool *pool, unsigned cpu_flags, int max_rows, struct err *err)
{
    if (!shape_check(s, err))
        return NULL;
    struct model *m = calloc(1, sizeof(*m));
    if (!m)
        return err_null(err, ERR_NOMEM, "model: out of memory");
    m->s = *s;
    m->pool = pool;
    m->isa = cpu_flags & CPU_AVX512 ? 2 : cpu_flags & CPU_AVX2 ? 1 : 0;
    m->max_tokens = (size_t)max_rows * (size_t)s->ctx;
    const size_t rows = QUERY_BLOCK * (size_t)(s->n_heads / s->n_kv_heads), hd = (size_t)s->head_dim;
    const size_t head = (4 * hd + 2 * rows) * (size_t)s->ctx + 3 * rows * hd; /* attend_back_body() */
    m->scratch_len = ((head > (size_t)s->vocab ? head : (size_t)s->vocab) + 15) / 16 * 16;
    lay_out(&m->at, s);
    const size_t n = hand_out(m, NULL);
    m->slab = aligned_alloc(64, n * sizeof(float));
    m->gemm = gemm_new(pool, cpu_flags, err);
    if (!m->slab || !m->gemm) {
        model_free(m);
        return err_null(err, ERR_NOMEM, "model: cannot reserve %zu bytes", n * sizeof(float));
    }
    hand_out(m, m->slab);
    for (int p = 0; p < s->ctx; p++)
        for (int i = 0; i < s->head_dim / 2; i++) {
            const double a = p * pow((double)s->rope_base, -2.0 * i / s->head_dim);
            m->rope_cos[p * s->head_dim / 2 + i] = (float)cos(a);
            m->rope_sin[p * s->head_dim / 2 + i] = (float)sin(a);
        }
    memset(m->params, 0, m->at.n * sizeof(float));
    return m;
}

void model_free(struct model *m)
{
    if (!m)
        return;
    gemm_free(m->gemm);
    free(m->slab);
    free(m);
}

static void fill_normal(float *w, size_t n, double sigma, struct rng *r)
{
    for (size_t i = 0; i < n; i++) /* Box and Muller 1958 */
        w[i] = (float)(sigma * sqrt(-2.0 * log(1.0 - rng_f64(r))) * cos(6.283185307179586 * rng_f64(r)));
}

void model_init_weights(struct model *m, uint64_t seed)
{
    const struct shape *s = &m->s;
    const size_t d = (size_t)s->dim, q = (size_t)(s->n_heads * s->head_dim), g = (size_t)(s->n_kv_heads * s->head_dim);
    const size_t f = (size_t)s->ffn;
    struct rng r;
    rng_seed(&r, seed);
    float *w = m->params;
    fill_normal(w + m->at.embed, (size_t)s->vocab * d, 0.03, &r);
    /* The two products that write into the residual stream start smaller (GPT-2, Radford et al. 2019). */
    const double residual = 1.0 / sqrt(2.0 * s->n_layers);
    for (int l = 0; l < s->n_layers; l++) {
        const struct layer_at *at = &m->at.layer[l];
        for (size_t i = 0; i < d; i++)
            w[at->norm1 + i] = w[at->norm2 + i] = 1.0f;
        fill_normal(w + at->wqkv, (q + 2 * g) * d, 0.6 / sqrt((double)d), &r);
        fill_normal(w + at->wo, d * q, 0.6 * residual / sqrt((double)q), &r);
        fill_normal(w + at->wgu, 2 * f * d, 0.6 / sqrt((double)d), &r);
        fill_normal(w + at->wd, d * f, 0.6 * residual / sqrt((double)f), &r);
    }
    for (size_t i = 0; i < d; i++)
        w[m->at.norm + i] = 1.0f;
}

const struct shape *model_shape(const struct model *m) { return &m->s; }
const struct layout *model_layout(const struct model *m) { return &m->at; }
float *model_params(struct model *m) { return m->params; }
float *model_grads(struct model *m) { return m->grads; }
const char *model_isa(const struct model *m) { return gemm_isa(m->gemm); }
struct gemm *model_gemm(struct model *m) { return m->gemm; }
