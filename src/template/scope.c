/* template/scope.c - which variable a name means: names to slots, in two passes; start at tpl_scope().
 *
 * The rules are those of jinja2's idtracking.py and compiler.py (3.1.2), because their corners show:
 *   - the template, for loops, macros, call blocks, with, filter and set blocks are frames; `if` is not;
 *   - what a frame stores is its own: it starts as a copy of the outer variable of that name, if there
 *     is one (LOAD_ALIAS), and is forgotten at the end;
 *   - a name that is only read comes from the variables (LOAD_RESOLVE), looked up when the frame is
 *     entered; one that only some branches of an `if` store, too;
 *   - a name that is stored first starts as undefined (LOAD_UNDEF), whatever the variables say.
 * Pass one collects the names of a frame without looking into inner frames (collect_*); pass two gives
 * slots to the frame's expressions and goes into its inner frames (settle_*).
 */
#include "template/node_internal.h"

struct sym {
    const struct str *name; /* interned */
    uint32_t slot, from_slot;
    uint16_t from_hops;
    uint8_t load; /* enum load */
    bool stored;
};
struct ids { /* the slots of a frame, shared by the branches of its ifs */
    struct sym_id {
        const struct str *name;
        uint32_t slot;
    } *v;
    size_t n, cap;
};
struct syms {
    struct syms *parent; /* the outer frame */
    struct syms *base;   /* of a branch: what holds before it; v has what the branch changes */
    struct ids *ids;
    struct fn *fn;
    struct sym *v;
    size_t n, cap;
};
struct scope {
    struct template *t;
    struct arena *scratch;
    struct err *err;
    size_t cap_reads;
};
struct ref {
    const struct fn *fn;
    uint32_t slot;
};

static bool grow(struct scope *c, void *v, size_t n, size_t *cap, size_t item_bytes)
{
    if (n < *cap)
        return true;
    const size_t more = *cap ? *cap * 2 : 8;
    void *p = arena_alloc(c->scratch, more, item_bytes, c->err);
    if (!p)
        return false;
    if (n)
        memcpy(p, *(void **)v, n * item_bytes);
    memcpy(v, &p, sizeof(p));
    *cap = more;
    return true;
}

/* -- the tables ---------------------------------------------------------------------------------------- */

static struct syms *syms_new(struct scope *c, struct syms *parent, struct fn *fn)
{
    struct syms *s = arena_alloc(c->scratch, 1, sizeof(*s), c->err);
    struct ids *ids = arena_alloc(c->scratch, 1, sizeof(*ids), c->err);
    if (!s || !ids)
        return NULL;
    *s = (struct syms){ .parent = parent, .ids = ids, .fn = fn };
    return s;
}

static struct syms *syms_branch(struct scope *c, struct syms *base)
{
    struct syms *s = arena_alloc(c->scratch, 1, sizeof(*s), c->err);
    if (s)
        *s = (struct syms){ .parent = base->parent, .base = base, .ids = base->ids, .fn = base->fn };
    return s;
}

static struct sym *find_here(struct syms *s, const struct str *name)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->v[i].name == name)
            return &s->v[i];
    return NULL;
}

static struct sym *find_in_frame(struct syms *s, const struct str *name)
{
    struct sym *found = NULL;
    for (; s && !found; s = s->base)
        found = find_here(s, name);
    return found;
}

static bool find_ref(struct syms *s, const struct str *name, struct ref *ref)
{
    for (; s; s = s->parent) {
        const struct sym *found = find_in_frame(s, name);
        if (found) {
            *ref = (struct ref){ s->fn, found->slot };
            return true;
        }
    }
    return false;
}

static struct sym *push(struct scope *c, struct syms *s, struct sym sym)
{
    if (!grow(c, &s->v, s->n, &s->cap, sizeof(*s->v)))
        return NULL;
    s->v[s->n] = sym;
    return &s->v[s->n++];
}

