/* wire/ollama.c - see ollama.h. */
#include "wire/ollama.h"

#include <math.h>
#include <string.h>

#include "wire/openai_internal.h"
#include "wire/put.h"

enum { VECTOR_DIMS_MAX = 1 << 17 };

/* ---- requests ---- */

static bool cannot(struct err *err, const char *what) { return err_set(err, ERR_UNSUPPORTED, "%s: Ollama cannot do that", what); }

/* The base64 of a data URL. */
static bool put_picture(struct buf *images, const json_t *part, struct err *err)
{
    const json_t *url = json_object_get(json_object_get(part, "image_url"), "url");
    const char *s = json_string_value(url), *comma = s && strncmp(s, "data:", 5) == 0 ? strstr(s, ";base64,") : NULL;
    if (!comma)
        return cannot(err, "a picture that is no data URL of base64");
    if (images->len > 0)
        buf_putc(images, ',');
    buf_put_json_text(images, comma + 8);
    return true;
}

static bool put_message(struct buf *out, const json_t *m, struct err *err)
{
    static const char *const kept[] = { "tool_calls", "tool_name" };
    const json_t *content = json_object_get(m, "content"), *part;
    const char *role = json_string_value(json_object_get(m, "role"));
    struct buf text, images;
    size_t i;
    bool ok = true;
    buf_init(&text, out->max_bytes);
    buf_init(&images, out->max_bytes);
    if (json_is_string(content))
        buf_append(&text, json_string_value(content), json_string_length(content));
    json_array_foreach((json_t *)(uintptr_t)content, i, part)
    {
        const json_t *t = json_object_get(part, "text");
        if (json_object_get(part, "image_url"))
            ok = ok && put_picture(&images, part, err);
        else if (json_is_string(t))
            buf_printf(&text, "%s%s", text.len ? "\n" : "", json_string_value(t));
        else
            ok = ok && cannot(err, "this part of a message");
    }
    if (ok) {
        buf_puts(out, "{\"role\":");
        buf_put_json_text(out, role ? role : "user");
        buf_puts(out, ",\"content\":");
        buf_put_json(out, text.data ? text.data : "", text.len);
        if (images.len > 0) {
            buf_puts(out, ",\"images\":[");
            buf_append(out, images.data, images.len);
            buf_putc(out, ']');
        }
        for (i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
            const json_t *v = json_object_get(m, kept[i]);
            char *dumped = v ? json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
            if (dumped)
                buf_printf(out, ",\"%s\":", kept[i]), buf_puts(out, dumped);
            free(dumped);
        }
        buf_putc(out, '}');
        ok = !text.failed && !images.failed ? true : err_set(err, ERR_NOMEM, "a request: out of memory");
    }
    buf_fini(&text);
    buf_fini(&images);
    return ok;
}

static void put_options(struct buf *out, const struct openai_request *r)
{
    const struct {
        unsigned bit;
        const char *name;
        double v;
    } numbers[] = {
        { OPENAI_TEMPERATURE, "temperature", r->temperature }, { OPENAI_TOP_P, "top_p", r->top_p }, { OPENAI_TOP_K, "top_k", (double)r->top_k },
        { OPENAI_MIN_P, "min_p", r->min_p }, { OPENAI_TYPICAL_P, "typical_p", r->typical_p },
        { OPENAI_REPETITION, "repeat_penalty", r->repetition_penalty }, { OPENAI_REPEAT_LAST_N, "repeat_last_n", (double)r->repeat_last_n },
        { OPENAI_PRESENCE, "presence_penalty", r->presence_penalty }, { OPENAI_FREQUENCY, "frequency_penalty", r->frequency_penalty },
        { OPENAI_MAX_TOKENS, "num_predict", (double)r->max_tokens },
    };
    bool is_first = true;
    buf_puts(out, ",\"options\":{");
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        if (r->given & numbers[i].bit) {
            buf_printf(out, "%s\"%s\":%.9g", is_first ? "" : ",", numbers[i].name, numbers[i].v);
            is_first = false;
        }
    if (r->given & OPENAI_SEED)
        buf_printf(out, "%s\"seed\":%lld", is_first ? "" : ",", (long long)r->seed), is_first = false;
    for (int i = 0; i < r->n_stops; i++) {
        buf_puts(out, i ? "," : is_first ? "\"stop\":[" : ",\"stop\":[");
        buf_put_json(out, r->stops[i].text, r->stops[i].n);
    }
    buf_puts(out, r->n_stops ? "]}" : "}");
}

