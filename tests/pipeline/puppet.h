/* tests/pipeline/puppet.h - an expert on strings: it keeps what it is given until the test says what it answers.  No sleeping. */
#ifndef PUPPET_H
#define PUPPET_H
#include "expert/expert.h"
#include "test.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

enum { PUPPET_JOBS_MAX = 32 };
struct puppet {
    struct expert base;
    char id[32];
    unsigned tasks;
    enum expert_privacy privacy;
    bool refuses;      /* every submission */
    bool is_routed;    /* it plays a router: says who answers */
    int n_ctx;
    pthread_mutex_t lock;
    pthread_cond_t news;
    struct job *jobs[PUPPET_JOBS_MAX]; /* given and not ended; NULL: a free place */
    int n_seen;        /* jobs so far */
    int n_wakes;
};

static inline bool puppet_submit(struct expert *e, struct job *j, struct err *err)
{
    struct puppet *p = (struct puppet *)e;
    if (p->refuses)
        return err_set(err, ERR_BUSY, "%s is down", p->id);
    pthread_mutex_lock(&p->lock);
    for (int i = 0; i < PUPPET_JOBS_MAX; i++)
        if (!p->jobs[i]) {
            p->jobs[i] = j;
            p->n_seen++;
            break;
        }
    pthread_cond_broadcast(&p->news);
    pthread_mutex_unlock(&p->lock);
    return true;
}

static inline void puppet_wake(struct expert *e)
{
    struct puppet *p = (struct puppet *)e;
    pthread_mutex_lock(&p->lock);
    p->n_wakes++;
    pthread_cond_broadcast(&p->news);
    pthread_mutex_unlock(&p->lock);
}

static inline void puppet_card(struct expert *e, struct expert_card *out)
{
    const struct puppet *p = (const struct puppet *)e;
    *out = (struct expert_card){ .tasks = p->tasks, .privacy = p->privacy, .n_ctx = p->n_ctx, .quality = 3 };
    snprintf(out->id, sizeof(out->id), "%s", p->id);
}

static inline void puppet_metrics(struct expert *e, struct expert_metrics *out) { (void)e, *out = (struct expert_metrics){ .state = EXPERT_WARM }; }
static inline void puppet_stop(struct expert *e, uint64_t drain_ns) { (void)e, (void)drain_ns; }
static inline bool puppet_ready(struct expert *e, struct err *err) { return (void)e, (void)err, true; }
static inline void puppet_free(struct expert *e)
{
    struct puppet *p = (struct puppet *)e;
    for (int i = 0; i < PUPPET_JOBS_MAX; i++)
        CHECK(!p->jobs[i], "%s was not told what to answer", p->id);
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->news);
    free(p);
}

static const struct expert_ops puppet_ops = { .free = puppet_free, .submit = puppet_submit, .wake = puppet_wake, .card = puppet_card,
                                              .metrics = puppet_metrics, .stop = puppet_stop, .wait_ready = puppet_ready };

static inline struct puppet *puppet_new(const char *id, unsigned tasks)
{
    struct puppet *p = calloc(1, sizeof(*p));
    p->base.ops = &puppet_ops;
    snprintf(p->id, sizeof(p->id), "%s", id);
    p->tasks = tasks;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->news, NULL);
    return p;
}

/* Waits for a job of that task that is not ended. */
static inline struct job *puppet_job(struct puppet *p, enum expert_task task)
{
    struct job *found = NULL;
    pthread_mutex_lock(&p->lock);
    for (;;) {
        for (int i = 0; i < PUPPET_JOBS_MAX && !found; i++)
            found = p->jobs[i] && p->jobs[i]->task == task ? p->jobs[i] : NULL;
        if (found)
            break;
        pthread_cond_wait(&p->news, &p->lock);
    }
    pthread_mutex_unlock(&p->lock);
    return found;
}

/* Waits until the job is cancelled, or held as wanted. */
static inline void puppet_await_cancel(struct puppet *p, const struct job *j)
{
    pthread_mutex_lock(&p->lock);
    while (!job_is_cancelled(j))
        pthread_cond_wait(&p->news, &p->lock);
    pthread_mutex_unlock(&p->lock);
}

static inline void puppet_await_hold(struct puppet *p, const struct job *j, bool hold)
{
    pthread_mutex_lock(&p->lock);
    while (job_is_held(j) != hold)
        pthread_cond_wait(&p->news, &p->lock);
    pthread_mutex_unlock(&p->lock);
}

static inline void puppet_route(struct puppet *p, struct job *j, const char *expert, const char *node)
{
    const struct expert_route route = { .expert = expert, .node = node, .joules = NAN };
    (void)p;
    j->on_event(j->ctx, &(struct expert_event){ .kind = EXPERT_ROUTED, .route = &route });
}

static inline void puppet_say(struct puppet *p, struct job *j, const char *text)
{
    (void)p;
    j->on_event(j->ctx, &(struct expert_event){ .kind = EXPERT_DELTA, .text = text, .n_text = strlen(text) });
}

static inline void puppet_result(struct puppet *p, struct job *j, const struct task_result *r)
{
    (void)p;
    j->on_event(j->ctx, &(struct expert_event){ .kind = EXPERT_RESULT, .result = r });
}

