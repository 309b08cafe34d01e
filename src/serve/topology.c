/* serve/topology.c - see topology.h. */
#include "serve/topology.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cluster/cluster.h"
#include "site/draw_live.h"
#include "cluster/node_service.h"
#include "route/steward.h"
#include "serve/serve_internal.h"

enum { STATUS_BYTES_MAX = 32 << 20, PAGE_BYTES_MAX = 256 << 20, POLICY_MAX = 600 };

struct topology {
    struct buf json;   /* as it was said last */
    uint64_t made_ns;
};

void topology_free(struct topology *t)
{
    if (!t)
        return;
    buf_fini(&t->json);
    free(t);
}

/* ---- what is here ---- */

static void put_figure(struct buf *b, const char *name, double v)
{
    if (isfinite(v))
        buf_printf(b, ",\"%s\":%.6g", name, v);
}

/* The same words as cluster_put_json(), of a service that is no node. */
static void put_alone(const struct serve *s, struct buf *b)
{
    const struct api_env *env = &s->env;
    char name[MEMBER_NAME_MAX];
    node_default_name(name, sizeof(name));
    buf_puts(b, "{\"node\":{\"name\":");
    buf_put_json_text(b, name);
    buf_printf(b, ",\"state\":\"%s\"", env->is_draining ? "draining" : "up");
    if (env->steward) {
        struct route_node n = { 0 };
        steward_get_node(env->steward, &n);
        put_figure(b, "busy_frac", (double)n.busy_frac), put_figure(b, "temperature_c", (double)n.temperature_c), put_figure(b, "power_w", (double)n.power_w);
        put_figure(b, "battery_frac", (double)n.battery_frac), put_figure(b, "memory_free_bytes", (double)n.memory_free_bytes);
    }
    buf_puts(b, ",\"experts\":[");
    for (int i = 0; i < env->n_models; i++) {
        struct expert_card card;
        struct expert_metrics m;
        expert_get_card(env->models[i].expert, &card);
        expert_get_metrics(env->models[i].expert, &m);
        buf_puts(b, i ? ",{\"id\":" : "{\"id\":");
        buf_put_json_text(b, env->models[i].id);
        buf_puts(b, ",\"kind\":");
        buf_put_json_text(b, card.kind);
        buf_puts(b, ",\"runs_on\":");
        buf_put_json_text(b, card.runs_on);
        buf_puts(b, ",\"tasks\":[");
        for (int k = 0, n = 0; k < EXPERT_TASK_COUNT; k++)
            if (card.tasks & 1u << k)
                buf_printf(b, "%s\"%s\"", n++ ? "," : "", expert_task_name((enum expert_task)(1 << k)));
        buf_printf(b, "],\"state\":\"%s\",\"n_running\":%d,\"n_waiting\":%d,\"memory_bytes\":%llu}", expert_state_name(m.state), m.n_running, m.n_waiting,
                   (unsigned long long)(m.memory_bytes ? m.memory_bytes : card.weight_bytes + card.kv_bytes));
    }
    buf_puts(b, "]},\"members\":[]}");
}

static bool get_machine(void *ctx, const char *node, struct buf *out)
{
    const struct serve_node *n = ((const struct serve *)ctx)->config.node;
    if (!n)
        return false;
    if (n->name && strcmp(n->name, node) == 0) {
        buf_puts(out, n->machine_json ? n->machine_json : "");
        return n->machine_json != NULL;
    }
    return n->cluster && cluster_get_machine(n->cluster, node, out);
}

static void set_steps(struct draw *d, const char *name, const struct route_node *n)
{
    for (int i = 0; i < d->n_nodes; i++)
        if (strcmp(d->nodes[i].name, name) == 0)
            for (int c = 0; c < ROUTE_CLASS_COUNT; c++)
                d->nodes[i].step[c] = n->step[c];
}

