/* page/bars.c - lying bars, stacked where they have parts; start reading at chart_bars_write(). */
#include <math.h>
#include <string.h>

#include "page/svg_internal.h"

enum { ROW_WIDE = 26, ROW_NARROW = 42, FONT = 13 };

static double sum_of(const struct chart_bar *bar, int n_parts)
{
    double s = 0;
    for (int i = 0; i < n_parts; i++)
        s += isfinite(bar->part[i]) && bar->part[i] > 0 ? bar->part[i] : 0;
    return s;
}

static void put_bar(struct buf *b, const struct chart_bars *c, const struct chart_bar *bar, int n_parts, const struct scale *s, double y, double h)
{
    const double sum = sum_of(bar, n_parts);
    double from = s->lo;
    if (s->is_log || n_parts == 1) {
        const double end = scale_has(s, sum) && sum > 0 ? scale_at(s, fmax(sum, s->lo)) : s->at_lo;
        buf_printf(b, "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" rx=\"2\"/>", bar->is_marked ? "mk" : "mu", s->at_lo, y,
                   fmax(end - s->at_lo, 1), h);
    } else
        for (int i = 0; i < n_parts; i++)
            if (isfinite(bar->part[i]) && bar->part[i] > 0) {
                buf_printf(b, "<rect class=\"f%d\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"><title>", i % 8, scale_at(s, from), y,
                           scale_at(s, from + bar->part[i]) - scale_at(s, from), h);
                char text[CHART_NUMBER_BYTES];
                if (c->parts[i])
                    chart_put_text(b, c->parts[i]);
                buf_printf(b, " %s</title></rect>", chart_number(text, bar->part[i]));
                from += bar->part[i];
            }
    if (bar->low < bar->high && scale_has(s, bar->low) && scale_has(s, bar->high)) {
        const double x0 = scale_at(s, fmax(bar->low, s->lo)), x1 = scale_at(s, bar->high), m = y + h / 2;
        buf_printf(b, "<path class=\"er\" d=\"M%.1f %.1fH%.1fm0 -4v8M%.1f %.1fv8\"/>", x0, m, x1, x0, m - 4);
    }
    char text[CHART_NUMBER_BYTES];
    const double end = scale_at(s, fmax(fmax(sum, s->lo), bar->low < bar->high && isfinite(bar->high) ? bar->high : s->lo));
    put_text(b, end + 6, y + h / 2 + 4.5, bar->is_marked ? "b" : "s", bar->text ? bar->text : chart_number(text, sum));
}

bool chart_bars_write(struct buf *b, const struct chart_bars *c, enum chart_form form, struct err *err)
{
    const bool is_narrow = form == CHART_NARROW;
    const int n_parts = c->n_parts < 1 ? 1 : c->n_parts;
    struct range r = RANGE_NONE;
    struct key key[CHART_PARTS_MAX];
    char text[CHART_NUMBER_BYTES];
    double label_width = 0, value_width = 0;
    if (c->n_bars < 1 || c->n_bars > CHART_BARS_MAX || n_parts > CHART_PARTS_MAX)
        return err_set(err, ERR_INPUT, "chart: %d bars of %d parts, at most %d of %d can be drawn", c->n_bars, n_parts, CHART_BARS_MAX, CHART_PARTS_MAX);
    if (c->value.is_log && n_parts > 1)
        return err_set(err, ERR_INPUT, "chart: stacked bars have no logarithmic axis");
    for (int i = 0; i < c->n_bars; i++) {
        const struct chart_bar *bar = &c->bars[i];
        const double sum = sum_of(bar, n_parts);
        range_add(&r, sum, c->value.is_log);
        if (bar->low < bar->high)
            range_add(&r, bar->low, c->value.is_log), range_add(&r, bar->high, c->value.is_log);
        label_width = fmax(label_width, text_width(bar->label ? bar->label : "", FONT));
        value_width = fmax(value_width, text_width(bar->text ? bar->text : chart_number(text, sum), FONT));
    }
    if (!c->value.is_log)
        range_add(&r, 0, false);
    for (int i = 0; i < n_parts; i++)
        key[i] = (struct key){ .name = c->n_parts > 0 ? c->parts[i] : NULL, .is_box = true, .series = i };

    /* wide: names at the left; narrow: names above their bars */
    const double width = form_width(form), row = is_narrow ? ROW_NARROW : ROW_WIDE;
    const double left = is_narrow ? 4 : fmin(label_width, 290) + 14, right = fmax(width - fmin(value_width, width / 3) - 14, left + 60);
    const double top = head_height(form, c->title) + put_legend(NULL, key, n_parts, 0, width) + 4;
    const double bottom = top + row * c->n_bars, height = bottom + (c->value.label ? 42 : 24);
    const struct scale s = scale_make(&c->value, r, left, right);

    const double y = open_svg(b, form, height, c->title);
    put_legend(b, key, n_parts, y, width);
    double tick[TICKS_MAX], last_end = -1e9;
    const int n = scale_ticks(&s, (int)((right - left) / (is_narrow ? 60 : 80)), tick);
    for (int i = 0; i < n; i++) {
        const double at = scale_at(&s, tick[i]), w = text_width(chart_number(text, tick[i]), 12);
        buf_printf(b, "<path class=\"g\" d=\"M%.1f %.1fV%.1f\"/>", at, top, bottom);
        if (at - w / 2 < last_end + 6)
            continue;
        put_text(b, fmax(at, w / 2), bottom + 17, "s m", text);
        last_end = at + w / 2;
    }
    for (int i = 0; i < c->n_bars; i++) {
        const struct chart_bar *bar = &c->bars[i];
        const double at = top + row * i;
        const char *label = bar->label ? bar->label : "", *cls = bar->is_marked ? "b" : "";
        if (is_narrow)
            put_text_cut(b, left, at + 16, cls, label, width - 8, FONT);
        else
            put_text_cut(b, left - 10, at + 18, bar->is_marked ? "r b" : "r", label, 290, FONT);
        put_bar(b, c, bar, n_parts, &s, is_narrow ? at + 21 : at + 4, is_narrow ? 15 : 18);
        buf_puts(b, "\n");
    }
    buf_printf(b, "<path class=\"a\" d=\"M%.1f %.1fV%.1f\"/>\n", left, top, bottom);
    if (c->value.label)
        put_text_cut(b, (left + right) / 2, height - 6, "s m", c->value.label, right - left, 12);
    buf_puts(b, "</svg>\n");
    return buf_ok(b, "chart", err);
}
