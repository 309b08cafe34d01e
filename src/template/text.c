/* template/text.c - values as text: Python's str() and repr(); start at tpl_put_str(). */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "template/run_internal.h"

/* The shortest digits that read back as the same number, in Python's choice of notation. */
size_t tpl_float_repr(double f, char out[static 40])
{
    char digits[40];
    if (isnan(f) || isinf(f))
        return (size_t)sprintf(out, "%s", isnan(f) ? "nan" : f > 0 ? "inf" : "-inf");
    for (int n = 0; n <= 16; n++) {
        snprintf(digits, sizeof(digits), "%.*e", n, f);
        if (strtod(digits, NULL) == f)
            break;
    }
    char *e = strchr(digits, 'e');
    const int exp = atoi(e + 1);
    *e = '\0';
    if (exp < -4 || exp >= 16)
        return (size_t)sprintf(out, "%se%c%02d", digits, exp < 0 ? '-' : '+', abs(exp));
    const int n_digits = (int)strlen(digits) - (digits[0] == '-') - (strchr(digits, '.') != NULL);
    const int decimals = n_digits - 1 - exp;
    return (size_t)sprintf(out, "%.*f", decimals > 1 ? decimals : 1, f);
}

void tpl_put_repr_str(struct render *r, const char *s, size_t n)
{
    const char quote = memchr(s, '\'', n) && !memchr(s, '"', n) ? '"' : '\'';
    char esc[16];
    size_t from = 0;
    tpl_put(r, &quote, 1);
    for (size_t i = 0, len; i < n; i += len) {
        uint32_t cp;
        len = tpl_decode(s + i, n - i, &cp);
        if (cp == '\n' || cp == '\r' || cp == '\t')
            snprintf(esc, sizeof(esc), "\\%c", cp == '\n' ? 'n' : cp == '\r' ? 'r' : 't');
        else if (cp == (unsigned char)quote || cp == '\\')
            snprintf(esc, sizeof(esc), "\\%c", (char)cp);
        else if (!tpl_is_printable(cp))
            snprintf(esc, sizeof(esc), cp < 0x100 ? "\\x%02" PRIx32 : cp < 0x10000 ? "\\u%04" PRIx32 : "\\U%08" PRIx32, cp);
        else
            continue;
        tpl_put(r, s + from, i - from);
        tpl_puts(r, esc);
        from = i + len;
    }
    tpl_put(r, s + from, n - from);
    tpl_put(r, &quote, 1);
}

void tpl_put_escaped(struct render *r, const char *s, size_t n)
{
    size_t from = 0;
    for (size_t i = 0; i < n; i++) {
        const char *to = s[i] == '&'   ? "&amp;"
                         : s[i] == '<' ? "&lt;"
                         : s[i] == '>' ? "&gt;"
                         : s[i] == '"' ? "&#34;"
                         : s[i] == '\'' ? "&#39;"
                                        : NULL;
        if (!to)
            continue;
        tpl_put(r, s + from, i - from);
        tpl_puts(r, to);
        from = i + 1;
    }
    tpl_put(r, s + from, n - from);
}

/* The containers that are being printed, from the innermost out: one that holds itself prints as [...]. */
struct printing {
    const void *what;
    const struct printing *outer;
};

static bool is_printing(struct render *r, const void *what)
{
    for (const struct printing *p = r->printing; p; p = p->outer)
        if (p->what == what)
            return true;
    return false;
}

static bool put_items(struct render *r, const struct list *l, const char *open, const char *close)
{
    tpl_puts(r, open);
    for (size_t i = 0; i < l->n; i++) {
        if (i > 0)
            tpl_puts(r, ", ");
        if (!tpl_spend(r, 0) || !tpl_put_repr(r, &l->items[i]))
            return false;
    }
    tpl_puts(r, close);
    return true;
}

static bool put_dict(struct render *r, const struct dict *d)
{
    tpl_puts(r, "{");
    for (size_t i = 0; i < d->n; i++) {
        if (i > 0)
            tpl_puts(r, ", ");
        if (!tpl_spend(r, 0) || !tpl_put_repr(r, &d->entries[i].key))
            return false;
        tpl_puts(r, ": ");
        if (!tpl_put_repr(r, &d->entries[i].value))
            return false;
    }
    tpl_puts(r, "}");
    return true;
}

static bool put_view(struct render *r, const struct val *v)
{
    const struct dict *d = v->v->d;
    tpl_puts(r, tpl_type_name(v));
    tpl_puts(r, "([");
    for (size_t i = 0; i < d->n; i++) {
        const struct dict_entry *e = &d->entries[i];
        if (i > 0)
            tpl_puts(r, ", ");
        tpl_puts(r, v->v->of == VIEW_ITEMS ? "(" : "");
        if (!tpl_spend(r, 0) || (v->v->of != VIEW_VALUES && !tpl_put_repr(r, &e->key)))
            return false;
        tpl_puts(r, v->v->of == VIEW_ITEMS ? ", " : "");
        if (v->v->of != VIEW_KEYS && !tpl_put_repr(r, &e->value))
            return false;
        tpl_puts(r, v->v->of == VIEW_ITEMS ? ")" : "");
    }
    tpl_puts(r, "])");
    return true;
}

