/* site/place_out.c - a plan for people and as JSON. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "site/place.h"

enum { WIDTH = 80 };

/* ---- text ---- */

static void put_wrapped(struct buf *out, const char *text, int indent)
{
    for (const char *at = text; *at;) {
        size_t n = strlen(at);
        if (n > (size_t)(WIDTH - indent)) {
            n = (size_t)(WIDTH - indent);
            while (n > 0 && at[n] != ' ')
                n--;
            if (n == 0)
                n = (size_t)(WIDTH - indent);
        }
        buf_printf(out, "%*s%.*s\n", indent, "", (int)n, at);
        at += n;
        while (*at == ' ')
            at++;
    }
}

static const char *short_seconds(char out[24], double s)
{
    snprintf(out, 24, s < .0995 ? "%.0f ms" : s < 9.95 ? "%.1f s" : "%.0f s", s < .0995 ? 1e3 * s : s);
    return out;
}

static void put_place(const struct cluster_plan *p, const struct place *r, bool with_why, struct buf *out)
{
    const struct inv_want *w = &p->inv->wants[r->want];
    const struct inv_device *d = &p->inv->nodes[r->node].devices[r->device];
    char speed[40] = "", time[24];
    if (w->n_quants && plan_is_known(r->tok_s) && w->traffic.answer_tok >= 1)
        snprintf(speed, sizeof(speed), "%.3g tok/s", r->tok_s.mid);
    buf_printf(out, "  %-18.18s %-20.20s %-8.8s %6.2f GB %8s %10s\n", w->name, d->name, w->n_quants ? w->model_of[r->quant].quant : "", (double)r->bytes / 1e9,
               short_seconds(time, r->item_s.mid), speed);
    if (with_why)
        put_wrapped(out, r->why, 4);
}

static void put_misses(const struct cluster_plan *p, struct buf *out)
{
    for (int i = 0; i < p->n_misses; i++) {
        const struct place_miss *m = &p->misses[i];
        buf_printf(out, "\nnot placed: %s", p->inv->wants[m->want].name);
        buf_printf(out, m->n_missing > 1 || p->inv->wants[m->want].n_min > 1 ? " (%d of %d)\n" : "\n", m->n_missing, p->inv->wants[m->want].n_min);
        put_wrapped(out, m->why, 2);
        if (m->buy[0])
            put_wrapped(out, m->buy, 2);
    }
}

static void put_plan(const struct cluster_plan *p, bool with_why, struct buf *out)
{
    const struct inventory *inv = p->inv;
    int n_idle = 0;
    for (int i = 0; i < inv->n_nodes; i++) {
        const struct inv_node *n = &inv->nodes[i];
        const struct place_node *x = &p->nodes[i];
        bool has_some = false;
        for (int k = 0; k < p->n && !has_some; k++)
            has_some = p->list[k].node == i;
        n_idle += !has_some;
        if (!has_some && inv->n_nodes > 16)
            continue;
        buf_printf(out, "%-20.63s %.1f of %.1f GB used, load %.0f %%", n->name, (double)x->used_bytes / 1e9, (double)n->free_bytes / 1e9, 100 * x->load);
        if (!isnan(x->mean_w))
            buf_printf(out, ", %.1f W", x->mean_w);
        buf_puts(out, n->is_head ? ", the head\n" : n->may_leave ? ", may leave\n" : "\n");
        for (int k = 0; k < p->n; k++)
            if (p->list[k].node == i)
                put_place(p, &p->list[k], with_why, out);
    }
    if (n_idle > 0 && inv->n_nodes > 16)
        buf_printf(out, "%d more nodes have nothing to do\n", n_idle);
    put_misses(p, out);
    int n_over = 0, worst = 0;
    for (int i = 0; i < inv->n_nodes; i++)
        n_over += p->nodes[i].load > 1, worst = p->nodes[i].load > p->nodes[worst].load ? i : worst;
    if (n_over > 0)
        buf_printf(out, "\ntoo much work: %d node%s at load above 100 %%, most on %s (%.0f %%): more\nreplicas, faster machines or less traffic\n", n_over, n_over > 1 ? "s" : "", inv->nodes[worst].name,
                   100 * p->nodes[worst].load);
    char time[24];
    buf_printf(out, "\na usual request %s; %.0f W of all nodes at this traffic: USD %.2f a month\n", isnan(p->latency_s) ? "-" : short_seconds(time, p->latency_s), p->watts, p->usd_month);
    buf_printf(out, "score %.6g, %s\n", p->score, p->is_exact ? "proven to be the best by this score" : "the best that was found in a bounded search");
    buf_puts(out, "Speeds and memory are estimates (docs/plan.md), times are of a usual request.\n");
}

void cluster_plan_put_text(const struct cluster_plan *p, struct buf *out) { put_plan(p, false, out); }
void cluster_plan_put_why(const struct cluster_plan *p, struct buf *out) { put_plan(p, true, out); }

