/* api/openai.c - requests of the OpenAI protocol for text on their way in; start reading at read_request().
 * The way out is openai_answer.c; what all requests share is exchange.c. */
#include "api/openai.h"

#include <string.h>

#include "api/openai_internal.h"
#include "base/hash.h"
#include "route/router.h"

static const char type_json[] = "application/json";

void openai_refuse(const struct api_call *call, const struct openai_error *e, const struct http_field *more, int n_more)
{
    struct buf b;
    buf_init(&b, 8192);
    openai_put_error(&b, e);
    api_take_and_reply(call, e->status, type_json, b.data ? b.data : "", b.len, more, n_more);
    buf_fini(&b);
}

/* ---- from the request to the job ---- */

static const char *copy_text(struct job *j, const char *s, size_t n, struct err *err) { return arena_strndup(j->arena, s, n, err); }

static bool copy_texts(struct job *j, const struct openai_text *from, int n, const struct job_text **to, int *n_to, struct err *err)
{
    struct job_text *t = arena_alloc(j->arena, (size_t)n, sizeof(*t), err);
    for (int i = 0; t && i < n; i++) {
        t[i].text = copy_text(j, from[i].text, from[i].n, err);
        t[i].n = from[i].n;
        if (!t[i].text)
            return false;
    }
    *to = t;
    *n_to = n;
    return t != NULL;
}

static bool copy_inputs(struct job *j, const struct openai_request *r, struct err *err)
{
    struct job_input *in = arena_alloc(j->arena, (size_t)r->n_inputs, sizeof(*in), err);
    for (int i = 0; in && i < r->n_inputs; i++) {
        const struct openai_input *from = &r->inputs[i];
        in[i] = (struct job_input){ .n_text = from->n_text, .ids = from->ids, .n_ids = from->n_ids }; /* ids: in the arena already */
        if (from->text && !(in[i].text = copy_text(j, from->text, from->n_text, err)))
            return false;
    }
    j->inputs = in;
    j->n_inputs = r->n_inputs;
    return in != NULL;
}

static void fill_sampling(struct sampler_params *p, const struct openai_request *r)
{
#define GIVEN(flag, field, value)                                                                                     \
    if (r->given & (flag))                                                                                            \
    p->field = value
    GIVEN(OPENAI_TEMPERATURE, temperature, (float)r->temperature);
    GIVEN(OPENAI_TOP_K, top_k, (int)r->top_k);
    GIVEN(OPENAI_TOP_P, top_p, (float)r->top_p);
    GIVEN(OPENAI_MIN_P, min_p, (float)r->min_p);
    GIVEN(OPENAI_TYPICAL_P, typical_p, (float)r->typical_p);
    GIVEN(OPENAI_REPETITION, repetition_penalty, (float)r->repetition_penalty);
    GIVEN(OPENAI_REPEAT_LAST_N, penalty_last_n, (int)r->repeat_last_n);
    GIVEN(OPENAI_FREQUENCY, frequency_penalty, (float)r->frequency_penalty);
    GIVEN(OPENAI_PRESENCE, presence_penalty, (float)r->presence_penalty);
    GIVEN(OPENAI_DRY_MULTIPLIER, dry_multiplier, (float)r->dry_multiplier);
    GIVEN(OPENAI_DRY_BASE, dry_base, (float)r->dry_base);
    GIVEN(OPENAI_DRY_ALLOWED, dry_allowed_length, (int)r->dry_allowed_length);
    GIVEN(OPENAI_DRY_LAST_N, dry_last_n, (int)r->dry_last_n);
    GIVEN(OPENAI_SEED, seed, (uint64_t)r->seed);
#undef GIVEN
}

