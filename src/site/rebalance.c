/* site/rebalance.c - see rebalance.h; start at rebalance_make().  What runs now: rebalance_now.c. */
#include "site/rebalance.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "site/manifest.h"
#include "site/rebalance_internal.h"

enum { SEARCH_BUDGET = 12 << 20, EXACT_BUDGET = 8 << 20 /* as place.c */, PAIRS_MAX = 40, NEAR_MAX = 1024, STEPS_MAX = 64 };

const char *rebalance_kind_name(enum rebalance_kind k)
{
    static const char *const names[REBALANCE_KIND_COUNT] = { "add", "withdraw", "move", "precision" };
    return names[k];
}

/* ---- what should ---- */

static bool find_best(struct rebalance_work *w, struct place_field *f, struct err *err)
{
    struct rebalance *r = w->r;
    struct state *s = state_new(f, err);
    bool is_exact = false, ok = s && place_search(s, SEARCH_BUDGET, err) && place_exact(s, EXACT_BUDGET, &is_exact, err);
    int n = 0;
    for (int want = 0; ok && want < w->inv->n_wants; want++)
        n += s->want[want].n;
    if (ok && !(r->then = calloc((size_t)n + (size_t)r->n_now + STEPS_MAX + 1, sizeof(*r->then))))
        ok = err_set(err, ERR_NOMEM, "rebalance: out of memory");
    for (int want = 0; ok && want < w->inv->n_wants; want++)
        for (int i = 0; i < s->want[want].n; i++) {
            const struct rep *x = &s->want[want].r[i];
            const struct opt *o = &field_opts(f, want, x->node)->list[x->opt];
            r->then[r->n_then++] = (struct place){ .want = want, .node = x->node, .device = o->device, .quant = o->quant };
        }
    state_free(s);
    return ok;
}

static const struct place *find(const struct place *list, int n, int want, int node)
{
    for (int i = 0; i < n; i++)
        if (list[i].want == want && list[i].node == node)
            return &list[i];
    return NULL;
}

/* Nobody says on which device a running expert computes, and some do not say how large they are: what is not known is taken to be as it should. */
static void settle_unknown(const struct rebalance_work *w)
{
    struct rebalance *r = w->r;
    for (int i = 0; i < r->n_now; i++) {
        struct place *p = &r->now[i];
        const struct place *t = find(r->then, r->n_then, p->want, p->node);
        if (t && (p->bytes == 0 || w->inv->wants[p->want].n_quants == 0 || p->quant == t->quant))
            p->device = t->device, p->quant = t->quant;
        p->bytes = 0;
    }
}

static bool find_changes(struct rebalance *r, struct err *err)
{
    if (!(r->changes = calloc((size_t)r->n_now + (size_t)r->n_then + 1, sizeof(*r->changes))))
        return err_set(err, ERR_NOMEM, "rebalance: out of memory");
    for (int i = 0; i < r->n_then; i++) {
        const struct place *t = &r->then[i], *was = find(r->now, r->n_now, t->want, t->node);
        if (was && was->quant == t->quant && was->device == t->device)
            continue;
        r->changes[r->n_changes++] = (struct rebalance_change){ .kind = was ? REBALANCE_PRECISION : REBALANCE_ADD, .want = t->want, .from = was ? t->node : -1, .to = t->node,
                                                                .was = was ? *was : (struct place){ .node = -1 }, .is = *t };
    }
    for (int i = 0; i < r->n_now; i++) { /* what goes: from one that comes, else for good */
        const struct place *p = &r->now[i];
        struct rebalance_change *c = NULL;
        if (find(r->then, r->n_then, p->want, p->node))
            continue;
        for (int k = 0; k < r->n_changes && !c; k++)
            if (r->changes[k].kind == REBALANCE_ADD && r->changes[k].want == p->want)
                c = &r->changes[k];
        if (c)
            c->kind = REBALANCE_MOVE, c->was = *p, c->from = p->node;
        else
            r->changes[r->n_changes++] = (struct rebalance_change){ .kind = REBALANCE_WITHDRAW, .want = p->want, .from = p->node, .to = -1, .was = *p, .is = { .node = -1 } };
    }
    return true;
}

