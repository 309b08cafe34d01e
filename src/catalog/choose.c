/* catalog/choose.c - see choose.h; start at runtime_choose(). */
#include "catalog/choose.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { SMALL_MAX_B = 4, PORT = 8080, THREADS_UNKNOWN = 4, CANDIDATES_MAX = 64 };

/* Is one of list's entries (separated by ';') the whole of text? */
static bool is_listed(const char *list, const char *text)
{
    const size_t n = strlen(text);
    for (const char *p = list; *p;) {
        const size_t len = strcspn(p, ";");
        if (len == n && memcmp(p, text, n) == 0)
            return true;
        p += len + (p[len] == ';');
    }
    return false;
}

/* Does the name hold one of the entries, beginning where a word begins? */
static bool name_holds(const char *name, const char *list)
{
    for (const char *p = list; *p;) {
        const size_t len = strcspn(p, ";");
        for (const char *s = name; len && *s; s++)
            if ((s == name || s[-1] == ' ' || s[-1] == '(') && strncasecmp(s, p, len) == 0)
                return true;
        p += len + (p[len] == ';');
    }
    return false;
}

void runtime_host_of(const struct catalog_row *hardware, struct runtime_host *out)
{
    const char *cls = catalog_text(hardware, "class"), *name = catalog_name(hardware);
    const bool is_phone = strcmp(catalog_name_of(catalog_table_of(hardware)), "phone") == 0;
    *out = (struct runtime_host){
        .name = name, .alias = catalog_text(hardware, "alias"), .cls = cls, .mem_gb = catalog_number(hardware, "mem_gb"),
        .os = strcmp(cls, "apple") == 0 ? "macos" : !is_phone ? "linux" : strncmp(name, "Apple", 5) == 0 ? "ios" : "android",
        .n_cores = (int)catalog_number_or(hardware, "n_cores", 0),
    };
}

struct candidate {
    const struct catalog_row *row;
    int rank; /* higher is better */
};

/* -1: not for this host or task. */
static int rank(const struct catalog_row *row, const struct runtime_host *h, const struct runtime_wish *w)
{
    const char *names = catalog_text(row, "match_name"), *size = catalog_text(row, "size");
    const double need = catalog_number_or(row, "min_mem_gb", 0);
    if (strcmp(catalog_text(row, "task"), w->task) != 0 || !is_listed(catalog_text(row, "match_class"), h->cls) ||
        !is_listed(catalog_text(row, "os"), h->os))
        return -1;
    if (*names && !name_holds(h->name, names) && !name_holds(h->alias, names))
        return -1;
    if (!isnan(h->mem_gb) && h->mem_gb < need)
        return -1;
    if (*size && w->params_b > 0 && (strcmp(size, "small") == 0) != (w->params_b <= SMALL_MAX_B))
        return -1;
    int r = *names ? 100 : strcmp(catalog_text(row, "scope"), "edge") == 0 ? 50 : 0;
    if (w->params_b <= 0 && strcmp(size, "8b") == 0) /* of no given size: the larger where there is room for it */
        r += !isnan(h->mem_gb) && h->mem_gb >= 1.5 * need && strcmp(h->cls, "soc") != 0 ? 1000 : -1000;
    return r + 2000;
}

/* A row for a class says nothing where one for the device does the same. */
static bool is_overruled(const struct catalog_row *row, const struct candidate *c, int n)
{
    if (*catalog_text(row, "match_name"))
        return false;
    for (int i = 0; i < n; i++)
        if (*catalog_text(c[i].row, "match_name") && strcmp(catalog_text(c[i].row, "size"), catalog_text(row, "size")) == 0)
            return true;
    return false;
}

