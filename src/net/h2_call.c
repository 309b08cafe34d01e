/* net/h2_call.c - calls of an HTTP/2 client: what the server says on their streams, what goes out on them; start at h2_client_call() and on_frame().
 * The connection below is h2_client.c's.
 */
#include <nghttp2/nghttp2.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "net/h2_client_internal.h"
#include "net/h2_internal.h"

void h2c_call_free(struct h2_call *call)
{
    struct h2c_conn *c = call->conn;
    LIST_UNLINK(c->calls, call);
    c->n_calls--;
    buf_fini(&call->out);
    buf_fini(&call->head_bytes);
    free(call);
}

void h2c_end_call(struct h2_call *call, enum http_end how, enum err_code code, const char *why)
{
    const struct h2_call_fns *fns = call->fns;
    void *ctx = call->ctx;
    struct err err = { 0 };
    if (code != ERR_NONE)
        err_set(&err, code, "%s: %s", call->conn->client->target.authority, why);
    h2c_call_free(call);
    fns->on_end(ctx, how, &err);
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
        h2c_end_call(call, HTTP_END_DONE, ERR_NONE, "");
        return 0;
    }
    char why[120];
    snprintf(why, sizeof(why), "the server ended the stream: %s", nghttp2_http2_strerror(error));
    h2c_end_call(call, HTTP_END_LOST, error == NGHTTP2_REFUSED_STREAM || error == NGHTTP2_ENHANCE_YOUR_CALM ? ERR_BUSY : ERR_IO, why);
    return 0;
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

void h2c_tell_drained(struct h2c_conn *c)
{
    for (struct h2_call *call = c->calls, *next; call; call = next) {
        next = call->next;
        if (call->was_high && h2_call_queued(call) < HTTP_QUEUE_LOW_BYTES) {
            call->was_high = false;
            if (call->fns->on_drain) {
                call->fns->on_drain(call->ctx); /* it may cancel others: look again from the begin, later */
                h2c_mark(c);
                return;
            }
        }
    }
}

bool h2c_open_session(struct h2c_conn *c)
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

/* ---- what callers ask for ---- */

static bool submit(struct h2_call *call, enum http_verb verb, const char *path, const struct http_field *fields, int n_fields, bool has_body)
{
    const struct http_target *t = &call->conn->client->target;
    nghttp2_nv nv[HTTP_FIELDS_MAX + 4];
    char full[sizeof(t->prefix) + 2048];
    int n = 0;
    if (n_fields > HTTP_FIELDS_MAX || snprintf(full, sizeof(full), "%s%s", t->prefix, path) >= (int)sizeof(full))
        return false;
    h2_put_field(&nv[n++], ":method", http_verb_name(verb));
    h2_put_field(&nv[n++], ":scheme", t->is_tls ? "https" : "http");
    h2_put_field(&nv[n++], ":path", full);
    h2_put_field(&nv[n++], ":authority", t->authority);
    for (int i = 0; i < n_fields; i++) {
        if (!nghttp2_check_header_name((const uint8_t *)fields[i].name, strlen(fields[i].name)) ||
            !nghttp2_check_header_value((const uint8_t *)fields[i].value, strlen(fields[i].value)))
            return false;
        h2_put_field(&nv[n++], fields[i].name, fields[i].value);
    }
    const nghttp2_data_provider body = { { .ptr = call }, read_body };
    call->id = nghttp2_submit_request(call->conn->session, NULL, nv, (size_t)n, has_body ? &body : NULL, call);
    return call->id > 0;
}

struct h2_call *h2_client_call(struct h2_client *c, enum http_verb verb, const char *path, const struct http_field *fields, int n_fields,
                               bool has_body, const struct h2_call_fns *fns, void *ctx, struct err *err)
{
    struct h2c_conn *k = h2c_usable(c, err);
    if (!k)
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
    LIST_LINK(k->calls, call);
    k->n_calls++;
    h2c_mark(k);
    if (submit(call, verb, path, fields, n_fields, has_body))
        return call;
    h2c_call_free(call);
    return err_null(err, ERR_INPUT, "%s: the path or a field of the request makes no sense", c->target.authority);
}

static void resume_body(struct h2_call *call)
{
    if (call->is_deferred && call->id > 0) {
        call->is_deferred = false;
        nghttp2_session_resume_data(call->conn->session, call->id);
    }
    h2c_mark(call->conn);
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
    h2c_mark(call->conn);
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
    h2c_mark(c);
    h2c_call_free(call);
}
