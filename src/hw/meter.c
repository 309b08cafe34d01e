/* hw/meter.c - see meter.h; start at hw_meter_open(). */
#include "hw/meter.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hw/tap.h"

enum { COUNTERS_MAX = 16, TICK_MS = 50 };

struct counter { /* one energy counter of RAPL */
    struct hw_tap tap;
    int64_t last_uj, range_uj;
};

struct hw_meter {
    enum { METER_NONE, METER_COUNTER, METER_POWER } kind;
    char what[96], why_none[96];
    struct counter counter[COUNTERS_MAX];
    int n_counters;
    struct hw_tap power, current; /* METER_POWER: power, or voltage and current */
    double scale;                 /* of what is read, or of the product, to watts */
    double joules, last_w;
    uint64_t last_ns;
};

static void find_rapl(struct hw_meter *m, const struct hw_root *r)
{
    struct hw_names names;
    bool is_there = false;
    hw_list(r, &names, "sys/class/powercap");
    for (int i = 0; i < names.n && m->n_counters < COUNTERS_MAX; i++) {
        char name[64];
        const char *colon = strchr(names.name[i], ':');
        /* "intel-rapl:0" is a package (AMD's too); "intel-rapl:0:1" a part of it; mmio counts the same energy again */
        if (strncmp(names.name[i], "intel-rapl:", 11) != 0 || strchr(colon + 1, ':') ||
            !hw_read(r, name, sizeof(name), "sys/class/powercap/%s/name", names.name[i]) || strncmp(name, "package", 7) != 0)
            continue;
        struct counter *c = &m->counter[m->n_counters];
        is_there = true;
        if (!hw_tap_open(&c->tap, r, "sys/class/powercap/%s/energy_uj", names.name[i]))
            continue;
        if (!hw_tap_read_i64(&c->tap, &c->last_uj) || c->last_uj < 0) {
            hw_tap_close(&c->tap);
            continue;
        }
        if (!hw_read_i64(r, &c->range_uj, "sys/class/powercap/%s/max_energy_range_uj", names.name[i]) || c->range_uj < 0)
            c->range_uj = 0;
        m->n_counters++;
    }
    hw_names_free(&names);
    if (m->n_counters > 0) {
        m->kind = METER_COUNTER;
        snprintf(m->what, sizeof(m->what), "RAPL, %s", m->n_counters > 1 ? "CPU packages" : "CPU package");
    } else if (is_there)
        snprintf(m->why_none, sizeof(m->why_none), "RAPL is readable by root only");
}

static bool read_power(const struct hw_meter *m, double *w)
{
    int64_t a = 0, b = 1;
    if (!hw_tap_read_i64(&m->power, &a) || a < 0 || (m->current.path[0] && (!hw_tap_read_i64(&m->current, &b) || b < 0)))
        return false;
    *w = (double)a * (double)b * m->scale;
    return true;
}

/* The taps are open; closes them when they are no meter. */
static bool try_power(struct hw_meter *m, double scale, const char *what, const char *device, uint64_t now)
{
    double w;
    m->scale = scale;
    if (!read_power(m, &w) || w <= 0 || w > 1e5) {
        hw_tap_close(&m->power);
        hw_tap_close(&m->current);
        m->current.path[0] = '\0';
        return false;
    }
    m->kind = METER_POWER;
    m->last_w = w, m->last_ns = now;
    snprintf(m->what, sizeof(m->what), "%s %.40s", what, device);
    return true;
}

/* A meter of board or CPU power.  An INA3221 (Jetson) has volts and amperes of three rails; VDD_IN is all of the board. */
static void find_hwmon(struct hw_meter *m, const struct hw_root *r, uint64_t now)
{
    struct hw_names names;
    hw_list(r, &names, "sys/class/hwmon");
    for (int i = 0; i < names.n && m->kind == METER_NONE; i++) {
        char chip[48], label[48];
        const char *n = names.name[i];
        if (!hw_read(r, chip, sizeof(chip), "sys/class/hwmon/%s/name", n) || strcmp(chip, "amdgpu") == 0 || strcmp(chip, "nouveau") == 0 ||
            strncmp(chip, "BAT", 3) == 0 || strcmp(chip, "i915") == 0 || strcmp(chip, "xe") == 0)
            continue;
        if ((hw_tap_open(&m->power, r, "sys/class/hwmon/%s/power1_input", n) && try_power(m, 1e-6, "hwmon power of", chip, now)) ||
            (hw_tap_open(&m->power, r, "sys/class/hwmon/%s/power1_average", n) && try_power(m, 1e-6, "hwmon power of", chip, now)))
            break;
        for (int rail = 1; rail <= 3 && strncmp(chip, "ina", 3) == 0 && m->kind == METER_NONE; rail++)
            if (hw_read(r, label, sizeof(label), "sys/class/hwmon/%s/in%d_label", n, rail) && strcmp(label, "VDD_IN") == 0 &&
                hw_tap_open(&m->power, r, "sys/class/hwmon/%s/in%d_input", n, rail)) {
                if (hw_tap_open(&m->current, r, "sys/class/hwmon/%s/curr%d_input", n, rail))
                    try_power(m, 1e-6, "hwmon power of VDD_IN,", chip, now); /* millivolts x milliamperes */
                else
                    hw_tap_close(&m->power), m->current.path[0] = '\0';
            }
    }
    hw_names_free(&names);
}

