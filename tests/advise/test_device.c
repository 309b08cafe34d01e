/* tests/advise/test_device.c - devices from names, from builds, and from recorded machines. */
#include <math.h>
#include <string.h>

#include "advise/device.h"
#include "advise/fit.h"
#include "advise/model.h"
#include "test.h"

static struct catalog *open_catalog(void)
{
    struct err err = { 0 };
    return catalog_new(NULL, &err);
}

TEST(names_become_devices_with_sources)
{
    struct err err = { 0 };
    struct device d;
    struct catalog *c = open_catalog();
    REQUIRE(c && device_of_spec(&d, c, "rtx 4090", &err), "%s", err.text);
    CHECK(d.plan.cls == PLAN_NVIDIA && d.plan.bw_gbps == 1008 && d.plan.mem_bytes == 24000000000u && d.plan.source[PLAN_FIG_BW] == PLAN_CATALOG && strstr(d.plan.runtime, "CUDA"), "%s", d.plan.name);
    REQUIRE(device_of_spec(&d, c, "2 x rtx 3090", &err) && d.plan.n_devices == 2, "as recommend writes it");
    CHECK(!device_of_spec(&d, c, "65x rtx 3090", &err) && !device_of_spec(&d, c, "0x rtx 3090", &err) && !device_of_spec(&d, c, "-2x rtx 3090", &err), "never one for another number");
    CHECK(!device_of_spec(&d, c, "2x 2x rtx 3090", &err) && strstr(err.text, "one is meant"), "%s", err.text);
    CHECK(device_of_spec(&d, c, "1x rtx 3090", &err) && d.plan.n_devices == 1, "%s", err.text);
    CHECK(device_of_spec(&d, c, "7950x", &err), "%s", err.text);
    REQUIRE(device_of_spec(&d, c, "2x rtx 3090,ram=128,link=7", &err), "%s", err.text);
    CHECK(d.plan.n_devices == 2 && strcmp(d.plan.name, "2x GeForce RTX 3090") == 0 && d.host_bytes == 128000000000u && d.plan.link_gbps == 7 && d.plan.source[PLAN_FIG_LINK] == PLAN_GIVEN, "%s",
          d.plan.name);
    REQUIRE(device_of_spec(&d, c, "nvidia,bw=1500,mem=32,tflops=300", &err), "%s", err.text);
    CHECK(d.plan.cls == PLAN_NVIDIA && d.plan.bw_gbps == 1500 && d.plan.fp16_tflops == 300 && d.plan.source[PLAN_FIG_FP16] == PLAN_GIVEN && !d.row, "a card of one's own");
    REQUIRE(device_of_spec(&d, c, "Raspberry Pi 5,mem=4", &err), "%s", err.text);
    CHECK(d.plan.cls == PLAN_SOC && d.plan.is_unified && d.plan.mem_bytes == 4000000000u, "%s", d.plan.name);
    catalog_free(c);
}

TEST(a_build_reckons_its_bandwidth)
{
    struct err err = { 0 };
    struct device d;
    struct catalog *c = open_catalog();
    REQUIRE(c && device_of_spec(&d, c, "epyc 9354,channels=8,mts=4800", &err), "%s", err.text);
    CHECK(fabs(d.plan.bw_gbps - 307.2) < 0.05 && d.plan.source[PLAN_FIG_BW] == PLAN_GIVEN, "%g", d.plan.bw_gbps);
    CHECK(strstr(d.steps, "8 channels x 8 bytes x 4.8 GT/s = 307.2 GB/s") && strstr(d.steps, "8 CCDs x 1 link x 32 bytes x 1.8 GHz = 460.8 GB/s") && strstr(d.steps, "FLOP/cycle"), "%s", d.steps);
    REQUIRE(device_of_spec(&d, c, "epyc 9354", &err), "%s", err.text);
    CHECK(fabs(d.plan.bw_gbps - 460.8) < 0.05 && d.plan.source[PLAN_FIG_BW] == PLAN_CATALOG, "all channels: %g", d.plan.bw_gbps);
    const double one = d.plan.fp32_tflops;
    REQUIRE(device_of_spec(&d, c, "epyc 9354,sockets=2,ram=512", &err), "%s", err.text);
    CHECK(fabs(d.plan.bw_gbps - 921.6) < 0.05 && fabs(d.plan.fp32_tflops / one - 2) < 1e-9 && d.plan.mem_bytes == 512000000000u, "two sockets: %g", d.plan.bw_gbps);
    catalog_free(c);
}

