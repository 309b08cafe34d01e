/* site/rebalance_internal.h - what rebalance.c (what should run, and what the way there costs) and rebalance_now.c (what runs) share. */
#ifndef TUTTI_SITE_REBALANCE_INTERNAL_H
#define TUTTI_SITE_REBALANCE_INTERNAL_H
#include <jansson.h>

#include "site/place_internal.h"
#include "site/rebalance.h"

struct rebalance_measured { int kind, want, device; double factor; };
struct rebalance_work {
    struct inventory *inv;
    struct place_field *f;
    struct rebalance *r;
    json_t *all;                         /* what the service says: {"node": {...}, "members": [...]} */
    struct rebalance_measured *measured; /* [n_now] */
    int n_measured;
};

/* Fills r->now, r->is_up and the measurements; nodes that are not up are marked away in the inventory.  false with err: nobody is up, no memory. */
bool rebalance_take(struct rebalance_work *w, struct err *err);
/* Measured speeds into the options of that kind of machine: several of one kind by their mean. */
void rebalance_use_measured(struct rebalance_work *w, struct place_field *f);
/* Does the node say that it has this model file? */
bool rebalance_has_file(const struct rebalance_work *w, int node, const char *file);
#endif
