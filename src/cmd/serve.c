/* cmd/serve.c - `tutti serve`: experts behind the HTTP API. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/behind.h"
#include "base/log.h"
#include "route/journal.h"
#include "cmd/cmd.h"
#include "cmd/commands.h"
#include "cmd/expert_env.h"
#include "cmd/serve_node.h"
#include "expert/speculate.h"
#include "serve/bundled.h"
#include "serve/config.h"
#include "serve/govern.h"
#include "serve/registry.h"
#include "serve/route.h"
#include "serve/serve.h"

/* What was said on the command line wins over the file. */
static bool apply_options(struct config *c, struct cmd_opt *opts, int argc, char **argv, struct err *err)
{
    static const struct {
        const char *name;
        enum config_id id;
    } texts[] = { { "key-file", CONFIG_KEYS }, { "tls-cert", CONFIG_TLS_CERT }, { "tls-key", CONFIG_TLS_KEY }, { "models", CONFIG_MODELS }, { "preset", CONFIG_PRESET },
                  { "node-name", CONFIG_NODE_NAME }, { "node-listen", CONFIG_NODE_LISTEN }, { "trust", CONFIG_NODE_TRUST } },
      numbers[] = { { "ctx", CONFIG_CTX }, { "threads", CONFIG_THREADS }, { "parallel", CONFIG_PARALLEL } };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (cmd_opt_find(opts, texts[i].name)->given)
            config_set_text(c, texts[i].id, cmd_opt_find(opts, texts[i].name)->s);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        if (cmd_opt_find(opts, numbers[i].name)->given)
            config_set_number(c, numbers[i].id, (uint64_t)cmd_opt_find(opts, numbers[i].name)->i);
    const struct cmd_opt *prefixes = cmd_opt_find(opts, "prefix-cache");
    if (prefixes->given)
        config_set_text(c, CONFIG_PREFIX_CACHE, strcmp(prefixes->s, "off") == 0 ? NULL : prefixes->s);
    if (cmd_opt_find(opts, "kv-q8")->given)
        config_set_number(c, CONFIG_KV_Q8, 1);
    const struct cmd_opt *speculate = cmd_opt_find(opts, "speculate");
    int n_guess;
    if (speculate->given && !speculate_parse("--speculate", speculate->s, &n_guess, err))
        return false;
    if (speculate->given)
        config_set_text(c, CONFIG_SPECULATE, speculate->s);
    if (cmd_opt_find(opts, "listen")->given)
        config_set_listen(c, cmd_opt_find(opts, "listen")->s);
    const struct cmd_opt *nodes = cmd_opt_find(opts, "node");
    for (int i = 0; i < nodes->n; i++)
        if (!config_add_node(c, nodes->list[i], err))
            return false;
    return argc == 0 || config_set_experts(c, argc, argv, err);
}

static bool fill(struct serve_config *s, const struct config *c, struct err *err)
{
    if (!net_addr_parse(&s->listen, c->listen[0], err))
        return false;
    for (int i = 1; i < c->n_listens; i++)
        if (!net_addr_parse(&s->more[s->n_more++], c->listen[i], err))
            return false;
    s->key_file = config_text(c, CONFIG_KEYS);
    s->tls_cert = config_text(c, CONFIG_TLS_CERT);
    s->tls_key = config_text(c, CONFIG_TLS_KEY);
    s->load_wait_ms = (uint32_t)config_number(c, CONFIG_LOAD_WAIT);
    s->http.max_body_bytes = config_number(c, CONFIG_BODY);
    s->http.max_connections = (int)config_number(c, CONFIG_CONNECTIONS);
    s->max_bodies_bytes = config_number(c, CONFIG_BODIES);
    s->max_audio_s = (double)config_number(c, CONFIG_AUDIO) / 1000;
    s->max_image_px = config_number(c, CONFIG_IMAGE_PIXELS);
    s->max_requests = (int)config_number(c, CONFIG_QUEUE);
    s->allows_remote_images = config_number(c, CONFIG_REMOTE_IMAGES) != 0;
    return true;
}

