/* expert/draft.c - see draft.h; start at draft_follow(). */
#include "expert/draft.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "gguf/gguf.h"
#include "llm/sample.h"

enum { PADDING_MAX = 128 /* tokens at the end that only one of the two has: rows that fill up a matrix */ };

struct draft {
    struct gguf *gguf;
    struct llm_model *model;
    struct llm_ctx *ctx;
    int n_vocab;             /* tokens that both know */
    int n_seq;
    int *seq;                /* [n_seq] by the expert's sequence; -1: none */
    struct llm_token *batch; /* [n_batch_max] */
    double pass_ns;
};

/* ---- opening ---- */

static bool check_vocab(struct draft *d, const struct vocab *mine, const struct vocab *its, struct err *err)
{
    const int32_t a = vocab_size(mine), b = vocab_size(its), n = a < b ? a : b;
    if ((a > b ? a - b : b - a) > PADDING_MAX)
        return err_set(err, ERR_INPUT, "it has a vocabulary of %d tokens, the model that it guesses for %d", b, a);
    for (int32_t t = 0; t < n; t++) {
        const struct gguf_str x = vocab_text(mine, t), y = vocab_text(its, t);
        if (x.len != y.len || memcmp(x.data, y.data, x.len) != 0)
            return err_set(err, ERR_INPUT, "another vocabulary: token %d is '%.*s', in the model that it guesses for '%.*s'", t,
                           y.len < 40 ? (int)y.len : 40, y.data, x.len < 40 ? (int)x.len : 40, x.data);
    }
    d->n_vocab = d->n_vocab < n ? d->n_vocab : n;
    return true;
}

static bool open_all(struct draft *d, const char *path, const struct vocab *vocab, int n_vocab, const struct kernels *k, struct pool *pool,
                     const struct llm_ctx_options *opt, struct err *err)
{
    d->gguf = gguf_open(path, err);
    struct vocab *its = d->gguf ? vocab_open(d->gguf, err) : NULL;
    d->n_vocab = n_vocab;
    const bool is_same = its && check_vocab(d, vocab, its, err);
    vocab_free(its);
    if (!is_same || !(d->model = llm_model_open(d->gguf, k, pool, err)))
        return false;
    const struct llm_info *info = llm_model_info(d->model);
    if (info->is_encoder)
        return err_set(err, ERR_INPUT, "an encoder predicts no next token");
    d->n_vocab = d->n_vocab < info->n_vocab ? d->n_vocab : info->n_vocab;
    struct llm_ctx_options o = *opt;
    o.n_logits_max = o.n_seq_max;
    if (!(d->ctx = llm_ctx_new(d->model, &o, err)))
        return false;
    d->n_seq = o.n_seq_max;
    d->seq = malloc((size_t)d->n_seq * sizeof(*d->seq));
    d->batch = malloc((size_t)llm_ctx_n_batch_max(d->ctx) * sizeof(*d->batch));
    if (!d->seq || !d->batch)
        return err_set(err, ERR_NOMEM, "no memory");
    for (int i = 0; i < d->n_seq; i++)
        d->seq[i] = -1;
    return true;
}

struct draft *draft_open(const char *path, const struct vocab *vocab, int n_vocab, const struct kernels *k, struct pool *pool,
                         const struct llm_ctx_options *opt, struct err *err)
{
    struct draft *d = calloc(1, sizeof(*d));
    if (!d)
        return err_null(err, ERR_NOMEM, "draft %s: no memory", path);
    if (open_all(d, path, vocab, n_vocab, k, pool, opt, err))
        return d;
    err_prefix(err, "draft %s", path);
    draft_free(d);
    return NULL;
}

void draft_free(struct draft *d)
{
    if (!d)
        return;
    free(d->batch);
    free(d->seq);
    llm_ctx_free(d->ctx);
    llm_model_free(d->model);
    gguf_close(d->gguf);
    free(d);
}

