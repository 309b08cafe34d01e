/* wire/pb.c - see pb.h. */
#include "wire/pb.h"

#include <string.h>

static void *arena_piece(void *arena, size_t n)
{
    struct err err;
    return arena_alloc(arena, n, 1, &err);
}
static void keep_piece(void *arena, void *p) { (void)arena, (void)p; }

ProtobufCAllocator pb_pieces(struct arena *a) { return (ProtobufCAllocator){ arena_piece, keep_piece, a }; }

void pb_put_varint(struct buf *out, uint64_t v)
{
    char b[10];
    size_t n = 0;
    do {
        b[n] = (char)((v & 127) | (v > 127 ? 128 : 0));
        n++;
        v >>= 7;
    } while (v > 0);
    buf_append(out, b, n);
}

enum { VARINT, FIXED64, BYTES, FIXED32 = 5 };
static void put_tag(struct buf *out, unsigned field, unsigned kind) { pb_put_varint(out, field << 3 | kind); }

void pb_put_uint(struct buf *out, unsigned field, uint64_t v)
{
    if (v == 0)
        return;
    put_tag(out, field, VARINT);
    pb_put_varint(out, v);
}

static void put_fixed(struct buf *out, uint64_t v, int n)
{
    char b[8];
    for (int i = 0; i < n; i++)
        b[i] = (char)(v >> (8 * i));
    buf_append(out, b, (size_t)n);
}

void pb_put_float(struct buf *out, unsigned field, float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof(bits));
    if (bits == 0)
        return;
    put_tag(out, field, FIXED32);
    put_fixed(out, bits, 4);
}

void pb_put_double(struct buf *out, unsigned field, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof(bits));
    if (bits == 0)
        return;
    put_tag(out, field, FIXED64);
    put_fixed(out, bits, 8);
}

void pb_put_bytes(struct buf *out, unsigned field, const void *bytes, size_t n)
{
    put_tag(out, field, BYTES);
    pb_put_varint(out, n);
    if (n > 0)
        buf_append(out, bytes, n);
}

void pb_put_string(struct buf *out, unsigned field, const char *s)
{
    if (*s)
        pb_put_bytes(out, field, s, strlen(s));
}

void pb_put_inner(struct buf *out, unsigned field, struct buf *inner)
{
    if (inner->failed)
        out->failed = true;
    else
        pb_put_bytes(out, field, inner->data, inner->len);
    buf_fini(inner);
}
