/* hw/cpu_info.c - /proc/cpuinfo of x86, Arm, POWER and RISC-V: who made the CPU, what it is called, what it can.
 *
 * For:     machine.c; start reading at hw_detect_cpu().
 * Touches: /proc/cpuinfo; on the live machine cpuid and the AMX permission (hw/cpu.h).
 * Rule:    the flags are those that the kernel lists, so what it does not save (AVX-512 without XSAVE) is not there.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hw/cpu.h"
#include "hw/cpu_internal.h"

enum { CPUINFO_BYTES_MAX = 8 << 20 };

/* The kernel's word, ours, best known by kernels/ and people.  Sources: arch/x86/include/asm/cpufeatures.h, Documentation/arch/arm64/elf_hwcaps. */
static const struct {
    const char *word, *name;
} isa_names[] = {
    { "sse4_2", "sse4_2" }, { "ssse3", "ssse3" }, { "popcnt", "popcnt" }, { "avx", "avx" }, { "f16c", "f16c" }, { "fma", "fma" }, { "bmi2", "bmi2" }, { "avx2", "avx2" },
    { "avx_vnni", "avx_vnni" }, { "avx_vnni_int8", "avx_vnni_int8" }, { "avx_vnni_int16", "avx_vnni_int16" }, { "avx_ne_convert", "avx_ne_convert" }, { "avx_ifma", "avx_ifma" },
    { "avx512f", "avx512f" }, { "avx512bw", "avx512bw" }, { "avx512cd", "avx512cd" }, { "avx512dq", "avx512dq" }, { "avx512vl", "avx512vl" },
    { "avx512_vnni", "avx512_vnni" }, { "avx512_bf16", "avx512_bf16" }, { "avx512_fp16", "avx512_fp16" }, { "avx512vbmi", "avx512vbmi" }, { "avx512_vbmi2", "avx512_vbmi2" },
    { "avx10", "avx10" }, { "amx_tile", "amx_tile" }, { "amx_int8", "amx_int8" }, { "amx_bf16", "amx_bf16" }, { "amx_fp16", "amx_fp16" },
    { "neon", "neon" }, { "asimd", "neon" }, { "asimdhp", "fp16" }, { "asimddp", "dotprod" }, { "i8mm", "i8mm" }, { "bf16", "bf16" }, { "asimdfhm", "fhm" },
    { "sve", "sve" }, { "sve2", "sve2" }, { "svei8mm", "sve_i8mm" }, { "svebf16", "sve_bf16" }, { "sme", "sme" }, { "sme2", "sme2" }, { "atomics", "lse" }, { "vfpv4", "vfpv4" },
    { "altivec supported", "altivec" },
};

static void add_isa(struct hw_cpu *c, const char *name)
{
    for (int i = 0; i < c->n_isa; i++)
        if (strcmp(c->isa[i], name) == 0)
            return;
    if (c->n_isa < HW_ISA_MAX)
        snprintf(c->isa[c->n_isa++], sizeof(c->isa[0]), "%s", name);
}

static bool has_word(const char *text, const char *word)
{
    const size_t n = strlen(word);
    for (const char *at = text; (at = strstr(at, word)); at += n)
        if ((at == text || at[-1] == ' ') && (at[n] == ' ' || at[n] == '\0'))
            return true;
    return false;
}

static void read_flags(struct hw_cpu *c, const char *words)
{
    for (size_t i = 0; i < sizeof(isa_names) / sizeof(isa_names[0]); i++)
        if (has_word(words, isa_names[i].word))
            add_isa(c, isa_names[i].name);
}

/* One "key : value" of the block of CPU `one` (NULL before the first). */
struct seen {
    bool is_x86, is_arm, is_power, is_riscv, is_64, has_flags, has_hypervisor;
    int arm_version;
    char arm_model[HW_TEXT];
};