static void find_battery(struct hw_meter *m, const struct hw_root *r, uint64_t now)
{
    struct hw_names names;
    hw_list(r, &names, "sys/class/power_supply");
    for (int i = 0; i < names.n && m->kind == METER_NONE; i++) {
        char type[24], status[24];
        const char *n = names.name[i];
        if (!hw_read(r, type, sizeof(type), "sys/class/power_supply/%s/type", n) || strcmp(type, "Battery") != 0 ||
            !hw_read(r, status, sizeof(status), "sys/class/power_supply/%s/status", n) || strcmp(status, "Discharging") != 0)
            continue;
        if (hw_tap_open(&m->power, r, "sys/class/power_supply/%s/power_now", n) && try_power(m, 1e-6, "battery, whole machine:", n, now))
            break;
        if (hw_tap_open(&m->power, r, "sys/class/power_supply/%s/voltage_now", n) && hw_tap_open(&m->current, r, "sys/class/power_supply/%s/current_now", n))
            try_power(m, 1e-12, "battery, whole machine:", n, now); /* microvolts x microamperes */
        else
            hw_tap_close(&m->power), m->current.path[0] = '\0';
    }
    hw_names_free(&names);
}

static void read_counters(struct hw_meter *m)
{
    for (int i = 0; i < m->n_counters; i++) {
        struct counter *c = &m->counter[i];
        int64_t now;
        if (!hw_tap_read_i64(&c->tap, &now) || now < 0)
            continue;
        int64_t d = now - c->last_uj;
        if (d < 0) /* it wraps at range_uj (an hour or so at full load) */
            d = c->range_uj > c->last_uj ? c->range_uj - c->last_uj + now : 0;
        m->joules += (double)d * 1e-6;
        c->last_uj = now;
    }
}

void hw_meter_tick(struct hw_meter *m, uint64_t now)
{
    double w;
    if (m->kind != METER_POWER || now < m->last_ns + (uint64_t)TICK_MS * 1000000u || !read_power(m, &w))
        return;
    if (m->last_ns) /* 0: its first moment */
        m->joules += (w + m->last_w) / 2 * (double)(now - m->last_ns) * 1e-9; /* trapezoids */
    m->last_ns = now, m->last_w = w;
}

double hw_meter_joules(struct hw_meter *m, uint64_t now)
{
    if (m->kind == METER_NONE)
        return NAN;
    if (m->kind == METER_COUNTER) {
        read_counters(m);
        return m->joules;
    }
    hw_meter_tick(m, now);
    return m->joules + (m->last_ns && now > m->last_ns ? m->last_w * (double)(now - m->last_ns) * 1e-9 : 0);
}

const char *hw_meter_what(const struct hw_meter *m) { return m->kind == METER_NONE ? NULL : m->what; }
bool hw_meter_is_quick(const struct hw_meter *m) { return m->kind == METER_COUNTER; }
const char *hw_meter_why_none(const struct hw_meter *m) { return m->kind == METER_NONE ? m->why_none : ""; }

struct hw_meter *hw_meter_open(const struct hw_root *r, uint64_t now, struct err *err)
{
    struct hw_meter *m = calloc(1, sizeof(*m));
    if (!m)
        return err_null(err, ERR_NOMEM, "sensors: out of memory");
    m->power.fd = m->current.fd = -1;
    for (int i = 0; i < COUNTERS_MAX; i++)
        m->counter[i].tap.fd = -1;
    find_rapl(m, r);
    if (m->kind == METER_NONE)
        find_hwmon(m, r, now);
    if (m->kind == METER_NONE)
        find_battery(m, r, now);
    return m;
}

void hw_meter_close(struct hw_meter *m)
{
    if (!m)
        return;
    for (int i = 0; i < m->n_counters; i++)
        hw_tap_close(&m->counter[i].tap);
    hw_tap_close(&m->power);
    hw_tap_close(&m->current);
    free(m);
}
