/* plan/device.h - a device as formulas see it: memory, rates, watts, price, and where each figure is from.
 *
 * For:     speed, memory, money, recommend; filled by advise/device.h from the catalog or this machine.
 * Touches: nothing.
 * Rule:    not known is 0 and its source PLAN_UNKNOWN.  Rates are peaks as the maker states them, dense, of one
 *          device; n_devices equal ones may work together.
 */
#ifndef TUTTI_PLAN_DEVICE_H
#define TUTTI_PLAN_DEVICE_H
#include <stdbool.h>
#include <stdint.h>

/* name in files and --json, name for people.  ORDER PLAN_CLASS */
#define PLAN_CLASSES(X)                    \
    X(NVIDIA, "nvidia", "NVIDIA GPU")      \
    X(AMD, "amd", "AMD GPU")               \
    X(INTEL, "intel-gpu", "Intel GPU")     \
    X(APPLE, "apple", "Apple GPU")         \
    X(CPU, "cpu", "CPU")                   \
    X(SOC, "soc", "board or phone")        \
    X(JETSON, "jetson", "Jetson")          \
    X(NPU, "npu", "NPU")

enum plan_class {
#define X(id, name, people) PLAN_##id,
    PLAN_CLASSES(X)
#undef X
        PLAN_CLASS_COUNT
};
const char *plan_class_name(enum plan_class c);
const char *plan_class_people(enum plan_class c);
/* false when no class has that name. */
bool plan_class_parse(const char *name, enum plan_class *out);

/* Where a figure is from.  ORDER PLAN_SOURCE */
enum plan_source {
    PLAN_UNKNOWN, PLAN_CATALOG, /* a row of data/, with source and date */
    PLAN_DETECTED,              /* this machine says so */
    PLAN_MEASURED,              /* this machine was measured */
    PLAN_DERIVED,               /* computed from other figures of the same device */
    PLAN_GIVEN,                 /* the user said so */
    PLAN_SOURCE_COUNT
};
const char *plan_source_name(enum plan_source s); /* "unknown", "catalog", ... */

enum plan_figure { PLAN_FIG_MEM, PLAN_FIG_BW, PLAN_FIG_FP16, PLAN_FIG_FP32, PLAN_FIG_INT8, PLAN_FIG_CORES, PLAN_FIG_LOAD_W, PLAN_FIG_IDLE_W,
                   PLAN_FIG_PRICE, PLAN_FIG_LINK, PLAN_FIG_COUNT };

struct plan_device {
    enum plan_class cls;
    char name[96];          /* as the catalog writes it */
    char runtime[48];       /* the best supported runtime here: "llama.cpp CUDA"; "" : the class's usual one */
    int year;               /* of launch */
    int n_devices;          /* >= 1: equal devices that share the layers */
    bool is_unified;        /* its memory is the machine's memory (Apple, APU, Jetson, CPU) */
    bool is_phone;          /* the system lets an app have some 60 % of the memory */
    uint64_t mem_bytes;     /* of one device */
    uint64_t mem_free_bytes; /* detected: what is free now */
    double bw_gbps;         /* GB/s, peak, of one device */
    double fp16_tflops, fp32_tflops, int8_tops; /* dense */
    int cores;              /* physical CPU cores; 0 for others */
    double load_w, idle_w;  /* of the device alone */
    double price_usd;
    char price_date[12];    /* yyyy-mm or yyyy-mm-dd */
    double link_gbps;       /* GB/s host to device: PCIe, Thunderbolt; 0 for unified memory */
    enum plan_source source[PLAN_FIG_COUNT];
    /* what a bench of this very machine said: measured / predicted; 1 when nothing was measured */
    double pp_correction, tg_correction;
};
#endif
