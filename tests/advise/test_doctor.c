/* tests/advise/test_doctor.c - every rule of doctor has a machine in which it fires and one in which it does not. */
#include <string.h>

#include "advise/doctor.h"
#include "test.h"

/* Pieces of machines.  What a tree cannot say (binary tables, the live process) a case sets by hand. */
#define MEM(kb, free_kb) "proc/meminfo: <<E\nMemTotal: " kb " kB\nMemFree: " free_kb " kB\nMemAvailable: " free_kb " kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\nE\n"
#define PI(model, chip) "proc/device-tree/model:= " model "\\0\nproc/device-tree/compatible:= raspberrypi," chip "\\0\n"
#define PI5 PI("Raspberry Pi 5 Model B Rev 1.0", "5-model-b\\0brcm,bcm2712")
#define PI4 PI("Raspberry Pi 4 Model B Rev 1.5", "4-model-b\\0brcm,bcm2711")
#define ORIN "proc/device-tree/model:= NVIDIA Jetson Orin Nano Developer Kit\\0\nproc/device-tree/compatible:= nvidia,p3768-0000+p3767-0005\\0nvidia,p3767-0005\\0nvidia,tegra234\\0\n"
#define KERNEL(release) "proc/version: Linux version " release " (gcc) #1 SMP\n"
#define L4T(major, minor) "etc/nv_tegra_release: # R" major " (release), REVISION: " minor ", GCID: 1, BOARD: generic\n"
#define PCI(at, driver, class, id) "sys/bus/pci/devices/" at "/uevent: <<E\n" driver "PCI_CLASS=" class "\nPCI_ID=" id "\nE\n"
#define RTX4090(driver) PCI("0000:01:00.0", driver, "30000", "10DE:2684")
#define USB(at, vendor, product, speed) "sys/bus/usb/devices/" at "/idVendor: " vendor "\nsys/bus/usb/devices/" at "/idProduct: " product "\nsys/bus/usb/devices/" at "/speed: " speed "\n"
#define POLICY(driver, governor) "sys/devices/system/cpu/online: 0-3\nsys/devices/system/cpu/cpu0/cpufreq/scaling_driver: " driver "\nsys/devices/system/cpu/cpufreq/policy0/scaling_governor: " governor "\n"
#define X86(flags) "proc/cpuinfo: <<E\nprocessor: 0\nvendor_id: GenuineIntel\ncpu family: 6\nmodel: 154\nflags: fpu lm sse sse2 ssse3 sse4_2 " flags "\n\nE\nsys/devices/system/cpu/online: 0\n"
#define TWO_THREADS(second) "sys/devices/system/cpu/online: 0-1\nsys/devices/system/cpu/cpu0/topology/thread_siblings_list: 0" second "\nsys/devices/system/cpu/cpu1/topology/thread_siblings_list: " \
    "1\nsys/devices/system/cpu/cpu0/topology/core_id: 0\nsys/devices/system/cpu/cpu1/topology/core_id: 1\n"
#define NODES(n) "sys/devices/system/cpu/online: 0-1\nsys/devices/system/node/node0/cpulist: 0\nsys/devices/system/node/" n "/cpulist: 1\n" \
    "sys/devices/system/node/node0/meminfo: Node 0 MemTotal: 1000000 kB\nsys/devices/system/node/" n "/meminfo: Node 1 MemTotal: 1000000 kB\n"
#define DISK(name, type, rotational) "sys/block/" name "/size: 100000000\nsys/class/block/" name " -> ../../block/" name "\nsys/block/" name "/device/type: " type "\nsys/block/" name "/queue/rotational: " rotational "\n"
#define NVME(speed) "sys/block/nvme0n1/size: 1000215216\nsys/class/nvme/nvme0/device -> ../../../bus/pci/devices/0001:01:00.0\nsys/bus/pci/devices/0001:01:00.0/current_link_speed: " speed \
    "\nsys/bus/pci/devices/0001:01:00.0/current_link_width: 1\n"
#define SWAP(device) "proc/swaps: <<E\nFilename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n" device "\nE\n"
#define BATTERY(status, online) "sys/class/power_supply/AC/type: Mains\nsys/class/power_supply/AC/online: " online "\nsys/class/power_supply/BAT0/type: Battery\nsys/class/power_supply/BAT0/status: " status \
    "\nsys/class/power_supply/BAT0/capacity: 60\n"
#define DMI(vendor, product, bios) "sys/class/dmi/id/sys_vendor: " vendor "\nsys/class/dmi/id/product_name: " product "\nsys/class/dmi/id/bios_version: " bios "\n"
#define MOUNT(device) "proc/mounts: " device " / ext4 rw 0 0\n"
#define NVPMODEL(id) "var/lib/nvpmodel/status: pmode:000" id "\netc/nvpmodel.conf: <<E\n< POWER_MODEL ID=0 NAME=15W >\n< POWER_MODEL ID=2 NAME=MAXN_SUPER >\nE\n"

