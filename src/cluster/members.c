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

#include "base/clock.h"
#include "base/log.h"
#include "cluster/cluster_internal.h"
#include "cluster/trust.h"

static const float LAN_BYTES_S = 50e6f, LOOPBACK_BYTES_S = 1e9f; /* until peer.c has seen what the link gives */

static void try_now(void *ctx);

const char *member_where(const struct member_node *n) { return n->said.name[0] ? n->said.name : n->said.url; }

/* ---- ends ---- */

static void set_state(struct member_node *n, enum member_state to, const char *why)
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
static bool may_say(struct cluster *c)
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
static void fall(struct member_node *n, enum member_state to, const char *why)
{
    if (n->falls_to != MEMBER_STATE_COUNT)
        return; /* it falls already */
    if (n->said.state != to && !n->is_alias && may_say(n->cluster)) { /* once, not at each try */
        if (n->said.state == MEMBER_UP || n->said.state == MEMBER_DRAINING || to == MEMBER_REFUSED)
            log_warn("cluster: %s (%s) is %s: %s", member_where(n), n->said.url, member_state_name(to), why);
        else
            log_info("cluster: %s is %s: %s", n->said.url, member_state_name(to), why);
    }
    set_state(n, to, why);
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

static void listen_to(struct member_node *n)
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
        listen_to(n);
        return;
    }
    snprintf(why, sizeof(why), "silent for %.1f s", MEMBER_SILENT_MS / 1e3);
    fall(n, MEMBER_DOWN, why);
}

/* ---- what it says ---- */

/* Which other place leads to the node of this name; NULL: none that is there. */
static struct member_node *find_named(struct cluster *c, const char *name, const struct member_node *but)
{
    for (int i = 0; i < c->n_nodes; i++) {
        struct member_node *n = c->nodes[i];
        if (n != but && n->is_used && !n->is_alias && strcmp(n->said.name, name) == 0)
            return n;
    }
    return NULL;
}

static void rest(struct member_node *n, uint64_t life)
{
    struct cluster *c = n->cluster;
    pthread_mutex_lock(&c->lock);
    n->is_alias = true;
    n->said.life = life;
    member_forget(n);
    n->said.name[0] = '\0';
    pthread_mutex_unlock(&c->lock);
    fall(n, MEMBER_DOWN, "another way to a node that is known");
}

/* Is it somebody else than who is known by that name?  true: it was dealt with. */
static bool is_somebody_else(struct member_node *n, const struct node_pb_description *d)
{
    struct cluster *c = n->cluster;
    const struct cluster_config *k = &c->config;
    struct member_node *other = find_named(c, d->name, n);
    if (k->self && strcmp(k->self, d->name) == 0) {
        if (!k->self_life || k->self_life == d->life)
            rest(n, d->life);
        else
            fall(n, MEMBER_REFUSED, "a node that has our name; give one of the two another (cluster: name)");
        return true;
    }
    if (!other)
        return false;
    const bool is_there = other->said.state == MEMBER_UP || other->said.state == MEMBER_DRAINING || (other->is_described && other->said.state == MEMBER_NEW);
    if (is_there && other->said.life != d->life) {
        char why[200];
        snprintf(why, sizeof(why), "a node that has the name of another one, %s at %.100s", d->name, other->said.url);
        fall(n, MEMBER_REFUSED, why);
        return true;
    }
    if (is_there)
        rest(n, d->life);
    else
        rest(other, d->life); /* it has moved: this is the way now */
    return is_there;
}

static void watch(struct member_node *n);

