/* net/grpc.c - see grpc.h; start reading at on_data(). */
#include "net/grpc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char type_grpc[] = "application/grpc+proto";

const char *grpc_status_name(enum grpc_status s)
{
    static const char *const names[] = { "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND",
                                         "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
                                         "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS",
                                         "UNAUTHENTICATED" };
    _Static_assert(sizeof(names) / sizeof(names[0]) == GRPC_STATUS_COUNT, "one name each");
    return s < GRPC_STATUS_COUNT ? names[s] : "?";
}

enum grpc_status grpc_status_from(enum err_code code)
{
    static const enum grpc_status of[] = {
        [ERR_NONE] = GRPC_OK, [ERR_INPUT] = GRPC_INVALID_ARGUMENT, [ERR_AUTH] = GRPC_UNAUTHENTICATED, [ERR_NOT_FOUND] = GRPC_NOT_FOUND,
        [ERR_LIMIT] = GRPC_RESOURCE_EXHAUSTED, [ERR_UNSUPPORTED] = GRPC_UNIMPLEMENTED, [ERR_BUSY] = GRPC_UNAVAILABLE,
        [ERR_NOMEM] = GRPC_RESOURCE_EXHAUSTED, [ERR_IO] = GRPC_INTERNAL, [ERR_CANCELLED] = GRPC_CANCELLED, [ERR_INTERNAL] = GRPC_INTERNAL,
    };
    _Static_assert(sizeof(of) / sizeof(of[0]) == ERR_COUNT, "one each");
    return code < ERR_COUNT ? of[code] : GRPC_UNKNOWN;
}

enum grpc_status grpc_status_of_http(int status)
{
    switch (status) {
    case 400: return GRPC_INTERNAL;
    case 401: return GRPC_UNAUTHENTICATED;
    case 403: return GRPC_PERMISSION_DENIED;
    case 404: return GRPC_UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504: return GRPC_UNAVAILABLE;
    default: return GRPC_UNKNOWN;
    }
}

/* ---- codecs ---- */

bool grpc_read_timeout(const char *text, uint64_t *ns)
{
    static const char units[] = "HMSmun";
    static const uint64_t unit_ns[] = { 3600000000000, 60000000000, 1000000000, 1000000, 1000, 1 };
    uint64_t v = 0;
    int n = 0;
    for (; text[n] >= '0' && text[n] <= '9'; n++) {
        if (n == 8) /* at most 8 digits: 8 digits of hours fit into 64 bits of ns only up to 5 million: cut below */
            return false;
        v = v * 10 + (uint64_t)(text[n] - '0');
    }
    const char *unit = n > 0 && text[n] ? strchr(units, text[n]) : NULL;
    if (!unit || text[n + 1])
        return false;
    const uint64_t each = unit_ns[unit - units];
    *ns = v > INT64_MAX / each ? INT64_MAX : v * each;
    return true;
}

void grpc_put_timeout(char out[16], uint64_t ns)
{
    static const struct {
        char unit;
        uint64_t ns;
    } units[] = { { 'n', 1 }, { 'u', 1000 }, { 'm', 1000000 }, { 'S', 1000000000 }, { 'M', 60000000000 }, { 'H', 3600000000000 } };
    size_t i = 0;
    while (i + 1 < sizeof(units) / sizeof(units[0]) && ns / units[i].ns > 99999999)
        i++;
    const uint64_t v = ns / units[i].ns;
    snprintf(out, 16, "%u%c", v > 99999999 ? 99999999u : (unsigned)v, units[i].unit);
}

void grpc_put_message(struct buf *out, const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (*c >= 0x20 && *c < 0x7f && *c != '%')
            buf_putc(out, (char)*c);
        else
            buf_printf(out, "%%%02X", *c);
    }
}

static int hex(char c) { return c >= '0' && c <= '9' ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : -1; }

void grpc_read_message(char *text)
{
    char *out = text;
    for (const char *c = text; *c; c++) {
        if (*c == '%' && hex(c[1]) >= 0 && hex(c[2]) >= 0 && (hex(c[1]) || hex(c[2]))) {
            *out++ = (char)(hex(c[1]) * 16 + hex(c[2]));
            c += 2;
        } else {
            *out++ = *c;
        }
    }
    *out = '\0';
}

void grpc_put_prefix(char out[GRPC_PREFIX_BYTES], size_t n)
{
    out[0] = 0;
    for (int i = 0; i < 4; i++)
        out[1 + i] = (char)(n >> (24 - 8 * i));
}

