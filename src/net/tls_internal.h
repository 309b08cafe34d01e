/* net/tls_internal.h - what tls.c and tls_node.c share. */
#ifndef TUTTI_NET_TLS_INTERNAL_H
#define TUTTI_NET_TLS_INTERNAL_H
#include <openssl/ssl.h>
#include <stdatomic.h>

#include "net/tls.h"

enum { TLS_NAME_MAX = 64 };

struct tls_context {
    SSL_CTX *ssl;
    atomic_int n_refs;
    bool is_client;
    bool is_node;           /* tls_node_new() */
    bool has_pin;
    unsigned char pin[32];
    char *uri;              /* NULL: none */
};

struct tls {
    SSL *ssl; /* owns both BIOs */
    BIO *in, *out;
    struct tls_context *context;
    bool is_ready, is_failed;
    bool lacks_uri;
    size_t n_sealed; /* of ours, since the last tls_take() */
    char why[128];
    char peer[TLS_NAME_MAX], claimed[TLS_NAME_MAX];
};

struct tls_context *tls_context_new(bool is_client, struct err *err);
/* What OpenSSL complained about first, in its own words. */
const char *tls_words(char *out, size_t max);
/* The handshake is over: who is it? */
void tls_node_meet(struct tls *t);
#endif
