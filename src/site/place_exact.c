/* site/place_exact.c - proves a small plan to be the best, or finds a better one: branch and bound over all assignments.
 *
 * Experts are decided hardest first, each tried in every seat (or set of seats, or not at all), cheapest first.  The bound of what is still open:
 * each expert's cheapest seat in the state as it is, as if the others stayed away; one that fits nowhere any more is missing for certain.
 * It is sound because nothing gets cheaper when others come: memory shrinks, waiting on a device (place_internal.h) and edges only add, and two who
 * come to one device wait longer together than each alone (p, m2 are sums, 1 / (1 - rho) is convex: the product is supermodular).  Waking a
 * node is left out, since two may share it; with several replicas a share-weighted mean is at least its least part.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "site/place_internal.h"

enum { SMALL = 4096 /* nodes x experts: beyond it is not tried */ };

struct seat {
    double cost;
    int node, opt;
};

struct hunt {
    struct state *s;
    const int *order;
    int n;
    uint64_t budget;
    bool is_cut, is_bad; /* the budget is spent; memory is out */
    int missing;         /* of those that are decided */
    int best_missing;
    double best_cost;
    struct rep **best;   /* [n wants] */
    int *n_best;
    struct seat *seats;  /* one block for each depth */
    struct rep *reps;    /* the same */
    int n_seats;         /* of a block */
};

/* Alike and both empty: the first one will do. */
static bool is_copy(const struct hunt *h, int node, const struct rep *chosen, int k)
{
    const int t = h->s->f->twin[node];
    if (t == node || h->s->node[t].n > 0 || h->s->node[node].n > 0)
        return false;
    for (int i = 0; i < k; i++)
        if (chosen[i].node == t)
            return false;
    return true;
}

/* Of the wants from depth on: the least that they cost, and how many replicas are missing for certain. */
static double bound(struct hunt *h, int depth, int *forced)
{
    const struct place_field *f = h->s->f;
    double sum = 0;
    *forced = 0;
    for (int i = depth; i < h->n; i++) {
        const int w = h->order[i];
        double least = INFINITY;
        int n_able = 0;
        for (int node = 0; node < f->inv->n_nodes; node++) {
            if (!field_allows(f, w, node))
                continue;
            const bool again = is_copy(h, node, NULL, 0);
            const struct opts *o = field_opts(f, w, node);
            bool able = false;
            for (int k = 0; k < o->n; k++) {
                if (!state_fits(h->s, w, node, &o->list[k]))
                    continue;
                able = true;
                if (again)
                    break;
                const double cost = state_marginal(h->s, w, node, &o->list[k], false);
                if (cost < least)
                    least = cost;
            }
            n_able += able;
        }
        if (n_able > 0)
            sum += least;
        if (n_able < f->wants[w].n_min)
            *forced += f->wants[w].n_min - n_able;
    }
    return sum;
}

static bool cannot_win(const struct hunt *h, int missing, double cost)
{
    return missing > h->best_missing || (missing == h->best_missing && cost >= h->best_cost - 1e-9 * (1 + fabs(h->best_cost)));
}

static void keep(struct hunt *h)
{
    h->best_missing = h->missing, h->best_cost = h->s->cost;
    for (int w = 0; w < h->n; w++) {
        h->n_best[w] = h->s->want[w].n;
        for (int i = 0; i < h->n_best[w]; i++)
            h->best[w][i] = h->s->want[w].r[i];
    }
}

static int by_cost(const void *a, const void *b)
{
    const struct seat *x = a, *y = b;
    return x->cost < y->cost ? -1 : x->cost > y->cost ? 1 : x->node != y->node ? (x->node > y->node) - (x->node < y->node) : (x->opt > y->opt) - (x->opt < y->opt);
}

static void decide(struct hunt *h, int depth);

/* The want gets these; what follows is decided; then it has none again. */
static void with(struct hunt *h, int depth, const struct rep *r, int n)
{
    struct state *s = h->s;
    const int w = h->order[depth], least = s->f->wants[w].n_min, missing = n < least ? least - n : 0;
    const double cost = s->cost;
    s->n_looked_at += 1 + (uint64_t)n;
    if (h->is_bad || !state_put(s, w, r, n)) {
        h->is_bad = true;
        return;
    }
    h->missing += missing;
    decide(h, depth + 1);
    h->missing -= missing;
    state_take(s, w);
    s->cost = cost;
}

