/* template/call.c - calling what a template can call; start at tpl_call(). */
#include <stdio.h>

#include "template/run_internal.h"

const struct callable *tpl_find_in(const struct callable *table, size_t n, const char *name, size_t len)
{
    for (size_t i = 0; i < n; i++)
        if (table[i].name[0] == name[0] && strlen(table[i].name) == len && memcmp(table[i].name, name, len) == 0)
            return &table[i];
    return NULL;
}

/* The i-th word of params; NULL behind the last.  *optional: it has a question mark, or one before it has. */
static const char *param(const char *params, int i, size_t *len, bool *optional)
{
    *optional = false;
    if (*params == '/')
        params++;
    for (;; i--) {
        while (*params == ' ')
            params++;
        if (!*params)
            return NULL;
        if (*params == '?') {
            *optional = true;
            params++;
        }
        *len = strcspn(params, " ");
        if (i == 0)
            return params;
        params += *len;
    }
}

static bool bind_keyword(struct render *r, const struct callable *fn, const struct kwarg *kw, struct val *v)
{
    size_t len;
    bool optional;
    const char *name;
    for (int i = 0; fn->params[0] != '/' && (name = param(fn->params, i, &len, &optional)); i++) {
        if (kw->name->len != len || memcmp(kw->name->data, name, len) != 0)
            continue;
        if (val_given(&v[i]))
            return tpl_type_error(r, "%s() got multiple values for argument '%.*s'", fn->name, (int)len, name);
        v[i] = kw->value;
        return true;
    }
    return tpl_type_error(r, "%s() got an unexpected keyword argument '%.60s'", fn->name, kw->name->data);
}

static bool bind(struct render *r, const struct callable *fn, const struct args *a, struct val v[static PARAMS_MAX])
{
    size_t len, n = 0;
    bool optional;
    while (n < PARAMS_MAX && param(fn->params, (int)n, &len, &optional))
        n++;
    if (a->n_pos > n)
        return tpl_type_error(r, "%s() takes at most %zu argument(s), %zu given", fn->name, n, a->n_pos);
    for (size_t i = 0; i < a->n_pos; i++)
        v[i] = a->pos[i];
    for (size_t i = 0; i < a->n_kw; i++)
        if (!bind_keyword(r, fn, &a->kw[i], v))
            return false;
    for (size_t i = 0; i < n; i++) {
        const char *name = param(fn->params, (int)i, &len, &optional);
        if (!optional && !val_given(&v[i]))
            return tpl_type_error(r, "%s() missing required argument '%.*s'", fn->name, (int)len, name);
    }
    return true;
}

bool tpl_call_fn(struct render *r, const struct callable *fn, const struct val *self, const struct args *a,
                 struct val *out)
{
    struct call c = { .me = fn, .self = self, .a = a };
    if (fn->params && !bind(r, fn, a, c.v))
        return false;
    if (!tpl_spend(r, 0) || !tpl_enter(r))
        return false;
    const bool ok = fn->fn(r, &c, out);
    tpl_leave(r);
    return ok;
}

bool tpl_call(struct render *r, const struct val *callee, const struct args *a, struct val *out)
{
    switch (callee->kind) {
    case VAL_UNDEF: return tpl_undef_fail(r, callee);
    case VAL_FUNC: return tpl_call_fn(r, callee->fn, callee, a, out);
    case VAL_METHOD: return tpl_call_fn(r, callee->m->fn, &callee->m->self, a, out);
    case VAL_MACRO: return tpl_macro_call(r, callee->macro, a, out);
    case VAL_LOOP:
        if (a->n_pos != 1 || a->n_kw != 0)
            return tpl_type_error(r, "loop() takes one argument");
        return tpl_loop_recurse(r, callee->loop, &a->pos[0], out);
    case VAL_JOINER:
        if (a->n_pos != 0 || a->n_kw != 0)
            return tpl_type_error(r, "a joiner takes no arguments");
        if (!callee->joiner->used) {
            callee->joiner->used = true;
            return tpl_str_borrow(r, "", 0, out);
        }
        *out = callee->joiner->sep;
        return true;
    default: return tpl_type_error(r, "'%s' object is not callable", tpl_type_name(callee));
    }
}

bool tpl_arg_int(struct render *r, const struct val *v, int64_t preset, int64_t *out)
{
    *out = preset;
    if (!val_given(v))
        return true;
    if (v->kind == VAL_UNDEF)
        return tpl_type_error(r, "'Undefined' object cannot be interpreted as an integer");
    if (!val_is_int(v))
        return tpl_type_error(r, "'%s' object cannot be interpreted as an integer", tpl_type_name(v));
    *out = val_as_int(v);
    return true;
}

bool tpl_arg_bool(struct render *r, const struct val *v, bool preset, bool *out)
{
    *out = preset;
    return !val_given(v) || tpl_truth(r, v, out);
}
