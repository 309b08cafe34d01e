/* api/exchange.c - see exchange_internal.h; start reading at on_end(). */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/exchange_internal.h"
#include "api/openai.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"

enum {
    PARSE_HERE_BYTES = 64 << 10, /* larger bodies are read on another thread: JSON costs 20 ms per MB */
    JOB_MAX_BYTES = 192 << 20,
    ASK_MAX_BYTES = 1 << 20, /* of a job whose request lies in another one */
    OUT_MAX_BYTES = 64 << 20,
    TICK_MS = 50,
    PING_MS = 1000,
    HEADERS_MS = 200, /* a refusal within this time still gets its status */
};

void openai_error_from(struct openai_error *e, const char *text_name, const struct err *err)
{
    static const char too_long[] = "context_length_exceeded: ";
    const char *at = strstr(err->text, too_long);
    switch (err->code) {
    case ERR_INPUT:
        if (at)
            openai_fail(e, 400, "context_length_exceeded", text_name, "%s", at + strlen(too_long));
        else
            openai_fail(e, 400, "invalid_value", NULL, "%s", err->text);
        break;
    case ERR_UNSUPPORTED: openai_fail(e, 400, "unsupported_value", "model", "%s", err->text); break;
    case ERR_LIMIT: openai_fail(e, 413, "limit_exceeded", NULL, "%s", err->text); break;
    case ERR_NOT_FOUND: openai_fail(e, 503, "expert_unavailable", NULL, "%s", err->text); break; /* a library, a file of the expert's */
    case ERR_BUSY:
    case ERR_NOMEM: openai_fail(e, 503, "overloaded", NULL, "%s", err->text); break;
    default: openai_fail(e, err_http_status(err->code), NULL, NULL, "%s", err->text); break;
    }
}

/* ---- life ---- */

static void on_mail(void *ctx, const struct expert_event *ev, uint64_t ns);

static void free_fields(struct exchange *x)
{
    if (x->ops->fini)
        x->ops->fini(x);
    job_unref(x->job);
    job_unref(x->first);
    buf_fini(&x->body);
    buf_fini(&x->out);
    mail_box_fini(&x->box);
    routed_fini(&x->routed);
    free(x->query);
    free(x);
}

static struct exchange *exchange_new(const struct api_call *call, const struct http_head *head, const struct exchange_ops *ops, size_t n_bytes)
{
    struct api_env *env = call->env;
    const char *type = http_head_get(head, "content-type");
    struct exchange *x = calloc(1, n_bytes);
    if (!x)
        return NULL;
    x->ops = ops;
    x->call = *call;
    x->model_id = "";
    x->created_s = (int64_t)time(NULL);
    if (head->query[0] && !(x->query = strdup(head->query))) {
        free(x);
        return NULL;
    }
    for (size_t i = 0; type && type[i] && i + 1 < sizeof(x->content_type); i++)
        x->content_type[i] = type[i];
    buf_init(&x->body, env->body_max_bytes);
    buf_init(&x->out, OUT_MAX_BYTES);
    mail_box_init(&x->box, env->mailbox, on_mail, x);
    api_make_id(env, ops->id_prefix, x->id, sizeof(x->id));
    LIST_LINK(env->exchanges, x);
    if (env->n_exchanges++ == 0)
        net_timer_start(env->tick, TICK_MS, TICK_MS);
    if (ops->way && ops->way->on_head)
        ops->way->on_head(x, head);
    if (x->error.status == 0)
        wish_read_head(&x->wish, head, &x->error);
    wish_read_trace(&x->wish, head, rng_u64(&env->rng));
    return x;
}

/* When nobody can call any more: the stream is closed, the job's final event was delivered, nothing is parsed. */
static void maybe_free(struct exchange *x)
{
    struct api_env *env = x->call.env;
    if (x->call.stream || x->has_job || x->is_parsing)
        return;
    LIST_UNLINK(env->exchanges, x);
    env->bodies_bytes -= x->n_body_bytes;
    free_fields(x);
    if (--env->n_exchanges > 0)
        return;
    net_timer_stop(env->tick);
    if (env->on_idle)
        env->on_idle(env->on_idle_ctx);
}

void exchange_give_body(struct exchange *x)
{
    x->job->on_free = free;
    x->job->free_ctx = x->body.data;
    buf_init(&x->body, 0);
}

/* ---- in ---- */

