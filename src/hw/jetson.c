/* hw/jetson.c - what is particular to NVIDIA Jetson: the GPU inside the SoC, the power mode, locked clocks.
 *
 * Sources: CUDA compute capabilities of Jetson modules (developer.nvidia.com/cuda-gpus, 2026-11-21); nvpmodel's files and
 * devfreq as Jetson Linux has them (docs.nvidia.com/jetson, "Platform Power and Performance").
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hw/machine.h"

static const struct { const char *compatible, *name, *chip, *architecture; int major, minor; } chips[] = {
    { "nvidia,tegra264", "NVIDIA Thor", "GB10B", "Blackwell", 11, 0 }, { "nvidia,tegra234", "NVIDIA Orin", "GA10B", "Ampere", 8, 7 },
    { "nvidia,tegra194", "NVIDIA Xavier", "GV11B", "Volta", 7, 2 },    { "nvidia,tegra186", "NVIDIA TX2", "GP10B", "Pascal", 6, 2 },
    { "nvidia,tegra210", "NVIDIA Tegra X1", "GM20B", "Maxwell", 5, 3 },
};

static void add_gpu(const struct hw_root *r, struct hw_machine *m, int chip)
{
    struct hw_names names;
    struct hw_gpu *g = NULL;
    for (int i = 0; i < m->n_gpus && !g; i++) /* newer JetPacks have an NVML that answers, without a PCI address */
        if (!m->gpus[i].pci_address[0])
            g = &m->gpus[i];
    if (!g) {
        g = HW_ADD(m, m->gpus, m->n_gpus);
        if (!g)
            return;
        memset(g, 0, sizeof(*g));
    }
    hw_copy(g->vendor, sizeof(g->vendor), "NVIDIA");
    hw_copy(g->name, sizeof(g->name), chips[chip].name);
    hw_copy(g->name_source, sizeof(g->name_source), "device tree");
    hw_copy(g->chip, sizeof(g->chip), chips[chip].chip);
    hw_copy(g->architecture, sizeof(g->architecture), chips[chip].architecture);
    hw_copy(g->driver, sizeof(g->driver), "nvgpu");
    g->compute_major = chips[chip].major, g->compute_minor = chips[chip].minor;
    g->kind = HW_GPU_INTEGRATED;
    g->is_unified = m->memory.is_unified = HW_YES;
    g->numa_node = -1;
    hw_list(r, &names, "sys/class/devfreq"); /* "17000000.ga10b", "17000000.gpu", "57000000.gpu" */
    for (int i = 0; i < names.n && i < 64; i++) {
        int64_t now, low, high;
        if (!strstr(names.name[i], ".gpu") && !strstr(names.name[i], ".ga10b") && !strstr(names.name[i], ".gv11b") && !strstr(names.name[i], ".gp10b")
            && !strstr(names.name[i], ".gb10b"))
            continue;
        if (hw_read_i64(r, &now, "sys/class/devfreq/%s/cur_freq", names.name[i]) && now > 0 && now < INT64_C(10000000000))
            g->clock_mhz = (int)(now / 1000000);
        if (hw_read_i64(r, &high, "sys/class/devfreq/%s/max_freq", names.name[i]) && high > 0 && high < INT64_C(10000000000)) {
            g->clock_max_mhz = (int)(high / 1000000);
            if (hw_read_i64(r, &low, "sys/class/devfreq/%s/min_freq", names.name[i]) && low > 0)
                m->setup.clocks_locked = low >= high ? HW_YES : HW_NO; /* jetson_clocks raises the floor to the ceiling */
        }
    }
    hw_names_free(&names);
}

/* How fast a mode of nvpmodel is, by its name: "MAXN_SUPER" over "MAXN" over "25W", "MODE_15W_6CORE"; 0: says nothing. */
static int rank_mode(const char *name)
{
    if (strncmp(name, "MAXN", 4) == 0)
        return 10000 + (int)strlen(name);
    for (const char *at = name; *at; at++)
        if (*at >= '0' && *at <= '9') {
            char *end;
            const long watts = strtol(at, &end, 10);
            if ((*end == 'W' || *end == 'w') && watts > 0 && watts < 1000)
                return (int)watts;
            at = end - 1;
        }
    return 0;
}

/* /var/lib/nvpmodel/status "pmode:0002 fmode:quiet"; /etc/nvpmodel.conf "< POWER_MODEL ID=2 NAME=MAXN_SUPER >". */
static void read_power_mode(const struct hw_root *r, struct hw_machine *m)
{
    char status[64];
    int mode = -1, id;
    if (hw_read(r, status, sizeof(status), "var/lib/nvpmodel/status"))
        sscanf(status, "pmode:%d", &mode);
    char *text = hw_read_all(r, 64 << 10, NULL, "etc/nvpmodel.conf");
    for (const char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        char name[32];
        if (sscanf(line, "< POWER_MODEL ID=%d NAME=%31[^ >\n]", &id, name) != 2)
            continue;
        if (id == mode)
            hw_copy(m->power_mode, sizeof(m->power_mode), name);
        if (rank_mode(name) > rank_mode(m->setup.power_mode_best)) {
            hw_copy(m->setup.power_mode_best, sizeof(m->setup.power_mode_best), name);
            m->setup.power_mode_best_id = id;
        }
    }
    free(text);
}

/* jetson_clocks raises the CPU's floor to its ceiling too: where the GPU's clock is not to be seen. */
static void read_cpu_clocks(const struct hw_root *r, struct hw_machine *m)
{
    int64_t low, high;
    if (m->setup.clocks_locked == HW_UNKNOWN && hw_read_i64(r, &low, "sys/devices/system/cpu/cpu0/cpufreq/scaling_min_freq")
        && hw_read_i64(r, &high, "sys/devices/system/cpu/cpu0/cpufreq/scaling_max_freq") && low > 0)
        m->setup.clocks_locked = low >= high ? HW_YES : HW_NO;
}

bool hw_detect_jetson(const struct hw_root *r, struct hw_machine *m)
{
    for (size_t i = 0; i < sizeof(chips) / sizeof(chips[0]); i++)
        if (strstr(m->board.compatible, chips[i].compatible)) {
            add_gpu(r, m, (int)i);
            read_power_mode(r, m);
            read_cpu_clocks(r, m);
            return true;
        }
    return false;
}
