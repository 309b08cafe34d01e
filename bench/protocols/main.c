/* bench/protocols/main.c - what a protocol costs between two programs: the same echo, asked in five ways, over loopback.
 *
 * For:     `make bench-protocols` (prints rows of data/protocol.csv), the protocol row of `tutti cluster guide`.
 * Touches: loopback sockets.  Thread: the client's loop here; the service and its expert in threads of their own.
 * Rule:    the server is ours, whole (serve/), with an expert that gives its input back from a thread of its own.  A time is what a program sees: from
 *          the tensor in memory, encoding, the way there, the answer decoded into a tensor again.  One request at a time, on a connection
 *          that stays open.  The ways take turns request by request, so that whatever else the machine does hits all alike.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "gen/oip.pb-c.h"
#include "hw/machine.h"
#include "net/grpc_client.h"
#include "serve/serve.h"
#include "wire/oip.h"

enum { BYTES_MAX = 64 << 20, SAMPLES_MAX = 20000 };
#define PATH "/v2/models/echo/infer"

static void die(const char *what, const struct err *err)
{
    fprintf(stderr, "bench-protocols: %s: %s\n", what, err ? err->text : "");
    exit(1);
}

/* ---- an expert that gives its input back ---- */

struct echo {
    struct expert base;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t thread;
    struct job *job; /* waits */
    bool is_over;
};

static void *echo_run(void *arg)
{
    struct echo *e = arg;
    pthread_mutex_lock(&e->lock);
    while (!e->is_over) {
        struct job *j = e->job;
        if (!j) {
            pthread_cond_wait(&e->wake, &e->lock);
            continue;
        }
        e->job = NULL;
        pthread_mutex_unlock(&e->lock);
        struct expert_usage u = { 0 };
        j->on_event(j->ctx, &(struct expert_event){ .kind = EXPERT_QUEUED });
        j->on_event(j->ctx, &(struct expert_event){ .kind = EXPERT_STARTED, .usage = &u });
        for (int i = 0; i < j->request.n_tensors; i++) {
            struct tensor t = j->request.tensors[i];
            t.name = "y";
            j->on_event(j->ctx, &(struct expert_event){ .kind = EXPERT_TENSOR, .tensor = &t });
        }
        atomic_store(&j->priv.expert, NULL);
        j->on_event(j->ctx, &(struct expert_event){ .kind = EXPERT_DONE, .usage = &u });
        job_unref(j);
        pthread_mutex_lock(&e->lock);
    }
    pthread_mutex_unlock(&e->lock);
    return NULL;
}

static bool echo_submit(struct expert *x, struct job *j, struct err *err)
{
    struct echo *e = (struct echo *)x;
    pthread_mutex_lock(&e->lock);
    const bool ok = !e->job && !e->is_over;
    if (ok)
        e->job = j, pthread_cond_signal(&e->wake);
    pthread_mutex_unlock(&e->lock);
    return ok || err_set(err, ERR_BUSY, "one at a time");
}

static void echo_card(struct expert *x, struct expert_card *out)
{
    (void)x;
    *out = (struct expert_card){ .id = "echo", .kind = "echo", .tasks = EXPERT_INFER };
}
static void echo_metrics(struct expert *x, struct expert_metrics *out) { (void)x, *out = (struct expert_metrics){ .state = EXPERT_WARM }; }
static bool echo_info(struct expert *x, struct task_info *out)
{
    (void)x;
    *out = (struct task_info){ .tasks = EXPERT_INFER, .n_inputs = 1, .n_outputs = 1 };
    snprintf(out->inputs[0].name, TASK_NAME_MAX, "x");
    snprintf(out->outputs[0].name, TASK_NAME_MAX, "y");
    out->inputs[0].shape = out->outputs[0].shape = (struct tensor){ .type = TENSOR_F32, .n_dims = 1, .dims = { -1 } };
    return true;
}
static void echo_nothing(struct expert *x) { (void)x; }
static void echo_stop(struct expert *x, uint64_t drain_ns) { (void)x, (void)drain_ns; }
static bool echo_ready(struct expert *x, struct err *err) { return (void)x, (void)err, true; }
static const struct expert_ops echo_ops = { .free = echo_nothing, .submit = echo_submit, .wake = echo_nothing, .card = echo_card, .metrics = echo_metrics, .stop = echo_stop, .wait_ready = echo_ready, .info = echo_info };

static void *serve_thread(void *s)
{
    serve_run(s);
    return NULL;
}

/* ---- five ways to ask ---- */

