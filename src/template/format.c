/* template/format.c - "..." % values and "...".format(...): Python's two ways to fill in a text.
 *
 * Both end in put_number() and put_padded().  Widths and precisions are numbers from a template: they
 * are bounded before they become bytes.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "template/run_internal.h"

enum { PRECISION_MAX = 400 };

struct spec {
    struct str fill;      /* one character */
    char align;           /* < > ^ = or 0 */
    char sign;            /* + - space */
    bool alt, zero;
    char group;           /* , _ or 0: thousands */
    int64_t width;        /* 0: none */
    int64_t precision;    /* -1: none */
    char type;
};

static bool check_width(struct render *r, const struct spec *f)
{
    if (f->width > (int64_t)(r->max_memory_bytes / 4))
        return tpl_fail(r, ERR_LIMIT, "a field of %" PRId64 " characters", f->width);
    return tpl_spend(r, f->width > 0 ? (size_t)f->width : 0);
}

/* sign or prefix, then the body; padding between them for '=', else around both */
static bool put_padded(struct render *r, const struct spec *f, const char *head, size_t n_head, const char *body,
                       size_t n_body, char align)
{
    struct str text = { .data = body, .len = n_body, .n_cp = SIZE_MAX };
    if (!check_width(r, f))
        return false;
    const int64_t n = (int64_t)(tpl_str_n_cp(&text) + n_head), more = f->width > n ? f->width - n : 0;
    if (f->align)
        align = f->align;
    const int64_t left = align == '<' ? 0 : align == '^' ? more / 2 : more;
    if (align == '=')
        tpl_put(r, head, n_head);
    for (int64_t i = 0; i < left; i++)
        tpl_put(r, f->fill.data, f->fill.len);
    if (align != '=')
        tpl_put(r, head, n_head);
    tpl_put(r, body, n_body);
    for (int64_t i = left; i < more; i++)
        tpl_put(r, f->fill.data, f->fill.len);
    return true;
}

/* Separators between groups of digits, from the right: 3 of decimals, 4 of others. */
static size_t group_digits(const char *digits, size_t n, char sep, size_t each, char *out)
{
    size_t n_out = 0;
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && (n - i) % each == 0)
            out[n_out++] = sep;
        out[n_out++] = digits[i];
    }
    return n_out;
}

/* {:08,}: zeros that fill up take part in the grouping, and no separator comes first.  The digits stand at
 * the end of their array; returns how many there are now. */
static size_t zeros_to_group(const struct spec *f, char *digits, size_t size, size_t n, size_t n_head, size_t each)
{
    while (f->align == '=' && f->fill.data[0] == '0' && n < size && (int64_t)(n + (n - 1) / each + n_head) < f->width)
        digits[size - ++n] = '0';
    return n;
}

static bool put_int(struct render *r, const struct spec *f, int64_t v)
{
    char digits[72], grouped[160], head[4];
    size_t n = 0, n_head = 0;
    uint64_t u = v < 0 ? -(uint64_t)v : (uint64_t)v;
    const unsigned base = f->type == 'x' || f->type == 'X' ? 16 : f->type == 'o' ? 8 : f->type == 'b' ? 2 : 10;
    do
        digits[sizeof(digits) - ++n] = (f->type == 'X' ? "0123456789ABCDEF" : "0123456789abcdef")[u % base];
    while ((u /= base) > 0);
    if (v < 0 || f->sign == '+' || f->sign == ' ')
        head[n_head++] = v < 0 ? '-' : f->sign;
    if (f->alt && base != 10) {
        head[n_head++] = '0';
        head[n_head++] = f->type;
    }
    char *from = digits + sizeof(digits) - n;
    while (f->precision > (int64_t)n && n < sizeof(digits) - 1) { /* %.5d */
        *--from = '0';
        n++;
    }
    if (f->group) {
        const size_t each = base == 10 ? 3 : 4;
        n = zeros_to_group(f, digits, sizeof(digits), n, n_head, each);
        n = group_digits(digits + sizeof(digits) - n, n, f->group, each, grouped);
        from = grouped;
    }
    return put_padded(r, f, head, n_head, from, n, '>');
}

/* format(v, '.3'): like %g, but it keeps a digit behind the point (2.0) and turns to an exponent one digit
 * sooner (CPython's Py_DTSF_ADD_DOT_0). */
