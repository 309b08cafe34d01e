/* route/trip.c - one job's attempts: what comes back from experts, what is passed on, what happens when one fails.  Start reading
 * at leg_on_event() (an expert's thread) and trip_do() (the hand's). */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "route/router_internal.h"

/* ---- events ---- */

static bool is_answer(enum expert_event_kind k)
{
    return k == EXPERT_DELTA || k == EXPERT_CHOICE_END || k == EXPERT_VECTOR || k == EXPERT_RESULT || k == EXPERT_AUDIO || k == EXPERT_TENSOR;
}

/* Whoever refuses at once costs nothing: with many nodes several may, one after the other; a bound all the same, for all may be busy. */
static bool has_tries(const struct trip *t)
{
    enum { REFUSALS_MAX = 8 };
    return t->n_asked < t->r->care.n_tries_max + (t->n_refused < REFUSALS_MAX ? t->n_refused : REFUSALS_MAX);
}

/* Text from another machine, which may go in the middle of it, for a client who sees nothing before the end: it is kept until then, so that
 * somebody else may answer instead. */
static bool is_kept(const struct trip *t, const struct leg *leg)
{
    return t->outer->is_whole && !leg->is_here && (t->outer->task & (EXPERT_CHAT | EXPERT_COMPLETE)) && has_tries(t);
}

/* Its words are the answer from now on: the others stop. */
static void let_talk(struct trip *t, struct leg *leg, struct after *a)
{
    t->talks = leg;
    t->kept = !leg->is_small && is_kept(t, leg) ? held_new() : NULL;
    t->has_passed = !t->kept;
    for (int i = 0; i < TRIP_LEGS; i++)
        if (&t->legs[i] != leg)
            leg_give_up(&t->legs[i], a);
    if (!leg->is_small && !(t->kept && t->has_small)) { /* what a small one said before is not wanted any more */
        held_free(t->held);
        t->held = NULL;
    }
    if (leg->is_hedge)
        router_count(t->r, ROUTER_HEDGE_WON);
    trip_tell(t, leg);
}

/* What was held is shown, what comes is passed on. */
static void show_held(struct trip *t, struct leg *leg, struct after *a)
{
    let_talk(t, leg, a);
    if (t->held)
        held_show(t->held, t);
    held_free(t->held);
    t->held = NULL;
    leg->is_small = false;
}

static void show_kept(struct trip *t)
{
    if (!t->kept)
        return;
    t->has_passed = true;
    held_show(t->kept, t);
    held_free(t->kept);
    t->kept = NULL;
}

static enum answer_fault judge(const struct trip *t, bool is_whole)
{
    return held_check(t->held, is_whole, t->features.wants_json, (double)t->r->care.logprob_least);
}

static void want_better(struct trip *t, const struct leg *leg, enum answer_fault fault, struct after *a)
{
    a->todo |= TODO_NEXT;
    if (t->wants_better)
        return;
    t->wants_better = true;
    trip_learn(t, leg, 0);
    err_set(&t->last, ERR_INTERNAL, "%.100s %s", leg->expert, answer_fault_why(fault));
}

/* A piece of a small expert's answer: nobody sees it before it was looked at. */
static void hold(struct trip *t, struct leg *leg, const struct expert_event *ev, struct after *a)
{
    enum { LOOK_EVERY_TOK = 16 };
    if (!leg->first_ns) {
        leg->first_ns = clock_ns();
        trip_set_due(t);
    }
    if (!t->held)
        t->held = held_new();
    if (!t->held || !held_add(t->held, ev)) { /* too much to hold: it is shown as it is */
        show_held(t, leg, a);
        trip_emit(t, ev);
        return;
    }
    const int n = held_n_tok(t->held);
    if (t->wants_better || ev->kind != EXPERT_DELTA)
        return;
    const bool is_enough = !t->outer->is_whole && n >= t->r->care.probation_tok;
    if (!is_enough && n % LOOK_EVERY_TOK != 0)
        return;
    const enum answer_fault fault = judge(t, false);
    if (fault != ANSWER_NONE)
        want_better(t, leg, fault, a);
    else if (is_enough)
        show_held(t, leg, a);
}

