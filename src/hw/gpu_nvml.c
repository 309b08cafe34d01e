/* hw/gpu_nvml.c - NVIDIA GPUs through NVML, the library that comes with the driver, loaded at run time.
 *
 * Its functions and structs are declared here after NVML's API reference (docs.nvidia.com/deploy/nvml-api); the _v2 entry
 * points are the ones that the library keeps stable.  A driver without one of them tells a little less.
 * Start reading at nvml_ask() (once, for detect) or gpu_watch_main() (again and again, for telemetry).
 * Touches: libnvidia-ml.so.1, in a child process: a wedged driver hangs nvmlInit() for ever.
 */
#include <dlfcn.h>
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hw/gpu_internal.h"
#include "hw/gpu_watch.h"
#include "hw/pci.h"
#include "proc/ask.h"

typedef struct nvml_device_opaque *nvml_device;
struct nvml_memory { unsigned long long total, free, used; };
struct nvml_utilization { unsigned gpu, memory; }; /* percent */
struct nvml_pci {
    char legacy_id[16];
    unsigned domain, bus, device, device_id /* device << 16 | vendor */, subsystem_id;
    char id[32];
};
enum { NVML_OK = 0, NVML_NOT_SUPPORTED = 3, NVML_GPU_IS_LOST = 15, NVML_CLOCK_SM = 1, NVML_CLOCK_MEM = 2, NVML_TEMPERATURE_GPU = 0, NVML_THRESHOLD_SLOWDOWN = 1 };
enum { /* nvmlClocksThrottleReasons */
    NVML_SLOW_POWER_CAP = 0x4, NVML_SLOW_HW = 0x8, NVML_SLOW_HEAT = 0x20, NVML_SLOW_HW_HEAT = 0x40, NVML_SLOW_BRAKE = 0x80,
};

/* ORDER NVML: name in the library, field, arguments. */
#define NVML_CALLS(X)                                                                              \
    X("nvmlInit_v2", init, (void))                                                                 \
    X("nvmlDeviceGetCount_v2", count, (unsigned *))                                                \
    X("nvmlDeviceGetHandleByIndex_v2", handle, (unsigned, nvml_device *))                          \
    X("nvmlSystemGetDriverVersion", driver, (char *, unsigned))                                    \
    X("nvmlSystemGetCudaDriverVersion_v2", cuda, (int *))                                          \
    X("nvmlDeviceGetName", name, (nvml_device, char *, unsigned))                                  \
    X("nvmlDeviceGetPciInfo_v3", pci, (nvml_device, struct nvml_pci *))                            \
    X("nvmlDeviceGetMemoryInfo", memory, (nvml_device, struct nvml_memory *))                      \
    X("nvmlDeviceGetCudaComputeCapability", capability, (nvml_device, int *, int *))               \
    X("nvmlDeviceGetVbiosVersion", vbios, (nvml_device, char *, unsigned))                         \
    X("nvmlDeviceGetPowerManagementLimit", power_limit, (nvml_device, unsigned *))                 \
    X("nvmlDeviceGetPowerManagementDefaultLimit", power_default, (nvml_device, unsigned *))        \
    X("nvmlDeviceGetPowerManagementLimitConstraints", power_range, (nvml_device, unsigned *, unsigned *)) \
    X("nvmlDeviceGetPowerUsage", power_draw, (nvml_device, unsigned *))                            \
    X("nvmlDeviceGetTemperature", temperature, (nvml_device, int, unsigned *))                     \
    X("nvmlDeviceGetTemperatureThreshold", threshold, (nvml_device, int, unsigned *))              \
    X("nvmlDeviceGetUtilizationRates", utilization, (nvml_device, struct nvml_utilization *))      \
    X("nvmlDeviceGetCurrPcieLinkGeneration", link_gen, (nvml_device, unsigned *))                  \
    X("nvmlDeviceGetMaxPcieLinkGeneration", link_gen_max, (nvml_device, unsigned *))               \
    X("nvmlDeviceGetCurrPcieLinkWidth", link_width, (nvml_device, unsigned *))                     \
    X("nvmlDeviceGetMaxPcieLinkWidth", link_width_max, (nvml_device, unsigned *))                  \
    X("nvmlDeviceGetClockInfo", clock, (nvml_device, int, unsigned *))                             \
    X("nvmlDeviceGetMaxClockInfo", clock_max, (nvml_device, int, unsigned *))                      \
    X("nvmlDeviceGetPersistenceMode", persistence, (nvml_device, unsigned *))                      \
    X("nvmlDeviceGetEccMode", ecc, (nvml_device, unsigned *, unsigned *))                          \
    X("nvmlDeviceGetCurrentClocksThrottleReasons", throttle, (nvml_device, unsigned long long *))  \
    X("nvmlDeviceGetMigMode", mig, (nvml_device, unsigned *, unsigned *))                          \
    X("nvmlDeviceGetMaxMigDeviceCount", mig_max, (nvml_device, unsigned *))                        \
    X("nvmlDeviceGetMigDeviceHandleByIndex", mig_handle, (nvml_device, unsigned, nvml_device *))

