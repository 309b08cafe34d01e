/* bench/engine.c - tokens per second of prefill and decode, and perplexity; start at bench_engine(). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/rng.h"
#include "bench/bench.h"

enum { BATCH = 512 };

static double median(const double *x, int n)
{
    double s[BENCH_ROUNDS_MAX];
    memcpy(s, x, (size_t)n * sizeof(s[0]));
    for (int i = 1; i < n; i++)
        for (int j = i; j > 0 && s[j] < s[j - 1]; j--) {
            const double t = s[j];
            s[j] = s[j - 1], s[j - 1] = t;
        }
    return n % 2 ? s[n / 2] : (s[n / 2 - 1] + s[n / 2]) / 2;
}

struct run {
    struct llm_ctx *c;
    struct llm_token *tok;
    struct rng rng;
    int n_vocab;
};

static bool feed(struct run *r, int seq, int pos, int n, struct err *err)
{
    for (int at = 0, k; at < n; at += k) {
        k = n - at < BATCH ? n - at : BATCH;
        for (int i = 0; i < k; i++)
            r->tok[i] = (struct llm_token){ .seq = seq, .pos = pos + at + i, .id = (int32_t)(rng_u64(&r->rng) % (uint64_t)r->n_vocab),
                                            .want_logits = at + i == n - 1 };
        if (!llm_forward(r->c, r->tok, k, err))
            return false;
    }
    return true;
}

/* Seconds that the timed part took; negative on error. */
static double time_test(struct run *r, const struct bench_test *t, struct err *err)
{
    int seq[64];
    double seconds = -1;
    int n_seq = 0;
    for (; n_seq < t->batch; n_seq++) {
        seq[n_seq] = llm_seq_new(r->c);
        if (t->depth > 0 && !feed(r, seq[n_seq], 0, t->depth, err)) {
            n_seq++;
            goto out;
        }
    }
    const uint64_t start = clock_ns();
    if (!t->is_decode) {
        for (int i = 0; i < t->batch; i++)
            if (!feed(r, seq[i], t->depth, t->n_tok, err))
                goto out;
    } else
        for (int k = 0; k < t->n_tok; k++) {
            for (int i = 0; i < t->batch; i++)
                r->tok[i] = (struct llm_token){ .seq = seq[i], .pos = t->depth + k, .id = (int32_t)(rng_u64(&r->rng) % (uint64_t)r->n_vocab),
                                                .want_logits = true };
            if (!llm_forward(r->c, r->tok, t->batch, err))
                goto out;
        }
    seconds = (double)(clock_ns() - start) * 1e-9;
out:
    for (int i = 0; i < n_seq; i++)
        llm_seq_free(r->c, seq[i]);
    return seconds;
}

/* Tokens per second that the limits allow: bytes for decode (weights once for the batch, each sequence's own K and V),
 * multiply-adds for prefill. */
static double allowed_tps(const struct llm_info *f, const struct bench_test *t, const struct bench_limits *l)
{
    if (t->is_decode) {
        const double kv = (double)f->kv_bytes_per_tok_f16 * (t->depth + t->n_tok / 2.0);
        return t->batch * l->read_bps / ((double)f->bytes_per_tok + t->batch * kv);
    }
    return l->int8_ops / (2.0 * (double)f->active_params);
}

