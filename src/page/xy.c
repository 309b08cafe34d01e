/* page/xy.c - lines and points over two axes; start reading at chart_write(). */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "page/svg_internal.h"

enum { BOXES_MAX = 512, LABEL_FONT = 12 };

struct box {
    double x0, y0, x1, y1;
};

struct drawing {
    struct buf *b;
    const struct chart *c;
    struct scale x, y;
    struct box taken[BOXES_MAX]; /* where texts and marked points are: no label is put on another */
    int n_taken;
};

static bool is_drawn(const struct drawing *d, const struct chart_point *p) { return scale_has(&d->x, p->x) && scale_has(&d->y, p->y); }

static void take(struct drawing *d, struct box k)
{
    if (d->n_taken < BOXES_MAX)
        d->taken[d->n_taken++] = k;
}

static bool is_free(const struct drawing *d, const struct box *k)
{
    if (k->x0 < d->x.at_lo || k->x1 > d->x.at_hi + 6 || k->y0 < d->y.at_hi - 4 || k->y1 > d->y.at_lo)
        return false;
    for (int i = 0; i < d->n_taken; i++) {
        const struct box *t = &d->taken[i];
        if (k->x0 < t->x1 && t->x0 < k->x1 && k->y0 < t->y1 && t->y0 < k->y1)
            return false;
    }
    return true;
}

/* Beside (x, y) where nothing else stands: right, left, above, below and the corners; no room, no text. */
static void put_label(struct drawing *d, double x, double y, double off, const char *cls, const char *text)
{
    const double w = text_width(text, LABEL_FONT), h = LABEL_FONT;
    const double from[][2] = { { off, -h / 2 }, { -off - w, -h / 2 }, { -w / 2, -off - h }, { -w / 2, off },
                               { off, 2 - off - h }, { -off - w, 2 - off - h }, { off, off - 2 }, { -off - w, off - 2 },
                               { off, -22 - h }, { -off - w, -22 - h }, { off, 22 }, { -off - w, 22 } };
    for (size_t i = 0; i < sizeof(from) / sizeof(from[0]); i++) {
        const struct box k = { x + from[i][0], y + from[i][1], x + from[i][0] + w, y + from[i][1] + h };
        if (!is_free(d, &k))
            continue;
        take(d, k);
        put_text(d->b, k.x0, k.y1 - 2, cls, text);
        return;
    }
}

static void put_axes(struct drawing *d, bool is_narrow, double width, double height)
{
    struct buf *b = d->b;
    double tick[TICKS_MAX];
    char text[CHART_NUMBER_BYTES];
    int n = scale_ticks(&d->y, (int)((d->y.at_lo - d->y.at_hi) / 45), tick);
    for (int i = 0; i < n; i++) {
        const double at = scale_at(&d->y, tick[i]);
        buf_printf(b, "<path class=\"g\" d=\"M%.1f %.1fH%.1f\"/>", d->x.at_lo, at, d->x.at_hi);
        put_text(b, d->x.at_lo - 7, at + 4, "s r", chart_number(text, tick[i]));
    }
    n = scale_ticks(&d->x, (int)((d->x.at_hi - d->x.at_lo) / (is_narrow ? 55 : 75)), tick);
    double last_end = -1e9;
    for (int i = 0; i < n; i++) {
        const double at = scale_at(&d->x, tick[i]), w = text_width(chart_number(text, tick[i]), 12);
        buf_printf(b, "<path class=\"g\" d=\"M%.1f %.1fV%.1f\"/>", at, d->y.at_lo, d->y.at_hi);
        const double middle = fmin(at, width - w / 2);
        if (middle - w / 2 < last_end + 6)
            continue;
        put_text(b, middle, d->y.at_lo + 17, "s m", text);
        last_end = middle + w / 2;
    }
    buf_printf(b, "<path class=\"a\" d=\"M%.1f %.1fV%.1fH%.1f\"/>\n", d->x.at_lo, d->y.at_hi, d->y.at_lo, d->x.at_hi);
    if (d->c->x.label)
        put_text_cut(b, (d->x.at_lo + d->x.at_hi) / 2, height - 6, "s m", d->c->x.label, d->x.at_hi - d->x.at_lo, 12);
}

static void put_line(struct drawing *d, const struct chart_series *s, int index)
{
    bool is_down = false;
    buf_printf(d->b, "<path class=\"l s%d%s\" d=\"", index % 8, s->is_dashed ? " d" : "");
    for (int i = 0; i < s->n; i++) {
        if (!is_drawn(d, &s->points[i])) {
            is_down = false;
            continue;
        }
        buf_printf(d->b, "%c%.1f %.1f", is_down ? 'L' : 'M', scale_at(&d->x, s->points[i].x), scale_at(&d->y, s->points[i].y));
        is_down = true;
    }
    buf_puts(d->b, "\"/>\n");
}

static void put_points(struct drawing *d, const struct chart_series *s, int index)
{
    const double r = s->n > 400 ? 2.2 : s->n > 80 ? 3 : 4;
    for (int i = 0; i < s->n; i++) {
        const struct chart_point *p = &s->points[i];
        if (!is_drawn(d, p))
            continue;
        const double x = scale_at(&d->x, p->x), y = scale_at(&d->y, p->y);
        if (p->y_low < p->y_high && scale_has(&d->y, p->y_low) && scale_has(&d->y, p->y_high))
            buf_printf(d->b, "<path class=\"e s%d\" d=\"M%.1f %.1fV%.1fm-4 0h8M%.1f %.1fh8\"/>", index % 8, x, scale_at(&d->y, p->y_low),
                       scale_at(&d->y, p->y_high), x - 4, scale_at(&d->y, p->y_low));
        if (p->is_marked)
            buf_printf(d->b, "<circle class=\"o\" cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\"/>", x, y, r + 4);
        if (s->has_dots || p->is_marked) {
            if (p->label) {
                buf_puts(d->b, "<g><title>");
                chart_put_text(d->b, p->label);
                buf_puts(d->b, "</title>");
            }
            put_dot(d->b, index, x, y, r);
            buf_puts(d->b, p->label ? "</g>\n" : "\n");
            take(d, (struct box){ x - r, y - r, x + r, y + r });
        }
    }
}

