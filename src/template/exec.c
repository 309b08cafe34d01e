/* template/exec.c - statements; start at tpl_exec().
 *
 * A frame is entered by giving its slots their first values (tpl_enter_frame), a function by making an
 * act.  What a block captures (macro, set, filter, call) is collected at the end of render.built.
 */
#include "template/run_internal.h"

/* -- acts and frames ---------------------------------------------------------------------------------------------- */

struct act *tpl_act_new(struct render *r, const struct fn *fn, struct act *outer)
{
    struct act **link = &r->free_acts;
    while (*link && (*link)->fn != fn)
        link = &(*link)->next_free;
    struct act *a = *link;
    if (a) {
        *link = a->next_free;
        if (fn->n_slots)
            memset(a->slots, 0, fn->n_slots * sizeof(*a->slots));
    } else {
        if (!(a = tpl_alloc(r, 1, sizeof(*a))) || !(a->slots = tpl_alloc(r, fn->n_slots, sizeof(*a->slots))))
            return NULL;
    }
    a->outer = outer;
    a->fn = fn;
    a->next_free = NULL;
    return tpl_spend(r, fn->n_slots * sizeof(*a->slots)) ? a : NULL;
}

void tpl_act_done(struct render *r, struct act *a)
{
    if (a->fn->captured)
        return;
    a->next_free = r->free_acts;
    r->free_acts = a;
}

static bool resolve(struct render *r, const struct str *name, struct val *out)
{
    struct val *have;
    if (!tpl_dict_find(r, r->vars, name, &have))
        return false;
    const struct callable *fn = have ? NULL : tpl_find_global(name->data, name->len);
    *out = have ? *have : fn ? (struct val){ .kind = VAL_FUNC, .fn = fn } : (struct val){ .kind = VAL_MISSING };
    return true;
}

bool tpl_enter_frame(struct render *r, struct act *a, const struct frame_loads *loads)
{
    for (size_t i = 0; i < loads->n; i++) {
        const struct slot_load *l = &loads->v[i];
        struct act *from = a;
        switch (l->load) {
        case LOAD_RESOLVE:
            if (!resolve(r, l->name, &a->slots[l->slot]))
                return false;
            break;
        case LOAD_ALIAS:
            for (uint32_t k = 0; k < l->from_hops; k++)
                from = from->outer;
            a->slots[l->slot] = from->slots[l->from_slot];
            break;
        default: a->slots[l->slot].kind = VAL_MISSING;
        }
    }
    return tpl_spend(r, loads->n * 8);
}

bool tpl_assign(struct render *r, struct act *a, const struct node *target, const struct val *v)
{
    if (target->kind == NODE_NAME) { /* what a frame stores is its own: never hops */
        a->slots[target->name.slot] = *v;
        return true;
    }
    struct iter *it = tpl_iter(r, v);
    if (!it)
        return tpl_fail(r, ERR_INPUT, "cannot unpack non-iterable %s object", tpl_type_name(v));
    struct val item;
    for (size_t i = 0; i < target->items.n; i++) {
        const int got = tpl_next(r, it, &item);
        if (got < 0)
            return false;
        if (got == 0)
            return tpl_fail(r, ERR_INPUT, "not enough values to unpack (expected %zu, got %zu)", target->items.n, i);
        if (!tpl_assign(r, a, target->items.v[i], &item))
            return false;
    }
    const int got = tpl_next(r, it, &item);
    return got == 0 || (got > 0 && tpl_fail(r, ERR_INPUT, "too many values to unpack (expected %zu)", target->items.n));
}

/* -- capturing ------------------------------------------------------------------------------------------------------- */

static size_t capture(struct render *r)
{
    r->n_captures++;
    return tpl_build(r);
}

/* The text since capture(); after break and the like nobody wants it: out NULL. */
static bool captured(struct render *r, size_t mark, struct val *out)
{
    struct val dropped;
    r->n_captures--;
    return tpl_built(r, mark, out ? out : &dropped);
}