static struct sym *define(struct scope *c, struct syms *s, const struct str *name, enum load load)
{
    struct ids *ids = s->ids;
    size_t i = 0;
    while (i < ids->n && ids->v[i].name != name)
        i++;
    if (i == ids->n) {
        if (ids->n >= NAMES_MAX)
            return err_null(c->err, ERR_LIMIT, "more than %d names in one scope", NAMES_MAX);
        if (!grow(c, &ids->v, ids->n, &ids->cap, sizeof(*ids->v)))
            return NULL;
        ids->v[ids->n++] = (struct sym_id){ name, s->fn->n_slots++ };
    }
    return push(c, s, (struct sym){ .name = name, .slot = ids->v[i].slot, .load = (uint8_t)load });
}

static void make_alias(const struct syms *s, struct sym *sym, struct ref outer)
{
    sym->load = LOAD_ALIAS;
    sym->from_hops = (uint16_t)(s->fn->depth - outer.fn->depth);
    sym->from_slot = outer.slot;
}

static bool note_load(struct scope *c, struct syms *s, const struct str *name)
{
    struct ref ref;
    return find_ref(s, name, &ref) || define(c, s, name, LOAD_RESOLVE);
}

static bool note_store(struct scope *c, struct syms *s, const struct str *name)
{
    struct sym *sym = find_in_frame(s, name);
    if (sym && sym->stored)
        return true;
    if (sym) {
        if (!find_here(s, name) && !(sym = push(c, s, *sym)))
            return false;
        sym->stored = true;
        return true;
    }
    struct ref outer;
    const bool has_outer = s->parent && find_ref(s->parent, name, &outer);
    if (!(sym = define(c, s, name, LOAD_UNDEF)))
        return false;
    sym->stored = true;
    if (has_outer)
        make_alias(s, sym, outer);
    return true;
}

static bool note_param(struct scope *c, struct syms *s, const struct str *name)
{
    struct sym *sym = find_here(s, name);
    if (!sym && !(sym = define(c, s, name, LOAD_PARAM)))
        return false;
    sym->load = LOAD_PARAM;
    return sym->stored = true;
}

/* What three branches of an if (any may be NULL: it changes nothing) mean for what comes after. */
static bool merge(struct scope *c, struct syms *s, struct syms *const branch[static 3])
{
    struct count {
        const struct str *name;
        int n;
    } *counts = NULL;
    size_t n_counts = 0, cap = 0;
    for (int b = 0; b < 3; b++)
        for (size_t i = 0; branch[b] && i < branch[b]->n; i++) {
            const struct sym *sym = &branch[b]->v[i], *before = find_in_frame(s, sym->name);
            if (!sym->stored || (before && before->stored))
                continue;
            size_t k = 0;
            while (k < n_counts && counts[k].name != sym->name)
                k++;
            if (k == n_counts) {
                if (!grow(c, &counts, n_counts, &cap, sizeof(*counts)))
                    return false;
                counts[n_counts++] = (struct count){ sym->name, 0 };
            }
            counts[k].n++;
        }
    for (int b = 0; b < 3; b++)
        for (size_t i = 0; branch[b] && i < branch[b]->n; i++) {
            const struct sym *sym = &branch[b]->v[i];
            struct sym *here = find_here(s, sym->name);
            if (!here && !(here = push(c, s, *sym)))
                return false;
            const bool stored = here->stored || sym->stored;
            *here = *sym;
            here->stored = stored;
        }
    for (size_t k = 0; k < n_counts; k++) {
        struct ref outer;
        struct sym *sym = find_here(s, counts[k].name);
        if (counts[k].n == 3)
            continue;
        if (s->parent && find_ref(s->parent, counts[k].name, &outer))
            make_alias(s, sym, outer);
        else
            sym->load = LOAD_RESOLVE;
    }
    return true;
}

/* -- pass one: the names of a frame --------------------------------------------------------------------- */

static bool collect(struct scope *c, struct syms *s, const struct node *n);

