/* route/trip.c - one job's attempts: what comes back from experts, what is passed on, what happens when one fails.  Start reading
 * at leg_on_event() (an expert's thread) and trip_do() (the hand's). */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "route/predict.h"
#include "route/router_internal.h"

enum { INNER_BYTES = 1 << 20, TELL_MS = 50, LOOK_MS = 10 };

/* What is to be done when no lock is held any more. */
struct after {
    struct job *cancel[TRIP_LEGS], *drop[TRIP_LEGS + 1];
    int n_cancel, n_drop;
    int n_unref;      /* references of the trip */
    unsigned todo;
    int slot;         /* who has n_prefix_tok tokens of the conversation now; 0: nobody */
    uint32_t n_prefix_tok, n_prompt_tok;
};

static void remember_prefix(struct trip *t, const struct after *a)
{
    struct router *r = t->r;
    pthread_mutex_lock(&r->figures_lock);
    affinity_keep(&r->affinity, t->session_key, (uint32_t)a->slot, a->n_prefix_tok);
    affinity_keep(&r->affinity, t->system_key, (uint32_t)a->slot, a->n_prompt_tok / 2); /* how much of it is the system text is not known */
    pthread_mutex_unlock(&r->figures_lock);
}

static void do_after(struct trip *t, struct after *a)
{
    for (int i = 0; i < a->n_cancel; i++) {
        job_cancel(a->cancel[i]);
        job_unref(a->cancel[i]);
    }
    for (int i = 0; i < a->n_drop; i++)
        job_unref(a->drop[i]);
    if (a->n_prefix_tok)
        remember_prefix(t, a);
    if (a->todo)
        trip_todo(t, a->todo);
    while (a->n_unref-- > 0)
        trip_unref(t);
}

static float seconds(uint64_t ns) { return (float)((double)ns / 1e9); }
static uint64_t ns_of(double s) { return s > 0 ? s < 1e9 ? (uint64_t)(s * 1e9) : UINT64_MAX / 4 : 0; }

/* ---- telling who answers ---- */

static void fill_route(const struct trip *t, const struct leg *leg, struct expert_route *out)
{
    const struct live *l = t->r->live;
    const struct candidate *c = &l->list[leg->slot]; /* its name and node do not change */
    *out = (struct expert_route){ .expert = c->expert, .node = l->nodes[c->node].name, .why = leg->why, .intent = t->has_intent ? intent_name(t->intent.best) : "",
                                  .n_asked = leg->n_asked, .is_degraded = leg->ladder[0] != '\0', .ladder = leg->ladder, .ttft_s = leg->guess.ttft_s,
                                  .total_s = leg->guess.total_s, .joules = leg->guess.joules, .usd = leg->guess.usd };
    snprintf(out->id, sizeof(out->id), "%s", t->id);
}

/* Under trip.lock, as all that calls on_event(). */
static void emit(struct trip *t, const struct expert_event *ev) { t->outer->on_event(t->outer->ctx, ev); }

static void tell(struct trip *t, struct leg *leg)
{
    struct expert_route route;
    if (t->told == leg)
        return;
    t->told = leg;
    fill_route(t, leg, &route);
    emit(t, &(struct expert_event){ .kind = EXPERT_ROUTED, .route = &route });
}

/* ---- beginning and ending a leg ---- */

static struct job *make_job(struct trip *t, struct leg *leg, struct err *err)
{
    const struct job *o = t->outer;
    struct job *j = job_new(INNER_BYTES, err);
    if (!j)
        return NULL;
    j->task = o->task;
    if (o->vars && !(j->vars = json_copy(o->vars))) { /* shallow: the expert adds keys of its own */
        job_unref(j);
        return err_null(err, ERR_NOMEM, "the router: out of memory");
    }
    j->inputs = o->inputs;
    j->n_inputs = o->n_inputs;
    j->request = o->request;
    j->sampling = o->sampling;
    j->dry_breakers = o->dry_breakers;
    j->n_dry_breakers = o->n_dry_breakers;
    j->n_choices = o->n_choices;
    j->max_tokens = o->max_tokens;
    j->stops = o->stops;
    j->n_stops = o->n_stops;
    j->n_logprobs = o->n_logprobs;
    j->ignore_eos = o->ignore_eos;
    j->show_special = o->show_special;
    j->is_whole = o->is_whole;
    j->wish = t->wish;
    if (t->features.is_private)
        j->wish.security = WISH_LOCAL; /* for pieces of it, too */
    j->priority = o->priority;
    j->deadline_ns = o->deadline_ns;
    j->on_event = leg_on_event;
    j->ctx = leg;
    j->on_free = (void (*)(void *))job_unref; /* all that it points to is the outer one's */
    j->free_ctx = job_ref(t->outer);
    return j;
}

