/* template/parse_expr.c - tokens to expressions; start at parser_expression().
 *
 * The grammar is jinja2's, from loose to tight: x if y else z, or, and, not, comparisons (a chain),
 * + -, ~, * / // %, **, unary + -, then calls, subscripts, filters and tests.  Unary minus takes its
 * operand without filters: -x|abs is (-x)|abs.
 */
#include <stdarg.h>
#include <stdio.h>

#include "template/node_internal.h"

bool parser_fail(struct parser *p, int line, const char *fmt, ...)
{
    char text[192];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    return err_set(p->err, ERR_INPUT, "line %d: %s", line, text);
}

struct node *parser_node(struct parser *p, enum node_kind kind, int line)
{
    struct node *n = arena_alloc(p->keep, 1, sizeof(*n), p->err);
    if (n) {
        n->kind = kind;
        n->height = 1;
        n->line = line;
    }
    return n;
}

bool parser_push(struct parser *p, struct nodes *list, size_t *cap, struct node *n)
{
    if (!n)
        return false;
    if (list->n == *cap) {
        const size_t more = *cap ? *cap * 2 : 4;
        struct node **v = arena_alloc(p->keep, more, sizeof(struct node *), p->err);
        if (!v)
            return false;
        if (list->n)
            memcpy(v, list->v, list->n * sizeof(struct node *));
        list->v = v;
        *cap = more;
    }
    list->v[list->n++] = n;
    return true;
}

bool parser_raise(struct parser *p, struct node *n, const struct node *child)
{
    if (child && child->height >= n->height)
        n->height = (uint16_t)(child->height + 1);
    return n->height <= HEIGHT_MAX || parser_fail(p, n->line, "an expression of more than %d levels", HEIGHT_MAX);
}

bool parser_at_name(const struct parser *p, const char *name)
{
    return parser_at(p, TOK_NAME) && str_is(parser_now(p)->s, name);
}

bool parser_skip_name(struct parser *p, const char *name)
{
    if (!parser_at_name(p, name))
        return false;
    p->i++;
    return true;
}

static bool skip(struct parser *p, enum tok kind)
{
    if (!parser_at(p, kind))
        return false;
    p->i++;
    return true;
}

static const char *describe(const struct token *t, char text[static 64])
{
    if (t->kind != TOK_NAME)
        return tpl_tok_name(t->kind);
    snprintf(text, 64, "%.*s", t->s->len > 60 ? 60 : (int)t->s->len, t->s->data);
    return text;
}

const struct token *parser_expect(struct parser *p, enum tok kind)
{
    const struct token *t = parser_now(p);
    if (t->kind == kind) {
        p->i += kind != TOK_EOF;
        return t;
    }
    char text[64];
    if (t->kind == TOK_EOF)
        parser_fail(p, t->line, "unexpected end of template, expected '%s'", tpl_tok_name(kind));
    else
        parser_fail(p, t->line, "expected token '%s', got '%s'", tpl_tok_name(kind), describe(t, text));
    return NULL;
}

static bool enter(struct parser *p)
{
    return ++p->nest <= NEST_MAX || parser_fail(p, parser_now(p)->line, "nested deeper than %d levels", NEST_MAX);
}

static struct node *binary(struct parser *p, enum node_kind kind, int op, struct node *a, struct node *b, int line)
{
    struct node *n = a && b ? parser_node(p, kind, line) : NULL;
    if (!n)
        return NULL;
    n->bin.op = (enum bin_op)op;
    n->bin.a = a;
    n->bin.b = b;
    return parser_raise(p, n, a) && parser_raise(p, n, b) ? n : NULL;
}

static struct node *unary(struct parser *p, enum node_kind kind, struct node *a, int line)
{
    struct node *n = a ? parser_node(p, kind, line) : NULL;
    if (!n)
        return NULL;
    n->bin.a = a;
    return parser_raise(p, n, a) ? n : NULL;
}

static bool push_raise(struct parser *p, struct node *parent, struct nodes *list, size_t *cap, struct node *n)
{
    return parser_push(p, list, cap, n) && parser_raise(p, parent, n);
}

/* -- literals ----------------------------------------------------------------------------------------- */

static struct node *constant(struct parser *p, struct val v, int line)
{
    struct node *n = parser_node(p, NODE_CONST, line);
    if (n)
        n->value = v;
    return n;
}

