/* tests/route/test_nvidia.c - NVIDIA's cards in telemetry: what arrives, when the library hangs or crashes, and what the governor does.
 *
 * This program is its own libnvidia-ml (linked with -rdynamic, "" names the program itself), and, run as `gpu-watch`, the process that
 * asks it: begin_watch() below is called before main().  How the cards fare stands in a file, which the fake reads at each question. */
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "fake_sys.h"
#include "hw/gpu_watch.h"
#include "route/governor.h"
#include "test.h"

#define S(n) ((uint64_t)(n) * 1000000000u)
enum { PATIENT_MS = 20000 };
#define NEAR(a, b) CHECK(fabs((double)(a) - (double)(b)) <= 1e-3 * fabs((double)(b)) + 1e-3, #a " is %g, not %g", (double)(a), (double)(b))

/* ---- the library ---- */

enum how { WELL, HANGS, CRASHES, LOST };
struct state { int how, celsius, watts, busy, used_gib, slow; };

static struct state look(void)
{
    struct state c = { 0 };
    FILE *f = fopen(getenv("TEST_NVIDIA_CARD"), "r");
    if (!f || fscanf(f, "%d %d %d %d %d %i", &c.how, &c.celsius, &c.watts, &c.busy, &c.used_gib, (unsigned *)&c.slow) != 6)
        c.how = CRASHES;
    if (f)
        fclose(f);
    if (c.how == CRASHES)
        raise(SIGKILL);
    while (c.how == HANGS)
        pause();
    return c;
}

int nvmlInit_v2(void);
int nvmlDeviceGetCount_v2(unsigned *n);
int nvmlDeviceGetHandleByIndex_v2(unsigned i, void **d);
int nvmlDeviceGetTemperature(void *d, int which, unsigned *c);
int nvmlDeviceGetTemperatureThreshold(void *d, int which, unsigned *c);
int nvmlDeviceGetPowerUsage(void *d, unsigned *mw);
int nvmlDeviceGetPowerManagementLimit(void *d, unsigned *mw);
int nvmlDeviceGetUtilizationRates(void *d, unsigned *percent);
int nvmlDeviceGetMemoryInfo(void *d, unsigned long long *memory);
int nvmlDeviceGetCurrentClocksThrottleReasons(void *d, unsigned long long *why);

/* The first card is as the file says; the second one is cool, and cannot say much. */
static char cards[2];
static bool is_second(const void *d) { return d == (const void *)&cards[1]; }
int nvmlInit_v2(void) { return look().how == LOST ? 9 : 0; }
int nvmlDeviceGetCount_v2(unsigned *n) { return *n = 2, 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned i, void **d) { return *d = &cards[i], 0; }
int nvmlDeviceGetTemperature(void *d, int which, unsigned *c)
{
    const struct state card = look();
    (void)which;
    *c = is_second(d) ? 30 : (unsigned)card.celsius;
    return !is_second(d) && card.how == LOST ? 15 : 0;
}
int nvmlDeviceGetTemperatureThreshold(void *d, int which, unsigned *c)
{
    *c = which == 1 ? 90 : 100;
    return is_second(d) ? 3 : 0;
}
int nvmlDeviceGetPowerUsage(void *d, unsigned *mw) { return *mw = is_second(d) ? 0 : (unsigned)look().watts * 1000, is_second(d) ? 3 : 0; }
int nvmlDeviceGetPowerManagementLimit(void *d, unsigned *mw) { return *mw = 300000, is_second(d) ? 3 : 0; }
int nvmlDeviceGetUtilizationRates(void *d, unsigned *percent) { return percent[0] = (unsigned)look().busy, percent[1] = 0, is_second(d) ? 3 : 0; }
int nvmlDeviceGetMemoryInfo(void *d, unsigned long long *memory)
{
    memory[0] = 24ull << 30, memory[2] = (is_second(d) ? 0ull : (unsigned long long)look().used_gib) << 30, memory[1] = memory[0] - memory[2];
    return 0;
}
int nvmlDeviceGetCurrentClocksThrottleReasons(void *d, unsigned long long *why) { return *why = is_second(d) ? 4u : (unsigned long long)look().slow, 0; }

__attribute__((constructor)) static void begin_watch(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "gpu-watch") == 0)
        _exit(gpu_watch_main(argv[2]));
}

static void put(struct state c)
{
    const char *path = getenv("TEST_NVIDIA_CARD");
    char next[600];
    snprintf(next, sizeof(next), "%s.next", path);
    FILE *f = fopen(next, "w");
    CHECK(f && fprintf(f, "%d %d %d %d %d %d\n", c.how, c.celsius, c.watts, c.busy, c.used_gib, c.slow) > 0 && fclose(f) == 0 && rename(next, path) == 0);
}

/* ---- the tests ---- */

static void pass(void) { nanosleep(&(struct timespec){ 0, 1000000 }, NULL); }

static struct fake_sys sys;
static struct gpu_watch *watch;

