/* hw/cpu_names.c - names of cores: Arm's MIDR parts, x86's family and model.
 *
 * For:     cpu_kinds.c, cpu_info.c.
 * Touches: nothing.
 * Rule:    what is not in a table has no name; detection goes on without one.
 *
 * Sources (read 2026-11-21): Linux arch/arm64/include/asm/cputype.h and Arm's technical reference manuals (MIDR_EL1);
 * Linux arch/x86/include/asm/intel-family.h; AMD's processor programming references (family 17h, 19h, 1Ah).
 */
#include <stddef.h>
#include <string.h>

#include "hw/cpu_internal.h"

static const struct {
    uint32_t id;
    const char *name;
} implementers[] = {
    { 0x41, "Arm" }, { 0x42, "Broadcom" }, { 0x43, "Cavium" }, { 0x46, "Fujitsu" }, { 0x48, "HiSilicon" }, { 0x4e, "NVIDIA" }, { 0x50, "APM" },
    { 0x51, "Qualcomm" }, { 0x53, "Samsung" }, { 0x56, "Marvell" }, { 0x61, "Apple" }, { 0x6d, "Microsoft" }, { 0x70, "Phytium" }, { 0xc0, "Ampere" },
};

static const struct {
    uint32_t implementer, part;
    char role; /* 'X' prime, 'B' big, 'S' small */
    const char *name;
} parts[] = {
    { 0x41, 0xb76, 'S', "ARM1176" }, { 0x41, 0xc05, 'S', "Cortex-A5" }, { 0x41, 0xc07, 'S', "Cortex-A7" }, { 0x41, 0xc08, 'B', "Cortex-A8" },
    { 0x41, 0xc09, 'B', "Cortex-A9" }, { 0x41, 0xc0e, 'B', "Cortex-A17" }, { 0x41, 0xc0f, 'B', "Cortex-A15" },
    { 0x41, 0xd01, 'S', "Cortex-A32" }, { 0x41, 0xd02, 'S', "Cortex-A34" }, { 0x41, 0xd03, 'S', "Cortex-A53" }, { 0x41, 0xd04, 'S', "Cortex-A35" },
    { 0x41, 0xd05, 'S', "Cortex-A55" }, { 0x41, 0xd06, 'S', "Cortex-A65" }, { 0x41, 0xd07, 'B', "Cortex-A57" }, { 0x41, 0xd08, 'B', "Cortex-A72" },
    { 0x41, 0xd09, 'B', "Cortex-A73" }, { 0x41, 0xd0a, 'B', "Cortex-A75" }, { 0x41, 0xd0b, 'B', "Cortex-A76" }, { 0x41, 0xd0c, 'B', "Neoverse-N1" },
    { 0x41, 0xd0d, 'B', "Cortex-A77" }, { 0x41, 0xd0e, 'B', "Cortex-A76AE" }, { 0x41, 0xd40, 'B', "Neoverse-V1" }, { 0x41, 0xd41, 'B', "Cortex-A78" },
    { 0x41, 0xd42, 'B', "Cortex-A78AE" }, { 0x41, 0xd43, 'S', "Cortex-A65AE" }, { 0x41, 0xd44, 'X', "Cortex-X1" }, { 0x41, 0xd46, 'S', "Cortex-A510" },
    { 0x41, 0xd47, 'B', "Cortex-A710" }, { 0x41, 0xd48, 'X', "Cortex-X2" }, { 0x41, 0xd49, 'B', "Neoverse-N2" }, { 0x41, 0xd4a, 'S', "Neoverse-E1" },
    { 0x41, 0xd4b, 'B', "Cortex-A78C" }, { 0x41, 0xd4c, 'X', "Cortex-X1C" }, { 0x41, 0xd4d, 'B', "Cortex-A715" }, { 0x41, 0xd4e, 'X', "Cortex-X3" },
    { 0x41, 0xd4f, 'B', "Neoverse-V2" }, { 0x41, 0xd80, 'S', "Cortex-A520" }, { 0x41, 0xd81, 'B', "Cortex-A720" }, { 0x41, 0xd82, 'X', "Cortex-X4" },
    { 0x41, 0xd83, 'B', "Neoverse-V3AE" }, { 0x41, 0xd84, 'B', "Neoverse-V3" }, { 0x41, 0xd85, 'X', "Cortex-X925" }, { 0x41, 0xd87, 'B', "Cortex-A725" },
    { 0x41, 0xd88, 'S', "Cortex-A520AE" }, { 0x41, 0xd89, 'B', "Cortex-A720AE" }, { 0x41, 0xd8e, 'B', "Neoverse-N3" }, { 0x41, 0xd8f, 'S', "Cortex-A320" },
    { 0x41, 0xd8a, 'S', "C1-Nano" }, { 0x41, 0xd8b, 'B', "C1-Pro" }, { 0x41, 0xd8c, 'X', "C1-Ultra" }, { 0x41, 0xd90, 'X', "C1-Premium" },
    { 0x46, 0x001, 'B', "A64FX" },
    { 0x48, 0xd01, 'B', "TaiShan v110" }, { 0x48, 0xd02, 'B', "TaiShan v120" }, { 0x48, 0xd40, 'B', "Cortex-A76 (HiSilicon)" },
    { 0x4e, 0x003, 'B', "Denver 2" }, { 0x4e, 0x004, 'B', "Carmel" }, { 0x4e, 0x010, 'B', "Olympus" },
    { 0x51, 0x001, 'B', "Oryon" }, { 0x51, 0x002, 'B', "Oryon" }, { 0x51, 0x201, 'B', "Kryo" }, { 0x51, 0x205, 'B', "Kryo" }, { 0x51, 0x211, 'S', "Kryo" },
    { 0x51, 0x800, 'B', "Kryo 2xx Gold" }, { 0x51, 0x801, 'S', "Kryo 2xx Silver" }, { 0x51, 0x802, 'B', "Kryo 3xx Gold" }, { 0x51, 0x803, 'S', "Kryo 3xx Silver" },
    { 0x51, 0x804, 'B', "Kryo 4xx Gold" }, { 0x51, 0x805, 'S', "Kryo 4xx Silver" }, { 0x51, 0xc00, 'B', "Falkor" },
    { 0x53, 0x001, 'B', "Exynos M1" }, { 0x53, 0x002, 'B', "Exynos M3" }, { 0x53, 0x003, 'B', "Exynos M4" }, { 0x53, 0x004, 'B', "Exynos M5" },
    { 0x61, 0x022, 'S', "Icestorm (M1)" }, { 0x61, 0x023, 'B', "Firestorm (M1)" }, { 0x61, 0x024, 'S', "Icestorm (M1 Pro)" }, { 0x61, 0x025, 'B', "Firestorm (M1 Pro)" },
    { 0x61, 0x028, 'S', "Icestorm (M1 Max)" }, { 0x61, 0x029, 'B', "Firestorm (M1 Max)" }, { 0x61, 0x032, 'S', "Blizzard (M2)" }, { 0x61, 0x033, 'B', "Avalanche (M2)" },
    { 0x61, 0x034, 'S', "Blizzard (M2 Pro)" }, { 0x61, 0x035, 'B', "Avalanche (M2 Pro)" }, { 0x61, 0x038, 'S', "Blizzard (M2 Max)" }, { 0x61, 0x039, 'B', "Avalanche (M2 Max)" },
    { 0x6d, 0xd49, 'B', "Azure Cobalt 100" },
    { 0xc0, 0xac3, 'B', "Ampere-1" }, { 0xc0, 0xac4, 'B', "Ampere-1a" }, { 0xc0, 0xac5, 'B', "Ampere-1b" },
};

