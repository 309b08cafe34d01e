/* pipeline/event_json.c - see event_json.h. */
#include "pipeline/event_json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

void time_text(char out[TIME_TEXT_BYTES], int64_t unix_ms)
{
    struct tm tm = { 0 };
    const time_t s = (time_t)(unix_ms / 1000);
    gmtime_r(&s, &tm);
    const size_t n = strftime(out, TIME_TEXT_BYTES, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(out + n, TIME_TEXT_BYTES - n, ".%03dZ", (int)(unix_ms % 1000));
}

static void put_text(struct buf *b, const char *key, const char *text)
{
    buf_printf(b, ",\"%s\":", key);
    buf_put_json_text(b, text);
}

static void put_texts(struct buf *b, const char *key, const char *const *texts, int n)
{
    buf_printf(b, ",\"%s\":[", key);
    for (int i = 0; i < n; i++) {
        buf_puts(b, i ? "," : "");
        buf_put_json_text(b, texts[i]);
    }
    buf_putc(b, ']');
}

static void put_number(struct buf *b, const char *key, double v)
{
    if (isfinite(v))
        buf_printf(b, ",\"%s\":%.6g", key, v);
    else
        buf_printf(b, ",\"%s\":null", key);
}

void event_put_json(struct buf *b, const struct cascade *c, const struct cascade_event *e, const char *picture)
{
    char time[TIME_TEXT_BYTES];
    bool is_first = true;
    time_text(time, e->start_unix_ms);
    buf_puts(b, "{\"cascade\":");
    buf_put_json_text(b, c->name);
    buf_printf(b, ",\"event\":%llu,\"time\":\"%s\",\"start\":%.3f,\"end\":%.3f,\"duration\":%.3f,\"cut\":%s,\"pieces\":%d", (unsigned long long)e->id, time, e->start_s,
               e->end_s, e->end_s - e->start_s, e->is_cut ? "true" : "false", e->n_pieces);
    put_texts(b, "labels", e->labels, e->n_labels);
    put_texts(b, "names", e->names, e->n_names);
    buf_printf(b, ",\"count\":%d", e->count);
    put_text(b, "text", e->text);
    put_text(b, "by", e->text_by);
    if (e->best)
        buf_printf(b, ",\"best\":%.3f", e->best_s);
    if (picture)
        put_text(b, "picture", picture);
    buf_puts(b, ",\"stages\":{");
    for (int k = 0; k < e->n_stages; k++) {
        const struct cascade_result *r = &e->results[k];
        if (!r->seen)
            continue;
        buf_puts(b, is_first ? "" : ",");
        is_first = false;
        buf_put_json_text(b, c->stages[k].name);
        buf_puts(b, ":{\"expert\":");
        buf_put_json_text(b, r->expert);
        buf_printf(b, ",\"ms\":%.2f,\"score\":%.4f", (double)r->ms, (double)r->score);
        if (r->text[0])
            put_text(b, "text", r->text);
        buf_puts(b, ",\"result\":");
        task_result_put_json(b, r->seen);
        buf_putc(b, '}');
    }
    buf_puts(b, "}}");
}

static void put_joules(struct buf *b, double joules, bool is_measured)
{
    put_number(b, "joules", joules);
    buf_printf(b, ",\"joules_are\":\"%s\"", !isfinite(joules) ? "unknown" : is_measured ? "measured" : "estimated");
}

static void put_edge(struct buf *b, const struct cascade_edge *e, bool is_first)
{
    buf_puts(b, is_first ? "{\"node\":" : ",{\"node\":");
    buf_put_json_text(b, e->node);
    buf_printf(b, ",\"jobs\":%llu,\"failed\":%llu,\"bytes_out\":%llu,\"bytes_in\":%llu,\"ms\":%.3f,\"there_ms\":%.3f", (unsigned long long)e->jobs, (unsigned long long)e->failed,
               (unsigned long long)e->bytes_out, (unsigned long long)e->bytes_in, e->ms, e->there_ms);
    put_joules(b, e->joules, e->is_measured);
    buf_putc(b, '}');
}

void figures_put_json(struct buf *b, const struct cascade *c, const struct cascade_figures *f)
{
    buf_puts(b, "{\"cascade\":");
    buf_put_json_text(b, c->name);
    buf_printf(b, ",\"summary\":{\"pieces\":%llu,\"events\":%llu,\"events_dropped\":%llu,\"stream_s\":%.3f,\"wall_s\":%.3f,\"pool_bytes\":%llu,\"stages\":[",
               (unsigned long long)f->pieces, (unsigned long long)f->events, (unsigned long long)f->events_dropped, f->stream_s, f->wall_s,
               (unsigned long long)f->pool_bytes);
    for (int k = 0; k < f->n_stages; k++) {
        const struct cascade_stage_figures *s = &f->stages[k];
        const struct cascade_stage *p = &c->stages[k];
        buf_puts(b, k ? ",{\"stage\":" : "{\"stage\":");
        buf_put_json_text(b, p->name);
        put_text(b, "expert", p->n_experts > 0 ? p->ids[s->expert] : "");
        buf_printf(b, ",\"in\":%llu,\"results\":%llu,\"dropped\":{", (unsigned long long)s->in, (unsigned long long)s->results);
        for (int d = 0; d < CASCADE_DROP_COUNT; d++)
            buf_printf(b, "%s\"%s\":%llu", d ? "," : "", cascade_drop_name((enum cascade_drop)d), (unsigned long long)s->dropped[d]);
        buf_printf(b, "},\"fallbacks\":%llu,\"returns\":%llu,\"ms\":%.3f", (unsigned long long)s->fallbacks, (unsigned long long)s->returns, s->ms);
        put_joules(b, s->joules, s->is_measured);
        put_text(b, "node", s->edge >= 0 ? s->edges[s->edge].node : "");
        buf_puts(b, ",\"edges\":[");
        for (int i = 0; i < s->n_edges; i++)
            put_edge(b, &s->edges[i], i == 0);
        buf_puts(b, "]}");
    }
    buf_puts(b, "]}}");
}
