/* template/value.c - strings, lists, dicts: making them, comparing them.  See value_internal.h. */
#include <math.h>

#include "base/hash.h"
#include "base/utf8.h"
#include "template/run_internal.h"

enum {
    DICT_LINEAR_MAX = 8, /* up to here a dict is searched from the front, without hashes */
    TAIL_MIN = 256       /* a concatenation of this length gets room to grow */
};

static const char *const type_names[] = { /* ORDER VAL; Python's names */
    "Undefined", "Undefined", "NoneType", "bool", "int", "float", "str", "list", "tuple", "dict", "dict view",
    "range", "generator", "function", "builtin_function_or_method", "Macro", "Namespace", "LoopContext", "Cycler",
    "Joiner"
};
_Static_assert(sizeof(type_names) / sizeof(type_names[0]) == VAL_KIND_COUNT, "ORDER VAL");

const char *tpl_type_name(const struct val *v)
{
    static const char *const views[] = { "dict_keys", "dict_values", "dict_items" };
    return v->kind == VAL_VIEW ? views[v->v->of] : v->kind == VAL_STR && v->s->markup ? "Markup" : type_names[v->kind];
}

/* -- undefined -------------------------------------------------------------------------------------------- */

bool tpl_undef_fail(struct render *r, const struct val *v)
{
    if (v->of == UNDEF_HINT)
        return tpl_fail(r, ERR_INPUT, "%s", v->hint);
    const char *type = v->of == VAL_NONE ? "None" : type_names[v->of], *tail = v->of == VAL_NONE ? "" : " object";
    if (!v->s)
        return tpl_fail(r, ERR_INPUT, "%s%s has no such element", type, tail);
    const int n = v->s->len > 80 ? 80 : (int)v->s->len;
    if (v->of == VAL_MISSING)
        return tpl_fail(r, ERR_INPUT, "'%.*s' is undefined", n, v->s->data);
    return tpl_fail(r, ERR_INPUT, "'%s%s' has no attribute '%.*s'", type, tail, n, v->s->data);
}

/* -- strings ------------------------------------------------------------------------------------------------ */

bool tpl_str_borrow(struct render *r, const char *data, size_t len, struct val *out)
{
    struct str *s = tpl_alloc(r, 1, sizeof(*s));
    if (!s)
        return false;
    *s = (struct str){ .data = data, .len = len, .n_cp = len == 0 ? 0 : SIZE_MAX };
    *out = val_str(s);
    return true;
}

bool tpl_str_new(struct render *r, const char *data, size_t len, struct val *out)
{
    if (len == 1 && (unsigned char)data[0] < 128) { /* loops over text make many of these */
        struct str **one = &r->chars[(unsigned char)data[0]];
        if (*one) {
            *out = val_str(*one);
            return true;
        }
        char *copy = tpl_alloc(r, 1, 1);
        if (!copy || !tpl_str_borrow(r, copy, 1, out))
            return false;
        *copy = data[0];
        *one = out->s;
        return true;
    }
    char *copy = tpl_alloc(r, len, 1);
    if (!copy || !tpl_spend(r, len))
        return false;
    if (len)
        memcpy(copy, data, len);
    return tpl_str_borrow(r, copy, len, out);
}

bool tpl_str_sub(struct render *r, const struct str *s, size_t from, size_t len, struct val *out)
{
    if (!tpl_str_borrow(r, s->data + from, len, out))
        return false;
    out->s->markup = s->markup;
    if (s->n_cp == s->len)
        out->s->n_cp = len;
    return true;
}

bool tpl_str_mark(struct render *r, const struct str *s, struct val *out)
{
    const size_t n_cp = s->n_cp;
    if (!tpl_str_borrow(r, s->data, s->len, out))
        return false;
    out->s->n_cp = n_cp;
    out->s->markup = true;
    return true;
}

/* A template that collects its output with x = x + y would copy everything each time.  So a long result
 * gets room behind it, and the next + writes there, if nobody else has: the left operand's bytes stay
 * as they are, its length ends before the new ones. */