/* A machine with a driver, whose cards may be asked. */
static struct telemetry_source *begin(const struct gpu_watch_spec *spec)
{
    struct err err = { 0 };
    setenv("TEST_NVIDIA_CARD", test_tmp("card"), 1);
    put((struct state){ WELL, 50, 120, 40, 6, 0 });
    fake_sys_init(&sys, "A board", 90, 100);
    fake_put(&sys, "proc/driver/nvidia/version", "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15");
    struct telemetry_source *s = telemetry_open(sys.root, &err);
    watch = gpu_watch_new(spec, &err);
    CHECK(s && watch, "%s", err.text);
    if (s && watch) {
        telemetry_set_watch(s, watch);
        telemetry_ask_gpus(s, true);
    }
    return s;
}
static const struct gpu_watch_spec patient = { .library = "", .wait_ms = PATIENT_MS }, hasty = { .library = "", .wait_ms = 1 };

TEST(what_the_cards_say_arrives)
{
    struct telemetry t;
    struct telemetry_source *s = begin(&patient);
    REQUIRE(s);
    telemetry_read(s, S(1), &t);
    NEAR(t.gpu_temperature_c, 50);
    NEAR(t.gpu_headroom_c, 40); /* of the first, below its 90; the other one has 55 below what is said of any */
    NEAR(t.gpu_busy_frac, 0.4);
    NEAR(t.gpu_power_w, 120);
    NEAR(t.gpu_power_limit_w, 300);
    NEAR(t.gpu_memory_total_bytes, 24.0 * (1 << 30));
    NEAR(t.gpu_memory_free_bytes, 18.0 * (1 << 30));
    struct telemetry_parts parts;
    telemetry_get_parts(s, &parts);
    CHECK(parts.n_gpus == 2 && !parts.gpus[0].is_lost && !parts.gpus[1].is_lost);
    CHECK(t.slow == 0, "a power limit is no reason: %u", t.slow);
    const int pid = gpu_watch_pid(watch);
    put((struct state){ WELL, 84, 299, 100, 23, 0x40 });
    telemetry_read(s, S(2), &t);
    NEAR(t.gpu_headroom_c, 6);
    NEAR(t.gpu_busy_frac, 1);
    NEAR(t.gpu_memory_free_bytes, 1.0 * (1 << 30));
    CHECK(t.slow == TELEMETRY_SLOW_GPU, "%u", t.slow);
    CHECK(pid > 0 && gpu_watch_pid(watch) == pid, "one process answers all questions");
    put((struct state){ LOST, 0, 0, 0, 0, 0 });
    telemetry_read(s, S(3), &t);
    telemetry_get_parts(s, &parts);
    CHECK(parts.gpus[0].is_lost && !parts.gpus[1].is_lost);
    NEAR(t.gpu_temperature_c, 30);
    telemetry_close(s);
}

TEST(a_driver_that_hangs_costs_a_moment_and_is_tried_again_after_a_growing_pause)
{
    struct telemetry t;
    struct telemetry_source *s = begin(&patient);
    REQUIRE(s);
    telemetry_read(s, S(1), &t);
    NEAR(t.gpu_temperature_c, 50);
    put((struct state){ .how = HANGS });
    struct gpu_watch_spec spec = hasty;
    telemetry_set_watch(s, watch = gpu_watch_new(&spec, &(struct err){ 0 })); /* the former one is ended */
    const uint64_t began = clock_ns();
    telemetry_read(s, S(10), &t);
    CHECK(clock_ns() - began < S(60), "it waits for a driver that hangs");
    CHECK(isnan(t.gpu_temperature_c) && isnan(t.gpu_memory_free_bytes) && gpu_watch_pid(watch) > 0);
    NEAR(t.temperature_c, 40); /* the rest is known */
    telemetry_read(s, S(29), &t);
    CHECK(gpu_watch_pid(watch) > 0, "loading takes a while");
    telemetry_read(s, S(30), &t);
    CHECK(gpu_watch_pid(watch) == 0 && isnan(t.gpu_temperature_c), "late: left behind");
    telemetry_read(s, S(39), &t);
    CHECK(gpu_watch_pid(watch) == 0, "a pause of ten seconds");
    uint64_t now = S(40);
    for (int i = 0; i < 60000 && gpu_watch_pid(watch) == 0; i++, pass()) /* until the killed one is gone */
        telemetry_read(s, now, &t);
    CHECK(gpu_watch_pid(watch) > 0);
    telemetry_read(s, now += S(20), &t);
    CHECK(gpu_watch_pid(watch) == 0);
    telemetry_read(s, now + S(19), &t);
    CHECK(gpu_watch_pid(watch) == 0, "the second pause is longer");
    put((struct state){ WELL, 61, 100, 10, 1, 0 });
    now += S(20);
    for (int i = 0; i < 20000 && isnan(t.gpu_temperature_c); i++, pass()) /* answers that come later than a moment are taken by the next look */
        telemetry_read(s, now += 1000000, &t);
    NEAR(t.gpu_temperature_c, 61);
    telemetry_close(s);
}

