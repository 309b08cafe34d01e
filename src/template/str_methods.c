/* template/str_methods.c - the methods of strings, positions counted in code points. */
#include <stdio.h>

#include "template/run_internal.h"

static bool text_arg(struct render *r, const struct call *c, int i, struct str **out)
{
    if (c->v[i].kind != VAL_STR)
        return tpl_type_error(r, "%s() argument must be str, not %s", c->me->name, tpl_type_name(&c->v[i]));
    *out = c->v[i].s;
    return true;
}

static bool sub(struct render *r, const struct str *s, size_t from, size_t to, struct val *out)
{
    return tpl_str_sub(r, s, from, to - from, out);
}

static bool push_sub(struct render *r, struct list *l, const struct str *s, size_t from, size_t to)
{
    struct val part;
    return tpl_spend(r, 0) && sub(r, s, from, to, &part) && tpl_list_push(r, l, part);
}

/* The character that ends at `end` > from: where it starts. */
static size_t before(const struct str *s, size_t from, size_t end)
{
    do
        end--;
    while (end > from && ((unsigned char)s->data[end] & 0xc0) == 0x80);
    return end;
}

/* -- case ------------------------------------------------------------------------------------------------------- */

static bool change_case(struct render *r, const struct call *c, struct val *out)
{
    return tpl_change_case(r, (enum case_op)c->me->tag, c->self->s, out);
}

/* -- strip -------------------------------------------------------------------------------------------------------- */

enum { STRIP_LEFT = 1, STRIP_RIGHT = 2 };

static bool is_stripped(const struct str *s, size_t at, size_t len, const struct str *chars)
{
    uint32_t cp;
    if (chars)
        return tpl_find_bytes(chars->data, chars->len, s->data + at, len) != NULL;
    tpl_decode(s->data + at, len, &cp);
    return tpl_is_space(cp);
}

bool tpl_strip(struct render *r, const struct str *s, const struct str *chars, int sides, struct val *out)
{
    size_t from = 0, to = s->len;
    uint32_t cp;
    const size_t cost = chars ? chars->len : 0;
    while ((sides & STRIP_LEFT) && from < to) {
        const size_t len = tpl_decode(s->data + from, to - from, &cp);
        if (!is_stripped(s, from, len, chars))
            break;
        from += len;
        if (cost > 64 && !tpl_spend(r, cost))
            return false;
    }
    while ((sides & STRIP_RIGHT) && from < to) {
        const size_t at = before(s, from, to);
        if (!is_stripped(s, at, to - at, chars))
            break;
        to = at;
        if (cost > 64 && !tpl_spend(r, cost))
            return false;
    }
    return tpl_spend(r, s->len - (to - from)) && sub(r, s, from, to, out);
}

static bool strip(struct render *r, const struct call *c, struct val *out)
{
    struct str *chars = NULL;
    if (val_given(&c->v[0]) && c->v[0].kind != VAL_NONE && !text_arg(r, c, 0, &chars))
        return false;
    return tpl_strip(r, c->self->s, chars, c->me->tag, out);
}

static bool remove_end(struct render *r, const struct call *c, struct val *out)
{
    const struct str *s = c->self->s;
    struct str *end;
    if (!text_arg(r, c, 0, &end))
        return false;
    const bool left = c->me->tag == STRIP_LEFT;
    if (end->len > s->len || memcmp(left ? s->data : s->data + s->len - end->len, end->data, end->len) != 0)
        return sub(r, s, 0, s->len, out);
    return left ? sub(r, s, end->len, s->len, out) : sub(r, s, 0, s->len - end->len, out);
}

/* -- find and its family ------------------------------------------------------------------------------------------ */

static bool range_arg(struct render *r, const struct val *v, int64_t preset, int64_t n, int64_t *out)
{
    if (v->kind == VAL_NONE) {
        *out = preset;
        return true;
    }
    if (!tpl_arg_int(r, v, preset, out))
        return false;
    if (*out < 0)
        *out = *out < -n ? 0 : *out + n;
    return true;
}

