/* template/parse.c - tokens to statements; start at tpl_parse(), then parse_body().
 *
 * What jinja2 has and chat templates cannot use, because it needs other files or other templates
 * (include, import, from, extends, block), is refused by name.
 */
#include <stdio.h>

#include "template/node_internal.h"

enum { ENDS_MAX = 4 };

static bool parse_statement(struct parser *p, struct nodes *body, size_t *cap);

static bool can_assign(const struct node *n)
{
    if (n->kind == NODE_NAME)
        return true;
    if (n->kind != NODE_TUPLE)
        return false;
    for (size_t i = 0; i < n->items.n; i++)
        if (!can_assign(n->items.v[i]))
            return false;
    return true;
}

static bool mark_store(struct parser *p, struct node *n)
{
    if (n->kind == NODE_TUPLE) {
        for (size_t i = 0; i < n->items.n; i++)
            if (!mark_store(p, n->items.v[i]))
                return false;
        return true;
    }
    if (p->n_for > 0 && str_is(n->name.id, "loop"))
        return parser_fail(p, n->line, "Can't assign to special loop variable in for-loop target");
    n->name.store = true;
    return true;
}

static struct node *parse_target(struct parser *p, const char *end_name)
{
    struct node *n = parser_tuple(p, true, true, end_name, false);
    if (!n)
        return NULL;
    if (!can_assign(n)) {
        parser_fail(p, n->line, "can't assign to what is no name");
        return NULL;
    }
    return mark_store(p, n) ? n : NULL;
}

static struct node *parse_name_target(struct parser *p)
{
    const struct token *t = parser_expect(p, TOK_NAME);
    if (!t)
        return NULL;
    static const char *const reserved[] = { "true", "false", "none", "True", "False", "None" };
    for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
        if (str_is(t->s, reserved[i])) {
            parser_fail(p, t->line, "can't assign to '%s'", reserved[i]);
            return NULL;
        }
    struct node *n = parser_node(p, NODE_NAME, t->line);
    if (n)
        n->name.id = t->s;
    return n;
}

/* Statements and text up to one of the tags in ends[], which stays the current token; ends NULL: up to
 * the end of the template. */
static bool parse_until(struct parser *p, const char *const *ends, struct nodes *body)
{
    size_t cap = 0, cap_out = 0;
    struct node *out = NULL;
    for (;;) {
        const struct token *t = parser_now(p);
        if (t->kind == TOK_EOF) {
            if (!ends)
                return true;
            return parser_fail(p, t->line, "Unexpected end of template, looking for '%s'", ends[0]);
        }
        if (t->kind == TOK_BLOCK_BEGIN) {
            out = NULL;
            p->i++;
            for (int i = 0; ends && ends[i]; i++)
                if (parser_at_name(p, ends[i]))
                    return true;
            if (!parse_statement(p, body, &cap) || !parser_expect(p, TOK_BLOCK_END))
                return false;
            continue;
        }
        if (!out) {
            out = parser_node(p, NODE_OUTPUT, t->line);
            cap_out = 0;
            if (!parser_push(p, body, &cap, out))
                return false;
        }
        p->i++;
        struct node *item;
        if (t->kind == TOK_DATA) {
            item = parser_node(p, NODE_CONST, t->line);
            if (item)
                item->value = val_str(t->s);
        } else {
            item = parser_tuple(p, false, true, NULL, false);
            if (item && !parser_expect(p, TOK_VAR_END))
                return false;
        }
        if (!parser_push(p, &out->items, &cap_out, item))
            return false;
    }
}

/* From behind the tag's expressions to one of the end tags (separated by spaces in `ends`). */
static bool parse_body(struct parser *p, const char *const *ends, bool drop_end, struct nodes *body)
{
    if (parser_at(p, TOK_COLON)) /* as in Python: {% if x: %} */
        p->i++;
    if (!parser_expect(p, TOK_BLOCK_END) || !parse_until(p, ends, body))
        return false;
    p->i += drop_end;
    return true;
}

static bool parse_end(struct parser *p, const char *end, struct nodes *body)
{
    return parse_body(p, (const char *const[]){ end, NULL }, true, body);
}

static struct node *parse_for(struct parser *p, int line)
{
    struct node *n = parser_node(p, NODE_FOR, line);
    if (!n)
        return NULL;
    p->n_for++;
    if (!(n->loop.target = parse_target(p, "in")))
        return NULL;
    if (!parser_skip_name(p, "in")) {
        parser_fail(p, parser_now(p)->line, "expected token 'in'");
        return NULL;
    }
    if (!(n->loop.iter = parser_tuple(p, false, false, "recursive", false)))
        return NULL;
    if (parser_skip_name(p, "if") && !(n->loop.test = parser_expression(p, true)))
        return NULL;
    n->loop.recursive = parser_skip_name(p, "recursive");
    p->n_loop++;
    if (!parse_body(p, (const char *const[]){ "endfor", "else", NULL }, false, &n->loop.body))
        return NULL;
    p->n_loop--;
    if (parser_skip_name(p, "else")) {
        const int n_loop = p->n_loop;
        if (n->loop.recursive)
            p->n_loop = 0; /* it is in the loop's own function */
        if (!parse_end(p, "endfor", &n->loop.otherwise))
            return NULL;
        p->n_loop = n_loop;
    } else
        p->i++; /* endfor */
    p->n_for--;
    return n;
}

