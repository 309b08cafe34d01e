/* hw/thermal.c - temperatures, and whether heat or a weak supply has slowed the machine since it started.
 *
 * Files: Linux Documentation/driver-api/thermal/sysfs-api.rst, hwmon/sysfs-interface.rst; thermal_throttle/ of x86
 * (Documentation/ABI/testing/sysfs-devices-system-cpu); Raspberry Pi: rpi_volt's in0_lcrit_alarm and get_throttled, whose
 * bits are documented at raspberrypi.com/documentation/computers/os.html (0 under-voltage, 1 capped, 2 throttled, 3 soft
 * limit; 16 to 19 the same since boot).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hw/machine.h"

static double celsius(int64_t milli) { return milli > -100000 && milli < 250000 ? (double)milli / 1000 : 0; }

static void read_zones(const struct hw_root *r, struct hw_machine *m)
{
    struct hw_names names;
    hw_list(r, &names, "sys/class/thermal");
    for (int i = 0; i < names.n; i++) {
        char text[64];
        int64_t value;
        if (strncmp(names.name[i], "thermal_zone", 12) != 0)
            continue;
        struct hw_thermal *t = HW_ADD(m, m->thermal, m->n_thermal);
        if (!t)
            break;
        memset(t, 0, sizeof(*t));
        hw_copy(t->source, sizeof(t->source), names.name[i]);
        if (hw_read(r, text, sizeof(text), "sys/class/thermal/%s/type", names.name[i]))
            hw_copy(t->name, sizeof(t->name), text);
        t->has_value = HW_NO;
        if (hw_read_i64(r, &value, "sys/class/thermal/%s/temp", names.name[i]) && celsius(value) > 0) {
            t->temperature_c = celsius(value);
            t->has_value = HW_YES;
        }
        for (int trip = 0; trip < 12 && hw_read(r, text, sizeof(text), "sys/class/thermal/%s/trip_point_%d_type", names.name[i], trip); trip++) {
            if (!hw_read_i64(r, &value, "sys/class/thermal/%s/trip_point_%d_temp", names.name[i], trip))
                continue;
            double *at = strcmp(text, "passive") == 0 ? &t->trip_passive_c : strcmp(text, "critical") == 0 ? &t->trip_critical_c : NULL;
            if (at && (*at == 0 || celsius(value) < *at))
                *at = celsius(value);
        }
    }
    hw_names_free(&names);
}

/* Processors' own sensors where there is no zone for them; drives and GPUs have theirs. */
static void read_hwmon(const struct hw_root *r, struct hw_machine *m)
{
    static const char *const wanted[] = { "coretemp", "k10temp", "zenpower", "cpu_thermal", "nvme", "apex" };
    struct hw_names names;
    hw_list(r, &names, "sys/class/hwmon");
    for (int i = 0; i < names.n && i < 64; i++) {
        char chip[32], label[48];
        int64_t value;
        bool is_wanted = false;
        if (!hw_read(r, chip, sizeof(chip), "sys/class/hwmon/%s/name", names.name[i]))
            continue;
        for (size_t k = 0; k < sizeof(wanted) / sizeof(wanted[0]); k++)
            is_wanted |= strcmp(chip, wanted[k]) == 0;
        for (int k = 0; k < m->n_thermal; k++)
            is_wanted &= strcmp(m->thermal[k].name, chip) != 0;
        if (!is_wanted || !hw_read_i64(r, &value, "sys/class/hwmon/%s/temp1_input", names.name[i]) || celsius(value) <= 0)
            continue;
        struct hw_thermal *t = HW_ADD(m, m->thermal, m->n_thermal);
        if (!t)
            break;
        memset(t, 0, sizeof(*t));
        t->temperature_c = celsius(value);
        t->has_value = HW_YES;
        snprintf(t->source, sizeof(t->source), "%.32s/temp1", names.name[i]);
        if (hw_read(r, label, sizeof(label), "sys/class/hwmon/%s/temp1_label", names.name[i]))
            snprintf(t->name, sizeof(t->name), "%.16s %.30s", chip, label);
        else
            hw_copy(t->name, sizeof(t->name), chip);
        if (hw_read_i64(r, &value, "sys/class/hwmon/%s/temp1_crit", names.name[i]))
            t->trip_critical_c = celsius(value);
    }
    hw_names_free(&names);
}

bool hw_detect_thermal(const struct hw_root *r, struct hw_machine *m)
{
    read_zones(r, m);
    read_hwmon(r, m);
    return m->n_thermal > 0;
}

static void seen(struct hw_throttle *t, enum hw_yesno *what, enum hw_yesno yesno, const char *source)
{
    if (*what != HW_YES)
        *what = yesno;
    if (yesno == HW_YES && !t->source[0])
        hw_copy(t->source, sizeof(t->source), source);
}

