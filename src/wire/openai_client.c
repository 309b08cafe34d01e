/* wire/openai_client.c - see openai_client.h; start reading at openai_put_request(). */
#include "wire/openai_client.h"

#include <math.h>
#include <string.h>

#include "wire/data_url.h"
#include "wire/openai_internal.h"
#include "wire/put.h"

enum { VECTOR_DIMS_MAX = 1 << 17, SEGMENTS_MAX = 1 << 16 };

/* ---- requests ---- */

static bool put_json_value(struct buf *out, const json_t *v, struct err *err)
{
    char *text = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);
    if (!text)
        return err_set(err, ERR_NOMEM, "a request: out of memory");
    buf_puts(out, text);
    free(text);
    return true;
}

/* Templates want arguments of tool calls as objects, the API wants them as text. */
static bool put_message(struct buf *out, const json_t *m, struct err *err)
{
    const json_t *calls = json_object_get(m, "tool_calls");
    if (!calls)
        return put_json_value(out, m, err);
    json_t *copy = json_deep_copy(m), *call;
    size_t i;
    bool ok = copy != NULL;
    json_array_foreach(json_object_get(copy, "tool_calls"), i, call)
    {
        json_t *fn = json_object_get(call, "function"), *args = json_object_get(fn, "arguments");
        char *text = args && !json_is_string(args) ? json_dumps(args, JSON_COMPACT) : NULL;
        if (text)
            ok = ok && json_object_set_new(fn, "arguments", json_string(text)) == 0;
        free(text);
    }
    ok = ok ? put_json_value(out, copy, err) : err_set(err, ERR_NOMEM, "a request: out of memory");
    json_decref(copy);
    return ok;
}

static bool put_chat(struct buf *out, const struct openai_request *r, struct err *err)
{
    static const char *const top[] = { "tools", "reasoning_effort" };
    const char *key;
    json_t *v;
    size_t i;
    bool is_first = true;
    buf_puts(out, ",\"messages\":[");
    json_array_foreach(json_object_get(r->vars, "messages"), i, v)
    {
        if (i > 0)
            buf_putc(out, ',');
        if (!put_message(out, v, err))
            return false;
    }
    buf_putc(out, ']');
    for (i = 0; i < sizeof(top) / sizeof(top[0]); i++)
        if ((v = json_object_get(r->vars, top[i])) != NULL) {
            buf_printf(out, ",\"%s\":", top[i]);
            if (!put_json_value(out, v, err))
                return false;
        }
    json_object_foreach(r->vars, key, v)
    {
        if (strcmp(key, "messages") == 0 || strcmp(key, top[0]) == 0 || strcmp(key, top[1]) == 0)
            continue;
        buf_puts(out, is_first ? ",\"chat_template_kwargs\":{" : ",");
        buf_put_json_text(out, key);
        buf_putc(out, ':');
        if (!put_json_value(out, v, err))
            return false;
        is_first = false;
    }
    if (!is_first)
        buf_putc(out, '}');
    return true;
}

static void put_input(struct buf *out, const struct openai_input *in)
{
    if (in->text) {
        buf_put_json(out, in->text, in->n_text);
        return;
    }
    buf_putc(out, '[');
    for (int i = 0; i < in->n_ids; i++)
        buf_printf(out, "%s%d", i ? "," : "", in->ids[i]);
    buf_putc(out, ']');
}

static void put_number(struct buf *out, const struct openai_request *r, unsigned bit, const char *name, double v)
{
    if (!(r->given & bit))
        return;
    buf_printf(out, ",\"%s\":", name);
    put_f32(out, (float)v);
}

static void put_integer(struct buf *out, const struct openai_request *r, unsigned bit, const char *name, int64_t v)
{
    if (!(r->given & bit))
        return;
    buf_printf(out, ",\"%s\":", name);
    put_i64(out, v);
}

