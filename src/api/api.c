/* api/api.c - see api.h. */
#include "api/api.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/exchange_internal.h"
#include "base/clock.h"
#include "route/router.h"

bool api_env_init(struct api_env *env, struct net_loop *l, struct api_model *models, int n_models, struct err *err)
{
    *env = (struct api_env){ .loop = l, .models = models, .n_models = n_models, .load_wait_ms = 120000, .body_max_bytes = 32 << 20 };
    rng_seed(&env->rng, clock_ns() ^ (uint64_t)getpid() << 32 ^ (uint64_t)(uintptr_t)env);
    env->mailbox = mailbox_new(l, err);
    if (!env->mailbox)
        return false;
    env->tick = net_timer_new(l, exchange_tick, env, err);
    return env->tick != NULL;
}

void api_env_fini(struct api_env *env)
{
    if (env->mailbox)
        mailbox_drain(env->mailbox);
    while (env->n_exchanges > 0) /* bodies that are being read on another thread */
        net_loop_step(env->loop);
    net_timer_free(env->tick);
    mailbox_free(env->mailbox);
    *env = (struct api_env){ 0 };
}

struct api_model *api_find_model(struct api_env *env, const char *id)
{
    size_t n = strlen(id);
    if (n == 0)
        return env->n_models > 0 ? &env->models[0] : NULL;
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < env->n_models; i++)
            if (strlen(env->models[i].id) == n && memcmp(env->models[i].id, id, n) == 0)
                return &env->models[i];
        for (int i = 0; i < env->n_aliases; i++)
            if (strlen(env->aliases[i].id) == n && memcmp(env->aliases[i].id, id, n) == 0)
                return env->aliases[i].model;
        for (int i = 0; i < env->n_autos; i++)
            if (strlen(env->autos[i].id) == n && memcmp(env->autos[i].id, id, n) == 0)
                return &env->autos[i];
        if (n <= 5 || strcmp(id + n - 5, ".gguf") != 0)
            break;
        n -= 5;
    }
    return NULL;
}

struct api_model *api_find_elsewhere(struct api_env *env, const char *id)
{
    const bool may = env->router && env->n_autos > 0 && id && *id && !api_find_model(env, id);
    return may && router_knows(env->router, id) ? &env->autos[0] : NULL;
}

static unsigned tasks_of(const struct api_model *m)
{
    enum { TEXT = EXPERT_CHAT | EXPERT_COMPLETE | EXPERT_EMBED };
    struct expert_card card;
    expert_get_card(m->expert, &card);
    return card.tasks ? card.tasks : TEXT;
}

bool api_can(const struct api_env *env, enum expert_task task)
{
    for (int i = 0; i < env->n_models; i++)
        if (tasks_of(&env->models[i]) & task)
            return true;
    return false;
}

struct api_model *api_next_model(struct api_env *env, const struct api_model *behind, enum expert_task task)
{
    bool is_behind = false; /* "auto" is none of them: nobody is behind it */
    for (int i = 0; i < env->n_models; i++) {
        if (is_behind && (tasks_of(&env->models[i]) & task))
            return &env->models[i];
        is_behind = is_behind || &env->models[i] == behind;
    }
    return NULL;
}

bool api_no_model(const struct api_env *env, const char *id, struct openai_error *e)
{
    char goals[200] = "";
    size_t n = 0;
    for (int i = 0; i < env->n_autos && strncmp(id, "auto:", 5) == 0 && n < sizeof(goals); i++)
        n += (size_t)snprintf(goals + n, sizeof(goals) - n, "%s%s", n ? ", " : "", env->autos[i].id);
    if (n > 0)
        return openai_fail(e, 404, "model_not_found", "model", "the model '%.200s' does not exist here; goals that there are: %s", id, goals);
    return openai_fail(e, 404, "model_not_found", "model", "the model '%.200s' does not exist here; GET /v1/models lists those that do", id);
}

/* "a, b, c": who can. */
static void name_able(const struct api_env *env, enum expert_task task, char *out, size_t max)
{
    size_t n = 0;
    out[0] = '\0';
    for (int i = 0; i < env->n_models; i++)
        if ((tasks_of(&env->models[i]) & task) && n < max)
            n += (size_t)snprintf(out + n, max - n, "%s%s", n ? ", " : "", env->models[i].id);
}

