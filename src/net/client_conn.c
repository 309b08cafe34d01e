/* net/client_conn.c - the life of a connection to a server; start reading at conn_begin() and feed().
 *
 *   conn_begin --> CONNECT (dial.h, TLS) --> BUSY -----------------> IDLE --> BUSY ...
 *                                            (request, answer)       (waits for its next call)
 *   any --> CLOSED: conn_close(); libuv's handles follow in later rounds, then the memory
 *
 * A call's callbacks come from the loop only: what fails at once is told by the timer in the next round.
 */
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "net/client_internal.h"
#include "net/send.h"

enum conn_state { CONN_CONNECT, CONN_BUSY, CONN_IDLE, CONN_CLOSED };
enum { HELD_MAX_BYTES = READ_BYTES }; /* one read that came while its reader paused; then we stop reading */
enum { SEALED_MAX_BYTES = 1 << 30 }; /* as large as the request of ours that it seals */

struct client_conn {
    struct dial dial; /* and its socket */
    uv_timer_t timer;
    uv_write_t write;
    struct http_client *client;
    struct client_conn *prev, *next;
    enum conn_state state;
    struct http_call *call; /* all states but IDLE and CLOSED */
    bool is_reading, is_writing;
    bool is_reused;         /* the call at hand is not its first */
    bool has_answer;        /* a byte of the answer came */
    bool has_head;
    bool is_eof;            /* seen while held bytes wait for their reader */
    uint64_t by_ms;         /* what must happen next happens until then; 0: no bound */
    enum http_end fails_how; /* told by the timer; HTTP_END_DONE: nothing to tell */
    struct err fail;
    struct h1_parser parser;
    struct http_head head;
    struct buf held;
    size_t held_at;
    struct tls *tls;        /* NULL: clear text, or not connected yet */
    bool is_tls_over;       /* the server said goodbye: an end that was meant */
    struct buf sealed, flying; /* flying belongs to libuv while is_writing */
};

static uint64_t now_ms(const struct client_conn *c) { return net_loop_now_ms(c->client->loop); }

/* ---- closing ---- */

static void free_when_over(struct client_conn *c)
{
    if (c->state != CONN_CLOSED || dial_is_open(&c->dial) || c->timer.data)
        return;
    struct http_client *client = c->client;
    dial_fini(&c->dial);
    h1_fini(&c->parser);
    buf_fini(&c->held);
    buf_fini(&c->sealed);
    buf_fini(&c->flying);
    tls_free(c->tls);
    free(c);
    client_unref(client);
}

static void on_dial_over(void *ctx) { free_when_over(ctx); }

static void on_timer_closed(uv_handle_t *h)
{
    struct client_conn *c = h->data;
    h->data = NULL;
    free_when_over(c);
}

/* The call, if there is one, is the caller's to end. */
static void conn_close(struct client_conn *c)
{
    struct http_client *client = c->client;
    if (c->state == CONN_CLOSED)
        return;
    if (c->state == CONN_IDLE)
        client->stats.n_idle--;
    c->state = CONN_CLOSED;
    c->call = NULL;
    client->stats.n_connections--;
    LIST_UNLINK(client->conns, c);
    dial_close(&c->dial);
    uv_close((uv_handle_t *)&c->timer, on_timer_closed);
}

static void arm(struct client_conn *c, uint64_t by_ms);

static void end_call(struct client_conn *c, enum http_end how, const struct err *err)
{
    struct http_call *call = c->call;
    static const struct err none;
    conn_close(c);
    if (!call)
        return;
    call->conn = NULL;
    call->fns->on_end(call->ctx, how, err ? err : &none);
    call_release(call);
}

static void fail(struct client_conn *c, enum http_end how, enum err_code code, const char *why)
{
    struct err err = { 0 };
    err_set(&err, code, "%s: %s", c->client->target.authority, why);
    end_call(c, how, &err);
}

