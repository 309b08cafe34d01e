/* net/client.c - see client.h: where to, and calls; the life of a connection is in client_conn.c. */
#include "net/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "net/client_internal.h"

const char *http_end_name(enum http_end e)
{
    static const char *const names[] = { "done", "connect", "lost", "late", "broken", "too long" };
    _Static_assert(sizeof(names) / sizeof(names[0]) == HTTP_END_COUNT, "ORDER HTTP_END");
    return e < HTTP_END_COUNT ? names[e] : "?";
}

/* ---- where ---- */

static bool wrong_url(const char *url, const char *why, struct err *err)
{
    return err_set(err, ERR_INPUT, "url '%.100s': %s; write http://HOST:PORT/PATH, https://... or unix:/PATH/OF/SOCKET", url, why);
}

static bool has_only(const char *s, size_t n, const char *more)
{
    for (size_t i = 0; i < n; i++) {
        const char c = s[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr(more, c))))
            return false;
    }
    return true;
}

static bool parse_unix(struct http_target *t, const char *url, struct err *err)
{
    const char *path = url + 5;
    if (path[0] != '/' || strlen(path) > 107) /* sun_path; libuv 1.44 would cut it silently */
        return wrong_url(url, "a path of at most 107 bytes is wanted, from the root", err);
    snprintf(t->host, sizeof(t->host), "%s", path);
    snprintf(t->authority, sizeof(t->authority), "localhost");
    t->is_unix = true;
    return true;
}

bool http_target_parse(struct http_target *t, const char *url, struct err *err)
{
    memset(t, 0, sizeof(*t));
    if (strncmp(url, "unix:", 5) == 0)
        return parse_unix(t, url, err);
    const size_t skip = strncasecmp(url, "http://", 7) == 0 ? 7 : strncasecmp(url, "https://", 8) == 0 ? 8 : 0;
    if (skip == 0)
        return wrong_url(url, "it begins with neither http:// nor https://", err);
    t->is_tls = skip == 8;
    t->port = t->is_tls ? 443 : 80;

    const char *host = url + skip;
    const size_t n_authority = strcspn(host, "/?#");
    const char *path = host + n_authority;
    if (memchr(host, '@', n_authority))
        return wrong_url(url, "a name or password does not belong into it (keys are given apart)", err);
    const bool is_v6 = host[0] == '[';
    const char *close = is_v6 ? memchr(host, ']', n_authority) : NULL;
    if (is_v6 && !close)
        return wrong_url(url, "there is no ']' behind the address", err);
    const char *from = is_v6 ? host + 1 : host;
    const char *colon = is_v6 ? (close[1] == ':' ? close + 1 : NULL) : memchr(host, ':', n_authority);
    const size_t n_host = (size_t)((is_v6 ? close : colon ? colon : path) - from);
    if (n_host == 0 || n_host >= sizeof(t->host) || !has_only(from, n_host, is_v6 ? ":.%" : "-._"))
        return wrong_url(url, "that is no host", err);
    if (is_v6 && close + 1 != path && !colon)
        return wrong_url(url, "that is no host", err);
    if (colon) {
        long port = 0;
        for (const char *c = colon + 1; c < path; c++) {
            if (*c < '0' || *c > '9' || port > 65535)
                return wrong_url(url, "the port is a number from 1 to 65535", err);
            port = port * 10 + (*c - '0');
        }
        if (port < 1 || port > 65535)
            return wrong_url(url, "the port is a number from 1 to 65535", err);
        t->port = (int)port;
    }
    memcpy(t->host, from, n_host);
    snprintf(t->authority, sizeof(t->authority), is_v6 ? "[%s]:%d" : "%s:%d", t->host, t->port);

    size_t n_path = strlen(path);
    while (n_path > 0 && path[n_path - 1] == '/')
        n_path--;
    if (n_path >= sizeof(t->prefix) || !has_only(path, n_path, "/-._~%!$&'()*+,;=:@"))
        return wrong_url(url, n_path >= sizeof(t->prefix) ? "the path is too long" : "the path has bytes that do not belong there", err);
    memcpy(t->prefix, path, n_path);
    return true;
}

/* ---- a client ---- */

