/* template/methods.c - the methods of lists, dicts and the small objects; strings have theirs in
 * str_methods.c. */
#include "template/run_internal.h"

static bool count_items(struct render *r, const struct call *c, struct val *out)
{
    const struct list *l = c->self->l;
    int64_t n = 0;
    for (size_t i = 0; i < l->n; i++) {
        bool same;
        if (!tpl_spend(r, 0) || !tpl_eq(r, &l->items[i], &c->v[0], &same))
            return false;
        n += same;
    }
    *out = val_int(n);
    return true;
}

static bool index_of(struct render *r, const struct call *c, struct val *out)
{
    const struct list *l = c->self->l;
    int64_t from, to;
    if (!tpl_arg_int(r, &c->v[1], 0, &from) || !tpl_arg_int(r, &c->v[2], (int64_t)l->n, &to))
        return false;
    const int64_t n = (int64_t)l->n;
    from = from < 0 ? (from < -n ? 0 : from + n) : from;
    to = to < 0 ? to + n : to > n ? n : to;
    for (int64_t i = from; i < to; i++) {
        bool same;
        if (!tpl_spend(r, 0) || !tpl_eq(r, &l->items[i], &c->v[0], &same))
            return false;
        if (same) {
            *out = val_int(i);
            return true;
        }
    }
    return tpl_fail(r, ERR_INPUT, "%s.index(x): x not in %s", tpl_type_name(c->self), tpl_type_name(c->self));
}

static bool append(struct render *r, const struct call *c, struct val *out)
{
    *out = val_none();
    return tpl_list_push(r, c->self->l, c->v[0]);
}

static bool pop(struct render *r, const struct call *c, struct val *out)
{
    struct list *l = c->self->l;
    int64_t i;
    if (!tpl_arg_int(r, &c->v[0], -1, &i))
        return false;
    if (l->n == 0)
        return tpl_fail(r, ERR_INPUT, "pop from empty list");
    i = i < 0 ? i + (int64_t)l->n : i;
    if (i < 0 || (size_t)i >= l->n)
        return tpl_fail(r, ERR_INPUT, "pop index out of range");
    if (l->n_used && !tpl_list_own(r, l, l->n))
        return false;
    *out = l->items[i];
    l->n--;
    memmove(&l->items[i], &l->items[i + 1], (l->n - (size_t)i) * sizeof(*l->items));
    return tpl_spend(r, (l->n - (size_t)i) * sizeof(*l->items));
}

static bool clear(struct render *r, const struct call *c, struct val *out)
{
    c->self->l->n = 0;
    *out = val_none();
    return tpl_list_own(r, c->self->l, 0);
}

static bool copy_list(struct render *r, const struct call *c, struct val *out)
{
    return tpl_to_list(r, c->self, VAL_LIST, out);
}

static bool get(struct render *r, const struct call *c, struct val *out)
{
    struct val *have;
    if (!tpl_dict_get(r, c->self->d, &c->v[0], &have))
        return false;
    *out = have ? *have : val_given(&c->v[1]) ? c->v[1] : val_none();
    return true;
}

static bool view(struct render *r, const struct call *c, struct val *out)
{
    struct view *v = tpl_alloc(r, 1, sizeof(*v));
    if (!v)
        return false;
    *v = (struct view){ c->self->d, (enum view_of)c->me->tag };
    *out = (struct val){ .kind = VAL_VIEW, .v = v };
    return true;
}

static bool copy_dict(struct render *r, const struct call *c, struct val *out)
{
    const struct dict *d = c->self->d;
    if (!tpl_dict_new(r, d->n, out))
        return false;
    for (size_t i = 0; i < d->n; i++)
        if (!tpl_dict_set(r, out->d, d->entries[i].key, d->entries[i].value))
            return false;
    return true;
}

static bool cycler_next(struct render *r, const struct call *c, struct val *out)
{
    (void)r;
    struct cycler *y = c->self->cycler;
    *out = y->items.items[y->pos];
    y->pos = (y->pos + 1) % y->items.n;
    return true;
}

static bool cycler_reset(struct render *r, const struct call *c, struct val *out)
{
    (void)r;
    c->self->cycler->pos = 0;
    *out = val_none();
    return true;
}

static bool is_integer(struct render *r, const struct call *c, struct val *out)
{
    (void)r;
    *out = val_bool(c->self->kind != VAL_FLOAT || (c->self->f - c->self->f == 0.0 && c->self->f == (double)(int64_t)c->self->f));
    return true;
}

static bool loop_cycle(struct render *r, const struct call *c, struct val *out)
{
    if (c->a->n_pos == 0 || c->a->n_kw > 0)
        return tpl_type_error(r, "no items for cycling given");
    *out = c->a->pos[(size_t)c->self->loop->index0 % c->a->n_pos];
    return true;
}

static bool loop_changed(struct render *r, const struct call *c, struct val *out)
{
    struct loop *l = c->self->loop;
    struct val now;
    bool same = false;
    if (c->a->n_kw > 0)
        return tpl_type_error(r, "changed() takes no keyword arguments");
    if (!tpl_list_new(r, c->a->n_pos, VAL_TUPLE, &now))
        return false;
    for (size_t i = 0; i < c->a->n_pos; i++)
        if (!tpl_list_push(r, now.l, c->a->pos[i]))
            return false;
    if (l->last_changed.kind == VAL_TUPLE && !tpl_eq(r, &l->last_changed, &now, &same))
        return false;
    l->last_changed = now;
    *out = val_bool(!same);
    return true;
}

#define FIND(table) tpl_find_in(table, sizeof(table) / sizeof(table[0]), name, len)

const struct callable *tpl_find_method(enum val_kind kind, const char *name, size_t len)
{
    static const struct callable of_lists[] = {
        { "append", "/item", append, 0 },
        { "clear", "/", clear, 0 },
        { "copy", "/", copy_list, 0 },
        { "count", "/value", count_items, 0 },
        { "index", "/value ?start ?stop", index_of, 0 },
        { "pop", "/?index", pop, 0 },
    };
    static const struct callable of_tuples[] = {
        { "count", "/value", count_items, 0 },
        { "index", "/value ?start ?stop", index_of, 0 },
    };
    static const struct callable of_dicts[] = {
        { "copy", "/", copy_dict, 0 },
        { "get", "/key ?default", get, 0 },
        { "items", "/", view, VIEW_ITEMS },
        { "keys", "/", view, VIEW_KEYS },
        { "values", "/", view, VIEW_VALUES },
    };
    static const struct callable of_loops[] = {
        { "changed", NULL, loop_changed, 0 },
        { "cycle", NULL, loop_cycle, 0 },
    };
    static const struct callable of_cyclers[] = {
        { "next", "/", cycler_next, 0 },
        { "reset", "/", cycler_reset, 0 },
    };
    static const struct callable of_floats[] = { { "is_integer", "/", is_integer, 0 } };
    switch (kind) {
    case VAL_STR: return tpl_find_str_method(name, len);
    case VAL_LIST: return FIND(of_lists);
    case VAL_TUPLE: return FIND(of_tuples);
    case VAL_DICT: return FIND(of_dicts);
    case VAL_LOOP: return FIND(of_loops);
    case VAL_CYCLER: return FIND(of_cyclers);
    case VAL_FLOAT: return FIND(of_floats);
    default: return NULL;
    }
}