static bool is_hopeful(const struct leg *leg) { return leg->job && !leg->is_given_up && !leg->is_hung; }

static int n_hopeful(const struct trip *t)
{
    int n = 0;
    for (int i = 0; i < TRIP_LEGS; i++)
        n += is_hopeful(&t->legs[i]);
    return n;
}

static uint64_t hung_at(const struct trip *t, const struct leg *leg)
{
    return leg->begun_ns + ns_of((double)fmaxf(t->r->care.hang_s, 3 * leg->guess.ttft_s));
}

static uint64_t late_at(const struct trip *t, const struct leg *leg)
{
    const struct router_care *care = &t->r->care;
    return care->hedge_s < 0 ? UINT64_MAX : leg->begun_ns + ns_of((double)fmaxf(care->hedge_s, care->hedge_factor * leg->guess.ttft_s));
}

/* When somebody should look whether all is well; 0: no need. */
static uint64_t next_due(const struct trip *t)
{
    uint64_t due = UINT64_MAX;
#define AT_LATEST(ns)                                                                                                  \
    do {                                                                                                               \
        const uint64_t at = (ns);                                                                                      \
        due = at < due ? at : due;                                                                                     \
    } while (0)
    if (t->is_over || t->has_passed)
        return 0;
    if (!t->told)
        AT_LATEST(t->begun_ns + TELL_MS * (uint64_t)1000000);
    for (int i = 0; i < TRIP_LEGS; i++) {
        const struct leg *leg = &t->legs[i];
        if (!is_hopeful(leg) || leg->first_ns)
            continue;
        AT_LATEST(hung_at(t, leg));
        if (!t->was_late)
            AT_LATEST(late_at(t, leg));
    }
#undef AT_LATEST
    return due == UINT64_MAX ? 0 : due;
}

/* Under trip.lock. */
static void set_due(struct trip *t)
{
    struct router *r = t->r;
    const uint64_t soonest = clock_ns() + LOOK_MS * (uint64_t)1000000;
    uint64_t due = next_due(t);
    due = due && due < soonest ? soonest : due;
    atomic_store(&t->due_ns, due);
    if (!due)
        return;
    pthread_mutex_lock(&r->lock);
    if (due < r->hand_until_ns)
        pthread_cond_signal(&r->hand_wake);
    pthread_mutex_unlock(&r->lock);
}

struct leg *leg_begin(struct trip *t, const struct leg *like, struct err *err)
{
    struct leg *leg = NULL;
    pthread_mutex_lock(&t->lock);
    for (int i = 0; i < TRIP_LEGS && !leg; i++)
        if (!t->legs[i].job)
            leg = &t->legs[i];
    if (!leg || t->is_over || t->is_stopping) {
        pthread_mutex_unlock(&t->lock);
        return err_null(err, ERR_BUSY, t->is_stopping ? "shutting down" : "the router: too many attempts");
    }
    if (t->told == leg)
        t->told = NULL; /* that was somebody else */
    *leg = *like;
    leg->trip = t;
    leg->begun_ns = clock_ns();
    struct job *j = make_job(t, leg, err);
    if (j) {
        leg->n_asked = ++t->n_asked;
        t->n_hedged += leg->is_hedge;
        leg->joules_before = leg->is_here ? router_joules(t->r, +1) : (double)NAN;
        pthread_mutex_lock(&t->r->lock);
        leg->job = j;
        t->refs++;
        pthread_mutex_unlock(&t->r->lock);
        if (job_is_held(t->outer))
            job_hold(j, true);
        if (job_is_cancelled(t->outer))
            job_cancel(j);
        set_due(t);
    }
    pthread_mutex_unlock(&t->lock);
    return j ? leg : NULL;
}

