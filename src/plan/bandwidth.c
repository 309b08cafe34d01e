/* plan/bandwidth.c - see bandwidth.h. */
#include "plan/bandwidth.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

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
