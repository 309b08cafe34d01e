/* advise/bandwidth.h - the memory bandwidth that a detected machine could have at most.
 *
 * For:     `tutti detect`, fit, doctor.
 * Callers: cmd/, advise/.
 * Touches: the catalog.
 * Rule:    theoretical = min(RAM, fabric).  RAM: channels x width x rate when the machine says them (DMI), else the most that
 *          the catalog's CPU or board supports ("up to"), which is marked.  Fabric: AMD's chiplets read
 *          n_ccds x links x 32 B x fabric clock (platform table).  In a virtual machine nothing is known.
 */
#ifndef TUTTI_ADVISE_BANDWIDTH_H
#define TUTTI_ADVISE_BANDWIDTH_H
#include "catalog/catalog.h"
#include "hw/machine.h"

struct advise_bandwidth {       /* bytes per second; 0: unknown */
    double ram_bps, fabric_bps, theoretical_bps;
    char kind[12];              /* "detected" (this machine's modules), "catalog" (the part's maximum), "" unknown */
    char source[160];           /* how: "2 x 64 bit x 5600 MT/s (dmi)", "Ryzen 9 7950X: 83.2 GB/s at most (source, date)" */
};

/* The catalog's row for this machine's CPU or board, borrowed from the catalog; NULL: it has none. */
const struct catalog_row *advise_machine_row(struct catalog *c, const struct hw_machine *m);
void advise_bandwidth(struct catalog *c, const struct hw_machine *m, struct advise_bandwidth *out);
#endif
