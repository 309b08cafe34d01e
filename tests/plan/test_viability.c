/* tests/plan/test_viability.c - seed 002's levels, exactly at their edges. */
#include <math.h>
#include <string.h>

#include "plan/speed.h"
#include "plan/viability.h"
#include "test.h"

TEST(levels_change_exactly_at_the_thresholds)
{
    static const struct {
        int prompt, gen;
        double pp, tg;
        enum plan_viability want;
    } cases[] = {
        { 1000, 100, 200.01, 10.01, PLAN_INTERACTIVE }, { 1000, 100, 200, 10.01, PLAN_BACKGROUND } /* 5 s is not less than 5 s */,
        { 1000, 100, 200.01, 10, PLAN_BACKGROUND },     { 1000, 1000, 10, 5, PLAN_BACKGROUND } /* 300 s */,
        { 1000, 1001, 10, 5, PLAN_OFFLINE },            { 0, 28800, 1, 1, PLAN_OFFLINE },
        { 0, 28801, 1, 1, PLAN_NOT_VIABLE },            { 10, 10, 0, 50, PLAN_NOT_VIABLE },
        { 10, 10, 100, (double)NAN, PLAN_NOT_VIABLE },  { 10, 1 << 20, 1e6, 10.5, PLAN_INTERACTIVE } /* the seed asks the rate, not the end */,
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        CHECK(plan_viability_of(cases[i].prompt, cases[i].gen, cases[i].pp, cases[i].tg) == cases[i].want, "case %zu: %s", i,
              plan_viability_name(plan_viability_of(cases[i].prompt, cases[i].gen, cases[i].pp, cases[i].tg)));
}

/* Seed 002's table of configurations: what its own rates give by its own levels (a tick is interactive or background there). */
TEST(the_seeds_configurations_by_the_seeds_levels)
{
    static const struct {
        const char *what;
        double pp, tg;
        enum plan_viability uc[4];
    } rows[] = {
        { "Threadripper 7970X", 223, 14, { PLAN_INTERACTIVE, PLAN_BACKGROUND, PLAN_BACKGROUND, PLAN_INTERACTIVE } },
        { "Threadripper 7970X + RTX PRO 6000", 5126, 81, { PLAN_INTERACTIVE, PLAN_INTERACTIVE, PLAN_INTERACTIVE, PLAN_INTERACTIVE } },
        { "Ryzen 9 9950X", 125, 8, { PLAN_BACKGROUND, PLAN_BACKGROUND, PLAN_OFFLINE, PLAN_BACKGROUND } },
        { "Ryzen 9 9950X + RTX 5090", 4787, 65, { PLAN_INTERACTIVE, PLAN_INTERACTIVE, PLAN_INTERACTIVE, PLAN_INTERACTIVE } },
        { "Ryzen AI MAX+ PRO 395", 84, 11, { PLAN_BACKGROUND, PLAN_BACKGROUND, PLAN_BACKGROUND, PLAN_INTERACTIVE } },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        for (int u = 0; u < PLAN_USE_CASES; u++) {
            const enum plan_viability got = plan_viability_of(plan_use_cases[u].n_prompt, plan_use_cases[u].n_gen, rows[i].pp, rows[i].tg);
            CHECK(got == rows[i].uc[u], "%s, %s: %s", rows[i].what, plan_use_cases[u].name, plan_viability_name(got));
        }
}

TEST(use_cases_are_four_of_the_nine_localscore_tests)
{
    const struct plan_workload nine = plan_workload_localscore();
    for (int u = 0; u < PLAN_USE_CASES; u++) {
        int found = 0;
        for (int i = 0; i < nine.n_tests; i++)
            found += nine.test[i].n_prompt == plan_use_cases[u].n_prompt && nine.test[i].n_gen == plan_use_cases[u].n_gen;
        CHECK(found == 1, "%s", plan_use_cases[u].name);
    }
}
