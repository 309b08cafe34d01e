/* route/grams.c - what a text's n-grams are; start at grams_hash().
 *
 * The text becomes tokens with one space between them: runs of letters and digits (ASCII lower case, Latin accents dropped,
 * umlauts written ae, oe, ue, digits as 0), single characters of scripts that write without spaces, single signs.
 * Rows: every token, every pair of neighbours, the first three tokens and the last two by place, character n-grams of 3 to
 * 5 bytes inside a token with its edges, and a few facts about the form.  A hash is one multiplication (upper bits taken). */
#include "route/grams.h"

#include <stdbool.h>
#include <string.h>

enum { TOKENS_MAX = GRAMS_HEAD_BYTES + GRAMS_TAIL_BYTES + 1, TEXT_MAX = TOKENS_MAX * 3 + 16, TOKEN_GRAM_BYTES = 24 };

struct tokens {
    int n, n_bytes;
    bool in_word;
    uint16_t at[TOKENS_MAX + 1]; /* at[n] is where the next would begin */
    bool is_word[TOKENS_MAX + 1];
    char text[TEXT_MAX + 8]; /* begins and ends with a space; 8 more bytes for whole loads */
};
struct rows {
    int n;
    uint16_t *row;
    uint64_t seen[GRAMS_ROWS / 64];
};

static inline void add(struct rows *r, uint64_t hash)
{
    const uint32_t row = (uint32_t)(hash >> (64 - GRAMS_BITS));
    const uint64_t bit = (uint64_t)1 << (row & 63);
    r->row[r->n] = (uint16_t)row;
    r->n += !(r->seen[row >> 6] & bit) && r->n < GRAMS_MAX - 1;
    r->seen[row >> 6] |= bit;
}
static inline uint64_t mix(uint64_t x) { return (x ^ x >> 29) * 0x9e3779b97f4a7c15u; }
static inline uint64_t load(const char *p)
{
    uint64_t x;
    memcpy(&x, p, 8);
    return x;
}

/* A letter of U+00C0..U+017F without its mark; umlauts become two letters. */
static int fold_latin(uint32_t cp, char out[2])
{
    static const char *const latin1[32] = { "a", "a", "a", "a", "ae", "a", "ae", "c", "e", "e", "e", "e", "i", "i", "i", "i",
                                            "d", "n", "o", "o", "o", "o", "oe", "x", "o", "u", "u", "u", "ue", "y", "th", "ss" };
    static const char extended[] = "aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiiiiijjkkkllllllllllnnnnnnnnnoooooooorrrrrr"
                                   "ssssssssttttttuuuuuuuuuuuuwwyyyzzzzzzs";
    if (cp >= 0x100) {
        out[0] = extended[cp - 0x100];
        return 1;
    }
    const char *s = cp == 0xff ? "y" : latin1[cp & 31];
    memcpy(out, s, 2);
    return s[1] ? 2 : 1;
}

static inline void end_word(struct tokens *t)
{
    if (t->in_word) {
        t->text[t->n_bytes++] = ' ';
        t->at[++t->n] = (uint16_t)t->n_bytes;
        t->in_word = false;
    }
}
static inline void put(struct tokens *t, const char *bytes, int n, bool is_word, bool goes_on)
{
    if (!goes_on)
        end_word(t);
    if (t->n >= TOKENS_MAX || t->n_bytes + n + 2 > TEXT_MAX)
        return;
    memcpy(t->text + t->n_bytes, bytes, (size_t)n);
    t->n_bytes += n;
    t->is_word[t->n] = is_word;
    t->in_word = true;
    if (!goes_on)
        end_word(t);
}

static void tokenize(struct tokens *t, const char *text, size_t n_bytes)
{
    const unsigned char *s = (const unsigned char *)text;
    for (size_t i = 0; i < n_bytes;) {
        unsigned char c = s[i];
        if (c < 0x80) {
            i++;
            if (c <= ' ') {
                end_word(t);
                continue;
            }
            if (c >= 'A' && c <= 'Z')
                c = (unsigned char)(c + 32);
            const bool digit = c >= '0' && c <= '9';
            if (digit) {
                c = '0';
                if (t->in_word && t->text[t->n_bytes - 1] == '0' && t->text[t->n_bytes - 2] == '0')
                    continue;
            }
            const bool word = digit || (c >= 'a' && c <= 'z') || c == '_' || (c == '\'' && t->in_word);
            put(t, (const char *)&c, 1, word, word);
            continue;
        }
        const int want = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
        int len = 1;
        while (len < want && i + (size_t)len < n_bytes && (s[i + (size_t)len] & 0xc0) == 0x80)
            len++;
        const uint32_t cp = len == 2 ? (uint32_t)(c & 31) << 6 | (s[i + 1] & 63) : 0;
        if (cp >= 0xc0 && cp < 0x180) {
            char folded[2];
            const int n = fold_latin(cp, folded);
            put(t, folded, n, true, true);
        } else if (len == 2 && cp >= 0x180) {
            put(t, text + i, len, true, true); /* Greek, Cyrillic, Hebrew, Arabic, ... */
        } else {
            put(t, text + i, len, false, false);
        }
        i += (size_t)len;
    }
    end_word(t);
}

