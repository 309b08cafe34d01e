/* cmd/detect_json.c - `tutti detect --json`: everything that is known, null for what is not.
 *
 * For:     detect.c.  Shape: docs/json.md.
 * Rule:    keys never vanish; a figure that is 0 for "unknown" in hw/machine.h is null here.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/js.h"
#include "cmd/detect_internal.h"

static void put_null(struct js *j) { buf_puts(j->b, "null"); }
static void text(struct js *j, const char *name, const char *s)
{
    js_key(j, name);
    if (s[0])
        buf_put_json_text(j->b, s);
    else
        put_null(j);
}
static void count(struct js *j, const char *name, int64_t v) { js_key(j, name), buf_printf(j->b, "%" PRId64, v); } /* 0 is 0 */
static void amount(struct js *j, const char *name, int64_t v) /* 0 or less is unknown */
{
    js_key(j, name);
    if (v > 0)
        buf_printf(j->b, "%" PRId64, v);
    else
        put_null(j);
}
static void at_least_0(struct js *j, const char *name, int64_t v) /* less is unknown */
{
    js_key(j, name);
    if (v >= 0)
        buf_printf(j->b, "%" PRId64, v);
    else
        put_null(j);
}
static void real(struct js *j, const char *name, double v) /* 0 is unknown */
{
    js_key(j, name);
    if (isfinite(v) && v != 0)
        buf_printf(j->b, "%.6g", v);
    else
        put_null(j);
}
static void yesno(struct js *j, const char *name, enum hw_yesno v) { js_key(j, name), buf_puts(j->b, v == HW_UNKNOWN ? "null" : v == HW_YES ? "true" : "false"); }
static void truth(struct js *j, const char *name, bool v) { js_key(j, name), buf_puts(j->b, v ? "true" : "false"); }
static void id(struct js *j, const char *name, uint32_t v)
{
    js_key(j, name);
    if (v)
        buf_printf(j->b, "\"%04x\"", v);
    else
        put_null(j);
}

static void put_os(struct js *j, const struct hw_os *o)
{
    js_open(j, "os", '{');
    text(j, "name", o->name), text(j, "id", o->id), text(j, "version", o->version), text(j, "kernel", o->kernel), text(j, "container", o->container);
    text(j, "l4t", o->l4t), text(j, "jetpack", o->jetpack), text(j, "cmdline", o->cmdline);
    amount(j, "page_bytes", o->page_bytes), yesno(j, "is_root", o->is_root);
    js_shut(j, '}');
}

static void put_board(struct js *j, const struct hw_board *b)
{
    js_open(j, "board", '{');
    text(j, "vendor", b->vendor), text(j, "product", b->product), text(j, "version", b->version), text(j, "board_vendor", b->board_vendor), text(j, "board", b->board);
    text(j, "bios_vendor", b->bios_vendor), text(j, "bios_version", b->bios_version), text(j, "bios_date", b->bios_date);
    text(j, "form", b->form), text(j, "hypervisor", b->hypervisor), text(j, "soc", b->soc), text(j, "family", b->family), text(j, "compatible", b->compatible);
    id(j, "pi_revision", b->pi_revision), amount(j, "ram_bytes_by_code", b->ram_bytes_by_code);
    js_shut(j, '}');
}

