/* cluster/join_desk.c - the authority's side of join.h; start at join_desk_take(). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "cluster/join.h"
#include "cluster/refusals.h"
#include "cluster/trust_ca.h"
#include "net/grpc.h"
#include "wire/join_pb.h"

enum { AT_ONCE_MAX = 16 /* requests that are looked at or signed; more are told to come again */, ARENA_BYTES = 256 << 10 };

enum method { METHOD_JOIN, METHOD_RENEW, METHOD_REVOCATIONS, METHOD_COUNT };
static const char *const methods[METHOD_COUNT] = { "Join", "Renew", "Revocations" };

struct join_desk {
    struct net_loop *loop;
    struct trust *trust;
    struct refusals refusals;
    int n_visits, n_working;
};

struct visit { /* one call */
    struct join_desk *desk;
    struct grpc_call *call; /* NULL: they hung up */
    enum method method;
    bool has_message, is_working;
    char peer[TRUST_NAME_MAX], from[HTTP_FROM_MAX];
    struct arena *arena;
    const char *token, *request; /* in the arena */
    /* what came of it */
    enum trust_refusal refusal;
    struct trust_cert said;
    struct err err;
    struct buf cert;
};

static void free_visit(struct visit *v)
{
    v->desk->n_visits--;
    buf_fini(&v->cert);
    arena_free(v->arena);
    free(v);
}

static void finish(struct visit *v, enum grpc_status status, const char *text)
{
    if (v->call)
        grpc_finish(v->call, status, text);
}

/* ---- answers ---- */

static void send_reply(struct visit *v)
{
    struct buf list, out;
    struct err err = { 0 };
    buf_init(&list, JOIN_LIST_MAX_BYTES);
    buf_init(&out, JOIN_LIST_MAX_BYTES + (64 << 10));
    trust_put_revocations(v->desk->trust, &list);
    char *ca = trust_dup_ca(v->desk->trust, &err);
    if (ca) {
        join_pb_put_reply(&out, &(struct join_reply){ .certificate = v->cert.data, .ca = ca, .revocations = list.data ? list.data : "" });
        if (v->call && !out.failed)
            grpc_send(v->call, out.data, out.len);
    }
    finish(v, ca && !out.failed ? GRPC_OK : GRPC_INTERNAL, NULL);
    free(ca);
    buf_fini(&list);
    buf_fini(&out);
}

static void tell(struct visit *v)
{
    struct join_desk *d = v->desk;
    const uint64_t now = net_loop_now_ms(d->loop);
    switch (v->refusal) {
    case TRUST_FINE:
        log_warn("nodes: %s %s from %s", v->said.name, v->method == METHOD_JOIN ? "joined" : "has a new certificate", v->from);
        send_reply(v);
        return;
    case TRUST_BAD_TOKEN: /* which of them it is, the log says */
        refusals_wrong(&d->refusals, now, v->from, JOIN_WRONG_MS);
        refusals_note(&d->refusals, now, "somebody who wants to join", v->from, v->err.text);
        finish(v, GRPC_PERMISSION_DENIED, "the token is wrong, over, or used up");
        return;
    case TRUST_BAD_REQUEST:
    case TRUST_NAME_TAKEN:
        refusals_note(&d->refusals, now, v->peer[0] ? v->peer : "somebody who wants to join", v->from, v->err.text);
        finish(v, v->refusal == TRUST_NAME_TAKEN ? GRPC_ALREADY_EXISTS : GRPC_INVALID_ARGUMENT, v->err.text);
        return;
    case TRUST_FAILED: break;
    }
    log_error("nodes: %s", v->err.text);
    finish(v, GRPC_INTERNAL, "the authority cannot sign now; its log says why");
}

static void work(void *ctx) /* on a thread of the pool: files are synced there */
{
    struct visit *v = ctx;
    const char *dir = trust_dir(v->desk->trust);
    v->refusal = v->method == METHOD_JOIN ? trust_ca_join(dir, v->token, v->request, &v->cert, &v->said, &v->err)
                                          : trust_ca_renew(dir, v->peer, v->request, &v->cert, &v->said, &v->err);
}

static void done(void *ctx)
{
    struct visit *v = ctx;
    v->desk->n_working--;
    v->is_working = false;
    if (v->call)
        tell(v); /* its on_close frees it, later */
    else
        free_visit(v);
}