/* The connection is gone before the answer was whole. */
static void lose(struct client_conn *c, const char *why)
{
    struct http_call *call = c->call;
    if (call && c->is_reused && !c->has_answer && !call->was_resent) {
        struct err err = { 0 };
        conn_close(c);
        call->was_resent = true;
        call->client->stats.resent_total++;
        if (conn_begin(call, &err))
            return;
        call->fns->on_end(call->ctx, HTTP_END_CONNECT, &err);
        call_release(call);
        return;
    }
    fail(c, HTTP_END_LOST, ERR_IO, why);
}

/* ---- clocks ---- */

static void on_timer(uv_timer_t *t)
{
    struct client_conn *c = t->data;
    if (c->state == CONN_CLOSED)
        return;
    if (c->fails_how != HTTP_END_DONE) {
        if (c->fails_how == HTTP_END_LOST) {
            lose(c, c->fail.text);
            return;
        }
        const struct err err = c->fail;
        end_call(c, c->fails_how, &err);
        return;
    }
    if (c->by_ms == 0)
        return;
    if (now_ms(c) < c->by_ms) {
        uv_timer_start(t, on_timer, c->by_ms - now_ms(c), 0);
        return;
    }
    if (c->state == CONN_IDLE)
        conn_close(c);
    else if (c->state == CONN_BUSY)
        fail(c, HTTP_END_LATE, ERR_BUSY, c->has_head ? "fell silent in the middle of its answer" : "no answer in time");
    else
        fail(c, HTTP_END_CONNECT, ERR_BUSY, "no connection in time");
}

/* Lazily: a timer that is early looks again. */
static void arm(struct client_conn *c, uint64_t by_ms)
{
    const bool is_sooner = by_ms != 0 && (!uv_is_active((uv_handle_t *)&c->timer) || c->by_ms == 0 || by_ms < c->by_ms);
    c->by_ms = by_ms;
    if (is_sooner)
        uv_timer_start(&c->timer, on_timer, by_ms > now_ms(c) ? by_ms - now_ms(c) : 0, 0);
}

static void fail_later(struct client_conn *c, enum http_end how, const char *what, int rc)
{
    c->fails_how = how;
    if (how == HTTP_END_LOST)
        err_set(&c->fail, ERR_IO, "%s: %s", what, uv_strerror(rc));
    else
        err_set(&c->fail, ERR_IO, "%s: %s: %s", c->client->target.authority, what, uv_strerror(rc));
    uv_timer_start(&c->timer, on_timer, 0, 0);
}

static void arm_for_answer(struct client_conn *c)
{
    const struct http_call *call = c->call;
    if (call->is_paused)
        arm(c, 0);
    else if (c->has_head)
        arm(c, call->idle_ms ? now_ms(c) + call->idle_ms : 0);
    else
        arm(c, call->head_ms ? call->begun_ms + call->head_ms : 0);
}

/* ---- bytes in ---- */

static void set_reading(struct client_conn *c, bool reads);

/* The answer is whole: keeps the connection or not, then tells. */
static void complete(struct client_conn *c, bool is_clean)
{
    struct http_client *client = c->client;
    struct http_call *call = c->call;
    if (!is_clean || c->parser.wants_close || c->is_writing || client->stats.n_idle >= client->config.max_idle) {
        end_call(c, HTTP_END_DONE, NULL);
        return;
    }
    h1_reset(&c->parser);
    buf_clear(&c->held);
    c->held_at = 0;
    c->call = NULL;
    c->state = CONN_IDLE;
    client->stats.n_idle++;
    set_reading(c, true); /* off after a pause; on to see that its server closes it */
    arm(c, now_ms(c) + client->config.keep_ms);
    static const struct err none;
    call->conn = NULL;
    call->fns->on_end(call->ctx, HTTP_END_DONE, &none);
    call_release(call);
}