TEST(what_makes_no_sense_is_refused_with_a_reason)
{
    static const struct {
        const char *spec, *says;
    } bad[] = { { "no such card", "no such card" }, { "rtx 4090,bw", "key=value" }, { "rtx 4090,colour=red", "no key 'colour'" }, { "rtx 4090,bw=-1", "a number" }, { "rtx 4090,bw=nan", "a number" },
                { "rtx 4090,mem=1e99", "a number" }, { "nvidia,mem=32", "bandwidth" }, { "epyc 9354,links=9", "a number" }, { "", "" } };
    struct catalog *c = open_catalog();
    for (size_t i = 0; c && i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct err err = { 0 };
        struct device d;
        CHECK(!device_of_spec(&d, c, bad[i].spec, &err) && strstr(err.text, bad[i].says), "'%s': %s", bad[i].spec, err.text);
    }
    char longest[400];
    memset(longest, 'a', sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    struct err err = { 0 };
    struct device d;
    CHECK(!device_of_spec(&d, c, longest, &err), "too long");
    catalog_free(c);
}

TEST(a_detected_machine_gives_its_card_first_and_its_cpu_last)
{
    static struct hw_machine m;
    static struct device d[HW_GPUS_MAX + 1];
    struct catalog *c = open_catalog();
    memset(&m, 0, sizeof(m));
    snprintf(m.cpu.model, sizeof(m.cpu.model), "AMD Ryzen 9 7950X 16-Core Processor");
    m.cpu.cores_physical = 16, m.cpu.cores_usable = 8;
    m.memory.total_bytes = 64000000000, m.memory.available_bytes = 50000000000;
    snprintf(m.gpus[0].vendor, sizeof(m.gpus[0].vendor), "AMD");
    snprintf(m.gpus[0].name, sizeof(m.gpus[0].name), "Raphael");
    m.gpus[0].kind = HW_GPU_INTEGRATED;
    snprintf(m.gpus[1].vendor, sizeof(m.gpus[1].vendor), "NVIDIA");
    snprintf(m.gpus[1].name, sizeof(m.gpus[1].name), "AD103 [GeForce RTX 4080]");
    m.gpus[1].vram_bytes = 17171480576, m.gpus[1].vram_used_bytes = 1000000000;
    m.n_gpus = 2;
    const int n = devices_of_machine(d, HW_GPUS_MAX + 1, c, &m);
    REQUIRE(n == 3, "%d devices", n);
    CHECK(d[0].plan.cls == PLAN_NVIDIA && d[0].plan.bw_gbps > 700 && d[0].plan.mem_free_bytes == 16171480576u && d[0].host_bytes == 50000000000u, "%s %g", d[0].plan.name, d[0].plan.bw_gbps);
    CHECK(d[2].plan.cls == PLAN_CPU && strstr(d[2].plan.name, "7950X") && d[2].plan.cores == 8 && d[2].plan.fp32_tflops < 1.6, "half of its cores: %s %g", d[2].plan.name, d[2].plan.fp32_tflops);
    struct fit_summary s;
    REQUIRE(fit_summary(&s, c, &m), "something runs");
    CHECK(s.device.plan.cls == PLAN_NVIDIA && s.best.model.params > 7e9 && s.best.model.params < 40e9 && s.largest.model.params >= s.best.model.params, "%s", s.best.model.name);
    memset(&m, 0, sizeof(m)); /* nothing known at all */
    REQUIRE(devices_of_machine(d, 4, c, &m) == 1, "a CPU there is");
    CHECK(!fit_summary(&s, c, &m), "nothing known, nothing said");
    catalog_free(c);
}

TEST(the_best_of_a_card_fits_and_answers_while_you_wait)
{
    static const char *const cards[] = { "rtx 3060 12gb", "rtx 4090", "h100 pcie 80gb", "Apple M4 Pro (20-core GPU)", "Jetson AGX Orin 64GB", "rx 7900 xtx" };
    static struct fit_row rows[64];
    struct catalog *c = open_catalog();
    for (size_t k = 0; c && k < sizeof(cards) / sizeof(cards[0]); k++) {
        struct err err = { 0 };
        struct device d;
        int n = 0;
        char spec[96];
        snprintf(spec, sizeof(spec), "%s%s", cards[k], strstr(cards[k], "M4") ? ",mem=48" : "");
        REQUIRE(device_of_spec(&d, c, spec, &err), "%s", err.text);
        for (int i = 0; i < fit_n_ladder; i++) {
            struct plan_model m;
            char quant[16];
            snprintf(quant, sizeof(quant), "%.*s", (int)strcspn(fit_ladder[i].quants, " "), fit_ladder[i].quants);
            REQUIRE(advise_model_find(&m, c, fit_ladder[i].model, quant, &err), "%s: %s", fit_ladder[i].model, err.text);
            fit_one(&rows[n++], &d, NULL, &m, &(struct fit_options){ 0 });
        }
        const int best = fit_mark_best(rows, n);
        REQUIRE(best >= 0, "%s", cards[k]);
        CHECK(rows[best].place.fits <= PLAN_TIGHT && rows[best].use[3] == PLAN_INTERACTIVE && rows[best].tg_tps.mid > 10 && rows[best].why[0], "%s: %s", cards[k], rows[best].model.name);
        CHECK(rows[best].need.total <= plan_usable_bytes(&d.plan), "%s: %s never above the memory", cards[k], rows[best].model.name);
        for (int i = 0; i < n; i++)
            CHECK(rows[i].is_best == (i == best), "one is marked");
    }
    catalog_free(c);
}

TEST(a_fast_card_is_interactive_everywhere_and_a_small_board_is_not)
{
    struct err err = { 0 };
    struct device d;
    struct plan_model m;
    struct fit_row r;
    struct catalog *c = open_catalog();
    REQUIRE(c && device_of_spec(&d, c, "rtx 4090", &err) && advise_model_find(&m, c, "llama 3.1 8b", "Q4_K_M", &err), "%s", err.text);
    fit_one(&r, &d, NULL, &m, &(struct fit_options){ 0 });
    for (int i = 0; i < 9; i++)
        CHECK(r.nine[i] == PLAN_INTERACTIVE, "test %d: %s", i, plan_viability_name(r.nine[i]));
    REQUIRE(device_of_spec(&d, c, "Raspberry Pi 5,mem=8", &err), "%s", err.text);
    fit_one(&r, &d, NULL, &m, &(struct fit_options){ 0 });
    CHECK(r.use[1] >= PLAN_OFFLINE && r.use[2] >= PLAN_OFFLINE && r.nine[1] == r.use[1] && r.nine[5] == r.use[2], "8B on a Pi: %s, %s", plan_viability_name(r.use[1]), plan_viability_name(r.use[2]));
    catalog_free(c);
}

TEST(a_slow_link_hurts_loading_and_hardly_decoding)
{
    struct err err = { 0 };
    struct device fast, slow;
    struct plan_model m;
    struct fit_row a, b;
    struct catalog *c = open_catalog();
    REQUIRE(c && device_of_spec(&fast, c, "rtx 4090", &err) && device_of_spec(&slow, c, "rtx 4090,link=Thunderbolt 4", &err) && advise_model_find(&m, c, "llama 3.1 8b", "Q4_K_M", &err), "%s", err.text);
    CHECK(slow.plan.link_gbps > 2 && slow.plan.link_gbps < 4 && slow.plan.source[PLAN_FIG_LINK] == PLAN_GIVEN, "%g GB/s", slow.plan.link_gbps);
    fit_one(&a, &fast, NULL, &m, &(struct fit_options){ 0 });
    fit_one(&b, &slow, NULL, &m, &(struct fit_options){ 0 });
    CHECK(b.load_link_s > 5 * a.load_link_s && b.tg_tps.mid == a.tg_tps.mid, "%g s against %g s", b.load_link_s, a.load_link_s);
    CHECK(!device_of_spec(&slow, c, "rtx 4090,link=carrier pigeon", &err) && err.text[0], "no such link");
    catalog_free(c);
}

TEST(a_bench_moves_predictions_and_narrows_them)
{
    struct err err = { 0 };
    struct device d;
    struct plan_model m;
    struct fit_row before, after;
    struct catalog *c = open_catalog();
    REQUIRE(c && device_of_spec(&d, c, "Ryzen 9 7950X,ram=64", &err) && advise_model_find(&m, c, "llama 3.1 8b", "Q4_K_M", &err), "%s", err.text);
    fit_one(&before, &d, NULL, &m, &(struct fit_options){ 0 });
    d.plan.tg_correction = 1.2, d.plan.pp_correction = 0.8;
    fit_one(&after, &d, NULL, &m, &(struct fit_options){ 0 });
    CHECK(fabs(after.tg_tps.mid / before.tg_tps.mid - 1.2) < 1e-9 && fabs(after.pp_tps.mid / before.pp_tps.mid - 0.8) < 1e-9, "%g, %g", after.tg_tps.mid, after.pp_tps.mid);
    CHECK(after.tg_tps.high / after.tg_tps.low < before.tg_tps.high / before.tg_tps.low, "narrower");
    catalog_free(c);
}

TEST(models_are_found_by_what_people_write)
{
    struct err err = { 0 };
    struct plan_model m;
    struct catalog *c = open_catalog();
    REQUIRE(c && advise_model_find(&m, c, "llama 3.1 8b", "Q4_K_M", &err), "%s", err.text);
    CHECK(m.n_layer == 32 && m.n_kv_head == 8 && fabs((double)m.weight_bytes / 4.92e9 - 1) < 0.02, "%llu", (unsigned long long)m.weight_bytes);
    REQUIRE(advise_model_find(&m, c, "qwen3 30b-a3b:Q8_0", "Q4_K_M", &err), "%s", err.text);
    CHECK(strcmp(m.quant, "Q8_0") == 0 && m.active_params < 4e9 && m.params > 30e9 && m.n_expert == 128, "%s %g", m.quant, m.active_params);
    REQUIRE(advise_model_find(&m, c, "30b-a3b", "Q4_K_M", &err), "%s", err.text);
    CHECK(m.params == 30e9 && m.active_params == 3e9 && m.n_layer == 0, "a size");
    REQUIRE(advise_model_find(&m, c, "deepseek r1", "Q4_K_M", &err), "%s", err.text);
    CHECK(m.kv_lora == 512 && m.d_k == 576 && m.n_kv_head == 1, "latent attention: %d", m.d_k);
    CHECK(!advise_model_find(&m, c, "no such model", "Q4_K_M", &err) && err.text[0], "none");
    CHECK(!advise_model_find(&m, c, "llama 3.1 8b", "Q99", &err) && strstr(err.text, "Q99"), "%s", err.text);
    CHECK(!advise_model_find(&m, c, "/nonexistent.gguf", "Q4_K_M", &err), "a file that is not there");
    catalog_free(c);
}
