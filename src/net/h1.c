/* net/h1.c - the life of an HTTP/1.1 connection; start reading at feed() and h1_service().
 *
 *                     first byte       head is whole            body is whole
 *   accept --> IDLE -------------> HEAD -----------> BODY --------------------> ANSWER
 *               ^   (on_read)        (feed)            | (feed)                    |
 *               |                                      | response is out, h1_service()
 *               |           rest was read              v                           |
 *               +--------------------------------- SKIP (a small rest) <-----------+--> IDLE | CLOSED
 *                                                  LINGER (a large or broken one: the client hears why,
 *                                                  what it still sends is thrown away) --> CLOSED
 *   any --> CLOSED: http_conn_close(), the only place where a stream's on_close is called for a lost client
 *
 * Nothing is written from inside a handler's call: it marks the connection dirty, and the server's flush,
 * once per round, lets the bytes go.  So a round's small writes leave in one, and callbacks never nest.
 */
#include <string.h>

#include "net/net_internal.h"

enum {
    SKIP_MAX_BYTES = 64 << 10,     /* a rest of a body that is cheaper to read than a new connection */
    LINGER_MAX_BYTES = 64 << 20,
};

void h1_drop(struct http_conn *c, enum http_close why)
{
    struct http_stream *s = c->stream;
    c->stream = NULL;
    if (!s)
        return;
    if (s->fns)
        s->fns->on_close(s->ctx, why);
    server_give_stream(c->server, s);
}

void h1_drain(struct http_conn *c)
{
    c->closes_after = true;
    if (c->state == HTTP_CONN_IDLE)
        http_conn_close(c, HTTP_CLOSE_STOP);
}

/* ---- leaving with words ---- */

static void enter_linger(struct http_conn *c)
{
    c->state = HTTP_CONN_LINGER;
    c->n_lingered = 0;
    buf_clear(&c->held);
    c->held_at = 0;
    http_conn_input_by(c, c->server->config.linger_ms);
    http_conn_mark_dirty(c);
}

/* A refusal of ours, outside of any stream; the connection ends with it. */
void h1_refuse(struct http_conn *c, int status, const char *why)
{
    const struct http_server_config *k = &c->server->config;
    struct buf body;
    const char *type = "text/plain; charset=utf-8";
    h1_drop(c, status == 408 ? HTTP_CLOSE_TIMEOUT : HTTP_CLOSE_ERROR);
    c->server->stats.responses_total[status / 100 % 6]++;
    buf_init(&body, 4096);
    if (k->put_error)
        type = k->put_error(k->ctx, status, why, &body);
    else
        buf_printf(&body, "%s\n", why);
    buf_printf(&c->out,
               "HTTP/1.1 %d %s\r\ndate: %s\r\ncontent-type: %s\r\ncontent-length: %zu\r\n%sconnection: close\r\n\r\n",
               status, http_reason(status), server_date(c->server), type, body.len,
               status == 503 ? "retry-after: 1\r\n" : "");
    if (body.len)
        buf_append(&c->out, body.data, body.len);
    buf_fini(&body);
    enter_linger(c);
}

void h1_on_time(struct http_conn *c)
{
    switch (c->state) {
    case HTTP_CONN_HEAD:
    case HTTP_CONN_BODY:
        c->server->stats.slow_total++;
        if (c->stream && c->stream->is_started)
            http_conn_close(c, HTTP_CLOSE_TIMEOUT);
        else
            h1_refuse(c, 408, c->state == HTTP_CONN_HEAD ? "the header took too long to arrive" : "the body came too slowly");
        break;
    case HTTP_CONN_IDLE:
    case HTTP_CONN_SKIP:
    case HTTP_CONN_LINGER: http_conn_close(c, HTTP_CLOSE_TIMEOUT); break;
    case HTTP_CONN_SNIFF:
    case HTTP_CONN_H2:
    case HTTP_CONN_ANSWER:
    case HTTP_CONN_CLOSED: break;
    }
}

/* ---- bytes in ---- */

static void begin_stream(struct http_conn *c)
{
    const struct http_server_config *k = &c->server->config;
    struct http_stream *s = c->stream;
    const bool has_body = s->head.content_length != 0;
    c->state = HTTP_CONN_BODY;
    c->body_since_ms = http_conn_now_ms(c);
    http_conn_input_by(c, has_body ? k->body_ms : 0);
    s->drops_body = s->head.verb == HTTP_VERB_HEAD;
    k->on_request(k->ctx, s, &s->head);
    if (!s->fns) {
        h1_refuse(c, 500, "nobody took this request");
        return;
    }
    if (c->parser.wants_continue && !s->is_started && !s->is_reset) {
        buf_puts(&c->out, "HTTP/1.1 100 Continue\r\n\r\n");
        c->parser.wants_continue = false;
        http_conn_mark_dirty(c);
    }
}

