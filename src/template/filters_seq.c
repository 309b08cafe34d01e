/* template/filters_seq.c - filters of lists, dicts and all else that can be walked. */
#include <stdlib.h>

#include "template/filters_internal.h"

/* -- attribute='a.b' ---------------------------------------------------------------------------------------------- */

static bool push_part(struct render *r, struct getter *g, size_t *cap, struct val part)
{
    struct list l = { .items = g->parts, .n = g->n, .cap = *cap };
    if (!tpl_list_push(r, &l, part))
        return false;
    g->parts = l.items;
    g->n = l.n;
    *cap = l.cap;
    return true;
}

static bool getter_of(struct render *r, const struct val *attribute, const char *s, size_t n, struct getter *g)
{
    size_t cap = 0;
    *g = (struct getter){ .preset = { .kind = VAL_MISSING } };
    if (!val_given(attribute) || attribute->kind == VAL_NONE)
        return true;
    if (attribute->kind != VAL_STR)
        return push_part(r, g, &cap, *attribute);
    for (size_t from = 0;;) {
        size_t to = from;
        int64_t index = 0;
        bool digits = true;
        for (; to < n && s[to] != '.'; to++) {
            digits = digits && s[to] >= '0' && s[to] <= '9';
            if (digits && index < INT32_MAX)
                index = index * 10 + (s[to] - '0');
        }
        struct val part;
        if (!tpl_str_borrow(r, s + from, to - from, &part))
            return false;
        tpl_str_n_cp(part.s);
        if (!push_part(r, g, &cap, digits && to > from ? val_int(index) : part))
            return false;
        if (to >= n)
            return true;
        from = to + 1;
    }
}

bool tpl_getter(struct render *r, const struct val *attribute, bool ignore_case, struct getter *g)
{
    const bool text = attribute->kind == VAL_STR;
    if (!getter_of(r, attribute, text ? attribute->s->data : NULL, text ? attribute->s->len : 0, g))
        return false;
    g->ignore_case = ignore_case;
    return true;
}

bool tpl_get_by(struct render *r, const struct getter *g, const struct val *item, struct val *out)
{
    *out = *item;
    for (size_t i = 0; i < g->n; i++) {
        const struct val obj = *out;
        if (!tpl_getitem(r, &obj, &g->parts[i], out))
            return false;
        if (out->kind == VAL_UNDEF && val_given(&g->preset) && g->preset.kind != VAL_NONE)
            *out = g->preset;
    }
    if (!g->ignore_case || out->kind != VAL_STR)
        return true;
    const struct val text = *out;
    return tpl_change_case(r, CASE_LOWER, text.s, out);
}

/* -- generators whose work starts when their first item is wanted ---------------------------------------------------- */

struct deferred {
    struct val self;
    struct call c;
    filter_fn *make; /* gives what is walked */
};

static int next_deferred(struct render *r, struct iter *it, struct val *out)
{
    struct deferred *d = it->more;
    struct val v;
    if (!it->from && (!d->make(r, &d->c, &v) || !(it->from = tpl_iter(r, &v))))
        return -1;
    return tpl_next(r, it->from, out);
}

static bool defer(struct render *r, const struct call *c, filter_fn *make, struct val *out)
{
    struct deferred *d = tpl_alloc(r, 1, sizeof(*d));
    struct iter *it = d ? tpl_iter_new(r, "generator", next_deferred, *c->self) : NULL;
    if (!it)
        return false;
    *d = (struct deferred){ .self = *c->self, .c = *c, .make = make };
    d->c.self = &d->self;
    d->c.a = NULL; /* all arguments are in c.v */
    it->more = d;
    *out = (struct val){ .kind = VAL_ITER, .it = it };
    return true;
}

/* -- simple ones ----------------------------------------------------------------------------------------------------- */

bool filter_attr(struct render *r, const struct call *c, struct val *out)
{
    struct val name;
    bool found;
    if (c->self->kind == VAL_UNDEF)
        return tpl_undef_fail(r, c->self);
    if (!tpl_to_str(r, &c->v[0], &name) || !tpl_attribute(r, c->self, name.s, &found, out))
        return false;
    tpl_str_n_cp(name.s);
    if (!found)
        *out = val_undef_name(c->self->kind, name.s);
    return true;
}

bool filter_length(struct render *r, const struct call *c, struct val *out)
{
    size_t n;
    if (!tpl_len(r, c->self, &n))
        return false;
    *out = val_int((int64_t)n);
    return true;
}