struct client {
    struct net_loop *loop;
    struct http_client *h1;
    struct h2_client *h2;
    struct arena *arena;
    struct buf body, reply;
    size_t n_json;      /* of the reply: Inference-Header-Content-Length */
    size_t n_sent;
    bool is_over, is_good;
};

static void take_length(struct client *c, const struct http_head *head)
{
    c->is_good = head->status == 200;
    for (int i = 0; i < head->n_fields; i++)
        if (strcmp(head->fields[i].name, "inference-header-content-length") == 0)
            c->n_json = strtoul(head->fields[i].value, NULL, 10);
}
static void on_head(void *ctx, const struct http_head *head) { take_length(ctx, head); }
static void on_data(void *ctx, const char *bytes, size_t n) { buf_append(&((struct client *)ctx)->reply, bytes, n); }
static void on_end(void *ctx, enum http_end how, const struct err *err)
{
    struct client *c = ctx;
    (void)err;
    c->is_good = c->is_good && how == HTTP_END_DONE, c->is_over = true;
}
static void on_message(void *ctx, const void *bytes, size_t n) { on_data(ctx, bytes, n); }
static void on_status(void *ctx, enum grpc_status status, const char *text)
{
    struct client *c = ctx;
    if (status != GRPC_OK)
        fprintf(stderr, "bench-protocols: gRPC says %d %s\n", (int)status, text);
    c->is_good = status == GRPC_OK, c->is_over = true;
}

static void wait_for(struct client *c)
{
    while (!c->is_over)
        net_loop_step(c->loop);
}

static bool read_json(struct client *c, const struct tensor *want)
{
    struct oip_request *r = malloc(sizeof(*r));
    struct err err;
    const bool ok = r && c->is_good && !c->reply.failed && oip_read_reply(r, c->reply.data, c->reply.len, c->n_json ? c->n_json : c->reply.len, c->arena, &err) && r->n_inputs == 1 &&
                    r->inputs[0].n_bytes == want->n_bytes && memcmp(r->inputs[0].data, want->data, want->n_bytes) == 0;
    free(r);
    return ok;
}

static void put_json(struct client *c, const struct tensor *t, bool is_binary, char length[24])
{
    struct err err;
    if (!oip_put_request(&c->body, t, 1, NULL, 0, is_binary, 0, false, false, &err))
        die("the request", &err);
    snprintf(length, 24, "%zu", c->body.len);
    if (is_binary)
        buf_append(&c->body, t->data, t->n_bytes);
    c->n_sent = c->body.len;
}

static bool by_h1(struct client *c, const struct tensor *t, bool is_binary)
{
    static const struct http_call_fns fns = { .on_head = on_head, .on_data = on_data, .on_end = on_end };
    char length[24];
    struct err err;
    put_json(c, t, is_binary, length);
    const struct http_piece body = { c->body.data, c->body.len };
    const struct http_field fields[] = { { "content-type", is_binary ? "application/octet-stream" : "application/json" },
                                         { "inference-header-content-length", length } };
    if (!http_client_call(c->h1, &(struct http_ask){ .verb = HTTP_VERB_POST, .path = PATH, .fields = fields, .n_fields = is_binary ? 2 : 1, .body = &body, .n_body = 1, .may_repeat = true }, &fns, c, &err))
        die("HTTP/1.1", &err);
    wait_for(c);
    return read_json(c, t);
}
static bool by_h1_json(struct client *c, const struct tensor *t) { return by_h1(c, t, false); }
static bool by_h1_binary(struct client *c, const struct tensor *t) { return by_h1(c, t, true); }

static bool by_h2_json(struct client *c, const struct tensor *t)
{
    static const struct h2_call_fns fns = { .on_head = on_head, .on_data = on_data, .on_end = on_end };
    const struct http_field fields[] = { { "content-type", "application/json" } };
    char length[24];
    struct err err;
    put_json(c, t, false, length);
    struct h2_call *call = h2_client_call(c->h2, HTTP_VERB_POST, PATH, fields, 1, true, &fns, c, &err);
    if (!call)
        die("HTTP/2", &err);
    h2_call_write(call, c->body.data, c->body.len);
    h2_call_end(call);
    wait_for(c);
    return read_json(c, t);
}

