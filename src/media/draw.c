/* media/draw.c - see draw.h; letters are drawn by the distance of each pixel to the strokes of its glyph. */
#include "media/draw.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "media/draw_internal.h"
#include "media/image_internal.h"

enum { SEGMENTS_MAX = 192, ARC_STEPS_MAX = 48, TEXT_MAX = 96, LINES_MAX = 512 };
static const float LINE_HEIGHT = 1.25f, PI = 3.14159265f;

static void blend(struct image *im, int x, int y, struct draw_colour c, float part)
{
    uint8_t *p = im->px + (size_t)y * im->stride + (size_t)x * (size_t)im->n_channels;
    const uint8_t to[3] = { im->n_channels == 1 ? image_luma(c.r, c.g, c.b) : c.r, c.g, c.b };
    for (int k = 0; k < im->n_channels; k++)
        p[k] = (uint8_t)((float)p[k] + part * (float)(to[k] - p[k]) + 0.5f);
}

void draw_fill(struct image *im, int x, int y, int w, int h, struct draw_colour c)
{
    struct image v = image_view(im, x, y, w, h);
    for (int j = 0; j < v.h; j++)
        for (int i = 0; i < v.w; i++)
            blend(&v, i, j, c, 1);
}

void draw_rect(struct image *im, int x, int y, int w, int h, int line_px, struct draw_colour c)
{
    line_px = line_px < h / 2 ? line_px : h / 2;
    line_px = line_px < w / 2 ? line_px : w / 2;
    line_px = line_px > 1 ? line_px : 1;
    draw_fill(im, x, y, w, line_px, c);
    draw_fill(im, x, y + h - line_px, w, line_px, c);
    draw_fill(im, x, y, line_px, h, c);
    draw_fill(im, x + w - line_px, y, line_px, h, c);
}

/* ---- strokes ---- */

struct segments { /* pixels */
    int n;
    struct { float x0, y0, x1, y1; } s[SEGMENTS_MAX];
    float left, top, right, bottom;
};

static void add(struct segments *g, float x0, float y0, float x1, float y1)
{
    if (g->n == 0)
        g->left = g->right = x0, g->top = g->bottom = y0;
    if (g->n == SEGMENTS_MAX)
        return;
    g->s[g->n].x0 = x0, g->s[g->n].y0 = y0, g->s[g->n].x1 = x1, g->s[g->n].y1 = y1;
    g->n++;
    g->left = fminf(g->left, fminf(x0, x1)), g->right = fmaxf(g->right, fmaxf(x0, x1));
    g->top = fminf(g->top, fminf(y0, y1)), g->bottom = fmaxf(g->bottom, fmaxf(y0, y1));
}

/* Everything within half a line of a segment, with soft edges. */
static void draw_segments(struct image *im, const struct segments *g, float line_px, struct draw_colour c)
{
    const float half = line_px / 2, reach = half + 1;
    if (g->n == 0 || !(g->right + reach > 0) || !(g->bottom + reach > 0) || !(g->left - reach < (float)im->w) || !(g->top - reach < (float)im->h))
        return;
    const int x0 = g->left > reach ? (int)(g->left - reach) : 0, y0 = g->top > reach ? (int)(g->top - reach) : 0;
    const int x1 = g->right + reach < (float)im->w ? (int)(g->right + reach) + 1 : im->w, y1 = g->bottom + reach < (float)im->h ? (int)(g->bottom + reach) + 1 : im->h;
    for (int y = y0; y < y1 && y < im->h; y++)
        for (int x = x0; x < x1 && x < im->w; x++) {
            float nearest = 1e30f;
            for (int i = 0; i < g->n; i++) {
                const float dx = g->s[i].x1 - g->s[i].x0, dy = g->s[i].y1 - g->s[i].y0, px = (float)x + 0.5f - g->s[i].x0, py = (float)y + 0.5f - g->s[i].y0;
                const float len2 = dx * dx + dy * dy, along = len2 > 0 ? (px * dx + py * dy) / len2 : 0, t = along < 0 ? 0 : along > 1 ? 1 : along;
                const float ex = px - t * dx, ey = py - t * dy, d2 = ex * ex + ey * ey;
                nearest = d2 < nearest ? d2 : nearest;
            }
            const float part = half + 0.5f - sqrtf(nearest);
            if (part > 0)
                blend(im, x, y, c, part < 1 ? part : 1);
        }
}

