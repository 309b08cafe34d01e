/* route/telemetry.c - see telemetry.h; start at telemetry_read(); what is read is found in find_all().
 *
 * Files: as in hw/thermal.c and hw/power.c; Linux Documentation/accounting/psi.rst, filesystems/proc.rst (stat, meminfo).
 */
#include "route/telemetry.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "hw/cgroup.h"
#include "hw/gpu_watch.h"
#include "hw/machine.h"
#include "hw/meter.h"
#include "hw/tap.h"
#include "proc/memory.h"

enum { SENSORS_MAX = TELEMETRY_SENSORS_MAX, COOLERS_MAX = 8, CORES_MAX = 16, SUPPLIES_MAX = 4, GPUS_MAX = 4, PSI_MAX = 2 };
static const uint64_t LOOK_AGAIN_NS = 60000000000u;
/* Where there is no trip point: the Pi's firmware slows down at 80 C whatever its zone says (raspberrypi.com/documentation/computers/
 * raspberry-pi.html, thermal control); AMD's processors at 95 C; a critical temperature is where it switches off. */
static const float PI_LIMIT_C = 80, AMD_LIMIT_C = 95, ANY_LIMIT_C = 85, BELOW_CRITICAL_C = 10, BELOW_TJMAX_C = 3;

struct sensor {
    struct hw_tap tap;
    char name[48];
    float limit_c, critical_c; /* NAN: not known */
    float now_c;               /* as it was read last */
    bool is_accelerator;
};

struct supply {
    struct hw_tap capacity, status, power, voltage, current;
};

struct gpu {
    struct hw_tap busy, total, used, power, cap; /* percent or thousandths; bytes; microwatts */
    float busy_scale;
    const char *name;                /* of its driver */
    int sensor;                      /* its thermometer; -1: none of its own */
    float busy_frac, total_bytes, used_bytes, power_w, power_limit_w; /* as they were read last */
    bool is_lost;
};

struct telemetry_source {
    char *path;               /* of the root; owned */
    struct hw_root *root;
    struct hw_meter *meter;
    struct sensor sensors[SENSORS_MAX];
    int n_sensors;
    struct hw_tap coolers[COOLERS_MAX], cores[CORES_MAX], pi_flags, pi_volt;
    int n_coolers, n_cores;
    struct supply supplies[SUPPLIES_MAX];
    int n_supplies;
    struct hw_tap mains[SUPPLIES_MAX];
    int n_mains;
    struct gpu gpus[GPUS_MAX];
    int n_gpus;
    struct gpu_watch *watch;  /* NVIDIA's; NULL: none */
    bool asks_gpus;
    struct gpu_now nvidia[GPU_WATCH_MAX]; /* as they were read last */
    int n_nvidia;
    struct hw_tap stat, meminfo, psi_memory[PSI_MAX], psi_cpu;
    float power_limit_w;
    /* between two snapshots */
    uint64_t looked_ns;
    bool has_lost;            /* something that was there is gone */
    int n_most;               /* things that were there at a time */
    uint64_t busy, idle;      /* of /proc/stat */
    int64_t slow_events;
    double joules;
    uint64_t joules_ns;
    float power_w;
};

/* ---- finding ---- */

static bool has_prefix(const char *s, const char *prefix) { return strncmp(s, prefix, strlen(prefix)) == 0; }

