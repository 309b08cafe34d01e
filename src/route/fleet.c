/* route/fleet.c - reading a fleet file; start at read_all().  What a model does on a device: fleet_derive.c. */
#include "route/fleet.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "advise/device.h"
#include "advise/hardware.h"
#include "route/affinity.h"
#include "route/embed_internal.h"
#include "route/fleet_internal.h"

/* ---- keys ---- */

static const char *const top_keys[] = { "nodes", "experts", "note", NULL };
static const char *const node_keys[] = { "name", "count", "device", "distance", "rtt", "link_mbit_s", "idle_w", "busy_w", "disk_mb_s", "usd_per_kwh", "up", "throttled",
                                         "temperature_c", "headroom_c", "power_w", "battery", "on_battery", "memory_free", "pressure", "busy", "note", NULL };
static const char *const expert_keys[] = { "name", "node", "nodes", "task", "tasks", "model", "quant", "device", "ctx", "quality", "sees", "hears", "tools", "privacy",
                                           "params_b", "bits", "input_px", "fixed", "prefill_tok_s", "decode_tok_s", "item", "sound_s_s", "load", "busy_w",
                                           "usd_per_mtok_in", "usd_per_mtok_out", "usd_per_item", "measured", "up", "warm", "running", "waiting", "wait",
                                           "parallel", "note", NULL };
static const char *const distances[] = { "local", "lan", "cloud", NULL };

/* ---- lists that grow ---- */

static bool grow_list(void **list, size_t n, size_t size)
{
    void *more = realloc(*list, n * size);
    if (more)
        *list = more;
    return more != NULL;
}
#define grow(list, n) grow_list((void **)(list), n, sizeof(**(list)))

/* ---- values: float fields of a map ---- */

struct field {
    const char *key;
    float *out;
    double min, max;
    bool is_time; /* "20ms"; in seconds */
};

static bool read_fields(const struct yaml *y, const struct yaml_node *map, const struct field *f, int n, struct err *err)
{
    for (int i = 0; i < n; i++) {
        double v = NAN;
        uint64_t ms = UINT64_MAX;
        if (f[i].is_time ? !yaml_time(y, map, f[i].key, &ms, err) : !yaml_number(y, map, f[i].key, f[i].min, f[i].max, &v, err))
            return false;
        if (f[i].is_time && ms != UINT64_MAX)
            v = (double)ms / 1e3;
        if (!isnan(v))
            *f[i].out = (float)v;
    }
    return true;
}

static bool read_name(const struct yaml *y, const struct yaml_node *map, char *out, size_t max, struct err *err)
{
    const char *name = NULL;
    if (!yaml_text(y, map, "name", &name, err))
        return false;
    if (!name || !*name || strlen(name) >= max || strpbrk(name, "\t\n\r"))
        return yaml_fail(y, yaml_get(map, "name") ? yaml_get(map, "name") : map, err, "name: a name of at most %zu bytes is wanted", max - 1);
    snprintf(out, max, "%s", name);
    return true;
}

/* ---- nodes ---- */

static bool read_device(struct fleet_reader *r, const struct yaml_node *map, struct plan_device *out, struct err *err)
{
    const char *text = NULL;
    struct device d;
    struct err why = { 0 };
    if (!yaml_text(r->f->yaml, map, "device", &text, err))
        return false;
    if (!text)
        return true;
    if (!device_of_spec(&d, r->catalog, text, &why))
        return yaml_fail(r->f->yaml, yaml_get(map, "device"), err, "device: %s", why.text);
    *out = d.plan;
    struct hardware hw;
    if (d.row && hardware_of(r->catalog, d.row, &hw, &why)) {
        const struct watts w = hardware_watts(r->catalog, &hw);
        out->idle_w = w.idle_w > 0 ? w.idle_w * d.plan.n_devices : 0;
        out->load_w = w.inference_w > 0 ? w.inference_w * d.plan.n_devices : 0;
    }
    return true;
}

enum { TABLE = 4 * FLEET_NODES_MAX };

