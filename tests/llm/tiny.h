/* tests/llm/tiny.h - a tiny llama-like model with random weights, written where a test wants it. */
#ifndef TUTTI_TESTS_LLM_TINY_H
#define TUTTI_TESTS_LLM_TINY_H
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/rng.h"
#include "gguf/write.h"
#include "kernels/encode/encode.h"
#include "test.h"

enum { TINY_VOCAB = 96, TINY_E = 64, TINY_LAYERS = 2, TINY_HEADS = 4, TINY_KV = 2, TINY_FF = 96, TINY_CTX = 512 };

struct tiny { /* what is odd about this one; zero is a good model */
    const char *arch;       /* NULL: llama */
    enum dtype type;        /* of matrices; F32 = 0 */
    const char *leave_out;  /* a tensor that is missing */
    const char *wrong;      /* a tensor with one row too many */
    int heads;              /* that the keys claim; 0: TINY_HEADS */
    int head_rows;          /* heads that the tensors have; 0: TINY_HEADS */
};

static void tiny_tensor(struct gguf_writer *w, const struct tiny *t, const char *name, int cols, int rows)
{
    const bool is_vec = rows == 0;
    const uint64_t ne[2] = { (uint64_t)cols, (uint64_t)rows + (t->wrong && strcmp(t->wrong, name) == 0) };
    if (!t->leave_out || strcmp(t->leave_out, name) != 0)
        gguf_write_tensor(w, name, is_vec ? DTYPE_F32 : t->type, is_vec ? 1 : 2, ne);
}

/* Calls fn for every tensor in order. */
static void tiny_each(void (*fn)(struct gguf_writer *, const struct tiny *, const char *, int, int), struct gguf_writer *w, const struct tiny *t)
{
    const int kv = TINY_E / (t->head_rows ? t->head_rows : TINY_HEADS) * TINY_KV;
    fn(w, t, "token_embd.weight", TINY_E, TINY_VOCAB);
    fn(w, t, "output_norm.weight", TINY_E, 0);
    for (int i = 0; i < TINY_LAYERS; i++) {
        const struct { const char *name; int cols, rows; } of[] = {
            { "attn_norm", TINY_E, 0 }, { "attn_q", TINY_E, TINY_E }, { "attn_k", TINY_E, kv }, { "attn_v", TINY_E, kv },
            { "attn_output", TINY_E, TINY_E }, { "ffn_norm", TINY_E, 0 }, { "ffn_gate", TINY_E, TINY_FF }, { "ffn_up", TINY_E, TINY_FF },
            { "ffn_down", TINY_FF, TINY_E },
        };
        for (size_t k = 0; k < sizeof(of) / sizeof(of[0]); k++) {
            char name[64];
            snprintf(name, sizeof(name), "blk.%d.%s.weight", i, of[k].name);
            fn(w, t, name, of[k].cols, of[k].rows);
        }
    }
}

static struct rng tiny_rng;

static void tiny_data(struct gguf_writer *w, const struct tiny *t, const char *name, int cols, int rows)
{
    float row[256];
    uint8_t block[1024];
    struct err err = { 0 };
    const bool is_vec = rows == 0;
    if (t->leave_out && strcmp(t->leave_out, name) == 0)
        return;
    for (int r = 0; r < (is_vec ? 1 : rows + (t->wrong && strcmp(t->wrong, name) == 0)); r++) {
        for (int i = 0; i < cols; i++)
            row[i] = is_vec ? 1.0f : (float)(rng_f64(&tiny_rng) - 0.5) * 4.0f / sqrtf((float)cols);
        encode_row(block, is_vec ? DTYPE_F32 : t->type, row, (size_t)cols);
        gguf_writer_data(w, block, (size_t)dtype_row_bytes(is_vec ? DTYPE_F32 : t->type, (uint64_t)cols));
    }
    CHECK(gguf_writer_next(w, &err), "%s", err.text);
}

/* Writes the model; returns its path (test_tmp's buffer). */
static const char *tiny_write(const char *file, const struct tiny *t)
{
    struct err err = { 0 };
    struct gguf_writer *w = gguf_writer_new(&err);
    const char *path = test_tmp(file), *arch = t->arch ? t->arch : "llama";
    char key[96];
    rng_seed(&tiny_rng, 7);
    gguf_write_str(w, "general.architecture", arch);
    const struct { const char *key; uint32_t v; } keys[] = {
        { "context_length", TINY_CTX }, { "embedding_length", TINY_E }, { "block_count", TINY_LAYERS }, { "feed_forward_length", TINY_FF },
        { "attention.head_count", t->heads ? (uint32_t)t->heads : TINY_HEADS }, { "attention.head_count_kv", TINY_KV },
    };
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        snprintf(key, sizeof(key), "%s.%s", arch, keys[i].key);
        gguf_write_u32(w, key, keys[i].v);
    }
    snprintf(key, sizeof(key), "%s.attention.layer_norm_rms_epsilon", arch);
    gguf_write_f32(w, key, 1e-5f);
    tiny_each(tiny_tensor, w, t);
    CHECK(gguf_writer_begin(w, path, &err), "%s", err.text);
    tiny_each(tiny_data, w, t);
    CHECK(gguf_writer_end(w, &err), "%s", err.text);
    gguf_writer_free(w);
    return path;
}
#endif
