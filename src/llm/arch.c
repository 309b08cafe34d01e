/* llm/arch.c - the architectures, alphabetical; a new one is an entry here. */
#include "llm/arch.h"

#include <stdio.h>
#include <string.h>

static const struct llm_arch archs[] = {
    { .name = "bert", .norm = NORM_LAYER, .rope = ROPE_NONE, .act = ACT_GELU, .post_norm = true, .learned_pos = true },
    { .name = "deepseek2", .rope = ROPE_ADJACENT, .mla = true },
    { .name = "gemma", .rope = ROPE_HALVES, .act = ACT_GELU, .embd_sqrt = true, .tied_output = true },
    { .name = "gemma2", .rope = ROPE_HALVES, .act = ACT_GELU, .embd_sqrt = true, .tied_output = true, .window_period = 2,
      .attn_cap = 50.0f, .final_cap = 30.0f },
    { .name = "gemma3", .rope = ROPE_HALVES, .act = ACT_GELU, .embd_sqrt = true, .tied_output = true, .window_period = 6,
      .window_rope_base = 10000.0f },
    { .name = "gpt-oss", .rope = ROPE_HALVES, .act = ACT_SWIGLU_OAI, .gate = GATE_TOPK_SOFTMAX, .window_period = 2,
      .ffn_norm = "post_attention_norm" },
    { .name = "gpt2", .norm = NORM_LAYER, .rope = ROPE_NONE, .act = ACT_GELU, .learned_pos = true },
    { .name = "granite", .rope = ROPE_ADJACENT },
    { .name = "internlm2", .rope = ROPE_ADJACENT },
    { .name = "llama", .rope = ROPE_ADJACENT, .gate_norm = true },
    { .name = "phi3", .rope = ROPE_HALVES },
    { .name = "qwen2", .rope = ROPE_HALVES },
    { .name = "qwen2moe", .rope = ROPE_HALVES },
    { .name = "qwen3", .rope = ROPE_HALVES },
    { .name = "qwen3moe", .rope = ROPE_HALVES, .gate_norm = true },
    { .name = "smollm3", .rope = ROPE_ADJACENT, .no_rope_period = 4 },
    { .name = "starcoder2", .norm = NORM_LAYER, .rope = ROPE_HALVES, .act = ACT_GELU },
};
enum { N_ARCHS = sizeof(archs) / sizeof(archs[0]) };

const struct llm_arch *llm_arch_find(const char *name, size_t n)
{
    for (int i = 0; i < N_ARCHS; i++)
        if (strlen(archs[i].name) == n && memcmp(archs[i].name, name, n) == 0)
            return &archs[i];
    return NULL;
}

void llm_arch_names(char *out, size_t n_bytes)
{
    size_t at = 0;
    out[0] = '\0';
    for (int i = 0; i < N_ARCHS && at < n_bytes; i++)
        at += (size_t)snprintf(out + at, n_bytes - at, "%s%s", i ? ", " : "", archs[i].name);
}
