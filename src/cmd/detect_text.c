/* cmd/detect_text.c - `tutti detect` for people: a label on the left, what is known on the right, at most 80 columns.
 *
 * For:     detect.c.
 * Rule:    what is not known is not mentioned, or said to be unknown where people expect it; a figure from a table says so.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "cmd/detect_internal.h"
#include "cmd/out.h"

enum { LABEL = 14, LINE_BYTES_MAX = 4096 };

struct line { /* built piece by piece, pieces joined by ", " */
    char text[LINE_BYTES_MAX];
    size_t n;
};

static void add(struct line *l, const char *fmt, ...) ERR_PRINTF(2, 3);
static void add(struct line *l, const char *fmt, ...)
{
    va_list ap;
    if (l->n > 0 && l->n + 3 < sizeof(l->text))
        memcpy(l->text + l->n, ", ", 3), l->n += 2;
    va_start(ap, fmt);
    const int n = vsnprintf(l->text + l->n, sizeof(l->text) - l->n, fmt, ap);
    va_end(ap);
    l->n += n > 0 ? (size_t)n : 0;
    l->n = l->n < sizeof(l->text) ? l->n : sizeof(l->text) - 1;
}

/* The label, then the text wrapped beside it; words that are longer than the line are cut. */
static void print(FILE *to, const char *label, const struct line *l)
{
    int column = LABEL;
    if (l->n == 0)
        return;
    fprintf(to, "%s%-*s%s", out_style(to, OUT_BOLD), LABEL, label, out_style_end(to));
    for (const char *at = l->text; *at; at += strspn(at, " ")) {
        char word[OUT_WIDTH * 4];
        size_t n = strcspn(at, " ");
        n = n < sizeof(word) ? n : sizeof(word) - 1;
        memcpy(word, at, n);
        word[n] = '\0';
        at += n;
        const int width = out_text_width(word), room = OUT_WIDTH - LABEL;
        if (column > LABEL && column + 1 + width > OUT_WIDTH) {
            fprintf(to, "\n%*s", LABEL, "");
            column = LABEL;
        } else if (column > LABEL) {
            fputc(' ', to);
            column++;
        }
        if (width > room)
            fprintf(to, "%.*s~", room - 1, word); /* a device's name of more than 66 characters */
        else
            fputs(word, to);
        column += width < room ? width : room;
    }
    fputc('\n', to);
}

/* "31.0 GiB", "512 KiB": binary, as memory is counted. */
static const char *size_text(char text[24], int64_t bytes)
{
    static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
    double v = (double)bytes;
    int u = 0;
    while (v >= 1024 && u < 4)
        v /= 1024, u++;
    snprintf(text, 24, v < 10 && v != (double)(int)v ? "%.2f %s" : v < 100 && v != (double)(int)v ? "%.1f %s" : "%.0f %s", v, units[u]);
    return text;
}

static void print_machine(FILE *to, const struct hw_machine *m)
{
    const struct hw_board *b = &m->board;
    struct line l = { .n = 0 };
    char size[24];
    const bool says_vendor = b->vendor[0] && strncmp(b->product, b->vendor, strlen(b->vendor)) == 0; /* "HP", "HP EliteBook 840" */
    if (b->product[0])
        add(&l, "%s%s%s", says_vendor ? "" : b->vendor, says_vendor || !b->vendor[0] ? "" : " ", b->product);
    else if (b->vendor[0])
        add(&l, "%s", b->vendor);
    if (strcmp(b->vendor, "LENOVO") == 0 && b->version[0]) /* who hides the name there */
        add(&l, "%s", b->version);
    if (b->board[0] && !strstr(b->product, b->board))
        add(&l, "board %s", b->board);
    if (b->soc[0])
        add(&l, "%s", b->soc);
    if (b->ram_bytes_by_code > 0)
        add(&l, "%s on board", size_text(size, b->ram_bytes_by_code));
    if (b->form[0] && strcmp(b->form, "vm") != 0)
        add(&l, "%s", b->form);
    if (b->hypervisor[0])
        add(&l, "virtual machine (%s)", strcmp(b->hypervisor, "unknown") == 0 ? "hypervisor not named" : b->hypervisor);
    if (b->bios_version[0])
        add(&l, "firmware %s (%s)", b->bios_version, b->bios_date[0] ? b->bios_date : "no date");
    if (l.n == 0)
        add(&l, "unknown");
    print(to, "machine", &l);
}

