/* plan/money.c - purchase, power, upkeep and renting; start reading at money_breakeven_hours(). */
#include "plan/money.h"

#include <math.h>
#include <stddef.h>

static bool is_amount(double x) { return isfinite(x) && x >= 0; }
/* NAN for what is unknown or makes no sense, so that it spreads. */
static double amount(double x) { return is_amount(x) ? x : NAN; }
static double pue_of(double pue) { return isfinite(pue) && pue >= 1 ? pue : NAN; }
static double years_of(const struct money_terms *t) { return isfinite(t->years) && t->years > 0 ? t->years : NAN; }
static double over(double usd, double by)
{
    return isnan(usd) || isnan(by) ? NAN : by > 0 ? usd / by : INFINITY;
}

double money_power_usd_hour(double watts, const struct money_terms *t)
{
    return amount(watts) * pue_of(t->pue) * amount(t->usd_per_kwh) / 1000;
}

/* Hours on without work; what is off costs nothing, whatever it would draw. */
static double idle_usd(const struct money_rig *rig, const struct money_terms *t, double hours)
{
    return hours > 0 ? money_power_usd_hour(rig->idle_w, t) * hours : hours == 0 ? 0 : NAN;
}

static bool is_use(const struct money_use *u)
{
    return is_amount(u->busy_hours_year) && is_amount(u->on_hours_year) && u->busy_hours_year <= u->on_hours_year;
}

double money_power_usd_year(const struct money_rig *rig, const struct money_terms *t, const struct money_use *use)
{
    if (!is_use(use))
        return NAN;
    return money_power_usd_hour(rig->busy_w, t) * use->busy_hours_year + idle_usd(rig, t, use->on_hours_year - use->busy_hours_year);
}

double money_fixed_usd_year(const struct money_rig *rig, const struct money_terms *t)
{
    return amount(rig->purchase_usd) / years_of(t) + amount(t->maintenance_usd_year);
}

double money_owned_usd_year(const struct money_rig *rig, const struct money_terms *t, const struct money_use *use)
{
    return money_fixed_usd_year(rig, t) + money_power_usd_year(rig, t, use);
}

double money_owned_usd_hour(const struct money_rig *rig, const struct money_terms *t, const struct money_use *use)
{
    return over(money_owned_usd_year(rig, t, use), use->busy_hours_year);
}

double money_breakeven_hours(const struct money_rig *rig, const struct money_terms *t, double cloud_usd_hour, double idle_on_hours)
{
    /* owned(h) = fixed + idle_usd * (on - h) + busy_usd * h  =  cloud * h, solved for h */
    const double fixed = money_fixed_usd_year(rig, t) + idle_usd(rig, t, amount(idle_on_hours));
    const double extra = money_power_usd_hour(rig->busy_w, t) - (idle_on_hours > 0 ? money_power_usd_hour(rig->idle_w, t) : 0);
    return over(fixed, amount(cloud_usd_hour) - extra);
}

double money_breakeven_months(const struct money_rig *rig, const struct money_terms *t, const struct money_use *use, double cloud_usd_hour)
{
    const double saved_year = use->busy_hours_year * amount(cloud_usd_hour) - money_power_usd_year(rig, t, use) - amount(t->maintenance_usd_year);
    return over(amount(rig->purchase_usd), saved_year) * MONEY_MONTHS_YEAR;
}

struct money_tco money_tco(const struct money_rig *rig, const struct money_terms *t, const struct money_use *use)
{
    struct money_terms bare = *t;
    bare.pue = 1;
    struct money_tco c = { .hardware_usd = amount(rig->purchase_usd) };
    c.power_usd = money_power_usd_year(rig, &bare, use) * years_of(t);
    c.cooling_usd = c.power_usd * (pue_of(t->pue) - 1);
    c.maintenance_usd = amount(t->maintenance_usd_year) * years_of(t);
    const double power = c.power_usd + c.cooling_usd;
    c.total_usd = c.hardware_usd + power + c.maintenance_usd;
    c.power_frac = c.total_usd > 0 ? power / c.total_usd : NAN;
    c.power_hw_frac = c.hardware_usd + power > 0 ? power / (c.hardware_usd + power) : NAN;
    return c;
}

enum money_power money_power_weight(double power_hw_frac)
{
    if (!is_amount(power_hw_frac))
        return MONEY_POWER_UNKNOWN;
    return power_hw_frac > 0.30 ? MONEY_POWER_MAJOR : power_hw_frac > 0.15 ? MONEY_POWER_SIGNIFICANT : MONEY_POWER_MINOR;
}

const char *money_power_advice(enum money_power p)
{
    static const char *const text[MONEY_POWER_COUNT] = {
        [MONEY_POWER_UNKNOWN] = "power: not known",
        [MONEY_POWER_MINOR] = "power is minor: choose by speed and memory",
        [MONEY_POWER_SIGNIFICANT] = "power is significant: weigh tokens per joule when buying",
        [MONEY_POWER_MAJOR] = "power is a major cost: efficient hardware, a power limit, a lower PUE",
    };
    return text[p >= MONEY_POWER_UNKNOWN && p < MONEY_POWER_COUNT ? p : MONEY_POWER_UNKNOWN];
}

double money_usd_per_tflops(const struct money_rig *rig, const struct money_terms *t, const struct money_use *use, double tflops, bool with_power)
{
    const double power = with_power ? money_power_usd_year(rig, t, use) * years_of(t) : 0;
    return over(amount(rig->purchase_usd) + power, amount(tflops));
}

