/* route/router.c - the door of `auto`, the decision, the hand that does what takes time; start reading at submit(). */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "route/policy_settings.h"
#include "route/router_internal.h"

const double router_bucket_s[ROUTER_BUCKETS] = { 2e-6, 5e-6, 10e-6, 20e-6, 50e-6, 100e-6, 250e-6, 1e-3, 10e-3 };

static struct door *door_of(struct expert *e) { return (struct door *)e; }

/* ---- deciding ---- */

/* Who has the beginning of this conversation in its cache. */
static void fill_prefixes(struct trip *t)
{
    struct router *r = t->r;
    const uint64_t keys[] = { t->session_key, t->system_key };
    uint32_t slots[AFFINITY_WAYS], toks[AFFINITY_WAYS];
    for (size_t k = 0; k < 2; k++) {
        pthread_mutex_lock(&r->figures_lock);
        const int n = affinity_find(&r->affinity, keys[k], slots, toks);
        pthread_mutex_unlock(&r->figures_lock);
        for (int i = 0; i < n; i++) {
            struct candidate *c = slots[i] < (uint32_t)r->live->world.n ? &r->live->list[slots[i]] : NULL;
            if (c && c->is_warm && toks[i] > c->prefix_tok)
                c->prefix_tok = toks[i] < t->request.prompt_tok ? toks[i] : (uint32_t)t->request.prompt_tok;
        }
    }
}

static void set_tried(struct trip *t, int i) { t->tried[i / 64] |= (uint64_t)1 << (i % 64); }

/* Why nobody is left. */
static bool explain_none(const struct trip *t, const struct route_decision *d, const struct candidates *w, struct err *err)
{
    int best = -1; /* who came furthest */
    for (int i = 0; i < d->n; i++)
        if (d->verdicts[i].rule != ROUTE_RULE_NONE && !(t->is_for_pieces && t->r->live->of[i].is_composite) &&
            (best < 0 || d->verdicts[i].rule > d->verdicts[best].rule))
            best = i;
    if (best < 0)
        return err_set(err, ERR_UNSUPPORTED, "no expert here can do '%s'", expert_task_name(t->request.task));
    const enum route_rule rule = d->verdicts[best].rule;
    if (rule == ROUTE_RULE_CONTEXT)
        return err_set(err, ERR_INPUT, "context_length_exceeded: the prompt has about %llu tokens, the longest context here is %d",
                       (unsigned long long)t->request.prompt_tok, w->list[best].n_ctx);
    return err_set(err, !route_rule_is_hard(rule) || rule == ROUTE_RULE_DOWN || rule == ROUTE_RULE_TRIED ? ERR_BUSY : ERR_UNSUPPORTED, "no expert here may answer '%s': %s %s", expert_task_name(t->request.task), w->list[best].expert,
                   route_rule_why(rule));
}

static bool is_wanted(const struct candidate *c, const struct route_guess *g, const struct trip_wants *want)
{
    return (!want->is_idle || (c->n_running + c->n_waiting == 0 && c->is_warm)) && (want->quality_above <= 0 || c->quality > want->quality_above) &&
           (want->within_s <= 0 || !(g->total_s > want->within_s));
}

/* One answer of text, which somebody can look at. */
static bool can_be_judged(const struct job *j)
{
    return j->task & (EXPERT_CHAT | EXPERT_COMPLETE) && j->n_choices == 1 && (j->task == EXPERT_CHAT || j->n_inputs == 1);
}

/* Shall its answer be looked at before it is shown?  It is small, and a better one might be asked. */
static bool is_on_probation(const struct trip *t, const struct route_decision *d, const struct candidates *w, int i)
{
    const struct policy *p = t->r->env.policy;
    if (!can_be_judged(t->outer) || p->weight[t->goal][POLICY_WEIGHT_CATCH] <= 0)
        return false;
    if (d->is_small_first)
        return true;
    for (int k = 0; k < d->n && w->list[i].quality <= p->setting[POLICY_SMALL_TIER]; k++)
        if (w->list[k].quality > w->list[i].quality && (d->verdicts[k].rule == ROUTE_RULE_NONE || d->verdicts[k].rule == ROUTE_RULE_EARLY))
            return true;
    return false;
}

