/* net/conn.c - the life of a connection below HTTP: sockets, TLS, clocks, and which HTTP it is.
 *
 *   accept --> SNIFF --(bytes that begin no HTTP/2 preface; ALPN)--> h1.c's states
 *                    --(the whole preface; ALPN "h2")--------------> H2 (h2.c)
 *   any --> CLOSED: http_conn_close()
 *
 * Bytes in: on_read() -> take() [-> TLS] -> route() -> h1_on_bytes() or h2_on_bytes().
 * Bytes out: whoever writes appends to `out` and marks the connection dirty; the server's flush calls
 * http_conn_service() once per round, that calls http_conn_flush().
 */
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "net/net_internal.h"
#include "net/send.h"

enum { OVER_MAX = 64 /* connections over the limit that are told so */ };

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"; /* RFC 9113, 3.4 */

uint64_t http_conn_now_ms(const struct http_conn *c) { return uv_now(c->tcp.loop); }

void http_conn_mark_dirty(struct http_conn *c)
{
    if (c->is_dirty)
        return;
    c->is_dirty = true;
    c->next_dirty = c->server->dirty;
    c->server->dirty = c;
}

struct http_conn *http_conn_pop_dirty(struct http_server *v)
{
    struct http_conn *c = v->dirty;
    if (c) {
        v->dirty = c->next_dirty;
        c->is_dirty = false;
    }
    return c;
}

/* ---- closing ---- */

static void on_handle_closed(uv_handle_t *h)
{
    struct http_conn *c = h->data;
    c->server->n_handles--;
    if (--c->n_handles > 0)
        return;
    h1_fini(&c->parser);
    buf_fini(&c->out);
    buf_fini(&c->sealed);
    buf_fini(&c->flying);
    buf_fini(&c->held);
    tls_free(c->tls);
    struct http_server *v = c->server;
    if (c == v->spare)
        v->is_spare_busy = false;
    else
        free(c);
    server_accept_pending(v);
}

/* So that the end of the connection is no accident to the other side.  Only if it goes at once. */
static void say_bye(struct http_conn *c)
{
    if (!c->tls || !tls_is_ready(c->tls) || c->is_writing || c->is_shut || c->sealed.len > 0)
        return;
    tls_bye(c->tls);
    if (tls_take(c->tls, &c->sealed) && c->sealed.len > 0) {
        uv_buf_t b = uv_buf_init(c->sealed.data, (unsigned)c->sealed.len);
        uv_try_write((uv_stream_t *)&c->tcp, &b, 1);
    }
}

void http_conn_close(struct http_conn *c, enum http_close why)
{
    struct http_server *v = c->server;
    if (c->state == HTTP_CONN_CLOSED)
        return;
    c->state = HTTP_CONN_CLOSED;
    h1_drop(c, why);
    h2_drop(c, why);
    say_bye(c);
    for (struct http_conn **p = &v->dirty; *p; p = &(*p)->next_dirty)
        if (*p == c) {
            *p = c->next_dirty;
            break;
        }
    LIST_UNLINK(v->conns, c);
    v->stats.n_connections--;
    uv_close((uv_handle_t *)&c->tcp, on_handle_closed);
    uv_close((uv_handle_t *)&c->timer, on_handle_closed);
}

void http_conn_drain(struct http_conn *c)
{
    if (c->state == HTTP_CONN_SNIFF)
        http_conn_close(c, HTTP_CLOSE_STOP);
    else if (c->h2)
        h2_drain(c);
    else
        h1_drain(c);
}

/* ---- clocks ---- */

static void on_timer(uv_timer_t *t);

/* The timer may run early and is then set again: most deadlines move on before they are reached. */
static void set_timer(struct http_conn *c)
{
    const uint64_t a = c->input_by_ms, b = c->output_by_ms;
    const uint64_t at = a && b ? (a < b ? a : b) : a ? a : b;
    if (!at || (c->timer_at_ms && c->timer_at_ms <= at))
        return;
    c->timer_at_ms = at;
    const uint64_t now = http_conn_now_ms(c);
    uv_timer_start(&c->timer, on_timer, at > now ? at - now : 0, 0);
}

void http_conn_input_by(struct http_conn *c, uint64_t in_ms)
{
    c->input_by_ms = in_ms ? http_conn_now_ms(c) + in_ms : 0;
    set_timer(c);
}

