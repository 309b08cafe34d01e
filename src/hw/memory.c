/* hw/memory.c - how much memory there is, of what kind, and what limits us: start reading at hw_detect_memory().
 *
 * For:     machine.c.
 * Touches: /proc/meminfo, /proc/swaps, /sys/devices/system/node, /sys/kernel/mm, /sys/fs/cgroup, /proc/driver/nvidia/gpus.
 * Rule:    memory of GPUs that the kernel lists as a node is not RAM; persistent memory that it counts as RAM is
 *          (it can be used) but not as DRAM.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hw/cgroup.h"
#include "hw/cpu_internal.h"
#include "hw/memory_internal.h"

enum { MEMINFO_BYTES_MAX = 16384 };

/* "Key:   123 kB" in bytes, or the bare number; -1: not there. */
static int64_t value_of(const char *text, const char *key)
{
    const size_t n = strlen(key);
    for (const char *at = text; at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL) {
        const char *found = strncmp(at, "Node ", 5) == 0 ? strstr(at, key) : at; /* node files: "Node 0 MemTotal: ..." */
        const char *line_end = strchr(at, '\n');
        if (!found || (line_end && found > line_end) || strncmp(found, key, n) != 0 || found[n] != ':')
            continue;
        char *end;
        const long long v = strtoll(found + n + 1, &end, 10);
        if (v < 0 || v > INT64_MAX >> 11)
            return -1;
        return strncmp(end, " kB", 3) == 0 ? v << 10 : v;
    }
    return -1;
}
static int64_t or_zero(int64_t v) { return v > 0 ? v : 0; }

static void read_meminfo(const struct hw_root *r, struct hw_memory *mem)
{
    char text[MEMINFO_BYTES_MAX];
    if (!hw_read(r, text, sizeof(text), "proc/meminfo"))
        return;
    mem->total_bytes = or_zero(value_of(text, "MemTotal"));
    mem->free_bytes = or_zero(value_of(text, "MemFree"));
    mem->available_bytes = or_zero(value_of(text, "MemAvailable"));
    if (value_of(text, "MemAvailable") < 0) /* before Linux 3.14: what is free or easily freed */
        mem->available_bytes = mem->free_bytes + or_zero(value_of(text, "Buffers")) + or_zero(value_of(text, "Cached"));
    mem->swap_total_bytes = or_zero(value_of(text, "SwapTotal"));
    mem->swap_free_bytes = or_zero(value_of(text, "SwapFree"));
    mem->huge_page_bytes = or_zero(value_of(text, "Hugepagesize"));
    const int64_t huge = or_zero(value_of(text, "HugePages_Total")), huge_free = or_zero(value_of(text, "HugePages_Free"));
    mem->huge_pages_total = huge < INT32_MAX ? (int)huge : 0;
    mem->huge_pages_free = huge_free < INT32_MAX ? (int)huge_free : 0;
}

/* Nodes that the NVIDIA driver brought (POWER9, Grace): /proc/driver/nvidia/gpus/<address>/numa_status "Node: 255". */
static bool is_gpu_node(const struct hw_root *r, int id)
{
    struct hw_names gpus;
    bool is = false;
    hw_list(r, &gpus, "proc/driver/nvidia/gpus");
    for (int i = 0; i < gpus.n && !is; i++) {
        char text[512];
        if (hw_read(r, text, sizeof(text), "proc/driver/nvidia/gpus/%s/numa_status", gpus.name[i])) {
            const char *node = strstr(text, "Node:");
            is = node && strtol(node + 5, NULL, 10) == id;
        }
    }
    hw_names_free(&gpus);
    return is;
}

static void count_cpu(void *ctx, int cpu) { (void)cpu, ++*(int *)ctx; }

