/* hw/board.c - what kind of machine it is: DMI on PCs and servers, the device tree on boards, signs of a virtual one.
 *
 * For:     machine.c.
 * Touches: /sys/class/dmi/id, /proc/device-tree, /sys/hypervisor, /proc/bus/pci/devices; cpuid on the live machine.
 * Rule:    serial numbers, UUIDs and asset tags are not even read.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "hw/machine.h"

/* Vendors leave the form's text in: that says nothing. */
static bool is_filler(const char *text)
{
    static const char *const filler[] = { "To Be Filled By O.E.M.", "To be filled by O.E.M.", "Default string", "System Product Name", "System manufacturer",
                                          "System Version", "Not Specified", "Not Applicable", "None", "N/A", "O.E.M.", "INVALID", "Unknown", "0", "x.x" };
    for (size_t i = 0; i < sizeof(filler) / sizeof(filler[0]); i++)
        if (strcmp(text, filler[i]) == 0)
            return true;
    return false;
}

static bool dmi(const struct hw_root *r, const char *name, char *to, size_t size)
{
    char text[256];
    if (!hw_read(r, text, sizeof(text), "sys/class/dmi/id/%s", name) && !hw_read(r, text, sizeof(text), "sys/devices/virtual/dmi/id/%s", name))
        return false;
    if (!is_filler(text))
        hw_copy(to, size, text);
    return true;
}

/* DSP0134 (SMBIOS 3.7), 7.4.1: System Enclosure or Chassis Types */
static const char *form_of(long type)
{
    switch (type) {
    case 3: case 4: case 5: case 6: case 7: case 13: case 15: case 16: case 24: return "desktop";
    case 8: case 9: case 10: case 14: case 31: case 32: return "laptop";
    case 11: case 30: return "tablet";
    case 17: case 23: case 25: case 28: case 29: return "server";
    case 35: case 36: return "mini pc";
    case 33: case 34: return "module";
    default: return "";
    }
}

static bool read_dmi(const struct hw_root *r, struct hw_board *b)
{
    char type[16] = "";
    bool any = dmi(r, "sys_vendor", b->vendor, sizeof(b->vendor));
    any |= dmi(r, "product_name", b->product, sizeof(b->product));
    any |= dmi(r, "board_name", b->board, sizeof(b->board));
    dmi(r, "product_version", b->version, sizeof(b->version));
    dmi(r, "board_vendor", b->board_vendor, sizeof(b->board_vendor));
    dmi(r, "bios_vendor", b->bios_vendor, sizeof(b->bios_vendor));
    dmi(r, "bios_version", b->bios_version, sizeof(b->bios_version));
    dmi(r, "bios_date", b->bios_date, sizeof(b->bios_date));
    if (dmi(r, "chassis_type", type, sizeof(type)))
        snprintf(b->form, sizeof(b->form), "%s", form_of(strtol(type, NULL, 10)));
    return any;
}

