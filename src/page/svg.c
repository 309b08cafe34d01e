/* page/svg.c - scales, ticks, texts, the frame of a picture; see svg_internal.h. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "page/svg_internal.h"

/* Series colours: told apart by people with colour-blindness too (after Okabe and Ito, 2008), darker on light and
 * lighter on dark grounds. */
const char chart_css[] =
    ".chart{--ink:#1c2330;--soft:#5b6475;--grid:#e2e5ea;--c0:#0a66c2;--c1:#c8500a;--c2:#10804f;--c3:#9440a8;--c4:#9a6d00;"
    "--c5:#b8285a;--c6:#0d7e8c;--c7:#616b7a;--mark:#c8500a;--mute:#8fb4dc;--ground:#fff;"
    "font:13px system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif}"
    "@media(prefers-color-scheme:dark){.chart{--ink:#e6e9ef;--soft:#a3acbb;--grid:#333b47;--c0:#5fb0ff;--c1:#ff9a52;--c2:#4fd39a;"
    "--c3:#d694ea;--c4:#e6bd4a;--c5:#ff7fa8;--c6:#4fd0df;--c7:#aab3c0;--mark:#ff9a52;--mute:#3d6a99;--ground:#14181f}}"
    ".chart text{fill:var(--ink)}.chart .h{font-size:15px;font-weight:600}.chart .s{fill:var(--soft);font-size:12px}"
    ".chart .r{text-anchor:end}.chart .m{text-anchor:middle}.chart .b{font-weight:600}"
    ".chart .g{stroke:var(--grid);stroke-width:1;fill:none}.chart .a{stroke:var(--soft);stroke-width:1;fill:none}"
    ".chart .l{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}.chart .d{stroke-dasharray:6 4}"
    ".chart .e{stroke-width:1.4;fill:none;opacity:.8}.chart .n{stroke:var(--mark);stroke-width:1.4;stroke-dasharray:3 3;fill:none}"
    ".chart .p{stroke:var(--ground);stroke-width:1}.chart .o{fill:none;stroke:var(--mark);stroke-width:2.2}"
    ".chart .nt{fill:var(--mark);font-size:12px;font-weight:600}.chart .ground{fill:var(--ground)}"
    ".chart .halo{paint-order:stroke;stroke:var(--ground);stroke-width:3px;stroke-linejoin:round}"
    ".chart .mk{fill:var(--mark)}.chart .mu{fill:var(--mute)}.chart .er{stroke:var(--ink);stroke-width:1.4;fill:none}"
    ".chart .f0{fill:var(--c0)}.chart .f1{fill:var(--c1)}.chart .f2{fill:var(--c2)}.chart .f3{fill:var(--c3)}"
    ".chart .f4{fill:var(--c4)}.chart .f5{fill:var(--c5)}.chart .f6{fill:var(--c6)}.chart .f7{fill:var(--c7)}"
    ".chart .s0{stroke:var(--c0)}.chart .s1{stroke:var(--c1)}.chart .s2{stroke:var(--c2)}.chart .s3{stroke:var(--c3)}"
    ".chart .s4{stroke:var(--c4)}.chart .s5{stroke:var(--c5)}.chart .s6{stroke:var(--c6)}.chart .s7{stroke:var(--c7)}";

const char *chart_number(char *out, double v)
{
    static const struct { double from, unit; const char *sign; } tier[] = { { 1e12, 1e12, "T" }, { 1e9, 1e9, "G" }, { 1e6, 1e6, "M" }, { 1e4, 1e3, "k" } };
    const double a = fabs(v);
    const char *sign = "";
    if (!isfinite(v)) {
        snprintf(out, CHART_NUMBER_BYTES, "-");
        return out;
    }
    if (a >= 1e16) {
        snprintf(out, CHART_NUMBER_BYTES, "%.2g", v);
        return out;
    }
    for (size_t i = 0; i < sizeof(tier) / sizeof(tier[0]); i++)
        if (a >= tier[i].from) {
            v /= tier[i].unit, sign = tier[i].sign;
            break;
        }
    char digits[16];
    const double b = fabs(v);
    snprintf(digits, sizeof(digits), "%.*f", b == 0 || b >= 100 ? 0 : b >= 10 ? 1 : b >= 1 ? 2 : b >= 0.1 ? 3 : b >= 0.01 ? 4 : 5, v);
    size_t n = strlen(digits);
    if (strchr(digits, '.')) {
        while (digits[n - 1] == '0')
            n--;
        if (digits[n - 1] == '.')
            n--;
    }
    snprintf(out, CHART_NUMBER_BYTES, "%.*s%s", (int)n, digits, sign);
    return out;
}

