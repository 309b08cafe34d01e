/* route/grams.c - what a text's rows are; start at grams_hash().
 *
 * The text becomes tokens: runs of letters and digits (ASCII lower case, Latin accents dropped, umlauts written ae, oe, ue,
 * every digit a 0), single characters of scripts that write without spaces, single signs.  An apostrophe ends a word.
 * Text is full of branches that nobody can predict: bits, one for each byte, say where tokens begin and end, and only those
 * are visited.  A hash is one multiplication, its upper bits are the row. */
#include "route/grams.h"

#include <stdbool.h>
#include <string.h>

#include "route/scan_internal.h"

enum { NEAR_TOKENS = 8, HEAD_TOKENS = 16, TAIL_TOKENS = 12 };
enum { READ_MAX = GRAMS_HEAD_BYTES + GRAMS_TAIL_BYTES, PLAIN_MAX = 2 * READ_MAX + 8, N_BLOCKS = (PLAIN_MAX + 63) / 64 + 1, TEXT_MAX = 64 * N_BLOCKS };
_Static_assert(READ_MAX + 16 <= (int)GRAMS_MAX && PLAIN_MAX <= (int)GRAMS_MAX, "a list holds what a text makes");

struct list {
    int n;
    uint16_t *row;
    uintptr_t ahead; /* of rows of 16 bytes that will be wanted: they are fetched while others are hashed */
};

static inline uint64_t mix(uint64_t x) { return (x ^ x >> 29) * 0x9e3779b97f4a7c15u; }
static inline uint32_t row_of(uint64_t hash) { return (uint32_t)(hash >> (64 - GRAMS_BITS)); }
static inline void add(struct list *l, uint64_t hash) {
    const uint32_t row = row_of(hash);
    __builtin_prefetch((const void *)(l->ahead + 16 * row));
    l->row[l->n++] = (uint16_t)row;
}
static inline void add_once(struct list *l, uint64_t *seen, uint64_t hash)
{
    const uint32_t row = row_of(hash);
    const uint64_t word = seen[row >> 6];
    __builtin_prefetch((const void *)(l->ahead + 16 * row));
    l->row[l->n] = (uint16_t)row;
    l->n += !(word >> (row & 63) & 1);
    seen[row >> 6] = word | (uint64_t)1 << (row & 63);
}
static inline uint64_t load64(const char *p)
{
    uint64_t x;
    memcpy(&x, p, 8);
    return x;
}
static inline uint32_t load32(const char *p)
{
    uint32_t x;
    memcpy(&x, p, 4);
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

static size_t count_ascii(const char *s, size_t n)
{
    size_t i = 0;
    while (i + 8 <= n && !(load64(s + i) & 0x8080808080808080u))
        i += 8;
    while (i < n && !((unsigned char)s[i] & 0x80))
        i++;
    return i;
}
/* Copies text so that what is not ASCII is either letters of a word or a character with spaces around it; at most twice as
 * long and 1 byte.  Returns the length. */
static size_t copy_plain(char *out, const char *text, size_t n)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t to = 0;
    for (size_t i = 0; i < n;) {
        const size_t run = count_ascii(text + i, n - i);
        memcpy(out + to, text + i, run);
        i += run, to += run;
        if (i == n)
            break;
        const size_t want = s[i] >= 0xf0 ? 4 : s[i] >= 0xe0 ? 3 : 2;
        size_t len = 1;
        while (len < want && i + len < n && (s[i + len] & 0xc0) == 0x80)
            len++;
        const uint32_t cp = len == 2 ? (uint32_t)(s[i] & 31) << 6 | (s[i + 1] & 63) : 0;
        if (cp >= 0xc0 && cp < 0x180) {
            char folded[2];
            const size_t n_folded = (size_t)fold_latin(cp, folded);
            memcpy(out + to, folded, n_folded);
            to += n_folded;
        } else if (len == 2 && cp >= 0x180) { /* Greek, Cyrillic, Hebrew, Arabic, ... */
            memcpy(out + to, s + i, len);
            to += len;
        } else {
            if (to == 0 || out[to - 1] != ' ')
                out[to++] = ' ';
            const bool is_quote = len == 3 && s[i] == 0xe2 && s[i + 1] == 0x80 && (s[i + 2] & 0xfe) == 0x98;
            memcpy(out + to, s + i, len);
            to += is_quote ? 0 : len;
            if (!is_quote)
                out[to++] = ' ';
        }
        i += len;
    }
    return to;
}

