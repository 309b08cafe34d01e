/* net/grpc_client.c - see grpc_client.h. */
#include "net/grpc_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct grpc_client_call {
    struct h2_call *stream; /* NULL: it is over */
    const struct grpc_client_fns *fns;
    void *ctx;
    struct grpc_reader reader;
    struct net_timer *deadline, *later; /* later: tells of an end that came from inside one of our own callbacks */
    int http_status;
    bool has_status, is_grpc;
    bool *is_gone; /* on_data() is at work and wants to know */
    enum grpc_status status;
    char text[512];
};

static void call_free(struct grpc_client_call *c)
{
    net_timer_free(c->deadline);
    net_timer_free(c->later);
    grpc_reader_fini(&c->reader);
    free(c);
}

static void tell_end(void *ctx)
{
    struct grpc_client_call *c = ctx;
    const struct grpc_client_fns *fns = c->fns;
    void *to = c->ctx;
    char text[sizeof(c->text)];
    const enum grpc_status status = c->status;
    memcpy(text, c->text, sizeof(text));
    call_free(c);
    fns->on_end(to, status, text);
}

/* Our own end: the server is told that nobody listens; the caller hears of it in the loop. */
static void give_up(struct grpc_client_call *c, enum grpc_status status, const char *text)
{
    h2_call_cancel(c->stream);
    c->stream = NULL;
    c->status = status;
    snprintf(c->text, sizeof(c->text), "%s", text);
    net_timer_start(c->later, 0, 0);
}

static void on_deadline(void *ctx)
{
    struct grpc_client_call *c = ctx;
    if (c->stream)
        give_up(c, GRPC_DEADLINE_EXCEEDED, "Deadline exceeded");
}

/* grpc-status may stand in the trailers or, when there was no message, in the only head. */
static void read_status(struct grpc_client_call *c, const struct http_head *head)
{
    const char *status = http_head_get(head, "grpc-status"), *text = http_head_get(head, "grpc-message");
    if (!status)
        return;
    char *end;
    const long v = strtol(status, &end, 10);
    c->has_status = true;
    c->status = *status && !*end && v >= 0 && v < GRPC_STATUS_COUNT ? (enum grpc_status)v : GRPC_UNKNOWN;
    snprintf(c->text, sizeof(c->text), "%s", text ? text : "");
    grpc_read_message(c->text);
}

static void on_head(void *ctx, const struct http_head *head)
{
    struct grpc_client_call *c = ctx;
    const char *type = http_head_get(head, "content-type");
    c->http_status = head->status;
    c->is_grpc = type && strncmp(type, "application/grpc", 16) == 0;
    read_status(c, head);
}

static void on_trailers(void *ctx, const struct http_head *head) { read_status(ctx, head); }

static void on_data(void *ctx, const char *bytes, size_t n)
{
    struct grpc_client_call *c = ctx;
    bool is_gone = false;
    if (c->http_status != 200 || !c->is_grpc)
        return; /* a page that explains itself to people */
    c->is_gone = &is_gone;
    while (c->stream) {
        const void *m;
        size_t n_m;
        const enum grpc_piece p = grpc_read(&c->reader, &bytes, &n, &m, &n_m);
        if (p == GRPC_MORE)
            break;
        if (p == GRPC_MESSAGE) {
            if (c->fns->on_message)
                c->fns->on_message(c->ctx, m, n_m);
            if (is_gone)
                return;
            continue;
        }
        enum grpc_status status;
        const char *why = grpc_complaint(p, &status);
        give_up(c, status, why);
    }
    c->is_gone = NULL;
}

static void on_drain(void *ctx)
{
    struct grpc_client_call *c = ctx;
    if (c->fns->on_drain)
        c->fns->on_drain(c->ctx);
}

