/* site/inventory_machine.c - what one machine of the inventory is: catalog rows or a recording as devices, memory and watts; start at inv_make_kind(). */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "advise/hardware.h"
#include "advise/price.h"
#include "site/inventory_internal.h"
#include "plan/memory.h"

static const char *const accelerator_keys[] = { "name", "resource", "share", NULL };

/* ---- watts ---- */

/* A board that was measured at the wall, by its own name or one of its other names. */
static const struct catalog_row *measured_board(struct catalog *c, const struct catalog_row *row)
{
    struct err ignored = { 0 };
    const struct catalog_table *t = catalog_table(c, "power_board", &ignored);
    char names[256];
    snprintf(names, sizeof(names), "%.100s;%.150s", catalog_name(row), catalog_text(row, "alias"));
    for (char *save = NULL, *name = t ? strtok_r(names, ";", &save) : NULL; name; name = strtok_r(NULL, ";", &save)) {
        const struct catalog_row *found = catalog_find(t, name, &ignored);
        if (found && catalog_number(found, "idle_w") > 0)
            return found;
    }
    return NULL;
}

static void watts_of(struct catalog *c, const struct catalog_row *row, double *idle_w, double *busy_w)
{
    struct hardware hw;
    struct err ignored = { 0 };
    *idle_w = *busy_w = (double)NAN;
    if (!row || !hardware_of(c, row, &hw, &ignored))
        return;
    const struct catalog_row *board = measured_board(c, row);
    const struct watts w = hardware_watts(c, &hw);
    *idle_w = board ? catalog_number(board, "idle_w") : w.idle_w;
    const double all = board && catalog_number(board, "stress_w") > 0 ? catalog_number(board, "stress_w") : w.inference_w;
    *busy_w = all > *idle_w ? all - *idle_w : (double)NAN;
}

static double price_of_row(const struct catalog_row *row)
{
    if (!row)
        return (double)NAN;
    const struct price p = price_launch(row);
    return p.low_usd;
}

/* ---- devices ---- */

static const char *resource_of_class(enum plan_class cls, bool is_card)
{
    if (cls == PLAN_NVIDIA || cls == PLAN_JETSON)
        return "nvidia.com/gpu";
    return !is_card ? "" : cls == PLAN_AMD ? "amd.com/gpu" : cls == PLAN_INTEL ? "gpu.intel.com/xe" : "";
}

const char *inv_resource_of_stick(const char *name)
{
    static const char *const words[][2] = { { "coral", "google.com/coral" }, { "edge tpu", "google.com/coral" }, { "neural compute stick", "intel.com/ncs2" }, { "ncs2", "intel.com/ncs2" },
                                            { "hailo", "hailo.ai/hailo" } };
    char lower[96];
    size_t n = 0;
    for (; name[n] && n + 1 < sizeof(lower); n++)
        lower[n] = (char)tolower((unsigned char)name[n]);
    lower[n] = '\0';
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strstr(lower, words[i][0]))
            return words[i][1];
    return "";
}

static struct inv_device *add(struct inv_node *n, struct inv_device *list)
{
    struct inv_device *d = n->n_devices < INV_DEVICES_MAX ? &list[n->n_devices] : NULL;
    if (d) {
        n->n_devices++;
        *d = (struct inv_device){ .name = "", .resource = "", .tops_int8 = (double)NAN, .idle_w = (double)NAN, .busy_w = (double)NAN, .usd = (double)NAN };
    }
    return d;
}

/* of: what computes; row: what was bought. */
static bool fill(struct inv_reader *r, struct inv_device *d, const struct device *of, const struct catalog_row *row, struct err *err)
{
    d->of = *of, d->row = row;
    d->runs_llm = of->plan.bw_gbps > 0;
    d->name = inv_text(r, of->plan.name, strlen(of->plan.name), err);
    if (of->plan.int8_tops > 0)
        d->tops_int8 = of->plan.int8_tops * of->plan.n_devices;
    if (!of->plan.is_unified && of->plan.cls != PLAN_CPU)
        d->mem_bytes = of->plan.mem_bytes * (uint64_t)of->plan.n_devices;
    watts_of(r->catalog, row, &d->idle_w, &d->busy_w);
    d->idle_w *= of->plan.n_devices, d->busy_w *= of->plan.n_devices;
    d->usd = price_of_row(row) * of->plan.n_devices;
    return d->name != NULL;
}

