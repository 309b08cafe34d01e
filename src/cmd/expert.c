/* cmd/expert.c - `tutti expert list|check|warm`: which experts are described here, do they work, make them ready ahead of time. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "cmd/cmd.h"
#include "cmd/commands.h"
#include "cmd/expert_env.h"
#include "cmd/out.h"

enum { CARDS_MAX = 512 };

struct cards { /* paths, sorted within each folder */
    char *path[CARDS_MAX];
    int n;
};

static bool is_card(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot && dot > name && (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0);
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static bool add(struct cards *c, char *path, struct err *err)
{
    if (path && c->n < CARDS_MAX) {
        c->path[c->n++] = path;
        return true;
    }
    free(path);
    return path ? err_set(err, ERR_LIMIT, "more than %d cards", CARDS_MAX) : err_set(err, ERR_NOMEM, "no memory");
}

static bool add_folder(struct cards *c, const char *folder, struct err *err)
{
    DIR *d = opendir(folder);
    const int before = c->n;
    bool ok = true;
    if (!d)
        return err_set(err, ERR_NOT_FOUND, "%s: no such folder", folder);
    for (struct dirent *e; ok && (e = readdir(d)) != NULL;) {
        if (!is_card(e->d_name))
            continue;
        const size_t max = strlen(folder) + strlen(e->d_name) + 2;
        char *path = malloc(max);
        if (path)
            snprintf(path, max, "%s%s%s", folder, folder[strlen(folder) - 1] == '/' ? "" : "/", e->d_name);
        ok = add(c, path, err);
    }
    closedir(d);
    qsort(c->path + before, (size_t)(c->n - before), sizeof(c->path[0]), by_name);
    return ok && (c->n > before || err_set(err, ERR_NOT_FOUND, "%s: no cards (*.yaml) in it", folder));
}

/* Each argument is a card or a folder of cards. */
static bool collect(struct cards *c, int argc, char **argv, struct err *err)
{
    for (int i = 0; i < argc; i++) {
        struct stat st;
        if (stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode) ? !add_folder(c, argv[i], err) : !add(c, strdup(argv[i]), err))
            return false;
    }
    return true;
}

static void drop(struct cards *c)
{
    for (int i = 0; i < c->n; i++)
        free(c->path[i]);
}

/* ---- list ---- */

static int run_list(int argc, char **argv, struct cmd_opt *opts)
{
    struct cards cards = { .n = 0 };
    struct cmd_expert_env env;
    struct out_table t;
    struct err err = { 0 };
    int rc = 0;
    static char here[] = ".";
    char *fallback[] = { here };
    cmd_expert_env(&env, cmd_opt_find(opts, "models")->s);
    if (!collect(&cards, argc ? argc : 1, argc ? argv : fallback, &err)) {
        drop(&cards);
        return cmd_fail(&err);
    }
    out_table_init(&t, (const struct out_column[]){ { "expert", OUT_SHRINK }, { "task", 0 }, { "kind", 0 }, { "model", OUT_SHRINK }, { "", OUT_SHRINK } }, 5);
    for (int i = 0; i < cards.n; i++) {
        struct card *c = card_read(cards.path[i], env.env.models_dir, &err);
        if (!c) {
            rc = cmd_fail(&err);
            continue;
        }
        char path[1024];
        const struct yaml_node *model = yaml_get(c->node, "model");
        const bool is_file = model && model->kind == YAML_TEXT;
        const char *slash = strrchr(c->model, '/');
        out_row(&t);
        out_cell(&t, "%s", c->id);
        out_cell(&t, "%s", expert_task_name(c->task));
        out_cell(&t, "%s", c->kind);
        out_cell(&t, "%s", slash ? slash + 1 : c->model);
        out_cell(&t, "%s", !is_file || strcmp(c->kind, "remote") == 0 /* its server's name for it */ || card_resolve(c, model, path, sizeof(path), &err) ? "" : "no such file");
        card_free(c);
    }
    if (!out_table_print(&t, stdout, OUT_WIDTH, &err))
        rc = cmd_fail(&err);
    out_table_fini(&t);
    drop(&cards);
    return rc;
}

/* ---- check, warm ---- */

