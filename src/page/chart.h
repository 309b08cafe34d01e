/* page/chart.h - pictures of figures as SVG: lines, points and bars, written by us.
 *
 * For:     the pages of `bench`, `cost` and `recommend` (page/page.h), residual plots of tools/fit-speed.
 * Callers: bench/, advise/, cmd/, tools/.
 * Touches: memory only.  Thread: any.
 * Rule:    the same figures give the same bytes.  Texts may be anything: they are escaped, bytes that are not UTF-8
 *          become U+FFFD.  Figures that are not finite (or not above zero on a logarithmic axis) are left out.
 *          Colours follow the reader's prefers-color-scheme; series differ by shape too, never by colour alone.
 *          All pointers are borrowed for the call.
 */
#ifndef TUTTI_PAGE_CHART_H
#define TUTTI_PAGE_CHART_H
#include <stdbool.h>

#include "base/buf.h"

enum { CHART_SERIES_MAX = 16, CHART_POINTS_MAX = 10000, CHART_NOTES_MAX = 16, CHART_BARS_MAX = 64, CHART_PARTS_MAX = 8 };

struct chart_axis {
    const char *label; /* with its unit: "GB/s" */
    bool is_log;
    double min, max; /* min < max fixes the range; both 0: from the figures */
};

struct chart_point {
    double x, y;
    double y_low, y_high; /* error bar where y_low < y_high */
    const char *label;    /* written beside it where there is room; NULL */
    bool is_marked;       /* the one that matters */
};

struct chart_series {
    const char *name; /* in the legend; NULL: not there */
    const struct chart_point *points;
    int n;
    bool has_line, has_dots, is_dashed;
};

struct chart_note { /* a text at a place: "break-even: 4100 h" */
    enum chart_note_kind { CHART_NOTE_POINT, CHART_NOTE_AT_X, CHART_NOTE_AT_Y } kind; /* the last two draw a line across */
    double x, y;
    const char *text;
};

struct chart { /* lines and points over two axes */
    const char *title;
    struct chart_axis x, y;
    const struct chart_series *series; /* at most CHART_SERIES_MAX */
    int n_series;
    const struct chart_note *notes; /* at most CHART_NOTES_MAX */
    int n_notes;
};

struct chart_bar { /* one row; bars lie, so that long names can be read */
    const char *label;
    double part[CHART_PARTS_MAX]; /* of every part of struct chart_bars; stacked */
    double low, high;             /* error bar of the sum where low < high */
    const char *text;             /* instead of the sum behind the bar; NULL */
    bool is_marked;
};

struct chart_bars {
    const char *title;
    struct chart_axis value; /* is_log only with one part */
    const char *const *parts; /* names in the legend; n_parts 0 counts as one without a name */
    int n_parts;
    const struct chart_bar *bars; /* at most CHART_BARS_MAX */
    int n_bars;
};

enum chart_form {
    CHART_WIDE,   /* for a page on a screen, 720 units wide */
    CHART_NARROW, /* the same for a phone, 360 units */
    CHART_FILE,   /* a file.svg of its own, with its style */
};

/* Appends the picture.  What is too much (see the limits above) or has nothing to draw is ERR_INPUT. */
bool chart_write(struct buf *b, const struct chart *c, enum chart_form form, struct err *err);
bool chart_bars_write(struct buf *b, const struct chart_bars *c, enum chart_form form, struct err *err);

/* The style that CHART_WIDE and CHART_NARROW need once in their page. */
extern const char chart_css[];

/* A figure for people, four digits at most: 0.125, 3.2, 940, 12.5k, 3.1M.  out must hold CHART_NUMBER_BYTES. */
enum { CHART_NUMBER_BYTES = 24 };
const char *chart_number(char *out, double v);
/* The text with & < > " ' as entities; what XML 1.0 forbids becomes U+FFFD. */
void chart_put_text(struct buf *b, const char *text);
#endif
