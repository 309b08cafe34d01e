/* site/place_state.c - a plan while it is looked for: who lies where, what that costs, what one more would cost. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "site/place_internal.h"

struct state *state_new(const struct place_field *f, struct err *err)
{
    const struct inventory *inv = f->inv;
    struct state *s = calloc(1, sizeof(*s));
    if (s) {
        s->f = f;
        s->want = calloc((size_t)inv->n_wants + 1, sizeof(*s->want));
        s->node = calloc((size_t)inv->n_nodes + 1, sizeof(*s->node));
        s->device = calloc((size_t)f->device_at[inv->n_nodes] + 1, sizeof(*s->device));
    }
    if (!s || !s->want || !s->node || !s->device) {
        state_free(s);
        err_set(err, ERR_NOMEM, "placement: out of memory");
        return NULL;
    }
    for (int w = 0; w < inv->n_wants; w++)
        s->n_missing += f->wants[w].n_min;
    return s;
}

void state_free(struct state *s)
{
    if (!s)
        return;
    for (int w = 0; s->want && w < s->f->inv->n_wants; w++)
        free(s->want[w].r);
    for (int i = 0; s->node && i < s->f->inv->n_nodes; i++)
        free(s->node[i].in);
    free(s->want);
    free(s->node);
    free(s->device);
    free(s);
}

/* Warm ones lie there together, with the largest of those that are loaded when they are asked. */
static bool holds(uint64_t warm, uint64_t cold, uint64_t bytes, bool stays, uint64_t room)
{
    if (stays)
        warm += bytes;
    else if (bytes > cold)
        cold = bytes;
    return warm <= room && cold <= room - warm;
}

bool state_fits(const struct state *s, int want, int node, const struct opt *o)
{
    const struct place_field *f = s->f;
    const struct inv_node *n = &f->inv->nodes[node];
    const struct nset *in = &s->node[node];
    const int at = f->device_at[node] + o->device;
    const struct dset *d = &s->device[at];
    const bool stays = f->inv->wants[want].keeps_warm;
    if (n->devices[o->device].n_share > 0 && d->n >= n->devices[o->device].n_share)
        return false;
    if (f->device_cap[at] > 0 && !holds(d->warm, d->cold, o->bytes, stays, f->device_cap[at]))
        return false;
    return o->owns || holds(in->warm, in->cold, o->bytes, stays, n->free_bytes);
}

static double waits(const struct place_field *f, const struct dset *d) { return f->cl * d->p * place_wait_s(d->rho, d->m2); }
static double wakes(const struct place_field *f, int node, int n_warm, double per_hour) { return f->ce * place_awake(f, node, n_warm, per_hour); }

/* Of a want, on a node. */
static double share_on(const struct state *s, int want, int node)
{
    const struct nset *in = &s->node[node];
    for (int i = 0; i < in->n; i++)
        if (in->in[i].want == want)
            return in->in[i].share;
    return 0;
}

/* What edges cost for a replica here with this share of the want: pieces that come from and go to what is placed, other than on this node.
 * The same sum seen from either end of an edge. */
static double edges_of(const struct state *s, int want, int node, double share)
{
    const struct place_field *f = s->f;
    double sum = 0;
    for (const struct want_edge *x = f->wants[want].edges; x && x->edge; x++) {
        const double up = place_edge_up(f, x->edge, node);
        double seconds = up; /* the camera is at the switch */
        if (x->other >= 0) {
            const struct wset *o = &s->want[x->other];
            if (o->n == 0)
                continue;
            const double here = share_on(s, x->other, node);
            seconds = (1 - here) * up + (o->rtt_half_s + x->edge->bytes * o->s_per_byte - here * up);
        }
        sum += f->cl * x->edge->per_hour * share * seconds;
    }
    return sum;
}

double state_marginal(struct state *s, int want, int node, const struct opt *o, bool with_wake)
{
    const struct place_field *f = s->f;
    const struct want_facts *w = &f->wants[want];
    const struct inv_want *iw = &f->inv->wants[want];
    struct dset d = s->device[f->device_at[node] + o->device];
    double cost = place_static(f, want, node, o) + place_room(f, node, o) - waits(f, &d);
    if (w->n_max == 1) { /* the whole traffic comes here */
        d.p += w->weight, d.rho += w->per_hour * o->work_s / 3600, d.m2 += w->per_hour * o->work_s * o->work_s / 3600;
        cost += waits(f, &d);
    } else /* whatever its share is, what is there already is waited for */
        cost += f->cl * (d.p + w->weight) * place_wait_s(d.rho, d.m2);
    cost += edges_of(s, want, node, 1);
    if (f->inv->nodes[node].may_leave && (w->n_max == 1 || with_wake))
        cost += PLACE_ALONE_COST;
    if (with_wake) {
        const struct nset *in = &s->node[node];
        cost += wakes(f, node, in->n_warm + iw->keeps_warm, in->per_hour + w->per_hour) - wakes(f, node, in->n_warm, in->per_hour);
    }
    s->n_looked_at++;
    return cost;
}

static bool grow(void **list, int *cap, int need, size_t item)
{
    if (need <= *cap)
        return true;
    const int more = *cap * 2 > need ? *cap * 2 : need + 3;
    void *bigger = realloc(*list, (size_t)more * item);
    if (!bigger)
        return false;
    *list = bigger, *cap = more;
    return true;
}

