/* task/sentences.h - long text in pieces that can be spoken one after the other.
 *
 * For:     task_speak.c, speak_piper.c.
 * Touches: nothing.  Thread: any.
 * Rule:    pieces are consecutive and together are the text; none is longer than asked for, no character is cut.  The end of a
 *          sentence is . ! ? ... (with closing quotes behind) before white space, unless it ends a known abbreviation, an
 *          initial or an ordinal; or a blank line.  What is too long is cut at a clause, a word, at last anywhere.
 */
#ifndef TUTTI_TASK_SENTENCES_H
#define TUTTI_TASK_SENTENCES_H
#include <stddef.h>

/* How many bytes of text (n >= 1) the next piece has, the white space behind it included: 1..max(n_max, 4). */
size_t sentence_next(const char *text, size_t n, size_t n_max);
#endif
