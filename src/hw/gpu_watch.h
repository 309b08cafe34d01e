/* hw/gpu_watch.h - how NVIDIA's cards fare now, again and again, whatever the driver does to who asks it.
 *
 * For:     route/telemetry.c.
 * Callers: route/ (gpu_watch_*), cmd/ (gpu_watch_main: the process), tests.
 * Touches: one process of ours that loads NVML once (gpu_nvml.c) and answers one struct for each question on a socket.
 * Thread:  one at a time; the process ends with the thread that asked first (proc/child.h).
 * Rule:    a call takes wait_ms at most.  Who does not answer in time is killed, what is known is forgotten, and it is tried again after
 *          10 s, 20 s, ... 10 minutes; never while the old process still hangs in the kernel, so they do not pile up.
 *          NVML's process is our program once more, not a fork of us: it keeps nothing of our memory.
 *
 *          none --ask--> starting --answer--> up --no answer, crash--> dying --gone and the pause over--> none
 *                           |                  |--not asked for a minute----> dying, without a pause
 *                           +--20 s------------------------------------> dying
 */
#ifndef TUTTI_HW_GPU_WATCH_H
#define TUTTI_HW_GPU_WATCH_H
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum { GPU_WATCH_MAX = 16 }; /* cards; more are not asked */

/* bit, word for people; the first that holds is said */
#define GPU_SLOW(X)                                                                                                        \
    X(HEAT, "heat")                                                                                                        \
    X(BRAKE, "power brake")                                                                                                \
    X(HARDWARE, "hardware slowdown")                                                                                       \
    X(POWER, "power limit")
enum gpu_slow_index {
#define X(id, word) GPU_SLOW_INDEX_##id,
    GPU_SLOW(X)
#undef X
        GPU_SLOW_COUNT
};
enum gpu_slow {
#define X(id, word) GPU_SLOW_##id = 1 << GPU_SLOW_INDEX_##id,
    GPU_SLOW(X)
#undef X
};

struct gpu_now { /* NAN: not known */
    float temperature_c, slowdown_c;   /* where it slows down */
    float power_w, power_limit_w;
    float busy_frac;                   /* 0..1 */
    double memory_total_bytes, memory_used_bytes; /* its own */
    unsigned slow;                     /* bits of enum gpu_slow */
    bool knows_slow;                   /* slow was said */
    bool is_lost;                      /* fallen off the bus */
    bool is_unified;                   /* has no memory of its own */
};

struct gpu_watch_spec { /* 0 or NULL: as said */
    const char *program; /* CHILD_SELF; is run as: gpu-watch LIBRARY */
    const char *library; /* "libnvidia-ml.so.1"; borrowed, as program */
    int wait_ms;         /* 100 */
};

struct gpu_watch;
struct gpu_watch *gpu_watch_new(const struct gpu_watch_spec *spec, struct err *err); /* starts nothing.  NULL with err: no memory */
void gpu_watch_free(struct gpu_watch *w); /* NULL is fine; kills the process */
/* Asks.  The number of cards; -1: nothing is known now.  An answer that came too late for the last call counts for three seconds.
 * now_ns: any clock that does not go back. */
int gpu_watch_read(struct gpu_watch *w, uint64_t now_ns, struct gpu_now gpus[GPU_WATCH_MAX]);
/* Nobody wants to know: lets the process go when it has not been asked for a minute, so that the card can sleep. */
void gpu_watch_rest(struct gpu_watch *w, uint64_t now_ns);
int gpu_watch_pid(const struct gpu_watch *w); /* of the process; 0: there is none */

/* What the process does; its descriptor 0 is the socket.  Returns its exit status: 0, or 1 when there is no NVML. */
int gpu_watch_main(const char *library);

/* The messages between them. */
struct gpu_watch_answer {
    uint32_t question; /* the number that was asked */
    int32_t n;
    struct gpu_now gpus[GPU_WATCH_MAX];
};
#endif
