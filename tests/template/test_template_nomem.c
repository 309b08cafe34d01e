/* tests/template/test_template_nomem.c - parsing and rendering when memory runs out: an error, no leak. */
#include <string.h>

#include "fail_alloc.h"
#include "template/template.h"
#include "test.h"

static const char text[] =
    "{% macro m(a, b=2) %}{{ a ~ b }}{{ caller() if caller }}{% endmacro %}{% set ns = namespace(s='') %}"
    "{% for x in messages|selectattr('role')|list if (x.content is string) recursive %}"
    "{% set ns.s = ns.s + x.content|trim|upper %}{{ loop.nextitem }}{{ x.items()|list|tojson(indent=2) }}{% endfor %}"
    "{% call m(1, b=[1, 2][::-1]) %}{{ '%5.2f {}'|format(1.5) }}{% endcall %}{{ ns.s * 300 }}{% filter title %}{{ ns }}"
    "{% endfilter %}{{ messages|sort(attribute='content')|map(attribute='content')|join('{}'.format(3)) }}";

static bool parse_and_render(void *vars, struct err *err)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    struct template *t = template_parse(text, sizeof(text) - 1, err);
    const bool ok = t && template_render(t, vars, NULL, &out, err);
    template_free(t);
    buf_fini(&out);
    return ok;
}

static json_t *conversation(void)
{
    return json_pack("{s:[{s:s, s:s}, {s:s, s:s}]}", "messages", "role", "user", "content", "b \xc3\xa9\xc3\x9f", "role",
                     "assistant", "content", "a");
}

TEST(parsing_and_rendering_survive_every_failing_allocation)
{
    json_t *vars = conversation();
    const long n = fail_alloc_each(parse_and_render, vars, 1000);
    CHECK(n > 5, "%ld allocations", n);
    json_decref(vars);
}

/* The arena hands out pieces of few allocations: its limit makes each piece fail. */
TEST(rendering_survives_every_memory_limit)
{
    json_t *vars = conversation();
    struct err err = { 0 };
    struct buf out;
    buf_init(&out, 1 << 20);
    struct template *t = template_parse(text, sizeof(text) - 1, &err);
    REQUIRE(t, "%s", err.text);
    bool ok = false;
    size_t limit = 16;
    for (; !ok && limit < 200000; limit += 16) {
        ok = template_render(t, vars, &(struct template_options){ .max_memory_bytes = limit }, &out, &err);
        if (!ok)
            CHECK(err.code == ERR_LIMIT && out.len == 0, "%s", err.text);
    }
    CHECK(ok && limit > 4000, "%zu", limit);
    template_free(t);
    buf_fini(&out);
    json_decref(vars);
}
