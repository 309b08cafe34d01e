/* advise/fit.c - see fit.h; start reading at fit_one(). */
#include "advise/fit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "advise/model.h"
#include "plan/sharing.h"

const struct fit_candidate fit_ladder[] = {
    { "Qwen3 0.6B", "Q8_0" },          { "Llama 3.2 1B", "Q4_K_M Q8_0" }, { "Llama 3.2 3B", "Q4_K_M Q8_0" }, { "Qwen3 4B 2507", "Q4_K_M Q8_0" }, { "Llama 3.1 8B", "Q4_K_M Q8_0" },
    { "Qwen3 14B", "Q4_K_M Q8_0" },    { "gpt-oss 20B", "MXFP4" },        { "Gemma 3 27B", "Q4_K_M" },       { "Qwen3 30B-A3B 2507", "Q4_K_M Q8_0" }, { "Qwen3 32B", "Q4_K_M Q8_0" },
    { "Llama 3.3 70B", "Q4_K_M Q8_0" }, { "gpt-oss 120B", "MXFP4" },      { "Qwen3 235B-A22B", "Q4_K_M" },   { "DeepSeek R1", "Q4_K_M" },
};
const int fit_n_ladder = sizeof(fit_ladder) / sizeof(fit_ladder[0]);

/* A machine that was measured: what was predicted, times what came out; its own scatter is some 10 %. */
static struct plan_range corrected(struct plan_range r, double by)
{
    if (!(by > 0) || by == 1)
        return r;
    return (struct plan_range){ 0.85 * r.mid * by, r.mid * by, 1.15 * r.mid * by };
}

static struct plan_speed_query query_of(const struct device *d, const struct plan_model *m, const char *runtime, const struct plan_workload *w)
{
    struct plan_speed_query q = plan_speed_query_for(&d->plan, m, runtime);
    q.kv_bytes_per_tok = m->n_layer > 0 ? (double)plan_kv_bytes_per_tok(m, 16) : 0;
    q.work = *w;
    return q;
}

static struct plan_speed speed_on(const struct device *d, const struct plan_model *m, const char *runtime, const struct plan_workload *w)
{
    const struct plan_speed_query q = query_of(d, m, runtime, w);
    struct plan_speed s = plan_speed_predict(&q);
    s.pp_tps = corrected(s.pp_tps, d->plan.pp_correction), s.tg_tps = corrected(s.tg_tps, d->plan.tg_correction);
    return s;
}

/* The PC around a card of which nothing is said: two channels of DDR5-5600, eight cores. */
static struct device usual_host(const struct device *d)
{
    struct device h = { .plan = { .cls = PLAN_CPU, .name = "CPU", .n_devices = 1, .is_unified = true, .bw_gbps = 89.6, .fp32_tflops = 1.4, .pp_correction = 1, .tg_correction = 1 } };
    if (d->host_bw_gbps > 0)
        h.plan.bw_gbps = d->host_bw_gbps;
    return h;
}

static void mix_with_host(struct fit_row *r, const struct device *d, const struct device *host, const struct plan_workload *w, const char *runtime)
{
    const struct device assumed = host ? *host : usual_host(d);
    const struct plan_speed on_device = speed_on(d, &r->model, runtime, w), on_host = speed_on(&assumed, &r->model, "llama.cpp CPU", w);
    plan_offload_speed(r->place.share_device, &on_device, &on_host, (double)r->place.host_bytes, d->plan.link_gbps, &r->pp_tps, &r->tg_tps);
    r->is_offloaded = true;
}

static struct plan_range ttft_of(const struct fit_row *r, const struct plan_workload *w)
{
    double prompt = 0;
    for (int i = 0; i < w->n_tests; i++)
        prompt += (double)w->test[i].n_prompt / w->n_tests;
    return plan_add(plan_invert(r->pp_tps, 1e3 * prompt), plan_invert(r->tg_tps, 1e3));
}

/* Each case at its own length; with layers in main memory at the average of all. */
static enum plan_viability level_of(const struct fit_row *r, const struct device *d, const char *runtime, int n_prompt, int n_gen)
{
    struct plan_range pp = r->pp_tps, tg = r->tg_tps;
    if (!r->is_offloaded && plan_is_known(pp)) {
        const struct plan_workload one = plan_workload_one(n_prompt, n_gen, 0);
        const struct plan_speed own = speed_on(d, &r->model, runtime, &one);
        pp = own.pp_tps, tg = own.tg_tps;
    }
    return plan_viability_of(n_prompt, n_gen, pp.mid, tg.mid);
}

