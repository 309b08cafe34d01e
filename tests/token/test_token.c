/* tests/token/test_token.c - tokenizers and detokenizer on small vocabularies made here; round trips and
 * running time on the real ones of ../shared/vocab. */
#include <math.h>
#include <time.h>

#include "base/utf8.h"
#include "test.h"
#include "token/tiny.h"
#include "token/token.h"

enum { NORMAL = 1, UNKNOWN = 2, CONTROL = 3, USER = 4, UNUSED = 5, BYTE = 6 };

struct entry {
    const char *text;
    int32_t type;
    float score;
};

struct model { /* one vocabulary, open */
    struct tiny tiny;
    struct gguf *g;
    struct vocab *v;
    struct err err;
};

static void model_start(struct model *m, const char *kind, const struct entry *e, size_t n)
{
    const char *text[512];
    int32_t type[512];
    float score[512];
    memset(m, 0, sizeof(*m));
    tiny_init(&m->tiny);
    tiny_put_str(&m->tiny, "tokenizer.ggml.model", kind);
    for (size_t i = 0; i < n && i < 512; i++)
        text[i] = e[i].text, type[i] = e[i].type, score[i] = e[i].score;
    tiny_put_strs(&m->tiny, "tokenizer.ggml.tokens", text, n);
    tiny_put_i32s(&m->tiny, "tokenizer.ggml.token_type", type, n);
    tiny_put_f32s(&m->tiny, "tokenizer.ggml.scores", score, n);
}

static bool model_open(struct model *m)
{
    m->g = tiny_open(&m->tiny, &m->err);
    m->v = m->g ? vocab_open(m->g, &m->err) : NULL;
    return m->v;
}

static void model_close(struct model *m)
{
    vocab_free(m->v);
    gguf_close(m->g);
    tiny_fini(&m->tiny);
}

/* The ids as text, "1 2 3", in a buffer of its own. */
static const char *ids_of(const struct vocab *v, const char *text, unsigned flags)
{
    static char out[2048];
    struct token_list l;
    struct err err = { 0 };
    size_t len = 0;
    out[0] = '\0';
    token_list_init(&l, 200);
    CHECK(vocab_tokenize(v, text, strlen(text), flags, &l, &err), "%s", err.text);
    for (size_t i = 0; i < l.len; i++)
        len += (size_t)snprintf(out + len, sizeof(out) - len, i ? " %d" : "%d", l.ids[i]);
    token_list_fini(&l);
    return out;
}

#define CHECK_IDS(v, text, flags, want) \
    do { const char *got = ids_of(v, text, flags); CHECK(strcmp(got, want) == 0, "'%s': %s, not %s", text, got, want); } while (0)

/* ---- SentencePiece ---- */

static const struct entry spm[] = {
    { "<unk>", UNKNOWN, 0 }, { "<s>", CONTROL, 0 },  { "</s>", CONTROL, 0 }, { "<0x0A>", BYTE, 0 }, { "<0xE2>", BYTE, 0 },
    { "<0x82>", BYTE, 0 },   { "<0xAC>", BYTE, 0 },  { "▁", NORMAL, -9 },    { "a", NORMAL, -8 },   { "b", NORMAL, -7 },
    { "ab", NORMAL, -2 },    { "ba", NORMAL, -1 },   { "▁a", NORMAL, -3 },   { "aa", NORMAL, -4 },  { "[X]", USER, 0 },
    { "<|im_end|>", NORMAL, 0 }, { "[X][Y]", CONTROL, 0 }, { "[Y][Z][W]", CONTROL, 0 }, { "aba", NORMAL, NAN }, { "", NORMAL, 0 },
};

static void spm_start(struct model *m) { model_start(m, "llama", spm, sizeof(spm) / sizeof(spm[0])); }