typedef void set_fn(struct hw_machine *m);
static void one_of_two_channels(struct hw_machine *m) { m->memory.channels = 1, m->memory.channels_possible = 2; }
static void two_of_two_channels(struct hw_machine *m) { m->memory.channels = m->memory.channels_possible = 2; }
static void modules(struct hw_machine *m, int rated, int runs) { m->memory.n_modules = 1, m->memory.modules[0] = (struct hw_module){ .size_bytes = 1 << 30, .mts_rated = rated, .mts = runs }; }
static struct advise_bandwidth bandwidth; /* what the catalog says in a case */
static int catalog_channels;
static void four_by_the_catalog(struct hw_machine *m) { strcpy(m->memory.type, "DDR4"), m->memory.channel_bits = 64, m->memory.channels = 2, catalog_channels = 4; }
static void soldered(struct hw_machine *m) { strcpy(m->memory.type, "LPDDR5"), m->memory.channel_bits = 64, m->memory.channels = 2, catalog_channels = 4; }
static void narrow_fabric(struct hw_machine *m) { (void)m, bandwidth.ram_bps = 89.6e9, bandwidth.fabric_bps = 64e9; } /* Ryzen 5 7400F: one chiplet */
static void wide_fabric(struct hw_machine *m) { (void)m, bandwidth.ram_bps = 83.2e9, bandwidth.fabric_bps = 128e9; }
static void slow_modules(struct hw_machine *m) { modules(m, 6000, 4800); }
static void right_modules(struct hw_machine *m) { modules(m, 5600, 5600); }
static void wide_128_gib(struct hw_machine *m) { m->memory.total_bytes = 128ll << 30, m->memory.theoretical_bps = 256e9; }
static void narrow_128_gib(struct hw_machine *m) { m->memory.total_bytes = 128ll << 30, m->memory.theoretical_bps = 89.6e9; }
static void amx_denied(struct hw_machine *m) { m->cpu.amx_permitted = HW_NO; }
static void amx_given(struct hw_machine *m) { m->cpu.amx_permitted = HW_YES; }
static void half_quota(struct hw_machine *m) { m->cpu.cgroup_cpus = 1.5, m->cpu.cores_logical = 4; }
static void whole_quota(struct hw_machine *m) { m->cpu.cgroup_cpus = 4, m->cpu.cores_logical = 4; }
static void held_to_two(struct hw_machine *m) { m->cpu.cpus_allowed = 2, m->cpu.cores_logical = 8; }
static void held_to_all(struct hw_machine *m) { m->cpu.cpus_allowed = 8, m->cpu.cores_logical = 8; }
static void four_gib_limit(struct hw_machine *m) { m->memory.cgroup_limit_bytes = 4ll << 30, m->memory.total_bytes = 16ll << 30; }
static void no_limit(struct hw_machine *m) { m->memory.total_bytes = 16ll << 30; }
static void zram_swap(struct hw_machine *m) { m->memory.n_swaps = 1, m->memory.swaps[0] = (struct hw_swap){ .kind = "zram", .size_bytes = 1ll << 31, .used_bytes = 1ll << 30 }; }
static void nvme_swap_used(struct hw_machine *m) { m->memory.n_swaps = 1, m->memory.swaps[0] = (struct hw_swap){ .kind = "nvme", .size_bytes = 1ll << 31, .used_bytes = 1ll << 30 }; }
static void nvme_swap_60(struct hw_machine *m) { nvme_swap_used(m), m->memory.swappiness = 60; }
static void zram_swap_100(struct hw_machine *m) { zram_swap(m), m->memory.swappiness = 100; }
static void gpu0(struct hw_machine *m, const char *name, const char *driver) { m->n_gpus = 1, m->gpus[0] = (struct hw_gpu){ .vendor = "NVIDIA" }; hw_copy(m->gpus[0].name, sizeof(m->gpus[0].name), name); hw_copy(m->gpus[0].driver_version, sizeof(m->gpus[0].driver_version), driver); }
static void driver_470(struct hw_machine *m) { gpu0(m, "NVIDIA GeForce RTX 3090", "470.82.01"); }
static void driver_550(struct hw_machine *m) { gpu0(m, "NVIDIA GeForce RTX 3090", "550.54.15"); }
static void lazy_gpu(struct hw_machine *m) { driver_550(m), m->gpus[0].persistence = HW_NO; }
static void awake_gpu(struct hw_machine *m) { driver_550(m), m->gpus[0].persistence = HW_YES; }
static void hot_gpu(struct hw_machine *m) { driver_550(m), m->gpus[0].throttled = HW_YES; hw_copy(m->gpus[0].throttle_reason, 32, "heat"); }
static void capped_gpu(struct hw_machine *m) { driver_550(m), m->gpus[0].power_limit_w = 250, m->gpus[0].power_default_w = 350; }
static void full_power_gpu(struct hw_machine *m) { driver_550(m), m->gpus[0].power_limit_w = m->gpus[0].power_default_w = 350; }
static void mig_gpu(struct hw_machine *m) { driver_550(m), m->gpus[0].mig = 3; }
static void geforce_server(struct hw_machine *m) { driver_550(m), hw_copy(m->board.form, sizeof(m->board.form), "server"); }
static void geforce_desktop(struct hw_machine *m) { driver_550(m), hw_copy(m->board.form, sizeof(m->board.form), "desktop"); }
static void old_coral(struct hw_machine *m) { m->os.page_bytes = 16384; }
static void coral_pcie(struct hw_machine *m, enum hw_yesno usable) { m->n_accelerators = 1, m->accelerators[0] = (struct hw_accelerator){ .kind = "coral-pcie", .name = "Coral", .state = "ready", .device = "/dev/apex_0", .is_usable = usable }; }
static void closed_coral(struct hw_machine *m) { coral_pcie(m, HW_NO); }
static void open_coral(struct hw_machine *m) { coral_pcie(m, HW_YES); }
static void vram_24(struct hw_machine *m) { driver_550(m), m->gpus[0].vram_bytes = 24ll << 30, m->memory.total_bytes = 16ll << 30; }
static void ram_64(struct hw_machine *m) { vram_24(m), m->memory.total_bytes = 64ll << 30; }
static void models_unknown(struct hw_machine *m) { m->disks[0].holds_models = m->disks[1].holds_models = HW_UNKNOWN; }
static void hung(struct hw_machine *m) { m->n_hung = 2; }
static void old_arm(struct hw_machine *m) { hw_copy(m->cpu.arch, sizeof(m->cpu.arch), "armv7l"); }

