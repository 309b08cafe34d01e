/* site/rebalance_now.c - what runs: the service's word of the cluster (JSON) as places and measured speeds; start at rebalance_take(). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "site/rebalance_internal.h"

static const double FACTOR_MAX = 5; /* a measurement that is further off is of something else */

static const char *text(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "";
}
static double number(const json_t *o, const char *key)
{
    const double v = json_number_value(json_object_get(o, key)); /* 0: none */
    return isfinite(v) && v > 0 ? v : 0;
}

/* "jetson", or a pod of it: "jetson-chat" (site/manifest.c names them so). */
static int node_of(const struct inventory *inv, const char *name)
{
    int best = inventory_find_node(inv, name);
    char part[INV_NAME_MAX];
    snprintf(part, sizeof(part), "%s", name);
    for (char *dash; best < 0 && (dash = strrchr(part, '-'));) {
        *dash = '\0';
        best = inventory_find_node(inv, part);
    }
    return best;
}

/* The option that a running expert most likely is: the one whose weights and K/V are nearest to the bytes that it says; else the fastest. */
static const struct opt *option_of(const struct rebalance_work *w, int want, int node, double bytes)
{
    const struct opts *all = field_opts(w->f, want, node);
    const struct inv_want *x = &w->inv->wants[want];
    const struct opt *best = NULL;
    double best_off = INFINITY;
    for (int i = 0; i < all->n; i++) {
        const struct opt *o = &all->list[i];
        const struct plan_memory need = x->n_quants ? place_need(x, o->quant, &w->inv->nodes[node].devices[o->device]) : (struct plan_memory){ .total = o->bytes };
        const double off = x->n_quants && bytes > 0 ? fabs((double)(need.weights + need.kv) - bytes) : o->work_s; /* else the fastest */
        if (off < best_off || (off == best_off && o->work_s < best->work_s))
            best = o, best_off = off;
    }
    return best;
}

static void note_speed(struct rebalance_work *w, const json_t *e, int want, int node, const struct opt *o)
{
    const struct inv_want *x = &w->inv->wants[want];
    const struct inv_device *d = &w->inv->nodes[node].devices[o->device];
    struct plan_range tok_s, ttft_s, item_s;
    double factor = 0;
    if (!json_is_true(json_object_get(e, "is_measured")))
        return;
    if (x->n_quants && number(e, "decode_tok_s") > 0 && place_speed(x, o->quant, d, &tok_s, &ttft_s, &item_s) && plan_is_known(tok_s))
        factor = tok_s.mid / number(e, "decode_tok_s");
    else if (!x->n_quants && number(e, "item_s") > 0)
        factor = number(e, "item_s") / o->work_s;
    if (factor < 1 / FACTOR_MAX || factor > FACTOR_MAX)
        return;
    w->measured[w->n_measured++] = (struct rebalance_measured){ .kind = w->f->kind_of[node], .want = want, .device = o->device, .factor = factor };
}

static bool has_now(const struct rebalance *r, int want, int node)
{
    for (int i = 0; i < r->n_now; i++)
        if (r->now[i].want == want && r->now[i].node == node)
            return true;
    return false;
}

static void take_node(struct rebalance_work *w, const json_t *m)
{
    struct rebalance *r = w->r;
    const json_t *e;
    size_t i;
    const char *state = text(m, "state");
    const int node = node_of(w->inv, text(m, "name"));
    if (strcmp(state, "up") != 0)
        return; /* one that drains goes */
    if (node < 0) {
        r->n_strange++;
        return;
    }
    r->is_up[node] = true;
    json_array_foreach(json_object_get(m, "experts"), i, e) {
        const int want = inventory_find_want(w->inv, text(e, "id"));
        const struct opt *o = want >= 0 && !has_now(r, want, node) ? option_of(w, want, node, number(e, "memory_bytes")) : NULL;
        if (!o || strcmp(text(e, "state"), "down") == 0) {
            r->n_strange += want < 0;
            continue;
        }
        note_speed(w, e, want, node, o);
        r->now[r->n_now++] = (struct place){ .want = want, .node = node, .device = o->device, .quant = o->quant, .bytes = (uint64_t)number(e, "memory_bytes") };
    }
}

static size_t n_experts(const json_t *m) { return json_array_size(json_object_get(m, "experts")); }

bool rebalance_take(struct rebalance_work *w, struct err *err)
{
    const json_t *self = json_object_get(w->all, "node"), *members = json_object_get(w->all, "members"), *m;
    struct rebalance *r = w->r;
    size_t i, n = n_experts(self);
    json_array_foreach(members, i, m)
        n += n_experts(m);
    r->now = calloc(n + 1, sizeof(*r->now));
    w->measured = calloc(n + 1, sizeof(*w->measured));
    r->is_up = calloc((size_t)w->inv->n_nodes + 1, sizeof(*r->is_up));
    if (!r->now || !r->is_up || !w->measured)
        return err_set(err, ERR_NOMEM, "rebalance: out of memory");
    if (json_is_object(self))
        take_node(w, self);
    json_array_foreach(members, i, m)
        take_node(w, m);
    for (int k = 0; k < w->inv->n_nodes; k++) {
        w->inv->nodes[k].is_away = !r->is_up[k];
        r->n_away += !r->is_up[k];
    }
    r->n_measured = w->n_measured;
    return r->n_away < w->inv->n_nodes || err_set(err, ERR_INPUT, "rebalance: no node of %s answers (tutti cluster status)", w->inv->name);
}

/* Measured ones, into the options of that kind of machine: several of one kind by their mean. */
void rebalance_use_measured(struct rebalance_work *w, struct place_field *f)
{
    for (int i = 0; i < w->n_measured; i++) {
        const struct rebalance_measured *m = &w->measured[i];
        struct opts *o = &f->opts[m->kind * w->inv->n_wants + m->want];
        double sum = 0;
        int n = 0;
        bool is_first = true;
        for (int k = 0; k < w->n_measured; k++) {
            const struct rebalance_measured *x = &w->measured[k];
            if (x->kind != m->kind || x->want != m->want || x->device != m->device)
                continue;
            is_first = is_first && k >= i;
            sum += log(x->factor), n++;
        }
        struct opt *list = is_first ? arena_alloc(f->arena, (size_t)o->n, sizeof(*list), &(struct err){ 0 }) : NULL;
        if (!list)
            continue;
        memcpy(list, o->list, (size_t)o->n * sizeof(*list));
        for (int k = 0; k < o->n; k++)
            if (list[k].device == m->device)
                list[k].work_s *= exp(sum / n), list[k].joules *= exp(sum / n);
        o->list = list;
    }
}

bool rebalance_has_file(const struct rebalance_work *w, int node, const char *file)
{
    const json_t *members = json_object_get(w->all, "members"), *m, *x;
    size_t i, k;
    json_array_foreach(members, i, m)
        if (node_of(w->inv, text(m, "name")) == node)
            json_array_foreach(json_object_get(m, "models"), k, x)
                if (strcmp(text(x, "name"), file) == 0)
                    return true;
    return false;
}
