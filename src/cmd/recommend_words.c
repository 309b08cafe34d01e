/* cmd/recommend_words.c - reasons, warnings, what would change the answer: in words. */
#include <math.h>
#include <string.h>

#include "cmd/advice.h"
#include "cmd/recommend_out.h"

enum { NAME = 128 };
static const double GB = 1e9;

const char *recommend_warn_name(enum rec_warn w)
{
    static const char *const name[REC_WARN_COUNT] = { "headroom", "connector", "overkill", "power", "bandwidth", "consumer", "quantize",
                                                      "cloud", "steady_cloud", "apple_trains", "used", "old_price", "slow" };
    return name[w];
}
const char *recommend_why_name(enum rec_why w)
{
    static const char *const name[REC_WHY_COUNT] = { "budget", "price", "memory", "training", "place", "power", "connector", "supply", "slots",
                                                     "length", "ecc", "duty", "effort", "noise", "slow", "speed", "used", "vendor" };
    return name[w];
}

static struct money_rig rig_of(const struct recommend *r, int i)
{
    const struct rec_candidate *k = &r->candidates[i];
    return (struct money_rig){ r->verdicts[i].total_usd, k->idle_w + k->host_idle_w, k->load_w + k->host_load_w };
}

void recommend_put_reasons(struct buf *b, const struct recommend *r, const struct recommend_ask *ask, int i)
{
    const struct rec_candidate *k = &r->candidates[i];
    const struct rec_verdict *v = &r->verdicts[i];
    char usd[ADVICE_TEXT], tps[ADVICE_TEXT];
    buf_printf(b, "%s takes %.1f of %.1f GB (predicted): %.0f %% of it\n", ask->limits.wants_training ? plan_train_people(ask->train) : r->model.name, k->need_bytes / GB,
               k->mem_bytes / GB, 100 * v->mem_frac);
    if (plan_is_known(k->tg_tps))
        buf_printf(b, "%s tokens a second (predicted) from %.4g GB/s (catalog)\n", advice_range(tps, k->tg_tps), k->bw_gbps);
    if (ask->limits.wants_inference && plan_is_known(k->tg_tps)) {
        buf_puts(b, "predicted for one user: ");
        for (int u = 0; u < PLAN_USE_CASES; u++)
            buf_printf(b, "%s%d+%d tokens %s", u ? ", " : "", plan_use_cases[u].n_prompt, plan_use_cases[u].n_gen, plan_viability_name(r->items[i].use[u]));
        buf_putc(b, '\n');
    }
    if (ask->limits.wants_training)
        buf_printf(b, "%.4g peak FP16 TFLOPS (catalog) for training\n", k->fp16_tflops * k->n);
    buf_printf(b, "%s for all that must be bought%s; %s over %g years with its power\n", advice_usd(usd, v->total_usd), k->is_machine ? "" : ", parts included",
               advice_usd(tps, v->tco_usd), r->limits.terms.years);
    if (isfinite(r->limits.connector_w) && !k->is_machine)
        buf_printf(b, "%.0f W stay within the %.0f W that the dock's connectors carry (catalog)\n", k->max_card_w * k->n, r->limits.connector_w);
    if (r->limits.max_slots > 0 && k->slots > 0)
        buf_printf(b, "%.3g slot%s wide (catalog)\n", k->slots, k->slots > 1 ? "s" : "");
    if (r->limits.needs_ecc)
        buf_puts(b, "ECC memory (catalog)\n");
    if (r->limits.needs_duty || r->limits.place == REC_DATACENTRE)
        buf_puts(b, "made for 24 hours a day (catalog)\n");
    if (k->effort > 0)
        buf_printf(b, "setting it up: %d of 5 (catalog, our judgement)\n", k->effort);
}

