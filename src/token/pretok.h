/* token/pretok.h - cuts text into the words inside which byte-level BPE merges.
 *
 * For:     vocab.c (opens one), bpe.c (splits), tests/token/test_pretok.c.
 * Touches: the heap while opening.  An open one never changes: any thread may split.
 * Rule:    the pieces are not empty, in order, and together they are the text.  Linear time.
 */
#ifndef TUTTI_TOKEN_PRETOK_H
#define TUTTI_TOKEN_PRETOK_H
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* What else the name says about the tokenizer. */
enum pretok_flags {
    PRETOK_WHOLE_WORDS = 1,      /* a word that is in the vocabulary is taken as it is, without merging */
    PRETOK_ADD_BOS = 2,          /* BOS in front unless the file says otherwise */
    PRETOK_NO_BOS = 4,           /* there is no BOS unless the file names one */
    PRETOK_RAW = 8,              /* tokens are UTF-8 with U+2581 for a space, not the byte alphabet of GPT-2 */
    PRETOK_WHOLE_LINE_FEEDS = 16 /* as PRETOK_WHOLE_WORDS, for words of line feeds only */
};

struct pretok;

/* Owned by the caller; NULL with err: ERR_UNSUPPORTED for an unknown name. */
struct pretok *pretok_new(const char *name, size_t n, struct err *err);
void pretok_free(struct pretok *p); /* NULL is fine */
unsigned pretok_flags(const struct pretok *p);

/* Hands one word after the other to fn, false ends it early.  s is valid UTF-8. */
typedef bool pretok_fn(void *ctx, const char *word, size_t n);
bool pretok_split(const struct pretok *p, const char *s, size_t n, pretok_fn *fn, void *ctx);

/* The table, for tests: rules and their patterns, NULL past the end. */
const char *pretok_rule_name(int rule);
const char *pretok_rule_pattern(int rule, int level);
/* NAME n of the table and its rule; NULL past the end. */
const char *pretok_name(int n, int *rule);
#endif
