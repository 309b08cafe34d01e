/* route/trip_end.c - who answers, and the end: one final event, what it took, what is learned from it. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "route/bandit.h"
#include "route/journal.h"
#include "route/predict.h"
#include "route/router_internal.h"

/* ---- behind the locks ---- */

static void remember_prefix(struct trip *t, const struct after *a)
{
    struct router *r = t->r;
    pthread_mutex_lock(&r->figures_lock);
    affinity_keep(&r->affinity, t->session_key, (uint32_t)a->slot, a->n_prefix_tok);
    affinity_keep(&r->affinity, t->system_key, (uint32_t)a->slot, a->n_prompt_tok / 2); /* how much of it is the system text is not known */
    pthread_mutex_unlock(&r->figures_lock);
}

void trip_after(struct trip *t, struct after *a)
{
    for (int i = 0; i < a->n_cancel; i++) {
        job_cancel(a->cancel[i]);
        job_unref(a->cancel[i]);
    }
    for (int i = 0; i < a->n_drop; i++)
        job_unref(a->drop[i]);
    if (a->n_prefix_tok)
        remember_prefix(t, a);
    if (a->is_doubted) {
        pthread_mutex_lock(&t->r->decide_lock);
        live_doubt(&t->r->live, a->doubted);
        pthread_mutex_unlock(&t->r->decide_lock);
    }
    if (a->todo)
        trip_todo(t, a->todo);
    while (a->n_unref-- > 0)
        trip_unref(t);
}

/* ---- telling who answers ---- */

static void fill_route(const struct trip *t, const struct leg *leg, struct expert_route *out)
{
    *out = (struct expert_route){ .expert = leg->expert, .node = leg->node, .why = leg->why, .intent = t->has_intent ? intent_name(t->intent.best) : "",
                                  .n_asked = leg->n_asked, .is_degraded = leg->ladder[0] != '\0', .ladder = leg->ladder, .ttft_s = leg->guess.ttft_s,
                                  .total_s = leg->guess.total_s, .joules = leg->guess.joules, .usd = leg->guess.usd };
    snprintf(out->id, sizeof(out->id), "%s", t->id);
}

void trip_emit(struct trip *t, const struct expert_event *ev)
{
    if (t->recall.a && ev->kind == EXPERT_DELTA)
        buf_append(&t->said, ev->text, ev->n_text);
    if (ev->kind == EXPERT_CHOICE_END && ev->reason != EXPERT_STOP)
        t->recall = (struct recall_key){ 0 }; /* cut off: not worth keeping */
    t->outer->on_event(t->outer->ctx, ev);
}

void trip_tell(struct trip *t, const struct leg *leg)
{
    struct expert_route route;
    if (t->told == leg->n_asked)
        return;
    t->told = leg->n_asked;
    fill_route(t, leg, &route);
    trip_emit(t, &(struct expert_event){ .kind = EXPERT_ROUTED, .route = &route });
}

/* ---- the end ---- */

void trip_observe(struct trip *t, const struct leg *leg, const struct expert_usage *u, uint64_t now_ns)
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
    if (leg->is_measured)
        predictor_observe(p, leg->slot, PREDICT_JOULES, g->joules, leg->joules);
    pthread_mutex_unlock(&r->figures_lock);
}

static bool missed_deadline(const struct trip *t, uint64_t now_ns)
{
    const uint64_t deadline = t->outer->deadline_ns;
    return (deadline && now_ns > deadline) || (t->wish.deadline_s > 0 && seconds(now_ns - t->begun_ns) > t->wish.deadline_s);
}

