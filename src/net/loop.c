/* net/loop.c - see loop.h; every handle is one malloc that its close callback frees. */
#include "net/loop.h"

#include <stdlib.h>
#include <uv.h>

#include "net/net_internal.h"

struct net_timer {
    uv_timer_t uv; /* first: the close callback frees the handle's address */
    net_fn *fn;
    void *ctx;
};

struct net_wake {
    uv_async_t uv; /* first */
    net_fn *fn;
    void *ctx;
};

struct net_watch {
    uv_poll_t uv; /* first */
    net_fn *fn;
    void *ctx;
};

struct net_work {
    uv_work_t uv; /* first */
    net_fn *work, *done;
    void *ctx;
};

struct net_sig {
    uv_signal_t uv; /* first */
    net_fn *fn;
    void *ctx;
};

static void free_handle(uv_handle_t *h) { free(h); }

struct net_loop *net_loop_new(struct err *err)
{
    struct net_loop *l = calloc(1, sizeof(*l));
    if (!l)
        return err_null(err, ERR_NOMEM, "event loop: out of memory");
    const int rc = uv_loop_init(&l->uv);
    if (rc == 0)
        return l;
    free(l);
    return err_null(err, ERR_IO, "event loop: %s", uv_strerror(rc));
}

static void close_timer_wake_signal(uv_handle_t *h, void *unused)
{
    (void)unused;
    if (!uv_is_closing(h))
        uv_close(h, free_handle);
}

void net_loop_free(struct net_loop *l)
{
    if (!l)
        return;
    /* Servers are closed by now (http_server_free); what is left was made in this file. */
    uv_run(&l->uv, UV_RUN_NOWAIT);
    uv_walk(&l->uv, close_timer_wake_signal, NULL);
    uv_run(&l->uv, UV_RUN_DEFAULT);
    uv_loop_close(&l->uv);
    free(l);
}

void net_loop_run(struct net_loop *l)
{
    l->is_stopped = false;
    while (!l->is_stopped && uv_run(&l->uv, UV_RUN_DEFAULT) != 0)
        ;
}

void net_loop_stop(struct net_loop *l)
{
    l->is_stopped = true;
    uv_stop(&l->uv);
}

void net_loop_step(struct net_loop *l) { uv_run(&l->uv, UV_RUN_ONCE); }
void net_loop_poll(struct net_loop *l) { uv_run(&l->uv, UV_RUN_NOWAIT); }

uint64_t net_loop_now_ms(const struct net_loop *l) { return uv_now(&l->uv); }

static void on_timer(uv_timer_t *h)
{
    struct net_timer *t = (struct net_timer *)h;
    t->fn(t->ctx);
}

struct net_timer *net_timer_new(struct net_loop *l, net_fn *fn, void *ctx, struct err *err)
{
    struct net_timer *t = calloc(1, sizeof(*t));
    if (!t)
        return err_null(err, ERR_NOMEM, "timer: out of memory");
    uv_timer_init(&l->uv, &t->uv);
    t->fn = fn, t->ctx = ctx;
    return t;
}

void net_timer_free(struct net_timer *t)
{
    if (t)
        uv_close((uv_handle_t *)&t->uv, free_handle);
}

void net_timer_start(struct net_timer *t, uint64_t after_ms, uint64_t repeat_ms)
{
    uv_timer_start(&t->uv, on_timer, after_ms, repeat_ms);
}

void net_timer_stop(struct net_timer *t) { uv_timer_stop(&t->uv); }

static void on_wake(uv_async_t *h)
{
    struct net_wake *w = (struct net_wake *)h;
    if (!uv_is_closing((uv_handle_t *)h))
        w->fn(w->ctx);
}

