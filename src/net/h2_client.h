/* net/h2_client.h - asking HTTP/2 servers: many calls at a time on one connection, streams both ways.
 *
 * For:     grpc_client.h; whoever needs HTTP/2 as a client (a server that also speaks HTTP/1.1 is asked through client.h).
 * Callers: net/, rooms above.
 * Touches: sockets and name look-ups through the loop.  Thread: the loop's.
 * Rule:    a call ends once: on_end, or h2_call_cancel() after which nothing is called; never from inside a call of this
 *          header.  One connection serves all calls; a new one is made when it is lost, or when the server says GOAWAY
 *          (calls that it still answers go on there).  In the clear by prior knowledge, with TLS by ALPN.
 * Start:   h2_client_call() in h2_call.c, then service() in h2_client.c.
 */
#ifndef TUTTI_NET_H2_CLIENT_H
#define TUTTI_NET_H2_CLIENT_H
#include "net/client.h"

struct h2_client_config { /* zero means the default */
    uint32_t connect_ms;        /* 5 s for name, connection and TLS together */
    uint32_t idle_ms;           /* 60 s without a call, then the connection is closed */
    uint32_t max_calls;         /* 256 at a time; more are ERR_BUSY (the server's limit queues them) */
    uint32_t max_head_bytes;    /* 64 KiB */
    uint32_t window_bytes;      /* 1 MiB of an answer that its reader did not take yet, 4 times that over all */
    size_t max_queued_bytes;    /* 64 MiB of a request's body that waits for the server */
    const char *ca_file;        /* as in client.h */
    struct tls_context *tls;    /* instead: one of tls_node_new(), which is taken over (also when h2_client_new() fails) */
    const char *server_name;    /* with tls: what the server's certificate must be for; NULL: whoever the context believes */
};

struct h2_client;
struct h2_client *h2_client_new(struct net_loop *l, const struct http_target *t, const struct h2_client_config *config, struct err *err);
/* Cancels all calls and closes; what libuv still holds is freed by the loop's next rounds.  NULL is fine. */
void h2_client_free(struct h2_client *c);

/* From now on this context; takes it over.  A connection whose server it does not believe (revoked meanwhile) ends as if lost. */
void h2_client_set_tls(struct h2_client *c, struct tls_context *tls);
/* Who is at the other end of the newest open connection: the name in its certificate, verified; "" for nobody (or not yet). */
const char *h2_client_peer(const struct h2_client *c);

struct h2_call_fns { /* each may be NULL, except on_end */
    void (*on_head)(void *ctx, const struct http_head *head);     /* status and fields, borrowed for the call */
    void (*on_data)(void *ctx, const char *bytes, size_t n);
    void (*on_trailers)(void *ctx, const struct http_head *head); /* fields behind the body */
    void (*on_drain)(void *ctx); /* after h2_call_queued() passed HTTP_QUEUE_HIGH_BYTES it is below the low mark */
    void (*on_end)(void *ctx, enum http_end how, const struct err *err); /* as in client.h */
};

struct h2_call;
/* fields: names in lower case.  has_body: h2_call_write() and h2_call_end() follow.  NULL with err set, and no callback. */
struct h2_call *h2_client_call(struct h2_client *c, enum http_verb verb, const char *path, const struct http_field *fields, int n_fields,
                               bool has_body, const struct h2_call_fns *fns, void *ctx, struct err *err);
void h2_call_write(struct h2_call *call, const void *bytes, size_t n); /* copied */
void h2_call_end(struct h2_call *call);
size_t h2_call_queued(const struct h2_call *call);
/* Its reader is slow: the server may send no more than window_bytes until it goes on (what is on its way still comes); other calls are
 * not slowed down. */
void h2_call_hold(struct h2_call *call, bool hold);
void h2_call_cancel(struct h2_call *call); /* the server is told; NULL is fine */
#endif
