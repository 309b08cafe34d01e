/* tests/hw/test_devices.c - GPUs, accelerators, disks, links, heat, power: machines of a few lines each. */
#include <math.h>
#include <string.h>

#include "hw/ids.h"
#include "hw/machine.h"
#include "hw/pci.h"
#include "test.h"

static struct hw_machine *m;
static struct hw_root *r;

static bool detect(const char *tree)
{
    struct err err = { 0 };
    hw_machine_free(m), hw_root_free(r);
    m = NULL;
    r = hw_root_parse(tree, strlen(tree), &err);
    if (r)
        m = hw_detect_root(r, &err);
    if (!m)
        printf("# %s\n", err.text);
    return m != NULL;
}

TEST(ids_are_found_by_halving_and_nothing_else_is)
{
    for (int i = 0; i < hw_n_ids; i++)
        CHECK(hw_id_find(hw_ids[i].bus, hw_ids[i].vendor, hw_ids[i].device) == &hw_ids[i]);
    CHECK(!hw_id_find(HW_BUS_USB, 0x10de, 0x2684) && !hw_id_find(HW_BUS_PCI, 0, 0) && !hw_id_find(HW_BUS_PCI, 0x110de, 0x2684));
    CHECK(hw_n_ids > 600);
}

TEST(pci_speeds_and_addresses)
{
    CHECK(hw_pci_gen("2.5 GT/s PCIe") == 1 && hw_pci_gen("16.0 GT/s PCIe") == 4 && hw_pci_gen("Unknown") == 0 && hw_pci_gen("") == 0);
    char text[24];
    hw_pci_address(text, sizeof(text), "00000000:0A:00.0");
    CHECK(strcmp(text, "0000:0a:00.0") == 0);
    hw_pci_address(text, sizeof(text), "nonsense");
    CHECK(text[0] == '\0');
}

TEST(a_card_without_its_driver_is_named_from_the_table)
{
    REQUIRE(detect("sys/bus/pci/devices/0000:01:00.0/uevent: <<E\nPCI_CLASS=30000\nPCI_ID=10DE:2684\nPCI_SUBSYS_ID=1043:889A\nE\n"
                   "sys/bus/pci/devices/0000:01:00.0/current_link_speed: 2.5 GT/s PCIe\n"
                   "sys/bus/pci/devices/0000:01:00.0/max_link_speed: 16.0 GT/s PCIe\n"
                   "sys/bus/pci/devices/0000:01:00.0/current_link_width: 8\n"
                   "sys/bus/pci/devices/0000:01:00.0/max_link_width: 16\n"
                   "sys/bus/pci/devices/0000:01:00.0/numa_node: 1\n"));
    REQUIRE(m->n_gpus == 1);
    const struct hw_gpu *g = &m->gpus[0];
    CHECK(strcmp(g->name, "NVIDIA GeForce RTX 4090") == 0 && strcmp(g->chip, "AD102") == 0 && strcmp(g->architecture, "Ada") == 0, "%s", g->name);
    CHECK(strcmp(g->name_source, "pci ids") == 0 && g->compute_major == 8 && g->compute_minor == 9 && !g->driver[0]);
    CHECK(g->vram_bytes == 0 && g->is_unified == HW_UNKNOWN && g->kind == HW_GPU_DISCRETE, "its memory is not known and not guessed");
    CHECK(g->link_gen == 1 && g->link_gen_max == 4 && g->link_width == 8 && g->link_width_max == 16 && g->numa_node == 1);
}

TEST(screens_of_servers_and_virtual_machines_are_no_gpus)
{
    REQUIRE(detect("sys/bus/pci/devices/0000:09:03.0/uevent: <<E\nPCI_CLASS=30000\nPCI_ID=102B:0532\nE\n"   /* Matrox BMC */
                   "sys/bus/pci/devices/0000:0a:00.0/uevent: <<E\nPCI_CLASS=30000\nPCI_ID=1A03:2000\nE\n"   /* ASPEED BMC */
                   "sys/bus/pci/devices/0000:00:02.0/uevent: <<E\nPCI_CLASS=30000\nPCI_ID=80EE:BEEF\nE\n"   /* VirtualBox */
                   "sys/bus/pci/devices/0000:00:03.0/uevent: <<E\nPCI_CLASS=30000\nPCI_ID=1AF4:1050\nE\n"   /* virtio */
                   "sys/bus/pci/devices/0000:01:00.1/uevent: <<E\nPCI_CLASS=40300\nPCI_ID=10DE:22BA\nE\n")); /* a card's sound */
    CHECK(m->n_gpus == 0, "%d: %s", m->n_gpus, m->gpus[0].name);
}