static void put_name(struct render *r, const char *before, const char *name, const char *after)
{
    tpl_puts(r, before);
    tpl_puts(r, name);
    tpl_puts(r, after);
}

/* Where Python prints an address, this prints none: no template can depend on it. */
static bool put_object(struct render *r, const struct val *v)
{
    char text[96];
    int64_t n;
    switch (v->kind) {
    case VAL_RANGE:
        snprintf(text, sizeof(text), v->r->step == 1 ? "range(%" PRId64 ", %" PRId64 ")"
                                                     : "range(%" PRId64 ", %" PRId64 ", %" PRId64 ")",
                 v->r->start, v->r->stop, v->r->step);
        tpl_puts(r, text);
        return true;
    case VAL_NAMESPACE:
        tpl_puts(r, "<Namespace ");
        if (!put_dict(r, v->d))
            return false;
        tpl_puts(r, ">");
        return true;
    case VAL_MACRO:
        if (!v->macro->def->name)
            put_name(r, "<Macro ", "anonymous", ">");
        else
            put_name(r, "<Macro '", v->macro->def->name->data, "'>");
        return true;
    case VAL_LOOP:
        if (!tpl_loop_len(r, v->loop, &n))
            return false;
        snprintf(text, sizeof(text), "<LoopContext %" PRId64 "/%" PRId64 ">", v->loop->index0 + 1, n);
        tpl_puts(r, text);
        return true;
    case VAL_ITER: put_name(r, "<", v->it->name, " object>"); return true;
    case VAL_FUNC: put_name(r, "<function ", v->fn->name, ">"); return true;
    case VAL_METHOD: put_name(r, "<built-in method ", v->m->fn->name, ">"); return true;
    default: put_name(r, "<jinja2.utils.", tpl_type_name(v), " object>"); return true;
    }
}

bool tpl_put_repr(struct render *r, const struct val *v)
{
    bool ok = true;
    const bool nests = v->kind == VAL_LIST || v->kind == VAL_TUPLE || v->kind == VAL_DICT || v->kind == VAL_NAMESPACE;
    if (nests && is_printing(r, v->l)) { /* every pointer is at the same place */
        tpl_puts(r, v->kind == VAL_LIST ? "[...]" : v->kind == VAL_TUPLE ? "(...)" : v->kind == VAL_DICT ? "{...}" : "<Namespace {...}>");
        return true;
    }
    const struct printing here = { nests ? v->l : NULL, r->printing };
    if (!tpl_enter(r) || !tpl_spend(r, (size_t)r->depth * 8))
        return false;
    r->printing = &here;
    switch (v->kind) {
    case VAL_MISSING: case VAL_UNDEF: tpl_puts(r, "Undefined"); break;
    case VAL_STR:
        ok = tpl_spend(r, v->s->len);
        tpl_puts(r, v->s->markup ? "Markup(" : "");
        tpl_put_repr_str(r, v->s->data, v->s->len);
        tpl_puts(r, v->s->markup ? ")" : "");
        break;
    case VAL_LIST: ok = put_items(r, v->l, "[", "]"); break;
    case VAL_TUPLE: ok = put_items(r, v->l, "(", v->l->n == 1 ? ",)" : ")"); break;
    case VAL_DICT: ok = put_dict(r, v->d); break;
    case VAL_VIEW: ok = put_view(r, v); break;
    case VAL_NONE: case VAL_BOOL: case VAL_INT: case VAL_FLOAT: ok = tpl_put_str(r, v); break;
    default: ok = put_object(r, v);
    }
    r->printing = here.outer;
    tpl_leave(r);
    return ok;
}

bool tpl_put_str(struct render *r, const struct val *v)
{
    char text[40];
    switch (v->kind) {
    case VAL_MISSING: case VAL_UNDEF: return true;
    case VAL_NONE: tpl_puts(r, "None"); return true;
    case VAL_BOOL: tpl_puts(r, v->b ? "True" : "False"); return true;
    case VAL_INT:
        snprintf(text, sizeof(text), "%" PRId64, v->i);
        tpl_puts(r, text);
        return true;
    case VAL_FLOAT: tpl_put(r, text, tpl_float_repr(v->f, text)); return true;
    case VAL_STR: tpl_put(r, v->s->data, v->s->len); return tpl_spend(r, v->s->len);
    default: return tpl_put_repr(r, v);
    }
}

bool tpl_to_str(struct render *r, const struct val *v, struct val *out)
{
    if (v->kind == VAL_STR && !v->s->markup) {
        *out = *v;
        return true;
    }
    const size_t mark = tpl_build(r);
    return tpl_put_str(r, v) && tpl_built(r, mark, out);
}
