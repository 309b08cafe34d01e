/* advise/doctor_rules.c - all that doctor knows, as one table: see doctor_rules[] at the end.
 *
 * A new rule: a condition of a few lines, a row in the table, two trees in tests/advise/test_doctor.c (one in which it
 * fires, one in which it does not).  Costs are estimates where no source stands beside them.
 */
#define _GNU_SOURCE /* strcasestr */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "advise/doctor.h"

#define GIB (1024.0 * 1024.0 * 1024.0)
#define RULE(name) static bool name(const struct doctor_facts *f, struct doctor_finding *out)

static bool is(const char *text, const char *word) { return strcmp(text, word) == 0; }
static bool is_pi(const struct hw_machine *m) { return is(m->board.family, "raspberry pi"); }
static bool is_pi5(const struct hw_machine *m) { return is_pi(m) && is(m->board.soc, "BCM2712"); }
static bool is_jetson(const struct hw_machine *m) { return is(m->board.family, "jetson"); }

static const struct hw_gpu *card_of(const struct hw_machine *m, const char *vendor) /* the first with memory of its own */
{
    for (int i = 0; i < m->n_gpus; i++)
        if (m->gpus[i].kind == HW_GPU_DISCRETE && (!vendor || is(m->gpus[i].vendor, vendor)))
            return &m->gpus[i];
    return NULL;
}

static const struct hw_accelerator *stick_of(const struct hw_machine *m, const char *kind)
{
    for (int i = 0; i < m->n_accelerators; i++)
        if (strncmp(m->accelerators[i].kind, kind, strlen(kind)) == 0)
            return &m->accelerators[i];
    return NULL;
}

/* ---- firmware and the board ---- */

/* "T202", "GTI14T202": the number behind the last T. */
static int beelink_bios(const char *version)
{
    const char *t = strrchr(version, 'T');
    return t && t[1] >= '1' && t[1] <= '9' ? atoi(t + 1) : 0;
}
RULE(bios_known_bad)
{
    const struct hw_board *b = &f->m->board;
    const bool is_gti14 = strcasestr(b->product, "GTi14") || strcasestr(b->board, "GTi14");
    const int version = beelink_bios(b->bios_version);
    return is_gti14 && version > 0 && version < 204 && doctor_say(out, "BIOS %s of this Beelink GTi14 is known to freeze under Linux", b->bios_version);
}

RULE(pi_eeprom_age)
{
    int year, month, day;
    if (!is_pi(f->m) || !f->today || sscanf(f->m->setup.eeprom_date, "%d-%d-%d", &year, &month, &day) != 3)
        return false;
    const int months = (f->today / 10000 - year) * 12 + f->today / 100 % 100 - month;
    return months >= 18 && doctor_say(out, "the boot loader (EEPROM) is of %s, %d months old", f->m->setup.eeprom_date, months);
}

RULE(undervoltage)
{
    return f->m->throttle.undervoltage == HW_YES && doctor_say(out, "the supply's voltage has dropped too low (%s)", f->m->throttle.source);
}

RULE(thermal_throttling)
{
    const struct hw_throttle *t = &f->m->throttle;
    if (t->thermal != HW_YES)
        return false;
    return t->events > 0 ? doctor_say(out, "heat has slowed the processor %" PRId64 " times since it started", t->events)
                         : doctor_say(out, "heat slows this machine, or has since it started (%s)", t->source);
}

RULE(frequency_capped)
{
    return f->m->throttle.capped == HW_YES && doctor_say(out, "the firmware has capped the clock (%s)", f->m->throttle.source);
}

RULE(on_battery)
{
    bool is_plugged = false, drains = false;
    int charge = -1;
    for (int i = 0; i < f->m->n_supplies; i++) {
        const struct hw_supply *s = &f->m->supplies[i];
        if (is(s->kind, "mains"))
            is_plugged |= s->is_online == HW_YES;
        if (is(s->kind, "battery") && is(s->status, "Discharging"))
            drains = true, charge = s->charge_pct;
    }
    return drains && !is_plugged && (charge >= 0 ? doctor_say(out, "the machine runs on its battery (%d %%)", charge) : doctor_say(out, "the machine runs on its battery"));
}

RULE(power_profile)
{
    const char *p = f->m->power_mode;
    return !is_jetson(f->m) && (is(p, "low-power") || is(p, "quiet") || is(p, "cool")) && doctor_say(out, "the platform profile is \"%s\"", p);
}

RULE(hanging_device)
{
    return f->m->n_hung > 0 && doctor_say(out, "%d attributes of devices did not answer in time", f->m->n_hung);
}

/* ---- processor ---- */

RULE(governor)
{
    const struct hw_cpu *c = &f->m->cpu;
    const bool decides_itself = is(c->scaling_driver, "intel_pstate") || is(c->scaling_driver, "amd-pstate-epp"); /* there "powersave" is the normal, dynamic one */
    if (is(c->governor, "powersave") && !c->scaling_driver[0]) {
        out->confidence = DOCTOR_POSSIBLE;
        return doctor_say(out, "the frequency governor is \"powersave\": right for intel_pstate and amd-pstate-epp, else the lowest clock; the driver is not known");
    }
    if (is(c->governor, "powersave") && !decides_itself)
        return doctor_say(out, "the frequency governor is \"powersave\": the lowest clock, always");
    if (!is(c->governor, "ondemand") && !is(c->governor, "conservative") && !is(c->governor, "userspace"))
        return false;
    out->severity = is(c->governor, "userspace") ? DOCTOR_WARNING : DOCTOR_INFO;
    out->confidence = DOCTOR_LIKELY;
    return doctor_say(out, "the frequency governor is \"%s\"", c->governor);
}

RULE(energy_preference)
{
    const char *p = f->m->cpu.energy_preference;
    if (!is(p, "power") && !is(p, "balance_power"))
        return false;
    out->severity = is(p, "power") ? DOCTOR_WARNING : DOCTOR_INFO;
    return doctor_say(out, "the processor is told to save energy (\"%s\")", p);
}

RULE(boost_off) /* on Arm the file says 0 where there is no such thing */
{
    return f->m->cpu.boost == HW_NO && is(f->m->cpu.arch, "x86_64") && doctor_say(out, "turbo clocks are switched off");
}

RULE(smt_threads)
{
    const struct hw_cpu *c = &f->m->cpu;
    return c->smt == HW_YES && c->cores_physical > 0 && c->cores_logical > c->cores_physical
           && doctor_fix(out, "one thread per core: tutti does so by itself; llama.cpp: -t %d", c->cores_physical)
           && doctor_say(out, "SMT is on: %d threads on %d cores", c->cores_logical, c->cores_physical);
}

