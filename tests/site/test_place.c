/* tests/site/test_place.c - plans: the seeds' cluster, what is missing and what to buy, what is written. */
#include "test.h"

#include <math.h>
#include <string.h>

#include <jansson.h>

#include "site/place.h"
#include "rehearse/simulate.h"

static struct catalog *catalog;

static struct cluster_plan *plan(struct inventory **inv, const char *text)
{
    struct err err = { 0 };
    catalog = catalog_new(NULL, &err);
    *inv = catalog ? text ? inventory_parse("i.yaml", text, strlen(text), "", catalog, &err) : inventory_read("examples/homelab/inventory.yaml", catalog, &err) : NULL;
    struct cluster_plan *p = *inv ? cluster_plan_make(*inv, catalog, &err) : NULL;
    if (!p)
        printf("# %s\n", err.text);
    return p;
}

static const struct place *find(const struct cluster_plan *p, const char *want, int k)
{
    for (int i = 0; i < p->n; i++)
        if (!strcmp(p->inv->wants[p->list[i].want].name, want) && k-- == 0)
            return &p->list[i];
    return NULL;
}

static const char *node_of(const struct cluster_plan *p, const char *want)
{
    const struct place *r = find(p, want, 0);
    return r ? p->inv->nodes[r->node].name : "";
}

TEST(the_seeds_cluster_has_room_for_all_its_experts)
{
    struct inventory *inv;
    struct cluster_plan *p = plan(&inv, NULL);
    REQUIRE(p);
    CHECK(p->n_misses == 0 && p->n >= inv->n_wants);
    CHECK(!strcmp(node_of(p, "detector"), "pi5") && !strcmp(node_of(p, "classifier"), "pi4"));
    for (int i = 0; i < p->n; i++)
        CHECK(p->list[i].why[0] && p->list[i].share > 0 && p->list[i].share <= 1);
    cluster_plan_free(p);
    inventory_free(inv);
}

static void end(struct inventory *inv, struct cluster_plan *p)
{
    cluster_plan_free(p);
    inventory_free(inv);
    catalog_free(catalog);
}

TEST(what_does_not_fit_says_why_and_what_to_buy)
{
    struct inventory *inv;
    struct cluster_plan *p = plan(&inv, "engine: list\nnodes:\n  - {name: pi, machine: Raspberry Pi 4 4GB}\n  - {name: pi5, machine: Raspberry Pi 5 8GB, accelerators: [Coral USB Accelerator]}\nexperts:\n"
                                        "  - {name: big, task: chat, model: Qwen2.5 14B, quants: [Q4_K_M]}\n"
                                        "  - {name: eye, task: detect, memory: 100 MB, item: 50ms, accelerator: google.com/coral, needs_accelerator: true, replicas: 3}\n"
                                        "  - {name: thrice, task: detect, memory: 100 MB, item: 50ms, replicas: 3}\n"
                                        "  - {name: huge, task: chat, model: 2000b, quants: [Q8_0]}\n");
    REQUIRE(p);
    CHECK(p->n_misses == 4);
    const struct place_miss *m = p->misses;
    CHECK(m[0].want == 0 && m[0].n_missing == 1 && strstr(m[0].why, "at 8192 tokens") && strstr(m[0].why, "GB on pi") && strstr(m[0].buy, "USD") && m[0].usd > 10, "%s / %s", m[0].why, m[0].buy);
    CHECK(m[1].n_missing == 2 && strstr(m[1].why, "google.com/coral; 1 there") && strstr(m[1].buy, "Coral USB") && fabs(m[1].usd - 2 * 59.99) < .01, "%s / %s / %g", m[1].why, m[1].buy, m[1].usd);
    CHECK(m[2].n_missing == 1 && strstr(m[2].why, "2 nodes can hold"), "%s", m[2].why);
    CHECK(!m[3].buy[0] && isnan(m[3].usd), "%s", m[3].buy);
    end(inv, p);
}

#define TWO_PIS "engine: list\nusd_per_kwh: 0.2\nnodes:\n  - {name: a, machine: Raspberry Pi 5 8GB}\n  - {name: b, machine: Raspberry Pi 5 8GB, leaves: true}\n"