static size_t plain_precision(char *text, size_t size, double v, int precision)
{
    precision = precision > 0 ? precision : 1;
    snprintf(text, size, "%.*e", precision - 1, v);
    char *e = strchr(text, 'e');
    if (atoi(e + 1) + 1 > precision - 1) {
        char *end = e; /* without zeros behind the point, and without a lone point */
        while (precision > 1 && end[-1] == '0')
            end--;
        end -= end[-1] == '.';
        memmove(end, e, strlen(e) + 1);
        return strlen(text);
    }
    int n = snprintf(text, size, "%.*g", precision, v);
    if (!strpbrk(text, ".e"))
        n += snprintf(text + n, size - (size_t)n, ".0");
    return (size_t)n;
}

static bool put_float(struct render *r, const struct spec *f, double v)
{
    enum { TEXT_MAX = 320 + PRECISION_MAX + 16 };
    char text[TEXT_MAX], grouped[TEXT_MAX + TEXT_MAX / 3], head[2];
    size_t n, n_head = 0;
    int precision = f->precision < 0 ? 6 : (int)f->precision;
    if (f->precision > PRECISION_MAX)
        return tpl_fail(r, ERR_LIMIT, "a precision of more than %d", PRECISION_MAX);
    if (signbit(v) && !isnan(v))
        head[n_head++] = '-';
    else if (f->sign == '+' || f->sign == ' ')
        head[n_head++] = f->sign;
    v = fabs(v);
    if (isnan(v) || isinf(v)) {
        const bool upper = f->type == 'E' || f->type == 'F' || f->type == 'G';
        n = (size_t)sprintf(text, "%s", isnan(v) ? upper ? "NAN" : "nan" : upper ? "INF" : "inf");
    } else if (f->type == 0 && f->precision < 0) { /* like str() */
        n = tpl_float_repr(v, text);
    } else {
        char full[8];
        const char type = f->type == 0 || f->type == 'n' ? 'g' : f->type == '%' ? 'f' : f->type;
        snprintf(full, sizeof(full), "%%%s.*%c", f->alt ? "#" : "", type);
        n = (size_t)snprintf(text, sizeof(text), full, precision, f->type == '%' ? v * 100.0 : v);
        if (f->type == 0)
            n = plain_precision(text, sizeof(text), v, precision);
        if (f->type == '%')
            text[n++] = '%';
        text[n] = '\0';
    }
    const char *body = text;
    if (f->group) {
        size_t whole = 0;
        while (whole < n && text[whole] >= '0' && text[whole] <= '9')
            whole++;
        const size_t n_rest = n - whole;
        char digits[TEXT_MAX];
        memcpy(digits + sizeof(digits) - whole, text, whole);
        if (whole > 0)
            whole = zeros_to_group(f, digits, sizeof(digits), whole, n_head + n_rest, 3);
        n = group_digits(digits + sizeof(digits) - whole, whole, f->group, 3, grouped);
        memcpy(grouped + n, text + (strlen(text) - n_rest), n_rest);
        n += n_rest;
        body = grouped;
    }
    return put_padded(r, f, head, n_head, body, n, '>');
}

static bool put_text(struct render *r, const struct spec *f, struct str *s)
{
    size_t n = s->len;
    if (f->precision >= 0 && (size_t)f->precision < tpl_str_n_cp(s))
        n = tpl_str_offset(s, (size_t)f->precision);
    return tpl_spend(r, s->len) && put_padded(r, f, "", 0, s->data, n, '<');
}

/* -- % ------------------------------------------------------------------------------------------------------------ */

struct percent {
    const struct str *fmt;
    size_t i;
    const struct val *args; /* what stands behind the % */
    size_t n_used;          /* of a tuple, or of the one value */
    bool is_mapping;
};

static bool next_arg(struct render *r, struct percent *p, struct val *out)
{
    const bool tuple = p->args->kind == VAL_TUPLE;
    if (p->n_used >= (tuple ? p->args->l->n : 1))
        return tpl_type_error(r, "not enough arguments for format string");
    *out = tuple ? p->args->l->items[p->n_used] : *p->args;
    p->n_used++;
    return true;
}

