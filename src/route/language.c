/* route/language.c - the table of trigrams is counted once from the sample texts of data/route/language.tsv (in the program);
 * start at language_guess().  The model is naive Bayes over hashed letter trigrams (Cavnar and Trenkle 1994 with Dunning's
 * 1994 probabilities), scripts of one language are told by their letters alone. */
#include "route/language.h"

#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/utf8.h"
#include "route/embed_internal.h"

enum { N_MAX = 32 /* of a table */, N_HASH_BITS = 13, N_HASH = 1 << N_HASH_BITS, SAMPLE_BYTES_MAX = 8192 };

__asm__(".section .rodata\n"
        ".global language_samples\n.global language_samples_end\n"
        "language_samples:\n.incbin \"data/route/language.tsv\"\nlanguage_samples_end:\n.byte 0\n"
        ".previous\n");

/* Which of the alphabets that several languages share. */
enum alphabet { LATIN, CYRILLIC, ARABIC, N_ALPHABETS };
static inline enum alphabet alphabet_of(uint32_t letter) { return letter < 0x400 ? LATIN : letter < 0x600 ? CYRILLIC : ARABIC; }

/* One for languages in Latin letters, one for the others. */
static struct table {
    int n;
    char code[N_MAX][4];
    int8_t prior[N_MAX];
    enum alphabet alphabet[N_MAX];
    int8_t score[N_HASH][N_MAX]; /* sixteenths of a nat against the mean language */
} tables[2];
static inline struct table *table_of(enum alphabet a) { return &tables[a != LATIN]; }
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* Scripts that one language stands for; Han without kana is Chinese. */
static const struct {
    uint32_t from, to;
    char code[4];
} scripts[] = {
    { 0x370, 0x3ff, "el" }, { 0x530, 0x58f, "hy" }, { 0x590, 0x5ff, "he" }, { 0x900, 0x97f, "hi" }, { 0x980, 0x9ff, "bn" }, { 0xa00, 0xa7f, "pa" },
    { 0xa80, 0xaff, "gu" }, { 0xb80, 0xbff, "ta" }, { 0xc00, 0xc7f, "te" }, { 0xc80, 0xcff, "kn" }, { 0xd00, 0xd7f, "ml" }, { 0xe00, 0xe7f, "th" },
    { 0x1000, 0x109f, "my" }, { 0x10a0, 0x10ff, "ka" }, { 0x1200, 0x137f, "am" }, { 0x1780, 0x17ff, "km" }, { 0x3040, 0x30ff, "ja" }, { 0x4e00, 0x9fff, "zh" }, { 0xac00, 0xd7a3, "ko" },
};
enum { N_SCRIPTS = sizeof(scripts) / sizeof(scripts[0]) };

/* Of what is not ASCII: letters of Latin, Cyrillic and Arabic in lower case, ' ' for anything else; 0 for a letter of scripts[], counted there. */
static uint32_t letter_of(uint32_t cp, int counts[N_SCRIPTS])
{
    if (cp >= 0xc0 && cp <= 0x24f) {
        if (cp == 0xd7 || cp == 0xf7)
            return ' ';
        return cp <= 0xde ? cp + 32 : (cp >= 0x100 && cp < 0x138) || (cp >= 0x14a && cp < 0x178) ? cp | 1 : cp;
    }
    if (cp >= 0x1ea0 && cp <= 0x1eff)
        return cp | 1;
    if (cp >= 0x400 && cp <= 0x52f)
        return cp < 0x410 ? cp + 80 : cp < 0x430 ? cp + 32 : cp;
    if (cp >= 0x620 && cp <= 0x6ff)
        return cp;
    for (int i = 0; i < N_SCRIPTS; i++)
        if (cp >= scripts[i].from && cp <= scripts[i].to) {
            counts[i]++;
            return 0;
        }
    return ' ';
}

/* The hashes of the text's letter trigrams, n + 1 at most (hashes holds one more); returns their number.  n_letters: how many letters of each alphabet
 * there were, counts: of each script of one language. */
