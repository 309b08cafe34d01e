/* tests/net/tls_files.h - throw-away certificates, made in the test. */
#ifndef TUTTI_TESTS_TLS_FILES_H
#define TUTTI_TESTS_TLS_FILES_H
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

/* A self-signed certificate for localhost and 127.0.0.1, valid for a day (or over since yesterday). */
static void make_certificate(const char *cert_file, const char *key_file, long serial, bool is_over)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *c = X509_new();
    X509V3_CTX v3;
    X509_set_version(c, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(c), serial);
    X509_gmtime_adj(X509_getm_notBefore(c), -2 * 86400);
    X509_gmtime_adj(X509_getm_notAfter(c), is_over ? -86400 : 86400);
    X509_set_pubkey(c, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(c), "CN", MBSTRING_ASC, (const unsigned char *)"tutti test", -1, -1, 0);
    X509_set_issuer_name(c, X509_get_subject_name(c));
    X509V3_set_ctx(&v3, c, c, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &v3, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1");
    X509_add_ext(c, e, -1);
    X509_EXTENSION_free(e);
    X509_sign(c, key, EVP_sha256());
    FILE *f = fopen(cert_file, "w");
    PEM_write_X509(f, c);
    fclose(f);
    f = fopen(key_file, "w");
    PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL);
    fclose(f);
    X509_free(c);
    EVP_PKEY_free(key);
}
#endif
