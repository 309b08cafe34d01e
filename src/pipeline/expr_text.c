/* pipeline/expr_text.c - texts with expressions in braces: "{count(objects.boxes)} at {time}"; {{ and }} are braces.  See expr.h. */
#include <math.h>
#include <string.h>

#include "pipeline/expr_internal.h"

enum { PARTS_MAX = 32 };

struct part {
    const char *plain; /* in the arena; NULL: e */
    size_t n;
    const struct expr *e;
};

struct expr_text {
    struct part parts[PARTS_MAX];
    int n;
};

static void *fail(const char *text, const char *at, const char *file, int line, int column, struct err *err, const char *why)
{
    for (const char *s = text; s < at; s++)
        if (*s == '\n')
            line++, column = 1;
        else
            column++;
    return err_null(err, ERR_INPUT, "%s:%d:%d: %s", file, line, column, why);
}

/* The '}' that ends an expression, past the quotes inside it; NULL. */
static const char *closing(const char *s, const char *end)
{
    char quote = 0;
    for (; s < end; s++) {
        if (quote && *s == '\\' && s + 1 < end)
            s++;
        else if (quote)
            quote = *s == quote ? 0 : quote;
        else if (*s == '"' || *s == '\'')
            quote = *s;
        else if (*s == '}')
            return s;
    }
    return NULL;
}

struct expr_text *expr_text_compile(struct arena *a, const char *text, size_t n, const struct expr_names *names, const char *file, int line, int column, struct err *err)
{
    struct expr_text *t = arena_alloc(a, 1, sizeof(*t), err);
    char *plain = t ? arena_strndup(a, text, n, err) : NULL, *w = plain;
    const char *end = text + n, *begin = plain;
    if (!plain)
        return NULL;
    for (const char *s = text; s < end; s++) {
        const bool twice = s + 1 < end && s[1] == *s;
        if ((*s != '{' && *s != '}') || twice) {
            s += twice && (*s == '{' || *s == '}');
            *w++ = *s;
            continue;
        }
        if (*s == '}')
            return fail(text, s, file, line, column, err, "'}' without '{'; }} is a brace");
        if (t->n + 3 > PARTS_MAX)
            return fail(text, s, file, line, column, err, "too many { } in one text");
        const char *close = closing(s + 1, end);
        if (!close)
            return fail(text, s, file, line, column, err, "'{' without '}'; {{ is a brace");
        if (w > begin)
            t->parts[t->n++] = (struct part){ .plain = begin, .n = (size_t)(w - begin) };
        begin = w;
        int at_line = line, at_column = column;
        for (const char *k = text; k <= s; k++)
            if (*k == '\n')
                at_line++, at_column = 1;
            else
                at_column++;
        const struct expr *e = expr_compile(a, s + 1, (size_t)(close - s - 1), names, file, at_line, at_column, err);
        if (!e)
            return NULL;
        t->parts[t->n++] = (struct part){ .e = e };
        s = close;
    }
    if (w > begin)
        t->parts[t->n++] = (struct part){ .plain = begin, .n = (size_t)(w - begin) };
    return t;
}

void expr_text_each_name(const struct expr_text *t, void (*fn)(void *ctx, const struct expr_name *name), void *ctx)
{
    for (int i = 0; i < t->n; i++)
        if (t->parts[i].e)
            expr_each_name(t->parts[i].e, fn, ctx);
}

static void put_item(const struct expr_field *f, const void *item, struct buf *out)
{
    struct expr_value v = { .text = "" };
    f->get(item, &v);
    buf_puts(out, v.text ? v.text : "");
}

/* A list: the first text of each item, each once, "person, car". */
static void put_list(const struct expr_name *name, const struct expr_list *l, struct buf *out)
{
    const struct expr_field *f = name ? name->fields : NULL;
    bool is_first = true;
    while (f && f->name && f->type != EXPR_TEXT)
        f++;
    for (int i = 0; f && f->name && i < l->n && i < 32; i++) {
        const void *item = (const char *)l->items + (size_t)i * l->stride;
        struct expr_value v = { .text = "" }, o;
        f->get(item, &v);
        bool again = false;
        for (int k = 0; k < i && !again; k++) {
            o = (struct expr_value){ .text = "" };
            f->get((const char *)l->items + (size_t)k * l->stride, &o);
            again = strcmp(o.text ? o.text : "", v.text ? v.text : "") == 0;
        }
        if (again || !v.text || !v.text[0])
            continue;
        buf_puts(out, is_first ? "" : ", ");
        put_item(f, item, out);
        is_first = false;
    }
}

void expr_text_put(const struct expr_text *t, const struct expr_world *w, struct buf *out)
{
    for (int i = 0; i < t->n; i++) {
        const struct part *p = &t->parts[i];
        struct expr_value v;
        if (p->plain) {
            buf_append(out, p->plain, p->n);
            continue;
        }
        if (!expr_eval(p->e, w, NULL, &v))
            continue;
        switch (expr_get_type(p->e)) {
        case EXPR_BOOL: buf_puts(out, v.b ? "yes" : "no"); break;
        case EXPR_TEXT: buf_puts(out, v.text); break;
        case EXPR_LIST: put_list(p->e->root->name, &v.list, out); break;
        case EXPR_CLOCK: buf_printf(out, "%02d:%02d", (int)(v.x / 3600) % 24, (int)fmod(v.x, 3600) / 60); break;
        case EXPR_SECONDS: buf_printf(out, "%.4g s", v.x); break;
        default: buf_printf(out, "%.4g", v.x); break;
        }
    }
}
