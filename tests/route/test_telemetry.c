/* tests/route/test_telemetry.c - what one snapshot says of recorded machines, and of one that changes while it is read. */
#include "route/telemetry.h"

#include <math.h>
#include <time.h>

#include "base/clock.h"
#include "fake_sys.h"

#define S(n) ((uint64_t)(n) * 1000000000u)
static bool is_near(double a, double b) { return fabs(a - b) <= 1e-3 * fabs(b) + 1e-3; }
#define NEAR(a, b) CHECK(is_near((double)(a), b), #a " is %g, not %g", (double)(a), (double)(b))

static struct telemetry_source *open_source(const char *root)
{
    struct err err = { 0 };
    struct telemetry_source *s = telemetry_open(root, &err);
    CHECK(s, "%s", err.text);
    return s;
}

TEST(a_board_that_heats_drains_and_fills_up_while_it_is_read)
{
    struct fake_sys f;
    struct telemetry t;
    struct route_node node = { .name = "local" };
    fake_sys_init(&f, "Raspberry Pi 5 Model B Rev 1.0", 0, 110);
    fake_battery(&f, 0.5, true);
    fake_watts(&f, 3);
    struct telemetry_source *s = open_source(f.root);
    REQUIRE(s);
    telemetry_read(s, S(1), &t);
    NEAR(t.temperature_c, 40);
    NEAR(t.limit_c, 80); /* the firmware's, though the zone only knows 110 */
    NEAR(t.critical_c, 110);
    NEAR(t.headroom_c, 40);
    CHECK(strcmp(t.sensor, "cpu-thermal") == 0, "%s", t.sensor);
    NEAR(t.battery_frac, 0.5);
    CHECK(!t.on_battery);
    NEAR(t.memory_total_bytes, 8.0 * (1 << 30));
    NEAR(t.memory_free_bytes, 6.0 * (1 << 30));
    NEAR(t.pressure_frac, 0);
    CHECK(isnan(t.busy_frac), "nothing to compare with yet");
    CHECK(t.slow == 0 && isnan(t.gpu_headroom_c));
    CHECK(telemetry_meter(s) && strstr(telemetry_meter(s), "ina219"), "%s", telemetry_meter(s));

    fake_heat(&f, 77.5);
    fake_battery(&f, 0.18, false);
    fake_memory(&f, 8, 0.5);
    fake_pressure(&f, 12.5, 3);
    fake_load(&f, 10, 0.75);
    fake_watts(&f, 9);
    telemetry_read(s, S(11), &t);
    NEAR(t.temperature_c, 77.5);
    NEAR(t.headroom_c, 2.5);
    NEAR(t.battery_frac, 0.18);
    CHECK(t.on_battery);
    NEAR(t.battery_w, 15);
    NEAR(t.memory_free_bytes, 0.5 * (1 << 30));
    NEAR(t.pressure_frac, 0.125);
    NEAR(t.stall_frac, 0.03);
    NEAR(t.busy_frac, 0.75);
    NEAR(t.power_w, 6); /* mean of 3 and 9 */
    NEAR(telemetry_joules(s, S(11)), 60);
    telemetry_to_node(&t, &node);
    NEAR(node.headroom_c, 2.5);
    CHECK(node.on_battery && !node.is_throttled && strcmp(node.name, "local") == 0);
    telemetry_close(s);
}

TEST(what_is_unplugged_is_not_known_and_found_again_when_it_is_back)
{
    struct fake_sys f;
    struct telemetry t;
    fake_sys_init(&f, "A board", 90, 100);
    fake_battery(&f, 0.9, false);
    struct telemetry_source *s = open_source(f.root);
    REQUIRE(s);
    telemetry_read(s, S(1), &t);
    NEAR(t.battery_frac, 0.9);
    NEAR(t.limit_c, 90);
    fake_remove(&f, "sys/class/power_supply/BAT0/capacity");
    fake_remove(&f, "sys/class/power_supply/BAT0/status");
    fake_remove(&f, "sys/class/thermal/thermal_zone0/temp");
    telemetry_read(s, S(2), &t);
    CHECK(isnan(t.battery_frac) && !t.on_battery && isnan(t.temperature_c) && isnan(t.headroom_c));
    telemetry_read(s, S(70), &t); /* looked for, not there */
    CHECK(isnan(t.battery_frac) && isnan(t.temperature_c));
    fake_battery(&f, 0.7, false);
    fake_heat(&f, 50);
    telemetry_read(s, S(100), &t);
    CHECK(isnan(t.temperature_c), "is looked for once a minute");
    telemetry_read(s, S(140), &t);
    NEAR(t.battery_frac, 0.7);
    NEAR(t.temperature_c, 50);
    telemetry_close(s);
}

