/* tests/llm/test_lookup.c - what came after the same words before. */
#include "llm/lookup.h"

#include <string.h>

#include "test.h"

static int find(const int32_t *tokens, int n, int32_t *out, int n_out, int *length)
{
    struct err err = { 0 };
    struct lookup *l = lookup_new(n, &err);
    const int k = lookup_find(l, tokens, n, out, n_out, length);
    lookup_free(l);
    return k;
}

TEST(the_longest_match_goes_on_and_of_equals_the_latest)
{
    static const int32_t t[] = { 1, 2, 3, 4, 5, 9, 2, 3, 4, 6, 7, 8, 2, 3, 4, 7, 1, 2, 3, 4 };
    int32_t out[4];
    int length;
    CHECK(find(t, 20, out, 3, &length) == 3 && length == 4 && out[0] == 5 && out[1] == 9 && out[2] == 2, "%d: %d %d %d", length, out[0], out[1], out[2]);
    CHECK(find(t + 1, 13, out, 2, &length) == 2 && length == 2 && out[0] == 4 && out[1] == 6, "%d: %d %d", length, out[0], out[1]);
}

TEST(a_text_that_repeats_itself_goes_on_into_its_own_guess)
{
    static const int32_t t[] = { 5, 1, 2, 1, 2, 1 };
    int32_t out[7];
    int length;
    CHECK(find(t, 6, out, 7, &length) == 7 && length == 3);
    for (int i = 0; i < 7; i++)
        CHECK(out[i] == (i % 2 ? 1 : 2), "%d: %d", i, out[i]);
}

TEST(nothing_is_found_where_nothing_is)
{
    static const int32_t t[] = { 1, 2, 3, 4, 5, 6, 7, 7 };
    int32_t out[4];
    int length;
    for (int n = 0; n <= 7; n++)
        CHECK(find(t, n, out, 4, &length) == 0 && length == 0, "%d", n);
    CHECK(find(t, 8, out, 0, &length) == 0);
}

/* Copying with a word replaced: behind it the place is still known. */
TEST(a_replaced_token_does_not_lose_the_place)
{
    int32_t t[40], out[3];
    int length;
    struct err err = { 0 };
    for (int i = 0; i < 20; i++)
        t[i] = t[20 + i] = 100 + i;
    t[30] = 7;
    struct lookup *l = lookup_new(40, &err);
    CHECK(lookup_find(l, t, 30, out, 3, &length) == 3 && length == 10 && out[0] == 110);
    CHECK(lookup_find(l, t, 31, out, 3, &length) == 3 && length == 0 && out[0] == 111, "%d", out[0]);
    CHECK(lookup_find(l, t, 32, out, 3, &length) == 3 && length == 1 && out[0] == 112, "%d", out[0]);
    lookup_free(l);
}

/* Grown token by token it says what one that begins with the whole text says (where no place is remembered), for any text. */
TEST(guesses_are_what_stands_behind_the_match)
{
    static int32_t t[3000];
    struct err err = { 0 };
    struct lookup *l = lookup_new(3000, &err);
    for (int i = 0; i < 3000; i++) {
        t[i] = (int32_t)(test_rand_u64() % 7);
        int32_t out[5];
        int length;
        const int k = lookup_find(l, t, i + 1, out, 5, &length);
        if (k == 0 || length < 2)
            continue;
        bool is_there = false; /* somewhere the text has these `length` tokens and the guess behind them */
        for (int at = length; at <= i && !is_there; at++) {
            is_there = memcmp(t + at - length, t + i + 1 - length, (size_t)length * sizeof(t[0])) == 0;
            for (int j = 0; j < 5 && is_there; j++)
                is_there = at + j <= i ? t[at + j] == out[j] : out[j] == out[at + j - i - 1];
        }
        CHECK(is_there, "at %d, length %d", i, length);
    }
    lookup_free(l);
}
