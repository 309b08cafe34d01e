/* cmd/catalog_runtime.c - `tutti catalog runtime --for HARDWARE`: what to run there, and how; start at cmd_catalog_choose(). */
#include "cmd/catalog_runtime.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "advise/preset.h"
#include "catalog/choose.h"
#include "cmd/catalog_open.h"
#include "cmd/out.h"
#include "hw/machine.h"

enum { JSON_BYTES_MAX = 1 << 20, CHOICES_MAX = 16, LINE_BYTES_MAX = 8192 };
#define HARDWARE "gpu soc cpu phone accelerator"

struct choice {
    const struct catalog_row *hardware, *rows[CHOICES_MAX]; /* hardware is NULL for a part of this machine that has no row */
    struct runtime_host host;
    struct runtime_values values;
    const char *task;
    int n;
};

static bool launch_line(const struct choice *c, int i, struct buf *b, struct err *err)
{
    buf_init(b, LINE_BYTES_MAX);
    return runtime_launch_line(c->rows[i], &c->host, &c->values, b, err);
}

static bool prepare_line(const struct choice *c, int i, struct buf *b, struct err *err)
{
    buf_init(b, LINE_BYTES_MAX);
    return runtime_expand(c->rows[i], &c->host, &c->values, catalog_text(c->rows[i], "prepare"), b, err);
}

static bool print_command(const struct choice *c, struct err *err)
{
    struct buf line, prepare;
    bool ok = launch_line(c, 0, &line, err);
    if (ok && !line.len)
        ok = err_set(err, ERR_UNSUPPORTED, "%s on %s: no line to start, it runs inside a program", catalog_text(c->rows[0], "runtime"), c->host.name);
    if (ok && (ok = prepare_line(c, 0, &prepare, err))) {
        if (prepare.len)
            printf("# once: %s\n", prepare.data);
        printf("%s\n", line.data);
        buf_fini(&prepare);
    }
    buf_fini(&line);
    return ok;
}

static void print_field(const char *title, const char *text)
{
    if (!*text)
        return;
    if (out_text_width(text) <= OUT_WIDTH - 12) {
        printf("  %-10s%s\n", title, text);
        return;
    }
    printf("  %s\n", title);
    out_wrap(stdout, 4, OUT_WIDTH, text);
}

/* A command for the shell, continued with "\\" where it would pass the width; text in quotes stays together. */
static void print_line(const char *title, const char *line)
{
    int used = 4;
    bool in_quotes = false;
    printf("  %s\n    ", title);
    for (const char *p = line; *p;) {
        int n = 0;
        while (p[n] && (p[n] != ' ' || in_quotes))
            in_quotes ^= p[n++] == '\'';
        if (used > 4 && used + 1 + n + 2 > OUT_WIDTH) {
            printf(" \\\n      ");
            used = 6;
        } else if (used > 4) {
            putchar(' ');
            used++;
        }
        printf("%.*s", n, p);
        used += n;
        p += n + (p[n] == ' ');
    }
    printf("\n");
}

static bool print_choice(const struct choice *c, int i, struct err *err)
{
    const struct catalog_row *r = c->rows[i];
    struct buf line, prepare;
    bool ok = launch_line(c, i, &line, err);
    if (ok && (ok = prepare_line(c, i, &prepare, err))) {
        printf("%s%s%s%s\n", i ? "" : out_style(stdout, OUT_BOLD), i ? "or: " : "", catalog_name(r), i ? "" : out_style_end(stdout));
        print_field("runtime", catalog_text(r, "runtime"));
        print_field("precision", catalog_text(r, "precision"));
        print_field("batch", catalog_text(r, "batch"));
        if (!isnan(catalog_number(r, "ctx_tok")))
            printf("  %-10s%.0f tokens, %.0f at a time\n", "context", catalog_number(r, "ctx_tok"), catalog_number_or(r, "n_parallel", 1));
        const char *threads = catalog_text(r, "threads");
        print_field("threads", strcmp(threads, "physical") == 0 ? "one for each physical core" : strcmp(threads, "0") == 0 ? "left to the runtime" : threads);
        print_field("buffers", catalog_text(r, "buffers"));
        print_field("advice", catalog_text(r, "advice"));
        print_field("corrects", catalog_text(r, "correction"));
        if (prepare.len)
            print_line("once", prepare.data);
        if (line.len)
            print_line("start", line.data);
        print_field("source", catalog_source(r)), print_field("date", catalog_text(r, "date"));
        buf_fini(&prepare);
    }
    buf_fini(&line);
    return ok;
}

