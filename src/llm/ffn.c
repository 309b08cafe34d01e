/* llm/ffn.c - the second half of a layer: dense, experts, or both; start reading at ffn_step(). */
#include <math.h>
#include <string.h>

#include "llm/ctx.h"

static const float SWIGLU_ALPHA = 1.702f, SWIGLU_LIMIT = 7.0f; /* gpt-oss, see golden facts in docs/MODEL.md */

/* out = act(gate) * up, or act(up) without a gate; out may be gate. */
static void activate(const struct llm_model *m, float *out, const float *gate, const float *up, int n)
{
    const struct vec_ops *v = m->kernels->vec;
    if (!gate)
        v->gelu_mul(out, up, NULL, n);
    else if (m->arch->act == ACT_GELU)
        v->gelu_mul(out, gate, up, n);
    else if (m->arch->act == ACT_SWIGLU_OAI)
        v->swiglu_oai(out, gate, up, n, SWIGLU_ALPHA, SWIGLU_LIMIT);
    else
        v->silu_mul(out, gate, up, n);
}

static void add_bias(float *y, const float *bias, int n)
{
    for (int i = 0; bias && i < n; i++)
        y[i] += bias[i];
}

struct gated { /* one gated product: ff[t][r] = act(gate[r] x + b) * (up[r] x + b) */
    struct weight gate, up; /* gate.data NULL: none */
    const float *gate_bias, *up_bias;
};

/* Values r .. r + n of row t of `to`, from x; r and n are multiples of 32. */
static void quantize_part(const struct llm_ctx *c, const struct acts *to, const float *x, int t, int r, int n)
{
    const size_t at = (size_t)t * (size_t)to->n_cols + (size_t)r;
    struct acts part = { .n_cols = n, .x = x, .q = to->q + at, .d = to->d + at / 32, .sum = to->sum + at / 16 };
    c->m->kernels->matmul.quantize(&part, 0, 1);
}

/* Rows of groups [g0, g1): the up part goes through this thread's tile and never to memory; the result goes to ff, or, quantized, to
 * `to` (ff NULL): then the gate's part stays in a tile, too. */
static void gated_piece(struct llm_ctx *c, int ith, float *ff, size_t ld, const struct acts *to, const struct gated *w, int g0, int g1,
                        const struct acts *a, int n_tok)
{
    const struct llm_model *m = c->m;
    struct thread_scratch *s = &c->thread[ith];
    const int room = c->n_batch_max * TILE_GROUPS / n_tok & ~1; /* groups that the tile holds for these tokens; pairs, as blocks of 32 */
    for (int g = g0, h; g < g1; g = h) {
        h = g1 - g < room ? g1 : g + room;
        const struct weight up = weight_groups(&w->up, g, h);
        const int n = up.n_rows, at = g * MATMUL_GROUP;
        const size_t ldt = (size_t)(h - g) * MATMUL_GROUP;
        m->kernels->matmul.fn[up.type](s->tile, ldt, &up, 0, h - g, a, n_tok, s->matmul);
        if (w->gate.data && ff)
            m->kernels->matmul.fn[w->gate.type](ff, ld, &w->gate, g, h, a, n_tok, s->matmul);
        else if (w->gate.data) {
            const struct weight gate = weight_groups(&w->gate, g, h);
            m->kernels->matmul.fn[gate.type](s->gate, ldt, &gate, 0, h - g, a, n_tok, s->matmul);
        }
        for (int t = 0; t < n_tok; t++) {
            if (!ff && t + AHEAD < n_tok)
                __builtin_prefetch(to->q + (size_t)(t + AHEAD) * (size_t)to->n_cols + at, 1);
            float *u = s->tile + (size_t)t * ldt, *out = ff ? ff + (size_t)t * ld + at : s->gate + (size_t)t * ldt;
            add_bias(u, w->up_bias ? w->up_bias + at : NULL, n);
            if (w->gate.data)
                add_bias(out, w->gate_bias ? w->gate_bias + at : NULL, n);
            activate(m, out, w->gate.data ? out : NULL, u, n);
            if (!ff)
                quantize_part(c, to, out, t, at, n);
        }
    }
}

