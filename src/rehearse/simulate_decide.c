/* rehearse/simulate_decide.c - one decision of a rehearsal: by the production policy, or what a simple policy chooses by.
 *
 * For:     simulate_ask.c.
 * Rule:    a world that one decision can look at whole is looked at whole.  Of a larger one the production policy sees the router's own
 *          shortlist (route/shortlist.h, docs/decisions/0017-*.md); rivals see everybody, with the policy's own predictions and rules.
 */
#include "route/policy_settings.h"
#include "route/predict.h"
#include "route/rules.h"
#include "rehearse/simulate_internal.h"

void sim_bar(uint64_t *barred, int c) { barred[c / 64] |= (uint64_t)1 << (c % 64); }
static bool is_barred(const uint64_t *barred, int c) { return barred && (barred[c / 64] >> (c % 64) & 1); }
static bool is_barred_candidate(const void *barred, const struct candidate *c) { return is_barred(barred, c->slot); }

/* Predictions and rules for everybody, no choice. */
static void judge_all(struct sim_engine *e, const struct route_request *rq, const uint64_t *barred)
{
    struct ask a;
    ask_of(&a, e->s->policy, rq);
    for (int c = 0; c < e->world.n; c++) {
        const struct candidate *k = &e->seen[c];
        const struct route_node *n = &e->nodes_seen[k->node];
        struct route_verdict *v = &e->verdicts[c];
        predict(sim_brain_predictor(e->brain), rq, n, k, e->s->policy->setting[POLICY_ELECTRICITY], &v->guess);
        v->rule = rules_first(&a, k, n, &v->guess, is_barred(barred, c));
        v->is_forgiven = false;
    }
}

/* The policy over the shortlist; its verdicts of those. */
static void decide_short(struct sim_engine *e, const struct route_request *rq, const uint64_t *barred)
{
    const struct candidates *w = shortlist_make(e->shortlist, e->s->policy, sim_brain_predictor(e->brain), rq, &e->world, is_barred_candidate, barred);
    uint64_t tried[ROUTE_CANDIDATES_MAX / 64] = { 0 };
    for (int i = 0; i < w->n; i++)
        if (is_barred(barred, w->list[i].slot))
            sim_bar(tried, i);
    policy_decide(e->s->policy, sim_brain_predictor(e->brain), sim_brain_bandit(e->brain), rq, w, tried, &e->decision);
    for (int i = 0; i < e->decision.n; i++)
        e->verdicts[w->list[i].slot] = e->decision.verdicts[i];
    e->best = e->decision.n_able ? w->list[e->decision.order[0]].slot : -1;
}

void sim_decide(struct sim_engine *e, struct sim_flight *q, const uint64_t *barred, bool of_all)
{
    const struct sim_class *k = sim_class_of(e, q);
    struct route_request *rq = &q->a.rq;
    int cached = -1;
    rq->features = &q->a.features;
    rq->intent = k->is_text ? &q->a.intent : NULL;
    rq->wish = &k->wish;
    if (q->a.is_follow_up && (cached = e->last_at[q->a.cls][q->a.session]) >= 0)
        e->seen[cached].prefix_tok = (uint32_t)(rq->prompt_tok - q->a.features.turn_tok);
    if (!e->s->is_large) {
        policy_decide(e->s->policy, sim_brain_predictor(e->brain), sim_brain_bandit(e->brain), rq, &e->world, barred, &e->decision);
        e->best = e->decision.n_able ? e->decision.order[0] : -1;
    } else if (of_all || e->policy != SIM_OURS) {
        judge_all(e, rq, barred);
        e->best = -1;
    } else
        decide_short(e, rq, barred);
    if (cached >= 0)
        e->seen[cached].prefix_tok = 0;
}
