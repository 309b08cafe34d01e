/* site/place.h - which expert lives on which node, on which device, in which precision, how often; and what does not fit.
 *
 * For:     `tutti cluster plan`, manifests, the guide, pictures, monitoring, `tutti cluster rebalance`.
 * Callers: site/, cmd/.
 * Touches: nothing: a pure function of an inventory.
 * Rule:    a node's memory is never exceeded, by plan/memory.h's own arithmetic; a stick serves as many experts as its resource is shared.
 *          Exact for home sizes, a bounded search beyond (is_exact says which); the same inventory gives the same plan.  Every figure
 *          is an estimate with plan/'s range, and says what it was made of.
 */
#ifndef TUTTI_SITE_PLACE_H
#define TUTTI_SITE_PLACE_H
#include "base/buf.h"
#include "site/inventory.h"
#include "plan/memory.h"
#include "plan/range.h"

struct place { /* one replica */
    int want, node, device;         /* indices; device: of the node */
    int quant;                      /* index of the want's precisions; 0 for what is no language model */
    struct plan_memory need;        /* language models; else total alone */
    uint64_t bytes;                 /* of free_bytes of the node, or of the device's own memory (is_device_memory) */
    bool is_device_memory;
    const char *runtime;            /* "tutti", "llama.cpp CUDA", "TensorFlow Lite + libedgetpu", ... */
    struct plan_range tok_s, ttft_s, item_s; /* as far as they apply; else unknown */
    double busy_w;                  /* above idle while it works; NAN */
    double share;                   /* of the want's traffic that it gets, 0..1 */
    double load;                    /* part of an hour that it is at work, in the busiest hour */
    char why[200];                  /* one sentence */
};

struct place_miss { /* what could not be placed, and what would help */
    int want, n_missing;            /* replicas */
    char why[240];                  /* "needs 9.4 GB at 8192 tokens; the most that is free is 6.1 GB on jetson" */
    char buy[240];                  /* "a Raspberry Pi 5 16GB (USD 120, 2026-03) would hold it"; "" nothing in the catalog does */
    double usd;                     /* NAN */
};

struct place_node { /* what a node ends up with */
    uint64_t used_bytes, free_bytes; /* used: of experts; free: what is left */
    double load;                     /* of its busiest device */
    double idle_w, mean_w;           /* NAN */
};

struct cluster_plan {
    const struct inventory *inv;    /* borrowed */
    struct place *list;
    int n;
    struct place_miss *misses;
    int n_misses;
    struct place_node *nodes;       /* [inv->n_nodes] */
    double score;                   /* less is better; docs/cluster.md */
    double latency_s, watts, usd_month; /* of a usual request over all wants; of all nodes at this traffic; of electricity */
    bool is_exact;                  /* proven to be the best by this score */
    uint64_t n_looked_at;           /* plans, or parts of them */
};

/* What a plan costs by the goals of its inventory: fewest missing first, then the least cost.  Any list can be asked: that is how the tests hold
 * the search against all assignments. */
struct place_field; /* what each expert needs and does on each kind of machine, asked of plan/ once */
struct place_field *place_field_new(const struct inventory *inv, struct err *err); /* the caller owns it; it borrows inv */
void place_field_free(struct place_field *f); /* NULL is fine */
struct place_score {
    int n_missing;          /* replicas below the least numbers */
    double cost;            /* docs/cluster.md; about 1 when every expert had the best machine for itself */
    double total;           /* 1e6 n_missing + cost */
};
/* Of replicas by their want, node, device and quant alone.  false: one of them is not possible, two of an expert are on one node, or a memory or a
 * stick's share is exceeded. */
bool place_score_of(const struct place_field *f, const struct place *list, int n, struct place_score *out);

/* The caller owns the result, which borrows inv.  c: what could be bought; NULL: nothing is proposed.  NULL with err. */
struct cluster_plan *cluster_plan_make(const struct inventory *inv, struct catalog *c, struct err *err);
/* These replicas (want, node, device, quant) as a plan with all its figures; nothing is proposed to buy.  NULL with err: they are not possible. */
struct cluster_plan *cluster_plan_of(const struct inventory *inv, const struct place *list, int n, struct err *err);
void cluster_plan_free(struct cluster_plan *p); /* NULL is fine */
/* For people (at most 80 columns), as JSON (docs/json.md). */
void cluster_plan_put_text(const struct cluster_plan *p, struct buf *out);
void cluster_plan_put_why(const struct cluster_plan *p, struct buf *out); /* one sentence for each replica */
void cluster_plan_put_json(const struct cluster_plan *p, struct buf *out);
/* The plan as a fleet that `tutti route simulate` rehearses (route/fleet.h).  false with err: more nodes or experts than a fleet has. */
bool cluster_plan_put_fleet(const struct cluster_plan *p, struct buf *out, struct err *err);
#endif
