/* cluster/peer_nodes.c - which node has which expert: nodes come, say how they are, go; the router is told.  See peer_internal.h; start reading
 * at peer_node_up() (the cluster's thread) and cluster_expert() (any).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/label.h"
#include "base/log.h"
#include "cluster/peer_internal.h"
#include "route/router.h"

bool peer_node_may_wake(const struct peer_node *n, uint64_t now_ns) { return n->can_wake && !n->is_up && now_ns >= n->rest_ns; }

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

void peer_node_up(struct member_node *at)
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

void peer_node_state(struct member_node *at)
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

void peer_node_down(struct member_node *at)
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

/* ---- for others: any thread ---- */

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
