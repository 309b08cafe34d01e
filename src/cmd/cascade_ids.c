/* cmd/cascade_ids.c - see cascade_ids.h. */
#include "cmd/cascade_ids.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "route/predict.h"
#include "route/router.h"

struct cascade_known {
    const char *path;
    const struct expert_env *env;
    struct config *config;
    bool is_read;
    struct known {
        char id[128];
        unsigned tasks;
        bool sees;
        const char *file;             /* a card or a GGUF file; NULL: node */
        const struct yaml_node *node;
        struct expert *e;
    } known[CONFIG_EXPERTS_MAX];
    int n;
    /* of `auto` */
    struct policy *policy;
    struct predictor *predictor;
    struct router *router;
    struct cluster *(*cluster)(void *ctx); /* NULL: alone */
    void *cluster_ctx;
    struct cluster *fed;
};

enum { CANDIDATES_MAX = 1024 };

static bool ends_with(const char *s, const char *end)
{
    const size_t n = strlen(s), m = strlen(end);
    return n > m && strcmp(s + n - m, end) == 0;
}

static void add(struct cascade_known *k, const struct config_expert *x)
{
    struct known *to = &k->known[k->n];
    struct err err = { 0 };
    struct card *card = NULL;
    *to = (struct known){ .file = x->path, .node = x->node };
    if (x->path && ends_with(x->path, ".gguf")) {
        const char *slash = strrchr(x->path, '/'), *base = slash ? slash + 1 : x->path;
        snprintf(to->id, sizeof(to->id), "%.*s", (int)(strlen(base) - 5), base);
        to->tasks = EXPERT_CHAT;
        k->n++;
        return;
    }
    if (x->path && !x->has_changes && (ends_with(x->path, ".yaml") || ends_with(x->path, ".yml")))
        card = card_read(x->path, k->env->models_dir, &err);
    else if (!x->path && x->node)
        card = card_from_node(k->config->yaml, x->node, k->config->dir, k->env->models_dir, &err);
    if (!card) {
        if (err.code != ERR_NONE)
            log_info("%s", err.text);
        return; /* folders and cards with changes: `tutti serve` knows them */
    }
    snprintf(to->id, sizeof(to->id), "%s", card->id);
    const struct yaml_node *sees = yaml_get(card->node, "sees");
    to->tasks = card->task;
    to->sees = sees && sees->text && strcmp(sees->text, "true") == 0;
    k->n++;
    card_free(card);
}

static void read_config(struct cascade_known *k)
{
    struct err err = { 0 };
    if (k->is_read)
        return;
    k->is_read = true;
    if (!(k->config = config_read(k->path, &err))) {
        log_warn("%s", err.text);
        return;
    }
    for (int i = 0; i < k->config->n_experts; i++)
        add(k, &k->config->experts[i]);
}

static struct known *find(struct cascade_known *k, const char *id)
{
    read_config(k);
    for (int i = 0; i < k->n; i++)
        if (strcmp(k->known[i].id, id) == 0)
            return &k->known[i];
    return NULL;
}

static int goal_of(const char *id)
{
    for (int g = 0; g < ROUTE_GOAL_COUNT; g++)
        if (strcmp(router_expert_id((enum route_goal)g), id) == 0)
            return g;
    return -1;
}

static struct cluster *cluster_of(struct cascade_known *k) { return k->cluster ? k->cluster(k->cluster_ctx) : NULL; }

/* What experts of other nodes can do. */
static unsigned tasks_elsewhere(struct cascade_known *k, bool sees)
{
    struct cluster *c = cluster_of(k);
    struct candidate *list = c ? calloc(CANDIDATES_MAX, sizeof(*list)) : NULL;
    const int n = list ? cluster_get_candidates(c, list, CANDIDATES_MAX) : 0;
    unsigned tasks = 0;
    for (int i = 0; i < n; i++)
        tasks |= list[i].sees || !sees ? list[i].tasks : list[i].tasks & ~(unsigned)EXPERT_CHAT;
    free(list);
    return tasks;
}

