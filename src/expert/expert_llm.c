/* expert/expert_llm.c - the door of an LLM expert: opening, taking jobs in, saying how things stand, closing.
 * What happens to a job then: llm_internal.h; start reading at expert_llm_open(). */
#include "expert/expert_llm.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/thread.h"
#include "expert/llm_internal.h"

enum { DEFAULT_SEQS = 8, DEFAULT_BATCH = 512, DEFAULT_QUEUE = 512 };

void work_free(struct work *w)
{
    for (int i = 0; i < w->n_gens; i++) {
        answer_fini(&w->gens[i].answer);
        free(w->gens[i].tokens);
        guess_free(w->gens[i].guess);
    }
    for (int i = 0; i < w->n_prompts; i++)
        free(w->prompts[i].ids);
    free(w->gens);
    free(w->prompts);
    free(w->dry_breakers);
    free(w);
}

/* ---- the calls of expert.h ---- */

/* Under the lock. */
static bool may_retry(const struct expert_llm *e) { return e->opt.is_lazy && clock_ns() >= e->retry_ns; }

static bool submit(struct expert *base, struct job *j, struct err *err)
{
    struct expert_llm *e = (struct expert_llm *)base;
    struct work *w = calloc(1, sizeof(*w));
    if (!w)
        return err_set(err, ERR_NOMEM, "%s: no memory for a job", e->id);
    w->job = j;
    bool ok = false;
    pthread_mutex_lock(&e->lock);
    if (e->stopping)
        err_set(err, ERR_BUSY, "%s is shutting down", e->id);
    else if (e->m.state == EXPERT_DOWN && !may_retry(e))
        err_set(err, ERR_BUSY, "%s is down: %.180s", e->id, e->down.text);
    else if (e->card.tasks && !(e->card.tasks & j->task))
        err_set(err, ERR_UNSUPPORTED, "%s cannot do '%s'", e->id, expert_task_name(j->task));
    else if (e->n_open >= e->opt.n_queue_max)
        err_set(err, ERR_BUSY, "%s: the queue is full (%d jobs)", e->id, e->n_open);
    else
        ok = true;
    if (ok) {
        if (e->m.state == EXPERT_DOWN)
            e->m.state = EXPERT_COLD;
        w->ticket = e->n_tickets++;
        e->n_open++;
        e->n_jobs++;
        QUEUE_PUSH(&e->inbox, w);
        pthread_cond_signal(&e->front_wake);
        if (j->deadline_ns || job_is_cancelled(j)) {
            e->flags_changed = true;
            pthread_cond_signal(&e->engine_wake);
        }
    }
    pthread_mutex_unlock(&e->lock);
    if (!ok)
        free(w);
    return ok;
}

static void wake(struct expert *base)
{
    struct expert_llm *e = (struct expert_llm *)base;
    pthread_mutex_lock(&e->lock);
    e->flags_changed = true;
    pthread_cond_signal(&e->engine_wake);
    pthread_mutex_unlock(&e->lock);
}

static void get_card(struct expert *base, struct expert_card *out)
{
    struct expert_llm *e = (struct expert_llm *)base;
    pthread_mutex_lock(&e->lock);
    *out = e->card;
    pthread_mutex_unlock(&e->lock);
}

static void get_metrics(struct expert *base, struct expert_metrics *out)
{
    struct expert_llm *e = (struct expert_llm *)base;
    pthread_mutex_lock(&e->lock);
    *out = e->m;
    out->n_waiting += e->inbox.n + e->ready.n;
    out->n_queue_max = e->opt.n_queue_max;
    pthread_mutex_unlock(&e->lock);
}

static void stop(struct expert *base, uint64_t drain_ns)
{
    struct expert_llm *e = (struct expert_llm *)base;
    const uint64_t until = clock_after_ns(drain_ns);
    pthread_mutex_lock(&e->lock);
    if (!e->stopping || until < e->drain_until_ns)
        e->drain_until_ns = until;
    e->stopping = true;
    e->flags_changed = true;
    pthread_cond_signal(&e->engine_wake);
    pthread_cond_broadcast(&e->changed); /* who waits for a load */
    while (e->n_jobs > 0)
        pthread_cond_wait(&e->changed, &e->lock);
    pthread_mutex_unlock(&e->lock);
}

static bool wait_ready(struct expert *base, struct err *err)
{
    struct expert_llm *e = (struct expert_llm *)base;
    pthread_mutex_lock(&e->lock);
    if (e->opt.is_lazy && e->m.state == EXPERT_DOWN)
        e->m.state = EXPERT_COLD; /* asked by hand it tries at once */
    if (e->m.state == EXPERT_COLD && !e->stopping) {
        e->wants_warm = true;
        pthread_cond_signal(&e->front_wake);
    }
    while (e->m.state == EXPERT_LOADING || (e->m.state == EXPERT_COLD && e->wants_warm && !e->stopping))
        pthread_cond_wait(&e->changed, &e->lock);
    const bool ok = e->m.state == EXPERT_WARM || e->m.state == EXPERT_BUSY;
    if (e->m.state == EXPERT_DOWN)
        *err = e->down;
    else if (!ok)
        err_set(err, ERR_BUSY, "%s %s", e->id, e->stopping ? "is shutting down" : "was unloaded");
    pthread_mutex_unlock(&e->lock);
    return ok;
}

