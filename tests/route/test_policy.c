/* tests/route/test_policy.c - who may, what it counts, who wins: rules before scores, sums that are exact, order that makes sense. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
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
            CHECK(llabs(v->term_us[ROUTE_TERM_LEARNED]) <= (int64_t)(.1001 * (double)llabs(sum - v->term_us[ROUTE_TERM_LEARNED] - v->term_us[ROUTE_TERM_PROMOTION])) + 2);
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

/* ---- one thing at a time ---- */

static struct policy *preset(void)
{
    struct err err = { 0 };
    return policy_new(&err);
}

/* A small, a middle and a large model on one machine of the house, and a provider. */
static void house(struct world *w)
{
    static const struct {
        const char *name;
        float quality, decode, busy_w;
    } of[] = { { "small", 4, 40, 10 }, { "middle", 6.5f, 20, 30 }, { "large", 8.2f, 10, 120 }, { "far", 9, 60, 0 } };
    memset(w, 0, sizeof(*w));
    for (int i = 0; i < 2; i++)
        w->nodes[i] = (struct route_node){ .distance = i ? EXPERT_CLOUD : EXPERT_LOCAL, .is_up = true, .rtt_s = i ? .1f : 0, .link_bytes_s = INFINITY, .usd_per_kwh = NAN,
                                           .headroom_c = NAN, .battery_frac = NAN };
    snprintf(w->nodes[0].name, sizeof(w->nodes[0].name), "here");
    snprintf(w->nodes[1].name, sizeof(w->nodes[1].name), "there");
    for (int i = 0; i < 4; i++) {
        struct candidate *c = &w->list[i];
        *c = (struct candidate){ .node = i == 3, .slot = i, .tasks = EXPERT_CHAT, .privacy = i == 3 ? EXPERT_CLOUD : EXPERT_LOCAL, .quality = of[i].quality, .n_ctx = 8192,
                                 .prefill_tok_s = 20 * of[i].decode, .decode_tok_s = of[i].decode, .busy_w = i == 3 ? NAN : of[i].busy_w, .is_up = true, .is_warm = true,
                                 .n_parallel = 1, .wait_s = NAN };
        snprintf(c->expert, sizeof(c->expert), "%s", of[i].name);
    }
    w->list[3].usd_per_mtok_in = 2.5f, w->list[3].usd_per_mtok_out = 10;
    w->all = (struct candidates){ .nodes = w->nodes, .n_nodes = 2, .list = w->list, .n = 4 };
}

static void question(struct asked *a, float difficulty)
{
    memset(a, 0, sizeof(*a));
    a->intent.difficulty = difficulty, a->intent.degrade_ok = difficulty < .6f;
    a->features.turn_tok = 200;
    a->rq = (struct route_request){ .task = EXPERT_CHAT, .wish = &a->wish, .features = &a->features, .intent = &a->intent, .prompt_tok = 200, .gen_tok = 160 };
}

static const struct route_decision *decide(const struct world *w, const struct asked *a, const struct policy *p)
{
    static struct route_decision d;
    policy_decide(p, NULL, NULL, &a->rq, &w->all, NULL, &d);
    return &d;
}
static const char *winner(const struct world *w, const struct asked *a, const struct policy *p)
{
    const struct route_decision *d = decide(w, a, p);
    return d->n_able ? w->list[d->order[0]].expert : "nobody";
}

TEST(goals_differ_in_whom_they_choose)
{
    struct policy *p = preset();
    struct world w;
    struct asked a;
    house(&w);
    question(&a, .3f);
    a.rq.goal = ROUTE_BEST;
    CHECK(strcmp(winner(&w, &a, p), "far") == 0, "%s", winner(&w, &a, p));
    a.rq.goal = ROUTE_CHEAP;
    CHECK(strcmp(winner(&w, &a, p), "small") == 0, "%s", winner(&w, &a, p));
    a.rq.goal = ROUTE_FAST;
    const struct route_decision *d = decide(&w, &a, p);
    for (int k = 1; k < d->n_able; k++)
        CHECK(d->verdicts[d->order[0]].guess.total_s <= d->verdicts[d->order[k]].guess.total_s + 1);
    a.rq.goal = ROUTE_PRIVATE;
    CHECK(decide(&w, &a, p)->verdicts[3].rule == ROUTE_RULE_PRIVACY && decide(&w, &a, p)->early == 0 /* airgap */);
    policy_free(p);
}

