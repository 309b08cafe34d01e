/* tests/advise/test_bandwidth.c - theoretical bandwidth is min(RAM, fabric), and says which and where from. */
#include <math.h>
#include <string.h>

#include "advise/bandwidth.h"
#include "test.h"

static struct hw_machine *machine(const char *tree)
{
    struct err err = { 0 };
    struct hw_root *r = hw_root_parse(tree, strlen(tree), &err);
    struct hw_machine *m = r ? hw_detect_root(r, &err) : NULL;
    CHECK(m, "%s", err.text);
    hw_root_free(r);
    return m;
}

#define X86(model) "proc/cpuinfo: <<E\nprocessor : 0\nvendor_id : X\nmodel name : " model "\nflags : lm\nE\n"
#define TWO_SOCKETS "sys/devices/system/cpu/online: 0-1\nsys/devices/system/cpu/cpu{0-1}/topology/physical_package_id: {}\n"

static const struct {
    const char *tree, *kind, *says;
    double gbps;
} cases[] = {
    { X86("AMD Ryzen 7 7800X3D 8-Core Processor"), "catalog", "fabric of Ryzen 7 7800X3D", 64.0 },  /* one chiplet: 32 B x 2 GHz, below 83.2 */
    { X86("AMD Ryzen 9 7950X 16-Core Processor"), "catalog", "the most that Ryzen 9 7950X", 83.2 }, /* two chiplets carry more than the RAM */
    { X86("AMD EPYC 7451 24-Core Processor") TWO_SOCKETS, "catalog", "each socket's EPYC 7451", 341.248 },
    { X86("11th Gen Intel(R) Core(TM) i7-1165G7 @ 2.80GHz"), "catalog", "Core i7-1165G7", 68.272 },
    { X86("AMD Ryzen 7 7840HS w/ Radeon 780M Graphics"), "catalog", "Ryzen 7 7840HS", 89.6 },
    { X86("Acme Core 1"), "", "", 0 },
    { X86("AMD Ryzen 9 7950X 16-Core Processor") "sys/hypervisor/type: xen\n", "", "", 0 }, /* a guest's share is not known */
    { "proc/device-tree/model:= Raspberry Pi 4 Model B Rev 1.4\\0\nproc/device-tree/compatible:= raspberrypi,4-model-b\\0brcm,bcm2711\\0\n", "catalog", "Raspberry Pi 4B", 12.8 },
    { "proc/device-tree/compatible:= nvidia,p3701-0005\\0nvidia,tegra234\\0\n", "catalog", "Jetson AGX Orin 64GB", 204.8 },
    { "proc/device-tree/compatible:= xunlong,orangepi-5\\0rockchip,rk3588\\0\n", "catalog", "RK3588", 34.1 },
};

TEST(bandwidth_in_theory_is_the_smaller_of_memory_and_fabric)
{
    struct err err = { 0 };
    struct catalog *c = catalog_new(NULL, &err);
    REQUIRE(c, "%s", err.text);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hw_machine *m = machine(cases[i].tree);
        struct advise_bandwidth bw;
        REQUIRE(m);
        advise_bandwidth(c, m, &bw);
        CHECK(fabs(bw.theoretical_bps / 1e9 - cases[i].gbps) < 0.1, "%zu: %g GB/s", i, bw.theoretical_bps / 1e9);
        CHECK(strcmp(bw.kind, cases[i].kind) == 0 && strstr(bw.source, cases[i].says), "%zu: [%s] %s", i, bw.kind, bw.source);
        hw_machine_free(m);
    }
    catalog_free(c);
}

TEST(what_the_modules_say_wins_over_the_catalog)
{
    struct err err = { 0 };
    struct catalog *c = catalog_new(NULL, &err);
    struct hw_machine *m = machine(X86("Intel(R) Core(TM) i7-1165G7 CPU @ 2.80GHz"));
    struct advise_bandwidth bw;
    REQUIRE(c && m);
    m->memory.ram_bps = 25.6e9;
    hw_copy(m->memory.bandwidth_source, sizeof(m->memory.bandwidth_source), "1 x 64 bit x 3200 MT/s (dmi)");
    advise_bandwidth(c, m, &bw);
    CHECK(bw.theoretical_bps == 25.6e9 && strcmp(bw.kind, "detected") == 0 && strstr(bw.source, "3200 MT/s"), "%s", bw.source);
    hw_machine_free(m);
    catalog_free(c);
}
