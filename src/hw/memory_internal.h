/* hw/memory_internal.h - what the files of memory detection share. */
#ifndef TUTTI_HW_MEMORY_INTERNAL_H
#define TUTTI_HW_MEMORY_INTERNAL_H
#include "hw/machine.h"

/* Slots and modules from SMBIOS (root) or EDAC; type, rate, channels and theoretical bandwidth (memory_modules.c). */
void memory_read_modules(const struct hw_root *r, struct hw_machine *m);
/* The SMBIOS structure table (DSP0134): fills modules, ecc.  Any bytes are fine.  memory_dmi.c */
void memory_read_dmi(const uint8_t *table, size_t n, struct hw_machine *m);
#endif
