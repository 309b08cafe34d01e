/* hw/machine.h - all that tutti knows about a machine without measuring it.
 *
 * For:     `tutti detect`, doctor, fit, bench's head, expert cards.
 * Callers: cmd/, advise/, serve/.
 * Touches: what hw/root.h touches; NVML on the live machine (hw/gpu_*.c).
 * Rule:    unknown is 0, "" or HW_UNKNOWN unless a field says otherwise; 0 is never a guess.  A figure
 *          that comes from a table and not from this machine says so beside it (_source).
 *          Arrays are bounded: what does not fit is dropped and `is_cut` set.
 *
 * One detector is one file: hw/<thing>.c, bool hw_detect_<thing>(const struct hw_root *, struct hw_machine *);
 * it returns whether it found anything and is called by hw_detect() in the order of hw/machine.c.
 */
#ifndef TUTTI_HW_MACHINE_H
#define TUTTI_HW_MACHINE_H
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "hw/root.h"

enum hw_yesno { HW_UNKNOWN = 0, HW_NO, HW_YES };
enum {
    HW_TEXT = 96,
    HW_ISA_MAX = 96, HW_CACHES_MAX = 24, HW_CORE_KINDS_MAX = 8,
    HW_NODES_MAX = 64, HW_MODULES_MAX = 128, HW_SWAPS_MAX = 16,
    HW_GPUS_MAX = 32, HW_ACCELERATORS_MAX = 32, HW_DISKS_MAX = 64, HW_LINKS_MAX = 64,
    HW_THERMAL_MAX = 64, HW_POWER_MAX = 64, HW_SUPPLIES_MAX = 16, HW_NOTES_MAX = 32,
};

struct hw_os {
    char name[HW_TEXT];     /* PRETTY_NAME of os-release: "Debian GNU/Linux 12 (bookworm)" */
    char id[32], version[32];
    char kernel[HW_TEXT];   /* release: "6.1.0-13-amd64" */
    char container[24];     /* "docker", "podman", "lxc", "kubernetes", "wsl"; "" none seen */
    char l4t[24];           /* Jetson: "35.3.1" (/etc/nv_tegra_release) */
    char jetpack[24];       /* "5.1.1", from the l4t table; "" */
    char cmdline[2048];     /* kernel command line: only the words that doctor asks for, no ids, no addresses */
    int64_t page_bytes;
    enum hw_yesno is_root;  /* live machine only */
};

struct hw_board {
    char vendor[HW_TEXT], product[HW_TEXT], version[HW_TEXT]; /* DMI system, or device tree's model */
    char board_vendor[HW_TEXT], board[HW_TEXT];               /* DMI board_name ("P4242") */
    char bios_vendor[HW_TEXT], bios_version[HW_TEXT], bios_date[24];
    char form[24];          /* "laptop", "desktop", "server", "mini pc", "sbc", "module", "phone", "vm"; "" */
    char hypervisor[32];    /* "virtualbox", "kvm", "vmware", "hyper-v", "xen", ...; "" none seen */
    char soc[64];           /* "BCM2712", "Tegra234", "RK3588"; "" */
    char family[24];        /* "raspberry pi", "jetson", "rockchip", ...: what rules ask for; "" */
    char compatible[512];   /* device tree's list, comma-space joined */
    uint32_t pi_revision;   /* Raspberry Pi revision code (0xd04170) */
    int64_t ram_bytes_by_code; /* what the revision code or module number says is soldered on */
};

struct hw_cache {
    int level;
    char kind;              /* 'd', 'i', 'u' */
    int64_t size_bytes;     /* of one */
    int count;              /* how many such caches the online CPUs have */
    int shared_by;          /* logical CPUs that share one (most common) */
    int line_bytes, ways;
};

