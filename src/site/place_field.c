/* site/place_field.c - what each expert needs and does on each kind of machine, asked of plan/ once; start at place_field_new(). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "site/place_internal.h"
#include "plan/speed.h"

/* A network's work that no accelerator shortens: decoding, scaling, copying one input. */
static const double ITEM_FIXED_S = .001, HOURS_MONTH = 730, MONTHS_OF_USE = 36, KEPT_PER_HOUR = 12 /* a cold expert stays five minutes */;
static const double PI_PEAK = .307e12; /* data/soc.csv, Raspberry Pi 5, fp16: an inventory's `item` is stated on it */
enum { ARENA_BYTES_MAX = 1 << 30 };

/* ---- one expert on one device ---- */

/* FLOP/s as route/fleet_derive.c takes it. */
static double peak_of(const struct inv_device *d)
{
    const struct plan_device *p = &d->of.plan;
    if (p->name[0] && (p->fp16_tflops > 0 || p->fp32_tflops > 0))
        return 1e12 * (p->fp16_tflops > 0 ? p->fp16_tflops : p->fp32_tflops) * p->n_devices;
    return d->tops_int8 > 0 ? 1e12 * d->tops_int8 / 2 : 0;
}

struct plan_memory place_need(const struct inv_want *w, int quant, const struct inv_device *d)
{
    const struct plan_device *p = &d->of.plan;
    return plan_memory_of(&w->model_of[quant], &(struct plan_memory_options){ .engine = plan_engine_of(p->runtime), .cls = p->cls, .n_ctx = w->n_ctx, .n_seq = w->n_parallel,
                                                                              .kv_bits = w->kv_bits, .n_threads = p->cores });
}

bool place_speed(const struct inv_want *w, int quant, const struct inv_device *d, struct plan_range *tok_s, struct plan_range *ttft_s, struct plan_range *item_s)
{
    const struct plan_model *m = &w->model_of[quant];
    const double answer = w->traffic.answer_tok, prompt = w->traffic.prompt_tok;
    struct plan_speed_query q = plan_speed_query_for(&d->of.plan, m, d->of.plan.runtime);
    q.kv_bytes_per_tok = (double)plan_kv_bytes_per_tok(m, w->kv_bits);
    q.work = plan_workload_one((int)prompt, answer >= 1 ? (int)answer : 1, 0);
    const struct plan_speed s = plan_speed_predict(&q);
    *tok_s = s.tg_tps;
    *ttft_s = plan_scale(s.ttft_ms, 1e-3);
    *item_s = plan_add(plan_invert(s.pp_tps, prompt), answer > 0 ? plan_invert(s.tg_tps, answer) : plan_point(0));
    return plan_is_known(*item_s) && item_s->mid > 0;
}

static bool is_meant(const struct inv_want *w, const struct inv_device *d)
{
    if (w->accelerator[0] && !strcmp(w->accelerator, d->resource))
        return true;
    return !w->needs_accelerator && !d->n_share; /* a stick wants a model of its own */
}

static bool language_option(const struct inv_want *w, int quant, const struct inv_device *d, struct opt *o)
{
    struct plan_range tok_s, ttft_s, item_s;
    if (!d->runs_llm || !place_speed(w, quant, d, &tok_s, &ttft_s, &item_s))
        return false;
    const struct plan_memory need = place_need(w, quant, d);
    const struct plan_placement p = plan_place(&w->model_of[quant], &need, &d->of.plan, 0);
    if (p.fits > PLAN_TIGHT)
        return false;
    const double bpw = w->model_of[quant].bpw;
    o->bytes = p.device_bytes;
    o->work_s = item_s.mid;
    o->loss = bpw >= 8 ? 0 : bpw >= 6 ? .01 : bpw >= 4.2 ? .05 : bpw >= 3.4 ? .2 : .45; /* as advise/fit.c's capability() */
    return true;
}

static bool network_option(const struct inv_want *w, const struct inv_device *d, double pi_peak, struct opt *o)
{
    const double peak = peak_of(d);
    o->bytes = w->bytes;
    if (w->accelerated_s > 0 && w->accelerator[0] && !strcmp(w->accelerator, d->resource))
        o->work_s = w->accelerated_s;
    else if (peak > 0 && pi_peak > 0)
        o->work_s = ITEM_FIXED_S + w->item_s * pi_peak / peak;
    else
        return false;
    const bool is_stick = d->n_share > 0; /* a megabyte or so on the chip is a cache, and the process holds the model in main memory */
    return is_stick ? d->mem_bytes < 64000000 || w->bytes <= d->mem_bytes : !d->mem_bytes || w->bytes <= plan_usable_bytes(&d->of.plan) * (uint64_t)d->of.plan.n_devices;
}