struct nvml {
#define CALL(symbol, field, args) int(*field) args;
    NVML_CALLS(CALL)
#undef CALL
};

static bool load(const char *library, struct nvml *nv)
{
    void *lib = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    if (!lib)
        return false;
#define CALL(symbol, field, args) *(void **)&nv->field = dlsym(lib, symbol);
    NVML_CALLS(CALL)
#undef CALL
    return nv->init && nv->count && nv->handle;
}

/* Numbers that are only there when the call is and says so. */
static unsigned ask(int (*call)(nvml_device, unsigned *), nvml_device d)
{
    unsigned value = 0;
    return call && call(d, &value) == NVML_OK ? value : 0;
}
static double ask_w(int (*call)(nvml_device, unsigned *), nvml_device d) { return ask(call, d) / 1000.0; } /* mW */
static int ask_small(int (*call)(nvml_device, unsigned *), nvml_device d)
{
    const unsigned value = ask(call, d);
    return value <= 64 ? (int)value : 0;
}
static int ask_clock(int (*call)(nvml_device, int, unsigned *), nvml_device d, int which)
{
    unsigned mhz = 0;
    return call && call(d, which, &mhz) == NVML_OK && mhz < 100000 ? (int)mhz : 0;
}

/* What changes from moment to moment.  clears *now first. */
static void ask_now(const struct nvml *nv, nvml_device d, struct gpu_now *now)
{
    *now = (struct gpu_now){ .temperature_c = NAN, .slowdown_c = NAN, .power_w = NAN, .power_limit_w = NAN, .busy_frac = NAN,
                             .memory_total_bytes = NAN, .memory_used_bytes = NAN };
    unsigned celsius = 0;
    const int how_hot = nv->temperature ? nv->temperature(d, NVML_TEMPERATURE_GPU, &celsius) : -1;
    if (how_hot == NVML_OK && celsius < 200)
        now->temperature_c = (float)celsius;
    now->is_lost = how_hot == NVML_GPU_IS_LOST;
    if (nv->threshold && nv->threshold(d, NVML_THRESHOLD_SLOWDOWN, &celsius) == NVML_OK && celsius > 0 && celsius < 200)
        now->slowdown_c = (float)celsius;
    unsigned mw = 0;
    if (nv->power_draw && nv->power_draw(d, &mw) == NVML_OK)
        now->power_w = (float)mw / 1000;
    if (nv->power_limit && nv->power_limit(d, &mw) == NVML_OK && mw > 0)
        now->power_limit_w = (float)mw / 1000;
    struct nvml_utilization use = { 0 };
    if (nv->utilization && nv->utilization(d, &use) == NVML_OK && use.gpu <= 100)
        now->busy_frac = (float)use.gpu / 100;
    struct nvml_memory memory = { 0 };
    const int how = nv->memory ? nv->memory(d, &memory) : -1;
    if (how == NVML_OK && memory.total > 0 && memory.total < 1ull << 50) {
        now->memory_total_bytes = (double)memory.total;
        now->memory_used_bytes = memory.used <= memory.total ? (double)memory.used : 0;
    }
    now->is_unified = how == NVML_NOT_SUPPORTED; /* GB10, Tegra: the GPU has no memory of its own */
    unsigned long long why = 0;
    now->knows_slow = nv->throttle && nv->throttle(d, &why) == NVML_OK;
    now->slow = (why & (NVML_SLOW_HEAT | NVML_SLOW_HW_HEAT) ? GPU_SLOW_HEAT : 0u) | (why & NVML_SLOW_BRAKE ? GPU_SLOW_BRAKE : 0u) |
                (why & NVML_SLOW_HW ? GPU_SLOW_HARDWARE : 0u) | (why & NVML_SLOW_POWER_CAP ? GPU_SLOW_POWER : 0u);
}

