/* tests/task/test_wordlist.c - text as numbers of the lines of a vocabulary. */
#include <string.h>

#include "task/wordlist.h"
#include "test.h"

TEST(words_become_line_numbers_without_stop_words)
{
    struct err err = { 0 };
    const char text[] = "the\ndog\r\nruns\n42\n\ndog\nlast";
    struct wordlist *w = wordlist_parse(text, strlen(text), "the of", &err);
    REQUIRE(w, "%s", err.text);
    int64_t ids[8];
    const char say[] = "The DOG, runs42 of lasting last!";
    CHECK(wordlist_count(w) == 7 && wordlist_find(w, "dog", 3) == 1 && wordlist_find(w, "the", 3) == -1);
    const int n = wordlist_numbers(w, say, strlen(say), ids, 8);
    CHECK(n == 4 && ids[0] == 1 && ids[1] == 2 && ids[2] == 3 && ids[3] == 6, "%d", n);
    CHECK(wordlist_numbers(w, say, strlen(say), ids, 2) == 2);
    CHECK(wordlist_numbers(w, "\xc3\xa4 ?", 4, ids, 8) == 0);
    wordlist_free(w);
    w = wordlist_parse("", 0, NULL, &err);
    CHECK(w && wordlist_count(w) == 0 && wordlist_find(w, "x", 1) == -1);
    wordlist_free(w);
}
