/* token/bpe.c - byte-level BPE: the pre-tokenizer cuts words, each byte of a word is a character of GPT-2's
 * alphabet, and the pair of the lowest rank merges first.  Start reading at bpe_tokenize(). */
#include <string.h>

#include "base/utf8.h"
#include "token/token_internal.h"

/* Printable Latin-1 stands for itself, the 68 other bytes are U+0100 .. U+0143 in order
 * (github.com/openai/gpt-2, src/encoder.py, bytes_to_unicode). */
static bool is_plain(unsigned b) { return (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b != 0xad); }

static uint32_t alphabet_char(unsigned b)
{
    if (is_plain(b))
        return b;
    return 0x100 + (b <= 0x20 ? b : b <= 0xa0 ? b - 0x7f + 33 : 67); /* 33 before 0x7f, 34 more before 0xad */
}

size_t alphabet_put(unsigned char byte, char out[2])
{
    const uint32_t cp = alphabet_char(byte);
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    out[0] = (char)(0xc0 | cp >> 6);
    out[1] = (char)(0x80 | (cp & 0x3f));
    return 2;
}

int alphabet_byte(uint32_t cp)
{
    if (cp < 0x100)
        return is_plain(cp) ? (int)cp : -1;
    if (cp > 0x143)
        return -1;
    cp -= 0x100;
    return (int)(cp <= 0x20 ? cp : cp < 67 ? cp - 33 + 0x7f : 0xad);
}

static bool find_merge(const struct vocab *v, const char *word, const struct symbol *left, const struct symbol *right,
                       uint32_t *key)
{
    const uint64_t with_gap = hasher_add(&v->hasher, left->hash, ' ');
    const int32_t rank = strings_find_pair(&v->merges, hasher_join(&v->hasher, with_gap, right->hash, right->n_bytes),
                                           word + left->at, left->n_bytes, right->n_bytes);
    *key = (uint32_t)rank;
    return rank >= 0;
}

/* The bytes of a symbol that is no token: merges may lead where the vocabulary does not follow. */
static bool emit_bytes(const struct tokenize *t, const char *s, size_t n)
{
    for (size_t i = 0, len; i < n; i += len) {
        uint32_t cp = 0;
        int byte = -1;
        len = 1;
        if (pretok_flags(t->v->pretok) & PRETOK_RAW)
            byte = (unsigned char)s[i];
        else if ((len = utf8_decode(s + i, n - i, &cp)) > 0)
            byte = alphabet_byte(cp);
        else
            len = 1;
        if (byte >= 0 && !emit_byte(t, (unsigned char)byte))
            return false;
    }
    return true;
}

static bool is_line_feeds(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (s[i] != '\n')
            return false;
    return true;
}

/* word: spelled in the alphabet (or raw), cut into n_symbols. */
static bool merge_word(const struct tokenize *t, const char *word, int32_t n_symbols)
{
    struct symbol *symbol = t->s->symbol;
    symbol[n_symbols - 1].next = -1;
    if (n_symbols > 1 && !merge_symbols(t, word, (size_t)n_symbols, find_merge))
        return false;
    for (int32_t i = 0; i >= 0; i = symbol[i].next) {
        const char *s = word + symbol[i].at;
        const int32_t id = strings_find(&t->v->tokens, symbol[i].hash, s, symbol[i].n_bytes);
        if (!(id >= 0 ? emit(t, id) : emit_bytes(t, s, symbol[i].n_bytes)))
            return false;
    }
    return true;
}

static bool take_whole(const struct tokenize *t, const char *word, size_t n, bool *taken)
{
    const int32_t id = strings_find(&t->v->tokens, hasher_hash(&t->v->hasher, word, n), word, n);
    *taken = id >= 0;
    return id < 0 || emit(t, id);
}

static bool tokenize_word(void *ctx, const char *text, size_t n)
{
    const struct tokenize *t = ctx;
    const unsigned flags = pretok_flags(t->v->pretok);
    if (!SCRATCH(t->s, word, 2 * n, t->err) || !SCRATCH(t->s, symbol, n, t->err))
        return false;
    const char *word = text;
    size_t len = 0, n_word = n;
    int32_t n_symbols = 0;
    struct symbol *symbol = t->s->symbol;
    for (size_t i = 0, n_char; i < n; i += n_char) {
        uint32_t cp;
        n_char = 1;
        size_t n_put;
        if (flags & PRETOK_RAW)
            n_put = n_char = utf8_decode(text + i, n - i, &cp); /* valid: see bpe_tokenize() */
        else
            n_put = alphabet_put((unsigned char)text[i], t->s->word + len);
        const char *put = flags & PRETOK_RAW ? text + i : t->s->word + len;
        symbol[n_symbols] = (struct symbol){ hasher_hash(&t->v->hasher, put, n_put), (uint32_t)len, (uint32_t)n_put, n_symbols - 1, n_symbols + 1 };
        n_symbols++;
        len += n_put;
    }
    if (!(flags & PRETOK_RAW))
        word = t->s->word, n_word = len;
    bool taken = false;
    if ((flags & PRETOK_WHOLE_WORDS || (flags & PRETOK_WHOLE_LINE_FEEDS && is_line_feeds(text, n))) &&
        !take_whole(t, word, n_word, &taken))
        return false;
    return taken || merge_word(t, word, n_symbols);
}

bool bpe_tokenize(const struct tokenize *t, const char *text, size_t n)
{
    if (!clean_text(t, &text, &n, pretok_flags(t->v->pretok) & PRETOK_RAW))
        return false;
    struct tokenize copy = *t;
    return pretok_split(t->v->pretok, text, n, tokenize_word, &copy);
}
