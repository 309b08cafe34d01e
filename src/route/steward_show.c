/* route/steward_show.c - the steward's state for people and programs: GET /v1/tutti/experts, GET /metrics. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "route/steward.h"

/* ---- JSON ---- */

static void put_number(struct buf *b, const char *key, float v)
{
    if (!isnan(v))
        buf_printf(b, ",\"%s\":%.6g", key, (double)v);
}

static void put_text(struct buf *b, const char *key, const char *text)
{
    if (!text || !text[0])
        return;
    buf_printf(b, ",\"%s\":", key);
    buf_put_json_text(b, text);
}

static void put_classes(struct buf *b, const struct governor *g)
{
    buf_puts(b, ",\"classes\":{");
    for (int c = 0; c < ROUTE_CLASS_COUNT; c++) {
        const struct governor_limits *n = &g->now[c];
        buf_printf(b, "%s\"%s\":{\"step\":%d,\"steps\":%d", c ? "," : "", route_class_name((enum route_class)c), n->step, g->rules->n_steps[c]);
        put_text(b, "what", ladder_step_what(g->rules, (enum route_class)c, n->step));
        buf_printf(b, ",\"threads\":%.2g,\"batch\":%.2g,\"context\":%.2g,\"resolution\":%.2g", (double)n->threads, (double)n->batch, (double)n->context, (double)n->input);
        put_text(b, "cause", n->is_limited ? governor_cause_name(n->cause) : "");
        buf_putc(b, '}');
    }
    buf_putc(b, '}');
}

static void put_transitions(struct buf *b, const struct governor *g)
{
    int n = 0;
    buf_puts(b, ",\"transitions\":[");
    for (int c = 0; c < GOVERNOR_CAUSE_COUNT; c++)
        for (int w = 0; w < GOVERNOR_LEVELS; w++) {
            const uint64_t *t = g->transitions_total[c][w];
            if (t[0] + t[1] > 0)
                buf_printf(b, "%s{\"cause\":\"%s\",\"class\":\"%s\",\"down\":%llu,\"up\":%llu}", n++ ? "," : "", governor_cause_name((enum governor_cause)c),
                           w < ROUTE_CLASS_COUNT ? route_class_name((enum route_class)w) : "all", (unsigned long long)t[1], (unsigned long long)t[0]);
        }
    buf_putc(b, ']');
}

void steward_put_json(struct steward *s, struct buf *b)
{
    struct steward_state st;
    char slow[80];
    steward_get_state(s, &st);
    const struct telemetry *t = &st.now;
    buf_printf(b, "{\"offline\":%s", st.governor.is_offline ? "true" : "false");
    put_number(b, "temperature_c", t->temperature_c);
    put_number(b, "limit_c", t->limit_c);
    put_number(b, "headroom_c", t->headroom_c);
    put_text(b, "sensor", t->sensor);
    telemetry_put_slow(t->slow, slow, sizeof(slow));
    put_text(b, "slowed_by", slow);
    put_number(b, "power_w", t->power_w);
    put_text(b, "meter", steward_meter(s));
    put_number(b, "battery_frac", t->battery_frac);
    if (!isnan(t->battery_frac))
        buf_printf(b, ",\"on_battery\":%s", t->on_battery ? "true" : "false");
    put_number(b, "memory_total_bytes", t->memory_total_bytes);
    put_number(b, "memory_free_bytes", t->memory_free_bytes);
    put_number(b, "memory_pressure_frac", t->pressure_frac);
    put_number(b, "cpu_busy_frac", t->busy_frac);
    put_number(b, "gpu_temperature_c", t->gpu_temperature_c);
    put_number(b, "gpu_headroom_c", t->gpu_headroom_c);
    put_number(b, "gpu_busy_frac", t->gpu_busy_frac);
    put_number(b, "gpu_memory_free_bytes", t->gpu_memory_free_bytes);
    put_number(b, "gpu_power_w", t->gpu_power_w);
    put_number(b, "gpu_power_limit_w", t->gpu_power_limit_w);
    put_classes(b, &st.governor);
    put_transitions(b, &st.governor);
    buf_putc(b, '}');
}

/* ---- Prometheus ---- */

static void put_head(struct buf *b, const char *prefix, const char *name, const char *type, const char *help)
{
    buf_printf(b, "# HELP %s%s %s\n# TYPE %s%s %s\n", prefix, name, help, prefix, name, type);
}

static void put_gauge(struct buf *b, const char *prefix, const char *name, const char *help, double v)
{
    if (isnan(v))
        return;
    put_head(b, prefix, name, "gauge", help);
    buf_printf(b, "%s%s %.9g\n", prefix, name, v);
}

/* Sensors may share a name ("coretemp"): the nth has it with its number. */
static void put_sensors(struct buf *b, const char *prefix, const struct telemetry_parts *p)
{
    static const char *const names[] = { "sensor_temperature_celsius", "sensor_limit_celsius" };
    static const char *const helps[] = { "Of one thermometer.", "Where the part under it slows down." };
    for (int k = 0; k < 2; k++) {
        put_head(b, prefix, names[k], "gauge", helps[k]);
        for (int i = 0; i < p->n_sensors; i++) {
            const float v = k ? p->sensors[i].limit_c : p->sensors[i].temperature_c;
            int nth = 1;
            for (int j = 0; j < i; j++)
                nth += strcmp(p->sensors[j].name, p->sensors[i].name) == 0;
            if (isnan(v))
                continue;
            buf_printf(b, "%s%s{sensor=\"", prefix, names[k]);
            for (const char *s = p->sensors[i].name; *s; s++)
                buf_putc(b, *s == '"' || *s == '\\' ? '_' : *s);
            if (nth > 1)
                buf_printf(b, " %d", nth);
            buf_printf(b, "\"} %.9g\n", (double)v);
        }
    }
}