bool filter_default(struct render *r, const struct call *c, struct val *out)
{
    bool boolean, yes = true;
    if (!tpl_arg_bool(r, &c->v[1], false, &boolean))
        return false;
    if (boolean && c->self->kind != VAL_UNDEF && !tpl_truth(r, c->self, &yes))
        return false;
    if (c->self->kind != VAL_UNDEF && yes) {
        *out = *c->self;
        return true;
    }
    if (!val_given(&c->v[0]))
        return tpl_str_borrow(r, "", 0, out);
    *out = c->v[0];
    return true;
}

bool filter_first(struct render *r, const struct call *c, struct val *out)
{
    struct iter *it = tpl_iter(r, c->self);
    const int got = it ? tpl_next(r, it, out) : -1;
    if (got == 0)
        *out = val_undef_hint("No first item, sequence was empty.");
    return got >= 0;
}

bool filter_last(struct render *r, const struct call *c, struct val *out)
{
    struct iter *it;
    if (!tpl_reversed(r, c->self, &it))
        return false;
    if (!it)
        return tpl_type_error(r, "'%s' object is not reversible", tpl_type_name(c->self));
    const int got = tpl_next(r, it, out);
    if (got == 0)
        *out = val_undef_hint("No last item, sequence was empty.");
    return got >= 0;
}

bool filter_list(struct render *r, const struct call *c, struct val *out)
{
    return tpl_to_list(r, c->self, VAL_LIST, out);
}

static bool items_of(struct render *r, const struct call *c, struct val *out)
{
    *out = *c->self;
    if (out->kind == VAL_UNDEF)
        return true;
    if (out->kind != VAL_DICT)
        return tpl_type_error(r, "Can only get item pairs from a mapping.");
    struct view *v = tpl_alloc(r, 1, sizeof(*v));
    if (!v)
        return false;
    *v = (struct view){ c->self->d, VIEW_ITEMS };
    *out = (struct val){ .kind = VAL_VIEW, .v = v };
    return true;
}

bool filter_items(struct render *r, const struct call *c, struct val *out) { return defer(r, c, items_of, out); }

bool filter_join(struct render *r, const struct call *c, struct val *out)
{
    struct getter g;
    struct val item, v, sep;
    struct iter *it = tpl_iter(r, c->self);
    int got = -1;
    if (!it || !tpl_getter(r, &c->v[1], false, &g))
        return false;
    if (!val_given(&c->v[0])) {
        if (!tpl_str_borrow(r, "", 0, &sep))
            return false;
    } else if (!tpl_to_str(r, &c->v[0], &sep))
        return false;
    const size_t mark = tpl_build(r);
    for (bool first = true; (got = tpl_next(r, it, &item)) > 0; first = false) {
        if (!first)
            tpl_put(r, sep.s->data, sep.s->len);
        if (!tpl_get_by(r, &g, &item, &v) || !tpl_put_str(r, &v))
            return false;
    }
    return got == 0 && tpl_built(r, mark, out);
}

bool filter_reverse(struct render *r, const struct call *c, struct val *out)
{
    struct iter *it;
    if (c->self->kind == VAL_STR) {
        struct val part[3] = { { .kind = VAL_MISSING }, { .kind = VAL_MISSING }, val_int(-1) };
        return tpl_slice(r, c->self, part, out);
    }
    if (!tpl_reversed(r, c->self, &it))
        return false;
    if (it) {
        *out = (struct val){ .kind = VAL_ITER, .it = it };
        return true;
    }
    if (!tpl_to_list(r, c->self, VAL_LIST, out))
        return false;
    for (size_t i = 0, n = out->l->n; i < n / 2; i++) {
        const struct val v = out->l->items[i];
        out->l->items[i] = out->l->items[n - 1 - i];
        out->l->items[n - 1 - i] = v;
    }
    return true;
}

/* -- lazy ones: map, select, reject, selectattr, rejectattr; unique ------------------------------------------------------ */

struct lazy {
    int tag; /* LAZY_ */
    struct args a;
    bool started;
    struct getter g;
    bool by_getter;            /* map(attribute=...), selectattr and rejectattr */
    const struct callable *fn; /* the filter of map, the test of the others; NULL: truth */
};

