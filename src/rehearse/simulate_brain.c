/* rehearse/simulate_brain.c - what the production router has beyond the policy, in a simulation: corrections, bandit, governors.
 *
 * For:     simulate.c; rivals have none of it.
 * Rule:    learns from what a router sees (times, tokens, failures, checks), never from the hidden truth.  Every machine of the house
 *          has a governor of its own, which turns once a second of virtual time.
 */
#include <stdlib.h>
#include <string.h>

#include "catalog/catalog.h"
#include "route/bandit.h"
#include "route/governor.h"
#include "route/predict.h"
#include "rehearse/simulate_internal.h"

struct sim_brain {
    struct predictor *predictor;
    struct bandit *bandit;
    struct ladders *ladders;
    /* by node; owned */
    struct governor *governors;
    struct governor_input *inputs; /* counts since the last tick */
    struct telemetry *last;   /* as it was at the last step */
    int *n_same;              /* steps that changed nothing since then */
};


struct sim_brain *sim_brain_new(const struct sim *s, uint64_t seed, struct err *err)
{
    struct sim_brain *b = calloc(1, sizeof(*b));
    struct catalog *catalog = catalog_new(NULL, err);
    const size_t n_nodes = (size_t)s->world.n_nodes;
    bool ok = b && catalog && (b->governors = calloc(n_nodes, sizeof(*b->governors))) && (b->inputs = calloc(n_nodes, sizeof(*b->inputs))) &&
              (b->last = calloc(n_nodes, sizeof(*b->last))) && (b->n_same = calloc(n_nodes, sizeof(*b->n_same)));
    if (!ok)
        err_set(err, ERR_NOMEM, "simulate: out of memory");
    ok = ok && (b->predictor = predictor_new(err)) && (b->bandit = bandit_new(seed, BANDIT_EXPLORATION, err)) && (b->ladders = ladders_new(catalog, err));
    for (int n = 0; ok && n < s->world.n_nodes; n++)
        governor_init(&b->governors[n], b->ladders);
    catalog_free(catalog);
    if (ok)
        return b;
    sim_brain_free(b);
    return NULL;
}

void sim_brain_free(struct sim_brain *b)
{
    if (!b)
        return;
    predictor_free(b->predictor);
    bandit_free(b->bandit);
    ladders_free(b->ladders);
    free(b->governors), free(b->inputs), free(b->last), free(b->n_same);
    free(b);
}

const struct predictor *sim_brain_predictor(const struct sim_brain *b) { return b ? b->predictor : NULL; }
const struct bandit *sim_brain_bandit(const struct sim_brain *b) { return b ? b->bandit : NULL; }

void sim_brain_place(struct sim_engine *e)
{
    for (int c = 0; e->brain && c < e->world.n; c++)
        ladder_place(e->brain->ladders, &e->nodes_seen[e->seen[c].node], &e->seen[c]);
}

/* ---- governing ---- */

static bool has_governor(const struct sim_engine *e, int n) { return e->brain && e->world.nodes[n].distance != EXPERT_CLOUD; }

float sim_brain_share(const struct sim_engine *e, int c, bool of_batch)
{
    const struct candidate *k = &e->world.list[c];
    if (!has_governor(e, k->node))
        return 1;
    const struct governor_limits *l = &e->brain->governors[k->node].now[k->cls];
    return of_batch ? l->batch : l->threads;
}

static void read_sensors(const struct sim_engine *e, int n, struct telemetry *t)
{
    const struct route_node *seen = &e->nodes_seen[n];
    const float total = (float)e->s->nodes[n].memory_bytes;
    *t = telemetry_unknown();
    t->temperature_c = seen->temperature_c;
    t->headroom_c = seen->headroom_c;
    t->power_w = seen->power_w;
    t->battery_frac = seen->battery_frac;
    t->on_battery = seen->on_battery;
    t->memory_total_bytes = isinf(total) ? NAN : total;
    t->memory_free_bytes = isinf(total) ? NAN : seen->memory_free_bytes;
    t->slow = seen->is_throttled ? TELEMETRY_SLOW_HEAT : 0;
}

static bool is_same(float a, float b, float within) { return isnan(a) ? isnan(b) : fabsf(a - b) <= within; }

/* Full service, and nothing that a governor reads has changed for longer than it waits for anything: a step would do nothing. */
static bool is_settled(struct sim_brain *b, int n, const struct telemetry *t)
{
    enum { LONG = 65 };
    const struct governor_input *in = &b->inputs[n];
    const struct telemetry *was = &b->last[n];
    const float calm_c = b->ladders->rules[GOVERNOR_HEAT].calm;
    bool is_still = !t->on_battery && was->on_battery == t->on_battery && was->slow == t->slow && is_same(t->memory_free_bytes, was->memory_free_bytes, 0) &&
                    (is_same(t->headroom_c, was->headroom_c, .02f) || (t->headroom_c > calm_c && was->headroom_c > calm_c));
    for (int k = 0; k < ROUTE_CLASS_COUNT; k++)
        is_still = is_still && !in->cls[k].n_late && !in->cls[k].n_faults && !b->governors[n].now[k].is_limited;
    b->n_same[n] = is_still ? b->n_same[n] + 1 : 0;
    return b->n_same[n] > LONG;
}

