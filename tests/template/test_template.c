/* tests/template/test_template.c - the published chat templates, to the byte; hostile ones, to an error. */
#include "template/template.h"

#include <string.h>
#include <time.h>

#include "test.h"

enum { OUT_MAX = 8 << 20 };

/* 2026-07-04 15:30:09, a Saturday: the moment at which ../shared/templates was made. */
static const struct tm now = { .tm_sec = 9, .tm_min = 30, .tm_hour = 15, .tm_mday = 4, .tm_mon = 6, .tm_year = 126,
                               .tm_wday = 6, .tm_yday = 184 };

/* Renders `text` with `vars`; what comes out in *out (to be freed), or NULL and the error. */
static char *render(const char *text, size_t n, const json_t *vars, struct err *err)
{
    *err = (struct err){ 0 };
    struct buf out;
    buf_init(&out, OUT_MAX);
    struct template *t = template_parse(text, n, err);
    const bool ok = t && template_render(t, vars, &(struct template_options){ .now = &now }, &out, err);
    template_free(t);
    if (ok && !out.data)
        buf_puts(&out, "");
    if (!ok)
        buf_fini(&out);
    return out.data;
}

static char *render_text(const char *text, const char *json, struct err *err)
{
    json_t *vars = json_loads(json, 0, NULL);
    char *out = vars ? render(text, strlen(text), vars, err) : NULL;
    json_decref(vars);
    return out;
}

static json_t *with_defaults(const json_t *given)
{
    json_t *v = json_pack("{s:b, s:s, s:s}", "add_generation_prompt", 1, "bos_token", "<s>", "eos_token", "</s>");
    json_object_update(v, (json_t *)(uintptr_t)given);
    return v;
}

TEST(published_templates_render_to_the_byte)
{
    json_t *templates = json_load_file(test_shared("templates/templates.json"), 0, NULL);
    json_t *cases = json_load_file(test_shared("templates/cases.json"), 0, NULL);
    FILE *f = fopen(test_shared("templates/expected.jsonl"), "r");
    REQUIRE(templates && cases && f);
    int n_rows = 0;
    for (json_t *row; (row = json_loadf(f, JSON_DISABLE_EOF_CHECK, NULL)); json_decref(row), n_rows++) {
        const char *name = json_string_value(json_object_get(row, "template"));
        const char *case_name = json_string_value(json_object_get(row, "case"));
        const json_t *text = json_object_get(templates, name), *want = json_object_get(row, "text");
        const char *error = json_string_value(json_object_get(row, "error"));
        json_t *vars = with_defaults(json_object_get(cases, case_name));
        struct err err;
        char *got = render(json_string_value(text), json_string_length(text), vars, &err);
        if (want)
            CHECK(got && strcmp(got, json_string_value(want)) == 0, "%s, %s: %s", name, case_name, got ? got : err.text);
        else if (!strstr(error, "attribute 'append'")) /* list.append works here: template/ops.c says why */
            CHECK(!got, "%s, %s: no error (%s)", name, case_name, error);
        free(got);
        json_decref(vars);
    }
    CHECK(n_rows > 900, "%d rows", n_rows);
    fclose(f);
    json_decref(templates);
    json_decref(cases);
}

TEST(a_parsed_template_knows_which_variables_it_reads)
{
    static const char text[] = "{% set a = b %}{% for m in messages %}{{ m.c ~ a }}{% endfor %}{% macro f(x) %}{{ x ~ tools }}{% endmacro %}";
    struct err err = { 0 };
    struct template *t = template_parse(text, strlen(text), &err);
    REQUIRE(t, "%s", err.text);
    CHECK(template_reads(t, "b") && template_reads(t, "messages") && template_reads(t, "tools"));
    CHECK(!template_reads(t, "a") && !template_reads(t, "m") && !template_reads(t, "c") && !template_reads(t, "x"));
    template_free(t);
}

TEST(the_plain_template_writes_roles_and_texts)
{
    struct err err;
    char *got = render_text(template_default_chat(),
                            "{\"messages\":[{\"role\":\"system\",\"content\":\"Be brief.\"},{\"role\":\"user\",\"content\":"
                            "\" Hi \"},{\"role\":\"assistant\",\"content\":\"Hello.\"},{\"role\":\"user\",\"content\":"
                            "[{\"type\":\"text\",\"text\":\"Who\"},{\"type\":\"image\"},{\"type\":\"text\",\"text\":\"?\"}]}],"
                            "\"add_generation_prompt\":true}",
                            &err);
    REQUIRE(got, "%s", err.text);
    CHECK(strcmp(got, "Be brief.\n\nUser: Hi\nAssistant: Hello.\nUser: Who?\nAssistant:") == 0, "%s", got);
    free(got);
}

