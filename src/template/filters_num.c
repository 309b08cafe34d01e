/* template/filters_num.c - filters that make or compare numbers. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "template/filters_internal.h"

bool filter_abs(struct render *r, const struct call *c, struct val *out)
{
    if (c->self->kind == VAL_FLOAT)
        *out = val_float(fabs(c->self->f));
    else if (val_is_int(c->self))
        return tpl_negate(r, c->self, val_as_int(c->self) < 0, out);
    else
        return tpl_type_error(r, "bad operand type for abs(): '%s'", tpl_type_name(c->self));
    return true;
}

/* -- text to numbers ----------------------------------------------------------------------------------------------- */

/* The text without white space around it, its digits as ASCII; NULL when memory is out. */
static char *plain(struct render *r, const struct str *s)
{
    struct val bare;
    if (!tpl_strip(r, s, NULL, 3, &bare))
        return NULL;
    char *text = tpl_alloc(r, bare.s->len + 1, 1), *to = text;
    for (size_t i = 0; text && i < bare.s->len;) {
        uint32_t cp;
        i += tpl_decode(bare.s->data + i, bare.s->len - i, &cp);
        const int digit = tpl_decimal_value(cp);
        *to++ = digit >= 0 ? (char)('0' + digit) : cp > 0 && cp < 0x80 ? (char)cp : '?';
    }
    return text && tpl_spend(r, bare.s->len) ? text : NULL;
}

static int digit_value(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'z' ? c - 'a' + 10 : c >= 'A' && c <= 'Z' ? c - 'A' + 10 : 99;
}

enum parsed { PARSED_OK, PARSED_NOT, PARSED_TOO_LONG };

static enum parsed parse_int(const char *s, int64_t base, int64_t *out)
{
    const bool minus = *s == '-';
    s += *s == '-' || *s == '+';
    if (base != 0 && (base < 2 || base > 36))
        return PARSED_NOT;
    const char c = s[0] == '0' ? (char)(s[1] | 0x20) : 0;
    const int prefix = c == 'x' ? 16 : c == 'o' ? 8 : c == 'b' ? 2 : 0;
    if (prefix && (base == 0 || base == prefix)) {
        base = prefix;
        s += 2;
        s += *s == '_';
    } else if (base == 0) {
        base = 10;
        if (s[0] == '0' && strspn(s, "0_") != strlen(s))
            return PARSED_NOT; /* 012 is no number in Python */
    }
    int64_t v = 0;
    if (digit_value(*s) >= base)
        return PARSED_NOT;
    for (; *s; s++) {
        if (*s == '_' && digit_value(s[1]) < base)
            continue;
        const int d = digit_value(*s);
        if (d >= base)
            return PARSED_NOT;
        if (__builtin_mul_overflow(v, base, &v) || __builtin_add_overflow(v, d, &v))
            return PARSED_TOO_LONG;
    }
    *out = minus ? -v : v;
    return PARSED_OK;
}

static bool parse_float(char *s, double *out)
{
    char *to = s;
    bool digits = false;
    for (const char *p = s; *p; p++) { /* 1_000 is a number, _1 and 1__0 are not */
        if (*p == '_' && p > s && digit_value(p[-1]) < 10 && digit_value(p[1]) < 10)
            continue;
        *to++ = *p;
        digits = digits || digit_value(*p) < 10;
    }
    *to = '\0';
    const char *p = s + (*s == '-' || *s == '+');
    if (!digits) { /* inf, infinity, nan: strtod knows them, but also nan(...) */
        char lower[10];
        if (strlen(p) > 8)
            return false;
        for (size_t i = 0; i <= strlen(p); i++)
            lower[i] = (char)(p[i] >= 'A' && p[i] <= 'Z' ? p[i] + 32 : p[i]);
        if (strcmp(lower, "inf") != 0 && strcmp(lower, "infinity") != 0 && strcmp(lower, "nan") != 0)
            return false;
    } else if (strspn(p, "0123456789.eE+-") != strlen(p))
        return false;
    char *end;
    *out = strtod(s, &end);
    return end > s && !*end;
}

/* *ok false: the text is no number (ValueError) or the value has none (TypeError) */
static bool try_float(struct render *r, const struct val *v, bool *ok, double *out)
{
    *ok = val_is_number(v);
    if (*ok)
        *out = val_as_float(v);
    else if (v->kind == VAL_UNDEF)
        return tpl_undef_fail(r, v);
    else if (v->kind == VAL_STR) {
        char *s = plain(r, v->s);
        if (!s)
            return false;
        *ok = parse_float(s, out);
    }
    return true;
}

bool tpl_to_float(struct render *r, const struct val *v, struct val *out)
{
    bool ok;
    double f = 0.0;
    if (!try_float(r, v, &ok, &f))
        return false;
    *out = val_float(f);
    return ok || tpl_fail(r, ERR_INPUT, "could not convert %s to float", tpl_type_name(v));
}

bool filter_float(struct render *r, const struct call *c, struct val *out)
{
    bool ok;
    double f = 0.0;
    if (!try_float(r, c->self, &ok, &f))
        return false;
    *out = ok ? val_float(f) : val_given(&c->v[0]) ? c->v[0] : val_float(0.0);
    return true;
}

