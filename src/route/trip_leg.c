/* route/trip_leg.c - a leg: the inner job, its beginning and end, when somebody should look at it.  Start reading at leg_begin(). */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "route/policy_settings.h"
#include "route/router_internal.h"

enum { INNER_BYTES = 1 << 20, LOOK_MS = 10 };

/* A composite expert asks for pieces: they must know how private the whole is. */
static enum wish_security stricter(enum wish_security asked, const struct trip *t)
{
    const float to = t->r->env.policy->setting[POLICY_SECRETS_TO];
    if (!t->features.is_private || asked == WISH_LOCAL || to >= EXPERT_CLOUD)
        return asked;
    return to >= EXPERT_LAN ? WISH_LAN : WISH_LOCAL;
}

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
    j->max_tokens = leg->short_tok > 0 && (o->max_tokens == 0 || o->max_tokens > leg->short_tok) ? leg->short_tok : o->max_tokens;
    j->stops = o->stops;
    j->n_stops = o->n_stops;
    j->n_logprobs = leg->is_small && leg->is_sure_known && o->n_logprobs < 0 ? 0 : o->n_logprobs;
    j->ignore_eos = o->ignore_eos;
    j->show_special = o->show_special;
    j->is_whole = o->is_whole;
    j->wish = t->wish;
    j->wish.security = stricter(j->wish.security, t);
    j->priority = o->priority;
    j->deadline_ns = o->deadline_ns;
    j->on_event = leg_on_event;
    j->ctx = leg;
    j->on_free = (void (*)(void *))job_unref; /* all that it points to is the outer one's */
    j->free_ctx = job_ref(t->outer);
    return j;
}

bool leg_is_hopeful(const struct leg *leg) { return leg->job && !leg->is_given_up && !leg->is_hung; }

int trip_n_hopeful(const struct trip *t)
{
    int n = 0;
    for (int i = 0; i < TRIP_LEGS; i++)
        n += leg_is_hopeful(&t->legs[i]) && !(t->legs[i].is_small && t->wants_better);
    return n;
}

uint64_t leg_hung_at(const struct trip *t, const struct leg *leg)
{
    return leg->begun_ns + ns_of((double)fmaxf(t->r->care.hang_s, 3 * leg->guess.ttft_s));
}

/* Far later than predicted; with a deadline while there is still time for another one.  Then again and again until one was idle. */
uint64_t leg_late_at(const struct trip *t, const struct leg *leg)
{
    const struct router_care *care = &t->r->care;
    if (care->hedge_s < 0)
        return UINT64_MAX;
    float late_s = care->hedge_factor * leg->guess.ttft_s;
    if (t->wish.deadline_s > 0)
        late_s = fminf(late_s, t->wish.deadline_s / 2 - seconds(leg->begun_ns - t->begun_ns));
    const uint64_t at = leg->begun_ns + ns_of((double)fmaxf(care->hedge_s, late_s));
    return at > t->late_again_ns ? at : t->late_again_ns;
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
    if (t->is_over)
        return 0;
    if (t->outer->deadline_ns)
        AT_LATEST(t->outer->deadline_ns + LATE_MS * (uint64_t)1000000);
    if (t->has_passed) /* whoever speaks is watched by his own */
        return due == UINT64_MAX ? 0 : due;
    if (!t->told)
        AT_LATEST(t->begun_ns + TELL_MS * (uint64_t)1000000);
    for (int i = 0; i < TRIP_LEGS; i++) {
        const struct leg *leg = &t->legs[i];
        if (leg_is_hopeful(leg) && leg->is_small && leg->first_ns && !t->outer->is_whole && !t->wants_better)
            AT_LATEST(leg->first_ns + ns_of((double)t->r->care.probation_s));
        if (!leg_is_hopeful(leg) || leg->first_ns)
            continue;
        AT_LATEST(leg_hung_at(t, leg));
        if (!t->was_late)
            AT_LATEST(leg_late_at(t, leg));
    }
#undef AT_LATEST
    return due == UINT64_MAX ? 0 : due;
}

/* Under trip.lock. */
void trip_set_due(struct trip *t)
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
    pthread_mutex_lock(&t->r->lock); /* wake() reads every leg's job */
    *leg = *like;
    pthread_mutex_unlock(&t->r->lock);
    leg->trip = t;
    leg->begun_ns = clock_ns();
    struct job *j = make_job(t, leg, err);
    if (j) {
        trip_note_failed(t);
        leg->n_asked = ++t->n_asked;
        t->n_hedged += leg->is_hedge;
        t->n_promoted += leg->is_better;
        leg->joules_before = leg->is_here ? router_joules(t->r, +1) : (double)NAN;
        pthread_mutex_lock(&t->r->lock);
        leg->job = j;
        t->refs++;
        pthread_mutex_unlock(&t->r->lock);
        if (job_is_held(t->outer))
            job_hold(j, true);
        if (job_is_cancelled(t->outer))
            job_cancel(j);
        trip_set_due(t);
    }
    pthread_mutex_unlock(&t->lock);
    return j ? leg : NULL;
}

/* Under trip.lock: the leg is FREE; its job is dropped afterwards. */
void leg_end(struct leg *leg, const struct expert_usage *u, struct after *a)
{
    struct trip *t = leg->trip;
    leg->ended_ns = clock_ns();
    const float run_s = seconds(leg->ended_ns - leg->begun_ns);
    double joules = (double)NAN;
    if (leg->is_here) {
        const double after = router_joules(t->r, -1);
        joules = after - leg->joules_before;
    }
    leg->is_measured = joules >= 0;
    if (!leg->is_measured)
        t->is_estimated = true, joules = (double)(leg->busy_w * fmaxf(0, run_s - (u ? seconds(u->queue_ns) : 0)));
    leg->joules = (float)joules;
    if (joules >= 0) {
        t->joules += joules;
        pthread_mutex_lock(&t->r->figures_lock);
        t->r->joules_of[leg->slot][leg->is_measured] += joules;
        pthread_mutex_unlock(&t->r->figures_lock);
    } else {
        t->is_unknown = true;
    }
    leg->usd = 0;
    if (u)
        leg->usd = (float)(((double)leg->usd_in * u->n_prompt_tok + (double)leg->usd_out * u->n_gen_tok) / 1e6 + (double)leg->usd_item * t->request.n_items);
    if (joules >= 0)
        leg->usd += (float)(joules / 3.6e6 * (double)leg->usd_kwh);
    t->usd += (double)leg->usd;
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
    trip_after(t, &a);
}

int trip_n_running(const struct trip *t)
{
    int n = 0;
    for (int i = 0; i < TRIP_LEGS; i++)
        n += t->legs[i].job && !t->legs[i].is_given_up;
    return n;
}

void leg_give_up(struct leg *leg, struct after *a)
{
    if (!leg->job || leg->is_given_up)
        return;
    leg->is_given_up = true;
    a->cancel[a->n_cancel++] = job_ref(leg->job);
}

