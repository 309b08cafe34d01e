/* route/answer_check.c - see answer_check.h. */
#include "route/answer_check.h"

#include <jansson.h>
#include <string.h>

const char *answer_fault_why(enum answer_fault f)
{
    static const char *const why[] = {
#define X(id, text) text,
        ANSWER_FAULTS(X)
#undef X
    };
    return (unsigned)f < ANSWER_FAULT_COUNT ? why[f] : "?";
}

bool answer_loops(const char *text, size_t n)
{
    enum { PERIOD_MAX = 256, LEAST = 96, LEAST_SHORT = 256, SHORT = 4, TIMES = 4 };
    for (size_t p = 1; p <= PERIOD_MAX && p < n; p++) {
        const size_t least = p <= SHORT ? LEAST_SHORT : p * (TIMES - 1) > LEAST ? p * (TIMES - 1) : LEAST;
        size_t same = 0;
        while (same < least && same + p < n && text[n - 1 - same] == text[n - 1 - same - p])
            same++;
        if (same >= least)
            return true;
        if (p <= SHORT && same + 2 * SHORT >= LEAST)
            return false; /* a row: its period is not six letters either */
    }
    return false;
}

bool answer_has_json(const char *text, size_t n)
{
    enum { TRIES = 4 }; /* places where it might begin */
    const char *at = text, *end = text + n;
    for (int i = 0; i < TRIES; i++) {
        while (at < end && *at != '{' && *at != '[')
            at++;
        if (at == end)
            return false;
        json_t *t = json_loadb(at, (size_t)(end - at), JSON_DISABLE_EOF_CHECK, NULL);
        if (t) {
            json_decref(t);
            return true;
        }
        at++;
    }
    return false;
}

static bool is_blank(const char *s, size_t n)
{
    while (n > 0 && (unsigned char)s[n - 1] <= ' ')
        n--;
    return n == 0;
}

enum answer_fault answer_check(const struct answer_seen *a)
{
    enum { TOKENS_LEAST = 4 };
    if (a->is_whole && is_blank(a->text, a->n))
        return ANSWER_EMPTY;
    if (answer_loops(a->text, a->n))
        return ANSWER_LOOP;
    if (a->wants_json && a->is_whole && !a->is_cut && !answer_has_json(a->text, a->n))
        return ANSWER_JSON;
    if (a->n_tok >= TOKENS_LEAST && a->logprob_sum / a->n_tok < a->logprob_least)
        return ANSWER_UNSURE;
    return ANSWER_NONE;
}
