/* site/draw_words.c - figures as people read them on a picture; see draw_internal.h. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "site/draw_internal.h"

const char *words_number(char out[DRAW_WORDS], double v)
{
    const double a = fabs(v);
    snprintf(out, DRAW_WORDS, "%.*f", a >= 9.95 || a == 0 ? 0 : a >= 0.995 ? 1 : 2, a < 1e15 ? v : 1e15);
    if (strchr(out, '.')) {
        size_t n = strlen(out);
        while (out[n - 1] == '0')
            out[--n] = '\0';
        if (out[n - 1] == '.')
            out[--n] = '\0';
    }
    return out;
}

static const char *with_unit(char out[DRAW_WORDS], double v, const char *unit)
{
    char n[DRAW_WORDS];
    snprintf(out, DRAW_WORDS, "%.24s%.16s", words_number(n, v), unit);
    return out;
}

const char *words_bytes(char out[DRAW_WORDS], double v)
{
    return v >= 1e9 ? with_unit(out, v / 1e9, " GB") : v >= 1e6 ? with_unit(out, v / 1e6, " MB") : v >= 1e3 ? with_unit(out, v / 1e3, " kB") : with_unit(out, v, " B");
}
const char *words_gbit(char out[DRAW_WORDS], double g) { return g >= 0.995 ? with_unit(out, g, " Gb/s") : with_unit(out, g * 1e3, " Mb/s"); }
const char *words_rate(char out[DRAW_WORDS], double per_hour)
{
    return per_hour >= 3600 ? with_unit(out, per_hour / 3600, "/s") : with_unit(out, per_hour, "/h");
}
const char *words_time(char out[DRAW_WORDS], double s) { return s < 0.9995 ? with_unit(out, s * 1e3, " ms") : with_unit(out, s, " s"); }
const char *words_share(char out[DRAW_WORDS], double frac)
{
    if (!(frac > 0 && frac < 0.001))
        return with_unit(out, frac * 100, " %");
    snprintf(out, DRAW_WORDS, "<0.1 %%");
    return out;
}

static const char *words_speed(char out[DRAW_WORDS], const struct draw_expert *e)
{
    char n[DRAW_WORDS];
    if (isfinite(e->tok_s) && e->tok_s > 0)
        return with_unit(out, e->tok_s, " tok/s");
    if (isfinite(e->item_s) && e->item_s > 0) {
        snprintf(out, DRAW_WORDS, "%.24s each", words_time(n, e->item_s));
        return out;
    }
    if (isfinite(e->sound_s_s) && e->sound_s_s > 0)
        return with_unit(out, 1 / e->sound_s_s, "\xc3\x97 real time");
    return "";
}

static void add(char *out, size_t max, const char *what)
{
    const size_t n = strlen(out);
    if (n < max && *what)
        snprintf(out + n, max - n, "%s%s", n ? " \xc2\xb7 " : "", what);
}

void words_node(char *out, size_t max, const struct draw_node *n)
{
    char w[DRAW_WORDS], one[DRAW_WORDS + 16];
    out[0] = '\0';
    if (isfinite(n->load)) {
        snprintf(one, sizeof(one), "load %s", words_share(w, n->load));
        add(out, max, one);
    }
    if (isfinite(n->temperature_c)) {
        snprintf(one, sizeof(one), "%s \xc2\xb0""C", words_number(w, n->temperature_c));
        add(out, max, one);
    }
    if (isfinite(n->watts)) {
        snprintf(one, sizeof(one), "%s W", words_number(w, n->watts));
        add(out, max, one);
    }
    if (isfinite(n->battery_frac)) {
        snprintf(one, sizeof(one), "battery %s", words_share(w, n->battery_frac));
        add(out, max, one);
    }
}

void words_sub(char *out, size_t max, const struct draw_node *n)
{
    char one[40];
    out[0] = '\0';
    add(out, max < 200 ? max : 200, *n->kind ? n->kind : *n->why ? n->why : "");
    for (int c = 0; c < ROUTE_CLASS_COUNT; c++)
        if (n->step[c] > 0) {
            snprintf(one, sizeof(one), "%s down %d", words_class((enum route_class)c), n->step[c]);
            add(out, max, one);
        }
}

void words_place(char *out, size_t max, const struct draw_expert *e)
{
    char a[DRAW_WORDS], one[DRAW_WORDS + 40];
    out[0] = '\0';
    if (e->bytes > 0)
        add(out, max, words_bytes(a, (double)e->bytes));
    if (*words_speed(a, e))
        add(out, max, words_speed(a, e));
    if (e->state != DRAW_PLANNED) {
        snprintf(one, sizeof(one), e->n_running + e->n_waiting > 0 ? "%s, %d at work, %d waiting" : "%s", draw_state_name(e->state), e->n_running, e->n_waiting);
        add(out, max, one);
    } else if (isfinite(e->load)) {
        snprintf(one, sizeof(one), "load %s", words_share(a, e->load));
        add(out, max, one);
    }
}

void words_sum(char *out, size_t max, const struct draw *d)
{
    int n_chips = 0;
    for (int i = 0; i < d->n_nodes; i++)
        for (int k = 0; k < d->nodes[i].n_devices; k++)
            n_chips += d->nodes[i].devices[k].chip != DRAW_CPU;
    snprintf(out, max, "%d machine%s \xc2\xb7 %d accelerator%s \xc2\xb7 %d expert%s", d->n_nodes, d->n_nodes == 1 ? "" : "s", n_chips, n_chips == 1 ? "" : "s", d->n_wants,
             d->n_wants == 1 ? "" : "s");
}

const char *words_class(enum route_class c)
{
    static const char *const names[ROUTE_CLASS_COUNT] = { "language", "vision", "hearing", "speaking", "embedding" };
    return (unsigned)c < ROUTE_CLASS_COUNT ? names[c] : "?";
}
const char *words_device(char out[DRAW_WORDS * 2], const char *name)
{
    const char *more = strstr(name, " (");
    snprintf(out, DRAW_WORDS * 2, "%.*s", more ? (int)(more - name) : (int)strlen(name), name);
    return out;
}
const char *words_chip(enum draw_chip c) { return c == DRAW_CPU ? "CPU" : c == DRAW_GPU ? "GPU" : "accelerator"; }
