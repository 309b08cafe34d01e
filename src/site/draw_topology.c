/* site/draw_topology.c - machines around their switch: the head above it, the others in columns below, each on a line of its own.
 *
 * For:     draw_svg().  Start at draw_topology().
 * Rule:    cards are laid out in the order of kind (arm64 before amd64, boards together) and as evenly as columns allow; nothing overlaps by
 *          construction: a column is a rail for the lines, then the cards.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <stdio.h>

#include "site/draw_internal.h"

enum { MARGIN = 24, PAD = 14, GAP = 16, COLUMN_GAP = 26, BAR_H = 46, PILLS_MAX = 12 /* of a device; the rest is a number */ };

struct span {
    int first, n; /* a node's experts: d->experts[first .. first+n) */
};
struct layout {
    const struct draw *d;
    enum draw_form form;
    struct span *span;  /* [n_nodes] */
    int *order;         /* workers */
    double *height;     /* [n_nodes] */
    int n_workers, head; /* head -1: none */
    int n_columns;
    int column_of[12];  /* first worker of a column; [n_columns] is the end */
    double w, card_w, rail_w;
};

/* ---- a card ---- */

/* A chip with legs, 14 wide. */
static void put_chip(struct buf *b, enum draw_chip c, double x, double y)
{
    buf_printf(b, "<path class=\"chip\" d=\"M%.1f %.1fh9v9h-9zM%.1f %.1fv-2m3 2v-2m3 2v-2m-6 13v-2m3 2v-2m3 2v-2m-7.5 -7.5h-2m2 3h-2m2 3h-2m13 -6h-2m2 3h-2m2 3h-2\"/>", x + 2.5, y + 2.5,
               x + 4, y + 2.5);
    if (c != DRAW_CPU)
        ink_rect(b, "die", x + 5, y + 5, 4, 4, 1);
}

/* Draws or (b NULL) measures the pills of the experts of one device; returns their height. */
static double put_pills(struct buf *b, const struct draw *d, struct span s, int device, double x, double y, double w)
{
    double at_x = x, at_y = y;
    int n = 0, n_all = 0;
    for (int i = s.first; i < s.first + s.n; i++)
        n_all += d->experts[i].device == device;
    for (int i = s.first; i < s.first + s.n; i++) {
        if (d->experts[i].device != device)
            continue;
        if (n == PILLS_MAX - 1 && n_all > PILLS_MAX) {
            char more[32];
            snprintf(more, sizeof(more), "and %d more", n_all - n);
            if (at_x > x && at_x + ink_width(more, font_small.px, false) > x + w)
                at_x = x, at_y += PILL_H + 5;
            if (b)
                ink_text(b, at_x + 2, at_y + 15, 'l', font_small, more, w);
            break;
        }
        const double one = svg_pill(NULL, d, i, 0, 0, w);
        if (at_x > x && at_x + one > x + w)
            at_x = x, at_y += PILL_H + 5;
        if (b)
            svg_pill(b, d, i, at_x, at_y, w);
        at_x += one + 5;
        n++;
    }
    return n ? at_y - y + PILL_H : 0;
}

static bool has_experts(const struct draw *d, struct span s, int device)
{
    for (int i = s.first; i < s.first + s.n; i++)
        if (d->experts[i].device == device)
            return true;
    return false;
}

/* A device with its experts in a well; a CPU that has none is left out when there is something else. */
static double put_device(struct buf *b, const struct draw *d, const struct draw_node *n, struct span s, int k, double x, double y, double w)
{
    const bool has = has_experts(d, s, k);
    if (k >= 0 && n->devices[k].chip == DRAW_CPU && !has && n->n_devices > 1)
        return 0;
    if (k < 0 && !has)
        return 0;
    const double pills = put_pills(NULL, d, s, k, 0, 0, w - 20), head = k >= 0 ? 26 : 8, h = head + (pills > 0 ? pills + 10 - (k >= 0 ? 2 : 0) : 2);
    if (b) {
        ink_rect(b, "well", x, y, w, h, 7);
        if (k >= 0) {
            put_chip(b, n->devices[k].chip, x + 9, y + 6);
            char name[DRAW_WORDS * 2];
            ink_text(b, x + 30, y + 17, 'l', font_small, words_device(name, n->devices[k].name), w - 40);
        }
        put_pills(b, d, s, k, x + 10, y + head, w - 20);
    }
    return h;
}

