/* advise/cost.c - joins catalog rows and plan/money; start reading at cost_answer(). */
#include "advise/cost.h"

#include <math.h>
#include <string.h>

#include "advise/model.h"

static double or_else(double x, double otherwise) { return isnan(x) ? otherwise : x; }

/* hours of work a year from what was asked: tokens a day over tokens per second, hours a day, or eight of them */
static bool set_use(const struct cost_request *r, struct cost_answer *a, struct err *err)
{
    double busy_day = r->hours_day;
    if (isnan(busy_day) && !isnan(r->tokens_day)) {
        if (!plan_is_known(a->tg_tps) || !(a->tg_tps.mid > 0))
            return err_set(err, ERR_INPUT, "tokens a day: the speed is not known; give --model or --tps");
        busy_day = r->tokens_day / a->tg_tps.mid / 3600 / a->count;
        a->hours_are_from_tokens = true;
    } else if (isnan(busy_day)) {
        busy_day = 8;
        a->hours_are_default = true;
    }
    if (busy_day > 24)
        return err_set(err, ERR_INPUT, "%.3g tokens a day: %.1f hours of work in a day of 24; more machines (--count) are needed", r->tokens_day, busy_day);
    const double on_day = or_else(r->on_hours_day, busy_day);
    if (on_day < busy_day)
        return err_set(err, ERR_INPUT, "it works %.3g hours a day and is on for %.3g: on is at least as long", busy_day, on_day);
    a->use = (struct money_use){ busy_day * MONEY_DAYS_YEAR, on_day * MONEY_DAYS_YEAR };
    return true;
}

static void set_power(struct catalog *c, const struct cost_request *r, struct cost_answer *a)
{
    a->power.watts = hardware_watts(c, &a->hw);
    if (!isnan(r->watts)) {
        a->power.watts.inference_w = a->power.watts.training_w = r->watts;
        a->power.is_given = true;
    }
    if (!isnan(r->idle_w))
        a->power.watts.idle_w = r->idle_w;
    const struct watts *w = &a->power.watts;
    a->rig.busy_w = a->count * ((r->trains ? w->training_w : w->inference_w) + or_else(r->host_w, 0));
    a->rig.idle_w = a->count * (w->idle_w + or_else(r->host_w, 0));
}

static bool set_kwh(struct catalog *c, const struct cost_request *r, struct cost_answer *a, struct err *err)
{
    a->kwh_name = "";
    if (isnan(r->usd_per_kwh))
        return price_kwh(c, r->region, r->sector ? r->sector : "residential", &a->kwh, &a->kwh_name, err);
    a->kwh = price_given(r->usd_per_kwh);
    return true;
}

static bool set_cloud(const struct price_book *book, const struct cost_request *r, struct cost_answer *a, struct err *err)
{
    if (!isnan(r->cloud_usd_hour)) {
        a->cloud = (struct cloud_offer){ .provider = "", .kind = "", .source = "", .n_gpus = a->count, .usd_hour = r->cloud_usd_hour };
        a->has_cloud = true;
    } else if (r->cloud) {
        if (!price_cloud_find(book, r->cloud, &a->cloud, err))
            return false;
        a->has_cloud = true;
    } else {
        a->has_cloud = price_cloud_usual(book, a->hw.chip, &a->cloud);
    }
    if (a->has_cloud)
        a->cloud_usd_hour = a->cloud.usd_hour / a->cloud.n_gpus * a->count;
    return true;
}

static bool set_speed(struct catalog *c, const struct cost_request *r, struct cost_answer *a, struct err *err)
{
    a->tg_tps = r->tg_tps;
    a->tps_is_given = plan_is_known(r->tg_tps);
    if (a->tps_is_given || !r->model)
        return true;
    if (!advise_model_find(&a->model, c, r->model, "Q4_K_M", err))
        return false;
    const struct memory_of mem = hardware_memory(c, &a->hw);
    const double need = hardware_need_bytes(c, &a->hw, &a->model, 4096, 1);
    if (need > mem.usable_bytes)
        return err_set(err, ERR_INPUT, "%s %s: needs %.1f GB, %s gives a model %.1f", a->model.name, a->model.quant, need / 1e9, catalog_name(a->hw.row),
                       mem.usable_bytes / 1e9);
    a->tg_tps = hardware_speed(c, &a->hw, &a->model, 4096, 1).tg_tps;
    return true;
}

