/* wire/openai_request.c - a request's JSON becomes struct openai_request; start at openai_read_request().
 *
 * Numbers and flags are one table: name, where it goes, what it may be.  What has structure (messages,
 * stop, prompt, ...) has a function each.
 */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "wire/data_url.h"
#include "wire/openai_internal.h"

bool openai_fail(struct openai_error *e, int status, const char *code, const char *param, const char *fmt, ...)
{
    va_list ap;
    e->status = status;
    e->code = code;
    snprintf(e->param, sizeof(e->param), "%s", param ? param : "");
    va_start(ap, fmt);
    vsnprintf(e->message, sizeof(e->message), fmt, ap);
    va_end(ap);
    return false;
}

const char *openai_type_name(const json_t *v)
{
    switch (json_typeof(v)) {
    case JSON_OBJECT: return "an object";
    case JSON_ARRAY: return "an array";
    case JSON_STRING: return "a string";
    case JSON_INTEGER:
    case JSON_REAL: return "a number";
    case JSON_TRUE:
    case JSON_FALSE: return "a boolean";
    case JSON_NULL: return "null";
    }
    return "?";
}

json_t *openai_field(const json_t *o, const char *name)
{
    json_t *v = json_object_get(o, name);
    return v && !json_is_null(v) ? v : NULL;
}

#define BAD(param, ...) openai_fail(e, 400, "invalid_value", param, __VA_ARGS__)
#define CANNOT(param, ...) openai_fail(e, 400, "unsupported_value", param, __VA_ARGS__)
#define NO_MEMORY() openai_fail(e, 503, NULL, NULL, "out of memory")

json_t *openai_load(const char *body, size_t n, struct openai_error *e)
{
    json_error_t why;
    if (n == 0) {
        openai_fail(e, 400, "invalid_json", NULL, "the body is empty; a JSON object is wanted");
        return NULL;
    }
    json_t *t = json_loadb(body, n, JSON_REJECT_DUPLICATES, &why);
    if (!t && json_error_code(&why) == json_error_out_of_memory)
        NO_MEMORY();
    else if (!t)
        openai_fail(e, 400, "invalid_json", NULL, "the body is not JSON: line %d, column %d: %s", why.line, why.column, why.text);
    else if (!json_is_object(t))
        openai_fail(e, 400, "invalid_json", NULL, "the body is %s; a JSON object is wanted", openai_type_name(t));
    if (!json_is_object(t)) {
        json_decref(t);
        return NULL;
    }
    return t;
}

enum { CHAT = 1 << OPENAI_CHAT, COMPLETION = 1 << OPENAI_COMPLETION, EMBEDDING = 1 << OPENAI_EMBEDDING,
       TEXT = CHAT | COMPLETION };

/* ---- numbers and flags ---- */

enum kind { REAL, INTEGER, FLAG };

struct number {
    const char *name;
    int tasks;
    enum kind kind;
    size_t at;
    double min, max;
    unsigned given;
};

