/* cmd/cluster_rebalance.c - `tutti cluster rebalance`: what would be better than what runs, what it costs to get there. */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cluster/cluster.h"
#include "cluster/cluster_show.h"
#include "site/manifest.h"
#include "site/rebalance.h"
#include "cluster/trust.h"
#include "cmd/ask.h"
#include "cmd/catalog_open.h"
#include "cmd/cmd.h"
#include "cmd/commands.h"
#include "cmd/out.h"

enum { JSON_MAX_BYTES = 64 << 20, PATH_MAX_BYTES = 1200 };

/* As `tutti cluster status`: a service says what it sees, or this process looks for itself. */
static bool get_cluster(struct cmd_opt *opts, struct buf *b, struct err *err)
{
    const struct cmd_opt *nodes = cmd_opt_find(opts, "node"), *dir = cmd_opt_find(opts, "trust");
    struct cluster_config k = { .n_seeds = nodes->n };
    if (nodes->n == 0)
        return ask_service(cmd_opt_find(opts, "url")->s, "/v1/tutti/cluster", cmd_opt_find(opts, "key-file")->s, b, err);
    struct trust *trust = dir->given ? trust_open(dir->s, err) : NULL;
    if (dir->given && !trust)
        return false;
    memcpy(k.seeds, nodes->list, (size_t)nodes->n * sizeof(*k.seeds));
    k.trust = trust;
    struct cluster *c = cluster_new(&k, err);
    if (c) {
        cluster_wait(c, CLUSTER_WAIT_MS);
        cluster_put_json(c, NULL, b);
    }
    cluster_free(c);
    trust_free(trust);
    return c && buf_ok(b, "the cluster", err);
}

/* ---- for people ---- */

static const char *node_name(const struct inventory *inv, int i) { return i >= 0 ? inv->nodes[i].name : "-"; }

static bool print_changes(const struct rebalance *r, const struct inventory *inv, struct err *err)
{
    static const struct out_column columns[] = { { "change", 0 }, { "expert", OUT_SHRINK }, { "from", OUT_SHRINK }, { "to", OUT_SHRINK }, { "as", 0 },
                                                 { "gain", OUT_RIGHT }, { "to move", OUT_RIGHT }, { "takes", OUT_RIGHT }, { "load", OUT_RIGHT } };
    struct out_table t;
    char s[32];
    out_table_init(&t, columns, sizeof(columns) / sizeof(columns[0]));
    for (int i = 0; i < r->n_changes; i++) {
        const struct rebalance_change *c = &r->changes[i];
        const struct inv_want *w = &inv->wants[c->want];
        out_row(&t);
        out_cell(&t, "%s", rebalance_kind_name(c->kind));
        out_cell(&t, "%s", w->name);
        out_cell(&t, "%s", node_name(inv, c->from));
        out_cell(&t, "%s", node_name(inv, c->to));
        out_cell(&t, "%s", w->n_quants && c->to >= 0 ? w->model_of[c->is.quant].quant : "-");
        if (isfinite(c->gain))
            out_cell(&t, "%.0f %%", 100 * c->gain);
        else
            out_cell(&t, "needed");
        if (c->needs_file)
            out_cell(&t, "%s GB", out_format_number(s, (double)c->move_bytes / 1e9));
        else
            out_cell(&t, "-");
        if (c->needs_file && c->source < 0)
            out_cell(&t, "download");
        else
            out_cell(&t, c->needs_file ? "%.0f s" : "-", ceil(c->move_s));
        out_cell(&t, isfinite(c->load_s) ? "%.0f s" : "-", ceil(c->load_s));
    }
    const bool ok = out_table_print(&t, stdout, OUT_WIDTH, err);
    out_table_fini(&t);
    return ok;
}

static bool print(const struct rebalance *r, const struct inventory *inv, double threshold, struct err *err)
{
    printf("%d replicas run on %d of %d nodes", r->n_now, inv->n_nodes - r->n_away, inv->n_nodes);
    if (r->n_measured)
        printf("; measured speeds of %d are used", r->n_measured);
    if (r->n_strange)
        printf("; %d nodes or experts are not in the inventory", r->n_strange);
    puts(r->fits_now ? "" : "\nby the plan's arithmetic what runs needs more memory, or more of a stick, than there is");
    if (r->n_changes == 0) {
        printf("nothing to change: nothing is better by %.0f %% of the score\n", 100 * threshold);
        return true;
    }
    puts("");
    if (!print_changes(r, inv, err))
        return false;
    puts("\ngain: of the score, if this change alone were left out; needed: a replica is missing\nwithout it, or others have no room. takes: the file over both links; load: from disk.");
    return true;
}

