/* tests/net/test_client.c - the HTTP client against our own server and against a peer that sends what it likes. */
#include "net/client.h"
#include "test.h"

#include "net/tls_files.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct err err;

/* ---- one call and what came of it ---- */

struct seen {
    struct net_loop *loop;
    struct http_call *call;
    int status, n_ends, n_data;
    enum http_end how;
    struct err err;
    struct buf body;
    bool pauses, cancels; /* at the first piece of the body */
    int *n_left;          /* calls that the loop still runs for */
    struct net_timer *timer;
};

static void on_head(void *ctx, const struct http_head *h)
{
    struct seen *s = ctx;
    CHECK(s->status == 0, "two heads");
    s->status = h->status;
}

static void on_resume(void *ctx)
{
    struct seen *s = ctx;
    http_call_resume(s->call);
}

static void leave(struct seen *s)
{
    if (--*s->n_left == 0)
        net_loop_stop(s->loop);
}

static void on_data(void *ctx, const char *bytes, size_t n)
{
    struct seen *s = ctx;
    s->n_data++;
    buf_append(&s->body, bytes, n);
    if (s->cancels) {
        http_call_cancel(s->call);
        leave(s);
    } else if (s->pauses) {
        http_call_pause(s->call);
        net_timer_start(s->timer, 1, 0);
    }
}

static void on_end(void *ctx, enum http_end how, const struct err *e)
{
    struct seen *s = ctx;
    s->n_ends++;
    s->how = how;
    s->err = *e;
    leave(s);
}

static const struct http_call_fns fns = { on_head, on_data, on_end };

static void ask(struct seen *s, struct net_loop *loop, struct http_client *c, enum http_verb verb, const char *path, const struct http_piece *body,
                int n_body, uint32_t ms, int *n_left)
{
    const struct http_ask a = { .verb = verb, .path = path, .body = body, .n_body = n_body, .may_repeat = true, .head_ms = ms,
                                .idle_ms = ms, .max_body_bytes = 100 << 20 };
    const bool pauses = s->pauses, cancels = s->cancels;
    *s = (struct seen){ .loop = loop, .pauses = pauses, .cancels = cancels, .n_left = n_left };
    buf_init(&s->body, 100 << 20);
    s->timer = net_timer_new(loop, on_resume, s, &err);
    s->call = http_client_call(c, &a, &fns, s, &err);
    if (s->call)
        ++*n_left;
    CHECK(s->call, "%s", err.text);
}

static void forget(struct seen *s)
{
    buf_fini(&s->body);
    net_timer_free(s->timer);
    *s = (struct seen){ 0 };
}

/* ---- our own server, on the same loop ---- */

static int n_requests;

static void on_server_data(void *ctx, const char *bytes, size_t n) { http_stream_write(ctx, bytes, n); }
static void on_server_end(void *ctx) { http_stream_end(ctx); }
static void on_server_close(void *ctx, enum http_close why) { (void)ctx, (void)why; }

enum { BIG_BYTES = 3 << 20 };

static void on_request(void *ctx, struct http_stream *s, const struct http_head *h)
{
    static const struct http_stream_fns echo = { on_server_data, on_server_end, NULL, on_server_close }, plain = { NULL, NULL, NULL, on_server_close };
    static char big[BIG_BYTES];
    (void)ctx;
    n_requests++;
    http_stream_take(s, strcmp(h->path, "/echo") == 0 ? &echo : &plain, s);
    if (strcmp(h->path, "/echo") == 0)
        http_stream_start(s, 200, NULL, 0, -1);
    else if (strcmp(h->path, "/cut") == 0) {
        http_stream_start(s, 200, NULL, 0, -1);
        http_stream_write(s, "half", 4);
        http_stream_reset(s);
    } else if (strcmp(h->path, "/hang") == 0) {
        http_stream_start(s, 200, NULL, 0, -1);
        http_stream_write(s, "half", 4);
    } else if (strcmp(h->path, "/never") == 0) {
    } else if (strcmp(h->path, "/big") == 0) {
        memset(big, 'x', sizeof(big));
        http_stream_reply(s, 200, NULL, 0, big, sizeof(big));
    } else {
        http_stream_reply(s, strcmp(h->path, "/pre/hello") == 0 ? 200 : 404, NULL, 0, "hello", 5);
    }
}

struct rig {
    struct net_loop *loop;
    struct http_server *server;
    struct http_client *client;
    int n_left, port;
};

static bool is_tls; /* of the next rig */

