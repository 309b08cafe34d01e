/* cmd/fit_measured.c - predictions for this machine, corrected by what its benches measured (bench/store.h). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/bench.h"
#include "bench/store.h"
#include "cmd/bench_internal.h"
#include "cmd/fit_internal.h"

enum { MEASURED_MAX = 64 };

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Median of measured / predicted over the kept figures of one kind ("tg", "pp"); 1 without any. */
static double median_ratio(const struct device *cpu, const struct store_measured *m, int n, const char *kind, int *n_used)
{
    double ratio[MEASURED_MAX];
    *n_used = 0;
    for (int i = 0; i < n; i++) {
        const int length = atoi(m[i].test + 2);
        if (strncmp(m[i].test, kind, 2) != 0 || !(m[i].tps > 0) || m[i].bytes_per_tok == 0 || m[i].active_params == 0 || length <= 0)
            continue;
        struct plan_model model = { .params = (double)m[i].active_params, .active_params = (double)m[i].active_params };
        model.bpw = 8.0 * (double)m[i].bytes_per_tok / model.params;
        snprintf(model.name, sizeof(model.name), "%.90s", m[i].model);
        struct plan_speed_query q = plan_speed_query_for(&cpu->plan, &model, "tutti CPU");
        q.work = kind[0] == 't' ? plan_workload_one(0, length, 0) : plan_workload_one(length, 1, 0);
        const struct plan_speed s = plan_speed_predict(&q);
        const double predicted = kind[0] == 't' ? s.tg_tps.mid : s.pp_tps.mid;
        if (predicted > 0 && model.params > 2e7) /* toys say nothing about models */
            ratio[(*n_used)++] = m[i].tps / predicted;
    }
    qsort(ratio, (size_t)*n_used, sizeof(ratio[0]), by_value);
    return *n_used > 0 ? ratio[*n_used / 2] : 1;
}

void fit_correct(struct fit_job *j, struct device *cpu)
{
    char path[4096], machine[BENCH_TEXT_MAX], date[16] = "";
    struct err ignored = { 0 };
    struct bench_report *r = calloc(1, sizeof(*r));
    struct store_measured *m = calloc(MEASURED_MAX, sizeof(*m));
    struct store *s = r && m && bench_store_file(path, sizeof(path)) ? store_open(path, false, &ignored) : NULL;
    if (s) {
        int n_tg = 0, n_pp = 0;
        bench_machine(r);
        store_machine_name(r->machine.cpu, r->machine.cores, machine);
        const int n = store_measured(s, machine, m, MEASURED_MAX, &ignored);
        cpu->plan.tg_correction = median_ratio(cpu, m, n > 0 ? n : 0, "tg", &n_tg);
        cpu->plan.pp_correction = median_ratio(cpu, m, n > 0 ? n : 0, "pp", &n_pp);
        struct tm day;
        const time_t at = n > 0 ? (time_t)m[0].time_s : 0;
        if (n_tg + n_pp > 0 && gmtime_r(&at, &day) && strftime(date, sizeof(date), "%Y-%m-%d", &day) > 0)
            snprintf(j->measured, sizeof(j->measured), "corrected by this machine's bench of %s: decode x %.2f, prefill x %.2f", date, cpu->plan.tg_correction, cpu->plan.pp_correction);
    }
    store_close(s);
    free(m);
    free(r);
}

void fit_probe(struct device *cpu)
{
    struct bench_limits limits;
    struct err ignored = { 0 };
    uint32_t use;
    const struct cpu_level *level;
    struct pool *pool = cpu_choose(getenv("TUTTI_CPU"), cpu_flags(), &use, &level, &ignored) ? pool_new(cpu_default_threads(), &ignored) : NULL;
    if (pool && bench_probe(&limits, pool, use, true, &ignored) && limits.read_bps > 0) {
        struct plan_device *p = &cpu->plan;
        p->bw_gbps = 1.25 * limits.read_bps / 1e9; /* the fit knows peaks of data sheets: about that much above what is read */
        p->source[PLAN_FIG_BW] = PLAN_MEASURED;
        if (limits.f32_flops > 0)
            p->fp32_tflops = limits.f32_flops / 1e12, p->source[PLAN_FIG_FP32] = PLAN_MEASURED;
        if (limits.int8_ops > 0)
            p->int8_tops = limits.int8_ops / 1e12, p->source[PLAN_FIG_INT8] = PLAN_MEASURED;
        snprintf(cpu->steps, sizeof(cpu->steps), "measured now: reads %.1f GB/s; a data sheet would say some 1.25 times that\n", limits.read_bps / 1e9);
    }
    pool_free(pool);
}
