/* cmd/cost.c - `tutti cost`: what a machine costs to own, and the same hours rented. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cmd/advice.h"
#include "cmd/commands.h"
#include "cmd/cost_out.h"
#include "cmd/out.h"

static void line(const char *label, const char *fmt, ...) ERR_PRINTF(2, 3);
static void line(const char *label, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    advice_item(label, 13, text);
}

static void print_basis(const struct cost_answer *a)
{
    char usd[ADVICE_TEXT];
    printf("%s%s%s\n\n", out_style(stdout, OUT_BOLD), catalog_name(a->hw.row), out_style_end(stdout));
    line("purchase", "%d x %s", a->count, advice_price(usd, &a->price));
    line("power", "%.3g W idle, %.3g W inference, %.3g W training (%s)", a->power.watts.idle_w, a->power.watts.inference_w, a->power.watts.training_w,
         a->power.is_given ? "given" : a->power.watts.source == PLAN_UNKNOWN ? "unknown; give --watts" : a->power.watts.from);
    if (a->power.watts.source != PLAN_UNKNOWN && !a->power.is_given)
        line("", "%s", a->power.watts.source == PLAN_DERIVED ? "derived, not measured; --watts sets it" : "catalog, not measured here; --watts sets it");
    line("electricity", "$%.4g per kWh (%s)", a->kwh.low_usd, a->kwh_name[0] ? a->kwh_name : "given");
    line("terms", "PUE %g, upkeep %s a year, written off over %g years", a->terms.pue, advice_usd(usd, a->terms.maintenance_usd_year), a->terms.years);
    line("use", "%.0f h of work a year (%.3g a day%s)%s", a->use.busy_hours_year, a->use.busy_hours_year / MONEY_DAYS_YEAR,
         a->hours_are_default ? ", assumed; --hours sets it" : a->hours_are_from_tokens ? ", from tokens a day" : "",
         a->use.on_hours_year > a->use.busy_hours_year ? ", idle otherwise while on" : ", off after work");
}

static bool print_tco(const struct cost_answer *a, struct err *err)
{
    static const char *const name[] = { "hardware", "power", "cooling (PUE)", "upkeep", "total" };
    const double v[2][5] = { { a->tco3.hardware_usd, a->tco3.power_usd, a->tco3.cooling_usd, a->tco3.maintenance_usd, a->tco3.total_usd },
                             { a->tco5.hardware_usd, a->tco5.power_usd, a->tco5.cooling_usd, a->tco5.maintenance_usd, a->tco5.total_usd } };
    struct out_table t;
    out_table_init(&t, (const struct out_column[]){ { "total cost of ownership", 0 }, { "3 years", OUT_RIGHT }, { "5 years", OUT_RIGHT } }, 3);
    for (int i = 0; i < 5; i++) {
        char usd[ADVICE_TEXT];
        out_row(&t);
        out_cell(&t, "%s", name[i]);
        out_cell(&t, "%s", advice_usd(usd, v[0][i]));
        out_cell(&t, "%s", advice_usd(usd, v[1][i]));
    }
    putchar('\n');
    const bool ok = out_table_print(&t, stdout, OUT_WIDTH, err);
    out_table_fini(&t);
    char year[ADVICE_TEXT], hour[ADVICE_TEXT];
    putchar('\n');
    line("owned", "%s a year, %s for an hour of work at this use (derived from the figures above)", advice_usd(year, a->owned_usd_year), advice_usd(hour, a->owned_usd_hour));
    if (!isnan(a->tco3.power_hw_frac))
        line("power share", "%.1f %% of hardware + power in 3 years: %s", 100 * a->tco3.power_hw_frac, money_power_advice(money_power_weight(a->tco3.power_hw_frac)));
    if (!isnan(a->usd_per_tflops))
        line("compute", "%s per peak FP16 TFLOPS (%.4g, catalog); %s with the power of %g years", advice_usd(year, a->usd_per_tflops), a->tflops,
             advice_usd(hour, a->usd_per_tflops_power), a->terms.years);
    return ok;
}

static void print_cloud(const struct cost_answer *a)
{
    char usd[ADVICE_TEXT], more[ADVICE_TEXT];
    putchar('\n');
    if (!a->has_cloud) {
        line("rented", "no offer with this GPU in the catalog; --cloud-usd-h or --cloud names one");
        return;
    }
    if (a->cloud.row)
        line("rented", "%s an hour: %s (catalog, %s)", advice_usd(usd, a->cloud_usd_hour), catalog_name(a->cloud.row), a->cloud.date);
    else
        line("rented", "%s an hour (given)", advice_usd(usd, a->cloud_usd_hour));
    if (isnan(a->breakeven_hours_year)) {
        line("break-even", "unknown: a price or the power is missing");
        return;
    }
    if (isinf(a->breakeven_hours_year))
        line("break-even", "never: an hour rented costs no more than the power of an hour");
    else if (a->breakeven_hours_year > MONEY_HOURS_YEAR)
        line("break-even", "%.0f h a year, more than a year has: not with one machine in %g years", a->breakeven_hours_year, a->terms.years);
    else
        line("break-even", "%.0f h a year; yours: %.0f", a->breakeven_hours_year, a->use.busy_hours_year);
    if (isfinite(a->breakeven_months))
        line("", "at your use the purchase is earned back in %.1f months", a->breakeven_months);
    line("decision", "%s%s%s: %s a year instead of %s", out_style(stdout, OUT_BOLD), money_choice_name(a->decision.choice), out_style_end(stdout),
         advice_usd(usd, a->decision.mixed_usd_year),
         advice_usd(more, fmax(a->decision.own_usd_year, a->decision.rent_usd_year)));
    if (a->decision.choice == MONEY_CHOICE_HYBRID)
        line("", "own %d, rent %d for the peaks", a->decision.n_own, a->decision.n_rent);
    if (a->decision.is_close)
        line("", "it is close: a fifth more or less, and the other is cheaper");
    if (a->decision.choice == MONEY_CHOICE_OWN && a->use.busy_hours_year > 6000)
        line("warning", "renting for steady work costs %s a year more", advice_usd(usd, a->decision.rent_usd_year - a->decision.own_usd_year));
}

static bool print_scenarios(const struct cost_answer *a, struct err *err)
{
    struct out_table t;
    out_table_init(&t, (const struct out_column[]){ { "scenario", 0 }, { "hours/year", OUT_RIGHT }, { "rented", OUT_RIGHT }, { "owned", OUT_RIGHT },
                                                    { "cheaper", 0 }, { "saves", OUT_RIGHT } }, 6);
    for (int i = 0; i < a->n_scenarios; i++) {
        char usd[ADVICE_TEXT];
        const struct money_scenario *s = &a->scenario[i];
        out_row(&t);
        out_cell(&t, "%s", money_patterns[i].name);
        out_cell(&t, "%.0f", money_patterns[i].hours_year);
        out_cell(&t, "%s", advice_usd(usd, s->cloud_usd_year));
        out_cell(&t, "%s", advice_usd(usd, s->owned_usd_year));
        out_cell(&t, "%s", isnan(s->saved_usd_year) ? "unknown" : s->own_is_cheaper ? "owned" : "rented");
        out_cell(&t, "%s", advice_usd(usd, s->saved_usd_year));
    }
    putchar('\n');
    const bool ok = out_table_print(&t, stdout, OUT_WIDTH, err);
    out_table_fini(&t);
    return ok;
}

static void print_tokens(const struct cost_answer *a)
{
    char tps[ADVICE_TEXT], j[ADVICE_TEXT];
    if (plan_is_known(a->tg_tps)) {
        putchar('\n');
        line("tokens", "%s a second (%s), %s J each", advice_range(tps, a->tg_tps), a->tps_is_given ? "given" : "predicted", advice_range(j, a->j_per_tok));
        if (!a->tps_is_given)
            line("", "%s %s, prompts and answers within 4096 tokens", a->model.name, a->model.quant);
        line("", "per million: $%s owned at this use%s%s", advice_range(tps, a->owned_usd_mtok), a->has_cloud ? ", rented $" : "",
             a->has_cloud ? advice_range(j, a->cloud_usd_mtok) : "");
    }
    if (!isnan(a->requests_avg_per_s))
        line("requests", "%.3g a second on average; owned %s each, rented %s", a->requests_avg_per_s, advice_usd(tps, a->owned_usd_request),
             advice_usd(j, a->cloud_usd_request));
}

static void print_against(const struct cost_pair *p)
{
    char a[ADVICE_TEXT], b[ADVICE_TEXT];
    const struct money_payback *k = &p->payback;
    putchar('\n');
    line("against", "%s (%.3g GB) over %s (%.3g GB)", catalog_name(p->dear.row), p->dear_mem_gb, catalog_name(p->cheap.row), p->cheap_mem_gb);
    line("", "%s", advice_price(a, &p->dear_price));
    line("", "%s", advice_price(a, &p->cheap_price));
    line("", "%.2fx in training (peak FP16), %.2fx in inference (memory bandwidth); derived from the catalog", p->terms.training_speedup, p->terms.inference_speedup);
    line("", "%.0f h training and %.0f h inference a month: saves %s of time a month and %s %s of power", p->terms.training_hours_month, p->terms.inference_hours_month,
         advice_usd(a, k->time_usd_month), k->power_usd_month > 0 ? "costs" : "saves", advice_usd(b, fabs(k->power_usd_month)));
    if (k->verdict == MONEY_PAYBACK_WORTH || k->verdict == MONEY_PAYBACK_LATE)
        line("verdict", "%s: %s more pay back in %.1f months", cost_payback_text(k->verdict), advice_usd(a, k->price_diff_usd), k->months);
    else
        line("verdict", "%s", cost_payback_text(k->verdict));
    if (k->verdict != MONEY_PAYBACK_AT_ONCE && p->terms.training_hours_month <= 0)
        line("warning", "for inference alone the dearer card buys speed and memory, not money: see `tutti recommend --use inference`");
}

static bool compare(struct advice *v, struct cmd_opt *opts, const struct cost_answer *a, struct cost_pair *pair, struct err *err)
{
    const double train = advice_number(opts, "train-hours"), value = advice_number(opts, "hour-usd");
    const struct cost_pair_request r = { .a = advice_text(opts, "on"), .b = advice_text(opts, "against"), .a_usd = advice_number(opts, "usd"),
                                         .b_usd = advice_number(opts, "against-usd"), .training_hours_month = isnan(train) ? 0 : train,
                                         .inference_hours_month = a->use.busy_hours_year / MONEY_MONTHS_YEAR, .usd_per_hour_saved = isnan(value) ? 50 : value,
                                         .usd_per_kwh = a->terms.usd_per_kwh, .pue = a->terms.pue, .inference_speedup_a_over_b = NAN };
    return cost_compare(v->catalog, v->book, &r, pair, err);
}

static struct cost_request read_request(struct cmd_opt *opts)
{
    const double tps = advice_number(opts, "tps"), count = advice_number(opts, "count");
    return (struct cost_request){
        .on = advice_text(opts, "on"),
        .count = isnan(count) ? 1 : (int)count,
        .is_used = cmd_opt_find(opts, "used")->given,
        .usd = advice_number(opts, "usd"),
        .watts = advice_number(opts, "watts"),
        .idle_w = advice_number(opts, "idle-watts"),
        .host_usd = advice_number(opts, "host-usd"),
        .host_w = advice_number(opts, "host-watts"),
        .trains = cmd_opt_find(opts, "training")->given,
        .hours_day = advice_number(opts, "hours"),
        .on_hours_day = advice_number(opts, "on-hours"),
        .usd_per_kwh = advice_number(opts, "kwh"),
        .region = advice_text(opts, "region"),
        .sector = advice_text(opts, "sector"),
        .pue = advice_number(opts, "pue"),
        .maintenance_usd_year = advice_number(opts, "upkeep"),
        .years = advice_number(opts, "years"),
        .cloud = advice_text(opts, "cloud"),
        .cloud_usd_hour = advice_number(opts, "cloud-usd-h"),
        .peak_machines = advice_number(opts, "peak"),
        .peak_hours_year = advice_number(opts, "peak-hours"),
        .tg_tps = isnan(tps) ? plan_unknown() : plan_point(tps),
        .model = advice_text(opts, "model"),
        .tokens_day = advice_number(opts, "tokens-per-day"),
        .requests_month = advice_number(opts, "requests-per-month"),
        .requests_per_s = advice_number(opts, "requests-per-s"),
    };
}

static int run(int argc, char **argv, struct cmd_opt *opts)
{
    (void)argc, (void)argv;
    struct err err = { 0 };
    struct advice v;
    struct cost_answer a;
    struct cost_pair pair;
    if (!advice_text(opts, "on")) {
        fprintf(stderr, "tutti: cost: --on HARDWARE is wanted, a name as in `tutti catalog gpu`; see `tutti cost --help`\n");
        return 2;
    }
    if (!advice_open(&v, opts, &err))
        return cmd_fail(&err);
    const struct cost_request r = read_request(opts);
    const bool has_pair = advice_text(opts, "against");
    const char *html = advice_text(opts, "html");
    int rc = 1;
    if (cost_answer(v.catalog, v.book, &r, &a, &err) && (!has_pair || compare(&v, opts, &a, &pair, &err)) &&
        (!html || cost_write_page(&a, has_pair ? &pair : NULL, html, &err))) {
        rc = 0;
        if (cmd_opt_find(opts, "json")->given) {
            rc = cost_print_json(&a, has_pair ? &pair : NULL);
        } else if (!html || strcmp(html, "-") != 0) {
            print_basis(&a);
            rc = !print_tco(&a, &err);
            print_cloud(&a);
            if (!rc && a.has_cloud && cmd_opt_find(opts, "scenarios")->given)
                rc = !print_scenarios(&a, &err);
            print_tokens(&a);
            if (has_pair)
                print_against(&pair);
        }
    }
    if (err.code)
        cmd_fail(&err);
    advice_close(&v);
    return rc;
}

static struct cmd_opt opts[] = {
    { .name = "on", .kind = OPT_TEXT, .value = "HARDWARE", .help = "what is bought: 'rtx 4090', 'mac mini m4 32gb'" },
    { .name = "count", .kind = OPT_INT, .value = "N", .min = 1, .max = 1000, .help = "so many of it (default 1)" },
    { .name = "hours", .kind = OPT_FLOAT, .value = "H", .min = 0, .max = 24, .help = "hours of work a day (default 8)" },
    { .name = "on-hours", .kind = OPT_FLOAT, .value = "H", .min = 0, .max = 24, .help = "hours a day it is switched on (default: --hours)" },
    { .name = "training", .kind = OPT_FLAG, .help = "it trains: training power while it works" },
    { .name = "kwh", .kind = OPT_FLOAT, .value = "USD", .min = 0, .max = 10, .help = "electricity, USD per kWh" },
    { .name = "region", .kind = OPT_TEXT, .value = "R", .help = "electricity of a region: 'US: New York'" },
    { .name = "sector", .kind = OPT_TEXT, .value = "S", .help = "residential (default), commercial, industrial" },
    { .name = "pue", .kind = OPT_FLOAT, .value = "X", .min = 1, .max = 5, .help = "power with cooling / power (default 1)" },
    { .name = "upkeep", .kind = OPT_FLOAT, .value = "USD", .min = 0, .max = 1e9, .help = "maintenance a year (default 0)" },
    { .name = "years", .kind = OPT_FLOAT, .value = "N", .min = 0.25, .max = 20, .help = "written off over N years (default 3)" },
    { .name = "usd", .kind = OPT_FLOAT, .value = "USD", .min = 0, .max = 1e9, .help = "price of one (default: the catalog's)" },
    { .name = "used", .kind = OPT_FLAG, .help = "at the street price of a used one" },
    { .name = "watts", .kind = OPT_FLOAT, .value = "W", .min = 0, .max = 1e6, .help = "draw of one at work" },
    { .name = "idle-watts", .kind = OPT_FLOAT, .value = "W", .min = 0, .max = 1e6, .help = "draw of one when idle" },
    { .name = "host-usd", .kind = OPT_FLOAT, .value = "USD", .min = 0, .max = 1e9, .help = "price of the PC around it (default 0)" },
    { .name = "host-watts", .kind = OPT_FLOAT, .value = "W", .min = 0, .max = 1e6, .help = "draw of the PC around it (default 0)" },
    { .name = "cloud", .kind = OPT_TEXT, .value = "OFFER", .help = "a row of `tutti catalog cloud`" },
    { .name = "cloud-usd-h", .kind = OPT_FLOAT, .value = "USD", .min = 0, .max = 1e5, .help = "the rented hour instead" },
    { .name = "scenarios", .kind = OPT_FLAG, .help = "hobby, part-time, full-time, always on" },
    { .name = "peak", .kind = OPT_INT, .value = "N", .min = 0, .max = 32, .help = "so many more machines at peaks" },
    { .name = "peak-hours", .kind = OPT_FLOAT, .value = "H", .min = 0, .max = 8760, .help = "hours of peak a year" },
    { .name = "model", .kind = OPT_TEXT, .value = "M", .help = "predict its speed: 'llama 3.1 8b', a GGUF file" },
    { .name = "tps", .kind = OPT_FLOAT, .value = "N", .min = 0.001, .max = 1e7, .help = "tokens per second that it makes" },
    { .name = "tokens-per-day", .kind = OPT_FLOAT, .value = "N", .min = 0, .max = 1e15, .help = "sets the hours of work" },
    { .name = "requests-per-month", .kind = OPT_FLOAT, .value = "N", .min = 1, .max = 1e15, .help = "for the price of a request" },
    { .name = "requests-per-s", .kind = OPT_FLOAT, .value = "N", .min = 1e-6, .max = 1e9, .help = "that one machine can do" },
    { .name = "against", .kind = OPT_TEXT, .value = "HARDWARE", .help = "is the dearer of both worth it?" },
    { .name = "against-usd", .kind = OPT_FLOAT, .value = "USD", .min = 0, .max = 1e9, .help = "price of that one" },
    { .name = "train-hours", .kind = OPT_FLOAT, .value = "H", .min = 0, .max = 744, .help = "hours of training a month, for --against" },
    { .name = "hour-usd", .kind = OPT_FLOAT, .value = "USD", .min = 0, .max = 1e5, .help = "worth of an hour not waited (default 50)" },
    { .name = "catalog", .kind = OPT_TEXT, .value = "DIR", .help = "your own rows: DIR/gpu.csv, ... (see catalog)" },
    { .name = "json", .kind = OPT_FLAG, .help = "print JSON" },
    { .name = "html", .kind = OPT_TEXT, .value = "FILE", .help = "also write a page with pictures; - is stdout" },
    { 0 },
};
const struct cmd cmd_cost = {
    .name = "cost",
    .args = "",
    .help = "what hardware costs to own, to run, and rented",
    .more = "\nPurchase, power, cooling and upkeep over 3 and 5 years; the hours a year from\n"
            "which owning beats renting; dollars per TFLOPS, per million tokens, per request.\n"
            "Prices come from the catalog with their dates, or from you.\n"
            "  tutti cost --on 'rtx 4090' --hours 4 --kwh 0.12 --scenarios\n"
            "  tutti cost --on 'rtx 4090' --against 'rtx 4070' --train-hours 40\n"
            "The JSON is described in docs/json.md.\n",
    .opts = opts,
    .run = run,
};