static bool by_grpc(struct client *c, const struct tensor *t, bool is_raw)
{
    static const struct grpc_client_fns fns = { .on_message = on_message, .on_end = on_status };
    Inference__ModelInferRequest m = INFERENCE__MODEL_INFER_REQUEST__INIT;
    Inference__ModelInferRequest__InferInputTensor in = INFERENCE__MODEL_INFER_REQUEST__INFER_INPUT_TENSOR__INIT, *ins[] = { &in };
    Inference__InferTensorContents typed = INFERENCE__INFER_TENSOR_CONTENTS__INIT;
    ProtobufCBinaryData raw = { t->n_bytes, t->data }, text = { t->n_bytes - 4, (uint8_t *)t->data + 4 };
    struct err err;
    int64_t dims[TENSOR_DIMS_MAX];
    memcpy(dims, t->dims, sizeof(dims));
    in.name = "x", in.datatype = (char *)(uintptr_t)tensor_type_name(t->type), in.n_shape = (size_t)t->n_dims, in.shape = dims;
    m.model_name = "echo", m.n_inputs = 1, m.inputs = ins;
    if (is_raw)
        m.n_raw_input_contents = 1, m.raw_input_contents = &raw;
    else if (t->type == TENSOR_F32)
        in.contents = &typed, typed.n_fp32_contents = t->n_bytes / 4, typed.fp32_contents = t->data;
    else
        in.contents = &typed, typed.n_bytes_contents = 1, typed.bytes_contents = &text;
    uint8_t *bytes = malloc(inference__model_infer_request__get_packed_size(&m) + 1);
    if (!bytes)
        die("out of memory", NULL);
    const size_t n = inference__model_infer_request__pack(&m, bytes);
    struct grpc_client_call *call = grpc_client_call(c->loop, c->h2, "/inference.GRPCInferenceService/ModelInfer", NULL, 0, 0, BYTES_MAX, &fns, c, &err);
    if (!call)
        die("gRPC", &err);
    grpc_client_send(call, bytes, n);
    grpc_client_half_close(call);
    free(bytes);
    c->n_sent = n + 5;
    wait_for(c);
    Inference__ModelInferResponse *r = c->is_good ? inference__model_infer_response__unpack(NULL, c->reply.len, (uint8_t *)c->reply.data) : NULL;
    const Inference__InferTensorContents *got = r && r->n_outputs == 1 ? r->outputs[0]->contents : NULL;
    const bool ok = !r ? false
                    : is_raw ? r->n_raw_output_contents == 1 && r->raw_output_contents[0].len == t->n_bytes && memcmp(r->raw_output_contents[0].data, t->data, t->n_bytes) == 0
                    : !got ? false
                    : t->type == TENSOR_F32 ? got->n_fp32_contents * 4 == t->n_bytes && memcmp(got->fp32_contents, t->data, t->n_bytes) == 0
                                            : got->n_bytes_contents == 1 && got->bytes_contents[0].len == t->n_bytes - 4 && memcmp(got->bytes_contents[0].data, (uint8_t *)t->data + 4, t->n_bytes - 4) == 0;
    if (r)
        inference__model_infer_response__free_unpacked(r, NULL);
    return ok;
}
static bool by_grpc_raw(struct client *c, const struct tensor *t) { return by_grpc(c, t, true); }
static bool by_grpc_typed(struct client *c, const struct tensor *t) { return by_grpc(c, t, false); }

static const struct { const char *name; bool (*ask)(struct client *c, const struct tensor *t); } ways[] = {
    { "JSON over HTTP/1.1", by_h1_json }, { "JSON and binary over HTTP/1.1", by_h1_binary }, { "JSON over HTTP/2", by_h2_json }, { "gRPC, typed contents", by_grpc_typed }, { "gRPC, raw contents", by_grpc_raw },
};
enum { N_WAYS = sizeof(ways) / sizeof(ways[0]) };

/* ---- measuring ---- */

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void measure(struct client *c, const char *payload, const struct tensor *t, int n, const char *where, const char *date)
{
    static double us[N_WAYS][SAMPLES_MAX];
    size_t sent[N_WAYS], got[N_WAYS];
    n = n > SAMPLES_MAX ? SAMPLES_MAX : n;
    for (int i = -10; i < n; i++) /* the first ones connect and warm up */
        for (int k = 0; k < N_WAYS; k++) {
            const int w = (k + i + 10) % N_WAYS;
            buf_clear(&c->body), buf_clear(&c->reply), arena_reset(c->arena);
            c->n_json = 0, c->is_over = c->is_good = false;
            const uint64_t begin = clock_ns();
            if (!ways[w].ask(c, t)) {
                fprintf(stderr, "bench-protocols: %s, %s: the answer is not what was sent\n", payload, ways[w].name);
                exit(1);
            }
            if (i >= 0)
                us[w][i] = (double)(clock_ns() - begin) / 1e3;
            sent[w] = c->n_sent, got[w] = c->reply.len;
        }
    for (int w = 0; w < N_WAYS; w++) {
        qsort(us[w], (size_t)n, sizeof(double), by_size);
        printf("\"%s, %s\",%s,\"%s\",%.1f,%.1f,%.1f,%zu,%zu,%d requests of each way in turn,\"make bench-protocols: %s\",%s\n", payload, ways[w].name, payload, ways[w].name, us[w][n / 2], us[w][n / 10], us[w][n * 9 / 10],
               sent[w], got[w], n, where, date);
    }
    fflush(stdout);
}