struct tokens {
    int n;
    size_t n_bytes;
    uint16_t from[PLAIN_MAX], to[PLAIN_MAX];
    char text[16 + TEXT_MAX + 16];  /* from 16 on; folded, signs too */
    char words[16 + TEXT_MAX + 16]; /* the same, a space where no word is */
    uint64_t quads[N_BLOCKS];       /* bit i: at words[16 + i - 1] four letters begin, of which the first or the last may be the space beside the word */
};

static inline scan_bytes is_word(scan_bytes c)
{
    return (scan_bytes)((c | 32) - 'a' < 26) | (scan_bytes)(c - '0' < 10) | (scan_bytes)(c == '_') | (scan_bytes)(c >= 0x80);
}
/* Folds t->text's n_bytes, and tells where in it the tokens are. */
static void find_tokens(struct tokens *t)
{
    uint64_t word[N_BLOCKS + 1], sign[N_BLOCKS], wide[N_BLOCKS]; /* wide: begins a character of three or four bytes */
    const size_t n_blocks = t->n_bytes / 64 + 1; /* a space comes behind */
    int n_from = 0, n_to = 0;
    memset(t->text + 16 + t->n_bytes, ' ', 64 * n_blocks - t->n_bytes + 16);
    memset(t->words, ' ', 16);
    memset(t->words + 16 + 64 * n_blocks, ' ', 16);
    for (size_t b = 0; b < n_blocks; b++) {
        word[b] = sign[b] = wide[b] = 0;
        for (size_t i = 0; i < 64; i += 16) {
            char *at = t->text + 16 + 64 * b + i;
            scan_bytes c;
            memcpy(&c, at, sizeof(c));
            const scan_bytes w = is_word(c);
            const scan_bytes folded = (c | ((scan_bytes)(c - 'A' < 26) & 32)) & ~((scan_bytes)(c - '0' < 10) & 15);
            const scan_bytes only_words = (folded & w) | (~w & ' ');
            memcpy(at, &folded, sizeof(c));
            memcpy(t->words + 16 + 64 * b + i, &only_words, sizeof(c));
            word[b] |= scan_bits16(w) << i;
            sign[b] |= scan_bits16((scan_bytes)(c > ' ') & (scan_bytes)(c != '\'') & ~w) << i;
            wide[b] |= scan_bits16((scan_bytes)(c >= 0xe0)) << i;
        }
    }
    word[n_blocks] = 0;
    uint64_t was_word = 0, was_sign = 0, was_wide = 0;
    for (size_t b = 0; b < n_blocks; b++) {
        const uint64_t w = word[b], before = w << 1 | was_word;
        for (uint64_t bits = (w & ~before) | sign[b]; bits; bits &= bits - 1)
            t->from[n_from++] = (uint16_t)(64 * b + (size_t)__builtin_ctzll(bits));
        for (uint64_t bits = (~w & before) | sign[b] << 1 | was_sign; bits; bits &= bits - 1)
            t->to[n_to++] = (uint16_t)(64 * b + (size_t)__builtin_ctzll(bits));
        const uint64_t w1 = w >> 1 | word[b + 1] << 63, w2 = w >> 2 | word[b + 1] << 62;
        t->quads[b] = w & w1 & (before | w2) & ~(wide[b] | wide[b] << 1 | was_wide);
        was_word = w >> 63, was_sign = sign[b] >> 63, was_wide = wide[b] >> 63;
    }
    t->n = n_from;
}

