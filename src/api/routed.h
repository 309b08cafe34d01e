/* api/routed.h - who answered a request that was routed, and why: kept from the router's events, shown in headers and bodies.
 *
 * For:     exchange.c (headers of every answer), the protocols (the object `tutti`).
 * Callers: api/.
 * Touches: memory.  Thread: the loop's.
 * Rule:    plain letters only in headers: whatever else stands in a name or a reason becomes '?'.
 */
#ifndef TUTTI_API_ROUTED_H
#define TUTTI_API_ROUTED_H
#include "base/buf.h"
#include "expert/job.h"
#include "net/http.h"

enum { ROUTED_EXPERT_MAX = 128, ROUTED_WHY_MAX = 224, ROUTED_FIELDS = 8, ROUTED_PARTS_MAX_BYTES = 64 << 10 };

struct routed {
    bool is_there;                /* the request was routed */
    bool is_final;                /* joules and usd are what it took, not what was predicted */
    struct expert_route route;    /* its texts lie below */
    char expert[ROUTED_EXPERT_MAX], node[64], why[ROUTED_WHY_MAX], intent[24], ladder[64];
    struct buf parts;             /* JSON: those of a fan-out that said something, joined by commas */
    char joules[48], usd[48], id[32], asked[16];
};
/* A zeroed one is empty. */
void routed_take(struct routed *r, const struct expert_route *route, bool is_final);
void routed_add_part(struct routed *r, const struct expert_part *p);
void routed_fini(struct routed *r);
/* Header fields that point into r, at most ROUTED_FIELDS; returns their number. */
int routed_fields(struct routed *r, struct http_field *out);
/* {"route":..., "expert":..., ...} */
void routed_put(struct buf *out, const struct routed *r);
#endif