/* `fires` and `silent`: trees; `set...`: what a tree cannot say. */
static const struct { const char *id, *fires; set_fn *set; const char *silent; set_fn *set_silent; const char *precision; } cases[] = {
    { "bios-known-bad", DMI("AZW", "GTi14 Ultra", "GTI14T202"), NULL, DMI("AZW", "GTi14 Ultra", "GTI14T204"), NULL, NULL },
    { "bios-known-bad", DMI("AZW", "GTi14", "T202"), NULL, DMI("AZW", "SER8", "T202"), NULL, NULL },
    { "undervoltage", "sys/class/hwmon/hwmon1/name: rpi_volt\nsys/class/hwmon/hwmon1/in0_lcrit_alarm: 1\n", NULL, "sys/class/hwmon/hwmon1/name: rpi_volt\nsys/class/hwmon/hwmon1/in0_lcrit_alarm: 0\n", NULL, NULL },
    { "thermal-throttling", "sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count: 12\n", NULL, "sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count: 0\n", NULL, NULL },
    { "frequency-capped", "sys/devices/platform/soc/soc:firmware/get_throttled: 20000\n", NULL, "sys/devices/platform/soc/soc:firmware/get_throttled: 0\n", NULL, NULL },
    { "gpu-without-driver", RTX4090("DRIVER=nouveau\n"), NULL, RTX4090("DRIVER=nvidia\n"), NULL, NULL },
    { "gpu-without-driver", PCI("0000:03:00.0", "", "30000", "8086:E20B"), NULL, PCI("0000:00:02.0", "", "30000", "8086:7D55"), NULL, NULL },
    { "gpu-driver-old", "sys/class/\n", driver_470, "sys/class/\n", driver_550, NULL },
    { "gpu-driver-old", PCI("0000:01:00.0", "DRIVER=nvidia\n", "30000", "10DE:2B85") "sys/module/nvidia/version: 550.54.15\nproc/driver/nvidia/gpus/0000:01:00.0/information: Model: NVIDIA GeForce RTX 5090\n", NULL, PCI("0000:01:00.0", "DRIVER=nvidia\n", "30000", "10DE:2B85") "sys/module/nvidia/version: 575.51.03\nproc/driver/nvidia/gpus/0000:01:00.0/information: Model: NVIDIA GeForce RTX 5090\n", NULL, NULL },
    { "gpu-cuda-end", PCI("0000:01:00.0", "DRIVER=nvidia\n", "30000", "10DE:1B82"), NULL, RTX4090("DRIVER=nvidia\n"), NULL, NULL },
    { "gpu-persistence", "sys/class/\n", lazy_gpu, "sys/class/\n", awake_gpu, NULL },
    { "gpu-throttled", "sys/class/\n", hot_gpu, "sys/class/\n", driver_550, NULL },
    { "gpu-power-limit", "sys/class/\n", capped_gpu, "sys/class/\n", full_power_gpu, NULL },
    { "gpu-link-narrow", RTX4090("DRIVER=nvidia\n") "sys/bus/pci/devices/0000:01:00.0/current_link_width: 4\nsys/bus/pci/devices/0000:01:00.0/max_link_width: 16\n", NULL, RTX4090("DRIVER=nvidia\n") "sys/bus/pci/devices/0000:01:00.0/current_link_width: 16\nsys/bus/pci/devices/0000:01:00.0/max_link_width: 16\n", NULL, NULL },
    { "gpu-mig", "sys/class/\n", mig_gpu, "sys/class/\n", driver_550, NULL },
    { "consumer-gpu-in-server", "sys/class/\n", geforce_server, "sys/class/\n", geforce_desktop, NULL },
    { "tensor-cores-unused", RTX4090("DRIVER=nvidia\n"), NULL, PCI("0000:01:00.0", "DRIVER=nvidia\n", "30000", "10DE:2184"), NULL, "FP32" }, /* GTX 1660: compute 7.5 without */
    { "jetson-generic-linux", ORIN KERNEL("6.8.0-45-generic"), NULL, ORIN KERNEL("5.15.148-tegra") L4T("36", "4.3"), NULL, NULL },
    { "jetpack-mismatch", ORIN KERNEL("5.15.148-tegra") L4T("35", "3.1"), NULL, ORIN KERNEL("5.10.104-tegra") L4T("35", "3.1"), NULL, NULL },
    { "jetpack-mismatch", ORIN KERNEL("5.15.148-tegra") L4T("36", "4.3") "etc/os-release: <<E\nID=ubuntu\nVERSION_ID=\"20.04\"\nE\n", NULL, ORIN KERNEL("5.15.148-tegra") L4T("36", "4.3") "etc/os-release: <<E\nID=ubuntu\nVERSION_ID=\"22.04\"\nE\n", NULL, NULL },
    { "jetson-power-mode", ORIN NVPMODEL("0"), NULL, ORIN NVPMODEL("2"), NULL, NULL },
    { "jetson-clocks", ORIN "sys/class/devfreq/17000000.gpu/min_freq: 306000000\nsys/class/devfreq/17000000.gpu/max_freq: 1020000000\n", NULL, ORIN "sys/class/devfreq/17000000.gpu/min_freq: 1020000000\nsys/class/devfreq/17000000.gpu/max_freq: 1020000000\n", NULL, NULL },
    { "jetson-super", ORIN L4T("35", "3.1"), NULL, ORIN L4T("36", "4.3"), NULL, NULL },
    { "pi-cgroup-memory", PI4 "sys/fs/cgroup/cgroup.controllers: cpuset cpu io pids\nusr/local/bin/k3s: x\n", NULL, PI4 "sys/fs/cgroup/cgroup.controllers: cpuset cpu io memory pids\nusr/local/bin/k3s: x\n", NULL, NULL },
    { "k3s-not-running", "usr/local/bin/k3s: x\nsys/fs/cgroup/cgroup.controllers: cpu memory\nsys/fs/cgroup/system.slice/ssh.service/\n", NULL,
      "usr/local/bin/k3s: x\nsys/fs/cgroup/cgroup.controllers: cpu memory\nsys/fs/cgroup/system.slice/k3s-agent.service/\n", NULL, NULL },
    { "k3s-not-running", "etc/rancher/k3s/\nsys/fs/cgroup/systemd/system.slice/ssh.service/\n", NULL, "usr/local/bin/k3s: x\nsys/fs/cgroup/cgroup.controllers: cpu memory\n", NULL, NULL }, /* a container's view */
    { "k3s-bridge-filter", ORIN "usr/local/bin/k3s: x\nproc/sys/net/core/somaxconn: 4096\n", NULL, ORIN "usr/local/bin/k3s: x\nproc/sys/net/bridge/bridge-nf-call-iptables: 1\n", NULL, NULL },
    { "k3s-nvidia-runtime", ORIN "usr/local/bin/k3s: x\nusr/bin/env: x\n", NULL, ORIN "usr/local/bin/k3s: x\nusr/bin/nvidia-container-runtime: x\n", NULL, NULL },
    { "k3s-nvidia-runtime", RTX4090("DRIVER=nvidia\n") "usr/local/bin/k3s: x\nusr/bin/env: x\n", NULL, RTX4090("DRIVER=nvidia\n") "usr/bin/env: x\n", NULL, NULL },
    { "k3s-device-plugin", USB("2-1", "18d1", "9302", "5000") "var/lib/kubelet/device-plugins/kubelet.sock: x\n", NULL,
      USB("2-1", "18d1", "9302", "5000") "var/lib/kubelet/device-plugins/kubelet.sock: x\nvar/lib/kubelet/device-plugins/tutti-coral.sock: x\n", NULL, NULL },
    { "apex-permission", PCI("0000:01:00.0", "DRIVER=apex\n", "ff0000", "1AC1:089A"), closed_coral, PCI("0000:01:00.0", "DRIVER=apex\n", "ff0000", "1AC1:089A"), open_coral, NULL },
    { "time-not-synced", "sys/class/\nrun/systemd/timesync/\n", NULL, "sys/class/\nrun/systemd/timesync/synchronized: x\n", NULL, NULL },
    { "address-by-dhcp", "sys/class/\nusr/local/bin/k3s: x\nrun/systemd/netif/leases/2: x\n", NULL, "sys/class/\nusr/local/bin/k3s: x\nrun/systemd/netif/leases/\n", NULL, NULL },
    { "address-by-dhcp", "sys/class/\nusr/local/bin/k3s: x\nvar/lib/dhcp/dhclient.eth0.leases: x\n", NULL, "sys/class/\nvar/lib/dhcp/dhclient.eth0.leases: x\n", NULL, NULL },
    { "k3s-memory", "usr/local/bin/k3s: x\n" MEM("947000", "500000"), NULL, "usr/local/bin/k3s: x\n" MEM("3880000", "500000"), NULL, NULL },
    { "swap-on-sd", DISK("mmcblk0", "SD", "0") SWAP("/dev/mmcblk0p3 partition 1048572 0 -2"), NULL, DISK("mmcblk0", "SD", "0") SWAP("/dev/zram0 partition 1048572 0 100"), NULL, NULL },
    { "swap-on-sd", DISK("mmcblk0", "SD", "0") MOUNT("/dev/mmcblk0") SWAP("/var/swap file 524272 0 -2"), NULL, DISK("sda", "0", "0") MOUNT("/dev/sda") SWAP("/var/swap file 524272 0 -2"), NULL, NULL },
    { "swap-used", "sys/class/\n", nvme_swap_used, "sys/class/\n", zram_swap, NULL },
    { "no-swap", PI5 MEM("8245000", "7000000") "proc/sys/vm/swappiness: 60\n", NULL, PI5 "proc/meminfo: <<E\nMemTotal: 8245000 kB\nSwapTotal: 2097148 kB\nE\nproc/sys/vm/swappiness: 60\n", NULL, NULL },
    { "swappiness", "sys/class/\n", nvme_swap_60, "sys/class/\n", zram_swap_100, NULL },
    { "memory-channels", "sys/class/\n", one_of_two_channels, "sys/class/\n", two_of_two_channels, NULL },
    { "memory-channels", "sys/class/\n", four_by_the_catalog, "sys/class/\n", soldered, NULL },
    { "fabric-limit", "sys/class/\n", narrow_fabric, "sys/class/\n", wide_fabric, NULL },
    { "memory-slow", "sys/class/\n", slow_modules, "sys/class/\n", right_modules, NULL },
    { "memory-without-bandwidth", "sys/class/\n", narrow_128_gib, "sys/class/\n", wide_128_gib, NULL },
    { "governor", POLICY("acpi-cpufreq", "powersave"), NULL, POLICY("intel_pstate", "powersave"), NULL, NULL },
    { "governor", POLICY("cpufreq-dt", "ondemand"), NULL, POLICY("cpufreq-dt", "performance"), NULL, NULL },
    { "energy-preference", "sys/devices/system/cpu/online: 0\nsys/devices/system/cpu/cpu0/cpufreq/energy_performance_preference: power\n", NULL, "sys/devices/system/cpu/online: 0\nsys/devices/system/cpu/cpu0/cpufreq/energy_performance_preference: balance_performance\n", NULL, NULL },
    { "boost-off", X86("avx2") "sys/devices/system/cpu/cpufreq/boost: 0\n", NULL, X86("avx2") "sys/devices/system/cpu/cpufreq/boost: 1\n", NULL, NULL },
    { "power-profile", "sys/firmware/acpi/platform_profile: low-power\n", NULL, "sys/firmware/acpi/platform_profile: balanced\n", NULL, NULL },
    { "on-battery", BATTERY("Discharging", "0"), NULL, BATTERY("Charging", "1"), NULL, NULL },
    { "no-avx2", X86("avx"), NULL, X86("avx f16c fma avx2 bmi2"), NULL, NULL },
    { "amx-blocked", "sys/class/\n", amx_denied, "sys/class/\n", amx_given, NULL },
    { "old-32-bit", PI4, old_arm, PI("Raspberry Pi 2 Model B Rev 1.1", "2-model-b\\0brcm,bcm2836"), old_arm, NULL },
    { "container-cpus", "sys/class/\n", half_quota, "sys/class/\n", whole_quota, NULL },
    { "container-memory", "sys/class/\n", four_gib_limit, "sys/class/\n", no_limit, NULL },
    { "affinity", "sys/class/\n", held_to_two, "sys/class/\n", held_to_all, NULL },
    { "smt-threads", "sys/devices/system/cpu/smt/control: on\nsys/devices/system/cpu/online: 0-1\nsys/devices/system/cpu/cpu0/topology/thread_siblings_list: 0-1\nsys/devices/system/cpu/cpu1/topology/thread_siblings_list: 0-1\n", NULL,
      "sys/devices/system/cpu/smt/control: off\nsys/devices/system/cpu/online: 0-1\nsys/devices/system/cpu/cpu0/topology/thread_siblings_list: 0\nsys/devices/system/cpu/cpu1/topology/thread_siblings_list: 1\n", NULL, NULL },
    { "numa-interleave", NODES("node1"), NULL, "sys/devices/system/cpu/online: 0-1\nsys/devices/system/node/node0/cpulist: 0-1\nsys/devices/system/node/node0/meminfo: Node 0 MemTotal: 1000000 kB\n", NULL, NULL },
    { "numa-balancing", NODES("node1") "proc/sys/kernel/numa_balancing: 1\n", NULL, NODES("node1") "proc/sys/kernel/numa_balancing: 0\n", NULL, NULL },
    { "thp", "sys/kernel/mm/transparent_hugepage/enabled: always madvise [never]\n", NULL, "sys/kernel/mm/transparent_hugepage/enabled: always [madvise] never\n", NULL, NULL },
    { "unified-headroom", ORIN MEM("7800000", "3000000"), NULL, ORIN MEM("7800000", "6800000"), NULL, NULL },
    { "apu-memory-limit", PCI("0000:c4:00.0", "DRIVER=amdgpu\n", "38000", "1002:1586") MEM("131000000", "120000000"), NULL, PCI("0000:c4:00.0", "DRIVER=amdgpu\n", "38000", "1002:1586") MEM("131000000", "120000000") "proc/cmdline: quiet ttm.pages_limit=27648000\n", NULL, NULL },
    { "ram-under-vram", "sys/class/\n", vram_24, "sys/class/\n", ram_64, NULL },
    { "models-on-slow-disk", DISK("mmcblk0", "SD", "0") MOUNT("/dev/mmcblk0"), NULL, DISK("sda", "0", "0") MOUNT("/dev/sda"), NULL, NULL },
    { "models-on-slow-disk", "sys/block/\nproc/mounts: nas:/models / nfs4 rw 0 0\n", NULL, "sys/block/\nproc/mounts: tmpfs / tmpfs rw 0 0\n", NULL, NULL },
    { "pi-nvme-gen2", PI5 NVME("5.0 GT/s PCIe"), NULL, PI5 NVME("8.0 GT/s PCIe"), NULL, NULL },
    { "pi-nvme-gen3", PI5 "boot/firmware/config.txt: dtparam=pciex1_gen=3\n", NULL, PI5 "boot/firmware/config.txt: dtparam=pciex1\n", NULL, NULL },
    { "pi-eeprom-age", PI5 "proc/device-tree/chosen/bootloader/build-timestamp:= \\x66\\xf1\\x0a\\x80\n", NULL, PI5 "proc/device-tree/chosen/bootloader/build-timestamp:= \\x6a\\x3e\\x00\\x00\n", NULL, NULL },
    { "link-100m", "sys/class/net/eth0/device/uevent: x\nsys/class/net/eth0/operstate: up\nsys/class/net/eth0/speed: 100\n", NULL, "sys/class/net/eth0/device/uevent: x\nsys/class/net/eth0/operstate: up\nsys/class/net/eth0/speed: 1000\n", NULL, NULL },
    { "udev-coral", USB("2-1", "1a6e", "089a", "5000") "etc/udev/rules.d/\nlib/udev/rules.d/50-x.rules: SUBSYSTEM==\"usb\"\n", NULL, USB("2-1", "18d1", "9302", "5000") "etc/udev/rules.d/99-c.rules: ATTRS{idVendor}==\"18d1\"\n", NULL, NULL },
    { "udev-ncs", USB("2-1", "03e7", "2485", "480") "etc/udev/rules.d/\n", NULL, USB("2-1", "03e7", "f63b", "5000") "lib/udev/rules.d/97-myriad-usbboot.rules: ATTRS{idVendor}==\"03e7\"\n", NULL, NULL },
    { "usb2-stick", USB("1-1", "18d1", "9302", "480"), NULL, USB("1-1", "03e7", "2485", "480"), NULL, NULL },
    { "accelerator-without-driver", PCI("0000:01:00.0", "", "48000", "1E60:2864"), NULL, PCI("0000:01:00.0", "DRIVER=hailo\n", "48000", "1E60:2864") "sys/class/hailo_chardev/hailo0/device -> ../../../bus/pci/devices/0000:01:00.0\n", NULL, NULL },
    { "coral-on-pi5", PI5 PCI("0000:01:00.0", "", "FF00", "1AC1:089A"), old_coral, PI5 PCI("0000:01:00.0", "", "FF00", "1AC1:089A"), NULL, NULL },
    { "ncs-end-of-life", USB("2-1", "03e7", "f63b", "5000"), NULL, USB("2-1", "18d1", "9302", "5000"), NULL, NULL },
    { "hanging-device", "sys/class/\n", hung, "sys/class/\n", NULL, NULL },
};

