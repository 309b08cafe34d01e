/* tests/fuzz/fuzz_policy.c - policies and fleets: whatever is read can be written and reads the same, and whatever world it is, a decision ends. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "route/fleet.h"
#include "route/policy_yaml.h"
#include "route/predict.h"

static void try_policy(const char *text, size_t n)
{
    struct err err = { 0 };
    struct policy *p = policy_parse("f.yaml", text, n, &err);
    struct buf b;
    if (!p)
        return;
    buf_init(&b, 1 << 20);
    policy_put_yaml(p, true, &b);
    struct policy *q = policy_parse("g.yaml", b.data, b.len, &err);
    if (!q || memcmp(p->weight, q->weight, sizeof(p->weight)) != 0 || memcmp(p->setting, q->setting, sizeof(p->setting)) != 0 || p->n_quiet != q->n_quiet)
        abort();
    policy_free(q);
    policy_free(p);
    buf_fini(&b);
}

static void try_fleet(const char *text, size_t n)
{
    static struct catalog *catalog;
    static struct policy *policy;
    static struct route_decision d;
    struct err err = { 0 };
    if (!catalog && (!(catalog = catalog_new(NULL, &err)) || !(policy = policy_new(&err))))
        abort();
    struct fleet *f = fleet_parse("f.yaml", text, n, catalog, NULL, &err);
    if (!f)
        return;
    const struct candidates world = fleet_world(f);
    const struct features features = { .prompt_tok = 50, .turn_tok = 50 };
    const struct intent_answer intent = { .difficulty = .3f };
    for (int i = 0; i < EXPERT_TASK_COUNT; i++) {
        struct route_request rq;
        route_request_of(&rq, (enum expert_task)(1 << i), (enum route_goal)(i % ROUTE_GOAL_COUNT), NULL, &features, i < 2 ? &intent : NULL, 0);
        rq.n_items = 1, rq.sound_s = 3;
        policy_decide(policy, NULL, NULL, &rq, &world, NULL, &d);
        for (int k = 0; k < d.n; k++) {
            int64_t sum = 0;
            for (int t = 0; t < ROUTE_TERM_COUNT; t++)
                sum += d.verdicts[k].term_us[t];
            if (sum != d.verdicts[k].score_us)
                abort();
        }
    }
    fleet_free(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    try_policy((const char *)data, size);
    try_fleet((const char *)data, size);
    return 0;
}