static void add_sensor(struct telemetry_source *s, const struct hw_thermal *t, bool is_pi)
{
    struct sensor *x = &s->sensors[s->n_sensors];
    const bool is_zone = has_prefix(t->source, "thermal_zone");
    if (t->has_value != HW_YES || s->n_sensors == SENSORS_MAX || has_prefix(t->name, "nvme") || has_prefix(t->name, "BAT") || has_prefix(t->name, "iwlwifi"))
        return; /* drives, batteries and radios do not get cooler when we compute less */
    if (!(is_zone ? hw_tap_open(&x->tap, s->root, "sys/class/thermal/%s/temp", t->source)
                  : hw_tap_open(&x->tap, s->root, "sys/class/hwmon/%s_input", t->source)))
        return;
    snprintf(x->name, sizeof(x->name), "%s", t->name);
    x->is_accelerator = has_prefix(t->name, "apex");
    x->critical_c = t->trip_critical_c > 0 ? (float)t->trip_critical_c : NAN;
    x->limit_c = t->trip_passive_c > 0                                      ? (float)t->trip_passive_c
                 : is_pi && has_prefix(t->name, "cpu")                       ? PI_LIMIT_C
                 : has_prefix(t->name, "k10temp") || has_prefix(t->name, "zenpower") ? AMD_LIMIT_C
                                                                            : x->critical_c - (is_zone ? BELOW_CRITICAL_C : BELOW_TJMAX_C);
    s->n_sensors++;
}

static void find_coolers(struct telemetry_source *s)
{
    struct hw_names names;
    char type[48];
    hw_list(s->root, &names, "sys/class/thermal");
    for (int i = 0; i < names.n && s->n_coolers < COOLERS_MAX; i++)
        if (has_prefix(names.name[i], "cooling_device") && hw_read(s->root, type, sizeof(type), "sys/class/thermal/%s/type", names.name[i]) &&
            hw_is_processor_cooling(type) && hw_tap_open(&s->coolers[s->n_coolers], s->root, "sys/class/thermal/%s/cur_state", names.name[i]))
            s->n_coolers++;
    hw_names_free(&names);
    for (int i = 0; i < CORES_MAX; i++)
        if (hw_tap_open(&s->cores[s->n_cores], s->root, "sys/devices/system/cpu/cpu%d/thermal_throttle/core_throttle_count", i))
            s->n_cores++;
    hw_list(s->root, &names, "sys/devices/platform"); /* as hw/thermal.c, read_pi() */
    for (int i = 0; i < names.n && s->pi_flags.fd < 0 && !s->pi_flags.root; i++)
        if (strcmp(names.name[i], "soc") == 0 || has_prefix(names.name[i], "soc@"))
            hw_tap_open(&s->pi_flags, s->root, "sys/devices/platform/%.60s/%.60s:firmware/get_throttled", names.name[i], names.name[i]);
    hw_names_free(&names);
}

static void find_supplies(struct telemetry_source *s, const struct hw_machine *m)
{
    for (int i = 0; i < m->n_supplies; i++) {
        const char *n = m->supplies[i].name, *kind = m->supplies[i].kind;
        struct supply *x = &s->supplies[s->n_supplies];
        if (strcmp(kind, "battery") == 0 || strcmp(kind, "ups") == 0) {
            if (s->n_supplies == SUPPLIES_MAX || !hw_tap_open(&x->capacity, s->root, "sys/class/power_supply/%s/capacity", n))
                continue;
            hw_tap_open(&x->status, s->root, "sys/class/power_supply/%s/status", n);
            if (!hw_tap_open(&x->power, s->root, "sys/class/power_supply/%s/power_now", n)) {
                hw_tap_open(&x->voltage, s->root, "sys/class/power_supply/%s/voltage_now", n);
                hw_tap_open(&x->current, s->root, "sys/class/power_supply/%s/current_now", n);
            }
            s->n_supplies++;
        } else if (s->n_mains < SUPPLIES_MAX && strcmp(kind, "mains") == 0 && hw_tap_open(&s->mains[s->n_mains], s->root, "sys/class/power_supply/%s/online", n)) {
            s->n_mains++;
        }
    }
}

