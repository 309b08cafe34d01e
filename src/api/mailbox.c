/* api/mailbox.c - see mailbox.h; start reading at mail_post().
 *
 * A record in the buffer: struct record, its tokens, their tops, the vector, all texts, then what mail_media.c writes.
 * Pointers are offsets from the record's begin until it is delivered, for the buffer moves while it grows.
 */
#include "api/mailbox.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/mail_media_internal.h"
#include "base/clock.h"

enum { BOX_MAX_BYTES = 256 << 20, BOX_KEEP_BYTES = 64 << 10 };

struct mailbox {
    pthread_mutex_t lock;
    struct mail_box *first, **last; /* boxes with news */
    struct net_wake *wake;
};

struct record {
    size_t n_bytes; /* of all of it, a multiple of 8 */
    uint64_t ns;
    struct expert_event ev;
    struct expert_usage usage;
};

static void on_wake(void *ctx) { mailbox_drain(ctx); }

struct mailbox *mailbox_new(struct net_loop *l, struct err *err)
{
    struct mailbox *m = calloc(1, sizeof(*m));
    if (!m)
        return err_null(err, ERR_NOMEM, "mailbox: out of memory");
    m->wake = net_wake_new(l, on_wake, m, err);
    if (!m->wake) {
        free(m);
        return NULL;
    }
    m->last = &m->first;
    pthread_mutex_init(&m->lock, NULL);
    return m;
}

