/* tests/net/test_tls.c - TLS in memory (both sides are ours), then in front of HTTP/1.1 and HTTP/2 over sockets. */
#define _GNU_SOURCE /* usleep */
#include "net/tls.h"
#include "net/http_app.h"
#include "net/tls_files.h"

struct paths {
    char cert[256], key[256];
};

static struct paths fresh(const char *name, long serial, bool is_over)
{
    struct paths p;
    char file[64];
    snprintf(file, sizeof(file), "%s.crt", name);
    snprintf(p.cert, sizeof(p.cert), "%s", test_tmp(file));
    snprintf(file, sizeof(file), "%s.key", name);
    snprintf(p.key, sizeof(p.key), "%s", test_tmp(file));
    make_certificate(p.cert, p.key, serial, is_over);
    return p;
}

/* Lets two ends talk until neither has more to say; what each heard is appended. */
static void converse(struct tls *a, struct tls *b, struct buf *heard_a, struct buf *heard_b, enum tls_result *last_a, enum tls_result *last_b)
{
    static char clear[1 << 16];
    struct tls *end[2] = { a, b };
    struct buf *heard[2] = { heard_a, heard_b };
    enum tls_result *last[2] = { last_a, last_b };
    for (int round = 0, quiet = 0; quiet < 4 && round < 1000; round++) {
        struct tls *t = end[round % 2], *other = end[1 - round % 2];
        struct buf sealed;
        size_t n;
        buf_init(&sealed, 8 << 20);
        while ((*last[round % 2] = tls_get(t, clear, sizeof(clear), &n)) == TLS_BYTES)
            buf_append(heard[round % 2], clear, n);
        CHECK(tls_take(t, &sealed));
        quiet = sealed.len ? 0 : quiet + 1;
        for (size_t at = 0; at < sealed.len; at += 1000) /* cut anywhere */
            tls_put(other, sealed.data + at, sealed.len - at < 1000 ? sealed.len - at : 1000);
        buf_fini(&sealed);
    }
}

struct pair {
    struct tls_context *server_context, *client_context;
    struct tls *server, *client;
    struct buf heard_server, heard_client;
    enum tls_result last_server, last_client;
};

static void meet(struct pair *p, const struct paths *server, const char *trusted, const char *host, bool want_h2)
{
    struct err err = { 0 };
    *p = (struct pair){ 0 };
    buf_init(&p->heard_server, 8 << 20);
    buf_init(&p->heard_client, 8 << 20);
    p->server_context = tls_server_new(server->cert, server->key, &err);
    CHECK(p->server_context, "%s", err.text);
    p->client_context = tls_client_new(trusted, &err);
    CHECK(p->client_context, "%s", err.text);
    p->server = tls_new(p->server_context, NULL, false);
    p->client = tls_new(p->client_context, host, want_h2);
    CHECK(p->server && p->client);
    converse(p->client, p->server, &p->heard_client, &p->heard_server, &p->last_client, &p->last_server);
}

static void part(struct pair *p)
{
    tls_free(p->server);
    tls_free(p->client);
    tls_context_free(p->server_context);
    tls_context_free(p->client_context);
    buf_fini(&p->heard_server);
    buf_fini(&p->heard_client);
}

TEST(both_ends_agree_and_what_one_says_the_other_hears)
{
    const struct paths f = fresh("a", 1, false);
    char *big = malloc(3000000);
    for (int i = 0; i < 3000000; i++)
        big[i] = (char)test_rand_u64();
    for (int h2 = 0; h2 < 2; h2++) {
        struct pair p;
        meet(&p, &f, f.cert, h2 ? "localhost" : "127.0.0.1", h2);
        CHECK(tls_is_ready(p.server) && tls_is_ready(p.client), "%s / %s", tls_why(p.client), tls_why(p.server));
        CHECK(tls_is_h2(p.server) == h2 && tls_is_h2(p.client) == h2);
        CHECK(tls_seal(p.client, big, 3000000) && tls_seal(p.server, "hello", 5));
        converse(p.client, p.server, &p.heard_client, &p.heard_server, &p.last_client, &p.last_server);
        CHECK(p.heard_server.len == 3000000 && memcmp(p.heard_server.data, big, 3000000) == 0, "%zu", p.heard_server.len);
        CHECK(p.heard_client.len == 5 && memcmp(p.heard_client.data, "hello", 5) == 0);
        tls_bye(p.server);
        converse(p.client, p.server, &p.heard_client, &p.heard_server, &p.last_client, &p.last_server);
        CHECK(p.last_client == TLS_END, "%d", (int)p.last_client);
        part(&p);
    }
    free(big);
}

