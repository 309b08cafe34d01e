/* hw/cpu_internal.h - what the files of CPU detection share: one entry for each logical CPU. */
#ifndef TUTTI_HW_CPU_INTERNAL_H
#define TUTTI_HW_CPU_INTERNAL_H
#include "hw/machine.h"

enum { HW_CPUS_MAX = 4096 };

struct cpu_one {          /* a logical CPU; unknown: -1 for ids, 0 for figures */
    bool is_listed;       /* in /proc/cpuinfo */
    bool is_online;
    int package, core;    /* "physical id", "core id" of cpuinfo, then topology/ */
    int leader;           /* lowest online CPU of its core */
    int cluster;          /* lowest CPU of its cluster */
    int kind;             /* index in the machine's kinds while they are made */
    uint32_t implementer, part, variant, revision;
    int capacity, max_mhz, base_mhz, min_mhz;
    int64_t l1d_bytes, l2_bytes;
    bool has_l3;
    char type;            /* 'P' or 'E' when the kernel says it (cpu_core, cpu_atom); else 0 */
};

struct cpu_set {
    struct cpu_one *cpu;  /* [HW_CPUS_MAX], owned */
    int n;                /* highest id + 1 */
    bool has_clusters;
};

/* Calls fn for each number of "0-3,8"; false when the text is no such list or passes HW_CPUS_MAX. */
bool cpu_list_parse(const char *text, void (*fn)(void *ctx, int cpu), void *ctx);
/* First number of a list, or lowest bit of a mask ("00000000,0000000f"); -1. */
int cpu_list_first(const char *text);
int cpu_mask_first(const char *text);
/* Writes the CPUs for which is_in() as "0-3,8"; cut with "..." when it does not fit. */
void cpu_list_put(char *to, size_t size, const struct cpu_set *s, bool (*is_in)(const struct cpu_set *s, int cpu, const void *ctx), const void *ctx);

void cpu_read_info(const struct hw_root *r, struct hw_machine *m, struct cpu_set *s);     /* cpu_info.c */
void cpu_read_topology(const struct hw_root *r, struct hw_machine *m, struct cpu_set *s); /* cpu_topology.c */
void cpu_read_caches(const struct hw_root *r, struct hw_machine *m, struct cpu_set *s);   /* cpu_cache.c */
void cpu_sort_kinds(const struct hw_root *r, struct hw_machine *m, struct cpu_set *s);    /* cpu_kinds.c */
void cpu_read_limits(const struct hw_root *r, struct hw_machine *m, const struct cpu_set *s); /* cpu_limits.c */

/* Names from tables (cpu_names.c); NULL: not in the table. */
const char *cpu_implementer_name(uint32_t implementer);
/* role: 'X' prime, 'B' big, 'S' small */
const char *cpu_part_name(uint32_t implementer, uint32_t part, char *role);
const char *cpu_x86_microarch(const char *vendor_id, int family, int model, int stepping);
#endif