/* Works through the bytes until the reader pauses or the answer ends; returns how many it used. */
static size_t feed(struct client_conn *c, const char *at, size_t n)
{
    const size_t n_all = n;
    while (c->state == CONN_BUSY && !c->call->is_paused) {
        struct http_call *call = c->call;
        switch (h1_next(&c->parser, &c->head, &at, &n)) {
        case H1_MORE:
            arm_for_answer(c);
            return n_all - n;
        case H1_HEAD:
            c->has_head = true;
            arm_for_answer(c);
            if (call->fns->on_head)
                call->fns->on_head(call->ctx, &c->head);
            break;
        case H1_DATA:
            if (call->fns->on_data)
                call->fns->on_data(call->ctx, c->parser.data, c->parser.n_data);
            break;
        case H1_END: complete(c, n == 0 && !c->is_eof); return n_all;
        case H1_FAIL:
            fail(c, c->parser.status == 413 || c->parser.status == 414 || c->parser.status == 431 ? HTTP_END_TOO_LONG : HTTP_END_BROKEN,
                 c->parser.status == 503 ? ERR_NOMEM : ERR_IO, c->parser.why);
            return n_all;
        }
    }
    return n_all - n;
}

static void alloc_read(uv_handle_t *h, size_t want, uv_buf_t *b)
{
    struct client_conn *c = h->data;
    (void)want;
    *b = uv_buf_init(c->client->read_bytes, READ_BYTES);
}

static void on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *b);

static void set_reading(struct client_conn *c, bool reads)
{
    if (c->is_reading == reads || c->state == CONN_CLOSED)
        return;
    c->is_reading = reads;
    if (reads)
        uv_read_start(&c->dial.sock.stream, alloc_read, on_read);
    else
        uv_read_stop(&c->dial.sock.stream);
}

static void on_end_of_input(struct client_conn *c)
{
    c->is_eof = true;
    if (c->call->is_paused)
        return;
    switch (h1_finish(&c->parser)) {
    case H1_END:
        if (c->tls && !c->is_tls_over) /* the end of the connection ends the body: somebody in between may have cut it */
            lose(c, "cut the connection without the end that TLS has");
        else
            complete(c, false);
        break;
    case H1_MORE: lose(c, "closed the connection instead of answering"); break;
    default: lose(c, c->has_head ? "closed the connection in the middle of its answer" : "closed the connection instead of answering");
    }
}

/* Clear bytes of an answer. */
static void take(struct client_conn *c, const char *bytes, size_t n)
{
    c->has_answer = true;
    const size_t used = c->held.len > c->held_at ? 0 : feed(c, bytes, n);
    if (c->state != CONN_BUSY || used == n)
        return;
    buf_append(&c->held, bytes + used, n - used);
    if (c->held.failed)
        fail(c, HTTP_END_BROKEN, ERR_NOMEM, "out of memory");
    else
        set_reading(c, false); /* its reader paused */
}

static void push(struct client_conn *c);
static void send_request(struct client_conn *c);

/* Goes on with TLS as far as somebody wants what comes out of it. */
static void open_sealed(struct client_conn *c)
{
    while (c->state != CONN_CLOSED && !(c->state == CONN_BUSY && c->call->is_paused)) {
        size_t n;
        const enum tls_result r = tls_get(c->tls, c->client->clear_bytes, READ_BYTES, &n);
        if (r == TLS_FAIL) {
            char why[160];
            snprintf(why, sizeof(why), "TLS: %s", tls_why(c->tls));
            push(c); /* an alert, perhaps */
            if (c->state == CONN_CONNECT)
                fail(c, HTTP_END_CONNECT, ERR_IO, why);
            else if (c->state == CONN_BUSY)
                lose(c, why);
            else
                conn_close(c);
            return;
        }
        if (c->state == CONN_CONNECT && tls_is_ready(c->tls))
            send_request(c);
        if (r == TLS_BYTES && c->state == CONN_BUSY) {
            take(c, c->client->clear_bytes, n);
        } else if (r == TLS_BYTES || (r == TLS_END && c->state == CONN_IDLE)) { /* bytes that nobody asked for, or the end */
            conn_close(c);
            return;
        } else if (r == TLS_END) {
            c->is_tls_over = true;
            on_end_of_input(c);
            return;
        } else {
            break;
        }
    }
    if (c->state == CONN_CLOSED)
        return;
    if (c->state == CONN_BUSY && c->call->is_paused)
        set_reading(c, false);
    push(c);
}

