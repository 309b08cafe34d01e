/* wire/scan.c - see scan.h. */
#include "wire/scan.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

void scan_init(struct scan *s, const char *text, size_t n, struct arena *a, struct err *err)
{
    *s = (struct scan){ text, text, text + n, a, err, 0, false };
}

bool scan_fail(struct scan *s, const char *fmt, ...)
{
    char text[160];
    va_list ap;
    int line = 1, column = 1;
    if (s->failed)
        return false;
    s->failed = true;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    for (const char *c = s->begin; c < s->at; c++) {
        line += *c == '\n';
        column = *c == '\n' ? 1 : column + ((*c & 0xc0) != 0x80);
    }
    return err_set(s->err, ERR_INPUT, "line %d, column %d: %s", line, column, text);
}

char scan_peek(struct scan *s)
{
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\n' || *s->at == '\t' || *s->at == '\r'))
        s->at++;
    return s->failed || s->at == s->end ? '\0' : *s->at;
}

static bool take(struct scan *s, char c, const char *what)
{
    if (scan_peek(s) != c)
        return scan_fail(s, "%s is wanted here", what);
    s->at++;
    return true;
}

/* After '{' or '[' or a ',': is there another one? */
static bool another(struct scan *s, bool *first, char open, char close)
{
    const char c = scan_peek(s);
    if (*first) {
        *first = false;
        if (c != open)
            return scan_fail(s, open == '{' ? "an object is wanted here" : "an array is wanted here");
        if (s->depth == SCAN_DEPTH_MAX)
            return scan_fail(s, "too many levels, at most %d are read", SCAN_DEPTH_MAX);
        s->depth++;
        s->at++;
        if (scan_peek(s) != close)
            return !s->failed;
    } else if (c == ',') {
        s->at++;
        return true;
    } else if (c != close) {
        return scan_fail(s, "a comma or '%c' is wanted here", close);
    }
    s->at++;
    s->depth--;
    return false;
}

bool scan_key(struct scan *s, bool *first, const char **key)
{
    size_t n;
    return another(s, first, '{', '}') && scan_string(s, key, &n) && take(s, ':', "a colon");
}

bool scan_item(struct scan *s, bool *first) { return another(s, first, '[', ']'); }

/* ---- strings ---- */

/* At a '"': finds the one that ends it; how many bytes it unescapes to is at most the distance. */
static const char *find_end(struct scan *s)
{
    const char *c = s->at + 1;
    for (; c < s->end && *c != '"'; c++) {
        if ((unsigned char)*c < 0x20) {
            s->at = c;
            scan_fail(s, "a control character inside a string");
            return NULL;
        }
        if (*c == '\\' && ++c == s->end)
            break;
    }
    if (c >= s->end) {
        scan_fail(s, "a string without an end");
        return NULL;
    }
    return c;
}

static int hex4(const char *c, const char *end)
{
    int v = 0;
    if (end - c < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        const char d = c[i];
        const int x = d >= '0' && d <= '9' ? d - '0' : (d | 0x20) >= 'a' && (d | 0x20) <= 'f' ? (d | 0x20) - 'a' + 10 : -1;
        if (x < 0)
            return -1;
        v = v * 16 + x;
    }
    return v;
}

/* s->at behind the backslash; writes the character. */
static bool unescape(struct scan *s, const char *end, char **out)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *which = *s->at ? strchr(from, *s->at) : NULL;
    if (which) {
        *(*out)++ = to[which - from];
        s->at++;
        return true;
    }
    int v = *s->at == 'u' ? hex4(s->at + 1, end) : -1;
    if (v < 0)
        return scan_fail(s, "a bad escape in a string");
    s->at += 5;
    if (v >= 0xd800 && v < 0xdc00) {
        const int low = end - s->at >= 6 && s->at[0] == '\\' && s->at[1] == 'u' ? hex4(s->at + 2, end) : -1;
        if (low < 0xdc00 || low > 0xdfff)
            return scan_fail(s, "half of a surrogate pair");
        v = 0x10000 + ((v - 0xd800) << 10) + (low - 0xdc00);
        s->at += 6;
    } else if (v == 0 || (v >= 0xdc00 && v < 0xe000)) {
        return scan_fail(s, v ? "half of a surrogate pair" : "a zero byte in a string");
    }
    *out += utf8_encode((uint32_t)v, *out);
    return true;
}