TEST(errors_say_the_line)
{
    struct err err;
    CHECK(!render_text("a\n{% if x %}\n{{ y.z }}\n{% endif %}", "{\"x\":1}", &err));
    CHECK(strcmp(err.text, "line 3: 'y' is undefined") == 0, "%s", err.text);
    CHECK(!render_text("\n\n{{ raise_exception('a\nb') }}", "{}", &err));
    CHECK(strcmp(err.text, "line 3: a b") == 0, "%s", err.text);
    CHECK(!render_text("{% for x in y %}\n", "{}", &err) && strstr(err.text, "line 1") != NULL, "%s", err.text);
    CHECK(!render_text("{% include 'x' %}", "{}", &err) && err.code == ERR_UNSUPPORTED, "%s", err.text);
    CHECK(!render_text("{{ '\xff' }}", "{}", &err) && strstr(err.text, "byte 4") != NULL, "%s", err.text);
}

TEST(a_failed_rendering_leaves_the_output_as_it_was)
{
    struct err err = { 0 };
    struct buf out;
    buf_init(&out, 100);
    buf_puts(&out, "before");
    json_t *vars = json_object();
    struct template *t = template_parse("abc{{ x.y }}", 12, &err);
    REQUIRE(t);
    CHECK(!template_render(t, vars, NULL, &out, &err));
    CHECK(strcmp(out.data, "before") == 0 && !out.failed, "%s", out.data);
    template_free(t);
    t = template_parse("{% for i in range(99) %}{{ i }}{% endfor %}", 43, &err);
    REQUIRE(t);
    CHECK(!template_render(t, vars, NULL, &out, &err) && err.code == ERR_LIMIT, "%s", err.text);
    CHECK(strcmp(out.data, "before") == 0 && !out.failed, "%s", out.data);
    template_free(t);
    json_decref(vars);
    buf_fini(&out);
}

TEST(hostile_templates_become_errors_soon)
{
    static const char *const texts[] = {
        "{% for i in range(10**9) %}x{% endfor %}",
        "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
        "{% for i in range(99999) %}{% for j in range(99999) %}x{% endfor %}{% endfor %}",
        "{{ 'a' * 10**9 }}",
        "{{ 'a' * 10**18 }}",
        "{{ [1] * 10**9 }}",
        "{{ (1, 2) * 99999999 }}",
        "{% set ns = namespace(s='ab') %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
        "{% set ns = namespace(s='ab') %}{% for i in range(99) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
        "{% set ns = namespace(s=[1]) %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
        "{% set ns = namespace(s=[]) %}{% for i in range(99999) %}{% set ns.s = [ns.s] %}{% endfor %}{{ ns.s }}",
        "{% set ns = namespace(s=[]) %}{% for i in range(99999) %}{% set ns.s = [ns.s] %}{% endfor %}{{ ns.s|tojson }}",
        "{% set ns = namespace(s=[]) %}{% for i in range(99999) %}{% set ns.s = (ns.s, 1) %}{% endfor %}{{ {ns.s: 1} }}",
        "{% set ns = namespace(s=[], t=[]) %}{% for i in range(99999) %}{% set ns.s = [ns.s] %}{% set ns.t = [ns.t] %}"
        "{% endfor %}{{ ns.s == ns.t }}",
        "{% set ns = namespace(s=[1]) %}{% for i in range(99999) %}{% set ns.s = ns.s|select %}{% endfor %}{{ ns.s|list }}",
        "{% set ns = namespace(s=[1]) %}{% for i in range(99999) %}{% set ns.s = ns.s|map('int') %}{% endfor %}{{ ns.s|list }}",
        "{% set x = [] %}{% set _ = x.append(x) %}{{ x|tojson }}",
        "{% set x = [1] %}{% for i in x %}{% set _ = x.append(i) %}{% endfor %}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{% macro f(x) %}{{ f(x ~ 'aaaaaaaaaaaaaaaa') }}{% endmacro %}{{ f('') }}",
        "{% macro f() %}{{ f() }}{{ f() }}{% endmacro %}{{ f() }}",
        "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}",
        "{% macro f() %}{% call f() %}{{ caller() }}{% endcall %}{% endmacro %}{{ f() }}",
        "{{ '%1000000000d' % 1 }}",
        "{{ '%.1000000000f' % 1.5 }}",
        "{{ '{:1000000000}'.format(1) }}",
        "{{ '{:>999999999}'.format('x') }}",
        "{{ 'x'.ljust(10**10) }}",
        "{{ 'x'.zfill(10**10) }}",
        "{{ '\t'.expandtabs(10**10) }}",
        "{{ 'x'|center(10**10) }}",
        "{{ 'x'|indent(10**10) }}",
        "{{ [1]|batch(10**10, 1)|list }}",
        "{{ [1]|slice(10**10)|list }}",
        "{{ {'a': {'a': {'a': 1}}}|tojson(indent=10**7) }}",
        "{{ ('a' * 1000000).replace('', 'b' * 1000) }}",
        "{{ ('a' * 1000000).replace('a', 'b' * 1000) }}",
        "{{ ('b' * 1000000).join('a' * 1000000) }}",
        "{{ 2 ** 64 }}",
        "{{ 9223372036854775807 + 1 }}",
        "{{ 99999999999999999999 }}",
        "{% set a = 'a' * 1000000 %}{% for i in range(99999) %}{{ a.upper() }}{% endfor %}",
        "{% set a = 'a' * 1000000 %}{% for i in range(99999) %}{% if a.rfind('a' * 500000 ~ 'b') %}{% endif %}{% endfor %}",
        "{% set a = '\u00e9' * 1000000 %}{% for i in range(99999) %}{% if a[i] %}{% endif %}{% endfor %}",
        "{% for i in range(99999) %}{% set x = range(99999)|list %}{% endfor %}",
        "{% for i in range(99999) %}{% set x %}aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa{% endset %}{% endfor %}"
        "{% for i in range(99999) %}{% for j in range(999) %}{% set x %}a{{ i }}{% endset %}{% endfor %}{% endfor %}",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct err err;
        const clock_t start = clock(); /* of this process: others may keep the machine busy */
        char *got = render_text(texts[i], "{}", &err);
        const double ms = (double)(clock() - start) * 1e3 / CLOCKS_PER_SEC;
        CHECK(!got, "no error: %s", texts[i]);
        CHECK(ms < 10000, "%.0f ms: %s", ms, texts[i]);
        if (getenv("TEST_VERBOSE"))
            printf("# %7.1f ms  %s | %.70s\n", ms, err.text, texts[i]);
        free(got);
    }
}

