/* site/inventory.c - see inventory.h; start at read_all().  Nodes: inventory_node.c, their machines: inventory_machine.c; experts: inventory_want.c. */
#include "site/inventory.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/label.h"
#include "advise/price.h"
#include "site/inventory_internal.h"

enum { ARENA_BYTES_MAX = 512 << 20 };

static const char *const top_keys[] = { "name", "namespace", "image", "domain", "engine", "cascade", "network", "usd_per_kwh", "region", "goals", "nodes", "experts", "edges", "note", NULL };
static const char *const network_keys[] = { "switch", "gbit_s", "subnet", "gateway", "note", NULL };
static const char *const goal_keys[] = { "latency", "energy", "cost", NULL };
static const char *const edge_keys[] = { "from", "to", "per_hour", "bytes", "note", NULL };
static const char *const engines[] = { "k3s", "list", NULL };

const char *inv_engine_name(enum inv_engine e) { return engines[e]; }

/* ---- texts ---- */

const char *inv_text(struct inv_reader *r, const char *s, size_t n, struct err *err) { return arena_strndup(r->inv->arena, s, n, err); }

const char *inv_path(struct inv_reader *r, const char *path, struct err *err)
{
    const char *dir = r->inv->dir;
    if (path[0] == '/' || !dir[0])
        return path;
    const size_t n = strlen(dir) + 1 + strlen(path);
    char *out = arena_alloc(r->inv->arena, n + 1, 1, err);
    if (out)
        snprintf(out, n + 1, "%s/%s", dir, path);
    return out;
}

bool inv_read_name(struct inv_reader *r, const struct yaml_node *map, size_t room, const char **out, struct err *err)
{
    const char *name = NULL;
    if (!yaml_text(r->y, map, "name", &name, err))
        return false;
    const struct yaml_node *at = yaml_get(map, "name");
    if (!name || !label_is_valid(name) || strlen(name) > INV_NAME_MAX - 1 - room)
        return yaml_fail(r->y, at ? at : map, err, "name: a name of small letters, digits and '-' is wanted, at most %zu characters", INV_NAME_MAX - 1 - room);
    *out = name;
    return true;
}

/* ---- top level ---- */

static bool read_network(struct inv_reader *r, struct err *err)
{
    struct inventory *inv = r->inv;
    const struct yaml_node *map = NULL;
    return yaml_map(r->y, yaml_root(r->y), "network", &map, err) && (!map || yaml_check_keys(r->y, map, network_keys, NULL, err)) &&
           yaml_text(r->y, map, "switch", &inv->net_switch, err) && yaml_number(r->y, map, "gbit_s", .001, 1e4, &inv->switch_gbit_s, err) &&
           yaml_text(r->y, map, "subnet", &inv->subnet, err) && yaml_text(r->y, map, "gateway", &inv->gateway, err);
}

/* A switch that the catalog knows says how fast its ports are. */
static void look_up_switch(struct inv_reader *r)
{
    struct err ignored = { 0 };
    const struct catalog_table *t = r->inv->net_switch[0] && !(r->inv->switch_gbit_s > 0) ? catalog_table(r->catalog, "network", &ignored) : NULL;
    const struct catalog_row *row = t ? catalog_find(t, r->inv->net_switch, &ignored) : NULL;
    const double gbit_s = row ? catalog_number_or(row, "port_gbitps", 0) : 0;
    if (gbit_s > 0)
        r->inv->switch_gbit_s = gbit_s;
    if (!(r->inv->switch_gbit_s > 0))
        r->inv->switch_gbit_s = 1;
}

