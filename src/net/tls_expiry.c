/* net/tls_expiry.c - see tls_expiry.h. */
#include "net/tls_expiry.h"

#include <stdio.h>

#include <openssl/pem.h>
#include <openssl/x509.h>

bool tls_expiry(const char *cert_file, int64_t *unix_s, struct err *err)
{
    FILE *f = fopen(cert_file, "re");
    int days = 0, seconds = 0;
    if (!f)
        return err_set(err, ERR_INPUT, "%s: cannot be read", cert_file);
    X509 *x = PEM_read_X509(f, NULL, NULL, NULL);
    ASN1_TIME *epoch = x ? ASN1_TIME_set(NULL, 0) : NULL;
    const bool ok = epoch && ASN1_TIME_diff(&days, &seconds, epoch, X509_get0_notAfter(x)) == 1;
    ASN1_TIME_free(epoch);
    X509_free(x);
    fclose(f);
    *unix_s = (int64_t)days * 86400 + seconds;
    return ok || err_set(err, ERR_INPUT, "%s: no certificate in PEM", cert_file);
}
