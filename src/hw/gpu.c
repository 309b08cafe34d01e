/* hw/gpu.c - the GPUs that can compute: found on the PCI bus and in NVIDIA's /proc, asked in detail where a driver answers.
 *
 * Start reading at hw_detect_gpus().  A server's BMC (Matrox, ASPEED) and a virtual machine's screen are display controllers
 * of vendors that are not in `vendors` below: no AI GPUs, so they are not listed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hw/gpu_internal.h"
#include "hw/ids.h"
#include "hw/pci.h"

/* One question to a healthy driver takes 10 to 300 ms; a card without persistence mode wakes up in 1 to 2 s. */
enum { NVML_DEADLINE_MS = 3000, SMI_DEADLINE_MS = 4000 };

static const struct { uint32_t id; const char *name; } vendors[] = { { 0x10de, "NVIDIA" }, { 0x1002, "AMD" }, { 0x8086, "Intel" } };

static const char *vendor_name(uint32_t id)
{
    for (size_t i = 0; i < sizeof(vendors) / sizeof(vendors[0]); i++)
        if (vendors[i].id == id)
            return vendors[i].name;
    return NULL;
}

struct hw_gpu *gpu_at(struct hw_machine *m, const char *pci_address)
{
    for (int i = 0; i < m->n_gpus; i++)
        if (strcmp(m->gpus[i].pci_address, pci_address) == 0)
            return &m->gpus[i];
    struct hw_gpu *g = HW_ADD(m, m->gpus, m->n_gpus);
    if (g) {
        memset(g, 0, sizeof(*g));
        hw_copy(g->pci_address, sizeof(g->pci_address), pci_address);
        g->numa_node = -1;
    }
    return g;
}

/* "AD102 [GeForce RTX 4090]" of NVIDIA -> chip "AD102", name "NVIDIA GeForce RTX 4090". */
static void name_from_ids(struct hw_gpu *g, const struct hw_id *id)
{
    const char *open = strchr(id->name, '['), *close = strrchr(id->name, ']');
    char chip[48], product[HW_TEXT];
    snprintf(chip, sizeof(chip), "%.*s", open ? (int)(open - id->name) : 47, id->name);
    if (open && close > open)
        snprintf(product, sizeof(product), "%.*s", (int)(close - open - 1), open + 1);
    else
        snprintf(product, sizeof(product), "%s", id->name);
    hw_copy(g->chip, sizeof(g->chip), chip);
    char name[HW_TEXT + 32];
    snprintf(name, sizeof(name), "%s%s%s", strncmp(product, g->vendor, strlen(g->vendor)) == 0 ? "" : g->vendor,
             strncmp(product, g->vendor, strlen(g->vendor)) == 0 ? "" : " ", product);
    hw_copy(g->name, sizeof(g->name), name);
    hw_copy(g->name_source, sizeof(g->name_source), "pci ids");
}

static void fill_from_pci(const struct hw_root *r, struct hw_gpu *g, const struct hw_pci *d, const struct hw_id *id)
{
    hw_copy(g->vendor, sizeof(g->vendor), vendor_name(d->vendor));
    hw_copy(g->driver, sizeof(g->driver), d->driver);
    g->pci_vendor = d->vendor, g->pci_device = d->device;
    g->pci_subvendor = d->subvendor, g->pci_subdevice = d->subdevice;
    g->numa_node = hw_pci_numa_node(r, d->address);
    if (id)
        name_from_ids(g, id);
    else {
        snprintf(g->name, sizeof(g->name), "%s GPU %04x:%04x", g->vendor, d->vendor, d->device);
        hw_copy(g->name_source, sizeof(g->name_source), "pci bus");
    }
    /* Intel's own graphics is always device 2 on bus 0 (Intel 64 client data sheets, "Processor Graphics", device 2 function 0) */
    if ((id && strcmp(id->kind, "igpu") == 0) || (d->vendor == 0x8086 && strcmp(d->address, "0000:00:02.0") == 0))
        g->kind = HW_GPU_INTEGRATED;
    const struct hw_nvidia_chip *chip = d->vendor == 0x10de ? hw_nvidia_chip(g->chip) : NULL;
    if (chip) {
        hw_copy(g->architecture, sizeof(g->architecture), chip->architecture);
        g->compute_major = chip->compute_major, g->compute_minor = chip->compute_minor;
    }
    if (d->vendor == 0x1002)
        amd_sysfs(r, g);
    if (d->vendor == 0x8086)
        intel_sysfs(r, g);
    if (g->kind == HW_GPU_INTEGRATED)
        g->is_unified = HW_YES;
    else {
        const struct hw_pci_link link = hw_pci_link(r, d->address);
        g->link_gen = link.gen, g->link_gen_max = link.gen_max;
        g->link_width = link.width, g->link_width_max = link.width_max;
    }
}