static bool rig_start(struct rig *r, const char *prefix, const struct http_client_config *config)
{
    struct net_addr at;
    struct http_target t;
    struct http_client_config k = config ? *config : (struct http_client_config){ 0 };
    char url[128], cert[256];
    snprintf(cert, sizeof(cert), "%s", test_tmp("c.pem"));
    k.ca_file = k.ca_file ? k.ca_file : cert;
    if (is_tls)
        make_certificate(cert, test_tmp("k.pem"), 1, false);
    *r = (struct rig){ 0 };
    n_requests = 0;
    signal(SIGPIPE, SIG_IGN);
    r->loop = net_loop_new(&err);
    r->server = http_server_new(r->loop, &(struct http_server_config){ .on_request = on_request }, &err);
    if (!net_addr_parse(&at, "127.0.0.1:0", &err) || !http_server_listen(r->server, &at, &at, &err))
        return false;
    struct tls_context *tls = is_tls ? tls_server_new(cert, test_tmp("k.pem"), &err) : NULL;
    if (is_tls && !tls)
        return false;
    http_server_set_tls(r->server, tls);
    r->port = at.port;
    snprintf(url, sizeof(url), "http%s://localhost:%d%s", is_tls ? "s" : "", at.port, prefix);
    return http_target_parse(&t, url, &err) && (r->client = http_client_new(r->loop, &t, &k, &err)) != NULL;
}

static void rig_stop(struct rig *r)
{
    http_client_free(r->client);
    http_server_free(r->server);
    net_loop_free(r->loop);
}

static void check_calls_share_a_connection_and_a_name_is_looked_up(void)
{
    struct rig r;
    struct seen s = { 0 };
    struct http_client_stats st;
    REQUIRE(rig_start(&r, "/pre/", NULL), "%s", err.text);
    for (int i = 0; i < 5; i++) {
        ask(&s, r.loop, r.client, HTTP_VERB_GET, "/hello", NULL, 0, 60000, &r.n_left);
        net_loop_run(r.loop);
        CHECK(s.how == HTTP_END_DONE && s.status == 200 && s.body.len == 5, "%s: %d %s", http_end_name(s.how), s.status, s.err.text);
        forget(&s);
    }
    ask(&s, r.loop, r.client, HTTP_VERB_HEAD, "/hello", NULL, 0, 60000, &r.n_left);
    net_loop_run(r.loop);
    CHECK(s.how == HTTP_END_DONE && s.status == 200 && s.body.len == 0, "HEAD: %d, %zu bytes", s.status, s.body.len);
    forget(&s);
    http_client_get_stats(r.client, &st);
    CHECK(st.connected_total == 1 && st.reused_total == 5 && st.n_idle == 1, "%llu connected", (unsigned long long)st.connected_total);
    rig_stop(&r);
}

static void check_a_body_in_pieces_arrives_and_comes_back_through_a_reader_that_pauses(void)
{
    struct rig r;
    struct seen s = { .pauses = true };
    static char mid[BIG_BYTES];
    REQUIRE(rig_start(&r, "", NULL), "%s", err.text);
    for (size_t i = 0; i < sizeof(mid); i++)
        mid[i] = (char)(i * 31 >> 3);
    const struct http_piece body[] = { { "begin", 5 }, { mid, sizeof(mid) }, { "", 0 }, { "end", 3 } };
    ask(&s, r.loop, r.client, HTTP_VERB_POST, "/echo", body, 4, 60000, &r.n_left);
    net_loop_run(r.loop);
    CHECK(s.how == HTTP_END_DONE && s.body.len == sizeof(mid) + 8, "%s: %zu bytes, %s", http_end_name(s.how), s.body.len, s.err.text);
    CHECK(s.body.len == sizeof(mid) + 8 && memcmp(s.body.data + 5, mid, sizeof(mid)) == 0 && memcmp(s.body.data, "begin", 5) == 0, "other bytes");
    forget(&s);
    rig_stop(&r);
}