static bool write_text(struct render *r, const char *s, size_t n)
{
    if (r->n_captures > 0)
        tpl_put(r, s, n);
    else
        buf_append(r->out, s, n);
    return tpl_spend(r, n);
}

static bool write_value(struct render *r, const struct val *v)
{
    struct val text;
    if (v->kind == VAL_STR)
        return write_text(r, v->s->data, v->s->len);
    if (r->n_captures > 0)
        return tpl_put_str(r, v);
    return tpl_to_str(r, v, &text) && write_text(r, text.s->data, text.s->len);
}

/* -- loops --------------------------------------------------------------------------------------------------------------- */

struct for_test {
    struct act *a;
    const struct node *n;
};

/* {% for x in y if test %}: the test is made when an item is wanted, not before. */
static int next_passing(struct render *r, struct iter *it, struct val *out)
{
    const struct for_test *t = it->more;
    int got;
    while ((got = tpl_next(r, it->from, out)) > 0) {
        struct val v;
        bool yes;
        if (!tpl_assign(r, t->a, t->n->loop.test_target, out) || !tpl_eval(r, t->a, t->n->loop.test, &v) ||
            !tpl_truth(r, &v, &yes))
            return -1;
        if (yes)
            return 1;
    }
    return got;
}

/* What the loop walks over: the value, or those of its items that pass the loop's test. */
static bool passing(struct render *r, struct act *a, const struct node *n, struct val *v)
{
    if (!n->loop.test)
        return true;
    struct for_test *t = tpl_alloc(r, 1, sizeof(*t));
    struct iter *from = t ? tpl_iter(r, v) : NULL;
    struct iter *it = from ? tpl_iter_new(r, "generator", next_passing, *v) : NULL;
    if (!it || !tpl_enter_frame(r, a, &n->loop.test_loads))
        return false;
    *t = (struct for_test){ a, n };
    it->from = from;
    it->more = t;
    *v = (struct val){ .kind = VAL_ITER, .it = it };
    return true;
}

int tpl_loop_next(struct render *r, struct loop *l, struct val *out)
{
    struct val v;
    int got = 1;
    if (l->after.kind != VAL_MISSING) {
        v = l->after;
        l->after.kind = VAL_MISSING;
    } else
        got = tpl_next(r, l->it, &v);
    if (got <= 0)
        return got;
    l->index0++;
    l->before = l->current;
    l->current = *out = v;
    return 1;
}

static bool peek(struct render *r, struct loop *l)
{
    if (l->after.kind != VAL_MISSING)
        return true;
    const int got = tpl_next(r, l->it, &l->after);
    if (got == 0)
        l->after.kind = VAL_MISSING;
    return got >= 0;
}

bool tpl_loop_len(struct render *r, struct loop *l, int64_t *out)
{
    size_t n;
    if (l->length < 0 && tpl_has_len(&l->iterable)) {
        if (!tpl_len(r, &l->iterable, &n))
            return false;
        l->length = (int64_t)n;
    } else if (l->length < 0) { /* what is lazy is walked to its end now */
        const struct val rest = { .kind = VAL_ITER, .it = l->it };
        struct val list;
        if (!tpl_to_list(r, &rest, VAL_LIST, &list) || !(l->it = tpl_iter(r, &list)))
            return false;
        l->length = (int64_t)list.l->n + l->index0 + 1 + (l->after.kind != VAL_MISSING);
    }
    *out = l->length;
    return true;
}

