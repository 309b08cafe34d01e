/* site/draw_live.h - what a node sees of the cluster now, as something to draw.
 *
 * For:     serve/topology.c.
 * Callers: serve/.
 * Touches: memory only.
 * Rule:    the texts come from other nodes: every kind and length is checked (draw_json.c has the same care).
 */
#ifndef TUTTI_SITE_DRAW_LIVE_H
#define TUTTI_SITE_DRAW_LIVE_H
#include "site/draw.h"

/* What `tutti detect --json` says of a node; false: nobody knows. */
typedef bool draw_machine_fn(void *ctx, const char *node, struct buf *out);

/* status: as cluster_put_json() writes it (docs/json.md).  Machines of the first DRAW_MACHINES_MAX nodes are asked for.
 * The caller owns the result; NULL with err. */
enum { DRAW_MACHINES_MAX = 64 };
struct draw *draw_from_status(const char *status, size_t n, draw_machine_fn *machine, void *ctx, struct err *err);
#endif
