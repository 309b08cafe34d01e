/* tests/fuzz/fuzz_token.c - texts through vocabularies, and vocabularies that lie.
 *
 * First byte: 0..3 a built-in vocabulary of that kind, the rest (after a byte of flags) is text; 4..7 a vocabulary
 * made from the bytes; 8.. a GGUF file.  What must hold: ids lie in the vocabulary, text comes back as UTF-8,
 * and through a byte-level vocabulary with all bytes it comes back the same. */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/utf8.h"
#include "token/tiny.h"
#include "token/token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const kinds[] = { "llama", "gpt2", "bert", "t5" };

static void demand(bool ok)
{
    if (!ok)
        abort();
}

static void run_text(const struct vocab *v, const char *text, size_t n, unsigned flags, bool reversible)
{
    struct token_list l;
    struct buf b;
    struct detok d;
    struct err err = { 0 };
    char *copy = malloc(n + !n); /* of its own, so that reading past it is seen */
    token_list_init(&l, 100000);
    buf_init(&b, 10 << 20);
    detok_init(&d, flags >> 2 & 3);
    if (copy) {
        memcpy(copy, text, n);
        if (vocab_tokenize(v, copy, n, flags & 3, &l, &err)) {
            for (size_t i = 0; i < l.len; i++) {
                demand(l.ids[i] >= 0 && l.ids[i] < vocab_size(v));
                const size_t before = b.len;
                detok_push(v, &d, l.ids[i], &b);
                demand(b.len == before || utf8_is_valid(b.data + before, b.len - before));
            }
            detok_flush(&d, &b);
            demand(b.len == 0 || utf8_is_valid(b.data, b.len));
            if (reversible && !(flags & 3) && utf8_is_valid(copy, n))
                demand(b.len == n && (n == 0 || memcmp(b.data, copy, n) == 0));
        } else {
            demand(err.text[0] && l.len == 0);
        }
    }
    free(copy);
    token_list_fini(&l);
    buf_fini(&b);
}

static void run_file(struct gguf *g, const char *text, size_t n, unsigned flags, bool reversible)
{
    struct err err = { 0 };
    struct vocab *v = g ? vocab_open(g, &err) : NULL;
    if (v) {
        struct buf b;
        buf_init(&b, 1 << 20);
        for (int32_t id = -2; id < vocab_size(v) + 2 && id < 2000; id++) {
            vocab_piece(v, id, &b);
            vocab_is_eog(v, id);
        }
        for (int role = 0; role < VOCAB_ROLE_COUNT; role++)
            demand(vocab_role(v, (enum vocab_role)role) >= TOKEN_NONE && vocab_role(v, (enum vocab_role)role) < vocab_size(v));
        buf_fini(&b);
        run_text(v, text, n, flags, reversible);
    } else {
        demand(!g || err.text[0]);
    }
    vocab_free(v);
    gguf_close(g);
}

/* All bytes, and some words that overlap in unpleasant ways. */
static void run_built_in(unsigned kind, const char *text, size_t n, unsigned flags)
{
    static const char *const words[] = { "<unk>", "<s>", "</s>", "<|im_end|>", "[X]", "[X][Y]", "[Y][Z][W]", "  ", "   ", "a", "b", "aa", "aaa", "aaaa",
                                         "ab", "ba", "▁", "▁▁", "▁a", "▁ab", "▁the", "th", "he", "the", "é", "▁é", "<mask>", "Ġ", "Ġa", "ĠĠ" };
    static const char *const merges[] = { "a a", "aa aa", "aa a", "a b", "Ġ a", "Ġ Ġ", "t h", "th e", "h e", "Ã ©" };
    static const char *const pres[] = { "gpt-2", "llama-bpe", "deepseek-llm", "gpt-4o" };
    enum { N_WORDS = sizeof(words) / sizeof(words[0]), N_ALL = 256 + N_WORDS };
    static char byte_text[256][8];
    const char *all[N_ALL];
    int32_t type[N_ALL];
    float score[N_ALL];
    struct tiny t;
    struct err err = { 0 };
    for (unsigned b = 0; b < 256; b++) {
        if (kind == 1) { /* GPT-2's alphabet */
            const bool plain = (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b != 0xad);
            const uint32_t cp = plain ? b : 0x100 + (b <= 0x20 ? b : b <= 0xa0 ? b - 0x7f + 33 : 67);
            byte_text[b][utf8_encode(cp, byte_text[b])] = '\0';
        } else {
            snprintf(byte_text[b], sizeof(byte_text[b]), "<0x%02X>", b);
        }
        all[b] = byte_text[b], type[b] = kind == 1 ? 1 : 6, score[b] = 0;
    }
    for (int i = 0; i < N_WORDS; i++)
        all[256 + i] = words[i], type[256 + i] = i == 0 ? 2 : i < 4 || i == 5 || i == 6 ? 3 : i == 4 || i == 7 || i == 8 ? 4 : 1, score[256 + i] = (float)-(i * 7 % 13);
    tiny_init(&t);
    tiny_put_str(&t, "tokenizer.ggml.model", kinds[kind]);
    tiny_put_str(&t, "tokenizer.ggml.pre", pres[flags >> 4 & 3]);
    tiny_put_strs(&t, "tokenizer.ggml.tokens", all, N_ALL);
    tiny_put_i32s(&t, "tokenizer.ggml.token_type", type, N_ALL);
    tiny_put_f32s(&t, "tokenizer.ggml.scores", score, N_ALL);
    tiny_put_strs(&t, "tokenizer.ggml.merges", merges, sizeof(merges) / sizeof(merges[0]));
    tiny_put_bool(&t, "tokenizer.ggml.add_space_prefix", flags & 64);
    if (flags & 128)
        tiny_put_str(&t, "general.name", "phi-3");
    run_file(tiny_open(&t, &err), text, n, flags, kind == 1);
    tiny_fini(&t);
}

