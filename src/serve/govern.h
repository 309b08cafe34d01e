/* serve/govern.h - the governor of a service: made from its settings, running beside it, hooked into the router.
 *
 * For:     cmd/serve.c.
 * Touches: sensors of this machine, a thread (route/steward.h).
 * Rule:    the service works without it: what cannot be opened is one warning.
 */
#ifndef TUTTI_SERVE_GOVERN_H
#define TUTTI_SERVE_GOVERN_H
#include "route/router.h"
#include "route/steward.h"
#include "serve/config.h"

/* Everything is borrowed until steward_free(), which comes after serve_free() and before the experts go.  Fills in the router's hooks.
 * NULL: it is switched off (`governor: enabled: false`), or cannot be. */
struct steward *serve_govern(const struct config *c, struct expert *const *experts, int n_experts, const struct ladders *ladders,
                             struct behind *behind, struct router_governor *hooks);
#endif