RULE(no_avx2)
{
    const struct hw_machine *m = f->m;
    if (!is(m->cpu.arch, "x86_64") || m->cpu.n_isa == 0 || hw_machine_has_isa(m, "avx2"))
        return false;
    if (m->board.hypervisor[0]) {
        out->confidence = DOCTOR_LIKELY;
        doctor_fix(out, "give the guest the host's CPU (QEMU/libvirt: -cpu host, host-passthrough; Proxmox: type host)");
    }
    return doctor_say(out, "this %s has no AVX2", m->board.hypervisor[0] ? "virtual machine" : "processor");
}

RULE(amx_blocked) { return f->m->cpu.amx_permitted == HW_NO && doctor_say(out, "the processor has AMX, the kernel does not permit it"); }

RULE(old_32_bit) { return is_pi(f->m) && is(f->m->cpu.arch, "armv7l") && !is(f->m->board.soc, "BCM2836") && !is(f->m->board.soc, "BCM2835") && doctor_say(out, "a 32-bit system runs on this Raspberry Pi"); }

RULE(container_cpus)
{
    const struct hw_cpu *c = &f->m->cpu;
    return c->cgroup_cpus > 0 && c->cores_logical > 0 && c->cgroup_cpus < c->cores_logical
           && doctor_say(out, "a limit leaves %.3g of %d CPUs (cgroup)", c->cgroup_cpus, c->cores_logical);
}

RULE(affinity)
{
    const struct hw_cpu *c = &f->m->cpu;
    return c->cpus_allowed > 0 && c->cpus_allowed < c->cores_logical && doctor_say(out, "this process may use %d of %d CPUs (affinity)", c->cpus_allowed, c->cores_logical);
}

RULE(numa_interleave)
{
    return f->m->cpu.numa_nodes > 1 && doctor_say(out, "the memory lies in %d NUMA nodes", f->m->cpu.numa_nodes);
}

RULE(numa_balancing)
{
    return f->m->cpu.numa_nodes > 1 && f->m->setup.numa_balancing == HW_YES && doctor_say(out, "the kernel moves pages between NUMA nodes while you compute");
}

/* ---- memory ---- */

RULE(memory_channels)
{
    const struct hw_memory *mem = &f->m->memory;
    const bool is_plain = strncmp(mem->type, "DDR", 3) == 0 && mem->channel_bits >= 64; /* LPDDR's channels are counted otherwise */
    const int possible = mem->channels_possible > 0 ? mem->channels_possible : is_plain ? f->catalog_channels : 0;
    if (mem->channels <= 0 || possible <= mem->channels)
        return false;
    if (mem->channels * 2 > possible)
        out->severity = DOCTOR_WARNING;
    return doctor_say(out, "%d of %d memory channels are filled%s", mem->channels, possible, mem->channels_possible > 0 ? "" : " (channels by the catalog)");
}

RULE(fabric_limit)
{
    const struct advise_bandwidth *b = f->bandwidth;
    return b && b->fabric_bps > 0 && b->ram_bps > b->fabric_bps * 1.05
           && doctor_say(out, "the modules could give %.0f GB/s, the processor's fabric lets %.0f through (catalog)", b->ram_bps / 1e9, b->fabric_bps / 1e9);
}

RULE(memory_slow)
{
    int rated = 0, runs = 0;
    for (int i = 0; i < f->m->memory.n_modules; i++) {
        const struct hw_module *d = &f->m->memory.modules[i];
        if (d->size_bytes > 0 && d->mts_rated > 0 && d->mts > 0 && (!rated || d->mts_rated < rated))
            rated = d->mts_rated, runs = d->mts;
    }
    return rated > runs && (rated - runs) * 20 >= rated && doctor_say(out, "memory rated for %d MT/s runs at %d", rated, runs);
}

RULE(memory_without_bandwidth)
{
    const struct hw_memory *mem = &f->m->memory;
    const double bps = mem->theoretical_bps > 0 ? mem->theoretical_bps : f->bandwidth ? f->bandwidth->theoretical_bps : 0;
    const double seconds = bps > 0 ? (double)mem->total_bytes / bps : 0;
    return seconds > 1 && !card_of(f->m, NULL) && doctor_say(out, "reading all %.0f GiB once takes %.1f s (%.0f GB/s in theory)", (double)mem->total_bytes / GIB, seconds, bps / 1e9);
}

RULE(thp)
{
    return is(f->m->memory.thp, "never") && doctor_say(out, "transparent huge pages are off");
}

static bool is_slow_swap(const struct hw_machine *m, const struct hw_swap *s)
{
    if (is(s->kind, "sd") || is(s->kind, "emmc"))
        return true;
    for (int i = 0; is(s->kind, "file") && i < m->n_disks; i++) /* a swap file lies where the system lies */
        if (m->disks[i].holds_root == HW_YES && (is(m->disks[i].kind, "sd") || is(m->disks[i].kind, "emmc")))
            return true;
    return false;
}
RULE(swap_on_sd)
{
    for (int i = 0; i < f->m->memory.n_swaps; i++)
        if (is_slow_swap(f->m, &f->m->memory.swaps[i]))
            return doctor_say(out, "the swap %s lies on an SD card", f->m->memory.swaps[i].name);
    return false;
}

RULE(swap_used)
{
    int64_t used = 0;
    for (int i = 0; i < f->m->memory.n_swaps; i++)
        used += is(f->m->memory.swaps[i].kind, "zram") ? 0 : f->m->memory.swaps[i].used_bytes;
    return used > 256 << 20 && doctor_say(out, "%.1f GiB of memory have been written to the swap disk", (double)used / GIB);
}

static bool has_zram(const struct hw_machine *m)
{
    for (int i = 0; i < m->memory.n_swaps; i++)
        if (is(m->memory.swaps[i].kind, "zram"))
            return true;
    return false;
}
RULE(no_swap_on_board)
{
    const struct hw_memory *mem = &f->m->memory;
    return (is(f->m->board.form, "sbc") || is(f->m->board.form, "module")) && mem->total_bytes > 0 && (double)mem->total_bytes < 9 * GIB && mem->swap_total_bytes == 0
           && mem->swappiness >= 0 && doctor_say(out, "%.1f GiB of memory and no swap, not even zram", (double)mem->total_bytes / GIB);
}

