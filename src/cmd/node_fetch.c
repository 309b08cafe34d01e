/* cmd/node_fetch.c - `tutti node fetch`: a model file from another node, so that it is downloaded once per house. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cluster/cluster.h"
#include "cluster/fetch.h"
#include "cluster/trust.h"
#include "cmd/cmd.h"
#include "cmd/commands.h"
#include "serve/config.h"

enum { FROM_MAX = 8 };

struct progress {
    bool is_terminal;
    uint64_t begun_ns, shown_ns, first;
};

static void show(void *ctx, uint64_t done, uint64_t total)
{
    struct progress *p = ctx;
    const uint64_t now_ns = clock_ns();
    if (!p->begun_ns)
        p->begun_ns = now_ns, p->first = done;
    if (!p->is_terminal || (now_ns - p->shown_ns < 200000000 && done < total))
        return;
    p->shown_ns = now_ns;
    const double s = (double)(now_ns - p->begun_ns) / 1e9;
    fprintf(stderr, "\r%5.1f %%  %.1f of %.1f MB  %.1f MB/s ", total ? 100.0 * (double)done / (double)total : 100.0, (double)done / 1e6, (double)total / 1e6,
            s > 0 ? (double)(done - p->first) / 1e6 / s : 0.0);
    if (done == total)
        fputc('\n', stderr);
}

static bool find_dir(const struct cmd_opt *opts, const struct config *c, char *out, size_t max, struct err *err)
{
    const struct cmd_opt *said = cmd_opt_find((struct cmd_opt *)opts, "models");
    const char *models = said->given ? said->s : config_text(c, CONFIG_MODELS), *xdg = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    const int n = models ? snprintf(out, max, "%s", models) : xdg && xdg[0] == '/' ? snprintf(out, max, "%s/tutti/models", xdg)
                : home && home[0] ? snprintf(out, max, "%s/.local/share/tutti/models", home) : -1;
    return (n > 0 && (size_t)n < max) || err_set(err, ERR_INPUT, "no folder for models is known: say --models DIR");
}

/* Where it may come from: --from, or those of the nodes that have it. */
static int find_urls(const struct cmd_opt *opts, const struct config *c, struct trust *trust, const char *name, char (*urls)[300], struct err *err)
{
    const struct cmd_opt *from = cmd_opt_find((struct cmd_opt *)opts, "from");
    struct cluster_config k = { .n_seeds = c->n_nodes, .uses_mdns = config_number(c, CONFIG_NODE_MDNS) != 0, .trust = trust };
    if (from->given) {
        for (int i = 0; i < from->n && i < FROM_MAX; i++)
            snprintf(urls[i], sizeof(urls[i]), "%s", from->list[i]);
        return from->n < FROM_MAX ? from->n : FROM_MAX;
    }
    if (k.n_seeds == 0 && !k.uses_mdns) {
        err_set(err, ERR_INPUT, "which node has it?  Say --from URL, or name the nodes in tutti.yaml (cluster: nodes)");
        return 0;
    }
    memcpy(k.seeds, c->nodes, (size_t)c->n_nodes * sizeof(*k.seeds));
    struct cluster *all = cluster_new(&k, err);
    int n = 0;
    if (all) {
        cluster_wait(all, CLUSTER_WAIT_MS);
        n = cluster_find_model(all, name, urls, FROM_MAX);
        if (n == 0)
            err_set(err, ERR_NOT_FOUND, "%.100s: none of the %d nodes that are known shares it", name, cluster_n_members(all));
    }
    cluster_free(all);
    return n;
}

static int run(int argc, char **argv, struct cmd_opt *opts)
{
    const struct cmd_opt *dir = cmd_opt_find(opts, "trust");
    char models[1024], urls[FROM_MAX][300];
    struct progress p = { .is_terminal = isatty(STDERR_FILENO) != 0 };
    struct trust *trust = NULL;
    struct err err = { 0 };
    struct fetch f = { .name = argv[0], .dir = models, .on_progress = show, .ctx = &p };
    (void)argc;
    signal(SIGPIPE, SIG_IGN);
    struct config *c = config_read(cmd_opt_find(opts, "config")->s, &err);
    const char *trust_dir = dir->given ? dir->s : c ? config_text(c, CONFIG_NODE_TRUST) : NULL;
    bool ok = c && find_dir(opts, c, models, sizeof(models), &err) && (!trust_dir || (trust = trust_open(trust_dir, &err)));
    const int n = ok ? find_urls(opts, c, trust, argv[0], urls, &err) : 0;
    ok = false;
    for (int i = 0; i < n && !ok && (i == 0 || err.code == ERR_IO || err.code == ERR_NOT_FOUND); i++) {
        f.url = urls[i];
        f.trust = trust;
        f.fetched_bytes = f.resumed_at = 0;
        ok = fetch_model(&f, &err);
    }
    if (ok && f.was_here)
        printf("%s/%s is here already\n", models, argv[0]);
    else if (ok)
        printf("%s/%s: %.1f MB from %s%s\n", models, argv[0], (double)f.total_bytes / 1e6, f.url, f.resumed_at ? ", the rest of an earlier time" : "");
    trust_free(trust);
    config_free(c);
    return ok ? 0 : cmd_fail(&err);
}

static struct cmd_opt opts[] = {
    { "from", OPT_LIST, "URL", 0, 0, "a node's port for nodes (may be given again); default: the nodes of tutti.yaml", .n = 0 },
    { "models", OPT_TEXT, "DIR", 0, 0, "where it goes (models of tutti.yaml, ~/.local/share/tutti/models)", .s = NULL },
    { "trust", OPT_TEXT, "DIR", 0, 0, "this machine's certificate (cluster: trust of tutti.yaml)", .s = NULL },
    { "config", OPT_TEXT, "FILE", 0, 0, "settings (~/.config/tutti/tutti.yaml when it exists)", .s = NULL },
    { 0 },
};
const struct cmd cmd_node_fetch = {
    .name = "node fetch",
    .args = "NAME",
    .min_args = 1,
    .max_args = 1,
    .help = "get a model file from another node",
    .more = "\nNAME is the file's, as `tutti cluster status --json` lists it; a node shares those of\n"
            "its `cluster: share` folder. What a cut left is gone on with; the file gets its name\n"
            "when it is whole and its SHA-256 is right.\n",
    .opts = opts,
    .run = run,
};