const char *cpu_implementer_name(uint32_t id)
{
    for (size_t i = 0; i < sizeof(implementers) / sizeof(implementers[0]); i++)
        if (implementers[i].id == id)
            return implementers[i].name;
    return NULL;
}

const char *cpu_part_name(uint32_t implementer, uint32_t part, char *role)
{
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        if (parts[i].implementer == implementer && parts[i].part == part) {
            *role = parts[i].role;
            return parts[i].name;
        }
    *role = 0;
    return NULL;
}

/* model_last: a range of models; stepping_min: for one number that became two CPUs */
static const struct {
    char vendor; /* 'I', 'A', 'H' */
    int family, model_first, model_last, stepping_min;
    const char *name;
} x86[] = {
    { 'I', 6, 15, 15, 0, "Core (Merom)" }, { 'I', 6, 23, 23, 0, "Core (Penryn)" }, { 'I', 6, 29, 29, 0, "Core (Dunnington)" },
    { 'I', 6, 26, 26, 0, "Nehalem" }, { 'I', 6, 30, 31, 0, "Nehalem" }, { 'I', 6, 46, 46, 0, "Nehalem" },
    { 'I', 6, 37, 37, 0, "Westmere" }, { 'I', 6, 44, 44, 0, "Westmere" }, { 'I', 6, 47, 47, 0, "Westmere" },
    { 'I', 6, 42, 42, 0, "Sandy Bridge" }, { 'I', 6, 45, 45, 0, "Sandy Bridge" }, { 'I', 6, 58, 58, 0, "Ivy Bridge" }, { 'I', 6, 62, 62, 0, "Ivy Bridge" },
    { 'I', 6, 60, 60, 0, "Haswell" }, { 'I', 6, 63, 63, 0, "Haswell" }, { 'I', 6, 69, 70, 0, "Haswell" },
    { 'I', 6, 61, 61, 0, "Broadwell" }, { 'I', 6, 71, 71, 0, "Broadwell" }, { 'I', 6, 79, 79, 0, "Broadwell" }, { 'I', 6, 86, 86, 0, "Broadwell" },
    { 'I', 6, 78, 78, 0, "Skylake" }, { 'I', 6, 94, 94, 0, "Skylake" },
    { 'I', 6, 85, 85, 10, "Cooper Lake" }, { 'I', 6, 85, 85, 5, "Cascade Lake" }, { 'I', 6, 85, 85, 0, "Skylake-SP" },
    { 'I', 6, 142, 142, 0, "Kaby Lake / Coffee Lake" }, { 'I', 6, 158, 158, 0, "Kaby Lake / Coffee Lake" },
    { 'I', 6, 165, 166, 0, "Comet Lake" }, { 'I', 6, 102, 102, 0, "Cannon Lake" }, { 'I', 6, 125, 126, 0, "Ice Lake" }, { 'I', 6, 106, 106, 0, "Ice Lake-SP" },
    { 'I', 6, 108, 108, 0, "Ice Lake-D" }, { 'I', 6, 140, 141, 0, "Tiger Lake" }, { 'I', 6, 167, 167, 0, "Rocket Lake" }, { 'I', 6, 138, 138, 0, "Lakefield" },
    { 'I', 6, 151, 151, 0, "Alder Lake" }, { 'I', 6, 154, 154, 0, "Alder Lake" }, { 'I', 6, 190, 190, 0, "Alder Lake-N (Gracemont)" },
    { 'I', 6, 183, 183, 0, "Raptor Lake" }, { 'I', 6, 186, 186, 0, "Raptor Lake" }, { 'I', 6, 191, 191, 0, "Raptor Lake" },
    { 'I', 6, 170, 170, 0, "Meteor Lake" }, { 'I', 6, 172, 172, 0, "Meteor Lake" }, { 'I', 6, 197, 198, 0, "Arrow Lake" }, { 'I', 6, 181, 181, 0, "Arrow Lake-U" },
    { 'I', 6, 189, 189, 0, "Lunar Lake" }, { 'I', 6, 204, 204, 0, "Panther Lake" },
    { 'I', 6, 143, 143, 0, "Sapphire Rapids" }, { 'I', 6, 207, 207, 0, "Emerald Rapids" }, { 'I', 6, 173, 174, 0, "Granite Rapids" },
    { 'I', 6, 175, 175, 0, "Sierra Forest" }, { 'I', 6, 221, 221, 0, "Clearwater Forest" },
    { 'I', 6, 28, 28, 0, "Atom (Bonnell)" }, { 'I', 6, 55, 55, 0, "Silvermont" }, { 'I', 6, 76, 76, 0, "Airmont" }, { 'I', 6, 92, 92, 0, "Goldmont" },
    { 'I', 6, 95, 95, 0, "Goldmont" }, { 'I', 6, 122, 122, 0, "Goldmont Plus" }, { 'I', 6, 134, 134, 0, "Tremont" }, { 'I', 6, 150, 150, 0, "Tremont (Elkhart Lake)" },
    { 'I', 6, 156, 156, 0, "Tremont (Jasper Lake)" }, { 'I', 6, 87, 87, 0, "Knights Landing" }, { 'I', 6, 133, 133, 0, "Knights Mill" },
    { 'A', 16, 0, 255, 0, "K10" }, { 'A', 20, 0, 255, 0, "Bobcat" }, { 'A', 21, 0, 1, 0, "Bulldozer" }, { 'A', 21, 2, 47, 0, "Piledriver" },
    { 'A', 21, 48, 95, 0, "Steamroller" }, { 'A', 21, 96, 127, 0, "Excavator" }, { 'A', 22, 0, 255, 0, "Jaguar" },
    { 'A', 23, 8, 8, 0, "Zen+" }, { 'A', 23, 24, 24, 0, "Zen+" }, { 'A', 23, 0, 47, 0, "Zen 1" }, { 'A', 23, 80, 95, 0, "Zen 1" },
    { 'A', 23, 48, 79, 0, "Zen 2" }, { 'A', 23, 96, 127, 0, "Zen 2" }, { 'A', 23, 132, 132, 0, "Zen 2" }, { 'A', 23, 144, 145, 0, "Zen 2" }, { 'A', 23, 160, 175, 0, "Zen 2" },
    { 'A', 25, 0, 15, 0, "Zen 3" }, { 'A', 25, 32, 47, 0, "Zen 3" }, { 'A', 25, 64, 79, 0, "Zen 3+" }, { 'A', 25, 80, 95, 0, "Zen 3" },
    { 'A', 25, 16, 31, 0, "Zen 4" }, { 'A', 25, 96, 127, 0, "Zen 4" }, { 'A', 25, 160, 175, 0, "Zen 4c" },
    { 'A', 26, 16, 31, 0, "Zen 5c" }, { 'A', 26, 0, 47, 0, "Zen 5" }, { 'A', 26, 64, 79, 0, "Zen 5" }, { 'A', 26, 96, 127, 0, "Zen 5" },
    { 'A', 26, 80, 95, 0, "Zen 6" }, { 'A', 26, 128, 175, 0, "Zen 6" }, { 'A', 26, 192, 207, 0, "Zen 6" },
    { 'H', 24, 0, 255, 0, "Zen 1 (Dhyana)" },
};

const char *cpu_x86_microarch(const char *vendor_id, int family, int model, int stepping)
{
    const char vendor = strcmp(vendor_id, "GenuineIntel") == 0 ? 'I' : strcmp(vendor_id, "AuthenticAMD") == 0 ? 'A' : strcmp(vendor_id, "HygonGenuine") == 0 ? 'H' : 0;
    for (size_t i = 0; i < sizeof(x86) / sizeof(x86[0]); i++)
        if (x86[i].vendor == vendor && x86[i].family == family && model >= x86[i].model_first && model <= x86[i].model_last && stepping >= x86[i].stepping_min)
            return x86[i].name;
    return NULL;
}
