/* route/simulate_brain.c - what the production router has beyond the policy, in a simulation: corrections and the bandit.
 *
 * For:     simulate.c; rivals have none of it.
 * Rule:    learns from what a router sees (times, tokens, failures, checks), never from the hidden truth.
 */
#include <stdlib.h>
#include <string.h>

#include "route/bandit.h"
#include "route/predict.h"
#include "route/simulate_internal.h"

struct sim_brain {
    struct predictor *predictor;
    struct bandit *bandit;
};

static const float exploration = .05f; /* bandit.h: a careful start */

struct sim_brain *sim_brain_new(const struct sim *s, uint64_t seed, struct err *err)
{
    struct sim_brain *b = calloc(1, sizeof(*b));
    (void)s;
    if (!b)
        return err_null(err, ERR_NOMEM, "simulate: out of memory");
    if (!(b->predictor = predictor_new(err)) || !(b->bandit = bandit_new(seed, exploration, err))) {
        sim_brain_free(b);
        return NULL;
    }
    return b;
}

void sim_brain_free(struct sim_brain *b)
{
    if (!b)
        return;
    predictor_free(b->predictor);
    bandit_free(b->bandit);
    free(b);
}

const struct predictor *sim_brain_predictor(const struct sim_brain *b) { return b ? b->predictor : NULL; }
const struct bandit *sim_brain_bandit(const struct sim_brain *b) { return b ? b->bandit : NULL; }

void sim_brain_tick(struct sim_engine *e) { (void)e; }

float sim_brain_share(const struct sim_engine *e, int c, bool of_batch)
{
    (void)e, (void)c, (void)of_batch;
    return 1;
}

/* As trip.c does: what is left over after queue and loading, and the rest as if it had said as much as was expected. */
void sim_brain_seen(struct sim_engine *e, const struct sim_flight *q, bool was_rejected)
{
    struct sim_brain *b = e->brain;
    const struct route_guess *g = &q->guess;
    const int slot = e->seen[q->c].slot;
    struct bandit_context context;
    if (!b)
        return;
    const double rtt_s = (double)e->world.nodes[e->world.list[q->c].node].rtt_s;
    const double said = q->a.truth.gen_tok, expected = (double)q->a.rq.gen_tok;
    const double share = e->s->classes[q->a.cls].is_text && said > 8 && expected > 1 ? (expected - 1) / (said - 1) : 1;
    const double rest_s = (e->now_s - q->first_s) * share;
    predictor_observe(b->predictor, slot, PREDICT_TTFT, g->ttft_s - g->queue_s - g->load_s, (float)(q->first_s - q->begun_s + rtt_s));
    if (said > 8 || !e->s->classes[q->a.cls].is_text)
        predictor_observe(b->predictor, slot, PREDICT_DECODE, g->total_s - g->ttft_s, (float)rest_s);
    const float busy_s = g->busy_s - g->load_s;
    if (busy_s > 0)
        predictor_observe(b->predictor, slot, PREDICT_JOULES, g->joules * busy_s / g->busy_s, (float)(q->attempt_joules * (share * (e->now_s - q->first_s) + q->first_s - q->begun_s) / (e->now_s - q->begun_s)));
    bandit_context_of(&q->a.rq, &context);
    if (q->is_checked) /* the only outcome that says something of the answer */
        bandit_observe(b->bandit, slot, &context, was_rejected ? 0 : 1, g->p_good);
}

void sim_brain_broke(struct sim_engine *e, int c) { (void)e, (void)c; }
