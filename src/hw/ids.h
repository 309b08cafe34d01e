/* hw/ids.h - what a PCI or USB identity is: GPUs and AI accelerators only.
 *
 * For:     hw/gpu.c, hw/accel.c.
 * Touches: nothing; the table is data/ids.csv, made into C by tools/gen-ids.sh when the program is built.
 * Rule:    an identity that is not in the table is not guessed at.
 */
#ifndef TUTTI_HW_IDS_H
#define TUTTI_HW_IDS_H
#include <stddef.h>
#include <stdint.h>

enum hw_bus { HW_BUS_PCI, HW_BUS_USB };
struct hw_id {
    enum hw_bus bus;
    uint16_t vendor, device;
    const char *kind; /* "gpu", "igpu" (shares the machine's memory), "npu", "coral-usb", ...: see data/ids.csv */
    const char *name; /* "AD102 [GeForce RTX 4090]" */
    const char *note; /* what this identity says about the device's state; "" nothing */
};

/* Sorted by bus, vendor, device. */
extern const struct hw_id hw_ids[];
extern const int hw_n_ids;

const struct hw_id *hw_id_find(enum hw_bus bus, uint32_t vendor, uint32_t device); /* NULL: not in the table */

/* NVIDIA's chip families: "AD102" -> "Ada", 8.9 (developer.nvidia.com/cuda-gpus, read 2026-11-21).  NULL: not NVIDIA's or not known. */
struct hw_nvidia_chip {
    const char *prefix, *architecture;
    int compute_major, compute_minor;
};
const struct hw_nvidia_chip *hw_nvidia_chip(const char *chip);
#endif