RULE(swappiness)
{
    const struct hw_memory *mem = &f->m->memory;
    return mem->n_swaps > 0 && !has_zram(f->m) && mem->swappiness >= 60 && doctor_say(out, "vm.swappiness is %d and the swap is a disk", mem->swappiness);
}

RULE(unified_headroom)
{
    const struct hw_memory *mem = &f->m->memory;
    return mem->is_unified == HW_YES && mem->total_bytes > 0 && mem->available_bytes > 0 && mem->available_bytes * 10 < mem->total_bytes * 6
           && doctor_say(out, "CPU and GPU share %.1f GiB; %.1f are free", (double)mem->total_bytes / GIB, (double)mem->available_bytes / GIB);
}

RULE(apu_memory_limit)
{
    const struct hw_machine *m = f->m;
    for (int i = 0; i < m->n_gpus && !card_of(m, NULL); i++)
        if (m->gpus[i].kind == HW_GPU_INTEGRATED && is(m->gpus[i].vendor, "AMD") && (double)m->memory.total_bytes > 28 * GIB && !strstr(m->os.cmdline, "ttm.pages_limit=")
            && !strstr(m->os.cmdline, "amdgpu.gttsize="))
            return doctor_say(out, "the integrated GPU may use half of the memory (the kernel's default)")
                   && doctor_fix(out, "kernel command line: ttm.pages_limit=%.0f (3/4 of the memory in 4 KiB pages), then reboot", (double)m->memory.total_bytes * 0.75 / 4096);
    return false;
}

RULE(container_memory)
{
    const struct hw_memory *mem = &f->m->memory;
    return mem->cgroup_limit_bytes > 0 && mem->total_bytes > 0 && mem->cgroup_limit_bytes < mem->total_bytes
           && doctor_say(out, "a limit leaves %.1f of %.1f GiB (cgroup)", (double)mem->cgroup_limit_bytes / GIB, (double)mem->total_bytes / GIB);
}

RULE(ram_under_vram)
{
    int64_t vram = 0;
    for (int i = 0; i < f->m->n_gpus; i++)
        vram += f->m->gpus[i].vram_bytes;
    return f->m->memory.total_bytes > 0 && (double)vram > 1.05 * (double)f->m->memory.total_bytes
           && doctor_say(out, "%.0f GiB of memory beside %.0f GiB on the GPUs", (double)f->m->memory.total_bytes / GIB, (double)vram / GIB);
}

/* ---- disks and links ---- */

/* The disk of the models; where nobody said which, the system's when the machine has no faster one (is_sure false). */
static const struct hw_disk *likely_model_disk(const struct hw_machine *m, bool *is_sure)
{
    const struct hw_disk *d = doctor_model_disk(m);
    *is_sure = d != NULL;
    for (int i = 0; i < m->n_disks && !*is_sure; i++) {
        if (m->disks[i].holds_models == HW_NO || is(m->disks[i].kind, "nvme") || is(m->disks[i].kind, "ssd"))
            return NULL;
        if (m->disks[i].holds_root == HW_YES)
            d = &m->disks[i];
    }
    return d;
}
RULE(models_on_slow_disk)
{
    /* sequential read, typical: SD UHS-I cards 90 MB/s (SDR104's limit is 104), eMMC 5.1 250, one hard disk 150-250, gigabit 110 */
    static const struct { const char *kind, *name; double mbps; } slow[] = { { "sd", "an SD card", 90 }, { "hdd", "a hard disk", 180 }, { "emmc", "an eMMC", 250 }, { "network", "a network disk", 110 } };
    bool is_sure;
    const struct hw_disk *d = likely_model_disk(f->m, &is_sure);
    for (size_t i = 0; d && i < sizeof(slow) / sizeof(slow[0]); i++)
        if (is(d->kind, slow[i].kind)) {
            if (is(d->kind, "emmc"))
                out->severity = DOCTOR_INFO;
            if (!is_sure)
                out->confidence = DOCTOR_POSSIBLE;
            return doctor_say(out, "the %s on %s: loading 5 GB from it takes about %.0f s (predicted, %.0f MB/s)", is_sure ? "models lie" : "system lies, and so perhaps the models,", slow[i].name,
                              5000 / slow[i].mbps, slow[i].mbps);
        }
    return false;
}

RULE(pi_nvme_gen2)
{
    for (int i = 0; is_pi5(f->m) && i < f->m->n_disks; i++)
        if (is(f->m->disks[i].kind, "nvme") && f->m->disks[i].link_gen == 2)
            return doctor_say(out, "the NVMe drive runs at PCIe Gen 2 x%d (about 450 MB/s)", f->m->disks[i].link_width ? f->m->disks[i].link_width : 1);
    return false;
}

RULE(pi_nvme_gen3)
{
    return is_pi5(f->m) && f->m->setup.pi_pcie_gen == 3 && doctor_say(out, "PCIe is set to Gen 3, for which the Raspberry Pi 5 is not certified");
}

RULE(link_100m)
{
    for (int i = 0; i < f->m->n_links; i++)
        if (is(f->m->links[i].kind, "ethernet") && f->m->links[i].is_up == HW_YES && f->m->links[i].speed_bitps > 0 && f->m->links[i].speed_bitps <= 100000000)
            return doctor_say(out, "%s runs at %.0f Mbit/s", f->m->links[i].name, (double)f->m->links[i].speed_bitps / 1e6);
    return false;
}

/* ---- GPUs ---- */

RULE(gpu_without_driver)
{
    for (int i = 0; i < f->m->n_gpus; i++) {
        const struct hw_gpu *g = &f->m->gpus[i];
        if (g->kind != HW_GPU_DISCRETE || !g->pci_device || (g->driver[0] && !is(g->driver, "nouveau") && !is(g->driver, "vfio-pci")))
            continue;
        if (is(g->driver, "vfio-pci")) { /* handed to a virtual machine on purpose */
            out->severity = DOCTOR_INFO;
            return doctor_say(out, "%.80s is handed to a virtual machine", g->name);
        }
        return doctor_say(out, "%.80s has no driver that computes%s", g->name, g->driver[0] ? " (nouveau)" : "")
               && doctor_fix(out, "%s", is(g->vendor, "NVIDIA") ? "sudo apt install nvidia-driver (Debian), ubuntu-drivers install (Ubuntu); then reboot"
                                        : is(g->vendor, "AMD")  ? "sudo modprobe amdgpu; a kernel newer than the card; firmware-amd-graphics"
                                                                : "sudo modprobe xe (or i915); a kernel newer than the card");
    }
    return false;
}

