/* site/place_score.c - what a finished plan costs, reckoned anew from its list: the judge of the searches. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "site/place_internal.h"

struct sums { /* of a node or device */
    uint64_t warm, cold;
    double p, rho, m2, per_hour;
    int n, n_warm;
};

static void add_bytes(struct sums *s, uint64_t bytes, bool stays)
{
    if (stays)
        s->warm += bytes;
    else if (bytes > s->cold)
        s->cold = bytes;
}

static const struct opt *find_opt(const struct place_field *f, const struct place *p)
{
    const struct inventory *inv = f->inv;
    if (p->want < 0 || p->want >= inv->n_wants || p->node < 0 || p->node >= inv->n_nodes || !field_allows(f, p->want, p->node))
        return NULL;
    const struct opts *o = field_opts(f, p->want, p->node);
    for (int i = 0; i < o->n; i++)
        if (o->list[i].device == p->device && o->list[i].quant == p->quant)
            return &o->list[i];
    return NULL;
}

static double edge_seconds(const struct place_field *f, const struct place *list, const double *share, int n, const struct inv_edge *e)
{
    const int from = inventory_find_want(f->inv, e->from), to = inventory_find_want(f->inv, e->to);
    double sum = 0;
    for (int b = 0; b < n; b++)
        for (int a = 0; list[b].want == to && a < (from < 0 ? 1 : n); a++) {
            if (from < 0)
                sum += share[b] * place_edge_up(f, e, list[b].node);
            else if (list[a].want == from && list[a].node != list[b].node)
                sum += share[a] * share[b] * (place_edge_up(f, e, list[a].node) + place_edge_up(f, e, list[b].node));
        }
    return sum;
}

static bool score(const struct place_field *f, const struct place *list, int n, struct sums *node, struct sums *device, double *share, struct place_score *out)
{
    const struct inventory *inv = f->inv;
    out->n_missing = 0, out->cost = 0;
    for (int w = 0; w < inv->n_wants; w++) {
        double speed = 0;
        int count = 0;
        bool stays_put = false;
        for (int i = 0; i < n; i++)
            if (list[i].want == w)
                speed += 1 / find_opt(f, &list[i])->work_s, count++, stays_put |= !inv->nodes[list[i].node].may_leave;
        for (int i = 0; i < n; i++)
            if (list[i].want == w)
                share[i] = 1 / find_opt(f, &list[i])->work_s / speed;
        out->n_missing += count < f->wants[w].n_min ? f->wants[w].n_min - count : 0;
        out->cost += count > 0 && !stays_put ? PLACE_ALONE_COST : 0;
    }
    for (int i = 0; i < n; i++) {
        const struct place *p = &list[i];
        const struct opt *o = find_opt(f, p);
        const struct want_facts *w = &f->wants[p->want];
        const bool stays = inv->wants[p->want].keeps_warm;
        struct sums *d = &device[f->device_at[p->node] + o->device];
        for (int k = 0; k < i; k++)
            if (list[k].want == p->want && list[k].node == p->node)
                return false;
        add_bytes(d, o->bytes, stays);
        if (!o->owns)
            add_bytes(&node[p->node], o->bytes, stays);
        d->n++, node[p->node].n_warm += stays, node[p->node].per_hour += w->per_hour * share[i], node[p->node].n++;
        d->p += w->weight * share[i], d->rho += w->per_hour * share[i] * o->work_s / 3600, d->m2 += w->per_hour * share[i] * o->work_s * o->work_s / 3600;
        out->cost += share[i] * place_static(f, p->want, p->node, o) + place_room(f, p->node, o);
    }
    for (int i = 0; i < inv->n_nodes; i++) {
        if (node[i].warm + node[i].cold > inv->nodes[i].free_bytes)
            return false;
        out->cost += f->ce * place_awake(f, i, node[i].n_warm, node[i].per_hour);
        for (int k = 0; k < inv->nodes[i].n_devices; k++) {
            const struct sums *d = &device[f->device_at[i] + k];
            const uint64_t cap = f->device_cap[f->device_at[i] + k];
            const int most = inv->nodes[i].devices[k].n_share;
            if ((cap > 0 && d->warm + d->cold > cap) || (most > 0 && d->n > most))
                return false;
            out->cost += f->cl * d->p * place_wait_s(d->rho, d->m2);
        }
    }
    for (int k = 0; k < inv->n_edges; k++)
        out->cost += f->cl * inv->edges[k].per_hour * edge_seconds(f, list, share, n, &inv->edges[k]);
    out->total = 1e6 * out->n_missing + out->cost;
    return true;
}

bool place_score_of(const struct place_field *f, const struct place *list, int n, struct place_score *out)
{
    const size_t n_nodes = (size_t)f->inv->n_nodes, n_devices = (size_t)f->device_at[n_nodes];
    for (int i = 0; i < n; i++)
        if (!find_opt(f, &list[i]))
            return false;
    struct sums *node = calloc(n_nodes + 1, sizeof(*node)), *device = calloc(n_devices + 1, sizeof(*device));
    double *share = calloc((size_t)n + 1, sizeof(*share));
    const bool ok = node && device && share && score(f, list, n, node, device, share, out);
    free(node);
    free(device);
    free(share);
    return ok;
}
