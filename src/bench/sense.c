/* bench/sense.c - meters found once, read often; start at sense_open(). */
#include "bench/sense.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "hw/root.h"

enum { COUNTERS_MAX = 16, SENSORS_MAX = 32, CPUS_MAX = 1024, TICK_MS = 50 };

struct counter { /* one energy counter of RAPL */
    char path[96];
    int64_t last_uj, range_uj;
};

struct sense {
    struct hw_root *root;
    enum { METER_NONE, METER_COUNTER, METER_POWER } kind;
    char what[96], why_none[96];
    struct counter counter[COUNTERS_MAX];
    int n_counters;
    char power_path[128], current_path[128]; /* METER_POWER: microwatts, or microvolts x microamperes */
    double joules, last_w;
    uint64_t last_ns;
    char temperature[SENSORS_MAX][128];
    int n_temperatures;
    int cpu[CPUS_MAX], n_cpus; /* those with a frequency to read */
};

/* ---- energy ---- */

static void find_rapl(struct sense *s)
{
    struct hw_names names;
    bool is_there = false;
    hw_list(s->root, &names, "sys/class/powercap");
    for (int i = 0; i < names.n && s->n_counters < COUNTERS_MAX; i++) {
        char name[64];
        const char *colon = strchr(names.name[i], ':');
        /* "intel-rapl:0" is a package (AMD's too); "intel-rapl:0:1" a part of it; mmio counts the same energy again */
        if (strncmp(names.name[i], "intel-rapl:", 11) != 0 || strchr(colon + 1, ':') || strlen(names.name[i]) > 40 ||
            !hw_read(s->root, name, sizeof(name), "sys/class/powercap/%s/name", names.name[i]) || strncmp(name, "package", 7) != 0)
            continue;
        struct counter *c = &s->counter[s->n_counters];
        is_there = true;
        snprintf(c->path, sizeof(c->path), "sys/class/powercap/%s/energy_uj", names.name[i]);
        if (!hw_read_i64(s->root, &c->last_uj, "%s", c->path) || c->last_uj < 0)
            continue;
        if (!hw_read_i64(s->root, &c->range_uj, "sys/class/powercap/%s/max_energy_range_uj", names.name[i]) || c->range_uj < 0)
            c->range_uj = 0;
        s->n_counters++;
    }
    hw_names_free(&names);
    if (s->n_counters > 0) {
        s->kind = METER_COUNTER;
        snprintf(s->what, sizeof(s->what), "RAPL, %s", s->n_counters > 1 ? "CPU packages" : "CPU package");
    } else if (is_there)
        snprintf(s->why_none, sizeof(s->why_none), "RAPL is readable by root only");
}

static bool read_power(const struct sense *s, double *w)
{
    int64_t a = 0, b = 0;
    if (!hw_read_i64(s->root, &a, "%s", s->power_path) || a < 0)
        return false;
    if (s->current_path[0]) {
        if (!hw_read_i64(s->root, &b, "%s", s->current_path) || b < 0)
            return false;
        *w = (double)a * (double)b * 1e-12; /* battery: microvolts x microamperes */
        return true;
    }
    *w = (double)a * 1e-6;
    return true;
}

static bool try_power(struct sense *s, const char *what, const char *device)
{
    double w;
    if (!read_power(s, &w) || w <= 0 || w > 1e5)
        return false;
    s->kind = METER_POWER;
    s->last_w = w, s->last_ns = clock_ns();
    snprintf(s->what, sizeof(s->what), "%s %.40s", what, device);
    return true;
}

/* A meter of board or CPU power; a GPU's (amdgpu, nouveau) says nothing about us. */
static void find_hwmon(struct sense *s)
{
    struct hw_names names;
    hw_list(s->root, &names, "sys/class/hwmon");
    for (int i = 0; i < names.n && s->kind == METER_NONE; i++) {
        char chip[48];
        if (strlen(names.name[i]) > 20 || !hw_read(s->root, chip, sizeof(chip), "sys/class/hwmon/%s/name", names.name[i]) ||
            strcmp(chip, "amdgpu") == 0 || strcmp(chip, "nouveau") == 0 || strncmp(chip, "BAT", 3) == 0 || strcmp(chip, "i915") == 0 || strcmp(chip, "xe") == 0)
            continue;
        static const char *const file[] = { "power1_input", "power1_average" };
        for (int k = 0; k < 2 && s->kind == METER_NONE; k++) {
            snprintf(s->power_path, sizeof(s->power_path), "sys/class/hwmon/%s/%s", names.name[i], file[k]);
            try_power(s, "hwmon power of", chip);
        }
    }
    hw_names_free(&names);
}

