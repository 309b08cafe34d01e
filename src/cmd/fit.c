/* cmd/fit.c - `tutti fit`: what runs on a machine, and how fast; this file has the options and gathers devices and models. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "advise/model.h"
#include "cmd/catalog_open.h"
#include "cmd/cmd.h"
#include "cmd/commands.h"
#include "cmd/fit_internal.h"
#include "hw/machine.h"
#include "plan/memory.h"

static bool add_devices(struct fit_job *j, struct err *err)
{
    const struct cmd_opt *on = cmd_opt_find(j->opts, "on"), *root = cmd_opt_find(j->opts, "root");
    for (int i = 0; i < on->n; i++)
        if (!device_of_spec(&j->device[j->n_devices++], j->catalog, on->list[i], err))
            return err_prefix(err, "--on %s", on->list[i]);
    if (on->n > 0)
        return true;
    struct hw_machine *m = hw_detect(root->given ? root->s : "", err);
    if (!m)
        return false;
    j->n_devices = devices_of_machine(j->device, FIT_DEVICES_MAX, j->catalog, m);
    j->has_host = true;
    hw_machine_free(m);
    struct device *cpu = &j->device[j->n_devices - 1];
    if (!root->given && !(cpu->plan.bw_gbps > 0))
        fit_probe(cpu);
    if (!root->given)
        fit_correct(j, cpu);
    if (!(cpu->plan.bw_gbps > 0) && j->n_devices == 1)
        return err_set(err, ERR_INPUT, "%s: its memory bandwidth is not known here: `tutti bench`, or --on 'cpu,bw=GB/s,mem=GB'", cpu->plan.name);
    return true;
}

static bool add_model(struct fit_job *j, const char *text, const char *quant, struct err *err)
{
    if (j->n_rows == FIT_ROWS_MAX)
        return err_set(err, ERR_LIMIT, "more than %d models", FIT_ROWS_MAX);
    return advise_model_find(&j->model[j->n_rows], j->catalog, text, quant, err) && ++j->n_rows;
}

static bool add_models(struct fit_job *j, int argc, char **argv, struct err *err)
{
    const struct cmd_opt *quant = cmd_opt_find(j->opts, "quant");
    for (int i = 0; i < argc; i++)
        for (int q = 0; q < (quant->n > 0 ? quant->n : 1); q++)
            if (!add_model(j, argv[i], quant->n > 0 ? quant->list[q] : strstr(argv[i], "gpt-oss") ? "MXFP4" : "Q4_K_M", err)) /* gpt-oss comes in MXFP4 alone */
                return false;
    for (int i = 0; argc == 0 && i < fit_n_ladder; i++) {
        char quants[64];
        snprintf(quants, sizeof(quants), "%s", fit_ladder[i].quants);
        for (int q = 0; q < quant->n; q++)
            if (!add_model(j, fit_ladder[i].model, quant->list[q], err))
                return false;
        for (char *q = strtok(quants, " "); q && quant->n == 0; q = strtok(NULL, " "))
            if (!add_model(j, fit_ladder[i].model, q, err))
                return false;
    }
    return true;
}

static int answer(struct fit_job *j, int argc, char **argv)
{
    struct err err = { 0 };
    const struct cmd_opt *split = cmd_opt_find(j->opts, "split"), *kv = cmd_opt_find(j->opts, "kv-bits"), *disk = cmd_opt_find(j->opts, "disk");
    const struct cmd_opt *runtime = cmd_opt_find(j->opts, "runtime");
    j->options.n_ctx = (int)cmd_opt_find(j->opts, "ctx")->i;
    j->options.n_users = (int)cmd_opt_find(j->opts, "users")->i;
    j->options.kv_bits = (int)kv->i;
    j->options.disk_gbps = disk->given ? disk->f : 0;
    j->options.runtime = runtime->given ? runtime->s : NULL;
    j->is_explained = cmd_opt_find(j->opts, "explain")->given;
    if (runtime->given && !plan_engine_is_known(runtime->s)) {
        err_set(&err, ERR_INPUT, "--runtime %.40s: not known; `tutti catalog runtime` names some", runtime->s), cmd_fail(&err);
        return 2;
    }
    if (!add_devices(j, &err) || !add_models(j, argc, argv, &err))
        return cmd_fail(&err);
    return split->given ? fit_split(j, split->s) : fit_tables(j);
}