static void put_sampling(struct buf *out, const struct openai_request *r)
{
    put_number(out, r, OPENAI_TEMPERATURE, "temperature", r->temperature);
    put_number(out, r, OPENAI_TOP_P, "top_p", r->top_p);
    put_integer(out, r, OPENAI_TOP_K, "top_k", r->top_k);
    put_number(out, r, OPENAI_MIN_P, "min_p", r->min_p);
    put_number(out, r, OPENAI_TYPICAL_P, "typical_p", r->typical_p);
    put_number(out, r, OPENAI_REPETITION, "repeat_penalty", r->repetition_penalty);
    put_number(out, r, OPENAI_REPETITION, "repetition_penalty", r->repetition_penalty); /* vLLM's name of it */
    put_integer(out, r, OPENAI_REPEAT_LAST_N, "repeat_last_n", r->repeat_last_n);
    put_number(out, r, OPENAI_PRESENCE, "presence_penalty", r->presence_penalty);
    put_number(out, r, OPENAI_FREQUENCY, "frequency_penalty", r->frequency_penalty);
    put_number(out, r, OPENAI_DRY_MULTIPLIER, "dry_multiplier", r->dry_multiplier);
    put_number(out, r, OPENAI_DRY_BASE, "dry_base", r->dry_base);
    put_integer(out, r, OPENAI_DRY_ALLOWED, "dry_allowed_length", r->dry_allowed_length);
    put_integer(out, r, OPENAI_DRY_LAST_N, "dry_penalty_last_n", r->dry_last_n);
    put_integer(out, r, OPENAI_SEED, "seed", r->seed);
    put_integer(out, r, OPENAI_MAX_TOKENS, "max_tokens", r->max_tokens);
    put_integer(out, r, OPENAI_N, "n", r->n);
    for (int i = 0; i < r->n_biases; i++) {
        buf_printf(out, "%s\"%d\":", i ? "," : ",\"logit_bias\":{", r->biases[i].id);
        put_f32(out, r->biases[i].bias);
    }
    if (r->n_biases > 0)
        buf_putc(out, '}');
    for (int i = 0; i < r->n_stops; i++) {
        buf_puts(out, i ? "," : ",\"stop\":[");
        buf_put_json(out, r->stops[i].text, r->stops[i].n);
    }
    if (r->n_stops > 0)
        buf_putc(out, ']');
    if (r->n_logprobs >= 0)
        buf_puts(out, ",\"logprobs\":true");
    if (r->n_logprobs > 0)
        buf_printf(out, ",\"top_logprobs\":%d", r->n_logprobs);
    if (r->ignore_eos)
        buf_puts(out, ",\"ignore_eos\":true");
    if (r->stream)
        buf_printf(out, ",\"stream\":true%s", r->include_usage ? ",\"stream_options\":{\"include_usage\":true}" : "");
}

bool openai_put_request(struct buf *out, const struct openai_request *r, struct err *err)
{
    buf_puts(out, "{\"model\":");
    buf_put_json_text(out, r->model);
    if (r->task == OPENAI_CHAT) {
        if (!put_chat(out, r, err))
            return false;
    } else {
        const bool is_one = r->n_inputs == 1 && r->task == OPENAI_COMPLETION;
        if (r->task == OPENAI_COMPLETION && r->n_logprobs >= 0)
            return err_set(err, ERR_UNSUPPORTED, "logprobs: completions of another server come without them; chats have them");
        buf_puts(out, r->task == OPENAI_COMPLETION ? ",\"prompt\":" : ",\"input\":");
        for (int i = 0; i < r->n_inputs; i++) {
            if (!is_one)
                buf_putc(out, i ? ',' : '[');
            put_input(out, &r->inputs[i]);
        }
        if (!is_one)
            buf_putc(out, ']');
    }
    if (r->task == OPENAI_EMBEDDING)
        buf_puts(out, r->is_base64 ? ",\"encoding_format\":\"base64\"" : ",\"encoding_format\":\"float\"");
    else
        put_sampling(out, r);
    buf_putc(out, '}');
    return buf_ok(out, "a request", err);
}

