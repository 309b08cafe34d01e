/* hw/cpu_threads.c - how many threads shall compute, and from which memory: cpu_default_threads(), cpu_memory_nodes().
 *
 * For:     pools of compute threads (cpu.h says who calls).
 * Touches: /sys/devices, control groups, the affinity mask.
 * Rule:    one thread for each core, whatever threads the core has: two share its units and its cache.  Where cores differ, the
 *          large ones only: a step ends when the slowest thread does.
 */
#define _GNU_SOURCE /* sched_getaffinity */
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hw/cgroup.h"
#include "hw/cpu.h"
#include "hw/cpu_internal.h"

enum { LARGE_PERCENT = 60 }; /* of the largest core's capacity: A55 beside A76 has 40 to 52, a middle core beside X1 80 to 90 */

static void mark(void *ctx, int cpu) { ((bool *)ctx)[cpu] = true; }

static bool read_list(const struct hw_root *r, const char *path, bool *out)
{
    char text[4096];
    memset(out, 0, HW_CPUS_MAX);
    return hw_read(r, text, sizeof(text), "%s", path) && cpu_list_parse(text, mark, out);
}

/* Leaves the large ones in may[], unless that would leave nothing. */
static void keep_large(const struct hw_root *r, bool *may)
{
    bool large[HW_CPUS_MAX], any = false;
    if (!read_list(r, "sys/devices/cpu_core/cpus", large)) { /* Intel's hybrid parts name them; boards have capacities */
        int64_t of[HW_CPUS_MAX] = { 0 }, most = 0;
        for (int i = 0; i < HW_CPUS_MAX; i++)
            if (may[i] && hw_read_i64(r, &of[i], "sys/devices/system/cpu/cpu%d/cpu_capacity", i) && of[i] > most && of[i] < INT32_MAX)
                most = of[i];
            else if (may[i] && most == 0)
                break; /* one without: all are */
        for (int i = 0; i < HW_CPUS_MAX; i++)
            large[i] = of[i] * 100 >= most * LARGE_PERCENT;
    }
    for (int i = 0; i < HW_CPUS_MAX; i++)
        any |= may[i] && large[i];
    for (int i = 0; any && i < HW_CPUS_MAX; i++)
        may[i] = may[i] && large[i];
}

int cpu_threads_of(const struct hw_root *r, const bool *allowed)
{
    bool may[HW_CPUS_MAX], done[HW_CPUS_MAX] = { false };
    int n = 0;
    if (!read_list(r, "sys/devices/system/cpu/online", may))
        memset(may, allowed != NULL, sizeof(may)); /* no /sys: what the mask says */
    for (int i = 0; allowed && i < HW_CPUS_MAX; i++)
        may[i] = may[i] && allowed[i];
    keep_large(r, may);
    for (int i = 0; i < HW_CPUS_MAX; i++) {
        char path[96];
        bool core[HW_CPUS_MAX];
        if (!may[i] || done[i])
            continue;
        n++;
        snprintf(path, sizeof(path), "sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", i);
        const bool is_listed = read_list(r, path, core);
        for (int k = 0; is_listed && k < HW_CPUS_MAX; k++)
            done[k] |= core[k];
    }
    const double quota = cgroup_cpus(r);
    if (quota > 0 && quota < n)
        n = (int)ceil(quota);
    return n < 1 ? 1 : n;
}

uint64_t cpu_memory_nodes_of(const struct hw_root *r, const bool *allowed)
{
    uint64_t nodes = 0;
    bool cpus[HW_CPUS_MAX];
    struct hw_names names;
    hw_list(r, &names, "sys/devices/system/node");
    for (int k = 0; k < names.n; k++) {
        char path[64];
        const int node = strncmp(names.name[k], "node", 4) == 0 ? cpu_list_first(names.name[k] + 4) : -1;
        if (node < 0 || node > 63)
            continue;
        snprintf(path, sizeof(path), "sys/devices/system/node/node%d/cpulist", node);
        const bool is_there = read_list(r, path, cpus);
        for (int i = 0; is_there && i < HW_CPUS_MAX; i++)
            if (cpus[i] && (!allowed || allowed[i]))
                nodes |= (uint64_t)1 << node;
    }
    hw_names_free(&names);
    return nodes;
}

static bool read_affinity(bool *allowed)
{
    cpu_set_t *set = CPU_ALLOC(HW_CPUS_MAX);
    const size_t size = CPU_ALLOC_SIZE(HW_CPUS_MAX);
    const bool ok = set && sched_getaffinity(0, size, set) == 0;
    for (int i = 0; i < HW_CPUS_MAX; i++)
        allowed[i] = ok && CPU_ISSET_S((size_t)i, size, set);
    if (set)
        CPU_FREE(set);
    return ok;
}

int cpu_default_threads(void)
{
    struct err ignored = { 0 };
    bool allowed[HW_CPUS_MAX];
    const bool is_known = read_affinity(allowed);
    struct hw_root *r = hw_root_open("", &ignored);
    const int n = r ? cpu_threads_of(r, is_known ? allowed : NULL) : 1;
    hw_root_free(r);
    return n;
}

uint64_t cpu_memory_nodes(void)
{
    struct err ignored = { 0 };
    bool allowed[HW_CPUS_MAX];
    const bool is_known = read_affinity(allowed);
    struct hw_root *r = hw_root_open("", &ignored);
    const uint64_t nodes = r ? cpu_memory_nodes_of(r, is_known ? allowed : NULL) : 0;
    hw_root_free(r);
    return nodes;
}
