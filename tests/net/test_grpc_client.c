/* tests/net/test_grpc_client.c - our gRPC client against our gRPC server, both on one loop: all shapes of calls, in the
 * clear and behind TLS; servers that vanish, refuse, or speak something else. */
#include "net/grpc_client.h"
#include "test.h"

#include <signal.h>
#include <string.h>

#include "net/tls_files.h"

static struct err err;

/* ---- a server of a few methods ---- */

struct talk {
    struct grpc_call *call;
    int kind, n_sent;
};
enum { ONE, TALK, FLOOD, MUTE, FAIL, SUM };
static int n_open, n_closed;

static void flood(struct talk *t)
{
    static char piece[50000];
    while (t->n_sent < 100 && !grpc_is_full(t->call)) {
        grpc_send(t->call, piece, sizeof(piece));
        t->n_sent++;
    }
    if (t->n_sent == 100)
        grpc_finish(t->call, GRPC_OK, NULL);
}

static void on_message(void *ctx, const void *m, size_t n)
{
    struct talk *t = ctx;
    switch (t->kind) {
    case FLOOD: flood(t); break;
    case FAIL: grpc_finish(t->call, GRPC_ABORTED, "n\xc3\xb6\n%"); break;
    case SUM: t->n_sent += (int)n; break;
    case ONE:
        grpc_send(t->call, m, n);
        grpc_finish(t->call, GRPC_OK, NULL);
        break;
    case TALK: grpc_send(t->call, m, n); break;
    default: break;
    }
}
static void on_half(void *ctx)
{
    struct talk *t = ctx;
    char text[32];
    if (t->kind == SUM) {
        snprintf(text, sizeof(text), "%d", t->n_sent);
        grpc_send(t->call, text, strlen(text));
    }
    if (t->kind != MUTE && t->kind != FLOOD)
        grpc_finish(t->call, GRPC_OK, NULL);
}
static void on_room(void *ctx) { flood(ctx); }
static void on_gone(void *ctx)
{
    n_open--;
    n_closed++;
    free(ctx);
}

static void nothing(void *ctx, enum http_close why) { (void)ctx, (void)why; }

static void on_request(void *ctx, struct http_stream *s, const struct http_head *head)
{
    static const struct grpc_fns fns = { on_message, on_half, on_room, on_gone };
    static const struct http_stream_fns plain = { .on_close = nothing };
    static const char *const paths[] = { "/t.T/One", "/t.T/Talk", "/t.T/Flood", "/t.T/Mute", "/t.T/Fail", "/t.T/Sum" };
    struct net_loop *l = ctx;
    for (int i = 0; i < 6; i++)
        if (strcmp(head->path, paths[i]) == 0) {
            struct talk *t = calloc(1, sizeof(*t));
            t->kind = i;
            n_open++;
            t->call = grpc_accept(l, s, head, 200000, i == TALK || i == SUM, &fns, t);
            return;
        }
    if (strcmp(head->path, "/page") == 0) {
        http_stream_take(s, &plain, s);
        http_stream_reply(s, 503, NULL, 0, "no", 2);
    } else {
        grpc_refuse(s, GRPC_UNIMPLEMENTED, "no such method");
    }
}

/* ---- one call and what came of it ---- */

struct seen {
    struct net_loop *loop;
    struct grpc_client_call *call;
    int n_messages, n_ends, cancels_at;
    size_t n_bytes;
    char last[64];
    enum grpc_status status;
    char text[128];
    int *n_left, n_to_say;
};

static void leave(struct seen *s)
{
    if (--*s->n_left == 0)
        net_loop_stop(s->loop);
}

static void on_answer(void *ctx, const void *m, size_t n)
{
    struct seen *s = ctx;
    s->n_messages++;
    s->n_bytes += n;
    memcpy(s->last, m, n < 63 ? n : 63);
    s->last[n < 63 ? n : 63] = '\0';
    if (s->n_to_say > 0) {
        grpc_client_send(s->call, "more", 4);
        if (--s->n_to_say == 0)
            grpc_client_half_close(s->call);
    }
    if (s->n_messages == s->cancels_at) {
        grpc_client_cancel(s->call);
        leave(s);
    }
}
static void on_end(void *ctx, enum grpc_status status, const char *text)
{
    struct seen *s = ctx;
    s->n_ends++;
    s->status = status;
    snprintf(s->text, sizeof(s->text), "%s", text);
    leave(s);
}
static const struct grpc_client_fns fns = { .on_message = on_answer, .on_end = on_end };

struct rig {
    struct net_loop *loop;
    struct http_server *server;
    struct h2_client *client;
    int n_left, port;
};

static void stop(void *ctx) { net_loop_stop(ctx); }

