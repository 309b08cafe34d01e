/* tests/route/test_answer_check.c - what is plainly no answer, and what only looks so. */
#include "route/answer_check.h"
#include "test.h"

#include <string.h>

TEST(circles_are_seen_and_rows_are_not)
{
    static char text[4096];
    static const struct {
        const char *piece;
        int times;
        bool loops;
    } cases[] = {
        { "again and again ", 8, true },  { "again and again ", 3, false }, { "I am sorry, but I cannot do that. I would love to help you though.\n", 5, true },
        { "-", 100, false },              { "-", 300, true },               { "0, ", 40, false },
        { "yes no ", 20, true },          { "ha", 30, false },
    };
    for (size_t k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
        size_t n = 0;
        n += (size_t)sprintf(text, "Something that is said once, at the beginning. ");
        for (int i = 0; i < cases[k].times; i++)
            n += (size_t)sprintf(text + n, "%s", cases[k].piece);
        CHECK(answer_loops(text, n) == cases[k].loops, "%d x \"%s\"", cases[k].times, cases[k].piece);
    }
    static const char prose[] = "The quick brown fox jumps over the lazy dog. The lazy dog does not mind. The fox jumps again, the dog sleeps on, and the day goes by as days do.";
    CHECK(!answer_loops(prose, sizeof(prose) - 1), "%s", prose);
    CHECK(!answer_loops("", 0) && !answer_loops("a", 1), "nothing loops");
}

TEST(json_is_found_bare_fenced_and_behind_words)
{
    static const struct {
        const char *text;
        bool has;
    } cases[] = {
        { "{\"a\": 1}", true },      { "```json\n{\"a\": [1, 2]}\n```", true }, { "Here it is: [1, 2, 3]. Good luck!", true }, { "{\"a\": 1", false },
        { "no braces at all", false }, { "see [here] and {there}", false },        { "", false },                                 { "[[[[[[[[", false },
    };
    for (size_t k = 0; k < sizeof(cases) / sizeof(cases[0]); k++)
        CHECK(answer_has_json(cases[k].text, strlen(cases[k].text)) == cases[k].has, "%s", cases[k].text);
}

TEST(an_answer_is_judged_by_the_first_thing_that_is_wrong)
{
#define A(t, ...) answer_check(&(struct answer_seen){ .text = t, .n = strlen(t), .logprob_least = -2.5, __VA_ARGS__ })
    CHECK(A("", .is_whole = true) == ANSWER_EMPTY && A(" \n\t", .is_whole = true) == ANSWER_EMPTY && A("") == ANSWER_NONE, "empty");
    CHECK(A("42", .is_whole = true) == ANSWER_NONE && A("42", .is_whole = true, .n_tok = 10, .logprob_sum = -5) == ANSWER_NONE, "fine");
    CHECK(A("42", .n_tok = 10, .logprob_sum = -50) == ANSWER_UNSURE && A("42", .n_tok = 2, .logprob_sum = -50) == ANSWER_NONE, "unsure");
    CHECK(A("{\"a\":", .is_whole = true, .wants_json = true) == ANSWER_JSON && A("{\"a\":", .wants_json = true) == ANSWER_NONE, "json");
    CHECK(A("{\"a\":", .is_whole = true, .is_cut = true, .wants_json = true) == ANSWER_NONE, "cut");
    CHECK(strcmp(answer_fault_why(ANSWER_LOOP), "went round in circles") == 0, "why");
}
