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
 *   any --> CLOSED: conn_close(), the only place where a stream's on_close is called for a lost client
 *
 * Nothing is written from inside a handler's call: it marks the connection dirty, and the server's flush,
 * once per round, lets the bytes go.  So a round's small writes leave in one, and callbacks never nest.
 */
#include <stdlib.h>
#include <string.h>

#include "net/net_internal.h"

enum conn_state { CONN_IDLE, CONN_HEAD, CONN_BODY, CONN_ANSWER, CONN_SKIP, CONN_LINGER, CONN_CLOSED };
enum {
    HELD_MAX_BYTES = 64 << 10,     /* pipelined requests, or a body whose reader pauses; then we stop reading */
    SKIP_MAX_BYTES = 64 << 10,     /* a rest of a body that is cheaper to read than a new connection */
    LINGER_MAX_BYTES = 64 << 20,
    KEEP_BYTES = 16 << 10,         /* an idle connection keeps no more than this for its next response */
    OVER_MAX = 64,                 /* connections over the limit that are told so */
};

struct h1_conn {
    uv_tcp_t tcp;
    uv_timer_t timer;
    uv_write_t write;
    uv_shutdown_t shutdown;
    struct http_server *server;
    struct h1_conn *prev, *next, *next_dirty;
    enum conn_state state;
    bool is_dirty, is_reading, is_writing, is_shut, closes_after;
    int n_handles;
    struct h1_parser parser;
    struct http_stream *stream; /* BODY, ANSWER */
    struct buf out, flying;     /* flying belongs to libuv while is_writing */
    struct buf held;
    size_t held_at;
    uint64_t body_since_ms, input_by_ms, output_by_ms, timer_at_ms; /* 0: none */
    size_t output_left;
    uint64_t n_lingered;
};

struct h1_conn *h1_alloc(void) { return calloc(1, sizeof(struct h1_conn)); }

struct h1_conn *h1_next_conn(struct h1_conn *c) { return c->next; }

static uint64_t now_ms(const struct h1_conn *c) { return uv_now(c->tcp.loop); }

static void mark_dirty(struct h1_conn *c)
{
    if (c->is_dirty)
        return;
    c->is_dirty = true;
    c->next_dirty = c->server->dirty;
    c->server->dirty = c;
}

struct h1_conn *h1_pop_dirty(struct http_server *v)
{
    struct h1_conn *c = v->dirty;
    if (c) {
        v->dirty = c->next_dirty;
        c->is_dirty = false;
    }
    return c;
}

/* ---- closing ---- */

static void on_handle_closed(uv_handle_t *h)
{
    struct h1_conn *c = h->data;
    c->server->n_handles--;
    if (--c->n_handles > 0)
        return;
    h1_fini(&c->parser);
    buf_fini(&c->out);
    buf_fini(&c->flying);
    buf_fini(&c->held);
    struct http_server *v = c->server;
    if (c == v->spare)
        v->is_spare_busy = false;
    else
        free(c);
    server_accept_pending(v);
}

static void stream_close(struct h1_conn *c, enum http_close why)
{
    struct http_stream *s = c->stream;
    c->stream = NULL;
    if (!s)
        return;
    if (s->fns)
        s->fns->on_close(s->ctx, why);
    server_give_stream(c->server, s);
}

static void conn_close(struct h1_conn *c, enum http_close why)
{
    struct http_server *v = c->server;
    if (c->state == CONN_CLOSED)
        return;
    c->state = CONN_CLOSED;
    stream_close(c, why);
    for (struct h1_conn **p = &v->dirty; *p; p = &(*p)->next_dirty)
        if (*p == c) {
            *p = c->next_dirty;
            break;
        }
    if (c->prev)
        c->prev->next = c->next;
    else
        v->conns = c->next;
    if (c->next)
        c->next->prev = c->prev;
    v->stats.n_connections--;
    uv_close((uv_handle_t *)&c->tcp, on_handle_closed);
    uv_close((uv_handle_t *)&c->timer, on_handle_closed);
}