static void put_notes(struct drawing *d)
{
    for (int i = 0; i < d->c->n_notes; i++) {
        const struct chart_note *t = &d->c->notes[i];
        if ((t->kind != CHART_NOTE_AT_Y && !scale_has(&d->x, t->x)) || (t->kind != CHART_NOTE_AT_X && !scale_has(&d->y, t->y)))
            continue;
        const double x = t->kind == CHART_NOTE_AT_Y ? (d->x.at_lo + d->x.at_hi) / 2 : scale_at(&d->x, t->x);
        const double y = t->kind == CHART_NOTE_AT_X ? d->y.at_hi + 8 : scale_at(&d->y, t->y);
        if (t->kind == CHART_NOTE_AT_X) {
            buf_printf(d->b, "<path class=\"n\" d=\"M%.1f %.1fV%.1f\"/>", x, d->y.at_lo, d->y.at_hi);
            take(d, (struct box){ x - 2, d->y.at_hi, x + 2, d->y.at_lo });
        } else if (t->kind == CHART_NOTE_AT_Y) {
            buf_printf(d->b, "<path class=\"n\" d=\"M%.1f %.1fH%.1f\"/>", d->x.at_lo, y, d->x.at_hi);
            take(d, (struct box){ d->x.at_lo, y - 2, d->x.at_hi, y + 2 });
        } else
            buf_printf(d->b, "<circle class=\"o\" cx=\"%.1f\" cy=\"%.1f\" r=\"6\"/>", x, y);
        put_label(d, x, y, 8, "nt halo", t->text);
    }
}

bool chart_write(struct buf *b, const struct chart *c, enum chart_form form, struct err *err)
{
    const bool is_narrow = form == CHART_NARROW;
    struct drawing d = { .b = b, .c = c };
    struct range rx = RANGE_NONE, ry = RANGE_NONE;
    struct key key[CHART_SERIES_MAX];
    if (c->n_series < 1 || c->n_series > CHART_SERIES_MAX || c->n_notes < 0 || c->n_notes > CHART_NOTES_MAX)
        return err_set(err, ERR_INPUT, "chart: %d series and %d notes, at most %d and %d can be drawn", c->n_series, c->n_notes, CHART_SERIES_MAX,
                       CHART_NOTES_MAX);
    for (int i = 0; i < c->n_series; i++) {
        const struct chart_series *s = &c->series[i];
        if (s->n < 0 || s->n > CHART_POINTS_MAX)
            return err_set(err, ERR_INPUT, "chart: %d points in a series, at most %d can be drawn", s->n, CHART_POINTS_MAX);
        for (int k = 0; k < s->n; k++) {
            const struct chart_point *p = &s->points[k];
            range_add(&rx, p->x, c->x.is_log);
            range_add(&ry, p->y, c->y.is_log);
            if (p->y_low < p->y_high)
                range_add(&ry, p->y_low, c->y.is_log), range_add(&ry, p->y_high, c->y.is_log);
        }
        key[i] = (struct key){ s->name, s->has_line, s->has_dots, s->is_dashed, false, i };
    }
    for (int i = 0; i < c->n_notes; i++) {
        if (c->notes[i].kind != CHART_NOTE_AT_Y)
            range_add(&rx, c->notes[i].x, c->x.is_log);
        if (c->notes[i].kind != CHART_NOTE_AT_X)
            range_add(&ry, c->notes[i].y, c->y.is_log);
    }
    const double width = form_width(form), plot = is_narrow ? 230 : 300;
    double top = head_height(form, c->title) + put_legend(NULL, key, c->n_series, 0, width) + (c->y.label ? 22 : 10);
    const double height = top + plot + (c->x.label ? 44 : 26);
    /* left margin: the widest figure of the y axis */
    d.y = scale_make(&c->y, ry, top + plot, top);
    double tick[TICKS_MAX], left = 20;
    char text[CHART_NUMBER_BYTES];
    const int n = scale_ticks(&d.y, (int)(plot / 45), tick);
    for (int i = 0; i < n; i++)
        left = fmax(left, text_width(chart_number(text, tick[i]), 12) + 14);
    d.x = scale_make(&c->x, rx, left, width - 14);

    const double y = open_svg(b, form, height, c->title);
    put_legend(b, key, c->n_series, y, width);
    if (c->y.label)
        put_text_cut(b, 4, top - 9, "s", c->y.label, width - 8, 12);
    put_axes(&d, is_narrow, width, height);
    for (int i = 0; i < c->n_series; i++)
        if (c->series[i].has_line)
            put_line(&d, &c->series[i], i);
    for (int i = 0; i < c->n_series; i++)
        put_points(&d, &c->series[i], i);
    put_notes(&d);
    for (int marked = 1; marked >= 0; marked--) /* those that matter choose their place first */
        for (int i = 0; i < c->n_series; i++)
            for (int k = 0; k < c->series[i].n; k++) {
                const struct chart_point *p = &c->series[i].points[k];
                if (p->label && p->is_marked == (marked == 1) && is_drawn(&d, p))
                    put_label(&d, scale_at(&d.x, p->x), scale_at(&d.y, p->y), marked ? 13 : 8, marked ? "s b halo" : "s halo", p->label);
            }
    buf_puts(b, "</svg>\n");
    return buf_ok(b, "chart", err);
}
