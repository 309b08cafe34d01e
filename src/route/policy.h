/* route/policy.h - which expert on which node: hard rules first, then a score that adds up.  Stage 3 of the router.
 *
 * For:     router.c (live), `tutti route` (dry run), replay, simulate.
 * Callers: route/, api/, cmd/.
 * Touches: nothing; no allocation.  Thread: any; a policy does not change while it is used.
 * Rule:    a candidate that a hard rule excludes has no score and can never win, whatever was learned.  A score is a whole number
 *          of microseconds of waiting (lower is better) and exactly the sum of its terms, which are whole numbers too: what
 *          `--explain` prints is what was decided by.  The same request, world and policy give the same answer.
 *          A new term is one line of ROUTE_TERMS and its function; a new rule one line of ROUTE_RULES and its function.
 */
#ifndef TUTTI_ROUTE_POLICY_H
#define TUTTI_ROUTE_POLICY_H
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "route/candidate.h"
#include "route/features.h"
#include "route/intent.h"

/* ---- what is asked ---- */

/* name, word, help.  ORDER ROUTE_GOAL: `model: "auto:WORD"` */
#define ROUTE_GOALS(X)                                                  \
    X(BALANCED, "balanced", "\"auto\": time, energy and quality weighed") \
    X(FAST, "fast", "soonest answer")                                   \
    X(BEST, "best", "best answer")                                      \
    X(CHEAP, "cheap", "least energy and money")                         \
    X(PRIVATE, "private", "never leaves this machine")
enum route_goal {
#define X(id, word, help) ROUTE_##id,
    ROUTE_GOALS(X)
#undef X
        ROUTE_GOAL_COUNT
};
const char *route_goal_name(enum route_goal g);
bool route_goal_by_name(const char *word, enum route_goal *out); /* "fast"; "" is balanced */

struct route_request {
    enum expert_task task;
    enum route_goal goal;
    const struct expert_wish *wish; /* job.h: privacy, deadline, latency objective, budget; NULL: none */
    const struct features *features;
    const struct intent_answer *intent; /* NULL: not a request of text */
    uint64_t prompt_tok;       /* context included */
    uint64_t gen_tok;          /* expected: least of what the request allows and what its intent usually takes */
    uint64_t max_gen_tok;      /* what the request allows; 0: no limit said */
    int n_items;               /* pictures, inputs */
    float sound_s;             /* of sound to hear or speech to make */
    uint64_t n_bytes;          /* that must travel to the node */
    bool needs_sight, needs_hearing, needs_tools;
    uint64_t session;          /* hash of the conversation's begin; 0: none */
    int minute_of_day;         /* local time, 0..1439: quiet hours */
};

/* ---- what is predicted (predict.c) ---- */

enum { ROUTE_FACTORS = 4 };
struct route_guess {
    float ttft_s, total_s;     /* queue and loading included, what the cache saves taken off */
    float queue_s, load_s;     /* of those */
    float prefix_s;            /* saved by what is in the K/V cache */
    float busy_s;              /* the expert works so long, loading included */
    float joules;              /* above idle; NAN: not known */
    float usd;                 /* provider and electricity; NAN: not known */
    float p_good;              /* chance that the answer will do, 0..1 (quality.h) */
    bool is_measured;          /* by what was measured on that node, not estimated */
    float factor[ROUTE_FACTORS]; /* corrections that it was made with (ORDER PREDICT_KIND); 1: none */
};

/* ---- what is decided ---- */

/* id, word, kind, why it excludes (for people).  In the order in which they are asked; all HARD ones come first.  A SOFT rule is
 * forgiven when nobody else is left, a HARD one never.  ORDER ROUTE_RULE */
#define ROUTE_RULES(X)                                                            \
    X(TASK, "task", HARD, "cannot do that task")                                  \
    X(SIGHT, "sight", HARD, "does not see pictures")                              \
    X(HEARING, "hearing", HARD, "does not hear sound")                            \
    X(TOOLS, "tools", HARD, "knows no tools")                                     \
    X(PRIVACY, "privacy", HARD, "what is asked must not leave")                   \
    X(CONTEXT, "context", HARD, "its context is too short")                       \
    X(DOWN, "down", HARD, "is down")                                              \
    X(TIER, "tier", HARD, "is below the quality that was asked for")              \
    X(TRIED, "tried", HARD, "was asked already, or is for other requests")                                \
    X(BUDGET, "budget", HARD, "would cost more than the budget")                  \
    X(LADDER, "ladder", SOFT, "the governor has stepped down below it")           \
    X(QUIET, "quiet", SOFT, "quiet hours")                                        \
    X(DEADLINE, "deadline", SOFT, "would answer after the deadline")              \
    X(EARLY, "early", SOFT, "an early exit wants a smaller one")                  \
    X(DIFFICULT, "difficult", SOFT, "a difficult request wants a better one")