bool tpl_str_cat(struct render *r, struct str *a, const struct str *b, struct val *out)
{
    const size_t len = a->len + b->len; /* both are in memory: no overflow */
    struct str *s = tpl_alloc(r, 1, sizeof(*s));
    if (!s)
        return false;
    *s = (struct str){ .len = len, .n_cp = SIZE_MAX };
    if (a->n_cp != SIZE_MAX && b->n_cp != SIZE_MAX)
        s->n_cp = a->n_cp + b->n_cp;
    struct tail *t = a->tail;
    if (t && a->data + a->len == t->end && b->len <= t->room) {
        if (!tpl_spend(r, b->len))
            return false;
        if (b->len)
            memcpy(t->end, b->data, b->len);
        t->end += b->len;
        t->room -= b->len;
        s->data = a->data;
        s->tail = t;
    } else {
        const size_t cap = len < TAIL_MIN ? len : len * 2;
        char *data = tpl_alloc(r, cap, 1);
        if (!data || !tpl_spend(r, len))
            return false;
        if (a->len)
            memcpy(data, a->data, a->len);
        if (b->len)
            memcpy(data + a->len, b->data, b->len);
        s->data = data;
        if (cap > len) {
            if (!(s->tail = tpl_alloc(r, 1, sizeof(*s->tail))))
                return false;
            *s->tail = (struct tail){ .end = data + len, .room = cap - len };
        }
    }
    *out = val_str(s);
    return true;
}

size_t tpl_str_n_cp(struct str *s)
{
    if (s->n_cp == SIZE_MAX) {
        size_t n = 0;
        for (size_t i = 0; i < s->len; i++)
            n += ((unsigned char)s->data[i] & 0xc0) != 0x80;
        s->n_cp = n;
    }
    return s->n_cp;
}

size_t tpl_str_offset(struct str *s, size_t cp)
{
    if (tpl_str_n_cp(s) == s->len)
        return cp < s->len ? cp : s->len;
    size_t i = 0;
    for (; i < s->len; i++)
        if (((unsigned char)s->data[i] & 0xc0) != 0x80 && cp-- == 0)
            break;
    return i;
}

/* -- lists ----------------------------------------------------------------------------------------------------- */

bool tpl_list_new(struct render *r, size_t cap, enum val_kind kind, struct val *out)
{
    struct list *l = tpl_alloc(r, 1, sizeof(*l));
    if (!l || (cap > 0 && !(l->items = tpl_alloc(r, cap, sizeof(struct val)))))
        return false;
    l->cap = cap;
    *out = (struct val){ .kind = kind, .l = l };
    return true;
}

bool tpl_list_own(struct render *r, struct list *l, size_t cap)
{
    struct val *items = tpl_alloc(r, cap, sizeof(*items));
    if (!items || !tpl_spend(r, l->n * sizeof(*items)))
        return false;
    if (l->n)
        memcpy(items, l->items, l->n * sizeof(*items));
    l->items = items;
    l->cap = cap;
    l->n_used = NULL;
    return true;
}

bool tpl_list_push(struct render *r, struct list *l, struct val v)
{
    const bool taken = l->n_used && *l->n_used != l->n; /* another list has gone on behind ours */
    if ((taken || l->n == l->cap) && !tpl_list_own(r, l, l->n < 4 ? 4 : l->n * 2))
        return false;
    l->items[l->n++] = v;
    if (l->n_used)
        *l->n_used = l->n;
    return true;
}

/* As with texts: templates collect with x = x + [y], so a sum gets room that the next sum fills. */
bool tpl_list_cat(struct render *r, struct list *a, const struct list *b, enum val_kind kind, struct val *out)
{
    struct list *l = tpl_alloc(r, 1, sizeof(*l));
    if (!l || !tpl_spend(r, b->n * sizeof(struct val)))
        return false;
    *l = (struct list){ .items = a->items, .n = a->n, .cap = a->cap, .n_used = a->n_used };
    if (!a->n_used || *a->n_used != a->n || a->cap - a->n < b->n) {
        const size_t n = a->n + b->n;
        if (!tpl_list_own(r, l, n < 8 ? n : n * 2) || !(l->n_used = tpl_alloc(r, 1, sizeof(*l->n_used))))
            return false;
    }
    if (b->n)
        memcpy(l->items + l->n, b->items, b->n * sizeof(*l->items));
    *l->n_used = l->n += b->n;
    *out = (struct val){ .kind = kind, .l = l };
    return true;
}

