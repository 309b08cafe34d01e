/* tests/task/test_ocr_ctc.c - steps to characters, and the spaces that the network lost. */
#include <math.h>
#include <string.h>

#include "task/ocr_ctc.h"
#include "test.h"

enum { CLASSES = 6, SPACE = 5 };

/* One step for each letter of the picture: '.' blank, a..d classes 1..4, '_' space. */
static int steps(const char *picture, float *probs)
{
    const int n = (int)strlen(picture);
    for (int t = 0; t < n; t++)
        for (int c = 0; c < CLASSES; c++)
            probs[t * CLASSES + c] = c == (picture[t] == '.' ? 0 : picture[t] == '_' ? SPACE : picture[t] - 'a' + 1) ? 0.8f : 0.04f;
    return n;
}

static void spell(const struct ctc_char *c, int n, char *out)
{
    for (int i = 0; i < n; i++)
        out[i] = c[i].index == SPACE ? '_' : (char)('a' + c[i].index - 1);
    out[n] = '\0';
}

TEST(runs_count_once_and_blanks_part_equal_letters)
{
    static const struct { const char *picture, *want; } cases[] = {
        { "..aa.a.b", "aab" }, { "aaaa", "a" }, { "", "" }, { "....", "" }, { "abcd", "abcd" }, { "a.__.b", "a_b" }, { "aab.b", "abb" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        float probs[64 * CLASSES], score;
        struct ctc_char c[64];
        char got[64];
        const int n = ctc_greedy(probs, steps(cases[i].picture, probs), CLASSES, 0, c, &score);
        spell(c, n, got);
        CHECK(strcmp(got, cases[i].want) == 0, "%s: %s", cases[i].picture, got);
        CHECK(fabsf(score - (n ? 0.8f : 0)) < 1e-6f);
    }
    float nan_probs[2 * CLASSES], score;
    struct ctc_char c[2];
    for (int i = 0; i < 2 * CLASSES; i++)
        nan_probs[i] = NAN;
    CHECK(ctc_greedy(nan_probs, 2, CLASSES, 0, c, &score) == 0 && score == 0);
}

/* ink: '#' a column with ink; four columns to a step.  hint: how likely a space is at the steps that are blank. */
static void put(const char *picture, const char *ink, float hint, const char *want)
{
    float probs[64 * CLASSES], score;
    struct ctc_char c[128];
    bool is_ink[256];
    char got[128];
    const int n_steps = steps(picture, probs), n_columns = (int)strlen(ink), spaces[1] = { SPACE };
    for (int i = 0; i < n_columns; i++)
        is_ink[i] = ink[i] == '#';
    for (int t = 0; t < n_steps; t++)
        if (picture[t] != '_')
            probs[t * CLASSES + SPACE] = picture[t] == '.' ? hint : 0;
    int n = ctc_greedy(probs, n_steps, CLASSES, 0, c, &score);
    n = ctc_put_spaces(c, n, probs, n_steps, CLASSES, spaces, 1, is_ink, n_columns, 32);
    spell(c, n, got);
    CHECK(strcmp(got, want) == 0, "%s: got %s, want %s", picture, got, want);
}

TEST(a_space_that_was_nearly_seen_where_a_gap_is_goes_in)
{
    put("a.b...c.d.", "####....####............####....####....", 0.1f, "ab_cd");
    put("a.b...c.d.", "####....####............####....####....", 0.01f, "abcd"); /* a gap, but the network saw none */
    put("a.b...c.d.", "####....####....####....####....####....", 0.1f, "abcd");  /* nearly seen, but there is no gap */
    put("a.b.._c.d.", "####....####............####....####....", 0.1f, "ab_cd"); /* the network saw it: not twice */
    put("a.b......c.d", "####....####........................####....####", 0, "ab_cd"); /* cells of a table */
    put("ab", "####....", 0, "ab");
    put("", "", 0, "");
}
