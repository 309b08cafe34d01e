/* site/draw_live.c - see draw_live.h. */
#include "site/draw_live.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_MAX = 300, MACHINE_BYTES_MAX = 4 << 20 };

static const char *text(struct draw *d, const json_t *o, const char *name)
{
    char cut[TEXT_MAX];
    const char *s = json_string_value(json_object_get(o, name));
    snprintf(cut, sizeof(cut), "%s", s ? s : "");
    return draw_copy(d, cut);
}
static double number(const json_t *o, const char *name)
{
    const json_t *v = json_object_get(o, name);
    const double x = json_is_number(v) ? json_number_value(v) : NAN;
    return fabs(x) < 1e18 ? x : NAN;
}
static uint64_t amount(const json_t *o, const char *name)
{
    const double x = number(o, name);
    return x > 0 && x < 9e15 ? (uint64_t)x : 0;
}

/* ---- a machine ---- */

static void add_devices(struct draw *d, struct draw_node *n, const json_t *list, enum draw_chip chip)
{
    for (size_t i = 0; i < json_array_size(list) && n->n_devices < INV_DEVICES_MAX - 1; i++) {
        const json_t *v = json_array_get(list, i);
        n->devices[n->n_devices++] = (struct draw_device){ text(d, v, "name"), chip, amount(v, "vram_bytes") };
    }
}

static void put_machine(struct draw *d, struct draw_node *n, const json_t *m)
{
    const json_t *board = json_object_get(m, "board"), *cpu = json_object_get(m, "cpu");
    const char *arch = json_string_value(json_object_get(cpu, "arch"));
    n->arch = !arch ? "" : strcmp(arch, "x86_64") == 0 ? "amd64" : strcmp(arch, "aarch64") == 0 ? "arm64" : draw_copy(d, arch);
    n->kind = text(d, board, "product");
    if (!*n->kind)
        n->kind = text(d, cpu, "model");
    n->mem_bytes = amount(json_object_get(m, "memory"), "total_bytes");
    add_devices(d, n, json_object_get(m, "gpus"), DRAW_GPU);
    add_devices(d, n, json_object_get(m, "accelerators"), DRAW_STICK);
    n->devices[n->n_devices++] = (struct draw_device){ text(d, cpu, "model"), DRAW_CPU, 0 };
}

/* ---- nodes and experts ---- */

static const char *known_state(const json_t *o)
{
    static const char *const known[] = { "new", "up", "draining", "down", "refused" };
    const char *s = json_string_value(json_object_get(o, "state"));
    for (size_t i = 0; s && i < sizeof(known) / sizeof(known[0]); i++)
        if (strcmp(s, known[i]) == 0)
            return known[i];
    return "new";
}

static void put_node(struct draw *d, struct draw_node *n, const json_t *o)
{
    n->name = text(d, o, "name");
    n->address = text(d, o, "url");
    if (!*n->name)
        n->name = *n->address ? n->address : "?";
    n->state = known_state(o), n->why = text(d, o, "why");
    const double rtt = number(o, "rtt_s");
    n->rtt_s = rtt > 0 ? rtt : 0;
    n->load = number(o, "busy_frac"), n->temperature_c = number(o, "temperature_c"), n->watts = number(o, "power_w"), n->battery_frac = number(o, "battery_frac");
    n->jobs_total = number(o, "jobs_total"), n->in_bytes = number(o, "bytes_in_total"), n->out_bytes = number(o, "bytes_out_total");
}

static void put_memory(struct draw_node *n, const json_t *o)
{
    const uint64_t free_bytes = amount(o, "memory_free_bytes");
    if (n->mem_bytes > 0 && free_bytes > 0)
        n->used_bytes = free_bytes < n->mem_bytes ? n->mem_bytes - free_bytes : 0;
    else
        n->mem_bytes = 0; /* half a bar says nothing */
}

/* Which device "CUDA0", "Coral USB Accelerator" or "CPU" is; -1: nobody says. */
static int device_of(const struct draw_node *n, const char *runs_on)
{
    for (int i = 0; i < n->n_devices; i++)
        if (*runs_on && *n->devices[i].name && (strstr(n->devices[i].name, runs_on) || strstr(runs_on, n->devices[i].name)))
            return i;
    if (n->n_devices == 0)
        return -1;
    if (n->n_devices == 1 || !*runs_on || strstr(runs_on, "CPU") || strstr(runs_on, "cpu"))
        return n->n_devices - 1;
    return n->n_devices == 2 ? 0 : -1;
}

