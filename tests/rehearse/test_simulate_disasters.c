/* tests/rehearse/test_simulate_disasters.c - fifty things that go wrong (disasters.yaml) in the cluster of the seeds: nobody fails who could have been
 * served, and service returns.
 *
 * Seventy minutes each, four requests a minute.  SIM_WHOLE=1: sixteen a minute, and two seeds.
 */
#include "rehearse/simulate.h"
#include "test.h"

#include <math.h>
#include <string.h>

enum { DISASTERS = 50, OVER_S = 50 * 60 /* everything in the file is over by then, but what is for good */, RETURN_S = 600 };

TEST(fifty_disasters_fail_nobody_who_could_have_been_served_and_service_returns)
{
    const bool is_whole = getenv("SIM_WHOLE") != NULL;
    static struct sim_figures f;
    struct err err = { 0 };
    uint64_t n_failed_all = 0;
    struct sim *s = sim_read("examples/fleets/seeds.yaml", &err);
    REQUIRE(s, "%s", err.text);
    REQUIRE(sim_add_scripts(s, "tests/rehearse/disasters.yaml", &err), "%s", err.text);
    CHECK(sim_n_scripts(s) == DISASTERS, "%d", sim_n_scripts(s));
    for (int i = 0; i < sim_n_scripts(s); i++)
        for (uint64_t seed = 1; seed <= (is_whole ? 2 : 1); seed++) {
            const char *name = sim_script_name(s, i);
            const struct sim_options o = { .seed = seed, .script = i, .until_s = OVER_S + 2 * RETURN_S, .rate = is_whole ? 16 : 4 };
            REQUIRE(sim_run(s, SIM_OURS, &o, &f, &err), "%s: %s", name, err.text);
            uint64_t n_failed = 0;
            for (int k = 0; k < SIM_FAIL_COUNT; k++)
                n_failed += f.n_failed[k];
            CHECK(f.n_in == f.n_done + n_failed, "%s", name);
            CHECK(f.n_unjust == 0, "%s: %llu failed though somebody able was free", name, (unsigned long long)f.n_unjust);
            CHECK(f.last_fail_s < OVER_S + RETURN_S && f.last_done_s > OVER_S + RETURN_S, "%s: the last failure after %g s, the last answer after %g s", name, f.last_fail_s, f.last_done_s);
            n_failed_all += n_failed;
            if (is_whole)
                printf("# %-26s %4llu of %llu done, %llu nobody, %llu busy, %llu late, %llu lost; %llu retried, %llu hedged, %llu degraded, %llu steps of governors\n", name, (unsigned long long)f.n_done,
                       (unsigned long long)f.n_in, (unsigned long long)f.n_failed[SIM_FAIL_NOBODY], (unsigned long long)f.n_failed[SIM_FAIL_BUSY], (unsigned long long)f.n_failed[SIM_FAIL_LATE],
                       (unsigned long long)f.n_failed[SIM_FAIL_LOST], (unsigned long long)f.n_retried, (unsigned long long)f.n_hedged, (unsigned long long)f.n_degraded, (unsigned long long)f.n_transitions);
        }
    printf("# %llu failed in all, each with nobody able up or all of them taken\n", (unsigned long long)n_failed_all);
    sim_figures_fini(&f);
    sim_free(s);
}

TEST(least_energy_or_latency_than_always_the_big_model_at_two_per_cent_of_quality)
{
    const bool is_quick = getenv("TEST_QUICK") != NULL; /* fewer requests, more noise */
    static struct sim_figures ours, big;
    struct err err = { 0 };
    struct sim *s = sim_read("examples/fleets/seeds.yaml", &err);
    REQUIRE(s, "%s", err.text);
    const struct sim_options o = { .seed = 1, .script = -1, .n_requests = is_quick ? 8000 : 50000 };
    REQUIRE(sim_run(s, SIM_OURS, &o, &ours, &err) && sim_run(s, SIM_ALWAYS_BIG, &o, &big, &err), "%s", err.text);
    const double energy = ours.work_joules / big.work_joules, p95 = sim_hist_at(&ours.total, .95) / sim_hist_at(&big.total, .95), loss = 1 - sim_quality(&ours) / sim_quality(&big);
    CHECK((energy <= .6 || p95 <= .5) && loss <= (is_quick ? .03 : .02), "energy x%.2f, p95 x%.2f, quality %.1f %% less", energy, p95, 100 * loss);
    printf("# energy x%.2f, p95 x%.2f, quality %.1f %% less\n", energy, p95, 100 * loss);
    sim_figures_fini(&ours), sim_figures_fini(&big);
    sim_free(s);
}
