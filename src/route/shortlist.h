/* route/shortlist.h - of very many candidates those that the policy looks at: the best of each sort.
 *
 * For:     router.c, when there are more than ROUTE_CANDIDATES_MAX experts or ROUTE_NODES_MAX nodes; docs/decisions/0017-*.md.
 * Callers: route/, tests.
 * Touches: nothing; memory of its own, made once and grown when there are more candidates than ever.
 * Thread:  one at a time (the router's lock).
 * Rule:    candidates that the policy could not tell apart but by their load (quality, power, price, distance, abilities) are one sort;
 *          each sort that can do the task gets a fair share of the places, and the soonest of it fill them (predict.h, heat).  Whoever has the
 *          conversation in its cache, or is its home, is among them; who may not answer only where places are left.  Node 0 is this machine.
 *          The rules themselves are the policy's (rules.h): nobody comes in through here who may not answer.
 */
#ifndef TUTTI_ROUTE_SHORTLIST_H
#define TUTTI_ROUTE_SHORTLIST_H
#include "route/policy.h"

enum { SHORTLIST_MAX = ROUTE_NODES_MAX - 1 };

struct shortlist;
struct shortlist *shortlist_new(struct err *err);
void shortlist_free(struct shortlist *s); /* NULL is fine */

/* is_tried: asked already, or not for this request.  Borrowed until the next call; `all` itself when it is short enough.  When memory
 * is out the first of `all`. */
const struct candidates *shortlist_make(struct shortlist *s, const struct policy *p, const struct predictor *predictor, const struct route_request *rq,
                                        const struct candidates *all, bool (*is_tried)(const void *ctx, const struct candidate *c), const void *ctx);
#endif
