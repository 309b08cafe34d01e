/* net/stream.c - what handlers call: the rules that hold for a stream of any version, then h1.c or h2.c. */
#include "net/net_internal.h"

void http_stream_take(struct http_stream *s, const struct http_stream_fns *fns, void *ctx)
{
    s->fns = fns;
    s->ctx = ctx;
}

bool http_stream_is_h2(const struct http_stream *s) { return s->conn->h2 != NULL; }

const char *http_stream_peer(const struct http_stream *s) { return s->conn->tls ? tls_peer(s->conn->tls) : ""; }

void http_stream_from(const struct http_stream *s, char out[HTTP_FROM_MAX]) { http_conn_from(s->conn, out); }

void http_stream_be_patient(struct http_stream *s) { s->is_patient = true; }

bool http_stream_is_started(const struct http_stream *s) { return s->is_started; }

size_t http_stream_queued(const struct http_stream *s) { return s->conn->h2 ? h2_queued(s) : h1_queued(s); }

void http_stream_start(struct http_stream *s, int status, const struct http_field *fields, int n_fields, int64_t n_body)
{
    if (s->is_started || s->is_reset)
        return;
    s->is_started = true;
    s->conn->server->stats.responses_total[status / 100 % 6]++;
    s->n_left = n_body == HTTP_NO_BODY ? 0 : n_body;
    if (status == 204 || status == 304)
        s->drops_body = true;
    if (s->conn->h2)
        h2_start(s, status, fields, n_fields, n_body);
    else
        h1_start(s, status, fields, n_fields, s->n_left);
}

void http_stream_write(struct http_stream *s, const void *bytes, size_t n)
{
    if (!s->is_started || s->is_ended || s->is_reset || s->drops_body || n == 0)
        return;
    if (s->n_left >= 0) {
        if (n > (uint64_t)s->n_left) { /* more than was announced: our own mistake must not leave as a wrong frame */
            http_stream_reset(s);
            return;
        }
        s->n_left -= (int64_t)n;
    }
    if (s->conn->h2)
        h2_write(s, bytes, n);
    else
        h1_write(s, bytes, n);
    if (!s->was_high && http_stream_queued(s) > HTTP_QUEUE_HIGH_BYTES)
        s->was_high = true;
}

void http_stream_end_with(struct http_stream *s, const struct http_field *trailers, int n_trailers)
{
    if (!s->is_started || s->is_ended || s->is_reset)
        return;
    if (s->n_left > 0 && !s->drops_body) {
        http_stream_reset(s);
        return;
    }
    s->is_ended = true;
    if (s->conn->h2)
        h2_end(s, trailers, n_trailers);
    else
        h1_end(s, trailers, n_trailers);
}

void http_stream_end(struct http_stream *s) { http_stream_end_with(s, NULL, 0); }

void http_stream_reply(struct http_stream *s, int status, const struct http_field *fields, int n_fields,
                       const void *body, size_t n)
{
    http_stream_start(s, status, fields, n_fields, (int64_t)n);
    http_stream_write(s, body, n);
    http_stream_end(s);
}

void http_stream_reset(struct http_stream *s)
{
    if (s->is_reset)
        return;
    s->is_reset = true;
    if (s->conn->h2)
        h2_reset(s);
    http_conn_mark_dirty(s->conn);
}
