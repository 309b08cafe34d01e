/* pipeline/cascade_graph.c - see cascade_graph.h.  The picture is a tree that grows downwards: a row for each stage, moved in under
 * what it builds on, the gate written beside it. */
#include "pipeline/cascade_graph.h"

#include <stdio.h>
#include <string.h>

#include "page/chart.h"

enum { BOX_W = 190, BOX_H = 40, ROW_H = 62, STEP_X = 44, LEFT = 20, TOP = 56, WIDTH = 860, ROWS_MAX = CASCADE_STAGES_MAX + CASCADE_SINKS_MAX + 2 };

struct row {
    char title[80], line[120], note[200];
    int depth, parent; /* -1: none */
    int colour;
};

static const char *source_text(const struct cascade *c, const struct yaml_node *map, const char *key)
{
    const struct yaml_node *n = yaml_get(map, key);
    (void)c;
    return n && n->text ? n->text : "";
}

static int lowest_after(const struct cascade *c, int k)
{
    int at = -1;
    for (int i = 0; i < k; i++)
        if (c->stages[k].after & 1u << i)
            at = i;
    return at;
}

static void describe(const struct cascade *c, int k, struct row *r)
{
    const struct cascade_stage *s = &c->stages[k];
    char rate[60] = "";
    if (s->rate > 0)
        snprintf(rate, sizeof(rate), ", %.3g/s%s", s->rate, s->backoff_s > 0 ? " and less" : "");
    snprintf(r->title, sizeof(r->title), "%s: %s", s->name, expert_task_name(s->task));
    snprintf(r->line, sizeof(r->line), "%s%s%s", s->n_experts ? s->ids[0] : "(not here)", s->n_experts > 1 ? ", else " : "", s->n_experts > 1 ? s->ids[1] : "");
    snprintf(r->note, sizeof(r->note), "%s%.140s%s%s", s->gate ? "if " : "", source_text(c, s->map, "gate"), s->gate ? "" : s->each_event ? "each event" : "every frame", rate);
    r->colour = s->each_event ? 3 : 0;
}

static int make_rows(const struct cascade *c, struct row *rows)
{
    static const char *const kinds[] = { "lines", "webhook", "MQTT", "pictures" };
    int at[CASCADE_STAGES_MAX], n = 0, event = 0;
    rows[n++] = (struct row){ .parent = -1, .colour = 7 };
    snprintf(rows[0].title, sizeof(rows[0].title), "%s", c->is_sound ? "sound" : "frames");
    snprintf(rows[0].line, sizeof(rows[0].line), "%s", c->source ? c->source : "--source");
    for (int turn = 0; turn < 2; turn++) {
        for (int k = 0; k < c->n_stages; k++) {
            if (c->stages[k].each_event != turn)
                continue;
            const int after = lowest_after(c, k);
            struct row *r = &rows[n];
            *r = (struct row){ .parent = after >= 0 ? at[after] : turn ? event : 0 };
            r->depth = rows[r->parent].depth + 1;
            describe(c, k, r);
            at[k] = n++;
        }
        if (turn == 0 && c->events.when) {
            struct row *r = &rows[event = n++];
            *r = (struct row){ .parent = 0, .depth = 1, .colour = 2 };
            snprintf(r->title, sizeof(r->title), "event");
            snprintf(r->line, sizeof(r->line), "joined within %.3g s", c->events.join_s);
            snprintf(r->note, sizeof(r->note), "if %.190s", source_text(c, yaml_get(yaml_root(c->yaml), "event"), "when"));
        }
    }
    for (int i = 0; i < c->n_sinks; i++) {
        struct row *r = &rows[n++];
        *r = (struct row){ .parent = event, .depth = rows[event].depth + 1, .colour = 4 };
        snprintf(r->title, sizeof(r->title), "%s", kinds[c->sinks[i].kind]);
        snprintf(r->line, sizeof(r->line), "%.110s", c->sinks[i].to);
    }
    return n;
}

static void put_short(struct buf *b, const char *text, size_t max)
{
    char cut[200];
    snprintf(cut, sizeof(cut), "%.*s%s", (int)max, text, strlen(text) > max ? "..." : "");
    chart_put_text(b, cut);
}

