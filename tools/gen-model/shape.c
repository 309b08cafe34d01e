/* gen-model/shape.c - the shapes: facts of models that exist (their config.json and GGUF files name them), and
 * small ones for tests.  A new shape is a row in `shapes`. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "gen.h"

static const char *const smol_special[] = {
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<repo_name>", "<reponame>", "<file_sep>", "<filename>", "<gh_stars>",
    "<issue_start>", "<issue_comment>", "<issue_closed>", "<jupyter_start>", "<jupyter_text>", "<jupyter_code>",
    "<jupyter_output>", "<jupyter_script>", "<empty_output>",
};
static const char *const qwen_special[] = {
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>", "<|box_end|>",
    "<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>",
    "<tool_call>", "</tool_call>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>", "<|repo_name|>",
    "<|file_sep|>",
};
static const char *const llama3_special[256] = { /* the others are reserved ones */
    [0] = "<|begin_of_text|>", [1] = "<|end_of_text|>", [4] = "<|finetune_right_pad_id|>", [6] = "<|start_header_id|>",
    [7] = "<|end_header_id|>", [8] = "<|eom_id|>", [9] = "<|eot_id|>",
};
#define SPECIAL(list) .special = list, .n_special = sizeof(list) / sizeof(list[0])

const struct shape shapes[] = {
    { "smollm2-135m", "SmolLM2 135M", "llama", 30, 576, 1536, 9, 3, 64, 49152, 8192, 100000.0f, 1e-5f, .tied = true,
      .pre = "smollm", .special_at = 0, SPECIAL(smol_special), .bos = 1, .eos = 2 },
    { "smollm2-360m", "SmolLM2 360M", "llama", 32, 960, 2560, 15, 5, 64, 49152, 8192, 100000.0f, 1e-5f, .tied = true,
      .pre = "smollm", .special_at = 0, SPECIAL(smol_special), .bos = 1, .eos = 2 },
    { "qwen2.5-0.5b", "Qwen2.5 0.5B", "qwen2", 24, 896, 4864, 14, 2, 64, 151936, 32768, 1000000.0f, 1e-6f, .tied = true,
      .qkv_bias = true, .pre = "qwen2", .special_at = 151643, SPECIAL(qwen_special), .bos = 0, .eos = 2 },
    { "llama-3.2-1b", "Llama 3.2 1B", "llama", 16, 2048, 8192, 32, 8, 64, 128256, 131072, 500000.0f, 1e-5f, .tied = true,
      .llama3_rope = true, .pre = "llama-bpe", .special_at = 128000, SPECIAL(llama3_special), .bos = 0, .eos = 9, .add_bos = true },
    { "llama-3-8b-8layers", "Llama 3 8B, 8 of 32 layers", "llama", 8, 4096, 14336, 32, 8, 128, 128256, 8192, 500000.0f, 1e-5f,
      .pre = "llama-bpe", .special_at = 128000, SPECIAL(llama3_special), .bos = 0, .eos = 9, .add_bos = true },
    /* For tests: rows of 256 multiples; rows that only blocks of 32 divide; biases; experts. */
    { "tiny-llama", "tiny llama", "llama", 4, 256, 512, 4, 2, 64, 512, 2048, 10000.0f, 1e-5f,
      .pre = "smollm", .special_at = 0, SPECIAL(smol_special), .bos = 1, .eos = 2 },
    { "tiny-odd", "tiny llama, odd sizes", "llama", 3, 96, 160, 3, 1, 32, 323, 1024, 10000.0f, 1e-5f, .tied = true,
      .pre = "smollm", .special_at = 0, SPECIAL(smol_special), .bos = 1, .eos = 2 },
    { "tiny-qwen2", "tiny qwen2", "qwen2", 4, 256, 768, 8, 2, 32, 512, 2048, 1000000.0f, 1e-6f, .tied = true, .qkv_bias = true,
      .pre = "qwen2", .special_at = 400, SPECIAL(qwen_special), .bos = 0, .eos = 2 },
    { "tiny-moe", "tiny llama with experts", "llama", 2, 256, 256, 4, 2, 64, 512, 2048, 10000.0f, 1e-5f, .n_expert = 4,
      .n_expert_used = 2, .pre = "smollm", .special_at = 0, SPECIAL(smol_special), .bos = 1, .eos = 2 },
};
const int n_shapes = sizeof(shapes) / sizeof(shapes[0]);