/* Under trip.lock: the leg is FREE; its job is dropped afterwards. */
static void leg_end(struct leg *leg, const struct expert_usage *u, struct after *a)
{
    struct trip *t = leg->trip;
    const float run_s = seconds(clock_ns() - leg->begun_ns);
    double joules = (double)NAN;
    if (leg->is_here) {
        const double after = router_joules(t->r, -1);
        joules = after - leg->joules_before;
    }
    if (!(joules >= 0))
        t->is_estimated = true, joules = (double)(leg->busy_w * fmaxf(0, run_s - (u ? seconds(u->queue_ns) : 0)));
    if (joules >= 0)
        t->joules += joules;
    if (u)
        t->usd += ((double)leg->usd_in * u->n_prompt_tok + (double)leg->usd_out * u->n_gen_tok) / 1e6 + (double)leg->usd_item * t->request.n_items;
    a->drop[a->n_drop++] = leg->job;
    a->n_unref++;
    pthread_mutex_lock(&t->r->lock);
    leg->job = NULL;
    pthread_mutex_unlock(&t->r->lock);
}

void leg_abandon(struct leg *leg)
{
    struct trip *t = leg->trip;
    struct after a = { 0 };
    pthread_mutex_lock(&t->lock);
    leg_end(leg, NULL, &a);
    if (t->n_asked > 1 || leg->is_hedge)
        t->n_failed++;
    pthread_mutex_unlock(&t->lock);
    do_after(t, &a);
}

static int n_running(const struct trip *t)
{
    int n = 0;
    for (int i = 0; i < TRIP_LEGS; i++)
        n += t->legs[i].job && !t->legs[i].is_given_up;
    return n;
}

static void give_up(struct leg *leg, struct after *a)
{
    if (!leg->job || leg->is_given_up)
        return;
    leg->is_given_up = true;
    a->cancel[a->n_cancel++] = job_ref(leg->job);
}

/* ---- the end ---- */

static void observe(struct trip *t, const struct leg *leg, const struct expert_usage *u, uint64_t now_ns)
{
    struct router *r = t->r;
    struct predictor *p = r->env.predictor;
    const struct route_guess *g = &leg->guess;
    if (!p || !leg->first_ns)
        return;
    const float queue_s = u ? seconds(u->queue_ns) : 0, ttft_s = seconds(leg->first_ns - leg->begun_ns) - queue_s, rest_s = seconds(now_ns - leg->first_ns);
    pthread_mutex_lock(&r->figures_lock);
    predictor_observe(p, leg->slot, PREDICT_TTFT, g->ttft_s - g->queue_s - g->load_s, ttft_s);
    if (u && u->n_gen_tok > 8 && t->request.gen_tok > 1) /* as if it had said as much as was expected */
        predictor_observe(p, leg->slot, PREDICT_DECODE, g->total_s - g->ttft_s, rest_s * (float)(t->request.gen_tok - 1) / (float)(u->n_gen_tok - 1));
    pthread_mutex_unlock(&r->figures_lock);
}

static void report(struct trip *t, const struct leg *leg, enum err_code code, const struct expert_usage *u, uint64_t now_ns)
{
    struct router *r = t->r;
    const uint64_t deadline = t->outer->deadline_ns;
    const struct router_outcome o = {
        .code = code, .candidate = leg && code == ERR_NONE ? leg->slot : -1, .cls = route_class_of((unsigned)t->request.task), .n_asked = t->n_asked, .n_promoted = t->n_promoted,
        .n_hedged = t->n_hedged, .n_hung = t->n_hung, .n_failed = t->n_failed,
        .ttft_s = leg && leg->first_ns ? seconds(leg->first_ns - t->begun_ns) : (float)NAN, .total_s = seconds(now_ns - t->begun_ns),
        .n_prompt_tok = u ? u->n_prompt_tok : 0, .n_cached_tok = u ? u->n_cached_tok : 0, .n_gen_tok = u ? u->n_gen_tok : 0,
        .joules = (float)t->joules, .usd = (float)t->usd, .is_measured = !t->is_estimated,
        .had_deadline = deadline != 0 || t->wish.deadline_s > 0,
        .missed_deadline = (deadline && now_ns > deadline) || (t->wish.deadline_s > 0 && seconds(now_ns - t->begun_ns) > t->wish.deadline_s),
    };
    if (r->env.governor.ended)
        r->env.governor.ended(r->env.governor.ctx, &o);
    if (r->env.journal.ended)
        r->env.journal.ended(r->env.journal.ctx, t->id, &o);
}

