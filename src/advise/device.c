/* advise/device.c - devices from catalog rows and from what people write; this machine's are in device_here.c. */
#include "advise/device.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "advise/hardware.h"
#include "plan/bandwidth.h"
#include "plan/memory.h"

const char device_spec_help[] =
    "NAME[,key=value...]: mem= and ram= in GB (of the device, of the host), bw= in GB/s, tflops= (fp16), n= devices, channels=, mts=, sockets=, "
    "ccds=, links= (per CCD), fclk= in GHz, link= in GB/s or by name (host to device), runtime=";

const char *device_runtime(enum plan_class cls)
{
    static const char *const usual[] = { [PLAN_NVIDIA] = "llama.cpp CUDA", [PLAN_AMD] = "llama.cpp ROCm", [PLAN_INTEL] = "llama.cpp SYCL", [PLAN_APPLE] = "llama.cpp Metal",
                                         [PLAN_CPU] = "tutti CPU", [PLAN_SOC] = "tutti CPU", [PLAN_JETSON] = "llama.cpp CUDA", [PLAN_NPU] = "NPU runtime of its maker" };
    return usual[cls];
}

static void take(struct plan_device *p, enum plan_figure f, double *to, double v, enum plan_source from)
{
    if (v > 0 && isfinite(v))
        *to = v, p->source[f] = from;
}

/* Two levels that AMD's chiplets add: the row's CCDs and links, its platform's clock. */
static void memory_of_row(struct plan_memory_build *b, struct catalog *c, const struct catalog_row *row)
{
    struct err ignored = { 0 };
    b->channels = (int)catalog_number_or(row, "n_channels", 0);
    b->mts = catalog_number_or(row, "mem_mts", 0);
    b->n_ccd = (int)catalog_number_or(row, "n_ccds", 0);
    b->links_per_ccd = (int)catalog_number_or(row, "n_ccd_links", 0);
    const struct catalog_table *platforms = catalog_text(row, "platform")[0] ? catalog_table(c, "platform", &ignored) : NULL;
    const struct catalog_row *platform = platforms ? catalog_find(platforms, catalog_text(row, "platform"), &ignored) : NULL;
    b->fclk_ghz = platform ? catalog_number_or(platform, "fclk_ghz", 0) : 0;
}

static void peak_steps(struct device *d, const struct catalog_row *row)
{
    const int cores = (int)catalog_number_or(row, "n_cores", 0), p = (int)catalog_number_or(row, "n_p_cores", 0), e = (int)catalog_number_or(row, "n_e_cores", 0);
    const struct plan_cores kinds[] = {
        { p > 0 ? p : cores, catalog_number_or(row, "turbo_ghz", 0), (int)catalog_number_or(row, "n_flop_cycle", 0) },
        { e, catalog_number_or(row, "e_turbo_ghz", 0), (int)catalog_number_or(row, "n_e_flop_cycle", 0) },
    };
    const size_t n = strlen(d->steps);
    if (kinds[0].n > 0 && kinds[0].ghz > 0 && kinds[0].flop_per_cycle > 0)
        plan_cpu_peak_tflops(kinds, e > 0 && kinds[1].ghz > 0 ? 2 : 1, d->steps + n, sizeof(d->steps) - n);
}

static enum plan_class class_of_row(const struct catalog_row *row, bool *is_known)
{
    enum plan_class cls = PLAN_CPU;
    *is_known = plan_class_parse(catalog_text(row, "class"), &cls);
    return cls;
}