/* Both ways: who asks may have the newer one. */
static void send_revocations(struct visit *v, const void *message, size_t n)
{
    struct err err = { 0 };
    if (n > 0 && join_take_revocations(v->desk->trust, message, n, &err))
        log_info("nodes: a newer revocation list from %s", v->peer);
    else if (err.code != ERR_NONE)
        refusals_note(&v->desk->refusals, net_loop_now_ms(v->desk->loop), v->peer, v->from, err.text);
    struct buf list, out;
    buf_init(&list, JOIN_LIST_MAX_BYTES);
    buf_init(&out, JOIN_LIST_MAX_BYTES + 64);
    trust_put_revocations(v->desk->trust, &list);
    join_pb_put_revocations(&out, list.data ? list.data : "");
    const bool ok = !list.failed && !out.failed;
    if (ok)
        grpc_send(v->call, out.data ? out.data : "", out.len);
    finish(v, ok ? GRPC_OK : GRPC_INTERNAL, NULL);
    buf_fini(&list);
    buf_fini(&out);
}

/* ---- a call ---- */

static void on_message(void *ctx, const void *message, size_t n)
{
    struct visit *v = ctx;
    struct join_desk *d = v->desk;
    if (v->has_message || v->is_working || !v->call)
        return;
    v->has_message = true;
    if (v->method == METHOD_REVOCATIONS) {
        send_revocations(v, message, n);
        return;
    }
    const bool ok = (v->arena = arena_new(ARENA_BYTES, &v->err)) &&
                    (v->method == METHOD_JOIN ? join_pb_read_join(&v->token, &v->request, message, n, v->arena, &v->err)
                                              : join_pb_read_renew(&v->request, message, n, v->arena, &v->err));
    if (!ok) {
        refusals_note(&d->refusals, net_loop_now_ms(d->loop), v->peer, v->from, v->err.text);
        finish(v, GRPC_INVALID_ARGUMENT, "this is no request");
        return;
    }
    if (v->method == METHOD_JOIN && !refusals_may_try(&d->refusals, net_loop_now_ms(d->loop), v->from, JOIN_WRONG_BURST, JOIN_WRONG_MS)) {
        refusals_note(&d->refusals, net_loop_now_ms(d->loop), "somebody who wants to join", v->from, "too many wrong tokens");
        finish(v, GRPC_RESOURCE_EXHAUSTED, "too many wrong tokens: later");
        return;
    }
    if (d->n_working >= AT_ONCE_MAX || !net_loop_work(d->loop, work, done, v, &v->err)) {
        finish(v, GRPC_UNAVAILABLE, "busy: later");
        return;
    }
    v->is_working = true;
    d->n_working++;
}

static void on_end(void *ctx)
{
    struct visit *v = ctx;
    if (!v->has_message && v->call)
        finish(v, GRPC_INVALID_ARGUMENT, "no message came");
}

static void on_close(void *ctx)
{
    struct visit *v = ctx;
    v->call = NULL;
    if (!v->is_working)
        free_visit(v);
}

bool join_desk_take(struct join_desk *d, struct http_stream *s, const struct http_head *head)
{
    static const struct grpc_fns fns = { .on_message = on_message, .on_end = on_end, .on_close = on_close };
    const char *peer = http_stream_peer(s);
    int m = 0;
    if (strncmp(head->path, JOIN_PATH, strlen(JOIN_PATH)) != 0 || !grpc_is_call(head))
        return false;
    while (m < METHOD_COUNT && strcmp(head->path + strlen(JOIN_PATH), methods[m]) != 0)
        m++;
    if (m == METHOD_COUNT || (m == METHOD_JOIN ? !trust_holds_ca(d->trust) : !peer[0]))
        return false;
    if (m == METHOD_RENEW && !trust_holds_ca(d->trust)) {
        grpc_refuse(s, GRPC_FAILED_PRECONDITION, "the authority is not here");
        return true;
    }
    struct visit *v = calloc(1, sizeof(*v));
    if (!v) {
        grpc_refuse(s, GRPC_RESOURCE_EXHAUSTED, "out of memory");
        return true;
    }
    v->desk = d;
    v->method = (enum method)m;
    snprintf(v->peer, sizeof(v->peer), "%s", peer);
    http_stream_from(s, v->from);
    buf_init(&v->cert, 16 << 10);
    d->n_visits++;
    if (!(v->call = grpc_accept(d->loop, s, head, m == METHOD_REVOCATIONS ? JOIN_LIST_MAX_BYTES + 64 : JOIN_MESSAGE_MAX_BYTES, false, &fns, v)))
        free_visit(v);
    return true;
}

/* ---- life ---- */

struct join_desk *join_desk_new(struct net_loop *l, struct trust *t, struct err *err)
{
    struct join_desk *d = calloc(1, sizeof(*d));
    if (!d)
        return err_null(err, ERR_NOMEM, "nodes: out of memory");
    d->loop = l;
    d->trust = t;
    return d;
}

void join_desk_free(struct join_desk *d)
{
    while (d && d->n_working > 0)
        net_loop_step(d->loop);
    free(d);
}

void join_desk_refused(struct join_desk *d, const char *who, const char *from, const char *why)
{
    refusals_note(&d->refusals, net_loop_now_ms(d->loop), who, from, why);
}
