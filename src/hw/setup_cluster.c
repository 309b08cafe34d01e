/* hw/setup_cluster.c - what a node of a cluster needs to be set up: K3s, container runtimes, the clock, the address.
 *
 * Touches: names of files and folders below the root; contents that could hold a secret (registries' passwords, leases) are never read.
 */
#include <string.h>

#include "hw/machine.h"

/* A service of systemd that runs has a folder in the cgroup tree (v2; v1 below systemd/). */
static enum hw_yesno service_runs(const struct hw_root *r, const char *const names[])
{
    const bool is_v2 = hw_exists(r, "sys/fs/cgroup/cgroup.controllers"), is_v1 = hw_exists(r, "sys/fs/cgroup/systemd/system.slice");
    if (is_v2 && !hw_exists(r, "sys/fs/cgroup/system.slice")) /* a container sees its own part only */
        return HW_UNKNOWN;
    for (int i = 0; names[i]; i++)
        if (hw_exists(r, "sys/fs/cgroup/%ssystem.slice/%s.service", is_v2 ? "" : "systemd/", names[i]))
            return HW_YES;
    return is_v2 || is_v1 ? HW_NO : HW_UNKNOWN;
}

static enum hw_yesno has_file(const struct hw_root *r, const char *folder, const char *end)
{
    struct hw_names names;
    enum hw_yesno found = hw_exists(r, "%s", folder) ? HW_NO : HW_UNKNOWN;
    hw_list(r, &names, "%s", folder);
    for (int i = 0; i < names.n && found != HW_YES; i++) {
        const size_t n = strlen(names.name[i]), e = strlen(end);
        if (n >= e && strcmp(names.name[i] + n - e, end) == 0 && strcmp(names.name[i], "kubelet.sock") != 0)
            found = HW_YES;
    }
    hw_names_free(&names);
    return found;
}

bool hw_detect_setup_cluster(const struct hw_root *r, struct hw_machine *m)
{
    struct hw_setup *s = &m->setup;
    if (s->has_k3s == HW_YES)
        s->k3s_runs = service_runs(r, (const char *const[]){ "k3s", "k3s-agent", NULL });
    if (hw_exists(r, "usr/bin"))
        s->nvidia_runtime = hw_exists(r, "usr/bin/nvidia-container-runtime") || hw_exists(r, "usr/local/nvidia/toolkit/nvidia-container-runtime") ? HW_YES : HW_NO;
    if (hw_exists(r, "proc/sys/net"))
        s->bridge_filter = hw_exists(r, "proc/sys/net/bridge/bridge-nf-call-iptables") ? HW_YES : HW_NO;
    if (hw_exists(r, "run/systemd/timesync"))
        s->time_synced = hw_exists(r, "run/systemd/timesync/synchronized") ? HW_YES : HW_NO;
    s->has_lease = has_file(r, "run/systemd/netif/leases", "");
    if (s->has_lease != HW_YES)
        s->has_lease = has_file(r, "var/lib/dhcp", ".leases") == HW_YES ? HW_YES : s->has_lease;
    if (hw_exists(r, "var/lib/kubelet/device-plugins/kubelet.sock"))
        s->device_plugins = has_file(r, "var/lib/kubelet/device-plugins", ".sock");
    return true;
}