#define AT(member) offsetof(struct openai_request, member)
static const struct number numbers[] = {
    { "temperature", TEXT, REAL, AT(temperature), 0, 2, OPENAI_TEMPERATURE },
    { "top_p", TEXT, REAL, AT(top_p), 0, 1, OPENAI_TOP_P },
    { "top_k", TEXT, INTEGER, AT(top_k), -1, 1000000000, OPENAI_TOP_K },
    { "min_p", TEXT, REAL, AT(min_p), 0, 1, OPENAI_MIN_P },
    { "typical_p", TEXT, REAL, AT(typical_p), 0, 1, OPENAI_TYPICAL_P },
    { "repetition_penalty", TEXT, REAL, AT(repetition_penalty), 0.001, 1000, OPENAI_REPETITION },
    { "repeat_penalty", TEXT, REAL, AT(repetition_penalty), 0.001, 1000, OPENAI_REPETITION },
    { "repeat_last_n", TEXT, INTEGER, AT(repeat_last_n), -1, 1000000000, OPENAI_REPEAT_LAST_N },
    { "presence_penalty", TEXT, REAL, AT(presence_penalty), -2, 2, OPENAI_PRESENCE },
    { "frequency_penalty", TEXT, REAL, AT(frequency_penalty), -2, 2, OPENAI_FREQUENCY },
    { "dry_multiplier", TEXT, REAL, AT(dry_multiplier), 0, 100, OPENAI_DRY_MULTIPLIER },
    { "dry_base", TEXT, REAL, AT(dry_base), 1, 100, OPENAI_DRY_BASE },
    { "dry_allowed_length", TEXT, INTEGER, AT(dry_allowed_length), 1, 1000000000, OPENAI_DRY_ALLOWED },
    { "dry_penalty_last_n", TEXT, INTEGER, AT(dry_last_n), -1, 1000000000, OPENAI_DRY_LAST_N },
    { "seed", TEXT, INTEGER, AT(seed), -9.3e18, 9.3e18, OPENAI_SEED },
    { "max_tokens", TEXT, INTEGER, AT(max_tokens), -1, 2147483647, OPENAI_MAX_TOKENS },
    { "max_completion_tokens", CHAT, INTEGER, AT(max_tokens), -1, 2147483647, OPENAI_MAX_TOKENS },
    { "n", TEXT, INTEGER, AT(n), 1, OPENAI_CHOICES_MAX, OPENAI_N },
    { "top_logprobs", CHAT, INTEGER, AT(top_logprobs), 0, OPENAI_LOGPROBS_MAX, OPENAI_TOP_LOGPROBS },
    { "dimensions", EMBEDDING, INTEGER, AT(dimensions), 1, 1000000000, OPENAI_DIMENSIONS },
    { "stream", TEXT, FLAG, AT(stream), 0, 0, 0 },
    { "echo", COMPLETION, FLAG, AT(echo), 0, 0, 0 },
    { "ignore_eos", TEXT, FLAG, AT(ignore_eos), 0, 0, 0 },
};

static bool read_number(struct openai_request *r, const struct number *f, const json_t *v, struct openai_error *e)
{
    char *at = (char *)r + f->at;
    if (f->kind == FLAG) {
        if (!json_is_boolean(v))
            return BAD(f->name, "%s: a boolean is wanted, this is %s", f->name, openai_type_name(v));
        const bool b = json_is_true(v);
        memcpy(at, &b, sizeof(b));
        return true;
    }
    if (!json_is_number(v))
        return BAD(f->name, "%s: a number is wanted, this is %s", f->name, openai_type_name(v));
    const double d = json_number_value(v);
    if (f->kind == INTEGER && json_is_real(v) && (d != floor(d) || fabs(d) > 9e15))
        return BAD(f->name, "%s: a whole number is wanted, this is %g", f->name, d);
    if (!(d >= f->min && d <= f->max))
        return BAD(f->name, "%s: a number from %.10g to %.10g is wanted, this is %.10g", f->name, f->min, f->max, d);
    if (f->kind == REAL) {
        memcpy(at, &d, sizeof(d));
    } else {
        const int64_t i = json_is_integer(v) ? json_integer_value(v) : (int64_t)d;
        memcpy(at, &i, sizeof(i));
    }
    r->given |= f->given;
    return true;
}

static bool read_numbers(struct openai_request *r, struct openai_error *e)
{
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        const struct number *f = &numbers[i];
        const json_t *v = f->tasks & 1 << r->task ? openai_field(r->tree, f->name) : NULL;
        if (v && !read_number(r, f, v, e))
            return false;
    }
    if (r->given & OPENAI_MAX_TOKENS) {
        if (r->max_tokens == 0)
            return BAD("max_tokens", "max_tokens: at least 1 is wanted (-1: as many as fit)");
        if (r->max_tokens < 0)
            r->max_tokens = 0, r->given &= ~(unsigned)OPENAI_MAX_TOKENS;
        else if (r->max_tokens > INT32_MAX)
            r->max_tokens = INT32_MAX;
    } else if (r->task == OPENAI_COMPLETION && !openai_field(r->tree, "max_tokens")) {
        r->max_tokens = 16; /* as the API's reference says of this endpoint */
        r->given |= OPENAI_MAX_TOKENS;
    }
    if ((r->given & OPENAI_TOP_K) && r->top_k < 0)
        r->top_k = 0;
    if ((r->given & OPENAI_SEED) && r->seed == -1) /* "any" to clients of llama-server */
        r->given &= ~(unsigned)OPENAI_SEED;
    return true;
}

