/* tools/train/bpe.c - see bpe.h; Sennrich, Haddow, Birch 2016, on bytes as in GPT-2. */
#include "bpe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const bpe_special[TOK_SPECIAL_COUNT] = { "<|doc|>", "<|end|>", "<|user|>", "<|bot|>" };

enum { VOCAB_MAX = 65536, WORD_MAX = 64, TABLE_BITS = 20, CACHE_BITS = 18 };

struct word {
    uint64_t count;
    uint16_t n, id[WORD_MAX];
};
struct bpe_counter {
    struct word *word; /* owned */
    size_t n, cap;
    uint32_t *slot; /* 2^TABLE_BITS: index + 1 of a word */
};
struct merge {
    int left, right;
};
struct cached {
    uint8_t n_bytes, n; /* n_bytes 0: empty */
    char bytes[22];
    uint16_t id[22];
};
struct bpe {
    int n_vocab;
    struct merge merge[VOCAB_MAX]; /* [id], from TOK_BYTE0 + 256 */
    char *bytes[VOCAB_MAX];        /* owned */
    size_t n_bytes[VOCAB_MAX];
    uint64_t *pair;   /* open table: key (left << 16 | right) + 1 above the id's 16 bits; 0 is empty */
    struct cached *cache; /* 2^CACHE_BITS, the last word with that hash */
};

static uint64_t hash_bytes(const char *s, size_t n)
{
    uint64_t h = 0xcbf29ce484222325u; /* FNV-1a, then a stir */
    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char)s[i]) * 0x100000001b3u;
    return h ^ h >> 29;
}

/* ---- words ---- */

static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (unsigned char)c >= 0x80; }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
static int kind_of(char c) { return is_letter(c) ? 1 : is_digit(c) ? 2 : is_space(c) ? 0 : 3; }

/* 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+ */
size_t bpe_word(const char *s, size_t n)
{
    if (s[0] == '\'') {
        if (n > 2 && (!memcmp(s + 1, "re", 2) || !memcmp(s + 1, "ve", 2) || !memcmp(s + 1, "ll", 2)))
            return 3;
        if (n > 1 && (s[1] == 's' || s[1] == 't' || s[1] == 'm' || s[1] == 'd'))
            return 2;
    }
    const size_t from = s[0] == ' ' && n > 1 && !is_space(s[1]);
    size_t i = from;
    if (!is_space(s[from])) {
        const int kind = kind_of(s[from]);
        while (i < n && kind_of(s[i]) == kind)
            i++;
        return i;
    }
    while (i < n && is_space(s[i]))
        i++;
    return i < n && i > 1 ? i - 1 : i; /* the last of several belongs to what follows */
}

struct bpe_counter *bpe_counter_new(struct err *err)
{
    struct bpe_counter *c = calloc(1, sizeof(*c));
    if (c && (c->slot = calloc((size_t)1 << TABLE_BITS, sizeof(*c->slot))))
        return c;
    free(c);
    return err_null(err, ERR_NOMEM, "vocabulary: out of memory");
}

void bpe_counter_free(struct bpe_counter *c)
{
    if (!c)
        return;
    free(c->word);
    free(c->slot);
    free(c);
}

static bool is_word(const struct word *w, const char *s, size_t n)
{
    bool same = w->n == n;
    for (size_t i = 0; same && i < n; i++)
        same = w->id[i] == TOK_BYTE0 + (unsigned char)s[i];
    return same;
}

bool bpe_counter_add(struct bpe_counter *c, const char *text, size_t n, int times, struct err *err)
{
    const size_t mask = ((size_t)1 << TABLE_BITS) - 1;
    for (size_t len; n > 0; text += len, n -= len) {
        len = bpe_word(text, n);
        if (len > WORD_MAX)
            continue; /* rulers of dashes and the like teach nothing */
        size_t at = hash_bytes(text, len) & mask;
        while (c->slot[at] && !is_word(&c->word[c->slot[at] - 1], text, len))
            at = (at + 1) & mask;
        if (!c->slot[at]) {
            if (c->n == mask / 2)
                continue; /* the table is half full of rare words: enough */
            if (c->n == c->cap) {
                const size_t cap = c->cap ? c->cap * 2 : 4096;
                struct word *w = realloc(c->word, cap * sizeof(*w));
                if (!w)
                    return err_set(err, ERR_NOMEM, "vocabulary: out of memory");
                c->word = w, c->cap = cap;
            }
            struct word *w = &c->word[c->n++];
            *w = (struct word){ .n = (uint16_t)len };
            for (size_t i = 0; i < len; i++)
                w->id[i] = (uint16_t)(TOK_BYTE0 + (unsigned char)text[i]);
            c->slot[at] = (uint32_t)c->n;
        }
        c->word[c->slot[at] - 1].count += (uint64_t)times;
    }
    return true;
}