static void on_description(void *ctx, const void *message, size_t n_bytes)
{
    struct member_node *n = ctx;
    struct cluster *c = n->cluster;
    struct node_pb_description d;
    struct err err = { 0 };
    bool is_other = false;
    if (n->falls_to != MEMBER_STATE_COUNT)
        return;
    const double rtt_s = n->asked_ns ? (double)(clock_ns() - n->asked_ns) / 1e9 : NAN;
    arena_reset(c->arena);
    bool ok = node_pb_read_description(&d, message, n_bytes, c->arena, &err);
    if (n->is_brief) { /* it was about the time */
        pthread_mutex_lock(&c->lock);
        n->said.rtt_s = ok && rtt_s >= 0 ? n->said.rtt_s + (rtt_s - n->said.rtt_s) / 4 : n->said.rtt_s;
        n->said.node.rtt_s = (float)n->said.rtt_s;
        pthread_mutex_unlock(&c->lock);
        n->asked_ns = 0;
        return;
    }
    if (ok && c->config.trust && strcmp(h2_client_peer(n->h2), d.name) != 0)
        ok = err_set(&err, ERR_AUTH, "it says that it is %s, but its certificate is %s's", d.name, h2_client_peer(n->h2));
    if (ok && is_somebody_else(n, &d))
        return;
    pthread_mutex_lock(&c->lock);
    n->is_alias = n->is_alias && !ok;
    ok = ok && member_take_description(n, &d, &is_other, &err);
    c->refused_total += !ok;
    pthread_mutex_unlock(&c->lock);
    if (!ok) {
        fall(n, MEMBER_REFUSED, err.text);
        return;
    }
    if (n->is_up && is_other) { /* its experts are others now */
        if (c->hooks.down)
            c->hooks.down(n);
        n->is_up = false;
    } else if (n->is_up && c->hooks.state) {
        c->hooks.state(n);
    }
    n->is_described = true;
    if (!n->watching)
        watch(n);
}

/* Of a call's end: down, or not for us? */
static enum member_state state_for(enum grpc_status status, const char *text)
{
    const bool is_refusal = status == GRPC_UNIMPLEMENTED || status == GRPC_UNAUTHENTICATED || status == GRPC_PERMISSION_DENIED || status == GRPC_INVALID_ARGUMENT ||
                            status == GRPC_RESOURCE_EXHAUSTED || status == GRPC_UNKNOWN || strstr(text, "TLS") != NULL;
    return is_refusal ? MEMBER_REFUSED : MEMBER_DOWN;
}

static void fall_by(struct member_node *n, const char *what, enum grpc_status status, const char *text)
{
    char why[200];
    snprintf(why, sizeof(why), "%s: %s%s%.150s", what, grpc_status_name(status), *text ? ": " : "", text);
    for (char *p = why; *p; p++) /* a stranger's words */
        if ((unsigned char)*p < ' ' || *p == 127)
            *p = ' ';
    fall(n, state_for(status, text), why);
}

static void on_describe_end(void *ctx, enum grpc_status status, const char *text)
{
    struct member_node *n = ctx;
    n->describing = NULL;
    if (n->is_up)
        return; /* its silence would say so */
    if (status != GRPC_OK)
        fall_by(n, "Describe", status, text);
    else if (!n->is_described)
        fall(n, MEMBER_REFUSED, "it described nothing");
}

static bool describe(struct member_node *n, bool is_brief, struct err *err)
{
    static const struct grpc_client_fns fns = { .on_message = on_description, .on_end = on_describe_end };
    char bytes[8];
    struct buf b = { .data = bytes, .cap = sizeof(bytes), .max_bytes = sizeof(bytes) - 1 };
    n->is_brief = is_brief;
    n->describing = grpc_client_call(n->cluster->loop, n->h2, "/tutti.v1.Node/Describe", NULL, 0, MEMBER_DESCRIBE_MS * (uint64_t)1000000,
                                     NODE_PB_DESCRIPTION_MAX_BYTES, &fns, n, err);
    if (!n->describing)
        return false;
    node_pb_put_describe(&b, is_brief);
    grpc_client_send(n->describing, bytes, b.len);
    grpc_client_half_close(n->describing);
    n->asked_ns = clock_ns();
    return true;
}

static void ask_again(struct member_node *n, bool is_brief)
{
    struct err err;
    if (!n->describing && !describe(n, is_brief, &err))
        fall(n, MEMBER_DOWN, err.text);
}

