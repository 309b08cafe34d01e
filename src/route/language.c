/* route/language.c - the table of trigrams is counted once from the sample texts of data/route/language.tsv (in the program);
 * start at language_guess().  The model is naive Bayes over hashed letter trigrams (Cavnar and Trenkle 1994 with Dunning's
 * 1994 probabilities), scripts of one language are told by their letters alone. */
#include "route/language.h"

#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>

#include "base/utf8.h"
#include "route/embed_internal.h"

enum { N_MAX = 48, N_HASH_BITS = 13, N_HASH = 1 << N_HASH_BITS, SAMPLE_BYTES_MAX = 8192 };

__asm__(".section .rodata\n"
        ".global language_samples\n.global language_samples_end\n"
        "language_samples:\n.incbin \"data/route/language.tsv\"\nlanguage_samples_end:\n.byte 0\n"
        ".previous\n");

static struct {
    int n;
    char code[N_MAX][4];
    int8_t score[N_HASH][N_MAX]; /* eighths of a nat against the mean language */
} table;
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

/* Letters of Latin, Cyrillic and Arabic in lower case, ' ' for anything else; 0 for a letter of scripts[], counted there. */
static uint32_t letter_of(uint32_t cp, int counts[N_SCRIPTS])
{
    if (cp < 0x80)
        return cp >= 'A' && cp <= 'Z' ? cp + 32 : cp >= 'a' && cp <= 'z' ? cp : ' ';
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

/* The hashes of the text's letter trigrams, n + 1 at most; returns their number.  *n_letters: how many letters there were. */
static int find_trigrams(const char *s, size_t n, int counts[N_SCRIPTS], uint16_t *hashes, int *n_letters)
{
    uint32_t a = ' ', b = ' ';
    int n_hashes = 0;
    *n_letters = 0;
    for (size_t i = 0; i <= n;) {
        uint32_t cp = ' ';
        size_t len = 1;
        if (i < n && (unsigned char)s[i] < 0x80)
            cp = (unsigned char)s[i];
        else if (i < n)
            len = utf8_decode(s + i, n - i, &cp);
        i += len ? len : 1;
        const uint32_t c = letter_of(len ? cp : ' ', counts);
        if (c == 0 || (c == ' ' && b == ' ')) {
            a = ' ', b = ' ';
            continue;
        }
        *n_letters += c != ' ';
        hashes[n_hashes++] = (uint16_t)(((a * 0x9e3779b1u + b) * 0x85ebca6bu + c) * 0xc2b2ae35u >> (32 - N_HASH_BITS));
        a = b, b = c;
    }
    return n_hashes;
}

static void make_table(void)
{
    static float counts[N_MAX][N_HASH];
    static uint16_t hashes[SAMPLE_BYTES_MAX + 1];
    int ignored[N_SCRIPTS], n_ignored;
    for (const char *s = language_samples; s < language_samples_end && table.n < N_MAX;) {
        const char *end = memchr(s, '\n', (size_t)(language_samples_end - s));
        end = end ? end : language_samples_end;
        const char *tab = memchr(s, '\t', (size_t)(end - s));
        if (tab && tab - s < 4) {
            int i = 0; /* lines of one language add up */
            while (i < table.n && (strncmp(table.code[i], s, (size_t)(tab - s)) != 0 || table.code[i][tab - s]))
                i++;
            memcpy(table.code[i], s, (size_t)(tab - s));
            table.n = i >= table.n ? i + 1 : table.n;
            const size_t n_bytes = (size_t)(end - tab - 1) < SAMPLE_BYTES_MAX ? (size_t)(end - tab - 1) : SAMPLE_BYTES_MAX;
            const int n_hashes = find_trigrams(tab + 1, n_bytes, ignored, hashes, &n_ignored);
            for (int k = 0; k < n_hashes; k++)
                counts[i][hashes[k]] += 1;
        }
        s = end + 1;
    }
    float total[N_MAX] = { 0 };
    for (int i = 0; i < table.n; i++)
        for (int h = 0; h < N_HASH; h++)
            total[i] += counts[i][h];
    for (int h = 0; h < N_HASH; h++) {
        float log_p[N_MAX], mean = 0;
        for (int i = 0; i < table.n; i++) {
            log_p[i] = logf((counts[i][h] + 0.15f) / (total[i] + 0.15f * 2000));
            mean += log_p[i] / (float)table.n;
        }
        for (int i = 0; i < table.n; i++)
            table.score[h][i] = (int8_t)fmaxf(-127, fminf(127, 16 * (log_p[i] - mean)));
    }
}

typedef int8_t bytes8 __attribute__((vector_size(8)));
typedef int16_t shorts8 __attribute__((vector_size(16)));

/* sums[i] is language i's; LANGUAGE_BYTES * 127 fits 16 bits. */
static void add_scores(const uint16_t *hashes, int n, int16_t sums[N_MAX])
{
    shorts8 part[N_MAX / 8] = { 0 };
    for (int k = 0; k < n; k++)
        for (int i = 0; i < N_MAX / 8; i++) {
            bytes8 row;
            memcpy(&row, table.score[hashes[k]] + 8 * i, sizeof(row));
            part[i] += __builtin_convertvector(row, shorts8);
        }
    memcpy(sums, part, sizeof(part));
}

void language_guess(const char *text, size_t n_bytes, struct language_guess *out)
{
    int counts[N_SCRIPTS] = { 0 }, n_script = 0, script = -1, n_letters;
    uint16_t hashes[LANGUAGE_BYTES + 1];
    int16_t sums[N_MAX];
    pthread_once(&once, make_table);
    memset(out, 0, sizeof(*out));
    memcpy(out->code, "und", 4);
    const int n_hashes = find_trigrams(text, n_bytes < LANGUAGE_BYTES ? n_bytes : LANGUAGE_BYTES, counts, hashes, &n_letters);
    add_scores(hashes, n_hashes, sums);
    for (int i = 0; i < N_SCRIPTS; i++) {
        n_script += counts[i];
        if (counts[i] && (script < 0 || counts[i] > counts[script] || strcmp(scripts[i].code, "ja") == 0))
            script = i;
        if (counts[i] && strcmp(scripts[i].code, "ja") == 0)
            break; /* kana: Japanese, however many Han characters come with it */
    }
    if (n_script * 2 >= n_letters && n_script > 0) { /* one such character says as much as some Latin letters */
        memcpy(out->code, scripts[script].code, 4);
        out->confidence = 1;
        return;
    }
    if (n_letters < 6 || table.n < 2)
        return;
    int best = 0, second = -1;
    for (int i = 1; i < table.n; i++) {
        if (sums[i] > sums[best])
            second = best, best = i;
        else if (second < 0 || sums[i] > sums[second])
            second = i;
    }
    memcpy(out->code, table.code[best], 4);
    out->confidence = 1 - expf(-(float)(sums[best] - sums[second]) / 32);
}