TEST(a_machine_that_may_leave_has_nothing_alone_unless_there_is_no_other)
{
    struct inventory *inv;
    struct cluster_plan *p = plan(&inv, TWO_PIS "experts:\n  - {name: x, task: chat, model: Qwen2.5 1.5B, traffic: {per_hour: 5}}\n  - {name: y, task: chat, model: Qwen2.5 1.5B, traffic: {per_hour: 5}}\n"
                                                "  - {name: z, task: chat, model: Qwen2.5 1.5B, only: [b]}\n");
    REQUIRE(p && p->n == 3);
    CHECK(!strcmp(node_of(p, "x"), "a") && !strcmp(node_of(p, "y"), "a") && !strcmp(node_of(p, "z"), "b"));
    end(inv, p);
}

TEST(traffic_brings_replicas_as_long_as_they_pay)
{
    struct inventory *inv;
    char text[512];
    int n[3];
    for (int i = 0; i < 3; i++) {
        snprintf(text, sizeof(text), "engine: list\nusd_per_kwh: 0.2\ngoals: {latency: 1}\nnodes:\n  - {name: w, count: 6, machine: Raspberry Pi 5 8GB}\nexperts:\n"
                                     "  - {name: x, task: detect, memory: 100 MB, item: 100ms, replicas: {min: 1, max: 6}, traffic: {per_hour: %d}}\n", i == 0 ? 10 : i == 1 ? 40000 : 150000);
        struct cluster_plan *p = plan(&inv, text);
        REQUIRE(p && p->is_exact);
        n[i] = p->n;
        double share = 0;
        for (int k = 0; k < p->n; k++)
            share += p->list[k].share;
        CHECK(fabs(share - 1) < 1e-9);
        end(inv, p);
    }
    CHECK(n[0] >= 1 && n[1] >= 2 && n[2] >= 5 && n[0] <= n[1], "%d %d %d", n[0], n[1], n[2]);
}

TEST(what_is_loaded_when_it_is_asked_shares_its_room_with_the_largest)
{
    struct inventory *inv;
    const char *text = "engine: list\nusd_per_kwh: 0.2\nnodes:\n  - {name: a, machine: Raspberry Pi 5 8GB}\nexperts:\n"
                       "  - {name: x, task: detect, memory: 3500 MB, item: 50ms%s}\n  - {name: y, task: detect, memory: 3500 MB, item: 50ms%s}\n  - {name: z, task: detect, memory: 2 GB, item: 50ms}\n";
    char warm[512], cold[512];
    snprintf(warm, sizeof(warm), text, "", "");
    snprintf(cold, sizeof(cold), text, ", keeps_warm: false", ", keeps_warm: false");
    struct cluster_plan *p = plan(&inv, warm);
    REQUIRE(p);
    CHECK(p->n_misses == 1 && p->nodes[0].used_bytes == 5500000000u);
    end(inv, p);
    p = plan(&inv, cold);
    REQUIRE(p);
    CHECK(p->n_misses == 0 && p->nodes[0].used_bytes == 5500000000u);
    end(inv, p);
}

TEST(goals_decide_between_a_fast_machine_and_a_frugal_one)
{
    struct inventory *inv;
    const char *text = "engine: list\nusd_per_kwh: 0.2\ngoals: {%s: 1}\nnodes:\n  - {name: pi, machine: Raspberry Pi 5 8GB}\n"
                       "  - {name: big, machine: Ryzen 9 7950X, memory: 32 GB}\nexperts:\n  - {name: x, task: detect, memory: 100 MB, item: 100ms, traffic: {per_hour: 100}}\n";
    char fast[512], frugal[512];
    snprintf(fast, sizeof(fast), text, "latency"), snprintf(frugal, sizeof(frugal), text, "energy");
    struct cluster_plan *p = plan(&inv, fast);
    REQUIRE(p && p->n == 1);
    CHECK(!strcmp(node_of(p, "x"), "big"), "%s", node_of(p, "x"));
    end(inv, p);
    p = plan(&inv, frugal);
    REQUIRE(p && p->n == 1);
    CHECK(!strcmp(node_of(p, "x"), "pi"), "%s", node_of(p, "x"));
    end(inv, p);
}