void draw_line(struct image *im, float x0, float y0, float x1, float y1, float line_px, struct draw_colour c)
{
    struct segments g = { 0 };
    add(&g, x0, y0, x1, y1);
    draw_segments(im, &g, line_px, c);
}

/* The glyph's strokes in pixels: the base line at y, scale pixels a unit. */
static void lay_strokes(struct segments *g, const char *s, float x, float y, float scale)
{
    g->n = 0;
    while (*s) {
        if (*s == '@') {
            float v[6];
            for (int i = 0; i < 6; i++)
                v[i] = (float)strtol(s + 1, (char **)&s, 10); /* leaves s at ',' or ';' */
            const float turn = (v[5] - v[4]) * PI / 180, r = (v[2] + v[3]) * scale / 2;
            int steps = (int)(fabsf(turn) * sqrtf(r) * 1.5f) + 3; /* within a tenth of a pixel */
            steps = steps < ARC_STEPS_MAX ? steps : ARC_STEPS_MAX;
            float px = 0, py = 0;
            for (int i = 0; i <= steps; i++) {
                const float a = v[4] * PI / 180 + turn * (float)i / (float)steps;
                const float qx = x + (v[0] + v[2] * cosf(a)) * scale, qy = y - (v[1] + v[3] * sinf(a)) * scale;
                if (i > 0)
                    add(g, px, py, qx, qy);
                px = qx, py = qy;
            }
        } else {
            float px = 0, py = 0;
            for (int i = 0; *s && *s != ';'; i++) {
                const float qx = x + (float)strtol(s, (char **)&s, 10) * scale, qy = y - (float)strtol(s + 1, (char **)&s, 10) * scale;
                if (i > 0)
                    add(g, px, py, qx, qy);
                px = qx, py = qy;
            }
        }
        s += *s == ';';
    }
}

/* The next character's glyph; *text moves on.  A character beyond ASCII is one unknown glyph. */
static const struct font_glyph *next_glyph(const char **text)
{
    const unsigned char c = (unsigned char)*(*text)++;
    if (c >= 0x80)
        while (((unsigned char)**text & 0xC0) == 0x80)
            (*text)++;
    return c >= FONT_FIRST && c <= FONT_LAST ? &font_glyphs[c - FONT_FIRST] : &font_unknown;
}

int draw_text_width(float size_px, const char *text)
{
    int units = 0;
    while (*text && units < 1 << 24)
        units += next_glyph(&text)->width + FONT_GAP;
    return (int)ceilf((float)units * size_px / FONT_EM);
}

int draw_text(struct image *im, int x, int y, float size_px, struct draw_colour c, const char *text)
{
    const float scale = size_px / FONT_EM, base = (float)y + FONT_TOP * scale, stroke = fmaxf(1, FONT_STROKE * scale);
    const char *from = text;
    struct segments g;
    for (int units = FONT_GAP / 2; *text && units < 1 << 24;) {
        const struct font_glyph *glyph = next_glyph(&text);
        lay_strokes(&g, glyph->strokes, (float)x + (float)units * scale, base, scale);
        draw_segments(im, &g, stroke, c);
        units += glyph->width + FONT_GAP;
    }
    return draw_text_width(size_px, from);
}

/* ---- boxes ---- */

static struct draw_colour colour_of(const char *label)
{
    static const struct draw_colour palette[] = { { 230, 57, 70 }, { 29, 122, 204 }, { 42, 157, 80 }, { 214, 120, 20 }, { 131, 56, 196 }, { 0, 140, 140 }, { 200, 40, 130 }, { 110, 110, 30 } };
    return palette[(hash_fnv32(label, label ? strlen(label) : 0) >> 16) % (sizeof(palette) / sizeof(*palette))];
}

