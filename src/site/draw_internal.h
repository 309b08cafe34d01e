/* site/draw_internal.h - what the pictures share: their style, marks of classes, figures in words, the cards.
 *
 * For:     site/draw_*.c alone.
 */
#ifndef TUTTI_SITE_DRAW_INTERNAL_H
#define TUTTI_SITE_DRAW_INTERNAL_H
#include "site/draw.h"
#include "page/ink.h"

/* ---- style (draw_style.c) ---- */
extern const char draw_css[]; /* of everything inside class "tt" */
extern const struct ink_font font_title, font_sub, font_name, font_text, font_small, font_pill, font_code, font_big, font_label /* over lines */;

/* ---- figures in words (draw_words.c) ---- */
enum { DRAW_WORDS = 48 };
const char *words_bytes(char out[DRAW_WORDS], double bytes);       /* "2.1 GB" */
const char *words_gbit(char out[DRAW_WORDS], double gbit_s);       /* "2.5 Gb/s", "300 Mb/s" */
const char *words_number(char out[DRAW_WORDS], double v);          /* "1200", "24", "3.1", "0.42" */
const char *words_rate(char out[DRAW_WORDS], double per_hour);     /* "120/h", "2.5/s" */
const char *words_time(char out[DRAW_WORDS], double s);            /* "340 ms", "2.1 s" */
const char *words_share(char out[DRAW_WORDS], double frac);        /* "23 %" */
/* "24 tok/s", "31 ms each"; "" nothing is known. */
/* "23 % load · 9 W · 54 °C", with what is known. */
void words_node(char *out, size_t max, const struct draw_node *n);
/* Under its name: "Raspberry Pi 5 8GB", and what its ladders forbid. */
void words_sub(char *out, size_t max, const struct draw_node *n);
/* "2.1 GB · 24 tok/s · load 12 %": of a replica. */
void words_place(char *out, size_t max, const struct draw_expert *e);
/* "12 machines, 4 accelerators, 9 experts" */
void words_sum(char *out, size_t max, const struct draw *d);
const char *words_class(enum route_class c); /* "language", "vision", ... */
/* "Arc Graphics" of "Arc Graphics (Meteor Lake-H iGPU, 155H)". */
const char *words_device(char out[DRAW_WORDS * 2], const char *name);
const char *words_chip(enum draw_chip c);    /* "CPU", "GPU", "accelerator" */

/* ---- pieces (draw_svg.c) ---- */
/* Opens <svg> of that size with title, description and, in a file of its own, the style. */
void svg_open(struct buf *b, const struct draw *d, enum draw_what what, enum draw_form form, double w, double h);
/* Title and what is under it at the top left; returns the y below. */
double svg_head(struct buf *b, const struct draw *d, const char *what, double w);
/* The mark of a class, 9 units wide, its centre at (x, y). */
void svg_mark(struct buf *b, enum route_class c, double x, double y);
/* A pill for expert i with its left edge at x; returns its width.  b NULL: measures only. */
double svg_pill(struct buf *b, const struct draw *d, int i, double x, double y, double width_max);
/* Marks of the classes that are there, in a row or (is_column) under each other; returns the height. */
double svg_legend(struct buf *b, const struct draw *d, double x, double y, double w, bool is_column);
double svg_line_px(double gbit_s); /* width of a link's line */
static inline bool is_narrow(enum draw_form f) { return f == DRAW_NARROW || f == DRAW_FILE_NARROW; }
enum { PILL_H = 22, NARROW_W = 390 };

bool draw_topology(struct buf *b, const struct draw *d, enum draw_form form, struct err *err);
bool draw_experts(struct buf *b, const struct draw *d, enum draw_form form, struct err *err);
bool draw_flow(struct buf *b, const struct draw *d, enum draw_form form, struct err *err);
#endif