bool device_of_row(struct device *d, struct catalog *c, const struct catalog_row *row, struct err *err)
{
    struct hardware hw;
    bool is_known;
    memset(d, 0, sizeof(*d));
    if (!hardware_of(c, row, &hw, err))
        return false;
    const struct catalog_row *chip = hw.chip;
    struct plan_device *p = &d->plan;
    p->cls = class_of_row(chip, &is_known);
    if (!is_known)
        return err_set(err, ERR_INPUT, "%s: no device that runs language models", catalog_name(row));
    snprintf(p->name, sizeof(p->name), "%.90s", catalog_name(chip));
    snprintf(p->runtime, sizeof(p->runtime), "%.44s", device_runtime(p->cls));
    d->row = row;
    p->n_devices = 1, p->pp_correction = p->tg_correction = 1;
    p->year = (int)catalog_number_or(chip, "year", 0);
    p->is_unified = p->cls == PLAN_APPLE || p->cls == PLAN_CPU || p->cls == PLAN_SOC || p->cls == PLAN_JETSON || p->cls == PLAN_NPU || strstr(p->name, "iGPU") || strstr(p->name, "Ryzen");
    p->is_phone = strcmp(catalog_name_of(catalog_table_of(chip)), "phone") == 0;
    double mem_gb = 0;
    take(p, PLAN_FIG_MEM, &mem_gb, catalog_number_or(chip, "mem_gb", 0), PLAN_CATALOG);
    if (row != chip)
        take(p, PLAN_FIG_MEM, &mem_gb, catalog_number_or(row, "mem_gb", 0), PLAN_CATALOG);
    p->mem_bytes = (uint64_t)(mem_gb * 1e9);
    take(p, PLAN_FIG_BW, &p->bw_gbps, catalog_number_or(chip, "mem_bw_gbps", 0), PLAN_CATALOG);
    take(p, PLAN_FIG_FP16, &p->fp16_tflops, catalog_number_or(chip, "fp16_tflops", 0), PLAN_CATALOG);
    take(p, PLAN_FIG_FP32, &p->fp32_tflops, catalog_number_or(chip, "fp32_tflops", 0), PLAN_CATALOG);
    take(p, PLAN_FIG_INT8, &p->int8_tops, catalog_number_or(chip, "int8_tops", 0), PLAN_CATALOG);
    take(p, PLAN_FIG_LOAD_W, &p->load_w, catalog_number_or(chip, "tdp_w", 0), PLAN_CATALOG);
    p->cores = (int)catalog_number_or(chip, "n_cores", 0);
    p->source[PLAN_FIG_CORES] = p->cores > 0 ? PLAN_CATALOG : PLAN_UNKNOWN;
    if (!p->is_unified) /* a slot of x16 of its time, as the usable rates of the table interconnect */
        take(p, PLAN_FIG_LINK, &p->link_gbps, p->year >= 2025 ? 56 : p->year >= 2020 ? 28 : 14, PLAN_DERIVED);
    if (p->cls == PLAN_CPU)
        peak_steps(d, chip);
    return true;
}

/* ---- what people write ---- */

struct key {
    const char *name;
    double max, value;
};
enum { K_MEM, K_RAM, K_BW, K_TFLOPS, K_N, K_CHANNELS, K_MTS, K_SOCKETS, K_CCDS, K_LINKS, K_FCLK, K_LINK, K_COUNT };

/* "link=Thunderbolt 4": what that link passes in practice. */
static bool named_link(struct catalog *c, const char *name, double *gbps, struct err *err)
{
    const struct catalog_table *t = catalog_table(c, "interconnect", err);
    const struct catalog_row *row = t ? catalog_find(t, name, err) : NULL;
    *gbps = row ? catalog_number_or(row, "usable_gbps", 0) : 0;
    return *gbps > 0 || (row && err_set(err, ERR_INPUT, "link=%s: its rate is not known", name));
}

static bool read_keys(char *text, struct catalog *c, struct key keys[K_COUNT], char runtime[48], struct err *err)
{
    for (char *at = strtok(text, ","); at; at = strtok(NULL, ",")) {
        while (*at == ' ')
            at++;
        char *eq = strchr(at, '=');
        if (!eq)
            return err_set(err, ERR_INPUT, "'%s' is no key=value; known: %s", at, device_spec_help);
        *eq++ = '\0';
        if (strcmp(at, "runtime") == 0) {
            if (!plan_engine_is_known(eq))
                return err_set(err, ERR_INPUT, "runtime=%.40s: not known; `tutti catalog runtime` names some", eq);
            snprintf(runtime, 48, "%.44s", eq);
            continue;
        }
        int k = 0;
        while (k < K_COUNT && strcmp(at, keys[k].name) != 0)
            k++;
        if (k == K_COUNT)
            return err_set(err, ERR_INPUT, "no key '%s'; known: %s", at, device_spec_help);
        if (k == K_LINK && isalpha((unsigned char)eq[0])) {
            if (!named_link(c, eq, &keys[k].value, err))
                return false;
            continue;
        }
        char *end;
        keys[k].value = isdigit((unsigned char)eq[0]) || eq[0] == '.' ? strtod(eq, &end) : -1;
        if (!(keys[k].value > 0) || keys[k].value > keys[k].max || *end)
            return err_set(err, ERR_INPUT, "%s=%s: a number up to %g is needed", at, eq, keys[k].max);
    }
    return true;
}

static void given(struct plan_device *p, enum plan_figure f, double *to, double v) { take(p, f, to, v, PLAN_GIVEN); }

