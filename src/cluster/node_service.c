/* cluster/node_service.c - see node_service.h; start reading at node_service_take(). */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/list.h"
#include "cluster/cluster.h"
#include "cluster/node_files.h"
#include "cluster/node_internal.h"
#include "cluster/trust.h"
#include "route/predict.h"
#include "route/steward.h"

enum { CALM_MS = 1000, BUSY_MS = 100, SLACK_MS = 60, POKE_MS = 5, MESSAGE_MAX_BYTES = 4096, CALLS_MAX = MEMBERS_MAX + 256, SEEN_ENOUGH = 3 };

static const char *const methods[NODE_METHOD_COUNT] = { "Describe", "Watch", "Fetch" };

uint64_t node_draw_life(void)
{
    uint64_t life = 0;
    if (getrandom(&life, sizeof(life), 0) != sizeof(life) || life == 0)
        life = (clock_ns() ^ (uint64_t)getpid() << 40) | 1;
    return life;
}

void node_default_name(char *out, size_t max)
{
    char host[256] = "";
    size_t n = 0;
    if (gethostname(host, sizeof(host) - 1) != 0)
        host[0] = '\0';
    for (const char *p = host; *p && *p != '.' && n + 1 < max && n < MEMBER_NAME_MAX - 1; p++) {
        const char c = (char)tolower((unsigned char)*p);
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
            out[n++] = c;
        else if (n > 0 && out[n - 1] != '-')
            out[n++] = '-';
    }
    while (n > 0 && out[n - 1] == '-')
        n--;
    out[n] = '\0';
    if (n == 0)
        snprintf(out, max, "node");
}

/* ---- what there is to say ---- */

static bool is_awake(enum expert_state s) { return s == EXPERT_WARM || s == EXPERT_BUSY; }

static bool look(struct node_service *v)
{
    bool is_news = false, is_busy = false;
    enum expert_state was[MEMBER_EXPERTS_MAX];
    for (int i = 0; i < v->n_experts; i++)
        was[i] = v->live->of[i].seen;
    live_look(v->live);
    for (int i = 0; i < v->n_experts; i++) {
        const struct candidate *c = &v->live->world.list[i];
        const enum expert_state now = v->live->of[i].seen;
        if (was[i] != now && (was[i] == EXPERT_STATE_COUNT || (is_awake(now) && !is_awake(was[i]))))
            v->edition++; /* it knows more of itself now */
        is_busy = is_busy || now == EXPERT_LOADING || now == EXPERT_BUSY || c->n_running > 0 || c->n_waiting > 0;
        is_news = is_news || v->told[i].state != now || v->told[i].has_queue != (c->n_waiting > 0);
        v->told[i].state = now;
        v->told[i].has_queue = c->n_waiting > 0;
    }
    const uint64_t files = node_files_edition(v->config.share_dir);
    v->edition += files != v->files_edition;
    v->files_edition = files;
    struct route_node *n = &v->live->world.nodes[0];
    const bool was_throttled = n->is_throttled;
    uint8_t steps[ROUTE_CLASS_COUNT];
    memcpy(steps, n->step, sizeof(steps));
    if (v->config.steward)
        steward_get_node(v->config.steward, n);
    is_news = is_news || was_throttled != n->is_throttled || memcmp(steps, n->step, sizeof(steps)) != 0;
    v->is_busy = is_busy;
    v->has_news = v->has_news || is_news; /* told by the next tick, whoever looked */
    return v->has_news;
}
bool node_service_look(struct node_service *v) { return look(v); }

/* As it was lately, where enough was seen. */
static void put_measured(const struct node_service *v, int i, struct node_pb_expert_state *e)
{
    const struct predictor *p = v->config.predictor;
    const struct candidate *c = &v->live->world.list[i];
    if (!p)
        return;
    const float ttft = predictor_n(p, i, PREDICT_TTFT) >= SEEN_ENOUGH ? predictor_factor(p, i, PREDICT_TTFT) : 0;
    if (predictor_n(p, i, PREDICT_PREFILL) >= SEEN_ENOUGH)
        e->prefill_tok_s = c->prefill_tok_s / predictor_factor(p, i, PREDICT_PREFILL);
    if (predictor_n(p, i, PREDICT_DECODE) >= SEEN_ENOUGH)
        e->decode_tok_s = c->decode_tok_s / predictor_factor(p, i, PREDICT_DECODE);
    e->item_s = c->item_s * ttft;
    e->sound_s_s = c->sound_s_s * ttft;
}