TEST(sentencepiece_merges_the_best_score_first_and_the_leftmost_among_equals)
{
    struct model m;
    spm_start(&m);
    REQUIRE(model_open(&m), "%s", m.err.text);
    CHECK_IDS(m.v, "a", 0, "12");
    CHECK_IDS(m.v, "bab", 0, "7 11 9");  /* ba (-1) before ab (-2) */
    CHECK_IDS(m.v, "baaa", 0, "7 11 13"); /* then aa */
    CHECK_IDS(m.v, "xaaa", 0, "7 0 13 8");
    CHECK_IDS(m.v, "", 0, "");
    CHECK_IDS(m.v, "", TOKEN_ADD_SPECIAL, "1");
    CHECK_IDS(m.v, "a a", TOKEN_ADD_SPECIAL, "1 12 12");
    model_close(&m);
}

TEST(what_has_no_token_becomes_its_bytes_and_without_bytes_unk)
{
    struct model m;
    spm_start(&m);
    REQUIRE(model_open(&m));
    CHECK_IDS(m.v, "€\n", 0, "7 4 5 6 3");
    CHECK_IDS(m.v, "é", 0, "7 0 0");
    CHECK_IDS(m.v, "\xe2", 0, "7 4"); /* not UTF-8: a byte for itself */
    CHECK(vocab_role(m.v, VOCAB_NEWLINE) == 3 && vocab_role(m.v, VOCAB_UNK) == 0 && vocab_role(m.v, VOCAB_PAD) == TOKEN_NONE);
    model_close(&m);
}

TEST(special_tokens_are_found_longest_first_wherever_they_are)
{
    struct model m;
    spm_start(&m);
    REQUIRE(model_open(&m));
    CHECK_IDS(m.v, "a</s>a", TOKEN_PARSE_SPECIAL, "12 2 12");
    CHECK_IDS(m.v, "a[X]a", 0, "12 14 12");        /* user-defined: in any text */
    CHECK_IDS(m.v, "[X][X]", 0, "14 14");
    CHECK_IDS(m.v, "[X][Y]", TOKEN_PARSE_SPECIAL, "16");
    CHECK_IDS(m.v, "[X][Y][Z][W]", TOKEN_PARSE_SPECIAL, "14 17"); /* the longest first, though it starts later */
    CHECK_IDS(m.v, "[X][Y][Z][X][Y]", TOKEN_PARSE_SPECIAL, "16 7 0 0 0 16");
    CHECK_IDS(m.v, "<s>", 0, "7 0 0 0");           /* a control token is just text there */
    CHECK_IDS(m.v, "<|im_end|>", TOKEN_PARSE_SPECIAL, "15"); /* known by its spelling whatever its type */
    CHECK(vocab_is_eog(m.v, 15) && vocab_is_eog(m.v, 2) && !vocab_is_eog(m.v, 1) && vocab_is_control(m.v, 15));
    CHECK(vocab_role(m.v, VOCAB_EOT) == 15);
    model_close(&m);
}

TEST(the_file_decides_about_bos_eos_and_the_space_in_front)
{
    struct model m;
    spm_start(&m);
    tiny_put_bool(&m.tiny, "tokenizer.ggml.add_bos_token", false);
    tiny_put_bool(&m.tiny, "tokenizer.ggml.add_eos_token", true);
    tiny_put_bool(&m.tiny, "tokenizer.ggml.add_space_prefix", false);
    tiny_put_u32(&m.tiny, "tokenizer.ggml.eos_token_id", 15);
    tiny_put_u32(&m.tiny, "tokenizer.ggml.bos_token_id", 4000000000u); /* no such token: the default stays */
    REQUIRE(model_open(&m));
    CHECK_IDS(m.v, "a a", TOKEN_ADD_SPECIAL, "8 12 15");
    CHECK(!vocab_adds_bos(m.v) && vocab_adds_eos(m.v) && vocab_role(m.v, VOCAB_BOS) == 1 && vocab_is_eog(m.v, 15));
    model_close(&m);
}

TEST(phi_3_swallows_white_space_behind_special_tokens)
{
    struct model m;
    spm_start(&m);
    tiny_put_str(&m.tiny, "general.name", "My Phi-3 mini");
    REQUIRE(model_open(&m));
    CHECK_IDS(m.v, "[X] \n a", 0, "14 12");
    CHECK_IDS(m.v, "<s>\na", TOKEN_PARSE_SPECIAL, "1 7 3 8");
    model_close(&m);
}

/* ---- byte-level BPE ---- */