static struct api_model *pick_any(struct api_env *env, enum expert_task task)
{
    struct api_model *first = NULL;
    for (int i = 0; i < env->n_models; i++) {
        struct api_model *m = &env->models[i];
        if (!(tasks_of(m) & task))
            continue;
        if (expert_get_state(m->expert) != EXPERT_DOWN)
            return m;
        first = first ? first : m;
    }
    return first || env->n_autos == 0 || !(tasks_of(&env->autos[0]) & task) ? first : &env->autos[0]; /* other nodes may have one */
}

struct api_model *api_pick_model(struct api_env *env, const char *id, enum expert_task task, struct openai_error *e)
{
    char able[300];
    const bool is_any = !id || !*id;
    struct api_model *m = is_any ? pick_any(env, task) : api_find_model(env, id);
    if (m && ((tasks_of(m) & task) || (task == EXPERT_INFER && !is_any))) /* whether it takes tensors it may know only when it is loaded: it says so */
        return m;
    name_able(env, task, able, sizeof(able));
    if (is_any)
        openai_fail(e, 404, "model_not_found", "model", "no model here can do '%s'; GET /v1/models lists what there is", expert_task_name(task));
    else if (!m)
        api_no_model(env, id, e);
    else
        openai_fail(e, 400, "unsupported_value", "model", "the model '%.100s' cannot do '%s'; %s%s", m->id, expert_task_name(task), *able ? "those that can: " : "none here can", able);
    return NULL;
}

int api_fields(const struct api_call *call, struct http_field out[API_FIELDS_MAX], const struct http_field *more, int n_more)
{
    int n = 0;
    out[n++] = (struct http_field){ "x-request-id", call->request_id };
    if (call->origin[0]) {
        out[n++] = (struct http_field){ "access-control-allow-origin", call->origin };
        out[n++] = (struct http_field){ "vary", "origin" };
        out[n++] = (struct http_field){ "access-control-expose-headers", "x-request-id, retry-after, tutti-expert, tutti-node, tutti-route, tutti-why, tutti-asked, tutti-joules, tutti-usd, tutti-ladder" };
    }
    for (int i = 0; i < n_more && n < API_FIELDS_MAX; i++)
        out[n++] = more[i];
    return n;
}

void api_reply(const struct api_call *call, int status, const char *type, const void *body, size_t n,
               const struct http_field *more, int n_more)
{
    struct http_field given[API_FIELDS_MAX], fields[API_FIELDS_MAX];
    int n_given = 0;
    given[n_given++] = (struct http_field){ "content-type", type };
    if (status == 503)
        given[n_given++] = (struct http_field){ "retry-after", "2" };
    for (int i = 0; i < n_more && n_given < API_FIELDS_MAX; i++)
        given[n_given++] = more[i];
    const int n_fields = api_fields(call, fields, given, n_given);
    http_stream_reply(call->stream, status, fields, n_fields, body, n);
}

static void on_close_nothing(void *ctx, enum http_close why) { (void)ctx, (void)why; }

void api_take_and_reply(const struct api_call *call, int status, const char *type, const void *body, size_t n,
                        const struct http_field *more, int n_more)
{
    static const struct http_stream_fns fns = { .on_close = on_close_nothing };
    http_stream_take(call->stream, &fns, NULL);
    api_reply(call, status, type, body, n, more, n_more);
}

void api_take_and_send(const struct api_call *call, int status, const char *type, const struct buf *body)
{
    static const char sorry[] = "{\"error\":{\"message\":\"out of memory\",\"type\":\"server_error\",\"param\":null,\"code\":\"overloaded\"}}";
    if (body->failed)
        api_take_and_reply(call, 503, "application/json", sorry, sizeof(sorry) - 1, NULL, 0);
    else
        api_take_and_reply(call, status, type, body->data ? body->data : "", body->len, NULL, 0);
}

void api_make_id(struct api_env *env, const char *prefix, char *out, size_t max)
{
    snprintf(out, max, "%s%016llx%08llx", prefix, (unsigned long long)rng_u64(&env->rng),
             (unsigned long long)(rng_u64(&env->rng) & 0xffffffffu));
}
