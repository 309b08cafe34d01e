/* tests/plan/test_money.c - formulas of cost against figures worked out by hand; the seeds' own are in tests/seeds. */
#include <math.h>
#include <string.h>

#include "plan/money.h"
#include "test.h"

static bool near_to(double got, double want) { return fabs(got - want) <= 1e-9 * (1 + fabs(want)); }
static const struct money_terms HOME = { .usd_per_kwh = 0.20, .pue = 1, .maintenance_usd_year = 100, .years = 4 };
static const struct money_rig CARD = { .purchase_usd = 2000, .idle_w = 20, .busy_w = 300 };

TEST(a_year_costs_its_share_of_the_purchase_the_upkeep_and_the_power)
{
    const struct money_use use = { 1000, 5000 };
    CHECK(near_to(money_power_usd_year(&CARD, &HOME, &use), 0.3 * 1000 * 0.2 + 0.02 * 4000 * 0.2));
    CHECK(near_to(money_fixed_usd_year(&CARD, &HOME), 600));
    CHECK(near_to(money_owned_usd_year(&CARD, &HOME, &use), 676));
    CHECK(near_to(money_owned_usd_hour(&CARD, &HOME, &use), 0.676));
    CHECK(isinf(money_owned_usd_hour(&CARD, &HOME, &(struct money_use){ 0, 0 })));
    const struct money_tco c = money_tco(&CARD, &(struct money_terms){ 0.20, 1.5, 100, 4 }, &use);
    CHECK(near_to(c.power_usd, 76 * 4) && near_to(c.cooling_usd, 38 * 4) && near_to(c.maintenance_usd, 400) && near_to(c.total_usd, 2000 + 456 + 400));
    CHECK(near_to(c.power_frac, 456.0 / 2856) && near_to(c.power_hw_frac, 456.0 / 2456));
}

TEST(at_the_break_even_both_ways_cost_the_same)
{
    const double cloud[] = { 0.07, 0.2, 0.5, 3 };
    for (int i = 0; i < 4; i++)
        for (double on = 0; on <= 8760; on += 8760) {
            const double h = money_breakeven_hours(&CARD, &HOME, cloud[i], on);
            REQUIRE(h > 0 && isfinite(h));
            /* on all the time: the idle hours are those that are not busy, also when h is more than a year has */
            const double owned = money_fixed_usd_year(&CARD, &HOME) + h * money_power_usd_hour(300, &HOME) +
                                 (on > 0 ? (on - h) * money_power_usd_hour(20, &HOME) : 0);
            CHECK(near_to(owned, h * cloud[i]), "%g against %g", owned, h * cloud[i]);
        }
    CHECK(isinf(money_breakeven_hours(&CARD, &HOME, 0.06, 0)), "an hour's rent is an hour's power: never");
    CHECK(isinf(money_breakeven_hours(&CARD, &HOME, 0.01, 0)));
    /* 8760 h at 0.50 is 4380; power 525.6, upkeep 100: 2000 / 3754.4 of a year */
    CHECK(near_to(money_breakeven_months(&CARD, &HOME, &(struct money_use){ 8760, 8760 }, 0.5), 2000 / 3754.4 * 12));
    CHECK(isinf(money_breakeven_months(&CARD, &HOME, &(struct money_use){ 100, 100 }, 0.5)));
}

TEST(tokens_and_requests_have_a_price)
{
    CHECK(near_to(money_usd_per_mtok(0.36, 100), 1));
    CHECK(isinf(money_usd_per_mtok(0.36, 0)) && isinf(money_usd_per_mtok(INFINITY, 5)));
    CHECK(near_to(money_usd_per_request(3.6, 10), 1e-4));
    CHECK(near_to(money_requests_per_s(2592000), 1));
    CHECK(near_to(money_busy_hours_year(1e6, 200), 1e6 * 365 / 30 / 200 / 3600));
    CHECK(near_to(money_cloud_usd_per_tflops_hour(3, 990), 3.0 / 990));
    CHECK(near_to(money_usd_per_tflops(&CARD, &HOME, &(struct money_use){ 1000, 1000 }, 100, false), 20));
    CHECK(near_to(money_usd_per_tflops(&CARD, &HOME, &(struct money_use){ 1000, 1000 }, 100, true), 22.4));
}

TEST(what_is_unknown_or_senseless_stays_unknown)
{
    const struct money_use use = { 1000, 5000 };
    const double bad[] = { NAN, -1, INFINITY };
    for (int i = 0; i < 3; i++) {
        struct money_rig r = CARD;
        struct money_terms t = HOME;
        r.purchase_usd = bad[i];
        CHECK(isnan(money_owned_usd_year(&r, &t, &use)) && isnan(money_breakeven_hours(&r, &t, 1, 0)));
        CHECK(isnan(money_tco(&r, &t, &use).total_usd) && isnan(money_tco(&r, &t, &use).power_hw_frac));
        r = CARD, r.busy_w = bad[i];
        CHECK(isnan(money_owned_usd_year(&r, &t, &use)) && money_decide(&r, &t, &(double){ 500 }, 1, 1).choice == MONEY_CHOICE_UNKNOWN);
        t.pue = 0.5, r = CARD;
        CHECK(isnan(money_owned_usd_year(&r, &t, &use)));
        t = HOME, t.years = 0;
        CHECK(isnan(money_owned_usd_year(&r, &t, &use)));
        CHECK(isnan(money_usd_per_mtok(1, bad[i])) && isnan(money_usd_per_request(1, bad[i])));
        CHECK(isnan(money_breakeven_hours(&CARD, &HOME, bad[i], 0)));
        CHECK(money_power_weight(bad[i]) == MONEY_POWER_UNKNOWN);
    }
    CHECK(isnan(money_owned_usd_year(&CARD, &HOME, &(struct money_use){ 10, 5 })), "busy longer than on");
    struct money_rig no_idle = CARD;
    no_idle.idle_w = NAN;
    CHECK(!isnan(money_owned_usd_year(&no_idle, &HOME, &(struct money_use){ 10, 10 })), "an idle draw that is never drawn is not needed");
    CHECK(strcmp(money_power_advice((enum money_power)99), money_power_advice(MONEY_POWER_UNKNOWN)) == 0);
}

