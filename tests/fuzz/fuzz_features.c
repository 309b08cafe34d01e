/* tests/fuzz/fuzz_features.c - any bytes as a request: counts within their bounds, probabilities that sum to one. */
#include <math.h>
#include <stdlib.h>

#include "fuzz.h"
#include "route/intent.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct features f;
    struct intent_answer a;
    const struct features_media medium = { data, size };
    float sum = 0;
    features_read(&(struct features_in){ .text = (const char *)data, .n_bytes = size, .media = &medium, .n_media = 1 }, &f);
    if (f.n_read_bytes > size || f.n_words < 0 || f.code_frac < 0 || f.code_frac > 1 || !f.media || f.turn_tok > size * 2 + 1 || f.n_questions > f.n_sentences)
        abort();
    intent_decide(intent_model_shipped(), &f, (const char *)data, size, &a);
    for (int i = 0; i < INTENT_COUNT; i++)
        sum += a.p[i];
    if (!(fabsf(sum - 1) < 1e-3f) || !(a.difficulty >= 0 && a.difficulty <= 1))
        abort();
    return 0;
}
