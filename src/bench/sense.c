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
#include "hw/meter.h"
#include "hw/root.h"

enum { SENSORS_MAX = 32, CPUS_MAX = 1024 };

struct sense {
    struct hw_root *root;
    struct hw_meter *meter;
    char temperature[SENSORS_MAX][128];
    int n_temperatures;
    int cpu[CPUS_MAX], n_cpus; /* those with a frequency to read */
};

/* ---- energy ---- */

void sense_tick(struct sense *s) { hw_meter_tick(s->meter, clock_ns()); }
double sense_joules(struct sense *s) { return hw_meter_joules(s->meter, clock_ns()); }
const char *sense_meter(const struct sense *s) { return hw_meter_what(s->meter); }
const char *sense_why_none(const struct sense *s) { return hw_meter_why_none(s->meter); }

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
    s->meter = s->root ? hw_meter_open(s->root, clock_ns(), err) : NULL;
    if (!s->meter) {
        hw_root_free(s->root);
        free(s);
        return NULL;
    }
    find_temperatures(s);
    find_cpus(s);
    return s;
}

void sense_close(struct sense *s)
{
    if (!s)
        return;
    hw_meter_close(s->meter);
    hw_root_free(s->root);
    free(s);
}