static bool read_goals(struct inv_reader *r, struct err *err)
{
    struct inventory *inv = r->inv;
    const struct yaml_node *map = NULL;
    double latency = NAN, energy = NAN, cost = NAN;
    if (!yaml_map(r->y, yaml_root(r->y), "goals", &map, err))
        return false;
    if (map && (!yaml_check_keys(r->y, map, goal_keys, NULL, err) || !yaml_number(r->y, map, "latency", 0, 1e6, &latency, err) ||
                !yaml_number(r->y, map, "energy", 0, 1e6, &energy, err) || !yaml_number(r->y, map, "cost", 0, 1e6, &cost, err)))
        return false;
    latency = isnan(latency) ? (map ? 0 : 2) : latency, energy = isnan(energy) ? (map ? 0 : 1) : energy, cost = isnan(cost) ? (map ? 0 : 1) : cost;
    const double sum = latency + energy + cost;
    if (!(sum > 0))
        return yaml_fail(r->y, map, err, "goals: one of latency, energy, cost must be above 0");
    inv->latency = latency / sum, inv->energy = energy / sum, inv->cost = cost / sum;
    return true;
}

static bool read_price(struct inv_reader *r, struct err *err)
{
    const struct yaml_node *root = yaml_root(r->y);
    const char *region = NULL, *name;
    double usd = NAN;
    struct price p;
    struct err why = { 0 };
    if (!yaml_number(r->y, root, "usd_per_kwh", 0, 100, &usd, err) || !yaml_text(r->y, root, "region", &region, err))
        return false;
    if (isnan(usd) && !price_kwh(r->catalog, region, "residential", &p, &name, &why))
        return yaml_fail(r->y, yaml_get(root, "region"), err, "region: %s", why.text);
    r->inv->usd_per_kwh = isnan(usd) ? price_mid(&p) : usd;
    return true;
}

static bool read_top(struct inv_reader *r, struct err *err)
{
    struct inventory *inv = r->inv;
    const struct yaml_node *root = yaml_root(r->y);
    int engine = INV_K3S;
    if (root->kind != YAML_MAP)
        return yaml_fail(r->y, root, err, "a map is wanted: nodes, experts, ...");
    if (!yaml_check_keys(r->y, root, top_keys, NULL, err) || !yaml_text(r->y, root, "name", &inv->name, err) || !yaml_text(r->y, root, "namespace", &inv->namespace_, err) ||
        !yaml_text(r->y, root, "image", &inv->image, err) || !yaml_text(r->y, root, "domain", &inv->domain, err) || !yaml_text(r->y, root, "cascade", &inv->cascade, err) ||
        !yaml_choice(r->y, root, "engine", engines, &engine, err) || !read_network(r, err) || !read_goals(r, err) || !read_price(r, err))
        return false;
    inv->engine = (enum inv_engine)engine;
    if (!label_is_valid(inv->namespace_))
        return yaml_fail(r->y, yaml_get(root, "namespace"), err, "namespace: a name of small letters, digits and '-' is wanted");
    look_up_switch(r);
    return true;
}

/* ---- lists ---- */

static bool read_count(struct inv_reader *r, const struct yaml_node *map, int *out, struct err *err)
{
    int64_t n = 1;
    if (map->kind != YAML_MAP)
        return yaml_fail(r->y, map, err, "a map is wanted: name, machine, ...");
    if (!yaml_int(r->y, map, "count", 1, INV_NODES_MAX, &n, err))
        return false;
    *out = (int)n;
    return true;
}

static bool read_nodes(struct inv_reader *r, struct err *err)
{
    struct inventory *inv = r->inv;
    const struct yaml_node *list = NULL;
    int n = 0, one = 0;
    if (!yaml_list(r->y, yaml_root(r->y), "nodes", &list, err))
        return false;
    if (!list || list->n_items == 0)
        return yaml_fail(r->y, list, err, "nodes: at least one is wanted: - {name: box, machine: Raspberry Pi 5 8GB}");
    for (int i = 0; i < list->n_items; i++) {
        if (!read_count(r, &list->items[i], &one, err))
            return false;
        if ((n += one) > INV_NODES_MAX)
            return yaml_fail(r->y, &list->items[i], err, "nodes: at most %d are possible", INV_NODES_MAX);
        bool is_head = false;
        if (!yaml_bool(r->y, &list->items[i], "head", &is_head, err))
            return false;
        r->has_head |= is_head;
    }
    if (!(inv->nodes = arena_alloc(inv->arena, (size_t)n, sizeof(*inv->nodes), err)))
        return false;
    for (int i = 0; i < list->n_items; i++)
        if (!read_count(r, &list->items[i], &one, err) || !inv_read_node(r, &list->items[i], one, err))
            return false;
    int head = -1;
    for (int i = 0; i < inv->n_nodes; i++)
        if (inv->nodes[i].is_head) {
            if (head >= 0)
                return yaml_fail(r->y, inv->nodes[i].at, err, "head: %s is the head already; one is wanted", inv->nodes[head].name);
            head = i;
        }
    return true;
}