static bool find_fn(struct render *r, struct lazy *z, const struct val *name)
{
    const bool filter = (z->tag & LAZY_KIND) == LAZY_MAP;
    if (name->kind == VAL_STR)
        z->fn = filter ? tpl_find_filter(name->s->data, name->s->len) : tpl_find_test(name->s->data, name->s->len);
    if (z->fn)
        return true;
    return tpl_fail(r, ERR_INPUT, "No %s named '%.*s'", filter ? "filter" : "test",
                    name->kind == VAL_STR ? (int)(name->s->len > 60 ? 60 : name->s->len) : 0,
                    name->kind == VAL_STR ? name->s->data : "");
}

static bool start_map(struct render *r, struct lazy *z)
{
    const struct val *attribute = NULL, *preset = NULL;
    for (size_t i = 0; i < z->a.n_kw; i++) {
        if (str_is(z->a.kw[i].name, "attribute"))
            attribute = &z->a.kw[i].value;
        else if (str_is(z->a.kw[i].name, "default"))
            preset = &z->a.kw[i].value;
    }
    if (z->a.n_pos == 0 && attribute) {
        if (z->a.n_kw != 1u + (preset != NULL))
            return tpl_fail(r, ERR_INPUT, "map: unexpected keyword argument");
        if (!tpl_getter(r, attribute, false, &z->g))
            return false;
        if (preset)
            z->g.preset = *preset;
        return z->by_getter = true;
    }
    if (z->a.n_pos == 0)
        return tpl_fail(r, ERR_INPUT, "map requires a filter argument");
    const struct val name = z->a.pos[0];
    z->a.pos++;
    z->a.n_pos--;
    return find_fn(r, z, &name);
}

static bool start_select(struct render *r, struct lazy *z)
{
    if (z->tag & LAZY_ATTR) {
        if (z->a.n_pos == 0)
            return tpl_fail(r, ERR_INPUT, "Missing parameter for attribute name");
        if (!tpl_getter(r, &z->a.pos[0], false, &z->g))
            return false;
        z->by_getter = true;
        z->a.pos++;
        z->a.n_pos--;
    }
    if (z->a.n_pos == 0)
        return true;
    const struct val name = z->a.pos[0];
    z->a.pos++;
    z->a.n_pos--;
    return find_fn(r, z, &name);
}

/* As in jinja2, all this happens when the first item is wanted. */
static int start(struct render *r, struct iter *it, struct lazy *z)
{
    bool any;
    z->started = true;
    if (!tpl_truth(r, &it->src, &any))
        return -1;
    if (!any)
        return 0;
    if (!((z->tag & LAZY_KIND) == LAZY_MAP ? start_map(r, z) : start_select(r, z)) || !(it->from = tpl_iter(r, &it->src)))
        return -1;
    return 1;
}

static int next_lazy(struct render *r, struct iter *it, struct val *out)
{
    struct lazy *z = it->more;
    struct val item, v;
    int got;
    if (!z->started && (got = start(r, it, z)) <= 0)
        return got;
    if (!it->from)
        return 0;
    while ((got = tpl_next(r, it->from, &item)) > 0) {
        bool yes;
        v = item;
        if (z->by_getter && !tpl_get_by(r, &z->g, &item, &v))
            return -1;
        if (z->fn) {
            const struct val operand = v;
            if (!tpl_call_fn(r, z->fn, &operand, &z->a, &v))
                return -1;
        }
        if ((z->tag & LAZY_KIND) == LAZY_MAP) {
            *out = v;
            return 1;
        }
        if (!tpl_truth(r, &v, &yes))
            return -1;
        if (yes == ((z->tag & LAZY_KIND) == LAZY_SELECT)) {
            *out = item;
            return 1;
        }
    }
    return got;
}

bool filter_lazy(struct render *r, const struct call *c, struct val *out)
{
    struct lazy *z = tpl_alloc(r, 1, sizeof(*z));
    struct iter *it = z ? tpl_iter_new(r, "generator", next_lazy, *c->self) : NULL;
    if (!it)
        return false;
    z->tag = c->me->tag;
    z->a = *c->a; /* kept: copied from the caller's stack */
    z->a.pos = tpl_alloc(r, z->a.n_pos, sizeof(*z->a.pos));
    z->a.kw = tpl_alloc(r, z->a.n_kw, sizeof(*z->a.kw));
    if (!z->a.pos || !z->a.kw)
        return false;
    for (size_t i = 0; i < z->a.n_pos; i++)
        z->a.pos[i] = c->a->pos[i];
    for (size_t i = 0; i < z->a.n_kw; i++)
        z->a.kw[i] = c->a->kw[i];
    it->more = z;
    *out = (struct val){ .kind = VAL_ITER, .it = it };
    return true;
}

