/* net/dial.h - from a target to a connected socket: its name is looked up, each of its addresses is tried in turn; or a Unix socket.
 *
 * For:     client_conn.c, h2_client.c, in whose connections it lies.  TLS and clocks are theirs.
 * Callers: net/.
 * Touches: sockets and name look-ups through libuv.  Thread: the loop's.
 * Rule:    on_done once, from the loop, never from inside dial_begin(); after dial_close() not at all.  The memory may go when
 *          dial_is_open() says no; on_over says when that became so.
 */
#ifndef TUTTI_NET_DIAL_H
#define TUTTI_NET_DIAL_H
#include <stdbool.h>
#include <uv.h>

#include "net/client.h"

struct dial { /* zeroed before dial_begin() */
    union { /* first.  Connected: the owner's to read and write; its data is the owner (ctx) */
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } sock;
    uv_connect_t connect;
    uv_getaddrinfo_t lookup;
    struct addrinfo *addrs, *addr; /* addrs: owned; addr: the one being tried, in addrs or &numeric */
    struct addrinfo numeric;
    struct sockaddr_storage sa;
    const struct http_target *target;
    uv_loop_t *loop;
    void (*on_done)(void *ctx, const char *why); /* why NULL: connected; else the reason, borrowed for the call */
    void (*on_over)(void *ctx);                  /* after dial_close(), when something was open: libuv is done with it */
    void *ctx;
    bool has_sock, is_looking_up, is_closed;
};

/* target is borrowed until it is closed.  0, or libuv's error: nothing was begun, and on_done does not come. */
int dial_begin(struct dial *d, struct net_loop *l, const struct http_target *target, void (*on_done)(void *ctx, const char *why),
               void (*on_over)(void *ctx), void *ctx);
void dial_close(struct dial *d); /* in any state, also the connection */
static inline bool dial_is_open(const struct dial *d) { return d->has_sock || d->is_looking_up; }
void dial_fini(struct dial *d);  /* not open any more */
#endif
