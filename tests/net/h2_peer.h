/* tests/net/h2_peer.h - an HTTP/2 client that writes its frames by hand, so that it can write wrong ones.
 * It reads what comes into a table of streams. */
#ifndef TUTTI_TESTS_H2_PEER_H
#define TUTTI_TESTS_H2_PEER_H
#include <nghttp2/nghttp2.h>

#include "net/http_app.h"

enum { F_DATA, F_HEADERS, F_PRIORITY, F_RST, F_SETTINGS, F_PUSH, F_PING, F_GOAWAY, F_WINDOW, F_CONTINUATION };
enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4 };
enum { H2_STREAMS = 600 };

struct seen {
    int status;
    char fields[512]; /* name=value; of the head and behind the body */
    size_t n_body;
    size_t n_opened;  /* by how much they opened the window for our body; of stream 0: the connection's */
    char body[256];   /* its beginning */
    int n_heads;
    bool is_ended;
    int reset;        /* code, -1: none */
};

struct peer {
    int fd;
    nghttp2_hd_inflater *inflater;
    uint8_t in[1 << 17], head[1 << 16];
    size_t n_in, n_head;
    struct seen stream[H2_STREAMS];
    int goaway; /* code, -1: none came */
    uint32_t last_stream;
    bool is_closed, is_acked;
    bool opens_windows; /* gives back what it read */
    size_t n_pongs;
};