struct hw_core_kind {       /* cores that are alike; fastest kind first */
    char name[48];          /* "Cortex-X925", "performance", "Zen 4" */
    char role;              /* 'P', 'E', 'L' (low power E); ' ' all alike */
    int cores, threads;     /* online */
    int max_mhz, base_mhz, min_mhz;
    int capacity;           /* cpu_capacity 0..1024 */
    int64_t l1d_bytes, l2_bytes; /* of one cache */
    char cpus[128];         /* logical CPUs: "0-11" */
    uint32_t midr_implementer, midr_part, midr_variant, midr_revision; /* Arm */
};

struct hw_cpu {
    char vendor[32];        /* "Intel", "AMD", "Arm", "Apple", "Qualcomm", "NVIDIA", "IBM", ... */
    char vendor_id[32];     /* as the CPU says: "GenuineIntel", "0x41" */
    char model[HW_TEXT];    /* "13th Gen Intel(R) Core(TM) i7-1370P"; Arm: "Cortex-X925 + Cortex-A725" */
    char microarch[64];     /* "Raptor Lake", "Zen 1"; "" */
    char arch[16];          /* "x86_64", "aarch64", "armv7l", "ppc64le", "riscv64" */
    int family, model_number, stepping; /* -1 unknown */
    int sockets, clusters;
    int cores_physical, cores_logical;  /* online */
    int cores_performance, cores_efficiency, cores_low_power; /* all three 0: cores are alike (or unknown) */
    int cpus_present;       /* with those that are switched off */
    int threads_per_core;   /* most that a core has online */
    enum hw_yesno smt;      /* on now */
    bool smt_possible;      /* the kernel says it could be on */
    struct hw_core_kind kinds[HW_CORE_KINDS_MAX];
    int n_kinds;
    char isa[HW_ISA_MAX][20]; /* what programs may use under this OS, our names: "avx2", "avx512_vnni", "amx_int8", "neon", "i8mm", ... */
    int n_isa;
    enum hw_yesno amx_permitted; /* live machine: the kernel's answer */
    struct hw_cache caches[HW_CACHES_MAX];
    int n_caches;
    int numa_nodes;         /* with CPUs */
    int max_mhz, base_mhz, min_mhz;
    char governor[24], scaling_driver[32], energy_preference[32], microcode[24];
    enum hw_yesno boost;
    char isolated[64];      /* "2-3" */
    int cpus_allowed;       /* logical CPUs that our affinity leaves us; live machine only */
    double cgroup_cpus;     /* quota in CPUs; 0: none */
    int cores_usable;       /* physical cores within affinity and quota: what a pool should use */
};

enum hw_memory_kind { HW_MEMORY_RAM, HW_MEMORY_PMEM, HW_MEMORY_GPU, HW_MEMORY_CXL, HW_MEMORY_KINDS };
struct hw_node {
    int id;
    enum hw_memory_kind kind;
    int64_t total_bytes, free_bytes;
    int64_t side_cache_bytes; /* DRAM that caches persistent memory (Memory Mode) */
    int n_cpus;
    char cpus[128];
};

struct hw_module {          /* a memory slot, DMI type 17 (root), or soldered memory */
    char locator[48], bank[48], maker[48], part[48], type[24]; /* "DDR5", "LPDDR5", "Logical non-volatile device" */
    int64_t size_bytes;     /* 0: empty slot */
    int mts_rated, mts;     /* MT/s: what it could, what it runs at */
    int rank, width_bits;
};

struct hw_swap {
    char name[64];          /* "/dev/zram0" */
    char kind[16];          /* "zram", "sd", "nvme", "ssd", "hdd", "file", "disk" */
    int64_t size_bytes, used_bytes;
    int priority;
};

