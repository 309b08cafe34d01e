/* cluster/cluster_show.h - the cluster for people and programs: JSON (docs/json.md), Prometheus.
 *
 * For:     GET /v1/tutti/cluster, `tutti cluster status`, /metrics.
 * Callers: serve/, cmd/.
 * Thread:  the loop's, where a node service is given.
 */
#ifndef TUTTI_CLUSTER_CLUSTER_SHOW_H
#define TUTTI_CLUSTER_CLUSTER_SHOW_H
#include "base/buf.h"

struct cluster;
struct node_service;

/* Either may be NULL: we are no node; we know nobody. */
void cluster_put_json(struct cluster *c, struct node_service *self, struct buf *out);
void cluster_put_metrics(struct cluster *c, const struct node_service *self, const char *prefix, struct buf *out);
#endif
