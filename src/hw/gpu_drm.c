/* hw/gpu_drm.c - what the kernel's drivers for AMD and Intel GPUs say in the device's folder.
 *
 * Files: Linux Documentation/gpu/amdgpu/driver-misc.rst and thermal.rst (mem_info_*, hwmon), amdkfd's topology
 * (gfx_target_version, simd_count), i915 and xe (lmem_total_bytes, tileN/physical_vram_size_bytes).
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hw/gpu_internal.h"
#include "hw/pci.h"

static int64_t read_bytes(const struct hw_root *r, const char *folder, const char *file)
{
    int64_t value;
    return hw_read_i64(r, &value, "%s/%s", folder, file) && value > 0 && value < (int64_t)1 << 50 ? value : 0;
}

/* The device's own sensor: watts from microwatts, degrees from milli-degrees. */
static void read_hwmon(const struct hw_root *r, const char *folder, struct hw_gpu *g)
{
    struct hw_names names;
    hw_list(r, &names, "%s/hwmon", folder);
    for (int i = 0; i < names.n && i < 2; i++) {
        char at[HW_PATH_BYTES_MAX];
        snprintf(at, sizeof(at), "%.256s/hwmon/%.64s", folder, names.name[i]);
        g->power_limit_w = (double)read_bytes(r, at, "power1_cap") / 1e6;
        g->power_default_w = (double)read_bytes(r, at, "power1_cap_default") / 1e6;
        g->power_max_w = (double)read_bytes(r, at, "power1_cap_max") / 1e6;
        int64_t draw = read_bytes(r, at, "power1_average");
        draw = draw ? draw : read_bytes(r, at, "power1_input");
        g->power_draw_w = (double)draw / 1e6;
        g->temperature_c = (double)read_bytes(r, at, "temp1_input") / 1e3;
    }
    hw_names_free(&names);
}

static int64_t find_property(const char *text, const char *key)
{
    const size_t n = strlen(key);
    for (const char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
        if (strncmp(line, key, n) == 0 && line[n] == ' ')
            return strtoll(line + n, NULL, 10);
    return -1;
}

/* amdkfd's node of this device: instruction set and compute units; a node that has CPU cores too is an APU. */
static void read_kfd(const struct hw_root *r, struct hw_gpu *g)
{
    struct hw_names names;
    unsigned domain, bus, slot, function;
    if (sscanf(g->pci_address, "%x:%x:%x.%x", &domain, &bus, &slot, &function) != 4)
        return;
    const int64_t place = (int64_t)bus << 8 | slot << 3 | function;
    hw_list(r, &names, "sys/class/kfd/kfd/topology/nodes");
    for (int i = 0; i < names.n && i < 64; i++) {
        char *text = hw_read_all(r, 16 << 10, NULL, "sys/class/kfd/kfd/topology/nodes/%s/properties", names.name[i]);
        const int64_t simds = text ? find_property(text, "simd_count") : 0, per_cu = text ? find_property(text, "simd_per_cu") : 0;
        const int64_t at = text ? find_property(text, "domain") : 0;
        if (text && simds > 0 && find_property(text, "location_id") == place && (at < 0 || at == (int64_t)domain)) {
            const int64_t gfx = find_property(text, "gfx_target_version"); /* 110003: 11, 0, 3 */
            if (per_cu > 0 && simds / per_cu < 4096)
                g->compute_units = (int)(simds / per_cu);
            if (gfx > 0 && gfx < 1000000)
                snprintf(g->architecture, sizeof(g->architecture), "gfx%d%x%x", (int)(gfx / 10000), (unsigned)(gfx / 100 % 100), (unsigned)(gfx % 100));
            if (find_property(text, "cpu_cores_count") > 0)
                g->kind = HW_GPU_INTEGRATED;
        }
        free(text);
    }
    hw_names_free(&names);
}

void amd_sysfs(const struct hw_root *r, struct hw_gpu *g)
{
    char folder[HW_PATH_BYTES_MAX], text[HW_TEXT];
    snprintf(folder, sizeof(folder), "sys/bus/pci/devices/%s", g->pci_address);
    read_kfd(r, g);
    if (g->kind != HW_GPU_INTEGRATED) { /* an APU's "VRAM" is a piece of the RAM that the firmware set aside */
        g->vram_bytes = read_bytes(r, folder, "mem_info_vram_total");
        g->vram_used_bytes = read_bytes(r, folder, "mem_info_vram_used");
    }
    if (hw_read(r, text, sizeof(text), "%s/product_name", folder) && text[0]) {
        hw_copy(g->name, sizeof(g->name), text);
        hw_copy(g->name_source, sizeof(g->name_source), "driver");
    }
    if (hw_read(r, text, sizeof(text), "%s/vbios_version", folder))
        hw_copy(g->vbios, sizeof(g->vbios), text);
    if (hw_read(r, text, sizeof(text), "sys/module/amdgpu/version") && strcmp(g->driver, "amdgpu") == 0)
        hw_copy(g->driver_version, sizeof(g->driver_version), text);
    read_hwmon(r, folder, g);
}

void intel_sysfs(const struct hw_root *r, struct hw_gpu *g)
{
    char folder[HW_PATH_BYTES_MAX];
    snprintf(folder, sizeof(folder), "sys/bus/pci/devices/%s", g->pci_address);
    read_hwmon(r, folder, g);
    if (g->kind == HW_GPU_INTEGRATED)
        return;
    for (int tile = 0; tile < 4; tile++) { /* xe */
        char file[64];
        snprintf(file, sizeof(file), "tile%d/physical_vram_size_bytes", tile);
        g->vram_bytes += read_bytes(r, folder, file);
    }
    if (!g->vram_bytes) /* i915 */
        g->vram_bytes = read_bytes(r, folder, "lmem_total_bytes");
    struct hw_names names;
    hw_list(r, &names, "%s/drm", folder);
    for (int i = 0; i < names.n && !g->vram_bytes; i++)
        if (strncmp(names.name[i], "card", 4) == 0) {
            char file[HW_NAME_BYTES_MAX + 32];
            snprintf(file, sizeof(file), "drm/%.200s/lmem_total_bytes", names.name[i]);
            g->vram_bytes = read_bytes(r, folder, file);
        }
    hw_names_free(&names);
}
