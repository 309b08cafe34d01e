/* tests/net/test_h2.c - HTTP/2 over real sockets: friendly, slow, greedy and hostile clients, frame by frame. */
#define _GNU_SOURCE /* usleep */
#include "net/http.h"
#include "net/h2_peer.h"

static const struct http_server_config quick = { .head_ms = 2000, .body_ms = 2000, .idle_ms = 3000, .stall_ms = 2000, .linger_ms = 300 };
static const struct http_server_config usual = { 0 };
static const struct http_server_config patient = { .head_ms = 60000, .body_ms = 60000, .idle_ms = 60000, .stall_ms = 60000 };

TEST(one_connection_carries_many_requests_at_once)
{
    struct app *app = app_start(&usual);
    struct peer *p = greet(app, NULL, 0);
    ask_h2(p, 1, "GET", "/hold", false);
    ask_h2(p, 3, "GET", "/hello", false);
    ask_h2(p, 5, "POST", "/echo", true);
    ask_h2(p, 7, "HEAD", "/hello", false);
    ask_h2(p, 9, "GET", "/nothing", false);
    put_frame(p, F_DATA, 0, 5, "one ", 4);
    ask_h2(p, 11, "GET", "/head?a=%20b&c", false);
    put_frame(p, F_DATA, END_STREAM, 5, "two", 3);
    for (uint32_t id = 3; id <= 11; id += 2)
        await(p, id);
    CHECK(p->stream[3].status == 200 && strcmp(p->stream[3].body, "hello") == 0, "%d %s", p->stream[3].status, p->stream[3].body);
    CHECK(strstr(p->stream[3].fields, "content-length=5;") && strstr(p->stream[3].fields, "date="), "%s", p->stream[3].fields);
    CHECK(p->stream[5].status == 200 && strcmp(p->stream[5].body, "one two") == 0, "%s", p->stream[5].body);
    CHECK(p->stream[7].status == 200 && p->stream[7].n_body == 0 && strstr(p->stream[7].fields, "content-length=5;"), "%s", p->stream[7].fields);
    CHECK(p->stream[9].status == 404, "%d", p->stream[9].status);
    CHECK(strcmp(p->stream[11].body, "GET|a=%20b&c|here:1|-|1") == 0, "%s", p->stream[11].body);
    CHECK(!p->stream[1].is_ended && p->goaway < 0);
    part(p);
    wait_for(&app->n_closed[HTTP_CLOSE_HANGUP], 1);
    CHECK(app->n_closed[HTTP_CLOSE_HANGUP] == 1 && app->n_closed[HTTP_CLOSE_DONE] == 5, "%d %d", (int)app->n_closed[HTTP_CLOSE_HANGUP], (int)app->n_closed[HTTP_CLOSE_DONE]);
    app_stop(app);
}

TEST(the_preface_may_come_byte_by_byte_and_p_may_begin_post)
{
    struct app *app = app_start(&usual);
    struct peer *p = meet(app);
    for (int i = 0; i < 24; i++) {
        say(p->fd, h2_magic + i, 1);
        usleep(500);
    }
    put_frame(p, F_SETTINGS, 0, 0, NULL, 0);
    ask_h2(p, 1, "GET", "/hello", false);
    await(p, 1);
    CHECK(p->stream[1].status == 200, "%d", p->stream[1].status);
    part(p);
    const int fd = dial(app);
    static const char post[] = "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
    char reply[1000];
    say(fd, post, 1);
    usleep(20000);
    say(fd, post + 1, 1);
    usleep(2000);
    say(fd, post + 2, strlen(post) - 2);
    hear_all(fd, reply, sizeof(reply));
    CHECK(strncmp(reply, "HTTP/1.1 200", 12) == 0 && strstr(reply, "\r\n\r\nok"), "%s", reply);
    close(fd);
    app_stop(app);
}