static enum draw_state state_of(const struct draw_node *n, const json_t *o)
{
    static const char *const words[] = { "cold", "loading", "warm", "busy" };
    const char *s = json_string_value(json_object_get(o, "state"));
    if (strcmp(n->state, "up") != 0 && strcmp(n->state, "draining") != 0)
        return DRAW_GONE;
    for (int i = 0; s && i < 4; i++)
        if (strcmp(s, words[i]) == 0)
            return (enum draw_state)(DRAW_COLD + i);
    return DRAW_GONE;
}

static void put_expert(struct draw *d, struct draw_expert *e, int node, const json_t *o)
{
    const struct draw_node *n = &d->nodes[node];
    const json_t *tasks = json_object_get(o, "tasks");
    const char *task = json_string_value(json_array_get(tasks, 0));
    e->name = text(d, o, "id"), e->model = text(d, o, "kind"), e->node = node, e->state = state_of(n, o);
    e->task = draw_copy(d, task ? task : "");
    e->cls = draw_class_of(e->task);
    e->runtime = text(d, o, "runs_on");
    e->device = device_of(n, e->runtime);
    e->bytes = amount(o, "memory_bytes");
    e->tok_s = number(o, "decode_tok_s"), e->item_s = number(o, "item_s"), e->sound_s_s = number(o, "sound_s_s");
    const uint64_t running = amount(o, "n_running"), waiting = amount(o, "n_waiting");
    e->n_running = running < 1000000 ? (int)running : 1000000, e->n_waiting = waiting < 1000000 ? (int)waiting : 1000000;
}

static bool read_all(struct draw *d, const json_t *self, const json_t *members, draw_machine_fn *machine, void *ctx, struct err *err)
{
    const size_t n_members = json_array_size(members);
    size_t n_experts = json_array_size(json_object_get(self, "experts"));
    if (n_members >= DRAW_NODES_MAX)
        return err_set(err, ERR_LIMIT, "topology: %zu nodes are more than can be drawn", n_members);
    for (size_t i = 0; i < n_members; i++)
        n_experts += json_array_size(json_object_get(json_array_get(members, i), "experts"));
    if (n_experts > DRAW_EXPERTS_MAX)
        return err_set(err, ERR_LIMIT, "topology: %zu experts are more than can be drawn", n_experts);
    if (!draw_room(d, (int)n_members + 1, (int)n_experts, 0, err))
        return false;
    int k = 0;
    d->watts = NAN;
    for (size_t i = 0; i <= n_members; i++) {
        const json_t *o = i == 0 ? self : json_array_get(members, i - 1), *list = json_object_get(o, "experts");
        struct draw_node *n = &d->nodes[i];
        struct buf b;
        put_node(d, n, o);
        n->is_head = i == 0;
        buf_init(&b, MACHINE_BYTES_MAX);
        if (i < DRAW_MACHINES_MAX && machine(ctx, n->name, &b) && !b.failed && b.data) {
            json_t *m = json_loadb(b.data, b.len, 0, NULL);
            if (json_is_object(m))
                put_machine(d, n, m);
            json_decref(m);
        }
        buf_fini(&b);
        put_memory(n, o);
        if (isfinite(n->watts))
            d->watts = (isfinite(d->watts) ? d->watts : 0) + n->watts;
        for (size_t e = 0; e < json_array_size(list); e++)
            put_expert(d, &d->experts[k++], (int)i, json_array_get(list, e));
    }
    return draw_count_wants(d, err);
}

struct draw *draw_from_status(const char *status, size_t n, draw_machine_fn *machine, void *ctx, struct err *err)
{
    json_t *root = json_loadb(status, n, 0, NULL);
    const json_t *self = json_object_get(root, "node");
    const char *name = json_string_value(json_object_get(self, "name"));
    char title[TEXT_MAX];
    snprintf(title, sizeof(title), "%s", name ? name : "tutti");
    struct draw *d = json_is_object(self) ? draw_new(title, err) : err_null(err, ERR_INPUT, "topology: the node's own state is no JSON object");
    if (d && !read_all(d, self, json_object_get(root, "members"), machine, ctx, err)) {
        draw_free(d);
        d = NULL;
    }
    if (d)
        d->is_live = true, d->self = d->title;
    json_decref(root);
    return d;
}
