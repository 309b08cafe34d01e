/* template/value_internal.h - the values of a rendering and what can be done with them.
 *
 * For:     template/ alone.
 * Touches: the rendering's arena; nothing outlives it.
 * Rule:    a struct val is two words and is copied freely; what it points to is never freed before the
 *          rendering ends and, apart from lists, namespaces and iterators, never changed.  Every
 *          function that can fail returns false with the error set in render->err, its line included.
 *          Work is paid for in steps (tpl_spend), nesting in depth (tpl_enter, tpl_leave), memory by
 *          the arena's limit: that is what makes a hostile template end.
 */
#ifndef TUTTI_TEMPLATE_VALUE_INTERNAL_H
#define TUTTI_TEMPLATE_VALUE_INTERNAL_H
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

enum val_kind { /* ORDER VAL: type_names[] in value.c */
    VAL_MISSING,   /* a variable that was never set; expressions see VAL_UNDEF instead */
    VAL_UNDEF,     /* jinja2's Undefined */
    VAL_NONE,
    VAL_BOOL,
    VAL_INT,       /* 64 bits; Python's are longer, here that is an error */
    VAL_FLOAT,
    VAL_STR,
    VAL_LIST,
    VAL_TUPLE,
    VAL_DICT,
    VAL_VIEW,      /* dict.keys(), .values(), .items() */
    VAL_RANGE,
    VAL_ITER,      /* what lazy filters return: can be walked once */
    VAL_FUNC,      /* a global function */
    VAL_METHOD,    /* a method together with its object */
    VAL_MACRO,
    VAL_NAMESPACE,
    VAL_LOOP,      /* the variable `loop` */
    VAL_CYCLER,
    VAL_JOINER,
    VAL_KIND_COUNT
};

enum { UNDEF_HINT = VAL_KIND_COUNT };
struct val {
    enum val_kind kind;
    uint32_t of; /* VAL_UNDEF: an attribute of this kind of value (VAL_MISSING: a variable), or UNDEF_HINT */
    union {
        bool b;
        int64_t i;
        double f;
        struct str *s;
        struct list *l; /* VAL_LIST, VAL_TUPLE */
        struct cycler *cycler;
        struct dict *d; /* VAL_DICT, VAL_NAMESPACE */
        struct view *v;
        struct range *r;
        struct iter *it;
        const char *hint; /* VAL_UNDEF with UNDEF_HINT; else s is the name or NULL */
        struct method *m;
        struct macro *macro;
        struct loop *loop;
        struct joiner *joiner;
        const struct callable *fn;
    };
};

/* Bytes with spare room behind them that several strings may share: see tpl_str_cat(). */
struct tail {
    char *end;
    size_t room;
};
struct str {
    const char *data;  /* UTF-8 */
    size_t len;
    size_t n_cp;       /* code points; SIZE_MAX: not counted yet */
    struct tail *tail; /* NULL: none */
    bool markup;       /* jinja2's Markup: `+` escapes what is added to it */
};
struct list {
    struct val *items;
    size_t n, cap;
    size_t *n_used; /* NULL: the items are this list's alone; else what lists that share them fill: tpl_list_cat() */
    bool group;     /* a tuple of groupby: .grouper and .list */
};
struct dict_entry {
    struct val key, value;
    uint64_t hash;
};
struct dict {
    struct dict_entry *entries; /* in the order of insertion */
    size_t n, cap;
    uint32_t *index; /* open addressing, entry + 1; NULL while few */
    size_t n_index;  /* a power of two */
    size_t n_indexed; /* of the entries, from the front */
};
enum view_of { VIEW_KEYS, VIEW_VALUES, VIEW_ITEMS };
struct view {
    struct dict *d;
    enum view_of of;
};
struct range {
    int64_t start, stop, step, n;
};
struct method {
    struct val self;
    const struct callable *fn;
};
struct joiner {
    struct val sep;
    bool used;
};
struct cycler { /* behind VAL_CYCLER's list */
    struct list items;
    size_t pos;
};

struct render; /* run_internal.h */

/* -- the rendering's services (render.c) ------------------------------------------------------- */

