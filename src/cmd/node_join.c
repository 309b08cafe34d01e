/* cmd/node_join.c - `tutti node join`: this machine becomes a node; `tutti node renew`: a new certificate now. */
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cluster/join.h"
#include "cmd/commands.h"
#include "cmd/trust_here.h"

enum { TOKEN_FILE_MAX_BYTES = 4096 };

static char *read_token(const struct cmd_opt *file, struct err *err)
{
    size_t n;
    char *text = file_read(file->s, TOKEN_FILE_MAX_BYTES, &n, err);
    if (text)
        text[strcspn(text, " \t\r\n")] = '\0';
    return text;
}

static int run(int argc, char **argv, struct cmd_opt *opts)
{
    char dir[TRUST_PATH_MAX], name[TRUST_NAME_MAX], until[32];
    struct err err = { 0 };
    struct trust *t = NULL;
    char *kept = NULL;
    const struct cmd_opt *token = cmd_opt_find(opts, "token"), *file = cmd_opt_find(opts, "token-file");
    (void)argc;
    if (token->given == file->given) {
        fprintf(stderr, "tutti: a token is wanted, with --token T or --token-file FILE: `tutti cluster token` makes one where the cluster began\n");
        return 2;
    }
    bool ok = trust_here_dir(opts, dir, &err) && trust_here_name(opts, name, &err);
    if (ok && cmd_opt_find(opts, "if-needed")->given && trust_here_is_member(dir, name))
        return 0;
    ok = ok && (token->given || (kept = read_token(file, &err)));
    ok = ok && (join_now(dir, argv[0], token->given ? token->s : kept, name, &err) || err_prefix(&err, "join")) && (t = trust_open(dir, &err));
    if (ok) {
        trust_here_put_time(until, trust_expires_unix(t));
        printf("this node is %s; its certificate (until %s, renewed by `tutti serve`) is in %s\n", name, until, dir);
    }
    if (kept)
        OPENSSL_cleanse(kept, strlen(kept));
    free(kept);
    trust_free(t);
    return ok ? 0 : cmd_fail(&err);
}

static struct cmd_opt opts[] = {
    { "token", OPT_TEXT, "TOKEN", 0, 0, "from `tutti cluster token`", .s = NULL },
    { "token-file", OPT_TEXT, "FILE", 0, 0, "the same from a file, or - for stdin: so that no list of processes shows it", .s = NULL },
    { "name", OPT_TEXT, "NAME", 0, 0, "of this node (this machine's name)", .s = NULL },
    { "if-needed", OPT_FLAG, NULL, 0, 0, "nothing is done when this machine is that node already", .i = 0 },
    { "dir", OPT_TEXT, "DIR", 0, 0, "where certificates are kept (~/.local/share/tutti/trust)", .s = NULL },
    { 0 },
};
const struct cmd cmd_node_join = {
    .name = "node join",
    .args = "URL",
    .min_args = 1,
    .max_args = 1,
    .help = "make this machine a node of a cluster",
    .more = "\nURL is the port for nodes where the cluster began: https://HOST:8444. The key is\n"
            "made here and never leaves; the token names the authority, so that its secret is\n"
            "said to nobody else. When the answer is lost the same command goes on where it\n"
            "was and costs no second use of the token.\n",
    .opts = opts,
    .run = run,
};

/* ---- renew ---- */

static int run_renew(int argc, char **argv, struct cmd_opt *options)
{
    char dir[TRUST_PATH_MAX], until[32];
    struct err err = { 0 };
    struct trust *t = NULL;
    const bool ok = trust_here_dir(options, dir, &err) && (t = trust_open(dir, &err)) && (join_renew_now(t, argc > 0 ? argv[0] : NULL, &err) || err_prefix(&err, "renew"));
    if (ok) {
        trust_here_put_time(until, trust_expires_unix(t));
        printf("%s: a new certificate, until %s\n", trust_name(t), until);
    }
    trust_free(t);
    return ok ? 0 : cmd_fail(&err);
}

static struct cmd_opt renew_opts[] = {
    { "dir", OPT_TEXT, "DIR", 0, 0, "where certificates are kept (~/.local/share/tutti/trust)", .s = NULL },
    { 0 },
};
const struct cmd cmd_node_renew = {
    .name = "node renew",
    .args = "[URL]",
    .min_args = 0,
    .max_args = 1,
    .help = "a new certificate for this node, now",
    .more = "\n`tutti serve` does this by itself after two thirds of a certificate's 30 days. URL:\n"
            "where the authority is now, when it is not where this node joined.\n",
    .opts = renew_opts,
    .run = run_renew,
};
