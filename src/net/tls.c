/* net/tls.c - see tls.h; OpenSSL between two memory BIOs. */
#include "net/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "net/tls_internal.h"

enum { ANSWERS_MAX_BYTES = 1 << 20 };

static const unsigned char alpn_both[] = "\x02h2\x08http/1.1", alpn_h1[] = "\x08http/1.1", alpn_h2[] = "\x02h2";

/* What OpenSSL complained about first, in its own words. */
const char *tls_words(char *out, size_t max)
{
    const unsigned long e = ERR_get_error();
    const char *why = e ? ERR_reason_error_string(e) : NULL;
    snprintf(out, max, "%s", why ? why : "unknown error");
    ERR_clear_error();
    return out;
}

static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *n_out, const unsigned char *in, unsigned n_in, void *arg)
{
    const struct tls_context *k = arg;
    (void)ssl;
    return SSL_select_next_proto((unsigned char **)out, n_out, k->is_node ? alpn_h2 : alpn_both, k->is_node ? sizeof(alpn_h2) - 1 : sizeof(alpn_both) - 1, in, n_in) == OPENSSL_NPN_NEGOTIATED
               ? SSL_TLSEXT_ERR_OK
               : SSL_TLSEXT_ERR_ALERT_FATAL;
}

struct tls_context *tls_context_new(bool is_client, struct err *err)
{
    struct tls_context *k = calloc(1, sizeof(*k));
    if (k)
        k->ssl = SSL_CTX_new(is_client ? TLS_client_method() : TLS_server_method());
    if (!k || !k->ssl) {
        free(k);
        return err_null(err, ERR_NOMEM, "TLS: out of memory");
    }
    atomic_init(&k->n_refs, 1);
    k->is_client = is_client;
    SSL_CTX_set_min_proto_version(k->ssl, TLS1_2_VERSION);
    SSL_CTX_set_options(k->ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_IGNORE_UNEXPECTED_EOF);
    if (!is_client)
        SSL_CTX_set_alpn_select_cb(k->ssl, choose_protocol, k);
    SSL_CTX_set_mode(k->ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return k;
}

struct tls_context *tls_server_new(const char *cert_file, const char *key_file, struct err *err)
{
    char why[128];
    struct tls_context *k = tls_context_new(false, err);
    if (!k)
        return NULL;
    ERR_clear_error();
    bool ok = true;
    if (SSL_CTX_use_certificate_chain_file(k->ssl, cert_file) != 1)
        ok = err_set(err, ERR_INPUT, "TLS certificate %s: %s", cert_file, tls_words(why, sizeof(why)));
    else if (SSL_CTX_use_PrivateKey_file(k->ssl, key_file, SSL_FILETYPE_PEM) != 1)
        ok = err_set(err, ERR_INPUT, "TLS key %s: %s", key_file, tls_words(why, sizeof(why)));
    else if (SSL_CTX_check_private_key(k->ssl) != 1)
        ok = err_set(err, ERR_INPUT, "TLS key %s: it does not belong to certificate %s", key_file, cert_file);
    if (!ok) {
        tls_context_free(k);
        return NULL;
    }
    SSL_CTX_set_session_cache_mode(k->ssl, SSL_SESS_CACHE_OFF);
    return k;
}

struct tls_context *tls_client_new(const char *ca_file, struct err *err)
{
    char why[128];
    struct tls_context *k = tls_context_new(true, err);
    if (!k)
        return NULL;
    ERR_clear_error();
    if ((ca_file ? SSL_CTX_load_verify_locations(k->ssl, ca_file, NULL) : SSL_CTX_set_default_verify_paths(k->ssl)) != 1) {
        err_set(err, ERR_INPUT, "TLS certificates %s: %s", ca_file ? ca_file : "of the system", tls_words(why, sizeof(why)));
        tls_context_free(k);
        return NULL;
    }
    SSL_CTX_set_verify(k->ssl, SSL_VERIFY_PEER, NULL);
    return k;
}

struct tls_context *tls_context_ref(struct tls_context *k)
{
    atomic_fetch_add(&k->n_refs, 1);
    return k;
}

void tls_context_free(struct tls_context *k)
{
    if (!k || atomic_fetch_sub(&k->n_refs, 1) > 1)
        return;
    SSL_CTX_free(k->ssl);
    free(k->uri);
    free(k);
}

/* The name that the certificate must have, and that the server may choose by. */
static bool expect_host(SSL *ssl, const char *host, bool is_node)
{
    if (!is_node && X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1)
        return true;
    ERR_clear_error();
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, host) == 1 && (is_node /* whom we look for is nobody's business */ || SSL_set_tlsext_host_name(ssl, host) == 1);
}