bool tpl_loop_attr(struct render *r, struct loop *l, const struct str *name, bool *found, struct val *out)
{
    int64_t n;
    *found = true;
    if (str_is(name, "index"))
        *out = val_int(l->index0 + 1);
    else if (str_is(name, "index0"))
        *out = val_int(l->index0);
    else if (str_is(name, "first"))
        *out = val_bool(l->index0 == 0);
    else if (str_is(name, "last")) {
        if (!peek(r, l))
            return false;
        *out = val_bool(l->after.kind == VAL_MISSING);
    } else if (str_is(name, "depth") || str_is(name, "depth0"))
        *out = val_int(l->depth0 + (name->len == 5));
    else if (str_is(name, "length") || str_is(name, "revindex") || str_is(name, "revindex0")) {
        if (!tpl_loop_len(r, l, &n))
            return false;
        *out = val_int(name->len == 6 ? n : n - l->index0 - (name->len == 9));
    } else if (str_is(name, "previtem")) {
        *out = l->index0 > 0 ? l->before : val_undef_hint("there is no previous item");
    } else if (str_is(name, "nextitem")) {
        if (!peek(r, l))
            return false;
        *out = l->after.kind != VAL_MISSING ? l->after : val_undef_hint("there is no next item");
    } else
        *found = false;
    return true;
}

/* The rounds of a loop over `iterable`, in act a; `outer` is where its test and a recursion belong. */
static enum flow run_loop(struct render *r, struct act *a, struct act *outer, const struct node *n,
                          struct val iterable, int64_t depth0)
{
    bool any = false;
    if (!passing(r, outer, n, &iterable))
        return FLOW_FAIL;
    struct iter *it = tpl_iter(r, &iterable);
    struct loop *l = NULL;
    if (!it || (n->loop.extended && !(l = tpl_alloc(r, 1, sizeof(*l)))))
        return FLOW_FAIL;
    if (l)
        *l = (struct loop){ .iterable = iterable, .it = it, .index0 = -1, .length = -1, .depth0 = depth0,
                            .recurse = n->loop.recursive ? n : NULL, .outer = outer };
    for (;;) {
        struct val item;
        const int got = l ? tpl_loop_next(r, l, &item) : tpl_next(r, it, &item);
        if (got < 0)
            return FLOW_FAIL;
        if (got == 0)
            break;
        if (!tpl_assign(r, a, n->loop.target, &item))
            return FLOW_FAIL;
        if (l)
            a->slots[n->loop.loop_slot] = (struct val){ .kind = VAL_LOOP, .loop = l };
        if (!tpl_enter_frame(r, a, &n->loop.body_loads))
            return FLOW_FAIL;
        const enum flow flow = tpl_exec(r, a, &n->loop.body);
        if (flow == FLOW_FAIL)
            return FLOW_FAIL;
        if (flow == FLOW_NEXT)
            any = true; /* jinja2 notes it at the end of the body: break and continue go round it */
        if (flow == FLOW_BREAK)
            break;
        r->line = n->line;
    }
    if (any || n->loop.otherwise.n == 0)
        return FLOW_NEXT;
    return tpl_enter_frame(r, a, &n->loop.else_loads) ? tpl_exec(r, a, &n->loop.otherwise) : FLOW_FAIL;
}

/* A recursive loop is a function of its own that is called here and by `loop(...)`. */
static bool run_recursive(struct render *r, struct act *outer, const struct node *n, const struct val *iterable,
                          int64_t depth0)
{
    struct act *a = tpl_act_new(r, n->loop.fn, outer);
    if (!a || !tpl_enter(r))
        return false;
    const enum flow flow = run_loop(r, a, outer, n, *iterable, depth0);
    tpl_leave(r);
    return flow != FLOW_FAIL;
}

bool tpl_loop_recurse(struct render *r, struct loop *l, const struct val *iterable, struct val *out)
{
    if (!l->recurse)
        return tpl_type_error(r, "The loop must have the 'recursive' marker to be called recursively.");
    const size_t mark = capture(r);
    return run_recursive(r, l->outer, l->recurse, iterable, l->depth0 + 1) && captured(r, mark, out);
}

