/* net/tls_expiry.h - until when is a certificate good?
 *
 * For:     serve/metrics_machine.c.
 * Touches: the file.  Thread: any.
 */
#ifndef TUTTI_NET_TLS_EXPIRY_H
#define TUTTI_NET_TLS_EXPIRY_H
#include <stdint.h>

#include "base/err.h"

/* Seconds since 1970 at which the first certificate of a PEM file ends.  false with err. */
bool tls_expiry(const char *cert_file, int64_t *unix_s, struct err *err);
#endif
