/* fake-engine/http.c - which path does what: OpenAI, llama-server, vLLM, Ollama, Open Inference Protocol. */
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "fake.h"
#include "wire/oip.h"
#include "wire/openai.h"

struct call { /* a request whose body is being collected */
    struct fake *fake;
    struct http_stream *stream;
    char path[128], type[128];
    size_t n_json; /* OIP with binary tensors: how much of the body is JSON */
    struct buf body;
};

void reply_json(struct http_stream *s, int status, const char *fmt, ...)
{
    struct buf b;
    va_list ap;
    buf_init(&b, 1 << 20);
    va_start(ap, fmt);
    buf_vprintf(&b, fmt, ap);
    va_end(ap);
    http_stream_reply(s, status, &(struct http_field){ "content-type", "application/json" }, 1, b.data, b.len);
    buf_fini(&b);
}

/* ---- what needs no words ---- */

static void put_metrics(const struct fake *f, struct buf *b)
{
    if (strcmp(f->opt.api, "vllm") == 0)
        buf_printf(b,
                   "# TYPE vllm:num_requests_running gauge\nvllm:num_requests_running{model_name=\"%s\"} %d\n"
                   "# TYPE vllm:num_requests_waiting gauge\nvllm:num_requests_waiting{model_name=\"%s\"} %d\n"
                   "# TYPE vllm:kv_cache_usage_perc gauge\nvllm:kv_cache_usage_perc{model_name=\"%s\"} %g\n"
                   "# TYPE vllm:prompt_tokens_total counter\nvllm:prompt_tokens_total{model_name=\"%s\"} %llu\n"
                   "# TYPE vllm:generation_tokens_total counter\nvllm:generation_tokens_total{model_name=\"%s\"} %llu\n",
                   f->opt.model, f->n_running, f->opt.model, f->n_waiting, f->opt.model, (double)f->n_running / f->opt.slots, f->opt.model,
                   (unsigned long long)f->prompt_tok_total, f->opt.model, (unsigned long long)f->gen_tok_total);
    else
        buf_printf(b,
                   "# TYPE llamacpp:prompt_tokens_total counter\nllamacpp:prompt_tokens_total %llu\n"
                   "# TYPE llamacpp:tokens_predicted_total counter\nllamacpp:tokens_predicted_total %llu\n"
                   "# TYPE llamacpp:predicted_tokens_seconds gauge\nllamacpp:predicted_tokens_seconds %g\n"
                   "# TYPE llamacpp:requests_processing gauge\nllamacpp:requests_processing %d\n"
                   "# TYPE llamacpp:requests_deferred gauge\nllamacpp:requests_deferred %d\n",
                   (unsigned long long)f->prompt_tok_total, (unsigned long long)f->gen_tok_total, f->last_tok_s, f->n_running, f->n_waiting);
}

static void get(struct fake *f, struct http_stream *s, const char *path)
{
    if (strcmp(path, "/health") == 0 || strcmp(path, "/v2/health/ready") == 0 || strcmp(path, "/v2/health/live") == 0) {
        reply_json(s, f->is_loaded ? 200 : 503, f->is_loaded ? "{\"status\":\"ok\"}" : "{\"error\":{\"code\":503,\"message\":\"Loading model\",\"type\":\"unavailable_error\"}}");
    } else if (strcmp(path, "/v1/models") == 0) {
        reply_json(s, 200, "{\"object\":\"list\",\"data\":[{\"id\":\"%s\",\"object\":\"model\",\"created\":1700000000,\"owned_by\":\"fake\",\"meta\":{\"n_ctx_train\":4096}}]}", f->opt.model);
    } else if (strcmp(path, "/api/tags") == 0) {
        reply_json(s, 200, "{\"models\":[{\"name\":\"%s\",\"model\":\"%s\"}]}", f->opt.model, f->opt.model);
    } else if (strcmp(path, "/api/version") == 0) {
        reply_json(s, 200, "{\"version\":\"0.0.0-fake\"}");
    } else if (strcmp(path, "/props") == 0) {
        reply_json(s, 200, "{\"total_slots\":%d,\"model_path\":\"%s\",\"chat_template\":\"\",\"default_generation_settings\":{\"n_ctx\":4096}}", f->opt.slots, f->opt.model);
    } else if (strcmp(path, "/slots") == 0) {
        struct buf b;
        buf_init(&b, 1 << 16);
        for (int i = 0; i < f->opt.slots; i++)
            buf_printf(&b, "%s{\"id\":%d,\"n_ctx\":4096,\"is_processing\":%s}", i ? "," : "[", i, i < f->n_running ? "true" : "false");
        reply_json(s, 200, "%s]", b.data);
        buf_fini(&b);
    } else if (strcmp(path, "/metrics") == 0) {
        struct buf b;
        buf_init(&b, 1 << 16);
        put_metrics(f, &b);
        http_stream_reply(s, 200, &(struct http_field){ "content-type", "text/plain; version=0.0.4" }, 1, b.data, b.len);
        buf_fini(&b);
    } else if (strncmp(path, "/v2/models/", 11) == 0) {
        reply_json(s, 200, "{\"name\":\"%s\",\"versions\":[\"1\"],\"platform\":\"fake\",\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[-1]}],"
                           "\"outputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[-1]}]}", f->opt.model);
    } else {
        reply_json(s, 404, "{\"error\":{\"message\":\"no such path\",\"type\":\"not_found_error\"}}");
    }
}