static struct gated dense_of(const struct llm_layer *y)
{
    struct gated w = { .gate = y->gate, .up = y->up, .gate_bias = y->gate_bias, .up_bias = y->up_bias };
    if (y->up_holds_gate) { /* phi3: the gate is the first half of the rows */
        const int half = y->n_ff / MATMUL_GROUP;
        w.gate = weight_groups(&y->up, 0, half);
        w.up = weight_groups(&y->up, half, 2 * half);
    }
    return w;
}

/* x (or tmp) gets down(act(gate) * up) of all tokens; `scale` NULL or one factor per token (qwen2moe's shared expert). */
static void dense(struct llm_ctx *c, int ith, const struct llm_layer *y, const struct acts *a, float *add_to, const float *tok_scale)
{
    const struct llm_model *m = c->m;
    const struct gated w = dense_of(y);
    const size_t ld = (size_t)y->n_ff;
    const bool is_q8 = matmul_acts_kind(y->down.type) == ACTS_Q8; /* then each piece is quantized at once, and no floats go to memory */
    struct acts f = { .n_cols = y->n_ff };
    if (is_q8)
        acts_place(&f, c->ff_acts, c->n_tok, y->n_ff);
    struct split s;
    split_start(&s, c, &w.up, c->n_tok);
    for (int g0, g1; split_find(&s, pool_take(m->pool), &g0, &g1);)
        gated_piece(c, ith, is_q8 ? NULL : c->ff, ld, &f, &w, g0, g1, a, c->n_tok);
    pool_barrier(m->pool);
    if (!is_q8)
        f = product_input(c, ith, &(struct input){ c->ff, NULL, NULL, y->n_ff }, ACTS_F32);
    const struct product down = { .w = &y->down, .y = c->tmp, .ldy = (size_t)m->n_embd, .bias = y->down_bias,
                                  .add_to = tok_scale ? NULL : add_to, .scale = m->residual_scale };
    product_run(c, ith, &down, 1, &f, c->n_tok);
    pool_barrier(m->pool);
    if (!tok_scale)
        return;
    for (int t = 0, end = 0; next_token(c, &t, &end); t++)
        m->kernels->vec->axpy(add_to + (size_t)t * (size_t)m->n_embd, c->tmp + (size_t)t * (size_t)m->n_embd,
                              tok_scale[t] * m->residual_scale, m->n_embd);
    pool_barrier(m->pool);
}

/* ---- experts ---- */

/* The best n_expert_used of one token's router logits, and their weights; ties: the lower index. */
static void choose(const struct llm_ctx *c, const struct llm_layer *y, int t)
{
    const struct llm_model *m = c->m;
    float *p = c->router + (size_t)t * (size_t)m->n_expert; /* logits, then probabilities */
    struct moe_slot *s = &c->slot[(size_t)t * (size_t)m->n_expert_used];
    add_bias(p, y->router_bias, m->n_expert);
    if (m->gate == GATE_SOFTMAX)
        m->kernels->vec->softmax(p, m->n_expert);
    else if (m->gate == GATE_SIGMOID)
        for (int e = 0; e < m->n_expert; e++)
            p[e] = 1.0f / (1.0f + expf(-p[e]));
    for (int i = 0; i < m->n_expert_used; i++) {
        int best = -1;
        float best_p = 0;
        for (int e = 0; e < m->n_expert; e++) {
            const float q = p[e] + (y->select_bias ? y->select_bias[e] : 0.0f);
            bool is_taken = false;
            for (int j = 0; j < i; j++)
                is_taken = is_taken || s[j].expert == e;
            if (!is_taken && (best < 0 || q > best_p))
                best = e, best_p = q;
        }
        s[i] = (struct moe_slot){ t, best, p[best] };
    }
    float sum = 0, w[1024];
    for (int i = 0; i < m->n_expert_used; i++)
        w[i] = s[i].weight;
    if (m->gate == GATE_TOPK_SOFTMAX)
        m->kernels->vec->softmax(w, m->n_expert_used);
    for (int i = 0; i < m->n_expert_used; i++)
        sum += w[i];
    const float scale = m->gate_scale / (m->gate_norm ? (sum > 6.103515625e-5f ? sum : 6.103515625e-5f) : 1.0f);
    for (int i = 0; i < m->n_expert_used; i++)
        s[i].weight = w[i] * scale;
}

