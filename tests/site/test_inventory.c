/* tests/site/test_inventory.c - inventories: what is read, what is refused and how that is said. */
#include "test.h"

#include <math.h>
#include <string.h>

#include "base/buf.h"
#include "site/inventory.h"
#include "plan/memory.h"

static struct catalog *catalog;
static struct inventory *parse(const char *text, struct err *err)
{
    if (!catalog)
        catalog = catalog_new(NULL, err);
    return catalog ? inventory_parse("i.yaml", text, strlen(text), "", catalog, err) : NULL;
}

static void refuses(int line, const char *text, const char *part)
{
    struct err err = { 0 };
    struct inventory *inv = parse(text, &err);
    CHECK(!inv && strstr(err.text, part) && !strchr(err.text, '\n'), "line %d: '%s' lacks '%s'", line, inv ? "accepted" : err.text, part);
    inventory_free(inv);
}
#define REFUSES(text, part) refuses(__LINE__, text, part)

#define PI "nodes:\n  - {name: a, machine: Raspberry Pi 5 8GB}\n"

TEST(a_board_of_the_catalog_is_a_node_with_its_figures)
{
    struct err err = { 0 };
    struct inventory *inv = parse("nodes:\n  - name: p\n    machine: Raspberry Pi 5 8GB\n    accelerators: [Coral USB]\n", &err);
    REQUIRE(inv, "%s", err.text);
    const struct inv_node *n = &inv->nodes[0];
    CHECK(n->mem_bytes == 8000000000u && n->n_devices == 2 && !strcmp(n->board, "pi5") && !strcmp(n->arch, "arm64") && n->is_head);
    CHECK(n->free_bytes + 1600000000u == plan_usable_bytes(&n->devices[1].of.plan), "K3s' server is not counted: %.2f GB", (double)n->free_bytes / 1e9);
    CHECK(!strcmp(n->devices[0].resource, "google.com/coral") && n->devices[0].n_share == 1 && !n->devices[0].runs_llm);
    CHECK(n->devices[1].runs_llm && n->devices[1].of.plan.bw_gbps > 17 && !n->devices[1].resource[0]);
    CHECK(fabs(n->idle_w - 2.8) < .01 && fabs(n->busy_w - 6.9) < .01, "%g %g", n->idle_w, n->busy_w);
    inventory_free(inv);
}

TEST(equal_nodes_are_counted_named_and_share_what_was_looked_up)
{
    struct err err = { 0 };
    struct inventory *inv = parse("engine: list\nnodes:\n  - {name: w, count: 40, machine: Raspberry Pi 4 4GB, address: 10.0.0.10}\n  - {name: h, machine: \"epyc 9354\", memory: 256 GB, gpus: [rtx 4090]}\n", &err);
    REQUIRE(inv, "%s", err.text);
    CHECK(inv->n_nodes == 41 && !strcmp(inv->nodes[39].name, "w-40") && !strcmp(inv->nodes[39].address, "10.0.0.49") && inv->nodes[3].devices == inv->nodes[4].devices);
    const struct inv_node *h = &inv->nodes[40];
    CHECK(h->n_devices == 2 && !strcmp(h->devices[0].resource, "nvidia.com/gpu") && h->devices[0].mem_bytes == 24000000000u && !strcmp(h->board, "server"));
    CHECK(h->free_bytes == 252000000000u, "%.1f", (double)h->free_bytes / 1e9);
    inventory_free(inv);
}

TEST(a_jetson_has_a_gpu_and_a_cpu_on_one_memory)
{
    struct err err = { 0 };
    struct inventory *inv = parse("engine: list\nnodes:\n  - {name: j, machine: Jetson Orin Nano Super 8GB}\n", &err);
    REQUIRE(inv, "%s", err.text);
    const struct inv_node *n = &inv->nodes[0];
    CHECK(n->n_devices == 2 && n->devices[0].mem_bytes == 0 && n->mem_bytes == 8000000000u && !strcmp(n->devices[0].resource, "nvidia.com/gpu") && !strcmp(n->board, "jetson"));
    CHECK(n->devices[1].of.plan.cls == PLAN_CPU && n->devices[1].runs_llm);
    inventory_free(inv);
}

TEST(an_expert_is_a_language_model_in_precisions_or_a_network_with_its_time)
{
    struct err err = { 0 };
    struct inventory *inv = parse(PI "experts:\n  - {name: chat, task: chat, model: Qwen2.5 3B}\n  - {name: see, task: detect, model: YOLOv8n}\n"
                                     "  - {name: hear, task: transcribe, model: Whisper base, traffic: {sound: 10s}}\n  - {name: own, task: ocr, memory: 400 MB, item: 900ms}\n", &err);
    REQUIRE(inv, "%s", err.text);
    const struct inv_want *w = inv->wants;
    CHECK(w[0].n_quants == 3 && !strcmp(w[0].model_of[0].quant, "Q8_0") && !strcmp(w[0].model_of[2].quant, "Q4_K_M") && w[0].n_ctx == 8192 && w[0].traffic.prompt_tok == 512);
    CHECK(w[1].n_quants == 0 && w[1].item_s > .05 && w[1].item_s < 1 && w[1].bytes > 100000000u, "%g s", w[1].item_s);
    CHECK(w[2].item_s > .1 && w[2].item_s < 10, "%g s", w[2].item_s);
    CHECK(w[3].item_s == .9 && w[3].n_min == 1 && w[3].n_max == 1);
    inventory_free(inv);
}

