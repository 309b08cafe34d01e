/* tests/task/test_sentences.c - where long text is cut. */
#include <string.h>

#include "base/utf8.h"
#include "task/sentences.h"
#include "test.h"

static void cut(const char *text, size_t n_max, const char *want) /* pieces joined by '|' */
{
    char got[512];
    size_t n = strlen(text), len = 0;
    for (size_t at = 0; at < n;) {
        const size_t k = sentence_next(text + at, n - at, n_max);
        REQUIRE(k >= 1 && k <= n - at && k <= (n_max < 4 ? 4 : n_max), "%zu of %zu", k, n - at);
        if (at > 0)
            got[len++] = '|';
        memcpy(got + len, text + at, k);
        len += k;
        at += k;
    }
    got[len] = '\0';
    CHECK(strcmp(got, want) == 0, "got %s", got);
}

TEST(sentences_end_where_a_reader_pauses)
{
    cut("One. Two! Three? Four", 100, "One. |Two! |Three? |Four");
    cut("Mr. Smith paid 3.50 to J. Doe. He left.", 100, "Mr. Smith paid 3.50 to J. Doe. |He left.");
    cut("He said \"no.\" Then he left...  Why?!  So.", 100, "He said \"no.\" |Then he left...  |Why?!  |So.");
    cut("A heading\n\nA text.", 100, "A heading\n\n|A text.");
    cut("one line\nthe same sentence", 100, "one line\nthe same sentence");
    cut("\xe4\xbd\xa0\xe5\xa5\xbd\xe3\x80\x82\xe5\x86\x8d\xe8\xa7\x81\xe3\x80\x82", 100, "\xe4\xbd\xa0\xe5\xa5\xbd\xe3\x80\x82|\xe5\x86\x8d\xe8\xa7\x81\xe3\x80\x82");
    cut("Was it I. Yes. e.g. this", 100, "Was it I. |Yes. |e.g. this");
}

TEST(what_is_too_long_is_cut_at_a_clause_a_word_or_a_character)
{
    cut("first part, second part goes on and on", 24, "first part, |second part goes on and |on");
    cut("abcdefghijklmnop", 8, "abcdefgh|ijklmnop");
    cut("\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f", 5, "\xc3\xa4\xc3\xb6|\xc3\xbc\xc3\x9f");
    cut("   ", 4, "   ");
}

TEST(any_bytes_end)
{
    for (int round = 0; round < 300; round++) {
        char text[200];
        static const char from[] = " .\n,!a\"\xe2\x80\xa6\xc3\xa4Mr";
        for (size_t i = 0; i < sizeof(text); i++)
            text[i] = from[test_rand_u64() % (sizeof(from) - 1)];
        size_t at = 0;
        while (at < sizeof(text)) {
            const size_t k = sentence_next(text + at, sizeof(text) - at, 1 + (size_t)round % 40);
            REQUIRE(k >= 1 && k <= sizeof(text) - at);
            at += k;
        }
    }
}
