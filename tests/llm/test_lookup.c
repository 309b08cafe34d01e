/* tests/llm/test_lookup.c - what came after the same words before. */
#include "llm/lookup.h"

#include <string.h>

#include "test.h"

/* What stands behind the best place for tokens[n]; the words are the tokens. */
static bool find_in(struct lookup *l, const int32_t *tokens, int n, struct lookup_place *best)
{
    struct lookup_place place[LOOKUP_PLACES];
    for (int i = lookup_n(l); i < n; i++)
        lookup_add(l, (uint32_t)tokens[i]);
    const int k = lookup_find(l, tokens, place);
    if (k > 0) {
        *best = place[k - 1];
        lookup_follow(l, best);
    }
    return k > 0;
}

static bool find(const int32_t *tokens, int n, struct lookup_place *best)
{
    struct err err = { 0 };
    struct lookup *l = lookup_new(n, &err);
    const bool ok = find_in(l, tokens, n, best);
    lookup_free(l);
    return ok;
}

TEST(the_longest_match_is_found_and_of_equals_the_latest)
{
    static const int32_t t[] = { 1, 2, 3, 4, 5, 9, 2, 3, 4, 6, 7, 8, 2, 3, 4, 7, 1, 2, 3, 4 };
    struct lookup_place p;
    CHECK(find(t, 20, &p) && p.at == 3 && p.length == 4 && p.kind == LOOKUP_DISPUTED, "at %d, %d equal", p.at, p.length);
    CHECK(find(t + 1, 13, &p) && p.at == 7 - 1 && p.length == 2 && p.kind == LOOKUP_SOME, "at %d, %d equal", p.at, p.length);
    CHECK(find(t, 6 + 9, &p) && p.at == 8 && p.length == 3 && p.kind == LOOKUP_DISPUTED, "at %d, %d equal", p.at, p.length);
}

TEST(one_word_is_found_near_the_last_place_or_the_latest)
{
    int32_t t[60];
    struct err err = { 0 };
    struct lookup_place p;
    for (int i = 0; i < 40; i++)
        t[i] = 100 + i;
    t[3] = t[12] = t[35] = 7;
    for (int i = 0; i < 6; i++)
        t[40 + i] = 104 + i; /* goes along with place 4, then says something else */
    t[46] = 50;
    t[47] = 7;
    struct lookup *l = lookup_new(60, &err);
    for (int n = 41; n <= 46; n++)
        CHECK(find_in(l, t, n, &p) && p.at == n - 37, "%d: at %d", n, p.at);
    CHECK(find_in(l, t, 47, &p) && p.at == 10 && p.length == 0 && p.kind == LOOKUP_APART_1, "at %d, kind %d", p.at, (int)p.kind);
    CHECK(find_in(l, t, 48, &p) && p.at == 12 && p.length == 1 && p.kind == LOOKUP_ONE_NEAR, "at %d, kind %d", p.at, (int)p.kind);
    lookup_free(l);
    CHECK(find(t, 48, &p) && p.at == 35 && p.length == 1 && p.kind == LOOKUP_ONE, "at %d, kind %d", p.at, (int)p.kind);
}

TEST(nothing_is_found_where_nothing_is)
{
    static const int32_t t[] = { 1, 2, 3, 4, 5, 6, 7, 8 };
    struct lookup_place p;
    for (int n = 0; n <= 8; n++)
        CHECK(!find(t, n, &p), "%d", n);
    struct err err = { 0 };
    struct lookup *l = lookup_new(2, &err);
    for (uint32_t i = 0; i < 5; i++)
        lookup_add(l, 3);
    CHECK(lookup_n(l) == 2, "more than it was made for: %d", lookup_n(l));
    lookup_free(l);
}

/* Copying with a word replaced: behind it the place is still known. */
TEST(a_replaced_token_does_not_lose_the_place)
{
    int32_t t[40];
    struct lookup_place p;
    struct err err = { 0 };
    for (int i = 0; i < 20; i++)
        t[i] = t[20 + i] = 100 + i;
    t[30] = 7;
    struct lookup *l = lookup_new(40, &err);
    CHECK(find_in(l, t, 30, &p) && p.at == 9 && p.length == 10 && p.kind == LOOKUP_SOME);
    CHECK(find_in(l, t, 31, &p) && p.at == 10 && p.length == 0 && p.kind == LOOKUP_APART_1, "at %d", p.at);
    CHECK(find_in(l, t, 32, &p) && p.at == 11 && p.length == 1 && p.kind == LOOKUP_SOME, "at %d", p.at);
    lookup_free(l);
}

/* Grown token by token, for any text: what is said to be equal is equal, and no longer match of two is overlooked among the latest. */
TEST(places_are_what_they_are_said_to_be)
{
    static int32_t t[3000];
    struct err err = { 0 };
    struct lookup *l = lookup_new(3000, &err);
    for (int i = 0; i < 3000; i++) {
        t[i] = (int32_t)(test_rand_u64() % 7);
        struct lookup_place place[LOOKUP_PLACES];
        lookup_add(l, (uint32_t)t[i]);
        const int n = lookup_find(l, t, place);
        for (int k = 0; k < n; k++) {
            const struct lookup_place *p = &place[k];
            REQUIRE(p->at >= 0 && p->at < i, "at %d of %d", p->at, i);
            int length = 0;
            while (length <= p->at && length < LOOKUP_LENGTH_MAX && t[p->at - length] == t[i - length])
                length++;
            CHECK(p->kind == LOOKUP_ONE_NEAR || p->kind == LOOKUP_ONE ? length >= 1 && p->length == 1 : p->length == length, "at %d of %d: %d, not %d", p->at, i, p->length, length);
            lookup_follow(l, p);
        }
        CHECK(n > 0 || i < 20);
    }
    lookup_free(l);
}
