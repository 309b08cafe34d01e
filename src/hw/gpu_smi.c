/* hw/gpu_smi.c - NVIDIA GPUs through nvidia-smi, where NVML cannot be loaded; start reading at smi_ask().
 *
 * Touches: a child process with a deadline.
 * Rule:    "[N/A]" and the like are "not known"; for memory they mean that the GPU shares the machine's (Jetson, GB10).
 */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hw/gpu_internal.h"
#include "hw/pci.h"
#include "proc/ask.h"

/* ORDER SMI */
enum smi_field {
    SMI_ADDRESS, SMI_NAME, SMI_MEMORY, SMI_MEMORY_USED, SMI_DRIVER, SMI_VBIOS, SMI_POWER_LIMIT, SMI_POWER_DEFAULT, SMI_POWER_MAX,
    SMI_POWER_DRAW, SMI_TEMPERATURE, SMI_GEN, SMI_GEN_MAX, SMI_WIDTH, SMI_WIDTH_MAX, SMI_CLOCK, SMI_CLOCK_MAX, SMI_PERSISTENCE,
    SMI_ECC, SMI_CAPABILITY, SMI_COUNT
};
#define SMI_FIELDS_OLD                                                                                                     \
    "pci.bus_id,name,memory.total,memory.used,driver_version,vbios_version,power.limit,power.default_limit,"               \
    "power.max_limit,power.draw,temperature.gpu,pcie.link.gen.current,pcie.link.gen.max,pcie.link.width.current,"          \
    "pcie.link.width.max,clocks.sm,clocks.max.sm,persistence_mode,ecc.mode.current"
#define SMI_FIELDS SMI_FIELDS_OLD ",compute_cap" /* drivers before 510 do not know the last one */

static bool is_absent(const char *cell) { return !cell[0] || cell[0] == '[' || strcmp(cell, "N/A") == 0 || strstr(cell, "ot Supported"); }

static double number(const char *cell, double max)
{
    char *end;
    const double value = is_absent(cell) ? 0 : strtod(cell, &end);
    return isfinite(value) && value > 0 && value <= max ? value : 0;
}

static enum hw_yesno yesno(const char *cell)
{
    return strcmp(cell, "Enabled") == 0 ? HW_YES : strcmp(cell, "Disabled") == 0 ? HW_NO : HW_UNKNOWN;
}

static void fill(struct hw_gpu *g, char cell[SMI_COUNT][HW_TEXT], int n_cells)
{
    const double mib = 1024.0 * 1024.0;
    memset(g, 0, sizeof(*g));
    hw_copy(g->vendor, sizeof(g->vendor), "NVIDIA");
    hw_copy(g->driver, sizeof(g->driver), "nvidia");
    hw_copy(g->name_source, sizeof(g->name_source), "nvidia-smi");
    g->pci_vendor = 0x10de;
    hw_pci_address(g->pci_address, sizeof(g->pci_address), cell[SMI_ADDRESS]);
    if (!is_absent(cell[SMI_NAME]))
        hw_copy(g->name, sizeof(g->name), cell[SMI_NAME]);
    g->vram_bytes = (int64_t)(number(cell[SMI_MEMORY], 1e9) * mib);
    g->vram_used_bytes = (int64_t)(number(cell[SMI_MEMORY_USED], 1e9) * mib);
    if (is_absent(cell[SMI_MEMORY]) && cell[SMI_MEMORY][0]) {
        g->is_unified = HW_YES;
        g->kind = HW_GPU_INTEGRATED;
    }
    if (!is_absent(cell[SMI_DRIVER]))
        hw_copy(g->driver_version, sizeof(g->driver_version), cell[SMI_DRIVER]);
    if (!is_absent(cell[SMI_VBIOS]))
        hw_copy(g->vbios, sizeof(g->vbios), cell[SMI_VBIOS]);
    g->power_limit_w = number(cell[SMI_POWER_LIMIT], 1e5);
    g->power_default_w = number(cell[SMI_POWER_DEFAULT], 1e5);
    g->power_max_w = number(cell[SMI_POWER_MAX], 1e5);
    g->power_draw_w = number(cell[SMI_POWER_DRAW], 1e5);
    g->temperature_c = number(cell[SMI_TEMPERATURE], 200);
    g->link_gen = (int)number(cell[SMI_GEN], 16), g->link_gen_max = (int)number(cell[SMI_GEN_MAX], 16);
    g->link_width = (int)number(cell[SMI_WIDTH], 32), g->link_width_max = (int)number(cell[SMI_WIDTH_MAX], 32);
    g->clock_mhz = (int)number(cell[SMI_CLOCK], 1e5), g->clock_max_mhz = (int)number(cell[SMI_CLOCK_MAX], 1e5);
    g->persistence = yesno(cell[SMI_PERSISTENCE]);
    g->ecc = yesno(cell[SMI_ECC]);
    int major, minor;
    if (n_cells > SMI_CAPABILITY && sscanf(cell[SMI_CAPABILITY], "%2d.%1d", &major, &minor) == 2 && major > 0 && minor >= 0)
        g->compute_major = major, g->compute_minor = minor;
}

