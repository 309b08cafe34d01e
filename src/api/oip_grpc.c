/* api/oip_grpc.c - inference.GRPCInferenceService and grpc.health.v1.Health.  ModelInfer is an exchange like any other
 * request (read_infer()); the small methods are answered from one table (methods). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/oip_internal.h"
#include "api/openai.h"
#include "expert/task_wire.h"
#include "net/grpc.h"
#include "wire/oip_pb.h"

enum { SMALL_MAX_BYTES = 64 << 10, WATCH_MS = 250 };

static enum grpc_status status_of(const struct openai_error *e)
{
    switch (e->status) {
    case 400: return GRPC_INVALID_ARGUMENT;
    case 401: return GRPC_UNAUTHENTICATED;
    case 403: return GRPC_PERMISSION_DENIED;
    case 404: return GRPC_NOT_FOUND;
    case 413:
    case 429: return GRPC_RESOURCE_EXHAUSTED;
    case 499: return GRPC_CANCELLED;
    case 501: return GRPC_UNIMPLEMENTED;
    case 503: return GRPC_UNAVAILABLE;
    case 504: return GRPC_DEADLINE_EXCEEDED;
    default: return GRPC_INTERNAL;
    }
}

static void refuse(const struct api_call *call, const struct openai_error *e) { grpc_refuse(call->stream, status_of(e), e->message); }

void oip_grpc_refuse(const struct api_call *call, int status, const char *text)
{
    struct openai_error e = { 0 };
    openai_fail(&e, status, NULL, NULL, "%s", text);
    refuse(call, &e);
}

void oip_grpc_unknown(const struct api_call *call, const struct http_head *head)
{
    char text[300];
    snprintf(text, sizeof(text), "there is no method %.200s", head->path);
    grpc_refuse(call->stream, GRPC_UNIMPLEMENTED, text);
}

/* ---- ModelInfer ---- */

static void on_head(struct exchange *x, const struct http_head *head)
{
    struct oip_exchange *o = (struct oip_exchange *)x;
    const char *timeout = http_head_get(head, "grpc-timeout");
    uint64_t ns;
    buf_init(&o->kept, 128 << 20);
    buf_init(&o->binary, 128 << 20);
    if (timeout && grpc_read_timeout(timeout, &ns))
        oip_set_deadline(x, ns);
}

/* The one message of the body; its bytes stay there. */
static bool read_message(struct exchange *x, const char **model, struct err *err)
{
    struct oip_exchange *o = (struct oip_exchange *)x;
    struct job *j = x->job;
    struct grpc_reader reader;
    const char *at = exchange_text(&x->body);
    size_t n = x->body.len, n_m;
    const void *m;
    grpc_reader_init(&reader, GRPC_MESSAGE_MAX_BYTES);
    const enum grpc_piece p = grpc_read(&reader, &at, &n, &m, &n_m); /* whole: it stays in the body */
    grpc_reader_fini(&reader);
    o->request = arena_alloc(j->arena, 1, sizeof(*o->request), err);
    if (!o->request)
        return false;
    if (p == GRPC_TOO_LARGE || p == GRPC_NO_MEMORY)
        return err_set(err, ERR_LIMIT, "the message is larger than this side takes");
    if (p != GRPC_MESSAGE || n > 0) { /* not the client's words: its library's */
        openai_fail(&x->error, 500, NULL, NULL, "%s",
                    p == GRPC_COMPRESSED ? "a compressed message, without an encoding that both agreed on" : "exactly one message is wanted");
        return false;
    }
    return oip_pb_read_infer(o->request, model, &o->is_raw, m, n_m, j->arena, err);
}

static bool read_infer(struct exchange *x, struct err *err)
{
    struct oip_exchange *o = (struct oip_exchange *)x;
    return read_message(x, &o->model_name, err) && oip_fill_job(o, err);
}

