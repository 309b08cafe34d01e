/* route/affinity.h - which expert has the beginning of a conversation in its cache: a bounded table of hashes.
 *
 * For:     router.c.
 * Callers: route/.
 * Touches: nothing; no allocation.  Thread: one at a time (the router's lock).
 * Rule:    hashes only, never texts.  Full places go to whom they were used by last: the oldest is forgotten.
 */
#ifndef TUTTI_ROUTE_AFFINITY_H
#define TUTTI_ROUTE_AFFINITY_H
#include <stddef.h>
#include <stdint.h>

enum { AFFINITY_SETS = 1024, AFFINITY_WAYS = 4 };

struct affinity {
    struct affinity_place {
        uint64_t key;
        uint32_t slot, tok, used; /* used: the table's clock */
    } at[AFFINITY_SETS][AFFINITY_WAYS];
    uint32_t clock;
};

/* Continues h over n bytes (begin with any constant); never 0. */
uint64_t affinity_hash(uint64_t h, const void *bytes, size_t n);
/* The expert of that slot has tok tokens of what begins so.  key 0: nothing. */
void affinity_keep(struct affinity *a, uint64_t key, uint32_t slot, uint32_t tok);
/* Those that have it; returns their number. */
int affinity_find(struct affinity *a, uint64_t key, uint32_t slots[static AFFINITY_WAYS], uint32_t toks[static AFFINITY_WAYS]);
/* That expert's memory is gone. */
void affinity_forget(struct affinity *a, uint32_t slot);
#endif
