/* bench/engine.c - tokens per second of prefill and decode, and perplexity; start at bench_engine(). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "bench/bench.h"
#include "bench/runner_internal.h"

enum { PROBES_MAX = 512 };

double bench_median(double *x, int n)
{
    for (int i = 1; i < n; i++)
        for (int j = i; j > 0 && x[j] < x[j - 1]; j--) {
            const double t = x[j];
            x[j] = x[j - 1], x[j - 1] = t;
        }
    return n % 2 ? x[n / 2] : (x[n / 2 - 1] + x[n / 2]) / 2;
}

struct timing {
    double s, ttft_s; /* ttft_s 0: not measured */
    double joules;    /* NAN: no meter */
};

static bool time_test(struct runner *r, const struct bench_test *t, struct timing *out, struct err *err)
{
    int seq[BENCH_BATCH_MAX], n_seq = 0;
    bool ok = false;
    for (; n_seq < t->batch; n_seq++) {
        seq[n_seq] = llm_seq_new(r->c);
        if (t->depth > 0 && !runner_feed(r, seq[n_seq], 0, t->depth, err)) {
            n_seq++;
            goto out;
        }
    }
    const double joules = r->setup->sense ? sense_joules(r->setup->sense) : (double)NAN;
    const uint64_t start = clock_ns();
    *out = (struct timing){ 0 };
    if (!t->is_decode)
        for (int i = 0; i < t->batch; i++) {
            if (!runner_feed(r, seq[i], t->depth, t->n_tok, err))
                goto out;
        }
    else
        for (int k = 0; k < t->n_tok; k++)
            if (!runner_step(r, seq, t->batch, t->depth + k, err))
                goto out;
    out->s = (double)(clock_ns() - start) * 1e-9;
    out->joules = r->setup->sense ? sense_joules(r->setup->sense) - joules : (double)NAN;
    if (!t->is_decode && t->batch == 1) {
        if (!runner_step(r, seq, 1, t->depth + t->n_tok, err))
            goto out;
        out->ttft_s = (double)(clock_ns() - start) * 1e-9;
    }
    ok = true;
out:
    for (int i = 0; i < n_seq; i++)
        llm_seq_free(r->c, seq[i]);
    return ok;
}

double bench_allowed_tps(const struct llm_info *f, const struct bench_limits *l, bool is_decode, double depth, int batch)
{
    if (is_decode) {
        const double kv = (double)f->kv_bytes_per_tok_f16 * depth;
        return batch * l->read_bps / ((double)f->bytes_per_tok + batch * kv);
    }
    return l->int8_ops / (2.0 * (double)f->active_params);
}

static double allowed(const struct llm_info *f, const struct bench_test *t, const struct bench_limits *l)
{
    return bench_allowed_tps(f, l, t->is_decode, t->depth + t->n_tok / 2.0, t->batch);
}

static struct bench_limits middle(const struct bench_limits *a, const struct bench_limits *b)
{
    return (struct bench_limits){ (a->read_bps + b->read_bps) / 2, (a->int8_ops + b->int8_ops) / 2, (a->bf16_flops + b->bf16_flops) / 2,
                                  (a->f32_flops + b->f32_flops) / 2 };
}

static void sum_up(struct bench_test *t, const double *ttft_ms, double joules)
{
    double tps[BENCH_ROUNDS_MAX], share[BENCH_ROUNDS_MAX], ttft[BENCH_ROUNDS_MAX];
    t->ttft_ms = t->joules_per_tok = NAN;
    if (t->n_rounds < 1)
        return;
    t->tps_min = t->tps_max = t->tps[0];
    for (int k = 0; k < t->n_rounds; k++) {
        tps[k] = t->tps[k], share[k] = t->tps[k] / t->limit[k], ttft[k] = ttft_ms[k];
        t->tps_min = fmin(t->tps_min, t->tps[k]), t->tps_max = fmax(t->tps_max, t->tps[k]);
    }
    t->tps_median = bench_median(tps, t->n_rounds);
    t->share_median = bench_median(share, t->n_rounds);
    if (ttft[0] > 0 && t->depth == 0)
        t->ttft_ms = bench_median(ttft, t->n_rounds);
    t->joules_per_tok = joules / ((double)t->n_rounds * t->n_tok * t->batch);
}