bool bench_engine(struct llm_model *m, struct pool *pool, uint32_t cpu, struct bench_test *tests, int n_tests, int n_rounds,
                  struct bench_limits *limits, bool (*progress)(void *ctx, int done, int of), void *ctx, struct err *err)
{
    const struct llm_info *f = llm_model_info(m);
    struct run r = { .n_vocab = f->n_vocab };
    double probe[4][BENCH_ROUNDS_MAX];
    bool ok = false;
    int longest = 1, batch = 1;
    for (int i = 0; i < n_tests; i++) {
        const int n = tests[i].depth + tests[i].n_tok;
        longest = n > longest ? n : longest;
        batch = tests[i].batch > batch ? tests[i].batch : batch;
        tests[i].n_rounds = 0;
    }
    if (f->is_encoder)
        return err_set(err, ERR_UNSUPPORTED, "bench: an encoder predicts no next token");
    if (n_rounds > BENCH_ROUNDS_MAX || batch > 64)
        return err_set(err, ERR_INPUT, "bench: %d rounds, %d sequences are too many", n_rounds, batch);
    const struct llm_ctx_options opt = { .n_ctx = longest, .n_seq_max = batch, .n_batch_max = BATCH };
    r.c = llm_ctx_new(m, &opt, err);
    r.tok = calloc(BATCH, sizeof(r.tok[0]));
    if (!r.c || !r.tok) {
        if (r.c)
            err_set(err, ERR_NOMEM, "bench: out of memory");
        goto out;
    }
    rng_seed(&r.rng, 1);
    for (int round = 0; round < n_rounds; round++) {
        if (!bench_probe(limits, pool, cpu, true, err))
            goto out;
        probe[0][round] = limits->read_bps, probe[1][round] = limits->int8_ops, probe[2][round] = limits->bf16_flops,
        probe[3][round] = limits->f32_flops;
        for (int i = 0; i < n_tests; i++) {
            struct bench_test *t = &tests[i];
            if (round == 0) { /* pages touched, caches filled: not counted */
                struct bench_test warm = *t;
                warm.n_tok = t->is_decode ? 2 : t->n_tok;
                if (time_test(&r, &warm, err) < 0)
                    goto out;
            }
            const double s = time_test(&r, t, err);
            if (s < 0)
                goto out;
            t->tps[t->n_rounds] = (double)t->n_tok * t->batch / s;
            t->limit[t->n_rounds++] = allowed_tps(f, t, limits);
            if (progress && !progress(ctx, round * n_tests + i + 1, n_rounds * n_tests)) {
                err_set(err, ERR_CANCELLED, "bench: stopped");
                goto out;
            }
        }
    }
    limits->read_bps = median(probe[0], n_rounds), limits->int8_ops = median(probe[1], n_rounds);
    limits->bf16_flops = isnan(probe[2][0]) ? NAN : median(probe[2], n_rounds), limits->f32_flops = median(probe[3], n_rounds);
    for (int i = 0; i < n_tests; i++) {
        struct bench_test *t = &tests[i];
        double share[BENCH_ROUNDS_MAX];
        t->tps_min = t->tps_max = t->tps[0];
        for (int k = 0; k < t->n_rounds; k++) {
            share[k] = t->tps[k] / t->limit[k];
            t->tps_min = fmin(t->tps_min, t->tps[k]), t->tps_max = fmax(t->tps_max, t->tps[k]);
        }
        t->tps_median = median(t->tps, t->n_rounds);
        t->share_median = median(share, t->n_rounds);
    }
    ok = true;
out:
    free(r.tok);
    llm_ctx_free(r.c);
    return ok;
}

static double log_prob(const float *logits, int n, int32_t id)
{
    double most = -INFINITY, sum = 0;
    for (int i = 0; i < n; i++)
        most = fmax(most, (double)logits[i]);
    for (int i = 0; i < n; i++)
        sum += exp((double)logits[i] - most);
    return (double)logits[id] - most - log(sum);
}

bool bench_perplexity(struct llm_model *m, const int32_t *ids, int n, int n_ctx, int32_t bos, double *ppl, int *n_chunks, struct err *err)
{
    const struct llm_info *f = llm_model_info(m);
    const int step = n_ctx < 128 ? n_ctx : 128; /* tokens at a time: bounds the logits in memory */
    double sum = 0;
    int64_t count = 0;
    bool ok = false;
    *n_chunks = n_ctx > 1 ? n / n_ctx : 0;
    if (*n_chunks < 1)
        return err_set(err, ERR_INPUT, "perplexity: %d tokens are less than one chunk of %d", n, n_ctx);
    const struct llm_ctx_options opt = { .n_ctx = n_ctx, .n_batch_max = step, .n_logits_max = step };
    struct llm_ctx *c = llm_ctx_new(m, &opt, err);
    struct llm_token *tok = calloc((size_t)step, sizeof(*tok));
    if (!c || !tok) {
        if (c)
            err_set(err, ERR_NOMEM, "perplexity: out of memory");
        goto out;
    }
    for (int chunk = 0; chunk < *n_chunks; chunk++) {
        const int32_t *from = ids + (size_t)chunk * (size_t)n_ctx;
        const int seq = llm_seq_new(c);
        for (int at = 0, k; at < n_ctx; at += k) {
            k = n_ctx - at < step ? n_ctx - at : step;
            for (int i = 0; i < k; i++)
                tok[i] = (struct llm_token){ .seq = seq, .pos = at + i, .id = at + i == 0 && bos >= 0 ? bos : from[at + i],
                                             .want_logits = at + i >= n_ctx / 2 && at + i < n_ctx - 1 };
            if (!llm_forward(c, tok, k, err)) {
                llm_seq_free(c, seq);
                goto out;
            }
            for (int i = 0, row = 0; i < k; i++)
                if (tok[i].want_logits) {
                    sum -= log_prob(llm_logits(c, row++), f->n_vocab, from[at + i + 1]);
                    count++;
                }
        }
        llm_seq_free(c, seq);
    }
    *ppl = exp(sum / (double)count);
    ok = true;
out:
    free(tok);
    llm_ctx_free(c);
    return ok;
}
