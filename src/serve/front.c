/* serve/front.c - a request's first steps: who asks, may they, which handler; and the pages that are ours:
 * /, /healthz, /metrics, /topology.  Start at front_on_request(). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/audio.h"
#include "api/experts.h"
#include "api/oip.h"
#include "api/openai.h"
#include "api/vision.h"
#include "net/grpc.h"
#include "serve/metrics.h"
#include "serve/serve_internal.h"
#include "serve/topology.h"
#include "serve/warm.h"

const char *front_put_error(void *ctx, int status, const char *text, struct buf *body)
{
    struct openai_error e = { 0 };
    (void)ctx;
    openai_fail(&e, status, status == 413 ? "limit_exceeded" : NULL, NULL, "%s", text);
    openai_put_error(body, &e);
    return "application/json";
}

static struct serve *serve_of(const struct api_call *call)
{
    return (struct serve *)(void *)((char *)call->env - offsetof(struct serve, env));
}

/* ---- our own pages ---- */

static void get_page(const struct api_call *call, const struct http_head *head)
{
    const struct api_env *env = call->env;
    struct buf b;
    (void)head;
    buf_init(&b, 1 << 20);
    buf_printf(&b, "tutti %s serves the OpenAI API here.\n\nexperts:\n", TUTTI_VERSION);
    for (int i = 0; i < env->n_models; i++) {
        struct expert_card card;
        char tasks[200];
        expert_get_card(env->models[i].expert, &card);
        experts_name_tasks(card.tasks, ", ", tasks, sizeof(tasks));
        buf_printf(&b, "  %-32s %-8s %s\n", env->models[i].id, expert_state_name(expert_get_state(env->models[i].expert)), tasks);
    }
    buf_puts(&b, "\nPOST /v1/chat/completions          POST /v1/completions        POST /v1/embeddings\n"
                 "POST /v1/audio/transcriptions      POST /v1/audio/speech\n"
                 "POST /v1/tutti/vision/{classify,detect,faces,segment,ocr,embed,describe}\n"
                 "GET  /v1/models   GET  /v1/tutti/experts   GET  /v1/tutti/cluster\n"
                 "GET  /healthz     GET  /metrics\n");
    api_take_and_send(call, 200, "text/plain; charset=utf-8", &b);
    buf_fini(&b);
}

static void get_health(const struct api_call *call, const struct http_head *head)
{
    const struct api_env *env = call->env;
    const struct serve *s = serve_of(call);
    const bool was_ready = s->was_ready; /* experts that are loaded when they are asked do not end that */
    int n_up = 0, n_loading = 0;
    const char *status = "ok";
    struct buf b;
    (void)head;
    buf_init(&b, 1 << 20);
    for (int i = 0; i < env->n_models; i++) {
        const enum expert_state st = expert_get_state(env->models[i].expert);
        n_loading += st == EXPERT_LOADING;
        n_up += (st != EXPERT_LOADING || was_ready) && st != EXPERT_DOWN;
    }
    if (env->is_draining)
        status = "shutting down";
    else if ((n_loading > 0 || !warmer_is_done(s->warmer)) && !was_ready)
        status = "loading";
    else if (n_up == 0)
        status = "down";
    else if (n_up < env->n_models)
        status = "degraded";
    buf_printf(&b, "{\"status\":\"%s\",\"models\":{", status);
    for (int i = 0; i < env->n_models; i++) {
        struct expert_metrics m;
        expert_get_metrics(env->models[i].expert, &m);
        if (i > 0)
            buf_putc(&b, ',');
        buf_put_json_text(&b, env->models[i].id);
        buf_putc(&b, ':');
        const char *name = expert_state_name(m.state);
        char text[320];
        snprintf(text, sizeof(text), "%s%s%s", name, m.state == EXPERT_DOWN ? ": " : "", m.state == EXPERT_DOWN ? m.why : "");
        buf_put_json_text(&b, text);
    }
    buf_puts(&b, "}}\n");
    const bool is_ready = !env->is_draining && (was_ready || (n_loading == 0 && warmer_is_done(s->warmer))) && n_up > 0;
    api_take_and_send(call, is_ready ? 200 : 503, "application/json", &b);
    buf_fini(&b);
}

