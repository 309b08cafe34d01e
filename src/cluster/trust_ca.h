/* cluster/trust_ca.h - the authority: makes the cluster, gives tokens and certificates, takes certificates back.
 *
 * For:     `tutti cluster init|token|revoke|trust`, join.c.
 * Callers: cluster/, cmd/.
 * Touches: DIR/ca/ (0700): ca.key, state (tokens, certificates, the list's number), lock; DIR/revoked.pem.
 * Thread:  any thread, any process: each call holds the lock on DIR/ca/lock.
 * Rule:    what was decided is on the disk before anybody hears of it: one file, written beside, synced, renamed.  A token's secret is
 *          never kept: its salted SHA-256 is, and comparing looks at every token that there is, whether the id is known or not.
 *          A list that does not say what the state says (a crash between the two) is made anew by the next call.
 * Token:   "tutti1.ID.SECRET.HASH": 8 and 32 hex digits, then SHA-256 of the CA's certificate, so that who joins can tell the right
 *          house before it says the secret (as K3s' secure tokens and kubeadm's --discovery-token-ca-cert-hash do).
 */
#ifndef TUTTI_CLUSTER_TRUST_CA_H
#define TUTTI_CLUSTER_TRUST_CA_H
#include "cluster/trust_cert.h"

enum { TRUST_TOKEN_TEXT_MAX = 128, TRUST_TOKENS_MAX = 256, TRUST_NODES_MAX = 16384, TRUST_CERTS_PER_NODE = 16 };

struct trust_token {
    char id[9], secret[33];
    unsigned char ca_hash[32];
};
bool trust_token_parse(struct trust_token *t, const char *text, struct err *err);

/* A CA, a certificate for this node (30 days), no token yet.  The folder must not be there, or be empty. */
bool trust_ca_init(const char *dir, const char *name, struct err *err);
/* A new token, good for `uses` joins within valid_s seconds. */
bool trust_ca_token(const char *dir, int uses, uint64_t valid_s, char out[TRUST_TOKEN_TEXT_MAX], struct err *err);
bool trust_ca_forget_token(const char *dir, const char *id, struct err *err);

enum trust_refusal { TRUST_FINE, TRUST_BAD_TOKEN /* nobody is told more */, TRUST_BAD_REQUEST, TRUST_NAME_TAKEN, TRUST_FAILED };
/* Uses the token once and signs.  The same key and name and token again (an answer that was lost) costs no second use. */
enum trust_refusal trust_ca_join(const char *dir, const char *token, const char *request, struct buf *cert, struct trust_cert *said, struct err *err);
/* For a node that has shown its certificate: its name, a new key. */
enum trust_refusal trust_ca_renew(const char *dir, const char *name, const char *request, struct buf *cert, struct trust_cert *said, struct err *err);
/* Our own, with a new key, where the CA is. */
bool trust_ca_renew_self(struct trust *t, struct err *err);
/* All living certificates of that name; *n how many (0: there is none, which is an error).  *number: of the new list. */
bool trust_ca_revoke(const char *dir, const char *name, int *n, uint64_t *number, struct err *err);

struct trust_issued { struct trust_cert cert; uint64_t revoked_unix; /* 0: living, or expired */ };
struct trust_held { char id[9]; uint64_t expires_unix; int uses; };
/* What is known; arrays are the caller's (free).  NULL with *n 0 when there are none. */
bool trust_ca_list(const char *dir, struct trust_issued **nodes, int *n_nodes, struct trust_held **tokens, int *n_tokens, struct err *err);
#endif