void recommend_put_warnings(struct buf *b, const struct recommend *r, const struct recommend_ask *ask, int i)
{
    const struct rec_candidate *k = &r->candidates[i];
    const struct rec_verdict *v = &r->verdicts[i];
    const struct money_rig rig = rig_of(r, i);
    const struct money_tco tco = money_tco(&rig, &r->limits.terms, &r->limits.use);
    const struct money_scenario s = money_scenario(&rig, &r->limits.terms, r->limits.use.busy_hours_year, k->cloud_usd_hour);
    char usd[ADVICE_TEXT], more[ADVICE_TEXT];
#define IF(id) if (v->warn & 1u << REC_WARN_##id)
    IF(HEADROOM)
    buf_printf(b, "memory is %.0f %% full, 60-70 %% leave room: a longer context may not fit\n", 100 * v->mem_frac);
    IF(CONNECTOR)
    buf_printf(b, "%.0f W are %.0f %% of what the dock's connectors carry for long\n", k->max_card_w * k->n, 100 * k->max_card_w * k->n / r->limits.connector_w);
    IF(OVERKILL)
    buf_puts(b, "for inference alone: something at most 60 % as dear holds the model with room and answers faster than one reads\n");
    IF(POWER)
    buf_printf(b, "power is %.0f %% of hardware + power over %g years: %s\n", 100 * tco.power_hw_frac, r->limits.terms.years, money_power_advice(money_power_weight(tco.power_hw_frac)));
    IF(BANDWIDTH)
    buf_printf(b, "more memory than bandwidth: a dense model that fills it would give about %.1f tokens a second (bound)\n", k->bw_gbps / (0.7 * k->mem_bytes / k->n / 1e9));
    IF(CONSUMER)
    buf_puts(b, "a consumer card: no ECC, cooled for a PC case, its warranty may not cover a rack or 24 hours a day\n");
    IF(QUANTIZE)
    buf_printf(b, "%s: 4 bits a weight (Q4_K_M) need %.1f instead of %.1f GB; quantize before buying memory\n", ask->quant, k->need_q4_bytes / GB, k->need_bytes / GB);
    IF(CLOUD)
    buf_printf(b, "at %.0f h a year renting is cheaper: %s instead of %s a year\n", r->limits.use.busy_hours_year, advice_usd(usd, s.cloud_usd_year), advice_usd(more, s.owned_usd_year));
    IF(STEADY_CLOUD)
    buf_printf(b, "do not rent for this: steady work in the cloud costs %s a year more\n", advice_usd(usd, s.saved_usd_year));
    IF(APPLE_TRAINS)
    buf_puts(b, "M-series can train (LoRA, QLoRA with MLX), but slower than a card of the same price\n");
    IF(USED)
    buf_puts(b, "a used price: no warranty, and it moves\n");
    IF(OLD_PRICE)
    buf_printf(b, "the %s is of %s, not of today%s\n", price_kind_people(r->items[i].price.kind), r->items[i].price.date,
               k->is_stale_price ? ": it may be sold used only, and for more" : "");
    IF(SLOW)
    buf_printf(b, "under 10 tokens a second: not interactive (%.1f predicted)\n", k->tg_tps.mid);
#undef IF
    if (r->dock_row && r->items[i].host_mem_gb <= 0 && !k->is_machine)
        buf_printf(b, "over the dock's %.3g GB/s the model loads in %.1f s or more; answers are hardly slower\n", catalog_number(r->dock_row, "link_gbps"),
                   (double)r->model.weight_bytes / 1e9 / catalog_number(r->dock_row, "link_gbps"));
}

void recommend_put_refusals(struct buf *b, const struct recommend *r, int i)
{
    for (int w = 0; w < REC_WHY_COUNT; w++)
        if (r->verdicts[i].why & 1u << w)
            buf_printf(b, "it %s\n", rec_why_text((enum rec_why)w));
}

void recommend_put_changes(struct buf *b, const struct recommend *r)
{
    char name[NAME], usd[ADVICE_TEXT];
    for (int w = 0; w < REC_WHY_COUNT; w++) {
        const int i = r->what_if[w];
        if (i < 0)
            continue;
        const struct rec_candidate *k = &r->candidates[i];
        recommend_name(r, i, name, sizeof(name));
        if (w == REC_WHY_BUDGET)
            buf_printf(b, "with %s: %s\n", advice_usd(usd, r->verdicts[i].total_usd), name);
        else if (w == REC_WHY_MEMORY)
            buf_printf(b, "with a model or context that needs at most %.1f GB: %s\n", k->usable_bytes / GB, name);
        else if (w == REC_WHY_POWER)
            buf_printf(b, "with %.0f W for the machine: %s\n", k->load_w + k->host_load_w, name);
        else if (w == REC_WHY_CONNECTOR)
            buf_printf(b, "with %.0f W at the connector: %s\n", k->max_card_w * k->n, name);
        else if (w == REC_WHY_SLOTS && k->slots > 0)
            buf_printf(b, "with %.3g slots: %s\n", k->slots * k->n, name);
        else if (w == REC_WHY_USED)
            buf_printf(b, "if it may be used: %s\n", name);
        else if (w != REC_WHY_PRICE && w != REC_WHY_SPEED && w != REC_WHY_SLOTS)
            buf_printf(b, "if it may be one that %s: %s\n", rec_why_text((enum rec_why)w), name);
    }
}

void recommend_put_upgrades(struct buf *b, const struct recommend *r)
{
    char name[NAME], usd[ADVICE_TEXT];
    for (int f = 0; f < RECOMMEND_UPGRADES; f++) {
        const struct rec_upgrade *u = &r->upgrades[f];
        if (u->index < 0) {
            buf_printf(b, "%gx: nothing in the catalog; rent\n", recommend_factors[f]);
            continue;
        }
        recommend_name(r, u->index, name, sizeof(name));
        if (u->count > 1)
            buf_printf(b, "%gx: %d machines with %s, %s: more users, not faster answers\n", recommend_factors[f], u->count, name, advice_usd(usd, u->usd));
        else
            buf_printf(b, "%gx: %s, %s\n", recommend_factors[f], name, advice_usd(usd, u->usd));
    }
}
