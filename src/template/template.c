/* template/template.c - parsing and rendering from outside; start reading at template_render(). */
#include "template/template.h"

#include <stdlib.h>

#include "template/run_internal.h"

enum {
    TEXT_MAX = 4 << 20,             /* bytes of a template; the longest published ones have 30 KB */
    PARSE_MEMORY_MAX = 256 << 20,   /* for the tree of a template of that size */
    MEMORY_DEFAULT = 128 << 20,
    STEPS_DEFAULT = 10 * 1000 * 1000
};

void template_free(struct template *t)
{
    if (!t)
        return;
    arena_free(t->arena);
    free(t);
}

struct template *template_parse(const char *text, size_t n, struct err *err)
{
    if (n > TEXT_MAX)
        return err_null(err, ERR_LIMIT, "a template of %zu bytes, the limit is %d", n, TEXT_MAX);
    struct template *t = calloc(1, sizeof(*t));
    if (!t)
        return err_null(err, ERR_NOMEM, "template: out of memory");
    struct arena *scratch = arena_new(PARSE_MEMORY_MAX, err);
    size_t n_tok = 0;
    const struct token *tok = NULL;
    bool ok = scratch && (t->arena = arena_new(PARSE_MEMORY_MAX, err)) != NULL;
    ok = ok && (tok = tpl_lex(t, text, n, scratch, &n_tok, err)) != NULL;
    ok = ok && tpl_parse(t, tok, n_tok, err) && tpl_scope(t, scratch, err);
    arena_free(scratch);
    if (ok)
        return t;
    template_free(t);
    return NULL;
}

static bool run(struct render *r, const json_t *vars)
{
    struct val all;
    if (!json_is_object(vars))
        return tpl_fail(r, ERR_INPUT, "the variables are no object");
    if (!tpl_from_json(r, vars, &all))
        return false;
    r->vars = all.d;
    struct act *a = tpl_act_new(r, &r->t->fn, NULL);
    if (!a || !tpl_enter_frame(r, a, &r->t->loads))
        return false;
    if (tpl_exec(r, a, &r->t->body) == FLOW_FAIL)
        return false;
    return !r->out->failed || buf_ok(r->out, "the rendered text", r->err);
}

bool template_render(const struct template *t, const json_t *vars, const struct template_options *opt,
                     struct buf *out, struct err *err)
{
    const struct template_options none = { 0 };
    if (!opt)
        opt = &none;
    struct render r = { .t = t, .err = err, .out = out, .now = opt->now, .line = 1 };
    r.max_steps = opt->max_steps ? opt->max_steps : STEPS_DEFAULT;
    r.max_memory_bytes = opt->max_memory_bytes ? opt->max_memory_bytes : MEMORY_DEFAULT;
    if (!(r.arena = arena_new(r.max_memory_bytes, err)))
        return false;
    buf_init(&r.built, r.max_memory_bytes);
    const size_t len = out->len;
    const bool failed = out->failed;
    const bool ok = run(&r, vars);
    if (!ok) { /* nothing of a text that failed */
        out->len = len;
        out->failed = failed;
        if (out->data)
            out->data[len] = '\0';
    }
    buf_fini(&r.built);
    arena_free(r.arena);
    return ok;
}

bool template_reads(const struct template *t, const char *name)
{
    for (size_t i = 0; i < t->n_reads; i++)
        if (str_is(t->reads[i], name))
            return true;
    return false;
}

const char *template_default_chat(void)
{
    return "{%- for message in messages %}\n"
           "{%- if message.content is string %}{% set text = message.content %}\n"
           "{%- else %}{% set text = message.content | default([], true) | selectattr('text', 'defined') |"
           " map(attribute='text') | join %}{% endif %}\n"
           "{%- if message.role == 'system' %}{{ text | trim + '\\n\\n' }}\n"
           "{%- elif message.role == 'assistant' %}{{ 'Assistant: ' + text | trim + '\\n' }}\n"
           "{%- else %}{{ message.role | capitalize + ': ' + text | trim + '\\n' }}\n"
           "{%- endif %}\n"
           "{%- endfor %}\n"
           "{%- if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}\n";
}
