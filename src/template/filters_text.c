/* template/filters_text.c - filters that make text; those of sequences are in filters_seq.c, the table of
 * all in filters.c. */
#include <math.h>
#include <stdio.h>

#include "template/filters_internal.h"

/* soft_str(): text stays what it is (also markup), all else becomes text. */
static bool soft(struct render *r, const struct val *v, struct val *out)
{
    if (v->kind == VAL_STR) {
        *out = *v;
        return true;
    }
    return tpl_to_str(r, v, out);
}

static bool want_text(struct render *r, const struct call *c, struct str **out)
{
    if (c->self->kind == VAL_UNDEF)
        return tpl_undef_fail(r, c->self);
    if (c->self->kind != VAL_STR)
        return tpl_type_error(r, "%s wants a text, not %s", c->me->name, tpl_type_name(c->self));
    *out = c->self->s;
    return true;
}

bool filter_case(struct render *r, const struct call *c, struct val *out)
{
    struct val text;
    return soft(r, c->self, &text) && tpl_change_case(r, (enum case_op)c->me->tag, text.s, out);
}

/* Each word (they start behind - white space ( { [ and <) with its first character in upper case. */
bool filter_title(struct render *r, const struct call *c, struct val *out)
{
    struct val text, part;
    bool first = true;
    if (!soft(r, c->self, &text) || !tpl_spend(r, text.s->len))
        return false;
    const struct str *s = text.s;
    const size_t mark = tpl_build(r);
    for (size_t i = 0, len; i < s->len; i += len) {
        uint32_t cp, to[UNI_UPPER_MAX];
        len = tpl_decode(s->data + i, s->len - i, &cp);
        if (tpl_is_space(cp) || (cp < 0x80 && strchr("-({[<", (char)cp))) {
            tpl_put(r, s->data + i, len);
            first = true;
            continue;
        }
        if (first) {
            const int n = tpl_upper(cp, to);
            for (int k = 0; k < n; k++)
                tpl_put_cp(r, to[k]);
            first = false;
            continue;
        }
        size_t end = i; /* the rest of the word, as one: a final sigma looks around */
        while (end < s->len) {
            const size_t n = tpl_decode(s->data + end, s->len - end, &cp);
            if (tpl_is_space(cp) || (cp < 0x80 && strchr("-({[<", (char)cp)))
                break;
            end += n;
        }
        const struct str rest = { .data = s->data + i, .len = end - i, .n_cp = SIZE_MAX };
        if (!tpl_change_case(r, CASE_LOWER, &rest, &part))
            return false;
        tpl_put(r, part.s->data, part.s->len);
        len = end - i;
    }
    return tpl_built(r, mark, out);
}

bool filter_trim(struct render *r, const struct call *c, struct val *out)
{
    struct val text;
    const bool has_chars = val_given(&c->v[0]) && c->v[0].kind != VAL_NONE;
    if (has_chars && c->v[0].kind != VAL_STR)
        return tpl_type_error(r, "strip arg must be None or str");
    return soft(r, c->self, &text) && tpl_strip(r, text.s, has_chars ? c->v[0].s : NULL, 3, out);
}

bool filter_replace(struct render *r, const struct call *c, struct val *out)
{
    struct val text, old, with;
    int64_t max = -1;
    if (c->v[2].kind != VAL_NONE && !tpl_arg_int(r, &c->v[2], -1, &max))
        return false;
    return tpl_to_str(r, c->self, &text) && tpl_to_str(r, &c->v[0], &old) && tpl_to_str(r, &c->v[1], &with) &&
           tpl_replace(r, text.s, old.s, with.s, max, out);
}

bool filter_string(struct render *r, const struct call *c, struct val *out) { return soft(r, c->self, out); }

bool filter_safe(struct render *r, const struct call *c, struct val *out)
{
    struct val text;
    return tpl_to_str(r, c->self, &text) && tpl_str_mark(r, text.s, out);
}

/* escape, and forceescape (tag 1), which escapes markup once more */
bool filter_escape(struct render *r, const struct call *c, struct val *out)
{
    struct val text, escaped;
    if (c->self->kind == VAL_STR && c->self->s->markup && c->me->tag == 0) {
        *out = *c->self;
        return true;
    }
    if (!tpl_to_str(r, c->self, &text) || !tpl_spend(r, text.s->len))
        return false;
    const size_t from = tpl_build(r);
    tpl_put_escaped(r, text.s->data, text.s->len);
    return tpl_built(r, from, &escaped) && tpl_str_mark(r, escaped.s, out);
}

