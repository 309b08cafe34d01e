/* cluster/members.c - the life of a member: connect, Describe, Watch, silence, again.  See cluster_internal.h; start reading at try_now().
 *
 *   NEW --Describe--> described --first State--> UP <--> DRAINING (it says so)
 *     |                                           |
 *     +------ no connection, silence, the end of its stream: DOWN, tried again once a second
 *     +------ no certificate, another protocol, nonsense, too much: REFUSED, tried again every two
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "cluster/cluster_internal.h"

static const float LAN_BYTES_S = 50e6f, LOOPBACK_BYTES_S = 1e9f; /* until peer.c has seen what the link gives */

static void try_now(void *ctx);

const char *member_where(const struct member_node *n) { return n->said.name[0] ? n->said.name : n->said.url; }

/* ---- ends ---- */

void member_set_state(struct member_node *n, enum member_state to, const char *why)
{
    struct cluster *c = n->cluster;
    pthread_mutex_lock(&c->lock);
    n->said.state = to;
    n->said.node.is_up = to == MEMBER_UP;
    snprintf(n->said.why, sizeof(n->said.why), "%s", why);
    if (to != MEMBER_UP && to != MEMBER_DRAINING)
        for (int i = 0; i < n->n_experts; i++)
            n->experts[i].c.is_up = false;
    if (to != MEMBER_NEW && !n->is_settled) {
        n->is_settled = true;
        pthread_cond_broadcast(&c->settled);
    }
    pthread_mutex_unlock(&c->lock);
}

static void hang_up(struct member_node *n)
{
    grpc_client_cancel(n->describing);
    grpc_client_cancel(n->watching);
    grpc_client_cancel(n->listing);
    n->describing = n->watching = n->listing = NULL;
    h2_client_free(n->h2);
    n->h2 = NULL;
    n->is_described = false;
    net_timer_stop(n->silent);
}

/* A switch that goes takes hundreds of nodes: that is no news a hundred times. */
bool member_may_say(struct cluster *c)
{
    enum { EACH_MS = 10000, LINES = 32 };
    const uint64_t now_ms = net_loop_now_ms(c->loop);
    if (now_ms - c->said_ms >= EACH_MS) {
        c->said_ms = now_ms;
        c->n_said = 0;
    }
    if (c->n_said == LINES)
        log_warn("cluster: many nodes come and go; for %d s they are not named here (`tutti cluster status` shows them)", EACH_MS / 1000);
    return c->n_said++ < LINES;
}

/* Soon it is taken for that: the hook, its calls, its connection; then it is tried again. */
void member_fall(struct member_node *n, enum member_state to, const char *why)
{
    if (n->falls_to != MEMBER_STATE_COUNT)
        return; /* it falls already */
    if (n->said.state != to && !n->is_alias && member_may_say(n->cluster)) { /* once, not at each try */
        if (n->said.state == MEMBER_UP || n->said.state == MEMBER_DRAINING || to == MEMBER_REFUSED)
            log_warn("cluster: %s (%s) is %s: %s", member_where(n), n->said.url, member_state_name(to), why);
        else
            log_info("cluster: %s is %s: %s", n->said.url, member_state_name(to), why);
    }
    member_set_state(n, to, why);
    n->falls_to = to;
    net_timer_stop(n->silent);
    net_timer_start(n->soon, 0, 0); /* not from inside one of its own calls */
}

static void forget_place(struct member_node *n)
{
    struct cluster *c = n->cluster;
    pthread_mutex_lock(&c->lock);
    member_forget(n);
    memset(&n->said, 0, sizeof(n->said));
    n->is_used = false;
    pthread_cond_broadcast(&c->settled);
    pthread_mutex_unlock(&c->lock);
    net_timer_stop(n->soon);
}

/* Falling is over, or its time to be tried again has come. */
static void on_soon(void *ctx)
{
    struct member_node *n = ctx;
    struct cluster *c = n->cluster;
    if (n->falls_to == MEMBER_STATE_COUNT) {
        try_now(n);
        return;
    }
    const enum member_state was = n->falls_to;
    if (n->is_up && c->hooks.down)
        c->hooks.down(n);
    n->is_up = false;
    hang_up(n);
    n->falls_to = MEMBER_STATE_COUNT;
    if (!n->is_listed) {
        forget_place(n);
        return;
    }
    const uint64_t pause_ms = was == MEMBER_REFUSED ? MEMBER_REFUSED_MS : MEMBER_RETRY_MS, now_ms = net_loop_now_ms(c->loop);
    net_timer_start(n->soon, n->tried_ms + pause_ms > now_ms ? n->tried_ms + pause_ms - now_ms : 1, 0);
}

void member_listen_to(struct member_node *n)
{
    n->silent_by_ms = net_loop_now_ms(n->cluster->loop) + MEMBER_SILENT_MS;
    net_timer_start(n->silent, MEMBER_SILENT_MS, 0);
}

static void on_silent(void *ctx)
{
    enum { LATE_MS = 200 };
    struct member_node *n = ctx;
    char why[64];
    if (net_loop_now_ms(n->cluster->loop) > n->silent_by_ms + LATE_MS) { /* it is we who stood still: what it said may not be read yet */
        member_listen_to(n);
        return;
    }
    snprintf(why, sizeof(why), "silent for %.1f s", MEMBER_SILENT_MS / 1e3);
    member_fall(n, MEMBER_DOWN, why);
}

