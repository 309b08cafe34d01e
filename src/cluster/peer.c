/* cluster/peer.c - experts of other nodes as experts here: who there is, taking jobs in, telling the router; a job's way is peer_run.c.
 * Start reading at submit() (any thread) and turn() (the cluster's).
 *
 * Rule:    a job that is handed over on the cluster's own thread, as clients' are on the service's loop, is on its way when submit() returns:
 *          no inbox, no thread is woken (docs/decisions/0023).  No event of it comes from within submit(). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/label.h"
#include "base/log.h"
#include "cluster/peer_internal.h"
#include "route/router.h"
#include "wire/node_pb.h"

enum { ARENA_BYTES = 3 * PEER_MESSAGE_BYTES_MAX, ADOPT_MS = 2000 };

/* ---- the calls of expert.h ---- */

static struct peer *peer_of(struct expert *e) { return (struct peer *)e; }
static void end_all(struct peers *all, const struct peer *p);

bool peer_node_may_wake(const struct peer_node *n, uint64_t now_ns) { return n->can_wake && !n->is_up && now_ns >= n->rest_ns; }

static void link_run(struct peers *all, struct run *r)
{
    r->prev = NULL;
    r->next = all->running;
    if (r->next)
        r->next->prev = r;
    all->running = r;
}

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
    link_run(all, r);
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
    const uint64_t now = clock_ns(), until = drain_ns > UINT64_MAX - now ? UINT64_MAX : now + drain_ns;
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

static const struct expert_ops peer_ops = { .free = free_nothing, .submit = submit, .wake = wake, .card = get_card, .metrics = get_metrics, .stop = stop, .wait_ready = wait_ready };

/* ---- who there is: the cluster's thread ---- */

/* Under the lock, as the next two: any thread may make them. */
static struct peer_node *node_of(struct peers *all, const char *name)
{
    for (int i = 0; i < all->n_nodes; i++)
        if (strcmp(all->nodes[i]->name, name) == 0)
            return all->nodes[i];
    struct peer_node *n = all->n_nodes < MEMBERS_MAX ? calloc(1, sizeof(*n)) : NULL;
    if (!n)
        return NULL;
    n->peers = all;
    snprintf(n->name, sizeof(n->name), "%s", name);
    for (int i = 0; i < all->cluster->config.n_wakes; i++)
        if (strcmp(all->cluster->config.wakes[i].node, name) == 0)
            n->can_wake = wake_parse_mac(all->cluster->config.wakes[i].mac, n->mac);
    all->nodes[all->n_nodes++] = n;
    return n;
}

static struct peer *find(const struct peer_node *n, const char *id)
{
    for (int i = 0; i < n->n; i++)
        if (strcmp(n->list[i]->id, id) == 0)
            return n->list[i];
    return NULL;
}

static struct peer *peer_named(struct peer_node *n, const char *id)
{
    struct peer *p = find(n, id);
    if (!p && n->n < (int)(sizeof(n->list) / sizeof(n->list[0])) && (p = calloc(1, sizeof(*p))) != NULL) {
        p->base.ops = &peer_ops;
        p->node = n;
        snprintf(p->id, sizeof(p->id), "%s", id);
        n->list[n->n++] = p;
    }
    return p;
}

/* From the cluster's thread, which does not change them while it looks. */
static struct peer *find_now(struct peer_node *n, const char *id)
{
    pthread_mutex_lock(&n->peers->lock);
    struct peer *p = find(n, id);
    pthread_mutex_unlock(&n->peers->lock);
    return p;
}

/* What its node says of an expert; true: something that the router's hint holds is new. */
static bool take(struct peer *p, const struct member_expert *from)
{
    struct peers *all = p->node->peers;
    pthread_mutex_lock(&all->lock);
    struct candidate c = from->c;
    c.node = c.slot = 0;
    const bool is_new = memcmp(&c, &p->c, offsetof(struct candidate, is_up)) != 0;
    p->c = c;
    p->state = from->state;
    p->memory_bytes = from->memory_bytes;
    snprintf(p->runs_on, sizeof(p->runs_on), "%s", from->runs_on);
    snprintf(p->languages, sizeof(p->languages), "%s", from->languages);
    p->n_unseen = 0;
    pthread_mutex_unlock(&all->lock);
    return is_new;
}