/* ---- JSON ---- */

static void put_key(struct buf *b, const char *key, const char *value)
{
    buf_printf(b, "\"%s\":", key);
    buf_put_json_text(b, value);
}

static void put_number(struct buf *b, const char *key, double v)
{
    buf_printf(b, isfinite(v) ? "\"%s\":%.9g" : "\"%s\":null", key, v);
}

static void put_range(struct buf *b, const char *key, struct plan_range r)
{
    buf_printf(b, "\"%s\":", key);
    if (plan_is_known(r))
        buf_printf(b, "{\"low\":%.6g,\"mid\":%.6g,\"high\":%.6g}", r.low, r.mid, r.high);
    else
        buf_puts(b, "null");
}

static void put_place_json(const struct cluster_plan *p, const struct place *r, struct buf *b)
{
    const struct inv_want *w = &p->inv->wants[r->want];
    const struct inv_node *n = &p->inv->nodes[r->node];
    const struct inv_device *d = &n->devices[r->device];
    buf_putc(b, '{');
    put_key(b, "expert", w->name), buf_putc(b, ',');
    put_key(b, "node", n->name), buf_putc(b, ',');
    put_key(b, "device", d->name), buf_putc(b, ',');
    put_key(b, "resource", d->resource), buf_putc(b, ',');
    put_key(b, "runtime", r->runtime), buf_putc(b, ',');
    if (w->n_quants)
        put_key(b, "quant", w->model_of[r->quant].quant);
    else
        buf_puts(b, "\"quant\":null");
    buf_printf(b, ",\"bytes\":%llu,\"is_device_memory\":%s,\"need\":{\"weights\":%llu,\"kv\":%llu,\"compute\":%llu,\"runtime\":%llu,\"is_exact\":%s},", (unsigned long long)r->bytes,
               r->is_device_memory ? "true" : "false", (unsigned long long)r->need.weights, (unsigned long long)r->need.kv, (unsigned long long)r->need.compute,
               (unsigned long long)r->need.runtime, r->need.is_exact ? "true" : "false");
    put_range(b, "tok_s", r->tok_s), buf_putc(b, ',');
    put_range(b, "ttft_s", r->ttft_s), buf_putc(b, ',');
    put_range(b, "item_s", r->item_s), buf_putc(b, ',');
    put_number(b, "busy_w", r->busy_w), buf_putc(b, ',');
    put_number(b, "share", r->share), buf_putc(b, ',');
    put_number(b, "load", r->load), buf_putc(b, ',');
    put_key(b, "why", r->why);
    buf_putc(b, '}');
}

void cluster_plan_put_json(const struct cluster_plan *p, struct buf *b)
{
    const struct inventory *inv = p->inv;
    buf_putc(b, '{');
    put_key(b, "name", inv->name);
    buf_printf(b, ",\"is_exact\":%s,\"n_looked_at\":%llu,", p->is_exact ? "true" : "false", (unsigned long long)p->n_looked_at);
    put_number(b, "score", p->score), buf_putc(b, ',');
    put_number(b, "latency_s", p->latency_s), buf_putc(b, ',');
    put_number(b, "watts", p->watts), buf_putc(b, ',');
    put_number(b, "usd_month", p->usd_month);
    buf_puts(b, ",\"nodes\":[");
    for (int i = 0; i < inv->n_nodes; i++) {
        const struct place_node *x = &p->nodes[i];
        buf_puts(b, i ? ",\n{" : "\n{");
        put_key(b, "name", inv->nodes[i].name), buf_putc(b, ',');
        put_key(b, "kind", inv->nodes[i].kind);
        buf_printf(b, ",\"memory_bytes\":%llu,\"usable_bytes\":%llu,\"used_bytes\":%llu,", (unsigned long long)inv->nodes[i].mem_bytes, (unsigned long long)inv->nodes[i].free_bytes,
                   (unsigned long long)x->used_bytes);
        put_number(b, "load", x->load), buf_putc(b, ',');
        put_number(b, "idle_w", x->idle_w), buf_putc(b, ',');
        put_number(b, "mean_w", x->mean_w);
        buf_putc(b, '}');
    }
    buf_puts(b, "],\"placed\":[");
    for (int i = 0; i < p->n; i++) {
        buf_puts(b, i ? ",\n" : "\n");
        put_place_json(p, &p->list[i], b);
    }
    buf_puts(b, "],\"missing\":[");
    for (int i = 0; i < p->n_misses; i++) {
        const struct place_miss *m = &p->misses[i];
        buf_puts(b, i ? ",\n{" : "\n{");
        put_key(b, "expert", inv->wants[m->want].name);
        buf_printf(b, ",\"n\":%d,", m->n_missing);
        put_key(b, "why", m->why), buf_putc(b, ',');
        put_key(b, "buy", m->buy), buf_putc(b, ',');
        put_number(b, "usd", m->usd);
        buf_putc(b, '}');
    }
    buf_puts(b, "]}\n");
}
