/* tests/rehearse/test_simulate.c - the rehearsal: every request ends once, joules add up, the same seed gives the same.
 *
 * SIM_WHOLE=1: the random fleets and the disasters in full length (some minutes); else short ones.
 */
#include "rehearse/simulate.h"
#include "test.h"

#include <math.h>
#include <string.h>

#include "base/buf.h"

static const char two[] = "nodes:\n"
                          "  - {name: here, distance: local, idle_w: 10, busy_w: 40, memory_free: 20 GB, truth: {limit_c: 90, c_per_w: 1}}\n"
                          "  - {name: there, rtt: 2ms, idle_w: 5, busy_w: 8, memory_free: 8 GB, truth: {limit_c: 80, c_per_w: 3, battery_wh: 30}}\n"
                          "experts:\n"
                          "  - {name: big, node: here, task: chat, params_b: 14, bits: 4.8, quality: 8.9, ctx: 8192, decode_tok_s: 6, prefill_tok_s: 60, parallel: 2, truth: {mmlu: 79, gain: 1.5}}\n"
                          "  - {name: small, node: there, task: chat, params_b: 3, bits: 4.8, quality: 5.4, ctx: 8192, decode_tok_s: 25, prefill_tok_s: 300, load: 2s, warm: false, truth: {mmlu: 65, speed: 0.7, device: gpu}}\n"
                          "  - {name: eyes, nodes: [here, there], task: detect, item: 30ms, quality: 5}\n";
static const char work[] = "simulate:\n"
                           "  requests: 2000\n"
                           "  arrivals: {process: poisson, per_s: 0.05}\n"
                           "  workload:\n"
                           "    - {name: chat, share: 3, task: chat, prompt_tok: 60, gen_tok: 100, max_gen_tok: 500, turns: 2}\n"
                           "    - {name: camera, share: 1, task: detect, items: 1, bytes: 100 kB}\n";

static struct sim *sim_of(const char *fleet, const char *simulate)
{
    struct err err = { 0 };
    struct buf b;
    buf_init(&b, 1 << 16);
    buf_puts(&b, fleet), buf_puts(&b, simulate);
    struct sim *s = sim_parse("test", b.data, b.len, NULL, &err);
    if (!s)
        test_fail(__FILE__, __LINE__, "sim_parse", " %s", err.text);
    buf_fini(&b);
    return s;
}
static struct sim_figures *run(const struct sim *s, enum sim_policy p, struct sim_options o)
{
    struct err err = { 0 };
    struct sim_figures *f = calloc(1, sizeof(*f));
    if (!f || !sim_run(s, p, &o, f, &err)) {
        test_fail(__FILE__, __LINE__, "sim_run", " %s", err.text);
        exit(1);
    }
    return f;
}
static void done(struct sim_figures *f)
{
    sim_figures_fini(f);
    free(f);
}
static uint64_t n_failed(const struct sim_figures *f)
{
    uint64_t n = 0;
    for (int i = 0; i < SIM_FAIL_COUNT; i++)
        n += f->n_failed[i];
    return n;
}
static void check_books(const struct sim *s, const struct sim_figures *f, const char *what)
{
    uint64_t n_in = 0, n_done = 0;
    double work_j = 0, experts_j = 0;
    CHECK(f->n_in == f->n_done + n_failed(f), "%s: %llu in, %llu done, %llu failed", what, (unsigned long long)f->n_in, (unsigned long long)f->n_done, (unsigned long long)n_failed(f));
    for (int k = 0; k < SIM_CLASSES_MAX; k++)
        n_in += f->classes[k].n_in, n_done += f->classes[k].n_done;
    CHECK(n_in == f->n_in && n_done == f->n_done, "%s: classes", what);
    CHECK(f->total.n == f->n_done && f->ttft.n == f->n_done, "%s: times", what);
    for (int n = 0; n < sim_world(s)->n_nodes; n++)
        work_j += f->nodes[n].work_joules;
    for (int c = 0; c < sim_world(s)->n; c++)
        experts_j += f->experts[c].joules;
    const double tiny = 1e-6 * (1 + work_j);
    CHECK(fabs(work_j - f->request_joules - f->load_joules) < tiny, "%s: nodes %g J, requests %g J, loading %g J", what, work_j, f->request_joules, f->load_joules);
    CHECK(fabs(work_j - experts_j) < tiny, "%s: nodes %g J, experts %g J", what, work_j, experts_j);
}

