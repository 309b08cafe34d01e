/* tests/catalog/test_data.c - the tables of data/: every row has what it must have, and figures that can be. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "catalog/catalog.h"
#include "dtype/dtype.h"
#include "test.h"

static struct catalog *open_tables(void)
{
    struct err err = { 0 };
    struct catalog *c = catalog_new(NULL, &err);
    if (!c)
        printf("# %s\n", err.text);
    return c;
}
static const struct catalog_row *row(struct catalog *c, const char *table, const char *name)
{
    struct err err = { 0 };
    const struct catalog_table *t = catalog_table(c, table, &err);
    const struct catalog_row *r = t ? catalog_find(t, name, &err) : NULL;
    if (!r)
        test_fail(__FILE__, __LINE__, name, "%s", err.text);
    return r;
}
static double number(struct catalog *c, const char *table, const char *name, const char *column)
{
    const struct catalog_row *r = row(c, table, name);
    return r ? catalog_number(r, column) : NAN;
}
#define IS(table, name, column, want) CHECK(fabs(number(c, table, name, column) - (want)) < 1e-9, "%s %s: %g", name, column, number(c, table, name, column))

TEST(every_row_of_every_table_has_source_and_date)
{
    struct err err = { 0 };
    struct catalog *c = open_tables();
    REQUIRE(c);
    REQUIRE(catalog_n_tables() >= 17);
    for (int i = 0; i < catalog_n_tables(); i++) {
        const struct catalog_table *t = catalog_table(c, catalog_table_name(i), &err);
        REQUIRE(t, "%s", err.text);
        CHECK(catalog_table_help(i)[0], "%s has no line of help", catalog_table_name(i));
        CHECK(catalog_n_rows(t) > 0);
        for (int k = 0; k < catalog_n_rows(t); k++) {
            const struct catalog_row *r = catalog_row(t, k);
            CHECK(strlen(catalog_source(r)) > 2, "%s", catalog_name(r));
            CHECK(catalog_date(r, "date") > 20080000 && catalog_date(r, "date") < 20270000, "%s: %s", catalog_name(r), catalog_text(r, "date"));
            CHECK(strlen(catalog_name(r)) <= 120, "%s", catalog_name(r));
        }
    }
    catalog_free(c);
}

/* What can be, by the unit in the column's name. */
TEST(numbers_are_in_the_range_of_their_unit)
{
    static const struct {
        const char *unit;
        double min, max;
    } ranges[] = { { "_tflops", 0.01, 3000 }, { "_tops", 0.1, 10000 }, { "_gbps", 0.01, 10000 }, { "_gb", 0.001, 100000 }, { "_w", 0.3, 2000 },
                   { "_usd", 5, 60000 },      { "_usd_h", 0.05, 100 }, { "_mts", 400, 13000 },   { "_ghz", 0.5, 7 },       { "_kwh", 0.03, 0.8 },
                   { "_tps", 0.01, 100000 },  { "_mm", 50, 400 },      { "_b", 0.0001, 2000 },   { "bpw", 1, 33 },         { "year", 2008, 2026 } };
    struct err err = { 0 };
    struct catalog *c = open_tables();
    REQUIRE(c);
    for (int i = 0; i < catalog_n_tables(); i++) {
        const struct catalog_table *t = catalog_table(c, catalog_table_name(i), &err);
        REQUIRE(t, "%s", err.text);
        for (int col = 0; col < catalog_n_columns(t); col++)
            for (size_t u = 0; u < sizeof(ranges) / sizeof(ranges[0]); u++) {
                const char *name = catalog_column(t, col);
                const size_t n = strlen(name), m = strlen(ranges[u].unit);
                if (n < m || strcmp(name + n - m, ranges[u].unit) != 0)
                    continue;
                CHECK(catalog_is_number(name), "%s", name);
                for (int k = 0; k < catalog_n_rows(t); k++) {
                    const double v = catalog_number(catalog_row(t, k), name);
                    CHECK(isnan(v) || (v >= ranges[u].min && v <= ranges[u].max), "%s %s %s: %g", catalog_table_name(i), catalog_name(catalog_row(t, k)), name, v);
                }
            }
    }
    catalog_free(c);
}

