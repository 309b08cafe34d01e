/* site/draw_data.c - what every picture is made of: an empty one, its lists and texts; see draw.h. */
#include "site/draw.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ARENA_BYTES = 256 << 20 };

const char *draw_state_name(enum draw_state s)
{
    static const char *const names[DRAW_STATE_COUNT] = { "planned", "cold", "loading", "warm", "busy", "gone" };
    return (unsigned)s < DRAW_STATE_COUNT ? names[s] : "?";
}

const char *draw_what_name(enum draw_what w)
{
    static const char *const names[DRAW_WHAT_COUNT] = { "topology", "experts", "cascade" };
    return (unsigned)w < DRAW_WHAT_COUNT ? names[w] : "?";
}

bool draw_has(const struct draw *d, enum draw_what w) { return w == DRAW_TOPOLOGY ? d->n_nodes > 0 : w == DRAW_EXPERTS ? d->n_wants > 0 : d->n_boxes > 0; }

struct draw *draw_new(const char *title, struct err *err)
{
    struct arena *a = arena_new(ARENA_BYTES, err);
    struct draw *d = a ? arena_alloc(a, 1, sizeof(*d), err) : NULL;
    if (!d) {
        arena_free(a);
        return NULL;
    }
    d->arena = a;
    d->title = draw_copy(d, title);
    d->self = d->net = d->cascade = "";
    d->net_gbit_s = 0;
    d->latency = d->energy = d->cost = d->watts = d->usd_month = NAN;
    return d;
}

void draw_free(struct draw *d)
{
    if (d)
        arena_free(d->arena);
}

bool draw_room(struct draw *d, int n_nodes, int n_experts, int n_wants, struct err *err)
{
    if (n_nodes > DRAW_NODES_MAX || n_experts > DRAW_EXPERTS_MAX || n_wants > DRAW_EXPERTS_MAX)
        return err_set(err, ERR_LIMIT, "picture: %d nodes with %d experts are more than can be drawn (%d, %d)", n_nodes, n_experts, DRAW_NODES_MAX, DRAW_EXPERTS_MAX);
    if (!(d->nodes = arena_alloc(d->arena, (size_t)n_nodes, sizeof(*d->nodes), err)) ||
        !(d->experts = arena_alloc(d->arena, (size_t)n_experts, sizeof(*d->experts), err)) ||
        !(d->wants = arena_alloc(d->arena, (size_t)n_wants, sizeof(*d->wants), err)))
        return false;
    d->n_nodes = n_nodes, d->n_experts = n_experts, d->n_wants = n_wants;
    for (int i = 0; i < n_nodes; i++) {
        struct draw_node *n = &d->nodes[i];
        n->name = n->kind = n->arch = n->board = n->address = n->state = n->why = "";
        n->load = n->watts = n->temperature_c = n->battery_frac = n->jobs_total = n->in_bytes = n->out_bytes = NAN;
    }
    for (int i = 0; i < n_experts; i++) {
        struct draw_expert *e = &d->experts[i];
        e->name = e->task = e->model = e->precision = e->runtime = e->why = "";
        e->device = -1;
        e->share = e->load = e->tok_s = e->ttft_s = e->item_s = e->sound_s_s = NAN;
    }
    for (int i = 0; i < n_wants; i++) {
        d->wants[i].name = d->wants[i].task = d->wants[i].model = d->wants[i].why = d->wants[i].buy = "";
        d->wants[i].per_hour = NAN;
    }
    return true;
}

const char *draw_copy(struct draw *d, const char *s)
{
    struct err none = { 0 };
    const char *copy = s && *s ? arena_strndup(d->arena, s, strlen(s), &none) : NULL;
    return copy ? copy : "";
}

enum route_class draw_class_of(const char *task)
{
    for (int i = 0; i < EXPERT_TASK_COUNT; i++)
        if (strcmp(expert_task_name((enum expert_task)(1 << i)), task) == 0)
            return route_class_of(1u << i);
    return ROUTE_CLASS_EMBED;
}

struct named {
    const char *name;
    int at;
};
static int by_name(const void *a, const void *b)
{
    const struct named *x = a, *y = b;
    const int c = strcmp(x->name, y->name);
    return c ? c : x->at - y->at;
}
static int by_first(const void *a, const void *b)
{
    const struct named *x = a, *y = b;
    return x->at - y->at;
}

bool draw_count_wants(struct draw *d, struct err *err)
{
    const size_t n = (size_t)d->n_experts;
    struct named *list = arena_alloc(d->arena, n, sizeof(*list), err);
    if (!list)
        return false;
    for (size_t i = 0; i < n; i++)
        list[i] = (struct named){ d->experts[i].name, (int)i };
    qsort(list, n, sizeof(*list), by_name);
    size_t k = 0;
    for (size_t i = 0; i < n; i++)
        if (i == 0 || strcmp(list[i].name, list[k - 1].name) != 0)
            list[k++] = list[i];
    qsort(list, k, sizeof(*list), by_first);
    if (!(d->wants = arena_alloc(d->arena, k, sizeof(*d->wants), err)))
        return false;
    d->n_wants = (int)k;
    for (size_t i = 0; i < k; i++) {
        const struct draw_expert *e = &d->experts[list[i].at];
        d->wants[i] = (struct draw_want){ .name = e->name, .task = e->task, .model = e->model, .cls = e->cls, .per_hour = NAN, .why = "", .buy = "" };
    }
    return true;
}