static void on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *b)
{
    struct client_conn *c = s->data;
    if (n == 0 || c->state == CONN_CLOSED)
        return;
    if (c->state == CONN_IDLE && (!c->tls || n < 0)) { /* the end, or bytes that nobody asked for */
        conn_close(c);
        return;
    }
    if (n < 0 && c->state == CONN_CONNECT) {
        fail(c, HTTP_END_CONNECT, ERR_IO, "closed the connection in the middle of the TLS handshake");
    } else if (n < 0) {
        set_reading(c, false);
        if (n == UV_EOF)
            on_end_of_input(c);
        else
            lose(c, uv_strerror((int)n));
    } else if (!c->tls) {
        take(c, b->base, (size_t)n);
    } else if (tls_put(c->tls, b->base, (size_t)n)) {
        open_sealed(c);
    } else {
        fail(c, c->state == CONN_BUSY ? HTTP_END_BROKEN : HTTP_END_CONNECT, ERR_NOMEM, "out of memory");
    }
}

static void on_resume_turn(uv_timer_t *t)
{
    struct client_conn *c = t->data;
    if (c->state != CONN_BUSY || c->call->is_paused)
        return;
    c->held_at += feed(c, c->held.len ? c->held.data + c->held_at : "", c->held.len - c->held_at);
    if (c->state != CONN_BUSY || c->call->is_paused)
        return;
    c->held_at = 0;
    buf_clear(&c->held);
    if (c->tls) {
        open_sealed(c); /* what lies in there brings no event */
        if (c->state != CONN_BUSY || c->call->is_paused)
            return;
    }
    if (c->is_eof) {
        on_end_of_input(c);
        return;
    }
    set_reading(c, true);
    c->by_ms = 0; /* the timer was ours for this turn */
    arm_for_answer(c);
}

/* ---- bytes out ---- */

static void on_written(uv_write_t *w, int status)
{
    struct client_conn *c = w->data;
    c->is_writing = false;
    buf_clear(&c->flying);
    if (status == 0 && c->tls && c->state != CONN_CLOSED)
        push(c);
    /* otherwise the reading side tells: perhaps with an answer that explains it */
}

/* What TLS has to say. */
static void push(struct client_conn *c)
{
    if (!c->tls || c->is_writing || !c->dial.has_sock || uv_is_closing(&c->dial.sock.handle))
        return;
    if (!tls_take(c->tls, &c->sealed)) {
        fail_later(c, HTTP_END_LOST, "write", UV_ENOBUFS);
        return;
    }
    c->write.data = c;
    c->is_writing = net_send(&c->dial.sock.stream, &c->sealed, &c->flying, &c->write, on_written) > 0; /* an error: the reading side tells */
}

static void send_sealed(struct client_conn *c)
{
    const struct http_call *call = c->call;
    bool ok = tls_seal(c->tls, call->head.data, call->head.len);
    for (int i = 0; i < call->n_body && ok; i++)
        ok = tls_seal(c->tls, call->body[i].bytes, call->body[i].n);
    if (ok)
        push(c);
    else
        fail_later(c, HTTP_END_LOST, "TLS", UV_EIO);
}

static void send_request(struct client_conn *c)
{
    const struct http_call *call = c->call;
    uv_buf_t b[HTTP_PIECES_MAX + 1] = { uv_buf_init(call->head.data, (unsigned)call->head.len) };
    unsigned n_bufs = 1, from = 0;
    c->state = CONN_BUSY;
    c->has_answer = c->has_head = false;
    c->parser.limits.body_bytes = call->max_body_bytes;
    c->parser.is_to_head = call->is_to_head;
    for (int i = 0; i < call->n_body; i++) {
        b[n_bufs].base = (char *)(uintptr_t)call->body[i].bytes;
        b[n_bufs++].len = call->body[i].n;
    }
    set_reading(c, true);
    arm_for_answer(c);
    if (c->tls) {
        send_sealed(c);
        return;
    }
    int n = uv_try_write(&c->dial.sock.stream, b, n_bufs);
    if (n < 0 && n != UV_EAGAIN) {
        fail_later(c, HTTP_END_LOST, "write", n);
        return;
    }
    for (size_t left = n > 0 ? (size_t)n : 0; from < n_bufs; from++) {
        if (left < b[from].len) {
            b[from].base += left;
            b[from].len -= left;
            break;
        }
        left -= b[from].len;
    }
    if (from == n_bufs)
        return;
    c->write.data = c;
    const int rc = uv_write(&c->write, &c->dial.sock.stream, b + from, n_bufs - from, on_written);
    if (rc == 0)
        c->is_writing = true;
    else
        fail_later(c, HTTP_END_LOST, "write", rc);
}