int main(void)
{
    struct err err = { 0 };
    struct echo echo = { .base = { &echo_ops }, .lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER };
    struct expert *experts[] = { &echo.base };
    struct serve_config config = { .experts = experts, .n_experts = 1 };
    struct client c = { 0 };
    struct http_target at;
    pthread_t server;
    char url[128], where[256], date[16];
    const time_t now = time(NULL);
    struct tm day;
    struct hw_machine *m = hw_detect("", &err);
    if (!m)
        die("this machine", &err);
    snprintf(where, sizeof(where), "%.120s, %d cores%s%s, loopback", m->cpu.model, m->cpu.cores_usable, m->board.hypervisor[0] ? ", a virtual machine of " : "", m->board.hypervisor);
    for (char *s = where; *s; s++)
        *s = *s == '"' ? ' ' : *s;
    hw_machine_free(m);
    strftime(date, sizeof(date), "%Y-%m-%d", gmtime_r(&now, &day));

    if (pthread_create(&echo.thread, NULL, echo_run, &echo) != 0 || !net_addr_parse(&config.listen, "127.0.0.1:0", &err))
        die("the expert", &err);
    struct serve *s = serve_new(&config, &err);
    if (!s || pthread_create(&server, NULL, serve_thread, s) != 0)
        die("the service", &err);
    snprintf(url, sizeof(url), "http://127.0.0.1:%d", serve_addr(s)->port);
    buf_init(&c.body, BYTES_MAX), buf_init(&c.reply, BYTES_MAX);
    if (!(c.loop = net_loop_new(&err)) || !http_target_parse(&at, url, &err) || !(c.h1 = http_client_new(c.loop, &at, NULL, &err)) || !(c.h2 = h2_client_new(c.loop, &at, NULL, &err)) ||
        !(c.arena = arena_new(BYTES_MAX, &err)))
        die("the client", &err);

    static float numbers[3 * 224 * 224]; /* a picture as a network takes it: 602,112 bytes */
    static unsigned char text[4 + 20000];
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        numbers[i] = (float)((i * 2654435761u >> 8) & 255) / 255.0f - 0.45f;
    for (size_t i = 4; i < sizeof(text); i++)
        text[i] = (unsigned char)(i % 61 == 0 ? '\n' : i % 6 == 0 ? ' ' : 'a' + (i * 7) % 26);
    text[0] = 20000 & 255, text[1] = 20000 >> 8;
    const struct tensor tiny = { .name = "x", .type = TENSOR_F32, .n_dims = 2, .dims = { 1, 4 }, .data = numbers, .n_bytes = 16 },
                        tensor = { .name = "x", .type = TENSOR_F32, .n_dims = 4, .dims = { 1, 3, 224, 224 }, .data = numbers, .n_bytes = sizeof(numbers) },
                        words = { .name = "x", .type = TENSOR_STRING, .n_dims = 1, .dims = { 1 }, .data = text, .n_bytes = sizeof(text) };
    puts("name,payload,protocol,p50_us,p10_us,p90_us,request_bytes,reply_bytes,note,source,date");
    measure(&c, "tiny", &tiny, 4000, where, date);
    measure(&c, "tensor", &tensor, 200, where, date);
    measure(&c, "text", &words, 2000, where, date);

    h2_client_free(c.h2), http_client_free(c.h1), net_loop_free(c.loop), arena_free(c.arena);
    buf_fini(&c.body), buf_fini(&c.reply);
    serve_stop(s), pthread_join(server, NULL), serve_free(s);
    pthread_mutex_lock(&echo.lock);
    echo.is_over = true;
    pthread_cond_signal(&echo.wake);
    pthread_mutex_unlock(&echo.lock);
    pthread_join(echo.thread, NULL);
    return 0;
}
