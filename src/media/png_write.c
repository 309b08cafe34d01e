/* media/png_write.c - pictures to PNG without a library: each row with its best filter, then deflate with fixed codes.
 *
 * For:     image.h: annotated pictures, pages that tutti draws.  Touches: one block of memory.
 * Rule:    readable by every PNG reader; some 1.3 x what zlib would need.  Formats: W3C PNG sections 5, 9; RFC 1950, 1951.
 */
#include <stdlib.h>
#include <string.h>

#include "media/image_internal.h"

enum { IDAT_BYTES = 32768, WINDOW = 32768, HASH_BITS = 15, MATCH_MIN = 4, MATCH_MAX = 258 };

struct png_out {
    struct buf *to;
    uint8_t idat[IDAT_BYTES + 8]; /* a symbol may run over the mark by a few bytes */
    size_t n;
    uint64_t bits; /* not yet a whole byte, lowest first */
    int n_bits;
    uint32_t crc_table[256];
    int32_t head[1 << HASH_BITS]; /* where these four bytes were last seen, -1 never */
};

static uint32_t crc(const struct png_out *o, uint32_t c, const uint8_t *p, size_t n)
{
    while (n-- > 0)
        c = o->crc_table[(c ^ *p++) & 0xFF] ^ c >> 8;
    return c;
}

static void put_be32(uint8_t *p, uint32_t v) { p[0] = (uint8_t)(v >> 24), p[1] = (uint8_t)(v >> 16), p[2] = (uint8_t)(v >> 8), p[3] = (uint8_t)v; }

static void put_chunk(struct png_out *o, const char *name, const uint8_t *body, size_t n)
{
    uint8_t head[8], tail[4];
    put_be32(head, (uint32_t)n);
    memcpy(head + 4, name, 4);
    put_be32(tail, ~crc(o, crc(o, 0xFFFFFFFFu, head + 4, 4), body, n));
    buf_append(o->to, head, 8);
    buf_append(o->to, body, n);
    buf_append(o->to, tail, 4);
}

static void put_byte(struct png_out *o, uint8_t b)
{
    o->idat[o->n++] = b;
    if (o->n >= IDAT_BYTES) {
        put_chunk(o, "IDAT", o->idat, o->n);
        o->n = 0;
    }
}

static void put_bits(struct png_out *o, uint32_t v, int n)
{
    o->bits |= (uint64_t)v << o->n_bits;
    for (o->n_bits += n; o->n_bits >= 8; o->n_bits -= 8, o->bits >>= 8)
        put_byte(o, (uint8_t)o->bits);
}

static void put_code(struct png_out *o, uint32_t code, int n) /* Huffman codes go highest bit first */
{
    uint32_t r = 0;
    for (int i = 0; i < n; i++)
        r |= (code >> i & 1) << (n - 1 - i);
    put_bits(o, r, n);
}

static void put_symbol(struct png_out *o, int s) /* RFC 1951, 3.2.6 */
{
    if (s < 144)
        put_code(o, (uint32_t)(0x30 + s), 8);
    else if (s < 256)
        put_code(o, (uint32_t)(0x190 + s - 144), 9);
    else if (s < 280)
        put_code(o, (uint32_t)(s - 256), 7);
    else
        put_code(o, (uint32_t)(0xC0 + s - 280), 8);
}

static void put_match(struct png_out *o, int len, int dist)
{
    /* lengths 3..258: each group of four codes has one extra bit more; 258 has a code of its own */
    if (len == MATCH_MAX) {
        put_symbol(o, 285);
    } else if (len < 11) {
        put_symbol(o, 257 + len - 3);
    } else {
        const int v = len - 3, extra = 29 - __builtin_clz((unsigned)v); /* v 8..15: 1, 16..31: 2, ... */
        put_symbol(o, 257 + 4 * (extra + 1) + (v >> extra) - 4);
        put_bits(o, (uint32_t)(v & ((1 << extra) - 1)), extra);
    }
    const int d = dist - 1;
    if (d < 4) {
        put_code(o, (uint32_t)d, 5);
    } else {
        const int extra = 30 - __builtin_clz((unsigned)d); /* d 4..7: 1, 8..15: 2, ... */
        put_code(o, (uint32_t)(2 * (extra + 1) + (d >> extra) - 2), 5);
        put_bits(o, (uint32_t)(d & ((1 << extra) - 1)), extra);
    }
}

