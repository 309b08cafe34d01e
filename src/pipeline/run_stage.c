/* pipeline/run_stage.c - stages: who may enter, what waits, what is dropped and why.  Start at run_enter().
 *
 * Rule:    f.in is counted when a subject enters; exactly one of f.results and f.dropped[] when it leaves. */
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "pipeline/run_internal.h"

void run_world(struct cascade_run *r, const struct subject *s, struct kept_world *w, const struct kept *views[CASCADE_STAGES_MAX])
{
    const struct event *e = s->is_event ? (const struct event *)s : NULL;
    for (int k = 0; k < r->c->n_stages; k++) {
        const bool is_own = r->c->stages[k].each_event == s->is_event;
        views[k] = is_own ? &s->kept[k] : e && e->best ? &e->best->s.kept[k] : NULL;
    }
    *w = (struct kept_world){ .stages = views, .n_stages = r->c->n_stages, .t_s = s->t_s, .unix_ms = s->unix_ms, .event = e ? &e->view : NULL };
}

static struct expr_world world_of(struct kept_world *w) { return (struct expr_world){ .ctx = w, .get = kept_get, .now_s = w->t_s }; }

/* ---- may it? ---- */

static void refill(struct stage_run *g, double t_s)
{
    const struct cascade_stage *p = g->plan;
    const double dt = t_s > g->level_s ? t_s - g->level_s : 0;
    g->level_ms = fmin(p->budget_ms, g->level_ms + p->budget_ms / 60 * dt);
    g->level_joules = fmin(p->budget_joules, g->level_joules + p->budget_joules / 60 * dt);
    g->level_s = fmax(g->level_s, t_s);
}

static bool has_budget(struct stage_run *g, double t_s)
{
    refill(g, t_s);
    return !(g->plan->budget_ms > 0 && g->level_ms <= 0) && !(g->plan->budget_joules > 0 && g->level_joules <= 0);
}

static bool is_gate_open(struct cascade_run *r, struct stage_run *g, struct subject *s, double *rank)
{
    struct kept_world w;
    const struct kept *views[CASCADE_STAGES_MAX];
    run_world(r, s, &w, views);
    const struct expr_world x = world_of(&w);
    if (g->plan->gate && !expr_true(g->plan->gate, &x, &g->gate_state))
        return false;
    *rank = g->plan->best ? expr_number(g->plan->best, &x, NULL) : 0;
    if (isnan(*rank))
        *rank = -INFINITY;
    if (s->t_s - g->last_open_s > g->plan->reset_s && g->plan->backoff_s > 0) { /* something new */
        g->interval_s = 1 / g->plan->rate;
        g->next_s = fmin(g->next_s, s->t_s);
    }
    g->last_open_s = fmax(g->last_open_s, s->t_s);
    return true;
}

static bool is_in_rate(const struct stage_run *g, double t_s) { return g->plan->rate == 0 || t_s >= g->next_s - 1e-6; }

static void take_rate(struct stage_run *g, double t_s)
{
    if (g->plan->rate == 0)
        return;
    g->next_s = t_s + g->interval_s;
    if (g->plan->backoff_s > 0)
        g->interval_s = fmin(g->interval_s * 2, fmax(g->plan->backoff_s, 1 / g->plan->rate));
}

/* ---- queues ---- */

static void take_out(struct stage_run *g, int i)
{
    memmove(&g->queue[i], &g->queue[i + 1], (size_t)(--g->n_queue - i) * sizeof(g->queue[0]));
}

static void drop_at(struct cascade_run *r, int k, int i, enum cascade_drop why)
{
    struct subject *s = r->stages[k].queue[i].s;
    take_out(&r->stages[k], i);
    run_finish(r, s, k, false, why);
}

static int worst(const struct stage_run *g)
{
    int at = 0;
    for (int i = 1; i < g->n_queue; i++)
        if (g->queue[i].rank < g->queue[at].rank)
            at = i;
    return at;
}

static void put(struct cascade_run *r, int k, struct subject *s, double rank)
{
    struct stage_run *g = &r->stages[k];
    if (g->n_queue == g->cap_queue) {
        const int lowest = g->policy == CASCADE_KEEP_BEST ? worst(g) : 0;
        if (g->policy == CASCADE_DROP_NEWEST || g->policy == CASCADE_BLOCK /* as many places as pieces: cannot be */ ||
            (g->policy == CASCADE_KEEP_BEST && g->queue[lowest].rank >= rank)) {
            run_finish(r, s, k, false, CASCADE_DROP_QUEUE);
            return;
        }
        struct subject *out = g->queue[lowest].s;
        take_out(g, lowest);
        g->queue[g->n_queue++] = (struct place){ s, rank };
        run_finish(r, out, k, false, CASCADE_DROP_QUEUE);
        return;
    }
    g->queue[g->n_queue++] = (struct place){ s, rank };
}