void openai_put_form(struct buf *before, struct buf *after, const char *boundary, const struct openai_form_field *fields, int n_fields,
                     const char *file_field, const char *file_name, const char *type)
{
    for (int i = 0; i < n_fields; i++)
        if (fields[i].value)
            buf_printf(before, "--%s\r\ncontent-disposition: form-data; name=\"%s\"\r\n\r\n%s\r\n", boundary, fields[i].name, fields[i].value);
    buf_printf(before, "--%s\r\ncontent-disposition: form-data; name=\"%s\"; filename=\"%s\"\r\ncontent-type: %s\r\n\r\n", boundary, file_field,
               file_name, type);
    buf_printf(after, "\r\n--%s--\r\n", boundary);
}

/* ---- answers ---- */

static bool wrong(struct err *err, const char *what) { return err_set(err, ERR_IO, "the server's answer: %s", what); }

static int count_of(const json_t *o, const char *name)
{
    const json_t *v = json_object_get(o, name);
    const json_int_t n = json_is_integer(v) ? json_integer_value(v) : 0;
    return n < 0 || n > INT32_MAX ? 0 : (int)n;
}

static bool read_usage(const json_t *tree, struct openai_usage *u)
{
    const json_t *o = json_object_get(tree, "usage");
    if (!json_is_object(o))
        return false;
    u->n_prompt_tok = count_of(o, "prompt_tokens");
    u->n_gen_tok = count_of(o, "completion_tokens");
    u->n_cached_tok = count_of(json_object_get(o, "prompt_tokens_details"), "cached_tokens");
    if (u->n_cached_tok > u->n_prompt_tok)
        u->n_cached_tok = u->n_prompt_tok;
    return true;
}

bool openai_read_answer(struct openai_answer *a, enum openai_task task, const char *json, size_t n, struct err *err)
{
    a->tree = NULL;
    a->task = task;
    a->is_done = n == 6 && memcmp(json, "[DONE]", 6) == 0;
    a->n_choices = 0;
    a->has_usage = a->event.is_there = false;
    a->usage = (struct openai_usage){ 0 };
    if (a->is_done)
        return true;
    if (task == OPENAI_CHAT && openai_read_event(&a->event, json, n)) {
        a->n_choices = 1;
        return true;
    }
    a->tree = json_loadb(json, n, 0, NULL);
    if (!json_is_object(a->tree))
        return wrong(err, "not a JSON object");
    if (openai_field(a->tree, "error"))
        return openai_read_error(500, json, n, err);
    const json_t *choices = openai_field(a->tree, "choices");
    if (choices && (!json_is_array(choices) || json_array_size(choices) > OPENAI_INPUTS_MAX))
        return wrong(err, "'choices' is not an array");
    a->n_choices = (int)json_array_size(choices);
    a->has_usage = read_usage(a->tree, &a->usage);
    if (!choices && !a->has_usage)
        return wrong(err, "there are no 'choices' in it");
    return true;
}

void openai_answer_fini(struct openai_answer *a)
{
    json_decref(a->tree);
    a->tree = NULL;
}

static bool read_text(const json_t *o, const char *name, const char **text, size_t *n, struct err *err)
{
    const json_t *v = openai_field(o, name);
    if (v && !json_is_string(v))
        return wrong(err, "a text is no string");
    *text = v ? json_string_value(v) : "";
    *n = v ? json_string_length(v) : 0;
    return true;
}

bool openai_answer_piece(const struct openai_answer *a, int i, struct openai_piece *out, struct err *err)
{
    const json_t *c = json_array_get(openai_field(a->tree, "choices"), (size_t)i);
    *out = (struct openai_piece){ .text = "", .reasoning = "" };
    if (a->event.is_there) {
        const struct openai_event *e = &a->event;
        *out = (struct openai_piece){ .index = e->index, .text = e->text, .n_text = e->n_text, .reasoning = "", .finish_reason = e->has_finish ? e->finish : NULL };
        return true;
    }
    if (!json_is_object(c))
        return wrong(err, "a choice is not an object");
    const json_t *index = openai_field(c, "index");
    if (index && (!json_is_integer(index) || json_integer_value(index) < 0 || json_integer_value(index) >= OPENAI_INPUTS_MAX))
        return wrong(err, "a choice has no such index");
    out->index = index ? (int)json_integer_value(index) : i;
    const json_t *finish = openai_field(c, "finish_reason");
    if (finish && !json_is_string(finish))
        return wrong(err, "'finish_reason' is no string");
    out->finish_reason = json_string_value(finish);
    if (a->task != OPENAI_CHAT)
        return read_text(c, "text", &out->text, &out->n_text, err);
    const json_t *delta = openai_field(c, "delta");
    if (!delta)
        delta = openai_field(c, "message");
    if (delta && !json_is_object(delta))
        return wrong(err, "a delta is not an object");
    const char *reasoning = openai_field(delta, "reasoning_content") ? "reasoning_content" : "reasoning"; /* llama-server; vLLM */
    out->tool_calls = openai_field(delta, "tool_calls");
    if (out->tool_calls && !json_is_array(out->tool_calls))
        return wrong(err, "'tool_calls' is not an array");
    out->logprobs = openai_field(openai_field(c, "logprobs"), "content");
    if (out->logprobs && !json_is_array(out->logprobs))
        return wrong(err, "'logprobs.content' is not an array");
    return read_text(delta, "content", &out->text, &out->n_text, err) && read_text(delta, reasoning, &out->reasoning, &out->n_reasoning, err);
}