const struct shape *shape_find(const char *name)
{
    for (int i = 0; i < n_shapes; i++)
        if (strcmp(shapes[i].name, name) == 0)
            return &shapes[i];
    return NULL;
}

static const char chatml[] =
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";
static const char llama3_chat[] =
    "{{ bos_token }}{% for message in messages %}{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' + "
    "message['content'] | trim + '<|eot_id|>' }}{% endfor %}{% if add_generation_prompt %}"
    "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}";

void shape_write_keys(const struct shape *s, struct gguf_writer *w, uint32_t file_type)
{
    char key[96];
#define KEY(tail) (snprintf(key, sizeof(key), "%s." tail, s->arch), key)
    gguf_write_str(w, "general.architecture", s->arch);
    gguf_write_str(w, "general.name", s->title);
    gguf_write_str(w, "general.description", "random weights, made by tools/gen-model");
    gguf_write_u32(w, KEY("block_count"), (uint32_t)s->n_layer);
    gguf_write_u32(w, KEY("context_length"), (uint32_t)s->n_ctx);
    gguf_write_u32(w, KEY("embedding_length"), (uint32_t)s->n_embd);
    gguf_write_u32(w, KEY("feed_forward_length"), (uint32_t)s->n_ff);
    gguf_write_u32(w, KEY("attention.head_count"), (uint32_t)s->n_head);
    gguf_write_u32(w, KEY("attention.head_count_kv"), (uint32_t)s->n_head_kv);
    gguf_write_f32(w, KEY("rope.freq_base"), s->rope_base);
    gguf_write_f32(w, KEY("attention.layer_norm_rms_epsilon"), s->rms_eps);
    if (strcmp(s->arch, "llama") == 0) {
        gguf_write_u32(w, KEY("attention.key_length"), (uint32_t)s->head_dim);
        gguf_write_u32(w, KEY("attention.value_length"), (uint32_t)s->head_dim);
        gguf_write_u32(w, KEY("vocab_size"), (uint32_t)s->n_vocab);
        gguf_write_u32(w, KEY("rope.dimension_count"), (uint32_t)s->head_dim);
    }
    if (s->n_expert) {
        gguf_write_u32(w, KEY("expert_count"), (uint32_t)s->n_expert);
        gguf_write_u32(w, KEY("expert_used_count"), (uint32_t)s->n_expert_used);
    }
    gguf_write_u32(w, "general.file_type", file_type);
    gguf_write_u32(w, "general.quantization_version", 2);
    gguf_write_u32(w, "tokenizer.ggml.bos_token_id", (uint32_t)(s->special_at + s->bos));
    gguf_write_u32(w, "tokenizer.ggml.eos_token_id", (uint32_t)(s->special_at + s->eos));
    gguf_write_bool(w, "tokenizer.ggml.add_bos_token", s->add_bos);
    gguf_write_str(w, "tokenizer.chat_template", s->special == llama3_special ? llama3_chat : chatml);
#undef KEY
}

float shape_rope_factor(const struct shape *s, int i)
{
    /* Llama 3: wavelengths beyond 8192 / 1 are slowed 32 times, those below 8192 / 4 stay, a ramp between
     * (rope_scaling of the model's config.json; transformers, modeling_rope_utils.py). */
    const double factor = 32.0, low = 1.0, high = 4.0, old_ctx = 8192.0;
    const double wavelength = 2.0 * 3.14159265358979323846 * pow((double)s->rope_base, 2.0 * i / s->head_dim);
    if (wavelength < old_ctx / high)
        return 1.0f;
    if (wavelength > old_ctx / low)
        return (float)factor;
    const double smooth = (old_ctx / wavelength - low) / (high - low);
    return (float)(1.0 / ((1.0 - smooth) / factor + smooth));
}