/* ../shared/reference/hardware.tsv, column seed_error: what the seeds have wrong is right here. */
TEST(what_the_seeds_have_wrong_is_right)
{
    struct catalog *c = open_tables();
    REQUIRE(c);
    IS("gpu", "RTX 4070 Ti Super", "launch_price_usd", 799);
    IS("gpu", "RTX 4070 Ti Super", "fp16_tflops", 176.4);
    IS("gpu", "RTX 4080 Super", "launch_price_usd", 999);
    IS("gpu", "RTX 4080 Super", "fp16_tflops", 208.9);
    IS("gpu", "RTX 4090", "launch_price_usd", 1599);
    IS("gpu", "RTX 4090", "supply_w", 850);
    IS("gpu", "RTX 4070", "supply_w", 650);
    IS("gpu", "RTX 4080", "supply_w", 750);
    CHECK(strcmp(catalog_text(row(c, "gpu", "RTX 4090"), "cooling"), "fans") == 0);
    IS("gpu", "H100 SXM 80GB", "mem_bw_gbps", 3352);
    IS("gpu", "H100 NVL", "mem_bw_gbps", 3938);
    IS("gpu", "H200 SXM 141GB", "tdp_w", 700);
    IS("gpu", "RX 7900 XTX", "launch_price_usd", 999);
    IS("gpu", "RX 7900 XTX", "fp16_tflops", 122.9);
    IS("gpu", "Radeon 8060S", "mem_bw_gbps", 256);
    IS("gpu", "Arc A750", "launch_price_usd", 289);
    IS("gpu", "Arc A770 16GB", "mem_bw_gbps", 560);
    IS("gpu", "Arc A770 16GB", "launch_price_usd", 349);
    IS("gpu", "Arc A770 8GB", "mem_bw_gbps", 512);
    IS("gpu", "Data Center GPU Flex 170", "fp32_tflops", 16);
    IS("soc", "Jetson Orin Nano 8GB", "int8_tops", 20); /* dense; 40 is with sparsity */
    IS("soc", "Jetson Orin Nano Super", "mem_bw_gbps", 102);
    CHECK(strstr(catalog_text(row(c, "soc", "M2 Ultra 76"), "note"), "24-core CPU"));
    CHECK(strcmp(catalog_text(row(c, "soc", "M3 Max 40"), "mem_options"), "48;64;128") == 0);
    CHECK(strcmp(catalog_text(row(c, "soc", "M3 Max 30"), "mem_options"), "36;96") == 0);
    CHECK(strcmp(catalog_text(row(c, "soc", "M4 Max 40"), "mem_options"), "48;64;128") == 0);
    CHECK(strcmp(catalog_text(row(c, "soc", "M4 Pro 20"), "mem_options"), "24;48;64") == 0);
    IS("soc", "Raspberry Pi 5", "int8_tops", 0.614);
    IS("soc", "Raspberry Pi 5", "mem_gb", 16);
    IS("phone", "iPhone 15 Pro", "int8_tops", 35);
    CHECK(isnan(number(c, "phone", "OnePlus 12", "int8_tops")), "Qualcomm publishes none");
    IS("phone", "Dimensity 9300", "int8_tops", 33);
    CHECK(isnan(number(c, "phone", "Exynos 2400", "int8_tops")), "14.7 is a factor");
    CHECK(strcmp(catalog_text(row(c, "accelerator", "Coral USB"), "runs_llm"), "no") == 0);
    IS("accelerator", "NCS2", "int8_tops", 1);
    CHECK(strstr(catalog_text(row(c, "accelerator", "NCS2"), "runtime"), "2022.3"));
    IS("platform", "AM5 (Ryzen 7000)", "fclk_ghz", 2.0);
    IS("cpu", "EPYC 9755", "mem_bw_gbps", 576);
    IS("cpu", "Ryzen AI Max+ PRO 395", "mem_bw_gbps", 256);
    CHECK(fabs(number(c, "cpu", "i5-1335U", "fp32_tflops") - 0.7296) < 0.001);
    catalog_free(c);
}