static bool fill_stick(struct inv_reader *r, struct inv_device *d, const struct catalog_row *row)
{
    struct err ignored = { 0 };
    struct device of;
    d->row = row, d->name = catalog_name(row), d->resource = inv_resource_of_stick(d->name);
    d->tops_int8 = catalog_number(row, "int8_tops"), d->mem_bytes = (uint64_t)(1e9 * catalog_number_or(row, "mem_gb", 0));
    d->usd = catalog_number(row, "launch_price_usd");
    d->idle_w = 0, d->busy_w = catalog_number(row, "tdp_w");
    d->n_share = 1;
    if (catalog_flag(row, "runs_llm") && device_of_row(&of, r->catalog, row, &ignored) && of.plan.bw_gbps > 0)
        d->of = of, d->runs_llm = true;
    return true;
}

static bool add_accelerator(struct inv_reader *r, struct inv_node *n, struct inv_device *list, const struct yaml_node *at, struct err *err)
{
    const char *name = NULL, *resource = NULL;
    int64_t share = 1;
    struct err why = { 0 };
    if (at->kind == YAML_MAP) {
        if (!yaml_check_keys(r->y, at, accelerator_keys, NULL, err) || !yaml_text(r->y, at, "name", &name, err) || !yaml_text(r->y, at, "resource", &resource, err) ||
            !yaml_int(r->y, at, "share", 1, 64, &share, err))
            return false;
    } else if (!yaml_node_text(r->y, at, &name, err))
        return false;
    if (!name)
        return yaml_fail(r->y, at, err, "accelerators: a name of the catalog is wanted: Coral USB Accelerator");
    const struct catalog_row *row = catalog_find_in(r->catalog, "accelerator", name, &why);
    if (!row)
        return yaml_fail(r->y, at, err, "accelerators: %s", why.text);
    struct inv_device *d = add(n, list);
    if (!d)
        return yaml_fail(r->y, at, err, "a node has at most %d devices", INV_DEVICES_MAX);
    fill_stick(r, d, row);
    d->n_share = (int)share;
    if (resource)
        d->resource = resource;
    return *d->resource || yaml_fail(r->y, at, err, "accelerators: resource: is wanted for %s: the name by which a pod asks for it", d->name);
}

static bool add_gpu(struct inv_reader *r, struct inv_node *n, struct inv_device *list, const struct yaml_node *at, struct err *err)
{
    const char *name;
    struct device of;
    struct err why = { 0 };
    if (!yaml_node_text(r->y, at, &name, err))
        return false;
    if (!device_of_spec(&of, r->catalog, name, &why)) { /* or a row whose own name has a comma */
        struct err other = { 0 };
        const struct catalog_row *row = catalog_find_in(r->catalog, "gpu", name, &other);
        if (!row || !device_of_row(&of, r->catalog, row, &other))
            return yaml_fail(r->y, at, err, "gpus: %s", why.text);
    }
    if (of.plan.cls == PLAN_CPU || of.plan.cls == PLAN_SOC || of.plan.cls == PLAN_NPU)
        return yaml_fail(r->y, at, err, "gpus: %s is no GPU", of.plan.name);
    struct inv_device *d = add(n, list);
    if (!d)
        return yaml_fail(r->y, at, err, "a node has at most %d devices", INV_DEVICES_MAX);
    if (of.plan.is_unified)
        of.plan.mem_bytes = n->mem_bytes;
    if (!fill(r, d, &of, of.row, err))
        return false;
    d->resource = resource_of_class(of.plan.cls, d->mem_bytes > 0);
    return of.plan.is_unified || d->mem_bytes > 0 || yaml_fail(r->y, at, err, "gpus: the memory of %s is not known: add mem=GB", d->name);
}

/* A CPU of which only the machine's bandwidth is known (of a Jetson, a Mac). */
static struct device plain_cpu(const struct inv_node *n, const struct device *of)
{
    struct device d = { .plan = { .cls = PLAN_CPU, .n_devices = 1, .is_unified = true, .bw_gbps = of->plan.is_unified ? of->plan.bw_gbps : 0, .mem_bytes = n->mem_bytes, .pp_correction = 1,
                                  .tg_correction = 1 } };
    snprintf(d.plan.name, sizeof(d.plan.name), "CPU of %.80s", of->plan.name);
    snprintf(d.plan.runtime, sizeof(d.plan.runtime), "%s", device_runtime(PLAN_CPU));
    return d;
}

/* ---- machines of the catalog ---- */