TEST(the_nvidia_driver_names_its_cards_and_its_version)
{
    REQUIRE(detect("sys/bus/pci/devices/0000:65:00.0/uevent: <<E\nDRIVER=nvidia\nPCI_CLASS=30200\nPCI_ID=10DE:20B5\nE\n"
                   "proc/driver/nvidia/version: NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.129.03  Thu Oct 19 18:56:32 UTC 2023\n"
                   "proc/driver/nvidia/gpus/0000:65:00.0/information: <<E\nModel: \t\t NVIDIA A100 80GB PCIe\nIRQ:   \t\t 160\nVideo BIOS: \t 92.00.68.00.01\nE\n"));
    REQUIRE(m->n_gpus == 1);
    CHECK(strcmp(m->gpus[0].name, "NVIDIA A100 80GB PCIe") == 0 && strcmp(m->gpus[0].name_source, "driver") == 0);
    CHECK(strcmp(m->gpus[0].driver_version, "535.129.03") == 0 && strcmp(m->gpus[0].vbios, "92.00.68.00.01") == 0 && strcmp(m->gpus[0].driver, "nvidia") == 0);
}

TEST(gpu_memory_that_is_a_numa_node_is_vram)
{
    REQUIRE(detect("sys/bus/pci/devices/0004:05:00.0/class: 0x030200\n"
                   "proc/driver/nvidia/gpus/0004:05:00.0/numa_status: <<E\nNode:      255\nStatus:    online\nAddress:   40000000000\nSize:      3f0000000\nE\n"));
    REQUIRE(m->n_gpus == 1);
    CHECK(m->gpus[0].vram_bytes == 0x3f0000000 && strcmp(m->gpus[0].vendor, "NVIDIA") == 0 && strcmp(m->gpus[0].name, "NVIDIA GPU") == 0);
}

TEST(amd_cards_and_apus)
{
    REQUIRE(detect("sys/bus/pci/devices/0000:03:00.0 -> ../../../devices/pci0000:00/0000:00:01.0/0000:01:00.0/0000:02:00.0/0000:03:00.0\n"
                   "sys/devices/pci0000:00/0000:00:01.0/vendor: 0x1022\n"
                   "sys/devices/pci0000:00/0000:00:01.0/class: 0x060400\n"
                   "sys/devices/pci0000:00/0000:00:01.0/0000:01:00.0/vendor: 0x1002\n"
                   "sys/devices/pci0000:00/0000:00:01.0/0000:01:00.0/class: 0x060400\n"
                   "sys/devices/pci0000:00/0000:00:01.0/0000:01:00.0/current_link_speed: 16.0 GT/s PCIe\n"
                   "sys/devices/pci0000:00/0000:00:01.0/0000:01:00.0/current_link_width: 8\n"
                   "sys/devices/pci0000:00/0000:00:01.0/0000:01:00.0/0000:02:00.0/vendor: 0x1002\n"
                   "sys/devices/pci0000:00/0000:00:01.0/0000:01:00.0/0000:02:00.0/class: 0x060400\n"
                   "sys/devices/pci0000:00/0000:00:01.0/0000:01:00.0/0000:02:00.0/0000:03:00.0/vendor: 0x1002\n"
                   "sys/devices/pci0000:00/0000:00:01.0/0000:01:00.0/0000:02:00.0/0000:03:00.0/uevent: <<E\nDRIVER=amdgpu\nPCI_CLASS=30000\nPCI_ID=1002:744C\nE\n"
                   "sys/devices/pci0000:00/0000:00:01.0/0000:01:00.0/0000:02:00.0/0000:03:00.0/current_link_speed: 16.0 GT/s PCIe\n"
                   "sys/devices/pci0000:00/0000:00:01.0/0000:01:00.0/0000:02:00.0/0000:03:00.0/current_link_width: 16\n"
                   "sys/devices/pci0000:00/0000:00:01.0/0000:01:00.0/0000:02:00.0/0000:03:00.0/mem_info_vram_total: 25753026560\n"
                   "sys/devices/pci0000:00/0000:00:01.0/0000:01:00.0/0000:02:00.0/0000:03:00.0/hwmon/hwmon4/power1_cap: 339000000\n"
                   "sys/devices/pci0000:00/0000:00:01.0/0000:01:00.0/0000:02:00.0/0000:03:00.0/hwmon/hwmon4/temp1_input: 48000\n"
                   "sys/class/kfd/kfd/topology/nodes/1/properties: <<E\ncpu_cores_count 0\nsimd_count 192\nsimd_per_cu 2\ngfx_target_version 110000\nlocation_id 768\ndomain 0\nE\n"
                   "sys/bus/pci/devices/0000:c4:00.0/uevent: <<E\nDRIVER=amdgpu\nPCI_CLASS=38000\nPCI_ID=1002:150E\nE\n"
                   "sys/bus/pci/devices/0000:c4:00.0/mem_info_vram_total: 536870912\n"));
    REQUIRE(m->n_gpus == 2);
    const struct hw_gpu *g = &m->gpus[0];
    CHECK(g->vram_bytes == 25753026560 && g->compute_units == 96 && strcmp(g->architecture, "gfx1100") == 0 && g->power_limit_w == 339 && g->temperature_c == 48, "%s", g->architecture);
    CHECK(strncmp(g->name, "AMD Radeon RX 7900 XT", 21) == 0 && strcmp(g->chip, "Navi 31") == 0, "%s", g->name);
    CHECK(g->link_gen == 4 && g->link_width == 8, "behind the card's own switch: its outer port, x%d", g->link_width);
    CHECK(m->gpus[1].kind == HW_GPU_INTEGRATED && m->gpus[1].is_unified == HW_YES && m->gpus[1].vram_bytes == 0, "what firmware set aside is no VRAM");
    CHECK(m->memory.is_unified != HW_YES, "there is a card with memory of its own");
}

