/* net/addr.h - an address to listen on, as text and as numbers.
 *
 * For:     `--listen ADDR:PORT`, `listening on http://...`.
 * Callers: net/, serve/.
 * Touches: nothing: numbers and "localhost" only, so no name is ever looked up.
 */
#ifndef TUTTI_NET_ADDR_H
#define TUTTI_NET_ADDR_H
#include <stdbool.h>
#include <sys/socket.h>

#include "base/err.h"

struct net_addr {
    struct sockaddr_storage sa; /* AF_INET or AF_INET6; of AF_UNIX the family only */
    char text[80];              /* "127.0.0.1:8080", "[::1]:8080" */
    int port;
    bool is_loopback; /* nobody outside this machine can reach it */
};

/* "127.0.0.1:8080", "[::1]:0", "localhost:8080", "0.0.0.0:80"; port 0 lets the system choose.  false with err. */
bool net_addr_parse(struct net_addr *a, const char *text, struct err *err);
/* From what the system says (getsockname); false with err for other families. */
bool net_addr_from(struct net_addr *a, const struct sockaddr *sa, struct err *err);
#endif