static void on_end(void *ctx, enum http_end how, const struct err *err)
{
    struct grpc_client_call *c = ctx;
    c->stream = NULL;
    if (c->has_status) {
        /* the server's word, whatever became of the connection */
    } else if (how != HTTP_END_DONE) {
        c->status = err->code == ERR_CANCELLED ? GRPC_CANCELLED : GRPC_UNAVAILABLE;
        snprintf(c->text, sizeof(c->text), "%s", err->text);
    } else if (c->http_status != 200) {
        c->status = grpc_status_of_http(c->http_status);
        snprintf(c->text, sizeof(c->text), "HTTP status %d %s", c->http_status, http_reason(c->http_status));
    } else {
        c->status = c->is_grpc ? GRPC_INTERNAL : GRPC_UNKNOWN;
        snprintf(c->text, sizeof(c->text), "%s", c->is_grpc ? "the answer has no status" : "the answer is no gRPC");
    }
    if (c->has_status && c->status == GRPC_OK && grpc_is_inside(&c->reader)) {
        c->status = GRPC_INTERNAL;
        snprintf(c->text, sizeof(c->text), "the last message is not complete");
    }
    tell_end(c);
}

struct grpc_client_call *grpc_client_call(struct net_loop *l, struct h2_client *client, const char *path, const struct http_field *metadata,
                                          int n_metadata, uint64_t timeout_ns, size_t max_message_bytes,
                                          const struct grpc_client_fns *fns, void *ctx, struct err *err)
{
    static const struct h2_call_fns stream_fns = { on_head, on_data, on_trailers, on_drain, on_end };
    struct http_field fields[HTTP_FIELDS_MAX];
    char timeout[16];
    int n = 0;
    if (n_metadata > HTTP_FIELDS_MAX - 4)
        return err_null(err, ERR_INPUT, "%s: %d fields of metadata", path, n_metadata);
    struct grpc_client_call *c = calloc(1, sizeof(*c));
    if (!c)
        return err_null(err, ERR_NOMEM, "%s: out of memory", path);
    c->fns = fns;
    c->ctx = ctx;
    grpc_reader_init(&c->reader, max_message_bytes);
    fields[n++] = (struct http_field){ "content-type", "application/grpc+proto" };
    fields[n++] = (struct http_field){ "te", "trailers" };
    if (timeout_ns) {
        grpc_put_timeout(timeout, timeout_ns);
        fields[n++] = (struct http_field){ "grpc-timeout", timeout };
    }
    for (int i = 0; i < n_metadata; i++)
        fields[n++] = metadata[i];
    if ((c->later = net_timer_new(l, tell_end, c, err)) && (!timeout_ns || (c->deadline = net_timer_new(l, on_deadline, c, err))) &&
        (c->stream = h2_client_call(client, HTTP_VERB_POST, path, fields, n, true, &stream_fns, c, err))) {
        if (timeout_ns)
            net_timer_start(c->deadline, timeout_ns / 1000000 + 1, 0);
        return c;
    }
    call_free(c);
    return NULL;
}

void grpc_client_send(struct grpc_client_call *c, const void *message, size_t n)
{
    char prefix[GRPC_PREFIX_BYTES];
    if (!c->stream)
        return;
    grpc_put_prefix(prefix, n);
    h2_call_write(c->stream, prefix, sizeof(prefix));
    h2_call_write(c->stream, message, n);
}

bool grpc_client_is_full(const struct grpc_client_call *c) { return c->stream && h2_call_queued(c->stream) > HTTP_QUEUE_HIGH_BYTES; }

void grpc_client_half_close(struct grpc_client_call *c)
{
    if (c->stream)
        h2_call_end(c->stream);
}

void grpc_client_hold(struct grpc_client_call *c, bool hold)
{
    if (c->stream)
        h2_call_hold(c->stream, hold);
}

void grpc_client_cancel(struct grpc_client_call *c)
{
    if (!c)
        return;
    if (c->is_gone)
        *c->is_gone = true;
    h2_call_cancel(c->stream);
    call_free(c);
}
