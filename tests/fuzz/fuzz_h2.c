/* tests/fuzz/fuzz_h2.c - bytes of a connection into a server that speaks HTTP/1.1, HTTP/2 and gRPC: it never breaks, every
 * stream that was taken is closed once, and afterwards nothing is left.
 * First byte: bit 0: what follows are records (type, flags, stream, length, payload) that become frames; bit 1: a preface and
 * SETTINGS come first; bits 2..: the size of the pieces in which it is sent. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "fuzz.h"
#include "net/grpc.h"

static int n_open;

struct exchange {
    struct http_stream *s;
    struct grpc_call *call;
};

static void on_data(void *ctx, const char *bytes, size_t n)
{
    struct exchange *x = ctx;
    http_stream_write(x->s, bytes, n);
}
static void on_end(void *ctx)
{
    static const struct http_field t = { "x-end", "1" };
    struct exchange *x = ctx;
    http_stream_end_with(x->s, &t, 1);
}
static void on_close(void *ctx, enum http_close why)
{
    (void)why;
    if (--n_open < 0)
        abort();
    free(ctx);
}
static void on_message(void *ctx, const void *m, size_t n)
{
    struct exchange *x = ctx;
    grpc_send(x->call, m, n);
}
static void on_half(void *ctx)
{
    struct exchange *x = ctx;
    grpc_finish(x->call, GRPC_OK, NULL);
}
static void on_gone(void *ctx) { on_close(ctx, HTTP_CLOSE_DONE); }

static void on_request(void *ctx, struct http_stream *s, const struct http_head *head)
{
    static const struct http_stream_fns fns = { on_data, on_end, NULL, on_close };
    static const struct grpc_fns grpc = { on_message, on_half, NULL, on_gone };
    struct exchange *x = calloc(1, sizeof(*x));
    if (!x)
        abort();
    x->s = s;
    n_open++;
    if (grpc_is_call(head)) {
        x->call = grpc_accept(ctx, s, head, 10000, strcmp(head->path, "/talk") == 0, &grpc, x);
        return;
    }
    http_stream_take(s, &fns, x);
    if (strcmp(head->path, "/r") == 0)
        http_stream_reset(s);
    else if (strcmp(head->path, "/e") == 0)
        http_stream_start(s, 200, NULL, 0, -1);
    else
        http_stream_reply(s, 200, NULL, 0, "hello", 5);
}

static struct net_loop *loop;
static struct http_server *server;
static struct sockaddr_un at = { .sun_family = AF_UNIX };
static socklen_t n_at;

static void start(void)
{
    struct err err;
    const struct http_server_config config = { .max_head_bytes = 2048, .max_body_bytes = 20000, .max_streams = 8, .stream_window_bytes = 70000,
                                               .resets_burst = 20, .on_request = on_request };
    struct http_server_config k = config;
    signal(SIGPIPE, SIG_IGN);
    loop = net_loop_new(&err);
    k.ctx = loop;
    server = http_server_new(loop, &k, &err);
    snprintf(at.sun_path + 1, sizeof(at.sun_path) - 1, "tutti-fuzz-%d", (int)getpid()); /* abstract: no file */
    n_at = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(at.sun_path + 1));
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, n_at) != 0 || !http_server_listen_fd(server, fd, NULL, &err)) {
        fprintf(stderr, "cannot listen: %s\n", err.text);
        exit(1);
    }
}

static void settle(int fd, bool to_the_end)
{
    struct http_server_stats stats;
    char sink[65536];
    for (int i = 0; i < 1000; i++) {
        net_loop_poll(loop);
        while (recv(fd, sink, sizeof(sink), MSG_DONTWAIT) > 0)
            ;
        http_server_get_stats(server, &stats);
        if (!to_the_end || stats.n_connections == 0)
            return;
    }
    abort(); /* a connection whose client is gone stays */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char hello[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
    static uint8_t bytes[1 << 17];
    size_t n = 0;
    if (size < 2 || size > 60000)
        return 0;
    if (!server)
        start();
    if (data[0] & 2) {
        memcpy(bytes, hello, sizeof(hello) - 1);
        n = sizeof(hello) - 1;
    }
    if (data[0] & 1) {
        for (size_t i = 1; i + 4 <= size;) {
            const size_t len = data[i + 3] < size - i - 4 ? data[i + 3] : size - i - 4;
            const uint8_t frame[9] = { 0, 0, (uint8_t)len, data[i], data[i + 1], 0, 0, 0, data[i + 2] };
            memcpy(bytes + n, frame, 9);
            memcpy(bytes + n + 9, data + i + 4, len);
            n += 9 + len;
            i += 4 + len;
            if (n > sizeof(bytes) - 300)
                break;
        }
    } else {
        memcpy(bytes + n, data + 1, size - 1);
        n += size - 1;
    }
    const size_t step = data[0] >> 2 ? (size_t)(data[0] >> 2) * 7 : n;
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&at, n_at) != 0)
        abort();
    for (size_t from = 0; from < n;) {
        const ssize_t k = send(fd, bytes + from, n - from < step ? n - from : step, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (k <= 0)
            break;
        from += (size_t)k;
        settle(fd, false);
    }
    shutdown(fd, SHUT_WR);
    settle(fd, true);
    close(fd);
    if (n_open != 0)
        abort();
    return 0;
}
