/* token/wpm.c - WordPiece for BERT: words in lower case without accents, each cut from the left into the
 * longest tokens; a word that cannot be cut to its end is UNK as a whole.
 *
 * As llama.cpp b10573 does it, which made the vectors: words start with U+2581, the rest of a word has no
 * mark; of a decomposed character the first code point is kept (that of a Hangul syllable, too). */
#include <string.h>

#include "base/utf8.h"
#include "token/token_internal.h"
#include "token/unicode.h"

/* Each of these is a word of its own (github.com/google-research/bert, tokenization.py, _is_chinese_char). */
static bool is_chinese(uint32_t cp)
{
    return (cp >= 0x4e00 && cp <= 0x9fff) || (cp >= 0x3400 && cp <= 0x4dbf) || (cp >= 0x20000 && cp <= 0x2a6df) ||
           (cp >= 0x2a700 && cp <= 0x2b81f) || (cp >= 0x2b920 && cp <= 0x2ceaf) || (cp >= 0xf900 && cp <= 0xfaff) ||
           (cp >= 0x2f800 && cp <= 0x2fa1f); /* 2b920: the slip of the Rust tokenizers that models were made with */
}

static bool emit_role(const struct tokenize *t, enum vocab_role role)
{
    return t->v->role[role] == TOKEN_NONE || emit(t, t->v->role[role]);
}

/* scratch->word holds the word with its mark in front. */
static bool tokenize_word(const struct tokenize *t, size_t n)
{
    if (!SCRATCH(t->s, hash, n + 1, t->err))
        return false;
    const char *word = t->s->word;
    uint64_t *hash = t->s->hash; /* of the first i bytes */
    const size_t longest = t->v->tokens.longest < TRIED_BYTES_MAX ? t->v->tokens.longest : TRIED_BYTES_MAX;
    const size_t before = t->out->len;
    hash[0] = 0;
    for (size_t i = 0; i < n; i++)
        hash[i + 1] = hasher_add(&t->v->hasher, hash[i], (unsigned char)word[i]);
    for (size_t i = 0; i < n;) {
        int32_t id = STRINGS_NONE;
        size_t len = n - i < longest ? n - i : longest;
        for (; len > 0; len--) {
            if (i + len < n && ((unsigned char)word[i + len] & 0xc0) == 0x80)
                continue; /* inside a character */
            const uint64_t h = hash[i + len] - hash[i] * t->v->hasher.power[len];
            if ((id = strings_find(&t->v->tokens, h, word + i, len)) >= 0)
                break;
        }
        if (id < 0) {
            t->out->len = before;
            return emit_role(t, VOCAB_UNK);
        }
        if (!emit(t, id))
            return false;
        i += len;
    }
    return true;
}

bool wpm_tokenize(const struct tokenize *t, const char *text, size_t n)
{
    enum { MARK_BYTES = 3 };
    /* Lower case takes at most 3 bytes for 2 (U+0130 gives 1, U+023A gives U+2C65). */
    if (!clean_text(t, &text, &n, false) || !SCRATCH(t->s, word, 2 * n + MARK_BYTES + 8, t->err))
        return false;
    memcpy(t->s->word, "\xe2\x96\x81", MARK_BYTES);
    size_t len = MARK_BYTES;
    for (size_t i = 0, n_char; i < n; i += n_char) {
        uint32_t cp;
        if ((n_char = utf8_decode(text + i, n - i, &cp)) == 0)
            n_char = 1, cp = 0xfffd;
        if (t->v->strip_accents)
            cp = unicode_base(cp);
        const bool is_space = unicode_is_space(cp);
        if (!is_space && (cp == 0 || cp == 0xfffd || unicode_is(cp, UNICODE_C) ||
                          (t->v->strip_accents && unicode_is(cp, UNICODE_M))))
            continue;
        const bool alone = !is_space && (unicode_is(cp, UNICODE_P) || (cp < 0x7f && unicode_is(cp, UNICODE_S)) || is_chinese(cp));
        if ((is_space || alone) && len > MARK_BYTES) {
            if (!tokenize_word(t, len))
                return false;
            len = MARK_BYTES;
        }
        if (is_space)
            continue;
        char put[4];
        const size_t n_put = utf8_encode(t->v->lowercase ? unicode_lower(cp) : cp, put);
        memcpy(t->s->word + len, put, n_put);
        len += n_put;
        if (alone) {
            if (!tokenize_word(t, len))
                return false;
            len = MARK_BYTES;
        }
    }
    return len == MARK_BYTES || tokenize_word(t, len);
}
