/* hw/pci.c - see pci.h. */
#include "hw/pci.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One line "KEY=value" of a uevent text. */
static bool find_key(const char *text, const char *key, char *value, size_t size)
{
    const size_t n = strlen(key);
    for (const char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
        if (strncmp(line, key, n) == 0 && line[n] == '=') {
            snprintf(value, size, "%.*s", (int)strcspn(line + n + 1, "\n"), line + n + 1);
            return true;
        }
    return false;
}

static uint32_t read_hex(const struct hw_root *r, const char *address, const char *file)
{
    int64_t value;
    return hw_read_i64(r, &value, "sys/bus/pci/devices/%s/%s", address, file) && value >= 0 && value <= 0xffffff ? (uint32_t)value : 0;
}

static void read_device(const struct hw_root *r, const char *address, struct hw_pci *d)
{
    char text[1024], value[64];
    memset(d, 0, sizeof(*d));
    snprintf(d->address, sizeof(d->address), "%.*s", (int)sizeof(d->address) - 1, address);
    hw_read(r, text, sizeof(text), "sys/bus/pci/devices/%s/uevent", address);
    if (find_key(text, "PCI_ID", value, sizeof(value)))
        sscanf(value, "%4x:%4x", &d->vendor, &d->device);
    if (find_key(text, "PCI_SUBSYS_ID", value, sizeof(value)))
        sscanf(value, "%4x:%4x", &d->subvendor, &d->subdevice);
    if (find_key(text, "PCI_CLASS", value, sizeof(value)))
        d->class_code = (uint32_t)strtoul(value, NULL, 16) & 0xffffff;
    if (find_key(text, "DRIVER", value, sizeof(value)))
        snprintf(d->driver, sizeof(d->driver), "%.31s", value);
    if (!d->vendor) {
        d->vendor = read_hex(r, address, "vendor");
        d->device = read_hex(r, address, "device");
        d->subvendor = read_hex(r, address, "subsystem_vendor");
        d->subdevice = read_hex(r, address, "subsystem_device");
    }
    if (!d->class_code)
        d->class_code = read_hex(r, address, "class");
    if (!d->driver[0])
        hw_link_name(r, d->driver, sizeof(d->driver), "sys/bus/pci/devices/%s/driver", address);
}

/* Lines of /proc/bus/pci/devices begin "0010\t80eebeef\t": bus and function, vendor and device. */
static int scan_proc(const struct hw_root *r, struct hw_pci *devices, int max)
{
    int n = 0;
    char *text = hw_read_all(r, 256 << 10, NULL, "proc/bus/pci/devices");
    for (char *line = text; line && n < max; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        unsigned where, vendor, device;
        int end = 0;
        if (sscanf(line, "%4x %4x%4x%n", &where, &vendor, &device, &end) != 3 || !end)
            continue;
        struct hw_pci *d = &devices[n++];
        memset(d, 0, sizeof(*d));
        snprintf(d->address, sizeof(d->address), "0000:%02x:%02x.%x", (where >> 8) & 0xff, (where >> 3) & 0x1f, where & 7);
        d->vendor = vendor;
        d->device = device;
    }
    free(text);
    return n;
}

int hw_pci_scan(const struct hw_root *r, struct hw_pci *devices, int max)
{
    struct hw_names names;
    int n = 0;
    hw_list(r, &names, "sys/bus/pci/devices");
    for (int i = 0; i < names.n && n < max; i++)
        if (strchr(names.name[i], ':') && strlen(names.name[i]) < sizeof(devices->address))
            read_device(r, names.name[i], &devices[n++]);
    hw_names_free(&names);
    return n > 0 ? n : scan_proc(r, devices, max);
}

int hw_pci_gen(const char *speed)
{
    static const double gts[] = { 2.5, 5, 8, 16, 32, 64 };
    const double value = strtod(speed, NULL);
    for (int i = 0; i < 6; i++)
        if (value > gts[i] * 0.99 && value < gts[i] * 1.01)
            return i + 1;
    return 0;
}

static int read_gen(const struct hw_root *r, const char *folder, const char *file)
{
    char text[48];
    return hw_read(r, text, sizeof(text), "%s/%s", folder, file) ? hw_pci_gen(text) : 0;
}

static int read_width(const struct hw_root *r, const char *folder, const char *file)
{
    int64_t value;
    return hw_read_i64(r, &value, "%s/%s", folder, file) && value > 0 && value <= 32 ? (int)value : 0;
}

struct hw_pci_link hw_pci_link(const struct hw_root *r, const char *address)
{
    char folder[HW_PATH_BYTES_MAX];
    int64_t vendor, above, class_code;
    if (!hw_resolve(r, folder, sizeof(folder), "sys/bus/pci/devices/%s", address))
        snprintf(folder, sizeof(folder), "sys/bus/pci/devices/%.64s", address);
    for (int step = 0; step < 2; step++) { /* the switch on the card: its inner port, then its outer one */
        char *slash = strrchr(folder, '/');
        if (!slash || !hw_read_i64(r, &vendor, "%s/vendor", folder))
            break;
        *slash = '\0';
        const char *name = strrchr(folder, '/');
        unsigned domain, bus;
        const bool is_card = name && sscanf(name, "/%x:%x:", &domain, &bus) == 2 && bus > 0 /* bus 0: the machine's own port */
                             && hw_read_i64(r, &above, "%s/vendor", folder) && above == vendor
                             && hw_read_i64(r, &class_code, "%s/class", folder) && class_code >> 8 == 0x604;
        if (!is_card) {
            *slash = '/';
            break;
        }
    }
    return (struct hw_pci_link){ read_gen(r, folder, "current_link_speed"), read_gen(r, folder, "max_link_speed"),
                                 read_width(r, folder, "current_link_width"), read_width(r, folder, "max_link_width") };
}

int hw_pci_numa_node(const struct hw_root *r, const char *address)
{
    int64_t node;
    return hw_read_i64(r, &node, "sys/bus/pci/devices/%s/numa_node", address) && node >= 0 && node < 4096 ? (int)node : -1;
}

void hw_pci_address(char *to, size_t size, const char *from)
{
    unsigned domain, bus, slot, function;
    if (sscanf(from, "%x:%x:%x.%x", &domain, &bus, &slot, &function) == 4)
        snprintf(to, size, "%04x:%02x:%02x.%x", domain, bus & 0xff, slot & 0x1f, function & 7);
    else
        snprintf(to, size, "%s", "");
}