struct tls *tls_new(struct tls_context *k, const char *host, bool want_h2)
{
    struct tls *t = calloc(1, sizeof(*t));
    if (!t)
        return NULL;
    t->ssl = SSL_new(k->ssl);
    t->in = BIO_new(BIO_s_mem());
    t->out = BIO_new(BIO_s_mem());
    if (!t->ssl || !t->in || !t->out) {
        BIO_free(t->in);
        BIO_free(t->out);
        SSL_free(t->ssl);
        free(t);
        return NULL;
    }
    t->context = tls_context_ref(k);
    SSL_set_app_data(t->ssl, t); /* for tls_node.c */
    SSL_set_bio(t->ssl, t->in, t->out);
    if (!k->is_client) {
        SSL_set_accept_state(t->ssl);
        return t;
    }
    SSL_set_connect_state(t->ssl);
    const bool ok = k->is_node ? SSL_set_alpn_protos(t->ssl, alpn_h2, sizeof(alpn_h2) - 1) == 0
                               : SSL_set_alpn_protos(t->ssl, want_h2 ? alpn_both : alpn_h1, want_h2 ? sizeof(alpn_both) - 1 : sizeof(alpn_h1) - 1) == 0;
    if (!ok || (host && !expect_host(t->ssl, host, k->is_node))) {
        tls_free(t);
        return NULL;
    }
    return t;
}

void tls_free(struct tls *t)
{
    if (!t)
        return;
    SSL_free(t->ssl);
    tls_context_free(t->context);
    free(t);
}

bool tls_put(struct tls *t, const void *bytes, size_t n) { return n == 0 || (n <= INT32_MAX && BIO_write(t->in, bytes, (int)n) == (int)n); }

static enum tls_result say_why(struct tls *t, int rc)
{
    switch (SSL_get_error(t->ssl, rc)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE: return TLS_WAIT;
    case SSL_ERROR_ZERO_RETURN: return TLS_END;
    default: break;
    }
    t->is_failed = true;
    const long verify = SSL_get_verify_result(t->ssl);
    if (verify != X509_V_OK) {
        snprintf(t->why, sizeof(t->why), "certificate: %s", t->lacks_uri ? "it is not for this" : X509_verify_cert_error_string(verify));
        ERR_clear_error();
    } else {
        tls_words(t->why, sizeof(t->why));
    }
    return TLS_FAIL;
}

enum tls_result tls_get(struct tls *t, void *out, size_t max, size_t *n)
{
    *n = 0;
    if (t->is_failed)
        return TLS_FAIL;
    ERR_clear_error();
    if (!t->is_ready) {
        const int rc = SSL_do_handshake(t->ssl);
        if (rc != 1)
            return say_why(t, rc);
        if (t->context->is_node && !tls_is_h2(t)) {
            snprintf(t->why, sizeof(t->why), "no HTTP/2 (ALPN h2)");
            t->is_failed = true;
            return TLS_FAIL;
        }
        t->is_ready = true;
        if (t->context->is_node)
            tls_node_meet(t);
    }
    const int rc = SSL_read(t->ssl, out, max > INT32_MAX ? INT32_MAX : (int)max);
    if (rc <= 0)
        return say_why(t, rc);
    *n = (size_t)rc;
    return TLS_BYTES;
}

bool tls_is_ready(const struct tls *t) { return t->is_ready; }

bool tls_is_h2(const struct tls *t)
{
    const unsigned char *name = NULL;
    unsigned n = 0;
    SSL_get0_alpn_selected(t->ssl, &name, &n);
    return n == 2 && memcmp(name, "h2", 2) == 0;
}

bool tls_seal(struct tls *t, const void *bytes, size_t n)
{
    const char *at = bytes;
    ERR_clear_error();
    while (n > 0) {
        const int rc = SSL_write(t->ssl, at, n > 1 << 20 ? 1 << 20 : (int)n);
        if (rc <= 0) {
            say_why(t, rc);
            return false;
        }
        at += rc;
        n -= (size_t)rc;
        t->n_sealed += (size_t)rc;
    }
    return true;
}

void tls_bye(struct tls *t)
{
    if (t->is_ready && !t->is_failed)
        SSL_shutdown(t->ssl);
    ERR_clear_error();
}

bool tls_take(struct tls *t, struct buf *out)
{
    char *bytes = NULL;
    const long n = BIO_get_mem_data(t->out, &bytes);
    if (n <= 0)
        return true;
    /* A record adds 22 bytes to 16 KiB, or to one byte; the rest is what TLS says itself. */
    const bool is_sane = (size_t)n <= t->n_sealed + t->n_sealed / 8 + ANSWERS_MAX_BYTES;
    buf_append(out, bytes, (size_t)n);
    (void)BIO_reset(t->out);
    t->n_sealed = 0;
    return is_sane && !out->failed;
}

const char *tls_why(const struct tls *t) { return t->why; }
