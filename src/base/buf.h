/* base/buf.h - a growing byte buffer that is born with its maximum.
 *
 * For:     text and bytes that are built piece by piece: a prompt, a reply, a line of JSON.
 * Callers: all rooms.
 * Touches: realloc and free.  Thread: its owner's.
 * Rule:    a failed append (out of memory, maximum passed) sets `failed`, drops that append and all
 *          later ones; so a chain of appends needs one check at its end.  There is always a '\0'
 *          behind the bytes once something was appended.
 */
#ifndef TUTTI_BASE_BUF_H
#define TUTTI_BASE_BUF_H
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct buf {
    char *data;                  /* owned; NULL while empty */
    size_t len, cap, max_bytes;  /* max_bytes 0: no append will succeed */
    bool failed;
};

void buf_init(struct buf *b, size_t max_bytes);
void buf_fini(struct buf *b);
void buf_clear(struct buf *b); /* keeps the memory, forgets `failed` */

void buf_append(struct buf *b, const void *bytes, size_t n);
void buf_puts(struct buf *b, const char *s);
void buf_putc(struct buf *b, char c);
void buf_put_u64(struct buf *b, uint64_t v); /* as "%" PRIu64 does, some ten times faster */
void buf_printf(struct buf *b, const char *fmt, ...) ERR_PRINTF(2, 3);
void buf_vprintf(struct buf *b, const char *fmt, va_list ap);
/* The text as a JSON string with its quotes; bytes that are not UTF-8 become U+FFFD. */
void buf_put_json(struct buf *b, const char *s, size_t n);
void buf_put_json_text(struct buf *b, const char *s); /* to its '\0' */
/* false with err set when an append failed. */
bool buf_ok(const struct buf *b, const char *what, struct err *err);
#endif