static void find_battery(struct sense *s)
{
    struct hw_names names;
    hw_list(s->root, &names, "sys/class/power_supply");
    for (int i = 0; i < names.n && s->kind == METER_NONE; i++) {
        char type[24], status[24];
        const char *n = names.name[i];
        if (strlen(n) > 40 || !hw_read(s->root, type, sizeof(type), "sys/class/power_supply/%s/type", n) || strcmp(type, "Battery") != 0 ||
            !hw_read(s->root, status, sizeof(status), "sys/class/power_supply/%s/status", n) || strcmp(status, "Discharging") != 0)
            continue;
        snprintf(s->power_path, sizeof(s->power_path), "sys/class/power_supply/%s/power_now", n);
        if (try_power(s, "battery, whole machine:", n))
            break;
        snprintf(s->power_path, sizeof(s->power_path), "sys/class/power_supply/%s/voltage_now", n);
        snprintf(s->current_path, sizeof(s->current_path), "sys/class/power_supply/%s/current_now", n);
        if (!try_power(s, "battery, whole machine:", n))
            s->current_path[0] = '\0';
    }
    hw_names_free(&names);
}

static void read_counters(struct sense *s)
{
    for (int i = 0; i < s->n_counters; i++) {
        struct counter *c = &s->counter[i];
        int64_t now;
        if (!hw_read_i64(s->root, &now, "%s", c->path) || now < 0)
            continue;
        int64_t d = now - c->last_uj;
        if (d < 0) /* it wraps at range_uj (an hour or so at full load) */
            d = c->range_uj > c->last_uj ? c->range_uj - c->last_uj + now : 0;
        s->joules += (double)d * 1e-6;
        c->last_uj = now;
    }
}

void sense_tick(struct sense *s)
{
    if (s->kind != METER_POWER)
        return;
    const uint64_t now = clock_ns();
    double w;
    if (now - s->last_ns < (uint64_t)TICK_MS * 1000000u || !read_power(s, &w))
        return;
    s->joules += (w + s->last_w) / 2 * (double)(now - s->last_ns) * 1e-9; /* trapezoids */
    s->last_ns = now, s->last_w = w;
}

double sense_joules(struct sense *s)
{
    if (s->kind == METER_NONE)
        return NAN;
    if (s->kind == METER_COUNTER) {
        read_counters(s);
        return s->joules;
    }
    sense_tick(s);
    return s->joules + s->last_w * (double)(clock_ns() - s->last_ns) * 1e-9;
}

const char *sense_meter(const struct sense *s) { return s->kind == METER_NONE ? NULL : s->what; }
const char *sense_why_none(const struct sense *s) { return s->kind == METER_NONE ? s->why_none : ""; }

/* ---- temperature and frequency ---- */

static void find_temperatures(struct sense *s)
{
    struct hw_names names;
    hw_list(s->root, &names, "sys/class/thermal");
    for (int i = 0; i < names.n && s->n_temperatures < SENSORS_MAX; i++)
        if (strncmp(names.name[i], "thermal_zone", 12) == 0 && strlen(names.name[i]) < 40)
            snprintf(s->temperature[s->n_temperatures++], sizeof(s->temperature[0]), "sys/class/thermal/%s/temp", names.name[i]);
    hw_names_free(&names);
    hw_list(s->root, &names, "sys/class/hwmon");
    for (int i = 0; i < names.n && s->n_temperatures < SENSORS_MAX; i++) {
        char chip[48];
        if (strlen(names.name[i]) < 20 && hw_read(s->root, chip, sizeof(chip), "sys/class/hwmon/%s/name", names.name[i]) &&
            (strcmp(chip, "coretemp") == 0 || strcmp(chip, "k10temp") == 0 || strcmp(chip, "zenpower") == 0 || strcmp(chip, "cpu_thermal") == 0))
            snprintf(s->temperature[s->n_temperatures++], sizeof(s->temperature[0]), "sys/class/hwmon/%s/temp1_input", names.name[i]);
    }
    hw_names_free(&names);
}