static int by_name(const void *a, const void *b) { return strcmp((*(const struct inv_node *const *)a)->name, (*(const struct inv_node *const *)b)->name); }

/* 10,000 names: sorted, neighbours compared. */
static bool check_twins(struct inv_reader *r, struct err *err)
{
    struct inventory *inv = r->inv;
    const struct inv_node **sorted = arena_alloc(inv->arena, (size_t)inv->n_nodes, sizeof(*sorted), err);
    if (!sorted)
        return false;
    for (int i = 0; i < inv->n_nodes; i++)
        sorted[i] = &inv->nodes[i];
    qsort(sorted, (size_t)inv->n_nodes, sizeof(*sorted), by_name);
    for (int i = 1; i < inv->n_nodes; i++)
        if (!strcmp(sorted[i]->name, sorted[i - 1]->name))
            return yaml_fail(r->y, yaml_get(sorted[i]->at > sorted[i - 1]->at ? sorted[i]->at : sorted[i - 1]->at, "name"), err, "nodes: %s is there twice", sorted[i]->name);
    return true;
}

static bool read_wants(struct inv_reader *r, struct err *err)
{
    struct inventory *inv = r->inv;
    const struct yaml_node *list = NULL;
    if (!yaml_list(r->y, yaml_root(r->y), "experts", &list, err))
        return false;
    const int n = list ? list->n_items : 0;
    if (n > INV_WANTS_MAX)
        return yaml_fail(r->y, list, err, "experts: at most %d are possible", INV_WANTS_MAX);
    if (!(inv->wants = arena_alloc(inv->arena, (size_t)(n > 0 ? n : 1), sizeof(*inv->wants), err)))
        return false;
    for (int i = 0; i < n; i++)
        if (!inv_read_want(r, &list->items[i], err))
            return false;
    return true;
}