static int to_px(float v) { return v > -1e6f && v < 1e6f ? (int)lroundf(v) : v > 0 ? 1000000 : -1000000; }

void draw_boxes(struct image *im, const struct draw_box *boxes, int n)
{
    const int shorter = im->w < im->h ? im->w : im->h, line = shorter < 600 ? 2 : shorter / 300;
    const float size = shorter < 500 ? 14 : (float)shorter / 36;
    const int text_h = (int)(size * LINE_HEIGHT);
    const struct draw_colour white = { 255, 255, 255 };
    for (int i = 0; i < n; i++) {
        const struct draw_box *b = &boxes[i];
        const struct draw_colour c = colour_of(b->label);
        const int x = to_px(b->x), y = to_px(b->y);
        draw_rect(im, x, y, to_px(b->w), to_px(b->h), line, c);
        for (int k = 0; k < b->n_points && k < DRAW_POINTS_MAX; k++)
            draw_line(im, b->points[k].x, b->points[k].y, b->points[k].x, b->points[k].y, (float)(2 * line), c);
        char text[TEXT_MAX];
        if (b->score > 0)
            snprintf(text, sizeof(text), "%.80s %.0f%%", b->label ? b->label : "", (double)(b->score * 100));
        else
            snprintf(text, sizeof(text), "%.80s", b->label ? b->label : "");
        if (!text[0])
            continue;
        const int ty = y >= text_h ? y - text_h : y, w = draw_text_width(size, text);
        int tx = x + w > im->w ? im->w - w : x; /* all of it where it fits */
        tx = tx > 0 ? tx : 0;
        draw_fill(im, tx, ty, w, text_h, c);
        draw_text(im, tx, ty, size, white, text);
    }
}

/* ---- pages ---- */

/* How many bytes of text fit on one line; at least one character. */
static size_t fit_line(const char *text, float size_px, int max_w)
{
    size_t end = 0;
    int units = 0;
    for (const char *p = text; *p && *p != '\n';) {
        const bool is_space = *p == ' ';
        if (is_space)
            end = (size_t)(p - text); /* may break here */
        units += next_glyph(&p)->width + FONT_GAP;
        if (!is_space && (float)units * size_px / FONT_EM > (float)max_w)
            return end > 0 ? end : p - text > 1 ? (size_t)(p - text) - 1 : 1;
    }
    return strcspn(text, "\n");
}

bool draw_page(const char *text, float size_px, int max_w_px, struct image *out, struct err *err)
{
    const int margin = (int)size_px, line_h = (int)(size_px * LINE_HEIGHT), room = max_w_px - 2 * margin;
    if (!(size_px >= 6 && size_px <= 1000) || room < margin || max_w_px > IMAGE_SIDE_MAX)
        return err_set(err, ERR_INPUT, "page: letters of %g px on %d px", (double)size_px, max_w_px);
    struct { const char *at; size_t n; } lines[LINES_MAX];
    int n = 0, widest = 0;
    char line[1024];
    for (const char *p = text; *p;) {
        if (n == LINES_MAX)
            return err_set(err, ERR_LIMIT, "page: more than %d lines", LINES_MAX);
        size_t len = fit_line(p, size_px, room);
        len = len < sizeof(line) ? len : sizeof(line) - 1;
        snprintf(line, sizeof(line), "%.*s", (int)len, p);
        const int w = draw_text_width(size_px, line);
        widest = w > widest ? w : widest;
        lines[n].at = p, lines[n].n = len, n++;
        p += len;
        p += *p == ' ' || *p == '\n';
    }
    if (!image_resize_memory(out, widest + 2 * margin, n * line_h + 2 * margin, 3, err))
        return false;
    memset(out->px, 255, out->stride * (size_t)out->h);
    for (int i = 0; i < n; i++) {
        snprintf(line, sizeof(line), "%.*s", (int)lines[i].n, lines[i].at);
        draw_text(out, margin, margin + i * line_h, size_px, (struct draw_colour){ 0, 0, 0 }, line);
    }
    return true;
}
