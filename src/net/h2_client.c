/* net/h2_client.c - see h2_client.h: the client and its connections; calls are h2_call.c's.  Start reading at h2c_usable() and service().
 *
 *   h2_client_call --> CONNECT (dial.h, TLS) --> OPEN --> CLOSED, then the memory when libuv is done with it
 *
 * A session exists from the first moment, so calls are submitted at once and their frames leave when it is open.
 * What anybody does marks the connection; an idle handle services it in the loop, so callbacks never nest.
 */
#include "net/h2_client.h"

#include <nghttp2/nghttp2.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "net/h2_client_internal.h"
#include "net/send.h"

enum { PUMP_BYTES = 64 << 10, OUT_MAX_BYTES = 4 << 20 };

static void unref(struct h2_client *c)
{
    if (--c->n_refs > 0)
        return;
    tls_context_free(c->tls);
    free(c->read_bytes);
    free(c);
}

static void on_idle(uv_idle_t *h);
static void on_timer(uv_timer_t *t);

void h2c_mark(struct h2c_conn *c)
{
    c->is_dirty = true;
    if (c->client->has_idle)
        uv_idle_start(&c->client->idle, on_idle);
}

/* ---- ends ---- */

static void free_when_over(struct h2c_conn *c)
{
    if (c->state != H2C_CLOSED || dial_is_open(&c->dial) || c->has_timer)
        return;
    struct h2_client *client = c->client;
    LIST_UNLINK(client->conns, c);
    nghttp2_session_del(c->session);
    tls_free(c->tls);
    dial_fini(&c->dial);
    buf_fini(&c->out);
    buf_fini(&c->sealed);
    buf_fini(&c->flying);
    free(c);
    unref(client);
}

static void on_dial_over(void *ctx) { free_when_over(ctx); }

static void on_timer_closed(uv_handle_t *h)
{
    struct h2c_conn *c = h->data;
    c->has_timer = false;
    free_when_over(c);
}

/* From the loop only: its calls are told. */
static void conn_end(struct h2c_conn *c, enum http_end how, enum err_code code, const char *why)
{
    if (c->state == H2C_CLOSED)
        return;
    c->state = H2C_CLOSED;
    dial_close(&c->dial);
    if (c->has_timer)
        uv_close((uv_handle_t *)&c->timer, on_timer_closed);
    char text[200];
    snprintf(text, sizeof(text), "%s", why);
    while (c->calls)
        h2c_end_call(c->calls, how, code, text);
    free_when_over(c);
}

static void fail_later(struct h2c_conn *c, enum http_end how, const char *why)
{
    if (c->fail.code == ERR_NONE) {
        c->fails_how = how;
        err_set(&c->fail, ERR_IO, "%s", why);
    }
    h2c_mark(c);
}

/* ---- bytes in ---- */

static void set_open(struct h2c_conn *c)
{
    c->state = H2C_OPEN;
    uv_timer_start(&c->timer, on_timer, c->client->config.idle_ms, c->client->config.idle_ms);
}

static void take_clear(struct h2c_conn *c, const char *bytes, size_t n)
{
    const ssize_t rc = nghttp2_session_mem_recv(c->session, (const uint8_t *)bytes, n);
    if (rc < 0)
        conn_end(c, HTTP_END_BROKEN, ERR_IO, nghttp2_strerror((int)rc));
    else
        h2c_mark(c);
}

static void open_sealed(struct h2c_conn *c)
{
    while (c->state == H2C_CONNECT || c->state == H2C_OPEN) {
        size_t n;
        const enum tls_result r = tls_get(c->tls, c->client->clear_bytes, READ_BYTES, &n);
        if (r == TLS_FAIL) {
            char why[160];
            snprintf(why, sizeof(why), "TLS: %s", tls_why(c->tls));
            conn_end(c, c->state == H2C_CONNECT ? HTTP_END_CONNECT : HTTP_END_LOST, ERR_IO, why);
            return;
        }
        if (c->state == H2C_CONNECT && tls_is_ready(c->tls)) {
            if (!tls_is_h2(c->tls)) {
                conn_end(c, HTTP_END_CONNECT, ERR_UNSUPPORTED, "the server speaks no HTTP/2 (ALPN)");
                return;
            }
            set_open(c);
        }
        if (r == TLS_END) {
            conn_end(c, HTTP_END_LOST, ERR_IO, "the server closed the connection");
            return;
        }
        if (r == TLS_WAIT)
            break;
        take_clear(c, c->client->clear_bytes, n);
    }
    if (c->state != H2C_CLOSED)
        h2c_mark(c);
}