/* The part of the text that the arguments start and end choose, in bytes; *valid false: there is none. */
static bool search_range(struct render *r, const struct call *c, int first, size_t *from, size_t *to, bool *valid)
{
    struct str *s = c->self->s;
    const int64_t n = (int64_t)tpl_str_n_cp(s);
    int64_t a, b;
    if (!tpl_spend(r, s->len) || !range_arg(r, &c->v[first], 0, n, &a) || !range_arg(r, &c->v[first + 1], n, n, &b))
        return false;
    b = b > n ? n : b;
    *valid = a <= n && a <= b;
    if (*valid) {
        *from = tpl_str_offset(s, (size_t)a);
        *to = tpl_str_offset(s, (size_t)b);
    }
    return true;
}

/* The last place in [from, to); NULL when there is none or, with *ok false, when that took too long. */
static const char *find_last(struct render *r, const struct str *s, size_t from, size_t to, const struct str *what,
                             bool *ok)
{
    *ok = true;
    if (what->len > to - from)
        return NULL;
    for (size_t at = to - what->len + 1; at-- > from;) {
        if (what->len == 0)
            return s->data + at;
        if (s->data[at] != what->data[0] || s->data[at + what->len - 1] != what->data[what->len - 1])
            continue;
        if (!(*ok = tpl_spend(r, what->len)))
            return NULL;
        if (memcmp(s->data + at, what->data, what->len) == 0)
            return s->data + at;
    }
    return NULL;
}

enum { FIND_FIRST, FIND_LAST, FIND_MUST = 2 /* added: ValueError when it is not there */ };

static bool find(struct render *r, const struct call *c, struct val *out)
{
    const struct str *s = c->self->s;
    struct str *what;
    size_t from = 0, to = 0;
    bool valid, ok = true;
    if (!text_arg(r, c, 0, &what) || !search_range(r, c, 1, &from, &to, &valid))
        return false;
    const char *at = !valid                       ? NULL
                     : c->me->tag & FIND_LAST     ? find_last(r, s, from, to, what, &ok)
                                                  : tpl_find_bytes(s->data + from, to - from, what->data, what->len);
    if (!ok)
        return false;
    if (!at && (c->me->tag & FIND_MUST))
        return tpl_fail(r, ERR_INPUT, "substring not found");
    struct str head = { .data = s->data, .len = at ? (size_t)(at - s->data) : 0, .n_cp = SIZE_MAX };
    *out = val_int(at ? (int64_t)tpl_str_n_cp(&head) : -1);
    return true;
}

static bool count(struct render *r, const struct call *c, struct val *out)
{
    const struct str *s = c->self->s;
    struct str *what;
    size_t from = 0, to = 0;
    bool valid;
    int64_t n = 0;
    if (!text_arg(r, c, 0, &what) || !search_range(r, c, 1, &from, &to, &valid))
        return false;
    if (valid && what->len == 0) {
        struct str part = { .data = s->data + from, .len = to - from, .n_cp = SIZE_MAX };
        n = (int64_t)tpl_str_n_cp(&part) + 1;
    }
    while (valid && what->len > 0) {
        const char *at = tpl_find_bytes(s->data + from, to - from, what->data, what->len);
        if (!at)
            break;
        n++;
        from = (size_t)(at - s->data) + what->len;
    }
    *out = val_int(n);
    return true;
}

static bool has_end(const struct str *s, size_t from, size_t to, const struct str *end, bool left)
{
    return end->len <= to - from &&
           memcmp(left ? s->data + from : s->data + to - end->len, end->data, end->len) == 0;
}