/* Cards whose driver says how they are in files: amdgpu, and Jetson's GPU.  NVIDIA's cards: read_nvidia(). */
static void find_gpus(struct telemetry_source *s)
{
    struct hw_names names;
    char chip[32];
    int64_t v;
    hw_list(s->root, &names, "sys/class/hwmon");
    for (int i = 0; i < names.n && i < 64; i++) {
        const char *n = names.name[i];
        if (!hw_read(s->root, chip, sizeof(chip), "sys/class/hwmon/%s/name", n))
            continue;
        if (strcmp(chip, "rpi_volt") == 0)
            hw_tap_open(&s->pi_volt, s->root, "sys/class/hwmon/%s/in0_lcrit_alarm", n);
        if (strcmp(chip, "amdgpu") != 0 || s->n_gpus == GPUS_MAX || s->n_sensors == SENSORS_MAX)
            continue;
        struct sensor *x = &s->sensors[s->n_sensors];
        struct gpu *g = &s->gpus[s->n_gpus];
        if (!hw_tap_open(&x->tap, s->root, "sys/class/hwmon/%s/temp1_input", n))
            continue;
        s->n_sensors++;
        snprintf(x->name, sizeof(x->name), "amdgpu");
        x->is_accelerator = true;
        x->critical_c = hw_read_i64(s->root, &v, "sys/class/hwmon/%s/temp1_crit", n) && v > 0 ? (float)v / 1000 : NAN;
        x->limit_c = x->critical_c - BELOW_TJMAX_C;
        if (!hw_tap_open(&g->busy, s->root, "sys/class/hwmon/%s/device/gpu_busy_percent", n))
            continue;
        s->n_gpus++;
        hw_tap_open(&g->total, s->root, "sys/class/hwmon/%s/device/mem_info_vram_total", n);
        hw_tap_open(&g->used, s->root, "sys/class/hwmon/%s/device/mem_info_vram_used", n);
        if (!hw_tap_open(&g->power, s->root, "sys/class/hwmon/%s/power1_average", n))
            hw_tap_open(&g->power, s->root, "sys/class/hwmon/%s/power1_input", n);
        hw_tap_open(&g->cap, s->root, "sys/class/hwmon/%s/power1_cap", n);
        g->busy_scale = 0.01f;
        g->name = "amdgpu";
        g->sensor = s->n_sensors - 1;
    }
    hw_names_free(&names);
    if (s->n_gpus < GPUS_MAX && (hw_tap_open(&s->gpus[s->n_gpus].busy, s->root, "sys/devices/gpu.0/load") ||
                                 hw_tap_open(&s->gpus[s->n_gpus].busy, s->root, "sys/devices/platform/gpu.0/load"))) {
        struct gpu *g = &s->gpus[s->n_gpus++];
        g->busy_scale = 0.001f;
        g->name = "jetson";
        g->sensor = -1;
        for (int i = 0; i < s->n_sensors; i++) /* "GPU-therm", "gpu-thermal" */
            if (strncasecmp(s->sensors[i].name, "gpu", 3) == 0)
                g->sensor = i;
    }
}

static void each_tap(struct telemetry_source *s, void (*call)(struct hw_tap *t))
{
    for (int i = 0; i < SENSORS_MAX; i++)
        call(&s->sensors[i].tap);
    for (int i = 0; i < COOLERS_MAX; i++)
        call(&s->coolers[i]);
    for (int i = 0; i < CORES_MAX; i++)
        call(&s->cores[i]);
    for (int i = 0; i < SUPPLIES_MAX; i++) {
        struct supply *x = &s->supplies[i];
        struct hw_tap *const taps[] = { &x->capacity, &x->status, &x->power, &x->voltage, &x->current, &s->mains[i] };
        for (size_t k = 0; k < sizeof(taps) / sizeof(taps[0]); k++)
            call(taps[k]);
    }
    for (int i = 0; i < GPUS_MAX; i++) {
        struct gpu *g = &s->gpus[i];
        struct hw_tap *const taps[] = { &g->busy, &g->total, &g->used, &g->power, &g->cap };
        for (size_t k = 0; k < sizeof(taps) / sizeof(taps[0]); k++)
            call(taps[k]);
    }
    for (int i = 0; i < PSI_MAX; i++)
        call(&s->psi_memory[i]);
    struct hw_tap *const others[] = { &s->pi_flags, &s->pi_volt, &s->stat, &s->meminfo, &s->psi_cpu };
    for (size_t k = 0; k < sizeof(others) / sizeof(others[0]); k++)
        call(others[k]);
}

