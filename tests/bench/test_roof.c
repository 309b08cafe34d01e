/* tests/bench/test_roof.c - bytes and operations of a token, and the limit that follows from them. */
#include "bench/roof.h"

#include <math.h>
#include <string.h>

#include "bench/bench.h"
#include "test.h"

/* A model of round figures: 1000 weights multiplied for a token, 256 of them for the last token of a prompt alone; a byte each; 8 query heads on 2 of K/V. */
static const struct llm_info model = { .n_head = 8, .n_kv_head = 2, .active_params = 1000, .last_params = 256, .bytes_per_tok = 1000, .kv_bytes_per_tok_f16 = 10 };
static const struct bench_units int8 = { { 0, 1, 0, 0 } };
static const struct bench_limits machine = { 1e6, 1e7, NAN, 1e6 };

static bool is_near(double a, double b) { return fabs(a - b) <= 1e-9 * fabs(b); }

TEST(a_decoded_token_reads_the_weights_and_its_keys_and_values)
{
    const struct bench_work one = bench_work_of(&model, &int8, &machine, true, 20, 90, 1), four = bench_work_of(&model, &int8, &machine, true, 20, 90, 4);
    enum bench_roof roof;
    CHECK(is_near(one.bytes, 1000 + 10 * 100) && is_near(one.ops[ROOF_INT8], 2000), "%g, %g", one.bytes, one.ops[ROOF_INT8]);
    CHECK(is_near(one.ops[ROOF_F32], 10 * 100 * 4) && one.ops[ROOF_BF16] == 0, "each K/V value meets the four heads of its group once");
    CHECK(is_near(four.bytes, 1000 / 4.0 + 10 * 100) && is_near(bench_work_ops(&four), 2000 + 4000), "four sequences share the weights, not K and V");
    const struct bench_work flat = bench_work_of(&model, &int8, &machine, true, 2, 0, 1);
    CHECK(is_near(bench_allowed_tps(&flat, &machine, &roof), 1e6 / 1010) && roof == ROOF_READ);
}

TEST(a_prompt_reads_the_weights_once_a_chunk_and_multiplies_what_is_for_its_last_token_once)
{
    enum bench_roof roof;
    const struct bench_work w = bench_work_of(&model, &int8, &machine, false, 100, 0, 1), longer = bench_work_of(&model, &int8, &machine, false, 2048, 0, 1);
    CHECK(is_near(w.ops[ROOF_INT8], 2 * (1000 - 256) + 2 * 256 / 100.0), "%g", w.ops[ROOF_INT8]);
    CHECK(is_near(w.bytes, 1000 / 100.0 + 10 * 50 / 100.0), "%g", w.bytes);
    CHECK(is_near(longer.bytes, 1000 / 512.0 + 10 * 1024 / 512.0) && is_near(longer.ops[ROOF_F32], 10 * 1024 * 4));
    const double allowed = bench_allowed_tps(&w, &machine, &roof);
    CHECK(roof == ROOF_F32 && is_near(1 / allowed, w.ops[ROOF_INT8] / 1e7 + w.ops[ROOF_F32] / 1e6), "units take turns: their times add up");
    const struct bench_limits fast = { 1e6, 1e7, 4e6, 1e6 };
    CHECK(bench_work_of(&model, &int8, &fast, false, 100, 0, 1).ops[ROOF_BF16] > 0, "attention in the fastest float unit");
}

TEST(a_limit_that_was_not_measured_binds_nothing)
{
    const struct bench_limits only_read = { 1e6, NAN, NAN, NAN };
    const struct bench_work w = bench_work_of(&model, &int8, &only_read, true, 2, 0, 64);
    enum bench_roof roof;
    CHECK(is_near(bench_allowed_tps(&w, &only_read, &roof), 1e6 / w.bytes) && roof == ROOF_READ);
    const struct bench_limits mean = bench_limits_between(&machine, &only_read);
    CHECK(mean.read_bps == 1e6 && isnan(mean.int8_ops));
    CHECK(strcmp(bench_roof_names[ROOF_INT8], "int8") == 0 && bench_limit(&machine, ROOF_INT8) == 1e7 && bench_limit(&machine, ROOF_F32) == 1e6);
}

TEST(only_the_roofs_that_were_asked_for_are_probed_on_the_threads_in_use)
{
    struct err err = { 0 };
    struct pool *pool = pool_new(2, &err);
    REQUIRE(pool, "%s", err.text);
    struct bench_prober *p = bench_prober_new(pool, 0, &err);
    REQUIRE(p, "%s", err.text);
    pool_use(pool, 1);
    const struct bench_limits read = bench_prober_run(p, 1 << ROOF_READ, true), ops = bench_prober_run(p, 1 << ROOF_INT8 | 1 << ROOF_F32, true);
    CHECK(read.read_bps > 0 && isnan(read.int8_ops) && isnan(read.f32_flops));
    CHECK(isnan(ops.read_bps) && ops.int8_ops > 0 && ops.f32_flops > 0 && isnan(ops.bf16_flops));
    bench_prober_free(p);
    bench_prober_free(NULL);
    pool_free(pool);
}

TEST(the_units_of_a_model_are_those_of_its_weights)
{
    struct err err = { 0 };
    struct kernels k;
    struct bench_units u;
    struct gguf *g = gguf_open("models/tutti-tiny.gguf", &err);
    if (!g)
        SKIP("no models/tutti-tiny.gguf here");
    kernels_choose(&k, 0);
    bench_units(&u, g, &k);
    CHECK(u.frac[ROOF_READ] == 0 && u.frac[ROOF_INT8] > 0.9 && is_near(u.frac[ROOF_INT8] + u.frac[ROOF_BF16] + u.frac[ROOF_F32], 1), "%g", u.frac[ROOF_INT8]);
    gguf_close(g);
}
