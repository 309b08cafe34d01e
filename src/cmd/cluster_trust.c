/* cmd/cluster_trust.c - `tutti cluster trust`: this node's certificate, and what the authority gave out. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cluster/trust_ca.h"
#include "cmd/commands.h"
#include "cmd/trust_here.h"

static const char *state_of(const struct trust_issued *n, uint64_t now)
{
    return n->revoked_unix ? "revoked" : n->cert.expires_unix <= now ? "over" : "valid";
}

static void print_text(const struct trust *t, const struct trust_issued *nodes, int n, uint64_t now)
{
    char when[32], cluster[65];
    trust_cluster(t, cluster);
    trust_here_put_time(when, trust_expires_unix(t));
    printf("this node      %s\ncertificate    %s %s%s\n", trust_name(t), trust_expires_unix(t) > now ? "until" : "over since", when,
           trust_expires_unix(t) <= now ? ": join anew" : trust_is_due(t, now) ? ": to be renewed (`tutti serve` does, or `tutti node renew`)" : "");
    printf("cluster        %s\nauthority      %s\n", cluster, trust_holds_ca(t) ? "here" : trust_authority(t)[0] ? trust_authority(t) : "not known");
    if (trust_revocations(t))
        printf("revocations    list %" PRIu64 "\n", trust_revocations(t));
    else
        printf("revocations    none\n");
    if (n)
        printf("\n%-24s %-8s %-22s %s\n", "node", "", "until", "serial number");
    for (int i = 0; i < n; i++) {
        trust_here_put_time(when, nodes[i].cert.expires_unix);
        printf("%-24s %-8s %-22s %s\n", nodes[i].cert.name, state_of(&nodes[i], now), when, nodes[i].cert.serial);
    }
}

static void print_json(const struct trust *t, const struct trust_issued *nodes, int n, uint64_t now)
{
    char cluster[65];
    trust_cluster(t, cluster);
    printf("{\"node\":\"%s\",\"expires_unix\":%" PRIu64 ",\"is_due\":%s,\"cluster\":\"%s\",\"holds_authority\":%s,\"revocations\":%" PRIu64 ",\"nodes\":[", trust_name(t),
           trust_expires_unix(t), trust_is_due(t, now) ? "true" : "false", cluster, trust_holds_ca(t) ? "true" : "false", trust_revocations(t));
    for (int i = 0; i < n; i++)
        printf("%s{\"name\":\"%s\",\"state\":\"%s\",\"expires_unix\":%" PRIu64 ",\"serial\":\"%s\"}", i ? "," : "", nodes[i].cert.name, state_of(&nodes[i], now),
               nodes[i].cert.expires_unix, nodes[i].cert.serial);
    printf("]}\n");
}

static int run(int argc, char **argv, struct cmd_opt *opts)
{
    char dir[TRUST_PATH_MAX];
    struct err err = { 0 };
    struct trust_issued *nodes = NULL;
    struct trust_held *tokens = NULL;
    struct trust *t = NULL;
    int n = 0, n_tokens;
    const uint64_t now = (uint64_t)time(NULL);
    (void)argc, (void)argv;
    bool ok = trust_here_dir(opts, dir, &err) && (t = trust_open(dir, &err));
    if (ok && trust_holds_ca(t))
        ok = trust_ca_list(dir, &nodes, &n, &tokens, &n_tokens, &err);
    if (ok)
        (cmd_opt_find(opts, "json")->given ? print_json : print_text)(t, nodes, n, now);
    const bool is_valid = ok && trust_expires_unix(t) > now;
    free(nodes);
    free(tokens);
    trust_free(t);
    return !ok ? cmd_fail(&err) : is_valid ? 0 : 1;
}

static struct cmd_opt opts[] = {
    { "json", OPT_FLAG, NULL, 0, 0, "one JSON object", .i = 0 },
    { "dir", OPT_TEXT, "DIR", 0, 0, "where certificates are kept (~/.local/share/tutti/trust)", .s = NULL },
    { 0 },
};
const struct cmd cmd_cluster_trust = {
    .name = "cluster trust",
    .args = "",
    .help = "this node's certificate; where the authority is, everybody's",
    .more = "\nExit status 1: this machine is in no cluster, or its certificate is over.\n",
    .opts = opts,
    .run = run,
};