TEST(what_slows_a_machine_down_is_seen_while_it_does)
{
    struct fake_sys f;
    struct telemetry t;
    char words[80];
    fake_sys_init(&f, "Raspberry Pi 5 Model B Rev 1.0", 0, 110);
    fake_put(&f, "sys/devices/platform/soc@107c000000/soc@107c000000:firmware/get_throttled", "50000");
    fake_put(&f, "sys/class/thermal/cooling_device0/type", "thermal-cpufreq-0");
    fake_put(&f, "sys/class/thermal/cooling_device0/cur_state", "0");
    fake_put(&f, "sys/class/thermal/cooling_device1/type", "pwm-fan");
    fake_put(&f, "sys/class/thermal/cooling_device1/cur_state", "4");
    fake_put(&f, "sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count", "7");
    struct telemetry_source *s = open_source(f.root);
    REQUIRE(s);
    telemetry_read(s, S(1), &t);
    CHECK(t.slow == 0, "%#x: what was before counts no more, a fan may turn", t.slow);
    CHECK(t.slow_events == 7);
    fake_put(&f, "sys/devices/platform/soc@107c000000/soc@107c000000:firmware/get_throttled", "50005");
    telemetry_read(s, S(2), &t);
    CHECK(t.slow == (TELEMETRY_SLOW_VOLTAGE | TELEMETRY_SLOW_HEAT), "%#x", t.slow);
    telemetry_put_slow(t.slow, words, sizeof(words));
    CHECK(strcmp(words, "heat, weak supply") == 0, "%s", words);
    fake_put(&f, "sys/devices/platform/soc@107c000000/soc@107c000000:firmware/get_throttled", "0");
    fake_put(&f, "sys/class/thermal/cooling_device0/cur_state", "2");
    telemetry_read(s, S(3), &t);
    CHECK(t.slow == TELEMETRY_SLOW_HEAT);
    fake_put(&f, "sys/class/thermal/cooling_device0/cur_state", "0");
    fake_put(&f, "sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count", "9");
    telemetry_read(s, S(4), &t);
    CHECK(t.slow == TELEMETRY_SLOW_HEAT && t.slow_events == 9);
    telemetry_read(s, S(5), &t);
    CHECK(t.slow == 0);
    telemetry_close(s);
}