static void put_state(struct node_service *v, struct buf *out)
{
    const struct route_node *n = &v->live->world.nodes[0];
    struct node_pb_expert_state experts[MEMBER_EXPERTS_MAX];
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    const struct node_pb_state s = {
        .unix_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000, .life = v->config.life, .edition = v->edition, .revocations = v->config.trust ? trust_revocations(v->config.trust) : 0,
        .is_draining = v->is_draining, .on_battery = n->on_battery, .is_throttled = n->is_throttled,
        .temperature_c = n->temperature_c, .headroom_c = n->headroom_c, .power_w = n->power_w, .battery_frac = n->battery_frac,
        .memory_free_bytes = n->memory_free_bytes, .pressure_frac = n->pressure_frac, .busy_frac = n->busy_frac, .idle_w = n->idle_w,
        .joules = v->config.steward ? steward_joules(v->config.steward) : NAN, .steps = n->step, .n_steps = ROUTE_CLASS_COUNT, .experts = experts, .n_experts = v->n_experts,
    };
    for (int i = 0; i < v->n_experts; i++) {
        const struct candidate *c = &v->live->world.list[i];
        experts[i] = (struct node_pb_expert_state){ .state = v->live->of[i].seen, .n_running = (unsigned)c->n_running, .n_waiting = (unsigned)c->n_waiting, .wait_s = c->wait_s };
        put_measured(v, i, &experts[i]);
    }
    node_pb_put_state(out, &s);
}

static void put_description(struct node_service *v, bool is_brief, struct buf *out)
{
    struct node_pb_expert experts[MEMBER_EXPERTS_MAX];
    const char *languages[MEMBER_EXPERTS_MAX];
    struct node_pb_description d = { .name = v->config.name, .version = TUTTI_VERSION, .life = v->config.life, .edition = v->edition, .state_hz = MEMBER_HZ,
                                     .revocations = v->config.trust ? trust_revocations(v->config.trust) : 0 };
    if (is_brief) {
        node_pb_put_description(out, &d);
        return;
    }
    struct err err;
    struct expert_card *card = arena_alloc(v->arena, MEMBER_EXPERTS_MAX, sizeof(*card), &err);
    struct node_pb_model *models = arena_alloc(v->arena, NODE_PB_MODELS_MAX, sizeof(*models), &err);
    if (!card || !models) {
        out->failed = true;
        return;
    }
    look(v);
    for (int i = 0; i < v->n_experts; i++) {
        const struct candidate *c = &v->live->world.list[i];
        struct expert_metrics m;
        expert_get_card(v->live->of[i].expert, &card[i]);
        expert_get_metrics(v->live->of[i].expert, &m);
        languages[i] = card[i].languages;
        experts[i] = (struct node_pb_expert){
            .id = c->expert, .kind = c->kind, .runs_on = card[i].runs_on, .languages = &languages[i], .n_languages = card[i].languages[0] != '\0',
            .tasks = c->tasks, .privacy = c->privacy, .n_ctx = (unsigned)c->n_ctx, .input_px = (unsigned)c->input_px, .n_parallel = (unsigned)c->n_parallel,
            .sees = c->sees, .hears = c->hears, .knows_tools = c->knows_tools, .is_accelerated = c->is_accelerated, .is_measured = c->is_measured,
            .quality = c->quality, .bits = c->bits, .fixed_s = c->fixed_s, .prefill_tok_s = c->prefill_tok_s, .decode_tok_s = c->decode_tok_s, .item_s = c->item_s,
            .sound_s_s = c->sound_s_s, .load_s = c->load_s, .busy_w = c->busy_w, .usd_per_mtok_in = c->usd_per_mtok_in, .usd_per_mtok_out = c->usd_per_mtok_out,
            .usd_per_item = c->usd_per_item, .params = c->params,
            .memory_bytes = m.memory_bytes ? m.memory_bytes : card[i].weight_bytes + card[i].kv_bytes,
        };
    }
    d.experts = experts;
    d.n_experts = v->n_experts;
    d.models = models;
    d.n_models = node_files_list(v->config.share_dir, models, NODE_PB_MODELS_MAX, v->arena);
    d.machine_json = v->config.machine_json;
    d.edition = v->edition;
    if (v->config.device) {
        d.device_name = v->config.device->name;
        d.device_cls = plan_class_name(v->config.device->cls);
    }
    node_pb_put_description(out, &d);
}

