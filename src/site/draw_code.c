/* site/draw_code.c - the same pictures as code: Graphviz dot and Mermaid flowcharts, for documents that draw themselves.
 *
 * For:     draw_dot(), draw_mermaid().
 * Rule:    ids are ours (n0, e3): names are only ever inside quoted labels, escaped.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "site/draw_internal.h"

enum lang { DOT, MERMAID };

static const char *const fills[ROUTE_CLASS_COUNT] = { "#e8f1fb", "#fcefe6", "#e6f5ee", "#f6ebf9", "#f9f2de" };
static const char *const strokes[ROUTE_CLASS_COUNT] = { "#0a5fb5", "#b0440a", "#0b7247", "#8437a0", "#7c5c00" };

/* A label's text.  Mermaid reads #x; codes and no quotes; letters, digits and a few signs are safe in both, the rest is written as a code or \. */
static void put_label(struct buf *b, enum lang l, const char *s)
{
    struct buf one;
    buf_init(&one, 1 << 16);
    ink_escape(&one, s); /* what no picture may hold is gone; then entities back to one form */
    for (const char *p = one.data ? one.data : ""; *p; p++) {
        if (*p == '&') { /* of ink_escape(): &amp; &lt; &gt; &quot; &#39; */
            const size_t n = strcspn(p, ";");
            if (l == DOT)
                buf_append(b, p, n + 1); /* Graphviz reads XML entities */
            else if (strncmp(p, "&#39;", 5) == 0)
                buf_puts(b, "#39;");
            else {
                buf_putc(b, '#');
                buf_append(b, p + 1, n);
            }
            p += n;
        } else if (l == DOT && *p == '\\')
            buf_puts(b, "\\\\");
        else if (l == MERMAID && strchr("#;`\\[](){}|", *p))
            buf_printf(b, "#%d;", *p);
        else
            buf_putc(b, *p);
    }
    buf_fini(&one);
}

static const char *line_break(enum lang l) { return l == DOT ? "\\n" : "<br/>"; }

/* id["first<br/>second"] */
static void put_vertex(struct buf *b, enum lang l, const char *prefix, int id, const char *const *lines, int n, const char *shape)
{
    buf_printf(b, l == DOT ? "    %s%d [label=\"" : "    %s%d[\"", prefix, id);
    for (int i = 0, k = 0; i < n; i++)
        if (*lines[i]) {
            if (k++)
                buf_puts(b, line_break(l));
            put_label(b, l, lines[i]);
        }
    buf_puts(b, l == DOT ? "\"" : "\"]");
    if (l == DOT)
        buf_printf(b, "%s]", shape);
    buf_putc(b, '\n');
}

static void put_color(struct buf *b, enum lang l, const char *prefix, int id, enum route_class c)
{
    if (l == DOT)
        buf_printf(b, "    %s%d [style=\"filled,rounded\", fillcolor=\"%s\", color=\"%s\"]\n", prefix, id, fills[c], strokes[c]);
    else
        buf_printf(b, "    class %s%d %s\n", prefix, id, words_class(c));
}

static void put_edge(struct buf *b, enum lang l, const char *from, const char *to, const char *label, double px, bool is_directed)
{
    if (l == DOT) {
        buf_printf(b, "    %s -> %s [dir=%s", from, to, is_directed ? "forward" : "none");
        if (*label) {
            buf_puts(b, ", label=\"");
            put_label(b, l, label);
            buf_puts(b, "\"");
        }
        buf_printf(b, ", penwidth=%.1f]\n", px);
        return;
    }
    buf_printf(b, "    %s %s", from, is_directed ? "-->" : "---");
    if (*label) {
        buf_puts(b, "|\"");
        put_label(b, l, label);
        buf_puts(b, "\"|");
    }
    buf_printf(b, " %s\n", to);
}

static void topology(struct buf *b, enum lang l, const struct draw *d)
{
    char from[24], to[24], w[DRAW_WORDS], chip[160];
    put_vertex(b, l, "net", 0, (const char *const[]){ *d->net ? d->net : "network", d->net_gbit_s > 0 ? words_gbit(w, d->net_gbit_s) : "" }, 2, ", shape=box, style=filled, fillcolor=\"#27364b\", fontcolor=white");
    for (int i = 0, e = 0; i < d->n_nodes; i++) {
        const struct draw_node *n = &d->nodes[i];
        buf_printf(b, l == DOT ? "    subgraph cluster_n%d { label=\"" : "    subgraph g%d[\"", i);
        put_label(b, l, n->name);
        if (*n->kind) {
            buf_puts(b, line_break(l));
            put_label(b, l, n->kind);
        }
        buf_puts(b, l == DOT ? "\"; style=rounded; color=\"#7b8aa0\";\n" : "\"]\n");
        snprintf(chip, sizeof(chip), "%s%s%s", n->arch, *n->arch && *n->address ? ", " : "", n->address);
        put_vertex(b, l, "n", i, (const char *const[]){ n->is_head ? "head node" : "node", chip }, 2, ", shape=box");
        for (int k = 0; k < n->n_devices; k++) {
            if (n->devices[k].chip != DRAW_CPU) {
                char id[24];
                snprintf(id, sizeof(id), "d%d_", i);
                put_vertex(b, l, id, k, &n->devices[k].name, 1, ", shape=component");
                snprintf(from, sizeof(from), "n%d", i), snprintf(to, sizeof(to), "d%d_%d", i, k);
                put_edge(b, l, from, to, "", 1, false);
            }
        }
        for (; e < d->n_experts && d->experts[e].node == i; e++) {
            const struct draw_expert *x = &d->experts[e];
            const bool has_device = x->device >= 0 && x->device < n->n_devices && n->devices[x->device].chip != DRAW_CPU;
            put_vertex(b, l, "e", e, (const char *const[]){ x->name }, 1, ", shape=box");
            put_color(b, l, "e", e, x->cls);
            if (has_device)
                snprintf(from, sizeof(from), "d%d_%d", i, x->device);
            else
                snprintf(from, sizeof(from), "n%d", i);
            snprintf(to, sizeof(to), "e%d", e);
            put_edge(b, l, from, to, "", 1, false);
        }
        buf_puts(b, l == DOT ? "    }\n" : "    end\n");
        snprintf(from, sizeof(from), n->is_head ? "n%d" : "net0", i), snprintf(to, sizeof(to), n->is_head ? "net0" : "n%d", i);
        put_edge(b, l, from, to, n->is_wifi ? "Wi-Fi" : n->link_gbit_s > 0 ? words_gbit(w, n->link_gbit_s) : "", svg_line_px(n->link_gbit_s), false);
    }
}

