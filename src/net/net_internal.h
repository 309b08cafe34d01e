/* net/net_internal.h - what the files of this room share: a connection, its streams, the server. */
#ifndef TUTTI_NET_NET_INTERNAL_H
#define TUTTI_NET_NET_INTERNAL_H
#include <uv.h>

#include "net/h1_parse.h"
#include "net/http.h"
#include "net/tls.h"

struct net_loop {
    uv_loop_t uv;
    bool is_stopped;
};

struct http_conn;
struct h2;

struct http_stream {
    struct http_conn *conn;
    struct http_stream *next_free;       /* h1's pool */
    const struct http_stream_fns *fns;   /* NULL until it was taken */
    void *ctx;
    bool is_started, is_ended, is_reset, was_high;
    bool is_patient;     /* no clock for its body */
    bool drops_body;     /* HEAD, 204, 304: what is written goes nowhere */
    bool is_chunked;     /* h1: of the response */
    int64_t n_left;      /* of the announced response body; -1: not announced */
    struct http_head head;
};

enum http_conn_state {
    HTTP_CONN_SNIFF, /* h1 or h2?  or in the TLS handshake */
    HTTP_CONN_IDLE, HTTP_CONN_HEAD, HTTP_CONN_BODY, HTTP_CONN_ANSWER, HTTP_CONN_SKIP, HTTP_CONN_LINGER, /* h1 (h1.c has the picture) */
    HTTP_CONN_H2,
    HTTP_CONN_CLOSED
};
enum {
    READ_BYTES = 64 << 10,
    FREE_STREAMS_MAX = 64,
    H1_HELD_MAX_BYTES = 64 << 10, /* pipelined requests; then we stop reading */
    KEEP_BYTES = 16 << 10,     /* an idle connection keeps no more than this for its next response */
};

struct http_conn {
    uv_tcp_t tcp;
    uv_timer_t timer;
    uv_write_t write;
    uv_shutdown_t shutdown;
    struct http_server *server;
    struct http_conn *prev, *next, *next_dirty;
    enum http_conn_state state;
    bool is_dirty, is_reading, is_writing, is_shut;
    int n_handles;
    unsigned char address[16];  /* of the client, where addresses are counted; IPv4 as ::ffff:a.b.c.d */
    struct tls *tls;            /* NULL: clear text */
    bool is_hello_seen, has_sealed; /* TLS: its first byte was looked at; there may be bytes that wait to be opened */
    struct buf out;             /* to be sent, in the clear */
    struct buf sealed, flying;  /* with TLS: the same as records; what belongs to libuv while is_writing */
    uint64_t input_by_ms, output_by_ms, timer_at_ms; /* 0: none */
    size_t output_left;
    /* h1.c */
    bool closes_after;
    struct h1_parser parser;
    struct http_stream *stream; /* BODY, ANSWER */
    struct buf held;            /* SNIFF: the bytes so far; h1: pipelined requests that wait for their turn */
    size_t held_at;
    uint64_t body_since_ms;
    uint64_t n_lingered;
    /* h2.c */
    struct h2 *h2;
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
    struct http_conn *conns, *dirty;
    struct tls_context *tls;           /* NULL: clear text */
    struct http_stream *free_streams;
    struct h2_stream *free_h2;
    int n_free_streams, n_free_h2, n_h2_streams;
    int n_handles; /* not yet closed by libuv */
    bool is_draining;
    uint64_t date_s;
    char date[64];
    struct http_conn *spare; /* to accept and close with when memory is out */
    bool is_spare_busy;
    char *read_bytes;  /* one buffer for all reads: what a callback leaves unused is kept elsewhere */
    char *clear_bytes; /* the same, behind TLS */
};

/* conn.c: sockets, TLS, clocks; which protocol */
/* false: not even the spare is free; libuv keeps the connection until we try again. */
bool http_conn_accept(struct http_server *v, uv_stream_t *listener);
void http_conn_service(struct http_conn *c); /* flush, finish, go on with what is held */
void http_conn_drain(struct http_conn *c);
void http_conn_close(struct http_conn *c, enum http_close why);
void http_conn_mark_dirty(struct http_conn *c);
struct http_conn *http_conn_pop_dirty(struct http_server *v);
void http_conn_from(const struct http_conn *c, char out[HTTP_FROM_MAX]);
void http_conn_tell_refused(struct http_conn *c, const char *why); /* with TLS */
uint64_t http_conn_now_ms(const struct http_conn *c);
void http_conn_input_by(struct http_conn *c, uint64_t in_ms /* 0: no clock */);
void http_conn_set_reading(struct http_conn *c, bool on);
bool http_conn_flush(struct http_conn *c); /* lets go of `out` as far as the socket takes it; false: the connection is gone */
void http_conn_shut(struct http_conn *c);  /* no more output; the end of their input, or the clock, closes */
void http_conn_shrink(struct http_conn *c);

/* h1.c */
void h1_on_bytes(struct http_conn *c, const char *bytes, size_t n);
void h1_on_end_of_input(struct http_conn *c);
void h1_on_time(struct http_conn *c);
void h1_service(struct http_conn *c);
void h1_drain(struct http_conn *c);
void h1_drop(struct http_conn *c, enum http_close why); /* its stream is told */
void h1_refuse(struct http_conn *c, int status, const char *why); /* outside of any stream; the connection ends with it */
void h1_start(struct http_stream *s, int status, const struct http_field *fields, int n_fields, int64_t n_body);
void h1_write(struct http_stream *s, const void *bytes, size_t n);
void h1_end(struct http_stream *s, const struct http_field *trailers, int n_trailers);
size_t h1_queued(const struct http_stream *s);

/* h2.c: the same */
bool h2_begin(struct http_conn *c);
void h2_on_bytes(struct http_conn *c, const char *bytes, size_t n);
void h2_on_time(struct http_conn *c);
void h2_service(struct http_conn *c);
void h2_drain(struct http_conn *c);
void h2_drop(struct http_conn *c, enum http_close why);
void h2_start(struct http_stream *s, int status, const struct http_field *fields, int n_fields, int64_t n_body);
void h2_write(struct http_stream *s, const void *bytes, size_t n);
void h2_end(struct http_stream *s, const struct http_field *trailers, int n_trailers);
void h2_reset(struct http_stream *s);
size_t h2_queued(const struct http_stream *s);
void h2_free_streams(struct http_server *v);

/* server.c */
void server_accept_pending(struct http_server *v);
struct http_stream *server_take_stream(struct http_server *v);
void server_give_stream(struct http_server *v, struct http_stream *s);
const char *server_date(struct http_server *v);
#endif
