/* cluster/cluster_show.c - see cluster_show.h. */
#include "cluster/cluster_show.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cluster/cluster_internal.h"
#include "cluster/node_internal.h"

/* ---- JSON ---- */

static void put_text(struct buf *out, const char *key, const char *s)
{
    buf_printf(out, "\"%s\":", key);
    if (*s)
        buf_put_json_text(out, s);
    else
        buf_puts(out, "null");
    buf_putc(out, ',');
}

/* null for what is not known. */
static void put_figure(struct buf *out, const char *key, double v)
{
    if (isfinite(v))
        buf_printf(out, "\"%s\":%.6g,", key, v);
    else
        buf_printf(out, "\"%s\":null,", key);
}
static void put_speed(struct buf *out, const char *key, double v) { put_figure(out, key, v > 0 ? v : NAN); }
static void put_bool(struct buf *out, const char *key, bool v) { buf_printf(out, "\"%s\":%s,", key, v ? "true" : "false"); }
static void put_count(struct buf *out, const char *key, uint64_t v) { buf_printf(out, "\"%s\":%" PRIu64 ",", key, v); }

static void put_expert(struct buf *out, const struct candidate *c, enum expert_state state, const char *runs_on, uint64_t memory_bytes)
{
    buf_putc(out, '{');
    put_text(out, "id", c->expert);
    put_text(out, "kind", c->kind);
    buf_puts(out, "\"tasks\":[");
    bool has_more = false;
    for (int i = 0; i < EXPERT_TASK_COUNT; i++)
        if (c->tasks & 1u << i) {
            buf_printf(out, "%s\"%s\"", has_more ? "," : "", expert_task_name((enum expert_task)(1 << i)));
            has_more = true;
        }
    buf_puts(out, "],");
    put_text(out, "state", expert_state_name(state));
    put_count(out, "n_running", (uint64_t)c->n_running);
    put_count(out, "n_waiting", (uint64_t)c->n_waiting);
    put_text(out, "runs_on", runs_on);
    put_speed(out, "memory_bytes", (double)memory_bytes);
    put_speed(out, "prefill_tok_s", (double)c->prefill_tok_s);
    put_speed(out, "decode_tok_s", (double)c->decode_tok_s);
    put_speed(out, "item_s", (double)c->item_s);
    put_speed(out, "sound_s_s", (double)c->sound_s_s);
    buf_printf(out, "\"is_measured\":%s}", c->is_measured ? "true" : "false");
}

static void put_node(struct buf *out, const struct route_node *n)
{
    put_figure(out, "temperature_c", (double)n->temperature_c);
    put_figure(out, "headroom_c", (double)n->headroom_c);
    put_figure(out, "power_w", (double)n->power_w);
    put_figure(out, "battery_frac", (double)n->battery_frac);
    put_bool(out, "on_battery", n->on_battery);
    put_figure(out, "memory_free_bytes", (double)n->memory_free_bytes);
    put_figure(out, "pressure_frac", (double)n->pressure_frac);
    put_figure(out, "busy_frac", (double)n->busy_frac);
    put_bool(out, "is_throttled", n->is_throttled);
}

static void put_models(struct buf *out, const struct node_pb_model *list, int n)
{
    buf_puts(out, "\"models\":[");
    for (int i = 0; i < n; i++) {
        buf_puts(out, i ? ",{\"name\":" : "{\"name\":");
        buf_put_json_text(out, list[i].name);
        buf_printf(out, ",\"bytes\":%" PRIu64 "}", list[i].bytes);
    }
    buf_puts(out, "],");
}

static void put_member(struct buf *out, const struct member_node *n, uint64_t now_ns)
{
    const struct member *m = &n->said;
    int n_warm = 0, n_running = 0, n_waiting = 0;
    buf_putc(out, '{');
    put_text(out, "name", m->name);
    put_text(out, "url", m->url);
    put_text(out, "state", member_state_name(m->state));
    put_text(out, "why", m->why);
    put_text(out, "version", m->version);
    buf_printf(out, "\"life\":\"%016" PRIx64 "\",", m->life);
    put_figure(out, "age_s", n->heard_ns ? (double)(now_ns - n->heard_ns) / 1e9 : NAN);
    put_figure(out, "rtt_s", m->rtt_s);
    put_text(out, "device", n->device);
    put_text(out, "device_class", n->device_cls);
    put_node(out, &m->node);
    for (int i = 0; i < n->n_experts; i++) {
        n_warm += n->experts[i].c.is_warm;
        n_running += n->experts[i].c.n_running;
        n_waiting += n->experts[i].c.n_waiting;
    }
    put_count(out, "n_experts", (uint64_t)n->n_experts);
    put_count(out, "n_warm", (uint64_t)n_warm);
    put_count(out, "n_running", (uint64_t)n_running);
    put_count(out, "n_waiting", (uint64_t)n_waiting);
    buf_puts(out, "\"experts\":[");
    for (int i = 0; i < n->n_experts; i++) {
        if (i)
            buf_putc(out, ',');
        put_expert(out, &n->experts[i].c, n->experts[i].state, n->experts[i].runs_on, n->experts[i].memory_bytes);
    }
    buf_puts(out, "],");
    put_models(out, n->models, n->n_models);
    put_count(out, "jobs_total", m->jobs_total);
    put_count(out, "lost_total", m->lost_total);
    put_count(out, "bytes_out_total", m->bytes_out_total);
    buf_printf(out, "\"bytes_in_total\":%" PRIu64 "}", m->bytes_in_total);
}