/* Presets are said: why a model runs with 4 threads and batches of 8 must not be a riddle. */
static bool know_machine(struct cmd_expert_env *env, const struct config *c, struct err *err)
{
    struct buf b;
    buf_init(&b, 1 << 16);
    const bool ok = cmd_expert_env_machine(env, config_text(c, CONFIG_PRESET), config_number(c, CONFIG_MEMORY), err);
    if (ok)
        advise_put_presets(&b, &env->presets);
    for (char *line = b.data, *end; line && *line; line = end + 1) {
        if (!(end = strchr(line, '\n')))
            break;
        *end = '\0';
        log_info("%s", line);
    }
    buf_fini(&b);
    return ok;
}

static int run(int argc, char **argv, struct cmd_opt *opts)
{
    struct serve_config config = { .handles_signals = true };
    struct serve_alias aliases[CONFIG_ALIASES_MAX];
    struct registry registry = { .n_experts = 0 };
    struct expert *warm[CONFIG_EXPERTS_MAX];
    struct bundled bundled = { 0 };
    struct cmd_expert_env env = { .machine = NULL };
    struct serve_route route = { .predictor = NULL };
    struct serve_route_config route_config = { .policy = NULL };
    struct steward *steward = NULL;
    struct serve_node_here node = { .name = "" };
    struct behind behind;
    char journal[512];
    struct err err = { 0 };
    struct serve *s = NULL;
    bool ok = false;
    uint32_t cpu;
    const struct cpu_level *level;
    if (!cmd_cpu(&cpu, &level))
        return 1;
    behind_init(&behind);
    if (cmd_opt_find(opts, "verbose")->given)
        log_set_level(LOG_INFO);
    struct config *c = config_read(cmd_opt_find(opts, "config")->s, &err);
    if (!c || !apply_options(c, opts, argc, argv, &err) || !fill(&config, c, &err))
        goto out;
    if (c->n_experts == 0 && (!bundled_find(&bundled, &err) || !config_set_experts(c, bundled.n, bundled.path, &err)))
        goto out;
    cmd_expert_env(&env, NULL);
    env.env.llm.cpu = cpu;
    registry_env(c, &env.env);
    if (registry_has_cards(c) && !know_machine(&env, c, &err))
        goto out;
    for (int i = 0; i < c->n_aliases; i++)
        aliases[i] = (struct serve_alias){ c->aliases[i].name, c->aliases[i].expert };
    config.aliases = aliases;
    config.n_aliases = c->n_aliases;
    /* Opening reads the files' heads only; the weights come while we listen already. */
    if (!registry_open(&registry, c, &env.env, &err))
        goto out;
    config.experts = registry.experts;
    config.n_experts = registry.n_experts;
    if (!registry_warm(&registry, c, warm, &config.n_warm, &err))
        goto out;
    config.warm = warm;
    config.keeper = env.keeper;
    config.sensors = config_text(c, CONFIG_SENSORS);
    config.models_dir = config_text(c, CONFIG_MODELS) ? config_text(c, CONFIG_MODELS) : getenv("TUTTI_MODELS") ? getenv("TUTTI_MODELS") : "/";
    route_config = (struct serve_route_config){ .policy = c->policy, .catalog = env.catalog, .machine = env.machine, .is_node = config_has_cluster(c), .behind = &behind,
                                                .journal_path = config_number(c, CONFIG_KEEP_DECISIONS) && journal_path(getenv("XDG_STATE_HOME"), getenv("HOME"), journal, sizeof(journal)) ? journal : NULL };
    if (!serve_route_init(&route, &route_config, &err))
        goto out;
    config.route = &route.env;
    config.behind = &behind;
    config.steward = steward = serve_govern(c, registry.experts, registry.n_experts, route.ladders, &behind, &route.env.governor);
    if (!serve_node_init(&node, c, env.machine, &err))
        goto out;
    config.node = node.node.cluster ? &node.node : NULL;
    if (!(s = serve_new(&config, &err)))
        goto out;
    serve_route_begin(&route, serve_router(s));
    printf("listening on http%s://%s\n", config.tls_cert ? "s" : "", serve_addr(s)->text);
    if (serve_node_addr(s))
        printf("node %s on http%s://%s\n", node.name, node.node.trust ? "s" : "", serve_node_addr(s)->text);
    fflush(stdout);
    ok = serve_run(s);
    serve_route_keep(&route);
    if (serve_is_hasty(s))
        _exit(ok ? 0 : 1); /* taking everything apart in order could take as long as loading does */
out:
    behind_over(&behind);
    if (err.code != ERR_NONE)
        cmd_fail(&err);
    serve_free(s);
    serve_node_fini(&node);
    steward_free(steward);
    serve_route_fini(&route);
    registry_fini(&registry);
    cmd_expert_env_fini(&env);
    bundled_fini(&bundled);
    config_free(c);
    behind_fini(&behind);
    return ok ? 0 : 1;
}