void mailbox_free(struct mailbox *m)
{
    if (!m)
        return;
    net_wake_free(m->wake);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

void mail_box_init(struct mail_box *b, struct mailbox *m, mail_fn *fn, void *ctx)
{
    *b = (struct mail_box){ .mailbox = m, .fn = fn, .ctx = ctx };
    buf_init(&b->in, BOX_MAX_BYTES);
    buf_init(&b->out, BOX_MAX_BYTES);
}

void mail_box_fini(struct mail_box *b)
{
    buf_fini(&b->in);
    buf_fini(&b->out);
}

/* ---- writing a record ---- */

static const void *as_offset(size_t n) { return (const void *)(uintptr_t)n; }

static size_t token_bytes(const struct expert_token *t) { return t->n_text > 0 ? (size_t)t->n_text : 0; }

static void write_text_record(struct buf *b, const struct expert_event *ev, uint64_t ns)
{
    struct record r = { .ns = ns, .ev = *ev };
    size_t n_tops = 0, n_texts = ev->n_text + 1;
    for (int i = 0; i < ev->n_tokens; i++) {
        n_tops += (size_t)ev->tokens[i].n_top;
        n_texts += token_bytes(&ev->tokens[i]);
        for (int k = 0; k < ev->tokens[i].n_top; k++)
            n_texts += token_bytes(&ev->tokens[i].top[k]);
    }
    const size_t tokens_at = sizeof(r), tops_at = tokens_at + (size_t)ev->n_tokens * sizeof(*ev->tokens);
    const size_t vector_at = tops_at + n_tops * sizeof(*ev->tokens);
    const size_t text_at = vector_at + (size_t)ev->n_vector * sizeof(float);
    r.n_bytes = (text_at + n_texts + 7) / 8 * 8;
    r.ev.tokens = as_offset(tokens_at);
    r.ev.vector = as_offset(vector_at);
    r.ev.text = as_offset(text_at);
    r.ev.stop = NULL;
    r.ev.err = NULL;
    if (ev->usage)
        r.usage = *ev->usage;
    const size_t begin = b->len;
    buf_append(b, &r, sizeof(r));
    size_t top = tops_at, text = text_at + ev->n_text + 1;
    for (int i = 0; i < ev->n_tokens; i++) {
        struct expert_token t = ev->tokens[i];
        t.top = as_offset(top);
        top += (size_t)t.n_top * sizeof(t);
        t.text = as_offset(text);
        text += token_bytes(&t);
        buf_append(b, &t, sizeof(t));
        for (int k = 0; k < t.n_top; k++) /* their texts follow this token's */
            text += token_bytes(&ev->tokens[i].top[k]);
    }
    text = text_at + ev->n_text + 1;
    for (int i = 0; i < ev->n_tokens; i++) {
        text += token_bytes(&ev->tokens[i]);
        for (int k = 0; k < ev->tokens[i].n_top; k++) {
            struct expert_token t = ev->tokens[i].top[k];
            t.top = NULL;
            t.n_top = 0;
            t.text = as_offset(text);
            text += token_bytes(&t);
            buf_append(b, &t, sizeof(t));
        }
    }
    if (ev->n_vector > 0)
        buf_append(b, ev->vector, (size_t)ev->n_vector * sizeof(float));
    buf_append(b, ev->n_text > 0 ? ev->text : "", ev->n_text);
    buf_putc(b, '\0');
    for (int i = 0; i < ev->n_tokens; i++) {
        buf_append(b, ev->tokens[i].text, token_bytes(&ev->tokens[i]));
        for (int k = 0; k < ev->tokens[i].n_top; k++)
            buf_append(b, ev->tokens[i].top[k].text, token_bytes(&ev->tokens[i].top[k]));
    }
    while (!b->failed && (b->len - begin) % 8 != 0)
        buf_putc(b, '\0');
}

static void write_record(struct buf *b, const struct expert_event *ev, uint64_t ns)
{
    const size_t begin = b->len;
    write_text_record(b, ev, ns);
    if (mail_media_is(ev)) {
        mail_media_write(b, begin, offsetof(struct record, ev), ev);
        while (!b->failed && (b->len - begin) % 8 != 0)
            buf_putc(b, '\0');
        const size_t n_bytes = b->len - begin;
        if (!b->failed)
            memcpy(b->data + begin + offsetof(struct record, n_bytes), &n_bytes, sizeof(n_bytes));
    }
    if (b->failed) { /* the half of it must not be read */
        b->len = begin;
        b->failed = false;
    }
}

/* Offsets become pointers. */
static void read_record(char *at)
{
    struct record *r = (struct record *)(void *)at;
    struct expert_event *ev = &r->ev;
    struct expert_token *tokens = (struct expert_token *)(void *)(at + (uintptr_t)ev->tokens);
    for (int i = 0; i < ev->n_tokens; i++) {
        struct expert_token *top = (struct expert_token *)(void *)(at + (uintptr_t)tokens[i].top);
        for (int k = 0; k < tokens[i].n_top; k++)
            top[k].text = at + (uintptr_t)top[k].text;
        tokens[i].top = top;
        tokens[i].text = at + (uintptr_t)tokens[i].text;
    }
    ev->tokens = tokens;
    ev->vector = (const float *)(const void *)(at + (uintptr_t)ev->vector);
    ev->text = at + (uintptr_t)ev->text;
    if (ev->usage)
        ev->usage = &r->usage;
    if (mail_media_is(ev))
        mail_media_read(at, ev);
}

/* ---- across ---- */

static void keep_route(struct mail_box *b, const struct expert_route *r)
{
    const char *const from[] = { r->expert, r->node, r->why, r->intent, r->ladder };
    b->route = *r;
    for (size_t i = 0; i < sizeof(from) / sizeof(from[0]); i++)
        snprintf(b->route_texts[i], sizeof(b->route_texts[i]), "%s", from[i] ? from[i] : "");
    b->route.expert = b->route_texts[0];
    b->route.node = b->route_texts[1];
    b->route.why = b->route_texts[2];
    b->route.intent = b->route_texts[3];
    b->route.ladder = b->route_texts[4];
    b->final.route = &b->route;
}

void mail_post(void *box, const struct expert_event *ev)
{
    struct mail_box *b = box;
    struct mailbox *m = b->mailbox;
    const uint64_t ns = clock_ns();
    pthread_mutex_lock(&m->lock);
    if (ev->kind == EXPERT_DONE || ev->kind == EXPERT_ERROR) {
        b->final = *ev;
        if (ev->usage)
            b->usage = *ev->usage;
        if (ev->err)
            b->err = *ev->err;
        if (ev->route)
            keep_route(b, ev->route);
        b->final.usage = &b->usage;
        b->final.err = ev->err ? &b->err : NULL;
        b->final_ns = ns;
        b->has_final = true;
    } else {
        const size_t before = b->in.len;
        write_record(&b->in, ev, ns);
        b->has_failed = b->has_failed || b->in.len == before;
    }
    const bool wakes = m->first == NULL;
    if (!b->is_listed) {
        b->is_listed = true;
        b->next = NULL;
        *m->last = b;
        m->last = &b->next;
    }
    if (wakes)
        net_wake_send(m->wake); /* under the lock: the box, and with its last event the mailbox, may go right after */
    pthread_mutex_unlock(&m->lock);
}

static void deliver(struct mail_box *b, bool has_final)
{
    for (size_t at = 0; at < b->out.len;) {
        struct record *r = (struct record *)(void *)(b->out.data + at);
        read_record(b->out.data + at);
        at += r->n_bytes;
        b->fn(b->ctx, &r->ev, r->ns);
    }
    if (b->out.cap > BOX_KEEP_BYTES) {
        buf_fini(&b->out);
        buf_init(&b->out, BOX_MAX_BYTES);
    } else {
        buf_clear(&b->out);
    }
    if (!has_final)
        return;
    if (b->has_failed) {
        err_set(&b->err, ERR_NOMEM, "out of memory while the answer was on its way");
        b->final.kind = EXPERT_ERROR;
        b->final.err = &b->err;
    }
    b->fn(b->ctx, &b->final, b->final_ns); /* b may be gone now */
}

void mailbox_drain(struct mailbox *m)
{
    for (;;) {
        pthread_mutex_lock(&m->lock);
        struct mail_box *b = m->first;
        bool has_final = false;
        if (b) {
            m->first = b->next;
            if (!m->first)
                m->last = &m->first;
            b->is_listed = false;
            const struct buf swap = b->out; /* empty */
            b->out = b->in;
            b->in = swap;
            has_final = b->has_final;
        }
        pthread_mutex_unlock(&m->lock);
        if (!b)
            return;
        deliver(b, has_final);
    }
}