static void count_decision(struct router *r, double s)
{
    int i = 0;
    while (i < ROUTER_BUCKETS && s > router_bucket_s[i])
        i++;
    r->bucket[i]++;
    r->decided_s += s;
}

/* Fills in what a leg needs to know of the one that is chosen; *e: who it is. */
static bool decide(struct trip *t, const struct trip_wants *want, struct leg *like, struct expert **e, struct err *err)
{
    struct router *r = t->r;
    struct route_decision *d = r->decision;
    const struct candidates *w = &r->live->world;
    bool ok = false;
    pthread_mutex_lock(&r->decide_lock);
    live_look(r->live);
    const uint64_t begun_ns = clock_ns();
    const bool is_first = !t->is_read;
    if (is_first)
        trip_read(t);
    t->is_read = true;
    if (r->env.governor.see)
        r->env.governor.see(r->env.governor.ctx, &r->live->world);
    fill_prefixes(t);
    const bool is_one = t->is_for_pieces || (!t->request.needs_sight && !t->request.needs_hearing); /* nothing to take apart */
    for (int i = 0; is_one && i < w->n; i++)
        if (r->live->of[i].is_composite)
            set_tried(t, i);
    for (int i = 0; want->quality_above > 0 && i < w->n; i++)
        if (w->list[i].quality <= want->quality_above)
            set_tried(t, i);
    policy_decide(r->env.policy, r->env.predictor, r->env.bandit, &t->request, w, t->tried, d);
    int at = -1;
    for (int i = 0; i < d->n_able && at < 0; i++)
        if (is_wanted(&w->list[d->order[i]], &d->verdicts[d->order[i]].guess, want))
            at = i;
    if (at >= 0) {
        const int i = d->order[at];
        const struct candidate *c = &w->list[i];
        set_tried(t, i);
        *like = (struct leg){ .slot = i, .is_small = is_first && at == 0 && is_on_probation(t, d, w, i), .is_sure_known = r->live->of[i].is_engine, .is_forgiven = d->verdicts[i].is_forgiven, .is_hedge = want->is_hedge, .is_better = want->quality_above > 0,
                              .quality = c->quality, .busy_w = c->busy_w, .usd_in = c->usd_per_mtok_in, .usd_out = c->usd_per_mtok_out, .usd_item = c->usd_per_item,
                              .is_here = c->node == 0, .guess = d->verdicts[i].guess };
        if (at == 0)
            policy_put_why(&t->request, w, d, like->why, sizeof(like->why));
        else
            snprintf(like->why, sizeof(like->why), "%.100s on %.60s: %s", c->expert, w->nodes[c->node].name, want->is_hedge ? "the first one was late" : "better than the one before");
        if (r->env.governor.put_ladder && c->node == 0)
            r->env.governor.put_ladder(r->env.governor.ctx, c->cls, like->ladder, sizeof(like->ladder));
        *e = r->live->of[i].expert;
        ok = true;
    } else {
        explain_none(t, d, w, err);
    }
    const double s = (double)(clock_ns() - begun_ns) / 1e9;
    if (is_first && r->env.journal.decided)
        r->env.journal.decided(r->env.journal.ctx, t->id, &t->request, w, d);
    pthread_mutex_lock(&r->figures_lock);
    count_decision(r, s);
    if (ok) {
        r->decisions_of[like->slot][t->goal]++;
        r->figures.forgiven += like->is_forgiven;
        r->figures.hedges += want->is_hedge;
        r->figures.promotions += want->quality_above > 0;
        if (is_first)
            r->figures.decisions[t->goal]++;
        else
            r->figures.retries += !want->is_hedge && want->quality_above <= 0;
    } else if (is_first) {
        r->figures.refused++;
    }
    pthread_mutex_unlock(&r->figures_lock);
    pthread_mutex_unlock(&r->decide_lock);
    return ok;
}

void router_count(struct router *r, enum router_event what)
{
    struct router_figures *f = &r->figures;
    pthread_mutex_lock(&r->figures_lock);
    f->hedges_won += what == ROUTER_HEDGE_WON;
    f->hangs += what == ROUTER_HANG;
    f->remembered += what == ROUTER_REMEMBERED;
    pthread_mutex_unlock(&r->figures_lock);
}

