/* site/draw_experts.c - the mixture of experts: what is asked, the gate, the experts, and where each of them lives.
 *
 * For:     draw_svg().  Start at draw_experts().
 * Rule:    a tree from left to right (narrow: from top to bottom), in the order of classes: no line crosses another.  Lines are as wide as
 *          what goes along them.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "site/draw_internal.h"

enum { PLACE_H = 46, PLACE_GAP = 8, EXPERT_H = 58, BLOCK_GAP = 18, PLACES_MAX = 12, PLACES_MIN = 4, ROWS = 40 /* of all places together, about */ };
enum { TASK_X = 24, TASK_W = 140, GATE_X = 226, GATE_W = 150, EXPERT_X = 456, EXPERT_W = 276, PLACE_X = 812, PLACE_W = 300, WIDE_W = 1136 };

struct block { /* one name with its replicas */
    int want;
    int *at, n;      /* replicas: experts of the picture */
    double y, h;
};
struct blocks {
    struct block *list;
    int n;
    double most;     /* requests an hour of the busiest */
    int n_places;    /* shown of each; the rest is a number */
};

struct sorted {
    const struct draw_want *w;
    int at;
};
static int compare(const void *a, const void *b)
{
    const struct sorted *x = a, *y = b;
    int c = (int)x->w->cls - (int)y->w->cls;
    if (!c)
        c = strcmp(x->w->task, y->w->task);
    return c ? c : x->at - y->at;
}

struct owned {
    const char *name;
    int at;
};
static int compare_names(const void *a, const void *b)
{
    const struct owned *x = a, *y = b;
    const int c = strcmp(x->name, y->name);
    return c ? c : x->at - y->at;
}

static bool collect(struct blocks *out, const struct draw *d, struct err *err)
{
    struct sorted *s = arena_alloc(d->arena, (size_t)d->n_wants, sizeof(*s), err);
    struct owned *o = arena_alloc(d->arena, (size_t)d->n_experts, sizeof(*o), err);
    int *at = arena_alloc(d->arena, (size_t)d->n_experts, sizeof(*at), err);
    out->list = arena_alloc(d->arena, (size_t)d->n_wants, sizeof(*out->list), err);
    if (!s || !o || !at || !out->list)
        return false;
    for (int i = 0; i < d->n_experts; i++)
        o[i] = (struct owned){ d->experts[i].name, i };
    qsort(o, (size_t)d->n_experts, sizeof(*o), compare_names);
    for (int i = 0; i < d->n_experts; i++)
        at[i] = o[i].at;
    for (int i = 0; i < d->n_wants; i++)
        s[i] = (struct sorted){ &d->wants[i], i };
    qsort(s, (size_t)d->n_wants, sizeof(*s), compare);
    out->n = d->n_wants;
    out->n_places = d->n_wants > 0 ? ROWS / d->n_wants : 0;
    out->n_places = out->n_places < PLACES_MIN ? PLACES_MIN : out->n_places > PLACES_MAX ? PLACES_MAX : out->n_places;
    for (int i = 0; i < d->n_wants; i++) {
        int low = 0, high = d->n_experts;
        while (low < high) {
            const int mid = (low + high) / 2;
            if (strcmp(o[mid].name, s[i].w->name) < 0)
                low = mid + 1;
            else
                high = mid;
        }
        int n = 0;
        while (low + n < d->n_experts && strcmp(o[low + n].name, s[i].w->name) == 0)
            n++;
        out->list[i] = (struct block){ .want = s[i].at, .at = at + low, .n = n };
        if (isfinite(s[i].w->per_hour))
            out->most = fmax(out->most, s[i].w->per_hour);
    }
    return true;
}

static int n_rows(const struct draw *d, const struct blocks *all, const struct block *k)
{
    const int n = (k->n > all->n_places ? all->n_places : k->n) + (d->wants[k->want].n_missing > 0);
    return n > 0 ? n : 1;
}

static double flow_px(const struct blocks *k, double per_hour, double share)
{
    const double v = isfinite(per_hour) && k->most > 0 ? per_hour / k->most : 0.1;
    return 1.6 + 7 * sqrt(fmax(v, 0) * (isfinite(share) ? fmin(fmax(share, 0), 1) : 1));
}