/* By expert, then by token (one thread; n_slot is small): slot_of says where each token's choices went. */
static void sort_slots(struct llm_ctx *c)
{
    const struct llm_model *m = c->m;
    const int n = c->n_tok * m->n_expert_used;
    struct moe_slot *sorted = c->slot + (size_t)c->n_batch_max * (size_t)m->n_expert_used;
    int *first = c->expert_first;
    memset(first, 0, (size_t)(m->n_expert + 1) * sizeof(first[0]));
    for (int i = 0; i < n; i++)
        first[c->slot[i].expert + 1]++;
    for (int e = 0; e < m->n_expert; e++)
        first[e + 1] += first[e];
    for (int i = 0; i < n; i++) {
        const int at = first[c->slot[i].expert]++;
        sorted[at] = c->slot[i];
        c->slot_of[i] = at;
    }
    for (int e = m->n_expert; e > 0; e--)
        first[e] = first[e - 1];
    first[0] = 0;
}

/* The rows of `a` that belong to slots [s0, s1), which stand together. */
static struct acts acts_of(const struct acts *a, int s0)
{
    struct acts b = *a;
    const size_t k = (size_t)s0 * (size_t)a->n_cols;
    b.x += k;
    if (b.q)
        b.q += k, b.d += k / 32, b.sum += k / 16;
    return b;
}

/* For each expert that was chosen: pieces of its rows for all its tokens. */
static void experts_product(struct llm_ctx *c, int ith, const struct llm_layer *y, const struct acts *a, bool is_down)
{
    const struct llm_model *m = c->m;
    const struct weight_stack *up = is_down ? &y->down_e : &y->up_e;
    const int n_groups = weight_n_groups(&up->w), step = TILE_GROUPS, n_pieces = (n_groups + step - 1) / step;
    const size_t ff = (size_t)m->n_ff_expert, embd = (size_t)m->n_embd;
    int64_t mine = pool_take(m->pool), before = 0;
    for (int e = 0; e < m->n_expert; e++) {
        const int s0 = c->expert_first[e], n = c->expert_first[e + 1] - s0;
        if (n == 0)
            continue;
        for (; mine < before + n_pieces; mine = pool_take(m->pool)) {
            const int g0 = (int)(mine - before) * step, g1 = g0 + step < n_groups ? g0 + step : n_groups;
            const struct weight w = weight_stack_at(up, e);
            const struct acts b = acts_of(a, s0);
            if (is_down) {
                float *out = c->moe_out + (size_t)s0 * embd;
                m->kernels->matmul.fn[w.type](out, embd, &w, g0, g1, &b, n, c->thread[ith].matmul);
                for (int i = 0; i < n && y->down_e_bias; i++)
                    for (int r = g0 * MATMUL_GROUP; r < g1 * MATMUL_GROUP && r < m->n_embd; r++)
                        out[(size_t)i * embd + r] += y->down_e_bias[(size_t)e * embd + r];
            } else {
                const struct gated gw = { .gate = weight_stack_at(&y->gate_e, e), .up = w,
                                          .gate_bias = y->gate_e_bias ? y->gate_e_bias + (size_t)e * ff : NULL,
                                          .up_bias = y->up_e_bias ? y->up_e_bias + (size_t)e * ff : NULL };
                gated_piece(c, ith, c->moe_ff + (size_t)s0 * ff, ff, NULL, &gw, g0, g1, &b, n);
            }
        }
        before += n_pieces;
    }
    pool_barrier(m->pool);
}

/* Copies (from != NULL) and quantizes the rows of all slots; pieces and a barrier. */
static struct acts slot_acts(struct llm_ctx *c, float *rows, const float *from, int n_cols, int kinds)
{
    const struct llm_model *m = c->m;
    const int n = c->n_tok * m->n_expert_used;
    const struct moe_slot *slot = c->slot + (size_t)c->n_batch_max * (size_t)m->n_expert_used;
    struct acts a = { .n_cols = n_cols, .x = rows };
    if (kinds & ACTS_Q8)
        acts_place(&a, c->moe_acts, n, n_cols);
    for (int64_t i; (i = pool_take(m->pool)) < n;) {
        if (from)
            memcpy(rows + (size_t)i * (size_t)n_cols, from + (size_t)slot[i].tok * (size_t)n_cols, (size_t)n_cols * sizeof(float));
        if (kinds & ACTS_Q8)
            m->kernels->matmul.quantize(&a, (int)i, (int)i + 1);
    }
    pool_barrier(m->pool);
    return a;
}