TEST(stages_that_pass_much_to_each_other_live_together)
{
    struct inventory *inv;
    const char *text = "engine: list\nusd_per_kwh: 0.2\ngoals: {latency: 1}\nnodes:\n  - {name: w, count: 3, machine: Raspberry Pi 5 8GB, link_gbit_s: 0.1}\nexperts:\n"
                       "  - {name: x, task: detect, memory: 100 MB, item: 50ms, traffic: {per_hour: 3000}}\n  - {name: y, task: classify, memory: 100 MB, item: 50ms, traffic: {per_hour: 3000}}\n%s";
    char apart[700], near[700];
    snprintf(apart, sizeof(apart), text, "");
    snprintf(near, sizeof(near), text, "edges:\n  - {from: camera, to: x, per_hour: 3000, bytes: 2 MB}\n  - {from: x, to: y, per_hour: 3000, bytes: 2 MB}\n");
    struct cluster_plan *p = plan(&inv, apart);
    REQUIRE(p && p->n == 2);
    CHECK(strcmp(node_of(p, "x"), node_of(p, "y")) != 0);
    end(inv, p);
    p = plan(&inv, near);
    REQUIRE(p && p->n == 2);
    CHECK(!strcmp(node_of(p, "x"), node_of(p, "y")));
    end(inv, p);
}

TEST(a_plan_is_written_for_people_for_programs_and_for_a_rehearsal)
{
    struct inventory *inv;
    struct err err = { 0 };
    struct buf b;
    struct cluster_plan *p = plan(&inv, NULL);
    REQUIRE(p);
    buf_init(&b, 1 << 20);
    cluster_plan_put_why(p, &b);
    int width = 0;
    for (size_t i = 0; i < b.len; i++) {
        width = b.data[i] == '\n' ? 0 : width + 1;
        CHECK(width <= 80, "%.100s", b.data + i - 80);
    }
    buf_clear(&b);
    cluster_plan_put_json(p, &b);
    json_t *j = json_loadb(b.data, b.len, 0, NULL);
    CHECK(j && json_array_size(json_object_get(j, "placed")) == (size_t)p->n && json_array_size(json_object_get(j, "nodes")) == 5);
    json_decref(j);
    buf_clear(&b);
    CHECK(cluster_plan_put_fleet(p, &b, &err), "%s", err.text);
    struct sim *s = sim_parse("plan.yaml", b.data, b.len, NULL, &err);
    CHECK(s && sim_world(s)->n == p->n && sim_n_classes(s) == inv->n_wants, "%s\n%s", err.text, b.data);
    sim_free(s);
    buf_fini(&b);
    end(inv, p);
}

TEST(equal_nodes_of_a_plan_are_counted_in_its_rehearsal)
{
    struct inventory *inv;
    struct err err = { 0 };
    struct buf b;
    struct cluster_plan *p = plan(&inv, "engine: list\nusd_per_kwh: 0.2\nnodes:\n  - {name: w, count: 80, machine: Raspberry Pi 5 8GB}\nexperts:\n  - {name: x, task: detect, memory: 100 MB, item: 50ms, replicas: 70}\n");
    REQUIRE(p && p->n == 70);
    buf_init(&b, 1 << 20);
    CHECK(cluster_plan_put_fleet(p, &b, &err), "%s", err.text);
    CHECK(strstr(b.data, "{name: w, distance: lan, count: 70") && strstr(b.data, "{name: x, node: w,") && !strstr(b.data, "w-2"), "%s", b.data);
    struct sim *s = sim_parse("plan.yaml", b.data, b.len, NULL, &err);
    CHECK(s && sim_world(s)->n == 70 && sim_world(s)->n_nodes >= 70, "%s", err.text);
    sim_free(s);
    buf_fini(&b);
    end(inv, p);
}
