/* tests/net/test_http.c - the server over real sockets: friendly, slow, hostile, vanishing clients.
 * The server runs on a thread of its own; clients are blocking sockets in the test. */
#define _GNU_SOURCE /* memmem */
#include "net/http.h"
#include "net/http_app.h"

/* Until the text was seen. */
static bool hear(int fd, const char *until, char *out, size_t max)
{
    size_t n = 0;
    out[0] = '\0';
    while (!strstr(out, until) && n + 1 < max) {
        const ssize_t k = recv_on(fd, out + n, max - 1 - n);
        if (k <= 0)
            return false;
        n += (size_t)k;
        out[n] = '\0';
    }
    return strstr(out, until) != NULL;
}

static int ask(const struct app *app, const char *bytes, size_t n, char *out, size_t max)
{
    const int fd = dial(app);
    int status = 0;
    say(fd, bytes, n);
    hear_all(fd, out, max);
    close(fd);
    return sscanf(out, "HTTP/1.%*d %d", &status) == 1 ? status : 0;
}

static char reply[1 << 20];

#define HOST "Host: t\r\n"
#define END HOST "Connection: close\r\n\r\n"
static const struct http_server_config quick = { .head_ms = 300, .body_ms = 300, .idle_ms = 300, .stall_ms = 400, .linger_ms = 300 };
static const struct http_server_config usual = { 0 };

/* ---- tests ---- */

TEST(a_connection_serves_requests_one_after_the_other_and_pipelined)
{
    struct app *app = app_start(&usual);
    const int fd = dial(app);
    for (int i = 0; i < 3; i++) {
        say_text(fd, "GET /hello HTTP/1.1\r\n" HOST "\r\n");
        CHECK(hear(fd, "\r\n\r\nhello", reply, sizeof(reply)), "round %d: %s", i, reply);
        CHECK(strstr(reply, "content-length: 5\r\n") && strstr(reply, "\r\ndate: ") && !strstr(reply, "connection: close"), "%s", reply);
    }
    say_text(fd, "GET /hello HTTP/1.1\r\n" HOST "\r\nPOST /echo HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\none"
            "GET /x HTTP/1.1\r\n" HOST "\r\nPOST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n3\r\ntwo\r\n0\r\n\r\n");
    hear_all(fd, reply, sizeof(reply)); /* an answer that begins before the end of a body of unknown length closes */
    const char *a = strstr(reply, "hello"), *b = strstr(reply, "one"), *c = strstr(reply, " 404 "), *d = strstr(reply, "two");
    CHECK(a && b && c && d && a < b && b < c && c < d && strstr(c, "connection: close"), "%s", reply);
    close(fd);
    CHECK(app->n_requests == 7, "%d", (int)app->n_requests);
    app_stop(app);
}

TEST(old_clients_head_and_injected_lines_are_handled)
{
    struct app *app = app_start(&usual);
    CHECK(ask(app, "GET /hello HTTP/1.0\r\n\r\n", 23, reply, sizeof(reply)) == 200 && strstr(reply, "\r\n\r\nhello"), "%s", reply);
    CHECK(strstr(reply, "connection: close"), "%s", reply);
    const char *head = "HEAD /hello HTTP/1.1\r\n" END;
    CHECK(ask(app, head, strlen(head), reply, sizeof(reply)) == 200 && strstr(reply, "content-length: 5") && !strstr(reply, "hello"), "%s", reply);
    const char *inject = "GET /inject HTTP/1.1\r\n" END;
    CHECK(ask(app, inject, strlen(inject), reply, sizeof(reply)) == 200 && !strstr(reply, "\nevil"), "%s", reply);
    const char *half = "GET /big HTTP/1.0\r\n\r\n"; /* no chunks for 1.0: the end of the connection ends the body */
    char *big = malloc(BIG_BYTES + 1000);
    CHECK(ask(app, half, strlen(half), big, BIG_BYTES + 1000) == 200 && !strstr(big, "chunked"), "%.100s", big);
    const char *body = strstr(big, "\r\n\r\n");
    CHECK(body && strlen(body + 4) == BIG_BYTES, "%zu", body ? strlen(body + 4) : 0);
    free(big);
    app_stop(app);
}