bool openai_read_error(int status, const char *body, size_t n, struct err *err)
{
    static const struct {
        int status;
        enum err_code code;
    } codes[] = { { 400, ERR_INPUT }, { 401, ERR_AUTH }, { 403, ERR_AUTH }, { 404, ERR_NOT_FOUND }, { 408, ERR_BUSY }, { 413, ERR_LIMIT },
                  { 422, ERR_INPUT }, { 429, ERR_BUSY }, { 501, ERR_UNSUPPORTED }, { 502, ERR_BUSY }, { 503, ERR_BUSY }, { 504, ERR_BUSY } };
    enum err_code code = ERR_IO;
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
        if (codes[i].status == status)
            code = codes[i].code;
    json_t *tree = json_loadb(body, n, 0, NULL);
    const json_t *e = openai_field(tree, "error");
    const json_t *text = json_is_string(e) ? e : openai_field(e, "message"); /* Ollama: a string; vLLM: without "error" around it */
    if (!json_is_string(text))
        text = openai_field(tree, "message");
    if (!json_is_string(text))
        text = openai_field(tree, "detail");
    if (json_is_string(text))
        err_set(err, code, "the server says: %.180s", json_string_value(text));
    else
        err_set(err, code, "the server answers with status %d", status);
    json_decref(tree);
    return false;
}

bool openai_read_embeddings(const char *body, size_t n, int n_inputs, openai_vector_fn *fn, void *ctx, struct openai_usage *usage, struct err *err)
{
    json_t *tree = json_loadb(body, n, 0, NULL), *item, *x;
    const json_t *data = openai_field(tree, "data");
    float *v = NULL;
    bool *seen = calloc((size_t)n_inputs + 1, sizeof(*seen));
    bool ok = seen || err_set(err, ERR_NOMEM, "embeddings: out of memory");
    size_t i, k;
    if (ok && (!json_is_array(data) || json_array_size(data) != (size_t)n_inputs))
        ok = wrong(err, "not one embedding for each input");
    json_array_foreach((json_t *)(uintptr_t)(ok ? data : NULL), i, item)
    {
        const json_t *index = openai_field(item, "index"), *e = openai_field(item, "embedding");
        const json_int_t at = index ? json_integer_value(index) : (json_int_t)i;
        const size_t n_base64 = json_string_length(e), dims = json_is_string(e) ? base64_max_bytes(n_base64) / sizeof(*v) : json_array_size(e);
        if (at < 0 || at >= n_inputs || seen[at] || dims == 0 || dims > VECTOR_DIMS_MAX) {
            ok = wrong(err, "an embedding is of another form");
            break;
        }
        seen[at] = true;
        float *more = realloc(v, (dims + 1) * sizeof(*v)); /* base64_max_bytes() may not divide */
        if (!more) {
            ok = err_set(err, ERR_NOMEM, "embeddings: out of memory");
            break;
        }
        v = more;
        json_array_foreach((json_t *)(uintptr_t)e, k, x)
        {
            v[k] = (float)json_number_value(x);
            ok = ok && json_is_number(x) && isfinite(v[k]);
        }
        size_t n_bytes = dims * sizeof(*v);
        if (ok && json_is_string(e)) { /* little-endian float32, as this machine has them */
            struct err bad;
            ok = base64_decode(json_string_value(e), n_base64, v, &n_bytes, &bad) && n_bytes > 0 && n_bytes % sizeof(*v) == 0;
            for (k = 0; ok && k < n_bytes / sizeof(*v); k++)
                ok = isfinite(v[k]);
        }
        if (!ok) {
            wrong(err, "an embedding holds something else than numbers");
            break;
        }
        fn(ctx, (int)at, v, (int)(n_bytes / sizeof(*v)));
    }
    if (ok)
        read_usage(tree, usage);
    free(v);
    free(seen);
    json_decref(tree);
    return ok;
}