static void pass_on(struct trip *t, struct leg *leg, const struct expert_event *ev, struct after *a)
{
    if (is_answer(ev->kind)) {
        if (leg->is_small && !t->talks) {
            hold(t, leg, ev, a);
            return;
        }
        if (!leg->first_ns)
            leg->first_ns = clock_ns();
        if (!t->talks) /* the first one wins */
            let_talk(t, leg, a);
        if (t->kept && held_add(t->kept, ev))
            return;
        show_kept(t); /* too much to keep */
        trip_emit(t, ev);
        return;
    }
    if (leg->is_hedge && !t->talks)
        return; /* the first one may still win */
    trip_tell(t, leg);
    if (ev->kind == EXPERT_QUEUED ? t->was_queued : ev->kind == EXPERT_STARTED && t->was_started)
        return;
    t->was_queued = t->was_queued || ev->kind != EXPERT_PART; /* "queued" does not come behind "started" */
    t->was_started = t->was_started || ev->kind == EXPERT_STARTED;
    trip_emit(t, ev);
}

static bool is_worth_another(const struct trip *t, const struct err *err)
{
    const struct job *o = t->outer;
    return !t->has_passed && !t->is_stopping && !job_is_cancelled(o) && router_may_retry(err) && has_tries(t) &&
           !(o->deadline_ns && clock_ns() >= o->deadline_ns);
}

static void on_done(struct trip *t, const struct leg *leg, const struct expert_usage *u, struct after *a)
{
    trip_observe(t, leg, u, clock_ns());
    a->slot = leg->slot;
    a->n_prompt_tok = (uint32_t)(u->n_prompt_tok > 0 ? u->n_prompt_tok : 0);
    a->n_prefix_tok = a->n_prompt_tok ? a->n_prompt_tok + (uint32_t)u->n_gen_tok : 0;
    if (!leg->is_small || t->talks) {
        trip_learn(t, leg, 1);
        trip_tell(t, leg);
        show_kept(t);
        trip_finish(t, leg, NULL, u, a);
        return;
    }
    if (!t->held && !(t->held = held_new())) {
        trip_finish(t, leg, NULL, u, a);
        return;
    }
    t->small = *leg;
    t->small_usage = *u;
    t->has_small = true;
    const enum answer_fault fault = judge(t, true);
    if (fault != ANSWER_NONE) {
        want_better(t, leg, fault, a);
        return;
    }
    trip_learn(t, leg, 1);
    trip_settle(t, a);
}

static void on_leg_final(struct trip *t, struct leg *leg, const struct expert_event *ev, struct after *a)
{
    const bool is_wanted = !leg->is_given_up && !t->is_over;
    leg_end(leg, ev->usage, a);
    if (!is_wanted) {
        trip_note(t, leg, ev->kind == EXPERT_DONE ? ERR_NONE : ev->err->code, ev->usage, leg->is_small, false);
        return;
    }
    if (ev->kind == EXPERT_DONE) {
        on_done(t, leg, ev->usage, a);
        return;
    }
    if (leg->is_small && !t->talks) { /* half an answer that nobody has seen */
        held_free(t->held);
        t->held = NULL;
    }
    t->n_failed++;
    t->n_refused += !leg->is_here && ev->err->code == ERR_BUSY;
    t->last = *ev->err;
    if (ev->err->code == ERR_BUSY || ev->err->code == ERR_IO || ev->err->code == ERR_INTERNAL)
        a->is_doubted = !t->outer->deadline_ns || clock_ns() < t->outer->deadline_ns, a->doubted = leg->slot;
    trip_learn(t, leg, 0);
    trip_note_failed(t);
    if (t->talks == leg && !t->has_passed) { /* half an answer that nobody has seen, too */
        held_free(t->kept);
        t->kept = NULL;
        t->talks = NULL;
    }
    if (t->talks == leg) { /* half of its answer is out */
        trip_fail(t, leg, ev->err, ev->usage, a);
        return;
    }
    if (trip_n_hopeful(t) == 0 && !is_worth_another(t, ev->err) && trip_n_running(t) == 0) {
        trip_fail(t, leg, ev->err, ev->usage, a);
        return;
    }
    t->failed = *leg;
    t->failed_code = ev->err->code;
    t->failed_usage = *ev->usage;
    t->has_failed = true;
    if (trip_n_hopeful(t) == 0 && is_worth_another(t, ev->err)) /* else another one is still at it */
        a->todo |= TODO_NEXT;
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
    trip_after(t, &a);
}

