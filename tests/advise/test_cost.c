/* tests/advise/test_cost.c - the joined answer: where each figure is from, and that it is the right formula. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "advise/cost.h"
#include "test.h"

static struct cost_request asked(const char *on)
{
    return (struct cost_request){ .on = on, .count = 1, .usd = NAN, .watts = NAN, .idle_w = NAN, .host_usd = NAN, .host_w = NAN, .hours_day = NAN,
                                  .on_hours_day = NAN, .usd_per_kwh = 0.15, .pue = NAN, .maintenance_usd_year = NAN, .years = NAN, .cloud_usd_hour = NAN,
                                  .peak_machines = NAN, .peak_hours_year = NAN, .tg_tps = { NAN, NAN, NAN }, .tokens_day = NAN, .requests_month = NAN,
                                  .requests_per_s = NAN };
}
static bool near_to(double got, double want) { return fabs(got - want) <= 1e-9 * (1 + fabs(want)); }

struct book {
    struct catalog *c;
    struct price_book *b;
};
static struct book open_book(void)
{
    struct err err = { 0 };
    struct book k = { .c = catalog_new(NULL, &err) };
    k.b = k.c ? price_book_new(k.c, &err) : NULL;
    CHECK(k.b, "%s", err.text);
    return k;
}
static void close_book(struct book *k)
{
    price_book_free(k->b);
    catalog_free(k->c);
}

TEST(the_seeds_question_with_todays_prices)
{
    struct book k = open_book();
    struct err err = { 0 };
    struct cost_request r = asked("rtx 4090");
    struct cost_answer a;
    r.hours_day = 4;
    REQUIRE(cost_answer(k.c, k.b, &r, &a, &err));
    CHECK(a.price.kind == PRICE_NEW && a.rig.purchase_usd == 1900 && a.power.watts.source == PLAN_CATALOG && a.rig.busy_w == 280);
    CHECK(near_to(a.tco3.total_usd, 1900 + 0.28 * 0.15 * 4 * 365 * 3) && near_to(a.tco5.total_usd, 1900 + 0.28 * 0.15 * 4 * 365 * 5));
    REQUIRE(a.has_cloud);
    CHECK(!strstr(a.cloud.kind, "spot") && a.cloud.date[0], "an offer that stays: %s", a.cloud.kind);
    CHECK(near_to(a.breakeven_hours_year, 1900 / 3.0 / (a.cloud_usd_hour - 0.042)));
    CHECK(a.decision.choice == MONEY_CHOICE_OWN);
    CHECK(a.n_scenarios == 4 && !a.scenario[0].own_is_cheaper && a.scenario[3].own_is_cheaper);
    r.trains = true, r.pue = 1.3, r.maintenance_usd_year = 500, r.usd = 1500, r.cloud_usd_hour = 1.2, r.hours_day = 24;
    REQUIRE(cost_answer(k.c, k.b, &r, &a, &err));
    CHECK(a.price.kind == PRICE_GIVEN && fabs(a.breakeven_hours_year - 899) < 0.5 && fabs(a.owned_usd_hour - 0.202) < 0.0005, "the seed's figures, by the seed's inputs");
    close_book(&k);
}

TEST(watts_that_nobody_measured_are_derived_by_the_median_of_those_in_the_table)
{
    struct book k = open_book();
    struct err err = { 0 };
    const struct catalog_table *t = catalog_table(k.c, "power_card", &err);
    REQUIRE(t);
    double share[2][64], median[2];
    int n[2] = { 0 };
    for (int i = 0; i < catalog_n_rows(t) && n[0] < 64; i++) {
        const struct catalog_row *row = catalog_row(t, i);
        struct hardware hw;
        CHECK(hardware_find(k.c, catalog_text(row, "hardware"), &hw, &err), "%s", err.text);
        const double train = catalog_number(row, "training_w"), v[2] = { catalog_number(row, "inference_w") / train, catalog_number(row, "idle_w") / train };
        for (int j = 0; j < 2; j++) {
            if (isnan(v[j]))
                continue;
            int at = n[j]++;
            for (; at > 0 && share[j][at - 1] > v[j]; at--)
                share[j][at] = share[j][at - 1];
            share[j][at] = v[j];
        }
    }
    for (int j = 0; j < 2; j++)
        median[j] = (share[j][n[j] / 2] + share[j][(n[j] - 1) / 2]) / 2;
    CHECK(fabs(median[0] - hardware_inference_share) < 0.006 && fabs(median[1] - hardware_idle_share) < 0.006, "%g %g", median[0], median[1]);
    struct hardware hw;
    REQUIRE(hardware_find(k.c, "rtx a4000", &hw, &err));
    const struct watts w = hardware_watts(k.c, &hw);
    CHECK(w.source == PLAN_DERIVED && w.training_w == 140 && near_to(w.inference_w, 0.62 * 140));
    close_book(&k);
}

TEST(every_machine_has_a_chip_and_a_price)
{
    struct book k = open_book();
    struct err err = { 0 };
    const struct catalog_table *t = catalog_table(k.c, "machine", &err);
    REQUIRE(t);
    for (int i = 0; i < catalog_n_rows(t); i++) {
        struct hardware hw;
        CHECK(hardware_of(k.c, catalog_row(t, i), &hw, &err), "%s", err.text);
        const struct price p = price_of(k.b, catalog_row(t, i), false);
        CHECK(p.kind != PRICE_UNKNOWN && p.date[0] && catalog_number(catalog_row(t, i), "mem_gb") > 0, "%s", catalog_name(catalog_row(t, i)));
    }
    close_book(&k);
}

TEST(tokens_and_requests_set_the_hours_and_have_a_price)
{
    struct book k = open_book();
    struct err err = { 0 };
    struct cost_request r = asked("rtx 4090");
    struct cost_answer a;
    r.tg_tps = (struct plan_range){ 80, 100, 125 }, r.tokens_day = 720000;
    REQUIRE(cost_answer(k.c, k.b, &r, &a, &err));
    CHECK(a.hours_are_from_tokens && near_to(a.use.busy_hours_year, 2 * 365));
    CHECK(near_to(a.j_per_tok.mid, 2.8) && near_to(a.j_per_tok.low, 280 / 125.0) && near_to(a.owned_usd_mtok.mid, a.owned_usd_hour / 0.36));
    r.tokens_day = 1e9;
    CHECK(!cost_answer(k.c, k.b, &r, &a, &err) && strstr(err.text, "--count"), "%s", err.text);
    r = asked("rtx 4090"), r.requests_month = 1e6, r.requests_per_s = 5;
    REQUIRE(cost_answer(k.c, k.b, &r, &a, &err));
    CHECK(near_to(a.use.busy_hours_year, 1e6 * 365 / 30 / 5 / 3600) && near_to(a.owned_usd_request * 1e6 * 365 / 30, a.owned_usd_year));
    r = asked("rtx 4090"), r.tokens_day = 5;
    CHECK(!cost_answer(k.c, k.b, &r, &a, &err) && strstr(err.text, "speed"));
    r = asked("no such card");
    CHECK(!cost_answer(k.c, k.b, &r, &a, &err) && err.code == ERR_NOT_FOUND);
    r = asked("rtx 4090"), r.hours_day = 5, r.on_hours_day = 4;
    CHECK(!cost_answer(k.c, k.b, &r, &a, &err));
    close_book(&k);
}

/* Mistake 1 of seed 001, section 19: a 4090 for inference alone. */
TEST(the_4090_against_the_4070_whichever_way_round)
{
    struct book k = open_book();
    struct err err = { 0 };
    struct cost_pair_request r = { .a = "rtx 4090", .b = "rtx 4070", .a_usd = NAN, .b_usd = NAN, .inference_hours_month = 100, .usd_per_hour_saved = 50,
                                   .usd_per_kwh = 0.15, .pue = 1, .inference_speedup_a_over_b = NAN };
    struct cost_pair p, q;
    REQUIRE(cost_compare(k.c, k.b, &r, &p, &err));
    CHECK(strcmp(catalog_name(p.dear.row), "GeForce RTX 4090") == 0 && p.payback.verdict == MONEY_PAYBACK_NEVER);
    CHECK(fabs(p.terms.inference_speedup - 2.0) < 0.01 && fabs(p.terms.training_speedup - 2.83) < 0.01);
    const char *a = r.a;
    r.a = r.b, r.b = a;
    REQUIRE(cost_compare(k.c, k.b, &r, &q, &err));
    CHECK(q.dear.row == p.dear.row && q.payback.verdict == p.payback.verdict);
    r.training_hours_month = 40;
    REQUIRE(cost_compare(k.c, k.b, &r, &q, &err));
    CHECK(q.payback.verdict == MONEY_PAYBACK_WORTH && q.payback.months < 3);
    r.b = r.a;
    CHECK(!cost_compare(k.c, k.b, &r, &q, &err));
    /* any two of the table, priced or not: never a crash, never a NAN verdict that looks like one */
    const struct catalog_table *t = catalog_table(k.c, "gpu", &err);
    for (int i = 1; i < catalog_n_rows(t); i++) {
        r.a = catalog_name(catalog_row(t, i)), r.b = catalog_name(catalog_row(t, i - 1));
        err_clear(&err);
        if (cost_compare(k.c, k.b, &r, &q, &err))
            CHECK(q.payback.verdict == MONEY_PAYBACK_UNKNOWN || !isnan(q.payback.months), "%s and %s", r.a, r.b);
    }
    close_book(&k);
}