static void experts(struct buf *b, enum lang l, const struct draw *d)
{
    char from[24], to[24], w[DRAW_WORDS];
    put_vertex(b, l, "gate", 0, (const char *const[]){ "gate" }, 1, ", shape=box, style=filled, fillcolor=\"#27364b\", fontcolor=white");
    for (int i = 0; i < d->n_wants; i++) {
        const struct draw_want *e = &d->wants[i];
        put_vertex(b, l, "w", i, (const char *const[]){ e->name, e->task, e->model }, 3, ", shape=box");
        put_color(b, l, "w", i, e->cls);
        snprintf(to, sizeof(to), "w%d", i);
        put_edge(b, l, "gate0", to, isfinite(e->per_hour) && e->per_hour > 0 ? words_rate(w, e->per_hour) : "", 1.5, true);
        if (e->n_missing > 0) {
            put_vertex(b, l, "x", i, (const char *const[]){ "no place", e->why }, 2, ", shape=box, style=dashed, color=\"#b3261e\"");
            snprintf(from, sizeof(from), "w%d", i), snprintf(to, sizeof(to), "x%d", i);
            put_edge(b, l, from, to, "", 1, true);
        }
    }
    for (int i = 0; i < d->n_nodes; i++)
        put_vertex(b, l, "n", i, &d->nodes[i].name, 1, ", shape=box");
    for (int e = 0; e < d->n_experts; e++)
        for (int i = 0; i < d->n_wants; i++)
            if (strcmp(d->wants[i].name, d->experts[e].name) == 0) {
                snprintf(from, sizeof(from), "w%d", i), snprintf(to, sizeof(to), "n%d", d->experts[e].node);
                put_edge(b, l, from, to, isfinite(d->experts[e].share) ? words_share(w, d->experts[e].share) : "", 1.2, true);
                break;
            }
}

static void cascade(struct buf *b, enum lang l, const struct draw *d)
{
    char from[24], to[24], gate[200];
    for (int i = 0; i < d->n_boxes; i++) {
        const struct draw_flow_box *k = &d->boxes[i];
        put_vertex(b, l, "b", i, (const char *const[]){ k->name, k->experts, k->where, k->kind == DRAW_STAGE ? "" : k->how }, 4, ", shape=box");
        if (k->kind == DRAW_STAGE)
            put_color(b, l, "b", i, k->cls);
        snprintf(gate, sizeof(gate), "%.180s", k->gate);
        for (int p = 0; p < i; p++)
            if (k->after & 1u << p) {
                snprintf(from, sizeof(from), "b%d", p), snprintf(to, sizeof(to), "b%d", i);
                put_edge(b, l, from, to, gate, 1.5, true);
                gate[0] = '\0'; /* said once */
            }
    }
}

static bool put(struct buf *b, const struct draw *d, enum draw_what what, enum lang l, struct err *err)
{
    if (!draw_has(d, what))
        return err_set(err, ERR_INPUT, "picture: there is no %s in '%.60s'", draw_what_name(what), d->title);
    if (l == DOT)
        buf_puts(b, "// tutti cluster draw; dot -Tsvg draws it\ndigraph tutti {\n    graph [rankdir=LR, fontname=\"Helvetica\", nodesep=0.25]\n    node [fontname=\"Helvetica\", fontsize=11]\n"
                    "    edge [fontname=\"Helvetica\", fontsize=10]\n");
    else
        buf_printf(b, "%%%% tutti cluster draw; paste it where Mermaid is understood\nflowchart %s\n", what == DRAW_CASCADE ? "TB" : "LR");
    if (l == MERMAID)
        for (int c = 0; c < ROUTE_CLASS_COUNT; c++)
            buf_printf(b, "    classDef %s fill:%s,stroke:%s,color:#18212f\n", words_class((enum route_class)c), fills[c], strokes[c]);
    (what == DRAW_TOPOLOGY ? topology : what == DRAW_EXPERTS ? experts : cascade)(b, l, d);
    if (l == DOT)
        buf_puts(b, "}\n");
    return buf_ok(b, "picture", err);
}

bool draw_dot(struct buf *b, const struct draw *d, enum draw_what what, struct err *err) { return put(b, d, what, DOT, err); }
bool draw_mermaid(struct buf *b, const struct draw *d, enum draw_what what, struct err *err) { return put(b, d, what, MERMAID, err); }
