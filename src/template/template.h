/* template/template.h - chat templates: the Jinja that models carry, interpreted within bounds.
 *
 * For:     turning messages, tools and flags into the one text that a chat model was trained on.
 * Callers: api/ and expert/ (a conversation), cmd/ (`tutti model render`, `tutti run`).
 * Touches: memory; the clock only when a template asks strftime_now() and the caller gave no time.
 * Thread:  a parsed template is never written again: any number of threads may render it at once.
 * Rule:    same text as python3-jinja2 3.1 in the settings of transformers (sandbox, trim_blocks,
 *          lstrip_blocks, break and continue, tojson without ASCII escapes, raise_exception,
 *          strftime_now).  A hostile template or conversation reaches a limit and becomes an error;
 *          it never costs more than a fraction of a second, max_memory_bytes, the room in `out`, and 400 KB
 *          of stack.
 */
#ifndef TUTTI_TEMPLATE_TEMPLATE_H
#define TUTTI_TEMPLATE_TEMPLATE_H
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/buf.h"
#include "base/err.h"

struct template; /* opaque; the parsed text */

/* Zero means the default everywhere, so { 0 } is a good start; NULL options are all defaults. */
struct template_options {
    const struct tm *now;     /* local time for strftime_now(); NULL: the clock of this machine */
    uint64_t max_steps;       /* default 10 million; a step is a small operation or 64 bytes handled */
    size_t max_memory_bytes;  /* default 128 MiB for all values of one rendering */
};

/* Owned by the caller; `text` is not needed afterwards.  NULL with err set: ERR_INPUT and the line of
 * what is wrong, ERR_UNSUPPORTED for include, import, extends. */
struct template *template_parse(const char *text, size_t n, struct err *err);
void template_free(struct template *t); /* NULL is fine */

/* Appends the rendered text to `out`, whose max_bytes is the limit of the output.  `vars` is an object
 * that holds all variables (messages, tools, add_generation_prompt, bos_token, ...); it is borrowed for
 * the call and not changed; a variable that is absent is undefined, which is not none.
 * false with err set and `out` as it was: ERR_INPUT with the line (raise_exception's message too),
 * ERR_LIMIT when a bound was reached, ERR_NOMEM. */
bool template_render(const struct template *t, const json_t *vars, const struct template_options *opt,
                     struct buf *out, struct err *err);

/* true when the text reads a variable of this name that it has not set itself: whether a template
 * knows `tools`, `enable_thinking`, `documents`, ... */
bool template_reads(const struct template *t, const char *name);

/* Text of a plain template for chat models that bring none ("User: ...", "Assistant: ...");
 * who uses it says so to the user. */
const char *template_default_chat(void);
#endif