/* ---- Watch ---- */

static void send_state(struct node_call *c)
{
    struct node_service *v = c->service;
    if (c->method == NODE_WATCH && c->has_ended && !grpc_is_full(c->grpc)) { /* who reads slowly gets a newer one later */
        grpc_send(c->grpc, v->state.data, v->state.len);
        v->stats.states_total++;
    }
}

static bool make_state(struct node_service *v)
{
    buf_clear(&v->state); /* keeps its memory */
    put_state(v, &v->state);
    return !v->state.failed;
}

static void look_again(struct node_service *v)
{
    if (v->n_watchers > 0)
        net_timer_start(v->tick, v->is_busy ? BUSY_MS : CALM_MS, 0);
}

static void on_tick(void *ctx)
{
    struct node_service *v = ctx;
    if (v->n_watchers == 0)
        return;
    const uint64_t now_ms = net_loop_now_ms(v->loop);
    const bool is_news = look(v);
    if ((is_news || now_ms + SLACK_MS >= v->said_ms + CALM_MS) && make_state(v)) {
        v->said_ms = now_ms;
        v->has_news = false;
        for (struct node_call *c = v->calls; c; c = c->next)
            send_state(c);
    }
    look_again(v);
}

void node_service_poke(struct node_service *v)
{
    if (v && v->n_watchers > 0 && !v->is_busy) {
        v->is_busy = true; /* once */
        net_timer_start(v->tick, POKE_MS, 0);
    }
}

void node_service_drain(struct node_service *v)
{
    if (!v || v->is_draining)
        return;
    v->is_draining = v->has_news = true;
    on_tick(v);
}

/* ---- calls ---- */

void node_call_refuse(struct node_call *c, enum grpc_status status, const char *text) { grpc_finish(c->grpc, status, text); }

static void answer_describe(struct node_call *c)
{
    struct node_service *v = c->service;
    struct err err = { 0 };
    struct buf out;
    bool is_brief;
    buf_init(&out, NODE_PB_DESCRIPTION_MAX_BYTES);
    arena_reset(v->arena);
    if (!node_pb_read_describe(&is_brief, c->message, c->n_message, v->arena, &err)) {
        node_call_refuse(c, GRPC_INVALID_ARGUMENT, err.text);
        return;
    }
    put_description(v, is_brief, &out);
    if (out.failed) {
        node_call_refuse(c, GRPC_RESOURCE_EXHAUSTED, "out of memory");
    } else {
        v->stats.described_total++;
        grpc_send(c->grpc, out.data ? out.data : "", out.len);
        grpc_finish(c->grpc, GRPC_OK, NULL);
    }
    buf_fini(&out);
}

static void begin_watch(struct node_call *c)
{
    struct node_service *v = c->service;
    look(v);
    if (v->n_watchers++ == 0) {
        v->said_ms = net_loop_now_ms(v->loop);
        v->has_news = false;
    }
    if (make_state(v))
        send_state(c);
    look_again(v);
}

static void on_message(void *ctx, const void *message, size_t n)
{
    struct node_call *c = ctx;
    if (c->n_message == 0 && n <= sizeof(c->message)) {
        memcpy(c->message, message, n);
        c->n_message = n;
    }
}

