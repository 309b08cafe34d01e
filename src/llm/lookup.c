/* llm/lookup.c - see lookup.h; start at lookup_find(). */
#include "llm/lookup.h"

#include <stdlib.h>

enum {
    TRIES = 24,       /* places with the same two words that are compared */
    NEAR = 64,        /* tokens behind the last place that are searched for one word */
    HEADS_MAX = 1 << 16,
    ALONG_MIN = 4,    /* so long a match makes a place one to go along with */
    ALONG_TOK = 6,    /* after so many words that are different it is left */
};

struct lookup {
    int n_max, n, n_indexed, mask;
    int place, place_n; /* the one gone along with: the token at place stood for that at place_n - 1; -1: none */
    int n_apart;        /* words in a row that were different there */
    int last;           /* where they were equal last; -1: never */
    uint32_t *word;     /* [n_max] */
    int32_t *before[2]; /* [n_max] the place before with the same hash, of one word and of two; -1: none */
    int32_t *head[2];   /* [mask + 1] the last place of each hash */
};

struct lookup *lookup_new(int n_max, struct err *err)
{
    int n_heads = 256;
    while (n_heads < n_max && n_heads < HEADS_MAX)
        n_heads *= 2;
    struct lookup *l = malloc(sizeof(*l) + (2 * (size_t)n_heads + 3 * (size_t)n_max) * sizeof(int32_t));
    if (!l)
        return err_null(err, ERR_NOMEM, "no memory for an index of %d tokens", n_max);
    int32_t *at = (int32_t *)(l + 1);
    *l = (struct lookup){ .n_max = n_max, .mask = n_heads - 1, .place = -1, .last = -1, .head = { at, at + n_heads } };
    at += 2 * n_heads;
    for (int i = 0; i < 2 * n_heads; i++)
        l->head[0][i] = -1;
    l->before[0] = at;
    l->before[1] = at + n_max;
    l->word = (uint32_t *)(at + 2 * (size_t)n_max);
    return l;
}

void lookup_free(struct lookup *l) { free(l); }

int lookup_n(const struct lookup *l) { return l->n; }

/* Of the word at `at`, or of the two that end there. */
static int32_t *head_of(struct lookup *l, int is_pair, int at)
{
    const uint64_t before = is_pair ? (uint64_t)l->word[at - 1] : 0, h = (before << 32 | l->word[at]) * 0x9e3779b97f4a7c15u;
    return &l->head[is_pair][(h ^ h >> 32) & (uint64_t)l->mask];
}

void lookup_add(struct lookup *l, uint32_t word)
{
    if (l->n == l->n_max)
        return;
    l->word[l->n++] = word;
    for (; l->n_indexed < l->n - 1; l->n_indexed++) /* not the end itself */
        for (int is_pair = 0; is_pair < 2 && l->n_indexed >= is_pair; is_pair++) {
            int32_t *head = head_of(l, is_pair, l->n_indexed);
            l->before[is_pair][l->n_indexed] = *head;
            *head = l->n_indexed;
        }
}

/* How many words that end at `at` are equal to those at the end of the text. */
static int match_length(const struct lookup *l, int at)
{
    int k = 0;
    while (k <= at && k < LOOKUP_LENGTH_MAX && l->word[at - k] == l->word[l->n - 1 - k])
        k++;
    return k;
}

/* The place that the text went along with is as far on as the text is; it may be left. */
static void go_along(struct lookup *l)
{
    if (l->place < 0)
        return;
    for (int i = l->place_n; i < l->n; i++)
        l->n_apart = l->word[l->place + 1 + i - l->place_n] == l->word[i] ? 0 : l->n_apart + 1;
    l->place += l->n - l->place_n;
    l->place_n = l->n;
    if (l->n_apart == 0)
        l->last = l->place;
    if (l->n_apart > ALONG_TOK)
        l->place = -1;
}

/* The longest match of two words and more, if longer than *best; another that goes on differently makes it disputed. */
static void find_longest(struct lookup *l, const int32_t *tokens, struct lookup_place *best)
{
    int at[TRIES], length[TRIES], n = 0, rival = 0;
    for (int i = *head_of(l, 1, l->n - 1), tries = 0; i >= 0 && tries < TRIES; i = l->before[1][i], tries++) {
        const int k = match_length(l, i);
        if (k < 2)
            continue;
        at[n] = i;
        length[n++] = k;
        if (k > best->length)
            *best = (struct lookup_place){ .at = i, .length = k, .kind = LOOKUP_SOME };
    }
    for (int i = 0; i < n; i++)
        if (tokens[at[i] + 1] != tokens[best->at + 1] && length[i] > rival)
            rival = length[i];
    if (rival >= 2 && rival >= best->length - 1)
        best->kind = LOOKUP_DISPUTED;
}

/* A place with the last word: soon after the one gone along with, else the latest. */
static void find_one(struct lookup *l, struct lookup_place *best)
{
    const uint32_t word = l->word[l->n - 1];
    for (int i = l->last + 1; l->last >= 0 && i <= l->last + NEAR && i < l->n - 1; i++)
        if (l->word[i] == word) {
            *best = (struct lookup_place){ .at = i, .length = 1, .kind = LOOKUP_ONE_NEAR };
            return;
        }
    for (int i = *head_of(l, 0, l->n - 1), tries = 0; i >= 0 && tries < TRIES; i = l->before[0][i], tries++)
        if (l->word[i] == word) {
            *best = (struct lookup_place){ .at = i, .length = 1, .kind = LOOKUP_ONE };
            return;
        }
}

int lookup_find(struct lookup *l, const int32_t *tokens, struct lookup_place out[LOOKUP_PLACES])
{
    int n = 0;
    if (l->n < 3)
        return 0;
    go_along(l);
    struct lookup_place best = { .at = -1 };
    if (l->place >= 0) {
        best = (struct lookup_place){ .at = l->place, .length = match_length(l, l->place), .kind = LOOKUP_SOME };
        if (best.length == 0) {
            out[n++] = best;
            out[0].kind = l->n_apart < 2 ? LOOKUP_APART_1 : l->n_apart == 2 ? LOOKUP_APART_2 : LOOKUP_APART_3;
        }
    }
    find_longest(l, tokens, &best);
    if (best.length == 0)
        find_one(l, &best);
    if (best.length > 0)
        out[n++] = best;
    return n;
}

void lookup_follow(struct lookup *l, const struct lookup_place *p)
{
    if (p->length < ALONG_MIN || p->at == l->place)
        return;
    l->place = l->last = p->at;
    l->place_n = l->n;
    l->n_apart = 0;
}
