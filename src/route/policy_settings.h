/* route/policy_settings.h - what a policy is made of: weights of each goal, settings, quiet hours.  One table line each.
 *
 * For:     policy.c and rules.c (decide by them), policy_yaml.c (reads them), cmd/ (shows them), docs/routing.md (explains them).
 * Callers: route/, cmd/.
 * Touches: nothing; plain data, owned by whoever called policy_new().
 * Rule:    all weights are >= 0 and finite, so that slower, hotter, dearer never scores better.
 */
#ifndef TUTTI_ROUTE_POLICY_SETTINGS_H
#define TUTTI_ROUTE_POLICY_SETTINGS_H
#include "route/policy.h"
#include "route/quality.h"

/* id, key, balanced, fast, best, cheap, private, what one unit of it counts as, in seconds of waiting.  ORDER POLICY_WEIGHT */
#define POLICY_WEIGHTS(X)                                                                                              \
    X(FIRST, "first", 1, 2, .5, .25, 1, "a second until the first token")                                              \
    X(REST, "rest", .5, 1, .25, .1, .5, "a second from there to the end")                                              \
    X(QUEUE, "queue", 1, 2, .5, .25, 1, "a second behind others")                                                      \
    X(LOAD, "load", 1, 2, .5, .25, 1, "a second of loading weights")                                                   \
    X(HOME, "home", .25, .25, .1, .1, .25, "(0..1) share of its time that a conversation's home is let off")                      \
    X(JOULE, "joule", .02, .0005, .0005, .2, .02, "a joule")                                                           \
    X(USD, "usd", 10000, 500, 100, 100000, 10000, "a dollar")                                                          \
    X(HEAT, "heat", 5, 2, 1, 10, 5, "no headroom left; a throttled node twice that")                                   \
    X(BATTERY, "battery", .05, .01, .01, .2, .05, "a joule from a full battery; twice that from an empty one")         \
    X(WRONG, "wrong", 300, 20, 3000, 60, 300, "an answer that will not do")                                            \
    X(CATCH, "catch", .1, 0, 0, .1, .1, "(0..1, no time) share of wrong answers that a check notices; 0: never small first") \
    X(STRICT, "strict", 1, 0, 1, 0, 1, "(0 or 1) a difficult request wants one of the better candidates")
enum policy_weight {
#define X(id, key, balanced, fast, best, cheap, private, help) POLICY_WEIGHT_##id,
    POLICY_WEIGHTS(X)
#undef X
        POLICY_WEIGHT_COUNT
};

/* id, key, preset, least, most, help.  ORDER POLICY_SETTING */
#define POLICY_SETTINGS(X)                                                                                             \
    X(ELECTRICITY, "electricity_usd_kwh", .3, 0, 10, "price of electricity where a node has none of its own")          \
    X(ASSUMED_W, "assumed_w", 30, 0, 10000, "power of an expert whose power is not known")                             \
    X(HEADROOM_C, "headroom_c", 15, 1, 100, "heat counts from so little headroom on")                                  \
    X(DIFFICULT_SHARE, "difficult_share", .5, 0, 1, "share of usual requests that counts as difficult")                \
    X(QUALITY_TARGET, "quality_target", 0, 0, 1, "instead: so many answers should do; 0: by the share")                \
    X(STRONG_TIER, "strong_tier", 9, 1, 10, "who then answers what is difficult ...")                                  \
    X(WEAK_TIER, "weak_tier", 6, 1, 10, "... and what is not")                                                         \
    X(DIFFICULT_LOSS, "difficult_loss", .08, 0, 1, "a difficult request may lose so much chance against the best candidate") \
    X(DIFFICULT_WAIT_S, "difficult_wait_s", 10, 0, 86400, "... who begins within this")                                \
    X(SMALL_TIER, "small_tier", 5.6, 1, 10, "models up to this tier are small (5.6: some 4 billion weights)")          \
    X(SHORT_PROMPT_TOK, "short_prompt_tok", 100, 0, 100000, "a request below this ...")                                \
    X(SHORT_ANSWER_TOK, "short_answer_tok", 200, 0, 100000, "... with an answer below this goes to a small model")     \
    X(SMALL_FIRST_P, "small_first_p", .5, 0, 1, "small first only if its answer will do with this chance")             \
    X(PATIENCE_S, "patience_s", 60, 0, 86400, "small first and a bigger one after it must end within this; a deadline says it better") \
    X(SECRETS_TO, "secrets_to", 1, 0, 2, "where secrets may go: 0 this machine, 1 the house, 2 anywhere")              \
    X(LEARNED_FRAC, "learned_frac", .1, 0, .5, "what was learned moves a score by at most this share")                  \
    X(TRIES, "tries", 4, 1, 16, "experts that are asked for one request, at most")                                     \
    X(HEDGE_FACTOR, "hedge_factor", 3, 1, 1000, "an idle one is asked, too, when the first word is so many times later than predicted") \
    X(HEDGE_S, "hedge_s", 2, 0, 86400, "... and at least so late; 0: never")                                           \
    X(HANG_S, "hang_s", 60, 1, 86400, "another one is asked when nothing came for so long")                            \
    X(PROBATION_TOK, "probation_tok", 48, 1, 100000, "of a small model's answer that are looked at before a stream shows them") \
    X(PROBATION_S, "probation_s", 1.5, 0, 3600, "... or for so long")                                                  \
    X(UNSURE, "unsure", 2.5, 0, 100, "mean surprise of a small model's tokens (-log p) above which its answer will not do") \
    X(OFFLINE_TOK, "offline_tok", 512, 0, 1000000, "longest answer of a small model that stands in for servers that are gone; 0: as asked") \
    X(REMEMBER, "remember", 0, 0, 100000, "answers kept in memory for when nobody can answer; 0: none")                \
    X(REMEMBER_S, "remember_s", 86400, 1, 31536000, "... for so long")
enum policy_setting {
#define X(id, key, preset, min, max, help) POLICY_##id,
    POLICY_SETTINGS(X)
#undef X
        POLICY_SETTING_COUNT
};

struct policy_key { /* for readers and printers */
    const char *key, *help;
    float preset, min, max;
};
extern const struct policy_key policy_weight_keys[POLICY_WEIGHT_COUNT], policy_setting_keys[POLICY_SETTING_COUNT];

struct policy_quiet { /* a noise and heat budget by time of day */
    int from_minute, to_minute; /* local time; to < from: over midnight */
    float max_busy_w;           /* INFINITY: any */
    uint8_t min_step[ROUTE_CLASS_COUNT]; /* the best step of each ladder that is allowed; 0: all */
    char node[64];              /* "": all but those of others */
};
enum { POLICY_QUIET_MAX = 16 };

struct policy {
    float weight[ROUTE_GOAL_COUNT][POLICY_WEIGHT_COUNT]; /* seconds */
    float setting[POLICY_SETTING_COUNT];
    struct policy_quiet quiet[POLICY_QUIET_MAX];
    int n_quiet;
    /* made of the above by policy_settle() */
    float difficulty_cut;
    struct quality_table quality;
};
/* After settings were changed. */
void policy_settle(struct policy *p);
/* Is it within [from, to) of the day, over midnight too? */
bool policy_is_within(const struct policy_quiet *q, int minute_of_day);
#endif