/* ---- what is to be done, node by node: those that get something first, so that an expert is there before it goes elsewhere ---- */

static bool concerns(const struct rebalance_change *c, int node, bool gets) { return gets ? c->to == node : c->from == node && c->to != node; }

static void print_commands(const struct rebalance *r, const struct inventory *inv, const char *file, int node, bool is_written)
{
    printf("\non %s:\n", inv->nodes[node].name);
    if (!is_written)
        printf("  sudo tutti cluster rebalance %s --apply\n", file);
    for (int i = 0; i < r->n_changes; i++)
        if (r->changes[i].to == node && r->changes[i].needs_file && r->changes[i].file[0])
            printf(r->changes[i].source >= 0 ? "  sudo tutti node fetch %s --config /etc/tutti/tutti.yaml\n" : "  get %s into /var/lib/tutti/models: no node shares it\n", r->changes[i].file);
    puts("  sudo systemctl restart tutti");
}

/* The files of this node as `tutti cluster manifests` would write them; a tutti.yaml that is there is kept as tutti.yaml.old. */
static bool write_node(const struct rebalance *r, struct inventory *inv, const char *source, int node, const char *dir, struct err *err)
{
    const struct manifest_options o = { .source = source };
    struct cluster_plan *plan = cluster_plan_of(inv, r->then, r->n_then, err);
    struct manifests *m = plan ? manifests_make(plan, &o, err) : NULL;
    const char *name = inv->nodes[node].name;
    const size_t n_name = strlen(name);
    bool ok = m != NULL;
    for (int i = 0; ok && i < m->n; i++) {
        char path[PATH_MAX_BYTES], old[PATH_MAX_BYTES + 8];
        const char *slash = strchr(m->list[i].path, '/'), *end = strrchr(m->list[i].path, '.');
        if (!slash || (size_t)(slash - m->list[i].path) != n_name || strncmp(m->list[i].path, name, n_name) != 0 || !end || strcmp(end, ".yaml") != 0)
            continue;
        if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir, slash + 1) >= sizeof(path))
            ok = err_set(err, ERR_LIMIT, "--dir: the name is too long");
        snprintf(old, sizeof(old), "%s.old", path);
        if (ok && strcmp(slash + 1, "tutti.yaml") == 0 && rename(path, old) != 0 && errno != ENOENT)
            ok = err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
        ok = ok && file_write(path, m->list[i].text.data, m->list[i].text.len, err);
        if (ok)
            printf("wrote %s\n", path);
    }
    manifests_free(m);
    cluster_plan_free(plan);
    return ok;
}

/* Which node are we?  The service that was asked says so; --name where this process looked for itself. */
static int self_of(const struct inventory *inv, const struct buf *b, const char *name)
{
    json_t *all = json_loadb(b->data, b->len, 0, NULL);
    const char *self = name ? name : json_string_value(json_object_get(json_object_get(all, "node"), "name"));
    const int i = self ? inventory_find_node(inv, self) : -1;
    json_decref(all);
    return i;
}

static bool apply(const struct rebalance *r, struct inventory *inv, const char *file, const struct buf *b, struct cmd_opt *opts, struct err *err)
{
    const char *name = cmd_opt_find(opts, "name")->s, *slash = strrchr(file, '/');
    const int self = self_of(inv, b, name);
    if (self < 0)
        return err_set(err, ERR_INPUT, name ? "--name %s: no node of the inventory" : "--apply: which node is this? --name NODE%s", name ? name : "");
    bool is_ours = false;
    for (int i = 0; i < r->n_changes; i++)
        is_ours |= r->changes[i].to == self || r->changes[i].from == self;
    if (is_ours && !write_node(r, inv, slash ? slash + 1 : file, self, cmd_opt_find(opts, "dir")->s, err))
        return false;
    if (!is_ours)
        printf("\nnothing changes on %s\n", inv->nodes[self].name);
    for (int pass = 0; pass < 2; pass++)
        for (int k = 0; k < inv->n_nodes; k++) {
            bool gets = false, gives = false;
            for (int i = 0; i < r->n_changes; i++)
                gets |= concerns(&r->changes[i], k, true), gives |= concerns(&r->changes[i], k, false);
            if (pass == 0 ? gets : gives && !gets)
                print_commands(r, inv, file, k, k == self);
        }
    return true;
}

