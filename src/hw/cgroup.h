/* hw/cgroup.h - the control group that we are in, for the limits that it and those above it set (cgroup v2).
 *
 * For:     hw/cpu.c, hw/cpu_limits.c, hw/memory.c.
 * Touches: proc/self/cgroup below the root.  Thread: any.
 */
#ifndef TUTTI_HW_CGROUP_H
#define TUTTI_HW_CGROUP_H
#include "hw/root.h"

enum { CGROUP_PATH_BYTES = 512 };

/* Our group below sys/fs/cgroup, "" or "/a/b"; "" too where it is not known. */
void cgroup_path(const struct hw_root *r, char path[CGROUP_PATH_BYTES]);
/* To the group above; false: there is none. */
bool cgroup_up(char *path);
/* CPUs that the tightest quota of our group and those above it leaves (also cgroup v1); 0: no limit known. */
double cgroup_cpus(const struct hw_root *r);
#endif