RULE(gpu_driver_old)
{
    for (int i = 0; i < f->m->n_gpus; i++) {
        const struct hw_gpu *g = &f->m->gpus[i];
        const int major = is(g->vendor, "NVIDIA") && g->kind == HW_GPU_DISCRETE ? atoi(g->driver_version) : 0;
        const int need = g->compute_major >= 10 ? 570 : 525; /* CUDA 12.8 for Blackwell, CUDA 12.0 else (CUDA release notes, table of drivers) */
        if (major > 0 && major < need)
            return doctor_say(out, "driver %s of %.60s is too old for CUDA %s", g->driver_version, g->name, need == 570 ? "12.8, the first that knows the card" : "12");
    }
    return false;
}

RULE(gpu_cuda_end)
{
    for (int i = 0; i < f->m->n_gpus; i++) {
        const struct hw_gpu *g = &f->m->gpus[i];
        if (is(g->vendor, "NVIDIA") && g->compute_major > 0 && g->compute_major * 10 + g->compute_minor < 75)
            return doctor_say(out, "%.60s (compute %d.%d) is not supported from CUDA 13 on", g->name, g->compute_major, g->compute_minor);
    }
    return false;
}

RULE(gpu_persistence)
{
    const struct hw_gpu *g = card_of(f->m, "NVIDIA");
    return g && g->persistence == HW_NO && doctor_say(out, "persistence mode of %.80s is off", g->name);
}

RULE(gpu_throttled)
{
    for (int i = 0; i < f->m->n_gpus; i++)
        if (f->m->gpus[i].throttled == HW_YES) {
            if (is(f->m->gpus[i].throttle_reason, "power limit"))
                out->severity = DOCTOR_INFO;
            return doctor_say(out, "%.80s is slowed now: %s", f->m->gpus[i].name, f->m->gpus[i].throttle_reason);
        }
    return false;
}

RULE(gpu_power_limit)
{
    for (int i = 0; i < f->m->n_gpus; i++) {
        const struct hw_gpu *g = &f->m->gpus[i];
        if (g->power_limit_w > 0 && g->power_default_w > 0 && g->power_limit_w < g->power_default_w * 0.95)
            return doctor_say(out, "%.60s is limited to %.0f of %.0f W", g->name, g->power_limit_w, g->power_default_w);
    }
    return false;
}

RULE(gpu_link_narrow)
{
    for (int i = 0; i < f->m->n_gpus; i++) {
        const struct hw_gpu *g = &f->m->gpus[i];
        if (g->kind == HW_GPU_DISCRETE && g->link_width > 0 && g->link_width_max > g->link_width)
            return doctor_say(out, "%.60s is attached by %d of %d PCIe lanes", g->name, g->link_width, g->link_width_max);
    }
    return false;
}

RULE(gpu_mig)
{
    for (int i = 0; i < f->m->n_gpus; i++)
        if (f->m->gpus[i].mig > 0)
            return doctor_say(out, "%.60s is cut into %d MIG instances", f->m->gpus[i].name, f->m->gpus[i].mig);
    return false;
}

RULE(consumer_gpu_in_server)
{
    const struct hw_gpu *g = card_of(f->m, "NVIDIA");
    return g && is(f->m->board.form, "server") && strstr(g->name, "GeForce") && doctor_say(out, "%.60s, a consumer card, in a server", g->name);
}

/* Volta and later; GTX 16 (TU116, TU117) are compute 7.5 and have none (NVIDIA; seed-errors 001-38). */
static bool has_tensor_cores(const struct hw_gpu *g)
{
    return is(g->vendor, "NVIDIA") && g->compute_major >= 7 && !strstr(g->name, "GTX 16") && strncmp(g->chip, "TU116", 5) != 0 && strncmp(g->chip, "TU117", 5) != 0;
}
RULE(tensor_cores_unused)
{
    if (!f->precision || (strcasecmp(f->precision, "f32") != 0 && strcasecmp(f->precision, "fp32") != 0 && strcasecmp(f->precision, "float32") != 0))
        return false;
    for (int i = 0; i < f->m->n_gpus; i++)
        if (has_tensor_cores(&f->m->gpus[i]))
            return doctor_say(out, "computing in FP32 leaves the tensor cores of %.60s idle", f->m->gpus[i].name);
    return false;
}

/* ---- Jetson ---- */

RULE(jetson_generic_linux)
{
    return is_jetson(f->m) && f->m->os.kernel[0] && !strstr(f->m->os.kernel, "tegra") && !f->m->os.l4t[0]
           && doctor_say(out, "a generic Linux (kernel %.48s) runs on this Jetson, not JetPack", f->m->os.kernel);
}

/* L4T 32, 35, 36, 38 come with these kernels (NVIDIA Jetson Linux release notes; seed-errors 000-05) */
RULE(jetpack_mismatch)
{
    static const struct { int l4t; const char *kernel, *ubuntu; } pairs[] = { { 32, "4.9.", "18.04" }, { 35, "5.10.", "20.04" }, { 36, "5.15.", "22.04" }, { 38, "6.8.", "24.04" } };
    const struct hw_os *os = &f->m->os;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        if (atoi(os->l4t) != pairs[i].l4t)
            continue;
        if (os->kernel[0] && strncmp(os->kernel, pairs[i].kernel, strlen(pairs[i].kernel)) != 0)
            return doctor_say(out, "L4T %s belongs to kernel %stegra; this is %.48s", os->l4t, pairs[i].kernel, os->kernel);
        if (is(os->id, "ubuntu") && os->version[0] && !is(os->version, pairs[i].ubuntu))
            return doctor_say(out, "L4T %s belongs to Ubuntu %s; this is %.24s", os->l4t, pairs[i].ubuntu, os->version);
    }
    return false;
}

RULE(jetson_power_mode)
{
    const struct hw_setup *s = &f->m->setup;
    return is_jetson(f->m) && f->m->power_mode[0] && s->power_mode_best[0] && !is(f->m->power_mode, s->power_mode_best)
           && doctor_fix(out, "sudo nvpmodel -m %d    # %s; mind supply and cooling", s->power_mode_best_id, s->power_mode_best)
           && doctor_say(out, "the power mode is %s, %s is there", f->m->power_mode, s->power_mode_best);
}

RULE(jetson_clocks)
{
    return is_jetson(f->m) && f->m->setup.clocks_locked == HW_NO && doctor_say(out, "the clocks are not locked (jetson_clocks)");
}

RULE(jetson_super)
{
    int major = 0, minor = 0;
    return is_jetson(f->m) && strstr(f->m->board.compatible, "nvidia,p3767-000") && sscanf(f->m->os.l4t, "%d.%d", &major, &minor) == 2
           && (major < 36 || (major == 36 && minor < 4)) && doctor_say(out, "L4T %s has no Super mode for this Orin", f->m->os.l4t);
}

