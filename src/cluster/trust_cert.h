/* cluster/trust_cert.h - keys, certificates, requests and revocation lists as PEM texts: OpenSSL's X.509 for this one purpose.
 *
 * For:     trust*.c, join*.c.
 * Callers: cluster/.
 * Touches: OpenSSL, the clock.  Thread: any.
 * Rule:    EC P-256 and SHA-256 alone.  What comes from outside is checked: its signature, its curve, its name.  Certificates are valid
 *          from an hour before, because clocks differ (RFC 5280 for all fields).
 */
#ifndef TUTTI_CLUSTER_TRUST_CERT_H
#define TUTTI_CLUSTER_TRUST_CERT_H
#include "cluster/trust.h"

enum { TRUST_SERIAL_MAX = 41, TRUST_HASH_MAX = 65, TRUST_NODE_DAYS = 30, TRUST_CA_DAYS = 3650, TRUST_EARLY_S = 3600 };
#define TRUST_AUTHORITY_URI "tutti:authority" /* in the certificate of who holds the CA: nobody else may be given a token */

struct trust_cert { /* what a certificate says */
    char name[TRUST_NAME_MAX];
    char serial[TRUST_SERIAL_MAX]; /* hex */
    char key[TRUST_HASH_MAX];      /* SHA-256 of its public key, hex */
    uint64_t begins_unix, expires_unix;
};

bool trust_cert_make_key(struct buf *key, struct err *err);
bool trust_cert_make_ca(struct buf *cert, const char *key, struct err *err);
bool trust_cert_make_request(struct buf *request, const char *key, const char *name, struct err *err);
/* Signed by its own key, on P-256, for a name that is one. */
bool trust_cert_read_request(const char *request, char name[TRUST_NAME_MAX], char key[TRUST_HASH_MAX], struct err *err);
/* For the request's key and name, from begins to expires. */
bool trust_cert_sign(struct buf *cert, struct trust_cert *said, const char *ca, const char *ca_key, const char *request, bool is_authority,
                     uint64_t begins_unix, uint64_t expires_unix, struct err *err);
/* ca NULL: not checked; else it must be signed by it (its times are not looked at). */
bool trust_cert_read(struct trust_cert *said, const char *cert, const char *ca, struct err *err);
bool trust_cert_is_of(const char *cert, const char *key); /* do they belong together? */
bool trust_cert_hash(const char *cert, unsigned char out[32]); /* SHA-256 of its DER */

struct trust_revoked { char serial[TRUST_SERIAL_MAX]; uint64_t at_unix; };
bool trust_cert_make_list(struct buf *list, const char *ca, const char *ca_key, uint64_t number, const struct trust_revoked *of, int n, struct err *err);
/* Signed by ca; tells its number. */
bool trust_cert_read_list(uint64_t *number, const char *list, const char *ca, struct err *err);
#endif
