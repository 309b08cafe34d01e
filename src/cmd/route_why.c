/* cmd/route_why.c - `tutti route why [ID]`: what was seen when a request was routed, why that expert, and what came of it. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cmd/cmd.h"
#include "cmd/commands.h"
#include "cmd/out.h"
#include "cmd/route_show.h"
#include "route/journal.h"

enum { JSON_BYTES_MAX = 8 << 20, LAST = 20, AGAIN_MS = 50, AGAIN_MAX = 10 };

static void put_time(char text[static 32], int64_t time_s, bool has_date)
{
    struct tm tm;
    const time_t t = (time_t)time_s;
    if (!localtime_r(&t, &tm) || !strftime(text, 32, has_date ? "%Y-%m-%d %H:%M:%S" : "%d %b %H:%M", &tm))
        snprintf(text, 32, "?");
}

static const char *seconds(char text[static 24], float s)
{
    if (isnan(s))
        return "-";
    snprintf(text, 24, s < .9995f ? "%.0f ms" : s < 99.5f ? "%.1f s" : "%.0f s", (double)(s < .9995f ? s * 1e3f : s));
    return text;
}
static const char *joules(char text[static 24], float j)
{
    if (isnan(j))
        return "-";
    snprintf(text, 24, fabsf(j) >= 99.5f ? "%.0f J" : "%.2g J", (double)j);
    return text;
}
static const char *usd(char text[static 24], float v)
{
    if (isnan(v))
        return "-";
    snprintf(text, 24, v == 0 ? "$0" : v >= .01f ? "$%.2f" : "$%.1g", (double)v);
    return text;
}

/* ---- one decision ---- */

static void print_outcome(FILE *to, const struct journal_entry *e, const struct journal_outcome *o)
{
    const int i = journal_candidate_of(e, o->slot);
    char text[24], line[400];
    int n = snprintf(line, sizeof(line), "%d. %.60s%s%.40s: %s", o->n_asked, i >= 0 ? e->world.list[i].expert : "?", i >= 0 ? " on " : "",
                     i >= 0 ? e->world.nodes[e->world.list[i].node].name : "", journal_end_name(o->end));
    if (o->end == JOURNAL_FAILED)
        n += snprintf(line + n, sizeof(line) - (size_t)n, " (%s)", err_name(o->code));
    if (!isnan(o->total_s))
        n += snprintf(line + n, sizeof(line) - (size_t)n, ", %s in all", seconds(text, o->total_s));
    if (!isnan(o->ttft_s))
        n += snprintf(line + n, sizeof(line) - (size_t)n, ", first after %s", seconds(text, o->ttft_s));
    if (o->n_prompt_tok || o->n_gen_tok)
        n += snprintf(line + n, sizeof(line) - (size_t)n, ", %d tokens in (%d cached), %d out", o->n_prompt_tok, o->n_cached_tok, o->n_gen_tok);
    if (!isnan(o->joules))
        n += snprintf(line + n, sizeof(line) - (size_t)n, ", %s (%s)", joules(text, o->joules), o->is_measured ? "measured" : "estimated");
    if (!isnan(o->usd))
        n += snprintf(line + n, sizeof(line) - (size_t)n, ", %s", usd(text, o->usd));
    snprintf(line + n, sizeof(line) - (size_t)n, "%s%s%s", o->was_promoted ? "; its answer did not do: a bigger one was asked" : "",
             o->missed_deadline ? "; after the deadline" : "", o->is_last ? "" : "; not the one that the client got");
    out_wrap(to, 4, OUT_WIDTH, line);
}

/* What the one who answered was expected to take, beside what it took. */
static void print_error(FILE *to, const struct journal_entry *e)
{
    const struct journal_outcome *o = journal_last(e);
    const int i = o ? journal_candidate_of(e, o->slot) : -1;
    if (i < 0 || o->end != JOURNAL_DONE || isnan(o->total_s))
        return;
    const struct route_guess *g = &e->decision.verdicts[i].guess;
    char a[24], b[24], c[24], d[24];
    fprintf(to, "predicted: first %s, in all %s, %s, %s\n", seconds(a, g->ttft_s), seconds(b, g->total_s), joules(c, g->joules),
            usd(d, g->usd));
}