/* Into out, which has room for what find_end() found. */
static bool read_string(struct scan *s, const char *end, char *out, size_t *n)
{
    char *const begin = out;
    const char *const text = ++s->at;
    if (!utf8_is_valid(text, (size_t)(end - text)))
        return scan_fail(s, "a string is not UTF-8");
    while (s->at < end) {
        const char *back = memchr(s->at, '\\', (size_t)(end - s->at));
        const size_t plain = (size_t)((back ? back : end) - s->at);
        memcpy(out, s->at, plain);
        out += plain;
        s->at += plain;
        if (back) {
            s->at++;
            if (!unescape(s, end, &out))
                return false;
        }
    }
    s->at = end + 1;
    *n = (size_t)(out - begin);
    return true;
}

bool scan_string(struct scan *s, const char **text, size_t *n)
{
    if (scan_peek(s) != '"')
        return scan_fail(s, "a string is wanted here");
    const char *end = find_end(s);
    if (!end)
        return false;
    char *out = arena_alloc(s->arena, (size_t)(end - s->at), 1, s->err); /* one more than the text: zeroed */
    if (!out) {
        s->failed = true;
        return false;
    }
    *text = out;
    return read_string(s, end, out, n);
}

/* ---- numbers ---- */

/* Exact where digits and exponent are small (Clinger, "How to read floating point numbers accurately", 1990: both are
 * doubles without error, one rounding); else strtod. */
