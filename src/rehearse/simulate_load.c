/* rehearse/simulate_load.c - what is asked, when, and what would be right: the same for every policy.
 *
 * For:     simulate.c.
 * Rule:    one stream of random numbers per arrival, seeded by the run's seed and the arrival's number, so that what one request is
 *          does not hang on the others.  No allocation.
 */
#include <string.h>

#include "route/predict.h"
#include "rehearse/simulate_internal.h"

/* ---- difficulty and outcomes ---- */

enum { NEITHER, WEAK, STRONG, BOTH, OUTCOMES };
static const uint32_t measured[][OUTCOMES] = {
#define BIN(neither, weak, strong, both) { neither, weak, strong, both },
#include "rehearse/simulate_difficulty.def"
#undef BIN
};
enum { N_BINS = sizeof(measured) / sizeof(measured[0]) };

/* A question as often as there are such ones; within its bin evenly. */
static void draw_difficulty(struct rng *r, struct sim_arrival *a)
{
    uint32_t all = 0;
    for (int i = 0; i < N_BINS; i++)
        for (int k = 0; k < OUTCOMES; k++)
            all += measured[i][k];
    uint32_t at = (uint32_t)(rng_f64(r) * all);
    for (int i = 0; i < N_BINS; i++)
        for (int k = 0; k < OUTCOMES; k++) {
            if (at < measured[i][k]) {
                a->intent.difficulty = (float)((i + rng_f64(r)) / N_BINS);
                a->truth.weak = k == WEAK || k == BOTH;
                a->truth.strong = k == STRONG || k == BOTH;
                return;
            }
            at -= measured[i][k];
        }
}

bool sim_is_right(const struct sim *s, int c, const struct sim_arrival *a)
{
    const struct sim_expert_truth *t = &s->experts[c];
    const struct sim_truth *q = &a->truth;
    if (!s->classes[a->cls].is_text)
        return q->u_right < t->accuracy;
    if (t->answers <= 0)
        return q->weak && q->u_right < 1 + t->answers;
    return q->weak == q->strong ? q->weak : q->u_right < t->answers ? q->strong : q->weak;
}

/* ---- arrivals ---- */

static double gauss(struct rng *r) /* Box and Muller 1958 */
{
    const double u = 1 - rng_f64(r), v = rng_f64(r);
    return sqrt(-2 * log(u)) * cos(2 * 3.14159265358979323846 * v);
}
static double draw(struct rng *r, struct sim_spread p) { return p.median > 0 ? p.median * exp(p.sigma > 0 ? p.sigma * gauss(r) : 0) : 0; }

static bool is_during(double at_s, double begin_s, double for_s) { return at_s >= begin_s && at_s < begin_s + for_s; }

/* Arrivals per second at a moment. */
static double rate_at(const struct sim_load *l, double at_s)
{
    const struct sim *s = l->s;
    double r = s->per_s * l->rate;
    if (s->process == SIM_BURSTS && fmod(at_s, s->burst_every_s) < s->burst_for_s)
        r *= s->burst_factor;
    if (s->process == SIM_DIURNAL)
        r *= 1 + s->depth * cos(2 * 3.14159265358979323846 * (at_s + s->start_s - s->peak_s) / 86400);
    for (int i = 0; i < l->n_floods; i++)
        if (is_during(at_s, l->floods[i]->at_s, l->floods[i]->for_s))
            r *= l->floods[i]->to;
    return r;
}

void sim_load_init(struct sim_load *l, const struct sim *s, const struct sim_options *o)
{
    memset(l, 0, sizeof(*l));
    l->s = s;
    rng_seed(&l->rng, o->seed * 0x2545f4914f6cdd1du + 1);
    l->rate = o->rate > 0 ? (double)o->rate : 1;
    l->n = o->n_requests ? o->n_requests : s->n_requests;
    l->until_s = o->until_s > 0 ? o->until_s : INFINITY;
    if (o->until_s > 0)
        l->n = UINT64_MAX;
    if (s->process == SIM_RECORDED && l->n > s->n_records)
        l->n = s->n_records;
    const struct sim_script *scripts[2] = { &s->script, o->script >= 0 && o->script < s->n_scripts ? &s->scripts[o->script] : NULL };
    for (int k = 0; k < 2 && scripts[k]; k++)
        for (int i = 0; i < scripts[k]->n && l->n_floods < SIM_FLOODS_MAX; i++)
            if (scripts[k]->events[i].what == SIM_DO_FLOOD)
                l->floods[l->n_floods++] = &scripts[k]->events[i];
    l->most = s->per_s * l->rate * (s->process == SIM_BURSTS ? fmax(1, s->burst_factor) : s->process == SIM_DIURNAL ? 1 + s->depth : 1);
    for (int i = 0; i < l->n_floods; i++)
        l->most *= fmax(1, l->floods[i]->to);
    features_read(&(struct features_in){ .text = "", .n_bytes = 0 }, &l->plain);
}

