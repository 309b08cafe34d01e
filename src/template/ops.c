/* template/ops.c - operators, subscripts and attributes with Python's semantics, as jinja2's sandbox
 * lets templates see them. */
#include <math.h>
#include <stdio.h>

#include "template/run_internal.h"

static const char *const op_names[] = { "+", "-", "*", "/", "//", "%", "**" };
_Static_assert(sizeof(op_names) / sizeof(op_names[0]) == BIN_OP_COUNT, "enum bin_op");

/* -- numbers ------------------------------------------------------------------------------------------------ */

static bool too_long(struct render *r) { return tpl_fail(r, ERR_LIMIT, "an integer beyond 64 bits"); }
static bool by_zero(struct render *r) { return tpl_fail(r, ERR_INPUT, "division by zero"); }

static bool power_int(struct render *r, int64_t a, int64_t n, struct val *out)
{
    int64_t result = 1;
    if (n < 0) {
        if (a == 0)
            return tpl_fail(r, ERR_INPUT, "0.0 cannot be raised to a negative power");
        *out = val_float(pow((double)a, (double)n));
        return true;
    }
    for (bool more = true; n > 0; n >>= 1) {
        if (!more || ((n & 1) && __builtin_mul_overflow(result, a, &result)))
            return too_long(r);
        more = !__builtin_mul_overflow(a, a, &a); /* matters only if there is another round */
    }
    *out = val_int(result);
    return true;
}

static bool binary_int(struct render *r, enum bin_op op, int64_t a, int64_t b, struct val *out)
{
    int64_t v;
    switch (op) {
    case BIN_ADD: return __builtin_add_overflow(a, b, &v) ? too_long(r) : (*out = val_int(v), true);
    case BIN_SUB: return __builtin_sub_overflow(a, b, &v) ? too_long(r) : (*out = val_int(v), true);
    case BIN_MUL: return __builtin_mul_overflow(a, b, &v) ? too_long(r) : (*out = val_int(v), true);
    case BIN_DIV:
        if (b == 0)
            return by_zero(r);
        v = INT64_C(1) << 53; /* exact as doubles up to here: one rounding, as Python's */
        *out = val_float(a > -v && a < v && b > -v && b < v ? (double)a / (double)b
                                                            : (double)((long double)a / (long double)b));
        return true;
    case BIN_FLOORDIV: case BIN_MOD:
        if (b == 0)
            return by_zero(r);
        if (b == -1) { /* INT64_MIN / -1 does not fit */
            if (op == BIN_FLOORDIV && a == INT64_MIN)
                return too_long(r);
            *out = val_int(op == BIN_MOD ? 0 : -a);
            return true;
        }
        v = a / b - (a % b != 0 && (a % b < 0) != (b < 0)); /* rounds down */
        *out = val_int(op == BIN_FLOORDIV ? v : a - v * b);
        return true;
    default: return power_int(r, a, b, out);
    }
}

static bool binary_float(struct render *r, enum bin_op op, double a, double b, struct val *out)
{
    double v = 0.0;
    switch (op) {
    case BIN_ADD: v = a + b; break;
    case BIN_SUB: v = a - b; break;
    case BIN_MUL: v = a * b; break;
    case BIN_DIV:
        if (b == 0.0)
            return by_zero(r);
        v = a / b;
        break;
    case BIN_FLOORDIV: case BIN_MOD: { /* CPython's float_divmod() in words: the remainder has b's sign */
        if (b == 0.0)
            return by_zero(r);
        double mod = fmod(a, b), div = (a - mod) / b;
        if (mod != 0.0) {
            if ((b < 0) != (mod < 0)) {
                mod += b;
                div -= 1.0;
            }
        } else
            mod = copysign(0.0, b);
        if (div != 0.0) {
            const double down = floor(div);
            div = div - down > 0.5 ? down + 1.0 : down;
        } else
            div = copysign(0.0, a / b);
        v = op == BIN_MOD ? mod : div;
        break;
    }
    default:
        if (a == 0.0 && b < 0.0)
            return tpl_fail(r, ERR_INPUT, "0.0 cannot be raised to a negative power");
        if (a < 0.0 && isfinite(a) && isfinite(b) && b != floor(b))
            return tpl_fail(r, ERR_UNSUPPORTED, "a power that is a complex number");
        v = pow(a, b);
        if (isinf(v) && isfinite(a) && isfinite(b))
            return tpl_fail(r, ERR_INPUT, "a power too large for a float");
    }
    *out = val_float(v);
    return true;
}