static void put_steps(const struct serve *s, struct draw *d)
{
    struct cluster *c = s->config.node ? s->config.node->cluster : NULL;
    const int n = c ? cluster_n_members(c) : 0;
    struct member *list = n > 0 ? calloc((size_t)n, sizeof(*list)) : NULL;
    const int got = list ? cluster_get_members(c, list, n) : 0;
    for (int i = 0; i < got; i++)
        set_steps(d, list[i].name, &list[i].node);
    free(list);
    if (s->env.steward) {
        struct route_node own = { 0 };
        steward_get_node(s->env.steward, &own);
        set_steps(d, d->self, &own);
    }
}

static struct draw *look(struct serve *s, struct err *err)
{
    struct buf status;
    struct draw *d = NULL;
    buf_init(&status, STATUS_BYTES_MAX);
    if (s->nodes)
        serve_nodes_put_json(s->nodes, &status);
    else
        put_alone(s, &status);
    if (buf_ok(&status, "topology", err) && (d = draw_from_status(status.data, status.len, get_machine, s, err)))
        put_steps(s, d);
    buf_fini(&status);
    return d;
}

/* ---- answers ---- */

static void fail(const struct api_call *call, const struct err *err)
{
    struct openai_error e = { 0 };
    openai_fail(&e, 503, NULL, NULL, "%s", err->text);
    struct buf b;
    buf_init(&b, 1 << 16);
    openai_put_error(&b, &e);
    api_take_and_reply(call, 503, "application/json", b.data ? b.data : "", b.len, NULL, 0);
    buf_fini(&b);
}

static void send_page(const struct api_call *call, int status, const struct buf *b)
{
    char policy[POLICY_MAX];
    const struct err none = { .code = ERR_NOMEM, .text = "topology: no hash could be made" };
    if (b->failed || !draw_html_policy(policy, sizeof(policy))) {
        fail(call, &none);
        return;
    }
    const struct http_field fields[] = { { "content-security-policy", policy }, { "cache-control", "no-store" }, { "x-content-type-options", "nosniff" },
                                         { "referrer-policy", "no-referrer" }, { "www-authenticate", "Bearer" } };
    api_take_and_reply(call, status, "text/html; charset=utf-8", b->data, b->len, fields, status == 401 ? 5 : 4);
}

void topology_get_page(struct serve *s, const struct api_call *call, const struct http_head *head)
{
    struct err err = { 0 };
    struct buf b;
    buf_init(&b, PAGE_BYTES_MAX);
    struct draw *d = look(s, &err);
    const bool ok = d && (strcmp(head->query, "part") == 0 ? draw_html_part(&b, d, &err) : draw_html(&b, d, DRAW_TOPOLOGY, true, &err));
    if (ok)
        send_page(call, 200, &b);
    else
        fail(call, &err);
    draw_free(d);
    buf_fini(&b);
}

void topology_get_json(struct serve *s, const struct api_call *call)
{
    struct err err = { 0 };
    const uint64_t now = clock_ns();
    if (!s->topology && (s->topology = calloc(1, sizeof(*s->topology))))
        buf_init(&s->topology->json, PAGE_BYTES_MAX);
    struct topology *t = s->topology;
    if (!t) {
        err_set(&err, ERR_NOMEM, "topology: no memory");
        fail(call, &err);
        return;
    }
    if (t->json.len == 0 || now - t->made_ns > TOPOLOGY_FRESH_MS * 1000000ull) {
        struct draw *d = look(s, &err);
        buf_clear(&t->json);
        if (d) {
            draw_put_json(&t->json, d);
            buf_putc(&t->json, '\n');
        }
        draw_free(d);
        if (!d || !buf_ok(&t->json, "topology", &err)) {
            buf_clear(&t->json);
            fail(call, &err);
            return;
        }
        t->made_ns = now;
    }
    const struct http_field fields[] = { { "cache-control", "no-store" } };
    api_take_and_reply(call, 200, "application/json", t->json.data, t->json.len, fields, 1);
}

void topology_get_locked(const struct api_call *call)
{
    struct err err = { 0 };
    struct buf b;
    buf_init(&b, 1 << 20);
    if (draw_html_locked(&b, &err))
        send_page(call, 401, &b);
    else
        fail(call, &err);
    buf_fini(&b);
}
