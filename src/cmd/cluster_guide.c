/* cmd/cluster_guide.c - `tutti cluster guide INVENTORY.yaml`: how to set these machines up, step by step. */
#include <stdio.h>

#include "base/file.h"
#include "site/guide.h"
#include "cmd/catalog_open.h"
#include "cmd/cmd.h"
#include "cmd/commands.h"

enum { OUT_BYTES_MAX = 256 << 20 };

static int run(int argc, char **argv, struct cmd_opt *opts)
{
    const char *html = cmd_opt_find(opts, "html")->s, *name = cmd_opt_find(opts, "node")->s;
    const bool is_json = cmd_opt_find(opts, "json")->given;
    struct catalog *c = NULL;
    struct inventory *inv = NULL;
    struct guide *g = NULL;
    struct err err = { 0 };
    struct buf b;
    int node = -1;
    (void)argc;
    buf_init(&b, OUT_BYTES_MAX);
    bool ok = (c = cmd_catalog_open(opts, &err)) && (inv = inventory_read(argv[0], c, &err));
    if (ok && name && (node = inventory_find_node(inv, name)) < 0)
        ok = err_set(&err, ERR_NOT_FOUND, "%.60s: no node of this name in %.120s", name, argv[0]);
    ok = ok && (g = guide_make(inv, argv[0], c, &err));
    if (ok && html) {
        guide_put_html(g, node, &b);
        ok = buf_ok(&b, "the page", &err) && file_write(html, b.data, b.len, &err);
        buf_clear(&b);
    }
    if (ok && (is_json || !html)) {
        (is_json ? guide_put_json : guide_put_text)(g, node, &b);
        ok = buf_ok(&b, "the guide", &err) && file_write("-", b.data, b.len, &err);
    }
    const int rc = ok ? 0 : cmd_fail(&err);
    buf_fini(&b);
    guide_free(g);
    inventory_free(inv);
    catalog_free(c);
    return rc;
}

static struct cmd_opt opts[] = {
    CMD_OPT_CATALOG,
    { .name = "html", .kind = OPT_TEXT, .value = "FILE", .help = "write a page with boxes to tick; - is stdout" },
    { .name = "json", .kind = OPT_FLAG, .help = "print JSON" },
    { .name = "node", .kind = OPT_TEXT, .value = "NAME", .help = "only the steps that concern this node" },
    { 0 },
};

const struct cmd cmd_cluster_guide = {
    .name = "cluster guide",
    .args = "INVENTORY.yaml",
    .min_args = 1,
    .max_args = 1,
    .help = "how to set up the machines of an inventory, step by step",
    .more = "First which stack (K3s or a list, containers, engines, protocols) and why, for these\n"
            "machines; then every step: the command with their names and addresses, why, how to\n"
            "check it, what goes wrong. Only what the inventory has. docs/guide.md\n",
    .opts = opts,
    .run = run,
};
