/* hw/os.c - the operating system: name, kernel, container, the words of its command line that matter.
 *
 * For:     machine.c.
 * Touches: /etc/os-release, /proc/version, /proc/cmdline, /proc/self/cgroup, /etc/nv_tegra_release; on the live machine uname, sysconf.
 * Rule:    nothing that names a person, a host or a disk is kept.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "hw/machine.h"

enum { OS_RELEASE_BYTES_MAX = 8192, CMDLINE_BYTES_MAX = 8192 };

/* The value of KEY= in a file of shell assignments, quotes removed. */
static void assigned(const char *text, const char *key, char *to, size_t size)
{
    const size_t n = strlen(key);
    for (const char *at = text; at && *at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL) {
        if (strncmp(at, key, n) != 0 || at[n] != '=')
            continue;
        char value[HW_TEXT];
        const char *from = at + n + 1;
        const char quote = *from == '"' || *from == '\'' ? *from++ : '\n';
        size_t len = 0;
        while (from[len] && from[len] != quote && from[len] != '\n' && len < sizeof(value) - 1)
            value[len] = from[len], len++;
        value[len] = '\0';
        hw_copy(to, size, value);
        return;
    }
}

static void read_release(const struct hw_root *r, struct hw_os *os)
{
    char text[OS_RELEASE_BYTES_MAX];
    if (!hw_read(r, text, sizeof(text), "etc/os-release") && !hw_read(r, text, sizeof(text), "usr/lib/os-release"))
        return;
    assigned(text, "PRETTY_NAME", os->name, sizeof(os->name));
    assigned(text, "ID", os->id, sizeof(os->id));
    assigned(text, "VERSION_ID", os->version, sizeof(os->version));
}

static void read_kernel(const struct hw_root *r, struct hw_machine *m)
{
    char text[512];
    if (hw_read(r, text, sizeof(text), "proc/version") && strncmp(text, "Linux version ", 14) == 0) {
        text[14 + strcspn(text + 14, " ")] = '\0';
        hw_copy(m->os.kernel, sizeof(m->os.kernel), text + 14);
    } else if (hw_read(r, text, sizeof(text), "proc/sys/kernel/osrelease")) {
        hw_copy(m->os.kernel, sizeof(m->os.kernel), text);
    }
    if (!m->is_live)
        return;
    struct utsname u;
    if (uname(&u) == 0) {
        hw_copy(m->os.kernel, sizeof(m->os.kernel), u.release);
        hw_copy(m->cpu.arch, sizeof(m->cpu.arch), u.machine);
    }
    m->os.page_bytes = sysconf(_SC_PAGESIZE);
    m->os.is_root = geteuid() == 0 ? HW_YES : HW_NO;
}

static void read_container(const struct hw_root *r, struct hw_os *os)
{
    static const struct {
        const char *word, *name;
    } cgroups[] = { { "kubepods", "kubernetes" }, { "docker", "docker" }, { "libpod", "podman" }, { "lxc", "lxc" }, { "containerd", "containerd" } };
    char text[4096];
    const char *found = "";
    if (hw_read(r, text, sizeof(text), "run/systemd/container"))
        found = text;
    else if (strstr(os->kernel, "icrosoft"))
        found = "wsl";
    else if (hw_exists(r, ".dockerenv"))
        found = "docker";
    else if (hw_exists(r, "run/.containerenv"))
        found = "podman";
    else if (hw_read(r, text, sizeof(text), "proc/self/cgroup"))
        for (size_t i = 0; i < sizeof(cgroups) / sizeof(cgroups[0]) && !found[0]; i++)
            if (strstr(text, cgroups[i].word))
                found = cgroups[i].name;
    hw_copy(os->container, sizeof(os->container), found);
}