static const struct {
    const char *compatible, *soc, *family, *form;
} socs[] = {
    { "brcm,bcm2712", "BCM2712", "raspberry pi", "sbc" },
    { "brcm,bcm2711", "BCM2711", "raspberry pi", "sbc" },
    { "brcm,bcm2837", "BCM2837", "raspberry pi", "sbc" },
    { "brcm,bcm2836", "BCM2836", "raspberry pi", "sbc" },
    { "brcm,bcm2835", "BCM2835", "raspberry pi", "sbc" },
    { "nvidia,tegra264", "Tegra264 (Thor)", "jetson", "module" },
    { "nvidia,tegra234", "Tegra234 (Orin)", "jetson", "module" },
    { "nvidia,tegra194", "Tegra194 (Xavier)", "jetson", "module" },
    { "nvidia,tegra186", "Tegra186 (TX2)", "jetson", "module" },
    { "nvidia,tegra210", "Tegra210 (X1)", "jetson", "module" },
    { "rockchip,rk3588s", "RK3588S", "rockchip", "sbc" },
    { "rockchip,rk3588", "RK3588", "rockchip", "sbc" },
    { "rockchip,rk3576", "RK3576", "rockchip", "sbc" },
    { "rockchip,rk3568", "RK3568", "rockchip", "sbc" },
    { "rockchip,rk3566", "RK3566", "rockchip", "sbc" },
    { "rockchip,rk3399", "RK3399", "rockchip", "sbc" },
    { "amlogic,g12b", "S922X", "amlogic", "sbc" },
    { "amlogic,a311d", "A311D", "amlogic", "sbc" },
    { "allwinner,sun50i-h618", "H618", "allwinner", "sbc" },
    { "allwinner,sun50i-h616", "H616", "allwinner", "sbc" },
    { "allwinner,sun55i-a523", "A523", "allwinner", "sbc" },
    { "qcom,qcs6490", "QCS6490", "qualcomm", "sbc" },
    { "qcom,x1e80100", "X1E80100", "qualcomm", "laptop" },
    { "qcom,sm8550", "SM8550", "qualcomm", "phone" },
    { "qcom,sm8650", "SM8650", "qualcomm", "phone" },
    { "qcom,sm8750", "SM8750", "qualcomm", "phone" },
    { "fsl,imx8mp", "i.MX 8M Plus", "nxp", "sbc" },
    { "fsl,imx8mq", "i.MX 8M", "nxp", "sbc" },
    { "ti,am62a7", "AM62A7", "ti", "sbc" },
    { "ti,j721e", "TDA4VM", "ti", "sbc" },
    { "mediatek,mt8395", "MT8395 (Genio 1200)", "mediatek", "sbc" },
    { "mediatek,mt8390", "MT8390 (Genio 700)", "mediatek", "sbc" },
    { "starfive,jh7110", "JH7110", "starfive", "sbc" },
    { "spacemit,k1", "K1", "spacemit", "sbc" },
    { "cix,sky1", "CD8180", "cix", "sbc" },
    { "apple,t8103", "Apple M1", "apple", "" },
    { "apple,t8112", "Apple M2", "apple", "" },
    { "apple,t6000", "Apple M1 Pro", "apple", "" },
    { "apple,t6001", "Apple M1 Max", "apple", "" },
    { "apple,t6002", "Apple M1 Ultra", "apple", "" },
    { "apple,t6020", "Apple M2 Pro", "apple", "" },
    { "apple,t6021", "Apple M2 Max", "apple", "" },
    { "apple,t6022", "Apple M2 Ultra", "apple", "" },
};

/* "a\0b\0" to "a, b"; each name to the table above, in its order: the most special first. */
static void read_compatible(const char *list, size_t n, struct hw_board *b)
{
    size_t best = sizeof(socs) / sizeof(socs[0]), len = 0;
    for (size_t at = 0; at < n;) {
        char name[96];
        const size_t end = at + strnlen(list + at, n - at);
        const size_t m = end - at < sizeof(name) ? end - at : sizeof(name) - 1;
        char clean[sizeof(name)];
        memcpy(name, list + at, m);
        name[m] = '\0';
        hw_copy(clean, sizeof(clean), name);
        if (clean[0] && len + strlen(clean) + 3 < sizeof(b->compatible))
            len += (size_t)snprintf(b->compatible + len, sizeof(b->compatible) - len, "%s%s", len ? ", " : "", clean);
        for (size_t i = 0; i < best; i++)
            if (strcmp(clean, socs[i].compatible) == 0)
                best = i;
        at = end + 1;
    }
    if (best < sizeof(socs) / sizeof(socs[0])) {
        snprintf(b->soc, sizeof(b->soc), "%s", socs[best].soc);
        snprintf(b->family, sizeof(b->family), "%s", socs[best].family);
        if (!b->form[0])
            snprintf(b->form, sizeof(b->form), "%s", socs[best].form);
    }
}

/* Jetson modules: github rbonghi/jetson_stats jtop/core/jetson_variables.py (2026-11-21), memory per module */
static void read_jetson_module(struct hw_board *b)
{
    static const struct {
        const char *number, *name;
        int gib;
    } modules[] = {
        { "p3767-0000", "Jetson Orin NX 16GB", 16 }, { "p3767-0001", "Jetson Orin NX 8GB", 8 },
        { "p3767-0003", "Jetson Orin Nano 8GB", 8 }, { "p3767-0004", "Jetson Orin Nano 4GB", 4 },
        { "p3767-0005", "Jetson Orin Nano 8GB", 8 },
        { "p3701-0000", "Jetson AGX Orin 32GB", 32 }, { "p3701-0004", "Jetson AGX Orin 32GB", 32 }, { "p3701-0005", "Jetson AGX Orin 64GB", 64 },
        { "p2888-0001", "Jetson AGX Xavier 16GB", 16 }, { "p2888-0004", "Jetson AGX Xavier 32GB", 32 },
        { "p3668-0000", "Jetson Xavier NX 8GB", 8 }, { "p3668-0001", "Jetson Xavier NX 8GB", 8 },
        { "p3448-0000", "Jetson Nano 4GB", 4 }, { "p3448-0003", "Jetson Nano 2GB", 2 },
    };
    const char *at = NULL;
    size_t best = 0;
    for (size_t i = 0; i < sizeof(modules) / sizeof(modules[0]); i++) {
        const char *found = strstr(b->compatible, modules[i].number);
        if (found && (!at || found < at)) /* the list goes from special to general */
            at = found, best = i;
    }
    if (!at)
        return;
    snprintf(b->board, sizeof(b->board), "%s", modules[best].name);
    b->ram_bytes_by_code = (int64_t)modules[best].gib << 30;
}