bool filter_striptags(struct render *r, const struct call *c, struct val *out)
{
    struct val text, bare;
    if (!tpl_to_str(r, c->self, &text) || !tpl_spend(r, text.s->len))
        return false;
    const char *s = text.s->data;
    const size_t n = text.s->len;
    size_t from = tpl_build(r);
    for (size_t i = 0; i < n;) { /* comments first, then tags; what is not closed stays */
        const char *end = NULL;
        size_t n_end = 1;
        if (n - i >= 4 && memcmp(s + i, "<!--", 4) == 0 && (end = tpl_find_bytes(s + i + 4, n - i - 4, "-->", 3)))
            n_end = 3;
        else if (s[i] == '<')
            end = memchr(s + i, '>', n - i);
        if (end) {
            i = (size_t)(end - s) + n_end;
            continue;
        }
        if (s[i] == '<') { /* no > is left at all */
            tpl_put(r, s + i, n - i);
            break;
        }
        const char *next = memchr(s + i, '<', n - i);
        const size_t to = next ? (size_t)(next - s) : n;
        tpl_put(r, s + i, to - i);
        i = to;
    }
    if (!tpl_built(r, from, &bare))
        return false;
    static const struct { const char *entity; const char *is; } entities[] = {
        { "&lt;", "<" }, { "&gt;", ">" }, { "&#34;", "\"" }, { "&quot;", "\"" }, { "&#39;", "'" }, { "&amp;", "&" }
    };
    from = tpl_build(r);
    bool gap = false, any = false;
    for (size_t i = 0, len; i < bare.s->len; i += len) {
        const char *at = bare.s->data + i;
        uint32_t cp;
        len = tpl_decode(at, bare.s->len - i, &cp);
        if (tpl_is_space(cp)) {
            gap = any;
            continue;
        }
        tpl_puts(r, gap ? " " : "");
        gap = false;
        any = true;
        const char *is = NULL;
        for (size_t k = 0; cp == '&' && !is && k < sizeof(entities) / sizeof(entities[0]); k++)
            if (bare.s->len - i >= strlen(entities[k].entity) &&
                memcmp(at, entities[k].entity, strlen(entities[k].entity)) == 0) {
                is = entities[k].is;
                len = strlen(entities[k].entity);
            }
        tpl_put(r, is ? is : at, is ? 1 : len);
    }
    return tpl_built(r, from, out);
}

bool filter_center(struct render *r, const struct call *c, struct val *out)
{
    static const struct str space = { .data = " ", .len = 1, .n_cp = 1 };
    struct val text;
    int64_t width;
    return tpl_arg_int(r, &c->v[0], 80, &width) && soft(r, c->self, &text) &&
           tpl_justify(r, text.s, width, &space, 3, out);
}

bool filter_indent(struct render *r, const struct call *c, struct val *out)
{
    struct str *s;
    struct val lines, by;
    int64_t width = 4;
    bool first, blank;
    if (!want_text(r, c, &s) || !tpl_arg_bool(r, &c->v[1], false, &first) || !tpl_arg_bool(r, &c->v[2], false, &blank))
        return false;
    if (c->v[0].kind == VAL_STR)
        by = c->v[0];
    else if (!tpl_arg_int(r, &c->v[0], 4, &width) ||
             !tpl_binary(r, BIN_MUL, &(struct val){ .kind = VAL_STR, .s = &(struct str){ .data = " ", .len = 1, .n_cp = 1 } },
                         &(struct val){ .kind = VAL_INT, .i = width }, &by))
        return false;
    /* jinja2 adds a newline first: a text that ends in one keeps an empty last line */
    struct val whole;
    size_t from = tpl_build(r);
    tpl_put(r, s->data, s->len);
    tpl_puts(r, "\n");
    if (!tpl_built(r, from, &whole) || !tpl_split_lines(r, whole.s, false, &lines))
        return false;
    from = tpl_build(r);
    for (size_t i = 0; i < lines.l->n; i++) {
        const struct str *line = lines.l->items[i].s;
        tpl_puts(r, i > 0 ? "\n" : "");
        if (i == 0 ? first : blank || line->len > 0)
            tpl_put(r, by.s->data, by.s->len);
        tpl_put(r, line->data, line->len);
    }
    return tpl_built(r, from, out) && tpl_str_like(r, s, out);
}