/* Is there a finding of this id on the machine?  -1: the tree is wrong. */
static int fires(const char *tree, set_fn *set, const char *precision, const char *id, struct doctor_finding *found)
{
    struct err err = { 0 };
    struct hw_root *r = hw_root_parse(tree, strlen(tree), &err);
    struct hw_machine *m = r ? hw_detect_root(r, &err) : NULL;
    static struct doctor_finding all[128];
    int result = m ? 0 : -1;
    if (m) {
        hw_mark_model_disk(r, m, "/");
        memset(&bandwidth, 0, sizeof(bandwidth));
        catalog_channels = 0;
        if (set)
            set(m);
        const struct doctor_facts facts = { m, &bandwidth, catalog_channels, precision, 20261121 };
        const int n = doctor_run(&facts, all, 128);
        for (int i = 0; i < n; i++) {
            CHECK(i == 0 || all[i].severity >= all[i - 1].severity);
            if (strcmp(all[i].id, id) == 0) {
                *found = all[i];
                result = 1;
            }
        }
    } else
        printf("# %s: %s\n", id, err.text);
    hw_machine_free(m);
    hw_root_free(r);
    return result;
}

TEST(every_rule_fires_on_its_machine_and_not_on_the_other)
{
    struct doctor_finding found;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CHECK(fires(cases[i].fires, cases[i].set, cases[i].precision, cases[i].id, &found) == 1, "%s is silent", cases[i].id);
        CHECK(found.what[0] && found.why[0] && found.fix[0], "%s: what, why and fix", cases[i].id);
        CHECK(fires(cases[i].silent, cases[i].set_silent, cases[i].precision, cases[i].id, &found) == 0, "%s fires without reason: %s", cases[i].id, found.what);
    }
    for (int k = 0; k < doctor_n_rules; k++) {
        int n = 0, same = 0;
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
            n += strcmp(cases[i].id, doctor_rules[k].id) == 0;
        for (int j = 0; j < doctor_n_rules; j++)
            same += strcmp(doctor_rules[j].id, doctor_rules[k].id) == 0;
        CHECK(n >= 1 && same == 1, "rule %s: %d cases, %d rows", doctor_rules[k].id, n, same);
    }
}

