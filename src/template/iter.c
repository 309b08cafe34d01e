/* template/iter.c - walking through values as Python's iter(), next(), reversed(), sorted() do. */
#include "template/run_internal.h"

struct iter *tpl_iter_new(struct render *r, const char *name,
                          int (*next)(struct render *, struct iter *, struct val *), struct val src)
{
    struct iter *it = tpl_alloc(r, 1, sizeof(*it));
    if (it)
        *it = (struct iter){ .next = next, .name = name, .src = src };
    return it;
}

int tpl_next(struct render *r, struct iter *it, struct val *out)
{
    if (!tpl_spend(r, 0) || !tpl_enter(r))
        return -1;
    const int got = it->next(r, it, out);
    tpl_leave(r);
    return got;
}

static int next_item(struct render *r, struct iter *it, struct val *out)
{
    (void)r;
    const struct list *l = it->src.l;
    if (it->i >= l->n) /* asked anew each time: the list may have grown */
        return 0;
    *out = l->items[it->i++];
    return 1;
}

static int next_char(struct render *r, struct iter *it, struct val *out)
{
    const struct str *s = it->src.s;
    uint32_t cp;
    if (it->i >= s->len)
        return 0;
    const size_t n = tpl_decode(s->data + it->i, s->len - it->i, &cp);
    const bool ok = n > 1 ? tpl_str_borrow(r, s->data + it->i, n, out) : tpl_str_new(r, s->data + it->i, n, out);
    it->i += n;
    return ok ? 1 : -1;
}

static int entry(struct render *r, const struct dict_entry *e, enum view_of of, struct val *out)
{
    if (of == VIEW_ITEMS)
        return tpl_pair(r, e->key, e->value, out) ? 1 : -1;
    *out = of == VIEW_KEYS ? e->key : e->value;
    return 1;
}

static int next_entry(struct render *r, struct iter *it, struct val *out)
{
    const bool view = it->src.kind == VAL_VIEW;
    const struct dict *d = view ? it->src.v->d : it->src.d;
    return it->i < d->n ? entry(r, &d->entries[it->i++], view ? it->src.v->of : VIEW_KEYS, out) : 0;
}

static int next_number(struct render *r, struct iter *it, struct val *out)
{
    (void)r;
    const struct range *g = it->src.r;
    if ((int64_t)it->i >= g->n)
        return 0;
    *out = val_int(g->start + (int64_t)it->i++ * g->step);
    return 1;
}

static int next_none(struct render *r, struct iter *it, struct val *out)
{
    (void)r, (void)it, (void)out;
    return 0;
}

static int next_of_loop(struct render *r, struct iter *it, struct val *out)
{
    struct val v;
    const int got = tpl_loop_next(r, it->src.loop, &v);
    return got <= 0 ? got : tpl_pair(r, v, it->src, out) ? 1 : -1;
}

bool tpl_is_iterable(const struct val *v)
{
    switch (v->kind) {
    case VAL_UNDEF: case VAL_STR: case VAL_LIST: case VAL_TUPLE: case VAL_DICT: case VAL_VIEW: case VAL_RANGE:
    case VAL_ITER: case VAL_LOOP: return true;
    default: return false;
    }
}

struct iter *tpl_iter(struct render *r, const struct val *v)
{
    switch (v->kind) {
    case VAL_UNDEF: return tpl_iter_new(r, "generator", next_none, *v);
    case VAL_STR: return tpl_iter_new(r, "str_iterator", next_char, *v);
    case VAL_LIST: return tpl_iter_new(r, "list_iterator", next_item, *v);
    case VAL_TUPLE: return tpl_iter_new(r, "tuple_iterator", next_item, *v);
    case VAL_DICT: case VAL_VIEW: return tpl_iter_new(r, "dict_keyiterator", next_entry, *v);
    case VAL_RANGE: return tpl_iter_new(r, "range_iterator", next_number, *v);
    case VAL_ITER: return v->it;
    case VAL_LOOP: return tpl_iter_new(r, "LoopContext", next_of_loop, *v);
    default: tpl_fail(r, ERR_INPUT, "'%s' object is not iterable", tpl_type_name(v)); return NULL;
    }
}

/* -- backwards: i counts what was given ----------------------------------------------------------------------- */