/* Any thread. */
static void write_reply(void *ctx)
{
    struct oip_exchange *o = ctx;
    struct buf *out = &o->x.out;
    struct oip_param params[OIP_ROUTE_PARAMS];
    oip_pb_put_reply(out, o->model_name, o->request->id, params, oip_route_params(o, params));
    for (int i = 0; i < o->n_outputs && o->err.code == ERR_NONE; i++) {
        const struct tensor t = oip_output(o, i);
        oip_pb_put_output(out, &t, o->is_raw, &o->err);
    }
}

static void send_reply(void *ctx)
{
    struct oip_exchange *o = ctx;
    struct exchange *x = &o->x;
    struct buf raw;
    buf_init(&raw, 136 << 20);
    for (int i = 0; i < o->n_outputs && o->is_raw; i++) {
        const struct tensor t = oip_output(o, i);
        oip_pb_put_raw(&raw, &t);
    }
    if (o->err.code == ERR_NONE && buf_ok(&x->out, "the answer", &o->err))
        buf_ok(&raw, "the answer", &o->err);
    if (o->err.code != ERR_NONE) {
        exchange_fail_with(x, &o->err);
    } else {
        grpc_reply(x->call.stream, exchange_text(&x->out), x->out.len, exchange_text(&raw), raw.len);
        x->state = EXCHANGE_OVER;
    }
    buf_fini(&raw);
}

static void on_done(struct exchange *x, const struct expert_usage *usage, uint64_t ns)
{
    (void)usage, (void)ns;
    oip_write_outputs((struct oip_exchange *)x, write_reply, send_reply);
}

static void fail(struct exchange *x, const struct openai_error *e)
{
    const bool is_late = x->deadline_ms && net_loop_now_ms(x->call.env->loop) + 1 >= x->deadline_ms;
    grpc_end(x->call.stream, is_late ? GRPC_DEADLINE_EXCEEDED : status_of(e), is_late ? "Deadline exceeded" : e->message);
}

static const struct exchange_way way = { .on_head = on_head, .fail = fail, .refuse = refuse };
static const struct exchange_ops infer_ops = {
    .id_prefix = "oip-", .read = read_infer, .begin = oip_begin, .on_event = oip_on_event, .on_done = on_done, .fini = oip_fini, .way = &way,
};

/* ---- ModelStreamInfer: one request, its answers as they come ---- */

/* Another node's task (expert/task_wire.h); whoever sends tensors gets one answer, as from ModelInfer. */
static bool read_stream(struct exchange *x, struct err *err)
{
    struct oip_exchange *o = (struct oip_exchange *)x;
    if (!read_message(x, &o->model_name, err))
        return false;
    const struct tensor *t = &o->request->inputs[0];
    if (o->request->n_inputs != 1 || strcmp(t->name, TASK_WIRE_REQUEST) != 0)
        return oip_fill_job(o, err);
    x->model_id = o->model_name;
    o->is_task = true;
    if (!*o->model_name)
        return err_set(err, ERR_INPUT, "a model's name is wanted");
    if (t->type != TENSOR_U8 || !o->is_raw || !task_wire_read_request(t->data, t->n_bytes, x->job->arena, &x->job->request, err))
        return err->code != ERR_NONE ? false : err_set(err, ERR_INPUT, TASK_WIRE_REQUEST ": UINT8 in raw_input_contents is wanted");
    x->task = x->job->request.task;
    return !(x->task & (EXPERT_CHAT | EXPERT_COMPLETE | EXPERT_EMBED)) || err_set(err, ERR_INPUT, "'%s' goes by the OpenAI API", expert_task_name(x->task));
}

/* What is in `message` as the next one of the stream; frees it. */
static void send_message(struct exchange *x, struct buf *message)
{
    struct err err;
    char prefix[GRPC_PREFIX_BYTES];
    if (!buf_ok(message, "the answer", &err)) {
        buf_fini(message);
        exchange_fail_with(x, &err);
        return;
    }
    if (x->state == EXCHANGE_WAIT)
        exchange_start(x, "application/grpc+proto");
    grpc_put_prefix(prefix, message->len);
    buf_append(&x->out, prefix, sizeof(prefix));
    buf_append(&x->out, exchange_text(message), message->len);
    buf_fini(message);
    exchange_send(x);
}