static bool push_branch(struct parser *p, struct node *n, size_t *cap)
{
    if (n->branch.n == *cap) {
        const size_t more = *cap ? *cap * 2 : 2;
        struct node **tests = arena_alloc(p->keep, more, sizeof(*tests), p->err);
        struct nodes *bodies = arena_alloc(p->keep, more, sizeof(*bodies), p->err);
        if (!tests || !bodies)
            return false;
        for (size_t i = 0; i < n->branch.n; i++)
            tests[i] = n->branch.tests[i], bodies[i] = n->branch.bodies[i];
        n->branch.tests = tests;
        n->branch.bodies = bodies;
        *cap = more;
    }
    struct node *test = parser_tuple(p, false, false, NULL, false);
    if (!test)
        return false;
    struct nodes body = { 0 };
    if (!parse_body(p, (const char *const[]){ "elif", "else", "endif", NULL }, false, &body))
        return false;
    n->branch.tests[n->branch.n] = test;
    n->branch.bodies[n->branch.n++] = body;
    return true;
}

static struct node *parse_if(struct parser *p, int line)
{
    struct node *n = parser_node(p, NODE_IF, line);
    size_t cap = 0;
    if (!n)
        return NULL;
    do
        if (!push_branch(p, n, &cap))
            return NULL;
    while (parser_skip_name(p, "elif"));
    if (parser_skip_name(p, "else"))
        return parse_end(p, "endif", &n->branch.otherwise) ? n : NULL;
    p->i++; /* endif */
    return n;
}

static struct node *parse_set(struct parser *p, int line)
{
    struct node *n = parser_node(p, NODE_SET, line);
    if (!n)
        return NULL;
    if (p->tok[p->i].kind == TOK_NAME && p->tok[p->i + 1].kind == TOK_DOT) {
        struct node *ns = parser_node(p, NODE_NAME, parser_now(p)->line);
        if (!ns)
            return NULL;
        ns->name.id = parser_now(p)->s;
        n->set.ns = ns;
        p->i += 2;
        const struct token *attr = parser_expect(p, TOK_NAME);
        if (!attr)
            return NULL;
        n->set.attr = attr->s;
    } else if (!(n->set.target = parse_target(p, NULL)))
        return NULL;
    if (parser_at(p, TOK_ASSIGN)) {
        p->i++;
        n->set.value = parser_tuple(p, false, true, NULL, false);
        return n->set.value ? n : NULL;
    }
    n->kind = NODE_SET_BLOCK;
    if (parser_at(p, TOK_PIPE) && !(n->set.filter = parser_filters(p, NULL, false)))
        return NULL;
    return parse_end(p, "endset", &n->set.body) ? n : NULL;
}

static bool parse_signature(struct parser *p, struct macro_def *m)
{
    size_t cap = 0, cap_defaults = 0;
    if (!parser_expect(p, TOK_LPAREN))
        return false;
    while (!parser_at(p, TOK_RPAREN)) {
        if (m->params.n > 0 && !parser_expect(p, TOK_COMMA))
            return false;
        struct node *name = parse_name_target(p);
        if (!name)
            return false;
        for (size_t i = 0; i < m->params.n; i++)
            if (m->params.v[i]->name.id == name->name.id)
                return parser_fail(p, name->line, "duplicate argument '%.60s'", name->name.id->data);
        if (parser_at(p, TOK_ASSIGN)) {
            p->i++;
            if (!parser_push(p, &m->defaults, &cap_defaults, parser_expression(p, true)))
                return false;
        } else if (m->defaults.n > 0)
            return parser_fail(p, name->line, "non-default argument follows default argument");
        if (!parser_push(p, &m->params, &cap, name))
            return false;
    }
    return parser_expect(p, TOK_RPAREN) != NULL;
}

/* The body of a macro is a function: break and continue cannot leave it. */
static bool parse_macro_body(struct parser *p, const char *end, struct macro_def *m)
{
    const int n_loop = p->n_loop;
    p->n_loop = 0;
    const bool ok = parse_end(p, end, &m->body);
    p->n_loop = n_loop;
    return ok;
}

static struct node *parse_macro(struct parser *p, int line)
{
    struct node *n = parser_node(p, NODE_MACRO, line);
    if (!n || !(n->macro.def = arena_alloc(p->keep, 1, sizeof(*n->macro.def), p->err)) ||
        !(n->macro.target = parse_name_target(p)))
        return NULL;
    n->macro.target->name.store = true;
    n->macro.def->name = n->macro.target->name.id;
    return parse_signature(p, n->macro.def) && parse_macro_body(p, "endmacro", n->macro.def) ? n : NULL;
}

