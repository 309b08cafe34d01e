/* tools/train/export.c - names and keys as llama files have them (ggml-org/ggml docs/gguf.md); see export.h. */
#include "export.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "gguf/write.h"
#include "kernels/encode/encode.h"

/* Turns alternate; a system message has no place in a model of this size and is left out. */
const char export_chat_template[] =
    "{{ bos_token }}{% for message in messages %}"
    "{% if message['role'] == 'user' %}{{ '<|user|>' + message['content'] | trim + '<|end|>' }}"
    "{% elif message['role'] == 'assistant' %}{{ '<|bot|>' + message['content'] | trim + '<|end|>' }}"
    "{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|bot|>' }}{% endif %}";

/* GPT-2 writes bytes as characters that can be seen: those that cannot go to U+0100 and on, in order. */
static size_t show_bytes(char *out, const char *s, size_t n)
{
    size_t len = 0;
    for (size_t i = 0; i < n; i++) {
        const unsigned char c = (unsigned char)s[i];
        uint32_t cp = c, hidden = 0;
        for (unsigned k = 0; k < 256; k++) {
            const bool seen = (k >= 0x21 && k <= 0x7e) || (k >= 0xa1 && k <= 0xac) || k >= 0xae;
            if (k == c) {
                cp = seen ? c : 256 + hidden;
                break;
            }
            hidden += !seen;
        }
        len += utf8_encode(cp, out + len);
    }
    return len;
}

static size_t show_token(char *out, const struct bpe *b, int id)
{
    if (id < TOK_SPECIAL_COUNT) {
        strcpy(out, bpe_special[id]);
        return strlen(out);
    }
    size_t n;
    const char *s = bpe_bytes(b, id, &n);
    return show_bytes(out, s, n);
}

/* "left right"; 0 when the token is no merge. */
static size_t show_merge(char *out, const struct bpe *b, int id)
{
    int left, right;
    if (!bpe_merge(b, id, &left, &right))
        return 0;
    size_t n = show_token(out, b, left);
    out[n++] = ' ';
    return n + show_token(out + n, b, right);
}

static bool put_vocab(struct gguf_writer *w, const struct bpe *b, struct err *err)
{
    enum { TEXT_MAX = 512 };
    const size_t n = (size_t)bpe_n_vocab(b);
    char *text = malloc(n * TEXT_MAX);
    struct gguf_str *str = malloc(n * sizeof(*str));
    int32_t *type = malloc(n * sizeof(*type));
    const bool ok = (text && str && type) || err_set(err, ERR_NOMEM, "export: out of memory");
    if (ok) {
        gguf_write_str(w, "tokenizer.ggml.model", "gpt2");
        gguf_write_str(w, "tokenizer.ggml.pre", "gpt-2");
        for (size_t i = 0; i < n; i++) {
            str[i] = (struct gguf_str){ text + i * TEXT_MAX, show_token(text + i * TEXT_MAX, b, (int)i) };
            type[i] = i < TOK_SPECIAL_COUNT ? 3 : 1; /* control, normal */
        }
        gguf_write_strs(w, "tokenizer.ggml.tokens", str, n);
        gguf_write_i32s(w, "tokenizer.ggml.token_type", type, n);
        size_t n_merges = 0;
        for (size_t i = 0; i < n; i++) {
            str[n_merges] = (struct gguf_str){ text + i * TEXT_MAX, show_merge(text + i * TEXT_MAX, b, (int)i) };
            n_merges += str[n_merges].len > 0;
        }
        gguf_write_strs(w, "tokenizer.ggml.merges", str, n_merges);
        gguf_write_u32(w, "tokenizer.ggml.bos_token_id", TOK_DOC);
        gguf_write_u32(w, "tokenizer.ggml.eos_token_id", TOK_END);
        gguf_write_u32(w, "tokenizer.ggml.padding_token_id", TOK_END);
        gguf_write_bool(w, "tokenizer.ggml.add_bos_token", true);
        gguf_write_bool(w, "tokenizer.ggml.add_eos_token", false);
        gguf_write_str(w, "tokenizer.chat_template", export_chat_template);
    }
    free(text);
    free(str);
    free(type);
    return ok;
}