/* ---- connecting ---- */

static void begin_tls(struct client_conn *c)
{
    c->tls = tls_new(c->client->tls, c->client->target.host, false);
    if (!c->tls) {
        fail(c, HTTP_END_CONNECT, ERR_NOMEM, "TLS: out of memory, or the host's name is none");
        return;
    }
    set_reading(c, true);
    open_sealed(c);
}

static void on_dialled(void *ctx, const char *why)
{
    struct client_conn *c = ctx;
    if (why) {
        fail(c, HTTP_END_CONNECT, ERR_IO, why);
        return;
    }
    c->client->stats.connected_total++;
    if (c->client->tls)
        begin_tls(c);
    else
        send_request(c);
}

static struct client_conn *find_idle(struct http_client *client)
{
    struct client_conn *c = client->conns;
    while (c && c->state != CONN_IDLE)
        c = c->next;
    return c;
}

bool conn_begin(struct http_call *call, struct err *err)
{
    struct http_client *client = call->client;
    struct client_conn *c = find_idle(client);
    if (c && call->may_repeat && !call->was_resent) {
        client->stats.n_idle--;
        client->stats.reused_total++;
        c->is_reused = true;
        c->call = call;
        call->conn = c;
        send_request(c);
        return true;
    }
    if (client->stats.n_connections >= client->config.max_connections) {
        if (!c)
            return err_set(err, ERR_BUSY, "%s: %d connections are open already", client->target.authority, client->stats.n_connections);
        conn_close(c);
    }
    c = calloc(1, sizeof(*c));
    if (!c)
        return err_set(err, ERR_NOMEM, "%s: out of memory", client->target.authority);
    const struct h1_limits limits = { client->config.max_head_bytes, call->max_body_bytes };
    c->client = client;
    c->call = call;
    call->conn = c;
    client->n_refs++;
    client->stats.n_connections++;
    LIST_LINK(client->conns, c);
    h1_init_reply(&c->parser, &limits);
    buf_init(&c->held, HELD_MAX_BYTES);
    buf_init(&c->sealed, SEALED_MAX_BYTES);
    buf_init(&c->flying, SEALED_MAX_BYTES);
    uv_timer_init(&client->loop->uv, &c->timer);
    c->timer.data = c;
    uint32_t ms = client->config.connect_ms;
    if (call->head_ms && call->head_ms < ms)
        ms = call->head_ms;
    arm(c, now_ms(c) + ms);
    const int rc = dial_begin(&c->dial, client->loop, &client->target, on_dialled, on_dial_over, c);
    if (rc != 0)
        fail_later(c, HTTP_END_CONNECT, "connect", rc);
    return true;
}

/* ---- what client.c asks for ---- */

void conn_cancel(struct client_conn *c)
{
    struct http_call *call = c->call;
    conn_close(c);
    call->conn = NULL;
    call_release(call);
}

void conn_pause(struct client_conn *c)
{
    if (c->state == CONN_BUSY)
        arm(c, 0);
}

void conn_resume(struct client_conn *c)
{
    if (c->state == CONN_BUSY && c->fails_how == HTTP_END_DONE)
        uv_timer_start(&c->timer, on_resume_turn, 0, 0);
}

void conn_close_all(struct http_client *client)
{
    while (client->conns) {
        struct http_call *call = client->conns->call;
        conn_close(client->conns);
        if (call)
            call_release(call);
    }
}