bool filter_truncate(struct render *r, const struct call *c, struct val *out)
{
    static const struct str dots = { .data = "...", .len = 3, .n_cp = 3 };
    struct str *s, *end = (struct str *)(uintptr_t)&dots;
    int64_t length, leeway = 5;
    size_t n;
    bool kill;
    struct val head;
    if (!tpl_arg_int(r, &c->v[0], 255, &length) || !tpl_arg_bool(r, &c->v[1], false, &kill) || !tpl_len(r, c->self, &n))
        return false;
    if (val_given(&c->v[2]) && c->v[2].kind != VAL_STR)
        return tpl_type_error(r, "truncate: the end must be a text");
    if (val_given(&c->v[2]))
        end = c->v[2].s;
    if (c->v[3].kind != VAL_NONE && !tpl_arg_int(r, &c->v[3], 5, &leeway))
        return false;
    const int64_t n_end = (int64_t)tpl_str_n_cp(end);
    if (length < n_end || leeway < 0)
        return tpl_fail(r, ERR_INPUT, "truncate: expected length >= %lld and leeway >= 0", (long long)n_end);
    if ((int64_t)n - leeway <= length) { /* a short list stays, too */
        *out = *c->self;
        return true;
    }
    if (!want_text(r, c, &s))
        return false;
    size_t to = tpl_str_offset(s, (size_t)(length - n_end));
    if (!kill) /* without the word that the cut goes through */
        for (size_t i = to; i > 0; i--)
            if (s->data[i - 1] == ' ') {
                to = i - 1;
                break;
            }
    return tpl_spend(r, s->len) && tpl_str_sub(r, s, 0, to, &head) && tpl_str_cat(r, head.s, end, out);
}

static bool is_word(uint32_t cp) { return cp == '_' || tpl_is_alnum(cp); }

bool filter_wordcount(struct render *r, const struct call *c, struct val *out)
{
    struct val text;
    int64_t n = 0;
    bool in_word = false;
    if (!soft(r, c->self, &text) || !tpl_spend(r, text.s->len))
        return false;
    for (size_t i = 0; i < text.s->len;) {
        uint32_t cp;
        i += tpl_decode(text.s->data + i, text.s->len - i, &cp);
        n += is_word(cp) && !in_word;
        in_word = is_word(cp);
    }
    *out = val_int(n);
    return true;
}

bool filter_format(struct render *r, const struct call *c, struct val *out)
{
    struct val text, args;
    if (c->a->n_pos > 0 && c->a->n_kw > 0)
        return tpl_fail(r, ERR_INPUT, "can't handle positional and keyword arguments at the same time");
    if (!soft(r, c->self, &text))
        return false;
    if (c->a->n_kw > 0) {
        if (!tpl_dict_new(r, c->a->n_kw, &args))
            return false;
        for (size_t i = 0; i < c->a->n_kw; i++)
            if (!tpl_dict_set(r, args.d, val_str((struct str *)(uintptr_t)c->a->kw[i].name), c->a->kw[i].value))
                return false;
    } else {
        if (!tpl_list_new(r, c->a->n_pos, VAL_TUPLE, &args))
            return false;
        for (size_t i = 0; i < c->a->n_pos; i++)
            if (!tpl_list_push(r, args.l, c->a->pos[i]))
                return false;
    }
    return tpl_format_percent(r, text.s, &args, out);
}

/* transformers' own: json.dumps() with keyword arguments, nothing escaped for HTML */
bool filter_tojson(struct render *r, const struct call *c, struct val *out)
{
    struct json_style style = { 0 };
    struct val indent, parts;
    int64_t width;
    if (!tpl_arg_bool(r, &c->v[0], false, &style.ensure_ascii) || !tpl_arg_bool(r, &c->v[3], false, &style.sort_keys))
        return false;
    if (val_given(&c->v[1]) && c->v[1].kind != VAL_NONE) {
        if (c->v[1].kind == VAL_STR)
            indent = c->v[1];
        else if (!tpl_arg_int(r, &c->v[1], 0, &width) ||
                 !tpl_binary(r, BIN_MUL, &(struct val){ .kind = VAL_STR, .s = &(struct str){ .data = " ", .len = 1, .n_cp = 1 } },
                             &(struct val){ .kind = VAL_INT, .i = width }, &indent))
            return false;
        style.indent = indent.s->data;
        style.indent_len = indent.s->len;
    }
    if (val_given(&c->v[2]) && c->v[2].kind != VAL_NONE) {
        if (!tpl_to_list(r, &c->v[2], VAL_TUPLE, &parts))
            return false;
        const struct val *p = parts.l->items;
        if (parts.l->n != 2 || p[0].kind != VAL_STR || p[1].kind != VAL_STR)
            return tpl_fail(r, ERR_INPUT, "tojson: separators must be two texts");
        style.item_sep = p[0].s;
        style.key_sep = p[1].s;
    }
    const size_t from = tpl_build(r);
    return tpl_put_json(r, c->self, &style) && tpl_built(r, from, out);
}

