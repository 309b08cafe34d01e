/* serve/serve.c - the life of the service; requests begin in front.c. */
#include "serve/serve.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/behind.h"
#include "base/log.h"
#include "cluster/cluster.h"
#include "pipeline/fanout.h"
#include "serve/metrics_machine.h"
#include "serve/serve_internal.h"
#include "serve/systemd.h"
#include "serve/warm.h"

enum {
    WATCH_MS = 20,       /* while models are being loaded */
    DRAIN_MS = 20,
    GOODBYE_MS = 1000,   /* for connections on which nothing is asked any more */
    FILES_WANTED = 8192, /* a connection is a file */
    FILES_SPARE = 64,
};

/* What looking at a picture, listening to a second of sound takes in a fan-out, until the router has seen it. */
static const float FANOUT_ITEM_S = 0.3f, FANOUT_SOUND_S_S = 0.15f;

/* Raises the limit of open files as far as we may; returns how many connections that allows on each of n_ports: whoever fills one of them
 * with connections that say nothing leaves the other its share. */
static int allow_connections(int wanted, int n_ports)
{
    const rlim_t files = (rlim_t)(FILES_WANTED * n_ports);
    struct rlimit lim;
    if (getrlimit(RLIMIT_NOFILE, &lim) != 0)
        return wanted;
    if (lim.rlim_cur < files) {
        lim.rlim_cur = lim.rlim_max < files ? lim.rlim_max : files;
        if (setrlimit(RLIMIT_NOFILE, &lim) != 0)
            getrlimit(RLIMIT_NOFILE, &lim);
    }
    const int most = (lim.rlim_cur > INT32_MAX ? INT32_MAX : (int)lim.rlim_cur) / n_ports - FILES_SPARE;
    return most < wanted ? (most > 8 ? most : 8) : wanted;
}

/* ---- ending ---- */

static void on_drain_tick(void *ctx)
{
    struct serve *s = ctx;
    struct http_server_stats stats;
    if (s->env.n_exchanges > 0) {
        s->quiet_since_ms = 0;
        return;
    }
    http_server_get_stats(s->server, &stats);
    const uint64_t now_ms = net_loop_now_ms(s->loop);
    if (s->quiet_since_ms == 0)
        s->quiet_since_ms = now_ms + 1;
    if (stats.n_connections == 0 || now_ms > s->quiet_since_ms + GOODBYE_MS)
        net_loop_stop(s->loop);
}

static void on_stop(void *ctx)
{
    struct serve *s = ctx;
    if (s->env.is_draining) { /* the second time */
        s->is_forced = true;
        net_loop_stop(s->loop);
        return;
    }
    s->env.is_draining = true;
    if (s->config.handles_signals)
        systemd_notify("STOPPING=1");
    if (s->config.handles_signals && s->env.n_exchanges > 0)
        log_warn("stopping after %d running requests; stop again not to wait for them", s->env.n_exchanges);
    serve_nodes_drain(s->nodes);
    http_server_drain(s->server);
    net_timer_start(s->drain, 0, DRAIN_MS);
}

bool serve_is_hasty(const struct serve *s)
{
    bool is_loading = false;
    for (int i = 0; i < s->env.n_models; i++)
        is_loading = is_loading || expert_get_state(s->models[i].expert) == EXPERT_LOADING;
    return s->is_forced || is_loading;
}

void serve_stop(struct serve *s) { net_wake_send(s->stop); }

static void reload_keys(struct serve *s)
{
    struct err err;
    struct keys *k = keys_read(s->config.key_file, &err);
    if (!k) {
        log_error("%s; the old keys stay", err.text);
        return;
    }
    keys_free(s->keys);
    s->keys = k;
}

static void reload_certificate(struct serve *s)
{
    struct err err;
    struct tls_context *tls = tls_server_new(s->config.tls_cert, s->config.tls_key, &err);
    if (tls)
        http_server_set_tls(s->server, tls);
    else
        log_error("%s; the old certificate stays", err.text);
}

static void on_hangup(void *ctx)
{
    struct serve *s = ctx;
    if (s->config.key_file)
        reload_keys(s);
    if (s->config.tls_cert && s->server)
        reload_certificate(s);
}

/* ---- beginning ---- */

/* Until no model is being loaded any more. */
static void on_watch(void *ctx)
{
    struct serve *s = ctx;
    int n_down = 0;
    if (!warmer_is_done(s->warmer))
        return;
    for (int i = 0; i < s->env.n_models; i++) {
        const enum expert_state st = expert_get_state(s->models[i].expert);
        if (st == EXPERT_LOADING)
            return;
        n_down += st == EXPERT_DOWN;
    }
    net_timer_stop(s->watch);
    behind_over(s->config.behind);
    s->was_ready = true;
    if (n_down == s->env.n_models) {
        s->all_down = true;
        net_loop_stop(s->loop);
    } else if (s->config.handles_signals) {
        systemd_notify("READY=1");
    }
}

