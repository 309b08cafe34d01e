/* bench/soak.h - the same work for minutes: does the machine keep its speed when it gets warm?
 *
 * For:     `tutti bench --soak 10m`.
 * Callers: cmd/bench.c.  Touches: threads, the clock, sensors.
 * Rule:    prompts of 64 tokens and 16 generated ones in turn, so that arithmetic and memory are both busy; a sample
 *          is about a second (never more than BENCH_SOAK_MAX in all).  Sensors that are not there give NAN.
 */
#ifndef TUTTI_BENCH_SOAK_H
#define TUTTI_BENCH_SOAK_H
#include "bench/bench.h"

enum { BENCH_SOAK_MAX = 600 };
struct bench_soak_sample {
    double t_s; /* its end */
    double pp_tps, tg_tps, mhz, temperature_c, watts;
};
struct bench_soak {
    struct bench_soak_sample sample[BENCH_SOAK_MAX];
    int n;
    double wanted_s;
    /* medians of the first and the last tenth (one sample at least) */
    double tg_first, tg_last, pp_first, pp_last;
    double kept_frac; /* the smaller of tg and pp: last / first; NAN before two samples */
};

/* Stopped: false with ERR_CANCELLED and the samples until then, summed up. */
bool bench_soak_run(const struct bench_setup *s, double seconds, struct bench_soak *out, struct err *err);
#endif