static void enter(struct cascade_run *r, int k, struct subject *s)
{
    struct stage_run *g = &r->stages[k];
    const bool waits_for_rate = g->policy == CASCADE_KEEP_BEST;
    double rank = 0;
    enum cascade_drop why = CASCADE_DROP_COUNT;
    g->f.in++;
    g->seen_s = fmax(g->seen_s, s->t_s);
    if (r->is_stopping)
        why = CASCADE_DROP_CANCELLED;
    else if (g->n_seen++ % (uint64_t)g->plan->every != 0)
        why = CASCADE_DROP_RATE;
    else if (!is_gate_open(r, g, s, &rank))
        why = CASCADE_DROP_GATE;
    else if (!waits_for_rate && !is_in_rate(g, s->t_s))
        why = CASCADE_DROP_RATE;
    else if (!has_budget(g, s->t_s))
        why = CASCADE_DROP_BUDGET;
    if (why != CASCADE_DROP_COUNT) {
        run_finish(r, s, k, false, why);
        return;
    }
    if (!waits_for_rate)
        take_rate(g, s->t_s);
    put(r, k, s, rank);
}

/* ---- the way of a subject ---- */


void run_enter(struct cascade_run *r, struct subject *s)
{
    const unsigned mine = s->is_event ? r->event_stages : r->piece_stages;
    for (int k = 0; k < r->c->n_stages; k++) {
        const unsigned bit = 1u << k, entered = bit << CASCADE_STAGES_MAX, after = r->c->stages[k].after & mine, before = after | (r->c->stages[k].waits & mine);
        if (!(mine & bit) || (s->done & (bit | entered)) || (s->done & before) != before)
            continue;
        s->done |= entered;
        if ((s->got & after) == after)
            enter(r, k, s);
        else
            s->done |= bit; /* never reached: not counted */
    }
}

static bool is_through(const struct cascade_run *r, const struct subject *s)
{
    const unsigned mine = s->is_event ? r->event_stages : r->piece_stages;
    return (s->done & mine) == mine;
}

void run_finish(struct cascade_run *r, struct subject *s, int k, bool has_result, enum cascade_drop why)
{
    struct stage_run *g = &r->stages[k];
    if (has_result)
        g->f.results++;
    else
        g->f.dropped[why]++;
    s->done |= 1u << k;
    s->got |= (unsigned)has_result << k;
    if (has_result && !s->is_event && r->hooks.on_result) {
        struct cascade_result out;
        kept_get_result(&s->kept[k], &out);
        r->hooks.on_result(r->hooks.ctx, k, s->t_s, &out);
    }
    if (!has_result)
        kept_clear(&s->kept[k]);
}

/* What run_finish() made possible: the next stages, the end.  Not inside run_finish(), which is called in the middle of queues. */
static bool go_on(struct cascade_run *r)
{
    bool moved = false;
    for (struct piece *p = r->under_way, *next; p; p = next) {
        next = p->next;
        const unsigned before = p->s.done;
        run_enter(r, &p->s);
        moved |= p->s.done != before;
    }
    for (int i = 0; i < r->n_events; i++)
        if (r->events[i].state == EVENT_STAGES) {
            const unsigned before = r->events[i].s.done;
            run_enter(r, &r->events[i].s);
            moved |= r->events[i].s.done != before;
            if (is_through(r, &r->events[i].s)) {
                run_event_over(r, &r->events[i]);
                moved = true;
            }
        }
    for (struct piece **at = &r->under_way, *last = NULL; *at;) {
        struct piece *p = *at;
        if (!is_through(r, &p->s)) {
            last = p, at = &p->next;
            continue;
        }
        if (!(*at = p->next))
            r->under_way_last = last;
        p->next = NULL;
        run_piece_over(r, p);
        moved = true;
    }
    return moved;
}

/* Nothing more will come to it. */
static bool is_last(const struct cascade_run *r, int k)
{
    for (const struct piece *p = r->under_way; p; p = p->next)
        if (!(p->s.done & (1u << k | 1u << (k + CASCADE_STAGES_MAX))))
            return false;
    return r->is_draining;
}

static bool start(struct cascade_run *r, int k)
{
    struct stage_run *g = &r->stages[k];
    bool moved = false;
    while (g->n_queue > 0 && g->n_running < g->plan->parallel) {
        int at = 0;
        if (g->policy == CASCADE_KEEP_BEST) {
            if (!is_in_rate(g, g->seen_s) && !is_last(r, k))
                break;
            for (int i = 1; i < g->n_queue; i++)
                if (g->queue[i].rank > g->queue[at].rank)
                    at = i;
        }
        struct subject *s = g->queue[at].s;
        take_out(g, at);
        if (g->policy == CASCADE_KEEP_BEST) { /* the others of its time have lost */
            take_rate(g, g->seen_s);
            while (g->n_queue > 0)
                drop_at(r, k, 0, CASCADE_DROP_QUEUE);
        }
        run_start(r, k, s);
        moved = true;
    }
    return moved;
}

void run_pump(struct cascade_run *r)
{
    bool moved;
    do {
        moved = go_on(r);
        moved |= run_events_on(r, r->is_draining && !r->under_way);
        for (int k = r->c->n_stages - 1; k >= 0; k--) /* later stages first: they are why the earlier ones work */
            moved |= start(r, k);
    } while (moved);
}

void run_cancel_queues(struct cascade_run *r, bool events_only)
{
    for (int k = 0; k < r->c->n_stages; k++)
        while (r->stages[k].n_queue > 0 && (!events_only || r->c->stages[k].each_event))
            drop_at(r, k, 0, CASCADE_DROP_CANCELLED);
}