/* Texts that are made of one thing, many times. */
TEST(deep_and_long_templates_become_errors_soon)
{
    static const struct {
        const char *head, *many, *tail;
        int n;
    } texts[] = {
        { "{{ ", "(", "", 100000 },       { "{{ ", "[", "", 100000 },        { "{{ ", "{1:", "", 100000 },
        { "{{ ", "-", "1 }}", 100000 },   { "{{ ", "not ", "1 }}", 100000 }, { "{{ 1", " + 1", " }}", 100000 },
        { "{{ 1", "|int", " }}", 100000 }, { "{{ x", ".x", " }}", 100000 },  { "{{ x", "[0]", " }}", 100000 },
        { "{{ x", "()", " }}", 100000 },  { "{{ 1", " if 1 else 1", " }}", 100000 },
        { "", "{% if 1 %}", "", 100000 }, { "", "{% for x in y %}", "", 100000 },
        { "", "{% macro m() %}", "", 100000 }, { "", "{% set x %}", "", 100000 }, { "{{ 1", " < 1", " }}", 100000 },
        { "{{ '", "\\", "", 99999 },      { "{% raw %}", "{%", "", 100000 }, { "{#", "#", "", 100000 },
        { "", "{%- ", "", 100000 },       { "{{ 1", " ** 1", " }}", 100000 }, { "{% if 0 %}", "{% elif 0 %}", "", 100000 },
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct buf b;
        struct err err;
        buf_init(&b, OUT_MAX);
        buf_puts(&b, texts[i].head);
        for (int k = 0; k < texts[i].n; k++)
            buf_puts(&b, texts[i].many);
        buf_puts(&b, texts[i].tail);
        const clock_t start = clock(); /* of this process: others may keep the machine busy */
        char *got = render_text(b.data, "{}", &err);
        const double ms = (double)(clock() - start) * 1e3 / CLOCKS_PER_SEC;
        CHECK(!got || texts[i].many[1] == '<', "no error: %s%s...", texts[i].head, texts[i].many);
        CHECK(ms < 10000, "%.0f ms: %s%s...", ms, texts[i].head, texts[i].many);
        if (getenv("TEST_VERBOSE"))
            printf("# %7.1f ms  %s | %s%s\n", ms, got ? "fine" : err.text, texts[i].head, texts[i].many);
        free(got);
        buf_fini(&b);
    }
}

TEST(long_conversations_render_in_linear_memory)
{
    json_t *messages = json_array(), *vars = json_object();
    for (int i = 0; i < 20000; i++)
        json_array_append_new(messages, json_pack("{s:s, s:s}", "role", i % 2 ? "assistant" : "user", "content",
                                                  "a message of some length, to be copied a few times"));
    json_object_set_new(vars, "messages", messages);
    static const char text[] = "{% set ns = namespace(out='') %}{% for m in messages %}"
                               "{% set ns.out = ns.out + '<' + m.role + '>' + m['content'] | trim + '\\n' %}{% endfor %}{{ ns.out }}";
    struct err err;
    char *got = render(text, strlen(text), vars, &err);
    CHECK(got && strlen(got) > 1000000, "%s", err.text);
    free(got);
    json_decref(vars);
}
