/* cmd/cluster_status.c - `tutti cluster status`: which nodes are there, and how they fare. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cluster/cluster.h"
#include "cluster/cluster_show.h"
#include "cluster/trust.h"
#include "cmd/ask.h"
#include "cmd/cmd.h"
#include "cmd/commands.h"
#include "cmd/out.h"

enum { JSON_MAX_BYTES = 64 << 20, WATCH_S = 1 };

static double number(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    return json_is_number(v) ? json_number_value(v) : -1;
}
static const char *text(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "";
}

static void put_bytes(struct out_table *t, double v)
{
    char s[32];
    if (v < 0)
        out_cell(t, "-");
    else
        out_cell(t, "%s GB", out_format_number(s, v / 1e9));
}

/* "-" where it is not known. */
static void put_figure(struct out_table *t, double v, double by, const char *unit, bool is_known)
{
    char s[32];
    if (is_known)
        out_cell(t, "%s%s", out_format_number(s, v * by), unit);
    else
        out_cell(t, "-");
}

static void put_row(struct out_table *t, const json_t *m, bool is_self)
{
    const char *state = text(m, "state"), *name = text(m, "name");
    const bool is_well = strcmp(state, "up") == 0;
    const json_t *temperature = json_object_get(m, "temperature_c");
    out_row(t);
    out_row_style(t, is_well ? OUT_PLAIN : strcmp(state, "draining") == 0 || strcmp(state, "new") == 0 ? OUT_WARN : OUT_BAD);
    out_cell(t, "%s%s", *name ? name : text(m, "url"), is_self ? " *" : "");
    out_cell(t, "%s%s", state, json_is_true(json_object_get(m, "is_throttled")) ? " slow" : "");
    put_figure(t, number(m, "age_s"), 1, " s", number(m, "age_s") >= 0);
    put_figure(t, number(m, "rtt_s"), 1e3, " ms", number(m, "rtt_s") >= 0);
    put_figure(t, json_number_value(temperature), 1, " C", json_is_number(temperature));
    put_bytes(t, number(m, "memory_free_bytes"));
    put_figure(t, number(m, "busy_frac"), 100, " %", number(m, "busy_frac") >= 0);
    out_cell(t, "%.0f/%.0f", number(m, "n_warm"), number(m, "n_experts"));
    out_cell(t, "%.0f+%.0f", number(m, "n_running"), number(m, "n_waiting"));
}

static bool print_table(const json_t *all, struct err *err)
{
    static const struct out_column columns[] = { { "node", OUT_SHRINK }, { "state", 0 }, { "age", OUT_RIGHT }, { "there+back", OUT_RIGHT }, { "heat", OUT_RIGHT },
                                                 { "memory free", OUT_RIGHT }, { "load", OUT_RIGHT }, { "warm", OUT_RIGHT }, { "jobs", OUT_RIGHT } };
    const json_t *self = json_object_get(all, "node"), *members = json_object_get(all, "members"), *m;
    struct out_table t;
    size_t i;
    if (!json_is_object(self) && json_array_size(members) == 0) {
        puts("this service is alone: it is no node of a cluster (cluster: in tutti.yaml, docs/nodes.md)");
        return true;
    }
    out_table_init(&t, columns, sizeof(columns) / sizeof(columns[0]));
    if (json_is_object(self))
        put_row(&t, self, true);
    json_array_foreach(members, i, m)
        put_row(&t, m, false);
    const bool ok = out_table_print(&t, stdout, OUT_WIDTH, err);
    out_table_fini(&t);
    json_array_foreach(members, i, m)
        if (ok && *text(m, "why"))
            printf("%s: %s\n", *text(m, "name") ? text(m, "name") : text(m, "url"), text(m, "why"));
    return ok;
}