static bool read_device_tree(const struct hw_root *r, struct hw_board *b)
{
    static const char *const places[] = { "proc/device-tree", "sys/firmware/devicetree/base" };
    bool any = false;
    for (size_t i = 0; i < 2 && !any; i++) {
        char model[HW_TEXT];
        size_t n;
        if (hw_read(r, model, sizeof(model), "%s/model", places[i])) {
            if (!b->product[0])
                hw_copy(b->product, sizeof(b->product), model);
            any = true;
        }
        char *list = hw_read_all(r, 4096, &n, "%s/compatible", places[i]);
        if (list) {
            read_compatible(list, n, b);
            any = true;
        }
        free(list);
    }
    if (strcmp(b->family, "jetson") == 0)
        read_jetson_module(b);
    return any;
}

/* "Model", "Revision" at the end of /proc/cpuinfo: Raspberry Pi; "Hardware" says BCM2835 on every one of them. */
static void read_cpuinfo_tail(const struct hw_root *r, struct hw_board *b)
{
    char *text = hw_read_all(r, 1 << 20, NULL, "proc/cpuinfo");
    for (char *line = text; line && *line;) {
        char *end = strchr(line, '\n'), *colon;
        if (end)
            *end = '\0';
        colon = strchr(line, ':');
        if (colon && strncmp(line, "Model", 5) == 0 && strspn(line + 5, " \t") == (size_t)(colon - line) - 5 && !b->product[0])
            hw_copy(b->product, sizeof(b->product), colon + 1);
        if (colon && strncmp(line, "Revision", 8) == 0)
            b->pi_revision = (uint32_t)strtoul(colon + 1, NULL, 16);
        if (colon && strncmp(line, "machine", 7) == 0 && !b->product[0]) /* POWER */
            hw_copy(b->product, sizeof(b->product), colon + 1);
        line = end ? end + 1 : NULL;
    }
    free(text);
    if (strncmp(b->product, "Raspberry Pi", 12) != 0) {
        b->pi_revision = 0;
        return;
    }
    /* raspberrypi.com/documentation/computers/raspberry-pi.html, "Raspberry Pi revision codes": bit 23 new style, 20-22 memory, 12-15 SoC */
    static const char *const chips[] = { "BCM2835", "BCM2836", "BCM2837", "BCM2711", "BCM2712" };
    snprintf(b->family, sizeof(b->family), "raspberry pi");
    snprintf(b->vendor, sizeof(b->vendor), "Raspberry Pi");
    snprintf(b->form, sizeof(b->form), "%s", strstr(b->product, "Compute Module") ? "module" : "sbc");
    if (b->pi_revision & 1u << 23) {
        const uint32_t memory = b->pi_revision >> 20 & 7, chip = b->pi_revision >> 12 & 15;
        b->ram_bytes_by_code = memory <= 6 ? (int64_t)256 << (20 + memory) : 0;
        if (chip < sizeof(chips) / sizeof(chips[0]) && !b->soc[0])
            snprintf(b->soc, sizeof(b->soc), "%s", chips[chip]);
    }
}

/* PCI vendors that only virtual machines have (pci.ids): the first word of a line is bus, the second vendor and device. */
static const char *hypervisor_by_pci(const struct hw_root *r)
{
    static const struct {
        const char *vendor, *name;
    } known[] = { { "80ee", "virtualbox" }, { "15ad", "vmware" }, { "1af4", "kvm" }, { "5853", "xen" }, { "1414", "hyper-v" }, { "1ab8", "parallels" } };
    const char *name = "";
    char *text = hw_read_all(r, 1 << 18, NULL, "proc/bus/pci/devices");
    for (char *line = text; line && *line && !name[0]; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        const char *tab = strpbrk(line, "\t\n");
        for (size_t i = 0; tab && *tab == '\t' && i < sizeof(known) / sizeof(known[0]); i++)
            if (strncmp(tab + 1, known[i].vendor, 4) == 0)
                name = known[i].name;
    }
    free(text);
    return name;
}

