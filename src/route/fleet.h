/* route/fleet.h - a described fleet: machines and the experts on them, from a YAML file, as nodes and candidates.
 *
 * For:     `tutti route --fleet`, `tutti route eval` (times a decision among those of the shipped file), simulate.c, replay.
 * Callers: route/, cmd/.
 * Touches: the file; the catalog that it is given.
 * Rule:    a figure that the file names is taken as it is (with `measured: true` as measured); one that it does not is derived through plan/ from the
 *          catalog's device and model; one that neither knows stays unknown.  What is misspelt, impossible or does not fit into the
 *          node's memory is an error with file, line, column and the nearest key.  docs/routing.md lists the keys.
 */
#ifndef TUTTI_ROUTE_FLEET_H
#define TUTTI_ROUTE_FLEET_H
#include "base/yaml.h"
#include "catalog/catalog.h"
#include "plan/device.h"
#include "route/candidate.h"

struct fleet_keys { /* further keys that the caller reads himself (NULL-terminated lists, or NULL): of the file, of a node, of an expert */
    const char *const *top, *const *node, *const *expert;
};

/* Beyond what one decision looks at (candidate.h) a shortlist is made first (shortlist.h): simulate and the router do; `tutti route` shows no more. */
enum { FLEET_NODES_MAX = 16384, FLEET_EXPERTS_MAX = ROUTE_SLOTS_MAX };

struct fleet {
    struct yaml *yaml;                    /* owned; lives as long as the fleet */
    struct route_node *nodes;             /* owned [n_nodes], like all lists here */
    const struct yaml_node **node_yaml;
    struct plan_device *devices;          /* name "": none was said */
    int n_nodes;
    struct candidate *list;               /* [n]; slot: its index */
    const struct yaml_node **expert_yaml;
    int n;
    int *first;                           /* [n_nodes + 1]: the experts of node i are of[first[i]] .. of[first[i + 1] - 1], in their order */
    int *of;                              /* [n] */
};

/* keys NULL: none beside those of a fleet.  The caller owns the result; NULL with err. */
struct fleet *fleet_read(const char *path, struct catalog *c, const struct fleet_keys *keys, struct err *err);
struct fleet *fleet_parse(const char *name, const char *text, size_t n, struct catalog *c, const struct fleet_keys *keys, struct err *err);
/* The one in the program: examples/fleets/fifty.yaml, 50 candidates. */
struct fleet *fleet_shipped(struct catalog *c, struct err *err);
void fleet_free(struct fleet *f); /* NULL is fine */

/* Borrowed: what policy_decide() wants; its fields may be changed in place. */
struct candidates fleet_world(struct fleet *f);
#endif
