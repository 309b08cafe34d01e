/* route/bandit.h - what outcomes have taught about each expert, beyond what is predicted: a small bounded contextual bandit.
 *
 * For:     policy.c (the term `learned`), router.c and simulate.c (tell outcomes), journal.c (keeps it).
 * Callers: route/, api/, serve/, cmd/.
 * Touches: nothing; bandit_new() allocates once.
 * Thread:  bandit_gain() any; bandit_observe() and what changes a bandit: one at a time (the caller's lock); reading goes on meanwhile.
 * Rule:    for each slot (expert x node) a linear model over one-hot features of the request: whatever it is, intent, difficulty, length,
 *          time of day.  It learns by how much the outcome (0: bad .. 1: good) differs from the predicted chance beyond what is so for
 *          all experts alike (one more such model: else whoever is asked often would pay for predictions that are too high for everybody).  So it
 *          begins at 0 and stays there where predictions are right.  gain = sum of means + exploration * noise / sqrt(n + 1) (Thompson sampling with
 *          diagonal covariance), within -1..1.  The noise is a hash of seed, outcomes seen, slot and request: the same request against
 *          the same bandit gives the same gain.  The newest outcome counts 1 / (n + BANDIT_PRIOR), at least
 *          BANDIT_LEAST_SHARE, so old ones fade: with .02 a gain would scatter by .045 around the truth, with .005 by .02.  policy.c bounds what
 *          a gain may move, and asks rules first: a bandit never makes a candidate able.
 */
#ifndef TUTTI_ROUTE_BANDIT_H
#define TUTTI_ROUTE_BANDIT_H
#include "base/buf.h"
#include "route/policy.h"

#define BANDIT_LEAST_SHARE .005f
#define BANDIT_PRIOR 10.f /* outcomes as predicted that it begins with: a few failures prove little */

/* word, how many values.  ORDER BANDIT_FEATURE: bandit_features_of() */
#define BANDIT_FEATURES(X) X(ALWAYS, "always", 1) X(INTENT, "intent", INTENT_COUNT + 1) X(DIFFICULTY, "difficulty", 4) X(LENGTH, "length", 4) X(TIME, "time", 4)
enum bandit_feature {
#define X(id, word, n) BANDIT_FEATURE_##id,
    BANDIT_FEATURES(X)
#undef X
        BANDIT_FEATURE_COUNT
};
struct bandit_context { /* which value of each feature a request has, and what its noise comes from */
    uint8_t value[BANDIT_FEATURE_COUNT];
    uint64_t hash;
};
void bandit_context_of(const struct route_request *rq, struct bandit_context *out);

#define BANDIT_EXPLORATION 0.05f /* a careful start */
/* exploration: 0 none.  The caller owns the result; NULL with err: out of memory. */
struct bandit *bandit_new(uint64_t seed, float exploration, struct err *err);
void bandit_free(struct bandit *b); /* NULL is fine */
/* How much better than predicted the slot is expected to do on such a request, -1..1. */
float bandit_gain(const struct bandit *b, int slot, const struct bandit_context *ctx);
/* outcome 0..1: did the answer do?  p_good: as it was predicted (struct route_guess). */
void bandit_observe(struct bandit *b, int slot, const struct bandit_context *ctx, float outcome, float p_good);
uint64_t bandit_n(const struct bandit *b); /* outcomes seen */
void bandit_forget(struct bandit *b, int slot);

/* Replay: with exploration 0, the slot has exactly that gain for whatever is asked. */
void bandit_recall(struct bandit *b, int slot, float gain);

/* To keep, as predictor_put() and predictor_take(): one line "EXPERT<tab>NODE<tab>FEATURE<tab>VALUE<tab>MEAN<tab>N". */
void bandit_put(const struct bandit *b, const struct candidates *world, struct buf *out);
bool bandit_take(struct bandit *b, const struct candidates *world, const char *text, size_t n, struct err *err);
#endif