TEST(every_request_ends_once_and_every_joule_is_somebodys)
{
    struct sim *s = sim_of(two, work);
    REQUIRE(s);
    for (int p = 0; p < SIM_POLICY_COUNT; p++)
        for (uint64_t seed = 1; seed <= 2; seed++) {
            struct sim_figures *f = run(s, (enum sim_policy)p, (struct sim_options){ .seed = seed, .script = -1 });
            CHECK(f->n_in == 2000 && f->n_done > 1900, "%s: %llu done", sim_policy_name((enum sim_policy)p), (unsigned long long)f->n_done);
            check_books(s, f, sim_policy_name((enum sim_policy)p));
            done(f);
        }
    sim_free(s);
}

TEST(the_same_seed_gives_the_same_figures_and_another_one_others)
{
    struct sim *s = sim_of(two, work);
    REQUIRE(s);
    for (int p = 0; p < SIM_POLICY_COUNT; p++) {
        struct sim_figures *a = run(s, (enum sim_policy)p, (struct sim_options){ .seed = 7, .script = -1 });
        struct sim_figures *b = run(s, (enum sim_policy)p, (struct sim_options){ .seed = 7, .script = -1 });
        struct sim_figures *c = run(s, (enum sim_policy)p, (struct sim_options){ .seed = 8, .script = -1 });
        a->cpu_s = b->cpu_s = 0;
        const size_t n_nodes = (size_t)sim_world(s)->n_nodes, n_experts = (size_t)sim_world(s)->n;
        CHECK(memcmp(a->nodes, b->nodes, n_nodes * sizeof(*a->nodes)) == 0 && memcmp(a->experts, b->experts, n_experts * sizeof(*a->experts)) == 0, "%s", sim_policy_name((enum sim_policy)p));
        struct sim_figures rest = *b; /* all but the lists, which are each run's own */
        rest.nodes = a->nodes, rest.experts = a->experts;
        CHECK(memcmp(a, &rest, sizeof(*a)) == 0, "%s", sim_policy_name((enum sim_policy)p));
        CHECK(a->work_joules != c->work_joules, "%s", sim_policy_name((enum sim_policy)p));
        done(a), done(b), done(c);
    }
    sim_free(s);
}

TEST(all_policies_see_the_same_requests)
{
    struct sim *s = sim_of(two, work);
    REQUIRE(s);
    struct sim_figures *a = run(s, SIM_OURS, (struct sim_options){ .seed = 3, .script = -1 });
    for (int p = 1; p < SIM_POLICY_COUNT; p++) {
        struct sim_figures *b = run(s, (enum sim_policy)p, (struct sim_options){ .seed = 3, .script = -1 });
        CHECK(a->classes[0].n_in == b->classes[0].n_in && a->classes[1].n_in == b->classes[1].n_in, "%s", sim_policy_name((enum sim_policy)p));
        done(b);
    }
    done(a);
    sim_free(s);
}

TEST(a_fleet_that_nobody_asks_draws_what_it_draws_idle)
{
    struct sim *s = sim_of(two, "simulate:\n  requests: 1\n  arrivals: {per_s: 0.001}\n  workload: [{name: x, task: detect, items: 1}]\n");
    REQUIRE(s);
    struct sim_figures *f = run(s, SIM_OURS, (struct sim_options){ .seed = 1, .script = -1 });
    CHECK(f->n_done == 1);
    CHECK(fabs(f->idle_joules - 15 * f->end_s) < 1e-6 * f->idle_joules, "%g J in %g s", f->idle_joules, f->end_s);
    CHECK(f->work_joules < 40 * .1, "%g J", f->work_joules);
    done(f);
    sim_free(s);
}