static bool to_double(struct scan *s, const char *from, uint64_t digits, int exponent, bool is_exact, double *v)
{
    static const double tens[] = { 1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                   1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
    char text[512];
    const size_t n = (size_t)(s->at - from);
    if (is_exact && digits <= (uint64_t)1 << 53 && exponent >= -22 && exponent <= 22) {
        *v = exponent < 0 ? (double)digits / tens[-exponent] : (double)digits * tens[exponent];
        return true;
    }
    if (n >= sizeof(text))
        return scan_fail(s, "a number of %zu characters", n);
    memcpy(text, from, n);
    text[n] = '\0';
    *v = fabs(strtod(text, NULL));
    return isfinite(*v) || scan_fail(s, "a number that is too large");
}

static inline bool is_digit(const struct scan *s) { return s->at < s->end && *s->at >= '0' && *s->at <= '9'; }

bool scan_number(struct scan *s, struct scan_number *v)
{
    const char c = scan_peek(s);
    const char *from = s->at;
    uint64_t digits = 0;
    int exponent = 0;
    bool is_exact = true;
    if (c != '-' && (c < '0' || c > '9'))
        return scan_fail(s, "a number is wanted here");
    *v = (struct scan_number){ .is_int = true, .is_negative = c == '-' };
    s->at += c == '-';
    if (!is_digit(s) || (*s->at == '0' && s->at + 1 < s->end && s->at[1] >= '0' && s->at[1] <= '9'))
        return scan_fail(s, "a bad number");
    for (; is_digit(s); s->at++)
        if (__builtin_mul_overflow(digits, 10, &digits) || __builtin_add_overflow(digits, (uint64_t)(*s->at - '0'), &digits))
            is_exact = false;
    if (s->at < s->end && *s->at == '.') {
        v->is_int = false;
        s->at++;
        if (!is_digit(s))
            return scan_fail(s, "a bad number");
        for (; is_digit(s); s->at++) {
            if (digits > UINT64_MAX / 10 - 1) {
                is_exact = false;
            } else {
                digits = digits * 10 + (uint64_t)(*s->at - '0');
                exponent--;
            }
        }
    }
    if (s->at < s->end && (*s->at | 0x20) == 'e') {
        int e = 0;
        bool is_minus = false;
        v->is_int = false;
        s->at++;
        if (s->at < s->end && (*s->at == '+' || *s->at == '-'))
            is_minus = *s->at++ == '-';
        if (!is_digit(s))
            return scan_fail(s, "a bad number");
        for (; is_digit(s); s->at++)
            e = e < 100000 ? e * 10 + (*s->at - '0') : e;
        exponent += is_minus ? -e : e;
    }
    if (v->is_int && !is_exact)
        v->is_int = false; /* beyond 64 bits: a double knows it roughly */
    v->magnitude = digits;
    if (!to_double(s, from, digits, exponent, is_exact, &v->value))
        return false;
    if (v->is_negative)
        v->value = -v->value;
    return true;
}

bool scan_int(struct scan *s, int64_t *v)
{
    struct scan_number n;
    if (!scan_number(s, &n))
        return false;
    if (!n.is_int || n.magnitude > (uint64_t)INT64_MAX)
        return scan_fail(s, "an integer is wanted here");
    *v = n.is_negative ? -(int64_t)n.magnitude : (int64_t)n.magnitude;
    return true;
}

static bool word(struct scan *s, const char *w)
{
    const size_t n = strlen(w);
    if ((size_t)(s->end - s->at) < n || memcmp(s->at, w, n) != 0)
        return false;
    s->at += n;
    return true;
}

bool scan_bool(struct scan *s, bool *v)
{
    scan_peek(s);
    *v = word(s, "true");
    return *v || word(s, "false") || scan_fail(s, "true or false is wanted here");
}

bool scan_skip(struct scan *s)
{
    struct scan_number v;
    const char *text;
    size_t n;
    bool first = true;
    switch (scan_peek(s)) {
    case '{':
        while (scan_key(s, &first, &text))
            scan_skip(s);
        return !s->failed;
    case '[':
        while (scan_item(s, &first))
            scan_skip(s);
        return !s->failed;
    case '"': return scan_string(s, &text, &n);
    case 't':
    case 'f':
    case 'n':
        if (word(s, "true") || word(s, "false") || word(s, "null"))
            return true;
        return scan_fail(s, "a value is wanted here");
    default: return scan_number(s, &v);
    }
}

bool scan_end(struct scan *s) { return !s->failed && (scan_peek(s) == '\0' && s->at == s->end ? true : scan_fail(s, "there is something behind the end")); }

/* ---- tensors ---- */

static bool put_element(struct scan *s, const struct tensor *t, size_t i)
{
    struct scan_number v;
    bool b;
    if (t->type == TENSOR_BOOL && (scan_peek(s) == 't' || scan_peek(s) == 'f')) {
        if (!scan_bool(s, &b))
            return false;
        ((uint8_t *)t->data)[i] = b;
        return true;
    }
    if (!scan_number(s, &v))
        return false;
    switch (t->type) {
    case TENSOR_F32:
        ((float *)t->data)[i] = (float)v.value;
        return isfinite(((float *)t->data)[i]) || scan_fail(s, "%g does not fit into FP32", v.value);
    case TENSOR_F64: ((double *)t->data)[i] = v.value; return true;
#define SIGNED(name, type, bits)                                                                                       \
    case TENSOR_##name:                                                                                                \
        if (!v.is_int || v.magnitude > ((uint64_t)1 << ((bits)-1)) - !v.is_negative)                                   \
            break;                                                                                                     \
        ((type *)t->data)[i] = (type)(v.is_negative ? 0 - v.magnitude : v.magnitude);                                  \
        return true;
#define UNSIGNED(name, type, max)                                                                                      \
    case TENSOR_##name:                                                                                                \
        if (!v.is_int || (v.is_negative && v.magnitude) || v.magnitude > (max))                                        \
            break;                                                                                                     \
        ((type *)t->data)[i] = (type)v.magnitude;                                                                      \
        return true;
        SIGNED(I8, int8_t, 8)
        SIGNED(I16, int16_t, 16)
        SIGNED(I32, int32_t, 32)
        SIGNED(I64, int64_t, 64)
        UNSIGNED(U8, uint8_t, UINT8_MAX)
        UNSIGNED(U16, uint16_t, UINT16_MAX)
        UNSIGNED(U32, uint32_t, UINT32_MAX)
        UNSIGNED(U64, uint64_t, UINT64_MAX)
        UNSIGNED(BOOL, uint8_t, 1)
#undef SIGNED
#undef UNSIGNED
    default: break;
    }
    return scan_fail(s, "%.17g does not fit into %s", v.value, tensor_type_name(t->type));
}

static bool put_text(struct scan *s, struct tensor *t)
{
    if (scan_peek(s) != '"')
        return scan_fail(s, "a string is wanted here");
    const char *end = find_end(s);
    char *out = (char *)t->data + t->n_bytes;
    size_t n;
    if (!end || !read_string(s, end, out + 4, &n))
        return false;
    for (int i = 0; i < 4; i++)
        out[i] = (char)((uint32_t)n >> (8 * i));
    t->n_bytes += 4 + n;
    return true;
}

/* Level 0 is the outermost bracket.  Flat data has one level, nested data n_dims of them. */
static bool read_level(struct scan *s, struct tensor *t, int level, int64_t n_all, int64_t *at, bool *is_nested)
{
    const int64_t before = *at;
    int64_t n = 0;
    bool first = true;
    while (scan_item(s, &first)) {
        if (scan_peek(s) == '[') {
            if (level + 1 >= t->n_dims || (*at > before && n == 0))
                return scan_fail(s, "more levels of brackets than the shape has");
            *is_nested = true;
            if (!read_level(s, t, level + 1, n_all, at, is_nested))
                return false;
        } else {
            if (*is_nested && level + 1 != t->n_dims)
                return scan_fail(s, "a nested array, but not as the shape says");
            if (*at == n_all)
                return scan_fail(s, "more elements than the shape has");
            if (!(t->type == TENSOR_STRING ? put_text(s, t) : put_element(s, t, (size_t)*at)))
                return false;
            ++*at;
        }
        n++;
    }
    if (s->failed)
        return false;
    if (*is_nested && n != t->dims[level])
        return scan_fail(s, "%lld elements on level %d, the shape says %lld", (long long)n, level, (long long)t->dims[level]);
    return true;
}

bool scan_tensor(struct scan *s, struct tensor *t)
{
    const int64_t n = tensor_count(t->dims, t->n_dims);
    const size_t each = tensor_type_bytes(t->type);
    int64_t at = 0;
    bool is_nested = false;
    size_t bytes;
    if (t->type == TENSOR_F16 || t->type == TENSOR_BF16)
        return scan_fail(s, "%s has no form in JSON: send it as binary data", tensor_type_name(t->type));
    if (t->type == TENSOR_STRING) { /* as many as it may be: quotes and commas pay for 3 of the 4 bytes of a length */
        const char *from = s->at;
        if (!scan_skip(s))
            return false;
        bytes = (size_t)(s->at - from) * 2 + 8;
        s->at = from;
    } else if (n < 0 || (uint64_t)n > (uint64_t)(s->end - s->at) || __builtin_mul_overflow((size_t)n, each, &bytes)) {
        return scan_fail(s, "fewer elements than the shape has"); /* an element and its comma are two bytes */
    }
    t->data = arena_alloc(s->arena, bytes, 1, s->err);
    if (!t->data) {
        s->failed = true;
        return false;
    }
    t->n_bytes = t->type == TENSOR_STRING ? 0 : bytes;
    if (!read_level(s, t, 0, n, &at, &is_nested))
        return false;
    return at == n || scan_fail(s, "%lld elements, the shape has %lld", (long long)at, (long long)n);
}