double money_cloud_usd_per_tflops_hour(double cloud_usd_hour, double tflops) { return over(amount(cloud_usd_hour), amount(tflops)); }
double money_usd_per_mtok(double usd_hour, double tok_per_s)
{
    return isinf(usd_hour) && usd_hour > 0 ? INFINITY : over(amount(usd_hour), 3600 * amount(tok_per_s)) * 1e6;
}
double money_usd_per_request(double usd_hour, double requests_per_s) { return over(amount(usd_hour), 3600 * amount(requests_per_s)); }
double money_requests_per_s(double requests_month) { return amount(requests_month) / (30.0 * 24 * 3600); }
double money_busy_hours_year(double requests_month, double capacity_rps)
{
    return over(amount(requests_month) * MONEY_DAYS_YEAR / 30, 3600 * amount(capacity_rps));
}

struct money_payback money_payback(const struct money_pair *dear, const struct money_pair *cheap, const struct money_case *c)
{
    struct money_payback r = { .price_diff_usd = amount(dear->price_usd) - amount(cheap->price_usd) };
    const double train = amount(c->training_hours_month), infer = amount(c->inference_hours_month);
    const double ts = c->training_speedup > 0 ? c->training_speedup : NAN, is = c->inference_speedup > 0 ? c->inference_speedup : NAN;
    const struct money_terms t = { .usd_per_kwh = c->usd_per_kwh, .pue = c->pue };
    /* What is not done needs no speed and no watts: a card without a training figure may still serve. */
    r.time_usd_month = train > 0 ? train * (1 - 1 / ts) * amount(c->usd_per_hour_saved) : train;
    r.power_usd_month = train > 0 ? train * (money_power_usd_hour(dear->training_w, &t) / ts - money_power_usd_hour(cheap->training_w, &t)) : train;
    if (!(infer == 0)) /* NAN too */
        r.power_usd_month += infer * (money_power_usd_hour(dear->inference_w, &t) / is - money_power_usd_hour(cheap->inference_w, &t));
    const double saved = r.time_usd_month - r.power_usd_month;
    if (isnan(saved) || isnan(r.price_diff_usd)) {
        r.months = NAN;
        r.verdict = MONEY_PAYBACK_UNKNOWN;
    } else if (r.price_diff_usd <= 0 && saved >= 0) {
        r.verdict = MONEY_PAYBACK_AT_ONCE;
    } else if (saved <= 0) {
        r.months = INFINITY;
        r.verdict = MONEY_PAYBACK_NEVER;
    } else {
        r.months = r.price_diff_usd / saved;
        r.verdict = r.months <= c->life_months ? MONEY_PAYBACK_WORTH : MONEY_PAYBACK_LATE;
    }
    return r;
}

const struct money_pattern money_patterns[] = {
    { "hobby, 4 h a week", 4 * 52 },
    { "part-time, 20 h a week", 20 * 52 },
    { "full-time, 40 h a week", 40 * 52 },
    { "always on", MONEY_HOURS_YEAR },
    { NULL, 0 },
};

struct money_scenario money_scenario(const struct money_rig *rig, const struct money_terms *t, double hours_year, double cloud_usd_hour)
{
    const struct money_use use = { hours_year, hours_year };
    struct money_scenario s = { .cloud_usd_year = amount(hours_year) * amount(cloud_usd_hour), .owned_usd_year = money_owned_usd_year(rig, t, &use) };
    s.own_is_cheaper = s.owned_usd_year < s.cloud_usd_year;
    s.saved_usd_year = fabs(s.cloud_usd_year - s.owned_usd_year);
    return s;
}

struct money_decision money_decide(const struct money_rig *rig, const struct money_terms *t, const double *hours, int n, double cloud_usd_hour)
{
    struct money_decision d = { 0 };
    const double even = money_breakeven_hours(rig, t, cloud_usd_hour, 0);
    if (n <= 0 || isnan(even))
        return d;
    for (int i = 0; i < n; i++) {
        const struct money_scenario s = money_scenario(rig, t, hours[i], cloud_usd_hour);
        if (isnan(s.saved_usd_year))
            return (struct money_decision){ 0 };
        d.rent_usd_year += s.cloud_usd_year;
        d.own_usd_year += s.owned_usd_year;
        d.mixed_usd_year += s.own_is_cheaper ? s.owned_usd_year : s.cloud_usd_year;
        *(s.own_is_cheaper ? &d.n_own : &d.n_rent) += 1;
        d.is_close = d.is_close || (hours[i] > even * 0.8 && hours[i] < even * 1.2);
    }
    d.choice = !d.n_own ? MONEY_CHOICE_CLOUD : d.n_rent ? MONEY_CHOICE_HYBRID : MONEY_CHOICE_OWN;
    return d;
}

int money_spread_hours(double machine_hours_year, int peak_machines, double peak_hours, double *hours, int max)
{
    if (!is_amount(machine_hours_year) || !is_amount(peak_hours) || peak_hours > MONEY_HOURS_YEAR || peak_machines < 0 ||
        peak_machines > max || machine_hours_year / MONEY_HOURS_YEAR > max - peak_machines)
        return 0;
    int n = 0;
    double left = machine_hours_year;
    for (; left >= MONEY_HOURS_YEAR; left -= MONEY_HOURS_YEAR)
        hours[n++] = MONEY_HOURS_YEAR;
    if (left > 0 && n < max)
        hours[n++] = left;
    for (int i = 0; i < peak_machines && n < max; i++)
        hours[n++] = peak_hours;
    return n;
}

const char *money_choice_name(enum money_choice c)
{
    static const char *const name[MONEY_CHOICE_COUNT] = { "unknown", "cloud", "hybrid", "own" };
    return name[c >= MONEY_CHOICE_UNKNOWN && c < MONEY_CHOICE_COUNT ? c : MONEY_CHOICE_UNKNOWN];
}
