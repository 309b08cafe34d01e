/* route/lines.c - see lines_internal.h. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "route/lines_internal.h"

static bool copy(char *out, size_t max, const char *s, size_t n)
{
    if (!n || n >= max)
        return false;
    memcpy(out, s, n);
    out[n] = '\0';
    return true;
}

static bool split(const char *at, const char *stop, struct line *l)
{
    const char *field[6];
    size_t n[6];
    int k = 0;
    for (const char *tab; k < 6; at = tab + 1) {
        tab = memchr(at, '\t', (size_t)(stop - at));
        field[k] = at, n[k++] = (size_t)((tab ? tab : stop) - at);
        if (!tab)
            break;
        if (k == 6)
            return false;
    }
    if (k != 6 || !copy(l->word, sizeof(l->word), field[2], n[2]))
        return false;
    l->expert = field[0], l->n_expert = n[0], l->node = field[1], l->n_node = n[1];
    for (int i = 0; i < 3; i++) {
        char text[32], *end;
        if (!copy(text, sizeof(text), field[3 + i], n[3 + i]))
            return false;
        l->number[i] = strtod(text, &end);
        if (*end || !isfinite(l->number[i]))
            return false;
    }
    return true;
}

bool lines_take(const char *text, size_t n, const char *what, bool (*take)(void *ctx, const struct line *l), void *ctx, struct err *err)
{
    const char *at = text, *end = text + n;
    for (int number = 1; at < end; number++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        struct line l;
        if (!stop)
            stop = end;
        if (stop > at && (!split(at, stop, &l) || !take(ctx, &l)))
            return err_set(err, ERR_INPUT, "%s: line %d: expert, node, name and three numbers are wanted, tabs between", what, number);
        at = stop < end ? stop + 1 : end;
    }
    return true;
}

static bool is_word(const char *field, size_t n, const char *word) { return strlen(word) == n && memcmp(field, word, n) == 0; }

bool line_is_of(const struct line *l, const struct candidates *world, int i)
{
    const struct candidate *c = &world->list[i];
    return is_word(l->expert, l->n_expert, c->expert) && is_word(l->node, l->n_node, world->nodes[c->node].name) && c->slot >= 0 && c->slot < ROUTE_SLOTS_MAX;
}
