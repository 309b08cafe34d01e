/* tests/route/test_policy.c - who may, what it counts, who wins: rules before scores, sums that are exact, order that makes sense. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "expert/job.h"
#include "route/bandit.h"
#include "route/policy_settings.h"
#include "route/predict.h"
#include "test.h"

/* ---- random worlds ---- */

static float between(float low, float high) { return low + (high - low) * .5f * (test_rand_f32() + 1); }
static int below(int n) { return (int)(test_rand_u64() % (uint64_t)n); }
static bool coin(void) { return test_rand_u64() & 1; }

struct world {
    struct route_node nodes[8];
    struct candidate list[40];
    struct candidates all;
};

static void make_world(struct world *w)
{
    memset(w, 0, sizeof(*w));
    const int n_nodes = 1 + below(8), n = 1 + below(40);
    for (int i = 0; i < n_nodes; i++) {
        struct route_node *d = &w->nodes[i];
        snprintf(d->name, sizeof(d->name), "n%d", i);
        d->distance = (enum expert_privacy)below(EXPERT_PRIVACY_COUNT);
        d->is_up = below(8) > 0;
        d->rtt_s = between(0, .2f), d->link_bytes_s = coin() ? INFINITY : between(1e5f, 1e9f);
        d->usd_per_kwh = coin() ? NAN : between(0, 1);
        d->headroom_c = coin() ? NAN : between(-5, 40);
        d->is_throttled = below(8) == 0;
        d->battery_frac = coin() ? NAN : between(0, 1), d->on_battery = coin();
        for (int k = 0; k < ROUTE_CLASS_COUNT; k++)
            d->step[k] = (uint8_t)(below(3) ? 0 : below(4));
    }
    for (int i = 0; i < n; i++) {
        static const unsigned tasks[] = { EXPERT_CHAT | EXPERT_COMPLETE, EXPERT_CHAT, EXPERT_DETECT, EXPERT_TRANSCRIBE, EXPERT_SPEAK, EXPERT_EMBED };
        struct candidate *c = &w->list[i];
        snprintf(c->expert, sizeof(c->expert), "e%d", i);
        c->node = below(n_nodes), c->slot = i;
        c->tasks = tasks[below(3) ? 0 : below(6)], c->cls = route_class_of(c->tasks);
        c->sees = coin(), c->hears = below(4) == 0, c->knows_tools = coin();
        c->privacy = (enum expert_privacy)below(EXPERT_PRIVACY_COUNT);
        c->quality = below(5) ? between(1, 10) : 0;
        c->n_ctx = coin() ? 0 : 1 << (8 + below(10));
        c->step = (uint8_t)below(4);
        c->fixed_s = between(0, .5f), c->prefill_tok_s = coin() ? between(10, 5000) : 0, c->decode_tok_s = coin() ? between(1, 200) : 0;
        c->item_s = between(0, 1), c->sound_s_s = between(0, 1), c->load_s = between(0, 20);
        c->busy_w = coin() ? NAN : between(0, 400);
        c->usd_per_mtok_in = coin() ? 0 : between(0, 10), c->usd_per_mtok_out = coin() ? 0 : between(0, 30);
        c->is_up = below(8) > 0, c->is_warm = coin();
        c->n_running = below(4), c->n_waiting = below(4), c->n_parallel = 1 + below(4), c->wait_s = coin() ? NAN : between(0, 10);
        c->prefix_tok = coin() ? 0 : (uint32_t)below(4000);
    }
    w->all = (struct candidates){ .nodes = w->nodes, .n_nodes = n_nodes, .list = w->list, .n = n };
}

struct asked {
    struct features features;
    struct intent_answer intent;
    struct expert_wish wish;
    struct route_request rq;
};

static void make_request(struct asked *a)
{
    memset(a, 0, sizeof(*a));
    a->features.is_private = below(6) == 0;
    a->intent.best = (enum intent)below(INTENT_COUNT), a->intent.difficulty = between(0, 1), a->intent.degrade_ok = coin();
    a->wish.security = (enum wish_security)(below(3) ? 0 : below(3));
    a->wish.deadline_s = coin() ? 0 : between(.1f, 60), a->wish.ttft_s = coin() ? 0 : between(.05f, 5);
    a->wish.budget_usd = below(4) ? 0 : between(0, .01f), a->wish.budget_joules = below(4) ? 0 : between(0, 2000);
    a->wish.quality = below(5) ? 0 : between(1, 9), a->wish.no_degrade = below(5) == 0;
    a->rq = (struct route_request){ .task = EXPERT_CHAT, .goal = (enum route_goal)below(ROUTE_GOAL_COUNT), .wish = &a->wish, .features = &a->features, .intent = &a->intent,
                                    .prompt_tok = (uint64_t)below(4000), .gen_tok = (uint64_t)below(800), .max_gen_tok = coin() ? 0 : (uint64_t)below(1000),
                                    .n_items = below(4) ? 0 : 1, .n_bytes = (uint64_t)below(1 << 20), .needs_sight = below(6) == 0, .needs_hearing = below(10) == 0,
                                    .needs_tools = below(5) == 0, .minute_of_day = below(1440) };
    if (below(6) == 0)
        a->rq.task = EXPERT_DETECT, a->rq.intent = NULL;
    if (below(12) == 0)
        a->rq.task = EXPERT_TRANSCRIBE, a->rq.intent = NULL, a->rq.sound_s = between(0, 100);
}