/* ---- what we refuse rather than ignore ---- */

static bool refuse_constraints(const struct openai_request *r, struct openai_error *e)
{
    static const char *const names[] = { "grammar", "json_schema", "guided_json", "guided_regex", "guided_choice",
                                         "guided_grammar", "structured_outputs", "suffix", "functions", "function_call",
                                         "audio", "web_search_options" };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const json_t *v = openai_field(r->tree, names[i]);
        if (v && !(json_is_string(v) && json_string_length(v) == 0) && !(json_is_array(v) && json_array_size(v) == 0))
            return CANNOT(names[i], "%s: not supported by this server yet; it would be ignored, so the request is refused",
                          names[i]);
    }
    const json_t *format = openai_field(r->tree, "response_format");
    if (format) {
        const char *type = json_string_value(json_object_get(format, "type"));
        if (!json_is_object(format) || !type)
            return BAD("response_format", "response_format: an object with a 'type' is wanted");
        if (strcmp(type, "json_object") == 0 || strcmp(type, "json_schema") == 0)
            return CANNOT("response_format", "response_format: '%s' is not supported by this server yet, only 'text'", type);
        if (strcmp(type, "text") != 0)
            return BAD("response_format.type", "response_format.type: 'text' is wanted, this is '%.40s'", type);
    }
    const json_t *modalities = openai_field(r->tree, "modalities");
    for (size_t i = 0; i < json_array_size(modalities); i++) {
        const char *m = json_string_value(json_array_get(modalities, i));
        if (!m || strcmp(m, "text") != 0)
            return CANNOT("modalities", "modalities: only 'text' is supported");
    }
    const json_t *best_of = openai_field(r->tree, "best_of");
    if (r->task == OPENAI_COMPLETION && best_of &&
        (!json_is_integer(best_of) || json_integer_value(best_of) != (r->given & OPENAI_N ? r->n : 1)))
        return CANNOT("best_of", "best_of: only a value equal to n is supported");
    return true;
}

/* ---- small structures ---- */

static bool read_texts(const json_t *v, const char *name, struct openai_text *out, int max, int *n, size_t max_bytes,
                       struct openai_error *e)
{
    const bool is_one = json_is_string(v);
    *n = 0;
    if (!is_one && !json_is_array(v))
        return BAD(name, "%s: a string or an array of strings is wanted, this is %s", name, openai_type_name(v));
    const size_t n_all = is_one ? 1 : json_array_size(v);
    if (n_all > (size_t)max)
        return BAD(name, "%s: at most %d are possible, these are %zu", name, max, n_all);
    for (size_t i = 0; i < n_all; i++) {
        const json_t *s = is_one ? v : json_array_get(v, i);
        if (!json_is_string(s))
            return BAD(name, "%s[%zu]: a string is wanted, this is %s", name, i, openai_type_name(s));
        if (json_string_length(s) > max_bytes)
            return BAD(name, "%s[%zu]: at most %zu bytes are possible, these are %zu", name, i, max_bytes, json_string_length(s));
        if (json_string_length(s) > 0) /* an empty one would end every answer before it begins: some clients send it as "none" */
            out[(*n)++] = (struct openai_text){ json_string_value(s), json_string_length(s) };
    }
    return true;
}

