/* task/wordlist.c - an open-addressing hash over the lines of one block of text. */
#include "task/wordlist.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"

struct wordlist {
    char *text;       /* owned */
    int n_lines;
    uint32_t n_slots; /* a power of two, more than twice n_lines */
    struct slot {
        const char *word; /* NULL: free */
        uint32_t n;
        int line; /* -1: a stop word */
    } *slots;
};

static struct slot *slot_of(const struct wordlist *w, const char *word, size_t n)
{
    uint32_t i = hash_fnv32(word, n) & (w->n_slots - 1);
    while (w->slots[i].word && !(w->slots[i].n == n && memcmp(w->slots[i].word, word, n) == 0))
        i = (i + 1) & (w->n_slots - 1);
    return &w->slots[i];
}

static bool is_white(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

/* Takes text over. */
static struct wordlist *make(char *text, size_t n, const char *stop, struct err *err)
{
    struct wordlist *w = calloc(1, sizeof(*w));
    size_t n_lines = 1, n_stop = 1;
    for (size_t i = 0; i < n; i++)
        n_lines += text[i] == '\n';
    for (const char *s = stop; s && *s; s++)
        n_stop += is_white(*s);
    size_t n_slots = 16;
    while (n_slots < 2 * (n_lines + n_stop) + 1)
        n_slots *= 2;
    if (w)
        w->slots = calloc(n_slots, sizeof(*w->slots));
    if (!w || !w->slots) {
        free(w);
        free(text);
        return err_null(err, ERR_NOMEM, "vocabulary: cannot get memory for %zu words", n_lines);
    }
    w->text = text;
    w->n_slots = (uint32_t)n_slots;
    for (size_t at = 0; at < n; w->n_lines++) {
        const char *line = text + at, *end = memchr(line, '\n', n - at);
        size_t len = end ? (size_t)(end - line) : n - at;
        at += len + 1;
        while (len > 0 && is_white(line[len - 1]))
            len--;
        struct slot *s = slot_of(w, line, len);
        if (len > 0 && !s->word) /* the first of two equal lines counts */
            *s = (struct slot) { line, (uint32_t)len, w->n_lines };
    }
    for (const char *s = stop; s && *s;) {
        size_t len = 0;
        while (s[len] && !is_white(s[len]))
            len++;
        struct slot *found = slot_of(w, s, len);
        if (len > 0 && found->word)
            found->line = -1;
        s += len + (s[len] != 0);
    }
    return w;
}

struct wordlist *wordlist_parse(const char *text, size_t n, const char *stop, struct err *err)
{
    char *copy = malloc(n + 1);
    if (!copy || n > WORDLIST_BYTES_MAX) {
        free(copy);
        return err_null(err, ERR_LIMIT, "vocabulary: %zu bytes are too many", n);
    }
    memcpy(copy, text, n);
    copy[n] = '\0';
    return make(copy, n, stop, err);
}

struct wordlist *wordlist_read(const char *path, const char *stop, struct err *err)
{
    size_t n;
    char *text = file_read(path, WORDLIST_BYTES_MAX, &n, err);
    return text ? make(text, n, stop, err) : NULL;
}

void wordlist_free(struct wordlist *w)
{
    if (!w)
        return;
    free(w->text);
    free(w->slots);
    free(w);
}

int wordlist_count(const struct wordlist *w) { return w->n_lines; }

int wordlist_find(const struct wordlist *w, const char *word, size_t n)
{
    const struct slot *s = slot_of(w, word, n);
    return s->word ? s->line : -1;
}

static int class_of(char c) /* 0: between words */
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ? 1 : c >= '0' && c <= '9' ? 2 : 0;
}

int wordlist_numbers(const struct wordlist *w, const char *text, size_t n, int64_t *out, int n_max)
{
    int n_out = 0;
    for (size_t at = 0; at < n && n_out < n_max;) {
        const int kind = class_of(text[at]);
        size_t len = 0;
        char word[WORDLIST_WORD_MAX];
        for (; at + len < n && class_of(text[at + len]) == kind; len++)
            if (len < sizeof(word))
                word[len] = (char)(kind == 1 ? text[at + len] | 0x20 : text[at + len]);
        const int line = kind && len <= sizeof(word) ? wordlist_find(w, word, len) : -1;
        if (line >= 0)
            out[n_out++] = line;
        at += len;
    }
    return n_out;
}