/* The error with the line that is being evaluated in front; false. */
bool tpl_fail(struct render *r, enum err_code code, const char *fmt, ...) ERR_PRINTF(3, 4);
#define tpl_type_error(r, ...) (tpl_fail(r, ERR_INPUT, __VA_ARGS__) && false) /* false: compilers see it */
bool tpl_spend(struct render *r, size_t n_bytes); /* one step and one more for each 64 bytes */
bool tpl_enter(struct render *r);
void tpl_leave(struct render *r);
void *tpl_alloc(struct render *r, size_t n, size_t item_bytes);

/* Text that is built piece by piece; these nest like parentheses. */
size_t tpl_build(struct render *r);
void tpl_put(struct render *r, const char *s, size_t n);
static inline void tpl_puts(struct render *r, const char *s) { tpl_put(r, s, strlen(s)); }
bool tpl_built(struct render *r, size_t mark, struct val *out);

/* -- values (value.c) --------------------------------------------------------------------------- */

static inline struct val val_none(void) { return (struct val){ .kind = VAL_NONE }; }
static inline struct val val_bool(bool b) { return (struct val){ .kind = VAL_BOOL, .b = b }; }
static inline struct val val_int(int64_t i) { return (struct val){ .kind = VAL_INT, .i = i }; }
static inline struct val val_float(double f) { return (struct val){ .kind = VAL_FLOAT, .f = f }; }
static inline struct val val_str(struct str *s) { return (struct val){ .kind = VAL_STR, .s = s }; }
/* jinja2's undefined(hint): the sentence that is the error when it is used; not copied */
static inline struct val val_undef_hint(const char *hint)
{
    return (struct val){ .kind = VAL_UNDEF, .of = UNDEF_HINT, .hint = hint };
}
/* undefined(obj, name): obj VAL_MISSING for a variable; name NULL when it is no text */
static inline struct val val_undef_name(enum val_kind obj, const struct str *name)
{
    return (struct val){ .kind = VAL_UNDEF, .of = obj, .s = (struct str *)(uintptr_t)name };
}
static inline bool val_is_number(const struct val *v)
{
    return v->kind == VAL_BOOL || v->kind == VAL_INT || v->kind == VAL_FLOAT;
}
static inline bool val_is_int(const struct val *v) { return v->kind == VAL_BOOL || v->kind == VAL_INT; }
static inline int64_t val_as_int(const struct val *v) { return v->kind == VAL_BOOL ? v->b : v->i; }
static inline double val_as_float(const struct val *v)
{
    return v->kind == VAL_FLOAT ? v->f : (double)val_as_int(v);
}
static inline bool str_is(const struct str *s, const char *text)
{
    return s->len == strlen(text) && memcmp(s->data, text, s->len) == 0;
}

const char *tpl_type_name(const struct val *v); /* as Python's type(x).__name__ */
bool tpl_undef_fail(struct render *r, const struct val *v); /* UndefinedError; false */

bool tpl_str_new(struct render *r, const char *data, size_t len, struct val *out);    /* copies */
bool tpl_str_borrow(struct render *r, const char *data, size_t len, struct val *out); /* does not */
bool tpl_str_sub(struct render *r, const struct str *s, size_t from, size_t len, struct val *out);
bool tpl_str_cat(struct render *r, struct str *a, const struct str *b, struct val *out);
bool tpl_str_mark(struct render *r, const struct str *s, struct val *out); /* the same text as markup */
/* What a method makes of markup is markup: marks *out, fresh or not, if s is. */
static inline bool tpl_str_like(struct render *r, const struct str *s, struct val *out);
const char *tpl_find_bytes(const char *in, size_t n, const char *what, size_t n_what); /* NULL: not there */
size_t tpl_str_n_cp(struct str *s);
size_t tpl_str_offset(struct str *s, size_t cp); /* the byte where that code point starts */

bool tpl_list_new(struct render *r, size_t cap, enum val_kind kind, struct val *out);
bool tpl_list_push(struct render *r, struct list *l, struct val v);
bool tpl_list_own(struct render *r, struct list *l, size_t cap); /* items of its own, with room for cap */
bool tpl_list_cat(struct render *r, struct list *a, const struct list *b, enum val_kind kind, struct val *out);
bool tpl_pair(struct render *r, struct val a, struct val b, struct val *out); /* a tuple of two */
bool tpl_dict_new(struct render *r, size_t cap, struct val *out);
bool tpl_dict_set(struct render *r, struct dict *d, struct val key, struct val value);
/* *found is NULL when the key is absent; false when it cannot be a key. */
bool tpl_dict_get(struct render *r, struct dict *d, const struct val *key, struct val **found);
bool tpl_dict_find(struct render *r, struct dict *d, const struct str *key, struct val **found);
bool tpl_from_json(struct render *r, const json_t *j, struct val *out);

