/* tests/quant/test_quantize.c - files in other formats: right to the bound of each format, the same from any number of threads, whole or not there. */
#include "quant/quantize.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/rng.h"
#include "gguf/write.h"
#include "hw/cpu.h"
#include "test.h"

/* 131072 values are a piece: the first tensor has more than one, and a tail. */
static const struct { const char *name; int n_dims; uint64_t ne[4]; } tensors[] = {
    { "token_embd.weight", 2, { 512, 515, 1, 1 } },      { "blk.0.attn_norm.weight", 1, { 512, 1, 1, 1 } },
    { "blk.0.attn_v.weight", 2, { 512, 64, 1, 1 } },     { "blk.0.ffn_down.weight", 2, { 768, 20, 1, 1 } },
    { "blk.0.ffn_up.weight", 2, { 160, 33, 1, 1 } },     { "blk.0.odd.weight", 2, { 37, 5, 1, 1 } },
    { "blk.0.ffn_gate_exps.weight", 3, { 256, 7, 3, 1 } }, { "blk.0.ffn_gate_inp.weight", 2, { 512, 3, 1, 1 } },
};
enum { N_TENSORS = sizeof(tensors) / sizeof(tensors[0]), VALUES_MAX = 512 * 515 };

static void put_keys(struct gguf_writer *w)
{
    /* an array of two arrays, as no function of the writer makes it: lengths in front of each */
    static const uint8_t nested[] = { 5, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 5, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 9, 0, 0, 0 };
    const struct gguf_kv arrays = { "some.arrays", GGUF_ARRAY, GGUF_ARRAY, 2, nested, sizeof(nested) };
    gguf_write_str(w, "general.architecture", "llama");
    gguf_write_u32(w, "general.file_type", 0);
    gguf_write_u32(w, "general.alignment", 32);
    gguf_write_u32(w, "llama.block_count", 1);
    gguf_write_u32(w, "llama.attention.head_count", 8);
    gguf_write_u32(w, "llama.attention.head_count_kv", 2);
    gguf_write_strs(w, "words", (const struct gguf_str[]){ { "a", 1 }, { "", 0 } }, 2);
    gguf_write_kv(w, &arrays);
}

/* odd: value 1000 of blk.0.attn_v.weight. */
static struct gguf *make_model(const char *file, enum dtype type, float odd)
{
    static float x[VALUES_MAX];
    static uint16_t h[VALUES_MAX];
    struct err err = { 0 };
    struct rng r;
    struct gguf_writer *w = gguf_writer_new(&err);
    char path[256];
    rng_seed(&r, 5);
    snprintf(path, sizeof(path), "%s", test_tmp(file));
    if (!w)
        return NULL;
    put_keys(w);
    for (int i = 0; i < N_TENSORS; i++)
        gguf_write_tensor(w, tensors[i].name, tensors[i].n_dims > 1 ? type : DTYPE_F32, tensors[i].n_dims, tensors[i].ne);
    bool ok = gguf_writer_begin(w, path, &err);
    for (int i = 0; ok && i < N_TENSORS; i++) {
        const size_t n = (size_t)(tensors[i].ne[0] * tensors[i].ne[1] * tensors[i].ne[2]);
        for (size_t k = 0; k < n; k++)
            x[k] = (float)(rng_f64(&r) + rng_f64(&r) + rng_f64(&r) - 1.5) * 0.1f;
        if (i == 2 && odd != 0.0f)
            x[1000] = odd;
        for (size_t k = 0; k < n; k++)
            h[k] = type == DTYPE_F16 ? dtype_f32_to_f16(x[k]) : dtype_f32_to_bf16(x[k]);
        if (type == DTYPE_F32 || tensors[i].n_dims == 1)
            gguf_writer_data(w, x, n * 4);
        else
            gguf_writer_data(w, h, n * 2);
        ok = gguf_writer_next(w, &err);
    }
    ok = ok && gguf_writer_end(w, &err);
    gguf_writer_free(w);
    return ok ? gguf_open(path, &err) : NULL;
}

static bool never(void *ctx) { return ctx != NULL; }

static bool convert(const struct gguf *g, const struct quant_options *o, const char *path, int n_threads, void *stop, double *nmse, struct err *err)
{
    const struct quant_watch watch = { .is_stopped = never, .ctx = stop };
    struct pool *pool = pool_new(n_threads, err);
    struct quant *q = pool ? quant_new(g, o, err) : NULL;
    struct stat st;
    const uint64_t n_bytes = q ? quant_file_bytes(q) : 0;
    const bool ok = q && quant_write(q, path, pool, cpu_flags(), &watch, err);
    double error = 0.0, power = 0.0;
    for (size_t i = 0; ok && i < quant_n_items(q); i++)
        error += quant_item_at(q, i)->error, power += quant_item_at(q, i)->power;
    if (nmse)
        *nmse = power > 0.0 ? error / power : 0.0;
    if (ok)
        CHECK(stat(path, &st) == 0 && (uint64_t)st.st_size == n_bytes, "%" PRIu64 " bytes expected", n_bytes);
    quant_free(q);
    pool_free(pool);
    return ok;
}

