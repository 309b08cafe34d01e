/* tests/token/tiny.h - GGUF files with a vocabulary of some tokens, made in memory: for tests and fuzzing. */
#ifndef TUTTI_TINY_H
#define TUTTI_TINY_H
#include <string.h>

#include "base/buf.h"
#include "gguf/gguf.h"

struct tiny {
    struct buf kv; /* the keys so far */
    uint64_t n_kv;
    struct buf file; /* what gguf_open_memory() reads */
};

static inline void tiny_init(struct tiny *t)
{
    memset(t, 0, sizeof(*t));
    buf_init(&t->kv, 1 << 26);
    buf_init(&t->file, 1 << 26);
}

static inline void tiny_fini(struct tiny *t) { buf_fini(&t->kv), buf_fini(&t->file); }

static inline void tiny_number(struct buf *b, uint64_t v, int n_bytes)
{
    for (int i = 0; i < n_bytes; i++)
        buf_putc(b, (char)(v >> 8 * i));
}

static inline void tiny_str(struct buf *b, const char *s, size_t n)
{
    tiny_number(b, n, 8);
    buf_append(b, s, n);
}

/* The types as the format numbers them (docs/gguf.md of ggml). */
enum { TINY_U8 = 0, TINY_U32 = 4, TINY_I32 = 5, TINY_F32 = 6, TINY_BOOL = 7, TINY_STRING = 8, TINY_ARRAY = 9 };

static inline void tiny_key(struct tiny *t, const char *key, uint32_t type)
{
    tiny_str(&t->kv, key, strlen(key));
    tiny_number(&t->kv, type, 4);
    t->n_kv++;
}

static inline void tiny_array(struct tiny *t, const char *key, uint32_t type, size_t n)
{
    tiny_key(t, key, TINY_ARRAY);
    tiny_number(&t->kv, type, 4);
    tiny_number(&t->kv, n, 8);
}

static inline void tiny_put_str(struct tiny *t, const char *key, const char *v)
{
    tiny_key(t, key, TINY_STRING);
    tiny_str(&t->kv, v, strlen(v));
}

static inline void tiny_put_u32(struct tiny *t, const char *key, uint32_t v)
{
    tiny_key(t, key, TINY_U32);
    tiny_number(&t->kv, v, 4);
}

static inline void tiny_put_bool(struct tiny *t, const char *key, bool v)
{
    tiny_key(t, key, TINY_BOOL);
    tiny_number(&t->kv, v, 1);
}

static inline void tiny_put_strs(struct tiny *t, const char *key, const char *const *v, size_t n)
{
    tiny_array(t, key, TINY_STRING, n);
    for (size_t i = 0; i < n; i++)
        tiny_str(&t->kv, v[i], strlen(v[i]));
}

static inline void tiny_put_f32s(struct tiny *t, const char *key, const float *v, size_t n)
{
    tiny_array(t, key, TINY_F32, n);
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &v[i], 4);
        tiny_number(&t->kv, bits, 4);
    }
}

static inline void tiny_put_i32s(struct tiny *t, const char *key, const int32_t *v, size_t n)
{
    tiny_array(t, key, TINY_I32, n);
    for (size_t i = 0; i < n; i++)
        tiny_number(&t->kv, (uint32_t)v[i], 4);
}

/* Lives until tiny_fini(). */
static inline struct gguf *tiny_open(struct tiny *t, struct err *err)
{
    buf_clear(&t->file);
    buf_append(&t->file, "GGUF", 4);
    tiny_number(&t->file, 3, 4);
    tiny_number(&t->file, 0, 8);
    tiny_number(&t->file, t->n_kv, 8);
    buf_append(&t->file, t->kv.data, t->kv.len);
    while (t->file.len % 32 != 0)
        buf_putc(&t->file, '\0');
    return gguf_open_memory(t->file.data, t->file.len, "tiny", err);
}
#endif
