/* api/oip.c - Open Inference Protocol v2 over REST; the way of an infer request begins at read_infer(). */
#include "api/oip.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/oip_internal.h"

static const char type_json[] = "application/json", type_bytes[] = "application/octet-stream", path_models[] = "/v2/models/";
static const char header_length[] = "inference-header-content-length";

static void put_error(struct buf *out, const struct openai_error *e) { oip_put_error(out, e->message); }

static void refuse(const struct api_call *call, const struct openai_error *e)
{
    struct buf b;
    buf_init(&b, 8192);
    put_error(&b, e);
    api_take_and_reply(call, e->status, type_json, b.data ? b.data : "", b.len, NULL, 0);
    buf_fini(&b);
}

/* ---- infer ---- */

static void on_head(struct exchange *x, const struct http_head *head)
{
    struct oip_exchange *o = (struct oip_exchange *)x;
    const char *length = http_head_get(head, header_length);
    const size_t begin = strlen(path_models), n = strlen(head->path);
    char *end = NULL;
    buf_init(&o->kept, 128 << 20);
    buf_init(&o->binary, 128 << 20);
    o->n_json = length ? strtoll(length, &end, 10) : -1;
    if (length && (end == length || *end || o->n_json < 0))
        openai_fail(&x->error, 400, NULL, NULL, "%s: a number is wanted", header_length);
    o->path_model = strndup(head->path + begin, n - begin - strlen("/infer"));
    if (!o->path_model) {
        openai_fail(&x->error, 503, "overloaded", NULL, "out of memory");
        return;
    }
    char *version = strstr(o->path_model, "/versions/");
    if (version)
        *version = '\0'; /* get_or_post() has seen that it is 1 */
}

static bool read_infer(struct exchange *x, struct err *err)
{
    struct oip_exchange *o = (struct oip_exchange *)x;
    struct job *j = x->job;
    const size_t n = x->body.len, n_json = o->n_json < 0 ? n : (size_t)o->n_json;
    const char *body = exchange_text(&x->body);
    o->model_name = o->path_model;
    o->request = arena_alloc(j->arena, 1, sizeof(*o->request), err);
    if (!o->request)
        return false;
    if (n_json > n)
        return err_set(err, ERR_INPUT, "%s: %zu bytes, the body has %zu", header_length, n_json, n);
    if (!oip_read_infer(o->request, body, n, n_json, j->arena, err) || !oip_fill_job(o, err))
        return false;
    exchange_give_body(x); /* tensors lie in it */
    return true;
}

/* Any thread. */
static void write_json(void *ctx)
{
    struct oip_exchange *o = ctx;
    struct buf *out = &o->x.out;
    struct oip_param params[OIP_ROUTE_PARAMS];
    oip_put_reply_begin(out, o->model_name, o->request->id, params, oip_route_params(o, params));
    for (int i = 0; i < o->n_outputs && o->err.code == ERR_NONE; i++) {
        const struct tensor t = oip_output(o, i);
        if (i > 0)
            buf_putc(out, ',');
        oip_put_output(out, &t, o->outputs[i].is_binary, &o->err);
    }
    oip_put_reply_end(out);
}

static void send_reply(void *ctx)
{
    struct oip_exchange *o = ctx;
    struct exchange *x = &o->x;
    struct http_field fields[API_FIELDS_MAX];
    char length[24];
    if (o->err.code == ERR_NONE)
        buf_ok(&x->out, "the answer", &o->err);
    if (o->err.code != ERR_NONE) {
        exchange_fail_with(x, &o->err);
        return;
    }
    if (o->binary.len == 0) {
        exchange_reply(x, type_json);
        return;
    }
    snprintf(length, sizeof(length), "%zu", x->out.len);
    const struct http_field more[] = { { "content-type", type_bytes }, { header_length, length } };
    const int n = exchange_fields(x, fields, more, 2);
    http_stream_start(x->call.stream, 200, fields, n, (int64_t)(x->out.len + o->binary.len));
    http_stream_write(x->call.stream, x->out.data, x->out.len);
    http_stream_write(x->call.stream, o->binary.data, o->binary.len);
    http_stream_end(x->call.stream);
    x->state = EXCHANGE_OVER;
}

static void on_done(struct exchange *x, const struct expert_usage *usage, uint64_t ns)
{
    (void)usage, (void)ns;
    oip_write_outputs((struct oip_exchange *)x, write_json, send_reply);
}

static const struct exchange_way way = { .on_head = on_head, .put_error = put_error, .refuse = refuse };
static const struct exchange_ops infer_ops = {
    .id_prefix = "oip-", .read = read_infer, .begin = oip_begin, .on_event = oip_on_event, .on_done = on_done, .fini = oip_fini, .way = &way,
};

/* ---- the rest ---- */

static void reply(const struct api_call *call, int status, const char *text)
{
    api_take_and_reply(call, status, type_json, text, strlen(text), NULL, 0);
}

static void get_server(const struct api_call *call, const struct http_head *head)
{
    struct buf b;
    (void)head;
    buf_init(&b, 4096);
    oip_put_server(&b, TUTTI_VERSION);
    api_take_and_send(call, 200, type_json, &b);
    buf_fini(&b);
}

static void get_live(const struct api_call *call, const struct http_head *head)
{
    (void)head;
    reply(call, 200, "{\"live\":true}");
}

/* "a 200 status code indicates true and a 4xx status code indicates false" */
static void get_ready(const struct api_call *call, const struct http_head *head)
{
    const bool is_ready = oip_is_ready(call->env);
    (void)head;
    reply(call, is_ready ? 200 : 400, is_ready ? "{\"ready\":true}" : "{\"ready\":false}");
}