/* Digits or *, after width's or precision's place; *out is left alone when there are none. */
static bool percent_number(struct render *r, struct percent *p, int64_t *out)
{
    const struct str *s = p->fmt;
    if (p->i < s->len && s->data[p->i] == '*') {
        struct val v;
        p->i++;
        if (!next_arg(r, p, &v))
            return false;
        if (!val_is_int(&v))
            return tpl_type_error(r, "* wants int");
        *out = val_as_int(&v);
        return true;
    }
    for (bool first = true; p->i < s->len && s->data[p->i] >= '0' && s->data[p->i] <= '9'; first = false) {
        const int64_t have = first ? 0 : *out;
        if (have > 100000000)
            return tpl_fail(r, ERR_LIMIT, "a width of more than 9 digits");
        *out = have * 10 + (s->data[p->i++] - '0');
    }
    return true;
}

static bool percent_key(struct render *r, struct percent *p, struct val *out)
{
    const struct str *s = p->fmt;
    const size_t from = ++p->i;
    for (int depth = 1; p->i < s->len; p->i++) {
        depth += s->data[p->i] == '(' ? 1 : s->data[p->i] == ')' ? -1 : 0;
        if (depth == 0)
            break;
    }
    if (p->i >= s->len)
        return tpl_fail(r, ERR_INPUT, "incomplete format key");
    if (p->args->kind != VAL_DICT)
        return tpl_type_error(r, "format requires a mapping");
    struct str key = { .data = s->data + from, .len = p->i++ - from, .n_cp = SIZE_MAX };
    struct val *have;
    if (!tpl_dict_find(r, p->args->d, &key, &have))
        return false;
    if (!have)
        return tpl_fail(r, ERR_INPUT, "KeyError: '%.*s'", key.len > 60 ? 60 : (int)key.len, key.data);
    *out = *have;
    return true;
}

static bool percent_value(struct render *r, const struct spec *f, const struct val *v)
{
    struct val text;
    struct spec g = *f;
    switch (f->type) {
    case 's': return tpl_to_str(r, v, &text) && put_text(r, f, text.s);
    case 'r': case 'a': {
        const size_t mark = tpl_build(r);
        return tpl_put_repr(r, v) && tpl_built(r, mark, &text) && put_text(r, f, text.s);
    }
    case 'c':
        g.precision = -1;
        if (v->kind == VAL_STR && tpl_str_n_cp(v->s) == 1)
            return put_text(r, &g, v->s);
        if (val_is_int(v) && val_as_int(v) >= 0 && val_as_int(v) < 0x110000) {
            const size_t mark = tpl_build(r);
            tpl_put_cp(r, (uint32_t)val_as_int(v));
            return tpl_built(r, mark, &text) && put_text(r, &g, text.s);
        }
        return tpl_type_error(r, "%%c requires int or char");
    case 'd': case 'i': case 'u':
        if (!val_is_number(v))
            return tpl_type_error(r, "%%%c format: a real number is required, not %s", f->type, tpl_type_name(v));
        if (v->kind == VAL_FLOAT && !(fabs(v->f) < 9.2e18))
            return tpl_fail(r, ERR_INPUT, "cannot convert float to integer");
        g.type = 'd';
        return put_int(r, &g, v->kind == VAL_FLOAT ? (int64_t)v->f : val_as_int(v));
    case 'x': case 'X': case 'o':
        if (!val_is_int(v))
            return tpl_type_error(r, "%%%c format: an integer is required, not %s", f->type, tpl_type_name(v));
        return put_int(r, f, val_as_int(v));
    case 'e': case 'E': case 'f': case 'F': case 'g': case 'G':
        if (v->kind == VAL_UNDEF)
            return tpl_undef_fail(r, v);
        if (!val_is_number(v))
            return tpl_type_error(r, "must be real number, not %s", tpl_type_name(v));
        return put_float(r, f, val_as_float(v));
    default: return tpl_fail(r, ERR_INPUT, "unsupported format character '%c'", f->type);
    }
}