void cascade_graph_svg(struct buf *b, const struct cascade *c)
{
    struct row rows[ROWS_MAX];
    const int n = make_rows(c, rows), height = TOP + n * ROW_H + 10;
    buf_printf(b, "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"chart\" viewBox=\"0 0 %d %d\" role=\"img\"><style>%s</style><title>", WIDTH, height, chart_css);
    chart_put_text(b, c->name);
    buf_printf(b, "</title><rect class=\"ground\" width=\"%d\" height=\"%d\"/><text class=\"h\" x=\"%d\" y=\"32\">", WIDTH, height, LEFT);
    put_short(b, c->name, 80);
    buf_puts(b, "</text>\n");
    for (int i = 0; i < n; i++) {
        const struct row *r = &rows[i];
        const int x = LEFT + r->depth * STEP_X, y = TOP + i * ROW_H;
        if (r->parent >= 0) {
            const int px = LEFT + rows[r->parent].depth * STEP_X + STEP_X / 2, py = TOP + r->parent * ROW_H + BOX_H, cy = y + BOX_H / 2;
            buf_printf(b, "<path class=\"a\" d=\"M%d %dV%dH%d\"/><path class=\"a\" d=\"M%d %dl-6 -4m6 4l-6 4\"/>\n", px, py, cy, x, x, cy);
        }
        buf_printf(b, "<rect class=\"l s%d\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"6\"/><text class=\"b\" x=\"%d\" y=\"%d\">", r->colour, x, y, BOX_W, BOX_H, x + 10, y + 17);
        put_short(b, r->title, 26);
        buf_printf(b, "</text><text class=\"s\" x=\"%d\" y=\"%d\">", x + 10, y + 33);
        put_short(b, r->line, 28);
        buf_printf(b, "</text><text class=\"s\" x=\"%d\" y=\"%d\">", x + BOX_W + 12, y + BOX_H / 2 + 4);
        put_short(b, r->note, (size_t)(WIDTH - x - BOX_W - 20) / 7);
        buf_puts(b, "</text>\n");
    }
    buf_puts(b, "</svg>\n");
}

static void put_string(struct buf *b, const char *key, const char *text)
{
    buf_printf(b, ",\"%s\":", key);
    buf_put_json_text(b, text);
}

void cascade_graph_json(struct buf *b, const struct cascade *c)
{
    static const char *const kinds[] = { "jsonl", "webhook", "mqtt", "pictures" };
    buf_puts(b, "{\"cascade\":");
    buf_put_json_text(b, c->name);
    put_string(b, "source", c->source ? c->source : "");
    put_string(b, "stream", c->is_sound ? "sound" : "pictures");
    buf_puts(b, ",\"stages\":[");
    for (int k = 0; k < c->n_stages; k++) {
        const struct cascade_stage *s = &c->stages[k];
        buf_puts(b, k ? ",{\"stage\":" : "{\"stage\":");
        buf_put_json_text(b, s->name);
        put_string(b, "task", expert_task_name(s->task));
        put_string(b, "each", s->each_event ? "event" : "piece");
        buf_puts(b, ",\"experts\":[");
        for (int i = 0; i < s->n_experts; i++) {
            buf_puts(b, i ? "," : "");
            buf_put_json_text(b, s->ids[i]);
        }
        buf_puts(b, "],\"after\":[");
        for (int i = 0, n = 0; i < k; i++)
            if (s->after & 1u << i) {
                buf_puts(b, n++ ? "," : "");
                buf_put_json_text(b, c->stages[i].name);
            }
        buf_puts(b, "]");
        put_string(b, "gate", source_text(c, s->map, "gate"));
        buf_printf(b, ",\"queue\":%d,\"drop\":", s->queue);
        if (s->has_policy)
            buf_printf(b, "\"%s\"", cascade_policy_name(s->policy));
        else
            buf_puts(b, "null");
        buf_printf(b, ",\"rate\":%.6g}", s->rate);
    }
    buf_puts(b, "],\"event\":");
    if (c->events.when)
        buf_printf(b, "{\"join\":%.6g,\"min\":%.6g,\"max\":%.6g,\"cooldown\":%.6g}", c->events.join_s, c->events.min_s, c->events.max_s, c->events.cooldown_s);
    else
        buf_puts(b, "null");
    buf_puts(b, ",\"sinks\":[");
    for (int i = 0; i < c->n_sinks; i++) {
        buf_printf(b, "%s{\"kind\":\"%s\"", i ? "," : "", kinds[c->sinks[i].kind]);
        put_string(b, "to", c->sinks[i].to);
        buf_putc(b, '}');
    }
    buf_puts(b, "]}");
}
