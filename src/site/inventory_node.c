/* site/inventory_node.c - the nodes of the inventory: machines that are written alike, each with its name, place and address; start at inv_read_node(). */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/hash.h"
#include "site/inventory_internal.h"

static const char *const node_keys[] = { "name", "count", "machine", "recording", "memory", "free", "cpu", "gpus", "accelerators", "disk", "arch", "os", "board", "address", "wake", "head",
                                         "wifi", "leaves", "link_gbit_s", "rtt", "idle_w", "busy_w", "usd", "note", NULL };
static const char *const boards[] = { "pc", "pi4", "pi5", "jetson", "laptop", "mac", "server", NULL };
static const char *const arches[] = { "amd64", "arm64", NULL };

/* What K3s itself holds, as measured (docs.k3s.io/reference/resource-profiling; ../shared/reference/seed-errors.md 000-06). */
static const uint64_t K3S_SERVER_BYTES = 1600000000, K3S_AGENT_BYTES = 275000000;

/* ---- kinds: what is written alike is looked up once ---- */

static void put_key(struct buf *b, const struct yaml_node *at)
{
    if (!at)
        buf_putc(b, '-');
    else if (at->kind == YAML_TEXT)
        buf_append(b, at->text, at->n_text);
    else
        for (int i = 0; i < at->n_items; i++) {
            if (at->kind == YAML_MAP)
                put_key(b, &at->keys[i]);
            put_key(b, &at->items[i]);
        }
    buf_putc(b, '\n');
}

static bool find_kind(struct inv_reader *r, const struct yaml_node *map, struct inv_node *out, struct err *err)
{
    static const char *const parts[] = { "machine", "recording", "memory", "cpu", "gpus", "accelerators", "busy_w" };
    struct buf b;
    buf_init(&b, YAML_MAX_BYTES);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        put_key(&b, yaml_get(map, parts[i]));
    const char *key = buf_ok(&b, "inventory", err) ? inv_text(r, b.data, b.len, err) : NULL;
    const uint64_t hash = key ? hash_fnv64(b.data, b.len) : 0;
    buf_fini(&b);
    if (!key)
        return false;
    struct inv_kind **at = &r->kinds[hash & 255];
    for (struct inv_kind *k = *at; k; k = k->next)
        if (k->hash == hash && !strcmp(k->key, key)) {
            *out = k->node;
            return true;
        }
    struct inv_kind *k = arena_alloc(r->inv->arena, 1, sizeof(*k), err);
    if (!k || !inv_make_kind(r, map, &k->node, err))
        return false;
    k->hash = hash, k->key = key, k->next = *at;
    *at = k;
    *out = k->node;
    return true;
}

/* ---- a node ---- */

static bool read_address(struct inv_reader *r, const struct yaml_node *map, const char *first, int i, const char **out, struct err *err)
{
    unsigned a, b, c, d;
    char end, text[24];
    if (!first) {
        *out = "";
        return true;
    }
    if (sscanf(first, "%3u.%3u.%3u.%3u%c", &a, &b, &c, &d, &end) != 4 || a > 255 || b > 255 || c > 255 || d + (unsigned)i > 254)
        return yaml_fail(r->y, yaml_get(map, "address"), err, "address: a dotted address such as 192.168.1.10 is wanted, with room for all of them below .255");
    snprintf(text, sizeof(text), "%u.%u.%u.%u", a, b, c, d + (unsigned)i);
    return (*out = inv_text(r, text, strlen(text), err)) != NULL;
}

static bool read_place(struct inv_reader *r, const struct yaml_node *map, struct inv_node *n, struct err *err)
{
    uint64_t rtt_ms = UINT64_MAX, free_bytes = 0;
    double link = NAN;
    int board = -1, arch = -1;
    if (!yaml_choice(r->y, map, "board", boards, &board, err) || !yaml_choice(r->y, map, "arch", arches, &arch, err) || !yaml_text(r->y, map, "os", &n->os, err) ||
        !yaml_text(r->y, map, "wake", &n->wake, err) || !yaml_bool(r->y, map, "head", &n->is_head, err) || !yaml_bool(r->y, map, "wifi", &n->is_wifi, err) ||
        !yaml_number(r->y, map, "link_gbit_s", .001, 1e4, &link, err) || !yaml_time(r->y, map, "rtt", &rtt_ms, err) || !yaml_bytes(r->y, map, "free", &free_bytes, err) ||
        !yaml_bytes(r->y, map, "disk", &n->disk_bytes, err) || !yaml_number(r->y, map, "idle_w", 0, 1e5, &n->idle_w, err) ||
        !yaml_number(r->y, map, "busy_w", 0, 1e5, &n->busy_w, err) || !yaml_number(r->y, map, "usd", 0, 1e8, &n->usd, err))
        return false;
    if (board >= 0)
        n->board = boards[board], n->may_leave = n->may_leave || !strcmp(n->board, "laptop");
    if (!yaml_bool(r->y, map, "leaves", &n->may_leave, err))
        return false;
    if (arch >= 0)
        n->arch = arches[arch];
    if (!n->os)
        n->os = !strncmp(n->board, "pi", 2) ? "raspberry-pi-os" : !strcmp(n->board, "jetson") ? "jetpack" : !strcmp(n->board, "mac") ? "macos" : "debian";
    n->link_gbit_s = !isnan(link) ? link : n->is_wifi ? fmin(.3, r->inv->switch_gbit_s) : fmin(1, r->inv->switch_gbit_s);
    n->rtt_s = rtt_ms != UINT64_MAX ? (double)rtt_ms / 1e3 : n->is_wifi ? .004 : .0005;
    if (free_bytes > n->mem_bytes)
        return yaml_fail(r->y, yaml_get(map, "free"), err, "free: more than the %.1f GB that there are", (double)n->mem_bytes / 1e9);
    if (free_bytes)
        n->free_bytes = free_bytes;
    return true;
}

bool inv_read_node(struct inv_reader *r, const struct yaml_node *map, int count, struct err *err)
{
    struct inventory *inv = r->inv;
    const char *name, *address = NULL;
    struct inv_node n;
    if (!yaml_check_keys(r->y, map, node_keys, NULL, err) || !inv_read_name(r, map, count > 1 ? 13 : 0, &name, err) || !find_kind(r, map, &n, err) ||
        !read_place(r, map, &n, err) || !yaml_text(r->y, map, "address", &address, err))
        return false;
    if (count > 1 && (n.is_head || n.wake))
        return yaml_fail(r->y, map, err, "%s: head and wake are of one machine, not of %d", name, count);
    if (!n.wake)
        n.wake = "";
    n.at = map;
    for (int i = 0; i < count; i++) {
        struct inv_node *to = &inv->nodes[inv->n_nodes];
        *to = n;
        if (count > 1)
            snprintf(to->name, sizeof(to->name), "%.50s-%d", name, i + 1);
        else
            snprintf(to->name, sizeof(to->name), "%s", name);
        if (!r->has_head && inv->n_nodes == 0)
            to->is_head = true;
        const uint64_t k3s = inv->engine != INV_K3S || yaml_get(map, "free") ? 0 : to->is_head ? K3S_SERVER_BYTES : K3S_AGENT_BYTES;
        to->free_bytes = to->free_bytes > k3s ? to->free_bytes - k3s : 0;
        if (!read_address(r, map, address, i, &to->address, err))
            return false;
        inv->n_nodes++;
    }
    return true;
}