static bool collect_all(struct scope *c, struct syms *s, const struct nodes *list)
{
    for (size_t i = 0; i < list->n; i++)
        if (!collect(c, s, list->v[i]))
            return false;
    return true;
}

static bool collect_call(struct scope *c, struct syms *s, const struct node *n)
{
    const struct call_args *a = n->call.args;
    return (!n->call.obj || collect(c, s, n->call.obj)) && collect_all(c, s, &a->pos) && collect_all(c, s, &a->kw) &&
           (!a->star || collect(c, s, a->star)) && (!a->star2 || collect(c, s, a->star2));
}

/* One arm; the elifs behind it are an if of their own, as jinja2 sees them. */
static struct syms *collect_arm(struct scope *c, struct syms *base, const struct nodes *body)
{
    struct syms *s = syms_branch(c, base);
    return s && collect_all(c, s, body) ? s : NULL;
}

static bool collect_if(struct scope *c, struct syms *s, const struct node *n)
{
    struct syms *branch[3] = { NULL, NULL, NULL };
    if (!collect(c, s, n->branch.tests[0]) || !(branch[0] = collect_arm(c, s, &n->branch.bodies[0])))
        return false;
    if (n->branch.n > 1 && !(branch[1] = syms_branch(c, s)))
        return false;
    for (size_t i = 1; i < n->branch.n; i++) {
        struct syms *alone[3] = { NULL, NULL, NULL };
        if (!collect(c, branch[1], n->branch.tests[i]) ||
            !(alone[0] = collect_arm(c, branch[1], &n->branch.bodies[i])) || !merge(c, branch[1], alone))
            return false;
    }
    if (n->branch.otherwise.n > 0 && !(branch[2] = collect_arm(c, s, &n->branch.otherwise)))
        return false;
    return merge(c, s, branch);
}

static bool collect_param(struct scope *c, struct syms *s, const struct node *target)
{
    if (target->kind == NODE_NAME)
        return note_param(c, s, target->name.id);
    for (size_t i = 0; i < target->items.n; i++)
        if (!collect_param(c, s, target->items.v[i]))
            return false;
    return true;
}

static bool collect(struct scope *c, struct syms *s, const struct node *n)
{
    switch (n->kind) {
    case NODE_NAME: return n->name.store ? note_store(c, s, n->name.id) : note_load(c, s, n->name.id);
    case NODE_TUPLE: case NODE_LIST: case NODE_DICT: case NODE_CONCAT: case NODE_OUTPUT:
        return collect_all(c, s, &n->items);
    case NODE_NEG: case NODE_POS: case NODE_NOT: return collect(c, s, n->bin.a);
    case NODE_BINARY: case NODE_AND: case NODE_OR: return collect(c, s, n->bin.a) && collect(c, s, n->bin.b);
    case NODE_COMPARE: return collect_all(c, s, &n->cmp.items);
    case NODE_GETATTR: return collect(c, s, n->get.obj);
    case NODE_GETITEM: case NODE_SLICE:
        if (!collect(c, s, n->get.obj))
            return false;
        for (int i = 0; i < 3; i++)
            if (n->get.part[i] && !collect(c, s, n->get.part[i]))
                return false;
        return true;
    case NODE_CALL: case NODE_FILTER: case NODE_TEST: return collect_call(c, s, n);
    case NODE_COND:
        return collect(c, s, n->cond.test) && collect(c, s, n->cond.then) &&
               (!n->cond.otherwise || collect(c, s, n->cond.otherwise));
    case NODE_IF: return collect_if(c, s, n);
    case NODE_FOR: return collect(c, s, n->loop.iter);
    case NODE_SET:
        return collect(c, s, n->set.value) &&
               (n->set.target ? collect(c, s, n->set.target) : note_load(c, s, n->set.ns->name.id));
    case NODE_SET_BLOCK: return n->set.target ? collect(c, s, n->set.target) : note_load(c, s, n->set.ns->name.id);
    case NODE_MACRO: return note_store(c, s, n->macro.target->name.id);
    case NODE_CALL_BLOCK: return !n->macro.call || collect(c, s, n->macro.call);
    case NODE_FILTER_BLOCK: return collect(c, s, n->scope.filter);
    case NODE_WITH: return collect_all(c, s, &n->scope.values);
    default: return true; /* constants, break, continue */
    }
}

