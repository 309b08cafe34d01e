/* net/client_internal.h - what client.c (where to, calls) and client_conn.c (connections) share. */
#ifndef TUTTI_NET_CLIENT_INTERNAL_H
#define TUTTI_NET_CLIENT_INTERNAL_H
#include <uv.h>

#include "base/buf.h"
#include "net/client.h"
#include "net/dial.h"
#include "net/h1_parse.h"
#include "net/net_internal.h"

struct client_conn;

struct http_call {
    struct http_client *client;
    struct http_call *next_free;
    struct client_conn *conn;
    const struct http_call_fns *fns;
    void *ctx;
    struct buf head; /* of the request, as it is sent */
    struct http_piece body[HTTP_PIECES_MAX];
    int n_body;
    bool is_to_head, may_repeat, was_resent, is_paused;
    uint32_t head_ms, idle_ms;
    uint64_t max_body_bytes;
    uint64_t begun_ms;
};

struct http_client {
    struct net_loop *loop;
    struct http_target target;
    struct http_client_config config;
    struct http_client_stats stats;
    struct client_conn *conns;
    struct http_call *free_calls;
    int n_free_calls;
    int n_refs;        /* connections and look-ups that libuv still knows */
    bool is_closing;   /* freed with the last of them */
    char *read_bytes;  /* [READ_BYTES] one buffer for all reads */
    char *clear_bytes; /* [READ_BYTES] the same, behind TLS */
    struct tls_context *tls; /* NULL: clear text */
};
enum { FREE_CALLS_MAX = 16, CALL_HEAD_MAX_BYTES = 64 << 10 };

/* client.c */
void client_unref(struct http_client *c);
void call_release(struct http_call *call);

/* client_conn.c */
/* Takes a kept connection, or begins a new one.  false with err set. */
bool conn_begin(struct http_call *call, struct err *err);
void conn_cancel(struct client_conn *c);
void conn_pause(struct client_conn *c);
void conn_resume(struct client_conn *c);
void conn_close_all(struct http_client *c);
#endif