static void read_line(struct hw_machine *m, struct cpu_one *one, struct seen *seen, const char *key, const char *value)
{
    struct hw_cpu *c = &m->cpu;
    const long v = strtol(value, NULL, 0);
    const int small = v >= 0 && v < 1 << 20 ? (int)v : -1;
    if (strcmp(key, "vendor_id") == 0) {
        hw_copy(c->vendor_id, sizeof(c->vendor_id), value);
        seen->is_x86 = true;
    } else if (strcmp(key, "model name") == 0) {
        hw_copy(seen->arm_model, sizeof(seen->arm_model), value);
    } else if (strcmp(key, "cpu family") == 0) {
        c->family = small;
    } else if (strcmp(key, "model") == 0) {
        c->model_number = small;
    } else if (strcmp(key, "stepping") == 0) {
        c->stepping = small;
    } else if (strcmp(key, "microcode") == 0) {
        hw_copy(c->microcode, sizeof(c->microcode), value);
    } else if (strcmp(key, "physical id") == 0 && one) {
        one->package = small;
    } else if (strcmp(key, "core id") == 0 && one) {
        one->core = small;
    } else if ((strcmp(key, "flags") == 0 || strcmp(key, "Features") == 0) && !seen->has_flags) {
        read_flags(c, value);
        seen->has_flags = true;
        seen->is_64 |= has_word(value, "lm");
        seen->has_hypervisor |= has_word(value, "hypervisor");
    } else if (strcmp(key, "CPU implementer") == 0) {
        seen->is_arm = true;
        if (one)
            one->implementer = (uint32_t)v;
    } else if (strcmp(key, "CPU part") == 0 && one) {
        one->part = (uint32_t)v;
    } else if (strcmp(key, "CPU variant") == 0 && one) {
        one->variant = (uint32_t)v;
    } else if (strcmp(key, "CPU revision") == 0 && one) {
        one->revision = (uint32_t)v;
    } else if (strcmp(key, "CPU architecture") == 0) {
        seen->arm_version = strstr(value, "AArch64") ? 8 : small;
    } else if (strcmp(key, "cpu") == 0 && strncmp(value, "POWER", 5) == 0) {
        seen->is_power = true;
        hw_copy(c->model, sizeof(c->model), value);
        c->model[strcspn(c->model, ",")] = '\0';
        read_flags(c, strstr(value, "altivec supported") ? "altivec supported" : "");
        const long generation = strtol(value + 5, NULL, 10);
        if (generation >= 7)
            add_isa(c, "vsx");
        if (generation >= 10)
            add_isa(c, "mma");
    } else if (strcmp(key, "isa") == 0 && strncmp(value, "rv", 2) == 0) {
        seen->is_riscv = true;
        if (strncmp(value, "rv64", 4) == 0 && memchr(value + 4, 'v', strcspn(value + 4, "_")))
            add_isa(c, "rvv");
    } else if (strcmp(key, "uarch") == 0) {
        hw_copy(c->microarch, sizeof(c->microarch), value);
    }
}

static void name_x86(struct hw_cpu *c)
{
    static const struct {
        const char *id, *name;
    } vendors[] = { { "GenuineIntel", "Intel" }, { "AuthenticAMD", "AMD" }, { "HygonGenuine", "Hygon" }, { "CentaurHauls", "VIA" }, { "  Shanghai  ", "Zhaoxin" } };
    snprintf(c->vendor, sizeof(c->vendor), "%s", c->vendor_id);
    for (size_t i = 0; i < sizeof(vendors) / sizeof(vendors[0]); i++)
        if (strcmp(c->vendor_id, vendors[i].id) == 0)
            snprintf(c->vendor, sizeof(c->vendor), "%s", vendors[i].name);
    const char *arch = cpu_x86_microarch(c->vendor_id, c->family, c->model_number, c->stepping);
    if (arch)
        snprintf(c->microarch, sizeof(c->microarch), "%s", arch);
    const char *at = strstr(c->model, "@ "); /* "... CPU @ 2.10GHz": the base clock */
    const double ghz = at ? strtod(at + 2, NULL) : 0;
    if (at && strstr(at, "GHz") && ghz > 0.1 && ghz < 10)
        c->base_mhz = (int)(ghz * 1000 + 0.5);
}

