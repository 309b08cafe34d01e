/* site/inventory_internal.h - what inventory.c, inventory_node.c, inventory_machine.c and inventory_want.c share. */
#ifndef TUTTI_SITE_INVENTORY_INTERNAL_H
#define TUTTI_SITE_INVENTORY_INTERNAL_H
#include "site/inventory.h"

struct inv_kind { /* machines that are written alike: looked up once */
    uint64_t hash;
    const char *key;
    struct inv_node node; /* figures and devices; no name, no place */
    struct inv_kind *next;
};

struct inv_reader {
    struct inventory *inv;
    struct catalog *catalog;
    const struct yaml *y;
    struct inv_kind *kinds[256]; /* by hash */
    bool has_head;               /* a node says that it is; else the first one is */
};

/* A list's or map's item to the next free nodes (count of them); to a want. */
bool inv_read_node(struct inv_reader *r, const struct yaml_node *map, int count, struct err *err);
bool inv_read_want(struct inv_reader *r, const struct yaml_node *map, struct err *err);

/* Figures and devices of the machine that map describes (machine: or recording:, and what belongs to them); no name, no place. */
bool inv_make_kind(struct inv_reader *r, const struct yaml_node *map, struct inv_node *n, struct err *err);

/* `name`, a DNS label of at most `room` further characters behind it; false with err. */
bool inv_read_name(struct inv_reader *r, const struct yaml_node *map, size_t room, const char **out, struct err *err);
const char *inv_text(struct inv_reader *r, const char *s, size_t n, struct err *err); /* a copy in the arena */
const char *inv_path(struct inv_reader *r, const char *path, struct err *err); /* relative to the inventory's folder */
const char *inv_resource_of_stick(const char *name); /* "google.com/coral"; "" no stick that is known */
#endif
