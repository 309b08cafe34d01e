/* token/pretok.c - runs the patterns of pretok.def one inside the other; start reading at pretok_split(). */
#include "token/pretok.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "token/regex.h"
#include "token/unicode.h"

enum { LEVELS_MAX = 6 };

enum rule_id {
#define RULE(id, ...) RULE_##id,
#include "token/pretok.def"
    RULE_COUNT
};

static const struct rule {
    const char *name;
    const char *pattern[LEVELS_MAX + 1]; /* ends with NULL */
} rules[] = {
#define RULE(id, ...) { #id, { __VA_ARGS__ } },
#include "token/pretok.def"
};

static const struct name {
    const char *name;
    enum rule_id rule;
    unsigned flags;
} names[] = {
#define NAME(name, id, flags) { name, RULE_##id, flags },
#include "token/pretok.def"
};

enum { N_NAMES = sizeof(names) / sizeof(names[0]) };

/* One call of pretok_split(). */
struct run {
    const struct pretok *p;
    pretok_fn *fn;
    void *ctx;
};

/* Cuts a piece and hands the parts to split() of the next level. */
typedef bool cut_fn(const struct run *run, int level, const char *s, size_t n);

struct pretok {
    unsigned flags;
    int n_levels;
    struct level {
        cut_fn *cut;
        struct regex *regex; /* NULL for the words with @ */
    } level[LEVELS_MAX];
};

static bool split(const struct run *run, int level, const char *s, size_t n)
{
    if (n == 0)
        return true;
    if (level == run->p->n_levels)
        return run->fn(run->ctx, s, n);
    return run->p->level[level].cut(run, level, s, n);
}

/* ---- the ways to cut, each in one walk over the piece ---- */

static size_t read_char(const char *s, size_t n, uint32_t *cp)
{
    const size_t len = utf8_decode(s, n, cp);
    if (len == 0)
        *cp = 0xfffd;
    return len ? len : 1;
}

static bool cut_by_regex(const struct run *run, int level, const char *s, size_t n)
{
    const struct regex *r = run->p->level[level].regex;
    size_t gap = 0; /* start of what no match has taken yet */
    for (size_t i = 0, len; i < n;) {
        uint32_t cp;
        if ((len = regex_match(r, s + i, n - i)) == 0) {
            i += read_char(s + i, n - i, &cp);
            continue;
        }
        if (!split(run, level + 1, s + gap, i - gap) || !split(run, level + 1, s + i, len))
            return false;
        gap = i += len;
    }
    return split(run, level + 1, s + gap, n - gap);
}

static bool cut_lines(const struct run *run, int level, const char *s, size_t n)
{
    for (size_t from = 0, i = 0; i < n; from = i) {
        while (i < n && (s[i] == '\n') == (s[from] == '\n'))
            i++;
        if (!split(run, level + 1, s + from, i - from))
            return false;
    }
    return true;
}

/* White space that reaches the end, looked at from behind. */
static bool cut_end_space(const struct run *run, int level, const char *s, size_t n)
{
    size_t start = n;
    while (start > 0) {
        size_t back = start - 1;
        uint32_t cp;
        while (back > 0 && ((unsigned char)s[back] & 0xc0) == 0x80)
            back--;
        if (utf8_decode(s + back, start - back, &cp) == 0 || !unicode_is_space(cp))
            break;
        start = back;
    }
    return split(run, level + 1, s, start) && split(run, level + 1, s + start, n - start);
}

/* n_chars characters at s in groups of three, the first one taking what is left over. */
static bool cut_threes(const struct run *run, int level, const char *s, size_t n, size_t n_chars)
{
    for (size_t i = 0; i < n;) {
        const size_t from = i;
        uint32_t cp;
        do
            i += read_char(s + i, n - i, &cp);
        while (--n_chars % 3 != 0);
        if (!split(run, level + 1, s + from, i - from))
            return false;
    }
    return true;
}

/* Runs of characters of these categories, unless one of `but_before` follows. */
static bool cut_runs(const struct run *run, int level, const char *s, size_t n, uint32_t categories, uint32_t but_before)
{
    size_t from = 0, first = 0, n_digits = 0, len; /* from: what was not handed on yet; first: of this run */
    for (size_t i = 0; i <= n; i += len) {
        uint32_t cp = 0;
        len = i < n ? read_char(s + i, n - i, &cp) : 1;
        if (i < n && unicode_is(cp, categories)) {
            first = n_digits++ == 0 ? i : first;
            continue;
        }
        if (n_digits > 0 && !(i < n && unicode_is(cp, but_before))) {
            if (!split(run, level + 1, s + from, first - from) || !cut_threes(run, level, s + first, i - first, n_digits))
                return false;
            from = i;
        }
        n_digits = 0;
    }
    return split(run, level + 1, s + from, n - from);
}