TEST(what_is_not_sure_says_so)
{
    struct doctor_finding found;
    CHECK(fires("sys/devices/system/cpu/online: 0\nsys/devices/system/cpu/cpufreq/policy0/scaling_governor: powersave\n", NULL, NULL, "governor", &found) == 1 && found.confidence == DOCTOR_POSSIBLE);
    CHECK(fires(USB("2-1", "1a6e", "089a", "5000"), NULL, NULL, "udev-coral", &found) == 1 && found.confidence == DOCTOR_POSSIBLE, "a recording of /proc and /sys alone");
    CHECK(fires(USB("2-1", "1a6e", "089a", "5000") "etc/udev/rules.d/\n", NULL, NULL, "udev-coral", &found) == 1 && found.confidence == DOCTOR_CERTAIN);
    CHECK(fires(DISK("mmcblk0", "SD", "0") MOUNT("/dev/mmcblk0"), models_unknown, NULL, "models-on-slow-disk", &found) == 1 && found.confidence == DOCTOR_POSSIBLE);
    CHECK(fires(DISK("mmcblk0", "SD", "0") DISK("sda", "0", "0") MOUNT("/dev/mmcblk0"), models_unknown, NULL, "models-on-slow-disk", &found) == 0, "they may lie on the faster one");
}