void chart_put_text(struct buf *b, const char *text)
{
    const size_t n = strlen(text);
    for (size_t i = 0, len; i < n; i += len) {
        uint32_t cp = 0;
        len = utf8_decode(text + i, n - i, &cp);
        const bool is_bad = len == 0 || (cp < 0x20 && cp != '\t' && cp != '\n' && cp != '\r') || cp == 0xfffe || cp == 0xffff || cp == 0x7f;
        if (len == 0)
            len = 1;
        if (is_bad)
            buf_puts(b, "\xef\xbf\xbd");
        else if (cp == '&')
            buf_puts(b, "&amp;");
        else if (cp == '<')
            buf_puts(b, "&lt;");
        else if (cp == '>')
            buf_puts(b, "&gt;");
        else if (cp == '"')
            buf_puts(b, "&quot;");
        else if (cp == '\'')
            buf_puts(b, "&#39;");
        else
            buf_append(b, text + i, len);
    }
}

/* ---- scales ---- */

void range_add(struct range *r, double v, bool is_log)
{
    if (!isfinite(v) || fabs(v) > 1e300 || (is_log && v < 1e-300))
        return;
    r->min = isnan(r->min) || v < r->min ? v : r->min;
    r->max = isnan(r->max) || v > r->max ? v : r->max;
}

/* 1, 2 or 5 times a power of ten, at least v > 0. */
static double round_up(double v)
{
    const double p = pow(10, floor(log10(v)));
    const double m[] = { 1, 2, 5, 10 };
    for (int i = 0; i < 4; i++)
        if (v <= m[i] * p * (1 + 1e-9))
            return m[i] * p;
    return 10 * p;
}
struct scale scale_make(const struct chart_axis *a, struct range r, double at_lo, double at_hi)
{
    struct scale s = { r.min, r.max, a->is_log, at_lo, at_hi };
    if (a->min < a->max && (!a->is_log || a->min > 0)) {
        s.lo = a->min, s.hi = a->max;
        return s;
    }
    if (isnan(r.min)) {
        s.lo = a->is_log ? 1 : 0, s.hi = a->is_log ? 10 : 1;
        return s;
    }
    if (a->is_log) { /* a little room, and decades where they are near */
        const double lo = pow(10, floor(log10(r.min) + 1e-9)), hi = pow(10, ceil(log10(r.max) - 1e-9));
        s.lo = r.min < lo * 1.4 ? lo : r.min / 1.15, s.hi = r.max > hi / 1.4 ? hi : r.max * 1.15;
        if (s.hi <= s.lo * 1.01)
            s.lo /= 2, s.hi *= 2;
        return s;
    }
    if (s.lo > 0 && s.lo < 0.6 * s.hi)
        s.lo = 0;
    if (s.hi < 0 && s.hi > 0.6 * s.lo)
        s.hi = 0;
    if (s.hi - s.lo <= fabs(s.hi) * 1e-9) {
        const double d = s.hi == 0 ? 1 : fabs(s.hi) / 2;
        s.lo = s.lo > 0 && s.lo <= d ? 0 : s.lo - d, s.hi += d;
    }
    const double step = round_up((s.hi - s.lo) / 8);
    s.lo = floor(s.lo / step + 1e-9) * step, s.hi = ceil(s.hi / step - 1e-9) * step;
    return s;
}

double scale_at(const struct scale *s, double v)
{
    const double f = s->is_log ? log(v / s->lo) / log(s->hi / s->lo) : (v - s->lo) / (s->hi - s->lo);
    return s->at_lo + fmin(fmax(f, -0.02), 1.02) * (s->at_hi - s->at_lo);
}