/* On this thread or another one. */
static void read_body(void *ctx)
{
    struct exchange *x = ctx;
    struct err err = { 0 };
    x->job = job_new(JOB_MAX_BYTES, &err);
    if ((!x->job || !x->ops->read(x, &err)) && x->error.status == 0)
        openai_error_from(&x->error, x->text_name, &err);
    buf_fini(&x->body);
}

static bool hand_over(struct exchange *x, struct err *err)
{
    struct job *j = x->job;
    j->task = x->task;
    j->on_event = mail_post;
    j->ctx = &x->box;
    j->wish = x->wish;
    j->is_whole = !x->is_sse;
    if (x->deadline_ms && !j->deadline_ns) {
        const uint64_t now_ms = net_loop_now_ms(x->call.env->loop);
        j->deadline_ns = clock_ns() + (x->deadline_ms > now_ms ? (x->deadline_ms - now_ms) * 1000000 : 1);
    }
    x->load_until_ms = net_loop_now_ms(x->call.env->loop) + x->call.env->load_wait_ms;
    if (!expert_submit(x->model->expert, j, err))
        return false;
    if (x->wish.trace[0])
        log_info("%s: %s, trace %s", x->call.request_id, x->model->id, x->wish.trace);
    x->has_job = true;
    return true;
}

/* Nothing goes where it must not go; "auto" sees to it itself. */
static bool may_have(const struct exchange *x, const struct api_model *m)
{
    static const enum expert_privacy furthest[] = { EXPERT_CLOUD, EXPERT_LOCAL, EXPERT_LAN }; /* ORDER wish_security */
    const struct api_env *env = x->call.env;
    struct expert_card card;
    for (int i = 0; i < env->n_autos; i++)
        if (m == &env->autos[i])
            return true;
    expert_get_card(m->expert, &card);
    return card.privacy <= furthest[x->wish.security];
}

bool exchange_ask(struct exchange *x, struct api_model *model, enum expert_task task, struct err *err)
{
    if (!may_have(x, model))
        return err_set(err, ERR_UNSUPPORTED, "'%.100s' is a server elsewhere, and the request is private", model->id);
    struct job *j = job_new(ASK_MAX_BYTES, err);
    if (!j)
        return false;
    mail_box_fini(&x->box); /* its final event was the last word on the job before */
    mail_box_init(&x->box, x->call.env->mailbox, on_mail, x);
    if (!x->first)
        x->first = x->job;
    else
        job_unref(x->job);
    j->request = x->first->request;
    x->job = j;
    x->model = model;
    x->task = task;
    x->is_held = x->has_answered = false;
    return hand_over(x, err);
}

/* The next expert that can, when none was named and the one that was asked could not: it crashed, or misses a library. */
static bool ask_another(struct exchange *x, const struct err *why)
{
    const enum expert_task text = EXPERT_CHAT | EXPERT_COMPLETE | EXPERT_EMBED;
    struct api_env *env = x->call.env;
    const bool is_ours = why->code == ERR_NOT_FOUND || why->code == ERR_BUSY || why->code == ERR_UNSUPPORTED || why->code == ERR_IO || why->code == ERR_INTERNAL;
    if (!x->is_any || x->has_answered || !is_ours || env->is_draining || (x->task & text))
        return false;
    for (struct api_model *m = x->model; (m = api_next_model(env, m, x->task)) != NULL;) {
        struct err err;
        if (!may_have(x, m))
            continue;
        log_info("%s: %s; %s is asked instead", x->model->id, why->text, m->id);
        if (exchange_ask(x, m, x->task, &err))
            return true;
        if (err.code == ERR_NOMEM)
            return false;
    }
    return false;
}

/* An error of the expert; true: somebody else answers. */
static bool deal_with(struct exchange *x, const struct err *why)
{
    const struct err err = *why; /* it may lie in the box */
    return ask_another(x, &err) || (x->ops->on_error && x->ops->on_error(x, &err));
}

/* Of a private request: who was named may have it, or it is refused; when none was named, the first that may. */
static void choose_private(struct exchange *x)
{
    struct expert_card card;
    struct api_model *m = x->model;
    while (m && !may_have(x, m))
        m = x->is_any ? api_next_model(x->call.env, m, x->task) : NULL;
    if (m) {
        x->model = m;
        return;
    }
    expert_get_card(x->model->expert, &card);
    openai_fail(&x->error, 400, "privacy", "tutti.security_level", "tutti.security_level: the model '%.100s' is a server elsewhere (%s)", x->model->id,
                expert_privacy_name(card.privacy));
}

