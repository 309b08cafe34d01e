/* token/spm.c - SentencePiece BPE: any two neighbours whose bytes together are a token may merge, the one
 * with the highest score first; what stays without a token becomes bytes. */
#include <string.h>

#include "base/utf8.h"
#include "token/token_internal.h"

#define SPACE "\xe2\x96\x81" /* U+2581 stands for a space */

/* Highest score first: flips the bits of the float so that they order as unsigned numbers, downwards. */
static uint32_t key_of_score(float score)
{
    uint32_t bits;
    score += 0.0f; /* -0 counts as 0 */
    memcpy(&bits, &score, sizeof(bits));
    return bits & 0x80000000u ? bits : ~bits & 0x7fffffffu;
}

static bool find_merge(const struct vocab *v, const char *word, const struct symbol *left, const struct symbol *right,
                       uint32_t *key)
{
    const uint64_t hash = hasher_join(&v->hasher, left->hash, right->hash, right->n_bytes);
    const int32_t id = strings_find(&v->tokens, hash, word + left->at, left->n_bytes + right->n_bytes);
    if (id < 0)
        return false;
    *key = key_of_score(vocab_score(v, id));
    return true;
}

static bool tokenize_word(const struct tokenize *t, const char *word, size_t n)
{
    if (!SCRATCH(t->s, symbol, n, t->err))
        return false;
    struct symbol *symbol = t->s->symbol;
    int32_t n_symbols = 0;
    for (size_t i = 0, len; i < n; i += len) {
        uint32_t cp;
        len = utf8_decode(word + i, n - i, &cp);
        if (len == 0)
            len = 1;
        symbol[n_symbols] = (struct symbol){ hasher_hash(&t->v->hasher, word + i, len), (uint32_t)i, (uint32_t)len, n_symbols - 1, n_symbols + 1 };
        n_symbols++;
    }
    symbol[n_symbols - 1].next = -1;
    if (!merge_symbols(t, word, (size_t)n_symbols, find_merge))
        return false;
    for (int32_t i = 0; i >= 0; i = symbol[i].next) {
        const char *s = word + symbol[i].at;
        const int32_t id = strings_find(&t->v->tokens, symbol[i].hash, s, symbol[i].n_bytes);
        if (id >= 0 && !emit(t, id))
            return false;
        for (uint32_t k = 0; id < 0 && k < symbol[i].n_bytes; k++)
            if (!emit_byte(t, (unsigned char)s[k]))
                return false;
    }
    return true;
}

static bool is_space(const char *s, size_t n) { return n >= 3 && memcmp(s, SPACE, 3) == 0; }

bool spm_tokenize(const struct tokenize *t, const char *text, size_t n, bool with_space)
{
    if (!SCRATCH(t->s, word, 3 * (n + 1), t->err))
        return false;
    char *word = t->s->word;
    size_t len = 0;
    if (with_space)
        memcpy(word, SPACE, 3), len = 3;
    for (size_t i = 0; i < n; i++)
        if (text[i] == ' ')
            memcpy(word + len, SPACE, 3), len += 3;
        else
            word[len++] = text[i];
    if (!t->v->chunks)
        return tokenize_word(t, word, len);
    /* No token reaches over the start of a word: each can be merged alone, which keeps the heap small. */
    for (size_t from = 0, i = 0; i < len; from = i) {
        while (is_space(word + i, len - i))
            i += 3;
        while (i < len && !is_space(word + i, len - i))
            i++;
        if (!tokenize_word(t, word + from, i - from))
            return false;
    }
    return true;
}