static void send_block(struct exchange *x, const char *output, const struct buf *block)
{
    struct buf message;
    buf_init(&message, GRPC_MESSAGE_MAX_BYTES);
    oip_pb_put_block_reply(&message, "", output, exchange_text(block), block->len);
    send_message(x, &message);
}

static void on_stream_event(struct exchange *x, const struct expert_event *ev, uint64_t ns)
{
    struct oip_exchange *o = (struct oip_exchange *)x;
    struct err err = { 0 };
    if (!o->is_task) {
        oip_on_event(x, ev, ns);
        return;
    }
    buf_clear(&o->binary);
    if (task_wire_put_event(&o->binary, ev, &err))
        send_block(x, TASK_WIRE_EVENT, &o->binary);
    else if (err.code != ERR_NONE)
        exchange_fail_with(x, &err);
}

static void end_stream(struct exchange *x)
{
    if (x->state == EXCHANGE_OVER)
        return;
    grpc_end(x->call.stream, GRPC_OK, NULL);
    x->state = EXCHANGE_OVER;
}

static void send_stream_reply(void *ctx)
{
    struct oip_exchange *o = ctx;
    struct buf message;
    buf_init(&message, GRPC_MESSAGE_MAX_BYTES);
    for (int i = 0; i < o->n_outputs && o->is_raw; i++) {
        const struct tensor t = oip_output(o, i);
        oip_pb_put_raw(&o->x.out, &t);
    }
    if (o->err.code != ERR_NONE || !buf_ok(&o->x.out, "the answer", &o->err)) {
        exchange_fail_with(&o->x, &o->err);
        return;
    }
    struct buf reply = o->x.out;
    buf_init(&o->x.out, GRPC_MESSAGE_MAX_BYTES + 64);
    oip_pb_put_stream_reply(&message, &reply);
    send_message(&o->x, &message);
    end_stream(&o->x);
}

static void on_stream_done(struct exchange *x, const struct expert_usage *usage, uint64_t ns)
{
    struct oip_exchange *o = (struct oip_exchange *)x;
    (void)ns;
    if (!o->is_task) {
        oip_write_outputs(o, write_reply, send_stream_reply);
        return;
    }
    buf_clear(&o->binary);
    task_wire_put_usage(&o->binary, usage);
    send_block(x, TASK_WIRE_USAGE, &o->binary);
    end_stream(x);
}

static const struct exchange_way stream_way = { .on_head = on_head, .fail = fail, .can_fail_late = true, .refuse = refuse };
static const struct exchange_ops stream_ops = {
    .id_prefix = "oip-", .read = read_stream, .begin = oip_begin, .on_event = on_stream_event, .on_done = on_stream_done, .fini = oip_fini, .way = &stream_way,
};

/* ---- small methods ---- */

struct small {
    struct api_env *env;
    const struct method *method;
    struct grpc_call *call;
    struct net_timer *watch; /* Watch, and a model that is being loaded: looks again */
    struct oip_probe *probe;
    enum health last;
    char service[256];       /* whom they ask for */
    bool has_message, is_over;
};

struct method {
    const char *path;
    /* The answer into out, or false with e.  name: the request's first field, "" when it has none. */
    bool (*answer)(struct api_env *env, const char *name, struct buf *out, struct openai_error *e);
};

static bool server_live(struct api_env *env, const char *name, struct buf *out, struct openai_error *e)
{
    (void)env, (void)name, (void)e;
    oip_pb_put_bool(out, true);
    return true;
}

static bool server_ready(struct api_env *env, const char *name, struct buf *out, struct openai_error *e)
{
    (void)name, (void)e;
    oip_pb_put_bool(out, oip_is_ready(env));
    return true;
}

static bool server_metadata(struct api_env *env, const char *name, struct buf *out, struct openai_error *e)
{
    (void)env, (void)name, (void)e;
    oip_pb_put_server(out, TUTTI_VERSION);
    return true;
}