static bool percent_field(struct render *r, struct percent *p)
{
    const struct str *s = p->fmt;
    struct spec f = { .fill = { .data = " ", .len = 1 }, .precision = -1 };
    struct val v = { .kind = VAL_MISSING };
    if (p->i < s->len && s->data[p->i] == '(' && !percent_key(r, p, &v))
        return false;
    for (; p->i < s->len && strchr("-+ #0", s->data[p->i]) && s->data[p->i]; p->i++)
        switch (s->data[p->i]) {
        case '-': f.align = '<'; break;
        case '+': f.sign = '+'; break;
        case ' ': f.sign = f.sign ? f.sign : ' '; break;
        case '#': f.alt = true; break;
        default: f.zero = true;
        }
    if (!percent_number(r, p, &f.width))
        return false;
    if (f.width < 0) {
        f.align = '<';
        f.width = f.width < -INT32_MAX ? INT32_MAX : -f.width;
    }
    if (p->i < s->len && s->data[p->i] == '.') {
        p->i++;
        f.precision = 0;
        if (!percent_number(r, p, &f.precision))
            return false;
        f.precision = f.precision < 0 ? 0 : f.precision;
    }
    while (p->i < s->len && (s->data[p->i] == 'h' || s->data[p->i] == 'l' || s->data[p->i] == 'L'))
        p->i++;
    if (p->i >= s->len)
        return tpl_fail(r, ERR_INPUT, "incomplete format");
    f.type = s->data[p->i++];
    if (f.type == '%' && s->data[p->i - 2] == '%') {
        tpl_puts(r, "%");
        return true;
    }
    if (f.zero && !f.align && strchr("diuxXoeEfFgG", f.type)) {
        f.align = '=';
        f.fill.data = "0";
    }
    if (!f.align)
        f.align = '>'; /* text too, unlike format() */
    if (!val_given(&v) && !next_arg(r, p, &v))
        return false;
    return percent_value(r, &f, &v);
}

bool tpl_format_percent(struct render *r, const struct str *fmt, const struct val *args, struct val *out)
{
    /* CPython asks PyMapping_Check: what has subscripts and is no tuple or text */
    struct percent p = { .fmt = fmt, .args = args };
    p.is_mapping = args->kind == VAL_DICT || args->kind == VAL_LIST || args->kind == VAL_RANGE || args->kind == VAL_UNDEF;
    if (!tpl_spend(r, fmt->len))
        return false;
    const size_t mark = tpl_build(r);
    while (p.i < fmt->len) {
        const char *at = memchr(fmt->data + p.i, '%', fmt->len - p.i);
        const size_t end = at ? (size_t)(at - fmt->data) : fmt->len;
        tpl_put(r, fmt->data + p.i, end - p.i);
        p.i = end + 1;
        if (at && (!tpl_spend(r, 0) || !percent_field(r, &p)))
            return false;
    }
    if (p.n_used < (args->kind == VAL_TUPLE ? args->l->n : 1) && !p.is_mapping)
        return tpl_type_error(r, "not all arguments converted during string formatting");
    return tpl_built(r, mark, out);
}

/* -- format() -------------------------------------------------------------------------------------------------------- */

struct braces {
    const struct args *a;
    int64_t n_auto;    /* fields without a number so far; -1: they are numbered */
};

static bool parse_spec(struct render *r, const struct str *s, struct spec *f)
{
    size_t i = 0;
    uint32_t cp;
    const size_t len = s->len ? tpl_decode(s->data, s->len, &cp) : 0;
    *f = (struct spec){ .fill = { .data = " ", .len = 1 }, .precision = -1 };
    if (s->len > len && strchr("<>^=", s->data[len]) && s->data[len]) {
        f->fill = (struct str){ .data = s->data, .len = len };
        f->align = s->data[len];
        i = len + 1;
    } else if (s->len > 0 && strchr("<>^=", s->data[0]) && s->data[0])
        f->align = s->data[i++];
    if (i < s->len && strchr("+- ", s->data[i]) && s->data[i])
        f->sign = s->data[i++];
    if (i < s->len && s->data[i] == '#')
        f->alt = s->data[i++];
    if (i < s->len && s->data[i] == '0') {
        f->zero = true;
        i++;
    }
    for (; i < s->len && s->data[i] >= '0' && s->data[i] <= '9'; i++)
        if ((f->width = f->width * 10 + (s->data[i] - '0')) > 1000000000)
            return tpl_fail(r, ERR_LIMIT, "a field of more than 9 digits");
    if (i < s->len && (s->data[i] == ',' || s->data[i] == '_'))
        f->group = s->data[i++];
    if (i < s->len && s->data[i] == '.') {
        f->precision = 0;
        const size_t from = ++i;
        for (; i < s->len && s->data[i] >= '0' && s->data[i] <= '9'; i++)
            if ((f->precision = f->precision * 10 + (s->data[i] - '0')) > 1000000000)
                return tpl_fail(r, ERR_LIMIT, "a precision of more than 9 digits");
        if (i == from)
            return tpl_fail(r, ERR_INPUT, "Format specifier missing precision");
    }
    if (i < s->len)
        f->type = s->data[i++];
    return i == s->len || tpl_fail(r, ERR_INPUT, "Invalid format specifier");
}

