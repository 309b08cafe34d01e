/* hw/cpu_topology.c - sockets, cores, threads, clusters: which logical CPUs are one core.
 *
 * For:     cpu_info.c.
 * Touches: /sys/devices/system/cpu; what /proc/cpuinfo said where /sys is not there.
 * Rule:    logical counts online CPUs, physical the cores with an online thread.  On boards with a device tree
 *          "physical packages" are clusters, not sockets: those machines have one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hw/cpu_internal.h"

bool cpu_list_parse(const char *text, void (*fn)(void *ctx, int cpu), void *ctx)
{
    for (const char *at = text + strspn(text, " \t\n"); *at; at += strspn(at, ", \t\n")) {
        char *end;
        if (*at < '0' || *at > '9')
            return false;
        const long from = strtol(at, &end, 10);
        long to = from;
        if (*end == '-') {
            at = end + 1;
            if (*at < '0' || *at > '9')
                return false;
            to = strtol(at, &end, 10);
        }
        if (from < 0 || to < from || to >= HW_CPUS_MAX)
            return false;
        for (long i = from; i <= to; i++)
            fn(ctx, (int)i);
        if (*end && !strchr(", \t\n", *end))
            return false;
        at = end;
    }
    return true;
}

int cpu_list_first(const char *text)
{
    char *end;
    const long v = *text >= '0' && *text <= '9' ? strtol(text, &end, 10) : -1;
    return v >= 0 && v < HW_CPUS_MAX ? (int)v : -1;
}

int cpu_mask_first(const char *text)
{
    int first = -1, bit = 0;
    for (const char *at = text + strlen(text); at > text; at--) { /* words of 32 bits, most significant first, commas between */
        const char c = at[-1];
        const int v = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
        if (c == ',')
            continue;
        if (v < 0)
            return -1;
        for (int k = 0; k < 4; k++)
            if (v >> k & 1)
                return bit + k < HW_CPUS_MAX ? bit + k : -1;
        bit += 4;
    }
    return first;
}

void cpu_list_put(char *to, size_t size, const struct cpu_set *s, bool (*is_in)(const struct cpu_set *s, int cpu, const void *ctx), const void *ctx)
{
    size_t n = 0;
    to[0] = '\0';
    for (int i = 0; i < s->n;) {
        if (!is_in(s, i, ctx)) {
            i++;
            continue;
        }
        int last = i;
        while (last + 1 < s->n && is_in(s, last + 1, ctx))
            last++;
        char part[32];
        const int len = last > i ? snprintf(part, sizeof(part), "%s%d-%d", n ? "," : "", i, last) : snprintf(part, sizeof(part), "%s%d", n ? "," : "", i);
        if (n + (size_t)len + 5 > size) {
            snprintf(to + n, size - n, ",...");
            return;
        }
        memcpy(to + n, part, (size_t)len + 1);
        n += (size_t)len;
        i = last + 1;
    }
}

static void mark_online(void *ctx, int cpu)
{
    struct cpu_set *s = ctx;
    s->cpu[cpu].is_online = true;
    s->n = cpu >= s->n ? cpu + 1 : s->n;
}
static void count_one(void *ctx, int cpu) { (void)cpu, ++*(int *)ctx; }

/* First CPU of a list file, or of the mask file beside it that older kernels have. */
static int read_first(const struct hw_root *r, int cpu, const char *list, const char *mask)
{
    char text[2048];
    if (list && hw_read(r, text, sizeof(text), "sys/devices/system/cpu/cpu%d/topology/%s", cpu, list) && cpu_list_first(text) >= 0)
        return cpu_list_first(text);
    if (mask && hw_read(r, text, sizeof(text), "sys/devices/system/cpu/cpu%d/topology/%s", cpu, mask))
        return cpu_mask_first(text);
    return -1;
}

static int read_int(const struct hw_root *r, int cpu, const char *name)
{
    int64_t v;
    return hw_read_i64(r, &v, "sys/devices/system/cpu/cpu%d/%s", cpu, name) && v >= 0 && v <= INT32_MAX ? (int)v : -1;
}