/* From the moment when all of the request was there. */
static void set_deadline(struct exchange *x)
{
    const uint64_t now_ms = net_loop_now_ms(x->call.env->loop), at_ms = now_ms + (uint64_t)(x->wish.deadline_s * 1e3f);
    if (x->wish.deadline_s > 0 && (!x->deadline_ms || at_ms < x->deadline_ms))
        x->deadline_ms = at_ms;
}

static void submit(struct exchange *x)
{
    struct api_env *env = x->call.env;
    struct err err = { 0 };
    if (!x->call.stream) /* hung up meanwhile */
        return;
    if (env->is_draining)
        openai_fail(&x->error, 503, "shutting_down", NULL, "the server is shutting down");
    if (x->error.status == 0 && x->wish.hops == 0 && (x->model = api_find_elsewhere(env, x->model_id)) != NULL)
        snprintf(x->wish.only, sizeof(x->wish.only), "%s", x->model_id);
    else if (x->error.status == 0)
        x->model = api_pick_model(env, x->model_id, x->task, &x->error);
    x->is_any = !x->model_id || !*x->model_id;
    if (x->error.status == 0)
        choose_private(x);
    if (x->error.status != 0) {
        exchange_fail(x, &x->error);
        return;
    }
    x->headers_at_ms = net_loop_now_ms(env->loop) + HEADERS_MS;
    set_deadline(x);
    if (!x->ops->begin(x, &err)) {
        if (x->error.status == 0)
            openai_error_from(&x->error, x->text_name, &err);
        exchange_fail(x, &x->error);
        return;
    }
    x->state = EXCHANGE_WAIT;
    if (!hand_over(x, &err) && !deal_with(x, &err))
        exchange_fail_with(x, &err);
}

static void on_worked(void *ctx)
{
    struct exchange *x = ctx;
    x->is_parsing = false;
    if (x->call.stream && x->state != EXCHANGE_OVER)
        x->work_done(x);
    maybe_free(x);
}

bool exchange_work(struct exchange *x, net_fn *work, net_fn *done, struct err *err)
{
    x->work_done = done;
    x->is_parsing = net_loop_work(x->call.env->loop, work, on_worked, x, err);
    return x->is_parsing;
}

/* ---- what the stream calls ---- */

static void on_data(void *ctx, const char *bytes, size_t n)
{
    struct exchange *x = ctx;
    struct api_env *env = x->call.env;
    if (x->state != EXCHANGE_BODY || x->error.status != 0)
        return;
    if (env->bodies_max_bytes && env->bodies_bytes + n > env->bodies_max_bytes) {
        openai_fail(&x->error, 503, "overloaded", NULL, "the bodies of all requests together pass %llu bytes, which is the limit",
                    (unsigned long long)env->bodies_max_bytes);
        buf_fini(&x->body);
        env->bodies_bytes -= x->n_body_bytes;
        x->n_body_bytes = 0;
        return;
    }
    env->bodies_bytes += n;
    x->n_body_bytes += n;
    buf_append(&x->body, bytes, n);
}

static void on_parsed(void *ctx)
{
    struct exchange *x = ctx;
    x->is_parsing = false;
    submit(x);
    maybe_free(x);
}

