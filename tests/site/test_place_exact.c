/* tests/site/test_place_exact.c - plans of small inventories against all assignments there are, by the same public score. */
#include "site/inventories.h"

#include <math.h>
#include <string.h>

#include "site/place.h"

enum { CHOICES_MAX = 4096 };

struct choice { /* a want's replicas: none, one, or several on different nodes */
    struct place r[3];
    int n;
};

struct brute {
    const struct place_field *field;
    const struct inventory *inv;
    struct choice *of[8];
    int n_of[8], n_wants;
    struct place list[24];
    struct place_score best;
    double n_seen;
    bool has_best;
};

static void try_all(struct brute *b, int want, int n)
{
    if (want == b->n_wants) {
        struct place_score s;
        b->n_seen++;
        if (place_score_of(b->field, b->list, n, &s) && (!b->has_best || s.n_missing < b->best.n_missing || (s.n_missing == b->best.n_missing && s.cost < b->best.cost)))
            b->best = s, b->has_best = true;
        return;
    }
    for (int i = 0; i < b->n_of[want]; i++) {
        const struct choice *c = &b->of[want][i];
        for (int k = 0; k < c->n; k++)
            b->list[n + k] = c->r[k];
        try_all(b, want + 1, n + c->n);
    }
}

/* All sets of at most n_max seats that are possible when nothing else is there. */
static void add_choices(struct brute *b, int want, struct choice c, int node)
{
    const struct inv_want *w = &b->inv->wants[want];
    struct place_score s;
    if (b->n_of[want] < CHOICES_MAX)
        b->of[want][b->n_of[want]++] = c;
    for (int i = node; i < b->inv->n_nodes && c.n < w->n_max && c.n < 3; i++)
        for (int d = 0; d < b->inv->nodes[i].n_devices; d++)
            for (int q = 0; q < (w->n_quants ? w->n_quants : 1); q++) {
                struct choice more = c;
                more.r[more.n++] = (struct place){ .want = want, .node = i, .device = d, .quant = q };
                if (place_score_of(b->field, more.r, more.n, &s))
                    add_choices(b, want, more, i + 1);
            }
}

static double all_of(const struct brute *b)
{
    double n = 1;
    for (int w = 0; w < b->n_wants; w++)
        n *= b->n_of[w];
    return n;
}

TEST(a_small_plan_costs_what_the_best_of_all_assignments_costs)
{
    struct err err = { 0 };
    struct catalog *c = catalog_new(NULL, &err);
    static struct choice room[8][CHOICES_MAX];
    const int wanted = getenv("TEST_QUICK") ? 40 : 200;
    int n_done = 0, n_exact = 0, n_missing = 0;
    double n_seen = 0;
    struct buf text;
    REQUIRE(c, "%s", err.text);
    buf_init(&text, 1 << 16);
    for (int tries = 0; n_done < wanted && tries < 50 * wanted; tries++) {
        put_inventory(&text, 2 + upto(3), 2 + upto(3), 2 + one_in(4));
        struct inventory *inv = inventory_parse("i.yaml", text.data, text.len, "", c, &err);
        REQUIRE(inv, "%s\n%s", err.text, text.data);
        struct place_field *field = place_field_new(inv, &err);
        struct brute b = { .field = field, .inv = inv, .n_wants = inv->n_wants };
        REQUIRE(field, "%s", err.text);
        for (int w = 0; w < inv->n_wants; w++) {
            b.of[w] = room[w];
            add_choices(&b, w, (struct choice){ .n = 0 }, 0);
        }
        if (all_of(&b) >= 20 && all_of(&b) <= (getenv("TEST_QUICK") ? 4000 : 20000)) {
            struct cluster_plan *p = cluster_plan_make(inv, NULL, &err);
            struct place_score s = { 0 };
            REQUIRE(p, "%s\n%s", err.text, text.data);
            CHECK(place_score_of(field, p->list, p->n, &s));
            try_all(&b, 0, 0);
            CHECK(b.has_best && s.n_missing == b.best.n_missing && fabs(s.cost - b.best.cost) <= 1e-8 * (1 + b.best.cost), "%d missing, %.9g; of all %d, %.9g\n%s", s.n_missing, s.cost,
                  b.best.n_missing, b.best.cost, text.data);
            CHECK(p->is_exact);
            n_exact += p->is_exact, n_done++, n_seen += b.n_seen, n_missing += s.n_missing > 0;
            cluster_plan_free(p);
        }
        place_field_free(field);
        inventory_free(inv);
    }
    CHECK(n_done == wanted, "%d", n_done);
    printf("# %d inventories, %d proven, %d with something missing, %.0f assignments\n", n_done, n_exact, n_missing, n_seen);
    buf_fini(&text);
    catalog_free(c);
}
