/* hw/pci.h - the PCI devices of a machine, as sysfs or /proc/bus/pci lists them.
 *
 * For:     hw/gpu.c, hw/accel.c, hw/disk.c.
 * Touches: what hw/root.h touches.
 */
#ifndef TUTTI_HW_PCI_H
#define TUTTI_HW_PCI_H
#include <stdbool.h>
#include <stdint.h>

#include "hw/root.h"

enum { HW_PCI_MAX = 1024 };
struct hw_pci {
    char address[24];          /* "0000:01:00.0" */
    uint32_t vendor, device, subvendor, subdevice;
    uint32_t class_code;       /* 0x030000 = VGA; 0 unknown */
    char driver[32];           /* "" none bound or not known */
};

/* Fills at most max; returns how many.  Devices whose vendor is unreadable are listed with vendor 0. */
int hw_pci_scan(const struct hw_root *r, struct hw_pci *devices, int max);

struct hw_pci_link {
    int gen, gen_max, width, width_max; /* 0 unknown; gen drops while a device idles */
};
/* The link that a card's data takes: behind switches of the card's own vendor (AMD and Intel put one on the card, whose inner
 * links say nothing), the outermost one. */
struct hw_pci_link hw_pci_link(const struct hw_root *r, const char *address);
/* "16.0 GT/s PCIe" -> 4; 0 for what is no rate of PCIe. */
int hw_pci_gen(const char *speed);
int hw_pci_numa_node(const struct hw_root *r, const char *address); /* -1 unknown */
/* "00000000:0A:00.0" -> "0000:0a:00.0", as sysfs writes it. */
void hw_pci_address(char *to, size_t size, const char *from);
#endif