/* "Raspberry Pi 5 8GB": the row and what stands behind it. */
static bool find_machine(struct inv_reader *r, const struct yaml_node *at, const char *text, struct device *of, double *mem_gb, struct err *err)
{
    struct err why = { 0 }, shorter = { 0 };
    char name[256];
    snprintf(name, sizeof(name), "%.250s", text);
    size_t n = strlen(name);
    double gb = 0;
    while (n > 0 && name[n - 1] == ' ')
        name[--n] = '\0';
    if (n > 3 && (name[n - 1] == 'B' || name[n - 1] == 'b') && (name[n - 2] == 'G' || name[n - 2] == 'g') && !strchr(name, ',')) {
        size_t i = n - 2;
        while (i > 0 && name[i - 1] == ' ')
            i--;
        const size_t end = i;
        while (i > 0 && isdigit((unsigned char)name[i - 1]))
            i--;
        if (i > 0 && i < end && name[i - 1] == ' ')
            gb = strtod(name + i, NULL), name[i - 1] = '\0';
    }
    if (device_of_spec(of, r->catalog, text, &why)) {
        *mem_gb = gb > 0 && of->row && catalog_text(of->row, "mem_options")[0] ? gb : 0;
        return true;
    }
    if (gb > 0 && device_of_spec(of, r->catalog, name, &shorter)) {
        *mem_gb = gb;
        return true;
    }
    return yaml_fail(r->y, at, err, "machine: %s", why.text);
}

static bool has_option(const char *options, double gb)
{
    char copy[64];
    snprintf(copy, sizeof(copy), "%.60s", options);
    for (char *save = NULL, *o = strtok_r(copy, ";", &save); o; o = strtok_r(NULL, ";", &save))
        if (strtod(o, NULL) == gb)
            return true;
    return false;
}

static bool memory_of(struct inv_reader *r, const struct yaml_node *map, const struct device *of, bool is_card, double name_gb, struct inv_node *n, struct err *err)
{
    const struct yaml_node *at = yaml_get(map, "machine");
    const char *options = of->row ? catalog_text(of->row, "mem_options") : "";
    uint64_t bytes = 0;
    if (!yaml_bytes(r->y, map, "memory", &bytes, err))
        return false;
    if (!bytes && name_gb > 0)
        bytes = (uint64_t)(name_gb * 1e9);
    if (bytes && options[0] && !has_option(options, round((double)bytes / 1e9)))
        return yaml_fail(r->y, yaml_get(map, "memory") ? yaml_get(map, "memory") : at, err, "%s comes with %s GB", of->plan.name, options);
    if (!bytes && options[0])
        return yaml_fail(r->y, at, err, "memory: %s comes with %s GB: which?", of->plan.name, options);
    if (!bytes && !is_card)
        bytes = of->plan.mem_bytes;
    if (!bytes)
        return yaml_fail(r->y, at, err, "memory: of the machine is wanted: memory: 32 GB");
    if (bytes < 64000000 || bytes > UINT64_C(1000000000000000))
        return yaml_fail(r->y, yaml_get(map, "memory") ? yaml_get(map, "memory") : at, err, "memory: 64 MB to 1 PB is possible");
    n->mem_bytes = bytes;
    return true;
}

static const char *board_of(const struct device *of, const struct hardware *hw)
{
    const char *name = of->plan.name, *form = catalog_text(hw->row, "form");
    if (of->plan.cls == PLAN_JETSON)
        return "jetson";
    if (of->plan.cls == PLAN_APPLE || !strncmp(name, "Apple M", 7))
        return "mac";
    if (strstr(name, "Raspberry Pi 5") || strstr(name, "Raspberry Pi CM5"))
        return "pi5";
    if (strstr(name, "Raspberry Pi"))
        return "pi4";
    if (!strcmp(form, "laptop"))
        return "laptop";
    return strstr(name, "EPYC") || strstr(name, "Xeon") || strstr(name, "Threadripper") || strstr(name, "Altra") ? "server" : "pc";
}

static const char *arch_of(const struct device *of)
{
    const char *vendor = of->row ? catalog_text(of->row, "vendor") : "";
    const bool is_x86 = of->plan.cls == PLAN_CPU ? !of->row || !strcmp(vendor, "Intel") || !strcmp(vendor, "AMD") : of->plan.cls == PLAN_AMD || of->plan.cls == PLAN_INTEL;
    return is_x86 || (of->plan.cls == PLAN_NVIDIA && !strstr(of->plan.name, "GB10")) ? "amd64" : "arm64";
}

