/* route/scan_internal.h - 64 bytes of text at a time: one bit for each byte that is of a kind.
 *
 * For:     features.c.
 * Callers: route/ alone.
 * Touches: nothing.  Thread: any.
 * Rule:    plain C over vectors of 16 bytes; the same bits on every machine.
 */
#ifndef TUTTI_ROUTE_SCAN_INTERNAL_H
#define TUTTI_ROUTE_SCAN_INTERNAL_H
#include <stdint.h>
#include <string.h>

typedef uint8_t scan_bytes __attribute__((vector_size(16)));

struct scan_masks { /* bit i: byte i is ... */
    uint64_t letter; /* A-Z a-z _ or not ASCII */
    uint64_t digit;
    uint64_t seen;   /* above ' ' */
    uint64_t high;   /* not ASCII */
    uint64_t gap;    /* ' ' or '\n' */
    uint64_t stop;   /* . or ! */
    uint64_t ask;    /* ? */
    uint64_t dash;
    uint64_t quote, j, w; /* '"', j or J, w or W */
    uint64_t mark;   /* \n ` @ { [ + ( : = looked at one by one */
};

/* v's bytes are 0 or 255. */
static inline uint64_t scan_bits16(scan_bytes v)
{
#if defined(__SSE2__)
    typedef char signed_bytes __attribute__((vector_size(16)));
    return (uint32_t)__builtin_ia32_pmovmskb128((signed_bytes)v);
#else
    uint64_t half[2];
    memcpy(half, &v, sizeof(half)); /* the top bit of each byte, gathered by one multiplication */
    return ((half[0] & 0x8080808080808080u) * 0x0002040810204081u >> 56) | ((half[1] & 0x8080808080808080u) * 0x0002040810204081u >> 56) << 8;
#endif
}

static inline __attribute__((always_inline)) void scan_block(const uint8_t bytes[static 64], struct scan_masks *m)
{
    memset(m, 0, sizeof(*m));
    for (int i = 0; i < 64; i += 16) {
        scan_bytes c;
        memcpy(&c, bytes + i, sizeof(c));
        const scan_bytes high = (scan_bytes)(c >= 0x80);
        m->letter |= scan_bits16((scan_bytes)((c | 32) - 'a' < 26) | (scan_bytes)(c == '_') | high) << i;
        m->digit |= scan_bits16((scan_bytes)(c - '0' < 10)) << i;
        m->seen |= scan_bits16((scan_bytes)(c > ' ')) << i;
        m->high |= scan_bits16(high) << i;
        m->gap |= scan_bits16((scan_bytes)(c == ' ') | (scan_bytes)(c == '\n')) << i;
        m->stop |= scan_bits16((scan_bytes)(c == '.') | (scan_bytes)(c == '!')) << i;
        m->ask |= scan_bits16((scan_bytes)(c == '?')) << i;
        m->dash |= scan_bits16((scan_bytes)(c == '-')) << i;
        m->mark |= scan_bits16((scan_bytes)(c == '\n') | (scan_bytes)(c == '`') | (scan_bytes)(c == '@') | (scan_bytes)((c | 32) == '{') | (scan_bytes)(c == '+') |
                               (scan_bytes)(c == '(') | (scan_bytes)(c == ':') | (scan_bytes)(c == '=')) << i;
        m->quote |= scan_bits16((scan_bytes)(c == '"')) << i;
        m->j |= scan_bits16((scan_bytes)((c | 32) == 'j')) << i;
        m->w |= scan_bits16((scan_bytes)((c | 32) == 'w')) << i;
    }
}

static inline unsigned scan_count(uint64_t x) /* without the instruction that not every x86 has */
{
    x -= x >> 1 & 0x5555555555555555u;
    x = (x & 0x3333333333333333u) + (x >> 2 & 0x3333333333333333u);
    return (unsigned)(((x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fu) * 0x0101010101010101u >> 56);
}
#endif