/* x86: how often each core was slowed, since boot. */
static void read_x86(const struct hw_root *r, struct hw_throttle *t)
{
    struct hw_names names;
    int64_t events = 0, packages = 0, value;
    bool is_there = false;
    hw_list(r, &names, "sys/devices/system/cpu");
    for (int i = 0; i < names.n; i++) {
        if (strncmp(names.name[i], "cpu", 3) != 0 || names.name[i][3] < '0' || names.name[i][3] > '9')
            continue;
        if (!hw_read_i64(r, &value, "sys/devices/system/cpu/%s/thermal_throttle/core_throttle_count", names.name[i])) {
            if (!is_there)
                break; /* cpu0 has none: nor have the others */
            continue;
        }
        is_there = true;
        if (value > 0 && events < INT64_MAX / 2 && value < INT64_MAX / 2)
            events += value;
        if (hw_read_i64(r, &value, "sys/devices/system/cpu/%s/thermal_throttle/package_throttle_count", names.name[i]) && value > packages)
            packages = value;
    }
    hw_names_free(&names);
    if (!is_there)
        return;
    t->events = events > packages ? events : packages;
    seen(t, &t->thermal, t->events > 0 ? HW_YES : HW_NO, "core_throttle_count");
}

static void read_get_throttled(const struct hw_root *r, struct hw_throttle *t, const char *path)
{
    char text[32];
    if (!hw_read(r, text, sizeof(text), "sys/devices/platform/%s/get_throttled", path))
        return;
    const unsigned long bits = strtoul(text, NULL, 16); /* "50005" or "0x50005" */
    seen(t, &t->undervoltage, bits & 0x10001 ? HW_YES : HW_NO, "get_throttled");
    seen(t, &t->capped, bits & 0x20002 ? HW_YES : HW_NO, "get_throttled");
    seen(t, &t->thermal, bits & 0xc000c ? HW_YES : HW_NO, "get_throttled");
}

static void read_pi(const struct hw_root *r, struct hw_throttle *t)
{
    struct hw_names names;
    char text[32], path[2 * HW_NAME_BYTES_MAX];
    int64_t value;
    hw_list(r, &names, "sys/devices/platform"); /* soc/soc:firmware; Pi 5: soc@107c000000/soc@107c000000:firmware */
    for (int i = 0; i < names.n; i++)
        if (strcmp(names.name[i], "soc") == 0 || strncmp(names.name[i], "soc@", 4) == 0) {
            snprintf(path, sizeof(path), "%.200s/%.200s:firmware", names.name[i], names.name[i]);
            read_get_throttled(r, t, path);
        }
    hw_names_free(&names);
    hw_list(r, &names, "sys/class/hwmon");
    for (int i = 0; i < names.n && i < 64; i++)
        if (hw_read(r, text, sizeof(text), "sys/class/hwmon/%s/name", names.name[i]) && strcmp(text, "rpi_volt") == 0
            && hw_read_i64(r, &value, "sys/class/hwmon/%s/in0_lcrit_alarm", names.name[i]))
            seen(t, &t->undervoltage, value ? HW_YES : HW_NO, "rpi_volt");
    hw_names_free(&names);
}

bool hw_is_processor_cooling(const char *type)
{
    return strcmp(type, "Processor") == 0 || strncmp(type, "cpufreq", 7) == 0 || strncmp(type, "thermal-cpufreq", 15) == 0 ||
           strncmp(type, "thermal-devfreq", 15) == 0;
}

/* A processor that a passive cooling device is holding back now. */
static void read_cooling(const struct hw_root *r, struct hw_throttle *t)
{
    struct hw_names names;
    hw_list(r, &names, "sys/class/thermal");
    for (int i = 0; i < names.n && i < 256; i++) {
        char type[48];
        int64_t state;
        if (strncmp(names.name[i], "cooling_device", 14) != 0 || !hw_read(r, type, sizeof(type), "sys/class/thermal/%s/type", names.name[i]))
            continue;
        if (hw_is_processor_cooling(type) && hw_read_i64(r, &state, "sys/class/thermal/%s/cur_state", names.name[i]))
            seen(t, &t->thermal, state > 0 ? HW_YES : HW_NO, names.name[i]);
    }
    hw_names_free(&names);
}

bool hw_detect_throttle(const struct hw_root *r, struct hw_machine *m)
{
    read_x86(r, &m->throttle);
    read_pi(r, &m->throttle);
    read_cooling(r, &m->throttle);
    return m->throttle.thermal == HW_YES || m->throttle.undervoltage == HW_YES || m->throttle.capped == HW_YES;
}
