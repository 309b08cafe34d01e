/* wire/scan.h - JSON read straight through, without a tree: for bodies that are mostly numbers.
 *
 * For:     oip.c.  jansson reads 38 MB of numbers a second into a tree of twice their size; this reads them into place.
 * Touches: an arena (unescaped strings).  Thread: any.
 * Rule:    strict RFC 8259: UTF-8, no lone surrogates, no zero byte in strings, depth at most SCAN_DEPTH_MAX.  After the
 *          first error everything fails and err keeps it: "line L, column C: ...".
 */
#ifndef TUTTI_WIRE_SCAN_H
#define TUTTI_WIRE_SCAN_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/tensor.h"

enum { SCAN_DEPTH_MAX = 64 };

struct scan {
    const char *begin, *at, *end;
    struct arena *arena;
    struct err *err;
    int depth;
    bool failed;
};

void scan_init(struct scan *s, const char *text, size_t n, struct arena *a, struct err *err);
bool scan_fail(struct scan *s, const char *fmt, ...) ERR_PRINTF(2, 3); /* false */
char scan_peek(struct scan *s); /* the next character that is no blank; '\0' at the end */
/* for (bool first = true; scan_key(&s, &first, &key);) { exactly one value }; the first call takes the '{'.  false at the
 * '}' and after an error. */
bool scan_key(struct scan *s, bool *first, const char **key);
bool scan_item(struct scan *s, bool *first); /* the same for '[' */
bool scan_string(struct scan *s, const char **text, size_t *n);
bool scan_bool(struct scan *s, bool *v);
bool scan_int(struct scan *s, int64_t *v);
struct scan_number { /* one of the three */
    bool is_int, is_negative;
    uint64_t magnitude; /* is_int */
    double value;       /* always */
};
bool scan_number(struct scan *s, struct scan_number *v);
bool scan_skip(struct scan *s); /* any value */
bool scan_end(struct scan *s);  /* nothing but blanks follows */
/* "data" of a tensor whose type and dims are known, flat or nested as the shape is: data and n_bytes, in the arena. */
bool scan_tensor(struct scan *s, struct tensor *t);
#endif
