/* tests/cmd/test_fit_measured.c - what a bench kept corrects this machine's predictions, and nothing else does. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/store.h"
#include "cmd/bench_internal.h"
#include "cmd/fit_internal.h"
#include "test.h"

static void keep(const char *cpu, double params, double tg, double pp)
{
    struct err err = { 0 };
    char path[4096];
    struct bench_report *r = calloc(1, sizeof(*r));
    REQUIRE(r && bench_store_file(path, sizeof(path)), "a home");
    bench_machine(r);
    if (cpu)
        snprintf(r->machine.cpu, sizeof(r->machine.cpu), "%s", cpu);
    r->time_s = 1790000000, r->version = "0.1.0", r->machine.level = "ref", r->machine.threads = 2, r->has_model = true;
    snprintf(r->model.name, sizeof(r->model.name), "model of %g", params);
    r->model.file_bytes = (uint64_t)params, r->model.info.active_params = (uint64_t)params, r->model.info.bytes_per_tok = (uint64_t)(params * 4.8 / 8);
    r->tests[0] = (struct bench_test){ .name = "pp512", .n_tok = 512, .batch = 1, .threads = r->machine.threads, .n_rounds = 1, .tps_median = pp, .share_median = 0.5, .ttft_ms = NAN, .joules_per_tok = NAN };
    r->tests[1] = (struct bench_test){ .name = "tg64", .is_decode = true, .n_tok = 64, .batch = 1, .threads = r->machine.threads, .n_rounds = 1, .tps_median = tg, .share_median = 0.8, .ttft_ms = NAN, .joules_per_tok = NAN };
    r->n_tests = 2;
    struct store *s = store_open(path, true, &err);
    if (!s && err.code == ERR_UNSUPPORTED)
        SKIP("built without SQLite");
    CHECK(s && store_add(s, r, &err), "%s", err.text);
    store_close(s);
    free(r);
}

static struct device *some_cpu(struct fit_job *j)
{
    struct device *d = &j->device[0];
    d->plan = (struct plan_device){ .cls = PLAN_CPU, .name = "Ryzen 7 7700X", .n_devices = 1, .is_unified = true, .bw_gbps = 83.2, .fp32_tflops = 1.4, .pp_correction = 1, .tg_correction = 1 };
    return d;
}

TEST(a_kept_bench_of_this_machine_corrects_and_others_do_not)
{
    struct fit_job *j = calloc(1, sizeof(*j));
    REQUIRE(j);
    setenv("XDG_DATA_HOME", test_tmp("data"), 1);
    struct device *d = some_cpu(j);
    fit_correct(j, d);
    CHECK(d->plan.tg_correction == 1 && d->plan.pp_correction == 1 && !j->measured[0], "nothing kept, nothing done");
    keep("Another CPU", 8e9, 99, 999);
    keep(NULL, 1e6, 1e5, 1e6); /* a toy */
    d = some_cpu(j);
    fit_correct(j, d);
    CHECK(d->plan.tg_correction == 1 && d->plan.pp_correction == 1 && !j->measured[0], "%s", j->measured);
    keep(NULL, 8e9, 16, 90);
    d = some_cpu(j);
    fit_correct(j, d);
    CHECK(d->plan.tg_correction > 0.5 && d->plan.tg_correction < 4 && d->plan.tg_correction != 1 && d->plan.pp_correction != 1, "%g, %g", d->plan.tg_correction, d->plan.pp_correction);
    CHECK(strstr(j->measured, "bench of 2026-09-2"), "%s", j->measured);
    /* then the prediction for that model is what was measured */
    struct plan_model m = { .params = 8e9, .active_params = 8e9, .bpw = 4.8, .name = "model of 8e+09" };
    plan_model_size(&m);
    struct plan_speed_query q = plan_speed_query_for(&d->plan, &m, "tutti CPU");
    q.work = plan_workload_one(0, 64, 0);
    CHECK(fabs(plan_speed_predict(&q).tg_tps.mid * d->plan.tg_correction / 16 - 1) < 1e-6, "%g", plan_speed_predict(&q).tg_tps.mid * d->plan.tg_correction);
    free(j);
}
