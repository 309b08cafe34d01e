/* api/openai.c - requests of the OpenAI protocol on their way in; start reading at on_end().
 * The way out is openai_answer.c. */
#include "api/openai.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/openai_internal.h"
#include "base/clock.h"

enum {
    PARSE_HERE_BYTES = 64 << 10, /* larger bodies are read on another thread: JSON costs 20 ms per MB */
    BODY_KEEP_BYTES = 32 << 20,  /* net/ refuses more */
    JOB_MAX_BYTES = 192 << 20,
    TICK_MS = 50,
};

static const char type_json[] = "application/json";

void openai_refuse(const struct api_call *call, const struct openai_error *e, const struct http_field *more, int n_more)
{
    struct buf b;
    buf_init(&b, 8192);
    openai_put_error(&b, e);
    api_take_and_reply(call, e->status, type_json, b.data ? b.data : "", b.len, more, n_more);
    buf_fini(&b);
}

void openai_error_from(struct openai_error *e, enum openai_task task, const struct err *err)
{
    static const char too_long[] = "context_length_exceeded: ";
    static const char *const text_of[] = { [OPENAI_CHAT] = "messages", [OPENAI_COMPLETION] = "prompt", [OPENAI_EMBEDDING] = "input" };
    const char *at = strstr(err->text, too_long);
    switch (err->code) {
    case ERR_INPUT:
        if (at)
            openai_fail(e, 400, "context_length_exceeded", text_of[task], "%s", at + strlen(too_long));
        else
            openai_fail(e, 400, "invalid_value", NULL, "%s", err->text);
        break;
    case ERR_UNSUPPORTED: openai_fail(e, 400, "unsupported_value", "model", "%s", err->text); break;
    case ERR_LIMIT: openai_fail(e, 413, "limit_exceeded", NULL, "%s", err->text); break;
    case ERR_BUSY:
    case ERR_NOMEM: openai_fail(e, 503, "overloaded", NULL, "%s", err->text); break;
    default: openai_fail(e, err_http_status(err->code), NULL, NULL, "%s", err->text); break;
    }
}

/* ---- the life of an exchange ---- */

static struct exchange *exchange_new(const struct api_call *call, enum openai_task task)
{
    static const char *const prefixes[] = { "chatcmpl-", "cmpl-", "embd-" };
    struct api_env *env = call->env;
    struct exchange *x = calloc(1, sizeof(*x));
    if (!x)
        return NULL;
    x->call = *call;
    x->task = task;
    buf_init(&x->body, BODY_KEEP_BYTES);
    buf_init(&x->out, 64 << 20);
    mail_box_init(&x->box, env->mailbox, reply_on_mail, x);
    api_make_id(env, prefixes[task], x->id, sizeof(x->id));
    x->head = (struct openai_head){ .id = x->id, .created_s = (int64_t)time(NULL), .model = "" };
    x->next = env->exchanges;
    if (x->next)
        x->next->prev = x;
    env->exchanges = x;
    if (env->n_exchanges++ == 0)
        net_timer_start(env->tick, TICK_MS, TICK_MS);
    return x;
}

