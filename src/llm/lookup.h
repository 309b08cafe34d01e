/* llm/lookup.h - where the same words stood before: an index over the tokens of one text.
 *
 * For:     expert/speculate.c: guesses that cost nothing (Saxena, Prompt Lookup Decoding, 2023; the index is the hash
 *          chains of LZ77 compressors, RFC 1951, section 4).
 * Callers: expert/.
 * Touches: memory.  Thread: belongs to one answer.
 * Rule:    20 to 28 bytes for each token that the text may have, made once; adding a token is a few instructions, finding
 *          looks at TRIES places and NEAR tokens at most.  Places are found by words: numbers of the caller, equal for tokens that
 *          are the same word but for a capital or a space before it.  What is found depends on tokens and words alone.
 */
#ifndef TUTTI_LLM_LOOKUP_H
#define TUTTI_LLM_LOOKUP_H
#include <stdint.h>

#include "base/err.h"

enum {
    LOOKUP_LENGTH_MAX = 64, /* longer matches count as so long */
    LOOKUP_PLACES = 2,
};

struct lookup;

/* For a text of up to n_max tokens.  NULL with err: no memory. */
struct lookup *lookup_new(int n_max, struct err *err);
void lookup_free(struct lookup *l); /* NULL is fine */

/* The text grows by a token, which is this word.  Nothing happens when it is full. */
void lookup_add(struct lookup *l, uint32_t word);
int lookup_n(const struct lookup *l); /* tokens added */

enum lookup_kind {
    LOOKUP_APART_1, /* the text went along with this place until a token ago; nothing is equal now */
    LOOKUP_APART_2, /* ... until two tokens ago */
    LOOKUP_APART_3, /* ... some more */
    LOOKUP_ONE_NEAR, /* one word is equal, a little behind where the text went along last */
    LOOKUP_ONE,      /* one word is equal; the latest place */
    LOOKUP_SOME,     /* two or more are, and no place that is as good goes on differently */
    LOOKUP_DISPUTED, /* ... but another one does */
    LOOKUP_KINDS
};

struct lookup_place {
    int at;     /* of the token that stands there for the text's last one; what follows it may follow the text */
    int length; /* words that are equal up to there */
    enum lookup_kind kind;
};

/* The places that may go on as the text does, tokens[lookup_n()]: the one that it goes along with, and the longest match.
 * Returns how many there are. */
int lookup_find(struct lookup *l, const int32_t *tokens, struct lookup_place out[LOOKUP_PLACES]);
/* The text is thought to go on as at this one of them: a long match is gone along with, also past words that are replaced. */
void lookup_follow(struct lookup *l, const struct lookup_place *p);
#endif