static void on_timer(uv_timer_t *t)
{
    struct http_conn *c = t->data;
    const uint64_t now = http_conn_now_ms(c);
    c->timer_at_ms = 0;
    if (c->output_by_ms && now >= c->output_by_ms) {
        const size_t left = uv_stream_get_write_queue_size((uv_stream_t *)&c->tcp);
        if (left >= c->output_left) {
            c->server->stats.slow_total++;
            http_conn_close(c, HTTP_CLOSE_TIMEOUT);
            return;
        }
        c->output_left = left;
        c->output_by_ms = now + c->server->config.stall_ms;
    }
    if (c->input_by_ms && now >= c->input_by_ms) {
        c->input_by_ms = 0;
        if (c->state == HTTP_CONN_H2) {
            h2_on_time(c);
        } else if (c->state == HTTP_CONN_SNIFF && c->held.len > 0) { /* a slow beginning of something */
            c->state = HTTP_CONN_HEAD;
            h1_on_time(c);
        } else if (c->state == HTTP_CONN_SNIFF) {
            http_conn_close(c, HTTP_CLOSE_TIMEOUT);
        } else {
            h1_on_time(c);
        }
    }
    if (c->state != HTTP_CONN_CLOSED)
        set_timer(c);
}

/* ---- bytes in ---- */

static void enter_h1(struct http_conn *c, const char *bytes, size_t n)
{
    struct buf first = c->held; /* h1 keeps what it must wait with there */
    buf_init(&c->held, H1_HELD_MAX_BYTES + READ_BYTES);
    c->state = HTTP_CONN_IDLE;
    if (first.len > 0)
        h1_on_bytes(c, first.data, first.len);
    buf_fini(&first);
    if (n > 0 && c->state != HTTP_CONN_CLOSED)
        h1_on_bytes(c, bytes, n);
}

static void enter_h2(struct http_conn *c)
{
    if (!h2_begin(c)) {
        http_conn_close(c, HTTP_CLOSE_ERROR);
        return;
    }
    c->server->stats.h2_total++;
    c->state = HTTP_CONN_H2;
    if (c->held.len > 0)
        h2_on_bytes(c, c->held.data, c->held.len);
    buf_clear(&c->held);
}

/* Clear bytes: to whom they belong. */
static void route(struct http_conn *c, const char *bytes, size_t n)
{
    if (c->state == HTTP_CONN_SNIFF) {
        size_t same = 0; /* a first read of one byte "P" is legal: wait until the bytes differ, or are the preface */
        while (same < n && c->held.len + same < sizeof(preface) - 1 && bytes[same] == preface[c->held.len + same])
            same++;
        if (c->held.len + same < sizeof(preface) - 1 && same < n) {
            enter_h1(c, bytes, n);
            return;
        }
        buf_append(&c->held, bytes, same);
        if (c->held.failed || c->held.len < sizeof(preface) - 1) {
            if (c->held.failed)
                http_conn_close(c, HTTP_CLOSE_ERROR);
            return;
        }
        enter_h2(c);
        bytes += same;
        n -= same;
    }
    if (c->state == HTTP_CONN_H2) {
        if (n > 0)
            h2_on_bytes(c, bytes, n);
    } else if (c->state != HTTP_CONN_CLOSED) {
        h1_on_bytes(c, bytes, n);
    }
}

void http_conn_from(const struct http_conn *c, char out[HTTP_FROM_MAX])
{
    struct sockaddr_storage sa;
    struct net_addr at;
    struct err err;
    int n = sizeof(sa);
    out[0] = '\0';
    if (uv_tcp_getpeername(&c->tcp, (struct sockaddr *)&sa, &n) == 0 && net_addr_from(&at, (struct sockaddr *)&sa, &err))
        snprintf(out, HTTP_FROM_MAX, "%s", at.text);
}

void http_conn_tell_refused(struct http_conn *c, const char *why)
{
    char from[HTTP_FROM_MAX];
    if (!c->server->config.on_refused)
        return;
    http_conn_from(c, from);
    c->server->config.on_refused(c->server->config.ctx, tls_claimed(c->tls), from, why);
}

