/* bench/engine.c - tokens per second of prefill and decode, and perplexity; start at bench_engine(). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "bench/bench.h"
#include "bench/runner_internal.h"

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
    while (n_seq < t->batch) {
        seq[n_seq] = llm_seq_new(r->c);
        n_seq++;
        if (t->depth > 0 && !runner_dive(r, seq[n_seq - 1], n_seq - 1, t->depth, err))
            goto out;
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
    if (!t->is_decode && t->batch == 1 && t->depth + t->n_tok < llm_ctx_n_ctx(r->c)) {
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

/* One sequence alone is bound by memory (its arithmetic is hundreds of times faster); all else by what comes first. */
static unsigned roofs_of(const struct bench_test *t, const struct bench_units *u)
{
    unsigned roofs = 1 << ROOF_READ;
    if (t->is_decode && t->batch == 1)
        return roofs;
    for (int r = ROOF_INT8; r < BENCH_ROOFS; r++)
        roofs |= u->frac[r] > 0 ? 1u << r : 0;
    return roofs | 1 << ROOF_BF16 | 1 << ROOF_F32; /* attention */
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

static struct bench_work work_of(const struct bench_setup *s, const struct bench_test *t, const struct bench_limits *l)
{
    return bench_work_of(llm_model_info(s->model), &s->units, l, t->is_decode, t->n_tok, t->depth, t->batch);
}

double bench_test_seconds(const struct bench_setup *s, const struct bench_test *t, const struct bench_limits *l)
{
    const struct bench_work feed = bench_work_of(llm_model_info(s->model), &s->units, l, false, BENCH_CHUNK, 0, 1), own = work_of(s, t, l);
    const double slow = t->threads > 0 ? (double)pool_n_threads(s->pool) / t->threads : 1; /* the limits are those of all threads */
    return 0.3 + slow * ((double)t->n_tok * t->batch / (0.5 * bench_allowed_tps(&own, l, NULL)) + (double)t->depth * t->batch / (0.5 * bench_allowed_tps(&feed, l, NULL)));
}

/* What all tests of a run share, and what of them is summed up at its end. */
struct course {
    const struct bench_setup *setup;
    struct runner r;
    struct bench_prober *prober;
    struct state { /* of a test */
        double cost_s, joules, ttft_ms[BENCH_ROUNDS_MAX];
    } *st;
    struct bench_limits *probes;
    int n_probes;
    int deepest[BENCH_BATCH_MAX], anchor[BENCH_BATCH_MAX]; /* sequences that hold what the deep ones begin with; -1: not yet */
};

/* Sequences and K/V pages for the widest and the deepest test, and for what is kept of the deep ones. */
static bool open_course(struct course *c, const struct bench_setup *s, const struct bench_test *tests, int n_tests, int n_rounds, struct err *err)
{
    int longest = 1, most = 1;
    int64_t kv = 0, live = 0;
    *c = (struct course){ .setup = s };
    for (int b = 0; b < BENCH_BATCH_MAX; b++)
        c->anchor[b] = -1;
    for (int i = 0; i < n_tests; i++) {
        const struct bench_test *t = &tests[i];
        if (t->batch < 1 || t->batch > BENCH_BATCH_MAX || t->n_tok < 1 || t->depth < 0)
            return err_set(err, ERR_INPUT, "bench: %s: %d sequences at depth %d cannot be measured", t->name, t->batch, t->depth);
        longest = t->depth + t->n_tok > longest ? t->depth + t->n_tok : longest;
        most = t->batch > most ? t->batch : most;
        live = (int64_t)t->batch * (t->depth + t->n_tok + 64) > live ? (int64_t)t->batch * (t->depth + t->n_tok + 64) : live;
        for (int b = 0; b < t->batch; b++)
            c->deepest[b] = t->depth > c->deepest[b] ? t->depth : c->deepest[b];
    }
    for (int b = 0; b < BENCH_BATCH_MAX; b++)
        kv += c->deepest[b];
    if (kv + live > INT32_MAX / 2)
        return err_set(err, ERR_INPUT, "bench: %lld positions of K and V are too many", (long long)(kv + live));
    c->st = calloc((size_t)n_tests, sizeof(*c->st));
    c->probes = calloc((size_t)n_tests * (size_t)n_rounds * 2, sizeof(*c->probes));
    if (!c->st || !c->probes)
        return err_set(err, ERR_NOMEM, "bench: out of memory");
    bool ok = runner_open(&c->r, s, longest + 1, 2 * most, (int)(kv + live), err); /* room for a token behind the longest prompt */
    if (!ok && err->code == ERR_LIMIT) { /* the model ends there: no time to the first token for that one */
        runner_close(&c->r);
        *err = (struct err){ 0 };
        ok = runner_open(&c->r, s, longest, 2 * most, (int)(kv + live), err);
    }
    return ok && (c->prober = bench_prober_new(s->pool, s->cpu, err));
}

static void close_course(struct course *c)
{
    bench_prober_free(c->prober); /* first: its memory is not the engine's */
    runner_close(&c->r);
    free(c->probes);
    free(c->st);
}

/* What the test's sequences begin with is evaluated once in a run, and stays. */
static bool hold_anchors(struct course *c, const struct bench_test *t, struct err *err)
{
    for (int b = 0; t->depth > 0 && b < t->batch; b++)
        if (c->anchor[b] < 0) {
            c->anchor[b] = llm_seq_new(c->r.c);
            if (!runner_dive(&c->r, c->anchor[b], b, c->deepest[b], err))
                return false;
        }
    return true;
}

static bool run_test(struct course *c, struct bench_test *t, struct state *st, struct err *err)
{
    const unsigned roofs = roofs_of(t, &c->setup->units);
    const uint64_t start = clock_ns();
    struct timing took;
    struct bench_limits *around = &c->probes[c->n_probes];
    if (!hold_anchors(c, t, err))
        return false;
    around[0] = bench_prober_run(c->prober, roofs, true);
    if (!time_test(&c->r, t, &took, err))
        return false;
    around[1] = bench_prober_run(c->prober, roofs, true);
    c->n_probes += 2;
    const struct bench_limits l = bench_limits_between(&around[0], &around[1]);
    t->work = work_of(c->setup, t, &l);
    t->tps[t->n_rounds] = (double)t->n_tok * t->batch / took.s;
    t->limit[t->n_rounds] = bench_allowed_tps(&t->work, &l, &t->roof);
    st->ttft_ms[t->n_rounds++] = took.ttft_s * 1e3;
    st->joules += took.joules;
    st->cost_s = (double)(clock_ns() - start) * 1e-9;
    return true;
}

/* Pages touched, caches filled: not counted. */
static bool warm_up(struct course *c, const struct bench_test *t, struct err *err)
{
    struct timing ignored;
    struct bench_test warm = *t;
    const int most = t->is_decode ? 2 : 64;
    warm.depth = 0, warm.n_tok = t->n_tok < most ? t->n_tok : most;
    return time_test(&c->r, &warm, &ignored, err);
}

static void sum_up_limits(const struct course *c, struct bench_limits *limits)
{
    double *const to[BENCH_ROOFS] = { &limits->read_bps, &limits->int8_ops, &limits->bf16_flops, &limits->f32_flops }; /* ORDER ROOF */
    double *one = calloc((size_t)c->n_probes + 1, sizeof(*one));
    for (enum bench_roof r = ROOF_READ; one && r < BENCH_ROOFS; r++) {
        int n = 0;
        for (int i = 0; i < c->n_probes; i++)
            if (isfinite(bench_limit(&c->probes[i], r)))
                one[n++] = bench_limit(&c->probes[i], r);
        if (n > 0)
            *to[r] = bench_median(one, n);
    }
    free(one);
}

bool bench_engine(const struct bench_setup *s, struct bench_test *tests, int n_tests, int n_rounds, struct bench_limits *limits, struct err *err)
{
    struct course c = { 0 };
    bool ok = false;
    for (int i = 0; i < n_tests; i++)
        tests[i].n_rounds = 0;
    if (n_rounds < 1 || n_rounds > BENCH_ROUNDS_MAX)
        return err_set(err, ERR_INPUT, "bench: %d rounds", n_rounds);
    if (!open_course(&c, s, tests, n_tests, n_rounds, err))
        goto out;
    for (int i = 0; i < n_tests; i++)
        c.st[i].cost_s = bench_test_seconds(s, &tests[i], limits);
    for (int round = 0; round < n_rounds; round++)
        for (int i = 0; i < n_tests; i++) {
            struct bench_test *t = &tests[i];
            double later = 0;
            for (int k = 0; k < n_tests; k++)
                later += c.st[k].cost_s * (n_rounds - round - (k <= i));
            pool_use(s->pool, t->threads > 0 ? t->threads : pool_n_threads(s->pool));
            runner_piece(&c.r, t->name, c.st[i].cost_s, later);
            if ((round == 0 && !warm_up(&c, t, err)) || !run_test(&c, t, &c.st[i], err))
                goto out;
        }
    ok = true;
out:
    pool_use(s->pool, pool_n_threads(s->pool));
    sum_up_limits(&c, limits);
    for (int i = 0; c.st && i < n_tests; i++)
        sum_up(&tests[i], c.st[i].ttft_ms, c.st[i].joules);
    close_course(&c);
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
