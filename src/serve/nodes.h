/* serve/nodes.h - the service as a node among others: its port for nodes, what it says there, and whom it sees.
 *
 * For:     serve.c, front.c (GET /v1/tutti/cluster, /metrics).
 * Touches: a socket.  Thread: the loop's.
 * Rule:    on the port for nodes whoever has a certificate of the cluster needs no key; in the clear, which is loopback alone, everything but
 *          tutti.v1.Node asks for one as on the port for clients.
 */
#ifndef TUTTI_SERVE_NODES_H
#define TUTTI_SERVE_NODES_H
#include "base/buf.h"
#include "serve/serve.h"

struct serve_nodes;
/* node_config: serve_config.node.  The caller owns the result; NULL with err. */
struct serve_nodes *serve_nodes_new(struct serve *s, const struct serve_node *node, struct err *err);
void serve_nodes_free(struct serve_nodes *n); /* cuts its port off; NULL is fine */
void serve_nodes_drain(struct serve_nodes *n); /* says so to the others; NULL is fine */
void serve_nodes_poke(struct serve_nodes *n);  /* a request begins; NULL is fine */
const struct net_addr *serve_nodes_addr(const struct serve_nodes *n); /* NULL: it does not listen */
/* n NULL: it is alone. */
void serve_nodes_put_json(struct serve_nodes *n, struct buf *out);
void serve_nodes_put_metrics(struct serve_nodes *n, const char *prefix, struct buf *out);
#endif
