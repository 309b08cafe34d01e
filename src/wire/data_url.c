/* wire/data_url.c - see data_url.h. */
#include "wire/data_url.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

/* ---- base64 ---- */

enum { BLANK = 64, PAD = 65, WRONG = 66 };

static int digit(unsigned char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    switch (c) {
    case '+':
    case '-': return 62;
    case '/':
    case '_': return 63;
    case '=': return PAD;
    case ' ':
    case '\t':
    case '\r':
    case '\n': return BLANK;
    default: return WRONG;
    }
}

size_t base64_max_bytes(size_t n) { return n / 4 * 3 + n % 4; }

bool base64_decode(const char *s, size_t n, void *out, size_t *n_out, struct err *err)
{
    uint8_t *to = out;
    uint32_t bits = 0;
    int n_digits = 0, n_pads = 0;
    for (size_t i = 0; i < n; i++) {
        const int d = digit((unsigned char)s[i]);
        if (d == BLANK)
            continue;
        if (d == WRONG)
            return err_set(err, ERR_INPUT, "base64: letter %zu (0x%02x) is none of its alphabet", i, (unsigned)(unsigned char)s[i]);
        if (d == PAD) {
            if (++n_pads > 2 || n_digits < 2)
                return err_set(err, ERR_INPUT, "base64: letter %zu: a '=' that is too much", i);
            continue;
        }
        if (n_pads > 0)
            return err_set(err, ERR_INPUT, "base64: letter %zu: something stands behind the '='", i);
        bits = bits << 6 | (uint32_t)d;
        if (++n_digits == 4) {
            *to++ = (uint8_t)(bits >> 16);
            *to++ = (uint8_t)(bits >> 8);
            *to++ = (uint8_t)bits;
            bits = 0, n_digits = 0;
        }
    }
    if (n_digits == 1 || (n_pads > 0 && n_digits + n_pads != 4))
        return err_set(err, ERR_INPUT, "base64: it ends in the middle of a byte");
    if ((n_digits == 2 && (bits & 15)) || (n_digits == 3 && (bits & 3)))
        return err_set(err, ERR_INPUT, "base64: its last letter has bits that belong to no byte");
    if (n_digits >= 2)
        *to++ = (uint8_t)(bits >> (n_digits == 2 ? 4 : 10));
    if (n_digits == 3)
        *to++ = (uint8_t)(bits >> 2);
    *n_out = (size_t)(to - (uint8_t *)out);
    return true;
}

/* ---- data: ---- */

static int hex(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; }

bool data_url_is(const char *s, size_t n) { return n >= 5 && strncasecmp(s, "data:", 5) == 0; }

bool data_url_read(struct data_url *u, const char *s, size_t n, struct err *err)
{
    static const char suffix[] = ";base64";
    const size_t n_suffix = sizeof(suffix) - 1;
    *u = (struct data_url){ 0 };
    if (!data_url_is(s, n))
        return err_set(err, ERR_INPUT, "data URL: it does not begin with 'data:'");
    s += 5, n -= 5;
    const char *comma = memchr(s, ',', n);
    if (!comma)
        return err_set(err, ERR_INPUT, "data URL: the ',' before the data is missing");
    size_t n_head = (size_t)(comma - s);
    if (n_head >= n_suffix && strncasecmp(comma - n_suffix, suffix, n_suffix) == 0) {
        u->is_base64 = true;
        n_head -= n_suffix;
    }
    const char *semi = memchr(s, ';', n_head);
    const size_t n_type = semi ? (size_t)(semi - s) : n_head;
    if (n_type >= sizeof(u->type))
        return err_set(err, ERR_INPUT, "data URL: the media type is too long");
    for (size_t i = 0; i < n_type; i++)
        u->type[i] = s[i] >= 'A' && s[i] <= 'Z' ? (char)(s[i] - 'A' + 'a') : s[i];
    u->data = comma + 1;
    u->n = n - (size_t)(u->data - s);
    return true;
}

size_t data_url_max_bytes(const struct data_url *u) { return u->is_base64 ? base64_max_bytes(u->n) : u->n; }

bool data_url_decode(const struct data_url *u, void *out, size_t *n_out, struct err *err)
{
    uint8_t *to = out;
    if (u->is_base64)
        return base64_decode(u->data, u->n, out, n_out, err);
    for (size_t i = 0; i < u->n; i++) {
        if (u->data[i] != '%') {
            *to++ = (uint8_t)u->data[i];
            continue;
        }
        const int hi = u->n - i > 2 ? hex(u->data[i + 1]) : -1, lo = u->n - i > 2 ? hex(u->data[i + 2]) : -1;
        if (hi < 0 || lo < 0)
            return err_set(err, ERR_INPUT, "data URL: letter %zu: a '%%' without its two digits", i);
        *to++ = (uint8_t)(hi << 4 | lo);
        i += 2;
    }
    *n_out = (size_t)(to - (uint8_t *)out);
    return true;
}
