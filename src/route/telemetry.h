/* route/telemetry.h - how this machine fares now: heat, power, battery, memory, load; one cheap snapshot.
 *
 * For:     governor.h (steps down by it), router.c and `tutti route` (struct route_node), metrics.
 * Callers: route/, serve/, cmd/, tests.
 * Touches: NVIDIA's library through a process, when wanted; files of /sys and /proc below a root, found once by hw/'s detectors and kept open: a snapshot takes some 20 us for each
 *          sensor, no allocation, at most 1 ms on any machine seen.  What vanished is looked for again once a minute (that allocates).
 * Thread:  one at a time; a sick driver can make a read hang, so the service reads on a thread of its own (steward.h).
 * Rule:    what is not there is NAN, and nothing is estimated.  The root may change while it is being read: rehearsals do that
 *          (tests/route/fake_sys.h).
 */
#ifndef TUTTI_ROUTE_TELEMETRY_H
#define TUTTI_ROUTE_TELEMETRY_H
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "hw/root.h"
#include "route/candidate.h"

/* bit, word: what slows the machine down at this moment */
#define TELEMETRY_SLOW(X)                                        \
    X(HEAT, "heat")                                              \
    X(VOLTAGE, "weak supply")                                    \
    X(CAPPED, "clock capped")                                    \
    X(GPU, "gpu")
enum telemetry_slow_index {
#define X(id, word) TELEMETRY_SLOW_INDEX_##id,
    TELEMETRY_SLOW(X)
#undef X
        TELEMETRY_SLOW_COUNT
};
enum telemetry_slow {
#define X(id, word) TELEMETRY_SLOW_##id = 1 << TELEMETRY_SLOW_INDEX_##id,
    TELEMETRY_SLOW(X)
#undef X
};

struct telemetry {
    uint64_t at_ns;           /* the caller's clock */
    /* heat: of the sensor with the least headroom, drives apart */
    float temperature_c;
    float limit_c;            /* where it slows down: its passive trip point, or what is known of the board */
    float critical_c;         /* where it switches off */
    float headroom_c;         /* limit - temperature */
    char sensor[48];          /* its name; "" */
    unsigned slow;            /* bits of enum telemetry_slow */
    uint64_t slow_events;     /* cores slowed by heat, since boot (x86) */
    /* power */
    float power_w;            /* of the best meter: the board's, else the CPU's */
    float power_limit_w;      /* its cap */
    float battery_frac;       /* 0..1; NAN: has none */
    float battery_w;          /* drawn from it; NAN */
    bool on_battery;
    /* memory, with the limits of our control groups */
    float memory_total_bytes, memory_free_bytes;
    float pressure_frac;      /* PSI memory "some", mean of 10 s */
    float stall_frac;         /* ... "full" */
    /* load */
    float busy_frac;          /* CPU since the last snapshot, 0..1 of all cores; NAN at the first */
    float cpu_pressure_frac;  /* PSI cpu "some" */
    /* GPUs, and accelerators that have a thermometer */
    float gpu_temperature_c, gpu_headroom_c; /* of the one with the least */
    float gpu_busy_frac;
    float gpu_memory_total_bytes, gpu_memory_free_bytes; /* of the one with the least free share */
    float gpu_power_w, gpu_power_limit_w; /* of all NVIDIA cards together */
};

/* One by one, for those who draw them: what the last telemetry_read() saw.  NAN: not known. */
enum { TELEMETRY_SENSORS_MAX = 24, TELEMETRY_GPUS_MAX = 20 };
struct telemetry_parts {
    struct {
        char name[48];
        float temperature_c, limit_c;
        bool is_accelerator;
    } sensors[TELEMETRY_SENSORS_MAX];
    int n_sensors;
    struct {
        char name[16];        /* "nvidia0" in NVML's order, "amdgpu0", "jetson" */
        float temperature_c, power_w, power_limit_w, busy_frac;
        float memory_bytes, memory_used_bytes;
        bool is_lost;
    } gpus[TELEMETRY_GPUS_MAX];
    int n_gpus;
};

struct telemetry_source;
struct gpu_watch;

/* root: as hw_root_open() takes it: "" is this machine, a folder with proc/ and sys/, a recording.  The caller owns the result; NULL with err. */
struct telemetry_source *telemetry_open(const char *root, struct err *err);
/* The same of a root that is open, which it takes over, also when it fails: a machine held in memory. */
struct telemetry_source *telemetry_open_root(struct hw_root *root, struct err *err);
void telemetry_close(struct telemetry_source *s); /* NULL is fine */
/* NVIDIA's cards tell their library alone.  shall: a process reads it from now on (hw/gpu_watch.h; a snapshot takes 0.1 s more at most),
 * on this machine, while it has NVIDIA's driver.  false, as at first: nobody asks, and after a minute the process goes. */
void telemetry_ask_gpus(struct telemetry_source *s, bool shall);
/* Instead of this machine's, while the root has a driver: rehearsals.  Takes it over. */
void telemetry_set_watch(struct telemetry_source *s, struct gpu_watch *w);
/* Of a moment of which nothing is known. */
struct telemetry telemetry_unknown(void);
/* now_ns: any clock that does not go back.  Always gives a snapshot, of what can be read. */
void telemetry_read(struct telemetry_source *s, uint64_t now_ns, struct telemetry *out);
void telemetry_get_parts(const struct telemetry_source *s, struct telemetry_parts *out);

/* What joules are of: "RAPL, CPU packages", "hwmon power of ina3221"; NULL: no meter. */
const char *telemetry_meter(const struct telemetry_source *s);
/* Since telemetry_open(), never going back; NAN without a meter. */
double telemetry_joules(struct telemetry_source *s, uint64_t now_ns);

/* The telemetry fields of a node; the others stay. */
void telemetry_to_node(const struct telemetry *t, struct route_node *node);
/* "heat, weak supply"; "" nothing. */
void telemetry_put_slow(unsigned slow, char *out, size_t max);
#endif
