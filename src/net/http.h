/* net/http.h - serving HTTP: requests and responses as streams, whatever the version on the wire.
 *
 * For:     api/ and serve/, which see streams and never a connection.
 * Callers: rooms above.
 * Touches: sockets through the loop.  Thread: the loop's.
 * Rule:    a stream that was handed to on_request gets on_close exactly once, also when the client hangs up
 *          while no bytes flow; never from inside a call of this header.  What a peer can make us hold is
 *          bounded by http_server_config.  Requests that break the protocol are answered here and never
 *          reach on_request.  A stream is one request, whose body is taken as it comes (max_body_bytes, body_ms
 *          bound it), and one response with back-pressure, whatever the version: HTTP/1.1 and HTTP/2 (by its preface, or by ALPN behind TLS) share a port.
 * Start:   conn.c (sockets, TLS, which version), h1_parse.c and h1.c, h2.c, stream.c (what handlers call), server.c.
 */
#ifndef TUTTI_NET_HTTP_H
#define TUTTI_NET_HTTP_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "net/addr.h"
#include "net/loop.h"
#include "net/tls.h"

/* ---- a request's head ---- */

enum http_verb { /* ORDER HTTP_VERB */
    HTTP_VERB_GET, HTTP_VERB_HEAD, HTTP_VERB_POST, HTTP_VERB_PUT, HTTP_VERB_PATCH, HTTP_VERB_DELETE,
    HTTP_VERB_OPTIONS, HTTP_VERB_COUNT
};
const char *http_verb_name(enum http_verb v);

struct http_field {
    const char *name; /* lower case */
    const char *value;
};

enum { HTTP_FIELDS_MAX = 100 };

struct http_head { /* borrowed from the stream until its on_close */
    enum http_verb verb;
    int status;             /* of a response (net/client.h), whose verb, path, query and authority mean nothing; else 0 */
    const char *path;       /* percent-decoded, begins with '/' ("*" for OPTIONS *) */
    const char *query;      /* as sent, without the '?'; "" when there is none */
    const char *authority;  /* the Host; "" when there is none */
    int64_t content_length; /* -1: a body of unknown length; 0: none */
    int n_fields;
    struct http_field fields[HTTP_FIELDS_MAX];
};

/* The first field of this (lower case) name; NULL when there is none. */
const char *http_head_get(const struct http_head *h, const char *name);

/* ---- a stream ---- */

struct http_stream;

enum http_close { /* why a stream ended */
    HTTP_CLOSE_DONE,    /* the response was given to the system in full */
    HTTP_CLOSE_HANGUP,  /* the client went away */
    HTTP_CLOSE_TIMEOUT, /* it sent or read too slowly */
    HTTP_CLOSE_ERROR,   /* it broke the protocol, or we ran out of memory */
    HTTP_CLOSE_STOP,    /* the server is being closed, or http_stream_reset() */
    HTTP_CLOSE_COUNT
};

struct http_stream_fns { /* each may be NULL, except on_close */
    void (*on_data)(void *ctx, const char *bytes, size_t n); /* a piece of the body, as it comes; borrowed for the call */
    void (*on_end)(void *ctx);                               /* the body is complete */
    void (*on_drain)(void *ctx); /* after http_stream_queued() passed the high mark it is below the low one */
    void (*on_close)(void *ctx, enum http_close why); /* the stream is gone; the last call */
};
enum { HTTP_FROM_MAX = 80 };
enum { HTTP_QUEUE_HIGH_BYTES = 256 << 10, HTTP_QUEUE_LOW_BYTES = 64 << 10 };

/* In on_request: who gets the calls. */
void http_stream_take(struct http_stream *s, const struct http_stream_fns *fns, void *ctx);
bool http_stream_is_h2(const struct http_stream *s);
/* Who is at the other end: the name in its certificate, verified (tls_node_new()); "" for nobody. */
const char *http_stream_peer(const struct http_stream *s);
/* From where: "192.168.1.7:40312", "[fe80::1]:40312"; "" when that is not known. */
void http_stream_from(const struct http_stream *s, char out[HTTP_FROM_MAX]);
/* In on_request: the body may come as slowly as it likes (a conversation, not an upload).  HTTP/2 only. */
void http_stream_be_patient(struct http_stream *s);

/* Begins the response.  n_body: bytes that will follow, -1 when that is not known, HTTP_NO_BODY when there are none
 * and nothing shall be said about it.  The fields (names in lower case) are copied; content-length,
 * transfer-encoding, connection and date are ours. */
