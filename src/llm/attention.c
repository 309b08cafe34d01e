/* llm/attention.c - the first half of a layer; start reading at attention_step(). */
#include <math.h>
#include <string.h>

#include "llm/ctx.h"

static const float *rope_of(const struct llm_ctx *c, const struct llm_layer *y, int t)
{
    const bool own_base = y->has_window && c->m->arch->window_rope_base > 0;
    return c->cs + ((size_t)(own_base ? c->n_batch_max : 0) + (size_t)t) * (size_t)c->m->n_rot;
}

static void turn(const struct llm_model *m, float *head, const float *cs)
{
    (m->arch->rope == ROPE_HALVES ? m->kernels->vec->rope_halves : m->kernels->vec->rope_adjacent)(head, cs, m->n_rot);
}

static float *row_of(const struct llm_ctx *c, int t)
{
    return c->qkv + (size_t)t * (size_t)(c->m->n_q + c->m->n_k + c->m->n_v);
}

/* Q/K norm and rope of K/V head h of one token and of the query heads that share it; K and V go to the cache. */
static void place_head(struct llm_ctx *c, const struct llm_layer *y, int layer, int t, int h)
{
    const struct llm_model *m = c->m;
    const int group = m->n_head / m->n_kv, pos = c->tok[t].pos;
    const float *cs = rope_of(c, y, t);
    float *q = row_of(c, t) + h * group * m->d_k, *k = row_of(c, t) + m->n_q + h * m->d_k, *v = row_of(c, t) + m->n_q + m->n_k + h * m->d_v;
    for (int g = 0; g < group; g++) {
        if (y->q_norm)
            m->kernels->vec->rmsnorm(q + g * m->d_k, q + g * m->d_k, y->q_norm, m->d_k, m->eps);
        if (y->has_rope)
            turn(m, q + g * m->d_k, cs);
    }
    if (y->k_norm)
        m->kernels->vec->rmsnorm(k, k, y->k_norm, m->d_k, m->eps);
    if (y->has_rope)
        turn(m, k, cs);
    const int page = c->kv.seq[c->tok[t].seq].pages[pos / ATTN_PAGE];
    attn_put(c->kv.type, kv_k(&c->kv, layer, page, h), kv_v(&c->kv, layer, page, h), pos % ATTN_PAGE, k, v, m->d_k, m->d_v);
}

/* Tokens [t0, t1) of one run against K/V head h: q [..][group heads][d_k] at q0 with ldq per token, results to c->att. */
static void attend(struct llm_ctx *c, int ith, const struct llm_layer *y, int layer, int h, int t0, int t1, const float *q0, size_t ldq)
{
    const struct llm_model *m = c->m;
    struct thread_scratch *s = &c->thread[ith];
    const int group = m->n_head / m->n_kv, last_pos = c->sees_all ? c->n_tok - 1 : c->tok[t1 - 1].pos;
    kv_pages(&c->kv, layer, c->tok[t0].seq, h, last_pos / ATTN_PAGE + 1, s->k, s->v);
    struct attn_job job = { .type = c->kv.type, .d_k = m->d_k, .d_v = m->d_v, .scale = m->attn_scale, .softcap = m->attn_cap,
                            .k = s->k, .v = s->v, .row = s->rows };
    for (int t = t0; t < t1; t++)
        for (int g = 0; g < group; g++) {
            const int head = h * group + g, pos = c->tok[t].pos;
            const int first = y->has_window && !c->sees_all && pos - m->window + 1 > 0 ? pos - m->window + 1 : 0;
            s->rows[job.n_rows++] = (struct attn_row){
                .q = q0 + (size_t)t * ldq + (size_t)head * (size_t)m->d_k,
                .out = c->att + ((size_t)t * (size_t)m->n_head + (size_t)head) * (size_t)m->d_v,
                .first = first,
                .last = c->sees_all ? c->n_tok - 1 : pos,
                .sink = y->sinks ? y->sinks[head] : -INFINITY,
            };
            if (job.n_rows == ATTN_ROWS) {
                attn_run(m->kernels->attn, &job, s->attn);
                job.n_rows = 0;
            }
        }
    if (job.n_rows > 0)
        attn_run(m->kernels->attn, &job, s->attn);
}

