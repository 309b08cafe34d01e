/* catalog/find.c - finds the row that people mean by a name; start at catalog_find().
 *
 * A name becomes words: lower case, split where a letter or digit ends ("GeForce RTX 4060 Ti 8GB": geforce rtx 4060 ti
 * 8gb).  Words that only say who made it, or that it is a processor, are noise.  The kinds of match, best first:
 *   EXACT    the name or an alias, letter by letter but for case
 *   SAME     all letters and digits are the same, in order, with or without the noise, or an alias is
 *   SHORT    the same when a series ("RTX", "Core") is left out too: "4090"
 *   PART     the query is whole words of the name in a row, or all its words are words of the name
 *   LONGER   all words of the name are in the query (what drivers and /proc/cpuinfo call a part)
 * The best kind that any row has decides; one row of that kind is the answer.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "catalog/catalog.h"
#include "catalog/catalog_internal.h"

enum { NAME_MAX_BYTES = 160, WORDS_MAX = 24, NEAR_MAX = 3, LISTED_MAX = 6, QUERY_MAX_BYTES = 256 };
enum match { MATCH_NONE, MATCH_LONGER, MATCH_PART, MATCH_SHORT, MATCH_SAME, MATCH_EXACT };

struct words {
    char text[NAME_MAX_BYTES]; /* the letters and digits, lower case, without anything between */
    int start[WORDS_MAX + 1];  /* of each word in text; start[n] is the end */
    int n;
};

static const char *const noise[] = { "nvidia", "geforce", "amd", "radeon", "intel", "apple", "instinct", "r",  "tm",       "c",     "corporation", "inc",
                                     "gpu",    "cpu",     "igpu", "processor", "graphics", "card", "the",   "generation", "core", "series" };
static const char *const series[] = { "rtx", "gtx", "rx", "ryzen", "epyc", "xeon", "tesla", "threadripper", "snapdragon" };

static bool is_one_of(const char *const *list, size_t n, const char *word, int len)
{
    for (size_t i = 0; i < n; i++)
        if (strlen(list[i]) == (size_t)len && memcmp(list[i], word, (size_t)len) == 0)
            return true;
    return false;
}
static bool is_noise(const char *w, int len) { return is_one_of(noise, sizeof(noise) / sizeof(noise[0]), w, len); }
static bool is_series(const char *w, int len) { return is_one_of(series, sizeof(series) / sizeof(series[0]), w, len); }

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c; }
static bool is_word_char(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || (unsigned char)c >= 0x80; }

/* "i7-8550U CPU @ 1.80GHz", "7950X 16-Core Processor": the speed and the number of cores are no part of a name. */
static bool is_tail(const char *s, int len)
{
    if (*s == '@')
        return true;
    int digits = 0;
    while (digits < len && s[digits] >= '0' && s[digits] <= '9')
        digits++;
    return digits > 0 && (strncmp(s + digits, "-Core Processor", 15) == 0 || strncmp(s + digits, "-core processor", 15) == 0);
}

static void split(const char *s, struct words *w)
{
    int len = 0;
    w->n = 0;
    while (*s && w->n < WORDS_MAX && len < NAME_MAX_BYTES - 1) {
        if (is_tail(s, (int)strlen(s)))
            break;
        if (!is_word_char(lower(*s))) {
            s++;
            continue;
        }
        w->start[w->n++] = len;
        while (is_word_char(lower(*s)) && len < NAME_MAX_BYTES - 1)
            w->text[len++] = lower(*s++);
    }
    w->start[w->n] = len;
    w->text[len] = '\0';
}

static int word_len(const struct words *w, int i) { return w->start[i + 1] - w->start[i]; }
static const char *word(const struct words *w, int i) { return w->text + w->start[i]; }

/* The words that are not noise (level 1), nor a series (level 2); all of them when nothing would be left. */
static void thin(const struct words *from, int level, struct words *to)
{
    int len = 0;
    to->n = 0;
    for (int i = 0; i < from->n; i++) {
        const int n = word_len(from, i);
        if (is_noise(word(from, i), n) || (level > 1 && is_series(word(from, i), n)))
            continue;
        to->start[to->n++] = len;
        memcpy(to->text + len, word(from, i), (size_t)n);
        len += n;
    }
    if (!to->n)
        *to = *from;
    else {
        to->start[to->n] = len;
        to->text[len] = '\0';
    }
}

