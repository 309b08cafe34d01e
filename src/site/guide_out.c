/* site/guide_out.c - a guide as text for a terminal of 80 columns, and as JSON. */
#include <stdio.h>
#include <string.h>

#include "site/guide.h"

enum { WIDTH = 80 };

/* Columns of a character that starts with this byte: continuation bytes take none. */
static int columns(const char *s, size_t n)
{
    int c = 0;
    for (size_t i = 0; i < n; i++)
        c += ((unsigned char)s[i] & 0xc0) != 0x80;
    return c;
}

/* `lead`, then the text wrapped so that its later lines begin where the first did. */
static void put_wrapped(struct buf *b, const char *lead, const char *text)
{
    const int indent = columns(lead, strlen(lead));
    int at = indent;
    bool is_first = true;
    buf_puts(b, lead);
    while (*text) {
        size_t n = strcspn(text, " ");
        while (n > 1 && (columns(text, n) > WIDTH - indent || ((unsigned char)text[n] & 0xc0) == 0x80)) /* a word longer than a line is cut */
            n--;
        const int wide = columns(text, n);
        if (!is_first && at + 1 + wide > WIDTH) {
            buf_printf(b, "\n%*s", indent, "");
            at = indent, is_first = true;
        }
        buf_puts(b, is_first ? "" : " ");
        buf_append(b, text, n);
        at += wide + !is_first;
        is_first = false;
        text += n;
        text += strspn(text, " ");
    }
    buf_putc(b, '\n');
}

static void put_command(struct buf *b, const char *lead, const char *command)
{
    for (const char *s = command; *s;) {
        const size_t n = strcspn(s, "\n");
        buf_puts(b, lead);
        buf_append(b, s, n);
        buf_putc(b, '\n');
        s += n + (s[n] == '\n');
    }
}

static void put_stack(const struct guide *g, struct buf *out)
{
    char lead[96];
    for (int k = 0; k < GUIDE_GROUP_COUNT; k++) {
        const struct guide_choice *c = &g->choices[k];
        buf_printf(out, "%s\n", guide_group_heading((enum guide_group)k));
        for (int i = 0; i < guide_n_options; i++) {
            const struct guide_option *o = &guide_options[i];
            bool is_chosen = false;
            if ((int)o->group != k)
                continue;
            for (int j = 0; j < c->n_chosen; j++)
                is_chosen |= c->chosen[j] == o;
            buf_printf(out, "  %s %s\n", is_chosen ? "[x]" : "[ ]", o->name);
            put_wrapped(out, "        + ", o->gives);
            put_wrapped(out, "        - ", o->costs);
            snprintf(lead, sizeof(lead), "        from %s: ", o->date);
            put_wrapped(out, lead, o->source);
        }
        buf_puts(out, "  For this inventory:\n");
        for (int j = 0; j < c->n_chosen; j++) {
            snprintf(lead, sizeof(lead), "    => %s: ", c->chosen[j]->name);
            put_wrapped(out, lead, c->role[j]);
        }
        for (int j = 0; j < c->n_reasons; j++)
            put_wrapped(out, "    - ", c->reasons[j]);
        if (k == GUIDE_GROUP_PROTOCOL && g->n_speeds) {
            buf_puts(out, "    measured, p50 of a request and its answer over loopback:\n");
            for (int i = 0; i < g->n_speeds; i++)
                buf_printf(out, "      %-7s %-29s %7.0f us x %-6.1f %8.0f bytes\n", g->speeds[i].payload, g->speeds[i].protocol, g->speeds[i].p50_us, g->speeds[i].ratio, g->speeds[i].request_bytes);
            put_wrapped(out, "      ", g->speeds_where);
        }
        buf_putc(out, '\n');
    }
}

/* same: the number of the step before that says the same of another node; 0: none. */
static void put_item(const struct guide_item *it, int number, int same, struct buf *out)
{
    char lead[64];
    buf_printf(out, "[ ] %d. %s\n", number, it->title);
    put_wrapped(out, "    on: ", it->on);
    put_command(out, "      $ ", it->command);
    if (it->why[0] && !same)
        put_wrapped(out, "    why: ", it->why);
    if (it->check[0]) {
        buf_puts(out, "    check:\n");
        put_command(out, "      $ ", it->check);
    }
    if (it->says[0])
        put_wrapped(out, "    must say: ", it->says);
    if (same)
        buf_printf(out, "    the rest as in step %d\n", same);
    if (it->wrong[0] && !same)
        put_wrapped(out, "    when not: ", it->wrong);
    if (it->step->source[0] && !same) {
        snprintf(lead, sizeof(lead), "    from %s: ", it->step->date);
        put_wrapped(out, lead, it->step->source);
    }
    buf_putc(out, '\n');
}

