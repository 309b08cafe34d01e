/* tests/net/http_app.h - a small application behind a server on a thread of its own, and blocking clients. */
#ifndef TUTTI_TESTS_HTTP_APP_H
#define TUTTI_TESTS_HTTP_APP_H
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/http.h"
#include "patience.h"
#include "test.h"

/* ---- a small application ---- */

enum { BIG_BYTES = 24 << 20 };

struct app {
    struct net_loop *loop;
    struct http_server *server;
    struct net_wake *stop, *poke;
    struct http_server_config config;
    struct net_addr addr;
    pthread_t thread;
    struct http_stream *_Atomic held; /* of /hold, /late (whose body is here), /cut (reset): answered on poke */
    atomic_int n_closed[HTTP_CLOSE_COUNT], n_requests, n_open;
    atomic_size_t most_queued;
    atomic_bool drain;
    struct tls_context *_Atomic next_tls; /* set on the next poke */
    atomic_int n_connections, n_accepted; /* as of the last poke */
};

struct exchange {
    struct app *app;
    struct http_stream *s;
    size_t n_sent;
    bool is_echo, is_late;
};

static const struct http_field text_plain = { "content-type", "text/plain" };

static inline void produce(struct exchange *x)
{
    static char piece[10000];
    while (x->n_sent < BIG_BYTES && http_stream_queued(x->s) <= HTTP_QUEUE_HIGH_BYTES) {
        size_t n = BIG_BYTES - x->n_sent < sizeof(piece) ? BIG_BYTES - x->n_sent : sizeof(piece);
        for (size_t i = 0; i < n; i++)
            piece[i] = (char)('a' + (x->n_sent + i) % 23);
        http_stream_write(x->s, piece, n);
        x->n_sent += n;
    }
    if (http_stream_queued(x->s) > x->app->most_queued)
        x->app->most_queued = http_stream_queued(x->s);
    if (x->n_sent == BIG_BYTES)
        http_stream_end(x->s);
}

static inline void on_data(void *ctx, const char *bytes, size_t n)
{
    struct exchange *x = ctx;
    if (x->is_echo)
        http_stream_write(x->s, bytes, n);
}

static inline void on_end(void *ctx)
{
    struct exchange *x = ctx;
    if (x->is_echo)
        http_stream_end(x->s);
    if (x->is_late)
        x->app->held = x->s;
}

static inline void on_drain(void *ctx) { produce(ctx); }

static inline void on_close(void *ctx, enum http_close why)
{
    struct exchange *x = ctx;
    if (x->app->held == x->s)
        x->app->held = NULL;
    x->app->n_closed[why]++;
    x->app->n_open--;
    free(x);
}

/* What else a test wants to serve; true: it has taken the stream. */
static bool (*app_other)(struct app *app, struct http_stream *s, const struct http_head *head);

static inline void on_request(void *ctx, struct http_stream *s, const struct http_head *head)
{
    if (app_other && app_other(ctx, s, head))
        return;
    static const struct http_stream_fns fns = { on_data, on_end, on_drain, on_close };
    struct app *app = ctx;
    struct exchange *x = calloc(1, sizeof(*x));
    x->app = app, x->s = s;
    app->n_requests++;
    app->n_open++;
    http_stream_take(s, &fns, x);
    if (strcmp(head->path, "/hello") == 0) {
        http_stream_reply(s, 200, &text_plain, 1, "hello", 5);
    } else if (strcmp(head->path, "/echo") == 0) {
        x->is_echo = true;
        http_stream_start(s, 200, &text_plain, 1, head->content_length);
    } else if (strcmp(head->path, "/hold") == 0) {
        app->held = s;
    } else if (strcmp(head->path, "/late") == 0) {
        x->is_late = true;
    } else if (strcmp(head->path, "/big") == 0) {
        http_stream_start(s, 200, &text_plain, 1, -1);
        produce(x);
    } else if (strcmp(head->path, "/cut") == 0) {
        http_stream_start(s, 200, &text_plain, 1, -1);
        http_stream_write(s, "half", 4);
        x->app->held = s;
    } else if (strcmp(head->path, "/trail") == 0) {
        static const struct http_field trailers[] = { { "x-sum", "42" }, { "x-note", "a\r\nb" } };
        http_stream_start(s, 200, &text_plain, 1, -1);
        http_stream_write(s, "body", 4);
        http_stream_end_with(s, trailers, 2);
    } else if (strcmp(head->path, "/bare") == 0) {
        http_stream_start(s, 200, &text_plain, 1, HTTP_NO_BODY);
        http_stream_end(s);
    } else if (strcmp(head->path, "/head") == 0) {
        char text[256];
        snprintf(text, sizeof(text), "%s|%s|%s|%s|%d", http_verb_name(head->verb), head->query, head->authority,
                 http_head_get(head, "x-one") ? http_head_get(head, "x-one") : "-", http_stream_is_h2(s));
        http_stream_reply(s, 200, &text_plain, 1, text, strlen(text));
    } else if (strcmp(head->path, "/inject") == 0) {
        http_stream_reply(s, 200, &(struct http_field){ "x-test", "a\r\nevil: yes" }, 1, "", 0);
    } else {
        http_stream_reply(s, 404, &text_plain, 1, "no", 2);
    }
}