static void add_facts(struct rows *r, const char *text, size_t n_bytes, const struct tokens *t)
{
    int n_lines = 0, n_signs = 0, size = 0;
    const size_t seen = n_bytes < GRAMS_HEAD_BYTES ? n_bytes : GRAMS_HEAD_BYTES;
    for (size_t i = 0; i < seen; i++) {
        n_lines += text[i] == '\n';
        n_signs += text[i] == '{' || text[i] == '}' || text[i] == '(' || text[i] == ')' || text[i] == ';' || text[i] == '=' || text[i] == '<' ||
                   text[i] == '>' || text[i] == '[' || text[i] == ']';
    }
    for (size_t q = n_bytes; q > 8 && size < 12; q >>= 1)
        size++;
    add(r, mix(0x1001 + (uint64_t)size));
    if (n_lines > 2)
        add(r, mix(0x2001));
    if ((size_t)n_signs * 20 > seen)
        add(r, mix(0x2002));
    if (t->n && t->text[t->at[t->n - 1]] == '?')
        add(r, mix(0x2003));
}

int grams_hash(const char *text, size_t n_bytes, uint16_t rows[static GRAMS_MAX], int *n_words)
{
    static const uint64_t mask[6] = { 0, 0, 0, 0xffffffu, 0xffffffffu, 0xffffffffffu };
    struct tokens t;
    struct rows r = { .row = rows };
    t.n = 0, t.n_bytes = 1, t.in_word = false;
    t.text[0] = ' ', t.at[0] = 1;
    if (n_bytes > GRAMS_HEAD_BYTES + GRAMS_TAIL_BYTES) {
        tokenize(&t, text, GRAMS_HEAD_BYTES);
        tokenize(&t, text + n_bytes - GRAMS_TAIL_BYTES, GRAMS_TAIL_BYTES);
    } else {
        tokenize(&t, text, n_bytes);
    }
    memset(t.text + t.n_bytes, ' ', 8);
    uint64_t before = 0;
    for (int i = 0; i < t.n; i++) {
        const char *s = t.text + t.at[i];
        const int len = t.at[i + 1] - t.at[i] - 1;
        uint64_t h = 0x51ed;
        for (int k = 0; k < len; k += 8)
            h = mix(h ^ (load(s + k) & (len - k >= 8 ? ~(uint64_t)0 : ((uint64_t)1 << 8 * (len - k)) - 1)));
        h = mix(h + (uint64_t)len);
        add(&r, h);
        if (i)
            add(&r, mix(before * 31 + h));
        if (i < 3)
            add(&r, mix(h + 0x700 + (uint64_t)i));
        if (i >= t.n - 2)
            add(&r, mix(h + 0x800 + (uint64_t)(t.n - i)));
        before = h;
    }
    add_facts(&r, text, n_bytes, &t);
    *n_words = r.n;
    for (int i = 0; i < t.n; i++) {
        const char *s = t.text + t.at[i];
        const int len = t.at[i + 1] - t.at[i] - 1;
        if (!t.is_word[i] || len < 3)
            continue;
        const int end = len < TOKEN_GRAM_BYTES ? len : TOKEN_GRAM_BYTES;
        for (int at = -1; at + 3 <= end + 1; at++) { /* the spaces beside the token are its edges */
            const uint64_t x = load(s + at);
            add(&r, mix((x & mask[3]) | (uint64_t)3 << 56));
            if (at + 4 <= end + 1)
                add(&r, mix((x & mask[4]) | (uint64_t)4 << 56));
            if (at + 5 <= end + 1)
                add(&r, mix((x & mask[5]) | (uint64_t)5 << 56));
        }
    }
    return r.n;
}