static void put_self(struct buf *out, struct node_service *v)
{
    int n_warm = 0, n_running = 0, n_waiting = 0;
    if (!v) {
        buf_puts(out, "null");
        return;
    }
    node_service_look(v);
    buf_putc(out, '{');
    put_text(out, "name", v->config.name);
    put_text(out, "state", member_state_name(v->is_draining ? MEMBER_DRAINING : MEMBER_UP));
    put_text(out, "version", TUTTI_VERSION);
    buf_printf(out, "\"life\":\"%016" PRIx64 "\",", v->config.life);
    put_text(out, "device", v->config.device ? v->config.device->name : "");
    put_text(out, "device_class", v->config.device ? plan_class_name(v->config.device->cls) : "");
    put_node(out, &v->live->world.nodes[0]);
    for (int i = 0; i < v->n_experts; i++) {
        n_warm += v->live->world.list[i].is_warm;
        n_running += v->live->world.list[i].n_running;
        n_waiting += v->live->world.list[i].n_waiting;
    }
    put_count(out, "n_experts", (uint64_t)v->n_experts);
    put_count(out, "n_warm", (uint64_t)n_warm);
    put_count(out, "n_running", (uint64_t)n_running);
    put_count(out, "n_waiting", (uint64_t)n_waiting);
    put_count(out, "n_watchers", (uint64_t)v->n_watchers);
    buf_puts(out, "\"experts\":[");
    for (int i = 0; i < v->n_experts; i++) {
        struct expert_card card;
        expert_get_card(v->config.experts[i], &card);
        if (i)
            buf_putc(out, ',');
        put_expert(out, &v->live->world.list[i], v->live->of[i].seen, card.runs_on, card.weight_bytes + card.kv_bytes);
    }
    buf_puts(out, "]}");
}

void cluster_put_json(struct cluster *c, struct node_service *self, struct buf *out)
{
    const uint64_t now_ns = clock_ns();
    bool has_more = false;
    buf_puts(out, "{\"node\":");
    put_self(out, self);
    buf_puts(out, ",\"members\":[");
    if (c)
        pthread_mutex_lock(&c->lock);
    for (int i = 0; c && i < c->n_nodes; i++)
        if (c->nodes[i]->is_used && !c->nodes[i]->is_alias) {
            if (has_more)
                buf_putc(out, ',');
            has_more = true;
            put_member(out, c->nodes[i], now_ns);
        }
    if (c)
        pthread_mutex_unlock(&c->lock);
    buf_puts(out, "]}\n");
}

/* ---- Prometheus ---- */

/* name, type, help, value of a member_node n (NAN: left out) */
#define FIGURES(X)                                                                                                              \
    X("up", "gauge", "1 for a node that answers.", n->said.state == MEMBER_UP || n->said.state == MEMBER_DRAINING)               \
    X("age_seconds", "gauge", "Since the node said something.", n->heard_ns ? (double)(now_ns - n->heard_ns) / 1e9 : NAN)        \
    X("rtt_seconds", "gauge", "To the node and back.", n->said.rtt_s)                                                           \
    X("temperature_celsius", "gauge", "Its hottest sensor.", (double)n->said.node.temperature_c)                                \
    X("headroom_celsius", "gauge", "Below where it slows down.", (double)n->said.node.headroom_c)                               \
    X("power_watts", "gauge", "Drawn now.", (double)n->said.node.power_w)                                                       \
    X("battery_ratio", "gauge", "Left in its battery.", (double)n->said.node.battery_frac)                                      \
    X("memory_free_bytes", "gauge", "Free memory.", (double)n->said.node.memory_free_bytes)                                     \
    X("busy_ratio", "gauge", "CPU that is used.", (double)n->said.node.busy_frac)                                               \
    X("throttled", "gauge", "1 while it is slowed down.", n->said.node.is_throttled)                                            \
    X("experts", "gauge", "Experts that it has.", n->n_experts)                                                                 \
    X("experts_warm", "gauge", "Experts that are loaded.", sum(n, 0))                                                           \
    X("requests_running", "gauge", "Requests that its experts work on.", sum(n, 1))                                             \
    X("requests_waiting", "gauge", "Requests that wait there.", sum(n, 2))                                                      \
    X("jobs_total", "counter", "Jobs of ours that it was given.", (double)n->said.jobs_total)                                   \
    X("jobs_lost_total", "counter", "Jobs that it was given and did not end.", (double)n->said.lost_total)                      \
    X("sent_bytes_total", "counter", "Bytes to it.", (double)n->said.bytes_out_total)                                           \
    X("received_bytes_total", "counter", "Bytes from it.", (double)n->said.bytes_in_total)

