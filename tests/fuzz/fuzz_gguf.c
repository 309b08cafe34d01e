/* tests/fuzz/fuzz_gguf.c - whatever the bytes: a clean error, or a model of which all can be asked. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "gguf/gguf.h"

static void must(bool holds)
{
    if (!holds)
        abort();
}

static volatile uint64_t sink; /* so that the reads are not optimised away */

static void ask_key(const struct gguf *g, const struct gguf_kv *kv)
{
    uint32_t u;
    int64_t i;
    float f;
    bool b;
    struct gguf_str s;
    size_t cursor = 0;
    must(gguf_find(g, kv->key) == kv);
    sink += gguf_get_u32(g, kv->key, &u) + gguf_get_i64(g, kv->key, &i) + gguf_get_f32(g, kv->key, &f) +
            gguf_get_bool(g, kv->key, &b) + gguf_get_str(g, kv->key, &s);
    for (uint64_t k = 0; k < kv->n && kv->elem_type != GGUF_ARRAY; k++) {
        sink += (uint64_t)gguf_kv_int(kv, k) + gguf_kv_uint(kv, k) + (gguf_kv_float(kv, k) > 0.0);
        s = gguf_kv_next_str(kv, &cursor);
        must((s.data != NULL) == (kv->elem_type == GGUF_STRING));
        for (size_t c = 0; c < s.len; c++)
            sink += (uint8_t)s.data[c];
    }
    must(gguf_kv_next_str(kv, &cursor).data == NULL || kv->elem_type != GGUF_STRING || kv->n == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = { 0 };
    struct gguf *g = gguf_open_memory(data, size, "fuzz", &err);
    if (!g) {
        must(err.code != ERR_NONE && err.text[0] && !strchr(err.text, '\n'));
        return 0;
    }
    for (size_t i = 0; i < gguf_n_kv(g); i++)
        ask_key(g, gguf_kv_at(g, i));
    for (size_t i = 0; i < gguf_n_tensors(g); i++) {
        const struct gguf_tensor *t = gguf_tensor_at(g, i);
        must(gguf_find_tensor(g, t->name) == t && t->n_bytes > 0);
        must(t->data >= data && t->n_bytes <= size - (size_t)(t->data - data));
        sink += t->data[0] + (uint64_t)t->data[t->n_bytes - 1];
        gguf_forget(g, t, 0, t->n_bytes);
    }
    must(gguf_file_bytes(g) == size && gguf_n_parts(g) == 1);
    gguf_close(g);
    return 0;
}