static void print_info(const struct task_info *info)
{
    char shape[120];
    if (info->runs_on[0])
        printf("  runs on  %s\n", info->runs_on);
    if (info->memory_bytes)
        printf("  memory   %.1f MB accounted\n", (double)info->memory_bytes / 1e6);
    if (info->rate_hz)
        printf("  speaks   %d Hz\n", info->rate_hz);
    for (int i = 0; i < info->n_inputs && i < TASK_IO_MAX; i++) {
        tensor_describe(&info->inputs[i].shape, shape, sizeof(shape));
        printf("  input    %s %s\n", info->inputs[i].name, shape);
    }
    for (int i = 0; i < info->n_outputs && i < TASK_IO_MAX; i++) {
        tensor_describe(&info->outputs[i].shape, shape, sizeof(shape));
        printf("  output   %s %s\n", info->outputs[i].name, shape);
    }
    if (info->note[0])
        printf("  note     %s\n", info->note);
}

static bool check_one(const char *path, const struct cmd_expert_env *env, bool is_check)
{
    struct err err = { 0 };
    struct task_info info;
    const uint64_t begin_ns = clock_ns();
    struct expert *e = expert_open(path, &env->env, &err);
    const bool ok = e && expert_wait_ready(e, &err);
    if (ok) {
        struct expert_card card;
        expert_get_card(e, &card);
        if (strcmp(card.kind, "remote") == 0)
            printf("%s: its server answers, after %.0f ms\n", card.id, (double)(clock_ns() - begin_ns) / 1e6);
        else
            printf("%s: %s, ready in %.0f ms\n", card.id, is_check ? "works" : "warm", (double)(clock_ns() - begin_ns) / 1e6);
        if (is_check && expert_get_info(e, &info))
            print_info(&info);
        if (is_check)
            cmd_expert_env_put_preset(env, (enum expert_task)(card.tasks & -card.tasks), stdout);
    } else {
        cmd_fail(&err);
    }
    expert_free(e);
    return ok;
}

static int run_all(int argc, char **argv, struct cmd_opt *opts, bool is_check)
{
    struct cards cards = { .n = 0 };
    struct cmd_expert_env env;
    struct err err = { 0 };
    int n_bad = 0;
    cmd_expert_env(&env, cmd_opt_find(opts, "models")->s);
    env.env.is_quiet = true;
    if (!collect(&cards, argc, argv, &err) || !cmd_expert_env_machine(&env, cmd_opt_find(opts, "preset")->s, 0, &err))
        n_bad += cmd_fail(&err);
    for (int i = 0; i < cards.n && err.code == ERR_NONE; i++)
        n_bad += !check_one(cards.path[i], &env, is_check);
    drop(&cards);
    cmd_expert_env_fini(&env);
    return n_bad > 0;
}

static int run_check(int argc, char **argv, struct cmd_opt *opts) { return run_all(argc, argv, opts, true); }
static int run_warm(int argc, char **argv, struct cmd_opt *opts) { return run_all(argc, argv, opts, false); }

static struct cmd_opt opts[] = {
    { .name = "models", .kind = OPT_TEXT, .value = "DIR", .help = "where cards' model files lie (TUTTI_MODELS)" },
    { .name = "preset", .kind = OPT_TEXT, .value = "NAME", .help = "as that device of the catalog would be set up; none" },
    { 0 },
};
const struct cmd cmd_expert_list = {
    .name = "expert list",
    .args = "[CARD|FOLDER...]",
    .min_args = 0,
    .max_args = 256,
    .help = "what the cards describe, and whether their models are there",
    .opts = opts,
    .run = run_list,
};
const struct cmd cmd_expert_check = {
    .name = "expert check",
    .args = "CARD|FOLDER...",
    .min_args = 1,
    .max_args = 256,
    .help = "load each expert and say what it runs on",
    .more = "\nStatus 1 when one of them does not work; its line says what is missing.\n",
    .opts = opts,
    .run = run_check,
};
const struct cmd cmd_expert_warm = {
    .name = "expert warm",
    .args = "CARD|FOLDER...",
    .min_args = 1,
    .max_args = 256,
    .help = "load each expert once, so that optimised models are cached",
    .opts = opts,
    .run = run_warm,
};
