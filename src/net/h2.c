/* net/h2.c - the life of an HTTP/2 connection: nghttp2 knows the frames, this file knows streams, limits, clocks.
 *
 * Start:   h2_on_bytes() (frames in: the callbacks above it) and h2_service() (frames out).
 *
 *   HEADERS --> on_request --> body: DATA (the handler takes it as it comes; nghttp2 opens the windows again) --> on_end
 *   h2_start() submits the response, h2_write() queues its body, read_body() puts it into frames as the client's
 *   windows allow; on_stream_close() is where a stream ends, on_close included (http_conn_close() for all at once).
 *
 * Rule:    nothing that a peer does makes us hold more than: max_streams heads of max_head_bytes, PUMP_BYTES of
 *          frames, and what handlers queue (which they stop at the high mark); nor handlers more than BODIES_MAX
 *          bodies of max_body_bytes that are unfinished.  It is cut off for: more than resets_burst cancelled streams, answers to PING and SETTINGS
 *          that it does not read (nghttp2's limit), CONTINUATIONs without end, clocks (head, body, stall, idle).
 */
#include <nghttp2/nghttp2.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "net/h2_internal.h"
#include "net/net_internal.h"

enum {
    PUMP_BYTES = 64 << 10,  /* frames that are made before the socket took the last ones */
    RESETS_PER_S = 100,
    NOTICE_MS = 1000,       /* between "do not begin anything new" and the GOAWAY that means it */
    LINGER_MAX_BYTES = 64 << 20,
    FREE_H2_MAX = 256,
    ANSWERS_MAX = 4096,     /* frames of ours that wait for the socket before we stop reading */
    BODIES_MAX = 4,         /* bodies of max_body_bytes that are unfinished on one connection at a time */
};

struct h2_stream {
    struct http_stream s; /* first */
    struct h2_stream *prev, *next;
    int32_t id;
    struct buf head_bytes;        /* what s.head points to: name\0value\0... */
    size_t n_head_bytes;          /* as RFC 9113, 6.5.2 counts */
    size_t at_method, at_target, at_authority; /* in head_bytes; 0: none (byte 0 is a '\0') */
    int refusal;                  /* the status to refuse with; 0: none */
    const char *why;
    bool is_refused;              /* answered by us: its body goes nowhere */
    bool is_deferred;             /* read_body() found nothing and waits to be resumed */
    bool is_sent;
    struct buf out;               /* of the response */
    size_t out_at;
    struct buf trailers;          /* name\0value\0... */
    int n_trailers;
    uint64_t n_lingered;          /* of a body that came after the response was out */
    uint64_t n_body, body_by_ms, stall_by_ms; /* clocks: 0: none */
};

struct h2 {
    nghttp2_session *session;
    struct http_conn *conn;
    struct h2_stream *streams;
    int n_streams, n_high;            /* was_high */
    uint64_t n_bodies_bytes;          /* of requests that are not over */
    int32_t head_id;                  /* the stream whose header block is coming in */
    uint64_t head_by_ms, idle_by_ms, goaway_by_ms; /* 0: none */
    uint64_t resets_left, resets_at_ms;
    bool is_draining;
    struct h2_stream *opening; /* whose head is coming in */
};

static struct h2_stream *of(struct http_stream *s) { return (struct h2_stream *)(void *)s; }

static uint64_t sooner(uint64_t a, uint64_t b) { return !a ? b : !b || a < b ? a : b; }

/* The connection's one timer must ring no later than this. */
static void clock_at(struct h2 *h, uint64_t at_ms)
{
    struct http_conn *c = h->conn;
    const uint64_t now = http_conn_now_ms(c);
    if (!c->input_by_ms || at_ms < c->input_by_ms)
        http_conn_input_by(c, at_ms > now ? at_ms - now : 1);
}

/* ---- streams: a pool of them ---- */

