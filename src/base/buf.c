/* base/buf.c - see buf.h; start reading at buf_append(). */
#include "base/buf.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

void buf_init(struct buf *b, size_t max_bytes) { *b = (struct buf){ .max_bytes = max_bytes }; }

void buf_fini(struct buf *b)
{
    free(b->data);
    *b = (struct buf){ 0 };
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    b->failed = false;
    if (b->data)
        b->data[0] = '\0';
}

static bool reserve(struct buf *b, size_t more)
{
    if (b->failed)
        return false;
    if (more > b->max_bytes - b->len) {
        b->failed = true;
        return false;
    }
    const size_t need = b->len + more + 1; /* the '\0' */
    if (need <= b->cap)
        return true;
    size_t cap = b->cap ? b->cap : 64;
    while (cap < need)
        cap = cap > SIZE_MAX / 2 ? need : cap * 2;
    char *p = realloc(b->data, cap);
    if (!p) {
        b->failed = true;
        return false;
    }
    b->data = p;
    b->cap = cap;
    return true;
}

void buf_append(struct buf *b, const void *bytes, size_t n)
{
    if (!reserve(b, n))
        return;
    if (n)
        memcpy(b->data + b->len, bytes, n);
    b->len += n;
    b->data[b->len] = '\0';
}

void buf_puts(struct buf *b, const char *s) { buf_append(b, s, strlen(s)); }
void buf_putc(struct buf *b, char c) { buf_append(b, &c, 1); }

void buf_put_u64(struct buf *b, uint64_t v)
{
    char text[20];
    size_t at = sizeof(text);
    do
        text[--at] = (char)('0' + v % 10);
    while ((v /= 10) > 0);
    buf_append(b, text + at, sizeof(text) - at);
}

void buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    /* straight into what is left; only what does not fit is printed twice */
    const size_t room = b->failed ? 0 : b->cap - b->len;
    const int n = vsnprintf(room ? b->data + b->len : NULL, room, fmt, ap);
    const bool fits = n >= 0 && (size_t)n < room;
    if (room && !fits)
        b->data[b->len] = '\0';
    if (n < 0) {
        b->failed = true;
    } else if (reserve(b, (size_t)n)) {
        if (!fits)
            vsnprintf(b->data + b->len, (size_t)n + 1, fmt, again);
        b->len += (size_t)n;
    } else if (fits) {
        b->data[b->len] = '\0'; /* it is more than max_bytes, though memory is there */
    }
    va_end(again);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(b, fmt, ap);
    va_end(ap);
}

void buf_put_json(struct buf *b, const char *s, size_t n)
{
    size_t from = 0, i = 0; /* [from, i) waits to be copied as it is */
    buf_putc(b, '"');
    while (i < n) {
        const unsigned char c = (unsigned char)s[i];
        if (c >= 0x20 && c != '"' && c != '\\' && c < 0x80) {
            i++;
            continue;
        }
        size_t len = 1;
        if (c >= 0x80) {
            uint32_t cp;
            len = utf8_decode(s + i, n - i, &cp);
            if (len > 0) {
                i += len;
                continue;
            }
            len = 1;
        }
        buf_append(b, s + from, i - from);
        switch (c) {
        case '"': buf_puts(b, "\\\""); break;
        case '\\': buf_puts(b, "\\\\"); break;
        case '\n': buf_puts(b, "\\n"); break;
        case '\r': buf_puts(b, "\\r"); break;
        case '\t': buf_puts(b, "\\t"); break;
        default:
            if (c >= 0x80)
                buf_puts(b, "\xef\xbf\xbd");
            else
                buf_printf(b, "\\u%04x", c);
        }
        i += len;
        from = i;
    }
    buf_append(b, s + from, i - from);
    buf_putc(b, '"');
}

void buf_put_json_text(struct buf *b, const char *s) { buf_put_json(b, s, strlen(s)); }

bool buf_ok(const struct buf *b, const char *what, struct err *err)
{
    if (!b->failed)
        return true;
    return b->len >= b->max_bytes / 2 ? err_set(err, ERR_LIMIT, "%s: longer than %zu bytes", what, b->max_bytes)
                                      : err_set(err, ERR_NOMEM, "%s: out of memory", what);
}
