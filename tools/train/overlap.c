/* tools/train/overlap.c - see overlap.h. */
#include "overlap.h"

#include <stdlib.h>
#include <string.h>

struct state {
    int next[128]; /* by byte below 128; -1 where there is none */
    int link, len, end; /* end: where in the text a run of this state ends */
};
struct overlap {
    char *text; /* owned: blanks squeezed, bytes from 0x80 as '?' */
    size_t n;
    struct state *state; /* owned, 2 n + 1 */
    int n_states, last;
    size_t best_end, best_len;
};

static bool is_blank(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

static int new_state(struct overlap *o, int len, int end)
{
    struct state *s = &o->state[o->n_states];
    memset(s->next, -1, sizeof(s->next));
    s->len = len, s->end = end, s->link = -1;
    return o->n_states++;
}

static void extend(struct overlap *o, int c, int end)
{
    struct state *s = o->state;
    const int cur = new_state(o, s[o->last].len + 1, end);
    int p = o->last;
    for (; p >= 0 && s[p].next[c] < 0; p = s[p].link)
        s[p].next[c] = cur;
    if (p < 0)
        s[cur].link = 0;
    else {
        const int q = s[p].next[c];
        if (s[q].len == s[p].len + 1)
            s[cur].link = q;
        else {
            const int twin = new_state(o, s[p].len + 1, s[q].end);
            memcpy(s[twin].next, s[q].next, sizeof(s[q].next));
            s[twin].link = s[q].link;
            for (; p >= 0 && s[p].next[c] == q; p = s[p].link)
                s[p].next[c] = twin;
            s[q].link = s[cur].link = twin;
        }
    }
    o->last = cur;
}

struct overlap *overlap_new(const char *text, size_t n, struct err *err)
{
    struct overlap *o = n < 1000000 ? calloc(1, sizeof(*o)) : NULL;
    if (o) {
        o->text = malloc(n + 1);
        o->state = malloc((2 * n + 2) * sizeof(*o->state));
    }
    if (!o || !o->text || !o->state) {
        overlap_free(o);
        return err_null(err, ERR_NOMEM, "overlap: out of memory");
    }
    new_state(o, 0, 0);
    for (size_t i = 0; i < n; i++) {
        if (is_blank(text[i]) && (o->n == 0 || o->text[o->n - 1] == ' '))
            continue;
        const char c = is_blank(text[i]) ? ' ' : (unsigned char)text[i] < 0x80 ? text[i] : '?';
        o->text[o->n++] = c;
        extend(o, c, (int)o->n);
    }
    o->text[o->n] = '\0';
    return o;
}

void overlap_free(struct overlap *o)
{
    if (!o)
        return;
    free(o->text);
    free(o->state);
    free(o);
}

void overlap_walk(struct overlap *o, const char *corpus, size_t n)
{
    const struct state *s = o->state;
    int at = 0, len = 0;
    bool blank = true;
    for (size_t i = 0; i < n; i++) {
        const bool is = is_blank(corpus[i]);
        if (is && blank)
            continue;
        blank = is;
        const int c = is ? ' ' : (unsigned char)corpus[i] < 0x80 ? corpus[i] : 0;
        while (at > 0 && s[at].next[c] < 0)
            at = s[at].link, len = s[at].len;
        if (s[at].next[c] >= 0)
            at = s[at].next[c], len++;
        if ((size_t)len > o->best_len)
            o->best_len = (size_t)len, o->best_end = (size_t)s[at].end;
    }
}

const char *overlap_longest(const struct overlap *o, size_t *n_bytes, size_t *n_words)
{
    size_t from = o->best_end - o->best_len, to = o->best_end;
    while (from < to && from > 0 && o->text[from - 1] != ' ')
        from++;
    while (to > from && to < o->n && o->text[to] != ' ')
        to--;
    while (to > from && o->text[to - 1] == ' ')
        to--;
    *n_bytes = to - from, *n_words = to > from;
    for (size_t i = from; i < to; i++)
        *n_words += o->text[i] == ' ';
    return o->text + from;
}