static bool put_quoted(struct render *r, const struct val *v, bool for_query)
{
    struct val text;
    if (!tpl_to_str(r, v, &text) || !tpl_spend(r, text.s->len))
        return false;
    for (size_t i = 0; i < text.s->len; i++) {
        const unsigned char b = (unsigned char)text.s->data[i];
        char esc[4];
        if (b < 0x80 && (tpl_is_alnum(b) || strchr("_.-~", b) || (b == '/' && !for_query)) && b)
            tpl_put(r, (const char *)&b, 1);
        else if (b == ' ' && for_query)
            tpl_puts(r, "+");
        else {
            snprintf(esc, sizeof(esc), "%%%02X", b);
            tpl_puts(r, esc);
        }
    }
    return true;
}

bool filter_urlencode(struct render *r, const struct call *c, struct val *out)
{
    const size_t from = tpl_build(r);
    if (c->self->kind == VAL_STR || !tpl_is_iterable(c->self))
        return put_quoted(r, c->self, false) && tpl_built(r, from, out);
    struct val pairs = *c->self, item, pair;
    if (pairs.kind == VAL_DICT) {
        struct view *v = tpl_alloc(r, 1, sizeof(*v));
        if (!v)
            return false;
        *v = (struct view){ c->self->d, VIEW_ITEMS };
        pairs = (struct val){ .kind = VAL_VIEW, .v = v };
    }
    struct iter *it = tpl_iter(r, &pairs);
    int got = -1;
    for (bool first = true; it && (got = tpl_next(r, it, &item)) > 0; first = false) {
        if (!tpl_to_list(r, &item, VAL_TUPLE, &pair))
            return false;
        if (pair.l->n != 2)
            return tpl_fail(r, ERR_INPUT, "urlencode wants pairs");
        tpl_puts(r, first ? "" : "&");
        if (!put_quoted(r, &pair.l->items[0], true))
            return false;
        tpl_puts(r, "=");
        if (!put_quoted(r, &pair.l->items[1], true))
            return false;
    }
    return got == 0 && tpl_built(r, from, out);
}

bool filter_xmlattr(struct render *r, const struct call *c, struct val *out)
{
    bool space, any = false;
    if (!tpl_arg_bool(r, &c->v[0], true, &space))
        return false;
    if (c->self->kind != VAL_DICT)
        return c->self->kind == VAL_UNDEF ? tpl_undef_fail(r, c->self) : tpl_type_error(r, "xmlattr wants a mapping");
    const size_t from = tpl_build(r);
    for (size_t i = 0; i < c->self->d->n; i++) {
        const struct dict_entry *e = &c->self->d->entries[i];
        struct val text;
        if (e->value.kind == VAL_NONE || e->value.kind == VAL_UNDEF)
            continue;
        if (e->key.kind != VAL_STR)
            return tpl_type_error(r, "xmlattr wants texts as names");
        for (size_t k = 0; k < e->key.s->len; k++)
            if (strchr(" \t\n\r\f\v/>=", e->key.s->data[k]))
                return tpl_fail(r, ERR_INPUT, "Invalid character in attribute name");
        tpl_puts(r, any || space ? " " : "");
        any = true;
        tpl_put_escaped(r, e->key.s->data, e->key.s->len);
        tpl_puts(r, "=\"");
        if (!tpl_to_str(r, &e->value, &text) || !tpl_spend(r, text.s->len))
            return false;
        if (e->value.kind == VAL_STR && e->value.s->markup)
            tpl_put(r, text.s->data, text.s->len);
        else
            tpl_put_escaped(r, text.s->data, text.s->len);
        tpl_puts(r, "\"");
    }
    return tpl_built(r, from, out);
}

bool filter_filesizeformat(struct render *r, const struct call *c, struct val *out)
{
    struct val number;
    bool binary;
    char text[64];
    if (!tpl_arg_bool(r, &c->v[0], false, &binary) || !tpl_to_float(r, c->self, &number))
        return false;
    const double bytes = number.f, base = binary ? 1024.0 : 1000.0;
    static const char *const units[] = { "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB" };
    if (bytes == 1.0)
        snprintf(text, sizeof(text), "1 Byte");
    else if (bytes < base)
        snprintf(text, sizeof(text), "%.0f Bytes", trunc(bytes));
    else {
        double unit = base * base;
        int i = 0;
        for (; i < 7 && bytes >= unit; i++)
            unit *= base;
        if (binary)
            snprintf(text, sizeof(text), "%.1f %ciB", base * bytes / unit, units[i][0] == 'k' ? 'K' : units[i][0]);
        else
            snprintf(text, sizeof(text), "%.1f %s", base * bytes / unit, units[i]);
    }
    return tpl_str_new(r, text, strlen(text), out);
}
