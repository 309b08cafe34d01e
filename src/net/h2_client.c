/* net/h2_client.c - see h2_client.h; start reading at h2_client_call() and service().
 *
 *   h2_client_call --> LOOKUP --> CONNECT (and TLS) --> OPEN --> CLOSED, then the memory when libuv is done with it
 *
 * A session exists from the first moment, so calls are submitted at once and their frames leave when it is open.
 * What anybody does marks the connection; an idle handle services it in the loop, so callbacks never nest.
 */
#include "net/h2_client.h"

#include <nghttp2/nghttp2.h>
#include <stdlib.h>
#include <string.h>

#include "net/h2_internal.h"
#include "net/net_internal.h"

enum { PUMP_BYTES = 64 << 10, OUT_MAX_BYTES = 4 << 20 };
enum h2c_state { H2C_LOOKUP, H2C_CONNECT, H2C_OPEN, H2C_CLOSED };

struct h2c_conn {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } sock;
    uv_timer_t timer;
    uv_connect_t connect;
    uv_write_t write;
    uv_getaddrinfo_t lookup;
    struct h2_client *client;
    struct h2c_conn *prev, *next;
    enum h2c_state state;
    bool has_sock, has_timer, is_looking_up, is_writing, is_dirty, is_goaway;
    nghttp2_session *session;
    struct tls *tls;
    struct buf out, sealed, flying;
    struct h2_call *calls;
    int n_calls;
    struct err fail; /* code NONE: nothing to tell; else it is closed in the loop */
    enum http_end fails_how;
};

struct h2_call {
    struct h2c_conn *conn;
    struct h2_call *prev, *next;
    int32_t id;
    const struct h2_call_fns *fns;
    void *ctx;
    bool is_deferred, is_body_over, was_high, has_head, is_end_seen, is_held;
    size_t n_held; /* came while it was held: the window stays that much smaller */
    struct buf out, head_bytes;
    size_t out_at;
    struct http_head head;
};

struct h2_client {
    struct net_loop *loop;
    struct http_target target;
    struct h2_client_config config;
    struct tls_context *tls;
    char server_name[64]; /* of a node; "": any that tls believes */
    struct h2c_conn *conns;
    uv_idle_t idle;
    bool has_idle, is_closing, is_node;
    int n_refs;
    char *read_bytes, *clear_bytes;
};

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

static void mark(struct h2c_conn *c)
{
    c->is_dirty = true;
    if (c->client->has_idle)
        uv_idle_start(&c->client->idle, on_idle);
}

/* ---- ends ---- */

static void call_free(struct h2_call *call)
{
    struct h2c_conn *c = call->conn;
    if (call->prev)
        call->prev->next = call->next;
    else
        c->calls = call->next;
    if (call->next)
        call->next->prev = call->prev;
    c->n_calls--;
    buf_fini(&call->out);
    buf_fini(&call->head_bytes);
    free(call);
}

static void end_call(struct h2_call *call, enum http_end how, enum err_code code, const char *why)
{
    const struct h2_call_fns *fns = call->fns;
    void *ctx = call->ctx;
    struct err err = { 0 };
    if (code != ERR_NONE)
        err_set(&err, code, "%s: %s", call->conn->client->target.authority, why);
    call_free(call);
    fns->on_end(ctx, how, &err);
}

static void free_when_over(struct h2c_conn *c)
{
    if (c->state != H2C_CLOSED || c->has_sock || c->has_timer || c->is_looking_up)
        return;
    struct h2_client *client = c->client;
    if (c->prev)
        c->prev->next = c->next;
    else
        client->conns = c->next;
    if (c->next)
        c->next->prev = c->prev;
    nghttp2_session_del(c->session);
    tls_free(c->tls);
    buf_fini(&c->out);
    buf_fini(&c->sealed);
    buf_fini(&c->flying);
    free(c);
    unref(client);
}

static void on_sock_closed(uv_handle_t *h)
{
    struct h2c_conn *c = h->data;
    c->has_sock = false;
    free_when_over(c);
}

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
    if (c->has_sock && !uv_is_closing(&c->sock.handle))
        uv_close(&c->sock.handle, on_sock_closed);
    if (c->is_looking_up)
        uv_cancel((uv_req_t *)&c->lookup);
    if (c->has_timer)
        uv_close((uv_handle_t *)&c->timer, on_timer_closed);
    char text[200];
    snprintf(text, sizeof(text), "%s", why);
    while (c->calls)
        end_call(c->calls, how, code, text);
    free_when_over(c);
}

