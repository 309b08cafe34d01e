/* tests/bench/test_sense.c - meters of a machine made of files: counters that wrap, sensors that lie, none at all. */
#include "bench/sense.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test.h"

static char root[400];

static void put(const char *path, const char *text)
{
    char full[900];
    snprintf(full, sizeof(full), "%s/%s", root, path);
    for (char *slash = strchr(full + strlen(root) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(full, 0777);
        *slash = '/';
    }
    FILE *f = fopen(full, "w");
    if (f) {
        fprintf(f, "%s\n", text);
        fclose(f);
    }
}

static void begin(const char *name)
{
    snprintf(root, sizeof(root), "%s", test_tmp(name));
    mkdir(root, 0777);
    put("proc/version", "Linux");
    put("sys/kernel/x", "");
}

TEST(rapl_packages_are_added_up_and_wrap)
{
    struct err err = { 0 };
    begin("rapl");
    put("sys/class/powercap/intel-rapl:0/name", "package-0");
    put("sys/class/powercap/intel-rapl:0/energy_uj", "999000000");
    put("sys/class/powercap/intel-rapl:0/max_energy_range_uj", "1000000000");
    put("sys/class/powercap/intel-rapl:0:0/name", "core"); /* a part: counted already */
    put("sys/class/powercap/intel-rapl:0:0/energy_uj", "5");
    put("sys/class/powercap/intel-rapl:1/name", "package-1");
    put("sys/class/powercap/intel-rapl:1/energy_uj", "0");
    put("sys/class/powercap/intel-rapl:1/max_energy_range_uj", "1000000000");
    put("sys/class/powercap/intel-rapl:2/name", "psys"); /* holds the packages */
    put("sys/class/powercap/intel-rapl:2/energy_uj", "7");
    struct sense *s = sense_open(root, &err);
    REQUIRE(s, "%s", err.text);
    CHECK(sense_meter(s) && strcmp(sense_meter(s), "RAPL, CPU packages") == 0);
    CHECK(sense_joules(s) == 0);
    put("sys/class/powercap/intel-rapl:0/energy_uj", "1000000"); /* wrapped: 1 J + 1 J */
    put("sys/class/powercap/intel-rapl:1/energy_uj", "3000000");
    CHECK(fabs(sense_joules(s) - 5) < 1e-9, "%g", sense_joules(s));
    char gone[900];
    snprintf(gone, sizeof(gone), "%s/sys/class/powercap/intel-rapl:1/energy_uj", root);
    unlink(gone); /* a meter may vanish */
    CHECK(fabs(sense_joules(s) - 5) < 1e-9);
    sense_close(s);
}

TEST(a_battery_that_charges_says_nothing_about_our_draw)
{
    struct err err = { 0 };
    begin("battery");
    put("sys/class/power_supply/BAT0/type", "Battery");
    put("sys/class/power_supply/BAT0/status", "Charging");
    put("sys/class/power_supply/BAT0/power_now", "30000000");
    struct sense *s = sense_open(root, &err);
    REQUIRE(s, "%s", err.text);
    CHECK(!sense_meter(s) && isnan(sense_joules(s)));
    sense_close(s);
    put("sys/class/power_supply/BAT0/status", "Discharging");
    s = sense_open(root, &err);
    REQUIRE(s);
    CHECK(sense_meter(s) && strstr(sense_meter(s), "battery"));
    CHECK(sense_joules(s) >= 0);
    sense_close(s);
}

TEST(temperatures_are_the_hottest_that_can_be_true)
{
    struct err err = { 0 };
    begin("heat");
    put("sys/class/thermal/thermal_zone0/temp", "41000");
    put("sys/class/thermal/thermal_zone1/temp", "-274000");
    put("sys/class/thermal/thermal_zone2/temp", "127000");
    put("sys/class/thermal/thermal_zone3/temp", "warm");
    put("sys/class/hwmon/hwmon3/name", "k10temp");
    put("sys/class/hwmon/hwmon3/temp1_input", "63500");
    put("sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", "3000000");
    put("sys/devices/system/cpu/cpu10/cpufreq/scaling_cur_freq", "2000000");
    put("sys/devices/system/cpu/cpufreq/x", "");
    struct sense *s = sense_open(root, &err);
    REQUIRE(s, "%s", err.text);
    CHECK(fabs(sense_temperature_c(s) - 63.5) < 1e-9, "%g", sense_temperature_c(s));
    CHECK(fabs(sense_mhz(s) - 2500) < 1e-9, "%g", sense_mhz(s));
    sense_close(s);
}

TEST(a_machine_without_sensors_has_none)
{
    struct err err = { 0 };
    begin("none");
    struct sense *s = sense_open(root, &err);
    REQUIRE(s, "%s", err.text);
    CHECK(!sense_meter(s) && isnan(sense_joules(s)) && isnan(sense_temperature_c(s)) && isnan(sense_mhz(s)));
    sense_tick(s);
    sense_close(s);
    CHECK(sense_rss_bytes() >= 0 && sense_peak_bytes() >= 0);
}
