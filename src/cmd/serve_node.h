/* cmd/serve_node.h - `tutti serve` as a node among others: from its settings to a port, a name and a view of the others.
 *
 * For:     serve.c.
 */
#ifndef TUTTI_CMD_SERVE_NODE_H
#define TUTTI_CMD_SERVE_NODE_H
#include "base/buf.h"
#include "cluster/cluster.h"
#include "hw/machine.h"
#include "serve/config.h"
#include "serve/serve.h"

struct serve_node_here {
    struct serve_node node;   /* for serve_config.node */
    struct net_loop *loop;    /* the service's and the cluster's */
    char name[MEMBER_NAME_MAX];
    struct buf machine;
};
/* machine: NULL: detected.  false with err; serve_node_fini() is needed in both cases.  Nothing happens where nothing is said of a cluster. */
bool serve_node_init(struct serve_node_here *h, const struct config *c, const struct hw_machine *machine, struct err *err);
void serve_node_fini(struct serve_node_here *h); /* after serve_free(); a zeroed one is fine */
#endif