static bool show(const struct buf *b, bool as_json, bool is_looking, bool *is_well, struct err *err)
{
    json_error_t why;
    json_t *all = json_loadb(b->data ? b->data : "", b->len, 0, &why), *m;
    size_t i;
    if (!json_is_object(all)) {
        json_decref(all);
        return err_set(err, ERR_INPUT, "cluster status: the answer is no JSON object: %.100s", why.text);
    }
    *is_well = !is_looking || json_array_size(json_object_get(all, "members")) > 0;
    json_array_foreach(json_object_get(all, "members"), i, m)
        *is_well = *is_well && strcmp(text(m, "state"), "up") == 0;
    bool ok = true;
    if (as_json)
        fwrite(b->data, 1, b->len, stdout);
    else if (!*is_well && json_array_size(json_object_get(all, "members")) == 0)
        puts("nobody was found there");
    else
        ok = print_table(all, err);
    json_decref(all);
    return ok;
}

/* From the service, or as this process sees them itself. */
static bool get(struct cluster *c, const struct cmd_opt *opts, struct buf *b, struct err *err)
{
    const struct cmd_opt *url = cmd_opt_find((struct cmd_opt *)opts, "url"), *key = cmd_opt_find((struct cmd_opt *)opts, "key-file");
    buf_clear(b);
    if (!c)
        return ask_service(url->s, "/v1/tutti/cluster", key->s, b, err);
    cluster_put_json(c, NULL, b);
    return buf_ok(b, "the answer", err);
}

static int run(int argc, char **argv, struct cmd_opt *opts)
{
    const struct cmd_opt *nodes = cmd_opt_find(opts, "node"), *dir = cmd_opt_find(opts, "trust");
    const bool as_json = cmd_opt_find(opts, "json")->given, is_watched = cmd_opt_find(opts, "watch")->given;
    struct cluster_config k = { .n_seeds = nodes->n };
    struct trust *trust = NULL;
    struct cluster *c = NULL;
    struct err err = { 0 };
    struct buf b;
    bool ok = true, is_well = false;
    (void)argc, (void)argv;
    buf_init(&b, JSON_MAX_BYTES);
    memcpy(k.seeds, nodes->list, (size_t)nodes->n * sizeof(*k.seeds));
    if (nodes->n > 0) {
        ok = !dir->given || (trust = trust_open(dir->s, &err)) != NULL;
        k.trust = trust;
        ok = ok && (c = cluster_new(&k, &err)) != NULL;
    }
    if (ok && c)
        cluster_wait(c, CLUSTER_WAIT_MS);
    do {
        ok = ok && get(c, opts, &b, &err);
        if (ok && is_watched && !as_json && isatty(STDOUT_FILENO))
            fputs("\033[H\033[J", stdout);
        ok = ok && show(&b, as_json, c != NULL, &is_well, &err);
        fflush(stdout);
        if (ok && is_watched)
            nanosleep(&(struct timespec){ .tv_sec = WATCH_S }, NULL);
    } while (ok && is_watched && !ferror(stdout));
    cluster_free(c);
    trust_free(trust);
    buf_fini(&b);
    if (!ok)
        return cmd_fail(&err);
    return is_well ? 0 : 1;
}

static struct cmd_opt opts[] = {
    { "url", OPT_TEXT, "URL", 0, 0, "the service that is asked (" ASK_DEFAULT_URL ")", .s = ASK_DEFAULT_URL },
    { "key-file", OPT_TEXT, "FILE", 0, 0, "its key: the first one in this file", .s = NULL },
    { "node", OPT_LIST, "URL", 0, 0, "look for yourself, at this node's port for nodes (may be given again)", .n = 0 },
    { "trust", OPT_TEXT, "DIR", 0, 0, "with --node https://...: this machine's certificate", .s = NULL },
    { "watch", OPT_FLAG, NULL, 0, 0, "again every second", .i = 0 },
    { "json", OPT_FLAG, NULL, 0, 0, "print JSON (docs/json.md)", .i = 0 },
    { 0 },
};
const struct cmd cmd_cluster_status = {
    .name = "cluster status",
    .args = "",
    .min_args = 0,
    .max_args = 0,
    .help = "which nodes are there, and how they fare",
    .more = "\nAsks a service of this machine what it sees of the others, itself (*) included,\n"
            "or looks for itself with --node. warm: experts that are loaded, of all; jobs:\n"
            "that run and that wait. Exit status 1: a node is not up.\n",
    .opts = opts,
    .run = run,
};
