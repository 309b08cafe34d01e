/* base/arena.c - a chunked bump allocator; start reading at arena_alloc(). */
#include "base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK_BYTES = 16 * 1024 };

struct chunk {
    struct chunk *next;
    size_t used_bytes, size_bytes; /* used_bytes <= size_bytes, always */
    alignas(max_align_t) unsigned char data[];
};

struct arena {
    struct chunk *first, *now; /* chunks behind `now` are empty and wait for reuse */
    size_t used_bytes, limit_bytes;
};

struct arena *arena_new(size_t limit_bytes, struct err *err)
{
    struct arena *a = calloc(1, sizeof(*a));
    if (!a)
        return err_null(err, ERR_NOMEM, "arena: out of memory");
    a->limit_bytes = limit_bytes;
    return a;
}

void arena_free(struct arena *a)
{
    if (!a)
        return;
    for (struct chunk *c = a->first, *next; c; c = next) {
        next = c->next;
        free(c);
    }
    free(a);
}

static struct chunk *add_chunk(struct arena *a, size_t need_bytes)
{
    const size_t size = need_bytes > CHUNK_BYTES ? need_bytes : CHUNK_BYTES;
    if (size > SIZE_MAX - sizeof(struct chunk))
        return NULL;
    struct chunk *c = malloc(sizeof(*c) + size);
    if (!c)
        return NULL;
    c->used_bytes = 0;
    c->size_bytes = size;
    struct chunk **link = a->now ? &a->now->next : &a->first;
    c->next = *link;
    *link = c;
    return c;
}

void *arena_alloc(struct arena *a, size_t n, size_t item_bytes, struct err *err)
{
    const size_t align = alignof(max_align_t);
    if (item_bytes > 0 && n > (a->limit_bytes - a->used_bytes) / item_bytes)
        return err_null(err, ERR_LIMIT, "arena: %zu x %zu bytes pass the limit of %zu", n, item_bytes,
                        a->limit_bytes);
    size_t bytes = n * item_bytes; /* in range: the line above divided */
    bytes = bytes > SIZE_MAX - align ? bytes : (bytes + align - 1) / align * align;
    struct chunk *c = a->now ? a->now : a->first;
    while (c && c->size_bytes - c->used_bytes < bytes)
        c = c->next;
    if (!c && !(c = add_chunk(a, bytes)))
        return err_null(err, ERR_NOMEM, "arena: out of memory for %zu bytes", bytes);
    a->now = c;
    void *p = c->data + c->used_bytes;
    c->used_bytes += bytes;
    a->used_bytes += n * item_bytes;
    return memset(p, 0, bytes);
}

char *arena_strndup(struct arena *a, const char *s, size_t n, struct err *err)
{
    if (n == SIZE_MAX)
        return err_null(err, ERR_LIMIT, "arena: a text of %zu bytes", n);
    char *p = arena_alloc(a, n + 1, 1, err);
    if (p && n)
        memcpy(p, s, n);
    return p;
}

void arena_reset(struct arena *a)
{
    for (struct chunk *c = a->first; c; c = c->next)
        c->used_bytes = 0;
    a->now = NULL;
    a->used_bytes = 0;
}

size_t arena_used_bytes(const struct arena *a) { return a->used_bytes; }