static bool with_facts(struct api_env *env, const char *name, struct buf *out, struct openai_error *e, bool asks_ready)
{
    struct oip_facts *f = malloc(sizeof(*f));
    const bool ok = f ? oip_get_facts(env, name, f, e) : openai_fail(e, 503, NULL, NULL, "out of memory");
    if (ok && asks_ready)
        oip_pb_put_bool(out, f->model.is_ready);
    else if (ok)
        oip_pb_put_model(out, &f->model);
    free(f);
    return ok;
}
static bool model_ready(struct api_env *env, const char *name, struct buf *out, struct openai_error *e) { return with_facts(env, name, out, e, true); }
static bool model_metadata(struct api_env *env, const char *name, struct buf *out, struct openai_error *e) { return with_facts(env, name, out, e, false); }

/* "" and the service's name stand for the server; a model's name for the model. */
static enum health health_of(struct api_env *env, const char *name)
{
    struct openai_error e;
    if (!*name || strcmp(name, "inference.GRPCInferenceService") == 0)
        return oip_is_ready(env) ? HEALTH_SERVING : HEALTH_NOT_SERVING;
    struct oip_facts *f = malloc(sizeof(*f));
    const bool is_known = f && oip_get_facts(env, name, f, &e), is_ready = is_known && f->model.is_ready;
    free(f);
    return is_ready ? HEALTH_SERVING : is_known ? HEALTH_NOT_SERVING : HEALTH_SERVICE_UNKNOWN;
}

static bool health_check(struct api_env *env, const char *name, struct buf *out, struct openai_error *e)
{
    const enum health h = health_of(env, name);
    if (h == HEALTH_SERVICE_UNKNOWN)
        return openai_fail(e, 404, NULL, NULL, "unknown service %.200s", name);
    oip_pb_put_health(out, h);
    return true;
}

static const struct method methods[] = {
    { "/inference.GRPCInferenceService/ServerLive", server_live },
    { "/inference.GRPCInferenceService/ServerReady", server_ready },
    { "/inference.GRPCInferenceService/ModelReady", model_ready },
    { "/inference.GRPCInferenceService/ServerMetadata", server_metadata },
    { "/inference.GRPCInferenceService/ModelMetadata", model_metadata },
    { "/grpc.health.v1.Health/Check", health_check },
    { "/grpc.health.v1.Health/Watch", NULL },
};

static void watch(void *ctx)
{
    struct small *m = ctx;
    const enum health h = health_of(m->env, m->service);
    struct buf b;
    if (m->is_over)
        return;
    if (h != m->last) {
        m->last = h;
        buf_init(&b, 64);
        oip_pb_put_health(&b, h);
        grpc_send(m->call, exchange_text(&b), b.len);
        buf_fini(&b);
    }
    if (m->env->is_draining) { /* nobody shall wait for this stream to end */
        m->is_over = true;
        grpc_finish(m->call, GRPC_UNAVAILABLE, "the server is shutting down");
    }
}

/* false: the call was ended. */
static bool look_later(struct small *m, const char *name, net_fn *fn)
{
    struct err err;
    if (strlen(name) >= sizeof(m->service)) {
        grpc_finish(m->call, GRPC_INVALID_ARGUMENT, "the name is too long");
        return false;
    }
    memcpy(m->service, name, strlen(name) + 1);
    m->watch = net_timer_new(m->env->loop, fn, m, &err);
    if (!m->watch)
        grpc_finish(m->call, GRPC_RESOURCE_EXHAUSTED, "out of memory");
    return m->watch != NULL;
}

static void begin_watch(struct small *m, const char *name)
{
    m->last = HEALTH_UNKNOWN;
    if (!look_later(m, name, watch))
        return;
    watch(m);
    net_timer_start(m->watch, WATCH_MS, WATCH_MS);
}

static void answer(struct small *m, const char *name)
{
    struct openai_error e = { 0 };
    struct err err;
    struct buf out;
    buf_init(&out, 1 << 20);
    if (!m->method->answer(m->env, name, &out, &e)) {
        grpc_finish(m->call, status_of(&e), e.message);
    } else if (!buf_ok(&out, "the answer", &err)) {
        grpc_finish(m->call, grpc_status_from(err.code), err.text);
    } else {
        grpc_send(m->call, exchange_text(&out), out.len);
        grpc_finish(m->call, GRPC_OK, NULL);
    }
    buf_fini(&out);
}

