/* route/answer_check.h - will an answer do?  What can be seen of it without a judge: empty, going round in circles, broken JSON, unsure.
 *
 * For:     trip.c: a small expert's answer is looked at before the client sees it.
 * Callers: route/.
 * Touches: nothing.  Thread: any.
 * Rule:    says no only to what is plainly wrong; whether an answer is true nobody here can say.
 */
#ifndef TUTTI_ROUTE_ANSWER_CHECK_H
#define TUTTI_ROUTE_ANSWER_CHECK_H
#include <stdbool.h>
#include <stddef.h>

/* id, why (for people).  ORDER ANSWER_FAULT */
#define ANSWER_FAULTS(X)                                \
    X(NONE, "")                                         \
    X(EMPTY, "said nothing")                            \
    X(LOOP, "went round in circles")                    \
    X(JSON, "gave no valid JSON")                       \
    X(UNSURE, "was not sure")
enum answer_fault {
#define X(id, why) ANSWER_##id,
    ANSWER_FAULTS(X)
#undef X
        ANSWER_FAULT_COUNT
};
const char *answer_fault_why(enum answer_fault f);

struct answer_seen {
    const char *text;      /* all so far */
    size_t n;
    bool is_whole;         /* no more will come */
    bool is_cut;           /* whole, but it ended because the client wanted no more: half a JSON is all right */
    bool wants_json;
    int n_tok;             /* whose log-probabilities are known */
    double logprob_sum;
    double logprob_least;  /* mean: less is not sure enough */
};
enum answer_fault answer_check(const struct answer_seen *a);
/* Does it end in the same thing again and again?  At least 4 times and 96 bytes; of up to 4 letters 256 bytes (rulers, rows of zeros). */
bool answer_loops(const char *text, size_t n);
/* Is there a JSON object or array in it that is whole: bare, or between fences, or behind a few words? */
bool answer_has_json(const char *text, size_t n);
#endif
