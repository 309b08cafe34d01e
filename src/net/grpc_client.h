/* net/grpc_client.h - calling gRPC methods: unary, streams either way, deadlines.
 *
 * For:     experts elsewhere, other nodes; tests of our own server.
 * Callers: rooms above.
 * Touches: an HTTP/2 client's connection.  Thread: the loop's.
 * Rule:    a call ends once with a status, the server's or ours: 14 (no connection, lost), 4 (the deadline passed; the server
 *          is told too), 8 or 13 (a message that is too large or compressed); or by grpc_client_cancel(), after which
 *          nothing is called.  Never from inside a call of this header.  Calls are over before their client is freed.
 */
#ifndef TUTTI_NET_GRPC_CLIENT_H
#define TUTTI_NET_GRPC_CLIENT_H
#include "net/grpc.h"
#include "net/h2_client.h"

struct grpc_client_fns { /* each may be NULL, except on_end */
    void (*on_message)(void *ctx, const void *message, size_t n); /* borrowed for the call */
    void (*on_drain)(void *ctx);
    void (*on_end)(void *ctx, enum grpc_status status, const char *text /* "" when there is none */);
};

struct grpc_client_call;
/* path: "/package.Service/Method".  metadata: names in lower case; copied.  timeout_ns 0: none.  NULL with err. */
struct grpc_client_call *grpc_client_call(struct net_loop *l, struct h2_client *c, const char *path, const struct http_field *metadata,
                                          int n_metadata, uint64_t timeout_ns, size_t max_message_bytes,
                                          const struct grpc_client_fns *fns, void *ctx, struct err *err);
void grpc_client_send(struct grpc_client_call *call, const void *message, size_t n);
bool grpc_client_is_full(const struct grpc_client_call *call); /* wait for on_drain */
void grpc_client_half_close(struct grpc_client_call *call);    /* no more messages of ours */
void grpc_client_hold(struct grpc_client_call *call, bool hold); /* as h2_call_hold() */
void grpc_client_cancel(struct grpc_client_call *call);        /* NULL is fine */
#endif