int smi_parse(const char *text, struct hw_gpu *gpus, int max)
{
    int n = 0;
    for (const char *line = text; *line && n < max;) {
        const size_t len = strcspn(line, "\r\n");
        char cell[SMI_COUNT][HW_TEXT];
        int n_cells = 0;
        memset(cell, 0, sizeof(cell));
        for (size_t from = 0; from <= len && n_cells < SMI_COUNT; n_cells++) {
            while (from < len && line[from] == ' ')
                from++;
            size_t to = from;
            while (to < len && line[to] != ',')
                to++;
            snprintf(cell[n_cells], sizeof(cell[n_cells]), "%.*s", (int)(to - from < HW_TEXT ? to - from : HW_TEXT - 1), line + from);
            for (size_t last = strlen(cell[n_cells]); last > 0 && cell[n_cells][last - 1] == ' ';)
                cell[n_cells][--last] = '\0';
            from = to + 1;
        }
        unsigned a, b, c, d; /* other lines are warnings */
        if (n_cells > SMI_ECC && sscanf(cell[SMI_ADDRESS], "%x:%x:%x.%x", &a, &b, &c, &d) == 4)
            fill(&gpus[n++], cell, n_cells);
        line += len;
        line += strspn(line, "\r\n");
    }
    return n;
}

bool smi_parse_cuda(const char *text, char *version, size_t size)
{
    const char *at = strstr(text, "CUDA Version");
    if (!at)
        return false;
    at += strcspn(at, "0123456789\n");
    const size_t len = strspn(at, "0123456789.");
    if (len < 3 || len >= size || !strchr(at, '.'))
        return false;
    snprintf(version, size, "%.*s", (int)len, at);
    return true;
}

bool smi_ask(const char *program, int deadline_ms, struct nvidia_answer *a)
{
    enum { TEXT_BYTES = 64 << 10 };
    char *text = malloc(TEXT_BYTES), name[256];
    const char *const fields[] = { "--query-gpu=" SMI_FIELDS, "--query-gpu=" SMI_FIELDS_OLD };
    enum ask_end end = ASK_FAILED;
    size_t n;
    memset(a, 0, sizeof(*a));
    if (!text) {
        snprintf(a->why_not, sizeof(a->why_not), "out of memory");
        return false;
    }
    snprintf(name, sizeof(name), "%s", program);
    for (int i = 0; i < 2 && end == ASK_FAILED; i++)
        end = ask_program((const char *[]){ name, fields[i], "--format=csv,noheader,nounits", NULL }, deadline_ms, text, TEXT_BYTES, &n);
    if (end == ASK_DONE)
        a->n = smi_parse(text, a->gpus, HW_GPUS_MAX);
    a->is_late = end == ASK_LATE;
    if (a->is_late)
        snprintf(a->why_not, sizeof(a->why_not), "nvidia-smi did not answer within %d ms", deadline_ms);
    else if (a->n == 0)
        snprintf(a->why_not, sizeof(a->why_not), "nvidia-smi %s", end == ASK_DONE ? "names no GPU" : "is not there or fails");
    char cuda[16];
    if (a->n > 0 && ask_program((const char *[]){ name, NULL }, deadline_ms, text, TEXT_BYTES, &n) == ASK_DONE && smi_parse_cuda(text, cuda, sizeof(cuda)))
        for (int i = 0; i < a->n; i++)
            hw_copy(a->gpus[i].cuda_version, sizeof(a->gpus[i].cuda_version), cuda);
    free(text);
    return a->n > 0;
}
