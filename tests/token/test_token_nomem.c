/* tests/token/test_token_nomem.c - vocabularies and texts when memory runs out, at every allocation. */
#include "fail_alloc.h"
#include "test.h"
#include "token/tiny.h"
#include "token/token.h"

struct job {
    const char *kind, *pre;
    struct gguf *g;
};

static bool open_and_tokenize(void *arg, struct err *err)
{
    static const char text[] = "ab  a[X]b [X][X][Y] \xe4\xbd\xa0\xff 12345 <s> ab ab\n";
    const struct job *j = arg;
    struct token_list l;
    token_list_init(&l, 1000);
    struct vocab *v = vocab_open(j->g, err);
    bool ok = v && vocab_tokenize(v, text, sizeof(text) - 1, TOKEN_ADD_SPECIAL | TOKEN_PARSE_SPECIAL, &l, err) && l.len > 0;
    if (v && !ok)
        CHECK(l.len == 0, "%zu tokens of a text that failed", l.len);
    token_list_fini(&l);
    vocab_free(v);
    return ok;
}

static void check_kind(const char *kind, const char *pre)
{
    static const char *const tokens[] = { "<unk>", "<s>", "</s>", "a", "b", "ab", "[X]", "[X][Y]", "▁", "▁a", "Ġ", "1" };
    static const int32_t types[] = { 2, 3, 3, 1, 1, 1, 4, 4, 1, 1, 1, 1 };
    static const float scores[12] = { 0 };
    static const char *const merges[] = { "a b", "Ġ a" };
    struct err err = { 0 };
    struct tiny t;
    tiny_init(&t);
    tiny_put_str(&t, "tokenizer.ggml.model", kind);
    tiny_put_str(&t, "tokenizer.ggml.pre", pre);
    tiny_put_strs(&t, "tokenizer.ggml.tokens", tokens, 12);
    tiny_put_i32s(&t, "tokenizer.ggml.token_type", types, 12);
    tiny_put_f32s(&t, "tokenizer.ggml.scores", scores, 12);
    tiny_put_strs(&t, "tokenizer.ggml.merges", merges, 2);
    tiny_put_u32(&t, "tokenizer.ggml.unknown_token_id", 0);
    struct job j = { kind, pre, tiny_open(&t, &err) };
    REQUIRE(j.g, "%s", err.text);
    CHECK(fail_alloc_each(open_and_tokenize, &j, 2000) > 10, "%s", kind);
    gguf_close(j.g);
    tiny_fini(&t);
}

TEST(sentencepiece_survives_every_failing_allocation) { check_kind("llama", "default"); }
TEST(byte_level_bpe_survives_every_failing_allocation) { check_kind("gpt2", "falcon"); }
TEST(raw_bpe_survives_every_failing_allocation) { check_kind("gemma4", "gemma4"); }
TEST(wordpiece_survives_every_failing_allocation) { check_kind("bert", "default"); }
TEST(unigram_survives_every_failing_allocation) { check_kind("t5", "default"); }
