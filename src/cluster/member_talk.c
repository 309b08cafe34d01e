/* cluster/member_talk.c - what we ask a member and what becomes of its answers: Describe, Watch, and whether it is who it says; what the
 * messages hold is member_said.c's.  See cluster_internal.h; start reading at member_describe() and on_state().
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "cluster/cluster_internal.h"

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
    member_fall(n, MEMBER_DOWN, "another way to a node that is known");
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
            member_fall(n, MEMBER_REFUSED, "a node that has our name; give one of the two another (cluster: name)");
        return true;
    }
    if (!other)
        return false;
    const bool is_there = other->said.state == MEMBER_UP || other->said.state == MEMBER_DRAINING || (other->is_described && other->said.state == MEMBER_NEW);
    if (is_there && other->said.life != d->life) {
        char why[200];
        snprintf(why, sizeof(why), "a node that has the name of another one, %s at %.100s", d->name, other->said.url);
        member_fall(n, MEMBER_REFUSED, why);
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
        member_fall(n, MEMBER_REFUSED, err.text);
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
    member_fall(n, state_for(status, text), why);
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
        member_fall(n, MEMBER_REFUSED, "it described nothing");
}

bool member_describe(struct member_node *n, bool is_brief, struct err *err)
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
    if (!n->describing && !member_describe(n, is_brief, &err))
        member_fall(n, MEMBER_DOWN, err.text);
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
        member_fall(n, MEMBER_REFUSED, "it says how it is more than 50 times a second");
        return;
    }
    arena_reset(c->arena);
    if (!node_pb_read_state(&s, message, n_bytes, c->arena, &err)) {
        pthread_mutex_lock(&c->lock);
        c->refused_total++;
        pthread_mutex_unlock(&c->lock);
        member_fall(n, MEMBER_REFUSED, err.text);
        return;
    }
    if (!member_take_trust(n, NULL, &err)) {
        member_fall(n, MEMBER_DOWN, err.text);
        return;
    }
    if (s.life != n->said.life) {
        member_fall(n, MEMBER_DOWN, "it was started again");
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
    member_listen_to(n);
    if (is_news) {
        if (c->n_nodes < MEMBERS_NAMED || member_may_say(c))
            log_info("cluster: %s (%s) is %s", member_where(n), n->said.url, member_state_name(to));
        member_set_state(n, to, "");
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
        member_fall(n, MEMBER_DOWN, err.text);
        return;
    }
    grpc_client_send(n->watching, "", 0);
    grpc_client_half_close(n->watching);
    n->watched_ns = clock_ns();
    member_listen_to(n);
}
