/* route/rules.h - what excludes a candidate, and what decides at a glance (early exits).
 *
 * For:     policy.c; cmd/route.c (names and reasons).
 * Callers: route/, cmd/.
 * Touches: nothing; no allocation.
 * Rule:    rules_first() asks in the order of ROUTE_RULES; the first that excludes is the reason.  Only SOFT ones can be forgiven.
 *          A new rule is one line of ROUTE_RULES (policy.h) and one function of its name in rules.c.
 */
#ifndef TUTTI_ROUTE_RULES_H
#define TUTTI_ROUTE_RULES_H
#include "route/policy_settings.h"

/* The seeds' early exits (003, "Router Model Selection"): id, word, what follows.  ORDER ROUTE_EARLY */
#define ROUTE_EARLIES(X)                                                                     \
    X(AIRGAP, "airgap", "it must not leave: this machine alone")                             \
    X(PICTURE, "picture", "a picture is attached: experts that see")                         \
    X(SOUND, "sound", "sound is attached: experts that hear")                                \
    X(SHORT, "short", "short question, short answer: a small model")
enum route_early {
#define X(id, word, what) ROUTE_EARLY_##id,
    ROUTE_EARLIES(X)
#undef X
        ROUTE_EARLY_COUNT
};
const char *route_early_name(int e), *route_early_what(int e); /* "" for -1 */

struct ask { /* a request, digested once for all candidates */
    const struct policy *policy;
    const struct route_request *rq;
    struct expert_wish wish;      /* all zero where the request has none */
    enum expert_privacy farthest; /* may go so far */
    bool is_text, needs_sight, needs_hearing;
    float difficulty;             /* as it counts; NAN: no text */
    bool is_difficult;
    uint32_t early;               /* bits of enum route_early that apply */
    uint64_t need_ctx;
    const struct policy_quiet *quiet[POLICY_QUIET_MAX]; /* those that hold now */
    int n_quiet;
    struct quality quality;
    float least_p;                /* DIFFICULT: known after all others were asked; 0 until then */
};
void ask_of(struct ask *a, const struct policy *p, const struct route_request *rq);

enum route_rule rules_first(const struct ask *a, const struct candidate *c, const struct route_node *node, const struct route_guess *guess, bool was_tried);
/* The one rule that needs to know the others' chances. */
bool rules_is_too_weak(const struct ask *a, const struct candidate *c, const struct route_guess *guess);
#endif