static bool read_biases(struct openai_request *r, const json_t *v, struct arena *a, struct openai_error *e)
{
    const char *key;
    json_t *value;
    struct err err;
    if (!json_is_object(v))
        return BAD("logit_bias", "logit_bias: an object of token ids and numbers is wanted, this is %s", openai_type_name(v));
    const size_t n = json_object_size(v);
    if (n > OPENAI_BIASES_MAX)
        return BAD("logit_bias", "logit_bias: at most %d tokens are possible, these are %zu", OPENAI_BIASES_MAX, n);
    r->biases = arena_alloc(a, n, sizeof(*r->biases), &err);
    if (!r->biases)
        return NO_MEMORY();
    json_object_foreach((json_t *)(uintptr_t)v, key, value)
    {
        int64_t id = 0;
        const char *c = key;
        for (; *c >= '0' && *c <= '9' && id <= INT32_MAX; c++)
            id = id * 10 + (*c - '0');
        if (c == key || *c || id > INT32_MAX)
            return BAD("logit_bias", "logit_bias: '%.40s' is not a token id", key);
        const double d = json_number_value(value);
        if (!json_is_number(value) || d < -100 || d > 100)
            return BAD("logit_bias", "logit_bias: token %s: a number from -100 to 100 is wanted", key);
        r->biases[r->n_biases++] = (struct openai_bias){ (int32_t)id, (float)d };
    }
    return true;
}

static bool read_logprobs(struct openai_request *r, struct openai_error *e)
{
    const json_t *v = openai_field(r->tree, "logprobs");
    r->n_logprobs = -1;
    if (r->task == OPENAI_COMPLETION) { /* a number of alternatives */
        if (!v || json_is_false(v))
            return true;
        if (!json_is_integer(v) || json_integer_value(v) < 0 || json_integer_value(v) > OPENAI_LOGPROBS_MAX)
            return BAD("logprobs", "logprobs: a whole number from 0 to %d is wanted", OPENAI_LOGPROBS_MAX);
        r->n_logprobs = (int)json_integer_value(v);
        if (r->echo)
            return CANNOT("logprobs", "logprobs: not supported together with echo");
        return true;
    }
    if (v && !json_is_boolean(v))
        return BAD("logprobs", "logprobs: a boolean is wanted, this is %s", openai_type_name(v));
    if (json_is_true(v))
        r->n_logprobs = (int)r->top_logprobs;
    else if ((r->given & OPENAI_TOP_LOGPROBS) && r->top_logprobs > 0)
        return BAD("top_logprobs", "top_logprobs: needs \"logprobs\": true");
    return true;
}

static bool read_stream_options(struct openai_request *r, struct openai_error *e)
{
    const json_t *o = openai_field(r->tree, "stream_options");
    if (!o)
        return true;
    if (!json_is_object(o))
        return BAD("stream_options", "stream_options: an object is wanted, this is %s", openai_type_name(o));
    const json_t *u = openai_field(o, "include_usage");
    if (u && !json_is_boolean(u))
        return BAD("stream_options.include_usage", "stream_options.include_usage: a boolean is wanted, this is %s", openai_type_name(u));
    r->include_usage = json_is_true(u);
    return true;
}

/* ---- chat ---- */

/* Parts become one text: templates want strings, and these models read nothing else. */
static bool join_parts(json_t *message, size_t i_message, const json_t *parts, struct openai_error *e)
{
    struct buf text;
    char param[64];
    size_t i;
    json_t *part;
    buf_init(&text, 1u << 30);
    json_array_foreach((json_t *)(uintptr_t)parts, i, part)
    {
        const char *type = json_string_value(json_object_get(part, "type"));
        snprintf(param, sizeof(param), "messages[%zu].content[%zu]", i_message, i);
        const json_t *piece = NULL;
        if (type && strcmp(type, "text") == 0)
            piece = json_object_get(part, "text");
        else if (type && strcmp(type, "refusal") == 0)
            piece = json_object_get(part, "refusal");
        else if (type && (strstr(type, "image") || strstr(type, "audio") || strstr(type, "file") || strstr(type, "video"))) {
            buf_fini(&text);
            return CANNOT(param, "%s: '%.40s' is not supported: this model reads text only", param, type);
        }
        if (!json_is_string(piece)) {
            buf_fini(&text);
            return BAD(param, "%s: an object {\"type\": \"text\", \"text\": ...} is wanted", param);
        }
        if (i > 0)
            buf_putc(&text, '\n');
        buf_append(&text, json_string_value(piece), json_string_length(piece));
    }
    json_t *joined = text.failed ? NULL : json_stringn_nocheck(text.data ? text.data : "", text.len);
    buf_fini(&text);
    return (joined && json_object_set_new_nocheck(message, "content", joined) == 0) || NO_MEMORY();
}