TEST(fields_behind_the_body_arrive_and_cannot_inject)
{
    struct app *app = app_start(&usual);
    struct peer *p = greet(app, NULL, 0);
    ask_h2(p, 1, "GET", "/trail", false);
    ask_h2(p, 3, "GET", "/inject", false);
    ask_h2(p, 5, "GET", "/bare", false);
    await(p, 1), await(p, 3), await(p, 5);
    CHECK(p->stream[1].n_heads == 2 && strcmp(p->stream[1].body, "body") == 0 && strstr(p->stream[1].fields, "x-sum=42;x-note=a  b;"), "%s", p->stream[1].fields);
    CHECK(p->stream[3].is_ended && strstr(p->stream[3].fields, "x-test=a  evil: yes;"), "%s", p->stream[3].fields);
    CHECK(p->stream[5].is_ended && p->stream[5].n_heads == 1 && !strstr(p->stream[5].fields, "content-length"), "%s", p->stream[5].fields);
    part(p);
    char reply[1000]; /* the same over HTTP/1.1: chunked, so the fields have a place */
    static const char get[] = "GET /trail HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n";
    const int fd = dial(app);
    say_text(fd, get);
    hear_all(fd, reply, sizeof(reply));
    CHECK(strstr(reply, "\r\n4\r\nbody\r\n0\r\nx-sum: 42\r\nx-note: a  b\r\n\r\n"), "%s", reply);
    close(fd);
    app_stop(app);
}

TEST(a_slow_reader_holds_back_its_own_stream_and_makes_us_hold_little)
{
    struct app *app = app_start(&usual);
    struct peer *p = greet(app, NULL, 0);
    ask_h2(p, 1, "GET", "/big", false); /* 64 KiB fit into the window, then it must wait */
    while (p->stream[1].n_body < 65535 && listen_once(p, 60000))
        ;
    put_u32(p, F_WINDOW, 0, 1 << 20);
    ask_h2(p, 3, "GET", "/hello", false);
    await(p, 3);
    CHECK(p->stream[3].status == 200 && p->stream[1].n_body == 65535, "%zu", p->stream[1].n_body);
    CHECK(app->most_queued < HTTP_QUEUE_HIGH_BYTES + 20000, "%zu", (size_t)app->most_queued);
    p->opens_windows = true;
    put_u32(p, F_WINDOW, 1, 1 << 20);
    await(p, 1);
    CHECK(p->stream[1].is_ended && p->stream[1].n_body == BIG_BYTES, "%zu", p->stream[1].n_body);
    CHECK(app->most_queued < HTTP_QUEUE_HIGH_BYTES + 20000, "%zu", (size_t)app->most_queued);
    part(p);
    app_stop(app);
}

TEST(a_body_larger_than_the_windows_comes_whole_and_one_that_ignores_them_is_cut_off)
{
    enum { STREAM = 8192, BODY = 300000 };
    static const struct http_server_config small = { .stream_window_bytes = STREAM, .conn_window_bytes = 131072 };
    static char piece[16384];
    struct app *app = app_start(&small);
    struct peer *p = greet(app, NULL, 0);
    p->opens_windows = true;
    while (!p->is_acked && listen_once(p, 60000)) /* and with it their settings */
        ;
    ask_h2(p, 1, "POST", "/echo", true);
    for (size_t n = 0; n < BODY;) {
        const size_t own = STREAM + p->stream[1].n_opened - n, all = 65535 + p->stream[0].n_opened - n, most = BODY - n < 3000 ? BODY - n : 3000;
        const size_t room = own < all ? own : all, k = room < most ? room : most;
        if (k == 0) {
            REQUIRE(listen_once(p, 60000), "no window is opened after %zu bytes", n);
            continue;
        }
        put_frame(p, F_DATA, n + k == BODY ? END_STREAM : 0, 1, piece, k);
        n += k;
    }
    await(p, 1);
    CHECK(p->stream[1].is_ended && p->stream[1].n_body == BODY && p->goaway < 0, "%zu %d", p->stream[1].n_body, p->goaway);
    ask_h2(p, 3, "POST", "/hold", true);
    for (int i = 0; i < 3; i++)
        put_frame(p, F_DATA, 0, 3, piece, sizeof(piece));
    while (p->goaway < 0 && p->stream[3].reset < 0 && listen_once(p, 60000))
        ;
    CHECK(p->goaway == NGHTTP2_FLOW_CONTROL_ERROR || p->stream[3].reset == NGHTTP2_FLOW_CONTROL_ERROR, "%d %d", p->goaway, p->stream[3].reset);
    part(p);
    app_stop(app);
}