TEST(known_facts)
{
    struct catalog *c = open_tables();
    REQUIRE(c);
    IS("gpu", "RTX A4000", "tdp_w", 140);
    IS("gpu", "RTX A4000", "n_slots", 1);
    IS("gpu", "RTX A4000", "mem_gb", 16);
    CHECK(strcmp(catalog_text(row(c, "gpu", "RTX A4000"), "ecc"), "yes") == 0 && strcmp(catalog_text(row(c, "gpu", "RTX A4000"), "duty"), "continuous") == 0);
    IS("gpu", "RTX 5090", "mem_bw_gbps", 1792);
    IS("dock", "Beelink EX Dock", "supply_w", 600);
    IS("dock", "Beelink EX Dock", "safe_gpu_w", 375);
    IS("interconnect", "NVLink 5", "raw_gbps", 900);
    IS("interconnect", "PCIe 4.0 x16", "n_lanes", 16);
    CHECK(fabs(number(c, "interconnect", "PCIe 4.0 x16", "raw_gbps") - 31.5) < 0.05);
    IS("model", "Llama 3.1 8B", "n_kv_heads", 8);
    IS("model", "gpt-oss 20B", "window_tok", 128);
    IS("model", "Qwen3 30B-A3B", "n_experts_used", 8);
    IS("platform", "SP5 (EPYC 9005)", "n_channels", 12);
    IS("cpu", "EPYC 9354", "n_ccds", 8);
    catalog_free(c);
}

TEST(bandwidth_and_peak_of_a_cpu_follow_from_its_parts)
{
    struct err err = { 0 };
    struct catalog *c = open_tables();
    REQUIRE(c);
    const struct catalog_table *t = catalog_table(c, "cpu", &err);
    REQUIRE(t);
    for (int i = 0; i < catalog_n_rows(t); i++) {
        const struct catalog_row *r = catalog_row(t, i);
        const double bw = catalog_number(r, "n_channels") * catalog_number(r, "mem_mts") * 8 / 1000, peak = catalog_number(r, "fp32_tflops") * 1000;
        const double p = catalog_number_or(r, "n_p_cores", catalog_number(r, "n_cores")) * catalog_number(r, "turbo_ghz") * catalog_number(r, "n_flop_cycle");
        const double e = isnan(catalog_number(r, "n_e_flop_cycle")) ? 0 : catalog_number(r, "n_e_cores") * catalog_number(r, "e_turbo_ghz") * catalog_number(r, "n_e_flop_cycle");
        CHECK(isnan(bw) || fabs(bw / catalog_number(r, "mem_bw_gbps") - 1) < 0.01, "%s: %g", catalog_name(r), bw);
        CHECK(isnan(p) || fabs((p + e) / peak - 1) < 0.02, "%s: %g of %g", catalog_name(r), p + e, peak);
        const char *platform = catalog_text(r, "platform");
        CHECK(!*platform || row(c, "platform", platform), "%s: %s", catalog_name(r), platform);
    }
    catalog_free(c);
}

/* The shape of a model is right when its parameters follow from it. */
TEST(parameters_of_a_model_follow_from_its_shape)
{
    struct err err = { 0 };
    struct catalog *c = open_tables();
    REQUIRE(c);
    const struct catalog_table *t = catalog_table(c, "model", &err);
    REQUIRE(t);
    int n_checked = 0;
    for (int i = 0; i < catalog_n_rows(t); i++) {
        const struct catalog_row *r = catalog_row(t, i);
        const char *family = catalog_text(r, "family");
        if (strcmp(catalog_text(r, "task"), "llm") != 0 || isnan(catalog_number(r, "n_layers")) || strstr(catalog_name(r), "-VL "))
            continue; /* no shape, or a vision tower beside it */
#define N(column) catalog_number_or(r, column, 0)
        const bool is_plain_ffn = strcmp(family, "StarCoder2") == 0 || strcmp(catalog_name(r), "Phi-2") == 0 || strncmp(catalog_name(r), "Falcon ", 7) == 0;
        const double d = N("n_embd"), h = N("n_heads"), hd = N("n_head_dim"), kl = N("n_kv_lora"), ql = N("n_q_lora"), rope = N("n_rope_dim");
        const double attention = kl > 0 ? (ql > 0 ? d * ql + ql * h * hd : d * h * hd) + d * (kl + rope) + kl * h * (hd - rope + N("n_v_head_dim")) + h * N("n_v_head_dim") * d
                                        : 2 * d * h * hd + 2 * d * N("n_kv_heads") * hd;
        const double dense = N("n_experts") > 0 ? N("n_dense_layers") : N("n_layers");
        const double experts = N("n_experts") * 3 * d * N("n_expert_ff") + 3 * d * N("n_shared_ff") + d * N("n_experts");
        const double all = N("n_layers") * attention + dense * (is_plain_ffn ? 2 : 3) * d * N("n_ff") + (N("n_layers") - dense) * experts +
                           N("n_vocab") * d * (catalog_flag(r, "tied") ? 1 : 2);
        CHECK(fabs(all / 1e9 / N("params_b") - 1) < 0.005, "%s: %.4f B from the shape, %.4f in the table", catalog_name(r), all / 1e9, N("params_b"));
        CHECK(N("n_window_layers") <= N("n_layers") && (N("n_window_layers") > 0) == (N("window_tok") > 0), "%s", catalog_name(r));
        CHECK(isnan(catalog_number(r, "active_b")) == (N("n_experts") == 0) && catalog_number_or(r, "active_b", 0) < N("params_b"), "%s", catalog_name(r));
        n_checked++;
#undef N
    }
    CHECK(n_checked > 90, "%d", n_checked);
    catalog_free(c);
}

