/* expert/open.c - the table of kinds; what is not in it runs as a task in a worker process. */
#include "expert/open.h"

#include <stdlib.h>
#include <string.h>

#include "expert/expert_server.h"
#include "expert/expert_worker.h"
#include "expert/speculate.h"
#include "task/task.h"

/* A model of our own engine, described by a card. */
static struct expert *open_llm(struct card *card, const struct expert_env *env, struct err *err)
{
    static const char *const keys[] = { "ctx", "parallel", "kv_q8", "speculate", "draft", NULL };
    struct expert_llm_options opt = env->llm;
    char path[1024], draft[1024] = "";
    const char *how = NULL;
    int64_t n_ctx = opt.n_ctx, n_seq = opt.n_seq_max;
    struct expert *e = NULL;
    if (card_check_keys(card, keys, err) && card_file(card, "model", true, path, sizeof(path), err) &&
        yaml_int(card->yaml, card->node, "ctx", 16, 1 << 20, &n_ctx, err) && yaml_int(card->yaml, card->node, "parallel", 1, 256, &n_seq, err) &&
        yaml_bool(card->yaml, card->node, "kv_q8", &opt.kv_q8, err) && card_file(card, "draft", false, draft, sizeof(draft), err) && yaml_text(card->yaml, card->node, "speculate", &how, err)) {
        struct err why;
        if (how && !speculate_parse("speculate", how, &opt.speculate, &why)) {
            card_fail(card, yaml_get(card->node, "speculate"), err, "%s", why.text);
            card_free(card);
            return NULL;
        }
        opt.draft = *draft ? draft : NULL;
        opt.id = card->id;
        opt.n_ctx = (int)n_ctx;
        opt.n_seq_max = (int)n_seq;
        opt.is_lazy = true;
        opt.is_quiet = env->is_quiet;
        opt.keep_ms = card->keep_ms == UINT64_MAX ? 0 : card->keep_ms; /* not said: only when others need the memory */
        opt.keeper = env->keeper;
        if (card->threads)
            opt.n_threads = card->threads;
        e = expert_llm_open(path, &opt, err);
    }
    card_free(card);
    return e;
}

static const struct {
    const char *kind;
    struct expert *(*open)(struct card *card, const struct expert_env *env, struct err *err); /* takes the card over */
} kinds[] = {
    { "llm", open_llm },
    { "remote", expert_server_open },
    { "server", expert_server_open },
};

struct expert *expert_open_card(struct card *card, const struct expert_env *env, struct err *err)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strcmp(kinds[i].kind, card->kind) == 0)
            return kinds[i].open(card, env, err);
    if (task_find_kind(card, err))
        return expert_worker_open(card, env, err);
    card_free(card);
    return NULL;
}

struct expert *expert_open(const char *path, const struct expert_env *env, struct err *err)
{
    const char *dot = strrchr(path, '.');
    if (dot && (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0)) {
        struct card *card = card_read(path, env->models_dir, err);
        return card ? expert_open_card(card, env, err) : NULL;
    }
    return expert_llm_open(path, &env->llm, err);
}
