/* site/draw_plan.c - an inventory and its plan as something to draw; see draw.h. */
#include "site/draw.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum draw_chip chip_of(const struct inv_device *v, bool is_last)
{
    return is_last ? DRAW_CPU : v->resource && *v->resource && !v->runs_llm ? DRAW_STICK : DRAW_GPU;
}

/* "Beelink GTi14,mts=5600" is the Beelink GTi14. */
static const char *kind_of(struct draw *d, const char *kind)
{
    char name[128];
    snprintf(name, sizeof(name), "%.*s", (int)strcspn(kind, ","), kind);
    return draw_copy(d, name);
}

static void put_node(struct draw *d, struct draw_node *n, const struct inv_node *from, const struct place_node *planned)
{
    n->name = draw_copy(d, from->name), n->kind = kind_of(d, from->kind), n->arch = draw_copy(d, from->arch);
    n->board = draw_copy(d, from->board), n->address = draw_copy(d, from->address);
    n->is_head = from->is_head, n->is_wifi = from->is_wifi, n->may_leave = from->may_leave, n->can_wake = from->wake && *from->wake;
    n->link_gbit_s = from->link_gbit_s, n->rtt_s = from->rtt_s;
    n->mem_bytes = from->free_bytes;
    if (planned)
        n->used_bytes = planned->used_bytes, n->load = planned->load, n->watts = planned->mean_w;
    n->n_devices = from->n_devices;
    for (int i = 0; i < from->n_devices; i++) {
        const struct inv_device *v = &from->devices[i];
        n->devices[i] = (struct draw_device){ draw_copy(d, v->name), chip_of(v, i == from->n_devices - 1), v->mem_bytes };
    }
}

static void put_expert(struct draw *d, struct draw_expert *e, const struct inventory *inv, const struct place *p)
{
    const struct inv_want *w = &inv->wants[p->want];
    e->name = draw_copy(d, w->name), e->task = draw_copy(d, w->task_name), e->model = draw_copy(d, *w->model ? w->model : w->card);
    e->cls = route_class_of(w->task);
    e->runtime = draw_copy(d, p->runtime), e->why = draw_copy(d, p->why);
    if (w->n_quants > 0 && p->quant >= 0 && p->quant < w->n_quants)
        e->precision = draw_copy(d, w->model_of[p->quant].quant);
    e->node = p->node, e->device = p->device;
    e->bytes = p->bytes, e->share = p->share, e->load = p->load;
    e->tok_s = p->tok_s.mid, e->ttft_s = p->ttft_s.mid, e->item_s = p->item_s.mid;
}

static int by_place(const void *a, const void *b)
{
    const struct place *x = *(const struct place *const *)a, *y = *(const struct place *const *)b;
    return x->node != y->node ? x->node - y->node : x->device != y->device ? x->device - y->device : x->want != y->want ? x->want - y->want : x < y ? -1 : x > y;
}

static bool put_experts(struct draw *d, const struct inventory *inv, const struct cluster_plan *p, struct err *err)
{
    const struct place **sorted = arena_alloc(d->arena, (size_t)p->n, sizeof(*sorted), err);
    if (!sorted)
        return false;
    for (int i = 0; i < p->n; i++)
        sorted[i] = &p->list[i];
    qsort(sorted, (size_t)p->n, sizeof(*sorted), by_place);
    for (int i = 0; i < p->n; i++)
        put_expert(d, &d->experts[i], inv, sorted[i]);
    return true;
}

struct draw *draw_from_plan(const struct inventory *inv, const struct cluster_plan *p, struct err *err)
{
    struct draw *d = draw_new(inv->name && *inv->name ? inv->name : "cluster", err);
    if (!d)
        return NULL;
    if (!draw_room(d, inv->n_nodes, p ? p->n : 0, inv->n_wants, err)) {
        draw_free(d);
        return NULL;
    }
    d->net = draw_copy(d, inv->net_switch), d->net_gbit_s = inv->switch_gbit_s;
    d->latency = inv->latency, d->energy = inv->energy, d->cost = inv->cost;
    for (int i = 0; i < inv->n_nodes; i++)
        put_node(d, &d->nodes[i], &inv->nodes[i], p ? &p->nodes[i] : NULL);
    for (int i = 0; i < inv->n_wants; i++) {
        const struct inv_want *w = &inv->wants[i];
        struct draw_want *to = &d->wants[i];
        to->name = draw_copy(d, w->name), to->task = draw_copy(d, w->task_name), to->model = draw_copy(d, *w->model ? w->model : w->card);
        to->cls = route_class_of(w->task), to->per_hour = w->traffic.per_hour;
    }
    if (!p)
        return d;
    d->watts = p->watts, d->usd_month = p->usd_month;
    if (!put_experts(d, inv, p, err)) {
        draw_free(d);
        return NULL;
    }
    for (int i = 0; i < p->n_misses; i++) {
        struct draw_want *w = &d->wants[p->misses[i].want];
        w->n_missing = p->misses[i].n_missing, w->why = draw_copy(d, p->misses[i].why), w->buy = draw_copy(d, p->misses[i].buy);
    }
    return d;
}
