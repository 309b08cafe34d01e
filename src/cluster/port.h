/* cluster/port.h - the port for nodes: who may come in, with certificates that are always of today.
 *
 * For:     serve/ (beside its own port).
 * Callers: serve/.
 * Touches: a socket, the trust folder (looked at once a second), the authority (a new certificate after two thirds of the old one's life).
 * Thread:  the loop's.
 * Rule:    on_request sees verified nodes alone (http_stream_peer() is the name).  Who has no certificate may ask to join where the authority
 *          is, and hears the same bare refusal for everything else: no version, no name, no difference between what is there and what is not.
 *          Without trust it listens on loopback alone, in the clear.  A newer list or certificate is used at once: new connections
 *          get it, old ones go on unless the other side is revoked or its certificate is over; those are cut.
 */
#ifndef TUTTI_CLUSTER_PORT_H
#define TUTTI_CLUSTER_PORT_H
#include "cluster/trust.h"
#include "net/http.h"

struct node_port_config {
    struct net_addr listen;
    struct trust *trust;            /* borrowed until node_port_free(); NULL: in the clear, and loopback alone */
    struct http_server_config http; /* limits; on_request for nodes, put_error, ctx */
    const char *const *urls;        /* where else a certificate might be renewed; borrowed; NULL: none */
    int n_urls;
};

struct node_port_stats {
    uint64_t refused_total;         /* handshakes and strangers */
    uint64_t cut_total;             /* connections of nodes that were taken back */
    uint64_t renewed_total, renewal_failures_total;
    char renewal_why[256];          /* of the last failure since the last success; "" */
};

struct node_port;
/* NULL with err. */
struct node_port *node_port_new(struct net_loop *l, const struct node_port_config *config, struct err *err);
const struct net_addr *node_port_addr(const struct node_port *p); /* with the port that the system chose */
struct http_server *node_port_server(struct node_port *p);        /* to drain, for its figures; borrowed */
void node_port_get_stats(const struct node_port *p, struct node_port_stats *out);
/* Cuts everything off; runs the loop until that is done.  NULL is fine. */
void node_port_free(struct node_port *p);
#endif
