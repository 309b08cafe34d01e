/* net/dial.c - see dial.h.
 *
 *   dial_begin() --> (name) on_looked_up() --> connect_to() --> on_connected() --> on_done
 *                                                   ^                |
 *                                                   +-- on_closed() <+ the next address
 */
#include "net/dial.h"

#include <stdio.h>
#include <string.h>

#include "net/net_internal.h"

static void on_connected(uv_connect_t *r, int status);

/* sa NULL: the Unix socket. */
static int connect_to(struct dial *d, const struct sockaddr *sa)
{
    int rc = sa ? uv_tcp_init(d->loop, &d->sock.tcp) : uv_pipe_init(d->loop, &d->sock.pipe, 0);
    d->has_sock = rc == 0;
    d->sock.handle.data = d->ctx;
    d->connect.data = d;
    if (rc == 0 && sa)
        rc = uv_tcp_connect(&d->connect, &d->sock.tcp, sa, on_connected);
    else if (rc == 0)
        uv_pipe_connect(&d->connect, &d->sock.pipe, d->target->host, on_connected);
    return rc;
}

static void try_in_loop(struct dial *d)
{
    const int rc = connect_to(d, d->addr->ai_addr);
    if (rc != 0)
        d->on_done(d->ctx, uv_strerror(rc));
}

static void on_closed(uv_handle_t *h)
{
    struct dial *d = (struct dial *)h;
    d->has_sock = false;
    if (d->is_closed)
        d->on_over(d->ctx);
    else
        try_in_loop(d);
}

static void on_connected(uv_connect_t *r, int status)
{
    struct dial *d = r->data;
    if (d->is_closed)
        return;
    if (status != 0 && d->addr && d->addr->ai_next) {
        d->addr = d->addr->ai_next;
        uv_close(&d->sock.handle, on_closed);
        return;
    }
    if (status == 0 && !d->target->is_unix) {
        uv_tcp_nodelay(&d->sock.tcp, 1); /* small frames meet delayed ACKs: 13 s instead of 0.3 for 200 messages each way */
        uv_tcp_keepalive(&d->sock.tcp, 1, 60);
    }
    d->on_done(d->ctx, status ? uv_strerror(status) : NULL);
}

static void on_looked_up(uv_getaddrinfo_t *r, int status, struct addrinfo *found)
{
    struct dial *d = r->data;
    d->is_looking_up = false;
    d->addrs = d->addr = found;
    if (d->is_closed)
        d->on_over(d->ctx);
    else if (status == 0 && found)
        try_in_loop(d);
    else
        d->on_done(d->ctx, status ? uv_strerror(status) : "has no address");
}

/* Is the host an address? */
static bool read_numeric(struct dial *d)
{
    const struct http_target *t = d->target;
    const bool is_v6 = strchr(t->host, ':') != NULL;
    if ((is_v6 ? uv_ip6_addr(t->host, t->port, (struct sockaddr_in6 *)&d->sa) : uv_ip4_addr(t->host, t->port, (struct sockaddr_in *)&d->sa)) != 0)
        return false;
    d->numeric.ai_addr = (struct sockaddr *)&d->sa;
    d->addr = &d->numeric;
    return true;
}

int dial_begin(struct dial *d, struct net_loop *l, const struct http_target *target, void (*on_done)(void *ctx, const char *why),
               void (*on_over)(void *ctx), void *ctx)
{
    const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
    char port[8];
    d->loop = &l->uv;
    d->target = target;
    d->on_done = on_done;
    d->on_over = on_over;
    d->ctx = ctx;
    if (target->is_unix)
        return connect_to(d, NULL);
    if (read_numeric(d))
        return connect_to(d, d->addr->ai_addr);
    snprintf(port, sizeof(port), "%d", target->port);
    d->lookup.data = d;
    const int rc = uv_getaddrinfo(d->loop, &d->lookup, on_looked_up, target->host, port, &hints);
    d->is_looking_up = rc == 0;
    return rc;
}

void dial_close(struct dial *d)
{
    d->is_closed = true;
    if (d->has_sock && !uv_is_closing(&d->sock.handle))
        uv_close(&d->sock.handle, on_closed);
    if (d->is_looking_up)
        uv_cancel((uv_req_t *)&d->lookup);
}

void dial_fini(struct dial *d)
{
    uv_freeaddrinfo(d->addrs);
    d->addrs = d->addr = NULL;
}
