/* bench/score.c - see score.h; start at bench_score_run() and bench_score_quick(). */
#include "bench/score.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "bench/runner_internal.h"

static double since_s(uint64_t start) { return (double)(clock_ns() - start) * 1e-9; }

/* One repetition: prompt_tps, gen_tps, ttft_ms of c. */
static bool repeat(struct runner *r, struct localscore_case *c, struct err *err)
{
    const uint64_t start = clock_ns();
    const int seq = llm_seq_new(r->c);
    double prompt_s = 0, ttft_s = 0;
    bool ok = runner_feed(r, seq, 0, c->n_prompt, err);
    prompt_s = since_s(start);
    const uint64_t gen_start = clock_ns();
    for (int k = 0; ok && k < c->n_gen; k++) {
        ok = runner_step(r, &seq, 1, c->n_prompt + k, err);
        if (k == 0)
            ttft_s = since_s(start);
    }
    c->prompt_tps = c->n_prompt / prompt_s, c->gen_tps = c->n_gen / since_s(gen_start), c->ttft_ms = ttft_s * 1e3;
    llm_seq_free(r->c, seq);
    return ok;
}

/* What the limits allow for the prompt and for the generated tokens of a case. */
static double allowed(const struct bench_setup *s, const struct bench_limits *l, const struct localscore_case *c, bool is_decode)
{
    const struct bench_work w = bench_work_of(llm_model_info(s->model), &s->units, l, is_decode, is_decode ? c->n_gen : c->n_prompt, is_decode ? c->n_prompt : 0, 1);
    return bench_allowed_tps(&w, l, NULL);
}

/* Seconds of a case at half the limit; the first measured case corrects it. */
static double estimate(const struct bench_setup *s, const struct bench_limits *l, const struct localscore_case *c)
{
    return 0.3 + c->n_prompt / (0.5 * allowed(s, l, c, false)) + c->n_gen / (0.6 * allowed(s, l, c, true));
}

double bench_score_seconds(const struct bench_setup *s, const struct bench_limits *l, int n_reps)
{
    double all = estimate(s, l, &localscore_cases[0]); /* the warm-up */
    for (int i = 0; i < LOCALSCORE_N; i++)
        all += estimate(s, l, &localscore_cases[i]) * n_reps;
    return all;
}

static bool run_case(const struct bench_setup *s, struct localscore_case *c, int n_reps, double piece_s, double after_s, struct err *err)
{
    struct runner r;
    struct localscore_case sum = { 0 }, one = *c;
    char what[32];
    bool ok = runner_open(&r, s, c->n_prompt + c->n_gen, 1, 0, err);
    snprintf(what, sizeof(what), "pp%d+tg%d", c->n_prompt, c->n_gen);
    for (int i = 0; ok && i < n_reps; i++) {
        runner_piece(&r, what, piece_s, after_s + piece_s * (n_reps - 1 - i));
        ok = repeat(&r, &one, err);
        sum.prompt_tps += one.prompt_tps / n_reps, sum.gen_tps += one.gen_tps / n_reps, sum.ttft_ms += one.ttft_ms / n_reps;
    }
    runner_close(&r);
    c->prompt_tps = sum.prompt_tps, c->gen_tps = sum.gen_tps, c->ttft_ms = sum.ttft_ms;
    return ok;
}

bool bench_score_run(const struct bench_setup *s, int n_reps, struct bench_score *out, struct err *err)
{
    struct bench_limits before, after;
    double left[LOCALSCORE_N + 1] = { 0 }, slow = 1; /* left[i]: of all from i on, by the estimate; slow: how wrong it is */
    *out = (struct bench_score){ .sum = { NAN, NAN, NAN, NAN } };
    memcpy(out->cases, localscore_cases, sizeof(out->cases));
    if (!bench_probe(&before, s->pool, s->cpu, true, err))
        return false;
    for (int i = LOCALSCORE_N - 1; i >= 0; i--)
        left[i] = left[i + 1] + estimate(s, &before, &localscore_cases[i]) * n_reps;
    struct localscore_case warm = localscore_cases[0];
    if (!run_case(s, &warm, 1, left[0] - left[1], left[0], err) || !bench_probe(&before, s->pool, s->cpu, true, err))
        return false;
    double expected = 0, took = 0;
    for (int i = 0; i < LOCALSCORE_N; i++) {
        struct localscore_case *c = &out->cases[i];
        const uint64_t start = clock_ns();
        const double one = (left[i] - left[i + 1]) / n_reps;
        if (!run_case(s, c, n_reps, slow * one, slow * left[i + 1], err) || !bench_probe(&after, s->pool, s->cpu, true, err))
            return false;
        took += since_s(start), expected += left[i] - left[i + 1];
        slow = took / expected;
        const struct bench_limits l = bench_limits_between(&before, &after);
        out->prompt_share[i] = c->prompt_tps / allowed(s, &l, c, false);
        out->gen_share[i] = c->gen_tps / allowed(s, &l, c, true);
        out->n_done = i + 1;
        before = after;
    }
    out->sum = localscore_sum(out->cases);
    return true;
}

/* ---- few measurements ---- */

/* Rounds: at least 3, more while they are short (a small model's figures are noisier). */
enum { N_CHUNK = 256, STEPS_MIN = 12, STEPS_MAX = 192, ROUNDS_MIN = 3, ROUNDS_MAX = 9 };
static const double QUICK_S = 4;

static bool time_prompt(struct runner *r, int n, double *s, struct err *err)
{
    const int seq = llm_seq_new(r->c);
    const uint64_t start = clock_ns();
    const bool ok = runner_feed(r, seq, 0, n, err);
    *s = since_s(start);
    llm_seq_free(r->c, seq);
    return ok;
}

