/* cmd/cost_out.c - the answer of `tutti cost` as JSON and as a page. */
#include "cmd/cost_out.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cmd/advice.h"
#include "page/page.h"

enum { JSON_BYTES_MAX = 1 << 20, STEPS = 60 };

static const char *const weight_name[MONEY_POWER_COUNT] = { "unknown", "minor", "significant", "major" };
static const char *const verdict_name[MONEY_PAYBACK_COUNT] = { "unknown", "at_once", "worth", "late", "never" };

const char *cost_payback_text(enum money_payback_verdict v)
{
    static const char *const text[MONEY_PAYBACK_COUNT] = {
        "not known: a price or a speed is missing", "it costs no more and saves from the first day", "worth it",
        "it pays back too late: longer than the card's useful life", "not worth it: it saves nothing at this use",
    };
    return text[v];
}

static void put_tco(struct buf *b, int years, const struct money_tco *t)
{
    buf_printf(b, "%s{\"years\":%d", years == 3 ? "" : ",", years);
    advice_json_number(b, "hardware_usd", t->hardware_usd);
    advice_json_number(b, "power_usd", t->power_usd);
    advice_json_number(b, "cooling_usd", t->cooling_usd);
    advice_json_number(b, "maintenance_usd", t->maintenance_usd);
    advice_json_number(b, "total_usd", t->total_usd);
    advice_json_number(b, "power_frac", t->power_frac);
    advice_json_number(b, "power_of_hardware_and_power_frac", t->power_hw_frac);
    buf_putc(b, '}');
}

static void put_cloud(struct buf *b, const struct cost_answer *a)
{
    buf_puts(b, ",\"cloud\":");
    if (!a->has_cloud) {
        buf_puts(b, "null");
        return;
    }
    buf_putc(b, '{');
    advice_json_text(b, "name", a->cloud.row ? catalog_name(a->cloud.row) : NULL);
    advice_json_text(b, "provider", a->cloud.provider);
    advice_json_number(b, "usd_hour", a->cloud_usd_hour);
    advice_json_text(b, "date", a->cloud.date);
    advice_json_text(b, "source", a->cloud.row ? a->cloud.source : "given");
    advice_json_number(b, "breakeven_hours_year", a->breakeven_hours_year);
    advice_json_number(b, "breakeven_months", a->breakeven_months);
    advice_json_text(b, "choice", money_choice_name(a->decision.choice));
    buf_printf(b, ",\"is_close\":%s,\"machines_owned\":%d,\"machines_rented\":%d", a->decision.is_close ? "true" : "false", a->decision.n_own, a->decision.n_rent);
    advice_json_number(b, "rent_usd_year", a->decision.rent_usd_year);
    advice_json_number(b, "own_usd_year", a->decision.own_usd_year);
    advice_json_number(b, "choice_usd_year", a->decision.mixed_usd_year);
    buf_puts(b, ",\"scenarios\":[");
    for (int i = 0; i < a->n_scenarios; i++) {
        buf_puts(b, i ? ",{" : "{");
        advice_json_text(b, "name", money_patterns[i].name);
        advice_json_number(b, "hours_year", money_patterns[i].hours_year);
        advice_json_number(b, "cloud_usd_year", a->scenario[i].cloud_usd_year);
        advice_json_number(b, "owned_usd_year", a->scenario[i].owned_usd_year);
        advice_json_text(b, "cheaper", isnan(a->scenario[i].saved_usd_year) ? NULL : a->scenario[i].own_is_cheaper ? "own" : "cloud");
        buf_putc(b, '}');
    }
    buf_puts(b, "]}");
}

