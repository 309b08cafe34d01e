/* cmd/bench_history.c - `tutti bench history`: what was measured here before, and whether it drifts. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/store.h"
#include "cmd/bench_internal.h"
#include "cmd/cmd.h"
#include "cmd/commands.h"
#include "cmd/out.h"

enum { ROWS_MAX = 20000, VALUES_MAX = 1000 };

struct kept { /* a row of the store with its texts */
    int64_t run, time_s;
    char version[24], machine[BENCH_TEXT_MAX], level[24], model[BENCH_TEXT_MAX], test[24];
    int threads, depth, batch;
    double value, share;
    bool is_projected;
};
struct history {
    struct kept *row;
    int n, cap;
    bool is_full, has_no_memory;
};

/* Others may have written the file: what a terminal would take as a command becomes '?'. */
static void copy(char *to, size_t size, const char *from)
{
    snprintf(to, size, "%s", from);
    for (char *c = to; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
}

static bool each(void *ctx, const struct store_row *s)
{
    struct history *h = ctx;
    if (h->n == ROWS_MAX) {
        h->is_full = true;
        return false;
    }
    if (h->n == h->cap) {
        const int cap = h->cap ? 2 * h->cap : 64;
        struct kept *more = realloc(h->row, (size_t)cap * sizeof(*more));
        if (!more) {
            h->has_no_memory = true;
            return false;
        }
        h->row = more, h->cap = cap;
    }
    struct kept *k = &h->row[h->n++];
    *k = (struct kept){ .run = s->run, .time_s = s->time_s, .threads = s->threads, .depth = s->depth, .batch = s->batch, .value = s->value,
                        .share = s->share, .is_projected = s->is_projected };
    copy(k->version, sizeof(k->version), s->version), copy(k->machine, sizeof(k->machine), s->machine), copy(k->level, sizeof(k->level), s->level);
    copy(k->model, sizeof(k->model), s->model), copy(k->test, sizeof(k->test), s->test);
    return true;
}

static bool is_same_kind(const struct kept *a, const struct kept *b)
{
    return a->threads == b->threads && a->depth == b->depth && a->batch == b->batch && a->is_projected == b->is_projected && strcmp(a->test, b->test) == 0 &&
           strcmp(a->model, b->model) == 0 && strcmp(a->level, b->level) == 0 && strcmp(a->machine, b->machine) == 0;
}

struct drift {
    const struct kept *last;
    int n_before;
    double median, change_frac;        /* last against the median of those before */
    double share_median, share_change; /* of the limit; NAN */
};

/* The last of each kind of figure against those before it, in the order of the rows; returns how many. */
static int find_drift(const struct history *h, struct drift *out)
{
    static double value[VALUES_MAX], share[VALUES_MAX];
    int n_out = 0;
    for (int i = h->n - 1; i >= 0; i--) {
        const struct kept *last = &h->row[i];
        bool is_later_there = false;
        for (int k = i + 1; k < h->n && !is_later_there; k++)
            is_later_there = is_same_kind(&h->row[k], last);
        if (is_later_there || !(last->value > 0))
            continue;
        struct drift d = { .last = last, .share_median = NAN, .share_change = NAN };
        int n_share = 0;
        for (int k = i - 1; k >= 0 && d.n_before < VALUES_MAX; k--)
            if (is_same_kind(&h->row[k], last)) {
                value[d.n_before++] = h->row[k].value;
                if (isfinite(h->row[k].share))
                    share[n_share++] = h->row[k].share;
            }
        if (d.n_before == 0)
            continue;
        d.median = bench_median(value, d.n_before);
        d.change_frac = d.median > 0 ? last->value / d.median - 1 : (double)NAN;
        if (n_share > 0 && isfinite(last->share)) {
            d.share_median = bench_median(share, n_share);
            d.share_change = last->share / d.share_median - 1;
        }
        out[n_out++] = d;
    }
    for (int i = 0; i < n_out / 2; i++) {
        const struct drift t = out[i];
        out[i] = out[n_out - 1 - i], out[n_out - 1 - i] = t;
    }
    return n_out;
}

/* The figure in the unit that people see, and its name. */
static double shown(const struct kept *k, const char **unit)
{
    const bool is_limit = strcmp(k->test, "int8") == 0 || strcmp(k->test, "bf16") == 0 || strcmp(k->test, "f32") == 0;
    if (strcmp(k->test, "read") == 0) {
        *unit = "GB/s";
        return k->value / 1e9;
    }
    *unit = is_limit ? "GOPS" : strcmp(k->test, "localscore") == 0 ? "score" : strcmp(k->test, "localscore-ttft") == 0 ? "ms" : "tokens/s";
    return is_limit ? k->value / 1e9 : k->value;
}

static bool print_text(const struct history *h, const struct drift *d, int n_drift, struct err *err)
{
    struct out_table t;
    bool ok, is_loud = false;
    if (h->n == 0) {
        printf("nothing kept yet: `tutti bench MODEL` keeps its figures\n");
        return true;
    }
    out_table_init(&t, (const struct out_column[]){ { "run", OUT_RIGHT }, { "when (UTC)", OUT_LEFT }, { "model", OUT_SHRINK }, { "thr", OUT_RIGHT }, { "pp", OUT_RIGHT },
                                                     { "tg", OUT_RIGHT }, { "GB/s", OUT_RIGHT }, { "GOPS", OUT_RIGHT }, { "score", OUT_RIGHT } }, 9);
    for (int i = 0, to; i < h->n; i = to) {
        double pp = NAN, tg = NAN, read = NAN, int8 = NAN, score = NAN;
        bool is_projected = false;
        for (to = i; to < h->n && h->row[to].run == h->row[i].run; to++) {
            const struct kept *k = &h->row[to];
            const bool is_plain = k->depth == 0 && k->batch == 1;
            if (is_plain && strncmp(k->test, "pp", 2) == 0)
                pp = k->value;
            else if (is_plain && strncmp(k->test, "tg", 2) == 0 && isnan(tg))
                tg = k->value;
            else if (strcmp(k->test, "read") == 0)
                read = k->value / 1e9;
            else if (strcmp(k->test, "int8") == 0)
                int8 = k->value / 1e9;
            else if (strcmp(k->test, "localscore") == 0)
                score = k->value, is_projected = k->is_projected;
        }
        char when[32], figure[32];
        bench_time_text(h->row[i].time_s, when);
        when[10] = ' ', when[16] = '\0';
        out_row(&t);
        out_cell(&t, "%" PRId64, h->row[i].run), out_cell(&t, "%s", when), out_cell(&t, "%s", h->row[i].model[0] ? h->row[i].model : "(machine)");
        out_cell(&t, "%d", h->row[i].threads), out_number(&t, pp), out_number(&t, tg), out_number(&t, read), out_number(&t, int8);
        out_cell(&t, "%s%s", is_projected ? "~" : "", out_format_number(figure, score));
    }
    ok = out_table_print(&t, stdout, OUT_WIDTH, err);
    out_table_fini(&t);
    if (!ok || n_drift == 0)
        return ok;
    printf("\nthe last figure of each kind against the median of those before\n");
    out_table_init(&t, (const struct out_column[]){ { "model", OUT_SHRINK }, { "test", OUT_LEFT }, { "depth", OUT_RIGHT }, { "batch", OUT_RIGHT }, { "runs", OUT_RIGHT },
                                                     { "median", OUT_RIGHT }, { "last", OUT_RIGHT }, { "unit", OUT_LEFT }, { "change", OUT_RIGHT }, { "of limit", OUT_RIGHT } }, 10);
    for (int i = 0; i < n_drift; i++) {
        const char *unit;
        const double last = shown(d[i].last, &unit);
        out_row(&t);
        if (fabs(d[i].change_frac) > 0.1)
            out_row_style(&t, OUT_WARN), is_loud = true;
        out_cell(&t, "%s", d[i].last->model[0] ? d[i].last->model : "(machine)"), out_cell(&t, "%s", d[i].last->test);
        out_cell(&t, "%d", d[i].last->depth), out_cell(&t, "%d", d[i].last->batch), out_cell(&t, "%d", d[i].n_before + 1);
        out_number(&t, last / d[i].last->value * d[i].median), out_number(&t, last), out_cell(&t, "%s", unit);
        out_cell(&t, "%+.1f %%", 100 * d[i].change_frac);
        if (isfinite(d[i].share_change))
            out_cell(&t, "%+.1f %%", 100 * d[i].share_change);
    }
    ok = out_table_print(&t, stdout, OUT_WIDTH, err);
    out_table_fini(&t);
    if (ok && is_loud)
        out_wrap(stdout, 0, OUT_WIDTH, "\"of limit\": where it stays while the figure falls, the machine got slower (heat, other work, memory); where it falls "
                                       "too, the engine did.");
    return ok;
}

static void put_number(struct buf *b, const char *key, double v)
{
    buf_printf(b, ",\"%s\":", key);
    if (isfinite(v))
        buf_printf(b, "%.6g", v);
    else
        buf_puts(b, "null");
}
static void put_text(struct buf *b, const char *key, const char *s, const char *comma)
{
    buf_printf(b, "%s\"%s\":", comma, key);
    buf_put_json_text(b, s);
}

static bool print_json(const struct history *h, const struct drift *d, int n_drift, struct err *err)
{
    struct buf b;
    const char *unit;
    buf_init(&b, 64 << 20);
    buf_puts(&b, "{\"runs\":[");
    for (int i = 0, to; i < h->n; i = to) {
        const struct kept *r = &h->row[i];
        char when[32];
        bench_time_text(r->time_s, when);
        buf_printf(&b, "%s{\"id\":%" PRId64 ",\"time\":\"%s\"", i ? "," : "", r->run, when);
        put_text(&b, "version", r->version, ","), put_text(&b, "machine", r->machine, ","), put_text(&b, "cpu_level", r->level, ",");
        buf_printf(&b, ",\"threads\":%d,\"model\":", r->threads);
        if (r->model[0])
            buf_put_json_text(&b, r->model);
        else
            buf_puts(&b, "null");
        buf_puts(&b, ",\"results\":[");
        for (to = i; to < h->n && h->row[to].run == r->run; to++) {
            const struct kept *k = &h->row[to];
            const double v = shown(k, &unit);
            put_text(&b, "test", k->test, to > i ? ",{" : "{");
            buf_printf(&b, ",\"depth\":%d,\"batch\":%d", k->depth, k->batch);
            put_number(&b, "value", v), put_text(&b, "unit", unit, ","), put_number(&b, "share_of_limit", k->share);
            buf_printf(&b, ",\"kind\":\"%s\"}", k->is_projected ? "projected" : "measured");
        }
        buf_puts(&b, "]}");
    }
    buf_puts(&b, "],\"drift\":[");
    for (int i = 0; i < n_drift; i++) {
        const struct kept *k = d[i].last;
        const double last = shown(k, &unit);
        put_text(&b, "machine", k->machine, i ? ",{" : "{");
        buf_puts(&b, ",\"model\":");
        if (k->model[0])
            buf_put_json_text(&b, k->model);
        else
            buf_puts(&b, "null");
        put_text(&b, "test", k->test, ",");
        buf_printf(&b, ",\"threads\":%d,\"depth\":%d,\"batch\":%d,\"n_before\":%d", k->threads, k->depth, k->batch, d[i].n_before);
        put_number(&b, "median", last / k->value * d[i].median), put_number(&b, "last", last), put_text(&b, "unit", unit, ",");
        put_number(&b, "change_frac", d[i].change_frac), put_number(&b, "share_change_frac", d[i].share_change);
        buf_puts(&b, "}");
    }
    buf_puts(&b, "]}\n");
    const bool ok = buf_ok(&b, "history", err);
    if (ok)
        fputs(b.data, stdout);
    buf_fini(&b);
    return ok;
}

static int run(int argc, char **argv, struct cmd_opt *opts)
{
    struct err err = { 0 };
    struct history h = { 0 };
    char path[1024], machine[BENCH_TEXT_MAX];
    const struct cmd_opt *file = cmd_opt_find(opts, "file");
    struct bench_report *r = calloc(1, sizeof(*r));
    struct drift *d = NULL;
    bool ok = false;
    if (!r) {
        err_set(&err, ERR_NOMEM, "history: out of memory");
        return cmd_fail(&err);
    }
    bench_machine(r);
    store_machine_name(r->machine.cpu, r->machine.cores, machine);
    free(r);
    if (!file->given && !bench_store_file(path, sizeof(path))) {
        err_set(&err, ERR_NOT_FOUND, "history: neither XDG_DATA_HOME nor HOME is set");
        return cmd_fail(&err);
    }
    struct store *s = store_open(file->given ? file->s : path, false, &err);
    if (!s && (err.code != ERR_NOT_FOUND || file->given))
        return cmd_fail(&err);
    if (s && !store_read(s, cmd_opt_find(opts, "all")->given ? NULL : machine, argc ? argv[0] : NULL, (int)cmd_opt_find(opts, "runs")->i, each, &h, &err))
        goto out;
    if (h.has_no_memory || !(d = calloc((size_t)h.n + 1, sizeof(*d)))) {
        err_set(&err, ERR_NOMEM, "history: out of memory");
        goto out;
    }
    const int n_drift = find_drift(&h, d);
    ok = cmd_opt_find(opts, "json")->given ? print_json(&h, d, n_drift, &err) : print_text(&h, d, n_drift, &err);
    if (h.is_full)
        fprintf(stderr, "tutti: warning: more than %d figures; the latest are left out, see --runs\n", ROWS_MAX);
out:
    store_close(s);
    free(h.row);
    free(d);
    return ok ? 0 : cmd_fail(&err);
}

static struct cmd_opt opts[] = {
    { .name = "runs", .kind = OPT_INT, .value = "N", .min = 1, .max = 10000, .i = 30, .help = "the last N runs (default 30)" },
    { .name = "all", .kind = OPT_FLAG, .help = "of every machine in the file, not this one alone" },
    { .name = "file", .kind = OPT_TEXT, .value = "FILE", .help = "read this file (default: where bench keeps runs)" },
    { .name = "json", .kind = OPT_FLAG, .help = "print JSON" },
    { 0 },
};
const struct cmd cmd_bench_history = {
    .name = "bench history",
    .args = "[MODEL-NAME]",
    .max_args = 1,
    .help = "what was measured here before, and its drift",
    .more = "\nRuns are kept in $XDG_DATA_HOME/tutti/tutti.db (or ~/.local/share/tutti).\n"
            "A figure that moved by more than a tenth is marked.\n",
    .opts = opts,
    .run = run,
};