static void weigh_cloud(const struct cost_request *r, struct cost_answer *a)
{
    const double idle_on = a->use.on_hours_year > a->use.busy_hours_year ? a->use.on_hours_year : 0;
    a->breakeven_hours_year = money_breakeven_hours(&a->rig, &a->terms, a->cloud_usd_hour, idle_on);
    a->breakeven_months = money_breakeven_months(&a->rig, &a->terms, &a->use, a->cloud_usd_hour);
    double hours[COST_MACHINES_MAX];
    const int n = money_spread_hours(a->use.busy_hours_year, (int)or_else(r->peak_machines, 0), or_else(r->peak_hours_year, 0), hours, COST_MACHINES_MAX);
    a->decision = money_decide(&a->rig, &a->terms, hours, n, a->cloud_usd_hour);
    for (a->n_scenarios = 0; money_patterns[a->n_scenarios].name && a->n_scenarios < COST_SCENARIOS_MAX; a->n_scenarios++)
        a->scenario[a->n_scenarios] = money_scenario(&a->rig, &a->terms, money_patterns[a->n_scenarios].hours_year, a->cloud_usd_hour);
}

static void price_tokens(const struct cost_request *r, struct cost_answer *a)
{
    a->j_per_tok = a->owned_usd_mtok = a->cloud_usd_mtok = plan_unknown();
    if (plan_is_known(a->tg_tps) && a->tg_tps.low > 0) {
        a->j_per_tok = plan_invert(a->tg_tps, a->rig.busy_w / a->count);
        a->owned_usd_mtok = plan_invert(a->tg_tps, a->owned_usd_hour / a->count / 3600 * 1e6);
        if (a->has_cloud)
            a->cloud_usd_mtok = plan_invert(a->tg_tps, a->cloud_usd_hour / a->count / 3600 * 1e6);
    }
    a->requests_avg_per_s = a->owned_usd_request = a->cloud_usd_request = NAN;
    if (!isnan(r->requests_month)) {
        a->requests_avg_per_s = money_requests_per_s(r->requests_month);
        a->owned_usd_request = a->owned_usd_year / (r->requests_month * MONEY_DAYS_YEAR / 30);
        if (a->has_cloud) /* rented for the hours of work alone */
            a->cloud_usd_request = money_usd_per_request(a->cloud_usd_hour, isnan(r->requests_per_s) ? a->requests_avg_per_s : r->requests_per_s);
    }
}

