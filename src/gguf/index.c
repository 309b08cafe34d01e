/* gguf/index.c - names to numbers; see gguf_internal.h.
 *
 * Rule:    no file can make it slow: the hash starts from a seed that the file's author does not know.
 */
#include <stdlib.h>
#include <string.h>

#include "gguf/gguf_internal.h"

static uint32_t hash_name(uint64_t seed, const char *name)
{
    /* Multiply and fold of each 8 bytes, as in wyhash (Wang Yi, 2019): 128-bit products mix well. */
    uint64_t h = seed;
    const size_t n = strlen(name);
    for (size_t i = 0; i < n; i += 8) {
        uint64_t w = 0;
        memcpy(&w, name + i, n - i < 8 ? n - i : 8);
        const unsigned __int128 p = (unsigned __int128)(h ^ w ^ 0xa0761d6478bd642full) * (seed | 0xe7037ed1a0b428dbull);
        h = (uint64_t)p ^ (uint64_t)(p >> 64) ^ n;
    }
    return (uint32_t)(h ^ h >> 32);
}

long index_find(const struct name_index *x, const char *name, name_at_fn *at, const void *list)
{
    if (x->cap == 0)
        return -1;
    const uint32_t hash = hash_name(x->seed, name);
    for (size_t i = hash & (x->cap - 1); x->slots[i].number; i = (i + 1) & (x->cap - 1))
        if (x->slots[i].hash == hash && strcmp(at(list, x->slots[i].number - 1), name) == 0)
            return (long)x->slots[i].number - 1;
    return -1;
}

static void put(struct name_index *x, uint32_t hash, uint32_t number)
{
    size_t i = hash & (x->cap - 1);
    while (x->slots[i].number)
        i = (i + 1) & (x->cap - 1);
    x->slots[i].hash = hash;
    x->slots[i].number = number;
    x->n++;
}

bool index_add(struct name_index *x, const char *name, size_t number)
{
    if (number >= UINT32_MAX)
        return false;
    if (x->n + 1 > x->cap / 2) {
        struct name_index more = { .cap = x->cap ? x->cap * 2 : 64, .seed = x->seed };
        more.slots = calloc(more.cap, sizeof(more.slots[0]));
        if (!more.slots)
            return false;
        for (size_t i = 0; i < x->cap; i++)
            if (x->slots[i].number)
                put(&more, x->slots[i].hash, x->slots[i].number);
        free(x->slots);
        *x = more;
    }
    put(x, hash_name(x->seed, name), (uint32_t)number + 1);
    return true;
}

void index_fini(struct name_index *x)
{
    free(x->slots);
    *x = (struct name_index){ 0 };
}