enum { HTTP_NO_BODY = -2, HTTP_TRAILERS_MAX = 16 };
void http_stream_start(struct http_stream *s, int status, const struct http_field *fields, int n_fields, int64_t n_body);
void http_stream_write(struct http_stream *s, const void *bytes, size_t n); /* copied */
void http_stream_end(struct http_stream *s);
/* Ends it with fields behind the body (copied): HTTP/2, and HTTP/1.1 where the body's length was not announced. */
void http_stream_end_with(struct http_stream *s, const struct http_field *trailers, int n_trailers);
/* The three in one. */
void http_stream_reply(struct http_stream *s, int status, const struct http_field *fields, int n_fields,
                       const void *body, size_t n);
/* Cuts the stream off in the middle: the client sees that it is not complete. */
void http_stream_reset(struct http_stream *s);
bool http_stream_is_started(const struct http_stream *s); /* http_stream_start() was called */
size_t http_stream_queued(const struct http_stream *s);   /* bytes of the response that wait for the client */

const char *http_reason(int status); /* "Not Found" */

/* ---- a server ---- */

struct http_server_config { /* zero means the default */
    int max_connections;       /* 4096; more are told 503 */
    int max_per_address;       /* of those, for one address of a client; more are closed without a word.  0: as many as there are */
    uint32_t max_head_bytes;   /* 64 KiB; more is 431 (414 while the first line lasts) */
    uint64_t max_body_bytes;   /* 32 MiB; more is 413 */
    size_t max_queued_bytes;   /* 64 MiB of response that wait for one client; more resets the stream */
    uint32_t head_ms;          /* 10 s for a whole head; slower is 408 */
    uint32_t body_ms;          /* 30 s and 1 s for each KiB: a body slower than that is 408 */
    uint32_t idle_ms;          /* 75 s between requests of a connection */
    uint32_t stall_ms;         /* 60 s in which a client reads nothing of what waits for it */
    uint32_t linger_ms;        /* 2 s for a client to hear why it is cut off */
    /* HTTP/2 */
    uint32_t max_streams;      /* 256 requests at a time on one connection */
    int max_all_streams;       /* 16384 on all of them; more are told to try again */
    uint32_t stream_window_bytes; /* 1 MiB of a request's body that may be under way before we took any of it */
    uint32_t conn_window_bytes;   /* 4 MiB, the same over a connection */
    uint32_t resets_burst;     /* 1000 streams that a client cancels at once, and 100 a second; more ends the connection */

    /* A head came; the stream must be taken (http_stream_take) before this returns. */
    void (*on_request)(void *ctx, struct http_stream *s, const struct http_head *head);
    /* Words for a refusal of ours: appends a body, returns its content type.  NULL: one plain line. */
    const char *(*put_error)(void *ctx, int status, const char *text, struct buf *body);
    /* A handshake failed, or http_server_check_peers() ended a connection: who it says that it is ("": it did not), from where, why. */
    void (*on_refused)(void *ctx, const char *who, const char *from, const char *why);
    void *ctx;
};

struct http_server_stats {
    uint64_t accepted_total, refused_total /* over max_connections */, bad_total /* protocol broken */, slow_total;
    uint64_t h2_total;         /* connections that spoke HTTP/2 */
    uint64_t responses_total[6]; /* by class: [2] for 2xx, ... */
    int n_connections;
};

struct http_server;
struct http_server *http_server_new(struct net_loop *l, const struct http_server_config *config, struct err *err);
/* From now on new connections speak TLS (HTTP/2 by ALPN); also to renew a certificate.  Takes the context over. */
void http_server_set_tls(struct http_server *v, struct tls_context *tls);
/* Connections from nodes that today's context does not believe any more (revoked, expired) are cut.  Returns how many.  Not from
 * inside a stream's callback. */
int http_server_check_peers(struct http_server *v);
/* bound (may be NULL) tells the port that the system chose. */
bool http_server_listen(struct http_server *v, const struct net_addr *at, struct net_addr *bound, struct err *err);
bool http_server_listen_fd(struct http_server *v, int fd, struct net_addr *bound, struct err *err); /* takes fd over */
/* Takes its listening sockets away; connections go on. */
void http_server_stop_listening(struct http_server *v);
/* The last requests: idle connections are closed, the others after their next response.  Still listens, so
 * that the application can say why it refuses. */
void http_server_drain(struct http_server *v);
void http_server_get_stats(const struct http_server *v, struct http_server_stats *out);
/* Cuts everything off (HTTP_CLOSE_STOP) and frees; runs the loop until that is done.  NULL is fine. */
void http_server_free(struct http_server *v);
#endif