static void put_flow(struct buf *b, enum route_class c, double px, double x0, double y0, double x1, double y1)
{
    const double m = (x0 + x1) / 2;
    buf_printf(b, "<path class=\"flow f%d\" stroke-width=\"%.1f\" d=\"M%.1f %.1fC%.1f %.1f %.1f %.1f %.1f %.1f\"/>\n", (int)c, px, x0, y0, m, y0, m, y1, x1, y1);
}

static void put_gate(struct buf *b, const struct draw *d, double x, double y, double w, double h)
{
    static const char *const goals[] = { "latency", "energy", "cost" };
    const double weight[] = { d->latency, d->energy, d->cost };
    char a[DRAW_WORDS], text[DRAW_WORDS + 24];
    ink_rect(b, "net", x, y, w, h, 12);
    const int n = (isfinite(d->latency) ? 1 : 0) + (isfinite(d->energy) ? 1 : 0) + (isfinite(d->cost) ? 1 : 0);
    double at = y + h / 2 - n * 8.5 + 6;
    ink_text(b, x + w / 2, at, 'm', (struct ink_font){ "t7 ni", 17, true }, "Gate", w - 16);
    at += 23;
    for (int i = 0; i < 3 && at < y + h - 6; i++)
        if (isfinite(weight[i])) {
            snprintf(text, sizeof(text), "%s %s", goals[i], words_share(a, weight[i]));
            ink_text(b, x + w / 2, at, 'm', (struct ink_font){ "t4 ni", 11.5, false }, text, w - 16);
            at += 17;
        }
}

static void put_expert(struct buf *b, const struct draw *d, const struct block *k, double x, double y, double w, bool has_task)
{
    const struct draw_want *e = &d->wants[k->want];
    const char *precision = k->n ? d->experts[k->at[0]].precision : "";
    char rate[DRAW_WORDS] = "", text[200];
    if (isfinite(e->per_hour) && e->per_hour > 0)
        words_rate(rate, e->per_hour);
    const double right = *rate ? ink_width(rate, font_small.px, false) + 12 : 0;
    buf_printf(b, "<g class=\"want\" data-w=\"%d\">", k->want);
    ink_rect(b, "card", x + 0.5, y + 0.5, w - 1, EXPERT_H - 1, 10);
    buf_printf(b, "<rect class=\"c%d\" x=\"%.1f\" y=\"%.1f\" width=\"4\" height=\"%d\" rx=\"2\"/>", (int)e->cls, x + 7, y + 12, EXPERT_H - 24);
    svg_mark(b, e->cls, x + 24, y + 22);
    ink_text(b, x + 36, y + 27, 'l', font_name, e->name, w - 36 - right - 14);
    if (*rate)
        ink_text(b, x + w - 14, y + 26, 'r', font_small, rate, 0);
    snprintf(text, sizeof(text), "%.40s%s%.80s%s%.24s", has_task ? e->task : "", has_task && *e->task && *e->model ? " \xc2\xb7 " : "", e->model,
             *precision ? " \xc2\xb7 " : "", precision);
    if (*text)
        ink_text(b, x + 20, y + 46, 'l', font_small, text, w - 34);
    buf_puts(b, "</g>\n");
}

static void put_place(struct buf *b, const struct draw *d, int i, double x, double y, double w)
{
    const struct draw_expert *e = &d->experts[i];
    const struct draw_node *n = &d->nodes[e->node];
    char text[200], share[DRAW_WORDS] = "";
    words_place(text, sizeof(text), e);
    if (isfinite(e->share))
        words_share(share, e->share);
    const double right = *share ? ink_width(share, font_name.px, true) + 12 : 0;
    char name[DRAW_WORDS * 2];
    const char *device = e->device >= 0 && e->device < n->n_devices ? words_device(name, n->devices[e->device].name) : "";
    buf_printf(b, "<g class=\"pill s-%s\" data-e=\"%d\">", draw_state_name(e->state), i);
    ink_rect(b, "card", x + 0.5, y + 0.5, w - 1, PLACE_H - 1, 8);
    const double used = ink_text(b, x + 12, y + 20, 'l', (struct ink_font){ "t5 b", 12, true }, n->name, (w - 24 - right) * 0.5);
    if (*device && w - 34 - right - used > 30)
        ink_text(b, x + 20 + used, y + 20, 'l', font_small, device, w - 34 - right - used);
    if (*share)
        ink_text(b, x + w - 12, y + 21, 'r', (struct ink_font){ "t5 b", 12, true }, share, 0);
    buf_printf(b, "<g data-v=\"line\" data-max=\"%.1f\">", w - 24);
    ink_text(b, x + 12, y + 37, 'l', font_small, text, w - 24);
    buf_puts(b, "</g></g>\n");
}

