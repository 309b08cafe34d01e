/* net/h1_parse.h - HTTP/1.1 requests and responses out of bytes: strict, incremental, without sockets.
 *
 * For:     h1.c (requests), client.c (responses), tests, the fuzzer (http-parser is the judge there: what we
 *          accept, it accepts too).
 * Callers: net/.
 * Touches: nothing.  Thread: its owner's.
 * Rule:    RFC 9112, the strict reading: CRLF and nothing else ends a line, no folded lines, no space
 *          before a colon, one Host, one length (never Content-Length and Transfer-Encoding), "chunked"
 *          alone.  How the bytes are cut into pieces never changes what comes out.
 *          Responses: the same; besides those two lengths the end of the connection may end a body, an
 *          interim response (1xx) is skipped, and 101 is refused since nobody asks for it.
 */
#ifndef TUTTI_NET_H1_PARSE_H
#define TUTTI_NET_H1_PARSE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "net/http.h"

enum h1_event {
    H1_MORE, /* all bytes are used up: call again with the next ones */
    H1_HEAD, /* head is filled in */
    H1_DATA, /* data, n_data: a piece of the body, inside the bytes that were given */
    H1_END,  /* the body (perhaps empty) is complete; the next bytes begin another request */
    H1_FAIL, /* status, why; nothing more can be read from this connection */
};

struct h1_limits {
    uint32_t head_bytes;
    uint64_t body_bytes;
};

struct h1_parser {
    struct h1_limits limits;
    int state;           /* enum in h1_parse.c */
    struct buf head_bytes; /* owned: the head, later cut into the texts that http_head points to */
    size_t line_at;      /* where the line begins that is being collected */
    uint64_t n_left;     /* of the body or the chunk */
    uint64_t n_body;     /* so far */
    uint32_t n_aside;    /* bytes of chunk extensions and trailers so far */
    uint8_t n_hex;       /* digits of this chunk size */
    bool is_http10, is_chunked;
    bool is_reply;       /* reads responses */
    bool is_to_head;     /* responses: the next one answers HEAD, so it has no body whatever its fields say */
    uint8_t n_interim;   /* responses with 1xx so far */
    /* what came of it */
    bool wants_close;    /* the connection ends after this exchange */
    bool wants_continue; /* Expect: 100-continue */
    int status;          /* H1_FAIL: 400, 408, 413, 414, 417, 431, 501, 505 */
    const char *why;     /* H1_FAIL: constant text */
    const char *data;
    size_t n_data;
};

void h1_init(struct h1_parser *p, const struct h1_limits *limits);
/* For responses; set is_to_head before the first byte of each where it holds. */
void h1_init_reply(struct h1_parser *p, const struct h1_limits *limits);
void h1_fini(struct h1_parser *p);
/* Forgets the last request's head and is ready for the next; its head must not be used any more.  In a
 * sequence of requests it is called after each H1_END. */
void h1_reset(struct h1_parser *p);
/* Looks at n bytes at *at, moves both past what it used, and says what it found. */
enum h1_event h1_next(struct h1_parser *p, struct http_head *head, const char **at, size_t *n);
/* The connection has ended: H1_END where that completes a response's body, H1_MORE between two messages, else H1_FAIL. */
enum h1_event h1_finish(struct h1_parser *p);
/* HTTP/2's pseudo fields into a head: verb, path, query, authority, by the same rules.  The target is cut up in
 * place.  0, or the status of the refusal and why. */
int http_head_set(struct http_head *h, const char *method, char *target, const char *authority, const char **why);
/* Has a request begun and not yet ended? */
bool h1_is_inside(const struct h1_parser *p);
#endif