static void on_end(void *ctx)
{
    struct exchange *x = ctx;
    struct err err = { 0 };
    if (x->state != EXCHANGE_BODY)
        return;
    x->body_ns = clock_ns();
    if (x->error.status != 0) {
        exchange_fail(x, &x->error);
        return;
    }
    if (!buf_ok(&x->body, "the body", &err)) {
        exchange_fail_with(x, &err);
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
    maybe_free(x);
}

void exchange_begin(const struct api_call *call, const struct http_head *head, const struct exchange_ops *ops, size_t n_bytes)
{
    static const struct http_stream_fns fns = { on_data, on_end, on_drain, on_close };
    struct exchange *x = NULL;
    struct openai_error e;
    if (call->env->is_draining)
        openai_fail(&e, 503, "shutting_down", NULL, "the server is shutting down");
    else if (call->env->max_exchanges > 0 && call->env->n_exchanges >= call->env->max_exchanges)
        openai_fail(&e, 503, "overloaded", NULL, "%d requests wait or run already, which is the limit", call->env->n_exchanges);
    else if (!(x = exchange_new(call, head, ops, n_bytes)))
        openai_fail(&e, 503, "overloaded", NULL, "out of memory");
    if (x)
        http_stream_take(call->stream, &fns, x);
    else if (ops->way && ops->way->refuse)
        ops->way->refuse(call, &e);
    else
        openai_refuse(call, &e, NULL, 0);
}

/* ---- out ---- */

int exchange_fields(struct exchange *x, struct http_field out[API_FIELDS_MAX], const struct http_field *more, int n_more)
{
    struct http_field fields[API_FIELDS_MAX];
    int n = routed_fields(&x->routed, fields);
    for (int i = 0; i < n_more && n < API_FIELDS_MAX; i++)
        fields[n++] = more[i];
    return api_fields(&x->call, out, fields, n);
}

void exchange_start(struct exchange *x, const char *type)
{
    const struct http_field more[] = {
        { "content-type", x->is_sse ? "text/event-stream" : type }, { "cache-control", "no-cache" }, { "x-accel-buffering", "no" },
    };
    struct http_field fields[API_FIELDS_MAX];
    const int n = exchange_fields(x, fields, more, 3);
    http_stream_start(x->call.stream, 200, fields, n, -1);
    x->state = EXCHANGE_STREAM;
    x->quiet_since_ms = net_loop_now_ms(x->call.env->loop);
}

/* How much of an answer may wait for its reader before the job is held. One process speaks for everybody, so a held speech would hold
 * all others: some minutes of it may wait, as long as all that waits together is bounded. */
enum { SPEECH_WAITS_BYTES = 16 << 20, ALL_WAIT_BYTES = 256 << 20 };
static size_t may_wait_bytes(const struct exchange *x)
{
    size_t all = 0;
    if (x->task != EXPERT_SPEAK)
        return HTTP_QUEUE_HIGH_BYTES;
    for (const struct exchange *e = x->call.env->exchanges; e; e = e->next)
        all += e->call.stream ? http_stream_queued(e->call.stream) : 0;
    return all < ALL_WAIT_BYTES ? SPEECH_WAITS_BYTES : HTTP_QUEUE_HIGH_BYTES;
}

void exchange_send(struct exchange *x)
{
    if (x->out.failed) {
        http_stream_reset(x->call.stream);
        return;
    }
    if (x->out.len > 0)
        http_stream_write(x->call.stream, x->out.data, x->out.len);
    buf_clear(&x->out);
    x->quiet_since_ms = net_loop_now_ms(x->call.env->loop);
    const size_t waits = http_stream_queued(x->call.stream);
    if (x->has_job && !x->is_held && waits > HTTP_QUEUE_HIGH_BYTES && waits > may_wait_bytes(x)) {
        x->is_held = true;
        job_hold(x->job, true);
    }
}

void exchange_end(struct exchange *x)
{
    exchange_send(x);
    http_stream_end(x->call.stream);
    x->state = EXCHANGE_OVER;
}

void exchange_reply(struct exchange *x, const char *type)
{
    struct err err;
    if (!buf_ok(&x->out, "the answer", &err)) {
        exchange_fail_with(x, &err);
        return;
    }
    struct http_field fields[API_FIELDS_MAX];
    const int n = routed_fields(&x->routed, fields);
    api_reply(&x->call, 200, type, exchange_text(&x->out), x->out.len, fields, n);
    x->state = EXCHANGE_OVER;
}

void exchange_fail(struct exchange *x, const struct openai_error *e)
{
    if (x->has_job)
        job_cancel(x->job);
    if (x->call.stream && x->state != EXCHANGE_OVER) {
        buf_clear(&x->out);
        const struct exchange_way *way = x->ops->way;
        if (way && way->fail && (x->state != EXCHANGE_STREAM || way->can_fail_late)) {
            way->fail(x, e);
        } else if (x->state != EXCHANGE_STREAM) {
            (way && way->put_error ? way->put_error : openai_put_error)(&x->out, e);
            struct http_field fields[API_FIELDS_MAX];
            const int n = routed_fields(&x->routed, fields);
            api_reply(&x->call, e->status, "application/json", exchange_text(&x->out), x->out.len, fields, n);
        } else if (x->is_sse) {
            openai_put_chunk_error(&x->out, e);
            exchange_send(x);
            http_stream_end(x->call.stream);
        } else {
            http_stream_reset(x->call.stream); /* half a file must not look like a whole one */
        }
    }
    x->state = EXCHANGE_OVER;
}

void exchange_fail_with(struct exchange *x, const struct err *err)
{
    openai_error_from(&x->error, x->text_name, err);
    if (err->code == ERR_BUSY && x->deadline_ms && net_loop_now_ms(x->call.env->loop) + 1 >= x->deadline_ms)
        openai_fail(&x->error, 504, "deadline_exceeded", NULL, "Deadline exceeded");
    exchange_fail(x, &x->error);
}

static void find_chosen(struct exchange *x, const struct expert_route *r)
{
    struct api_env *env = x->call.env;
    x->chosen = NULL;
    for (int i = 0; i < env->n_models && !x->chosen && strcmp(r->node, "local") == 0; i++)
        if (strcmp(env->models[i].id, r->expert) == 0 && &env->models[i] != x->model)
            x->chosen = &env->models[i];
}

void exchange_observe(struct exchange *x, enum api_histogram h, uint64_t ns)
{
    api_stats_observe(&x->model->stats, h, ns);
    if (x->chosen)
        api_stats_observe(&x->chosen->stats, h, ns);
}

static void on_mail(void *ctx, const struct expert_event *ev, uint64_t ns)
{
    struct exchange *x = ctx;
    const bool is_final = ev->kind == EXPERT_DONE || ev->kind == EXPERT_ERROR;
    struct err err;
    if (is_final)
        x->has_job = false;
    if (ev->route) {
        routed_take(&x->routed, ev->route, is_final);
        find_chosen(x, ev->route);
    }
    if (x->call.stream && x->state != EXCHANGE_OVER) {
        if (x->is_sse && x->state == EXCHANGE_WAIT && ev->kind != EXPERT_ERROR && ev->kind != EXPERT_ROUTED)
            exchange_start(x, NULL); /* before the prompt is read: the client knows that it was heard */
        switch (ev->kind) {
        case EXPERT_STARTED: x->load_until_ms = 0; break;
        case EXPERT_DONE:
            exchange_observe(x, API_E2E, ns - x->body_ns);
            exchange_observe(x, API_QUEUE, ev->usage->queue_ns);
            x->ops->on_done(x, ev->usage, ns);
            break;
        case EXPERT_ERROR:
            err = *ev->err;
            if (!deal_with(x, &err))
                exchange_fail_with(x, &err);
            break;
        case EXPERT_ROUTED:
        case EXPERT_QUEUED: break;
        case EXPERT_PART:
            routed_add_part(&x->routed, ev->part);
            x->ops->on_event(x, ev, ns);
            break; /* nothing that the client has read yet */
        default:
            x->has_answered = true;
            x->ops->on_event(x, ev, ns);
            break;
        }
    }
    if (is_final)
        maybe_free(x);
}

static void tick(struct exchange *x, uint64_t now_ms)
{
    static const char ping[] = ": ping\n\n";
    if (!x->call.stream || x->is_parsing || (x->state != EXCHANGE_WAIT && x->state != EXCHANGE_STREAM))
        return;
    if (x->load_until_ms && now_ms >= x->load_until_ms && expert_get_state(x->model->expert) == EXPERT_LOADING) {
        openai_fail(&x->error, 503, "loading", "model", "the model '%.200s' is still being loaded", x->model->id);
        exchange_fail(x, &x->error);
        return;
    }
    if (x->deadline_ms && now_ms >= x->deadline_ms) {
        openai_fail(&x->error, 504, "deadline_exceeded", NULL, "Deadline exceeded");
        exchange_fail(x, &x->error);
        return;
    }
    if (x->state == EXCHANGE_WAIT && x->is_sse && now_ms >= x->headers_at_ms)
        exchange_start(x, NULL);
    if (x->state == EXCHANGE_STREAM && x->is_sse && now_ms - x->quiet_since_ms >= PING_MS &&
        http_stream_queued(x->call.stream) <= HTTP_QUEUE_HIGH_BYTES) {
        http_stream_write(x->call.stream, ping, strlen(ping));
        x->quiet_since_ms = now_ms;
    }
}

void exchange_tick(void *ctx)
{
    struct api_env *env = ctx;
    const uint64_t now_ms = net_loop_now_ms(env->loop);
    for (struct exchange *x = env->exchanges, *next; x; x = next) {
        next = x->next;
        tick(x, now_ms);
    }
}