TEST(the_sensor_with_the_least_headroom_counts_and_drives_and_nonsense_do_not)
{
    struct fake_sys f;
    struct telemetry t;
    fake_sys_init(&f, "A laptop", 95, 105);
    fake_put(&f, "sys/class/thermal/thermal_zone1/type", "acpitz"); /* hotter, but far from its limit */
    fake_put(&f, "sys/class/thermal/thermal_zone1/temp", "60000");
    fake_put(&f, "sys/class/thermal/thermal_zone1/trip_point_0_type", "critical");
    fake_put(&f, "sys/class/thermal/thermal_zone1/trip_point_0_temp", "128000");
    fake_put(&f, "sys/class/thermal/thermal_zone2/type", "nodiode");
    fake_put(&f, "sys/class/thermal/thermal_zone2/temp", "-274000");
    fake_put(&f, "sys/class/thermal/thermal_zone3/type", "x86_pkg_temp"); /* without a limit */
    fake_put(&f, "sys/class/thermal/thermal_zone3/temp", "99000");
    fake_put(&f, "sys/class/hwmon/hwmon0/name", "nvme");
    fake_put(&f, "sys/class/hwmon/hwmon0/temp1_input", "82000");
    fake_put(&f, "sys/class/hwmon/hwmon0/temp1_crit", "84000");
    fake_put(&f, "sys/class/hwmon/hwmon2/name", "coretemp");
    fake_put(&f, "sys/class/hwmon/hwmon2/temp1_input", "70000");
    fake_put(&f, "sys/class/hwmon/hwmon2/temp1_crit", "100000");
    fake_put(&f, "sys/class/hwmon/hwmon2/temp1_label", "Package id 0");
    fake_put(&f, "sys/class/hwmon/hwmon5/name", "amdgpu");
    fake_put(&f, "sys/class/hwmon/hwmon5/temp1_input", "71000");
    fake_put(&f, "sys/class/hwmon/hwmon5/temp1_crit", "110000");
    fake_put(&f, "sys/class/hwmon/hwmon5/device/gpu_busy_percent", "37");
    fake_put(&f, "sys/class/hwmon/hwmon5/device/mem_info_vram_total", "17163091968");
    fake_put(&f, "sys/class/hwmon/hwmon5/device/mem_info_vram_used", "7163091968");
    struct telemetry_source *s = open_source(f.root);
    REQUIRE(s);
    telemetry_read(s, S(1), &t);
    NEAR(t.limit_c, 97); /* coretemp's: its critical one less 3 */
    NEAR(t.temperature_c, 70);
    CHECK(strcmp(t.sensor, "coretemp Package id 0") == 0, "%s", t.sensor);
    NEAR(t.gpu_temperature_c, 71);
    NEAR(t.gpu_headroom_c, 36);
    NEAR(t.gpu_busy_frac, 0.37);
    NEAR(t.gpu_memory_free_bytes, 1e10);
    struct telemetry_parts parts;
    telemetry_get_parts(s, &parts);
    CHECK(parts.n_gpus == 1 && !parts.gpus[0].is_lost);
    fake_remove(&f, "sys/class/hwmon/hwmon5/device/gpu_busy_percent");
    telemetry_read(s, S(2), &t);
    telemetry_get_parts(s, &parts);
    CHECK(parts.n_gpus == 1 && parts.gpus[0].is_lost);
    telemetry_close(s);
}

TEST(recorded_machines_say_what_their_files_say)
{
    struct telemetry t;
    struct telemetry_source *s = open_source("tests/hw/machines/raspberry-pi-5.tree");
    REQUIRE(s);
    telemetry_read(s, S(1), &t);
    NEAR(t.temperature_c, 47.712);
    NEAR(t.limit_c, 80);
    CHECK(isnan(t.battery_frac));
    telemetry_close(s);
    s = open_source("tests/hw/machines/laptop-gpu-battery.tree");
    REQUIRE(s);
    telemetry_read(s, S(1), &t);
    NEAR(t.battery_frac, 0.73);
    CHECK(t.on_battery);
    NEAR(t.battery_w, 14.2);
    telemetry_close(s);
    s = open_source("tests/hw/machines/jetson-orin-nano.tree");
    REQUIRE(s);
    telemetry_read(s, S(1), &t);
    NEAR(t.temperature_c, 48.343);
    NEAR(t.limit_c, 85); /* the recording has no trip points */
    telemetry_close(s);
    s = open_source("tests/hw/machines/vm-kvm.tree");
    REQUIRE(s);
    telemetry_read(s, S(1), &t);
    CHECK(isnan(t.temperature_c) && isnan(t.power_w) && !telemetry_meter(s), "a virtual machine feels nothing");
    CHECK(isnan(telemetry_joules(s, S(2))));
    telemetry_close(s);
}

TEST(this_machine_can_be_read_and_a_snapshot_is_cheap)
{
    struct telemetry t;
    struct telemetry_source *s = open_source("");
    REQUIRE(s);
    telemetry_read(s, clock_ns(), &t);
    const clock_t start = clock(); /* of this process: a loaded machine takes longer */
    for (int i = 0; i < 50; i++)
        telemetry_read(s, clock_ns(), &t);
    const double us = (double)(clock() - start) * 1e6 / CLOCKS_PER_SEC / 50;
    printf("# a snapshot takes %.0f us\n", us);
    CHECK(us < 10000, "%.0f us", us);
    CHECK(t.memory_total_bytes > 0 && t.memory_free_bytes > 0 && t.memory_free_bytes <= t.memory_total_bytes);
    telemetry_close(s);
}
