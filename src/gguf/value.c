/* gguf/value.c - the values of keys as numbers and strings: little-endian bytes at any address. */
#include <string.h>

#include "gguf/gguf_internal.h"

static uint64_t load_le(const uint8_t *p, int n_bytes)
{
    uint64_t v = 0;
    for (int i = 0; i < n_bytes; i++)
        v |= (uint64_t)p[i] << 8 * i;
    return v;
}

uint64_t gguf_kv_uint(const struct gguf_kv *kv, uint64_t i)
{
    if (kv->elem_type == GGUF_U64 && i < kv->n)
        return load_le(kv->data + 8 * i, 8);
    return (uint64_t)gguf_kv_int(kv, i);
}

int64_t gguf_kv_int(const struct gguf_kv *kv, uint64_t i)
{
    if (i >= kv->n)
        return 0;
    const uint8_t *p = kv->data;
    switch (kv->elem_type) {
    case GGUF_U8:
    case GGUF_BOOL: return p[i];
    case GGUF_I8: return (int8_t)p[i];
    case GGUF_U16: return (uint16_t)load_le(p + 2 * i, 2);
    case GGUF_I16: return (int16_t)load_le(p + 2 * i, 2);
    case GGUF_U32: return (uint32_t)load_le(p + 4 * i, 4);
    case GGUF_I32: return (int32_t)load_le(p + 4 * i, 4);
    case GGUF_U64: {
        const uint64_t v = gguf_kv_uint(kv, i);
        return v > INT64_MAX ? INT64_MAX : (int64_t)v;
    }
    case GGUF_I64: return (int64_t)load_le(p + 8 * i, 8);
    case GGUF_F32:
    case GGUF_F64:
    case GGUF_STRING:
    case GGUF_ARRAY:
    case GGUF_TYPE_COUNT: break;
    }
    return 0;
}

double gguf_kv_float(const struct gguf_kv *kv, uint64_t i)
{
    float f;
    double d;
    if (i >= kv->n)
        return 0.0;
    if (kv->elem_type == GGUF_F32) {
        const uint32_t bits = (uint32_t)load_le(kv->data + 4 * i, 4);
        memcpy(&f, &bits, sizeof(f));
        return (double)f;
    }
    if (kv->elem_type == GGUF_F64) {
        const uint64_t bits = load_le(kv->data + 8 * i, 8);
        memcpy(&d, &bits, sizeof(d));
        return d;
    }
    if (kv->elem_type == GGUF_U64)
        return (double)gguf_kv_uint(kv, i);
    return (double)gguf_kv_int(kv, i);
}

struct gguf_str gguf_kv_next_str(const struct gguf_kv *kv, size_t *cursor)
{
    if (kv->elem_type != GGUF_STRING || *cursor >= kv->n_bytes)
        return (struct gguf_str){ NULL, 0 };
    const uint8_t *p = kv->data + *cursor; /* read.c walked all lengths: they stay inside n_bytes */
    const struct gguf_str s = { (const char *)p + 8, (size_t)load_le(p, 8) };
    *cursor += 8 + s.len;
    return s;
}

static bool is_int(enum gguf_type t)
{
    return t <= GGUF_I32 || t == GGUF_U64 || t == GGUF_I64;
}

bool kv_get_i64(const struct gguf_kv *kv, int64_t *out)
{
    if (!is_int(kv->type) || (kv->type == GGUF_U64 && gguf_kv_uint(kv, 0) > INT64_MAX))
        return false;
    *out = gguf_kv_int(kv, 0);
    return true;
}

bool gguf_get_i64(const struct gguf *g, const char *key, int64_t *out)
{
    const struct gguf_kv *kv = gguf_find(g, key);
    return kv && kv_get_i64(kv, out);
}

bool gguf_get_u32(const struct gguf *g, const char *key, uint32_t *out)
{
    int64_t v;
    if (!gguf_get_i64(g, key, &v) || v < 0 || v > UINT32_MAX)
        return false;
    *out = (uint32_t)v;
    return true;
}

bool gguf_get_f32(const struct gguf *g, const char *key, float *out)
{
    const struct gguf_kv *kv = gguf_find(g, key);
    if (!kv || !(is_int(kv->type) || kv->type == GGUF_F32 || kv->type == GGUF_F64))
        return false;
    *out = (float)gguf_kv_float(kv, 0);
    return true;
}

bool gguf_get_bool(const struct gguf *g, const char *key, bool *out)
{
    const struct gguf_kv *kv = gguf_find(g, key);
    if (!kv || kv->type != GGUF_BOOL)
        return false;
    *out = kv->data[0] != 0;
    return true;
}

bool gguf_get_str(const struct gguf *g, const char *key, struct gguf_str *out)
{
    const struct gguf_kv *kv = gguf_find(g, key);
    size_t cursor = 0;
    if (!kv || kv->type != GGUF_STRING)
        return false;
    *out = gguf_kv_next_str(kv, &cursor);
    return true;
}
