/* tests/serve/test_oip.c - Open Inference Protocol v2 against the service with fake experts: REST over real sockets, gRPC with
 * our own client (the real one: tests/serve/test_grpc.sh). */
#define _GNU_SOURCE /* memmem, usleep */
#include "service.h"

#include "gen/health.pb-c.h"
#include "gen/oip.pb-c.h"
#include "net/grpc_client.h"

static struct service *start_oip(struct serve_config config)
{
    struct fake *tensors = fake_new("raw/net", EXPERT_WARM), *text = fake_new("writer", EXPERT_WARM);
    tensors->tasks = EXPERT_INFER;
    text->n_ctx = 4096;
    return start_fakes(config, (struct fake *const[]){ tensors, text }, 2);
}

static void check(struct answer a, int status, const char *body, const char *what)
{
    CHECK(a.status == status && strcmp(a.body.data, body) == 0, "%s: %d %s", what, a.status, a.body.data);
    answer_fini_(&a);
}

static void check_words(struct answer a, int status, const char *words, const char *what)
{
    json_t *t = json_of(&a);
    CHECK(a.status == status && strstr(text_at(t, "error"), words), "%s: %d %s", what, a.status, a.body.data);
    json_decref(t);
    answer_fini_(&a);
}

TEST(servers_and_models_say_what_they_are)
{
    struct service *v = start_oip((struct serve_config){ 0 });
    check(get(v, "/v2/health/live"), 200, "{\"live\":true}", "live");
    check(get(v, "/v2/health/ready"), 200, "{\"ready\":true}", "ready");
    check(get(v, "/v2"), 200, "{\"name\":\"tutti\",\"version\":\"" TUTTI_VERSION "\",\"extensions\":[\"binary_tensor_data\",\"sequence\"]}", "server");
    check(get(v, "/v2/models/raw/net"), 200,
          "{\"name\":\"raw/net\",\"versions\":[\"1\"],\"platform\":\"tutti_fake\",\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[-1,3]}],"
          "\"outputs\":[{\"name\":\"out_x\",\"datatype\":\"FP32\",\"shape\":[-1,3]}]}", "tensors");
    check(get(v, "/v2/models/writer/versions/1"), 200,
          "{\"name\":\"writer\",\"versions\":[\"1\"],\"platform\":\"tutti_fake\",\"inputs\":[{\"name\":\"text_input\",\"datatype\":\"BYTES\",\"shape\":[-1]}],"
          "\"outputs\":[{\"name\":\"text_output\",\"datatype\":\"BYTES\",\"shape\":[-1]}]}", "text");
    check(get(v, "/v2/models/writer/ready"), 200, "{\"name\":\"writer\",\"ready\":true}", "ready");
    v->fake[1]->state = EXPERT_DOWN;
    check(get(v, "/v2/models/writer/ready"), 400, "{\"name\":\"writer\",\"ready\":false}", "down");
    v->fake[0]->state = EXPERT_LOADING;
    check(get(v, "/v2/health/ready"), 400, "{\"ready\":false}", "loading");
    v->fake[0]->state = v->fake[1]->state = EXPERT_WARM;
    check_words(get(v, "/v2/models/nobody"), 404, "'nobody' does not exist", "unknown");
    check_words(get(v, "/v2/models/writer/versions/2/ready"), 404, "version", "version");
    check_words(get(v, "/v2/models/writer/infer"), 405, "POST", "verb");
    end(v);
}