/* Pieces of (run, K/V head, some tokens): prefill.  Long runs are cut so that a piece has about ATTN_ROWS rows. */
static void attend_all(struct llm_ctx *c, int ith, const struct llm_layer *y, int layer, const float *q0, size_t ldq)
{
    const struct llm_model *m = c->m;
    const int group = m->n_head / m->n_kv, step = group < ATTN_ROWS ? ATTN_ROWS / group : 1;
    int64_t mine = pool_take(m->pool), before = 0;
    for (int r = 0; r < c->n_runs; r++) {
        const struct run *run = &c->run[r];
        const int n_cuts = (run->n + step - 1) / step;
        for (; mine < before + (int64_t)n_cuts * m->n_kv; mine = pool_take(m->pool)) {
            /* Late tokens see the most: they go first, so that no thread is left alone with them. */
            const int cut = n_cuts - 1 - (int)((mine - before) / m->n_kv), h = (int)((mine - before) % m->n_kv);
            const int t0 = run->first + cut * step, t1 = cut + 1 < n_cuts ? t0 + step : run->first + run->n;
            attend(c, ith, y, layer, h, t0, t1, q0, ldq);
        }
        before += (int64_t)n_cuts * m->n_kv;
    }
}

static void heads_step(struct llm_ctx *c, int ith, const struct llm_layer *y, int layer)
{
    const struct llm_model *m = c->m;
    const size_t ldq = (size_t)(m->n_q + m->n_k + m->n_v);
    const bool is_decode = c->n_runs == c->n_tok; /* one token of each sequence: a head needs only its own K and V */
    if (is_decode) {
        for (int64_t i; (i = pool_take(m->pool)) < (int64_t)c->n_tok * m->n_kv;) {
            const int t = (int)(i / m->n_kv), h = (int)(i % m->n_kv);
            place_head(c, y, layer, t, h);
            attend(c, ith, y, layer, h, t, t + 1, c->qkv, ldq);
        }
        return;
    }
    for (int t = 0, end = 0; next_token(c, &t, &end); t++)
        for (int h = 0; h < m->n_kv; h++)
            place_head(c, y, layer, t, h);
    pool_barrier(m->pool);
    attend_all(c, ith, y, layer, c->qkv, ldq);
}

/* ---- latent attention (DeepSeek-V2, arXiv 2405.04434, section 2.1.2, with the absorbed matrices of appendix C) ---- */

/* Rows t0.. of a strided buffer as acts of this thread; n <= SMALL. */
static struct acts gather(struct llm_ctx *c, int ith, const float *from, size_t ld, int t0, int n, int n_cols, enum acts_kind kind)
{
    struct thread_scratch *s = &c->thread[ith];
    struct acts a = { .n_cols = n_cols, .x = s->norm };
    for (int t = 0; t < n; t++)
        memcpy(s->norm + (size_t)t * (size_t)n_cols, from + (size_t)(t0 + t) * ld, (size_t)n_cols * sizeof(float));
    if (kind == ACTS_Q8) {
        acts_place(&a, s->acts, n, n_cols);
        c->m->kernels->matmul.quantize(&a, 0, n);
    }
    return a;
}

/* For every head: y[t][head] = W[head] x[t][head], rows of x and y apart by ldx, ldy, heads by dx, dy. */
static void per_head(struct llm_ctx *c, int ith, float *y, size_t ldy, size_t dy, const float *x, size_t ldx, size_t dx,
                     const struct weight_stack *w)
{
    const struct llm_model *m = c->m;
    const int n_cuts = (c->n_tok + SMALL - 1) / SMALL;
    for (int64_t i; (i = pool_take(m->pool)) < (int64_t)n_cuts * m->n_head;) {
        const int head = (int)(i / n_cuts), t0 = (int)(i % n_cuts) * SMALL, n = c->n_tok - t0 < SMALL ? c->n_tok - t0 : SMALL;
        const struct weight wh = weight_stack_at(w, head);
        const struct acts a = gather(c, ith, x + (size_t)head * dx, ldx, t0, n, wh.n_cols, matmul_acts_kind(wh.type));
        product_alone(c, ith, y + (size_t)t0 * ldy + (size_t)head * dy, ldy, &wh, &a, n);
    }
    pool_barrier(m->pool);
}