static void on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *b)
{
    struct h2c_conn *c = s->data;
    if (c->state == H2C_CLOSED || n == 0)
        return;
    if (n < 0)
        conn_end(c, c->state == H2C_CONNECT ? HTTP_END_CONNECT : HTTP_END_LOST, ERR_IO, n == UV_EOF ? "the server closed the connection" : uv_strerror((int)n));
    else if (!c->tls)
        take_clear(c, b->base, (size_t)n);
    else if (tls_put(c->tls, b->base, (size_t)n))
        open_sealed(c);
    else
        conn_end(c, HTTP_END_BROKEN, ERR_NOMEM, "out of memory");
}

static void give_buffer(uv_handle_t *h, size_t want, uv_buf_t *b)
{
    struct h2c_conn *c = h->data;
    (void)want;
    *b = uv_buf_init(c->client->read_bytes, READ_BYTES);
}

/* ---- bytes out ---- */

static void on_written(uv_write_t *w, int status)
{
    struct h2c_conn *c = w->data;
    c->is_writing = false;
    buf_clear(&c->flying);
    if (c->state == H2C_CLOSED)
        return;
    if (status < 0)
        fail_later(c, HTTP_END_LOST, uv_strerror(status));
    h2c_mark(c);
}

static bool flush(struct h2c_conn *c)
{
    if (c->is_writing)
        return true;
    if (c->tls && !net_seal(c->tls, &c->out, &c->sealed))
        return false;
    c->write.data = c;
    const ssize_t n_left = net_send(&c->dial.sock.stream, c->tls ? &c->sealed : &c->out, &c->flying, &c->write, on_written);
    c->is_writing = n_left > 0;
    return n_left >= 0;
}

static void service(struct h2c_conn *c)
{
    c->is_dirty = false;
    if (c->state == H2C_CLOSED)
        return;
    if (c->fail.code != ERR_NONE) {
        conn_end(c, c->fails_how, c->fail.code, c->fail.text);
        return;
    }
    if (c->state == H2C_CONNECT && c->tls && !flush(c)) {
        conn_end(c, HTTP_END_CONNECT, ERR_IO, "cannot write");
        return;
    }
    while (c->state == H2C_OPEN) {
        ssize_t n = 0;
        while (!c->is_writing && c->out.len < PUMP_BYTES) {
            const uint8_t *bytes;
            if ((n = nghttp2_session_mem_send(c->session, &bytes)) <= 0)
                break;
            buf_append(&c->out, bytes, (size_t)n);
        }
        if (n < 0 || c->out.failed || !flush(c)) {
            conn_end(c, HTTP_END_LOST, ERR_IO, "cannot write");
            return;
        }
        if (n == 0 || c->is_writing)
            break;
    }
    if (c->state != H2C_OPEN)
        return;
    h2c_tell_drained(c);
    if (!nghttp2_session_want_read(c->session) && !nghttp2_session_want_write(c->session) && !c->is_writing)
        conn_end(c, HTTP_END_LOST, ERR_IO, "the server said goodbye");
}

static void on_idle(uv_idle_t *h)
{
    struct h2_client *client = h->data;
    uv_idle_stop(h);
    client->n_refs++;
    for (struct h2c_conn *c = client->conns, *next; c && !client->is_closing; c = next) {
        next = c->next;
        if (c->is_dirty)
            service(c);
    }
    unref(client);
}

/* ---- connecting ---- */

static void on_timer(uv_timer_t *t)
{
    struct h2c_conn *c = t->data;
    if (c->state == H2C_CONNECT)
        conn_end(c, HTTP_END_CONNECT, ERR_BUSY, "no connection in time");
    else if (c->state == H2C_OPEN && c->n_calls == 0)
        conn_end(c, HTTP_END_LOST, ERR_IO, "idle");
}

static const char *name_of(const struct h2_client *c)
{
    return !c->is_node ? c->target.host : c->server_name[0] ? c->server_name : NULL;
}

static void on_dialled(void *ctx, const char *why)
{
    struct h2c_conn *c = ctx;
    if (why) {
        conn_end(c, HTTP_END_CONNECT, ERR_IO, why);
        return;
    }
    uv_read_start(&c->dial.sock.stream, give_buffer, on_read);
    if (!c->client->tls) {
        set_open(c);
        h2c_mark(c);
    } else if ((c->tls = tls_new(c->client->tls, name_of(c->client), true)) != NULL) {
        open_sealed(c);
    } else {
        conn_end(c, HTTP_END_CONNECT, ERR_NOMEM, "TLS: out of memory, or the host's name is none");
    }
}