static int options_of(struct place_field *f, const struct inv_node *n, int want, double pi_peak, struct opt *out)
{
    const struct inv_want *w = &f->inv->wants[want];
    const double disk_bytes_s = strcmp(n->board, "pi4") && strcmp(n->board, "pi5") && strcmp(n->board, "jetson") ? 1e9 : 3e8; /* as route/fleet.c */
    int k = 0;
    for (int d = 0; d < n->n_devices; d++)
        for (int q = 0; q < (w->n_quants ? w->n_quants : 1) && is_meant(w, &n->devices[d]); q++) {
            const struct inv_device *dev = &n->devices[d];
            struct opt o = { .device = (short)d, .quant = (short)q };
            if (!(w->n_quants ? language_option(w, q, dev, &o) : network_option(w, dev, pi_peak, &o)) || !(o.work_s > 0) || !isfinite(o.work_s))
                continue;
            o.owns = dev->mem_bytes > 0 && (!dev->n_share || w->n_quants > 0);
            o.joules = o.work_s * (isnan(dev->busy_w) ? f->busy_w_unknown : dev->busy_w);
            o.load_s = .5 + (double)(w->n_quants ? w->model_of[q].weight_bytes : w->bytes) / disk_bytes_s;
            out[k++] = o;
        }
    return k;
}

/* ---- all of it ---- */

/* Kinds are numbered by their first node, so that the same file gives the same numbers wherever memory lies. */
static bool find_kinds(struct place_field *f, struct err *err)
{
    const struct inventory *inv = f->inv;
    enum { SLOTS = 1 << 15 };
    int *slot = arena_alloc(f->arena, SLOTS, sizeof(*slot), err);
    if (!slot)
        return false;
    for (int i = 0; i < inv->n_nodes; i++) {
        size_t at = ((uintptr_t)inv->nodes[i].devices >> 4) * UINT64_C(0x9e3779b97f4a7c15) >> 49;
        while (slot[at] && inv->nodes[slot[at] - 1].devices != inv->nodes[i].devices)
            at = (at + 1) % SLOTS;
        if (!slot[at])
            slot[at] = i + 1, f->kind_of[i] = f->n_kinds++;
        else
            f->kind_of[i] = f->kind_of[slot[at] - 1];
    }
    return true;
}

static bool is_twin(const struct place_field *f, const bool *named, int a, int b)
{
    const struct inv_node *x = &f->inv->nodes[a], *y = &f->inv->nodes[b];
    const bool same_w = x->idle_w == y->idle_w || (isnan(x->idle_w) && isnan(y->idle_w)), same_usd = x->usd == y->usd || (isnan(x->usd) && isnan(y->usd));
    return f->kind_of[a] == f->kind_of[b] && !named[a] && !named[b] && x->free_bytes == y->free_bytes && x->link_gbit_s == y->link_gbit_s && x->rtt_s == y->rtt_s &&
           x->may_leave == y->may_leave && !x->wake[0] && !y->wake[0] && same_w && same_usd && !strcmp(x->board, y->board);
}

static bool find_twins(struct place_field *f, struct err *err)
{
    const struct inventory *inv = f->inv;
    bool *named = arena_alloc(f->arena, (size_t)inv->n_nodes, sizeof(*named), err);
    int *last = arena_alloc(f->arena, (size_t)f->n_kinds, sizeof(*last), err);
    if (!named || !last)
        return false;
    bool is_limited = false;
    for (int w = 0; w < inv->n_wants; w++)
        is_limited |= inv->wants[w].n_only > 0;
    for (int i = 0; i < inv->n_nodes; i++)
        is_limited |= named[i] = inv->nodes[i].is_away;
    if (is_limited && !(f->allowed = arena_alloc(f->arena, (size_t)inv->n_wants * (size_t)inv->n_nodes, sizeof(*f->allowed), err)))
        return false;
    for (int w = 0; is_limited && w < inv->n_wants; w++) {
        if (!inv->wants[w].n_only)
            memset(f->allowed + (size_t)w * inv->n_nodes, 1, (size_t)inv->n_nodes);
        for (int k = 0; k < inv->wants[w].n_only; k++) {
            const int n = inventory_find_node(inv, inv->wants[w].only[k]);
            if (n >= 0)
                f->allowed[(size_t)w * inv->n_nodes + n] = named[n] = true;
        }
    }
    for (int w = 0; is_limited && w < inv->n_wants; w++)
        for (int i = 0; i < inv->n_nodes; i++)
            f->allowed[(size_t)w * inv->n_nodes + i] &= !inv->nodes[i].is_away;
    for (int i = 0; i < inv->n_nodes; i++) { /* of a kind, neighbours in the file are alike */
        int *l = &last[f->kind_of[i]];
        f->twin[i] = *l > 0 && is_twin(f, named, *l - 1, i) ? *l - 1 : i;
        *l = f->twin[i] + 1;
    }
    return true;
}