void grpc_reader_init(struct grpc_reader *r, size_t max_bytes)
{
    *r = (struct grpc_reader){ .max_bytes = max_bytes };
    buf_init(&r->held, max_bytes);
}

void grpc_reader_fini(struct grpc_reader *r) { buf_fini(&r->held); }

bool grpc_is_inside(const struct grpc_reader *r) { return r->n_prefix > 0; }

enum grpc_piece grpc_read(struct grpc_reader *r, const char **at, size_t *n, const void **m, size_t *n_m)
{
    if (r->n_prefix == 0)
        buf_clear(&r->held); /* what the last call gave away */
    while (r->n_prefix < GRPC_PREFIX_BYTES) {
        if (*n == 0)
            return GRPC_MORE;
        r->prefix[r->n_prefix++] = (unsigned char)*(*at)++;
        --*n;
        if (r->n_prefix < GRPC_PREFIX_BYTES)
            continue;
        if (r->prefix[0])
            return GRPC_COMPRESSED;
        r->left = (size_t)r->prefix[1] << 24 | (size_t)r->prefix[2] << 16 | (size_t)r->prefix[3] << 8 | r->prefix[4];
        if (r->left > r->max_bytes)
            return GRPC_TOO_LARGE;
    }
    if (r->held.len == 0 && *n >= r->left) { /* whole already: no copy */
        *m = *at;
        *n_m = r->left;
        *at += r->left;
        *n -= r->left;
        r->n_prefix = 0;
        return GRPC_MESSAGE;
    }
    const size_t take = *n < r->left ? *n : r->left;
    buf_append(&r->held, *at, take);
    if (r->held.failed)
        return GRPC_NO_MEMORY;
    *at += take;
    *n -= take;
    r->left -= take;
    if (r->left > 0)
        return GRPC_MORE;
    *m = r->held.data;
    *n_m = r->held.len;
    r->n_prefix = 0;
    return GRPC_MESSAGE;
}

const char *grpc_complaint(enum grpc_piece p, enum grpc_status *status)
{
    *status = p == GRPC_COMPRESSED ? GRPC_INTERNAL : GRPC_RESOURCE_EXHAUSTED;
    return p == GRPC_COMPRESSED ? "a compressed message, without an encoding that both agreed on"
           : p == GRPC_TOO_LARGE ? "the message is larger than this side takes"
                                 : "out of memory";
}

/* ---- answers ---- */

bool grpc_is_call(const struct http_head *head)
{
    const char *type = http_head_get(head, "content-type");
    static const char want[] = "application/grpc"; /* +proto; not -web, which is another format */
    if (head->verb != HTTP_VERB_POST || !type || strncasecmp(type, want, sizeof(want) - 1) != 0)
        return false;
    const char c = type[sizeof(want) - 1];
    return c == '\0' || c == '+' || c == ';' || c == ' ';
}

static void start(struct http_stream *s)
{
    static const struct http_field field = { "content-type", type_grpc };
    http_stream_start(s, 200, &field, 1, -1);
}

static void put(struct http_stream *s, const void *message, size_t n, const void *rest, size_t n_rest)
{
    char prefix[GRPC_PREFIX_BYTES];
    grpc_put_prefix(prefix, n + n_rest);
    http_stream_write(s, prefix, sizeof(prefix));
    http_stream_write(s, message, n);
    http_stream_write(s, rest, n_rest);
}

void grpc_reply(struct http_stream *s, const void *message, size_t n, const void *rest, size_t n_rest)
{
    start(s);
    put(s, message, n, rest, n_rest);
    grpc_end(s, GRPC_OK, NULL);
}

void grpc_end(struct http_stream *s, enum grpc_status status, const char *text)
{
    char number[8];
    struct buf words;
    struct http_field fields[3];
    int n = 0;
    const bool is_bare = !http_stream_is_started(s);
    snprintf(number, sizeof(number), "%d", (int)status);
    buf_init(&words, 4096);
    if (text)
        grpc_put_message(&words, text);
    if (is_bare)
        fields[n++] = (struct http_field){ "content-type", type_grpc };
    fields[n++] = (struct http_field){ "grpc-status", number };
    if (words.len > 0)
        fields[n++] = (struct http_field){ "grpc-message", words.data };
    if (is_bare) {
        http_stream_start(s, 200, fields, n, HTTP_NO_BODY);
        http_stream_end(s);
    } else {
        http_stream_end_with(s, fields, n);
    }
    buf_fini(&words);
}

