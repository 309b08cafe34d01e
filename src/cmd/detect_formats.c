/* cmd/detect_formats.c - `tutti detect --format nfd|prometheus`: the machine for other programs.
 *
 * For:     detect.c.
 * Rule:    a value that is not known has no line.
 *
 * Formats: Node Feature Discovery 0.16 "local" source (feature files: one NAME=VALUE a line; a label's value has at most 63
 * letters, digits, - _ . and begins and ends with a letter or digit); Prometheus text exposition format 0.0.4.
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "cmd/detect_internal.h"

static void nfd_text(struct buf *b, const char *name, const char *value)
{
    char label[64];
    size_t n = 0;
    for (const char *at = value; *at && n < sizeof(label) - 1; at++) {
        const char c = isalnum((unsigned char)*at) || *at == '.' || *at == '_' ? *at : '-';
        if ((n == 0 && !isalnum((unsigned char)c)) || (c == '-' && n > 0 && label[n - 1] == '-'))
            continue;
        label[n++] = c;
    }
    while (n > 0 && !isalnum((unsigned char)label[n - 1]))
        n--;
    label[n] = '\0';
    if (n > 0)
        buf_printf(b, "tutti-%s=%s\n", name, label);
}
static void nfd_number(struct buf *b, const char *name, int64_t v)
{
    if (v > 0)
        buf_printf(b, "tutti-%s=%" PRId64 "\n", name, v);
}

void detect_put_nfd(struct buf *b, const struct hw_machine *m)
{
    char name[64];
    nfd_text(b, "board.vendor", m->board.vendor);
    nfd_text(b, "board.product", m->board.product);
    nfd_text(b, "board.form", m->board.form);
    nfd_text(b, "board.soc", m->board.soc);
    nfd_text(b, "cpu.vendor", m->cpu.vendor);
    nfd_text(b, "cpu.model", m->cpu.model);
    nfd_text(b, "cpu.microarch", m->cpu.microarch);
    nfd_number(b, "cpu.cores", m->cpu.cores_physical);
    nfd_number(b, "cpu.cores-performance", m->cpu.cores_performance);
    nfd_number(b, "cpu.cores-efficiency", m->cpu.cores_efficiency);
    nfd_number(b, "cpu.sockets", m->cpu.sockets);
    for (int i = 0; i < m->cpu.n_isa; i++) {
        snprintf(name, sizeof(name), "cpu.isa-%s", m->cpu.isa[i]);
        nfd_text(b, name, "true");
    }
    nfd_number(b, "memory.mib", m->memory.total_bytes >> 20);
    nfd_text(b, "memory.type", m->memory.type);
    nfd_number(b, "memory.channels", m->memory.channels);
    nfd_number(b, "gpu.count", m->n_gpus);
    for (int i = 0; i < m->n_gpus; i++) {
        const struct hw_gpu *g = &m->gpus[i];
        char value[HW_TEXT];
        snprintf(name, sizeof(name), "gpu%d.vendor", i), nfd_text(b, name, g->vendor);
        snprintf(name, sizeof(name), "gpu%d.name", i), nfd_text(b, name, g->name);
        snprintf(name, sizeof(name), "gpu%d.vram-mib", i), nfd_number(b, name, g->vram_bytes >> 20);
        if (g->compute_major > 0) {
            snprintf(value, sizeof(value), "%d.%d", g->compute_major, g->compute_minor);
            snprintf(name, sizeof(name), "gpu%d.compute", i), nfd_text(b, name, value);
        }
    }
    nfd_number(b, "accelerator.count", m->n_accelerators);
    for (int i = 0; i < m->n_accelerators; i++) {
        snprintf(name, sizeof(name), "accelerator-%.40s", m->accelerators[i].kind);
        nfd_text(b, name, m->accelerators[i].state[0] ? m->accelerators[i].state : "present");
    }
}

/* --- Prometheus ---------------------------------------------------------------------------------------- */

static void label(struct buf *b, bool *has_more, const char *name, const char *value)
{
    buf_printf(b, "%c%s=\"", *has_more ? ',' : '{', name);
    *has_more = true;
    for (const char *at = value; *at; at++) {
        if (*at == '\\' || *at == '"')
            buf_putc(b, '\\');
        buf_putc(b, *at);
    }
    buf_putc(b, '"');
}

static void family(struct buf *b, const char *name, const char *help) { buf_printf(b, "# HELP %s %s\n# TYPE %s gauge\n", name, help, name); }

static void single(struct buf *b, const char *name, const char *help, double v)
{
    if (v > 0) {
        family(b, name, help);
        buf_printf(b, "%s %.17g\n", name, v);
    }
}

/* name{label="value",...} v; pairs end with NULL */
static void sample(struct buf *b, const char *name, double v, ...)
{
    va_list ap;
    bool has_more = false;
    buf_puts(b, name);
    va_start(ap, v);
    for (const char *key; (key = va_arg(ap, const char *));)
        label(b, &has_more, key, va_arg(ap, const char *));
    va_end(ap);
    buf_printf(b, "%s %.17g\n", has_more ? "}" : "", v);
}