TEST(what_breaks_the_protocol_gets_its_status_and_costs_nothing_afterwards)
{
    static const struct {
        int status;
        const char *bytes;
    } cases[] = {
        { 400, "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" },
        { 400, "GET /hello HTTP/1.1\n" HOST "\n" },
        { 400, "GET /hello HTTP/1.1\r\n" HOST " folded\r\n\r\n" },
        { 505, "GET /hello HTTP/1.2\r\n" HOST "\r\n" },
        { 400, "GET /hello HTTP/1.1\r\n\r\n" },
        { 400, "POST /hold HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n3\r\nabcXX0\r\n\r\n" },
        { 400, "POST /hold HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n3;a\nabc\r\n0\r\n\r\n" },
        { 400, "POST /hold HTTP/1.1\r\n" HOST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" },
        { 413, "POST /hold HTTP/1.1\r\n" HOST "Content-Length: 33554433\r\n\r\n" },
        { 413, "POST /hold HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n2000001\r\n" },
        { 501, "POST /hold HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip\r\n\r\n" },
        { 417, "POST /hold HTTP/1.1\r\n" HOST "Expect: money\r\n\r\n" },
        { 501, "BREW /hello HTTP/1.1\r\n" HOST "\r\n" },
        { 400, "\x16\x03\x01\x02" },
        { 400, "hello\r\n" },
    };
    struct app *app = app_start(&quick);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const int got = ask(app, cases[i].bytes, strlen(cases[i].bytes), reply, sizeof(reply));
        CHECK(got == cases[i].status, "case %zu: got %d, want %d: %s", i, got, cases[i].status, reply);
        CHECK(strstr(reply, "connection: close"), "case %zu: %s", i, reply);
    }
    char *long_head = malloc(80000);
    int n = sprintf(long_head, "GET /hello HTTP/1.1\r\n" HOST "X: ");
    memset(long_head + n, 'x', 70000);
    CHECK(ask(app, long_head, 70000, reply, sizeof(reply)) == 431, "%s", reply);
    memset(long_head + 5, '/', 70000);
    CHECK(ask(app, long_head, 70000, reply, sizeof(reply)) == 414, "%s", reply);
    free(long_head);
    const char *fine = "GET /hello HTTP/1.1\r\n" END;
    CHECK(ask(app, fine, strlen(fine), reply, sizeof(reply)) == 200, "%s", reply);
    app_stop(app);
}

TEST(noise_of_all_kinds_leaves_no_connection_behind)
{
    struct app *app = app_start(&quick);
    static const char *const parts[] = { "GET ", "POST ", "/echo", "/hello", "/hold", " HTTP/1.1\r\n", "\r\n", "Host: a\r\n", "Content-Length: 4\r\n",
                                         "Transfer-Encoding: chunked\r\n", "4\r\nabcd\r\n", "0\r\n\r\n", "\r\n\r\n", "\x80", "abcd", "Connection: close\r\n",
                                         "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", "Expect: 100-continue\r\n" };
    for (int i = 0; i < 300; i++) {
        const int fd = dial(app);
        for (uint64_t k = test_rand_u64() % 14; k > 0; k--)
            if (!say_text(fd, parts[test_rand_u64() % (sizeof(parts) / sizeof(parts[0]))]))
                break;
        if (i % 3 == 0) {
            const struct linger now = { 1, 0 }; /* leave with a reset */
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
        } else if (i % 3 == 1) {
            recv(fd, reply, sizeof(reply), MSG_DONTWAIT);
        }
        close(fd);
    }
    for (int i = 0; i < 6000; i++) {
        net_wake_send(app->poke);
        usleep(10000);
        if (app->n_accepted == 300 && app->n_connections == 0)
            break;
    }
    CHECK(app->n_connections == 0 && app->n_open == 0, "%d connections, %d streams are left", (int)app->n_connections, (int)app->n_open);
    CHECK(app->n_accepted == 300, "%d", (int)app->n_accepted);
    app_stop(app);
}