/* The hard rules once more, in the test's own words. */
static bool may(const struct world *w, const struct asked *a, int i, const uint64_t *tried)
{
    const struct candidate *c = &w->list[i];
    const struct route_node *n = &w->nodes[c->node];
    const bool is_text = a->rq.task == EXPERT_CHAT;
    enum expert_privacy far = EXPERT_CLOUD;
    if (a->features.is_private || a->wish.security == WISH_LAN)
        far = EXPERT_LAN;
    if (a->wish.security == WISH_LOCAL || a->rq.goal == ROUTE_PRIVATE)
        far = EXPERT_LOCAL;
    if (!(c->tasks & (unsigned)a->rq.task) || c->privacy > far || n->distance > far || !c->is_up || !n->is_up || (tried && (tried[i / 64] >> (i % 64) & 1)))
        return false;
    if (is_text && ((a->rq.needs_sight && !c->sees) || (a->rq.needs_hearing && !c->hears) || (a->rq.needs_tools && !c->knows_tools)))
        return false;
    if (is_text && c->n_ctx && a->rq.prompt_tok + (a->rq.gen_tok ? a->rq.gen_tok : 1) > (uint64_t)c->n_ctx)
        return false;
    return !(a->wish.quality > 0 && c->quality < a->wish.quality);
}

TEST(hard_rules_hold_in_any_world_terms_add_up_and_the_same_question_has_the_same_answer)
{
    struct err err = { 0 };
    struct policy *p = policy_new(&err);
    struct bandit *b = bandit_new(7, 1, &err);
    static struct route_decision d, again, plain;
    struct world w;
    struct asked a;
    for (int round = 0; round < (getenv("TEST_QUICK") ? 400 : 4000); round++) {
        make_world(&w);
        make_request(&a);
        const uint64_t tried[4] = { coin() ? 0 : test_rand_u64() & test_rand_u64() };
        struct bandit_context context;
        bandit_context_of(&a.rq, &context);
        for (int k = 0; k < 20; k++) /* whatever was learned, wrong things too */
            bandit_observe(b, below(40), &context, below(2), between(0, 1));
        policy_decide(p, NULL, b, &a.rq, &w.all, tried, &d);
        policy_decide(p, NULL, b, &a.rq, &w.all, tried, &again);
        policy_decide(p, NULL, NULL, &a.rq, &w.all, tried, &plain);
        CHECK(d.n == w.all.n && d.n_able == plain.n_able && d.n_able == again.n_able);
        int n_able = 0;
        for (int i = 0; i < d.n; i++) {
            const struct route_verdict *v = &d.verdicts[i];
            const bool is_able = v->rule == ROUTE_RULE_NONE || v->is_forgiven;
            int64_t sum = 0;
            for (int t = 0; t < ROUTE_TERM_COUNT; t++)
                sum += v->term_us[t];
            CHECK(sum == v->score_us, "%lld %lld", (long long)sum, (long long)v->score_us);
            CHECK(!is_able || may(&w, &a, i, tried), "%s came back through %s", w.list[i].expert, route_rule_name(v->rule));
            CHECK(!v->is_forgiven || !route_rule_is_hard(v->rule));
            CHECK(v->rule == plain.verdicts[i].rule && v->is_forgiven == plain.verdicts[i].is_forgiven);
            CHECK(memcmp(v->term_us, again.verdicts[i].term_us, sizeof(v->term_us)) == 0);
            CHECK(llabs(v->term_us[ROUTE_TERM_LEARNED]) <= (int64_t)(.2001 * (double)llabs(sum - v->term_us[ROUTE_TERM_LEARNED] - v->term_us[ROUTE_TERM_PROMOTION])) + 2);
            n_able += is_able;
        }
        CHECK(n_able == d.n_able);
        for (int k = 0; k + 1 < d.n_able; k++)
            CHECK(d.verdicts[d.order[k]].score_us <= d.verdicts[d.order[k + 1]].score_us);
        CHECK(memcmp(d.order, again.order, (size_t)d.n_able * sizeof(d.order[0])) == 0);
        CHECK(!d.is_small_first || (d.promotion >= 0 && d.promotion != d.order[0] &&
                                    d.verdicts[d.promotion].guess.p_good > d.verdicts[d.order[0]].guess.p_good));
    }
    bandit_free(b);
    policy_free(p);
}
