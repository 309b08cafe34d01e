/* tests/plan/test_bandwidth.c - seed 002's tables of AMD platforms, with the right figures where seed-errors.md has them. */
#include <math.h>
#include <string.h>

#include "plan/bandwidth.h"
#include "test.h"

static bool near(double a, double b) { return fabs(a - b) < 0.05; }

TEST(platform_tables_of_seed_002)
{
    static const struct {
        const char *series;
        int sockets, channels;
        double mts, gbps;
    } rows[] = {
        { "EPYC 9004", 1, 12, 4800, 460.8 },       { "EPYC 9004, two", 2, 12, 4800, 921.6 },  { "EPYC 9005 (002-05: 6000, not 5600)", 1, 12, 6000, 576.0 },
        { "EPYC 9005 at 6400", 1, 12, 6400, 614.4 }, { "Threadripper 7000X", 1, 4, 5200, 166.4 }, { "Threadripper PRO 7000WX", 1, 8, 5200, 332.8 },
        { "Threadripper 9000X", 1, 4, 6400, 204.8 }, { "Threadripper PRO 9000WX", 1, 8, 6400, 409.6 }, { "EPYC 8004", 1, 6, 4800, 230.4 },
        { "Ryzen 7000 desktop", 1, 2, 5200, 83.2 }, { "Ryzen 9000", 1, 2, 5600, 89.6 },        { "Ryzen AI MAX+ 395 (002-06: 256 bits)", 1, 4, 8000, 256.0 },
        { "Ryzen 8040 (002-07: LPDDR5X-7500)", 1, 2, 7500, 120.0 }, { "DDR4-3200 octa (002-16)", 1, 8, 3200, 204.8 },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct plan_bandwidth b = plan_bandwidth_of(&(struct plan_memory_build){ .sockets = rows[i].sockets, .channels = rows[i].channels, .mts = rows[i].mts });
        CHECK(near(b.gbps, rows[i].gbps) && b.fabric_gbps == 0, "%s: %g", rows[i].series, b.gbps);
    }
}

TEST(the_fabric_limits_where_it_is_narrower)
{
    static const struct {
        const char *part;
        struct plan_memory_build b;
        double fabric, gbps;
    } rows[] = {
        { "Ryzen 5 7400F at FCLK 2.0 (002-04)", { .channels = 2, .mts = 5200, .n_ccd = 1, .fclk_ghz = 2.0 }, 64, 64 },
        { "the same with the seed's clock", { .channels = 2, .mts = 5200, .n_ccd = 1, .fclk_ghz = 1.8 }, 57.6, 57.6 },
        { "EPYC 9755, the seed's example", { .channels = 12, .mts = 5600, .n_ccd = 16, .fclk_ghz = 2.0 }, 1024, 537.6 },
        { "EPYC 9354, 8 of 12 channels", { .channels = 8, .mts = 4800, .n_ccd = 8, .fclk_ghz = 1.8 }, 460.8, 307.2 },
        { "EPYC 9124, two links per CCD (002-03)", { .channels = 12, .mts = 4800, .n_ccd = 4, .links_per_ccd = 2, .fclk_ghz = 1.8 }, 460.8, 460.8 },
        { "nine CCDs serve twelve channels of 5600 (002-21)", { .channels = 12, .mts = 5600, .n_ccd = 9, .fclk_ghz = 2.0 }, 576, 537.6 },
        { "eight do not", { .channels = 12, .mts = 5600, .n_ccd = 8, .fclk_ghz = 2.0 }, 512, 512 },
        { "two sockets", { .sockets = 2, .channels = 12, .mts = 4800, .n_ccd = 8, .fclk_ghz = 1.8 }, 921.6, 921.6 },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct plan_bandwidth w = plan_bandwidth_of(&rows[i].b);
        CHECK(near(w.fabric_gbps, rows[i].fabric) && near(w.gbps, rows[i].gbps), "%s: %g, %g", rows[i].part, w.fabric_gbps, w.gbps);
    }
    const struct plan_bandwidth w = plan_bandwidth_of(&rows[3].b);
    CHECK(strstr(w.steps, "8 channels x 8 bytes x 4.8 GT/s = 307.2 GB/s") && strstr(w.steps, "8 CCDs x 1 link x 32 bytes x 1.8 GHz = 460.8 GB/s") && strstr(w.steps, "the memory is the limit"),
          "%s", w.steps);
    CHECK(plan_bandwidth_of(&(struct plan_memory_build){ 0 }).gbps == 0, "nothing known");
}

TEST(parts_without_chiplets_have_no_fabric_limit)
{
    const struct plan_bandwidth w = plan_bandwidth_of(&(struct plan_memory_build){ .channels = 2, .mts = 5600, .n_ccd = 0, .fclk_ghz = 2.0 });
    CHECK(w.fabric_gbps == 0 && near(w.gbps, 89.6) && !strstr(w.steps, "fabric"), "%s", w.steps);
}

TEST(more_channels_or_faster_modules_are_never_slower)
{
    double last = 0;
    for (int ch = 1; ch <= 12; ch++) {
        const double now = plan_bandwidth_of(&(struct plan_memory_build){ .channels = ch, .mts = 4800, .n_ccd = 4, .fclk_ghz = 1.8 }).gbps;
        CHECK(now >= last, "%d channels: %g", ch, now);
        last = now;
    }
}

TEST(peak_of_the_seeds_i5_1335u)
{
    /* 002-09: two 256-bit FMA ports on a P core are 32 FLOP per cycle, two 128-bit ones on an E core 16 */
    const struct plan_cores kinds[] = { { 2, 4.6, 32 }, { 8, 3.4, 16 } };
    char steps[400];
    CHECK(near(1000 * plan_cpu_peak_tflops(kinds, 2, steps, sizeof(steps)), 729.6), "%s", steps);
    CHECK(strstr(steps, "2 cores x 4.6 GHz x 32 FLOP/cycle = 294.4 GFLOPS") && strstr(steps, "435.2"), "%s", steps);
}