static void put_cpu(struct js *j, const struct hw_cpu *c)
{
    js_open(j, "cpu", '{');
    text(j, "vendor", c->vendor), text(j, "vendor_id", c->vendor_id), text(j, "model", c->model), text(j, "microarch", c->microarch), text(j, "arch", c->arch);
    at_least_0(j, "family", c->family), at_least_0(j, "model_number", c->model_number), at_least_0(j, "stepping", c->stepping), text(j, "microcode", c->microcode);
    amount(j, "sockets", c->sockets), amount(j, "clusters", c->clusters), amount(j, "numa_nodes", c->numa_nodes);
    amount(j, "cores_physical", c->cores_physical), amount(j, "cores_logical", c->cores_logical);
    const bool is_mixed = c->cores_performance + c->cores_efficiency + c->cores_low_power > 0;
    at_least_0(j, "cores_performance", is_mixed ? c->cores_performance : -1), at_least_0(j, "cores_efficiency", is_mixed ? c->cores_efficiency : -1);
    at_least_0(j, "cores_low_power", is_mixed ? c->cores_low_power : -1);
    amount(j, "cpus_present", c->cpus_present), amount(j, "threads_per_core", c->threads_per_core), yesno(j, "smt", c->smt);
    truth(j, "smt_possible", c->smt_possible);
    amount(j, "cores_usable", c->cores_usable), amount(j, "cpus_allowed", c->cpus_allowed), real(j, "cgroup_cpus", c->cgroup_cpus), text(j, "isolated", c->isolated);
    amount(j, "max_mhz", c->max_mhz), amount(j, "base_mhz", c->base_mhz), amount(j, "min_mhz", c->min_mhz);
    text(j, "governor", c->governor), text(j, "scaling_driver", c->scaling_driver), text(j, "energy_preference", c->energy_preference), yesno(j, "boost", c->boost);
    yesno(j, "amx_permitted", c->amx_permitted);
    js_open(j, "isa", '[');
    for (int i = 0; i < c->n_isa; i++)
        text(j, NULL, c->isa[i]);
    js_shut(j, ']');
    js_open(j, "kinds", '[');
    for (int i = 0; i < c->n_kinds; i++) {
        const struct hw_core_kind *k = &c->kinds[i];
        js_open(j, NULL, '{');
        text(j, "name", k->name), text(j, "role", k->role == 'P' ? "performance" : k->role == 'E' ? "efficiency" : k->role == 'L' ? "low power" : "");
        amount(j, "cores", k->cores), amount(j, "threads", k->threads), amount(j, "max_mhz", k->max_mhz), amount(j, "base_mhz", k->base_mhz);
        amount(j, "capacity", k->capacity), amount(j, "l1d_bytes", k->l1d_bytes), amount(j, "l2_bytes", k->l2_bytes), text(j, "cpus", k->cpus);
        js_shut(j, '}');
    }
    js_shut(j, ']');
    js_open(j, "caches", '[');
    for (int i = 0; i < c->n_caches; i++) {
        const struct hw_cache *k = &c->caches[i];
        js_open(j, NULL, '{');
        count(j, "level", k->level), text(j, "kind", k->kind == 'd' ? "data" : k->kind == 'i' ? "instruction" : "unified"), amount(j, "size_bytes", k->size_bytes);
        amount(j, "count", k->count), amount(j, "shared_by", k->shared_by), amount(j, "line_bytes", k->line_bytes), amount(j, "ways", k->ways);
        js_shut(j, '}');
    }
    js_shut(j, ']');
    js_shut(j, '}');
}

static const char *const node_kinds[HW_MEMORY_KINDS] = { "ram", "pmem", "gpu", "cxl" };

static void put_bandwidth(struct js *j, const struct hw_memory *m, const struct advise_bandwidth *bw)
{
    js_open(j, "bandwidth", '{');
    real(j, "theoretical_bps", bw->theoretical_bps), text(j, "theoretical_kind", bw->kind), text(j, "theoretical_source", bw->source);
    real(j, "ram_bps", bw->ram_bps), real(j, "fabric_bps", bw->fabric_bps), real(j, "measured_bps", m->measured_bps);
    js_shut(j, '}');
}

