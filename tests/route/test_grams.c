/* tests/route/test_grams.c - the same rows on every machine, bounds for whatever bytes come, words as people write them. */
#include <string.h>

#include "route/grams.h"
#include "route/intent.h"
#include "test.h"

static struct grams hash_text(const char *text)
{
    struct grams g;
    grams_hash(text, strlen(text), NULL, &g);
    return g;
}
static bool has_all(const uint16_t *rows, int n, const uint16_t *of, int n_of)
{
    for (int i = 0; i < n; i++) {
        bool found = false;
        for (int k = 0; k < n_of; k++)
            found |= rows[i] == of[k];
        if (!found)
            return false;
    }
    return true;
}
static bool same_words(const struct grams *a, const struct grams *b)
{
    return a->n_words == b->n_words && has_all(a->words, a->n_words, b->words, b->n_words);
}

static uint32_t sum_rows(uint32_t h, const uint16_t *rows, int n)
{
    for (int i = 0; i < n; i++)
        h = (h ^ rows[i]) * 16777619u;
    return h;
}

/* The shipped weights mean nothing where these differ: a change here needs a new GRAMS_VERSION and `make route-model`. */
TEST(rows_are_the_same_on_every_machine)
{
    static const struct {
        const char *text;
        int n_words, n_letters, n_pairs;
        uint32_t sum;
    } t[] = {
        { "", 0, 1, 9, 0x8180f724 },
        { "Hello", 3, 7, 10, 0x928cec00 },
        { "Write a Python function that reverses a list, please!", 15, 51, 20, 0x4c3f9614 },
        { "Was kostet die Übergröße für 12,50 Euro?", 14, 44, 19, 0x1bac91ce },
        { "你好，世界 🙂 ok", 12, 21, 16, 0xee38baba },
        { "привет, как дела?", 10, 35, 14, 0xc4d75341 },
        { "Which is true?\nA. 0\nB. 12\nC. (a+b)^2\nAnswer:", 21, 30, 30, 0x88f92615 },
        { "This sentence is long enough to cross several blocks of sixty-four bytes, so that words which begin in one block and end in the next are met too, as are numbers like 20245678 and signs such as ;;{}<>; and so on until the text is a little longer than what is read of it at its head, which is three hundred and sixty bytes, and then goes on for a while with more words that nobody reads because they are in the middle, and then it ends with words that are read again since they are in the last part of the text, whatever they say here at the very end of it.", 80, 83, 124, 0x0962bda1 },
    };
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        const struct grams g = hash_text(t[i].text);
        const uint32_t sum = sum_rows(sum_rows(sum_rows(2166136261u, g.words, g.n_words), g.letters, g.n_letters), g.pairs, g.n_pairs);
        CHECK(g.n_words == t[i].n_words && g.n_letters == t[i].n_letters && g.n_pairs == t[i].n_pairs && sum == t[i].sum, "%zu: %d, %d, %d, 0x%08x", i, g.n_words,
              g.n_letters, g.n_pairs, sum);
    }
}

TEST(capitals_accents_and_quotes_do_not_matter)
{
    static const char *const pairs[][2] = {
        { "Résumé DÉJÀ vu", "resume deja vu" }, { "Übergröße für Öl", "Uebergroesse fuer Oel" }, { "don’t", "don't" }, { "l'été à la plage", "l ete a la plage" }, { "in 1987", "in 2024" },
    };
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        struct grams a = hash_text(pairs[i][0]), b = hash_text(pairs[i][1]);
        CHECK(a.n_words > 0 && same_words(&a, &b), "%s / %s", pairs[i][0], pairs[i][1]);
    }
    const struct grams a = hash_text("cat"), b = hash_text("car");
    CHECK(!same_words(&a, &b));
}

TEST(each_word_and_pair_comes_once)
{
    const struct grams once = hash_text("buy milk"), often = hash_text("buy milk buy milk buy milk buy milk");
    CHECK(has_all(once.words, 2, often.words, often.n_words));
    CHECK(often.n_words <= 2 + 5, "%d", often.n_words);
}

TEST(any_bytes_of_any_length_stay_within_bounds)
{
    static char text[1 << 16];
    static const char *const units[] = { "!", "a", "\xc3\xa4", "\x80", "\xe4\xbd\xa0", "\xf0\x9f\x98\x80", "a!", "\xd7\x90", "\xc3", "\xf0\x9f", "0", " ", "\n", "'", "\xe2\x80\x99", "\xff" };
    struct grams g;
    for (size_t u = 0; u < sizeof(units) / sizeof(units[0]); u++) {
        const size_t len = strlen(units[u]);
        for (size_t at = 0; at + len < sizeof(text); at += len)
            memcpy(text + at, units[u], len);
        for (size_t n = 0; n < 700; n++) {
            char *exact = malloc(n + 1); /* so that a sanitizer sees one byte too much */
            REQUIRE(exact);
            memcpy(exact, text, n);
            grams_hash(exact, n, NULL, &g);
            CHECK(g.n_words >= 0 && g.n_words < GRAMS_MAX && g.n_letters >= 0 && g.n_letters < GRAMS_MAX && g.n_pairs >= 0 && g.n_pairs < GRAMS_MAX, "'%s' %zu", units[u], n);
            free(exact);
        }
        grams_hash(text, sizeof(text), NULL, &g);
    }
    for (int i = 0; i < 500; i++) {
        const size_t n = test_rand_u64() % 1200;
        for (size_t k = 0; k < n; k++)
            text[k] = (char)test_rand_u64();
        grams_hash(text, n, NULL, &g);
        CHECK(g.n_words < GRAMS_MAX && g.n_letters < GRAMS_MAX && g.n_pairs < GRAMS_MAX);
    }
}

TEST(ten_megabytes_are_decided_by_their_head_and_tail)
{
    const size_t n = 10 << 20;
    char *text = malloc(n);
    struct features f;
    struct intent_answer a;
    REQUIRE(text);
    for (size_t i = 0; i < n; i++)
        text[i] = "lorem ipsum dolor sit amet "[i % 27];
    memcpy(text, "summarize the following text in three sentences: ", 49);
    features_read(&(struct features_in){ .text = text, .n_bytes = n }, &f);
    intent_decide(intent_model_shipped(), &f, text, n, &a);
    CHECK(f.n_text_bytes == n && f.n_read_bytes < 10000);
    CHECK(a.best == INTENT_SUMMARIZE, "%s", intent_name(a.best));
    free(text);
}
