/* cluster/peer.c - experts of other nodes as experts here: taking jobs in, beginning and end; a job's way is peer_run.c, who has what peer_nodes.c.
 * Start reading at submit() (any thread) and turn() (the cluster's).
 *
 * Rule:    a job that is handed over on the cluster's own thread, as clients' are on the service's loop, is on its way when submit() returns:
 *          no inbox, no thread is woken (docs/decisions/0023).  No event of it comes from within submit(). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/thread.h"
#include "cluster/peer_internal.h"
#include "route/router.h"

enum { ARENA_BYTES = 3 * PEER_MESSAGE_BYTES_MAX, ADOPT_MS = 2000 };

/* ---- the calls of expert.h ---- */

static struct peer *peer_of(struct expert *e) { return (struct peer *)e; }
static void end_all(struct peers *all, const struct peer *p);

/* The timer runs then at the latest; 0: it is not needed. */
static void set_due(struct peers *all, uint64_t at_ns, uint64_t now_ns)
{
    if (!all->due || at_ns == all->due_ns)
        return;
    all->due_ns = at_ns;
    if (at_ns)
        net_timer_start(all->due, at_ns > now_ns ? (at_ns - now_ns) / 1000000 + 1 : 0, 0);
    else
        net_timer_stop(all->due);
}

/* Could it leave at once?  On the cluster's thread. */
static bool may_leave(const struct peer_node *n, struct job *j, uint64_t now_ns)
{
    return n->at && n->at->h2 && !job_is_cancelled(j) && !job_is_held(j) && !(j->deadline_ns && now_ns >= j->deadline_ns);
}

/* On the cluster's thread; it is counted already.  false with err: it is as if it had not been. */
static bool send_now(struct run *r, uint64_t now_ns, struct err *err)
{
    struct peers *all = r->peer->node->peers;
    const uint64_t due_ns = run_due(r);
    if (!run_ask(r, now_ns, err)) {
        run_drop(r);
        return false;
    }
    LIST_LINK(all->running, r);
    if (due_ns && (!all->due_ns || due_ns < all->due_ns))
        set_due(all, due_ns, now_ns);
    return true;
}

static bool submit(struct expert *base, struct job *j, struct err *err)
{
    struct peer *p = peer_of(base);
    struct peers *all = p->node->peers;
    const uint64_t now_ns = clock_ns();
    const bool leaves = cluster_is_here(all->cluster) && may_leave(p->node, j, now_ns);
    if (j->wish.security == WISH_LOCAL)
        return err_set(err, ERR_UNSUPPORTED, "%s is on another machine (%s), and the request is private", p->id, p->node->name);
    struct run *r = calloc(1, sizeof(*r));
    if (!r)
        return err_set(err, ERR_NOMEM, "%s: out of memory", p->id);
    r->peer = p;
    r->job = j; /* expert_submit() has counted it */
    pthread_mutex_lock(&all->lock);
    bool ok = true;
    const bool may_wake = !p->is_there && peer_node_may_wake(p->node, now_ns);
    if (!p->is_there && p->node->is_up)
        ok = err_set(err, ERR_NOT_FOUND, "the node %s has no expert '%s'", p->node->name, p->id);
    else if (!p->is_there && !may_wake)
        ok = err_set(err, ERR_BUSY, "%s: the node %s is gone%s%s", p->id, p->node->name, p->node->why[0] ? ": " : "", p->node->why);
    else if (p->is_stopping || all->is_over)
        ok = err_set(err, ERR_BUSY, "%s on %s is shutting down", p->id, p->node->name);
    else if (p->c.tasks && !(p->c.tasks & (unsigned)j->task))
        ok = err_set(err, ERR_UNSUPPORTED, "%s on %s cannot do '%s'", p->id, p->node->name, expert_task_name(j->task));
    if (ok) {
        p->n_mine++;
        p->n_unseen++;
    }
    if (ok && !leaves) {
        *all->inbox_last = r;
        all->inbox_last = &r->next;
        net_wake_send(all->cluster->wake);
    }
    pthread_mutex_unlock(&all->lock);
    if (!ok)
        free(r);
    return ok && (!leaves || send_now(r, now_ns, err));
}

static void wake(struct expert *base) { net_wake_send(peer_of(base)->node->peers->cluster->wake); }