static void put_facts(struct gguf_writer *w, const struct shape *s, enum dtype type, const char *name)
{
    gguf_write_str(w, "general.architecture", "llama");
    gguf_write_str(w, "general.type", "model");
    gguf_write_str(w, "general.name", name);
    gguf_write_str(w, "general.description", "A tiny language model, trained from scratch by the tutti project (tools/train) on "
                                             "children's stories and simple chat. It tells short stories; it knows almost nothing.");
    gguf_write_str(w, "general.license", "apache-2.0");
    gguf_write_u32(w, "general.file_type", type == DTYPE_Q8_0 ? 7 : type == DTYPE_F16 ? 1 : 0);
    gguf_write_u32(w, "general.quantization_version", 2);
    const struct { const char *key; int value; } size[] = {
        { "llama.vocab_size", s->vocab },
        { "llama.context_length", s->ctx },
        { "llama.embedding_length", s->dim },
        { "llama.block_count", s->n_layers },
        { "llama.feed_forward_length", s->ffn },
        { "llama.attention.head_count", s->n_heads },
        { "llama.attention.head_count_kv", s->n_kv_heads },
        { "llama.attention.key_length", s->head_dim },
        { "llama.attention.value_length", s->head_dim },
        { "llama.rope.dimension_count", s->head_dim },
    };
    for (size_t i = 0; i < sizeof(size) / sizeof(size[0]); i++)
        gguf_write_u32(w, size[i].key, (uint32_t)size[i].value);
    gguf_write_f32(w, "llama.attention.layer_norm_rms_epsilon", s->norm_eps);
    gguf_write_f32(w, "llama.rope.freq_base", s->rope_base);
}

struct tensor { /* rows 0: a vector, always F32 */
    char name[48];
    size_t from, cols, rows;
};

static size_t list_tensors(struct tensor *t, const struct model *m)
{
    const struct shape *s = model_shape(m);
    const struct layout *at = model_layout(m);
    const size_t d = (size_t)s->dim, q = (size_t)(s->n_heads * s->head_dim), g = (size_t)(s->n_kv_heads * s->head_dim);
    const size_t f = (size_t)s->ffn;
    size_t n = 0;
    t[n++] = (struct tensor){ "token_embd.weight", at->embed, d, (size_t)s->vocab };
    t[n++] = (struct tensor){ "output_norm.weight", at->norm, d, 0 };
    for (int l = 0; l < s->n_layers; l++) {
        const struct layer_at *y = &at->layer[l];
        const struct { const char *name; size_t from, cols, rows; } part[] = {
            { "attn_norm", y->norm1, d, 0 },     { "attn_q", y->wqkv, d, q },
            { "attn_k", y->wqkv + q * d, d, g }, { "attn_v", y->wqkv + (q + g) * d, d, g },
            { "attn_output", y->wo, q, d },      { "ffn_norm", y->norm2, d, 0 },
            { "ffn_gate", y->wgu, d, f },        { "ffn_up", y->wgu + f * d, d, f },
            { "ffn_down", y->wd, f, d },
        };
        for (size_t i = 0; i < sizeof(part) / sizeof(part[0]); i++, n++) {
            t[n] = (struct tensor){ "", part[i].from, part[i].cols, part[i].rows };
            snprintf(t[n].name, sizeof(t[n].name), "blk.%d.%s.weight", l, part[i].name);
        }
    }
    return n;
}

static bool put_data(struct gguf_writer *w, const struct tensor *t, const float *x, enum dtype type, struct err *err)
{
    if (t->rows == 0)
        type = DTYPE_F32;
    const size_t n = t->cols * (t->rows ? t->rows : 1), bytes = (size_t)dtype_row_bytes(type, n);
    void *blocks = bytes ? malloc(bytes) : NULL;
    if (!blocks || !encode_row(blocks, type, x, n)) {
        free(blocks);
        return err_set(err, ERR_UNSUPPORTED, "%s: %zu columns cannot be written as %s", t->name, t->cols, dtype_info(type)->name);
    }
    gguf_writer_data(w, blocks, bytes);
    free(blocks);
    return gguf_writer_next(w, err);
}

bool export_gguf(const char *path, struct model *m, const struct bpe *b, enum dtype type, const char *name, struct err *err)
{
    struct gguf_writer *w = gguf_writer_new(err);
    struct tensor *t = malloc((2 + 9 * (size_t)model_shape(m)->n_layers) * sizeof(*t));
    bool ok = w && (t || err_set(err, ERR_NOMEM, "export: out of memory"));
    if (ok) {
        put_facts(w, model_shape(m), type, name);
        ok = put_vocab(w, b, err);
    }
    const size_t n = ok ? list_tensors(t, m) : 0;
    for (size_t i = 0; i < n; i++)
        gguf_write_tensor(w, t[i].name, t[i].rows ? type : DTYPE_F32, t[i].rows ? 2 : 1, (uint64_t[]){ t[i].cols, t[i].rows });
    ok = ok && gguf_writer_begin(w, path, err);
    for (size_t i = 0; ok && i < n; i++)
        ok = put_data(w, &t[i], model_params(m) + t[i].from, type, err);
    ok = ok && gguf_writer_end(w, err);
    gguf_writer_free(w);
    free(t);
    return ok;
}
