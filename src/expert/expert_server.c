/* expert/expert_server.c - the door of a server expert; what happens to a job then: server_internal.h. */
#include "expert/expert_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/thread.h"
#include "expert/server_internal.h"

/* ---- the calls of expert.h ---- */

static bool submit(struct expert *base, struct job *j, struct err *err)
{
    struct expert_server *e = (struct expert_server *)base;
    struct work *w = calloc(1, sizeof(*w));
    if (!w)
        return err_set(err, ERR_NOMEM, "%s: no memory for a job", e->id);
    w->job = j;
    w->server = e;
    bool ok = false;
    pthread_mutex_lock(&e->lock);
    if (e->stopping)
        err_set(err, ERR_BUSY, "%s is shutting down", e->id);
    else if (e->is_down)
        err_set(err, ERR_BUSY, "down: %.220s", e->down.text);
    else if (!(e->cfg.tasks & j->task))
        err_set(err, ERR_UNSUPPORTED, "%s cannot do '%s'", e->id, expert_task_name(j->task));
    else if (e->n_open >= e->cfg.n_queue_max)
        err_set(err, ERR_BUSY, "%s: the queue is full (%d jobs)", e->id, e->n_open);
    else
        ok = true;
    if (ok) {
        w->ticket = e->n_tickets++;
        e->n_open++;
        e->n_jobs++;
        QUEUE_PUSH(&e->inbox, w);
    }
    pthread_mutex_unlock(&e->lock);
    if (ok)
        net_wake_send(e->wake);
    else
        free(w);
    return ok;
}

static void wake(struct expert *base)
{
    struct expert_server *e = (struct expert_server *)base;
    net_wake_send(e->wake);
}

static void get_card(struct expert *base, struct expert_card *out)
{
    struct expert_server *e = (struct expert_server *)base;
    pthread_mutex_lock(&e->lock);
    *out = e->card;
    pthread_mutex_unlock(&e->lock);
}

static void get_metrics(struct expert *base, struct expert_metrics *out)
{
    struct expert_server *e = (struct expert_server *)base;
    pthread_mutex_lock(&e->lock);
    *out = e->m;
    out->n_waiting += e->inbox.n;
    pthread_mutex_unlock(&e->lock);
}

static void stop(struct expert *base, uint64_t drain_ns)
{
    struct expert_server *e = (struct expert_server *)base;
    const uint64_t until = clock_after_ns(drain_ns);
    pthread_mutex_lock(&e->lock);
    if (!e->stopping || until < e->drain_until_ns)
        e->drain_until_ns = until;
    e->stopping = true;
    pthread_cond_broadcast(&e->changed);
    pthread_mutex_unlock(&e->lock);
    net_wake_send(e->wake);
    pthread_mutex_lock(&e->lock);
    while (e->n_jobs > 0)
        pthread_cond_wait(&e->changed, &e->lock);
    e->m.state = EXPERT_DOWN;
    snprintf(e->m.why, sizeof(e->m.why), "stopped");
    pthread_mutex_unlock(&e->lock);
}

/* A remote server is asked whether it is there; that it is not makes no job fail before it tried. */
static bool wait_hello(struct expert_server *e, struct err *err)
{
    pthread_mutex_lock(&e->lock);
    const uint64_t mine = ++e->n_hellos_asked;
    e->n_ready_waiters++;
    pthread_mutex_unlock(&e->lock);
    net_wake_send(e->wake);
    pthread_mutex_lock(&e->lock);
    while (e->n_hellos < mine && !e->stopping)
        pthread_cond_wait(&e->changed, &e->lock);
    e->n_ready_waiters--;
    const bool ok = e->n_hellos >= mine && e->hello_err.code == ERR_NONE;
    if (!ok && e->n_hellos >= mine)
        *err = e->hello_err;
    else if (!ok)
        err_set(err, ERR_BUSY, "%s is shutting down", e->id);
    pthread_mutex_unlock(&e->lock);
    return ok;
}

static bool wait_ready(struct expert *base, struct err *err)
{
    struct expert_server *e = (struct expert_server *)base;
    bool ok;
    if (!e->cfg.is_child)
        return wait_hello(e, err);
    pthread_mutex_lock(&e->lock);
    e->n_ready_waiters++;
    pthread_mutex_unlock(&e->lock);
    net_wake_send(e->wake);
    pthread_mutex_lock(&e->lock);
    while (e->m.state != EXPERT_WARM && e->m.state != EXPERT_BUSY && e->m.state != EXPERT_DOWN && !e->stopping)
        pthread_cond_wait(&e->changed, &e->lock);
    ok = e->m.state == EXPERT_WARM || e->m.state == EXPERT_BUSY;
    if (!ok)
        err_set(err, ERR_BUSY, "%s", e->stopping ? "shutting down" : e->down.text);
    e->n_ready_waiters--;
    pthread_mutex_unlock(&e->lock);
    return ok;
}