/* A chunk at positions 0.., steps behind it, a deep chunk, steps behind that. */
static bool time_depths(struct runner *r, struct localscore_few *f, int n_steps, struct err *err)
{
    const int seq = llm_seq_new(r->c);
    uint64_t start = clock_ns();
    int pos = f->n_chunk;
    bool ok = runner_feed(r, seq, 0, f->n_chunk, err);
    f->chunk_s = since_s(start);
    start = clock_ns();
    for (int k = 0; ok && k < n_steps; k++)
        ok = runner_step(r, &seq, 1, pos++, err);
    f->step_s = since_s(start) / n_steps, f->step_depth = f->n_chunk + n_steps / 2;
    ok = ok && runner_feed(r, seq, pos, f->depth - pos, err);
    start = clock_ns();
    ok = ok && runner_feed(r, seq, f->depth, f->n_chunk, err);
    f->deep_chunk_s = since_s(start);
    start = clock_ns();
    for (int k = 0; ok && k < n_steps; k++)
        ok = runner_step(r, &seq, 1, f->depth + f->n_chunk + k, err);
    f->deep_step_s = since_s(start) / n_steps;
    llm_seq_free(r->c, seq);
    return ok;
}

/* Half the range of the limits, as a fraction: how unlike one moment of this run was to another. */
static double unrest(const struct bench_limits *l, int n)
{
    double most[2] = { 0, 0 }, least[2] = { INFINITY, INFINITY };
    for (int i = 0; i < n; i++) {
        most[0] = fmax(most[0], l[i].read_bps), least[0] = fmin(least[0], l[i].read_bps);
        most[1] = fmax(most[1], l[i].int8_ops), least[1] = fmin(least[1], l[i].int8_ops);
    }
    return fmax((most[0] - least[0]) / (most[0] + least[0]), (most[1] - least[1]) / (most[1] + least[1]));
}

bool bench_score_quick(const struct bench_setup *s, struct bench_score *out, struct err *err)
{
    struct runner r;
    struct localscore_few few[ROUNDS_MAX], mid;
    struct bench_limits probe[ROUNDS_MAX + 1];
    double score[ROUNDS_MAX], one[ROUNDS_MAX], warm_s;
    int n = 0;
    *out = (struct bench_score){ .is_projected = true, .error_frac = NAN, .sum = { NAN, NAN, NAN, NAN } };
    memcpy(out->cases, localscore_cases, sizeof(out->cases));
    bool ok = runner_open(&r, s, 4096, 1, 0, err);
    if (!ok)
        goto out;
    runner_piece(&r, "projection", 5, 0);
    if (!(ok = time_prompt(&r, 64, &warm_s, err) && time_prompt(&r, 64, &warm_s, err) && bench_probe(&probe[0], s->pool, s->cpu, true, err)))
        goto out;
    /* as deep as two seconds of prompt go; steps for a twentieth of a second */
    const double tps = 64 / warm_s;
    const int n_steps = (int)fmin(fmax(0.05 * tps / 4, STEPS_MIN), STEPS_MAX);
    const int depth = (int)fmin(fmax(2 * tps, 2 * N_CHUNK), 3072) / 32 * 32;
    double round_s = (depth + N_CHUNK + 80) / tps + 2 * n_steps / tps * 8;
    const uint64_t start = clock_ns();
    while (ok && n < ROUNDS_MAX && (n < ROUNDS_MIN || since_s(start) < QUICK_S)) {
        const uint64_t begin = clock_ns();
        few[n] = (struct localscore_few){ .n_chunk = N_CHUNK, .depth = depth };
        runner_piece(&r, "projection", round_s, fmax(round_s * (ROUNDS_MIN - 1 - n), QUICK_S - since_s(start) - round_s));
        ok = time_prompt(&r, 16, &few[n].pp16_s, err) && time_prompt(&r, 64, &few[n].pp64_s, err) && time_depths(&r, &few[n], n_steps, err);
        if (ok && !(ok = localscore_project(&few[n], out->cases)))
            err_set(err, ERR_INTERNAL, "bench: the clock stood still");
        score[n++] = localscore_sum(out->cases).score;
        ok = ok && bench_probe(&probe[n], s->pool, s->cpu, true, err);
        round_s = since_s(begin);
    }
    if (!ok)
        goto out;
    /* each figure's median, then the projection */
    mid = few[0];
#define MEDIAN(field)                                                                              \
    do {                                                                                           \
        for (int i = 0; i < n; i++)                                                                \
            one[i] = few[i].field;                                                                 \
        mid.field = bench_median(one, n);                                                          \
    } while (0)
    MEDIAN(pp16_s);
    MEDIAN(pp64_s);
    MEDIAN(chunk_s);
    MEDIAN(deep_chunk_s);
    MEDIAN(step_s);
    MEDIAN(deep_step_s);
#undef MEDIAN
    ok = localscore_project(&mid, out->cases);
    out->sum = localscore_sum(out->cases);
    out->n_done = LOCALSCORE_N;
    bench_median(score, n); /* sorts */
    /* what the model itself gets wrong (docs/bench.md), the spread of this run, and how much the machine itself wandered: a factor
     * on all rates is the same factor on the score */
    const double spread = (score[n - 1 - n / 6] - score[n / 6]) / 2 / out->sum.score;
    out->error_frac = hypot(hypot(BENCH_QUICK_MODEL_ERROR, spread), unrest(probe, n + 1));
out:
    runner_close(&r);
    return ok;
}
