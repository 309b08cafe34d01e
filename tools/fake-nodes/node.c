/* fake-nodes/node.c - what a fake node says of itself: Describe, and Watch once a second and soon after something changed. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/list.h"
#include "expert/expert.h"
#include "nodes.h"
#include "route/candidate.h"
#include "wire/node_pb.h"

enum { CALM_MS = 1000, NEWS_MS = 100, MESSAGE_MAX_BYTES = 4096 };
static const float AMBIENT_C = 35, FULL_C = 30 /* warmer at full load */, LIMIT_C = 85, IDLE_W = 4, BUSY_W = 15;

static float busy_of(const struct node *n) { return n->all->o.slots ? fminf(1, (float)n->n_running / (float)n->all->o.slots) : 0; }

static void put_description(const struct node *n, bool is_brief, struct buf *out)
{
    const struct options *o = &n->all->o;
    const int sort = n->index % o->sorts;
    char id[80], machine[160];
    struct node_pb_description d = { .name = n->name, .version = "0.0.0-fake", .life = n->life, .edition = 1, .state_hz = 1 };
    struct node_pb_expert e = { .id = id, .kind = "llm", .runs_on = "a fake node", .tasks = o->task_bits, .privacy = EXPERT_LOCAL, .n_ctx = 4096, .n_parallel = (unsigned)o->slots,
                                .quality = (float)(o->quality + sort > 10 ? 10 : o->quality + sort), .params = 1e6 * o->params_m, .bits = 4.5f, .fixed_s = 0.001f * (float)o->ttft_ms,
                                .prefill_tok_s = o->prompt_tok_s ? (float)o->prompt_tok_s : 1e5f, .decode_tok_s = o->tok_s ? (float)o->tok_s : 1e5f,
                                .item_s = .001f * (float)(o->item_ms ? o->item_ms : 1), .sound_s_s = .01f, .busy_w = BUSY_W, .is_measured = true, .memory_bytes = (uint64_t)o->params_m << 19 };
    if (!is_brief) {
        snprintf(id, sizeof(id), sort ? "%.60s-%d" : "%.60s", o->model, sort);
        snprintf(machine, sizeof(machine), "{\"name\":\"%s\",\"fake\":true}", n->name);
        d.machine_json = machine;
        d.device_name = "fake", d.device_cls = "CPU";
        d.experts = &e, d.n_experts = 1;
    }
    node_pb_put_description(out, &d);
}

static void put_state(struct node *n, struct buf *out)
{
    const float busy = busy_of(n), aim_c = AMBIENT_C + (float)(n->index % 8) + FULL_C * busy;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    n->temperature_c += (aim_c - n->temperature_c) / 8; /* a heat sink of some seconds */
    static const unsigned char steps[ROUTE_CLASS_COUNT];
    struct node_pb_expert_state e = { .state = n->n_running ? EXPERT_BUSY : EXPERT_WARM, .n_running = (unsigned)n->n_running, .n_waiting = (unsigned)n->n_waiting, .wait_s = NAN };
    const struct node_pb_state s = { .unix_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000, .life = n->life, .edition = 1, .is_draining = n->is_draining,
                                     .temperature_c = (float)n->temperature_c, .headroom_c = LIMIT_C - (float)n->temperature_c, .power_w = IDLE_W + (BUSY_W - IDLE_W) * busy,
                                     .battery_frac = NAN, .memory_free_bytes = 4e9f, .pressure_frac = 0, .busy_frac = busy, .idle_w = IDLE_W, .joules = NAN,
                                     .steps = steps, .n_steps = ROUTE_CLASS_COUNT, .experts = &e, .n_experts = 1 };
    node_pb_put_state(out, &s);
}

static void say(struct node *n)
{
    struct nodes *all = n->all;
    buf_clear(&all->message);
    put_state(n, &all->message);
    n->said_ms = net_loop_now_ms(all->loop);
    n->has_news = false;
    for (struct watcher *w = n->watchers; w; w = w->next)
        if (!w->is_describe && !grpc_is_full(w->grpc)) {
            grpc_send(w->grpc, all->message.data, all->message.len);
            all->n_states++;
        }
}

void nodes_tick(struct nodes *all)
{
    const uint64_t now = net_loop_now_ms(all->loop);
    for (int i = 0; i < all->o.nodes; i++) {
        struct node *n = &all->list[i];
        if (n->watchers && n->fault != FAULT_HANG && now >= n->said_ms + (n->has_news ? NEWS_MS : CALM_MS))
            say(n);
    }
}

static void on_message(void *ctx, const void *message, size_t n)
{
    struct watcher *w = ctx;
    struct nodes *all = w->node->all;
    struct err err = { 0 };
    bool is_brief = false;
    if (!w->is_describe || w->node->fault == FAULT_HANG)
        return;
    arena_reset(all->arena);
    if (!node_pb_read_describe(&is_brief, message, n, all->arena, &err)) {
        grpc_finish(w->grpc, GRPC_INVALID_ARGUMENT, err.text);
        return;
    }
    all->n_described++;
    buf_clear(&all->message);
    put_description(w->node, is_brief, &all->message);
    grpc_send(w->grpc, all->message.data, all->message.len);
    grpc_finish(w->grpc, GRPC_OK, NULL);
}

static void on_call_end(void *ctx)
{
    struct watcher *w = ctx;
    if (!w->is_describe && w->node->fault != FAULT_HANG) {
        say(w->node);
        w->node->said_ms -= rng_u64(&w->node->all->rng) % (CALM_MS / 2); /* not all in the same moment of a second */
    }
}

static void on_call_close(void *ctx)
{
    struct watcher *w = ctx;
    LIST_UNLINK(w->node->watchers, w);
    free(w);
}

bool node_take(struct node *n, struct http_stream *s, const struct http_head *head)
{
    static const char service[] = "/tutti.v1.Node/";
    static const struct grpc_fns fns = { .on_message = on_message, .on_end = on_call_end, .on_close = on_call_close };
    if (!grpc_is_call(head) || strncmp(head->path, service, sizeof(service) - 1) != 0)
        return false;
    const char *method = head->path + sizeof(service) - 1;
    const bool is_describe = strcmp(method, "Describe") == 0;
    struct watcher *w = is_describe || strcmp(method, "Watch") == 0 ? calloc(1, sizeof(*w)) : NULL;
    if (!w) {
        grpc_refuse(s, GRPC_UNIMPLEMENTED, "a fake node has Describe and Watch");
        return true;
    }
    w->node = n;
    w->is_describe = is_describe;
    LIST_LINK(n->watchers, w);
    w->grpc = grpc_accept(n->all->loop, s, head, MESSAGE_MAX_BYTES, false, &fns, w);
    if (!w->grpc)
        on_call_close(w);
    return true;
}