TEST(each_wish_is_kept)
{
    struct policy *p = preset();
    struct world w;
    struct asked a;
    house(&w);
    question(&a, .9f);
    a.wish.security = WISH_LOCAL;
    CHECK(decide(&w, &a, p)->verdicts[3].rule == ROUTE_RULE_PRIVACY);
    a.wish.security = WISH_SECURITY_NONE, a.features.is_private = true;
    CHECK(decide(&w, &a, p)->verdicts[3].rule == ROUTE_RULE_PRIVACY);
    question(&a, .3f);
    a.wish.budget_usd = 1e-4f;
    CHECK(decide(&w, &a, p)->verdicts[3].rule == ROUTE_RULE_BUDGET);
    a.wish.budget_usd = 0, a.wish.budget_joules = 100;
    CHECK(decide(&w, &a, p)->verdicts[2].rule == ROUTE_RULE_BUDGET && decide(&w, &a, p)->verdicts[3].rule == ROUTE_RULE_NONE); /* not known passes */
    a.wish.budget_joules = 0, a.wish.quality = 7;
    CHECK(decide(&w, &a, p)->verdicts[1].rule == ROUTE_RULE_TIER && decide(&w, &a, p)->n_able == 2);
    a.wish.quality = 0, a.wish.deadline_s = 5;
    CHECK(decide(&w, &a, p)->verdicts[2].rule == ROUTE_RULE_DEADLINE && decide(&w, &a, p)->verdicts[0].rule == ROUTE_RULE_NONE);
    /* nobody is in time: a late answer is better than none, and no hard rule is forgiven with it */
    a.wish.deadline_s = .001f, a.wish.security = WISH_LOCAL;
    const struct route_decision *d = decide(&w, &a, p);
    CHECK(d->n_able == 3 && d->verdicts[d->order[0]].is_forgiven && d->verdicts[3].rule == ROUTE_RULE_PRIVACY && !d->verdicts[3].is_forgiven);
    question(&a, .3f);
    a.rq.prompt_tok = 8100;
    CHECK(decide(&w, &a, p)->verdicts[0].rule == ROUTE_RULE_CONTEXT && decide(&w, &a, p)->n_able == 0);
    policy_free(p);
}

TEST(an_objective_for_the_first_word_counts_against_those_who_miss_it)
{
    struct policy *p = preset();
    struct world w;
    struct asked a;
    house(&w);
    question(&a, .3f);
    const int64_t before = decide(&w, &a, p)->verdicts[2].term_us[ROUTE_TERM_TTFT];
    a.wish.ttft_s = .5f;
    const struct route_decision *d = decide(&w, &a, p);
    CHECK(d->verdicts[2].term_us[ROUTE_TERM_TTFT] == before + (int64_t)(3 * (d->verdicts[2].guess.ttft_s - .5f) * 1e6f + .5f));
    CHECK(d->verdicts[0].guess.ttft_s < .5f);
    policy_free(p);
}

TEST(quiet_hours_hold_over_midnight_and_are_forgiven_last_but_the_ladder)
{
    struct policy *p = preset();
    struct world w;
    struct asked a;
    house(&w);
    question(&a, .3f);
    p->quiet[p->n_quiet++] = (struct policy_quiet){ .from_minute = 22 * 60, .to_minute = 7 * 60, .max_busy_w = 20 };
    a.rq.minute_of_day = 23 * 60;
    const struct route_decision *d = decide(&w, &a, p);
    CHECK(d->verdicts[1].rule == ROUTE_RULE_QUIET && d->verdicts[2].rule == ROUTE_RULE_QUIET && d->verdicts[0].rule == ROUTE_RULE_NONE && d->verdicts[3].rule == ROUTE_RULE_NONE);
    a.rq.minute_of_day = 6 * 60 + 59;
    CHECK(decide(&w, &a, p)->verdicts[2].rule == ROUTE_RULE_QUIET);
    a.rq.minute_of_day = 7 * 60;
    CHECK(decide(&w, &a, p)->verdicts[2].rule == ROUTE_RULE_NONE);
    a.rq.minute_of_day = 0;
    w.list[0].is_up = w.list[3].is_up = false;
    d = decide(&w, &a, p);
    CHECK(d->n_able == 2 && d->verdicts[1].is_forgiven && !d->verdicts[0].is_forgiven);
    w.nodes[0].step[ROUTE_CLASS_LLM] = 1, w.list[2].step = 1; /* middle is above what the governor allows: large, too quiet-breaking, comes back alone */
    d = decide(&w, &a, p);
    CHECK(d->n_able == 1 && d->order[0] == 2 && d->verdicts[1].rule == ROUTE_RULE_LADDER);
    policy_free(p);
}