static const struct entry bpe[] = {
    { "h", NORMAL, 0 },   { "e", NORMAL, 0 },    { "l", NORMAL, 0 },     { "o", NORMAL, 0 },       { "Ġ", NORMAL, 0 },
    { "he", NORMAL, 0 },  { "ll", NORMAL, 0 },   { "llo", NORMAL, 0 },   { "hello", NORMAL, 0 },   { "Ġhe", NORMAL, 0 },
    { "Ċ", NORMAL, 0 },   { "Ã", NORMAL, 0 },    { "©", NORMAL, 0 },     { "<|eot_id|>", CONTROL, 0 }, { "lo", NORMAL, 0 },
    { "hell", NORMAL, 0 }, { "ð", NORMAL, 0 },   { "Ł", NORMAL, 0 },     { "Ļ", NORMAL, 0 },       { "Ģ", NORMAL, 0 },
    { "<|call|>", NORMAL, 0 }, { "<|return|>", NORMAL, 0 }, { "<|end|>", CONTROL, 0 }, { "<|channel|>", CONTROL, 0 },
};
static const char *const bpe_merges[] = { "h e", "l l", "ll o", "Ġ he", "he ll", "l o", "nothing there", "nospace", "", " ", "o  o", "h e" };

static void bpe_start(struct model *m, const char *pre)
{
    model_start(m, "gpt2", bpe, sizeof(bpe) / sizeof(bpe[0]));
    tiny_put_strs(&m->tiny, "tokenizer.ggml.merges", bpe_merges, sizeof(bpe_merges) / sizeof(bpe_merges[0]));
    if (pre)
        tiny_put_str(&m->tiny, "tokenizer.ggml.pre", pre);
}

TEST(byte_level_bpe_merges_by_rank_inside_words)
{
    struct model m;
    bpe_start(&m, "gpt-2");
    REQUIRE(model_open(&m), "%s", m.err.text);
    CHECK_IDS(m.v, "hello", 0, "5 7"); /* he, ll, llo; "he llo" is no merge */
    CHECK_IDS(m.v, "hell", 0, "15");
    CHECK_IDS(m.v, "he hell", 0, "5 9 6"); /* Ġhe has a better rank than hell */
    CHECK_IDS(m.v, "h\nhe", 0, "0 10 5");
    CHECK_IDS(m.v, "é", 0, "11 12");
    CHECK_IDS(m.v, "hxo", 0, "0 3"); /* no token for x: gone, as in llama.cpp */
    CHECK_IDS(m.v, "he<|eot_id|>", TOKEN_PARSE_SPECIAL, "5 13");
    CHECK_IDS(m.v, "\xff", 0, "");
    CHECK(strcmp(vocab_pre_name(m.v), "gpt-2") == 0 && strcmp(vocab_kind_name(m.v), "gpt2") == 0 && vocab_kind(m.v) == VOCAB_BPE);
    model_close(&m);
    bpe_start(&m, "llama-bpe"); /* takes whole words, adds BOS when the file names one */
    tiny_put_u32(&m.tiny, "tokenizer.ggml.bos_token_id", 13);
    REQUIRE(model_open(&m));
    CHECK_IDS(m.v, "hello hello", TOKEN_ADD_SPECIAL, "13 8 9 7");
    model_close(&m);
}

TEST(where_call_and_return_end_an_answer_end_does_not)
{
    struct model m;
    bpe_start(&m, "gpt-4o");
    REQUIRE(model_open(&m));
    CHECK(vocab_is_eog(m.v, 20) && vocab_is_eog(m.v, 21) && !vocab_is_eog(m.v, 22) && !vocab_is_control(m.v, 22));
    CHECK(!vocab_is_control(m.v, 23)); /* part of every answer of gpt-oss */
    CHECK_IDS(m.v, "<|channel|>", TOKEN_PARSE_SPECIAL, "23");
    model_close(&m);
}

/* ---- WordPiece ---- */