static enum flow exec_for(struct render *r, struct act *a, const struct node *n)
{
    struct val iterable;
    if (!tpl_eval(r, a, n->loop.iter, &iterable))
        return FLOW_FAIL;
    r->line = n->line;
    if (n->loop.recursive)
        return run_recursive(r, a, n, &iterable, 0) ? FLOW_NEXT : FLOW_FAIL;
    return run_loop(r, a, a, n, iterable, 0);
}

/* -- macros ---------------------------------------------------------------------------------------------------------------- */

/* Takes the keyword argument out of `kw`; false: there is none. */
static bool take_keyword(struct args *kw, const struct str *name, struct val *out)
{
    for (size_t i = 0; i < kw->n_kw; i++) {
        if (kw->kw[i].name->len != name->len || memcmp(kw->kw[i].name->data, name->data, name->len) != 0)
            continue;
        *out = kw->kw[i].value;
        memmove(&kw->kw[i], &kw->kw[i + 1], (--kw->n_kw - i) * sizeof(*kw->kw));
        return true;
    }
    return false;
}

static bool special_params(struct render *r, const struct macro_def *m, struct act *in, struct args *a, bool has_caller)
{
    static const struct str caller = { .data = "caller", .len = 6, .n_cp = 6 };
    if (m->wants_caller && !has_caller) {
        struct val *v = &in->slots[m->caller_slot];
        if (!take_keyword(a, &caller, v) || v->kind == VAL_NONE)
            *v = val_undef_hint("No caller defined");
    }
    if (m->wants_kwargs) {
        struct val *d = &in->slots[m->kwargs_slot];
        if (!tpl_dict_new(r, a->n_kw, d))
            return false;
        for (size_t i = 0; i < a->n_kw; i++)
            if (!tpl_dict_set(r, d->d, val_str((struct str *)(uintptr_t)a->kw[i].name), a->kw[i].value))
                return false;
    } else if (a->n_kw > 0)
        return tpl_type_error(r, "macro '%.60s' takes no keyword argument '%.60s'", m->name ? m->name->data : "caller",
                              a->kw[0].name->data);
    if (m->wants_varargs) {
        struct val *l = &in->slots[m->varargs_slot];
        if (!tpl_list_new(r, 0, VAL_TUPLE, l))
            return false;
        for (size_t i = m->params.n; i < a->n_pos; i++)
            if (!tpl_list_push(r, l->l, a->pos[i]))
                return false;
    } else if (a->n_pos > m->params.n)
        return tpl_type_error(r, "macro '%.60s' takes not more than %zu argument(s)", m->name ? m->name->data : "caller",
                              m->params.n);
    return true;
}

/* The arguments into the macro's slots, in the steps of jinja2's Macro.__call__(). */
static bool bind_params(struct render *r, const struct macro_def *m, struct act *in, const struct args *given)
{
    struct args a = *given;
    const size_t n = m->params.n, n_pos = a.n_pos < n ? a.n_pos : n;
    bool has_caller = n_pos == n && m->explicit_caller;
    if (a.n_kw > 0) { /* taken out of a copy: the caller's may be shared */
        if (!(a.kw = tpl_alloc(r, a.n_kw, sizeof(*a.kw))))
            return false;
        memcpy(a.kw, given->kw, a.n_kw * sizeof(*a.kw));
    }
    for (size_t i = 0; i < n_pos; i++)
        in->slots[m->params.v[i]->name.slot] = a.pos[i];
    for (size_t i = n_pos; i < n; i++) {
        take_keyword(&a, m->params.v[i]->name.id, &in->slots[m->params.v[i]->name.slot]);
        has_caller = has_caller || str_is(m->params.v[i]->name.id, "caller");
    }
    return special_params(r, m, in, &a, has_caller);
}