bool ollama_put_request(struct buf *out, const struct openai_request *r, struct err *err)
{
    buf_puts(out, "{\"model\":");
    buf_put_json_text(out, r->model);
    if (r->task == OPENAI_EMBEDDING) {
        for (int i = 0; i < r->n_inputs; i++) {
            if (!r->inputs[i].text)
                return cannot(err, "token ids");
            buf_puts(out, i ? "," : ",\"input\":[");
            buf_put_json(out, r->inputs[i].text, r->inputs[i].n_text);
        }
        buf_puts(out, "]}");
        return buf_ok(out, "a request", err);
    }
    if (r->task != OPENAI_CHAT)
        return cannot(err, "a completion");
    if (((r->given & OPENAI_N) && r->n > 1) || r->n_logprobs >= 0)
        return cannot(err, r->n_logprobs >= 0 ? "logprobs" : "n");
    const json_t *messages = json_object_get(r->vars, "messages"), *tools = json_object_get(r->vars, "tools");
    json_t *m;
    size_t i;
    buf_puts(out, ",\"messages\":[");
    json_array_foreach((json_t *)(uintptr_t)messages, i, m)
    {
        if (i > 0)
            buf_putc(out, ',');
        if (!put_message(out, m, err))
            return false;
    }
    buf_puts(out, "],\"stream\":true");
    char *dumped = tools ? json_dumps(tools, JSON_COMPACT) : NULL;
    if (dumped)
        buf_puts(out, ",\"tools\":"), buf_puts(out, dumped);
    free(dumped);
    put_options(out, r);
    buf_putc(out, '}');
    return buf_ok(out, "a request", err);
}

/* ---- answers ---- */

static bool wrong(struct err *err, const char *what) { return err_set(err, ERR_IO, "the server's answer: %s", what); }

static bool read_text(const json_t *o, const char *name, const char **text, size_t *n, struct err *err)
{
    const json_t *v = openai_field(o, name);
    if (v && !json_is_string(v))
        return wrong(err, "a text is no string");
    *text = v ? json_string_value(v) : "";
    *n = v ? json_string_length(v) : 0;
    return true;
}

static int count_of(const json_t *o, const char *name)
{
    const json_int_t n = json_integer_value(json_object_get(o, name));
    return n < 0 || n > INT32_MAX ? 0 : (int)n;
}

bool ollama_read_line(struct ollama_line *l, const char *json, size_t n, struct err *err)
{
    *l = (struct ollama_line){ .tree = json_loadb(json, n, 0, NULL), .text = "", .thinking = "" };
    if (!json_is_object(l->tree))
        return wrong(err, "not a JSON object");
    if (openai_field(l->tree, "error"))
        return openai_read_error(500, json, n, err);
    const json_t *m = openai_field(l->tree, "message");
    if (m && !json_is_object(m))
        return wrong(err, "'message' is not an object");
    l->is_done = json_is_true(json_object_get(l->tree, "done"));
    if (!m && !l->is_done)
        return wrong(err, "there is no 'message' in it");
    l->done_reason = json_string_value(openai_field(l->tree, "done_reason"));
    l->tool_calls = openai_field(m, "tool_calls");
    if (l->tool_calls && !json_is_array(l->tool_calls))
        return wrong(err, "'tool_calls' is not an array");
    l->usage.n_prompt_tok = count_of(l->tree, "prompt_eval_count");
    l->usage.n_gen_tok = count_of(l->tree, "eval_count");
    return read_text(m, "content", &l->text, &l->n_text, err) && read_text(m, "thinking", &l->thinking, &l->n_thinking, err);
}

void ollama_line_fini(struct ollama_line *l)
{
    json_decref(l->tree);
    l->tree = NULL;
}

bool ollama_read_embeddings(const char *body, size_t n, int n_inputs, openai_vector_fn *fn, void *ctx, struct openai_usage *usage, struct err *err)
{
    json_t *tree = json_loadb(body, n, 0, NULL), *x;
    const json_t *list = openai_field(tree, "embeddings");
    bool ok = (json_is_array(list) && json_array_size(list) == (size_t)n_inputs) || wrong(err, "not one embedding for each input");
    size_t k;
    for (int i = 0; ok && i < n_inputs; i++) {
        const json_t *e = json_array_get(list, (size_t)i);
        const size_t dims = json_array_size(e);
        float *v = dims > 0 && dims <= VECTOR_DIMS_MAX ? malloc(dims * sizeof(*v)) : NULL;
        ok = v || wrong(err, "an embedding is of another form");
        json_array_foreach((json_t *)(uintptr_t)(ok ? e : NULL), k, x)
        {
            v[k] = (float)json_number_value(x);
            ok = ok && json_is_number(x) && isfinite(v[k]);
        }
        if (ok)
            fn(ctx, i, v, (int)dims);
        else if (v)
            wrong(err, "an embedding holds something else than numbers");
        free(v);
    }
    if (ok)
        usage->n_prompt_tok = count_of(tree, "prompt_eval_count");
    json_decref(tree);
    return ok;
}