/* ---- merges ---- */

static bool put_merge(struct bpe *b, int left, int right, struct err *err)
{
    const int id = b->n_vocab;
    const size_t n = b->n_bytes[left] + b->n_bytes[right], mask = ((size_t)1 << 18) - 1;
    b->bytes[id] = malloc(n + 1);
    if (!b->bytes[id])
        return err_set(err, ERR_NOMEM, "vocabulary: out of memory");
    memcpy(b->bytes[id], b->bytes[left], b->n_bytes[left]);
    memcpy(b->bytes[id] + b->n_bytes[left], b->bytes[right], b->n_bytes[right]);
    b->bytes[id][n] = '\0';
    b->n_bytes[id] = n;
    b->merge[id] = (struct merge){ left, right };
    const uint64_t key = ((uint64_t)left << 16 | (uint64_t)right) + 1;
    size_t at = (key * 0x9e3779b97f4a7c15u >> 40) & mask;
    while (b->pair[at])
        at = (at + 1) & mask;
    b->pair[at] = key << 16 | (uint64_t)id;
    b->n_vocab++;
    return true;
}

static int find_merge(const struct bpe *b, int left, int right)
{
    const size_t mask = ((size_t)1 << 18) - 1;
    const uint64_t key = ((uint64_t)left << 16 | (uint64_t)right) + 1;
    for (size_t at = (key * 0x9e3779b97f4a7c15u >> 40) & mask; b->pair[at]; at = (at + 1) & mask)
        if (b->pair[at] >> 16 == key)
            return (int)(b->pair[at] & 0xffff);
    return -1;
}

static struct bpe *new_bytes_only(struct err *err)
{
    struct bpe *b = calloc(1, sizeof(*b));
    if (b) {
        b->pair = calloc((size_t)1 << 18, sizeof(*b->pair));
        b->cache = calloc((size_t)1 << CACHE_BITS, sizeof(*b->cache));
        b->n_vocab = TOK_BYTE0 + 256;
    }
    bool ok = b && b->pair && b->cache;
    for (int i = 0; ok && i < b->n_vocab; i++) {
        b->n_bytes[i] = i >= TOK_BYTE0;
        ok = (b->bytes[i] = calloc(1, 2)) != NULL;
        if (ok && i >= TOK_BYTE0)
            b->bytes[i][0] = (char)(i - TOK_BYTE0);
    }
    if (ok)
        return b;
    bpe_free(b);
    return err_null(err, ERR_NOMEM, "vocabulary: out of memory");
}

void bpe_free(struct bpe *b)
{
    if (!b)
        return;
    for (int i = 0; i < b->n_vocab; i++)
        free(b->bytes[i]);
    free(b->pair);
    free(b->cache);
    free(b);
}

static void apply_merge(struct word *w, int left, int right, int id)
{
    uint16_t n = 0;
    for (uint16_t i = 0; i < w->n; i++, n++) {
        const bool hit = i + 1 < w->n && w->id[i] == left && w->id[i + 1] == right;
        w->id[n] = hit ? (uint16_t)id : w->id[i];
        i = (uint16_t)(i + hit);
    }
    w->n = n;
}

struct bpe *bpe_learn(struct bpe_counter *c, int n_vocab, struct err *err)
{
    if (n_vocab < TOK_BYTE0 + 256 || n_vocab > 8192)
        return err_null(err, ERR_INPUT, "vocab: %d is not between %d and 8192", n_vocab, TOK_BYTE0 + 256);
    struct bpe *b = new_bytes_only(err);
    if (!b)
        return NULL;
    const size_t side = (size_t)n_vocab;
    uint64_t *count = calloc(side * side, sizeof(*count)); /* [left][right], plain and large: 75 MB for 3,072 */
    uint32_t *touched = malloc(side * side * sizeof(*touched));
    bool ok = count && touched;
    if (!ok)
        err_set(err, ERR_NOMEM, "vocabulary: out of memory");
    while (ok && b->n_vocab < n_vocab) { /* counts anew for each merge: seconds in all, and nothing to get wrong */
        size_t n_touched = 0;
        for (size_t w = 0; w < c->n; w++)
            for (uint16_t i = 0; i + 1 < c->word[w].n; i++) {
                const size_t at = c->word[w].id[i] * side + c->word[w].id[i + 1];
                if (!count[at])
                    touched[n_touched++] = (uint32_t)at;
                count[at] += c->word[w].count;
            }
        size_t best = 0;
        uint64_t most = 1;
        for (size_t i = 0; i < n_touched; i++) {
            const size_t at = touched[i];
            if (count[at] > most || (count[at] == most && at < best))
                most = count[at], best = at;
            count[at] = 0;
        }
        if (most < 2)
            break;
        const int left = (int)(best / side), right = (int)(best % side), id = b->n_vocab;
        ok = put_merge(b, left, right, err);
        for (size_t w = 0; ok && w < c->n; w++)
            apply_merge(&c->word[w], left, right, id);
    }
    free(count);
    free(touched);
    if (ok)
        return b;
    bpe_free(b);
    return NULL;
}

