/* hw/cpu_limits.c - how much of the CPU this process may use: affinity, cpusets, cgroup quota.
 *
 * For:     cpu_info.c.
 * Touches: sched_getaffinity (live machine); cgroup.c reads the quotas.
 */
#define _GNU_SOURCE /* sched_getaffinity */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hw/cgroup.h"
#include "hw/cpu_internal.h"

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
    c->cgroup_cpus = cgroup_cpus(r);
    if (c->cgroup_cpus > 0 && c->cgroup_cpus < c->cores_usable)
        c->cores_usable = (int)(c->cgroup_cpus + 0.999);
    if (c->cores_usable < 1 && c->cores_logical > 0)
        c->cores_usable = 1;
}