static bool default_params(struct render *r, const struct macro_def *m, struct act *in)
{
    for (size_t i = 0; i < m->params.n; i++) {
        const struct node *p = m->params.v[i];
        struct val *v = &in->slots[p->name.slot];
        if (v->kind != VAL_MISSING)
            continue;
        const size_t first = m->params.n - m->defaults.n;
        if (i < first)
            *v = val_undef_hint("a macro's parameter was not provided");
        else if (!tpl_eval(r, in, m->defaults.v[i - first], v))
            return false;
    }
    return true;
}

bool tpl_macro_call(struct render *r, const struct macro *m, const struct args *a, struct val *out)
{
    struct act *in = tpl_act_new(r, m->def->fn, m->outer);
    const int line = r->line;
    if (!in || !tpl_enter(r) || !bind_params(r, m->def, in, a))
        return false;
    const size_t mark = capture(r);
    if (!tpl_enter_frame(r, in, &m->def->loads) || !default_params(r, m->def, in) ||
        tpl_exec(r, in, &m->def->body) == FLOW_FAIL || !captured(r, mark, out))
        return false;
    tpl_act_done(r, in);
    tpl_leave(r);
    r->line = line;
    return true;
}

static bool macro_value(struct render *r, struct act *a, const struct macro_def *def, struct val *out)
{
    struct macro *m = tpl_alloc(r, 1, sizeof(*m));
    if (!m)
        return false;
    *m = (struct macro){ def, a };
    *out = (struct val){ .kind = VAL_MACRO, .macro = m };
    return true;
}

static bool exec_call_block(struct render *r, struct act *a, const struct node *n)
{
    struct val caller, fn, out;
    struct args_room room;
    struct args args = { 0 };
    const struct node *call = n->macro.call;
    if (!macro_value(r, a, n->macro.def, &caller))
        return false;
    if (!call)
        return tpl_macro_call(r, caller.macro, &args, &out) && write_value(r, &out);
    if (!tpl_eval(r, a, call->call.obj, &fn) || !tpl_eval_args(r, a, call->call.args, &caller, &room, &args))
        return false;
    r->line = call->line;
    return tpl_call(r, &fn, &args, &out) && write_value(r, &out);
}

/* -- the other statements -------------------------------------------------------------------------------------------------- */

static bool exec_output(struct render *r, struct act *a, const struct node *n)
{
    for (size_t i = 0; i < n->items.n; i++) {
        struct val v;
        if (!tpl_eval(r, a, n->items.v[i], &v) || !write_value(r, &v))
            return false;
    }
    return true;
}

static enum flow exec_if(struct render *r, struct act *a, const struct node *n)
{
    for (size_t i = 0; i < n->branch.n; i++) {
        struct val v;
        bool yes;
        if (!tpl_eval(r, a, n->branch.tests[i], &v) || !tpl_truth(r, &v, &yes))
            return FLOW_FAIL;
        if (yes)
            return tpl_exec(r, a, &n->branch.bodies[i]);
    }
    return tpl_exec(r, a, &n->branch.otherwise);
}

static bool find_namespace(struct render *r, struct act *a, const struct node *n, struct val *ns)
{
    if (!n->set.ns)
        return true;
    if (!tpl_eval(r, a, n->set.ns, ns))
        return false;
    return ns->kind == VAL_NAMESPACE || tpl_fail(r, ERR_INPUT, "cannot assign attribute on non-namespace object");
}

static bool store(struct render *r, struct act *a, const struct node *n, struct val *ns, const struct val *v)
{
    r->line = n->line;
    if (n->set.ns)
        return tpl_dict_set(r, ns->d, val_str((struct str *)(uintptr_t)n->set.attr), *v);
    return tpl_assign(r, a, n->set.target, v);
}

static bool exec_set(struct render *r, struct act *a, const struct node *n)
{
    struct val ns = { .kind = VAL_MISSING }, v;
    return find_namespace(r, a, n, &ns) && tpl_eval(r, a, n->set.value, &v) && store(r, a, n, &ns, &v);
}