TEST(the_governors_step_excludes_and_who_wants_no_less_gets_nobody)
{
    struct policy *p = preset();
    struct world w;
    struct asked a;
    house(&w);
    question(&a, .3f);
    w.all.n = 3;
    w.nodes[0].step[ROUTE_CLASS_LLM] = 2;
    w.list[0].step = 2, w.list[1].step = 1, w.list[2].step = 0;
    CHECK(strcmp(winner(&w, &a, p), "small") == 0 && decide(&w, &a, p)->verdicts[1].rule == ROUTE_RULE_LADDER);
    a.wish.no_degrade = true;
    CHECK(decide(&w, &a, p)->n_able == 0);
    w.nodes[0].step[ROUTE_CLASS_LLM] = 0;
    CHECK(decide(&w, &a, p)->n_able == 3);
    policy_free(p);
}

TEST(small_first_where_a_bigger_one_can_still_follow)
{
    struct policy *p = preset();
    struct world w;
    struct asked a;
    house(&w);
    w.all.n = 3;
    question(&a, .2f);
    const struct route_decision *d = decide(&w, &a, p);
    CHECK(d->is_small_first && d->order[0] != 2 && d->promotion == 2, "%s", winner(&w, &a, p));
    CHECK(d->verdicts[d->order[0]].term_us[ROUTE_TERM_PROMOTION] < 0 && d->verdicts[2].term_us[ROUTE_TERM_PROMOTION] == 0);
    a.wish.deadline_s = 18; /* the large one alone takes 16.4 s */
    CHECK(!decide(&w, &a, p)->is_small_first);
    a.wish.deadline_s = 0, a.rq.goal = ROUTE_BEST;
    CHECK(!decide(&w, &a, p)->is_small_first);
    const uint64_t tried[1] = { 1 << 2 };
    static struct route_decision after;
    a.rq.goal = ROUTE_BALANCED;
    policy_decide(p, NULL, NULL, &a.rq, &w.all, tried, &after);
    CHECK(after.verdicts[2].rule == ROUTE_RULE_TRIED && after.n_able == 2);
    policy_free(p);
}

TEST(short_easy_questions_go_to_small_models_difficult_ones_to_better_ones)
{
    struct policy *p = preset();
    struct world w;
    struct asked a;
    house(&w);
    question(&a, .2f);
    a.rq.prompt_tok = 20, a.rq.max_gen_tok = 100, a.rq.gen_tok = 100;
    const struct route_decision *d = decide(&w, &a, p);
    CHECK(d->early == 3 && d->verdicts[1].rule == ROUTE_RULE_EARLY && d->order[0] == 0);
    w.list[0].is_up = false; /* no small one: the others may after all */
    CHECK(decide(&w, &a, p)->n_able == 3);
    w.list[0].is_up = true;
    a.intent.difficulty = .9f, a.intent.degrade_ok = false;
    d = decide(&w, &a, p);
    CHECK(d->is_difficult && d->early < 0 && d->verdicts[0].rule == ROUTE_RULE_DIFFICULT && d->order[0] == 3);
    /* the user's threshold */
    p->setting[POLICY_DIFFICULT_SHARE] = .05f;
    policy_settle(p);
    CHECK(fabsf(p->difficulty_cut - .95f) < 1e-6f && !decide(&w, &a, p)->is_difficult);
    p->setting[POLICY_QUALITY_TARGET] = .99f; /* out of reach: all is difficult */
    policy_settle(p);
    CHECK(p->difficulty_cut == 0);
    p->setting[POLICY_QUALITY_TARGET] = .8f;
    policy_settle(p);
    CHECK(p->difficulty_cut > .2f && p->difficulty_cut < 1, "%g", (double)p->difficulty_cut);
    policy_free(p);
}

