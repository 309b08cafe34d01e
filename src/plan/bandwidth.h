/* plan/bandwidth.h - memory bandwidth and peak FLOPS of any build, with the steps.
 *
 * For:     `tutti fit --on 'epyc 9354,channels=8,mts=4800'`, detect, doctor.
 * Touches: nothing.
 * Rule:    theory, not measurement: BW = min(RAM, fabric) (seed 002, corrected: ../shared/reference/seed-errors.md 002-03 to 002-09):
 *              RAM    = sockets x channels x 8 bytes x GT/s
 *              fabric = sockets x CCDs x links per CCD x 32 bytes x FCLK      AMD's chiplets read 32 bytes per clock and link
 *          Monolithic dies and other makers have no such limit.  Real machines reach 60 to 90 % of it.
 */
#ifndef TUTTI_PLAN_BANDWIDTH_H
#define TUTTI_PLAN_BANDWIDTH_H
#include <stddef.h>

struct plan_memory_build { /* 0: not known, or no such limit */
    int sockets;        /* default 1 */
    int channels;       /* filled, per socket, 64 bits each (DDR5's two half channels count as one) */
    double mts;         /* MT/s that the modules run at */
    int n_ccd;          /* AMD: chiplets with cores, per socket */
    int links_per_ccd;  /* default 1; 2 on SP5 parts with few CCDs */
    double fclk_ghz;    /* fabric clock */
};
struct plan_bandwidth {
    double ram_gbps, fabric_gbps /* 0: no limit known */, gbps /* 0: not known */;
    char steps[400];    /* lines for people */
};
struct plan_bandwidth plan_bandwidth_of(const struct plan_memory_build *b);

struct plan_cores { /* cores that are alike */
    int n;
    double ghz;
    int flop_per_cycle; /* fp32 with FMA: lanes x 2 x pipes */
};
/* Sum of n x GHz x FLOP per cycle in TFLOPS; steps may be NULL. */
double plan_cpu_peak_tflops(const struct plan_cores *kinds, int n_kinds, char *steps, size_t steps_bytes);
#endif
