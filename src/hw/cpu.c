/* hw/cpu.c - see cpu.h; start reading at cpu_flags(). */
#define _DEFAULT_SOURCE /* syscall */
#include "hw/cpu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>


#if defined(__x86_64__)
#include <cpuid.h>

static uint64_t xcr0(void)
{
    uint32_t lo, hi;
    __asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
    return (uint64_t)hi << 32 | lo;
}

static bool amx_permitted(void)
{
    enum { ARCH_REQ_XCOMP_PERM_NR = 0x1023, XFEATURE_XTILEDATA_NR = 18 }; /* Linux asm/prctl.h */
    return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM_NR, XFEATURE_XTILEDATA_NR) == 0;
}

uint32_t cpu_flags(void)
{
    uint32_t a, b, c, d, flags = 0;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE))
        return 0;
    const bool has_fma = c & bit_FMA, has_f16c = c & bit_F16C, has_avx = c & bit_AVX;
    const uint64_t os = xcr0();
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d))
        return 0;
    const uint32_t b7 = b, c7 = c, d7 = d;
    uint32_t a71 = 0;
    if (a >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d))
        a71 = a;
    if ((os & 0x6) == 0x6 && has_avx && has_fma && has_f16c && (b7 & bit_AVX2)) {
        flags |= CPU_AVX2;
        if (a71 & 1u << 4)
            flags |= CPU_AVXVNNI;
    }
    const uint32_t need512 = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31; /* F, DQ, BW, VL */
    if ((flags & CPU_AVX2) && (os & 0xe6) == 0xe6 && (b7 & need512) == need512 && (c7 & 1u << 11)) {
        flags |= CPU_AVX512;
        if (a71 & 1u << 5)
            flags |= CPU_AVX512BF16;
        const uint32_t amx = 1u << 22 | 1u << 24 | 1u << 25; /* bf16, tile, int8 */
        if ((d7 & amx) == amx && (os & 0x60000) == 0x60000 && amx_permitted())
            flags |= CPU_AMX;
    }
    return flags;
}
#elif defined(__aarch64__)
#include <sys/auxv.h>

uint32_t cpu_flags(void)
{
    const unsigned long cap = getauxval(AT_HWCAP), cap2 = getauxval(AT_HWCAP2);
    uint32_t flags = 0;
    if (cap & 1ul << 1) /* HWCAP_ASIMD; numbers of Linux asm/hwcap.h */
        flags |= CPU_NEON;
    if ((flags & CPU_NEON) && (cap & 1ul << 20)) /* HWCAP_ASIMDDP */
        flags |= CPU_DOTPROD;
    if ((flags & CPU_DOTPROD) && (cap2 & 1ul << 13)) /* HWCAP2_I8MM */
        flags |= CPU_I8MM;
    if ((flags & CPU_I8MM) && (cap2 & 1ul << 14)) /* HWCAP2_BF16 */
        flags |= CPU_BF16;
    return flags;
}
#else
uint32_t cpu_flags(void) { return 0; }
#endif

const struct cpu_level cpu_levels[] = {
    { "ref", 0, 0 },
#if defined(__x86_64__)
    { "avx2", CPU_AVX2, CPU_AVX2 },
    { "avxvnni", CPU_AVXVNNI, CPU_AVX2 | CPU_AVXVNNI },
    { "avx512", CPU_AVX512, CPU_AVX2 | CPU_AVXVNNI | CPU_AVX512 | CPU_AVX512BF16 },
    { "amx", CPU_AMX, CPU_AVX2 | CPU_AVXVNNI | CPU_AVX512 | CPU_AVX512BF16 | CPU_AMX },
#elif defined(__aarch64__)
    { "neon", CPU_NEON, CPU_NEON },
    { "dotprod", CPU_DOTPROD, CPU_NEON | CPU_DOTPROD },
    { "i8mm", CPU_I8MM, CPU_NEON | CPU_DOTPROD | CPU_I8MM | CPU_BF16 },
#endif
};
const int cpu_n_levels = sizeof(cpu_levels) / sizeof(cpu_levels[0]);

bool cpu_choose(const char *level, uint32_t have, uint32_t *use, const struct cpu_level **chosen, struct err *err)
{
    char names[128] = "";
    const struct cpu_level *best = NULL;
    for (int i = 0; i < cpu_n_levels; i++) {
        const struct cpu_level *l = &cpu_levels[i];
        if ((l->need & have) != l->need)
            continue;
        snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s", names[0] ? ", " : "", l->name);
        if (!level || !level[0] || strcmp(level, l->name) == 0)
            best = l;
    }
    if (!best)
        return err_set(err, ERR_INPUT, "TUTTI_CPU=%s: this machine has %s", level, names);
    *use = have & best->allow;
    if (chosen)
        *chosen = best;
    return true;
}