/* Bits 0 to n - 1. */
static inline uint64_t below(long n) { return n <= 0 ? 0 : n >= 64 ? ~(uint64_t)0 : ((uint64_t)1 << n) - 1; }

static inline uint64_t hash_token(const char *s, size_t len)
{
    static const uint64_t mask[9] = { 0, 0xff, 0xffff, 0xffffff, 0xffffffff, 0xffffffffff, 0xffffffffffff, 0xffffffffffffff, ~(uint64_t)0 };
    uint64_t h = mix(0x51ed ^ (load64(s) & mask[len < 8 ? len : 8]));
    for (size_t k = 8; k < len; k += 8)
        h = mix(h ^ (load64(s + k) & mask[len - k < 8 ? len - k : 8]));
    return mix(h + len);
}

/* Twice the logarithm to base 2, nearly. */
static unsigned half_octave(size_t x)
{
    const unsigned top = x ? 63 - (unsigned)__builtin_clzll(x) : 0;
    return x < 2 ? (unsigned)x : 2 * top + (unsigned)(x >> (top - 1) & 1);
}

/* What a byte adds to four counts of 16 bits: digits, brackets, signs of arithmetic, lines. */
enum { DIGIT = 0, BRACKET = 16, ARITHMETIC = 32, LINE = 48 };
#define ONE(field) ((uint64_t)1 << (field))
static const uint64_t counts_of[256] = {
    ['0' ... '9'] = ONE(DIGIT), ['{'] = ONE(BRACKET), ['}'] = ONE(BRACKET), ['('] = ONE(BRACKET) | ONE(ARITHMETIC), [')'] = ONE(BRACKET) | ONE(ARITHMETIC),
    [';'] = ONE(BRACKET), ['='] = ONE(BRACKET) | ONE(ARITHMETIC), ['<'] = ONE(BRACKET) | ONE(ARITHMETIC), ['>'] = ONE(BRACKET) | ONE(ARITHMETIC),
    ['['] = ONE(BRACKET), [']'] = ONE(BRACKET), ['+'] = ONE(ARITHMETIC), ['-'] = ONE(ARITHMETIC), ['*'] = ONE(ARITHMETIC), ['/'] = ONE(ARITHMETIC),
    ['^'] = ONE(ARITHMETIC), ['|'] = ONE(ARITHMETIC), ['%'] = ONE(ARITHMETIC), ['$'] = ONE(ARITHMETIC), ['\n'] = ONE(LINE),
};
struct form {
    uint64_t counts;
    size_t options_at; /* "\nA." begins answers to choose from */
};
static void measure(struct form *f, const char *s, size_t n, size_t from)
{
    uint64_t counts = 0;
    for (size_t i = 0; i < n; i++)
        counts += counts_of[(unsigned char)s[i]];
    f->counts += counts;
    for (const char *p = s; counts >> LINE && f->options_at == SIZE_MAX && (p = memchr(p, '\n', (size_t)(s + n - p))) != NULL; p++)
        if (s + n - p > 2 && p[1] == 'A' && p[2] == '.')
            f->options_at = from + (size_t)(p - s);
}

