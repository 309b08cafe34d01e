/* cluster/trust.h - whom the nodes of a cluster believe: a small certificate authority of the house, join tokens, a node's own certificate.
 *
 * For:     `tutti cluster init|token|revoke`, `tutti node join`, serve/ (the port for nodes), cluster.c (connections to nodes).
 * Callers: cluster/, serve/, cmd/.
 * Touches: files below one folder ($XDG_DATA_HOME/tutti/trust): keys are 0600; OpenSSL.
 * Rule:    TLS 1.3 with certificates on both sides.  A node's certificate names it (CN and SAN = its name; URI tutti:node/NAME).  Tokens are kept
 *          hashed, compared in constant time, expire, and can be used a bounded number of times.  A revocation list is signed by the CA and
 *          numbered; a newer one replaces an older, never the other way.
 */
#ifndef TUTTI_CLUSTER_TRUST_H
#define TUTTI_CLUSTER_TRUST_H
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "net/tls.h"

enum { TRUST_NAME_MAX = 64 };

/* ---- a node's side ---- */

struct trust;
/* From its folder: ca.pem, node.pem, node.key, revoked.pem.  NULL with err: it has not joined (and says how to). */
struct trust *trust_open(const char *dir, struct err *err);
void trust_free(struct trust *t); /* NULL is fine */
const char *trust_name(const struct trust *t);        /* of this node */
uint64_t trust_expires_unix(const struct trust *t);
uint64_t trust_revocations(const struct trust *t);    /* the list's number; 0: none */
/* Contexts of now, counted as tls.h says; after a renewal or a new list: others.  NULL with err.
 * The server's asks for a certificate and lets those without one in, to join: net/ tells who it is (http_stream_peer()), and
 * whoever is nobody gets nothing but the join call. */
struct tls_context *trust_server_tls(const struct trust *t, struct err *err);
struct tls_context *trust_client_tls(const struct trust *t, struct err *err);
/* A newer list from a neighbour: checked against the CA, kept.  true: it was newer. */
bool trust_take_revocations(struct trust *t, const void *pem, size_t n, struct err *err);
bool trust_put_revocations(const struct trust *t, struct buf *out);

#endif
