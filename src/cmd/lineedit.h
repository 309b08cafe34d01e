/* cmd/lineedit.h - one line of text from a person at a terminal: editing, history, paste.
 *
 * For:     `tutti run` without a prompt.
 * Touches: the terminal: raw only inside lineedit_read(), as before afterwards.  Thread: one.
 * Rule:    no terminfo, only what every terminal of the last thirty years understands (ECMA-48: CUU, CUF, ED).  The
 *          keys are a machine of their own (lineedit_feed), which knows no terminal and is tested with bytes.
 *
 * Keys:    left right home end, ctrl-b f a e; alt-b f or ctrl-left right by words; backspace, delete, ctrl-d;
 *          ctrl-k u to the end and to the start, ctrl-w a word back, ctrl-y puts back; up down or ctrl-p n history;
 *          ctrl-l clears the screen; pasted line ends stay part of the line.
 */
#ifndef TUTTI_CMD_LINEEDIT_H
#define TUTTI_CMD_LINEEDIT_H
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

struct lineedit;

enum lineedit_result {
    LINEEDIT_MORE,      /* feed on; what is shown may have changed */
    LINEEDIT_LINE,      /* enter */
    LINEEDIT_EOF,       /* ctrl-d on an empty line, or the terminal is gone */
    LINEEDIT_INTERRUPT, /* ctrl-c; the line is forgotten */
    LINEEDIT_SIGNAL     /* the read was interrupted by a signal */
};

struct lineedit *lineedit_new(struct err *err);
void lineedit_free(struct lineedit *l); /* NULL is fine */

/* Shows the prompt on fd_out and reads a line from the terminal fd_in.  LINEEDIT_LINE: *line is the text without
 * its end, borrowed until the next call. */
enum lineedit_result lineedit_read(struct lineedit *l, int fd_in, int fd_out, const char *prompt, const char **line);
/* Remembers a line for the up key; empty ones and repetitions are not kept, nor more than 500. */
void lineedit_remember(struct lineedit *l, const char *line);

/* ---- without a terminal ---- */

void lineedit_begin(struct lineedit *l);
enum lineedit_result lineedit_feed(struct lineedit *l, unsigned char byte);
const char *lineedit_text(const struct lineedit *l); /* '\0'-terminated, borrowed until the next call */
size_t lineedit_cursor(const struct lineedit *l);    /* in bytes */
/* What must be written to show prompt and text on n_cols columns, given what was shown before. */
void lineedit_render(struct lineedit *l, const char *prompt, int n_cols, struct buf *out);
#endif
