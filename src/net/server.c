/* net/server.c - listening, limits, the pool of streams; the life of a connection is in conn.c. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "net/net_internal.h"

static void flush_all(uv_prepare_t *h)
{
    struct http_server *v = h->data;
    struct http_conn *c;
    while ((c = http_conn_pop_dirty(v)) != NULL) /* bounded: a connection goes on only with bytes that it holds */
        http_conn_service(c);
}

static uint32_t preset(uint32_t v, uint32_t usual) { return v ? v : usual; }

struct http_server *http_server_new(struct net_loop *l, const struct http_server_config *config, struct err *err)
{
    struct http_server *v = calloc(1, sizeof(*v));
    char *bytes = malloc(2 * READ_BYTES);
    struct http_conn *spare = calloc(1, sizeof(*spare));
    if (!v || !bytes || !spare) {
        free(v);
        free(bytes);
        free(spare);
        return err_null(err, ERR_NOMEM, "server: out of memory");
    }
    v->read_bytes = bytes;
    v->clear_bytes = bytes + READ_BYTES;
    v->spare = spare;
    v->loop = l;
    v->config = *config;
    struct http_server_config *k = &v->config;
    k->max_connections = k->max_connections ? k->max_connections : 4096;
    k->max_head_bytes = preset(k->max_head_bytes, 64 << 10);
    k->max_body_bytes = k->max_body_bytes ? k->max_body_bytes : 32 << 20;
    k->max_queued_bytes = k->max_queued_bytes ? k->max_queued_bytes : 64 << 20;
    k->head_ms = preset(k->head_ms, 10000);
    k->body_ms = preset(k->body_ms, 30000);
    k->idle_ms = preset(k->idle_ms, 75000);
    k->stall_ms = preset(k->stall_ms, 60000);
    k->linger_ms = preset(k->linger_ms, 2000);
    k->max_streams = preset(k->max_streams, 256);
    k->max_all_streams = k->max_all_streams ? k->max_all_streams : 16384;
    k->stream_window_bytes = preset(k->stream_window_bytes, 1 << 20);
    k->conn_window_bytes = preset(k->conn_window_bytes, 4 << 20);
    k->resets_burst = preset(k->resets_burst, 1000);
    uv_prepare_init(&l->uv, &v->flush);
    v->flush.data = v;
    uv_prepare_start(&v->flush, flush_all);
    uv_unref((uv_handle_t *)&v->flush);
    v->n_handles = 1;
    return v;
}

static void on_listener_closed(uv_handle_t *h)
{
    struct http_listener *li = (struct http_listener *)h;
    li->server->n_handles--;
    free(li);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct http_listener *li = (struct http_listener *)listener;
    if (status == 0)
        li->is_pending = !http_conn_accept(li->server, listener);
}

void server_accept_pending(struct http_server *v)
{
    for (struct http_listener *li = v->listeners; li; li = li->next)
        if (li->is_pending)
            li->is_pending = !http_conn_accept(v, (uv_stream_t *)&li->tcp);
}

void http_server_set_tls(struct http_server *v, struct tls_context *tls)
{
    tls_context_free(v->tls);
    v->tls = tls;
}

int http_server_check_peers(struct http_server *v)
{
    int n = 0;
    for (struct http_conn *c = v->conns, *next; c; c = next) {
        char why[160];
        next = c->next;
        if (!v->tls || !c->tls || !tls_peer(c->tls)[0] || tls_believes(v->tls, c->tls, why, sizeof(why)))
            continue;
        http_conn_tell_refused(c, why);
        http_conn_close(c, HTTP_CLOSE_STOP);
        n++;
    }
    return n;
}

/* at NULL: the socket fd is bound already. */
static bool listen_on(struct http_server *v, const struct net_addr *at, int fd, struct net_addr *bound, struct err *err)
{
    struct sockaddr_storage sa;
    int sa_len = sizeof(sa);
    struct net_addr here;
    const char *what = at ? at->text : "socket";
    struct http_listener *li = calloc(1, sizeof(*li));
    if (!li)
        return err_set(err, ERR_NOMEM, "listen %s: out of memory", what);
    li->server = v;
    int rc = uv_tcp_init(&v->loop->uv, &li->tcp);
    if (rc != 0) {
        free(li);
        return err_set(err, ERR_IO, "listen %s: %s", what, uv_strerror(rc));
    }
    v->n_handles++;
    rc = at ? uv_tcp_bind(&li->tcp, (const struct sockaddr *)&at->sa, 0) : uv_tcp_open(&li->tcp, fd);
    if (rc == 0)
        rc = uv_listen((uv_stream_t *)&li->tcp, 511, on_connection);
    if (rc == 0)
        rc = uv_tcp_getsockname(&li->tcp, (struct sockaddr *)&sa, &sa_len);
    if (rc != 0)
        err_set(err, ERR_IO, "listen %s: %s", what, uv_strerror(rc));
    if (rc != 0 || !net_addr_from(bound ? bound : &here, (const struct sockaddr *)&sa, err)) {
        uv_close((uv_handle_t *)&li->tcp, on_listener_closed);
        return false;
    }
    li->next = v->listeners;
    v->listeners = li;
    return true;
}

