/* cmd/checklist.c - the seeds' validation checklist (seed 001, section 19), ticked by what the answer shows. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cmd/advice.h"
#include "cmd/out.h"
#include "cmd/recommend_out.h"

static const double GB = 1e9;

struct writer {
    struct checklist_line *lines;
    int n;
    const char *section;
};
static struct checklist_line *add(struct writer *w, char state, const char *what)
{
    struct checklist_line *l = &w->lines[w->n < CHECKLIST_MAX ? w->n++ : CHECKLIST_MAX - 1];
    *l = (struct checklist_line){ .section = w->section, .what = what, .state = state };
    return l;
}
#define NOTE(l, ...) snprintf((l)->note, sizeof((l)->note), __VA_ARGS__)

/* `first` is the chosen candidate, -1: none. */
static void add_checks(struct writer *w, const struct recommend *r, const struct recommend_ask *ask, int first)
{
    const struct rec_candidate *k = first >= 0 ? &r->candidates[first] : NULL;
    const struct rec_verdict *v = first >= 0 ? &r->verdicts[first] : NULL;
    const struct money_rig rig = k ? (struct money_rig){ v->total_usd, k->idle_w + k->host_idle_w, k->load_w + k->host_load_w } : (struct money_rig){ NAN, NAN, NAN };
    const double power = money_power_usd_year(&rig, &r->limits.terms, &r->limits.use);
    const double even = k ? money_breakeven_hours(&rig, &r->limits.terms, k->cloud_usd_hour, 0) : (double)NAN;
    char a[ADVICE_TEXT], b[ADVICE_TEXT];
    struct checklist_line *l;

    w->section = "performance";
    NOTE(add(w, ' ', "The hardware is known: compute, memory bandwidth, memory"), "tutti detect; tutti bench");
    l = add(w, k ? 'x' : ' ', "The largest model at each precision is known");
    if (k)
        NOTE(l, "%.1f GB usable: %.0f B at FP16, %.0f B at INT8, %.0f B at 4 bits, before context", k->usable_bytes / GB, k->usable_bytes / 2 / 1e9, k->usable_bytes / 1.0625 / 1e9,
             k->usable_bytes / (4.85 / 8) / 1e9);
    NOTE(add(w, ' ', "Latency is measured on the model that will run"), "tutti bench MODEL");

    w->section = "implementation";
    l = add(w, k ? 'x' : '!', "The choice follows from the workload");
    NOTE(l, "%s%s%s, %d tokens of context", ask->limits.wants_inference ? "inference" : "", ask->limits.wants_inference && ask->limits.wants_training ? " and " : "",
         ask->limits.wants_training ? plan_train_people(ask->train) : "", r->ctx_tok);
    l = add(w, isnan(power) ? ' ' : 'x', "Power and its cost a year are calculated");
    if (k)
        NOTE(l, "%.0f W, %s a year at %.0f h and $%.3g per kWh", rig.busy_w, advice_usd(a, power), r->limits.use.busy_hours_year, r->limits.terms.usd_per_kwh);
    l = add(w, isnan(even) ? ' ' : 'x', "The break-even against the cloud is known for the hours of this use");
    if (!isnan(even))
        NOTE(l, "%.0f h a year; yours: %.0f", even, r->limits.use.busy_hours_year);
    else
        NOTE(l, "no offer with this hardware in the catalog: tutti cost --cloud-usd-h");
    NOTE(add(w, ' ', "The cooling is enough under sustained load"), "tutti bench --soak 10m; tutti doctor");
    l = add(w, k && v->warn & 1u << REC_WARN_QUANTIZE ? '!' : k && r->model.bpw < 8 ? 'x' : ' ', "Quantization was tried before more memory is bought");
    NOTE(l, "%s asked; compare answers and `tutti bench --ppl` on your own text", ask->quant);
    l = add(w, !k ? ' ' : v->mem_frac <= 0.7 ? 'x' : '!', "Model, context and system take at most 60-70 % of the memory");
    if (k)
        NOTE(l, "%.0f %% of %.1f GB (predicted)", 100 * v->mem_frac, k->mem_bytes / GB);
    l = add(w, r->n_offers >= 2 ? 'x' : '!', "Two cloud providers were compared");
    if (r->n_offers >= 2)
        NOTE(l, "%.40s %s/h, %.40s %s/h", r->offers[0].provider, advice_usd(a, r->offers[0].usd_hour), r->offers[1].provider, advice_usd(b, r->offers[1].usd_hour));

    w->section = "integration";
    l = add(w, k && k->effort > 0 ? (k->effort <= 3 ? 'x' : '!') : ' ', "The software runs on it");
    if (k && k->effort > 0)
        NOTE(l, "effort %d of 5 (tutti catalog ecosystem)", k->effort);
    NOTE(add(w, ' ', "One user or many is decided"), "tutti serve; batch speeds: tutti bench");
    l = add(w, k && r->upgrades[0].index >= 0 ? 'x' : ' ', "The way up is known");
    if (k && r->upgrades[0].index >= 0)
        NOTE(l, "2x: %d x %.60s", r->upgrades[0].count, r->candidates[r->upgrades[0].index].name);
}

