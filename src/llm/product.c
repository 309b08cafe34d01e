/* llm/product.c - inputs prepared once, weights multiplied in pieces; see ctx.h. */
#include <limits.h>

#include "llm/ctx.h"

void norm_row(const struct llm_model *m, float *out, const float *x, const float *w, const float *b, int n)
{
    if (m->arch->norm == NORM_LAYER)
        m->kernels->vec->layernorm(out, x, w, b, n, m->eps);
    else
        m->kernels->vec->rmsnorm(out, x, w, n, m->eps);
}

bool next_token(const struct llm_ctx *c, int *t, int *end)
{
    if (*t < *end)
        return true;
    const int share = c->n_tok / (4 * c->n_threads), n = share < 1 ? 1 : share < TOKENS ? share : TOKENS;
    const int64_t first = pool_take(c->m->pool) * n;
    if (first >= c->n_tok)
        return false;
    *t = (int)first;
    *end = *t + n < c->n_tok ? *t + n : c->n_tok;
    return true;
}

struct acts product_input(struct llm_ctx *c, int ith, const struct input *in, int kinds)
{
    const struct llm_model *m = c->m;
    const bool is_small = c->n_tok <= SMALL;
    struct acts a = { .n_cols = in->n_cols, .x = in->x };
    float *norm = is_small ? c->thread[ith].norm : c->norm;
    if (in->norm)
        a.x = norm;
    if (kinds & ACTS_Q8)
        acts_place(&a, is_small ? c->thread[ith].acts : c->acts_mem, c->n_tok, in->n_cols);
    for (int t = 0, end = 0; is_small ? t < c->n_tok : next_token(c, &t, &end); t++) {
        if (in->norm)
            norm_row(m, norm + (size_t)t * (size_t)in->n_cols, in->x + (size_t)t * (size_t)in->n_cols, in->norm, in->norm_b, in->n_cols);
        if (kinds & ACTS_Q8)
            m->kernels->matmul.quantize(&a, t, t + 1);
    }
    if (!is_small)
        pool_barrier(m->pool);
    return a;
}

void split_start(struct split *s, const struct llm_ctx *c, const struct weight *w, int n_tok)
{
    /* Kernels take groups in pairs, or read one after the other as a stream that should not be short: a piece is some pairs. */
    const size_t pair_bytes = 2 * (w->layout == WEIGHT_R16 ? w->group_bytes : w->row_bytes * MATMUL_GROUP);
    const int n = (int)(PIECE_BYTES / (pair_bytes + 1));
    *s = (struct split){ .n_groups = weight_n_groups(w), .share = c->n_threads == 1 ? 1 : 2 * c->n_threads, .least = n < 1 ? 2 : 2 * n };
    if (n_tok > FEW)
        s->share = INT_MAX, s->least = TILE_GROUPS;
}

bool split_find(struct split *s, int64_t piece, int *g0, int *g1)
{
    for (;; s->at += s->n, s->piece++) {
        if (s->at >= s->n_groups)
            return false;
        const int left = s->n_groups - s->at, n = (left / s->share + 1) / 2 * 2;
        s->n = n > s->least ? n : s->least;
        s->n = s->n < left ? s->n : left;
        if (s->piece == piece)
            break;
    }
    *g0 = s->at, *g1 = s->at + s->n;
    return true;
}

static void finish_piece(const struct llm_ctx *c, const struct product *p, const struct weight *w, int g0, int g1, int n_tok)
{
    const int r = g0 * MATMUL_GROUP, row1 = g1 * MATMUL_GROUP < w->n_rows ? g1 * MATMUL_GROUP : w->n_rows;
    for (int t = 0; t < n_tok; t++) {
        float *y = p->y + (size_t)t * p->ldy + r;
        if (p->add_to && t + AHEAD < n_tok)
            for (int i = 0; i < row1 - r; i += 16)
                __builtin_prefetch(p->add_to + (size_t)(t + AHEAD) * p->ldy + r + i, 1);
        if (p->bias)
            c->m->kernels->vec->axpy(y, p->bias + r, 1.0f, row1 - r);
        if (p->add_to)
            c->m->kernels->vec->axpy(p->add_to + (size_t)t * p->ldy + r, y, p->scale, row1 - r);
    }
}

void product_run(struct llm_ctx *c, int ith, const struct product *p, int n, const struct acts *a, int n_tok)
{
    const struct llm_model *m = c->m;
    int64_t mine = pool_take(m->pool), before = 0;
    for (int i = 0, g0, g1; i < n; i++) {
        const struct weight *w = p[i].w;
        struct split s;
        split_start(&s, c, w, n_tok);
        for (; split_find(&s, mine - before, &g0, &g1); mine = pool_take(m->pool)) {
            m->kernels->matmul.fn[w->type](p[i].y, p[i].ldy, w, g0, g1, a, n_tok, c->thread[ith].matmul);
            finish_piece(c, &p[i], w, g0, g1, n_tok);
        }
        before += s.piece;
    }
}

void product_alone(struct llm_ctx *c, int ith, float *y, size_t ldy, const struct weight *w, const struct acts *a, int n_tok)
{
    c->m->kernels->matmul.fn[w->type](y, ldy, w, 0, weight_n_groups(w), a, n_tok, c->thread[ith].matmul);
}

void add_normed(struct llm_ctx *c, const float *y, const float *w, const float *b)
{
    const struct llm_model *m = c->m;
    const size_t e = (size_t)m->n_embd;
    for (int t = 0, end = 0; next_token(c, &t, &end); t++) {
        float *row = c->norm + (size_t)t * e;
        norm_row(m, row, y + (size_t)t * e, w, b, m->n_embd);
        m->kernels->vec->axpy(c->x + (size_t)t * e, row, m->residual_scale, m->n_embd);
    }
    pool_barrier(m->pool);
}

void norm_in_place(struct llm_ctx *c, const float *w, const float *b)
{
    const struct llm_model *m = c->m;
    for (int t = 0, end = 0; next_token(c, &t, &end); t++) {
        float *row = c->x + (size_t)t * (size_t)m->n_embd;
        norm_row(m, row, row, w, b, m->n_embd);
    }
    pool_barrier(m->pool);
}