static bool rig_start(struct rig *r, bool is_tls)
{
    struct net_addr at;
    struct http_target t;
    struct h2_client_config k = { 0 };
    char url[128], cert[256];
    *r = (struct rig){ 0 };
    signal(SIGPIPE, SIG_IGN);
    snprintf(cert, sizeof(cert), "%s", test_tmp("c.pem"));
    r->loop = net_loop_new(&err);
    r->server = http_server_new(r->loop, &(struct http_server_config){ .on_request = on_request, .ctx = r->loop }, &err);
    if (is_tls) {
        make_certificate(cert, test_tmp("k.pem"), 1, false);
        http_server_set_tls(r->server, tls_server_new(cert, test_tmp("k.pem"), &err));
        k.ca_file = cert;
    }
    if (!net_addr_parse(&at, "127.0.0.1:0", &err) || !http_server_listen(r->server, &at, &at, &err))
        return false;
    r->port = at.port;
    snprintf(url, sizeof(url), "http%s://localhost:%d", is_tls ? "s" : "", at.port);
    return http_target_parse(&t, url, &err) && (r->client = h2_client_new(r->loop, &t, &k, &err)) != NULL;
}

static void rig_stop(struct rig *r)
{
    h2_client_free(r->client);
    http_server_free(r->server);
    net_loop_free(r->loop);
    CHECK(n_open == 0, "%d calls are still open", n_open);
}

static void call(struct rig *r, struct seen *s, const char *path, const char *text, bool ends, uint64_t timeout_ns)
{
    const int cancels_at = s->cancels_at, n_to_say = s->n_to_say;
    *s = (struct seen){ .loop = r->loop, .n_left = &r->n_left, .cancels_at = cancels_at, .n_to_say = n_to_say };
    s->call = grpc_client_call(r->loop, r->client, path, NULL, 0, timeout_ns, 100000, &fns, s, &err);
    CHECK(s->call, "%s", err.text);
    r->n_left++;
    if (text)
        grpc_client_send(s->call, text, strlen(text));
    if (ends)
        grpc_client_half_close(s->call);
}

static void check_shapes(bool is_tls)
{
    struct rig r;
    struct seen s[7] = { { 0 } };
    REQUIRE(rig_start(&r, is_tls), "%s", err.text);
    s[1].n_to_say = 9;
    call(&r, &s[0], "/t.T/One", "hello", true, 120000000000);
    call(&r, &s[1], "/t.T/Talk", "first", false, 0);
    call(&r, &s[2], "/t.T/Flood", "x", true, 0);
    call(&r, &s[3], "/t.T/Mute", "x", true, 60000000);
    call(&r, &s[4], "/t.T/Fail", "x", true, 0);
    call(&r, &s[5], "/t.T/Nothing", "x", true, 0);
    call(&r, &s[6], "/page", "x", true, 0);
    net_loop_run(r.loop);
    CHECK(s[0].status == GRPC_OK && s[0].n_messages == 1 && strcmp(s[0].last, "hello") == 0, "%d %s", s[0].status, s[0].text);
    CHECK(s[1].status == GRPC_OK && s[1].n_messages == 10 && strcmp(s[1].last, "more") == 0, "%d %d", s[1].status, s[1].n_messages);
    CHECK(s[2].status == GRPC_OK && s[2].n_messages == 100 && s[2].n_bytes == 5000000, "%d %d %s", s[2].status, s[2].n_messages, s[2].text);
    CHECK(s[3].status == GRPC_DEADLINE_EXCEEDED, "%d %s", s[3].status, s[3].text);
    CHECK(s[4].status == GRPC_ABORTED && strcmp(s[4].text, "n\xc3\xb6\n%") == 0, "%d %s", s[4].status, s[4].text);
    CHECK(s[5].status == GRPC_UNIMPLEMENTED && strcmp(s[5].text, "no such method") == 0, "%d %s", s[5].status, s[5].text);
    CHECK(s[6].status == GRPC_UNAVAILABLE && strstr(s[6].text, "503"), "%d %s", s[6].status, s[6].text);
    for (int i = 0; i < 7; i++)
        CHECK(s[i].n_ends == 1, "call %d ended %d times", i, s[i].n_ends);
    rig_stop(&r);
}

TEST(calls_of_every_shape_end_with_their_status) { check_shapes(false); }
TEST(behind_tls_too) { check_shapes(true); }

