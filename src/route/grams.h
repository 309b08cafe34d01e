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
    GRAMS_VERSION = 1,
    GRAMS_BITS = 15,
    GRAMS_ROWS = 1 << GRAMS_BITS,
    GRAMS_HEAD_BYTES = 480, /* of a long text: how it begins says what is wanted ... */
    GRAMS_TAIL_BYTES = 200, /* ... or how it ends */
    GRAMS_MAX = 4096,       /* rows of one text */
};

/* Fills rows with the text's distinct rows; returns their number. */
int grams_hash(const char *text, size_t n_bytes, uint16_t rows[static GRAMS_MAX]);
#endif