struct net_wake *net_wake_new(struct net_loop *l, net_fn *fn, void *ctx, struct err *err)
{
    struct net_wake *w = calloc(1, sizeof(*w));
    if (!w)
        return err_null(err, ERR_NOMEM, "wake: out of memory");
    w->fn = fn, w->ctx = ctx;
    const int rc = uv_async_init(&l->uv, &w->uv, on_wake);
    if (rc == 0)
        return w;
    free(w);
    return err_null(err, ERR_IO, "wake: %s", uv_strerror(rc));
}

void net_wake_free(struct net_wake *w)
{
    if (w)
        uv_close((uv_handle_t *)&w->uv, free_handle);
}

void net_wake_send(struct net_wake *w) { uv_async_send(&w->uv); }

static void on_readable(uv_poll_t *h, int status, int events)
{
    struct net_watch *w = (struct net_watch *)h;
    (void)status, (void)events; /* whoever reads the fd sees what is wrong with it */
    if (!uv_is_closing((uv_handle_t *)h))
        w->fn(w->ctx);
}

struct net_watch *net_watch_new(struct net_loop *l, int fd, net_fn *fn, void *ctx, struct err *err)
{
    struct net_watch *w = calloc(1, sizeof(*w));
    if (!w)
        return err_null(err, ERR_NOMEM, "watch: out of memory");
    w->fn = fn, w->ctx = ctx;
    int rc = uv_poll_init(&l->uv, &w->uv, fd);
    if (rc == 0) {
        rc = uv_poll_start(&w->uv, UV_READABLE, on_readable);
        if (rc != 0)
            uv_close((uv_handle_t *)&w->uv, free_handle);
    } else {
        free(w);
    }
    return rc == 0 ? w : err_null(err, ERR_IO, "watch: %s", uv_strerror(rc));
}

void net_watch_free(struct net_watch *w)
{
    if (!w)
        return;
    uv_poll_stop(&w->uv);
    uv_close((uv_handle_t *)&w->uv, free_handle);
}

static void on_work(uv_work_t *r)
{
    struct net_work *w = (struct net_work *)r;
    w->work(w->ctx);
}

static void on_work_done(uv_work_t *r, int status)
{
    struct net_work *w = (struct net_work *)r;
    (void)status; /* only uv_cancel() could have changed it */
    w->done(w->ctx);
    free(w);
}

bool net_loop_work(struct net_loop *l, net_fn *work, net_fn *done, void *ctx, struct err *err)
{
    struct net_work *w = calloc(1, sizeof(*w));
    if (!w)
        return err_set(err, ERR_NOMEM, "work: out of memory");
    w->work = work, w->done = done, w->ctx = ctx;
    const int rc = uv_queue_work(&l->uv, &w->uv, on_work, on_work_done);
    if (rc == 0)
        return true;
    free(w);
    return err_set(err, ERR_IO, "work: %s", uv_strerror(rc));
}

static void on_signal(uv_signal_t *h, int signum)
{
    struct net_sig *s = (struct net_sig *)h;
    (void)signum;
    s->fn(s->ctx);
}

static void close_signal(uv_handle_t *h, void *unused)
{
    (void)unused;
    if (h->type == UV_SIGNAL && !uv_is_closing(h))
        uv_close(h, free_handle);
}

void net_loop_forget_signals(struct net_loop *l) { uv_walk(&l->uv, close_signal, NULL); }

bool net_loop_on_signal(struct net_loop *l, int signum, net_fn *fn, void *ctx, struct err *err)
{
    struct net_sig *s = calloc(1, sizeof(*s));
    if (!s)
        return err_set(err, ERR_NOMEM, "signal: out of memory");
    s->fn = fn, s->ctx = ctx;
    uv_signal_init(&l->uv, &s->uv);
    const int rc = uv_signal_start(&s->uv, on_signal, signum);
    if (rc != 0) {
        uv_close((uv_handle_t *)&s->uv, free_handle);
        return err_set(err, ERR_IO, "signal %d: %s", signum, uv_strerror(rc));
    }
    uv_unref((uv_handle_t *)&s->uv);
    return true;
}