/* What has no place: a dashed box that says why. */
static void put_missing(struct buf *b, const struct draw_want *w, double x, double y, double width)
{
    char text[64];
    snprintf(text, sizeof(text), w->n_missing > 1 ? "%d replicas have no place" : "no place", w->n_missing);
    ink_rect(b, "no", x + 0.5, y + 0.5, width - 1, PLACE_H - 1, 8);
    ink_text(b, x + 12, y + 20, 'l', (struct ink_font){ "t5 bad", 11.5, false }, text, width - 24);
    ink_text(b, x + 12, y + 37, 'l', font_small, w->why, width - 24);
}

/* The places of a block, one under the other; flows from (from_x, from_y) when from_x is a number. */
static void put_places(struct buf *b, const struct draw *d, const struct blocks *all, const struct block *k, double x, double y, double w, double from_x, double from_y)
{
    const struct draw_want *e = &d->wants[k->want];
    const int n = k->n > all->n_places ? all->n_places - 1 : k->n;
    const int rows = n_rows(d, all, k);
    double at = y;
    for (int pass = 0; pass < 2; pass++, at = y)
        for (int r = 0; r < rows; r++, at += PLACE_H + PLACE_GAP) {
            if (pass == 0 && isfinite(from_x) && r < k->n)
                put_flow(b, e->cls, flow_px(all, e->per_hour, d->experts[k->at[r]].share), from_x, from_y, x, at + PLACE_H / 2.0);
            if (pass == 0)
                continue;
            if (r < n)
                put_place(b, d, k->at[r], x, at, w);
            else if (r < all->n_places && k->n > n) {
                char more[40];
                snprintf(more, sizeof(more), "and %d more places", k->n - n);
                ink_rect(b, "card", x + 0.5, at + 0.5, w - 1, PLACE_H - 1, 8);
                ink_text(b, x + 12, at + 28, 'l', font_small, more, w - 24);
            } else if (e->n_missing > 0)
                put_missing(b, e, x, at, w);
            else
                ink_text(b, x + 12, at + 28, 'l', font_small, d->is_live ? "nowhere now" : "not placed yet", w - 24);
        }
}

static double foot(struct buf *b, const struct draw *d, double x, double y, double w)
{
    const double legend = svg_legend(b, d, x, y, w, false);
    ink_text(b, x, y + legend + 16, 'l', font_small,
             d->is_live ? "measured now" : w < 500 ? "estimates of the plan; line width: requests" : "estimates of the plan; lines are as wide as the traffic of the busiest hour", w);
    return y + legend + 30;
}