bool tpl_pair(struct render *r, struct val a, struct val b, struct val *out)
{
    if (!tpl_list_new(r, 2, VAL_TUPLE, out))
        return false;
    out->l->items[0] = a;
    out->l->items[1] = b;
    out->l->n = 2;
    return true;
}

/* -- dicts ----------------------------------------------------------------------------------------------------- */

static uint64_t hash_bytes(const char *s, size_t n)
{
    const uint64_t h = hash_fnv64(s, n); /* mixed: the low bits choose the place */
    return h ^ h >> 29;
}

static uint64_t hash_u64(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    return (x ^ x >> 27) * 0x94d049bb133111ebu;
}

bool tpl_hash(struct render *r, const struct val *v, uint64_t *out)
{
    switch (v->kind) {
    case VAL_LIST: case VAL_DICT: case VAL_VIEW:
        return tpl_type_error(r, "unhashable type: '%s'", tpl_type_name(v));
    case VAL_STR:
        *out = hash_bytes(v->s->data, v->s->len);
        return tpl_spend(r, v->s->len);
    case VAL_FLOAT: { /* 1.0 and 1 are the same key */
        const double f = v->f;
        uint64_t bits;
        memcpy(&bits, &f, sizeof(bits));
        *out = hash_u64(f == floor(f) && fabs(f) < 9e18 ? (uint64_t)(int64_t)f : bits);
        return true;
    }
    case VAL_BOOL: case VAL_INT: *out = hash_u64((uint64_t)val_as_int(v)); return true;
    case VAL_TUPLE: {
        uint64_t h = 1, item;
        if (!tpl_enter(r))
            return false;
        for (size_t i = 0; i < v->l->n; i++) {
            if (!tpl_spend(r, 0) || !tpl_hash(r, &v->l->items[i], &item))
                return false;
            h = hash_u64(h ^ item) + i;
        }
        tpl_leave(r);
        *out = h;
        return true;
    }
    case VAL_NONE: case VAL_UNDEF: case VAL_MISSING: *out = v->kind; return true;
    default: *out = hash_u64((uintptr_t)v->s); return true; /* by identity; every pointer is at the same place */
    }
}

bool tpl_dict_new(struct render *r, size_t cap, struct val *out)
{
    struct dict *d = tpl_alloc(r, 1, sizeof(*d));
    if (!d || (cap > 0 && !(d->entries = tpl_alloc(r, cap, sizeof(*d->entries)))))
        return false;
    d->cap = cap;
    *out = (struct val){ .kind = VAL_DICT, .d = d };
    return true;
}

static bool index_entries(struct render *r, struct dict *d)
{
    if (d->n * 2 > d->n_index) {
        size_t n = d->n_index ? d->n_index : 32;
        while (n < d->n * 4)
            n *= 2;
        if (!(d->index = tpl_alloc(r, n, sizeof(*d->index))))
            return false;
        d->n_index = n;
        d->n_indexed = 0;
    }
    for (; d->n_indexed < d->n; d->n_indexed++) {
        struct dict_entry *e = &d->entries[d->n_indexed];
        if (!tpl_hash(r, &e->key, &e->hash))
            return false;
        size_t at = (size_t)e->hash & (d->n_index - 1), n_probes = 0;
        for (; d->index[at]; at = (at + 1) & (d->n_index - 1))
            n_probes++;
        if (n_probes > 8 && !tpl_spend(r, n_probes * 8)) /* keys made to collide */
            return false;
        d->index[at] = (uint32_t)(d->n_indexed + 1);
    }
    return true;
}

