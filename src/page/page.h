/* page/page.h - one self-contained HTML file: headings, text, key figures, tables, charts; no script, nothing from elsewhere.
 *
 * For:     `--html FILE` of bench, cost and recommend.
 * Callers: bench/, advise/, cmd/.
 * Touches: page_save() writes one file, whole or not at all.
 * Rule:    the same calls give the same bytes.  All texts are escaped.  Legible from a phone's width on, in light and dark.
 *          A failed call (out of memory, a chart that cannot be drawn) is kept and reported by page_save().
 */
#ifndef TUTTI_PAGE_PAGE_H
#define TUTTI_PAGE_PAGE_H
#include "page/chart.h"

struct page;

/* Owned by the caller; NULL with err set.  subtitle: what, where, when; may be NULL. */
struct page *page_new(const char *title, const char *subtitle, struct err *err);
void page_free(struct page *p); /* NULL is fine */

void page_section(struct page *p, const char *heading);
void page_text(struct page *p, const char *fmt, ...) ERR_PRINTF(2, 3); /* a paragraph */
void page_note(struct page *p, const char *fmt, ...) ERR_PRINTF(2, 3); /* a paragraph in small: source, method, doubt */

/* A few figures side by side: "Score" "412" "passable". */
struct page_figure {
    const char *label, *value, *note; /* note may be NULL */
};
void page_figures(struct page *p, const struct page_figure *f, int n);

/* cells[row * n_cols + col]; NULL is an empty cell.  align has a letter per column: 'l' or 'r'.  marked_row -1: none. */
void page_table(struct page *p, const char *const *heads, const char *align, const char *const *cells, int n_rows, int n_cols, int marked_row);

void page_chart(struct page *p, const struct chart *c);
void page_bars(struct page *p, const struct chart_bars *c);

/* The whole document, '\0' behind it, borrowed until the next call; NULL with err set when something before failed. */
const char *page_html(struct page *p, size_t *n_bytes, struct err *err);
/* Writes it to a file beside `path` and renames it. "-" writes to stdout. */
bool page_save(struct page *p, const char *path, struct err *err);
#endif
