/* route/intent_internal.h - the bytes of a model file: one header, then the rows.
 *
 * For:     intent.c reads them, train.c and train_hard.c write them.
 * Rule:    little-endian, as every machine that tutti runs on.
 */
#ifndef TUTTI_ROUTE_INTENT_INTERNAL_H
#define TUTTI_ROUTE_INTENT_INTERNAL_H
#include "route/grams.h"
#include "route/intent.h"

/* ORDER OUTCOME: weak * 2 + strong */
enum outcome { OUTCOME_NEITHER, OUTCOME_STRONG, OUTCOME_WEAK, OUTCOME_BOTH, OUTCOME_COUNT };

enum { MODEL_LANES = 16, MODEL_OUTCOME = INTENT_COUNT /* the lanes behind the intents: which of two models answers */, MODEL_KNOTS = 33 };
#define MODEL_MAGIC "tuttiint"

struct model_header {
    char magic[8];
    uint32_t grams_version, n_rows, n_intents, n_knots;
    float scale[MODEL_LANES];       /* logit = bias + scale * sum of the rows' bytes / sqrt(number of rows) */
    float bias[MODEL_LANES];        /* of intents: already divided by the temperature, as their scale */
    float knots[MODEL_KNOTS];       /* quantiles 0, 1/32, ... 1 of intent_gain() over the training texts */
    float reserved[5];              /* 0; the header is a multiple of 16 bytes */
};
struct intent_model {
    struct model_header head;
    int8_t row[GRAMS_ROWS][MODEL_LANES];
};
_Static_assert(sizeof(struct model_header) % 16 == 0, "rows lie on lines of 16 bytes");
_Static_assert((int)INTENT_COUNT + (int)OUTCOME_COUNT <= (int)MODEL_LANES, "intents and outcomes share a row");

/* Logits of all lanes: intents from words and letters, outcomes from words and pairs. */
void intent_logits(const struct intent_model *m, const struct grams *g, float logits[static MODEL_LANES]);
void intent_softmax(const float *logits, float *p, int n);
/* What sending the text to the strong model is expected to win: P(only the strong one answers) - P(only the weak one). */
float intent_gain(const float outcome_logits[static OUTCOME_COUNT]);
#endif