static struct node *parse_call_block(struct parser *p, int line)
{
    struct node *n = parser_node(p, NODE_CALL_BLOCK, line);
    if (!n || !(n->macro.def = arena_alloc(p->keep, 1, sizeof(*n->macro.def), p->err)))
        return NULL;
    if (parser_at(p, TOK_LPAREN) && !parse_signature(p, n->macro.def))
        return NULL;
    n->macro.call = parser_expression(p, true);
    if (!n->macro.call)
        return NULL;
    if (n->macro.call->kind != NODE_CALL) {
        parser_fail(p, line, "expected call");
        return NULL;
    }
    return parse_macro_body(p, "endcall", n->macro.def) ? n : NULL;
}

/* transformers marks with it what the model said; its text is its content. */
static struct node *parse_generation(struct parser *p, int line)
{
    struct node *n = parser_node(p, NODE_CALL_BLOCK, line);
    if (!n || !(n->macro.def = arena_alloc(p->keep, 1, sizeof(*n->macro.def), p->err)))
        return NULL;
    return parse_macro_body(p, "endgeneration", n->macro.def) ? n : NULL;
}

static struct node *parse_filter_block(struct parser *p, int line)
{
    struct node *n = parser_node(p, NODE_FILTER_BLOCK, line);
    if (!n || !(n->scope.filter = parser_filters(p, NULL, true)))
        return NULL;
    return parse_end(p, "endfilter", &n->scope.body) ? n : NULL;
}

static struct node *parse_with(struct parser *p, int line)
{
    struct node *n = parser_node(p, NODE_WITH, line);
    size_t cap = 0, cap_values = 0;
    while (n && !parser_at(p, TOK_BLOCK_END) && !parser_at(p, TOK_COLON)) {
        if (n->scope.targets.n > 0 && !parser_expect(p, TOK_COMMA))
            return NULL;
        struct node *target = parser_tuple(p, true, true, NULL, false);
        if (target && !can_assign(target)) {
            parser_fail(p, target->line, "can't assign to what is no name");
            return NULL;
        }
        if (!parser_push(p, &n->scope.targets, &cap, target) || !parser_expect(p, TOK_ASSIGN) ||
            !parser_push(p, &n->scope.values, &cap_values, parser_expression(p, true)))
            return NULL;
    }
    return n && parse_end(p, "endwith", &n->scope.body) ? n : NULL;
}

static struct node *parse_print(struct parser *p, int line)
{
    struct node *n = parser_node(p, NODE_OUTPUT, line);
    size_t cap = 0;
    while (n && !parser_at(p, TOK_BLOCK_END)) {
        if (n->items.n > 0 && !parser_expect(p, TOK_COMMA))
            return NULL;
        if (!parser_push(p, &n->items, &cap, parser_expression(p, true)))
            return NULL;
    }
    return n;
}

static struct node *parse_leave(struct parser *p, int line, enum node_kind kind)
{
    if (p->n_loop == 0) {
        parser_fail(p, line, "'%s' outside loop", kind == NODE_BREAK ? "break" : "continue");
        return NULL;
    }
    return parser_node(p, kind, line);
}

static bool parse_statement(struct parser *p, struct nodes *body, size_t *cap)
{
    const struct token *t = parser_now(p);
    if (t->kind != TOK_NAME)
        return parser_fail(p, t->line, "tag name expected");
    if (++p->nest > NEST_MAX)
        return parser_fail(p, t->line, "nested deeper than %d levels", NEST_MAX);
    p->i++;
    struct node *n = NULL;
    if (str_is(t->s, "if"))
        n = parse_if(p, t->line);
    else if (str_is(t->s, "for"))
        n = parse_for(p, t->line);
    else if (str_is(t->s, "set"))
        n = parse_set(p, t->line);
    else if (str_is(t->s, "macro"))
        n = parse_macro(p, t->line);
    else if (str_is(t->s, "call"))
        n = parse_call_block(p, t->line);
    else if (str_is(t->s, "filter"))
        n = parse_filter_block(p, t->line);
    else if (str_is(t->s, "with"))
        n = parse_with(p, t->line);
    else if (str_is(t->s, "print"))
        n = parse_print(p, t->line);
    else if (str_is(t->s, "generation"))
        n = parse_generation(p, t->line);
    else if (str_is(t->s, "break"))
        n = parse_leave(p, t->line, NODE_BREAK);
    else if (str_is(t->s, "continue"))
        n = parse_leave(p, t->line, NODE_CONTINUE);
    else if (str_is(t->s, "include") || str_is(t->s, "import") || str_is(t->s, "from") || str_is(t->s, "extends") ||
             str_is(t->s, "block") || str_is(t->s, "autoescape"))
        return err_set(p->err, ERR_UNSUPPORTED, "line %d: a chat template cannot use the tag '%s'", t->line, t->s->data);
    else
        return parser_fail(p, t->line, "Encountered unknown tag '%.*s'", t->s->len > 60 ? 60 : (int)t->s->len,
                           t->s->data);
    p->nest--;
    return parser_push(p, body, cap, n);
}

bool tpl_parse(struct template *t, const struct token *tok, size_t n_tok, struct err *err)
{
    struct parser p = { .tok = tok, .n = n_tok, .keep = t->arena, .err = err };
    return parse_until(&p, NULL, &t->body);
}