int shape_max_weights(const struct shape *s) { return 4 + s->n_layer * 13; }

static void put(struct weight *out, int *n, enum role role, int layer, const char *name, int n_dims, uint64_t a, uint64_t b, uint64_t c)
{
    struct weight *t = &out[(*n)++];
    *t = (struct weight){ .role = role, .layer = layer, .n_dims = n_dims, .ne = { a, b, c, 1 } };
    if (layer >= 0)
        snprintf(t->name, sizeof(t->name), "blk.%d.%s", layer, name);
    else
        snprintf(t->name, sizeof(t->name), "%s", name);
}

int shape_weights(const struct shape *s, struct weight *out)
{
    const uint64_t embd = (uint64_t)s->n_embd, ff = (uint64_t)s->n_ff, vocab = (uint64_t)s->n_vocab, x = (uint64_t)s->n_expert;
    const uint64_t q = (uint64_t)(s->n_head * s->head_dim), kv = (uint64_t)(s->n_head_kv * s->head_dim);
    int n = 0;
    if (s->llama3_rope)
        put(out, &n, ROLE_ROPE_FREQS, -1, "rope_freqs.weight", 1, (uint64_t)s->head_dim / 2, 1, 1);
    put(out, &n, ROLE_MATRIX, -1, "token_embd.weight", 2, embd, vocab, 1);
    for (int i = 0; i < s->n_layer; i++) {
        put(out, &n, ROLE_NORM, i, "attn_norm.weight", 1, embd, 1, 1);
        put(out, &n, ROLE_MATRIX, i, "attn_q.weight", 2, embd, q, 1);
        put(out, &n, ROLE_MATRIX, i, "attn_k.weight", 2, embd, kv, 1);
        put(out, &n, ROLE_MATRIX, i, "attn_v.weight", 2, embd, kv, 1);
        put(out, &n, ROLE_MATRIX, i, "attn_output.weight", 2, q, embd, 1);
        if (s->qkv_bias) {
            put(out, &n, ROLE_BIAS, i, "attn_q.bias", 1, q, 1, 1);
            put(out, &n, ROLE_BIAS, i, "attn_k.bias", 1, kv, 1, 1);
            put(out, &n, ROLE_BIAS, i, "attn_v.bias", 1, kv, 1, 1);
        }
        put(out, &n, ROLE_NORM, i, "ffn_norm.weight", 1, embd, 1, 1);
        if (x) {
            put(out, &n, ROLE_MATRIX, i, "ffn_gate_inp.weight", 2, embd, x, 1);
            put(out, &n, ROLE_MATRIX, i, "ffn_gate_exps.weight", 3, embd, ff, x);
            put(out, &n, ROLE_MATRIX, i, "ffn_up_exps.weight", 3, embd, ff, x);
            put(out, &n, ROLE_MATRIX, i, "ffn_down_exps.weight", 3, ff, embd, x);
        } else {
            put(out, &n, ROLE_MATRIX, i, "ffn_gate.weight", 2, embd, ff, 1);
            put(out, &n, ROLE_MATRIX, i, "ffn_up.weight", 2, embd, ff, 1);
            put(out, &n, ROLE_MATRIX, i, "ffn_down.weight", 2, ff, embd, 1);
        }
    }
    put(out, &n, ROLE_NORM, -1, "output_norm.weight", 1, embd, 1, 1);
    if (!s->tied)
        put(out, &n, ROLE_MATRIX, -1, "output.weight", 2, embd, vocab, 1);
    return n;
}
