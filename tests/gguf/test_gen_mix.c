/* tests/gguf/test_gen_mix.c - gen-model chooses number formats as llama-quantize did in the shared models. */
#include "../../tools/gen-model/mix.c"

#include <stdio.h>
#include <string.h>

#include "gguf/gguf.h"
#include "test.h"

static enum role role_of(const char *name)
{
    static const struct {
        const char *part;
        enum role role;
    } table[] = {
        { "token_embd", ROLE_EMBD }, { "attn_output", ROLE_ATTN_OUT }, { "output.weight", ROLE_OUTPUT }, { "attn_q.weight", ROLE_Q }, { "attn_k.weight", ROLE_K },
        { "attn_v.weight", ROLE_V }, { "ffn_gate.weight", ROLE_GATE }, { "ffn_up.weight", ROLE_UP },
        { "ffn_down.weight", ROLE_DOWN }, { "norm", ROLE_NORM },
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (strstr(name, table[i].part))
            return table[i].role;
    return ROLE_BIAS;
}

static void check_model(const char *path, const char *mix)
{
    struct err err = { 0 };
    uint32_t n_layer = 0, n_head = 0, n_head_kv = 0;
    struct gguf *g = gguf_open(path, &err);
    REQUIRE(g, "%s", err.text);
    gguf_get_u32(g, "llama.block_count", &n_layer);
    gguf_get_u32(g, "llama.attention.head_count", &n_head);
    gguf_get_u32(g, "llama.attention.head_count_kv", &n_head_kv);
    const struct shape s = { .n_layer = (int)n_layer, .n_head = (int)n_head, .n_head_kv = (int)n_head_kv,
                             .tied = !gguf_find_tensor(g, "output.weight") };
    const struct mix *m = mix_find(mix);
    for (size_t i = 0; i < gguf_n_tensors(g); i++) {
        const struct gguf_tensor *t = gguf_tensor_at(g, i);
        struct weight w = { .role = role_of(t->name), .layer = -1, .n_dims = t->n_dims, .ne = { t->ne[0], t->ne[1], 1, 1 } };
        if (sscanf(t->name, "blk.%d.", &w.layer) != 1)
            w.layer = -1;
        const enum dtype got = mix_type(m, &s, &w, false);
        CHECK(got == t->type, "%s %s: %s, llama-quantize took %s", mix, t->name, dtype_info(got)->name, dtype_info(t->type)->name);
    }
    int64_t file_type = -1;
    CHECK(gguf_get_i64(g, "general.file_type", &file_type) && file_type == m->file_type, "%s", mix);
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
