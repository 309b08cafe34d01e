/* plan/recommend.c - limits, score, what would change the answer; start reading at rec_judge(). */
#include "plan/recommend.h"

#include <math.h>
#include <stddef.h>

/* The seeds' checklist: model, cache and system within 60-70 % of the memory. */
static const double HEADROOM_FRAC = 0.70;
static const double INTERACTIVE_TPS = 10; /* seed 002, "levels of interactiveness" */
static const double EDGE_W = 75;
static const double STALE_PRICE = 0.7; /* as if it cost twice as much: what is no longer made is sold used, or not at all */

enum rec_noise rec_noise_of(double watts, bool is_passive_server_part)
{
    if (is_passive_server_part)
        return REC_NOISE_LOUD; /* cooled by the fans of a rack server */
    if (!isfinite(watts) || watts < 0)
        return REC_NOISE_UNKNOWN;
    return watts <= 15 ? REC_NOISE_SILENT : watts <= 200 ? REC_NOISE_QUIET : watts <= 320 ? REC_NOISE_MODERATE : REC_NOISE_LOUD;
}

const char *rec_why_text(enum rec_why w)
{
    static const char *const text[REC_WHY_COUNT] = {
#define X(id, t) t,
        REC_WHYS(X)
#undef X
    };
    return text[w];
}

static bool is_known(double x) { return isfinite(x) && x >= 0; }
/* x within limit; an unknown x is within no limit but the infinite one. */
static bool is_within(double x, double limit) { return isinf(limit) || (is_known(x) && x <= limit); }

static bool is_for_place(const struct rec_candidate *c, enum rec_place place, double machine_w)
{
    switch (place) {
    case REC_HOME:
    case REC_OFFICE: return !c->is_server_part;
    case REC_EDGE: return c->is_machine && is_within(machine_w, EDGE_W);
    case REC_MOBILE: return c->has_battery;
    case REC_DATACENTRE: return c->is_for_duty && !c->is_consumer;
    case REC_PLACE_COUNT: break;
    }
    return false;
}

static uint32_t broken_limits(const struct rec_request *r, const struct rec_candidate *c, double total_usd)
{
    uint32_t why = 0;
#define BREAKS(id, condition) why |= (condition) ? 1u << REC_WHY_##id : 0
    const double machine_w = c->load_w + c->host_load_w;
    BREAKS(PRICE, !is_known(total_usd));
    BREAKS(BUDGET, is_known(total_usd) && !is_within(total_usd, r->budget_usd));
    BREAKS(MEMORY, !is_known(c->need_bytes) || c->need_bytes > c->usable_bytes);
    BREAKS(TRAINING, r->wants_training && !c->can_train);
    BREAKS(PLACE, !is_for_place(c, r->place, machine_w));
    BREAKS(POWER, !is_within(machine_w, r->max_power_w));
    BREAKS(CONNECTOR, isfinite(r->connector_w) && !c->is_machine && !is_within(c->max_card_w * c->n, r->connector_w));
    BREAKS(SUPPLY, isfinite(r->supply_w) && !c->is_machine && !is_within(c->supply_need_w, r->supply_w));
    BREAKS(SLOTS, r->max_slots > 0 && !c->is_machine && (c->slots <= 0 || c->slots * c->n > r->max_slots));
    BREAKS(LENGTH, r->max_length_mm > 0 && !c->is_machine && !(c->length_mm > 0 && c->length_mm <= r->max_length_mm));
    BREAKS(ECC, r->needs_ecc && !c->has_ecc);
    BREAKS(DUTY, r->needs_duty && !c->is_for_duty);
    BREAKS(EFFORT, r->max_effort > 0 && (c->effort <= 0 || c->effort > r->max_effort));
    const enum rec_noise noise = rec_noise_of(c->load_w, c->is_server_part);
    BREAKS(NOISE, r->max_noise != REC_NOISE_UNKNOWN && (noise == REC_NOISE_UNKNOWN || noise > r->max_noise));
    BREAKS(SPEED, r->wants_inference && !plan_is_known(c->tg_tps));
    BREAKS(SLOW, r->min_tg_tps > 0 && plan_is_known(c->tg_tps) && c->tg_tps.mid < r->min_tg_tps);
    BREAKS(USED, c->is_used && !r->allows_used);
    BREAKS(VENDOR, r->cls_mask && !(r->cls_mask & 1 << c->cls));
#undef BREAKS
    return why;
}