/* The bytes of a job that are wrong are wrong for everybody; another expert may take what this one cannot. */
bool router_may_retry(const struct err *err)
{
    return err->code != ERR_INPUT || strstr(err->text, "context_length_exceeded") != NULL;
}

bool router_ask(struct trip *t, const struct trip_wants *wants, struct err *err)
{
    struct err why = { 0 };
    struct leg like;
    struct expert *e;
    while (decide(t, wants, &like, &e, err)) {
        struct leg *leg = leg_begin(t, &like, err);
        if (!leg)
            return false;
        struct job *j = job_ref(leg->job); /* its final event may come before expert_submit() returns */
        const bool ok = expert_submit(e, j, err);
        if (!ok)
            leg_abandon(leg);
        job_unref(j);
        if (ok)
            return true;
        why = *err;
        if (!router_may_retry(err))
            return false;
    }
    if (why.code != ERR_NONE)
        *err = why;
    return false;
}

/* ---- joules, shared out among those that run ---- */

double router_joules(struct router *r, int change)
{
    const double now = r->env.governor.joules ? r->env.governor.joules(r->env.governor.ctx) : (double)NAN;
    pthread_mutex_lock(&r->figures_lock);
    if (r->n_busy > 0 && now > r->joules_seen)
        r->joules_each += (now - r->joules_seen) / r->n_busy;
    r->joules_seen = now;
    r->n_busy += change;
    const double each = r->joules_each;
    pthread_mutex_unlock(&r->figures_lock);
    return now >= 0 ? each : (double)NAN;
}

/* ---- trips ---- */

static struct trip *trip_take(struct router *r, struct err *err)
{
    pthread_mutex_lock(&r->lock);
    struct trip *t = r->kept;
    if (t) {
        r->kept = t->next;
        r->n_kept--;
    }
    pthread_mutex_unlock(&r->lock);
    if (!t && !(t = malloc(sizeof(*t))))
        return err_null(err, ERR_NOMEM, "the router: out of memory");
    memset(t, 0, sizeof(*t));
    t->r = r;
    pthread_mutex_init(&t->lock, NULL);
    for (int i = 0; i < TRIP_LEGS; i++)
        t->legs[i].trip = t;
    t->refs = 1;
    t->begun_ns = clock_ns();
    return t;
}

static void trip_link(struct trip *t)
{
    struct router *r = t->r;
    pthread_mutex_lock(&r->lock);
    t->prev = NULL;
    t->next = r->trips;
    if (t->next)
        t->next->prev = t;
    r->trips = t;
    r->n_trips++;
    pthread_mutex_unlock(&r->lock);
}

void trip_unref(struct trip *t)
{
    struct router *r = t->r;
    bool is_kept = false;
    pthread_mutex_lock(&r->lock);
    const bool is_gone = --t->refs == 0;
    if (is_gone) {
        if (t->prev)
            t->prev->next = t->next;
        else
            r->trips = t->next;
        if (t->next)
            t->next->prev = t->prev;
        pthread_mutex_destroy(&t->lock);
        if (r->n_kept < TRIPS_KEPT) {
            t->next = r->kept;
            r->kept = t;
            r->n_kept++;
            is_kept = true;
        }
        if (--r->n_trips == 0)
            pthread_cond_broadcast(&r->still);
    }
    pthread_mutex_unlock(&r->lock);
    if (is_gone && !is_kept)
        free(t);
}

void trip_todo(struct trip *t, unsigned what)
{
    struct router *r = t->r;
    pthread_mutex_lock(&r->lock);
    t->todo |= what;
    if (!t->is_listed) {
        t->is_listed = true;
        t->refs++;
        t->todo_next = NULL;
        *r->todo_last = t;
        r->todo_last = &t->todo_next;
        pthread_cond_signal(&r->hand_wake);
    }
    pthread_mutex_unlock(&r->lock);
}

/* ---- the hand ---- */