TEST(nothing_known_is_nothing_found)
{
    struct doctor_finding all[8];
    struct hw_machine *m = calloc(1, sizeof(*m));
    m->memory.swappiness = -1;
    const struct doctor_facts facts = { .m = m, .precision = "f32", .today = 20261121 };
    CHECK(doctor_run(&facts, all, 8) == 0, "%s", all[0].id);
    free(m);
}

TEST(tensor_cores_idle_only_when_the_precision_says_so)
{
    struct doctor_finding found;
    CHECK(fires(RTX4090("DRIVER=nvidia\n"), NULL, "f16", "tensor-cores-unused", &found) == 0);
    CHECK(fires(RTX4090("DRIVER=nvidia\n"), NULL, NULL, "tensor-cores-unused", &found) == 0);
}

TEST(k3s_flags_are_bad_only_where_k3s_is)
{
    struct doctor_finding found;
    CHECK(fires(PI4 "sys/fs/cgroup/cgroup.controllers: cpuset cpu io pids\n", NULL, NULL, "pi-cgroup-memory", &found) == 1 && found.severity == DOCTOR_INFO);
    CHECK(strstr(found.fix, "cgroup_memory=1 cgroup_enable=memory"));
    CHECK(fires(PI4 "sys/fs/cgroup/cgroup.controllers: cpuset cpu io pids\netc/rancher/k3s/\n", NULL, NULL, "pi-cgroup-memory", &found) == 1 && found.severity == DOCTOR_BAD);
}