static void print_os(FILE *to, const struct hw_machine *m)
{
    const struct hw_os *o = &m->os;
    struct line l = { .n = 0 };
    if (o->name[0])
        add(&l, "%s", o->name);
    if (o->kernel[0])
        add(&l, "kernel %s", o->kernel);
    if (o->container[0])
        add(&l, "in a container (%s)", o->container);
    if (o->l4t[0])
        add(&l, "Jetson Linux %s%s%s", o->l4t, o->jetpack[0] ? ", JetPack " : "", o->jetpack);
    if (o->page_bytes > 4096)
        add(&l, "pages of %" PRId64 " KiB", o->page_bytes >> 10);
    print(to, "os", &l);
}

static void print_cpu(FILE *to, const struct hw_machine *m)
{
    const struct hw_cpu *c = &m->cpu;
    struct line l = { .n = 0 };
    char size[24];
    add(&l, "%s", c->model[0] ? c->model : "unknown");
    if (c->microarch[0] && strcmp(c->microarch, c->model) != 0)
        add(&l, "%s", c->microarch);
    if (c->arch[0])
        add(&l, "%s", c->arch);
    print(to, "cpu", &l);
    l.n = 0;
    if (c->cores_physical > 0)
        add(&l, "%d core%s", c->cores_physical, c->cores_physical > 1 ? "s" : "");
    if (c->cores_performance + c->cores_efficiency + c->cores_low_power > 0) {
        add(&l, "%d performance", c->cores_performance);
        if (c->cores_efficiency > 0)
            add(&l, "%d efficiency", c->cores_efficiency);
        if (c->cores_low_power > 0)
            add(&l, "%d low power", c->cores_low_power);
    }
    if (c->cores_logical > 0)
        add(&l, "%d threads", c->cores_logical);
    if (c->sockets > 1)
        add(&l, "%d sockets", c->sockets);
    if (c->numa_nodes > 1)
        add(&l, "%d NUMA nodes", c->numa_nodes);
    if (c->cpus_present > c->cores_logical)
        add(&l, "%d CPUs are switched off", c->cpus_present - c->cores_logical);
    if (c->cores_usable > 0 && c->cores_usable < c->cores_physical)
        add(&l, "%d usable here (affinity, cgroup)", c->cores_usable);
    print(to, "  cores", &l);
    for (int i = 0; i < c->n_kinds && c->n_kinds > 1; i++) {
        const struct hw_core_kind *k = &c->kinds[i];
        l.n = 0;
        add(&l, "%d x %s", k->cores, k->name);
        if (k->max_mhz > 0)
            add(&l, "%.2f GHz", k->max_mhz / 1000.0);
        if (k->l2_bytes > 0)
            add(&l, "L2 %s", size_text(size, k->l2_bytes));
        add(&l, "CPUs %s", k->cpus);
        print(to, i == 0 ? "  kinds" : "", &l);
    }
    l.n = 0;
    if (c->max_mhz > 0)
        add(&l, "up to %.2f GHz", c->max_mhz / 1000.0);
    if (c->base_mhz > 0)
        add(&l, "base %.2f GHz", c->base_mhz / 1000.0);
    if (c->governor[0])
        add(&l, "governor %s", c->governor);
    if (c->boost == HW_NO)
        add(&l, "boost off");
    print(to, "  clock", &l);
    l.n = 0;
    for (int i = 0; i < c->n_caches; i++) {
        const struct hw_cache *k = &c->caches[i];
        if (k->kind != 'i')
            add(&l, "L%d%s %d x %s", k->level, k->kind == 'd' ? "d" : "", k->count, size_text(size, k->size_bytes));
    }
    print(to, "  caches", &l);
    l.n = 0;
    for (int i = 0; i < c->n_isa; i++) /* names run on without commas; HW_ISA_MAX of them fit */
        l.n += (size_t)snprintf(l.text + l.n, sizeof(l.text) - l.n, "%s%s", i ? " " : "", c->isa[i]);
    _Static_assert(HW_ISA_MAX * sizeof(c->isa[0]) < LINE_BYTES_MAX, "all names in a line");
    print(to, "  usable isa", &l);
}

