/* hw/gpu_proc.c - what NVIDIA's kernel driver says in /proc/driver/nvidia: names, versions, memory that is a NUMA node. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hw/gpu_internal.h"
#include "hw/pci.h"

/* "Key:   value" of a text. */
static bool find_value(const char *text, const char *key, char *value, size_t size)
{
    const size_t n = strlen(key);
    for (const char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
        if (strncmp(line, key, n) == 0 && line[n] == ':') {
            char cell[HW_TEXT];
            snprintf(cell, sizeof(cell), "%.*s", (int)(strcspn(line + n + 1, "\n") % sizeof(cell)), line + n + 1);
            hw_copy(value, size, cell);
            return true;
        }
    return false;
}

/* "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.129.03  Thu Oct 19 ...": the first word that looks like a version. */
static void read_version(const struct hw_root *r, char *version, size_t size)
{
    char text[512], word[48];
    version[0] = '\0';
    if (hw_read(r, text, sizeof(text), "sys/module/nvidia/version")) {
        hw_copy(version, size, text);
        return;
    }
    if (!hw_read(r, text, sizeof(text), "proc/driver/nvidia/version"))
        return;
    for (const char *at = text; *at && *at != '\n'; at += strcspn(at, " \n"), at += *at == ' ') {
        const size_t n = strspn(at, "0123456789.");
        if (n >= 3 && n < sizeof(word) && memchr(at, '.', n) && (at[n] == ' ' || at[n] == '\n' || !at[n])) {
            snprintf(word, sizeof(word), "%.*s", (int)n, at);
            hw_copy(version, size, word);
            return;
        }
    }
}

void nvidia_proc(const struct hw_root *r, struct hw_machine *m)
{
    struct hw_names names;
    char version[48], text[2048], value[HW_TEXT];
    read_version(r, version, sizeof(version));
    hw_list(r, &names, "proc/driver/nvidia/gpus");
    for (int i = 0; i < names.n && i < HW_GPUS_MAX; i++) {
        char address[24];
        hw_pci_address(address, sizeof(address), names.name[i]);
        struct hw_gpu *g = address[0] ? gpu_at(m, address) : NULL;
        if (!g)
            continue;
        hw_copy(g->vendor, sizeof(g->vendor), "NVIDIA");
        hw_copy(g->driver, sizeof(g->driver), "nvidia");
        if (hw_read(r, text, sizeof(text), "proc/driver/nvidia/gpus/%s/information", names.name[i])) {
            if (find_value(text, "Model", value, sizeof(value)) && value[0] && strcmp(value, "Unknown") != 0) {
                hw_copy(g->name, sizeof(g->name), value);
                hw_copy(g->name_source, sizeof(g->name_source), "driver");
            }
            if (find_value(text, "Video BIOS", value, sizeof(value)) && value[0] && value[0] != '?')
                hw_copy(g->vbios, sizeof(g->vbios), value);
        }
        /* Power 9 and Grace: the GPU's memory is a NUMA node, and this its size (hexadecimal) */
        if (hw_read(r, text, sizeof(text), "proc/driver/nvidia/gpus/%s/numa_status", names.name[i])
            && find_value(text, "Size", value, sizeof(value))) {
            const unsigned long long bytes = strtoull(value, NULL, 16);
            if (bytes > 0 && bytes < 1ull << 50)
                g->vram_bytes = (int64_t)bytes;
        }
    }
    hw_names_free(&names);
    for (int i = 0; i < m->n_gpus; i++)
        if (strcmp(m->gpus[i].driver, "nvidia") == 0 && !m->gpus[i].driver_version[0])
            hw_copy(m->gpus[i].driver_version, sizeof(m->gpus[i].driver_version), version);
}