/* ---- what the hand does ---- */

/* How long a better one may take: the small one's answer must not make the client wait for ever. */
static float time_left_s(const struct trip *t)
{
    const uint64_t now = clock_ns();
    float left = t->r->care.patience_s - seconds(now - t->begun_ns);
    if (t->outer->deadline_ns)
        left = fminf(left, t->outer->deadline_ns > now ? seconds(t->outer->deadline_ns - now) : 0);
    if (t->wish.deadline_s > 0)
        left = fminf(left, t->wish.deadline_s - seconds(now - t->begun_ns));
    return fmaxf(left, 0.001f);
}

static struct leg *find_small(struct trip *t)
{
    for (int i = 0; i < TRIP_LEGS; i++)
        if (leg_is_hopeful(&t->legs[i]) && t->legs[i].is_small)
            return &t->legs[i];
    return t->has_small ? &t->small : NULL;
}

/* A small expert's answer does not do. */
static void ask_better(struct trip *t)
{
    struct trip_wants wants = { 0 };
    struct err err = { 0 };
    struct after a = { 0 };
    pthread_mutex_lock(&t->lock);
    const struct leg *small = find_small(t);
    const bool is_needed = !t->is_over && !t->talks && trip_n_hopeful(t) == 0;
    if (is_needed && small)
        wants = (struct trip_wants){ .quality_above = small->quality, .within_s = time_left_s(t) };
    const bool may_ask = is_needed && !t->is_stopping && !job_is_cancelled(t->outer) && t->n_asked < t->r->care.n_tries_max;
    const struct err before = t->last;
    pthread_mutex_unlock(&t->lock);
    if (may_ask)
        log_info("auto: %s: %s; a better one is asked", t->id, before.text);
    const bool ok = may_ask && router_ask(t, &wants, &err);
    pthread_mutex_lock(&t->lock);
    struct leg *left = t->is_over || t->talks ? NULL : find_small(t);
    if (ok) {
        if (left && left->job) { /* what it has said so far is no answer */
            leg_give_up(left, &a);
            held_free(t->held);
            t->held = NULL;
        }
    } else if (is_needed && !t->is_over && !t->talks && trip_n_hopeful(t) == 0) {
        if (t->held && !t->is_stopping && !job_is_cancelled(t->outer))
            trip_settle(t, &a);
        else if (trip_n_running(t) == 0)
            trip_fail(t, NULL, before.code != ERR_NONE ? &before : &err, NULL, &a);
    }
    pthread_mutex_unlock(&t->lock);
    trip_after(t, &a);
}

static void ask_next(struct trip *t, const struct trip_wants *wants)
{
    struct err err = { 0 };
    pthread_mutex_lock(&t->lock);
    const bool is_needed = !t->is_over && !t->talks && (wants->is_hedge || trip_n_hopeful(t) == 0);
    const bool is_wanted = is_needed && !t->is_stopping && !job_is_cancelled(t->outer);
    const struct err before = t->last;
    pthread_mutex_unlock(&t->lock);
    if (is_wanted) {
        if (before.code != ERR_NONE && !wants->is_hedge)
            log_info("auto: %s: %s; another expert is asked", t->id, before.text);
        if (router_ask(t, wants, &err))
            return;
    }
    if (wants->is_hedge) {
        pthread_mutex_lock(&t->lock);
        if (is_wanted && !t->is_over && !t->has_passed) { /* nobody was idle: later, perhaps */
            t->was_late = false;
            t->late_again_ns = clock_ns() + ns_of((double)t->r->care.hedge_s);
            trip_set_due(t);
        }
        pthread_mutex_unlock(&t->lock);
        return;
    }
    if (!is_needed)
        return;
    struct after a = { 0 };
    pthread_mutex_lock(&t->lock);
    if (!t->is_over && trip_n_running(t) == 0)
        trip_fail(t, NULL, before.code != ERR_NONE ? &before : &err, NULL, &a);
    pthread_mutex_unlock(&t->lock);
    trip_after(t, &a);
}