/* Weights of the logarithms: a candidate that is twice as fast gains as much as one that is half as dear. */
static const struct {
    double speed, cost, joules, heat;
} WEIGHT[REC_PRIORITY_COUNT] = {
    [REC_PRIORITY_BALANCED] = { 1, 1, 0.25, 0 },
    [REC_PRIORITY_SPEED] = { 1, 0.1, 0, 0 },
    [REC_PRIORITY_COST] = { 0.1, 1, 0, 0 },
    [REC_PRIORITY_EFFICIENCY] = { 0.25, 0.25, 1, 0 },
    [REC_PRIORITY_QUIET] = { 0.25, 0.25, 0, 1 },
};

static double log_speed(const struct rec_request *r, const struct rec_candidate *c)
{
    double sum = 0;
    int n = 0;
    if (r->wants_inference) {
        /* Decode is what one waits for; reading the prompt counts a quarter. */
        sum += plan_is_known(c->pp_tps) ? 0.75 * log(c->tg_tps.mid) + 0.25 * log(c->pp_tps.mid) : log(c->tg_tps.mid);
        n++;
    }
    if (r->wants_training) {
        sum += log(c->fp16_tflops * c->n); /* training is bound by compute */
        n++;
    }
    return n ? sum / n : 0;
}

static double score_of(const struct rec_request *r, const struct rec_candidate *c, const struct rec_verdict *v)
{
    const double machine_w = c->load_w + c->host_load_w;
    double s = WEIGHT[r->priority].speed * log_speed(r, c) - WEIGHT[r->priority].cost * log(v->tco_usd);
    if (r->wants_inference)
        s += WEIGHT[r->priority].joules * log(v->tok_per_joule);
    else
        s += WEIGHT[r->priority].joules * log(c->fp16_tflops * c->n / machine_w);
    s -= WEIGHT[r->priority].heat * log(machine_w);
    if (v->mem_frac > HEADROOM_FRAC)
        s -= v->mem_frac > 0.9 ? 0.7 : 0.35; /* tight: a longer context will not fit */
    if (r->wants_inference && c->tg_tps.mid < INTERACTIVE_TPS)
        s -= 0.7; /* half as good: one waits for it */
    if (c->effort > 1)
        s -= 0.1 * (c->effort - 1);
    if (c->is_used)
        s -= 0.1;
    if (c->is_stale_price)
        s -= STALE_PRICE;
    return isfinite(s) ? s : -INFINITY;
}

static uint32_t warnings(const struct rec_request *r, const struct rec_candidate *c, const struct rec_verdict *v, const struct money_rig *rig)
{
    uint32_t warn = 0;
#define WARN(id, condition) warn |= (condition) ? 1u << REC_WARN_##id : 0
    const double gb = 1e9;
    WARN(HEADROOM, v->mem_frac > HEADROOM_FRAC);
    WARN(CONNECTOR, isfinite(r->connector_w) && !c->is_machine && c->max_card_w * c->n > 0.7 * r->connector_w);
    WARN(POWER, money_power_weight(money_tco(rig, &r->terms, &r->use).power_hw_frac) >= MONEY_POWER_SIGNIFICANT);
    WARN(BANDWIDTH, r->wants_inference && c->bw_gbps * c->n > 0 && c->usable_bytes > 3 * c->need_bytes &&
                        c->bw_gbps / (HEADROOM_FRAC * c->mem_bytes / c->n / gb) < INTERACTIVE_TPS);
    WARN(CONSUMER, c->is_consumer && (r->place == REC_DATACENTRE || r->needs_duty));
    WARN(QUANTIZE, is_known(c->need_q4_bytes) && c->need_q4_bytes < 0.6 * c->need_bytes);
    if (is_known(c->cloud_usd_hour)) {
        const struct money_scenario s = money_scenario(rig, &r->terms, r->use.busy_hours_year, c->cloud_usd_hour);
        WARN(CLOUD, !isnan(s.saved_usd_year) && !s.own_is_cheaper);
        WARN(STEADY_CLOUD, s.own_is_cheaper && r->use.busy_hours_year > 6000);
    }
    WARN(APPLE_TRAINS, r->wants_training && c->cls == PLAN_APPLE);
    WARN(USED, c->is_used);
    WARN(OLD_PRICE, c->is_launch_price || c->is_stale_price);
    WARN(SLOW, r->wants_inference && plan_is_known(c->tg_tps) && c->tg_tps.mid < INTERACTIVE_TPS);
#undef WARN
    return warn;
}

