/* cluster/trust.h - whom the nodes of a cluster believe: a node's own certificate, the house's certificate authority, what it took back.
 *
 * For:     `tutti cluster init|token|trust|revoke`, `tutti node join`, port.h (the port for nodes), cluster.c (connections to nodes).
 * Callers: cluster/, serve/, cmd/.
 * Touches: files below one folder ($XDG_DATA_HOME/tutti/trust): keys are 0600; OpenSSL.
 * Thread:  any; a lock of its own.
 * Rule:    TLS 1.3 with certificates on both sides.  A node's certificate names it (CN and SAN = its name; URI tutti:node/NAME).  Tokens are kept
 *          hashed, compared in constant time, expire, and can be used a bounded number of times.  A revocation list is signed by the CA and
 *          numbered; a newer one replaces an older, never the other way.
 * Files:   ca.pem, node.pem (key and certificate: renewed by one rename), revoked.pem, authority (the URL of who holds the CA); with the CA: ca/.
 *          Each is written beside, synced, renamed: a crash leaves the old one or the new one.
 * Start:   trust.c; trust_ca.h for the authority, trust_cert.h for X.509, join.h for the calls.
 */
#ifndef TUTTI_CLUSTER_TRUST_H
#define TUTTI_CLUSTER_TRUST_H
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "net/tls.h"

enum { TRUST_NAME_MAX = 64, TRUST_PATH_MAX = 1024, TRUST_FILE_MAX_BYTES = 8 << 20 };

/* $XDG_DATA_HOME/tutti/trust, else ~/.local/share/tutti/trust.  false: neither is known. */
bool trust_default_dir(char *out, size_t max);

/* ---- a node's side ---- */

struct trust;
/* From its folder.  NULL with err: it has not joined (and says how to). */
struct trust *trust_open(const char *dir, struct err *err);
void trust_free(struct trust *t); /* NULL is fine */
const char *trust_name(const struct trust *t);        /* of this node */
const char *trust_dir(const struct trust *t);
const char *trust_authority(const struct trust *t);   /* URL of the node that holds the CA; "": this one, or nobody knows */
bool trust_holds_ca(const struct trust *t);
uint64_t trust_expires_unix(const struct trust *t);
uint64_t trust_revocations(const struct trust *t);    /* the list's number; 0: none */
/* Goes up whenever contexts are others: a renewed certificate, a newer list. */
uint64_t trust_generation(const struct trust *t);
/* Contexts of now, the caller's, as tls.h says.  NULL with err.
 * The server's asks for a certificate.  Where the CA is held it lets those without one in, to join: http_stream_peer() is "" then,
 * and whoever is nobody gets nothing but the join call (port.h sees to it); elsewhere they get no further than the handshake. */
struct tls_context *trust_server_tls(const struct trust *t, struct err *err);
struct tls_context *trust_client_tls(const struct trust *t, struct err *err);
/* A newer list from a neighbour: checked against the CA, kept.  true: it was newer. */
bool trust_take_revocations(struct trust *t, const void *pem, size_t n, struct err *err);
/* Appends the list as PEM; false: there is none. */
bool trust_put_revocations(const struct trust *t, struct buf *out);
/* The CA's certificate as PEM, the caller's (free); NULL with err. */
char *trust_dup_ca(const struct trust *t, struct err *err);
/* Looks whether somebody else wrote the files (`tutti cluster revoke`, `tutti node renew`).  true: something is new. */
bool trust_refresh(struct trust *t);
/* A renewed certificate: must be from our CA, for our name, and belong to the key. */
bool trust_take_certificate(struct trust *t, const char *key_pem, const char *cert_pem, struct err *err);
/* Has it lived two thirds of its life? */
bool trust_is_due(const struct trust *t, uint64_t now_unix);
/* SHA-256 of the CA's certificate as 64 hex digits: the cluster's identity. */
void trust_cluster(const struct trust *t, char out[65]);
#endif
