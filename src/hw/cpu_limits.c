/* hw/cpu_limits.c - how much of the CPU this process may use: affinity, cpusets, cgroup quota.
 *
 * For:     cpu_info.c.
 * Touches: sched_getaffinity (live machine), /proc/self/cgroup, /sys/fs/cgroup.
 */
#define _GNU_SOURCE /* sched_getaffinity */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hw/cgroup.h"
#include "hw/cpu_internal.h"

/* "quota period" or "max period" of cgroup v2; the tightest of our group and all above it. */
static double quota_of(const struct hw_root *r)
{
    char path[CGROUP_PATH_BYTES], text[64];
    double least = 0;
    cgroup_path(r, path);
    do {
        if (hw_read(r, text, sizeof(text), "sys/fs/cgroup%s/cpu.max", path)) {
            char *end;
            const double quota = strtod(text, &end), period = end != text ? strtod(end, NULL) : 0;
            if (end != text && quota > 0 && period > 0 && quota / period < HW_CPUS_MAX && (least == 0 || quota / period < least))
                least = quota / period;
        }
    } while (cgroup_up(path));
    int64_t quota, period; /* cgroup v1 */
    if (least == 0 && hw_read_i64(r, &quota, "sys/fs/cgroup/cpu/cpu.cfs_quota_us") && hw_read_i64(r, &period, "sys/fs/cgroup/cpu/cpu.cfs_period_us") && quota > 0 && period > 0 &&
        (double)quota / (double)period < HW_CPUS_MAX)
        least = (double)quota / (double)period;
    return least;
}

void cpu_read_limits(const struct hw_root *r, struct hw_machine *m, const struct cpu_set *s)
{
    struct hw_cpu *c = &m->cpu;
    bool leads[HW_CPUS_MAX] = { false };
    c->cores_usable = c->cores_physical;
    if (m->is_live) {
        cpu_set_t *set = CPU_ALLOC(HW_CPUS_MAX);
        const size_t size = CPU_ALLOC_SIZE(HW_CPUS_MAX);
        if (set && sched_getaffinity(0, size, set) == 0) {
            c->cpus_allowed = CPU_COUNT_S(size, set);
            c->cores_usable = 0;
            for (int i = 0; i < s->n; i++)
                if (s->cpu[i].is_online && CPU_ISSET_S(i, size, set) && !leads[s->cpu[i].leader])
                    leads[s->cpu[i].leader] = true, c->cores_usable++;
        }
        if (set)
            CPU_FREE(set);
    }
    c->cgroup_cpus = quota_of(r);
    if (c->cgroup_cpus > 0 && c->cgroup_cpus < c->cores_usable)
        c->cores_usable = (int)(c->cgroup_cpus + 0.999);
    if (c->cores_usable < 1 && c->cores_logical > 0)
        c->cores_usable = 1;
}