/* Everything but the seed and on_event; the request's JSON may go afterwards. */
static bool fill_job(struct job *j, const struct openai_request *r, struct err *err)
{
    if (r->task != OPENAI_CHAT && !copy_inputs(j, r, err))
        return false;
    if (r->task == OPENAI_EMBEDDING)
        return true;
    if (r->vars)
        j->vars = json_incref(r->vars);
    fill_sampling(&j->sampling, r);
    struct sampler_bias *bias = arena_alloc(j->arena, (size_t)r->n_biases, sizeof(*bias), err);
    if (!bias)
        return false;
    for (int i = 0; i < r->n_biases; i++)
        bias[i] = (struct sampler_bias){ r->biases[i].id, r->biases[i].bias };
    j->sampling.bias = bias;
    j->sampling.n_bias = r->n_biases;
    j->n_choices = (int)r->n;
    j->max_tokens = r->given & OPENAI_MAX_TOKENS ? (int)r->max_tokens : 0;
    j->n_logprobs = r->n_logprobs;
    j->ignore_eos = r->ignore_eos;
    if (r->has_breakers && !copy_texts(j, r->breakers, r->n_breakers, &j->dry_breakers, &j->n_dry_breakers, err))
        return false;
    return copy_texts(j, r->stops, r->n_stops, &j->stops, &j->n_stops, err);
}

static bool read_request(struct exchange *x, enum openai_task task, struct err *err)
{
    static const enum expert_task tasks[] = { EXPERT_CHAT, EXPERT_COMPLETE, EXPERT_EMBED };
    static const char *const text_names[] = { "messages", "prompt", "input" };
    struct chat *c = (struct chat *)x;
    struct openai_request *r = &c->request;
    c->task = task;
    x->task = tasks[task];
    x->text_name = text_names[task];
    if (!openai_read_request(r, task, exchange_text(&x->body), x->body.len, x->job->arena, &x->error) ||
        !chat_check_media(x, r, &x->error) || !wish_read_json(&x->wish, json_object_get(r->tree, "tutti"), &x->error) || !fill_job(x->job, r, err))
        return false;
    x->model_id = r->model;
    x->is_sse = r->stream;
    return true;
}

static bool read_chat(struct exchange *x, struct err *err) { return read_request(x, OPENAI_CHAT, err); }
static bool read_completion(struct exchange *x, struct err *err) { return read_request(x, OPENAI_COMPLETION, err); }
static bool read_embedding(struct exchange *x, struct err *err) { return read_request(x, OPENAI_EMBEDDING, err); }

static bool begin(struct exchange *x, struct err *err)
{
    struct chat *c = (struct chat *)x;
    const struct openai_request *r = &c->request;
    if (!chat_pick_perceiving(x, r, &x->error))
        return false;
    c->head = (struct openai_head){ .id = x->id, .created_s = x->created_s, .model = x->model->id };
    c->stream = r->stream;
    c->include_usage = r->include_usage;
    c->echo = r->echo;
    c->is_base64 = r->is_base64;
    c->with_logprobs = r->n_logprobs >= 0;
    c->n_choices = c->task == OPENAI_EMBEDDING ? 1 : (int)r->n;
    c->n_all_choices = c->n_choices * (c->task == OPENAI_CHAT ? 1 : r->n_inputs);
    c->n_dimensions = r->given & OPENAI_DIMENSIONS ? (int)r->dimensions : 0;
    if (!(r->given & OPENAI_SEED))
        x->job->sampling.seed = rng_u64(&x->call.env->rng);
    openai_request_fini(&c->request); /* what the job needs it has */
    x->model_id = "";
    return chat_begin_answer(c, err);
}

static void fini(struct exchange *x)
{
    struct chat *c = (struct chat *)x;
    chat_fini_answer(c);
    openai_request_fini(&c->request);
}

/* ---- the endpoints ---- */

static void post_chat(const struct api_call *call, const struct http_head *head)
{
    static const struct exchange_ops ops = { "chatcmpl-", read_chat, begin, chat_on_event, chat_on_done, NULL, fini, NULL };
    exchange_begin(call, head, &ops, sizeof(struct chat));
}

static void post_completion(const struct api_call *call, const struct http_head *head)
{
    static const struct exchange_ops ops = { "cmpl-", read_completion, begin, chat_on_event, chat_on_done, NULL, fini, NULL };
    exchange_begin(call, head, &ops, sizeof(struct chat));
}

static void post_embeddings(const struct api_call *call, const struct http_head *head)
{
    static const struct exchange_ops ops = { "embd-", read_embedding, begin, chat_on_event, chat_on_done, NULL, fini, NULL };
    exchange_begin(call, head, &ops, sizeof(struct chat));
}