static void trim(struct buf *b, size_t max_bytes)
{
    if (b->cap > KEEP_BYTES)
        buf_fini(b);
    else
        buf_clear(b);
    b->max_bytes = max_bytes;
}

static void stream_free(struct h2_stream *t)
{
    buf_fini(&t->head_bytes);
    buf_fini(&t->out);
    buf_fini(&t->trailers);
    free(t);
}

static struct h2_stream *stream_new(struct h2 *h, int32_t id)
{
    struct http_server *v = h->conn->server;
    const struct http_server_config *k = &v->config;
    struct h2_stream *t = v->free_h2;
    if (t) {
        v->free_h2 = t->next;
        v->n_free_h2--;
        struct buf head_bytes = t->head_bytes, out = t->out, trailers = t->trailers;
        memset(&t->s, 0, offsetof(struct http_stream, head));
        memset((char *)t + sizeof(t->s), 0, sizeof(*t) - sizeof(t->s));
        t->head_bytes = head_bytes, t->out = out, t->trailers = trailers;
    } else if (!(t = calloc(1, sizeof(*t)))) {
        return NULL;
    }
    trim(&t->head_bytes, k->max_head_bytes + 4096);
    trim(&t->out, k->max_queued_bytes);
    trim(&t->trailers, 16384);
    t->s.conn = h->conn;
    t->s.head.n_fields = 0;
    t->id = id;
    LIST_LINK(h->streams, t);
    h->n_streams++;
    v->n_h2_streams++;
    h->idle_by_ms = 0;
    return t;
}

static void stream_drop(struct h2 *h, struct h2_stream *t)
{
    struct http_server *v = h->conn->server;
    LIST_UNLINK(h->streams, t);
    h->n_bodies_bytes -= t->n_body;
    h->n_high -= t->s.was_high;
    h->n_streams--;
    v->n_h2_streams--;
    if (h->opening == t)
        h->opening = NULL;
    if (v->n_free_h2 >= FREE_H2_MAX) {
        stream_free(t);
    } else {
        t->s.conn = NULL;
        t->next = v->free_h2;
        v->free_h2 = t;
        v->n_free_h2++;
    }
}

void h2_free_streams(struct http_server *v)
{
    while (v->free_h2) {
        struct h2_stream *t = v->free_h2;
        v->free_h2 = t->next;
        stream_free(t);
    }
}

static void tell_close(struct h2_stream *t, enum http_close why)
{
    const struct http_stream_fns *fns = t->s.fns;
    t->s.fns = NULL;
    if (fns)
        fns->on_close(t->s.ctx, why);
}

/* A refusal of ours: whoever had the stream is told that it is gone, the client hears why. */
static void refuse(struct h2 *h, struct h2_stream *t, int status, const char *why)
{
    const struct http_server_config *k = &h->conn->server->config;
    struct buf body;
    const char *type = "text/plain; charset=utf-8";
    if (t->is_refused)
        return;
    tell_close(t, status == 408 ? HTTP_CLOSE_TIMEOUT : HTTP_CLOSE_ERROR);
    t->is_refused = true;
    t->body_by_ms = 0;
    if (t->s.is_started) {
        http_stream_reset(&t->s);
        return;
    }
    buf_init(&body, 4096);
    if (k->put_error)
        type = k->put_error(k->ctx, status, why, &body);
    else
        buf_printf(&body, "%s\n", why);
    const struct http_field fields[] = { { "content-type", type }, { "retry-after", "1" } };
    http_stream_reply(&t->s, status, fields, status == 503 ? 2 : 1, body.data ? body.data : "", body.len);
    buf_fini(&body);
}

