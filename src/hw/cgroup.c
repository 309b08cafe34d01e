/* hw/cgroup.c - see cgroup.h. */
#include "hw/cgroup.h"

#include <stdlib.h>
#include <string.h>

enum { CPUS_MAX = 4096 }; /* a quota beyond is none */

void cgroup_path(const struct hw_root *r, char path[CGROUP_PATH_BYTES])
{
    char groups[4096];
    path[0] = '\0';
    if (!hw_read(r, groups, sizeof(groups), "proc/self/cgroup"))
        return;
    for (char *line = groups; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
        if (strncmp(line, "0::", 3) == 0) {
            const size_t n = strcspn(line + 3, "\n");
            if (n < CGROUP_PATH_BYTES)
                memcpy(path, line + 3, n), path[n] = '\0';
        }
}

bool cgroup_up(char *path)
{
    char *slash = strrchr(path, '/');
    if (slash)
        *slash = '\0';
    return slash != NULL;
}

/* "quota period" or "max period" of cgroup v2; the tightest of our group and all above it. */
double cgroup_cpus(const struct hw_root *r)
{
    char path[CGROUP_PATH_BYTES], text[64];
    double least = 0;
    cgroup_path(r, path);
    do {
        if (hw_read(r, text, sizeof(text), "sys/fs/cgroup%s/cpu.max", path)) {
            char *end;
            const double quota = strtod(text, &end), period = end != text ? strtod(end, NULL) : 0;
            if (end != text && quota > 0 && period > 0 && quota / period < CPUS_MAX && (least == 0 || quota / period < least))
                least = quota / period;
        }
    } while (cgroup_up(path));
    int64_t quota, period; /* cgroup v1 */
    if (least == 0 && hw_read_i64(r, &quota, "sys/fs/cgroup/cpu/cpu.cfs_quota_us") && hw_read_i64(r, &period, "sys/fs/cgroup/cpu/cpu.cfs_period_us") && quota > 0 && period > 0 &&
        (double)quota / (double)period < CPUS_MAX)
        least = (double)quota / (double)period;
    return least;
}