TEST(wordpiece_takes_the_longest_from_the_left_or_gives_the_word_up)
{
    static const struct entry wpm[] = {
        { "[UNK]", CONTROL, 0 }, { "[CLS]", CONTROL, 0 }, { "[SEP]", CONTROL, 0 }, { "▁un", NORMAL, 0 }, { "aff", NORMAL, 0 },
        { "able", NORMAL, 0 },   { "▁unaff", NORMAL, 0 }, { "▁,", NORMAL, 0 },     { "▁人", NORMAL, 0 }, { "▁cafe", NORMAL, 0 },
    };
    struct model m;
    for (int cased = 0; cased < 2; cased++) {
        model_start(&m, "bert", wpm, sizeof(wpm) / sizeof(wpm[0]));
        tiny_put_u32(&m.tiny, "tokenizer.ggml.unknown_token_id", 0);
        tiny_put_u32(&m.tiny, "tokenizer.ggml.bos_token_id", 1);
        tiny_put_u32(&m.tiny, "tokenizer.ggml.seperator_token_id", 2);
        if (cased)
            tiny_put_bool(&m.tiny, "tokenizer.ggml.normalizer.lowercase", false);
        REQUIRE(model_open(&m), "%s", m.err.text);
        CHECK_IDS(m.v, "unaffable", 0, "6 5");
        CHECK_IDS(m.v, "un,affable人", 0, "3 7 0 8"); /* "affable" cannot start a word */
        CHECK_IDS(m.v, "Café", 0, cased ? "0" : "9");
        CHECK_IDS(m.v, "un\x01 \xef\xbf\xbd", 0, "3"); /* control characters and U+FFFD do not exist */
        CHECK_IDS(m.v, "un", TOKEN_ADD_SPECIAL, "1 3 2");
        model_close(&m);
    }
}

/* ---- unigram ---- */

TEST(unigram_takes_the_path_with_the_highest_sum)
{
    static const struct entry ugm[] = {
        { "<pad>", CONTROL, 0 }, { "</s>", CONTROL, 0 }, { "<unk>", UNKNOWN, 0 }, { "▁", NORMAL, -3 }, { "a", NORMAL, -4 },
        { "b", NORMAL, -4 },     { "ab", NORMAL, -5 },   { "▁a", NORMAL, -5 },    { "bb", NORMAL, -3 }, { "▁ab", NORMAL, -20 },
        { "[U]", USER, 0 },      { "fi", NORMAL, -6 },
    };
    /* The normalizer's trie: "ﬁ" (U+FB01, ef ac 81) becomes "fi".  A node is base << 10 | leaf << 8 | byte; a child lies
     * at (node ^ base) ^ byte.  Root at 0 with base 0: ef at 0xef; ac at 0xef ^ base; ... */
    uint32_t unit[1024] = { 0 };
    unit[0xef] = 0x100u << 10 | 0xef;              /* children at 0xef ^ 0x100 = 0x1ef */
    unit[0x1ef ^ 0xac] = 0x200u << 10 | 0xac;      /* 0x143, children at 0x143 ^ 0x200 = 0x343 */
    unit[0x343 ^ 0x81] = 0x100u << 10 | 1u << 8 | 0x81; /* 0x3c2, leaf: value at 0x3c2 ^ 0x100 = 0x2c2 */
    unit[0x2c2] = 1u << 31 | 0;                    /* offset of the replacement */
    struct model m;
    for (int broken = 0; broken < 2; broken++) {
        model_start(&m, "t5", ugm, sizeof(ugm) / sizeof(ugm[0]));
        tiny_put_bool(&m.tiny, "tokenizer.ggml.add_space_prefix", true);
        tiny_put_bool(&m.tiny, "tokenizer.ggml.remove_extra_whitespaces", true);
        tiny_array(&m.tiny, "tokenizer.ggml.precompiled_charsmap", TINY_U8, 4 + sizeof(unit) + 3);
        tiny_number(&m.tiny.kv, broken ? 0xfffffff0u : sizeof(unit), 4);
        for (size_t i = 0; i < 1024; i++)
            tiny_number(&m.tiny.kv, unit[i], 4);
        buf_append(&m.tiny.kv, "fi", 3);
        if (broken) {
            CHECK(!model_open(&m) && strstr(m.err.text, "does not fit"), "%s", m.err.text);
            model_close(&m);
            continue;
        }
        REQUIRE(model_open(&m), "%s", m.err.text);
        CHECK_IDS(m.v, "ab", 0, "3 6");      /* -8 before "▁a b" -9 and "▁ab" -20 */
        CHECK_IDS(m.v, "abb", 0, "7 8");     /* -8 */
        CHECK_IDS(m.v, "a  b", 0, "7 3 5");
        CHECK_IDS(m.v, "a", TOKEN_ADD_SPECIAL, "7 1");
        CHECK_IDS(m.v, "xyz", 0, "3 2");     /* neighbours without a token share one UNK */
        CHECK_IDS(m.v, "\xef\xac\x81", 0, "3 11");
        CHECK_IDS(m.v, "", 0, "");
        CHECK_IDS(m.v, "   ", 0, "");
        CHECK_IDS(m.v, "a[U]a", 0, "7 10 7");
        model_close(&m);
    }
}