static inline void on_stop(void *ctx)
{
    struct app *app = ctx;
    if (app->drain)
        http_server_drain(app->server);
    else
        net_loop_stop(app->loop);
}

static inline void on_poke(void *ctx)
{
    struct app *app = ctx;
    struct http_stream *s = app->held;
    struct http_server_stats stats;
    struct tls_context *tls = atomic_exchange(&app->next_tls, NULL);
    if (tls)
        http_server_set_tls(app->server, tls);
    http_server_get_stats(app->server, &stats);
    app->n_connections = stats.n_connections;
    app->n_accepted = (int)stats.accepted_total;
    if (!s)
        return;
    app->held = NULL;
    if (http_stream_is_started(s))
        http_stream_reset(s);
    else
        http_stream_reply(s, 200, &text_plain, 1, "late", 4);
}

static inline void *run(void *ctx)
{
    struct app *app = ctx;
    net_loop_run(app->loop);
    http_server_free(app->server);
    net_wake_free(app->stop);
    net_wake_free(app->poke);
    net_loop_free(app->loop);
    return NULL;
}

static struct tls_context *app_tls; /* for the next app_start() */

static inline struct app *app_start(const struct http_server_config *config)
{
    struct err err = { 0 };
    struct app *app = calloc(1, sizeof(*app));
    struct net_addr at;
    signal(SIGPIPE, SIG_IGN);
    app->config = *config;
    app->config.on_request = on_request;
    app->config.ctx = app;
    app->loop = net_loop_new(&err);
    app->server = http_server_new(app->loop, &app->config, &err);
    if (app_tls)
        http_server_set_tls(app->server, app_tls);
    app_tls = NULL;
    app->stop = net_wake_new(app->loop, on_stop, app, &err);
    app->poke = net_wake_new(app->loop, on_poke, app, &err);
    if (!net_addr_parse(&at, "127.0.0.1:0", &err) || !http_server_listen(app->server, &at, &app->addr, &err)) {
        CHECK(false, "%s", err.text);
        exit(1);
    }
    pthread_create(&app->thread, NULL, run, app);
    return app;
}

static inline void app_stop(struct app *app)
{
    net_wake_send(app->stop);
    pthread_join(app->thread, NULL);
    CHECK(app->n_open == 0, "%d streams never got their on_close", (int)app->n_open);
    free(app);
}

static inline void wait_for(atomic_int *what, int want) { WAIT_UNTIL(*what >= want); }

/* ---- a client ---- */

static inline int dial(const struct app *app)
{
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    const struct timeval limit = { 60, 0 };
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    if (connect(fd, (const struct sockaddr *)&app->addr.sa, sizeof(struct sockaddr_in)) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static inline bool say(int fd, const char *bytes, size_t n)
{
    while (n > 0) {
        const ssize_t k = send_on(fd, bytes, n);
        if (k <= 0)
            return false;
        bytes += k;
        n -= (size_t)k;
    }
    return true;
}
static inline bool say_text(int fd, const char *text) { return say(fd, text, strlen(text)); }

/* All that comes until they close; a '\0' behind it. */
static inline size_t hear_all(int fd, char *out, size_t max)
{
    size_t n = 0;
    for (ssize_t k; n + 1 < max && (k = recv_on(fd, out + n, max - 1 - n)) > 0;)
        n += (size_t)k;
    out[n] = '\0';
    return n;
}
#endif
