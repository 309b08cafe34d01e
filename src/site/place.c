/* site/place.c - a plan: searched, proven where it is small, written out with every figure; start at cluster_plan_make(). */
#include "site/place.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "site/place_internal.h"
#include "site/place_words.h"

enum { SEARCH_BUDGET = 12 << 20 /* options looked at: some seconds on a small machine */, EXACT_BUDGET = 8 << 20 };
static const double HOURS_PER_MONTH = 730;

static const char *runtime_of(const struct inv_want *w, const struct inv_device *d)
{
    if (w->n_quants > 0)
        return d->of.plan.runtime;
    if (d->n_share > 0)
        return d->row ? catalog_text(d->row, "runtime") : "";
    switch (d->of.plan.cls) {
    case PLAN_NVIDIA: case PLAN_JETSON: return "ONNX Runtime CUDA";
    case PLAN_AMD: return "ONNX Runtime MIGraphX";
    case PLAN_INTEL: return "ONNX Runtime OpenVINO";
    case PLAN_APPLE: return "ONNX Runtime Core ML";
    case PLAN_CPU: case PLAN_SOC: case PLAN_NPU: case PLAN_CLASS_COUNT: break;
    }
    return "ONNX Runtime";
}

static void fill_place(struct place *p, const struct state *s, int want, const struct rep *r, double share)
{
    const struct place_field *f = s->f;
    const struct inv_want *w = &f->inv->wants[want];
    const struct opt *o = &field_opts(f, want, r->node)->list[r->opt];
    const struct inv_device *d = &f->inv->nodes[r->node].devices[o->device];
    *p = (struct place){ .want = want, .node = r->node, .device = o->device, .quant = o->quant, .bytes = o->bytes, .is_device_memory = o->owns, .runtime = runtime_of(w, d),
                         .tok_s = plan_unknown(), .ttft_s = plan_unknown(), .item_s = plan_point(o->work_s), .busy_w = d->busy_w, .share = share,
                         .load = f->wants[want].per_hour * share * o->work_s / 3600 };
    if (w->n_quants > 0) {
        p->need = place_need(w, o->quant, d);
        place_speed(w, o->quant, d, &p->tok_s, &p->ttft_s, &p->item_s);
    } else
        p->need = (struct plan_memory){ .total = o->bytes };
}

static void fill_nodes(struct cluster_plan *p, const struct state *s)
{
    const struct place_field *f = s->f;
    const struct inventory *inv = p->inv;
    double waited = 0, weight = 0;
    for (int i = 0; i < inv->n_nodes; i++) {
        struct place_node *n = &p->nodes[i];
        const struct inv_node *in = &inv->nodes[i];
        const struct nset *x = &s->node[i];
        double busy = 0;
        n->used_bytes = x->warm + x->cold, n->free_bytes = in->free_bytes - n->used_bytes;
        for (int d = 0; d < in->n_devices; d++) {
            const double rho = s->device[f->device_at[i] + d].rho;
            n->load = fmax(n->load, rho);
            busy += rho > 0 ? fmin(1, rho) * in->devices[d].busy_w : 0;
        }
        n->idle_w = in->wake[0] ? place_awake(f, i, x->n_warm, x->per_hour) : in->idle_w;
        n->mean_w = n->idle_w + busy;
        p->watts += isnan(n->mean_w) ? 0 : n->mean_w;
    }
    for (int i = 0; i < p->n; i++) {
        const struct place *r = &p->list[i];
        const struct want_facts *w = &f->wants[r->want];
        const struct dset *d = &s->device[f->device_at[r->node] + r->device];
        const struct opts *o = field_opts(f, r->want, r->node);
        double load_s = 0;
        for (int k = 0; k < o->n; k++)
            if (o->list[k].device == r->device && o->list[k].quant == r->quant)
                load_s = o->list[k].load_s;
        waited += w->weight * r->share * (r->item_s.mid + inv->nodes[r->node].rtt_s + place_wait_s(d->rho, d->m2) + w->p_cold * load_s);
        weight += w->weight * r->share;
    }
    p->latency_s = weight > 0 ? waited / weight : (double)NAN;
    p->usd_month = p->watts * HOURS_PER_MONTH / 1000 * inv->usd_per_kwh;
}

