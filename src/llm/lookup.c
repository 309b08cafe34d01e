/* llm/lookup.c - see lookup.h; start at lookup_find(). */
#include "llm/lookup.h"

#include <stdlib.h>

enum {
    TRIES = 24,       /* places with the same two tokens that are compared */
    HEADS_MAX = 1 << 16,
    ALONG_MIN = 4,    /* so long a match makes a place one to go along with */
    ALONG_TOK = 6,    /* after so many tokens that are different it is left */
};

struct lookup {
    int n_max, n_added, mask;
    int place, place_n; /* the last one: tokens[place] stood for tokens[place_n - 1]; -1: none */
    int n_apart;        /* tokens in a row that were different there */
    int32_t *before;    /* [n_max] the place before with the same hash; -1: none */
    int32_t head[];     /* [mask + 1] the last place of each hash */
};

struct lookup *lookup_new(int n_max, struct err *err)
{
    int n_heads = 256;
    while (n_heads < n_max && n_heads < HEADS_MAX)
        n_heads *= 2;
    struct lookup *l = malloc(sizeof(*l) + ((size_t)n_heads + (size_t)n_max) * sizeof(int32_t));
    if (!l)
        return err_null(err, ERR_NOMEM, "no memory for an index of %d tokens", n_max);
    *l = (struct lookup){ .n_max = n_max, .mask = n_heads - 1, .place = -1, .before = l->head + n_heads };
    for (int i = 0; i < n_heads; i++)
        l->head[i] = -1;
    return l;
}

void lookup_free(struct lookup *l) { free(l); }

/* Of the two tokens that end at `at`. */
static int32_t *head_of(struct lookup *l, const int32_t *tokens, int at)
{
    uint64_t h = ((uint64_t)(uint32_t)tokens[at - 1] << 32 | (uint32_t)tokens[at]) * 0x9e3779b97f4a7c15u;
    return &l->head[(h ^ h >> 32) & (uint64_t)l->mask];
}

/* How many tokens that end at `place` are equal to those at the end of the text. */
static int match_length(const int32_t *tokens, int n, int place)
{
    int k = 0;
    while (k <= place && k < LOOKUP_LENGTH_MAX && tokens[place - k] == tokens[n - 1 - k])
        k++;
    return k;
}

/* The place that the text went along with, as far on as the text is; -1 when it is left. */
static int go_along(struct lookup *l, const int32_t *tokens, int n)
{
    if (l->place < 0)
        return -1;
    for (int i = l->place_n; i < n; i++)
        l->n_apart = tokens[l->place + 1 + i - l->place_n] == tokens[i] ? 0 : l->n_apart + 1;
    l->place += n - l->place_n;
    l->place_n = n;
    if (l->n_apart > ALONG_TOK)
        l->place = -1;
    return l->place;
}

int lookup_find(struct lookup *l, const int32_t *tokens, int n, int32_t *out, int n_out, int *length)
{
    *length = 0;
    if (n < 3 || n > l->n_max || n_out < 1)
        return 0;
    for (l->n_added = l->n_added < 1 ? 1 : l->n_added; l->n_added < n - 1; l->n_added++) { /* not the end itself */
        int32_t *head = head_of(l, tokens, l->n_added);
        l->before[l->n_added] = *head;
        *head = l->n_added;
    }
    const int along = go_along(l, tokens, n);
    int best = along, best_length = along < 0 ? 0 : match_length(tokens, n, along), tries = 0;
    for (int at = *head_of(l, tokens, n - 1); at >= 0 && tries < TRIES && best_length < LOOKUP_LENGTH_MAX; at = l->before[at], tries++) {
        const int k = match_length(tokens, n, at);
        if (k >= 2 && k > best_length) {
            best = at;
            best_length = k;
        }
    }
    if (best < 0)
        return 0;
    if (best_length >= ALONG_MIN && best != l->place) {
        l->place = best;
        l->place_n = n;
        l->n_apart = 0;
    }
    *length = best_length;
    for (int i = 0; i < n_out; i++)
        out[i] = best + 1 + i < n ? tokens[best + 1 + i] : out[best + 1 + i - n];
    return n_out;
}