/* Something is due: ROUTED, a hedge, a hang. */
static void look(struct trip *t)
{
    const uint64_t now = clock_ns();
    struct after a = { 0 };
    bool wants_hedge = false, wants_next = false;
    pthread_mutex_lock(&t->lock);
    const bool may_try = has_tries(t);
    if (!t->is_over && t->is_accepted && t->outer->deadline_ns && now >= t->outer->deadline_ns + LATE_MS * (uint64_t)1000000) {
        struct err late;
        err_set(&late, ERR_BUSY, "the deadline has passed");
        trip_fail(t, NULL, &late, NULL, &a);
    }
    if (!t->is_over && !t->has_passed && t->is_accepted) {
        if (!t->told && now >= t->begun_ns + TELL_MS * (uint64_t)1000000)
            for (int i = 0; i < TRIP_LEGS && !t->told; i++)
                if (t->legs[i].job && !t->legs[i].is_given_up && !t->legs[i].is_hedge)
                    trip_tell(t, &t->legs[i]);
        for (int i = 0; i < TRIP_LEGS; i++) {
            struct leg *leg = &t->legs[i];
            if (leg_is_hopeful(leg) && leg->is_small && leg->first_ns && t->held && !t->outer->is_whole && !t->wants_better &&
                now >= leg->first_ns + ns_of((double)t->r->care.probation_s)) { /* probation was long enough */
                const enum answer_fault fault = judge(t, false);
                if (fault == ANSWER_NONE)
                    show_held(t, leg, &a);
                else
                    want_better(t, leg, fault, &a);
                break;
            }
            if (!leg_is_hopeful(leg) || leg->first_ns)
                continue;
            if (now >= leg_hung_at(t, leg)) { /* it may still answer first; nobody counts on it */
                leg->is_hung = true;
                t->n_hung++;
                router_count(t->r, ROUTER_HANG);
                err_set(&t->last, ERR_BUSY, "%.100s gave no answer for %.0f s", leg->expert, (double)seconds(now - leg->begun_ns));
                wants_next = may_try;
            } else if (!t->was_late && now >= leg_late_at(t, leg)) {
                t->was_late = true;
                wants_hedge = may_try;
            }
        }
    }
    if (!t->is_over)
        trip_set_due(t);
    pthread_mutex_unlock(&t->lock);
    trip_after(t, &a);
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
            trip_fail(t, NULL, &t->last, NULL, &a);
    }
    pthread_mutex_unlock(&t->lock);
    trip_after(t, &a);
}

void trip_do(struct trip *t, unsigned what)
{
    if (what & TODO_STOP)
        stop_trip(t);
    if (what & TODO_RECALL) {
        struct after a = { 0 };
        pthread_mutex_lock(&t->lock);
        if (!t->is_over)
            trip_recite(t, &a);
        pthread_mutex_unlock(&t->lock);
        trip_after(t, &a);
    }
    if (what & TODO_NEXT) {
        pthread_mutex_lock(&t->lock);
        const bool wants_better = t->wants_better;
        pthread_mutex_unlock(&t->lock);
        if (wants_better)
            ask_better(t);
        else
            ask_next(t, &(struct trip_wants){ .is_hedge = false });
    }
    if (what & TODO_LOOK)
        look(t);
}
