/* page/ink.c - see ink.h. */
#include "page/ink.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "page/chart.h"

/* Advance widths of DejaVu Sans in thousandths of the font's size, U+0020 to U+007E (its hmtx table); most fonts are narrower. */
static const uint16_t advance[95] = {
    318, 401, 460, 838, 636, 950, 780, 275, 390, 390, 500, 838, 318, 361, 318, 337, 636, 636, 636, 636, 636, 636, 636, 636, 636, 636, 337, 337, 838, 838, 838, 531,
    1000, 684, 686, 698, 770, 632, 575, 775, 752, 295, 295, 656, 557, 863, 748, 787, 603, 787, 695, 635, 611, 732, 684, 989, 685, 611, 685, 390, 337, 390, 838, 500,
    500, 613, 635, 550, 635, 615, 352, 635, 634, 278, 278, 579, 278, 974, 634, 612, 635, 635, 411, 521, 392, 634, 592, 818, 592, 592, 525, 636, 337, 636, 838,
};

static double char_width(uint32_t c)
{
    if (c >= 0x20 && c < 0x7f)
        return advance[c - 0x20] / 1000.0;
    if (c == 0xb7 || c == 0x2009)
        return 0.32;
    return c >= 0x1f000 ? 1.4 : c >= 0x1100 ? 1.05 : c >= 0x300 ? 0.8 : 0.7;
}

static size_t next_char(const char *s, size_t n, uint32_t *cp)
{
    const size_t len = utf8_decode(s, n, cp);
    if (len == 0)
        *cp = 0xfffd;
    return len ? len : 1;
}

static double width_of(const char *s, size_t n, struct ink_font f)
{
    double w = 0;
    uint32_t cp;
    for (size_t i = 0; i < n; i += next_char(s + i, n - i, &cp), w += char_width(cp))
        ;
    return w * f.px * (f.is_bold ? 1.12 : 1);
}

double ink_width(const char *s, double font_px, bool is_bold) { return width_of(s, strlen(s), (struct ink_font){ "", font_px, is_bold }); }

/* U+202A..202E, U+2066..2069, U+200E, U+200F: they would reorder what stands beside them. */
static bool is_bidi(uint32_t cp) { return (cp >= 0x202a && cp <= 0x202e) || (cp >= 0x2066 && cp <= 0x2069) || cp == 0x200e || cp == 0x200f; }

static void escape(struct buf *b, const char *s, size_t n)
{
    char one[8];
    uint32_t cp;
    for (size_t i = 0, len; i < n; i += len) {
        len = next_char(s + i, n - i, &cp);
        const bool is_bad = is_bidi(cp) || (cp < 0x20) || (cp >= 0x7f && cp < 0xa0) || cp == 0x2028 || cp == 0x2029;
        memcpy(one, s + i, len);
        one[len] = '\0';
        chart_put_text(b, is_bad ? "\xef\xbf\xbd" : one);
    }
}
void ink_escape(struct buf *b, const char *text) { escape(b, text, strlen(text)); }

/* Bytes of s that fit into width_px. */
static size_t fitting(const char *s, size_t n, struct ink_font f, double width_px)
{
    double w = 0;
    size_t i = 0;
    uint32_t cp;
    while (i < n) {
        const size_t len = next_char(s + i, n - i, &cp);
        w += char_width(cp) * f.px * (f.is_bold ? 1.12 : 1);
        if (w > width_px)
            break;
        i += len;
    }
    return i;
}

static double put(struct buf *b, double x, double y, char at, struct ink_font f, const char *s, size_t n, double width_px, const char *whole)
{
    const bool is_cut = width_px > 0 && width_of(s, n, f) > width_px;
    size_t k = n;
    if (is_cut) {
        k = fitting(s, n, f, width_px - f.px * 1.05);
        while (k > 0 && s[k - 1] == ' ')
            k--;
    }
    buf_printf(b, "<text class=\"%s%s\" x=\"%.1f\" y=\"%.1f\">", f.cls, at == 'm' ? " m" : at == 'r' ? " r" : "", x, y);
    if (is_cut || whole) {
        buf_puts(b, "<title>");
        ink_escape(b, whole ? whole : s);
        buf_puts(b, "</title>");
    }
    escape(b, s, k);
    buf_puts(b, is_cut ? "\xe2\x80\xa6</text>\n" : "</text>\n");
    return is_cut ? width_of(s, k, f) + f.px * 1.05 : width_of(s, n, f);
}

double ink_text(struct buf *b, double x, double y, char at, struct ink_font f, const char *text, double width_px)
{
    return put(b, x, y, at, f, text, strlen(text), width_px, NULL);
}

int ink_lines(struct buf *b, double x, double y, char at, struct ink_font f, const char *text, double width_px, double line_px, int n_max)
{
    int n = 0;
    while (*text && n < n_max) {
        const size_t left = strlen(text);
        size_t k = width_of(text, left, f) <= width_px ? left : fitting(text, left, f, width_px);
        if (k < left) {
            size_t cut = k;
            while (cut > 0 && text[cut] != ' ')
                cut--;
            k = cut > 0 ? cut : k > 0 ? k : next_char(text, left, &(uint32_t){ 0 });
        }
        if (n + 1 == n_max)
            k = left;
        if (b)
            put(b, x, y + n * line_px, at, f, text, k, width_px, NULL);
        n++;
        text += k;
        text += strspn(text, " ");
    }
    return n;
}

void ink_rect(struct buf *b, const char *cls, double x, double y, double w, double h, double r)
{
    buf_printf(b, "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" rx=\"%.1f\"/>\n", cls, x, y, w, h, r);
}

void ink_elbow(struct buf *b, double x0, double y0, double x1, double y1, double r)
{
    const double rr = fmin(r, fmin(fabs(x1 - x0), fabs(y1 - y0))), sx = x1 < x0 ? -1 : 1, sy = y1 < y0 ? -1 : 1;
    buf_printf(b, "M%.1f %.1fV%.1fQ%.1f %.1f %.1f %.1fH%.1f", x0, y0, y1 - sy * rr, x0, y1, x0 + sx * rr, y1, x1);
}