static double next_time(struct sim_load *l)
{
    /* Thinning: Lewis and Shedler, Naval Research Logistics 26 (1979). */
    do
        l->now_s -= log(1 - rng_f64(&l->rng)) / l->most;
    while (rng_f64(&l->rng) * l->most > rate_at(l, l->now_s));
    return l->now_s;
}

static void intent_of(enum intent intent, struct intent_answer *out)
{
    const float sure = .9f;
    for (int i = 0; i < INTENT_COUNT; i++)
        out->p[i] = (1 - sure) / (INTENT_COUNT - 1);
    out->p[intent] = sure;
    out->best = intent;
    out->second = intent == INTENT_CHAT ? INTENT_MATH : INTENT_CHAT;
}

/* A turn of a conversation goes on with one of the class's last ones, or begins another in the place of an old one. */
static void converse(struct sim_load *l, struct rng *r, const struct sim_class *k, struct sim_arrival *a)
{
    const int at = (int)(rng_f64(r) * SIM_SESSIONS);
    a->session = at;
    a->is_follow_up = l->sessions[a->cls][at].id && rng_f64(r) < 1 - 1 / k->turns;
    if (!a->is_follow_up) {
        l->sessions[a->cls][at].id = rng_u64(r) | 1;
        l->sessions[a->cls][at].context_tok = k->context_tok;
    }
    a->rq.session = l->sessions[a->cls][at].id;
}

bool sim_load_next(struct sim_load *l, struct sim_arrival *a)
{
    const struct sim *s = l->s;
    if (l->n_made >= l->n)
        return false;
    const struct sim_record *rec = s->process == SIM_RECORDED ? &s->records[l->n_made] : NULL;
    struct rng r = { rng_u64(&l->rng) };
    l->n_made++;
    memset(&a->truth, 0, sizeof(a->truth));
    a->at_s = rec ? rec->at_s / l->rate : next_time(l);
    if (a->at_s > l->until_s) {
        l->n = 0;
        return false;
    }
    a->cls = rec ? rec->cls : -1;
    const double u = rng_f64(&r);
    for (int i = 0; a->cls < 0; i++)
        if (u < s->classes[i].share || i == s->n_classes - 1)
            a->cls = i;
    const struct sim_class *k = &s->classes[a->cls];
    a->truth.u_right = rng_f64(&r), a->truth.u_caught = rng_f64(&r), a->truth.u_link = rng_f64(&r);
    a->session = -1, a->is_follow_up = false;
    double turn_tok = draw(&r, k->prompt_tok), context_tok = k->context_tok;
    a->truth.gen_tok = draw(&r, k->gen_tok);
    a->features = l->plain;
    intent_of(k->intent, &a->intent);
    a->intent.difficulty = .5f;
    if (k->is_text) {
        draw_difficulty(&r, a);
        const struct sim_record *q = rec && rec->has_intent ? rec : s->n_questions ? &s->questions[rng_u64(&r) % s->n_questions] : NULL;
        if (q) { /* a real text, as the router reads it */
            a->features = q->features;
            a->intent = q->intent;
            turn_tok = fmax(turn_tok, (double)q->features.turn_tok);
            if (q->weak >= 0)
                a->truth.weak = q->weak;
            if (q->strong >= 0)
                a->truth.strong = q->strong;
        }
        if (!q)
            a->intent.degrade_ok = intent_may_degrade(a->intent.best, a->intent.difficulty);
    }
    if (rec && rec->prompt_tok > 0)
        turn_tok = (double)rec->prompt_tok;
    if (rec && rec->gen_tok > 0)
        a->truth.gen_tok = (double)rec->gen_tok;
    memset(&a->rq, 0, sizeof(a->rq));
    if (k->turns > 1) {
        converse(l, &r, k, a);
        context_tok = l->sessions[a->cls][a->session].context_tok;
    }
    if (k->max_gen_tok && a->truth.gen_tok > (double)k->max_gen_tok)
        a->truth.gen_tok = (double)k->max_gen_tok;
    a->truth.gen_tok = fmax(k->is_text ? 1 : 0, floor(a->truth.gen_tok));
    a->features.turn_tok = (uint64_t)turn_tok;
    a->features.prompt_tok = (uint64_t)(turn_tok + context_tok);
    a->features.is_private |= k->is_private;
    a->rq.task = k->task;
    a->rq.goal = k->goal;
    a->rq.prompt_tok = a->features.prompt_tok;
    a->rq.gen_tok = k->is_text ? predict_gen_tok(&a->intent, a->features.turn_tok, k->max_gen_tok) : 0;
    a->rq.max_gen_tok = k->max_gen_tok;
    a->rq.n_items = k->n_items;
    a->rq.sound_s = (float)draw(&r, k->sound_s);
    a->rq.n_bytes = (uint64_t)draw(&r, k->n_bytes);
    a->rq.needs_sight = k->needs_sight;
    a->rq.needs_tools = k->needs_tools;
    a->rq.minute_of_day = (int)fmod((a->at_s + s->start_s) / 60, 1440);
    if (a->session >= 0) /* the next turn has this one before it; a context ends somewhere */
        l->sessions[a->cls][a->session].context_tok = fmin(context_tok + turn_tok + a->truth.gen_tok, 3000);
    return true;
}