static void read_cmdline(const struct hw_root *r, struct hw_os *os)
{
    /* whole words, or up to and with '=' */
    static const char *const wanted[] = {
        "cgroup_memory=", "cgroup_enable=", "cgroup_disable=", "swapaccount=", "systemd.unified_cgroup_hierarchy=", "isolcpus=", "nohz_full=", "mitigations=",
        "transparent_hugepage=", "hugepages=", "hugepagesz=", "default_hugepagesz=", "numa=", "numa_balancing=", "nosmt", "maxcpus=", "nr_cpus=", "mem=", "iommu=",
        "intel_iommu=", "amd_iommu=", "intel_pstate=", "amd_pstate=", "amd_pstate.shared_mem=", "processor.max_cstate=", "intel_idle.max_cstate=", "idle=", "pcie_aspm=",
        "pci=", "amdgpu.gttsize=", "ttm.pages_limit=", "ttm.page_pool_size=", "amdttm.pages_limit=", "i915.enable_guc=", "nvme_core.default_ps_max_latency_us=",
        "zswap.enabled=", "clearcpuid=", "noxsave", "coherent_pool=", "cma=",
    };
    char text[CMDLINE_BYTES_MAX];
    size_t n = 0;
    if (!hw_read(r, text, sizeof(text), "proc/cmdline"))
        return;
    for (char *at = text, *word; *at;) {
        at += strspn(at, " \t\n");
        word = at;
        at += strcspn(at, " \t\n");
        if (*at)
            *at++ = '\0';
        for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
            const size_t len = strlen(wanted[i]);
            const bool is_match = wanted[i][len - 1] == '=' ? strncmp(word, wanted[i], len) == 0 : strcmp(word, wanted[i]) == 0;
            if (is_match && n + strlen(word) + 2 < sizeof(os->cmdline)) {
                n += (size_t)snprintf(os->cmdline + n, sizeof(os->cmdline) - n, "%s%s", n ? " " : "", word);
                break;
            }
        }
    }
}

static void read_l4t(const struct hw_root *r, struct hw_os *os)
{
    /* NVIDIA's Jetson Linux archive (developer.nvidia.com/embedded/jetson-linux-archive), 2026-11-21: L4T, JetPack */
    static const struct {
        const char *l4t, *jetpack;
    } known[] = {
        { "32.7.1", "4.6.1" }, { "32.7.4", "4.6.4" }, { "32.7.5", "4.6.5" }, { "35.1.0", "5.0.2" }, { "35.2.1", "5.1" }, { "35.3.1", "5.1.1" }, { "35.4.1", "5.1.2" },
        { "35.5.0", "5.1.3" }, { "35.6.0", "5.1.4" }, { "36.2.0", "6.0 DP" }, { "36.3.0", "6.0" }, { "36.4.0", "6.1" }, { "36.4.3", "6.2" }, { "38.2.0", "7.0" },
    };
    char text[512];
    int major = 0;
    if (!hw_read(r, text, sizeof(text), "etc/nv_tegra_release")) /* "# R35 (release), REVISION: 3.1, GCID: ..." */
        return;
    const char *revision = strstr(text, "REVISION: ");
    if (sscanf(text, "# R%d", &major) != 1 || major < 1 || major > 999 || !revision)
        return;
    char rest[12];
    size_t n = strspn(revision + 10, "0123456789.");
    n = n < sizeof(rest) ? n : sizeof(rest) - 1;
    memcpy(rest, revision + 10, n);
    rest[n] = '\0';
    snprintf(os->l4t, sizeof(os->l4t), "%d.%s", major, rest);
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strcmp(os->l4t, known[i].l4t) == 0)
            snprintf(os->jetpack, sizeof(os->jetpack), "%s", known[i].jetpack);
}

bool hw_detect_os(const struct hw_root *r, struct hw_machine *m)
{
    read_release(r, &m->os);
    read_kernel(r, m);
    read_container(r, &m->os);
    read_cmdline(r, &m->os);
    read_l4t(r, &m->os);
    return m->os.name[0] || m->os.kernel[0];
}