/* Opens what came as far as somebody reads it. */
static void open_sealed(struct http_conn *c)
{
    while (c->is_reading && c->state != HTTP_CONN_CLOSED) {
        size_t n;
        const enum tls_result r = tls_get(c->tls, c->server->clear_bytes, READ_BYTES, &n);
        if (r == TLS_FAIL) {
            c->server->stats.bad_total++;
            http_conn_tell_refused(c, tls_why(c->tls));
            http_conn_flush(c); /* the alert says why */
            http_conn_close(c, HTTP_CLOSE_ERROR);
            return;
        }
        if (c->state == HTTP_CONN_SNIFF && tls_is_ready(c->tls)) {
            if (tls_is_h2(c->tls))
                enter_h2(c);
            else
                enter_h1(c, "", 0);
            if (c->state == HTTP_CONN_CLOSED)
                return;
        }
        if (r == TLS_END) {
            if (c->state == HTTP_CONN_H2 || c->state == HTTP_CONN_SNIFF)
                http_conn_close(c, HTTP_CLOSE_HANGUP);
            else
                h1_on_end_of_input(c);
            return;
        }
        if (r == TLS_WAIT)
            break;
        route(c, c->server->clear_bytes, n);
    }
    if (c->state != HTTP_CONN_CLOSED)
        http_conn_mark_dirty(c); /* the handshake, or TLS itself, may have something to say */
}

static void take(struct http_conn *c, const char *bytes, size_t n)
{
    if (!c->tls) {
        route(c, bytes, n);
        return;
    }
    if (c->state == HTTP_CONN_SNIFF && !c->is_hello_seen) {
        c->is_hello_seen = true;
        if (bytes[0] != 0x16) { /* no TLS record of a handshake: somebody forgot the s */
            tls_free(c->tls);
            c->tls = NULL;
            c->server->stats.bad_total++;
            h1_refuse(c, 400, "this port speaks TLS: use https://");
            return;
        }
    }
    if (!tls_put(c->tls, bytes, n))
        http_conn_close(c, HTTP_CLOSE_ERROR);
    else
        open_sealed(c);
}

static void on_read(uv_stream_t *tcp, ssize_t n, const uv_buf_t *b)
{
    struct http_conn *c = tcp->data;
    if (n > 0)
        take(c, b->base, (size_t)n);
    else if (n == UV_EOF && c->state != HTTP_CONN_H2 && c->state != HTTP_CONN_SNIFF)
        h1_on_end_of_input(c);
    else if (n < 0)
        http_conn_close(c, HTTP_CLOSE_HANGUP);
}

static void give_buffer(uv_handle_t *h, size_t hint, uv_buf_t *out)
{
    struct http_conn *c = h->data;
    (void)hint;
    *out = uv_buf_init(c->server->read_bytes, READ_BYTES);
}

void http_conn_set_reading(struct http_conn *c, bool on)
{
    if (on == c->is_reading || c->state == HTTP_CONN_CLOSED)
        return;
    c->is_reading = on;
    if (!on) {
        uv_read_stop((uv_stream_t *)&c->tcp);
        return;
    }
    uv_read_start((uv_stream_t *)&c->tcp, give_buffer, on_read);
    if (c->tls) { /* clear bytes may lie in there for which no event will come */
        c->has_sealed = true;
        http_conn_mark_dirty(c);
    }
}

/* ---- bytes out ---- */