/* -- is a special name used? ----------------------------------------------------------------------------- */

struct seek {
    const char *name;
    bool found, hidden; /* hidden: stored before it was read */
};

static void seek(struct seek *k, const struct node *n, bool is_param);

static void seek_all(struct seek *k, const struct nodes *list, bool is_param)
{
    for (size_t i = 0; i < list->n; i++)
        seek(k, list->v[i], is_param);
}

static void seek_call(struct seek *k, const struct node *n)
{
    seek(k, n->call.obj, false);
    seek_all(k, &n->call.args->pos, false);
    seek_all(k, &n->call.args->kw, false);
    seek(k, n->call.args->star, false);
    seek(k, n->call.args->star2, false);
}

static void seek(struct seek *k, const struct node *n, bool is_param)
{
    if (!n || k->found || k->hidden)
        return;
    switch (n->kind) {
    case NODE_NAME:
        if (str_is(n->name.id, k->name)) {
            k->hidden = n->name.store || is_param;
            k->found = !k->hidden;
        }
        break;
    case NODE_TUPLE: case NODE_LIST: case NODE_DICT: case NODE_CONCAT: case NODE_OUTPUT:
        seek_all(k, &n->items, is_param);
        break;
    case NODE_NEG: case NODE_POS: case NODE_NOT: seek(k, n->bin.a, false); break;
    case NODE_BINARY: case NODE_AND: case NODE_OR:
        seek(k, n->bin.a, false);
        seek(k, n->bin.b, false);
        break;
    case NODE_COMPARE: seek_all(k, &n->cmp.items, false); break;
    case NODE_GETATTR: case NODE_GETITEM: case NODE_SLICE:
        seek(k, n->get.obj, false);
        for (int i = 0; i < 3; i++)
            seek(k, n->get.part[i], false);
        break;
    case NODE_CALL: case NODE_FILTER: case NODE_TEST: seek_call(k, n); break;
    case NODE_COND:
        seek(k, n->cond.test, false);
        seek(k, n->cond.then, false);
        seek(k, n->cond.otherwise, false);
        break;
    case NODE_IF:
        for (size_t i = 0; i < n->branch.n; i++) {
            seek(k, n->branch.tests[i], false);
            seek_all(k, &n->branch.bodies[i], false);
        }
        seek_all(k, &n->branch.otherwise, false);
        break;
    case NODE_FOR:
        seek(k, n->loop.target, false);
        seek(k, n->loop.iter, false);
        seek_all(k, &n->loop.body, false);
        seek_all(k, &n->loop.otherwise, false);
        seek(k, n->loop.test, false);
        break;
    case NODE_SET: case NODE_SET_BLOCK:
        seek(k, n->set.target, false);
        seek(k, n->set.value, false);
        seek(k, n->set.filter, false);
        seek_all(k, &n->set.body, false);
        break;
    case NODE_MACRO: case NODE_CALL_BLOCK:
        seek(k, n->kind == NODE_CALL_BLOCK ? n->macro.call : NULL, false);
        seek_all(k, &n->macro.def->params, true);
        seek_all(k, &n->macro.def->defaults, false);
        seek_all(k, &n->macro.def->body, false);
        break;
    case NODE_FILTER_BLOCK: case NODE_WITH:
        seek_all(k, &n->scope.targets, true);
        seek_all(k, &n->scope.values, false);
        seek_all(k, &n->scope.body, false);
        seek(k, n->scope.filter, false);
        break;
    default: break;
    }
}

static bool uses(const struct nodes *body, const char *name)
{
    struct seek k = { .name = name };
    seek_all(&k, body, false);
    return k.found;
}