static void add_form(struct list *letters, struct list *pairs, const struct form *f, size_t n_bytes, size_t n_read, bool asks)
{
    const unsigned n_digits = f->counts >> DIGIT & 0xffff, n_brackets = f->counts >> BRACKET & 0xffff, n_arithmetic = f->counts >> ARITHMETIC & 0xffff;
    const unsigned n_lines = (unsigned)(f->counts >> LINE);
    unsigned size = 0;
    for (size_t q = n_bytes; q > 8 && size < 12; q >>= 1)
        size++;
    add(letters, mix(mix(0x1001 + size)));
    if (n_lines > 2)
        add(letters, mix(mix(0x2001)));
    if (n_brackets * 20 > n_read)
        add(letters, mix(mix(0x2002)));
    if (asks)
        add(letters, mix(mix(0x2003)));
    const size_t at = f->options_at < n_bytes ? f->options_at : n_bytes;
    const unsigned options = half_octave(n_bytes - at), question = half_octave(at), whole = half_octave(n_bytes), digits = half_octave(n_digits);
    const uint64_t facts[] = { 0x3000 + options, 0x3100 + question, 0x3200 + whole, 0x3300 + digits, 0x3400 + half_octave(n_arithmetic),
                               0x3500 + half_octave(n_lines), 0x10000 + options * 256 + question, 0x20000 + digits * 256 + whole,
                               0x30000 + (n_digits * 4 > n_bytes - at) * 256 + options };
    for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++)
        add(pairs, mix(mix(facts[i])));
}

void grams_hash(const char *text, size_t n_bytes, const void *rows, struct grams *out)
{
    struct tokens t;
    struct list words = { .row = out->words, .ahead = (uintptr_t)rows }, letters = { .row = out->letters, .ahead = (uintptr_t)rows }, pairs = { .row = out->pairs, .ahead = (uintptr_t)rows };
    struct form form = { .options_at = SIZE_MAX };
    uint64_t seen[GRAMS_ROWS / 64];
    char *plain = t.text + 16;
    const bool is_cut = n_bytes > READ_MAX;
    const size_t n_head = is_cut ? GRAMS_HEAD_BYTES : n_bytes;
    t.n_bytes = copy_plain(plain, text, n_head);
    measure(&form, text, n_head, 0);
    if (is_cut) {
        const size_t from = n_bytes - GRAMS_TAIL_BYTES;
        plain[t.n_bytes++] = ' ';
        t.n_bytes += copy_plain(plain + t.n_bytes, text + from, GRAMS_TAIL_BYTES);
        measure(&form, text + from, GRAMS_TAIL_BYTES, from);
    }
    find_tokens(&t);
    memset(seen, 0, sizeof(seen));
    uint64_t before = 0;
    bool was_wide = false;
    for (int i = 0; i < t.n; i++) {
        const char *s = plain + t.from[i];
        const uint64_t h = hash_token(s, (size_t)(t.to[i] - t.from[i]));
        const bool is_wide = (unsigned char)s[0] >= 0xe0;
        add_once(&words, seen, h);
        add_once(&pairs, seen, mix(before * 31 + h));
        letters.row[letters.n] = (uint16_t)row_of(mix(before * 41 + h));
        letters.n += is_wide & was_wide;
        before = h, was_wide = is_wide;
        if (i < NEAR_TOKENS)
            add(&letters, mix(h + 0x900));
        if (i >= t.n - NEAR_TOKENS)
            add(&letters, mix(h + 0xa00));
        if (i < 3)
            add(&words, mix(h + 0x700 + (uint64_t)i));
        if (i >= t.n - 2)
            add(&words, mix(h + 0x800 + (uint64_t)(t.n - i)));
    }
    add_form(&letters, &pairs, &form, n_bytes, is_cut ? READ_MAX : n_bytes, t.n && plain[t.from[t.n - 1]] == '?');
    /* what is pasted into the middle would drown the request in its letters */
    const long head_end = t.n > HEAD_TOKENS ? t.to[HEAD_TOKENS - 1] : (long)t.n_bytes, tail_begin = t.n > TAIL_TOKENS ? t.from[t.n - TAIL_TOKENS] : 0;
    for (size_t b = 0; b <= t.n_bytes / 64; b++)
        for (uint64_t bits = t.quads[b] & (below(head_end - 64 * (long)b) | ~below(tail_begin - 64 * (long)b)); bits; bits &= bits - 1)
            add(&letters, mix(load32(t.words + 15 + 64 * b + (size_t)__builtin_ctzll(bits)) | (uint64_t)4 << 56));
    out->n_words = words.n, out->n_letters = letters.n, out->n_pairs = pairs.n;
}