static bool is_image_part(const json_t *part)
{
    const char *type = json_string_value(json_object_get(part, "type"));
    return type && strcmp(type, "image_url") == 0;
}

static bool is_sound_part(const json_t *part)
{
    const char *type = json_string_value(json_object_get(part, "type"));
    return type && (strcmp(type, "input_audio") == 0 || strcmp(type, "audio_url") == 0);
}

static bool has_media(const json_t *parts)
{
    size_t i;
    json_t *part;
    json_array_foreach((json_t *)(uintptr_t)parts, i, part) if (is_image_part(part) || is_sound_part(part)) return true;
    return false;
}

/* {"type": "image_url", "image_url": {"url": ...}}; some clients leave the inner object out.  What the data are, and whether the
 * model sees, is found out later; the url's text is all that is read here. */
static bool read_image(struct openai_request *r, json_t *part, const char *param, struct openai_error *e)
{
    json_t *v = json_object_get(part, "image_url");
    if (json_is_string(v)) {
        json_t *o = json_pack("{s:O}", "url", v);
        if (!o || json_object_set_new(part, "image_url", o) != 0)
            return NO_MEMORY();
        v = o;
    }
    const json_t *url = json_object_get(v, "url");
    const char *s = json_string_value(url);
    if (!s)
        return BAD(param, "%s: an object {\"type\": \"image_url\", \"image_url\": {\"url\": ...}} is wanted", param);
    const bool is_data = data_url_is(s, json_string_length(url));
    if (!is_data && strncasecmp(s, "https://", 8) != 0 && strncasecmp(s, "http://", 7) != 0)
        return BAD(param, "%s: image_url.url: a data URL is wanted (data:image/png;base64,...)", param);
    if (r->n_images == OPENAI_IMAGES_MAX)
        return BAD(param, "%s: more than %d pictures", param, OPENAI_IMAGES_MAX);
    struct openai_image *image = &r->images[r->n_images++];
    *image = (struct openai_image){ .url = s, .n = json_string_length(url), .is_remote = !is_data };
    snprintf(image->param, sizeof(image->param), "%s", param);
    return true;
}

/* {"type": "input_audio", "input_audio": {"data": base64, "format": "wav"}}, or what vLLM's clients send:
 * {"type": "audio_url", "audio_url": {"url": "data:audio/wav;base64,..."}}.  What it is, its content will say. */
static bool read_sound(struct openai_request *r, const json_t *part, const char *param, struct openai_error *e)
{
    const bool is_url = strcmp(json_string_value(json_object_get(part, "type")), "audio_url") == 0;
    const json_t *data = json_object_get(json_object_get(part, is_url ? "audio_url" : "input_audio"), is_url ? "url" : "data");
    if (!json_is_string(data))
        return BAD(param, "%s: an object {\"type\": \"input_audio\", \"input_audio\": {\"data\": base64, \"format\": \"wav\"}} is wanted", param);
    if (is_url && !data_url_is(json_string_value(data), json_string_length(data)))
        return BAD(param, "%s: audio_url.url: a data URL is wanted (data:audio/wav;base64,...)", param);
    if (r->n_sounds == OPENAI_SOUNDS_MAX)
        return BAD(param, "%s: more than %d sounds", param, OPENAI_SOUNDS_MAX);
    struct openai_sound *sound = &r->sounds[r->n_sounds++];
    *sound = (struct openai_sound){ .data = json_string_value(data), .n = json_string_length(data) };
    snprintf(sound->param, sizeof(sound->param), "%s", param);
    return true;
}

