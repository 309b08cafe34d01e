/* hw/accel.c - accelerators that are no GPUs: NPUs of processors, Coral, Neural Compute Stick, Hailo, Gaudi, ...
 *
 * Start reading at hw_detect_accelerators().  A stick's USB identity changes when its runtime boots it (Coral 1a6e:089a ->
 * 18d1:9302, NCS2 03e7:2485 -> 03e7:f63b): both are the same device in two states.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hw/ids.h"
#include "hw/machine.h"
#include "hw/pci.h"

static void say(char *to, size_t size, const char *text) { hw_copy(to, size, text); }

static const char *vendor_of(uint32_t id)
{
    static const struct { uint32_t id; const char *name; } names[] = {
        { 0x1002, "AMD" }, { 0x1022, "AMD" }, { 0x8086, "Intel" }, { 0x03e7, "Intel" }, { 0x1ac1, "Google" }, { 0x1a6e, "Google" },
        { 0x18d1, "Google" }, { 0x1e60, "Hailo" }, { 0x1da3, "Intel" }, { 0x17cb, "Qualcomm" },
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (names[i].id == id)
            return names[i].name;
    return "";
}

static struct hw_accelerator *add(struct hw_machine *m, const char *kind, const char *vendor, const char *name, const char *bus, const char *address)
{
    struct hw_accelerator *a = HW_ADD(m, m->accelerators, m->n_accelerators);
    if (!a)
        return NULL;
    memset(a, 0, sizeof(*a));
    say(a->kind, sizeof(a->kind), kind);
    say(a->vendor, sizeof(a->vendor), vendor);
    say(a->name, sizeof(a->name), name);
    say(a->bus, sizeof(a->bus), bus);
    say(a->address, sizeof(a->address), address);
    return a;
}

/* The name below /sys/class/<class> whose device is at this place ("apex_0"). */
static bool find_class_device(const struct hw_root *r, const char *class_name, const char *address, char *name, size_t size)
{
    struct hw_names names;
    bool is_found = false;
    hw_list(r, &names, "sys/class/%s", class_name);
    for (int i = 0; i < names.n && i < 64 && !is_found; i++) {
        char at[64];
        if (hw_link_name(r, at, sizeof(at), "sys/class/%s/%s/device", class_name, names.name[i]) && strcmp(at, address) == 0) {
            hw_copy(name, size, names.name[i]);
            is_found = true;
        }
    }
    hw_names_free(&names);
    return is_found;
}

static void check_node(const struct hw_root *r, struct hw_accelerator *a)
{
    if (a->device[0] && hw_root_is_live(r))
        a->is_usable = access(a->device, R_OK | W_OK) == 0 ? HW_YES : HW_NO;
}

static void scan_pci(const struct hw_root *r, struct hw_machine *m)
{
    struct hw_pci *devices = calloc(HW_PCI_MAX, sizeof(*devices));
    const int n = devices ? hw_pci_scan(r, devices, HW_PCI_MAX) : 0;
    for (int i = 0; i < n; i++) {
        const struct hw_pci *d = &devices[i];
        const struct hw_id *id = hw_id_find(HW_BUS_PCI, d->vendor, d->device);
        if (!id || strcmp(id->kind, "gpu") == 0 || strcmp(id->kind, "igpu") == 0)
            continue;
        const bool is_soc = strcmp(id->kind, "npu") == 0;
        struct hw_accelerator *a = add(m, id->kind, vendor_of(d->vendor), id->name, is_soc ? "soc" : "pcie", d->address);
        char name[32];
        if (!a)
            continue;
        a->vendor_id = d->vendor, a->device_id = d->device;
        say(a->driver, sizeof(a->driver), d->driver);
        if (find_class_device(r, "accel", d->address, name, sizeof(name)))
            snprintf(a->device, sizeof(a->device), "/dev/accel/%s", name);
        else if (find_class_device(r, "apex", d->address, name, sizeof(name)) || find_class_device(r, "hailo_chardev", d->address, name, sizeof(name)))
            snprintf(a->device, sizeof(a->device), "/dev/%s", name);
        say(a->state, sizeof(a->state), a->device[0] || a->driver[0] ? "ready" : "no driver");
        const struct hw_pci_link link = hw_pci_link(r, d->address);
        if (!is_soc && link.gen && link.width)
            snprintf(a->link, sizeof(a->link), "PCIe %d x%d", link.gen % 10, link.width % 100);
        check_node(r, a);
    }
    free(devices);
}