TEST(what_is_too_large_or_unknown_gets_its_status)
{
    static const struct http_server_config small = { .max_head_bytes = 4096, .max_body_bytes = 100000 };
    struct app *app = app_start(&small);
    struct peer *p = greet(app, NULL, 0);
    uint8_t block[16384];
    char text[6000];
    memset(text, 'x', sizeof(text));
    text[5000] = '\0';
    size_t n = put_request(block, "GET", "/hello");
    n += put_field(block + n, "x-large", text);
    put_frame(p, F_HEADERS, END_HEADERS | END_STREAM, 1, block, n);
    n = put_request(block, "POST", "/hold");
    n += put_field(block + n, "content-length", "100001");
    put_frame(p, F_HEADERS, END_HEADERS, 3, block, n);
    ask_h2(p, 5, "BREW", "/hello", false);
    ask_h2(p, 7, "GET", "/%zz", false);
    n = put_request(block, "GET", "/hello");
    for (int i = 0; i <= HTTP_FIELDS_MAX; i++)
        n += put_field(block + n, "a", "");
    put_frame(p, F_HEADERS, END_HEADERS | END_STREAM, 9, block, n);
    ask_h2(p, 11, "POST", "/hold", true); /* no length announced: it runs over */
    await(p, 9); /* and with it their settings: the window is 1 MiB from here on */
    for (int i = 0; i < 7; i++)
        put_frame(p, F_DATA, 0, 11, text, 6000), put_frame(p, F_DATA, 0, 11, block, 10000);
    ask_h2(p, 13, "CONNECT", "/hello", false);
    static const struct {
        uint32_t id;
        int status;
    } want[] = { { 1, 431 }, { 3, 413 }, { 5, 501 }, { 7, 400 }, { 9, 431 }, { 11, 413 } };
    for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        await(p, want[i].id);
        CHECK(p->stream[want[i].id].status == want[i].status, "stream %u: %d, want %d", want[i].id, p->stream[want[i].id].status, want[i].status);
    }
    ask_h2(p, 15, "GET", "/hello", false);
    await(p, 15);
    CHECK(p->stream[15].status == 200, "the connection did not survive: %d", p->goaway);
    part(p);
    app_stop(app);
}

TEST(a_response_before_the_end_of_the_body_is_heard_and_the_rest_goes_nowhere)
{
    struct app *app = app_start(&quick);
    struct peer *p = greet(app, NULL, 0);
    static char piece[16384];
    ask_h2(p, 1, "POST", "/hello", true);
    await(p, 1);
    CHECK(p->stream[1].status == 200 && p->stream[1].is_ended && p->stream[1].reset < 0);
    wait_for(&app->n_closed[HTTP_CLOSE_DONE], 1);
    CHECK(app->n_closed[HTTP_CLOSE_DONE] == 1 && app->n_open == 0);
    put_frame(p, F_DATA, 0, 1, piece, sizeof(piece));
    while (p->stream[1].reset < 0 && listen_once(p, 60000)) /* after linger_ms */
        ;
    CHECK(p->stream[1].reset == NGHTTP2_NO_ERROR, "%d", p->stream[1].reset);
    part(p);
    app_stop(app);
}