/* A text that the page keeps up to date: `what` is its name in /topology.json. */
static void put_live(struct buf *b, const char *what, double x, double y, char side, struct ink_font f, const char *text, double w)
{
    buf_printf(b, "<g data-v=\"%s\" data-max=\"%.1f\">", what, w);
    ink_text(b, x, y, side, f, text, w);
    buf_puts(b, "</g>\n");
}

/* The card of node i; b NULL: measures only.  Returns its height. */
static double put_card(struct buf *b, const struct layout *l, int i, double x, double y, double w)
{
    const struct draw *d = l->d;
    const struct draw_node *n = &d->nodes[i];
    const double inner = w - 2 * PAD;
    char words[160], a[DRAW_WORDS], c[DRAW_WORDS], mem[2 * DRAW_WORDS + 8] = "";
    double at = y + 56;
    words_node(words, sizeof(words), n);
    if (n->mem_bytes > 0)
        snprintf(mem, sizeof(mem), "%s of %s", words_bytes(a, (double)n->used_bytes), words_bytes(c, (double)n->mem_bytes));
    if (b) {
        buf_printf(b, "<g class=\"node %s%s\" data-n=\"%d\">\n", n->state, i == l->head ? " head" : "", i);
        ink_rect(b, "card", x + 0.5, y + 0.5, w - 1, l->height[i] - 1, 10);
        const double tag = *n->arch ? fmin(ink_width(n->arch, font_small.px, false) + 1, 70) + 14 : 0;
        const double dot = *n->state ? 16 : 0;
        if (dot > 0)
            buf_printf(b, "<circle class=\"dot\" cx=\"%.1f\" cy=\"%.1f\" r=\"5\"/>", x + PAD + 5, y + 22);
        ink_text(b, x + PAD + dot, y + 27, 'l', font_name, n->name, inner - tag - dot - 8);
        if (tag > 0) {
            ink_rect(b, "tag", x + w - PAD - tag + 0.5, y + 13.5, tag - 1, 18, 9);
            ink_text(b, x + w - PAD - tag / 2, y + 26, 'm', font_small, n->arch, tag - 14);
        }
        char sub[300];
        words_sub(sub, sizeof(sub), n);
        put_live(b, "sub", x + PAD, y + 46, 'l', font_text, sub, inner);
    }
    const bool is_live = *n->state != 0; /* then the line may grow: it has a row of its own */
    if (n->mem_bytes > 0) {
        const double frac = fmin((double)n->used_bytes / (double)n->mem_bytes, 1);
        if (b) {
            ink_rect(b, "bar", x + PAD, at + 1, inner, 5, 2.5);
            buf_printf(b, "<g data-v=\"fill\" data-max=\"%.1f\">", inner);
            ink_rect(b, "fill", x + PAD, at + 1, frac > 0 ? fmax(inner * frac, 5) : 0, 5, 2.5);
            buf_puts(b, "</g>\n");
        }
        at += 8;
    }
    if (*mem || *words || is_live) {
        double left = 0;
        if (b && *mem) {
            put_live(b, "memory", x + PAD, at + 14, 'l', font_small, mem, inner);
            left = ink_width(mem, font_small.px, false) + 12;
        }
        if (is_live && *mem)
            at += 18, left = 0;
        if (b && inner - left > 40)
            put_live(b, "line", is_live || !*mem ? x + PAD : x + w - PAD, at + 14, is_live || !*mem ? 'l' : 'r', font_small, words, inner - left);
        at += 24;
    }
    for (int k = -1; k < n->n_devices; k++) {
        const double h = put_device(b, d, n, l->span[i], k, x + PAD - 4, at, inner + 8);
        at += h > 0 ? h + 6 : 0;
    }
    if (b)
        buf_puts(b, "</g>\n");
    return at - y + 6;
}

/* ---- who stands where ---- */

