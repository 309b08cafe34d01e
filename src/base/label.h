/* base/label.h - names of nodes and experts: DNS labels (RFC 1123) in lower case; Kubernetes, mDNS and certificates take no others.
 *
 * For:     inventories, certificates, messages of nodes, the command line.
 */
#ifndef TUTTI_BASE_LABEL_H
#define TUTTI_BASE_LABEL_H
#include <stdbool.h>
#include <string.h>

/* 1 to 63 of a-z, 0-9 and '-', which stands neither first nor last. */
static inline bool label_is_valid(const char *s)
{
    const size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-");
    return n > 0 && n < 64 && !s[n] && s[0] != '-' && s[n - 1] != '-';
}
#endif
