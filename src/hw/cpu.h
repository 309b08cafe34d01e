/* hw/cpu.h - which instructions this machine has and the operating system lets us use.
 *
 * For:     kernels/ (choice of variants), `tutti version`, tests.
 * Touches: cpuid, getauxval, arch_prctl (AMX permission).  Reads no environment: cmd/ hands TUTTI_CPU in.
 */
#ifndef TUTTI_HW_CPU_H
#define TUTTI_HW_CPU_H
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum cpu_flag {
    CPU_AVX2 = 1 << 0,       /* with FMA and F16C */
    CPU_AVXVNNI = 1 << 1,    /* VEX vpdpbusd */
    CPU_AVX512 = 1 << 2,     /* F, BW, DQ, VL, VNNI: Ice Lake, Zen 4 and later */
    CPU_AVX512BF16 = 1 << 3,
    CPU_AMX = 1 << 4,        /* tile, int8, bf16, and the kernel's permission */
    CPU_NEON = 1 << 5,
    CPU_DOTPROD = 1 << 6,
    CPU_I8MM = 1 << 7,
    CPU_BF16 = 1 << 8,       /* Arm BF16 */
};

/* What the CPU has and the OS saves.  Asks for AMX permission once. */
uint32_t cpu_flags(void);

/* One line for each level, weakest first: the name that TUTTI_CPU takes and what it masks down to. */
struct cpu_level {
    const char *name;
    uint32_t need;  /* the machine must have these */
    uint32_t allow; /* and only these may be used */
};
extern const struct cpu_level cpu_levels[];
extern const int cpu_n_levels;

/* The flags that remain under `level` (the value of TUTTI_CPU; NULL or "" is the best level).
 * Unknown or absent: false with err set, naming the levels that this machine has. */
bool cpu_choose(const char *level, uint32_t have, uint32_t *use, const struct cpu_level **chosen, struct err *err);

/* Threads that a compute pool should have: one for each large core that the affinity mask leaves us, no more than the cgroup's CPU
 * quota, at least 1. */
int cpu_default_threads(void);
/* Memory nodes (sockets) of the CPUs that we may use, a bit each; 0: not known.  Above 63 none is looked for. */
uint64_t cpu_memory_nodes(void);
/* The same of a recorded machine; allowed: [HW_CPUS_MAX], NULL for all. */
struct hw_root;
int cpu_threads_of(const struct hw_root *r, const bool *allowed);
uint64_t cpu_memory_nodes_of(const struct hw_root *r, const bool *allowed);
#endif
