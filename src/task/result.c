/* task/result.c - results as JSON and as lines for people; start at task_result_put_json(). */
#include "task/result.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- JSON ---- */

static void put_number(struct buf *b, double v, int digits)
{
    char text[40];
    if (!isfinite(v)) {
        buf_puts(b, "null");
        return;
    }
    snprintf(text, sizeof(text), "%.*f", digits, v);
    char *end = text + strlen(text);
    if (strchr(text, '.')) {
        while (end[-1] == '0')
            *--end = '\0';
        if (end[-1] == '.')
            *--end = '\0';
    }
    buf_puts(b, strcmp(text, "-0") == 0 ? "0" : text);
}

static void put_key(struct buf *b, bool *is_first, const char *key)
{
    buf_printf(b, "%s\"%s\":", *is_first ? "" : ",", key);
    *is_first = false;
}

static void put_text_key(struct buf *b, bool *is_first, const char *key, const char *text)
{
    if (!text)
        return;
    put_key(b, is_first, key);
    buf_put_json_text(b, text);
}

static void put_number_key(struct buf *b, bool *is_first, const char *key, double v, int digits)
{
    put_key(b, is_first, key);
    put_number(b, v, digits);
}

static void put_rect(struct buf *b, bool *is_first, double x, double y, double w, double h)
{
    const double v[4] = { x, y, w, h };
    put_key(b, is_first, "box");
    for (int i = 0; i < 4; i++) {
        buf_putc(b, i ? ',' : '[');
        put_number(b, v[i], 1);
    }
    buf_putc(b, ']');
}

static void put_floats(struct buf *b, bool *is_first, const char *key, const float *v, int n)
{
    put_key(b, is_first, key);
    buf_putc(b, '[');
    for (int i = 0; i < n; i++) {
        if (i > 0)
            buf_putc(b, ',');
        if (isfinite(v[i]))
            buf_printf(b, "%.7g", (double)v[i]);
        else
            buf_puts(b, "null");
    }
    buf_putc(b, ']');
}

static void put_labels(struct buf *b, const struct task_result *r)
{
    for (int i = 0; i < r->n_labels; i++) {
        bool first = true;
        buf_puts(b, i ? ",{" : "{");
        put_text_key(b, &first, "label", r->labels[i].label ? r->labels[i].label : "");
        put_number_key(b, &first, "score", (double)r->labels[i].score, 4);
        buf_putc(b, '}');
    }
}

static void put_boxes(struct buf *b, const struct task_result *r)
{
    for (int i = 0; i < r->n_boxes; i++) {
        const struct result_box *x = &r->boxes[i];
        bool first = true;
        buf_puts(b, i ? ",{" : "{");
        put_text_key(b, &first, "label", x->label ? x->label : "");
        put_number_key(b, &first, "score", (double)x->score, 4);
        put_rect(b, &first, (double)x->x, (double)x->y, (double)x->w, (double)x->h);
        if (x->name) {
            put_text_key(b, &first, "name", x->name);
            put_number_key(b, &first, "name_score", (double)x->name_score, 4);
        }
        if (x->n_points > 0) {
            put_key(b, &first, "points");
            for (int k = 0; k < x->n_points; k++) {
                buf_puts(b, k ? ",[" : "[[");
                put_number(b, (double)x->points[k].x, 1);
                buf_putc(b, ',');
                put_number(b, (double)x->points[k].y, 1);
                buf_putc(b, ']');
            }
            buf_putc(b, ']');
        }
        buf_putc(b, '}');
    }
}

static void put_words(struct buf *b, const struct task_result *r)
{
    for (int i = 0; i < r->n_words; i++) {
        const struct result_word *w = &r->words[i];
        bool first = true;
        buf_puts(b, i ? ",{" : "{");
        put_text_key(b, &first, "text", w->text ? w->text : "");
        put_number_key(b, &first, "score", (double)w->score, 4);
        if (w->w > 0) {
            put_rect(b, &first, (double)w->x, (double)w->y, (double)w->w, (double)w->h);
            put_number_key(b, &first, "line", w->line, 0);
        }
        if (w->end_s > 0) {
            put_number_key(b, &first, "start", w->start_s, 3);
            put_number_key(b, &first, "end", w->end_s, 3);
        }
        buf_putc(b, '}');
    }
}