/* The outer job's one final event; err NULL: done.  Under trip.lock; leg: who had the last word, NULL: nobody; it has ended. */
static void finish(struct trip *t, const struct leg *leg, const struct err *err, const struct expert_usage *usage, struct after *a)
{
    static const struct expert_usage nothing;
    struct job *o = t->outer;
    struct expert_route route;
    t->is_over = true;
    atomic_store(&t->due_ns, 0);
    for (int i = 0; i < TRIP_LEGS; i++)
        give_up(&t->legs[i], a);
    report(t, leg, err ? err->code : ERR_NONE, usage, clock_ns());
    if (leg) {
        fill_route(t, leg, &route);
        route.joules = (float)t->joules;
        route.usd = (float)t->usd;
        route.is_measured = !t->is_estimated;
    }
    pthread_mutex_lock(&t->r->lock);
    t->outer = NULL;
    pthread_mutex_unlock(&t->r->lock);
    atomic_store(&o->priv.expert, NULL);
    o->on_event(o->ctx, &(struct expert_event){ .kind = err ? EXPERT_ERROR : EXPERT_DONE, .usage = usage ? usage : &nothing, .err = err, .route = leg ? &route : NULL });
    a->drop[a->n_drop++] = o;
    a->n_unref++;
}

/* A leg ended with an error, or none could be begun.  Under trip.lock. */
static void fail(struct trip *t, const struct leg *leg, const struct err *err, const struct expert_usage *u, struct after *a)
{
    struct err why;
    if (t->is_stopping) {
        err_set(&why, ERR_BUSY, "shutting down");
        finish(t, leg, &why, u, a);
    } else if (job_is_cancelled(t->outer)) {
        err_set(&why, ERR_CANCELLED, "cancelled");
        finish(t, leg, &why, u, a);
    } else {
        finish(t, leg, err, u, a);
    }
}

/* ---- events ---- */

static bool is_answer(enum expert_event_kind k)
{
    return k == EXPERT_DELTA || k == EXPERT_CHOICE_END || k == EXPERT_VECTOR || k == EXPERT_RESULT || k == EXPERT_AUDIO || k == EXPERT_TENSOR;
}

static void pass_on(struct trip *t, struct leg *leg, const struct expert_event *ev, struct after *a)
{
    if (is_answer(ev->kind)) {
        if (!leg->first_ns)
            leg->first_ns = clock_ns();
        if (!t->talks) { /* the first one wins, the others stop */
            t->talks = leg;
            for (int i = 0; i < TRIP_LEGS; i++)
                if (&t->legs[i] != leg)
                    give_up(&t->legs[i], a);
            if (leg->is_hedge)
                router_count(t->r, ROUTER_HEDGE_WON);
        }
        t->has_passed = true;
        tell(t, leg);
        emit(t, ev);
        return;
    }
    if (leg->is_hedge && !t->talks)
        return; /* the first one may still win */
    tell(t, leg);
    if (ev->kind == EXPERT_QUEUED ? t->was_queued : ev->kind == EXPERT_STARTED && t->was_started)
        return;
    t->was_queued = true; /* "queued" does not come behind "started" */
    t->was_started = t->was_started || ev->kind == EXPERT_STARTED;
    emit(t, ev);
}

static bool is_worth_another(const struct trip *t, const struct err *err)
{
    const struct job *o = t->outer;
    return !t->has_passed && !t->is_stopping && !job_is_cancelled(o) && router_may_retry(err) && t->n_asked < t->r->care.n_tries_max &&
           !(o->deadline_ns && clock_ns() >= o->deadline_ns);
}

static void on_leg_final(struct trip *t, struct leg *leg, const struct expert_event *ev, struct after *a)
{
    const bool was_given_up = leg->is_given_up;
    const struct leg was = *leg;
    leg_end(leg, ev->usage, a);
    if (was_given_up || t->is_over) {
        if (t->is_stopping && !t->is_over && n_running(t) == 0)
            fail(t, NULL, &t->last, ev->usage, a);
        return;
    }
    if (ev->kind == EXPERT_DONE) {
        observe(t, &was, ev->usage, clock_ns());
        a->slot = was.slot;
        a->n_prompt_tok = (uint32_t)(ev->usage->n_prompt_tok > 0 ? ev->usage->n_prompt_tok : 0);
        a->n_prefix_tok = a->n_prompt_tok ? a->n_prompt_tok + (uint32_t)ev->usage->n_gen_tok : 0;
        tell(t, leg);
        finish(t, &was, NULL, ev->usage, a);
        return;
    }
    t->n_failed++;
    t->last = *ev->err;
    if (t->talks == leg) /* half of its answer is out */
        fail(t, &was, ev->err, ev->usage, a);
    else if (n_hopeful(t) > 0)
        return; /* another one is still at it */
    else if (is_worth_another(t, ev->err))
        a->todo |= TODO_NEXT;
    else if (n_running(t) == 0)
        fail(t, &was, ev->err, ev->usage, a);
}