static bool starts_or_ends(struct render *r, const struct call *c, struct val *out)
{
    const bool left = c->me->tag == STRIP_LEFT;
    const struct val *what = &c->v[0];
    size_t from = 0, to = 0;
    bool valid, found = false;
    if (!search_range(r, c, 1, &from, &to, &valid))
        return false;
    if (what->kind == VAL_STR)
        found = valid && has_end(c->self->s, from, to, what->s, left);
    else if (what->kind != VAL_TUPLE)
        return tpl_type_error(r, "%s first arg must be str or a tuple of str, not %s", c->me->name, tpl_type_name(what));
    else
        for (size_t i = 0; i < what->l->n && !found; i++) {
            if (what->l->items[i].kind != VAL_STR)
                return tpl_type_error(r, "tuple for %s must only contain str, not %s", c->me->name,
                                      tpl_type_name(&what->l->items[i]));
            found = valid && has_end(c->self->s, from, to, what->l->items[i].s, left);
        }
    *out = val_bool(found);
    return true;
}

bool tpl_replace(struct render *r, const struct str *s, const struct str *old, const struct str *with, int64_t max,
                 struct val *out)
{
    size_t from = 0;
    if (!tpl_spend(r, s->len))
        return false;
    const size_t mark = tpl_build(r);
    for (int64_t n = 0; max < 0 || n < max; n++) {
        const char *at = tpl_find_bytes(s->data + from, s->len - from, old->data, old->len);
        size_t end = at ? (size_t)(at - s->data) : 0;
        if (!at)
            break;
        if (old->len == 0 && n > 0) { /* '' stands before each character and at the end */
            if (from >= s->len)
                break;
            uint32_t cp;
            end = from + tpl_decode(s->data + from, s->len - from, &cp);
        }
        tpl_put(r, s->data + from, end - from);
        tpl_put(r, with->data, with->len);
        from = end + old->len;
        if (!tpl_spend(r, 0))
            return false;
    }
    tpl_put(r, s->data + from, s->len - from);
    return tpl_built(r, mark, out) && tpl_str_like(r, s, out);
}

static bool replace(struct render *r, const struct call *c, struct val *out)
{
    struct str *old, *with;
    int64_t max;
    return text_arg(r, c, 0, &old) && text_arg(r, c, 1, &with) && tpl_arg_int(r, &c->v[2], -1, &max) &&
           tpl_replace(r, c->self->s, old, with, max, out);
}

/* -- split and join ------------------------------------------------------------------------------------------------- */

static bool split_space(struct render *r, const struct str *s, int64_t max, struct list *l)
{
    size_t i = 0, len;
    uint32_t cp;
    for (;;) {
        for (; i < s->len; i += len) {
            len = tpl_decode(s->data + i, s->len - i, &cp);
            if (!tpl_is_space(cp))
                break;
        }
        if (i >= s->len)
            return true;
        const size_t from = i;
        if (max == 0)
            return push_sub(r, l, s, from, s->len);
        for (; i < s->len; i += len) {
            len = tpl_decode(s->data + i, s->len - i, &cp);
            if (tpl_is_space(cp))
                break;
        }
        if (!push_sub(r, l, s, from, i))
            return false;
        max -= max > 0;
    }
}

static bool rsplit_space(struct render *r, const struct str *s, int64_t max, struct list *l)
{
    size_t i = s->len, at;
    uint32_t cp;
    for (;;) {
        for (; i > 0; i = at) {
            at = before(s, 0, i);
            tpl_decode(s->data + at, i - at, &cp);
            if (!tpl_is_space(cp))
                break;
        }
        if (i == 0)
            return true;
        const size_t end = i;
        if (max == 0)
            return push_sub(r, l, s, 0, end);
        for (; i > 0; i = at) {
            at = before(s, 0, i);
            tpl_decode(s->data + at, i - at, &cp);
            if (tpl_is_space(cp))
                break;
        }
        if (!push_sub(r, l, s, i, end))
            return false;
        max -= max > 0;
    }
}

static bool split_at(struct render *r, const struct str *s, const struct str *sep, int64_t max, struct list *l)
{
    size_t from = 0;
    for (; max != 0; max -= max > 0) {
        const char *at = tpl_find_bytes(s->data + from, s->len - from, sep->data, sep->len);
        if (!at)
            break;
        if (!push_sub(r, l, s, from, (size_t)(at - s->data)))
            return false;
        from = (size_t)(at - s->data) + sep->len;
    }
    return push_sub(r, l, s, from, s->len);
}