TEST(slow_clients_are_told_or_cut_off)
{
    struct app *app = app_start(&quick);
    struct peer *a = greet(app, NULL, 0), *b = greet(app, NULL, 0), *c = greet(app, "\x00\x04\x00\x00\x00\x00", 6), *d = meet(app);
    uint8_t block[512];
    const size_t n = put_request(block, "GET", "/hello");
    say(d->fd, h2_magic, 10);                        /* half a preface */
    put_frame(a, F_HEADERS, END_STREAM, 1, block, n); /* a header that never ends */
    ask_h2(b, 1, "POST", "/hold", true);              /* a body that never comes */
    ask_h2(c, 1, "GET", "/big", false);               /* a window that never opens */
    await_close(a);
    await(b, 1);
    CHECK(b->stream[1].status == 408, "%d", b->stream[1].status);
    await(c, 1);
    CHECK(c->stream[1].reset >= 0 && c->stream[1].n_body == 0, "%d", c->stream[1].reset);
    CHECK(app->n_closed[HTTP_CLOSE_TIMEOUT] == 2, "%d", (int)app->n_closed[HTTP_CLOSE_TIMEOUT]);
    await_close(b); /* idle */
    CHECK(b->goaway == NGHTTP2_NO_ERROR, "%d", b->goaway);
    await_close(c);
    char reply[1000];
    hear_all(d->fd, reply, sizeof(reply));
    CHECK(strstr(reply, " 408 "), "%s", reply);
    part(a), part(b), part(c), part(d);
    app_stop(app);
}

TEST(hang_ups_and_resets_are_told_once)
{
    struct app *app = app_start(&patient);
    struct peer *p = greet(app, NULL, 0);
    ask_h2(p, 1, "GET", "/hold", false);
    wait_for(&app->n_requests, 1);
    put_u32(p, F_RST, 1, NGHTTP2_CANCEL);
    wait_for(&app->n_closed[HTTP_CLOSE_HANGUP], 1);
    CHECK(app->n_closed[HTTP_CLOSE_HANGUP] == 1);
    ask_h2(p, 3, "GET", "/cut", false);
    WAIT_UNTIL(app->held);
    net_wake_send(app->poke); /* resets it */
    await(p, 3);
    CHECK(p->stream[3].status == 200 && !p->stream[3].is_ended && p->stream[3].reset > 0, "%d", p->stream[3].reset);
    wait_for(&app->n_closed[HTTP_CLOSE_STOP], 1);
    CHECK(app->n_closed[HTTP_CLOSE_STOP] == 1);
    ask_h2(p, 5, "GET", "/hello", false);
    await(p, 5);
    CHECK(p->stream[5].status == 200);
    ask_h2(p, 7, "GET", "/hold", false);
    wait_for(&app->n_requests, 4);
    part(p);
    wait_for(&app->n_closed[HTTP_CLOSE_HANGUP], 2);
    CHECK(app->n_closed[HTTP_CLOSE_HANGUP] == 2 && app->n_open == 0);
    app_stop(app);
}

TEST(draining_finishes_what_runs_and_says_goodbye)
{
    struct app *app = app_start(&patient);
    struct peer *p = greet(app, NULL, 0), *idle = greet(app, NULL, 0);
    ask_h2(idle, 1, "GET", "/hello", false);
    await(idle, 1);
    ask_h2(p, 1, "POST", "/echo", true);
    wait_for(&app->n_requests, 2);
    app->drain = true;
    net_wake_send(app->stop);
    await_close(idle);
    CHECK(idle->goaway == NGHTTP2_NO_ERROR, "%d", idle->goaway);
    while (p->goaway < 0 && listen_once(p, 60000))
        ;
    CHECK(p->goaway == NGHTTP2_NO_ERROR && !p->is_closed, "%d", p->goaway);
    put_frame(p, F_DATA, END_STREAM, 1, "done", 4);
    await_close(p);
    CHECK(p->stream[1].is_ended && strcmp(p->stream[1].body, "done") == 0, "%s", p->stream[1].body);
    part(p), part(idle);
    app->drain = false;
    app_stop(app);
}