static bool look(void *ctx, const char *id, bool sees, unsigned *tasks)
{
    struct cascade_known *k = ctx;
    const struct known *x = find(k, id);
    *tasks = x ? x->tasks : 0;
    for (int i = 0; !x && goal_of(id) >= 0 && i < k->n; i++)
        *tasks |= k->known[i].sees || !sees ? k->known[i].tasks : k->known[i].tasks & ~(unsigned)EXPERT_CHAT;
    if (!x && goal_of(id) >= 0)
        *tasks |= tasks_elsewhere(k, sees);
    return *tasks != 0;
}

static struct expert *open_known(struct cascade_known *k, struct known *x, struct err *err)
{
    if (!x->e && x->file) {
        x->e = expert_open(x->file, k->env, err);
    } else if (!x->e) {
        struct card *card = card_from_node(k->config->yaml, x->node, k->config->dir, k->env->models_dir, err);
        x->e = card ? expert_open_card(card, k->env, err) : NULL;
    }
    return x->e;
}

static bool make_router(struct cascade_known *k, struct err *err)
{
    struct expert *all[CONFIG_EXPERTS_MAX];
    int n = 0;
    for (int i = 0; i < k->n; i++) {
        struct err why = { 0 };
        if ((all[n] = open_known(k, &k->known[i], &why)))
            n++;
        else
            log_warn("%s: %s", k->known[i].id, why.text);
    }
    if (!(k->policy = policy_new(err)) || !(k->predictor = predictor_new(err)))
        return false;
    const struct router_env env = { .policy = k->policy, .predictor = k->predictor };
    if (!(k->router = router_new(&env, all, n, err)))
        return false;
    struct cluster *c = cluster_of(k);
    if (c && !cluster_feed(c, k->router, err))
        return false;
    k->fed = c;
    return true;
}

static struct expert *get(void *ctx, const char *id, struct err *err)
{
    struct cascade_known *k = ctx;
    struct known *x = find(k, id);
    if (x)
        return open_known(k, x, err);
    if (goal_of(id) < 0)
        return err_null(err, ERR_NOT_FOUND, "'%s' is no expert of tutti.yaml", id);
    return k->router || make_router(k, err) ? router_expert(k->router, (enum route_goal)goal_of(id)) : NULL;
}

static const char *near(void *ctx, const char *id)
{
    struct cascade_known *k = ctx;
    const char *names[CONFIG_EXPERTS_MAX + 1];
    read_config(k);
    for (int i = 0; i < k->n; i++)
        names[i] = k->known[i].id;
    names[k->n] = NULL;
    return yaml_nearest(id, names);
}

struct cascade_known *cascade_known_new(const char *path, const struct expert_env *env, struct err *err)
{
    struct cascade_known *k = calloc(1, sizeof(*k));
    if (!k)
        return err_null(err, ERR_NOMEM, "no memory");
    k->path = path, k->env = env;
    return k;
}

void cascade_known_free(struct cascade_known *k)
{
    if (k && k->fed)
        cluster_unfeed(k->fed);
    if (k) {
        router_free(k->router);
        predictor_free(k->predictor);
        policy_free(k->policy);
    }
    for (int i = 0; k && i < k->n; i++)
        expert_free(k->known[i].e);
    if (k)
        config_free(k->config);
    free(k);
}

const struct config *cascade_known_config(void *ctx)
{
    struct cascade_known *k = ctx;
    read_config(k);
    return k->config;
}

void cascade_known_set_cluster(struct cascade_known *k, struct cluster *(*cluster)(void *ctx), void *ctx) { k->cluster = cluster, k->cluster_ctx = ctx; }

struct cascade_ids cascade_known_ids(struct cascade_known *k) { return (struct cascade_ids){ k, look, get, near }; }
