/* route/shortlist.c - see shortlist.h; start at shortlist_make(). */
#include "route/shortlist.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "route/policy_settings.h"
#include "route/predict.h"
#include "route/rules.h"

enum { SORT_LIMIT = 127 /* sorts that are told apart */, SORT_OTHERS = SORT_LIMIT, SORT_BARRED /* a hard rule is against them */, SORTS };

struct entry {
    float s;       /* less is better */
    uint8_t sort;  /* SORTS: of no use */
};
struct sort {
    uint64_t key;
    int n, n_taken; /* candidates; places that it gets */
};
struct shortlist {
    struct candidates out;
    struct route_node nodes[ROUTE_NODES_MAX];
    struct candidate list[SHORTLIST_MAX];
    int16_t place_of[ROUTE_NODES_MAX]; /* node of `all` at this place */
    struct entry *entries; /* of `all` */
    int n_entries_max;
    struct sort sorts[SORTS];
};

struct shortlist *shortlist_new(struct err *err)
{
    struct shortlist *s = calloc(1, sizeof(*s));
    return s ? s : err_null(err, ERR_NOMEM, "the router: out of memory");
}

void shortlist_free(struct shortlist *s)
{
    if (!s)
        return;
    free(s->entries);
    free(s);
}

static uint64_t mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * 0x9e3779b97f4a7c15u;
    return h ^ h >> 29;
}
/* Its power of two. */
static uint64_t size_of(float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof(bits));
    return v > 0 ? bits >> 23 : 0;
}

/* What the policy tells experts apart by, load and speed apart.  0 is never given. */
static uint64_t sort_key(const struct candidate *c, const struct route_node *n)
{
    uint64_t h = mix((uint64_t)c->tasks, (uint64_t)(c->quality * 4));
    h = mix(h, (uint64_t)c->privacy << 8 | (uint64_t)n->distance << 4 | (uint64_t)c->sees << 2 | (uint64_t)c->hears << 1 | (uint64_t)c->knows_tools);
    h = mix(h, (uint64_t)c->step << 8 | (uint64_t)(c->step < n->step[c->cls]) << 1 | (uint64_t)n->on_battery);
    h = mix(h, size_of((float)c->n_ctx) << 32 | size_of(c->busy_w) << 16 | size_of(c->usd_per_mtok_out));
    return h ? h : 1;
}

/* How long it takes, heat in it; whom a rule is against comes last. */
static float seconds_of(const struct ask *a, const struct predictor *predictor, const struct candidate *c, const struct route_node *n, bool was_tried, float usd_per_kwh,
                        bool *is_barred)
{
    static const float SOFT_S = 1e6f, HARD_S = 1e9f;
    struct route_guess g;
    predict(predictor, a->rq, n, c, usd_per_kwh, &g);
    const enum route_rule rule = rules_first(a, c, n, &g, was_tried);
    *is_barred = rule != ROUTE_RULE_NONE && route_rule_is_hard(rule);
    const float from_c = a->policy->setting[POLICY_HEADROOM_C], hot = n->headroom_c < from_c ? fminf(1, (from_c - n->headroom_c) / from_c) : 0;
    const float s = fminf(g.total_s, 1e5f) * (1 + hot + (n->is_throttled ? 1 : 0));
    return s - g.prefix_s + (rule == ROUTE_RULE_NONE ? 0 : route_rule_is_hard(rule) ? HARD_S - 1e6f * (float)rule : SOFT_S);
}

static int sort_of(struct shortlist *s, uint64_t key, int *n_sorts)
{
    int at = (int)(key % SORT_LIMIT);
    while (s->sorts[at].n && s->sorts[at].key != key) {
        if (*n_sorts == SORT_LIMIT)
            return SORT_OTHERS;
        at = (at + 1) % SORT_LIMIT;
    }
    *n_sorts += s->sorts[at].n == 0;
    s->sorts[at].key = key;
    return at;
}