void h1_cut(struct h1_conn *c) { conn_close(c, HTTP_CLOSE_STOP); }

void h1_drain(struct h1_conn *c)
{
    c->closes_after = true;
    if (c->state == CONN_IDLE)
        conn_close(c, HTTP_CLOSE_STOP);
}

/* ---- clocks ---- */

static void on_timer(uv_timer_t *t);

/* The timer may run early and is then set again: most deadlines move on before they are reached. */
static void set_timer(struct h1_conn *c)
{
    const uint64_t a = c->input_by_ms, b = c->output_by_ms;
    const uint64_t at = a && b ? (a < b ? a : b) : a ? a : b;
    if (!at || (c->timer_at_ms && c->timer_at_ms <= at))
        return;
    c->timer_at_ms = at;
    const uint64_t now = now_ms(c);
    uv_timer_start(&c->timer, on_timer, at > now ? at - now : 0, 0);
}

static void input_by(struct h1_conn *c, uint64_t in_ms)
{
    c->input_by_ms = in_ms ? now_ms(c) + in_ms : 0;
    set_timer(c);
}

/* ---- leaving with words ---- */

static void enter_linger(struct h1_conn *c)
{
    c->state = CONN_LINGER;
    c->n_lingered = 0;
    buf_clear(&c->held);
    c->held_at = 0;
    input_by(c, c->server->config.linger_ms);
    mark_dirty(c);
}