/* list without that change: as it is now there.  Room for one more is in it.  Returns how many. */
static int undone(const struct place *list, int n, const struct rebalance_change *c, struct place *out)
{
    int k = 0;
    for (int i = 0; i < n; i++)
        if (!(c->is.node >= 0 && list[i].want == c->want && list[i].node == c->is.node))
            out[k++] = list[i];
    if (c->was.node >= 0)
        out[k++] = c->was;
    return k;
}

/* One step from what runs: the one change of a replica that is worth most.  trial: room for n + 1.  false: nothing fits, or memory is out. */
static bool best_step(const struct place_field *f, struct place *list, int *n, struct place *trial, struct place_score *score)
{
    const struct inventory *inv = f->inv;
    struct place_score best = *score, s;
    struct place put = { .node = -1 };
    int at = -1, n_best = 0; /* at: which one changes; *n: one more; n_best: length after */
    for (int w = 0; w < inv->n_wants; w++) {
        int have = 0;
        for (int i = 0; i < *n; i++)
            have += list[i].want == w;
        for (int i = 0; i <= *n; i++) {
            if (i < *n ? list[i].want != w : have >= f->wants[w].n_max)
                continue;
            for (int node = 0; node < inv->n_nodes; node++) {
                const struct opts *o = field_opts(f, w, node);
                for (int k = 0; k < o->n && field_allows(f, w, node); k++) {
                    memcpy(trial, list, (size_t)*n * sizeof(*list));
                    trial[i] = (struct place){ .want = w, .node = node, .device = o->list[k].device, .quant = o->list[k].quant };
                    const int len = i < *n ? *n : *n + 1;
                    if (place_score_of(f, trial, len, &s) && s.total < best.total)
                        best = s, put = trial[i], at = i, n_best = len;
                }
            }
            if (i < *n && have > f->wants[w].n_min) { /* or goes */
                memcpy(trial, list, (size_t)*n * sizeof(*list));
                trial[i] = trial[*n - 1];
                if (place_score_of(f, trial, *n - 1, &s) && s.total < best.total)
                    best = s, put = trial[i], at = i, n_best = *n - 1;
            }
        }
    }
    if (at < 0)
        return false;
    list[at] = put;
    *n = n_best;
    *score = best;
    return true;
}

/* The best plan may be far away where a near one is as good: from what runs, step by step, while a step is worth it. */
static bool try_near(struct rebalance *r, const struct place_field *f, double threshold, struct err *err)
{
    struct place_score then, near = { .total = INFINITY };
    int n = r->n_now;
    if ((long)f->inv->n_nodes * f->inv->n_wants > NEAR_MAX || !place_score_of(f, r->then, r->n_then, &then))
        return true;
    struct place *list = calloc((size_t)n + STEPS_MAX + 1, sizeof(*list)), *trial = calloc((size_t)n + STEPS_MAX + 2, sizeof(*trial));
    struct place *kept = calloc((size_t)n + STEPS_MAX + 2, sizeof(*kept));
    const bool ok = list && trial && kept;
    if (ok && n > 0)
        memcpy(list, r->now, (size_t)n * sizeof(*list));
    if (ok && !place_score_of(f, list, n, &near))
        near.total = INFINITY;
    for (int i = 0; ok && i < STEPS_MAX; i++) {
        struct place_score step = near;
        memcpy(kept, list, (size_t)n * sizeof(*list));
        int len = n;
        if (!best_step(f, kept, &len, trial, &step) || near.total - step.total < threshold * then.cost)
            break;
        memcpy(list, kept, (size_t)len * sizeof(*list));
        n = len, near = step;
    }
    if (ok && near.total <= then.total + threshold * then.cost && n <= r->n_then + r->n_now + STEPS_MAX) {
        memcpy(r->then, list, (size_t)n * sizeof(*list));
        r->n_then = n;
    }
    free(list);
    free(trial);
    free(kept);
    return ok || err_set(err, ERR_NOMEM, "rebalance: out of memory");
}

