/* api/experts.c - see experts.h. */
#include "api/experts.h"

#include <stdio.h>
#include <string.h>

#include "api/openai.h"
#include "route/router.h"
#include "route/steward.h"
#include "wire/put.h"

void experts_name_tasks(unsigned tasks, const char *between, char *out, size_t max)
{
    size_t n = 0;
    out[0] = '\0';
    for (int i = 0; i < EXPERT_TASK_COUNT; i++)
        if ((tasks & 1u << i) && n < max)
            n += (size_t)snprintf(out + n, max - n, "%s%s", n ? between : "", expert_task_name((enum expert_task)(1 << i)));
}

static void put_text(struct buf *b, const char *name, const char *s)
{
    if (!*s)
        return;
    buf_printf(b, ",\"%s\":", name);
    buf_put_json_text(b, s);
}

static void put_count(struct buf *b, const char *name, uint64_t n)
{
    if (n > 0)
        buf_printf(b, ",\"%s\":%llu", name, (unsigned long long)n);
}

static void put_io(struct buf *b, const char *name, const struct task_io *io, int n)
{
    char shape[200];
    buf_printf(b, ",\"%s\":[", name);
    for (int i = 0; i < n; i++) {
        buf_puts(b, i ? ",{\"name\":" : "{\"name\":");
        buf_put_json_text(b, io[i].name);
        tensor_describe(&io[i].shape, shape, sizeof(shape));
        buf_puts(b, ",\"shape\":");
        buf_put_json_text(b, shape);
        buf_putc(b, '}');
    }
    buf_putc(b, ']');
}

static void put_expert(struct buf *b, const struct api_model *m)
{
    struct expert_card card;
    struct expert_metrics k;
    struct task_info info;
    expert_get_card(m->expert, &card);
    expert_get_metrics(m->expert, &k);
    buf_puts(b, "{\"id\":");
    buf_put_json_text(b, m->id);
    put_text(b, "kind", card.kind);
    buf_puts(b, ",\"tasks\":[");
    for (int i = 0, n = 0; i < EXPERT_TASK_COUNT; i++)
        if (card.tasks & 1u << i)
            buf_printf(b, "%s\"%s\"", n++ ? "," : "", expert_task_name((enum expert_task)(1 << i)));
    buf_printf(b, "],\"state\":\"%s\"", expert_state_name(k.state));
    if (k.state == EXPERT_DOWN)
        put_text(b, "why", k.why);
    put_text(b, "description", card.description);
    put_text(b, "languages", card.languages);
    put_text(b, "runs_on", card.runs_on);
    put_text(b, "note", card.note);
    buf_printf(b, ",\"privacy\":\"%s\"", expert_privacy_name(card.privacy));
    put_count(b, "quality", (uint64_t)(card.quality > 0 ? card.quality : 0));
    put_count(b, "rate_hz", (uint64_t)(card.rate_hz > 0 ? card.rate_hz : 0));
    if (card.sees)
        buf_puts(b, ",\"sees\":true");
    if (card.hears)
        buf_puts(b, ",\"hears\":true");
    if (expert_get_info(m->expert, &info)) {
        put_count(b, "memory_bytes", info.memory_bytes);
        if (info.n_inputs + info.n_outputs > 0) {
            put_io(b, "inputs", info.inputs, info.n_inputs);
            put_io(b, "outputs", info.outputs, info.n_outputs);
        }
    }
    buf_printf(b, ",\"waiting\":%d,\"running\":%d,\"load_ms\":%.3f,\"ended\":{", k.n_waiting, k.n_running, (double)k.load_ns / 1e6);
    for (int e = 0; e < EXPERT_END_COUNT; e++)
        buf_printf(b, "%s\"%s\":%llu", e ? "," : "", expert_end_name((enum expert_end)e), (unsigned long long)k.done_total[e]);
    buf_puts(b, "}}");
}

static void get_experts(const struct api_call *call, const struct http_head *head)
{
    static const char path[] = "/v1/tutti/experts/";
    struct api_env *env = call->env;
    const char *id = strncmp(head->path, path, strlen(path)) == 0 ? head->path + strlen(path) : "";
    struct buf b;
    buf_init(&b, 4 << 20);
    if (*id) {
        const struct api_model *m = api_find_model(env, id);
        struct openai_error e;
        if (!m) {
            openai_fail(&e, 404, "model_not_found", "model", "the expert '%.200s' does not exist here", id);
            openai_refuse(call, &e, NULL, 0);
            return;
        }
        put_expert(&b, m);
    } else {
        buf_puts(&b, "{\"experts\":[");
        for (int i = 0; i < env->n_models; i++) {
            if (i > 0)
                buf_putc(&b, ',');
            put_expert(&b, &env->models[i]);
        }
        buf_putc(&b, ']');
        if (env->router) {
            buf_puts(&b, ",\"candidates\":");
            router_put_candidates(env->router, &b);
        }
        if (env->steward) {
            buf_puts(&b, ",\"machine\":");
            steward_put_json(env->steward, &b);
        }
        buf_putc(&b, '}');
    }
    buf_putc(&b, '\n');
    api_take_and_send(call, 200, "application/json", &b);
    buf_fini(&b);
}

const struct api_route experts_routes[] = {
    { "/v1/tutti/experts", 1 << HTTP_VERB_GET, get_experts },
    { "/v1/tutti/experts/", 1 << HTTP_VERB_GET, get_experts },
};
const int experts_n_routes = sizeof(experts_routes) / sizeof(experts_routes[0]);
