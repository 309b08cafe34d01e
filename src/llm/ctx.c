/* llm/ctx.c - contexts: memory, checks at the door, and what the caller asks; llm_forward() is here, the story
 * it tells in forward.c. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/hash.h"
#include "llm/ctx.h"

/* ---- memory: one block, cut up twice: first to know its size, then for real ---- */

struct cutter {
    uint8_t *base; /* NULL: only count */
    size_t used;
    bool too_large;
};

static void *cut(struct cutter *k, size_t n, size_t item_bytes)
{
    size_t bytes;
    void *p = k->base ? k->base + k->used : NULL;
    if (!checked_mul_size(n, item_bytes, &bytes) || bytes > SIZE_MAX / 4 || k->used > SIZE_MAX / 4) {
        k->too_large = true;
        return NULL;
    }
    k->used += (bytes + 63) / 64 * 64;
    return p;
}

static size_t most(size_t a, size_t b) { return a > b ? a : b; }

static void cut_up(struct llm_ctx *c, struct cutter *k)
{
    const struct llm_model *m = c->m;
    const size_t nb = (size_t)c->n_batch_max, f = sizeof(float), cols = (size_t)m->n_cols_max, e = (size_t)m->n_embd,
                 h = (size_t)m->n_head, n_slot = nb * (size_t)m->n_expert_used, ffe = (size_t)m->n_ff_expert;
    const size_t wide = most(e, cols); /* norm also takes whole rows for post norms */
    c->x = cut(k, nb * e, f);
    c->norm = cut(k, nb * e, f);
    c->qkv = cut(k, nb * (size_t)(m->n_q + m->n_k + m->n_v), f);
    c->att = cut(k, nb * most(h * (size_t)m->d_v, (size_t)m->q_lora), f);
    c->tmp = cut(k, nb * e, f);
    bool has_q8 = false, has_f32 = false; /* how the dense layers multiply what the gate let through */
    for (int i = 0; i < m->n_layer; i++)
        if (m->layers[i].up.data)
            *(matmul_acts_kind(m->layers[i].down.type) == ACTS_Q8 ? &has_q8 : &has_f32) = true;
    c->ff = cut(k, has_f32 ? nb * (size_t)m->n_ff_max : 0, f);
    c->ff_acts = cut(k, has_q8 ? acts_bytes(c->n_batch_max, (m->n_ff_max + 31) / 32 * 32) : 0, 1);
    c->cs = cut(k, 2 * nb * (size_t)m->n_rot, f);
    if (m->arch->mla)
        c->latent = cut(k, nb * h * most((size_t)m->d_k, (size_t)m->d_v_head), f);
    c->acts_mem = cut(k, acts_bytes((int)most(nb, (size_t)c->n_logits_max), (int)((wide + 31) / 32 * 32)), 1);
    c->logits = cut(k, (size_t)c->n_logits_max * (size_t)m->n_vocab, f);
    c->run = cut(k, nb, sizeof(c->run[0]));
    c->want = cut(k, (size_t)c->n_logits_max, sizeof(c->want[0]));
    for (int i = 0; i < 2; i++)
        c->freq[i] = cut(k, (size_t)m->n_rot / 2, sizeof(double));
    if (m->n_expert > 0) {
        c->router = cut(k, nb * (size_t)m->n_expert, f);
        c->slot = cut(k, 2 * n_slot, sizeof(c->slot[0]));
        c->slot_of = cut(k, n_slot, sizeof(c->slot_of[0]));
        c->expert_first = cut(k, (size_t)m->n_expert + 1, sizeof(c->expert_first[0]));
        c->moe_in = cut(k, n_slot * e, f);
        c->moe_ff = cut(k, n_slot * ffe, f);
        c->moe_out = cut(k, n_slot * e, f);
        c->moe_acts = cut(k, acts_bytes((int)n_slot, (int)((most(e, ffe) + 31) / 32 * 32)), 1);
    }
    const size_t n_pages = ((size_t)c->n_ctx + ATTN_PAGE - 1) / ATTN_PAGE;
    struct thread_scratch *threads = cut(k, (size_t)c->n_threads, sizeof(threads[0]));
    for (int i = 0; i < c->n_threads; i++) {
        struct thread_scratch t = { 0 };
        t.norm = cut(k, SMALL * wide, f);
        t.acts = cut(k, acts_bytes(SMALL, (int)((wide + 31) / 32 * 32)), 1);
        t.matmul = cut(k, matmul_scratch_bytes(&m->kernels->matmul, m->n_cols_max), 1);
        t.attn = cut(k, attn_scratch_bytes(m->d_k, m->d_v), 1);
        t.tile = cut(k, nb * TILE_GROUPS * MATMUL_GROUP, f);
        t.gate = cut(k, nb * TILE_GROUPS * MATMUL_GROUP, f);
        t.rows = cut(k, ATTN_ROWS, sizeof(t.rows[0]));
        t.k = cut(k, n_pages, sizeof(t.k[0]));
        t.v = cut(k, n_pages, sizeof(t.v[0]));
        if (threads)
            threads[i] = t;
    }
    c->thread = threads;
}