/* ---- hostile ---- */

enum { RAPID_RESET, CONTINUATIONS, PINGS, SETTINGS, EMPTY_DATA, BAD_SETTINGS, WINDOW_ZERO, WINDOW_OVER, DATA_ON_0, EVEN_STREAM, OLD_STREAM,
       LONG_FRAME, TORN_PREFACE, PUSH, HPACK_JUNK, UPPER_CASE, NO_PATH, HOPS, LYING_LENGTH, TOO_MANY, NOISE, N_WAYS };

static bool attack(struct peer *p, int way)
{
    uint8_t block[2048], junk[4096];
    const uint8_t ping[8] = { 0 };
    size_t n = put_request(block, "GET", "/hold");
    switch (way) {
    case RAPID_RESET:
        for (uint32_t i = 0; i < 20000; i++)
            if (!put_frame(p, F_HEADERS, END_HEADERS | END_STREAM, 2 * i + 1, block, n) || !put_u32(p, F_RST, 2 * i + 1, NGHTTP2_CANCEL))
                return true;
        return true;
    case CONTINUATIONS:
        put_frame(p, F_HEADERS, END_STREAM, 1, block, n);
        for (int i = 0; i < 20000; i++)
            if (!put_frame(p, F_CONTINUATION, 0, 1, block, put_field(block, "x", "y")))
                return true;
        return true;
    case PINGS:
        for (int i = 0; i < 200000; i++)
            if (!put_frame(p, F_PING, 0, 0, ping, 8))
                break;
        return false; /* answered, as far as it reads */
    case SETTINGS:
        for (int i = 0; i < 100000; i++)
            if (!put_frame(p, F_SETTINGS, 0, 0, "\x00\x04\x00\x00\x00\x01", 6))
                break;
        return false;
    case EMPTY_DATA:
        put_frame(p, F_HEADERS, END_HEADERS, 1, block, n);
        for (int i = 0; i < 100000; i++)
            if (!put_frame(p, F_DATA, 0, 1, NULL, 0))
                break;
        return false;
    case BAD_SETTINGS: return put_frame(p, F_SETTINGS, 0, 0, "\x00\x05\x00\x00\x00\x01", 6); /* MAX_FRAME_SIZE 1 */
    case WINDOW_ZERO: return put_u32(p, F_WINDOW, 0, 0);
    case WINDOW_OVER: return put_u32(p, F_WINDOW, 0, 0x7fffffff);
    case DATA_ON_0: return put_frame(p, F_DATA, 0, 0, "x", 1);
    case EVEN_STREAM: return ask_h2(p, 2, "GET", "/hold", false);
    case OLD_STREAM:
        ask_h2(p, 5, "GET", "/hold", false);
        ask_h2(p, 3, "GET", "/hold", false);
        return false;
    case LONG_FRAME: return say(p->fd, "\x00\xff\xff\x00\x00\x00\x00\x00\x01", 9);
    case TORN_PREFACE: return true; /* in the caller */
    case PUSH: return put_frame(p, F_PUSH, END_HEADERS, 1, "\x00\x00\x00\x02", 4);
    case HPACK_JUNK:
        memset(junk, 0xff, sizeof(junk));
        return put_frame(p, F_HEADERS, END_HEADERS, 1, junk, sizeof(junk));
    case UPPER_CASE:
        n += put_field(block + n, "X-Upper", "y");
        put_frame(p, F_HEADERS, END_HEADERS, 1, block, n);
        return false;
    case NO_PATH:
        put_frame(p, F_HEADERS, END_HEADERS, 1, block, put_field(block, ":method", "GET"));
        return false;
    case HOPS:
        n += put_field(block + n, "connection", "close");
        put_frame(p, F_HEADERS, END_HEADERS, 1, block, n);
        return false;
    case LYING_LENGTH:
        n = put_request(block, "POST", "/hold");
        n += put_field(block + n, "content-length", "3");
        put_frame(p, F_HEADERS, END_HEADERS, 1, block, n);
        put_frame(p, F_DATA, END_STREAM, 1, "four", 4);
        return false;
    case TOO_MANY:
        for (uint32_t i = 0; i < 290; i++)
            put_frame(p, F_HEADERS, END_HEADERS, 2 * i + 1, block, n);
        return false;
    default:
        for (int i = 0; i < 200; i++) {
            const size_t len = test_rand_u64() % 200;
            for (size_t k = 0; k < len; k++)
                junk[k] = (uint8_t)test_rand_u64();
            if (!put_frame(p, (int)(test_rand_u64() % 11), (int)(test_rand_u64() & 0x2d), (uint32_t)(test_rand_u64() % 8), junk, len))
                break;
        }
        return false;
    }
}

