/* tests/expert/test_stops.c - stop strings, in one piece and in many. */
#include "expert/stops.h"
#include "test.h"

#include <string.h>

#define T(s) { s, sizeof(s) - 1 }

/* Feeds the text in pieces as answer.c does; what comes out lands in out. */
static int feed(const struct job_text *stops, int n_stops, const char *text, size_t piece, char *out)
{
    char held[600];
    size_t n_held = 0, n_out = 0, n = strlen(text), begin = 0;
    int found = -1;
    for (size_t at = 0; at < n && found < 0; at += piece) {
        const size_t k = n - at < piece ? n - at : piece;
        memcpy(held + n_held, text + at, k);
        found = stops_find(stops, n_stops, held, n_held + k, n_held, &begin);
        n_held += k;
        const size_t give = found >= 0 ? begin : n_held - stops_held(stops, n_stops, held, n_held);
        memcpy(out + n_out, held, give);
        n_out += give;
        memmove(held, held + give, n_held -= give);
    }
    if (found < 0) {
        memcpy(out + n_out, held, n_held);
        n_out += n_held;
    }
    out[n_out] = '\0';
    return found;
}

TEST(a_stop_is_found_at_the_same_place_however_the_text_is_cut)
{
    const struct { struct job_text stops[3]; int n; const char *text, *want; int found; } cases[] = {
        { { T("END") }, 1, "the endEND and more", "the end", 0 },
        { { T("END") }, 1, "the EN", "the EN", -1 },
        { { T("END") }, 1, "EENEND", "EEN", 0 },
        { { T("aab") }, 1, "aaaaab!", "aaa", 0 },
        { { T("abc"), T("b") }, 2, "xabc", "xa", 1 },      /* b is complete first */
        { { T("b"), T("ab") }, 2, "xab", "x", 1 },         /* at the same byte: the longer one */
        { { T("\n\n"), T("\nUser:") }, 2, "hi\nUser: x", "hi", 1 },
        { { T("\n\n"), T("\nUser:") }, 2, "hi\nUs\n\nx", "hi\nUs", 0 },
        { { T("é") }, 1, "caf\303\250 \303\251t\303\251", "caf\303\250 ", 0 },
        { { T("x") }, 1, "", "", -1 },
    };
    char out[600];
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        for (size_t piece = 1; piece < 8; piece++) {
            const int found = feed(cases[i].stops, cases[i].n, cases[i].text, piece, out);
            CHECK(found == cases[i].found && strcmp(out, cases[i].want) == 0, "case %zu by %zu: '%s', %d", i, piece, out,
                  found);
        }
}

TEST(random_texts_end_where_a_plain_search_ends)
{
    for (int k = 0; k < 2000; k++) {
        char text[41] = { 0 }, one[4], two[4], want[41], out[41];
        for (int i = 0; i < 40; i++)
            text[i] = "ab"[test_rand_u64() % 2];
        const size_t n1 = 1 + test_rand_u64() % 4, n2 = 1 + test_rand_u64() % 4;
        for (int i = 0; i < 4; i++)
            one[i] = "ab"[test_rand_u64() % 2], two[i] = "abc"[test_rand_u64() % 3];
        const struct job_text stops[2] = { { one, n1 }, { two, n2 } };
        size_t end = 40, cut = 40;
        for (size_t e = 1; e <= 40 && end == 40 && cut == 40; e++)
            for (int i = 0; i < 2; i++)
                if (stops[i].n <= e && !memcmp(text + e - stops[i].n, stops[i].text, stops[i].n) && e - stops[i].n < cut)
                    cut = e - stops[i].n, end = e;
        snprintf(want, sizeof(want), "%.*s", (int)cut, text);
        feed(stops, 2, text, 1 + test_rand_u64() % 9, out);
        CHECK(strcmp(out, want) == 0, "%.*s %.*s in %s: '%s', not '%s'", (int)n1, one, (int)n2, two, text, out, want);
    }
}
