/* site/draw_flow.c - a cascade as a flowchart, from top to bottom: source, stages behind their gates, events, sinks.
 *
 * For:     draw_svg().  Start at draw_flow().
 * Rule:    boxes of one depth stand side by side (narrow: all under each other); a line that passes a depth goes round at the left.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "site/draw_internal.h"

enum { GATE_LINES = 3, LANE = 11, V_GAP = 40, H_GAP = 28, WIDE_BOX = 340 };

struct spot {
    double x, y, w, h, gate_h;
    int depth;
};
struct chart {
    const struct draw *d;
    struct spot at[DRAW_BOXES_MAX];
    double w, h, left;
    int n_depths;
};

static int how_lines(const struct draw_flow_box *k) { return (*k->how != 0) + (*k->where != 0); }

static void measure(struct chart *c, int i, double w)
{
    const struct draw_flow_box *k = &c->d->boxes[i];
    struct spot *s = &c->at[i];
    s->w = w;
    s->gate_h = *k->gate ? 18 + 16.0 * ink_lines(NULL, 0, 0, 'l', font_code, k->gate, w - 62, 16, GATE_LINES) : 0;
    s->h = (k->kind == DRAW_STAGE || *k->task ? 56 : 40) + 18.0 * how_lines(k) + (how_lines(k) ? 4 : 0);
}

static void place(struct chart *c, bool is_slim)
{
    const struct draw *d = c->d;
    int n_at[DRAW_BOXES_MAX] = { 0 }, n_lanes = 0;
    for (int i = 0; i < d->n_boxes; i++) {
        int depth = 0;
        for (int p = 0; p < i; p++)
            if (d->boxes[i].after & 1u << p && c->at[p].depth + 1 > depth)
                depth = c->at[p].depth + 1;
        c->at[i].depth = is_slim ? i : depth;
        n_at[c->at[i].depth]++;
        if (c->at[i].depth + 1 > c->n_depths)
            c->n_depths = c->at[i].depth + 1;
    }
    for (int i = 0; i < d->n_boxes; i++)
        for (int p = 0; p < i; p++)
            n_lanes += d->boxes[i].after & 1u << p && c->at[i].depth - c->at[p].depth > 1;
    const double margin = is_slim ? 14 : 24;
    c->left = margin + (n_lanes > 6 ? 6 : n_lanes) * LANE + (n_lanes ? 8 : 0);
    int most = 1;
    for (int k = 0; k < c->n_depths; k++)
        most = n_at[k] > most ? n_at[k] : most;
    const double box_w = is_slim ? NARROW_W - c->left - 14 : most <= 2 ? WIDE_BOX + 60 : most == 3 ? 300 : 240;
    c->w = is_slim ? NARROW_W : fmax(c->left * 2 + most * box_w + (most - 1) * H_GAP, 620);
    double y = 88;
    for (int k = 0; k < c->n_depths; k++) {
        double gate_h = 0, h = 0;
        int n = 0;
        for (int i = 0; i < d->n_boxes; i++)
            if (c->at[i].depth == k) {
                measure(c, i, box_w);
                gate_h = fmax(gate_h, c->at[i].gate_h), h = fmax(h, c->at[i].h);
            }
        const double row_w = n_at[k] * box_w + (n_at[k] - 1) * H_GAP, x0 = is_slim ? c->left : (c->w - row_w) / 2;
        for (int i = 0; i < d->n_boxes; i++)
            if (c->at[i].depth == k) {
                c->at[i].x = x0 + n++ * (box_w + H_GAP);
                c->at[i].y = y + (gate_h > 0 ? gate_h + 20 : 0);
                c->at[i].h = h;
            }
        y += (gate_h > 0 ? gate_h + 20 : 0) + h + V_GAP;
    }
    c->h = y - V_GAP;
}

static double top_of(const struct spot *s) { return s->gate_h > 0 ? s->y - 20 - s->gate_h : s->y; }

static void put_tip(struct buf *b, double x, double y) { buf_printf(b, "<path class=\"tip\" d=\"M%.1f %.1fl-5 -8h10z\"/>\n", x, y); }

static void put_edges(struct buf *b, const struct chart *c)
{
    const struct draw *d = c->d;
    int lane = 0;
    for (int i = 0; i < d->n_boxes; i++)
        for (int p = 0; p < i; p++) {
            if (!(d->boxes[i].after & 1u << p))
                continue;
            const struct spot *from = &c->at[p], *to = &c->at[i];
            const double x0 = from->x + from->w / 2, x1 = to->x + to->w / 2, y0 = from->y + from->h, y1 = top_of(to) - 1;
            if (to->depth - from->depth == 1) {
                if (fabs(x0 - x1) < 1)
                    buf_printf(b, "<path class=\"arrow\" d=\"M%.1f %.1fV%.1f\"/>\n", x0, y0, y1 - 6);
                else
                    buf_printf(b, "<path class=\"arrow\" d=\"M%.1f %.1fC%.1f %.1f %.1f %.1f %.1f %.1f\"/>\n", x0, y0, x0, y0 + V_GAP * 0.6, x1, y1 - V_GAP * 0.6, x1, y1 - 6);
                put_tip(b, x1, y1);
                continue;
            }
            const double x = c->left - 12 - (lane++ % 6) * LANE, yb = from->y + from->h - 14, yt = to->gate_h > 0 ? top_of(to) + to->gate_h / 2 : to->y + 16;
            buf_printf(b, "<path class=\"arrow\" d=\"M%.1f %.1fH%.1fQ%.1f %.1f %.1f %.1fV%.1fQ%.1f %.1f %.1f %.1fH%.1f\"/>\n", from->x, yb, x + 8, x, yb, x, yb + 8, yt - 8, x, yt,
                       x + 8, yt, to->x - 7);
            buf_printf(b, "<path class=\"tip\" d=\"M%.1f %.1fl-8 -5v10z\"/>\n", to->x - 0.5, yt);
        }
}

static void put_gate(struct buf *b, const struct draw_flow_box *k, const struct spot *s)
{
    const double y = top_of(s), m = y + s->gate_h / 2, x = s->x, w = s->w;
    /* a lozenge with a long waist: the flowchart's sign of a decision, with room for words */
    buf_printf(b, "<path class=\"gate\" d=\"M%.1f %.1fl18 %.1fh%.1fl18 %.1fl-18 %.1fh-%.1fz\"/>\n", x + 0.5, m, -s->gate_h / 2, w - 37, s->gate_h / 2, s->gate_h / 2, w - 37);
    ink_lines(b, x + w / 2, y + 22, 'm', font_code, k->gate, w - 62, 16, GATE_LINES);
    buf_printf(b, "<path class=\"arrow\" d=\"M%.1f %.1fV%.1f\"/>", x + w / 2, y + s->gate_h, s->y - 7);
    put_tip(b, x + w / 2, s->y - 1);
}

