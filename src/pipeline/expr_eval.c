/* pipeline/expr_eval.c - walks the tree; see expr.h.  No allocation; the depth is bounded by expr.c, the steps are counted. */
#include <math.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "pipeline/expr_internal.h"

struct walk {
    const struct expr_world *world;
    const double *last_s; /* of since() */
    const void *items[SCOPES_MAX];
    long steps;
    bool is_over;
};

void expr_state_init(struct expr_state *s)
{
    for (int i = 0; i < EXPR_SINCE_MAX; i++)
        s->last_s[i] = -INFINITY;
}

static bool contains(const char *text, const char *part) /* letters of ASCII in any case */
{
    const size_t n = strlen(part);
    for (; *text; text++)
        if (strncasecmp(text, part, n) == 0)
            return true;
    return n == 0;
}

static struct expr_value eval(struct walk *w, const struct node *n);

static bool equal(enum expr_type t, const struct expr_value *a, const struct expr_value *b)
{
    return t == EXPR_TEXT ? strcmp(a->text, b->text) == 0 : t == EXPR_BOOL ? a->b == b->b : a->x == b->x;
}

static bool compare(struct walk *w, const struct node *n)
{
    const struct expr_value a = eval(w, n->a), b = eval(w, n->b);
    if (n->kind == NODE_EQ || n->kind == NODE_NE) {
        const bool is_number = n->a->type != EXPR_TEXT && n->a->type != EXPR_BOOL;
        if (is_number && (isnan(a.x) || isnan(b.x)))
            return false;
        return equal(n->a->type, &a, &b) == (n->kind == NODE_EQ);
    }
    return n->kind == NODE_LT ? a.x < b.x : n->kind == NODE_LE ? a.x <= b.x : n->kind == NODE_GT ? a.x > b.x : a.x >= b.x;
}

static struct expr_value over(struct walk *w, const struct node *n)
{
    const struct expr_list list = eval(w, n->a).list;
    struct expr_value r = { .text = "", .b = n->kind == NODE_ALL, .x = n->kind == NODE_MAX_OF || n->kind == NODE_MIN_OF ? NAN : 0 };
    if (n->kind == NODE_COUNT && !n->b) {
        r.x = list.n;
        return r;
    }
    for (int i = 0; i < list.n && !w->is_over; i++) {
        w->items[n->level] = (const uint8_t *)list.items + (size_t)i * list.stride;
        const struct expr_value v = eval(w, n->b);
        switch (n->kind) {
        case NODE_ANY:
            if (v.b) {
                r.b = true;
                return r;
            }
            break;
        case NODE_ALL:
            if (!v.b) {
                r.b = false;
                return r;
            }
            break;
        case NODE_COUNT: r.x += v.b; break;
        case NODE_SUM: r.x += v.x; break;
        case NODE_MAX_OF: r.x = isnan(r.x) || v.x > r.x ? v.x : r.x; break;
        default: r.x = isnan(r.x) || v.x < r.x ? v.x : r.x; break;
        }
    }
    return r;
}

static bool between(struct walk *w, const struct node *n)
{
    const double x = eval(w, n->a).x, from = eval(w, n->b).x, to = eval(w, n->c).x;
    if (n->a->type == EXPR_CLOCK && from > to) /* over midnight */
        return x >= from || x < to;
    return x >= from && (n->a->type == EXPR_CLOCK ? x < to : x <= to);
}

static struct expr_value eval(struct walk *w, const struct node *n)
{
    struct expr_value v = { .text = "" };
    if (++w->steps > EXPR_STEPS_MAX) {
        w->is_over = true;
        return v;
    }
    switch (n->kind) {
    case NODE_CONST: return n->value;
    case NODE_NAME: w->world->get(w->world->ctx, n->name->id, &v); break;
    case NODE_FIELD: n->field->get(w->items[n->level], &v); break;
    case NODE_OR: v.b = eval(w, n->a).b || eval(w, n->b).b; break;
    case NODE_AND: v.b = eval(w, n->a).b && eval(w, n->b).b; break;
    case NODE_NOT: v.b = !eval(w, n->a).b; break;
    case NODE_EQ: case NODE_NE: case NODE_LT: case NODE_LE: case NODE_GT: case NODE_GE: v.b = compare(w, n); break;
    case NODE_IN: {
        const struct expr_value a = eval(w, n->a);
        for (const struct node *k = n->b; k && !v.b; k = k->next) {
            const struct expr_value b = eval(w, k);
            v.b = equal(n->a->type, &a, &b);
        }
        break;
    }
    case NODE_CONTAINS: v.b = contains(eval(w, n->a).text, eval(w, n->b).text); break;
    case NODE_ADD: v.x = eval(w, n->a).x + eval(w, n->b).x; break;
    case NODE_SUB: v.x = eval(w, n->a).x - eval(w, n->b).x; break;
    case NODE_MUL: v.x = eval(w, n->a).x * eval(w, n->b).x; break;
    case NODE_DIV: {
        const double b = eval(w, n->b).x, a = eval(w, n->a).x;
        v.x = b == 0 ? NAN : a / b;
        break;
    }
    case NODE_NEG: v.x = -eval(w, n->a).x; break;
    case NODE_ANY: case NODE_ALL: case NODE_COUNT: case NODE_MAX_OF: case NODE_MIN_OF: case NODE_SUM: return over(w, n);
    case NODE_MAX: v.x = fmax(eval(w, n->a).x, eval(w, n->b).x); break;
    case NODE_MIN: v.x = fmin(eval(w, n->a).x, eval(w, n->b).x); break;
    case NODE_ABS: v.x = fabs(eval(w, n->a).x); break;
    case NODE_LENGTH: v.x = (double)strlen(eval(w, n->a).text); break;
    case NODE_BETWEEN: v.b = between(w, n); break;
    case NODE_SINCE: v.x = w->world->now_s - w->last_s[n->slot]; break;
    }
    if (!v.text)
        v.text = "";
    return v;
}

bool expr_eval(const struct expr *e, const struct expr_world *world, struct expr_state *state, struct expr_value *out)
{
    struct expr_state none;
    struct walk w = { .world = world };
    if (!state) {
        expr_state_init(&none);
        state = &none;
    }
    for (int i = 0; i < e->n_since; i++) /* all of them, wherever they stand: `a and since(b)` must not miss a b */
        if (eval(&w, e->since[i]->a).b)
            state->last_s[i] = world->now_s;
    w.last_s = state->last_s;
    *out = eval(&w, e->root);
    if (w.is_over)
        *out = (struct expr_value){ .text = "" };
    return !w.is_over;
}

bool expr_true(const struct expr *e, const struct expr_world *w, struct expr_state *state)
{
    struct expr_value v;
    return expr_eval(e, w, state, &v) && v.b;
}

double expr_number(const struct expr *e, const struct expr_world *w, struct expr_state *state)
{
    struct expr_value v;
    return expr_eval(e, w, state, &v) ? v.x : NAN;
}