/* ---- text again ---- */

static const char *text_of(const struct vocab *v, unsigned flags, const int32_t *ids, size_t n)
{
    static char out[256];
    struct buf b;
    struct detok d;
    buf_init(&b, sizeof(out) - 1);
    detok_init(&d, flags);
    for (size_t i = 0; i < n; i++)
        detok_push(v, &d, ids[i], &b);
    detok_flush(&d, &b);
    CHECK(!b.failed && (b.len == 0 || utf8_is_valid(b.data, b.len)));
    snprintf(out, sizeof(out), "%s", b.len ? b.data : "");
    buf_fini(&b);
    return out;
}
#define CHECK_TEXT(v, flags, want, ...)                                                                        \
    do {                                                                                                       \
        const int32_t list[] = { __VA_ARGS__ };                                                                \
        const char *got = text_of(v, flags, list, sizeof(list) / sizeof(list[0]));                             \
        CHECK(strcmp(got, want) == 0, "'%s', not '%s'", got, want);                                            \
    } while (0)

TEST(a_stream_gives_whole_characters_only)
{
    struct model m;
    struct detok d;
    struct buf b;
    bpe_start(&m, "gpt-2");
    REQUIRE(model_open(&m));
    buf_init(&b, 100);
    detok_init(&d, 0);
    static const struct {
        int32_t id;
        const char *text;
    } steps[] = { { 9, " he" },   { 16, "" }, { 17, "" }, { 18, "" }, { 19, "\xf0\x9f\x99\x80" }, /* a cat in four tokens */
                  { 16, "" },     { 17, "" }, { 9, "\xef\xbf\xbd he" },                          /* broken off */
                  { 19, "\xef\xbf\xbd" }, { 11, "" }, { 12, "é" }, { -1, "" }, { 1 << 30, "" }, { 13, "" }, { 11, "" } };
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        buf_clear(&b);
        detok_push(m.v, &d, steps[i].id, &b);
        CHECK(b.len == strlen(steps[i].text) && (b.len == 0 || memcmp(b.data, steps[i].text, b.len) == 0), "step %zu", i);
    }
    buf_clear(&b);
    detok_flush(&d, &b);
    CHECK(b.len == 3);
    buf_fini(&b);
    model_close(&m);
}

TEST(special_tokens_stay_hidden_and_the_first_space_goes_when_asked)
{
    struct model m;
    spm_start(&m);
    REQUIRE(model_open(&m));
    CHECK_TEXT(m.v, 0, " a a[X]", 1, 12, 12, 14, 2);
    CHECK_TEXT(m.v, DETOK_STRIP_SPACE, "a a", 1, 12, 12, 2);
    CHECK_TEXT(m.v, DETOK_STRIP_SPACE, "a a", 8, 12);
    CHECK_TEXT(m.v, DETOK_SHOW_SPECIAL, "<s> a</s><unk>", 1, 12, 2, 0);
    CHECK_TEXT(m.v, DETOK_STRIP_SPACE, "€\n", 7, 4, 5, 6, 3);
    CHECK_TEXT(m.v, 0, "\xef\xbf\xbd" "a", 4, 8);
    struct buf b;
    buf_init(&b, 100);
    vocab_piece(m.v, 5, &b);
    vocab_piece(m.v, 1, &b);
    vocab_piece(m.v, 99, &b);
    CHECK(b.len == 4 && memcmp(b.data, "\x82<s>", 4) == 0);
    CHECK(vocab_text(m.v, 12).len == 4 && vocab_text(m.v, 99).len == 0 && vocab_text(m.v, -1).len == 0);
    CHECK(vocab_find(m.v, "ab", 2) == 10 && vocab_find(m.v, "abc", 3) == TOKEN_NONE && vocab_find(m.v, "", 0) == TOKEN_NONE);
    CHECK(vocab_size(m.v) == sizeof(spm) / sizeof(spm[0]));
    buf_fini(&b);
    model_close(&m);
}