void detect_put_prometheus(struct buf *b, const struct hw_machine *m, const struct advise_bandwidth *bw)
{
    char index[16];
    family(b, "tutti_machine_info", "What this machine is.");
    sample(b, "tutti_machine_info", 1.0, "vendor", m->board.vendor, "product", m->board.product, "form", m->board.form, "soc", m->board.soc, "cpu", m->cpu.model, "microarch",
           m->cpu.microarch, "arch", m->cpu.arch, "os", m->os.name, "kernel", m->os.kernel, "hypervisor", m->board.hypervisor, NULL);
    family(b, "tutti_cpu_cores", "Cores with an online thread, by kind.");
    sample(b, "tutti_cpu_cores", (double)m->cpu.cores_physical, "kind", "physical", NULL);
    sample(b, "tutti_cpu_cores", (double)m->cpu.cores_logical, "kind", "logical", NULL);
    if (m->cpu.cores_performance + m->cpu.cores_efficiency > 0) {
        sample(b, "tutti_cpu_cores", (double)m->cpu.cores_performance, "kind", "performance", NULL);
        sample(b, "tutti_cpu_cores", (double)m->cpu.cores_efficiency, "kind", "efficiency", NULL);
    }
    single(b, "tutti_memory_total_bytes", "Memory of the machine without that of GPUs.", (double)m->memory.total_bytes);
    single(b, "tutti_memory_available_bytes", "Memory that programs may still have.", (double)m->memory.available_bytes);
    single(b, "tutti_memory_bandwidth_theoretical_bytes_per_second", "The smaller of memory and fabric, from this machine's modules or the catalog.", bw->theoretical_bps);
    single(b, "tutti_memory_bandwidth_measured_bytes_per_second", "Reads of all threads, measured in this run.", m->memory.measured_bps);
    for (int i = 0; i < m->n_gpus; i++) {
        if (i == 0)
            family(b, "tutti_gpu_info", "A GPU; its memory, temperature and draw carry the same index.");
        snprintf(index, sizeof(index), "%d", i);
        sample(b, "tutti_gpu_info", 1.0, "gpu", index, "vendor", m->gpus[i].vendor, "name", m->gpus[i].name, "driver_version", m->gpus[i].driver_version, NULL);
    }
    static const struct {
        const char *name, *help;
        int what;
    } gpu_figures[] = { { "tutti_gpu_memory_total_bytes", "Memory of the GPU alone.", 0 }, { "tutti_gpu_temperature_celsius", "Temperature of the GPU.", 1 },
                        { "tutti_gpu_power_watts", "What the GPU draws.", 2 }, { "tutti_gpu_power_limit_watts", "What the GPU may draw.", 3 } };
    for (size_t f = 0; f < sizeof(gpu_figures) / sizeof(gpu_figures[0]); f++) {
        bool any = false;
        for (int i = 0; i < m->n_gpus; i++) {
            const struct hw_gpu *g = &m->gpus[i];
            const double v[] = { (double)g->vram_bytes, g->temperature_c, g->power_draw_w, g->power_limit_w };
            if (v[gpu_figures[f].what] == 0)
                continue;
            if (!any)
                family(b, gpu_figures[f].name, gpu_figures[f].help);
            any = true;
            snprintf(index, sizeof(index), "%d", i);
            sample(b, gpu_figures[f].name, v[gpu_figures[f].what], "gpu", index, NULL);
        }
    }
    for (int i = 0; i < m->n_accelerators; i++) {
        if (i == 0)
            family(b, "tutti_accelerator_info", "An NPU or another accelerator.");
        snprintf(index, sizeof(index), "%d", i);
        sample(b, "tutti_accelerator_info", 1.0, "accelerator", index, "kind", m->accelerators[i].kind, "name", m->accelerators[i].name, "state", m->accelerators[i].state, NULL);
    }
    bool any = false;
    for (int i = 0; i < m->n_thermal; i++) {
        if (m->thermal[i].has_value != HW_YES)
            continue;
        if (!any)
            family(b, "tutti_temperature_celsius", "A thermal zone or sensor.");
        any = true;
        sample(b, "tutti_temperature_celsius", m->thermal[i].temperature_c, "zone", m->thermal[i].name, "source", m->thermal[i].source, NULL);
    }
    any = false;
    for (int i = 0; i < m->n_power; i++) {
        if (m->power[i].power_w == 0)
            continue;
        if (!any)
            family(b, "tutti_power_watts", "What a meter says.");
        any = true;
        snprintf(index, sizeof(index), "%d", i);
        sample(b, "tutti_power_watts", m->power[i].power_w, "meter", index, "name", m->power[i].name, "kind", m->power[i].kind, NULL);
    }
}
