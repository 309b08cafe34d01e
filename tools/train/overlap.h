/* tools/train/overlap.h - how much of a text was copied: its longest run that also stands in the corpus.
 *
 * For:     main.c (--overlap): a model of this size should not recite its books.
 * Touches: memory of its own.
 * Rule:    whitespace counts as one blank; everything else must agree to the letter.
 */
#ifndef TUTTI_TOOLS_TRAIN_OVERLAP_H
#define TUTTI_TOOLS_TRAIN_OVERLAP_H
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct overlap; /* a suffix automaton of the text (Blumer et al. 1985) */
struct overlap *overlap_new(const char *text, size_t n, struct err *err);
void overlap_free(struct overlap *o);
/* Walks through the corpus; keeps the longest run met so far.  Call it for each part. */
void overlap_walk(struct overlap *o, const char *corpus, size_t n);
/* The run, whole words only, in the text with its blanks squeezed: borrowed. */
const char *overlap_longest(const struct overlap *o, size_t *n_bytes, size_t *n_words);
#endif