/* What is lost when one change, or two (b >= 0), are left out.  some, more: room for the list. */
static double loss_without(const struct rebalance *r, const struct place_field *f, const struct place_score *then, int a, int b, struct place *some, struct place *more)
{
    struct place_score s;
    int n = undone(r->then, r->n_then, &r->changes[a], some);
    if (b >= 0)
        n = undone(some, n, &r->changes[b], more);
    if (!place_score_of(f, b >= 0 ? more : some, n, &s) || s.n_missing > then->n_missing)
        return INFINITY;
    return (s.total - then->total) / fmax(1e-9, then->cost);
}

static void leave(struct rebalance *r, int i, struct place *some)
{
    r->n_then = undone(r->then, r->n_then, &r->changes[i], some);
    memcpy(r->then, some, (size_t)r->n_then * sizeof(*some));
    r->changes[i] = r->changes[--r->n_changes];
}

/* Least worth first, as long as one is worth less than the threshold; then two that are (an exchange is one of those). */
static bool leave_small(struct rebalance *r, const struct place_field *f, double threshold, struct err *err)
{
    const size_t room = 2 * ((size_t)r->n_now + (size_t)r->n_then + 1);
    struct place *some = calloc(room, sizeof(*some)), *more = calloc(room, sizeof(*more));
    struct place_score then = { 0 };
    for (bool is_less = some && more; is_less;) {
        int least = -1, a = -1, b = -1;
        place_score_of(f, r->then, r->n_then, &then);
        for (int i = 0; i < r->n_changes; i++) {
            r->changes[i].gain = loss_without(r, f, &then, i, -1, some, more);
            if (least < 0 || r->changes[i].gain < r->changes[least].gain)
                least = i;
        }
        if ((is_less = least >= 0 && r->changes[least].gain < threshold)) {
            leave(r, least, some);
            continue;
        }
        for (int i = 0; i < r->n_changes && !is_less && r->n_changes <= PAIRS_MAX; i++)
            for (int k = i + 1; k < r->n_changes && !is_less; k++)
                if (loss_without(r, f, &then, i, k, some, more) < threshold)
                    is_less = true, a = i, b = k;
        if (is_less)
            leave(r, b, some), leave(r, a, some); /* b is the later one */
    }
    const bool ok = some && more;
    free(some);
    free(more);
    r->score_then = then.total;
    return ok || err_set(err, ERR_NOMEM, "rebalance: out of memory");
}

/* ---- what it costs ---- */

static void fill_cost(const struct rebalance_work *w, struct place_field *f, struct rebalance_change *c)
{
    const struct inv_want *x = &w->inv->wants[c->want];
    const struct rebalance *r = w->r;
    c->source = -1, c->move_s = c->load_s = NAN;
    if (c->to < 0)
        return;
    const struct opts *o = field_opts(f, c->want, c->to);
    for (int i = 0; i < o->n; i++)
        if (o->list[i].device == c->is.device && o->list[i].quant == c->is.quant)
            c->load_s = o->list[i].load_s;
    manifest_model_file(w->inv, &c->is, c->file, sizeof(c->file));
    const struct place *there = find(r->now, r->n_now, c->want, c->to);
    if (rebalance_has_file(w, c->to, c->file) || (there && there->quant == c->is.quant)) {
        c->move_s = 0;
        return;
    }
    c->needs_file = true;
    c->move_bytes = x->n_quants ? x->model_of[c->is.quant].weight_bytes : x->bytes;
    for (int i = 0; i < w->inv->n_nodes && c->source < 0; i++) {
        const struct place *p = find(r->now, r->n_now, c->want, i);
        if (r->is_up[i] && i != c->to && (rebalance_has_file(w, i, c->file) || (p && p->quant == c->is.quant)))
            c->source = i;
    }
    if (c->source >= 0)
        c->move_s = (double)c->move_bytes * fmax(place_link_s(f, c->source), place_link_s(f, c->to));
}

static int by_gain(const void *a, const void *b)
{
    const struct rebalance_change *x = a, *y = b;
    if (x->gain != y->gain)
        return x->gain < y->gain ? 1 : -1;
    return x->want != y->want ? (x->want > y->want) - (x->want < y->want) : (x->to > y->to) - (x->to < y->to);
}