static int prev_item(struct render *r, struct iter *it, struct val *out)
{
    (void)r;
    const struct list *l = it->src.l;
    if (it->i >= l->n)
        return 0;
    *out = l->items[l->n - ++it->i];
    return 1;
}

static int prev_char(struct render *r, struct iter *it, struct val *out)
{
    const struct str *s = it->src.s;
    if (it->i >= s->len)
        return 0;
    size_t end = s->len - it->i, from = end - 1;
    while (from > 0 && ((unsigned char)s->data[from] & 0xc0) == 0x80)
        from--;
    it->i += end - from;
    return tpl_str_sub(r, s, from, end - from, out) ? 1 : -1;
}

static int prev_entry(struct render *r, struct iter *it, struct val *out)
{
    const bool view = it->src.kind == VAL_VIEW;
    const struct dict *d = view ? it->src.v->d : it->src.d;
    return it->i < d->n ? entry(r, &d->entries[d->n - ++it->i], view ? it->src.v->of : VIEW_KEYS, out) : 0;
}

static int prev_number(struct render *r, struct iter *it, struct val *out)
{
    (void)r;
    const struct range *g = it->src.r;
    if ((int64_t)it->i >= g->n)
        return 0;
    *out = val_int(g->start + (g->n - (int64_t)++it->i) * g->step);
    return 1;
}

bool tpl_reversed(struct render *r, const struct val *v, struct iter **out)
{
    int (*next)(struct render *, struct iter *, struct val *);
    switch (v->kind) {
    case VAL_UNDEF: next = next_none; break;
    case VAL_STR: next = prev_char; break;
    case VAL_LIST: case VAL_TUPLE: next = prev_item; break;
    case VAL_DICT: case VAL_VIEW: next = prev_entry; break;
    case VAL_RANGE: next = prev_number; break;
    default: *out = NULL; return true;
    }
    return (*out = tpl_iter_new(r, v->kind == VAL_LIST ? "list_reverseiterator" : "reversed", next, *v)) != NULL;
}

bool tpl_to_list(struct render *r, const struct val *v, enum val_kind kind, struct val *out)
{
    size_t n = 0;
    struct iter *it = tpl_iter(r, v);
    if (!it)
        return false;
    if (tpl_has_len(v) && v->kind != VAL_LOOP && !tpl_len(r, v, &n))
        return false;
    if (!tpl_list_new(r, n, kind, out))
        return false;
    struct val item;
    int got;
    while ((got = tpl_next(r, it, &item)) > 0)
        if (!tpl_list_push(r, out->l, item))
            return false;
    return got == 0;
}

/* -- sorted(): a merge sort from the bottom up ------------------------------------------------------------------ */

struct pairs {
    struct val *key, *item;
};

static void move(struct pairs to, size_t i, struct pairs from, size_t k)
{
    to.key[i] = from.key[k];
    to.item[i] = from.item[k];
}

/* Merges [lo, mid) and [mid, hi); equal keys stay in order, also when the order is reversed. */
static bool merge(struct render *r, struct pairs from, struct pairs to, size_t lo, size_t mid, size_t hi, bool reverse)
{
    size_t a = lo, b = mid;
    for (size_t i = lo; i < hi; i++) {
        bool second = a == mid;
        if (a < mid && b < hi) {
            if (!tpl_spend(r, 0) || !tpl_order(r, reverse ? CMP_GT : CMP_LT, &from.key[b], &from.key[a], &second))
                return false;
        }
        move(to, i, from, second ? b : a);
        if (second)
            b++;
        else
            a++;
    }
    return true;
}

bool tpl_sort(struct render *r, struct val *keys, struct val *items, size_t n, bool reverse)
{
    struct pairs from = { keys, items }, to = { tpl_alloc(r, n, sizeof(*keys)), tpl_alloc(r, n, sizeof(*items)) };
    if (!to.key || !to.item)
        return false;
    for (size_t width = 1; width < n; width *= 2) {
        for (size_t lo = 0; lo < n; lo += 2 * width) {
            const size_t mid = lo + width < n ? lo + width : n, hi = lo + 2 * width < n ? lo + 2 * width : n;
            if (!merge(r, from, to, lo, mid, hi, reverse))
                return false;
        }
        const struct pairs other = from;
        from = to;
        to = other;
    }
    for (size_t i = 0; from.key != keys && i < n; i++)
        move((struct pairs){ keys, items }, i, from, i);
    return true;
}