static void server_free(struct expert *base)
{
    struct expert_server *e = (struct expert_server *)base;
    if (e->has_thread) {
        stop(base, 0);
        pthread_mutex_lock(&e->lock);
        e->quit = true;
        pthread_mutex_unlock(&e->lock);
        net_wake_send(e->wake);
        pthread_join(e->thread, NULL);
    }
    keeper_leave(e->seat);
    if (e->loop) {
        net_timer_free(e->timer);
        net_wake_free(e->wake);
        net_loop_free(e->loop);
    }
    free(e->info);
    server_config_fini(&e->cfg);
    pthread_mutex_destroy(&e->lock);
    pthread_cond_destroy(&e->changed);
    free(e);
}

static bool get_info(struct expert *base, struct task_info *out)
{
    struct expert_server *e = (struct expert_server *)base;
    pthread_mutex_lock(&e->lock);
    const bool has = e->info != NULL;
    if (has) {
        *out = *e->info;
        for (int i = 0; i < out->n_inputs; i++)
            out->inputs[i].shape.name = out->inputs[i].name;
        for (int i = 0; i < out->n_outputs; i++)
            out->outputs[i].shape.name = out->outputs[i].name;
    }
    pthread_mutex_unlock(&e->lock);
    return has;
}

static const struct expert_ops ops = {
    .free = server_free, .submit = submit, .wake = wake, .card = get_card, .metrics = get_metrics, .stop = stop, .wait_ready = wait_ready,
    .info = get_info,
};

bool expert_server_get_figures(struct expert *base, struct expert_server_figures *out)
{
    struct expert_server *e = (struct expert_server *)base;
    if (base->ops != &ops)
        return false;
    pthread_mutex_lock(&e->lock);
    *out = e->f;
    pthread_mutex_unlock(&e->lock);
    return true;
}

/* ---- opening ---- */

static void read_history(struct expert_server *e, const char *state_dir)
{
    struct err err = { 0 };
    char name[sizeof(e->id)];
    if (!state_dir)
        return;
    for (size_t i = 0; i < sizeof(name); i++)
        name[i] = e->id[i] == '/' ? '_' : e->id[i];
    if (snprintf(e->history_path, sizeof(e->history_path), "%s/speed-%s.txt", state_dir, name) >= (int)sizeof(e->history_path))
        e->history_path[0] = '\0';
    else if (!pace_read(&e->pace, e->history_path, &err))
        log_warn("%s: %s", e->id, err.text);
}

static bool open_loop(struct expert_server *e, struct err *err)
{
    e->loop = net_loop_new(err);
    if (!e->loop || !(e->wake = net_wake_new(e->loop, server_turn, e, err)) || !(e->timer = net_timer_new(e->loop, server_turn, e, err)))
        return false;
    if (!e->cfg.is_child) {
        const struct http_client_config k = { .max_connections = e->cfg.n_parallel + 1, .max_idle = e->cfg.n_parallel,
                                              .ca_file = e->cfg.ca_file[0] ? e->cfg.ca_file : NULL };
        e->client = http_client_new(e->loop, &e->cfg.target, &k, err);
        if (!e->client)
            return false;
    }
    return e->has_thread = thread_start(&e->thread, server_main, e, e->id, err);
}

struct expert *expert_server_open(struct card *card, const struct expert_env *env, struct err *err)
{
    struct expert_server *e = calloc(1, sizeof(*e));
    if (!e) {
        card_free(card);
        return err_null(err, ERR_NOMEM, "an expert: no memory");
    }
    e->base.ops = &ops;
    pthread_mutex_init(&e->lock, NULL);
    pthread_cond_init(&e->changed, NULL);
    snprintf(e->id, sizeof(e->id), "%s", card->id);
    child_open(e);
    bool ok = server_read_card(e, card, err);
    card_free(card);
    e->card.created_s = (int64_t)time(NULL);
    e->m.n_queue_max = e->cfg.n_queue_max;
    e->m.state = e->cfg.is_child ? EXPERT_COLD : EXPERT_WARM;
    e->child.n_starts_left = e->cfg.n_starts_per_min;
    e->is_quiet = env->is_quiet;
    if (ok) {
        read_history(e, env->state_dir);
        ok = open_loop(e, err) && (!e->cfg.is_child || !env->keeper || child_join(e, env->keeper, err));
    }
    if (ok)
        return &e->base;
    server_free(&e->base);
    return NULL;
}