static bool draw_wide(struct buf *b, const struct draw *d, enum draw_form form, struct blocks *k)
{
    double y = 92;
    for (int i = 0; i < k->n; i++) {
        struct block *one = &k->list[i];
        const double places = n_rows(d, k, one) * (PLACE_H + PLACE_GAP) - PLACE_GAP;
        one->y = y, one->h = fmax(places, EXPERT_H);
        y += one->h + BLOCK_GAP;
    }
    const double legend = svg_legend(NULL, d, 0, 0, WIDE_W - 48, false), height = y + legend + 36;
    char sum[160];
    words_sum(sum, sizeof(sum), d);
    svg_open(b, d, DRAW_EXPERTS, form, WIDE_W, height);
    svg_head(b, d, sum, WIDE_W);
    const double top = 92, bottom = y - BLOCK_GAP, gate_h = fmin(fmax(bottom - top, 110), 190), gate_y = (top + bottom - gate_h) / 2;
    for (int i = 0; i < k->n; i++) { /* lines first: they lie under the boxes */
        const struct draw_want *w = &d->wants[k->list[i].want];
        const double from = gate_y + gate_h * (i + 0.5) / k->n;
        put_flow(b, w->cls, flow_px(k, w->per_hour, NAN), GATE_X + GATE_W, from, EXPERT_X, k->list[i].y + k->list[i].h / 2);
    }
    int n_tasks = 0;
    for (int i = 0; i < k->n; i++)
        n_tasks += i == 0 || strcmp(d->wants[k->list[i].want].task, d->wants[k->list[i - 1].want].task) != 0;
    for (int i = 0, t = 0; i < k->n;) { /* tasks: as many as there are, evenly */
        const struct draw_want *w = &d->wants[k->list[i].want];
        int j = i;
        double sum_h = 0;
        while (j < k->n && strcmp(d->wants[k->list[j].want].task, w->task) == 0) {
            sum_h += isfinite(d->wants[k->list[j].want].per_hour) ? d->wants[k->list[j].want].per_hour : 0;
            j++;
        }
        const double mid = (k->list[i].y + k->list[j - 1].y + k->list[j - 1].h) / 2;
        put_flow(b, w->cls, flow_px(k, sum_h > 0 ? fmin(sum_h, k->most) : NAN, NAN), TASK_X + TASK_W, mid, GATE_X, gate_y + gate_h * (t + 0.5) / n_tasks);
        ink_rect(b, "card", TASK_X + 0.5, mid - 17.5, TASK_W - 1, 35, 18);
        svg_mark(b, w->cls, TASK_X + 18, mid);
        ink_text(b, TASK_X + 31, mid + 4.5, 'l', (struct ink_font){ "t5 b", 12, true }, *w->task ? w->task : "any", TASK_W - 42);
        i = j, t++;
    }
    put_gate(b, d, GATE_X, gate_y, GATE_W, gate_h);
    for (int i = 0; i < k->n; i++) {
        const struct block *one = &k->list[i];
        const double mid = one->y + one->h / 2, places = n_rows(d, k, one) * (PLACE_H + PLACE_GAP) - PLACE_GAP;
        put_places(b, d, k, one, PLACE_X, mid - places / 2, PLACE_W, EXPERT_X + EXPERT_W, mid);
        put_expert(b, d, one, EXPERT_X, mid - EXPERT_H / 2.0, EXPERT_W, false);
    }
    foot(b, d, 24, y, WIDE_W - 48);
    buf_puts(b, "</svg>\n");
    return true;
}

static bool draw_narrow(struct buf *b, const struct draw *d, enum draw_form form, struct blocks *k)
{
    const double x = 14, gate_h = 112, card_x = 50, card_w = NARROW_W - card_x - 14;
    double y = 84 + gate_h + 22;
    for (int i = 0; i < k->n; i++) {
        k->list[i].y = y;
        k->list[i].h = EXPERT_H + 6 + n_rows(d, k, &k->list[i]) * (PLACE_H + PLACE_GAP);
        y += k->list[i].h + BLOCK_GAP;
    }
    const double legend = svg_legend(NULL, d, 0, 0, NARROW_W - 28, false);
    char sum[160];
    words_sum(sum, sizeof(sum), d);
    svg_open(b, d, DRAW_EXPERTS, form, NARROW_W, y + legend + 36);
    svg_head(b, d, sum, NARROW_W);
    for (int i = k->n - 1; i >= 0; i--) { /* the trunk is as wide as the widest that is still in it */
        const struct draw_want *w = &d->wants[k->list[i].want];
        buf_printf(b, "<path class=\"flow f%d\" stroke-width=\"%.1f\" d=\"", (int)w->cls, flow_px(k, w->per_hour, NAN));
        ink_elbow(b, x + 14, 84 + gate_h, card_x, k->list[i].y + EXPERT_H / 2.0, 12);
        buf_puts(b, "\"/>\n");
    }
    put_gate(b, d, x, 84, NARROW_W - 28, gate_h);
    for (int i = 0; i < k->n; i++) {
        put_expert(b, d, &k->list[i], card_x, k->list[i].y, card_w, true);
        put_places(b, d, k, &k->list[i], card_x + 16, k->list[i].y + EXPERT_H + 6, card_w - 16, NAN, 0);
    }
    foot(b, d, 14, y, NARROW_W - 28);
    buf_puts(b, "</svg>\n");
    return true;
}

bool draw_experts(struct buf *b, const struct draw *d, enum draw_form form, struct err *err)
{
    struct blocks k = { 0 };
    if (!collect(&k, d, err))
        return false;
    return is_narrow(form) ? draw_narrow(b, d, form, &k) : draw_wide(b, d, form, &k);
}