int runtime_choose(const struct catalog_table *runtimes, const struct runtime_host *host, const struct runtime_wish *w, const struct catalog_row **rows,
                   int max)
{
    struct candidate c[CANDIDATES_MAX];
    int n = 0;
    for (int i = 0; i < catalog_n_rows(runtimes) && n < CANDIDATES_MAX; i++) {
        const struct candidate one = { catalog_row(runtimes, i), rank(catalog_row(runtimes, i), host, w) };
        int at = n;
        if (one.rank < 0)
            continue;
        for (; at > 0 && c[at - 1].rank < one.rank; at--) /* stable: the table's order among equals */
            c[at] = c[at - 1];
        c[at] = one;
        n++;
    }
    int n_out = 0;
    for (int i = 0; i < n && n_out < max; i++)
        if (!is_overruled(c[i].row, c, n))
            rows[n_out++] = c[i].row;
    return n_out;
}

static void put_quoted(struct buf *b, const char *s)
{
    const bool is_plain = *s && strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:+,=@%-") == strlen(s) && s[0] != '-';
    if (is_plain) {
        buf_puts(b, s);
        return;
    }
    buf_puts(b, s[0] == '-' ? "./" : ""); /* no option */
    buf_putc(b, '\'');
    for (; *s; s++)
        if (*s == '\'')
            buf_puts(b, "'\\''");
        else
            buf_putc(b, *s);
    buf_putc(b, '\'');
}

static int threads_of(const struct catalog_row *runtime, const struct runtime_host *host, const struct runtime_values *v)
{
    const char *text = catalog_text(runtime, "threads");
    if (v->threads > 0)
        return v->threads;
    if (strcmp(text, "physical") == 0)
        return host->n_cores > 0 ? host->n_cores : THREADS_UNKNOWN;
    const int n = atoi(text);
    return n > 0 ? n : THREADS_UNKNOWN;
}

bool runtime_expand(const struct catalog_row *runtime, const struct runtime_host *host, const struct runtime_values *v, const char *text,
                    struct buf *out, struct err *err)
{
    static const struct {
        const char *name, *column;
        int otherwise;
    } numbers[] = { { "ctx", "ctx_tok", 4096 }, { "batch", "n_batch", 512 }, { "parallel", "n_parallel", 1 } };
    for (const char *p = text; *p;) {
        const size_t n = *p == '{' ? strcspn(p, "}") : 0;
        if (!n || p[n] != '}' || n < 2 || strspn(p + 1, "abcdefghijklmnopqrstuvwxyz") != n - 1) { /* no placeholder */
            buf_putc(out, *p++);
            continue;
        }
        char name[16];
        snprintf(name, sizeof(name), "%.*s", (int)(n - 1), p + 1);
        p += n + 1;
        if (strcmp(name, "model") == 0)
            put_quoted(out, v->model);
        else if (strcmp(name, "port") == 0)
            buf_printf(out, "%d", v->port ? v->port : PORT);
        else if (strcmp(name, "threads") == 0)
            buf_printf(out, "%d", threads_of(runtime, host, v));
        else if (strcmp(name, "repo") == 0)
            buf_puts(out, "models");
        else if (strcmp(name, "cache") == 0)
            buf_puts(out, "cache");
        else {
            size_t k = 0;
            while (k < sizeof(numbers) / sizeof(numbers[0]) && strcmp(numbers[k].name, name) != 0)
                k++;
            if (k == sizeof(numbers) / sizeof(numbers[0]))
                return err_set(err, ERR_INPUT, "runtime '%s': no placeholder {%s}", catalog_name(runtime), name);
            buf_printf(out, "%.0f", catalog_number_or(runtime, numbers[k].column, numbers[k].otherwise));
        }
    }
    return buf_ok(out, "launch line", err);
}

bool runtime_launch_line(const struct catalog_row *runtime, const struct runtime_host *host, const struct runtime_values *v, struct buf *out, struct err *err)
{
    const char *env = catalog_text(runtime, "env"), *command = catalog_text(runtime, "command");
    if (!*command)
        return true;
    if (*env && !runtime_expand(runtime, host, v, env, out, err))
        return false;
    buf_puts(out, *env ? " " : "");
    return runtime_expand(runtime, host, v, command, out, err);
}