static void put_model(struct buf *b, const struct api_model *m)
{
    struct expert_card card;
    expert_get_card(m->expert, &card);
    const char *tasks[EXPERT_TASK_COUNT + 1] = { NULL };
    for (int i = 0, n = 0; i < EXPERT_TASK_COUNT; i++)
        if (card.tasks & 1u << i)
            tasks[n++] = expert_task_name((enum expert_task)(1 << i));
    openai_put_model(b, &(struct openai_model){
                            .id = m->id, .created_s = card.created_s, .n_ctx = card.n_ctx, .n_ctx_train = card.n_ctx_train,
                            .n_vocab = card.n_vocab, .n_embd = card.n_embd, .n_params = card.n_params,
                            .file_bytes = card.file_bytes, .state = expert_state_name(expert_get_state(m->expert)), .tasks = tasks });
}

enum { ELSEWHERE_MAX = 256 };

/* Of those that only other nodes have: each id once. */
struct elsewhere {
    struct buf *out;
    struct api_env *env;
    const char *only; /* NULL: all */
    uint64_t seen[ELSEWHERE_MAX];
    int n;
};

static void put_elsewhere(void *ctx, const struct candidate *c)
{
    struct elsewhere *l = ctx;
    const uint64_t key = hash_fnv64(c->expert, strlen(c->expert));
    bool was_seen = l->n == ELSEWHERE_MAX || api_find_model(l->env, c->expert) || (l->only && strcmp(l->only, c->expert) != 0);
    for (int i = 0; i < l->n && !was_seen; i++)
        was_seen = l->seen[i] == key;
    if (was_seen)
        return;
    l->seen[l->n++] = key;
    const char *tasks[EXPERT_TASK_COUNT + 1] = { NULL };
    for (int i = 0, n = 0; i < EXPERT_TASK_COUNT; i++)
        if (c->tasks & 1u << i)
            tasks[n++] = expert_task_name((enum expert_task)(1 << i));
    if (!l->only)
        buf_putc(l->out, ',');
    openai_put_model(l->out, &(struct openai_model){ .id = c->expert, .n_ctx = c->n_ctx, .n_params = c->params > 0 ? (uint64_t)c->params : 0,
                                                     .state = c->is_warm ? "warm" : c->is_up ? "cold" : "down", .tasks = tasks });
}

static void get_models(const struct api_call *call, const struct http_head *head)
{
    static const char path[] = "/v1/models/";
    struct api_env *env = call->env;
    const char *id = strncmp(head->path, path, strlen(path)) == 0 ? head->path + strlen(path) : "";
    struct buf b;
    buf_init(&b, 1 << 20);
    if (!*id) {
        openai_put_models_begin(&b);
        for (int i = 0; i < env->n_models; i++) {
            if (i > 0)
                buf_putc(&b, ',');
            put_model(&b, &env->models[i]);
        }
        for (int i = 0; i < env->n_autos; i++) {
            if (env->n_models + i > 0)
                buf_putc(&b, ',');
            put_model(&b, &env->autos[i]);
        }
        if (env->router && env->n_models + env->n_autos > 0)
            router_each_elsewhere(env->router, put_elsewhere, &(struct elsewhere){ .out = &b, .env = env });
        openai_put_models_end(&b);
    } else {
        const struct api_model *m = api_find_model(env, id);
        struct openai_error e;
        if (!m && !api_find_elsewhere(env, id)) {
            api_no_model(env, id, &e);
            openai_refuse(call, &e, NULL, 0);
            buf_fini(&b);
            return;
        }
        if (m)
            put_model(&b, m);
        else
            router_each_elsewhere(env->router, put_elsewhere, &(struct elsewhere){ .out = &b, .env = env, .only = id });
    }
    api_take_and_send(call, 200, type_json, &b);
    buf_fini(&b);
}

enum { GET = 1 << HTTP_VERB_GET, POST = 1 << HTTP_VERB_POST };
const struct api_route openai_routes[] = {
    { "/v1/chat/completions", POST, post_chat },
    { "/v1/completions", POST, post_completion },
    { "/v1/embeddings", POST, post_embeddings },
    { "/v1/models", GET, get_models },
    { "/v1/models/", GET, get_models },
};
const int openai_n_routes = sizeof(openai_routes) / sizeof(openai_routes[0]);
