/* pipeline/sink_mqtt.c - events to an MQTT broker: mqtt://HOST[:1883], mqtts://HOST[:8883].
 *
 * Rule:    the socket is this sink's thread's alone, every wait has an end.  No keep-alive: before an event is sent the connection is
 *          looked at, and one that is gone is made anew.  QoS 1 is over when the broker says so; after a lost connection it is sent
 *          again with its mark.  Why an own client: docs/cascade.md. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/tls.h"
#include "pipeline/sink_internal.h"
#include "wire/mqtt.h"

enum { CONNECT_MS = 5000, ANSWER_MS = 10000, STEP_MS = 200, HOST_BYTES = 256 };

struct broker {
    char host[HOST_BYTES], port[8], client[64];
    char password[SINK_SECRET_MAX];
    bool has_password;
    struct tls_context *tls_context; /* NULL: plain */
    struct tls *tls;
    int fd; /* -1: not connected */
    struct buf out, in, sealed;
    uint16_t id;
    bool was_lost; /* after the event was sent: it is sent again */
};

static void hang_up(struct broker *b)
{
    if (b->fd >= 0)
        close(b->fd);
    tls_free(b->tls);
    b->fd = -1, b->tls = NULL;
    buf_clear(&b->in);
}

static bool wait_for(struct sink *s, short what, uint64_t until_ns, struct err *err)
{
    const struct broker *b = s->self;
    for (;;) {
        struct pollfd p = { .fd = b->fd, .events = what };
        const int n = poll(&p, 1, STEP_MS);
        if (n > 0)
            return true;
        if (n < 0 && errno != EINTR)
            return err_set(err, ERR_IO, "%s", strerror(errno));
        if (atomic_load(&s->must_end))
            return err_set(err, ERR_CANCELLED, "ended");
        if (clock_ns() > until_ns)
            return err_set(err, ERR_BUSY, "no answer in time");
    }
}

static bool send_raw(struct sink *s, const char *bytes, size_t n, uint64_t until_ns, struct err *err)
{
    const struct broker *b = s->self;
    while (n > 0) {
        const ssize_t k = send(b->fd, bytes, n, MSG_NOSIGNAL);
        if (k > 0) {
            bytes += k, n -= (size_t)k;
        } else if (k < 0 && errno != EAGAIN && errno != EINTR) {
            return err_set(err, ERR_IO, "%s", strerror(errno));
        } else if (!wait_for(s, POLLOUT, until_ns, err)) {
            return false;
        }
    }
    return true;
}

static bool flush_tls(struct sink *s, uint64_t until_ns, struct err *err)
{
    struct broker *b = s->self;
    buf_clear(&b->sealed);
    if (!tls_take(b->tls, &b->sealed))
        return err_set(err, ERR_IO, "TLS: %s", tls_why(b->tls));
    return b->sealed.len == 0 || send_raw(s, b->sealed.data, b->sealed.len, until_ns, err);
}

static bool send_out(struct sink *s, uint64_t until_ns, struct err *err)
{
    struct broker *b = s->self;
    if (!buf_ok(&b->out, "MQTT", err))
        return false;
    if (!b->tls)
        return send_raw(s, b->out.data, b->out.len, until_ns, err);
    return (tls_seal(b->tls, b->out.data, b->out.len) || err_set(err, ERR_IO, "TLS: %s", tls_why(b->tls))) && flush_tls(s, until_ns, err);
}

