/* site/draw_html.c - one HTML file around the pictures: tabs, zoom, search, details; topology.js and topology.css are its inside.
 *
 * For:     draw_html() and its kin.
 * Rule:    nothing from elsewhere is loaded; the script and the style are constant, so their hashes stand in the policy; data is JSON
 *          in which no '<' is left.
 */
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "site/draw_html_internal.h"
#include "site/draw_internal.h"

__asm__(".section .rodata\n.global tutti_topology_js\ntutti_topology_js:\n.incbin \"src/site/topology.js\"\n.byte 0\n"
        ".global tutti_topology_css\ntutti_topology_css:\n.incbin \"src/site/topology.css\"\n.byte 0\n.previous\n");

enum { JSON_MAX = 64 << 20, STYLE_MAX = 1 << 16 };

static void put_style(struct buf *b)
{
    buf_puts(b, tutti_topology_css);
    buf_puts(b, draw_css);
}

static void put_head(struct buf *b, const char *title, bool is_served, const char *first)
{
    buf_puts(b, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                "<link rel=\"icon\" href=\"data:,\">\n<title>");
    ink_escape(b, title);
    buf_puts(b, "</title>\n<style>");
    put_style(b);
    buf_printf(b, "</style>\n</head>\n<body data-served=\"%d\" data-first=\"%s\">\n<header>\n<b>tutti</b>\n<nav role=\"tablist\" aria-label=\"Pictures\">", is_served, first);
    static const char *const names[DRAW_WHAT_COUNT] = { "Topology", "Experts", "Cascade" };
    for (int w = 0; w < DRAW_WHAT_COUNT; w++)
        buf_printf(b, "<button role=\"tab\" aria-selected=\"false\" data-what=\"%s\">%s</button>", draw_what_name((enum draw_what)w), names[w]);
    buf_puts(b, "</nav>\n<span id=\"status\" role=\"status\"></span>\n<div class=\"tools\"><input id=\"q\" type=\"search\" placeholder=\"Search\" aria-label=\"Search\" autocomplete=\"off\">"
                "<button id=\"out\" aria-label=\"Zoom out\">\xe2\x88\x92</button><button id=\"in\" aria-label=\"Zoom in\">+</button><button id=\"fit\" aria-label=\"Put everything back\">Fit</button></div>\n"
                "</header>\n<main>\n");
}

static void put_tail(struct buf *b)
{
    buf_puts(b, "<script>");
    buf_puts(b, tutti_topology_js);
    buf_puts(b, "</script>\n</body>\n</html>\n");
}

/* As JSON with every < written as \u003c: it cannot end the element that it stands in. */
static void put_data(struct buf *b, const struct draw *d)
{
    struct buf json;
    buf_init(&json, JSON_MAX);
    draw_put_json(&json, d);
    b->failed |= json.failed;
    buf_puts(b, "<script type=\"application/json\" id=\"data\">");
    for (const char *p = json.data ? json.data : "{}"; *p;) {
        const size_t n = strcspn(p, "<");
        buf_append(b, p, n);
        p += n;
        if (*p == '<')
            buf_puts(b, "\\u003c"), p++;
    }
    buf_puts(b, "</script>\n");
    buf_fini(&json);
}

static bool put_figures(struct buf *b, const struct draw *d, enum draw_what first, struct err *err)
{
    for (int w = 0; w < DRAW_WHAT_COUNT; w++) {
        const enum draw_what what = (enum draw_what)w;
        if (!draw_has(d, what))
            continue;
        buf_printf(b, "<section data-what=\"%s\"%s>\n", draw_what_name(what), what == first ? "" : " hidden");
        if (!draw_svg(b, d, what, DRAW_WIDE, err) || !draw_svg(b, d, what, DRAW_NARROW, err))
            return false;
        buf_puts(b, "</section>\n");
    }
    return true;
}

static const char aside[] = "<aside hidden aria-label=\"Details\"></aside>\n";

bool draw_html(struct buf *b, const struct draw *d, enum draw_what first, bool is_served, struct err *err)
{
    if (!draw_has(d, first))
        first = DRAW_TOPOLOGY;
    put_head(b, d->title, is_served, draw_what_name(first));
    if (!put_figures(b, d, first, err))
        return false;
    buf_puts(b, "</main>\n");
    buf_puts(b, aside);
    put_data(b, d);
    put_tail(b);
    return buf_ok(b, "page", err);
}

bool draw_html_locked(struct buf *b, struct err *err)
{
    put_head(b, "tutti", true, draw_what_name(DRAW_TOPOLOGY));
    buf_puts(b, "<form id=\"key\"><label for=\"k\">This node wants a key.</label><input id=\"k\" type=\"password\" autocomplete=\"current-password\"><button>Show the cluster</button></form>\n</main>\n");
    buf_puts(b, aside);
    put_tail(b);
    return buf_ok(b, "page", err);
}

bool draw_html_part(struct buf *b, const struct draw *d, struct err *err)
{
    if (!put_figures(b, d, DRAW_TOPOLOGY, err))
        return false;
    put_data(b, d);
    return buf_ok(b, "page", err);
}

static bool hash(const char *text, size_t n, char out[64])
{
    unsigned char digest[32];
    unsigned len = 0;
    if (!EVP_Digest(text, n, digest, &len, EVP_sha256(), NULL) || len != sizeof(digest))
        return false;
    EVP_EncodeBlock((unsigned char *)out, digest, sizeof(digest));
    return true;
}

bool draw_html_policy(char *out, size_t max)
{
    struct buf style;
    char script_hash[64], style_hash[64];
    buf_init(&style, STYLE_MAX);
    put_style(&style);
    const bool ok = !style.failed && hash(style.data, style.len, style_hash) && hash(tutti_topology_js, strlen(tutti_topology_js), script_hash);
    buf_fini(&style);
    return ok && snprintf(out, max,
                          "default-src 'none'; script-src 'sha256-%s'; style-src 'sha256-%s'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
                          script_hash, style_hash) < (int)max;
}