static void experts(struct llm_ctx *c, int ith, const struct llm_layer *y, const struct acts *in)
{
    const struct llm_model *m = c->m;
    const struct product router = { .w = &y->router, .y = c->router, .ldy = (size_t)m->n_expert };
    product_run(c, ith, &router, 1, in, c->n_tok);
    /* with few tokens the normalised rows are this thread's own: share them */
    if (ith == 0 && c->n_tok <= SMALL)
        memcpy(c->norm, in->x, (size_t)c->n_tok * (size_t)m->n_embd * sizeof(float));
    pool_barrier(m->pool);
    for (int t = 0, end = 0; next_token(c, &t, &end); t++)
        choose(c, y, t);
    pool_barrier(m->pool);
    if (ith == 0)
        sort_slots(c);
    pool_barrier(m->pool);
    struct acts a = slot_acts(c, c->moe_in, c->norm, m->n_embd, matmul_acts_kind(y->up_e.w.type) | matmul_acts_kind(y->gate_e.w.type));
    experts_product(c, ith, y, &a, false);
    a = slot_acts(c, c->moe_ff, NULL, m->n_ff_expert, matmul_acts_kind(y->down_e.w.type));
    experts_product(c, ith, y, &a, true);
    for (int t = 0, end = 0; next_token(c, &t, &end); t++)
        for (int i = 0; i < m->n_expert_used; i++) {
            const int s = c->slot_of[t * m->n_expert_used + i];
            const float w = c->slot[(size_t)(c->n_batch_max * m->n_expert_used + s)].weight * m->residual_scale;
            m->kernels->vec->axpy(c->x + (size_t)t * (size_t)m->n_embd, c->moe_out + (size_t)s * (size_t)m->n_embd, w, m->n_embd);
        }
    pool_barrier(m->pool);
}

/* The shared expert beside the routed ones; its gate (qwen2moe) is one sigmoid for each token. */
static void shared_expert(struct llm_ctx *c, int ith, const struct llm_layer *y, const struct acts *a)
{
    const struct llm_model *m = c->m;
    if (!y->shared_gate) {
        dense(c, ith, y, a, c->x, NULL);
        return;
    }
    float *gate = c->router; /* its logits are not needed any more */
    for (int t = 0, end = 0; next_token(c, &t, &end); t++) {
        float s = 0;
        for (int i = 0; i < m->n_embd; i++)
            s += a->x[(size_t)t * (size_t)m->n_embd + i] * y->shared_gate[i];
        gate[t] = 1.0f / (1.0f + expf(-s));
    }
    pool_barrier(m->pool);
    dense(c, ith, y, a, c->x, gate);
}

void ffn_step(struct llm_ctx *c, int ith, int layer)
{
    const struct llm_model *m = c->m;
    const struct llm_layer *y = &m->layers[layer];
    const struct input in = { c->x, y->ffn_norm, y->ffn_norm_b, m->n_embd };
    int kinds = 0;
    if (y->up.data)
        kinds |= matmul_acts_kind(y->up.type) | (y->gate.data ? matmul_acts_kind(y->gate.type) : 0);
    if (y->router.data)
        kinds |= matmul_acts_kind(y->router.type);
    const struct acts a = product_input(c, ith, &in, kinds);
    if (y->router.data) {
        experts(c, ith, y, &a);
        if (y->up.data)
            shared_expert(c, ith, y, &a);
        return;
    }
    const bool is_gemma = y->post_ffn_norm && !m->arch->post_norm;
    dense(c, ith, y, &a, is_gemma ? NULL : c->x, NULL);
    if (m->arch->post_norm)
        norm_in_place(c, y->post_ffn_norm, y->post_ffn_norm_b);
    else if (is_gemma)
        add_normed(c, c->tmp, y->post_ffn_norm, y->post_ffn_norm_b);
}
