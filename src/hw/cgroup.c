/* hw/cgroup.c - see cgroup.h. */
#include "hw/cgroup.h"

#include <string.h>

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
