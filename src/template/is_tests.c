/* template/is_tests.c - jinja2's tests: what can stand behind `is`. */
#include "template/run_internal.h"

enum question { IS_DEFINED, IS_UNDEFINED, IS_NONE, IS_BOOLEAN, IS_TRUE, IS_FALSE, IS_INTEGER, IS_FLOAT, IS_NUMBER,
                IS_STRING, IS_MAPPING, IS_SEQUENCE, IS_ITERABLE, IS_CALLABLE, IS_ESCAPED };

static bool kind(struct render *r, const struct call *c, struct val *out)
{
    (void)r;
    const struct val *v = c->self;
    const enum val_kind k = v->kind;
    bool yes = false;
    switch ((enum question)c->me->tag) {
    case IS_DEFINED: yes = k != VAL_UNDEF; break;
    case IS_UNDEFINED: yes = k == VAL_UNDEF; break;
    case IS_NONE: yes = k == VAL_NONE; break;
    case IS_BOOLEAN: yes = k == VAL_BOOL; break;
    case IS_TRUE: yes = k == VAL_BOOL && v->b; break;
    case IS_FALSE: yes = k == VAL_BOOL && !v->b; break;
    case IS_INTEGER: yes = k == VAL_INT; break;
    case IS_FLOAT: yes = k == VAL_FLOAT; break;
    case IS_NUMBER: yes = val_is_number(v); break;
    case IS_STRING: yes = k == VAL_STR; break;
    case IS_MAPPING: yes = k == VAL_DICT; break;
    case IS_SEQUENCE: /* has a length and subscripts */
        yes = k == VAL_STR || k == VAL_LIST || k == VAL_TUPLE || k == VAL_DICT || k == VAL_RANGE || k == VAL_UNDEF;
        break;
    case IS_ITERABLE: yes = tpl_is_iterable(v); break;
    case IS_CALLABLE:
        yes = k == VAL_FUNC || k == VAL_METHOD || k == VAL_MACRO || k == VAL_LOOP || k == VAL_JOINER || k == VAL_UNDEF;
        break;
    case IS_ESCAPED: yes = k == VAL_STR && v->s->markup; break;
    }
    *out = val_bool(yes);
    return true;
}

static bool remainder_is(struct render *r, const struct val *v, struct val by, int64_t want, struct val *out)
{
    struct val rest, wanted = val_int(want);
    bool yes;
    if (!tpl_binary(r, BIN_MOD, v, &by, &rest) || !tpl_eq(r, &rest, &wanted, &yes))
        return false;
    *out = val_bool(yes);
    return true;
}

static bool odd_or_even(struct render *r, const struct call *c, struct val *out)
{
    return remainder_is(r, c->self, val_int(2), c->me->tag, out);
}

static bool divisible_by(struct render *r, const struct call *c, struct val *out)
{
    return remainder_is(r, c->self, c->v[0], 0, out);
}

static bool is_case(struct render *r, const struct call *c, struct val *out)
{
    struct val text;
    if (!tpl_to_str(r, c->self, &text) || !tpl_spend(r, text.s->len))
        return false;
    *out = val_bool(tpl_str_is_case(text.s, c->me->tag));
    return true;
}

static bool equals(struct render *r, const struct call *c, struct val *out)
{
    bool yes;
    if (!tpl_eq(r, c->self, &c->v[0], &yes))
        return false;
    *out = val_bool(yes == c->me->tag);
    return true;
}

static bool order(struct render *r, const struct call *c, struct val *out)
{
    bool yes;
    if (!tpl_order(r, (enum cmp_op)c->me->tag, c->self, &c->v[0], &yes))
        return false;
    *out = val_bool(yes);
    return true;
}

static bool same_as(struct render *r, const struct call *c, struct val *out)
{
    (void)r;
    *out = val_bool(tpl_same(c->self, &c->v[0]));
    return true;
}

static bool is_in(struct render *r, const struct call *c, struct val *out)
{
    bool yes;
    if (!tpl_contains(r, c->self, &c->v[0], &yes))
        return false;
    *out = val_bool(yes);
    return true;
}

static bool exists(struct render *r, const struct call *c, struct val *out)
{
    uint64_t hash;
    if (!tpl_hash(r, c->self, &hash)) /* jinja2 asks a dict */
        return false;
    const struct str *s = c->self->s;
    const struct callable *fn = c->self->kind != VAL_STR ? NULL
                                : c->me->tag             ? tpl_find_test(s->data, s->len)
                                                         : tpl_find_filter(s->data, s->len);
    *out = val_bool(fn != NULL);
    return true;
}

static const struct callable tests[] = {
    { "!=", "/other", equals, false },
    { "<", "/other", order, CMP_LT },
    { "<=", "/other", order, CMP_LE },
    { "==", "/other", equals, true },
    { ">", "/other", order, CMP_GT },
    { ">=", "/other", order, CMP_GE },
    { "boolean", "/", kind, IS_BOOLEAN },
    { "callable", "/", kind, IS_CALLABLE },
    { "defined", "/", kind, IS_DEFINED },
    { "divisibleby", "num", divisible_by, 0 },
    { "eq", "/other", equals, true },
    { "equalto", "/other", equals, true },
    { "escaped", "/", kind, IS_ESCAPED },
    { "even", "/", odd_or_even, 0 },
    { "false", "/", kind, IS_FALSE },
    { "filter", "/", exists, 0 },
    { "float", "/", kind, IS_FLOAT },
    { "ge", "/other", order, CMP_GE },
    { "greaterthan", "/other", order, CMP_GT },
    { "gt", "/other", order, CMP_GT },
    { "in", "seq", is_in, 0 },
    { "integer", "/", kind, IS_INTEGER },
    { "iterable", "/", kind, IS_ITERABLE },
    { "le", "/other", order, CMP_LE },
    { "lessthan", "/other", order, CMP_LT },
    { "lower", "/", is_case, true },
    { "lt", "/other", order, CMP_LT },
    { "mapping", "/", kind, IS_MAPPING },
    { "ne", "/other", equals, false },
    { "none", "/", kind, IS_NONE },
    { "number", "/", kind, IS_NUMBER },
    { "odd", "/", odd_or_even, 1 },
    { "sameas", "other", same_as, 0 },
    { "sequence", "/", kind, IS_SEQUENCE },
    { "string", "/", kind, IS_STRING },
    { "test", "/", exists, 1 },
    { "true", "/", kind, IS_TRUE },
    { "undefined", "/", kind, IS_UNDEFINED },
    { "upper", "/", is_case, false },
};

const struct callable *tpl_find_test(const char *name, size_t len)
{
    return tpl_find_in(tests, sizeof(tests) / sizeof(tests[0]), name, len);
}