static int find_node(const struct fleet_reader *r, const char *name)
{
    for (unsigned at = (unsigned)affinity_hash(1, name, strlen(name)) % TABLE; r->table[at]; at = (at + 1) % TABLE)
        if (strcmp(r->f->nodes[r->table[at] - 1].name, name) == 0)
            return r->table[at] - 1;
    return -1;
}
static const struct fleet_group *find_group(const struct fleet_reader *r, const char *name)
{
    for (int i = 0; i < r->n_groups; i++)
        if (strcmp(r->groups[i].name, name) == 0)
            return &r->groups[i];
    return NULL;
}

/* One more place in each of the lists by node. */
static bool grow_nodes(struct fleet_reader *r, struct err *err)
{
    struct fleet *f = r->f;
    if (f->n_nodes < r->n_nodes_max)
        return true;
    r->n_nodes_max = r->n_nodes_max ? 2 * r->n_nodes_max : 16;
    const size_t n = (size_t)r->n_nodes_max;
    return (grow(&f->nodes, n) && grow(&f->node_yaml, n) && grow(&f->devices, n) && grow(&r->busy_w, n) && grow(&r->disk_bytes_s, n) && grow(&r->last_of, n)) ||
           err_set(err, ERR_NOMEM, "fleet: out of memory");
}

static bool add_node(struct fleet_reader *r, const struct yaml_node *map, struct err *err)
{
    struct fleet *f = r->f;
    const char *name = f->nodes[f->n_nodes].name;
    if (find_node(r, name) >= 0 || find_group(r, name))
        return yaml_fail(f->yaml, yaml_get(map, "name"), err, "nodes: %s is there twice", name);
    unsigned at = (unsigned)affinity_hash(1, name, strlen(name)) % TABLE;
    while (r->table[at])
        at = (at + 1) % TABLE;
    f->node_yaml[f->n_nodes] = map;
    r->last_of[f->n_nodes] = -1;
    r->table[at] = ++f->n_nodes;
    return true;
}

/* The node that was read last, n - 1 times more: NAME-1 ... NAME-n. */
static bool repeat_node(struct fleet_reader *r, const struct yaml_node *map, int64_t n, struct err *err)
{
    struct fleet *f = r->f;
    struct fleet_group *more = realloc(r->groups, ((size_t)r->n_groups + 1) * sizeof(*more));
    const char *name = yaml_get(map, "name")->text;
    if (!more)
        return err_set(err, ERR_NOMEM, "fleet: out of memory");
    r->groups = more;
    if (find_node(r, name) >= 0 || find_group(r, name))
        return yaml_fail(f->yaml, yaml_get(map, "name"), err, "nodes: %s is there twice", name);
    if (strlen(name) + 6 >= sizeof(f->nodes[0].name))
        return yaml_fail(f->yaml, yaml_get(map, "name"), err, "name: at most %zu bytes where there are several", sizeof(f->nodes[0].name) - 7);
    const int first = f->n_nodes;
    for (int i = 0; i < (int)n; i++) {
        if (!grow_nodes(r, err))
            return false;
        if (i > 0) {
            f->nodes[f->n_nodes] = f->nodes[first], f->devices[f->n_nodes] = f->devices[first];
            r->busy_w[f->n_nodes] = r->busy_w[first], r->disk_bytes_s[f->n_nodes] = r->disk_bytes_s[first];
        }
        snprintf(f->nodes[f->n_nodes].name, sizeof(f->nodes[0].name), "%s-%d", name, i + 1);
        if (!add_node(r, map, err))
            return false;
    }
    r->groups[r->n_groups++] = (struct fleet_group){ name, first, (int)n };
    return true;
}

