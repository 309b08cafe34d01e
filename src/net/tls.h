/* net/tls.h - TLS as a filter: sealed bytes in and out, clear bytes in and out, no socket of its own.
 *
 * For:     conn.c (server), the clients of this room.
 * Callers: net/, serve/ (makes and swaps contexts).
 * Touches: OpenSSL; files only in the two functions that say so.  Thread: its owner's; a context may be shared by
 *          connections of any threads.
 * Rule:    TLS 1.2 and 1.3, no renegotiation, no compression, no tickets that outlive the context.  A certificate is
 *          renewed by a new context: connections keep the one they began with.  What a peer can make one
 *          connection hold is bounded: 64 KiB of sealed input at a time, 1 MiB of answers of TLS itself.
 *          Between nodes (tls_node_new): TLS 1.3 alone, HTTP/2 alone, a certificate on both sides, no session is ever
 *          resumed, so that every connection is judged by the revocation list of its day.
 * Start:   tls.c; tls_node.c for certificates on both sides.
 */
#ifndef TUTTI_NET_TLS_H
#define TUTTI_NET_TLS_H
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

struct tls_context; /* counted: connections hold it too */

/* A server's: certificate chain and key in PEM.  NULL with err that names the file. */
struct tls_context *tls_server_new(const char *cert_file, const char *key_file, struct err *err);
/* A client's: trusts the certificates of ca_file (PEM), or the system's when NULL.  NULL with err. */
struct tls_context *tls_client_new(const char *ca_file, struct err *err);
/* Between nodes.  Texts are PEM and borrowed for the call. */
struct tls_node {
    bool is_server;
    const char *own;          /* our certificate and its key in one text; NULL: a client that is nobody yet */
    const char *ca;           /* whose certificates are believed */
    const char *crl;          /* what it took back; NULL: nothing */
    const unsigned char *pin; /* [32] instead of ca (client): SHA-256 of a CA's certificate (DER) that the server shows */
    const char *uri;          /* that the other's certificate must carry; NULL: none */
    bool admits_nobody;       /* server: who has no certificate comes in, as nobody; one that is not believed does not */
};
struct tls_context *tls_node_new(const struct tls_node *n, struct err *err);
struct tls_context *tls_context_ref(struct tls_context *k); /* one more owner; returns k */
void tls_context_free(struct tls_context *k); /* NULL is fine */

struct tls;
/* One connection.  host (client only): the name that is asked for and must be in the certificate, or a numeric
 * address; NULL for a server, and for a client that takes any name that its context believes.  want_h2: a client offers "h2" before "http/1.1".  NULL when memory is out. */
struct tls *tls_new(struct tls_context *k, const char *host, bool want_h2);
void tls_free(struct tls *t); /* NULL is fine */

enum tls_result {
    TLS_BYTES, /* *n clear bytes */
    TLS_WAIT,  /* it needs more from the peer (and perhaps has something to send) */
    TLS_END,   /* the peer said goodbye */
    TLS_FAIL,  /* tls_why() says why; what is left to send is an alert */
};
/* Sealed bytes that came from the peer; false when memory is out. */
bool tls_put(struct tls *t, const void *bytes, size_t n);
/* Goes on with the handshake, then opens what came: call until it does not give TLS_BYTES. */
enum tls_result tls_get(struct tls *t, void *out, size_t max, size_t *n);
bool tls_is_ready(const struct tls *t); /* the handshake is over */
bool tls_is_h2(const struct tls *t);    /* both agreed on HTTP/2 (ALPN) */
/* Seals (after the handshake only); false when it cannot. */
bool tls_seal(struct tls *t, const void *bytes, size_t n);
void tls_bye(struct tls *t); /* a close_notify */
/* Appends what must go to the peer; false when that is more than anybody should wait for. */
bool tls_take(struct tls *t, struct buf *out);
const char *tls_why(const struct tls *t); /* "" when nothing is wrong */

/* The name in the other's certificate, verified; "" for nobody, and before the handshake is over. */
const char *tls_peer(const struct tls *t);
const char *tls_claimed(const struct tls *t); /* the same, believed or not: for logs */
/* Would this context (newer perhaps: another list, another day) believe the other's certificate?  Who showed none is not judged. */
bool tls_believes(const struct tls_context *k, const struct tls *t, char *why, size_t max);
#endif