static bool put_formatted_int(struct render *r, const struct spec *f, int64_t v)
{
    struct val text;
    if (f->precision >= 0)
        return tpl_fail(r, ERR_INPUT, "Precision not allowed in integer format specifier");
    if (f->type != 'c')
        return put_int(r, f, v);
    if (f->sign || f->alt)
        return tpl_fail(r, ERR_INPUT, "Sign or alternate form not allowed with integer format specifier 'c'");
    if (v < 0 || v > 0x10ffff)
        return tpl_fail(r, ERR_INPUT, "%%c arg not in range(0x110000)");
    const size_t mark = tpl_build(r);
    tpl_put_cp(r, (uint32_t)v);
    if (!tpl_built(r, mark, &text))
        return false;
    struct spec g = *f;
    g.align = f->align ? f->align : '<';
    return put_padded(r, &g, "", 0, text.s->data, text.s->len, '<');
}

/* A type letter that strchr() would find in every list: none is fine everywhere. */
static bool is_one_of(char type, const char *types) { return type == 0 || strchr(types, type) != NULL; }

static bool put_formatted(struct render *r, const struct val *v, const struct str *spec)
{
    struct spec f;
    if (spec->len == 0)
        return tpl_put_str(r, v);
    if (!parse_spec(r, spec, &f))
        return false;
    if ((f.group == ',' && !is_one_of(f.type, "deEfFgG%")) || (f.group == '_' && !is_one_of(f.type, "deEfFgG%xXob")))
        return tpl_fail(r, ERR_INPUT, "Cannot specify '%c' with '%c'.", f.group, f.type);
    if (f.zero && f.fill.data[0] == ' ') {
        f.align = f.align || !val_is_number(v) ? f.align : '=';
        f.fill = (struct str){ .data = "0", .len = 1 };
    }
    if (val_is_int(v) && is_one_of(f.type, "dnxXobc"))
        return put_formatted_int(r, &f, val_as_int(v));
    if (val_is_number(v) && is_one_of(f.type, "eEfFgGn%"))
        return put_float(r, &f, val_as_float(v));
    if (v->kind == VAL_STR && is_one_of(f.type, "s") && !f.sign && !f.alt && !f.group && f.align != '=')
        return put_text(r, &f, v->s);
    if (v->kind == VAL_STR || val_is_number(v))
        return tpl_fail(r, ERR_INPUT, "Unknown format code '%c' for object of type '%s'", f.type ? f.type : '?',
                        tpl_type_name(v));
    return tpl_type_error(r, "unsupported format string passed to %s.__format__", tpl_type_name(v));
}

/* Digits as a number (a large one if there are too many), or -1. */
static int64_t as_index(const char *s, size_t n)
{
    int64_t v = 0;
    for (size_t i = 0; i < n; i++) {
        if (s[i] < '0' || s[i] > '9')
            return -1;
        v = v > INT32_MAX ? v : v * 10 + (s[i] - '0');
    }
    return n > 0 ? v : -1;
}

/* The value of a field: a number or a name, then .attribute and [item] as often as there are. */
static bool field_value(struct render *r, struct braces *b, const char *s, size_t n, struct val *out)
{
    size_t i = 0;
    while (i < n && s[i] != '.' && s[i] != '[')
        i++;
    int64_t pos = -1;
    if (i == 0 && b->n_auto < 0)
        return tpl_fail(r, ERR_INPUT, "cannot switch from manual field specification to automatic field numbering");
    if (i == 0)
        pos = b->n_auto++;
    else if ((pos = as_index(s, i)) >= 0) {
        if (b->n_auto > 0)
            return tpl_fail(r, ERR_INPUT, "cannot switch from automatic field numbering to manual field specification");
        b->n_auto = -1;
    }
    if (pos >= 0) {
        if ((uint64_t)pos >= b->a->n_pos)
            return tpl_fail(r, ERR_INPUT, "Replacement index %" PRId64 " out of range for positional args tuple", pos);
        *out = b->a->pos[pos];
    } else {
        size_t k = 0;
        while (k < b->a->n_kw && (b->a->kw[k].name->len != i || memcmp(b->a->kw[k].name->data, s, i) != 0))
            k++;
        if (k == b->a->n_kw)
            return tpl_fail(r, ERR_INPUT, "KeyError: '%.*s'", i > 60 ? 60 : (int)i, s);
        *out = b->a->kw[k].value;
    }
    while (i < n) {
        const bool item = s[i] == '[';
        const size_t from = ++i;
        while (i < n && (item ? s[i] != ']' : s[i] != '.' && s[i] != '['))
            i++;
        if (from == i || (item && i >= n))
            return tpl_fail(r, ERR_INPUT, "Empty attribute or missing ']' in format string");
        struct val key, obj = *out;
        if (!tpl_str_new(r, s + from, i - from, &key))
            return false;
        tpl_str_n_cp(key.s);
        const int64_t index = item ? as_index(s + from, i - from) : -1;
        if (index >= 0)
            key = val_int(index);
        if (!(item ? tpl_getitem(r, &obj, &key, out) : tpl_getattr(r, &obj, key.s, out)))
            return false;
        i += item;
        if (i < n && s[i] != '.' && s[i] != '[')
            return tpl_fail(r, ERR_INPUT, "Only '.' or '[' may follow ']' in format field specifier");
    }
    return true;
}

