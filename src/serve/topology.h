/* serve/topology.h - GET /topology: the cluster as this node sees it, as a page that keeps itself up to date; GET /topology.json: its figures.
 *
 * For:     front.c.
 * Touches: nothing but the request.  Thread: the loop's.
 * Rule:    keys as for every other page; a browser without one gets 401 with a page that asks for it and tells nothing.  Nothing is
 *          reckoned while nobody looks; however many look, the figures are made once in TOPOLOGY_FRESH_MS.
 */
#ifndef TUTTI_SERVE_TOPOLOGY_H
#define TUTTI_SERVE_TOPOLOGY_H
#include "api/api.h"

enum { TOPOLOGY_FRESH_MS = 500 };
struct serve;
struct topology;

void topology_free(struct topology *t); /* NULL is fine */
void topology_get_page(struct serve *s, const struct api_call *call, const struct http_head *head);
void topology_get_json(struct serve *s, const struct api_call *call);
/* The page for who sent no key that is known here. */
void topology_get_locked(const struct api_call *call);
#endif