static struct node *parse_string(struct parser *p)
{
    const struct token *t = parser_now(p);
    size_t len = 0, n = 0;
    while (p->tok[p->i + n].kind == TOK_STRING)
        len += p->tok[p->i + n++].s->len;
    struct str *s = t->s;
    if (n > 1) { /* 'a' 'b' is one string */
        char *data = arena_alloc(p->keep, len + 1, 1, p->err);
        if (!data)
            return NULL;
        len = 0;
        for (size_t k = 0; k < n; k++) {
            const struct str *part = p->tok[p->i + k].s;
            memcpy(data + len, part->data, part->len);
            len += part->len;
        }
        s = tpl_const_str(p->keep, data, len, p->err);
    }
    p->i += n;
    return s ? constant(p, val_str(s), t->line) : NULL;
}

static struct node *parse_name(struct parser *p)
{
    const struct token *t = parser_now(p);
    p->i++;
    if (str_is(t->s, "true") || str_is(t->s, "True"))
        return constant(p, val_bool(true), t->line);
    if (str_is(t->s, "false") || str_is(t->s, "False"))
        return constant(p, val_bool(false), t->line);
    if (str_is(t->s, "none") || str_is(t->s, "None"))
        return constant(p, val_none(), t->line);
    struct node *n = parser_node(p, NODE_NAME, t->line);
    if (n)
        n->name.id = t->s;
    return n;
}

static struct node *parse_list(struct parser *p)
{
    struct node *n = parser_node(p, NODE_LIST, parser_now(p)->line);
    size_t cap = 0;
    p->i++;
    while (n && !parser_at(p, TOK_RBRACKET)) {
        if (n->items.n > 0 && !parser_expect(p, TOK_COMMA))
            return NULL;
        if (parser_at(p, TOK_RBRACKET))
            break;
        if (!push_raise(p, n, &n->items, &cap, parser_expression(p, true)))
            return NULL;
    }
    return n && parser_expect(p, TOK_RBRACKET) ? n : NULL;
}

static struct node *parse_dict(struct parser *p)
{
    struct node *n = parser_node(p, NODE_DICT, parser_now(p)->line);
    size_t cap = 0;
    p->i++;
    while (n && !parser_at(p, TOK_RBRACE)) {
        if (n->items.n > 0 && !parser_expect(p, TOK_COMMA))
            return NULL;
        if (parser_at(p, TOK_RBRACE))
            break;
        if (!push_raise(p, n, &n->items, &cap, parser_expression(p, true)) || !parser_expect(p, TOK_COLON) ||
            !push_raise(p, n, &n->items, &cap, parser_expression(p, true)))
            return NULL;
    }
    return n && parser_expect(p, TOK_RBRACE) ? n : NULL;
}

struct node *parser_primary(struct parser *p)
{
    const struct token *t = parser_now(p);
    struct node *n = NULL;
    char text[64];
    if (!enter(p))
        return NULL;
    switch (t->kind) {
    case TOK_NAME: n = parse_name(p); break;
    case TOK_STRING: n = parse_string(p); break;
    case TOK_INT:
        p->i++;
        n = constant(p, val_int(t->i), t->line);
        break;
    case TOK_FLOAT:
        p->i++;
        n = constant(p, val_float(t->f), t->line);
        break;
    case TOK_LPAREN:
        p->i++;
        n = parser_tuple(p, false, true, NULL, true);
        if (n && !parser_expect(p, TOK_RPAREN))
            n = NULL;
        break;
    case TOK_LBRACKET: n = parse_list(p); break;
    case TOK_LBRACE: n = parse_dict(p); break;
    default: parser_fail(p, t->line, "unexpected '%s'", describe(t, text));
    }
    p->nest--;
    return n;
}

static bool at_tuple_end(const struct parser *p, const char *end_name)
{
    return parser_at(p, TOK_VAR_END) || parser_at(p, TOK_BLOCK_END) || parser_at(p, TOK_RPAREN) ||
           (end_name && parser_at_name(p, end_name));
}