static void read_node(const struct hw_root *r, struct hw_machine *m, int id)
{
    char text[8192], cpus[4096];
    int64_t v;
    struct hw_node *node = HW_ADD(m, m->memory.nodes, m->memory.n_nodes);
    if (!node)
        return;
    *node = (struct hw_node){ .id = id };
    if (hw_read(r, cpus, sizeof(cpus), "sys/devices/system/node/node%d/cpulist", id)) {
        hw_copy(node->cpus, sizeof(node->cpus), cpus);
        if (!cpu_list_parse(cpus, count_cpu, &node->n_cpus))
            node->n_cpus = 0;
    } else if (hw_read(r, cpus, sizeof(cpus), "sys/devices/system/node/node%d/cpumap", id)) { /* kernels without lists */
        for (const char *at = cpus; *at; at++)
            node->n_cpus += *at >= '0' && *at <= '9' ? __builtin_popcount((unsigned)(*at - '0'))
                            : *at >= 'a' && *at <= 'f' ? __builtin_popcount((unsigned)(*at - 'a' + 10)) : 0;
    }
    if (hw_read(r, text, sizeof(text), "sys/devices/system/node/node%d/meminfo", id)) {
        node->total_bytes = or_zero(value_of(text, "MemTotal"));
        node->free_bytes = or_zero(value_of(text, "MemFree"));
    }
    if (hw_read_i64(r, &v, "sys/devices/system/node/node%d/memory_side_cache/index1/size", id))
        node->side_cache_bytes = or_zero(v);
    if (node->n_cpus == 0 && node->total_bytes > 0) {
        /* Memory without CPUs is a GPU's, persistent (device-dax as RAM) or behind CXL; which, the device that brought it says. */
        node->kind = is_gpu_node(r, id) ? HW_MEMORY_GPU : hw_exists(r, "sys/bus/cxl/devices/region0") ? HW_MEMORY_CXL
                     : hw_exists(r, "sys/bus/nd/devices") ? HW_MEMORY_PMEM : HW_MEMORY_RAM;
    } else if (node->side_cache_bytes > 0) {
        node->kind = HW_MEMORY_PMEM; /* Memory Mode: the DRAM is a cache in front of it */
    }
}

static void read_nodes(const struct hw_root *r, struct hw_machine *m)
{
    struct hw_memory *mem = &m->memory;
    struct hw_names names;
    hw_list(r, &names, "sys/devices/system/node");
    for (int i = 0; i < names.n; i++) {
        char *end;
        const long id = strncmp(names.name[i], "node", 4) == 0 ? strtol(names.name[i] + 4, &end, 10) : -1;
        if (id >= 0 && id < 1 << 16 && names.name[i][4] && *end == '\0')
            read_node(r, m, (int)id);
    }
    hw_names_free(&names);
    int64_t dram = 0, side = 0, gpu_free = 0;
    bool is_split = false;
    const bool has_meminfo = mem->total_bytes > 0;
    for (int i = 0; i < mem->n_nodes; i++) {
        const struct hw_node *n = &mem->nodes[i];
        m->cpu.numa_nodes += n->n_cpus > 0;
        dram += n->kind == HW_MEMORY_RAM ? n->total_bytes : 0;
        mem->pmem_bytes += n->kind == HW_MEMORY_PMEM ? n->total_bytes : 0;
        mem->cxl_bytes += n->kind == HW_MEMORY_CXL ? n->total_bytes : 0;
        mem->gpu_node_bytes += n->kind == HW_MEMORY_GPU ? n->total_bytes : 0;
        gpu_free += n->kind == HW_MEMORY_GPU ? n->free_bytes : 0;
        side += n->side_cache_bytes;
        if (!has_meminfo) {
            mem->total_bytes += n->total_bytes;
            mem->free_bytes += n->free_bytes;
        }
        is_split |= n->kind != HW_MEMORY_RAM;
    }
    if (m->cpu.numa_nodes == 0 && m->cpu.cores_logical > 0)
        m->cpu.numa_nodes = 1;
    if (mem->gpu_node_bytes > 0 && mem->gpu_node_bytes < mem->total_bytes) {
        mem->total_bytes -= mem->gpu_node_bytes;
        mem->free_bytes = mem->free_bytes > gpu_free ? mem->free_bytes - gpu_free : 0;
        mem->available_bytes = mem->available_bytes > gpu_free ? mem->available_bytes - gpu_free : 0;
    }
    mem->dram_bytes = is_split ? dram + side : mem->total_bytes;
}