TEST(a_client_refuses_the_wrong_name_the_unknown_and_the_expired)
{
    const struct paths f = fresh("a", 1, false), other = fresh("b", 2, false), old = fresh("c", 3, true);
    const struct {
        const struct paths *server, *trusted;
        const char *host, *words;
    } cases[] = {
        { &f, &f, "example.org", "hostname mismatch" },
        { &f, &f, "127.0.0.2", "IP address mismatch" },
        { &f, &other, "localhost", "self-signed" },
        { &old, &old, "localhost", "expired" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pair p;
        meet(&p, cases[i].server, cases[i].trusted->cert, cases[i].host, true);
        CHECK(p.last_client == TLS_FAIL && strstr(tls_why(p.client), cases[i].words), "case %zu: %d %s", i, (int)p.last_client, tls_why(p.client));
        CHECK(p.last_server == TLS_FAIL, "case %zu: the server heard nothing of it", i);
        part(&p);
    }
}

TEST(files_that_are_none_are_named)
{
    const struct paths f = fresh("a", 1, false), g = fresh("b", 2, false);
    struct err err = { 0 };
    const char *noise = test_tmp("noise.pem");
    FILE *w = fopen(noise, "w");
    fputs("no certificate\n", w);
    fclose(w);
    CHECK(!tls_server_new(noise, f.key, &err) && strstr(err.text, "noise.pem"), "%s", err.text);
    CHECK(!tls_server_new("/nowhere/x.pem", f.key, &err) && strstr(err.text, "/nowhere/x.pem"), "%s", err.text);
    CHECK(!tls_server_new(f.cert, noise, &err) && strstr(err.text, "key"), "%s", err.text);
    CHECK(!tls_server_new(f.cert, g.key, &err) && strstr(err.text, "key"), "%s", err.text);
    CHECK(!tls_client_new(noise, &err) && strstr(err.text, "noise.pem"), "%s", err.text);
}

TEST(noise_instead_of_tls_fails_and_holds_nothing)
{
    const struct paths f = fresh("a", 1, false);
    struct err err = { 0 };
    struct tls_context *k = tls_server_new(f.cert, f.key, &err);
    for (int i = 0; i < 200; i++) {
        struct tls *t = tls_new(k, NULL, false);
        char bytes[300], out[4096];
        size_t n = 1 + test_rand_u64() % sizeof(bytes), got;
        for (size_t at = 0; at < n; at++)
            bytes[at] = (char)test_rand_u64();
        if (i % 2)
            memcpy(bytes, "\x16\x03\x01", n < 3 ? n : 3);
        tls_put(t, bytes, n);
        const enum tls_result r = tls_get(t, out, sizeof(out), &got);
        CHECK(r == TLS_FAIL || r == TLS_WAIT, "%d", (int)r);
        tls_free(t);
    }
    tls_context_free(k);
}

/* ---- over sockets ---- */

static struct app *start(const struct paths *f)
{
    static const struct http_server_config usual = { 0 };
    struct err err = { 0 };
    app_tls = tls_server_new(f->cert, f->key, &err);
    CHECK(app_tls, "%s", err.text);
    return app_start(&usual);
}

static void push(int fd, struct tls *t)
{
    struct buf b;
    buf_init(&b, 4 << 20);
    tls_take(t, &b);
    if (b.len)
        say(fd, b.data, b.len);
    buf_fini(&b);
}

/* Says text over TLS and returns what was heard until they closed, or until the words. */
static struct buf talk(const struct app *app, struct tls *t, const void *text, size_t n, const char *until)
{
    static char clear[1 << 16], sealed[1 << 16];
    struct buf heard;
    const int fd = dial(app);
    bool is_said = false;
    buf_init(&heard, 64 << 20);
    for (;;) {
        size_t k;
        enum tls_result r;
        while ((r = tls_get(t, clear, sizeof(clear), &k)) == TLS_BYTES)
            buf_append(&heard, clear, k);
        if (tls_is_ready(t) && !is_said)
            is_said = tls_seal(t, text, n);
        push(fd, t);
        if (r == TLS_END || r == TLS_FAIL || (until && heard.data && memmem(heard.data, heard.len, until, strlen(until))))
            break;
        const ssize_t got = recv_on(fd, sealed, sizeof(sealed));
        if (got <= 0)
            break;
        tls_put(t, sealed, (size_t)got);
    }
    close(fd);
    return heard;
}

TEST(https_speaks_both_versions_and_says_goodbye)
{
    const struct paths f = fresh("a", 1, false);
    struct app *app = start(&f);
    struct err err;
    struct tls_context *k = tls_client_new(f.cert, &err);
    struct tls *t = tls_new(k, "localhost", false);
    static const char get[] = "GET /big HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n";
    struct buf heard = talk(app, t, get, strlen(get), NULL);
    CHECK(heard.len > BIG_BYTES && strncmp(heard.data, "HTTP/1.1 200", 12) == 0, "%zu", heard.len);
    size_t n;
    char c;
    CHECK(tls_get(t, &c, 1, &n) == TLS_END, "no goodbye");
    CHECK(app->most_queued < HTTP_QUEUE_HIGH_BYTES + 40000, "%zu", (size_t)app->most_queued);
    buf_fini(&heard);
    tls_free(t);

    t = tls_new(k, "localhost", true);
    static const char h2[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0" /* SETTINGS */
                             "\0\0\1\1\5\0\0\0\1\x82"; /* HEADERS with :method GET alone: a stream that is refused */
    heard = talk(app, t, h2, sizeof(h2) - 1, "\0\0\4\3\0\0\0\0\1");
    CHECK(tls_is_h2(t) && heard.len >= 9 && heard.data[3] == 4, "no SETTINGS came: %zu", heard.len);
    buf_fini(&heard);
    tls_free(t);
    tls_context_free(k);
    app_stop(app);
}

TEST(clear_text_on_a_tls_port_is_told_so)
{
    const struct paths f = fresh("a", 1, false);
    struct app *app = start(&f);
    char reply[2000];
    const int fd = dial(app);
    say_text(fd, "GET / HTTP/1.1\r\nHost: t\r\n\r\n");
    hear_all(fd, reply, sizeof(reply));
    CHECK(strncmp(reply, "HTTP/1.1 400", 12) == 0 && strstr(reply, "https://"), "%s", reply);
    close(fd);
    app_stop(app);
}

TEST(a_new_certificate_serves_new_connections_while_old_ones_go_on)
{
    const struct paths f = fresh("a", 1, false), g = fresh("b", 2, false);
    struct app *app = start(&f);
    struct err err;
    struct tls_context *trusts_f = tls_client_new(f.cert, &err), *trusts_g = tls_client_new(g.cert, &err);
    static const char get[] = "GET /hello HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n";
    static const char hold[] = "GET /hold HTTP/1.1\r\nHost: t\r\n\r\n";

    struct tls *old = tls_new(trusts_f, "localhost", false);
    static char sealed[1 << 16], clear[4096];
    const int fd = dial(app);
    size_t n;
    while (!tls_is_ready(old)) {
        tls_get(old, clear, sizeof(clear), &n);
        push(fd, old);
        if (tls_is_ready(old))
            break;
        const ssize_t got = recv_on(fd, sealed, sizeof(sealed));
        REQUIRE(got > 0);
        tls_put(old, sealed, (size_t)got);
    }
    tls_seal(old, hold, strlen(hold));
    push(fd, old);
    wait_for(&app->n_requests, 1);

    app->held = NULL;
    app->next_tls = tls_server_new(g.cert, g.key, &err);
    net_wake_send(app->poke);
    struct buf heard = { 0 };
    for (int i = 0; i < 6000; i++) {
        struct tls *t = tls_new(trusts_g, "localhost", false);
        heard = talk(app, t, get, strlen(get), NULL);
        tls_free(t);
        if (heard.len > 0)
            break;
        buf_fini(&heard);
        usleep(10000);
    }
    CHECK(heard.len > 0 && strncmp(heard.data, "HTTP/1.1 200", 12) == 0, "the new certificate does not serve");
    buf_fini(&heard);
    CHECK(app->n_open == 1, "the old connection did not survive");
    tls_free(old);
    close(fd);
    tls_context_free(trusts_f);
    tls_context_free(trusts_g);
    app_stop(app);
}