struct cursor {
    const uint8_t *at, *end;
};
static unsigned next_byte(struct cursor *c) { return c->at < c->end ? *c->at++ : 0; }

/* A vocabulary in the order of the bytes: each token a length and bytes, its type and score from the length byte. */
static void run_made(unsigned kind, struct cursor c)
{
    const unsigned flags = next_byte(&c), n_tokens = next_byte(&c), n_merges = kind == 1 ? next_byte(&c) % 32 : 0, extra = next_byte(&c);
    struct tiny t;
    struct err err = { 0 };
    tiny_init(&t);
    tiny_put_str(&t, "tokenizer.ggml.model", flags & 16 ? "gemma4" : kinds[kind]);
    tiny_put_str(&t, "tokenizer.ggml.pre", flags & 32 ? "qwen2" : "default");
    int32_t type[256];
    float score[256];
    tiny_array(&t, "tokenizer.ggml.tokens", TINY_STRING, n_tokens);
    for (unsigned i = 0; i < n_tokens; i++) {
        const unsigned shape = next_byte(&c), len = shape & 15, left = (unsigned)(c.end - c.at);
        const unsigned n = len < left ? len : left;
        tiny_str(&t.kv, (const char *)c.at, n);
        c.at += n;
        type[i] = (int32_t)(shape >> 4) - 1;
        const uint32_t bits = shape & 8 ? 0x7fc00000u + shape : 0xc0000000u + (shape << 16);
        memcpy(&score[i], &bits, 4);
    }
    tiny_put_i32s(&t, "tokenizer.ggml.token_type", type, n_tokens);
    tiny_put_f32s(&t, "tokenizer.ggml.scores", score, n_tokens);
    tiny_array(&t, "tokenizer.ggml.merges", TINY_STRING, n_merges);
    for (unsigned i = 0; i < n_merges; i++) {
        const unsigned len = next_byte(&c) & 7, left = (unsigned)(c.end - c.at), n = len < left ? len : left;
        tiny_str(&t.kv, (const char *)c.at, n);
        c.at += n;
    }
    if (extra & 1) {
        const unsigned n = next_byte(&c);
        tiny_array(&t, "tokenizer.ggml.precompiled_charsmap", TINY_U8, n);
        for (unsigned i = 0; i < n; i++)
            tiny_number(&t.kv, next_byte(&c), 1);
    }
    if (extra & 2)
        tiny_put_u32(&t, "tokenizer.ggml.unknown_token_id", next_byte(&c));
    if (extra & 4)
        tiny_put_u32(&t, "tokenizer.ggml.bos_token_id", next_byte(&c) << 24 | next_byte(&c));
    tiny_put_bool(&t, "tokenizer.ggml.add_bos_token", extra & 8);
    tiny_put_bool(&t, "tokenizer.ggml.add_eos_token", extra & 16);
    tiny_put_bool(&t, "tokenizer.ggml.remove_extra_whitespaces", extra & 32);
    tiny_put_str(&t, "general.architecture", extra & 64 ? "nomic-bert-moe" : "llama");
    run_file(tiny_open(&t, &err), (const char *)c.at, (size_t)(c.end - c.at), flags, false);
    tiny_fini(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = { 0 };
    log_set_level(LOG_ERROR);
    if (size < 2)
        return 0;
    if (data[0] < 4)
        run_built_in(data[0], (const char *)data + 2, size - 2, data[1]);
    else if (data[0] < 8)
        run_made(data[0] - 4u, (struct cursor){ data + 1, data + size });
    else
        run_file(gguf_open_memory(data + 1, size - 1, "fuzz", &err), (const char *)data, size < 300 ? size : 300, data[0], false);
    return 0;
}