static void get_metrics(const struct api_call *call, const struct http_head *head)
{
    const struct serve *s = serve_of(call);
    struct buf b;
    buf_init(&b, 8 << 20);
    const struct metrics_source from = { .env = &s->env, .server = s->server, .keeper = s->config.keeper, .machine = s->machine, .nodes = s->nodes, .started_s = s->started_s };
    metrics_put(&b, &from, strcmp(head->query, "names=vllm") == 0 ? "vllm:" : "tutti_");
    api_take_and_send(call, 200, "text/plain; version=0.0.4; charset=utf-8", &b);
    buf_fini(&b);
}

static void get_cluster(const struct api_call *call, const struct http_head *head)
{
    struct buf b;
    (void)head;
    buf_init(&b, 32 << 20);
    serve_nodes_put_json(serve_of(call)->nodes, &b);
    api_take_and_send(call, 200, "application/json", &b);
    buf_fini(&b);
}

static void get_topology(const struct api_call *call, const struct http_head *head) { topology_get_page(serve_of(call), call, head); }
static void get_topology_json(const struct api_call *call, const struct http_head *head)
{
    (void)head;
    topology_get_json(serve_of(call), call);
}

static const struct api_route own_routes[] = {
    { "/", 1 << HTTP_VERB_GET, get_page },
    { "/health", 1 << HTTP_VERB_GET, get_health }, /* as llama-server calls it */
    { "/healthz", 1 << HTTP_VERB_GET, get_health },
    { "/metrics", 1 << HTTP_VERB_GET, get_metrics },
    { "/topology", 1 << HTTP_VERB_GET, get_topology },
    { "/topology.json", 1 << HTTP_VERB_GET, get_topology_json },
    { "/v1/tutti/cluster", 1 << HTTP_VERB_GET, get_cluster },
};

static const struct api_route *find_in(const struct api_route *routes, int n_routes, const char *path)
{
    for (int i = 0; i < n_routes; i++) {
        const size_t n = strlen(routes[i].path);
        const bool is_below = n > 1 && routes[i].path[n - 1] == '/' && path[0] && strncmp(path, routes[i].path, n) == 0;
        if (is_below || strcmp(path, routes[i].path) == 0)
            return &routes[i];
    }
    return NULL;
}

static const struct api_route *find_route(const char *path)
{
    const struct {
        const struct api_route *routes;
        int n;
    } tables[] = {
        { openai_routes, openai_n_routes }, { audio_routes, audio_n_routes }, { vision_routes, vision_n_routes }, { experts_routes, experts_n_routes },
        { oip_routes, oip_n_routes }, { own_routes, sizeof(own_routes) / sizeof(own_routes[0]) },
    };
    const struct api_route *r = NULL;
    for (size_t i = 0; !r && i < sizeof(tables) / sizeof(tables[0]); i++)
        r = find_in(tables[i].routes, tables[i].n, path);
    return r;
}

/* ---- who asks ---- */

static bool is_sane_id(const char *s)
{
    size_t n = 0;
    for (; s[n]; n++)
        if (n >= API_REQUEST_ID_MAX || !strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:", s[n]))
            return false;
    return n > 0;
}

/* A page of this machine, or a program that shows web pages of its own (app://, vscode-webview://). */
static bool is_local_origin(const char *o)
{
    const char *host = strncmp(o, "http://", 7) == 0 ? o + 7 : strncmp(o, "https://", 8) == 0 ? o + 8 : NULL;
    if (!host)
        return strstr(o, "://") != NULL && strncmp(o, "file:", 5) != 0;
    static const char *const names[] = { "localhost", "127.0.0.1", "[::1]" };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const size_t n = strlen(names[i]);
        if (strncasecmp(host, names[i], n) == 0 && (host[n] == '\0' || host[n] == ':'))
            return true;
    }
    return false;
}

/* false when a web page from elsewhere asks: without keys the service is for this machine alone, and any
 * page that its user visits could otherwise use it. */
static bool check_origin(const struct serve *s, const struct http_head *head, struct api_call *call)
{
    const char *o = http_head_get(head, "origin");
    if (!o)
        return true;
    if (!s->keys && !is_local_origin(o))
        return false;
    if (strlen(o) <= API_ORIGIN_MAX)
        memcpy(call->origin, o, strlen(o) + 1);
    return true;
}

static int put_allow(unsigned verbs, char *out, size_t max)
{
    int n = 0;
    out[0] = '\0';
    if (verbs & 1 << HTTP_VERB_GET)
        verbs |= 1 << HTTP_VERB_HEAD;
    verbs |= 1 << HTTP_VERB_OPTIONS;
    for (int v = 0; v < HTTP_VERB_COUNT; v++)
        if (verbs & 1u << v)
            n += snprintf(out + n, max - (size_t)n, "%s%s", n ? ", " : "", http_verb_name((enum http_verb)v));
    return n;
}