static bool print_choices_json(const struct choice *c, struct err *err)
{
    struct buf b, line, prepare;
    bool ok = true;
    buf_init(&b, JSON_BYTES_MAX);
    buf_puts(&b, "{\"name\":"), buf_put_json_text(&b, c->host.name);
    buf_puts(&b, ",\"hardware\":");
    if (c->hardware)
        cmd_catalog_put_row(&b, c->hardware);
    else
        buf_puts(&b, "null");
    buf_printf(&b, ",\"task\":\"%s\",\"choices\":[", c->task);
    for (int i = 0; ok && i < c->n; i++) {
        ok = launch_line(c, i, &line, err);
        if (ok && (ok = prepare_line(c, i, &prepare, err))) {
            buf_printf(&b, "%s{\"row\":", i ? "," : ""), cmd_catalog_put_row(&b, c->rows[i]);
            buf_puts(&b, ",\"launch\":");
            if (line.len)
                buf_put_json(&b, line.data, line.len);
            else
                buf_puts(&b, "null");
            buf_puts(&b, ",\"prepare\":");
            if (prepare.len)
                buf_put_json(&b, prepare.data, prepare.len);
            else
                buf_puts(&b, "null");
            buf_puts(&b, "}");
            buf_fini(&prepare);
        }
        buf_fini(&line);
    }
    buf_puts(&b, "]}");
    if (!ok)
        buf_fini(&b);
    return ok && cmd_catalog_print(&b, err);
}

/* Billions of weights of a model that the catalog knows; 0: not known. */
static double params_of(struct catalog *cat, const char *model)
{
    struct err none = { 0 };
    const struct catalog_table *t = catalog_table(cat, "model", &none);
    const char *slash = strrchr(model, '/');
    const struct catalog_row *r = t ? catalog_find(t, slash ? slash + 1 : model, &none) : NULL;
    return r ? catalog_number_or(r, "params_b", 0) : 0;
}

/* ---- "here": the graphics card with the most memory, else the chip of the board, else the CPU */

static bool choose(struct catalog *cat, const struct catalog_table *runtimes, struct choice *c, struct cmd_opt *opts, struct err *err)
{
    const struct cmd_opt *mem = cmd_opt_find(opts, "mem"), *os = cmd_opt_find(opts, "os");
    const struct runtime_wish wish = { .task = c->task, .params_b = params_of(cat, c->values.model) };
    if (mem->given)
        c->host.mem_gb = mem->f;
    if (os->given)
        c->host.os = os->s;
    c->n = runtime_choose(runtimes, &c->host, &wish, c->rows, CHOICES_MAX);
    if (!c->n)
        return err_set(err, ERR_NOT_FOUND, "%s on %s: no runtime known that does that there", c->task, c->host.name);
    if (cmd_opt_find(opts, "command")->given)
        return print_command(c, err);
    if (cmd_opt_find(opts, "json")->given)
        return print_choices_json(c, err);
    printf("%s, %s\n\n", c->host.name, c->task);
    for (int i = 0; i < c->n; i++) {
        if (i)
            printf("\n");
        if (!print_choice(c, i, err))
            return false;
    }
    return true;
}

bool cmd_catalog_choose(struct catalog *cat, const struct catalog_table *runtimes, struct cmd_opt *opts, struct err *err)
{
    const struct cmd_opt *model = cmd_opt_find(opts, "model"), *task = cmd_opt_find(opts, "task");
    const char *where = cmd_opt_find(opts, "for")->s;
    struct choice c = { .values = { .model = model->given ? model->s : "MODEL", .port = (int)cmd_opt_find(opts, "port")->i }, .task = task->given ? task->s : "llm" };
    struct hw_machine *m = NULL;
    bool ok = false;
    if (strcmp(where, "here") == 0) {
        m = hw_detect("", err);
        if (m)
            advise_runtime_host(cat, m, &c.host, &c.hardware);
        ok = m != NULL;
    } else if ((c.hardware = catalog_find_in(cat, HARDWARE, where, err))) {
        runtime_host_of(c.hardware, &c.host);
        ok = true;
    }
    ok = ok && choose(cat, runtimes, &c, opts, err);
    hw_machine_free(m);
    return ok;
}
