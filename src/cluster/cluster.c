/* cluster/cluster.c - see cluster.h: the cluster's thread, and what others may ask it; a node's life is members.c. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/thread.h"
#include "cluster/cluster_internal.h"

const char *member_state_name(enum member_state s)
{
    static const char *const names[MEMBER_STATE_COUNT] = { "new", "up", "draining", "down", "refused" };
    return s >= 0 && s < MEMBER_STATE_COUNT ? names[s] : "?";
}

/* ---- life ---- */

static void on_wake(void *ctx)
{
    struct cluster *c = ctx;
    pthread_mutex_lock(&c->lock);
    const bool is_stopping = c->is_stopping;
    const int port = c->announced_port;
    void (*turn)(struct cluster *) = c->hooks.turn; /* another thread may begin to want experts now */
    pthread_mutex_unlock(&c->lock);
    if (is_stopping) { /* a thread of its own */
        net_loop_stop(c->loop);
        return;
    }
    if (port)
        discover_mdns_announce(c, port);
    if (turn)
        turn(c);
}

static void *run(void *ctx)
{
    struct cluster *c = ctx;
    net_loop_run(c->loop);
    return NULL;
}

static bool start(struct cluster *c, struct err *err)
{
    c->loop = c->config.loop;
    c->thread = pthread_self();
    if ((!c->loop && !(c->loop = net_loop_new(err))) || !(c->wake = net_wake_new(c->loop, on_wake, c, err)) || !(c->arena = arena_new(NODE_PB_ARENA_BYTES, err)) ||
        !discover_start(c, err) || (c->config.uses_mdns && !discover_mdns_start(c, err)))
        return false;
    if (c->config.loop)
        return true;
    return c->has_thread = thread_start(&c->thread, run, c, "cluster", err);
}

bool cluster_is_here(const struct cluster *c) { return c->config.loop && pthread_equal(c->thread, pthread_self()); }

struct cluster *cluster_new(const struct cluster_config *config, struct err *err)
{
    struct cluster *c = calloc(1, sizeof(*c));
    if (!c)
        return err_null(err, ERR_NOMEM, "cluster: out of memory");
    c->config = *config;
    pthread_mutex_init(&c->lock, NULL);
    thread_cond_init(&c->settled);
    if (start(c, err))
        return c;
    cluster_free(c);
    return NULL;
}

void cluster_free(struct cluster *c)
{
    if (!c)
        return;
    if (c->has_thread) {
        pthread_mutex_lock(&c->lock);
        c->is_stopping = true;
        pthread_cond_broadcast(&c->settled);
        pthread_mutex_unlock(&c->lock);
        net_wake_send(c->wake);
        pthread_join(c->thread, NULL);
    }
    /* From here on this thread is the cluster's. */
    if (c->hooks.stop)
        c->hooks.stop(c);
    if (c->loop)
        discover_stop(c), discover_mdns_stop(c);
    for (int i = 0; i < c->n_nodes; i++)
        member_free(c->nodes[i]);
    net_wake_free(c->wake);
    if (!c->config.loop)
        net_loop_free(c->loop);
    arena_free(c->arena);
    pthread_cond_destroy(&c->settled);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

void cluster_wait(struct cluster *c, uint64_t ms)
{
    const uint64_t until_ns = clock_after_ns(ms * 1000000);
    pthread_mutex_lock(&c->lock);
    for (;;) {
        bool is_settled = c->n_unread == 0;
        for (int i = 0; i < c->n_nodes && is_settled; i++)
            is_settled = !c->nodes[i]->is_used || c->nodes[i]->is_settled;
        if (is_settled || c->is_stopping || !thread_wait(&c->settled, &c->lock, until_ns))
            break;
    }
    pthread_mutex_unlock(&c->lock);
}

void cluster_announce(struct cluster *c, int port)
{
    pthread_mutex_lock(&c->lock);
    c->announced_port = port;
    pthread_mutex_unlock(&c->lock);
    net_wake_send(c->wake);
}

/* ---- asking ---- */

static bool is_shown(const struct member_node *n) { return n->is_used && !n->is_alias; }

int cluster_n_members(struct cluster *c)
{
    int n = 0;
    pthread_mutex_lock(&c->lock);
    for (int i = 0; i < c->n_nodes; i++)
        n += is_shown(c->nodes[i]);
    pthread_mutex_unlock(&c->lock);
    return n;
}

int cluster_get_members(struct cluster *c, struct member *out, int max)
{
    const uint64_t now_ns = clock_ns();
    int n = 0;
    pthread_mutex_lock(&c->lock);
    for (int i = 0; i < c->n_nodes && n < max; i++) {
        const struct member_node *m = c->nodes[i];
        if (!is_shown(m))
            continue;
        out[n] = m->said;
        out[n++].age_s = m->heard_ns ? (double)(now_ns - m->heard_ns) / 1e9 : NAN;
    }
    pthread_mutex_unlock(&c->lock);
    return n;
}

bool cluster_get_machine(struct cluster *c, const char *name, struct buf *out)
{
    bool ok = false;
    pthread_mutex_lock(&c->lock);
    for (int i = 0; i < c->n_nodes && !ok; i++) {
        const struct member_node *m = c->nodes[i];
        if (is_shown(m) && m->machine_json && m->machine_json[0] && strcmp(m->said.name, name) == 0) {
            buf_puts(out, m->machine_json);
            ok = true;
        }
    }
    pthread_mutex_unlock(&c->lock);
    return ok;
}

int cluster_find_model(struct cluster *c, const char *name, char (*urls)[300], int max)
{
    int n = 0;
    pthread_mutex_lock(&c->lock);
    for (int i = 0; i < c->n_nodes; i++) {
        const struct member_node *m = c->nodes[i];
        for (int k = 0; k < m->n_models && n < max && is_shown(m) && (m->said.state == MEMBER_UP || m->said.state == MEMBER_DRAINING); k++)
            if (strcmp(m->models[k].name, name) == 0)
                memcpy(urls[n++], m->said.url, sizeof(m->said.url));
    }
    pthread_mutex_unlock(&c->lock);
    return n;
}

int cluster_get_candidates(struct cluster *c, struct candidate *out, int max)
{
    int n = 0;
    pthread_mutex_lock(&c->lock);
    for (int i = 0; i < c->n_nodes; i++)
        for (int k = 0; k < c->nodes[i]->n_experts && n < max && is_shown(c->nodes[i]); k++)
            out[n++] = c->nodes[i]->experts[k].c;
    pthread_mutex_unlock(&c->lock);
    return n;
}

unsigned cluster_get_tasks(struct cluster *c, enum expert_privacy most)
{
    unsigned tasks = 0;
    pthread_mutex_lock(&c->lock);
    for (int i = 0; i < c->n_nodes; i++)
        for (int k = 0; k < c->nodes[i]->n_experts && is_shown(c->nodes[i]) && c->nodes[i]->said.state == MEMBER_UP; k++)
            if (c->nodes[i]->experts[k].c.is_up && c->nodes[i]->experts[k].c.privacy <= most)
                tasks |= c->nodes[i]->experts[k].c.tasks;
    pthread_mutex_unlock(&c->lock);
    return tasks;
}