static int find_trigrams(const char *s, size_t n, int counts[N_SCRIPTS], uint16_t *hashes, int n_letters[N_ALPHABETS])
{
    uint32_t a = ' ', b = ' ';
    int n_hashes = 0, n_ascii = 0;
    memset(n_letters, 0, N_ALPHABETS * sizeof(*n_letters));
    for (size_t i = 0; i <= n;) {
        uint32_t c = ' ', cp;
        if (i == n || (unsigned char)s[i] < 0x80) {
            const uint32_t small = i < n ? (unsigned char)s[i] | 32 : ' ';
            c = small - 'a' < 26 ? small : ' ';
            n_ascii += c != ' ';
            i++;
        } else {
            const size_t len = utf8_decode(s + i, n - i, &cp);
            c = letter_of(len ? cp : ' ', counts);
            n_letters[alphabet_of(c)] += c != ' ' && c != 0;
            i += len ? len : 1;
        }
        hashes[n_hashes] = (uint16_t)(((a * 0x9e3779b1u + b) * 0x85ebca6bu + c) * 0xc2b2ae35u >> (32 - N_HASH_BITS));
        const bool breaks = c == 0 || (c == ' ' && b == ' ');
        n_hashes += !breaks;
        a = breaks ? ' ' : b, b = breaks ? ' ' : c;
    }
    n_letters[LATIN] += n_ascii;
    return n_hashes;
}

static enum alphabet most_of(const int n_letters[N_ALPHABETS])
{
    return n_letters[ARABIC] > n_letters[LATIN] ? ARABIC : n_letters[CYRILLIC] > n_letters[LATIN] ? CYRILLIC : LATIN;
}

static const float UNSEEN = 0.35f; /* share of trigrams that the samples do not have: the same for all, however long their samples are */

static void score(struct table *t, float counts[N_MAX][N_HASH])
{
    float total[N_MAX] = { 0 };
    for (int i = 0; i < t->n; i++)
        for (int h = 0; h < N_HASH; h++)
            total[i] += counts[i][h];
    for (int h = 0; h < N_HASH; h++) {
        float log_p[N_MAX], mean = 0;
        for (int i = 0; i < t->n; i++) {
            log_p[i] = logf((1 - UNSEEN) * counts[i][h] / fmaxf(1, total[i]) + UNSEEN / 2000);
            mean += log_p[i] / (float)t->n;
        }
        for (int i = 0; i < t->n; i++)
            t->score[h][i] = (int8_t)fmaxf(-127, fminf(127, 16 * (log_p[i] - mean)));
    }
}

/* How much more often a language is asked in than the others: in sixteenths of a nat.  By hand; it decides between short texts only. */
static int prior_of(const char *code)
{
    static const struct {
        char code[4];
        int8_t sixteenths;
    } usual[] = { { "en", 64 }, { "de", 52 }, { "es", 52 }, { "fr", 52 }, { "it", 20 }, { "pt", 20 }, { "ru", 24 }, { "nl", 16 }, { "pl", 12 }, { "tr", 12 }, { "sv", 8 }, { "cs", 8 }, { "uk", 12 }, { "af", -16 }, { "gl", -24 }, { "ca", -8 }, { "eu", -16 }, { "is", -16 }, { "sq", -16 }, { "tl", -8 }, { "et", -8 } };
    for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
        if (strcmp(usual[i].code, code) == 0)
            return usual[i].sixteenths;
    return 0;
}

