/* route/grams.h - a text's words and letters, hashed to the rows of a linear model.
 *
 * For:     intent.c (deciding) and train.c (learning): both must see the same rows.
 * Callers: route/ alone.
 * Touches: nothing; no allocation.  Thread: any.
 * Rule:    at most GRAMS_HEAD_BYTES + GRAMS_TAIL_BYTES of the text are read, whatever its length.  The same rows on every
 *          machine.  Changing anything here makes every trained model invalid: GRAMS_VERSION goes into its file.
 */
#ifndef TUTTI_ROUTE_GRAMS_H
#define TUTTI_ROUTE_GRAMS_H
#include <stddef.h>
#include <stdint.h>

enum {
    GRAMS_VERSION = 4,
    GRAMS_BITS = 16,
    GRAMS_ROWS = 1 << GRAMS_BITS,
    GRAMS_HEAD_BYTES = 360, /* of a long text: how it begins says what is wanted ... */
    GRAMS_TAIL_BYTES = 160, /* ... or how it ends */
    GRAMS_MAX = 1152,       /* rows of one list; a byte makes at most two */
};

struct grams {
    int n_words, n_letters, n_pairs;
    uint16_t words[GRAMS_MAX];   /* each word once, and the first three and last two by place: for intent and difficulty */
    uint16_t letters[GRAMS_MAX]; /* four letters in a row inside words of the beginning and the end, words as near to those,
                                  * pairs of characters of CJK, facts of form: for intent */
    uint16_t pairs[GRAMS_MAX];   /* neighbouring words, each pair once, and measures of form: for difficulty */
};
/* rows: where rows of 16 bytes lie that will be asked for next (a hint to the cache); NULL: none. */
void grams_hash(const char *text, size_t n_bytes, const void *rows, struct grams *out);
#endif