TEST(a_long_request_is_held_back_by_its_server_and_arrives_whole)
{
    struct rig r;
    struct seen s = { 0 };
    static char piece[60000];
    REQUIRE(rig_start(&r, false), "%s", err.text);
    call(&r, &s, "/t.T/Sum", NULL, false, 0);
    int n = 0;
    for (; n < 200; n++) /* 12 MB: more than all windows */
        grpc_client_send(s.call, piece, sizeof(piece));
    CHECK(grpc_client_is_full(s.call));
    grpc_client_half_close(s.call);
    net_loop_run(r.loop);
    CHECK(s.status == GRPC_OK && strcmp(s.last, "12000000") == 0, "%d %s %s", s.status, s.text, s.last);
    rig_stop(&r);
}

TEST(a_cancelled_call_is_over_on_both_sides)
{
    struct rig r;
    struct seen s = { .cancels_at = 3 }, mute = { 0 }, one = { 0 };
    REQUIRE(rig_start(&r, false), "%s", err.text);
    n_closed = 0;
    call(&r, &s, "/t.T/Flood", "x", true, 0);
    net_loop_run(r.loop);
    CHECK(s.n_messages == 3 && s.n_ends == 0);
    call(&r, &mute, "/t.T/Mute", "x", true, 0);
    call(&r, &one, "/t.T/One", "x", true, 0);
    r.n_left = 1;
    net_loop_run(r.loop);
    CHECK(one.n_ends == 1);
    grpc_client_cancel(mute.call);
    while (n_closed < 3)
        net_loop_step(r.loop);
    CHECK(n_closed == 3 && n_open == 0 && mute.n_ends == 0, "%d closed, %d open", n_closed, n_open);
    rig_stop(&r);
}

TEST(a_message_that_is_too_large_ends_the_call)
{
    struct rig r;
    struct seen s = { 0 };
    static char big[150001];
    memset(big, 'x', 150000);
    REQUIRE(rig_start(&r, false), "%s", err.text);
    call(&r, &s, "/t.T/One", big, true, 0);
    net_loop_run(r.loop);
    CHECK(s.status == GRPC_RESOURCE_EXHAUSTED && s.n_messages == 0, "%d %s", s.status, s.text);
    rig_stop(&r);
}

TEST(servers_that_are_not_there_or_vanish_are_14_and_later_calls_connect_again)
{
    struct rig r;
    struct seen s = { 0 };
    struct net_addr at;
    REQUIRE(rig_start(&r, false), "%s", err.text);
    struct net_timer *t = net_timer_new(r.loop, stop, r.loop, &err);
    call(&r, &s, "/t.T/Mute", "x", true, 0);
    net_timer_start(t, 100, 0);
    net_loop_run(r.loop); /* the call is under way */
    http_server_free(r.server);
    net_loop_run(r.loop);
    CHECK(s.status == GRPC_UNAVAILABLE && s.n_ends == 1, "%d %s", s.status, s.text);
    call(&r, &s, "/t.T/One", "x", true, 0);
    net_loop_run(r.loop);
    CHECK(s.status == GRPC_UNAVAILABLE && strstr(s.text, "refused"), "%d %s", s.status, s.text);
    r.server = http_server_new(r.loop, &(struct http_server_config){ .on_request = on_request, .ctx = r.loop }, &err);
    char text[64];
    snprintf(text, sizeof(text), "127.0.0.1:%d", r.port);
    REQUIRE(net_addr_parse(&at, text, &err) && http_server_listen(r.server, &at, &at, &err), "%s", err.text);
    call(&r, &s, "/t.T/One", "x", true, 0);
    net_loop_run(r.loop);
    CHECK(s.status == GRPC_OK, "%d %s", s.status, s.text);
    struct seen late = { 0 };
    call(&r, &s, "/t.T/Talk", "x", false, 0);
    call(&r, &late, "/t.T/One", "x", true, 0);
    r.n_left = 1;
    net_loop_run(r.loop);
    http_server_drain(r.server); /* the open call goes on */
    net_timer_start(t, 100, 0);
    net_loop_run(r.loop);
    CHECK(s.n_ends == 0);
    r.n_left = 1;
    grpc_client_half_close(s.call);
    net_loop_run(r.loop);
    CHECK(s.status == GRPC_OK && s.n_ends == 1, "%d %s", s.status, s.text);
    net_timer_free(t);
    rig_stop(&r);
}

TEST(a_client_that_is_freed_calls_nobody)
{
    struct rig r;
    struct seen s = { 0 };
    REQUIRE(rig_start(&r, false), "%s", err.text);
    struct net_timer *t = net_timer_new(r.loop, stop, r.loop, &err);
    call(&r, &s, "/t.T/Mute", "x", true, 0);
    net_timer_start(t, 50, 0);
    net_loop_run(r.loop);
    grpc_client_cancel(s.call);
    net_timer_free(t);
    rig_stop(&r);
    CHECK(s.n_ends == 0);
}
