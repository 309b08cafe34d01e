/* tests/site/inventories.h - inventories by chance, as text; for the tests of placement. */
#ifndef TUTTI_TESTS_INVENTORIES_H
#define TUTTI_TESTS_INVENTORIES_H
#include "base/buf.h"
#include "test.h"

static inline int upto(int n) { return (int)(test_rand_u64() % (uint64_t)n); }
static inline bool one_in(int n) { return upto(n) == 0; }

static inline void put_machine(struct buf *b, int i)
{
    static const char *const machines[] = {
        "machine: Raspberry Pi 5 8GB", "machine: Raspberry Pi 5 4GB", "machine: Raspberry Pi 4 4GB, accelerators: [Intel Neural Compute Stick 2]",
        "machine: Raspberry Pi 5 8GB, accelerators: [Coral USB Accelerator]", "machine: Raspberry Pi 4 8GB, accelerators: [{name: Coral USB Accelerator, share: 2}]",
        "machine: Jetson Orin Nano Super 8GB", "machine: Beelink GTi14, memory: 16 GB", "machine: Core Ultra 5 225U, memory: 8 GB, board: laptop",
        "machine: Core Ultra 7 155H, memory: 16 GB, gpus: [Arc A380]", "machine: Mac mini M4 16GB", "machine: Ryzen 9 7950X, memory: 32 GB, gpus: [GeForce RTX 4060]",
    };
    buf_printf(b, "  - {name: n%d, %s", i, machines[upto((int)(sizeof(machines) / sizeof(machines[0])))]);
    if (one_in(5))
        buf_printf(b, ", rtt: %dms, link_gbit_s: %g", 1 + upto(10), .1 * (1 + upto(20)));
    if (one_in(5))
        buf_printf(b, ", wake: \"00:11:22:33:44:%02x\", idle_w: %d", i & 255, 2 + upto(30));
    if (one_in(6))
        buf_puts(b, ", leaves: true");
    buf_puts(b, "}\n");
}

static inline void put_expert(struct buf *b, int i, int n_nodes, int max_replicas)
{
    static const char *const models[] = { "Qwen2.5 0.5B", "Qwen2.5 1.5B", "Qwen2.5 3B", "Qwen2.5 7B", "Llama 3.2 1B", "Qwen2.5 14B" };
    static const char *const quants[] = { "Q8_0", "Q4_K_M", "Q6_K", "Q8_0, Q4_K_M", "Q6_K, Q3_K_M" };
    buf_printf(b, "  - {name: e%d", i);
    if (!one_in(3))
        buf_printf(b, ", task: chat, model: %s, quants: [%s], ctx: %d, parallel: %d, traffic: {per_hour: %d, prompt_tok: %d, answer_tok: %d}", models[upto(6)], quants[upto(5)],
                   1024 << upto(4), 1 + upto(2), one_in(4) ? 0 : upto(one_in(5) ? 2000 : 100), 16 + upto(1000), 1 + upto(300));
    else
        buf_printf(b, ", task: detect, memory: %d MB, item: %dms, traffic: {per_hour: %d}", 50 + upto(2000), 5 + upto(500), upto(40000));
    if (one_in(4))
        buf_printf(b, ", accelerator: %s, needs_accelerator: %s, item_accelerated: %dms", one_in(2) ? "google.com/coral" : "intel.com/ncs2", one_in(2) ? "true" : "false", 2 + upto(30));
    if (one_in(3))
        buf_puts(b, ", keeps_warm: false");
    if (max_replicas > 1 && one_in(3)) {
        const int min = 1 + upto(max_replicas);
        buf_printf(b, ", replicas: {min: %d, max: %d}", min, min + upto(max_replicas - min + 1));
    }
    if (one_in(6))
        buf_printf(b, ", only: [n%d, n%d]", upto(n_nodes), upto(n_nodes));
    buf_puts(b, "}\n");
}

static inline void put_inventory(struct buf *b, int n_nodes, int n_experts, int max_replicas)
{
    buf_clear(b);
    buf_printf(b, "engine: %s\nusd_per_kwh: 0.2\ngoals: {latency: %d, energy: %d, cost: %d}\nnodes:\n", one_in(2) ? "k3s" : "list", upto(5), upto(5), 1 + upto(5));
    for (int i = 0; i < n_nodes; i++)
        put_machine(b, i);
    buf_puts(b, "experts:\n");
    for (int i = 0; i < n_experts; i++)
        put_expert(b, i, n_nodes, max_replicas);
    if (n_experts > 1 && one_in(2)) {
        buf_printf(b, "edges:\n  - {from: camera, to: e0, per_hour: %d, bytes: 60 kB}\n", upto(20000));
        for (int i = 1; i < n_experts; i++)
            if (one_in(2))
                buf_printf(b, "  - {from: e%d, to: e%d, per_hour: %d, bytes: %d kB}\n", upto(i), i, upto(5000), 1 + upto(300));
    }
}
#endif