/* Fair shares of n places: small sorts get all that they have, the rest is divided among the others; then those who are barred. */
static void divide(struct shortlist *s, int n)
{
    bool is_more = true;
    while (n > 0 && is_more) {
        is_more = false;
        for (int k = 0; k < SORT_BARRED && n > 0; k++)
            if (s->sorts[k].n_taken < s->sorts[k].n) {
                s->sorts[k].n_taken++;
                n--;
                is_more = true;
            }
    }
    s->sorts[SORT_BARRED].n_taken = n < s->sorts[SORT_BARRED].n ? n : s->sorts[SORT_BARRED].n;
}

static void take(struct shortlist *s, const struct candidates *all, int i)
{
    struct candidate *c = &s->list[s->out.n++];
    *c = all->list[i];
    int at = 0;
    while (at < s->out.n_nodes && s->place_of[at] != c->node)
        at++;
    if (at == s->out.n_nodes) {
        s->place_of[at] = (int16_t)c->node;
        s->nodes[at] = all->nodes[c->node];
        s->out.n_nodes++;
    }
    c->node = at;
}

static bool is_special(const struct candidate *c) { return c->prefix_tok > 0 || c->is_home; }

/* The n best of one sort, soonest first. */
static void take_best(struct shortlist *s, const struct candidates *all, int sort)
{
    struct { float s; int i; } best[SHORTLIST_MAX];
    const int most = s->sorts[sort].n_taken;
    int n = 0;
    for (int i = 0; most > 0 && i < all->n; i++) {
        const struct entry *e = &s->entries[i];
        if (e->sort != sort || (n == most && e->s >= best[n - 1].s))
            continue;
        int at = n < most ? n++ : n - 1;
        for (; at > 0 && best[at - 1].s > e->s; at--)
            best[at] = best[at - 1];
        best[at].s = e->s;
        best[at].i = i;
    }
    for (int k = 0; k < n; k++)
        take(s, all, best[k].i);
}

const struct candidates *shortlist_make(struct shortlist *s, const struct policy *p, const struct predictor *predictor, const struct route_request *rq,
                                        const struct candidates *all, bool (*is_tried)(const void *ctx, const struct candidate *c), const void *ctx)
{
    if (all->n <= ROUTE_CANDIDATES_MAX && all->n_nodes <= ROUTE_NODES_MAX)
        return all;
    if (all->n > s->n_entries_max) {
        struct entry *more = realloc(s->entries, (size_t)all->n * sizeof(*more));
        if (more)
            s->entries = more, s->n_entries_max = all->n;
    }
    const int n_all = all->n < s->n_entries_max ? all->n : s->n_entries_max;
    struct ask a;
    ask_of(&a, p, rq);
    memset(s->sorts, 0, sizeof(s->sorts));
    s->out = (struct candidates){ .nodes = s->nodes, .n_nodes = 1, .list = s->list };
    s->nodes[0] = all->nodes[0];
    s->place_of[0] = 0;
    int n_sorts = 0, n_left = SHORTLIST_MAX;
    const struct candidates seen = { .nodes = all->nodes, .n_nodes = all->n_nodes, .list = all->list, .n = n_all };
    for (int i = 0; i < n_all; i++) {
        const struct candidate *c = &all->list[i];
        const struct route_node *n = &all->nodes[c->node];
        struct entry *e = &s->entries[i];
        bool is_barred = false;
        e->sort = SORTS;
        if (!(c->tasks & (unsigned)rq->task))
            continue;
        e->s = seconds_of(&a, predictor, c, n, is_tried(ctx, c), p->setting[POLICY_ELECTRICITY], &is_barred);
        if (!is_barred && is_special(c) && n_left > SHORTLIST_MAX / 2) {
            take(s, all, i);
            n_left--;
            continue;
        }
        /* who may not answer is of one sort, whatever else it is: its reason is all that will be asked for */
        e->sort = (uint8_t)(is_barred ? SORT_BARRED : sort_of(s, sort_key(c, n), &n_sorts));
        s->sorts[e->sort].n++;
    }
    divide(s, n_left);
    for (int k = 0; k < SORTS; k++)
        take_best(s, &seen, k);
    return &s->out;
}
