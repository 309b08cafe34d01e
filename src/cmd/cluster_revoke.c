/* cmd/cluster_revoke.c - `tutti cluster revoke NODE`: its certificates are worth nothing any more. */
#include <inttypes.h>
#include <stdio.h>

#include "cluster/trust_ca.h"
#include "cmd/commands.h"
#include "cmd/trust_here.h"

static int run(int argc, char **argv, struct cmd_opt *opts)
{
    char dir[TRUST_PATH_MAX];
    struct err err = { 0 };
    uint64_t number;
    int n;
    (void)argc;
    if (!trust_here_dir(opts, dir, &err) || !trust_ca_revoke(dir, argv[0], &n, &number, &err))
        return cmd_fail(&err);
    printf("%s: %d %s taken back; list %" PRIu64 " goes from node to node\n", argv[0], n, n == 1 ? "certificate" : "certificates", number);
    return 0;
}

static struct cmd_opt opts[] = {
    { "dir", OPT_TEXT, "DIR", 0, 0, "where certificates are kept (~/.local/share/tutti/trust)", .s = NULL },
    { 0 },
};
const struct cmd cmd_cluster_revoke = {
    .name = "cluster revoke",
    .args = "NODE",
    .min_args = 1,
    .max_args = 1,
    .help = "take a node's certificates back: nobody talks to it any more",
    .more = "\nWhere `tutti cluster init` ran. A running `tutti serve` here takes the new list\n"
            "within a second and cuts the node's connections; the other nodes hear of it from\n"
            "each other. The name is free again: the machine may join anew with a new token.\n",
    .opts = opts,
    .run = run,
};
