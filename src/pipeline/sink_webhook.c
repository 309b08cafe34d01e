/* pipeline/sink_webhook.c - events to a web server: POST of one JSON object each; 2xx is good, 4xx (but 408, 429) is never tried again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/client.h"
#include "pipeline/sink_internal.h"

enum { HEAD_MS = 10000, LOOK_MS = 100 };

struct hook {
    struct http_target target;
    char path[512], bearer[SINK_SECRET_MAX + 16];
    struct net_loop *loop; /* of this sink's thread */
    struct http_client *client;
    struct net_timer *timer;
    /* one call */
    bool is_over;
    int status;
    struct err err;
};

static void hook_close(struct sink *s)
{
    struct hook *h = s->self;
    if (!h)
        return;
    http_client_free(h->client);
    net_timer_free(h->timer);
    net_loop_free(h->loop);
    memset(h->bearer, 0, sizeof(h->bearer));
    free(h);
}

static void on_timer(void *ctx) { (void)ctx; }

static bool hook_open(struct sink *s, struct err *err)
{
    struct hook *h = calloc(1, sizeof(*h));
    char url[1024], secret[SINK_SECRET_MAX], ca[1024];
    s->self = h;
    if (!h)
        return err_set(err, ERR_NOMEM, "no memory");
    const char *slashes = strstr(s->plan->to, "://"), *path = slashes ? strchr(slashes + 3, '/') : NULL;
    if ((strncmp(s->plan->to, "http://", 7) != 0 && strncmp(s->plan->to, "https://", 8) != 0) || strlen(s->plan->to) >= sizeof(url))
        return err_set(err, ERR_INPUT, "webhook: '%.60s': http://... or https://... is wanted", s->plan->to);
    snprintf(url, sizeof(url), "%.*s", path ? (int)(path - s->plan->to) : (int)strlen(s->plan->to), s->plan->to);
    if (snprintf(h->path, sizeof(h->path), "%s", path ? path : "/") >= (int)sizeof(h->path) || strpbrk(h->path, " #"))
        return err_set(err, ERR_INPUT, "webhook: the path is too long or has a blank or #");
    if (!http_target_parse(&h->target, url, err))
        return false;
    if (s->plan->token_file) {
        if (!sink_secret(s, s->plan->token_file, secret, err))
            return false;
        snprintf(h->bearer, sizeof(h->bearer), "Bearer %s", secret);
    }
    if (s->plan->ca_file && !sink_path(s, s->plan->ca_file, ca, sizeof(ca), err))
        return false;
    const struct http_client_config config = { .max_connections = 1, .max_idle = 1, .ca_file = s->plan->ca_file ? ca : NULL };
    return (h->loop = net_loop_new(err)) && (h->client = http_client_new(h->loop, &h->target, &config, err)) && (h->timer = net_timer_new(h->loop, on_timer, h, err));
}

static void on_head(void *ctx, const struct http_head *head) { ((struct hook *)ctx)->status = head->status; }
static void on_end(void *ctx, enum http_end how, const struct err *err)
{
    struct hook *h = ctx;
    h->is_over = true;
    if (how != HTTP_END_DONE)
        h->err = *err;
}

static bool hook_send(struct sink *s, const struct record *r, struct err *err)
{
    struct hook *h = s->self;
    const struct http_field fields[] = { { "content-type", "application/json" }, { "authorization", h->bearer } };
    const struct http_piece body = { r->line, r->n_line };
    const struct http_call_fns fns = { on_head, NULL, on_end };
    const struct http_ask ask = { .verb = HTTP_VERB_POST, .path = h->path, .fields = fields, .n_fields = h->bearer[0] ? 2 : 1, .body = &body, .n_body = 1,
                                  .head_ms = HEAD_MS, .idle_ms = HEAD_MS, .max_body_bytes = 1 << 20 };
    h->is_over = false, h->status = 0;
    err_clear(&h->err);
    struct http_call *call = http_client_call(h->client, &ask, &fns, h, err);
    if (!call)
        return false;
    net_timer_start(h->timer, LOOK_MS, LOOK_MS);
    while (!h->is_over && !atomic_load(&s->must_end))
        net_loop_step(h->loop);
    net_timer_stop(h->timer);
    if (!h->is_over) {
        http_call_cancel(call);
        return err_set(err, ERR_CANCELLED, "ended");
    }
    if (h->err.code != ERR_NONE)
        return err_set(err, ERR_BUSY, "%s", h->err.text);
    if (h->status >= 200 && h->status < 300)
        return true;
    const bool again = h->status >= 500 || h->status == 408 || h->status == 429;
    return err_set(err, again ? ERR_BUSY : ERR_INPUT, "it answered %d", h->status);
}

const struct sink_ops sink_webhook = { hook_open, hook_send, hook_close };