bool scale_has(const struct scale *s, double v) { return isfinite(v) && fabs(v) <= 1e300 && (!s->is_log || v >= 1e-300); }

int scale_ticks(const struct scale *s, int n_wanted, double tick[static TICKS_MAX])
{
    int n = 0;
    n_wanted = n_wanted < 2 ? 2 : n_wanted;
    if (s->is_log) {
        const double first = floor(log10(s->lo) + 1e-9), decades = log10(s->hi / s->lo);
        const int every = decades > n_wanted ? (int)ceil(decades / n_wanted) : 1;
        static const int fine[] = { 1, 2, 5 }, coarse[] = { 1, 3 }, one[] = { 1 };
        const int per = decades * 3 <= n_wanted + 1 ? 3 : decades * 2 <= n_wanted ? 2 : 1;
        const int *m = per == 3 ? fine : per == 2 ? coarse : one;
        for (int k = 0; n < TICKS_MAX && k < 700; k += every) {
            const double p = pow(10, first + k);
            if (p > s->hi * (1 + 1e-9))
                break;
            for (int i = 0; i < per && n < TICKS_MAX; i++)
                if (m[i] * p >= s->lo * (1 - 1e-9) && m[i] * p <= s->hi * (1 + 1e-9))
                    tick[n++] = m[i] * p;
        }
        return n;
    }
    const double step = round_up((s->hi - s->lo) / n_wanted);
    const double from = ceil(s->lo / step - 1e-9);
    for (int k = 0; n < TICKS_MAX && (from + k) * step <= s->hi + step * 1e-6; k++)
        tick[n++] = from + k == 0 ? 0 : (from + k) * step;
    return n;
}

/* ---- texts ---- */

static double char_width(uint32_t c)
{
    if (c < 0x80 && c && strchr("il.,:;|!'jI ()[]/", (int)c))
        return 0.34;
    if (c < 0x80 && c && strchr("mwMW@%", (int)c))
        return 0.9;
    if (c >= 'A' && c <= 'Z')
        return 0.69;
    return c >= 0x1100 ? 1.0 : 0.61;
}

double text_width(const char *s, double font)
{
    double w = 0;
    const size_t n = strlen(s);
    for (size_t i = 0, len; i < n; i += len ? len : 1) {
        uint32_t cp = 0;
        len = utf8_decode(s + i, n - i, &cp);
        w += char_width(len ? cp : 0xfffd);
    }
    return w * font;
}

void put_text(struct buf *b, double x, double y, const char *cls, const char *text)
{
    buf_printf(b, "<text x=\"%.1f\" y=\"%.1f\"", x, y);
    if (cls[0])
        buf_printf(b, " class=\"%s\"", cls);
    buf_puts(b, ">");
    chart_put_text(b, text);
    buf_puts(b, "</text>\n");
}

/* How many bytes of the text fit; all of it when it fits whole. */
static size_t fitting(const char *text, double width, double font)
{
    const size_t n = strlen(text);
    size_t i = 0;
    double w = font; /* the ellipsis */
    if (text_width(text, font) <= width)
        return n;
    for (size_t len; i < n; i += len) {
        uint32_t cp = 0;
        len = utf8_decode(text + i, n - i, &cp);
        w += char_width(len ? cp : 0xfffd) * font;
        if (w > width)
            break;
        len = len ? len : 1;
    }
    return i;
}

void put_text_cut(struct buf *b, double x, double y, const char *cls, const char *text, double width, double font)
{
    char cut[256];
    const size_t n = fitting(text, width, font);
    if (text[n] == '\0' || n > sizeof(cut) - 4) {
        put_text(b, x, y, cls, text);
        return;
    }
    snprintf(cut, sizeof(cut), "%.*s\xe2\x80\xa6", (int)n, text);
    put_text(b, x, y, cls, cut);
}

/* ---- the frame ---- */

double form_width(enum chart_form form) { return form == CHART_NARROW ? 360 : 720; }

