/* tests/token/test_vectors.c - ids and text that llama.cpp gave, for 13 vocabularies (../shared/vocab). */
#include <dirent.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "test.h"
#include "token/token.h"

#define SEPARATOR "\n__ggml_vocab_test__\n"

static const char *const names[] = { "llama-spm", "llama-bpe", "gpt-2", "qwen2", "qwen35", "phi-3", "falcon", "starcoder",
                                     "deepseek-llm", "deepseek-coder", "bert-bge", "mpt", "refact" };
enum { N_NAMES = sizeof(names) / sizeof(names[0]) };

static char *read_shared(const char *path, size_t *n)
{
    struct err err = { 0 };
    char *text = file_read(test_shared(path), 64 << 20, n, &err);
    CHECK(text, "%s", err.text);
    return text;
}

/* Compares the list with the next line of numbers. */
static bool same_ids(const struct token_list *l, const char **line)
{
    size_t i = 0;
    bool same = true;
    const char *p = *line;
    while (*p && *p != '\n') {
        if (*p == ' ') {
            p++;
            continue;
        }
        char *end;
        const long id = strtol(p, &end, 10);
        same = same && i < l->len && l->ids[i] == id;
        i++;
        p = end;
    }
    *line = *p ? p + 1 : p;
    return same && i == l->len;
}

static int check_pair(const struct vocab *v, const char *name, const char *inp, const char *out, unsigned flags)
{
    size_t n_in, n_out;
    char *in = read_shared(inp, &n_in), *want = read_shared(out, &n_out);
    struct token_list list;
    struct err err = { 0 };
    int n_cases = 0;
    token_list_init(&list, 1 << 20);
    const char *line = want;
    for (const char *at = in, *end; in && want && (end = strstr(at, SEPARATOR)); at = end + strlen(SEPARATOR)) {
        list.len = 0;
        CHECK(vocab_tokenize(v, at, (size_t)(end - at), flags, &list, &err), "%s", err.text);
        CHECK(same_ids(&list, &line), "%s: case %d of %s: '%.*s'", name, n_cases, inp, (int)(end - at < 60 ? end - at : 60), at);
        n_cases++;
    }
    CHECK(n_cases > 0, "%s", inp);
    token_list_fini(&list);
    free(in), free(want);
    return n_cases;
}

static struct vocab *open_shared(const char *path, struct gguf **g)
{
    struct err err = { 0 };
    struct vocab *v = NULL;
    *g = gguf_open(test_shared(path), &err);
    if (*g)
        v = vocab_open(*g, &err);
    CHECK(v, "%s: %s", path, err.text);
    return v;
}

TEST(all_vectors_of_all_vocabularies_give_the_same_ids)
{
    int n_cases = 0;
    for (int i = 0; i < N_NAMES; i++) {
        char path[3][128];
        struct gguf *g;
        snprintf(path[0], sizeof(path[0]), "vocab/ggml-vocab-%s.gguf", names[i]);
        struct vocab *v = open_shared(path[0], &g);
        REQUIRE(v);
        snprintf(path[1], sizeof(path[1]), "vocab/ggml-vocab-%s.gguf.inp", names[i]);
        snprintf(path[2], sizeof(path[2]), "vocab/ggml-vocab-%s.gguf.out", names[i]);
        n_cases += check_pair(v, names[i], path[1], path[2], 0);
        snprintf(path[2], sizeof(path[2]), "vocab/%s.extra.out", names[i]);
        n_cases += check_pair(v, names[i], "vocab/extra.inp", path[2], 0);
        snprintf(path[1], sizeof(path[1]), "vocab/%s.special.inp", names[i]);
        snprintf(path[2], sizeof(path[2]), "vocab/%s.special.out", names[i]);
        n_cases += check_pair(v, names[i], path[1], path[2], TOKEN_ADD_SPECIAL | TOKEN_PARSE_SPECIAL);
        vocab_free(v);
        gguf_close(g);
    }
    CHECK(n_cases == 4840, "%d", n_cases);
}

/* The end of ../shared/models/llm/EXPECTED.txt. */
TEST(the_vectors_of_the_small_language_model_are_met)
{
    static const struct {
        const char *text;
        int32_t ids[32]; /* ends with 0 */
    } cases[] = {
        { "a", { 1, 261 } },
        { " ", { 1, 410, 410 } },
        { "  two  spaces", { 1, 410, 410, 259, 424, 414, 410, 262, 427, 412, 331, 419 } },
        { "Hello, world!", { 1, 346, 306, 414, 432, 263, 304, 341, 443 } },
        { "One day\nTwo days", { 1, 385, 328, 13, 434, 424, 414, 328, 419 } },
        { "café 你好", { 1, 280, 412, 431, 485, 410, 231, 192, 163, 232, 168, 192 } },
        { "The quick brown fox jumps over the lazy dog.",
          { 1, 291, 410, 456, 425, 417, 340, 268, 420, 327, 416, 272, 414, 444, 410, 449, 425, 423, 427, 419, 334, 330, 265, 278, 412, 451, 422, 400, 428, 426 } },
        { "1234567890", { 1, 410, 475, 479, 472, 484, 480, 490, 491, 487, 483, 477 } },
        { "<s>literal", { 1, 410, 504, 419, 505, 421, 275, 285, 412, 421 } },
        { "Once upon a time", { 1, 403, 407, 261, 378 } },
    };
    struct gguf *g;
    struct vocab *v = open_shared("models/llm/stories260K-f32.gguf", &g);
    REQUIRE(v);
    struct token_list list;
    struct buf text;
    token_list_init(&list, 100);
    buf_init(&text, 1000);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct err err = { 0 };
        list.len = 0;
        REQUIRE(vocab_tokenize(v, cases[i].text, strlen(cases[i].text), TOKEN_ADD_SPECIAL, &list, &err), "%s", err.text);
        size_t n = 0;
        while (cases[i].ids[n])
            n++;
        CHECK(n == list.len && memcmp(list.ids, cases[i].ids, n * sizeof(int32_t)) == 0, "'%s'", cases[i].text);
        struct detok d;
        buf_clear(&text);
        detok_init(&d, DETOK_STRIP_SPACE);
        for (size_t k = 0; k < list.len; k++)
            detok_push(v, &d, list.ids[k], &text);
        detok_flush(&d, &text);
        CHECK(text.len == strlen(cases[i].text) && memcmp(text.data, cases[i].text, text.len) == 0, "'%s'", text.data);
    }
    token_list_fini(&list);
    buf_fini(&text);
    vocab_free(v);
    gguf_close(g);
}
