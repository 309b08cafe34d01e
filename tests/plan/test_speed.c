/* tests/plan/test_speed.c - estimates of speed: physics that must hold whatever was fitted, and the words of tables. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "advise/rows.h"
#include "base/file.h"
#include "plan/speed.h"
#include "plan/speed_internal.h"
#include "test.h"

static const struct {
    const char *device;
    enum plan_class cls;
    double mem, bw, peak;
    const char *runtime;
} machines[] = {
    { "GeForce RTX 4090", PLAN_NVIDIA, 24, 1008, 330, "llama.cpp CUDA" }, { "GeForce GTX 1070", PLAN_NVIDIA, 8, 256, 0, "llamafile CUDA" },
    { "Radeon RX 7800 XT", PLAN_AMD, 16, 624, 74, "llama.cpp Vulkan" },   { "Arc B580", PLAN_INTEL, 12, 456, 116, "llama.cpp SYCL" },
    { "Apple M4 Pro (20-core GPU)", PLAN_APPLE, 48, 273, 9.2, "llama.cpp Metal" }, { "Ryzen 7 7700X", PLAN_CPU, 31, 83, 1.4, "llamafile CPU" },
    { "Core i3-12100", PLAN_CPU, 15, 76, 0.5, "ollama (llama.cpp) CPU" }, { "Raspberry Pi 5", PLAN_SOC, 8, 17.1, 0.3, "llama.cpp CPU" },
    { "Jetson AGX Orin 64GB", PLAN_JETSON, 64, 204.8, 85, "MLC INT4" },   { "RK3588 NPU", PLAN_NPU, 16, 34, 0, "RKLLM NPU" },
    { "A device of tomorrow", PLAN_NVIDIA, 64, 4000, 2000, "" },
};

static struct plan_speed_query query(size_t i, double params, double bpw)
{
    return (struct plan_speed_query){ .device = machines[i].device, .cls = machines[i].cls, .mem_gb = machines[i].mem, .bw_gbps = machines[i].bw, .peak_tflops = machines[i].peak,
                                      .runtime = machines[i].runtime, .quant = "Q4_K_M", .params = params, .active_params = params, .bpw = bpw, .work = plan_workload_one(1024, 128, 0) };
}

TEST(more_bandwidth_is_never_slower)
{
    for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++)
        for (double p = 1e9; p < 2e11; p *= 4) {
            struct plan_speed_query q = query(i, p, 4.8);
            double last_tg = 0, last_pp = 0;
            for (double bw = 10; bw < 10000; bw *= 1.3) {
                q.bw_gbps = bw;
                const struct plan_speed s = plan_speed_predict(&q);
                CHECK(s.tg_tps.mid >= last_tg * (1 - 1e-9), "%s, %g weights: %g GB/s gives %g, less than %g", q.device, p, bw, s.tg_tps.mid, last_tg);
                CHECK(s.pp_tps.mid >= last_pp * (1 - 1e-9), "%s, %g weights: %g GB/s: prefill %g, less than %g", q.device, p, bw, s.pp_tps.mid, last_pp);
                last_tg = s.tg_tps.mid, last_pp = s.pp_tps.mid;
            }
        }
}

TEST(more_compute_is_never_slower)
{
    for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++) {
        struct plan_speed_query q = query(i, 8e9, 4.8);
        double last_tg = 0, last_pp = 0;
        for (double peak = 0.1; peak < 3000; peak *= 1.3) {
            q.peak_tflops = peak;
            const struct plan_speed s = plan_speed_predict(&q);
            CHECK(s.tg_tps.mid >= last_tg * (1 - 1e-9), "%s: %g TFLOPS gives %g, less than %g", q.device, peak, s.tg_tps.mid, last_tg);
            CHECK(s.pp_tps.mid >= last_pp * (1 - 1e-9), "%s: %g TFLOPS: prefill %g, less than %g", q.device, peak, s.pp_tps.mid, last_pp);
            last_tg = s.tg_tps.mid, last_pp = s.pp_tps.mid;
        }
    }
}

TEST(a_larger_or_deeper_job_is_never_faster)
{
    for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++) {
        double last = INFINITY;
        for (double p = 2e8; p < 5e11; p *= 1.5) {
            struct plan_speed_query q = query(i, p, 4.8);
            const struct plan_speed s = plan_speed_predict(&q);
            CHECK(s.tg_tps.mid <= last, "%s: %g weights run at %g, fewer at %g", q.device, p, s.tg_tps.mid, last);
            last = s.tg_tps.mid;
            struct plan_speed_query fat = q;
            fat.bpw = 8.5;
            CHECK(plan_speed_predict(&fat).tg_tps.mid < s.tg_tps.mid, "%s: more bytes per weight", q.device);
            double last_depth = INFINITY, last_pp = INFINITY;
            for (int depth = 0; depth <= 65536; depth = depth ? depth * 4 : 1024) {
                q.work = plan_workload_one(512, 32, depth);
                const struct plan_speed d = plan_speed_predict(&q);
                CHECK(d.tg_tps.mid < last_depth && d.pp_tps.mid < last_pp, "%s at depth %d", q.device, depth);
                last_depth = d.tg_tps.mid, last_pp = d.pp_tps.mid;
            }
        }
    }
}

TEST(no_estimate_passes_the_bandwidth)
{
    for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++)
        for (double p = 3e8; p < 1e11; p *= 3) {
            const struct plan_speed_query q = query(i, p, 4.8);
            const double bound = q.bw_gbps * 1e9 / (p * q.bpw / 8), got = plan_speed_predict(&q).tg_tps.mid;
            CHECK(got < bound * 1.02 && got > 0, "%s: %g of at most %g", q.device, got, bound);
        }
}

TEST(ranges_hold_their_middle_and_the_unknown_stays_unknown)
{
    for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++) {
        struct plan_speed_query q = query(i, 8e9, 4.8);
        const struct plan_speed s = plan_speed_predict(&q);
        CHECK(s.tg_tps.low < s.tg_tps.mid && s.tg_tps.mid < s.tg_tps.high && s.pp_tps.low < s.pp_tps.mid && s.pp_tps.mid < s.pp_tps.high, "%s", q.device);
        CHECK(s.ttft_ms.low < s.ttft_ms.mid && s.ttft_ms.mid < s.ttft_ms.high, "%s: first token", q.device);
        const double parts = s.tg_fixed_s + s.tg_weights_s + s.tg_compute_s + s.tg_kv_s;
        CHECK(fabs(parts * s.tg_tps.mid - 1) < 1e-6, "%s: the parts of a token add up: %g", q.device, parts * s.tg_tps.mid);
        q.bw_gbps = 0;
        CHECK(!plan_is_known(plan_speed_predict(&q).tg_tps), "no bandwidth, no estimate");
    }
}

TEST(experts_cost_what_they_read)
{
    struct plan_speed_query dense = query(0, 30e9, 4.8), moe = dense;
    moe.active_params = 3e9;
    const double d = plan_speed_predict(&dense).tg_tps.mid, m = plan_speed_predict(&moe).tg_tps.mid;
    CHECK(m > 2.5 * d && m < 12 * d, "a tenth of the weights: %g against %g", m, d);
}

TEST(the_notation_of_benchmark_tables_is_understood)
{
    static const struct {
        const char *text;
        int n, prompt, gen, depth;
    } cases[] = {
        { "LS-9test", 9, 1024, 16, 0 },         { "pp1024+tg16", 1, 1024, 16, 0 },         { "d4096 pp512 tg128", 1, 512, 128, 4096 },
        { "pp512 tg512", 1, 512, 512, 0 },      { "short", 1, 128, 128, 0 },               { "d32768 pp2048 @ d32768 tg32 @ d32768", 1, 2048, 32, 32768 },
        { "ctx2048 pp512 tg128", 1, 512, 128, 0 }, { "ctx4096", 1, 4096, 128, 0 },         { "1024/128", 1, 1024, 128, 0 },
        { "", 1, 128, 128, 0 },                 { "ctx131072 pp0 tg0", 1, 128, 128, 0 },   { "pp99999999999999999999", 1, 16 << 20, 128, 0 },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct plan_workload w = plan_workload_parse(cases[i].text);
        CHECK(w.n_tests == cases[i].n && w.test[0].n_prompt == cases[i].prompt && w.test[0].n_gen == cases[i].gen && w.test[0].depth == cases[i].depth, "'%s': %d tests, %d + %d at %d",
              cases[i].text, w.n_tests, w.test[0].n_prompt, w.test[0].n_gen, w.test[0].depth);
    }
}

TEST(names_say_what_a_device_is)
{
    static const struct {
        enum plan_class cls;
        const char *name, *arch, *form, *isa;
    } cases[] = {
        { PLAN_NVIDIA, "GeForce RTX 4090", "ada", "desktop", "" },          { PLAN_NVIDIA, "GeForce RTX 4060 Laptop", "ada", "laptop", "" },
        { PLAN_NVIDIA, "4x A100 80GB PCIe", "ampere-dc", "server", "" },    { PLAN_NVIDIA, "RTX A4000 [host Pi CM5 - 16GB]", "ampere", "workstation", "" },
        { PLAN_NVIDIA, "GeForce GTX 1660 Super", "turing16", "desktop", "" }, { PLAN_NVIDIA, "Tesla P40", "pascal", "workstation", "" },
        { PLAN_NVIDIA, "RTX PRO 4000 Blackwell", "blackwell", "workstation", "" }, { PLAN_NVIDIA, "GeForce RTX 5050", "blackwell", "desktop", "" },
        { PLAN_AMD, "Radeon RX 9070 XT", "rdna4", "desktop", "" },          { PLAN_AMD, "Radeon 780M (iGPU)", "rdna3", "apu", "" },
        { PLAN_AMD, "Instinct MI300X", "cdna3", "server", "" },             { PLAN_APPLE, "Apple M3 Ultra (80-core GPU)", "m3", "ultra", "" },
        { PLAN_CPU, "Core i7-1185G7", "tiger", "ultra", "avx512" },         { PLAN_CPU, "Core i5-1335U", "raptor", "ultra", "avx2" },
        { PLAN_CPU, "Core i9-13900HX", "raptor", "laptop", "avx2" },        { PLAN_CPU, "Core i7-3720QM", "sandy", "laptop", "avx" },
        { PLAN_CPU, "Core i7-1065G7", "icelake", "ultra", "avx512" },       { PLAN_CPU, "Core2 Duo L9400", "core2", "desktop", "sse" },
        { PLAN_CPU, "Core Ultra 9 285K", "arrow", "desktop", "avx2" },      { PLAN_CPU, "Core Ultra 7 258V", "lunar", "ultra", "avx2" },
        { PLAN_CPU, "Ryzen 7 7730U", "zen3", "ultra", "avx2" },             { PLAN_CPU, "Ryzen 7 7840HS", "zen4", "laptop", "avx512" },
        { PLAN_CPU, "Ryzen 5 5600U", "zen3", "ultra", "avx2" },             { PLAN_CPU, "EPYC 9354", "zen4", "server", "avx512" },
        { PLAN_CPU, "EPYC 9755", "zen5", "server", "avx512" },              { PLAN_CPU, "EPYC 7451", "zen1", "server", "avx2" },
        { PLAN_CPU, "Threadripper PRO 9995WX", "zen5", "workstation", "avx512" }, { PLAN_CPU, "Xeon Platinum 8480+", "sapphire", "server", "avx512" },
        { PLAN_CPU, "Xeon E5-2697A v4", "xeon-v3", "server", "avx2" },      { PLAN_CPU, "Xeon E3-1245 V2", "xeon-v1", "desktop", "avx" },
        { PLAN_CPU, "Ryzen AI 9 HX 370", "zen5-apu", "laptop", "avx512" },  { PLAN_CPU, "Apple M4 (CPU, 4P+6E)", "apple-m4", "base", "arm" },
        { PLAN_SOC, "Raspberry Pi 4B", "a72", "board", "arm" },             { PLAN_CPU, "something else", "", "", "" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct speed_tags t;
        speed_tags(&t, cases[i].name, cases[i].cls);
        CHECK(!strcmp(t.arch, cases[i].arch) && !strcmp(t.form, cases[i].form) && !strcmp(t.isa, cases[i].isa), "%s: %s, %s, %s", cases[i].name, t.arch, t.form, t.isa);
    }
    struct speed_tags t;
    speed_tags(&t, "4x GeForce RTX 3090 [host Pi 5]", PLAN_NVIDIA);
    CHECK(t.n_devices == 4 && t.is_hosted && t.has_tensor, "%d", t.n_devices);
}

/* The committed effects belong to the committed features: on what they were fitted on they are far better than on the unseen. */
TEST(the_committed_fit_is_the_fit_of_this_model)
{
    struct err err = { 0 };
    struct rows r;
    struct rows_columns c;
    size_t n;
    char *text = file_read(test_shared("reference/measured.tsv"), 64 << 20, &n, &err);
    REQUIRE(text && rows_parse(&r, text, n, &err) && rows_columns(&r, &c, &err), "%s", err.text);
    int close = 0, in_range = 0, all = 0;
    for (int i = 0; i < r.n; i++) {
        struct plan_speed_query q;
        const double tg = rows_number(&r, i, c.tg);
        if (!rows_query(&r, &c, i, &q) || !(tg > 0) || q.params < 5e7)
            continue;
        const struct plan_speed s = plan_speed_predict(&q);
        if (!plan_is_known(s.tg_tps))
            continue;
        all++;
        close += fabs(s.tg_tps.mid / tg - 1) < 0.1;
        in_range += tg >= s.tg_tps.low && tg <= s.tg_tps.high;
    }
    CHECK(all > 1400 && close > 0.75 * all && in_range > 0.9 * all, "%d of %d within 10 %%, %d in range", close, all, in_range);
    rows_free(&r);
    free(text);
}

