/* route/fleet_internal.h - what fleet.c and fleet_derive.c share.  For: route/ alone. */
#ifndef TUTTI_ROUTE_FLEET_INTERNAL_H
#define TUTTI_ROUTE_FLEET_INTERNAL_H
#include "route/fleet.h"
#include "route/quality.h"

struct fleet_reader {
    struct fleet *f;
    struct catalog *catalog;
    struct fleet_keys keys;
    float busy_w[ROUTE_NODES_MAX];       /* as the node says it; NAN */
    float disk_bytes_s[ROUTE_NODES_MAX]; /* models are read from it */
    double active_params;                /* of the model at hand */
};
/* Figures of the candidate from the map's `model` and `quant` on the device; name "": no device is known.  false with err: a model that
 * nobody knows, or that does not fit. */
bool fleet_derive(struct fleet_reader *r, const struct yaml_node *map, const struct plan_device *d, struct candidate *c, struct err *err);
#endif
