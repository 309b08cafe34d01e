/* token/merge.c - the loop that both kinds of BPE share: the best pair of neighbours becomes one symbol,
 * until no pair can; a heap of candidates, O(n log n).  Start reading at merge_symbols().
 *
 * The order is llama.cpp's: lowest key first, leftmost among equals.  A candidate grows stale when one of
 * its symbols was merged with another meanwhile; then the bytes of the two do not add up any more. */
#include "token/token_internal.h"

enum { FAN = 4, LINE_BYTES = 64 };
_Static_assert(FAN * sizeof(struct candidate) == LINE_BYTES, "the children of an item share a cache line");

struct heap {
    struct candidate *item; /* &item[1] lies at the start of a cache line: see merge_symbols() */
    size_t n;
};

static void sift_up(struct heap *h, size_t i)
{
    const struct candidate moved = h->item[i];
    for (size_t parent; i > 0 && moved.key < h->item[parent = (i - 1) / FAN].key; i = parent)
        h->item[i] = h->item[parent];
    h->item[i] = moved;
}

static void sift_down(struct heap *h, size_t i)
{
    const struct candidate moved = h->item[i];
    for (size_t first; (first = FAN * i + 1) < h->n;) {
        const size_t end = first + FAN < h->n ? first + FAN : h->n;
        size_t least = first;
        for (size_t child = first + 1; child < end; child++)
            if (h->item[child].key < h->item[least].key)
                least = child;
        if (moved.key <= h->item[least].key)
            break;
        h->item[i] = h->item[least];
        i = least;
    }
    h->item[i] = moved;
}

static struct candidate pop(struct heap *h)
{
    const struct candidate top = h->item[0];
    h->item[0] = h->item[--h->n];
    if (h->n > 0)
        sift_down(h, 0);
    return top;
}

struct merging {
    const struct vocab *v;
    const char *word;
    merge_find_fn *find;
    struct symbol *symbol;
    struct heap heap;
};

/* The merge of these two, when there is one.  Room: see merge_symbols(). */
static bool find_candidate(const struct merging *m, int32_t left, int32_t right, struct candidate *c)
{
    uint32_t key;
    if (left < 0 || right < 0)
        return false;
    const struct symbol *l = &m->symbol[left], *r = &m->symbol[right];
    if (!m->find(m->v, m->word, l, r, &key))
        return false;
    *c = (struct candidate){ (uint64_t)key << 32 | (uint32_t)left, l->n_bytes + r->n_bytes, (uint32_t)right };
    return true;
}

static void push_candidate(struct merging *m, int32_t left, int32_t right)
{
    if (find_candidate(m, left, right, &m->heap.item[m->heap.n]))
        sift_up(&m->heap, m->heap.n++);
}

bool merge_symbols(const struct tokenize *t, const char *word, size_t n, merge_find_fn *find)
{
    /* At first one candidate for each pair; each merge then takes one and adds at most two. */
    if (!SCRATCH(t->s, heap, 2 * n + FAN + 1, t->err))
        return false;
    const uintptr_t line = ((uintptr_t)(t->s->heap + 1) + LINE_BYTES - 1) / LINE_BYTES * LINE_BYTES;
    struct merging m = { t->v, word, find, t->s->symbol, { (struct candidate *)line - 1, 0 } };
    for (size_t i = 1; i < n; i++)
        m.heap.n += find_candidate(&m, (int32_t)i - 1, (int32_t)i, &m.heap.item[m.heap.n]);
    for (size_t i = m.heap.n / FAN + 1; i-- > 0;) /* all at once: O(n) */
        sift_down(&m.heap, i);
    while (m.heap.n > 0) {
        const struct candidate c = pop(&m.heap);
        const int32_t i = (int32_t)(uint32_t)c.key;
        struct symbol *left = &m.symbol[i], *right = &m.symbol[c.right];
        if (left->n_bytes == 0 || right->n_bytes == 0 || left->n_bytes + right->n_bytes != c.n_bytes)
            continue;
        left->hash = hasher_join(&t->v->hasher, left->hash, right->hash, right->n_bytes);
        left->n_bytes = c.n_bytes;
        left->next = right->next;
        right->n_bytes = 0;
        if (left->next >= 0)
            m.symbol[left->next].prev = i;
        push_candidate(&m, left->prev, i);
        push_candidate(&m, i, left->next);
    }
    return true;
}