static double sum(const struct member_node *n, int what)
{
    double v = 0;
    for (int i = 0; i < n->n_experts; i++)
        v += what == 0 ? n->experts[i].c.is_warm : what == 1 ? n->experts[i].c.n_running : n->experts[i].c.n_waiting;
    return v;
}

static void put_head(struct buf *out, const char *prefix, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP %s%s %s\n# TYPE %s%s %s\n", prefix, name, help, prefix, name, type);
}

/* Who is known by name: nodes that never answered have none, and their number would be anybody's to choose. */
static bool is_named(const struct member_node *n) { return n->is_used && !n->is_alias && n->said.name[0]; }

/* Of each whether it is up; how it fares, of the first MEMBERS_NAMED: each node says that itself, at its own /metrics. */
static void put_members(struct cluster *c, const char *prefix, struct buf *out)
{
    const uint64_t now_ns = clock_ns();
    int n_in[MEMBER_STATE_COUNT] = { 0 };
    for (int i = 0; i < c->n_nodes; i++)
        if (c->nodes[i]->is_used && !c->nodes[i]->is_alias)
            n_in[c->nodes[i]->said.state]++;
    put_head(out, prefix, "members", "gauge", "Other nodes by state.");
    for (int s = 0; s < MEMBER_STATE_COUNT; s++)
        buf_printf(out, "%smembers{state=\"%s\"} %d\n", prefix, member_state_name((enum member_state)s), n_in[s]);
    put_head(out, prefix, "member_refused_messages_total", "counter", "Messages of other nodes that were nonsense.");
    buf_printf(out, "%smember_refused_messages_total %" PRIu64 "\n", prefix, c->refused_total);
#define X(word, type, help, value)                                                                          \
    put_head(out, prefix, "member_" word, type, help);                                                      \
    for (int i = 0; i < c->n_nodes && (i < MEMBERS_NAMED || strcmp(word, "up") == 0); i++) {                \
        const struct member_node *n = c->nodes[i];                                                          \
        const double v = is_named(n) ? (double)(value) : (double)NAN;                                                        \
        if (isfinite(v))                                                                                    \
            buf_printf(out, "%smember_" word "{member=\"%s\"} %.17g\n", prefix, n->said.name, v);             \
    }
    FIGURES(X)
#undef X
}

void cluster_put_metrics(struct cluster *c, const struct node_service *self, const char *prefix, struct buf *out)
{
    if (self) {
        struct node_service_stats s;
        node_service_get_stats(self, &s);
        put_head(out, prefix, "cluster_node_info", "gauge", "1 for the name that this node has among others.");
        buf_printf(out, "%scluster_node_info{name=\"%s\",version=\"%s\"} 1\n", prefix, self->config.name, TUTTI_VERSION);
        put_head(out, prefix, "node_watchers", "gauge", "Nodes that watch this one.");
        buf_printf(out, "%snode_watchers %d\n", prefix, s.n_watchers);
        put_head(out, prefix, "node_fetches_total", "counter", "Model files that other nodes began to fetch here.");
        buf_printf(out, "%snode_fetches_total %" PRIu64 "\n", prefix, s.fetches_total);
        put_head(out, prefix, "node_fetched_bytes_total", "counter", "Bytes of model files that went to other nodes.");
        buf_printf(out, "%snode_fetched_bytes_total %" PRIu64 "\n", prefix, s.fetched_bytes_total);
        put_head(out, prefix, "node_states_total", "counter", "Times that this node said how it is.");
        buf_printf(out, "%snode_states_total %" PRIu64 "\n", prefix, s.states_total);
    }
    if (!c)
        return;
    pthread_mutex_lock(&c->lock);
    put_members(c, prefix, out);
    put_head(out, prefix, "node_wakes_total", "counter", "Wake-on-LAN packets to nodes that a job wanted.");
    buf_printf(out, "%snode_wakes_total %" PRIu64 "\n", prefix, c->wakes_total);
    pthread_mutex_unlock(&c->lock);
}
