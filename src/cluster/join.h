/* cluster/join.h - how a machine becomes a node and stays one: tutti.v1.Join, both sides.
 *
 * For:     port.c (serves and renews), `tutti node join`, `tutti node renew`, members.c (lists from neighbours).
 * Callers: cluster/, cmd/.
 * Touches: streams; connections of its own; the authority's files on a thread of the loop's pool.  Thread: the loop's.
 * Rule:    the key never leaves the node.  Who joins says the token only to a server whose certificate comes from the CA that the
 *          token names and says that it holds it (trust_cert.h, TRUST_AUTHORITY_URI).  A wrong token costs the same as any; an address
 *          that sends many is told to wait before anything is looked at.
 * Start:   join_desk_take() (server), join_now() (who joins).
 */
#ifndef TUTTI_CLUSTER_JOIN_H
#define TUTTI_CLUSTER_JOIN_H
#include "cluster/trust.h"
#include "net/h2_client.h"
#include "net/http.h"

#define JOIN_PATH "/tutti.v1.Join/"
enum { JOIN_WRONG_BURST = 10 /* wrong tokens from one address, then one each so long: */, JOIN_WRONG_MS = 6000 };

/* ---- the authority's side ---- */

struct join_desk;
/* Borrows both.  NULL with err. */
struct join_desk *join_desk_new(struct net_loop *l, struct trust *t, struct err *err);
/* A call of JOIN_PATH: true, and it is answered or refused; false: not for this desk (a stranger who asks for anything but to join,
 * or asks a node that cannot help): nothing was taken. */
bool join_desk_take(struct join_desk *d, struct http_stream *s, const struct http_head *head);
/* Somebody was refused elsewhere (a handshake): one line of log, not a flood. */
void join_desk_refused(struct join_desk *d, const char *who, const char *from, const char *why);
/* After all streams are gone; waits for what is being signed.  NULL is fine. */
void join_desk_free(struct join_desk *d);

/* ---- the other side ---- */

struct join_ask; /* one call on a connection of its own */
typedef void join_answer_fn(void *ctx, const void *message, size_t n, const struct err *err /* code NONE: fine */);
/* tls is taken over in any case.  fn is called once, unless it is freed before.  NULL with err. */
struct join_ask *join_ask_new(struct net_loop *l, const char *url, struct tls_context *tls, const char *method, const void *message, size_t n, join_answer_fn *fn,
                              void *ctx, struct err *err);
void join_ask_free(struct join_ask *a); /* NULL is fine */

/* Joins: makes the folder.  Waits.  The same again after a failure costs no second use of the token: the key is kept in DIR.join. */
bool join_now(const char *dir, const char *url, const char *token, const char *name, struct err *err);
/* A new certificate for a new key, now.  url NULL: from the authority that the folder names.  Waits. */
bool join_renew_now(struct trust *t, const char *url, struct err *err);

/* Without waiting, for who runs a loop: a request, then what came of it. */
bool join_put_renewal(struct trust *t, struct buf *key, struct buf *message, struct err *err);
bool join_take_renewal(struct trust *t, const char *key, const void *message, size_t n, struct err *err);
/* What a call of JOIN_PATH "Revocations" carries, either way (the request too).  true: it was newer. */
bool join_take_revocations(struct trust *t, const void *message, size_t n, struct err *err);
#endif