struct worker {
    const struct draw_node *n;
    int at;
};
static int compare_workers(const void *a, const void *b)
{
    const struct worker *x = a, *y = b;
    int c = -strcmp(x->n->arch, y->n->arch); /* arm64 first: they are the many */
    if (!c)
        c = strcmp(x->n->board, y->n->board);
    return c ? c : x->at - y->at;
}

/* Into how many columns no higher than `most` the workers go; the columns' first workers where there is room for them. */
static int fill_columns(struct layout *l, double most)
{
    int n = 0;
    double h = 0;
    for (int k = 0; k < l->n_workers; k++) {
        const double one = l->height[l->order[k]] + GAP;
        if (k == 0 || h + one > most) {
            if (n < (int)(sizeof(l->column_of) / sizeof(l->column_of[0])) - 1)
                l->column_of[n] = k;
            n++;
            h = 0;
        }
        h += one;
    }
    return n;
}

static void balance(struct layout *l)
{
    double low = 0, high = 0;
    for (int k = 0; k < l->n_workers; k++) {
        const double one = l->height[l->order[k]] + GAP;
        low = fmax(low, one), high += one;
    }
    for (int round = 0; round < 40; round++) { /* the lowest height that is enough */
        const double mid = (low + high) / 2;
        if (fill_columns(l, mid) <= l->n_columns)
            high = mid;
        else
            low = mid;
    }
    l->n_columns = fill_columns(l, high);
    l->column_of[l->n_columns] = l->n_workers;
}

static bool prepare(struct layout *l, struct err *err)
{
    const struct draw *d = l->d;
    struct worker *list = arena_alloc(d->arena, (size_t)d->n_nodes, sizeof(*list), err);
    l->span = arena_alloc(d->arena, (size_t)d->n_nodes, sizeof(*l->span), err);
    l->order = arena_alloc(d->arena, (size_t)d->n_nodes, sizeof(*l->order), err);
    l->height = arena_alloc(d->arena, (size_t)d->n_nodes, sizeof(*l->height), err);
    if (!list || !l->span || !l->order || !l->height)
        return false;
    for (int i = 0; i < d->n_experts; i++) {
        struct span *s = &l->span[d->experts[i].node];
        if (s->n == 0)
            s->first = i;
        s->n++;
    }
    l->head = -1;
    for (int i = 0; i < d->n_nodes; i++) {
        if (d->nodes[i].is_head && l->head < 0)
            l->head = i;
        else
            list[l->n_workers] = (struct worker){ &d->nodes[i], i }, l->n_workers++;
    }
    qsort(list, (size_t)l->n_workers, sizeof(*list), compare_workers);
    for (int k = 0; k < l->n_workers; k++)
        l->order[k] = list[k].at;
    const int n = l->n_workers;
    if (is_narrow(l->form)) {
        l->n_columns = 1, l->rail_w = 66, l->w = NARROW_W;
        l->card_w = l->w - 2 * 14 - l->rail_w;
    } else {
        l->n_columns = n <= 3 ? (n > 0 ? n : 1) : n == 4 ? 2 : n <= 9 ? 3 : n <= 60 ? 4 : 8;
        l->rail_w = 92;
        l->card_w = n > 60 ? 230 : 262;
    }
    for (int i = 0; i < d->n_nodes; i++)
        l->height[i] = put_card(NULL, l, i, 0, 0, i == l->head && !is_narrow(l->form) ? 330 : i == l->head ? NARROW_W - 28 : l->card_w);
    if (n > 0)
        balance(l);
    if (!is_narrow(l->form))
        l->w = fmax(2 * MARGIN + l->n_columns * (l->rail_w + l->card_w) + (l->n_columns - 1) * COLUMN_GAP, 900);
    return true;
}

/* ---- the lines ---- */

struct line {
    double x0, y0, x1, y1;
};

