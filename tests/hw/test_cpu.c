/* tests/hw/test_cpu.c - levels are chosen from what the machine has. */
#include <string.h>

#include "hw/cpu.h"
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