static void set_closed(struct hw_tap *t) { t->fd = -1; } /* 0 is a descriptor */

static void close_all(struct telemetry_source *s)
{
    each_tap(s, hw_tap_close);
    s->n_sensors = s->n_coolers = s->n_cores = s->n_supplies = s->n_mains = s->n_gpus = 0;
}

static bool find_all(struct telemetry_source *s, struct err *err)
{
    struct hw_machine *m = calloc(1, sizeof(*m));
    char group[CGROUP_PATH_BYTES];
    if (!m)
        return err_set(err, ERR_NOMEM, "telemetry: out of memory");
    hw_detect_board(s->root, m);
    hw_detect_thermal(s->root, m);
    hw_detect_power(s->root, m);
    hw_detect_supplies(s->root, m);
    const bool is_pi = strstr(m->board.product, "Raspberry Pi") != NULL;
    bool has_limit = false;
    for (int i = 0; i < m->n_thermal; i++)
        add_sensor(s, &m->thermal[i], is_pi);
    for (int i = 0; i < s->n_sensors; i++)
        has_limit |= !s->sensors[i].is_accelerator && !isnan(s->sensors[i].limit_c);
    for (int i = 0; i < s->n_sensors; i++) /* what has no limit counts only where nothing has one */
        if (isnan(s->sensors[i].limit_c) && (!has_limit || s->sensors[i].is_accelerator))
            s->sensors[i].limit_c = ANY_LIMIT_C;
    s->power_limit_w = NAN;
    for (int i = 0; i < m->n_power; i++)
        if (m->power[i].limit_w > 0 && isnan(s->power_limit_w))
            s->power_limit_w = (float)m->power[i].limit_w;
    find_supplies(s, m);
    free(m);
    find_coolers(s);
    find_gpus(s);
    cgroup_path(s->root, group);
    hw_tap_open(&s->stat, s->root, "proc/stat");
    hw_tap_open(&s->meminfo, s->root, "proc/meminfo");
    hw_tap_open(&s->psi_memory[0], s->root, "proc/pressure/memory");
    if (strlen(group) > 1 && strlen(group) < 150)
        hw_tap_open(&s->psi_memory[1], s->root, "sys/fs/cgroup%s/memory.pressure", group);
    hw_tap_open(&s->psi_cpu, s->root, "proc/pressure/cpu");
    const int n = s->n_sensors + s->n_supplies + s->n_gpus;
    s->has_lost = n < s->n_most;
    s->n_most = n > s->n_most ? n : s->n_most;
    return true;
}

/* ---- reading ---- */

static float kelvin_free(int64_t mc) { return mc > 0 && mc < 150000 ? (float)mc / 1000 : NAN; } /* -274, 0 of an absent diode do not count */

static void gpu_heat(struct telemetry *t, float c, float limit_c)
{
    if (!(t->gpu_headroom_c <= limit_c - c))
        t->gpu_headroom_c = limit_c - c, t->gpu_temperature_c = c;
}

static void read_heat(struct telemetry_source *s, struct telemetry *t)
{
    for (int i = 0; i < s->n_sensors; i++) {
        struct sensor *x = &s->sensors[i];
        int64_t mc;
        const float c = x->now_c = hw_tap_read_i64(&x->tap, &mc) ? kelvin_free(mc) : NAN;
        s->has_lost |= isnan(c);
        if (isnan(c) || isnan(x->limit_c))
            continue;
        const float left = x->limit_c - c;
        if (x->is_accelerator) {
            gpu_heat(t, c, x->limit_c);
        } else if (!(t->headroom_c <= left)) {
            t->headroom_c = left;
            t->temperature_c = c;
            t->limit_c = x->limit_c;
            t->critical_c = x->critical_c;
            memcpy(t->sensor, x->name, sizeof(t->sensor));
        }
    }
}

