/* page/ink.h - what diagrams are drawn with: texts that fit their place, boxes, lines, as SVG.
 *
 * For:     pictures of clusters (site/draw_*.c).
 * Callers: cluster/, cmd/.
 * Touches: memory only.  Thread: any.
 * Rule:    texts may be anything: they are escaped, what XML forbids and what would turn other text round (bidi controls) becomes
 *          U+FFFD; one that is cut ends with an ellipsis and carries the whole as its <title>.  Widths are reckoned for a wide font
 *          (DejaVu Sans), so that a text fits in any other.  The same calls give the same bytes.
 */
#ifndef TUTTI_PAGE_INK_H
#define TUTTI_PAGE_INK_H
#include <stdbool.h>

#include "base/buf.h"

/* Width of the text in a font of that size, in its units. */
double ink_width(const char *s, double font_px, bool is_bold);
/* <text> with class cls; cut to width_px (0: never).  is_bold and font_px say how cls draws it. */
struct ink_font {
    const char *cls; /* "name" */
    double px;
    bool is_bold;
};
/* at: 'l' begins at x, 'm' is centred, 'r' ends there.  Returns the width that it takes. */
double ink_text(struct buf *b, double x, double y, char at, struct ink_font f, const char *text, double width_px);
/* The text over several lines, broken at spaces (or anywhere when a word is too long), at most n_max of them, the last one cut.
 * Returns how many lines; b NULL: only counts. */
int ink_lines(struct buf *b, double x, double y, char at, struct ink_font f, const char *text, double width_px, double line_px, int n_max);
/* The text alone, safe inside an element or an attribute. */
void ink_escape(struct buf *b, const char *text);
void ink_rect(struct buf *b, const char *cls, double x, double y, double w, double h, double r);
/* From (x0, y0) down or up to y1, then right or left to x1, with a round corner. */
void ink_elbow(struct buf *b, double x0, double y0, double x1, double y1, double r);
#endif
