/* tests/quant/test_mix.c - number formats are chosen as llama-quantize did in the shared models; sizes are those that plan/ expects. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "gguf/write.h"
#include "plan/model.h"
#include "quant/quantize.h"
#include "test.h"

static void check_model(const char *path, const char *name)
{
    struct err err = { 0 };
    struct gguf *g = gguf_open(path, &err);
    REQUIRE(g, "%s", err.text);
    const struct quant_options o = { .mix = mix_find(name), .requantize = true };
    struct quant *q = quant_new(g, &o, &err);
    REQUIRE(q, "%s", err.text);
    for (size_t i = 0; i < quant_n_items(q); i++) {
        const struct quant_item *item = quant_item_at(q, i);
        CHECK(item->is_copied, "%s %s: %s, llama-quantize took %s", name, item->tensor->name, dtype_info(item->type)->name,
              dtype_info(item->tensor->type)->name);
    }
    int64_t file_type = -1;
    CHECK(gguf_get_i64(g, "general.file_type", &file_type) && file_type == o.mix->file_type, "%s", name);
    quant_free(q);
    gguf_close(g);
}

TEST(formats_are_chosen_as_in_files_that_llama_quantize_wrote)
{
    static const char *const models[][2] = {
        { "d256-q2_k", "q2_k" }, { "d256-q3_k_m", "q3_k_m" }, { "d256-q4_k_m", "q4_k_m" }, { "d256-q5_k_m", "q5_k_m" },
        { "d256-q6_k", "q6_k" }, { "d256-iq4_xs", "iq4_xs" }, { "h192-iq4_nl", "iq4_nl" }, { "h192-q4_0", "q4_0" },
        { "h192-q4_1", "q4_1" }, { "h192-q5_0", "q5_0" }, { "h192-q5_1", "q5_1" }, { "h192-q8_0", "q8_0" },
    };
    char path[64];
    for (size_t i = 0; i < sizeof(models) / sizeof(models[0]); i++) {
        snprintf(path, sizeof(path), "models/llm/stories260K-%s.gguf", models[i][0]);
        check_model(test_shared(path), models[i][1]);
    }
}

/* The header of Llama 3.2 1B in F16, and a hole where its weights would be. */
static struct gguf *open_llama_1b(struct err *err)
{
    static const struct { const char *name; uint64_t cols, rows; } parts[] = {
        { "attn_norm", 2048, 0 },   { "attn_q", 2048, 2048 },  { "attn_k", 2048, 512 },    { "attn_v", 2048, 512 },    { "attn_output", 2048, 2048 },
        { "ffn_norm", 2048, 0 },    { "ffn_gate", 2048, 8192 }, { "ffn_up", 2048, 8192 },  { "ffn_down", 8192, 2048 },
    };
    const char *path = test_tmp("1b.gguf");
    char tmp[256], name[64];
    struct gguf_writer *w = gguf_writer_new(err);
    if (!w)
        return NULL;
    gguf_write_str(w, "general.architecture", "llama");
    gguf_write_u32(w, "llama.block_count", 16);
    gguf_write_u32(w, "llama.attention.head_count", 32);
    gguf_write_u32(w, "llama.attention.head_count_kv", 8);
    gguf_write_tensor(w, "token_embd.weight", DTYPE_F16, 2, (const uint64_t[]){ 2048, 128256 });
    gguf_write_tensor(w, "output_norm.weight", DTYPE_F32, 1, (const uint64_t[]){ 2048 });
    for (int l = 0; l < 16; l++)
        for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
            snprintf(name, sizeof(name), "blk.%d.%s.weight", l, parts[i].name);
            gguf_write_tensor(w, name, parts[i].rows ? DTYPE_F16 : DTYPE_F32, parts[i].rows ? 2 : 1, (const uint64_t[]){ parts[i].cols, parts[i].rows });
        }
    snprintf(tmp, sizeof(tmp), "%s.tmp", path);
    struct gguf *g = NULL;
    if (gguf_writer_begin(w, path, err) && truncate(tmp, (off_t)gguf_writer_file_bytes(w)) == 0)
        g = gguf_open(tmp, err);
    gguf_writer_free(w); /* takes the name away; the mapping stays */
    return g;
}

TEST(files_have_the_size_that_plan_expects)
{
    struct err err = { 0 };
    struct gguf *g = open_llama_1b(&err);
    REQUIRE(g, "%s", err.text);
    for (int i = 0; i < n_mixes; i++) {
        const struct quant_options o = { .mix = &mixes[i] };
        uint64_t n_values = 0, n_bytes = 0;
        bool is_alias = false;
        for (int k = 0; k < i; k++)
            is_alias |= mixes[k].file_type == mixes[i].file_type;
        if (is_alias || mixes[i].type == DTYPE_MXFP4 /* of experts */)
            continue;
        struct quant *q = quant_new(g, &o, &err);
        REQUIRE(q, "%s", err.text);
        for (size_t k = 0; k < quant_n_items(q); k++)
            n_values += quant_item_at(q, k)->n_values, n_bytes += quant_item_at(q, k)->n_bytes;
        const double bpw = 8.0 * (double)n_bytes / (double)n_values, want = plan_quant_bpw(mixes[i].name, (double)n_values);
        CHECK(fabs(bpw / want - 1.0) < 0.015, "%s: %.3f bits a weight, plan/ says %.3f", mixes[i].name, bpw, want);
        if (getenv("TEST_SHOW"))
            printf("# %-7s %.3f bits a weight, plan/ says %.3f\n", mixes[i].name, bpw, want);
        quant_free(q);
    }
    gguf_close(g);
}

TEST(shapes_fall_back_to_smaller_blocks)
{
    CHECK(mix_fit(DTYPE_Q4_K, 512) == DTYPE_Q4_K && mix_fit(DTYPE_Q4_K, 576) == DTYPE_Q5_0 && mix_fit(DTYPE_Q5_K, 32) == DTYPE_Q5_1);
    CHECK(mix_fit(DTYPE_Q6_K, 96) == DTYPE_Q8_0 && mix_fit(DTYPE_Q2_K, 96) == DTYPE_Q4_0 && mix_fit(DTYPE_IQ4_XS, 96) == DTYPE_IQ4_NL);
    CHECK(mix_fit(DTYPE_Q4_K, 172) == DTYPE_F16 && mix_fit(DTYPE_Q8_0, 31) == DTYPE_F16 && mix_fit(DTYPE_F32, 31) == DTYPE_F32);
}

TEST(small_and_delicate_tensors_stay)
{
    CHECK(mix_may_change("blk.0.ffn_down.weight", 2) && mix_may_change("token_embd.weight", 2) && mix_may_change("blk.1.ffn_up_exps.weight", 3));
    CHECK(!mix_may_change("blk.0.attn_norm.weight", 1) && !mix_may_change("blk.0.attn_q_norm.weight", 2) && !mix_may_change("blk.0.attn_q.bias", 2));
    CHECK(!mix_may_change("blk.0.ffn_gate_inp.weight", 2) && !mix_may_change("position_embd.weight", 2) && !mix_may_change("rope_freqs.weight", 1));
}
