/* cmd/route_world.h - the experts among which `tutti route` chooses: a fleet file's, or those of tutti.yaml on this machine.
 *
 * For:     `tutti route`.
 * Touches: the file; tutti.yaml, the heads of the models that it names, the router's journal (read only).  Loads no weights, starts no process.
 */
#ifndef TUTTI_CMD_ROUTE_WORLD_H
#define TUTTI_CMD_ROUTE_WORLD_H
#include "cmd/cmd.h"
#include "route/candidate.h"
#include "route/policy.h"

struct route_world; /* opaque: a fleet, or the experts */
/* opts: --fleet, --config, --catalog.  The caller owns the result; NULL with err. */
struct route_world *route_world_open(struct cmd_opt *opts, struct err *err);
void route_world_free(struct route_world *w); /* NULL is fine */
struct candidates route_world_of(struct route_world *w);
/* What a service has learned here about them (its journal); NULL: nothing, or a fleet. */
const struct predictor *route_world_predictor(const struct route_world *w);
/* The policy that tutti.yaml states; NULL: a fleet, which has none. */
const struct policy *route_world_policy(const struct route_world *w);
#endif