struct hw_memory {
    int64_t total_bytes;     /* MemTotal without memory of GPUs */
    int64_t available_bytes, free_bytes;
    int64_t dram_bytes;      /* of total_bytes: 0 unknown, less where persistent memory counts as RAM */
    int64_t pmem_bytes, gpu_node_bytes, cxl_bytes;
    int64_t swap_total_bytes, swap_free_bytes;
    struct hw_swap swaps[HW_SWAPS_MAX];
    int n_swaps;
    int64_t huge_page_bytes;
    int huge_pages_total, huge_pages_free;
    char thp[16], thp_defrag[24]; /* "always", "madvise", "never" */
    int swappiness;          /* -1 unknown */
    int64_t cgroup_limit_bytes; /* 0: none */
    struct hw_node nodes[HW_NODES_MAX];
    int n_nodes;
    struct hw_module modules[HW_MODULES_MAX];
    int n_modules, n_slots_filled;  /* n_modules counts slots, empty ones too; 0: DMI not readable */
    char type[24];           /* "DDR5", "LPDDR4X" */
    char type_source[16];    /* "dmi", "device tree", "catalog" */
    int mts;                 /* transfer rate it runs at */
    int channels, channel_bits; /* populated; width of one */
    int channels_possible;   /* by the slots' locators; 0 unknown */
    enum hw_yesno ecc;
    enum hw_yesno is_unified; /* GPU uses the same memory */
    double ram_bps, fabric_bps;     /* theoretical: modules, and what the CPU's fabric lets through; 0 unknown */
    double theoretical_bps;         /* min of those known */
    char bandwidth_source[64];      /* how it was reckoned: "2 x 64 bit x 5600 MT/s (dmi)" */
    double measured_bps;            /* 0: not measured in this run */
};

enum hw_gpu_class { HW_GPU_DISCRETE, HW_GPU_INTEGRATED, HW_GPU_VIRTUAL, HW_GPU_CLASSES };
struct hw_gpu {
    char vendor[24];         /* "NVIDIA", "AMD", "Intel", "Apple", "Arm", "Qualcomm" */
    char name[HW_TEXT];      /* "NVIDIA GeForce RTX 4090"; from tables: "AD102 [GeForce RTX 4090]" */
    char name_source[16];    /* "nvml", "nvidia-smi", "driver", "pci ids", "device tree" */
    enum hw_gpu_class kind;
    char chip[48], architecture[32]; /* "AD102", "Ada" */
    uint32_t pci_vendor, pci_device, pci_subvendor, pci_subdevice;
    char pci_address[24];    /* "0000:01:00.0" */
    int64_t vram_bytes, vram_used_bytes; /* 0: unknown, or shared with the CPU */
    enum hw_yesno is_unified;
    int compute_major, compute_minor;    /* CUDA compute capability; 0.0 unknown */
    char driver[32], driver_version[48], cuda_version[16], vbios[32];
    double power_limit_w, power_default_w, power_max_w, power_draw_w;
    double temperature_c;    /* NAN-free: 0 unknown */
    int link_gen, link_gen_max, link_width, link_width_max; /* PCIe */
    int clock_mhz, clock_max_mhz, memory_clock_mhz;
    int compute_units;       /* SMs, CUs, Xe cores, Apple GPU cores */
    enum hw_yesno persistence, ecc;
    enum hw_yesno throttled; /* now, by heat or power */
    char throttle_reason[64];
    int numa_node;           /* -1 unknown */
    int mig;                 /* MIG on: number of instances, 0 off */
};

struct hw_accelerator {
    char kind[24];           /* "npu", "coral-usb", "coral-pcie", "ncs2", "hailo8", "hailo8l", "hailo10h", "dla", "ane", ... */
    char vendor[32], name[HW_TEXT];
    char bus[12];            /* "usb", "pcie", "soc" */
    char address[32];        /* "0000:00:0b.0", "2-1" */
    char state[24];          /* "ready", "not booted" (Coral 1a6e:089a, NCS2 03e7:2485), "no driver" */
    char driver[32], device[48]; /* "/dev/accel/accel0", "/dev/apex_0" */
    char link[32];           /* "USB 3 (5 Gbit/s)", "PCIe 3 x1" */
    double tops_int8;        /* catalog figure; 0 unknown */
    uint32_t vendor_id, device_id;
    enum hw_yesno is_usable; /* device node is there and we may open it (live) */
};