static void put_segments(struct buf *b, const struct task_result *r)
{
    for (int i = 0; i < r->n_segments; i++) {
        const struct result_segment *s = &r->segments[i];
        bool first = true;
        buf_puts(b, i ? ",{" : "{");
        put_number_key(b, &first, "start", s->start_s, 3);
        put_number_key(b, &first, "end", s->end_s, 3);
        put_text_key(b, &first, "text", s->text);
        put_text_key(b, &first, "label", s->label);
        if (s->score > 0)
            put_number_key(b, &first, "score", (double)s->score, 4);
        buf_putc(b, '}');
    }
}

static void put_list(struct buf *b, bool *is_first, const char *key, const struct task_result *r, void (*put)(struct buf *, const struct task_result *))
{
    put_key(b, is_first, key);
    buf_putc(b, '[');
    put(b, r);
    buf_putc(b, ']');
}

void task_result_put_json(struct buf *b, const struct task_result *r)
{
    bool first = true;
    buf_putc(b, '{');
    if (r->labels)
        put_list(b, &first, "labels", r, put_labels);
    if (r->boxes)
        put_list(b, &first, "boxes", r, put_boxes);
    put_text_key(b, &first, "text", r->text);
    if (r->words)
        put_list(b, &first, "words", r, put_words);
    if (r->segments)
        put_list(b, &first, "segments", r, put_segments);
    if (r->vector)
        put_floats(b, &first, "embedding", r->vector, r->n_vector);
    if (r->scores) {
        put_floats(b, &first, "scores", r->scores, r->n_scores);
        if (r->score_step_s > 0)
            put_number_key(b, &first, "score_step", r->score_step_s, 4);
    }
    put_text_key(b, &first, "language", r->language);
    if (r->duration_s > 0)
        put_number_key(b, &first, "duration", r->duration_s, 3);
    if (r->width_px > 0) {
        put_number_key(b, &first, "width", r->width_px, 0);
        put_number_key(b, &first, "height", r->height_px, 0);
    }
    put_text_key(b, &first, "note", r->note);
    buf_putc(b, '}');
}

/* ---- for people ---- */

/* A page as it was read: its lines, not the boxes around them. */
static bool put_page(struct buf *b, const struct task_result *r)
{
    if (!r->text || r->n_words == 0 || !(r->words[0].w > 0))
        return false;
    for (int i = 0; i < r->n_words; i++) {
        if (i > 0)
            buf_putc(b, r->words[i].line == r->words[i - 1].line ? ' ' : '\n');
        buf_puts(b, r->words[i].text);
    }
    buf_putc(b, '\n');
    return true;
}

void task_result_put_text(struct buf *b, const struct task_result *r)
{
    const size_t before = b->len;
    if (put_page(b, r))
        return;
    for (int i = 0; i < r->n_labels; i++)
        buf_printf(b, "%5.1f %%  %s\n", 100 * (double)r->labels[i].score, r->labels[i].label);
    for (int i = 0; i < r->n_boxes; i++) {
        const struct result_box *x = &r->boxes[i];
        buf_printf(b, "%5.1f %%  %-16s %s%sat %.0f,%.0f  size %.0fx%.0f\n", 100 * (double)x->score, x->label ? x->label : "", x->name ? x->name : "",
                   x->name ? "  " : "", (double)x->x, (double)x->y, (double)x->w, (double)x->h);
    }
    if (r->text)
        buf_printf(b, "%s\n", r->text);
    for (int i = 0; i < r->n_segments && !r->text; i++) {
        const struct result_segment *s = &r->segments[i];
        buf_printf(b, "%9.3f - %9.3f s  %s%s%s\n", s->start_s, s->end_s, s->label ? s->label : "", s->label && s->text ? ": " : "", s->text ? s->text : "");
    }
    if (r->vector) {
        buf_printf(b, "%d numbers:", r->n_vector);
        for (int i = 0; i < r->n_vector && i < 8; i++)
            buf_printf(b, " %.4f", (double)r->vector[i]);
        buf_puts(b, r->n_vector > 8 ? " ...\n" : "\n");
    }
    if (r->note)
        buf_printf(b, "(%s)\n", r->note);
    if (b->len == before && !b->failed)
        buf_puts(b, "nothing found\n");
}