TEST(expect_100_continue_is_answered_before_the_body)
{
    struct app *app = app_start(&usual);
    int fd = dial(app);
    say_text(fd, "POST /late HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    CHECK(hear(fd, "HTTP/1.1 100 Continue\r\n\r\n", reply, sizeof(reply)), "%s", reply);
    say_text(fd, "body");
    WAIT_UNTIL(app->held);
    net_wake_send(app->poke);
    CHECK(hear(fd, "\r\n\r\nlate", reply, sizeof(reply)), "%s", reply);
    close(fd);
    fd = dial(app); /* a refusal instead: the body must not be asked for */
    say_text(fd, "POST /nowhere HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    hear_all(fd, reply, sizeof(reply));
    CHECK(strstr(reply, "404") && !strstr(reply, "100 Continue") && strstr(reply, "connection: close"), "%s", reply);
    close(fd);
    app_stop(app);
}

TEST(a_refused_body_is_read_a_little_further_so_that_the_client_hears_why)
{
    struct app *app = app_start(&usual);
    enum { N = 40 << 20 };
    char *body = calloc(1, N);
    char head[200];
    int fd = dial(app);
    const int n = sprintf(head, "POST /hold HTTP/1.1\r\n" HOST "Content-Length: %d\r\n\r\n", N);
    say(fd, head, (size_t)n);
    CHECK(say(fd, body, N), "the client could not send all");
    hear_all(fd, reply, sizeof(reply));
    CHECK(strstr(reply, "HTTP/1.1 413 "), "%s", reply);
    close(fd);
    fd = dial(app); /* a small body that nobody wants: the connection goes on */
    say_text(fd, "POST /nowhere HTTP/1.1\r\n" HOST "Content-Length: 1000\r\n\r\n");
    CHECK(hear(fd, "\r\n\r\nno", reply, sizeof(reply)) && !strstr(reply, "connection: close"), "%s", reply);
    say(fd, body, 1000);
    say_text(fd, "GET /hello HTTP/1.1\r\n" END);
    hear_all(fd, reply, sizeof(reply));
    CHECK(strstr(reply, "\r\n\r\nhello"), "%s", reply);
    close(fd);
    free(body);
    app_stop(app);
}

TEST(slow_clients_are_told_408_and_idle_ones_are_closed)
{
    struct app *app = app_start(&quick);
    int fd = dial(app); /* a byte now and then does not help */
    enum { MOST = 1500 }; /* a minute of it */
    static const char begin[] = "GET / HTTP/1.1\r\nX: ";
    const uint64_t t0 = clock_ns();
    int n = 0;
    for (struct pollfd p = { fd, POLLIN, 0 }; n < MOST && say(fd, n < (int)sizeof(begin) - 1 ? &begin[n] : "a", 1) && poll(&p, 1, 40) == 0; n++)
        ;
    hear_all(fd, reply, sizeof(reply));
    const uint64_t ms = (clock_ns() - t0) / 1000000;
    CHECK(strstr(reply, "HTTP/1.1 408 "), "%s", reply);
    CHECK(ms >= 250 && n < MOST, "%d ms, %d bytes", (int)ms, n);
    close(fd);

    fd = dial(app);
    say_text(fd, "POST /hold HTTP/1.1\r\n" HOST "Content-Length: 100\r\n\r\nabc");
    hear_all(fd, reply, sizeof(reply));
    CHECK(strstr(reply, "HTTP/1.1 408 ") && app->n_closed[HTTP_CLOSE_TIMEOUT] == 1, "%s", reply);
    close(fd);

    fd = dial(app); /* says nothing at all */
    CHECK(hear_all(fd, reply, sizeof(reply)) == 0, "%s", reply);
    close(fd);

    fd = dial(app);
    say_text(fd, "GET /hello HTTP/1.1\r\n" HOST "\r\n");
    hear_all(fd, reply, sizeof(reply));
    CHECK(strstr(reply, "hello") && !strstr(reply, "408"), "an idle connection is closed without words: %s", reply);
    close(fd);
    app_stop(app);
}

TEST(a_client_that_reads_nothing_is_cut_off)
{
    struct app *app = app_start(&quick);
    const int fd = dial(app), small = 4096;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    say_text(fd, "GET /big HTTP/1.1\r\n" HOST "\r\n");
    wait_for(&app->n_closed[HTTP_CLOSE_TIMEOUT], 1);
    CHECK(app->n_closed[HTTP_CLOSE_TIMEOUT] == 1, "still there");
    close(fd);
    app_stop(app);
}

TEST(a_slow_reader_gets_all_and_makes_us_hold_little)
{
    struct app *app = app_start(&usual);
    const int fd = dial(app);
    say_text(fd, "GET /big HTTP/1.0\r\n\r\n");
    static char piece[100000];
    size_t n = 0;
    bool in_order = true;
    const char *body = NULL;
    for (ssize_t k; (k = recv_on(fd, piece, sizeof(piece))) > 0;) {
        const char *at = piece;
        if (!body) {
            body = memmem(piece, (size_t)k, "\r\n\r\n", 4);
            REQUIRE(body, "no head");
            at = body + 4;
        }
        for (const char *c = at; c < piece + k; c++)
            in_order = in_order && *c == (char)('a' + n++ % 23);
        if (n < 4 << 20)
            usleep(1000);
    }
    CHECK(n == BIG_BYTES && in_order, "%zu bytes", n);
    CHECK(app->most_queued < 2 * HTTP_QUEUE_HIGH_BYTES, "%zu bytes waited", (size_t)app->most_queued);
    CHECK(app->n_closed[HTTP_CLOSE_DONE] == 1, "not done");
    close(fd);
    app_stop(app);
}

TEST(whoever_pipelines_without_end_is_read_no_further_than_he_is_answered)
{
    struct app *app = app_start(&usual);
    const int fd = dial(app);
    enum { N = 8 << 20 };
    static const char one[] = "GET /hello HTTP/1.1\r\n" HOST "\r\n";
    char *many = malloc(N);
    for (size_t i = 0; i < N; i++)
        many[i] = one[i % (sizeof(one) - 1)];
    say_text(fd, "GET /late HTTP/1.1\r\n" HOST "\r\n");
    WAIT_UNTIL(app->held);
    size_t sent = 0;
    for (int quiet = 0; quiet < 50 && sent < N;) { /* until nothing goes any more */
        const ssize_t k = send(fd, many + sent, N - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        quiet = k > 0 ? 0 : quiet + 1;
        sent += k > 0 ? (size_t)k : 0;
        usleep(1000);
    }
    CHECK(sent < N && app->n_requests == 1, "%zu bytes went in, %d requests", sent, (int)app->n_requests);
    net_wake_send(app->poke);
    CHECK(hear(fd, "\r\n\r\nhello", reply, sizeof(reply)), "%s", reply);
    const char *late = strstr(reply, "\r\n\r\nlate");
    CHECK(late && late < strstr(reply, "\r\n\r\nhello"), "%s", reply);
    close(fd);
    free(many);
    app_stop(app);
}

TEST(a_hang_up_is_noticed_at_once_while_no_bytes_flow)
{
    struct app *app = app_start(&usual);
    for (int how = 0; how < 3; how++) {
        const int fd = dial(app);
        say_text(fd, how == 2 ? "GET /cut HTTP/1.1\r\n" HOST "\r\n" : "POST /hold HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nhi");
        WAIT_UNTIL(app->held);
        usleep(20000);
        const uint64_t t0 = clock_ns();
        if (how == 1) {
            const struct linger now = { 1, 0 };
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
        }
        close(fd);
        wait_for(&app->n_closed[HTTP_CLOSE_HANGUP], how + 1);
        CHECK(app->n_closed[HTTP_CLOSE_HANGUP] == how + 1, "way %d: not noticed", how);
        printf("# way %d: noticed after %.1f ms\n", how, (double)(clock_ns() - t0) / 1e6); /* `usual` has no clock that would end it within a minute */
    }
    app_stop(app);
}

TEST(a_client_that_stops_sending_still_gets_what_is_ready)
{
    struct app *app = app_start(&usual);
    const int fd = dial(app);
    say_text(fd, "GET /hello HTTP/1.1\r\n" HOST "\r\nGET /hello HTTP/1.1\r\n" HOST "\r\n");
    shutdown(fd, SHUT_WR);
    hear_all(fd, reply, sizeof(reply));
    const char *first = strstr(reply, "hello");
    CHECK(first && strstr(first + 1, "hello"), "%s", reply);
    close(fd);
    app_stop(app);
}

TEST(a_stream_that_is_reset_looks_cut_off)
{
    struct app *app = app_start(&usual);
    const int fd = dial(app);
    say_text(fd, "GET /cut HTTP/1.1\r\n" HOST "\r\n");
    CHECK(hear(fd, "half", reply, sizeof(reply)), "%s", reply);
    net_wake_send(app->poke);
    hear_all(fd, reply, sizeof(reply));
    CHECK(!strstr(reply, "0\r\n\r\n"), "it looks complete: %s", reply);
    close(fd);
    app_stop(app);
}

TEST(connections_over_the_limit_are_told_503_and_idle_ones_cost_little)
{
    enum { N = 900 };
    struct http_server_config k = { .max_connections = N };
    struct rlimit lim;
    getrlimit(RLIMIT_NOFILE, &lim);
    lim.rlim_cur = lim.rlim_max;
    setrlimit(RLIMIT_NOFILE, &lim);
    if (lim.rlim_cur < 2 * N + 100)
        SKIP("only %d files may be open", (int)lim.rlim_cur);
    struct app *app = app_start(&k);
    static int fd[N];
    for (int i = 0; i < N; i++) {
        fd[i] = dial(app);
        say_text(fd[i], "GET /hello HTTP/1.1\r\n" HOST "\r\n");
        if (!hear(fd[i], "hello", reply, sizeof(reply))) {
            CHECK(false, "connection %d", i);
            break;
        }
    }
    const char *fine = "GET /hello HTTP/1.1\r\n" END;
    CHECK(ask(app, fine, strlen(fine), reply, sizeof(reply)) == 503 && strstr(reply, "retry-after: "), "%s", reply);
    close(fd[0]);
    int status = 0;
    for (int i = 0; i < 6000 && status != 200; i++) {
        usleep(10000);
        status = ask(app, fine, strlen(fine), reply, sizeof(reply));
    }
    CHECK(status == 200, "a free place is not given out: %s", reply);
    for (int i = 1; i < N; i++)
        close(fd[i]);
    app_stop(app);
}

static int dial_from(const struct app *app, const char *from)
{
    struct sockaddr_in own = { .sin_family = AF_INET };
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    const struct timeval limit = { 60, 0 };
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    inet_pton(AF_INET, from, &own.sin_addr);
    CHECK(bind(fd, (const struct sockaddr *)&own, sizeof(own)) == 0 && connect(fd, (const struct sockaddr *)&app->addr.sa, sizeof(struct sockaddr_in)) == 0, "%s", from);
    return fd;
}

TEST(one_address_has_its_share_of_connections_and_leaves_the_others_theirs)
{
    enum { SHARE = 4 };
    struct app *app = app_start(&(struct http_server_config){ .max_connections = 2 * SHARE, .max_per_address = SHARE });
    int fd[SHARE];
    for (int i = 0; i < SHARE; i++) {
        fd[i] = dial_from(app, "127.0.0.2");
        say_text(fd[i], "GET /hello HTTP/1.1\r\n" HOST "\r\n");
        CHECK(hear(fd[i], "hello", reply, sizeof(reply)), "connection %d", i);
    }
    const int over = dial_from(app, "127.0.0.2"), other = dial_from(app, "127.0.0.3");
    CHECK(hear_all(over, reply, sizeof(reply)) == 0, "%s", reply);
    say_text(other, "GET /hello HTTP/1.1\r\n" HOST "\r\n");
    CHECK(hear(other, "hello", reply, sizeof(reply)), "the other has no place");
    close(over), close(other);
    for (int i = 0; i < SHARE; i++)
        close(fd[i]);
    app_stop(app);
}

TEST(draining_finishes_what_runs_and_ends_every_connection)
{
    struct app *app = app_start(&usual);
    const int idle = dial(app), busy = dial(app);
    say_text(idle, "GET /hello HTTP/1.1\r\n" HOST "\r\n");
    CHECK(hear(idle, "hello", reply, sizeof(reply)), "%s", reply);
    say_text(busy, "POST /late HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nhi");
    WAIT_UNTIL(app->held);
    app->drain = true;
    net_wake_send(app->stop);
    CHECK(hear_all(idle, reply, sizeof(reply)) == 0, "%s", reply);
    const int late = dial(app); /* may ask why, and is closed as well */
    say_text(late, "GET /hello HTTP/1.1\r\n" HOST "\r\n");
    hear_all(late, reply, sizeof(reply));
    CHECK(strstr(reply, "connection: close"), "%s", reply);
    close(late);
    net_wake_send(app->poke);
    hear_all(busy, reply, sizeof(reply));
    CHECK(strstr(reply, "connection: close") && strstr(reply, "\r\n\r\nlate"), "%s", reply);
    close(idle);
    close(busy);
    app->drain = false;
    app_stop(app);
}

TEST(a_server_that_is_freed_closes_every_stream)
{
    struct app *app = app_start(&usual);
    const int a = dial(app), b = dial(app);
    say_text(a, "GET /hold HTTP/1.1\r\n" HOST "\r\n");
    say_text(b, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 100\r\n\r\nabc");
    wait_for(&app->n_requests, 2);
    app_stop(app); /* checks */
    close(a);
    close(b);
}