static int run(int argc, char **argv, struct cmd_opt *opts)
{
    struct err err = { 0 };
    struct buf b, out;
    const struct cmd_opt *percent = cmd_opt_find(opts, "threshold");
    const double threshold = percent->f / 100;
    const bool applies = cmd_opt_find(opts, "apply")->given;
    struct rebalance *r = NULL;
    (void)argc;
    if (!(threshold >= 0 && threshold <= 10)) {
        fprintf(stderr, "tutti: cluster rebalance: --threshold is a percentage from 0 to 1000\n");
        return 2;
    }
    buf_init(&b, JSON_MAX_BYTES), buf_init(&out, JSON_MAX_BYTES);
    struct catalog *c = cmd_catalog_open(opts, &err);
    struct inventory *inv = c ? inventory_read(argv[0], c, &err) : NULL;
    bool ok = inv != NULL;
    if (ok && applies && inv->engine == INV_K3S)
        ok = err_set(&err, ERR_INPUT, "--apply: Kubernetes runs these nodes: tutti cluster manifests %s --out DIR, kubectl apply -k DIR", argv[0]);
    ok = ok && get_cluster(opts, &b, &err) && (r = rebalance_make(inv, b.data, b.len, threshold, &err)) != NULL;
    if (ok && cmd_opt_find(opts, "json")->given) {
        rebalance_put_json(r, inv, &out);
        if ((ok = buf_ok(&out, "--json", &err)))
            fwrite(out.data, 1, out.len, stdout);
    } else
        ok = ok && print(r, inv, threshold, &err);
    if (ok && applies && r->n_changes > 0)
        ok = apply(r, inv, argv[0], &b, opts, &err);
    const bool is_well = ok && (r->n_changes == 0 || applies);
    rebalance_free(r);
    inventory_free(inv);
    catalog_free(c);
    buf_fini(&b), buf_fini(&out);
    return ok ? !is_well : cmd_fail(&err);
}

static struct cmd_opt opts[] = {
    { "url", OPT_TEXT, "URL", 0, 0, "the service that is asked (" ASK_DEFAULT_URL ")", .s = ASK_DEFAULT_URL },
    { "key-file", OPT_TEXT, "FILE", 0, 0, "its key: the first one in this file", .s = NULL },
    { "node", OPT_LIST, "URL", 0, 0, "look for yourself, at this node's port for nodes (may be given again)", .n = 0 },
    { "trust", OPT_TEXT, "DIR", 0, 0, "with --node https://...: this machine's certificate", .s = NULL },
    { "threshold", OPT_FLOAT, "PERCENT", 0, 0, "least gain of a change, of the score (5)", .f = 5 },
    { "apply", OPT_FLAG, NULL, 0, 0, "write this node's tutti.yaml (`engine: list` only)", .i = 0 },
    { "name", OPT_TEXT, "NODE", 0, 0, "with --apply: which node this is (the service's name)", .s = NULL },
    { "dir", OPT_TEXT, "DIR", 0, 0, "with --apply: where its tutti.yaml is (/etc/tutti)", .s = "/etc/tutti" },
    { "json", OPT_FLAG, NULL, 0, 0, "print JSON (docs/json.md)", .i = 0 },
    CMD_OPT_CATALOG,
    { 0 },
};
const struct cmd cmd_cluster_rebalance = {
    .name = "cluster rebalance",
    .args = "INVENTORY.yaml",
    .min_args = 1,
    .max_args = 1,
    .help = "what would be better than what runs, at what cost",
    .more = "\nCompares what the nodes have now, with speeds that they measured, to the best\n"
            "plan for those that answer. --apply writes the files of this node alone and\n"
            "prints what is to be done on each; no node is told anything by another.\n"
            "Exit status 1: there are changes, and they were not applied. docs/cluster.md\n",
    .opts = opts,
    .run = run,
};