/* TLS as of now, when it is another than before; config NULL: for the connection that there is. */
static bool take_trust(struct member_node *n, struct h2_client_config *config, struct err *err)
{
    const struct trust *t = n->cluster->config.trust;
    if (!t || (!config && n->trust_generation == trust_generation(t)))
        return true;
    n->trust_generation = trust_generation(t);
    struct tls_context *tls = trust_client_tls(t, err);
    if (tls && config)
        config->tls = tls;
    else if (tls)
        h2_client_set_tls(n->h2, tls);
    return tls != NULL;
}

/* More than anybody would say is no news but an attack, or a fault. */
static bool is_too_much(struct member_node *n)
{
    const uint64_t now_ms = net_loop_now_ms(n->cluster->loop);
    if (now_ms - n->second_ms >= 1000) {
        n->second_ms = now_ms;
        n->n_in_second = 0;
    }
    return ++n->n_in_second > MEMBER_STATES_MAX_HZ;
}

static void on_state(void *ctx, const void *message, size_t n_bytes)
{
    struct member_node *n = ctx;
    struct cluster *c = n->cluster;
    struct node_pb_state s;
    struct err err = { 0 };
    if (n->falls_to != MEMBER_STATE_COUNT)
        return;
    if (is_too_much(n)) {
        fall(n, MEMBER_REFUSED, "it says how it is more than 50 times a second");
        return;
    }
    arena_reset(c->arena);
    if (!node_pb_read_state(&s, message, n_bytes, c->arena, &err)) {
        pthread_mutex_lock(&c->lock);
        c->refused_total++;
        pthread_mutex_unlock(&c->lock);
        fall(n, MEMBER_REFUSED, err.text);
        return;
    }
    if (!take_trust(n, NULL, &err)) {
        fall(n, MEMBER_DOWN, err.text);
        return;
    }
    if (s.life != n->said.life) {
        fall(n, MEMBER_DOWN, "it was started again");
        return;
    }
    const enum member_state to = s.is_draining ? MEMBER_DRAINING : MEMBER_UP;
    const bool is_news = to != n->said.state;
    const uint64_t now_ns = clock_ns();
    pthread_mutex_lock(&c->lock);
    member_take_state(n, &s);
    n->heard_ns = now_ns;
    if (n->watched_ns) {
        n->said.rtt_s = (double)(now_ns - n->watched_ns) / 1e9;
        n->said.node.rtt_s = (float)n->said.rtt_s;
        n->watched_ns = 0;
    }
    pthread_mutex_unlock(&c->lock);
    listen_to(n);
    if (is_news) {
        if (c->n_nodes < MEMBERS_NAMED || may_say(c))
            log_info("cluster: %s (%s) is %s", member_where(n), n->said.url, member_state_name(to));
        set_state(n, to, "");
    }
    if (!n->is_up) {
        n->is_up = true;
        if (c->hooks.up)
            c->hooks.up(n);
    } else if (c->hooks.state) {
        c->hooks.state(n);
    }
    if (s.edition != n->edition)
        ask_again(n, false);
    else if (++n->n_states % MEMBER_RTT_EACH == 0)
        ask_again(n, true);
    member_compare_lists(n);
}

static void on_watch_end(void *ctx, enum grpc_status status, const char *text)
{
    struct member_node *n = ctx;
    n->watching = NULL;
    fall_by(n, "Watch", status, text);
}

static void watch(struct member_node *n)
{
    static const struct grpc_client_fns fns = { .on_message = on_state, .on_end = on_watch_end };
    struct err err = { 0 };
    n->watching = grpc_client_call(n->cluster->loop, n->h2, "/tutti.v1.Node/Watch", NULL, 0, 0, NODE_PB_STATE_MAX_BYTES, &fns, n, &err);
    if (!n->watching) {
        fall(n, MEMBER_DOWN, err.text);
        return;
    }
    grpc_client_send(n->watching, "", 0);
    grpc_client_half_close(n->watching);
    n->watched_ns = clock_ns();
    listen_to(n);
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
    if (!take_trust(n, &config, &err) || !(n->h2 = h2_client_new(c->loop, &n->target, &config, &err)) || !describe(n, false, &err))
        fall(n, MEMBER_DOWN, err.text);
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
