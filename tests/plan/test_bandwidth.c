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
    struct plan_memory_build b = { .channels = 2, .mts = 5200 };
    REQUIRE(plan_amd_chiplets(&b, "Ryzen 5 7400F", 6), "a chiplet part");
    struct plan_bandwidth w = plan_bandwidth_of(&b);
    CHECK(b.n_ccd == 1 && near(w.fabric_gbps, 64.0) && near(w.gbps, 64.0), "7400F at FCLK 2.0 (002-04): %g", w.gbps);
    b = (struct plan_memory_build){ .channels = 2, .mts = 5200, .fclk_ghz = 1.8 };
    REQUIRE(plan_amd_chiplets(&b, "Ryzen 5 7400F", 6), "a chiplet part");
    CHECK(near(plan_bandwidth_of(&b).gbps, 57.6), "as the seed has it, with its clock");
    b = (struct plan_memory_build){ .channels = 12, .mts = 5600 };
    REQUIRE(plan_amd_chiplets(&b, "EPYC 9755", 128), "a chiplet part");
    w = plan_bandwidth_of(&b);
    CHECK(b.n_ccd == 16 && near(w.fabric_gbps, 1024) && near(w.gbps, 537.6), "the seed's example: %g, %g", w.fabric_gbps, w.gbps);
    b = (struct plan_memory_build){ .channels = 8, .mts = 4800 };
    REQUIRE(plan_amd_chiplets(&b, "EPYC 9354", 32), "a chiplet part");
    w = plan_bandwidth_of(&b);
    CHECK(b.n_ccd == 8 && b.links_per_ccd == 1 && near(w.fabric_gbps, 460.8) && near(w.gbps, 307.2), "8 of 12 channels: %g", w.gbps);
    CHECK(strstr(w.steps, "8 channels x 8 bytes x 4.8 GT/s = 307.2 GB/s") && strstr(w.steps, "8 CCDs x 1 link x 32 bytes x 1.8 GHz = 460.8 GB/s") && strstr(w.steps, "the memory is the limit"),
          "%s", w.steps);
    b = (struct plan_memory_build){ .channels = 8, .mts = 5200 };
    REQUIRE(plan_amd_chiplets(&b, "Threadripper PRO 7975WX", 32), "a chiplet part");
    CHECK(b.n_ccd == 4 && b.links_per_ccd == 2, "few CCDs have two links (002-03)");
    b = (struct plan_memory_build){ .channels = 12, .mts = 5600, .n_ccd = 9, .links_per_ccd = 1, .fclk_ghz = 2.0 };
    CHECK(near(plan_bandwidth_of(&b).gbps, 537.6), "nine CCDs serve twelve channels of 5600 (002-21)");
    b.n_ccd = 8;
    CHECK(near(plan_bandwidth_of(&b).gbps, 512), "eight do not");
}

TEST(parts_without_chiplets_have_no_fabric_limit)
{
    static const char *const names[] = { "Core i9-14900K", "Xeon Platinum 8480+", "Ryzen 7 7840HS", "Ryzen AI 9 HX 370", "EPYC 7451", "Apple M4 (CPU, 4P+6E)", "" };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        CHECK(!plan_amd_chiplets(&(struct plan_memory_build){ 0 }, names[i], 16), "%s", names[i]);
    CHECK(plan_bandwidth_of(&(struct plan_memory_build){ 0 }).gbps == 0, "nothing known");
}

TEST(more_channels_or_faster_modules_are_never_slower)
{
    double last = 0;
    for (int ch = 1; ch <= 12; ch++) {
        struct plan_memory_build b = { .channels = ch, .mts = 4800 };
        plan_amd_chiplets(&b, "EPYC 9124", 16);
        const double now = plan_bandwidth_of(&b).gbps;
        CHECK(now >= last, "%d channels: %g", ch, now);
        last = now;
    }
}

TEST(peak_of_the_seeds_i5_1335u)
{
    /* 002-09: two 256-bit FMA ports on a P core are 32 FLOP per cycle, two 128-bit ones on an E core 16 */
    const struct plan_cores kinds[] = { { 2, 4.6, plan_flop_per_cycle("raptor", 'P') }, { 8, 3.4, plan_flop_per_cycle("raptor", 'E') } };
    char steps[400];
    CHECK(near(1000 * plan_cpu_peak_tflops(kinds, 2, steps, sizeof(steps)), 729.6), "%s", steps);
    CHECK(strstr(steps, "2 cores x 4.6 GHz x 32 FLOP/cycle = 294.4 GFLOPS") && strstr(steps, "435.2"), "%s", steps);
    CHECK(plan_flop_per_cycle("zen5", ' ') == 64 && plan_flop_per_cycle("nothing", ' ') == 0, "by name");
}