/* Sets of seats on nodes from `node` on; r[0..k) are chosen. */
static void sets(struct hunt *h, int depth, int node, struct rep *r, int k)
{
    struct state *s = h->s;
    const int w = h->order[depth];
    if ((h->is_cut = h->is_cut || s->n_looked_at > h->budget))
        return;
    with(h, depth, r, k);
    if (k == s->f->wants[w].n_max)
        return;
    for (int i = node; i < s->f->inv->n_nodes && !h->is_cut && !h->is_bad; i++) {
        if (!field_allows(s->f, w, i) || is_copy(h, i, r, k))
            continue;
        const struct opts *o = field_opts(s->f, w, i);
        for (int c = 0; c < o->n; c++)
            if (state_fits(s, w, i, &o->list[c])) {
                r[k] = (struct rep){ i, c };
                sets(h, depth, i + 1, r, k + 1);
            }
    }
}

static void decide(struct hunt *h, int depth)
{
    struct state *s = h->s;
    int forced = 0;
    if (h->is_cut || h->is_bad)
        return;
    if ((h->is_cut = s->n_looked_at > h->budget))
        return;
    if (depth == h->n) {
        if (!cannot_win(h, h->missing, s->cost))
            keep(h);
        return;
    }
    if (cannot_win(h, h->missing, s->cost))
        return;
    const double all = bound(h, depth, &forced);
    if (cannot_win(h, h->missing + forced, s->cost + all))
        return;
    const int w = h->order[depth];
    struct rep *r = h->reps + (size_t)depth * (size_t)s->f->inv->n_nodes;
    if (s->f->wants[w].n_max > 1) {
        sets(h, depth, 0, r, 0);
        return;
    }
    struct seat *seats = h->seats + (size_t)depth * (size_t)h->n_seats;
    int n = 0;
    for (int i = 0; i < s->f->inv->n_nodes; i++) {
        if (!field_allows(s->f, w, i) || is_copy(h, i, NULL, 0))
            continue;
        const struct opts *o = field_opts(s->f, w, i);
        for (int k = 0; k < o->n; k++)
            if (state_fits(s, w, i, &o->list[k]))
                seats[n++] = (struct seat){ state_marginal(s, w, i, &o->list[k], true), i, k };
    }
    qsort(seats, (size_t)n, sizeof(*seats), by_cost);
    const double rest = bound(h, depth + 1, &forced);
    for (int i = 0; i < n && !cannot_win(h, h->missing + forced, s->cost + seats[i].cost + rest); i++) {
        r[0] = (struct rep){ seats[i].node, seats[i].opt };
        with(h, depth, r, 1);
    }
    if (!cannot_win(h, h->missing + 1 + forced, s->cost + rest))
        with(h, depth, r, 0);
}

static bool make_room(struct hunt *h)
{
    const struct place_field *f = h->s->f;
    const size_t n_nodes = (size_t)f->inv->n_nodes, n = (size_t)h->n;
    for (int i = 0, w = 0; w < h->n; w++, i = 0) {
        int most = 0;
        for (; i < f->inv->n_nodes; i++)
            most += field_opts(f, w, i)->n;
        h->n_seats = most > h->n_seats ? most : h->n_seats;
    }
    h->seats = calloc(n * (size_t)h->n_seats + 1, sizeof(*h->seats));
    h->reps = calloc(n * n_nodes + 1, sizeof(*h->reps));
    h->best = calloc(n + 1, sizeof(*h->best));
    h->n_best = calloc(n + 1, sizeof(*h->n_best));
    bool ok = h->seats && h->reps && h->best && h->n_best;
    for (int w = 0; ok && w < h->n; w++)
        ok = (h->best[w] = calloc(n_nodes, sizeof(struct rep))) != NULL;
    return ok;
}

bool place_exact(struct state *s, uint64_t budget, bool *is_exact, struct err *err)
{
    struct hunt h = { .s = s, .n = s->f->inv->n_wants, .budget = s->n_looked_at + budget };
    *is_exact = false;
    if ((int64_t)h.n * s->f->inv->n_nodes > SMALL)
        return true;
    bool ok = (h.order = place_order(s->f, err)) != NULL && make_room(&h);
    if (ok) {
        h.missing = s->n_missing;
        keep(&h);
        h.missing = 0;
        for (int w = 0; w < h.n; w++)
            state_take(s, w);
        s->cost = 0;
        decide(&h, 0);
        for (int i = 0; i < h.n && !h.is_bad; i++)
            h.is_bad |= !state_put(s, h.order[i], h.best[h.order[i]], h.n_best[h.order[i]]);
        *is_exact = !h.is_cut;
        ok = !h.is_bad;
    }
    for (int w = 0; h.best && w < h.n; w++)
        free(h.best[w]);
    free(h.best);
    free(h.n_best);
    free(h.seats);
    free(h.reps);
    return ok || err_set(err, ERR_NOMEM, "placement: out of memory");
}
