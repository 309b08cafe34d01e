/* cmd/cluster_token.c - `tutti cluster token`: lets machines join. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "cluster/trust_ca.h"
#include "cmd/commands.h"
#include "cmd/trust_here.h"

static int list(const char *dir)
{
    struct trust_issued *nodes;
    struct trust_held *tokens;
    struct err err = { 0 };
    int n_nodes, n;
    char until[32];
    const bool ok = trust_ca_list(dir, &nodes, &n_nodes, &tokens, &n, &err);
    for (int i = 0; ok && i < n; i++) {
        const bool is_over = tokens[i].expires_unix <= (uint64_t)time(NULL);
        trust_here_put_time(until, tokens[i].expires_unix);
        printf("%s  %s %s  %d %s left%s\n", tokens[i].id, is_over ? "over since" : "until", until, tokens[i].uses, tokens[i].uses == 1 ? "use" : "uses",
               is_over || tokens[i].uses == 0 ? " (joins nobody)" : "");
    }
    free(nodes);
    free(tokens);
    return ok ? 0 : cmd_fail(&err);
}

static int run(int argc, char **argv, struct cmd_opt *opts)
{
    char dir[TRUST_PATH_MAX], token[TRUST_TOKEN_TEXT_MAX];
    struct err err = { 0 };
    uint64_t valid_s = 0;
    const struct cmd_opt *forget = cmd_opt_find(opts, "forget");
    (void)argc, (void)argv;
    if (!trust_here_dir(opts, dir, &err))
        return cmd_fail(&err);
    if (cmd_opt_find(opts, "list")->given)
        return list(dir);
    if (forget->given)
        return trust_ca_forget_token(dir, forget->s, &err) ? 0 : cmd_fail(&err);
    if (!trust_here_seconds(cmd_opt_find(opts, "valid")->s, &valid_s, &err)) {
        cmd_fail(&err);
        return 2;
    }
    if (!trust_ca_token(dir, (int)cmd_opt_find(opts, "uses")->i, valid_s, token, &err))
        return cmd_fail(&err);
    printf("%s\n", token);
    return 0;
}

static struct cmd_opt opts[] = {
    { "uses", OPT_INT, "N", 1, 10000, "so many machines may join with it (1)", .i = 1 },
    { "valid", OPT_TEXT, "TIME", 0, 0, "for so long: 30m, 1h, 7d (1h)", .s = "1h" },
    { "list", OPT_FLAG, NULL, 0, 0, "which tokens there are", .i = 0 },
    { "forget", OPT_TEXT, "ID", 0, 0, "take a token back", .s = NULL },
    { "dir", OPT_TEXT, "DIR", 0, 0, "where certificates are kept (~/.local/share/tutti/trust)", .s = NULL },
    { 0 },
};
const struct cmd cmd_cluster_token = {
    .name = "cluster token",
    .args = "",
    .help = "a token with which machines join the cluster",
    .more = "\nWhere `tutti cluster init` ran. The token is shown once: what is kept is a salted\n"
            "hash of it. It names the cluster's authority, so that who joins with it can tell\n"
            "whom it talks to before it says the secret.\n",
    .opts = opts,
    .run = run,
};