TEST(bits_of_a_type_are_those_of_the_engine)
{
    static const struct {
        const char *name;
        int block, bytes;
    } types[] = {
#define X(id, type, block, bytes) { "type " #type, block, bytes },
        DTYPE_LIST(X)
#undef X
    };
    struct err err = { 0 };
    struct catalog *c = open_tables();
    REQUIRE(c);
    const struct catalog_table *t = catalog_table(c, "quant", &err);
    REQUIRE(t);
    int n = 0;
    for (int i = 0; i < catalog_n_rows(t); i++)
        for (size_t k = 0; k < sizeof(types) / sizeof(types[0]); k++)
            if (strcmp(catalog_name(catalog_row(t, i)), types[k].name) == 0) {
                CHECK(fabs(catalog_number(catalog_row(t, i), "bpw") - 8.0 * types[k].bytes / types[k].block) < 1e-9, "%s", types[k].name);
                n++;
            }
    CHECK(n >= 25, "%d", n);
    catalog_free(c);
}

/* Other tables refer to rows by name; an alias that two rows claim would name neither. */
TEST(every_name_and_alias_finds_its_own_row)
{
    struct err err = { 0 };
    struct catalog *c = open_tables();
    REQUIRE(c);
    for (int i = 0; i < catalog_n_tables(); i++) {
        const struct catalog_table *t = catalog_table(c, catalog_table_name(i), &err);
        REQUIRE(t, "%s", err.text);
        for (int k = 0; k < catalog_n_rows(t); k++) {
            const struct catalog_row *r = catalog_row(t, k);
            CHECK(catalog_find(t, catalog_name(r), &err) == r, "%s: %s", catalog_name(r), err.text);
            for (const char *p = catalog_text(r, "alias"); *p;) {
                char one[160];
                const size_t n = strcspn(p, ";");
                snprintf(one, sizeof(one), "%.*s", (int)n, p);
                p += n + (p[n] == ';');
                CHECK(catalog_find(t, one, &err) == r, "%s, alias '%s': %s", catalog_name(r), one, err.text);
            }
        }
    }
    catalog_free(c);
}

TEST(measurements_name_hardware_that_the_catalog_knows)
{
    struct err err = { 0 };
    struct catalog *c = open_tables();
    REQUIRE(c);
    const struct catalog_table *t = catalog_table(c, "measured", &err);
    REQUIRE(t);
    for (int i = 0; i < catalog_n_rows(t); i++) {
        const char *name = catalog_text(catalog_row(t, i), "hardware");
        CHECK(catalog_find_in(c, "gpu soc phone accelerator cpu", name, &err), "%s: %s", name, err.text);
    }
    catalog_free(c);
}

TEST(prices_name_hardware_that_the_catalog_knows)
{
    struct err err = { 0 };
    struct catalog *c = open_tables();
    REQUIRE(c);
    const struct catalog_table *t = catalog_table(c, "price_street", &err);
    REQUIRE(t);
    for (int i = 0; i < catalog_n_rows(t); i++) {
        const char *name = catalog_text(catalog_row(t, i), "hardware");
        CHECK(strncmp(name, "GeForce", 7) != 0 || row(c, "gpu", name), "%s", name);
    }
    catalog_free(c);
}