/* When nobody can call any more: the stream is closed, the job's final event was delivered, nothing is parsed. */
void exchange_maybe_free(struct exchange *x)
{
    struct api_env *env = x->call.env;
    if (x->call.stream || x->has_job || x->is_parsing)
        return;
    if (x->prev)
        x->prev->next = x->next;
    else
        env->exchanges = x->next;
    if (x->next)
        x->next->prev = x->prev;
    reply_fini(x);
    job_unref(x->job);
    openai_request_fini(&x->request);
    buf_fini(&x->body);
    buf_fini(&x->out);
    mail_box_fini(&x->box);
    free(x);
    if (--env->n_exchanges > 0)
        return;
    net_timer_stop(env->tick);
    if (env->on_idle)
        env->on_idle(env->on_idle_ctx);
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
    static const enum expert_task tasks[] = { EXPERT_CHAT, EXPERT_COMPLETE, EXPERT_EMBED };
    j->task = tasks[r->task];
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

/* On this thread or another one: touches body, request, job and error only. */
static void read_body(void *ctx)
{
    struct exchange *x = ctx;
    struct err err = { 0 };
    x->job = job_new(JOB_MAX_BYTES, &err);
    if (!x->job || (openai_read_request(&x->request, x->task, x->body.data ? x->body.data : "", x->body.len, x->job->arena, &x->error) &&
                    !fill_job(x->job, &x->request, &err)))
        openai_error_from(&x->error, x->task, &err);
    buf_fini(&x->body);
}

static void submit(struct exchange *x)
{
    struct api_env *env = x->call.env;
    const struct openai_request *r = &x->request;
    struct err err = { 0 };
    if (!x->call.stream) /* hung up meanwhile */
        return;
    if (env->is_draining)
        openai_fail(&x->error, 503, "shutting_down", NULL, "the server is shutting down");
    if (x->error.status == 0 && !(x->model = api_find_model(env, r->model)))
        openai_fail(&x->error, 404, "model_not_found", "model", "the model '%.200s' does not exist here; GET /v1/models lists those that do",
                    r->model);
    if (x->error.status != 0) {
        reply_fail(x, &x->error);
        return;
    }
    x->head.model = x->model->id;
    x->stream = r->stream;
    x->include_usage = r->include_usage;
    x->echo = r->echo;
    x->is_base64 = r->is_base64;
    x->with_logprobs = r->n_logprobs >= 0;
    x->n_choices = x->task == OPENAI_EMBEDDING ? 1 : (int)r->n;
    x->n_all_choices = x->n_choices * (x->task == OPENAI_CHAT ? 1 : r->n_inputs);
    x->n_dimensions = r->given & OPENAI_DIMENSIONS ? (int)r->dimensions : 0;
    struct job *j = x->job;
    if (!(r->given & OPENAI_SEED))
        j->sampling.seed = rng_u64(&env->rng);
    j->on_event = mail_post;
    j->ctx = &x->box;
    const bool is_embedding = x->task == OPENAI_EMBEDDING;
    openai_request_fini(&x->request); /* what the job needs it has */
    if (is_embedding)
        json_decref(j->vars), j->vars = NULL;
    const uint64_t now_ms = net_loop_now_ms(env->loop);
    x->headers_at_ms = now_ms + 200; /* a refusal within this time still gets its status */
    x->load_until_ms = now_ms + env->load_wait_ms;
    x->submit_ns = clock_ns();
    if (!reply_begin(x, &err) || !expert_submit(x->model->expert, j, &err)) {
        openai_error_from(&x->error, x->task, &err);
        reply_fail(x, &x->error);
        return;
    }
    x->has_job = true;
    x->state = EXCHANGE_WAIT;
}

/* ---- what the stream calls ---- */

static void on_data(void *ctx, const char *bytes, size_t n)
{
    struct exchange *x = ctx;
    if (x->state == EXCHANGE_BODY)
        buf_append(&x->body, bytes, n);
}

static void on_parsed(void *ctx)
{
    struct exchange *x = ctx;
    x->is_parsing = false;
    submit(x);
    exchange_maybe_free(x);
}

static void on_end(void *ctx)
{
    struct exchange *x = ctx;
    struct err err = { 0 };
    if (x->state != EXCHANGE_BODY)
        return;
    x->body_ns = clock_ns();
    if (!buf_ok(&x->body, "the body", &err)) {
        openai_error_from(&x->error, x->task, &err);
        reply_fail(x, &x->error);
        return;
    }
    if (x->body.len > PARSE_HERE_BYTES && net_loop_work(x->call.env->loop, read_body, on_parsed, x, &err)) {
        x->state = EXCHANGE_PARSE;
        x->is_parsing = true;
        return;
    }
    read_body(x);
    submit(x);
}

static void on_drain(void *ctx)
{
    struct exchange *x = ctx;
    if (x->is_held && x->has_job) {
        x->is_held = false;
        job_hold(x->job, false);
    }
}

static void on_close(void *ctx, enum http_close why)
{
    struct exchange *x = ctx;
    (void)why;
    x->call.stream = NULL;
    if (x->has_job)
        job_cancel(x->job); /* nobody wants the rest; its final event frees x */
    exchange_maybe_free(x);
}

/* ---- the endpoints ---- */

static void begin(const struct api_call *call, enum openai_task task)
{
    static const struct http_stream_fns fns = { on_data, on_end, on_drain, on_close };
    struct exchange *x = NULL;
    struct openai_error e;
    if (call->env->is_draining)
        openai_fail(&e, 503, "shutting_down", NULL, "the server is shutting down");
    else if (!(x = exchange_new(call, task)))
        openai_fail(&e, 503, "overloaded", NULL, "out of memory");
    if (x)
        http_stream_take(call->stream, &fns, x);
    else
        openai_refuse(call, &e, NULL, 0);
}

static void post_chat(const struct api_call *call, const struct http_head *head) { (void)head, begin(call, OPENAI_CHAT); }
static void post_completion(const struct api_call *call, const struct http_head *head) { (void)head, begin(call, OPENAI_COMPLETION); }
static void post_embeddings(const struct api_call *call, const struct http_head *head) { (void)head, begin(call, OPENAI_EMBEDDING); }

static void put_model(struct buf *b, const struct api_model *m)
{
    struct expert_card card;
    expert_get_card(m->expert, &card);
    openai_put_model(b, &(struct openai_model){
                            .id = m->id, .created_s = card.created_s, .n_ctx = card.n_ctx, .n_ctx_train = card.n_ctx_train,
                            .n_vocab = card.n_vocab, .n_embd = card.n_embd, .n_params = card.n_params,
                            .file_bytes = card.file_bytes, .state = expert_state_name(expert_get_state(m->expert)) });
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
        openai_put_models_end(&b);
    } else {
        const struct api_model *m = api_find_model(env, id);
        struct openai_error e;
        if (!m) {
            openai_fail(&e, 404, "model_not_found", "model", "the model '%.200s' does not exist here", id);
            openai_refuse(call, &e, NULL, 0);
            return;
        }
        put_model(&b, m);
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

void openai_tick(void *ctx)
{
    struct api_env *env = ctx;
    const uint64_t now_ms = net_loop_now_ms(env->loop);
    for (struct exchange *x = env->exchanges, *next; x; x = next) {
        next = x->next;
        reply_tick(x, now_ms);
    }
}