/* Must the parser wait?  For the response before the next request, or for h1_service() to cut off a stream that was reset. */
static bool must_wait(const struct http_conn *c)
{
    return c->state == HTTP_CONN_ANSWER || (c->state == HTTP_CONN_BODY && c->stream && c->stream->is_reset);
}

/* Works through the bytes as far as it may go; returns how many it used. */
static size_t feed(struct http_conn *c, const char *at, size_t n)
{
    const size_t n_all = n;
    while (c->state < HTTP_CONN_LINGER && !must_wait(c)) {
        struct http_stream *s = c->stream;
        if (c->state == HTTP_CONN_IDLE || c->state == HTTP_CONN_HEAD) {
            if (n == 0)
                break;
            if (!s && !(c->stream = s = server_take_stream(c->server))) {
                h1_refuse(c, 503, "out of memory");
                break;
            }
            s->conn = c;
        }
        const enum h1_event ev = h1_next(&c->parser, s ? &s->head : NULL, &at, &n);
        if (ev == H1_MORE)
            break;
        switch (ev) {
        case H1_HEAD: begin_stream(c); break;
        case H1_DATA: {
            const struct http_server_config *k = &c->server->config;
            if (c->state == HTTP_CONN_BODY) {
                c->input_by_ms = c->body_since_ms + k->body_ms + c->parser.n_body * 1000 / 1024;
                if (s->fns->on_data && !s->is_ended)
                    s->fns->on_data(s->ctx, c->parser.data, c->parser.n_data);
            }
            break;
        }
        case H1_END:
            http_conn_input_by(c, 0);
            if (c->state == HTTP_CONN_SKIP) {
                h1_reset(&c->parser);
                c->state = HTTP_CONN_IDLE;
                http_conn_input_by(c, c->server->config.idle_ms);
                break;
            }
            c->state = HTTP_CONN_ANSWER;
            if (s->fns->on_end && !s->is_ended)
                s->fns->on_end(s->ctx);
            http_conn_mark_dirty(c); /* the response may be out already */
            break;
        case H1_FAIL:
            c->server->stats.bad_total++;
            if (c->state == HTTP_CONN_SKIP || (s && s->is_started))
                http_conn_close(c, HTTP_CLOSE_ERROR);
            else
                h1_refuse(c, c->parser.status, c->parser.why);
            break;
        case H1_MORE: break;
        }
    }
    if (c->state == HTTP_CONN_IDLE && h1_is_inside(&c->parser)) {
        c->state = HTTP_CONN_HEAD;
        http_conn_input_by(c, c->server->config.head_ms);
    }
    if (c->state == HTTP_CONN_LINGER)
        n = 0; /* thrown away */
    return n_all - n;
}

static void feed_held(struct http_conn *c)
{
    if (c->held.len > 0)
        c->held_at += feed(c, c->held.data + c->held_at, c->held.len - c->held_at);
    if (c->state == HTTP_CONN_CLOSED)
        return;
    if (c->held_at >= c->held.len) {
        c->held_at = 0;
        buf_clear(&c->held);
        if (c->held.cap > KEEP_BYTES) {
            buf_fini(&c->held);
            buf_init(&c->held, H1_HELD_MAX_BYTES + READ_BYTES);
        }
    }
    http_conn_set_reading(c, c->held.len - c->held_at < H1_HELD_MAX_BYTES);
}

void h1_on_end_of_input(struct http_conn *c)
{
    /* A client that closes looks like one that only stops sending.  We take it for gone, as the others do
     * too, except when all that it wants is on its way out already. */
    if (c->stream && c->stream->is_ended && !c->stream->is_reset) {
        c->closes_after = true;
        http_conn_set_reading(c, false);
        return;
    }
    http_conn_close(c, HTTP_CLOSE_HANGUP);
}

void h1_on_bytes(struct http_conn *c, const char *bytes, size_t n)
{
    if (c->state == HTTP_CONN_LINGER) {
        c->n_lingered += n;
        if (c->n_lingered > LINGER_MAX_BYTES)
            http_conn_close(c, HTTP_CLOSE_ERROR);
        return;
    }
    size_t used = 0;
    if (c->held.len == 0)
        used = feed(c, bytes, n);
    if (c->state == HTTP_CONN_CLOSED || used == n)
        return;
    if (c->held_at > 0) {
        memmove(c->held.data, c->held.data + c->held_at, c->held.len - c->held_at);
        c->held.len -= c->held_at;
        c->held_at = 0;
    }
    buf_append(&c->held, bytes + used, n - used);
    if (c->held.failed) {
        http_conn_close(c, HTTP_CLOSE_ERROR);
        return;
    }
    http_conn_set_reading(c, c->held.len < H1_HELD_MAX_BYTES);
}

/* ---- bytes out ---- */