TEST(tensors_go_in_and_come_out)
{
    struct service *v = start_oip((struct serve_config){ 0 });
    check(post(v, "/v2/models/raw/net/infer", "{\"id\":\"7\",\"inputs\":[{\"name\":\"x\",\"shape\":[1,3],\"datatype\":\"FP32\",\"data\":[[1,2.5,-3]]}],"
                                              "\"outputs\":[{\"name\":\"out_x\"}]}"), 200,
          "{\"model_name\":\"raw/net\",\"model_version\":\"1\",\"id\":\"7\",\"outputs\":[{\"name\":\"out_x\",\"datatype\":\"FP32\",\"shape\":[1,3],\"data\":[1,2.5,-3]}]}", "numbers");
    check(post(v, "/v2/models/raw/net/versions/1/infer", "{\"inputs\":[{\"name\":\"x\",\"shape\":[1],\"datatype\":\"INT8\",\"data\":[1]}],\"outputs\":[{\"name\":\"session\"}],"
                                              "\"parameters\":{\"sequence_id\":42,\"sequence_start\":true}}"), 200,
          "{\"model_name\":\"raw/net\",\"model_version\":\"1\",\"outputs\":[{\"name\":\"session\",\"datatype\":\"INT64\",\"shape\":[3],\"data\":[42,1,0]}]}", "sequence");
    check_words(post(v, "/v2/models/raw/net/infer", "{\"inputs\":[{\"name\":\"x\",\"shape\":[2],\"datatype\":\"INT8\",\"data\":[1]}]}"), 400, "line 1, column", "shape");
    check_words(post(v, "/v2/models/nobody/infer", "{\"inputs\":[{\"name\":\"x\",\"shape\":[1],\"datatype\":\"INT8\",\"data\":[1]}]}"), 404, "nobody", "unknown");
    check_words(ask_with(v, "POST", "/v2/models/raw/net/infer", "Inference-Header-Content-Length: x\r\n", "{}"), 400, "a number", "length");
    check_words(ask_with(v, "POST", "/v2/models/raw/net/infer", "Inference-Header-Content-Length: 3\r\n", "{}"), 400, "the body has 2", "length");

    /* many numbers: their text is made on another thread */
    struct answer a = post(v, "/v2/models/raw/net/infer", "{\"inputs\":[{\"name\":\"x\",\"shape\":[1],\"datatype\":\"INT8\",\"data\":[1]}],\"outputs\":[{\"name\":\"big\"}]}");
    json_t *t = json_of(&a);
    CHECK(a.status == 200 && json_array_size(at(t, "outputs.0.data")) == 60000, "%d %.200s", a.status, a.body.data);
    json_decref(t);
    answer_fini_(&a);

    char body[400];
    const int n = snprintf(body, sizeof(body), "{\"inputs\":[{\"name\":\"x\",\"shape\":[2],\"datatype\":\"FP16\",\"parameters\":{\"binary_data_size\":4}}],"
                                               "\"outputs\":[{\"name\":\"session\"},{\"name\":\"out_x\",\"parameters\":{\"binary_data\":true}}]}");
    memcpy(body + n, "\0\x3c\0\x40", 4);
    char fields[100];
    snprintf(fields, sizeof(fields), "Inference-Header-Content-Length: %d\r\n", n);
    const int fd = dial(v);
    send_bytes(fd, "POST", "/v2/models/raw/net/infer", fields, body, (size_t)n + 4);
    a = hear(fd);
    const char *length = strstr(a.head.data, "inference-header-content-length: ");
    CHECK(a.status == 200 && length && strstr(a.head.data, "application/octet-stream"), "%s %s", a.head.data, a.body.data);
    const size_t n_json = length ? strtoul(length + 33, NULL, 10) : 0;
    CHECK(a.body.len == n_json + 4 && memcmp(a.body.data + n_json, "\0\x3c\0\x40", 4) == 0, "%zu of %zu", n_json, a.body.len);
    CHECK(strstr(a.body.data, "\"datatype\":\"FP16\",\"shape\":[2],\"parameters\":{\"binary_data_size\":4}"), "%s", a.body.data);
    answer_fini_(&a);
    check_words(post(v, "/v2/models/raw/net/infer", "{\"inputs\":[{\"name\":\"x\",\"shape\":[1],\"datatype\":\"FP16\",\"data\":[1]}]}"), 400, "binary", "FP16");
    end(v);
}