static void get_card(struct expert *base, struct expert_card *out)
{
    struct peer *p = peer_of(base);
    memset(out, 0, sizeof(*out));
    pthread_mutex_lock(&p->node->peers->lock);
    const struct candidate *c = &p->c;
    snprintf(out->id, sizeof(out->id), "%s", c->expert);
    snprintf(out->name, sizeof(out->name), "%.60s on %.30s", c->expert, p->node->name);
    snprintf(out->kind, sizeof(out->kind), "%s", c->kind);
    snprintf(out->runs_on, sizeof(out->runs_on), "%s", p->runs_on);
    snprintf(out->languages, sizeof(out->languages), "%s", p->languages);
    out->tasks = c->tasks;
    out->n_ctx = c->n_ctx;
    out->n_seq_max = c->n_parallel;
    out->n_params = c->params > 0 ? (uint64_t)c->params : 0;
    out->privacy = c->privacy > EXPERT_LAN ? c->privacy : EXPERT_LAN;
    out->quality = (int)c->quality;
    out->price = (struct card_price){ .per_mtok_in = c->usd_per_mtok_in, .per_mtok_out = c->usd_per_mtok_out, .per_item = c->usd_per_item };
    out->sees = c->sees, out->hears = c->hears, out->knows_tools = c->knows_tools;
    pthread_mutex_unlock(&p->node->peers->lock);
}

static void get_metrics(struct expert *base, struct expert_metrics *out)
{
    struct peer *p = peer_of(base);
    memset(out, 0, sizeof(*out));
    pthread_mutex_lock(&p->node->peers->lock);
    out->state = p->is_stopping ? EXPERT_DOWN : p->is_there ? p->state : peer_node_may_wake(p->node, clock_ns()) ? EXPERT_COLD : EXPERT_DOWN;
    if (out->state == EXPERT_DOWN)
        snprintf(out->why, sizeof(out->why), "%s", p->is_there ? "its node says so" : p->node->is_up ? "its node has no such expert" : p->node->why);
    const int theirs = p->c.n_running + p->n_unseen;
    out->n_running = p->is_there && theirs > p->n_mine ? theirs : p->n_mine;
    out->n_waiting = p->is_there ? p->c.n_waiting : 0;
    out->wait_s = p->n_unseen == 0 && p->c.wait_s > 0 ? (double)p->c.wait_s : 0;
    out->done_total[EXPERT_END_STOP] = p->done_total;
    out->done_total[EXPERT_END_ERROR] = p->failed_total;
    out->memory_bytes = p->memory_bytes;
    pthread_mutex_unlock(&p->node->peers->lock);
}

static void stop(struct expert *base, uint64_t drain_ns)
{
    struct peer *p = peer_of(base);
    struct peers *all = p->node->peers;
    const uint64_t until = clock_after_ns(drain_ns);
    pthread_mutex_lock(&all->lock);
    p->stop_ns = p->is_stopping && p->stop_ns < until ? p->stop_ns : until;
    p->is_stopping = true;
    net_wake_send(all->cluster->wake);
    if (cluster_is_here(all->cluster)) { /* nobody else runs the loop */
        pthread_mutex_unlock(&all->lock);
        end_all(all, p);
        pthread_mutex_lock(&all->lock);
    }
    while (p->n_mine > 0)
        pthread_cond_wait(&all->changed, &all->lock);
    pthread_mutex_unlock(&all->lock);
}

static void free_nothing(struct expert *base) { stop(base, 0); } /* it belongs to the cluster */
static bool wait_ready(struct expert *base, struct err *err)
{
    struct expert_metrics m;
    get_metrics(base, &m);
    return m.state != EXPERT_DOWN || err_set(err, ERR_BUSY, "%s on %s: %s", peer_of(base)->id, peer_of(base)->node->name, m.why);
}

const struct expert_ops peer_ops = { .free = free_nothing, .submit = submit, .wake = wake, .card = get_card, .metrics = get_metrics, .stop = stop, .wait_ready = wait_ready };

/* ---- the cluster's thread: jobs ---- */

static void look(struct peers *all)
{
    const uint64_t now = clock_ns();
    uint64_t next_ns = 0;
    for (struct run *r = all->running, *next; r; r = next) {
        next = r->next;
        run_look(r, now, &next_ns);
    }
    set_due(all, next_ns, now);
}

static void on_due(void *ctx)
{
    struct peers *all = ctx;
    all->due_ns = 0;
    look(all);
}

static void adopt(struct peers *all, bool is_first, struct router *router)
{
    struct cluster *c = all->cluster;
    all->router = router ? router : all->router;
    struct err err;
    if (is_first && !(all->due = net_timer_new(c->loop, on_due, all, &err)))
        log_warn("cluster: %s: deadlines of jobs at other nodes are theirs alone", err.text);
    if (is_first)
        c->hooks.up = peer_node_up, c->hooks.state = peer_node_state, c->hooks.down = peer_node_down;
    for (int i = 0; i < c->n_nodes; i++)
        if (c->nodes[i]->is_used && c->nodes[i]->is_up)
            peer_node_up(c->nodes[i]);
}

static void unfeed(struct peers *all)
{
    for (int i = 0; i < all->n_nodes && all->router; i++)
        for (int k = 0; k < all->nodes[i]->n; k++)
            router_withdraw(all->router, &all->nodes[i]->list[k]->base);
    pthread_mutex_lock(&all->lock);
    all->router = NULL;
    all->wants_unfeed = false;
    pthread_cond_broadcast(&all->changed);
    pthread_mutex_unlock(&all->lock);
}

