/* site/monitor_grafana.c - a dashboard's rows of panels as Grafana's JSON: laid out, with data source and variables.
 *
 * The form is schemaVersion 39 (Grafana 10.2 and later read it; grafana.com/docs/grafana, "Dashboard JSON model").
 */
#include <stdio.h>
#include <string.h>

#include "site/monitor.h"
#include "site/monitor_internal.h"

enum { COLUMNS = 24, STAT_HEIGHT = 4, HEIGHT = 8 };
#define SOURCE "{\"type\": \"prometheus\", \"uid\": \"${datasource}\"}"

/* A new variable is a row; it may lean on those before it. */
static const struct {
    const char *name, *label, *query;
} variables[] = {
    { "arch", "architecture", "label_values(tutti_machine_info, arch)" },
    { "node", "node", "label_values(tutti_machine_info{arch=~\"$arch\"}, node)" },
    { "model", "expert", "label_values(tutti_time_to_first_token_seconds_count{node=~\"$node\"}, model_name)" },
};

static void put_string(struct buf *out, const char *key, const char *text, const char *end)
{
    buf_printf(out, "\"%s\": ", key);
    buf_put_json_text(out, text);
    buf_puts(out, end);
}

static bool has_word(const char *list, const char *word)
{
    const size_t n = strlen(word);
    for (const char *at = list; (at = strstr(at, word)) != NULL; at += n)
        if ((at == list || at[-1] == ' ') && (at[n] == ' ' || !at[n]))
            return true;
    return false;
}

static void put_variables(const struct monitor_dashboard *d, struct buf *out)
{
    buf_puts(out, "  \"templating\": {\"list\": [\n    {\"name\": \"datasource\", \"label\": \"Prometheus\", \"type\": \"datasource\", \"query\": \"prometheus\", \"refresh\": 1, \"hide\": 0, \"current\": {\"text\": \"default\", \"value\": \"default\"}}");
    for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
        if (!has_word(d->variables, variables[i].name))
            continue;
        buf_printf(out, ",\n    {\"name\": \"%s\", \"label\": \"%s\", \"type\": \"query\", \"datasource\": " SOURCE ", ", variables[i].name, variables[i].label);
        buf_puts(out, "\"query\": {");
        put_string(out, "query", variables[i].query, ", \"refId\": \"variable\"}, ");
        buf_puts(out, "\"refresh\": 2, \"sort\": 1, \"multi\": true, \"includeAll\": true, \"allValue\": \".*\", \"hide\": 0, \"current\": {\"text\": \"All\", \"value\": \"$__all\"}}");
    }
    buf_puts(out, "\n  ]},\n");
}

static void put_targets(const struct monitor_panel *p, struct buf *out)
{
    const bool is_table = strcmp(p->kind, "table") == 0, is_now = is_table || strcmp(p->kind, "stat") == 0;
    buf_puts(out, "     \"targets\": [");
    for (int i = 0; i < MONITOR_TARGETS_MAX && p->of[i].expr; i++) {
        buf_printf(out, "%s\n      {\"refId\": \"%c\", \"datasource\": " SOURCE ", \"editorMode\": \"code\", \"format\": \"%s\", \"instant\": %s, \"range\": %s, ", i ? "," : "", 'A' + i,
                   is_table ? "table" : "time_series", is_now ? "true" : "false", is_now ? "false" : "true");
        put_string(out, "legendFormat", p->of[i].legend, ", ");
        put_string(out, "expr", p->of[i].expr, "}");
    }
    buf_puts(out, "\n     ],\n");
}