TEST(text_is_a_tensor_too)
{
    struct service *v = start_oip((struct serve_config){ 0 });
    check(post(v, "/v2/models/writer/infer", "{\"inputs\":[{\"name\":\"text_input\",\"shape\":[2,1],\"datatype\":\"BYTES\",\"data\":[\"words 2 0\",\"x\"]}],\"parameters\":{\"max_tokens\":9,\"temperature\":0.5,\"stop\":\"!\"}}"), 200,
          "{\"model_name\":\"writer\",\"model_version\":\"1\",\"outputs\":[{\"name\":\"text_output\",\"datatype\":\"BYTES\",\"shape\":[2,1],\"data\":[\"w0 w1 \",\"w0 w1 \"]}]}", "two texts");
    check_words(post(v, "/v2/models/writer/infer", "{\"inputs\":[{\"name\":\"x\",\"shape\":[1],\"datatype\":\"INT8\",\"data\":[1]}]}"), 400, "text_input", "tensors");
    check_words(post(v, "/v2/models/writer/infer", "{\"inputs\":[{\"name\":\"text_input\",\"shape\":[1],\"datatype\":\"BYTES\",\"data\":[\"a\"]}],\"parameters\":{\"temperature\":\"hot\"}}"), 400, "parameters.temperature", "temperature");
    check_words(post(v, "/v2/models/writer/infer", "{\"inputs\":[{\"name\":\"text_input\",\"shape\":[1],\"datatype\":\"BYTES\",\"data\":[\"break\"]}]}"), 500, "broke", "an expert that fails");
    check_words(post(v, "/v2/models/writer/infer", "{\"inputs\":[{\"name\":\"text_input\",\"shape\":[1],\"datatype\":\"BYTES\",\"data\":[\"mute 20000\"]}],\"parameters\":{\"timeout\":50000}}"), 504, "Deadline", "timeout");
    CHECK(wait_until(&v->fake[1]->n_cancelled, 1), "nobody told the expert");
    end(v);
}

TEST(auto_says_who_answered_in_headers_and_parameters)
{
    struct service *v = start_oip((struct serve_config){ 0 });
    static const struct {
        const char *body, *expert, *data;
    } cases[] = {
        { "{\"id\":\"7\",\"inputs\":[{\"name\":\"text_input\",\"shape\":[1],\"datatype\":\"BYTES\",\"data\":[\"words 2 0\"]}]}", "writer", "w0 w1 " },
        { "{\"id\":\"7\",\"tutti\":{\"security_level\":\"private\"},\"inputs\":[{\"name\":\"x\",\"shape\":[1],\"datatype\":\"INT8\",\"data\":[9]}],\"outputs\":[{\"name\":\"out_x\"}]}", "raw/net", NULL },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct answer a = post(v, "/v2/models/auto/infer", cases[i].body);
        json_t *t = json_of(&a);
        char header[100];
        CHECK(a.status == 200 && strcmp(text_at(t, "model_name"), "auto") == 0 && strcmp(text_at(t, "id"), "7") == 0, "%d %s", a.status, a.body.data);
        CHECK(strcmp(text_at(t, "parameters.tutti_expert"), cases[i].expert) == 0 && strcmp(text_at(t, "parameters.tutti_node"), "local") == 0, "%s", a.body.data);
        snprintf(header, sizeof(header), "tutti-route: %s\r\n", text_at(t, "parameters.tutti_route"));
        CHECK(strstr(a.head.data, header) && strstr(header, "rt_"), "%s %s", header, a.head.data);
        CHECK(cases[i].data ? strcmp(text_at(t, "outputs.0.data.0"), cases[i].data) == 0 : int_at(t, "outputs.0.data.0") == 9, "%s", a.body.data);
        json_decref(t);
        answer_fini_(&a);
    }
    check(get(v, "/v2/models/auto"), 200,
          "{\"name\":\"auto\",\"versions\":[\"1\"],\"platform\":\"tutti_router\",\"inputs\":[{\"name\":\"text_input\",\"datatype\":\"BYTES\",\"shape\":[-1]}],"
          "\"outputs\":[{\"name\":\"text_output\",\"datatype\":\"BYTES\",\"shape\":[-1]}]}", "what it says of itself");
    check_words(post(v, "/v2/models/auto/infer", "{\"tutti\":{\"deadline\":1},\"inputs\":[{\"name\":\"text_input\",\"shape\":[1],\"datatype\":\"BYTES\",\"data\":[\"a\"]}]}"), 400, "tutti.deadline", "a wish");
    check_words(ask_with(v, "POST", "/v2/models/writer/infer", "tutti-quality: 11\r\n", cases[0].body), 400, "tutti-quality", "a wish");
    check_words(ask_with(v, "POST", "/v2/models/auto/infer", "tutti-deadline-ms: 80\r\n", "{\"inputs\":[{\"name\":\"text_input\",\"shape\":[1],\"datatype\":\"BYTES\",\"data\":[\"mute 20000\"]}]}"), 504, "Deadline", "deadline");
    end(v);
}

/* ---- gRPC ---- */