static struct cmd_opt opts[] = {
    { "config", OPT_TEXT, "FILE", 0, 0, "settings and experts (~/.config/tutti/tutti.yaml when it exists)", .s = NULL },
    { "listen", OPT_TEXT, "ADDR:PORT", 0, 0, "where to listen (127.0.0.1:8080; port 0: a free one)", .s = NULL },
    { "key-file", OPT_TEXT, "FILE", 0, 0, "keys that clients must send, one per line", .s = NULL },
    { "tls-cert", OPT_TEXT, "FILE", 0, 0, "speak TLS with this certificate (chain, PEM); SIGHUP reads it again", .s = NULL },
    { "tls-key", OPT_TEXT, "FILE", 0, 0, "its key (PEM)", .s = NULL },
    { "preset", OPT_TEXT, "NAME", 0, 0, "a device of the runtime table, or none (default: by the machine)", .s = NULL },
    { "models", OPT_TEXT, "DIR", 0, 0, "where cards look for their files first (TUTTI_MODELS)", .s = NULL },
    { "ctx", OPT_INT, "N", 16, 1 << 20, "tokens of the longest conversation", .i = 0 },
    { "threads", OPT_INT, "N", 1, 1024, "threads per model (default: one per core)", .i = 0 },
    { "parallel", OPT_INT, "N", 1, 256, "answers at a time per model (8)", .i = 0 },
    { "kv-q8", OPT_FLAG, NULL, 0, 0, "keep the K/V cache in 8 bits: half the memory", .i = 0 },
    { "speculate", OPT_TEXT, "HOW", 0, 0, "tokens guessed ahead of each answer: auto, off or a number", .s = NULL },
    { "prefix-cache", OPT_TEXT, "DIR", 0, 0, "keep K/V of prompts' common beginnings below DIR over restarts (it can be read as those prompts); off: not (default: off)", .s = NULL },
    { "node-listen", OPT_TEXT, "ADDR:PORT", 0, 0, "where other nodes come in; beyond loopback with --trust (docs/nodes.md)", .s = NULL },
    { "node-name", OPT_TEXT, "NAME", 0, 0, "name among other nodes (default: the machine's)", .s = NULL },
    { "node", OPT_LIST, "URL", 0, 0, "another node: https://HOST:PORT, dns://NAME:PORT (may be given again)", .n = 0 },
    { "trust", OPT_TEXT, "DIR", 0, 0, "this node's certificate (`tutti cluster init`, `tutti node join`)", .s = NULL },
    { "verbose", OPT_FLAG, NULL, 0, 0, "say more on stderr", .i = 0 },
    { 0 },
};
const struct cmd cmd_serve = {
    .name = "serve",
    .args = "[EXPERT...]",
    .min_args = 0,
    .max_args = CONFIG_EXPERTS_MAX,
    .help = "serve experts over HTTP (OpenAI API)",
    .more = "\nEach EXPERT is a GGUF file, a card (.yaml) or a folder of them; clients call a\n"
            "model by its file's name without .gguf, or leave the choice to the router with\n"
            "`auto` (auto:fast, auto:best, auto:cheap, auto:private). Without EXPERT those of\n"
            "tutti.yaml are served, else the bundled models. HTTP/1.1 and HTTP/2 share the\n"
            "port. Beyond loopback a key file is needed. SIGTERM lets running answers finish;\n"
            "a second one does not.\n",
    .opts = opts,
    .run = run,
};
