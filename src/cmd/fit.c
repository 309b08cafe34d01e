/* cmd/fit.c - `tutti fit`: what runs on a machine, and how fast; this file has the options and who answers. */
#include <stdlib.h>

#include "catalog/catalog.h"
#include "cmd/cmd.h"
#include "cmd/commands.h"
#include "cmd/fit_internal.h"

static int run(int argc, char **argv, struct cmd_opt *opts)
{
    (void)argc, (void)argv;
    const struct cmd_opt *rows = cmd_opt_find(opts, "rows");
    struct err err = { 0 };
    char dir[4096];
    const bool has_dir = catalog_user_dir(getenv("XDG_CONFIG_HOME"), getenv("HOME"), dir, sizeof(dir));
    struct catalog *c = catalog_new(has_dir ? dir : NULL, &err);
    if (!c)
        return cmd_fail(&err);
    int rc = 2;
    if (rows->given)
        rc = fit_rows(rows->s, c);
    else
        err_set(&err, ERR_INPUT, "fit: nothing to do: --rows FILE.tsv"), cmd_fail(&err);
    catalog_free(c);
    return rc;
}

static struct cmd_opt fit_opts[] = {
    { .name = "rows", .kind = OPT_TEXT, .value = "FILE", .help = "predict for each line of a TSV table with the columns of docs/plan.md; prints it with pred_* added" },
    { 0 },
};
const struct cmd cmd_fit = {
    .name = "fit",
    .args = "",
    .help = "what runs on this machine or any other, and how fast",
    .opts = fit_opts,
    .run = run,
};
