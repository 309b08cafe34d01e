/* cluster/trust_cert.c - see trust_cert.h. */
#define _DEFAULT_SOURCE /* timegm() */
#include "cluster/trust_cert.h"

#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/hex.h"
#include "base/label.h"

static bool fail(struct err *err, const char *what)
{
    const unsigned long e = ERR_peek_last_error();
    const char *why = e ? ERR_reason_error_string(e) : NULL;
    ERR_clear_error();
    return err_set(err, ERR_INPUT, "%s: %s", what, why ? why : "OpenSSL cannot");
}

/* ---- PEM ---- */

static int no_password(char *buf, int size, int rw, void *u)
{
    (void)buf, (void)size, (void)rw, (void)u;
    return 0;
}

/* What a PEM text holds, NULL when it is not of that kind. */
#define PEM_READER(name, type, read)                                  \
    static type *name(const char *pem)                                \
    {                                                                 \
        BIO *b = BIO_new_mem_buf(pem, -1);                            \
        type *t = b ? read(b, NULL, no_password, NULL) : NULL;        \
        BIO_free(b);                                                  \
        return t;                                                     \
    }
PEM_READER(read_key, EVP_PKEY, PEM_read_bio_PrivateKey)
PEM_READER(read_cert, X509, PEM_read_bio_X509)
PEM_READER(read_request, X509_REQ, PEM_read_bio_X509_REQ)
PEM_READER(read_list, X509_CRL, PEM_read_bio_X509_CRL)
#undef PEM_READER

static bool take_bio(struct buf *out, BIO *b, bool ok)
{
    char *bytes = NULL;
    const long n = b && ok ? BIO_get_mem_data(b, &bytes) : 0;
    if (n > 0)
        buf_append(out, bytes, (size_t)n);
    BIO_free(b);
    return n > 0 && !out->failed;
}

static bool put_cert(struct buf *out, X509 *c)
{
    BIO *b = BIO_new(BIO_s_mem());
    return take_bio(out, b, b && PEM_write_bio_X509(b, c) == 1);
}

/* ---- keys and names ---- */

static bool is_p256(EVP_PKEY *k)
{
    char group[32] = "";
    size_t n = 0;
    return k && EVP_PKEY_get_base_id(k) == EVP_PKEY_EC && EVP_PKEY_get_utf8_string_param(k, "group", group, sizeof(group), &n) == 1 && strcmp(group, "prime256v1") == 0;
}

static bool hash_key(char out[TRUST_HASH_MAX], EVP_PKEY *k)
{
    unsigned char *der = NULL, hash[32];
    const int n = i2d_PUBKEY(k, &der);
    const bool ok = n > 0 && EVP_Digest(der, (size_t)n, hash, NULL, EVP_sha256(), NULL) == 1;
    OPENSSL_free(der);
    if (ok)
        hex_put(out, hash, sizeof(hash));
    return ok;
}

static bool read_name(char out[TRUST_NAME_MAX], X509_NAME *from)
{
    char name[TRUST_NAME_MAX] = "";
    const int at = X509_NAME_get_index_by_NID(from, NID_commonName, -1);
    const ASN1_STRING *s = at >= 0 ? X509_NAME_ENTRY_get_data(X509_NAME_get_entry(from, at)) : NULL;
    const int n = s ? ASN1_STRING_length(s) : 0;
    if (n <= 0 || n >= TRUST_NAME_MAX)
        return false;
    memcpy(name, ASN1_STRING_get0_data(s), (size_t)n);
    if (strlen(name) != (size_t)n)
        return false;
    memcpy(out, name, sizeof(name));
    return true;
}

bool trust_cert_make_key(struct buf *key, struct err *err)
{
    EVP_PKEY *k = EVP_EC_gen("P-256");
    BIO *b = BIO_new(BIO_s_mem());
    const bool ok = take_bio(key, b, k && b && PEM_write_bio_PrivateKey(b, k, NULL, NULL, 0, NULL, NULL) == 1);
    EVP_PKEY_free(k);
    return ok || fail(err, "making a key");
}