void steward_put_metrics(struct steward *s, const char *prefix, struct buf *b)
{
    struct steward_state st;
    steward_get_state(s, &st);
    steward_wish_fresh(s); /* for the next scrape: no sensor is read here */
    const struct telemetry *t = &st.now;
    const struct governor *g = &st.governor;
    put_gauge(b, prefix, "temperature_celsius", "Of the sensor with the least headroom.", (double)t->temperature_c);
    put_gauge(b, prefix, "temperature_limit_celsius", "Where it slows down.", (double)t->limit_c);
    put_gauge(b, prefix, "gpu_temperature_celsius", "Of the accelerator with the least headroom.", (double)t->gpu_temperature_c);
    put_gauge(b, prefix, "gpu_memory_available_bytes", "Of the GPU with the least free share.", (double)t->gpu_memory_free_bytes);
    put_gauge(b, prefix, "gpu_power_watts", "Drawn by all NVIDIA cards.", (double)t->gpu_power_w);
    put_gauge(b, prefix, "power_watts", "Drawn, as the machine's best meter says.", (double)t->power_w);
    put_gauge(b, prefix, "power_limit_watts", "Most that it may draw, as the meter's chip says.", (double)t->power_limit_w);
    put_gauge(b, prefix, "battery_power_watts", "Drawn from the battery.", (double)t->battery_w);
    if (!isnan(t->battery_frac))
        put_gauge(b, prefix, "on_battery", "1 while the battery empties and no mains is there.", t->on_battery);
    put_gauge(b, prefix, "battery_ratio", "Charge, 0 to 1.", (double)t->battery_frac);
    put_gauge(b, prefix, "memory_bytes", "Memory of the machine.", (double)t->memory_total_bytes);
    put_gauge(b, prefix, "memory_available_bytes", "That can be had without swapping, within our control groups.", (double)t->memory_free_bytes);
    put_gauge(b, prefix, "memory_pressure_ratio", "Share of ten seconds in which somebody waited for memory.", (double)t->pressure_frac);
    put_gauge(b, prefix, "cpu_pressure_ratio", "Share of ten seconds in which somebody waited for a CPU.", (double)t->cpu_pressure_frac);
    put_gauge(b, prefix, "cpu_busy_ratio", "Share of all cores.", (double)t->busy_frac);
    put_gauge(b, prefix, "machine_slowed", "1 while the machine says that heat, its supply or its firmware slows it down.", t->slow != 0);
    put_head(b, prefix, "throttled", "gauge", "1 for what slows the machine down.");
    for (int i = 0; i < TELEMETRY_SLOW_COUNT; i++) {
        char word[24];
        telemetry_put_slow(1u << i, word, sizeof(word));
        buf_printf(b, "%sthrottled{reason=\"%s\"} %d\n", prefix, word, t->slow >> i & 1);
    }
    put_head(b, prefix, "throttle_events_total", "counter", "Times that a core was slowed by heat, since boot.");
    buf_printf(b, "%sthrottle_events_total %llu\n", prefix, (unsigned long long)t->slow_events);
    put_sensors(b, prefix, &st.parts);
    put_gauge(b, prefix, "offline", "1 while no server elsewhere answers, though there should be some.", g->is_offline);
    const double joules = steward_joules(s);
    if (!isnan(joules)) {
        put_head(b, prefix, "energy_joules_total", "counter", "Since the start, by the machine's best meter.");
        buf_printf(b, "%senergy_joules_total %.9g\n", prefix, joules);
    }
    put_head(b, prefix, "governor_step", "gauge", "First step of the class's ladder that may be used; 0: all of it.");
    for (int c = 0; c < ROUTE_CLASS_COUNT; c++)
        buf_printf(b, "%sgovernor_step{class=\"%s\"} %d\n", prefix, route_class_name((enum route_class)c), g->now[c].step);
    put_head(b, prefix, "governor_share_ratio", "gauge", "What is left of a knob; 1: all of it.");
    for (int c = 0; c < ROUTE_CLASS_COUNT; c++) {
        const float share[] = { g->now[c].threads, g->now[c].batch, g->now[c].context, g->now[c].input }; /* ORDER ROUTE_KNOB */
        for (int k = 0; k < ROUTE_KNOB_TIER; k++)
            buf_printf(b, "%sgovernor_share_ratio{class=\"%s\",knob=\"%s\"} %.3g\n", prefix, route_class_name((enum route_class)c), route_knob_name((enum route_knob)k), (double)share[k]);
    }
    put_head(b, prefix, "governor_transitions_total", "counter", "Steps that were taken."); /* zeros too: a counter that begins at 1 has no rate */
    for (int c = 0; c < GOVERNOR_CAUSE_COUNT; c++)
        for (int w = 0; w < GOVERNOR_LEVELS; w++)
            for (int d = 0; d < 2; d++)
                buf_printf(b, "%sgovernor_transitions_total{class=\"%s\",direction=\"%s\",reason=\"%s\"} %llu\n", prefix,
                           w < ROUTE_CLASS_COUNT ? route_class_name((enum route_class)w) : "all", d ? "down" : "up", governor_cause_name((enum governor_cause)c),
                           (unsigned long long)g->transitions_total[c][w][d]);
}