static void turn(struct cluster *c)
{
    struct peers *all = c->peers;
    pthread_mutex_lock(&all->lock);
    struct run *r = all->inbox;
    all->inbox = NULL;
    all->inbox_last = &all->inbox;
    const bool is_first = !all->is_adopted;
    struct router *router = all->router_new;
    all->router_new = NULL;
    const bool wants_unfeed = all->wants_unfeed;
    pthread_mutex_unlock(&all->lock);
    if (wants_unfeed) {
        unfeed(all);
        router = NULL; /* it was given before that was asked */
    }
    if (is_first || router) {
        adopt(all, is_first, router);
        pthread_mutex_lock(&all->lock);
        all->is_adopted = true;
        pthread_cond_broadcast(&all->changed);
        pthread_mutex_unlock(&all->lock);
    }
    for (struct run *next; r; r = next) {
        next = r->next;
        LIST_LINK(all->running, r);
        run_begin(r);
    }
    look(all);
}

/* What is on its way, and in the inbox; p NULL: to all of them.  On the cluster's thread. */
static void end_all(struct peers *all, const struct peer *p)
{
    turn(all->cluster);
    for (struct run *r = all->running, *next; r; r = next) {
        struct err err;
        next = r->next;
        if (p && r->peer != p)
            continue;
        err_set(&err, ERR_BUSY, "shutting down");
        run_end(r, &err);
    }
}

/* ---- life ---- */

static void peers_free(struct peers *all)
{
    for (int i = 0; i < all->n_nodes; i++) {
        for (int k = 0; k < all->nodes[i]->n; k++)
            free(all->nodes[i]->list[k]);
        free(all->nodes[i]);
    }
    net_timer_free(all->due);
    arena_free(all->arena);
    pthread_cond_destroy(&all->changed);
    pthread_mutex_destroy(&all->lock);
    free(all);
}

static void on_stop(struct cluster *c)
{
    struct peers *all = c->peers;
    pthread_mutex_lock(&all->lock);
    all->is_over = true;
    all->router_new = NULL;
    pthread_mutex_unlock(&all->lock);
    unfeed(all);
    end_all(all, NULL);
    for (int i = 0; i < c->n_nodes; i++)
        c->nodes[i]->peer = NULL;
    c->hooks = (struct cluster_hooks){ 0 };
    c->peers = NULL;
    peers_free(all);
}

static struct peers *peers_new(struct cluster *c, struct err *err)
{
    struct peers *all = calloc(1, sizeof(*all));
    if (!all)
        return err_null(err, ERR_NOMEM, "cluster: out of memory");
    pthread_mutex_init(&all->lock, NULL);
    thread_cond_init(&all->changed);
    all->cluster = c;
    all->inbox_last = &all->inbox;
    if ((all->arena = arena_new(ARENA_BYTES, err)) != NULL)
        return all;
    peers_free(all);
    return NULL;
}

struct peers *peers_get(struct cluster *c, struct router *router, struct err *err)
{
    pthread_mutex_lock(&c->lock);
    if (!c->peers && (c->peers = peers_new(c, err)) != NULL) {
        c->hooks.turn = turn;
        c->hooks.stop = on_stop;
    }
    struct peers *all = c->peers;
    pthread_mutex_unlock(&c->lock);
    if (!all)
        return NULL;
    const uint64_t until_ns = clock_after_ns(ADOPT_MS * 1000000ull);
    pthread_mutex_lock(&all->lock);
    if (router)
        all->router_new = router;
    const bool has_news = router || !all->is_adopted;
    if (cluster_is_here(c) && has_news) {
        pthread_mutex_unlock(&all->lock);
        turn(c);
        return all;
    }
    if (has_news)
        net_wake_send(c->wake);
    while (!all->is_adopted && thread_wait(&all->changed, &all->lock, until_ns))
        ;
    pthread_mutex_unlock(&all->lock);
    return all;
}

bool cluster_feed(struct cluster *c, struct router *r, struct err *err)
{
    if (c->config.self && *c->config.self)
        router_set_self(r, c->config.self);
    return peers_get(c, r, err) != NULL;
}

void cluster_unfeed(struct cluster *c)
{
    pthread_mutex_lock(&c->lock);
    struct peers *all = c->peers;
    pthread_mutex_unlock(&c->lock);
    if (!all)
        return;
    pthread_mutex_lock(&all->lock);
    if (cluster_is_here(c)) {
        all->is_over = true;
        all->router_new = NULL;
        pthread_mutex_unlock(&all->lock);
        unfeed(all);
        end_all(all, NULL);
        return;
    }
    all->wants_unfeed = true;
    net_wake_send(c->wake);
    while (all->wants_unfeed)
        pthread_cond_wait(&all->changed, &all->lock);
    pthread_mutex_unlock(&all->lock);
}
