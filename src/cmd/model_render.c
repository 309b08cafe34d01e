/* cmd/model_render.c - `tutti model render`: what a chat template makes of a conversation. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cmd/cmd.h"
#include "cmd/commands.h"
#include "template/template.h"

enum { FILE_MAX = 64 << 20, OUTPUT_MAX = 256 << 20 };

/* YYYY-MM-DDTHH:MM:SS, with the day of the week and of the year worked out; false: it is no such time. */
static bool parse_time(const char *s, struct tm *tm)
{
    char end;
    *tm = (struct tm){ .tm_isdst = -1 };
    if (sscanf(s, "%4d-%2d-%2dT%2d:%2d:%2d%c", &tm->tm_year, &tm->tm_mon, &tm->tm_mday, &tm->tm_hour, &tm->tm_min,
               &tm->tm_sec, &end) != 6)
        return false;
    tm->tm_year -= 1900;
    tm->tm_mon -= 1;
    const struct tm want = *tm;
    return mktime(tm) != (time_t)-1 && tm->tm_mday == want.tm_mday && tm->tm_mon == want.tm_mon &&
           tm->tm_year == want.tm_year && tm->tm_min == want.tm_min && tm->tm_sec == want.tm_sec;
}

static json_t *read_case(const char *path, struct err *err)
{
    json_error_t where;
    size_t n;
    char *text = file_read(path, FILE_MAX, &n, err);
    if (!text)
        return NULL;
    json_t *vars = json_loadb(text, n, JSON_ALLOW_NUL, &where);
    free(text);
    if (vars && json_is_object(vars))
        return vars;
    if (vars)
        err_set(err, ERR_INPUT, "%s: an object of variables is wanted", path);
    else
        err_set(err, ERR_INPUT, "%s: line %d, column %d: %s", path, where.line, where.column, where.text);
    json_decref(vars);
    return NULL;
}

static struct template *read_template(const char *path, struct err *err)
{
    size_t n;
    char *text = file_read(path, FILE_MAX, &n, err);
    if (!text)
        return NULL;
    struct template *t = template_parse(text, n, err);
    free(text);
    if (!t)
        err_prefix(err, "%s", path);
    return t;
}

static int run(int argc, char **argv, struct cmd_opt *opts)
{
    (void)argc, (void)argv;
    struct err err = { 0 };
    struct tm now;
    struct template_options options = { 0 };
    const char *path = cmd_opt_find(opts, "template")->s, *input = cmd_opt_find(opts, "input")->s,
               *time = cmd_opt_find(opts, "now")->s;
    if (!path || !input) {
        fprintf(stderr, "tutti: model render needs --template FILE and --input FILE; see `tutti model render --help`\n");
        return 2;
    }
    if (time && !parse_time(time, &now)) {
        fprintf(stderr, "tutti: --now %s: a time like 2026-07-04T15:30:09 is wanted\n", time);
        return 2;
    }
    options.now = time ? &now : NULL;
    struct buf out;
    buf_init(&out, OUTPUT_MAX);
    struct template *t = read_template(path, &err);
    json_t *vars = t ? read_case(input, &err) : NULL;
    bool ok = vars != NULL;
    if (ok && !template_render(t, vars, &options, &out, &err))
        ok = err_prefix(&err, "%s", path);
    if (ok && out.len > 0 && fwrite(out.data, 1, out.len, stdout) != out.len)
        ok = err_set(&err, ERR_IO, "standard output: cannot write");
    json_decref(vars);
    template_free(t);
    buf_fini(&out);
    return ok ? 0 : cmd_fail(&err);
}

static struct cmd_opt opts[] = {
    { .name = "template", .kind = OPT_TEXT, .value = "FILE", .help = "the Jinja template" },
    { .name = "input", .kind = OPT_TEXT, .value = "FILE", .help = "JSON object that holds all variables; - is stdin" },
    { .name = "now", .kind = OPT_TEXT, .value = "TIME", .help = "local time for strftime_now: 2026-07-04T15:30:09" },
    { 0 },
};
const struct cmd cmd_model_render = {
    .name = "model render",
    .args = "",
    .help = "print what a chat template makes of a conversation",
    .opts = opts,
    .run = run,
};