static void fail_later(struct h2c_conn *c, enum http_end how, const char *why)
{
    if (c->fail.code == ERR_NONE) {
        c->fails_how = how;
        err_set(&c->fail, ERR_IO, "%s", why);
    }
    mark(c);
}

/* ---- frames in ---- */

static struct h2_call *call_of(nghttp2_session *session, int32_t id) { return nghttp2_session_get_stream_user_data(session, id); }

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *f, void *ctx)
{
    struct h2_call *call = call_of(session, f->hd.stream_id);
    (void)ctx;
    if (call) {
        buf_clear(&call->head_bytes);
        call->head.n_fields = 0;
        call->head.content_length = -1;
    }
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *f, const uint8_t *name, size_t n_name, const uint8_t *value, size_t n_value,
                     uint8_t flags, void *ctx)
{
    struct h2_call *call = call_of(session, f->hd.stream_id);
    (void)flags, (void)ctx;
    if (!call)
        return 0;
    if (n_name == 7 && memcmp(name, ":status", 7) == 0) { /* three digits: nghttp2 */
        call->head.status = (value[0] - '0') * 100 + (value[1] - '0') * 10 + (value[2] - '0');
        return 0;
    }
    if (name[0] != ':' && (!h2_add_field(&call->head, &call->head_bytes, name, n_name, value, n_value) || call->head_bytes.failed))
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* the stream ends: too many, or too long */
    return 0;
}

static void give_data(struct h2_call *call, const char *bytes, size_t n)
{
    nghttp2_session_consume_connection(call->conn->session, n);
    if (call->is_held)
        call->n_held += n;
    else
        nghttp2_session_consume_stream(call->conn->session, call->id, n);
    if (call->fns->on_data)
        call->fns->on_data(call->ctx, bytes, n);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *f, void *ctx)
{
    struct h2c_conn *c = ctx;
    struct h2_call *call = call_of(session, f->hd.stream_id);
    if (f->hd.type == NGHTTP2_GOAWAY)
        c->is_goaway = true;
    if (f->hd.type == NGHTTP2_HEADERS && call) {
        h2_settle_fields(&call->head, &call->head_bytes);
        const bool is_trailer = call->has_head;
        if (!is_trailer && call->head.status < 200)
            return 0; /* 100 and the like */
        call->has_head = true;
        if (is_trailer ? call->fns->on_trailers != NULL : call->fns->on_head != NULL)
            (is_trailer ? call->fns->on_trailers : call->fns->on_head)(call->ctx, &call->head);
    }
    call = call_of(session, f->hd.stream_id); /* cancelled meanwhile? */
    if (call && (f->hd.type == NGHTTP2_HEADERS || f->hd.type == NGHTTP2_DATA) && f->hd.flags & NGHTTP2_FLAG_END_STREAM)
        call->is_end_seen = true;
    if (call && call->is_end_seen && nghttp2_session_get_stream_local_close(session, f->hd.stream_id) == 0)
        nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, f->hd.stream_id, NGHTTP2_NO_ERROR); /* nobody waits for the rest of ours */
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes, size_t n, void *ctx)
{
    struct h2_call *call = call_of(session, id);
    (void)flags, (void)ctx;
    if (!call) {
        nghttp2_session_consume(session, id, n);
        return 0;
    }
    give_data(call, (const char *)bytes, n);
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t error, void *ctx)
{
    struct h2_call *call = call_of(session, id);
    (void)ctx;
    if (!call)
        return 0;
    nghttp2_session_set_stream_user_data(session, id, NULL);
    call->id = -1; /* the stream is gone, the call not yet */
    if (call->is_end_seen) {
        end_call(call, HTTP_END_DONE, ERR_NONE, "");
        return 0;
    }
    char why[120];
    snprintf(why, sizeof(why), "the server ended the stream: %s", nghttp2_http2_strerror(error));
    end_call(call, HTTP_END_LOST, error == NGHTTP2_REFUSED_STREAM || error == NGHTTP2_ENHANCE_YOUR_CALM ? ERR_BUSY : ERR_IO, why);
    return 0;
}

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
        mark(c);
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
        mark(c);
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

/* ---- frames out ---- */

