/* cmd/cluster_init.c - `tutti cluster init`: this machine begins a cluster. */
#include <stdio.h>

#include "cluster/trust_ca.h"
#include "cmd/commands.h"
#include "cmd/trust_here.h"

static int run(int argc, char **argv, struct cmd_opt *opts)
{
    char dir[TRUST_PATH_MAX], name[TRUST_NAME_MAX], token[TRUST_TOKEN_TEXT_MAX], until[32];
    struct err err = { 0 };
    (void)argc, (void)argv;
    const bool is_quiet = cmd_opt_find(opts, "if-needed")->given; /* a service's start: no token in its log */
    if (!trust_here_dir(opts, dir, &err) || !trust_here_name(opts, name, &err) || (!(is_quiet && trust_here_is_member(dir, name)) && !trust_ca_init(dir, name, &err)))
        return cmd_fail(&err);
    if (is_quiet)
        return 0;
    struct trust *t = trust_open(dir, &err);
    if (!t || !trust_ca_token(dir, 1, 3600, token, &err)) {
        trust_free(t);
        return cmd_fail(&err);
    }
    trust_here_put_time(until, trust_expires_unix(t));
    printf("this node is %s; its certificate (until %s, renewed by `tutti serve`) and the cluster's authority are in %s\n", name, until, dir);
    printf("keep a copy of that folder in a safe place: without it no other node can join or be revoked\n\n");
    printf("in tutti.yaml, here and on every node:\n  cluster:\n    listen: 0.0.0.0:8444\n    trust: %s\n\n", dir);
    printf("on the next machine, within an hour, once:\n  tutti node join https://%s:8444 --token %s\n", name, token);
    trust_free(t);
    return 0;
}

static struct cmd_opt opts[] = {
    { "name", OPT_TEXT, "NAME", 0, 0, "of this node (this machine's name)", .s = NULL },
    { "if-needed", OPT_FLAG, NULL, 0, 0, "nothing is done when this machine is that node already; prints nothing, makes no token", .i = 0 },
    { "dir", OPT_TEXT, "DIR", 0, 0, "where certificates are kept (~/.local/share/tutti/trust)", .s = NULL },
    { 0 },
};
const struct cmd cmd_cluster_init = {
    .name = "cluster init",
    .args = "",
    .help = "begin a cluster: a certificate authority, a token to join",
    .more = "\nAll traffic between nodes is TLS 1.3 with certificates on both sides. The\n"
            "authority's key stays in DIR/ca on this machine. Other machines join with a\n"
            "token: `tutti node join`; more tokens: `tutti cluster token`. See docs/trust.md.\n",
    .opts = opts,
    .run = run,
};
