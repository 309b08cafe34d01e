/* wire/join_pb.h - the messages of tutti.v1.Join (proto/join.proto), in and out.
 *
 * For:     cluster/join*.c.
 * Callers: cluster/.
 * Touches: an arena.  Thread: any; nothing is kept.
 * Rule:    a text that is read has no '\0' inside and one behind it, and is no longer than JOIN_PEM_MAX_BYTES (lists: JOIN_LIST_MAX_BYTES).
 */
#ifndef TUTTI_WIRE_JOIN_PB_H
#define TUTTI_WIRE_JOIN_PB_H
#include "base/arena.h"
#include "base/buf.h"

enum { JOIN_TOKEN_MAX = 160, JOIN_PEM_MAX_BYTES = 8 << 10, JOIN_LIST_MAX_BYTES = 2 << 20, JOIN_MESSAGE_MAX_BYTES = 32 << 10 };

struct join_reply { const char *certificate, *ca, *revocations /* "": none */; };

/* What was read is borrowed from the arena. */
bool join_pb_read_join(const char **token, const char **request, const void *bytes, size_t n, struct arena *a, struct err *err);
bool join_pb_read_renew(const char **request, const void *bytes, size_t n, struct arena *a, struct err *err);
bool join_pb_read_reply(struct join_reply *r, const void *bytes, size_t n, struct arena *a, struct err *err);
bool join_pb_read_revocations(const char **list, const void *bytes, size_t n, struct arena *a, struct err *err);
void join_pb_put_join(struct buf *out, const char *token, const char *request);
void join_pb_put_renew(struct buf *out, const char *request);
void join_pb_put_reply(struct buf *out, const struct join_reply *r);
void join_pb_put_revocations(struct buf *out, const char *list);
#endif