bool cost_answer(struct catalog *c, const struct price_book *book, const struct cost_request *r, struct cost_answer *a, struct err *err)
{
    *a = (struct cost_answer){ .count = r->count };
    if (!hardware_find(c, r->on, &a->hw, err) || !set_kwh(c, r, a, err) || !set_speed(c, r, a, err))
        return false;
    a->price = isnan(r->usd) ? price_of(book, a->hw.row, r->is_used) : price_given(r->usd);
    set_power(c, r, a);
    a->rig.purchase_usd = a->count * (price_mid(&a->price) + or_else(r->host_usd, 0));
    a->terms = (struct money_terms){ a->kwh.low_usd, or_else(r->pue, 1), or_else(r->maintenance_usd_year, 0), or_else(r->years, 3) };
    if (!isnan(r->requests_month) && !isnan(r->requests_per_s) && isnan(r->hours_day) && isnan(r->tokens_day)) {
        struct cost_request by_requests = *r;
        by_requests.hours_day = money_busy_hours_year(r->requests_month, r->requests_per_s) / MONEY_DAYS_YEAR / a->count;
        if (by_requests.hours_day > 24)
            return err_set(err, ERR_INPUT, "%.3g requests a month: %.3g machines at %.3g a second are needed; see --count", r->requests_month,
                           ceil(by_requests.hours_day / 24 * a->count), r->requests_per_s);
        if (!set_use(&by_requests, a, err))
            return false;
    } else if (!set_use(r, a, err)) {
        return false;
    }
    struct money_terms t3 = a->terms, t5 = a->terms;
    t3.years = 3, t5.years = 5;
    a->tco3 = money_tco(&a->rig, &t3, &a->use);
    a->tco5 = money_tco(&a->rig, &t5, &a->use);
    a->owned_usd_year = money_owned_usd_year(&a->rig, &a->terms, &a->use);
    a->owned_usd_hour = money_owned_usd_hour(&a->rig, &a->terms, &a->use);
    a->cloud_usd_hour = a->breakeven_hours_year = a->breakeven_months = NAN;
    if (!set_cloud(book, r, a, err))
        return false;
    if (a->has_cloud)
        weigh_cloud(r, a);
    a->tflops = catalog_number(a->hw.chip, "fp16_tflops") * a->count;
    a->usd_per_tflops = money_usd_per_tflops(&a->rig, &a->terms, &a->use, a->tflops, false);
    a->usd_per_tflops_power = money_usd_per_tflops(&a->rig, &a->terms, &a->use, a->tflops, true);
    a->cloud_usd_per_tflops_hour = money_cloud_usd_per_tflops_hour(a->cloud_usd_hour, a->tflops);
    price_tokens(r, a);
    return true;
}

bool cost_compare(struct catalog *c, const struct price_book *book, const struct cost_pair_request *r, struct cost_pair *out, struct err *err)
{
    struct hardware hw[2];
    struct price price[2];
    if (!hardware_find(c, r->a, &hw[0], err) || !hardware_find(c, r->b, &hw[1], err))
        return false;
    if (hw[0].row == hw[1].row)
        return err_set(err, ERR_INPUT, "%s: compared with itself", catalog_name(hw[0].row));
    price[0] = isnan(r->a_usd) ? price_of(book, hw[0].row, false) : price_given(r->a_usd);
    price[1] = isnan(r->b_usd) ? price_of(book, hw[1].row, false) : price_given(r->b_usd);
    const int dear = price_mid(&price[1]) > price_mid(&price[0]) ? 1 : 0, cheap = 1 - dear;
    *out = (struct cost_pair){ .dear = hw[dear], .cheap = hw[cheap], .dear_price = price[dear], .cheap_price = price[cheap],
                               .dear_watts = hardware_watts(c, &hw[dear]), .cheap_watts = hardware_watts(c, &hw[cheap]) };
    const struct catalog_row *d = out->dear.chip, *k = out->cheap.chip;
    const double given = r->inference_speedup_a_over_b;
    out->terms = (struct money_case){
        .training_hours_month = r->training_hours_month,
        .inference_hours_month = r->inference_hours_month,
        .training_speedup = catalog_number(d, "fp16_tflops") / catalog_number(k, "fp16_tflops"),
        .inference_speedup = isnan(given) ? catalog_number(d, "mem_bw_gbps") / catalog_number(k, "mem_bw_gbps") : dear ? 1 / given : given,
        .usd_per_hour_saved = r->usd_per_hour_saved,
        .usd_per_kwh = r->usd_per_kwh,
        .pue = r->pue,
        .life_months = 24,
    };
    out->payback = money_payback(&(struct money_pair){ price_mid(&price[dear]), out->dear_watts.inference_w, out->dear_watts.training_w },
                                 &(struct money_pair){ price_mid(&price[cheap]), out->cheap_watts.inference_w, out->cheap_watts.training_w }, &out->terms);
    out->dear_mem_gb = catalog_number_or(out->dear.row, "mem_gb", catalog_number(d, "mem_gb"));
    out->cheap_mem_gb = catalog_number_or(out->cheap.row, "mem_gb", catalog_number(k, "mem_gb"));
    return true;
}
