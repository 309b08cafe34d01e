/* tests/net/test_h2_nomem.c - HTTP/2 and gRPC, both sides on one loop, while memory is short: calls may fail, every one ends,
 * nothing crashes and nothing is left. */
#include "fail_alloc.h"
#include "test.h"

#include <signal.h>
#include <string.h>

#include "net/grpc_client.h"

struct talk {
    struct grpc_call *call;
};

static void on_message(void *ctx, const void *m, size_t n)
{
    struct talk *t = ctx;
    grpc_send(t->call, m, n);
    grpc_finish(t->call, GRPC_OK, "fine");
}
static void on_gone(void *ctx) { free(ctx); }
static void nothing(void *ctx, enum http_close why) { (void)ctx, (void)why; }

static void on_request(void *ctx, struct http_stream *s, const struct http_head *head)
{
    static const struct grpc_fns fns = { .on_message = on_message, .on_close = on_gone };
    static const struct http_stream_fns plain = { .on_close = nothing };
    struct talk *t = grpc_is_call(head) ? calloc(1, sizeof(*t)) : NULL;
    if (!t) {
        http_stream_take(s, &plain, NULL);
        http_stream_reply(s, 503, NULL, 0, "no", 2);
        return;
    }
    t->call = grpc_accept(ctx, s, head, 100000, false, &fns, t);
    if (!t->call)
        free(t);
}

struct seen {
    struct net_loop *loop;
    int *n_left, n_ends;
    enum grpc_status status;
    size_t n_bytes;
};
static void on_answer(void *ctx, const void *m, size_t n)
{
    struct seen *s = ctx;
    (void)m;
    s->n_bytes += n;
}
static void on_end(void *ctx, enum grpc_status status, const char *text)
{
    struct seen *s = ctx;
    (void)text;
    s->status = status;
    s->n_ends++;
    if (--*s->n_left == 0)
        net_loop_stop(s->loop);
}

static bool talk(void *arg, struct err *err)
{
    static const struct grpc_client_fns fns = { .on_message = on_answer, .on_end = on_end };
    static char big[40000];
    struct http_target t;
    struct net_addr at;
    char url[128];
    int n_left = 0;
    bool ok = true;
    (void)arg;
    signal(SIGPIPE, SIG_IGN);
    struct net_loop *l = net_loop_new(err);
    struct http_server *v = l ? http_server_new(l, &(struct http_server_config){ .on_request = on_request, .ctx = l }, err) : NULL;
    struct h2_client *c = NULL;
    if (v && net_addr_parse(&at, "127.0.0.1:0", err) && http_server_listen(v, &at, &at, err)) {
        snprintf(url, sizeof(url), "http://%s", at.text);
        c = http_target_parse(&t, url, err) ? h2_client_new(l, &t, NULL, err) : NULL;
    }
    struct seen seen[3] = { { 0 } };
    for (int i = 0; i < 3 && c; i++) {
        seen[i] = (struct seen){ .loop = l, .n_left = &n_left };
        struct grpc_client_call *call = grpc_client_call(l, c, "/t.T/One", NULL, 0, 10000000000, 100000, &fns, &seen[i], err);
        if (!call) {
            ok = false;
            continue;
        }
        n_left++;
        grpc_client_send(call, big, i == 1 ? sizeof(big) : 5);
        grpc_client_half_close(call);
    }
    if (n_left > 0)
        net_loop_run(l);
    for (int i = 0; i < 3 && c; i++)
        if (seen[i].n_ends != 1 || seen[i].status != GRPC_OK || seen[i].n_bytes != (i == 1 ? sizeof(big) : 5))
            ok = err_set(err, ERR_NOMEM, "call %d: status %d", i, (int)seen[i].status);
    CHECK(n_left == 0, "%d calls never ended", n_left);
    h2_client_free(c);
    http_server_free(v);
    net_loop_free(l);
    return ok && c;
}

TEST(calls_survive_every_failing_allocation)
{
    struct err err = { 0 };
    CHECK(talk(NULL, &err), "%s", err.text); /* the first loop of a process makes a pipe for signals that stays */
    fail_alloc_each(talk, NULL, 300);
}