static struct h2c_conn *conn_new(struct h2_client *client, struct err *err)
{
    struct h2c_conn *c = calloc(1, sizeof(*c));
    if (c)
        c->client = client;
    if (!c || !h2c_open_session(c)) {
        if (c)
            nghttp2_session_del(c->session);
        free(c);
        return err_null(err, ERR_NOMEM, "%s: out of memory", client->target.authority);
    }
    buf_init(&c->out, OUT_MAX_BYTES);
    buf_init(&c->sealed, OUT_MAX_BYTES);
    buf_init(&c->flying, OUT_MAX_BYTES);
    uv_timer_init(&client->loop->uv, &c->timer);
    c->timer.data = c;
    c->has_timer = true;
    client->n_refs++;
    LIST_LINK(client->conns, c);
    uv_timer_start(&c->timer, on_timer, client->config.connect_ms, client->config.idle_ms);
    const int rc = dial_begin(&c->dial, client->loop, &client->target, on_dialled, on_dial_over, c);
    if (rc != 0)
        fail_later(c, HTTP_END_CONNECT, uv_strerror(rc));
    return c;
}

struct h2c_conn *h2c_usable(struct h2_client *client, struct err *err)
{
    for (struct h2c_conn *c = client->conns; c; c = c->next)
        if (c->state != H2C_CLOSED && c->fail.code == ERR_NONE && !c->is_goaway && nghttp2_session_check_request_allowed(c->session))
            return c;
    return conn_new(client, err);
}

/* ---- what callers ask for ---- */

struct h2_client *h2_client_new(struct net_loop *l, const struct http_target *t, const struct h2_client_config *config, struct err *err)
{
    struct h2_client *c = calloc(1, sizeof(*c));
    char *bytes = malloc(2 * READ_BYTES);
    struct tls_context *tls = NULL;
    bool ok = (c && bytes) || err_set(err, ERR_NOMEM, "HTTP/2 client: out of memory");
    const bool is_node = config && config->tls;
    if (is_node)
        tls = config->tls;
    else if (ok && t->is_tls)
        ok = (tls = tls_client_new(config ? config->ca_file : NULL, err)) != NULL;
    if (ok && is_node && config->server_name)
        ok = strlen(config->server_name) < sizeof(c->server_name) || err_set(err, ERR_INPUT, "HTTP/2 client: the node's name is too long");
    if (ok && is_node && !t->is_tls)
        ok = err_set(err, ERR_INPUT, "%s: nodes speak TLS: https://", t->authority);
    if (!ok) {
        tls_context_free(tls);
        free(c);
        free(bytes);
        return NULL;
    }
    c->loop = l;
    c->target = *t;
    c->tls = tls;
    c->read_bytes = bytes;
    c->clear_bytes = bytes + READ_BYTES;
    c->n_refs = 1;
    if (config)
        c->config = *config;
    c->is_node = is_node;
    if (is_node && config->server_name)
        memcpy(c->server_name, config->server_name, strlen(config->server_name) + 1);
    struct h2_client_config *k = &c->config;
    k->connect_ms = k->connect_ms ? k->connect_ms : 5000;
    k->idle_ms = k->idle_ms ? k->idle_ms : 60000;
    k->max_calls = k->max_calls ? k->max_calls : 256;
    k->max_head_bytes = k->max_head_bytes ? k->max_head_bytes : 64 << 10;
    k->window_bytes = k->window_bytes ? k->window_bytes : 1 << 20;
    k->max_queued_bytes = k->max_queued_bytes ? k->max_queued_bytes : 64 << 20;
    uv_idle_init(&l->uv, &c->idle);
    c->idle.data = c;
    c->has_idle = true;
    return c;
}

void h2_client_set_tls(struct h2_client *c, struct tls_context *tls)
{
    tls_context_free(c->tls);
    c->tls = tls;
    for (struct h2c_conn *k = c->conns; k; k = k->next) {
        char why[160];
        if (k->state == H2C_OPEN && k->tls && !tls_believes(tls, k->tls, why, sizeof(why)))
            fail_later(k, HTTP_END_LOST, why);
    }
}

const char *h2_client_peer(const struct h2_client *c)
{
    for (const struct h2c_conn *k = c->conns; k; k = k->next)
        if (k->state == H2C_OPEN && k->tls && k->fail.code == ERR_NONE)
            return tls_peer(k->tls);
    return "";
}

static void on_idle_closed(uv_handle_t *h) { unref(h->data); }

void h2_client_free(struct h2_client *c)
{
    if (!c)
        return;
    c->is_closing = true;
    c->has_idle = false;
    for (struct h2c_conn *k = c->conns, *next; k; k = next) {
        next = k->next;
        while (k->calls)
            h2c_call_free(k->calls);
        conn_end(k, HTTP_END_LOST, ERR_CANCELLED, "");
    }
    uv_close((uv_handle_t *)&c->idle, on_idle_closed);
}