TEST(whoever_breaks_the_protocol_or_floods_is_cut_off_and_nobody_else_notices)
{
    struct app *app = app_start(&patient);
    struct peer *good = greet(app, NULL, 0);
    for (int way = 0; way < N_WAYS; way++) {
        struct peer *p = way == TORN_PREFACE ? meet(app) : greet(app, NULL, 0);
        if (way == TORN_PREFACE)
            say(p->fd, "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", 24);
        const bool must_end = attack(p, way);
        if (must_end)
            await_close(p);
        CHECK(!must_end || p->is_closed, "way %d", way);
        const uint32_t id = 2u * (uint32_t)way + 1;
        ask_h2(good, id, "GET", "/hello", false);
        await(good, id);
        CHECK(good->stream[id].status == 200, "way %d hurt others", way);
        if (way == UPPER_CASE || way == NO_PATH || way == HOPS || way == LYING_LENGTH) {
            await(p, 1);
            CHECK(p->stream[1].reset == NGHTTP2_PROTOCOL_ERROR, "way %d: %d", way, p->stream[1].reset);
        }
        if (way == TOO_MANY) {
            await(p, 2 * 289 + 1);
            CHECK(p->stream[2 * 289 + 1].reset == NGHTTP2_REFUSED_STREAM && app->n_open == 256, "%d, %d open", p->stream[2 * 289 + 1].reset, (int)app->n_open);
        }
        part(p);
    }
    part(good);
    WAIT_UNTIL(app->n_open == 0);
    CHECK(app->n_open == 0, "%d", (int)app->n_open);
    app_stop(app);
}

TEST(all_connections_together_carry_no_more_than_the_limit)
{
    static const struct http_server_config few = { .max_all_streams = 3 };
    struct app *app = app_start(&few);
    struct peer *a = greet(app, NULL, 0), *b = greet(app, NULL, 0);
    for (uint32_t id = 1; id <= 5; id += 2)
        ask_h2(a, id, "GET", "/hold", false);
    wait_for(&app->n_requests, 3);
    ask_h2(b, 1, "GET", "/hello", false);
    await(b, 1);
    CHECK(b->stream[1].reset == NGHTTP2_REFUSED_STREAM, "%d", b->stream[1].reset);
    put_u32(a, F_RST, 1, NGHTTP2_CANCEL);
    wait_for(&app->n_closed[HTTP_CLOSE_HANGUP], 1);
    ask_h2(b, 3, "GET", "/hello", false);
    await(b, 3);
    CHECK(b->stream[3].status == 200);
    part(a), part(b);
    app_stop(app);
}

TEST(a_server_that_is_freed_closes_every_stream)
{
    struct app *app = app_start(&patient);
    struct peer *p = greet(app, NULL, 0);
    for (uint32_t id = 1; id < 20; id += 2)
        ask_h2(p, id, "GET", id % 4 == 1 ? "/hold" : "/big", false);
    wait_for(&app->n_requests, 10);
    app_stop(app); /* checks that none is left */
    part(p);
}
