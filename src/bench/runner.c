/* bench/runner.c - see runner_internal.h. */
#include <stdlib.h>

#include "base/clock.h"
#include "bench/runner_internal.h"

bool runner_open(struct runner *r, const struct bench_setup *s, int n_ctx, int n_seq, int n_kv_tok, struct err *err)
{
    const struct llm_ctx_options opt = { .n_ctx = n_ctx, .n_kv_tok = n_kv_tok, .n_seq_max = n_seq, .n_batch_max = RUNNER_CHUNK };
    *r = (struct runner){ .setup = s, .n_vocab = llm_model_info(s->model)->n_vocab, .what = "" };
    if (llm_model_info(s->model)->is_encoder)
        return err_set(err, ERR_UNSUPPORTED, "bench: an encoder predicts no next token");
    r->tok = calloc(RUNNER_CHUNK, sizeof(r->tok[0]));
    if (!r->tok)
        return err_set(err, ERR_NOMEM, "bench: out of memory");
    r->c = llm_ctx_new(s->model, &opt, err);
    if (!r->c)
        return false;
    if (llm_ctx_n_ctx(r->c) < n_ctx)
        return err_set(err, ERR_LIMIT, "bench: needs a context of %d, the model has %d", n_ctx, llm_ctx_n_ctx(r->c));
    rng_seed(&r->rng, 1);
    return true;
}

void runner_close(struct runner *r)
{
    if (r->c && r->setup->peak_bytes) { /* the context is still here, the probe's buffer is not */
        const int64_t rss = sense_rss_bytes();
        if (rss > *r->setup->peak_bytes)
            *r->setup->peak_bytes = rss;
    }
    llm_ctx_free(r->c);
    free(r->tok);
    r->c = NULL, r->tok = NULL;
}

void runner_piece(struct runner *r, const char *what, double piece_s, double after_s)
{
    r->what = what, r->piece_s = piece_s, r->after_s = after_s > 0 ? after_s : 0; /* estimates may be overtaken */
    r->piece_start_ns = clock_ns();
}

static bool tell(struct runner *r, struct err *err)
{
    const struct bench_watch *w = r->setup->watch;
    const double left = r->piece_s - (double)(clock_ns() - r->piece_start_ns) * 1e-9;
    if (r->setup->sense)
        sense_tick(r->setup->sense);
    return !w || w->tell(w->ctx, r->what, r->after_s + (left > 0 ? left : 0)) || err_set(err, ERR_CANCELLED, "bench: stopped");
}

static int32_t random_id(struct runner *r) { return (int32_t)(rng_u64(&r->rng) % (uint64_t)r->n_vocab); }

bool runner_feed(struct runner *r, int seq, int pos, int n, struct err *err)
{
    for (int at = 0, k; at < n; at += k) {
        k = n - at < RUNNER_CHUNK ? n - at : RUNNER_CHUNK;
        for (int i = 0; i < k; i++)
            r->tok[i] = (struct llm_token){ .seq = seq, .pos = pos + at + i, .id = random_id(r), .want_logits = at + i == n - 1 };
        if (!llm_forward(r->c, r->tok, k, err) || !tell(r, err))
            return false;
    }
    return true;
}

bool runner_dive(struct runner *r, int seq, int which, int depth, struct err *err)
{
    int32_t *ids = calloc((size_t)depth, sizeof(*ids));
    struct rng own;
    bool ok = ids || err_set(err, ERR_NOMEM, "bench: out of memory");
    rng_seed(&own, 1000 + (uint64_t)which);
    for (int i = 0; ok && i < depth; i++)
        ids[i] = (int32_t)(rng_u64(&own) % (uint64_t)r->n_vocab);
    for (int at = ok ? llm_seq_reuse(r->c, seq, ids, depth) : 0, k; ok && at < depth; at += k) {
        k = depth - at < RUNNER_CHUNK ? depth - at : RUNNER_CHUNK;
        for (int i = 0; i < k; i++)
            r->tok[i] = (struct llm_token){ .seq = seq, .pos = at + i, .id = ids[at + i], .want_logits = at + i == depth - 1 };
        ok = llm_forward(r->c, r->tok, k, err) && tell(r, err);
    }
    free(ids);
    return ok;
}

bool runner_step(struct runner *r, const int *seq, int n_seq, int pos, struct err *err)
{
    for (int i = 0; i < n_seq; i++)
        r->tok[i] = (struct llm_token){ .seq = seq[i], .pos = pos, .id = random_id(r), .want_logits = true };
    return llm_forward(r->c, r->tok, n_seq, err) && tell(r, err);
}
