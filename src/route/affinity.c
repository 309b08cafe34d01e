/* route/affinity.c - see affinity.h. */
#include "route/affinity.h"

#include <string.h>

uint64_t affinity_hash(uint64_t h, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    h ^= n * 0x9e3779b97f4a7c15u;
    for (; n >= 8; n -= 8, p += 8) {
        uint64_t v;
        memcpy(&v, p, 8);
        h = (h ^ v) * 0xff51afd7ed558ccdu; /* MurmurHash3's finalizer, round by round */
        h ^= h >> 33;
    }
    for (; n > 0; n--, p++)
        h = (h ^ *p) * 0xc4ceb9fe1a85ec53u;
    h ^= h >> 29;
    return h ? h : 1;
}

static struct affinity_place *set_of(struct affinity *a, uint64_t key) { return a->at[key % AFFINITY_SETS]; }

void affinity_keep(struct affinity *a, uint64_t key, uint32_t slot, uint32_t tok)
{
    if (key == 0)
        return;
    struct affinity_place *set = set_of(a, key), *to = NULL;
    for (int i = 0; i < AFFINITY_WAYS && !to; i++)
        if (set[i].key == key && set[i].slot == slot)
            to = &set[i];
    for (int i = 0; i < AFFINITY_WAYS && !to; i++)
        if (set[i].key == 0)
            to = &set[i];
    if (!to) {
        to = set;
        for (int i = 1; i < AFFINITY_WAYS; i++)
            if (a->clock - set[i].used > a->clock - to->used)
                to = &set[i];
    }
    *to = (struct affinity_place){ key, slot, tok, ++a->clock };
}

int affinity_find(struct affinity *a, uint64_t key, uint32_t slots[static AFFINITY_WAYS], uint32_t toks[static AFFINITY_WAYS])
{
    const struct affinity_place *set = set_of(a, key);
    int n = 0;
    for (int i = 0; key != 0 && i < AFFINITY_WAYS; i++)
        if (set[i].key == key) {
            slots[n] = set[i].slot;
            toks[n++] = set[i].tok;
        }
    return n;
}

void affinity_forget(struct affinity *a, uint32_t slot)
{
    for (int i = 0; i < AFFINITY_SETS; i++)
        for (int k = 0; k < AFFINITY_WAYS; k++)
            if (a->at[i][k].key != 0 && a->at[i][k].slot == slot)
                a->at[i][k] = (struct affinity_place){ 0 };
}
