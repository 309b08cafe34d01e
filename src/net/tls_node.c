/* net/tls_node.c - TLS between nodes: whom they believe; start at tls_node_new(). */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "net/tls_internal.h"

enum { CHAIN_MAX_BYTES = 16 << 10 /* of certificates that the other side may send */ };

/* Its common name, as far as it is fit to be printed. */
static void put_name(char out[TLS_NAME_MAX], X509 *c)
{
    char name[TLS_NAME_MAX] = "";
    const int n = X509_NAME_get_text_by_NID(X509_get_subject_name(c), NID_commonName, name, sizeof(name));
    out[0] = '\0';
    if (n <= 0 || (size_t)n != strlen(name))
        return;
    for (int i = 0; i < n; i++)
        if (name[i] <= ' ' || name[i] > '~')
            name[i] = '?';
    memcpy(out, name, sizeof(name));
}

static bool has_uri(X509 *c, const char *uri)
{
    bool is_there = false;
    GENERAL_NAMES *names = X509_get_ext_d2i(c, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; names && i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *g = sk_GENERAL_NAME_value(names, i);
        if (g->type != GEN_URI)
            continue;
        const ASN1_IA5STRING *s = g->d.uniformResourceIdentifier;
        is_there = is_there || ((size_t)ASN1_STRING_length(s) == strlen(uri) && memcmp(ASN1_STRING_get0_data(s), uri, strlen(uri)) == 0);
    }
    GENERAL_NAMES_free(names);
    return is_there;
}

/* Among what the server shows: the CA that we were told of.  Borrowed; NULL. */
static X509 *find_pinned(const struct tls_context *k, STACK_OF(X509) *shown)
{
    for (int i = 0; shown && i < sk_X509_num(shown); i++) {
        unsigned char hash[EVP_MAX_MD_SIZE];
        unsigned n = 0;
        if (X509_digest(sk_X509_value(shown, i), EVP_sha256(), hash, &n) == 1 && n == sizeof(k->pin) && CRYPTO_memcmp(hash, k->pin, n) == 0)
            return sk_X509_value(shown, i);
    }
    return NULL;
}

static int verify(X509_STORE_CTX *store, void *arg)
{
    const struct tls_context *k = arg;
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls *t = SSL_get_app_data(ssl);
    X509 *leaf = X509_STORE_CTX_get0_cert(store);
    STACK_OF(X509) *trusted = NULL;
    if (leaf)
        put_name(t->claimed, leaf);
    if (k->has_pin) {
        X509 *ca = find_pinned(k, X509_STORE_CTX_get0_untrusted(store));
        if (!(trusted = sk_X509_new_null()) || (ca && sk_X509_push(trusted, ca) <= 0)) {
            sk_X509_free(trusted);
            X509_STORE_CTX_set_error(store, X509_V_ERR_OUT_OF_MEM);
            return 0;
        }
        X509_STORE_CTX_set0_trusted_stack(store, trusted); /* an empty one: nobody */
    }
    int ok = X509_verify_cert(store);
    sk_X509_free(trusted);
    if (ok == 1 && k->uri && !has_uri(leaf, k->uri)) {
        t->lacks_uri = true;
        X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
        ok = 0;
    }
    return ok == 1;
}

static X509 *read_cert(const char *pem)
{
    BIO *b = BIO_new_mem_buf(pem, -1);
    X509 *c = b ? PEM_read_bio_X509(b, NULL, NULL, NULL) : NULL;
    BIO_free(b);
    return c;
}

static int no_password(char *buf, int size, int rw, void *u)
{
    (void)buf, (void)size, (void)rw, (void)u;
    return 0;
}

