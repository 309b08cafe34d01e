/* token/detok.c - ids back to bytes, and to whole characters as they come; start reading at detok_push(). */
#include <string.h>

#include "base/utf8.h"
#include "token/token_internal.h"

/* Receives the bytes of a piece, in one or more parts. */
struct sink {
    void (*put)(struct sink *s, const char *bytes, size_t n);
    struct detok *d; /* of to_stream() */
    struct buf *out;
};

static int hex_digit(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; }

/* "<0x0A>" */
static void put_byte_token(struct sink *s, const char *text, size_t n)
{
    const int high = n == 6 ? hex_digit(text[3]) : -1, low = n == 6 ? hex_digit(text[4]) : -1;
    if (high >= 0 && low >= 0 && memcmp(text, "<0x", 3) == 0 && text[5] == '>')
        s->put(s, &(char){ (char)(high << 4 | low) }, 1);
    else if (n == 1)
        s->put(s, text, 1);
}

static void put_unescaped(struct sink *s, const char *text, size_t n)
{
    for (size_t from = 0, i = 0; i <= n; i++) {
        const bool is_space = i + 3 <= n && memcmp(text + i, "\xe2\x96\x81", 3) == 0;
        if (!is_space && i < n)
            continue;
        if (i > from)
            s->put(s, text + from, i - from);
        if (is_space) {
            s->put(s, " ", 1);
            i += 2, from = i + 1;
        }
    }
}

static void put_alphabet(struct sink *s, const char *text, size_t n)
{
    char bytes[64];
    size_t len = 0;
    for (size_t i = 0, n_char; i < n; i += n_char) {
        uint32_t cp = 0;
        n_char = utf8_decode(text + i, n - i, &cp);
        const int byte = n_char > 0 ? alphabet_byte(cp) : -1;
        if (n_char == 0)
            n_char = 1;
        if (byte >= 0)
            bytes[len++] = (char)byte;
        else /* not of the alphabet: as it is written */
            memcpy(bytes + len, text + i, n_char), len += n_char;
        if (len + 4 > sizeof(bytes) || i + n_char >= n) {
            s->put(s, bytes, len);
            len = 0;
        }
    }
}

static void put_piece(const struct vocab *v, int32_t id, struct sink *s)
{
    const struct gguf_str text = strings_at(&v->tokens, (uint32_t)id);
    if (has_attr(v, id, ATTR_SPECIAL))
        s->put(s, text.data, text.len);
    else if (has_attr(v, id, ATTR_BYTE))
        put_byte_token(s, text.data, text.len);
    else if (!has_attr(v, id, ATTR_NORMAL))
        return; /* unused, or of no known type: stands for nothing */
    else if (v->kind == VOCAB_BPE && !(pretok_flags(v->pretok) & PRETOK_RAW))
        put_alphabet(s, text.data, text.len);
    else
        put_unescaped(s, text.data, text.len);
}

static void to_buf(struct sink *s, const char *bytes, size_t n) { buf_append(s->out, bytes, n); }

void vocab_piece(const struct vocab *v, int32_t id, struct buf *out)
{
    struct sink s = { to_buf, NULL, out };
    if (id >= 0 && id < vocab_size(v))
        put_piece(v, id, &s);
}

/* ---- streams ---- */

static void put_replacement(struct buf *out) { buf_append(out, "\xef\xbf\xbd", 3); }

/* held[] and one byte more: a character, the start of one, or an error. */
static void push_byte(struct detok *d, char byte, struct buf *out)
{
    for (;;) {
        char c[4];
        uint32_t cp;
        memcpy(c, d->held, d->n_held);
        c[d->n_held] = byte;
        const size_t n = d->n_held + 1u;
        if (utf8_decode(c, n, &cp) == n) {
            buf_append(out, c, n);
            d->n_held = 0;
            return;
        }
        if (utf8_incomplete_tail(c, n) == n) {
            d->held[d->n_held++] = byte;
            return;
        }
        put_replacement(out);
        if (d->n_held == 0)
            return;
        d->n_held = 0; /* what was held cannot become a character; the new byte may start one */
    }
}

static void to_stream(struct sink *s, const char *bytes, size_t n)
{
    struct detok *d = s->d;
    if (n == 0)
        return;
    if (d->at_start && d->flags & DETOK_STRIP_SPACE && bytes[0] == ' ')
        bytes++, n--;
    d->at_start = false;
    for (size_t i = 0; i < n;) {
        size_t plain = i; /* whole characters in a row go in one piece */
        uint32_t cp;
        for (size_t len; d->n_held == 0 && plain < n && (len = utf8_decode(bytes + plain, n - plain, &cp)) > 0;)
            plain += len;
        if (plain > i)
            buf_append(s->out, bytes + i, plain - i);
        else
            push_byte(d, bytes[plain++], s->out);
        i = plain;
    }
}

void detok_init(struct detok *d, unsigned flags) { *d = (struct detok){ .flags = flags, .at_start = true }; }

void detok_push(const struct vocab *v, struct detok *d, int32_t id, struct buf *out)
{
    struct sink s = { to_stream, d, out };
    if (id < 0 || id >= vocab_size(v) || (!(d->flags & DETOK_SHOW_SPECIAL) && vocab_is_control(v, id)))
        return;
    if (d->at_start && !v->space_prefix && v->kind != VOCAB_WPM) /* no space was put in front */
        d->at_start = false;
    put_piece(v, id, &s);
}

void detok_flush(struct detok *d, struct buf *out)
{
    if (d->n_held > 0)
        put_replacement(out);
    d->n_held = 0;
}
