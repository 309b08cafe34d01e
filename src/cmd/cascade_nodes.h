/* cmd/cascade_nodes.h - cascades whose stages run on other nodes: who a stage's expert is, here or elsewhere.
 *
 *   expert: detector@jetson      that node's
 *   expert: detector             here (tutti.yaml), else of the nearest node that has it
 *   --plan INVENTORY.yaml        an expert whose name the inventory wants is on the node that the plan chose (site/place.h)
 *
 * For:     cascade.c.
 * Touches: the network, when a stage needs it and not before: the nodes of tutti.yaml (`cluster: nodes`) or of --nodes.
 * Thread:  one at a time.
 */
#ifndef TUTTI_CMD_CASCADE_NODES_H
#define TUTTI_CMD_CASCADE_NODES_H
#include "cluster/cluster.h"
#include "cmd/cmd.h"
#include "pipeline/cascade.h"
#include "serve/config.h"

struct cascade_nodes;
struct cascade_nodes_env {
    struct cascade_world base;       /* of this machine */
    const struct config *(*config)(void *ctx); /* tutti.yaml, read when it is asked for; NULL: it cannot be read */
    void *ctx;
    const char *urls;                /* --nodes: URL,URL; NULL: tutti.yaml's */
    const char *plan;                /* --plan: an inventory's file; NULL: none */
    struct cmd_opt *opts;            /* of the catalog */
};
/* The caller owns the result.  NULL with err: --plan cannot be read, --nodes makes no sense. */
struct cascade_nodes *cascade_nodes_new(const struct cascade_nodes_env *env, struct err *err);
void cascade_nodes_free(struct cascade_nodes *n); /* after whatever asks its experts; NULL is fine */
struct cascade_world cascade_nodes_world(struct cascade_nodes *n);
/* The others, as this process sees them; it waits until they answered.  NULL: there are none (err says why, when something is wrong). */
struct cluster *cascade_nodes_cluster(struct cascade_nodes *n, struct err *err);
/* Where the i-th expert of stage k would run: "here", "jetson".  why: how it is there, why it was put there; "" nothing to say.
 * false: not now (why says it). */
bool cascade_nodes_where(struct cascade_nodes *n, const struct cascade *c, int k, int i, char *node, size_t n_node, char *why, size_t n_why);
#endif
