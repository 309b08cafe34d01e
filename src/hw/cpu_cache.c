/* hw/cpu_cache.c - the caches: how many there are of each size, and who shares them.
 *
 * For:     cpu_info.c.
 * Touches: /sys/devices/system/cpu/cpuN/cache; for one core of each (its SMT siblings share all of its caches).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hw/cpu_internal.h"

enum { INDEX_MAX = 8, SEEN_MAX = 16384 };

struct seen { /* one cache */
    int level, first;
    char kind;
};

static int64_t size_of(const char *text)
{
    char *end;
    const long long v = strtoll(text, &end, 10);
    const int shift = *end == 'K' ? 10 : *end == 'M' ? 20 : *end == 'G' ? 30 : 0;
    return v > 0 && v < 1ll << 32 ? v << shift : 0;
}

static void count_online(void *ctx, int cpu)
{
    struct {
        const struct cpu_set *s;
        int n, first;
    } *c = ctx;
    if (c->s->cpu[cpu].is_online) {
        c->n++;
        c->first = c->first < 0 || cpu < c->first ? cpu : c->first;
    }
}

static struct hw_cache *place_of(struct hw_machine *m, const struct hw_cache *c)
{
    struct hw_cpu *cpu = &m->cpu;
    for (int i = 0; i < cpu->n_caches; i++)
        if (cpu->caches[i].level == c->level && cpu->caches[i].kind == c->kind && cpu->caches[i].size_bytes == c->size_bytes)
            return &cpu->caches[i];
    struct hw_cache *place = HW_ADD(m, cpu->caches, cpu->n_caches);
    if (place)
        *place = *c;
    return place;
}

static bool read_index(const struct hw_root *r, struct hw_machine *m, struct cpu_set *s, int cpu, int index, struct seen *seen, int *n_seen)
{
    char type[24], size[24], shared[2048];
    int64_t level, v;
    struct {
        const struct cpu_set *s;
        int n, first;
    } count = { s, 0, -1 };
    if (!hw_read_i64(r, &level, "sys/devices/system/cpu/cpu%d/cache/index%d/level", cpu, index) || level < 1 || level > 9)
        return false;
    hw_read(r, type, sizeof(type), "sys/devices/system/cpu/cpu%d/cache/index%d/type", cpu, index);
    hw_read(r, size, sizeof(size), "sys/devices/system/cpu/cpu%d/cache/index%d/size", cpu, index);
    struct hw_cache c = { .level = (int)level, .kind = type[0] == 'D' ? 'd' : type[0] == 'I' ? 'i' : 'u', .size_bytes = size_of(size) };
    if (c.level == 1 && c.kind == 'd')
        s->cpu[cpu].l1d_bytes = c.size_bytes;
    if (c.level == 2)
        s->cpu[cpu].l2_bytes = c.size_bytes;
    if (c.level == 3)
        s->cpu[cpu].has_l3 = true;
    if (c.size_bytes == 0)
        return true;
    if (hw_read(r, shared, sizeof(shared), "sys/devices/system/cpu/cpu%d/cache/index%d/shared_cpu_list", cpu, index)) {
        if (!cpu_list_parse(shared, count_online, &count))
            count.n = 0, count.first = -1;
    } else if (hw_read(r, shared, sizeof(shared), "sys/devices/system/cpu/cpu%d/cache/index%d/shared_cpu_map", cpu, index)) {
        count.first = cpu_mask_first(shared);
    }
    const int first = count.first >= 0 ? count.first : cpu;
    for (int i = 0; i < *n_seen; i++)
        if (seen[i].level == c.level && seen[i].kind == c.kind && seen[i].first == first)
            return true;
    if (*n_seen < SEEN_MAX)
        seen[(*n_seen)++] = (struct seen){ c.level, first, c.kind };
    c.shared_by = count.n;
    struct hw_cache *place = place_of(m, &c);
    if (!place)
        return true;
    if (place->count++ == 0) {
        if (hw_read_i64(r, &v, "sys/devices/system/cpu/cpu%d/cache/index%d/coherency_line_size", cpu, index) && v > 0 && v <= 4096)
            place->line_bytes = (int)v;
        if (hw_read_i64(r, &v, "sys/devices/system/cpu/cpu%d/cache/index%d/ways_of_associativity", cpu, index) && v > 0 && v <= 4096)
            place->ways = (int)v;
    }
    return true;
}

static int compare(const void *a, const void *b)
{
    const struct hw_cache *x = a, *y = b;
    return x->level != y->level ? x->level - y->level : x->kind != y->kind ? x->kind - y->kind : x->size_bytes > y->size_bytes ? -1 : x->size_bytes < y->size_bytes;
}

void cpu_read_caches(const struct hw_root *r, struct hw_machine *m, struct cpu_set *s)
{
    struct seen *seen = malloc(SEEN_MAX * sizeof(*seen));
    int n_seen = 0;
    for (int cpu = 0; seen && cpu < s->n; cpu++)
        if (s->cpu[cpu].is_online && s->cpu[cpu].leader == cpu)
            for (int i = 0; i < INDEX_MAX; i++) {
                if (!read_index(r, m, s, cpu, i, seen, &n_seen) && i > 0)
                    break;
            }
    free(seen);
    if (m->cpu.n_caches > 1)
        qsort(m->cpu.caches, (size_t)m->cpu.n_caches, sizeof(m->cpu.caches[0]), compare);
}