static double or_0(double v) { return isnan(v) ? 0 : v; }

/* The same for detect, where 0 means not known. */
static void fill_now(const struct nvml *nv, nvml_device d, struct hw_gpu *g)
{
    static const char *const words[] = {
#define X(id, word) word,
        GPU_SLOW(X)
#undef X
    };
    struct gpu_now now;
    ask_now(nv, d, &now);
    g->vram_bytes = (int64_t)or_0(now.memory_total_bytes);
    g->vram_used_bytes = (int64_t)or_0(now.memory_used_bytes);
    if (now.is_unified) {
        g->is_unified = HW_YES;
        g->kind = HW_GPU_INTEGRATED;
    }
    g->power_limit_w = or_0((double)now.power_limit_w);
    g->power_draw_w = or_0((double)now.power_w);
    g->temperature_c = or_0((double)now.temperature_c);
    g->throttled = !now.knows_slow ? HW_UNKNOWN : now.slow ? HW_YES : HW_NO;
    for (int i = GPU_SLOW_COUNT - 1; i >= 0; i--)
        if (now.slow >> i & 1)
            hw_copy(g->throttle_reason, sizeof(g->throttle_reason), words[i]);
}

static void ask_mig(const struct nvml *nv, nvml_device d, struct hw_gpu *g)
{
    unsigned now = 0, later = 0;
    if (!nv->mig || nv->mig(d, &now, &later) != NVML_OK || !now)
        return;
    const unsigned max = nv->mig_max ? ask(nv->mig_max, d) : 0;
    nvml_device part;
    for (unsigned i = 0; i < max && i < 64; i++)
        g->mig += nv->mig_handle && nv->mig_handle(d, i, &part) == NVML_OK;
}

static void ask_device(const struct nvml *nv, nvml_device d, struct hw_gpu *g)
{
    char text[128] = "";
    hw_copy(g->vendor, sizeof(g->vendor), "NVIDIA");
    if (nv->name && nv->name(d, text, sizeof(text)) == NVML_OK)
        hw_copy(g->name, sizeof(g->name), text);
    struct nvml_pci pci = { .id = "" };
    if (nv->pci && nv->pci(d, &pci) == NVML_OK) {
        pci.id[sizeof(pci.id) - 1] = '\0';
        hw_pci_address(g->pci_address, sizeof(g->pci_address), pci.id);
        g->pci_vendor = pci.device_id & 0xffff, g->pci_device = pci.device_id >> 16;
    }
    fill_now(nv, d, g);
    int major = 0, minor = 0;
    if (nv->capability && nv->capability(d, &major, &minor) == NVML_OK && major > 0 && major < 100 && minor >= 0 && minor < 10)
        g->compute_major = major, g->compute_minor = minor;
    if (nv->vbios && nv->vbios(d, text, sizeof(text)) == NVML_OK)
        hw_copy(g->vbios, sizeof(g->vbios), text);
    g->power_default_w = ask_w(nv->power_default, d);
    unsigned low = 0, high = 0;
    if (nv->power_range && nv->power_range(d, &low, &high) == NVML_OK)
        g->power_max_w = high / 1000.0;
    g->link_gen = ask_small(nv->link_gen, d), g->link_gen_max = ask_small(nv->link_gen_max, d);
    g->link_width = ask_small(nv->link_width, d), g->link_width_max = ask_small(nv->link_width_max, d);
    g->clock_mhz = ask_clock(nv->clock, d, NVML_CLOCK_SM), g->clock_max_mhz = ask_clock(nv->clock_max, d, NVML_CLOCK_SM);
    g->memory_clock_mhz = ask_clock(nv->clock_max, d, NVML_CLOCK_MEM);
    unsigned on = 0, pending = 0;
    if (nv->persistence && nv->persistence(d, &on) == NVML_OK)
        g->persistence = on ? HW_YES : HW_NO;
    if (nv->ecc && nv->ecc(d, &on, &pending) == NVML_OK)
        g->ecc = on ? HW_YES : HW_NO;
    ask_mig(nv, d, g);
}