static bool cut_numbers(const struct run *run, int level, const char *s, size_t n)
{
    return cut_runs(run, level, s, n, UNICODE_N, 0);
}
static bool cut_digits(const struct run *run, int level, const char *s, size_t n)
{
    return cut_runs(run, level, s, n, UNICODE_ND, 0);
}
static bool cut_digits_at_word_end(const struct run *run, int level, const char *s, size_t n)
{
    return cut_runs(run, level, s, n, UNICODE_ND, UNICODE_L | UNICODE_M | UNICODE_PC);
}

/* A piece that is white all through, without line ends: 512, 256, ... 2, 1. */
static bool cut_spaces(const struct run *run, int level, const char *s, size_t n)
{
    size_t n_chars = 0;
    for (size_t i = 0; i < n; n_chars++) {
        uint32_t cp;
        i += read_char(s + i, n - i, &cp);
        if (!unicode_is_space(cp) || cp == '\r' || cp == '\n')
            return split(run, level + 1, s, n);
    }
    for (size_t i = 0, take = 512; i < n;) {
        const size_t from = i;
        while (take > n_chars)
            take /= 2;
        uint32_t cp;
        for (size_t k = 0; k < take; k++)
            i += read_char(s + i, n - i, &cp);
        n_chars -= take;
        if (!split(run, level + 1, s + from, i - from))
            return false;
    }
    return true;
}

/* ---- open ---- */

static bool open_level(struct level *l, const char *pattern, struct err *err)
{
    static const struct {
        const char *name;
        cut_fn *cut;
    } known[] = { { "@lines", cut_lines }, { "@end_ws", cut_end_space }, { "@numbers3", cut_numbers },
                  { "@digits3", cut_digits }, { "@digits3_word", cut_digits_at_word_end }, { "@ws512", cut_spaces } };
    if (pattern[0] != '@') {
        l->cut = cut_by_regex;
        return (l->regex = regex_new(pattern, err)) != NULL;
    }
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strcmp(pattern, known[i].name) == 0)
            l->cut = known[i].cut;
    return l->cut || err_set(err, ERR_INTERNAL, "pre-tokenizer: no such word as %s", pattern);
}

struct pretok *pretok_new(const char *name, size_t n, struct err *err)
{
    int i = 0;
    while (i < N_NAMES && (strlen(names[i].name) != n || memcmp(names[i].name, name, n) != 0))
        i++;
    if (i == N_NAMES)
        return err_null(err, ERR_UNSUPPORTED, "unknown pre-tokenizer '%.*s'", n < 60 ? (int)n : 60, name);
    struct pretok *p = calloc(1, sizeof(*p));
    if (!p)
        return err_null(err, ERR_NOMEM, "out of memory");
    p->flags = names[i].flags;
    const struct rule *rule = &rules[names[i].rule];
    for (; rule->pattern[p->n_levels]; p->n_levels++)
        if (!open_level(&p->level[p->n_levels], rule->pattern[p->n_levels], err)) {
            pretok_free(p);
            return NULL;
        }
    return p;
}

void pretok_free(struct pretok *p)
{
    if (!p)
        return;
    for (int i = 0; i < LEVELS_MAX; i++)
        regex_free(p->level[i].regex);
    free(p);
}

unsigned pretok_flags(const struct pretok *p) { return p->flags; }

bool pretok_split(const struct pretok *p, const char *s, size_t n, pretok_fn *fn, void *ctx)
{
    return split(&(struct run){ p, fn, ctx }, 0, s, n);
}

const char *pretok_rule_name(int rule) { return rule >= 0 && rule < RULE_COUNT ? rules[rule].name : NULL; }

const char *pretok_rule_pattern(int rule, int level)
{
    return rule >= 0 && rule < RULE_COUNT && level >= 0 && level <= LEVELS_MAX ? rules[rule].pattern[level] : NULL;
}

const char *pretok_name(int n, int *rule)
{
    if (n < 0 || n >= N_NAMES)
        return NULL;
    *rule = (int)names[n].rule;
    return names[n].name;
}
