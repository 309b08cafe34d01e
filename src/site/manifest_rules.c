/* site/manifest_rules.c - does `tutti device-plugin` offer this resource by itself?  A file of its own: devices.h and advise/device.h both
 * have a `struct device`. */
#include <string.h>

#include "cluster/devices.h"
bool manifest_is_ours(const char *resource);

bool manifest_is_ours(const char *resource)
{
    static struct device_rules rules; /* a table: the same for everybody */
    if (rules.n == 0)
        device_rules_init(&rules);
    for (int i = 0; i < rules.n; i++)
        if (strcmp(rules.list[i].resource, resource) == 0)
            return true;
    return false;
}
