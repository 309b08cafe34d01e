/* tests/rehearse/test_simulate_fleets.c - the production policy against round-robin and least-loaded over 20 made-up fleets.
 *
 * "Never worse at equal quality" is: at one setting of the user's dial (how many requests count as difficult, what a wrong answer costs)
 * the answers are at least as often right as the rival's, failures counting as wrong, and joules of work x 95th percentile of the
 * whole time is at most the rival's.  No allowance for noise: all see the same requests.  The rivals choose among those whom no hard
 * rule excludes (simulate_rival.c).
 *
 * SIM_WHOLE=1: 10,000 requests for each instead of 2,500; prints a line for each fleet.
 */
#include "route/policy_settings.h"
#include "rehearse/simulate.h"
#include "test.h"

#include <math.h>
#include <string.h>

#include "base/buf.h"

enum { FLEETS = 20, RIVALS = 2 };
static const struct dial {
    float share, wrong; /* times the shipped difficult_share and weight of a wrong answer */
} dials[] = { { 1, 1 }, { .7f, .4f }, { .4f, .15f }, { .1f, .07f }, { .04f, .033f } };
enum { DIALS = sizeof(dials) / sizeof(dials[0]) };
static const enum sim_policy rivals[RIVALS] = { SIM_ROUND_ROBIN, SIM_LEAST_LOADED };

static double cost_of(const struct sim_figures *f) { return f->work_joules * sim_hist_at(&f->total, .95); }
/* From one dial to the next. */
static void turn(struct sim *s, const struct dial *from, const struct dial *to)
{
    struct policy *p = sim_policy(s);
    p->setting[POLICY_DIFFICULT_SHARE] *= to->share / from->share;
    p->weight[ROUTE_BALANCED][POLICY_WEIGHT_WRONG] *= to->wrong / from->wrong;
    policy_settle(p);
}

TEST(never_worse_than_round_robin_or_least_loaded_at_equal_quality_on_20_made_up_fleets)
{
    const bool is_whole = getenv("SIM_WHOLE") != NULL;
    static struct sim_figures theirs[RIVALS], ours[DIALS];
    int n_at_shipped = 0;
    for (uint64_t seed = 1; seed <= FLEETS; seed++) {
        const struct sim_options o = { .seed = 1, .script = -1, .n_requests = is_whole ? 10000 : 2500 };
        struct err err = { 0 };
        struct buf b;
        buf_init(&b, 1 << 16);
        sim_random(seed, &b);
        struct sim *s = sim_parse("random", b.data, b.len, NULL, &err);
        buf_fini(&b);
        REQUIRE(s, "%llu: %s", (unsigned long long)seed, err.text);
        for (int r = 0; r < RIVALS; r++)
            REQUIRE(sim_run(s, rivals[r], &o, &theirs[r], &err), "%s", err.text);
        int n_runs = 0;
        for (int r = 0; r < RIVALS; r++) {
            int d = 0;
            for (; d < DIALS; d++) {
                if (d == n_runs) {
                    turn(s, &dials[d ? d - 1 : 0], &dials[d]);
                    REQUIRE(sim_run(s, SIM_OURS, &o, &ours[d], &err), "%s", err.text);
                    n_runs++;
                }
                if (sim_quality(&ours[d]) >= sim_quality(&theirs[r]) && cost_of(&ours[d]) <= cost_of(&theirs[r]))
                    break;
            }
            CHECK(d < DIALS, "fleet %llu, %s: %.1f %% right at %.3g J s; ours %.1f %% at %.3g ... %.1f %% at %.3g", (unsigned long long)seed, sim_policy_name(rivals[r]),
                  100 * sim_quality(&theirs[r]), cost_of(&theirs[r]), 100 * sim_quality(&ours[0]), cost_of(&ours[0]), 100 * sim_quality(&ours[DIALS - 1]), cost_of(&ours[DIALS - 1]));
            n_at_shipped += d == 0;
            if (is_whole && d < DIALS)
                printf("# fleet %2llu, %-12s %5.1f %% right, %6.2f s at p95, %7.1f J each; tutti (dial %d) %5.1f %%, %6.2f s, %7.1f J: x%.3f\n", (unsigned long long)seed,
                       sim_policy_name(rivals[r]), 100 * sim_quality(&theirs[r]), sim_hist_at(&theirs[r].total, .95), theirs[r].work_joules / (double)theirs[r].n_in, d,
                       100 * sim_quality(&ours[d]), sim_hist_at(&ours[d].total, .95), ours[d].work_joules / (double)ours[d].n_in, cost_of(&ours[d]) / cost_of(&theirs[r]));
        }
        sim_free(s);
    }
    for (int r = 0; r < RIVALS; r++)
        sim_figures_fini(&theirs[r]);
    for (int d = 0; d < DIALS; d++)
        sim_figures_fini(&ours[d]);
    printf("# as shipped: %d of %d\n", n_at_shipped, FLEETS * RIVALS);
}