struct unique {
    struct getter g;
    struct dict *seen;
};

static int next_unique(struct render *r, struct iter *it, struct val *out)
{
    struct unique *u = it->more;
    struct val key, *have;
    int got;
    while ((got = tpl_next(r, it->from, out)) > 0) {
        if (!tpl_get_by(r, &u->g, out, &key) || !tpl_dict_get(r, u->seen, &key, &have))
            return -1;
        if (!have)
            return tpl_dict_set(r, u->seen, key, val_none()) ? 1 : -1;
    }
    return got;
}

static bool uniques(struct render *r, const struct call *c, struct val *out)
{
    struct unique *u = tpl_alloc(r, 1, sizeof(*u));
    struct iter *it = u ? tpl_iter_new(r, "generator", next_unique, *c->self) : NULL;
    struct val seen;
    bool case_sensitive;
    if (!it || !tpl_arg_bool(r, &c->v[0], false, &case_sensitive) || !tpl_getter(r, &c->v[1], !case_sensitive, &u->g) ||
        !tpl_dict_new(r, 0, &seen) || !(it->from = tpl_iter(r, c->self)))
        return false;
    u->seen = seen.d;
    it->more = u;
    *out = (struct val){ .kind = VAL_ITER, .it = it };
    return true;
}

bool filter_unique(struct render *r, const struct call *c, struct val *out) { return defer(r, c, uniques, out); }

/* -- rows ------------------------------------------------------------------------------------------------------------------ */

static bool batches(struct render *r, const struct call *c, struct val *out)
{
    int64_t size;
    struct iter *it = tpl_iter(r, c->self);
    struct val item, row = { .kind = VAL_MISSING };
    int got;
    if (!it || !tpl_arg_int(r, &c->v[0], 0, &size) || !tpl_list_new(r, 0, VAL_LIST, out))
        return false;
    while ((got = tpl_next(r, it, &item)) > 0) {
        if (row.kind == VAL_MISSING || (int64_t)row.l->n == size)
            if (!tpl_list_new(r, 0, VAL_LIST, &row) || !tpl_list_push(r, out->l, row))
                return false;
        if (!tpl_list_push(r, row.l, item))
            return false;
    }
    if (got < 0)
        return false;
    while (row.kind == VAL_LIST && val_given(&c->v[1]) && c->v[1].kind != VAL_NONE && (int64_t)row.l->n < size)
        if (!tpl_spend(r, 0) || !tpl_list_push(r, row.l, c->v[1]))
            return false;
    return true;
}

bool filter_batch(struct render *r, const struct call *c, struct val *out) { return defer(r, c, batches, out); }

static bool slices(struct render *r, const struct call *c, struct val *out)
{
    int64_t n_slices;
    struct val all, row;
    if (!tpl_arg_int(r, &c->v[0], 0, &n_slices) || !tpl_to_list(r, c->self, VAL_LIST, &all) ||
        !tpl_list_new(r, 0, VAL_LIST, out))
        return false;
    if (n_slices == 0)
        return tpl_fail(r, ERR_INPUT, "integer division or modulo by zero");
    const int64_t n = (int64_t)all.l->n, each = n_slices > 0 ? n / n_slices : 0, extra = n_slices > 0 ? n % n_slices : 0;
    int64_t at = 0;
    for (int64_t i = 0; i < n_slices; i++) {
        if (!tpl_spend(r, 0) || !tpl_list_new(r, 0, VAL_LIST, &row) || !tpl_list_push(r, out->l, row))
            return false;
        for (const int64_t end = at + each + (i < extra); at < end; at++)
            if (!tpl_list_push(r, row.l, all.l->items[at]))
                return false;
        if (val_given(&c->v[1]) && c->v[1].kind != VAL_NONE && i >= extra && !tpl_list_push(r, row.l, c->v[1]))
            return false;
    }
    return true;
}

bool filter_slice(struct render *r, const struct call *c, struct val *out) { return defer(r, c, slices, out); }

/* -- order -------------------------------------------------------------------------------------------------------------------- */

