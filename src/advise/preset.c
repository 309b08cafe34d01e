/* advise/preset.c - see preset.h; start at advise_presets(). */
#include "advise/preset.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "advise/bandwidth.h"

static const char *class_of(const struct hw_gpu *g)
{
    static const struct {
        const char *vendor, *cls;
    } classes[] = { { "NVIDIA", "nvidia" }, { "AMD", "amd" }, { "Intel", "intel-gpu" }, { "Apple", "apple" } };
    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
        if (strcmp(g->vendor, classes[i].vendor) == 0)
            return classes[i].cls;
    return NULL;
}

static void fill_from_machine(const struct hw_machine *m, struct runtime_host *out)
{
    out->n_cores = m->cpu.cores_usable > 0 ? m->cpu.cores_usable : m->cpu.cores_physical;
    out->mem_gb = m->memory.total_bytes > 0 ? (double)m->memory.total_bytes / 1e9 : NAN;
}

static void plain_cpu(const struct hw_machine *m, struct runtime_host *out)
{
    *out = (struct runtime_host){ .name = m->cpu.model[0] ? m->cpu.model : "this CPU", .alias = "", .cls = "cpu", .os = "linux" };
}

void advise_cpu_host(struct catalog *cat, const struct hw_machine *m, struct runtime_host *out)
{
    const struct catalog_row *row = advise_machine_row(cat, m);
    plain_cpu(m, out);
    if (row)
        runtime_host_of(row, out);
    fill_from_machine(m, out);
}

void advise_runtime_host(struct catalog *cat, const struct hw_machine *m, struct runtime_host *out, const struct catalog_row **row_out)
{
    const struct hw_gpu *best = NULL;
    const struct catalog_row *row = NULL;
    struct err none = { 0 };
    for (int i = 0; i < m->n_gpus; i++)
        if (class_of(&m->gpus[i]) && m->gpus[i].vram_bytes > 0 && (!best || m->gpus[i].vram_bytes > best->vram_bytes))
            best = &m->gpus[i];
    if (best) {
        row = catalog_find_in(cat, "gpu", best->name, &none);
        *out = (struct runtime_host){ .name = best->name, .alias = row ? catalog_name(row) : "", .cls = class_of(best), .os = "linux" };
        out->mem_gb = (double)best->vram_bytes / 1e9;
    } else {
        row = advise_machine_row(cat, m);
        advise_cpu_host(cat, m, out);
    }
    if (row_out)
        *row_out = row;
}

/* ---- presets ---- */

/* The runtimes whose rows speak of what our own experts do: ONNX Runtime, whisper.cpp, Piper, OpenVINO on a CPU.  Their numbers of
 * threads and images are about the CPU, whoever runs on it. */
static void fill(struct task_preset *p, const struct catalog_row *row, const struct runtime_host *host)
{
    const char *threads = catalog_text(row, "threads");
    const double batch = catalog_number_or(row, "n_batch", 1);
    snprintf(p->name, sizeof(p->name), "%s", catalog_name(row));
    snprintf(p->scope, sizeof(p->scope), "%s", *catalog_text(row, "match_name") ? "device" : "class");
    snprintf(p->runtime, sizeof(p->runtime), "%s", catalog_text(row, "runtime"));
    snprintf(p->precision, sizeof(p->precision), "%s", catalog_text(row, "precision"));
    p->n_threads = strcmp(threads, "physical") == 0 ? 0 : atoi(threads);
    if (host->n_cores > 0 && p->n_threads > host->n_cores)
        p->n_threads = host->n_cores;
    p->n_batch = batch >= 1 && batch <= 256 ? (int)batch : 1;
}

static void generic(struct task_presets *out)
{
    memset(out, 0, sizeof(*out));
    for (int i = 0; i < PRESET_MODALITY_COUNT; i++) {
        snprintf(out->of[i].scope, sizeof(out->of[i].scope), "generic");
        out->of[i].n_batch = i == PRESET_VISION ? 8 : 1;
    }
}

bool advise_presets(struct catalog *cat, const struct hw_machine *m, const char *name, struct task_presets *out, struct err *err)
{
    struct runtime_host host;
    generic(out);
    if (name && strcmp(name, "none") == 0)
        return true;
    const struct catalog_table *table = catalog_table(cat, "runtime", err);
    if (!table)
        return false;
    if (name && strcmp(name, "auto") != 0) {
        const struct catalog_row *hardware = catalog_find_in(cat, "soc cpu phone", name, err);
        if (!hardware)
            return err_prefix(err, "preset");
        runtime_host_of(hardware, &host);
    } else {
        advise_cpu_host(cat, m, &host);
    }
    for (int i = 0; i < PRESET_MODALITY_COUNT; i++) {
        const struct runtime_wish wish = { .task = preset_modality_name((enum preset_modality)i) };
        const struct catalog_row *row;
        if (runtime_choose(table, &host, &wish, &row, 1) == 1)
            fill(&out->of[i], row, &host);
    }
    return true;
}

void advise_put_presets(struct buf *out, const struct task_presets *p)
{
    for (int i = 0; i < PRESET_MODALITY_COUNT; i++) {
        const struct task_preset *x = &p->of[i];
        buf_printf(out, "preset %s: %s (%s)", preset_modality_name((enum preset_modality)i), x->name[0] ? x->name : "defaults", x->scope);
        if (x->precision[0])
            buf_printf(out, ", %s", x->precision);
        if (x->n_threads > 0)
            buf_printf(out, ", %d threads", x->n_threads);
        if (x->n_batch > 1 && i != PRESET_LLM)
            buf_printf(out, ", batches of up to %d", x->n_batch);
        buf_putc(out, '\n');
    }
}
