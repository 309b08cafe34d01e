/* plan/bandwidth.c - see bandwidth.h. */
#include "plan/bandwidth.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "plan/speed_internal.h"

static void add(char *text, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void add(char *text, size_t size, const char *fmt, ...)
{
    const size_t n = strlen(text);
    va_list args;
    if (n + 1 >= size)
        return;
    va_start(args, fmt);
    vsnprintf(text + n, size - n, fmt, args);
    va_end(args);
}

struct plan_bandwidth plan_bandwidth_of(const struct plan_memory_build *b)
{
    struct plan_bandwidth out = { 0 };
    const int sockets = b->sockets > 0 ? b->sockets : 1, links = b->links_per_ccd > 0 ? b->links_per_ccd : 1;
    if (b->channels <= 0 || b->mts <= 0)
        return out;
    out.ram_gbps = sockets * b->channels * 8 * b->mts / 1000;
    char each[24] = "";
    if (sockets > 1)
        snprintf(each, sizeof(each), "%d sockets x ", sockets);
    add(out.steps, sizeof(out.steps), "RAM     %s%d channels x 8 bytes x %g GT/s = %.1f GB/s\n", each, b->channels, b->mts / 1000, out.ram_gbps);
    out.gbps = out.ram_gbps;
    if (b->n_ccd > 0 && b->fclk_ghz > 0) {
        out.fabric_gbps = sockets * b->n_ccd * links * 32 * b->fclk_ghz;
        add(out.steps, sizeof(out.steps), "fabric  %s%d CCDs x %d link%s x 32 bytes x %g GHz = %.1f GB/s\n", each, b->n_ccd, links, links > 1 ? "s" : "", b->fclk_ghz,
            out.fabric_gbps);
        out.gbps = out.fabric_gbps < out.ram_gbps ? out.fabric_gbps : out.ram_gbps;
        add(out.steps, sizeof(out.steps), "min     %.1f GB/s: %s is the limit\n", out.gbps, out.fabric_gbps < out.ram_gbps ? "the fabric" : "the memory");
    }
    return out;
}

/* CCDs of server and workstation parts whose number does not follow from their cores at 8 per CCD: frequency and cache models, and
 * parts with fewer cores per CCD.  amd.com product pages and AMD's platform data sheets, written from knowledge 2026-11-21. */
static const struct {
    const char *name;
    int n_ccd;
} odd_ccds[] = {
    { "9124", 4 },   { "9174F", 8 },  { "9184X", 8 },  { "9224", 4 },   { "9254", 4 },   { "9274F", 8 },  { "9354", 8 },   { "9354P", 8 },  { "9374F", 8 },  { "9384X", 8 },
    { "9454", 8 },   { "9454P", 8 },  { "9474F", 8 },  { "9634", 12 },  { "9654", 12 },  { "9654P", 12 }, { "9684X", 12 }, { "9734", 8 },   { "9754", 8 },   { "9015", 2 },
    { "9115", 2 },   { "9135", 2 },   { "9175F", 16 }, { "9255", 4 },   { "9275F", 8 },  { "9335", 4 },   { "9355", 8 },   { "9355P", 8 },  { "9365", 6 },   { "9375F", 8 },
    { "9455", 8 },   { "9455P", 8 },  { "9475F", 8 },  { "9535", 8 },   { "9555", 8 },   { "9555P", 8 },  { "9565", 12 },  { "9575F", 8 },  { "9645", 8 },   { "9655", 12 },
    { "9655P", 12 }, { "9745", 8 },   { "9755", 16 },  { "9825", 12 },  { "9845", 10 },  { "9965", 12 },  { "7945WX", 2 }, { "7955WX", 2 }, { "7960X", 4 },  { "7965WX", 4 },
    { "7970X", 4 },  { "7975WX", 4 }, { "7980X", 8 },  { "7985WX", 8 }, { "7995WX", 12 }, { "9945WX", 2 }, { "9955WX", 2 }, { "9960X", 4 },  { "9965WX", 4 }, { "9970X", 4 },
    { "9975WX", 4 }, { "9980X", 8 },  { "9985WX", 8 }, { "9995WX", 12 }, { "8124P", 2 },  { "8224P", 4 },  { "8324P", 4 },  { "8434P", 4 },  { "8534P", 4 },
};

bool plan_amd_chiplets(struct plan_memory_build *b, const char *cpu, int cores)
{
    struct speed_tags t;
    speed_tags(&t, cpu, PLAN_CPU);
    const bool is_big = strcmp(t.form, "server") == 0 || strcmp(t.form, "workstation") == 0, is_desktop = strcmp(t.form, "desktop") == 0;
    const bool is_zen = strncmp(t.arch, "zen", 3) == 0 && strchr(t.arch, '-') == NULL;
    const int zen = is_zen ? t.arch[3] - '0' : 0;
    if (zen < 2 || (!is_big && !is_desktop)) /* Zen 1 has memory controllers on each die; mobile parts and APUs are one die */
        return false;
    const char *last = strrchr(cpu, ' ');
    b->n_ccd = 0;
    for (size_t i = 0; last && i < sizeof(odd_ccds) / sizeof(odd_ccds[0]); i++)
        if (strcmp(last + 1, odd_ccds[i].name) == 0)
            b->n_ccd = odd_ccds[i].n_ccd;
    if (b->n_ccd == 0)
        b->n_ccd = (cores + 7) / 8;
    if (b->n_ccd == 0)
        return false;
    if (b->links_per_ccd == 0)
        b->links_per_ccd = is_big && zen >= 4 && b->n_ccd <= 4 ? 2 : 1;
    if (b->fclk_ghz <= 0) /* Genoa 1.8, AM5 and Turin 2.0; DDR4: half the module's clock, 1.6 at 3200 */
        b->fclk_ghz = zen >= 5 ? 2.0 : zen == 4 ? (strcmp(t.form, "desktop") == 0 ? 2.0 : 1.8) : 1.6;
    return true;
}

double plan_cpu_peak_tflops(const struct plan_cores *kinds, int n_kinds, char *steps, size_t steps_bytes)
{
    double all = 0;
    if (steps && steps_bytes)
        steps[0] = '\0';
    for (int i = 0; i < n_kinds; i++) {
        const double gflops = kinds[i].n * kinds[i].ghz * kinds[i].flop_per_cycle;
        all += gflops;
        if (steps)
            add(steps, steps_bytes, "peak    %d cores x %g GHz x %d FLOP/cycle = %.1f GFLOPS\n", kinds[i].n, kinds[i].ghz, kinds[i].flop_per_cycle, gflops);
    }
    if (steps && n_kinds > 1)
        add(steps, steps_bytes, "sum     %.1f GFLOPS fp32, if all cores held that clock\n", all);
    return all / 1000;
}

int plan_flop_per_cycle(const char *arch, char role)
{
    /* FMA pipes x lanes x 2: two of 256 bits 32, two of 512 bits 64, two of 128 bits 16 (vendors' optimisation guides) */
    static const struct {
        const char *arch;
        int p, e;
    } rows[] = {
        { "haswell", 32, 0 },  { "skylake", 32, 0 },  { "skylake+", 32, 0 }, { "rocket", 32, 0 },  { "icelake", 32, 0 },  { "tiger", 32, 0 },    { "alder", 32, 16 },
        { "raptor", 32, 16 },  { "meteor", 32, 16 },  { "arrow", 32, 32 },   { "lunar", 32, 32 },  { "gracemont", 16, 16 }, { "xeon-v3", 32, 0 }, { "xeon-1gen", 64, 0 },
        { "xeon-3gen", 64, 0 }, { "sapphire", 64, 0 }, { "zen1", 16, 0 },     { "zen2", 32, 0 },    { "zen3", 32, 0 },     { "zen4", 32, 0 },     { "zen5", 64, 0 },
        { "zen5-apu", 32, 32 }, { "zen5-max", 64, 0 }, { "sandy", 16, 0 },    { "xeon-v1", 16, 0 }, { "bulldozer", 8, 0 }, { "nehalem", 8, 0 },   { "core2", 8, 0 },
        { "a53", 8, 8 },       { "a72", 8, 8 },       { "a76", 16, 8 },      { "a720", 16, 8 },    { "neoverse", 16, 0 }, { "apple-m1", 32, 16 }, { "apple-m2", 32, 16 },
        { "apple-m3", 32, 16 }, { "apple-m4", 32, 16 },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (strcmp(arch, rows[i].arch) == 0)
            return role == 'E' ? rows[i].e : rows[i].p;
    return 0;
}