static void put_look(const struct monitor_panel *p, struct buf *out)
{
    const bool has_share = strcmp(p->unit, "percentunit") == 0;
    buf_printf(out, "     \"fieldConfig\": {\"defaults\": {\"unit\": \"%s\"%s, \"color\": {\"mode\": \"%s\"}", p->unit, has_share ? ", \"min\": 0, \"max\": 1" : strcmp(p->unit, "celsius") == 0 ? "" : ", \"min\": 0",
               strcmp(p->kind, "stat") == 0 ? "thresholds" : "palette-classic");
    if (strcmp(p->kind, "timeseries") == 0)
        buf_puts(out, ", \"custom\": {\"drawStyle\": \"line\", \"lineWidth\": 1, \"fillOpacity\": 10, \"showPoints\": \"never\", \"spanNulls\": false}");
    buf_puts(out, ", \"thresholds\": {\"mode\": \"absolute\", \"steps\": [{\"color\": \"text\", \"value\": null}]}}, \"overrides\": []},\n     \"options\": ");
    if (strcmp(p->kind, "stat") == 0)
        buf_puts(out, "{\"reduceOptions\": {\"calcs\": [\"lastNotNull\"], \"fields\": \"\", \"values\": false}, \"colorMode\": \"value\", \"graphMode\": \"none\", \"justifyMode\": \"auto\", \"textMode\": \"value_and_name\", \"orientation\": \"auto\"}");
    else if (strcmp(p->kind, "table") == 0)
        buf_puts(out, "{\"showHeader\": true},\n     \"transformations\": [{\"id\": \"organize\", \"options\": {\"excludeByName\": {\"Time\": true, \"Value\": true, \"__name__\": true, \"job\": true}}}]");
    else
        buf_puts(out, "{\"legend\": {\"displayMode\": \"list\", \"placement\": \"bottom\", \"showLegend\": true, \"calcs\": []}, \"tooltip\": {\"mode\": \"multi\", \"sort\": \"desc\"}}");
}

void monitor_put_dashboard(const struct monitor_dashboard *d, struct buf *out)
{
    int id = 0, x = 0, y = 0, line = 0; /* line: height of the line at y */
    buf_puts(out, "{\n  ");
    put_string(out, "uid", d->uid, ",\n  ");
    put_string(out, "title", d->title, ",\n  \"tags\": [\"tutti\"],\n  \"schemaVersion\": 39,\n  \"version\": 1,\n  \"editable\": true,\n  \"graphTooltip\": 1,\n"
                                       "  \"timezone\": \"browser\",\n  \"refresh\": \"30s\",\n  \"time\": {\"from\": \"now-6h\", \"to\": \"now\"},\n"
                                       "  \"annotations\": {\"list\": []},\n  \"links\": [{\"type\": \"dashboards\", \"title\": \"tutti\", \"icon\": \"external link\", \"tooltip\": \"\", \"targetBlank\": false, \"tags\": [\"tutti\"], \"asDropdown\": true, \"includeVars\": true, \"keepTime\": true}],\n");
    put_variables(d, out);
    buf_puts(out, "  \"panels\": [");
    for (int i = 0; i < d->n_panels; i++) {
        const struct monitor_panel *p = &d->panels[i];
        const int height = strcmp(p->kind, "stat") == 0 ? STAT_HEIGHT : HEIGHT;
        if (p->row || x + p->width > COLUMNS)
            y += line, x = 0, line = 0;
        if (p->row) {
            buf_printf(out, "%s\n    {\"id\": %d, \"type\": \"row\", ", id ? "," : "", id + 1);
            put_string(out, "title", p->row, ", ");
            buf_printf(out, "\"collapsed\": false, \"panels\": [], \"gridPos\": {\"x\": 0, \"y\": %d, \"w\": %d, \"h\": 1}}", y, COLUMNS);
            id++, y++;
        }
        buf_printf(out, ",\n    {\"id\": %d, \"type\": \"%s\", ", ++id, p->kind);
        put_string(out, "title", p->title, ", ");
        if (p->where) {
            char text[120];
            snprintf(text, sizeof(text), "Only where there is %s.", p->where);
            put_string(out, "description", text, ", ");
        }
        buf_printf(out, "\"datasource\": " SOURCE ", \"gridPos\": {\"x\": %d, \"y\": %d, \"w\": %d, \"h\": %d},\n", x, y, p->width, height);
        put_targets(p, out);
        put_look(p, out);
        buf_puts(out, "}");
        x += p->width;
        line = height > line ? height : line;
    }
    buf_puts(out, "\n  ]\n}\n");
}
