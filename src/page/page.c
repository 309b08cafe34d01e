/* page/page.c - see page.h. */
#include "page/page.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

enum { PAGE_BYTES_MAX = 32 << 20 };

struct page {
    struct buf body;
    struct err first; /* the first failure; code ERR_NONE: none */
    bool is_open, is_closed; /* a section; the document */
};

static const char page_css[] =
    ":root{color-scheme:light dark;--paper:#fff;--ink:#1c2330;--soft:#5b6475;--line:#dde1e7;--card:#f5f7fa;--mark:#fdf0e6}"
    "@media(prefers-color-scheme:dark){:root{--paper:#14181f;--ink:#e6e9ef;--soft:#a3acbb;--line:#333b47;--card:#1c222b;--mark:#3a2a1c}}"
    "*{box-sizing:border-box}body{margin:0;background:var(--paper);color:var(--ink);"
    "font:16px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif}"
    "main{max-width:880px;margin:0 auto;padding:28px 20px 60px}h1{font-size:1.7rem;line-height:1.2;margin:0}"
    ".sub{color:var(--soft);margin:.35rem 0 1.4rem}h2{font-size:1.2rem;margin:2.4rem 0 .6rem;padding-top:1.1rem;border-top:1px solid var(--line)}"
    "p{margin:.5rem 0;overflow-wrap:anywhere}.note{color:var(--soft);font-size:.86rem}.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(148px,1fr));gap:10px;margin:1rem 0}"
    ".figures div{background:var(--card);border-radius:8px;padding:10px 14px}.figures b{display:block;font-size:1.3rem;line-height:1.3}"
    ".figures span,.figures small{display:block;color:var(--soft);font-size:.82rem}"
    ".scroll{overflow-x:auto;margin:.8rem 0}table{border-collapse:collapse;font-size:.9rem;font-variant-numeric:tabular-nums;min-width:50%}"
    "th,td{padding:5px 12px 5px 0;text-align:left;border-bottom:1px solid var(--line);white-space:nowrap}"
    "th{color:var(--soft);font-weight:600;vertical-align:bottom}.r{text-align:right}tr.marked td{background:var(--mark);font-weight:600}"
    "figure{margin:1.1rem 0}svg.chart{display:block;width:100%;height:auto}svg.narrow{display:none}"
    "@media(max-width:560px){main{padding:18px 14px 40px}svg.wide{display:none}svg.narrow{display:block}th,td{padding-right:10px}}"
    "@media print{h2{break-after:avoid}figure,tr{break-inside:avoid}}";

struct page *page_new(const char *title, const char *subtitle, struct err *err)
{
    struct page *p = calloc(1, sizeof(*p));
    if (!p)
        return err_null(err, ERR_NOMEM, "page: out of memory");
    buf_init(&p->body, PAGE_BYTES_MAX);
    struct buf *b = &p->body;
    buf_puts(b, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
                "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<title>");
    chart_put_text(b, title);
    buf_printf(b, "</title>\n<style>%s%s</style>\n</head>\n<body>\n<main>\n<h1>", page_css, chart_css);
    chart_put_text(b, title);
    buf_puts(b, "</h1>\n");
    if (subtitle) {
        buf_puts(b, "<p class=\"sub\">");
        chart_put_text(b, subtitle);
        buf_puts(b, "</p>\n");
    }
    return p;
}

void page_free(struct page *p)
{
    if (!p)
        return;
    buf_fini(&p->body);
    free(p);
}

/* <tag>text</tag>; close may be NULL. */
static void put_element(struct buf *b, const char *open, const char *text, const char *close)
{
    buf_puts(b, open);
    chart_put_text(b, text);
    if (close)
        buf_puts(b, close);
}

void page_section(struct page *p, const char *heading)
{
    if (p->is_open)
        buf_puts(&p->body, "</section>\n");
    p->is_open = true;
    put_element(&p->body, "<section>\n<h2>", heading, "</h2>\n");
}

static void put_paragraph(struct page *p, const char *open, const char *fmt, va_list ap)
{
    struct buf text;
    buf_init(&text, PAGE_BYTES_MAX);
    buf_vprintf(&text, fmt, ap);
    if (text.failed)
        p->body.failed = true;
    else if (text.len)
        put_element(&p->body, open, text.data, "</p>\n");
    buf_fini(&text);
}

void page_text(struct page *p, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    put_paragraph(p, "<p>", fmt, ap);
    va_end(ap);
}

void page_note(struct page *p, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    put_paragraph(p, "<p class=\"note\">", fmt, ap);
    va_end(ap);
}

void page_figures(struct page *p, const struct page_figure *f, int n)
{
    struct buf *b = &p->body;
    buf_puts(b, "<div class=\"figures\">\n");
    for (int i = 0; i < n; i++) {
        put_element(b, "<div><span>", f[i].label, "</span>");
        put_element(b, "<b>", f[i].value, "</b>");
        if (f[i].note)
            put_element(b, "<small>", f[i].note, "</small>");
        buf_puts(b, "</div>\n");
    }
    buf_puts(b, "</div>\n");
}

void page_table(struct page *p, const char *const *heads, const char *align, const char *const *cells, int n_rows, int n_cols, int marked_row)
{
    struct buf *b = &p->body;
    buf_puts(b, "<div class=\"scroll\"><table>\n<thead><tr>");
    for (int i = 0; i < n_cols; i++)
        put_element(b, align[i] == 'r' ? "<th class=\"r\">" : "<th>", heads[i], "</th>");
    buf_puts(b, "</tr></thead>\n<tbody>\n");
    for (int r = 0; r < n_rows; r++) {
        buf_puts(b, r == marked_row ? "<tr class=\"marked\">" : "<tr>");
        for (int i = 0; i < n_cols; i++) {
            const char *cell = cells[(size_t)r * (size_t)n_cols + (size_t)i];
            put_element(b, align[i] == 'r' ? "<td class=\"r\">" : "<td>", cell ? cell : "", "</td>");
        }
        buf_puts(b, "</tr>\n");
    }
    buf_puts(b, "</tbody>\n</table></div>\n");
}

static void keep_first(struct page *p, bool ok, const struct err *e)
{
    if (!ok && p->first.code == ERR_NONE)
        p->first = *e;
}

void page_chart(struct page *p, const struct chart *c)
{
    struct err e = { 0 };
    buf_puts(&p->body, "<figure>\n");
    keep_first(p, chart_write(&p->body, c, CHART_WIDE, &e) && chart_write(&p->body, c, CHART_NARROW, &e), &e);
    buf_puts(&p->body, "</figure>\n");
}

void page_bars(struct page *p, const struct chart_bars *c)
{
    struct err e = { 0 };
    buf_puts(&p->body, "<figure>\n");
    keep_first(p, chart_bars_write(&p->body, c, CHART_WIDE, &e) && chart_bars_write(&p->body, c, CHART_NARROW, &e), &e);
    buf_puts(&p->body, "</figure>\n");
}

const char *page_html(struct page *p, size_t *n_bytes, struct err *err)
{
    if (!p->is_closed) {
        buf_printf(&p->body, "%s</main>\n</body>\n</html>\n", p->is_open ? "</section>\n" : "");
        p->is_closed = true;
    }
    if (p->first.code != ERR_NONE) {
        *err = p->first;
        return NULL;
    }
    if (!buf_ok(&p->body, "page", err))
        return NULL;
    *n_bytes = p->body.len;
    return p->body.data;
}

bool page_save(struct page *p, const char *path, struct err *err)
{
    size_t n;
    const char *html = page_html(p, &n, err);
    return html && file_write(path, html, n, err);
}