TEST(the_risk_of_gen_3_is_said)
{
    struct doctor_finding found;
    REQUIRE(fires(PI5 NVME("5.0 GT/s PCIe"), NULL, NULL, "pi-nvme-gen2", &found) == 1);
    CHECK(strstr(found.why, "NOT certified") && strstr(found.fix, "own risk") && found.severity == DOCTOR_INFO);
}

static void tick(const char *tree, set_fn *set, struct doctor_edge *items)
{
    struct err err = { 0 };
    struct hw_root *r = hw_root_parse(tree, strlen(tree), &err);
    struct hw_machine *m = r ? hw_detect_root(r, &err) : NULL;
    if (m) {
        hw_mark_model_disk(r, m, "/");
        if (set)
            set(m);
        const struct doctor_facts facts = { .m = m, .today = 20261121 };
        doctor_edge(&facts, items);
    } else
        printf("# %s\n", err.text);
    CHECK(m != NULL);
    hw_machine_free(m);
    hw_root_free(r);
}
static const struct doctor_edge *of(const struct doctor_edge *items, const char *id)
{
    for (int i = 0; i < DOCTOR_EDGE_ITEMS; i++)
        if (strcmp(items[i].id, id) == 0)
            return &items[i];
    static const struct doctor_edge none = { .id = "" };
    return &none;
}
static void pi5_cores(struct hw_machine *m) { m->cpu.cores_physical = m->cpu.cores_logical = 4, m->cpu.n_isa = 2; strcpy(m->cpu.isa[0], "neon"), strcpy(m->cpu.isa[1], "dotprod"); }
static void pi4_cores(struct hw_machine *m) { pi5_cores(m), m->cpu.n_isa = 1; }
static void big_little(struct hw_machine *m)
{
    m->cpu.cores_physical = m->cpu.cores_logical = 8, m->cpu.cores_performance = 4, m->cpu.cores_efficiency = 4, m->cpu.n_kinds = 2;
    m->cpu.kinds[0] = (struct hw_core_kind){ .role = 'P', .cores = 4, .threads = 4, .cpus = "4-7" };
}