enum route_rule {
    ROUTE_RULE_NONE = -1,
#define X(id, word, kind, why) ROUTE_RULE_##id,
    ROUTE_RULES(X)
#undef X
        ROUTE_RULE_COUNT
};

/* id, word, what it is.  ORDER ROUTE_TERM: microseconds of waiting that it counts as */
#define ROUTE_TERMS(X)                                                      \
    X(TTFT, "first", "time to the first token, queue and loading apart")    \
    X(TOTAL, "rest", "from there to the end")                               \
    X(QUEUE, "queue", "others before it")                                   \
    X(LOAD, "load", "weights that are not in memory")                       \
    X(AFFINITY, "prefix", "prompt that is in its cache already (negative)") \
    X(HOME, "home", "of nodes alike, where this conversation goes from every front door (negative)") \
    X(ENERGY, "energy", "joules")                                           \
    X(PRICE, "price", "money")                                              \
    X(HEAT, "heat", "little headroom to where the node slows down")         \
    X(BATTERY, "battery", "runs on a battery that empties")                 \
    X(QUALITY, "quality", "the chance that the answer will not do")         \
    X(LEARNED, "learned", "what outcomes have taught (bounded)")              \
    X(PROMOTION, "promotion", "a wrong answer is noticed, a bigger one asked (negative)")
enum route_term {
#define X(id, word, what) ROUTE_TERM_##id,
    ROUTE_TERMS(X)
#undef X
        ROUTE_TERM_COUNT
};
const char *route_rule_name(enum route_rule r), *route_rule_why(enum route_rule r);
bool route_rule_is_hard(enum route_rule r);
const char *route_term_name(enum route_term t), *route_term_what(enum route_term t);

struct route_verdict { /* of one candidate */
    enum route_rule rule;      /* ROUTE_RULE_NONE: it may */
    bool is_forgiven;          /* `rule` is a soft one, nobody else was left, and it may after all */
    int64_t score_us;          /* sum of the terms */
    int64_t term_us[ROUTE_TERM_COUNT];
    struct route_guess guess;
    float gain;                /* of the bandit, -1..1 */
};

struct route_decision {
    int n;                     /* of the candidates */
    int n_able;                /* order[0 .. n_able): best first */
    uint16_t order[ROUTE_CANDIDATES_MAX];
    struct route_verdict verdicts[ROUTE_CANDIDATES_MAX]; /* by candidate */
    int early;                 /* the early exit that applied (rules.h); -1: none */
    float difficulty_cut;      /* above it the request counts as difficult */
    bool is_difficult;
    bool is_small_first;       /* order[0] is a small one whose answer is to be checked ... */
    int promotion;             /* ... and this candidate is asked when the check fails; -1 */
};

/* ---- by what ---- */

struct policy; /* weights, thresholds, presets, quiet hours: policy_settings.h, read by policy_yaml.c */
struct predictor; /* predict.h: corrections by candidate; NULL: none */
struct bandit;    /* bandit.h; NULL: nothing was learned */

/* The defaults; the caller owns the result.  NULL with err: out of memory. */
struct policy *policy_new(struct err *err);
void policy_free(struct policy *p); /* NULL is fine */

/* tried: bit i set: candidate i was asked already (NULL: none). */
void policy_decide(const struct policy *p, const struct predictor *predictor, const struct bandit *bandit, const struct route_request *rq,
                   const struct candidates *world, const uint64_t *tried, struct route_decision *out);
/* One line for people: "qwen-0.5b on local: 0.21 s to the first word, 0.9 J; llama-8b was 3.1 s". */
void policy_put_why(const struct route_request *rq, const struct candidates *world, const struct route_decision *d, char *out, size_t max);
#endif