static bool read_node(struct fleet_reader *r, const struct yaml_node *map, struct err *err)
{
    struct fleet *f = r->f;
    const struct yaml *y = f->yaml;
    int64_t count = 0;
    if (map->kind != YAML_MAP)
        return yaml_fail(y, map, err, "nodes: a map for each is wanted: name, device, ...");
    if (!yaml_int(y, map, "count", 1, FLEET_NODES_MAX, &count, err))
        return false;
    if (f->n_nodes + (count ? (int)count : 1) > FLEET_NODES_MAX)
        return yaml_fail(y, map, err, "nodes: at most %d are possible", FLEET_NODES_MAX);
    if (!grow_nodes(r, err))
        return false;
    struct route_node *n = &f->nodes[f->n_nodes];
    struct plan_device *d = &f->devices[f->n_nodes];
    memset(n, 0, sizeof(*n)), memset(d, 0, sizeof(*d));
    float link_mbit_s = 0, busy_w = NAN, disk_mb_s = 0, memory_free = NAN;
    int distance = f->n_nodes ? EXPERT_LAN : EXPERT_LOCAL; /* the first is where the question is asked */
    uint64_t free_bytes = 0;
    bool no_battery = true;
    if (!yaml_check_keys(y, map, node_keys, r->keys.node, err) || !read_name(y, map, n->name, sizeof(n->name), err) || !read_device(r, map, d, err) ||
        !yaml_choice(y, map, "distance", distances, &distance, err))
        return false;
    n->distance = (enum expert_privacy)distance;
    n->is_up = true;
    n->rtt_s = distance == EXPERT_LOCAL ? 0 : distance == EXPERT_LAN ? .001f : .08f; /* a wired house; a server far away */
    n->idle_w = d->idle_w > 0 ? (float)d->idle_w : (float)NAN;
    n->usd_per_kwh = n->temperature_c = n->headroom_c = n->power_w = n->battery_frac = n->pressure_frac = n->busy_frac = (float)NAN;
    const struct field fields[] = {
        { "rtt", &n->rtt_s, 0, 0, true },                     { "link_mbit_s", &link_mbit_s, 1e-3, 1e7, false }, { "idle_w", &n->idle_w, 0, 1e5, false },
        { "busy_w", &busy_w, 0, 1e5, false },                 { "disk_mb_s", &disk_mb_s, 1, 1e6, false },        { "usd_per_kwh", &n->usd_per_kwh, 0, 100, false },
        { "temperature_c", &n->temperature_c, -60, 200, false }, { "headroom_c", &n->headroom_c, -100, 200, false }, { "power_w", &n->power_w, 0, 1e5, false },
        { "battery", &n->battery_frac, 0, 1, false },         { "pressure", &n->pressure_frac, 0, 1, false },    { "busy", &n->busy_frac, 0, 1, false },
    };
    if (!read_fields(y, map, fields, (int)(sizeof(fields) / sizeof(fields[0])), err) || !yaml_bool(y, map, "up", &n->is_up, err) ||
        !yaml_bool(y, map, "throttled", &n->is_throttled, err) || !yaml_bool(y, map, "on_battery", &n->on_battery, err) ||
        !yaml_bytes(y, map, "memory_free", &free_bytes, err))
        return false;
    no_battery = isnan(n->battery_frac);
    if (n->on_battery && no_battery)
        n->battery_frac = 1;
    if (free_bytes)
        memory_free = (float)free_bytes;
    n->memory_free_bytes = memory_free;
    n->link_bytes_s = link_mbit_s > 0 ? link_mbit_s * 125000 : distance == EXPERT_LOCAL ? INFINITY : distance == EXPERT_LAN ? 1.18e8f : 6e6f; /* 1 Gbit/s as it is used; 50 Mbit/s up */
    r->busy_w[f->n_nodes] = busy_w;
    r->disk_bytes_s[f->n_nodes] = disk_mb_s > 0 ? disk_mb_s * 1e6f : d->cls == PLAN_SOC && *d->name ? 3e8f : 1e9f; /* an SD card's or SSD's usual rate */
    return count ? repeat_node(r, map, count, err) : add_node(r, map, err);
}

/* ---- experts ---- */

