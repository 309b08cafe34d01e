/* advise/device_here.c - this machine's devices: what hw/ detected, completed from the catalog. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "advise/bandwidth.h"
#include "advise/device.h"

static bool class_of_gpu(const struct hw_machine *m, const struct hw_gpu *g, enum plan_class *cls)
{
    if (strstr(g->vendor, "NVIDIA"))
        *cls = strcmp(m->board.family, "jetson") == 0 ? PLAN_JETSON : PLAN_NVIDIA;
    else if (strstr(g->vendor, "AMD"))
        *cls = PLAN_AMD;
    else if (strstr(g->vendor, "Intel"))
        *cls = PLAN_INTEL;
    else if (strstr(g->vendor, "Apple"))
        *cls = PLAN_APPLE;
    else
        return false;
    return g->kind != HW_GPU_VIRTUAL;
}

/* "AD102 [GeForce RTX 4090]" is found by what stands in brackets. */
static const struct catalog_row *find_gpu(struct catalog *c, const struct hw_machine *m, const struct hw_gpu *g, enum plan_class cls)
{
    struct err ignored = { 0 };
    char name[HW_TEXT];
    snprintf(name, sizeof(name), "%s", g->name);
    char *open = strchr(name, '['), *close = open ? strchr(open, ']') : NULL;
    if (close) {
        *close = '\0';
        memmove(name, open + 1, strlen(open + 1) + 1);
    }
    if (cls == PLAN_JETSON) { /* the module and its power mode say more than the GPU's name */
        const struct catalog_row *row = advise_machine_row(c, m);
        if (row)
            return row;
    }
    return name[0] ? catalog_find_in(c, "gpu soc", name, &ignored) : NULL;
}

static bool add_gpu(struct device *d, struct catalog *c, const struct hw_machine *m, const struct hw_gpu *g)
{
    enum plan_class cls;
    struct err ignored = { 0 };
    if (!class_of_gpu(m, g, &cls))
        return false;
    const struct catalog_row *row = find_gpu(c, m, g, cls);
    if (!row || !device_of_row(d, c, row, &ignored)) {
        memset(d, 0, sizeof(*d));
        d->plan = (struct plan_device){ .cls = cls, .n_devices = 1, .pp_correction = 1, .tg_correction = 1 };
        snprintf(d->plan.name, sizeof(d->plan.name), "%.90s", g->name);
        snprintf(d->plan.runtime, sizeof(d->plan.runtime), "%s", device_runtime(cls));
    }
    struct plan_device *p = &d->plan;
    p->is_unified = p->is_unified || g->is_unified == HW_YES || g->kind == HW_GPU_INTEGRATED;
    if (g->vram_bytes > 0 && !p->is_unified) {
        p->mem_bytes = (uint64_t)g->vram_bytes, p->source[PLAN_FIG_MEM] = PLAN_DETECTED;
        if (g->vram_used_bytes > 0 && g->vram_used_bytes < g->vram_bytes)
            p->mem_free_bytes = (uint64_t)(g->vram_bytes - g->vram_used_bytes);
    } else if (p->is_unified && m->memory.total_bytes > 0)
        p->mem_bytes = (uint64_t)m->memory.total_bytes, p->source[PLAN_FIG_MEM] = PLAN_DETECTED;
    static const double lane_gbps[] = { 0, 0.25, 0.5, 0.985, 1.969, 3.938, 7.56 }; /* PCI-SIG, by generation */
    if (g->link_gen_max > 0 && g->link_gen_max < 7 && g->link_width > 0 && !p->is_unified)
        p->link_gbps = 0.9 * lane_gbps[g->link_gen_max] * g->link_width, p->source[PLAN_FIG_LINK] = PLAN_DETECTED;
    if (g->power_limit_w > 0)
        p->load_w = g->power_limit_w, p->source[PLAN_FIG_LOAD_W] = PLAN_DETECTED;
    return true;
}