static void read_one(const struct hw_root *r, struct cpu_set *s, int cpu)
{
    struct cpu_one *c = &s->cpu[cpu];
    c->leader = read_first(r, cpu, "thread_siblings_list", "thread_siblings");
    if (c->leader < 0)
        c->leader = read_first(r, cpu, "core_cpus_list", "core_cpus");
    if (c->leader >= 0 && c->leader < cpu && s->cpu[c->leader].is_online && s->cpu[c->leader].leader == c->leader) {
        const struct cpu_one *first = &s->cpu[c->leader]; /* threads of one core have the rest in common */
        const bool is_listed = c->is_listed;
        *c = *first;
        c->is_listed = is_listed;
        return;
    }
    const int package = read_int(r, cpu, "topology/physical_package_id"), core = read_int(r, cpu, "topology/core_id");
    if (package >= 0)
        c->package = package;
    if (core >= 0)
        c->core = core;
    const int cluster_id = read_int(r, cpu, "topology/cluster_id");
    c->cluster = cluster_id >= 0 && cluster_id != 65535 ? read_first(r, cpu, "cluster_cpus_list", "cluster_cpus") : -1;
    s->has_clusters |= c->cluster >= 0;
    const int capacity = read_int(r, cpu, "cpu_capacity");
    c->capacity = capacity > 0 ? capacity : 0;
    const int max = read_int(r, cpu, "cpufreq/cpuinfo_max_freq"), min = read_int(r, cpu, "cpufreq/cpuinfo_min_freq"), base = read_int(r, cpu, "cpufreq/base_frequency");
    c->max_mhz = max > 0 ? (max + 500) / 1000 : 0; /* kHz */
    c->min_mhz = min > 0 ? (min + 500) / 1000 : 0;
    c->base_mhz = base > 0 ? (base + 500) / 1000 : 0;
    int64_t midr;
    if (!c->implementer && hw_read_i64(r, &midr, "sys/devices/system/cpu/cpu%d/regs/identification/midr_el1", cpu)) {
        c->implementer = (uint32_t)(midr >> 24 & 0xff), c->part = (uint32_t)(midr >> 4 & 0xfff); /* Arm ARM, MIDR_EL1 */
        c->variant = (uint32_t)(midr >> 20 & 0xf), c->revision = (uint32_t)(midr & 0xf);
    }
}

/* Boards of old kernels keep cpufreq in policy folders only: cpufreq/policyN/{related_cpus,cpuinfo_max_freq}. */
struct policy {
    struct cpu_set *s;
    int max_mhz, min_mhz, base_mhz;
};
static void take_policy(void *ctx, int cpu)
{
    const struct policy *p = ctx;
    struct cpu_one *c = &p->s->cpu[cpu];
    c->max_mhz = c->max_mhz ? c->max_mhz : p->max_mhz;
    c->min_mhz = c->min_mhz ? c->min_mhz : p->min_mhz;
    c->base_mhz = c->base_mhz ? c->base_mhz : p->base_mhz;
}
static void read_policies(const struct hw_root *r, struct cpu_set *s)
{
    struct hw_names names;
    hw_list(r, &names, "sys/devices/system/cpu/cpufreq");
    for (int i = 0; i < names.n; i++) {
        char cpus[2048];
        int64_t max = 0, min = 0, base = 0;
        if (strncmp(names.name[i], "policy", 6) != 0 || !hw_read(r, cpus, sizeof(cpus), "sys/devices/system/cpu/cpufreq/%s/related_cpus", names.name[i]))
            continue;
        hw_read_i64(r, &max, "sys/devices/system/cpu/cpufreq/%s/cpuinfo_max_freq", names.name[i]);
        hw_read_i64(r, &min, "sys/devices/system/cpu/cpufreq/%s/cpuinfo_min_freq", names.name[i]);
        hw_read_i64(r, &base, "sys/devices/system/cpu/cpufreq/%s/base_frequency", names.name[i]);
        struct policy p = { s, max > 0 && max < INT32_MAX ? (int)((max + 500) / 1000) : 0, min > 0 && min < INT32_MAX ? (int)((min + 500) / 1000) : 0,
                            base > 0 && base < INT32_MAX ? (int)((base + 500) / 1000) : 0 };
        cpu_list_parse(cpus, take_policy, &p);
    }
    hw_names_free(&names);
}

static void find_online(const struct hw_root *r, struct cpu_set *s)
{
    char text[4096];
    if (hw_read(r, text, sizeof(text), "sys/devices/system/cpu/online") && cpu_list_parse(text, mark_online, s) && text[0])
        return;
    for (int i = 0; i < HW_CPUS_MAX; i++) /* /proc/cpuinfo lists online CPUs only, on all but a few */
        s->cpu[i].is_online = i < s->n && s->cpu[i].is_listed;
}

/* CPUs that cpuinfo alone knows: the lowest with the same physical id and core id leads. */
static void find_leaders(struct cpu_set *s)
{
    for (int i = 0; i < s->n; i++) {
        struct cpu_one *c = &s->cpu[i];
        if (!c->is_online || (c->leader >= 0 && s->cpu[c->leader].is_online))
            continue;
        const bool was_known = c->leader >= 0; /* its leader is offline: the lowest online one of the same core leads */
        const int known = c->leader;
        c->leader = i;
        for (int k = 0; k < i && c->core >= 0 && c->package >= 0; k++) {
            const struct cpu_one *d = &s->cpu[k];
            if (d->is_online && d->package == c->package && d->core == c->core && (!was_known || d->leader == known || d->leader == k)) {
                c->leader = d->leader;
                break;
            }
        }
    }
}

