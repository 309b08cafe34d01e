/* api/routed.c - see routed.h. */
#include "api/routed.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "wire/put.h"

static const char *keep(char *to, size_t max, const char *s)
{
    snprintf(to, max, "%s", s ? s : "");
    return to;
}

static const char *keep_plain(char *to, size_t max, const char *s)
{
    keep(to, max, s);
    for (char *c = to; *c; c++)
        if ((unsigned char)*c < 0x20 || (unsigned char)*c >= 0x7f)
            *c = '?';
    return to;
}

void routed_take(struct routed *r, const struct expert_route *route, bool is_final)
{
    if (!r->is_there)
        buf_init(&r->parts, ROUTED_PARTS_MAX_BYTES);
    else if (!is_final)
        buf_clear(&r->parts); /* another one answers now */
    r->is_there = true;
    r->is_final = is_final;
    r->route = *route;
    r->route.expert = keep_plain(r->expert, sizeof(r->expert), route->expert);
    r->route.node = keep_plain(r->node, sizeof(r->node), route->node);
    r->route.why = keep_plain(r->why, sizeof(r->why), route->why);
    r->route.intent = keep_plain(r->intent, sizeof(r->intent), route->intent);
    r->route.ladder = keep_plain(r->ladder, sizeof(r->ladder), route->ladder);
}

void routed_fini(struct routed *r) { buf_fini(&r->parts); }

static void put_text(struct buf *b, const char *name, const char *s)
{
    buf_printf(b, ",\"%s\":", name);
    buf_put_json(b, s ? s : "", s ? strlen(s) : 0);
}

static void put_number(struct buf *b, const char *name, float v)
{
    buf_printf(b, ",\"%s\":", name);
    if (isfinite(v))
        put_f32(b, v);
    else
        buf_puts(b, "null");
}

void routed_add_part(struct routed *r, const struct expert_part *p)
{
    struct buf *b = &r->parts;
    if (!r->is_there)
        return;
    const size_t before = b->len;
    buf_printf(b, "%s{\"task\":\"%s\"", before ? "," : "", expert_task_name(p->task));
    put_text(b, "expert", p->expert);
    put_text(b, "node", p->node);
    if (p->medium >= 0)
        buf_printf(b, ",\"medium\":%d", p->medium);
    put_number(b, "start_ms", p->start_ms);
    put_number(b, "ms", p->ms);
    put_number(b, "joules", p->joules);
    buf_printf(b, ",\"is_measured\":%s", p->is_measured ? "true" : "false");
    if (p->text && *p->text)
        put_text(b, "text", p->text);
    if (p->error)
        put_text(b, "error", p->error);
    buf_putc(b, '}');
    if (b->failed) { /* too much to show: what came before stays */
        b->len = before;
        b->failed = false;
    }
}

static const char *how_known(const struct routed *r) { return r->is_final && r->route.is_measured ? "measured" : "estimated"; }

int routed_fields(struct routed *r, struct http_field *out)
{
    const struct expert_route *t = &r->route;
    int n = 0;
    if (!r->is_there)
        return 0;
    out[n++] = (struct http_field){ "tutti-expert", t->expert };
    out[n++] = (struct http_field){ "tutti-node", t->node };
    out[n++] = (struct http_field){ "tutti-route", keep_plain(r->id, sizeof(r->id), t->id) };
    out[n++] = (struct http_field){ "tutti-why", t->why };
    if (t->n_asked > 1) {
        snprintf(r->asked, sizeof(r->asked), "%d", t->n_asked);
        out[n++] = (struct http_field){ "tutti-asked", r->asked };
    }
    if (isfinite(t->joules)) {
        snprintf(r->joules, sizeof(r->joules), "%.4g %s", (double)t->joules, how_known(r));
        out[n++] = (struct http_field){ "tutti-joules", r->joules };
    }
    if (isfinite(t->usd)) {
        snprintf(r->usd, sizeof(r->usd), "%.4g estimated", (double)t->usd);
        out[n++] = (struct http_field){ "tutti-usd", r->usd };
    }
    if (t->is_degraded && t->ladder[0])
        out[n++] = (struct http_field){ "tutti-ladder", t->ladder };
    return n;
}

void routed_put(struct buf *out, const struct routed *r)
{
    const struct expert_route *t = &r->route;
    buf_printf(out, "{\"route\":\"%s\"", t->id);
    put_text(out, "expert", t->expert);
    put_text(out, "node", t->node);
    put_text(out, "why", t->why);
    if (t->intent[0])
        put_text(out, "intent", t->intent);
    buf_printf(out, ",\"asked\":%d", t->n_asked);
    if (t->is_degraded)
        put_text(out, "ladder", t->ladder);
    put_number(out, "predicted_ttft_s", t->ttft_s);
    put_number(out, "predicted_total_s", t->total_s);
    put_number(out, "joules", t->joules);
    put_number(out, "usd", t->usd);
    put_text(out, "joules_are", how_known(r));
    if (r->parts.len > 0) {
        buf_puts(out, ",\"parts\":[");
        buf_append(out, r->parts.data, r->parts.len);
        buf_putc(out, ']');
    }
    buf_putc(out, '}');
}