TEST(intel_graphics_and_arc)
{
    REQUIRE(detect("sys/bus/pci/devices/0000:00:02.0/uevent: <<E\nDRIVER=i915\nPCI_CLASS=30000\nPCI_ID=8086:FFFF\nE\n" /* newer than the table */
                   "sys/bus/pci/devices/0000:03:00.0/uevent: <<E\nDRIVER=xe\nPCI_CLASS=30000\nPCI_ID=8086:E20B\nE\n"
                   "sys/bus/pci/devices/0000:03:00.0/tile0/physical_vram_size_bytes: 12884901888\n"));
    REQUIRE(m->n_gpus == 2);
    CHECK(m->gpus[0].kind == HW_GPU_INTEGRATED && strcmp(m->gpus[0].name, "Intel GPU 8086:ffff") == 0 && strcmp(m->gpus[0].name_source, "pci bus") == 0);
    CHECK(m->gpus[1].kind == HW_GPU_DISCRETE && m->gpus[1].vram_bytes == 12884901888 && strcmp(m->gpus[1].name, "Intel Arc B580") == 0, "%s", m->gpus[1].name);
}

#define ORIN                                                                                                              \
    "proc/device-tree/model:= NVIDIA Jetson Orin Nano Developer Kit\\0\n"                                                 \
    "proc/device-tree/compatible:= nvidia,p3768-0000+p3767-0005\\0nvidia,p3767-0005\\0nvidia,tegra234\\0\n"
TEST(a_jetson_has_its_gpu_in_the_soc_and_a_power_mode)
{
    REQUIRE(detect(ORIN "sys/class/devfreq/17000000.gpu/cur_freq: 306000000\n"
                        "sys/class/devfreq/17000000.gpu/min_freq: 306000000\n"
                        "sys/class/devfreq/17000000.gpu/max_freq: 1020000000\n"
                        "var/lib/nvpmodel/status: pmode:0000 fmode:quiet\n"
                        "etc/nvpmodel.conf: <<E\n# comment\n< POWER_MODEL ID=0 NAME=15W >\n< POWER_MODEL ID=1 NAME=25W >\n< POWER_MODEL ID=2 NAME=MAXN_SUPER >\n< PM_CONFIG DEFAULT=1 >\nE\n"));
    REQUIRE(m->n_gpus == 1);
    CHECK(strcmp(m->gpus[0].name, "NVIDIA Orin") == 0 && m->gpus[0].compute_major == 8 && m->gpus[0].compute_minor == 7 && m->gpus[0].clock_max_mhz == 1020);
    CHECK(m->gpus[0].is_unified == HW_YES && m->memory.is_unified == HW_YES && m->gpus[0].vram_bytes == 0);
    CHECK(strcmp(m->power_mode, "15W") == 0 && strcmp(m->setup.power_mode_best, "MAXN_SUPER") == 0 && m->setup.power_mode_best_id == 2 && m->setup.clocks_locked == HW_NO, "%s", m->power_mode);
    REQUIRE(detect(ORIN "var/lib/nvpmodel/status: pmode:0001\nsys/devices/system/cpu/cpu0/cpufreq/scaling_min_freq: 1510400\nsys/devices/system/cpu/cpu0/cpufreq/scaling_max_freq: 1510400\n"
                        "etc/nvpmodel.conf: <<E\n< POWER_MODEL ID=0 NAME=MODE_15W_6CORE >\n< POWER_MODEL ID=1 NAME=7W >\nE\n"));
    CHECK(strcmp(m->power_mode, "7W") == 0 && strcmp(m->setup.power_mode_best, "MODE_15W_6CORE") == 0 && m->setup.clocks_locked == HW_YES, "%s", m->setup.power_mode_best);
    REQUIRE(detect(ORIN));
    CHECK(m->n_gpus == 1 && m->gpus[0].clock_max_mhz == 0 && !m->power_mode[0] && m->setup.clocks_locked == HW_UNKNOWN);
}