/* Bytes from the broker, opened, behind b->in; needs_some: at least one, or the end of the handshake. */
static bool receive(struct sink *s, bool is_handshake, uint64_t until_ns, struct err *err)
{
    struct broker *b = s->self;
    char bytes[16384];
    for (const size_t before = b->in.len;;) {
        for (size_t n; b->tls;) {
            const enum tls_result what = tls_get(b->tls, bytes, sizeof(bytes), &n);
            if (what == TLS_FAIL || what == TLS_END)
                return err_set(err, ERR_IO, "TLS: %s", what == TLS_END ? "the broker closed" : tls_why(b->tls));
            if (what == TLS_WAIT)
                break;
            buf_append(&b->in, bytes, n);
        }
        if (b->tls && !flush_tls(s, until_ns, err))
            return false;
        if (is_handshake ? tls_is_ready(b->tls) : b->in.len > before)
            return buf_ok(&b->in, "MQTT", err);
        if (!wait_for(s, POLLIN, until_ns, err))
            return false;
        const ssize_t n = recv(b->fd, bytes, sizeof(bytes), 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (n <= 0)
            return err_set(err, ERR_IO, "%s", n == 0 ? "the broker closed the connection" : strerror(errno));
        if (!b->tls)
            buf_append(&b->in, bytes, (size_t)n);
        else if (!tls_put(b->tls, bytes, (size_t)n))
            return err_set(err, ERR_NOMEM, "no memory");
    }
}

/* The next packet of that kind; others are passed over. */
static bool answer(struct sink *s, enum mqtt_kind kind, uint16_t id, struct err *err)
{
    struct broker *b = s->self;
    const uint64_t until = clock_ns() + ANSWER_MS * 1000000ull;
    for (;;) {
        struct mqtt_packet p;
        size_t n = 0;
        if (!mqtt_get(b->in.data, b->in.len, s->plan->version, &p, &n, err))
            return false;
        if (n == 0) {
            if (!receive(s, false, until, err))
                return false;
            continue;
        }
        memmove(b->in.data, b->in.data + n, b->in.len - n);
        b->in.len -= n;
        if (p.kind != kind || (kind == MQTT_PUBACK && p.id != id))
            continue;
        return p.reason == 0 || err_set(err, p.kind == MQTT_CONNACK && p.reason == 3 ? ERR_BUSY : ERR_AUTH, "%s", mqtt_reason(s->plan->version, p.reason));
    }
}

static bool dial(struct sink *s, uint64_t until_ns, struct err *err)
{
    struct broker *b = s->self;
    struct addrinfo want = { .ai_socktype = SOCK_STREAM }, *found = NULL;
    const int why = getaddrinfo(b->host, b->port, &want, &found);
    if (why != 0)
        return err_set(err, ERR_BUSY, "%s: %s", b->host, gai_strerror(why));
    bool good = false;
    for (struct addrinfo *a = found; a && !good; a = a->ai_next) {
        const int on = 1;
        b->fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, a->ai_protocol);
        if (b->fd < 0)
            continue;
        setsockopt(b->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        int failed = connect(b->fd, a->ai_addr, a->ai_addrlen) < 0 ? errno : 0;
        socklen_t n = sizeof(failed);
        if (failed == EINPROGRESS && wait_for(s, POLLOUT, until_ns, err))
            getsockopt(b->fd, SOL_SOCKET, SO_ERROR, &failed, &n);
        good = failed == 0;
        if (!good) {
            if (failed != EINPROGRESS)
                err_set(err, ERR_BUSY, "%s:%s: %s", b->host, b->port, strerror(failed));
            hang_up(b);
        }
    }
    freeaddrinfo(found);
    return good || (err->code ? false : err_set(err, ERR_BUSY, "%s: no connection", b->host));
}

static bool connect_broker(struct sink *s, struct err *err)
{
    struct broker *b = s->self;
    const uint64_t until = clock_ns() + CONNECT_MS * 1000000ull;
    const struct mqtt_connect c = { .version = s->plan->version, .client = b->client, .user = s->plan->user, .password = b->has_password ? b->password : NULL };
    if (!dial(s, until, err))
        return false;
    if (b->tls_context && (!(b->tls = tls_new(b->tls_context, b->host, false)) || !receive(s, true, until, err)))
        return err->code ? false : err_set(err, ERR_NOMEM, "no memory");
    buf_clear(&b->out);
    mqtt_put_connect(&b->out, &c);
    return send_out(s, until, err) && answer(s, MQTT_CONNACK, 0, err);
}

/* Did the broker say goodbye while nobody looked? */
static bool is_gone(struct broker *b)
{
    char byte;
    const ssize_t n = recv(b->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

static bool mqtt_send(struct sink *s, const struct record *r, struct err *err)
{
    struct broker *b = s->self;
    if (b->fd >= 0 && is_gone(b))
        hang_up(b);
    if (b->fd < 0 && !connect_broker(s, err)) {
        hang_up(b);
        return false;
    }
    if (!b->was_lost && ++b->id == 0)
        b->id = 1;
    buf_clear(&b->out);
    mqtt_put_publish(&b->out, s->plan->version, s->plan->topic, r->line, r->n_line - 1, s->plan->qos, b->id, b->was_lost && s->plan->qos > 0);
    if (send_out(s, clock_ns() + ANSWER_MS * 1000000ull, err) && (s->plan->qos == 0 || answer(s, MQTT_PUBACK, b->id, err))) {
        b->was_lost = false;
        return true;
    }
    b->was_lost = err->code == ERR_BUSY || err->code == ERR_IO;
    hang_up(b);
    return false;
}

static bool parse_url(struct broker *b, const char *url, bool *is_tls, struct err *err)
{
    *is_tls = strncmp(url, "mqtts://", 8) == 0;
    if (!*is_tls && strncmp(url, "mqtt://", 7) != 0)
        return err_set(err, ERR_INPUT, "mqtt: '%.60s': mqtt://HOST:PORT or mqtts://HOST:PORT is wanted", url);
    const char *host = url + (*is_tls ? 8 : 7), *end = host[0] == '[' ? strchr(host, ']') : host + strcspn(host, ":/");
    if (strchr(host, '@'))
        return err_set(err, ERR_INPUT, "mqtt: names and passwords do not belong into an address: `user`, `password_file`");
    const char *from = host + (host[0] == '[');
    if (!end || end == from || (size_t)(end - from) >= sizeof(b->host))
        return err_set(err, ERR_INPUT, "mqtt: '%.60s': no host", url);
    snprintf(b->host, sizeof(b->host), "%.*s", (int)(end - from), from);
    end += *end == ']';
    snprintf(b->port, sizeof(b->port), "%s", *is_tls ? "8883" : "1883");
    if (*end == ':') {
        const size_t n = strspn(end + 1, "0123456789");
        const long port = n > 0 && n < 6 ? strtol(end + 1, NULL, 10) : 0;
        if (port < 1 || port > 65535 || (end[1 + n] && strcmp(end + 1 + n, "/") != 0))
            return err_set(err, ERR_INPUT, "mqtt: '%.60s': no port", url);
        snprintf(b->port, sizeof(b->port), "%ld", port);
    } else if (*end && strcmp(end, "/") != 0) {
        return err_set(err, ERR_INPUT, "mqtt: '%.60s': mqtt://HOST:PORT is wanted; the topic is said by `topic`", url);
    }
    return true;
}

static bool mqtt_open(struct sink *s, struct err *err)
{
    struct broker *b = calloc(1, sizeof(*b));
    bool is_tls;
    char ca[1024];
    s->self = b;
    if (!b)
        return err_set(err, ERR_NOMEM, "no memory");
    b->fd = -1;
    buf_init(&b->out, SINK_LINE_MAX + 4096);
    buf_init(&b->in, MQTT_PACKET_MAX * 2);
    buf_init(&b->sealed, SINK_LINE_MAX * 2);
    snprintf(b->client, sizeof(b->client), "tutti-%.30s-%d", s->c->name, (int)getpid());
    if (!parse_url(b, s->plan->to, &is_tls, err))
        return false;
    if (s->plan->password_file) {
        if (!sink_secret(s, s->plan->password_file, b->password, err))
            return false;
        b->has_password = true;
    }
    if (b->has_password && !s->plan->user)
        return err_set(err, ERR_INPUT, "mqtt: a password without a `user`");
    if (s->plan->ca_file && !sink_path(s, s->plan->ca_file, ca, sizeof(ca), err))
        return false;
    return !is_tls || (b->tls_context = tls_client_new(s->plan->ca_file ? ca : NULL, err)) != NULL;
}

static void mqtt_close(struct sink *s)
{
    struct broker *b = s->self;
    if (!b)
        return;
    if (b->fd >= 0) {
        buf_clear(&b->out);
        mqtt_put_disconnect(&b->out);
        struct err err = { 0 };
        send_out(s, clock_ns(), &err);
    }
    hang_up(b);
    tls_context_free(b->tls_context);
    buf_fini(&b->out);
    buf_fini(&b->in);
    buf_fini(&b->sealed);
    memset(b->password, 0, sizeof(b->password));
    free(b);
}

const struct sink_ops sink_mqtt = { mqtt_open, mqtt_send, mqtt_close };
