/* media/draw_internal.h - between draw.c and draw_font.c. */
#ifndef TUTTI_MEDIA_DRAW_INTERNAL_H
#define TUTTI_MEDIA_DRAW_INTERNAL_H

enum { FONT_FIRST = ' ', FONT_LAST = '~', FONT_EM = 100, FONT_CAP = 70, FONT_GAP = 19, FONT_STROKE = 10, FONT_TOP = 88 };

/* Strokes on a grid: the base line is 0, capitals are FONT_CAP high, y goes up.  Strokes end with ';':
 *   "x,y x,y ..."            straight lines
 *   "@cx,cy,rx,ry,a0,a1"     a part of an ellipse from a0 to a1 degrees (0 right, 90 up; a1 < a0: clockwise) */
struct font_glyph {
    int width; /* without FONT_GAP, which follows each glyph */
    const char *strokes;
};
extern const struct font_glyph font_glyphs[FONT_LAST - FONT_FIRST + 1];
extern const struct font_glyph font_unknown;
#endif