void cpu_read_info(const struct hw_root *r, struct hw_machine *m, struct cpu_set *s)
{
    struct hw_cpu *c = &m->cpu;
    struct seen seen = { 0 };
    struct cpu_one *one = NULL;
    char *text = hw_read_all(r, CPUINFO_BYTES_MAX, NULL, "proc/cpuinfo");
    for (char *line = text, *end; line && *line; line = end) {
        end = strchr(line, '\n');
        if (end)
            *end++ = '\0';
        char *colon = strchr(line, ':');
        if (!colon)
            continue;
        char key[32], value[2048];
        *colon = '\0';
        hw_copy(key, sizeof(key), line);
        hw_copy(value, sizeof(value), colon + 1);
        if (strcmp(key, "processor") == 0 && value[0] >= '0' && value[0] <= '9') {
            const long id = strtol(value, NULL, 10);
            one = id < HW_CPUS_MAX ? &s->cpu[id] : NULL;
            if (!one) {
                m->is_cut = true;
                continue;
            }
            one->is_listed = true;
            s->n = (int)id >= s->n ? (int)id + 1 : s->n;
        } else if (key[0] && value[0]) {
            read_line(m, one, &seen, key, value);
        }
    }
    free(text);
    char version[256] = "";
    if (!c->arch[0])
        hw_read(r, version, sizeof(version), "proc/version");
    const char *arch = seen.is_x86 ? (seen.is_64 || !seen.has_flags ? "x86_64" : "i686")
                       : seen.is_arm ? (seen.arm_version >= 8 && !(strstr(seen.arm_model, "v7l") && !hw_machine_has_isa(m, "neon")) ? "aarch64" : "armv7l")
                       : seen.is_power ? (strstr(version, "ppc64le") || !version[0] ? "ppc64le" : "ppc64")
                       : seen.is_riscv ? "riscv64" : "";
    if (!c->arch[0])
        snprintf(c->arch, sizeof(c->arch), "%s", arch);
    if (seen.is_x86) {
        hw_copy(c->model, sizeof(c->model), seen.arm_model);
        name_x86(c);
    } else if (seen.is_power) {
        snprintf(c->vendor, sizeof(c->vendor), "IBM");
        snprintf(c->microarch, sizeof(c->microarch), "%.60s", c->model);
    }
    if (!seen.is_x86)
        c->family = c->model_number = c->stepping = -1;
    if (seen.has_hypervisor && !m->board.hypervisor[0])
        snprintf(m->board.hypervisor, sizeof(m->board.hypervisor), "unknown");
    if (m->board.hypervisor[0])
        snprintf(m->board.form, sizeof(m->board.form), "vm");
}

/* What the kernel permits us on this machine: AMX needs to be asked for. */
static void ask_for_amx(struct hw_machine *m)
{
    struct hw_cpu *c = &m->cpu;
    if (!m->is_live || !hw_machine_has_isa(m, "amx_tile"))
        return;
    c->amx_permitted = cpu_flags() & CPU_AMX ? HW_YES : HW_NO;
    if (c->amx_permitted == HW_YES)
        return;
    int n = 0;
    for (int i = 0; i < c->n_isa; i++)
        if (strncmp(c->isa[i], "amx_", 4) != 0)
            memmove(c->isa[n++], c->isa[i], sizeof(c->isa[i]));
    c->n_isa = n;
    hw_note(m, "AMX is there but the kernel does not permit it to this process");
}

bool hw_detect_cpu(const struct hw_root *r, struct hw_machine *m)
{
    struct cpu_set s = { .cpu = calloc(HW_CPUS_MAX, sizeof(*s.cpu)) };
    if (!s.cpu)
        return false;
    for (int i = 0; i < HW_CPUS_MAX; i++)
        s.cpu[i].package = s.cpu[i].core = s.cpu[i].leader = s.cpu[i].cluster = s.cpu[i].kind = -1;
    cpu_read_info(r, m, &s);
    ask_for_amx(m);
    cpu_read_topology(r, m, &s);
    cpu_read_caches(r, m, &s);
    cpu_sort_kinds(r, m, &s);
    cpu_read_limits(r, m, &s);
    free(s.cpu);
    return m->cpu.cores_logical > 0;
}
