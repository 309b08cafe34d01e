/* llm/lookup.h - what comes next, by what came after the same words before: an index over the tokens of one text.
 *
 * For:     expert/speculate.c: guesses that cost nothing (Saxena, Prompt Lookup Decoding, 2023; the index is the hash
 *          chains of LZ77 compressors, RFC 1951, section 4).
 * Callers: expert/.
 * Touches: memory.  Thread: belongs to one answer.
 * Rule:    eight to twelve bytes for each token that the text may have, made once; adding a token is a few instructions, finding
 *          looks at TRIES places at most.  Guesses depend on the tokens alone.
 */
#ifndef TUTTI_LLM_LOOKUP_H
#define TUTTI_LLM_LOOKUP_H
#include <stdint.h>

#include "base/err.h"

enum { LOOKUP_LENGTH_MAX = 64 /* longer matches count as so long */ };

struct lookup;

/* For a text of up to n_max tokens.  NULL with err: no memory. */
struct lookup *lookup_new(int n_max, struct err *err);
void lookup_free(struct lookup *l); /* NULL is fine */

/* What may follow tokens [n], n <= n_max: the continuation of the place whose end is equal for longest, the latest of equals.
 * The text may only have grown since the last call.  Returns how many of n_out were found; *length: how many tokens are
 * equal there (0 or 1: none of two, but the text went along with that place until now).  The continuation goes on
 * into what it guesses itself: "ababa" is followed by "babab". */
int lookup_find(struct lookup *l, const int32_t *tokens, int n, int32_t *out, int n_out, int *length);
#endif
