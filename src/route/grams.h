/* route/grams.h - a text's word and character n-grams, hashed to the rows of a linear model.
 *
 * For:     intent.c (deciding) and train.c (learning): both must see the same rows.
 * Callers: route/ alone.
 * Touches: nothing; no allocation.  Thread: any.
 * Rule:    at most GRAMS_HEAD_BYTES + GRAMS_TAIL_BYTES of the text are read, whatever its length; each row comes at most once.
 *          Changing anything here makes every trained model invalid: GRAMS_VERSION goes into its file.
 */
#ifndef TUTTI_ROUTE_GRAMS_H
#define TUTTI_ROUTE_GRAMS_H
#include <stddef.h>
#include <stdint.h>

enum {
    GRAMS_VERSION = 2,
    GRAMS_BITS = 15,
    GRAMS_ROWS = 1 << GRAMS_BITS,
    GRAMS_HEAD_BYTES = 360, /* of a long text: how it begins says what is wanted ... */
    GRAMS_TAIL_BYTES = 160, /* ... or how it ends */
    GRAMS_MAX = 4096,       /* rows of one text */
};

/* Fills rows with the text's distinct rows; returns their number.  The first *n_words are of words and their pairs and of the
 * form, the rest are character n-grams: difficulty is told by words alone (APGR 0.68 against 0.67 with both). */
int grams_hash(const char *text, size_t n_bytes, uint16_t rows[static GRAMS_MAX], int *n_words);
#endif
