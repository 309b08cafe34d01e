/* tests/route/test_fleet.c - fleet files: what they say, what is derived, what is refused. */
#include <math.h>
#include <string.h>

#include "route/fleet.h"
#include "test.h"

static struct fleet *parse(const char *text, struct err *err)
{
    static struct catalog *c;
    if (!c)
        c = catalog_new(NULL, err);
    return fleet_parse("f.yaml", text, strlen(text), c, NULL, err);
}

static const struct candidate *find(const struct fleet *f, const char *expert, const char *node)
{
    for (int i = 0; i < f->n; i++)
        if (strcmp(f->list[i].expert, expert) == 0 && strcmp(f->nodes[f->list[i].node].name, node) == 0)
            return &f->list[i];
    return NULL;
}

TEST(the_shipped_fleet_has_fifty_candidates_whose_figures_are_known)
{
    struct err err = { 0 };
    struct catalog *c = catalog_new(NULL, &err);
    struct fleet *f = fleet_shipped(c, &err);
    REQUIRE(f, "%s", err.text);
    CHECK(f->n == 50, "%d", f->n);
    for (int i = 0; i < f->n; i++) {
        const struct candidate *a = &f->list[i];
        const char *node = f->nodes[a->node].name;
        CHECK(a->slot == i && a->tasks && a->n_parallel >= 1);
        if (a->tasks & EXPERT_CHAT)
            CHECK(a->prefill_tok_s > 0 && a->decode_tok_s > 0 && a->n_ctx > 0 && a->quality > 0, "%s on %s", a->expert, node);
        if (a->tasks & EXPERT_DETECT)
            CHECK(a->item_s > 0 && a->item_s < 2, "%s on %s: %g s", a->expert, node, (double)a->item_s);
        if (a->tasks & EXPERT_TRANSCRIBE)
            CHECK(a->sound_s_s > 0 && a->sound_s_s < 1, "%s on %s: %g", a->expert, node, (double)a->sound_s_s);
        if (f->nodes[a->node].distance != EXPERT_CLOUD)
            CHECK(a->busy_w > 0, "%s on %s", a->expert, node);
    }
    /* a larger model of the same kind on the same machine is slower and better; the same model on a faster machine is faster */
    const struct candidate *small = find(f, "llama-3.2-3b", "minipc"), *big = find(f, "llama-3.1-8b", "minipc"), *fast = find(f, "llama-3.1-8b", "desktop");
    REQUIRE(small && big && fast);
    CHECK(small->decode_tok_s > big->decode_tok_s && small->quality < big->quality && fast->decode_tok_s > 3 * big->decode_tok_s);
    CHECK(fabsf(big->quality - 6.5f) < .1f, "%g", (double)big->quality);
    fleet_free(f);
    catalog_free(c);
}

TEST(figures_that_the_file_names_win_and_the_rest_is_derived)
{
    struct err err = { 0 };
    struct fleet *f = parse("nodes: [{name: a, device: Jetson Orin Nano, battery: 0.5, rtt: 20ms}]\n"
                            "experts: [{name: q, node: a, model: Qwen2.5 7B, quant: Q4_K_M, ctx: 2048, decode_tok_s: 12.5, measured: true, load: 4s}]\n", &err);
    REQUIRE(f, "%s", err.text);
    const struct candidate *c = f->list;
    CHECK(c->decode_tok_s == 12.5f && c->prefill_tok_s > 0 && c->is_measured && c->load_s == 4 && c->n_ctx == 2048 && c->privacy == EXPERT_LOCAL);
    CHECK(f->nodes[0].battery_frac == .5f && !f->nodes[0].on_battery && f->nodes[0].rtt_s == .02f && isnan(f->nodes[0].temperature_c));
    CHECK((c->tasks & EXPERT_CHAT) && c->params > 7e9 && c->bits > 4);
    fleet_free(f);
}