static void add_cpu(struct device *d, struct catalog *c, const struct hw_machine *m, const struct advise_bandwidth *bw)
{
    struct err ignored = { 0 };
    const struct catalog_row *row = advise_machine_row(c, m);
    if (!row || !device_of_row(d, c, row, &ignored)) {
        memset(d, 0, sizeof(*d));
        d->plan = (struct plan_device){ .cls = PLAN_CPU, .n_devices = 1, .pp_correction = 1, .tg_correction = 1 };
        snprintf(d->plan.name, sizeof(d->plan.name), "%.90s", m->cpu.model[0] ? m->cpu.model : "CPU");
        snprintf(d->plan.runtime, sizeof(d->plan.runtime), "%s", device_runtime(PLAN_CPU));
    }
    struct plan_device *p = &d->plan;
    if (p->cls != PLAN_CPU && p->cls != PLAN_SOC) /* a board's row may be that of its GPU */
        p->cls = PLAN_CPU;
    p->is_unified = true;
    p->link_gbps = 0;
    if (m->memory.total_bytes > 0)
        p->mem_bytes = (uint64_t)m->memory.total_bytes, p->source[PLAN_FIG_MEM] = PLAN_DETECTED;
    if (m->memory.cgroup_limit_bytes > 0 && (uint64_t)m->memory.cgroup_limit_bytes < p->mem_bytes)
        p->mem_bytes = (uint64_t)m->memory.cgroup_limit_bytes;
    if (m->memory.available_bytes > 0)
        p->mem_free_bytes = (uint64_t)m->memory.available_bytes < p->mem_bytes ? (uint64_t)m->memory.available_bytes : p->mem_bytes;
    if (m->cpu.cores_physical > 0) {
        /* fewer cores than the part has (a VM, a container) have less of its peak */
        const int cores = m->cpu.cores_usable > 0 ? m->cpu.cores_usable : m->cpu.cores_physical;
        const double share = p->cores > cores ? (double)cores / p->cores : 1;
        p->fp32_tflops *= share, p->fp16_tflops *= share;
        p->cores = cores, p->source[PLAN_FIG_CORES] = PLAN_DETECTED;
    }
    p->bw_gbps = bw->theoretical_bps / 1e9;
    p->source[PLAN_FIG_BW] = bw->theoretical_bps <= 0 ? PLAN_UNKNOWN : strcmp(bw->kind, "detected") == 0 ? PLAN_DETECTED : PLAN_CATALOG;
    if (m->memory.measured_bps > 0) { /* what is read in fact; spec peaks are taken as 1.25 times that (an assumption), and the fit knows spec peaks */
        const double spec = 1.25 * m->memory.measured_bps / 1e9;
        if (!(p->bw_gbps > 0) || spec < p->bw_gbps)
            p->bw_gbps = spec, p->source[PLAN_FIG_BW] = PLAN_MEASURED;
    }
    snprintf(d->steps, sizeof(d->steps), "%s", bw->source);
}

int devices_of_machine(struct device *d, int max, struct catalog *c, const struct hw_machine *m)
{
    struct advise_bandwidth bw;
    int n = 0;
    advise_bandwidth(c, m, &bw);
    for (int i = 0; i < m->n_gpus && n + 1 < max; i++)
        if (add_gpu(&d[n], c, m, &m->gpus[i])) {
            d[n].host_bytes = d[n].plan.is_unified || m->memory.available_bytes <= 0 ? 0 : (uint64_t)m->memory.available_bytes;
            d[n].host_bw_gbps = bw.theoretical_bps / 1e9;
            if (d[n].plan.is_unified && !(d[n].plan.bw_gbps > 0) && bw.theoretical_bps > 0) /* a graphics unit on the machine's own memory */
                d[n].plan.bw_gbps = bw.theoretical_bps / 1e9, d[n].plan.source[PLAN_FIG_BW] = PLAN_DERIVED;
            n++;
        }
    /* the most memory bandwidth first */
    for (int i = 1; i < n; i++)
        for (int j = i; j > 0 && d[j].plan.bw_gbps > d[j - 1].plan.bw_gbps; j--) {
            const struct device swap = d[j];
            d[j] = d[j - 1], d[j - 1] = swap;
        }
    if (n < max)
        add_cpu(&d[n++], c, m, &bw);
    return n;
}