static void look_at_probe(void *ctx)
{
    struct small *m = ctx;
    struct openai_error e = { 0 };
    if (!oip_probe_is_over(m->probe))
        return;
    net_timer_stop(m->watch);
    if (oip_probe_failed(m->probe, m->env, m->service, &e))
        grpc_finish(m->call, status_of(&e), e.message);
    else
        answer(m, m->service);
}

/* A model that is not loaded is loaded for who asks for its tensors.  true: the answer comes later, or the call was ended. */
static bool load_first(struct small *m, const char *name)
{
    struct openai_error e = { 0 };
    struct err err;
    m->probe = m->method->answer == model_metadata ? oip_probe_begin(m->env, name, &err) : NULL;
    if (m->probe) {
        if (look_later(m, name, look_at_probe))
            net_timer_start(m->watch, OIP_PROBE_MS, OIP_PROBE_MS);
        return true;
    }
    if (m->method->answer != model_metadata || err.code == ERR_NONE)
        return false;
    openai_error_from(&e, NULL, &err);
    grpc_finish(m->call, status_of(&e), e.message);
    return true;
}

static void on_message(void *ctx, const void *bytes, size_t n)
{
    struct small *m = ctx;
    struct err err = { 0 };
    const char *name = "";
    if (m->has_message) {
        grpc_finish(m->call, GRPC_INTERNAL, "exactly one message is wanted");
        return;
    }
    m->has_message = true;
    struct arena *a = arena_new(SMALL_MAX_BYTES * 8, &err);
    if (!a || !oip_pb_read_name(&name, bytes, n, a, &err))
        grpc_finish(m->call, grpc_status_from(err.code), err.text);
    else if (!m->method->answer)
        begin_watch(m, name);
    else if (!load_first(m, name))
        answer(m, name);
    arena_free(a);
}

static void on_end(void *ctx)
{
    struct small *m = ctx;
    if (!m->has_message)
        grpc_finish(m->call, GRPC_INTERNAL, "exactly one message is wanted");
}

static void on_close(void *ctx)
{
    struct small *m = ctx;
    net_timer_free(m->watch);
    oip_probe_unref(m->probe);
    free(m);
}

static void begin_small(const struct api_call *call, const struct http_head *head, const struct method *method)
{
    static const struct grpc_fns fns = { .on_message = on_message, .on_end = on_end, .on_close = on_close };
    struct small *m = calloc(1, sizeof(*m));
    if (!m) {
        grpc_refuse(call->stream, GRPC_RESOURCE_EXHAUSTED, "out of memory");
        return;
    }
    m->env = call->env;
    m->method = method;
    m->call = grpc_accept(call->env->loop, call->stream, head, SMALL_MAX_BYTES, false, &fns, m);
    if (!m->call)
        free(m);
}

void oip_grpc_call(const struct api_call *call, const struct http_head *head)
{
    if (!grpc_is_call(head) || !http_stream_is_h2(call->stream)) {
        struct openai_error e = { 0 };
        openai_fail(&e, 415, NULL, NULL, "this path speaks gRPC: HTTP/2, POST, content-type application/grpc");
        openai_refuse(call, &e, NULL, 0);
        return;
    }
    if (strcmp(head->path, "/inference.GRPCInferenceService/ModelInfer") == 0) {
        exchange_begin(call, head, &infer_ops, sizeof(struct oip_exchange));
        return;
    }
    if (strcmp(head->path, "/inference.GRPCInferenceService/ModelStreamInfer") == 0) {
        exchange_begin(call, head, &stream_ops, sizeof(struct oip_exchange));
        return;
    }
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
        if (strcmp(methods[i].path, head->path) == 0) {
            begin_small(call, head, &methods[i]);
            return;
        }
    oip_grpc_unknown(call, head);
}
