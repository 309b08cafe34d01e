/* pipeline/expr.c - from tokens to a checked tree; see expr.h.  Start at expr_compile(); each rule of the grammar is one function,
 * loosest first: or_, and_, not_, compare_, sum_, product_, unary_, atom_.  The tokens are expr_lex.c's. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/yaml.h"
#include "pipeline/expr_internal.h"

enum { NEAR_MAX = 192 };

const char *expr_type_name(enum expr_type t)
{
    static const char *const names[EXPR_TYPE_COUNT] = { "a condition", "a number", "a duration", "a time of day", "a text", "a list" };
    return names[t];
}

static bool is_sign(const struct parse *p, const char *s) { return p->token == T_SIGN && strcmp(p->sign, s) == 0; }
static bool is_word(const struct parse *p, const char *s) { return p->token == T_NAME && strcmp(p->name, s) == 0; }
static bool want(struct parse *p, const char *s)
{
    if (is_sign(p, s))
        return expr_next(p);
    return expr_fail_at(p, p->begin, p->token == T_END ? "'%s' is missing at the end" : "'%s' is wanted here", s) != NULL;
}

/* ---- nodes ---- */

static struct node *make(struct parse *p, enum node_kind kind, enum expr_type type, const struct node *a, const struct node *b)
{
    if (++p->n_nodes > EXPR_NODES_MAX)
        return expr_fail_at(p, p->begin, "too long: more than %d parts", EXPR_NODES_MAX);
    struct node *n = arena_alloc(p->arena, 1, sizeof(*n), p->err);
    if (n)
        *n = (struct node){ .kind = kind, .type = type, .a = a, .b = b, .value = { .text = "" } };
    return n;
}

static const struct node *or_(struct parse *p);

static bool is_ordered(enum expr_type t) { return t == EXPR_NUMBER || t == EXPR_SECONDS || t == EXPR_CLOCK; }
static bool needs(struct parse *p, const struct node *n, enum expr_type t, const char *at, const char *what)
{
    return n->type == t || expr_fail_at(p, at, "%s: %s is wanted, this is %s", what, expr_type_name(t), expr_type_name(n->type)) != NULL;
}

/* ---- names ---- */

