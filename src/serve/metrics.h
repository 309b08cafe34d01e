/* serve/metrics.h - GET /metrics: what is going on, as Prometheus reads it.
 *
 * For:     serve/.  Touches: the experts' counters, /proc/self.  Thread: the loop's.
 * Rule:    never wakes or loads a model, never waits for a sensor; labels are bounded (model ids, reasons, parts of the machine).
 *          Counters that may be zero for long are there from the start.  docs/metrics.md lists the families.
 */
#ifndef TUTTI_SERVE_METRICS_H
#define TUTTI_SERVE_METRICS_H
#include "api/api.h"

struct keeper;
struct metrics_machine;

struct serve_nodes;
struct metrics_source {
    const struct api_env *env;
    const struct http_server *server;
    struct keeper *keeper;           /* NULL: none */
    struct metrics_machine *machine; /* NULL: could not be looked at */
    struct serve_nodes *nodes;       /* NULL: it is alone */
    int64_t started_s;               /* since 1970 */
};
/* prefix: "tutti_", or "vllm:" for schedulers that scrape by those names. */
void metrics_put(struct buf *out, const struct metrics_source *from, const char *prefix);
#endif