TEST(a_dgx_spark_has_its_gpu_in_the_processor)
{
    REQUIRE(detect("sys/class/dmi/id/sys_vendor: NVIDIA\nsys/class/dmi/id/product_name: NVIDIA_DGX_Spark\n"));
    CHECK(m->n_gpus == 1 && strcmp(m->gpus[0].name, "NVIDIA GB10") == 0 && strcmp(m->gpus[0].name_source, "soc") == 0 && m->memory.is_unified == HW_YES);
}

TEST(a_coral_is_the_same_stick_under_both_identities)
{
    REQUIRE(detect("sys/bus/usb/devices/2-1/idVendor: 1a6e\nsys/bus/usb/devices/2-1/idProduct: 089a\nsys/bus/usb/devices/2-1/speed: 480\n"
                   "sys/bus/usb/devices/2-1/busnum: 2\nsys/bus/usb/devices/2-1/devnum: 4\n"
                   "sys/bus/usb/devices/2-2/idVendor: 18d1\nsys/bus/usb/devices/2-2/idProduct: 9302\nsys/bus/usb/devices/2-2/speed: 5000\n"
                   "sys/bus/usb/devices/2-2:1.0/idVendor: 18d1\nsys/bus/usb/devices/2-2:1.0/idProduct: 9302\n"
                   "sys/bus/usb/devices/usb1/idVendor: 1d6b\nsys/bus/usb/devices/usb1/idProduct: 0002\n"));
    REQUIRE(m->n_accelerators == 2, "%d", m->n_accelerators);
    for (int i = 0; i < 2; i++)
        CHECK(strcmp(m->accelerators[i].kind, "coral-usb") == 0 && strcmp(m->accelerators[i].vendor, "Google") == 0 && strcmp(m->accelerators[i].name, "Coral USB Accelerator") == 0);
    CHECK(strcmp(m->accelerators[0].state, "not booted") == 0 && strcmp(m->accelerators[1].state, "ready") == 0);
    CHECK(strcmp(m->accelerators[0].link, "USB 2 (480 Mbit/s)") == 0 && strcmp(m->accelerators[1].link, "USB 3 (5 Gbit/s)") == 0);
    CHECK(strcmp(m->accelerators[0].device, "/dev/bus/usb/002/004") == 0 && !m->accelerators[1].device[0]);
}

TEST(a_pcie_coral_is_apex_and_a_neural_stick_boots)
{
    REQUIRE(detect("sys/bus/pci/devices/0000:01:00.0/uevent: <<E\nDRIVER=apex\nPCI_CLASS=FF00\nPCI_ID=1AC1:089A\nE\n"
                   "sys/class/apex/apex_0/device -> ../../../bus/pci/devices/0000:01:00.0\n"
                   "sys/bus/pci/devices/0000:02:00.0/uevent: <<E\nPCI_CLASS=48000\nPCI_ID=1E60:2864\nE\n"
                   "sys/bus/usb/devices/1-1/idVendor: 03e7\nsys/bus/usb/devices/1-1/idProduct: 2485\n"
                   "sys/bus/usb/devices/1-2/idVendor: 03e7\nsys/bus/usb/devices/1-2/idProduct: f63b\n"));
    REQUIRE(m->n_accelerators == 4, "%d", m->n_accelerators);
    CHECK(strcmp(m->accelerators[0].kind, "coral-pcie") == 0 && strcmp(m->accelerators[0].device, "/dev/apex_0") == 0 && strcmp(m->accelerators[0].state, "ready") == 0);
    CHECK(strcmp(m->accelerators[1].kind, "hailo8") == 0 && strcmp(m->accelerators[1].state, "no driver") == 0 && strcmp(m->accelerators[1].vendor, "Hailo") == 0);
    CHECK(strcmp(m->accelerators[2].kind, "ncs2") == 0 && strcmp(m->accelerators[2].state, "not booted") == 0);
    CHECK(strcmp(m->accelerators[3].kind, "ncs2") == 0 && strcmp(m->accelerators[3].state, "ready") == 0);
}

