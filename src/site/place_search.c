/* site/place_search.c - a good plan quickly: each expert where it costs least, hardest first; then again one by one and two by two, as
 * long as that helps and the budget lasts. */
#include <stdlib.h>
#include <string.h>

#include "site/place_internal.h"

struct seat { /* a node with its best option for a want, as things are */
    double cost;
    int node, opt;
};

static int by_cost(const void *a, const void *b)
{
    const struct seat *x = a, *y = b;
    return x->cost < y->cost ? -1 : x->cost > y->cost ? 1 : (x->node > y->node) - (x->node < y->node);
}

/* Hardest first: what waits for a stick, then what needs most bytes. */
int *place_order(const struct place_field *f, struct err *err)
{
    const struct inventory *inv = f->inv;
    int *order = arena_alloc(f->arena, (size_t)inv->n_wants, sizeof(*order), err);
    double *size = arena_alloc(f->arena, (size_t)inv->n_wants, sizeof(*size), err);
    if (!order || !size)
        return NULL;
    for (int w = 0; w < inv->n_wants; w++) {
        double least = 0;
        for (int k = 0; k < f->n_kinds; k++) {
            const struct opts *o = &f->opts[k * inv->n_wants + w];
            for (int i = 0; i < o->n; i++)
                if (!(least > 0) || (double)o->list[i].bytes < least)
                    least = (double)o->list[i].bytes;
        }
        size[w] = least + (inv->wants[w].needs_accelerator ? 1e18 : 0);
        int at = w;
        for (; at > 0 && size[order[at - 1]] < size[w]; at--)
            order[at] = order[at - 1];
        order[at] = w;
    }
    return order;
}

static int find_seats(struct state *s, int want, struct seat *seats)
{
    const struct place_field *f = s->f;
    const struct inventory *inv = f->inv;
    int n = 0;
    for (int i = 0; i < inv->n_nodes; i++) {
        if (!field_allows(f, want, i))
            continue;
        const struct opts *o = field_opts(f, want, i);
        struct seat best = { .opt = -1 };
        for (int k = 0; k < o->n; k++) {
            if (!state_fits(s, want, i, &o->list[k]))
                continue;
            const double cost = state_marginal(s, want, i, &o->list[k], true);
            if (best.opt < 0 || cost < best.cost)
                best = (struct seat){ cost, i, k };
        }
        if (best.opt >= 0)
            seats[n++] = best;
    }
    return n;
}

/* A want that has no replicas: the best seat, or as many of the best as are asked for and pay. */
static bool settle(struct state *s, int want, struct seat *seats, struct rep *reps)
{
    const struct want_facts *w = &s->f->wants[want];
    const int n = find_seats(s, want, seats);
    int best = n < w->n_min ? n : w->n_min;
    if (w->n_max == 1) {
        for (int i = 1; i < n; i++)
            if (by_cost(&seats[i], &seats[0]) < 0)
                seats[0] = seats[i];
    } else
        qsort(seats, (size_t)n, sizeof(*seats), by_cost);
    const int most = n < w->n_max ? n : w->n_max;
    for (int i = 0; i < most; i++)
        reps[i] = (struct rep){ seats[i].node, seats[i].opt };
    if (most > best) { /* more, while each pays; three that do not end it */
        if (!state_put(s, want, reps, best))
            return false;
        double least = s->cost;
        state_take(s, want);
        for (int k = best + 1, idle = 0; k <= most && idle < 3; k += 1 + k / 8, idle++) {
            if (!state_put(s, want, reps, k))
                return false;
            if (s->cost < least)
                least = s->cost, best = k, idle = -1;
            state_take(s, want);
        }
    }
    return state_put(s, want, reps, best);
}

static bool is_better(int missing, double cost, int than_missing, double than_cost)
{
    return missing < than_missing || (missing == than_missing && cost < than_cost - 1e-12 * (1 + than_cost));
}

/* Takes one or two wants (b -1: one) out and settles them anew; what does not help is put back. */
static bool again(struct state *s, int a, int b, struct seat *seats, struct rep *reps, struct rep *old_a, struct rep *old_b, bool *helped)
{
    const int missing = s->n_missing, n_a = s->want[a].n, n_b = b >= 0 ? s->want[b].n : 0;
    const double cost = s->cost;
    if (n_a > 0)
        memcpy(old_a, s->want[a].r, (size_t)n_a * sizeof(*old_a));
    if (n_b > 0)
        memcpy(old_b, s->want[b].r, (size_t)n_b * sizeof(*old_b));
    state_take(s, a);
    if (b >= 0)
        state_take(s, b);
    if (!settle(s, a, seats, reps) || (b >= 0 && !settle(s, b, seats, reps)))
        return false;
    if (is_better(s->n_missing, s->cost, missing, cost)) {
        *helped = true;
        return true;
    }
    state_take(s, a);
    if (b >= 0)
        state_take(s, b);
    return state_put(s, a, old_a, n_a) && (b < 0 || state_put(s, b, old_b, n_b));
}

static bool improve(struct state *s, const int *order, uint64_t budget, struct seat *seats, struct rep *reps)
{
    const int n = s->f->inv->n_wants;
    struct rep *old_a = reps + s->f->inv->n_nodes, *old_b = old_a + s->f->inv->n_nodes;
    bool helped = true;
    while (helped && s->n_looked_at < budget) {
        helped = false;
        for (int i = 0; i < n && s->n_looked_at < budget; i++)
            if (!again(s, order[i], -1, seats, reps, old_a, old_b, &helped))
                return false;
        for (int i = n - 1; i >= 0 && !helped; i--)
            for (int k = 0; k < n && s->n_looked_at < budget; k++)
                if (i != k && !again(s, order[i], order[k], seats, reps, old_a, old_b, &helped))
                    return false;
    }
    return true;
}

bool place_search(struct state *s, uint64_t budget, struct err *err)
{
    const size_t n_nodes = (size_t)s->f->inv->n_nodes;
    const int *order = place_order(s->f, err);
    struct seat *seats = calloc(n_nodes + 1, sizeof(*seats));
    struct rep *reps = calloc(3 * n_nodes + 1, sizeof(*reps));
    bool ok = order && seats && reps;
    for (int i = 0; ok && i < s->f->inv->n_wants; i++)
        ok = settle(s, order[i], seats, reps);
    ok = ok && improve(s, order, budget, seats, reps);
    free(seats);
    free(reps);
    return ok || err_set(err, ERR_NOMEM, "placement: out of memory");
}