struct rec_verdict rec_judge(const struct rec_request *r, const struct rec_candidate *c)
{
    struct rec_verdict v = { 0 };
    v.total_usd = (is_known(c->card_usd_high) ? c->card_usd_high : c->card_usd) + c->host_usd;
    const struct money_rig rig = { .purchase_usd = v.total_usd, .idle_w = c->idle_w + c->host_idle_w, .busy_w = c->load_w + c->host_load_w };
    v.tco_usd = money_tco(&rig, &r->terms, &r->use).total_usd;
    v.tok_per_joule = c->tg_tps.mid / rig.busy_w;
    v.usd_per_mtok = money_usd_per_mtok(money_owned_usd_hour(&rig, &r->terms, &r->use), c->tg_tps.mid);
    v.mem_frac = c->mem_bytes > 0 ? c->need_bytes / c->mem_bytes : NAN;
    v.why = broken_limits(r, c, v.total_usd);
    v.warn = warnings(r, c, &v, &rig);
    v.score = score_of(r, c, &v);
    return v;
}

/* Mistake 1: for inference alone, something at most 60 % as dear holds the model with room to spare and answers
 * three times as fast as one reads along. */
static bool is_overkill(const struct rec_candidate *c, const struct rec_verdict *v, int n, int i)
{
    for (int k = 0; k < n; k++)
        if (v[k].why == 0 && v[k].total_usd <= 0.6 * v[i].total_usd && v[k].mem_frac <= HEADROOM_FRAC && c[k].tg_tps.mid >= 3 * INTERACTIVE_TPS)
            return true;
    return false;
}

int rec_rank(const struct rec_request *r, const struct rec_candidate *c, int n, struct rec_verdict *verdicts, int *order)
{
    int n_ok = 0;
    for (int i = 0; i < n; i++)
        verdicts[i] = rec_judge(r, &c[i]);
    for (int i = 0; i < n; i++) {
        if (r->wants_inference && !r->wants_training && is_overkill(c, verdicts, n, i))
            verdicts[i].warn |= 1u << REC_WARN_OVERKILL;
        if (verdicts[i].why || verdicts[i].score == -(double)INFINITY)
            continue;
        int at = n_ok++; /* insertion: lists are short, equals keep their order */
        for (; at > 0 && verdicts[order[at - 1]].score < verdicts[i].score; at--)
            order[at] = order[at - 1];
        order[at] = i;
    }
    return n_ok;
}

void rec_what_if(const struct rec_verdict *verdicts, int n, int first, int *out)
{
    for (int w = 0; w < REC_WHY_COUNT; w++) {
        out[w] = -1;
        double best = first >= 0 ? verdicts[first].score : -INFINITY;
        for (int i = 0; i < n; i++)
            if (verdicts[i].why == 1u << w && verdicts[i].score > best) {
                best = verdicts[i].score;
                out[w] = i;
            }
    }
}

struct rec_upgrade rec_upgrade_path(const struct rec_candidate *c, const struct rec_verdict *v, int n, int from, double factor)
{
    struct rec_upgrade best = { .index = -1 };
    const double want = from >= 0 ? factor * c[from].tg_tps.mid : NAN;
    const uint32_t soft = 1u << REC_WHY_BUDGET | 1u << REC_WHY_POWER | 1u << REC_WHY_SUPPLY;
    for (int i = 0; i < n && want > 0; i++) {
        if ((v[i].why & ~soft) || !plan_is_known(c[i].tg_tps) || !(c[i].tg_tps.mid > 0) || !is_known(v[i].total_usd))
            continue;
        const double count = ceil(want / c[i].tg_tps.mid - 1e-9), usd = count * v[i].total_usd;
        if (count > 64 || (best.index >= 0 && usd >= best.usd))
            continue;
        best = (struct rec_upgrade){ .index = i, .count = (int)count, .usd = usd, .tg_tps = count * c[i].tg_tps.mid, .speeds_one_answer = count <= 1 };
    }
    return best;
}

static double round_up(double need, const int *sizes, int n)
{
    for (int i = 0; i < n; i++)
        if (need <= sizes[i])
            return sizes[i];
    return 0;
}

double rec_supply_w(double card_w, int n)
{
    static const int sold[] = { 450, 550, 650, 750, 850, 1000, 1200, 1300, 1600, 2000 };
    return is_known(card_w) && n >= 0 ? round_up(250 + 4.0 / 3 * card_w * n, sold, (int)(sizeof(sold) / sizeof(sold[0]))) : 0;
}

double rec_host_mem_gb(double vram_gb)
{
    static const int kits[] = { 16, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024 };
    return is_known(vram_gb) ? round_up(1.5 * vram_gb, kits, (int)(sizeof(kits) / sizeof(kits[0]))) : 0;
}
