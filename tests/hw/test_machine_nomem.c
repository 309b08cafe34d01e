/* tests/hw/test_machine_nomem.c - detection and recording with each allocation failing in turn. */
#include <string.h>

#include "fail_alloc.h"
#include "hw/record.h"
#include "test.h"

static const char small[] = "proc/meminfo: MemTotal: 1000 kB\n"
                            "proc/cpuinfo: <<E\nprocessor : 0\nvendor_id : GenuineIntel\nE\n"
                            "proc/device-tree/compatible:= a\\0b\\0\n"
                            "proc/driver/nvidia/gpus/0000:01:00.0/information: Model: X\n"
                            "sys/devices/system/cpu/cpu0/cache/index0/level: 1\n"
                            "sys/devices/system/cpu/cpu0/cache/index0/size: 32K\n"
                            "sys/devices/system/node/node0/cpulist: 0\n"
                            "sys/firmware/dmi/tables/DMI:= \\x7f\\x04\\0\\0\\0\\0\n"
                            "sys/class/net/eth0 -> ../../devices/net/eth0\n"
                            "sys/devices/net/eth0/speed: 1000\n"
                            "sys/bus/pci/devices/0000:01:00.0/uevent: PCI_ID=10DE:2684\n";

static bool detect(void *arg, struct err *err)
{
    (void)arg;
    struct hw_root *r = hw_root_parse(small, sizeof(small) - 1, err);
    struct hw_machine *m = r ? hw_detect_root(r, err) : NULL;
    hw_machine_free(m);
    hw_root_free(r);
    return m != NULL;
}

static bool record(void *arg, struct err *err)
{
    (void)arg;
    struct hw_root *r = hw_root_parse(small, sizeof(small) - 1, err);
    struct hw_machine *m = NULL;
    struct buf tar;
    buf_init(&tar, 1 << 20);
    const bool ok = r && hw_record(r, NULL, &tar, &m, err);
    buf_fini(&tar);
    hw_machine_free(m);
    hw_root_free(r);
    return ok;
}

TEST(detection_survives_every_failing_allocation)
{
    const long n = fail_alloc_each(detect, NULL, 400);
    CHECK(n >= 30, "%ld allocations", n);
}

TEST(recording_survives_every_failing_allocation)
{
    const long n = fail_alloc_each(record, NULL, 200);
    CHECK(n >= 60, "%ld allocations", n);
}
