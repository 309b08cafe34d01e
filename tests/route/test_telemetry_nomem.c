/* tests/route/test_telemetry_nomem.c - sensors, ladders and the steward with each allocation failing in turn; none for a snapshot. */
#include <string.h>

#include "fail_alloc.h"
#include "route/steward.h"
#include "test.h"

static const char machine[] = "proc/device-tree/model: Raspberry Pi 5\n"
                              "proc/meminfo: <<E\nMemTotal: 8000000 kB\nMemAvailable: 6000000 kB\nE\n"
                              "proc/pressure/memory: some avg10=1.00 avg60=0.00 avg300=0.00 total=1\n"
                              "proc/stat: cpu  10 0 0 90 0 0 0 0 0 0\n"
                              "sys/class/thermal/thermal_zone0/type: cpu-thermal\n"
                              "sys/class/thermal/thermal_zone0/temp: 50000\n"
                              "sys/class/thermal/cooling_device0/type: thermal-cpufreq-0\n"
                              "sys/class/thermal/cooling_device0/cur_state: 0\n"
                              "sys/class/hwmon/hwmon0/name: ina219\n"
                              "sys/class/hwmon/hwmon0/power1_input: 5000000\n"
                              "sys/class/power_supply/BAT0/type: Battery\n"
                              "sys/class/power_supply/BAT0/capacity: 50\n"
                              "sys/class/power_supply/BAT0/status: Discharging\n";

static bool read_often(void *arg, struct err *err)
{
    struct hw_root *r = hw_root_parse(machine, sizeof(machine) - 1, err);
    struct telemetry_source *s = r ? telemetry_open_root(r, err) : NULL;
    struct telemetry t;
    for (int i = 0; s && i < *(int *)arg; i++)
        telemetry_read(s, (uint64_t)(i + 1) * 1000000000u, &t);
    telemetry_close(s);
    return s != NULL;
}

TEST(sensors_survive_every_failing_allocation_and_a_snapshot_makes_none)
{
    int once = 1, often = 50;
    const long n = fail_alloc_each(read_often, &once, 300);
    CHECK(n >= 20, "%ld allocations", n);
    CHECK(fail_alloc_each(read_often, &often, 1) == n, "snapshots allocate");
}

static bool steward(void *arg, struct err *err)
{
    struct catalog *c = catalog_new(NULL, err);
    struct ladders *l = c ? ladders_new(c, err) : NULL;
    const struct steward_config config = { .root = arg, .ladders = l };
    struct steward *s = l ? steward_new(&config, err) : NULL;
    if (s)
        steward_tick(s, 1000000000u);
    steward_free(s);
    ladders_free(l);
    catalog_free(c);
    return s != NULL;
}

TEST(ladders_and_the_steward_survive_every_failing_allocation)
{
    char path[400];
    snprintf(path, sizeof(path), "%s", test_tmp("m.tree"));
    FILE *f = fopen(path, "w");
    REQUIRE(f && fputs(machine, f) >= 0 && fclose(f) == 0);
    const long n = fail_alloc_each(steward, path, 200);
    CHECK(n >= 40, "%ld allocations", n);
}