static void print_wish(const struct expert_wish *w)
{
    char text[24], line[200];
    int n = 0;
    line[0] = '\0';
    if (w->security)
        n += snprintf(line + n, sizeof(line) - (size_t)n, "; stays %s", w->security == WISH_LOCAL ? "on this machine" : "in the house");
    if (w->deadline_s > 0)
        n += snprintf(line + n, sizeof(line) - (size_t)n, "; within %s", seconds(text, w->deadline_s));
    if (w->ttft_s > 0)
        n += snprintf(line + n, sizeof(line) - (size_t)n, "; first word within %s", seconds(text, w->ttft_s));
    if (w->budget_usd > 0)
        n += snprintf(line + n, sizeof(line) - (size_t)n, "; at most %s", usd(text, w->budget_usd));
    if (w->budget_joules > 0)
        n += snprintf(line + n, sizeof(line) - (size_t)n, "; at most %s", joules(text, w->budget_joules));
    if (w->quality > 0)
        n += snprintf(line + n, sizeof(line) - (size_t)n, "; quality at least %.3g", (double)w->quality);
    if (w->no_degrade)
        snprintf(line + n, sizeof(line) - (size_t)n, "; no lower step");
    if (line[0])
        printf("wished for: %s\n", line + 2);
}

static bool print_one(const struct journal_entry *e, struct err *err)
{
    char when[32];
    put_time(when, e->time_s, true);
    printf("%s, %s\n", e->id, when);
    if (e->request.wish)
        print_wish(e->request.wish);
    if (!route_show_text(&(struct route_shown){ .rq = &e->request, .world = &e->world, .d = &e->decision, .decide_us = (double)NAN }, true, err))
        return false;
    printf(e->n_outcomes ? "\nwhat came of it\n" : "\nwhat came of it is not known (still at work, or the service ended)\n");
    for (int i = 0; i < e->n_outcomes; i++)
        print_outcome(stdout, e, &e->outcomes[i]);
    print_error(stdout, e);
    return true;
}

/* ---- as JSON ---- */

static void put_number(struct buf *b, const char *name, float v) { buf_printf(b, isfinite(v) ? ",\"%s\":%.9g" : ",\"%s\":null", name, (double)v); }

static void put_outcome(struct buf *b, const struct journal_entry *e, const struct journal_outcome *o)
{
    const int i = journal_candidate_of(e, o->slot);
    const char *expert = i >= 0 ? e->world.list[i].expert : "", *node = i >= 0 ? e->world.nodes[e->world.list[i].node].name : "";
    buf_puts(b, "{\"expert\":"), buf_put_json_text(b, expert), buf_puts(b, ",\"node\":"), buf_put_json_text(b, node);
    buf_printf(b, ",\"end\":\"%s\",\"error\":\"%s\",\"n_asked\":%d,\"was_promoted\":%s,\"is_last\":%s,\"missed_deadline\":%s", journal_end_name(o->end),
               o->code == ERR_NONE ? "" : err_name(o->code), o->n_asked, o->was_promoted ? "true" : "false", o->is_last ? "true" : "false",
               o->missed_deadline ? "true" : "false");
    put_number(b, "ttft_s", o->ttft_s), put_number(b, "total_s", o->total_s), put_number(b, "joules", o->joules), put_number(b, "usd", o->usd);
    buf_printf(b, ",\"prompt_tok\":%d,\"cached_tok\":%d,\"gen_tok\":%d", o->n_prompt_tok, o->n_cached_tok, o->n_gen_tok);
    buf_printf(b, ",\"is_measured\":%s}", o->is_measured ? "true" : "false");
}

static void put_entry(struct buf *b, const struct journal_entry *e)
{
    buf_puts(b, "{\"id\":"), buf_put_json_text(b, e->id);
    buf_printf(b, ",\"time\":%lld", (long long)e->time_s);
    if (e->request.wish) {
        const struct expert_wish *w = e->request.wish;
        buf_printf(b, ",\"wish\":{\"security\":\"%s\"", w->security == WISH_LOCAL ? "local" : w->security == WISH_LAN ? "lan" : "");
        put_number(b, "deadline_s", w->deadline_s), put_number(b, "ttft_s", w->ttft_s), put_number(b, "budget_usd", w->budget_usd);
        put_number(b, "budget_joules", w->budget_joules), put_number(b, "quality", w->quality);
        buf_printf(b, ",\"no_degrade\":%s}", w->no_degrade ? "true" : "false");
    }
    buf_puts(b, ",\"decision\":");
    route_show_json(&(struct route_shown){ .rq = &e->request, .world = &e->world, .d = &e->decision, .decide_us = (double)NAN }, b);
    if (!b->failed && b->data[b->len - 1] == '\n')
        b->len--;
    buf_puts(b, ",\"outcomes\":[");
    for (int i = 0; i < e->n_outcomes; i++)
        buf_puts(b, i ? "," : ""), put_outcome(b, e, &e->outcomes[i]);
    buf_puts(b, "]}");
}

/* ---- the last ones ---- */

struct list {
    struct out_table table;
    struct buf json;
    bool is_json;
    int n;
};