bool http_server_listen(struct http_server *v, const struct net_addr *at, struct net_addr *bound, struct err *err)
{
    return listen_on(v, at, -1, bound, err);
}

bool http_server_listen_fd(struct http_server *v, int fd, struct net_addr *bound, struct err *err)
{
    return listen_on(v, NULL, fd, bound, err);
}

void http_server_stop_listening(struct http_server *v)
{
    while (v->listeners) {
        struct http_listener *li = v->listeners;
        v->listeners = li->next;
        uv_close((uv_handle_t *)&li->tcp, on_listener_closed);
    }
}

void http_server_drain(struct http_server *v)
{
    v->is_draining = true;
    for (struct http_conn *c = v->conns, *next; c; c = next) {
        next = c->next;
        http_conn_drain(c);
    }
}

void http_server_get_stats(const struct http_server *v, struct http_server_stats *out) { *out = v->stats; }

static void on_flush_closed(uv_handle_t *h)
{
    struct http_server *v = h->data;
    v->n_handles--;
}

void http_server_free(struct http_server *v)
{
    if (!v)
        return;
    http_server_stop_listening(v);
    for (struct http_conn *c = v->conns, *next; c; c = next) {
        next = c->next;
        http_conn_close(c, HTTP_CLOSE_STOP);
    }
    uv_close((uv_handle_t *)&v->flush, on_flush_closed);
    while (v->n_handles > 0)
        uv_run(&v->loop->uv, UV_RUN_ONCE);
    while (v->free_streams) {
        struct http_stream *s = v->free_streams;
        v->free_streams = s->next_free;
        free(s);
    }
    h2_free_streams(v);
    tls_context_free(v->tls);
    free(v->read_bytes);
    free(v->spare);
    free(v);
}

struct http_stream *server_take_stream(struct http_server *v)
{
    struct http_stream *s = v->free_streams;
    if (!s)
        return calloc(1, sizeof(*s));
    v->free_streams = s->next_free;
    v->n_free_streams--;
    memset(s, 0, offsetof(struct http_stream, head));
    return s;
}

void server_give_stream(struct http_server *v, struct http_stream *s)
{
    if (v->n_free_streams >= FREE_STREAMS_MAX) {
        free(s);
        return;
    }
    s->conn = NULL;
    s->next_free = v->free_streams;
    v->free_streams = s;
    v->n_free_streams++;
}

/* IMF-fixdate (RFC 9110, 5.6.7), made once a second. */
const char *server_date(struct http_server *v)
{
    const time_t now = time(NULL);
    struct tm tm;
    if (v->date_s != (uint64_t)now && gmtime_r(&now, &tm)) {
        static const char days[] = "SunMonTueWedThuFriSat", months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
        snprintf(v->date, sizeof(v->date), "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT", days + 3 * tm.tm_wday,
                 tm.tm_mday, months + 3 * tm.tm_mon, tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
        v->date_s = (uint64_t)now;
    }
    return v->date;
}

static const struct {
    int status;
    const char *reason;
} reasons[] = {
    { 100, "Continue" }, { 200, "OK" }, { 201, "Created" }, { 204, "No Content" }, { 304, "Not Modified" },
    { 400, "Bad Request" }, { 401, "Unauthorized" }, { 403, "Forbidden" }, { 404, "Not Found" },
    { 405, "Method Not Allowed" }, { 406, "Not Acceptable" }, { 408, "Request Timeout" }, { 409, "Conflict" },
    { 413, "Content Too Large" }, { 414, "URI Too Long" }, { 415, "Unsupported Media Type" },
    { 417, "Expectation Failed" }, { 422, "Unprocessable Content" }, { 429, "Too Many Requests" },
    { 431, "Request Header Fields Too Large" }, { 499, "Client Closed Request" }, { 500, "Internal Server Error" },
    { 501, "Not Implemented" }, { 502, "Bad Gateway" }, { 503, "Service Unavailable" }, { 504, "Gateway Timeout" },
    { 505, "HTTP Version Not Supported" }, { 508, "Loop Detected" }, { 529, "Overloaded" },
};

const char *http_reason(int status)
{
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "Unknown";
}
