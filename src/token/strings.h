/* token/strings.h - the strings of a GGUF array, found by their bytes; nothing is copied.
 *
 * For:     vocab.c (tokens and merges), bpe.c, spm.c, wpm.c, ugm.c (look-ups).
 * Touches: the mapping, read only; the heap while opening.  Any thread may look up.
 * Rule:    hash(a b) follows from hash(a), hash(b) and the length of b, so a merge costs no walk over its
 *          bytes.  Every find compares the bytes.  A file whose strings all hash alike, for which it would
 *          have to guess B, is refused (ERR_INPUT) rather than searched for ever.
 */
#ifndef TUTTI_TOKEN_STRINGS_H
#define TUTTI_TOKEN_STRINGS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"
#include "gguf/gguf.h"

/* ---- hashes: h(c0..cn-1) = sum of (ci + 1) B^(n-1-i) mod 2^64 ---- */

enum { HASHER_POWERS = 1024 };

struct hasher {
    uint64_t power[HASHER_POWERS + 1]; /* B^i; B is odd, and unknown to who wrote the file */
};

void hasher_init(struct hasher *h, uint64_t seed);
uint64_t hasher_hash(const struct hasher *h, const char *s, size_t n);
uint64_t hasher_power(const struct hasher *h, size_t n);
static inline uint64_t hasher_add(const struct hasher *h, uint64_t hash, unsigned char c) { return hash * h->power[1] + c + 1u; }
/* Of a followed by b, n_b bytes. */
static inline uint64_t hasher_join(const struct hasher *h, uint64_t a, uint64_t b, size_t n_b)
{
    return a * (n_b <= HASHER_POWERS ? h->power[n_b] : hasher_power(h, n_b)) + b;
}

/* ---- tables ---- */

enum { STRINGS_NONE = -1 };

struct strings {
    const uint8_t *data; /* borrowed: the array in the mapping */
    uint32_t *offset;    /* owned, [n]: of each string's 8 bytes of length in data */
    uint32_t n;
    uint32_t *slot;      /* owned, [mask + 1]: index + 1 below, bits of the hash above; 0 is empty */
    uint32_t mask, index_bits;
    uint32_t longest; /* bytes */
};

enum strings_on_twin { STRINGS_KEEP_FIRST, STRINGS_KEEP_LAST };

/* false with err: not an array of strings, too many of them. */
bool strings_open(struct strings *s, const struct hasher *h, const struct gguf_kv *kv, enum strings_on_twin twin,
                  struct err *err);
void strings_close(struct strings *s); /* a zeroed one is fine */

static inline struct gguf_str strings_at(const struct strings *s, uint32_t i)
{
    const uint8_t *p = s->data + s->offset[i];
    const uint64_t len = p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24 | (uint64_t)p[4] << 32 |
                         (uint64_t)p[5] << 40 | (uint64_t)p[6] << 48 | (uint64_t)p[7] << 56; /* one load, compilers know */
    return (struct gguf_str){ (const char *)p + 8, (size_t)len };
}

/* ---- look-ups; STRINGS_NONE when absent ---- */

/* The string that is these n bytes. */
int32_t strings_find(const struct strings *s, uint64_t hash, const char *bytes, size_t n);
/* The string "left right", with a space between; left and right lie side by side without one. */
int32_t strings_find_pair(const struct strings *s, uint64_t hash, const char *left, size_t n_left, size_t n_right);
#endif