static void on_written(uv_write_t *w, int status)
{
    struct http_conn *c = w->data;
    c->is_writing = false;
    c->output_by_ms = 0;
    if (c->state == HTTP_CONN_CLOSED)
        return;
    buf_clear(&c->flying);
    if (status < 0)
        http_conn_close(c, HTTP_CLOSE_HANGUP);
    else
        http_conn_mark_dirty(c);
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

void http_conn_shrink(struct http_conn *c)
{
    shrink(&c->out, c->out.max_bytes);
    shrink(&c->sealed, c->sealed.max_bytes);
    if (!c->is_writing)
        shrink(&c->flying, c->flying.max_bytes);
}

bool http_conn_flush(struct http_conn *c)
{
    if (c->is_writing)
        return true;
    struct buf *from = &c->out;
    if (c->tls) {
        if (!net_seal(c->tls, &c->out, &c->sealed)) {
            http_conn_close(c, HTTP_CLOSE_ERROR);
            return false;
        }
        from = &c->sealed;
    }
    c->write.data = c;
    const ssize_t n_left = net_send((uv_stream_t *)&c->tcp, from, &c->flying, &c->write, on_written);
    if (n_left < 0) {
        http_conn_close(c, HTTP_CLOSE_HANGUP);
        return false;
    }
    if (n_left == 0)
        return true;
    c->is_writing = true;
    c->output_left = (size_t)n_left;
    c->output_by_ms = http_conn_now_ms(c) + c->server->config.stall_ms;
    set_timer(c);
    return true;
}

static void on_shutdown(uv_shutdown_t *r, int status)
{
    (void)r, (void)status; /* the end of their input, or the clock, closes */
}

void http_conn_shut(struct http_conn *c)
{
    if (c->is_shut || (c->tls && !tls_is_ready(c->tls)))
        return;
    say_bye(c);
    c->is_shut = true;
    if (uv_shutdown(&c->shutdown, (uv_stream_t *)&c->tcp, on_shutdown) != 0)
        http_conn_close(c, HTTP_CLOSE_HANGUP);
}

void http_conn_service(struct http_conn *c)
{
    if (c->has_sealed) {
        c->has_sealed = false;
        open_sealed(c);
    }
    if (c->state == HTTP_CONN_H2)
        h2_service(c);
    else if (c->state == HTTP_CONN_SNIFF)
        http_conn_flush(c);
    else if (c->state != HTTP_CONN_CLOSED)
        h1_service(c);
}

/* ---- a new connection ---- */

static void note_address(struct http_conn *c)
{
    struct sockaddr_storage sa = { 0 };
    int n = sizeof(sa);
    if (uv_tcp_getpeername(&c->tcp, (struct sockaddr *)&sa, &n) != 0)
        return;
    if (sa.ss_family == AF_INET6) {
        memcpy(c->address, &((struct sockaddr_in6 *)&sa)->sin6_addr, 16);
    } else if (sa.ss_family == AF_INET) {
        c->address[10] = c->address[11] = 0xff;
        memcpy(c->address + 12, &((struct sockaddr_in *)&sa)->sin_addr, 4);
    }
}

/* One who opens connections and says nothing leaves the others their share.  Counted when somebody comes: a glance at each. */
static bool has_its_share(struct http_conn *c)
{
    const struct http_server *v = c->server;
    int n = 0;
    if (v->config.max_per_address <= 0)
        return false;
    note_address(c);
    for (const struct http_conn *k = v->conns; k; k = k->next)
        n += memcmp(k->address, c->address, sizeof(c->address)) == 0;
    return n > v->config.max_per_address;
}

bool http_conn_accept(struct http_server *v, uv_stream_t *listener)
{
    struct http_conn *c = calloc(1, sizeof(*c));
    if (!c) {
        if (v->is_spare_busy)
            return false;
        v->is_spare_busy = true;
        c = v->spare;
        memset(c, 0, sizeof(*c));
    }
    const struct h1_limits limits = { v->config.max_head_bytes, v->config.max_body_bytes };
    const size_t max = v->config.max_queued_bytes;
    uv_tcp_init(&v->loop->uv, &c->tcp);
    uv_timer_init(&v->loop->uv, &c->timer);
    c->tcp.data = c->timer.data = c;
    c->server = v;
    c->n_handles = 2;
    v->n_handles += 2;
    h1_init(&c->parser, &limits);
    buf_init(&c->out, max);
    buf_init(&c->sealed, max + max / 8 + (2 << 20));
    buf_init(&c->flying, v->tls ? c->sealed.max_bytes : max);
    buf_init(&c->held, sizeof(preface));
    LIST_LINK(v->conns, c);
    v->stats.n_connections++;
    if (uv_accept(listener, (uv_stream_t *)&c->tcp) != 0) {
        http_conn_close(c, HTTP_CLOSE_ERROR);
        return true;
    }
    v->stats.accepted_total++;
    if (c == v->spare) { /* the client sees it closed, which is better than to wait for nothing */
        http_conn_close(c, HTTP_CLOSE_ERROR);
        return true;
    }
    uv_tcp_nodelay(&c->tcp, 1);
    uv_tcp_keepalive(&c->tcp, 1, 60);
    const bool is_over = v->stats.n_connections > v->config.max_connections;
    const bool is_greedy = has_its_share(c);
    v->stats.refused_total += is_over || is_greedy;
    if (is_greedy || (is_over && v->stats.n_connections > v->config.max_connections + OVER_MAX) ||
        (v->tls && !(c->tls = tls_new(v->tls, NULL, true)))) {
        http_conn_close(c, HTTP_CLOSE_ERROR);
        return true;
    }
    http_conn_input_by(c, v->config.head_ms);
    http_conn_set_reading(c, true);
    if (is_over)
        h1_refuse(c, 503, "too many connections");
    return true;
}