struct node *parser_tuple(struct parser *p, bool simplified, bool with_cond, const char *end_name, bool explicit_paren)
{
    int line = parser_now(p)->line;
    struct nodes items = { 0 };
    size_t cap = 0;
    bool is_tuple = false;
    for (;;) {
        if (items.n > 0 && !parser_expect(p, TOK_COMMA))
            return NULL;
        if (at_tuple_end(p, end_name))
            break;
        if (!parser_push(p, &items, &cap, simplified ? parser_primary(p) : parser_expression(p, with_cond)))
            return NULL;
        if (!parser_at(p, TOK_COMMA))
            break;
        is_tuple = true;
        line = parser_now(p)->line;
    }
    if (!is_tuple) {
        if (items.n > 0)
            return items.v[0];
        char text[64];
        if (!explicit_paren) {
            parser_fail(p, line, "Expected an expression, got '%s'", describe(parser_now(p), text));
            return NULL;
        }
    }
    struct node *n = parser_node(p, NODE_TUPLE, line);
    for (size_t i = 0; n && i < items.n; i++)
        if (!parser_raise(p, n, items.v[i]))
            return NULL;
    if (n)
        n->items = items;
    return n;
}

/* -- what follows a primary --------------------------------------------------------------------------- */

static bool parse_call_args(struct parser *p, struct node *parent, struct call_args *a)
{
    const int line = parser_now(p)->line;
    size_t cap = 0, cap_kw = 0;
    struct nodes names = { 0 }; /* as nodes for their growing array */
    size_t cap_names = 0;
    bool comma = false;
    if (!parser_expect(p, TOK_LPAREN))
        return false;
    while (!parser_at(p, TOK_RPAREN)) {
        if (comma && !parser_expect(p, TOK_COMMA))
            return false;
        if (comma && parser_at(p, TOK_RPAREN))
            break;
        comma = true;
        bool fits;
        if (skip(p, TOK_MUL)) {
            fits = !a->star && !a->star2;
            if (!(a->star = parser_expression(p, true)) || !parser_raise(p, parent, a->star))
                return false;
        } else if (skip(p, TOK_POW)) {
            fits = !a->star2;
            if (!(a->star2 = parser_expression(p, true)) || !parser_raise(p, parent, a->star2))
                return false;
        } else if (parser_at(p, TOK_NAME) && p->tok[p->i + 1].kind == TOK_ASSIGN) {
            fits = !a->star2;
            struct node *name = parser_node(p, NODE_NAME, line);
            if (!name)
                return false;
            name->name.id = parser_now(p)->s;
            for (size_t i = 0; i < names.n; i++)
                if (names.v[i]->name.id == name->name.id)
                    return parser_fail(p, line, "keyword argument repeated: %.60s", name->name.id->data);
            p->i += 2;
            if (!parser_push(p, &names, &cap_names, name) ||
                !push_raise(p, parent, &a->kw, &cap_kw, parser_expression(p, true)))
                return false;
        } else {
            fits = !a->star && !a->star2 && a->kw.n == 0;
            if (!push_raise(p, parent, &a->pos, &cap, parser_expression(p, true)))
                return false;
        }
        if (!fits)
            return parser_fail(p, line, "invalid syntax for function call expression");
    }
    if (!parser_expect(p, TOK_RPAREN))
        return false;
    a->kw_names = arena_alloc(p->keep, names.n, sizeof(struct str *), p->err);
    for (size_t i = 0; a->kw_names && i < names.n; i++)
        a->kw_names[i] = names.v[i]->name.id;
    return a->kw_names != NULL;
}

static struct node *call_like(struct parser *p, enum node_kind kind, struct node *obj, int line)
{
    struct node *n = parser_node(p, kind, line);
    struct call_args *a = arena_alloc(p->keep, 1, sizeof(*a), p->err);
    if (!n || !a || !parser_raise(p, n, obj))
        return NULL;
    n->call.obj = obj;
    n->call.args = a;
    return n;
}

static struct node *parse_call(struct parser *p, struct node *callee)
{
    struct node *n = call_like(p, NODE_CALL, callee, parser_now(p)->line);
    return n && parse_call_args(p, n, n->call.args) ? n : NULL;
}