void sim_brain_tick(struct sim_engine *e)
{
    struct governor_transition moved[GOVERNOR_TRANSITIONS_MAX];
    struct telemetry t;
    const uint64_t now_ns = 1 + (uint64_t)(e->now_s * 1e9);
    for (int n = 0; n < e->world.n_nodes; n++) {
        if (!has_governor(e, n) || e->nodes[n].down)
            continue;
        struct governor *g = &e->brain->governors[n];
        struct governor_input *in = &e->brain->inputs[n];
        read_sensors(e, n, &t);
        if (is_settled(e->brain, n, &t))
            continue;
        e->brain->last[n] = t;
        in->now = &t;
        e->f->n_transitions += (uint64_t)governor_step(g, in, now_ns, moved);
        memset(in, 0, sizeof(*in));
        const bool was_throttled = e->nodes_seen[n].is_throttled;
        governor_to_node(g, &e->nodes_seen[n]);
        e->nodes_seen[n].is_throttled |= was_throttled;
        int c;
        SIM_EXPERTS_OF(e->s, n, c)
            e->seen[c].n_ctx = (int)((float)e->s->world.list[c].n_ctx * g->now[e->seen[c].cls].context);
    }
}

/* ---- learning ---- */

/* As trip.c does: what is left over after queue and loading, and the rest as if it had said as much as was expected. */
static void correct(struct sim_engine *e, const struct sim_flight *q)
{
    struct predictor *p = e->brain->predictor;
    const struct route_guess *g = &q->guess;
    const int slot = e->seen[q->c].slot;
    const bool is_text = e->s->classes[q->a.cls].is_text;
    const double said = q->a.truth.gen_tok, expected = (double)q->a.rq.gen_tok;
    const double share = is_text && said > 8 && expected > 1 ? (expected - 1) / (said - 1) : 1;
    const double first_s = q->first_s - q->begun_s, rest_s = e->now_s - q->first_s, link_s = q->arrived_s - q->sent_s + (double)e->world.nodes[e->seen[q->c].node].rtt_s / 2;
    predictor_observe(p, slot, PREDICT_TTFT, g->ttft_s - g->queue_s - g->load_s, (float)(first_s + link_s));
    if (said > 8 || !is_text)
        predictor_observe(p, slot, PREDICT_DECODE, g->total_s - g->ttft_s, (float)(rest_s * share));
    if (g->busy_s > g->load_s && first_s + rest_s > 0) /* metered: what loading took apart, and as long as was expected */
        predictor_observe(p, slot, PREDICT_JOULES, g->joules * (g->busy_s - g->load_s) / g->busy_s, (float)(q->attempt_joules * (first_s + rest_s * share) / (first_s + rest_s)));
}

/* As trip_learn() does: what was shown did, what broke or was rejected did not. */
static void learn(struct sim_engine *e, const struct sim_flight *q, float outcome)
{
    struct bandit_context context;
    if (!e->s->classes[q->a.cls].is_text)
        return;
    bandit_context_of(&q->a.rq, &context);
    bandit_observe(e->brain->bandit, e->seen[q->c].slot, &context, outcome, q->guess.p_good);
}

void sim_brain_broke(struct sim_engine *e, const struct sim_flight *q)
{
    if (e->brain)
        learn(e, q, 0);
}

void sim_brain_seen(struct sim_engine *e, const struct sim_flight *q, bool was_rejected)
{
    if (!e->brain)
        return;
    const struct expert_wish *w = &e->s->classes[q->a.cls].wish;
    struct governor_input *in = &e->brain->inputs[e->seen[q->c].node];
    correct(e, q);
    if (w->deadline_s > 0) {
        in->cls[e->seen[q->c].cls].n_done++;
        in->cls[e->seen[q->c].cls].n_late += e->now_s - q->a.at_s > (double)w->deadline_s;
    }
    learn(e, q, was_rejected ? 0 : 1);
}

void sim_brain_late(struct sim_engine *e, const struct sim_flight *q)
{
    if (!e->brain)
        return;
    struct governor_input *in = &e->brain->inputs[e->seen[q->c].node];
    in->cls[e->seen[q->c].cls].n_done++;
    in->cls[e->seen[q->c].cls].n_late++;
}