static bool put_braces(struct render *r, struct braces *b, const char *s, size_t n, int depth);

/* {name!conversion:spec} without its braces; the spec may hold fields itself, but no deeper ones. */
static bool put_field(struct render *r, struct braces *b, const char *s, size_t n, int depth)
{
    size_t name = 0, spec;
    char conversion = 0;
    struct val v, text;
    for (bool bracket = false; name < n && (bracket || (s[name] != '!' && s[name] != ':')); name++)
        bracket = s[name] == '[' || (bracket && s[name] != ']');
    spec = name;
    if (spec < n && s[spec] == '!') {
        if (spec + 1 >= n || (spec + 2 < n && s[spec + 2] != ':'))
            return tpl_fail(r, ERR_INPUT, "expected ':' after conversion specifier");
        conversion = s[spec + 1];
        spec += 2;
    }
    if (!field_value(r, b, s, name, &v))
        return false;
    if (conversion) {
        if (conversion != 's' && conversion != 'r' && conversion != 'a')
            return tpl_fail(r, ERR_INPUT, "Unknown conversion specifier");
        const size_t mark = tpl_build(r);
        if (!(conversion == 's' ? tpl_put_str(r, &v) : tpl_put_repr(r, &v)) || !tpl_built(r, mark, &v))
            return false;
    }
    spec += spec < n;
    if (!memchr(s + spec, '{', n - spec)) {
        const struct str plain = { .data = s + spec, .len = n - spec };
        return put_formatted(r, &v, &plain);
    }
    const size_t mark = tpl_build(r);
    return put_braces(r, b, s + spec, n - spec, depth + 1) && tpl_built(r, mark, &text) && put_formatted(r, &v, text.s);
}

static bool put_braces(struct render *r, struct braces *b, const char *s, size_t n, int depth)
{
    if (depth > 1)
        return tpl_fail(r, ERR_INPUT, "Max string recursion exceeded");
    for (size_t i = 0; i < n;) {
        if (s[i] != '{' && s[i] != '}') {
            size_t end = i;
            while (end < n && s[end] != '{' && s[end] != '}')
                end++;
            tpl_put(r, s + i, end - i);
            i = end;
        } else if (i + 1 < n && s[i + 1] == s[i]) {
            tpl_put(r, s + i, 1);
            i += 2;
        } else {
            if (s[i] == '}' || i + 1 >= n)
                return tpl_fail(r, ERR_INPUT, "Single '%c' encountered in format string", s[i]);
            size_t end = i + 1;
            for (int level = 1; end < n; end++) {
                level += s[end] == '{' ? 1 : s[end] == '}' ? -1 : 0;
                if (level == 0)
                    break;
            }
            if (end >= n)
                return tpl_fail(r, ERR_INPUT, "expected '}' before end of string");
            if (!tpl_spend(r, end - i) || !put_field(r, b, s + i + 1, end - i - 1, depth))
                return false;
            i = end + 1;
        }
    }
    return true;
}

bool tpl_format_braces(struct render *r, const struct str *fmt, const struct args *a, struct val *out)
{
    struct braces b = { .a = a };
    const size_t mark = tpl_build(r);
    return tpl_spend(r, fmt->len) && put_braces(r, &b, fmt->data, fmt->len, 0) && tpl_built(r, mark, out);
}
