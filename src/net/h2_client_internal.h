/* net/h2_client_internal.h - what h2_client.c (connections) and h2_call.c (the calls on them) share. */
#ifndef TUTTI_NET_H2_CLIENT_INTERNAL_H
#define TUTTI_NET_H2_CLIENT_INTERNAL_H
#include <nghttp2/nghttp2.h>
#include <uv.h>

#include "base/buf.h"
#include "net/dial.h"
#include "net/h2_client.h"
#include "net/net_internal.h"

enum h2c_state { H2C_CONNECT, H2C_OPEN, H2C_CLOSED };

struct h2c_conn {
    struct dial dial; /* and its socket */
    uv_timer_t timer;
    uv_write_t write;
    struct h2_client *client;
    struct h2c_conn *prev, *next;
    enum h2c_state state;
    bool has_timer, is_writing, is_dirty, is_goaway;
    nghttp2_session *session;
    struct tls *tls;
    struct buf out, sealed, flying;
    struct h2_call *calls;
    int n_calls;
    struct err fail; /* code NONE: nothing to tell; else it is closed in the loop */
    enum http_end fails_how;
};

struct h2_call {
    struct h2c_conn *conn;
    struct h2_call *prev, *next;
    int32_t id;
    const struct h2_call_fns *fns;
    void *ctx;
    bool is_deferred, is_body_over, was_high, has_head, is_end_seen, is_held;
    size_t n_held; /* came while it was held: the window stays that much smaller */
    struct buf out, head_bytes;
    size_t out_at;
    struct http_head head;
};

struct h2_client {
    struct net_loop *loop;
    struct http_target target;
    struct h2_client_config config;
    struct tls_context *tls;
    char server_name[64]; /* of a node; "": any that tls believes */
    struct h2c_conn *conns;
    uv_idle_t idle;
    bool has_idle, is_closing, is_node;
    int n_refs;
    char *read_bytes, *clear_bytes;
};

/* h2_client.c */
void h2c_mark(struct h2c_conn *c); /* it is serviced in this round of the loop */
/* The newest connection, if it takes calls; else a new one.  NULL with err. */
struct h2c_conn *h2c_usable(struct h2_client *client, struct err *err);

/* h2_call.c */
bool h2c_open_session(struct h2c_conn *c);
void h2c_call_free(struct h2_call *call);
void h2c_end_call(struct h2_call *call, enum http_end how, enum err_code code, const char *why);
void h2c_tell_drained(struct h2c_conn *c);
#endif
