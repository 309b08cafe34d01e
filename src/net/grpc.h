/* net/grpc.h - gRPC over HTTP/2: messages in frames of their own, a status behind them.  Bytes, not their meaning.
 *
 * For:     api/ (server side); grpc_client.h uses the codecs too.
 * Callers: api/.
 * Touches: streams.  Thread: the loop's.
 * Rule:    a call ends with exactly one status, from whoever is first: grpc_finish(), its deadline (4), or the client that
 *          goes away (nobody hears it).  A message is at most max_message_bytes; a larger one is 8, a compressed one 13.
 *          Format: github.com/grpc/grpc, doc/PROTOCOL-HTTP2.md.
 */
#ifndef TUTTI_NET_GRPC_H
#define TUTTI_NET_GRPC_H
#include "net/http.h"

enum grpc_status { /* the numbers are gRPC's */
    GRPC_OK, GRPC_CANCELLED, GRPC_UNKNOWN, GRPC_INVALID_ARGUMENT, GRPC_DEADLINE_EXCEEDED, GRPC_NOT_FOUND, GRPC_ALREADY_EXISTS,
    GRPC_PERMISSION_DENIED, GRPC_RESOURCE_EXHAUSTED, GRPC_FAILED_PRECONDITION, GRPC_ABORTED, GRPC_OUT_OF_RANGE,
    GRPC_UNIMPLEMENTED, GRPC_INTERNAL, GRPC_UNAVAILABLE, GRPC_DATA_LOSS, GRPC_UNAUTHENTICATED, GRPC_STATUS_COUNT
};
const char *grpc_status_name(enum grpc_status s); /* "INVALID_ARGUMENT" */
enum grpc_status grpc_status_from(enum err_code code);
/* What a client makes of an answer without grpc-status (doc/http-grpc-status-mapping.md). */
enum grpc_status grpc_status_of_http(int status);

/* ---- codecs: pure ---- */

enum { GRPC_PREFIX_BYTES = 5, GRPC_MESSAGE_MAX_BYTES = 32 << 20 };

/* "100m" and the like: nanoseconds; false when it is none. */
bool grpc_read_timeout(const char *text, uint64_t *ns);
void grpc_put_timeout(char out[16], uint64_t ns);
/* grpc-message: percent-encoded UTF-8. */
void grpc_put_message(struct buf *out, const char *text);
void grpc_read_message(char *text); /* in place; what is no escape stays */
void grpc_put_prefix(char out[GRPC_PREFIX_BYTES], size_t n_message);

struct grpc_reader { /* messages out of pieces of bytes, however they were cut */
    size_t max_bytes, left;
    unsigned char prefix[GRPC_PREFIX_BYTES];
    int n_prefix;
    struct buf held;
};
enum grpc_piece { GRPC_MORE, GRPC_MESSAGE, GRPC_COMPRESSED, GRPC_TOO_LARGE, GRPC_NO_MEMORY };
void grpc_reader_init(struct grpc_reader *r, size_t max_bytes);
void grpc_reader_fini(struct grpc_reader *r);
/* Moves *at and *n past what it used.  GRPC_MESSAGE: *m lives until the next call, or as long as the bytes given. */
enum grpc_piece grpc_read(struct grpc_reader *r, const char **at, size_t *n, const void **m, size_t *n_m);
bool grpc_is_inside(const struct grpc_reader *r); /* a message has begun and is not complete */
const char *grpc_complaint(enum grpc_piece p, enum grpc_status *status); /* of the last three */

/* ---- a server's answers on a stream that somebody else took ---- */

bool grpc_is_call(const struct http_head *head); /* POST of application/grpc... */
/* The whole answer: one message, in two parts (the second may be empty), and status 0. */
void grpc_reply(struct http_stream *s, const void *message, size_t n, const void *rest, size_t n_rest);
/* The end, or the whole of an answer ("trailers-only") when nothing was sent yet. */
void grpc_end(struct http_stream *s, enum grpc_status status, const char *text);
/* Takes the stream and ends it: an unknown method, no key. */
void grpc_refuse(struct http_stream *s, enum grpc_status status, const char *text);

/* ---- a call of any shape: unary, streams either way ---- */

struct grpc_call;
struct grpc_fns { /* each may be NULL, except on_close */
    void (*on_message)(void *ctx, const void *message, size_t n); /* borrowed for the call */
    void (*on_end)(void *ctx);   /* the client has no more messages */
    void (*on_drain)(void *ctx); /* after grpc_is_full() it is not any more */
    void (*on_close)(void *ctx); /* over, whoever ended it; the last call; never from inside a call of this header */
};
/* Takes the stream, in on_request.  is_talk: the client's messages may come at any time.  NULL when memory is out: then the
 * stream was refused. */
struct grpc_call *grpc_accept(struct net_loop *l, struct http_stream *s, const struct http_head *head, size_t max_message_bytes,
                              bool is_talk, const struct grpc_fns *fns, void *ctx);
void grpc_send(struct grpc_call *c, const void *message, size_t n);
bool grpc_is_full(const struct grpc_call *c); /* the client reads more slowly than we write: wait for on_drain */
void grpc_finish(struct grpc_call *c, enum grpc_status status, const char *text /* NULL: none */);
#endif