static bool rsplit_at(struct render *r, const struct str *s, const struct str *sep, int64_t max, struct list *l)
{
    size_t to = s->len;
    bool ok;
    for (; max != 0; max -= max > 0) {
        const char *at = find_last(r, s, 0, to, sep, &ok);
        if (!ok)
            return false;
        if (!at)
            break;
        if (!push_sub(r, l, s, (size_t)(at - s->data) + sep->len, to))
            return false;
        to = (size_t)(at - s->data);
    }
    return push_sub(r, l, s, 0, to);
}

static void turn_round(struct list *l)
{
    for (size_t i = 0; i < l->n / 2; i++) {
        const struct val v = l->items[i];
        l->items[i] = l->items[l->n - 1 - i];
        l->items[l->n - 1 - i] = v;
    }
}

static bool split(struct render *r, const struct call *c, struct val *out)
{
    const struct str *s = c->self->s;
    const bool right = c->me->tag == STRIP_RIGHT;
    struct str *sep = NULL;
    int64_t max;
    if ((val_given(&c->v[0]) && c->v[0].kind != VAL_NONE && !text_arg(r, c, 0, &sep)) ||
        !tpl_arg_int(r, &c->v[1], -1, &max) || !tpl_spend(r, s->len) || !tpl_list_new(r, 0, VAL_LIST, out))
        return false;
    if (sep && sep->len == 0)
        return tpl_fail(r, ERR_INPUT, "empty separator");
    if (!right)
        return sep ? split_at(r, s, sep, max, out->l) : split_space(r, s, max, out->l);
    if (!(sep ? rsplit_at(r, s, sep, max, out->l) : rsplit_space(r, s, max, out->l)))
        return false;
    turn_round(out->l);
    return true;
}

static bool is_line_end(uint32_t cp)
{
    return (cp >= 10 && cp <= 13) || (cp >= 28 && cp <= 30) || cp == 0x85 || cp == 0x2028 || cp == 0x2029;
}

bool tpl_split_lines(struct render *r, const struct str *s, bool keep_ends, struct val *out)
{
    size_t from = 0;
    if (!tpl_spend(r, s->len) || !tpl_list_new(r, 0, VAL_LIST, out))
        return false;
    for (size_t i = 0, len; i < s->len; i += len) {
        uint32_t cp;
        len = tpl_decode(s->data + i, s->len - i, &cp);
        if (!is_line_end(cp))
            continue;
        if (cp == '\r' && i + 1 < s->len && s->data[i + 1] == '\n')
            len = 2;
        if (!push_sub(r, out->l, s, from, keep_ends ? i + len : i))
            return false;
        from = i + len;
    }
    return from >= s->len || push_sub(r, out->l, s, from, s->len);
}

static bool split_lines(struct render *r, const struct call *c, struct val *out)
{
    bool keep;
    return tpl_arg_bool(r, &c->v[0], false, &keep) && tpl_split_lines(r, c->self->s, keep, out);
}

static bool partition(struct render *r, const struct call *c, struct val *out)
{
    const struct str *s = c->self->s;
    const bool right = c->me->tag == STRIP_RIGHT;
    struct str *sep;
    bool ok = true;
    if (!text_arg(r, c, 0, &sep) || !tpl_spend(r, s->len) || !tpl_list_new(r, 3, VAL_TUPLE, out))
        return false;
    if (sep->len == 0)
        return tpl_fail(r, ERR_INPUT, "empty separator");
    const char *at = right ? find_last(r, s, 0, s->len, sep, &ok) : tpl_find_bytes(s->data, s->len, sep->data, sep->len);
    if (!ok)
        return false;
    /* not found: all of it first, or for rpartition last */
    const size_t i = at ? (size_t)(at - s->data) : right ? 0 : s->len, end = at ? i + sep->len : i;
    return push_sub(r, out->l, s, 0, i) && push_sub(r, out->l, s, i, end) && push_sub(r, out->l, s, end, s->len);
}