TEST(a_library_that_crashes_is_missing_or_does_not_start_is_survived)
{
    struct telemetry t;
    struct telemetry_source *s = begin(&patient);
    REQUIRE(s);
    telemetry_read(s, S(1), &t);
    NEAR(t.gpu_temperature_c, 50);
    put((struct state){ .how = CRASHES });
    telemetry_read(s, S(2), &t);
    CHECK(isnan(t.gpu_temperature_c) && gpu_watch_pid(watch) == 0);
    put((struct state){ WELL, 55, 100, 10, 1, 0 });
    telemetry_read(s, S(11), &t);
    CHECK(isnan(t.gpu_temperature_c));
    for (int i = 0; i < 20000 && isnan(t.gpu_temperature_c); i++, pass())
        telemetry_read(s, S(12), &t);
    NEAR(t.gpu_temperature_c, 55);
    put((struct state){ .how = LOST });
    struct gpu_watch_spec spec = patient;
    telemetry_set_watch(s, watch = gpu_watch_new(&spec, &(struct err){ 0 }));
    telemetry_read(s, S(13), &t); /* nvmlInit() fails */
    CHECK(isnan(t.gpu_temperature_c) && gpu_watch_pid(watch) == 0);
    spec.library = "/nonexistent/libnvidia-ml.so.1";
    telemetry_set_watch(s, watch = gpu_watch_new(&spec, &(struct err){ 0 }));
    telemetry_read(s, S(14), &t);
    CHECK(isnan(t.gpu_temperature_c) && gpu_watch_pid(watch) == 0);
    spec.program = "/nonexistent/tutti";
    telemetry_set_watch(s, watch = gpu_watch_new(&spec, &(struct err){ 0 }));
    telemetry_read(s, S(15), &t);
    CHECK(isnan(t.gpu_temperature_c) && gpu_watch_pid(watch) == 0);
    telemetry_close(s);
}

TEST(there_is_no_process_without_a_driver_and_when_nobody_wants_to_know)
{
    struct telemetry t;
    struct telemetry_source *s = begin(&patient);
    REQUIRE(s);
    telemetry_ask_gpus(s, false);
    telemetry_read(s, S(1), &t);
    CHECK(gpu_watch_pid(watch) == 0 && isnan(t.gpu_temperature_c), "nobody asked");
    telemetry_ask_gpus(s, true);
    fake_remove(&sys, "proc/driver/nvidia/version");
    char path[400];
    snprintf(path, sizeof(path), "%s/proc/driver/nvidia", sys.root);
    CHECK(rmdir(path) == 0);
    telemetry_read(s, S(2), &t);
    CHECK(gpu_watch_pid(watch) == 0 && isnan(t.gpu_temperature_c), "no driver");
    fake_put(&sys, "dev/nvidiactl", "%s", "");
    telemetry_read(s, S(3), &t);
    CHECK(gpu_watch_pid(watch) > 0);
    NEAR(t.gpu_temperature_c, 50);
    telemetry_ask_gpus(s, false);
    telemetry_read(s, S(62), &t);
    CHECK(gpu_watch_pid(watch) > 0 && isnan(t.gpu_temperature_c), "idle: not asked");
    telemetry_read(s, S(63), &t);
    CHECK(gpu_watch_pid(watch) == 0, "and after a minute it goes");
    telemetry_close(s);
}

TEST(a_hot_card_steps_down_and_a_cool_one_gives_all_back)
{
    struct err err = { 0 };
    struct catalog *c = catalog_new(NULL, &err);
    struct ladders *l = c ? ladders_new(c, &err) : NULL;
    struct governor_transition done[GOVERNOR_TRANSITIONS_MAX];
    struct governor g;
    struct telemetry t;
    struct telemetry_source *s = begin(&patient);
    REQUIRE(s && l, "%s", err.text);
    governor_init(&g, l);
    uint64_t now = S(1000);
    for (int i = 0; i < 5; i++, now += S(1)) {
        telemetry_read(s, now, &t);
        CHECK(governor_step(&g, &(struct governor_input){ .now = &t }, now, done) == 0);
    }
    put((struct state){ WELL, 89, 300, 100, 6, 0x20 });
    int n = 0;
    for (int i = 0; i < 5 && n == 0; i++, now += S(1)) {
        telemetry_read(s, now, &t);
        n = governor_step(&g, &(struct governor_input){ .now = &t }, now, done);
    }
    CHECK(n == 1 && done[0].is_down && done[0].cause == GOVERNOR_GPU, "%d", n);
    CHECK(g.now[ROUTE_CLASS_LLM].is_limited && g.now[ROUTE_CLASS_LLM].batch < 1 && g.now[ROUTE_CLASS_LLM].threads == 1);
    put((struct state){ WELL, 40, 30, 0, 6, 0 });
    for (int i = 0; i < 30 * 60 && g.now[ROUTE_CLASS_LLM].is_limited; i++, now += S(1)) {
        telemetry_read(s, now, &t);
        governor_step(&g, &(struct governor_input){ .now = &t }, now, done);
    }
    CHECK(!g.now[ROUTE_CLASS_LLM].is_limited);
    telemetry_close(s);
    ladders_free(l);
    catalog_free(c);
}