static bool make_models(struct serve *s, struct err *err)
{
    const int n = s->config.n_experts;
    s->models = calloc((size_t)n + 1, sizeof(*s->models));
    s->cards = calloc((size_t)n + 1, sizeof(*s->cards));
    if (!s->models || !s->cards)
        return err_set(err, ERR_NOMEM, "serve: out of memory");
    for (int i = 0; i < n; i++) {
        expert_get_card(s->config.experts[i], &s->cards[i]);
        for (int k = 0; k < i; k++)
            if (strcmp(s->cards[k].id, s->cards[i].id) == 0)
                return err_set(err, ERR_INPUT, "two models are called '%s'", s->cards[i].id);
        s->models[i] = (struct api_model){ .id = s->cards[i].id, .expert = s->config.experts[i] };
    }
    s->aliases = calloc((size_t)s->config.n_aliases + 1, sizeof(*s->aliases));
    if (!s->aliases)
        return err_set(err, ERR_NOMEM, "serve: out of memory");
    for (int i = 0; i < s->config.n_aliases; i++) {
        const struct serve_alias *a = &s->config.aliases[i];
        s->aliases[i].id = a->name;
        for (int k = 0; k < n; k++) {
            if (strcmp(s->cards[k].id, a->expert) == 0)
                s->aliases[i].model = &s->models[k];
            if (strcmp(s->cards[k].id, a->name) == 0)
                return err_set(err, ERR_INPUT, "alias %s: an expert has this name", a->name);
        }
        if (!s->aliases[i].model)
            return err_set(err, ERR_INPUT, "alias %s: there is no expert '%s'", a->name, a->expert);
    }
    return true;
}

static unsigned tasks_elsewhere(void *cluster, enum expert_privacy most) { return cluster_get_tasks(cluster, most); }

/* Where experts see or hear, here or at other nodes: several of them answer as one what is asked about a picture or a recording. */
static bool add_fanout(struct serve *s, struct err *err)
{
    struct cluster *others = s->config.node ? s->config.node->cluster : NULL;
    const struct fanout_env env = { .elsewhere = others ? tasks_elsewhere : NULL, .elsewhere_ctx = others,
                                    .experts = s->config.experts, .n_experts = s->config.n_experts, .router = router_expert_for_pieces(s->router, ROUTE_BALANCED) };
    const struct candidate hint = { .item_s = FANOUT_ITEM_S, .sound_s_s = FANOUT_SOUND_S_S };
    struct expert_card card;
    if (!(s->fanout = fanout_open(&env, err)))
        return false;
    expert_get_card(s->fanout, &card);
    return (!card.sees && !card.hears && !others) || router_add(s->router, s->fanout, &hint, true, err);
}

/* "auto" and its kin, above all experts.  A model of that name keeps it. */
static bool make_router(struct serve *s, struct err *err)
{
    struct router_env env = s->config.route ? *s->config.route : (struct router_env){ 0 };
    if (s->config.n_experts == 0 && !(s->config.node && s->config.node->cluster)) /* other nodes have some */
        return true;
    if (!env.policy && !(env.policy = s->policy = policy_new(err)))
        return false;
    if (!env.predictor && !(env.predictor = s->predictor = predictor_new(err)))
        return false;
    if (!(s->router = router_new(&env, s->config.experts, s->config.n_experts, err)) || !add_fanout(s, err))
        return false;
    s->env.router = s->router;
    s->env.steward = s->config.steward;
    s->env.autos = s->autos;
    for (int g = 0; g < ROUTE_GOAL_COUNT; g++) {
        const char *id = router_expert_id((enum route_goal)g);
        if (!api_find_model(&s->env, id))
            s->autos[s->env.n_autos++] = (struct api_model){ .id = id, .expert = router_expert(s->router, (enum route_goal)g) };
    }
    return true;
}

static bool listen_somewhere(struct serve *s, struct err *err)
{
    if (s->config.tls_cert) {
        struct tls_context *tls = tls_server_new(s->config.tls_cert, s->config.tls_key, err);
        if (!tls)
            return false;
        http_server_set_tls(s->server, tls);
    }
    const int n_sockets = s->config.handles_signals ? systemd_n_sockets() : 0;
    if (n_sockets == 0) {
        bool ok = http_server_listen(s->server, &s->config.listen, &s->addr, err);
        for (int i = 0; ok && i < s->config.n_more; i++)
            ok = http_server_listen(s->server, &s->config.more[i], NULL, err);
        return ok;
    }
    for (int i = 0; i < n_sockets; i++) {
        if (!http_server_listen_fd(s->server, SYSTEMD_FIRST_FD + i, &s->addr, err))
            return false;
        if (!s->addr.is_loopback && !s->keys)
            return err_set(err, ERR_INPUT, "%s (from systemd) is beyond loopback: a key file is needed", s->addr.text);
    }
    return true;
}