static int count_distinct(const struct cpu_set *s, int (*key)(const struct cpu_one *))
{
    bool seen[HW_CPUS_MAX] = { false };
    int n = 0;
    for (int i = 0; i < s->n; i++) {
        const int k = s->cpu[i].is_online ? key(&s->cpu[i]) : -1;
        if (k >= 0 && k < HW_CPUS_MAX && !seen[k])
            seen[k] = true, n++;
        else if (k >= HW_CPUS_MAX) { /* package ids of ACPI Arm servers may be any number */
            bool is_new = true;
            for (int j = 0; j < i && is_new; j++)
                is_new = !(s->cpu[j].is_online && key(&s->cpu[j]) == k);
            n += is_new;
        }
    }
    return n;
}
static int key_leader(const struct cpu_one *c) { return c->leader; }
static int key_cluster(const struct cpu_one *c) { return c->cluster; }
static int key_package(const struct cpu_one *c) { return c->package; }

static bool is_arm(const struct hw_cpu *c) { return strncmp(c->arch, "aarch64", 7) == 0 || strncmp(c->arch, "arm", 3) == 0; }

void cpu_read_topology(const struct hw_root *r, struct hw_machine *m, struct cpu_set *s)
{
    struct hw_cpu *c = &m->cpu;
    char text[4096];
    find_online(r, s);
    for (int i = 0; i < s->n; i++)
        if (s->cpu[i].is_online)
            read_one(r, s, i);
    bool any_without = false; /* a frequency */
    for (int i = 0; i < s->n; i++)
        any_without |= s->cpu[i].is_online && !s->cpu[i].max_mhz;
    if (any_without)
        read_policies(r, s);
    find_leaders(s);
    int per_core[HW_CPUS_MAX] = { 0 };
    for (int i = 0; i < s->n; i++) {
        if (!s->cpu[i].is_online)
            continue;
        c->cores_logical++;
        const int n = ++per_core[s->cpu[i].leader];
        c->threads_per_core = n > c->threads_per_core ? n : c->threads_per_core;
        c->max_mhz = s->cpu[i].max_mhz > c->max_mhz ? s->cpu[i].max_mhz : c->max_mhz;
        if (s->cpu[i].base_mhz > 0 && s->cpu[i].base_mhz > c->base_mhz)
            c->base_mhz = s->cpu[i].base_mhz;
        if (s->cpu[i].min_mhz > 0 && (c->min_mhz == 0 || s->cpu[i].min_mhz < c->min_mhz))
            c->min_mhz = s->cpu[i].min_mhz;
    }
    if (c->cores_logical == 0)
        return;
    c->cores_physical = count_distinct(s, key_leader);
    const int packages = count_distinct(s, key_package);
    const bool has_firmware_tables = m->board.bios_vendor[0] || m->board.vendor[0];
    c->sockets = packages == 0 || (is_arm(c) && (!has_firmware_tables || m->board.compatible[0])) ? 1 : packages;
    c->clusters = s->has_clusters ? count_distinct(s, key_cluster) : is_arm(c) && packages > 1 && c->sockets == 1 ? packages : 0;
    c->cpus_present = c->cores_logical;
    int present = 0;
    if (hw_read(r, text, sizeof(text), "sys/devices/system/cpu/present") && cpu_list_parse(text, count_one, &present) && present >= c->cores_logical)
        c->cpus_present = present;
    char smt[24] = "";
    hw_read(r, smt, sizeof(smt), "sys/devices/system/cpu/smt/control");
    c->smt = c->threads_per_core > 1 ? HW_YES : smt[0] || c->cores_physical > 0 ? HW_NO : HW_UNKNOWN;
    c->smt_possible = c->threads_per_core > 1 || strcmp(smt, "off") == 0 || strcmp(smt, "on") == 0;
    hw_read(r, c->governor, sizeof(c->governor), "sys/devices/system/cpu/cpufreq/policy0/scaling_governor");
    if (!c->governor[0])
        hw_read(r, c->governor, sizeof(c->governor), "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
    hw_read(r, c->scaling_driver, sizeof(c->scaling_driver), "sys/devices/system/cpu/cpu0/cpufreq/scaling_driver");
    hw_read(r, c->energy_preference, sizeof(c->energy_preference), "sys/devices/system/cpu/cpu0/cpufreq/energy_performance_preference");
    hw_read(r, c->isolated, sizeof(c->isolated), "sys/devices/system/cpu/isolated");
    int64_t v;
    if (hw_read_i64(r, &v, "sys/devices/system/cpu/cpufreq/boost"))
        c->boost = v ? HW_YES : HW_NO;
    else if (hw_read_i64(r, &v, "sys/devices/system/cpu/intel_pstate/no_turbo"))
        c->boost = v ? HW_NO : HW_YES;
}