/* ---- what is answered at once ---- */

/* The same text gives the same numbers, another text others. */
static void embed(const struct fake *f, const char *text, float *v)
{
    uint32_t h = 2166136261u;
    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * 16777619u;
    for (int i = 0; i < f->opt.dims; i++, h = h * 1664525u + 1013904223u)
        v[i] = (float)(int32_t)h / 2147483648.0f;
}

static void embeddings(struct fake *f, struct http_stream *s, const json_t *body)
{
    const json_t *in = json_object_get(body, "input");
    const size_t n = json_is_array(in) ? json_array_size(in) : 1;
    float *v = calloc((size_t)f->opt.dims, sizeof(*v));
    struct buf b;
    int n_tok = 0;
    buf_init(&b, 64 << 20);
    openai_put_embeddings_begin(&b);
    for (size_t i = 0; i < n; i++) {
        const json_t *one = json_is_array(in) ? json_array_get(in, i) : in;
        const char *text = json_is_string(one) ? json_string_value(one) : "";
        embed(f, text, v);
        n_tok += count_words(text);
        const char *format = json_string_value(json_object_get(body, "encoding_format"));
        openai_put_embedding(&b, (int)i, v, f->opt.dims, format && strcmp(format, "base64") == 0, i == 0);
    }
    openai_put_embeddings_end(&b, &(struct openai_head){ .model = f->opt.model }, n_tok);
    http_stream_reply(s, 200, &(struct http_field){ "content-type", "application/json" }, 1, b.data, b.len);
    buf_fini(&b);
    free(v);
}

static void put_u32(struct buf *b, uint32_t v)
{
    for (int k = 0; k < 4; k++)
        buf_putc(b, (char)(v >> 8 * k));
}

static void speech(struct http_stream *s, const json_t *body)
{
    enum { HZ = 24000, WORD = HZ / 20 };
    const char *text = json_string_value(json_object_get(body, "input"));
    const uint32_t n = (uint32_t)count_words(text ? text : "") * WORD * 2;
    const char *format = json_string_value(json_object_get(body, "response_format"));
    struct buf b;
    buf_init(&b, 64 << 20);
    if (!format || strcmp(format, "pcm") != 0) {
        buf_append(&b, "RIFF", 4), put_u32(&b, 36 + n), buf_append(&b, "WAVEfmt ", 8), put_u32(&b, 16);
        put_u32(&b, 1 | 1 << 16), put_u32(&b, HZ), put_u32(&b, HZ * 2), put_u32(&b, 2 | 16 << 16); /* PCM, mono; 16 bits */
        buf_append(&b, "data", 4), put_u32(&b, n);
    }
    for (uint32_t i = 0; i < n / 2; i++) {
        const int16_t v = (int16_t)(8000 * sin(i * 6.2831853 * 440 / HZ));
        buf_putc(&b, (char)v), buf_putc(&b, (char)(v >> 8));
    }
    http_stream_reply(s, 200, &(struct http_field){ "content-type", "audio/wav" }, 1, b.data ? b.data : "", b.len);
    buf_fini(&b);
}