static bool add_task(const struct yaml *y, const struct yaml_node *node, unsigned *tasks, struct err *err)
{
    static const char *const words[] = {
#define X(name, word) word,
        EXPERT_TASKS(X)
#undef X
            NULL
    };
    enum expert_task t;
    if (node->kind != YAML_TEXT || !expert_task_find(node->text, &t)) {
        const char *near = node->kind == YAML_TEXT ? yaml_nearest(node->text, words) : NULL;
        return yaml_fail(y, node, err, "task: chat, detect, transcribe, ... is wanted%s%s%s", near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    }
    *tasks |= (unsigned)t;
    return true;
}

static bool read_tasks(const struct yaml *y, const struct yaml_node *map, struct candidate *c, struct err *err)
{
    const struct yaml_node *one = yaml_get(map, "task"), *many = NULL;
    if (one && !add_task(y, one, &c->tasks, err))
        return false;
    if (!yaml_list(y, map, "tasks", &many, err))
        return false;
    for (int i = 0; many && i < many->n_items; i++)
        if (!add_task(y, &many->items[i], &c->tasks, err))
            return false;
    return true;
}

/* What is the same on all its nodes. */
static bool read_common(struct fleet_reader *r, const struct yaml_node *map, struct candidate *c, struct err *err)
{
    const struct yaml *y = r->f->yaml;
    int64_t ctx = 0, px = 0, running = 0, waiting = 0, parallel = 1;
    if (!yaml_check_keys(y, map, expert_keys, r->keys.expert, err) || !read_name(y, map, c->expert, sizeof(c->expert), err) || !read_tasks(y, map, c, err) ||
        !yaml_int(y, map, "ctx", 1, 1 << 30, &ctx, err) || !yaml_int(y, map, "input_px", 1, 1 << 20, &px, err) ||
        !yaml_int(y, map, "running", 0, 1 << 20, &running, err) || !yaml_int(y, map, "waiting", 0, 1 << 20, &waiting, err) ||
        !yaml_int(y, map, "parallel", 1, 1 << 20, &parallel, err))
        return false;
    c->n_ctx = (int)ctx, c->input_px = (int)px, c->n_running = (int)running, c->n_waiting = (int)waiting, c->n_parallel = (int)parallel;
    return true;
}

/* After what plan/ says: what the file says wins. */
static bool read_figures(struct fleet_reader *r, const struct yaml_node *map, struct candidate *c, struct err *err)
{
    const struct yaml *y = r->f->yaml;
    float params_b = NAN;
    int privacy = (int)c->privacy;
    const struct field fields[] = {
        { "quality", &c->quality, 0, 10, false },
        { "params_b", &params_b, 1e-6, 1e5, false },
        { "bits", &c->bits, .5, 64, false },
        { "fixed", &c->fixed_s, 0, 0, true },
        { "prefill_tok_s", &c->prefill_tok_s, 1e-3, 1e9, false },
        { "decode_tok_s", &c->decode_tok_s, 1e-3, 1e9, false },
        { "item", &c->item_s, 0, 0, true },
        { "sound_s_s", &c->sound_s_s, 0, 1e4, false },
        { "load", &c->load_s, 0, 0, true },
        { "busy_w", &c->busy_w, 0, 1e5, false },
        { "usd_per_mtok_in", &c->usd_per_mtok_in, 0, 1e5, false },
        { "usd_per_mtok_out", &c->usd_per_mtok_out, 0, 1e5, false },
        { "usd_per_item", &c->usd_per_item, 0, 1e5, false },
        { "wait", &c->wait_s, 0, 0, true },
    };
    if (!read_fields(y, map, fields, (int)(sizeof(fields) / sizeof(fields[0])), err) || !yaml_bool(y, map, "sees", &c->sees, err) ||
        !yaml_bool(y, map, "hears", &c->hears, err) || !yaml_bool(y, map, "tools", &c->knows_tools, err) || !yaml_bool(y, map, "measured", &c->is_measured, err) ||
        !yaml_bool(y, map, "up", &c->is_up, err) || !yaml_bool(y, map, "warm", &c->is_warm, err) || !yaml_choice(y, map, "privacy", distances, &privacy, err))
        return false;
    c->privacy = (enum expert_privacy)privacy;
    if (!isnan(params_b))
        c->params = (double)params_b * 1e9;
    return true;
}

static bool no_such_node(struct fleet_reader *r, const struct yaml_node *where, const char *name, struct err *err)
{
    const char *names[ROUTE_NODES_MAX + 1] = { NULL };
    for (int i = 0; i < r->f->n_nodes && i < ROUTE_NODES_MAX; i++)
        names[i] = r->f->nodes[i].name;
    const char *near = yaml_nearest(name, names);
    return yaml_fail(r->f->yaml, where, err, "there is no node '%s'%s%s%s", name, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static bool grow_experts(struct fleet_reader *r, struct err *err)
{
    struct fleet *f = r->f;
    if (f->n < r->n_experts_max)
        return true;
    r->n_experts_max = r->n_experts_max ? 2 * r->n_experts_max : 64;
    const size_t n = (size_t)r->n_experts_max;
    return (grow(&f->list, n) && grow(&f->expert_yaml, n) && grow(&r->before, n)) || err_set(err, ERR_NOMEM, "fleet: out of memory");
}

static bool add_candidate(struct fleet_reader *r, const struct yaml_node *map, const struct yaml_node *where, int node, const struct candidate *common, struct err *err)
{
    struct fleet *f = r->f;
    const struct yaml *y = f->yaml;
    if (f->n == FLEET_EXPERTS_MAX)
        return yaml_fail(y, where, err, "experts: at most %d on all nodes together are possible", FLEET_EXPERTS_MAX);
    if (!grow_experts(r, err))
        return false;
    struct candidate *c = &f->list[f->n];
    *c = *common;
    c->node = node, c->slot = f->n;
    c->privacy = f->nodes[node].distance;
    c->is_up = c->is_warm = true;
    c->busy_w = r->busy_w[node];
    c->wait_s = (float)NAN;
    c->fixed_s = .005f; /* a request's way through a process */
    struct plan_device device = f->devices[node];
    if (!read_device(r, map, &device, err) || !fleet_derive(r, map, &device, c, err) || !read_figures(r, map, c, err))
        return false;
    if (!c->tasks)
        return yaml_fail(y, map, err, "task: what it does is wanted (chat, detect, transcribe, ...)");
    c->cls = route_class_of(c->tasks);
    if (!(c->quality > 0) && c->cls == ROUTE_CLASS_LLM)
        c->quality = quality_tier(c->params, r->active_params, (double)c->bits);
    for (int i = r->last_of[node]; i >= 0; i = r->before[i])
        if (strcmp(f->list[i].expert, c->expert) == 0)
            return yaml_fail(y, where, err, "%s is on %s twice", c->expert, f->nodes[node].name);
    r->before[f->n] = r->last_of[node];
    r->last_of[node] = f->n;
    f->expert_yaml[f->n++] = map;
    return true;
}

/* On a node, or on all nodes that share a name (`count`): what plan/ says of the first holds for all of them. */
static bool add_candidates(struct fleet_reader *r, const struct yaml_node *map, const struct yaml_node *where, const struct candidate *common, struct err *err)
{
    struct fleet *f = r->f;
    const char *name;
    if (!yaml_node_text(f->yaml, where, &name, err))
        return false;
    const struct fleet_group *g = find_group(r, name);
    const int node = g ? g->first : find_node(r, name);
    if (node < 0)
        return no_such_node(r, where, name, err);
    const int first = f->n;
    bool ok = add_candidate(r, map, where, node, common, err);
    for (int i = 1; ok && g && i < g->n; i++) {
        ok = f->n < FLEET_EXPERTS_MAX || yaml_fail(f->yaml, where, err, "experts: at most %d on all nodes together are possible", FLEET_EXPERTS_MAX);
        if (!ok || !(ok = grow_experts(r, err)))
            break;
        f->list[f->n] = f->list[first];
        f->list[f->n].node = g->first + i, f->list[f->n].slot = f->n;
        r->before[f->n] = r->last_of[g->first + i];
        r->last_of[g->first + i] = f->n;
        f->expert_yaml[f->n++] = map;
    }
    return ok;
}

static bool read_expert(struct fleet_reader *r, const struct yaml_node *map, struct err *err)
{
    const struct yaml *y = r->f->yaml;
    struct candidate common = { 0 };
    const struct yaml_node *one = yaml_get(map, "node"), *many = NULL;
    if (map->kind != YAML_MAP)
        return yaml_fail(y, map, err, "experts: a map for each is wanted: name, node, model, ...");
    if (!read_common(r, map, &common, err) || !yaml_list(y, map, "nodes", &many, err))
        return false;
    if (!one == !many)
        return yaml_fail(y, map, err, "node: where it runs is wanted (node: NAME, or nodes: [NAME, ...])");
    if (one)
        return add_candidates(r, map, one, &common, err);
    for (int i = 0; i < many->n_items; i++)
        if (!add_candidates(r, map, &many->items[i], &common, err))
            return false;
    return true;
}

/* ---- the file ---- */

static bool read_all(struct fleet_reader *r, struct err *err)
{
    const struct yaml *y = r->f->yaml;
    const struct yaml_node *root = yaml_root(y), *nodes = NULL, *experts = NULL;
    if (root->kind != YAML_MAP)
        return yaml_fail(y, root, err, "a fleet is a map: nodes, experts");
    if (!yaml_check_keys(y, root, top_keys, r->keys.top, err) || !yaml_list(y, root, "nodes", &nodes, err) || !yaml_list(y, root, "experts", &experts, err))
        return false;
    if (!nodes || !nodes->n_items || !experts || !experts->n_items)
        return yaml_fail(y, root, err, "a fleet has nodes and experts");
    for (int i = 0; i < nodes->n_items; i++)
        if (!read_node(r, &nodes->items[i], err))
            return false;
    for (int i = 0; i < experts->n_items; i++)
        if (!read_expert(r, &experts->items[i], err))
            return false;
    return true;
}

/* Experts by node. */
static bool sort_by_node(struct fleet *f, struct err *err)
{
    f->first = calloc((size_t)f->n_nodes + 1, sizeof(*f->first));
    f->of = malloc((size_t)f->n * sizeof(*f->of));
    if (!f->first || !f->of)
        return err_set(err, ERR_NOMEM, "fleet: out of memory");
    for (int i = 0; i < f->n; i++)
        f->first[f->list[i].node + 1]++;
    for (int i = 0; i < f->n_nodes; i++)
        f->first[i + 1] += f->first[i];
    for (int i = f->n - 1; i >= 0; i--)
        f->of[--f->first[f->list[i].node + 1]] = i; /* first[i + 1] is the end of node i until now, its begin then */
    memmove(f->first, f->first + 1, (size_t)f->n_nodes * sizeof(*f->first));
    f->first[f->n_nodes] = f->n;
    return true;
}

static struct fleet *make(struct yaml *y, struct catalog *c, const struct fleet_keys *keys, struct err *err)
{
    struct fleet *f = y ? calloc(1, sizeof(*f)) : NULL;
    if (!f) {
        yaml_free(y);
        return y ? err_null(err, ERR_NOMEM, "fleet: out of memory") : NULL;
    }
    f->yaml = y;
    struct fleet_reader r = { .f = f, .catalog = c };
    if (keys)
        r.keys = *keys;
    r.table = calloc(TABLE, sizeof(*r.table));
    const bool ok = r.table ? read_all(&r, err) && sort_by_node(f, err) : err_set(err, ERR_NOMEM, "fleet: out of memory");
    free(r.busy_w), free(r.disk_bytes_s), free(r.last_of), free(r.before), free(r.table), free(r.groups);
    if (ok)
        return f;
    fleet_free(f);
    return NULL;
}

struct fleet *fleet_read(const char *path, struct catalog *c, const struct fleet_keys *keys, struct err *err) { return make(yaml_read(path, err), c, keys, err); }
struct fleet *fleet_parse(const char *name, const char *text, size_t n, struct catalog *c, const struct fleet_keys *keys, struct err *err)
{
    return make(yaml_parse(name, text, n, err), c, keys, err);
}

__asm__(".section .rodata\n.global fleet_fifty\nfleet_fifty:\n.incbin \"examples/fleets/fifty.yaml\"\n"
        ".global fleet_fifty_end\nfleet_fifty_end:\n.byte 0\n.previous\n");
struct fleet *fleet_shipped(struct catalog *c, struct err *err)
{
    return fleet_parse("examples/fleets/fifty.yaml", fleet_fifty, (size_t)(fleet_fifty_end - fleet_fifty), c, NULL, err);
}

void fleet_free(struct fleet *f)
{
    if (!f)
        return;
    yaml_free(f->yaml);
    free(f->nodes), free((void *)f->node_yaml), free(f->devices);
    free(f->list), free((void *)f->expert_yaml), free(f->first), free(f->of);
    free(f);
}

struct candidates fleet_world(struct fleet *f) { return (struct candidates){ .nodes = f->nodes, .n_nodes = f->n_nodes, .list = f->list, .n = f->n }; }
