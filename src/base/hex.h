/* base/hex.h - bytes as hexadecimal text in lower case: checksums, ids.
 *
 * For:     whoever keeps or shows a checksum.
 */
#ifndef TUTTI_BASE_HEX_H
#define TUTTI_BASE_HEX_H
#include <stdbool.h>
#include <stddef.h>

/* 2 n digits and a '\0'. */
static inline void hex_put(char *out, const unsigned char *bytes, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[2 * n] = '\0';
}

static inline int hex_digit(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; }

/* n bytes of the 2 n digits at the text's beginning; false: they are not there. */
static inline bool hex_read(unsigned char *out, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const int a = hex_digit(text[2 * i]), b = a < 0 ? -1 : hex_digit(text[2 * i + 1]);
        if (b < 0)
            return false;
        out[i] = (unsigned char)(a << 4 | b);
    }
    return true;
}
#endif