static void latent_step(struct llm_ctx *c, int ith, const struct llm_layer *y, int layer)
{
    const struct llm_model *m = c->m;
    const size_t ld = (size_t)(m->n_q + m->n_k), ldl = (size_t)m->n_head * (size_t)m->d_k, dv = (size_t)m->d_v_head;
    const struct input in = { c->x, y->attn_norm, y->attn_norm_b, m->n_embd };
    /* down to the ranks: q_a (into att, later overwritten) and the latent with K's rope part (into qkv) */
    const struct weight *qw = y->q_a.data ? &y->q_a : &y->q_b;
    struct acts a = product_input(c, ith, &in, matmul_acts_kind(qw->type) | matmul_acts_kind(y->kv_a.type));
    const struct product down[2] = {
        { .w = &y->kv_a, .y = c->qkv + m->n_q, .ldy = ld },
        { .w = qw, .y = y->q_a.data ? c->att : c->qkv, .ldy = y->q_a.data ? (size_t)m->q_lora : ld },
    };
    product_run(c, ith, down, 2, &a, c->n_tok);
    pool_barrier(m->pool);
    if (y->q_a.data) {
        const struct input q_in = { c->att, y->q_a_norm, NULL, m->q_lora };
        a = product_input(c, ith, &q_in, matmul_acts_kind(y->q_b.type));
        const struct product up = { .w = &y->q_b, .y = c->qkv, .ldy = ld };
        product_run(c, ith, &up, 1, &a, c->n_tok);
        pool_barrier(m->pool);
    }
    /* latent normalised, rope parts turned, the cache written, q's rope part behind its latent part */
    for (int t = 0, end = 0; next_token(c, &t, &end); t++) {
        const int pos = c->tok[t].pos, page = c->kv.seq[c->tok[t].seq].pages[pos / ATTN_PAGE];
        float *q = c->qkv + (size_t)t * ld, *kv = q + m->n_q;
        const float *cs = rope_of(c, y, t);
        m->kernels->vec->rmsnorm(kv, kv, y->kv_a_norm, m->kv_lora, m->eps);
        turn(m, kv + m->kv_lora, cs);
        attn_put(c->kv.type, kv_k(&c->kv, layer, page, 0), kv_v(&c->kv, layer, page, 0), pos % ATTN_PAGE, kv, kv, m->d_k, m->d_v);
        for (int h = 0; h < m->n_head; h++) {
            float *rope = q + h * m->d_q_head + m->d_nope;
            turn(m, rope, cs);
            memcpy(c->latent + (size_t)t * ldl + (size_t)(h * m->d_k + m->kv_lora), rope, (size_t)m->n_rot * sizeof(float));
        }
    }
    pool_barrier(m->pool);
    per_head(c, ith, c->latent, ldl, (size_t)m->d_k, c->qkv, ld, (size_t)m->d_q_head, &y->k_b);
    attend_all(c, ith, y, layer, c->latent, ldl);
    pool_barrier(m->pool);
    per_head(c, ith, c->latent, (size_t)m->n_head * dv, dv, c->att, (size_t)m->n_head * (size_t)m->d_v, (size_t)m->d_v, &y->v_b);
}

void attention_step(struct llm_ctx *c, int ith, int layer)
{
    const struct llm_model *m = c->m;
    const struct llm_layer *y = &m->layers[layer];
    struct input out = { c->att, NULL, NULL, m->n_head * m->d_v };
    if (m->arch->mla) {
        latent_step(c, ith, y, layer);
        out = (struct input){ c->latent, NULL, NULL, m->n_head * m->d_v_head };
    } else {
        const size_t ld = (size_t)(m->n_q + m->n_k + m->n_v);
        const struct input in = { c->x, y->attn_norm, y->attn_norm_b, m->n_embd };
        struct product p[3];
        int n = 0, kinds = 0;
        for (int i = 0, at = 0; i < 3 && y->qkv[i].data; at += y->qkv[i++].n_rows) {
            p[n++] = (struct product){ .w = &y->qkv[i], .y = c->qkv + at, .ldy = ld, .bias = y->qkv_bias ? y->qkv_bias + at : NULL };
            kinds |= matmul_acts_kind(y->qkv[i].type);
        }
        const struct acts a = product_input(c, ith, &in, kinds);
        product_run(c, ith, p, n, &a, c->n_tok);
        pool_barrier(m->pool);
        heads_step(c, ith, y, m->info.is_encoder ? 0 : layer); /* an encoder keeps nothing between layers */
        pool_barrier(m->pool);
    }
    const struct acts a = product_input(c, ith, &out, matmul_acts_kind(y->o.type));
    const bool is_gemma = y->post_attn_norm && !m->arch->post_norm;
    const struct product o = { .w = &y->o, .y = c->tmp, .ldy = (size_t)m->n_embd, .bias = y->o_bias,
                               .add_to = is_gemma ? NULL : c->x, .scale = m->residual_scale };
    product_run(c, ith, &o, 1, &a, c->n_tok);
    pool_barrier(m->pool);
    if (m->arch->post_norm)
        norm_in_place(c, y->post_attn_norm, y->post_attn_norm_b);
    else if (is_gemma)
        add_normed(c, c->tmp, y->post_attn_norm, y->post_attn_norm_b);
}