/* A list of the keys by which sort orders: one value, or a list of them for 'a,b'. */
static bool sort_keys(struct render *r, const struct val *attribute, bool ignore_case, const struct list *items,
                      struct val **out)
{
    struct val *keys = *out = tpl_alloc(r, items->n, sizeof(*keys));
    const struct str *s = attribute->kind == VAL_STR ? attribute->s : NULL;
    if (!keys)
        return false;
    for (size_t i = 0; i < items->n; i++)
        if (!tpl_list_new(r, 1, VAL_LIST, &keys[i]))
            return false;
    for (size_t from = 0;;) {
        size_t to = from;
        while (s && to < s->len && s->data[to] != ',')
            to++;
        struct getter g;
        struct val key;
        if (!getter_of(r, attribute, s ? s->data + from : NULL, to - from, &g))
            return false;
        g.ignore_case = ignore_case;
        for (size_t i = 0; i < items->n; i++)
            if (!tpl_get_by(r, &g, &items->items[i], &key) || !tpl_list_push(r, keys[i].l, key))
                return false;
        if (!s || to >= s->len)
            return true;
        from = to + 1;
    }
}

bool filter_sort(struct render *r, const struct call *c, struct val *out)
{
    bool reverse, case_sensitive;
    struct val *keys;
    return tpl_arg_bool(r, &c->v[0], false, &reverse) && tpl_arg_bool(r, &c->v[1], false, &case_sensitive) &&
           tpl_to_list(r, c->self, VAL_LIST, out) && sort_keys(r, &c->v[2], !case_sensitive, out->l, &keys) &&
           tpl_sort(r, keys, out->l->items, out->l->n, reverse);
}

bool filter_dictsort(struct render *r, const struct call *c, struct val *out)
{
    bool case_sensitive, reverse;
    const struct val *by = &c->v[1];
    const struct dict *d = c->self->d;
    if (!tpl_arg_bool(r, &c->v[0], false, &case_sensitive) || !tpl_arg_bool(r, &c->v[2], false, &reverse))
        return false;
    const bool by_value = by->kind == VAL_STR && str_is(by->s, "value");
    if (val_given(by) && !by_value && !(by->kind == VAL_STR && str_is(by->s, "key")))
        return tpl_fail(r, ERR_INPUT, "You can only sort by either \"key\" or \"value\"");
    if (c->self->kind != VAL_DICT)
        return c->self->kind == VAL_UNDEF ? tpl_undef_fail(r, c->self)
                                          : tpl_type_error(r, "'%s' object has no attribute 'items'", tpl_type_name(c->self));
    struct getter g = { .ignore_case = !case_sensitive, .preset = { .kind = VAL_MISSING } };
    struct val *keys = tpl_alloc(r, d->n, sizeof(*keys)), pair;
    if (!keys || !tpl_list_new(r, d->n, VAL_LIST, out))
        return false;
    for (size_t i = 0; i < d->n; i++)
        if (!tpl_get_by(r, &g, by_value ? &d->entries[i].value : &d->entries[i].key, &keys[i]) ||
            !tpl_pair(r, d->entries[i].key, d->entries[i].value, &pair) || !tpl_list_push(r, out->l, pair))
            return false;
    return tpl_sort(r, keys, out->l->items, d->n, reverse);
}

bool filter_groupby(struct render *r, const struct call *c, struct val *out)
{
    bool case_sensitive;
    struct getter g;
    struct val all, *keys;
    if (!tpl_arg_bool(r, &c->v[2], false, &case_sensitive) || !tpl_getter(r, &c->v[0], !case_sensitive, &g) ||
        !tpl_to_list(r, c->self, VAL_LIST, &all) || !tpl_list_new(r, 0, VAL_LIST, out) ||
        !(keys = tpl_alloc(r, all.l->n, sizeof(*keys))))
        return false;
    g.preset = c->v[1];
    for (size_t i = 0; i < all.l->n; i++)
        if (!tpl_get_by(r, &g, &all.l->items[i], &keys[i]))
            return false;
    if (!tpl_sort(r, keys, all.l->items, all.l->n, false))
        return false;
    struct val group, items, key;
    g.ignore_case = false; /* the group is named as its first member is */
    for (size_t i = 0; i < all.l->n; i++) {
        bool same = false;
        if (i > 0 && !tpl_eq(r, &keys[i - 1], &keys[i], &same))
            return false;
        if (!same) {
            if (!tpl_list_new(r, 0, VAL_LIST, &items) || !tpl_get_by(r, &g, &all.l->items[i], &key) ||
                !tpl_pair(r, key, items, &group) || !tpl_list_push(r, out->l, group))
                return false;
            group.l->group = true;
        }
        if (!tpl_list_push(r, items.l, all.l->items[i]))
            return false;
    }
    return true;
}