static void check_an_answer_that_is_cut_off_or_falls_silent_or_is_too_long_is_told_apart(void)
{
    static const struct {
        const char *path;
        uint32_t ms;
        uint64_t max_bytes;
        enum http_end how;
    } table[] = {
        { "/cut", 60000, 0, HTTP_END_LOST },       { "/hang", 200, 0, HTTP_END_LATE },
        { "/never", 200, 0, HTTP_END_LATE },        { "/big", 60000, 1000, HTTP_END_TOO_LONG },
    };
    struct rig r;
    REQUIRE(rig_start(&r, "", NULL), "%s", err.text);
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct seen s = { .loop = r.loop, .n_left = &r.n_left };
        const uint32_t ms = table[i].ms + 1500; /* connecting counts, and the arithmetic of TLS takes its time */
        const struct http_ask a = { .path = table[i].path, .head_ms = ms, .idle_ms = ms, .max_body_bytes = table[i].max_bytes };
        buf_init(&s.body, 1 << 20);
        r.n_left = 1;
        s.call = http_client_call(r.client, &a, &fns, &s, &err);
        REQUIRE(s.call, "%s", err.text);
        net_loop_run(r.loop);
        CHECK(s.how == table[i].how && s.n_ends == 1 && s.err.code != ERR_NONE, "%s: %s (%s)", table[i].path, http_end_name(s.how), s.err.text);
        buf_fini(&s.body);
    }
    rig_stop(&r);
}

static void check_a_cancelled_call_is_never_heard_of_again_and_connections_are_bounded(void)
{
    struct rig r;
    struct seen s[4] = { { .cancels = true }, { 0 }, { 0 }, { 0 } };
    REQUIRE(rig_start(&r, "", &(struct http_client_config){ .max_connections = 2 }), "%s", err.text);
    ask(&s[0], r.loop, r.client, HTTP_VERB_GET, "/big", NULL, 0, 60000, &r.n_left);
    ask(&s[1], r.loop, r.client, HTTP_VERB_GET, "/big", NULL, 0, 60000, &r.n_left);
    const struct http_ask a = { .path = "/big" };
    CHECK(!http_client_call(r.client, &a, &fns, &s[2], &err) && err.code == ERR_BUSY, "a third connection: %s", err.text);
    net_loop_run(r.loop);
    CHECK(s[0].n_ends == 0 && s[1].n_ends == 1 && s[1].body.len == BIG_BYTES, "%d %d", s[0].n_ends, s[1].n_ends);
    ask(&s[3], r.loop, r.client, HTTP_VERB_GET, "/x", NULL, 0, 60000, &r.n_left);
    net_loop_run(r.loop);
    CHECK(s[3].status == 404 && s[0].n_ends == 0, "%d", s[3].status);
    forget(&s[0]), forget(&s[1]), forget(&s[3]);
    rig_stop(&r);
}

/* All of this in the clear and behind TLS. */
TEST(calls_share_a_connection_and_a_name_is_looked_up) { check_calls_share_a_connection_and_a_name_is_looked_up(); }
TEST(behind_tls_calls_share_a_connection_and_a_name_is_looked_up) { is_tls = true, check_calls_share_a_connection_and_a_name_is_looked_up(); }
TEST(a_body_in_pieces_arrives_and_comes_back_through_a_reader_that_pauses) { check_a_body_in_pieces_arrives_and_comes_back_through_a_reader_that_pauses(); }
TEST(behind_tls_a_body_in_pieces_arrives_and_comes_back_through_a_reader_that_pauses) { is_tls = true, check_a_body_in_pieces_arrives_and_comes_back_through_a_reader_that_pauses(); }
TEST(an_answer_that_is_cut_off_or_falls_silent_or_is_too_long_is_told_apart) { check_an_answer_that_is_cut_off_or_falls_silent_or_is_too_long_is_told_apart(); }
TEST(behind_tls_an_answer_that_is_cut_off_or_falls_silent_or_is_too_long_is_told_apart) { is_tls = true, check_an_answer_that_is_cut_off_or_falls_silent_or_is_too_long_is_told_apart(); }
TEST(a_cancelled_call_is_never_heard_of_again_and_connections_are_bounded) { check_a_cancelled_call_is_never_heard_of_again_and_connections_are_bounded(); }
TEST(behind_tls_a_cancelled_call_is_never_heard_of_again_and_connections_are_bounded) { is_tls = true, check_a_cancelled_call_is_never_heard_of_again_and_connections_are_bounded(); }

TEST(a_server_that_nobody_vouches_for_is_not_talked_to)
{
    struct rig r;
    struct seen s = { 0 };
    char other[256];
    snprintf(other, sizeof(other), "%s", test_tmp("other.pem"));
    make_certificate(other, test_tmp("other.key"), 2, false);
    is_tls = true;
    REQUIRE(rig_start(&r, "", &(struct http_client_config){ .ca_file = other }), "%s", err.text);
    ask(&s, r.loop, r.client, HTTP_VERB_GET, "/hello", NULL, 0, 60000, &r.n_left);
    net_loop_run(r.loop);
    CHECK(s.how == HTTP_END_CONNECT && strstr(s.err.text, "certificate") && n_requests == 0, "%s: %s", http_end_name(s.how), s.err.text);
    forget(&s);
    rig_stop(&r);
}