static void put_against(struct buf *b, const struct cost_pair *p)
{
    buf_puts(b, ",\"against\":");
    if (!p) {
        buf_puts(b, "null");
        return;
    }
    buf_putc(b, '{');
    advice_json_text(b, "dear", catalog_name(p->dear.row));
    advice_json_text(b, "cheap", catalog_name(p->cheap.row));
    advice_json_price(b, "dear_price", &p->dear_price);
    advice_json_price(b, "cheap_price", &p->cheap_price);
    advice_json_number(b, "training_speedup", p->terms.training_speedup);
    advice_json_number(b, "inference_speedup", p->terms.inference_speedup);
    advice_json_number(b, "time_usd_month", p->payback.time_usd_month);
    advice_json_number(b, "power_usd_month", p->payback.power_usd_month);
    advice_json_number(b, "months", p->payback.months);
    advice_json_text(b, "verdict", verdict_name[p->payback.verdict]);
    buf_putc(b, '}');
}

int cost_print_json(const struct cost_answer *a, const struct cost_pair *against)
{
    struct buf b;
    buf_init(&b, JSON_BYTES_MAX);
    buf_putc(&b, '{');
    advice_json_text(&b, "hardware", catalog_name(a->hw.row));
    advice_json_number(&b, "count", a->count);
    advice_json_price(&b, "price", &a->price);
    buf_puts(&b, ",\"watts\":{");
    advice_json_number(&b, "idle", a->power.watts.idle_w);
    advice_json_number(&b, "inference", a->power.watts.inference_w);
    advice_json_number(&b, "training", a->power.watts.training_w);
    advice_json_number(&b, "busy_all", a->rig.busy_w);
    advice_json_text(&b, "source", a->power.is_given ? plan_source_name(PLAN_GIVEN) : plan_source_name(a->power.watts.source));
    advice_json_text(&b, "from", a->power.is_given ? NULL : a->power.watts.from);
    buf_putc(&b, '}');
    advice_json_price(&b, "electricity_usd_kwh", &a->kwh);
    buf_puts(&b, ",\"terms\":{");
    advice_json_number(&b, "pue", a->terms.pue);
    advice_json_number(&b, "maintenance_usd_year", a->terms.maintenance_usd_year);
    advice_json_number(&b, "years", a->terms.years);
    buf_puts(&b, "},\"use\":{");
    advice_json_number(&b, "busy_hours_year", a->use.busy_hours_year);
    advice_json_number(&b, "on_hours_year", a->use.on_hours_year);
    advice_json_text(&b, "source", a->hours_are_default ? "default" : a->hours_are_from_tokens ? "tokens" : "given");
    buf_puts(&b, "},\"tco\":[");
    put_tco(&b, 3, &a->tco3);
    put_tco(&b, 5, &a->tco5);
    buf_putc(&b, ']');
    advice_json_text(&b, "power_weight", weight_name[money_power_weight(a->tco3.power_hw_frac)]);
    advice_json_number(&b, "owned_usd_year", a->owned_usd_year);
    advice_json_number(&b, "owned_usd_hour", a->owned_usd_hour);
    put_cloud(&b, a);
    buf_puts(&b, ",\"compute\":{");
    advice_json_number(&b, "fp16_tflops", a->tflops);
    advice_json_number(&b, "usd_per_tflops", a->usd_per_tflops);
    advice_json_number(&b, "usd_per_tflops_with_power", a->usd_per_tflops_power);
    advice_json_number(&b, "cloud_usd_per_tflops_hour", a->cloud_usd_per_tflops_hour);
    buf_puts(&b, "},\"tokens\":{");
    advice_json_text(&b, "model", a->model.name);
    advice_json_text(&b, "tps_source", a->tps_is_given ? "given" : plan_is_known(a->tg_tps) ? "predicted" : NULL);
    advice_json_range(&b, "tg_tps", a->tg_tps);
    advice_json_range(&b, "joules_per_token", a->j_per_tok);
    advice_json_range(&b, "owned_usd_per_mtok", a->owned_usd_mtok);
    advice_json_range(&b, "cloud_usd_per_mtok", a->cloud_usd_mtok);
    buf_puts(&b, "},\"requests\":{");
    advice_json_number(&b, "average_per_s", a->requests_avg_per_s);
    advice_json_number(&b, "owned_usd", a->owned_usd_request);
    advice_json_number(&b, "cloud_usd", a->cloud_usd_request);
    buf_putc(&b, '}');
    put_against(&b, against);
    buf_putc(&b, '}');
    return advice_print_json(&b);
}