/* ---- hostile ---- */

TEST(a_full_list_says_so_and_keeps_what_it_had)
{
    struct model m;
    struct token_list l;
    spm_start(&m);
    REQUIRE(model_open(&m));
    token_list_init(&l, 5);
    REQUIRE(vocab_tokenize(m.v, "a a", 3, 0, &l, &m.err));
    CHECK(!vocab_tokenize(m.v, "a a a a", 7, 0, &l, &m.err) && m.err.code == ERR_LIMIT && l.len == 2, "%s", m.err.text);
    CHECK(vocab_tokenize(m.v, "a a a", 5, 0, &l, &m.err) && l.len == 5);
    CHECK(!vocab_tokenize(m.v, "", (size_t)TOKEN_TEXT_MAX_BYTES + 1, 0, &l, &m.err) && m.err.code == ERR_LIMIT);
    token_list_fini(&l);
    token_list_fini(&l);
    model_close(&m);
}

TEST(a_vocabulary_that_lies_is_one_error)
{
    static const char *const two[] = { "a", "b" };
    static const float one_score[] = { 1 };
    static const int32_t odd_types[] = { 77, -5 };
    struct err err = { 0 };
    for (int c = 0; c < 10; c++) {
        static const char *const want[] = {
            "vocabulary: key 'tokenizer.ggml.model' is missing", "vocabulary: tokenizer 'rwkv' is unknown",
            "vocabulary: key 'tokenizer.ggml.tokens' is missing", "vocabulary: key 'tokenizer.ggml.tokens' is no array of strings",
            "vocabulary: key 'tokenizer.ggml.scores' has 1 numbers for 2 tokens", "vocabulary: key 'tokenizer.ggml.token_type' is no array of numbers",
            "vocabulary: key 'tokenizer.ggml.merges' is missing", "vocabulary: unknown pre-tokenizer 'no-such'",
            "vocabulary: key 'tokenizer.ggml.merges' is no array of strings", NULL,
        };
        struct tiny t;
        tiny_init(&t);
        if (c > 0)
            tiny_put_str(&t, "tokenizer.ggml.model", c == 1 ? "rwkv" : c >= 6 && c <= 8 ? "gpt2" : "llama");
        if (c == 3)
            tiny_put_f32s(&t, "tokenizer.ggml.tokens", one_score, 1);
        else if (c != 2)
            tiny_put_strs(&t, "tokenizer.ggml.tokens", two, 2);
        if (c == 4)
            tiny_put_f32s(&t, "tokenizer.ggml.scores", one_score, 1);
        if (c == 5)
            tiny_put_strs(&t, "tokenizer.ggml.token_type", two, 2);
        if (c >= 6)
            tiny_put_str(&t, "tokenizer.ggml.pre", c == 7 ? "no-such" : "gpt-2");
        if (c == 8)
            tiny_put_i32s(&t, "tokenizer.ggml.merges", odd_types, 2);
        if (c == 9)
            tiny_put_i32s(&t, "tokenizer.ggml.token_type", odd_types, 2);
        struct gguf *g = tiny_open(&t, &err);
        REQUIRE(g, "%s", err.text);
        struct vocab *v = vocab_open(g, &err);
        CHECK(want[c] ? !v && strcmp(err.text, want[c]) == 0 : v != NULL, "%d: %s", c, err.text);
        vocab_free(v);
        gguf_close(g);
        tiny_fini(&t);
    }
    vocab_free(NULL);
}