/* -- strings and lists ---------------------------------------------------------------------------------------- */

static bool escape_str(struct render *r, struct str *s, struct val *out)
{
    if (s->markup) {
        *out = val_str(s);
        return true;
    }
    const size_t mark = tpl_build(r);
    tpl_put_escaped(r, s->data, s->len);
    return tpl_built(r, mark, out);
}

static bool add_strings(struct render *r, struct str *a, struct str *b, struct val *out)
{
    if (!a->markup && !b->markup)
        return tpl_str_cat(r, a, b, out);
    struct val x, y; /* what is marked safe stays so by escaping the other */
    if (!escape_str(r, a, &x) || !escape_str(r, b, &y) || !tpl_str_cat(r, x.s, y.s, out))
        return false;
    out->s->markup = true;
    return true;
}

static bool repeat(struct render *r, const struct val *v, int64_t times, struct val *out)
{
    const bool is_str = v->kind == VAL_STR;
    const size_t one = is_str ? v->s->len : v->l->n;
    size_t n, bytes;
    if (__builtin_mul_overflow(one, times > 0 ? (size_t)times : 0, &n) ||
        __builtin_mul_overflow(n, is_str ? 1 : sizeof(struct val), &bytes) || bytes > r->max_memory_bytes)
        return tpl_fail(r, ERR_LIMIT, "a repetition needs more than %zu bytes", r->max_memory_bytes);
    if (!tpl_spend(r, bytes))
        return false;
    if (!is_str) {
        if (!tpl_list_new(r, n, v->kind, out))
            return false;
        for (size_t i = 0; i < n; i++)
            out->l->items[i] = v->l->items[i % one];
        out->l->n = n;
        return true;
    }
    char *data = tpl_alloc(r, n, 1);
    if (!data || !tpl_str_borrow(r, data, n, out))
        return false;
    for (size_t done = 0; done < n;) { /* doubles what is there */
        const size_t more = done == 0 ? one : done < n - done ? done : n - done;
        memcpy(data + done, done == 0 ? v->s->data : data, more);
        done += more;
    }
    out->s->markup = v->s->markup;
    return true;
}

bool tpl_binary(struct render *r, enum bin_op op, const struct val *a, const struct val *b, struct val *out)
{
    if (val_is_int(a) && val_is_int(b))
        return binary_int(r, op, val_as_int(a), val_as_int(b), out);
    if (val_is_number(a) && val_is_number(b))
        return binary_float(r, op, val_as_float(a), val_as_float(b), out);
    if (op == BIN_MOD && a->kind == VAL_STR)
        return tpl_format_percent(r, a->s, b, out);
    if (a->kind == VAL_UNDEF || b->kind == VAL_UNDEF)
        return tpl_undef_fail(r, a->kind == VAL_UNDEF ? a : b);
    if (op == BIN_ADD && a->kind == VAL_STR && b->kind == VAL_STR)
        return add_strings(r, a->s, b->s, out);
    const bool a_seq = a->kind == VAL_LIST || a->kind == VAL_TUPLE, b_seq = b->kind == VAL_LIST || b->kind == VAL_TUPLE;
    if (op == BIN_ADD && a_seq && a->kind == b->kind)
        return tpl_list_cat(r, a->l, b->l, a->kind, out);
    if (op == BIN_MUL && (a_seq || a->kind == VAL_STR) && val_is_int(b))
        return repeat(r, a, val_as_int(b), out);
    if (op == BIN_MUL && (b_seq || b->kind == VAL_STR) && val_is_int(a))
        return repeat(r, b, val_as_int(a), out);
    if (op == BIN_ADD && (a_seq || a->kind == VAL_STR))
        return tpl_type_error(r, "can only concatenate %s (not \"%s\") to %s", tpl_type_name(a), tpl_type_name(b),
                              tpl_type_name(a));
    return tpl_type_error(r, "unsupported operand type(s) for %s: '%s' and '%s'", op_names[op], tpl_type_name(a),
                          tpl_type_name(b));
}