static bool has_word(const struct words *w, const char *s, int n)
{
    for (int i = 0; i < w->n; i++)
        if (word_len(w, i) == n && memcmp(word(w, i), s, (size_t)n) == 0)
            return true;
    return false;
}

static bool has_all(const struct words *big, const struct words *small)
{
    for (int i = 0; i < small->n; i++)
        if (!has_word(big, word(small, i), word_len(small, i)))
            return false;
    return small->n > 0;
}

/* Whole words in a row of `name`, written together: "4070tisuper" in "rtx 4070 ti super". */
static bool is_run_of_words(const struct words *name, const char *query)
{
    const int n = (int)strlen(query);
    for (int i = 0; n && i < name->n; i++)
        for (int k = i + 1; k <= name->n; k++)
            if (name->start[k] - name->start[i] == n && memcmp(word(name, i), query, (size_t)n) == 0)
                return true;
    return false;
}

struct query {
    const char *text;
    struct words all, bare, bones; /* as given; without noise; without series too */
};

static enum match match_name(const struct query *q, const char *name)
{
    struct words all, bare, bones;
    split(name, &all);
    thin(&all, 1, &bare);
    thin(&all, 2, &bones);
    if (!q->all.n || !all.n)
        return MATCH_NONE;
    if (strcasecmp(q->text, name) == 0)
        return MATCH_EXACT;
    if (strcmp(q->all.text, all.text) == 0 || strcmp(q->bare.text, bare.text) == 0)
        return MATCH_SAME;
    if (strcmp(q->bones.text, bones.text) == 0)
        return MATCH_SHORT;
    if (is_run_of_words(&all, q->all.text) || is_run_of_words(&bare, q->bare.text) || has_all(&all, &q->all) || has_all(&all, &q->bare))
        return MATCH_PART;
    return has_all(&q->all, &bare) ? MATCH_LONGER : MATCH_NONE;
}

static enum match match_row(const struct query *q, const struct catalog_row *r)
{
    enum match best = match_name(q, r->cells[0]);
    const char *alias = catalog_text(r, "alias"); /* further names, separated by ';' */
    while (*alias && best < MATCH_EXACT) {
        char one[NAME_MAX_BYTES];
        const size_t n = strcspn(alias, ";");
        snprintf(one, sizeof(one), "%.*s", (int)n, alias);
        const enum match m = match_name(q, one);
        best = m > best ? m : best;
        alias += n + (alias[n] == ';');
    }
    return best;
}

static void read_query(struct query *q, const char *text)
{
    char cut[QUERY_MAX_BYTES];
    snprintf(cut, sizeof(cut), "%s", text);
    q->text = text;
    split(cut, &q->all);
    thin(&q->all, 1, &q->bare);
    thin(&q->all, 2, &q->bones);
}

/* LONGER: the name with the most letters says most ("Ryzen 9 7900X" before "Ryzen 9"). */
static int letters_of(const struct catalog_row *r)
{
    struct words all, bare;
    split(r->cells[0], &all);
    thin(&all, 1, &bare);
    return bare.start[bare.n];
}

static int find(const struct catalog_table *t, const char *text, const struct catalog_row **rows, int max, enum match *kind)
{
    struct query q;
    int n = 0, letters = 0;
    enum match best = MATCH_NONE;
    read_query(&q, text);
    for (int i = 0; i < t->n_rows; i++) {
        const enum match m = match_row(&q, t->rows[i]);
        const int l = m == MATCH_LONGER ? letters_of(t->rows[i]) : 0;
        if (m == MATCH_NONE || m < best || (m == best && l < letters))
            continue;
        if (m > best || l > letters)
            n = 0;
        best = m;
        letters = l;
        if (n < max)
            rows[n] = t->rows[i];
        n++;
    }
    *kind = best;
    return n < max ? n : max;
}

int catalog_find_all(const struct catalog_table *t, const char *query, const struct catalog_row **rows, int max)
{
    enum match kind;
    return find(t, query, rows, max, &kind);
}