/* ---- rope: the angle of one position for each pair of dimensions ---- */

/* YaRN (arXiv 2309.00071, section 3.2): which pair turns `beta` times over the original context. */
static double yarn_pair(const struct llm_rope_params *r, int n_rot, double beta)
{
    return n_rot * log(r->n_ctx_orig / (beta * 2.0 * 3.14159265358979323846)) / (2.0 * log((double)r->base));
}

static void rope_freqs(double *out, const struct llm_rope_params *r, const float *freqs, int n_rot)
{
    double low = floor(yarn_pair(r, n_rot, 32.0)), high = ceil(yarn_pair(r, n_rot, 1.0));
    low = low < 0 ? 0 : low;
    high = high > n_rot - 1 ? n_rot - 1 : high;
    for (int i = 0; i < n_rot / 2; i++) {
        const double plain = pow((double)r->base, -2.0 * i / n_rot) / (freqs ? (double)freqs[i] : 1.0), scaled = plain / (double)r->factor;
        double ramp = (i - low) / (high - low > 0.001 ? high - low : 0.001);
        ramp = ramp < 0 ? 0 : ramp > 1 ? 1 : ramp;
        out[i] = r->is_yarn ? scaled * ramp + plain * (1 - ramp) : scaled;
    }
}

static void set_rope(struct llm_ctx *c)
{
    const struct llm_model *m = c->m;
    const float *freqs = m->rope.freqs;
    if (m->rope_long && m->rope_short) /* phi3: by the context rounded up to 256, as llama.cpp does */
        freqs = (c->n_ctx + 255) / 256 * 256 > m->rope.n_ctx_orig ? m->rope_long : m->rope_short;
    rope_freqs(c->freq[0], &m->rope, freqs, m->n_rot);
    c->rope_mult[0] = m->rope.attn_factor;
    const struct llm_rope_params plain = { .base = m->arch->window_rope_base > 0 ? m->window_rope_base : 10000.0f, .factor = 1.0f, .n_ctx_orig = 1 };
    rope_freqs(c->freq[1], &plain, NULL, m->n_rot);
    c->rope_mult[1] = 1.0f;
}

/* ---- life ---- */