static void apply_memory(struct device *d, struct catalog *c, const struct key *keys)
{
    struct plan_memory_build b = { 0 };
    struct plan_device *p = &d->plan;
    char steps[sizeof(d->steps)];
    if (d->row)
        memory_of_row(&b, c, d->row);
    const bool is_built = keys[K_CHANNELS].value > 0 || keys[K_MTS].value > 0 || keys[K_SOCKETS].value > 0 || keys[K_CCDS].value > 0 || keys[K_LINKS].value > 0 || keys[K_FCLK].value > 0;
    b.channels = keys[K_CHANNELS].value > 0 ? (int)keys[K_CHANNELS].value : b.channels;
    b.mts = keys[K_MTS].value > 0 ? keys[K_MTS].value : b.mts;
    b.sockets = (int)keys[K_SOCKETS].value;
    b.n_ccd = keys[K_CCDS].value > 0 ? (int)keys[K_CCDS].value : b.n_ccd;
    b.links_per_ccd = keys[K_LINKS].value > 0 ? (int)keys[K_LINKS].value : b.links_per_ccd;
    b.fclk_ghz = keys[K_FCLK].value > 0 ? keys[K_FCLK].value : b.fclk_ghz;
    const struct plan_bandwidth w = plan_bandwidth_of(&b);
    snprintf(steps, sizeof(steps), "%.390s%.600s", w.steps, d->steps);
    memcpy(d->steps, steps, sizeof(steps));
    if (is_built || !(p->bw_gbps > 0))
        take(p, PLAN_FIG_BW, &p->bw_gbps, w.gbps, is_built ? PLAN_GIVEN : PLAN_DERIVED);
    if (is_built && b.sockets > 1) {
        p->fp32_tflops *= b.sockets, p->fp16_tflops *= b.sockets;
        p->cores *= b.sockets;
    }
}

void device_times(struct device *d, int n)
{
    char one[sizeof(d->plan.name)];
    if (n < 2)
        return;
    d->plan.n_devices = n;
    memcpy(one, d->plan.name, sizeof(one));
    snprintf(d->plan.name, sizeof(d->plan.name), "%dx %.80s", n, one);
}

bool device_of_spec(struct device *d, struct catalog *c, const char *text, struct err *err)
{
    struct key keys[K_COUNT] = { [K_MEM] = { "mem", 1e5, 0 }, [K_RAM] = { "ram", 1e5, 0 }, [K_BW] = { "bw", 1e5, 0 }, [K_TFLOPS] = { "tflops", 1e5, 0 }, [K_N] = { "n", 64, 0 },
                                 [K_CHANNELS] = { "channels", 24, 0 }, [K_MTS] = { "mts", 2e4, 0 }, [K_SOCKETS] = { "sockets", 8, 0 }, [K_CCDS] = { "ccds", 32, 0 },
                                 [K_LINKS] = { "links", 2, 0 }, [K_FCLK] = { "fclk", 5, 0 }, [K_LINK] = { "link", 1000, 0 } };
    char copy[256], runtime[48] = "";
    if (strlen(text) >= sizeof(copy))
        return err_set(err, ERR_INPUT, "a device's name of %zu characters", strlen(text));
    snprintf(copy, sizeof(copy), "%s", text);
    char *rest = strchr(copy, ',');
    if (rest)
        *rest++ = '\0';
    if (rest && !read_keys(rest, c, keys, runtime, err))
        return false;
    int n = 0;
    const char *name = hardware_after_count(copy, &n);
    if (name != copy && (n < 1 || n > (int)keys[K_N].max))
        return err_set(err, ERR_INPUT, "%d of '%.60s': a number from 1 to %g is needed", n, name, keys[K_N].max);
    if (name != copy)
        keys[K_N].value = n;
    enum plan_class cls;
    if (plan_class_parse(name, &cls)) {
        memset(d, 0, sizeof(*d));
        d->plan = (struct plan_device){ .cls = cls, .n_devices = 1, .pp_correction = 1, .tg_correction = 1,
                                        .is_unified = cls != PLAN_NVIDIA && cls != PLAN_AMD && cls != PLAN_INTEL };
        snprintf(d->plan.name, sizeof(d->plan.name), "%s", plan_class_people(cls));
        snprintf(d->plan.runtime, sizeof(d->plan.runtime), "%s", device_runtime(cls));
    } else {
        struct hardware hw;
        if (!hardware_find(c, name, &hw, err) || !device_of_row(d, c, hw.row, err))
            return false;
    }
    struct plan_device *p = &d->plan;
    if (p->cls == PLAN_CPU)
        apply_memory(d, c, keys);
    double mem_gb = 0;
    given(p, PLAN_FIG_MEM, &mem_gb, keys[K_MEM].value > 0 || p->cls != PLAN_CPU ? keys[K_MEM].value : keys[K_RAM].value);
    if (mem_gb > 0)
        p->mem_bytes = (uint64_t)(mem_gb * 1e9);
    given(p, PLAN_FIG_BW, &p->bw_gbps, keys[K_BW].value);
    given(p, PLAN_FIG_FP16, p->cls == PLAN_CPU ? &p->fp32_tflops : &p->fp16_tflops, keys[K_TFLOPS].value);
    given(p, PLAN_FIG_LINK, &p->link_gbps, keys[K_LINK].value);
    d->host_bytes = p->is_unified ? 0 : (uint64_t)(keys[K_RAM].value * 1e9);
    if (runtime[0])
        snprintf(p->runtime, sizeof(p->runtime), "%s", runtime);
    device_times(d, (int)keys[K_N].value);
    if (!(p->bw_gbps > 0))
        return err_set(err, ERR_INPUT, "%s: its memory bandwidth is not known: add bw=GB/s", text);
    return true;
}
