/* token/special.c - finds the tokens that are spelled out in a text: control tokens of a rendered template,
 * and user-defined ones, which come before everything else.  Start reading at special_find().
 *
 * The order is llama.cpp's: longer tokens take their place first, wherever in the text they are, and among
 * equally long ones the leftmost.  That differs from taking the leftmost only where two overlap, so the text
 * is searched once, and only what overlaps is settled length by length.
 */
#include <stdlib.h>
#include <string.h>

#include "token/token_internal.h"

enum {
    BYTES_MAX = 512, /* longer tokens are not looked for: bounds the walk at a place */
};

struct entry {
    const char *text;
    uint32_t n_bytes;
    int32_t id;
};

static int by_text(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    const int order = memcmp(x->text, y->text, x->n_bytes < y->n_bytes ? x->n_bytes : y->n_bytes);
    return order ? order : x->n_bytes < y->n_bytes ? -1 : x->n_bytes > y->n_bytes;
}

static bool is_wanted(const struct vocab *v, int32_t id, unsigned attr, unsigned but_not)
{
    if (!has_attr(v, id, attr) || has_attr(v, id, but_not))
        return false;
    const struct gguf_str s = strings_at(&v->tokens, (uint32_t)id);
    return s.len > 0 && s.len <= BYTES_MAX && strings_find(&v->tokens, hasher_hash(&v->hasher, s.data, s.len), s.data, s.len) == id;
}

bool special_open(struct special_set *set, const struct vocab *v, unsigned attr, unsigned but_not, struct err *err)
{
    bool seen[BYTES_MAX + 1] = { false };
    uint32_t n = 0;
    for (int32_t id = 0; id < vocab_size(v); id++)
        n += is_wanted(v, id, attr, but_not);
    if (n == 0)
        return true;
    struct entry *entry = malloc(n * sizeof(*entry));
    set->id = malloc(n * sizeof(*set->id));
    set->length = malloc(BYTES_MAX * sizeof(*set->length));
    if (!entry || !set->id || !set->length) {
        free(entry);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    for (int32_t id = 0; id < vocab_size(v) && set->n < n; id++)
        if (is_wanted(v, id, attr, but_not)) {
            const struct gguf_str s = strings_at(&v->tokens, (uint32_t)id);
            entry[set->n++] = (struct entry){ s.data, (uint32_t)s.len, id };
        }
    qsort(entry, set->n, sizeof(*entry), by_text);
    for (uint32_t i = 0; i < set->n; i++) {
        const unsigned char c = (unsigned char)entry[i].text[0];
        set->id[i] = entry[i].id;
        set->starts[c / 32] |= 1u << c % 32;
        seen[entry[i].n_bytes] = true;
    }
    for (uint32_t len = BYTES_MAX; len > 0; len--)
        if (seen[len])
            set->length[set->n_lengths++] = len;
    free(entry);
    return true;
}

void special_close(struct special_set *set)
{
    free(set->id), free(set->length);
    memset(set, 0, sizeof(*set));
}

/* The first of id[low..high) whose byte at depth is not below c (all are longer than depth). */
static uint32_t lower_bound(const struct special_set *set, const struct vocab *v, uint32_t low, uint32_t high, size_t depth, unsigned c)
{
    while (low < high) {
        const uint32_t mid = low + (high - low) / 2;
        if ((unsigned char)strings_at(&v->tokens, (uint32_t)set->id[mid]).data[depth] < c)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* The longest one at the start of the text (exact 0), or the one of exactly that length. */
static uint32_t walk(const struct special_set *set, const struct vocab *v, const char *text, size_t n, uint32_t exact, int32_t *id)
{
    uint32_t low = 0, high = set->n, best = 0;
    if (n == 0 || !(set->starts[(unsigned char)text[0] / 32] >> (unsigned char)text[0] % 32 & 1))
        return 0;
    for (uint32_t depth = 0; low < high; depth++) { /* id[low..high) start with the text's first depth bytes */
        if (strings_at(&v->tokens, (uint32_t)set->id[low]).len == depth) {
            if (exact == 0 || exact == depth)
                best = depth, *id = set->id[low];
            low++;
        }
        if (depth == n || (exact > 0 && depth == exact))
            break;
        const unsigned c = (unsigned char)text[depth];
        low = lower_bound(set, v, low, high, depth, c);
        high = lower_bound(set, v, low, high, depth, c + 1);
    }
    return best;
}

uint32_t special_longest(const struct special_set *set, const struct vocab *v, const char *text, size_t n, int32_t *id)
{
    return walk(set, v, text, n, 0, id);
}

/* span[0..n) are the candidates, ascending, with the longest token at each place; keeps those that get it. */
static bool settle(const struct tokenize *t, const struct special_set *set, const char *text, size_t n_text, size_t *n_spans)
{
    const size_t n = *n_spans;
    struct span *span = t->s->span;
    if (!SCRATCH(t->s, limit, n, t->err))
        return false;
    uint32_t *limit = t->s->limit; /* [n]: where the next taken span starts */
    size_t n_free = n;
    for (uint32_t k = 0; k < set->n_lengths && n_free > 0; k++) {
        const uint32_t len = set->length[k];
        uint32_t next = (uint32_t)n_text, covered = 0;
        for (size_t i = n; i-- > 0;) {
            limit[i] = next;
            if (span[i].state == SPAN_TAKEN)
                next = span[i].at;
        }
        for (size_t i = 0; i < n; i++) {
            struct span *s = &span[i];
            if (s->state == SPAN_FREE && s->at < covered) {
                s->state = SPAN_COVERED;
                n_free--;
            } else if (s->state == SPAN_FREE && len <= s->n_bytes && s->at + len <= limit[i] &&
                       (len == s->n_bytes || walk(set, t->v, text + s->at, len, len, &s->id) == len)) {
                s->state = SPAN_TAKEN;
                s->n_bytes = len;
                n_free--;
            }
            if (s->state == SPAN_TAKEN)
                covered = s->at + s->n_bytes;
        }
    }
    *n_spans = 0;
    for (size_t i = 0; i < n; i++)
        if (span[i].state == SPAN_TAKEN)
            span[(*n_spans)++] = span[i];
    return true;
}

bool special_find(const struct tokenize *t, const struct special_set *set, const char *text, size_t n, size_t *n_spans)
{
    uint32_t covered = 0;
    bool overlap = false;
    *n_spans = 0;
    for (size_t i = 0; i < n && set->n > 0; i++) {
        int32_t id = TOKEN_NONE;
        const uint32_t len = walk(set, t->v, text + i, n - i, 0, &id);
        if (len == 0)
            continue;
        if (!SCRATCH(t->s, span, *n_spans + 1, t->err))
            return false;
        t->s->span[(*n_spans)++] = (struct span){ (uint32_t)i, len, id, SPAN_FREE };
        overlap |= i < covered;
        covered = (uint32_t)i + len > covered ? (uint32_t)i + len : covered;
    }
    return !overlap || settle(t, set, text, n, n_spans);
}