TEST(npus_of_processors)
{
    REQUIRE(detect("sys/bus/pci/devices/0000:00:0b.0/uevent: <<E\nDRIVER=intel_vpu\nPCI_CLASS=120000\nPCI_ID=8086:7D1D\nE\n"
                   "sys/class/accel/accel0/device -> ../../../bus/pci/devices/0000:00:0b.0\n"
                   "sys/class/accel/accel1/device -> ../../../devices/platform/fdab0000.npu\n"
                   "sys/devices/platform/fdab0000.npu/driver -> ../../../bus/platform/drivers/rocket\n"));
    REQUIRE(m->n_accelerators == 2, "%d", m->n_accelerators);
    CHECK(strcmp(m->accelerators[0].kind, "npu") == 0 && strcmp(m->accelerators[0].device, "/dev/accel/accel0") == 0 && strcmp(m->accelerators[0].vendor, "Intel") == 0 && strcmp(m->accelerators[0].bus, "soc") == 0);
    CHECK(strcmp(m->accelerators[1].kind, "npu") == 0 && strcmp(m->accelerators[1].vendor, "Rockchip") == 0 && strcmp(m->accelerators[1].device, "/dev/accel/accel1") == 0, "%s", m->accelerators[1].vendor);
}

#define NVME                                                                                              \
    "sys/block/nvme0n1 -> ../devices/pci0000:00/0000:01:00.0/nvme/nvme0/nvme0n1\n"                        \
    "sys/class/block/nvme0n1p2 -> ../../devices/pci0000:00/0000:01:00.0/nvme/nvme0/nvme0n1/nvme0n1p2\n"   \
    "sys/devices/pci0000:00/0000:01:00.0/nvme/nvme0/nvme0n1/size: 1000215216\n"                           \
    "sys/devices/pci0000:00/0000:01:00.0/nvme/nvme0/nvme0n1/queue/rotational: 0\n"                        \
    "sys/devices/pci0000:00/0000:01:00.0/nvme/nvme0/nvme0n1/nvme0n1p2/partition: 2\n"                     \
    "sys/class/nvme/nvme0/device -> ../../../bus/pci/devices/0000:01:00.0\n"                              \
    "sys/bus/pci/devices/0000:01:00.0 -> ../../../devices/pci0000:00/0000:01:00.0\n"                      \
    "sys/devices/pci0000:00/0000:01:00.0/current_link_speed: 5.0 GT/s PCIe\n"                             \
    "sys/devices/pci0000:00/0000:01:00.0/max_link_speed: 8.0 GT/s PCIe\n"                                 \
    "sys/devices/pci0000:00/0000:01:00.0/current_link_width: 1\n"
TEST(disks_are_told_apart)
{
    REQUIRE(detect(NVME "sys/block/mmcblk0/size: 62333952\nsys/block/mmcblk0/device/type: SD\nsys/block/mmcblk0/device/name: SD32G\nsys/block/mmcblk0/queue/rotational: 0\n"
                        "sys/block/mmcblk1/size: 122142720\nsys/block/mmcblk1/device/type: MMC\nsys/block/mmcblk1boot0/size: 8192\n"
                        "sys/block/sda/size: 7814037168\nsys/block/sda/queue/rotational: 1\nsys/block/sda/device/model: ST4000VN008\n"
                        "sys/block/sdb -> ../devices/pci0000:00/usb2/2-1/host0/sdb\nsys/devices/pci0000:00/usb2/2-1/host0/sdb/size: 500118192\n"
                        "sys/block/sdc/size: 500118192\nsys/block/sdc/queue/rotational: 0\n"
                        "sys/block/vda/size: 500118192\nsys/block/vda/queue/rotational: 1\n"
                        "sys/block/sdd/size: 0\nsys/block/loop0/size: 100\nsys/block/zram0/size: 100\nsys/block/dm-0/size: 100\n"));
    static const char *const want[][2] = { { "mmcblk0", "sd" }, { "mmcblk1", "emmc" }, { "nvme0n1", "nvme" }, { "sda", "hdd" }, { "sdb", "usb" }, { "sdc", "ssd" }, { "vda", "virtual" } };
    CHECK(m->n_disks == 7, "%d", m->n_disks);
    for (int i = 0; i < m->n_disks && i < 7; i++)
        CHECK(strcmp(m->disks[i].name, want[i][0]) == 0 && strcmp(m->disks[i].kind, want[i][1]) == 0, "%s is %s", m->disks[i].name, m->disks[i].kind);
    CHECK(m->disks[2].link_gen == 2 && m->disks[2].link_gen_max == 3 && m->disks[2].link_width == 1 && m->disks[2].size_bytes == 1000215216ll * 512);
}

