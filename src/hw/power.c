/* hw/power.c - meters of power and energy that this machine has, and what the battery and the mains say.
 *
 * Files: Linux Documentation/power/powercap/powercap.rst (RAPL, microjoules), hwmon/sysfs-interface.rst (power in microwatts,
 * in in millivolts, curr in milliamperes), hwmon/ina3221.rst (Jetson's three rails), ABI/testing/sysfs-class-power.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hw/machine.h"

static int64_t read_positive(const struct hw_root *r, const char *folder, const char *file)
{
    int64_t value;
    return hw_read_i64(r, &value, "%s/%s", folder, file) && value > 0 && value < INT64_C(1000000000000000000) ? value : 0;
}

static struct hw_power_meter *add(struct hw_machine *m, const char *name, const char *kind)
{
    struct hw_power_meter *p = HW_ADD(m, m->power, m->n_power);
    if (!p)
        return NULL;
    memset(p, 0, sizeof(*p));
    hw_copy(p->name, sizeof(p->name), name);
    hw_copy(p->kind, sizeof(p->kind), kind);
    return p;
}

/* Zones "intel-rapl:0" (package) and "intel-rapl:0:0" (core, uncore, dram). */
static void read_rapl(const struct hw_root *r, struct hw_machine *m)
{
    struct hw_names names;
    hw_list(r, &names, "sys/class/powercap");
    for (int i = 0; i < names.n; i++) {
        char folder[HW_PATH_BYTES_MAX], name[48];
        if (!strchr(names.name[i], ':') || strncmp(names.name[i], "intel-rapl-mmio", 15) == 0) /* the same package by another door */
            continue;
        snprintf(folder, sizeof(folder), "sys/class/powercap/%s", names.name[i]);
        if (!hw_read(r, name, sizeof(name), "%s/name", folder))
            continue;
        struct hw_power_meter *p = add(m, name, "rapl");
        if (!p)
            break;
        snprintf(p->path, sizeof(p->path), "%.180s/energy_uj", folder);
        int64_t energy;
        p->is_readable = hw_read_i64(r, &energy, "%s", p->path) ? HW_YES : HW_NO;
        p->energy_uj = p->is_readable == HW_YES && energy > 0 ? energy : 0;
        p->energy_max_uj = read_positive(r, folder, "max_energy_range_uj");
        p->limit_w = (double)read_positive(r, folder, "constraint_0_power_limit_uw") / 1e6;
        if (p->is_readable == HW_NO && hw_root_is_live(r))
            hw_note(m, "energy of the processor (RAPL): readable as root only");
    }
    hw_names_free(&names);
}

/* One channel of a chip: its own power figure, or voltage times current. */
static void read_channel(const struct hw_root *r, struct hw_machine *m, const char *folder, const char *chip, bool is_ina, int channel)
{
    char file[32], label[48] = "";
    int64_t microwatts = 0;
    snprintf(file, sizeof(file), "power%d_average", channel);
    if (!hw_exists(r, "%s/%s", folder, file))
        snprintf(file, sizeof(file), "power%d_input", channel);
    const bool has_power = hw_exists(r, "%s/%s", folder, file);
    if (has_power)
        microwatts = read_positive(r, folder, file);
    else {
        char in[32];
        snprintf(in, sizeof(in), "in%d_input", channel);
        snprintf(file, sizeof(file), "curr%d_input", channel);
        if (!is_ina || !hw_exists(r, "%s/%s", folder, file) || !hw_exists(r, "%s/%s", folder, in))
            return;
        const int64_t millivolts = read_positive(r, folder, in), milliamps = read_positive(r, folder, file);
        microwatts = millivolts < 1000000 && milliamps < 1000000 ? millivolts * milliamps : 0;
    }
    if (!hw_read(r, label, sizeof(label), has_power ? "%s/power%d_label" : "%s/in%d_label", folder, channel))
        snprintf(label, sizeof(label), "%s", chip);
    struct hw_power_meter *p = add(m, label, is_ina ? "ina" : "hwmon");
    if (!p)
        return;
    snprintf(p->path, sizeof(p->path), "%.150s/%s", folder, file);
    p->is_readable = microwatts > 0 ? HW_YES : HW_UNKNOWN;
    p->power_w = (double)microwatts / 1e6;
    snprintf(file, sizeof(file), "power%d_cap", channel);
    p->limit_w = (double)read_positive(r, folder, file) / 1e6;
}

static void read_hwmon(const struct hw_root *r, struct hw_machine *m)
{
    struct hw_names names;
    hw_list(r, &names, "sys/class/hwmon");
    for (int i = 0; i < names.n && i < 64; i++) {
        char folder[HW_PATH_BYTES_MAX], chip[48];
        snprintf(folder, sizeof(folder), "sys/class/hwmon/%s", names.name[i]);
        if (!hw_read(r, chip, sizeof(chip), "%s/name", folder) || strncmp(chip, "BAT", 3) == 0)
            continue;
        const bool is_ina = strncmp(chip, "ina", 3) == 0;
        for (int channel = 1; channel <= (is_ina ? 3 : 2); channel++)
            read_channel(r, m, folder, chip, is_ina, channel);
    }
    hw_names_free(&names);
}