static bool is_there(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

/* sum (x - y)^2 / sum x^2 over what is no vector. */
static double compare(const struct gguf *a, const struct gguf *b)
{
    static float x[VALUES_MAX], y[VALUES_MAX];
    double error = 0.0, power = 0.0;
    for (size_t i = 0; i < gguf_n_tensors(a); i++) {
        const struct gguf_tensor *t = gguf_tensor_at(a, i), *u = gguf_find_tensor(b, t->name);
        const size_t n = (size_t)(t->ne[0] * t->ne[1] * t->ne[2]);
        if (!u || u->n_dims != t->n_dims || memcmp(u->ne, t->ne, sizeof(t->ne)) != 0 || !dtype_to_f32(x, t->type, t->data, n) ||
            !dtype_to_f32(y, u->type, u->data, n)) {
            CHECK(false, "%s", t->name);
            return INFINITY;
        }
        if (u->type == t->type)
            CHECK(memcmp(t->data, u->data, t->n_bytes) == 0, "%s", t->name);
        for (size_t k = 0; k < n && u->type != t->type; k++)
            error += pow((double)x[k] - (double)y[k], 2), power += (double)x[k] * (double)x[k];
    }
    return power > 0.0 ? error / power : 0.0;
}

TEST(every_type_comes_back_within_its_bound)
{
    /* A step of d loses d^2 / 12; these are some 20 % above what such numbers lose at those bits. */
    static const struct { const char *mix; double most; } bounds[] = {
        { "f32", 0 }, { "f16", 1e-7 }, { "bf16", 5e-6 }, { "q8_0", 4e-5 }, { "q4_0", 7e-3 }, { "q4_1", 6e-3 }, { "q5_0", 2e-3 }, { "q5_1", 1.5e-3 },
        { "q2_k", 7e-2 }, { "q3_k_s", 2.5e-2 }, { "q3_k_m", 2.5e-2 }, { "q3_k_l", 2.5e-2 }, { "q4_k_s", 6e-3 }, { "q4_k_m", 6e-3 },
        { "q5_k_s", 1.5e-3 }, { "q5_k_m", 1.5e-3 }, { "q6_k", 4e-4 }, { "iq4_nl", 6e-3 }, { "iq4_xs", 6e-3 }, { "mxfp4", 1.4e-2 },
    };
    char path[256];
    for (int from = 0; from < 3; from++) {
        static const enum dtype types[] = { DTYPE_F32, DTYPE_F16, DTYPE_BF16 };
        struct gguf *g = make_model("in.gguf", types[from], 0.0f);
        REQUIRE(g);
        snprintf(path, sizeof(path), "%s", test_tmp("out.gguf"));
        for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
            struct err err = { 0 };
            double said = 0.0;
            int64_t v = 0;
            const struct quant_options o = { .mix = mix_find(bounds[i].mix), .pure = (int)(i % 2) == from % 2 };
            REQUIRE(convert(g, &o, path, 1 + (int)i % 2, NULL, &said, &err), "%s: %s", bounds[i].mix, err.text);
            struct gguf *b = gguf_open(path, &err);
            REQUIRE(b, "%s", err.text);
            const double got = compare(g, b);
            CHECK(got <= bounds[i].most || o.mix->type == types[from], "%s: %g", bounds[i].mix, got);
            CHECK(fabs(got - said) <= 1e-4 * got, "%s: says %g, lost %g", bounds[i].mix, said, got);
            CHECK(gguf_get_i64(b, "general.file_type", &v) && v == o.mix->file_type && gguf_get_i64(b, "general.quantization_version", &v) && v == 2);
            CHECK(!gguf_find(b, "general.alignment") && gguf_find(b, "words") && gguf_find(b, "words")->n == 2);
            const struct gguf_kv *arrays = gguf_find(b, "some.arrays");
            CHECK(arrays && arrays->n == 2 && arrays->elem_type == GGUF_ARRAY && arrays->n_bytes == 36);
            CHECK(gguf_find_tensor(b, "blk.0.ffn_gate_inp.weight")->type == types[from], "a router stays");
            gguf_close(b);
        }
        gguf_close(g);
        unlink(path);
    }
}

TEST(the_file_does_not_depend_on_threads_or_instructions)
{
    static const char *const names[] = { "q4_k_m", "q2_k", "q8_0", "iq4_xs", "q5_1" };
    struct gguf *g = make_model("in.gguf", DTYPE_F16, 0.0f);
    char paths[2][256];
    REQUIRE(g);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const struct quant_options o = { .mix = mix_find(names[i]) };
        struct err err = { 0 };
        double nmse[2];
        size_t n[2];
        char *bytes[2];
        for (int k = 0; k < 2; k++) {
            snprintf(paths[k], sizeof(paths[k]), "%s", test_tmp(k ? "two.gguf" : "one.gguf"));
            REQUIRE(convert(g, &o, paths[k], 1 + k, NULL, &nmse[k], &err), "%s", err.text);
            bytes[k] = file_read(paths[k], 64 << 20, &n[k], &err);
            REQUIRE(bytes[k]);
        }
        CHECK(n[0] == n[1] && memcmp(bytes[0], bytes[1], n[0]) == 0, "%s", names[i]);
        CHECK(nmse[0] == nmse[1], "%s: %.17g, %.17g", names[i], nmse[0], nmse[1]);
        free(bytes[0]), free(bytes[1]);
    }
    gguf_close(g);
}