/* -- pass two: slots ---------------------------------------------------------------------------------------- */

static bool settle(struct scope *c, struct syms *s, struct node *n, bool soft);

static bool settle_all(struct scope *c, struct syms *s, const struct nodes *list, bool soft)
{
    for (size_t i = 0; i < list->n; i++)
        if (!settle(c, s, list->v[i], soft))
            return false;
    return true;
}

static bool settle_opt(struct scope *c, struct syms *s, struct node *n, bool soft)
{
    return !n || settle(c, s, n, soft);
}

static bool settle_name(struct scope *c, struct syms *s, struct node *n)
{
    struct ref ref;
    if (!find_ref(s, n->name.id, &ref))
        return err_set(c->err, ERR_INTERNAL, "line %d: '%.60s' has no slot", n->line, n->name.id->data);
    n->name.hops = s->fn->depth - ref.fn->depth;
    n->name.slot = ref.slot;
    return true;
}

/* A filter or test that does not exist is an error at once, but for those in an if: there the template
 * may have made sure that it is not reached. */
static bool settle_call(struct scope *c, struct syms *s, struct node *n, bool soft)
{
    if (n->kind != NODE_CALL && !n->call.fn && !soft)
        return err_set(c->err, ERR_INPUT, "line %d: No %s named '%.60s'", n->line,
                       n->kind == NODE_FILTER ? "filter" : "test", n->call.name->data);
    const struct call_args *a = n->call.args;
    return settle_opt(c, s, n->call.obj, soft) && settle_all(c, s, &a->pos, soft) && settle_all(c, s, &a->kw, soft) &&
           settle_opt(c, s, a->star, soft) && settle_opt(c, s, a->star2, soft);
}

/* The frame's loads for the rendering, and the names that it takes from the variables. */
static bool keep_loads(struct scope *c, const struct syms *s, struct frame_loads *out)
{
    out->v = arena_alloc(c->t->arena, s->n, sizeof(*out->v), c->err);
    if (!out->v)
        return false;
    for (size_t i = 0; i < s->n; i++) {
        const struct sym *sym = &s->v[i];
        if (sym->load == LOAD_PARAM)
            continue;
        out->v[out->n++] = (struct slot_load){ .load = sym->load, .slot = sym->slot, .name = sym->name,
                                               .from_hops = sym->from_hops, .from_slot = sym->from_slot };
        if (sym->load != LOAD_RESOLVE)
            continue;
        if (!grow(c, &c->t->reads, c->t->n_reads, &c->cap_reads, sizeof(*c->t->reads)))
            return false;
        c->t->reads[c->t->n_reads++] = sym->name;
    }
    return true;
}

static struct fn *fn_new(struct scope *c, struct fn *outer)
{
    struct fn *fn = arena_alloc(c->t->arena, 1, sizeof(*fn), c->err);
    if (fn)
        fn->depth = outer->depth + 1;
    outer->captured = true;
    return fn;
}

static struct node *copy_target(struct scope *c, const struct node *n)
{
    struct node *m = arena_alloc(c->t->arena, 1, sizeof(*m), c->err);
    if (!m)
        return NULL;
    *m = *n;
    if (n->kind != NODE_TUPLE)
        return m;
    m->items.v = arena_alloc(c->t->arena, n->items.n, sizeof(struct node *), c->err);
    for (size_t i = 0; m->items.v && i < n->items.n; i++)
        if (!(m->items.v[i] = copy_target(c, n->items.v[i])))
            return NULL;
    return m->items.v ? m : NULL;
}