/* A message with pictures or sounds keeps its parts: whoever sees and hears reads them as they are. */
static bool read_parts(struct openai_request *r, size_t i_message, json_t *parts, struct openai_error *e)
{
    char param[64];
    size_t i;
    json_t *part;
    json_array_foreach(parts, i, part)
    {
        const char *type = json_string_value(json_object_get(part, "type"));
        snprintf(param, sizeof(param), "messages[%zu].content[%zu]", i_message, i);
        if (is_image_part(part)) {
            if (!read_image(r, part, param, e))
                return false;
        } else if (is_sound_part(part)) {
            if (!read_sound(r, part, param, e))
                return false;
        } else if (!type || strcmp(type, "text") != 0 || !json_is_string(json_object_get(part, "text"))) {
            return BAD(param, "%s: beside pictures and sounds an object {\"type\": \"text\", \"text\": ...} is wanted", param);
        }
    }
    return true;
}

/* Arguments come as text (OpenAI), templates want the object. */
static bool read_tool_calls(json_t *message, size_t i_message, struct openai_error *e)
{
    json_t *calls = json_object_get(message, "tool_calls"), *call;
    char param[80];
    size_t i;
    if (!calls)
        return true;
    if (json_is_null(calls)) {
        json_object_del(message, "tool_calls");
        return true;
    }
    snprintf(param, sizeof(param), "messages[%zu].tool_calls", i_message);
    if (!json_is_array(calls))
        return BAD(param, "%s: an array is wanted, this is %s", param, openai_type_name(calls));
    json_array_foreach(calls, i, call)
    {
        json_t *fn = json_object_get(call, "function");
        snprintf(param, sizeof(param), "messages[%zu].tool_calls[%zu].function", i_message, i);
        if (!json_is_object(fn) || !json_is_string(json_object_get(fn, "name")))
            return BAD(param, "%s: an object with a 'name' is wanted", param);
        json_t *args = json_object_get(fn, "arguments");
        if (!json_is_string(args))
            continue;
        json_error_t why;
        json_t *parsed = json_string_length(args) == 0 ? json_object()
                                                       : json_loadb(json_string_value(args), json_string_length(args), 0, &why);
        if (!json_is_object(parsed)) {
            json_decref(parsed);
            return BAD(param, "%s.arguments: not a JSON object in a string", param);
        }
        if (json_object_set_new(fn, "arguments", parsed) != 0)
            return NO_MEMORY();
    }
    return true;
}

static bool read_message(struct openai_request *r, json_t *m, size_t i, struct openai_error *e)
{
    static const char *const roles[] = { "system", "developer", "user", "assistant", "tool", "function" };
    char param[64];
    snprintf(param, sizeof(param), "messages[%zu]", i);
    if (!json_is_object(m))
        return BAD(param, "%s: an object is wanted, this is %s", param, openai_type_name(m));
    const char *role = json_string_value(json_object_get(m, "role"));
    size_t k = 0;
    while (role && k < sizeof(roles) / sizeof(roles[0]) && strcmp(roles[k], role) != 0)
        k++;
    snprintf(param, sizeof(param), "messages[%zu].role", i);
    if (!role || k == sizeof(roles) / sizeof(roles[0]))
        return BAD(param, "%s: one of system, developer, user, assistant, tool is wanted, this is '%.40s'", param, role ? role : "");
    /* Templates know the old names of these two. */
    if ((k == 1 && json_object_set_new(m, "role", json_string("system")) != 0) ||
        (k == 5 && json_object_set_new(m, "role", json_string("tool")) != 0))
        return NO_MEMORY();
    if (!read_tool_calls(m, i, e))
        return false;
    const json_t *content = json_object_get(m, "content");
    snprintf(param, sizeof(param), "messages[%zu].content", i);
    if (!content || json_is_null(content)) {
        if (k != 3)
            return BAD(param, "%s: missing", param);
        return json_object_set_new(m, "content", json_string("")) == 0 || NO_MEMORY();
    }
    if (json_is_array(content) && has_media(content))
        return read_parts(r, i, (json_t *)(uintptr_t)content, e);
    if (json_is_array(content))
        return join_parts(m, i, content, e);
    if (!json_is_string(content))
        return BAD(param, "%s: a string or an array of parts is wanted, this is %s", param, openai_type_name(content));
    return true;
}