static bool fill_options(struct place_field *f, struct err *err)
{
    const struct inventory *inv = f->inv;
    struct opt some[INV_DEVICES_MAX * INV_QUANTS_MAX];
    for (int i = 0, kind = 0; i < inv->n_nodes; i++) {
        if (f->kind_of[i] != kind)
            continue;
        for (int w = 0; w < inv->n_wants; w++) {
            struct opts *o = &f->opts[kind * inv->n_wants + w];
            o->n = options_of(f, &inv->nodes[i], w, PI_PEAK, some);
            struct opt *list = arena_alloc(f->arena, (size_t)o->n, sizeof(*list), err);
            if (!list)
                return false;
            memcpy(list, some, (size_t)o->n * sizeof(*list));
            o->list = list;
            for (int k = 0; k < o->n; k++) {
                struct want_facts *w_facts = &f->wants[w];
                w_facts->best_s = fmin(w_facts->best_s, list[k].work_s);
                w_facts->best_j = fmin(w_facts->best_j, list[k].joules);
            }
        }
        kind++;
    }
    return true;
}

static bool fill_edges(struct place_field *f, struct err *err)
{
    const struct inventory *inv = f->inv;
    for (int w = 0; w < inv->n_wants; w++) {
        struct want_edge some[INV_EDGES_MAX + 1], *list;
        int n = 0;
        for (int k = 0; k < inv->n_edges; k++) {
            const struct inv_edge *e = &inv->edges[k];
            const bool is_from = !strcmp(e->from, inv->wants[w].name);
            if (is_from || !strcmp(e->to, inv->wants[w].name))
                some[n++] = (struct want_edge){ e, inventory_find_want(inv, is_from ? e->to : e->from) };
        }
        if (n == 0)
            continue;
        some[n++] = (struct want_edge){ 0 };
        if (!(list = arena_alloc(f->arena, (size_t)n, sizeof(*list), err)))
            return false;
        memcpy(list, some, (size_t)n * sizeof(*list));
        f->wants[w].edges = list;
    }
    return true;
}

static void fill_devices(struct place_field *f)
{
    const struct inventory *inv = f->inv;
    int at = 0;
    for (int i = 0; i < inv->n_nodes; i++) {
        f->device_at[i] = at;
        for (int d = 0; d < inv->nodes[i].n_devices; d++, at++) {
            const struct inv_device *dev = &inv->nodes[i].devices[d];
            const bool is_card = dev->mem_bytes > 0 && (!dev->n_share || dev->runs_llm);
            if (is_card || dev->of.plan.cls == PLAN_APPLE)
                f->device_cap[at] = plan_usable_bytes(&dev->of.plan) * (uint64_t)dev->of.plan.n_devices;
        }
    }
    f->device_at[inv->n_nodes] = at;
}

/* Each goal is measured against the best that it could be if every expert had the machines for itself: then all three are near 1. */
static void fill_scales(struct place_field *f)
{
    const struct inventory *inv = f->inv;
    double waited = 0, watts = 0, usd = 0, price = 0;
    for (int w = 0; w < inv->n_wants; w++) {
        struct want_facts *x = &f->wants[w];
        if (!isfinite(x->best_s))
            continue;
        waited += x->weight * x->best_s;
        watts += x->weight / 3600 * x->best_j;
    }
    for (int i = 0; i < inv->n_nodes; i++)
        price += isnan(inv->nodes[i].usd) ? 0 : inv->nodes[i].usd / inv->n_nodes;
    const double usd_per_w = HOURS_MONTH * inv->usd_per_kwh / 1000;
    usd = watts * usd_per_w + price / MONTHS_OF_USE;
    f->cl = waited > 0 ? inv->latency / waited : 0;
    f->ce = (watts > 0 ? inv->energy / watts : 0) + (usd > 0 ? inv->cost * usd_per_w / usd : 0);
    f->cc = usd > 0 ? inv->cost / usd : 0;
    f->cq = 2. / (inv->n_wants > 0 ? inv->n_wants : 1);
}

