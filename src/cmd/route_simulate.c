/* cmd/route_simulate.c - `tutti route simulate`: policies compared over a described fleet, in virtual time. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cmd/cmd.h"
#include "cmd/commands.h"
#include "cmd/route_simulate.h"

enum { RANDOM_BYTES_MAX = 1 << 16 };

static bool pick_policies(const struct cmd_opt *o, struct rehearsal *r, struct err *err)
{
    if (!o->n)
        for (int p = 0; p <= SIM_LEAST_LOADED; p++)
            r->policies[r->n++] = (enum sim_policy)p;
    for (int i = 0; i < o->n; i++) {
        enum sim_policy p;
        if (strcmp(o->list[i], "all") == 0) {
            for (r->n = 0; r->n < SIM_POLICY_COUNT; r->n++)
                r->policies[r->n] = (enum sim_policy)r->n;
            return true;
        }
        if (!sim_policy_by_name(o->list[i], &p))
            return err_set(err, ERR_INPUT, "--compare: \"%s\" is no policy: tutti, always-big, always-small, round-robin, least-loaded, fastest, random or all", o->list[i]);
        bool is_there = false;
        for (int k = 0; k < r->n; k++)
            is_there |= r->policies[k] == p;
        if (!is_there)
            r->policies[r->n++] = p;
    }
    return true;
}

static int find_script(const struct sim *s, const char *name)
{
    for (int i = 0; i < sim_n_scripts(s); i++)
        if (!strcmp(sim_script_name(s, i), name))
            return i;
    return -1;
}

static bool is_one_fleet(int argc, struct cmd_opt *opts, struct err *err)
{
    return cmd_opt_find(opts, "random")->given != (argc > 0) || err_set(err, ERR_INPUT, "route simulate: a FILE or --random SEED, one of them");
}

static bool prepare(struct rehearsal *r, char **argv, struct cmd_opt *opts, struct err *err)
{
    const struct cmd_opt *random = cmd_opt_find(opts, "random");
    const char *questions = cmd_opt_find(opts, "questions")->s, *scripts = cmd_opt_find(opts, "scripts")->s, *script = cmd_opt_find(opts, "script")->s;
    const char *policy = cmd_opt_find(opts, "policy")->s;
    if (random->given) {
        struct buf b;
        buf_init(&b, RANDOM_BYTES_MAX);
        sim_random((uint64_t)random->i, &b);
        snprintf(r->name, sizeof(r->name), "random fleet %lld", random->i);
        r->sim = buf_ok(&b, r->name, err) ? sim_parse(r->name, b.data, b.len, NULL, err) : NULL;
        buf_fini(&b);
    } else {
        snprintf(r->name, sizeof(r->name), "%s", argv[0]);
        r->sim = sim_read(argv[0], err);
    }
    if (!r->sim || (scripts && !sim_add_scripts(r->sim, scripts, err)) || (policy && !sim_set_policy(r->sim, policy, err)) ||
        (questions && !sim_set_questions(r->sim, questions, cmd_opt_find(opts, "model")->s, err)))
        return false;
    r->options = (struct sim_options){ .seed = (uint64_t)cmd_opt_find(opts, "seed")->i, .n_requests = (uint64_t)cmd_opt_find(opts, "requests")->i,
                                       .rate = (float)cmd_opt_find(opts, "rate")->f, .script = script ? find_script(r->sim, script) : -1 };
    return !script || r->options.script >= 0 || err_set(err, ERR_INPUT, "--script: there is no script \"%s\"", script);
}

static int run(int argc, char **argv, struct cmd_opt *opts)
{
    struct rehearsal r = { 0 };
    struct err err = { 0 };
    const char *svg = cmd_opt_find(opts, "svg")->s, *html = cmd_opt_find(opts, "html")->s;
    if (cmd_opt_find(opts, "print")->given && cmd_opt_find(opts, "random")->given) {
        struct buf b;
        buf_init(&b, RANDOM_BYTES_MAX);
        sim_random((uint64_t)cmd_opt_find(opts, "random")->i, &b);
        const bool is_fine = buf_ok(&b, "route simulate", &err);
        if (is_fine)
            fputs(b.data, stdout);
        buf_fini(&b);
        return is_fine ? 0 : cmd_fail(&err);
    }
    if (!pick_policies(cmd_opt_find(opts, "compare"), &r, &err) || !is_one_fleet(argc, opts, &err)) {
        cmd_fail(&err);
        return 2;
    }
    bool ok = prepare(&r, argv, opts, &err);
    for (int i = 0; ok && i < r.n; i++) {
        r.figures[i] = calloc(1, sizeof(*r.figures[i]));
        ok = r.figures[i] ? sim_run(r.sim, r.policies[i], &r.options, r.figures[i], &err) : err_set(&err, ERR_NOMEM, "route simulate: out of memory");
    }
    if (ok && cmd_opt_find(opts, "json")->given)
        rehearsal_json(&r, stdout);
    else if (ok)
        ok = rehearsal_text(&r, stdout, &err);
    if (ok && svg)
        ok = rehearsal_svg(&r, svg, &err);
    if (ok && html)
        ok = rehearsal_html(&r, html, &err);
    for (int i = 0; i < r.n; i++)
        if (r.figures[i]) {
            sim_figures_fini(r.figures[i]);
            free(r.figures[i]);
        }
    sim_free(r.sim);
    return ok ? 0 : cmd_fail(&err);
}

static struct cmd_opt opts[] = {
    { .name = "compare", .kind = OPT_LIST, .value = "POLICY", .help = "tutti, always-big, always-small, round-robin, least-loaded, fastest, random, all; the first five" },
    { .name = "requests", .kind = OPT_INT, .value = "N", .min = 1, .max = 1e9, .help = "so many; as the file says" },
    { .name = "rate", .kind = OPT_FLOAT, .value = "X", .min = 1e-3, .max = 1e3, .f = 1, .help = "times as many a second; 1" },
    { .name = "seed", .kind = OPT_INT, .value = "N", .min = 0, .max = 1e15, .i = 1, .help = "the same seed gives the same figures" },
    { .name = "script", .kind = OPT_TEXT, .value = "NAME", .help = "what goes wrong meanwhile: one of the file's scripts" },
    { .name = "scripts", .kind = OPT_TEXT, .value = "FILE", .help = "more scripts" },
    { .name = "policy", .kind = OPT_TEXT, .value = "FILE", .help = "a changed policy: docs/routing.md" },
    { .name = "questions", .kind = OPT_TEXT, .value = "FILE", .help = "real texts with \"weak\" and \"strong\" instead of the shipped table" },
    { .name = "model", .kind = OPT_TEXT, .value = "MODEL", .help = "reads them: a file of `tutti route train`; the shipped one" },
    { .name = "random", .kind = OPT_INT, .value = "SEED", .min = 0, .max = 1e15, .help = "a made-up fleet instead of FILE" },
    { .name = "print", .kind = OPT_FLAG, .help = "with --random: print its description and stop" },
    { .name = "json", .kind = OPT_FLAG, .help = "one JSON object" },
    { .name = "svg", .kind = OPT_TEXT, .value = "FILE", .help = "draw energy against the 95th percentile" },
    { .name = "html", .kind = OPT_TEXT, .value = "FILE", .help = "all figures as a page" },
    { 0 },
};
const struct cmd cmd_route_simulate = {
    .name = "route simulate",
    .args = "[FILE.yaml]",
    .min_args = 0,
    .max_args = 1,
    .help = "rehearse: a fleet in virtual time, policies compared",
    .more = "\nThe file is a fleet (nodes, experts) with a map `simulate`: workload, arrivals,\n"
            "what goes wrong. examples/fleets/seeds.yaml is one; docs/simulate.md says all.\n",
    .opts = opts,
    .run = run,
};