static void print_memory(FILE *to, const struct hw_machine *m, const struct advise_bandwidth *bw)
{
    const struct hw_memory *y = &m->memory;
    struct line l = { .n = 0 };
    char size[24];
    add(&l, "%s", y->total_bytes > 0 ? size_text(size, y->total_bytes) : "unknown");
    if (y->available_bytes > 0)
        add(&l, "%s available", size_text(size, y->available_bytes));
    if (y->dram_bytes > 0 && y->dram_bytes < y->total_bytes)
        add(&l, "of it %s DRAM", size_text(size, y->dram_bytes));
    if (y->gpu_node_bytes > 0)
        add(&l, "besides %s of GPUs", size_text(size, y->gpu_node_bytes));
    if (y->cgroup_limit_bytes > 0)
        add(&l, "this cgroup may use %s", size_text(size, y->cgroup_limit_bytes));
    if (y->is_unified == HW_YES)
        add(&l, "shared with the GPU");
    print(to, "memory", &l);
    l.n = 0;
    if (y->type[0])
        add(&l, "%s", y->type);
    if (y->mts > 0)
        add(&l, "%d MT/s", y->mts);
    if (y->channels > 0)
        add(&l, "%d channel%s", y->channels, y->channels > 1 ? "s" : "");
    if (y->n_modules > 0)
        add(&l, "%d of %d slots filled", y->n_slots_filled, y->n_modules);
    if (y->ecc == HW_YES)
        add(&l, "ECC");
    print(to, "  modules", &l);
    l.n = 0;
    if (bw->theoretical_bps > 0)
        add(&l, "%.1f GB/s in theory [%s: %s]", bw->theoretical_bps / 1e9, bw->kind, bw->source);
    if (y->measured_bps > 0)
        add(&l, "%.1f GB/s [measured: reads of all threads]", y->measured_bps / 1e9);
    else if (m->is_live)
        add(&l, "not measured (--measure)");
    print(to, "  bandwidth", &l);
    l.n = 0;
    for (int i = 0; i < y->n_swaps; i++)
        add(&l, "%s on %s", size_text(size, y->swaps[i].size_bytes), y->swaps[i].kind);
    if (y->n_swaps == 0 && y->swap_total_bytes > 0)
        add(&l, "%s", size_text(size, y->swap_total_bytes));
    print(to, "  swap", &l);
    l.n = 0;
    if (y->thp[0])
        add(&l, "transparent: %s", y->thp);
    if (y->huge_pages_total > 0)
        add(&l, "%d reserved of %s", y->huge_pages_total, size_text(size, y->huge_page_bytes));
    print(to, "  huge pages", &l);
}

static void print_gpus(FILE *to, const struct hw_machine *m)
{
    char size[24];
    struct line l = { .n = 0 };
    for (int i = 0; i < m->n_gpus; i++) {
        const struct hw_gpu *g = &m->gpus[i];
        l.n = 0;
        add(&l, "%s", g->name[0] ? g->name : g->vendor);
        if (g->vram_bytes > 0)
            add(&l, "%s", size_text(size, g->vram_bytes));
        else if (g->is_unified == HW_YES)
            add(&l, "uses the machine's memory");
        else
            add(&l, "memory unknown");
        if (g->compute_major > 0)
            add(&l, "compute %d.%d", g->compute_major, g->compute_minor);
        if (g->driver[0])
            add(&l, "driver %s%s%s", g->driver, g->driver_version[0] ? " " : "", g->driver_version);
        else if (m->is_live)
            add(&l, "no driver");
        if (g->cuda_version[0])
            add(&l, "CUDA %s", g->cuda_version);
        if (g->power_limit_w > 0)
            add(&l, "limit %.0f W", g->power_limit_w);
        if (g->link_gen > 0 && g->link_width > 0)
            add(&l, "PCIe %d x%d", g->link_gen, g->link_width);
        if (g->link_gen_max > g->link_gen && g->link_gen > 0)
            add(&l, "could PCIe %d", g->link_gen_max);
        if (g->throttled == HW_YES)
            add(&l, "throttled (%s)", g->throttle_reason[0] ? g->throttle_reason : "reason unknown");
        print(to, i == 0 ? "gpu" : "", &l);
    }
    if (m->n_gpus == 0) {
        add(&l, "none seen");
        print(to, "gpu", &l);
    }
}