/* Edits (insert, delete, replace, swap of neighbours) from a to b, for names of at most 63 letters; Damerau 1964. */
static int distance(const char *a, const char *b)
{
    enum { N = 64 };
    const int na = (int)strlen(a), nb = (int)strlen(b);
    int d[3][N + 1];
    if (na >= N || nb >= N)
        return N;
    for (int j = 0; j <= nb; j++)
        d[0][j] = j;
    for (int i = 1; i <= na; i++) {
        int *now = d[i % 3];
        const int *before = d[(i + 2) % 3], *two_before = d[(i + 1) % 3];
        now[0] = i;
        for (int j = 1; j <= nb; j++) {
            int v = before[j - 1] + (a[i - 1] != b[j - 1]);
            v = before[j] + 1 < v ? before[j] + 1 : v;
            v = now[j - 1] + 1 < v ? now[j - 1] + 1 : v;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && two_before[j - 2] + 1 < v)
                v = two_before[j - 2] + 1;
            now[j] = v;
        }
    }
    return d[na % 3][nb];
}

struct near {
    const struct catalog_row *row;
    int edits;
};

/* Keeps the NEAR_MAX nearest names of t. */
static void add_near(const struct catalog_table *t, const char *text, struct near near[NEAR_MAX])
{
    struct query q;
    read_query(&q, text);
    const int n = (int)strlen(q.bones.text), limit = n < 4 ? 1 : n < 8 ? 2 : 3;
    for (int i = 0; i < t->n_rows; i++) {
        struct words all, bones;
        split(t->rows[i]->cells[0], &all);
        thin(&all, 2, &bones);
        struct near one = { t->rows[i], distance(q.bones.text, bones.text) };
        for (int k = 0; k < NEAR_MAX && one.edits <= limit; k++)
            if (!near[k].row || one.edits < near[k].edits) {
                const struct near moved = near[k];
                near[k] = one;
                one = moved;
                if (!one.row)
                    break;
            }
    }
}

static void *fail_several(const char *what, const char *query, const struct catalog_row *const *rows, int n, struct err *err)
{
    char list[208] = "";
    size_t len = 0;
    int i = 0;
    for (; i < n && i < LISTED_MAX && len < sizeof(list) - 40; i++)
        len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%.38s", i ? ", " : "", rows[i]->cells[0]);
    return err_null(err, ERR_INPUT, "%s '%.40s': which one? %s%s", what, query, list, i < n ? ", ..." : "");
}

static void *fail_none(const char *what, const char *query, const struct near near[NEAR_MAX], struct err *err)
{
    char list[160] = "";
    size_t len = 0;
    for (int i = 0; i < NEAR_MAX && near[i].row; i++)
        len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%.40s", i ? ", " : "", near[i].row->cells[0]);
    return list[0] ? err_null(err, ERR_NOT_FOUND, "%s '%.40s': not in the catalog; near: %s", what, query, list)
                   : err_null(err, ERR_NOT_FOUND, "%s '%.40s': not in the catalog", what, query);
}

const struct catalog_row *catalog_find(const struct catalog_table *t, const char *query, struct err *err)
{
    const struct catalog_row *rows[LISTED_MAX + 1];
    struct near near[NEAR_MAX] = { { 0 } };
    const int n = catalog_find_all(t, query, rows, LISTED_MAX + 1);
    if (n == 1)
        return rows[0];
    if (n > 1)
        return fail_several(t->name, query, rows, n, err);
    add_near(t, query, near);
    return fail_none(t->name, query, near, err);
}

const struct catalog_row *catalog_find_in(struct catalog *c, const char *tables, const char *query, struct err *err)
{
    const struct catalog_row *best_rows[LISTED_MAX + 1], *rows[LISTED_MAX + 1];
    struct near near[NEAR_MAX] = { { 0 } };
    enum match best = MATCH_NONE, kind;
    int n_best = 0;
    for (const char *p = tables; *p;) {
        char name[32];
        const size_t n = strcspn(p, " ");
        snprintf(name, sizeof(name), "%.*s", (int)n, p);
        p += n + (p[n] == ' ');
        const struct catalog_table *t = catalog_table(c, name, err);
        if (!t)
            return NULL;
        const int got = find(t, query, rows, LISTED_MAX + 1, &kind);
        if (kind > best) {
            best = kind;
            n_best = got;
            memcpy(best_rows, rows, (size_t)got * sizeof(rows[0]));
        }
        add_near(t, query, near);
    }
    if (n_best == 1)
        return best_rows[0];
    return n_best ? fail_several("hardware", query, best_rows, n_best, err) : fail_none("hardware", query, near, err);
}