TEST(an_nvme_drive_of_a_recording_without_the_bus_has_its_link)
{
    REQUIRE(detect("sys/block/nvme0n1/size: 1000\nsys/class/nvme/nvme0/device -> ../../../devices/pci0/0001:01:00.0\nsys/devices/pci0/0001:01:00.0/current_link_speed: 5.0 GT/s PCIe\n"
                   "sys/devices/pci0/0001:01:00.0/current_link_width: 1\n"));
    CHECK(m->n_disks == 1 && m->disks[0].link_gen == 2 && m->disks[0].link_width == 1);
}

TEST(the_disk_of_a_folder_is_found_through_mounts_partitions_and_mappings)
{
    REQUIRE(detect(NVME "sys/block/sda/size: 100000\nsys/class/block/sda -> ../../block/sda\n"
                        "sys/class/block/dm-3/slaves/nvme0n1p2/x: 1\n"
                        "dev/mapper/vg-models -> ../dm-3\n"
                        "proc/mounts: <<E\n/dev/nvme0n1p2 / ext4 rw 0 0\n/dev/sda /data ext4 rw 0 0\n/dev/mapper/vg-models /data/my\\040models xfs rw 0 0\nnas:/m /net nfs4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\nE\n"));
    CHECK(hw_mark_model_disk(r, m, "/home/me") && m->disks[0].holds_root == HW_YES && m->disks[1].holds_root == HW_UNKNOWN && m->disks[0].holds_models == HW_YES && m->disks[1].holds_models == HW_NO);
    CHECK(hw_mark_model_disk(r, m, "/data/x") && m->disks[1].holds_models == HW_YES && m->disks[0].holds_models == HW_NO);
    CHECK(hw_mark_model_disk(r, m, "/database") && m->disks[0].holds_models == HW_YES);
    CHECK(hw_mark_model_disk(r, m, "/data/my models/7b") && m->disks[0].holds_models == HW_YES, "a mapping's disk");
    CHECK(!hw_mark_model_disk(r, m, "/tmp") && m->disks[0].holds_models == HW_UNKNOWN);
    CHECK(hw_mark_model_disk(r, m, "/net/models") && m->n_disks == 3 && strcmp(m->disks[2].kind, "network") == 0 && m->disks[2].holds_models == HW_YES);
    CHECK(hw_mark_model_disk(r, m, "/net/x") && m->n_disks == 3, "a network disk is counted once");
}

TEST(links_with_a_device_behind_them)
{
    REQUIRE(detect("sys/class/net/eth0/device/uevent: x\nsys/class/net/eth0/speed: 2500\nsys/class/net/eth0/operstate: up\nsys/class/net/eth0/mtu: 1500\nsys/class/net/eth0/address: 00:11:22:33:44:55\n"
                   "sys/class/net/eth1/device/uevent: x\nsys/class/net/eth1/speed: -1\nsys/class/net/eth1/operstate: down\n"
                   "sys/class/net/ib0/device/uevent: x\nsys/class/net/ib0/type: 32\nsys/class/net/ib0/device/infiniband/mlx4_0/ports/1/rate: 40 Gb/sec (4X QDR)\n"
                   "sys/class/net/wlan0/device/uevent: x\nsys/class/net/wlan0/wireless/\n"
                   "sys/class/net/lo/mtu: 65536\nsys/class/net/docker0/speed: 10000\n"));
    REQUIRE(m->n_links == 4, "%d", m->n_links);
    CHECK(m->links[0].speed_bitps == 2500000000ll && m->links[0].is_up == HW_YES && strcmp(m->links[0].kind, "ethernet") == 0);
    CHECK(m->links[1].speed_bitps == 0 && m->links[1].is_up == HW_NO);
    CHECK(strcmp(m->links[2].kind, "infiniband") == 0 && m->links[2].speed_bitps == 40000000000ll && strcmp(m->links[3].kind, "wifi") == 0);
}