TEST(one_request_alone_takes_what_was_described)
{
    /* 60 tokens at 60/s, then 99 at 6/s, on a machine of 40 W */
    struct sim *s = sim_of("nodes: [{name: here, idle_w: 10, busy_w: 40}]\n"
                           "experts: [{name: big, node: here, task: chat, quality: 6, ctx: 8192, decode_tok_s: 6, prefill_tok_s: 60, fixed: 0ms}]\n",
                           "simulate: {requests: 1, arrivals: {per_s: 0.01}, workload: [{name: x, task: chat, prompt_tok: 60, gen_tok: 100, spread: 0}]}\n");
    REQUIRE(s);
    struct sim_figures *f = run(s, SIM_ROUND_ROBIN, (struct sim_options){ .seed = 1, .script = -1 });
    CHECK(fabs(f->ttft.sum - 1) < 1e-9, "%g s", f->ttft.sum);
    CHECK(fabs(f->total.sum - 1 - 99 / 6.) < 1e-9, "%g s", f->total.sum);
    CHECK(fabs(f->work_joules - 40 * f->total.sum) < 1e-6, "%g J", f->work_joules);
    done(f);
    sim_free(s);
}

TEST(ten_times_too_much_is_refused_and_memory_stays_bounded)
{
    struct sim *s = sim_of(two, "simulate:\n  requests: 20000\n  arrivals: {per_s: 20}\n  workload: [{name: x, task: chat, prompt_tok: 60, gen_tok: 100}]\n");
    REQUIRE(s);
    for (int p = 0; p < SIM_POLICY_COUNT; p++) {
        struct sim_figures *f = run(s, (enum sim_policy)p, (struct sim_options){ .seed = 1, .script = -1 });
        check_books(s, f, sim_policy_name((enum sim_policy)p));
        CHECK(f->n_failed[SIM_FAIL_BUSY] > 15000 && f->n_flight_most <= 2 * SIM_QUEUE_MAX + 8, "%s: %llu busy, %llu at a time", sim_policy_name((enum sim_policy)p),
              (unsigned long long)f->n_failed[SIM_FAIL_BUSY], (unsigned long long)f->n_flight_most);
        CHECK(f->n_unjust == 0, "%s: %llu", sim_policy_name((enum sim_policy)p), (unsigned long long)f->n_unjust);
        done(f);
    }
    sim_free(s);
}

TEST(whoever_is_too_hot_is_slowed_and_cools_again)
{
    struct sim *s = sim_of("nodes: [{name: here, idle_w: 10, busy_w: 40, truth: {ambient_c: 20, limit_c: 60, c_per_w: 1, heat: 60s, throttled_speed: 0.5}}]\n"
                           "experts: [{name: big, node: here, task: chat, quality: 6, ctx: 8192, decode_tok_s: 6, prefill_tok_s: 60}]\n",
                           "simulate: {requests: 300, arrivals: {per_s: 0.05}, workload: [{name: x, task: chat, prompt_tok: 60, gen_tok: 100, spread: 0}]}\n");
    REQUIRE(s);
    struct sim_figures *f = run(s, SIM_ROUND_ROBIN, (struct sim_options){ .seed = 1, .script = -1 });
    CHECK(f->n_done == 300);
    CHECK(f->nodes[0].throttled_s > 100 && f->nodes[0].max_c >= 60 - 1e-3 && f->nodes[0].max_c < 61, "%g s, %g C", f->nodes[0].throttled_s, f->nodes[0].max_c);
    check_books(s, f, "hot");
    done(f);
    sim_free(s);
}