struct place_field *place_field_new(const struct inventory *inv, struct err *err)
{
    struct arena *arena = arena_new(ARENA_BYTES_MAX, err);
    struct place_field *f = arena ? arena_alloc(arena, 1, sizeof(*f), err) : NULL;
    size_t n_devices = 0;
    if (!f) {
        arena_free(arena);
        return NULL;
    }
    *f = (struct place_field){ .inv = inv, .arena = arena };
    for (int i = 0; i < inv->n_nodes; i++)
        for (int d = 0; d < inv->nodes[i].n_devices; d++, n_devices++)
            if (inv->nodes[i].devices[d].busy_w > f->busy_w_unknown)
                f->busy_w_unknown = inv->nodes[i].devices[d].busy_w;
    const size_t n = (size_t)inv->n_nodes, n_wants = (size_t)inv->n_wants;
    f->kind_of = arena_alloc(arena, n, sizeof(*f->kind_of), err);
    f->device_at = arena_alloc(arena, n + 1, sizeof(*f->device_at), err);
    f->device_cap = arena_alloc(arena, n_devices, sizeof(*f->device_cap), err);
    f->twin = arena_alloc(arena, n, sizeof(*f->twin), err);
    f->wants = arena_alloc(arena, n_wants, sizeof(*f->wants), err);
    bool ok = f->kind_of && f->device_at && f->device_cap && f->twin && f->wants && find_kinds(f, err) && (f->opts = arena_alloc(arena, (size_t)f->n_kinds * n_wants, sizeof(*f->opts), err)) != NULL;
    for (size_t w = 0; ok && w < n_wants; w++) {
        const struct inv_want *x = &inv->wants[w];
        f->wants[w] = (struct want_facts){ .per_hour = x->traffic.per_hour, .weight = fmax(1, x->traffic.per_hour), .p_cold = x->keeps_warm ? 0 : exp(-x->traffic.per_hour / KEPT_PER_HOUR),
                                           .n_min = x->n_min, .n_max = x->n_max, .best_s = INFINITY, .best_j = INFINITY };
    }
    ok = ok && find_twins(f, err) && fill_edges(f, err) && fill_options(f, err);
    if (!ok) {
        arena_free(arena);
        return NULL;
    }
    fill_devices(f);
    fill_scales(f);
    return f;
}

void place_field_free(struct place_field *f)
{
    if (f)
        arena_free(f->arena);
}

/* ---- costs ---- */

double place_wait_s(double rho, double m2)
{
    const double edge = .98, at = 1 / (1 - edge); /* beyond, the tangent: a queue that grows all hour, and still convex */
    return m2 * (rho <= edge ? 1 / (1 - rho) : at + at * at * (rho - edge));
}

double place_static(const struct place_field *f, int want, int node, const struct opt *o)
{
    const struct want_facts *w = &f->wants[want];
    const struct inv_node *n = &f->inv->nodes[node];
    return f->cl * w->weight * (o->work_s + n->rtt_s + w->p_cold * o->load_s) + f->ce * w->weight / 3600 * o->joules + f->cq * o->loss;
}

double place_room(const struct place_field *f, int node, const struct opt *o)
{
    const struct inv_node *n = &f->inv->nodes[node];
    const double all = o->owns ? (double)f->device_cap[f->device_at[node] + o->device] : (double)n->free_bytes;
    return isnan(n->usd) || !(all > 0) ? 0 : f->cc * n->usd / MONTHS_OF_USE * (double)o->bytes / all;
}

double place_awake(const struct place_field *f, int node, int n_warm, double per_hour)
{
    const struct inv_node *n = &f->inv->nodes[node];
    if (!n->wake[0] || isnan(n->idle_w))
        return 0;
    return n->idle_w * (n_warm > 0 ? 1 : 1 - exp(-per_hour / KEPT_PER_HOUR));
}

double place_link_s(const struct place_field *f, int node) { return 1 / (f->inv->nodes[node].link_gbit_s * 1.18e8); /* 1 Gbit/s as it is used */ }

double place_edge_up(const struct place_field *f, const struct inv_edge *e, int node)
{
    return f->inv->nodes[node].rtt_s / 2 + e->bytes * place_link_s(f, node);
}