bool tpl_negate(struct render *r, const struct val *a, bool minus, struct val *out)
{
    if (a->kind == VAL_FLOAT)
        *out = val_float(minus ? -a->f : a->f);
    else if (val_is_int(a)) {
        const int64_t i = val_as_int(a);
        if (minus && i == INT64_MIN)
            return too_long(r);
        *out = val_int(minus ? -i : i);
    } else if (a->kind == VAL_UNDEF)
        return tpl_undef_fail(r, a);
    else
        return tpl_type_error(r, "bad operand type for unary %c: '%s'", minus ? '-' : '+', tpl_type_name(a));
    return true;
}

/* -- in ---------------------------------------------------------------------------------------------------------- */

static bool contains_text(struct render *r, const struct val *item, const struct str *in, bool *out)
{
    if (item->kind != VAL_STR)
        return tpl_type_error(r, "'in <string>' requires string as left operand, not %s", tpl_type_name(item));
    *out = tpl_find_bytes(in->data, in->len, item->s->data, item->s->len) != NULL;
    return tpl_spend(r, in->len);
}

bool tpl_contains(struct render *r, const struct val *item, const struct val *in, bool *out)
{
    struct val *found;
    switch (in->kind) {
    case VAL_STR: return contains_text(r, item, in->s, out);
    case VAL_DICT:
        if (!tpl_dict_get(r, in->d, item, &found))
            return false;
        *out = found != NULL;
        return true;
    case VAL_VIEW:
        if (in->v->of != VIEW_KEYS)
            break;
        if (!tpl_dict_get(r, in->v->d, item, &found))
            return false;
        *out = found != NULL;
        return true;
    case VAL_RANGE:
        if (!val_is_int(item))
            break;
        {
            const __int128 d = (__int128)val_as_int(item) - in->r->start;
            *out = d % in->r->step == 0 && d / in->r->step >= 0 && d / in->r->step < in->r->n;
        }
        return true;
    default: break;
    }
    if (!tpl_is_iterable(in))
        return tpl_type_error(r, "argument of type '%s' is not iterable", tpl_type_name(in));
    struct iter *it = tpl_iter(r, in);
    struct val have;
    int got = -1;
    *out = false;
    while (it && !*out && (got = tpl_next(r, it, &have)) > 0) {
        *out = tpl_same(&have, item);
        if (!*out && !tpl_eq(r, &have, item, out))
            return false;
    }
    return got >= 0;
}

/* -- subscripts and attributes -------------------------------------------------------------------------------------- */

/* x[i] of what has positions: *found false when it is out of range. */
static bool at_index(struct render *r, const struct val *obj, int64_t i, bool *found, struct val *out)
{
    size_t n;
    if (!tpl_len(r, obj, &n))
        return false;
    if (i < 0)
        i += (int64_t)n;
    *found = i >= 0 && (size_t)i < n;
    if (!*found)
        return true;
    if (obj->kind == VAL_RANGE) {
        *out = val_int(obj->r->start + i * obj->r->step);
        return true;
    }
    if (obj->kind != VAL_STR) {
        *out = obj->l->items[i];
        return true;
    }
    const size_t from = tpl_str_offset(obj->s, (size_t)i);
    uint32_t cp;
    return tpl_str_sub(r, obj->s, from, tpl_decode(obj->s->data + from, obj->s->len - from, &cp), out);
}

/* Python's obj[key]; *found false for its TypeError and LookupError, which the sandbox turns into
 * undefined. */
static bool get_item(struct render *r, const struct val *obj, const struct val *key, bool *found, struct val *out)
{
    *found = false;
    switch (obj->kind) {
    case VAL_UNDEF: return tpl_undef_fail(r, obj);
    case VAL_DICT: {
        struct val *have = NULL;
        if (key->kind == VAL_LIST || key->kind == VAL_DICT || key->kind == VAL_VIEW)
            return true; /* unhashable */
        if (!tpl_dict_get(r, obj->d, key, &have))
            return false;
        *found = have != NULL;
        if (have)
            *out = *have;
        return true;
    }
    case VAL_STR: case VAL_LIST: case VAL_TUPLE: case VAL_RANGE:
        return !val_is_int(key) || at_index(r, obj, val_as_int(key), found, out);
    default: return true;
    }
}

bool tpl_getitem(struct render *r, const struct val *obj, const struct val *key, struct val *out)
{
    bool found;
    if (!get_item(r, obj, key, &found, out))
        return false;
    if (!found && key->kind == VAL_STR && !tpl_attribute(r, obj, key->s, &found, out))
        return false;
    if (!found)
        *out = val_undef_name(obj->kind, key->kind == VAL_STR ? key->s : NULL);
    return true;
}

