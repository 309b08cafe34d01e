/* bench/soak.c - see soak.h. */
#include "bench/soak.h"

#include <math.h>

#include "base/clock.h"
#include "bench/runner_internal.h"

enum { N_PROMPT = 64, N_GEN = 16 };

static double since_s(uint64_t start) { return (double)(clock_ns() - start) * 1e-9; }

static double median_of(const struct bench_soak *s, int from, int n, bool is_tg)
{
    double x[BENCH_SOAK_MAX];
    for (int i = 0; i < n; i++)
        x[i] = is_tg ? s->sample[from + i].tg_tps : s->sample[from + i].pp_tps;
    return bench_median(x, n);
}

static void sum_up(struct bench_soak *s)
{
    s->tg_first = s->tg_last = s->pp_first = s->pp_last = s->kept_frac = NAN;
    if (s->n < 2)
        return;
    const int k = s->n < 20 ? 1 : s->n / 10;
    s->tg_first = median_of(s, 0, k, true), s->tg_last = median_of(s, s->n - k, k, true);
    s->pp_first = median_of(s, 0, k, false), s->pp_last = median_of(s, s->n - k, k, false);
    s->kept_frac = fmin(s->tg_last / s->tg_first, s->pp_last / s->pp_first);
}

/* One prompt and some tokens; adds to the times. */
static bool work(struct runner *r, double *pp_s, double *tg_s, struct err *err)
{
    const int seq = llm_seq_new(r->c);
    uint64_t start = clock_ns();
    bool ok = runner_feed(r, seq, 0, N_PROMPT, err);
    *pp_s += since_s(start);
    start = clock_ns();
    for (int k = 0; ok && k < N_GEN; k++)
        ok = runner_step(r, &seq, 1, N_PROMPT + k, err);
    *tg_s += since_s(start);
    llm_seq_free(r->c, seq);
    return ok;
}

bool bench_soak_run(const struct bench_setup *s, double seconds, struct bench_soak *out, struct err *err)
{
    struct runner r;
    double pp_s = 0, tg_s = 0;
    out->n = 0, out->wanted_s = seconds;
    bool ok = runner_open(&r, s, N_PROMPT + N_GEN, 1, 0, err);
    runner_piece(&r, "soak", seconds, 0);
    ok = ok && work(&r, &pp_s, &tg_s, err); /* warm-up */
    const double every = fmax(1, seconds / BENCH_SOAK_MAX);
    const uint64_t start = clock_ns();
    while (ok && since_s(start) < seconds && out->n < BENCH_SOAK_MAX) {
        const uint64_t begin = clock_ns();
        const double joules = s->sense ? sense_joules(s->sense) : (double)NAN;
        int n = 0;
        runner_piece(&r, "soak", seconds - since_s(start), 0);
        for (pp_s = tg_s = 0; ok && (n == 0 || since_s(begin) < fmin(every, seconds)); n++)
            ok = work(&r, &pp_s, &tg_s, err);
        if (!ok)
            break;
        struct bench_soak_sample *k = &out->sample[out->n++];
        *k = (struct bench_soak_sample){ since_s(start), n * N_PROMPT / pp_s, n * N_GEN / tg_s, NAN, NAN, NAN };
        if (s->sense) {
            k->mhz = sense_mhz(s->sense), k->temperature_c = sense_temperature_c(s->sense);
            k->watts = (sense_joules(s->sense) - joules) / since_s(begin);
        }
    }
    runner_close(&r);
    sum_up(out);
    return ok;
}