TEST(a_lost_machine_costs_nothing_but_time_when_another_one_can)
{
    struct sim *s = sim_of(two, "simulate:\n  requests: 3000\n  arrivals: {per_s: 0.15}\n  workload: [{name: x, task: chat, prompt_tok: 60, gen_tok: 60}]\n"
                                "  scripts:\n    away: [{at: 1000s, do: node-lost, node: here, for: 2000s}, {at: 5000s, do: node-lost, node: there, for: 1000s},\n"
                                "      {at: 7000s, do: node-lost, node: there, for: 20s}, {at: 7100s, do: node-lost, node: there, for: 20s}, {at: 7200s, do: node-lost, node: there, for: 20s},\n"
                                "      {at: 7300s, do: node-lost, node: there, for: 20s}, {at: 7400s, do: node-lost, node: there, for: 20s}, {at: 7500s, do: node-lost, node: there, for: 20s}]\n"
                                "    gone: [{at: 1000s, do: node-lost, node: here, for: 600s}, {at: 1100s, do: node-lost, node: there, for: 100s}]\n"
                                "    empty: [{at: 100s, do: unplug, node: there, for: 30000s}, {at: 101s, do: battery, node: there, to: 0.01}]\n");
    REQUIRE(s);
    struct sim_figures *f = run(s, SIM_OURS, (struct sim_options){ .seed = 1, .script = 0 });
    CHECK(n_failed(f) == 0 && f->n_retried > 0 && f->n_unjust == 0, "%llu failed", (unsigned long long)n_failed(f));
    check_books(s, f, "away");
    done(f);
    f = run(s, SIM_OURS, (struct sim_options){ .seed = 1, .script = 1 });
    CHECK(n_failed(f) > 0 && f->n_failed[SIM_FAIL_NOBODY] + f->n_failed[SIM_FAIL_LOST] == n_failed(f) && f->n_unjust == 0, "%llu failed", (unsigned long long)n_failed(f));
    CHECK(f->last_fail_s < 1202 + 2 && f->last_done_s > 10000, "%g", f->last_fail_s);
    check_books(s, f, "gone");
    done(f);
    f = run(s, SIM_OURS, (struct sim_options){ .seed = 1, .script = 2, .rate = 0.3f, .n_requests = 1000 });
    CHECK(n_failed(f) == 0 && f->nodes[1].up_s < 2000, "%llu failed, up %g s", (unsigned long long)n_failed(f), f->nodes[1].up_s);
    check_books(s, f, "empty");
    done(f);
    sim_free(s);
}

TEST(what_is_misspelt_or_impossible_is_said_with_its_line)
{
    static const struct {
        const char *text, *want;
    } bad[] = {
        { "simulate: {}\n", "workload" },
        { "", "no `simulate`" },
        { "simulate: {workload: [{name: x, task: chat}], arival: {}}\n", "arival" },
        { "simulate: {workload: [{name: x, task: chatt}]}\n", "is no task" },
        { "simulate: {workload: [{name: x}]}\n", "needs a name" },
        { "simulate: {workload: [{name: x, task: chat, share: 0}]}\n", "all 0" },
        { "simulate: {workload: [{name: x, task: chat}], arrivals: {process: sometimes}}\n", "poisson" },
        { "simulate: {workload: [{name: x, task: chat}], arrivals: {process: recorded}}\n", "come together" },
        { "simulate: {workload: [{name: x, task: chat}], arrivals: {process: recorded, file: x.jsonl}}\n", "may name no files" },
        { "simulate: {workload: [{name: x, task: chat}], events: [{at: 1s, do: heat, node: here}]}\n", "needs `to`" },
        { "simulate: {workload: [{name: x, task: chat}], events: [{at: 1s, do: node-lost, node: nowhere}]}\n", "there is no node" },
        { "simulate: {workload: [{name: x, task: chat}], events: [{at: 1s, do: expert-lost, expert: eyes}]}\n", "several" },
        { "simulate: {workload: [{name: x, task: chat}], events: [{at: 1s, do: unplug, node: here}]}\n", "no battery" },
        { "simulate: {workload: [{name: x, task: chat}], events: [{at: 1s, do: flood, to: 3}]}\n", "ends" },
        { "simulate: {workload: [{name: x, task: chat}], events: [{at: 1s, do: flood, node: here, to: 3, for: 1s}]}\n", "neither" },
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct err err = { 0 };
        struct buf b;
        buf_init(&b, 1 << 16);
        buf_puts(&b, two), buf_puts(&b, bad[i].text);
        struct sim *s = sim_parse("test", b.data, b.len, NULL, &err);
        CHECK(!s && strstr(err.text, bad[i].want), "%s: %s", bad[i].text, s ? "was taken" : err.text);
        sim_free(s);
        buf_fini(&b);
    }
}