struct llm_ctx *llm_ctx_new(const struct llm_model *m, const struct llm_ctx_options *opt, struct err *err)
{
    int n_ctx = opt->n_ctx ? opt->n_ctx : m->n_ctx_train < 4096 ? m->n_ctx_train : 4096;
    if (m->pos_embd && n_ctx > m->n_ctx_train)
        n_ctx = m->n_ctx_train; /* it has learned no more positions */
    const int n_seq = opt->n_seq_max ? opt->n_seq_max : 1, n_batch = opt->n_batch_max ? opt->n_batch_max : 512;
    const int n_logits = opt->n_logits_max ? opt->n_logits_max : n_seq;
    const int64_t n_tok = opt->n_kv_tok ? opt->n_kv_tok : (int64_t)n_ctx * n_seq;
    if (n_ctx < 1 || n_ctx > 1 << 24 || n_seq < 1 || n_seq > 4096 || n_batch < 1 || n_batch > 1 << 16 || n_logits < 1 ||
        n_logits > n_batch + 4096 || n_tok < 1 || n_tok > 1 << 28)
        return err_null(err, ERR_INPUT, "context of %d tokens, %d sequences, batches of %d: out of range", n_ctx, n_seq, n_batch);
    struct llm_ctx *c = calloc(1, sizeof(*c));
    if (!c)
        return err_null(err, ERR_NOMEM, "out of memory for a context");
    c->m = m;
    c->n_ctx = n_ctx;
    c->n_batch_max = m->info.is_encoder && n_batch < n_ctx ? n_ctx : n_batch; /* an encoder sees its text at once */
    c->n_logits_max = n_logits;
    c->n_threads = pool_n_threads(m->pool);
    const struct kv_shape shape = { .type = m->info.is_encoder ? ATTN_F32 : opt->kv_q8 ? ATTN_I8 : ATTN_I16,
                                    .n_layer = m->info.is_encoder ? 1 : m->n_layer, .n_head = m->n_kv, .d_k = m->d_k,
                                    .d_v = m->d_v, .n_seq = n_seq, .n_ctx = n_ctx, .n_tok = (int)n_tok };
    struct cutter count = { 0 };
    cut_up(c, &count);
    if (count.too_large || posix_memalign(&c->memory, 64, count.used) != 0) {
        c->memory = NULL;
        llm_ctx_free(c);
        return err_null(err, ERR_NOMEM, "out of memory for a context");
    }
    c->memory_bytes = count.used;
    struct cutter real = { .base = c->memory };
    cut_up(c, &real);
    if (!kv_init(&c->kv, &shape, err)) {
        llm_ctx_free(c);
        return NULL;
    }
    if (m->n_rot > 0)
        set_rope(c);
    return c;
}

void llm_ctx_free(struct llm_ctx *c)
{
    if (!c)
        return;
    kv_fini(&c->kv);
    free(c->memory);
    free(c);
}

int llm_ctx_n_ctx(const struct llm_ctx *c) { return c->n_ctx; }
int llm_ctx_n_batch_max(const struct llm_ctx *c) { return c->n_batch_max; }
int llm_ctx_kv_free_tok(const struct llm_ctx *c) { return (c->kv.n_free + c->kv.n_idle) * ATTN_PAGE; }
int llm_ctx_kv_total_tok(const struct llm_ctx *c) { return c->kv.n_pages * ATTN_PAGE; }
struct llm_ctx_bytes llm_ctx_bytes(const struct llm_ctx *c) { return (struct llm_ctx_bytes){ c->kv.data_bytes, c->memory_bytes }; }

int llm_seq_new(struct llm_ctx *c) { return kv_seq_new(&c->kv); }
void llm_seq_free(struct llm_ctx *c, int seq) { kv_seq_free(&c->kv, seq); }
int llm_seq_len(const struct llm_ctx *c, int seq) { return c->kv.seq[seq].n_pos; }
int llm_seq_reuse(struct llm_ctx *c, int seq, const int32_t *tokens, int n) { return kv_seq_reuse(&c->kv, seq, tokens, n); }
int llm_seq_truncate(struct llm_ctx *c, int seq, int n_keep) { return kv_seq_truncate(&c->kv, seq, n_keep); }

_Static_assert((int)LLM_PAGE_TOK == (int)ATTN_PAGE, "pages are the cache's");
size_t llm_page_bytes(const struct llm_ctx *c) { return kv_page_bytes(&c->kv); }