static void put_link(struct buf *b, const struct draw *d, int i, struct line at, bool is_straight)
{
    const struct draw_node *n = &d->nodes[i];
    buf_printf(b, "<path class=\"k%s\" data-k=\"%d\" stroke-width=\"%.1f\" d=\"", n->is_wifi ? " wifi" : "", i, svg_line_px(n->link_gbit_s));
    if (is_straight)
        buf_printf(b, "M%.1f %.1fV%.1f", at.x0, at.y0, at.y1);
    else if (at.y0 == at.y1)
        buf_printf(b, "M%.1f %.1fH%.1f", at.x0, at.y0, at.x1);
    else
        ink_elbow(b, at.x0, at.y0, at.x1, at.y1, 9);
    buf_puts(b, "\"/>\n");
}

/* What a line carries, in a few letters. */
static const char *link_words(char out[DRAW_WORDS], const struct draw_node *n)
{
    return n->link_gbit_s > 0 ? words_gbit(out, n->link_gbit_s) : n->rtt_s > 0 ? words_time(out, n->rtt_s) : "";
}

/* No cable: a mark of waves and a dotted line. */
static void put_wifi(struct buf *b, const struct draw *d, int i, const char *speed, double y, double card_x)
{
    const double c = card_x - 36;
    buf_printf(b, "<path class=\"wave\" d=\"M%.1f %.1fa7 7 0 0 1 10 0M%.1f %.1fa11 11 0 0 1 15.6 0\"/><circle class=\"tip\" cx=\"%.1f\" cy=\"%.1f\" r=\"1.8\"/>\n", c - 5, y + 1, c - 7.8,
               y - 3, c, y + 5);
    put_link(b, d, i, (struct line){ c + 12, y, card_x, y }, false);
    ink_text(b, card_x - 6, y - 14, 'r', font_label, speed, 0);
}

/* The workers of one column and their lines, each of its own: the uppermost is the rightmost, so none crosses another. */
static double put_column(struct buf *b, const struct layout *l, int column, double x, double bar_y, double y)
{
    const struct draw *d = l->d;
    char w[DRAW_WORDS];
    const int first = l->column_of[column], n = l->column_of[column + 1] - first;
    int n_wired = 0;
    for (int k = 0; k < n; k++)
        n_wired += !d->nodes[l->order[first + k]].is_wifi;
    const double room = is_narrow(l->form) ? 9 : 20, step = n_wired > 1 ? fmin(7, room / (n_wired - 1)) : 0, first_x = x + (is_narrow(l->form) ? 5 : 10);
    double at = y;
    for (int k = 0, left = n_wired - 1; k < n; k++) {
        const int i = l->order[first + k];
        if (!d->nodes[i].is_wifi) {
            const double port = first_x + left * step;
            put_link(b, d, i, (struct line){ port, bar_y + BAR_H, x + l->rail_w, at + 22 }, false);
            if (step >= 5 || left == 0 || left == n_wired - 1)
                ink_rect(b, "port", port - 3, bar_y + BAR_H - 7, 6, 5, 1);
            left--;
        }
        at += l->height[i] + GAP;
    }
    at = y;
    for (int k = 0; k < n; k++) { /* words and cards over all lines */
        const int i = l->order[first + k];
        const double card_x = x + l->rail_w;
        const char *text = link_words(w, &d->nodes[i]);
        if (d->nodes[i].is_wifi)
            put_wifi(b, d, i, text, at + 22, card_x);
        else if (*text)
            ink_text(b, card_x - 6, at + 15, 'r', font_label, text, l->rail_w - 10);
        put_card(b, l, i, card_x, at, l->card_w);
        at += l->height[i] + GAP;
    }
    return at;
}

static void put_bar(struct buf *b, const struct draw *d, double x, double y, double w)
{
    char text[2 * DRAW_WORDS + 120], g[DRAW_WORDS];
    ink_rect(b, "net", x, y, w, BAR_H, 9);
    snprintf(text, sizeof(text), "%.100s%s%s%s", *d->net ? d->net : "network", d->net_gbit_s > 0 ? " \xc2\xb7 " : "", d->net_gbit_s > 0 ? words_gbit(g, d->net_gbit_s) : "",
             d->net_gbit_s > 0 ? " per port" : "");
    ink_text(b, x + w / 2, y + 28, 'm', (struct ink_font){ "t2 ni", 15, true }, text, w - 24);
}