static bool is_key(struct render *r, const struct val *have, const struct val *want, bool *same)
{
    if (have->kind == VAL_STR && want->kind == VAL_STR) {
        *same = have->s->len == want->s->len && memcmp(have->s->data, want->s->data, want->s->len) == 0;
        return true;
    }
    return tpl_eq(r, have, want, same);
}

bool tpl_dict_get(struct render *r, struct dict *d, const struct val *key, struct val **found)
{
    bool same = false;
    *found = NULL;
    if (d->n <= DICT_LINEAR_MAX) {
        uint64_t hash;
        if (key->kind != VAL_STR && !tpl_hash(r, key, &hash)) /* for its TypeError */
            return false;
        for (size_t i = 0; i < d->n; i++) {
            if (!is_key(r, &d->entries[i].key, key, &same))
                return false;
            if (same) {
                *found = &d->entries[i].value;
                return true;
            }
        }
        return true;
    }
    uint64_t hash;
    if (!index_entries(r, d) || !tpl_hash(r, key, &hash))
        return false;
    for (size_t at = (size_t)hash & (d->n_index - 1), n = 0; d->index[at]; at = (at + 1) & (d->n_index - 1), n++) {
        struct dict_entry *e = &d->entries[d->index[at] - 1];
        if (e->hash == hash && !is_key(r, &e->key, key, &same))
            return false;
        if (same) {
            *found = &e->value;
            return true;
        }
        if (n > 8 && !tpl_spend(r, 0))
            return false;
    }
    return true;
}

bool tpl_dict_find(struct render *r, struct dict *d, const struct str *key, struct val **found)
{
    struct str s = *key;
    const struct val v = val_str(&s);
    return tpl_dict_get(r, d, &v, found);
}

static bool append(struct render *r, struct dict *d, struct val key, struct val value)
{
    if (d->n == d->cap) {
        const size_t cap = d->cap ? d->cap * 2 : 4;
        struct dict_entry *e = tpl_alloc(r, cap, sizeof(*e));
        if (!e || !tpl_spend(r, d->n * sizeof(*e)))
            return false;
        if (cap > UINT32_MAX / 2)
            return tpl_fail(r, ERR_LIMIT, "a dict of more than %zu entries", d->n);
        if (d->n)
            memcpy(e, d->entries, d->n * sizeof(*e));
        d->entries = e;
        d->cap = cap;
    }
    d->entries[d->n++] = (struct dict_entry){ .key = key, .value = value };
    return true;
}

bool tpl_dict_set(struct render *r, struct dict *d, struct val key, struct val value)
{
    struct val *have;
    if (!tpl_dict_get(r, d, &key, &have))
        return false;
    if (!have)
        return append(r, d, key, value);
    *have = value;
    return true;
}

/* -- from JSON -------------------------------------------------------------------------------------------------- */

static bool text_from_json(struct render *r, const char *s, size_t n, struct val *out)
{
    if (utf8_is_valid(s, n))
        return tpl_spend(r, n) && tpl_str_borrow(r, s, n, out);
    const size_t mark = tpl_build(r); /* jansson's _nocheck functions let it through */
    for (size_t i = 0; i < n;) {
        uint32_t cp;
        i += tpl_decode(s + i, n - i, &cp);
        tpl_put_cp(r, cp);
    }
    return tpl_built(r, mark, out);
}

bool tpl_from_json(struct render *r, const json_t *j, struct val *out)
{
    bool ok = true;
    if (!tpl_enter(r))
        return false;
    switch (json_typeof(j)) {
    case JSON_NULL: *out = val_none(); break;
    case JSON_TRUE: case JSON_FALSE: *out = val_bool(json_is_true(j)); break;
    case JSON_INTEGER: *out = val_int(json_integer_value(j)); break;
    case JSON_REAL: *out = val_float(json_real_value(j)); break;
    case JSON_STRING: ok = text_from_json(r, json_string_value(j), json_string_length(j), out); break;
    case JSON_ARRAY: {
        const size_t n = json_array_size(j);
        ok = tpl_list_new(r, n, VAL_LIST, out);
        for (size_t i = 0; ok && i < n; i++)
            ok = tpl_spend(r, 0) && tpl_from_json(r, json_array_get(j, i), &out->l->items[i]);
        if (ok)
            out->l->n = n;
        break;
    }
    case JSON_OBJECT: {
        json_t *o = (json_t *)(uintptr_t)j; /* jansson's iterators read only, but do not say so */
        ok = tpl_dict_new(r, json_object_size(o), out);
        for (void *it = json_object_iter(o); ok && it; it = json_object_iter_next(o, it)) {
            struct val key, value;
            ok = tpl_spend(r, 0) &&
                 text_from_json(r, json_object_iter_key(it), json_object_iter_key_len(it), &key) &&
                 tpl_from_json(r, json_object_iter_value(it), &value) && append(r, out->d, key, value);
        }
        break;
    }
    }
    tpl_leave(r);
    return ok;
}