TEST(the_edge_list_is_ticked_from_what_the_machine_says)
{
    struct doctor_edge e[DOCTOR_EDGE_ITEMS];
    tick(PI5 DISK("nvme0n1", "", "0") MOUNT("/dev/nvme0n1") "sys/class/watchdog/watchdog0/state: active\n", pi5_cores, e);
    CHECK(of(e, "int8")->tick == DOCTOR_TICK_YES && of(e, "big-cores")->tick == DOCTOR_TICK_YES && of(e, "watchdog")->tick == DOCTOR_TICK_YES);
    CHECK(of(e, "warm-start")->tick == DOCTOR_TICK_YES && of(e, "offline")->tick == DOCTOR_TICK_YES && of(e, "steady-batches")->tick == DOCTOR_TICK_START);
    CHECK(of(e, "threads")->tick == DOCTOR_TICK_START && strstr(of(e, "threads")->found, "measure both") && strstr(of(e, "threads")->how, "--threads 3"), "four equal cores: %s", of(e, "threads")->found);
    tick(PI4 DISK("mmcblk0", "SD", "0") MOUNT("/dev/mmcblk0") "sys/class/watchdog/watchdog0/state: inactive\n", pi4_cores, e);
    CHECK(of(e, "int8")->tick == DOCTOR_TICK_NO && of(e, "warm-start")->tick == DOCTOR_TICK_NO && of(e, "watchdog")->tick == DOCTOR_TICK_NO && of(e, "offline")->tick == DOCTOR_TICK_YES);
    tick("sys/block/\nproc/mounts: nas:/m / nfs4 rw 0 0\n", big_little, e);
    CHECK(of(e, "big-cores")->tick == DOCTOR_TICK_START && strstr(of(e, "big-cores")->how, "taskset -c 4-7") && of(e, "offline")->tick == DOCTOR_TICK_NO);
    tick("sys/class/\n", NULL, e);
    for (int i = 0; i < DOCTOR_EDGE_ITEMS; i++)
        CHECK(e[i].tick == (strcmp(e[i].id, "steady-batches") == 0 ? DOCTOR_TICK_START : strcmp(e[i].id, "watchdog") == 0 ? DOCTOR_TICK_NO : DOCTOR_TICK_UNKNOWN), "%s", e[i].id);
}