/* ---- frames in ---- */

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *f, void *ctx)
{
    struct h2 *h = ctx;
    struct http_server *v = h->conn->server;
    h->head_id = f->hd.stream_id;
    h->head_by_ms = http_conn_now_ms(h->conn) + v->config.head_ms;
    clock_at(h, h->head_by_ms);
    if (f->hd.type != NGHTTP2_HEADERS || f->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    if (v->n_h2_streams >= v->config.max_all_streams) {
        nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, f->hd.stream_id, NGHTTP2_REFUSED_STREAM);
        return 0;
    }
    struct h2_stream *t = stream_new(h, f->hd.stream_id);
    if (!t)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    buf_putc(&t->head_bytes, '\0');
    h->opening = t;
    nghttp2_session_set_stream_user_data(session, f->hd.stream_id, t);
    return 0;
}

static void refuse_later(struct h2_stream *t, int status, const char *why)
{
    if (!t->refusal) {
        t->refusal = status;
        t->why = why;
    }
}

static int on_header(nghttp2_session *session, const nghttp2_frame *f, const uint8_t *name, size_t n_name, const uint8_t *value,
                     size_t n_value, uint8_t flags, void *ctx)
{
    struct h2 *h = ctx;
    struct h2_stream *t = h->opening;
    const size_t max = h->conn->server->config.max_head_bytes;
    (void)session, (void)flags;
    if (!t || t->id != f->hd.stream_id || f->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0; /* trailers: nobody here reads any */
    t->n_head_bytes += n_name + n_value + 32;
    if (t->n_head_bytes > max) {
        refuse_later(t, 431, "the header is too large");
        return t->n_head_bytes > 8 * max ? NGHTTP2_ERR_CALLBACK_FAILURE : 0; /* it must be decoded, but not for ever */
    }
    if (memchr(value, '\0', n_value)) { /* nghttp2 has refused them already; our texts end there */
        refuse_later(t, 400, "a header field has a zero byte");
        return 0;
    }
    const size_t at = t->head_bytes.len;
    struct buf *b = &t->head_bytes;
    if (name[0] == ':') {
        buf_append(b, value, n_value);
        buf_putc(b, '\0');
        if (n_name == 7 && memcmp(name, ":method", 7) == 0)
            t->at_method = at;
        else if (n_name == 5 && memcmp(name, ":path", 5) == 0)
            t->at_target = at;
        else if (n_name == 10 && memcmp(name, ":authority", 10) == 0)
            t->at_authority = at;
        return 0;
    }
    if (!h2_add_field(&t->s.head, b, name, n_name, value, n_value))
        refuse_later(t, 431, "there are too many header fields");
    return 0;
}

/* The head is whole: offsets become texts.  false with a refusal. */
static bool read_head(struct h2_stream *t, bool has_body)
{
    struct http_head *head = &t->s.head;
    if (t->head_bytes.failed)
        refuse_later(t, 503, "out of memory");
    char *bytes = t->head_bytes.data;
    const int n_fields = head->n_fields;
    head->n_fields = 0;
    if (t->refusal)
        return false;
    head->n_fields = n_fields;
    h2_settle_fields(head, &t->head_bytes);
    const char *authority = t->at_authority ? bytes + t->at_authority : http_head_get(head, "host");
    const int status = http_head_set(head, bytes + t->at_method, bytes + t->at_target, authority ? authority : "", &t->why);
    if (status) {
        t->refusal = status;
        return false;
    }
    const char *length = http_head_get(head, "content-length"); /* digits, not too many: nghttp2 */
    head->content_length = !has_body ? 0 : length ? strtoll(length, NULL, 10) : -1;
    return true;
}

static void begin_request(struct h2 *h, struct h2_stream *t, bool has_body)
{
    const struct http_server_config *k = &h->conn->server->config;
    struct http_stream *s = &t->s;
    if (!read_head(t, has_body)) {
        h->conn->server->stats.bad_total++;
        refuse(h, t, t->refusal, t->why);
        return;
    }
    s->drops_body = s->head.verb == HTTP_VERB_HEAD;
    if (s->head.content_length > 0 && (uint64_t)s->head.content_length > k->max_body_bytes) {
        refuse(h, t, 413, "the body is larger than this server takes");
        return;
    }
    k->on_request(k->ctx, s, &s->head);
    if (!s->fns) {
        refuse(h, t, 500, "nobody took this request");
        return;
    }
    const char *expect = has_body ? http_head_get(&s->head, "expect") : NULL;
    if (expect && !s->is_started && !s->is_reset && strcmp(expect, "100-continue") == 0) {
        const nghttp2_nv nv = { (uint8_t *)":status", (uint8_t *)"100", 7, 3, NGHTTP2_NV_FLAG_NONE };
        nghttp2_submit_headers(h->session, NGHTTP2_FLAG_NONE, t->id, NULL, &nv, 1, NULL);
    }
    if (has_body && !s->is_patient) {
        t->body_by_ms = http_conn_now_ms(h->conn) + k->body_ms;
        clock_at(h, t->body_by_ms);
    }
}

static void give_end(struct h2_stream *t)
{
    t->body_by_ms = 0;
    if (t->s.fns && t->s.fns->on_end && !t->s.is_ended && !t->s.is_reset)
        t->s.fns->on_end(t->s.ctx);
}

static int on_bad_frame(nghttp2_session *session, const nghttp2_frame *f, int error, void *ctx)
{
    struct h2 *h = ctx;
    (void)session, (void)error;
    h->conn->server->stats.bad_total++;
    if (f->hd.type == NGHTTP2_HEADERS)
        h->head_by_ms = 0;
    return 0;
}

/* A token for each reset, RESETS_PER_S of them come back: "rapid reset" is cheap for a client, its requests are not for us. */
static bool allow_reset(struct h2 *h)
{
    const uint64_t now = http_conn_now_ms(h->conn), burst = h->conn->server->config.resets_burst;
    const uint64_t more = (now - h->resets_at_ms) * RESETS_PER_S / 1000;
    if (more > 0) {
        h->resets_left = h->resets_left + more < burst ? h->resets_left + more : burst;
        h->resets_at_ms = now;
    }
    if (h->resets_left == 0)
        return false;
    h->resets_left--;
    return true;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *f, void *ctx)
{
    struct h2 *h = ctx;
    struct h2_stream *t;
    switch (f->hd.type) {
    case NGHTTP2_HEADERS:
        h->head_by_ms = 0;
        t = nghttp2_session_get_stream_user_data(session, f->hd.stream_id);
        if (!t)
            break;
        if (f->headers.cat == NGHTTP2_HCAT_REQUEST) {
            h->opening = NULL;
            begin_request(h, t, !(f->hd.flags & NGHTTP2_FLAG_END_STREAM));
        }
        if (f->hd.flags & NGHTTP2_FLAG_END_STREAM)
            give_end(t);
        break;
    case NGHTTP2_DATA:
        t = nghttp2_session_get_stream_user_data(session, f->hd.stream_id);
        if (t && f->hd.flags & NGHTTP2_FLAG_END_STREAM)
            give_end(t);
        break;
    case NGHTTP2_RST_STREAM:
        if (!allow_reset(h)) {
            h->conn->server->stats.bad_total++;
            nghttp2_session_terminate_session(session, NGHTTP2_ENHANCE_YOUR_CALM);
        }
        break;
    default: break;
    }
    return 0;
}

static void end_linger(struct h2 *h, struct h2_stream *t)
{
    t->body_by_ms = 0;
    nghttp2_submit_rst_stream(h->session, NGHTTP2_FLAG_NONE, t->id, NGHTTP2_NO_ERROR);
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes, size_t n, void *ctx)
{
    struct h2 *h = ctx;
    const struct http_server_config *k = &h->conn->server->config;
    struct h2_stream *t = nghttp2_session_get_stream_user_data(session, id);
    (void)flags;
    if (!t || t->is_refused || t->is_sent || t->s.is_reset) {
        if (t && t->is_sent && (t->n_lingered += n) > LINGER_MAX_BYTES && t->body_by_ms)
            end_linger(h, t);
        return 0;
    }
    if (!t->s.is_patient) { /* whoever is patient bounds what it keeps itself */
        t->n_body += n;
        h->n_bodies_bytes += n;
    }
    if (t->n_body > k->max_body_bytes || h->n_bodies_bytes > BODIES_MAX * k->max_body_bytes) {
        refuse(h, t, 413, "the body is larger than this server takes");
        return 0;
    }
    if (t->body_by_ms)
        t->body_by_ms += (uint64_t)n * 1000 / 1024;
    if (t->s.fns && t->s.fns->on_data && !t->s.is_ended)
        t->s.fns->on_data(t->s.ctx, (const char *)bytes, n);
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t error, void *ctx)
{
    struct h2 *h = ctx;
    struct h2_stream *t = nghttp2_session_get_stream_user_data(session, id);
    if (id == h->head_id)
        h->head_by_ms = 0;
    if (!t)
        return 0;
    tell_close(t, t->s.is_reset ? HTTP_CLOSE_STOP : t->is_sent ? HTTP_CLOSE_DONE : error ? HTTP_CLOSE_HANGUP : HTTP_CLOSE_DONE);
    nghttp2_session_set_stream_user_data(session, id, NULL);
    stream_drop(h, t);
    if (h->n_streams == 0) {
        h->idle_by_ms = http_conn_now_ms(h->conn) + h->conn->server->config.idle_ms;
        clock_at(h, h->idle_by_ms);
        if (h->is_draining)
            nghttp2_session_terminate_session(session, NGHTTP2_NO_ERROR);
    }
    return 0;
}

/* Our response is out in full; a body that still comes is not wanted.  RFC 9113, 8.1 lets us cut it off at once, but
 * then curl 7.88 forgets the response that it has: it is thrown away for a while first. */
static int on_frame_sent(nghttp2_session *session, const nghttp2_frame *f, void *ctx)
{
    struct h2 *h = ctx;
    if ((f->hd.type != NGHTTP2_DATA && f->hd.type != NGHTTP2_HEADERS) || !(f->hd.flags & NGHTTP2_FLAG_END_STREAM))
        return 0;
    struct h2_stream *t = nghttp2_session_get_stream_user_data(session, f->hd.stream_id);
    if (!t)
        return 0;
    t->is_sent = true;
    if (nghttp2_session_get_stream_remote_close(session, t->id) == 0) {
        tell_close(t, HTTP_CLOSE_DONE);
        t->body_by_ms = http_conn_now_ms(h->conn) + h->conn->server->config.linger_ms;
        clock_at(h, t->body_by_ms);
    }
    return 0;
}

void h2_on_bytes(struct http_conn *c, const char *bytes, size_t n)
{
    struct h2 *h = c->h2;
    const ssize_t rc = nghttp2_session_mem_recv(h->session, (const uint8_t *)bytes, n);
    if (rc >= 0) {
        if (nghttp2_session_get_outbound_queue_size(h->session) > ANSWERS_MAX)
            http_conn_set_reading(c, false); /* it makes us answer and does not read: until the socket took some */
        http_conn_mark_dirty(c);
        return;
    }
    c->server->stats.bad_total++;
    http_conn_close(c, HTTP_CLOSE_ERROR);
}

/* ---- frames out ---- */

static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *into, size_t max, uint32_t *flags, nghttp2_data_source *source, void *ctx)
{
    struct h2_stream *t = source->ptr;
    struct h2 *h = ctx;
    const size_t left = t->out.len - t->out_at, n = left < max ? left : max;
    if (n == 0 && !t->s.is_ended) {
        t->is_deferred = true;
        t->stall_by_ms = 0;
        return NGHTTP2_ERR_DEFERRED;
    }
    if (n > 0) {
        memcpy(into, t->out.data + t->out_at, n);
        t->out_at += n;
        t->stall_by_ms = http_conn_now_ms(h->conn) + h->conn->server->config.stall_ms;
    }
    if (n < left)
        return (ssize_t)n;
    buf_clear(&t->out);
    t->out_at = 0;
    t->stall_by_ms = 0;
    if (!t->s.is_ended)
        return (ssize_t)n;
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (t->n_trailers > 0) {
        nghttp2_nv nv[HTTP_TRAILERS_MAX];
        const char *at = t->trailers.data;
        for (int i = 0; i < t->n_trailers; i++) {
            const char *name = at, *value = at + strlen(at) + 1;
            h2_put_field(&nv[i], name, value);
            at = value + nv[i].valuelen + 1;
        }
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        if (nghttp2_submit_trailer(session, id, nv, (size_t)t->n_trailers) != 0)
            return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    return (ssize_t)n;
}

size_t h2_queued(const struct http_stream *s)
{
    const struct h2_stream *t = (const struct h2_stream *)(const void *)s;
    return t->out.len - t->out_at;
}

/* What came from outside must not look like something else; RFC 9113, 8.2.1. */
static void put_value(struct buf *b, const char *value)
{
    value += strspn(value, " \t");
    size_t n = strlen(value);
    while (n > 0 && (value[n - 1] == ' ' || value[n - 1] == '\t'))
        n--;
    for (size_t i = 0; i < n; i++)
        buf_putc(b, (unsigned char)value[i] < 0x20 || value[i] == 0x7f ? ' ' : value[i]);
    buf_putc(b, '\0');
}

void h2_start(struct http_stream *s, int status, const struct http_field *fields, int n_fields, int64_t n_body)
{
    struct h2_stream *t = of(s);
    struct h2 *h = s->conn->h2;
    nghttp2_nv nv[HTTP_FIELDS_MAX + 3];
    char status_text[16], length[24];
    struct buf values;
    size_t n = 0, ends[HTTP_FIELDS_MAX];
    snprintf(status_text, sizeof(status_text), "%d", status);
    snprintf(length, sizeof(length), "%lld", (long long)n_body);
    h2_put_field(&nv[n++], ":status", status_text);
    h2_put_field(&nv[n++], "date", server_date(s->conn->server));
    buf_init(&values, 64 << 10);
    for (int i = 0; i < n_fields && i < HTTP_FIELDS_MAX; i++) {
        ends[i] = values.len;
        put_value(&values, fields[i].value);
    }
    for (int i = 0; i < n_fields && i < HTTP_FIELDS_MAX && !values.failed; i++)
        h2_put_field(&nv[n++], fields[i].name, values.data + ends[i]);
    if (n_body >= 0 && status != 204 && status != 304)
        h2_put_field(&nv[n++], "content-length", length);
    const nghttp2_data_provider body = { { .ptr = t }, read_body };
    const bool has_none = s->drops_body || n_body == 0 || n_body == HTTP_NO_BODY;
    if (values.failed || nghttp2_submit_response(h->session, t->id, nv, n, has_none ? NULL : &body) != 0)
        http_stream_reset(s);
    buf_fini(&values);
    http_conn_mark_dirty(s->conn);
}

static void resume_body(struct h2_stream *t)
{
    if (t->is_deferred) {
        t->is_deferred = false;
        nghttp2_session_resume_data(t->s.conn->h2->session, t->id);
    }
    http_conn_mark_dirty(t->s.conn);
}

void h2_write(struct http_stream *s, const void *bytes, size_t n)
{
    struct h2_stream *t = of(s);
    struct h2 *h = s->conn->h2;
    if (t->out_at > 0 && t->out_at >= t->out.len / 2) {
        memmove(t->out.data, t->out.data + t->out_at, t->out.len - t->out_at);
        t->out.len -= t->out_at;
        t->out_at = 0;
    }
    buf_append(&t->out, bytes, n);
    if (t->out.failed) {
        http_stream_reset(s);
        return;
    }
    if (!s->was_high && h2_queued(s) > HTTP_QUEUE_HIGH_BYTES) {
        s->was_high = true;
        h->n_high++;
    }
    if (!t->stall_by_ms) {
        t->stall_by_ms = http_conn_now_ms(h->conn) + h->conn->server->config.stall_ms;
        clock_at(h, t->stall_by_ms);
    }
    resume_body(t);
}

void h2_end(struct http_stream *s, const struct http_field *trailers, int n_trailers)
{
    struct h2_stream *t = of(s);
    for (int i = 0; i < n_trailers && i < HTTP_TRAILERS_MAX; i++) {
        buf_append(&t->trailers, trailers[i].name, strlen(trailers[i].name) + 1);
        put_value(&t->trailers, trailers[i].value);
        t->n_trailers++;
    }
    if (t->trailers.failed) {
        s->is_ended = false;
        http_stream_reset(s);
        return;
    }
    resume_body(t);
}

void h2_reset(struct http_stream *s)
{
    nghttp2_submit_rst_stream(s->conn->h2->session, NGHTTP2_FLAG_NONE, of(s)->id, NGHTTP2_INTERNAL_ERROR);
}

static void tell_drained(struct h2 *h)
{
    for (struct h2_stream *t = h->streams; t && h->n_high > 0; t = t->next)
        if (t->s.was_high && h2_queued(&t->s) < HTTP_QUEUE_LOW_BYTES) {
            t->s.was_high = false;
            h->n_high--;
            if (t->s.fns && t->s.fns->on_drain && !t->s.is_ended && !t->s.is_reset)
                t->s.fns->on_drain(t->s.ctx);
        }
}

void h2_service(struct http_conn *c)
{
    struct h2 *h = c->h2;
    for (;;) {
        ssize_t n = 0;
        while (!c->is_writing && c->out.len < PUMP_BYTES) {
            const uint8_t *bytes;
            if ((n = nghttp2_session_mem_send(h->session, &bytes)) <= 0)
                break;
            buf_append(&c->out, bytes, (size_t)n);
        }
        if (n < 0 || c->out.failed) {
            http_conn_close(c, HTTP_CLOSE_ERROR);
            return;
        }
        if (!http_conn_flush(c))
            return;
        if (n == 0 || c->is_writing || c->out.len > 0)
            break;
    }
    if (nghttp2_session_get_outbound_queue_size(h->session) <= ANSWERS_MAX)
        http_conn_set_reading(c, true);
    tell_drained(h);
    if (!c->is_writing && c->out.len == 0 && !nghttp2_session_want_read(h->session) && !nghttp2_session_want_write(h->session))
        http_conn_close(c, HTTP_CLOSE_ERROR);
    else if (h->n_streams == 0 && !c->is_writing && c->out.len == 0)
        http_conn_shrink(c);
}

/* ---- clocks ---- */

void h2_on_time(struct http_conn *c)
{
    struct h2 *h = c->h2;
    const uint64_t now = http_conn_now_ms(c);
    if (h->goaway_by_ms && now >= h->goaway_by_ms) {
        h->goaway_by_ms = 0;
        nghttp2_submit_goaway(h->session, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(h->session), NGHTTP2_NO_ERROR, NULL, 0);
    }
    if (h->head_by_ms && now >= h->head_by_ms) {
        c->server->stats.slow_total++;
        http_conn_close(c, HTTP_CLOSE_TIMEOUT);
        return;
    }
    if (h->idle_by_ms && now >= h->idle_by_ms) {
        h->idle_by_ms = 0;
        nghttp2_session_terminate_session(h->session, NGHTTP2_NO_ERROR);
    }
    uint64_t next = sooner(h->goaway_by_ms, sooner(h->head_by_ms, h->idle_by_ms));
    for (struct h2_stream *t = h->streams; t; t = t->next) {
        if (t->is_sent && t->body_by_ms && now >= t->body_by_ms)
            end_linger(h, t);
        if (t->body_by_ms && now >= t->body_by_ms) {
            t->body_by_ms = 0;
            c->server->stats.slow_total++;
            refuse(h, t, 408, "the body came too slowly");
        }
        if (t->stall_by_ms && now >= t->stall_by_ms) {
            t->stall_by_ms = 0;
            c->server->stats.slow_total++;
            tell_close(t, HTTP_CLOSE_TIMEOUT);
            http_stream_reset(&t->s);
        }
        next = sooner(next, sooner(t->body_by_ms, t->stall_by_ms));
    }
    if (next)
        clock_at(h, next);
    http_conn_mark_dirty(c);
}

/* ---- beginning and end ---- */

void h2_drain(struct http_conn *c)
{
    struct h2 *h = c->h2;
    if (h->is_draining)
        return;
    h->is_draining = true;
    if (h->n_streams == 0) {
        nghttp2_session_terminate_session(h->session, NGHTTP2_NO_ERROR);
    } else { /* streams that are under way to us may still come; then the GOAWAY counts */
        nghttp2_submit_shutdown_notice(h->session);
        h->goaway_by_ms = http_conn_now_ms(c) + NOTICE_MS;
        clock_at(h, h->goaway_by_ms);
    }
    http_conn_mark_dirty(c);
}

void h2_drop(struct http_conn *c, enum http_close why)
{
    struct h2 *h = c->h2;
    if (!h)
        return;
    while (h->streams) {
        struct h2_stream *t = h->streams;
        tell_close(t, t->is_sent ? HTTP_CLOSE_DONE : why);
        stream_drop(h, t);
    }
    nghttp2_session_del(h->session);
    free(h);
    c->h2 = NULL;
}

static bool open_session(struct h2 *h)
{
    nghttp2_session_callbacks *cb = NULL;
    nghttp2_option *opt = NULL;
    bool ok = nghttp2_session_callbacks_new(&cb) == 0 && nghttp2_option_new(&opt) == 0;
    if (ok) {
        nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin_headers);
        nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
        nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
        nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(cb, on_bad_frame);
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
        nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
        nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_frame_sent);
        nghttp2_option_set_no_closed_streams(opt, 1); /* priorities of the dead are not worth memory */
        nghttp2_option_set_max_send_header_block_length(opt, 128 << 10);
        ok = nghttp2_session_server_new2(&h->session, cb, h, opt) == 0;
    }
    nghttp2_session_callbacks_del(cb);
    nghttp2_option_del(opt);
    return ok;
}

bool h2_begin(struct http_conn *c)
{
    const struct http_server_config *k = &c->server->config;
    const nghttp2_settings_entry settings[] = {
        { NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, k->max_streams },
        { NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, k->stream_window_bytes },
        { NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, k->max_head_bytes },
    };
    struct h2 *h = calloc(1, sizeof(*h));
    if (!h)
        return false;
    h->conn = c;
    h->resets_left = k->resets_burst;
    h->resets_at_ms = http_conn_now_ms(c);
    if (!open_session(h) || nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, settings, sizeof(settings) / sizeof(settings[0])) != 0 ||
        nghttp2_session_set_local_window_size(h->session, NGHTTP2_FLAG_NONE, 0, (int32_t)k->conn_window_bytes) != 0) {
        nghttp2_session_del(h->session);
        free(h);
        return false;
    }
    c->h2 = h;
    c->input_by_ms = 0;
    h->idle_by_ms = http_conn_now_ms(c) + k->idle_ms;
    clock_at(h, h->idle_by_ms);
    if (c->server->is_draining)
        h->is_draining = true;
    http_conn_mark_dirty(c);
    return true;
}