/* -- truth, length, comparison ------------------------------------------------------------------------------------ */

bool tpl_has_len(const struct val *v)
{
    switch (v->kind) {
    case VAL_UNDEF: case VAL_STR: case VAL_LIST: case VAL_TUPLE: case VAL_DICT: case VAL_VIEW: case VAL_RANGE:
    case VAL_LOOP: return true;
    default: return false;
    }
}

bool tpl_len(struct render *r, const struct val *v, size_t *out)
{
    int64_t n;
    switch (v->kind) {
    case VAL_UNDEF: *out = 0; return true;
    case VAL_STR: *out = tpl_str_n_cp(v->s); return tpl_spend(r, v->s->len);
    case VAL_LIST: case VAL_TUPLE: *out = v->l->n; return true;
    case VAL_DICT: *out = v->d->n; return true;
    case VAL_VIEW: *out = v->v->d->n; return true;
    case VAL_RANGE: *out = (size_t)v->r->n; return true;
    case VAL_LOOP:
        if (!tpl_loop_len(r, v->loop, &n))
            return false;
        *out = (size_t)n;
        return true;
    default: return tpl_type_error(r, "object of type '%s' has no len()", tpl_type_name(v));
    }
}

bool tpl_truth(struct render *r, const struct val *v, bool *out)
{
    size_t n = 1;
    switch (v->kind) {
    case VAL_MISSING: case VAL_UNDEF: case VAL_NONE: *out = false; return true;
    case VAL_BOOL: *out = v->b; return true;
    case VAL_INT: *out = v->i != 0; return true;
    case VAL_FLOAT: *out = v->f != 0.0; return true;
    case VAL_STR: *out = v->s->len > 0; return true;
    default:
        if (tpl_has_len(v) && !tpl_len(r, v, &n))
            return false;
        *out = n > 0;
        return true;
    }
}

bool tpl_same(const struct val *a, const struct val *b)
{
    if (a->kind != b->kind)
        return false;
    switch (a->kind) {
    case VAL_MISSING: case VAL_NONE: return true;
    case VAL_BOOL: return a->b == b->b;
    case VAL_INT: return a->i == b->i;
    case VAL_FLOAT: return a->f == b->f;
    case VAL_METHOD: return false; /* each access makes a new one */
    default: return a->s == b->s;  /* every pointer is at the same place */
    }
}

static bool eq_items(struct render *r, const struct list *a, const struct list *b, bool *out)
{
    *out = a->n == b->n;
    for (size_t i = 0; *out && i < a->n; i++)
        if (!tpl_spend(r, 0) || !tpl_eq(r, &a->items[i], &b->items[i], out))
            return false;
    return true;
}

static bool eq_dicts(struct render *r, const struct dict *a, struct dict *b, bool *out)
{
    *out = a->n == b->n;
    for (size_t i = 0; *out && i < a->n; i++) {
        struct val *other;
        if (!tpl_spend(r, 0) || !tpl_dict_get(r, b, &a->entries[i].key, &other))
            return false;
        *out = other != NULL;
        if (other && !tpl_eq(r, &a->entries[i].value, other, out))
            return false;
    }
    return true;
}