/* ---- certificates ---- */

static bool add(X509 *c, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX v3;
    X509V3_set_ctx(&v3, issuer, c, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &v3, nid, value);
    const bool ok = e && X509_add_ext(c, e, -1) == 1;
    X509_EXTENSION_free(e);
    return ok;
}

static bool set_serial(X509 *c)
{
    unsigned char r[16];
    if (RAND_bytes(r, sizeof(r)) != 1)
        return false;
    r[0] = (unsigned char)((r[0] & 0x7f) | 0x40); /* positive, always 16 bytes */
    BIGNUM *n = BN_bin2bn(r, sizeof(r), NULL);
    const bool ok = n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(c));
    BN_free(n);
    return ok;
}

static X509 *begin(EVP_PKEY *key, const char *name, uint64_t begins_unix, uint64_t expires_unix)
{
    X509 *c = X509_new();
    const bool ok = c && X509_set_version(c, 2) == 1 && set_serial(c) && ASN1_TIME_set(X509_getm_notBefore(c), (time_t)begins_unix) &&
                    ASN1_TIME_set(X509_getm_notAfter(c), (time_t)expires_unix) && X509_set_pubkey(c, key) == 1 &&
                    X509_NAME_add_entry_by_txt(X509_get_subject_name(c), "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0) == 1;
    if (ok)
        return c;
    X509_free(c);
    return NULL;
}

bool trust_cert_make_ca(struct buf *cert, const char *key_pem, struct err *err)
{
    const uint64_t now = (uint64_t)time(NULL);
    unsigned char r[4];
    char name[40], id[9] = "";
    EVP_PKEY *key = read_key(key_pem);
    X509 *c = NULL;
    bool ok = key && RAND_bytes(r, sizeof(r)) == 1;
    if (ok) {
        hex_put(id, r, sizeof(r));
        snprintf(name, sizeof(name), "tutti cluster %s", id);
        c = begin(key, name, now - TRUST_EARLY_S, now + TRUST_CA_DAYS * UINT64_C(86400));
    }
    ok = c && X509_set_issuer_name(c, X509_get_subject_name(c)) == 1 && add(c, c, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
         add(c, c, NID_key_usage, "critical,keyCertSign,cRLSign") && add(c, c, NID_subject_key_identifier, "hash") && X509_sign(c, key, EVP_sha256()) > 0 &&
         put_cert(cert, c);
    X509_free(c);
    EVP_PKEY_free(key);
    return ok || fail(err, "making the authority");
}

bool trust_cert_make_request(struct buf *request, const char *key_pem, const char *name, struct err *err)
{
    EVP_PKEY *key = read_key(key_pem);
    X509_REQ *r = X509_REQ_new();
    BIO *b = BIO_new(BIO_s_mem());
    bool ok = key && r && b && X509_REQ_set_version(r, 0) == 1 && X509_REQ_set_pubkey(r, key) == 1 &&
              X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(r), "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0) == 1 &&
              X509_REQ_sign(r, key, EVP_sha256()) > 0;
    ok = take_bio(request, b, ok && PEM_write_bio_X509_REQ(b, r) == 1);
    X509_REQ_free(r);
    EVP_PKEY_free(key);
    return ok || fail(err, "making a request for a certificate");
}

static bool check_request(X509_REQ *r, char name[TRUST_NAME_MAX], char key[TRUST_HASH_MAX], struct err *err)
{
    EVP_PKEY *k = r ? X509_REQ_get0_pubkey(r) : NULL;
    if (!r || !k)
        return fail(err, "the request");
    if (!is_p256(k))
        return err_set(err, ERR_INPUT, "the request: its key is not on P-256");
    if (X509_REQ_verify(r, k) != 1)
        return fail(err, "the request's signature");
    if (!read_name(name, X509_REQ_get_subject_name(r)) || !label_is_valid(name))
        return err_set(err, ERR_INPUT, "the request: its name is no DNS label in lower case");
    return hash_key(key, k) || fail(err, "the request's key");
}

bool trust_cert_read_request(const char *request, char name[TRUST_NAME_MAX], char key[TRUST_HASH_MAX], struct err *err)
{
    X509_REQ *r = read_request(request);
    const bool ok = check_request(r, name, key, err);
    X509_REQ_free(r);
    ERR_clear_error();
    return ok;
}

static uint64_t unix_of(const ASN1_TIME *t)
{
    struct tm tm;
    if (!t || ASN1_TIME_to_tm(t, &tm) != 1)
        return 0;
    const time_t at = timegm(&tm);
    return at > 0 ? (uint64_t)at : 0;
}

static bool put_serial(char out[TRUST_SERIAL_MAX], const ASN1_INTEGER *from)
{
    BIGNUM *n = ASN1_INTEGER_to_BN(from, NULL);
    char *hex = n ? BN_bn2hex(n) : NULL;
    const bool ok = hex && strlen(hex) < TRUST_SERIAL_MAX;
    if (ok)
        memcpy(out, hex, strlen(hex) + 1);
    OPENSSL_free(hex);
    BN_free(n);
    return ok;
}

static bool describe(struct trust_cert *said, X509 *c)
{
    EVP_PKEY *k = X509_get0_pubkey(c);
    *said = (struct trust_cert){ .begins_unix = unix_of(X509_get0_notBefore(c)), .expires_unix = unix_of(X509_get0_notAfter(c)) };
    return k && read_name(said->name, X509_get_subject_name(c)) && put_serial(said->serial, X509_get0_serialNumber(c)) && hash_key(said->key, k);
}

bool trust_cert_sign(struct buf *cert, struct trust_cert *said, const char *ca_pem, const char *ca_key, const char *request, bool is_authority,
                     uint64_t begins_unix, uint64_t expires_unix, struct err *err)
{
    char name[TRUST_NAME_MAX], key[TRUST_HASH_MAX], san[256];
    X509_REQ *r = read_request(request);
    X509 *ca = read_cert(ca_pem), *c = NULL;
    EVP_PKEY *k = read_key(ca_key);
    bool ok = check_request(r, name, key, err);
    if (ok) {
        snprintf(san, sizeof(san), "DNS:%s,URI:tutti:node/%s%s", name, name, is_authority ? ",URI:" TRUST_AUTHORITY_URI : "");
        ok = ca && k && (c = begin(X509_REQ_get0_pubkey(r), name, begins_unix, expires_unix)) && X509_set_issuer_name(c, X509_get_subject_name(ca)) == 1 &&
             add(c, ca, NID_basic_constraints, "critical,CA:FALSE") && add(c, ca, NID_key_usage, "critical,digitalSignature") &&
             add(c, ca, NID_ext_key_usage, "serverAuth,clientAuth") && add(c, ca, NID_subject_key_identifier, "hash") &&
             add(c, ca, NID_authority_key_identifier, "keyid") && add(c, ca, NID_subject_alt_name, san) && X509_sign(c, k, EVP_sha256()) > 0 && describe(said, c) &&
             put_cert(cert, c);
        ok = ok || fail(err, "signing a certificate");
    }
    X509_free(c);
    X509_free(ca);
    EVP_PKEY_free(k);
    X509_REQ_free(r);
    return ok;
}

bool trust_cert_read(struct trust_cert *said, const char *cert, const char *ca_pem, struct err *err)
{
    X509 *c = read_cert(cert), *ca = ca_pem ? read_cert(ca_pem) : NULL;
    bool ok = c && describe(said, c) && (!ca_pem || ca);
    if (ok && ca)
        ok = X509_check_issued(ca, c) == X509_V_OK && X509_verify(c, X509_get0_pubkey(ca)) == 1;
    X509_free(c);
    X509_free(ca);
    if (!ok && ca_pem)
        return fail(err, "a certificate that is none, or not from this cluster");
    return ok || fail(err, "a certificate that is none");
}

bool trust_cert_is_of(const char *cert, const char *key_pem)
{
    X509 *c = read_cert(cert);
    EVP_PKEY *k = read_key(key_pem);
    const bool ok = c && k && X509_check_private_key(c, k) == 1;
    X509_free(c);
    EVP_PKEY_free(k);
    ERR_clear_error();
    return ok;
}

bool trust_cert_hash(const char *cert, unsigned char out[32])
{
    X509 *c = read_cert(cert);
    const bool ok = c && X509_digest(c, EVP_sha256(), out, NULL) == 1;
    X509_free(c);
    ERR_clear_error();
    return ok;
}

/* ---- lists ---- */

static bool add_revoked(X509_CRL *l, const struct trust_revoked *of)
{
    X509_REVOKED *r = X509_REVOKED_new();
    BIGNUM *n = NULL;
    ASN1_INTEGER *serial = BN_hex2bn(&n, of->serial) > 0 ? BN_to_ASN1_INTEGER(n, NULL) : NULL;
    ASN1_TIME *at = ASN1_TIME_set(NULL, (time_t)of->at_unix);
    const bool ok = r && serial && at && X509_REVOKED_set_serialNumber(r, serial) == 1 && X509_REVOKED_set_revocationDate(r, at) == 1 && X509_CRL_add0_revoked(l, r) == 1;
    if (!ok)
        X509_REVOKED_free(r);
    BN_free(n);
    ASN1_INTEGER_free(serial);
    ASN1_TIME_free(at);
    return ok;
}

static bool set_number(X509_CRL *l, uint64_t number)
{
    ASN1_INTEGER *n = ASN1_INTEGER_new();
    const bool ok = n && ASN1_INTEGER_set_uint64(n, number) == 1 && X509_CRL_add1_ext_i2d(l, NID_crl_number, n, 0, 0) == 1;
    ASN1_INTEGER_free(n);
    return ok;
}

/* As long as the CA lives: an old list is better than none, and newer ones spread by their number. */
bool trust_cert_make_list(struct buf *list, const char *ca_pem, const char *ca_key, uint64_t number, const struct trust_revoked *of, int n, struct err *err)
{
    X509 *ca = read_cert(ca_pem);
    EVP_PKEY *k = read_key(ca_key);
    X509_CRL *l = X509_CRL_new();
    BIO *b = BIO_new(BIO_s_mem());
    bool ok = ca && k && l && b && X509_CRL_set_version(l, 1) == 1 && X509_CRL_set_issuer_name(l, X509_get_subject_name(ca)) == 1 &&
              X509_CRL_set1_lastUpdate(l, X509_get0_notBefore(ca)) == 1 && X509_CRL_set1_nextUpdate(l, X509_get0_notAfter(ca)) == 1 && set_number(l, number);
    for (int i = 0; ok && i < n; i++)
        ok = add_revoked(l, &of[i]);
    ok = ok && X509_CRL_sort(l) == 1 && X509_CRL_sign(l, k, EVP_sha256()) > 0;
    ok = take_bio(list, b, ok && PEM_write_bio_X509_CRL(b, l) == 1);
    X509_CRL_free(l);
    X509_free(ca);
    EVP_PKEY_free(k);
    return ok || fail(err, "signing the revocation list");
}

bool trust_cert_read_list(uint64_t *number, const char *list, const char *ca_pem, struct err *err)
{
    X509_CRL *l = read_list(list);
    X509 *ca = read_cert(ca_pem);
    ASN1_INTEGER *n = l ? X509_CRL_get_ext_d2i(l, NID_crl_number, NULL, NULL) : NULL;
    const bool ok = l && ca && n && X509_NAME_cmp(X509_CRL_get_issuer(l), X509_get_subject_name(ca)) == 0 && X509_CRL_verify(l, X509_get0_pubkey(ca)) == 1 &&
                    ASN1_INTEGER_get_uint64(number, n) == 1;
    ASN1_INTEGER_free(n);
    X509_CRL_free(l);
    X509_free(ca);
    return ok || fail(err, "a revocation list that is none, or not from this cluster");
}