static void put_memory(struct js *j, const struct hw_memory *m, const struct advise_bandwidth *bw)
{
    js_open(j, "memory", '{');
    amount(j, "total_bytes", m->total_bytes), amount(j, "available_bytes", m->available_bytes), amount(j, "dram_bytes", m->dram_bytes);
    count(j, "pmem_bytes", m->pmem_bytes), count(j, "gpu_node_bytes", m->gpu_node_bytes), count(j, "cxl_bytes", m->cxl_bytes);
    amount(j, "cgroup_limit_bytes", m->cgroup_limit_bytes), yesno(j, "is_unified", m->is_unified);
    text(j, "type", m->type), text(j, "type_source", m->type_source), amount(j, "mts", m->mts), amount(j, "channels", m->channels), amount(j, "channel_bits", m->channel_bits);
    amount(j, "channels_possible", m->channels_possible), yesno(j, "ecc", m->ecc), amount(j, "slots", m->n_modules), amount(j, "slots_filled", m->n_slots_filled);
    put_bandwidth(j, m, bw);
    js_open(j, "modules", '[');
    for (int i = 0; i < m->n_modules; i++) {
        const struct hw_module *d = &m->modules[i];
        js_open(j, NULL, '{');
        text(j, "locator", d->locator), text(j, "bank", d->bank), count(j, "size_bytes", d->size_bytes), text(j, "type", d->type), text(j, "maker", d->maker), text(j, "part", d->part);
        amount(j, "mts", d->mts), amount(j, "mts_rated", d->mts_rated), amount(j, "rank", d->rank), amount(j, "width_bits", d->width_bits);
        js_shut(j, '}');
    }
    js_shut(j, ']');
    js_open(j, "nodes", '[');
    for (int i = 0; i < m->n_nodes; i++) {
        const struct hw_node *n = &m->nodes[i];
        js_open(j, NULL, '{');
        count(j, "id", n->id), text(j, "kind", node_kinds[n->kind]), count(j, "total_bytes", n->total_bytes), count(j, "free_bytes", n->free_bytes);
        amount(j, "side_cache_bytes", n->side_cache_bytes), count(j, "cpus_count", n->n_cpus), text(j, "cpus", n->cpus);
        js_shut(j, '}');
    }
    js_shut(j, ']');
    js_open(j, "swap", '{');
    count(j, "total_bytes", m->swap_total_bytes), count(j, "free_bytes", m->swap_free_bytes), at_least_0(j, "swappiness", m->swappiness);
    js_open(j, "devices", '[');
    for (int i = 0; i < m->n_swaps; i++) {
        const struct hw_swap *s = &m->swaps[i];
        js_open(j, NULL, '{');
        text(j, "name", s->name), text(j, "kind", s->kind), count(j, "size_bytes", s->size_bytes), count(j, "used_bytes", s->used_bytes), count(j, "priority", s->priority);
        js_shut(j, '}');
    }
    js_shut(j, ']');
    js_shut(j, '}');
    js_open(j, "huge_pages", '{');
    text(j, "transparent", m->thp), text(j, "defrag", m->thp_defrag), amount(j, "size_bytes", m->huge_page_bytes), count(j, "total", m->huge_pages_total), count(j, "free", m->huge_pages_free);
    js_shut(j, '}');
    js_shut(j, '}');
}

static const char *const gpu_kinds[HW_GPU_CLASSES] = { "discrete", "integrated", "virtual" };

static void put_gpu(struct js *j, const struct hw_gpu *g)
{
    js_open(j, NULL, '{');
    text(j, "vendor", g->vendor), text(j, "name", g->name), text(j, "name_source", g->name_source), text(j, "kind", gpu_kinds[g->kind]);
    text(j, "chip", g->chip), text(j, "architecture", g->architecture), id(j, "pci_vendor", g->pci_vendor), id(j, "pci_device", g->pci_device);
    text(j, "pci_address", g->pci_address), amount(j, "vram_bytes", g->vram_bytes), amount(j, "vram_used_bytes", g->vram_used_bytes), yesno(j, "is_unified", g->is_unified);
    char capability[24] = "";
    if (g->compute_major > 0)
        snprintf(capability, sizeof(capability), "%d.%d", g->compute_major, g->compute_minor);
    text(j, "compute_capability", capability), text(j, "driver", g->driver), text(j, "driver_version", g->driver_version), text(j, "cuda_version", g->cuda_version);
    text(j, "vbios", g->vbios);
    real(j, "power_limit_w", g->power_limit_w), real(j, "power_default_w", g->power_default_w), real(j, "power_max_w", g->power_max_w), real(j, "power_draw_w", g->power_draw_w);
    real(j, "temperature_c", g->temperature_c), amount(j, "pcie_gen", g->link_gen), amount(j, "pcie_gen_max", g->link_gen_max), amount(j, "pcie_width", g->link_width);
    amount(j, "pcie_width_max", g->link_width_max), amount(j, "clock_mhz", g->clock_mhz), amount(j, "clock_max_mhz", g->clock_max_mhz);
    amount(j, "memory_clock_mhz", g->memory_clock_mhz), amount(j, "compute_units", g->compute_units), yesno(j, "persistence", g->persistence), yesno(j, "ecc", g->ecc);
    yesno(j, "throttled", g->throttled), text(j, "throttle_reason", g->throttle_reason), at_least_0(j, "numa_node", g->numa_node), count(j, "mig", g->mig);
    js_shut(j, '}');
}