TEST(heat_and_what_it_did)
{
    REQUIRE(detect("sys/class/thermal/thermal_zone0/type: x86_pkg_temp\nsys/class/thermal/thermal_zone0/temp: 61000\n"
                   "sys/class/thermal/thermal_zone0/trip_point_0_type: passive\nsys/class/thermal/thermal_zone0/trip_point_0_temp: 95000\n"
                   "sys/class/thermal/thermal_zone0/trip_point_1_type: critical\nsys/class/thermal/thermal_zone0/trip_point_1_temp: 105000\n"
                   "sys/class/thermal/thermal_zone1/type: iwlwifi\n"
                   "sys/class/hwmon/hwmon0/name: k10temp\nsys/class/hwmon/hwmon0/temp1_input: 55250\nsys/class/hwmon/hwmon0/temp1_label: Tctl\n"
                   "sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count: 7\nsys/devices/system/cpu/cpu0/thermal_throttle/package_throttle_count: 9\n"
                   "sys/devices/system/cpu/cpu1/thermal_throttle/core_throttle_count: 1\nsys/devices/system/cpu/cpu1/thermal_throttle/package_throttle_count: 9\n"));
    REQUIRE(m->n_thermal == 3, "%d", m->n_thermal);
    CHECK(m->thermal[0].temperature_c == 61 && m->thermal[0].trip_passive_c == 95 && m->thermal[0].trip_critical_c == 105 && m->thermal[1].has_value == HW_NO);
    CHECK(strcmp(m->thermal[2].name, "k10temp Tctl") == 0 && fabs(m->thermal[2].temperature_c - 55.25) < 1e-9);
    CHECK(m->throttle.thermal == HW_YES && m->throttle.events == 9 && m->throttle.undervoltage == HW_UNKNOWN, "%d", (int)m->throttle.events);
    REQUIRE(detect("sys/class/hwmon/hwmon1/name: rpi_volt\nsys/class/hwmon/hwmon1/in0_lcrit_alarm: 1\n"));
    CHECK(m->throttle.undervoltage == HW_YES && m->throttle.thermal == HW_UNKNOWN && strcmp(m->throttle.source, "rpi_volt") == 0);
    REQUIRE(detect("sys/devices/platform/soc/soc:firmware/get_throttled: 80008\n"));
    CHECK(m->throttle.undervoltage == HW_NO && m->throttle.capped == HW_NO && m->throttle.thermal == HW_YES);
    REQUIRE(detect("sys/devices/platform/soc@107c000000/soc@107c000000:firmware/get_throttled: 0x50005\n"));
    CHECK(m->throttle.undervoltage == HW_YES && m->throttle.thermal == HW_YES && m->throttle.capped == HW_NO);
    REQUIRE(detect("sys/class/thermal/cooling_device0/type: cpufreq-cpu0\nsys/class/thermal/cooling_device0/cur_state: 3\n"));
    CHECK(m->throttle.thermal == HW_YES && strcmp(m->throttle.source, "cooling_device0") == 0);
}

TEST(meters_of_power)
{
    REQUIRE(detect("sys/class/powercap/intel-rapl:0/name: package-0\nsys/class/powercap/intel-rapl:0/energy_uj: 123456789\nsys/class/powercap/intel-rapl:0/max_energy_range_uj: 262143328850\n"
                   "sys/class/powercap/intel-rapl:0/constraint_0_power_limit_uw: 125000000\n"
                   "sys/class/powercap/intel-rapl:0:0/name: core\n" /* its energy is root's */
                   "sys/class/powercap/intel-rapl-mmio:0/name: package-0\n"
                   "sys/class/hwmon/hwmon3/name: ina3221\nsys/class/hwmon/hwmon3/in1_label: VDD_IN\nsys/class/hwmon/hwmon3/in1_input: 5000\nsys/class/hwmon/hwmon3/curr1_input: 1400\n"
                   "sys/class/hwmon/hwmon4/name: amdgpu\nsys/class/hwmon/hwmon4/power1_average: 33000000\nsys/class/hwmon/hwmon4/power1_label: PPT\nsys/class/hwmon/hwmon4/power1_cap: 60000000\n"
                   "sys/bus/i2c/drivers/ina3221x/1-0040/iio:device0/rail_name_0: POM_5V_IN\nsys/bus/i2c/drivers/ina3221x/1-0040/iio:device0/in_power0_input: 2740\n"));
    REQUIRE(m->n_power == 5, "%d", m->n_power);
    const struct hw_power_meter *p = m->power;
    CHECK(strcmp(p[0].kind, "rapl") == 0 && p[0].is_readable == HW_YES && p[0].energy_uj == 123456789 && p[0].energy_max_uj == 262143328850 && p[0].limit_w == 125);
    CHECK(strcmp(p[1].name, "core") == 0 && p[1].is_readable == HW_NO);
    CHECK(strcmp(p[2].name, "VDD_IN") == 0 && strcmp(p[2].kind, "ina") == 0 && fabs(p[2].power_w - 7) < 1e-9);
    CHECK(strcmp(p[3].name, "PPT") == 0 && p[3].power_w == 33 && p[3].limit_w == 60);
    CHECK(strcmp(p[4].name, "POM_5V_IN") == 0 && fabs(p[4].power_w - 2.74) < 1e-9);
}

