/* hw/cpu_kinds.c - which cores are alike, and which of them are fast ones.
 *
 * For:     cpu_info.c.
 * Touches: /sys/devices/cpu_core, cpu_atom (Intel hybrid); else what cpu_topology.c and cpu_cache.c found.
 * Rule:    no single hint is enough: a kind is what shares the core's name (Arm), or the L1 size, the number of
 *          threads and about the same frequency (x86).  A kind is slow when the kernel, its name, its capacity or its
 *          clock says so; when nothing does, all are alike and performance/efficiency stay 0.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hw/cpu_internal.h"

/* A core whose capacity or top clock is below this share of the best one's is an efficiency core.  Seen: Cortex-A715
 * beside X3 0.84 and favoured cores of one kind above 0.9 (fast); A725 beside X925 0.71, E cores 0.75, Zen 5c 0.65 (slow). */
static const double SLOW_SHARE = 0.8;

struct kinds {
    struct hw_core_kind kind[HW_CORE_KINDS_MAX];
    char class_of[HW_CORE_KINDS_MAX];  /* role by name: 'X', 'B', 'S', 0 */
    bool has_l3[HW_CORE_KINDS_MAX];
    char by_kernel[HW_CORE_KINDS_MAX]; /* 'P', 'E', 0 */
    int threads_each[HW_CORE_KINDS_MAX];
    int n;
};

struct marker {
    struct cpu_set *s;
    char type;
};
static void mark_type(void *ctx, int cpu)
{
    const struct marker *k = ctx;
    k->s->cpu[cpu].type = k->type;
}

static bool is_near(int a, int b) { return a == b || (a > 0 && b > 0 && a >= SLOW_SHARE * b && b >= SLOW_SHARE * a); }

static int kind_of(struct kinds *k, const struct cpu_one *c, int threads, struct hw_machine *m)
{
    for (int i = 0; i < k->n; i++) {
        const struct hw_core_kind *x = &k->kind[i];
        if (c->implementer ? x->midr_implementer == c->implementer && x->midr_part == c->part && is_near(x->max_mhz, c->max_mhz) && is_near(x->capacity, c->capacity)
                           : x->l1d_bytes == c->l1d_bytes && k->threads_each[i] == threads && k->by_kernel[i] == c->type && k->has_l3[i] == c->has_l3 && is_near(x->max_mhz, c->max_mhz))
            return i;
    }
    if (k->n == HW_CORE_KINDS_MAX) {
        m->is_cut = true;
        return k->n - 1;
    }
    const int i = k->n++;
    k->kind[i] = (struct hw_core_kind){ .role = ' ', .l1d_bytes = c->l1d_bytes, .l2_bytes = c->l2_bytes, .min_mhz = c->min_mhz, .max_mhz = c->max_mhz,
                                        .capacity = c->capacity, .midr_implementer = c->implementer, .midr_part = c->part, .midr_variant = c->variant, .midr_revision = c->revision };
    k->threads_each[i] = threads;
    k->by_kernel[i] = c->type;
    k->has_l3[i] = c->has_l3;
    const char *name = c->implementer ? cpu_part_name(c->implementer, c->part, &k->class_of[i]) : NULL;
    if (name)
        snprintf(k->kind[i].name, sizeof(k->kind[i].name), "%s", name);
    else if (c->implementer)
        snprintf(k->kind[i].name, sizeof(k->kind[i].name), "implementer 0x%02x part 0x%03x", c->implementer, c->part);
    return i;
}

/* Speed of a kind beside others, by what both have; 1: not known to be slower. */
static double share(const struct hw_core_kind *x, const struct hw_core_kind *best)
{
    if (x->capacity > 0 && best->capacity > 0)
        return (double)x->capacity / best->capacity;
    return x->max_mhz > 0 && best->max_mhz > 0 ? (double)x->max_mhz / best->max_mhz : 1;
}

static void give_roles(struct kinds *k)
{
    bool has_big = false, has_small = false, has_prime = false, has_kernel = false;
    int64_t l1d_most = 0;
    int best = 0, threads_most = 0;
    bool any_l3 = false;
    if (k->n < 2)
        return;
    for (int i = 0; i < k->n; i++) {
        has_small |= k->class_of[i] == 'S';
        has_big |= k->class_of[i] == 'B';
        has_prime |= k->class_of[i] == 'X';
        has_kernel |= k->by_kernel[i] != 0;
        any_l3 |= k->has_l3[i];
        l1d_most = k->kind[i].l1d_bytes > l1d_most ? k->kind[i].l1d_bytes : l1d_most;
        threads_most = k->threads_each[i] > threads_most ? k->threads_each[i] : threads_most;
        if (k->kind[i].capacity > k->kind[best].capacity || (k->kind[i].capacity == k->kind[best].capacity && k->kind[i].max_mhz > k->kind[best].max_mhz))
            best = i;
    }
    bool any_slow = false;
    for (int i = 0; i < k->n; i++) {
        struct hw_core_kind *x = &k->kind[i];
        bool is_slow = share(x, &k->kind[best]) < SLOW_SHARE;
        if (has_kernel)
            is_slow = k->by_kernel[i] == 'E';
        else if (k->class_of[i] && has_small && (has_big || has_prime))
            is_slow = k->class_of[i] == 'S';
        else if (k->class_of[i] && has_prime && has_big && !has_small && k->kind[best].capacity == 0 && k->kind[best].max_mhz == 0)
            is_slow = k->class_of[i] == 'B'; /* nothing but names: the middle ones are the efficient ones */
        else if (!x->midr_implementer && l1d_most > 0)
            is_slow |= x->l1d_bytes < l1d_most && k->threads_each[i] <= threads_most; /* Intel: P cores have the larger L1 */
        x->role = is_slow ? 'E' : 'P';
        if (is_slow && !x->midr_implementer && any_l3 && !k->has_l3[i])
            x->role = 'L'; /* Meteor Lake's two cores without L3 */
        any_slow |= is_slow;
    }
    for (int i = 0; i < k->n && !any_slow; i++)
        k->kind[i].role = ' ';
}

