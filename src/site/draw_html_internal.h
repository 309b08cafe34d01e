/* site/draw_html_internal.h - the page's script and style, which lie in the program (.incbin in draw_html.c).  For: site/ alone. */
#ifndef TUTTI_SITE_DRAW_HTML_INTERNAL_H
#define TUTTI_SITE_DRAW_HTML_INTERNAL_H
extern const char tutti_topology_js[], tutti_topology_css[]; /* '\0' behind them */
#endif