static bool compare(struct rebalance_work *w, double threshold, struct err *err)
{
    struct rebalance *r = w->r;
    struct place_score now;
    struct place_field *f = place_field_new(w->inv, err); /* anew: nodes are away now */
    if (!f)
        return false;
    rebalance_use_measured(w, f);
    bool ok = find_best(w, f, err);
    if (ok) {
        settle_unknown(w);
        r->fits_now = place_score_of(f, r->now, r->n_now, &now);
        r->score_now = r->fits_now ? now.total : (double)NAN;
        ok = try_near(r, f, threshold, err) && find_changes(r, err) && leave_small(r, f, threshold, err);
    }
    for (int i = 0; ok && i < r->n_changes; i++)
        fill_cost(w, f, &r->changes[i]);
    if (ok)
        qsort(r->changes, (size_t)r->n_changes, sizeof(*r->changes), by_gain);
    place_field_free(f);
    return ok;
}

struct rebalance *rebalance_make(struct inventory *inv, const char *json, size_t n, double threshold, struct err *err)
{
    json_error_t why;
    struct rebalance_work w = { .inv = inv, .all = json_loadb(json, n, 0, &why) };
    if (!json_is_object(w.all)) {
        json_decref(w.all);
        return err_null(err, ERR_INPUT, "rebalance: what the service says of the cluster is no JSON object: %.100s", why.text);
    }
    w.r = calloc(1, sizeof(*w.r));
    w.f = place_field_new(inv, err);
    bool ok = w.r && w.f && rebalance_take(&w, err) && compare(&w, threshold, err);
    if (!w.r)
        err_set(err, ERR_NOMEM, "rebalance: out of memory");
    place_field_free(w.f);
    free(w.measured);
    json_decref(w.all);
    if (ok)
        return w.r;
    rebalance_free(w.r);
    return NULL;
}

void rebalance_free(struct rebalance *r)
{
    if (!r)
        return;
    free(r->now);
    free(r->then);
    free(r->is_up);
    free(r->changes);
    free(r);
}

/* ---- JSON ---- */

static void put_number(struct buf *b, const char *key, double v) { buf_printf(b, isfinite(v) ? ",\"%s\":%.6g" : ",\"%s\":null", key, v); }

static void put_name(struct buf *b, const char *key, const char *s)
{
    buf_printf(b, ",\"%s\":", key);
    if (s && *s)
        buf_put_json_text(b, s);
    else
        buf_puts(b, "null");
}

void rebalance_put_json(const struct rebalance *r, const struct inventory *inv, struct buf *b)
{
    buf_printf(b, "{\"n_replicas\":%d,\"n_away\":%d,\"n_measured\":%d,\"n_strange\":%d,\"fits_now\":%s", r->n_now, r->n_away, r->n_measured, r->n_strange, r->fits_now ? "true" : "false");
    put_number(b, "score_now", r->score_now), put_number(b, "score_then", r->score_then);
    buf_puts(b, ",\"changes\":[");
    for (int i = 0; i < r->n_changes; i++) {
        const struct rebalance_change *c = &r->changes[i];
        const struct inv_want *w = &inv->wants[c->want];
        buf_printf(b, "%s{\"change\":\"%s\"", i ? "," : "", rebalance_kind_name(c->kind));
        put_name(b, "expert", w->name);
        put_name(b, "from", c->from >= 0 ? inv->nodes[c->from].name : NULL);
        put_name(b, "to", c->to >= 0 ? inv->nodes[c->to].name : NULL);
        put_name(b, "quant", w->n_quants && c->to >= 0 ? w->model_of[c->is.quant].quant : NULL);
        put_number(b, "gain_frac", c->gain);
        put_name(b, "file", c->file);
        put_name(b, "source", c->source >= 0 ? inv->nodes[c->source].name : NULL);
        buf_printf(b, ",\"move_bytes\":%llu", (unsigned long long)c->move_bytes);
        put_number(b, "move_s", c->move_s), put_number(b, "load_s", c->load_s);
        buf_putc(b, '}');
    }
    buf_puts(b, "]}\n");
}