static void read_slow(struct telemetry_source *s, struct telemetry *t)
{
    int64_t v, events = 0;
    char text[32];
    for (int i = 0; i < s->n_coolers; i++)
        if (hw_tap_read_i64(&s->coolers[i], &v) && v > 0)
            t->slow |= TELEMETRY_SLOW_HEAT;
    for (int i = 0; i < s->n_cores; i++)
        if (hw_tap_read_i64(&s->cores[i], &v) && v > 0 && events < INT64_MAX / 2 && v < INT64_MAX / 2)
            events += v;
    if (s->slow_events >= 0 && events > s->slow_events)
        t->slow |= TELEMETRY_SLOW_HEAT;
    s->slow_events = events;
    t->slow_events = (uint64_t)events;
    if (hw_tap_read(&s->pi_flags, text, sizeof(text))) { /* "50005" or "0x50005"; bits 0 to 3 are of now */
        const unsigned long bits = strtoul(text, NULL, 16);
        t->slow |= (bits & 1 ? TELEMETRY_SLOW_VOLTAGE : 0u) | (bits & 2 ? TELEMETRY_SLOW_CAPPED : 0u) | (bits & 0xc ? TELEMETRY_SLOW_HEAT : 0u);
    }
    if (hw_tap_read_i64(&s->pi_volt, &v) && v > 0)
        t->slow |= TELEMETRY_SLOW_VOLTAGE;
}

static void read_supplies(struct telemetry_source *s, struct telemetry *t)
{
    int64_t v, a, b;
    char status[24];
    float sum = 0;
    int n = 0;
    bool is_online = false, is_emptying = false;
    for (int i = 0; i < s->n_mains; i++)
        is_online |= hw_tap_read_i64(&s->mains[i], &v) && v > 0;
    for (int i = 0; i < s->n_supplies; i++) {
        const struct supply *x = &s->supplies[i];
        if (!hw_tap_read_i64(&x->capacity, &v) || v < 0 || v > 100) {
            s->has_lost = true;
            continue;
        }
        sum += (float)v / 100;
        n++;
        if (hw_tap_read(&x->status, status, sizeof(status)) && strcmp(status, "Discharging") == 0) {
            is_emptying = true;
            double w = 0;
            if (hw_tap_read_i64(&x->power, &a))
                w = (double)a * 1e-6;
            else if (hw_tap_read_i64(&x->voltage, &a) && hw_tap_read_i64(&x->current, &b))
                w = (double)a * (double)b * 1e-12;
            w = fabs(w); /* some drivers count what flows out below zero */
            if (w > 0 && w < 1e5)
                t->battery_w = (float)w + (isnan(t->battery_w) ? 0 : t->battery_w);
        }
    }
    if (n > 0)
        t->battery_frac = sum / (float)n;
    t->on_battery = is_emptying && !is_online;
}

static void read_power(struct telemetry_source *s, uint64_t now, struct telemetry *t)
{
    const double j = s->meter ? hw_meter_joules(s->meter, now) : NAN;
    if (!isnan(j) && s->joules_ns && now > s->joules_ns + 100000000u) {
        s->power_w = (float)((j - s->joules) / ((double)(now - s->joules_ns) * 1e-9));
        s->joules = j, s->joules_ns = now;
    } else if (!isnan(j) && !s->joules_ns) {
        s->joules = j, s->joules_ns = now;
    }
    t->power_w = !isnan(s->power_w) ? s->power_w : t->battery_w;
    t->power_limit_w = s->power_limit_w;
}

static float field_bytes(const char *text, const char *key)
{
    const char *at = strstr(text, key);
    return at ? (float)(strtod(at + strlen(key), NULL) * 1024) : NAN;
}

/* "some avg10=0.12 avg60=..." and "full avg10=..." in percent. */
static float psi(const char *text, const char *kind)
{
    const char *at = strstr(text, kind);
    const char *avg = at ? strstr(at, "avg10=") : NULL;
    const double v = avg ? strtod(avg + 6, NULL) : -1;
    return v >= 0 && v <= 100 ? (float)(v / 100) : NAN;
}

static float worse(float a, float b) { return isnan(a) || b > a ? b : a; }