void guide_put_text(const struct guide *g, int node, struct buf *out)
{
    int phase = -1, number = 0, first = 0; /* of the items of one step that are shown */
    const struct guide_step *last = NULL;
    buf_printf(out, "Setting up %s: %d node%s\n\n", g->name, g->inv->n_nodes, g->inv->n_nodes == 1 ? "" : "s");
    if (node < 0)
        put_stack(g, out);
    for (int i = 0; i < g->n_items; i++) {
        const struct guide_item *it = &g->items[i];
        number++;
        if (!guide_item_concerns(it, node))
            continue;
        if ((int)it->step->phase != phase) {
            phase = (int)it->step->phase;
            buf_printf(out, "\n== %s ==\n\n", guide_phase_heading(it->step->phase));
        }
        first = it->step == last ? first : number;
        last = it->step;
        put_item(it, number, first == number ? 0 : first, out);
    }
}

static void put_member(struct buf *out, const char *name, const char *value, const char *after)
{
    buf_printf(out, "\"%s\":", name);
    buf_put_json_text(out, value);
    buf_puts(out, after);
}

static void put_stack_json(const struct guide *g, struct buf *out)
{
    for (int k = 0; k < GUIDE_GROUP_COUNT; k++) {
        const struct guide_choice *c = &g->choices[k];
        bool has_one = false;
        buf_puts(out, k ? ",{" : "{");
        put_member(out, "group", guide_group_heading((enum guide_group)k), ",\"options\":[");
        for (int i = 0; i < guide_n_options; i++) {
            const struct guide_option *o = &guide_options[i];
            if ((int)o->group != k)
                continue;
            buf_puts(out, has_one ? ",{" : "{");
            has_one = true;
            put_member(out, "name", o->name, ","), put_member(out, "gives", o->gives, ","), put_member(out, "costs", o->costs, ",");
            put_member(out, "source", o->source, ","), put_member(out, "date", o->date, "}");
        }
        buf_puts(out, "],\"chosen\":[");
        for (int j = 0; j < c->n_chosen; j++)
            buf_puts(out, j ? ",{" : "{"), put_member(out, "name", c->chosen[j]->name, ","), put_member(out, "for", c->role[j], "}");
        buf_puts(out, "],\"reasons\":[");
        for (int j = 0; j < c->n_reasons; j++)
            buf_puts(out, j ? "," : ""), buf_put_json_text(out, c->reasons[j]);
        buf_puts(out, "]}");
    }
}

void guide_put_json(const struct guide *g, int node, struct buf *out)
{
    bool has_one = false;
    buf_putc(out, '{');
    put_member(out, "name", g->name, ",");
    put_member(out, "engine", inv_engine_name(g->inv->engine), ",\"stack\":[");
    put_stack_json(g, out);
    buf_puts(out, "],\"measured\":[");
    for (int i = 0; i < g->n_speeds; i++) {
        buf_puts(out, i ? ",{" : "{");
        put_member(out, "payload", g->speeds[i].payload, ","), put_member(out, "protocol", g->speeds[i].protocol, ",");
        buf_printf(out, "\"p50_us\":%.1f,\"ratio\":%.3f,\"request_bytes\":%.0f}", g->speeds[i].p50_us, g->speeds[i].ratio, g->speeds[i].request_bytes);
    }
    buf_puts(out, "],\"steps\":[");
    for (int i = 0; i < g->n_items; i++) {
        const struct guide_item *it = &g->items[i];
        if (!guide_item_concerns(it, node))
            continue;
        buf_printf(out, "%s{\"number\":%d,", has_one ? "," : "", i + 1);
        has_one = true;
        put_member(out, "id", it->step->id, ","), put_member(out, "phase", guide_phase_heading(it->step->phase), ","), put_member(out, "on", it->on, ",\"nodes\":[");
        for (int k = 0; k < it->n_nodes; k++)
            buf_puts(out, k ? "," : ""), buf_put_json_text(out, g->inv->nodes[it->nodes[k]].name);
        buf_puts(out, "],");
        put_member(out, "title", it->title, ","), put_member(out, "command", it->command, ","), put_member(out, "why", it->why, ","), put_member(out, "check", it->check, ",");
        put_member(out, "says", it->says, ","), put_member(out, "wrong", it->wrong, ","), put_member(out, "source", it->step->source, ","), put_member(out, "date", it->step->date, "}");
    }
    buf_puts(out, "]}\n");
}