static void tell_router(struct peers *all, struct peer *p)
{
    struct err err;
    if (!all->router)
        return;
    struct candidate hint = p->c; /* only this thread changes it */
    hint.wait_s = 0;
    if (!router_add_on(all->router, &p->node->at->said.node, &p->base, &hint, &err))
        log_warn("cluster: %s on %s: %s", p->id, p->node->name, err.text);
}

static void up(struct member_node *at)
{
    struct peers *all = at->cluster->peers;
    pthread_mutex_lock(&all->lock);
    struct peer_node *n = node_of(all, at->said.name);
    const int n_known = n ? n->n : 0;
    pthread_mutex_unlock(&all->lock);
    if (!n || (n->at && n->at != at))
        return;
    n->at = at;
    at->peer = n;
    for (int i = 0; i < n_known; i++) { /* who is not there any more */
        bool is_there = false;
        for (int k = 0; k < at->n_experts && !is_there; k++)
            is_there = strcmp(at->experts[k].c.expert, n->list[i]->id) == 0;
        if (!is_there && all->router)
            router_withdraw(all->router, &n->list[i]->base);
    }
    pthread_mutex_lock(&all->lock);
    n->is_up = true;
    n->rtt_s = at->said.rtt_s;
    n->waking_ns = n->rest_ns = 0;
    pthread_mutex_unlock(&all->lock);
    for (int k = 0; k < at->n_experts; k++) {
        pthread_mutex_lock(&all->lock);
        struct peer *p = peer_named(n, at->experts[k].c.expert);
        pthread_mutex_unlock(&all->lock);
        if (!p)
            continue;
        take(p, &at->experts[k]);
        pthread_mutex_lock(&all->lock);
        p->is_there = true;
        pthread_mutex_unlock(&all->lock);
        tell_router(all, p);
    }
    if (all->router)
        router_set_node(all->router, &at->said.node);
    for (struct run *r = all->running, *next; r; r = next) { /* who waited for it */
        next = r->next;
        if (!r->is_waiting || r->peer->node != n)
            continue;
        r->is_waiting = false;
        run_begin(r);
    }
}

/* A node that sleeps is a slow one for the router, not one that is gone. */
static void tell_router_asleep(struct peers *all, struct peer_node *n, const struct route_node *node)
{
    struct err err;
    for (int i = 0; i < n->n; i++) {
        struct candidate hint = n->list[i]->c;
        hint.wait_s = 0;
        hint.load_s += WAKE_START_S;
        if (!router_add_on(all->router, node, &n->list[i]->base, &hint, &err))
            log_warn("cluster: %s on %s: %s", hint.expert, n->name, err.text);
    }
}

static void state(struct member_node *at)
{
    struct peer_node *n = at->peer;
    if (!n)
        return;
    pthread_mutex_lock(&n->peers->lock);
    n->rtt_s = at->said.rtt_s;
    pthread_mutex_unlock(&n->peers->lock);
    for (int k = 0; k < at->n_experts; k++) {
        struct peer *p = find_now(n, at->experts[k].c.expert);
        if (p && take(p, &at->experts[k]))
            tell_router(n->peers, p);
    }
    if (n->peers->router)
        router_set_node(n->peers->router, &at->said.node);
}

