/* net/client.h - asking HTTP servers: one request, one response as a stream, whatever stands between.
 *
 * For:     expert/ (servers as experts), tools/load-gen.
 * Callers: rooms above.
 * Touches: sockets and name look-ups through the loop.  Thread: the loop's.
 * Rule:    a call ends once: on_end, or http_call_cancel() after which nothing is called; never from inside
 *          http_client_call().  What a server can make us hold is bounded by the config.  A connection that
 *          was kept is used again only for calls that may be sent twice, because the server may close it at
 *          the moment in which we use it; such a call is sent again once, on a new connection, if not one byte
 *          of an answer had come.
 *          HTTP/1.1 strictly (h1_parse.h), with or without TLS, whose certificate must be for the host and from somebody
 *          trusted; a client is for one server (one origin), redirects are not followed.
 * Start:   http_client_call() in client.c; client_conn.c is the life of a connection, dial.c its beginning.
 */
#ifndef TUTTI_NET_CLIENT_H
#define TUTTI_NET_CLIENT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "net/http.h"
#include "net/loop.h"

/* ---- where ---- */

struct http_target {
    char host[256];   /* a name, an address, or the path of a unix socket */
    char prefix[256]; /* of all paths: "" or "/api", without a '/' at its end */
    char authority[300]; /* for the Host field: "example.com:8080" */
    int port;
    bool is_tls, is_unix;
};
/* "http://host:port/prefix", "https://...", "unix:/run/x.sock" (its requests have no prefix).  Names and passwords in a
 * URL are refused: they belong into fields. */
bool http_target_parse(struct http_target *t, const char *url, struct err *err);

/* ---- a client ---- */

struct http_client_config { /* zero means the default */
    int max_connections;     /* 64; a call over it is ERR_BUSY */
    int max_idle;            /* 8 connections that wait for their next call */
    uint32_t keep_ms;        /* 30 s is how long they wait */
    uint32_t connect_ms;     /* 5 s for name, connection and TLS together */
    uint32_t max_head_bytes; /* 64 KiB */
    const char *ca_file;     /* https: whom to trust (PEM); NULL: whom the system trusts.  Borrowed for http_client_new() */
};

struct http_client_stats {
    uint64_t calls_total, connected_total, reused_total, resent_total;
    int n_connections, n_idle;
};

struct http_client;
/* Connects when first called.  NULL with err set. */
struct http_client *http_client_new(struct net_loop *l, const struct http_target *t, const struct http_client_config *config,
                                    struct err *err);
/* Cancels all calls and closes; what libuv still holds is freed by the loop's next rounds.  NULL is fine. */
void http_client_free(struct http_client *c);
void http_client_get_stats(const struct http_client *c, struct http_client_stats *out);

/* ---- a call ---- */

enum http_end { /* how a call ended; ORDER HTTP_END */
    HTTP_END_DONE,
    HTTP_END_CONNECT,  /* no connection: nothing was sent */
    HTTP_END_LOST,     /* the server closed before the answer was whole */
    HTTP_END_LATE,     /* one of the call's times passed */
    HTTP_END_BROKEN,   /* the answer is not HTTP */
    HTTP_END_TOO_LONG, /* the answer passes max_body_bytes or max_head_bytes */
    HTTP_END_COUNT
};
const char *http_end_name(enum http_end e); /* "done", "connect", ... */

struct http_call_fns { /* each may be NULL, except on_end */
    void (*on_head)(void *ctx, const struct http_head *head); /* status and fields, borrowed for the call */
    void (*on_data)(void *ctx, const char *bytes, size_t n);  /* a piece of the body, borrowed for the call */
    /* The last call.  err has code and text unless how is HTTP_END_DONE (whatever the status was). */
    void (*on_end)(void *ctx, enum http_end how, const struct err *err);
};

struct http_piece {
    const void *bytes;
    size_t n;
};
enum { HTTP_PIECES_MAX = 8 };

struct http_ask {
    enum http_verb verb;
    const char *path;                /* with its query, begins with '/'; the target's prefix is put in front */
    const struct http_field *fields; /* copied; host and content-length are ours */
    int n_fields;
    const struct http_piece *body;   /* the list is copied, the bytes are borrowed until on_end or cancel */
    int n_body;
    bool may_repeat;                 /* sending it twice does no harm: kept connections may be used */
    uint32_t head_ms;                /* from the call until the answer's head is here, connecting included; 0: no bound */
    uint32_t idle_ms;                /* silence inside the answer; 0: no bound */
    uint64_t max_body_bytes;         /* of the answer; 0: 32 MiB */
};

struct http_call;
/* Owned by the client until it ends.  NULL with err set, and no callback: ERR_BUSY, ERR_INPUT, ERR_NOMEM. */
struct http_call *http_client_call(struct http_client *c, const struct http_ask *ask, const struct http_call_fns *fns, void *ctx,
                                   struct err *err);
/* Nobody wants the answer: the connection is closed, so that the server notices.  NULL is fine. */
void http_call_cancel(struct http_call *call);
/* Stops the flow of on_data (the server is slowed down); the times stand still. */
void http_call_pause(struct http_call *call);
void http_call_resume(struct http_call *call);
#endif