/* Seconds that a test takes, with what must be fed before it. */
static double estimate(const struct llm_info *f, const struct bench_test *t, const struct bench_limits *l)
{
    const double pp = 0.5 * bench_allowed_tps(f, l, false, 0, 1), tps = 0.5 * allowed(f, t, l);
    return 0.3 + (double)t->depth * t->batch / pp + (double)t->n_tok * t->batch / tps;
}

bool bench_engine(const struct bench_setup *s, struct bench_test *tests, int n_tests, int n_rounds, struct bench_limits *limits, struct err *err)
{
    const struct llm_info *f = llm_model_info(s->model);
    struct runner r = { 0 };
    struct bench_limits before, after;
    struct state { double cost_s, joules, ttft_ms[BENCH_ROUNDS_MAX]; } *st = calloc((size_t)n_tests, sizeof(*st));
    struct bench_limits *probes = calloc(PROBES_MAX, sizeof(*probes));
    double one[PROBES_MAX];
    int n_probes = 0, longest = 1, batch = 1;
    bool ok = false;
    for (int i = 0; i < n_tests; i++) {
        const int n = tests[i].depth + tests[i].n_tok + 1;
        longest = n > longest ? n : longest;
        batch = tests[i].batch > batch ? tests[i].batch : batch;
        tests[i].n_rounds = 0;
    }
    if (!st || !probes) {
        err_set(err, ERR_NOMEM, "bench: out of memory");
        goto out;
    }
    if (n_rounds > BENCH_ROUNDS_MAX || batch > BENCH_BATCH_MAX || n_rounds * (n_tests + 1) > PROBES_MAX) {
        err_set(err, ERR_INPUT, "bench: %d rounds of %d tests, %d sequences are too many", n_rounds, n_tests, batch);
        goto out;
    }
    if (!runner_open(&r, s, longest, batch, err) || !bench_probe(&before, s->pool, s->cpu, true, err))
        goto out;
    probes[n_probes++] = before;
    for (int i = 0; i < n_tests; i++)
        st[i].cost_s = estimate(f, &tests[i], &before);
    for (int round = 0; round < n_rounds; round++)
        for (int i = 0; i < n_tests; i++) {
            struct bench_test *t = &tests[i];
            struct timing took;
            double later = 0;
            for (int k = 0; k < n_tests; k++)
                later += st[k].cost_s * (n_rounds - round - (k <= i));
            if (round == 0) { /* pages touched, caches filled: not counted */
                struct bench_test warm = *t;
                warm.depth = 0, warm.n_tok = t->is_decode ? 2 : t->n_tok < 64 ? t->n_tok : 64;
                runner_piece(&r, t->name, 0, later + st[i].cost_s);
                if (!time_test(&r, &warm, &took, err))
                    goto out;
            }
            runner_piece(&r, t->name, st[i].cost_s, later);
            const uint64_t start = clock_ns();
            if (!time_test(&r, t, &took, err) || !bench_probe(&after, s->pool, s->cpu, true, err))
                goto out;
            const struct bench_limits around = middle(&before, &after);
            t->tps[t->n_rounds] = (double)t->n_tok * t->batch / took.s;
            t->limit[t->n_rounds] = allowed(f, t, &around);
            st[i].ttft_ms[t->n_rounds++] = took.ttft_s * 1e3;
            st[i].joules += took.joules;
            st[i].cost_s = (double)(clock_ns() - start) * 1e-9;
            probes[n_probes++] = before = after;
        }
    ok = true;
out:
    if (n_probes > 0) {
        double *const to[] = { &limits->read_bps, &limits->int8_ops, &limits->bf16_flops, &limits->f32_flops };
        for (int k = 0; k < 4; k++) {
            for (int i = 0; i < n_probes; i++)
                one[i] = k == 0 ? probes[i].read_bps : k == 1 ? probes[i].int8_ops : k == 2 ? probes[i].bf16_flops : probes[i].f32_flops;
            *to[k] = isnan(one[0]) ? (double)NAN : bench_median(one, n_probes);
        }
    }
    for (int i = 0; st && i < n_tests; i++)
        sum_up(&tests[i], st[i].ttft_ms, st[i].joules);
    runner_close(&r);
    free(probes);
    free(st);
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