uint64_t llm_page_kind(const struct llm_ctx *c)
{
    const struct kv *kv = &c->kv;
    const int32_t of[] = { KV_LAYOUT, (int32_t)kv->type, kv->n_layer, kv->n_head, kv->d_k, kv->d_v, c->n_ctx, (int32_t)sizeof(float) };
    return hash_fnv64((const char *)of, sizeof(of));
}

void llm_seq_get_page(const struct llm_ctx *c, int seq, int page, void *out) { kv_seq_get_page(&c->kv, seq, page, out); }

bool llm_seq_put_page(struct llm_ctx *c, int seq, const int32_t ids[LLM_PAGE_TOK], const void *in)
{
    const int n = c->kv.seq[seq].n_pos;
    for (int i = 0; i < LLM_PAGE_TOK; i++)
        if (ids[i] < 0 || ids[i] >= c->m->n_vocab)
            return false;
    return n % LLM_PAGE_TOK == 0 && n + LLM_PAGE_TOK <= c->n_ctx && kv_seq_put_page(&c->kv, seq, ids, in);
}

/* ---- a batch ---- */

static bool check_batch(struct llm_ctx *c, const struct llm_token *tok, int n, struct err *err)
{
    c->n_runs = c->n_want = 0;
    if (n < 1 || n > c->n_batch_max)
        return err_set(err, ERR_INPUT, "a batch of %d tokens: 1 to %d are possible", n, c->n_batch_max);
    for (int i = 0; i < n; i++) {
        const int s = tok[i].seq;
        const bool goes_on = i > 0 && tok[i - 1].seq == s;
        if (s < 0 || s >= c->kv.n_seq || !c->kv.seq[s].in_use)
            return err_set(err, ERR_INPUT, "token %d: sequence %d is not in use", i, s);
        if (tok[i].id < 0 || tok[i].id >= c->m->n_vocab)
            return err_set(err, ERR_INPUT, "token %d: id %d is not in the vocabulary of %d", i, tok[i].id, c->m->n_vocab);
        if (tok[i].pos != (goes_on ? tok[i - 1].pos + 1 : c->kv.seq[s].n_pos))
            return err_set(err, ERR_INPUT, "token %d: position %d does not follow", i, tok[i].pos);
        if (tok[i].pos >= c->n_ctx)
            return err_set(err, ERR_LIMIT, "position %d passes the context of %d tokens", tok[i].pos, c->n_ctx);
        if (goes_on)
            c->run[c->n_runs - 1].n++;
        else {
            for (int r = 0; r < c->n_runs; r++)
                if (c->run[r].seq == s)
                    return err_set(err, ERR_INPUT, "token %d: the tokens of sequence %d do not stand together", i, s);
            c->run[c->n_runs++] = (struct run){ s, i, 1 };
        }
        if (tok[i].want_logits) {
            if (c->n_want == c->n_logits_max)
                return err_set(err, ERR_LIMIT, "logits of more than %d tokens are wanted", c->n_logits_max);
            c->want[c->n_want++] = i;
        }
    }
    return true;
}

static void undo_reserve(struct llm_ctx *c, int n_runs)
{
    for (int r = 0; r < n_runs; r++)
        kv_seq_unreserve(&c->kv, c->run[r].seq, c->run[r].n);
}

static bool reserve(struct llm_ctx *c, struct err *err)
{
    for (int r = 0; r < c->n_runs; r++)
        if (!kv_seq_reserve(&c->kv, c->run[r].seq, c->run[r].n)) {
            undo_reserve(c, r);
            return err_set(err, ERR_BUSY, "the cache of %d tokens is full", llm_ctx_kv_total_tok(c));
        }
    return true;
}

static bool forward(struct llm_ctx *c, const struct llm_token *tok, int n, bool keeps_all, struct err *err)
{
    if (!check_batch(c, tok, n, err) || !reserve(c, err))
        return false;
    c->tok = tok;
    c->n_tok = n;
    c->sees_all = false;
    c->keeps_all = keeps_all;
    pool_run(c->m->pool, llm_walk, c);
    int32_t ids[64];
    for (int r = 0; r < c->n_runs; r++)
        for (int i = 0; i < c->run[r].n; i += 64) {
            const int k = c->run[r].n - i < 64 ? c->run[r].n - i : 64;
            for (int j = 0; j < k; j++)
                ids[j] = tok[c->run[r].first + i + j].id;
            kv_seq_commit(&c->kv, c->run[r].seq, ids, k);
        }
    return true;
}