TEST(tuttis_own_engine_is_estimated_from_its_own_measurements)
{
    /* docs/SPEED.md: two cores of Zen 4, read probe 34 GB/s, int8 885 GOPS, f32 228 GFLOPS; tokens/s seen there */
    static const struct { double params, bpw, tg, pp; } seen[] = {
        { 0.494e9, 8.5, 63, 625 }, { 0.494e9, 6.5, 69, 607 }, { 1.236e9, 8.5, 22, 300 }, { 1.236e9, 5.2, 47, 256 }, { 0.1345e9, 8.5, 194, 1783 } };
    for (size_t i = 0; i < sizeof(seen) / sizeof(seen[0]); i++) {
        struct plan_speed_query q = { .device = "AMD EPYC", .cls = PLAN_CPU, .mem_gb = 24, .bw_gbps = 1.25 * 34, .peak_tflops = 0.228, .peak_int8_tops = 0.885,
                                      .runtime = "tutti CPU", .quant = "", .params = seen[i].params, .active_params = seen[i].params, .bpw = seen[i].bpw };
        q.work = plan_workload_one(0, 64, 0);
        const struct plan_range tg = plan_speed_predict(&q).tg_tps;
        q.work = plan_workload_one(512, 1, 0);
        const struct plan_range pp = plan_speed_predict(&q).pp_tps;
        CHECK(tg.low < seen[i].tg && seen[i].tg < tg.high, "%zu: decode %g not in %g-%g", i, seen[i].tg, tg.low, tg.high);
        CHECK(pp.low < seen[i].pp && seen[i].pp < pp.high, "%zu: prefill %g not in %g-%g", i, seen[i].pp, pp.low, pp.high);
        q.runtime = "llama.cpp CPU";
        CHECK(plan_speed_predict(&q).pp_tps.mid != pp.mid);
    }
}