static void *unknown(struct parse *p, const char *at, const char *object, const char *name)
{
    const char *known[NEAR_MAX + 1];
    int n = 0;
    for (int i = p->n_scopes - 1; i >= 0 && !object; i--)
        for (const struct expr_field *f = p->scopes[i]; f->name && n < NEAR_MAX; f++)
            known[n++] = f->name;
    bool has_object = false;
    for (int i = 0; i < p->names->n; i++) {
        const struct expr_name *k = &p->names->names[i];
        has_object |= object && k->object && strcmp(k->object, object) == 0;
    }
    for (int i = 0; i < p->names->n && n < NEAR_MAX; i++) {
        const struct expr_name *k = &p->names->names[i];
        if (object && has_object ? k->object && strcmp(k->object, object) == 0 : object || !k->object)
            known[n++] = object && !has_object ? (k->object ? k->object : k->name) : k->name;
        else if (!object && k->object)
            known[n++] = k->object;
    }
    known[n] = NULL;
    const char *near = yaml_nearest(object && !has_object ? object : name, known);
    if (object && !has_object)
        return expr_fail_at(p, at, "'%s': there is no earlier stage of that name%s%s%s", object, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    if (near)
        return expr_fail_at(p, at, "'%s%s%s' is not known; did you mean '%s'?", object ? object : "", object ? "." : "", name, near);
    char all[120] = "";
    for (int i = 0; i < n && strlen(all) + strlen(known[i]) + 3 < sizeof(all); i++) {
        bool again = false;
        for (int k = 0; k < i; k++)
            again |= strcmp(known[k], known[i]) == 0;
        if (!again)
            strcat(strcat(all, all[0] ? ", " : ""), known[i]);
    }
    return expr_fail_at(p, at, "'%s%s%s' is not known; there are: %s", object ? object : "", object ? "." : "", name, all);
}

static const struct expr_name *find(const struct parse *p, const char *object, const char *name)
{
    for (int i = 0; i < p->names->n; i++) {
        const struct expr_name *k = &p->names->names[i];
        if ((object ? k->object && strcmp(k->object, object) == 0 : !k->object) && strcmp(k->name, name) == 0)
            return k;
    }
    return NULL;
}

static bool is_object(const struct parse *p, const char *name)
{
    for (int i = 0; i < p->names->n; i++)
        if (p->names->names[i].object && strcmp(p->names->names[i].object, name) == 0)
            return true;
    return false;
}

static const struct node *name_node(struct parse *p, const struct expr_name *k)
{
    struct node *n = make(p, NODE_NAME, k->type, NULL, NULL);
    bool is_new = n != NULL;
    if (!n)
        return NULL;
    n->name = k;
    for (int i = 0; i < p->out->n_used; i++)
        is_new &= p->out->used[i] != k;
    if (is_new && p->out->n_used < (int)(sizeof(p->out->used) / sizeof(p->out->used[0])))
        p->out->used[p->out->n_used++] = k;
    return n;
}

/* The current token is a name that no '(' follows. */
static const struct node *named(struct parse *p)
{
    const char *at = p->begin;
    char first[NAME_BYTES_MAX];
    memcpy(first, p->name, sizeof(first));
    if (!expr_next(p))
        return NULL;
    if (is_sign(p, ".")) {
        if (!expr_next(p))
            return NULL;
        if (p->token != T_NAME)
            return expr_fail_at(p, p->begin, "a name is wanted behind '%s.'", first);
        const struct expr_name *k = find(p, first, p->name);
        return !k ? unknown(p, at, first, p->name) : expr_next(p) ? name_node(p, k) : NULL;
    }
    for (int i = p->n_scopes - 1; i >= 0; i--)
        for (const struct expr_field *f = p->scopes[i]; f->name; f++)
            if (strcmp(f->name, first) == 0) {
                struct node *n = make(p, NODE_FIELD, f->type, NULL, NULL);
                if (n)
                    n->field = f, n->level = i;
                return n;
            }
    const struct expr_name *k = find(p, NULL, first);
    if (!k && p->names->near)
        k = find(p, p->names->near, first);
    if (!k && is_object(p, first))
        return expr_fail_at(p, at, "'%s' is a stage: %s.score, %s.boxes, ... are what it says", first, first, first);
    return k ? name_node(p, k) : unknown(p, at, NULL, first);
}

/* ---- functions ---- */

static const struct over { const char *name; enum node_kind kind; enum expr_type body; bool may_lack; } overs[] = {
    { "any", NODE_ANY, EXPR_BOOL, false }, { "all", NODE_ALL, EXPR_BOOL, false }, { "count", NODE_COUNT, EXPR_BOOL, true },
    { "max", NODE_MAX_OF, EXPR_NUMBER, false }, { "min", NODE_MIN_OF, EXPR_NUMBER, false }, { "sum", NODE_SUM, EXPR_NUMBER, false },
};
static const char *const functions[] = { "any", "all", "count", "max", "min", "sum", "abs", "length", "between", "since", NULL };

/* any(list, body): the list is read already, the current token is ',' or ')'. */
static const struct node *over_list(struct parse *p, const struct over *o, const struct node *list, const char *at)
{
    const struct node *body = NULL;
    if (p->n_scopes == SCOPES_MAX)
        return expr_fail_at(p, at, "more than %d lists inside each other", SCOPES_MAX);
    if (is_sign(p, ",")) {
        if (!expr_next(p))
            return NULL;
        const char *body_at = p->begin;
        p->scopes[p->n_scopes++] = list->name->fields;
        body = or_(p);
        p->n_scopes--;
        if (!body || (!(o->body == EXPR_NUMBER && body->type == EXPR_SECONDS) && !needs(p, body, o->body, body_at, o->name)))
            return NULL;
    } else if (!o->may_lack) {
        return expr_fail_at(p, p->begin, "%s(list, %s): what of each item?", o->name, o->body == EXPR_BOOL ? "condition" : "number");
    }
    if (!want(p, ")"))
        return NULL;
    struct node *n = make(p, o->kind, o->body == EXPR_NUMBER ? body->type : o->kind == NODE_COUNT ? EXPR_NUMBER : EXPR_BOOL, list, body);
    if (n)
        n->level = p->n_scopes;
    return n;
}

static const struct node *since(struct parse *p)
{
    const char *at = p->begin;
    if (p->n_scopes > 0 || p->in_since)
        return expr_fail_at(p, at, "since() cannot stand inside %s", p->in_since ? "another" : "a list");
    if (p->out->n_since == EXPR_SINCE_MAX)
        return expr_fail_at(p, at, "more than %d since()", EXPR_SINCE_MAX);
    p->in_since = true;
    const struct node *a = or_(p);
    p->in_since = false;
    if (!a || !needs(p, a, EXPR_BOOL, at, "since") || !want(p, ")"))
        return NULL;
    struct node *n = make(p, NODE_SINCE, EXPR_SECONDS, a, NULL);
    if (n) {
        n->slot = p->out->n_since;
        p->out->since[p->out->n_since++] = n;
    }
    return n;
}

static const struct node *call(struct parse *p, const char *name, const char *at)
{
    const struct over *o = NULL;
    bool known = false;
    for (size_t i = 0; i < sizeof(overs) / sizeof(overs[0]); i++)
        o = strcmp(overs[i].name, name) == 0 ? &overs[i] : o;
    for (int i = 0; functions[i]; i++)
        known |= strcmp(functions[i], name) == 0;
    if (!known) {
        const char *near = yaml_nearest(name, functions);
        return expr_fail_at(p, at, "there is no function %s()%s%s%s", name, near ? "; did you mean " : "", near ? near : "", near ? "()?" : "");
    }
    if (strcmp(name, "since") == 0)
        return since(p);
    const struct node *arg[3] = { NULL };
    const char *where[3];
    int n = 0;
    do {
        if (n == 3)
            return expr_fail_at(p, p->begin, "%s() has no %dth part", name, n + 1);
        if (n > 0 && !expr_next(p))
            return NULL;
        where[n] = p->begin;
        if (!(arg[n++] = or_(p)))
            return NULL;
        if (n == 1 && arg[0]->type == EXPR_LIST) {
            if (!o)
                return expr_fail_at(p, where[0], "%s() of a list means nothing", name);
            return over_list(p, o, arg[0], at);
        }
    } while (is_sign(p, ","));
    if (!want(p, ")"))
        return NULL;
    if (o && o->kind != NODE_MAX_OF && o->kind != NODE_MIN_OF)
        return expr_fail_at(p, where[0], "%s(): a list is wanted, this is %s", name, expr_type_name(arg[0]->type));
    if (o && n == 2) {
        if (!is_ordered(arg[0]->type))
            return expr_fail_at(p, where[0], "%s(): a number is wanted, this is %s", name, expr_type_name(arg[0]->type));
        return needs(p, arg[1], arg[0]->type, where[1], name) ? make(p, o->kind == NODE_MAX_OF ? NODE_MAX : NODE_MIN, arg[0]->type, arg[0], arg[1]) : NULL;
    }
    if (strcmp(name, "abs") == 0 && n == 1 && (arg[0]->type == EXPR_NUMBER || arg[0]->type == EXPR_SECONDS))
        return make(p, NODE_ABS, arg[0]->type, arg[0], NULL);
    if (strcmp(name, "length") == 0 && n == 1)
        return needs(p, arg[0], EXPR_TEXT, where[0], name) ? make(p, NODE_LENGTH, EXPR_NUMBER, arg[0], NULL) : NULL;
    if (strcmp(name, "between") == 0 && n == 3 && is_ordered(arg[0]->type)) {
        struct node *r = needs(p, arg[1], arg[0]->type, where[1], name) && needs(p, arg[2], arg[0]->type, where[2], name) ? make(p, NODE_BETWEEN, EXPR_BOOL, arg[0], arg[1]) : NULL;
        if (r)
            r->c = arg[2];
        return r;
    }
    return expr_fail_at(p, at, strcmp(name, "between") == 0 ? "between(x, from, to) is wanted" : strcmp(name, "length") == 0 ? "length(text) is wanted" : o ? "%s(a, b) or %s(list, number) is wanted" : "abs(number) is wanted", name, name);
}

/* ---- the grammar ---- */

static const struct node *constant(struct parse *p, enum expr_type type)
{
    struct node *n = make(p, NODE_CONST, type, NULL, NULL);
    if (!n)
        return NULL;
    if (type == EXPR_TEXT)
        n->value.text = p->word;
    else if (type == EXPR_BOOL)
        n->value.b = strcmp(p->name, "true") == 0;
    else
        n->value.x = p->number;
    return expr_next(p) ? n : NULL;
}

static const struct node *atom_(struct parse *p)
{
    const char *at = p->begin;
    if (p->token == T_NUMBER)
        return constant(p, p->number_type);
    if (p->token == T_TEXT)
        return constant(p, EXPR_TEXT);
    if (is_word(p, "true") || is_word(p, "false"))
        return constant(p, EXPR_BOOL);
    if (is_sign(p, "(")) {
        const struct node *n = expr_next(p) ? or_(p) : NULL;
        return n && want(p, ")") ? n : NULL;
    }
    if (p->token != T_NAME || is_word(p, "and") || is_word(p, "or") || is_word(p, "in") || is_word(p, "contains"))
        return expr_fail_at(p, at, p->token == T_END ? "something is missing at the end" : "a name, a number or a text is wanted here");
    const char *s = p->at;
    while (s < p->end && isspace((unsigned char)*s))
        s++;
    if (s < p->end && *s == '(') {
        char name[NAME_BYTES_MAX];
        memcpy(name, p->name, sizeof(name));
        return expr_next(p) && expr_next(p) ? call(p, name, at) : NULL;
    }
    return named(p);
}

static const struct node *unary_(struct parse *p)
{
    if (!is_sign(p, "-"))
        return atom_(p);
    const char *at = p->begin;
    if (!expr_next(p))
        return NULL;
    if (++p->depth > EXPR_DEPTH_MAX)
        return expr_fail_at(p, at, "more than %d parts inside each other", EXPR_DEPTH_MAX);
    const struct node *a = unary_(p);
    p->depth--;
    if (!a)
        return NULL;
    if (a->type != EXPR_NUMBER && a->type != EXPR_SECONDS)
        return expr_fail_at(p, at, "minus %s means nothing", expr_type_name(a->type));
    return make(p, NODE_NEG, a->type, a, NULL);
}

/* The type of a result, or EXPR_TYPE_COUNT. */
static enum expr_type arithmetic(enum node_kind k, enum expr_type a, enum expr_type b)
{
    if (a == EXPR_NUMBER && b == EXPR_NUMBER)
        return EXPR_NUMBER;
    switch (k) {
    case NODE_ADD: return a == EXPR_SECONDS && b == EXPR_SECONDS ? EXPR_SECONDS : a == EXPR_CLOCK && b == EXPR_SECONDS ? EXPR_CLOCK : EXPR_TYPE_COUNT;
    case NODE_SUB:
        if (b == EXPR_SECONDS && (a == EXPR_SECONDS || a == EXPR_CLOCK))
            return a;
        return a == EXPR_CLOCK && b == EXPR_CLOCK ? EXPR_SECONDS : EXPR_TYPE_COUNT;
    case NODE_MUL: return (a == EXPR_SECONDS && b == EXPR_NUMBER) || (a == EXPR_NUMBER && b == EXPR_SECONDS) ? EXPR_SECONDS : EXPR_TYPE_COUNT;
    default: return a != EXPR_SECONDS ? EXPR_TYPE_COUNT : b == EXPR_NUMBER ? EXPR_SECONDS : b == EXPR_SECONDS ? EXPR_NUMBER : EXPR_TYPE_COUNT;
    }
}

static const struct node *binary(struct parse *p, const struct node *(*part)(struct parse *), const char *const *signs, const enum node_kind *kinds)
{
    const struct node *a = part(p);
    while (a) {
        int i = 0;
        while (signs[i] && !is_sign(p, signs[i]))
            i++;
        if (!signs[i])
            break;
        const char *at = p->begin;
        const struct node *b = expr_next(p) ? part(p) : NULL;
        if (!b)
            return NULL;
        const enum expr_type t = arithmetic(kinds[i], a->type, b->type);
        if (t == EXPR_TYPE_COUNT)
            return expr_fail_at(p, at, "%s %s %s means nothing", expr_type_name(a->type), signs[i], expr_type_name(b->type));
        a = make(p, kinds[i], t, a, b);
    }
    return a;
}

static const struct node *product_(struct parse *p)
{
    static const char *const signs[] = { "*", "/", NULL };
    static const enum node_kind kinds[] = { NODE_MUL, NODE_DIV };
    return binary(p, unary_, signs, kinds);
}

static const struct node *sum_(struct parse *p)
{
    static const char *const signs[] = { "+", "-", NULL };
    static const enum node_kind kinds[] = { NODE_ADD, NODE_SUB };
    return binary(p, product_, signs, kinds);
}

/* [ "a", "b" ]: the current token is '['. */
static const struct node *among(struct parse *p, const struct node *a)
{
    struct node *first = NULL, *last = NULL;
    const char *open = p->begin;
    do {
        if (!expr_next(p))
            return NULL;
        const char *at = p->begin;
        struct node *n = (struct node *)unary_(p);
        if (!n)
            return NULL;
        if (n->type != a->type)
            return expr_fail_at(p, at, "in: %s is wanted, this is %s", expr_type_name(a->type), expr_type_name(n->type));
        if (n->kind != NODE_CONST && n->kind != NODE_NEG)
            return expr_fail_at(p, at, "in [...]: numbers and texts are wanted");
        if (last)
            last->next = n;
        else
            first = n;
        last = n;
    } while (is_sign(p, ","));
    if (!want(p, "]"))
        return NULL;
    return a->type == EXPR_LIST || a->type == EXPR_BOOL ? expr_fail_at(p, open, "in: %s cannot be looked for", expr_type_name(a->type)) : make(p, NODE_IN, EXPR_BOOL, a, first);
}

static const struct node *compare_(struct parse *p)
{
    static const char *const signs[] = { "==", "!=", "<=", ">=", "<", ">", NULL };
    static const enum node_kind kinds[] = { NODE_EQ, NODE_NE, NODE_LE, NODE_GE, NODE_LT, NODE_GT };
    const struct node *a = sum_(p);
    if (!a)
        return NULL;
    const char *at = p->begin;
    if (is_word(p, "in")) {
        if (!expr_next(p))
            return NULL;
        return is_sign(p, "[") ? among(p, a) : expr_fail_at(p, p->begin, "in [...]: a list in brackets is wanted");
    }
    if (is_word(p, "contains")) {
        const struct node *b = expr_next(p) ? sum_(p) : NULL;
        return b && needs(p, a, EXPR_TEXT, at, "contains") && needs(p, b, EXPR_TEXT, at, "contains") ? make(p, NODE_CONTAINS, EXPR_BOOL, a, b) : NULL;
    }
    int i = 0;
    while (signs[i] && !is_sign(p, signs[i]))
        i++;
    if (!signs[i])
        return a;
    const struct node *b = expr_next(p) ? sum_(p) : NULL;
    if (!b)
        return NULL;
    if (a->type != b->type || a->type == EXPR_LIST)
        return expr_fail_at(p, at, a->type == EXPR_LIST ? "%s cannot be compared; count(...) and any(...) look into it" : "%s cannot be compared with %s%s", expr_type_name(a->type),
                       expr_type_name(b->type), a->type == EXPR_SECONDS || b->type == EXPR_SECONDS ? " (write 10 s)" : "");
    if (i >= 2 && !is_ordered(a->type))
        return expr_fail_at(p, at, "%s has no order: == and != are there", expr_type_name(a->type));
    return make(p, kinds[i], EXPR_BOOL, a, b);
}

static const struct node *not_(struct parse *p)
{
    if (!is_word(p, "not"))
        return compare_(p);
    const char *at = p->begin;
    if (++p->depth > EXPR_DEPTH_MAX)
        return expr_fail_at(p, at, "more than %d parts inside each other", EXPR_DEPTH_MAX);
    const struct node *a = expr_next(p) ? not_(p) : NULL;
    p->depth--;
    return a && needs(p, a, EXPR_BOOL, at, "not") ? make(p, NODE_NOT, EXPR_BOOL, a, NULL) : NULL;
}

static const struct node *and_(struct parse *p)
{
    const char *at = p->begin;
    const struct node *a = not_(p);
    while (a && is_word(p, "and")) {
        const char *at_b = p->at;
        const struct node *b = expr_next(p) ? not_(p) : NULL;
        a = b && needs(p, a, EXPR_BOOL, at, "and") && needs(p, b, EXPR_BOOL, at_b, "and") ? make(p, NODE_AND, EXPR_BOOL, a, b) : NULL;
    }
    return a;
}

static const struct node *or_(struct parse *p)
{
    const char *at = p->begin;
    if (++p->depth > EXPR_DEPTH_MAX)
        return expr_fail_at(p, at, "more than %d parts inside each other", EXPR_DEPTH_MAX);
    const struct node *a = and_(p);
    while (a && is_word(p, "or")) {
        const char *at_b = p->at;
        const struct node *b = expr_next(p) ? and_(p) : NULL;
        a = b && needs(p, a, EXPR_BOOL, at, "or") && needs(p, b, EXPR_BOOL, at_b, "or") ? make(p, NODE_OR, EXPR_BOOL, a, b) : NULL;
    }
    p->depth--;
    return a;
}

struct expr *expr_compile(struct arena *arena, const char *text, size_t n, const struct expr_names *names, const char *file, int line, int column, struct err *err)
{
    struct expr *e = arena_alloc(arena, 1, sizeof(*e), err);
    struct parse p = { .text = text, .at = text, .end = text + n, .file = file, .line = line, .column = column, .names = names, .arena = arena, .err = err, .out = e };
    if (!e)
        return NULL;
    if (n > EXPR_BYTES_MAX)
        return expr_fail_at(&p, text, "longer than %d bytes", EXPR_BYTES_MAX);
    if (!expr_next(&p) || !(e->root = or_(&p)))
        return NULL;
    if (p.token != T_END)
        return expr_fail_at(&p, p.begin, "nothing is wanted any more here");
    return e;
}

enum expr_type expr_get_type(const struct expr *e) { return e->root->type; }

void expr_each_name(const struct expr *e, void (*fn)(void *ctx, const struct expr_name *name), void *ctx)
{
    for (int i = 0; i < e->n_used; i++)
        fn(ctx, e->used[i]);
}