/* The figures of the whole cluster, right of the head or under the title. */
static void put_totals(struct buf *b, const struct draw *d, double x, double y, double w)
{
    char a[DRAW_WORDS], text[2 * DRAW_WORDS];
    double at = y;
    if (isfinite(d->watts)) {
        snprintf(text, sizeof(text), "%s W", words_number(a, d->watts));
        ink_text(b, x + w, at, 'r', font_big, text, w);
        ink_text(b, x + w, at + 17, 'r', font_small, d->is_live ? "drawn now" : "all machines, on average", w);
        at += 48;
    }
    if (isfinite(d->usd_month)) {
        snprintf(text, sizeof(text), "USD %s", words_number(a, d->usd_month));
        ink_text(b, x + w, at, 'r', font_big, text, w);
        ink_text(b, x + w, at + 17, 'r', font_small, "of electricity a month", w);
    }
}

static bool wifi_or_speed(const struct draw *d)
{
    for (int i = 0; i < d->n_nodes; i++)
        if (d->nodes[i].link_gbit_s > 0)
            return true;
    return false;
}

bool draw_topology(struct buf *b, const struct draw *d, enum draw_form form, struct err *err)
{
    struct layout l = { .d = d, .form = form };
    char sum[160];
    if (!prepare(&l, err))
        return false;
    const bool slim = is_narrow(form);
    const double margin = slim ? 14 : MARGIN, head_w = slim ? l.w - 28 : 330, head_h = l.head >= 0 ? l.height[l.head] : 0;
    const double legend = svg_legend(NULL, d, 0, 0, l.w - 2 * margin, false);
    double y = 84, most = 0;
    const bool has_bar = l.n_workers > 0 || *d->net; /* one machine alone has no network to show */
    const double head_y = y, bar_y = l.head >= 0 ? y + head_h + 44 : y, cards_y = bar_y + BAR_H + 30;
    for (int c = 0; l.n_workers > 0 && c < l.n_columns; c++) {
        double h = 0;
        for (int k = l.column_of[c]; k < l.column_of[c + 1]; k++)
            h += l.height[l.order[k]] + GAP;
        most = fmax(most, h);
    }
    const double foot_y = l.n_workers > 0 ? cards_y + most + 6 : has_bar ? bar_y + BAR_H + 20 : head_y + head_h + 24, height = foot_y + legend + 32;
    svg_open(b, d, DRAW_TOPOLOGY, form, l.w, height);
    words_sum(sum, sizeof(sum), d);
    svg_head(b, d, sum, l.w);
    buf_printf(b, "<g class=\"links\">\n");
    if (l.head >= 0 && has_bar) {
        const double x = l.w / 2;
        put_link(b, d, l.head, (struct line){ x, head_y + head_h, x, bar_y }, true);
        char w[DRAW_WORDS];
        const char *text = d->is_live ? "" : link_words(w, &d->nodes[l.head]);
        if (*text)
            ink_text(b, x + 12, bar_y - 18, 'l', font_label, text, 0);
    }
    buf_puts(b, "</g>\n");
    if (has_bar)
        put_bar(b, d, margin, bar_y, l.w - 2 * margin);
    if (l.head >= 0)
        put_card(b, &l, l.head, (l.w - head_w) / 2, head_y, head_w);
    if (!slim && l.w >= 800 && l.head >= 0)
        put_totals(b, d, l.w - margin - 200, head_y + 14, 200);
    const double inner = l.n_columns * (l.rail_w + l.card_w) + (l.n_columns - 1) * COLUMN_GAP;
    for (int c = 0; l.n_workers > 0 && c < l.n_columns; c++)
        put_column(b, &l, c, (slim ? margin : (l.w - inner) / 2) + c * (l.rail_w + l.card_w + COLUMN_GAP), bar_y, cards_y);
    svg_legend(b, d, margin, foot_y, l.w - 2 * margin, false);
    const char *note = d->is_live ? "measured now" : wifi_or_speed(d) ? "estimates of the plan; lines are as wide as the link is fast" : "estimates of the plan";
    ink_text(b, margin, height - 14, 'l', font_small, note, l.w - 2 * margin);
    buf_puts(b, "</svg>\n");
    return true;
}