static const char *hypervisor_by_name(const struct hw_board *b)
{
    static const struct {
        const char *word, *name;
    } known[] = {
        { "VirtualBox", "virtualbox" }, { "innotek", "virtualbox" }, { "VMware", "vmware" }, { "QEMU", "kvm" }, { "KVM", "kvm" }, { "Bochs", "bochs" },
        { "Xen", "xen" }, { "Virtual Machine", "hyper-v" }, { "Google Compute Engine", "kvm" }, { "Amazon EC2", "kvm" }, { "Firecracker", "kvm" },
        { "Parallels", "parallels" }, { "DigitalOcean", "kvm" }, { "Hetzner", "kvm" }, { "OpenStack", "kvm" }, { "linux,dummy-virt", "kvm" }, { "Apple Virtualization", "apple" },
        { "Alibaba Cloud ECS", "kvm" },
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strstr(b->product, known[i].word) || strstr(b->vendor, known[i].word) || strstr(b->compatible, known[i].word)) {
            /* a bare metal instance says so in its name */
            return strstr(b->product, "metal") ? "" : known[i].name;
        }
    return "";
}

#if defined(__x86_64__)
static const char *hypervisor_by_cpuid(void)
{
    static const struct {
        char signature[13];
        const char *name;
    } known[] = { { "KVMKVMKVM", "kvm" }, { "Microsoft Hv", "hyper-v" }, { "VMwareVMware", "vmware" }, { "XenVMMXenVMM", "xen" }, { "VBoxVBoxVBox", "virtualbox" },
                  { "TCGTCGTCGTCG", "qemu" }, { "bhyve bhyve ", "bhyve" }, { " lrpepyh  vr", "parallels" } };
    uint32_t a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & 1u << 31))
        return "";
    char signature[13] = "";
    __cpuid(0x40000000, a, b, c, d);
    memcpy(signature, &b, 4), memcpy(signature + 4, &c, 4), memcpy(signature + 8, &d, 4);
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strcmp(signature, known[i].signature) == 0)
            return known[i].name;
    return "unknown";
}
#else
static const char *hypervisor_by_cpuid(void) { return ""; }
#endif

/* ACPI machines name their SoC by SMCCC (Arm DEN0028 7.4, JEP106 code and part): MediaTek's 8901 is NVIDIA's GB10, seen in a DGX Spark. */
static void read_soc_id(const struct hw_root *r, struct hw_board *b)
{
    char text[64];
    const bool is_gb10 = (hw_read(r, text, sizeof(text), "sys/devices/soc0/soc_id") && strcmp(text, "jep106:0426:8901") == 0) || strstr(b->product, "GB10") || strstr(b->product, "DGX_Spark");
    if (is_gb10 && !b->soc[0])
        snprintf(b->soc, sizeof(b->soc), "GB10");
}

static void read_hypervisor(const struct hw_root *r, struct hw_machine *m)
{
    char type[32] = "", guest[32] = "";
    const char *name = hypervisor_by_name(&m->board);
    if (!name[0] && hw_read(r, type, sizeof(type), "sys/hypervisor/type") && !(hw_read(r, guest, sizeof(guest), "sys/hypervisor/guest_type") && strcmp(guest, "Dom0") == 0))
        name = type;
    if (!name[0])
        name = hypervisor_by_pci(r);
    if (!name[0] && m->is_live)
        name = hypervisor_by_cpuid();
    hw_copy(m->board.hypervisor, sizeof(m->board.hypervisor), name);
    if (m->board.hypervisor[0])
        snprintf(m->board.form, sizeof(m->board.form), "vm");
}

bool hw_detect_board(const struct hw_root *r, struct hw_machine *m)
{
    bool any = read_dmi(r, &m->board);
    any |= read_device_tree(r, &m->board);
    read_cpuinfo_tail(r, &m->board);
    read_soc_id(r, &m->board);
    read_hypervisor(r, m);
    return any || m->board.product[0];
}