static void read_memory(struct telemetry_source *s, struct telemetry *t)
{
    char text[2048];
    if (hw_tap_read(&s->meminfo, text, sizeof(text))) {
        t->memory_total_bytes = field_bytes(text, "MemTotal:");
        t->memory_free_bytes = field_bytes(text, "MemAvailable:");
    }
    const uint64_t left = memory_available_bytes(s->path); /* with the limits of our groups; 0: the root is no folder */
    if (left > 0)
        t->memory_free_bytes = (float)left;
    for (int i = 0; i < PSI_MAX; i++)
        if (hw_tap_read(&s->psi_memory[i], text, 256)) {
            t->pressure_frac = worse(t->pressure_frac, psi(text, "some"));
            t->stall_frac = worse(t->stall_frac, psi(text, "full"));
        }
}

static void read_load(struct telemetry_source *s, struct telemetry *t)
{
    char text[256];
    if (hw_tap_read(&s->psi_cpu, text, sizeof(text)))
        t->cpu_pressure_frac = psi(text, "some");
    if (!hw_tap_read(&s->stat, text, sizeof(text)) || !has_prefix(text, "cpu "))
        return;
    /* user nice system idle iowait irq softirq steal; guests are in user */
    uint64_t busy = 0, idle = 0;
    char *at = text + 4;
    for (int i = 0; i < 8; i++) {
        const uint64_t v = strtoull(at, &at, 10);
        *(i == 3 || i == 4 ? &idle : &busy) += v;
    }
    if (s->busy + s->idle > 0 && busy + idle > s->busy + s->idle && busy >= s->busy)
        t->busy_frac = fminf((float)(busy - s->busy) / (float)(busy + idle - s->busy - s->idle), 1);
    s->busy = busy, s->idle = idle;
}

static void gpu_memory(struct telemetry *t, float total, float left)
{
    if (!(left / total >= t->gpu_memory_free_bytes / t->gpu_memory_total_bytes))
        t->gpu_memory_total_bytes = total, t->gpu_memory_free_bytes = left;
}

static void read_gpus(struct telemetry_source *s, struct telemetry *t)
{
    int64_t v, total, used;
    for (int i = 0; i < s->n_gpus; i++) {
        struct gpu *g = &s->gpus[i];
        g->busy_frac = g->total_bytes = g->used_bytes = g->power_w = g->power_limit_w = NAN;
        g->is_lost = !hw_tap_read_i64(&g->busy, &v);
        if (g->is_lost) {
            s->has_lost = true;
            continue;
        }
        g->busy_frac = fminf(fmaxf((float)v * g->busy_scale, 0), 1);
        t->gpu_busy_frac = worse(t->gpu_busy_frac, g->busy_frac);
        if (hw_tap_read_i64(&g->power, &v) && v >= 0)
            g->power_w = (float)v * 1e-6f;
        if (hw_tap_read_i64(&g->cap, &v) && v > 0)
            g->power_limit_w = (float)v * 1e-6f;
        if (hw_tap_read_i64(&g->total, &total) && total > 0 && hw_tap_read_i64(&g->used, &used) && used >= 0 && used <= total) {
            g->total_bytes = (float)total, g->used_bytes = (float)used;
            gpu_memory(t, (float)total, (float)(total - used));
        }
    }
}

static float sum(float a, float b) { return isnan(a) ? b : isnan(b) ? a : a + b; }