static void unload(struct expert *base)
{
    struct expert_llm *e = (struct expert_llm *)base;
    pthread_mutex_lock(&e->lock);
    e->wants_unload = true;
    pthread_cond_signal(&e->front_wake);
    pthread_mutex_unlock(&e->lock);
}

int llm_share(int whole, float share, int least)
{
    const int n = (int)ceilf((float)whole * share);
    return n >= whole || whole <= least ? whole : n < least ? least : n;
}

static void limit(struct expert *base, const struct expert_limits *l)
{
    struct expert_llm *e = (struct expert_llm *)base;
    atomic_store(&e->threads_share, l->threads);
    atomic_store(&e->batch_share, l->batch);
    atomic_store(&e->context_share, l->context);
    wake(base); /* who waits for a sequence may have one now */
}

/* Everything that is there, in any state of opening. */
static void free_expert(struct expert *base)
{
    struct expert_llm *e = (struct expert_llm *)base;
    if (e->has_engine)
        stop(base, 0);
    pthread_mutex_lock(&e->lock);
    e->quit = true;
    pthread_cond_signal(&e->front_wake);
    pthread_cond_signal(&e->engine_wake);
    pthread_mutex_unlock(&e->lock);
    if (e->has_front)
        pthread_join(e->front, NULL);
    if (e->has_engine)
        pthread_join(e->engine, NULL);
    token_list_fini(&e->tokens);
    buf_fini(&e->rendered);
    residence_unload(e);
    keeper_leave(e->seat);
    gguf_close(e->gguf);
    free(e->template_text);
    free(e->draft_path);
    free(e->prefix_dir);
    pthread_cond_destroy(&e->front_wake);
    pthread_cond_destroy(&e->engine_wake);
    pthread_cond_destroy(&e->changed);
    pthread_mutex_destroy(&e->lock);
    free(e);
}

static const struct expert_ops ops = {
    .free = free_expert,
    .submit = submit,
    .wake = wake,
    .card = get_card,
    .metrics = get_metrics,
    .stop = stop,
    .wait_ready = wait_ready,
    .unload = unload,
    .limit = limit,
};

/* ---- opening ---- */

static void fill_options(struct expert_llm *e, const struct expert_llm_options *opt)
{
    struct expert_llm_options *o = &e->opt;
    if (opt)
        *o = *opt;
    o->id = NULL;            /* borrowed from the caller: copied by now */
    o->chat_template = o->draft = o->prefix_dir = NULL;
    if (o->n_seq_max <= 0)
        o->n_seq_max = DEFAULT_SEQS;
    if (o->n_batch_max <= 0)
        o->n_batch_max = DEFAULT_BATCH;
    if (o->n_batch_max < o->n_seq_max)
        o->n_batch_max = o->n_seq_max; /* every answer has its token in each batch */
    if (o->n_queue_max <= 0)
        o->n_queue_max = DEFAULT_QUEUE;
}

static void set_id(struct expert_llm *e, const char *path, const char *id)
{
    const char *base = strrchr(path, '/');
    base = base ? base + 1 : path;
    size_t n = strlen(base);
    if (n > 5 && strcmp(base + n - 5, ".gguf") == 0)
        n -= 5;
    if (id)
        snprintf(e->id, sizeof(e->id), "%s", id);
    else
        snprintf(e->id, sizeof(e->id), "%.*s", n < sizeof(e->id) ? (int)n : (int)sizeof(e->id) - 1, base);
}

struct expert *expert_llm_open(const char *path, const struct expert_llm_options *opt, struct err *err)
{
    struct expert_llm *e = calloc(1, sizeof(*e));
    if (!e)
        return err_null(err, ERR_NOMEM, "%s: no memory", path);
    e->base.ops = &ops;
    e->threads_share = e->batch_share = e->context_share = 1;
    e->m.state = opt && opt->is_lazy ? EXPERT_COLD : EXPERT_LOADING;
    set_id(e, path, opt ? opt->id : NULL);
    pthread_mutex_init(&e->lock, NULL);
    thread_cond_init(&e->front_wake);
    thread_cond_init(&e->engine_wake);
    pthread_cond_init(&e->changed, NULL);
    fill_options(e, opt);
    if (opt && opt->chat_template && !(e->template_text = strdup(opt->chat_template))) {
        err_set(err, ERR_NOMEM, "%s: no memory", path);
        goto fail;
    }
    if (opt && ((opt->draft && !(e->draft_path = strdup(opt->draft))) || (opt->prefix_dir && !(e->prefix_dir = strdup(opt->prefix_dir))))) {
        err_set(err, ERR_NOMEM, "%s: no memory", path);
        goto fail;
    }
    e->gguf = gguf_open(path, err);
    if (!e->gguf)
        goto fail;
    struct stat st;
    if (stat(path, &st) == 0)
        e->card.created_s = (int64_t)st.st_mtime;
    snprintf(e->card.id, sizeof(e->card.id), "%s", e->id);
    snprintf(e->card.kind, sizeof(e->card.kind), "llm");
    e->card.file_bytes = gguf_file_bytes(e->gguf);
    e->card.privacy = EXPERT_LOCAL;
    if (!residence_join(e, e->opt.keeper, err))
        goto fail;
    if (!(e->has_front = thread_start(&e->front, front_main, e, e->id, err)) ||
        !(e->has_engine = thread_start(&e->engine, engine_main, e, e->id, err)))
        goto fail;
    return &e->base;
fail:
    free_expert(&e->base);
    return NULL;
}