TEST(clear_text_where_tls_is_wanted_is_no_connection)
{
    struct rig r;
    struct seen s = { 0 };
    struct http_target t;
    struct http_client *c;
    char url[128];
    REQUIRE(rig_start(&r, "", NULL), "%s", err.text); /* speaks no TLS */
    make_certificate(test_tmp("c.pem"), test_tmp("k.pem"), 1, false);
    snprintf(url, sizeof(url), "https://localhost:%d", r.port);
    REQUIRE(http_target_parse(&t, url, &err) && (c = http_client_new(r.loop, &t, &(struct http_client_config){ .ca_file = test_tmp("c.pem") }, &err)), "%s", err.text);
    ask(&s, r.loop, c, HTTP_VERB_GET, "/hello", NULL, 0, 60000, &r.n_left);
    net_loop_run(r.loop);
    CHECK(s.how == HTTP_END_CONNECT && strstr(s.err.text, "TLS"), "%s: %s", http_end_name(s.how), s.err.text);
    forget(&s);
    http_client_free(c);
    rig_stop(&r);
}

/* ---- a peer that sends what it is told to ---- */

struct peer {
    int fd, port;
    pthread_t thread;
    const char *const *answers; /* one for each connection in turn; NULL ends; "\1" is: close without a word */
    int n_per_connection;
    atomic_int n_connections;
};

static void *serve_raw(void *ctx)
{
    struct peer *p = ctx;
    for (int i = 0; p->answers[i]; i++) {
        const int fd = accept(p->fd, NULL, NULL);
        char bytes[4096];
        p->n_connections++;
        if (fd < 0)
            break;
        for (int k = 0; k < p->n_per_connection; k++) {
            if (recv(fd, bytes, sizeof(bytes), 0) <= 0)
                break;
            if (p->answers[i][0] != 1 && send(fd, p->answers[i], strlen(p->answers[i]), MSG_NOSIGNAL) < 0)
                break;
        }
        close(fd);
    }
    return NULL;
}

static bool peer_start(struct peer *p)
{
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof(in);
    p->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(p->fd, (struct sockaddr *)&in, n) != 0 || listen(p->fd, 16) != 0 || getsockname(p->fd, (struct sockaddr *)&in, &n) != 0)
        return false;
    p->port = ntohs(in.sin_port);
    return pthread_create(&p->thread, NULL, serve_raw, p) == 0;
}

static struct http_client *client_for(struct net_loop *l, int port)
{
    struct http_target t;
    char url[64];
    snprintf(url, sizeof(url), "http://127.0.0.1:%d", port);
    return http_target_parse(&t, url, &err) ? http_client_new(l, &t, NULL, &err) : NULL;
}