static void put_one(struct state *s, int want, struct rep r, double share)
{
    const struct place_field *f = s->f;
    const struct want_facts *w = &f->wants[want];
    const struct opt *o = &field_opts(f, want, r.node)->list[r.opt];
    struct nset *in = &s->node[r.node];
    struct dset *d = &s->device[f->device_at[r.node] + o->device];
    const bool stays = f->inv->wants[want].keeps_warm;
    s->cost -= waits(f, d) + wakes(f, r.node, in->n_warm, in->per_hour);
    const double per_hour = w->per_hour * share;
    d->p += w->weight * share, d->rho += per_hour * o->work_s / 3600, d->m2 += per_hour * o->work_s * o->work_s / 3600, d->n++;
    in->per_hour += per_hour;
    if (stays) {
        in->n_warm++, d->warm += o->bytes;
        if (!o->owns)
            in->warm += o->bytes;
    } else {
        in->n_cold++;
        if (o->bytes > d->cold)
            d->cold = o->bytes;
        if (!o->owns && o->bytes > in->cold)
            in->cold = o->bytes;
    }
    in->in[in->n++] = (struct resident){ want, r.opt, share };
    s->cost += waits(f, d) + wakes(f, r.node, in->n_warm, in->per_hour);
}

/* Sums are made anew from those that remain: nothing drifts. */
static void take_one(struct state *s, int want, struct rep r)
{
    const struct place_field *f = s->f;
    const struct opt *o = &field_opts(f, want, r.node)->list[r.opt];
    struct nset *in = &s->node[r.node];
    struct dset *d = &s->device[f->device_at[r.node] + o->device];
    s->cost -= waits(f, d) + wakes(f, r.node, in->n_warm, in->per_hour);
    struct nset left = { .in = in->in, .cap = in->cap };
    struct dset there = { 0 };
    for (int i = 0; i < in->n; i++) {
        const struct resident x = in->in[i];
        if (x.want == want)
            continue;
        const struct opt *p = &field_opts(f, x.want, r.node)->list[x.opt];
        const bool stays = f->inv->wants[x.want].keeps_warm;
        const double share = x.share, per_hour = f->wants[x.want].per_hour * share;
        left.in[left.n++] = x;
        left.per_hour += per_hour;
        left.n_warm += stays, left.n_cold += !stays;
        if (!p->owns && stays)
            left.warm += p->bytes;
        else if (!p->owns && p->bytes > left.cold)
            left.cold = p->bytes;
        if (p->device != o->device)
            continue;
        there.n++;
        there.p += f->wants[x.want].weight * share, there.rho += per_hour * p->work_s / 3600, there.m2 += per_hour * p->work_s * p->work_s / 3600;
        if (stays)
            there.warm += p->bytes;
        else if (p->bytes > there.cold)
            there.cold = p->bytes;
    }
    *in = left, *d = there;
    s->cost += waits(f, d) + wakes(f, r.node, in->n_warm, in->per_hour);
}

static int missing(const struct want_facts *w, int n) { return w->n_min > n ? w->n_min - n : 0; }

bool state_put(struct state *s, int want, const struct rep *r, int n)
{
    const struct place_field *f = s->f;
    struct wset *w = &s->want[want];
    double all = 0, own = 0, edges = 0;
    bool is_alone = n > 0;
    for (int i = 0; i < n; i++) {
        struct nset *in = &s->node[r[i].node];
        if (!grow((void **)&in->in, &in->cap, in->n + 1, sizeof(*in->in)))
            return false;
        all += 1 / field_opts(f, want, r[i].node)->list[r[i].opt].work_s;
    }
    if (!grow((void **)&w->r, &w->cap, n, sizeof(*w->r)))
        return false;
    w->rtt_half_s = w->s_per_byte = 0;
    for (int i = 0; i < n; i++) {
        const struct opt *o = &field_opts(f, want, r[i].node)->list[r[i].opt];
        const double share = 1 / o->work_s / all;
        put_one(s, want, r[i], share);
        own += share * place_static(f, want, r[i].node, o) + place_room(f, r[i].node, o);
        edges += edges_of(s, want, r[i].node, share);
        w->rtt_half_s += share * f->inv->nodes[r[i].node].rtt_s / 2, w->s_per_byte += share * place_link_s(f, r[i].node);
        is_alone = is_alone && f->inv->nodes[r[i].node].may_leave;
        w->r[i] = r[i];
    }
    w->n = n, w->own = own + (is_alone ? PLACE_ALONE_COST : 0);
    s->cost += w->own + edges;
    s->n_missing += missing(&f->wants[want], n) - missing(&f->wants[want], 0);
    return true;
}

void state_take(struct state *s, int want)
{
    const struct place_field *f = s->f;
    struct wset *w = &s->want[want];
    const int n = w->n;
    double edges = 0;
    for (int i = 0; i < n && f->wants[want].edges; i++)
        edges += edges_of(s, want, w->r[i].node, share_on(s, want, w->r[i].node));
    for (int i = 0; i < n; i++)
        take_one(s, want, w->r[i]);
    s->cost -= w->own + edges;
    w->n = 0, w->own = 0;
    s->n_missing += missing(&f->wants[want], 0) - missing(&f->wants[want], n);
}