static void print_devices(FILE *to, const struct hw_machine *m)
{
    char size[24];
    struct line l = { .n = 0 };
    for (int i = 0; i < m->n_accelerators; i++) {
        const struct hw_accelerator *a = &m->accelerators[i];
        l.n = 0;
        add(&l, "%s", a->name[0] ? a->name : a->kind);
        if (a->tops_int8 > 0)
            add(&l, "%.0f TOPS int8 [catalog]", a->tops_int8);
        if (a->link[0])
            add(&l, "%s", a->link);
        if (a->state[0])
            add(&l, "%s", a->state);
        if (a->device[0])
            add(&l, "%s", a->device);
        print(to, i == 0 ? "accelerator" : "", &l);
    }
    for (int i = 0, n = 0; i < m->n_disks; i++) {
        const struct hw_disk *d = &m->disks[i];
        if (strcmp(d->kind, "virtual") == 0 && d->holds_models != HW_YES)
            continue;
        l.n = 0;
        add(&l, "%s: %s", d->name, d->kind[0] ? d->kind : "disk");
        if (d->model[0])
            add(&l, "%s", d->model);
        if (d->size_bytes > 0)
            add(&l, "%s", size_text(size, d->size_bytes));
        if (d->link_gen > 0)
            add(&l, "PCIe %d x%d", d->link_gen, d->link_width);
        if (d->holds_models == HW_YES)
            add(&l, "holds the models");
        print(to, n++ == 0 ? "disk" : "", &l);
    }
    for (int i = 0, n = 0; i < m->n_links; i++) {
        const struct hw_link *k = &m->links[i];
        if (strcmp(k->kind, "virtual") == 0)
            continue;
        l.n = 0;
        add(&l, "%s: %s", k->name, k->kind[0] ? k->kind : "link");
        if (k->speed_bitps > 0)
            add(&l, "%g Gbit/s", (double)k->speed_bitps / 1e9);
        add(&l, "%s", k->is_up == HW_YES ? "up" : k->is_up == HW_NO ? "down" : "state unknown");
        print(to, n++ == 0 ? "network" : "", &l);
    }
    l.n = 0;
    for (int i = 0; i < m->n_thermal && i < 6; i++)
        if (m->thermal[i].has_value == HW_YES)
            add(&l, "%s %.0f C", m->thermal[i].name[0] ? m->thermal[i].name : m->thermal[i].source, m->thermal[i].temperature_c);
    if (m->throttle.thermal == HW_YES)
        add(&l, "has been slowed by heat");
    if (m->throttle.undervoltage == HW_YES)
        add(&l, "has seen too little voltage");
    print(to, "heat", &l);
    l.n = 0;
    for (int i = 0; i < m->n_supplies; i++) {
        const struct hw_supply *s = &m->supplies[i];
        if (strcmp(s->kind, "battery") == 0)
            s->charge_pct < 0 ? add(&l, "battery") : add(&l, "battery %d %%", s->charge_pct);
        else if (s->is_online != HW_UNKNOWN)
            add(&l, "%s %s", s->kind[0] ? s->kind : "supply", s->is_online == HW_YES ? "connected" : "not connected");
    }
    if (m->power_mode[0])
        add(&l, "mode %s", m->power_mode);
    int n_readable = 0, n_locked = 0;
    for (int i = 0; i < m->n_power; i++)
        n_readable += m->power[i].is_readable == HW_YES, n_locked += m->power[i].is_readable == HW_NO;
    if (n_readable > 0)
        add(&l, "%d meter%s", n_readable, n_readable > 1 ? "s" : "");
    if (n_locked > 0)
        add(&l, "%d meter%s for root only", n_locked, n_locked > 1 ? "s" : "");
    print(to, "power", &l);
}

void detect_print(FILE *to, const struct hw_machine *m, const struct advise_bandwidth *bw, const struct fit_summary *runs)
{
    print_machine(to, m);
    print_os(to, m);
    print_cpu(to, m);
    print_memory(to, m, bw);
    print_gpus(to, m);
    print_devices(to, m);
    for (int i = 0; i < m->n_notes; i++) {
        struct line l = { .n = 0 };
        add(&l, "%s", m->notes[i].text);
        print(to, i == 0 ? "note" : "", &l);
    }
    detect_print_runs(to, runs);
}