struct http_client *http_client_new(struct net_loop *l, const struct http_target *t, const struct http_client_config *config,
                                    struct err *err)
{
    struct http_client *c = calloc(1, sizeof(*c));
    char *bytes = malloc(2 * READ_BYTES);
    struct tls_context *tls = NULL;
    if (!c || !bytes) {
        free(c);
        free(bytes);
        return err_null(err, ERR_NOMEM, "http client: out of memory");
    }
    if (t->is_tls && !(tls = tls_client_new(config ? config->ca_file : NULL, err))) {
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
    struct http_client_config *k = &c->config;
    k->max_connections = k->max_connections ? k->max_connections : 64;
    k->max_idle = k->max_idle ? k->max_idle : 8;
    k->keep_ms = k->keep_ms ? k->keep_ms : 30000;
    k->connect_ms = k->connect_ms ? k->connect_ms : 5000;
    k->max_head_bytes = k->max_head_bytes ? k->max_head_bytes : 64 << 10;
    return c;
}

static void call_free(struct http_call *call)
{
    buf_fini(&call->head);
    free(call);
}

void client_unref(struct http_client *c)
{
    if (--c->n_refs > 0)
        return;
    while (c->free_calls) {
        struct http_call *call = c->free_calls;
        c->free_calls = call->next_free;
        call_free(call);
    }
    tls_context_free(c->tls);
    free(c->read_bytes);
    free(c);
}

void http_client_free(struct http_client *c)
{
    if (!c)
        return;
    c->is_closing = true;
    conn_close_all(c);
    client_unref(c);
}

void http_client_get_stats(const struct http_client *c, struct http_client_stats *out) { *out = c->stats; }

/* ---- a call ---- */

static struct http_call *call_take(struct http_client *c)
{
    struct http_call *call = c->free_calls;
    if (call) {
        c->free_calls = call->next_free;
        c->n_free_calls--;
        struct buf keep = call->head;
        buf_clear(&keep);
        *call = (struct http_call){ .client = c, .head = keep };
        return call;
    }
    call = calloc(1, sizeof(*call));
    if (call) {
        call->client = c;
        buf_init(&call->head, CALL_HEAD_MAX_BYTES);
    }
    return call;
}

void call_release(struct http_call *call)
{
    struct http_client *c = call->client;
    if (c->n_free_calls == FREE_CALLS_MAX || c->is_closing) {
        call_free(call);
        return;
    }
    call->next_free = c->free_calls;
    c->free_calls = call;
    c->n_free_calls++;
}

/* What came from outside must not begin a line of its own. */
static bool is_line(const char *s, bool is_name)
{
    if (is_name && !*s)
        return false;
    for (; *s; s++)
        if ((unsigned char)*s < 0x20 || *s == 0x7f || (is_name && (*s == ' ' || *s == ':')))
            return false;
    return true;
}

static bool put_head(struct http_call *call, const struct http_ask *ask, struct err *err)
{
    struct buf *out = &call->head;
    const struct http_target *t = &call->client->target;
    uint64_t n_body = 0;
    if (ask->path[0] != '/' || strchr(ask->path, ' ') || !is_line(ask->path, false))
        return err_set(err, ERR_INPUT, "path '%.80s': begins with '/' and has no spaces", ask->path);
    buf_printf(out, "%s %s%s HTTP/1.1\r\nhost: %s\r\n", http_verb_name(ask->verb), t->prefix, ask->path, t->authority);
    for (int i = 0; i < ask->n_fields; i++) {
        if (!is_line(ask->fields[i].name, true) || !is_line(ask->fields[i].value, false))
            return err_set(err, ERR_INPUT, "header field '%.40s': has a control byte", ask->fields[i].name);
        buf_printf(out, "%s: %s\r\n", ask->fields[i].name, ask->fields[i].value);
    }
    for (int i = 0; i < ask->n_body; i++)
        n_body += ask->body[i].n;
    if (n_body > 0 || (ask->verb != HTTP_VERB_GET && ask->verb != HTTP_VERB_HEAD && ask->verb != HTTP_VERB_DELETE))
        buf_printf(out, "content-length: %llu\r\n", (unsigned long long)n_body);
    buf_append(out, "\r\n", 2);
    return buf_ok(out, "the request's head", err);
}

struct http_call *http_client_call(struct http_client *c, const struct http_ask *ask, const struct http_call_fns *fns, void *ctx,
                                   struct err *err)
{
    if (ask->n_body > HTTP_PIECES_MAX)
        return err_null(err, ERR_INTERNAL, "a request of %d pieces: at most %d are possible", ask->n_body, HTTP_PIECES_MAX);
    struct http_call *call = call_take(c);
    if (!call)
        return err_null(err, ERR_NOMEM, "http call: out of memory");
    call->fns = fns;
    call->ctx = ctx;
    call->is_to_head = ask->verb == HTTP_VERB_HEAD;
    call->may_repeat = ask->may_repeat;
    call->head_ms = ask->head_ms;
    call->idle_ms = ask->idle_ms;
    call->max_body_bytes = ask->max_body_bytes ? ask->max_body_bytes : 32 << 20;
    for (int i = 0; i < ask->n_body; i++)
        if (ask->body[i].n > 0)
            call->body[call->n_body++] = ask->body[i];
    call->begun_ms = net_loop_now_ms(c->loop);
    if (!put_head(call, ask, err) || !conn_begin(call, err)) {
        call_release(call);
        return NULL;
    }
    c->stats.calls_total++;
    return call;
}

void http_call_cancel(struct http_call *call)
{
    if (call)
        conn_cancel(call->conn);
}

void http_call_pause(struct http_call *call)
{
    call->is_paused = true;
    conn_pause(call->conn);
}

void http_call_resume(struct http_call *call)
{
    call->is_paused = false;
    conn_resume(call->conn);
}