/* One index or slice between brackets; a slice fills part[0..2] and *is_slice. */
static bool parse_subscribed(struct parser *p, struct node *n, bool *is_slice)
{
    struct node **part = n->get.part;
    if (!parser_at(p, TOK_COLON)) {
        if (!(part[0] = parser_expression(p, true)) || !parser_raise(p, n, part[0]))
            return false;
        if (!parser_at(p, TOK_COLON))
            return true;
    }
    *is_slice = true;
    p->i++;
    if (!parser_at(p, TOK_COLON) && !parser_at(p, TOK_RBRACKET) && !parser_at(p, TOK_COMMA))
        if (!(part[1] = parser_expression(p, true)) || !parser_raise(p, n, part[1]))
            return false;
    if (skip(p, TOK_COLON) && !parser_at(p, TOK_RBRACKET) && !parser_at(p, TOK_COMMA))
        if (!(part[2] = parser_expression(p, true)) || !parser_raise(p, n, part[2]))
            return false;
    return true;
}

static struct node *parse_brackets(struct parser *p, struct node *obj, int line)
{
    struct node *n = parser_node(p, NODE_GETITEM, line), *tuple = NULL;
    size_t cap = 0;
    bool is_slice = false;
    if (!n || !parser_raise(p, n, obj))
        return NULL;
    n->get.obj = obj;
    while (!parser_at(p, TOK_RBRACKET)) {
        if (n->get.part[0] || is_slice) { /* x[a, b] is x[(a, b)] */
            if (!parser_expect(p, TOK_COMMA))
                return NULL;
            if (!tuple) {
                tuple = parser_node(p, NODE_TUPLE, line);
                if (!tuple || !push_raise(p, tuple, &tuple->items, &cap, n->get.part[0]))
                    return NULL;
            }
        }
        if (is_slice || !parse_subscribed(p, n, &is_slice) || (is_slice && tuple)) {
            if (p->err->code == ERR_NONE)
                parser_fail(p, line, "invalid syntax: a slice among several subscripts");
            return NULL;
        }
        if (tuple && !push_raise(p, tuple, &tuple->items, &cap, n->get.part[0]))
            return NULL;
    }
    p->i++;
    if (!n->get.part[0] && !is_slice && !(n->get.part[0] = parser_node(p, NODE_TUPLE, line)))
        return NULL; /* x[] is x[()] */
    if (tuple)
        n->get.part[0] = tuple;
    if (is_slice)
        n->kind = NODE_SLICE;
    return !tuple || parser_raise(p, n, tuple) ? n : NULL;
}

static struct node *parse_subscript(struct parser *p, struct node *obj)
{
    const struct token *t = parser_now(p);
    p->i++;
    if (t->kind == TOK_LBRACKET)
        return parse_brackets(p, obj, t->line);
    const struct token *attr = parser_now(p);
    struct node *n = parser_node(p, attr->kind == TOK_INT ? NODE_GETITEM : NODE_GETATTR, t->line);
    if (!n || !parser_raise(p, n, obj))
        return NULL;
    n->get.obj = obj;
    if (attr->kind == TOK_NAME)
        n->get.name = attr->s;
    else if (attr->kind == TOK_INT)
        n->get.part[0] = constant(p, val_int(attr->i), attr->line);
    else {
        parser_fail(p, attr->line, "expected name or number");
        return NULL;
    }
    p->i++;
    return attr->kind == TOK_NAME || n->get.part[0] ? n : NULL;
}

static struct node *parse_postfix(struct parser *p, struct node *n)
{
    while (n) {
        if (parser_at(p, TOK_DOT) || parser_at(p, TOK_LBRACKET))
            n = parse_subscript(p, n);
        else if (parser_at(p, TOK_LPAREN))
            n = parse_call(p, n);
        else
            break;
    }
    return n;
}

/* name or name.name... of a filter or a test, as one text */
static struct str *parse_dotted(struct parser *p)
{
    const struct token *t = parser_expect(p, TOK_NAME);
    if (!t || !parser_at(p, TOK_DOT))
        return t ? t->s : NULL;
    parser_fail(p, t->line, "No filter or test named '%.60s. ...'", t->s->data);
    return NULL;
}

struct node *parser_filters(struct parser *p, struct node *obj, bool start_inline)
{
    struct node *n = obj;
    while (start_inline || parser_at(p, TOK_PIPE)) {
        if (!start_inline)
            p->i++;
        start_inline = false;
        const int line = parser_now(p)->line;
        struct str *name = parse_dotted(p);
        n = name ? call_like(p, NODE_FILTER, n, line) : NULL;
        if (!n)
            return NULL;
        n->call.name = name;
        n->call.fn = tpl_find_filter(name->data, name->len);
        if (parser_at(p, TOK_LPAREN) && !parse_call_args(p, n, n->call.args))
            return NULL;
    }
    return n;
}

