/* base/hash.h - FNV-1a (Fowler, Noll, Vo), 32 and 64 bits: names that become numbers.
 *
 * For:     tables, colours, ids and file names that must stay the same.  Not for secrets, nor for keys that strangers choose
 *          where a table's speed hangs on them.
 * Rule:    the same bytes give the same number on every machine, now and later.
 */
#ifndef TUTTI_BASE_HASH_H
#define TUTTI_BASE_HASH_H
#include <stddef.h>
#include <stdint.h>

static inline uint32_t hash_fnv32(const char *s, size_t n)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char)s[i]) * 16777619u;
    return h;
}
static inline uint64_t hash_fnv64(const char *s, size_t n)
{
    uint64_t h = 14695981039346656037u;
    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char)s[i]) * 1099511628211u;
    return h;
}
#endif