/* Where the first line of a heading ends when it needs two; 0: one line. */
static size_t heading_break(const char *title, double width)
{
    size_t at = 0;
    char part[256];
    if (text_width(title, 16) <= width)
        return 0;
    for (size_t i = 0; title[i] && i < sizeof(part) - 1; i++)
        if (title[i] == ' ') {
            snprintf(part, sizeof(part), "%.*s", (int)i, title);
            if (text_width(part, 16) <= width)
                at = i;
        }
    return at;
}

double head_height(enum chart_form form, const char *title) { return !title ? 4 : heading_break(title, form_width(form) - 8) ? 46 : 28; }

double open_svg(struct buf *b, enum chart_form form, double height, const char *title)
{
    const double width = form_width(form);
    const char *cls = form == CHART_WIDE ? " wide" : form == CHART_NARROW ? " narrow" : "";
    buf_printf(b, "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"chart%s\" viewBox=\"0 0 %.0f %.0f\"", cls, width, height);
    if (form == CHART_FILE)
        buf_printf(b, " width=\"%.0f\" height=\"%.0f\"", width, height);
    buf_puts(b, " role=\"img\">\n");
    if (title) {
        buf_puts(b, "<title>");
        chart_put_text(b, title);
        buf_puts(b, "</title>\n");
    }
    if (form == CHART_FILE)
        buf_printf(b, "<style>%s</style>\n<rect class=\"ground\" width=\"%.0f\" height=\"%.0f\"/>\n", chart_css, width, height);
    if (title) {
        const size_t at = heading_break(title, width - 8);
        char first[256];
        if (at) {
            snprintf(first, sizeof(first), "%.*s", (int)at, title);
            put_text(b, 4, 18, "h", first);
            put_text_cut(b, 4, 36, "h", title + at + 1, width - 8, 16);
        } else
            put_text_cut(b, 4, 18, "h", title, width - 8, 16);
    }
    return head_height(form, title);
}

void put_dot(struct buf *b, int series, double x, double y, double r)
{
    const int c = series % 8;
    switch (series % 4) {
    case 0: buf_printf(b, "<circle class=\"p f%d\" cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\"/>", c, x, y, r); break;
    case 1: buf_printf(b, "<rect class=\"p f%d\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>", c, x - r * 0.9, y - r * 0.9, r * 1.8, r * 1.8); break;
    case 2: buf_printf(b, "<path class=\"p f%d\" d=\"M%.1f %.1fl%.1f %.1fh%.1fz\"/>", c, x, y - r * 1.2, r * 1.2, r * 2.1, -r * 2.4); break;
    default:
        buf_printf(b, "<path class=\"p f%d\" d=\"M%.1f %.1fl%.1f %.1fl%.1f %.1fl%.1f %.1fz\"/>", c, x, y - r * 1.3, r * 1.3, r * 1.3, -r * 1.3, r * 1.3,
                   -r * 1.3, -r * 1.3);
    }
}

double put_legend(struct buf *b, const struct key *k, int n, double y, double width)
{
    double x = 4;
    int rows = 0;
    for (int i = 0; i < n; i++) {
        if (!k[i].name || !k[i].name[0])
            continue;
        const double w = 30 + fmin(text_width(k[i].name, 12), width - 38) + 14;
        if (rows == 0)
            rows = 1;
        else if (x + w > width)
            rows++, x = 4;
        if (b) {
            const double cy = y + rows * LEGEND_LINE - 10;
            if (k[i].is_box)
                buf_printf(b, "<rect class=\"f%d\" x=\"%.1f\" y=\"%.1f\" width=\"14\" height=\"11\"/>\n", k[i].series % 8, x + 6, cy - 6);
            if (k[i].has_line)
                buf_printf(b, "<path class=\"l s%d%s\" d=\"M%.1f %.1fh24\"/>\n", k[i].series % 8, k[i].is_dashed ? " d" : "", x, cy);
            if (k[i].has_dots) {
                put_dot(b, k[i].series, x + 12, cy, 4);
                buf_puts(b, "\n");
            }
            put_text_cut(b, x + 30, cy + 4, "s", k[i].name, width - 38, 12);
        }
        x += w;
    }
    return rows ? rows * LEGEND_LINE + 6 : 0;
}