static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *into, size_t max, uint32_t *flags, nghttp2_data_source *source, void *ctx)
{
    struct h2_call *call = call_of(session, id);
    (void)source, (void)ctx;
    if (!call) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        return 0;
    }
    const size_t left = call->out.len - call->out_at, n = left < max ? left : max;
    if (n == 0 && !call->is_body_over) {
        call->is_deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    if (n > 0)
        memcpy(into, call->out.data + call->out_at, n);
    call->out_at += n;
    if (call->out_at == call->out.len) {
        buf_clear(&call->out);
        call->out_at = 0;
        if (call->is_body_over)
            *flags |= NGHTTP2_DATA_FLAG_EOF;
    }
    return (ssize_t)n;
}

static void on_written(uv_write_t *w, int status)
{
    struct h2c_conn *c = w->data;
    c->is_writing = false;
    buf_clear(&c->flying);
    if (c->state == H2C_CLOSED)
        return;
    if (status < 0)
        fail_later(c, HTTP_END_LOST, uv_strerror(status));
    mark(c);
}

static bool flush(struct h2c_conn *c)
{
    struct buf *from = &c->out;
    if (c->is_writing)
        return true;
    if (c->tls) {
        if (c->out.len > 0 && tls_is_ready(c->tls)) {
            if (!tls_seal(c->tls, c->out.data, c->out.len))
                return false;
            buf_clear(&c->out);
        }
        if (!tls_take(c->tls, &c->sealed))
            return false;
        from = &c->sealed;
    }
    if (from->len == 0)
        return true;
    uv_buf_t b = uv_buf_init(from->data, (unsigned)from->len);
    int n = uv_try_write(&c->sock.stream, &b, 1);
    n = n == UV_EAGAIN ? 0 : n;
    if (n < 0)
        return false;
    if ((size_t)n == from->len) {
        buf_clear(from);
        return true;
    }
    const struct buf swap = c->flying;
    c->flying = *from;
    *from = swap;
    b = uv_buf_init(c->flying.data + n, (unsigned)(c->flying.len - (size_t)n));
    c->write.data = c;
    c->is_writing = uv_write(&c->write, &c->sock.stream, &b, 1, on_written) == 0;
    return c->is_writing;
}

static void tell_drained(struct h2c_conn *c)
{
    for (struct h2_call *call = c->calls, *next; call; call = next) {
        next = call->next;
        if (call->was_high && h2_call_queued(call) < HTTP_QUEUE_LOW_BYTES) {
            call->was_high = false;
            if (call->fns->on_drain) {
                call->fns->on_drain(call->ctx); /* it may cancel others: look again from the begin, later */
                mark(c);
                return;
            }
        }
    }
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
    tell_drained(c);
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
    if (c->state == H2C_LOOKUP || c->state == H2C_CONNECT)
        conn_end(c, HTTP_END_CONNECT, ERR_BUSY, "no connection in time");
    else if (c->state == H2C_OPEN && c->n_calls == 0)
        conn_end(c, HTTP_END_LOST, ERR_IO, "idle");
}

static const char *name_of(const struct h2_client *c)
{
    return !c->is_node ? c->target.host : c->server_name[0] ? c->server_name : NULL;
}

static void on_connected(uv_connect_t *r, int status)
{
    struct h2c_conn *c = r->data;
    if (c->state != H2C_CONNECT)
        return;
    if (status != 0) {
        conn_end(c, HTTP_END_CONNECT, ERR_IO, uv_strerror(status));
        return;
    }
    if (!c->client->target.is_unix) {
        uv_tcp_nodelay(&c->sock.tcp, 1); /* small frames meet delayed ACKs: 13 s instead of 0.3 for 200 messages each way */
        uv_tcp_keepalive(&c->sock.tcp, 1, 60);
    }
    uv_read_start(&c->sock.stream, give_buffer, on_read);
    if (!c->client->tls) {
        set_open(c);
    } else if (!(c->tls = tls_new(c->client->tls, name_of(c->client), true))) {
        conn_end(c, HTTP_END_CONNECT, ERR_NOMEM, "TLS: out of memory, or the host's name is none");
        return;
    } else {
        open_sealed(c);
        return;
    }
    mark(c);
}

static void connect_to(struct h2c_conn *c, const struct sockaddr *sa)
{
    int rc = sa ? uv_tcp_init(&c->client->loop->uv, &c->sock.tcp) : uv_pipe_init(&c->client->loop->uv, &c->sock.pipe, 0);
    c->has_sock = rc == 0;
    c->state = H2C_CONNECT;
    c->sock.handle.data = c;
    c->connect.data = c;
    if (rc == 0 && sa)
        rc = uv_tcp_connect(&c->connect, &c->sock.tcp, sa, on_connected);
    else if (rc == 0)
        uv_pipe_connect(&c->connect, &c->sock.pipe, c->client->target.host, on_connected);
    if (rc != 0)
        fail_later(c, HTTP_END_CONNECT, uv_strerror(rc));
}