uint64_t draft_weight_bytes(const struct draft *d) { return llm_model_info(d->model)->weight_bytes; }
uint64_t draft_kv_bytes(const struct draft *d) { return llm_ctx_bytes(d->ctx).kv; }
double draft_pass_ns(const struct draft *d) { return d->pass_ns; }

/* ---- guessing ---- */

/* Tokens that it does not know, or positions that it has not: such a text is not for it. */
static bool can_read(const struct draft *d, const struct draft_text *t, int from)
{
    if (t->n + t->n_most > llm_ctx_n_ctx(d->ctx))
        return false;
    for (int i = from; i < t->n; i++)
        if (t->tokens[i] >= d->n_vocab)
            return false;
    return true;
}

static bool find_seq(struct draft *d, struct draft_text *t)
{
    int *seq = &d->seq[t->seq];
    if (*seq < 0) {
        *seq = llm_seq_new(d->ctx);
        if (*seq >= 0)
            llm_seq_reuse(d->ctx, *seq, t->tokens, t->n);
    }
    return *seq >= 0;
}

/* All but the last token, which draft_next() takes. */
void draft_follow(struct draft *d, struct draft_text *t, int n_texts)
{
    struct err err;
    int n = 0;
    const int n_max = llm_ctx_n_batch_max(d->ctx);
    for (int i = 0; i < n_texts; i++) {
        t[i].n_guess = 0;
        if (t[i].n_most < 1 || !find_seq(d, &t[i]) || !can_read(d, &t[i], llm_seq_len(d->ctx, d->seq[t[i].seq]))) {
            t[i].n_most = 0;
            continue;
        }
        const int seq = d->seq[t[i].seq], have = llm_seq_len(d->ctx, seq), want = t[i].n - 1 - have, take = want < n_max - n ? want : n_max - n;
        for (int k = 0; k < take; k++)
            d->batch[n++] = (struct llm_token){ .seq = seq, .pos = have + k, .id = t[i].tokens[have + k] };
        if (take < want)
            t[i].n_most = 0;
    }
    if (n > 0 && !llm_forward(d->ctx, d->batch, n, &err))
        for (int i = 0; i < n_texts; i++)
            t[i].n_most = 0;
}

bool draft_next(struct draft *d, struct draft_text *t, int n_texts)
{
    struct err err;
    struct token_logprob top[2];
    int n = 0;
    for (int i = 0; i < n_texts; i++) {
        const int at = t[i].n + t[i].n_guess - 1;
        if (t[i].n_guess < t[i].n_most)
            d->batch[n++] = (struct llm_token){ .seq = d->seq[t[i].seq], .pos = at, .id = t[i].tokens[at], .want_logits = true };
    }
    const uint64_t start_ns = clock_ns();
    if (n == 0 || !llm_forward(d->ctx, d->batch, n, &err))
        return false;
    n = 0;
    for (int i = 0; i < n_texts; i++) {
        if (t[i].n_guess >= t[i].n_most)
            continue;
        const int k = logits_top(llm_logits(d->ctx, n++), d->n_vocab, 0, top, 2);
        t[i].margin = k < 2 ? 0 : top[0].logprob - top[1].logprob;
        t[i].tokens[t[i].n + t[i].n_guess++] = top[0].id;
    }
    const double ns = (double)(clock_ns() - start_ns);
    d->pass_ns += d->pass_ns > 0 ? 0.1 * ((ns < 3 * d->pass_ns ? ns : 3 * d->pass_ns) - d->pass_ns) : ns;
    return true;
}

/* ---- what became of it ---- */

void draft_keep(struct draft *d, int seq, int n)
{
    if (d->seq[seq] >= 0 && llm_seq_len(d->ctx, d->seq[seq]) > n)
        llm_seq_truncate(d->ctx, d->seq[seq], n);
}

void draft_leave(struct draft *d, int seq)
{
    if (d->seq[seq] >= 0)
        llm_seq_free(d->ctx, d->seq[seq]);
    d->seq[seq] = -1;
}