bool tpl_eq(struct render *r, const struct val *a, const struct val *b, bool *out)
{
    if (val_is_number(a) && val_is_number(b)) { /* long double holds both kinds exactly */
        if (a->kind == VAL_FLOAT || b->kind == VAL_FLOAT)
            *out = (a->kind == VAL_FLOAT ? (long double)a->f : (long double)val_as_int(a)) ==
                   (b->kind == VAL_FLOAT ? (long double)b->f : (long double)val_as_int(b));
        else
            *out = val_as_int(a) == val_as_int(b);
        return true;
    }
    *out = false;
    if (a->kind != b->kind)
        return true;
    bool ok = true;
    switch (a->kind) {
    case VAL_UNDEF: *out = true; return true;
    case VAL_STR:
        *out = a->s->len == b->s->len;
        if (*out && a->s->data != b->s->data) {
            *out = memcmp(a->s->data, b->s->data, a->s->len) == 0;
            return tpl_spend(r, a->s->len);
        }
        return true;
    case VAL_LIST: case VAL_TUPLE: case VAL_DICT:
        if (tpl_same(a, b)) {
            *out = true;
            return true;
        }
        if (!tpl_enter(r))
            return false;
        ok = a->kind == VAL_DICT ? eq_dicts(r, a->d, b->d, out) : eq_items(r, a->l, b->l, out);
        tpl_leave(r);
        return ok;
    case VAL_RANGE:
        *out = a->r->n == b->r->n && (a->r->n == 0 || (a->r->start == b->r->start &&
                                                       (a->r->n == 1 || a->r->step == b->r->step)));
        return true;
    default: *out = tpl_same(a, b); return true;
    }
}

static bool decide(enum cmp_op op, int order)
{
    return op == CMP_LT ? order < 0 : op == CMP_LE ? order <= 0 : op == CMP_GT ? order > 0 : order >= 0;
}

static bool order_items(struct render *r, enum cmp_op op, const struct list *a, const struct list *b, bool *out)
{
    for (size_t i = 0; i < a->n && i < b->n; i++) {
        bool same;
        if (!tpl_spend(r, 0) || !tpl_eq(r, &a->items[i], &b->items[i], &same))
            return false;
        if (!same)
            return tpl_order(r, op, &a->items[i], &b->items[i], out);
    }
    *out = decide(op, a->n < b->n ? -1 : a->n > b->n);
    return true;
}

bool tpl_order(struct render *r, enum cmp_op op, const struct val *a, const struct val *b, bool *out)
{
    if (val_is_number(a) && val_is_number(b)) {
        if (a->kind != VAL_FLOAT && b->kind != VAL_FLOAT) {
            const int64_t x = val_as_int(a), y = val_as_int(b);
            *out = decide(op, x < y ? -1 : x > y);
            return true;
        }
        const long double x = a->kind == VAL_FLOAT ? a->f : (long double)val_as_int(a),
                          y = b->kind == VAL_FLOAT ? b->f : (long double)val_as_int(b);
        *out = !(x != x || y != y) && decide(op, x < y ? -1 : x > y); /* NaN: no order at all */
        return true;
    }
    if (a->kind == VAL_STR && b->kind == VAL_STR) { /* UTF-8 sorts like its code points */
        const size_t n = a->s->len < b->s->len ? a->s->len : b->s->len;
        const int order = n ? memcmp(a->s->data, b->s->data, n) : 0;
        *out = decide(op, order ? order : a->s->len < b->s->len ? -1 : a->s->len > b->s->len);
        return tpl_spend(r, n);
    }
    if (a->kind == b->kind && (a->kind == VAL_LIST || a->kind == VAL_TUPLE)) {
        if (!tpl_enter(r))
            return false;
        const bool ok = order_items(r, op, a->l, b->l, out);
        tpl_leave(r);
        return ok;
    }
    if (a->kind == VAL_UNDEF || b->kind == VAL_UNDEF)
        return tpl_undef_fail(r, a->kind == VAL_UNDEF ? a : b);
    static const char *const names[] = { "<", "<=", ">", ">=" };
    return tpl_type_error(r, "'%s' not supported between instances of '%s' and '%s'", names[op], tpl_type_name(a),
                          tpl_type_name(b));
}