/* Has it been answered in gRPC's way, where errors are no HTTP status? */
static bool refuse_grpc(const struct serve *s, const struct api_call *call, const struct http_head *head, const struct api_route *r, bool is_open)
{
    if (!grpc_is_call(head) || !http_stream_is_h2(call->stream))
        return false;
    if (s->keys && !is_open && !keys_allow(s->keys, head))
        oip_grpc_refuse(call, 401, "a key is needed that is known here: metadata 'authorization: Bearer KEY' or 'x-api-key: KEY'");
    else if (!r)
        oip_grpc_unknown(call, head);
    else
        return false;
    return true;
}

static void refuse(const struct api_call *call, int status, const char *code, const struct http_field *more, int n_more,
                   const char *text, const char *what)
{
    struct openai_error e = { 0 };
    openai_fail(&e, status, code, NULL, text, what);
    openai_refuse(call, &e, more, n_more);
}

static void answer_options(const struct api_call *call, const char *allow)
{
    const struct http_field fields[] = {
        { "allow", allow },
        { "access-control-allow-methods", allow },
        { "access-control-allow-headers", "authorization, content-type, x-api-key, x-request-id, openai-organization, openai-project, openai-beta, tutti-security-level, tutti-deadline-ms, tutti-ttft-ms, tutti-budget-usd, tutti-budget-joules, tutti-quality, tutti-degrade, x-stainless-arch, x-stainless-async, x-stainless-lang, x-stainless-os, x-stainless-package-version, x-stainless-retry-count, x-stainless-runtime, x-stainless-runtime-version, x-stainless-timeout" },
        { "access-control-max-age", "600" },
    };
    api_take_and_reply(call, 204, "text/plain", "", 0, fields, call->origin[0] ? 4 : 1);
}

void front_on_request(void *ctx, struct http_stream *stream, const struct http_head *head)
{
    struct serve *s = ctx;
    struct api_call call = { .env = &s->env, .stream = stream };
    const char *id = http_head_get(head, "x-request-id");
    if (id && is_sane_id(id))
        memcpy(call.request_id, id, strlen(id) + 1);
    else
        api_make_id(&s->env, "req_", call.request_id, sizeof(call.request_id));

    if (!check_origin(s, head, &call)) {
        refuse(&call, 403, "origin_not_allowed", NULL, 0,
               "a web page of '%.100s' may not use this service: it was started without a key file", http_head_get(head, "origin"));
        return;
    }
    const struct api_route *r = find_route(head->path);
    char allow[96];
    put_allow(r ? r->verbs : 1 << HTTP_VERB_GET | 1 << HTTP_VERB_POST, allow, sizeof(allow));
    if (head->verb == HTTP_VERB_OPTIONS && (r || strcmp(head->path, "*") == 0)) {
        answer_options(&call, allow);
        return;
    }
    const bool is_open = (r && r->handle == get_health) || oip_is_open(head->path) || *http_stream_peer(stream); /* a node of ours */
    if (refuse_grpc(s, &call, head, r, is_open))
        return;
    if (s->keys && !is_open && !keys_allow(s->keys, head)) {
        const struct http_field want = { "www-authenticate", "Bearer" };
        if (r && r->handle == get_topology && head->verb == HTTP_VERB_GET && !*head->query) { /* a browser: the page asks for the key, and tells nothing */
            topology_get_locked(&call);
            return;
        }
        refuse(&call, 401, "invalid_api_key", &want, 1, "%s",
               http_head_get(head, "authorization") || http_head_get(head, "x-api-key")
                   ? "this key is not known here"
                   : "a key is needed: send 'Authorization: Bearer KEY' or 'x-api-key: KEY'");
        return;
    }
    if (!r) {
        refuse(&call, 404, "not_found", NULL, 0, "there is nothing at %.200s; GET / lists what there is", head->path);
        return;
    }
    const enum http_verb verb = head->verb == HTTP_VERB_HEAD ? HTTP_VERB_GET : head->verb;
    if (!(r->verbs & 1u << verb)) {
        const struct http_field field = { "allow", allow };
        refuse(&call, 405, "method_not_allowed", &field, 1, "%s is not possible here", http_verb_name(head->verb));
        return;
    }
    if (head->verb == HTTP_VERB_POST)
        serve_nodes_poke(s->nodes);
    r->handle(&call, head);
}