TEST(a_recording_is_a_node_with_what_was_found)
{
    struct err err = { 0 };
    catalog = catalog_new(NULL, &err);
    const char *text = "engine: list\nnodes:\n  - {name: p, recording: raspberry-pi-5.tree}\n  - {name: j, recording: jetson-orin-nano.tree}\n  - {name: l, recording: laptop-gpu-battery.tree}\n";
    struct inventory *inv = inventory_parse("i.yaml", text, strlen(text), "tests/hw/machines", catalog, &err);
    REQUIRE(inv, "%s", err.text);
    const struct inv_node *n = inv->nodes;
    CHECK(!strcmp(n[0].board, "pi5") && !strcmp(n[0].arch, "arm64") && n[0].mem_bytes > 7000000000u && n[0].free_bytes < n[0].mem_bytes, "%s %s", n[0].board, n[0].arch);
    CHECK(!strcmp(n[1].board, "jetson") && n[1].n_devices >= 2 && !strcmp(n[1].devices[0].resource, "nvidia.com/gpu") && n[1].devices[0].mem_bytes == 0, "%s", n[1].board);
    CHECK(n[2].may_leave && !strcmp(n[2].arch, "amd64") && n[2].devices[0].mem_bytes > 7000000000u, "%s", n[2].board);
    inventory_free(inv);
}

TEST(what_is_wrong_is_one_line_that_says_where)
{
    REFUSES("nodes: []", "at least one");
    REFUSES("", "at least one");
    REFUSES("[1]", "a map");
    REFUSES("nodes:\n  - {name: a, machin: x}\n", "i.yaml:2:15: 'machin' is not known here");
    REFUSES("nodes:\n  - {name: A, machine: pi 5 8GB}\n", "small letters");
    REFUSES("nodes:\n  - {name: a}\n", "machine:");
    REFUSES("nodes:\n  - {name: a, machine: Raspberry Pi 5}\n", "2;4;8;16 GB: which");
    REFUSES("nodes:\n  - {name: a, machine: Raspberry Pi 5 5GB}\n", "comes with");
    REFUSES("nodes:\n  - {name: a, machine: quantum box}\n", "i.yaml:2:");
    REFUSES("nodes:\n  - {name: a, machine: rtx 4090}\n", "is a card");
    REFUSES("nodes:\n  - {name: a, machine: epyc 9354}\n", "memory:");
    REFUSES("nodes:\n  - {name: a, count: 10001, machine: Raspberry Pi 5 8GB}\n", "count");
    REFUSES("nodes:\n  - {name: a, count: 9999, machine: Raspberry Pi 5 8GB}\n  - {name: b, count: 2, machine: Raspberry Pi 5 8GB}\n", "at most 10000");
    REFUSES("nodes:\n  - {name: a, machine: Raspberry Pi 5 8GB}\n  - {name: a, machine: Raspberry Pi 5 8GB}\n", "i.yaml:3:12: nodes: a is there twice");
    REFUSES("nodes:\n  - {name: a, recording: /nonexistent.tar}\n", "recording:");
    REFUSES(PI "goals: {latency: .nan}\n", "a number is wanted");
    REFUSES(PI "goals: {latency: 0}\n", "above 0");
    REFUSES(PI "experts:\n  - {name: x, task: chta, model: 3b}\n", "did you mean 'chat'");
    REFUSES(PI "experts:\n  - {name: x, task: ocr}\n", "memory:");
    REFUSES(PI "experts:\n  - {name: x, task: chat, model: Qwen9 3B}\n", "model:");
    REFUSES(PI "experts:\n  - {name: x, task: chat, model: 3b, only: [b]}\n", "there is no node 'b'");
    REFUSES(PI "experts:\n  - {name: x, task: chat, model: 3b, traffic: {per_hour: 1e300}}\n", "0 to 1e+09");
    REFUSES(PI "experts:\n  - {name: x, task: chat, model: 3b}\n  - {name: y, task: chat, model: 3b}\nedges:\n  - {from: x, to: y}\n  - {from: y, to: x}\n", "closes a circle");
}

TEST(a_file_of_four_megabytes_is_read_or_refused_in_one_line)
{
    struct err err = { 0 };
    struct buf b;
    buf_init(&b, 8 << 20);
    buf_puts(&b, "nodes:\n");
    for (int i = 0; b.len < (4 << 20) - 100; i++)
        buf_printf(&b, "  - {name: n%d, machine: Raspberry Pi 5 8GB}\n", i);
    struct inventory *inv = parse(b.data, &err);
    CHECK(!inv && strstr(err.text, "at most 10000") && !strchr(err.text, '\n'), "%s", err.text);
    inventory_free(inv);
    buf_fini(&b);
}

TEST(the_seeds_cluster_reads)
{
    struct err err = { 0 };
    catalog = catalog_new(NULL, &err);
    struct inventory *inv = inventory_read("examples/homelab/inventory.yaml", catalog, &err);
    REQUIRE(inv, "%s", err.text);
    CHECK(inv->n_nodes == 5 && inv->n_wants >= 10 && inv->n_edges == 3 && inv->switch_gbit_s == 1 && inv->nodes[0].is_head && inv->nodes[4].may_leave);
    inventory_free(inv);
}