static bool join(struct render *r, const struct call *c, struct val *out)
{
    const struct str *s = c->self->s;
    struct iter *it = tpl_iter(r, &c->v[0]);
    if (!it)
        return false;
    const size_t mark = tpl_build(r);
    struct val item;
    int got;
    for (size_t n = 0; (got = tpl_next(r, it, &item)) > 0; n++) {
        if (item.kind != VAL_STR)
            return tpl_type_error(r, "sequence item %zu: expected str instance, %s found", n, tpl_type_name(&item));
        if (n > 0)
            tpl_put(r, s->data, s->len);
        tpl_put(r, item.s->data, item.s->len);
    }
    return got == 0 && tpl_built(r, mark, out);
}

/* -- filling up ------------------------------------------------------------------------------------------------------ */

static bool put_fill(struct render *r, const struct str *fill, int64_t n)
{
    if (n > 0 && (uint64_t)n * fill->len > r->max_memory_bytes)
        return tpl_fail(r, ERR_LIMIT, "a text of %zu times %zu bytes", (size_t)n, fill->len);
    for (; n > 0; n--)
        tpl_put(r, fill->data, fill->len);
    return true;
}

bool tpl_justify(struct render *r, struct str *s, int64_t width, const struct str *fill, int sides, struct val *out)
{
    const int64_t n = (int64_t)tpl_str_n_cp(s), more = width > n ? width - n : 0;
    /* CPython's centre leans left, but for odd widths of even texts */
    int64_t left = more;
    if (sides == (STRIP_LEFT | STRIP_RIGHT))
        left = more / 2 + (more & width & 1);
    else if (sides == STRIP_RIGHT)
        left = 0;
    const size_t mark = tpl_build(r);
    if (!put_fill(r, fill, left))
        return false;
    tpl_put(r, s->data, s->len);
    return put_fill(r, fill, more - left) && tpl_built(r, mark, out);
}

static bool justify(struct render *r, const struct call *c, struct val *out)
{
    static const struct str space = { .data = " ", .len = 1, .n_cp = 1 };
    struct str *fill = (struct str *)(uintptr_t)&space;
    int64_t width;
    if (!tpl_arg_int(r, &c->v[0], 0, &width) || (val_given(&c->v[1]) && !text_arg(r, c, 1, &fill)))
        return false;
    if (tpl_str_n_cp(fill) != 1)
        return tpl_type_error(r, "The fill character must be exactly one character long");
    return tpl_justify(r, c->self->s, width, fill, c->me->tag, out);
}

static bool zfill(struct render *r, const struct call *c, struct val *out)
{
    static const struct str zero = { .data = "0", .len = 1, .n_cp = 1 };
    struct str *s = c->self->s;
    int64_t width;
    if (!tpl_arg_int(r, &c->v[0], 0, &width))
        return false;
    const size_t sign = s->len > 0 && (s->data[0] == '-' || s->data[0] == '+');
    const size_t mark = tpl_build(r);
    tpl_put(r, s->data, sign);
    if (!put_fill(r, &zero, width - (int64_t)tpl_str_n_cp(s)))
        return false;
    tpl_put(r, s->data + sign, s->len - sign);
    return tpl_built(r, mark, out);
}

static bool expand_tabs(struct render *r, const struct call *c, struct val *out)
{
    const struct str *s = c->self->s;
    int64_t size, column = 0;
    if (!tpl_arg_int(r, &c->v[0], 8, &size))
        return false;
    static const struct str space = { .data = " ", .len = 1, .n_cp = 1 };
    const size_t mark = tpl_build(r);
    for (size_t i = 0, len; i < s->len; i += len) {
        uint32_t cp;
        len = tpl_decode(s->data + i, s->len - i, &cp);
        if (cp == '\t') {
            const int64_t n = size > 0 ? size - column % size : 0;
            if (!put_fill(r, &space, n))
                return false;
            column += n;
            continue;
        }
        tpl_put(r, s->data + i, len);
        column = cp == '\n' || cp == '\r' ? 0 : column + 1;
    }
    return tpl_built(r, mark, out);
}