static bool start(struct serve *s, struct err *err)
{
    struct serve_config *k = &s->config;
    for (int i = -1; i < k->n_more; i++) {
        const struct net_addr *at = i < 0 ? &k->listen : &k->more[i];
        if (!at->is_loopback && !k->key_file)
            return err_set(err, ERR_INPUT, "listen %s: that is beyond loopback, so a key file is needed (--key-file FILE)", at->text);
    }
    if (k->key_file && !(s->keys = keys_read(k->key_file, err)))
        return false;
    if (!k->tls_cert != !k->tls_key)
        return err_set(err, ERR_INPUT, "TLS needs both, a certificate and its key (--tls-cert FILE --tls-key FILE)");
    k->http.max_connections = allow_connections(k->http.max_connections ? k->http.max_connections : 4096, k->node && k->node->listens ? 2 : 1);
    k->http.on_request = front_on_request;
    k->http.put_error = front_put_error;
    k->http.ctx = s;
    s->loop = k->node ? k->node->loop : NULL;
    s->owns_loop = !s->loop;
    if ((!s->loop && !(s->loop = net_loop_new(err))) || !make_models(s, err))
        return false;
    s->has_env = true;
    if (!api_env_init(&s->env, s->loop, s->models, k->n_experts, err))
        return false;
    s->env.aliases = s->aliases;
    s->env.n_aliases = k->n_aliases;
    if (!make_router(s, err))
        return false;
    if (k->load_wait_ms)
        s->env.load_wait_ms = k->load_wait_ms;
    if (k->http.max_body_bytes)
        s->env.body_max_bytes = (size_t)k->http.max_body_bytes;
    s->env.max_image_px = k->max_image_px;
    s->env.bodies_max_bytes = k->max_bodies_bytes;
    s->env.max_audio_s = k->max_audio_s;
    s->env.max_exchanges = k->max_requests;
    s->env.allows_remote_images = k->allows_remote_images;
    if (!(s->server = http_server_new(s->loop, &k->http, err)) || !(s->stop = net_wake_new(s->loop, on_stop, s, err)) ||
        !(s->watch = net_timer_new(s->loop, on_watch, s, err)) || !(s->drain = net_timer_new(s->loop, on_drain_tick, s, err)))
        return false;
    if (k->handles_signals && (!net_loop_on_signal(s->loop, SIGTERM, on_stop, s, err) ||
                               !net_loop_on_signal(s->loop, SIGINT, on_stop, s, err) ||
                               !net_loop_on_signal(s->loop, SIGHUP, on_hangup, s, err)))
        return false;
    const struct metrics_machine_config machine = { .behind = k->behind, .root = k->sensors, .models_dir = k->models_dir, .tls_cert = k->tls_cert, .trust = k->node ? k->node->trust : NULL };
    struct err why = { 0 };
    if (!(s->machine = metrics_machine_new(&machine, &why)))
        log_warn("%s: /metrics says nothing of the machine", why.text);
    if (k->node && !(s->nodes = serve_nodes_new(s, k->node, err)))
        return false;
    if (s->config.n_warm > 0 && !(s->warmer = warmer_new(s->config.warm, s->config.n_warm, err)))
        return false;
    net_timer_start(s->watch, 0, WATCH_MS);
    return listen_somewhere(s, err);
}

struct serve *serve_new(const struct serve_config *config, struct err *err)
{
    struct serve *s = calloc(1, sizeof(*s));
    if (!s)
        return err_null(err, ERR_NOMEM, "serve: out of memory");
    signal(SIGPIPE, SIG_IGN);
    s->config = *config;
    s->started_s = (int64_t)time(NULL);
    if (start(s, err))
        return s;
    serve_free(s);
    return NULL;
}

const struct net_addr *serve_addr(const struct serve *s) { return &s->addr; }
const struct net_addr *serve_node_addr(const struct serve *s) { return serve_nodes_addr(s->nodes); }

struct router *serve_router(struct serve *s) { return s->router; }

bool serve_run(struct serve *s)
{
    net_loop_run(s->loop);
    return !s->all_down;
}

void serve_free(struct serve *s)
{
    if (!s)
        return;
    s->env.is_draining = true; /* a signal from here on finds nothing to do */
    net_wake_free(s->stop);    /* the loop goes on for a moment: nothing may look at the server any more */
    net_timer_free(s->watch);
    net_timer_free(s->drain);
    metrics_machine_free(s->machine);
    s->machine = NULL;
    topology_free(s->topology);
    serve_nodes_free(s->nodes);
    http_server_free(s->server); /* every stream hears of it, and cancels its job */
    if (s->router)
        expert_stop(router_expert(s->router, ROUTE_BALANCED), 0); /* before those that it asks */
    if (s->fanout)
        expert_stop(s->fanout, 0);
    for (int i = 0; s->has_env && i < s->env.n_models; i++)
        expert_stop(s->models[i].expert, 0); /* afterwards no event comes */
    warmer_free(s->warmer);
    if (s->has_env)
        api_env_fini(&s->env);
    router_free(s->router);
    expert_free(s->fanout);
    predictor_free(s->predictor);
    policy_free(s->policy);
    if (s->owns_loop)
        net_loop_free(s->loop);
    else if (s->loop)
        net_loop_forget_signals(s->loop); /* it goes on for a moment */
    keys_free(s->keys);
    free(s->models);
    free(s->aliases);
    free(s->cards);
    free(s);
}
