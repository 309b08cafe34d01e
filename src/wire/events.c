/* wire/events.c - see events.h. */
#include "wire/events.h"

#include <string.h>

void events_init(struct events *e, enum events_kind kind, size_t max_bytes)
{
    *e = (struct events){ .kind = kind, .is_first = true };
    buf_init(&e->line, max_bytes);
    buf_init(&e->data, max_bytes);
}

void events_fini(struct events *e)
{
    buf_fini(&e->line);
    buf_fini(&e->data);
}

/* One line of a stream of server-sent events. */
static bool sse_line(struct events *e, events_fn *fn, void *ctx)
{
    const char *s = e->line.data ? e->line.data : "";
    size_t n = e->line.len;
    if (e->is_first && n >= 3 && memcmp(s, "\xef\xbb\xbf", 3) == 0)
        s += 3, n -= 3;
    e->is_first = false;
    if (n == 0) {
        const bool has = e->has_data;
        e->has_data = false;
        const bool goes_on = !has || fn(ctx, e->data.data ? e->data.data : "", e->data.len);
        buf_clear(&e->data);
        return goes_on;
    }
    if (n < 4 || memcmp(s, "data", 4) != 0 || (n > 4 && s[4] != ':'))
        return true;
    const size_t skip = n == 4 ? 4 : n > 5 && s[5] == ' ' ? 6 : 5;
    if (e->has_data)
        buf_putc(&e->data, '\n');
    buf_append(&e->data, s + skip, n - skip);
    e->has_data = true;
    return !e->data.failed;
}

static bool end_line(struct events *e, events_fn *fn, void *ctx)
{
    bool goes_on = true;
    if (e->kind == EVENTS_SSE)
        goes_on = sse_line(e, fn, ctx);
    else if (e->line.len > 0)
        goes_on = fn(ctx, e->line.data, e->line.len);
    buf_clear(&e->line);
    return goes_on;
}

bool events_put(struct events *e, const char *bytes, size_t n, events_fn *fn, void *ctx)
{
    while (n > 0) {
        if (e->had_cr && *bytes == '\n') { /* the second half of CR LF */
            e->had_cr = false;
            bytes++, n--;
            continue;
        }
        e->had_cr = false;
        size_t take = 0;
        while (take < n && bytes[take] != '\n' && bytes[take] != '\r')
            take++;
        buf_append(&e->line, bytes, take);
        if (e->line.failed)
            return false;
        if (take == n)
            return true;
        e->had_cr = bytes[take] == '\r';
        bytes += take + 1;
        n -= take + 1;
        if (!end_line(e, fn, ctx))
            return false;
    }
    return true;
}

bool events_end(struct events *e, events_fn *fn, void *ctx)
{
    return e->kind == EVENTS_SSE || e->line.len == 0 || end_line(e, fn, ctx);
}
