/* cmd/advice.c - what `cost` and `recommend` share. */
#include "cmd/advice.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cmd/catalog_open.h"
#include "cmd/out.h"

bool advice_open(struct advice *a, struct cmd_opt *opts, struct err *err)
{
    *a = (struct advice){ .catalog = cmd_catalog_open(opts, err) };
    a->book = a->catalog ? price_book_new(a->catalog, err) : NULL;
    if (!a->book)
        advice_close(a);
    return a->book;
}

void advice_close(struct advice *a)
{
    price_book_free(a->book);
    catalog_free(a->catalog);
    *a = (struct advice){ 0 };
}

double advice_number(struct cmd_opt *opts, const char *name)
{
    const struct cmd_opt *o = cmd_opt_find(opts, name);
    return !o->given ? (double)NAN : o->kind == OPT_INT ? (double)o->i : o->f;
}

const char *advice_text(struct cmd_opt *opts, const char *name)
{
    const struct cmd_opt *o = cmd_opt_find(opts, name);
    return o->given ? o->s : NULL;
}

/* 12345 as 12,345 */
static void put_thousands(char *text, size_t size, double v)
{
    char digits[32];
    const int n = snprintf(digits, sizeof(digits), "%.0f", fabs(v));
    size_t at = 0;
    if (v <= -0.5 && at + 1 < size)
        text[at++] = '-';
    for (int i = 0; i < n && at + 2 < size; i++) {
        if (i > 0 && (n - i) % 3 == 0)
            text[at++] = ',';
        text[at++] = digits[i];
    }
    text[at] = '\0';
}

static const char *bare_usd(char text[ADVICE_TEXT], double usd)
{
    if (fabs(usd) >= 99.5)
        put_thousands(text, ADVICE_TEXT, usd);
    else
        snprintf(text, ADVICE_TEXT, "%.*f", fabs(usd) >= 0.995 || fabs(usd) < 1e-12 ? 2 : 2 - (int)floor(log10(fabs(usd))), usd); /* three that matter */
    return text;
}

const char *advice_usd(char text[ADVICE_TEXT], double usd)
{
    if (isnan(usd))
        return "unknown";
    if (isinf(usd))
        return "never";
    char bare[ADVICE_TEXT];
    snprintf(text, ADVICE_TEXT, "%s$%.40s", usd < 0 ? "-" : "", bare_usd(bare, fabs(usd)));
    return text;
}

const char *advice_price(char text[ADVICE_TEXT], const struct price *p)
{
    char low[ADVICE_TEXT], high[ADVICE_TEXT];
    if (p->kind == PRICE_UNKNOWN)
        return "price not known";
    if (p->high_usd > p->low_usd)
        snprintf(text, ADVICE_TEXT, "$%.12s-%.12s (%s%s%s)", bare_usd(low, p->low_usd), bare_usd(high, p->high_usd), price_kind_people(p->kind), p->date[0] ? ", " : "", p->date);
    else
        snprintf(text, ADVICE_TEXT, "$%.12s (%s%s%s)", bare_usd(low, p->low_usd), price_kind_people(p->kind), p->date[0] ? ", " : "", p->date);
    return text;
}

const char *advice_range(char text[ADVICE_TEXT], struct plan_range r)
{
    if (!plan_is_known(r))
        return "unknown";
    if (r.high > r.low)
        snprintf(text, ADVICE_TEXT, "%.3g-%.3g", r.low, r.high);
    else
        snprintf(text, ADVICE_TEXT, "%.3g", r.mid);
    return text;
}

void advice_item(const char *label, int indent, const char *text)
{
    printf("%-*s", indent, label);
    const int width = OUT_WIDTH - indent;
    while ((int)strlen(text) > width) {
        int cut = width;
        while (cut > 0 && text[cut] != ' ')
            cut--;
        if (cut == 0)
            cut = width;
        printf("%.*s\n%*s", cut, text, indent, "");
        text += cut + (text[cut] == ' ');
    }
    printf("%s\n", text);
}

static void put_key(struct buf *b, const char *key)
{
    if (b->len && b->data[b->len - 1] != '{' && b->data[b->len - 1] != '[')
        buf_putc(b, ',');
    buf_put_json_text(b, key);
    buf_putc(b, ':');
}

void advice_json_number(struct buf *b, const char *key, double v)
{
    put_key(b, key);
    if (isfinite(v))
        buf_printf(b, "%.10g", v);
    else
        buf_puts(b, "null");
}

void advice_json_text(struct buf *b, const char *key, const char *text)
{
    put_key(b, key);
    if (text && text[0])
        buf_put_json_text(b, text);
    else
        buf_puts(b, "null");
}

void advice_json_range(struct buf *b, const char *key, struct plan_range r)
{
    put_key(b, key);
    if (!plan_is_known(r)) {
        buf_puts(b, "null");
        return;
    }
    buf_putc(b, '{');
    advice_json_number(b, "low", r.low);
    advice_json_number(b, "mid", r.mid);
    advice_json_number(b, "high", r.high);
    buf_putc(b, '}');
}

void advice_json_price(struct buf *b, const char *key, const struct price *p)
{
    put_key(b, key);
    buf_putc(b, '{');
    advice_json_text(b, "kind", price_kind_name(p->kind));
    advice_json_number(b, "low_usd", p->low_usd);
    advice_json_number(b, "high_usd", p->high_usd);
    advice_json_text(b, "date", p->date);
    advice_json_text(b, "source", p->source);
    buf_putc(b, '}');
}

int advice_print_json(struct buf *b)
{
    struct err err = { 0 };
    buf_putc(b, '\n');
    const bool ok = buf_ok(b, "json", &err);
    if (ok)
        fputs(b->data, stdout);
    buf_fini(b);
    return ok ? 0 : cmd_fail(&err);
}