/* ---- accelerators ---- */

/* No rule names the stick; in a recording without any rules it is only possible; here, an open that fails says it too. */
static bool lacks_rule(const struct doctor_facts *f, struct doctor_finding *out, const struct hw_accelerator *a, enum hw_yesno rule)
{
    if (!a || rule == HW_YES)
        return false;
    if (rule == HW_NO)
        return true;
    out->confidence = f->m->is_live ? DOCTOR_LIKELY : DOCTOR_POSSIBLE;
    return f->m->is_live ? a->is_usable == HW_NO : a->is_usable != HW_YES;
}

RULE(udev_coral)
{
    return lacks_rule(f, out, stick_of(f->m, "coral-usb"), f->m->setup.udev_coral) && doctor_say(out, "no udev rule is there that gives users access to the Coral USB Accelerator");
}

RULE(udev_ncs)
{
    return lacks_rule(f, out, stick_of(f->m, "ncs"), f->m->setup.udev_ncs) && doctor_say(out, "no udev rule is there that gives users access to the Neural Compute Stick");
}

RULE(usb2_stick)
{
    for (int i = 0; i < f->m->n_accelerators; i++)
        if (is(f->m->accelerators[i].bus, "usb") && strncmp(f->m->accelerators[i].link, "USB 2", 5) == 0
            && !(is(f->m->accelerators[i].kind, "ncs2") && is(f->m->accelerators[i].state, "not booted"))) /* it boots as a USB 2 device */
            return doctor_say(out, "%.60s hangs on a USB 2 port or cable", f->m->accelerators[i].name);
    return false;
}

RULE(accelerator_without_driver)
{
    for (int i = 0; i < f->m->n_accelerators; i++)
        if (is(f->m->accelerators[i].state, "no driver"))
            return doctor_say(out, "%.60s has no driver", f->m->accelerators[i].name)
                   && doctor_fix(out, "%s", is(f->m->accelerators[i].kind, "coral-pcie") ? "build gasket-dkms from github.com/feranick/gasket-driver (Google's 1.0-18 fails on kernels from 6.4 on) and install libedgetpu1-std"
                                            : strncmp(f->m->accelerators[i].kind, "hailo", 5) == 0 ? "install hailo-all (Raspberry Pi OS) or Hailo's PCIe driver and HailoRT"
                                            : is(f->m->accelerators[i].vendor, "AMD") ? "a kernel from 6.14 on with amdxdna (CONFIG_DRM_ACCEL_AMDXDNA)"
                                                                                      : "a kernel from 6.3 on with intel_vpu (CONFIG_DRM_ACCEL_IVPU) and its firmware");
    return false;
}

RULE(coral_on_pi5)
{
    return is_pi5(f->m) && stick_of(f->m, "coral-pcie") && (f->m->os.page_bytes == 16384 || strstr(f->m->os.kernel, "2712"))
           && doctor_say(out, "a PCIe Coral beside a kernel with 16 KiB pages");
}

RULE(apex_permission)
{
    const struct hw_accelerator *a = stick_of(f->m, "coral-pcie");
    return a && is(a->state, "ready") && a->is_usable == HW_NO && doctor_say(out, "%s of the Coral cannot be opened by this user", a->device[0] ? a->device : "the device");
}

RULE(ncs_end_of_life) { return stick_of(f->m, "ncs") && doctor_say(out, "OpenVINO 2022.3 is the last release that knows the Neural Compute Stick"); }

/* ---- K3s ---- */

RULE(pi_cgroup_memory)
{
    if (!is_pi(f->m) || f->m->setup.cgroup_memory != HW_NO)
        return false;
    if (f->m->setup.has_k3s != HW_YES)
        out->severity = DOCTOR_INFO;
    return doctor_say(out, "the memory cgroup is off%s", f->m->setup.has_k3s == HW_YES ? "; K3s is installed" : "; K3s would not start");
}

RULE(k3s_not_running) { return f->m->setup.has_k3s == HW_YES && f->m->setup.k3s_runs == HW_NO && doctor_say(out, "K3s is installed and does not run, neither server nor agent"); }

RULE(k3s_bridge_filter) { return f->m->setup.has_k3s == HW_YES && f->m->setup.bridge_filter == HW_NO && doctor_say(out, "br_netfilter is not loaded; K3s is installed"); }

RULE(k3s_nvidia_runtime)
{
    const struct hw_gpu *g = card_of(f->m, "NVIDIA");
    const bool has_gpu = is_jetson(f->m) || (g && g->driver[0] && !is(g->driver, "nouveau") && !is(g->driver, "vfio-pci"));
    return f->m->setup.has_k3s == HW_YES && f->m->setup.nvidia_runtime == HW_NO && has_gpu && doctor_say(out, "K3s beside an NVIDIA GPU, and no nvidia-container-runtime");
}

RULE(k3s_device_plugin)
{
    const struct hw_accelerator *a = stick_of(f->m, "coral") ? stick_of(f->m, "coral") : stick_of(f->m, "ncs") ? stick_of(f->m, "ncs") : stick_of(f->m, "hailo");
    return a && f->m->setup.device_plugins == HW_NO && doctor_say(out, "the kubelet runs beside %.80s, and no device plug-in has a socket there", a->name);
}

RULE(time_not_synced) { return f->m->setup.time_synced == HW_NO && doctor_say(out, "the clock is not synchronized (systemd-timesyncd)"); }

RULE(address_by_dhcp) { return f->m->setup.has_k3s == HW_YES && f->m->setup.has_lease == HW_YES && doctor_say(out, "this node of K3s has its address by DHCP"); }

RULE(k3s_memory)
{
    return f->m->setup.has_k3s == HW_YES && f->m->memory.total_bytes > 0 && (double)f->m->memory.total_bytes < 1.8 * GIB
           && doctor_say(out, "K3s on %.1f GiB of memory", (double)f->m->memory.total_bytes / GIB);
}