static bool settle_for(struct scope *c, struct syms *s, struct node *n, bool soft)
{
    struct fn *fn = s->fn;
    if (n->loop.recursive) {
        if (!(fn = n->loop.fn = fn_new(c, s->fn)))
            return false;
        fn->captured = true; /* by `loop`, which may be kept and called later */
    }
    struct syms *body = syms_new(c, s, fn), *otherwise = syms_new(c, s, fn), *test = syms_new(c, s, s->fn);
    if (!body || !otherwise || !test)
        return false;
    n->loop.extended = n->loop.recursive || uses(&n->loop.body, "loop");
    if (n->loop.extended) {
        if (!note_param(c, body, c->t->id_loop))
            return false;
        n->loop.loop_slot = body->v[0].slot;
    }
    if (!collect_param(c, body, n->loop.target) || !collect_all(c, body, &n->loop.body) ||
        !collect_all(c, otherwise, &n->loop.otherwise))
        return false;
    if (n->loop.test) {
        n->loop.test_target = copy_target(c, n->loop.target);
        if (!n->loop.test_target || !collect_param(c, test, n->loop.target) || !collect(c, test, n->loop.test) ||
            !settle(c, test, n->loop.test_target, false) || !settle(c, test, n->loop.test, false) ||
            !keep_loads(c, test, &n->loop.test_loads))
            return false;
    }
    return settle(c, s, n->loop.iter, soft) && settle(c, body, n->loop.target, false) &&
           settle_all(c, body, &n->loop.body, false) && settle_all(c, otherwise, &n->loop.otherwise, false) &&
           keep_loads(c, body, &n->loop.body_loads) && keep_loads(c, otherwise, &n->loop.else_loads);
}

/* A macro, or the body of a call block: a function with parameters and, if the body names them, the
 * special ones caller, kwargs and varargs. */
static bool settle_macro(struct scope *c, struct syms *s, struct macro_def *m, int line)
{
    struct syms *in;
    if (!(m->fn = fn_new(c, s->fn)) || !(in = syms_new(c, s, m->fn)))
        return false;
    bool own_kwargs = false, own_varargs = false;
    for (size_t i = 0; i < m->params.n; i++) {
        const struct str *id = m->params.v[i]->name.id;
        if (!note_param(c, in, id))
            return false;
        own_kwargs = own_kwargs || id == c->t->id_kwargs;
        own_varargs = own_varargs || id == c->t->id_varargs;
        if (id != c->t->id_caller)
            continue;
        m->explicit_caller = true;
        if (uses(&m->body, "caller") && i + m->defaults.n < m->params.n)
            return err_set(c->err, ERR_INPUT, "line %d: the special \"caller\" argument must be omitted or be given "
                                              "a default", line);
    }
    m->wants_caller = uses(&m->body, "caller");
    m->wants_kwargs = !own_kwargs && uses(&m->body, "kwargs");
    m->wants_varargs = !own_varargs && uses(&m->body, "varargs");
    if ((m->wants_caller && !note_param(c, in, c->t->id_caller)) ||
        (m->wants_kwargs && !note_param(c, in, c->t->id_kwargs)) ||
        (m->wants_varargs && !note_param(c, in, c->t->id_varargs)) || !collect_all(c, in, &m->defaults) ||
        !collect_all(c, in, &m->body))
        return false;
    struct ref ref = { 0 };
    if (m->wants_caller && find_ref(in, c->t->id_caller, &ref))
        m->caller_slot = ref.slot;
    if (m->wants_kwargs && find_ref(in, c->t->id_kwargs, &ref))
        m->kwargs_slot = ref.slot;
    if (m->wants_varargs && find_ref(in, c->t->id_varargs, &ref))
        m->varargs_slot = ref.slot;
    return settle_all(c, in, &m->params, false) && settle_all(c, in, &m->defaults, false) &&
           settle_all(c, in, &m->body, false) && keep_loads(c, in, &m->loads);
}

static bool settle_set_block(struct scope *c, struct syms *s, struct node *n, bool soft)
{
    struct syms *in = syms_new(c, s, s->fn);
    return in && collect_all(c, in, &n->set.body) && (!n->set.filter || collect(c, in, n->set.filter)) &&
           settle_all(c, in, &n->set.body, false) && settle_opt(c, in, n->set.filter, false) &&
           settle(c, s, n->set.target ? n->set.target : n->set.ns, soft) && keep_loads(c, in, &n->set.loads);
}