/* "always [madvise] never": the word in brackets. */
static void chosen(const struct hw_root *r, const char *path, char *to, size_t size)
{
    char text[128];
    if (!hw_read(r, text, sizeof(text), "%s", path))
        return;
    char *open = strchr(text, '['), *close = open ? strchr(open, ']') : NULL;
    if (close) {
        *close = '\0';
        hw_copy(to, size, open + 1);
    }
}

static const char *swap_kind(const struct hw_root *r, const char *device, const char *type)
{
    int64_t v;
    const char *name = strrchr(device, '/') ? strrchr(device, '/') + 1 : device;
    if (strncmp(name, "zram", 4) == 0)
        return "zram";
    if (strcmp(type, "file") == 0)
        return "file";
    if (strncmp(name, "mmcblk", 6) == 0)
        return "sd";
    if (strncmp(name, "nvme", 4) == 0)
        return "nvme";
    char disk[64];
    snprintf(disk, sizeof(disk), "%.60s", name);
    if (strncmp(disk, "dm-", 3) != 0)
        disk[strcspn(disk, "0123456789")] = '\0';
    if (disk[0] && hw_read_i64(r, &v, "sys/block/%s/queue/rotational", disk))
        return v ? "hdd" : "ssd";
    return "disk";
}

static void read_swaps(const struct hw_root *r, struct hw_machine *m)
{
    char text[8192];
    if (!hw_read(r, text, sizeof(text), "proc/swaps"))
        return;
    for (char *line = strchr(text, '\n'); line; line = strchr(line + 1, '\n')) {
        char device[256], type[32];
        long long size, used;
        int priority;
        if (sscanf(line + 1, "%255s %31s %lld %lld %d", device, type, &size, &used, &priority) != 5 || size < 0 || used < 0 || size > 1ll << 50 || used > 1ll << 50)
            continue;
        struct hw_swap *s = HW_ADD(m, m->memory.swaps, m->memory.n_swaps);
        if (!s)
            return;
        *s = (struct hw_swap){ .size_bytes = size << 10, .used_bytes = used << 10, .priority = priority };
        snprintf(s->kind, sizeof(s->kind), "%s", swap_kind(r, device, type));
        hw_copy(s->name, sizeof(s->name), strcmp(s->kind, "file") == 0 ? "swap file" : device); /* a file's path may name a person */
    }
}

/* The tightest memory limit of our cgroup and those above it. */
static int64_t cgroup_limit(const struct hw_root *r, int64_t total)
{
    char path[CGROUP_PATH_BYTES], text[64];
    int64_t least = 0;
    cgroup_path(r, path);
    do {
        if (hw_read(r, text, sizeof(text), "sys/fs/cgroup%s/memory.max", path) && text[0] >= '1' && text[0] <= '9') {
            const int64_t v = strtoll(text, NULL, 10);
            least = v > 0 && (least == 0 || v < least) ? v : least;
        }
    } while (cgroup_up(path));
    int64_t v;
    if (least == 0 && hw_read_i64(r, &v, "sys/fs/cgroup/memory/memory.limit_in_bytes") && v > 0)
        least = v;
    return total > 0 && least >= total ? 0 : least < INT64_MAX >> 12 ? least : 0; /* v1 says "none" as a huge number */
}

bool hw_detect_memory(const struct hw_root *r, struct hw_machine *m)
{
    struct hw_memory *mem = &m->memory;
    int64_t v;
    read_meminfo(r, mem);
    read_nodes(r, m);
    chosen(r, "sys/kernel/mm/transparent_hugepage/enabled", mem->thp, sizeof(mem->thp));
    chosen(r, "sys/kernel/mm/transparent_hugepage/defrag", mem->thp_defrag, sizeof(mem->thp_defrag));
    if (hw_read_i64(r, &v, "proc/sys/vm/swappiness") && v >= 0 && v <= 200)
        mem->swappiness = (int)v;
    read_swaps(r, m);
    mem->cgroup_limit_bytes = cgroup_limit(r, mem->total_bytes);
    memory_read_modules(r, m);
    return mem->total_bytes > 0;
}