static bool read_machine(struct inv_reader *r, const struct yaml_node *map, const char *text, struct inv_node *n, struct inv_device *list, struct err *err)
{
    const struct yaml_node *at = yaml_get(map, "machine"), *gpus = NULL, *sticks = NULL;
    const char *cpu = NULL;
    struct device of, cpu_of;
    struct hardware hw;
    struct err why = { 0 };
    double name_gb = 0;
    if (!find_machine(r, at, text, &of, &name_gb, err))
        return false;
    if (!of.row || !hardware_of(r->catalog, of.row, &hw, &why) || of.plan.n_devices > 1)
        return yaml_fail(r->y, at, err, "machine: one machine, board or CPU of the catalog is wanted");
    const bool has_cpu = of.plan.cls == PLAN_CPU || of.plan.cls == PLAN_SOC;
    const bool is_laptop = !strcmp(catalog_text(hw.row, "form"), "laptop");
    if (!has_cpu && !hw.is_machine)
        return yaml_fail(r->y, at, err, "machine: %s is a card: write the machine's CPU here and the card under gpus:", of.plan.name);
    if (hw.is_machine && !has_cpu && !(is_laptop && of.plan.cls != PLAN_APPLE))
        of.plan.is_unified = true; /* a small machine around a chip whose memory is the machine's */
    if (!memory_of(r, map, &of, !of.plan.is_unified, name_gb, n, err) || !yaml_text(r->y, map, "cpu", &cpu, err) || !yaml_list(r->y, map, "gpus", &gpus, err) ||
        !yaml_list(r->y, map, "accelerators", &sticks, err))
        return false;
    n->board = board_of(&of, &hw), n->arch = arch_of(&of);
    n->may_leave = is_laptop;
    watts_of(r->catalog, hw.row, &n->idle_w, &n->busy_w);
    n->usd = price_of_row(hw.row);
    if (!has_cpu) {
        struct inv_device *d = add(n, list);
        if (of.plan.is_unified)
            of.plan.mem_bytes = n->mem_bytes;
        if (!fill(r, d, &of, hw.row, err))
            return false;
        d->resource = resource_of_class(of.plan.cls, !of.plan.is_unified);
        if (cpu && !device_of_spec(&cpu_of, r->catalog, cpu, &why))
            return yaml_fail(r->y, yaml_get(map, "cpu"), err, "cpu: %s", why.text);
        if (!cpu && !(strstr(of.plan.name, "Orin Nano") && device_of_spec(&cpu_of, r->catalog, "Jetson Orin Nano CPU", &why)))
            cpu_of = plain_cpu(n, &of);
    } else if (cpu)
        return yaml_fail(r->y, yaml_get(map, "cpu"), err, "cpu: %s is the CPU already", of.plan.name);
    else
        cpu_of = of;
    if (cpu_of.plan.cls != PLAN_CPU && cpu_of.plan.cls != PLAN_SOC)
        return yaml_fail(r->y, yaml_get(map, "cpu"), err, "cpu: %s is no CPU", cpu_of.plan.name);
    cpu_of.plan.mem_bytes = n->mem_bytes;
    for (int i = 0; gpus && i < gpus->n_items; i++)
        if (!add_gpu(r, n, list, &gpus->items[i], err))
            return false;
    for (int i = 0; sticks && i < sticks->n_items; i++)
        if (!add_accelerator(r, n, list, &sticks->items[i], err))
            return false;
    struct inv_device *d = add(n, list);
    if (!d)
        return yaml_fail(r->y, at, err, "a node has at most %d devices", INV_DEVICES_MAX);
    if (!fill(r, d, &cpu_of, has_cpu ? hw.row : NULL, err))
        return false;
    if (!has_cpu && isnan(d->busy_w))
        d->busy_w = n->busy_w; /* a board's watts are measured as a whole */
    n->free_bytes = plan_usable_bytes(&cpu_of.plan);
    return true;
}

/* ---- recordings ---- */