TEST(power_is_weighed_by_the_seeds_thresholds)
{
    CHECK(money_power_weight(0.15) == MONEY_POWER_MINOR && money_power_weight(0.151) == MONEY_POWER_SIGNIFICANT);
    CHECK(money_power_weight(0.30) == MONEY_POWER_SIGNIFICANT && money_power_weight(0.301) == MONEY_POWER_MAJOR);
}

TEST(payback_never_divides_by_zero)
{
    const struct money_pair dear = { 1500, 280, 450 }, cheap = { 600, 120, 200 };
    struct money_case c = { .training_speedup = 1.5, .inference_speedup = 1, .usd_per_hour_saved = 50, .usd_per_kwh = 0.15, .pue = 1, .life_months = 24 };
    struct money_payback p = money_payback(&dear, &cheap, &c);
    CHECK(p.verdict == MONEY_PAYBACK_NEVER && isinf(p.months), "no hours at all");
    c.inference_hours_month = 100;
    p = money_payback(&dear, &cheap, &c);
    CHECK(p.verdict == MONEY_PAYBACK_NEVER && near_to(p.power_usd_month, 2.4));
    c.training_hours_month = 2;
    p = money_payback(&dear, &cheap, &c);
    CHECK(p.verdict == MONEY_PAYBACK_LATE && p.months > 24 && isfinite(p.months), "%g", p.months);
    c.training_hours_month = 40;
    p = money_payback(&dear, &cheap, &c);
    CHECK(p.verdict == MONEY_PAYBACK_WORTH && near_to(p.time_usd_month, 40 * 50 / 3.0));
    CHECK(near_to(p.power_usd_month, 2.4 + 40 * 0.15 * (0.450 / 1.5 - 0.200)));
    p = money_payback(&cheap, &cheap, &c);
    CHECK(p.verdict == MONEY_PAYBACK_AT_ONCE && p.months == 0, "the same price and faster");
    c.training_speedup = 0;
    CHECK(money_payback(&dear, &cheap, &c).verdict == MONEY_PAYBACK_UNKNOWN);
    c.training_hours_month = 0;
    CHECK(money_payback(&dear, &cheap, &c).verdict == MONEY_PAYBACK_NEVER, "no training needs no training speed");
    CHECK(money_payback(&(struct money_pair){ NAN, 1, 1 }, &cheap, &c).verdict == MONEY_PAYBACK_UNKNOWN);
}

TEST(machines_that_work_enough_are_bought_and_the_rest_rented)
{
    double h[8];
    CHECK(money_spread_hours(2 * 8760 + 100, 2, 50, h, 8) == 5 && h[0] == 8760 && h[1] == 8760 && near_to(h[2], 100) && h[4] == 50);
    CHECK(money_spread_hours(0, 0, 0, h, 8) == 0 && money_spread_hours(1e9, 0, 0, h, 8) == 0 && money_spread_hours(5, 9, 1, h, 8) == 0);
    CHECK(money_spread_hours(8 * 8760.0, 0, 0, h, 8) == 8);
    /* break-even: 600 / (0.5 - 0.06) = 1364 h */
    struct money_decision d = money_decide(&CARD, &HOME, h, money_spread_hours(8760 + 900, 1, 200, h, 8), 0.5);
    CHECK(d.choice == MONEY_CHOICE_HYBRID && d.n_own == 1 && d.n_rent == 2 && !d.is_close);
    CHECK(d.mixed_usd_year <= d.own_usd_year && d.mixed_usd_year <= d.rent_usd_year);
    d = money_decide(&CARD, &HOME, (double[]){ 1300 }, 1, 0.5);
    CHECK(d.choice == MONEY_CHOICE_CLOUD && d.is_close);
    CHECK(money_decide(&CARD, &HOME, (double[]){ 4000 }, 1, 0.5).choice == MONEY_CHOICE_OWN);
    CHECK(money_decide(&CARD, &HOME, (double[]){ 8760 }, 1, 0.05).choice == MONEY_CHOICE_CLOUD);
    CHECK(strcmp(money_choice_name(d.choice), "cloud") == 0 && strcmp(money_choice_name((enum money_choice)77), "unknown") == 0);
    for (int i = 0; money_patterns[i].name; i++) {
        const struct money_scenario s = money_scenario(&CARD, &HOME, money_patterns[i].hours_year, 0.5);
        CHECK(s.own_is_cheaper == (money_patterns[i].hours_year > 600 / 0.44));
    }
}
