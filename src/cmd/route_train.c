/* cmd/route_train.c - `tutti route train`: the intent model from lines of text. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/commands.h"
#include "route/train.h"

static void say(const char *text) { fprintf(stderr, "%s\n", text); }

/* Found out before the minutes of learning, not after them. */
static bool may_write(const char *path, struct err *err)
{
    char dir[1024];
    if (access(path, F_OK) == 0)
        return access(path, W_OK) == 0 || err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
    if (snprintf(dir, sizeof(dir), "%s", path) >= (int)sizeof(dir))
        return err_set(err, ERR_INPUT, "--out: a path that is too long");
    char *slash = strrchr(dir, '/');
    if (slash)
        slash[slash == dir] = '\0';
    return access(slash ? dir : ".", W_OK | X_OK) == 0 || err_set(err, ERR_IO, "%s: %s", slash ? dir : ".", strerror(errno));
}

static int run(int argc, char **argv, struct cmd_opt *opts)
{
    struct train_set set = { 0 };
    struct train_figures f;
    struct train_options o = train_default;
    struct err err = { 0 };
    const char *out = cmd_opt_find(opts, "out")->s;
    if (!out) {
        err_set(&err, ERR_INPUT, "route train: --out MODEL says where the model goes");
        cmd_fail(&err);
        return 2;
    }
    bool ok = may_write(out, &err);
    o.seed = (uint64_t)cmd_opt_find(opts, "seed")->i;
    o.n_rounds = (int)cmd_opt_find(opts, "rounds")->i;
    o.calibrate = cmd_opt_find(opts, "calibrate")->list, o.n_calibrate = cmd_opt_find(opts, "calibrate")->n;
    o.hold = cmd_opt_find(opts, "hold")->s;
    for (int i = 0; ok && i < argc; i++)
        ok = train_set_add(&set, argv[i], &err);
    ok = ok && train_model(&set, &o, out, &f, say, &err);
    if (ok) {
        printf("%zu lines, %zu with an intent, %zu with a difficulty -> %s\n", f.n_lines, f.n_intent, f.n_difficulty, out);
        printf("lines held out: %.1f %% right, %.1f %% among two, calibration error %.1f %% at temperature %.2f\n", 100 * f.fold_accuracy,
               100 * f.fold_top2, 100 * f.fold_ece, f.temperature);
        if (!isnan(f.fold_apgr))
            printf("questions not seen: APGR %.3f (random 0.5)\n", f.fold_apgr);
        if (o.hold)
            printf("held source %s, %zu lines: %.1f %% right, %.1f %% among two, calibration error %.1f %%\n", o.hold, f.n_held, 100 * f.held_accuracy,
                   100 * f.held_top2, 100 * f.held_ece);
    }
    train_set_fini(&set);
    return ok ? 0 : cmd_fail(&err);
}

static struct cmd_opt opts[] = {
    { .name = "out", .kind = OPT_TEXT, .value = "MODEL", .help = "the file that is written" },
    { .name = "seed", .kind = OPT_INT, .value = "N", .min = 0, .max = 1e15, .i = 1, .help = "the same seed gives the same model" },
    { .name = "rounds", .kind = OPT_INT, .value = "N", .min = 1, .max = 100, .i = 10, .help = "how often each line is seen; 10" },
    { .name = "calibrate", .kind = OPT_LIST, .value = "SOURCE", .help = "a source that is like what will be asked: it weighs more, and held out it tells how sure the model may be" },
    { .name = "hold", .kind = OPT_TEXT, .value = "SOURCE", .help = "leave this source out and judge by it" },
    { 0 },
};
const struct cmd cmd_route_train = {
    .name = "route train",
    .args = "FILE...",
    .min_args = 1,
    .max_args = 256,
    .help = "learn what requests ask for, from labelled lines",
    .more = "\nLines are {\"text\":.., \"intent\":.., \"source\":..} with \"difficult\" or \"weak\" and\n"
            "\"strong\" where known, or intent<TAB>text. Sources, never lines, are held out to\n"
            "judge. docs/route-data.md\n",
    .opts = opts,
    .run = run,
};