/* The inputs come back as outputs, in the form in which they came. */
static void infer(struct call *c)
{
    struct err err = { 0 };
    struct arena *a = arena_new(256 << 20, &err);
    struct oip_request *r = arena_alloc(a, 1, sizeof(*r), &err);
    struct buf b;
    const size_t n_json = c->n_json ? c->n_json : c->body.len;
    buf_init(&b, 256 << 20);
    if (n_json > c->body.len || !oip_read_infer(r, c->body.data, c->body.len, n_json, a, &err)) {
        oip_put_error(&b, err.text);
        http_stream_reply(c->stream, 400, &(struct http_field){ "content-type", "application/json" }, 1, b.data, b.len);
    } else {
        char json_bytes[24];
        oip_put_reply_begin(&b, c->fake->opt.model, "", NULL, 0);
        for (int i = 0; i < r->n_inputs; i++) {
            if (i > 0)
                buf_putc(&b, ',');
            oip_put_output(&b, &r->inputs[i], r->is_binary, &err);
        }
        oip_put_reply_end(&b);
        snprintf(json_bytes, sizeof(json_bytes), "%zu", b.len);
        for (int i = 0; i < r->n_inputs && r->is_binary; i++)
            buf_append(&b, r->inputs[i].data, r->inputs[i].n_bytes);
        const struct http_field fields[] = { { "content-type", r->is_binary ? "application/octet-stream" : "application/json" },
                                             { "inference-header-content-length", json_bytes } };
        http_stream_reply(c->stream, 200, fields, r->is_binary ? 2 : 1, b.data, b.len);
    }
    buf_fini(&b);
    arena_free(a);
}

static void act(struct call *c)
{
    struct fake *f = c->fake;
    struct http_stream *s = c->stream;
    const char *bytes = c->body.data ? c->body.data : "";
    if (strcmp(c->path, "/v1/audio/transcriptions") == 0) {
        const bool is_form = strncmp(c->type, "multipart/form-data", 19) == 0;
        const bool is_verbose = is_form && strstr(bytes, "verbose_json") != NULL;
        reply_json(s, is_form ? 200 : 400, is_verbose ? "{\"task\":\"transcribe\",\"language\":\"english\",\"duration\":1.5,\"text\":\" heard %zu bytes\",\"segments\":"
                   "[{\"id\":0,\"start\":0.0,\"end\":1.5,\"text\":\" heard\",\"avg_logprob\":-0.25,\"no_speech_prob\":0.01}],\"words\":[{\"word\":\"heard\",\"start\":0.0,\"end\":0.5}]}"
                   : "{\"text\":\" heard %zu bytes\"}", c->body.len);
        return;
    }
    if (strncmp(c->path, "/v2/models/", 11) == 0) {
        infer(c);
        return;
    }
    json_t *body = json_loadb(bytes, c->body.len, 0, NULL);
    if (!body)
        reply_json(s, 400, "{\"error\":{\"message\":\"that is no JSON\",\"type\":\"invalid_request_error\"}}");
    else if (strcmp(c->path, "/v1/embeddings") == 0)
        embeddings(f, s, body);
    else if (strcmp(c->path, "/v1/audio/speech") == 0)
        speech(s, body);
    else
        reply_json(s, 404, "{\"error\":{\"message\":\"no such path\",\"type\":\"not_found_error\"}}");
    json_decref(body);
}

/* ---- bodies ---- */

static void on_data(void *ctx, const char *bytes, size_t n)
{
    struct call *c = ctx;
    buf_append(&c->body, bytes, n);
}

static void on_call_close(void *ctx, enum http_close why)
{
    struct call *c = ctx;
    (void)why;
    buf_fini(&c->body);
    free(c);
}

static void on_end(void *ctx)
{
    struct call *c = ctx;
    struct fake *f = c->fake;
    const bool chat = strcmp(c->path, "/v1/chat/completions") == 0, ollama = strcmp(c->path, "/api/chat") == 0;
    if (!f->is_loaded)
        reply_json(c->stream, 503, "{\"error\":{\"code\":503,\"message\":\"Loading model\",\"type\":\"unavailable_error\"}}");
    else if (chat || ollama || strcmp(c->path, "/v1/completions") == 0 || strcmp(c->path, "/completion") == 0) {
        struct http_stream *s = c->stream; /* the generation takes the stream over */
        struct buf body = c->body;
        free(c);
        answer_begin(f, s, chat ? FORM_CHAT : ollama ? FORM_OLLAMA : FORM_COMPLETION, body.data ? body.data : "", body.len);
        buf_fini(&body);
        return;
    } else {
        act(c);
    }
}

void on_request(void *ctx, struct http_stream *s, const struct http_head *head)
{
    static const struct http_stream_fns fns = { on_data, on_end, NULL, on_call_close };
    struct call *c = calloc(1, sizeof(*c));
    const char *type = http_head_get(head, "content-type");
    c->fake = ctx;
    c->stream = s;
    snprintf(c->path, sizeof(c->path), "%s", head->path);
    snprintf(c->type, sizeof(c->type), "%s", type ? type : "");
    const char *n_json = http_head_get(head, "inference-header-content-length");
    c->n_json = n_json ? strtoul(n_json, NULL, 10) : 0;
    buf_init(&c->body, 256 << 20);
    http_stream_take(s, &fns, c);
    if (head->verb == HTTP_VERB_GET)
        get(c->fake, s, head->path);
}