static void on_looked_up(uv_getaddrinfo_t *r, int status, struct addrinfo *found)
{
    struct h2c_conn *c = r->data;
    c->is_looking_up = false;
    if (c->state == H2C_CLOSED)
        free_when_over(c);
    else if (status == 0 && found)
        connect_to(c, found->ai_addr);
    else
        conn_end(c, HTTP_END_CONNECT, ERR_IO, status ? uv_strerror(status) : "has no address");
    uv_freeaddrinfo(found);
}

static void begin_connect(struct h2c_conn *c)
{
    const struct http_target *t = &c->client->target;
    struct sockaddr_storage sa;
    const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
    char port[8];
    if (t->is_unix) {
        connect_to(c, NULL);
        return;
    }
    if ((strchr(t->host, ':') ? uv_ip6_addr(t->host, t->port, (struct sockaddr_in6 *)&sa) : uv_ip4_addr(t->host, t->port, (struct sockaddr_in *)&sa)) == 0) {
        connect_to(c, (struct sockaddr *)&sa);
        return;
    }
    snprintf(port, sizeof(port), "%d", t->port);
    c->lookup.data = c;
    const int rc = uv_getaddrinfo(&c->client->loop->uv, &c->lookup, on_looked_up, t->host, port, &hints);
    c->is_looking_up = rc == 0;
    if (rc != 0)
        fail_later(c, HTTP_END_CONNECT, uv_strerror(rc));
}

static bool open_session(struct h2c_conn *c)
{
    const uint32_t window = c->client->config.window_bytes;
    const nghttp2_settings_entry settings[] = {
        { NGHTTP2_SETTINGS_ENABLE_PUSH, 0 },
        { NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, window },
        { NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, c->client->config.max_head_bytes },
    };
    nghttp2_session_callbacks *cb = NULL;
    nghttp2_option *opt = NULL;
    bool ok = nghttp2_session_callbacks_new(&cb) == 0 && nghttp2_option_new(&opt) == 0;
    if (ok) {
        nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin_headers);
        nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
        nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
        nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
        nghttp2_option_set_no_auto_window_update(opt, 1);
        ok = nghttp2_session_client_new2(&c->session, cb, c, opt) == 0 &&
             nghttp2_submit_settings(c->session, NGHTTP2_FLAG_NONE, settings, sizeof(settings) / sizeof(settings[0])) == 0 &&
             nghttp2_session_set_local_window_size(c->session, NGHTTP2_FLAG_NONE, 0, (int32_t)(window < (1u << 29) ? window * 4 : INT32_MAX)) == 0;
    }
    nghttp2_session_callbacks_del(cb);
    nghttp2_option_del(opt);
    return ok;
}

static struct h2c_conn *conn_new(struct h2_client *client, struct err *err)
{
    struct h2c_conn *c = calloc(1, sizeof(*c));
    if (c)
        c->client = client;
    if (!c || !open_session(c)) {
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
    c->next = client->conns;
    if (c->next)
        c->next->prev = c;
    client->conns = c;
    uv_timer_start(&c->timer, on_timer, client->config.connect_ms, client->config.idle_ms);
    begin_connect(c);
    return c;
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
            call_free(k->calls);
        conn_end(k, HTTP_END_LOST, ERR_CANCELLED, "");
    }
    uv_close((uv_handle_t *)&c->idle, on_idle_closed);
}

/* The newest connection, if it takes calls. */
static struct h2c_conn *usable(struct h2_client *client)
{
    for (struct h2c_conn *c = client->conns; c; c = c->next)
        if (c->state != H2C_CLOSED && c->fail.code == ERR_NONE && !c->is_goaway && nghttp2_session_check_request_allowed(c->session))
            return c;
    return NULL;
}

static void put_nv(nghttp2_nv *nv, const char *name, const char *value)
{
    *nv = (nghttp2_nv){ (uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name), strlen(value), NGHTTP2_NV_FLAG_NONE };
}

