/* token/regex.h - the regular expressions of pre-tokenizers, compiled into a table that reads each
 * character once.
 *
 * For:     pretok.c alone.
 * Touches: the heap, while compiling.  A compiled one never changes: any thread may match.
 * Rule:    what Perl's leftmost-first semantics would match, by a deterministic automaton over classes of
 *          code points: each character of an attempt is read once.  Attempts one after the other are linear
 *          together when regex_is_linear() says so; a test asks it for every pattern of pretok.def.  White
 *          space beyond ASCII counts as U+000B, as it does for the vectors that llama.cpp made: it is \s
 *          and in no range that was written down.
 *
 * Subset:  literals, \r \n \t, escaped punctuation, \x{HEX}, \s \S, \p{L} (L M N P S Lu Ll Lt Lm Lo),
 *          [classes], (groups), (?:groups), |, ? * + {n} {n,m}, $ (end of the text), and lookahead
 *          for one class of characters: (?=\p{L}) (?!\S); all greedy.
 */
#ifndef TUTTI_TOKEN_REGEX_H
#define TUTTI_TOKEN_REGEX_H
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct regex;

/* Owned by the caller.  NULL with err: ERR_UNSUPPORTED with the byte where the pattern leaves the
 * subset. */
struct regex *regex_new(const char *pattern, struct err *err);
void regex_free(struct regex *r); /* NULL is fine */

/* How many of the n bytes, which are valid UTF-8, match from s[0] on; the text ends at s + n.  0: no match. */
size_t regex_match(const struct regex *r, const char *s, size_t n);

/* For tests.  1: matching one attempt after the other through a text takes linear time in all; 0: it may take
 * quadratic time, when many attempts read far beyond what they match; -1: out of memory. */
int regex_is_linear(const struct regex *r);
int regex_n_states(const struct regex *r);
int regex_n_classes(const struct regex *r);
#endif