static void make_tables(void)
{
    static float counts[2][N_MAX][N_HASH];
    static uint16_t hashes[SAMPLE_BYTES_MAX + 2];
    int ignored[N_SCRIPTS], n_letters[N_ALPHABETS];
    for (const char *s = language_samples; s < language_samples_end;) {
        const char *end = memchr(s, '\n', (size_t)(language_samples_end - s));
        end = end ? end : language_samples_end;
        const char *tab = memchr(s, '\t', (size_t)(end - s));
        if (tab && tab - s < 4) {
            const size_t n_bytes = (size_t)(end - tab - 1) < SAMPLE_BYTES_MAX ? (size_t)(end - tab - 1) : SAMPLE_BYTES_MAX;
            const int n_hashes = find_trigrams(tab + 1, n_bytes, ignored, hashes, n_letters);
            const enum alphabet alphabet = most_of(n_letters);
            struct table *t = table_of(alphabet);
            int i = 0; /* lines of one language add up */
            while (i < t->n && (strncmp(t->code[i], s, (size_t)(tab - s)) != 0 || t->code[i][tab - s]))
                i++;
            if (i < N_MAX) {
                memcpy(t->code[i], s, (size_t)(tab - s));
                t->alphabet[i] = alphabet;
                t->prior[i] = (int8_t)prior_of(t->code[i]);
                t->n = i >= t->n ? i + 1 : t->n;
                for (int k = 0; k < n_hashes; k++)
                    counts[t - tables][i][hashes[k]] += 1;
            }
        }
        s = end + 1;
    }
    score(&tables[0], counts[0]);
    score(&tables[1], counts[1]);
}

typedef int8_t bytes8 __attribute__((vector_size(8)));
typedef int16_t shorts8 __attribute__((vector_size(16)));

/* sums[i] is language i's; LANGUAGE_BYTES * 127 fits 16 bits. */
static void add_scores(const struct table *t, const uint16_t *hashes, int n, int16_t sums[N_MAX])
{
    shorts8 part[N_MAX / 8] = { 0 };
    for (int k = 0; k < n; k++)
        for (int i = 0; i < N_MAX / 8; i++) {
            bytes8 row;
            memcpy(&row, t->score[hashes[k]] + 8 * i, sizeof(row));
            part[i] += __builtin_convertvector(row, shorts8);
        }
    memcpy(sums, part, sizeof(part));
}

void language_guess(const char *text, size_t n_bytes, struct language_guess *out)
{
    int counts[N_SCRIPTS] = { 0 }, n_script = 0, script = -1, n_letters[N_ALPHABETS];
    uint16_t hashes[LANGUAGE_BYTES + 2];
    int16_t sums[N_MAX];
    pthread_once(&once, make_tables);
    memset(out, 0, sizeof(*out));
    memcpy(out->code, "und", 4);
    const int n_hashes = find_trigrams(text, n_bytes < LANGUAGE_BYTES ? n_bytes : LANGUAGE_BYTES, counts, hashes, n_letters);
    for (int i = 0; i < N_SCRIPTS; i++) {
        n_script += counts[i];
        if (counts[i] && (script < 0 || counts[i] > counts[script] || strcmp(scripts[i].code, "ja") == 0))
            script = i;
        if (counts[i] && strcmp(scripts[i].code, "ja") == 0)
            break; /* kana: Japanese, however many Han characters come with it */
    }
    const int n_all = n_letters[LATIN] + n_letters[CYRILLIC] + n_letters[ARABIC];
    if (n_script * 2 >= n_all && n_script > 0) { /* one such character says as much as some Latin letters */
        memcpy(out->code, scripts[script].code, 4);
        out->confidence = 1;
        return;
    }
    if (n_all < 6)
        return;
    const enum alphabet alphabet = most_of(n_letters);
    const struct table *t = table_of(alphabet);
    int best = -1, second = -1;
    add_scores(t, hashes, n_hashes, sums);
    for (int i = 0; i < t->n; i++) {
        sums[i] = (int16_t)(sums[i] + t->prior[i]);
        if (t->alphabet[i] != alphabet)
            continue;
        if (best < 0 || sums[i] > sums[best])
            second = best, best = i;
        else if (second < 0 || sums[i] > sums[second])
            second = i;
    }
    if (second < 0)
        return;
    memcpy(out->code, t->code[best], 4);
    out->confidence = 1 - expf(-(float)(sums[best] - sums[second]) / 32);
}