/* Fastest first: by role, then what was said of their speed, then by name ('X' prime before the rest). */
static bool is_before(const struct kinds *k, int i, int j)
{
    const struct hw_core_kind *a = &k->kind[i], *b = &k->kind[j];
    const int x = a->role == 'L' ? 2 : a->role == 'E', y = b->role == 'L' ? 2 : b->role == 'E';
    if (x != y)
        return x < y;
    if (a->capacity != b->capacity || a->max_mhz != b->max_mhz)
        return a->capacity != b->capacity ? a->capacity > b->capacity : a->max_mhz > b->max_mhz;
    return k->class_of[i] == 'X' && k->class_of[j] != 'X';
}

static bool is_of_kind(const struct cpu_set *s, int cpu, const void *kind) { return s->cpu[cpu].is_online && s->cpu[cpu].kind == *(const int *)kind; }

static void name_cpu(struct hw_cpu *c)
{
    char model[HW_TEXT] = "";
    size_t n = 0;
    for (int i = 0; i < c->n_kinds; i++)
        if (n + strlen(c->kinds[i].name) + 4 < sizeof(model))
            n += (size_t)snprintf(model + n, sizeof(model) - n, "%s%s", n ? " + " : "", c->kinds[i].name);
    snprintf(c->model, sizeof(c->model), "%s", model);
    const char *vendor = cpu_implementer_name(c->kinds[0].midr_implementer);
    snprintf(c->vendor_id, sizeof(c->vendor_id), "0x%02x", c->kinds[0].midr_implementer);
    snprintf(c->vendor, sizeof(c->vendor), "%s", vendor ? vendor : c->vendor_id);
    if (!c->microarch[0])
        snprintf(c->microarch, sizeof(c->microarch), "%.60s", model);
}

void cpu_sort_kinds(const struct hw_root *r, struct hw_machine *m, struct cpu_set *s)
{
    struct hw_cpu *c = &m->cpu;
    struct kinds k = { .n = 0 };
    char text[2048];
    static const char *const folders[] = { "cpu_core", "cpu_atom" };
    for (int i = 0; i < 2; i++)
        if (hw_read(r, text, sizeof(text), "sys/devices/%s/cpus", folders[i])) {
            struct marker marker = { s, i == 0 ? 'P' : 'E' };
            cpu_list_parse(text, mark_type, &marker);
        }
    int threads[HW_CPUS_MAX] = { 0 };
    for (int i = 0; i < s->n; i++)
        if (s->cpu[i].is_online)
            threads[s->cpu[i].leader]++;
    for (int i = 0; i < s->n; i++) {
        struct cpu_one *one = &s->cpu[i];
        if (!one->is_online)
            continue;
        const struct cpu_one *leader = &s->cpu[one->leader];
        one->kind = one->leader != i && leader->kind >= 0 ? leader->kind : kind_of(&k, one, threads[one->leader], m);
        struct hw_core_kind *x = &k.kind[one->kind];
        x->threads++;
        x->cores += one->leader == i;
        x->max_mhz = one->max_mhz > x->max_mhz ? one->max_mhz : x->max_mhz;
        x->base_mhz = one->base_mhz > x->base_mhz ? one->base_mhz : x->base_mhz;
        x->capacity = one->capacity > x->capacity ? one->capacity : x->capacity;
    }
    if (k.n == 0)
        return;
    give_roles(&k);
    int place[HW_CORE_KINDS_MAX];
    for (int i = 0; i < k.n; i++)
        place[i] = i;
    for (int i = 1; i < k.n; i++) /* stable, a handful */
        for (int j = i; j > 0 && is_before(&k, place[j], place[j - 1]); j--) {
            const int t = place[j];
            place[j] = place[j - 1], place[j - 1] = t;
        }
    c->n_kinds = k.n;
    for (int i = 0; i < k.n; i++) {
        struct hw_core_kind *x = &c->kinds[i];
        *x = k.kind[place[i]];
        cpu_list_put(x->cpus, sizeof(x->cpus), s, is_of_kind, &place[i]);
        if (!x->name[0])
            snprintf(x->name, sizeof(x->name), "%.47s", x->role == 'P' ? "performance" : x->role == 'E' ? "efficiency" : x->role == 'L' ? "low power" : c->microarch);
        c->cores_performance += x->role == 'P' ? x->cores : 0;
        c->cores_efficiency += x->role == 'E' ? x->cores : 0;
        c->cores_low_power += x->role == 'L' ? x->cores : 0;
    }
    if (c->kinds[0].midr_implementer)
        name_cpu(c);
}
