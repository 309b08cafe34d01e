/* cmd/route_world.c - see route_world.h. */
#include "cmd/route_world.h"

#include <stdlib.h>
#include <string.h>

#include "advise/device.h"
#include "base/clock.h"
#include "cmd/catalog_open.h"
#include "cmd/expert_env.h"
#include "route/fleet.h"
#include "route/journal.h"
#include "route/live.h"
#include "route/predict.h"
#include "route/telemetry.h"
#include "rehearse/simulate.h"
#include "serve/bundled.h"
#include "serve/config.h"
#include "serve/registry.h"

struct route_world {
    struct catalog *catalog;
    struct fleet *fleet; /* NULL: the experts of tutti.yaml */
    struct config *config;
    struct bundled bundled;
    struct cmd_expert_env env;
    struct registry registry;
    struct live live;
    struct candidates world;
    struct predictor *predictor; /* NULL: nothing was learned here */
};

void route_world_free(struct route_world *w)
{
    if (!w)
        return;
    predictor_free(w->predictor);
    registry_fini(&w->registry);
    cmd_expert_env_fini(&w->env);
    bundled_fini(&w->bundled);
    config_free(w->config);
    fleet_free(w->fleet);
    catalog_free(w->catalog);
    live_fini(&w->live);
    free(w);
}

/* This machine as it fares at the moment. */
static void look_at_machine(struct route_node *node)
{
    struct err ignored = { 0 };
    struct telemetry t;
    struct telemetry_source *s = telemetry_open("", &ignored);
    if (!s)
        return;
    telemetry_read(s, clock_ns(), &t);
    telemetry_to_node(&t, node);
    telemetry_close(s);
}

/* What a service of this user has learned about its experts; a journal that is not there or cannot be read has taught nothing. */
static void recall(struct route_world *w)
{
    char path[1024];
    struct err ignored = { 0 };
    size_t n = 0;
    struct journal_reader *j = journal_path(getenv("XDG_STATE_HOME"), getenv("HOME"), path, sizeof(path)) ? journal_reader_open(path, &ignored) : NULL;
    char *text = j ? journal_kept(j, "predictor", &n, &ignored) : NULL;
    if (text && (w->predictor = predictor_new(&ignored)) != NULL)
        predictor_take(w->predictor, &w->world, text, n, &ignored);
    free(text);
    journal_reader_close(j);
}

/* Experts are opened, not loaded: what a service of this tutti.yaml would have, all of it warm and idle. */
static bool open_experts(struct route_world *w, const char *path, struct err *err)
{
    enum { DEVICES = 16 };
    struct device devices[DEVICES];
    if (!(w->config = config_read(path, err)))
        return false;
    if (w->config->n_experts == 0 && (!bundled_find(&w->bundled, err) || !config_set_experts(w->config, w->bundled.n, w->bundled.path, err)))
        return false;
    cmd_expert_env(&w->env, NULL);
    registry_env(w->config, &w->env.env);
    w->env.env.llm.is_lazy = true;
    w->env.env.is_quiet = true;
    if (!cmd_expert_env_machine(&w->env, config_text(w->config, CONFIG_PRESET), config_number(w->config, CONFIG_MEMORY), err) ||
        !registry_open(&w->registry, w->config, &w->env.env, err))
        return false;
    const int n = devices_of_machine(devices, DEVICES, w->catalog, w->env.machine);
    bool is_another;
    if (!live_init(&w->live, n > 0 ? &devices[n - 1].plan : NULL, err)) /* the last is the CPU, on which our engine runs */
        return false;
    for (int i = 0; i < w->registry.n_experts; i++)
        if (live_add(&w->live, w->registry.experts[i], NULL, NULL, false, &is_another, err) < 0)
            return false;
    live_look(&w->live);
    w->world = w->live.world;
    for (int i = 0; i < w->world.n; i++)
        w->world.list[i].is_warm = true;
    look_at_machine(&w->world.nodes[0]);
    recall(w);
    return true;
}

struct route_world *route_world_open(struct cmd_opt *opts, struct err *err)
{
    const char *path = cmd_opt_find(opts, "fleet")->s;
    struct route_world *w = calloc(1, sizeof(*w));
    bool ok = w ? true : err_set(err, ERR_NOMEM, "route: out of memory");
    ok = ok && (w->catalog = cmd_catalog_open(opts, err)) != NULL;
    if (ok && path) {
        ok = (w->fleet = strcmp(path, "fifty") == 0 ? fleet_shipped(w->catalog, err) : fleet_read(path, w->catalog, &sim_keys, err)) != NULL;
        if (ok && (w->fleet->n > ROUTE_CANDIDATES_MAX || w->fleet->n_nodes > ROUTE_NODES_MAX))
            ok = err_set(err, ERR_LIMIT, "%s: %d experts on %d nodes: at most %d on %d can be shown; `tutti route simulate` takes more", path, w->fleet->n, w->fleet->n_nodes,
                         ROUTE_CANDIDATES_MAX, ROUTE_NODES_MAX);
        if (ok)
            w->world = fleet_world(w->fleet);
    } else if (ok) {
        ok = open_experts(w, cmd_opt_find(opts, "config")->s, err);
    }
    if (ok)
        return w;
    route_world_free(w);
    return NULL;
}

const struct predictor *route_world_predictor(const struct route_world *w) { return w->predictor; }
struct candidates route_world_of(struct route_world *w) { return w->world; }
const struct policy *route_world_policy(const struct route_world *w) { return w->config ? w->config->policy : NULL; }
