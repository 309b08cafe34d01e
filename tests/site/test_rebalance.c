/* tests/site/test_rebalance.c - what runs against what would be better: nothing for small gains, needed changes always, nodes that are away, measured
 * speeds, nonsense. */
#include "site/rebalance.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test.h"

static struct catalog *catalog;
static const char home[] = "name: h\nengine: list\nnodes:\n  - {name: a, machine: Raspberry Pi 5 8GB, address: 10.0.0.1}\n  - {name: b, machine: Raspberry Pi 5 8GB, address: 10.0.0.2}\n"
                           "  - {name: c, machine: Raspberry Pi 4 4GB, address: 10.0.0.3}\n"
                           "experts:\n  - {name: chat, task: chat, model: Qwen2.5 1.5B, quants: [Q8_0, Q4_K_M], ctx: 2048, traffic: {per_hour: 30, prompt_tok: 200, answer_tok: 100}}\n"
                           "  - {name: eye, task: detect, memory: 200 MB, item: 50ms, traffic: {per_hour: 3000}}\n";

static struct inventory *inventory(void)
{
    struct err err = { 0 };
    catalog = catalog ? catalog : catalog_new(NULL, &err);
    struct inventory *inv = catalog ? inventory_parse("i.yaml", home, sizeof(home) - 1, "", catalog, &err) : NULL;
    if (!inv)
        printf("# %s\n", err.text);
    return inv;
}

static struct rebalance *make(struct inventory *inv, const char *json, double threshold)
{
    struct err err = { 0 };
    struct rebalance *r = rebalance_make(inv, json, strlen(json), threshold, &err);
    if (!r)
        printf("# %s\n", err.text);
    return r;
}

/* The cluster as a node says it: experts "NAME" or "NAME,FIELDS" on a, b, c; NULL: the node is down. */
static char json[4000];
static const char *live(const char *a, const char *b, const char *c)
{
    const char *const of[] = { a, b, c };
    int n = snprintf(json, sizeof(json), "{\"node\":null,\"members\":[");
    for (int i = 0; i < 3; i++)
        n += snprintf(json + n, sizeof(json) - (size_t)n, "%s{\"name\":\"%c\",\"state\":\"%s\",\"models\":[],\"experts\":[%s]}", i ? "," : "", 'a' + i, of[i] ? "up" : "down", of[i] ? of[i] : "");
    snprintf(json + n, sizeof(json) - (size_t)n, "]}");
    return json;
}
#define CHAT "{\"id\":\"chat\",\"state\":\"warm\"}"
#define EYE "{\"id\":\"eye\",\"state\":\"warm\"}"

TEST(what_is_as_planned_stays)
{
    struct inventory *inv = inventory();
    REQUIRE(inv);
    struct err err = { 0 };
    struct cluster_plan *p = cluster_plan_make(inv, NULL, &err);
    REQUIRE(p && p->n == 2);
    const int chat = p->list[0].node, eye = p->list[1].node;
    const char *on[3];
    for (int i = 0; i < 3; i++)
        on[i] = i == chat && i == eye ? CHAT "," EYE : i == chat ? CHAT : i == eye ? EYE : "";
    struct rebalance *r = make(inv, live(on[0], on[1], on[2]), .05);
    REQUIRE(r);
    CHECK(r->n_changes == 0 && r->n_now == 2 && r->n_away == 0 && r->fits_now && fabs(r->score_now - p->score) < 1e-9, "%d changes, %g, %g", r->n_changes, r->score_now, p->score);
    rebalance_free(r);
    cluster_plan_free(p);
    inventory_free(inv);
}

TEST(a_small_gain_moves_nothing_a_large_one_does)
{
    struct inventory *inv = inventory();
    REQUIRE(inv);
    /* equal machines: which of them has what is all the same; a slow one is not */
    struct rebalance *r = make(inv, live(EYE, CHAT, ""), .05), *s = make(inv, live(EYE, "", CHAT), .05), *t = make(inv, live(EYE, "", CHAT), 10);
    REQUIRE(r && s && t);
    CHECK(r->n_changes == 0, "%d", r->n_changes);
    CHECK(s->n_changes == 1 && s->changes[0].kind == REBALANCE_MOVE && s->changes[0].from == 2 && s->changes[0].to != 2 && s->changes[0].gain > .05, "%d", s->n_changes);
    CHECK(s->score_then < s->score_now && s->changes[0].needs_file && s->changes[0].move_bytes > 100000000 && s->changes[0].load_s > 0 && strcmp(s->changes[0].file, "") != 0);
    CHECK(t->n_changes == 0, "nothing is worth ten times the score");
    rebalance_free(r), rebalance_free(s), rebalance_free(t);
    inventory_free(inv);
}

TEST(what_a_dead_node_had_is_needed_elsewhere)
{
    struct inventory *inv = inventory();
    REQUIRE(inv);
    struct rebalance *r = make(inv, live(EYE, NULL, ""), .05);
    REQUIRE(r);
    CHECK(r->n_away == 1 && r->n_changes >= 1 && r->changes[0].kind == REBALANCE_ADD && isinf(r->changes[0].gain), "%d", r->n_changes);
    for (int i = 0; i < r->n_then; i++)
        CHECK(r->then[i].node != 1, "nothing is put on a node that is away");
    rebalance_free(r);
    inventory_free(inv);
}

TEST(a_machine_that_measures_slow_is_left)
{
    struct inventory *inv = inventory();
    REQUIRE(inv);
    struct rebalance *r = make(inv, live("", "", "{\"id\":\"chat\",\"state\":\"warm\"}," EYE), .05);
    REQUIRE(r);
    struct rebalance *s = make(inv, live("{\"id\":\"chat\",\"state\":\"warm\",\"is_measured\":true,\"decode_tok_s\":4}", EYE, ""), .05);
    REQUIRE(s);
    CHECK(s->n_measured == 1 && r->n_measured == 0);
    CHECK(r->n_changes > 0);
    rebalance_free(r), rebalance_free(s);
    inventory_free(inv);
}

TEST(nonsense_is_refused_or_left_out)
{
    static const char *const bad[] = { "", "[]", "{", "{}", "{\"members\":5,\"node\":7}", "{\"members\":[1,\"x\",null,{\"name\":{},\"state\":[],\"experts\":9}]}",
                                       "{\"members\":[{\"name\":\"a\",\"state\":\"down\"}]}" };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct inventory *inv = inventory();
        struct err err = { 0 };
        REQUIRE(inv);
        struct rebalance *r = rebalance_make(inv, bad[i], strlen(bad[i]), .05, &err);
        CHECK(!r && err.code == ERR_INPUT, "%s", bad[i]);
        rebalance_free(r);
        inventory_free(inv);
    }
    struct inventory *inv = inventory();
    struct rebalance *r = make(inv, live("{\"id\":\"stranger\",\"state\":\"warm\"},{\"id\":5},7,{\"id\":\"chat\",\"state\":\"warm\",\"memory_bytes\":1e300,\"is_measured\":true,\"decode_tok_s\":-1}", EYE, "{\"id\":\"eye\",\"state\":\"down\"}"), .05);
    REQUIRE(r);
    CHECK(r->n_strange >= 1 && r->n_now == 2 && r->n_measured == 0, "%d %d", r->n_strange, r->n_now);
    rebalance_free(r);
    inventory_free(inv);
    catalog_free(catalog);
}