static void on_close_nothing(void *ctx, enum http_close why) { (void)ctx, (void)why; }

void grpc_refuse(struct http_stream *s, enum grpc_status status, const char *text)
{
    static const struct http_stream_fns fns = { .on_close = on_close_nothing };
    http_stream_take(s, &fns, NULL);
    grpc_end(s, status, text);
}

/* ---- calls ---- */

struct grpc_call {
    struct http_stream *stream;
    const struct grpc_fns *fns;
    void *ctx;
    struct grpc_reader reader;
    struct net_timer *deadline; /* NULL: none */
    bool is_over;
};

void grpc_finish(struct grpc_call *c, enum grpc_status status, const char *text)
{
    if (c->is_over)
        return;
    c->is_over = true;
    if (c->deadline)
        net_timer_stop(c->deadline);
    grpc_end(c->stream, status, text);
}

static void on_deadline(void *ctx) { grpc_finish(ctx, GRPC_DEADLINE_EXCEEDED, "Deadline exceeded"); }

static void on_data(void *ctx, const char *bytes, size_t n)
{
    struct grpc_call *c = ctx;
    while (!c->is_over) {
        const void *m;
        size_t n_m;
        const enum grpc_piece p = grpc_read(&c->reader, &bytes, &n, &m, &n_m);
        if (p == GRPC_MORE)
            return;
        if (p == GRPC_MESSAGE) {
            if (c->fns->on_message)
                c->fns->on_message(c->ctx, m, n_m);
            continue;
        }
        enum grpc_status status;
        const char *why = grpc_complaint(p, &status);
        grpc_finish(c, status, why);
    }
}

static void on_end(void *ctx)
{
    struct grpc_call *c = ctx;
    if (c->is_over)
        return;
    if (grpc_is_inside(&c->reader))
        grpc_finish(c, GRPC_INTERNAL, "the last message is not complete");
    else if (c->fns->on_end)
        c->fns->on_end(c->ctx);
}

static void on_drain(void *ctx)
{
    struct grpc_call *c = ctx;
    if (!c->is_over && c->fns->on_drain)
        c->fns->on_drain(c->ctx);
}

static void on_close(void *ctx, enum http_close why)
{
    struct grpc_call *c = ctx;
    (void)why;
    c->is_over = true;
    net_timer_free(c->deadline);
    c->fns->on_close(c->ctx);
    grpc_reader_fini(&c->reader);
    free(c);
}

/* Milliseconds, at least one: the timer's unit. */
static bool arm(struct grpc_call *c, struct net_loop *l, const char *timeout)
{
    struct err err;
    uint64_t ns;
    if (!timeout || !grpc_read_timeout(timeout, &ns))
        return true; /* as other servers do: what is none is ignored */
    c->deadline = net_timer_new(l, on_deadline, c, &err);
    if (c->deadline)
        net_timer_start(c->deadline, ns / 1000000 + 1, 0);
    return c->deadline != NULL;
}

struct grpc_call *grpc_accept(struct net_loop *l, struct http_stream *s, const struct http_head *head, size_t max_message_bytes,
                              bool is_talk, const struct grpc_fns *fns, void *ctx)
{
    static const struct http_stream_fns stream_fns = { on_data, on_end, on_drain, on_close };
    struct grpc_call *c = calloc(1, sizeof(*c));
    if (!c || !arm(c, l, http_head_get(head, "grpc-timeout"))) {
        free(c);
        grpc_refuse(s, GRPC_RESOURCE_EXHAUSTED, "out of memory");
        return NULL;
    }
    c->stream = s;
    c->fns = fns;
    c->ctx = ctx;
    grpc_reader_init(&c->reader, max_message_bytes);
    if (is_talk)
        http_stream_be_patient(s);
    http_stream_take(s, &stream_fns, c);
    if (is_talk) /* clients of streams may wait for the headers before they send */
        start(s);
    return c;
}

void grpc_send(struct grpc_call *c, const void *message, size_t n)
{
    if (c->is_over)
        return;
    if (!http_stream_is_started(c->stream))
        start(c->stream);
    put(c->stream, message, n, "", 0);
}

bool grpc_is_full(const struct grpc_call *c) { return http_stream_queued(c->stream) > HTTP_QUEUE_HIGH_BYTES; }