/* Our certificate and key.  The server shows the CA's too: who joins knows only its hash. */
static bool show_own(struct tls_context *k, const struct tls_node *n, struct err *err)
{
    char why[128];
    BIO *b = BIO_new_mem_buf(n->own, -1);
    EVP_PKEY *key = b ? PEM_read_bio_PrivateKey(b, NULL, no_password, NULL) : NULL;
    BIO_free(b);
    X509 *c = read_cert(n->own), *ca = n->is_server && n->ca ? read_cert(n->ca) : NULL;
    bool ok = c && key && SSL_CTX_use_certificate(k->ssl, c) == 1 && SSL_CTX_use_PrivateKey(k->ssl, key) == 1 && SSL_CTX_check_private_key(k->ssl) == 1;
    ok = ok && (!ca || SSL_CTX_add1_chain_cert(k->ssl, ca) == 1);
    if (!ok)
        err_set(err, ERR_INPUT, "the node's certificate: %s", tls_words(why, sizeof(why)));
    EVP_PKEY_free(key);
    X509_free(c);
    X509_free(ca);
    return ok;
}

static bool believe(struct tls_context *k, const struct tls_node *n, struct err *err)
{
    char why[128];
    X509_STORE *store = SSL_CTX_get_cert_store(k->ssl);
    X509 *ca = n->ca ? read_cert(n->ca) : NULL;
    X509_CRL *crl = NULL;
    bool ok = !n->ca || (ca && X509_STORE_add_cert(store, ca) == 1);
    if (ok && n->crl) {
        BIO *b = BIO_new_mem_buf(n->crl, -1);
        crl = b ? PEM_read_bio_X509_CRL(b, NULL, NULL, NULL) : NULL;
        BIO_free(b);
        ok = crl && X509_STORE_add_crl(store, crl) == 1 && X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK) == 1;
    }
    if (!ok)
        err_set(err, ERR_INPUT, "the cluster's certificates: %s", tls_words(why, sizeof(why)));
    X509_free(ca);
    X509_CRL_free(crl);
    return ok;
}

struct tls_context *tls_node_new(const struct tls_node *n, struct err *err)
{
    struct tls_context *k = tls_context_new(!n->is_server, err);
    if (!k)
        return NULL;
    ERR_clear_error();
    k->is_node = true;
    k->has_pin = n->pin != NULL;
    if (n->pin)
        memcpy(k->pin, n->pin, sizeof(k->pin));
    SSL_CTX_set_min_proto_version(k->ssl, TLS1_3_VERSION);
    SSL_CTX_set_options(k->ssl, SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(k->ssl, 0);
    SSL_CTX_set_session_cache_mode(k->ssl, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_max_cert_list(k->ssl, CHAIN_MAX_BYTES);
    SSL_CTX_set_verify(k->ssl, SSL_VERIFY_PEER | (n->is_server && !n->admits_nobody ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), NULL);
    SSL_CTX_set_cert_verify_callback(k->ssl, verify, k); /* the context outlives its connections: they count */
    bool ok = (!n->own || show_own(k, n, err)) && believe(k, n, err);
    if (ok && n->uri && !(k->uri = strdup(n->uri)))
        ok = err_set(err, ERR_NOMEM, "TLS: out of memory");
    if (ok)
        return k;
    tls_context_free(k);
    return NULL;
}

void tls_node_meet(struct tls *t)
{
    X509 *c = SSL_get0_peer_certificate(t->ssl);
    if (c && SSL_get_verify_result(t->ssl) == X509_V_OK)
        put_name(t->peer, c);
}

const char *tls_peer(const struct tls *t) { return t->peer; }
const char *tls_claimed(const struct tls *t) { return t->claimed; }

bool tls_believes(const struct tls_context *k, const struct tls *t, char *why, size_t max)
{
    X509 *c = SSL_get0_peer_certificate(t->ssl);
    X509_STORE_CTX *x = c ? X509_STORE_CTX_new() : NULL;
    if (!c)
        return true;
    bool ok = x && X509_STORE_CTX_init(x, SSL_CTX_get_cert_store(k->ssl), c, NULL) == 1;
    if (ok)
        ok = X509_verify_cert(x) == 1;
    snprintf(why, max, "certificate: %s", x ? X509_verify_cert_error_string(X509_STORE_CTX_get_error(x)) : "out of memory");
    X509_STORE_CTX_free(x);
    ERR_clear_error();
    return ok;
}
