/* advise/hardware.c - one thing to buy; start reading at hardware_find(). */
#include "advise/hardware.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "advise/device.h"
#include "plan/memory.h"

/* Medians of inference_w / training_w and idle_w / training_w in data/power_card.csv (tests/advise holds them to it). */
const double hardware_inference_share = 0.62, hardware_idle_share = 0.08;

bool hardware_of(struct catalog *c, const struct catalog_row *row, struct hardware *out, struct err *err)
{
    const char *table = catalog_name_of(catalog_table_of(row));
    *out = (struct hardware){ .row = row, .chip = row };
    if (strcmp(table, "machine") == 0) {
        out->chip = catalog_find_in(c, "soc gpu", catalog_text(row, "chip"), err);
        out->is_machine = true;
        return out->chip || err_prefix(err, "%s", catalog_name(row));
    }
    out->is_machine = strcmp(table, "soc") == 0 || strcmp(table, "phone") == 0;
    return true;
}

const char *hardware_after_count(const char *text, int *n)
{
    char *end;
    const long count = strtol(text, &end, 10);
    const bool is_one = end != text && end - text <= 3; /* "7950x 16 cores" has none */
    if (is_one && *end == ' ')
        end++;
    if (!is_one || (*end != 'x' && *end != 'X') || end[1] != ' ')
        return text;
    *n = (int)count;
    return end + 2;
}

bool hardware_find(struct catalog *c, const char *query, struct hardware *out, struct err *err)
{
    int n = 1;
    query = hardware_after_count(query, &n);
    if (n != 1)
        return err_set(err, ERR_INPUT, "%d of '%.60s': one is meant here, without a number before it", n, query);
    const struct catalog_row *row = catalog_find_in(c, HARDWARE_TABLES, query, err);
    return row && hardware_of(c, row, out, err);
}

struct watts hardware_watts(struct catalog *c, const struct hardware *hw)
{
    struct watts w = { .idle_w = NAN, .inference_w = NAN, .training_w = NAN };
    struct err ignored = { 0 };
    const struct catalog_table *t = catalog_table(c, "power_card", &ignored);
    for (int i = 0; t && i < catalog_n_rows(t); i++) {
        const struct catalog_row *r = catalog_row(t, i);
        if (strcmp(catalog_text(r, "hardware"), catalog_name(hw->chip)) != 0)
            continue;
        w = (struct watts){ catalog_number(r, "idle_w"), catalog_number(r, "inference_w"), catalog_number(r, "training_w"), .source = PLAN_CATALOG };
        if (isnan(w.training_w))
            w.training_w = catalog_number(hw->chip, "tdp_w");
        if (isnan(w.idle_w))
            w.idle_w = w.training_w * hardware_idle_share;
        snprintf(w.from, sizeof(w.from), "%.120s, %.11s", catalog_source(r), catalog_text(r, "date"));
        return w;
    }
    const double tdp = catalog_number(hw->chip, "tdp_w");
    if (tdp > 0) {
        w.training_w = tdp;
        w.inference_w = tdp * hardware_inference_share;
        w.idle_w = tdp * hardware_idle_share;
        w.source = PLAN_DERIVED;
        snprintf(w.from, sizeof(w.from), "%.2f and %.2f of %.0f W board power (catalog)", hardware_inference_share, hardware_idle_share, tdp);
    }
    return w;
}

/* false: it runs no language models. */
static bool query_of(struct plan_speed_query *q, struct device *d, struct catalog *c, const struct hardware *hw, const struct plan_model *m, int n)
{
    struct err ignored = { 0 };
    if (!device_of_row(d, c, hw->row, &ignored))
        return false;
    device_times(d, n);
    *q = plan_speed_query_for(&d->plan, m, d->plan.runtime);
    q->kv_bytes_per_tok = (double)plan_kv_bytes_per_tok(m, 16);
    q->work = plan_workload_one(1024, 256, 0);
    return true;
}

struct plan_speed hardware_speed(struct catalog *c, const struct hardware *hw, const struct plan_model *m, int ctx_tok, int n)
{
    struct device d; /* the query borrows its texts */
    struct plan_speed_query q;
    if (!query_of(&q, &d, c, hw, m, n))
        return (struct plan_speed){ .pp_tps = plan_unknown(), .tg_tps = plan_unknown(), .ttft_ms = plan_unknown() };
    q.work = plan_workload_within(ctx_tok);
    return plan_speed_predict(&q);
}

void hardware_use_cases(struct catalog *c, const struct hardware *hw, const struct plan_model *m, int n, enum plan_viability out[PLAN_USE_CASES])
{
    struct device d;
    struct plan_speed_query q;
    for (int i = 0; i < PLAN_USE_CASES; i++)
        out[i] = PLAN_NOT_VIABLE;
    if (query_of(&q, &d, c, hw, m, n))
        plan_viability_use_cases(&q, out);
}

struct memory_of hardware_memory(struct catalog *c, const struct hardware *hw)
{
    struct device d;
    struct err ignored = { 0 };
    if (!device_of_row(&d, c, hw->row, &ignored))
        return (struct memory_of){ 0, 0 };
    return (struct memory_of){ (double)d.plan.mem_bytes, (double)plan_usable_bytes(&d.plan) };
}

double hardware_need_bytes(struct catalog *c, const struct hardware *hw, const struct plan_model *m, int ctx_tok, int n)
{
    struct device d;
    struct err ignored = { 0 };
    if (!device_of_row(&d, c, hw->row, &ignored))
        return NAN;
    const struct plan_memory need = plan_memory_of(m, &(struct plan_memory_options){ .engine = plan_engine_of(d.plan.runtime), .cls = d.plan.cls, .n_ctx = ctx_tok });
    return need.weights > 0 ? (double)(need.weights + need.kv) + (double)n * (double)(need.compute + need.runtime) : (double)NAN;
}
