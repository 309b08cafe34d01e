/* base/arena.h - memory for one request, returned in one go.
 *
 * For:     what dies with a request: parsed headers, prompt, pieces of the reply; and what one
 *          owner builds once (a model's tables).
 * Callers: gguf/, token/, template/, api/, expert/; each owner has one arena, none is global.
 * Touches: calloc and free, nothing else.  Thread: the one that owns the request.
 * Rule:    limit_bytes bounds what one peer can make us hold.  Reaching it ends that
 *          request with ERR_LIMIT, never the process.  Chunks grow on demand, so a large limit
 *          costs nothing until it is used.
 */
#ifndef TUTTI_BASE_ARENA_H
#define TUTTI_BASE_ARENA_H
#include <stddef.h>

#include "base/err.h"

struct arena; /* opaque: arena.c alone knows it */

/* The caller owns the result; NULL with err set when memory is out. */
struct arena *arena_new(size_t limit_bytes, struct err *err);
void arena_free(struct arena *a); /* NULL is fine */

/* n zeroed items, aligned for any type, borrowed until arena_free() or arena_reset().
 * NULL with err set when n * item_bytes overflows or passes the limit.  n == 0 gives a valid pointer. */
void *arena_alloc(struct arena *a, size_t n, size_t item_bytes, struct err *err);
/* A copy of n bytes with a '\0' behind them. */
char *arena_strndup(struct arena *a, const char *s, size_t n, struct err *err);
/* Forgets all items and keeps the memory: no malloc in the next round. */
void arena_reset(struct arena *a);
size_t arena_used_bytes(const struct arena *a);
#endif