struct hw_disk {
    char name[32];           /* "nvme0n1" */
    char kind[16];           /* "nvme", "ssd", "hdd", "sd", "emmc", "usb", "virtual", "network" */
    char model[HW_TEXT];
    int64_t size_bytes;
    int link_gen, link_width, link_gen_max; /* NVMe */
    enum hw_yesno is_rotational;
    enum hw_yesno holds_models; /* the model folder lies on it: hw_mark_model_disk() */
    enum hw_yesno holds_root;   /* "/" lies on it */
};

struct hw_link {
    char name[32];           /* "eth0" */
    char kind[16];           /* "ethernet", "wifi", "infiniband", "thunderbolt", "usb", "virtual" */
    char driver[32];
    int64_t speed_bitps;     /* 0: unknown or down */
    enum hw_yesno is_up;
    int mtu;
};

struct hw_thermal {
    char name[48];           /* type of the zone or hwmon label */
    char source[48];         /* "thermal_zone0", "hwmon2/temp1" */
    double temperature_c, trip_passive_c, trip_critical_c; /* 0 unknown */
    enum hw_yesno has_value;
};

struct hw_power_meter {
    char name[48];           /* "package-0", "VDD_IN", "PPT" */
    char kind[16];           /* "rapl", "hwmon", "ina", "battery", "nvml" */
    char path[192];          /* what to read, relative to the root */
    enum hw_yesno is_readable; /* RAPL needs root on most machines */
    double power_w, limit_w; /* 0 unknown */
    int64_t energy_uj, energy_max_uj; /* counters (RAPL): energy wraps at max */
};

struct hw_supply {           /* battery or mains */
    char name[32], kind[16]; /* "battery", "mains", "usb", "ups" */
    enum hw_yesno is_online; /* mains */
    char status[24];         /* "Charging", "Discharging", "Full" */
    int charge_pct;          /* -1 unknown */
    double power_w, energy_full_wh, energy_design_wh;
};

struct hw_throttle {         /* has this machine been slowed by heat or a weak supply? */
    enum hw_yesno thermal, undervoltage, capped;
    int64_t events;          /* core_throttle_count and the like, since boot */
    char source[64];
};

struct hw_setup {           /* settings that belong to no device (hw/setup.c, hw/setup_cluster.c, hw/jetson.c) */
    enum hw_yesno cgroup_memory;    /* the kernel lets a container's memory be limited */
    enum hw_yesno has_k3s;
    enum hw_yesno k3s_runs;         /* server or agent; asked only when it is installed (hw/setup_cluster.c) */
    enum hw_yesno nvidia_runtime;   /* nvidia-container-runtime is installed */
    enum hw_yesno bridge_filter;    /* br_netfilter is loaded */
    enum hw_yesno time_synced;      /* by systemd-timesyncd; another program's word is not known */
    enum hw_yesno has_lease;        /* systemd-networkd or dhclient has an address by DHCP; NetworkManager's is not known */
    enum hw_yesno device_plugins;   /* beside the kubelet's socket there is one of a device plug-in */
    enum hw_yesno udev_coral, udev_ncs; /* a rule names the stick's ids; asked only when one is there */
    enum hw_yesno has_watchdog, watchdog_runs;
    enum hw_yesno numa_balancing;
    enum hw_yesno clocks_locked;    /* Jetson: jetson_clocks has fixed the GPU's clock */
    char power_mode_best[32];       /* Jetson: the fastest mode that nvpmodel offers ("MAXN_SUPER") */
    int power_mode_best_id;
    int pi_pcie_gen;                /* Raspberry Pi: dtparam=pciex1_gen; 0 not set or not known */
    char eeprom_date[16];           /* Raspberry Pi: boot loader's build, "2024-09-23" */
};

struct hw_note {             /* what root, a driver or a setting would add: "memory modules: run as root" */
    char text[160];
};

