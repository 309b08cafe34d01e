/* media/draw.h - boxes, dots and words on pictures, in a font of our own.
 *
 * For:     cmd/ (`tutti run yolox.yaml photo.jpg --out boxes.png`), ./demo (a picture with a sentence in it), tests.
 * Touches: nothing.  Thread: any.
 * Rule:    what lies outside the picture is cut off.  The font is made of strokes (draw_font.c), so it is good at any size: from
 *          12 px for labels, and OCR reads it from 24 px on.  It knows ASCII; any other character is drawn as a small box.
 */
#ifndef TUTTI_MEDIA_DRAW_H
#define TUTTI_MEDIA_DRAW_H
#include "media/image.h"

struct draw_colour {
    uint8_t r, g, b;
};

void draw_fill(struct image *im, int x, int y, int w, int h, struct draw_colour c);
/* The outline of a rectangle, line_px thick, inwards. */
void draw_rect(struct image *im, int x, int y, int w, int h, int line_px, struct draw_colour c);
void draw_line(struct image *im, float x0, float y0, float x1, float y1, float line_px, struct draw_colour c);
/* One line of UTF-8 whose cap height is 0.7 * size_px; (x, y): the left top of the line, which is size_px * 1.25 high.
 * Returns the width in pixels. */
int draw_text(struct image *im, int x, int y, float size_px, struct draw_colour c, const char *text);
int draw_text_width(float size_px, const char *text);

enum { DRAW_POINTS_MAX = 8 };
struct draw_box {
    float x, y, w, h; /* pixels */
    const char *label; /* NULL: none; the same label has the same colour */
    float score;       /* 0: not written; else in per cent */
    int n_points;
    struct { float x, y; } points[DRAW_POINTS_MAX];
};
/* Boxes with their labels, lines and letters sized by the picture. */
void draw_boxes(struct image *im, const struct draw_box *boxes, int n);

/* A white page with black text, lines broken at spaces so that none is wider than max_w_px (and at '\n'), as wide and high as it
 * needs to be.  max_w_px at most IMAGE_SIDE_MAX. */
bool draw_page(const char *text, float size_px, int max_w_px, struct image *out, struct err *err);
#endif