TEST(batteries_and_mains)
{
    REQUIRE(detect("sys/class/power_supply/AC/type: Mains\nsys/class/power_supply/AC/online: 0\n"
                   "sys/class/power_supply/BAT0/type: Battery\nsys/class/power_supply/BAT0/status: Discharging\nsys/class/power_supply/BAT0/capacity: 17\n"
                   "sys/class/power_supply/BAT0/energy_full: 41000000\nsys/class/power_supply/BAT0/energy_full_design: 50000000\nsys/class/power_supply/BAT0/power_now: 12500000\n"
                   "sys/class/power_supply/BAT1/type: Battery\nsys/class/power_supply/BAT1/charge_full: 4000000\nsys/class/power_supply/BAT1/voltage_min_design: 11400000\n"
                   "sys/class/power_supply/hidpp_battery_0/type: Battery\nsys/class/power_supply/hidpp_battery_0/scope: Device\n"));
    REQUIRE(m->n_supplies == 3, "%d", m->n_supplies);
    CHECK(strcmp(m->supplies[0].kind, "mains") == 0 && m->supplies[0].is_online == HW_NO);
    CHECK(m->supplies[1].charge_pct == 17 && m->supplies[1].energy_full_wh == 41 && m->supplies[1].energy_design_wh == 50 && m->supplies[1].power_w == 12.5);
    CHECK(m->supplies[2].charge_pct == -1 && fabs(m->supplies[2].energy_full_wh - 45.6) < 1e-9);
}

TEST(settings_that_doctor_asks_about)
{
    REQUIRE(detect("proc/device-tree/model:= Raspberry Pi 5 Model B Rev 1.0\\0\nproc/device-tree/compatible:= raspberrypi,5-model-b\\0brcm,bcm2712\\0\n"
                   "proc/device-tree/chosen/bootloader/build-timestamp:= \\x66\\xf1\\x0a\\x80\n"
                   "boot/firmware/config.txt: <<E\n# dtparam=pciex1_gen=2\ndtparam=pciex1\ndtparam=pciex1_gen=3\nE\n"
                   "sys/fs/cgroup/cgroup.controllers: cpuset cpu io pids\n"
                   "usr/local/bin/k3s: x\nsys/class/watchdog/watchdog0/state: inactive\n"
                   "sys/bus/usb/devices/2-1/idVendor: 18d1\nsys/bus/usb/devices/2-1/idProduct: 9302\n"
                   "lib/udev/rules.d/60-libedgetpu1-std.rules: SUBSYSTEM==\"usb\",ATTRS{idVendor}==\"1a6e\",GROUP=\"plugdev\"\n"
                   "sys/bus/usb/devices/2-2/idVendor: 03e7\nsys/bus/usb/devices/2-2/idProduct: 2485\n"));
    CHECK(strcmp(m->setup.eeprom_date, "2024-09-23") == 0, "%s", m->setup.eeprom_date);
    CHECK(m->setup.pi_pcie_gen == 3 && m->setup.cgroup_memory == HW_NO && m->setup.has_k3s == HW_YES);
    CHECK(m->setup.has_watchdog == HW_YES && m->setup.watchdog_runs == HW_NO && m->setup.udev_coral == HW_YES && m->setup.udev_ncs == HW_NO);
    REQUIRE(detect("proc/cgroups: <<E\n#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpuset\t9\t1\t1\nmemory\t0\t74\t0\nE\n"));
    CHECK(m->setup.cgroup_memory == HW_NO && m->setup.udev_coral == HW_UNKNOWN && m->setup.has_k3s == HW_NO);
    REQUIRE(detect("proc/device-tree/compatible:= raspberrypi,4-model-b\\0brcm,bcm2711\\0\nproc/device-tree/model:= Raspberry Pi 4 Model B Rev 1.5\\0\nproc/cmdline: console=tty1 rootwait\n"));
    CHECK(m->setup.cgroup_memory == HW_NO);
    REQUIRE(detect("proc/device-tree/compatible:= raspberrypi,4-model-b\\0brcm,bcm2711\\0\nproc/device-tree/model:= Raspberry Pi 4 Model B Rev 1.5\\0\nproc/cmdline: rootwait cgroup_memory=1 cgroup_enable=memory\n"));
    CHECK(m->setup.cgroup_memory == HW_YES);
}

TEST(an_empty_machine_has_nothing)
{
    REQUIRE(detect("sys/class/\n"));
    CHECK(m->n_gpus == 0 && m->n_accelerators == 0 && m->n_disks == 0 && m->n_links == 0 && m->n_thermal == 0 && m->n_power == 0 && m->n_supplies == 0);
    CHECK(m->throttle.thermal == HW_UNKNOWN && m->setup.cgroup_memory == HW_UNKNOWN && m->setup.clocks_locked == HW_UNKNOWN);
}
