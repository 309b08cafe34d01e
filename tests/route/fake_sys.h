/* tests/route/fake_sys.h - a /sys and /proc that can be changed while they are read: heat, battery, memory, unplugging.
 *
 * For:     rehearsals: test_telemetry.c, test_steward.c, tests/serve/test_governor.c.  hw/, telemetry and the steward read it as they
 *          read a machine, by giving them its root.
 * Rule:    a value is written in place, padded to one length, so that whoever holds the file open reads the old one or the new one and
 *          never half of one.  Taking something away empties the file, then deletes it: who holds it open reads nothing, as from a
 *          real device that is gone.
 */
#ifndef TUTTI_TESTS_FAKE_SYS_H
#define TUTTI_TESTS_FAKE_SYS_H
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test.h"

struct fake_sys {
    char root[300];
    double busy_s, idle_s; /* of /proc/stat */
};

enum { FAKE_VALUE_BYTES = 32 };

__attribute__((format(printf, 3, 4))) static inline void fake_put(struct fake_sys *f, const char *path, const char *fmt, ...)
{
    char full[600], text[4096];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof(text) - 1, fmt, ap);
    va_end(ap);
    while (n < FAKE_VALUE_BYTES - 1)
        text[n++] = '\n';
    text[n++] = '\n';
    snprintf(full, sizeof(full), "%s/%s", f->root, path);
    int fd = open(full, O_WRONLY | O_CLOEXEC);
    if (fd < 0) {
        for (char *at = full + strlen(f->root) + 1; (at = strchr(at, '/')); *at++ = '/') {
            *at = '\0';
            mkdir(full, 0755);
        }
        fd = open(full, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    }
    CHECK(fd >= 0 && pwrite(fd, text, (size_t)n, 0) == n && ftruncate(fd, n) == 0, "%s: %s", full, strerror(errno));
    if (fd >= 0)
        close(fd);
}

static inline void fake_remove(struct fake_sys *f, const char *path)
{
    char full[600];
    snprintf(full, sizeof(full), "%s/%s", f->root, path);
    CHECK(truncate(full, 0) == 0 && unlink(full) == 0, "%s: %s", full, strerror(errno));
}

static inline void fake_heat(struct fake_sys *f, double c) { fake_put(f, "sys/class/thermal/thermal_zone0/temp", "%d", (int)(c * 1000)); }

/* charge 0..1; on the mains or not. */
static inline void fake_battery(struct fake_sys *f, double charge, bool on_mains)
{
    fake_put(f, "sys/class/power_supply/BAT0/type", "Battery");
    fake_put(f, "sys/class/power_supply/BAT0/capacity", "%d", (int)(charge * 100 + 0.5));
    fake_put(f, "sys/class/power_supply/BAT0/status", "%s", on_mains ? "Charging" : "Discharging");
    fake_put(f, "sys/class/power_supply/BAT0/power_now", "%d", 15000000);
    fake_put(f, "sys/class/power_supply/AC/type", "Mains");
    fake_put(f, "sys/class/power_supply/AC/online", "%d", on_mains);
}

static inline void fake_memory(struct fake_sys *f, double total_gib, double free_gib)
{
    fake_put(f, "proc/meminfo", "MemTotal:       %10.0f kB\nMemFree:        %10.0f kB\nMemAvailable:   %10.0f kB", total_gib * 1048576, free_gib * 1048576, free_gib * 1048576);
}

static inline void fake_pressure(struct fake_sys *f, double some_pct, double full_pct)
{
    fake_put(f, "proc/pressure/memory", "some avg10=%.2f avg60=0.00 avg300=0.00 total=1\nfull avg10=%.2f avg60=0.00 avg300=0.00 total=1", some_pct, full_pct);
}

/* span_s of time, of which a share was busy. */
static inline void fake_load(struct fake_sys *f, double span_s, double busy_frac)
{
    f->busy_s += span_s * busy_frac, f->idle_s += span_s * (1 - busy_frac);
    fake_put(f, "proc/stat", "cpu  %.0f 0 0 %.0f 0 0 0 0 0 0", f->busy_s * 100, f->idle_s * 100);
}

static inline void fake_watts(struct fake_sys *f, double w)
{
    fake_put(f, "sys/class/hwmon/hwmon1/name", "ina219");
    fake_put(f, "sys/class/hwmon/hwmon1/power1_input", "%.0f", w * 1e6);
}

/* A board with one zone: cool, idle, much memory.  passive_c 0: no such trip point. */
static inline void fake_sys_init(struct fake_sys *f, const char *board, double passive_c, double critical_c)
{
    *f = (struct fake_sys){ .busy_s = 100 };
    snprintf(f->root, sizeof(f->root), "%s", test_tmp("sys"));
    mkdir(f->root, 0755);
    fake_put(f, "proc/device-tree/model", "%s", board);
    fake_put(f, "sys/class/thermal/thermal_zone0/type", "cpu-thermal");
    fake_put(f, "sys/class/thermal/thermal_zone0/trip_point_0_type", "critical");
    fake_put(f, "sys/class/thermal/thermal_zone0/trip_point_0_temp", "%d", (int)(critical_c * 1000));
    if (passive_c > 0) {
        fake_put(f, "sys/class/thermal/thermal_zone0/trip_point_1_type", "passive");
        fake_put(f, "sys/class/thermal/thermal_zone0/trip_point_1_temp", "%d", (int)(passive_c * 1000));
    }
    fake_heat(f, 40);
    fake_memory(f, 8, 6);
    fake_pressure(f, 0, 0);
    fake_load(f, 1, 0);
}
#endif