double sense_temperature_c(struct sense *s)
{
    double hottest = NAN;
    for (int i = 0; i < s->n_temperatures; i++) {
        int64_t mc;
        /* what is no temperature (-274, 127 of an absent diode) does not count */
        if (hw_read_i64(s->root, &mc, "%s", s->temperature[i]) && mc > 0 && mc < 125000 && !(hottest > (double)mc * 1e-3))
            hottest = (double)mc * 1e-3;
    }
    return hottest;
}

static void find_cpus(struct sense *s)
{
    struct hw_names names;
    hw_list(s->root, &names, "sys/devices/system/cpu");
    for (int i = 0; i < names.n && s->n_cpus < CPUS_MAX; i++) {
        const char *digits = names.name[i] + 3;
        if (strncmp(names.name[i], "cpu", 3) == 0 && *digits && strspn(digits, "0123456789") == strlen(digits) && strlen(digits) < 6 &&
            hw_exists(s->root, "sys/devices/system/cpu/cpu%s/cpufreq/scaling_cur_freq", digits))
            s->cpu[s->n_cpus++] = atoi(digits);
    }
    hw_names_free(&names);
}

double sense_mhz(struct sense *s)
{
    double sum = 0;
    int n = 0;
    for (int i = 0; i < s->n_cpus; i++) {
        int64_t khz;
        if (hw_read_i64(s->root, &khz, "sys/devices/system/cpu/cpu%d/cpufreq/scaling_cur_freq", s->cpu[i]) && khz > 0)
            sum += (double)khz * 1e-3, n++;
    }
    if (n > 0)
        return sum / n;
    size_t len;
    char *info = hw_read_all(s->root, 4 << 20, &len, "proc/cpuinfo"); /* x86 without cpufreq, virtual machines */
    for (const char *p = info; p && (p = strstr(p, "cpu MHz")) != NULL; p++) {
        const char *colon = strchr(p, ':');
        const double mhz = colon ? strtod(colon + 1, NULL) : 0;
        if (mhz > 0 && mhz < 1e5)
            sum += mhz, n++;
    }
    free(info);
    return n > 0 ? sum / n : (double)NAN;
}

/* ---- our own memory ---- */

int64_t sense_rss_bytes(void)
{
    long long size, rss = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f)
        return 0;
    if (fscanf(f, "%lld %lld", &size, &rss) != 2)
        rss = 0;
    fclose(f);
    return rss * (int64_t)sysconf(_SC_PAGESIZE);
}

int64_t sense_peak_bytes(void)
{
    char line[128];
    long long kb = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof(line), f))
        if (sscanf(line, "VmHWM: %lld", &kb) == 1)
            break;
    if (f)
        fclose(f);
    if (kb > 0)
        return kb * 1024;
    struct rusage u;
    return getrusage(RUSAGE_SELF, &u) == 0 ? (int64_t)u.ru_maxrss * 1024 : 0;
}

bool sense_reset_peak(void)
{
    const int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
    const bool ok = fd >= 0 && write(fd, "5", 1) == 1; /* proc(5): resets VmHWM */
    if (fd >= 0)
        close(fd);
    return ok;
}

struct sense *sense_open(const char *root, struct err *err)
{
    struct sense *s = calloc(1, sizeof(*s));
    if (!s)
        return err_null(err, ERR_NOMEM, "sensors: out of memory");
    s->root = hw_root_open(root, err);
    if (!s->root) {
        free(s);
        return NULL;
    }
    find_rapl(s);
    if (s->kind == METER_NONE)
        find_hwmon(s);
    if (s->kind == METER_NONE)
        find_battery(s);
    find_temperatures(s);
    find_cpus(s);
    return s;
}

void sense_close(struct sense *s)
{
    if (!s)
        return;
    hw_root_free(s->root);
    free(s);
}
