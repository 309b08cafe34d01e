/* template/globals.c - the functions that every template can call by name. */
#include <stdlib.h>
#include <time.h>

#include "template/run_internal.h"

enum { RANGE_MAX = 100000 }; /* jinja2.sandbox.MAX_RANGE */

static bool range(struct render *r, const struct call *c, struct val *out)
{
    int64_t start, stop, step;
    if (!tpl_arg_int(r, &c->v[0], 0, &start) || !tpl_arg_int(r, &c->v[1], 0, &stop) ||
        !tpl_arg_int(r, &c->v[2], 1, &step))
        return false;
    if (!val_given(&c->v[1]))
        stop = start, start = 0;
    if (step == 0)
        return tpl_fail(r, ERR_INPUT, "range() arg 3 must not be zero");
    const __int128 span = step > 0 ? (__int128)stop - start : (__int128)start - stop,
                   by = step > 0 ? (__int128)step : -(__int128)step, n = span > 0 ? (span - 1) / by + 1 : 0;
    if (n > RANGE_MAX)
        return tpl_fail(r, ERR_LIMIT, "Range too big. The sandbox blocks ranges larger than MAX_RANGE (%d).", RANGE_MAX);
    struct range *g = tpl_alloc(r, 1, sizeof(*g));
    if (!g)
        return false;
    if ((start + n * step) != (int64_t)(start + n * step))
        return tpl_fail(r, ERR_LIMIT, "a range beyond 64 bits");
    *g = (struct range){ .start = start, .stop = stop, .step = step, .n = (int64_t)n };
    *out = (struct val){ .kind = VAL_RANGE, .r = g };
    return true;
}

/* dict(mapping or pairs, key=value...) */
static bool fill_dict(struct render *r, const struct call *c, struct val *out)
{
    if (c->a->n_pos > 1)
        return tpl_type_error(r, "dict expected at most 1 argument, got %zu", c->a->n_pos);
    if (!tpl_dict_new(r, c->a->n_kw, out))
        return false;
    const struct val *from = c->a->n_pos ? &c->a->pos[0] : NULL;
    if (from && from->kind == VAL_DICT) {
        for (size_t i = 0; i < from->d->n; i++)
            if (!tpl_dict_set(r, out->d, from->d->entries[i].key, from->d->entries[i].value))
                return false;
    } else if (from) {
        struct iter *it = tpl_iter(r, from);
        struct val item, pair;
        int got = -1;
        while (it && (got = tpl_next(r, it, &item)) > 0) {
            if (!tpl_to_list(r, &item, VAL_TUPLE, &pair))
                return false;
            if (pair.l->n != 2)
                return tpl_type_error(r, "dictionary update sequence element has length %zu; 2 is required", pair.l->n);
            if (!tpl_dict_set(r, out->d, pair.l->items[0], pair.l->items[1]))
                return false;
        }
        if (got < 0)
            return false;
    }
    for (size_t i = 0; i < c->a->n_kw; i++)
        if (!tpl_dict_set(r, out->d, val_str((struct str *)(uintptr_t)c->a->kw[i].name), c->a->kw[i].value))
            return false;
    return true;
}

static bool namespace(struct render *r, const struct call *c, struct val *out)
{
    if (!fill_dict(r, c, out))
        return false;
    out->kind = VAL_NAMESPACE;
    return true;
}

static bool cycler(struct render *r, const struct call *c, struct val *out)
{
    if (c->a->n_pos == 0 || c->a->n_kw > 0)
        return tpl_fail(r, ERR_INPUT, "at least one item has to be provided");
    struct cycler *y = tpl_alloc(r, 1, sizeof(*y));
    if (!y)
        return false;
    for (size_t i = 0; i < c->a->n_pos; i++)
        if (!tpl_list_push(r, &y->items, c->a->pos[i]))
            return false;
    *out = (struct val){ .kind = VAL_CYCLER, .cycler = y };
    return true;
}

static bool joiner(struct render *r, const struct call *c, struct val *out)
{
    struct joiner *j = tpl_alloc(r, 1, sizeof(*j));
    if (!j)
        return false;
    j->sep = c->v[0];
    if (!val_given(&c->v[0]) && !tpl_str_borrow(r, ", ", 2, &j->sep))
        return false;
    *out = (struct val){ .kind = VAL_JOINER, .joiner = j };
    return true;
}

static bool lipsum(struct render *r, const struct call *c, struct val *out)
{
    (void)c, (void)out;
    return tpl_fail(r, ERR_UNSUPPORTED, "lipsum(): random text has no place in a chat template");
}

static bool raise_exception(struct render *r, const struct call *c, struct val *out)
{
    struct val text;
    (void)out;
    if (!tpl_to_str(r, &c->v[0], &text))
        return false;
    return tpl_fail(r, ERR_INPUT, "%.*s", text.s->len > 220 ? 220 : (int)text.s->len, text.s->data);
}

/* The C library's strftime knows the same directives as Python's, which calls it; %f, the microseconds, is
 * Python's own, and the zone of datetime.now() is unknown: %z and %Z print nothing. */
static bool strftime_now(struct render *r, const struct call *c, struct val *out)
{
    if (c->v[0].kind != VAL_STR)
        return tpl_type_error(r, "strftime_now() argument must be str, not %s", tpl_type_name(&c->v[0]));
    struct tm now;
    const time_t clock = time(NULL);
    if (r->now)
        now = *r->now;
    else if (!localtime_r(&clock, &now))
        return tpl_fail(r, ERR_IO, "no local time");
    const struct str *s = c->v[0].s;
    const size_t mark = tpl_build(r);
    for (size_t i = 0; i < s->len; i++) {
        if (s->data[i] != '%' || i + 1 >= s->len) {
            tpl_put(r, s->data + i, 1);
            continue;
        }
        size_t end = i + 1; /* flags, a width, E or O, then the directive's letter */
        while (end < s->len && strchr("-_0^#+123456789EO", s->data[end]) && s->data[end] && end - i < 8)
            end++;
        char fmt[16], text[512];
        const size_t n = end - i + 1;
        if (end >= s->len || (unsigned char)s->data[end] >= 0x80 || s->data[end] == 'z' || s->data[end] == 'Z') {
            if (end >= s->len || (unsigned char)s->data[end] >= 0x80)
                tpl_put(r, s->data + i, end - i);
            i = end >= s->len || (unsigned char)s->data[end] >= 0x80 ? end - 1 : end;
            continue;
        }
        memcpy(fmt, s->data + i, n);
        fmt[n] = '\0';
        i = end;
        if (fmt[n - 1] == 'f')
            tpl_puts(r, "000000");
        else if (!strpbrk(fmt, "123456789")) /* no widths: they would be long texts for little */
            tpl_put(r, text, strftime(text, sizeof(text), fmt, &now));
        else
            tpl_puts(r, fmt);
    }
    return tpl_built(r, mark, out);
}

static const struct callable globals[] = {
    { "cycler", NULL, cycler, 0 },
    { "dict", NULL, fill_dict, 0 },
    { "joiner", "?sep", joiner, 0 },
    { "lipsum", NULL, lipsum, 0 },
    { "namespace", NULL, namespace, 0 },
    { "raise_exception", "message", raise_exception, 0 },
    { "range", "/start ?stop ?step", range, 0 },
    { "strftime_now", "format", strftime_now, 0 },
};

const struct callable *tpl_find_global(const char *name, size_t len)
{
    return tpl_find_in(globals, sizeof(globals) / sizeof(globals[0]), name, len);
}