TEST(made_up_fleets_can_be_read_and_keep_their_books)
{
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct err err = { 0 };
        struct buf b;
        buf_init(&b, 1 << 16);
        sim_random(seed, &b);
        struct sim *s = sim_parse("random", b.data, b.len, NULL, &err);
        REQUIRE(s, "%llu: %s", (unsigned long long)seed, err.text);
        struct sim_figures *f = run(s, seed % 2 ? SIM_OURS : SIM_LEAST_LOADED, (struct sim_options){ .seed = seed, .script = -1, .n_requests = 300 });
        check_books(s, f, "random");
        done(f);
        sim_free(s);
        buf_fini(&b);
    }
}

/* More than one decision looks at: the router's shortlist, rivals over everybody. */
TEST(two_thousand_machines_keep_their_books_and_the_same_seed_gives_the_same)
{
    static const char many[] = "nodes:\n"
                               "  - {name: door, distance: local, idle_w: 10, busy_w: 40, memory_free: 20 GB}\n"
                               "  - {name: pi, count: 1500, idle_w: 3, busy_w: 7, memory_free: 6 GB, truth: {limit_c: 85, c_per_w: 5, flap_every: 4000s, flap_for: 60s}}\n"
                               "  - {name: jetson, count: 499, idle_w: 5, busy_w: 9, memory_free: 6 GB}\n"
                               "experts:\n"
                               "  - {name: big, node: jetson, task: chat, params_b: 7, bits: 4.8, quality: 7.5, ctx: 8192, decode_tok_s: 14, prefill_tok_s: 180}\n"
                               "  - {name: small, nodes: [pi, door], task: chat, params_b: 1.5, bits: 4.8, quality: 4.3, ctx: 4096, decode_tok_s: 10, prefill_tok_s: 60}\n"
                               "  - {name: eyes, nodes: [pi], task: detect, item: 30ms, quality: 5}\n";
    static const char load[] = "simulate:\n"
                               "  requests: 1500\n"
                               "  patience: 5s\n"
                               "  arrivals: {process: poisson, per_s: 20}\n"
                               "  events: [{at: 20s, for: 30s, do: node-lost, node: pi-7}]\n"
                               "  workload:\n"
                               "    - {name: chat, share: 1, task: chat, prompt_tok: 60, gen_tok: 100, max_gen_tok: 500, turns: 2}\n"
                               "    - {name: camera, share: 1, task: detect, items: 1, bytes: 100 kB}\n";
    struct sim *s = sim_of(many, load);
    REQUIRE(s && sim_world(s)->n_nodes == 2000 && sim_world(s)->n == 499 + 1501 + 1500);
    for (int p = 0; p <= SIM_LEAST_LOADED; p++) {
        struct sim_figures *a = run(s, (enum sim_policy)p, (struct sim_options){ .seed = 5, .script = -1 });
        check_books(s, a, sim_policy_name((enum sim_policy)p));
        CHECK(a->n_in == 1500 && a->n_unjust == 0, "%s: %llu, %llu unjust", sim_policy_name((enum sim_policy)p), (unsigned long long)a->n_in, (unsigned long long)a->n_unjust);
        if (p == SIM_OURS) {
            struct sim_figures *b = run(s, SIM_OURS, (struct sim_options){ .seed = 5, .script = -1 });
            CHECK(a->n_right == b->n_right && a->work_joules == b->work_joules && a->end_s == b->end_s && n_failed(a) == 0);
            done(b);
        }
        done(a);
    }
    sim_free(s);
}