bool tpl_truth(struct render *r, const struct val *v, bool *out);
bool tpl_len(struct render *r, const struct val *v, size_t *out); /* TypeError where Python has none */
bool tpl_has_len(const struct val *v);
bool tpl_same(const struct val *a, const struct val *b); /* `is` */
bool tpl_eq(struct render *r, const struct val *a, const struct val *b, bool *out);
enum cmp_op { CMP_LT, CMP_LE, CMP_GT, CMP_GE };
bool tpl_order(struct render *r, enum cmp_op op, const struct val *a, const struct val *b, bool *out);
bool tpl_hash(struct render *r, const struct val *v, uint64_t *out); /* TypeError: unhashable */

static inline bool tpl_str_like(struct render *r, const struct str *s, struct val *out)
{
    return !s->markup || tpl_str_mark(r, out->s, out);
}

/* -- text of values (text.c, json.c, format.c) --------------------------------------------------- */

bool tpl_put_str(struct render *r, const struct val *v);  /* str(v), appended */
bool tpl_put_repr(struct render *r, const struct val *v); /* repr(v), appended */
bool tpl_to_str(struct render *r, const struct val *v, struct val *out);
void tpl_put_repr_str(struct render *r, const char *s, size_t n);
size_t tpl_float_repr(double f, char out[static 40]);
void tpl_put_escaped(struct render *r, const char *s, size_t n); /* & < > " ' for HTML */
struct json_style {
    bool ensure_ascii, sort_keys;
    const char *indent; /* NULL: on one line */
    size_t indent_len;
    const struct str *item_sep, *key_sep; /* NULL: the default */
};
bool tpl_put_json(struct render *r, const struct val *v, const struct json_style *style);
/* "..." % args, "...".format(...) */
bool tpl_format_percent(struct render *r, const struct str *fmt, const struct val *args, struct val *out);
struct args;
bool tpl_format_braces(struct render *r, const struct str *fmt, const struct args *a, struct val *out);

/* -- operators (ops.c) --------------------------------------------------------------------------- */

enum bin_op { BIN_ADD, BIN_SUB, BIN_MUL, BIN_DIV, BIN_FLOORDIV, BIN_MOD, BIN_POW, BIN_OP_COUNT };
bool tpl_binary(struct render *r, enum bin_op op, const struct val *a, const struct val *b, struct val *out);
bool tpl_negate(struct render *r, const struct val *a, bool minus, struct val *out);
bool tpl_contains(struct render *r, const struct val *item, const struct val *in, bool *out);
bool tpl_getitem(struct render *r, const struct val *obj, const struct val *key, struct val *out);
bool tpl_getattr(struct render *r, const struct val *obj, const struct str *name, struct val *out);
/* A Python attribute alone (no items); *found says whether there is one. */
bool tpl_attribute(struct render *r, const struct val *obj, const struct str *name, bool *found, struct val *out);
bool tpl_slice(struct render *r, const struct val *obj, const struct val part[static 3], struct val *out);

/* -- iteration (iter.c) --------------------------------------------------------------------------- */

struct iter {
    /* 1: *out is the next item; 0: the end; -1: failed */
    int (*next)(struct render *r, struct iter *it, struct val *out);
    const char *name; /* for repr */
    struct val src;
    struct iter *from;
    size_t i;
    void *more; /* what a lazy filter needs to know */
};
struct iter *tpl_iter(struct render *r, const struct val *v); /* NULL: TypeError, not iterable */
bool tpl_is_iterable(const struct val *v);
struct iter *tpl_iter_new(struct render *r, const char *name,
                          int (*next)(struct render *, struct iter *, struct val *), struct val src);
int tpl_next(struct render *r, struct iter *it, struct val *out);
bool tpl_reversed(struct render *r, const struct val *v, struct iter **out); /* *out NULL: not reversible */
bool tpl_to_list(struct render *r, const struct val *v, enum val_kind kind, struct val *out);
/* A stable sort by keys[i]; both arrays are put in order. */
bool tpl_sort(struct render *r, struct val *keys, struct val *items, size_t n, bool reverse);

