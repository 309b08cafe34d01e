/* template/render.c - the services of a rendering: its errors, its limits, texts under construction. */
#include <stdarg.h>
#include <stdio.h>

#include "base/utf8.h"
#include "template/run_internal.h"

bool tpl_fail(struct render *r, enum err_code code, const char *fmt, ...)
{
    char text[240];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    size_t n = strlen(text);
    for (size_t i = 0; i < n; i++) /* an error is one line, whatever raise_exception was given */
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            text[i] = ' ';
    text[n - utf8_incomplete_tail(text, n)] = '\0';
    err_set(r->err, code, "line %d: %s", r->line, text);
    return false;
}

bool tpl_spend(struct render *r, size_t n_bytes)
{
    r->n_steps += 1 + (n_bytes >> 6);
    if (r->n_steps <= r->max_steps)
        return true;
    return tpl_fail(r, ERR_LIMIT, "the template does not end within %llu steps", (unsigned long long)r->max_steps);
}

bool tpl_enter(struct render *r)
{
    return ++r->depth <= DEPTH_MAX || tpl_fail(r, ERR_LIMIT, "nested deeper than %d levels", DEPTH_MAX);
}

void tpl_leave(struct render *r) { r->depth--; }

void *tpl_alloc(struct render *r, size_t n, size_t item_bytes)
{
    struct err err = { 0 };
    void *p = arena_alloc(r->arena, n, item_bytes, &err);
    if (!p && err.code == ERR_LIMIT)
        tpl_fail(r, ERR_LIMIT, "the template needs more than %zu bytes of memory", r->max_memory_bytes);
    else if (!p)
        tpl_fail(r, err.code, "out of memory");
    return p;
}

size_t tpl_build(struct render *r) { return r->built.len; }

void tpl_put(struct render *r, const char *s, size_t n)
{
    r->n_steps += n >> 6;
    buf_append(&r->built, s, n);
}

bool tpl_built(struct render *r, size_t mark, struct val *out)
{
    if (r->built.failed)
        return r->built.len >= r->built.max_bytes / 2
                   ? tpl_fail(r, ERR_LIMIT, "the template needs more than %zu bytes of memory", r->max_memory_bytes)
                   : tpl_fail(r, ERR_NOMEM, "out of memory");
    const size_t n = r->built.len - mark;
    const bool ok = tpl_str_new(r, n ? r->built.data + mark : "", n, out);
    r->built.len = mark;
    return ok;
}
