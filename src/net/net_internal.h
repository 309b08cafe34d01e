/* net/net_internal.h - what loop.c, server.c and h1.c share. */
#ifndef TUTTI_NET_NET_INTERNAL_H
#define TUTTI_NET_NET_INTERNAL_H
#include <uv.h>

#include "net/h1_parse.h"
#include "net/http.h"

struct net_loop {
    uv_loop_t uv;
    bool is_stopped;
};

struct h1_conn;

struct http_stream {
    struct h1_conn *conn;
    struct http_stream *next_free;
    const struct http_stream_fns *fns; /* NULL until it was taken */
    void *ctx;
    bool is_started, is_ended, is_reset, is_paused, was_high;
    bool drops_body;     /* HEAD, 204, 304: what is written goes nowhere */
    bool is_chunked;     /* of the response */
    int64_t n_left;      /* of the announced response body; -1: not announced */
    struct http_head head;
};

struct http_listener {
    uv_tcp_t tcp; /* first */
    struct http_server *server;
    struct http_listener *next;
    bool is_pending; /* libuv holds a connection for which we had no memory */
};

struct http_server {
    struct net_loop *loop;
    struct http_server_config config;
    struct http_server_stats stats;
    uv_prepare_t flush; /* once per round, before it waits: what was written leaves */
    struct http_listener *listeners;
    struct h1_conn *conns, *dirty;
    struct http_stream *free_streams;
    int n_free_streams, n_handles; /* handles: not yet closed by libuv */
    bool is_draining;
    uint64_t date_s;
    char date[64];
    struct h1_conn *spare; /* to accept and close with when memory is out */
    bool is_spare_busy;
    char *read_bytes; /* one buffer for all reads: what a callback leaves unused is kept elsewhere */
};
enum { READ_BYTES = 64 << 10, FREE_STREAMS_MAX = 64 };

/* h1.c */
/* false: not even the spare is free; libuv keeps the connection until we try again. */
bool h1_accept(struct http_server *v, uv_stream_t *listener);
void h1_service(struct h1_conn *c); /* flush, finish, go on with what is held */
void h1_drain(struct h1_conn *c);
void h1_cut(struct h1_conn *c);
struct h1_conn *h1_alloc(void);
struct h1_conn *h1_next_conn(struct h1_conn *c);
struct h1_conn *h1_pop_dirty(struct http_server *v);

/* server.c */
void server_accept_pending(struct http_server *v);
struct http_stream *server_take_stream(struct http_server *v);
void server_give_stream(struct http_server *v, struct http_stream *s);
const char *server_date(struct http_server *v);
#endif
