/* tests/net/test_grpc.c - gRPC: its small codecs, and a server of a few methods asked frame by frame. */
#define _GNU_SOURCE /* usleep */
#include "net/grpc.h"
#include "net/h2_peer.h"

/* ---- codecs ---- */

TEST(timeouts_are_digits_and_a_unit)
{
    static const struct {
        const char *text;
        uint64_t ns;
        bool ok;
    } cases[] = {
        { "100m", 100000000, true }, { "1H", 3600000000000, true }, { "2M", 120000000000, true }, { "3S", 3000000000, true },
        { "5u", 5000, true }, { "7n", 7, true }, { "99999999H", INT64_MAX, true }, { "0S", 0, true }, { "123456789S", 0, false },
        { "", 0, false }, { "S", 0, false }, { "1", 0, false }, { "1x", 0, false }, { "-1S", 0, false }, { "1SS", 0, false }, { "1 S", 0, false },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t ns = 0;
        CHECK(grpc_read_timeout(cases[i].text, &ns) == cases[i].ok && (!cases[i].ok || ns == cases[i].ns), "'%s': %llu", cases[i].text, (unsigned long long)ns);
    }
    for (int i = 0; i < 1000; i++) {
        char text[16];
        const uint64_t want = test_rand_u64() >> (test_rand_u64() % 60 + 2);
        uint64_t ns;
        grpc_put_timeout(text, want);
        REQUIRE(strlen(text) <= 9 && grpc_read_timeout(text, &ns), "%s", text);
        CHECK(ns <= want && want - ns <= want / 50000 + (want > 359999996400000000 ? want : 0), "%s for %llu", text, (unsigned long long)want);
    }
}

TEST(messages_of_errors_are_percent_encoded_and_back)
{
    struct buf b;
    buf_init(&b, 1000);
    grpc_put_message(&b, "50% \xc3\xa4\n~");
    CHECK(strcmp(b.data, "50%25 %C3%A4%0A~") == 0, "%s", b.data);
    grpc_read_message(b.data);
    CHECK(strcmp(b.data, "50% \xc3\xa4\n~") == 0, "%s", b.data);
    char odd[] = "%zz %4 %41%";
    grpc_read_message(odd);
    CHECK(strcmp(odd, "%zz %4 A%") == 0, "%s", odd);
    buf_fini(&b);
}

TEST(messages_come_out_however_their_bytes_are_cut)
{
    char bytes[3000];
    size_t n = 0, sizes[] = { 0, 1, 4, 5, 300, 0, 2000 };
    for (size_t i = 0; i < 7; i++) {
        grpc_put_prefix(bytes + n, sizes[i]);
        memset(bytes + n + 5, 'a' + (int)i, sizes[i]);
        n += 5 + sizes[i];
    }
    for (size_t piece = 1; piece <= n; piece += piece < 20 ? 1 : 97) {
        struct grpc_reader r;
        size_t at = 0, found = 0;
        grpc_reader_init(&r, 2000);
        while (at < n) {
            const size_t take = n - at < piece ? n - at : piece;
            char *exact = malloc(take);
            memcpy(exact, bytes + at, take);
            const char *p = exact;
            size_t left = take, n_m;
            const void *m;
            enum grpc_piece what;
            while ((what = grpc_read(&r, &p, &left, &m, &n_m)) == GRPC_MESSAGE) {
                CHECK(found < 7 && n_m == sizes[found], "piece %zu: message %zu has %zu bytes", piece, found, n_m);
                CHECK(n_m == 0 || ((const char *)m)[n_m - 1] == 'a' + (char)found);
                found++;
            }
            CHECK(what == GRPC_MORE);
            free(exact);
            at += take;
        }
        CHECK(found == 7 && !grpc_is_inside(&r), "piece %zu: %zu", piece, found);
        grpc_reader_fini(&r);
    }
    struct grpc_reader r;
    const void *m;
    size_t n_m;
    grpc_reader_init(&r, 10);
    const char *p = "\0\0\0\0\x0b";
    n = 5;
    CHECK(grpc_read(&r, &p, &n, &m, &n_m) == GRPC_TOO_LARGE);
    grpc_reader_init(&r, 10);
    p = "\1\0\0\0\1";
    n = 5;
    CHECK(grpc_read(&r, &p, &n, &m, &n_m) == GRPC_COMPRESSED);
}

TEST(a_call_is_known_by_its_content_type)
{
    static const struct {
        const char *type;
        bool is;
    } cases[] = { { "application/grpc", true }, { "application/grpc+proto", true }, { "Application/GRPC;charset=x", true }, { "application/grpc-web", false }, { "application/json", false } };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct http_head h = { .verb = HTTP_VERB_POST, .n_fields = 1, .fields = { { "content-type", cases[i].type } } };
        CHECK(grpc_is_call(&h) == cases[i].is, "%s", cases[i].type);
        h.verb = HTTP_VERB_GET;
        CHECK(!grpc_is_call(&h));
    }
}

/* ---- a server ---- */

struct talk {
    struct app *app;
    struct grpc_call *call;
    enum { ONE, TALK, FLOOD, MUTE, FAIL } kind;
    int n_sent;
};

static void flood(struct talk *t)
{
    static char piece[50000];
    while (t->n_sent < 200 && !grpc_is_full(t->call)) {
        grpc_send(t->call, piece, sizeof(piece));
        t->n_sent++;
    }
    if (t->n_sent == 200)
        grpc_finish(t->call, GRPC_OK, NULL);
}

