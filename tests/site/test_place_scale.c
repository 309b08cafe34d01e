/* tests/site/test_place_scale.c - plans of any size: no memory is exceeded, the same text gives the same plan, thousands of nodes in seconds. */
#include "site/inventories.h"

#include <math.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "site/place.h"

/* Of this process: others may keep the machine busy. */
static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Bytes of one replica by plan/ alone: the model in its precision on that device, or what the inventory says. */
static uint64_t bytes_of(const struct inventory *inv, const struct place *p)
{
    const struct inv_want *w = &inv->wants[p->want];
    const struct inv_device *d = &inv->nodes[p->node].devices[p->device];
    if (!w->n_quants)
        return w->bytes;
    const struct plan_memory_options o = { .engine = plan_engine_of(d->of.plan.runtime), .cls = d->of.plan.cls, .n_ctx = w->n_ctx, .n_seq = w->n_parallel, .kv_bits = w->kv_bits,
                                           .n_threads = d->of.plan.cores };
    const struct plan_memory need = plan_memory_of(&w->model_of[p->quant], &o);
    const uint64_t n = (uint64_t)d->of.plan.n_devices;
    CHECK(plan_place(&w->model_of[p->quant], &need, &d->of.plan, 0).fits <= PLAN_TIGHT);
    return need.weights + need.kv + n * (need.compute + need.runtime);
}

/* For each node, and each card on it: those that stay together with the largest that does not, against what plan/ says is usable. */
static bool holds(const struct cluster_plan *p)
{
    const struct inventory *inv = p->inv;
    bool ok = true;
    for (int i = 0; i < inv->n_nodes; i++) {
        const struct inv_node *n = &inv->nodes[i];
        uint64_t warm[INV_DEVICES_MAX + 1] = { 0 }, cold[INV_DEVICES_MAX + 1] = { 0 };
        int guests[INV_DEVICES_MAX] = { 0 };
        for (int k = 0; k < p->n; k++) {
            const struct place *r = &p->list[k];
            if (r->node != i)
                continue;
            const struct inv_device *d = &n->devices[r->device];
            const bool is_card = d->mem_bytes > 0 && (!d->n_share || inv->wants[r->want].n_quants > 0);
            const int at = is_card ? r->device : INV_DEVICES_MAX;
            const uint64_t bytes = bytes_of(inv, r);
            CHECK(bytes == r->bytes && is_card == r->is_device_memory);
            if (inv->wants[r->want].keeps_warm)
                warm[at] += bytes;
            else if (bytes > cold[at])
                cold[at] = bytes;
            guests[r->device]++;
        }
        const struct plan_device whole = { .cls = PLAN_CPU, .is_unified = true, .n_devices = 1, .mem_bytes = n->mem_bytes };
        ok = ok && warm[INV_DEVICES_MAX] + cold[INV_DEVICES_MAX] <= plan_usable_bytes(&whole) && warm[INV_DEVICES_MAX] + cold[INV_DEVICES_MAX] <= n->free_bytes;
        CHECK(p->nodes[i].used_bytes + p->nodes[i].free_bytes == n->free_bytes && p->nodes[i].used_bytes == warm[INV_DEVICES_MAX] + cold[INV_DEVICES_MAX]);
        for (int d = 0; d < n->n_devices; d++) {
            ok = ok && (warm[d] + cold[d] == 0 || warm[d] + cold[d] <= plan_usable_bytes(&n->devices[d].of.plan) * (uint64_t)n->devices[d].of.plan.n_devices);
            ok = ok && (!n->devices[d].n_share || guests[d] <= n->devices[d].n_share);
        }
    }
    return ok;
}