static bool fill(struct cluster_plan *p, const struct state *s, struct catalog *c, struct err *err)
{
    const struct inventory *inv = p->inv;
    int n = 0, n_misses = 0;
    for (int w = 0; w < inv->n_wants; w++)
        n += s->want[w].n, n_misses += s->want[w].n < s->f->wants[w].n_min;
    p->list = calloc((size_t)n + 1, sizeof(*p->list));
    p->misses = calloc((size_t)n_misses + 1, sizeof(*p->misses));
    p->nodes = calloc((size_t)inv->n_nodes, sizeof(*p->nodes));
    if (!p->list || !p->misses || !p->nodes)
        return err_set(err, ERR_NOMEM, "placement: out of memory");
    for (int w = 0; w < inv->n_wants; w++) {
        const struct wset *x = &s->want[w];
        double speed = 0;
        for (int i = 0; i < x->n; i++)
            speed += 1 / field_opts(s->f, w, x->r[i].node)->list[x->r[i].opt].work_s;
        for (int i = 0; i < x->n; i++)
            fill_place(&p->list[p->n++], s, w, &x->r[i], 1 / field_opts(s->f, w, x->r[i].node)->list[x->r[i].opt].work_s / speed);
    }
    fill_nodes(p, s);
    place_explain(p, s, c);
    return true;
}

struct cluster_plan *cluster_plan_make(const struct inventory *inv, struct catalog *c, struct err *err)
{
    struct cluster_plan *p = calloc(1, sizeof(*p));
    struct place_field *f = p ? place_field_new(inv, err) : NULL;
    struct state *s = f ? state_new(f, err) : NULL;
    if (!p)
        err_set(err, ERR_NOMEM, "placement: out of memory");
    bool ok = s && place_search(s, SEARCH_BUDGET, err) && place_exact(s, EXACT_BUDGET, &p->is_exact, err);
    if (ok) {
        struct place_score score = { 0 };
        p->inv = inv, p->n_looked_at = s->n_looked_at;
        ok = fill(p, s, c, err);
        if (ok && !place_score_of(f, p->list, p->n, &score))
            ok = err_set(err, ERR_INTERNAL, "placement: a plan that the judge does not accept: this is a mistake in tutti");
        p->score = score.total;
    }
    state_free(s);
    place_field_free(f);
    if (ok)
        return p;
    cluster_plan_free(p);
    return NULL;
}

/* The option of a want on that node's device in that precision; -1. */
static int option_of(const struct place_field *f, const struct place *r)
{
    const struct opts *o = field_opts(f, r->want, r->node);
    for (int i = 0; i < o->n; i++)
        if (o->list[i].device == r->device && o->list[i].quant == r->quant)
            return i;
    return -1;
}

struct cluster_plan *cluster_plan_of(const struct inventory *inv, const struct place *list, int n, struct err *err)
{
    struct cluster_plan *p = calloc(1, sizeof(*p));
    struct rep *reps = calloc((size_t)n + 1, sizeof(*reps));
    struct place_field *f = p && reps ? place_field_new(inv, err) : NULL;
    struct state *s = f ? state_new(f, err) : NULL;
    struct place_score score;
    bool ok = s != NULL;
    if (!p || !reps)
        err_set(err, ERR_NOMEM, "placement: out of memory");
    if (ok && !place_score_of(f, list, n, &score))
        ok = err_set(err, ERR_INPUT, "placement: more than there is memory for, or what is not possible");
    for (int w = 0; ok && w < inv->n_wants; w++) {
        int k = 0;
        for (int i = 0; i < n; i++)
            if (list[i].want == w)
                reps[k++] = (struct rep){ list[i].node, option_of(f, &list[i]) };
        if (k > 0 && !state_put(s, w, reps, k))
            ok = err_set(err, ERR_NOMEM, "placement: out of memory");
    }
    if (ok)
        p->inv = inv, p->score = score.total, ok = fill(p, s, NULL, err);
    state_free(s);
    place_field_free(f);
    free(reps);
    if (ok)
        return p;
    cluster_plan_free(p);
    return NULL;
}

void cluster_plan_free(struct cluster_plan *p)
{
    if (!p)
        return;
    free(p->list);
    free(p->misses);
    free(p->nodes);
    free(p);
}