#define OK "HTTP/1.1 200 OK\r\n"
TEST(answers_of_every_kind_are_read_or_refused)
{
    static const struct {
        const char *answer;
        enum http_end how;
        int status;
        const char *body;
    } table[] = {
        { OK "Content-Length: 2\r\n\r\nhi", HTTP_END_DONE, 200, "hi" },
        { OK "Transfer-Encoding: chunked\r\n\r\n1\r\nh\r\n1;x=y\r\ni\r\n0\r\nT: t\r\n\r\n", HTTP_END_DONE, 200, "hi" },
        { "HTTP/1.0 200 OK\r\n\r\nuntil the end", HTTP_END_DONE, 200, "until the end" },
        { OK "\r\nuntil the end", HTTP_END_DONE, 200, "until the end" },
        { "HTTP/1.1 204\r\n\r\n", HTTP_END_DONE, 204, "" },
        { "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\n" OK "Content-Length: 1\r\n\r\n!", HTTP_END_DONE, 200, "!" },
        { "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", HTTP_END_DONE, 404, "" },
        { OK "Content-Length: 5\r\n\r\nhi", HTTP_END_LOST, 200, "hi" },
        { OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhi", HTTP_END_LOST, 200, "hi" },
        { "HTTP/1.1 200", HTTP_END_LOST, 0, "" },
        { "\1", HTTP_END_LOST, 0, "" },
        { "HTTP/1.1 101 Switching\r\n\r\n", HTTP_END_BROKEN, 0, "" },
        { "SSH-2.0-OpenSSH\r\n", HTTP_END_BROKEN, 0, "" },
        { "HTTP/2 200 OK\r\n\r\n", HTTP_END_BROKEN, 0, "" },
        { "HTTP/1.1 600 Odd\r\n\r\n", HTTP_END_BROKEN, 0, "" },
        { "HTTP/1.1 20 Odd\r\n\r\n", HTTP_END_BROKEN, 0, "" },
        { OK "Content-Length: 2\r\nContent-Length: 3\r\n\r\nhi", HTTP_END_BROKEN, 0, "" },
        { OK "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nhi", HTTP_END_BROKEN, 0, "" },
        { OK "Transfer-Encoding: gzip\r\n\r\nhi", HTTP_END_BROKEN, 0, "" },
        { OK "Content-Length: 2\n\nhi", HTTP_END_BROKEN, 0, "" },
        { OK " folded: x\r\n\r\n", HTTP_END_BROKEN, 0, "" },
        { OK "Transfer-Encoding: chunked\r\n\r\nxyz\r\n", HTTP_END_BROKEN, 200, "" },
        { OK "Content-Length: 999999999999\r\n\r\nhi", HTTP_END_TOO_LONG, 0, "" },
    };
    enum { N = sizeof(table) / sizeof(table[0]) };
    const char *answers[N + 1] = { NULL };
    for (int i = 0; i < N; i++)
        answers[i] = table[i].answer;
    struct peer p = { .answers = answers, .n_per_connection = 1 };
    struct net_loop *l = net_loop_new(&err);
    REQUIRE(peer_start(&p), "no peer");
    struct http_client *c = client_for(l, p.port);
    REQUIRE(c, "%s", err.text);
    for (int i = 0; i < N; i++) {
        struct seen s = { .loop = l, .n_left = &(int){ 1 } };
        buf_init(&s.body, 1 << 20);
        s.call = http_client_call(c, &(struct http_ask){ .path = "/", .head_ms = 60000, .max_body_bytes = 1 << 20 }, &fns, &s, &err);
        REQUIRE(s.call, "%s", err.text);
        net_loop_run(l);
        CHECK(s.how == table[i].how && s.status == table[i].status && s.n_ends == 1, "%d: %.40s...: %s %d (%s)", i, table[i].answer,
              http_end_name(s.how), s.status, s.err.text);
        CHECK(s.body.len == strlen(table[i].body) && memcmp(s.body.len ? s.body.data : "", table[i].body, s.body.len) == 0, "%d: body", i);
        buf_fini(&s.body);
    }
    pthread_join(p.thread, NULL);
    close(p.fd);
    http_client_free(c);
    net_loop_free(l);
}

TEST(a_kept_connection_that_the_server_closed_costs_one_new_one_and_no_error)
{
    /* Each connection answers once and is then closed by the peer as soon as it read the second request. */
    const char *const answers[] = { OK "Content-Length: 1\r\n\r\na", OK "Content-Length: 1\r\n\r\nb", OK "Content-Length: 1\r\n\r\nc", NULL };
    struct peer p = { .answers = answers, .n_per_connection = 1 };
    struct net_loop *l = net_loop_new(&err);
    struct http_client_stats st;
    REQUIRE(peer_start(&p), "no peer");
    struct http_client *c = client_for(l, p.port);
    for (int i = 0; i < 3; i++) {
        struct seen s = { 0 };
        int n_left = 0;
        ask(&s, l, c, HTTP_VERB_POST, "/", &(struct http_piece){ "x", 1 }, 1, 60000, &n_left);
        net_loop_run(l);
        CHECK(s.how == HTTP_END_DONE && s.body.len == 1 && s.body.data[0] == "abc"[i], "%d: %s %s", i, http_end_name(s.how), s.err.text);
        forget(&s);
    }
    http_client_get_stats(c, &st);
    CHECK(st.connected_total == 3, "%llu", (unsigned long long)st.connected_total);
    pthread_join(p.thread, NULL);
    close(p.fd);
    http_client_free(c);
    net_loop_free(l);
}

TEST(nobody_there_is_told_as_such)
{
    struct net_loop *l = net_loop_new(&err);
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof(in);
    struct seen s = { 0 };
    int n_left = 0;
    const int fd = socket(AF_INET, SOCK_STREAM, 0); /* bound but not listening: connections are refused */
    REQUIRE(bind(fd, (struct sockaddr *)&in, n) == 0 && getsockname(fd, (struct sockaddr *)&in, &n) == 0, "no port");
    struct http_client *c = client_for(l, ntohs(in.sin_port));
    ask(&s, l, c, HTTP_VERB_GET, "/", NULL, 0, 60000, &n_left);
    net_loop_run(l);
    CHECK(s.how == HTTP_END_CONNECT && strstr(s.err.text, "127.0.0.1"), "%s: %s", http_end_name(s.how), s.err.text);
    forget(&s);
    http_client_free(c);
    close(fd);
    struct http_target t;
    char url[200];
    snprintf(url, sizeof(url), "unix:%s", test_tmp("no.sock"));
    REQUIRE(http_target_parse(&t, url, &err), "%s", err.text);
    c = http_client_new(l, &t, NULL, &err);
    ask(&s, l, c, HTTP_VERB_GET, "/", NULL, 0, 60000, &n_left);
    net_loop_run(l);
    CHECK(s.how == HTTP_END_CONNECT, "%s: %s", http_end_name(s.how), s.err.text);
    forget(&s);
    http_client_free(c);
    net_loop_free(l);
}

TEST(a_unix_socket_is_a_server_too)
{
    const char *const answers[] = { OK "Content-Length: 4\r\n\r\nunix", NULL };
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    struct peer p = { .answers = answers, .n_per_connection = 1, .fd = socket(AF_UNIX, SOCK_STREAM, 0) };
    struct net_loop *l = net_loop_new(&err);
    struct http_target t;
    struct seen s = { 0 };
    char url[200];
    int n_left = 0;
    snprintf(un.sun_path, sizeof(un.sun_path), "/tmp/tutti-test-%d.sock", (int)getpid());
    REQUIRE(bind(p.fd, (struct sockaddr *)&un, sizeof(un)) == 0 && listen(p.fd, 4) == 0, "no socket");
    pthread_create(&p.thread, NULL, serve_raw, &p);
    snprintf(url, sizeof(url), "unix:%s", un.sun_path);
    REQUIRE(http_target_parse(&t, url, &err), "%s", err.text);
    struct http_client *c = http_client_new(l, &t, NULL, &err);
    ask(&s, l, c, HTTP_VERB_GET, "/", NULL, 0, 60000, &n_left);
    net_loop_run(l);
    CHECK(s.how == HTTP_END_DONE && s.body.len == 4, "%s: %s", http_end_name(s.how), s.err.text);
    forget(&s);
    pthread_join(p.thread, NULL);
    unlink(un.sun_path);
    close(p.fd);
    http_client_free(c);
    net_loop_free(l);
}

TEST(urls_are_read_strictly)
{
    static const struct {
        const char *url, *host, *authority, *prefix; /* host NULL: refused */
        int port;
        bool is_tls;
    } table[] = {
        { "http://localhost", "localhost", "localhost:80", "", 80, false },
        { "https://api.example.com/v1/", "api.example.com", "api.example.com:443", "/v1", 443, true },
        { "HTTP://[::1]:8080/a/b", "::1", "[::1]:8080", "/a/b", 8080, false },
        { "http://a:1", "a", "a:1", "", 1, false },
        { "http://", NULL, 0, 0, 0, 0 },
        { "ftp://a", NULL, 0, 0, 0, 0 },
        { "http://user:pw@a/", NULL, 0, 0, 0, 0 },
        { "http://a:0", NULL, 0, 0, 0, 0 },
        { "http://a:65536", NULL, 0, 0, 0, 0 },
        { "http://a:", NULL, 0, 0, 0, 0 },
        { "http://a:1x", NULL, 0, 0, 0, 0 },
        { "http://a b", NULL, 0, 0, 0, 0 },
        { "http://[::1", NULL, 0, 0, 0, 0 },
        { "http://[::1]x", NULL, 0, 0, 0, 0 },
        { "http://a/?q=1", NULL, 0, 0, 0, 0 },
        { "http://a/\r\nx: y", NULL, 0, 0, 0, 0 },
        { "unix:relative", NULL, 0, 0, 0, 0 },
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct http_target t;
        const bool ok = http_target_parse(&t, table[i].url, &err);
        CHECK(ok == (table[i].host != NULL), "%s: %s", table[i].url, ok ? "accepted" : err.text);
        if (ok && table[i].host)
            CHECK(strcmp(t.host, table[i].host) == 0 && strcmp(t.authority, table[i].authority) == 0 && strcmp(t.prefix, table[i].prefix) == 0 &&
                      t.port == table[i].port && t.is_tls == table[i].is_tls,
                  "%s: %s %s %s %d", table[i].url, t.host, t.authority, t.prefix, t.port);
    }
}