TEST(slower_hotter_or_dearer_never_scores_better)
{
    struct policy *p = preset();
    static struct route_decision before, after;
    struct world w;
    struct asked a;
    for (int round = 0; round < (getenv("TEST_QUICK") ? 600 : 6000); round++) {
        make_world(&w);
        make_request(&a);
        const int i = below(w.all.n);
        struct candidate *c = &w.list[i];
        struct route_node *n = &w.nodes[c->node];
        policy_decide(p, NULL, NULL, &a.rq, &w.all, NULL, &before);
        const int how = below(11);
        switch (how) {
        case 0: c->decode_tok_s = c->decode_tok_s > 0 ? c->decode_tok_s * between(.1f, 1) : 0; break;
        case 1: c->prefill_tok_s = c->prefill_tok_s > 0 ? c->prefill_tok_s * between(.1f, 1) : 0; break;
        case 2: c->fixed_s += between(0, 5); break;
        case 3: c->load_s += between(0, 20); break;
        case 4: c->wait_s += between(0, 20); break;
        case 5: c->busy_w *= between(1, 4); break;
        case 6: c->usd_per_mtok_out += between(0, 20); break;
        case 7: n->headroom_c -= between(0, 20); break;
        case 8: n->is_throttled = true; break;
        case 9: n->battery_frac *= between(0, 1); break;
        case 10: c->prefix_tok /= 2; break;
        }
        policy_decide(p, NULL, NULL, &a.rq, &w.all, NULL, &after);
        const struct route_verdict *x = &before.verdicts[i], *y = &after.verdicts[i];
        const bool was_able = x->rule == ROUTE_RULE_NONE, is_able = y->rule == ROUTE_RULE_NONE;
        CHECK(!is_able || was_able, "change %d made it able", how);
        if (was_able && is_able) /* whole microseconds; floats of some seconds are exact to one part in 2^24 */
            CHECK(y->score_us + 2 + llabs(y->score_us) / (1 << 20) >= x->score_us, "change %d: %lld became %lld", how, (long long)x->score_us, (long long)y->score_us);
    }
    policy_free(p);
}

TEST(names_are_there_for_people_and_the_reason_fits_a_line)
{
    struct policy *p = preset();
    struct world w;
    struct asked a;
    char why[400];
    house(&w);
    question(&a, .2f);
    for (int i = 0; i < ROUTE_RULE_COUNT; i++)
        CHECK(*route_rule_name((enum route_rule)i) && *route_rule_why((enum route_rule)i));
    for (int i = 0; i < ROUTE_TERM_COUNT; i++)
        CHECK(*route_term_name((enum route_term)i) && *route_term_what((enum route_term)i));
    enum route_goal g;
    CHECK(route_goal_by_name("", &g) && g == ROUTE_BALANCED && route_goal_by_name("cheap", &g) && g == ROUTE_CHEAP && !route_goal_by_name("chaep", &g));
    for (size_t max = 0; max < sizeof(why); max += 7) {
        memset(why, 'x', sizeof(why));
        policy_put_why(&a.rq, &w.all, decide(&w, &a, p), why, max);
        CHECK(!max || memchr(why, '\0', max));
    }
    w.all.n = 0;
    policy_put_why(&a.rq, &w.all, decide(&w, &a, p), why, sizeof(why));
    CHECK(strcmp(why, "there are no experts") == 0);
    policy_free(p);
}

BENCH(decide_among_fifty)
{
    struct policy *p = preset();
    static struct route_decision d;
    struct world w;
    struct asked a;
    house(&w);
    question(&a, .2f);
    static struct candidate list[50];
    for (int i = 0; i < 50; i++)
        list[i] = w.list[i % 4], list[i].slot = i, list[i].decode_tok_s += (float)i;
    w.all.list = list, w.all.n = 50;
    uint64_t best_ns = UINT64_MAX;
    for (int i = 0; i < 20000; i++) {
        const uint64_t begin_ns = clock_ns();
        policy_decide(p, NULL, NULL, &a.rq, &w.all, NULL, &d);
        const uint64_t ns = clock_ns() - begin_ns;
        best_ns = ns < best_ns ? ns : best_ns;
    }
    printf("# %llu ns\n", (unsigned long long)best_ns);
    policy_free(p);
}