void leg_on_event(void *ctx, const struct expert_event *ev)
{
    struct leg *leg = ctx;
    struct trip *t = leg->trip;
    struct after a = { 0 };
    pthread_mutex_lock(&t->lock);
    if (ev->kind == EXPERT_DONE || ev->kind == EXPERT_ERROR)
        on_leg_final(t, leg, ev, &a);
    else if (!leg->is_given_up && !t->is_over)
        pass_on(t, leg, ev, &a);
    pthread_mutex_unlock(&t->lock);
    do_after(t, &a);
}

/* ---- what the hand does ---- */

static void ask_next(struct trip *t, const struct trip_wants *wants)
{
    struct err err = { 0 };
    pthread_mutex_lock(&t->lock);
    const bool is_needed = !t->is_over && (wants->is_hedge || n_hopeful(t) == 0);
    const bool is_wanted = is_needed && !t->is_stopping && !job_is_cancelled(t->outer);
    const struct err before = t->last;
    pthread_mutex_unlock(&t->lock);
    if (is_wanted) {
        if (before.code != ERR_NONE && !wants->is_hedge)
            log_info("auto: %s: %s; another expert is asked", t->id, before.text);
        if (router_ask(t, wants, &err))
            return;
    }
    if (!is_needed || wants->is_hedge)
        return;
    struct after a = { 0 };
    pthread_mutex_lock(&t->lock);
    if (!t->is_over && n_running(t) == 0)
        fail(t, NULL, before.code != ERR_NONE ? &before : &err, NULL, &a);
    pthread_mutex_unlock(&t->lock);
    do_after(t, &a);
}

/* Something is due: ROUTED, a hedge, a hang. */
static void look(struct trip *t)
{
    const uint64_t now = clock_ns();
    struct after a = { 0 };
    bool wants_hedge = false, wants_next = false;
    pthread_mutex_lock(&t->lock);
    const bool has_tries = t->n_asked < t->r->care.n_tries_max;
    if (!t->is_over && !t->has_passed && t->is_accepted) {
        if (!t->told && now >= t->begun_ns + TELL_MS * (uint64_t)1000000)
            for (int i = 0; i < TRIP_LEGS && !t->told; i++)
                if (t->legs[i].job && !t->legs[i].is_given_up && !t->legs[i].is_hedge)
                    tell(t, &t->legs[i]);
        for (int i = 0; i < TRIP_LEGS; i++) {
            struct leg *leg = &t->legs[i];
            if (!is_hopeful(leg) || leg->first_ns)
                continue;
            if (now >= hung_at(t, leg)) { /* it may still answer first; nobody counts on it */
                leg->is_hung = true;
                t->n_hung++;
                router_count(t->r, ROUTER_HANG);
                err_set(&t->last, ERR_BUSY, "%.100s gave no answer for %.0f s", t->r->live->list[leg->slot].expert, (double)seconds(now - leg->begun_ns));
                wants_next = has_tries;
            } else if (!t->was_late && now >= late_at(t, leg)) {
                t->was_late = true;
                wants_hedge = has_tries;
            }
        }
    }
    if (!t->is_over)
        set_due(t);
    pthread_mutex_unlock(&t->lock);
    do_after(t, &a);
    if (wants_next)
        ask_next(t, &(struct trip_wants){ .is_hedge = false });
    else if (wants_hedge)
        ask_next(t, &(struct trip_wants){ .is_hedge = true, .is_idle = true });
}

static void stop_trip(struct trip *t)
{
    struct after a = { 0 };
    pthread_mutex_lock(&t->lock);
    if (!t->is_over) {
        t->is_stopping = true;
        err_set(&t->last, ERR_BUSY, "shutting down");
        bool any = false;
        for (int i = 0; i < TRIP_LEGS; i++)
            if (t->legs[i].job) {
                a.cancel[a.n_cancel++] = job_ref(t->legs[i].job);
                any = true;
            }
        if (!any)
            fail(t, NULL, &t->last, NULL, &a);
    }
    pthread_mutex_unlock(&t->lock);
    do_after(t, &a);
}

void trip_do(struct trip *t, unsigned what)
{
    if (what & TODO_STOP)
        stop_trip(t);
    if (what & TODO_NEXT)
        ask_next(t, &(struct trip_wants){ .is_hedge = false });
    if (what & TODO_LOOK)
        look(t);
}