/* ---- transcripts ---- */

static const char *keep_text(const json_t *v, struct arena *a, bool *ok, struct err *err)
{
    if (!json_is_string(v))
        return "";
    const char *s = arena_strndup(a, json_string_value(v), json_string_length(v), err);
    *ok = *ok && s;
    return s ? s : "";
}

static double seconds_of(const json_t *o, const char *name)
{
    const double s = json_number_value(json_object_get(o, name));
    return s >= 0 && s < 1e7 ? s : 0;
}

static bool read_words(struct openai_transcript *t, const json_t *list, struct openai_word *out, struct arena *a, struct err *err)
{
    json_t *w;
    size_t i;
    bool ok = true;
    json_array_foreach((json_t *)(uintptr_t)list, i, w)
        out[t->n_words++] = (struct openai_word){ keep_text(json_object_get(w, "word"), a, &ok, err), seconds_of(w, "start"), seconds_of(w, "end") };
    return ok;
}

bool openai_read_transcript(struct openai_transcript *t, const char *body, size_t n, struct arena *a, struct err *err)
{
    json_t *tree = json_loadb(body, n, 0, NULL), *s;
    const json_t *segments = openai_field(tree, "segments"), *words = openai_field(tree, "words");
    size_t i, n_words = json_array_size(words);
    bool ok = json_is_string(openai_field(tree, "text")) || wrong(err, "there is no 'text' in it");
    *t = (struct openai_transcript){ .text = "" };
    if (ok)
        t->text = keep_text(openai_field(tree, "text"), a, &ok, err);
    if (ok && openai_field(tree, "language"))
        t->language = keep_text(openai_field(tree, "language"), a, &ok, err);
    t->duration_s = seconds_of(tree, "duration");
    json_array_foreach((json_t *)(uintptr_t)segments, i, s)
        n_words += words ? 0 : json_array_size(json_object_get(s, "words")); /* whisper-server has them there */
    if (ok && (json_array_size(segments) > SEGMENTS_MAX || n_words > SEGMENTS_MAX * 16u))
        ok = wrong(err, "too many segments");
    struct openai_segment *segs = ok ? arena_alloc(a, json_array_size(segments), sizeof(*segs), err) : NULL;
    struct openai_word *ws = segs ? arena_alloc(a, n_words, sizeof(*ws), err) : NULL;
    ok = ok && ws;
    json_array_foreach((json_t *)(uintptr_t)(ok ? segments : NULL), i, s)
    {
        segs[i] = (struct openai_segment){
            .text = keep_text(json_object_get(s, "text"), a, &ok, err), .start_s = seconds_of(s, "start"), .end_s = seconds_of(s, "end"),
            .avg_logprob = (float)json_number_value(json_object_get(s, "avg_logprob")),
            .no_speech_prob = (float)json_number_value(json_object_get(s, "no_speech_prob")),
            .compression_ratio = (float)json_number_value(json_object_get(s, "compression_ratio")),
            .temperature = (float)json_number_value(json_object_get(s, "temperature")),
        };
        if (!words)
            ok = ok && read_words(t, json_object_get(s, "words"), ws, a, err);
    }
    if (ok && words)
        ok = read_words(t, words, ws, a, err);
    t->segments = segs;
    t->n_segments = ok ? (int)json_array_size(segments) : 0;
    t->words = ws;
    json_decref(tree);
    return ok;
}
