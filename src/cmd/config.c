/* cmd/config.c - `tutti config check`, `tutti config show`: what tutti.yaml says, and whether it is right. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/commands.h"
#include "cmd/expert_env.h"
#include "serve/config.h"
#include "serve/registry.h"

static int finish(struct config *c, struct buf *out, bool ok, struct err *err)
{
    if (ok)
        ok = buf_ok(out, "the answer", err);
    if (out->len > 0)
        fwrite(out->data, 1, out->len, stdout);
    fflush(stdout);
    buf_fini(out);
    config_free(c);
    return ok ? 0 : cmd_fail(err);
}

/* What serve would stumble over: folders and files that settings of the file name. */
static bool check_paths(const struct config *c, struct err *err)
{
    static const enum config_id named[] = { CONFIG_MODELS, CONFIG_KEYS, CONFIG_TLS_CERT, CONFIG_TLS_KEY, CONFIG_ONNXRUNTIME };
    for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++) {
        const struct config_value *v = &c->value[named[i]];
        if (v->from == CONFIG_FILE && v->text && access(v->text, R_OK) != 0)
            return err_set(err, ERR_NOT_FOUND, "%s:%d:%d: %s: %s", yaml_name(c->yaml), v->line, v->column, v->text, strerror(errno));
    }
    return true;
}

static int run_check(int argc, char **argv, struct cmd_opt *opts)
{
    struct cmd_expert_env env = { .machine = NULL };
    struct err err = { 0 };
    struct buf out;
    (void)opts;
    buf_init(&out, 1 << 20);
    struct config *c = config_read(argc > 0 ? argv[0] : NULL, &err);
    bool ok = c != NULL;
    if (ok && !c->path)
        ok = err_set(&err, ERR_NOT_FOUND, "no tutti.yaml: none was named, and none lies in ~/.config/tutti");
    if (ok) {
        if (cmd_opt_find(opts, "models")->given)
            config_set_text(c, CONFIG_MODELS, cmd_opt_find(opts, "models")->s);
        cmd_expert_env(&env, NULL);
        registry_env(c, &env.env);
        ok = (!registry_has_cards(c) || cmd_expert_env_machine(&env, config_text(c, CONFIG_PRESET), config_number(c, CONFIG_MEMORY), &err)) &&
             registry_check(c, &env.env, &out, &err) && check_paths(c, &err);
        cmd_expert_env_fini(&env);
    }
    if (ok)
        buf_printf(&out, "%s is right\n", c->path);
    return finish(c, &out, ok, &err);
}

static int run_show(int argc, char **argv, struct cmd_opt *opts)
{
    struct err err = { 0 };
    struct buf out;
    (void)opts;
    buf_init(&out, 1 << 20);
    struct config *c = config_read(argc > 0 ? argv[0] : NULL, &err);
    if (c)
        config_show(c, &out);
    return finish(c, &out, c != NULL, &err);
}

static struct cmd_opt check_opts[] = {
    { "models", OPT_TEXT, "DIR", 0, 0, "where cards look for their files first (TUTTI_MODELS)", .s = NULL },
    { 0 },
};
const struct cmd cmd_config_check = {
    .name = "config check",
    .args = "[FILE]",
    .min_args = 0,
    .max_args = 1,
    .help = "is tutti.yaml right, and every card that it names?",
    .more = "FILE: ~/.config/tutti/tutti.yaml when it is not said. Every error has line and column. Loads no model.\n",
    .opts = check_opts,
    .run = run_check,
};

static struct cmd_opt show_opts[] = { { 0 } };
const struct cmd cmd_config_show = {
    .name = "config show",
    .args = "[FILE]",
    .min_args = 0,
    .max_args = 1,
    .help = "every setting of tutti.yaml and where its value comes from",
    .more = "What it prints can be read again as a tutti.yaml.\n",
    .opts = show_opts,
    .run = run_show,
};