bool llm_forward(struct llm_ctx *c, const struct llm_token *tok, int n, struct err *err)
{
    if (c->m->info.is_encoder)
        return err_set(err, ERR_UNSUPPORTED, "an encoder predicts no next token");
    return forward(c, tok, n, false, err);
}

float *llm_logits(struct llm_ctx *c, int i) { return i < 0 || i >= c->n_want ? NULL : c->logits + (size_t)i * (size_t)c->m->n_vocab; }

/* ---- embeddings ---- */

static void pool_rows(const struct llm_ctx *c, float *sum, int n_rows)
{
    const struct llm_model *m = c->m;
    for (int t = 0; t < n_rows; t++) {
        const float *x = c->x + (size_t)t * (size_t)m->n_embd;
        if (!m->info.is_encoder) {
            norm_row(m, c->norm, x, m->out_norm, m->out_norm_b, m->n_embd);
            x = c->norm;
        }
        for (int i = 0; i < m->n_embd; i++)
            sum[i] += x[i];
    }
}

static bool embed_encoder(struct llm_ctx *c, const struct llm_token *tok, int n, float *out, struct err *err)
{
    const struct llm_model *m = c->m;
    if (n > c->n_batch_max || !reserve(c, err))
        return err->code ? false : err_set(err, ERR_LIMIT, "a text of %d tokens passes the context of %d", n, c->n_ctx);
    c->tok = tok;
    c->n_tok = n;
    c->sees_all = c->keeps_all = true;
    pool_run(m->pool, llm_walk, c);
    undo_reserve(c, c->n_runs); /* an encoder keeps nothing */
    if (m->pooling == 2 || m->pooling == 3) {
        memcpy(out, c->x + (size_t)(m->pooling == 2 ? 0 : n - 1) * (size_t)m->n_embd, (size_t)m->n_embd * sizeof(float));
        return true;
    }
    pool_rows(c, out, n);
    for (int i = 0; i < m->n_embd; i++)
        out[i] /= (float)n;
    return true;
}

bool llm_embed(struct llm_ctx *c, const int32_t *ids, int n, float *out, struct err *err)
{
    const struct llm_model *m = c->m;
    bool ok = false;
    if (n < 1 || n > c->n_ctx)
        return err_set(err, n < 1 ? ERR_INPUT : ERR_LIMIT, "a text of %d tokens: 1 to %d are possible", n, c->n_ctx);
    const int seq = llm_seq_new(c);
    if (seq < 0)
        return err_set(err, ERR_BUSY, "no free sequence");
    err_clear(err);
    struct llm_token *tok = calloc((size_t)(n < c->n_batch_max ? n : c->n_batch_max), sizeof(*tok));
    if (!tok) {
        err_set(err, ERR_NOMEM, "out of memory");
        goto out_seq;
    }
    memset(out, 0, (size_t)m->n_embd * sizeof(float));
    for (int at = 0, k; at < n; at += k) {
        k = n - at < c->n_batch_max ? n - at : c->n_batch_max;
        for (int i = 0; i < k; i++)
            tok[i] = (struct llm_token){ .seq = seq, .pos = at + i, .id = ids[at + i] };
        if (m->info.is_encoder) {
            ok = check_batch(c, tok, k, err) && embed_encoder(c, tok, k, out, err);
            goto out_tok;
        }
        if (!forward(c, tok, k, true, err))
            goto out_tok;
        pool_rows(c, out, k);
    }
    for (int i = 0; i < m->n_embd; i++)
        out[i] /= (float)n;
    ok = true;
out_tok:
    free(tok);
out_seq:
    llm_seq_free(c, seq);
    return ok;
}