static struct node *parse_test(struct parser *p, struct node *obj)
{
    const int line = parser_now(p)->line;
    p->i++; /* is */
    const bool negated = parser_skip_name(p, "not");
    struct str *name = parse_dotted(p);
    struct node *n = name ? call_like(p, NODE_TEST, obj, line) : NULL;
    if (!n)
        return NULL;
    n->call.name = name;
    n->call.fn = tpl_find_test(name->data, name->len);
    const enum tok kind = parser_now(p)->kind;
    if (kind == TOK_LPAREN) {
        if (!parse_call_args(p, n, n->call.args))
            return NULL;
    } else if ((kind == TOK_NAME || kind == TOK_STRING || kind == TOK_INT || kind == TOK_FLOAT ||
                kind == TOK_LBRACKET || kind == TOK_LBRACE) &&
               !parser_at_name(p, "else") && !parser_at_name(p, "or") && !parser_at_name(p, "and")) {
        if (parser_at_name(p, "is")) {
            parser_fail(p, line, "You cannot chain multiple tests with is");
            return NULL;
        }
        size_t cap = 0;
        struct node *arg = parser_primary(p);
        arg = arg ? parse_postfix(p, arg) : NULL;
        if (!push_raise(p, n, &n->call.args->pos, &cap, arg))
            return NULL;
    }
    return negated ? unary(p, NODE_NOT, n, line) : n;
}

static struct node *parse_filter_expr(struct parser *p, struct node *n)
{
    while (n) {
        if (parser_at(p, TOK_PIPE))
            n = parser_filters(p, n, false);
        else if (parser_at_name(p, "is"))
            n = parse_test(p, n);
        else if (parser_at(p, TOK_LPAREN))
            n = parse_call(p, n);
        else
            break;
    }
    return n;
}

/* -- operators ---------------------------------------------------------------------------------------- */

static struct node *parse_unary(struct parser *p, bool with_filter)
{
    const struct token *t = parser_now(p);
    struct node *n;
    if (t->kind == TOK_SUB || t->kind == TOK_ADD) {
        p->i++;
        if (!enter(p))
            return NULL;
        n = unary(p, t->kind == TOK_SUB ? NODE_NEG : NODE_POS, parse_unary(p, false), t->line);
        p->nest--;
    } else
        n = parser_primary(p);
    n = n ? parse_postfix(p, n) : NULL;
    return n && with_filter ? parse_filter_expr(p, n) : n;
}

/* jinja2 parses ** from the left and puts parentheses around each step. */
static struct node *parse_pow(struct parser *p)
{
    int line = parser_now(p)->line;
    struct node *n = parse_unary(p, true);
    while (n && skip(p, TOK_POW)) {
        n = binary(p, NODE_BINARY, BIN_POW, n, parse_unary(p, true), line);
        line = parser_now(p)->line;
    }
    return n;
}

static struct node *parse_math2(struct parser *p)
{
    int line = parser_now(p)->line;
    struct node *n = parse_pow(p);
    while (n) {
        const enum tok k = parser_now(p)->kind;
        if (k != TOK_MUL && k != TOK_DIV && k != TOK_FLOORDIV && k != TOK_MOD)
            break;
        p->i++;
        const enum bin_op op = k == TOK_MUL ? BIN_MUL : k == TOK_DIV ? BIN_DIV : k == TOK_MOD ? BIN_MOD : BIN_FLOORDIV;
        n = binary(p, NODE_BINARY, op, n, parse_pow(p), line);
        line = parser_now(p)->line;
    }
    return n;
}

static struct node *parse_concat(struct parser *p)
{
    const int line = parser_now(p)->line;
    struct node *first = parse_math2(p);
    if (!first || !parser_at(p, TOK_TILDE))
        return first;
    struct node *n = parser_node(p, NODE_CONCAT, line);
    size_t cap = 0;
    if (!n || !push_raise(p, n, &n->items, &cap, first))
        return NULL;
    while (skip(p, TOK_TILDE))
        if (!push_raise(p, n, &n->items, &cap, parse_math2(p)))
            return NULL;
    return n;
}