static bool read_tools(struct openai_request *r, struct openai_error *e)
{
    json_t *tools = openai_field(r->tree, "tools"), *choice = openai_field(r->tree, "tool_choice"), *tool;
    size_t i;
    if (choice && !(json_is_string(choice) && (strcmp(json_string_value(choice), "auto") == 0 ||
                                               strcmp(json_string_value(choice), "none") == 0)))
        return CANNOT("tool_choice", "tool_choice: only 'auto' and 'none' are supported by this server yet");
    if (!tools)
        return true;
    if (!json_is_array(tools))
        return BAD("tools", "tools: an array is wanted, this is %s", openai_type_name(tools));
    json_array_foreach(tools, i, tool)
    {
        char param[64];
        snprintf(param, sizeof(param), "tools[%zu]", i);
        const char *type = json_string_value(json_object_get(tool, "type"));
        if (!json_is_object(tool) || !type || strcmp(type, "function") != 0 ||
            !json_is_string(json_object_get(json_object_get(tool, "function"), "name")))
            return BAD(param, "%s: an object {\"type\": \"function\", \"function\": {\"name\": ...}} is wanted", param);
    }
    if (json_array_size(tools) == 0 || (choice && strcmp(json_string_value(choice), "none") == 0))
        return true;
    return json_object_set(r->vars, "tools", tools) == 0 || NO_MEMORY();
}

static bool read_chat(struct openai_request *r, struct openai_error *e)
{
    static const char *const passed[] = { "reasoning_effort", "add_generation_prompt" };
    json_t *messages = openai_field(r->tree, "messages"), *m, *v;
    const char *key;
    size_t i;
    if (!messages)
        return openai_fail(e, 400, "missing_required_parameter", "messages", "messages: missing");
    if (!json_is_array(messages))
        return BAD("messages", "messages: an array is wanted, this is %s", openai_type_name(messages));
    if (json_array_size(messages) == 0)
        return BAD("messages", "messages: at least one is wanted");
    json_array_foreach(messages, i, m) if (!read_message(r, m, i, e)) return false;

    r->vars = json_object();
    if (!r->vars)
        return NO_MEMORY();
    json_t *more = openai_field(r->tree, "chat_template_kwargs");
    if (more && !json_is_object(more))
        return BAD("chat_template_kwargs", "chat_template_kwargs: an object is wanted, this is %s", openai_type_name(more));
    json_object_foreach(more, key, v) if (json_object_set(r->vars, key, v) != 0) return NO_MEMORY();
    for (i = 0; i < sizeof(passed) / sizeof(passed[0]); i++)
        if ((v = openai_field(r->tree, passed[i])) != NULL && json_object_set(r->vars, passed[i], v) != 0)
            return NO_MEMORY();
    if (!read_tools(r, e))
        return false;
    return json_object_set(r->vars, "messages", messages) == 0 || NO_MEMORY();
}

/* ---- prompts and inputs ---- */

static bool read_ids(struct openai_input *in, const json_t *v, const char *param, struct arena *a, struct openai_error *e)
{
    struct err err;
    size_t i;
    json_t *id;
    const size_t n = json_array_size(v);
    if (n == 0)
        return BAD(param, "%s: an empty array", param);
    if (n > INT32_MAX)
        return BAD(param, "%s: too many tokens", param);
    int32_t *ids = arena_alloc(a, n, sizeof(*ids), &err);
    if (!ids)
        return NO_MEMORY();
    json_array_foreach((json_t *)(uintptr_t)v, i, id)
    {
        if (!json_is_integer(id) || json_integer_value(id) < 0 || json_integer_value(id) > INT32_MAX)
            return BAD(param, "%s[%zu]: a token id is wanted", param, i);
        ids[i] = (int32_t)json_integer_value(id);
    }
    *in = (struct openai_input){ .ids = ids, .n_ids = (int)n };
    return true;
}