static void on_call_end(void *ctx)
{
    struct node_call *c = ctx;
    c->has_ended = true;
    switch (c->method) {
    case NODE_DESCRIBE: answer_describe(c); break;
    case NODE_WATCH: begin_watch(c); break;
    case NODE_FETCH: node_fetch_begin(c); break;
    case NODE_METHOD_COUNT: break;
    }
}

static void forget_call(struct node_call *c)
{
    struct node_service *v = c->service;
    LIST_UNLINK(v->calls, c);
    v->n_calls--;
    if (c->method == NODE_WATCH && c->has_ended && --v->n_watchers == 0)
        net_timer_stop(v->tick);
    free(c);
}

static void on_call_drain(void *ctx) { node_fetch_drain(ctx); }
static void on_call_close(void *ctx)
{
    node_fetch_close(ctx);
    forget_call(ctx);
}

bool node_service_take(struct node_service *v, struct http_stream *s, const struct http_head *head)
{
    static const char service[] = "/tutti.v1.Node/";
    static const struct grpc_fns fns = { .on_message = on_message, .on_end = on_call_end, .on_drain = on_call_drain, .on_close = on_call_close };
    int m = 0;
    if (!grpc_is_call(head) || strncmp(head->path, service, sizeof(service) - 1) != 0)
        return false;
    while (m < NODE_METHOD_COUNT && strcmp(head->path + sizeof(service) - 1, methods[m]) != 0)
        m++;
    if (m == NODE_METHOD_COUNT) {
        grpc_refuse(s, GRPC_UNIMPLEMENTED, "tutti.v1.Node has Describe, Watch and Fetch");
        return true;
    }
    struct node_call *c = v->n_calls < CALLS_MAX ? calloc(1, sizeof(*c)) : NULL;
    if (!c) {
        grpc_refuse(s, GRPC_RESOURCE_EXHAUSTED, "too many calls at a time");
        return true;
    }
    c->service = v;
    c->method = (enum node_method)m;
    LIST_LINK(v->calls, c);
    v->n_calls++;
    c->grpc = grpc_accept(v->loop, s, head, MESSAGE_MAX_BYTES, false, &fns, c);
    if (!c->grpc)
        forget_call(c);
    return true;
}

/* ---- life ---- */

struct node_service *node_service_new(struct net_loop *l, const struct node_service_config *config, struct err *err)
{
    struct node_service *v = calloc(1, sizeof(*v));
    bool ok = v != NULL || err_set(err, ERR_NOMEM, "node: out of memory");
    if (ok) {
        v->loop = l;
        v->config = *config;
        buf_init(&v->state, NODE_PB_STATE_MAX_BYTES);
        ok = (v->live = calloc(1, sizeof(*v->live))) != NULL || err_set(err, ERR_NOMEM, "node: out of memory");
    }
    ok = ok && (v->arena = arena_new(NODE_PB_ARENA_BYTES, err)) != NULL && (v->tick = net_timer_new(l, on_tick, v, err)) != NULL;
    if (ok) {
        bool is_another;
        ok = live_init(v->live, config->device, err);
        v->live->ladders = config->ladders;
        for (int i = 0; ok && i < config->n_experts && i < MEMBER_EXPERTS_MAX; i++) {
            ok = live_add(v->live, config->experts[i], NULL, NULL, false, &is_another, err) == i;
            v->told[v->n_experts++].state = EXPERT_STATE_COUNT;
        }
    }
    if (ok)
        return v;
    node_service_free(v);
    return NULL;
}

void node_service_free(struct node_service *v)
{
    if (!v)
        return;
    net_timer_free(v->tick);
    arena_free(v->arena);
    buf_fini(&v->state);
    if (v->live)
        live_fini(v->live);
    free(v->live);
    free(v);
}

void node_service_get_stats(const struct node_service *v, struct node_service_stats *out)
{
    *out = v->stats;
    out->n_watchers = v->n_watchers;
    out->n_fetches = v->n_fetches;
}