/* -- questions --------------------------------------------------------------------------------------------------------- */

enum is { IS_ALNUM, IS_ALPHA, IS_ASCII, IS_DECIMAL, IS_DIGIT, IS_IDENTIFIER, IS_LOWER, IS_NUMERIC, IS_PRINTABLE,
          IS_SPACE, IS_TITLE, IS_UPPER };

static bool is_titled(const struct str *s)
{
    bool in_word = false, any = false;
    for (size_t i = 0, len; i < s->len; i += len) {
        uint32_t cp;
        len = tpl_decode(s->data + i, s->len - i, &cp);
        const bool upper = tpl_is_upper(cp) || tpl_is_title(cp), lower = tpl_is_lower(cp);
        if ((upper && in_word) || (lower && !in_word))
            return false;
        in_word = upper || lower;
        any = any || in_word;
    }
    return any;
}

/* islower and isupper: there is a letter with a case, and none of the other case */
static bool is_one_case(const struct str *s, bool lower)
{
    bool any = false;
    for (size_t i = 0, len; i < s->len; i += len) {
        uint32_t cp;
        len = tpl_decode(s->data + i, s->len - i, &cp);
        if ((lower ? tpl_is_upper(cp) : tpl_is_lower(cp)) || tpl_is_title(cp))
            return false;
        any = any || (lower ? tpl_is_lower(cp) : tpl_is_upper(cp));
    }
    return any;
}

static bool is_kind(enum is is, uint32_t cp, bool first)
{
    switch (is) {
    case IS_ALNUM: return tpl_is_alnum(cp) || tpl_is_digit(cp);
    case IS_ALPHA: return tpl_is_alpha(cp);
    case IS_ASCII: return cp < 0x80;
    case IS_DECIMAL: return tpl_is_decimal(cp);
    case IS_DIGIT: return tpl_is_digit(cp);
    case IS_IDENTIFIER: return cp == '_' || tpl_is_alpha(cp) || (!first && tpl_is_decimal(cp));
    case IS_NUMERIC: return tpl_is_numeric(cp);
    case IS_PRINTABLE: return tpl_is_printable(cp);
    default: return tpl_is_space(cp);
    }
}

bool tpl_str_is_case(const struct str *s, bool lower) { return is_one_case(s, lower); }

static bool is(struct render *r, const struct call *c, struct val *out)
{
    const struct str *s = c->self->s;
    const enum is what = (enum is)c->me->tag;
    if (!tpl_spend(r, s->len))
        return false;
    bool yes = s->len > 0 || what == IS_ASCII || what == IS_PRINTABLE;
    if (what == IS_LOWER || what == IS_UPPER)
        yes = is_one_case(s, what == IS_LOWER);
    else if (what == IS_TITLE)
        yes = is_titled(s);
    else
        for (size_t i = 0, len; yes && i < s->len; i += len) {
            uint32_t cp;
            len = tpl_decode(s->data + i, s->len - i, &cp);
            yes = is_kind(what, cp, i == 0);
        }
    *out = val_bool(yes);
    return true;
}

static bool format(struct render *r, const struct call *c, struct val *out)
{
    return tpl_format_braces(r, c->self->s, c->a, out);
}

static bool format_map(struct render *r, const struct call *c, struct val *out)
{
    if (c->v[0].kind == VAL_UNDEF) /* found out when a field asks */
        return tpl_format_braces(r, c->self->s, &(struct args){ 0 }, out);
    if (c->v[0].kind != VAL_DICT)
        return tpl_type_error(r, "format_map() argument must be a mapping, not %s", tpl_type_name(&c->v[0]));
    const struct dict *d = c->v[0].d;
    struct args a = { .kw = tpl_alloc(r, d->n, sizeof(struct kwarg)) };
    for (size_t i = 0; a.kw && i < d->n; i++)
        if (d->entries[i].key.kind == VAL_STR)
            a.kw[a.n_kw++] = (struct kwarg){ d->entries[i].key.s, d->entries[i].value };
    return a.kw && tpl_format_braces(r, c->self->s, &a, out);
}