static bool submit(struct h2_call *call, enum http_verb verb, const char *path, const struct http_field *fields, int n_fields, bool has_body)
{
    const struct http_target *t = &call->conn->client->target;
    nghttp2_nv nv[HTTP_FIELDS_MAX + 4];
    char full[sizeof(t->prefix) + 2048];
    int n = 0;
    if (n_fields > HTTP_FIELDS_MAX || snprintf(full, sizeof(full), "%s%s", t->prefix, path) >= (int)sizeof(full))
        return false;
    put_nv(&nv[n++], ":method", http_verb_name(verb));
    put_nv(&nv[n++], ":scheme", t->is_tls ? "https" : "http");
    put_nv(&nv[n++], ":path", full);
    put_nv(&nv[n++], ":authority", t->authority);
    for (int i = 0; i < n_fields; i++) {
        if (!nghttp2_check_header_name((const uint8_t *)fields[i].name, strlen(fields[i].name)) ||
            !nghttp2_check_header_value((const uint8_t *)fields[i].value, strlen(fields[i].value)))
            return false;
        put_nv(&nv[n++], fields[i].name, fields[i].value);
    }
    const nghttp2_data_provider body = { { .ptr = call }, read_body };
    call->id = nghttp2_submit_request(call->conn->session, NULL, nv, (size_t)n, has_body ? &body : NULL, call);
    return call->id > 0;
}

struct h2_call *h2_client_call(struct h2_client *c, enum http_verb verb, const char *path, const struct http_field *fields, int n_fields,
                               bool has_body, const struct h2_call_fns *fns, void *ctx, struct err *err)
{
    struct h2c_conn *k = usable(c);
    if (!k && !(k = conn_new(c, err)))
        return NULL;
    if (k->n_calls >= (int)c->config.max_calls)
        return err_null(err, ERR_BUSY, "%s: %d calls are under way", c->target.authority, k->n_calls);
    struct h2_call *call = calloc(1, sizeof(*call));
    if (!call)
        return err_null(err, ERR_NOMEM, "%s: out of memory", c->target.authority);
    call->conn = k;
    call->fns = fns;
    call->ctx = ctx;
    buf_init(&call->out, c->config.max_queued_bytes);
    buf_init(&call->head_bytes, c->config.max_head_bytes);
    call->next = k->calls;
    if (call->next)
        call->next->prev = call;
    k->calls = call;
    k->n_calls++;
    mark(k);
    if (submit(call, verb, path, fields, n_fields, has_body))
        return call;
    call_free(call);
    return err_null(err, ERR_INPUT, "%s: the path or a field of the request makes no sense", c->target.authority);
}

static void resume_body(struct h2_call *call)
{
    if (call->is_deferred && call->id > 0) {
        call->is_deferred = false;
        nghttp2_session_resume_data(call->conn->session, call->id);
    }
    mark(call->conn);
}

void h2_call_write(struct h2_call *call, const void *bytes, size_t n)
{
    if (call->is_body_over || call->id < 0)
        return;
    if (call->out_at > 0 && call->out_at >= call->out.len / 2) {
        memmove(call->out.data, call->out.data + call->out_at, call->out.len - call->out_at);
        call->out.len -= call->out_at;
        call->out_at = 0;
    }
    buf_append(&call->out, bytes, n);
    if (call->out.failed) { /* a body with a hole must not look whole */
        call->is_body_over = true;
        nghttp2_submit_rst_stream(call->conn->session, NGHTTP2_FLAG_NONE, call->id, NGHTTP2_INTERNAL_ERROR);
    }
    call->was_high = call->was_high || h2_call_queued(call) > HTTP_QUEUE_HIGH_BYTES;
    resume_body(call);
}

void h2_call_end(struct h2_call *call)
{
    call->is_body_over = true;
    resume_body(call);
}

void h2_call_hold(struct h2_call *call, bool hold)
{
    call->is_held = hold;
    if (hold || call->n_held == 0 || call->id < 0 || call->conn->state == H2C_CLOSED)
        return;
    nghttp2_session_consume_stream(call->conn->session, call->id, call->n_held);
    call->n_held = 0;
    mark(call->conn);
}

size_t h2_call_queued(const struct h2_call *call) { return call->out.len - call->out_at; }

void h2_call_cancel(struct h2_call *call)
{
    if (!call)
        return;
    struct h2c_conn *c = call->conn;
    if (call->id > 0 && c->state != H2C_CLOSED) {
        nghttp2_session_set_stream_user_data(c->session, call->id, NULL);
        nghttp2_submit_rst_stream(c->session, NGHTTP2_FLAG_NONE, call->id, NGHTTP2_CANCEL);
    }
    mark(c);
    call_free(call);
}