void trip_note(struct trip *t, const struct leg *leg, enum err_code code, const struct expert_usage *u, bool was_promoted, bool is_last)
{
    const uint64_t now_ns = clock_ns();
    if (!t->r->env.journal)
        return;
    const struct journal_outcome o = {
        .end = code == ERR_NONE ? JOURNAL_DONE : code == ERR_CANCELLED ? JOURNAL_CANCELLED : JOURNAL_FAILED, .code = code, .slot = leg->slot, .n_asked = leg->n_asked,
        .was_promoted = was_promoted, .is_last = is_last, .missed_deadline = is_last && missed_deadline(t, now_ns),
        .ttft_s = leg->first_ns ? seconds(leg->first_ns - leg->begun_ns) : (float)NAN, .total_s = seconds((leg->ended_ns ? leg->ended_ns : now_ns) - leg->begun_ns),
        .n_prompt_tok = u ? u->n_prompt_tok : 0, .n_cached_tok = u ? u->n_cached_tok : 0, .n_gen_tok = u ? u->n_gen_tok : 0,
        .joules = leg->joules, .usd = leg->usd, .is_measured = leg->is_measured,
    };
    journal_ended(t->r->env.journal, t->id, &o);
}

void trip_note_failed(struct trip *t)
{
    if (t->has_failed)
        trip_note(t, &t->failed, t->failed_code, &t->failed_usage, false, false);
    t->has_failed = false;
}

static void report(struct trip *t, const struct leg *leg, enum err_code code, const struct expert_usage *u)
{
    struct router *r = t->r;
    const struct router_outcome o = { .code = code, .cls = route_class_of((unsigned)t->request.task), .n_hung = t->n_hung, .n_failed = t->n_failed,
                                      .had_deadline = !t->is_hopeless && (t->outer->deadline_ns != 0 || t->wish.deadline_s > 0), .missed_deadline = missed_deadline(t, clock_ns()) };
    if (r->env.governor.ended)
        r->env.governor.ended(r->env.governor.ctx, &o);
    if (t->has_small && !(leg && leg->n_asked == t->small.n_asked)) /* another one's answer was better, or nobody's was wanted */
        trip_note(t, &t->small, ERR_NONE, &t->small_usage, true, false);
    if (t->has_failed && !leg && code != ERR_NONE) { /* its error is the answer */
        leg = &t->failed;
        u = &t->failed_usage;
        t->has_failed = false;
    }
    trip_note_failed(t);
    if (leg)
        trip_note(t, leg, code, u, false, true);
}

static void close_trip(struct trip *t, struct after *a)
{
    t->is_over = true;
    atomic_store(&t->due_ns, 0);
    held_free(t->held);
    held_free(t->kept);
    t->held = t->kept = NULL;
    for (int i = 0; i < TRIP_LEGS; i++)
        leg_give_up(&t->legs[i], a);
}

/* The one final event. */
static void say_end(struct trip *t, const struct expert_event *ev, struct after *a)
{
    struct job *o = t->outer;
    pthread_mutex_lock(&t->r->lock);
    t->outer = NULL;
    pthread_mutex_unlock(&t->r->lock);
    atomic_store(&o->priv.expert, NULL);
    o->on_event(o->ctx, ev);
    a->drop[a->n_drop++] = o;
    a->n_unref++;
}

void trip_finish(struct trip *t, const struct leg *leg, const struct err *err, const struct expert_usage *usage, struct after *a)
{
    static const struct expert_usage nothing;
    struct expert_route route;
    close_trip(t, a);
    if (!err && leg && t->recall.a && t->said.len > 0 && !t->said.failed)
        recall_put(t->r->recall, &t->recall, t->said.data, t->said.len, (double)clock_ns() / 1e9);
    report(t, leg, err ? err->code : ERR_NONE, usage);
    if (leg) {
        fill_route(t, leg, &route);
        route.joules = t->is_unknown ? (float)NAN : (float)t->joules;
        route.usd = (float)t->usd;
        route.is_measured = !t->is_estimated;
    }
    say_end(t, &(struct expert_event){ .kind = err ? EXPERT_ERROR : EXPERT_DONE, .usage = usage ? usage : &nothing, .err = err, .route = leg ? &route : NULL }, a);
}