/* A refusal of ours, outside of any stream; the connection ends with it. */
static void refuse(struct h1_conn *c, int status, const char *why)
{
    const struct http_server_config *k = &c->server->config;
    struct buf body;
    const char *type = "text/plain; charset=utf-8";
    stream_close(c, status == 408 ? HTTP_CLOSE_TIMEOUT : HTTP_CLOSE_ERROR);
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

static void on_timer(uv_timer_t *t)
{
    struct h1_conn *c = t->data;
    const uint64_t now = now_ms(c);
    c->timer_at_ms = 0;
    if (c->output_by_ms && now >= c->output_by_ms) {
        const size_t left = uv_stream_get_write_queue_size((uv_stream_t *)&c->tcp);
        if (left >= c->output_left) {
            c->server->stats.slow_total++;
            conn_close(c, HTTP_CLOSE_TIMEOUT);
            return;
        }
        c->output_left = left;
        c->output_by_ms = now + c->server->config.stall_ms;
    }
    if (c->input_by_ms && now >= c->input_by_ms) {
        c->input_by_ms = 0;
        switch (c->state) {
        case CONN_HEAD:
        case CONN_BODY:
            c->server->stats.slow_total++;
            if (c->stream && c->stream->is_started) {
                conn_close(c, HTTP_CLOSE_TIMEOUT);
                return;
            }
            refuse(c, 408, c->state == CONN_HEAD ? "the header took too long to arrive" : "the body came too slowly");
            break;
        case CONN_IDLE:
        case CONN_SKIP:
        case CONN_LINGER: conn_close(c, HTTP_CLOSE_TIMEOUT); return;
        case CONN_ANSWER:
        case CONN_CLOSED: break;
        }
    }
    set_timer(c);
}

/* ---- bytes in ---- */

static void on_read(uv_stream_t *tcp, ssize_t n, const uv_buf_t *b);

static void give_buffer(uv_handle_t *h, size_t hint, uv_buf_t *out)
{
    struct h1_conn *c = h->data;
    (void)hint;
    *out = uv_buf_init(c->server->read_bytes, READ_BYTES);
}

static void set_reading(struct h1_conn *c, bool on)
{
    if (on == c->is_reading || c->state == CONN_CLOSED)
        return;
    c->is_reading = on;
    if (on)
        uv_read_start((uv_stream_t *)&c->tcp, give_buffer, on_read);
    else
        uv_read_stop((uv_stream_t *)&c->tcp);
}

static void begin_stream(struct h1_conn *c)
{
    const struct http_server_config *k = &c->server->config;
    struct http_stream *s = c->stream;
    const bool has_body = s->head.content_length != 0;
    c->state = CONN_BODY;
    c->body_since_ms = now_ms(c);
    input_by(c, has_body ? k->body_ms : 0);
    s->drops_body = s->head.verb == HTTP_VERB_HEAD;
    k->on_request(k->ctx, s, &s->head);
    if (!s->fns) {
        refuse(c, 500, "nobody took this request");
        return;
    }
    if (c->parser.wants_continue && !s->is_started && !s->is_reset) {
        buf_puts(&c->out, "HTTP/1.1 100 Continue\r\n\r\n");
        c->parser.wants_continue = false;
        mark_dirty(c);
    }
}

/* Must the parser wait?  For the response before the next request, or for a reader that paused. */
static bool must_wait(const struct h1_conn *c)
{
    return c->state == CONN_ANSWER || (c->state == CONN_BODY && c->stream && (c->stream->is_paused || c->stream->is_reset));
}

/* Works through the bytes as far as it may go; returns how many it used. */
static size_t feed(struct h1_conn *c, const char *at, size_t n)
{
    const size_t n_all = n;
    while (c->state < CONN_LINGER && !must_wait(c)) {
        struct http_stream *s = c->stream;
        if (c->state == CONN_IDLE || c->state == CONN_HEAD) {
            if (n == 0)
                break;
            if (!s && !(c->stream = s = server_take_stream(c->server))) {
                refuse(c, 503, "out of memory");
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
            if (c->state == CONN_BODY) {
                c->input_by_ms = c->body_since_ms + k->body_ms + c->parser.n_body * 1000 / 1024;
                if (s->fns->on_data && !s->is_ended)
                    s->fns->on_data(s->ctx, c->parser.data, c->parser.n_data);
            }
            break;
        }
        case H1_END:
            input_by(c, 0);
            if (c->state == CONN_SKIP) {
                h1_reset(&c->parser);
                c->state = CONN_IDLE;
                input_by(c, c->server->config.idle_ms);
                break;
            }
            c->state = CONN_ANSWER;
            if (s->fns->on_end && !s->is_ended)
                s->fns->on_end(s->ctx);
            mark_dirty(c); /* the response may be out already */
            break;
        case H1_FAIL:
            c->server->stats.bad_total++;
            if (c->state == CONN_SKIP || (s && s->is_started))
                conn_close(c, HTTP_CLOSE_ERROR);
            else
                refuse(c, c->parser.status, c->parser.why);
            break;
        case H1_MORE: break;
        }
    }
    if (c->state == CONN_IDLE && h1_is_inside(&c->parser)) {
        c->state = CONN_HEAD;
        input_by(c, c->server->config.head_ms);
    }
    if (c->state == CONN_LINGER)
        n = 0; /* thrown away */
    return n_all - n;
}

static void feed_held(struct h1_conn *c)
{
    /* Also without bytes: a body's end may be what a pause kept back. */
    c->held_at += feed(c, c->held.len ? c->held.data + c->held_at : "", c->held.len - c->held_at);
    if (c->state == CONN_CLOSED)
        return;
    if (c->held_at >= c->held.len) {
        c->held_at = 0;
        buf_clear(&c->held);
        if (c->held.cap > KEEP_BYTES) {
            buf_fini(&c->held);
            buf_init(&c->held, HELD_MAX_BYTES + READ_BYTES);
        }
    }
    set_reading(c, c->held.len - c->held_at < HELD_MAX_BYTES);
}

static void on_end_of_input(struct h1_conn *c)
{
    /* A client that closes looks like one that only stops sending.  We take it for gone, as the others do
     * too, except when all that it wants is on its way out already. */
    if (c->stream && c->stream->is_ended && !c->stream->is_reset) {
        c->closes_after = true;
        set_reading(c, false);
        return;
    }
    conn_close(c, HTTP_CLOSE_HANGUP);
}

static void on_read(uv_stream_t *tcp, ssize_t n, const uv_buf_t *b)
{
    struct h1_conn *c = tcp->data;
    if (n == 0)
        return;
    if (n < 0) {
        if (n == UV_EOF)
            on_end_of_input(c);
        else
            conn_close(c, HTTP_CLOSE_HANGUP);
        return;
    }
    if (c->state == CONN_LINGER) {
        c->n_lingered += (uint64_t)n;
        if (c->n_lingered > LINGER_MAX_BYTES)
            conn_close(c, HTTP_CLOSE_ERROR);
        return;
    }
    size_t used = 0;
    if (c->held.len == 0)
        used = feed(c, b->base, (size_t)n);
    if (c->state == CONN_CLOSED || used == (size_t)n)
        return;
    if (c->held_at > 0) {
        memmove(c->held.data, c->held.data + c->held_at, c->held.len - c->held_at);
        c->held.len -= c->held_at;
        c->held_at = 0;
    }
    buf_append(&c->held, b->base + used, (size_t)n - used);
    if (c->held.failed) {
        conn_close(c, HTTP_CLOSE_ERROR);
        return;
    }
    if (must_wait(c))
        set_reading(c, c->held.len < HELD_MAX_BYTES);
    else
        mark_dirty(c);
}

/* ---- bytes out ---- */

static void on_written(uv_write_t *w, int status)
{
    struct h1_conn *c = w->data;
    c->is_writing = false;
    c->output_by_ms = 0;
    if (c->state == CONN_CLOSED)
        return;
    buf_clear(&c->flying);
    if (status < 0)
        conn_close(c, HTTP_CLOSE_HANGUP);
    else
        mark_dirty(c);
}

static void shrink(struct buf *b, size_t max_bytes)
{
    if (b->cap > KEEP_BYTES) {
        buf_fini(b);
        buf_init(b, max_bytes);
    } else {
        buf_clear(b);
    }
}

/* false when the connection is gone. */
static bool flush_out(struct h1_conn *c)
{
    if (c->is_writing || c->out.len == 0)
        return true;
    uv_buf_t b = uv_buf_init(c->out.data, (unsigned)c->out.len);
    int n = uv_try_write((uv_stream_t *)&c->tcp, &b, 1);
    if (n == UV_EAGAIN)
        n = 0;
    if (n < 0) {
        conn_close(c, HTTP_CLOSE_HANGUP);
        return false;
    }
    if ((size_t)n == c->out.len) {
        buf_clear(&c->out);
        return true;
    }
    const struct buf swap = c->flying; /* empty */
    c->flying = c->out;
    c->out = swap;
    b = uv_buf_init(c->flying.data + n, (unsigned)(c->flying.len - (size_t)n));
    c->write.data = c;
    if (uv_write(&c->write, (uv_stream_t *)&c->tcp, &b, 1, on_written) != 0) {
        conn_close(c, HTTP_CLOSE_HANGUP);
        return false;
    }
    c->is_writing = true;
    c->output_left = b.len;
    c->output_by_ms = now_ms(c) + c->server->config.stall_ms;
    set_timer(c);
    return true;
}

static void on_shutdown(uv_shutdown_t *r, int status)
{
    (void)r, (void)status; /* the end of their input, or the timer, closes */
}

/* The response is out: what becomes of the connection? */
static void finish(struct h1_conn *c)
{
    const size_t max = c->server->config.max_queued_bytes;
    const bool is_read = c->state == CONN_ANSWER, closes = c->closes_after || c->parser.wants_close;
    stream_close(c, HTTP_CLOSE_DONE);
    shrink(&c->out, max);
    shrink(&c->flying, max);
    if (is_read && closes) {
        conn_close(c, HTTP_CLOSE_DONE);
    } else if (closes) {
        enter_linger(c);
    } else if (is_read) {
        h1_reset(&c->parser);
        c->state = CONN_IDLE;
        input_by(c, c->server->config.idle_ms);
    } else {
        c->state = CONN_SKIP;
    }
}

size_t http_stream_queued(const struct http_stream *s)
{
    const struct h1_conn *c = s->conn;
    return c->out.len + (c->is_writing ? uv_stream_get_write_queue_size((const uv_stream_t *)&c->tcp) : 0);
}

void h1_service(struct h1_conn *c)
{
    struct http_stream *s = c->stream;
    if (c->state == CONN_CLOSED)
        return;
    if ((s && s->is_reset) || c->out.failed) {
        conn_close(c, c->out.failed ? HTTP_CLOSE_ERROR : HTTP_CLOSE_STOP);
        return;
    }
    if (!flush_out(c))
        return;
    if (!c->is_writing) {
        if (s && s->is_ended) {
            finish(c);
        } else if (c->state == CONN_LINGER && !c->is_shut) {
            c->is_shut = true;
            if (uv_shutdown(&c->shutdown, (uv_stream_t *)&c->tcp, on_shutdown) != 0)
                conn_close(c, HTTP_CLOSE_HANGUP);
        }
    }
    s = c->stream;
    if (s && s->was_high && http_stream_queued(s) < HTTP_QUEUE_LOW_BYTES) {
        s->was_high = false;
        if (s->fns && s->fns->on_drain && !s->is_ended)
            s->fns->on_drain(s->ctx);
    }
    if (c->state != CONN_CLOSED && !must_wait(c))
        feed_held(c);
}

/* ---- what handlers call ---- */

void http_stream_take(struct http_stream *s, const struct http_stream_fns *fns, void *ctx)
{
    s->fns = fns;
    s->ctx = ctx;
}

bool http_stream_peer(const struct http_stream *s, struct net_addr *out, struct err *err)
{
    struct sockaddr_storage sa;
    int n = sizeof(sa);
    const int rc = uv_tcp_getpeername(&s->conn->tcp, (struct sockaddr *)&sa, &n);
    return rc == 0 ? net_addr_from(out, (const struct sockaddr *)&sa, err) : err_set(err, ERR_IO, "peer: %s", uv_strerror(rc));
}

void http_stream_pause(struct http_stream *s)
{
    s->is_paused = true;
    if (s->conn->state == CONN_BODY)
        s->conn->input_by_ms = 0; /* the clock stands still while nobody wants the bytes */
}

void http_stream_resume(struct http_stream *s)
{
    s->is_paused = false;
    if (s->conn->state == CONN_BODY) {
        s->conn->body_since_ms = now_ms(s->conn);
        input_by(s->conn, s->conn->server->config.body_ms);
    }
    mark_dirty(s->conn);
}

bool http_stream_is_started(const struct http_stream *s) { return s->is_started; }

/* With a body still to come: is what is left so little that we read on, or does the connection end? */
static bool must_close_after(const struct h1_conn *c)
{
    if (c->closes_after || c->parser.wants_close || c->server->is_draining)
        return true;
    return c->state == CONN_BODY &&
           (c->stream->head.content_length < 0 || c->parser.n_left > SKIP_MAX_BYTES || c->parser.wants_continue);
}

void http_stream_start(struct http_stream *s, int status, const struct http_field *fields, int n_fields, int64_t n_body)
{
    struct h1_conn *c = s->conn;
    if (s->is_started || s->is_reset)
        return;
    s->is_started = true;
    c->server->stats.responses_total[status / 100 % 6]++;
    s->n_left = n_body;
    if (must_close_after(c))
        c->closes_after = true;
    if (n_body < 0) {
        s->is_chunked = !c->parser.is_http10;
        c->closes_after = c->closes_after || !s->is_chunked; /* the end of the connection is the end of the body */
    }
    if (status == 204 || status == 304)
        s->drops_body = true;
    buf_printf(&c->out, "HTTP/1.1 %d %s\r\ndate: %s\r\n", status, http_reason(status), server_date(c->server));
    for (int i = 0; i < n_fields; i++) {
        buf_puts(&c->out, fields[i].name);
        buf_append(&c->out, ": ", 2);
        for (const char *v = fields[i].value; *v; v++) /* what came from outside must not begin a line */
            buf_putc(&c->out, (unsigned char)*v < 0x20 || *v == 0x7f ? ' ' : *v);
        buf_append(&c->out, "\r\n", 2);
    }
    if (s->is_chunked)
        buf_puts(&c->out, "transfer-encoding: chunked\r\n");
    else if (n_body >= 0 && status != 204 && status != 304)
        buf_printf(&c->out, "content-length: %lld\r\n", (long long)n_body);
    if (c->closes_after)
        buf_puts(&c->out, "connection: close\r\n");
    else if (c->parser.is_http10)
        buf_puts(&c->out, "connection: keep-alive\r\n");
    buf_append(&c->out, "\r\n", 2);
    mark_dirty(c);
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

void http_stream_write(struct http_stream *s, const void *bytes, size_t n)
{
    struct h1_conn *c = s->conn;
    if (!s->is_started || s->is_ended || s->is_reset || s->drops_body || n == 0)
        return;
    if (s->n_left >= 0) {
        if (n > (uint64_t)s->n_left) { /* more than was announced: our own mistake must not leave as a wrong frame */
            http_stream_reset(s);
            return;
        }
        s->n_left -= (int64_t)n;
    }
    if (s->is_chunked)
        put_chunk_size(&c->out, n);
    buf_append(&c->out, bytes, n);
    if (s->is_chunked)
        buf_append(&c->out, "\r\n", 2);
    if (!s->was_high && http_stream_queued(s) > HTTP_QUEUE_HIGH_BYTES)
        s->was_high = true;
    mark_dirty(c);
}

void http_stream_end(struct http_stream *s)
{
    if (!s->is_started || s->is_ended || s->is_reset)
        return;
    if (s->n_left > 0 && !s->drops_body) {
        http_stream_reset(s);
        return;
    }
    if (s->is_chunked && !s->drops_body)
        buf_append(&s->conn->out, "0\r\n\r\n", 5);
    s->is_ended = true;
    mark_dirty(s->conn);
}

void http_stream_reply(struct http_stream *s, int status, const struct http_field *fields, int n_fields,
                       const void *body, size_t n)
{
    http_stream_start(s, status, fields, n_fields, (int64_t)n);
    http_stream_write(s, body, n);
    http_stream_end(s);
}

void http_stream_reset(struct http_stream *s)
{
    s->is_reset = true;
    mark_dirty(s->conn);
}

/* ---- a new connection ---- */

bool h1_accept(struct http_server *v, uv_stream_t *listener)
{
    struct h1_conn *c = h1_alloc();
    if (!c) {
        if (v->is_spare_busy)
            return false;
        v->is_spare_busy = true;
        c = v->spare;
        memset(c, 0, sizeof(*c));
    }
    const struct h1_limits limits = { v->config.max_head_bytes, v->config.max_body_bytes };
    uv_tcp_init(&v->loop->uv, &c->tcp);
    uv_timer_init(&v->loop->uv, &c->timer);
    c->tcp.data = c->timer.data = c;
    c->server = v;
    c->n_handles = 2;
    v->n_handles += 2;
    h1_init(&c->parser, &limits);
    buf_init(&c->out, v->config.max_queued_bytes);
    buf_init(&c->flying, v->config.max_queued_bytes);
    buf_init(&c->held, HELD_MAX_BYTES + READ_BYTES);
    c->next = v->conns;
    if (c->next)
        c->next->prev = c;
    v->conns = c;
    v->stats.n_connections++;
    if (uv_accept(listener, (uv_stream_t *)&c->tcp) != 0) {
        conn_close(c, HTTP_CLOSE_ERROR);
        return true;
    }
    v->stats.accepted_total++;
    if (c == v->spare) { /* the client sees it closed, which is better than to wait for nothing */
        conn_close(c, HTTP_CLOSE_ERROR);
        return true;
    }
    uv_tcp_nodelay(&c->tcp, 1);
    uv_tcp_keepalive(&c->tcp, 1, 60);
    if (v->stats.n_connections > v->config.max_connections) {
        v->stats.refused_total++;
        if (v->stats.n_connections > v->config.max_connections + OVER_MAX) {
            conn_close(c, HTTP_CLOSE_ERROR);
            return true;
        }
        set_reading(c, true);
        refuse(c, 503, "too many connections");
        return true;
    }
    input_by(c, v->config.head_ms);
    set_reading(c, true);
    return true;
}
