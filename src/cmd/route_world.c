/* cmd/route_world.c - see route_world.h. */
#include "cmd/route_world.h"

#include <stdlib.h>
#include <string.h>

#include "cmd/catalog_open.h"
#include "route/fleet.h"

struct route_world {
    struct catalog *catalog;
    struct fleet *fleet;
};

void route_world_free(struct route_world *w)
{
    if (!w)
        return;
    fleet_free(w->fleet);
    catalog_free(w->catalog);
    free(w);
}

struct route_world *route_world_open(struct cmd_opt *opts, struct err *err)
{
    const char *path = cmd_opt_find(opts, "fleet")->s;
    struct route_world *w = calloc(1, sizeof(*w));
    if (!w)
        return err_null(err, ERR_NOMEM, "route: out of memory");
    if ((w->catalog = cmd_catalog_open(opts, err)) != NULL)
        w->fleet = !path || strcmp(path, "fifty") == 0 ? fleet_shipped(w->catalog, err) : fleet_read(path, w->catalog, NULL, err);
    if (w->fleet)
        return w;
    route_world_free(w);
    return NULL;
}

struct candidates route_world_of(struct route_world *w) { return fleet_world(w->fleet); }
const struct policy *route_world_policy(const struct route_world *w)
{
    (void)w;
    return NULL;
}
