/* site/rebalance.h - what would be better than what runs: the cluster as it is now against the best plan for it.
 *
 * For:     `tutti cluster rebalance`.
 * Callers: cmd/.
 * Touches: nothing: a function of an inventory and of what a node says of the cluster (GET /v1/tutti/cluster).
 * Rule:    nodes that do not answer are planned without.  Measured speeds replace predicted ones, also for machines of the same kind.  A change that is
 *          worth less than the threshold is not proposed: what runs stays.  Text from outside is checked; names that the inventory does not
 *          have are left out and counted.
 */
#ifndef TUTTI_SITE_REBALANCE_H
#define TUTTI_SITE_REBALANCE_H
#include "site/place.h"

enum rebalance_kind { REBALANCE_ADD, REBALANCE_WITHDRAW, REBALANCE_MOVE, REBALANCE_PRECISION, REBALANCE_KIND_COUNT };
const char *rebalance_kind_name(enum rebalance_kind k); /* "add", "withdraw", "move", "precision" */

struct rebalance_change {
    enum rebalance_kind kind;
    int want, from, to;     /* nodes; -1: none */
    struct place was, is;   /* want, node, device, quant alone; of kind ADD only is, of WITHDRAW only was */
    double gain;            /* of the score, as a part of it: what is lost when this change alone is left out; INFINITY: it makes room, or a replica is missing */
    int source;             /* node that has the file; -1: nobody who answers has it, or nothing is moved */
    bool needs_file;        /* it is not on `to` */
    uint64_t move_bytes;    /* 0 when it is there */
    double move_s, load_s;  /* over the links of both; from disk to memory.  NAN: not known */
    char file[200];         /* "Qwen2.5-3B-Q4_K_M.gguf"; "" */
};

struct rebalance {
    struct place *now, *then; /* replicas that run; that should (want, node, device, quant) */
    int n_now, n_then;
    bool *is_up;            /* [n_nodes] */
    int n_away, n_measured; /* nodes of the inventory that do not answer; replicas with measured speeds */
    int n_strange;          /* nodes and experts that run and are not in the inventory */
    bool fits_now;          /* false: by the plan's arithmetic what runs needs more than there is */
    double score_now, score_then;
    struct rebalance_change *changes;
    int n_changes;
};

/* json: GET /v1/tutti/cluster.  threshold: least gain of a change, as a part of the score (0.05).  Marks nodes of inv that are away (inv_node.is_away).
 * The caller owns the result.  NULL with err: nonsense, or no node of the inventory answers. */
struct rebalance *rebalance_make(struct inventory *inv, const char *json, size_t n, double threshold, struct err *err);
void rebalance_free(struct rebalance *r); /* NULL is fine */
void rebalance_put_json(const struct rebalance *r, const struct inventory *inv, struct buf *out); /* docs/json.md */
#endif