static bool not_here(struct render *r, const struct call *c, struct val *out)
{
    (void)out;
    return tpl_fail(r, ERR_UNSUPPORTED, "str.%s() has no place in a chat template", c->me->name);
}

static const struct callable methods[] = {
    { "capitalize", "/", change_case, CASE_CAPITALIZE },
    { "casefold", "/", change_case, CASE_FOLD },
    { "center", "/width ?fillchar", justify, STRIP_LEFT | STRIP_RIGHT },
    { "count", "/sub ?start ?end", count, 0 },
    { "encode", NULL, not_here, 0 },
    { "endswith", "/suffix ?start ?end", starts_or_ends, STRIP_RIGHT },
    { "expandtabs", "?tabsize", expand_tabs, 0 },
    { "find", "/sub ?start ?end", find, FIND_FIRST },
    { "format", NULL, format, 0 },
    { "format_map", "/mapping", format_map, 0 },
    { "index", "/sub ?start ?end", find, FIND_FIRST | FIND_MUST },
    { "isalnum", "/", is, IS_ALNUM },
    { "isalpha", "/", is, IS_ALPHA },
    { "isascii", "/", is, IS_ASCII },
    { "isdecimal", "/", is, IS_DECIMAL },
    { "isdigit", "/", is, IS_DIGIT },
    { "isidentifier", "/", is, IS_IDENTIFIER },
    { "islower", "/", is, IS_LOWER },
    { "isnumeric", "/", is, IS_NUMERIC },
    { "isprintable", "/", is, IS_PRINTABLE },
    { "isspace", "/", is, IS_SPACE },
    { "istitle", "/", is, IS_TITLE },
    { "isupper", "/", is, IS_UPPER },
    { "join", "/iterable", join, 0 },
    { "ljust", "/width ?fillchar", justify, STRIP_RIGHT },
    { "lower", "/", change_case, CASE_LOWER },
    { "lstrip", "/?chars", strip, STRIP_LEFT },
    { "maketrans", NULL, not_here, 0 },
    { "partition", "/sep", partition, STRIP_LEFT },
    { "removeprefix", "/prefix", remove_end, STRIP_LEFT },
    { "removesuffix", "/suffix", remove_end, STRIP_RIGHT },
    { "replace", "/old new ?count", replace, 0 },
    { "rfind", "/sub ?start ?end", find, FIND_LAST },
    { "rindex", "/sub ?start ?end", find, FIND_LAST | FIND_MUST },
    { "rjust", "/width ?fillchar", justify, STRIP_LEFT },
    { "rpartition", "/sep", partition, STRIP_RIGHT },
    { "rsplit", "?sep ?maxsplit", split, STRIP_RIGHT },
    { "rstrip", "/?chars", strip, STRIP_RIGHT },
    { "split", "?sep ?maxsplit", split, STRIP_LEFT },
    { "splitlines", "?keepends", split_lines, 0 },
    { "startswith", "/prefix ?start ?end", starts_or_ends, STRIP_LEFT },
    { "strip", "/?chars", strip, STRIP_LEFT | STRIP_RIGHT },
    { "swapcase", "/", change_case, CASE_SWAP },
    { "title", "/", change_case, CASE_TITLE },
    { "translate", NULL, not_here, 0 },
    { "upper", "/", change_case, CASE_UPPER },
    { "zfill", "/width", zfill, 0 },
};

const struct callable *tpl_find_str_method(const char *name, size_t len)
{
    return tpl_find_in(methods, sizeof(methods) / sizeof(methods[0]), name, len);
}