static void deflate(struct png_out *o, const uint8_t *p, size_t n)
{
    put_bits(o, 0x0178, 16); /* zlib: 32 KiB window, no dictionary */
    put_bits(o, 1, 1);       /* the only block */
    put_bits(o, 1, 2);       /* fixed codes */
    memset(o->head, 0xFF, sizeof(o->head));
    for (size_t i = 0; i < n;) {
        int len = 0, dist = 0;
        if (i + MATCH_MIN <= n) {
            uint32_t four;
            memcpy(&four, p + i, 4);
            int32_t *slot = &o->head[four * 2654435761u >> (32 - HASH_BITS)];
            if (*slot >= 0 && i - (size_t)*slot <= WINDOW) {
                const size_t at = (size_t)*slot, most = n - i < MATCH_MAX ? n - i : MATCH_MAX;
                while ((size_t)len < most && p[at + (size_t)len] == p[i + (size_t)len])
                    len++;
                dist = (int)(i - at);
            }
            *slot = (int32_t)i;
        }
        if (len >= MATCH_MIN) {
            put_match(o, len, dist);
            i += (size_t)len;
        } else {
            put_symbol(o, p[i++]);
        }
    }
    put_symbol(o, 256);
    if (o->n_bits > 0)
        put_bits(o, 0, 8 - o->n_bits);
    uint32_t a = 1, b = 0;
    for (size_t i = 0; i < n;) { /* 5552: the most before b can pass 32 bits */
        for (const size_t end = n - i < 5552 ? n : i + 5552; i < end; i++)
            a += p[i], b += a;
        a %= 65521, b %= 65521;
    }
    uint8_t adler[4];
    put_be32(adler, b << 16 | a);
    for (int i = 0; i < 4; i++)
        put_byte(o, adler[i]);
    if (o->n > 0)
        put_chunk(o, "IDAT", o->idat, o->n);
}

static int paeth(int a, int b, int c)
{
    const int pa = abs(b - c), pb = abs(a - c), pc = abs(a + b - 2 * c);
    return pa <= pb && pa <= pc ? a : pb <= pc ? b : c;
}

/* One row with filter 0 none, 1 sub, 2 up or 4 Paeth into d (its number first); the sum of |difference|. */
static uint64_t filter_row(uint8_t *d, const uint8_t *row, const uint8_t *above, size_t n, size_t px, int filter)
{
    uint64_t sum = 0;
    *d++ = (uint8_t)filter;
    for (size_t i = 0; i < n; i++) {
        const int a = i >= px ? row[i - px] : 0, b = above ? above[i] : 0, c = above && i >= px ? above[i - px] : 0;
        const int from = filter == 0 ? 0 : filter == 1 ? a : filter == 2 ? b : paeth(a, b, c);
        d[i] = (uint8_t)(row[i] - from);
        sum += (uint64_t)(d[i] < 128 ? d[i] : 256 - d[i]);
    }
    return sum;
}

static void filter_all(uint8_t *d, const struct image *im)
{
    static const int filters[] = { 0, 1, 2, 4 };
    const size_t px = (size_t)im->n_channels, n = (size_t)im->w * px;
    for (int y = 0; y < im->h; y++, d += n + 1) {
        const uint8_t *row = im->px + (size_t)y * im->stride, *above = y > 0 ? row - im->stride : NULL;
        int best = 0;
        uint64_t least = UINT64_MAX;
        for (int f = 0; f < 4; f++) {
            const uint64_t sum = filter_row(d, row, above, n, px, filters[f]);
            if (sum < least)
                least = sum, best = f;
        }
        filter_row(d, row, above, n, px, filters[best]);
    }
}

bool image_encode_png(const struct image *im, struct buf *out, struct err *err)
{
    if (im->w < 1 || im->h < 1)
        return err_set(err, ERR_INPUT, "PNG: an empty picture");
    const size_t n = ((size_t)im->w * (size_t)im->n_channels + 1) * (size_t)im->h;
    if (n > INT32_MAX)
        return err_set(err, ERR_LIMIT, "PNG: %d x %d pixels are too many to write", im->w, im->h);
    struct png_out *o = malloc(sizeof(*o));
    uint8_t *rows = malloc(n);
    bool good = o && rows;
    if (good) {
        *o = (struct png_out){ .to = out };
        for (uint32_t i = 0; i < 256; i++) {
            uint32_t c = i;
            for (int k = 0; k < 8; k++)
                c = c & 1 ? 0xEDB88320u ^ c >> 1 : c >> 1;
            o->crc_table[i] = c;
        }
        uint8_t ihdr[13] = { 0 };
        put_be32(ihdr, (uint32_t)im->w);
        put_be32(ihdr + 4, (uint32_t)im->h);
        ihdr[8] = 8, ihdr[9] = im->n_channels == 1 ? 0 : 2;
        buf_append(out, "\x89PNG\r\n\x1a\n", 8);
        put_chunk(o, "IHDR", ihdr, sizeof(ihdr));
        filter_all(rows, im);
        deflate(o, rows, n);
        put_chunk(o, "IEND", NULL, 0);
        good = buf_ok(out, "PNG", err);
    } else {
        err_set(err, ERR_NOMEM, "PNG: no memory to encode %d x %d pixels", im->w, im->h);
    }
    free(rows);
    free(o);
    return good;
}