struct heard {
    struct net_loop *loop;
    struct buf last;
    int n_messages, stop_at;
    int status; /* -1: none yet */
    char text[200];
};

static void on_message(void *ctx, const void *m, size_t n)
{
    struct heard *h = ctx;
    buf_clear(&h->last);
    buf_append(&h->last, n ? m : "", n);
    if (++h->n_messages == h->stop_at)
        net_loop_stop(h->loop);
}
static void on_end(void *ctx, enum grpc_status status, const char *text)
{
    struct heard *h = ctx;
    h->status = (int)status;
    snprintf(h->text, sizeof(h->text), "%s", text);
    net_loop_stop(h->loop);
}
static const struct grpc_client_fns fns = { .on_message = on_message, .on_end = on_end };

struct caller {
    struct net_loop *loop;
    struct h2_client *client;
    struct http_field key;
};

static struct caller call_from(const struct service *v)
{
    struct caller c = { 0 };
    struct http_target t;
    struct err err;
    char url[100];
    signal(SIGPIPE, SIG_IGN);
    snprintf(url, sizeof(url), "http://%s", serve_addr(v->s)->text);
    c.loop = net_loop_new(&err);
    CHECK(http_target_parse(&t, url, &err) && (c.client = h2_client_new(c.loop, &t, NULL, &err)), "%s", err.text);
    return c;
}

static struct heard ask(struct caller *c, const char *path, const void *m, size_t n, uint64_t timeout_ns)
{
    struct heard h = { .loop = c->loop, .status = -1 };
    struct err err;
    buf_init(&h.last, 8 << 20);
    struct grpc_client_call *call = grpc_client_call(c->loop, c->client, path, &c->key, c->key.name != NULL, timeout_ns, 8 << 20, &fns, &h, &err);
    CHECK(call, "%s", err.text);
    grpc_client_send(call, m, n);
    grpc_client_half_close(call);
    net_loop_run(c->loop);
    buf_puts(&h.last, "");
    return h;
}

static void check_status(struct heard h, enum grpc_status status, const char *words, const char *what)
{
    CHECK(h.status == (int)status && strstr(h.text, words), "%s: %d %s", what, h.status, h.text);
    buf_fini(&h.last);
}

#define SERVICE "/inference.GRPCInferenceService/"

static struct heard infer(struct caller *c, const char *model, const char *name, const char *type, int64_t dim, const void *data, size_t n, uint64_t timeout_ns)
{
    Inference__ModelInferRequest m = INFERENCE__MODEL_INFER_REQUEST__INIT;
    Inference__ModelInferRequest__InferInputTensor in = INFERENCE__MODEL_INFER_REQUEST__INFER_INPUT_TENSOR__INIT, *ins[] = { &in };
    ProtobufCBinaryData raw = { n, (uint8_t *)(uintptr_t)data };
    in.name = (char *)(uintptr_t)name;
    in.datatype = (char *)(uintptr_t)type;
    in.n_shape = 1;
    in.shape = &dim;
    m.model_name = (char *)(uintptr_t)model;
    m.id = "9";
    m.n_inputs = 1;
    m.inputs = ins;
    m.n_raw_input_contents = 1;
    m.raw_input_contents = &raw;
    uint8_t *bytes = malloc(inference__model_infer_request__get_packed_size(&m) + 1);
    const size_t n_bytes = inference__model_infer_request__pack(&m, bytes);
    struct heard h = ask(c, SERVICE "ModelInfer", bytes, n_bytes, timeout_ns);
    free(bytes);
    return h;
}

