/* site/draw_svg.c - frame, heading, marks, pills, legend; see draw_internal.h. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "site/draw_internal.h"

static const char *heading(enum draw_what w) { return w == DRAW_TOPOLOGY ? "Topology" : w == DRAW_EXPERTS ? "Mixture of experts" : "Cascade"; }

void svg_open(struct buf *b, const struct draw *d, enum draw_what what, enum draw_form form, double w, double h)
{
    const bool is_file = form == DRAW_FILE || form == DRAW_FILE_NARROW;
    buf_printf(b, "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"tt %s\" data-what=\"%s\" viewBox=\"0 0 %.0f %.0f\"", is_narrow(form) ? "narrow" : "wide", draw_what_name(what), w, h);
    if (is_file)
        buf_printf(b, " width=\"%.0f\" height=\"%.0f\" role=\"img\"", w, h);
    else
        buf_puts(b, " role=\"group\"");
    buf_puts(b, " aria-label=\"");
    ink_escape(b, heading(what));
    buf_puts(b, " of ");
    ink_escape(b, what == DRAW_CASCADE ? d->cascade : d->title);
    buf_puts(b, "\">\n");
    if (is_file) {
        buf_printf(b, "<style>%s</style>\n", draw_css);
        ink_rect(b, "ground", 0, 0, w, h, 10);
    }
}

double svg_head(struct buf *b, const struct draw *d, const char *what, double w)
{
    ink_text(b, 24, 42, 'l', font_title, d->title, w - 48);
    ink_text(b, 24, 63, 'l', font_sub, what, w - 48);
    return 80;
}

void svg_mark(struct buf *b, enum route_class c, double x, double y)
{
    switch (c) {
    case ROUTE_CLASS_LLM: buf_printf(b, "<circle class=\"c0\" cx=\"%.1f\" cy=\"%.1f\" r=\"4.5\"/>\n", x, y); break;
    case ROUTE_CLASS_VISION: buf_printf(b, "<rect class=\"c1\" x=\"%.1f\" y=\"%.1f\" width=\"8\" height=\"8\"/>\n", x - 4, y - 4); break;
    case ROUTE_CLASS_STT: buf_printf(b, "<path class=\"c2\" d=\"M%.1f %.1fl5 8.6h-10z\"/>\n", x, y - 4.8); break;
    case ROUTE_CLASS_TTS: buf_printf(b, "<path class=\"c3\" d=\"M%.1f %.1fl5.2 5.2l-5.2 5.2l-5.2 -5.2z\"/>\n", x, y - 5.2); break;
    default: buf_printf(b, "<path class=\"c4\" d=\"M%.1f %.1fh3v3h3v3h-3v3h-3v-3h-3v-3h3z\"/>\n", x - 1.5, y - 4.5);
    }
}

double svg_pill(struct buf *b, const struct draw *d, int i, double x, double y, double width_max)
{
    const struct draw_expert *e = &d->experts[i];
    const double text = fmin(ink_width(e->name, font_pill.px, false) + 1, width_max - 33), w = text + 33;
    if (!b)
        return w;
    buf_printf(b, "<g class=\"pill s-%s\" data-e=\"%d\">", draw_state_name(e->state), i);
    buf_printf(b, "<rect class=\"p%d\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%d\" rx=\"11\"/>", (int)e->cls, x + 0.5, y + 0.5, w - 1, PILL_H - 1);
    svg_mark(b, e->cls, x + 13, y + PILL_H / 2.0);
    ink_text(b, x + 23, y + 15, 'l', font_pill, e->name, text);
    buf_puts(b, "</g>\n");
    return w;
}

double svg_legend(struct buf *b, const struct draw *d, double x, double y, double w, bool is_column)
{
    double at_x = x, at_y = y;
    bool is_any = false;
    for (int c = 0; c < ROUTE_CLASS_COUNT; c++) {
        bool is_here = false;
        for (int i = 0; i < d->n_wants && !is_here; i++)
            is_here = (int)d->wants[i].cls == c;
        for (int i = 0; i < d->n_boxes && !is_here && d->n_wants == 0; i++)
            is_here = d->boxes[i].kind == DRAW_STAGE && (int)d->boxes[i].cls == c;
        if (!is_here)
            continue;
        const double one = 18 + ink_width(words_class((enum route_class)c), font_small.px, false) + 18;
        if (is_any && (is_column || at_x + one > x + w))
            at_x = x, at_y += 20;
        if (b) {
            svg_mark(b, (enum route_class)c, at_x + 5, at_y + 8);
            ink_text(b, at_x + 17, at_y + 12, 'l', font_small, words_class((enum route_class)c), 0);
        }
        at_x += one;
        is_any = true;
    }
    return is_any ? at_y - y + 20 : 0;
}

/* 100 Mb/s: 1.6, 1 Gb/s: 2.8, 10 Gb/s: 4. */
double svg_line_px(double gbit_s) { return gbit_s > 0 ? fmin(fmax(2.8 + 1.2 * log10(gbit_s), 1.4), 5.2) : 2; }

bool draw_svg(struct buf *b, const struct draw *d, enum draw_what what, enum draw_form form, struct err *err)
{
    if (!draw_has(d, what))
        return err_set(err, ERR_INPUT, "picture: there is no %s in '%.60s'%s", draw_what_name(what), d->title,
                       what == DRAW_CASCADE ? "; the inventory's `cascade:` names its file" : "");
    const bool ok = what == DRAW_TOPOLOGY ? draw_topology(b, d, form, err) : what == DRAW_EXPERTS ? draw_experts(b, d, form, err) : draw_flow(b, d, form, err);
    return ok && buf_ok(b, "picture", err);
}
