/* route/quality.c - see quality.h. */
#include "route/quality.h"

#include <math.h>

/* What tier 6 loses against tier 9 at difficulty 0, .1, .. 1: GPT-4 less Mixtral-8x7B on ../shared/corpus/difficulty (11,218 questions, scored by
 * models that had not seen them), with the quarter taken out that guessing gets, smoothed to rise; docs/routing.md has the counts.  Where
 * the strong one gains nothing (below .2) a little is kept, so that a smaller model is never taken to be as good. */
static const float loss_knots[] = { .06f, .06f, .065f, .08f, .10f, .12f, .137f, .15f, .17f, .25f, .40f };
enum { KNOTS = sizeof(loss_knots) / sizeof(loss_knots[0]) };
static const float TOY_TIER = 2; /* below some 400 million weights a model tells stories, not answers: by hand, no measurement */
static const float TOP_P = .86f, LEAST_P = .05f, MOST_P = .98f; /* TOP_P: the strong one in the middle of the range */

static const struct {
    float scale, shift;
} kind[INTENT_COUNT] = {
#define X(id, word, degrade, tok, scale, shift) { scale, shift },
    INTENTS(X)
#undef X
};

static float clamp(float v, float low, float high) { return v < low ? low : v > high ? high : v; }

/* In units of what tier 6 loses against 9: the smaller, the steeper (as Qwen2.5 and Llama 3 of 0.5 to 72 billion weights on MMLU). */
static float loss_of_tier(float tier)
{
    const float u = (9 - tier) / 3;
    return u + .3f * u * (u - 1);
}

static float chance(float tier, float d)
{
    const float at = clamp(d, 0, 1) * (KNOTS - 1);
    const int low = at < KNOTS - 2 ? (int)at : KNOTS - 2;
    const float loss = loss_knots[low] + (at - (float)low) * (loss_knots[low + 1] - loss_knots[low]);
    const float p = tier > 9 ? TOP_P + .02f * (tier - 9) : TOP_P - loss * loss_of_tier(tier);
    return clamp(tier < TOY_TIER ? p * tier / TOY_TIER : p, LEAST_P, MOST_P);
}

void quality_fill(struct quality_table *t)
{
    for (int d = 0; d < QUALITY_STEPS; d++)
        for (int i = 0; i < QUALITY_TIERS; i++)
            t->p[d][i] = chance((float)i / 4, (float)d / (QUALITY_STEPS - 1));
}

struct quality quality_of(const struct quality_table *t, enum intent intent, float difficulty)
{
    static const float NO_TEXT = .25f; /* one picture is not harder than another: by tier alone */
    const int i = (unsigned)intent < INTENT_COUNT ? (int)intent : INTENT_CHAT;
    const float d = isnan(difficulty) ? NO_TEXT : clamp(difficulty * kind[i].scale + kind[i].shift, 0, 1);
    const float at = d * (QUALITY_STEPS - 1);
    const int low = at < QUALITY_STEPS - 2 ? (int)at : QUALITY_STEPS - 2;
    return (struct quality){ .low = t->p[low], .high = t->p[low + 1], .part = at - (float)low };
}

float quality_p(const struct quality *q, float tier)
{
    const float known = tier > 0 ? clamp(tier, 0, 10) : 5;
    const int t = (int)(known * 4 + .5f);
    return q->low[t] + q->part * (q->high[t] - q->low[t]);
}

float quality_tier(double params, double active_params, double bits)
{
    if (!(params > 0))
        return 0;
    if (!(active_params > 0) || active_params > params)
        active_params = params;
    const float doublings = (float)log2(sqrt(params * active_params) / 8e9);
    const float tier = 6.5f + (doublings < 0 ? 1 : .8f) * doublings;
    const float less = !(bits > 0) || bits >= 4.4 ? 0 : bits >= 3.3 ? .4f : 1; /* perplexity of Q3 and Q2: docs/data.md, table quant */
    return clamp(tier - less, .1f, 9);
}

float quality_cut_of_share(float share) { return 1 - clamp(share, 0, 1); }

float quality_cut_of_target(float target, float weak, float strong)
{
    enum { STEPS = 200 };
    float sum = 0;
    for (int i = 0; i < STEPS; i++)
        sum += chance(strong, ((float)i + .5f) / STEPS);
    int cut = 0; /* in steps: the easiest go to the weak one first */
    while (cut < STEPS) {
        const float d = ((float)cut + .5f) / STEPS;
        sum += chance(weak, d) - chance(strong, d);
        if (sum / STEPS < target)
            break;
        cut++;
    }
    return (float)cut / STEPS;
}
