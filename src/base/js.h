/* base/js.h - JSON written into a buf: commas, keys and brackets; what a value looks like when it is not known is the caller's.
 *
 * For:     answers with many fields (`tutti detect --json`, pictures' data); a line or two is quicker written by buf_printf().
 * Callers: cmd/detect_json.c, site/draw_json.c.
 * Touches: the buf alone.  Thread: its owner's.
 */
#ifndef TUTTI_BASE_JS_H
#define TUTTI_BASE_JS_H
#include <stdbool.h>

#include "base/buf.h"

struct js {
    struct buf *b;
    bool has_more; /* a comma is due */
};

/* Before a value: the comma and the key; name NULL: inside a list.  Keys are the program's own: letters, digits, _ alone. */
void js_key(struct js *j, const char *name);
void js_open(struct js *j, const char *name, char bracket); /* '{' or '[' */
void js_shut(struct js *j, char bracket);                   /* '}' or ']' */
#endif