/* The response is out: what becomes of the connection? */
static void finish(struct http_conn *c)
{
    const bool is_read = c->state == HTTP_CONN_ANSWER, closes = c->closes_after || c->parser.wants_close;
    h1_drop(c, HTTP_CLOSE_DONE);
    http_conn_shrink(c);
    if (is_read && closes) {
        http_conn_close(c, HTTP_CLOSE_DONE);
    } else if (closes) {
        enter_linger(c);
    } else if (is_read) {
        h1_reset(&c->parser);
        c->state = HTTP_CONN_IDLE;
        http_conn_input_by(c, c->server->config.idle_ms);
    } else {
        c->state = HTTP_CONN_SKIP;
    }
}

void h1_service(struct http_conn *c)
{
    struct http_stream *s = c->stream;
    if (c->state == HTTP_CONN_CLOSED)
        return;
    if ((s && s->is_reset) || c->out.failed) {
        http_conn_close(c, c->out.failed ? HTTP_CLOSE_ERROR : HTTP_CLOSE_STOP);
        return;
    }
    if (!http_conn_flush(c))
        return;
    if (!c->is_writing) {
        if (s && s->is_ended) {
            finish(c);
        } else if (c->state == HTTP_CONN_LINGER) {
            http_conn_shut(c);
        }
    }
    s = c->stream;
    if (s && s->was_high && h1_queued(s) < HTTP_QUEUE_LOW_BYTES) {
        s->was_high = false;
        if (s->fns && s->fns->on_drain && !s->is_ended)
            s->fns->on_drain(s->ctx);
    }
    if (c->state != HTTP_CONN_CLOSED && !must_wait(c))
        feed_held(c);
}

/* ---- what handlers call, by way of stream.c ---- */

size_t h1_queued(const struct http_stream *s)
{
    const struct http_conn *c = s->conn;
    return c->out.len + c->sealed.len + (c->is_writing ? uv_stream_get_write_queue_size((const uv_stream_t *)&c->tcp) : 0);
}

/* With a body still to come: is what is left so little that we read on, or does the connection end? */
static bool must_close_after(const struct http_conn *c)
{
    if (c->closes_after || c->parser.wants_close || c->server->is_draining)
        return true;
    return c->state == HTTP_CONN_BODY &&
           (c->stream->head.content_length < 0 || c->parser.n_left > SKIP_MAX_BYTES || c->parser.wants_continue);
}

static void put_fields(struct buf *b, const struct http_field *fields, int n_fields)
{
    for (int i = 0; i < n_fields; i++) {
        buf_puts(b, fields[i].name);
        buf_append(b, ": ", 2);
        for (const char *v = fields[i].value; *v; v++) /* what came from outside must not begin a line */
            buf_putc(b, (unsigned char)*v < 0x20 || *v == 0x7f ? ' ' : *v);
        buf_append(b, "\r\n", 2);
    }
}

void h1_start(struct http_stream *s, int status, const struct http_field *fields, int n_fields, int64_t n_body)
{
    struct http_conn *c = s->conn;
    if (must_close_after(c))
        c->closes_after = true;
    if (n_body < 0) {
        s->is_chunked = !c->parser.is_http10;
        c->closes_after = c->closes_after || !s->is_chunked; /* the end of the connection is the end of the body */
    }
    buf_printf(&c->out, "HTTP/1.1 %d %s\r\ndate: %s\r\n", status, http_reason(status), server_date(c->server));
    put_fields(&c->out, fields, n_fields);
    if (s->is_chunked)
        buf_puts(&c->out, "transfer-encoding: chunked\r\n");
    else if (n_body >= 0 && status != 204 && status != 304)
        buf_printf(&c->out, "content-length: %lld\r\n", (long long)n_body);
    if (c->closes_after)
        buf_puts(&c->out, "connection: close\r\n");
    else if (c->parser.is_http10)
        buf_puts(&c->out, "connection: keep-alive\r\n");
    buf_append(&c->out, "\r\n", 2);
    http_conn_mark_dirty(c);
}

static void put_chunk_size(struct buf *b, size_t n)
{
    char text[2 * sizeof(n) + 2], *p = text + sizeof(text);
    *--p = '\n';
    *--p = '\r';
    do {
        *--p = "0123456789abcdef"[n & 15];
        n >>= 4;
    } while (n > 0);
    buf_append(b, p, (size_t)(text + sizeof(text) - p));
}

void h1_write(struct http_stream *s, const void *bytes, size_t n)
{
    struct http_conn *c = s->conn;
    if (s->is_chunked)
        put_chunk_size(&c->out, n);
    buf_append(&c->out, bytes, n);
    if (s->is_chunked)
        buf_append(&c->out, "\r\n", 2);
    http_conn_mark_dirty(c);
}

void h1_end(struct http_stream *s, const struct http_field *trailers, int n_trailers)
{
    if (s->is_chunked && !s->drops_body) {
        buf_append(&s->conn->out, "0\r\n", 3);
        put_fields(&s->conn->out, trailers, n_trailers);
        buf_append(&s->conn->out, "\r\n", 2);
    }
    http_conn_mark_dirty(s->conn);
}
