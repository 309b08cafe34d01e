/* task/wordlist.h - a vocabulary of whole words, one a line of a file, and text as numbers of its lines.
 *
 * For:     embed_static.c, embed_onnx.c: models whose tokens are words (GloVe and its kind).
 * Touches: the file.  Thread: any; constant once read.
 * Rule:    text becomes lower case and is cut into runs of ASCII letters or digits; words that are not in the list, and stop
 *          words, are left out.
 */
#ifndef TUTTI_TASK_WORDLIST_H
#define TUTTI_TASK_WORDLIST_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct wordlist;
enum { WORDLIST_BYTES_MAX = 256 << 20, WORDLIST_WORD_MAX = 64 };

/* stop: words divided by white space that count as absent; NULL: none.  The caller owns the result; NULL with err. */
struct wordlist *wordlist_read(const char *path, const char *stop, struct err *err);
/* The same from text (which is copied). */
struct wordlist *wordlist_parse(const char *text, size_t n, const char *stop, struct err *err);
void wordlist_free(struct wordlist *w); /* NULL is fine */
int wordlist_count(const struct wordlist *w); /* lines */
int wordlist_find(const struct wordlist *w, const char *word, size_t n); /* -1: none, or a stop word */
/* The first n_max numbers; returns how many. */
int wordlist_numbers(const struct wordlist *w, const char *text, size_t n, int64_t *out, int n_max);
#endif