/* Older JetPacks: sys/bus/i2c/drivers/ina3221x/1-0040/iio:device0/in_power0_input in milliwatts. */
static void read_iio(const struct hw_root *r, struct hw_machine *m)
{
    struct hw_names chips, devices;
    hw_list(r, &chips, "sys/bus/i2c/drivers/ina3221x");
    for (int i = 0; i < chips.n && i < 16; i++) {
        hw_list(r, &devices, "sys/bus/i2c/drivers/ina3221x/%s", chips.name[i]);
        for (int k = 0; k < devices.n; k++) {
            if (strncmp(devices.name[k], "iio:device", 10) != 0)
                continue;
            for (int channel = 0; channel < 3; channel++) {
                char folder[HW_PATH_BYTES_MAX], name[48];
                int64_t milliwatts;
                snprintf(folder, sizeof(folder), "sys/bus/i2c/drivers/ina3221x/%.64s/%.64s", chips.name[i], devices.name[k]);
                if (!hw_read(r, name, sizeof(name), "%s/rail_name_%d", folder, channel)
                    || !hw_read_i64(r, &milliwatts, "%s/in_power%d_input", folder, channel))
                    continue;
                struct hw_power_meter *p = add(m, name, "ina");
                if (!p)
                    break;
                snprintf(p->path, sizeof(p->path), "%.150s/in_power%d_input", folder, channel);
                p->is_readable = HW_YES;
                p->power_w = milliwatts > 0 && milliwatts < 100000000 ? (double)milliwatts / 1e3 : 0;
            }
        }
        hw_names_free(&devices);
    }
    hw_names_free(&chips);
}

bool hw_detect_power(const struct hw_root *r, struct hw_machine *m)
{
    read_rapl(r, m);
    read_hwmon(r, m);
    read_iio(r, m);
    return m->n_power > 0;
}

/* A battery counts in micro-watt-hours, or in micro-ampere-hours at its design voltage. */
static double read_wh(const struct hw_root *r, const char *folder, const char *energy, const char *charge)
{
    const int64_t uwh = read_positive(r, folder, energy), uah = read_positive(r, folder, charge);
    const int64_t uv = read_positive(r, folder, "voltage_min_design");
    if (uwh)
        return (double)uwh / 1e6;
    return uah && uv ? (double)uah / 1e6 * ((double)uv / 1e6) : 0;
}

bool hw_detect_supplies(const struct hw_root *r, struct hw_machine *m)
{
    struct hw_names names;
    hw_list(r, &names, "sys/class/power_supply");
    for (int i = 0; i < names.n; i++) {
        char folder[HW_PATH_BYTES_MAX], text[48];
        int64_t value;
        snprintf(folder, sizeof(folder), "sys/class/power_supply/%s", names.name[i]);
        if (hw_read(r, text, sizeof(text), "%s/scope", folder) && strcmp(text, "Device") == 0) /* a mouse */
            continue;
        if (!hw_read(r, text, sizeof(text), "%s/type", folder))
            continue;
        struct hw_supply *s = HW_ADD(m, m->supplies, m->n_supplies);
        if (!s)
            break;
        memset(s, 0, sizeof(*s));
        s->charge_pct = -1;
        hw_copy(s->name, sizeof(s->name), names.name[i]);
        hw_copy(s->kind, sizeof(s->kind), strcmp(text, "Battery") == 0 ? "battery" : strcmp(text, "Mains") == 0 ? "mains" : strcmp(text, "UPS") == 0 ? "ups" : "usb");
        if (hw_read_i64(r, &value, "%s/online", folder))
            s->is_online = value > 0 ? HW_YES : HW_NO;
        if (hw_read(r, text, sizeof(text), "%s/status", folder))
            hw_copy(s->status, sizeof(s->status), text);
        if (hw_read_i64(r, &value, "%s/capacity", folder) && value >= 0 && value <= 100)
            s->charge_pct = (int)value;
        s->energy_full_wh = read_wh(r, folder, "energy_full", "charge_full");
        s->energy_design_wh = read_wh(r, folder, "energy_full_design", "charge_full_design");
        const int64_t uw = read_positive(r, folder, "power_now"), ua = read_positive(r, folder, "current_now"), uv = read_positive(r, folder, "voltage_now");
        s->power_w = uw ? (double)uw / 1e6 : (double)ua / 1e6 * ((double)uv / 1e6);
    }
    hw_names_free(&names);
    return m->n_supplies > 0;
}