static bool add(void *ctx, const struct journal_entry *e)
{
    struct list *l = ctx;
    const struct route_decision *d = &e->decision;
    const struct journal_outcome *o = journal_last(e);
    const int i = o ? journal_candidate_of(e, o->slot) : d->n_able ? d->order[0] : -1;
    char text[24], when[32];
    l->n++;
    if (l->is_json) {
        buf_puts(&l->json, l->n > 1 ? "," : ""), put_entry(&l->json, e);
        return true;
    }
    out_row(&l->table);
    out_cell(&l->table, "%s", e->id);
    put_time(when, e->time_s, false), out_cell(&l->table, "%s", when);
    out_cell(&l->table, "%s", e->request.intent ? intent_name(e->request.intent->best) : expert_task_name(e->request.task));
    out_cell(&l->table, "%s", i >= 0 ? e->world.list[i].expert : "nobody"), out_cell(&l->table, "%s", i >= 0 ? e->world.nodes[e->world.list[i].node].name : "");
    out_cell(&l->table, "%s", o ? o->end == JOURNAL_DONE ? seconds(text, o->total_s) : journal_end_name(o->end) : "-");
    out_cell(&l->table, "%s", o ? joules(text, o->joules) : "-");
    return true;
}

static bool print_last(struct journal_reader *r, bool is_json, struct err *err)
{
    static const struct out_column columns[] = { { "id", OUT_LEFT },     { "when", OUT_LEFT },  { "intent", OUT_LEFT }, { "expert", OUT_SHRINK },
                                                 { "node", OUT_SHRINK }, { "took", OUT_RIGHT }, { "energy", OUT_RIGHT } };
    struct list l = { .is_json = is_json };
    uint64_t n_unreadable;
    out_table_init(&l.table, columns, sizeof(columns) / sizeof(columns[0]));
    buf_init(&l.json, JSON_BYTES_MAX);
    bool ok = journal_each(r, &(struct journal_query){ .n_last = LAST }, add, &l, &n_unreadable, err);
    if (ok && is_json) {
        ok = buf_ok(&l.json, "route why", err);
        if (ok)
            printf("{\"decisions\":[%s],\"unreadable\":%llu}\n", l.json.len ? l.json.data : "", (unsigned long long)n_unreadable);
    } else if (ok) {
        ok = l.n == 0 || out_table_print(&l.table, stdout, OUT_WIDTH, err);
        if (l.n == 0)
            printf("no decisions are kept yet: requests with `\"model\": \"auto\"` make some\n");
        if (n_unreadable)
            printf("%llu more cannot be read\n", (unsigned long long)n_unreadable);
    }
    out_table_fini(&l.table);
    buf_fini(&l.json);
    return ok;
}

/* The service writes some ten times a second: an answer can be here before its decision is. */
static const struct journal_entry *find(struct journal_reader *r, const char *id, struct err *err)
{
    const struct timespec pause = { .tv_nsec = AGAIN_MS * 1000000 };
    const struct journal_entry *e = NULL;
    for (int i = 0; i < AGAIN_MAX && !(e = journal_find(r, id, err)) && err->code == ERR_NOT_FOUND; i++)
        nanosleep(&pause, NULL);
    return e;
}

static int run(int argc, char **argv, struct cmd_opt *opts)
{
    struct err err = { 0 };
    char path[1024];
    const char *journal = cmd_opt_find(opts, "journal")->s;
    const bool is_json = cmd_opt_find(opts, "json")->given;
    if (!journal && !journal_path(getenv("XDG_STATE_HOME"), getenv("HOME"), path, sizeof(path))) {
        err_set(&err, ERR_INPUT, "route why: neither XDG_STATE_HOME nor HOME is set, and no --journal is given");
        return cmd_fail(&err);
    }
    struct journal_reader *r = journal_reader_open(journal ? journal : path, &err);
    bool ok = r != NULL;
    if (ok && !argc) {
        ok = print_last(r, is_json, &err);
    } else if (ok) {
        struct buf b;
        buf_init(&b, JSON_BYTES_MAX);
        const struct journal_entry *e = find(r, argv[0], &err);
        ok = e && (is_json || print_one(e, &err));
        if (ok && is_json) {
            put_entry(&b, e);
            ok = buf_ok(&b, "route why", &err);
            if (ok)
                printf("%s\n", b.data);
        }
        buf_fini(&b);
    }
    journal_reader_close(r);
    return ok ? 0 : cmd_fail(&err);
}

static struct cmd_opt opts[] = {
    { .name = "journal", .kind = OPT_TEXT, .value = "FILE", .help = "the journal; $XDG_STATE_HOME/tutti/route.db or ~/.local/state/tutti/route.db" },
    { .name = "json", .kind = OPT_FLAG, .help = "one JSON object" },
    { 0 },
};
const struct cmd cmd_route_why = {
    .name = "route why",
    .args = "[ID]",
    .max_args = 1,
    .help = "why a request went where it went",
    .more = "ID is what the answer's header `tutti-route` and its field `tutti.route` say, or\nthe begin of it. Without one: the last 20 decisions.\n",
    .opts = opts,
    .run = run,
};
