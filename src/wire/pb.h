/* wire/pb.h - protobuf's encoding, as much of it as answers need: field by field, without a tree.
 *
 * For:     oip_pb.c, kubelet_pb.c, node_pb.c.
 * Callers: wire/.
 * Touches: a buffer; an arena.  Thread: any.
 * Rule:    what is 0, false or "" is left out, as proto3 has it.  Encoding: protobuf.dev/programming-guides/encoding.
 */
#ifndef TUTTI_WIRE_PB_H
#define TUTTI_WIRE_PB_H
#include <protobuf-c/protobuf-c.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"

/* protobuf-c asks for many small pieces; they all die with the arena, whose limit bounds them. */
ProtobufCAllocator pb_pieces(struct arena *a);

void pb_put_varint(struct buf *out, uint64_t v);
void pb_put_uint(struct buf *out, unsigned field, uint64_t v);
void pb_put_float(struct buf *out, unsigned field, float v);
void pb_put_double(struct buf *out, unsigned field, double v);
void pb_put_bytes(struct buf *out, unsigned field, const void *bytes, size_t n); /* also when n is 0 */
void pb_put_string(struct buf *out, unsigned field, const char *s);
/* A message inside another one: built aside, for its length comes first.  Frees inner. */
void pb_put_inner(struct buf *out, unsigned field, struct buf *inner);
#endif