TEST(an_empty_vocabulary_and_twins_do_no_harm)
{
    struct model m;
    model_start(&m, "llama", NULL, 0);
    REQUIRE(model_open(&m), "%s", m.err.text);
    CHECK_IDS(m.v, "abc", TOKEN_ADD_SPECIAL | TOKEN_PARSE_SPECIAL, "");
    model_close(&m);
    static const struct entry twins[] = { { "<unk>", UNKNOWN, 0 }, { "▁a", NORMAL, 0 }, { "a", NORMAL, 0 }, { "▁", NORMAL, 0 },
                                          { "▁a", NORMAL, 0 },      { "[X]", USER, 0 },  { "[X]", USER, 0 } };
    model_start(&m, "llama", twins, 7);
    REQUIRE(model_open(&m));
    CHECK_IDS(m.v, "a[X]", 0, "4 6");
    model_close(&m);
}

/* ---- the real vocabularies ---- */

static const char *const real[] = { "llama-bpe", "gpt-2", "qwen2", "qwen35", "falcon", "starcoder", "deepseek-llm", "deepseek-coder", "mpt", "refact",
                                    "llama-spm", "phi-3", "bert-bge" };
enum { N_REAL = sizeof(real) / sizeof(real[0]), N_BPE = 10, N_REVERSIBLE = 12 };

static bool open_real(struct model *m, const char *name)
{
    char path[128];
    snprintf(path, sizeof(path), "vocab/ggml-vocab-%s.gguf", name);
    memset(m, 0, sizeof(*m));
    m->g = gguf_open(test_shared(path), &m->err);
    m->v = m->g ? vocab_open(m->g, &m->err) : NULL;
    CHECK(m->v, "%s", m->err.text);
    return m->v;
}

/* Which bytes are a token alone: Falcon has none for some, so that text with them cannot come back. */
static void find_bytes(const struct vocab *v, bool has[static 256])
{
    struct buf b;
    buf_init(&b, 100000);
    memset(has, false, 256);
    for (int32_t id = 0; id < vocab_size(v); id++) {
        buf_clear(&b);
        vocab_piece(v, id, &b);
        if (b.len == 1)
            has[(unsigned char)b.data[0]] = true;
    }
    buf_fini(&b);
}

static size_t random_utf8(char *text, size_t n_chars, const bool has[static 256])
{
    size_t n = 0;
    for (size_t i = 0; i < n_chars; i++) {
        static const uint32_t top[] = { 0x7f, 0x7f, 0x7ff, 0xffff, 0x10ffff };
        const size_t len = utf8_encode(1 + (uint32_t)(test_rand_u64() % top[test_rand_u64() % 5]), text + n);
        bool all = true; /* a surrogate has length 0 */
        for (size_t k = 0; k < len; k++)
            all = all && has[(unsigned char)text[n + k]];
        n += all ? len : 0;
    }
    return n;
}

TEST(text_that_went_through_ids_is_the_same_text)
{
    struct token_list l;
    struct buf b;
    token_list_init(&l, 10000);
    buf_init(&b, 100000);
    for (int i = 0; i < N_REVERSIBLE; i++) {
        struct model m;
        bool has[256];
        int n_has = 0;
        REQUIRE(open_real(&m, real[i]));
        find_bytes(m.v, has);
        for (int c = 0; c < 256; c++)
            n_has += has[c];
        CHECK(n_has > 220, "%s: %d bytes", real[i], n_has);
        for (int round = 0; round < 60; round++) {
            char text[400];
            const size_t n = random_utf8(text, 99, has);
            struct detok d;
            l.len = 0;
            REQUIRE(vocab_tokenize(m.v, text, n, 0, &l, &m.err), "%s", m.err.text);
            buf_clear(&b);
            detok_init(&d, DETOK_STRIP_SPACE | DETOK_SHOW_SPECIAL);
            for (size_t k = 0; k < l.len; k++) {
                const size_t before = b.len;
                detok_push(m.v, &d, l.ids[k], &b);
                CHECK(b.len == before || utf8_is_valid(b.data + before, b.len - before), "%s: half a character", real[i]);
            }
            detok_flush(&d, &b);
            CHECK(b.len == n && memcmp(b.data, text, n) == 0, "%s: %zu bytes became %zu others", real[i], n, b.len);
        }
        vocab_free(m.v);
        gguf_close(m.g);
    }
    token_list_fini(&l);
    buf_fini(&b);
}