bool trip_recall(struct trip *t)
{
    buf_clear(&t->said);
    return t->r->recall && t->recall.a && recall_get(t->r->recall, &t->recall, (double)clock_ns() / 1e9, &t->said, &t->recall_age_s);
}

/* Who remembers is no expert: it says so. */
void trip_recite(struct trip *t, struct after *a)
{
    char why[96];
    const float nan = (float)NAN;
    snprintf(why, sizeof(why), "nobody can answer now; the same was asked %.0f s ago", t->recall_age_s);
    struct expert_route route = { .expert = "memory", .node = "local", .why = why, .intent = t->has_intent ? intent_name(t->intent.best) : "", .n_asked = t->n_asked, .is_degraded = true,
                                  .ladder = "offline: remembered", .ttft_s = 0, .total_s = 0, .joules = nan, .usd = nan };
    static const struct expert_usage nothing;
    snprintf(route.id, sizeof(route.id), "%s", t->id);
    t->recall = (struct recall_key){ 0 }; /* it is there already */
    t->has_passed = true;
    router_count(t->r, ROUTER_REMEMBERED);
    trip_emit(t, &(struct expert_event){ .kind = EXPERT_ROUTED, .route = &route });
    if (!t->was_queued)
        trip_emit(t, &(struct expert_event){ .kind = EXPERT_QUEUED });
    if (!t->was_started)
        trip_emit(t, &(struct expert_event){ .kind = EXPERT_STARTED, .usage = &nothing });
    trip_emit(t, &(struct expert_event){ .kind = EXPERT_DELTA, .text = t->said.data, .n_text = t->said.len });
    trip_emit(t, &(struct expert_event){ .kind = EXPERT_CHOICE_END, .reason = EXPERT_STOP });
    close_trip(t, a);
    report(t, NULL, ERR_NONE, NULL);
    say_end(t, &(struct expert_event){ .kind = EXPERT_DONE, .usage = &nothing, .route = &route }, a);
}

void trip_fail(struct trip *t, const struct leg *leg, const struct err *err, const struct expert_usage *u, struct after *a)
{
    struct err why;
    if (t->is_stopping) {
        err_set(&why, ERR_BUSY, "shutting down");
        trip_finish(t, leg, &why, u, a);
    } else if (job_is_cancelled(t->outer)) {
        err_set(&why, ERR_CANCELLED, "cancelled");
        trip_finish(t, leg, &why, u, a);
    } else if (t->held && t->has_small && !t->has_passed) {
        trip_settle(t, a);
    } else if (!t->has_passed && err->code != ERR_INPUT && trip_recall(t)) {
        trip_recite(t, a);
    } else {
        trip_finish(t, leg, err, u, a);
    }
}


void trip_settle(struct trip *t, struct after *a)
{
    struct leg *leg = t->has_small ? &t->small : NULL;
    for (int i = 0; i < TRIP_LEGS && !leg; i++)
        if (leg_is_hopeful(&t->legs[i]) && t->legs[i].is_small)
            leg = &t->legs[i];
    if (!leg || !t->held)
        return;
    trip_tell(t, leg);
    held_show(t->held, t);
    held_free(t->held);
    t->held = NULL;
    t->wants_better = leg->is_small = false;
    t->has_passed = true;
    t->talks = leg;
    for (int i = 0; i < TRIP_LEGS; i++)
        if (&t->legs[i] != leg)
            leg_give_up(&t->legs[i], a);
    if (t->has_small)
        trip_finish(t, leg, NULL, &t->small_usage, a);
}

void trip_learn(struct trip *t, const struct leg *leg, float outcome)
{
    struct router *r = t->r;
    struct bandit_context ctx;
    if (!r->env.bandit || !t->has_intent)
        return;
    bandit_context_of(&t->request, &ctx);
    pthread_mutex_lock(&r->figures_lock);
    bandit_observe(r->env.bandit, leg->kin, &ctx, outcome, leg->guess.p_good);
    pthread_mutex_unlock(&r->figures_lock);
}