/* Accelerators on no bus that has ids: an NPU inside an Arm SoC. */
static void scan_soc(const struct hw_root *r, struct hw_machine *m)
{
    struct hw_names names;
    char at[64], driver[32];
    hw_list(r, &names, "sys/class/accel");
    for (int i = 0; i < names.n && i < 64; i++) {
        if (strncmp(names.name[i], "accel", 5) != 0 || !hw_link_name(r, at, sizeof(at), "sys/class/accel/%s/device", names.name[i]))
            continue;
        bool is_there = false;
        for (int k = 0; k < m->n_accelerators; k++)
            is_there |= strcmp(m->accelerators[k].address, at) == 0;
        if (is_there)
            continue;
        hw_link_name(r, driver, sizeof(driver), "sys/class/accel/%s/device/driver", names.name[i]);
        char name[64];
        snprintf(name, sizeof(name), "%s%sNPU", driver, driver[0] ? " " : "");
        struct hw_accelerator *a = add(m, "npu", strcmp(driver, "rocket") == 0 ? "Rockchip" : "", name, strchr(at, ':') ? "pcie" : "soc", at);
        if (!a)
            break;
        say(a->driver, sizeof(a->driver), driver);
        snprintf(a->device, sizeof(a->device), "/dev/accel/%.32s", names.name[i]);
        say(a->state, sizeof(a->state), "ready");
        check_node(r, a);
    }
    hw_names_free(&names);
    hw_list(r, &names, "sys/class/devfreq"); /* Rockchip's own driver: "fdab0000.npu" */
    for (int i = 0; i < names.n && i < 64; i++) {
        const size_t n = strlen(names.name[i]);
        if (n < 4 || strcmp(names.name[i] + n - 4, ".npu") != 0)
            continue;
        struct hw_accelerator *a = add(m, "npu", strcmp(m->board.family, "rockchip") == 0 ? "Rockchip" : "", "NPU", "soc", names.name[i]);
        if (!a)
            break;
        if (hw_link_name(r, driver, sizeof(driver), "sys/class/devfreq/%s/device/driver", names.name[i]))
            say(a->driver, sizeof(a->driver), driver);
        say(a->state, sizeof(a->state), "ready");
    }
    hw_names_free(&names);
    hw_list(r, &names, "sys/bus/platform/devices"); /* Jetson: "15880000.nvdla0" */
    for (int i = 0; i < names.n; i++)
        if (strstr(names.name[i], ".nvdla")) {
            struct hw_accelerator *a = add(m, "dla", "NVIDIA", "NVIDIA DLA", "soc", names.name[i]);
            if (a)
                say(a->state, sizeof(a->state), "ready");
        }
    hw_names_free(&names);
}

static void scan_usb(const struct hw_root *r, struct hw_machine *m)
{
    struct hw_names names;
    hw_list(r, &names, "sys/bus/usb/devices");
    for (int i = 0; i < names.n && i < 1024; i++) {
        char text[16], product[16];
        if (strchr(names.name[i], ':') || !hw_read(r, text, sizeof(text), "sys/bus/usb/devices/%s/idVendor", names.name[i])
            || !hw_read(r, product, sizeof(product), "sys/bus/usb/devices/%s/idProduct", names.name[i]))
            continue;
        const struct hw_id *id = hw_id_find(HW_BUS_USB, (uint32_t)strtoul(text, NULL, 16), (uint32_t)strtoul(product, NULL, 16));
        struct hw_accelerator *a = id ? add(m, id->kind, vendor_of(id->vendor), id->name, "usb", names.name[i]) : NULL;
        int64_t mbitps, bus, number;
        if (!a)
            continue;
        a->vendor_id = id->vendor, a->device_id = id->device;
        say(a->state, sizeof(a->state), id->vendor == 0x1a6e || id->device == 0x2485 ? "not booted" : "ready");
        if (hw_read_i64(r, &mbitps, "sys/bus/usb/devices/%s/speed", names.name[i]) && mbitps > 0 && mbitps < 1000000)
            snprintf(a->link, sizeof(a->link), mbitps >= 1000 ? "USB 3 (%d Gbit/s)" : "USB 2 (%d Mbit/s)", (int)(mbitps >= 1000 ? mbitps / 1000 : mbitps));
        if (hw_read_i64(r, &bus, "sys/bus/usb/devices/%s/busnum", names.name[i]) && hw_read_i64(r, &number, "sys/bus/usb/devices/%s/devnum", names.name[i])
            && bus > 0 && bus < 1000 && number > 0 && number < 1000)
            snprintf(a->device, sizeof(a->device), "/dev/bus/usb/%03d/%03d", (int)bus, (int)number);
        check_node(r, a);
    }
    hw_names_free(&names);
}

bool hw_detect_accelerators(const struct hw_root *r, struct hw_machine *m)
{
    scan_pci(r, m);
    scan_soc(r, m);
    scan_usb(r, m);
    return m->n_accelerators > 0;
}