static bool cut_end(char *s, const char *end)
{
    const size_t n = strlen(s), k = strlen(end);
    if (n <= k || strcmp(s + n - k, end) != 0)
        return false;
    s[n - k] = '\0';
    return true;
}

static void tell_model(const struct api_call *call, const char *name, bool asks_ready, const struct openai_error *failed)
{
    struct oip_facts *f = malloc(sizeof(*f));
    struct openai_error e = { 0 };
    struct buf b;
    int status = 200;
    buf_init(&b, 1 << 20);
    if (failed) {
        e = *failed;
    } else if (!f) {
        openai_fail(&e, 503, "overloaded", NULL, "out of memory");
    } else if (oip_get_facts(call->env, name, f, &e) && asks_ready) {
        status = f->model.is_ready ? 200 : 400;
        buf_puts(&b, "{\"name\":");
        buf_put_json_text(&b, name);
        buf_printf(&b, ",\"ready\":%s}", f->model.is_ready ? "true" : "false");
    } else if (e.status == 0) {
        oip_put_model(&b, &f->model);
    }
    if (e.status != 0) {
        status = e.status;
        put_error(&b, &e);
    }
    api_reply(call, status, type_json, exchange_text(&b), b.len, NULL, 0);
    buf_fini(&b);
    free(f);
}

/* Somebody asks for the tensors of a model that is being loaded for it. */
struct waiter {
    struct api_call call;
    struct oip_probe *probe;
    struct net_timer *timer;
    char name[];
};

static void on_waiter_close(void *ctx, enum http_close why)
{
    struct waiter *w = ctx;
    (void)why;
    net_timer_free(w->timer);
    oip_probe_unref(w->probe);
    free(w);
}

static void on_waiter_tick(void *ctx)
{
    struct waiter *w = ctx;
    struct openai_error e = { 0 };
    if (!oip_probe_is_over(w->probe))
        return;
    net_timer_stop(w->timer);
    const bool failed = oip_probe_failed(w->probe, w->call.env, w->name, &e);
    tell_model(&w->call, w->name, false, failed ? &e : NULL);
}

static void on_close_nothing(void *ctx, enum http_close why) { (void)ctx, (void)why; }

static void get_model(const struct api_call *call, const char *name, bool asks_ready)
{
    static const struct http_stream_fns at_once = { .on_close = on_close_nothing }, later = { .on_close = on_waiter_close };
    struct err err = { 0 };
    struct openai_error e = { 0 };
    struct oip_probe *probe = asks_ready ? NULL : oip_probe_begin(call->env, name, &err);
    struct waiter *w = probe ? calloc(1, sizeof(*w) + strlen(name) + 1) : NULL;
    if (!w || !(w->timer = net_timer_new(call->env->loop, on_waiter_tick, w, &err))) {
        if (probe && err.code == ERR_NONE)
            err_set(&err, ERR_NOMEM, "out of memory");
        oip_probe_unref(probe);
        free(w);
        if (err.code != ERR_NONE)
            openai_error_from(&e, NULL, &err);
        http_stream_take(call->stream, &at_once, NULL);
        tell_model(call, name, asks_ready, e.status ? &e : NULL);
        return;
    }
    w->call = *call;
    w->probe = probe;
    memcpy(w->name, name, strlen(name) + 1);
    http_stream_take(call->stream, &later, w);
    net_timer_start(w->timer, OIP_PROBE_MS, OIP_PROBE_MS);
}

/* /v2/models/NAME[/versions/1][/ready|/infer]; a name may have slashes. */
static void get_or_post(const struct api_call *call, const struct http_head *head)
{
    char name[512];
    struct openai_error e = { 0 };
    const char *rest = head->path + strlen(path_models);
    if (strlen(rest) >= sizeof(name)) {
        openai_fail(&e, 404, NULL, NULL, "the model's name is too long");
        refuse(call, &e);
        return;
    }
    memcpy(name, rest, strlen(rest) + 1);
    const bool is_infer = cut_end(name, "/infer"), is_ready = !is_infer && cut_end(name, "/ready");
    char *version = strstr(name, "/versions/");
    if (version) {
        *version = '\0';
        if (strcmp(version + strlen("/versions/"), "1") != 0) {
            openai_fail(&e, 404, NULL, NULL, "the only version of a model is 1");
            refuse(call, &e);
            return;
        }
    }
    if (is_infer != (head->verb == HTTP_VERB_POST)) {
        openai_fail(&e, 405, NULL, NULL, is_infer ? "infer is asked by POST" : "only infer is asked by POST");
        refuse(call, &e);
    } else if (is_infer) {
        exchange_begin(call, head, &infer_ops, sizeof(struct oip_exchange));
    } else {
        get_model(call, name, is_ready);
    }
}

enum { GET = 1 << HTTP_VERB_GET, POST = 1 << HTTP_VERB_POST };
const struct api_route oip_routes[] = {
    { "/v2", GET, get_server },
    { "/v2/health/live", GET, get_live },
    { "/v2/health/ready", GET, get_ready },
    { "/v2/models/", GET | POST, get_or_post },
    { "/inference.GRPCInferenceService/", POST, oip_grpc_call },
    { "/grpc.health.v1.Health/", POST, oip_grpc_call },
};
const int oip_n_routes = sizeof(oip_routes) / sizeof(oip_routes[0]);

bool oip_is_open(const char *path) { return strncmp(path, "/v2/health/", 11) == 0 || strncmp(path, "/grpc.health.v1.Health/", 23) == 0; }