static int run(int argc, char **argv, struct cmd_opt *opts)
{
    const struct cmd_opt *rows = cmd_opt_find(opts, "rows"), *matrix = cmd_opt_find(opts, "matrix");
    struct err err = { 0 };
    struct catalog *c = cmd_catalog_open(opts, &err);
    struct fit_job *j = c ? calloc(1, sizeof(*j)) : NULL;
    int rc = 1;
    if (!c)
        return cmd_fail(&err);
    if (!j)
        err_set(&err, ERR_NOMEM, "fit: out of memory"), cmd_fail(&err);
    else {
        j->catalog = c, j->opts = opts, j->is_json = cmd_opt_find(opts, "json")->given;
        if (rows->given)
            rc = fit_rows(rows->s, c);
        else if (matrix->given && strcmp(matrix->s, "edge") != 0) {
            err_set(&err, ERR_INPUT, "--matrix %s: there is only edge", matrix->s), cmd_fail(&err);
            rc = 2;
        } else
            rc = matrix->given ? fit_matrix_edge(c, j->is_json) : answer(j, argc, argv);
    }
    free(j);
    catalog_free(c);
    return rc;
}

static struct cmd_opt fit_opts[] = {
    { .name = "on", .kind = OPT_LIST, .value = "HARDWARE", .help = "instead of this machine: a name of the catalog, '2x rtx 3090,ram=128', 'epyc 9354,channels=8,mts=4800', 'nvidia,bw=1500,mem=32'" },
    { .name = "ctx", .kind = OPT_INT, .value = "N", .i = 4096, .min = 64, .max = 16777216, .help = "context of each user in tokens (4096)" },
    { .name = "users", .kind = OPT_INT, .value = "N", .i = 1, .min = 1, .max = 4096, .help = "users at a time (1)" },
    { .name = "quant", .kind = OPT_LIST, .value = "Q", .help = "quantization of the models: Q4_K_M, Q8_0, ..." },
    { .name = "kv-bits", .kind = OPT_INT, .value = "N", .i = 16, .min = 4, .max = 16, .help = "bits of K and V: 16, 8 or 4 (16)" },
    { .name = "runtime", .kind = OPT_TEXT, .value = "NAME", .help = "as in the catalog: \"llama.cpp Vulkan\", vLLM, ..." },
    { .name = "disk", .kind = OPT_FLOAT, .value = "GB/S", .min = 0.001, .max = 1000, .help = "what the disk reads (3.5)" },
    { .name = "split", .kind = OPT_TEXT, .value = "LINK", .help = "all --on together as one, their layers split over a link: \"10 Gbit/s Ethernet\"" },
    { .name = "matrix", .kind = OPT_TEXT, .value = "edge", .help = "edge devices x model sizes" },
    { .name = "rows", .kind = OPT_TEXT, .value = "FILE", .help = "predict for each line of a TSV table (docs/plan.md has its columns); prints it with pred_* added" },
    { .name = "root", .kind = OPT_TEXT, .value = "DIR", .help = "the machine recorded below DIR instead of this one" },
    { .name = "explain", .kind = OPT_FLAG, .help = "the steps: bandwidth, memory, the parts of a token's time" },
    { .name = "json", .kind = OPT_FLAG, .help = "for programs: docs/json.md" },
    CMD_OPT_CATALOG,
    { 0 },
};
const struct cmd cmd_fit = {
    .name = "fit",
    .args = "[MODEL...]",
    .max_args = 64,
    .help = "what runs on this machine or any other, and how fast",
    .more = "MODEL is a GGUF file, a name of the catalog (\"llama 3.1 8b\", \"qwen3 32b:Q6_K\") or a size (\"8b\", \"30b-a3b\").\n"
            "Exit status 1: nothing of what was asked fits.",
    .opts = fit_opts,
    .run = run,
};
