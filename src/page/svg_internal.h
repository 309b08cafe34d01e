/* page/svg_internal.h - what both kinds of pictures are made of: a scale, its ticks, texts and their widths.
 *
 * For:     page/ alone: xy.c and bars.c draw with it, svg.c has it.
 */
#ifndef TUTTI_PAGE_SVG_INTERNAL_H
#define TUTTI_PAGE_SVG_INTERNAL_H
#include "page/chart.h"

enum { TICKS_MAX = 24, LEGEND_LINE = 20 };

struct scale {
    double lo, hi; /* of the figures */
    bool is_log;
    double at_lo, at_hi; /* in units of the picture */
};

/* The range seen so far grows by v; NAN for nothing yet. */
struct range {
    double min, max;
};
#define RANGE_NONE { NAN, NAN }
void range_add(struct range *r, double v, bool is_log);

/* A scale that holds the range: rounded to ticks, from zero on when that costs little. */
struct scale scale_make(const struct chart_axis *a, struct range r, double at_lo, double at_hi);
double scale_at(const struct scale *s, double v);
bool scale_has(const struct scale *s, double v); /* finite, drawable */
/* Up to about n_wanted round figures within the scale, ascending; returns how many. */
int scale_ticks(const struct scale *s, int n_wanted, double tick[static TICKS_MAX]);

double text_width(const char *s, double font); /* an estimate for a sans-serif font */
/* <text> with class cls at (x, y). */
void put_text(struct buf *b, double x, double y, const char *cls, const char *text);
/* The same, cut with an ellipsis to fit `width`. */
void put_text_cut(struct buf *b, double x, double y, const char *cls, const char *text, double width, double font);

double form_width(enum chart_form form);
/* <svg ...>, <title>, heading; returns the y below it. */
double open_svg(struct buf *b, enum chart_form form, double height, const char *title);
double head_height(enum chart_form form, const char *title);
/* The key: entry i is drawn as series i; returns its height.  b NULL: measures only. */
struct key { const char *name; bool has_line, has_dots, is_dashed, is_box; int series; };
double put_legend(struct buf *b, const struct key *k, int n, double y, double width);
/* Shape of series i, radius r. */
void put_dot(struct buf *b, int series, double x, double y, double r);
#endif
