/* net/send.h - bytes that leave by a socket: sealed where there is TLS, at once as far as the socket takes them, the rest by libuv.
 *
 * For:     conn.c, client_conn.c, h2_client.c.
 * Callers: net/.
 * Touches: a socket.  Thread: the loop's.
 */
#ifndef TUTTI_NET_SEND_H
#define TUTTI_NET_SEND_H
#include <stdbool.h>
#include <sys/types.h>
#include <uv.h>

#include "base/buf.h"
#include "net/tls.h"

/* What is in out (once the handshake is over) and what TLS itself has to say goes to sealed, as records.  false: TLS has failed, or memory. */
bool net_seal(struct tls *t, struct buf *out, struct buf *sealed);

/* from is empty afterwards.  Returns what is still to be written: 0: nothing; more: that many bytes, in flying, which was empty and is libuv's
 * until on_written; below 0: libuv's error, nothing was begun. */
ssize_t net_send(uv_stream_t *s, struct buf *from, struct buf *flying, uv_write_t *w, uv_write_cb on_written);
#endif