TEST(no_plan_exceeds_a_memory_or_a_sticks_share)
{
    struct err err = { 0 };
    struct catalog *c = catalog_new(NULL, &err);
    const int n = getenv("TEST_QUICK") ? 40 : 200;
    int n_placed = 0, n_missed = 0, n_exact = 0;
    struct buf text;
    REQUIRE(c, "%s", err.text);
    buf_init(&text, 1 << 20);
    for (int i = 0; i < n; i++) {
        put_inventory(&text, 1 + upto(i % 40 == 0 ? 60 : 6), 1 + upto(i % 40 == 0 ? 40 : 8), 1 + upto(2));
        struct inventory *inv = inventory_parse("i.yaml", text.data, text.len, "", c, &err);
        REQUIRE(inv, "%s\n%s", err.text, text.data);
        struct cluster_plan *p = cluster_plan_make(inv, i % 20 == 0 ? c : NULL, &err);
        REQUIRE(p, "%s\n%s", err.text, text.data);
        CHECK(holds(p), "%s", text.data);
        for (int k = 0; k < p->n; k++) {
            const struct inv_want *w = &inv->wants[p->list[k].want];
            bool is_allowed = w->n_only == 0;
            for (int o = 0; o < w->n_only; o++)
                is_allowed |= !strcmp(w->only[o], inv->nodes[p->list[k].node].name);
            CHECK(is_allowed && (!w->needs_accelerator || !strcmp(inv->nodes[p->list[k].node].devices[p->list[k].device].resource, w->accelerator)));
            CHECK(p->list[k].why[0]);
        }
        n_placed += p->n, n_missed += p->n_misses, n_exact += p->is_exact;
        cluster_plan_free(p);
        inventory_free(inv);
    }
    printf("# %d inventories, %d replicas placed, %d experts not, %d plans proven\n", n, n_placed, n_missed, n_exact);
    CHECK(n_placed > n && n_missed > 0);
    buf_fini(&text);
    catalog_free(c);
}

/* Plans text and returns its JSON in b. */
static bool plan_json(struct catalog *c, const struct buf *text, struct buf *b, double *seconds, struct err *err)
{
    const double start = now_s();
    struct inventory *inv = inventory_parse("i.yaml", text->data, text->len, "", c, err);
    struct cluster_plan *p = inv ? cluster_plan_make(inv, c, err) : NULL;
    *seconds = now_s() - start;
    const bool ok = p && holds(p);
    buf_clear(b);
    if (p)
        cluster_plan_put_json(p, b);
    cluster_plan_free(p);
    inventory_free(inv);
    return ok;
}

TEST(the_same_inventory_gives_the_same_plan)
{
    struct err err = { 0 };
    struct catalog *c = catalog_new(NULL, &err);
    struct buf text, a, b;
    double s;
    buf_init(&text, 1 << 20), buf_init(&a, 16 << 20), buf_init(&b, 16 << 20);
    for (int i = 0; i < (getenv("TEST_QUICK") ? 4 : 12); i++) {
        put_inventory(&text, 2 + upto(30), 2 + upto(20), 3);
        char *between = calloc(1, 100000 + (size_t)upto(100000)); /* memory lies elsewhere the second time */
        CHECK(plan_json(c, &text, &a, &s, &err) && plan_json(c, &text, &b, &s, &err), "%s", err.text);
        CHECK(a.len == b.len && a.len > 100 && !memcmp(a.data, b.data, a.len));
        free(between);
    }
    buf_fini(&text), buf_fini(&a), buf_fini(&b);
    catalog_free(c);
}

static void put_many(struct buf *text, int n_nodes, int n_experts)
{
    buf_clear(text);
    buf_puts(text, "engine: list\nusd_per_kwh: 0.2\nnodes:\n");
    for (int i = 0; i < n_nodes; i++)
        put_machine(text, i);
    buf_puts(text, "experts:\n");
    for (int i = 0; i < n_experts; i++)
        put_expert(text, i, n_nodes, i % 5 == 0 ? n_nodes / 10 : 3);
}

static void plans_many(int n_nodes, int n_experts, double most_s)
{
    struct err err = { 0 };
    struct catalog *c = catalog_new(NULL, &err);
    struct buf text, out;
    double s = 0;
    struct rusage u;
    buf_init(&text, 4 << 20), buf_init(&out, 64 << 20);
    put_many(&text, n_nodes, n_experts);
    CHECK(plan_json(c, &text, &out, &s, &err), "%s", err.text);
    getrusage(RUSAGE_SELF, &u);
    printf("# %d nodes, %d experts: %.2f s, %ld MB\n", n_nodes, n_experts, s, u.ru_maxrss / 1024);
    CHECK(s < most_s, "%.1f s", s);
    buf_fini(&text), buf_fini(&out);
    catalog_free(c);
}

/* 5 s on a usual machine; a slow one may take ten times as long. */
TEST(a_thousand_nodes_and_fifty_experts_are_planned_in_seconds) { plans_many(getenv("TEST_QUICK") ? 200 : 1000, 50, 100); }
TEST(ten_thousand_nodes_are_planned_in_bounded_time_and_memory)
{
    if (getenv("TEST_QUICK"))
        SKIP("long: TEST_QUICK");
    plans_many(10000, 50, 300);
}