static bool settle_scope(struct scope *c, struct syms *s, struct node *n, bool soft)
{
    struct syms *in = syms_new(c, s, s->fn);
    if (!in)
        return false;
    for (size_t i = 0; i < n->scope.targets.n; i++)
        if (!collect_param(c, in, n->scope.targets.v[i]) || !settle(c, s, n->scope.values.v[i], soft))
            return false;
    return collect_all(c, in, &n->scope.body) && (!n->scope.filter || collect(c, in, n->scope.filter)) &&
           settle_all(c, in, &n->scope.targets, false) && settle_all(c, in, &n->scope.body, false) &&
           settle_opt(c, in, n->scope.filter, false) && keep_loads(c, in, &n->scope.loads);
}

static bool settle_if(struct scope *c, struct syms *s, struct node *n)
{
    for (size_t i = 0; i < n->branch.n; i++)
        if (!settle(c, s, n->branch.tests[i], true) || !settle_all(c, s, &n->branch.bodies[i], true))
            return false;
    return settle_all(c, s, &n->branch.otherwise, true);
}

static bool settle(struct scope *c, struct syms *s, struct node *n, bool soft)
{
    switch (n->kind) {
    case NODE_NAME: return settle_name(c, s, n);
    case NODE_TUPLE: case NODE_LIST: case NODE_DICT: case NODE_CONCAT: case NODE_OUTPUT:
        return settle_all(c, s, &n->items, soft);
    case NODE_NEG: case NODE_POS: case NODE_NOT: return settle(c, s, n->bin.a, soft);
    case NODE_BINARY: case NODE_AND: case NODE_OR: return settle(c, s, n->bin.a, soft) && settle(c, s, n->bin.b, soft);
    case NODE_COMPARE: return settle_all(c, s, &n->cmp.items, soft);
    case NODE_GETATTR: case NODE_GETITEM: case NODE_SLICE:
        return settle(c, s, n->get.obj, soft) && settle_opt(c, s, n->get.part[0], soft) &&
               settle_opt(c, s, n->get.part[1], soft) && settle_opt(c, s, n->get.part[2], soft);
    case NODE_CALL: case NODE_FILTER: case NODE_TEST: return settle_call(c, s, n, soft);
    case NODE_COND:
        return settle(c, s, n->cond.test, true) && settle(c, s, n->cond.then, true) &&
               settle_opt(c, s, n->cond.otherwise, true);
    case NODE_IF: return settle_if(c, s, n);
    case NODE_FOR: return settle_for(c, s, n, soft);
    case NODE_SET:
        return settle(c, s, n->set.value, soft) && settle(c, s, n->set.target ? n->set.target : n->set.ns, soft);
    case NODE_SET_BLOCK: return settle_set_block(c, s, n, soft);
    case NODE_MACRO: return settle_name(c, s, n->macro.target) && settle_macro(c, s, n->macro.def, n->line);
    case NODE_CALL_BLOCK: return settle_opt(c, s, n->macro.call, soft) && settle_macro(c, s, n->macro.def, n->line);
    case NODE_FILTER_BLOCK: case NODE_WITH: return settle_scope(c, s, n, soft);
    default: return true;
    }
}

bool tpl_scope(struct template *t, struct arena *scratch, struct err *err)
{
    struct scope c = { .t = t, .scratch = scratch, .err = err };
    struct syms *s = syms_new(&c, NULL, &t->fn);
    if (!s || !collect_all(&c, s, &t->body) || !settle_all(&c, s, &t->body, false) || !keep_loads(&c, s, &t->loads))
        return false;
    const struct str **reads = arena_alloc(t->arena, t->n_reads, sizeof(*reads), err);
    for (size_t i = 0; reads && i < t->n_reads; i++)
        reads[i] = t->reads[i];
    t->reads = reads;
    return reads != NULL;
}
