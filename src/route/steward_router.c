/* route/steward_router.c - the steward as the router sees it: router.h's hooks. */
#include "route/router.h"
#include "route/steward.h"

static void see(void *ctx, struct candidates *world) { steward_get_node(ctx, &world->nodes[0]); }
static void put_ladder(void *ctx, enum route_class cls, char *out, size_t max) { steward_put_ladder(ctx, cls, out, max); }
static double joules(void *ctx) { return steward_joules(ctx); }

static void ended(void *ctx, const struct router_outcome *o)
{
    if (o->n_hung > 0)
        steward_saw_fault(ctx, o->cls);
    if (o->had_deadline)
        steward_saw_answer(ctx, o->cls, o->missed_deadline);
}

void steward_hooks(struct steward *s, struct router_governor *out)
{
    *out = (struct router_governor){ .ctx = s, .see = see, .put_ladder = put_ladder, .ended = ended, .joules = joules };
}
