/* tests/hw/test_topology.c - cores are counted by the rules, whatever the kernel leaves out. */
#include <string.h>

#include "hw/machine.h"
#include "test.h"

#define ONLINE(list) "sys/devices/system/cpu/online: " list "\n"
#define CPU "sys/devices/system/cpu/cpu"
#define INTEL "proc/cpuinfo: <<E\nprocessor : 0\nvendor_id : GenuineIntel\ncpu family : 6\nmodel : 189\nflags : lm avx2\nE\n"
#define AMD(model) "proc/cpuinfo: <<E\nprocessor : 0\nvendor_id : AuthenticAMD\ncpu family : 26\nmodel : " model "\nflags : lm avx2\nE\n"
#define ARM(part) "CPU implementer : 0x41\nCPU architecture: 8\nCPU variant : 0x0\nCPU part : " part "\nCPU revision : 0\n"

static const struct {
    const char *what, *tree;
    int sockets, cores, threads, performance, efficiency, low_power;
} cases[] = {
    { "Lunar Lake: four P cores without SMT, four low power ones without L3",
      INTEL ONLINE("0-7") CPU "{0-7}/topology/thread_siblings_list: {}\n" CPU "{0-7}/topology/physical_package_id: 0\n" CPU "{0-7}/cache/index0/level: 1\n"
      CPU "{0-7}/cache/index0/type: Data\n" CPU "{0-3}/cache/index0/size: 48K\n" CPU "{4-7}/cache/index0/size: 32K\n" CPU "{0-3}/cache/index1/level: 3\n"
      CPU "{0-3}/cache/index1/type: Unified\n" CPU "{0-3}/cache/index1/size: 12288K\n" CPU "{0-3}/cache/index1/shared_cpu_list: 0-3\n",
      1, 8, 8, 4, 0, 4 },
    { "Strix Point: Zen 5 and Zen 5c differ in clock alone",
      AMD("36") ONLINE("0-23") CPU "{0-23}/topology/thread_siblings_list: {/2*2}-{/2*2+1}\n" CPU "{0-23}/topology/physical_package_id: 0\n"
      CPU "{0-7}/cpufreq/cpuinfo_max_freq: 5157000\n" CPU "{8-23}/cpufreq/cpuinfo_max_freq: 3309000\n",
      1, 12, 24, 4, 8, 0 },
    { "favoured cores are no kind of their own",
      AMD("68") ONLINE("0-7") CPU "{0-7}/topology/thread_siblings_list: {}\n" CPU "{0-3}/cpufreq/cpuinfo_max_freq: 5700000\n" CPU "{4-7}/cpufreq/cpuinfo_max_freq: 5450000\n",
      1, 8, 8, 0, 0, 0 },
    { "CPUs that are switched off do not count, their cores neither",
      AMD("68") ONLINE("0-2,5") CPU "{0-7}/topology/thread_siblings_list: {/2*2}-{/2*2+1}\n" CPU "{0-7}/topology/core_id: {/2}\n" CPU "{0-7}/topology/physical_package_id: 0\n",
      1, 3, 4, 0, 0, 0 },
    { "old kernels have masks and no lists",
      INTEL ONLINE("0-3") CPU "{0-1}/topology/thread_siblings: 00000000,00000003\n" CPU "{2-3}/topology/thread_siblings: 00000000,0000000c\n"
      CPU "{0-3}/topology/physical_package_id: {/2}\n",
      2, 2, 4, 0, 0, 0 },
    { "nothing but cpuinfo: physical id and core id",
      "proc/cpuinfo: <<E\nprocessor : 0\nvendor_id : GenuineIntel\nphysical id : 0\ncore id : 0\nprocessor : 1\nphysical id : 1\ncore id : 0\nprocessor : 2\nphysical id : 0\n"
      "core id : 0\nprocessor : 3\nphysical id : 1\ncore id : 0\nE\n",
      2, 2, 4, 0, 0, 0 },
    { "packages of a board's clusters are one socket",
      "proc/cpuinfo: <<E\nprocessor : 0\n" ARM("0xd03") "processor : 1\n" ARM("0xd03") "processor : 2\n" ARM("0xd09") "E\n" ONLINE("0-2")
      CPU "{0-2}/topology/physical_package_id: {/2}\nproc/device-tree/compatible:= acme,board\\0\n",
      1, 3, 3, 1, 2, 0 },
    { "packages of an Arm server are sockets, whatever their numbers",
      "proc/cpuinfo: <<E\nprocessor : 0\n" ARM("0xd0c") "processor : 1\n" ARM("0xd0c") "E\n" ONLINE("0-1") CPU "{0-1}/topology/physical_package_id: {*3580+36}\n"
      "sys/class/dmi/id/sys_vendor: Ampere(R)\n",
      2, 2, 2, 0, 0, 0 },
    { "a package of -1 is one socket", "proc/cpuinfo: <<E\nprocessor : 0\n" ARM("0xd0c") "E\n" ONLINE("0-3") CPU "{0-3}/topology/physical_package_id: -1\n", 1, 4, 4, 0, 0, 0 },
    { "a list that makes no sense is not believed", INTEL ONLINE("0-99999999999") CPU "0/topology/thread_siblings_list: 5-2\n", 1, 1, 1, 0, 0, 0 },
    { "siblings that are not there", INTEL ONLINE("0-1") CPU "{0-1}/topology/thread_siblings_list: 4000-4001\n", 1, 2, 2, 0, 0, 0 },
};

TEST(cores_are_counted_by_the_rules)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct err err = { 0 };
        struct hw_root *r = hw_root_parse(cases[i].tree, strlen(cases[i].tree), &err);
        REQUIRE(r, "%s: %s", cases[i].what, err.text);
        struct hw_machine *m = hw_detect_root(r, &err);
        REQUIRE(m, "%s", err.text);
        const struct hw_cpu *c = &m->cpu;
        CHECK(c->sockets == cases[i].sockets && c->cores_physical == cases[i].cores && c->cores_logical == cases[i].threads, "%s: %d sockets, %d cores, %d threads", cases[i].what,
              c->sockets, c->cores_physical, c->cores_logical);
        CHECK(c->cores_performance == cases[i].performance && c->cores_efficiency == cases[i].efficiency && c->cores_low_power == cases[i].low_power, "%s: %d P, %d E, %d L",
              cases[i].what, c->cores_performance, c->cores_efficiency, c->cores_low_power);
        hw_machine_free(m);
        hw_root_free(r);
    }
}