TEST(a_broken_weight_is_named_and_no_file_is_left)
{
    static const float odd[] = { NAN, INFINITY, -INFINITY };
    char path[256], tmp[264];
    snprintf(path, sizeof(path), "%s", test_tmp("out.gguf"));
    snprintf(tmp, sizeof(tmp), "%s.tmp", path);
    for (int i = 0; i < 3; i++) {
        const struct quant_options o = { .mix = mix_find("q4_k_m") };
        struct err err = { 0 };
        struct gguf *g = make_model("in.gguf", i == 1 ? DTYPE_F16 : DTYPE_F32, odd[i]);
        REQUIRE(g);
        CHECK(!convert(g, &o, path, 2, NULL, NULL, &err) && err.code == ERR_INPUT);
        CHECK(strstr(err.text, "tensor 'blk.0.attn_v.weight': value 1000 of 32768 is ") && strstr(err.text, i ? "infinite" : "not a number"), "%s", err.text);
        CHECK(!is_there(path) && !is_there(tmp));
        gguf_close(g);
    }
}

TEST(a_stopped_conversion_leaves_nothing)
{
    char path[256], tmp[264];
    const struct quant_options o = { .mix = mix_find("q8_0") };
    struct err err = { 0 };
    struct gguf *g = make_model("in.gguf", DTYPE_F32, 0.0f);
    REQUIRE(g);
    snprintf(path, sizeof(path), "%s", test_tmp("out.gguf"));
    snprintf(tmp, sizeof(tmp), "%s.tmp", path);
    CHECK(!convert(g, &o, path, 2, &err, NULL, &err) && err.code == ERR_CANCELLED, "%s", err.text);
    CHECK(!is_there(path) && !is_there(tmp));
    gguf_close(g);
}

TEST(quantizing_again_must_be_asked_for)
{
    char path[256], again[256];
    struct err err = { 0 };
    struct gguf *g = make_model("in.gguf", DTYPE_F32, 0.0f);
    REQUIRE(g);
    snprintf(path, sizeof(path), "%s", test_tmp("q8.gguf"));
    snprintf(again, sizeof(again), "%s", test_tmp("q4.gguf"));
    struct quant_options o = { .mix = mix_find("q8_0") };
    REQUIRE(convert(g, &o, path, 2, NULL, NULL, &err), "%s", err.text);
    struct gguf *b = gguf_open(path, &err);
    REQUIRE(b, "%s", err.text);
    CHECK(convert(b, &o, again, 2, NULL, NULL, &err), "the same type is copied: %s", err.text);
    o.mix = mix_find("q4_0");
    CHECK(!convert(b, &o, again, 2, NULL, NULL, &err) && strstr(err.text, "is q8_0 already"), "%s", err.text);
    o.requantize = true;
    err = (struct err){ 0 };
    REQUIRE(convert(b, &o, again, 2, NULL, NULL, &err), "%s", err.text);
    struct gguf *c = gguf_open(again, &err);
    REQUIRE(c);
    const double lost = compare(g, c);
    CHECK(lost < 7e-3, "%g", lost);
    gguf_close(c);
    gguf_close(b);
    gguf_close(g);
}

TEST(rules_name_tensors_by_pattern)
{
    struct err err = { 0 };
    const struct quant_rule rules[] = { { "blk.*.attn_v.weight", DTYPE_Q6_K }, { "token_embd.weight", DTYPE_F16 }, { "blk.*", DTYPE_Q5_K } };
    struct quant_options o = { .mix = mix_find("q4_k_m"), .rules = rules, .n_rules = 3 };
    struct gguf *g = make_model("in.gguf", DTYPE_F32, 0.0f);
    REQUIRE(g);
    struct quant *q = quant_new(g, &o, &err);
    REQUIRE(q, "%s", err.text);
    CHECK(quant_item_at(q, 0)->type == DTYPE_F16 && quant_item_at(q, 1)->type == DTYPE_F32 && quant_item_at(q, 2)->type == DTYPE_Q6_K);
    CHECK(quant_item_at(q, 3)->type == DTYPE_Q5_K && quant_item_at(q, 4)->type == DTYPE_Q5_1 && quant_item_at(q, 5)->type == DTYPE_F16);
    CHECK(quant_item_at(q, 4)->wish == DTYPE_Q5_K, "said, not hidden");
    quant_free(q);
    const struct quant_rule none = { "blk.0.attn_norm.weight", DTYPE_Q6_K };
    o.rules = &none, o.n_rules = 1;
    CHECK(!quant_new(g, &o, &err) && strstr(err.text, "matches no tensor"), "a norm does not change: %s", err.text);
    gguf_close(g);
}