static void add_failures(struct writer *w, const struct recommend *r, const struct recommend_ask *ask, int first)
{
    const uint32_t warn = first >= 0 ? r->verdicts[first].warn : 0;
    w->section = "common failures";
    NOTE(add(w, warn & 1u << REC_WARN_OVERKILL ? '!' : 'x', "Not bought for training what only does inference"), "tutti cost --on A --against B");
    NOTE(add(w, warn & 1u << REC_WARN_STEADY_CLOUD ? '!' : 'x', "No steady work in the cloud"), warn & 1u << REC_WARN_STEADY_CLOUD ? "at these hours owning is cheaper" : "tutti cost --scenarios");
    NOTE(add(w, warn & 1u << REC_WARN_POWER ? '!' : 'x', "Power is in the cost"), warn & 1u << REC_WARN_POWER ? "it weighs: over 15 %%" : "under 15 %% of hardware + power");
    NOTE(add(w, 'x', "M-series were not left out for training"), ask->limits.wants_training ? "they count where LoRA or QLoRA is asked" : "no training asked");
}

static void add_sign_off(struct writer *w, const struct recommend *r, int first)
{
    struct checklist_line *l;
    char a[ADVICE_TEXT], b[ADVICE_TEXT];
    w->section = "sign-off";
    l = add(w, ' ', "Total cost over 3 and 5 years");
    if (first >= 0) {
        const struct rec_candidate *k = &r->candidates[first];
        const struct money_rig rig = { r->verdicts[first].total_usd, k->idle_w + k->host_idle_w, k->load_w + k->host_load_w };
        struct money_terms t3 = r->limits.terms, t5 = r->limits.terms;
        t3.years = 3, t5.years = 5;
        const double usd3 = money_tco(&rig, &t3, &r->limits.use).total_usd, usd5 = money_tco(&rig, &t5, &r->limits.use).total_usd;
        l->state = isnan(usd3) ? ' ' : 'x';
        NOTE(l, "%s and %s", advice_usd(a, usd3), advice_usd(b, usd5));
    }
    NOTE(add(w, first >= 0 ? 'x' : ' ', "The decision is written down with its reasons"), "this page (--html FILE)");
    NOTE(add(w, ' ', "The model was run on the hardware, not only calculated"), "tutti run; tutti bench");
    l = add(w, first >= 0 && r->upgrades[0].index >= 0 ? 'x' : ' ', "There is a plan for 2x, 5x, 10x");
    if (first >= 0 && r->upgrades[2].index >= 0)
        NOTE(l, "10x: %d x %.60s, %s", r->upgrades[2].count, r->candidates[r->upgrades[2].index].name, advice_usd(a, r->upgrades[2].usd));
    l = add(w, ' ', "Supply and cooling suffice");
    if (first >= 0 && r->items[first].supply_w > 0)
        NOTE(l, "a supply of %.0f W; check the room's cooling", r->items[first].supply_w);
}

int recommend_checklist(const struct recommend *r, const struct recommend_ask *ask, struct checklist_line lines[CHECKLIST_MAX])
{
    struct writer w = { .lines = lines };
    const int first = r->n_considered > 0 ? r->considered[0] : r->n_ok > 0 ? r->order[0] : -1;
    add_checks(&w, r, ask, first);
    add_failures(&w, r, ask, first);
    add_sign_off(&w, r, first);
    return w.n;
}

bool recommend_print_checklist(const struct recommend *r, const struct recommend_ask *ask)
{
    struct checklist_line lines[CHECKLIST_MAX];
    const int n = recommend_checklist(r, ask, lines);
    printf("\n%schecklist%s: [x] shown here, [!] shown here to fail, [ ] yours to do\n", out_style(stdout, OUT_BOLD), out_style_end(stdout));
    for (int i = 0; i < n; i++) {
        if (i == 0 || strcmp(lines[i].section, lines[i - 1].section) != 0)
            printf("\n%s\n", lines[i].section);
        printf("  [%c] %s\n", lines[i].state, lines[i].what);
        if (lines[i].note[0])
            out_wrap(stdout, 6, OUT_WIDTH, lines[i].note);
    }
    return true;
}
