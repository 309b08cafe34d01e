/* bench/sweep.h - the machine's limits in detail: memory over threads, streams and sizes; multiply-adds per unit.
 *
 * For:     `tutti bench`: the roofline, the steps of the caches.
 * Callers: cmd/bench.c.  Touches: threads, 256 MB of memory while it runs.
 * Rule:    best of a few passes: a limit is what the machine can do, not what it did on average.
 *          Reads are loads as wide as the CPU level has, and additions.
 */
#ifndef TUTTI_BENCH_SWEEP_H
#define TUTTI_BENCH_SWEEP_H
#include "bench/bench.h"

enum bench_read_kind { READ_OVER_THREADS, READ_OVER_STREAMS, READ_OVER_SIZES, READ_KINDS };
struct bench_read {
    enum bench_read_kind kind;
    int threads;
    int streams;    /* places that a thread reads from in turn */
    int64_t bytes;  /* of one thread's memory (sizes), of all (the others) */
    double bps;     /* all threads together */
};
struct bench_peak {
    const char *isa, *unit; /* "avx512", "int8" | "bf16" | "f32"; static texts */
    int threads;
    double ops;     /* per second, a multiply-add is two */
};
enum { BENCH_READS_MAX = 96, BENCH_PEAKS_MAX = 32 };

/* 1, 2, ... max_threads at 4 streams; 1 .. 16 streams on all; 8 KiB .. 64 MiB with one thread and with all.
 * *n counts what was measured, also when it was stopped. */
bool bench_reads(int max_threads, uint32_t cpu, struct bench_read out[static BENCH_READS_MAX], int *n, const struct bench_watch *w, struct err *err);
/* Every instruction set that the flags allow, each unit it has, on one thread and on all. */
bool bench_peaks(int max_threads, uint32_t cpu, struct bench_peak out[static BENCH_PEAKS_MAX], int *n, const struct bench_watch *w, struct err *err);
/* What both take together, about; for the time left. */
double bench_sweep_seconds(int max_threads);
#endif
