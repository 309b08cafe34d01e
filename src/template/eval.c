/* template/eval.c - expressions; start at tpl_eval(). */
#include "template/run_internal.h"

static struct act *at_hops(struct act *a, uint32_t hops)
{
    for (; hops > 0; hops--)
        a = a->outer;
    return a;
}

static void eval_name(struct act *a, const struct node *n, struct val *out)
{
    *out = at_hops(a, n->name.hops)->slots[n->name.slot];
    if (out->kind == VAL_MISSING)
        *out = val_undef_name(VAL_MISSING, n->name.id);
}

static bool eval_items(struct render *r, struct act *a, const struct node *n, struct val *out)
{
    if (!tpl_list_new(r, n->items.n, n->kind == NODE_LIST ? VAL_LIST : VAL_TUPLE, out))
        return false;
    for (size_t i = 0; i < n->items.n; i++)
        if (!tpl_eval(r, a, n->items.v[i], &out->l->items[i]))
            return false;
    out->l->n = n->items.n;
    return true;
}

static bool eval_dict(struct render *r, struct act *a, const struct node *n, struct val *out)
{
    struct val key, value;
    if (!tpl_dict_new(r, n->items.n / 2, out))
        return false;
    for (size_t i = 0; i < n->items.n; i += 2)
        if (!tpl_eval(r, a, n->items.v[i], &key) || !tpl_eval(r, a, n->items.v[i + 1], &value) ||
            !tpl_dict_set(r, out->d, key, value))
            return false;
    return true;
}

static bool eval_concat(struct render *r, struct act *a, const struct node *n, struct val *out)
{
    struct val v, text;
    if (!tpl_eval(r, a, n->items.v[0], &v) || !tpl_to_str(r, &v, out))
        return false;
    for (size_t i = 1; i < n->items.n; i++)
        if (!tpl_eval(r, a, n->items.v[i], &v) || !tpl_to_str(r, &v, &text) || !tpl_str_cat(r, out->s, text.s, out))
            return false;
    return true;
}

static bool compare(struct render *r, int op, const struct val *a, const struct val *b, bool *out)
{
    switch (op) {
    case NODE_CMP_EQ: return tpl_eq(r, a, b, out);
    case NODE_CMP_NE: return tpl_eq(r, a, b, out) && (*out = !*out, true);
    case NODE_CMP_IN: return tpl_contains(r, a, b, out);
    case NODE_CMP_NOT_IN: return tpl_contains(r, a, b, out) && (*out = !*out, true);
    default: return tpl_order(r, (enum cmp_op)op, a, b, out);
    }
}

static bool eval_compare(struct render *r, struct act *a, const struct node *n, struct val *out)
{
    struct val left, right;
    bool yes = true;
    if (!tpl_eval(r, a, n->cmp.items.v[0], &left))
        return false;
    for (size_t i = 1; yes && i < n->cmp.items.n; i++) {
        if (!tpl_eval(r, a, n->cmp.items.v[i], &right))
            return false;
        r->line = n->line;
        if (!compare(r, n->cmp.ops[i - 1], &left, &right, &yes))
            return false;
        left = right;
    }
    *out = val_bool(yes);
    return true;
}

static bool eval_slice(struct render *r, struct act *a, const struct node *n, struct val *out)
{
    struct val obj, part[3] = { { .kind = VAL_MISSING }, { .kind = VAL_MISSING }, { .kind = VAL_MISSING } };
    if (!tpl_eval(r, a, n->get.obj, &obj))
        return false;
    for (int i = 0; i < 3; i++)
        if (n->get.part[i] && !tpl_eval(r, a, n->get.part[i], &part[i]))
            return false;
    r->line = n->line;
    return tpl_slice(r, &obj, part, out);
}

/* -- calls ------------------------------------------------------------------------------------------------------ */

static bool add_star(struct render *r, struct act *a, const struct node *star, struct args *out)
{
    struct val v, list;
    if (!tpl_eval(r, a, star, &v) || !tpl_to_list(r, &v, VAL_LIST, &list))
        return false;
    struct val *pos = tpl_alloc(r, out->n_pos + list.l->n, sizeof(*pos));
    if (!pos)
        return false;
    for (size_t i = 0; i < out->n_pos; i++)
        pos[i] = out->pos[i];
    for (size_t i = 0; i < list.l->n; i++)
        pos[out->n_pos + i] = list.l->items[i];
    out->pos = pos;
    out->n_pos += list.l->n;
    return true;
}

