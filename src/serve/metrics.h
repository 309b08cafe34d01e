/* serve/metrics.h - GET /metrics: what is going on, as Prometheus reads it.
 *
 * For:     serve/.  Touches: the experts' counters, /proc/self.  Thread: the loop's.
 * Rule:    never wakes or loads a model; labels are bounded (model ids, reasons).
 */
#ifndef TUTTI_SERVE_METRICS_H
#define TUTTI_SERVE_METRICS_H
#include "api/api.h"

struct keeper;
/* keeper: NULL when there is none.  prefix: "tutti_", or "vllm:" for schedulers that scrape by those names. */
void metrics_put(struct buf *out, const struct api_env *env, const struct http_server *server, struct keeper *keeper, const char *prefix);
#endif
