/* task/sentences.c - see sentences.h. */
#include "task/sentences.h"

#include <stdbool.h>
#include <string.h>

#include "base/utf8.h"

static bool is_white(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (unsigned char)c >= 0x80; }

/* Does the word that ends before text[at] (a full stop) not end a sentence? */
static bool is_abbreviation(const char *text, size_t at)
{
    static const char *const known[] = { "mr", "mrs", "ms", "dr", "prof", "st", "jr", "sr", "vs", "etc", "e.g", "i.e", "no", "fig",
                                         "approx", "dept", "est", "gen", "col", "sgt", "capt", "lt", "rev", "hon", "bzw", "z.b", NULL };
    size_t begin = at;
    while (begin > 0 && (is_letter(text[begin - 1]) || text[begin - 1] == '.'))
        begin--;
    const size_t n = at - begin;
    if (n == 1 && text[begin] >= 'A' && text[begin] <= 'Z' && text[begin] != 'I')
        return true; /* an initial */
    for (int i = 0; known[i]; i++) {
        size_t k = 0;
        while (k < n && known[i][k] && ((text[begin + k] | 0x20) == known[i][k] || text[begin + k] == known[i][k]))
            k++;
        if (k == n && !known[i][k])
            return true;
    }
    return false;
}

/* Bytes of the mark of a sentence's end at s: . ! ? and U+2026, U+3002, U+FF01, U+FF1F; 0: none. */
static size_t end_mark(const char *s, size_t n)
{
    if (*s == '.' || *s == '!' || *s == '?')
        return 1;
    static const char wide[][4] = { "\xe2\x80\xa6", "\xe3\x80\x82", "\xef\xbc\x81", "\xef\xbc\x9f" };
    for (size_t i = 0; i < sizeof(wide) / sizeof(*wide); i++)
        if (n >= 3 && memcmp(s, wide[i], 3) == 0)
            return 3;
    return 0;
}

static size_t skip_white(const char *text, size_t n, size_t at, size_t n_max)
{
    while (at < n && at < n_max && is_white(text[at]))
        at++;
    return at;
}

size_t sentence_next(const char *text, size_t n, size_t n_max)
{
    n_max = n_max < 4 ? 4 : n_max;
    const size_t end = n < n_max ? n : n_max;
    size_t clause = 0, word = 0; /* where one could cut */
    size_t at = 0;
    while (at < end && is_white(text[at]))
        at++;
    for (; at < end; at++) {
        const char c = text[at];
        size_t mark = end_mark(text + at, n - at);
        if (mark) {
            const bool is_cjk = mark == 3 && (unsigned char)text[at] != 0xe2; /* no space follows them */
            size_t behind = at + mark;
            while (behind < n && (size_t)0 < (mark = end_mark(text + behind, n - behind)))
                behind += mark;
            while (behind < n && (text[behind] == '"' || text[behind] == '\'' || text[behind] == ')' || text[behind] == ']'))
                behind++;
            if (n - behind >= 3 && behind < n && memcmp(text + behind, "\xe2\x80\x9d", 3) == 0)
                behind += 3; /* U+201D */
            if (behind <= end && (behind == n || is_white(text[behind]) || is_cjk) &&
                !(c == '.' && behind == at + 1 && is_abbreviation(text, at)))
                return skip_white(text, n, behind, end);
            if (behind > at + 1 && behind <= end)
                at = behind - 1;
            continue;
        }
        if (c == '\n') {
            size_t k = at + 1;
            while (k < n && (text[k] == ' ' || text[k] == '\t' || text[k] == '\r'))
                k++;
            if (k < n && text[k] == '\n')
                return skip_white(text, n, at, end);
        }
        if (is_white(c)) {
            word = at + 1;
            if (at > 0 && (text[at - 1] == ',' || text[at - 1] == ';' || text[at - 1] == ':'))
                clause = at + 1;
        }
    }
    if (n <= n_max)
        return n;
    if (clause >= n_max / 4)
        return clause;
    if (word > 0)
        return word;
    size_t cut = end;
    const size_t tail = utf8_incomplete_tail(text, cut);
    return cut - tail > 0 ? cut - tail : cut;
}