/* ---- trying ---- */

/* Somebody else is the way to it, and well: nothing to do here until that ends. */
static bool may_rest(const struct member_node *n)
{
    const struct cluster *c = n->cluster;
    if (!n->is_alias)
        return false;
    for (int i = 0; i < c->n_nodes; i++) {
        const struct member_node *o = c->nodes[i];
        if (o->is_used && !o->is_alias && o->said.life == n->said.life)
            return o->said.state == MEMBER_UP || o->said.state == MEMBER_DRAINING;
    }
    return c->config.self_life && c->config.self_life == n->said.life;
}

static void try_now(void *ctx)
{
    struct member_node *n = ctx;
    struct cluster *c = n->cluster;
    struct h2_client_config config = { .connect_ms = MEMBER_RETRY_MS, .idle_ms = 24 * 3600 * 1000u /* Watch is always there */ };
    struct err err = { 0 };
    n->tried_ms = net_loop_now_ms(c->loop);
    if (may_rest(n)) {
        net_timer_start(n->soon, MEMBER_RETRY_MS, 0);
        return;
    }
    n->n_states = 0;
    if (!member_take_trust(n, &config, &err) || !(n->h2 = h2_client_new(c->loop, &n->target, &config, &err)) || !member_describe(n, false, &err))
        member_fall(n, MEMBER_DOWN, err.text);
}

/* ---- places ---- */

static bool is_loopback(const char *host)
{
    return strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0 || strcmp(host, "localhost") == 0;
}

static struct member_node *take_place(struct cluster *c, struct err *err)
{
    for (int i = 0; i < c->n_nodes; i++)
        if (!c->nodes[i]->is_used)
            return c->nodes[i];
    if (c->n_nodes == MEMBERS_MAX)
        return err_null(err, ERR_LIMIT, "cluster: at most %d nodes are possible", MEMBERS_MAX);
    struct member_node *n = calloc(1, sizeof(*n));
    if (!n || !(n->silent = net_timer_new(c->loop, on_silent, n, err)) || !(n->soon = net_timer_new(c->loop, on_soon, n, err))) {
        net_timer_free(n ? n->silent : NULL);
        free(n);
        return err_null(err, ERR_NOMEM, "cluster: out of memory");
    }
    n->cluster = c;
    n->index = c->n_nodes;
    pthread_mutex_lock(&c->lock);
    c->nodes[c->n_nodes++] = n;
    pthread_mutex_unlock(&c->lock);
    return n;
}

bool member_add(struct cluster *c, const char *url, int seed, struct err *err)
{
    struct http_target t;
    if (!http_target_parse(&t, url, err))
        return false;
    if (t.is_unix || t.prefix[0])
        return err_set(err, ERR_INPUT, "cluster: node %.200s: https://HOST:PORT is wanted", url);
    if (t.is_tls && !c->config.trust)
        return err_set(err, ERR_INPUT, "cluster: node %.200s: https:// needs a certificate of the cluster (`tutti node join`, then cluster: trust)", url);
    if (!t.is_tls && !is_loopback(t.host))
        return err_set(err, ERR_INPUT, "cluster: node %.200s: in the clear only on this machine; `tutti cluster init` and https:// make it safe", url);
    for (int i = 0; i < c->n_nodes; i++) {
        struct member_node *n = c->nodes[i];
        if (n->is_used && n->target.port == t.port && n->target.is_tls == t.is_tls && strcmp(n->target.host, t.host) == 0) {
            if (n->seed < 0 || n->seed == seed || !n->is_listed) /* the configuration's word is stronger */
                n->seed = seed;
            n->is_listed = true;
            return true;
        }
    }
    struct member_node *n = take_place(c, err);
    if (!n)
        return false;
    pthread_mutex_lock(&c->lock);
    n->said = (struct member){ .state = MEMBER_NEW, .rtt_s = NAN };
    snprintf(n->said.url, sizeof(n->said.url), "%.290s", url);
    n->said.node = (struct route_node){ .distance = EXPERT_LAN, .rtt_s = is_loopback(t.host) ? 0.0002f : 0.002f, .link_bytes_s = is_loopback(t.host) ? LOOPBACK_BYTES_S : LAN_BYTES_S,
                                        .idle_w = NAN, .usd_per_kwh = NAN, .temperature_c = NAN, .headroom_c = NAN, .power_w = NAN, .battery_frac = NAN,
                                        .memory_free_bytes = NAN, .pressure_frac = NAN, .busy_frac = NAN };
    n->target = t;
    n->seed = seed;
    n->is_listed = true;
    n->is_alias = n->is_settled = n->is_described = n->is_up = false;
    n->heard_ns = n->edition = 0;
    n->falls_to = MEMBER_STATE_COUNT;
    n->is_used = true;
    pthread_mutex_unlock(&c->lock);
    net_timer_start(n->soon, 0, 0);
    return true;
}

void member_unlist(struct cluster *c, int seed)
{
    for (int i = 0; i < c->n_nodes; i++)
        if (c->nodes[i]->is_used && c->nodes[i]->seed == seed)
            c->nodes[i]->is_listed = false;
}

void member_free(struct member_node *n)
{
    hang_up(n);
    net_timer_free(n->silent);
    net_timer_free(n->soon);
    member_forget(n);
    free(n);
}
