/* tests/cluster/test_place.c - plans: the seeds' cluster, what is missing and what to buy, what is written. */
#include "test.h"

#include <math.h>
#include <string.h>

#include "cluster/place.h"

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
