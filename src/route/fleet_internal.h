/* route/fleet_internal.h - what fleet.c and fleet_derive.c share.  For: route/ alone. */
#ifndef TUTTI_ROUTE_FLEET_INTERNAL_H
#define TUTTI_ROUTE_FLEET_INTERNAL_H
#include "route/fleet.h"
#include "route/quality.h"

struct fleet_reader {
    struct fleet *f;
    struct catalog *catalog;
    struct fleet_keys keys;
    int n_nodes_max, n_experts_max;      /* places that there are */
    float *busy_w;                       /* by node: as it says; NAN.  Owned */
    float *disk_bytes_s;                 /* by node: models are read from it.  Owned */
    int *last_of;                        /* by node: the expert that came last, -1.  Owned */
    int *before;                         /* by expert: the one before it on its node, -1.  Owned */
    int *table;                          /* by hash of its name: a node and 1, 0.  Owned [TABLE] */
    struct fleet_group { const char *name; int first, n; } *groups; /* of `count`: nodes that share a name.  Owned */
    int n_groups;
    double active_params;                /* of the model at hand */
};
/* Figures of the candidate from the map's `model` and `quant` on the device; name "": no device is known.  false with err: a model that
 * nobody knows, or that does not fit. */
bool fleet_derive(struct fleet_reader *r, const struct yaml_node *map, const struct plan_device *d, struct candidate *c, struct err *err);
#endif