/* -- calls (call.c, and a table per kind of callable) -------------------------------------------- */

struct kwarg {
    const struct str *name;
    struct val value;
};
struct args {
    struct val *pos;
    size_t n_pos;
    struct kwarg *kw;
    size_t n_kw;
};
enum { PARAMS_MAX = 6 };
struct callable;
struct call {
    const struct callable *me;
    const struct val *self;       /* what the filter, test or method applies to */
    struct val v[PARAMS_MAX];     /* the parameters; VAL_MISSING where the call gave none */
    const struct args *a;         /* all arguments, for functions that take any */
};
/* What can be called from a template: a filter, a test, a method, a global function. */
struct callable {
    const char *name;
    const char *params; /* "old new ?count": ? marks those that may be left out; a leading / says that
                         * they have no names for callers; NULL: fn looks at a itself */
    bool (*fn)(struct render *r, const struct call *c, struct val *out);
    int tag; /* for functions that serve several names */
};
bool tpl_call_fn(struct render *r, const struct callable *fn, const struct val *self, const struct args *a,
                 struct val *out);
bool tpl_call(struct render *r, const struct val *callee, const struct args *a, struct val *out);

/* What filters share with the methods of strings (str_methods.c); sides: 1 left, 2 right, 3 both. */
bool tpl_strip(struct render *r, const struct str *s, const struct str *chars, int sides, struct val *out);
bool tpl_justify(struct render *r, struct str *s, int64_t width, const struct str *fill, int sides, struct val *out);
bool tpl_replace(struct render *r, const struct str *s, const struct str *old, const struct str *with, int64_t max,
                 struct val *out);
bool tpl_split_lines(struct render *r, const struct str *s, bool keep_ends, struct val *out);
bool tpl_str_is_case(const struct str *s, bool lower);

const struct callable *tpl_find_filter(const char *name, size_t len);
const struct callable *tpl_find_test(const char *name, size_t len);
const struct callable *tpl_find_global(const char *name, size_t len);
const struct callable *tpl_find_str_method(const char *name, size_t len);
const struct callable *tpl_find_method(enum val_kind kind, const char *name, size_t len);
const struct callable *tpl_find_in(const struct callable *table, size_t n, const char *name, size_t len);

/* Reading arguments: the value or the default where it is missing; TypeError for a wrong kind. */
bool tpl_arg_int(struct render *r, const struct val *v, int64_t preset, int64_t *out);
bool tpl_arg_bool(struct render *r, const struct val *v, bool preset, bool *out);
static inline bool val_given(const struct val *v) { return v->kind != VAL_MISSING; }

/* -- unicode (unicode.c) --------------------------------------------------------------------------- */

enum { UNI_UPPER_MAX = 3 };
int tpl_upper(uint32_t cp, uint32_t out[static UNI_UPPER_MAX]);
int tpl_title_cp(uint32_t cp, uint32_t out[static UNI_UPPER_MAX]);
int tpl_lower(uint32_t cp, uint32_t out[static UNI_UPPER_MAX]);
bool tpl_is_space(uint32_t cp);
bool tpl_is_alpha(uint32_t cp);
bool tpl_is_decimal(uint32_t cp);
bool tpl_is_digit(uint32_t cp);
bool tpl_is_numeric(uint32_t cp);
bool tpl_is_upper(uint32_t cp);
bool tpl_is_lower(uint32_t cp);
bool tpl_is_title(uint32_t cp);
bool tpl_is_printable(uint32_t cp);
static inline bool tpl_is_alnum(uint32_t cp) { return tpl_is_alpha(cp) || tpl_is_numeric(cp); }
int tpl_decimal_value(uint32_t cp); /* of any script; -1 */
/* Like utf8_decode(), but a byte that is no UTF-8 counts as one character, U+FFFD; n > 0. */
size_t tpl_decode(const char *s, size_t n, uint32_t *cp);
void tpl_put_cp(struct render *r, uint32_t cp);
enum case_op { CASE_UPPER, CASE_LOWER, CASE_TITLE, CASE_CAPITALIZE, CASE_SWAP, CASE_FOLD };
bool tpl_change_case(struct render *r, enum case_op op, const struct str *s, struct val *out);
#endif
