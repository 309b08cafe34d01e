/* tests/template/test_cases.c - the tables of tests/cases/template/: templates and what they must render.
 *
 * A file is a list of cases, made to be extended by hand:
 *     ## a comment
 *     #= {"name": "value"}       variables of all cases below, up to the next #= line
 *     {{ name }}                 a template, of one line or several
 *     #> value                   what it renders, one #> for each line; or
 *     #! why                     that it must fail (the reason is for people)
 * An empty line between cases does not count.  New cases are written with a line `#?` as result, and
 * `tests/template/jinja2_cases.py --write FILE` fills in what python3-jinja2 makes of them.
 */
#include <dirent.h>
#include <string.h>

#include "base/file.h"
#include "template/template.h"
#include "test.h"

enum { OUT_MAX = 1 << 20 };

struct table {
    const char *path;
    int line, n_cases;
    json_t *vars;
    struct buf template, want; /* of the case that is being read */
    bool has_template, has_want, must_fail;
};

static void run_case(struct table *t)
{
    static const struct tm now = { .tm_sec = 9, .tm_min = 30, .tm_hour = 15, .tm_mday = 4, .tm_mon = 6, .tm_year = 126,
                                   .tm_wday = 6, .tm_yday = 184 };
    struct err err = { 0 };
    struct buf got;
    buf_init(&got, OUT_MAX);
    buf_puts(&got, "");
    struct template *p = template_parse(t->template.data, t->template.len, &err);
    const bool ok = p && template_render(p, t->vars, &(struct template_options){ .now = &now }, &got, &err);
    if (t->must_fail)
        CHECK(!ok, "%s:%d: no error but '%s' from '%s'", t->path, t->line, got.data, t->template.data);
    else
        CHECK(ok && got.len == t->want.len && memcmp(got.data, t->want.data, got.len) == 0,
              "%s:%d: '%s' gives '%s'", t->path, t->line, t->template.data, ok ? got.data : err.text);
    t->n_cases++;
    template_free(p);
    buf_fini(&got);
    buf_clear(&t->template);
    buf_clear(&t->want);
    t->has_template = t->has_want = t->must_fail = false;
}

static void read_line(struct table *t, const char *s, size_t n)
{
    const bool is_result = n >= 2 && s[0] == '#' && (s[1] == '>' || s[1] == '!');
    t->line++;
    if (t->has_want && !is_result)
        run_case(t);
    if (is_result) {
        if (t->has_want)
            buf_putc(&t->want, '\n');
        t->has_want = true;
        t->must_fail = s[1] == '!';
        if (n > 3)
            buf_append(&t->want, s + 3, n - 3);
        else
            buf_puts(&t->want, "");
    } else if (n >= 3 && memcmp(s, "#= ", 3) == 0) {
        json_decref(t->vars);
        t->vars = json_loadb(s + 3, n - 3, JSON_ALLOW_NUL, NULL);
        CHECK(t->vars, "%s:%d: no JSON", t->path, t->line);
    } else if ((n >= 2 && memcmp(s, "##", 2) == 0) || (n == 0 && !t->has_template)) {
        return;
    } else {
        if (t->has_template)
            buf_putc(&t->template, '\n');
        buf_append(&t->template, s, n);
        t->has_template = true;
    }
}

static int run_table(const char *path)
{
    struct err err = { 0 };
    size_t n;
    char *text = file_read(path, OUT_MAX, &n, &err);
    CHECK(text, "%s", err.text);
    struct table t = { .path = path, .vars = json_object() };
    buf_init(&t.template, OUT_MAX);
    buf_init(&t.want, OUT_MAX);
    for (size_t i = 0, end; text && i < n; i = end + 1) {
        const char *nl = memchr(text + i, '\n', n - i);
        end = nl ? (size_t)(nl - text) : n;
        read_line(&t, text + i, end - i);
    }
    if (t.has_want)
        run_case(&t);
    CHECK(!t.has_template, "%s: the last template has no result", path);
    json_decref(t.vars);
    buf_fini(&t.template);
    buf_fini(&t.want);
    free(text);
    return t.n_cases;
}

TEST(written_cases_render_as_jinja2_renders_them)
{
    static const char dir[] = "tests/cases/template";
    DIR *d = opendir(dir);
    if (!d)
        SKIP("no %s from here", dir);
    int n_cases = 0;
    for (const struct dirent *e; (e = readdir(d));) {
        char path[512];
        if (!strstr(e->d_name, ".txt"))
            continue;
        snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
        n_cases += run_table(path);
    }
    closedir(d);
    CHECK(n_cases > 500, "only %d cases", n_cases);
}