static void on_message(void *ctx, const void *m, size_t n)
{
    struct talk *t = ctx;
    if (t->kind == FLOOD) {
        flood(t);
    } else if (t->kind == FAIL) {
        grpc_finish(t->call, GRPC_ABORTED, "not\ntoday");
    } else if (t->kind != MUTE) {
        grpc_send(t->call, m, n);
        if (t->kind == ONE)
            grpc_finish(t->call, GRPC_OK, NULL);
    }
}
static void on_half(void *ctx)
{
    struct talk *t = ctx;
    if (t->kind == TALK)
        grpc_finish(t->call, GRPC_OK, NULL);
}
static void on_room(void *ctx) { flood(ctx); }
static void on_gone(void *ctx)
{
    struct talk *t = ctx;
    t->app->n_open--;
    free(t);
}

static bool serve_grpc(struct app *app, struct http_stream *s, const struct http_head *head)
{
    static const struct grpc_fns fns = { on_message, on_half, on_room, on_gone };
    static const char *const paths[] = { "/t.T/One", "/t.T/Talk", "/t.T/Flood", "/t.T/Mute", "/t.T/Fail" };
    if (!grpc_is_call(head))
        return false;
    for (int i = 0; i < 5; i++)
        if (strcmp(head->path, paths[i]) == 0) {
            struct talk *t = calloc(1, sizeof(*t));
            t->app = app;
            *(int *)&t->kind = i;
            app->n_open++;
            t->call = grpc_accept(app->loop, s, head, 60000, i == TALK, &fns, t);
            return true;
        }
    grpc_refuse(s, GRPC_UNIMPLEMENTED, "no such method");
    return true;
}

static void begin(struct peer *p, uint32_t id, const char *path, const char *timeout)
{
    uint8_t block[1024];
    size_t n = put_request(block, "POST", path);
    n += put_field(block + n, "content-type", "application/grpc");
    n += put_field(block + n, "te", "trailers");
    if (timeout)
        n += put_field(block + n, "grpc-timeout", timeout);
    put_frame(p, F_HEADERS, END_HEADERS, id, block, n);
}

static void put_message(struct peer *p, uint32_t id, const char *text, size_t n, bool is_last)
{
    char m[8000];
    grpc_put_prefix(m, n);
    memcpy(m + 5, text, n);
    put_frame(p, F_DATA, is_last ? END_STREAM : 0, id, m, 5 + n);
}

TEST(calls_of_every_shape_end_with_their_status)
{
    static const struct http_server_config usual = { .body_ms = 60000 };
    app_other = serve_grpc;
    struct app *app = app_start(&usual);
    struct peer *p = greet(app, NULL, 0);
    begin(p, 1, "/t.T/One", NULL);
    put_message(p, 1, "hello", 5, true);
    begin(p, 3, "/t.T/Nothing", NULL);
    put_message(p, 3, "x", 1, true);
    begin(p, 5, "/t.T/Fail", NULL);
    put_message(p, 5, "x", 1, true);
    begin(p, 7, "/t.T/Mute", "50m");
    put_message(p, 7, "x", 1, true);
    begin(p, 9, "/t.T/One", NULL);
    put_frame(p, F_DATA, END_STREAM, 9, "\1\0\0\0\1x", 6);
    begin(p, 11, "/t.T/One", NULL);
    put_frame(p, F_DATA, END_STREAM, 11, "\0\0\1\0\0", 5);
    begin(p, 13, "/t.T/One", NULL);
    put_frame(p, F_DATA, END_STREAM, 13, "\0\0\0\0\5hal", 8);
    for (uint32_t id = 1; id <= 13; id += 2)
        await(p, id);
    CHECK(p->stream[1].n_body == 10 && memcmp(p->stream[1].body, "\0\0\0\0\5hello", 10) == 0 && p->stream[1].n_heads == 2);
    static const struct {
        uint32_t id;
        int n_heads;
        const char *words;
    } want[] = {
        { 1, 2, "grpc-status=0;" }, { 3, 1, "grpc-status=12;grpc-message=no such method;" }, { 5, 1, "grpc-status=10;grpc-message=not%0Atoday;" },
        { 7, 1, "grpc-status=4;grpc-message=Deadline exceeded;" }, { 9, 1, "grpc-status=13;" }, { 11, 1, "grpc-status=8;" }, { 13, 1, "grpc-status=13;" },
    };
    for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        const struct seen *s = &p->stream[want[i].id];
        CHECK(s->status == 200 && s->is_ended && s->n_heads == want[i].n_heads && strstr(s->fields, want[i].words), "stream %u: %d %s", want[i].id, s->n_heads, s->fields);
    }

    begin(p, 15, "/t.T/Talk", NULL);
    for (int i = 0; i < 5; i++) { /* an answer for each, before the next one is asked */
        put_message(p, 15, "ping", 4, false);
        while (p->stream[15].n_body < 9u * (unsigned)(i + 1) && listen_once(p, 60000))
            ;
    }
    CHECK(p->stream[15].n_body == 45 && !p->stream[15].is_ended);
    put_frame(p, F_DATA, END_STREAM, 15, NULL, 0);
    await(p, 15);
    CHECK(strstr(p->stream[15].fields, "grpc-status=0;"), "%s", p->stream[15].fields);

    p->opens_windows = true;
    begin(p, 17, "/t.T/Flood", NULL);
    put_message(p, 17, "x", 1, true);
    await(p, 17);
    CHECK(p->stream[17].n_body == 200 * 50005 && strstr(p->stream[17].fields, "grpc-status=0;"), "%zu %s", p->stream[17].n_body, p->stream[17].fields);

    begin(p, 19, "/t.T/Mute", "60S");
    put_message(p, 19, "x", 1, true);
    begin(p, 21, "/t.T/Talk", NULL);
    while (p->stream[21].status == 0 && listen_once(p, 60000))
        ;
    part(p); /* clients that go away */
    WAIT_UNTIL(app->n_open == 0);
    app_stop(app); /* checks that nothing is left */
}