static void scan_pci(const struct hw_root *r, struct hw_machine *m)
{
    struct hw_pci *devices = calloc(HW_PCI_MAX, sizeof(*devices));
    const int n = devices ? hw_pci_scan(r, devices, HW_PCI_MAX) : 0;
    for (int i = 0; i < n; i++) {
        const struct hw_pci *d = &devices[i];
        const struct hw_id *id = hw_id_find(HW_BUS_PCI, d->vendor, d->device);
        const bool is_known = id && (strcmp(id->kind, "gpu") == 0 || strcmp(id->kind, "igpu") == 0);
        const bool is_display = d->class_code >> 16 == 0x03;
        /* where the class is unknown (/proc/bus/pci), only what the table names counts */
        if (!vendor_name(d->vendor) || (d->class_code ? !is_display && !(is_known && d->class_code >> 8 == 0x1200) : !is_known))
            continue;
        struct hw_gpu *g = gpu_at(m, d->address);
        if (g)
            fill_from_pci(r, g, d, is_known ? id : NULL);
    }
    free(devices);
}

/* What a driver's own answer adds to, or corrects in, what the bus says. */
static void merge(struct hw_machine *m, const struct nvidia_answer *a)
{
    for (int i = 0; i < a->n; i++) {
        const struct hw_gpu *from = &a->gpus[i];
        struct hw_gpu *g = gpu_at(m, from->pci_address), old;
        if (!g)
            continue;
        old = *g;
        *g = *from;
        if (!g->name[0]) {
            memcpy(g->name, old.name, sizeof(g->name));
            memcpy(g->name_source, old.name_source, sizeof(g->name_source));
        }
        memcpy(g->chip, old.chip, sizeof(g->chip));
        memcpy(g->architecture, old.architecture, sizeof(g->architecture));
        g->pci_subvendor = old.pci_subvendor, g->pci_subdevice = old.pci_subdevice;
        g->numa_node = old.numa_node;
        if (!g->pci_device)
            g->pci_vendor = old.pci_vendor, g->pci_device = old.pci_device;
        if (!g->compute_major)
            g->compute_major = old.compute_major, g->compute_minor = old.compute_minor;
        if (!g->link_width)
            g->link_gen = old.link_gen, g->link_gen_max = old.link_gen_max, g->link_width = old.link_width, g->link_width_max = old.link_width_max;
        if (!g->vram_bytes && g->is_unified != HW_YES)
            g->vram_bytes = old.vram_bytes;
    }
}

static void ask_nvidia(struct hw_machine *m)
{
    struct nvidia_answer *a = calloc(1, sizeof(*a));
    if (!a)
        return;
    bool has_nvidia = false;
    for (int i = 0; i < m->n_gpus; i++)
        has_nvidia |= strcmp(m->gpus[i].vendor, "NVIDIA") == 0;
    if (nvml_ask("libnvidia-ml.so.1", NVML_DEADLINE_MS, a) || (!a->is_late && smi_ask("nvidia-smi", SMI_DEADLINE_MS, a)))
        merge(m, a);
    else if (has_nvidia || a->is_late)
        hw_note(m, "NVIDIA: %s; memory and driver figures are missing", a->why_not);
    free(a);
}

/* NVIDIA's GB10 is CPU and GPU in one, with one memory; the SoC's name is enough to know it is there.
 * Source: docs.nvidia.com/dgx/dgx-spark, developer.nvidia.com/cuda-gpus (12.1), 2026-11-21. */
static void know_gb10(struct hw_machine *m)
{
    struct hw_gpu *g = NULL;
    if (strcmp(m->board.soc, "GB10") != 0)
        return;
    for (int i = 0; i < m->n_gpus && !g; i++)
        if (strcmp(m->gpus[i].vendor, "NVIDIA") == 0)
            g = &m->gpus[i];
    if (!g && (g = HW_ADD(m, m->gpus, m->n_gpus))) {
        *g = (struct hw_gpu){ .vendor = "NVIDIA", .name = "NVIDIA GB10", .name_source = "soc", .chip = "GB10", .architecture = "Blackwell", .compute_major = 12, .compute_minor = 1,
                              .numa_node = -1 };
    }
    if (g)
        g->kind = HW_GPU_INTEGRATED, g->is_unified = HW_YES, g->vram_bytes = 0;
}

bool hw_detect_gpus(const struct hw_root *r, struct hw_machine *m)
{
    scan_pci(r, m);
    nvidia_proc(r, m);
    if (hw_root_is_live(r))
        ask_nvidia(m);
    know_gb10(m);
    int n_shared = 0;
    for (int i = 0; i < m->n_gpus; i++) {
        struct hw_gpu *g = &m->gpus[i];
        if (!g->name[0]) {
            snprintf(g->name, sizeof(g->name), "%s GPU", g->vendor[0] ? g->vendor : "unknown");
            hw_copy(g->name_source, sizeof(g->name_source), "driver");
        }
        n_shared += g->is_unified == HW_YES;
    }
    if (n_shared > 0 && n_shared == m->n_gpus)
        m->memory.is_unified = HW_YES;
    return m->n_gpus > 0;
}