static bool read_recording(struct inv_reader *r, const struct yaml_node *map, const char *path, struct inv_node *n, struct inv_device *list, struct err *err)
{
    enum { DEVICES = HW_GPUS_MAX + 1 };
    const struct yaml_node *at = yaml_get(map, "recording");
    struct err why = { 0 };
    struct device *found = arena_alloc(r->inv->arena, DEVICES, sizeof(*found), err);
    if (!found || !(path = inv_path(r, path, err)))
        return false;
    struct hw_machine *m = hw_detect(path, &why);
    if (!m)
        return yaml_fail(r->y, at, err, "recording: %s", why.text);
    const int n_found = devices_of_machine(found, DEVICES, r->catalog, m);
    bool ok = n_found > 0 && m->memory.total_bytes > 0;
    if (!ok)
        yaml_fail(r->y, at, err, "recording: %s says nothing of its memory", path);
    n->mem_bytes = ok ? (uint64_t)m->memory.total_bytes : 0;
    n->arch = strstr(m->cpu.arch, "x86") ? "amd64" : "arm64";
    for (int i = 0; ok && i < n_found; i++) {
        const bool is_cpu = i + 1 == n_found;
        for (int k = 0; ok && is_cpu && k < m->n_accelerators; k++) { /* sticks before the CPU */
            const char *kind = m->accelerators[k].kind;
            const struct catalog_row *row = !strcmp(kind, "coral-usb") ? catalog_find_in(r->catalog, "accelerator", "Coral USB Accelerator", &why)
                                            : !strcmp(kind, "coral-pcie") ? catalog_find_in(r->catalog, "accelerator", "Coral M.2", &why)
                                            : !strcmp(kind, "ncs2")     ? catalog_find_in(r->catalog, "accelerator", "NCS2", &why)
                                            : !strncmp(kind, "hailo", 5) ? catalog_find_in(r->catalog, "accelerator", m->accelerators[k].name, &why)
                                                                         : NULL;
            struct inv_device *d = row && n->n_devices + 1 < INV_DEVICES_MAX ? add(n, list) : NULL;
            if (d)
                fill_stick(r, d, row);
        }
        struct inv_device *d = add(n, list);
        ok = d ? fill(r, d, &found[i], found[i].row, err) : yaml_fail(r->y, at, err, "a node has at most %d devices", INV_DEVICES_MAX);
        if (ok && !is_cpu)
            d->resource = resource_of_class(found[i].plan.cls, d->mem_bytes > 0);
        if (ok && is_cpu) {
            n->free_bytes = plan_usable_bytes(&found[i].plan);
            n->idle_w = d->idle_w, n->busy_w = d->busy_w;
            if (found[i].row) {
                struct hardware hw;
                n->board = hardware_of(r->catalog, found[i].row, &hw, &why) ? board_of(&found[i], &hw) : "pc";
            }
        }
    }
    if (ok && !strcmp(m->board.family, "jetson"))
        n->board = "jetson";
    for (int i = 0; i < m->n_supplies; i++)
        if (!strcmp(m->supplies[i].kind, "battery") && !strcmp(n->board, "pc"))
            n->board = "laptop", n->may_leave = true;
    hw_machine_free(m);
    return ok;
}

/* ---- either ---- */

bool inv_make_kind(struct inv_reader *r, const struct yaml_node *map, struct inv_node *n, struct err *err)
{
    const char *machine = NULL, *recording = NULL;
    double busy_w = NAN;
    struct inv_device *list = calloc(INV_DEVICES_MAX, sizeof(*list)), *kept;
    if (!list)
        return err_set(err, ERR_NOMEM, "inventory: out of memory");
    *n = (struct inv_node){ .board = "pc", .arch = "amd64", .idle_w = (double)NAN, .busy_w = (double)NAN, .usd = (double)NAN };
    bool ok = yaml_text(r->y, map, "machine", &machine, err) && yaml_text(r->y, map, "recording", &recording, err) && yaml_number(r->y, map, "busy_w", 0, 1e5, &busy_w, err);
    if (ok && !machine == !recording)
        ok = yaml_fail(r->y, map, err, "a node needs machine: (a name of the catalog) or recording: (a file of `tutti detect --record`)");
    ok = ok && (machine ? read_machine(r, map, machine, n, list, err) : read_recording(r, map, recording, n, list, err));
    for (int i = 0; ok && i < n->n_devices && !isnan(busy_w); i++) /* the whole node's; a card's and a stick's are their own */
        if (!list[i].mem_bytes && !list[i].n_share)
            list[i].busy_w = busy_w;
    n->kind = machine ? machine : "";
    n->recording = recording;
    kept = ok ? arena_alloc(r->inv->arena, (size_t)n->n_devices, sizeof(*kept), err) : NULL;
    if (kept)
        memcpy(kept, list, (size_t)n->n_devices * sizeof(*kept));
    n->devices = kept;
    free(list);
    if (kept && !machine)
        n->kind = kept[n->n_devices - 1].name;
    return kept != NULL;
}