bool bpe_save(const struct bpe *b, const char *path, struct err *err)
{
    FILE *f = fopen(path, "w");
    if (!f)
        return err_set(err, ERR_IO, "%s: cannot write", path);
    fprintf(f, "tutti bpe 1\n");
    for (int i = TOK_BYTE0 + 256; i < b->n_vocab; i++)
        fprintf(f, "%d %d\n", b->merge[i].left, b->merge[i].right);
    return fclose(f) == 0 || err_set(err, ERR_IO, "%s: cannot write", path);
}

struct bpe *bpe_load(const char *path, struct err *err)
{
    FILE *f = fopen(path, "r");
    if (!f)
        return err_null(err, ERR_NOT_FOUND, "%s: not there", path);
    struct bpe *b = NULL;
    int version = 0, left, right;
    if (fscanf(f, "tutti bpe %d\n", &version) == 1 && version == 1)
        b = new_bytes_only(err);
    else
        err_set(err, ERR_INPUT, "%s: no vocabulary of this tool", path);
    while (b && fscanf(f, "%d %d\n", &left, &right) == 2) {
        if (left >= TOK_BYTE0 && left < b->n_vocab && right >= TOK_BYTE0 && right < b->n_vocab && b->n_vocab < VOCAB_MAX &&
            put_merge(b, left, right, err))
            continue;
        err_set(err, ERR_INPUT, "%s: merge %d %d does not fit", path, left, right);
        bpe_free(b);
        b = NULL;
    }
    fclose(f);
    return b;
}

int bpe_n_vocab(const struct bpe *b) { return b->n_vocab; }

const char *bpe_bytes(const struct bpe *b, int id, size_t *n)
{
    *n = b->n_bytes[id];
    return b->bytes[id];
}

bool bpe_merge(const struct bpe *b, int id, int *left, int *right)
{
    if (id < TOK_BYTE0 + 256 || id >= b->n_vocab)
        return false;
    *left = b->merge[id].left, *right = b->merge[id].right;
    return true;
}

/* ---- text to ids ---- */

/* The pair that was learned first goes first; n <= WORD_MAX. */
static size_t merge_word(const struct bpe *b, const char *s, size_t n, uint16_t id[static WORD_MAX])
{
    for (size_t i = 0; i < n; i++)
        id[i] = (uint16_t)(TOK_BYTE0 + (unsigned char)s[i]);
    while (n > 1) {
        int best = VOCAB_MAX;
        size_t where = 0;
        for (size_t i = 0; i + 1 < n; i++) {
            const int m = find_merge(b, id[i], id[i + 1]);
            if (m >= 0 && m < best)
                best = m, where = i;
        }
        if (best == VOCAB_MAX)
            break;
        id[where] = (uint16_t)best;
        memmove(id + where + 1, id + where + 2, (n - where - 2) * sizeof(*id));
        n--;
    }
    return n;
}

size_t bpe_encode(struct bpe *b, const char *text, size_t n, uint16_t *ids, size_t cap)
{
    size_t n_ids = 0;
    for (size_t len; n > 0; text += len, n -= len) {
        len = bpe_word(text, n);
        if (len > WORD_MAX)
            len = WORD_MAX;
        uint16_t id[WORD_MAX];
        struct cached *c = &b->cache[hash_bytes(text, len) & (((size_t)1 << CACHE_BITS) - 1)];
        size_t k;
        if (c->n_bytes == len && !memcmp(c->bytes, text, len)) {
            k = c->n;
            memcpy(id, c->id, k * sizeof(*id));
        } else {
            k = merge_word(b, text, len, id);
            if (len <= sizeof(c->bytes)) {
                c->n_bytes = (uint8_t)len, c->n = (uint8_t)k;
                memcpy(c->bytes, text, len);
                memcpy(c->id, id, k * sizeof(*id));
            }
        }
        for (size_t i = 0; i < k; i++, n_ids++)
            if (n_ids < cap)
                ids[n_ids] = id[i];
    }
    return n_ids;
}
