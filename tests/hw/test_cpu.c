/* tests/hw/test_cpu.c - levels are chosen from what the machine has. */
#include <string.h>

#include "hw/cpu.h"
#include "hw/root.h"
#include "test.h"

TEST(a_level_masks_flags_and_an_absent_one_is_refused)
{
    struct err err = { 0 };
    uint32_t use = 99;
    const struct cpu_level *l = NULL;
    CHECK(cpu_choose("ref", cpu_flags(), &use, &l, &err) && use == 0 && strcmp(l->name, "ref") == 0);
    CHECK(cpu_choose(NULL, 0, &use, &l, &err) && strcmp(l->name, "ref") == 0);
    for (int i = 1; i < cpu_n_levels; i++) {
        CHECK(!cpu_choose(cpu_levels[i].name, 0, &use, &l, &err) && err.code == ERR_INPUT);
        CHECK(cpu_choose("", cpu_levels[i].need, &use, &l, &err));
    }
    CHECK(!cpu_choose("sse9", ~0u, &use, &l, &err) && strstr(err.text, "sse9"), "%s", err.text);
    CHECK(cpu_default_threads() >= 1);
}

static struct hw_root *open_tree(const char *name)
{
    struct err err = { 0 };
    char path[128];
    snprintf(path, sizeof(path), "tests/hw/machines/%s.tree", name);
    struct hw_root *r = hw_root_open(path, &err);
    CHECK(r, "%s", err.text);
    return r;
}

TEST(a_thread_for_each_large_core_and_none_for_its_second_thread)
{
    static const struct {
        const char *machine;
        int threads, nodes;
    } cases[] = {
        { "board-rk3588", 4, 0 },        /* four A76, four A55 */
        { "intel-hybrid", 6, 0 },        /* six P cores of two threads, and E cores */
        { "server-2s-epyc-9354", 64, 2 },
        { "raspberry-pi-5", 4, 0 },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hw_root *r = open_tree(cases[i].machine);
        CHECK(r && cpu_threads_of(r, NULL) == cases[i].threads, "%s: %d", cases[i].machine, r ? cpu_threads_of(r, NULL) : -1);
        CHECK(r && __builtin_popcountll(cpu_memory_nodes_of(r, NULL)) == cases[i].nodes, "%s: %llx", cases[i].machine, (unsigned long long)cpu_memory_nodes_of(r, NULL));
        hw_root_free(r);
    }
}

TEST(what_the_mask_leaves_decides)
{
    bool allowed[4096] = { false };
    struct hw_root *r = open_tree("board-rk3588");
    allowed[0] = allowed[1] = true; /* small ones only: then they it is */
    CHECK(cpu_threads_of(r, allowed) == 2);
    allowed[4] = true;
    CHECK(cpu_threads_of(r, allowed) == 1);
    hw_root_free(r);
    memset(allowed, 0, sizeof(allowed));
    r = open_tree("server-2s-epyc-9354");
    for (int i = 0; i < 32; i++) /* the first socket */
        allowed[i] = true;
    CHECK(cpu_memory_nodes_of(r, allowed) == 1 && cpu_threads_of(r, allowed) == 32, "%d", cpu_threads_of(r, allowed));
    hw_root_free(r);
}

TEST(a_quota_of_the_control_group_bounds_the_threads)
{
    struct err err = { 0 };
    static const char tree[] = "sys/devices/system/cpu/online: 0-15\nsys/devices/system/cpu/cpu{0-15}/topology/thread_siblings_list: {}\n"
                               "proc/self/cgroup: 0::/box\nsys/fs/cgroup/box/cpu.max: 350000 100000\n";
    struct hw_root *r = hw_root_parse(tree, sizeof(tree) - 1, &err);
    CHECK(r && cpu_threads_of(r, NULL) == 4, "%s", err.text);
    hw_root_free(r);
}