TEST(a_list_that_is_used_again_allocates_nothing)
{
    struct model m;
    struct token_list l;
    REQUIRE(open_real(&m, "qwen2"));
    token_list_init(&l, 1000);
    static const char text[] = "A list keeps its memory,  12345 times. <|im_start|>";
    REQUIRE(vocab_tokenize(m.v, text, sizeof(text) - 1, TOKEN_PARSE_SPECIAL, &l, &m.err));
    const int32_t *ids = l.ids;
    const struct token_scratch *scratch = l.scratch;
    for (int i = 0; i < 100; i++) {
        l.len = 0;
        CHECK(vocab_tokenize(m.v, text, sizeof(text) - 1, TOKEN_PARSE_SPECIAL, &l, &m.err));
    }
    CHECK(l.ids == ids && l.scratch == scratch);
    token_list_fini(&l);
    vocab_free(m.v);
    gguf_close(m.g);
}

/* ---- time ---- */

enum { MEGABYTE = 1 << 20, LARGE = MEGABYTE / 4, SMALL = LARGE / 8, N_TEXTS = 8 };

static size_t fill(char *text, size_t n, int which)
{
    static const char *const parts[] = { "hello ", "мир", "世界", "🙂", "  ", "1234", "\n", "नमस्ते", "!?", "é", "العربية" };
    static const char *const unit[] = { "a", " ", "\n", "<|", "ab", "7", "\xc3\xa9" };
    size_t len = 0;
    while (len + 40 < n) {
        const char *p = which < 7 ? unit[which] : parts[test_rand_u64() % 11];
        memcpy(text + len, p, strlen(p));
        len += strlen(p);
    }
    return len;
}

static double seconds(const struct vocab *v, const char *text, size_t n, struct token_list *l)
{
    struct err err = { 0 };
    const clock_t start = clock(); /* of this process: others may keep the machine busy */
    l->len = 0;
    CHECK(vocab_tokenize(v, text, n, TOKEN_PARSE_SPECIAL, l, &err), "%s", err.text);
    return (double)(clock() - start) / CLOCKS_PER_SEC;
}

TEST(time_grows_in_proportion_to_the_text_whatever_it_is)
{
    char *text = malloc(LARGE);
    struct token_list l;
    token_list_init(&l, 3 * LARGE);
    for (int i = 0; text && i < N_REAL; i += 3) { /* llama-bpe, qwen35, deepseek-llm, refact, bert-bge */
        struct model m;
        REQUIRE(open_real(&m, real[i]));
        for (int which = 0; which < N_TEXTS; which++) {
            const double large = seconds(m.v, text, fill(text, LARGE, which), &l);
            double small = HUGE_VAL;
            for (int k = 0; k < 3 && large > 0.1; k++) { /* fast enough is fast enough */
                const double s = seconds(m.v, text, fill(text, SMALL, which), &l);
                small = s < small ? s : small;
            }
            CHECK(large < 0.1 || large / small < 8 * 4, "%s, text %d: %.3f s, an eighth of it %.3f s", real[i], which, large, small);
        }
        vocab_free(m.v);
        gguf_close(m.g);
    }
    token_list_fini(&l);
    free(text);
}

BENCH(a_megabyte_of_each_kind_of_text)
{
    static const char *const kinds[N_TEXTS] = { "a", "space", "newline", "<|", "ab", "7", "é", "mixed" };
    char *text = malloc(MEGABYTE);
    struct token_list l;
    token_list_init(&l, 3 * MEGABYTE);
    for (int i = 0; text && i < N_REAL; i++) {
        struct model m;
        const clock_t start = clock();
        REQUIRE(open_real(&m, real[i]));
        printf("# %-16s open %4.1f ms", real[i], (double)(clock() - start) * 1e3 / CLOCKS_PER_SEC);
        for (int which = 0; which < N_TEXTS; which++)
            printf("  %s %.0f", kinds[which], 1e3 * seconds(m.v, text, fill(text, MEGABYTE, which), &l));
        printf(" ms\n");
        vocab_free(m.v);
        gguf_close(m.g);
    }
    token_list_fini(&l);
    free(text);
}