struct hw_machine {
    char root[256];          /* "" live */
    bool is_live;
    struct hw_os os;
    struct hw_board board;
    struct hw_cpu cpu;
    struct hw_memory memory;
    struct hw_gpu gpus[HW_GPUS_MAX];
    int n_gpus;
    struct hw_accelerator accelerators[HW_ACCELERATORS_MAX];
    int n_accelerators;
    struct hw_disk disks[HW_DISKS_MAX];
    int n_disks;
    struct hw_link links[HW_LINKS_MAX];
    int n_links;
    struct hw_thermal thermal[HW_THERMAL_MAX];
    int n_thermal;
    struct hw_power_meter power[HW_POWER_MAX];
    int n_power;
    struct hw_supply supplies[HW_SUPPLIES_MAX];
    int n_supplies;
    struct hw_throttle throttle;
    struct hw_setup setup;
    char power_mode[48];     /* Jetson nvpmodel ("MAXN"), platform profile ("balanced") */
    struct hw_note notes[HW_NOTES_MAX];
    int n_notes;
    int n_hung;              /* attributes that did not answer in time */
    bool is_cut;             /* something did not fit the bounds above */
    double detect_ms;
};

/* root: see hw_root_open().  Never measures and needs no privileges.  Owned by the caller (hw_machine_free);
 * NULL with err set only when the root cannot be opened or memory is out. */
struct hw_machine *hw_detect(const char *root, struct err *err);
/* The same on an open root, which stays the caller's. */
struct hw_machine *hw_detect_root(const struct hw_root *r, struct err *err);
void hw_machine_free(struct hw_machine *m);

/* For detectors: a free place in an array of the machine, zeroed; NULL (and is_cut) when it is full. */
#define HW_ADD(m, array, n_array) ((n_array) < (int)(sizeof(array) / sizeof((array)[0])) ? &(array)[(n_array)++] : ((m)->is_cut = true, NULL))
/* Adds a note once. */
void hw_note(struct hw_machine *m, const char *fmt, ...) ERR_PRINTF(2, 3);
/* Copies at most size - 1 bytes, without white space around and without control characters; invalid UTF-8 becomes '?'. */
void hw_copy(char *to, size_t size, const char *from);
bool hw_machine_has_isa(const struct hw_machine *m, const char *name);

/* The detectors, in the order in which hw_detect() calls them; each may read what earlier ones filled in. */
bool hw_detect_os(const struct hw_root *r, struct hw_machine *m);
bool hw_detect_board(const struct hw_root *r, struct hw_machine *m);
bool hw_detect_cpu(const struct hw_root *r, struct hw_machine *m);
bool hw_detect_memory(const struct hw_root *r, struct hw_machine *m);
bool hw_detect_gpus(const struct hw_root *r, struct hw_machine *m);
bool hw_detect_jetson(const struct hw_root *r, struct hw_machine *m);
bool hw_detect_accelerators(const struct hw_root *r, struct hw_machine *m);
bool hw_detect_disks(const struct hw_root *r, struct hw_machine *m);
bool hw_detect_links(const struct hw_root *r, struct hw_machine *m);
bool hw_detect_thermal(const struct hw_root *r, struct hw_machine *m);
bool hw_detect_throttle(const struct hw_root *r, struct hw_machine *m);
bool hw_detect_power(const struct hw_root *r, struct hw_machine *m);
bool hw_detect_supplies(const struct hw_root *r, struct hw_machine *m);
bool hw_detect_setup(const struct hw_root *r, struct hw_machine *m);
bool hw_detect_setup_cluster(const struct hw_root *r, struct hw_machine *m);

/* Is a cooling device of this type a processor that is slowed down (its cur_state above 0: now)? */
bool hw_is_processor_cooling(const char *type);

/* Which disk holds this folder (absolute, without links): sets holds_models of all disks; a network file system becomes a
 * disk of kind "network".  false: cannot be told (a container's overlay, a RAM disk).  hw_detect() asks it for the current
 * folder of the live machine. */
bool hw_mark_model_disk(const struct hw_root *r, struct hw_machine *m, const char *folder);
#endif
