/* route/predict.h - how long a request will take on a candidate, what it draws and costs; corrected by what was seen.
 *
 * For:     policy.c (each decision), router.c and simulate.c (tell what really happened), journal.c (keeps the corrections).
 * Callers: route/, api/, serve/, cmd/.
 * Touches: nothing; predictor_new() allocates once.
 * Thread:  predict() any; predictor_observe() and what changes a predictor: one at a time (the caller's lock); reading goes on meanwhile.
 * Rule:    with f the corrections of the candidate's slot, P the tokens of the prompt, G those of the answer, N items, S seconds of sound:
 *              first = f_ttft (fixed + rtt + bytes / link + f_prefill P / prefill + item [N > 0] + sound min(S, 1))
 *              rest  = f_decode ((G - 1) / decode + (N - 1) item + sound (S - min(S, 1)))
 *              saved = f_ttft f_prefill min(prefix, P - 1) / prefill
 *              queue = wait, or those before it in the time that this request takes; and a share for those beside it
 *              joules = f_joules busy_w (load + work on the expert: what is above but waiting, rtt and link)
 *              usd   = provider's prices + joules at the node's price of electricity
 *          What nobody knows of an expert's speed is reckoned with the PREDICT_ figures below, never as free.
 */
#ifndef TUTTI_ROUTE_PREDICT_H
#define TUTTI_ROUTE_PREDICT_H
#include "base/buf.h"
#include "route/policy.h"

/* Assumed where nothing is known: a small model on a small machine. */
#define PREDICT_PREFILL_TOK_S 100.f
#define PREDICT_DECODE_TOK_S 8.f
#define PREDICT_ITEM_S .2f
#define PREDICT_SOUND_S_S .5f
/* What one more running request adds to the time of the others, as a share of it (continuous batching: the weights are read once for
 * all; measured with our engine at 4 at a time: 8..20 %). */
#define PREDICT_BESIDE_FRAC .15f

/* usd_per_kwh: where the node does not say.  Fills everything but p_good. */
void predict(const struct predictor *p, const struct route_request *rq, const struct route_node *node, const struct candidate *c, float usd_per_kwh,
             struct route_guess *out);

/* Tokens that an answer of that kind usually has, at most max_gen_tok (0: no limit said). */
uint64_t predict_gen_tok(const struct intent_answer *intent, uint64_t turn_tok, uint64_t max_gen_tok);
/* A request of one text: task, goal, wish, features, intent as given; tokens, sight, hearing, tools and privacy from the features.  The caller
 * adds items, sound, bytes, session and the time of day.  All is borrowed. */
void route_request_of(struct route_request *rq, enum expert_task task, enum route_goal goal, const struct expert_wish *wish, const struct features *features,
                      const struct intent_answer *intent, uint64_t max_gen_tok);

/* ---- corrections, one set for each slot (expert x node) ---- */

/* What is corrected.  ORDER PREDICT_KIND */
#define PREDICT_KINDS(X) X(TTFT, "ttft") X(PREFILL, "prefill") X(DECODE, "decode") X(JOULES, "joules")
enum predict_kind {
#define X(id, word) PREDICT_##id,
    PREDICT_KINDS(X)
#undef X
        PREDICT_KIND_COUNT
};

/* The caller owns the result; NULL with err: out of memory.  ROUTE_SLOTS_MAX slots, all without corrections. */
struct predictor *predictor_new(struct err *err);
void predictor_free(struct predictor *p); /* NULL is fine */
/* predicted: by predict() with this predictor (so that what is left over is learned); both > 0 and finite, else nothing happens.  TTFT: without
 * queue and loading.  The correction is e^m, m a moving mean of log(actual / predicted) (the newest counts 1 / (n + 1), at least 1/16), where
 * a value further off than three mean deviations counts as if it were there; m stays within +-log 16. */
void predictor_observe(struct predictor *p, int slot, enum predict_kind kind, float predicted, float actual);
float predictor_factor(const struct predictor *p, int slot, enum predict_kind kind); /* 1: none */
uint32_t predictor_n(const struct predictor *p, int slot, enum predict_kind kind);   /* seen so far */
void predictor_forget(struct predictor *p, int slot); /* another expert has the slot now */

/* Replay: predicts for that slot exactly as when the guess was made.  Nothing more is learned with such a predictor. */
void predictor_recall(struct predictor *p, int slot, const struct route_guess *g);

/* To keep: one line "EXPERT<tab>NODE<tab>KIND<tab>LOG<tab>DEVIATION<tab>N" for each correction of the world's candidates. */
void predictor_put(const struct predictor *p, const struct candidates *world, struct buf *out);
/* Takes lines of predictor_put() for candidates that are there; others are passed over.  false with err "line N: ...". */
bool predictor_take(struct predictor *p, const struct candidates *world, const char *text, size_t n, struct err *err);
#endif