void fit_one(struct fit_row *out, const struct device *d, const struct device *host, const struct plan_model *m, const struct fit_options *opt)
{
    const int n_ctx = opt->n_ctx > 0 ? opt->n_ctx : 4096, n_users = opt->n_users > 0 ? opt->n_users : 1;
    const char *runtime = opt->runtime ? opt->runtime : d->plan.runtime;
    const struct plan_workload w = plan_workload_within(n_ctx);
    const struct plan_memory_options mo = { .engine = plan_engine_of(runtime), .cls = d->plan.cls, .n_ctx = n_ctx, .n_seq = n_users, .kv_bits = opt->kv_bits, .n_threads = d->plan.cores };
    memset(out, 0, sizeof(*out));
    out->model = *m;
    snprintf(out->runtime, sizeof(out->runtime), "%.44s", runtime);
    out->need = plan_memory_of(m, &mo);
    out->is_memory_known = d->plan.mem_bytes > 0;
    const uint64_t host_bytes = host ? plan_usable_bytes(&host->plan) : d->host_bytes;
    out->place = plan_place(m, &out->need, &d->plan, host_bytes);
    const struct plan_speed s = speed_on(d, m, runtime, &w);
    const struct plan_speed_query q = query_of(d, m, runtime, &w);
    out->pp_tps = s.pp_tps, out->tg_tps = s.tg_tps, out->ttft_ms = s.ttft_ms;
    out->users_tps = plan_batch_tps(&q, &s, n_users);
    if (out->is_memory_known && out->place.fits == PLAN_SPLIT) {
        mix_with_host(out, d, host, &w, runtime);
        out->users_tps = n_users > 1 ? plan_unknown() : out->tg_tps;
    }
    if (plan_is_known(out->pp_tps))
        out->ttft_ms = ttft_of(out, &w);
    const struct plan_workload nine = plan_workload_localscore();
    for (int u = 0; u < PLAN_USE_CASES; u++)
        out->use[u] = level_of(out, d, runtime, plan_use_cases[u].n_prompt, plan_use_cases[u].n_gen);
    for (int i = 0; i < nine.n_tests; i++)
        out->nine[i] = level_of(out, d, runtime, nine.test[i].n_prompt, nine.test[i].n_gen);
    const double disk = opt->disk_gbps > 0 ? opt->disk_gbps : 3.5;
    out->load_disk_s = (double)out->need.weights / (disk * 1e9);
    out->load_link_s = d->plan.link_gbps > 0 ? (double)out->place.device_bytes / (d->plan.link_gbps * 1e9) : (double)NAN;
}

/* ---- the best ---- */

/* How much a model can do, for choosing among models alone: stored and active weights count 0.6 and 0.4 for experts (a rule of
 * thumb of the field), newer generations do more with the same, fewer than 5 bits cost a little and fewer than 4 much. */
static double capability(const struct plan_model *m)
{
    const double bits = m->bpw >= 8 ? 1 : m->bpw >= 6 ? 0.99 : m->bpw >= 4.2 ? 0.95 : m->bpw >= 3.4 ? 0.8 : 0.55;
    return pow(m->params, 0.6) * pow(m->active_params > 0 ? m->active_params : m->params, 0.4) * bits;
}

static bool fits(const struct fit_row *r) { return (!r->is_memory_known || r->place.fits <= PLAN_TIGHT) && plan_is_known(r->tg_tps); }
static bool is_interactive(const struct fit_row *r) { return r->use[3] == PLAN_INTERACTIVE && r->use[0] <= PLAN_BACKGROUND; }

int fit_mark_best(struct fit_row *rows, int n)
{
    int best = -1;
    bool is_talking = false;
    for (int i = 0; i < n; i++) {
        const struct fit_row *r = &rows[i];
        rows[i].is_best = false;
        if (!fits(r))
            continue;
        const bool talks = is_interactive(r);
        const bool is_better = best < 0 || (talks && !is_talking) ||
                               (talks == is_talking && (talks ? capability(&r->model) > capability(&rows[best].model) : r->tg_tps.mid > rows[best].tg_tps.mid));
        if (is_better && (talks || !is_talking))
            best = i, is_talking = talks;
    }
    if (best >= 0) {
        rows[best].is_best = true;
        snprintf(rows[best].why, sizeof(rows[best].why), is_talking ? "the most capable of these that fits and answers while you wait (prompt under 5 s, over 10 tokens/s)"
                                                                    : "the fastest that fits; none of these answers while you wait");
    }
    return best;
}

bool fit_summary(struct fit_summary *out, struct catalog *c, const struct hw_machine *m)
{
    enum { DEVICES = HW_GPUS_MAX + 1, ROWS = 64 };
    struct err ignored = { 0 };
    struct device *d = calloc(DEVICES, sizeof(*d));
    struct fit_row *rows = calloc(ROWS, sizeof(*rows));
    const struct catalog_table *models = catalog_table(c, "model", &ignored);
    bool found = false;
    const int n_devices = d && rows && models ? devices_of_machine(d, DEVICES, c, m) : 0;
    for (int i = 0; i < n_devices && !found; i++) {
        const struct fit_options opt = { .n_ctx = 4096 };
        int n = 0, largest = -1;
        for (int k = 0; k < fit_n_ladder; k++) {
            const struct catalog_row *row = catalog_find(models, fit_ladder[k].model, &ignored);
            char quants[64];
            snprintf(quants, sizeof(quants), "%s", fit_ladder[k].quants);
            for (char *q = strtok(quants, " "); q && row && n < ROWS; q = strtok(NULL, " ")) {
                struct plan_model model;
                if (advise_model_of_row(&model, row, q, &ignored))
                    fit_one(&rows[n++], &d[i], NULL, &model, &opt);
            }
        }
        for (int k = 0; k < n; k++)
            if (rows[k].is_memory_known && rows[k].place.fits <= PLAN_TIGHT && (largest < 0 || rows[k].model.params > rows[largest].model.params))
                largest = k;
        const int best = fit_mark_best(rows, n);
        found = largest >= 0;
        if (found)
            *out = (struct fit_summary){ .device = d[i], .has_best = best >= 0, .best = rows[best >= 0 ? best : largest], .largest = rows[largest] };
    }
    free(d);
    free(rows);
    return found;
}
