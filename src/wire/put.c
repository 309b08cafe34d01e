/* wire/put.c - see put.h. */
#include "wire/put.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

void put_f32(struct buf *out, float v)
{
    char text[32];
    if (!isfinite(v))
        v = isnan(v) ? 0.0f : v > 0 ? 1e30f : -1e30f;
    int n = 0;
    for (int digits = 7; digits <= 9; digits++) { /* 9 always suffice for 24 bits, 7 mostly do */
        n = snprintf(text, sizeof(text), "%.*g", digits, (double)v);
        if (digits == 9 || strtof(text, NULL) == v)
            break;
    }
    buf_append(out, text, (size_t)n);
}

void put_i64(struct buf *out, int64_t v)
{
    char text[24], *p = text + sizeof(text);
    uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    do {
        *--p = (char)('0' + u % 10);
        u /= 10;
    } while (u > 0);
    if (v < 0)
        *--p = '-';
    buf_append(out, p, (size_t)(text + sizeof(text) - p));
}

void put_base64(struct buf *out, const void *bytes, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *b = bytes;
    for (size_t i = 0; i < n; i += 3) {
        const uint32_t v = (uint32_t)b[i] << 16 | (i + 1 < n ? (uint32_t)b[i + 1] << 8 : 0) | (i + 2 < n ? b[i + 2] : 0);
        const char four[4] = { digits[v >> 18], digits[v >> 12 & 63], i + 1 < n ? digits[v >> 6 & 63] : '=',
                               i + 2 < n ? digits[v & 63] : '=' };
        buf_append(out, four, 4);
    }
}
