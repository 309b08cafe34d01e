/* cmd/serve.c - `tutti serve`: models behind the OpenAI API. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "cmd/cmd.h"
#include "cmd/commands.h"
#include "expert/expert_llm.h"
#include "serve/bundled.h"
#include "serve/serve.h"

enum { MODELS_MAX = 64 };

static bool open_models(int n, char *const *paths, const struct expert_llm_options *opt, struct expert **out, struct err *err)
{
    for (int i = 0; i < n; i++)
        if (!(out[i] = expert_llm_open(paths[i], opt, err)))
            return false;
    return true;
}

static int run(int argc, char **argv, struct cmd_opt *opts)
{
    struct serve_config config = { .key_file = cmd_opt_find(opts, "key-file")->s, .handles_signals = true };
    struct expert *experts[MODELS_MAX] = { NULL };
    struct bundled bundled = { 0 };
    struct err err = { 0 };
    struct serve *s = NULL;
    bool ok = false;
    uint32_t cpu;
    const struct cpu_level *level;
    if (!cmd_cpu(&cpu, &level))
        return 1;
    if (cmd_opt_find(opts, "verbose")->given)
        log_set_level(LOG_INFO);
    const struct expert_llm_options opt = {
        .n_ctx = (int)cmd_opt_find(opts, "ctx")->i,
        .n_threads = (int)cmd_opt_find(opts, "threads")->i,
        .n_seq_max = (int)cmd_opt_find(opts, "parallel")->i,
        .kv_q8 = cmd_opt_find(opts, "kv-q8")->given,
        .cpu = cpu,
    };
    if (!net_addr_parse(&config.listen, cmd_opt_find(opts, "listen")->s, &err))
        return cmd_fail(&err);
    if (argc == 0) {
        if (!bundled_find(&bundled, &err))
            return cmd_fail(&err);
        argc = bundled.n;
        argv = bundled.path;
    }
    config.experts = experts;
    config.n_experts = argc;
    /* Opening reads the files' heads only; the weights come while we listen already. */
    if (!open_models(argc, argv, &opt, experts, &err) || !(s = serve_new(&config, &err))) {
        cmd_fail(&err);
        goto out;
    }
    printf("listening on http://%s\n", serve_addr(s)->text);
    fflush(stdout);
    ok = serve_run(s);
    if (serve_is_hasty(s))
        _exit(ok ? 0 : 1); /* taking everything apart in order could take as long as loading does */
out:
    serve_free(s);
    for (int i = 0; i < argc; i++)
        expert_free(experts[i]);
    bundled_fini(&bundled);
    return ok ? 0 : 1;
}

static struct cmd_opt opts[] = {
    { "listen", OPT_TEXT, "ADDR:PORT", 0, 0, "where to listen (127.0.0.1:8080; port 0: a free one)", .s = "127.0.0.1:8080" },
    { "key-file", OPT_TEXT, "FILE", 0, 0, "keys that clients must send, one per line", .s = NULL },
    { "ctx", OPT_INT, "N", 16, 1 << 20, "tokens of the longest conversation", .i = 0 },
    { "threads", OPT_INT, "N", 1, 1024, "threads per model (default: one per core)", .i = 0 },
    { "parallel", OPT_INT, "N", 1, 256, "answers at a time per model (8)", .i = 0 },
    { "kv-q8", OPT_FLAG, NULL, 0, 0, "keep the K/V cache in 8 bits: half the memory", .i = 0 },
    { "verbose", OPT_FLAG, NULL, 0, 0, "say more on stderr", .i = 0 },
    { 0 },
};
const struct cmd cmd_serve = {
    .name = "serve",
    .args = "[MODEL...]",
    .min_args = 0,
    .max_args = MODELS_MAX,
    .help = "serve models over HTTP (OpenAI API)",
    .more = "Each MODEL is a GGUF file; clients call it by the file's name without .gguf. Without MODEL\n"
            "the bundled models are served. Beyond loopback a key file is needed. SIGTERM lets running\n"
            "answers finish; a second one does not.\n",
    .opts = opts,
    .run = run,
};
