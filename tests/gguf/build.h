/* tests/gguf/build.h - puts GGUF files together by hand, byte for byte, the wrong ones too. */
#ifndef TUTTI_TESTS_GGUF_BUILD_H
#define TUTTI_TESTS_GGUF_BUILD_H
#include <stdio.h>
#include <string.h>

#include "gguf/gguf.h"

struct image {
    uint8_t at[1 << 16];
    size_t n;
};

static inline void put_bytes(struct image *m, const void *p, size_t n)
{
    if (n <= sizeof(m->at) - m->n) {
        memcpy(m->at + m->n, p, n);
        m->n += n;
    }
}
static inline void put_int(struct image *m, uint64_t v, int n_bytes)
{
    for (int i = 0; i < n_bytes; i++)
        put_bytes(m, &(uint8_t){ (uint8_t)(v >> 8 * i) }, 1);
}
static inline void put_u32(struct image *m, uint32_t v) { put_int(m, v, 4); }
static inline void put_u64(struct image *m, uint64_t v) { put_int(m, v, 8); }
static inline void put_text(struct image *m, const char *s)
{
    put_u64(m, strlen(s));
    put_bytes(m, s, strlen(s));
}
static inline void put_head(struct image *m, uint32_t version, uint64_t n_tensors, uint64_t n_keys)
{
    m->n = 0;
    put_bytes(m, "GGUF", 4);
    put_u32(m, version);
    put_u64(m, n_tensors);
    put_u64(m, n_keys);
}
static inline void put_key(struct image *m, const char *key, uint32_t type)
{
    put_text(m, key);
    put_u32(m, type);
}
static inline void put_key_int(struct image *m, const char *key, enum gguf_type type, uint64_t v)
{
    static const int bytes[GGUF_TYPE_COUNT] = { 1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8 };
    put_key(m, key, type);
    put_int(m, v, bytes[type]);
}
static inline void put_key_text(struct image *m, const char *key, const char *v)
{
    put_key(m, key, GGUF_STRING);
    put_text(m, v);
}
static inline void put_array(struct image *m, const char *key, uint32_t elem, uint64_t n)
{
    put_key(m, key, GGUF_ARRAY);
    put_u32(m, elem);
    put_u64(m, n);
}
static inline void put_tensor(struct image *m, const char *name, uint32_t n_dims, const uint64_t *ne, uint32_t type, uint64_t offset)
{
    put_text(m, name);
    put_u32(m, n_dims);
    for (uint32_t d = 0; d < n_dims; d++)
        put_u64(m, ne[d]);
    put_u32(m, type);
    put_u64(m, offset);
}
/* Zeros up to a multiple of 32, then n more bytes that count up. */
static inline void put_data(struct image *m, size_t n)
{
    while (m->n % 32)
        put_int(m, 0, 1);
    for (size_t i = 0; i < n; i++)
        put_int(m, i, 1);
}

/* A small valid file with every type of value and tensors of one, two and four dimensions. */
static inline void put_small_model(struct image *m, uint32_t version)
{
    const float f = 1.5f;
    const double d = -2.25;
    uint64_t bits = 0;
    put_head(m, version, 3, 20);
    put_key_text(m, "general.architecture", "llama");
    put_key_int(m, "a.u8", GGUF_U8, 200);
    put_key_int(m, "a.i8", GGUF_I8, (uint8_t)-100);
    put_key_int(m, "a.u16", GGUF_U16, 60000);
    put_key_int(m, "a.i16", GGUF_I16, (uint16_t)-30000);
    put_key_int(m, "a.u32", GGUF_U32, 4000000000u);
    put_key_int(m, "a.i32", GGUF_I32, (uint32_t)-2000000000);
    memcpy(&bits, &f, 4);
    put_key_int(m, "a.f32", GGUF_F32, bits);
    put_key_int(m, "a.bool", GGUF_BOOL, 1);
    put_key_text(m, "a.string", "two\nlines");
    put_key_int(m, "a.u64", GGUF_U64, UINT64_MAX);
    put_key_int(m, "a.i64", GGUF_I64, (uint64_t)INT64_MIN);
    memcpy(&bits, &d, 8);
    put_key_int(m, "a.f64", GGUF_F64, bits);
    put_array(m, "b.strings", GGUF_STRING, 3);
    put_text(m, "one"), put_text(m, ""), put_text(m, "three");
    put_array(m, "b.i16s", GGUF_I16, 4);
    put_int(m, 1, 2), put_int(m, 0xfffe, 2), put_int(m, 3, 2), put_int(m, 0xfffc, 2);
    put_array(m, "b.bools", GGUF_BOOL, 2);
    put_int(m, 0, 1), put_int(m, 1, 1);
    put_array(m, "b.empty", GGUF_STRING, 0);
    put_array(m, "b.nested", GGUF_ARRAY, 2);
    put_u32(m, GGUF_U8), put_u64(m, 2), put_int(m, 7, 1), put_int(m, 8, 1);
    put_u32(m, GGUF_STRING), put_u64(m, 1), put_text(m, "inner");
    put_key_int(m, "c.small", GGUF_U64, 5);
    put_key_int(m, "general.alignment", GGUF_U32, 32);
    put_tensor(m, "token_embd.weight", 2, (uint64_t[]){ 64, 4 }, DTYPE_Q8_0, 0);           /* 272 bytes */
    put_tensor(m, "output_norm.weight", 1, (uint64_t[]){ 5 }, DTYPE_F32, 288);             /* 20 */
    put_tensor(m, "blk.0.x", 4, (uint64_t[]){ 2, 3, 2, 1 }, DTYPE_F16, 320);               /* 24 */
    put_data(m, 344);
}
#endif