static bool read_end(struct inv_reader *r, const struct yaml_node *map, const char *key, bool may_be_camera, const char **out, struct err *err)
{
    struct inventory *inv = r->inv;
    if (!yaml_text(r->y, map, key, out, err))
        return false;
    if (!*out)
        return yaml_fail(r->y, map, err, "edges: from and to are wanted");
    if (inventory_find_want(inv, *out) >= 0 || (may_be_camera && !strcmp(*out, "camera")))
        return true;
    const char *names[INV_WANTS_MAX + 2] = { NULL };
    for (int i = 0; i < inv->n_wants; i++)
        names[i] = inv->wants[i].name;
    const char *near = yaml_nearest(*out, names);
    return yaml_fail(r->y, yaml_get(map, key), err, "edges: there is no expert '%.60s'%s%s%s", *out, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

/* What a stage passes on may not come back to it: a walk along the edges from each end. */
static bool comes_back(const struct inventory *inv, const char *from, const char *to)
{
    bool seen[INV_WANTS_MAX] = { false };
    int stack[INV_WANTS_MAX], n = 0, at = inventory_find_want(inv, to);
    const int home = inventory_find_want(inv, from);
    if (at < 0 || home < 0)
        return false;
    for (stack[n++] = at, seen[at] = true; n > 0;) {
        at = stack[--n];
        if (at == home)
            return true;
        for (int e = 0; e < inv->n_edges; e++) {
            const int next = !strcmp(inv->edges[e].from, inv->wants[at].name) ? inventory_find_want(inv, inv->edges[e].to) : -1;
            if (next >= 0 && !seen[next])
                seen[next] = true, stack[n++] = next;
        }
    }
    return false;
}

static bool read_edges(struct inv_reader *r, struct err *err)
{
    struct inventory *inv = r->inv;
    const struct yaml_node *list = NULL;
    if (!yaml_list(r->y, yaml_root(r->y), "edges", &list, err))
        return false;
    if (list && list->n_items > INV_EDGES_MAX)
        return yaml_fail(r->y, list, err, "edges: at most %d are possible", INV_EDGES_MAX);
    for (int i = 0; list && i < list->n_items; i++) {
        const struct yaml_node *map = &list->items[i];
        struct inv_edge e = { 0 };
        uint64_t bytes = 0;
        if (map->kind != YAML_MAP)
            return yaml_fail(r->y, map, err, "edges: a map for each is wanted: from, to, per_hour, bytes");
        if (!yaml_check_keys(r->y, map, edge_keys, NULL, err) || !read_end(r, map, "from", true, &e.from, err) || !read_end(r, map, "to", false, &e.to, err) ||
            !yaml_number(r->y, map, "per_hour", 0, 1e9, &e.per_hour, err) || !yaml_bytes(r->y, map, "bytes", &bytes, err))
            return false;
        e.bytes = (double)bytes;
        if (comes_back(inv, e.from, e.to))
            return yaml_fail(r->y, map, err, "edges: %s to %s closes a circle", e.from, e.to);
        inv->edges[inv->n_edges++] = e;
    }
    return true;
}

static bool read_all(struct inv_reader *r, struct err *err)
{
    return read_top(r, err) && read_nodes(r, err) && check_twins(r, err) && read_wants(r, err) && read_edges(r, err);
}

/* ---- the door ---- */

static struct inventory *make(struct yaml *y, const char *dir, struct catalog *c, struct err *err)
{
    struct arena *arena = y ? arena_new(ARENA_BYTES_MAX, err) : NULL;
    struct inventory *inv = arena ? arena_alloc(arena, 1, sizeof(*inv), err) : NULL;
    struct inv_reader *r = inv ? arena_alloc(arena, 1, sizeof(*r), err) : NULL;
    if (!r) {
        arena_free(arena);
        yaml_free(y);
        return NULL;
    }
    *inv = (struct inventory){ .arena = arena, .yaml = y, .name = "home", .namespace_ = "tutti", .image = "", .domain = "lan", .cascade = "", .net_switch = "", .subnet = "", .gateway = "" };
    *r = (struct inv_reader){ .inv = inv, .catalog = c, .y = y };
    inv->dir = inv_text(r, dir ? dir : "", strlen(dir ? dir : ""), err);
    if (inv->dir && read_all(r, err))
        return inv;
    inventory_free(inv);
    return NULL;
}

struct inventory *inventory_parse(const char *name, const char *text, size_t n, const char *dir, struct catalog *c, struct err *err)
{
    return make(yaml_parse(name, text, n, err), dir, c, err);
}

struct inventory *inventory_read(const char *path, struct catalog *c, struct err *err)
{
    char dir[1024];
    const char *slash = strrchr(path, '/');
    if (slash && (size_t)(slash - path) >= sizeof(dir))
        return err_set(err, ERR_INPUT, "%.60s...: a path of %zu characters", path, strlen(path)), NULL;
    snprintf(dir, sizeof(dir), "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
    return make(yaml_read(path, err), dir, c, err);
}

void inventory_free(struct inventory *inv)
{
    if (!inv)
        return;
    struct arena *arena = inv->arena; /* inv itself lies in it */
    yaml_free(inv->yaml);
    arena_free(arena);
}

int inventory_find_node(const struct inventory *inv, const char *name)
{
    for (int i = 0; i < inv->n_nodes; i++)
        if (!strcmp(inv->nodes[i].name, name))
            return i;
    return -1;
}

int inventory_find_want(const struct inventory *inv, const char *name)
{
    for (int i = 0; i < inv->n_wants; i++)
        if (!strcmp(inv->wants[i].name, name))
            return i;
    return -1;
}
