/* token/strings.c - an open-addressing table of 4 bytes a slot; start reading at strings_open(). */
#include "token/strings.h"

#include <stdlib.h>

#include "base/rng.h"

enum {
    N_MAX = 1 << 24,   /* strings */
    PROBES_MAX = 1024, /* at half load no honest file comes near: 52 was the most in 14 vocabularies */
};

void hasher_init(struct hasher *h, uint64_t seed)
{
    struct rng rng;
    rng_seed(&rng, seed);
    const uint64_t base = rng_u64(&rng) | 1;
    h->power[0] = 1;
    for (int i = 1; i <= HASHER_POWERS; i++)
        h->power[i] = h->power[i - 1] * base;
}

uint64_t hasher_hash(const struct hasher *h, const char *str, size_t n)
{
    const unsigned char *s = (const unsigned char *)str;
    const uint64_t b1 = h->power[1], b2 = h->power[2], b3 = h->power[3], b4 = h->power[4];
    uint64_t hash = 0;
    for (; n >= 4; n -= 4, s += 4) /* four at a time: one multiplication waits for the other, not four */
        hash = hash * b4 + ((s[0] + 1u) * b3 + (s[1] + 1u) * b2 + (s[2] + 1u) * b1 + (s[3] + 1u));
    for (; n > 0; n--, s++)
        hash = hasher_add(h, hash, *s);
    return hash;
}

uint64_t hasher_power(const struct hasher *h, size_t n)
{
    uint64_t p = 1, b = h->power[1];
    for (; n > 0; n >>= 1, b *= b)
        if (n & 1)
            p *= b;
    return p;
}

/* The low bits of a sum of powers are weak: spread the high ones over them. */
static inline uint64_t mix(uint64_t h)
{
    h ^= h >> 32;
    h *= 0xd6e8feb86659fd93u;
    return h ^ h >> 32;
}

static inline uint32_t tag_of(const struct strings *s, uint64_t mixed) { return (uint32_t)(mixed >> 32) >> s->index_bits << s->index_bits; }

static bool insert(struct strings *s, uint32_t i, uint64_t m, enum strings_on_twin twin)
{
    const struct gguf_str str = strings_at(s, i);
    const uint32_t index_mask = (1u << s->index_bits) - 1, tag = tag_of(s, m);
    for (uint32_t probe = 0, at = (uint32_t)m & s->mask; probe < PROBES_MAX; probe++, at = (at + 1) & s->mask) {
        const uint32_t old = s->slot[at];
        if (old == 0) {
            s->slot[at] = tag | (i + 1);
            return true;
        }
        if ((old & ~index_mask) != tag)
            continue;
        const struct gguf_str other = strings_at(s, (old & index_mask) - 1);
        if (other.len == str.len && memcmp(other.data, str.data, str.len) == 0) {
            if (twin == STRINGS_KEEP_LAST)
                s->slot[at] = tag | (i + 1);
            return true;
        }
    }
    return false;
}

bool strings_open(struct strings *s, const struct hasher *h, const struct gguf_kv *kv, enum strings_on_twin twin,
                  struct err *err)
{
    memset(s, 0, sizeof(*s));
    if (kv->type != GGUF_ARRAY || kv->elem_type != GGUF_STRING)
        return err_set(err, ERR_INPUT, "key '%.60s' is no array of strings", kv->key);
    if (kv->n >= N_MAX || kv->n_bytes > UINT32_MAX)
        return err_set(err, ERR_LIMIT, "key '%.60s' has too many strings", kv->key);
    s->data = kv->data;
    s->n = (uint32_t)kv->n;
    uint32_t n_slots = 16;
    while (n_slots < 2 * s->n)
        n_slots *= 2;
    while ((1u << s->index_bits) <= s->n)
        s->index_bits++;
    s->mask = n_slots - 1;
    s->offset = malloc((s->n ? s->n : 1) * sizeof(*s->offset));
    s->slot = calloc(n_slots, sizeof(*s->slot));
    if (!s->offset || !s->slot) {
        strings_close(s);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    size_t at = 0;
    for (uint32_t i = 0; i < s->n; i++) {
        s->offset[i] = (uint32_t)at;
        const size_t len = strings_at(s, i).len; /* gguf_open() walked all of them: they stay inside */
        at += 8 + len;
        if (len > s->longest)
            s->longest = (uint32_t)len;
    }
    /* A slot is a cache miss: hash some strings ahead and have their slots fetched meanwhile. */
    enum { AHEAD = 16 };
    uint64_t mixed[AHEAD] = { 0 };
    for (uint32_t i = 0; i < s->n + AHEAD; i++) {
        const uint32_t old = i - AHEAD; /* wraps at first */
        if (i >= AHEAD && strings_at(s, old).len > 0 && !insert(s, old, mixed[old % AHEAD], twin)) {
            strings_close(s);
            return err_set(err, ERR_INPUT, "key '%.60s': too many strings with the same hash", kv->key);
        }
        if (i < s->n) {
            const struct gguf_str str = strings_at(s, i);
            mixed[i % AHEAD] = mix(hasher_hash(h, str.data, str.len));
            __builtin_prefetch(&s->slot[(uint32_t)mixed[i % AHEAD] & s->mask], 1);
        }
    }
    return true;
}

void strings_close(struct strings *s)
{
    free(s->offset), free(s->slot);
    memset(s, 0, sizeof(*s));
}

int32_t strings_find(const struct strings *s, uint64_t hash, const char *bytes, size_t n)
{
    if (n > s->longest || n == 0)
        return STRINGS_NONE;
    const uint64_t m = mix(hash);
    const uint32_t index_mask = (1u << s->index_bits) - 1, tag = tag_of(s, m);
    for (uint32_t at = (uint32_t)m & s->mask, old; (old = s->slot[at]) != 0; at = (at + 1) & s->mask) {
        if ((old & ~index_mask) != tag)
            continue;
        const uint32_t i = (old & index_mask) - 1;
        const struct gguf_str str = strings_at(s, i);
        if (str.len == n && memcmp(str.data, bytes, n) == 0)
            return (int32_t)i;
    }
    return STRINGS_NONE;
}

int32_t strings_find_pair(const struct strings *s, uint64_t hash, const char *left, size_t n_left, size_t n_right)
{
    if (n_left + n_right + 1 > s->longest)
        return STRINGS_NONE;
    const uint64_t m = mix(hash);
    const uint32_t index_mask = (1u << s->index_bits) - 1, tag = tag_of(s, m);
    for (uint32_t at = (uint32_t)m & s->mask, old; (old = s->slot[at]) != 0; at = (at + 1) & s->mask) {
        if ((old & ~index_mask) != tag)
            continue;
        const uint32_t i = (old & index_mask) - 1;
        const struct gguf_str str = strings_at(s, i);
        if (str.len == n_left + 1 + n_right && str.data[n_left] == ' ' && memcmp(str.data, left, n_left) == 0 &&
            memcmp(str.data + n_left + 1, left + n_left, n_right) == 0)
            return (int32_t)i;
    }
    return STRINGS_NONE;
}
