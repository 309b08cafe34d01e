/* tests/bench/test_bench_stop.c - a bench that is stopped keeps what it has; one that is not tells how far it is. */
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "bench/score.h"
#include "bench/soak.h"
#include "bench/sweep.h"
#include "hw/cpu.h"
#include "test.h"

struct world {
    struct gguf *g;
    struct kernels kernels;
    struct bench_setup setup;
    struct bench_watch watch;
    int64_t peak_bytes;
};
struct patience {
    int told, most; /* stops at the most-th time */
    double left_s;
};

static bool tell(void *ctx, const char *what, double left_s)
{
    struct patience *p = ctx;
    CHECK(what && what[0] && left_s >= 0);
    p->left_s = left_s;
    return ++p->told < p->most;
}

static bool begin(struct world *w, struct patience *p)
{
    struct err err = { 0 };
    const char *model = "models/tutti-tiny.gguf";
    memset(w, 0, sizeof(*w));
    if (access(model, R_OK) != 0)
        SKIP("no %s here", model);
    kernels_choose(&w->kernels, cpu_flags());
    w->watch = (struct bench_watch){ tell, p };
    w->setup = (struct bench_setup){ .pool = pool_new(1, &err), .cpu = cpu_flags(), .watch = &w->watch, .peak_bytes = &w->peak_bytes };
    w->g = gguf_open(model, &err);
    w->setup.model = w->g && w->setup.pool ? llm_model_open(w->g, &w->kernels, w->setup.pool, &err) : NULL;
    CHECK(w->setup.model, "%s", err.text);
    return w->setup.model != NULL;
}
static void end(struct world *w)
{
    llm_model_free(w->setup.model);
    gguf_close(w->g);
    pool_free(w->setup.pool);
}

TEST(tests_measured_before_the_stop_stand)
{
    struct world w;
    struct err err = { 0 };
    struct bench_limits l = { NAN, NAN, NAN, NAN };
    struct bench_test t[2] = { { .name = "pp32", .n_tok = 32, .batch = 1 }, { .name = "tg8", .is_decode = true, .n_tok = 8, .batch = 2 } };
    struct patience all = { .most = 1 << 30 }, some = { .most = 8 };
    REQUIRE(begin(&w, &all));
    CHECK(bench_engine(&w.setup, t, 2, 2, &l, &err), "%s", err.text);
    CHECK(t[0].n_rounds == 2 && t[1].n_rounds == 2 && t[0].tps_median > 0 && t[1].share_median > 0 && t[0].ttft_ms > 0 && isnan(t[1].ttft_ms) && l.read_bps > 0);
    CHECK(t[0].tps_min <= t[0].tps_median && t[0].tps_median <= t[0].tps_max && isnan(t[0].joules_per_tok));
    CHECK(w.peak_bytes >= 0 && all.told > 20);
    end(&w);
    REQUIRE(begin(&w, &some));
    CHECK(!bench_engine(&w.setup, t, 2, 2, &l, &err) && err.code == ERR_CANCELLED);
    CHECK(t[0].n_rounds == 1 && t[0].tps_median > 0 && t[1].n_rounds == 0, "%d, %d", t[0].n_rounds, t[1].n_rounds);
    end(&w);
}

TEST(a_stopped_localscore_has_its_cases_and_no_score)
{
    struct world w;
    struct err err = { 0 };
    struct bench_score s;
    struct patience few = { .most = 1 }, some = { .most = 60 }; /* warm-up: 2 chunks and 16 steps; the first test as many */
    REQUIRE(begin(&w, &few));
    CHECK(!bench_score_run(&w.setup, 1, &s, &err) && err.code == ERR_CANCELLED && s.n_done == 0 && isnan(s.sum.score));
    w.watch.ctx = &some;
    CHECK(!bench_score_run(&w.setup, 1, &s, &err) && err.code == ERR_CANCELLED && s.n_done == 1 && isnan(s.sum.score), "%d", s.n_done);
    CHECK(s.cases[0].prompt_tps > 0 && s.cases[0].gen_tps > 0 && s.cases[0].ttft_ms > 0 && s.gen_share[0] > 0);
    end(&w);
}

TEST(a_projection_says_what_it_is)
{
    struct world w;
    struct err err = { 0 };
    struct bench_score s;
    struct patience p = { .most = 1 << 30 }, none = { .most = 1 };
    REQUIRE(begin(&w, &p));
    CHECK(bench_score_quick(&w.setup, &s, &err), "%s", err.text);
    CHECK(s.is_projected && s.n_done == LOCALSCORE_N && s.sum.score > 0 && s.error_frac >= BENCH_QUICK_MODEL_ERROR);
    w.watch.ctx = &none;
    CHECK(!bench_score_quick(&w.setup, &s, &err) && err.code == ERR_CANCELLED);
    end(&w);
}

TEST(a_stopped_soak_keeps_its_curve)
{
    static struct bench_soak s;
    struct world w;
    struct err err = { 0 };
    struct patience p = { .most = 1 << 30 };
    REQUIRE(begin(&w, &p));
    CHECK(bench_soak_run(&w.setup, 0.05, &s, &err) && s.n >= 1 && s.sample[0].tg_tps > 0 && s.sample[0].pp_tps > 0, "%s", err.text);
    p.told = 0, p.most = 5;
    CHECK(!bench_soak_run(&w.setup, 3600, &s, &err) && err.code == ERR_CANCELLED && s.n == 0 && isnan(s.kept_frac));
    end(&w);
}

TEST(sweeps_cover_threads_streams_sizes_and_units_and_can_be_stopped)
{
    static struct bench_read reads[BENCH_READS_MAX];
    static struct bench_peak peaks[BENCH_PEAKS_MAX];
    struct err err = { 0 };
    struct patience p = { .most = 1 << 30 }, once = { .most = 1 };
    struct bench_watch w = { tell, &p };
    int n = 0, seen[READ_KINDS] = { 0 };
    CHECK(bench_reads(2, cpu_flags(), reads, &n, &w, &err), "%s", err.text);
    for (int i = 0; i < n; i++) {
        seen[reads[i].kind]++;
        CHECK(reads[i].bps > 0 && reads[i].threads >= 1 && reads[i].threads <= 2 && reads[i].bytes > 0);
    }
    CHECK(seen[READ_OVER_THREADS] == 2 && seen[READ_OVER_STREAMS] == 5 && seen[READ_OVER_SIZES] >= 20);
    CHECK(bench_peaks(1, 0, peaks, &n, &w, &err) && n >= 2 && strcmp(peaks[0].isa, "ref") == 0 && peaks[0].ops > 0);
    w.ctx = &once;
    CHECK(!bench_reads(2, 0, reads, &n, &w, &err) && err.code == ERR_CANCELLED && n > 0);
}