/* A text, texts, token ids, or arrays of token ids. */
static bool read_inputs(struct openai_request *r, const char *name, struct arena *a, struct openai_error *e)
{
    const json_t *v = openai_field(r->tree, name);
    struct err err;
    if (!v)
        return openai_fail(e, 400, "missing_required_parameter", name, "%s: missing", name);
    if (!json_is_string(v) && !json_is_array(v))
        return BAD(name, "%s: a string or an array is wanted, this is %s", name, openai_type_name(v));
    const bool is_ids = json_is_integer(json_array_get(v, 0));
    const size_t n = json_is_array(v) && !is_ids ? json_array_size(v) : 1;
    if (n == 0)
        return BAD(name, "%s: an empty array", name);
    if (n > OPENAI_INPUTS_MAX)
        return BAD(name, "%s: at most %d are possible, these are %zu", name, OPENAI_INPUTS_MAX, n);
    r->inputs = arena_alloc(a, n, sizeof(*r->inputs), &err);
    if (!r->inputs)
        return NO_MEMORY();
    r->n_inputs = (int)n;
    if (is_ids)
        return read_ids(&r->inputs[0], v, name, a, e);
    for (size_t i = 0; i < n; i++) {
        const json_t *one = json_is_array(v) ? json_array_get(v, i) : v;
        char param[64];
        snprintf(param, sizeof(param), "%s[%zu]", name, i);
        if (json_is_string(one))
            r->inputs[i] = (struct openai_input){ .text = json_string_value(one), .n_text = json_string_length(one) };
        else if (!json_is_array(one))
            return BAD(param, "%s: a string or an array of token ids is wanted, this is %s", param, openai_type_name(one));
        else if (!read_ids(&r->inputs[i], one, param, a, e))
            return false;
    }
    return true;
}

static bool read_encoding(struct openai_request *r, struct openai_error *e)
{
    const json_t *v = openai_field(r->tree, "encoding_format");
    const char *s = json_string_value(v);
    r->is_base64 = s && strcmp(s, "base64") == 0;
    if (v && !r->is_base64 && (!s || strcmp(s, "float") != 0))
        return BAD("encoding_format", "encoding_format: 'float' or 'base64' is wanted");
    return true;
}

/* ---- all of it ---- */

static bool read_tree(struct openai_request *r, struct arena *a, struct openai_error *e)
{
    const json_t *v = openai_field(r->tree, "model");
    if (v && !json_is_string(v))
        return BAD("model", "model: a string is wanted, this is %s", openai_type_name(v));
    r->model = v ? json_string_value(v) : "";
    if (!read_numbers(r, e))
        return false;
    if (r->task == OPENAI_EMBEDDING)
        return read_encoding(r, e) && read_inputs(r, "input", a, e);
    if (!refuse_constraints(r, e) || !read_logprobs(r, e) || !read_stream_options(r, e))
        return false;
    if ((v = openai_field(r->tree, "stop")) != NULL &&
        !read_texts(v, "stop", r->stops, OPENAI_STOPS_MAX, &r->n_stops, OPENAI_STOP_BYTES_MAX, e))
        return false;
    if ((v = openai_field(r->tree, "dry_sequence_breakers")) != NULL) {
        r->has_breakers = true;
        if (!read_texts(v, "dry_sequence_breakers", r->breakers, OPENAI_BREAKERS_MAX, &r->n_breakers, OPENAI_STOP_BYTES_MAX, e))
            return false;
    }
    if ((v = openai_field(r->tree, "logit_bias")) != NULL && !read_biases(r, v, a, e))
        return false;
    if (r->task == OPENAI_CHAT)
        return read_chat(r, e);
    if (!read_inputs(r, "prompt", a, e))
        return false;
    for (int i = 0; r->echo && i < r->n_inputs; i++)
        if (!r->inputs[i].text)
            return CANNOT("echo", "echo: not supported for prompts of token ids");
    return true;
}

bool openai_read_request(struct openai_request *r, enum openai_task task, const char *body, size_t n, struct arena *a,
                         struct openai_error *e)
{
    *r = (struct openai_request){ .task = task, .model = "", .n_logprobs = -1, .n = 1 };
    *e = (struct openai_error){ 0 };
    if (!(r->tree = openai_load(body, n, e)))
        return false;
    return read_tree(r, a, e);
}

void openai_request_fini(struct openai_request *r)
{
    json_decref(r->vars);
    json_decref(r->tree);
    *r = (struct openai_request){ 0 };
}