TEST(what_is_wrong_is_said_with_its_place_and_the_nearest_word)
{
    static const struct {
        const char *text, *why;
    } wrong[] = {
        { "nodes: [{name: a}]\n", "a fleet has nodes and experts" },
        { "nodes: [{name: a, rt: 1ms}]\nexperts: [{name: x, node: a, task: chat}]\n", "did you mean 'rtt'?" },
        { "nodes: [{name: a}]\nexperts: [{name: x, node: b, task: chat}]\n", "f.yaml:2:27: there is no node 'b'" },
        { "nodes: [{name: pi-1}]\nexperts: [{name: x, node: pi-2, task: chat}]\n", "did you mean 'pi-1'?" },
        { "nodes: [{name: a}]\nexperts: [{name: x, node: a, task: caht}]\n", "did you mean 'chat'?" },
        { "nodes: [{name: a}]\nexperts: [{name: x, node: a}]\n", "task: what it does is wanted" },
        { "nodes: [{name: a}]\nexperts: [{name: x, task: chat}]\n", "node: where it runs is wanted" },
        { "nodes: [{name: a}, {name: a}]\nexperts: [{name: x, node: a, task: chat}]\n", "a is there twice" },
        { "nodes: [{name: a}]\nexperts: [{name: x, nodes: [a, a], task: chat}]\n", "x is on a twice" },
        { "nodes: [{name: a, device: Jetson Onion}]\nexperts: [{name: x, node: a, task: chat}]\n", "f.yaml:1:27: device: " },
        { "nodes: [{name: a, device: Raspberry Pi 5}]\nexperts: [{name: x, node: a, model: Llama 3.1 70B, quant: Q8_0}]\n", "GB with its context" },
        { "nodes: [{name: a}]\nexperts: [{name: x, node: a, model: Nonesuch 3B}]\n", "f.yaml:2:37: model: " },
        { "nodes: [{name: a}]\nexperts: [{name: x, node: a, model: Qwen2.5 7B, quant: Q9_Z}]\n", "f.yaml:2:56: model: " },
        { "nodes: [{name: a, battery: 2}]\nexperts: [{name: x, node: a, task: chat}]\n", "0 to 1" },
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct err err = { 0 };
        struct fleet *f = parse(wrong[i].text, &err);
        CHECK(!f && strstr(err.text, wrong[i].why), "%zu: %s", i, err.text);
        fleet_free(f);
    }
}

TEST(further_keys_are_the_callers)
{
    static const char *const top[] = { "arrivals", NULL }, *const node[] = { "thermal", NULL };
    static const char text[] = "arrivals: {}\nnodes: [{name: a, thermal: {}}]\nexperts: [{name: x, node: a, task: chat}]\n";
    struct err err = { 0 };
    struct catalog *c = catalog_new(NULL, &err);
    struct fleet *f = fleet_parse("f.yaml", text, strlen(text), c, &(struct fleet_keys){ .top = top, .node = node }, &err);
    REQUIRE(f, "%s", err.text);
    CHECK(yaml_get(f->node_yaml[0], "thermal") && yaml_get(yaml_root(f->yaml), "arrivals") && f->expert_yaml[0]);
    fleet_free(f);
    catalog_free(c);
}

TEST(nodes_of_a_count_share_a_name_and_their_experts)
{
    struct err err = { 0 };
    struct fleet *f = parse("nodes: [{name: a}, {name: pi, count: 3}, {name: z, count: 1}]\n"
                            "experts: [{name: x, node: pi, task: chat, quality: 5}, {name: y, nodes: [a, pi-2, z], task: detect}]\n", &err);
    REQUIRE(f, "%s", err.text);
    CHECK(f->n_nodes == 5 && f->n == 6 && strcmp(f->nodes[3].name, "pi-3") == 0 && strcmp(f->nodes[4].name, "z-1") == 0);
    CHECK(find(f, "x", "pi-1") && find(f, "x", "pi-3") && find(f, "y", "pi-2") && find(f, "y", "z-1") && !find(f, "y", "pi-1"));
    CHECK(f->first[0] == 0 && f->first[5] == 6);
    for (int n = 0; n < f->n_nodes; n++)
        for (int i = f->first[n]; i < f->first[n + 1]; i++)
            CHECK(f->list[f->of[i]].node == n && f->list[f->of[i]].slot == f->of[i] && (i == f->first[n] || f->of[i - 1] < f->of[i]));
    fleet_free(f);
    static const char *const wrong[][2] = {
        { "nodes: [{name: a, count: 2}, {name: a-2}]\nexperts: [{name: x, node: a, task: chat}]\n", "a-2 is there twice" },
        { "nodes: [{name: a-2}, {name: a, count: 2}]\nexperts: [{name: x, node: a, task: chat}]\n", "a-2 is there twice" },
        { "nodes: [{name: a, count: 2}, {name: a}]\nexperts: [{name: x, node: a, task: chat}]\n", "a is there twice" },
        { "nodes: [{name: a, count: 20000}]\nexperts: [{name: x, node: a, task: chat}]\n", "count" },
        { "nodes: [{name: a, count: 9000}, {name: b, count: 9000}]\nexperts: [{name: x, node: a, task: chat}]\n", "at most 16384" },
        { "nodes: [{name: a, count: 12000}]\nexperts: [{name: x, node: a, task: chat}, {name: y, node: a, task: chat}, {name: z, node: a, task: chat}]\n", "at most 32768" },
        { "nodes: [{name: a, count: 2}]\nexperts: [{name: x, nodes: [a, a-2], task: chat}]\n", "x is on a-2 twice" },
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct fleet *g = parse(wrong[i][0], &err);
        CHECK(!g && strstr(err.text, wrong[i][1]), "%s: %s", wrong[i][1], g ? "taken" : err.text);
        fleet_free(g);
    }
}
