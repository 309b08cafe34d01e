/* wire/put.h - small pieces of text that several codecs write: numbers, base64.
 *
 * For:     wire/, api/ (metrics).  Touches: nothing.
 */
#ifndef TUTTI_WIRE_PUT_H
#define TUTTI_WIRE_PUT_H
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* The shortest of %.*g that reads back as the same float; JSON knows no infinity: +-1e30, and 0 for NaN. */
void put_f32(struct buf *out, float v);
void put_i64(struct buf *out, int64_t v);
/* RFC 4648, with padding. */
void put_base64(struct buf *out, const void *bytes, size_t n);
#endif
