/* cluster/node_service.h - this process as a node: what it tells the others (tutti.v1.Node, proto/node.proto).
 *
 * For:     serve/, on its port for nodes.
 * Callers: serve/, tests.
 * Touches: the experts' cards and metrics, the telemetry; the folder of models that it shares, and the checksums that it keeps.
 * Thread:  the loop's.
 * Rule:    nothing happens while nobody watches.  While somebody does it looks once a second, ten times a second while an expert works or loads,
 *          and says how it is once a second and at once when a state changes.  A slow reader misses what is old; it holds nothing up.
 *          Whoever may come in (TLS, addresses) was decided before.
 * Start:   node_service_take().
 */
#ifndef TUTTI_CLUSTER_NODE_SERVICE_H
#define TUTTI_CLUSTER_NODE_SERVICE_H
#include "expert/expert.h"
#include "net/http.h"
#include "route/candidate.h"

struct ladders;
struct plan_device;
struct predictor;
struct steward;
struct trust;

struct node_service_config { /* borrowed until node_service_free() */
    const char *name;                  /* a DNS label */
    uint64_t life;                     /* drawn at start: node_draw_life() */
    const char *machine_json;          /* as `tutti detect --json`; NULL */
    const struct plan_device *device;  /* NULL: a small CPU is assumed */
    const struct ladders *ladders;     /* NULL */
    const struct predictor *predictor; /* whose slot i is expert i: how fast they were lately; NULL */
    struct steward *steward;           /* NULL: no telemetry */
    struct expert *const *experts;     /* MEMBER_EXPERTS_MAX of them are told */
    int n_experts;
    const struct trust *trust;         /* NULL */
    const char *share_dir;             /* model files that others may fetch; NULL: none */
};

struct node_service;
/* The caller owns the result; NULL with err. */
struct node_service *node_service_new(struct net_loop *l, const struct node_service_config *config, struct err *err);
void node_service_free(struct node_service *v); /* its streams are closed by now; NULL is fine */

/* In on_request.  false: the path is none of ours. */
bool node_service_take(struct node_service *v, struct http_stream *s, const struct http_head *head);
/* A request begins: look soon. */
void node_service_poke(struct node_service *v);
/* From now on it says that it is going. */
void node_service_drain(struct node_service *v);

struct node_service_stats {
    int n_watchers, n_fetches;
    uint64_t states_total, described_total, fetches_total, fetched_bytes_total;
};
void node_service_get_stats(const struct node_service *v, struct node_service_stats *out);

uint64_t node_draw_life(void); /* never 0 */
/* The machine's name as a node's: lower case, what a DNS label allows; "node" when nothing is left. */
void node_default_name(char *out, size_t max);
#endif
