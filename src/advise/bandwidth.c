/* advise/bandwidth.c - see bandwidth.h. */
#include "advise/bandwidth.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static void cut_at(char *text, const char *word)
{
    char *at = strstr(text, word);
    if (at && at != text)
        *at = '\0';
}

/* "AMD Ryzen 7 7840HS w/ Radeon 780M Graphics", "AMD EPYC 7451 24-Core Processor", "Intel(R) Core(TM) i5 CPU M 560 @ 2.67GHz" */
static void clean_model(char *to, size_t size, const char *model)
{
    const char *from = strstr(model, "Gen Intel"); /* "13th Gen Intel(R) ..." */
    snprintf(to, size, "%s", from ? from + 4 : model);
    cut_at(to, " w/ ");
    cut_at(to, " with ");
    cut_at(to, " @");
    cut_at(to, " Processor");
    char *core = strstr(to, "-Core");
    while (core && core > to && isdigit((unsigned char)core[-1]))
        core--;
    if (core && core > to)
        *core = '\0';
}

const struct catalog_row *advise_machine_row(struct catalog *c, const struct hw_machine *m)
{
    struct err ignored = { 0 };
    char name[HW_TEXT];
    const struct catalog_row *row = NULL;
    /* The same module with JetPack 6.2's modes runs its memory at 102 instead of 68 GB/s (NVIDIA, "Jetson Orin Nano Super", 2024-12). */
    if (strcmp(m->board.board, "Jetson Orin Nano 8GB") == 0 && (strcmp(m->power_mode, "MAXN_SUPER") == 0 || strcmp(m->power_mode, "25W") == 0))
        row = catalog_find_in(c, "soc", "Jetson Orin Nano Super", &ignored);
    const char *const boards[] = { m->board.board, m->board.product, m->board.soc };
    for (size_t i = 0; i < sizeof(boards) / sizeof(boards[0]) && !row && m->board.family[0]; i++) {
        snprintf(name, sizeof(name), "%s", boards[i]);
        cut_at(name, " Rev ");
        cut_at(name, " (");
        row = name[0] ? catalog_find_in(c, "soc", name, &ignored) : NULL;
    }
    clean_model(name, sizeof(name), m->cpu.model);
    return row || !name[0] ? row : catalog_find_in(c, "cpu", name, &ignored);
}

static double fabric_bps(struct catalog *c, const struct catalog_row *cpu, int sockets)
{
    struct err ignored = { 0 };
    const struct catalog_table *platforms = catalog_table(c, "platform", &ignored);
    const char *name = catalog_text(cpu, "platform");
    const struct catalog_row *platform = platforms && name[0] ? catalog_find(platforms, name, &ignored) : NULL;
    if (!platform)
        return 0;
    const double bps = catalog_number(cpu, "n_ccds") * catalog_number_or(cpu, "n_ccd_links", 1) * catalog_number(platform, "n_link_bytes") * catalog_number(platform, "fclk_ghz") * 1e9;
    return isfinite(bps) && bps > 0 ? bps * sockets : 0;
}

/* "https://www.amd.com/en/products ..." -> "amd.com": enough to see where a line is from, the catalog has the rest. */
static void short_source(char to[48], const struct catalog_row *row)
{
    const char *from = catalog_source(row), *at = strstr(from, "://");
    from = at ? at + 3 : from;
    from += strncmp(from, "www.", 4) == 0 ? 4 : 0;
    const size_t n = strcspn(from, at ? "/ ," : ",");
    snprintf(to, 48, "%.*s", (int)(n < 47 ? n : 47), from);
}

void advise_bandwidth(struct catalog *c, const struct hw_machine *m, struct advise_bandwidth *out)
{
    *out = (struct advise_bandwidth){ 0 };
    char from[48] = "";
    if (m->board.hypervisor[0])
        return;
    const struct catalog_row *row = advise_machine_row(c, m);
    if (row)
        short_source(from, row);
    const int sockets = m->cpu.sockets > 0 ? m->cpu.sockets : 1;
    if (m->memory.ram_bps > 0) {
        out->ram_bps = m->memory.ram_bps;
        snprintf(out->kind, sizeof(out->kind), "detected");
        snprintf(out->source, sizeof(out->source), "%s", m->memory.bandwidth_source);
    } else if (row && catalog_number_or(row, "mem_bw_gbps", 0) > 0) {
        out->ram_bps = catalog_number(row, "mem_bw_gbps") * 1e9 * sockets;
        snprintf(out->kind, sizeof(out->kind), "catalog");
        snprintf(out->source, sizeof(out->source), "the most that %s%.60s supports, %s, %s", sockets > 1 ? "each socket's " : "", catalog_name(row), from, catalog_text(row, "date"));
    }
    if (row && strcmp(catalog_name_of(catalog_table_of(row)), "cpu") == 0)
        out->fabric_bps = fabric_bps(c, row, sockets);
    out->theoretical_bps = out->fabric_bps > 0 && (out->ram_bps <= 0 || out->fabric_bps < out->ram_bps) ? out->fabric_bps : out->ram_bps;
    if (out->fabric_bps > 0 && out->theoretical_bps == out->fabric_bps) {
        snprintf(out->kind, sizeof(out->kind), "catalog");
        snprintf(out->source, sizeof(out->source), "fabric of %.60s: chiplets x links x bytes x clock, %s, %s", catalog_name(row), from, catalog_text(row, "date"));
    }
}