static void page_hours(struct page *p, const struct cost_answer *a)
{
    /* As far as the question goes: the year, or a little over the break-even. */
    const double even = a->breakeven_hours_year, top = isfinite(even) && even > MONEY_HOURS_YEAR ? 1.2 * even : MONEY_HOURS_YEAR;
    struct chart_point own[STEPS + 1], rent[STEPS + 1], at;
    for (int i = 0; i <= STEPS; i++) {
        const double h = top * i / STEPS;
        const struct money_use use = { h, h };
        own[i] = (struct chart_point){ .x = h, .y = money_owned_usd_year(&a->rig, &a->terms, &use) };
        rent[i] = (struct chart_point){ .x = h, .y = h * a->cloud_usd_hour };
    }
    char title[96], usd[ADVICE_TEXT];
    if (isfinite(even))
        snprintf(title, sizeof(title), "Cost of a year over hours of work: break-even at %.0f h", even);
    else
        snprintf(title, sizeof(title), "Cost of a year over hours of work: never even");
    at = (struct chart_point){ .x = even, .y = even * a->cloud_usd_hour, .is_marked = true };
    const struct chart_series s[] = { { .name = "owned", .points = own, .n = STEPS + 1, .has_line = true },
                                      { .name = "rented", .points = rent, .n = STEPS + 1, .has_line = true, .is_dashed = true },
                                      { .points = &at, .n = isfinite(even) ? 1 : 0, .has_dots = true } };
    const struct chart_note you = { .kind = CHART_NOTE_AT_X, .x = a->use.busy_hours_year, .text = "your use" };
    page_chart(p, &(struct chart){ .title = title, .x = { .label = "hours of work a year", .min = 0, .max = top }, .y = { .label = "USD a year" },
                                   .series = s, .n_series = isfinite(even) ? 3 : 2, .notes = &you, .n_notes = 1 });
    page_note(p, "Owned: purchase over %g years, upkeep, power while working. Rented: %s an hour%s%s. %s", a->terms.years, advice_usd(usd, a->cloud_usd_hour),
              a->cloud.row ? ", " : "", a->cloud.row ? catalog_name(a->cloud.row) : "",
              a->cloud.row ? a->cloud.date : "as given.");
}

static void page_tco(struct page *p, const struct cost_answer *a)
{
    static const char *const parts[] = { "hardware", "power", "cooling", "upkeep", "rent" };
    static const char *const label[] = { "owned, 3 years", "rented, 3 years", "owned, 5 years", "rented, 5 years" };
    struct chart_bar bars[4];
    const struct money_tco *t[] = { &a->tco3, &a->tco5 };
    char text[4][ADVICE_TEXT];
    int n = 0;
    for (int i = 0; i < 2; i++) {
        bars[n] = (struct chart_bar){ .label = label[2 * i], .text = advice_usd(text[n], t[i]->total_usd),
                                      .part = { t[i]->hardware_usd, t[i]->power_usd, t[i]->cooling_usd, t[i]->maintenance_usd, 0 } };
        n++;
        const double rent = a->use.busy_hours_year * a->cloud_usd_hour * (i ? 5 : 3);
        if (a->has_cloud) {
            bars[n] = (struct chart_bar){ .label = label[2 * i + 1], .text = advice_usd(text[n], rent), .part = { 0, 0, 0, 0, rent } };
            n++;
        }
    }
    page_bars(p, &(struct chart_bars){ .title = "Owned and rented at this use", .value = { .label = "USD" }, .parts = parts, .n_parts = a->has_cloud ? 5 : 4, .bars = bars, .n_bars = n });
}