const struct doctor_rule doctor_rules[] = {
    { "bios-known-bad", DOCTOR_BAD, DOCTOR_CERTAIN, bios_known_bad, "Beelink has acknowledged freezes during and after installation with BIOS T202; T204 and later mend them (seed 000, Beelink support forum).",
      "update the BIOS to T204 or later (bee-link.com, drivers): from a bootable USB stick or Windows, before anything else" },
    { "undervoltage", DOCTOR_BAD, DOCTOR_CERTAIN, undervoltage, "The firmware lowers the clock while the voltage is low, and SD cards and NVMe drives lose data.",
      "the board's own supply (Pi 5: 5 V 5 A) and a short cable; see: vcgencmd get_throttled" },
    { "gpu-without-driver", DOCTOR_BAD, DOCTOR_CERTAIN, gpu_without_driver, "Without it the card computes nothing: decode is bound by the memory bandwidth, and a card's is 3 to 20 times a desktop CPU's (catalog).", "" },
    { "gpu-driver-old", DOCTOR_BAD, DOCTOR_CERTAIN, gpu_driver_old, "Runtimes of today are built for CUDA 12 and later and do not start, or fall back to the CPU.", "install a driver of the 570 series or later, then reboot" },
    { "jetson-generic-linux", DOCTOR_BAD, DOCTOR_CERTAIN, jetson_generic_linux, "Only JetPack's kernel brings the GPU's driver, CUDA and TensorRT: without it the Jetson is a slow CPU.",
      "flash JetPack with NVIDIA SDK Manager or the SD card image (developer.nvidia.com/embedded/jetpack)" },
    { "jetpack-mismatch", DOCTOR_BAD, DOCTOR_LIKELY, jetpack_mismatch, "Kernel, driver and CUDA of a JetPack belong together; mixed, the GPU is not found or programs crash.",
      "reinstall JetPack in one piece: sudo apt install --reinstall nvidia-jetpack, or flash again" },
    { "pi-cgroup-memory", DOCTOR_BAD, DOCTOR_CERTAIN, pi_cgroup_memory, "K3s and other Kubernetes refuse to start without it, and containers cannot be limited (docs.k3s.io, Raspberry Pi).",
      "append \"cgroup_memory=1 cgroup_enable=memory\" to the one line of /boot/firmware/cmdline.txt, then reboot" },
    { "swap-on-sd", DOCTOR_BAD, DOCTOR_CERTAIN, swap_on_sd, "A page comes back at a few MB/s and each write wears the card: a model that swaps stands still. zram compresses in memory instead and is good.",
      "sudo dphys-swapfile swapoff && sudo systemctl disable dphys-swapfile && sudo apt install zram-tools" },
    { "memory-channels", DOCTOR_BAD, DOCTOR_CERTAIN, memory_channels, "Decode reads all weights for each token: speed falls with the bandwidth, half of the channels is about half of the tokens per second.",
      "add modules of the same kind in the empty channels (the board's manual says which slots)" },
    { "memory-slow", DOCTOR_WARNING, DOCTOR_CERTAIN, memory_slow, "Tokens per second follow the memory's rate: the missing share is lost.", "switch on XMP or EXPO in the BIOS; with two modules per channel check the board's table first" },
    { "fabric-limit", DOCTOR_INFO, DOCTOR_CERTAIN, fabric_limit, "Each chiplet reads 32 bytes per fabric clock and link: faster or more modules bring nothing (seed 002; AMD PPR).", "a higher fabric clock (FCLK) in the BIOS where it is stable; a processor with more chiplets" },
    { "memory-without-bandwidth", DOCTOR_INFO, DOCTOR_CERTAIN, memory_without_bandwidth, "A dense model that fills this memory decodes slower than one token per second (predicted: bandwidth / size). Room is not speed.",
      "use the room for mixture-of-experts models, several models, or long contexts; see: tutti fit" },
    { "thermal-throttling", DOCTOR_WARNING, DOCTOR_LIKELY, thermal_throttling, "Under load the clock falls and stays down: prefill loses most, typically 10-40 % (predicted).", "clean and improve the cooling, then compare: tutti bench --soak 10m" },
    { "frequency-capped", DOCTOR_WARNING, DOCTOR_CERTAIN, frequency_capped, "The firmware caps the clock because of heat or a weak supply; prefill falls in proportion.", "supply and cooling; see: vcgencmd get_throttled" },
    { "governor", DOCTOR_WARNING, DOCTOR_CERTAIN, governor, "At the lowest clock prefill falls in proportion (2 to 4 times), decode less; \"ondemand\" costs up to 5 % in pauses between requests (predicted).",
      "echo performance | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor" },
    { "energy-preference", DOCTOR_WARNING, DOCTOR_LIKELY, energy_preference, "The processor raises its clock late and not fully: 5-30 % of prefill (predicted).",
      "echo performance | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/energy_performance_preference" },
    { "boost-off", DOCTOR_WARNING, DOCTOR_CERTAIN, boost_off, "Prefill falls with the clock, 20-40 % on most chips (predicted); fine where noise or heat matter more.",
      "echo 1 | sudo tee /sys/devices/system/cpu/cpufreq/boost (Intel: echo 0 > .../intel_pstate/no_turbo)" },
    { "power-profile", DOCTOR_WARNING, DOCTOR_LIKELY, power_profile, "The firmware holds power and clocks down: 10-50 % of prefill (predicted).", "powerprofilesctl set performance" },
    { "on-battery", DOCTOR_WARNING, DOCTOR_LIKELY, on_battery, "Laptops halve their power limits on battery; a GPU falls further (predicted).", "plug it in" },
    { "no-avx2", DOCTOR_WARNING, DOCTOR_CERTAIN, no_avx2, "The int8 and FP16 kernels need AVX2; without it everything runs in plain C, 5 to 20 times slower in prefill (predicted).", "small models only (under 1 B parameters), or another machine" },
    { "amx-blocked", DOCTOR_WARNING, DOCTOR_CERTAIN, amx_blocked, "AMX multiplies int8 and BF16 tiles several times faster than AVX-512: prefill loses that.", "a kernel from 5.16 on that is not started with clearcpuid, noxsave or under a filter of arch_prctl" },
    { "old-32-bit", DOCTOR_WARNING, DOCTOR_CERTAIN, old_32_bit, "32-bit programs have no int8 dot product, half of the registers and 3 GiB of memory each.", "install Raspberry Pi OS (64-bit)" },
    { "container-cpus", DOCTOR_WARNING, DOCTOR_CERTAIN, container_cpus, "More threads than the limit are stopped in the middle of a step and all others wait for them.", "raise --cpus (Docker) or resources.limits.cpu (Kubernetes); tutti keeps to the limit by itself" },
    { "container-memory", DOCTOR_WARNING, DOCTOR_CERTAIN, container_memory, "A model that passes the limit is killed, and its mapped pages count when they are used.", "raise --memory (Docker) or resources.limits.memory (Kubernetes) to the model's size + 20 %" },
    { "affinity", DOCTOR_INFO, DOCTOR_CERTAIN, affinity, "Right when other programs have the rest; else those cores are idle.", "taskset -pc 0-$(($(nproc --all)-1)) $$" },
    { "smt-threads", DOCTOR_INFO, DOCTOR_LIKELY, smt_threads, "Decode is bound by memory: two threads of a core compete for it, -5 to +5 %; prefill can gain a little (seed 002; measure).", "" },
    { "numa-interleave", DOCTOR_WARNING, DOCTOR_LIKELY, numa_interleave, "Weights that one node's threads loaded lie there: the others read over the link, at 30-60 % of the bandwidth (predicted).",
      "numactl --interleave=all tutti serve ... (or one server per node: numactl -N 0 -m 0)" },
    { "numa-balancing", DOCTOR_INFO, DOCTOR_LIKELY, numa_balancing, "Each page is unmapped now and then to see who uses it: faults in the middle of a token, up to 10 % (predicted).", "echo 0 | sudo tee /proc/sys/kernel/numa_balancing" },
    { "thp", DOCTOR_WARNING, DOCTOR_POSSIBLE, thp, "Weights that are read once per token miss the TLB on every page: 2-10 % of decode (predicted).", "echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/enabled" },
    { "swap-used", DOCTOR_WARNING, DOCTOR_LIKELY, swap_used, "Pages that come back from disk during a token cost milliseconds each; the memory is too small for what runs.", "a smaller model, quantization or context (tutti fit), or close other programs" },
    { "no-swap", DOCTOR_INFO, DOCTOR_LIKELY, no_swap_on_board, "A small board that runs out of memory kills the server; zram gives 1.5 to 2 times the room for idle pages (the seeds' edge preset has it on).", "sudo apt install zram-tools" },
    { "swappiness", DOCTOR_INFO, DOCTOR_POSSIBLE, swappiness, "Packed weights and the KV cache of an idle model are written to disk first; the next request waits for them.", "sudo sysctl vm.swappiness=10" },
    { "unified-headroom", DOCTOR_WARNING, DOCTOR_LIKELY, unified_headroom, "The GPU has no memory of its own: what the desktop and other programs hold is lost for models, and 2 GiB must stay free for the system.",
      "stop the desktop: sudo systemctl isolate multi-user.target (about 0.8 GiB on a Jetson); smaller model: tutti fit" },
    { "apu-memory-limit", DOCTOR_INFO, DOCTOR_LIKELY, apu_memory_limit, "amdgpu maps at most half of the memory for the GPU by default (ttm), whatever is free: larger models do not load there.", "" },
    { "ram-under-vram", DOCTOR_INFO, DOCTOR_LIKELY, ram_under_vram, "Loaders stage weights in memory, and what does not fit the GPUs spills there: the rule is 1.5 to 2 times the VRAM (seed 001).", "add memory before another GPU" },
    { "models-on-slow-disk", DOCTOR_WARNING, DOCTOR_CERTAIN, models_on_slow_disk, "It is paid at every start and every change of models; decode does not suffer once the model is in memory.", "keep models on NVMe or a SATA SSD: tutti doctor --models DIR" },
    { "pi-nvme-gen2", DOCTOR_INFO, DOCTOR_CERTAIN, pi_nvme_gen2, "Gen 3 loads models about twice as fast (about 800 MB/s), decode stays. The Pi 5 is NOT certified for Gen 3: some drives, HATs and cables then lose the link or data (raspberrypi.com).",
      "at your own risk: dtparam=pciex1_gen=3 in /boot/firmware/config.txt, reboot; take it back when dmesg shows PCIe errors" },
    { "pi-nvme-gen3", DOCTOR_INFO, DOCTOR_POSSIBLE, pi_nvme_gen3, "It loads models about twice as fast and mostly works, but a marginal link loses the drive under load, and with it data.", "watch: dmesg | grep -i -E 'pcie|nvme'; on errors remove dtparam=pciex1_gen=3" },
    { "pi-eeprom-age", DOCTOR_INFO, DOCTOR_CERTAIN, pi_eeprom_age, "Newer ones know more NVMe drives, use SDRAM timings that are a little faster (up to 10-20 %, Raspberry Pi 2024-12) and mend boot faults.", "sudo rpi-eeprom-update -a && sudo reboot" },
    { "link-100m", DOCTOR_WARNING, DOCTOR_CERTAIN, link_100m, "A model of 5 GB needs 7 minutes over it (arithmetic), a split model waits for every layer; usually a bad cable or port.", "another cable (all 8 wires) or port of the switch; see: ethtool IFACE" },
    { "gpu-persistence", DOCTOR_WARNING, DOCTOR_CERTAIN, gpu_persistence, "Each program that finds the GPU asleep waits 1-3 s for the driver to start it (NVIDIA, driver persistence).", "sudo nvidia-smi -pm 1 (for good: sudo systemctl enable --now nvidia-persistenced)" },
    { "gpu-throttled", DOCTOR_WARNING, DOCTOR_CERTAIN, gpu_throttled, "Clocks are down while it lasts: prefill falls with them, decode a little.", "cooling, air flow, supply; see: nvidia-smi -q -d PERFORMANCE" },
    { "gpu-power-limit", DOCTOR_INFO, DOCTOR_LIKELY, gpu_power_limit, "Decode loses little down to about 70 %, prefill more: right where heat, noise or the supply limit you.", "sudo nvidia-smi -pl WATTS sets another limit" },
    { "gpu-link-narrow", DOCTOR_WARNING, DOCTOR_LIKELY, gpu_link_narrow, "Loading and prefill of offloaded layers take longer in proportion, decode hardly: on docks and risers this is as good as it gets.", "put the card in the slot next to the CPU; check riser and dock" },
    { "gpu-cuda-end", DOCTOR_INFO, DOCTOR_CERTAIN, gpu_cuda_end, "CUDA 13 dropped Maxwell, Pascal and Volta: new runtimes need builds for CUDA 12 or Vulkan.", "use builds for CUDA 12.x, or llama.cpp's Vulkan backend" },
    { "gpu-mig", DOCTOR_INFO, DOCTOR_CERTAIN, gpu_mig, "A program sees one instance: its share of memory and bandwidth.", "set CUDA_VISIBLE_DEVICES to an instance; for one large model: sudo nvidia-smi -mig 0" },
    { "consumer-gpu-in-server", DOCTOR_WARNING, DOCTOR_LIKELY, consumer_gpu_in_server, "Open-air coolers starve in a rack, most GeForce cards have no ECC, and NVIDIA's licence and warranty leave data centres out (seed 001, mistake 5).", "workstation or data-centre cards for 24/7 duty: tutti recommend" },
    { "tensor-cores-unused", DOCTOR_WARNING, DOCTOR_CERTAIN, tensor_cores_unused, "FP16 or BF16 with FP32 accumulation is 2 times (RTX 40) to 15 times (H100) the FP32 rate (catalog, NVIDIA data sheets), and weights are half as large (seed 001, mistake 2).",
      "run in FP16, BF16 or a quantization of 8 bits and less" },
    { "jetson-power-mode", DOCTOR_WARNING, DOCTOR_CERTAIN, jetson_power_mode, "The mode limits cores, GPU and memory clock: NVIDIA's own figures differ by 1.4 to 1.6 times between 15 W and the fastest mode.", "" },
    { "jetson-clocks", DOCTOR_INFO, DOCTOR_LIKELY, jetson_clocks, "The governor raises GPU and memory clocks only under load: short requests run at low clocks, 10-30 % (predicted).", "sudo jetson_clocks (until reboot; it costs idle power)" },
    { "jetson-super", DOCTOR_INFO, DOCTOR_CERTAIN, jetson_super, "JetPack 6.1 rev. 1 and later (L4T 36.4) raise the same hardware from 40 to 67 sparse TOPS and 68 to 102 GB/s on an Orin Nano 8 GB (NVIDIA, 2024-12).", "upgrade to JetPack 6.2, then choose the mode: nvpmodel -p --verbose lists them" },
    { "udev-coral", DOCTOR_WARNING, DOCTOR_CERTAIN, udev_coral, "Only root can open the stick; it changes its USB id when it boots, so both 1a6e:089a and 18d1:9302 must be named.",
      "sudo apt install libedgetpu1-std, or a rule for both ids in /etc/udev/rules.d; then: sudo udevadm control --reload && sudo udevadm trigger" },
    { "udev-ncs", DOCTOR_WARNING, DOCTOR_CERTAIN, udev_ncs, "Only root can open the stick; it changes its USB id when it boots (03e7:2485 to 03e7:f63b).",
      "SUBSYSTEM==\"usb\", ATTRS{idVendor}==\"03e7\", MODE=\"0666\" in /etc/udev/rules.d/97-myriad.rules; then: sudo udevadm trigger" },
    { "usb2-stick", DOCTOR_WARNING, DOCTOR_CERTAIN, usb2_stick, "Inputs and weights beyond 8 MB cross the cable for each inference: 480 Mbit/s instead of 5 Gbit/s.", "a blue (USB 3) port and its own cable" },
    { "accelerator-without-driver", DOCTOR_WARNING, DOCTOR_CERTAIN, accelerator_without_driver, "It is there and idle: its work falls to the CPU, for vision models typically 5 to 30 times slower (predicted).", "" },
    { "coral-on-pi5", DOCTOR_WARNING, DOCTOR_CERTAIN, coral_on_pi5, "The gasket driver needs 4 KiB pages (jeffgeerling.com 2023).", "kernel=kernel8.img, dtoverlay=pcie-32bit-dma-pi5 and dtoverlay=pciex1-compat-pi5,no-mip in /boot/firmware/config.txt, then reboot" },
    { "ncs-end-of-life", DOCTOR_INFO, DOCTOR_CERTAIN, ncs_end_of_life, "Later releases dropped the MYRIAD plug-in (docs.openvino.ai, 2023.0); no security fixes.", "keep OpenVINO 2022.3 in a container, or use another accelerator" },
    { "k3s-memory", DOCTOR_INFO, DOCTOR_LIKELY, k3s_memory, "A K3s server wants 2 GB (measured 1.4-1.6), an agent 270 MB (docs.k3s.io, resource profiling): little is left for models.", "join as an agent (K3S_URL=...), keep the server elsewhere" },
    { "k3s-not-running", DOCTOR_BAD, DOCTOR_CERTAIN, k3s_not_running, "The node is in no cluster: nothing is started on it.", "sudo journalctl -u k3s -u k3s-agent -n 50; sudo k3s check-config; then: sudo systemctl restart k3s-agent (the head: k3s)" },
    { "k3s-bridge-filter", DOCTOR_WARNING, DOCTOR_LIKELY, k3s_bridge_filter, "Packets between pods of one node pass by the rules of services: the node is Ready and its pods reach no service, not even DNS. NVIDIA's kernels do not load it by themselves (github NVIDIA/NemoClaw 2418).",
      "echo br_netfilter | sudo tee /etc/modules-load.d/k3s.conf && sudo modprobe br_netfilter" },
    { "k3s-nvidia-runtime", DOCTOR_WARNING, DOCTOR_CERTAIN, k3s_nvidia_runtime, "K3s looks for it when it starts; without it containers see no GPU and NVIDIA's plug-in offers none (docs.k3s.io/advanced).",
      "sudo apt install nvidia-container-toolkit (a PC first needs NVIDIA's repository: tutti cluster guide), then: sudo systemctl restart k3s-agent" },
    { "k3s-device-plugin", DOCTOR_INFO, DOCTOR_LIKELY, k3s_device_plugin, "Kubernetes does not know of the stick: pods that ask for it stay Pending.", "tutti device-plugin --list; then kubectl apply -k of `tutti cluster manifests`, or systemctl enable --now tutti-device-plugin" },
    { "apex-permission", DOCTOR_WARNING, DOCTOR_CERTAIN, apex_permission, "Runtimes fall back to the CPU or fail.", "a udev rule SUBSYSTEM==\"apex\", MODE=\"0660\", GROUP=\"apex\"; sudo usermod -aG apex $USER; log in again" },
    { "time-not-synced", DOCTOR_WARNING, DOCTOR_LIKELY, time_not_synced, "Certificates are not valid before they were made: a node whose clock is behind joins no cluster, and traces do not add up.", "sudo timedatectl set-ntp true; port 123/udp must be open" },
    { "address-by-dhcp", DOCTOR_INFO, DOCTOR_POSSIBLE, address_by_dhcp, "Fine while the router has reserved it; else the node is lost when the lease is given to another.", "reserve it in the router, or a fixed address: tutti cluster guide" },
    { "hanging-device", DOCTOR_WARNING, DOCTOR_CERTAIN, hanging_device, "A driver that hangs in its attributes hangs programs too.", "dmesg | tail -50; reload or update that driver" },
};
const int doctor_n_rules = sizeof(doctor_rules) / sizeof(doctor_rules[0]);