/* The filter of a filter block or a set block, applied to the text that was captured. */
static bool apply_filter(struct render *r, struct act *a, const struct node *filter, struct val *text)
{
    if (!filter)
        return true;
    const struct val saved = r->filter_input, input = *text;
    r->filter_input = input;
    const bool ok = tpl_eval(r, a, filter, text);
    r->filter_input = saved;
    return ok;
}

static enum flow exec_set_block(struct render *r, struct act *a, const struct node *n)
{
    struct val text, ns = { .kind = VAL_MISSING };
    if (!tpl_enter_frame(r, a, &n->set.loads))
        return FLOW_FAIL;
    const size_t mark = capture(r);
    const enum flow flow = tpl_exec(r, a, &n->set.body);
    if (flow == FLOW_FAIL || !captured(r, mark, flow == FLOW_NEXT ? &text : NULL))
        return FLOW_FAIL;
    if (flow != FLOW_NEXT)
        return flow;
    return find_namespace(r, a, n, &ns) && apply_filter(r, a, n->set.filter, &text) && store(r, a, n, &ns, &text)
               ? FLOW_NEXT
               : FLOW_FAIL;
}

static enum flow exec_filter_block(struct render *r, struct act *a, const struct node *n)
{
    struct val text;
    if (!tpl_enter_frame(r, a, &n->scope.loads))
        return FLOW_FAIL;
    const size_t mark = capture(r);
    const enum flow flow = tpl_exec(r, a, &n->scope.body);
    if (flow == FLOW_FAIL || !captured(r, mark, flow == FLOW_NEXT ? &text : NULL))
        return FLOW_FAIL;
    if (flow != FLOW_NEXT)
        return flow;
    return apply_filter(r, a, n->scope.filter, &text) && write_value(r, &text) ? FLOW_NEXT : FLOW_FAIL;
}

static enum flow exec_with(struct render *r, struct act *a, const struct node *n)
{
    if (!tpl_enter_frame(r, a, &n->scope.loads))
        return FLOW_FAIL;
    for (size_t i = 0; i < n->scope.targets.n; i++) {
        struct val v;
        if (!tpl_eval(r, a, n->scope.values.v[i], &v) || !tpl_assign(r, a, n->scope.targets.v[i], &v))
            return FLOW_FAIL;
    }
    return tpl_exec(r, a, &n->scope.body);
}

static enum flow exec_one(struct render *r, struct act *a, const struct node *n)
{
    bool ok;
    r->line = n->line;
    switch (n->kind) {
    case NODE_OUTPUT: ok = exec_output(r, a, n); break;
    case NODE_FOR: return exec_for(r, a, n);
    case NODE_IF: return exec_if(r, a, n);
    case NODE_SET: ok = exec_set(r, a, n); break;
    case NODE_SET_BLOCK: return exec_set_block(r, a, n);
    case NODE_MACRO: ok = macro_value(r, a, n->macro.def, &a->slots[n->macro.target->name.slot]); break;
    case NODE_CALL_BLOCK: ok = exec_call_block(r, a, n); break;
    case NODE_FILTER_BLOCK: return exec_filter_block(r, a, n);
    case NODE_WITH: return exec_with(r, a, n);
    case NODE_BREAK: return FLOW_BREAK;
    case NODE_CONTINUE: return FLOW_CONTINUE;
    default: ok = tpl_fail(r, ERR_INTERNAL, "an expression where a statement belongs");
    }
    return ok ? FLOW_NEXT : FLOW_FAIL;
}

enum flow tpl_exec(struct render *r, struct act *a, const struct nodes *body)
{
    enum flow flow = FLOW_NEXT;
    if (!tpl_enter(r))
        return FLOW_FAIL;
    for (size_t i = 0; flow == FLOW_NEXT && i < body->n; i++)
        flow = tpl_spend(r, 0) ? exec_one(r, a, body->v[i]) : FLOW_FAIL;
    tpl_leave(r);
    return flow;
}
