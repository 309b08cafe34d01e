/* route/quality.h - the chance that an answer will do, from the tier of who answers and how hard the question is.
 *
 * For:     policy.c (the term `quality`, small-first, the threshold for "difficult"), fleet.c and live.c (tiers of models).
 * Callers: route/, cmd/.
 * Touches: nothing.  Thread: any.
 * Rule:    p = .86 - LOSS(d') (u + .3 u (u - 1)), u = (9 - tier) / 3, times tier / 2 below tier 2, within .05 and .98; d' = d scaled and shifted by intent, 0..1.  LOSS rises
 *          with d (a table, measured on ../shared/corpus/difficulty: docs/routing.md).  A better tier never has a lower chance, an easier
 *          question neither.
 *          Tiers run from 0 to 10: 6 is Mixtral-8x7B, 9 GPT-4 of 2023, 6.5 a good model of 8 billion weights; 0 is not known and counts as 5.
 */
#ifndef TUTTI_ROUTE_QUALITY_H
#define TUTTI_ROUTE_QUALITY_H
#include "route/candidate.h"
#include "route/intent.h"

enum { QUALITY_TIERS = 41, QUALITY_STEPS = 33 };
struct quality_table { /* so that a candidate is one look-up */
    float p[QUALITY_STEPS][QUALITY_TIERS]; /* [difficulty 0..1][tier in quarters] */
};
void quality_fill(struct quality_table *t);

struct quality { /* of one request: borrowed rows, so that a candidate is one look-up */
    const float *low, *high; /* [QUALITY_TIERS] at the two nearest difficulties */
    float part;              /* of high */
};
/* difficulty: as intent.h has it; NAN: it is no text, the tier alone counts. */
struct quality quality_of(const struct quality_table *t, enum intent intent, float difficulty);
float quality_p(const struct quality *q, float tier);

/* The tier of a language model by its size: 6.5 at 8 billion weights (sqrt(params active) of a mixture), 1 less for each halving, 0.8 more for each
 * doubling; 0.4 less below 4.4 bits a weight, 1 less below 3.3; .1..9.  So Llama 3 and Qwen2.5 spread on MMLU between them, on a scale where
 * Mixtral-8x7B is 6 and GPT-4 is 9.  0: params not known. */
float quality_tier(double params, double active_params, double bits);

/* The difficulty above which a question counts as difficult: so that a share of traffic does ... */
float quality_cut_of_share(float share);
/* ... or so that all questions together are answered with the chance `target` when those above it go to tier `strong` and the others to
 * `weak`; 0 (everything is difficult) when even that is not enough. */
float quality_cut_of_target(float target, float weak, float strong);
#endif