static void down(struct member_node *at)
{
    struct peer_node *n = at->peer;
    if (!n)
        return;
    struct peers *all = n->peers;
    pthread_mutex_lock(&all->lock);
    for (int i = 0; i < n->n; i++) {
        n->list[i]->is_there = false;
        n->list[i]->n_unseen = 0;
    }
    n->is_up = false;
    snprintf(n->why, sizeof(n->why), "%s", at->said.why);
    pthread_mutex_unlock(&all->lock);
    if (all->router) { /* before its jobs end: nobody shall ask it again */
        struct route_node gone = at->said.node;
        gone.is_up = n->can_wake;
        router_set_node(all->router, &gone);
        if (n->can_wake)
            tell_router_asleep(all, n, &gone);
    }
    n->at = NULL;
    at->peer = NULL;
    for (struct run *r = all->running, *next; r; r = next) {
        next = r->next;
        if (r->peer->node != n || r->is_waiting)
            continue;
        struct err err;
        r->is_lost = r->at != NULL;
        err_set(&err, ERR_BUSY, "%s: the node %s is gone%s%s", r->peer->id, n->name, n->why[0] ? ": " : "", n->why);
        run_end(r, &err);
    }
}

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
        c->hooks.up = up, c->hooks.state = state, c->hooks.down = down;
    for (int i = 0; i < c->n_nodes; i++)
        if (c->nodes[i]->is_used && c->nodes[i]->is_up)
            up(c->nodes[i]);
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
        link_run(all, r);
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
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&all->lock, NULL);
    pthread_cond_init(&all->changed, &attr);
    pthread_condattr_destroy(&attr);
    all->cluster = c;
    all->inbox_last = &all->inbox;
    if ((all->arena = arena_new(ARENA_BYTES, err)) != NULL)
        return all;
    peers_free(all);
    return NULL;
}

/* From now on jobs may go to other nodes. */
static struct peers *peers_get(struct cluster *c, struct router *router, struct err *err)
{
    struct timespec until;
    pthread_mutex_lock(&c->lock);
    if (!c->peers && (c->peers = peers_new(c, err)) != NULL) {
        c->hooks.turn = turn;
        c->hooks.stop = on_stop;
    }
    struct peers *all = c->peers;
    pthread_mutex_unlock(&c->lock);
    if (!all)
        return NULL;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ADOPT_MS / 1000;
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
    while (!all->is_adopted && pthread_cond_timedwait(&all->changed, &all->lock, &until) == 0)
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

/* Which of two that have the same expert: who is there, who has it loaded, who has less to do, who is nearer. */
static bool is_nearer(const struct peer *p, const struct peer *than)
{
    const bool warm = p->is_there && p->c.is_warm, than_warm = than->is_there && than->c.is_warm;
    const int load = p->c.n_running + p->c.n_waiting + p->n_unseen, than_load = than->c.n_running + than->c.n_waiting + than->n_unseen;
    if (p->is_there != than->is_there)
        return p->is_there;
    if (warm != than_warm)
        return warm;
    return load != than_load ? load < than_load : p->node->rtt_s < than->node->rtt_s;
}

struct expert *cluster_expert(struct cluster *c, const char *node, const char *id, struct err *err)
{
    struct peers *all = peers_get(c, NULL, err);
    struct peer *best = NULL;
    char who[100] = "";
    size_t at = 0;
    if (!all)
        return NULL;
    pthread_mutex_lock(&all->lock);
    for (int i = 0; i < all->n_nodes; i++) {
        const struct peer_node *n = all->nodes[i];
        at += at + 1 < sizeof(who) ? (size_t)snprintf(who + at, sizeof(who) - at, "%s%.30s", i ? ", " : "", n->name) : 0;
        struct peer *p = !node || !*node || strcmp(node, n->name) == 0 ? find(n, id) : NULL;
        if (p && (!best || is_nearer(p, best)))
            best = p;
    }
    pthread_mutex_unlock(&all->lock);
    if (!best)
        return err_null(err, ERR_NOT_FOUND, "%s%s%s: no node has this expert; nodes that were seen: %s", id, node && *node ? " on " : "", node ? node : "", *who ? who : "none");
    return &best->base;
}

struct expert *cluster_expect(struct cluster *c, const char *node, const char *id, struct err *err)
{
    struct peers *all = label_is_valid(node) && *id && strlen(id) < sizeof(((struct candidate *)0)->expert) ? peers_get(c, NULL, err) : NULL;
    if (!all)
        return err_null(err, ERR_INPUT, "'%.70s' on '%.70s': a node's name is 1 to 63 of a-z, 0-9 and '-'", id, node);
    pthread_mutex_lock(&all->lock);
    struct peer_node *n = node_of(all, node);
    struct peer *p = n ? peer_named(n, id) : NULL;
    if (n && !n->is_up && !n->why[0])
        snprintf(n->why, sizeof(n->why), "it was not seen yet");
    pthread_mutex_unlock(&all->lock);
    return p ? &p->base : err_null(err, ERR_LIMIT, "cluster: no place for %s on %s", id, node);
}
