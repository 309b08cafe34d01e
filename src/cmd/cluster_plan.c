/* cmd/cluster_plan.c - `tutti cluster plan`: which expert lives on which node, and what does not fit. */
#include <stdio.h>

#include "base/file.h"
#include "site/place.h"
#include "cmd/catalog_open.h"
#include "cmd/cluster_plan_page.h"
#include "cmd/cmd.h"
#include "cmd/commands.h"

enum { OUT_BYTES_MAX = 64 << 20 };

static bool write_fleet(const struct cluster_plan *p, const char *path, struct err *err)
{
    struct buf b;
    buf_init(&b, OUT_BYTES_MAX);
    const bool ok = cluster_plan_put_fleet(p, &b, err) && buf_ok(&b, "--fleet", err) && file_write(path, b.data, b.len, err);
    buf_fini(&b);
    return ok;
}

static int run(int argc, char **argv, struct cmd_opt *opts)
{
    struct err err = { 0 };
    struct buf b;
    (void)argc;
    struct catalog *c = cmd_catalog_open(opts, &err);
    struct inventory *inv = c ? inventory_read(argv[0], c, &err) : NULL;
    struct cluster_plan *p = inv ? cluster_plan_make(inv, c, &err) : NULL;
    const struct cmd_opt *fleet = cmd_opt_find(opts, "fleet");
    const struct cmd_opt *html = cmd_opt_find(opts, "html");
    bool ok = p && (!fleet->given || write_fleet(p, fleet->s, &err)) && (!html->given || cluster_plan_page(p, html->s, &err));
    buf_init(&b, OUT_BYTES_MAX);
    if (ok && cmd_opt_find(opts, "json")->given)
        cluster_plan_put_json(p, &b);
    else if (ok && cmd_opt_find(opts, "explain")->given)
        cluster_plan_put_why(p, &b);
    else if (ok)
        cluster_plan_put_text(p, &b);
    ok = ok && buf_ok(&b, "cluster plan", &err);
    if (ok)
        fwrite(b.data, 1, b.len, stdout);
    const bool all = ok && p->n_misses == 0;
    buf_fini(&b);
    cluster_plan_free(p);
    inventory_free(inv);
    catalog_free(c);
    return ok ? !all : cmd_fail(&err);
}

static struct cmd_opt opts[] = {
    CMD_OPT_CATALOG,
    { .name = "explain", .kind = OPT_FLAG, .help = "one sentence for each replica" },
    { .name = "fleet", .kind = OPT_TEXT, .value = "FILE", .help = "write the plan as a fleet for `tutti route simulate FILE` (64 nodes, 256 experts)" },
    { .name = "html", .kind = OPT_TEXT, .value = "FILE", .help = "write the plan as a page, too" },
    { .name = "json", .kind = OPT_FLAG, .help = "as JSON (docs/json.md)" },
    { 0 },
};

const struct cmd cmd_cluster_plan = {
    .name = "cluster plan",
    .args = "INVENTORY.yaml",
    .min_args = 1,
    .max_args = 1,
    .help = "which expert lives on which node, and what does not fit",
    .more = "\nThe inventory names machines (of the catalog, or recordings of `tutti detect --record`), the experts wanted, traffic and goals:\n"
            "docs/cluster.md, examples/homelab/inventory.yaml.  Exit status 1 when something could not be placed.\n",
    .opts = opts,
    .run = run,
};
