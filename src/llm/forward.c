/* llm/forward.c - one forward pass, a line per step; start reading at llm_walk().
 *
 * All threads of the pool run llm_walk() side by side; each step hands out pieces (pool_take) and ends
 * with a barrier where the next step needs all of it.
 */
#include <math.h>
#include <string.h>

#include "llm/ctx.h"

/* Row of the embedding table, read from the file; plus position and type where the model has them. */
static void embed(struct llm_ctx *c)
{
    const struct llm_model *m = c->m;
    const size_t e = (size_t)m->n_embd, row_bytes = (size_t)dtype_row_bytes(m->tok_embd->type, e);
    for (int64_t i; (i = pool_take(m->pool)) < c->n_tok;) {
        float *x = c->x + (size_t)i * e;
        dtype_to_f32(x, m->tok_embd->type, m->tok_embd->data + (size_t)c->tok[i].id * row_bytes, e);
        if (m->embd_scale != 1.0f)
            for (size_t k = 0; k < e; k++)
                x[k] *= m->embd_scale;
        if (m->type_embd)
            m->kernels->vec->axpy(x, m->type_embd, 1.0f, m->n_embd);
        if (m->pos_embd)
            m->kernels->vec->axpy(x, m->pos_embd + (size_t)c->tok[i].pos * e, 1.0f, m->n_embd);
        if (m->embd_norm)
            norm_row(m, x, x, m->embd_norm, m->embd_norm_b, m->n_embd);
        for (int table = 0; table < 2 && m->n_rot > 0 && (table == 0 || m->arch->window_rope_base > 0); table++) {
            float *cs = c->cs + ((size_t)(table * c->n_batch_max) + (size_t)i) * (size_t)m->n_rot;
            for (int k = 0; k < m->n_rot / 2; k++) { /* double: at position 100,000 a float angle is off by 0.01 */
                const double angle = c->tok[i].pos * c->freq[table][k];
                cs[2 * k] = (float)cos(angle) * c->rope_mult[table];
                cs[2 * k + 1] = (float)sin(angle) * c->rope_mult[table];
            }
        }
    }
    pool_barrier(m->pool);
}

/* Logits of the rows that were asked for. */
static void output(struct llm_ctx *c, int ith)
{
    const struct llm_model *m = c->m;
    const size_t e = (size_t)m->n_embd;
    struct acts a = { .n_cols = m->n_embd, .x = c->norm };
    const int kind = matmul_acts_kind(m->output.type);
    if (kind & ACTS_Q8)
        acts_place(&a, c->acts_mem, c->n_want, m->n_embd);
    for (int64_t i; (i = pool_take(m->pool)) < c->n_want;) {
        norm_row(m, c->norm + (size_t)i * e, c->x + (size_t)c->want[i] * e, m->out_norm, m->out_norm_b, m->n_embd);
        if (kind & ACTS_Q8)
            m->kernels->matmul.quantize(&a, (int)i, (int)i + 1);
    }
    pool_barrier(m->pool);
    const struct product p = { .w = &m->output, .y = c->logits, .ldy = (size_t)m->n_vocab, .bias = m->output_bias };
    product_run(c, ith, &p, 1, &a, c->n_want);
    if (m->logit_scale == 1.0f && m->final_cap <= 0)
        return;
    pool_barrier(m->pool);
    for (int64_t i; (i = pool_take(m->pool)) < c->n_want;)
        for (int k = 0; k < m->n_vocab; k++) {
            float *l = &c->logits[(size_t)i * (size_t)m->n_vocab + (size_t)k];
            *l *= m->logit_scale;
            if (m->final_cap > 0)
                *l = m->final_cap * tanhf(*l / m->final_cap);
        }
}

/* Behind the last layer's attention only the rows go on whose logits are wanted: what became of the others nobody reads. */
static void keep_wanted(struct llm_ctx *c, int ith)
{
    const size_t e = (size_t)c->m->n_embd;
    if (ith == 0) {
        for (int i = 0; i < c->n_want; i++) { /* ascending: to where a row stood that is moved already, or not wanted */
            memmove(c->x + (size_t)i * e, c->x + (size_t)c->want[i] * e, e * sizeof(float));
            c->want[i] = i;
        }
        c->n_tok = c->n_want;
    }
    pool_barrier(c->m->pool);
}

void llm_walk(struct pool *p, int ith, void *ctx)
{
    (void)p;
    struct llm_ctx *c = ctx;
    const int last = c->m->n_layer - 1;
    const bool narrows = !c->keeps_all && c->n_want < c->n_tok;
    embed(c);
    for (int layer = 0; layer <= last; layer++) {
        packing_wait(c->m->packing, layer);
        attention_step(c, ith, layer);
        if (layer == last && narrows && c->n_want == 0)
            return; /* K and V are kept: that was all */
        if (layer == last && narrows)
            keep_wanted(c, ith);
        ffn_step(c, ith, layer);
    }
    if (c->n_want > 0) {
        packing_wait(c->m->packing, c->m->n_layer);
        output(c, ith);
    }
}