bool tpl_getattr(struct render *r, const struct val *obj, const struct str *name, struct val *out)
{
    bool found;
    if (obj->kind == VAL_UNDEF)
        return tpl_undef_fail(r, obj);
    if (!tpl_attribute(r, obj, name, &found, out))
        return false;
    if (found)
        return true;
    const struct val key = val_str((struct str *)(uintptr_t)name); /* not written: its n_cp is known */
    if (!get_item(r, obj, &key, &found, out))
        return false;
    if (!found)
        *out = val_undef_name(obj->kind, name);
    return true;
}

/* The methods that change a list or a dict are out of bounds in the sandbox; all but list.append, which
 * templates use in earnest (Kimi-K2), list.pop and list.clear, which jinja2 3.1.2 forgot to forbid. */
static bool is_unsafe(enum val_kind kind, const struct str *name)
{
    static const char *const list_names[] = { "extend", "insert", "remove", "reverse", "sort", NULL };
    static const char *const dict_names[] = { "clear", "pop", "popitem", "setdefault", "update", NULL };
    for (const char *const *p = kind == VAL_LIST ? list_names : dict_names; *p; p++)
        if (str_is(name, *p))
            return true;
    return false;
}

static bool unsafe_attribute(struct render *r, const struct val *obj, const struct str *name, struct val *out)
{
    char text[160];
    snprintf(text, sizeof(text), "access to attribute '%.*s' of '%s' object is unsafe",
             name->len > 60 ? 60 : (int)name->len, name->data, tpl_type_name(obj));
    char *hint = tpl_alloc(r, strlen(text) + 1, 1);
    if (hint)
        *out = val_undef_hint(strcpy(hint, text));
    return hint != NULL;
}

static bool macro_attr(struct render *r, const struct macro_def *m, const struct str *name, bool *found, struct val *out)
{
    *found = true;
    if (str_is(name, "name"))
        return m->name ? tpl_str_borrow(r, m->name->data, m->name->len, out) : (*out = val_none(), true);
    if (str_is(name, "caller"))
        *out = val_bool(m->wants_caller);
    else if (str_is(name, "catch_kwargs"))
        *out = val_bool(m->wants_kwargs);
    else if (str_is(name, "catch_varargs"))
        *out = val_bool(m->wants_varargs);
    else if (str_is(name, "arguments")) {
        if (!tpl_list_new(r, m->params.n, VAL_TUPLE, out))
            return false;
        for (size_t i = 0; i < m->params.n; i++)
            if (!tpl_list_push(r, out->l, val_str((struct str *)(uintptr_t)m->params.v[i]->name.id)))
                return false;
    } else
        *found = false;
    return true;
}

bool tpl_attribute(struct render *r, const struct val *obj, const struct str *name, bool *found, struct val *out)
{
    *found = false;
    struct val *have;
    switch (obj->kind) {
    case VAL_NAMESPACE:
        if (!tpl_dict_find(r, obj->d, name, &have))
            return false;
        *found = have != NULL;
        if (have)
            *out = *have;
        return true;
    case VAL_LOOP:
        if (!tpl_loop_attr(r, obj->loop, name, found, out) || *found)
            return *found;
        break;
    case VAL_MACRO: return macro_attr(r, obj->macro->def, name, found, out);
    case VAL_TUPLE:
        if (obj->l->group && (str_is(name, "grouper") || str_is(name, "list"))) {
            *found = true;
            *out = obj->l->items[str_is(name, "list")];
            return true;
        }
        break;
    case VAL_CYCLER:
        if (str_is(name, "current")) {
            *found = true;
            *out = obj->cycler->items.items[obj->cycler->pos];
            return true;
        }
        break;
    case VAL_LIST: case VAL_DICT:
        if (is_unsafe(obj->kind, name)) {
            *found = true;
            return unsafe_attribute(r, obj, name, out);
        }
        break;
    default: break;
    }
    const struct callable *fn = tpl_find_method(obj->kind, name->data, name->len);
    if (!fn)
        return true;
    struct method *m = tpl_alloc(r, 1, sizeof(*m));
    if (!m)
        return false;
    *m = (struct method){ .self = *obj, .fn = fn };
    *found = true;
    *out = (struct val){ .kind = VAL_METHOD, .m = m };
    return true;
}

/* -- slices --------------------------------------------------------------------------------------------------------- */