/* In the child. */
static int ask_all(int fd, void *ctx)
{
    struct nvml nv;
    struct nvidia_answer *a = calloc(1, sizeof(*a));
    if (!a)
        return 1;
    if (!load(ctx, &nv))
        snprintf(a->why_not, sizeof(a->why_not), "no NVML (%.60s)", (const char *)ctx);
    else {
        char driver[80] = "";
        int cuda = 0;
        unsigned n = 0;
        const int started = nv.init();
        if (started != NVML_OK || nv.count(&n) != NVML_OK)
            snprintf(a->why_not, sizeof(a->why_not), "NVML does not start: its error %d", started);
        if (a->why_not[0])
            n = 0;
        if (!nv.driver || nv.driver(driver, sizeof(driver)) != NVML_OK)
            driver[0] = '\0';
        if (!nv.cuda || nv.cuda(&cuda) != NVML_OK)
            cuda = 0;
        for (unsigned i = 0; i < n && a->n < HW_GPUS_MAX; i++) {
            nvml_device d;
            if (nv.handle(i, &d) != NVML_OK)
                continue;
            struct hw_gpu *g = &a->gpus[a->n++];
            ask_device(&nv, d, g);
            hw_copy(g->driver_version, sizeof(g->driver_version), driver);
            if (cuda > 0 && cuda < 1000000)
                snprintf(g->cuda_version, sizeof(g->cuda_version), "%d.%d", cuda / 1000, cuda % 1000 / 10);
            hw_copy(g->driver, sizeof(g->driver), "nvidia");
            hw_copy(g->name_source, sizeof(g->name_source), "nvml");
        }
    }
    const char *at = (const char *)a;
    for (size_t left = sizeof(*a); left > 0;) {
        const ssize_t put = write(fd, at, left);
        if (put <= 0)
            return 1;
        at += put, left -= (size_t)put;
    }
    return 0; /* no nvmlShutdown(): the child's end does it, and it can hang */
}

bool nvml_ask(const char *library, int deadline_ms, struct nvidia_answer *a)
{
    size_t n;
    char name[256];
    snprintf(name, sizeof(name), "%s", library);
    const enum ask_end end = ask_call(ask_all, name, deadline_ms, a, sizeof(*a), &n);
    if (end == ASK_DONE && n == sizeof(*a))
        return a->why_not[0] == '\0';
    memset(a, 0, sizeof(*a));
    a->is_late = end == ASK_LATE;
    if (a->is_late)
        snprintf(a->why_not, sizeof(a->why_not), "NVML did not answer within %d ms", deadline_ms);
    else
        snprintf(a->why_not, sizeof(a->why_not), "NVML crashed");
    return false;
}

int gpu_watch_main(const char *library)
{
    static struct gpu_watch_answer a;
    static nvml_device devices[GPU_WATCH_MAX];
    struct nvml nv;
    unsigned n = 0;
    uint32_t question;
    ssize_t got;
    if (!load(library, &nv) || nv.init() != NVML_OK || nv.count(&n) != NVML_OK)
        return 1;
    for (unsigned i = 0; i < n && a.n < GPU_WATCH_MAX; i++)
        a.n += nv.handle(i, &devices[a.n]) == NVML_OK;
    while ((got = recv(0, &question, sizeof(question), 0)) != 0) { /* 0: who asks is gone */
        if (got < 0 && errno == EINTR)
            continue;
        if (got != (ssize_t)sizeof(question))
            return 1;
        for (int i = 0; i < a.n; i++)
            ask_now(&nv, devices[i], &a.gpus[i]);
        a.question = question;
        if (send(0, &a, sizeof(a), MSG_NOSIGNAL) != (ssize_t)sizeof(a))
            return 1;
    }
    return 0; /* without nvmlShutdown(), as above */
}