/* Under the lock: what is due becomes something to do; returns when the next is. */
static uint64_t look_at_clock(struct router *r)
{
    const uint64_t now = clock_ns();
    uint64_t next = UINT64_MAX;
    const bool is_over = r->is_stopping && now >= r->drain_until_ns;
    if (r->is_stopping && !is_over && r->n_trips > 0)
        next = r->drain_until_ns;
    for (struct trip *t = r->trips; t; t = t->next) {
        const uint64_t due = atomic_load(&t->due_ns);
        unsigned what = 0;
        if (due && due <= now) {
            atomic_store(&t->due_ns, 0);
            what |= TODO_LOOK;
        } else if (due && due < next) {
            next = due;
        }
        if (is_over && !t->is_told_to_stop) {
            t->is_told_to_stop = true;
            what |= TODO_STOP;
        }
        if (what && !t->is_listed) {
            t->is_listed = true;
            t->refs++;
            t->todo_next = NULL;
            *r->todo_last = t;
            r->todo_last = &t->todo_next;
        }
        t->todo |= what;
    }
    return next;
}

static void *hand_main(void *arg)
{
    struct router *r = arg;
    pthread_mutex_lock(&r->lock);
    while (!r->quit) {
        struct trip *t = r->todo_first;
        if (t) {
            r->todo_first = t->todo_next;
            if (!r->todo_first)
                r->todo_last = &r->todo_first;
            t->is_listed = false;
            const unsigned what = t->todo;
            t->todo = 0;
            pthread_mutex_unlock(&r->lock);
            trip_do(t, what);
            trip_unref(t);
            pthread_mutex_lock(&r->lock);
            continue;
        }
        const uint64_t next = look_at_clock(r);
        if (r->todo_first)
            continue;
        r->hand_until_ns = next;
        if (next == UINT64_MAX) {
            pthread_cond_wait(&r->hand_wake, &r->lock);
        } else {
            const struct timespec until = { (time_t)(next / 1000000000u), (long)(next % 1000000000u) };
            pthread_cond_timedwait(&r->hand_wake, &r->lock, &until);
        }
        r->hand_until_ns = 0;
    }
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

/* ---- the calls of expert.h ---- */

static bool submit(struct expert *base, struct job *j, struct err *err)
{
    struct door *d = door_of(base);
    struct router *r = d->r;
    pthread_mutex_lock(&r->lock);
    const bool is_closed = r->is_stopping;
    pthread_mutex_unlock(&r->lock);
    if (is_closed)
        return err_set(err, ERR_BUSY, "%s is shutting down", router_expert_id(d->goal));
    struct trip *t = trip_take(r, err);
    if (!t)
        return false;
    t->outer = j;
    t->goal = d->goal;
    t->is_for_pieces = d->is_for_pieces;
    t->wish = j->wish;
    if (t->goal == ROUTE_PRIVATE)
        t->wish.security = WISH_LOCAL;
    pthread_mutex_lock(&r->figures_lock);
    snprintf(t->id, sizeof(t->id), "rt_%016llx", (unsigned long long)rng_u64(&r->rng));
    pthread_mutex_unlock(&r->figures_lock);
    trip_link(t);
    const struct trip_wants any = { 0 };
    pthread_mutex_lock(&r->lock); /* a reference of our own: the trip may be over before router_ask() returns */
    t->refs++;
    pthread_mutex_unlock(&r->lock);
    const bool ok = router_ask(t, &any, err);
    pthread_mutex_lock(&t->lock);
    t->is_accepted = ok;
    t->is_over = t->is_over || !ok;
    pthread_mutex_unlock(&t->lock);
    if (!ok) {
        pthread_mutex_lock(&r->lock);
        t->outer = NULL;
        pthread_mutex_unlock(&r->lock);
        trip_unref(t);
    }
    trip_unref(t);
    return ok;
}

/* A flag of one of the outer jobs changed: its inner ones get the same.  No lock is held while an expert is told, for it may be
 * one that asks the router itself; whoever changed something looks again, so the last word wins. */
static void wake(struct expert *base)
{
    struct router *r = door_of(base)->r;
    for (;;) {
        struct job *j = NULL;
        bool is_cancelled = false, is_held = false;
        pthread_mutex_lock(&r->lock);
        for (struct trip *t = r->trips; t && !j; t = t->next) {
            if (!t->outer)
                continue;
            is_cancelled = job_is_cancelled(t->outer);
            is_held = job_is_held(t->outer);
            for (int i = 0; i < TRIP_LEGS && !j; i++) {
                struct job *in = t->legs[i].job;
                if (in && ((is_cancelled && !job_is_cancelled(in)) || is_held != job_is_held(in)))
                    j = job_ref(in);
            }
        }
        pthread_mutex_unlock(&r->lock);
        if (!j)
            return;
        job_hold(j, is_held);
        if (is_cancelled)
            job_cancel(j);
        job_unref(j);
    }
}

static void get_card(struct expert *base, struct expert_card *out)
{
    struct door *d = door_of(base);
    struct router *r = d->r;
    memset(out, 0, sizeof(*out));
    snprintf(out->id, sizeof(out->id), "%s", router_expert_id(d->goal));
    snprintf(out->name, sizeof(out->name), "%s", router_expert_id(d->goal));
    snprintf(out->kind, sizeof(out->kind), "router");
    snprintf(out->description, sizeof(out->description), "the expert that fits a request best");
    pthread_mutex_lock(&r->decide_lock);
    live_look(r->live);
    for (int i = 0; i < r->live->world.n; i++) {
        const struct candidate *c = &r->live->list[i];
        if (d->goal == ROUTE_PRIVATE && c->privacy != EXPERT_LOCAL)
            continue;
        out->tasks |= c->tasks;
        out->sees = out->sees || c->sees;
        out->hears = out->hears || c->hears;
        out->knows_tools = out->knows_tools || c->knows_tools;
        out->n_ctx = c->n_ctx > out->n_ctx ? c->n_ctx : out->n_ctx;
        out->privacy = c->privacy > out->privacy ? c->privacy : out->privacy;
        out->created_s = r->live->of[i].created_s > out->created_s ? r->live->of[i].created_s : out->created_s;
    }
    pthread_mutex_unlock(&r->decide_lock);
}

static void get_metrics(struct expert *base, struct expert_metrics *out)
{
    struct router *r = door_of(base)->r;
    memset(out, 0, sizeof(*out));
    pthread_mutex_lock(&r->lock);
    out->n_running = r->n_trips;
    out->state = r->is_stopping ? EXPERT_DOWN : r->n_trips > 0 ? EXPERT_BUSY : EXPERT_WARM;
    pthread_mutex_unlock(&r->lock);
    if (out->state == EXPERT_DOWN)
        snprintf(out->why, sizeof(out->why), "shutting down");
}

static void stop_router(struct router *r, uint64_t drain_ns)
{
    const uint64_t now = clock_ns(), until = drain_ns > UINT64_MAX - now ? UINT64_MAX : now + drain_ns;
    pthread_mutex_lock(&r->lock);
    if (!r->is_stopping || until < r->drain_until_ns)
        r->drain_until_ns = until;
    r->is_stopping = true;
    pthread_cond_signal(&r->hand_wake);
    while (r->n_trips > 0)
        pthread_cond_wait(&r->still, &r->lock);
    pthread_mutex_unlock(&r->lock);
}

static void stop(struct expert *base, uint64_t drain_ns) { stop_router(door_of(base)->r, drain_ns); }
static void free_door(struct expert *base) { (void)base; } /* it belongs to the router */
static bool wait_ready(struct expert *base, struct err *err) { return (void)base, (void)err, true; }

static const struct expert_ops door_ops = { .free = free_door, .submit = submit, .wake = wake, .card = get_card, .metrics = get_metrics, .stop = stop,
                                            .wait_ready = wait_ready };

/* ---- life ---- */

const char *router_expert_id(enum route_goal goal)
{
    static const char *const ids[] = {
#define X(id, word, help) word[0] == 'b' && word[1] == 'a' ? "auto" : "auto:" word,
        ROUTE_GOALS(X)
#undef X
    };
    return (unsigned)goal < ROUTE_GOAL_COUNT ? ids[goal] : "auto";
}

struct expert *router_expert(struct router *r, enum route_goal goal) { return &r->doors[0][goal].base; }
struct expert *router_expert_for_pieces(struct router *r, enum route_goal goal) { return &r->doors[1][goal].base; }

bool router_add(struct router *r, struct expert *e, const struct candidate *hint, bool is_composite, struct err *err)
{
    pthread_mutex_lock(&r->decide_lock);
    const bool ok = live_add(r->live, e, hint, is_composite, err);
    pthread_mutex_unlock(&r->decide_lock);
    return ok;
}

static void fill_care(struct router_care *c, const struct policy *p)
{
#define PRESET(field, value)                                                                                           \
    if (c->field == 0)                                                                                                 \
    c->field = value
    PRESET(n_tries_max, 4);
    PRESET(hang_s, 60);
    PRESET(hedge_factor, 3);
    PRESET(hedge_s, 2);
    PRESET(probation_tok, 48);
    PRESET(probation_s, 1.5f);
    PRESET(patience_s, p->setting[POLICY_PATIENCE_S]);
    PRESET(logprob_least, -2.5f);
    PRESET(remembered_age_s, 86400);
#undef PRESET
}

static bool start_hand(struct router *r, struct err *err)
{
    sigset_t all, old; /* signals belong to the program's own threads */
    sigfillset(&all);
    sigdelset(&all, SIGBUS);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    const int rc = pthread_create(&r->hand, NULL, hand_main, r);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    r->has_hand = rc == 0;
    return r->has_hand || err_set(err, ERR_NOMEM, "the router: cannot start a thread: %s", strerror(rc));
}

/* The first decision would read the intent model's pages and the languages' tables: some ms. */
static void warm_up(const struct router *r)
{
    static const char text[] = "Please summarize in three sentences what was said about the weather in Rome.";
    struct features f;
    struct intent_answer a;
    features_read(&(struct features_in){ .text = text, .n_bytes = sizeof(text) - 1 }, &f);
    intent_decide(r->env.intent, &f, text, sizeof(text) - 1, &a);
}

struct router *router_new(const struct router_env *env, struct expert *const *experts, int n, struct err *err)
{
    struct router *r = calloc(1, sizeof(*r));
    if (!r)
        return err_null(err, ERR_NOMEM, "the router: out of memory");
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC); /* the clock of clock_ns() */
    pthread_mutex_init(&r->decide_lock, NULL);
    pthread_mutex_init(&r->lock, NULL);
    pthread_mutex_init(&r->figures_lock, NULL);
    pthread_cond_init(&r->hand_wake, &attr);
    pthread_cond_init(&r->still, NULL);
    pthread_condattr_destroy(&attr);
    r->env = *env;
    r->care = env->care;
    fill_care(&r->care, env->policy);
    if (!r->env.intent)
        r->env.intent = intent_model_shipped();
    r->todo_last = &r->todo_first;
    r->joules_seen = (double)NAN;
    rng_seed(&r->rng, clock_ns() ^ (uint64_t)time(NULL) << 20 ^ (uint64_t)(uintptr_t)r);
    for (int p = 0; p < 2; p++)
        for (int g = 0; g < ROUTE_GOAL_COUNT; g++)
            r->doors[p][g] = (struct door){ { &door_ops }, r, (enum route_goal)g, p == 1 };
    r->live = malloc(sizeof(*r->live));
    r->decision = calloc(1, sizeof(*r->decision));
    bool ok = r->live && r->decision;
    if (!ok)
        err_set(err, ERR_NOMEM, "the router: out of memory");
    if (ok)
        live_init(r->live, env->device);
    for (int i = 0; ok && i < n; i++)
        ok = live_add(r->live, experts[i], NULL, false, err);
    if (ok)
        warm_up(r);
    if (ok && start_hand(r, err))
        return r;
    router_free(r);
    return NULL;
}

void router_free(struct router *r)
{
    if (!r)
        return;
    if (r->has_hand) {
        stop_router(r, 0);
        pthread_mutex_lock(&r->lock);
        r->quit = true;
        pthread_cond_signal(&r->hand_wake);
        pthread_mutex_unlock(&r->lock);
        pthread_join(r->hand, NULL);
    }
    for (struct trip *t = r->kept, *next; t; t = next) {
        next = t->next;
        free(t);
    }
    free(r->live);
    free(r->decision);
    pthread_cond_destroy(&r->hand_wake);
    pthread_cond_destroy(&r->still);
    pthread_mutex_destroy(&r->figures_lock);
    pthread_mutex_destroy(&r->lock);
    pthread_mutex_destroy(&r->decide_lock);
    free(r);
}
