/* route/intent_internal.h - the bytes of a model file: one header, then the rows.
 *
 * For:     intent.c reads them, train.c writes them.
 * Rule:    little-endian, as every machine that tutti runs on.
 */
#ifndef TUTTI_ROUTE_INTENT_INTERNAL_H
#define TUTTI_ROUTE_INTENT_INTERNAL_H
#include "route/grams.h"
#include "route/intent.h"

enum { MODEL_LANES = 16, MODEL_DIFFICULTY = INTENT_COUNT /* the lane behind the intents */, MODEL_KNOTS = 33 };
#define MODEL_MAGIC "tuttiint"

struct model_header {
    char magic[8];
    uint32_t grams_version, n_rows, n_intents, n_knots;
    float scale[MODEL_LANES];       /* logit = bias + scale * sum of the rows' bytes / sqrt(number of rows) */
    float bias[MODEL_LANES];        /* of intents: already divided by the temperature, as their scale */
    float knots[MODEL_KNOTS];       /* the difficulty logit's quantiles 0, 1/32, ... 1 over the training texts */
    float reserved[5];              /* 0; the header is a multiple of 16 bytes */
};
struct intent_model {
    struct model_header head;
    int8_t row[GRAMS_ROWS][MODEL_LANES];
};
_Static_assert(sizeof(struct model_header) % 16 == 0, "rows lie on lines of 16 bytes");
_Static_assert((int)INTENT_COUNT < (int)MODEL_LANES, "one lane is the difficulty's");

/* Logits of all lanes; the difficulty's is of the first n_words rows alone. */
void intent_logits(const struct intent_model *m, const uint16_t *rows, int n_rows, int n_words, float logits[static MODEL_LANES]);
void intent_softmax(const float *logits, float *p); /* INTENT_COUNT of them */
#endif