static const char h2_magic[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

static inline bool put_frame(struct peer *p, int type, int flags, uint32_t id, const void *payload, size_t n)
{
    uint8_t h[9] = { (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n, (uint8_t)type, (uint8_t)flags,
                     (uint8_t)(id >> 24), (uint8_t)(id >> 16), (uint8_t)(id >> 8), (uint8_t)id };
    uint8_t all[9 + 16384 + 64];
    memcpy(all, h, 9);
    if (n > 0)
        memcpy(all + 9, payload, n);
    return say(p->fd, (char *)all, 9 + n);
}

/* RFC 7541, 6.2.2: literal, not indexed, new name, no Huffman code. */
static inline size_t put_field(uint8_t *to, const char *name, const char *value)
{
    size_t n = 0;
    to[n++] = 0;
    for (int i = 0; i < 2; i++) {
        const char *s = i ? value : name;
        size_t len = strlen(s), left = len;
        if (len < 127) {
            to[n++] = (uint8_t)len;
        } else {
            to[n++] = 127;
            for (left = len - 127; left >= 128; left /= 128)
                to[n++] = (uint8_t)(128 + left % 128);
            to[n++] = (uint8_t)left;
        }
        memcpy(to + n, s, len);
        n += len;
    }
    return n;
}

static inline size_t put_request(uint8_t *to, const char *method, const char *path)
{
    size_t n = put_field(to, ":method", method);
    n += put_field(to + n, ":scheme", "http");
    n += put_field(to + n, ":path", path);
    return n + put_field(to + n, ":authority", "here:1");
}

static inline bool ask_h2(struct peer *p, uint32_t id, const char *method, const char *path, bool has_body)
{
    uint8_t block[4096];
    const size_t n = put_request(block, method, path);
    return put_frame(p, F_HEADERS, END_HEADERS | (has_body ? 0 : END_STREAM), id, block, n);
}

static inline bool put_u32(struct peer *p, int type, uint32_t id, uint32_t v)
{
    const uint8_t b[4] = { (uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v };
    return put_frame(p, type, 0, id, b, 4);
}

static inline struct peer *meet(const struct app *app)
{
    struct peer *p = calloc(1, sizeof(*p));
    p->fd = dial(app);
    p->goaway = -1;
    for (int i = 0; i < H2_STREAMS; i++)
        p->stream[i].reset = -1;
    nghttp2_hd_inflate_new(&p->inflater);
    return p;
}

static inline struct peer *greet(const struct app *app, const void *settings, size_t n)
{
    struct peer *p = meet(app);
    say(p->fd, h2_magic, 24);
    put_frame(p, F_SETTINGS, 0, 0, settings, n);
    return p;
}

static inline void part(struct peer *p)
{
    nghttp2_hd_inflate_del(p->inflater);
    close(p->fd);
    free(p);
}

static inline void read_block(struct peer *p, struct seen *s)
{
    const uint8_t *at = p->head;
    size_t n = p->n_head;
    s->n_heads++;
    for (;;) {
        nghttp2_nv nv;
        int flags = 0;
        const ssize_t k = nghttp2_hd_inflate_hd2(p->inflater, &nv, &flags, at, n, 1);
        if (k < 0)
            break;
        at += k;
        n -= (size_t)k;
        if (flags & NGHTTP2_HD_INFLATE_EMIT) {
            if (strcmp((char *)nv.name, ":status") == 0)
                s->status = atoi((char *)nv.value);
            const size_t len = strlen(s->fields);
            snprintf(s->fields + len, sizeof(s->fields) - len, "%s=%s;", nv.name, nv.value);
        }
        if (flags & NGHTTP2_HD_INFLATE_FINAL)
            break;
    }
    nghttp2_hd_inflate_end_headers(p->inflater);
}

static inline void take_frame(struct peer *p, int type, int flags, uint32_t id, const uint8_t *at, size_t n)
{
    struct seen none = { .reset = -1 }, *s = id < H2_STREAMS ? &p->stream[id] : &none;
    const uint32_t v = n >= 4 ? (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3] : 0;
    switch (type) {
    case F_HEADERS:
        memcpy(p->head, at, n);
        p->n_head = n;
        if (flags & END_HEADERS)
            read_block(p, s);
        break;
    case F_CONTINUATION:
        memcpy(p->head + p->n_head, at, n);
        p->n_head += n;
        if (flags & END_HEADERS)
            read_block(p, s);
        break;
    case F_DATA:
        if (s->n_body + n < sizeof(s->body))
            memcpy(s->body + s->n_body, at, n);
        s->n_body += n;
        if (p->opens_windows && n > 0) {
            put_u32(p, F_WINDOW, 0, (uint32_t)n);
            put_u32(p, F_WINDOW, id, (uint32_t)n);
        }
        break;
    case F_WINDOW: s->n_opened += v; break;
    case F_RST: s->reset = (int)v; break;
    case F_SETTINGS:
        if (flags & ACK)
            p->is_acked = true;
        else
            put_frame(p, F_SETTINGS, ACK, 0, NULL, 0);
        break;
    case F_PING: p->n_pongs += flags & ACK; break;
    case F_GOAWAY:
        p->last_stream = v;
        p->goaway = n >= 8 ? at[4] << 24 | at[5] << 16 | at[6] << 8 | at[7] : 0;
        break;
    default: break;
    }
    if ((type == F_DATA || type == F_HEADERS) && flags & END_STREAM)
        s->is_ended = true;
}

/* One read; false when there is nothing within ms, or they closed. */
static inline bool listen_once(struct peer *p, int ms)
{
    struct pollfd f = { p->fd, POLLIN, 0 };
    if (p->is_closed || poll(&f, 1, ms) <= 0)
        return false;
    const ssize_t k = recv_on(p->fd, p->in + p->n_in, sizeof(p->in) - p->n_in);
    if (k <= 0) {
        p->is_closed = true;
        return false;
    }
    p->n_in += (size_t)k;
    size_t at = 0;
    while (p->n_in - at >= 9) {
        const uint8_t *h = p->in + at;
        const size_t n = (size_t)h[0] << 16 | (size_t)h[1] << 8 | h[2];
        if (p->n_in - at < 9 + n)
            break;
        take_frame(p, h[3], h[4], ((uint32_t)h[5] << 24 | (uint32_t)h[6] << 16 | (uint32_t)h[7] << 8 | h[8]) & 0x7fffffff, h + 9, n);
        at += 9 + n;
    }
    memmove(p->in, p->in + at, p->n_in - at);
    p->n_in -= at;
    return true;
}

static inline bool is_over(const struct peer *p, uint32_t id) { return p->stream[id].is_ended || p->stream[id].reset >= 0 || p->is_closed; }

static inline void await(struct peer *p, uint32_t id) /* the end of a stream */
{
    while (!is_over(p, id) && listen_once(p, 60000))
        ;
}

static inline void await_close(struct peer *p)
{
    while (!p->is_closed && listen_once(p, 60000))
        ;
}
#endif