static void page_scenarios(struct page *p, const struct cost_answer *a)
{
    static const char *const heads[] = { "use", "hours a year", "rented", "owned", "cheaper" };
    char text[COST_SCENARIOS_MAX][3][ADVICE_TEXT];
    const char *cells[COST_SCENARIOS_MAX * 5];
    for (int i = 0; i < a->n_scenarios; i++) {
        snprintf(text[i][0], ADVICE_TEXT, "%.0f", money_patterns[i].hours_year);
        cells[5 * i] = money_patterns[i].name;
        cells[5 * i + 1] = text[i][0];
        cells[5 * i + 2] = advice_usd(text[i][1], a->scenario[i].cloud_usd_year);
        cells[5 * i + 3] = advice_usd(text[i][2], a->scenario[i].owned_usd_year);
        cells[5 * i + 4] = isnan(a->scenario[i].saved_usd_year) ? "unknown" : a->scenario[i].own_is_cheaper ? "owned" : "rented";
    }
    page_table(p, heads, "lrrrl", cells, a->n_scenarios, 5, -1);
}

bool cost_write_page(const struct cost_answer *a, const struct cost_pair *against, const char *path, struct err *err)
{
    char title[160], text[5][ADVICE_TEXT], hours[ADVICE_TEXT];
    snprintf(title, sizeof(title), "What %s%.100s costs", a->count > 1 ? "a set of " : "", catalog_name(a->hw.row));
    struct page *p = page_new(title, "tutti cost: prices carry their dates; figures are catalog, given, derived or predicted, as said", err);
    if (!p)
        return false;
    snprintf(hours, sizeof(hours), "%.0f h of work", a->use.busy_hours_year);
    const struct page_figure f[] = {
        { "a year", advice_usd(text[0], a->owned_usd_year), hours },
        { "an hour of work", advice_usd(text[1], a->owned_usd_hour), "at this use" },
        { "3 years", advice_usd(text[2], a->tco3.total_usd), money_power_advice(money_power_weight(a->tco3.power_hw_frac)) },
    };
    page_figures(p, f, 3);
    page_text(p, "Purchase: %d x %s. Draws %.0f W at work and %.0f W idle (%s). Electricity: $%.4g a kWh (%s%s%s).", a->count, advice_price(text[3], &a->price),
              a->rig.busy_w, a->rig.idle_w, a->power.is_given ? "given" : a->power.watts.from, a->kwh.low_usd, a->kwh_name[0] ? a->kwh_name : "given",
              a->kwh.date[0] ? ", " : "", a->kwh.date);
    if (a->has_cloud && !isnan(a->owned_usd_year)) {
        page_section(p, "Own or rent");
        page_hours(p, a);
        page_scenarios(p, a);
        page_text(p, "At this use: %s%s.", money_choice_name(a->decision.choice), a->decision.is_close ? ", but it is close: prices that move decide" : "");
    }
    if (!isnan(a->tco3.total_usd)) {
        page_section(p, "Total cost of ownership");
        page_tco(p, a);
    }
    if (plan_is_known(a->tg_tps)) {
        page_section(p, "Tokens");
        char tps[ADVICE_TEXT], j[ADVICE_TEXT], own[ADVICE_TEXT], rent[ADVICE_TEXT];
        page_text(p, "%s tokens a second (%s): %s USD for a million tokens owned, %s rented; %s joules each.", advice_range(tps, a->tg_tps),
                  a->tps_is_given ? "given" : "predicted", advice_range(own, a->owned_usd_mtok), advice_range(rent, a->cloud_usd_mtok), advice_range(j, a->j_per_tok));
    }
    if (against) {
        page_section(p, "Is the dear one worth it?");
        page_text(p, "%s over %s: %s.", catalog_name(against->dear.row), catalog_name(against->cheap.row), cost_payback_text(against->payback.verdict));
    }
    page_note(p, "Price of the hardware: %s. Electricity: %s.", a->price.source[0] ? a->price.source : "given", a->kwh.source[0] ? a->kwh.source : "given");
    const bool ok = page_save(p, path, err);
    page_free(p);
    return ok;
}