TEST(grpc_clients_get_the_same_over_protobuf)
{
    struct service *v = start_oip((struct serve_config){ 0 });
    struct caller c = call_from(v);
    struct heard h = ask(&c, SERVICE "ServerLive", "", 0, 0);
    CHECK(h.status == 0 && h.last.len == 2 && memcmp(h.last.data, "\x08\1", 2) == 0, "%d %s", h.status, h.text);
    buf_fini(&h.last);
    h = ask(&c, SERVICE "ModelMetadata", "\x0a\7raw/net", 9, 0);
    Inference__ModelMetadataResponse *md = inference__model_metadata_response__unpack(NULL, h.last.len, (uint8_t *)h.last.data);
    CHECK(h.status == 0 && md && strcmp(md->name, "raw/net") == 0 && md->n_inputs == 1 && md->inputs[0]->shape[0] == -1 && md->inputs[0]->shape[1] == 3);
    inference__model_metadata_response__free_unpacked(md, NULL);
    buf_fini(&h.last);

    static float numbers[100000];
    for (int i = 0; i < 100000; i++)
        numbers[i] = (float)i;
    h = infer(&c, "raw/net", "x", "FP32", 100000, numbers, sizeof(numbers), 0);
    Inference__ModelInferResponse *m = inference__model_infer_response__unpack(NULL, h.last.len, (uint8_t *)h.last.data);
    CHECK(h.status == 0 && m && m->n_outputs == 2 && m->n_raw_output_contents == 2 && strcmp(m->id, "9") == 0, "%d %s", h.status, h.text);
    CHECK(m && m->n_raw_output_contents == 2 && m->raw_output_contents[0].len == sizeof(numbers) && memcmp(m->raw_output_contents[0].data, numbers, sizeof(numbers)) == 0);
    if (m)
        inference__model_infer_response__free_unpacked(m, NULL);
    buf_fini(&h.last);
    h = infer(&c, "writer", "text_input", "BYTES", 1, "\x09\0\0\0words 2 0", 13, 0);
    CHECK(h.status == 0 && memmem(h.last.data, h.last.len, "w0 w1 ", 6) && !memmem(h.last.data, h.last.len, "tutti_", 6), "%d %s", h.status, h.text);
    buf_fini(&h.last);
    h = infer(&c, "auto", "text_input", "BYTES", 1, "\x09\0\0\0words 2 0", 13, 0);
    m = inference__model_infer_response__unpack(NULL, h.last.len, (uint8_t *)h.last.data);
    CHECK(h.status == 0 && m && m->n_parameters == 3 && memmem(h.last.data, h.last.len, "w0 w1 ", 6), "%d %s", h.status, h.text);
    for (size_t i = 0; m && m->n_parameters == 3 && i < 3; i++) {
        static const char *const keys[] = { "tutti_route", "tutti_expert", "tutti_node" }, *const values[] = { "rt_", "writer", "local" };
        CHECK(strcmp(m->parameters[i]->key, keys[i]) == 0 && strncmp(m->parameters[i]->value->string_param, values[i], strlen(values[i])) == 0, "%s", m->parameters[i]->key);
    }
    if (m)
        inference__model_infer_response__free_unpacked(m, NULL);
    buf_fini(&h.last);

    check_status(infer(&c, "raw/net", "x", "FP32", 3, numbers, 8, 0), GRPC_INVALID_ARGUMENT, "x: 8 bytes", "shape");
    check_status(infer(&c, "nobody", "x", "FP32", 2, numbers, 8, 0), GRPC_NOT_FOUND, "nobody", "unknown model");
    check_status(infer(&c, "auto:nonsense", "x", "FP32", 2, numbers, 8, 0), GRPC_NOT_FOUND, "auto:private", "unknown goal");
    check_status(infer(&c, "writer", "text_input", "BYTES", 1, "\x0a\0\0\0mute 20000", 14, 60000000), GRPC_DEADLINE_EXCEEDED, "", "deadline");
    CHECK(wait_until(&v->fake[1]->n_cancelled, 1), "nobody told the expert");
    check_status(ask(&c, SERVICE "ModelInfer", "\xff\xff", 2, 0), GRPC_INVALID_ARGUMENT, "ModelInferRequest", "noise");
    check_status(ask(&c, SERVICE "Nothing", "", 0, 0), GRPC_UNIMPLEMENTED, "Nothing", "unknown method");
    check_status(ask(&c, "/no.Service/X", "", 0, 0), GRPC_UNIMPLEMENTED, "/no.Service/X", "unknown service");
    check_status(ask(&c, SERVICE "ModelReady", "\x0a\7nobody!", 9, 0), GRPC_NOT_FOUND, "nobody!", "unknown model");
    check_status(ask(&c, "/grpc.health.v1.Health/Check", "\x0a\1x", 3, 0), GRPC_NOT_FOUND, "x", "unknown service");
    h2_client_free(c.client);
    net_loop_free(c.loop);
    struct answer a = post(v, SERVICE "ServerLive", "x"); /* HTTP/1.1 */
    CHECK(a.status == 415, "%d", a.status);
    answer_fini_(&a);
    end(v);
}