static bool slice_part(struct render *r, const struct val *v, bool *given, int64_t *out)
{
    *given = v->kind != VAL_MISSING && v->kind != VAL_NONE;
    if (!*given)
        return true;
    if (!val_is_int(v))
        return tpl_type_error(r, "slice indices must be integers or None or have an __index__ method");
    *out = val_as_int(v);
    return true;
}

/* Brings an end of the slice into the value, as PySlice_AdjustIndices() does. */
static int64_t clip(int64_t i, int64_t n, int64_t step)
{
    if (i < 0) {
        i = i < -n ? -1 : i + n;
        return i < 0 ? (step < 0 ? -1 : 0) : i;
    }
    return i >= n ? (step < 0 ? n - 1 : n) : i;
}

static bool slice_text(struct render *r, struct str *s, int64_t start, int64_t step, size_t n, struct val *out)
{
    if (n == 0)
        return tpl_str_sub(r, s, 0, 0, out);
    if (step == 1) {
        const size_t from = tpl_str_offset(s, (size_t)start), to = tpl_str_offset(s, (size_t)start + n);
        return tpl_spend(r, s->len) && tpl_str_sub(r, s, from, to - from, out);
    }
    size_t n_all = tpl_str_n_cp(s), i = 0;
    uint32_t *at = tpl_alloc(r, n_all + 1, sizeof(*at)); /* where each character starts */
    if (!at || s->len > UINT32_MAX || !tpl_spend(r, s->len))
        return at ? tpl_fail(r, ERR_LIMIT, "a text too long for a slice") : false;
    for (size_t k = 0; k < s->len; k++)
        if (((unsigned char)s->data[k] & 0xc0) != 0x80)
            at[i++] = (uint32_t)k;
    at[n_all] = (uint32_t)s->len;
    const size_t mark = tpl_build(r);
    for (size_t k = 0; k < n; k++, start += step)
        tpl_put(r, s->data + at[start], at[start + 1] - at[start]);
    return tpl_built(r, mark, out) && tpl_str_like(r, s, out);
}

bool tpl_slice(struct render *r, const struct val *obj, const struct val part[static 3], struct val *out)
{
    int64_t start = 0, stop = 0, step = 1;
    bool has_start, has_stop, has_step;
    size_t len;
    if (obj->kind == VAL_UNDEF)
        return tpl_undef_fail(r, obj);
    if (obj->kind == VAL_DICT)
        return tpl_type_error(r, "unhashable type: 'slice'");
    if (obj->kind != VAL_STR && obj->kind != VAL_LIST && obj->kind != VAL_TUPLE && obj->kind != VAL_RANGE)
        return tpl_type_error(r, "'%s' object is not subscriptable", tpl_type_name(obj));
    if (!slice_part(r, &part[0], &has_start, &start) || !slice_part(r, &part[1], &has_stop, &stop) ||
        !slice_part(r, &part[2], &has_step, &step) || !tpl_len(r, obj, &len))
        return false;
    if (has_step && step == 0)
        return tpl_fail(r, ERR_INPUT, "slice step cannot be zero");
    const int64_t n = (int64_t)len;
    step = step < -INT64_MAX ? -INT64_MAX : step;
    start = has_start ? clip(start, n, step) : step < 0 ? n - 1 : 0;
    stop = has_stop ? clip(stop, n, step) : step < 0 ? -1 : n;
    int64_t count = 0;
    if (step > 0 && start < stop)
        count = (stop - start - 1) / step + 1;
    else if (step < 0 && stop < start)
        count = (start - stop - 1) / -step + 1;
    if (count <= 1)
        step = 1; /* so that start + count * step stays small */
    if (obj->kind == VAL_STR)
        return slice_text(r, obj->s, start, step, (size_t)count, out);
    if (obj->kind == VAL_RANGE) {
        struct range *g = tpl_alloc(r, 1, sizeof(*g));
        if (!g)
            return false;
        *g = (struct range){ obj->r->start + start * obj->r->step, 0, obj->r->step * step, count };
        g->stop = g->start + count * g->step;
        *out = (struct val){ .kind = VAL_RANGE, .r = g };
        return true;
    }
    if (!tpl_spend(r, (size_t)count * sizeof(struct val)) || !tpl_list_new(r, (size_t)count, obj->kind, out))
        return false;
    for (int64_t i = 0; i < count; i++)
        out->l->items[i] = obj->l->items[start + i * step];
    out->l->n = (size_t)count;
    return true;
}