static bool add_star2(struct render *r, struct act *a, const struct node *star, struct args *out)
{
    struct val v;
    if (!tpl_eval(r, a, star, &v))
        return false;
    if (v.kind != VAL_DICT)
        return tpl_type_error(r, "argument after ** must be a mapping, not %s", tpl_type_name(&v));
    struct kwarg *kw = tpl_alloc(r, out->n_kw + v.d->n, sizeof(*kw));
    if (!kw)
        return false;
    for (size_t i = 0; i < out->n_kw; i++)
        kw[i] = out->kw[i];
    for (size_t i = 0; i < v.d->n; i++) {
        const struct dict_entry *e = &v.d->entries[i];
        if (e->key.kind != VAL_STR)
            return tpl_type_error(r, "keywords must be strings");
        for (size_t k = 0; k < out->n_kw; k++)
            if (kw[k].name->len == e->key.s->len && memcmp(kw[k].name->data, e->key.s->data, e->key.s->len) == 0)
                return tpl_type_error(r, "got multiple values for a keyword argument");
        kw[out->n_kw + i] = (struct kwarg){ e->key.s, e->value };
    }
    out->kw = kw;
    out->n_kw += v.d->n;
    return tpl_spend(r, v.d->n * sizeof(*kw));
}

bool tpl_eval_args(struct render *r, struct act *a, const struct call_args *ca, const struct val *caller,
                   struct args_room *room, struct args *out)
{
    static const struct str caller_name = { .data = "caller", .len = 6, .n_cp = 6 };
    const size_t n_kw = ca->kw.n + (caller != NULL);
    *out = (struct args){ 0 };
    out->pos = ca->pos.n <= ARGS_FEW ? room->pos : tpl_alloc(r, ca->pos.n, sizeof(*out->pos));
    out->kw = n_kw <= ARGS_FEW ? room->kw : tpl_alloc(r, n_kw, sizeof(*out->kw));
    if (!out->pos || !out->kw)
        return false;
    for (; out->n_pos < ca->pos.n; out->n_pos++)
        if (!tpl_eval(r, a, ca->pos.v[out->n_pos], &out->pos[out->n_pos]))
            return false;
    for (; out->n_kw < ca->kw.n; out->n_kw++) {
        out->kw[out->n_kw].name = ca->kw_names[out->n_kw];
        if (!tpl_eval(r, a, ca->kw.v[out->n_kw], &out->kw[out->n_kw].value))
            return false;
    }
    if (caller)
        out->kw[out->n_kw++] = (struct kwarg){ &caller_name, *caller };
    return (!ca->star || add_star(r, a, ca->star, out)) && (!ca->star2 || add_star2(r, a, ca->star2, out));
}

/* x.name(...): the method without an object for it, where that comes to the same. */
static const struct callable *find_direct(const struct node *callee, const struct val *self)
{
    if (self->kind == VAL_STR || self->kind == VAL_DICT)
        return tpl_find_method(self->kind, callee->get.name->data, callee->get.name->len);
    return NULL;
}

static bool eval_call(struct render *r, struct act *a, const struct node *n, struct val *out)
{
    const struct node *callee = n->call.obj;
    const struct callable *direct = NULL;
    struct val self = { .kind = VAL_MISSING }, fn = { .kind = VAL_MISSING };
    struct args_room room;
    struct args args;
    if (callee->kind == NODE_GETATTR) {
        if (!tpl_eval(r, a, callee->get.obj, &self))
            return false;
        r->line = callee->line;
        direct = find_direct(callee, &self);
        if (!direct && !tpl_getattr(r, &self, callee->get.name, &fn))
            return false;
    } else if (!tpl_eval(r, a, callee, &fn))
        return false;
    if (!tpl_eval_args(r, a, n->call.args, NULL, &room, &args))
        return false;
    r->line = n->line;
    return direct ? tpl_call_fn(r, direct, &self, &args, out) : tpl_call(r, &fn, &args, out);
}