bool filter_int(struct render *r, const struct call *c, struct val *out)
{
    int64_t base, v;
    bool ok;
    double f = 0.0;
    if (!tpl_arg_int(r, &c->v[1], 10, &base))
        return false;
    if (val_is_int(c->self)) {
        *out = val_int(val_as_int(c->self));
        return true;
    }
    if (c->self->kind == VAL_STR) {
        const char *s = plain(r, c->self->s);
        const enum parsed parsed = s ? parse_int(s, base, &v) : PARSED_NOT;
        if (!s)
            return false;
        if (parsed == PARSED_TOO_LONG)
            return tpl_fail(r, ERR_LIMIT, "an integer beyond 64 bits");
        if (parsed == PARSED_OK) {
            *out = val_int(v);
            return true;
        }
    }
    if (!try_float(r, c->self, &ok, &f))
        return false;
    if (ok && isinf(f))
        return tpl_fail(r, ERR_INPUT, "cannot convert float infinity to integer");
    if (ok && fabs(f) >= 9.2e18)
        return tpl_fail(r, ERR_LIMIT, "an integer beyond 64 bits");
    *out = ok && !isnan(f) ? val_int((int64_t)f) : val_given(&c->v[0]) ? c->v[0] : val_int(0);
    return true;
}

/* -- round ------------------------------------------------------------------------------------------------------------ */

/* Python's round(float, digits): right in the last digit of the exact decimal value, halves to even. */
static double round_float(double v, int64_t digits)
{
    char text[700];
    if (!isfinite(v) || digits > 330)
        return v;
    if (digits < -310)
        return copysign(0.0, v);
    if (digits >= 0) {
        snprintf(text, sizeof(text), "%.*f", (int)digits, v);
        return strtod(text, NULL);
    }
    const double by = pow(10.0, (double)-digits), down = floor(v / by), rest = v - down * by;
    const bool up = rest > by / 2 || (rest == by / 2 && fmod(down, 2.0) != 0.0);
    return (down + up) * by;
}

static int64_t round_int(int64_t v, int64_t digits)
{
    int64_t by = 1;
    for (; digits < 0; digits++)
        if (__builtin_mul_overflow(by, 10, &by))
            return 0;
    const int64_t rest = ((v % by) + by) % by, down = v - rest;
    const bool up = rest > by - rest || (rest == by - rest && (down / by) % 2 != 0);
    return up && down <= INT64_MAX - by ? down + by : down;
}

bool filter_round(struct render *r, const struct call *c, struct val *out)
{
    int64_t digits = 0;
    const struct val *method = &c->v[1], *v = c->self;
    const char *way = "common";
    if (val_given(method)) {
        if (method->kind != VAL_STR || (!str_is(method->s, "common") && !str_is(method->s, "ceil") && !str_is(method->s, "floor")))
            return tpl_fail(r, ERR_INPUT, "method must be common, ceil or floor");
        way = str_is(method->s, "common") ? "common" : str_is(method->s, "ceil") ? "ceil" : "floor";
    }
    const bool to_int = c->v[0].kind == VAL_NONE && way[1] == 'o' && way[0] == 'c'; /* round(x, none) is an integer */
    if (!to_int && !tpl_arg_int(r, &c->v[0], 0, &digits))
        return false;
    if (v->kind == VAL_UNDEF && way[0] == 'c' && way[1] == 'o')
        return tpl_type_error(r, "type Undefined doesn't define __round__ method");
    if (!val_is_number(v))
        return v->kind == VAL_UNDEF ? tpl_undef_fail(r, v) : tpl_type_error(r, "round() wants a number, not %s", tpl_type_name(v));
    if (way[1] == 'o') {
        if (val_is_int(v))
            *out = val_int(digits < 0 ? round_int(val_as_int(v), digits) : val_as_int(v));
        else
            *out = val_float(round_float(v->f, digits));
        if (to_int && v->kind == VAL_FLOAT) {
            if (!(fabs(v->f) < 9.2e18))
                return tpl_fail(r, ERR_INPUT, "cannot convert float to integer");
            *out = val_int((int64_t)nearbyint(v->f));
        }
        return true;
    }
    const double by = pow(10.0, (double)digits), scaled = val_as_float(v) * by;
    if (!isfinite(scaled))
        return tpl_fail(r, ERR_INPUT, "cannot convert float to integer");
    *out = val_float((way[0] == 'c' ? ceil(scaled) : floor(scaled)) / by);
    return true;
}

/* -- over sequences ----------------------------------------------------------------------------------------------------- */

bool filter_sum(struct render *r, const struct call *c, struct val *out)
{
    struct getter g;
    struct val item, v;
    struct iter *it = tpl_iter(r, c->self);
    int got = -1;
    if (!it || !tpl_getter(r, &c->v[0], false, &g))
        return false;
    *out = val_given(&c->v[1]) ? c->v[1] : val_int(0);
    if (out->kind == VAL_STR)
        return tpl_type_error(r, "sum() can't sum strings [use ''.join(seq) instead]");
    while ((got = tpl_next(r, it, &item)) > 0) {
        const struct val so_far = *out;
        if (!tpl_get_by(r, &g, &item, &v) || !tpl_binary(r, BIN_ADD, &so_far, &v, out))
            return false;
    }
    return got == 0;
}

bool filter_min_max(struct render *r, const struct call *c, struct val *out)
{
    const bool max = c->me->tag == 1;
    bool case_sensitive, better = true;
    struct getter g;
    struct val item, key, best;
    struct iter *it = tpl_iter(r, c->self);
    int got = -1;
    if (!it || !tpl_arg_bool(r, &c->v[0], false, &case_sensitive) || !tpl_getter(r, &c->v[1], !case_sensitive, &g))
        return false;
    *out = val_undef_hint("No aggregated item, sequence was empty.");
    for (bool first = true; (got = tpl_next(r, it, &item)) > 0; first = false) {
        if (!tpl_get_by(r, &g, &item, &key))
            return false;
        if (!first && !tpl_order(r, max ? CMP_GT : CMP_LT, &key, &best, &better))
            return false;
        if (better)
            *out = item, best = key;
    }
    return got == 0;
}