/* The final event; code ERR_NONE: done. */
static inline void puppet_end(struct puppet *p, struct job *j, enum err_code code, const char *why)
{
    const struct expert_usage u = { .n_prompt_tok = 7, .n_gen_tok = 2 };
    struct err err = { 0 };
    if (code)
        err_set(&err, code, "%s", why);
    pthread_mutex_lock(&p->lock);
    for (int i = 0; i < PUPPET_JOBS_MAX; i++)
        if (p->jobs[i] == j)
            p->jobs[i] = NULL;
    pthread_mutex_unlock(&p->lock);
    atomic_store(&j->priv.expert, NULL);
    j->on_event(j->ctx, &(struct expert_event){ .kind = code ? EXPERT_ERROR : EXPERT_DONE, .usage = &u, .err = code ? &err : NULL });
    job_unref(j);
}

/* ---- a puppet that answers by itself, on a thread of its own ---- */

struct actor {
    struct puppet *p;
    void (*act)(struct puppet *p, struct job *j, void *ctx); /* ends the job */
    void *ctx;
    pthread_t thread;
    bool quit;       /* under the puppet's lock */
    int n_answered;  /* the same */
};

static inline void *actor_main(void *arg)
{
    struct actor *a = arg;
    pthread_mutex_lock(&a->p->lock);
    for (;;) {
        struct job *j = NULL;
        for (int i = 0; i < PUPPET_JOBS_MAX && !j; i++)
            j = a->p->jobs[i];
        if (!j && a->quit)
            break;
        if (!j) {
            pthread_cond_wait(&a->p->news, &a->p->lock);
            continue;
        }
        pthread_mutex_unlock(&a->p->lock);
        a->act(a->p, j, a->ctx);
        pthread_mutex_lock(&a->p->lock);
        a->n_answered++;
        pthread_cond_broadcast(&a->p->news);
    }
    pthread_mutex_unlock(&a->p->lock);
    return NULL;
}

static inline void actor_start(struct actor *a, struct puppet *p, void (*act)(struct puppet *p, struct job *j, void *ctx), void *ctx)
{
    *a = (struct actor){ .p = p, .act = act, .ctx = ctx };
    pthread_create(&a->thread, NULL, actor_main, a);
}

static inline void actor_await(struct actor *a, int n)
{
    pthread_mutex_lock(&a->p->lock);
    while (a->n_answered < n)
        pthread_cond_wait(&a->p->news, &a->p->lock);
    pthread_mutex_unlock(&a->p->lock);
}

static inline void actor_stop(struct actor *a)
{
    pthread_mutex_lock(&a->p->lock);
    a->quit = true;
    pthread_cond_broadcast(&a->p->news);
    pthread_mutex_unlock(&a->p->lock);
    pthread_join(a->thread, NULL);
}

/* ---- who asks ---- */

struct client {
    struct job *job;
    pthread_mutex_t lock;
    pthread_cond_t news;
    struct buf text, parts; /* parts: "ocr reader@local 0 STOP;", with "!" before an error */
    int n_parts, n_finals, n_started, n_ends;
    struct err err;
    struct expert_usage usage;
    float last_ms;
};

static inline void client_on_event(void *ctx, const struct expert_event *ev)
{
    struct client *c = ctx;
    pthread_mutex_lock(&c->lock);
    CHECK(c->n_finals == 0, "an event after the final one: %d", (int)ev->kind);
    if (ev->kind == EXPERT_DELTA)
        buf_append(&c->text, ev->text, ev->n_text);
    c->n_started += ev->kind == EXPERT_STARTED;
    c->n_ends += ev->kind == EXPERT_CHOICE_END;
    if (ev->kind == EXPERT_PART) {
        const struct expert_part *p = ev->part;
        buf_printf(&c->parts, "%s %s@%s %d %s%s;", expert_task_name(p->task), p->expert, p->node, p->medium, p->error ? "!" : "", p->error ? p->error : p->text);
        CHECK(p->ms >= 0 && p->start_ms >= 0 && p->ms < 600000);
        c->n_parts++;
    }
    if (ev->kind == EXPERT_DONE || ev->kind == EXPERT_ERROR) {
        c->n_finals++;
        if (ev->err)
            c->err = *ev->err;
        if (ev->usage)
            c->usage = *ev->usage;
    }
    pthread_cond_broadcast(&c->news);
    pthread_mutex_unlock(&c->lock);
}

/* A chat with these messages (JSON). */
static inline void client_init(struct client *c, const char *messages)
{
    struct err err;
    json_error_t why;
    memset(c, 0, sizeof(*c));
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->news, NULL);
    buf_init(&c->text, 1 << 20);
    buf_init(&c->parts, 1 << 20);
    buf_puts(&c->text, "");
    buf_puts(&c->parts, "");
    c->job = job_new(1 << 16, &err);
    c->job->task = EXPERT_CHAT;
    c->job->vars = json_object();
    json_t *m = json_loads(messages, 0, &why);
    CHECK(m, "%s", why.text);
    json_object_set_new(c->job->vars, "messages", m);
    c->job->on_event = client_on_event;
    c->job->ctx = c;
}

static inline void client_await_end(struct client *c)
{
    pthread_mutex_lock(&c->lock);
    while (c->n_finals == 0)
        pthread_cond_wait(&c->news, &c->lock);
    pthread_mutex_unlock(&c->lock);
}

static inline void client_await_parts(struct client *c, int n)
{
    pthread_mutex_lock(&c->lock);
    while (c->n_parts < n)
        pthread_cond_wait(&c->news, &c->lock);
    pthread_mutex_unlock(&c->lock);
}

static inline void client_fini(struct client *c)
{
    CHECK(c->n_finals == 1, "%d final events", c->n_finals);
    job_unref(c->job);
    buf_fini(&c->text);
    buf_fini(&c->parts);
    pthread_mutex_destroy(&c->lock);
    pthread_cond_destroy(&c->news);
}
#endif
