/* route/router.c - the door of `auto` and the hand that does what takes time; start reading at submit(). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/thread.h"
#include "route/bandit.h"
#include "route/policy_settings.h"
#include "route/predict.h"
#include "route/router_internal.h"

static struct door *door_of(struct expert *e) { return (struct door *)e; }

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
    buf_init(&t->said, RECALL_ANSWER_BYTES);
    return t;
}

static void trip_link(struct trip *t)
{
    struct router *r = t->r;
    pthread_mutex_lock(&r->lock);
    LIST_LINK(r->trips, t);
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
        LIST_UNLINK(r->trips, t);
        pthread_mutex_destroy(&t->lock);
        buf_fini(&t->said);
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

/* The first decision would read the intent model's pages and make the languages' tables: some ms, in which others get ready. */
static void warm_up(const struct router *r)
{
    static const char text[] = "Please summarize in three sentences what was said about the weather in Rome.";
    struct features f;
    struct intent_answer a;
    features_read(&(struct features_in){ .text = text, .n_bytes = sizeof(text) - 1 }, &f);
    intent_decide(r->env.intent, &f, text, sizeof(text) - 1, &a);
}

static void *hand_main(void *arg)
{
    struct router *r = arg;
    warm_up(r);
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
        thread_wait(&r->hand_wake, &r->lock, next);
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
    bool ok = router_ask(t, &any, err);
    if (!ok && err->code == ERR_BUSY && trip_recall(t)) {
        ok = true;
        trip_todo(t, TODO_RECALL); /* its events come from the hand: none may before we return */
    }
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
    live_look(&r->live);
    for (int i = 0; i < r->live.world.n; i++) {
        const struct candidate *c = &r->live.world.list[i];
        if (r->live.of[i].is_gone)
            continue;
        if (d->goal == ROUTE_PRIVATE && c->privacy != EXPERT_LOCAL)
            continue;
        out->tasks |= c->tasks;
        out->sees = out->sees || c->sees;
        out->hears = out->hears || c->hears;
        out->knows_tools = out->knows_tools || c->knows_tools;
        out->n_ctx = c->n_ctx > out->n_ctx ? c->n_ctx : out->n_ctx;
        out->privacy = c->privacy > out->privacy ? c->privacy : out->privacy;
        out->created_s = r->live.of[i].created_s > out->created_s ? r->live.of[i].created_s : out->created_s;
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
    const uint64_t until = clock_after_ns(drain_ns);
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

static bool add(struct router *r, struct expert *e, const struct route_node *node, const struct candidate *hint, bool is_composite, struct err *err)
{
    bool is_another = false;
    pthread_mutex_lock(&r->decide_lock);
    const int n_before = r->live.world.n;
    const int slot = live_add(&r->live, e, node, hint, is_composite, &is_another, err);
    if (slot >= 0 && is_another) {
        pthread_mutex_lock(&r->figures_lock);
        if (r->env.predictor)
            predictor_forget(r->env.predictor, slot);
        if (r->env.bandit)
            bandit_forget(r->env.bandit, slot);
        affinity_forget(&r->affinity, (uint32_t)slot);
        r->joules_of[slot][0] = r->joules_of[slot][1] = 0;
        pthread_mutex_unlock(&r->figures_lock);
    }
    if (slot >= 0 && node && r->learned && r->env.predictor && (is_another || slot == n_before)) { /* seen for the first time in this life */
        const struct candidates it = { .nodes = r->live.world.nodes, .n_nodes = r->live.world.n_nodes, .list = &r->live.world.list[slot], .n = 1 };
        struct err ignored; /* it could be read before */
        pthread_mutex_lock(&r->figures_lock);
        predictor_take(r->env.predictor, &it, r->learned, strlen(r->learned), &ignored);
        pthread_mutex_unlock(&r->figures_lock);
    }
    pthread_mutex_unlock(&r->decide_lock);
    return slot >= 0;
}

bool router_add(struct router *r, struct expert *e, const struct candidate *hint, bool is_composite, struct err *err)
{
    return add(r, e, NULL, hint, is_composite, err);
}

bool router_add_on(struct router *r, const struct route_node *node, struct expert *e, const struct candidate *hint, struct err *err)
{
    return add(r, e, node, hint, false, err);
}

void router_set_node(struct router *r, const struct route_node *node)
{
    pthread_mutex_lock(&r->decide_lock);
    live_set_node(&r->live, node);
    pthread_mutex_unlock(&r->decide_lock);
}

void router_set_self(struct router *r, const char *name)
{
    pthread_mutex_lock(&r->decide_lock);
    live_set_self(&r->live, name);
    pthread_mutex_unlock(&r->decide_lock);
}

void router_withdraw(struct router *r, const struct expert *e)
{
    pthread_mutex_lock(&r->decide_lock);
    const int slot = live_find(&r->live, e);
    if (slot >= 0) {
        live_withdraw(&r->live, slot);
        pthread_mutex_lock(&r->figures_lock);
        affinity_forget(&r->affinity, (uint32_t)slot);
        pthread_mutex_unlock(&r->figures_lock);
        while (r->live.of[slot].n_asking > 0) /* whoever decided for it is asking it */
            pthread_cond_wait(&r->unasked, &r->decide_lock);
    }
    pthread_mutex_unlock(&r->decide_lock);
}

void router_expect(struct router *r)
{
    pthread_mutex_lock(&r->decide_lock);
    r->is_expecting = true;
    pthread_mutex_unlock(&r->decide_lock);
}

void router_know(struct router *r, const struct plan_device *device)
{
    pthread_mutex_lock(&r->decide_lock);
    if (device)
        live_set_device(&r->live, device);
    r->is_expecting = false;
    pthread_cond_broadcast(&r->known);
    pthread_mutex_unlock(&r->decide_lock);
}

void router_enter(struct router *r)
{
    pthread_mutex_lock(&r->decide_lock);
    while (r->is_expecting)
        pthread_cond_wait(&r->known, &r->decide_lock);
}

void router_await(struct router *r)
{
    router_enter(r);
    pthread_mutex_unlock(&r->decide_lock);
}

static void fill_care(struct router_care *c, const struct policy *p)
{
#define PRESET(field, value)                                                                                           \
    if (c->field == 0)                                                                                                 \
    c->field = value
    const float *s = p->setting;
    PRESET(n_tries_max, (int)s[POLICY_TRIES]);
    PRESET(hang_s, s[POLICY_HANG_S]);
    PRESET(hedge_factor, s[POLICY_HEDGE_FACTOR]);
    PRESET(hedge_s, s[POLICY_HEDGE_S] > 0 ? s[POLICY_HEDGE_S] : -1);
    PRESET(probation_tok, (int)s[POLICY_PROBATION_TOK]);
    PRESET(probation_s, s[POLICY_PROBATION_S]);
    PRESET(patience_s, s[POLICY_PATIENCE_S]);
    PRESET(logprob_least, -s[POLICY_UNSURE]);
    PRESET(n_remembered, (int)s[POLICY_REMEMBER]);
    PRESET(remembered_s, s[POLICY_REMEMBER_S]);
#undef PRESET
}

struct router *router_new(const struct router_env *env, struct expert *const *experts, int n, struct err *err)
{
    struct router *r = calloc(1, sizeof(*r));
    if (!r)
        return err_null(err, ERR_NOMEM, "the router: out of memory");
    pthread_mutex_init(&r->decide_lock, NULL);
    pthread_mutex_init(&r->lock, NULL);
    pthread_mutex_init(&r->figures_lock, NULL);
    thread_cond_init(&r->hand_wake);
    pthread_cond_init(&r->still, NULL);
    pthread_cond_init(&r->known, NULL);
    pthread_cond_init(&r->unasked, NULL);
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
    r->decision = calloc(1, sizeof(*r->decision));
    r->shortlist = shortlist_new(err);
    bool ok = live_init(&r->live, env->device, err) && r->shortlist && r->decision && (r->care.n_remembered <= 0 || (r->recall = recall_new(r->care.n_remembered, (double)r->care.remembered_s, err)) != NULL);
    if (!ok)
        err_set(err, ERR_NOMEM, "the router: out of memory");
    if (ok)
        r->live.ladders = env->ladders;
    for (int i = 0; ok && i < n; i++)
        ok = router_add(r, experts[i], NULL, false, err);
    if (ok && (r->has_hand = thread_start(&r->hand, hand_main, r, "the router", err)))
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
    recall_free(r->recall);
    free(r->learned);
    live_fini(&r->live);
    shortlist_free(r->shortlist);
    free(r->decision);
    pthread_cond_destroy(&r->hand_wake);
    pthread_cond_destroy(&r->still);
    pthread_cond_destroy(&r->known);
    pthread_cond_destroy(&r->unasked);
    pthread_mutex_destroy(&r->figures_lock);
    pthread_mutex_destroy(&r->lock);
    pthread_mutex_destroy(&r->decide_lock);
    free(r);
}