/* A card at its power limit works as it is meant to, so that does not count as slowed; heat and the supply's brake do. */
static void read_nvidia(struct telemetry_source *s, uint64_t now, struct telemetry *t)
{
    struct gpu_now *gpus = s->nvidia;
    if (!s->watch)
        return;
    if (!s->asks_gpus) {
        gpu_watch_rest(s->watch, now);
        for (int i = 0; i < s->n_nvidia; i++) /* who is not asked is still there, we think */
            gpus[i] = (struct gpu_now){ .temperature_c = NAN, .slowdown_c = NAN, .power_w = NAN, .power_limit_w = NAN, .busy_frac = NAN, .memory_total_bytes = NAN, .memory_used_bytes = NAN, .is_lost = gpus[i].is_lost };
        return;
    }
    if (gpu_watch_pid(s->watch) == 0 && !hw_exists(s->root, "proc/driver/nvidia") && !hw_exists(s->root, "dev/nvidiactl"))
        return;
    const int n = gpu_watch_read(s->watch, now, gpus);
    s->n_nvidia = n > 0 ? n : 0;
    for (int i = 0; i < n; i++) {
        const struct gpu_now *g = &gpus[i];
        if (!isnan(g->temperature_c))
            gpu_heat(t, g->temperature_c, isnan(g->slowdown_c) ? ANY_LIMIT_C : g->slowdown_c);
        if (g->slow & (GPU_SLOW_HEAT | GPU_SLOW_BRAKE | GPU_SLOW_HARDWARE))
            t->slow |= TELEMETRY_SLOW_GPU;
        t->gpu_busy_frac = worse(t->gpu_busy_frac, g->busy_frac);
        t->gpu_power_w = sum(t->gpu_power_w, g->power_w);
        t->gpu_power_limit_w = sum(t->gpu_power_limit_w, g->power_limit_w);
        if (!isnan(g->memory_total_bytes))
            gpu_memory(t, (float)g->memory_total_bytes, (float)(g->memory_total_bytes - g->memory_used_bytes));
    }
}

void telemetry_ask_gpus(struct telemetry_source *s, bool shall) { s->asks_gpus = shall; }

void telemetry_set_watch(struct telemetry_source *s, struct gpu_watch *w)
{
    gpu_watch_free(s->watch);
    s->watch = w;
}

struct telemetry telemetry_unknown(void)
{
    return (struct telemetry){ .temperature_c = NAN, .limit_c = NAN, .critical_c = NAN, .headroom_c = NAN, .power_w = NAN, .power_limit_w = NAN,
                                .battery_frac = NAN, .battery_w = NAN, .memory_total_bytes = NAN, .memory_free_bytes = NAN, .pressure_frac = NAN, .stall_frac = NAN,
                                .busy_frac = NAN, .cpu_pressure_frac = NAN, .gpu_temperature_c = NAN, .gpu_headroom_c = NAN, .gpu_busy_frac = NAN,
                                .gpu_memory_total_bytes = NAN, .gpu_memory_free_bytes = NAN, .gpu_power_w = NAN, .gpu_power_limit_w = NAN };
}

void telemetry_read(struct telemetry_source *s, uint64_t now, struct telemetry *t)
{
    *t = telemetry_unknown();
    t->at_ns = now;
    if (s->has_lost && now - s->looked_ns >= LOOK_AGAIN_NS) {
        struct err err;
        close_all(s);
        find_all(s, &err); /* what cannot be found is not there */
        s->looked_ns = now;
    }
    if (s->looked_ns == 0)
        s->looked_ns = now;
    read_heat(s, t);
    read_slow(s, t);
    read_supplies(s, t);
    read_power(s, now, t);
    read_memory(s, t);
    read_load(s, t);
    read_gpus(s, t);
    read_nvidia(s, now, t);
}

/* ---- opening ---- */

/* Takes the root over.  path: of it, where it is a folder. */
static struct telemetry_source *open_at(struct hw_root *root, const char *path, struct err *err)
{
    struct telemetry_source *s = calloc(1, sizeof(*s));
    if (!s) {
        hw_root_free(root);
        return err_null(err, ERR_NOMEM, "telemetry: out of memory");
    }
    each_tap(s, set_closed);
    s->slow_events = -1;
    s->power_w = NAN;
    s->root = root;
    if (!(s->path = strdup(path)))
        err_set(err, ERR_NOMEM, "telemetry: out of memory");
    else if ((s->meter = hw_meter_open(s->root, 0, err)) && find_all(s, err) &&
             (!hw_root_is_live(root) || (s->watch = gpu_watch_new(&(struct gpu_watch_spec){ 0 }, err))))
        return s;
    telemetry_close(s);
    return NULL;
}