static void put_devices(struct js *j, const struct hw_machine *m)
{
    js_open(j, "gpus", '[');
    for (int i = 0; i < m->n_gpus; i++)
        put_gpu(j, &m->gpus[i]);
    js_shut(j, ']');
    js_open(j, "accelerators", '[');
    for (int i = 0; i < m->n_accelerators; i++) {
        const struct hw_accelerator *a = &m->accelerators[i];
        js_open(j, NULL, '{');
        text(j, "kind", a->kind), text(j, "vendor", a->vendor), text(j, "name", a->name), text(j, "bus", a->bus), text(j, "address", a->address), text(j, "state", a->state);
        text(j, "driver", a->driver), text(j, "device", a->device), text(j, "link", a->link), real(j, "tops_int8", a->tops_int8);
        id(j, "vendor_id", a->vendor_id), id(j, "device_id", a->device_id), yesno(j, "is_usable", a->is_usable);
        js_shut(j, '}');
    }
    js_shut(j, ']');
    js_open(j, "disks", '[');
    for (int i = 0; i < m->n_disks; i++) {
        const struct hw_disk *d = &m->disks[i];
        js_open(j, NULL, '{');
        text(j, "name", d->name), text(j, "kind", d->kind), text(j, "model", d->model), amount(j, "size_bytes", d->size_bytes), amount(j, "pcie_gen", d->link_gen);
        amount(j, "pcie_width", d->link_width), amount(j, "pcie_gen_max", d->link_gen_max), yesno(j, "is_rotational", d->is_rotational), yesno(j, "holds_models", d->holds_models);
        js_shut(j, '}');
    }
    js_shut(j, ']');
    js_open(j, "network", '[');
    for (int i = 0; i < m->n_links; i++) {
        const struct hw_link *l = &m->links[i];
        js_open(j, NULL, '{');
        text(j, "name", l->name), text(j, "kind", l->kind), text(j, "driver", l->driver), amount(j, "speed_bitps", l->speed_bitps), yesno(j, "is_up", l->is_up), amount(j, "mtu", l->mtu);
        js_shut(j, '}');
    }
    js_shut(j, ']');
}

static void put_heat_and_power(struct js *j, const struct hw_machine *m)
{
    js_open(j, "thermal", '[');
    for (int i = 0; i < m->n_thermal; i++) {
        const struct hw_thermal *t = &m->thermal[i];
        js_open(j, NULL, '{');
        text(j, "name", t->name), text(j, "source", t->source), real(j, "temperature_c", t->has_value == HW_YES ? t->temperature_c : 0);
        real(j, "trip_passive_c", t->trip_passive_c), real(j, "trip_critical_c", t->trip_critical_c);
        js_shut(j, '}');
    }
    js_shut(j, ']');
    js_open(j, "power_meters", '[');
    for (int i = 0; i < m->n_power; i++) {
        const struct hw_power_meter *p = &m->power[i];
        js_open(j, NULL, '{');
        text(j, "name", p->name), text(j, "kind", p->kind), text(j, "path", p->path), yesno(j, "is_readable", p->is_readable), real(j, "power_w", p->power_w), real(j, "limit_w", p->limit_w);
        js_shut(j, '}');
    }
    js_shut(j, ']');
    js_open(j, "supplies", '[');
    for (int i = 0; i < m->n_supplies; i++) {
        const struct hw_supply *s = &m->supplies[i];
        js_open(j, NULL, '{');
        text(j, "name", s->name), text(j, "kind", s->kind), yesno(j, "is_online", s->is_online), text(j, "status", s->status), at_least_0(j, "charge_pct", s->charge_pct);
        real(j, "power_w", s->power_w), real(j, "energy_full_wh", s->energy_full_wh), real(j, "energy_design_wh", s->energy_design_wh);
        js_shut(j, '}');
    }
    js_shut(j, ']');
    js_open(j, "throttle", '{');
    yesno(j, "thermal", m->throttle.thermal), yesno(j, "undervoltage", m->throttle.undervoltage), yesno(j, "capped", m->throttle.capped);
    count(j, "events", m->throttle.events), text(j, "source", m->throttle.source);
    js_shut(j, '}');
    text(j, "power_mode", m->power_mode);
}

void detect_put_json(struct buf *b, const struct hw_machine *m, const struct advise_bandwidth *bw, const struct fit_summary *runs)
{
    struct js j = { b, false };
    js_open(&j, NULL, '{');
    text(&j, "root", m->root), truth(&j, "is_live", m->is_live);
    put_os(&j, &m->os);
    put_board(&j, &m->board);
    put_cpu(&j, &m->cpu);
    put_memory(&j, &m->memory, bw);
    put_devices(&j, m);
    put_heat_and_power(&j, m);
    js_open(&j, "notes", '[');
    for (int i = 0; i < m->n_notes; i++)
        text(&j, NULL, m->notes[i].text);
    js_shut(&j, ']');
    count(&j, "attributes_hung", m->n_hung), truth(&j, "is_cut", m->is_cut), real(&j, "detect_ms", m->detect_ms);
    detect_put_runs(b, runs);
    js_shut(&j, '}');
    buf_putc(b, '\n');
}