static struct node *parse_math1(struct parser *p)
{
    int line = parser_now(p)->line;
    struct node *n = parse_concat(p);
    while (n && (parser_at(p, TOK_ADD) || parser_at(p, TOK_SUB))) {
        const enum bin_op op = parser_at(p, TOK_ADD) ? BIN_ADD : BIN_SUB;
        p->i++;
        n = binary(p, NODE_BINARY, op, n, parse_concat(p), line);
        line = parser_now(p)->line;
    }
    return n;
}

/* The comparison that starts here, or -1. */
static int compare_op(struct parser *p)
{
    switch (parser_now(p)->kind) {
    case TOK_EQ: p->i++; return NODE_CMP_EQ;
    case TOK_NE: p->i++; return NODE_CMP_NE;
    case TOK_LT: p->i++; return CMP_LT;
    case TOK_LE: p->i++; return CMP_LE;
    case TOK_GT: p->i++; return CMP_GT;
    case TOK_GE: p->i++; return CMP_GE;
    case TOK_NAME:
        if (parser_skip_name(p, "in"))
            return NODE_CMP_IN;
        if (parser_at_name(p, "not") && p->tok[p->i + 1].kind == TOK_NAME && str_is(p->tok[p->i + 1].s, "in")) {
            p->i += 2;
            return NODE_CMP_NOT_IN;
        }
        return -1;
    default: return -1;
    }
}

static struct node *parse_compare(struct parser *p)
{
    const int line = parser_now(p)->line;
    struct node *first = parse_math1(p);
    int op = first ? compare_op(p) : -1;
    if (op < 0)
        return first;
    struct node *n = parser_node(p, NODE_COMPARE, line);
    size_t cap = 0, cap_ops = 4;
    uint8_t *ops = arena_alloc(p->keep, cap_ops, 1, p->err);
    if (!n || !ops || !push_raise(p, n, &n->cmp.items, &cap, first))
        return NULL;
    for (size_t n_ops = 0; op >= 0; op = compare_op(p)) {
        if (n_ops == cap_ops) {
            uint8_t *more = arena_alloc(p->keep, cap_ops * 2, 1, p->err);
            if (!more)
                return NULL;
            memcpy(more, ops, n_ops);
            ops = more;
            cap_ops *= 2;
        }
        ops[n_ops++] = (uint8_t)op;
        if (!push_raise(p, n, &n->cmp.items, &cap, parse_math1(p)))
            return NULL;
    }
    n->cmp.ops = ops;
    return n;
}

static struct node *parse_not(struct parser *p)
{
    const int line = parser_now(p)->line;
    if (!parser_skip_name(p, "not"))
        return parse_compare(p);
    if (!enter(p))
        return NULL;
    struct node *n = unary(p, NODE_NOT, parse_not(p), line);
    p->nest--;
    return n;
}

static struct node *parse_and(struct parser *p)
{
    int line = parser_now(p)->line;
    struct node *n = parse_not(p);
    while (n && parser_skip_name(p, "and")) {
        n = binary(p, NODE_AND, 0, n, parse_not(p), line);
        line = parser_now(p)->line;
    }
    return n;
}

static struct node *parse_or(struct parser *p)
{
    int line = parser_now(p)->line;
    struct node *n = parse_and(p);
    while (n && parser_skip_name(p, "or")) {
        n = binary(p, NODE_OR, 0, n, parse_and(p), line);
        line = parser_now(p)->line;
    }
    return n;
}

struct node *parser_expression(struct parser *p, bool with_cond)
{
    if (!with_cond)
        return parse_or(p);
    if (!enter(p))
        return NULL;
    const int line = parser_now(p)->line;
    struct node *n = parse_or(p);
    while (n && parser_skip_name(p, "if")) {
        struct node *c = parser_node(p, NODE_COND, line);
        if (!c)
            return NULL;
        c->cond.then = n;
        c->cond.test = parse_or(p);
        if (!c->cond.test)
            return NULL;
        if (parser_skip_name(p, "else") && !(c->cond.otherwise = parser_expression(p, true)))
            return NULL;
        if (!parser_raise(p, c, c->cond.then) || !parser_raise(p, c, c->cond.test) ||
            !parser_raise(p, c, c->cond.otherwise))
            return NULL;
        n = c;
    }
    p->nest--;
    return n;
}