static void put_box(struct buf *b, const struct draw_flow_box *k, const struct spot *s, int i)
{
    static const char *const kinds[] = { "source", "", "event", "sink" };
    const bool is_end = k->kind == DRAW_SOURCE || k->kind == DRAW_SINK;
    const double x = s->x, w = s->w;
    char rate[DRAW_WORDS] = "";
    if (isfinite(k->per_hour) && k->per_hour > 0)
        words_rate(rate, k->per_hour);
    const double right = *rate ? ink_width(rate, font_small.px, false) + 12 : 0;
    buf_printf(b, "<g class=\"box\" data-b=\"%d\">", i);
    ink_rect(b, k->is_optional ? "card opt" : "card", x + 0.5, s->y + 0.5, w - 1, s->h - 1, is_end ? 20 : 10);
    double at = s->y + 26, text_x = x + 16;
    if (k->kind == DRAW_STAGE) {
        buf_printf(b, "<rect class=\"c%d\" x=\"%.1f\" y=\"%.1f\" width=\"4\" height=\"%.1f\" rx=\"2\"/>", (int)k->cls, x + 7, s->y + 12, s->h - 24);
        svg_mark(b, k->cls, x + 24, at - 5);
        text_x = x + 36;
    }
    const double name = ink_text(b, text_x, at, 'l', font_name, k->name, w - (text_x - x) - right - 14);
    const char *word = k->kind == DRAW_STAGE ? (k->is_optional ? "optional" : "") : kinds[k->kind];
    if (*word && strcmp(word, k->name) != 0 && text_x + name + 8 + 50 + right < x + w)
        ink_text(b, text_x + name + 8, at, 'l', font_small, word, x + w - right - 14 - text_x - name - 8);
    if (*rate)
        ink_text(b, x + w - 14, at - 1, 'r', font_small, rate, 0);
    at += 19;
    const double words_x = k->kind == DRAW_STAGE ? x + 20 : text_x;
    if (*k->task || *k->experts) { /* "detect · yolox" */
        const bool is_same = strcmp(k->task, k->experts) == 0;
        const double task = ink_text(b, words_x, at, 'l', font_text, k->task, w - 34);
        if (*k->experts && !is_same && task + 60 < w)
            ink_text(b, words_x + task + 10, at, 'l', font_pill, k->experts, w - 44 - task);
        at += 18;
    }
    if (*k->how) {
        ink_text(b, words_x, at, 'l', font_small, k->how, w - 34);
        at += 18;
    }
    if (*k->where)
        ink_text(b, words_x, at, 'l', (struct ink_font){ "t5 b", 11.5, true }, k->where, w - 34);
    buf_puts(b, "</g>\n");
}

bool draw_flow(struct buf *b, const struct draw *d, enum draw_form form, struct err *err)
{
    struct chart c = { .d = d };
    (void)err;
    place(&c, is_narrow(form));
    const double margin = is_narrow(form) ? 14 : 24, height = c.h + 52;
    svg_open(b, d, DRAW_CASCADE, form, c.w, height);
    ink_text(b, 24, 42, 'l', font_title, d->cascade, c.w - 48);
    ink_text(b, 24, 63, 'l', font_sub, "cascade: each stage is woken by the gate above it", c.w - 48);
    put_edges(b, &c);
    for (int i = 0; i < d->n_boxes; i++) {
        if (*d->boxes[i].gate)
            put_gate(b, &d->boxes[i], &c.at[i]);
        put_box(b, &d->boxes[i], &c.at[i], i);
    }
    ink_text(b, margin, height - 14, 'l', font_small, d->n_wants > 0 ? "rates and places: estimates of the plan" : "", c.w - 2 * margin);
    buf_puts(b, "</svg>\n");
    return true;
}
