/* advise/device.h - devices as plan/ wants them: a row of the catalog, what a user writes, this machine.
 *
 * For:     `tutti fit`, detect's summary, recommend.
 * Touches: the catalog that it is given.
 * Rule:    every figure carries where it is from (plan_device.source); what nobody says stays 0.
 */
#ifndef TUTTI_ADVISE_DEVICE_H
#define TUTTI_ADVISE_DEVICE_H
#include "catalog/catalog.h"
#include "hw/machine.h"
#include "plan/device.h"

struct device {
    struct plan_device plan;
    const struct catalog_row *row; /* borrowed; NULL: nothing in the catalog */
    char steps[1000];              /* how bandwidth and peak were reckoned, lines for people; "" */
    uint64_t host_bytes;           /* main memory beside a card: detected, or given as ram=; 0: not known */
    double host_bw_gbps;           /* its bandwidth; 0: not known */
};

/* A row of gpu, cpu, soc, accelerator, phone or machine.  false with err: it has no class, or no memory figures. */
bool device_of_row(struct device *d, struct catalog *c, const struct catalog_row *row, struct err *err);
/* What people write: NAME[,key=value...], "2x NAME": "rtx 4090", "2x rtx 3090,ram=128", "epyc 9354,channels=8,mts=4800", or a class with
 * figures of its own: "nvidia,bw=1500,mem=32,tflops=300".  device_spec_help lists the keys. */
bool device_of_spec(struct device *d, struct catalog *c, const char *text, struct err *err);
extern const char device_spec_help[];

/* The machine's devices, best first: cards and unified GPUs, then its CPU (always the last).  At least 1, at most max. */
int devices_of_machine(struct device *d, int max, struct catalog *c, const struct hw_machine *m);

/* The usual runtime for a class: "llama.cpp CUDA", ...; on a CPU our own engine. */
const char *device_runtime(enum plan_class cls);
/* n of it, their layers split; its name becomes "2x ...".  n below 2: as it is. */
void device_times(struct device *d, int n);
#endif