TEST(health_is_watched_as_it_changes)
{
    struct service *v = start_oip((struct serve_config){ 0 });
    struct caller c = call_from(v);
    struct heard h = { .loop = c.loop, .status = -1, .stop_at = 1 };
    struct err err;
    buf_init(&h.last, 1000);
    struct grpc_client_call *watch = grpc_client_call(c.loop, c.client, "/grpc.health.v1.Health/Watch", NULL, 0, 0, 1000, &fns, &h, &err);
    grpc_client_send(watch, "\x0a\6writer", 8);
    grpc_client_half_close(watch);
    net_loop_run(c.loop);
    CHECK(h.last.len == 2 && h.last.data[1] == GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING);
    v->fake[1]->state = EXPERT_DOWN;
    h.stop_at = 2;
    net_loop_run(c.loop);
    CHECK(h.last.len == 2 && h.last.data[1] == GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING);
    v->fake[1]->state = EXPERT_WARM;
    h.stop_at = 3;
    net_loop_run(c.loop);
    CHECK(h.last.len == 2 && h.last.data[1] == GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING && h.status == -1);
    serve_stop(v->s); /* a watch does not keep the service alive */
    h.stop_at = 0;
    net_loop_run(c.loop);
    CHECK(h.status == GRPC_UNAVAILABLE, "%d %s", h.status, h.text);
    buf_fini(&h.last);
    h2_client_free(c.client);
    net_loop_free(c.loop);
    end(v);
}

TEST(a_model_that_was_never_loaded_is_loaded_for_who_asks_for_its_tensors)
{
    struct service *v = start_oip((struct serve_config){ 0 });
    struct caller c = call_from(v);
    v->fake[0]->is_cold = true;
    struct answer a = get(v, "/v2/models/raw/net");
    CHECK(a.status == 200 && strstr(a.body.data, "\"name\":\"x\""), "%d %s", a.status, a.body.data);
    answer_fini_(&a);
    v->fake[0]->is_cold = true;
    struct heard h = ask(&c, SERVICE "ModelMetadata", "\x0a\7raw/net", 9, 0);
    CHECK(h.status == 0 && memmem(h.last.data, h.last.len, "FP32", 4), "%d %s", h.status, h.text);
    buf_fini(&h.last);
    v->fake[0]->is_cold = v->fake[0]->is_lost = true; /* and if it cannot be loaded, that is the answer */
    check_words(get(v, "/v2/models/raw/net"), 503, "a library is not here", "REST");
    check_status(ask(&c, SERVICE "ModelMetadata", "\x0a\7raw/net", 9, 0), GRPC_UNAVAILABLE, "a library is not here", "gRPC");
    check_status(ask(&c, SERVICE "ModelMetadata", "\x0a\7raw/net", 9, 1000000), GRPC_DEADLINE_EXCEEDED, "", "deadline");
    const int fd = dial(v); /* one who does not wait */
    send_request(fd, "GET", "/v2/models/raw/net", "", NULL);
    usleep(5000);
    close(fd);
    h2_client_free(c.client);
    net_loop_free(c.loop);
    end(v);
}

TEST(keys_are_asked_for_except_for_health)
{
    const char *file = test_tmp("keys");
    FILE *f = fopen(file, "w");
    fputs("first-key-1\n", f);
    fclose(f);
    chmod(file, 0600);
    struct service *v = start_oip((struct serve_config){ .key_file = file });
    struct caller c = call_from(v);
    check(get(v, "/v2/health/ready"), 200, "{\"ready\":true}", "ready");
    struct answer a = get(v, "/v2/models/writer");
    CHECK(a.status == 401, "%d", a.status);
    answer_fini_(&a);
    check_status(ask(&c, "/grpc.health.v1.Health/Check", "", 0, 0), GRPC_OK, "", "health");
    check_status(ask(&c, SERVICE "ServerLive", "", 0, 0), GRPC_UNAUTHENTICATED, "key", "no key");
    c.key = (struct http_field){ "authorization", "Bearer first-key-1" };
    check_status(ask(&c, SERVICE "ServerLive", "", 0, 0), GRPC_OK, "", "with a key");
    h2_client_free(c.client);
    net_loop_free(c.loop);
    end(v);
}