struct telemetry_source *telemetry_open_root(struct hw_root *root, struct err *err) { return open_at(root, "/nowhere", err); }

struct telemetry_source *telemetry_open(const char *root, struct err *err)
{
    struct hw_root *r = hw_root_open(root, err);
    return r ? open_at(r, root, err) : NULL;
}

void telemetry_close(struct telemetry_source *s)
{
    if (!s)
        return;
    close_all(s);
    gpu_watch_free(s->watch);
    hw_meter_close(s->meter);
    hw_root_free(s->root);
    free(s->path);
    free(s);
}

_Static_assert(GPUS_MAX + GPU_WATCH_MAX <= TELEMETRY_GPUS_MAX, "all of them fit");

void telemetry_get_parts(const struct telemetry_source *s, struct telemetry_parts *out)
{
    *out = (struct telemetry_parts){ .n_sensors = s->n_sensors };
    for (int i = 0; i < s->n_sensors; i++) {
        const struct sensor *x = &s->sensors[i];
        memcpy(out->sensors[i].name, x->name, sizeof(x->name));
        out->sensors[i].temperature_c = x->now_c;
        out->sensors[i].limit_c = x->limit_c;
        out->sensors[i].is_accelerator = x->is_accelerator;
    }
    for (int i = 0; i < s->n_gpus; i++) {
        const struct gpu *g = &s->gpus[i];
        const int k = out->n_gpus++;
        snprintf(out->gpus[k].name, sizeof(out->gpus[k].name), "%.12s%d", g->name, i);
        out->gpus[k].temperature_c = g->sensor >= 0 ? s->sensors[g->sensor].now_c : NAN;
        out->gpus[k].power_w = g->power_w;
        out->gpus[k].power_limit_w = g->power_limit_w;
        out->gpus[k].busy_frac = g->busy_frac;
        out->gpus[k].memory_bytes = g->total_bytes;
        out->gpus[k].memory_used_bytes = g->used_bytes;
        out->gpus[k].is_lost = g->is_lost;
    }
    for (int i = 0; i < s->n_nvidia; i++) {
        const struct gpu_now *g = &s->nvidia[i];
        const int k = out->n_gpus++;
        snprintf(out->gpus[k].name, sizeof(out->gpus[k].name), "nvidia%d", i);
        out->gpus[k].temperature_c = g->temperature_c;
        out->gpus[k].power_w = g->power_w;
        out->gpus[k].power_limit_w = g->power_limit_w;
        out->gpus[k].busy_frac = g->busy_frac;
        out->gpus[k].memory_bytes = (float)g->memory_total_bytes;
        out->gpus[k].memory_used_bytes = (float)g->memory_used_bytes;
        out->gpus[k].is_lost = g->is_lost;
    }
}

const char *telemetry_meter(const struct telemetry_source *s) { return hw_meter_what(s->meter); }
double telemetry_joules(struct telemetry_source *s, uint64_t now_ns) { return hw_meter_joules(s->meter, now_ns); }

/* ---- for others ---- */

void telemetry_to_node(const struct telemetry *t, struct route_node *node)
{
    node->temperature_c = t->temperature_c;
    node->headroom_c = t->headroom_c;
    node->power_w = t->power_w;
    node->battery_frac = t->battery_frac;
    node->on_battery = t->on_battery;
    node->memory_free_bytes = t->memory_free_bytes;
    node->pressure_frac = t->pressure_frac;
    node->busy_frac = t->busy_frac;
    node->is_throttled = t->slow != 0;
}

void telemetry_put_slow(unsigned slow, char *out, size_t max)
{
    static const char *const words[] = {
#define X(id, word) word,
        TELEMETRY_SLOW(X)
#undef X
    };
    size_t n = 0;
    out[0] = '\0';
    for (int i = 0; i < TELEMETRY_SLOW_COUNT && n < max; i++)
        if (slow >> i & 1)
            n += (size_t)snprintf(out + n, max - n, "%s%s", n ? ", " : "", words[i]);
}