static bool eval_filter(struct render *r, struct act *a, const struct node *n, struct val *out)
{
    struct val v = r->filter_input;
    struct args_room room;
    struct args args;
    if (n->call.obj && !tpl_eval(r, a, n->call.obj, &v))
        return false;
    if (!tpl_eval_args(r, a, n->call.args, NULL, &room, &args))
        return false;
    r->line = n->line;
    if (!n->call.fn)
        return tpl_fail(r, ERR_INPUT, "No %s named '%.60s' found", n->kind == NODE_FILTER ? "filter" : "test",
                        n->call.name->data);
    return tpl_call_fn(r, n->call.fn, &v, &args, out);
}

/* -- all kinds ------------------------------------------------------------------------------------------------------ */

static bool eval_unary(struct render *r, struct act *a, const struct node *n, struct val *out)
{
    struct val v;
    bool yes;
    if (!tpl_eval(r, a, n->bin.a, &v))
        return false;
    r->line = n->line;
    if (n->kind != NODE_NOT)
        return tpl_negate(r, &v, n->kind == NODE_NEG, out);
    if (!tpl_truth(r, &v, &yes))
        return false;
    *out = val_bool(!yes);
    return true;
}

static bool eval_binary(struct render *r, struct act *a, const struct node *n, struct val *out)
{
    struct val x, y;
    if (!tpl_eval(r, a, n->bin.a, &x) || !tpl_eval(r, a, n->bin.b, &y))
        return false;
    r->line = n->line;
    return tpl_binary(r, n->bin.op, &x, &y, out);
}

static bool eval_logic(struct render *r, struct act *a, const struct node *n, struct val *out)
{
    bool yes;
    if (!tpl_eval(r, a, n->bin.a, out) || !tpl_truth(r, out, &yes))
        return false;
    return yes == (n->kind == NODE_OR) || tpl_eval(r, a, n->bin.b, out);
}

static bool eval_cond(struct render *r, struct act *a, const struct node *n, struct val *out)
{
    struct val test;
    bool yes;
    if (!tpl_eval(r, a, n->cond.test, &test) || !tpl_truth(r, &test, &yes))
        return false;
    if (yes || n->cond.otherwise)
        return tpl_eval(r, a, yes ? n->cond.then : n->cond.otherwise, out);
    *out = val_undef_hint("the inline if-expression evaluated to false and no else section was defined");
    return true;
}

static bool eval_get(struct render *r, struct act *a, const struct node *n, struct val *out)
{
    struct val obj, key;
    if (!tpl_eval(r, a, n->get.obj, &obj) || (n->kind == NODE_GETITEM && !tpl_eval(r, a, n->get.part[0], &key)))
        return false;
    r->line = n->line;
    return n->kind == NODE_GETITEM ? tpl_getitem(r, &obj, &key, out) : tpl_getattr(r, &obj, n->get.name, out);
}

static bool eval_tree(struct render *r, struct act *a, const struct node *n, struct val *out)
{
    switch (n->kind) {
    case NODE_TUPLE: case NODE_LIST: return eval_items(r, a, n, out);
    case NODE_DICT: return eval_dict(r, a, n, out);
    case NODE_NEG: case NODE_POS: case NODE_NOT: return eval_unary(r, a, n, out);
    case NODE_BINARY: return eval_binary(r, a, n, out);
    case NODE_AND: case NODE_OR: return eval_logic(r, a, n, out);
    case NODE_CONCAT: return eval_concat(r, a, n, out);
    case NODE_COMPARE: return eval_compare(r, a, n, out);
    case NODE_GETATTR: case NODE_GETITEM: return eval_get(r, a, n, out);
    case NODE_SLICE: return eval_slice(r, a, n, out);
    case NODE_CALL: return eval_call(r, a, n, out);
    case NODE_FILTER: case NODE_TEST: return eval_filter(r, a, n, out);
    case NODE_COND: return eval_cond(r, a, n, out);
    default: return tpl_fail(r, ERR_INTERNAL, "a statement where an expression belongs");
    }
}

bool tpl_eval(struct render *r, struct act *a, const struct node *n, struct val *out)
{
    if (n->kind == NODE_CONST) {
        *out = n->value;
        return true;
    }
    r->line = n->line;
    if (n->kind == NODE_NAME) {
        eval_name(a, n, out);
        return true;
    }
    if (!tpl_spend(r, 0) || !tpl_enter(r))
        return false;
    const bool ok = eval_tree(r, a, n, out);
    tpl_leave(r);
    return ok;
}
