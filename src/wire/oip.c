/* wire/oip.c - see oip.h; start reading at oip_read_infer(). */
#include "wire/oip.h"

#include <string.h>

#include "base/hash.h"
#include "base/utf8.h"
#include "wire/put.h"
#include "wire/scan.h"

/* ---- requests ---- */

static bool read_param(struct scan *s, const char *name, struct oip_param *p)
{
    struct scan_number v;
    bool b;
    size_t n;
    *p = (struct oip_param){ .name = name };
    switch (scan_peek(s)) {
    case 't':
    case 'f':
        p->kind = OIP_BOOL;
        if (!scan_bool(s, &b))
            return false;
        p->i = b;
        return true;
    case '"': p->kind = OIP_TEXT; return scan_string(s, &p->text, &n);
    default:
        if (!scan_number(s, &v))
            return false;
        p->kind = v.is_int && v.magnitude <= INT64_MAX ? OIP_INT : OIP_DOUBLE;
        p->i = v.is_negative ? -(int64_t)v.magnitude : (int64_t)v.magnitude;
        p->d = v.value;
        return true;
    }
}

/* The parameters of the request, or of one tensor. */
static bool read_params(struct scan *s, struct oip_param *out, int max, int *n)
{
    const char *key;
    for (bool first = true; scan_key(s, &first, &key);) {
        if (*n == max)
            return scan_fail(s, "more than %d parameters", max);
        if (scan_peek(s) == 'n' || scan_peek(s) == '{' || scan_peek(s) == '[') { /* null, or something of another server's */
            scan_skip(s);
            continue;
        }
        if (!read_param(s, key, &out[*n]))
            return false;
        ++*n;
    }
    return !s->failed;
}

static bool read_shape(struct scan *s, struct tensor *t)
{
    t->n_dims = 0;
    for (bool first = true; scan_item(s, &first);) {
        if (t->n_dims == TENSOR_DIMS_MAX)
            return scan_fail(s, "more than %d dimensions", TENSOR_DIMS_MAX);
        if (!scan_int(s, &t->dims[t->n_dims++]))
            return false;
    }
    if (!s->failed && tensor_count(t->dims, t->n_dims) < 0)
        return scan_fail(s, "a shape that makes no sense");
    return !s->failed;
}

static bool read_type(struct scan *s, enum tensor_type *type)
{
    const char *text;
    size_t n;
    if (!scan_string(s, &text, &n))
        return false;
    return tensor_type_find(text, type) || scan_fail(s, "the datatype '%.40s' is not known", text);
}

/* Binary bytes: in place when they are aligned for their type. */
static bool take_binary(struct scan *s, struct tensor *t, const char *bytes, size_t n)
{
    const size_t each = tensor_type_bytes(t->type);
    t->data = (void *)(uintptr_t)bytes;
    t->n_bytes = n;
    if (each > 1 && (uintptr_t)bytes % each != 0 && (t->data = arena_alloc(s->arena, n, 1, s->err)) != NULL)
        memcpy(t->data, bytes, n);
    if (t->data && tensor_check(t, s->err))
        return true;
    s->failed = true;
    return false;
}

static bool check_bools(struct scan *s, const struct tensor *t)
{
    const uint8_t *v = t->data;
    for (size_t i = 0; t->type == TENSOR_BOOL && i < t->n_bytes; i++)
        if (v[i] > 1)
            return scan_fail(s, "%.80s: a BOOL is 0 or 1", t->name);
    return true;
}

struct binary {
    const char *at, *end;
};

enum { HAS_NAME = 1, HAS_SHAPE = 2, HAS_TYPE = 4, HAS_DATA = 8, HAS_PARAMS = 16 };

static bool once(struct scan *s, unsigned *seen, unsigned what, const char *key)
{
    if (*seen & what)
        return scan_fail(s, "'%s' twice", key);
    *seen |= what;
    return true;
}

static bool read_input(struct scan *s, struct tensor *t, struct binary *binary)
{
    const char *key, *data = NULL, *end;
    struct oip_param params[OIP_PARAMS_MAX];
    int n_params = 0;
    unsigned seen = 0;
    int64_t size = -1;
    size_t n;
    *t = (struct tensor){ .name = "" };
    for (bool first = true; scan_key(s, &first, &key);) {
        if (strcmp(key, "name") == 0) {
            if (!once(s, &seen, HAS_NAME, key) || !scan_string(s, &t->name, &n))
                return false;
        } else if (strcmp(key, "shape") == 0) {
            if (!once(s, &seen, HAS_SHAPE, key) || !read_shape(s, t))
                return false;
        } else if (strcmp(key, "datatype") == 0) {
            if (!once(s, &seen, HAS_TYPE, key) || !read_type(s, &t->type))
                return false;
        } else if (strcmp(key, "parameters") == 0) {
            if (!once(s, &seen, HAS_PARAMS, key) || !read_params(s, params, OIP_PARAMS_MAX, &n_params))
                return false;
        } else if (strcmp(key, "data") == 0) {
            if (!once(s, &seen, HAS_DATA, key))
                return false;
            scan_peek(s);
            data = s->at;
            const bool can_read = (seen & HAS_SHAPE) && (seen & HAS_TYPE); /* the usual order: straight into place */
            if (!(can_read ? scan_tensor(s, t) : scan_skip(s)))
                return false;
            if (can_read)
                data = NULL;
        } else if (!scan_skip(s)) {
            return false;
        }
    }
    end = s->at;
    if (s->failed)
        return false;
    if (~seen & (HAS_NAME | HAS_SHAPE | HAS_TYPE) || !*t->name)
        return scan_fail(s, "an input needs name, shape and datatype");
    for (int i = 0; i < n_params; i++) {
        if (strcmp(params[i].name, "binary_data_size") == 0 && params[i].kind == OIP_INT)
            size = params[i].i;
        else if (strncmp(params[i].name, "shared_memory", 13) == 0)
            return scan_fail(s, "%.80s: shared memory is not supported", t->name);
    }
    if (data) { /* it came before what it means */
        s->at = data;
        if (!scan_tensor(s, t))
            return false;
        s->at = end;
    }
    if (!(seen & HAS_DATA) == (size < 0))
        return scan_fail(s, "%.80s: either data or the parameter binary_data_size is wanted", t->name);
    if (size < 0)
        return true;
    if ((uint64_t)size > (uint64_t)(binary->end - binary->at))
        return scan_fail(s, "%.80s: %lld binary bytes, %lld are there", t->name, (long long)size, (long long)(binary->end - binary->at));
    binary->at += size;
    return take_binary(s, t, binary->at - size, (size_t)size) && check_bools(s, t);
}

static bool read_output(struct scan *s, struct oip_output *o, int *is_binary)
{
    const char *key;
    struct oip_param params[OIP_PARAMS_MAX];
    int n_params = 0;
    size_t n;
    *o = (struct oip_output){ .name = "" };
    *is_binary = -1;
    for (bool first = true; scan_key(s, &first, &key);) {
        const bool ok = strcmp(key, "name") == 0         ? scan_string(s, &o->name, &n)
                        : strcmp(key, "parameters") == 0 ? read_params(s, params, OIP_PARAMS_MAX, &n_params)
                                                         : scan_skip(s);
        if (!ok)
            return false;
    }
    for (int i = 0; i < n_params && !s->failed; i++) {
        if (strcmp(params[i].name, "binary_data") == 0)
            *is_binary = params[i].i != 0;
        else if (strcmp(params[i].name, "classification") == 0 || strncmp(params[i].name, "shared_memory", 13) == 0)
            return scan_fail(s, "the output parameter '%s' is not supported", params[i].name);
    }
    return !s->failed && (*o->name || scan_fail(s, "an output needs a name"));
}

/* A request has inputs and names of outputs, an answer has outputs. */
static bool read_message(struct oip_request *r, bool is_reply, const char *body, size_t n, size_t n_json, struct arena *a, struct err *err)
{
    const char *const what = is_reply ? "outputs" : "inputs";
    struct scan s;
    struct binary binary = { body + n_json, body + n };
    const char *key;
    size_t len;
    int asked[OIP_TENSORS_MAX];
    bool has_inputs = false;
    *r = (struct oip_request){ .id = "" };
    scan_init(&s, body, n_json, a, err);
    for (bool first = true; scan_key(&s, &first, &key);) {
        if (strcmp(key, "id") == 0) {
            scan_string(&s, &r->id, &len);
        } else if (strcmp(key, "parameters") == 0) {
            read_params(&s, r->params, OIP_PARAMS_MAX, &r->n_params);
        } else if (strcmp(key, what) == 0) {
            if (has_inputs)
                return scan_fail(&s, "'%s' twice", what);
            has_inputs = true;
            for (bool f = true; scan_item(&s, &f);) {
                if (r->n_inputs == OIP_TENSORS_MAX)
                    return scan_fail(&s, "more than %d %s", OIP_TENSORS_MAX, what);
                if (!read_input(&s, &r->inputs[r->n_inputs++], &binary))
                    return false;
            }
        } else if (strcmp(key, "outputs") == 0 && !is_reply) {
            for (bool f = true; scan_item(&s, &f); r->n_outputs++) {
                if (r->n_outputs == OIP_TENSORS_MAX)
                    return scan_fail(&s, "more than %d outputs", OIP_TENSORS_MAX);
                if (!read_output(&s, &r->outputs[r->n_outputs], &asked[r->n_outputs]))
                    return false;
            }
        } else if (strcmp(key, "tutti") == 0 && !is_reply) {
            scan_peek(&s);
            const char *from = s.at;
            if (scan_skip(&s) && !(r->tutti = arena_strndup(a, from, (size_t)(s.at - from), err)))
                return false;
        } else {
            scan_skip(&s);
        }
    }
    if (s.failed || !scan_end(&s))
        return false;
    if (r->n_inputs == 0)
        return err_set(err, ERR_INPUT, "%s: at least one is wanted", what);
    if (binary.at != binary.end)
        return err_set(err, ERR_INPUT, "%lld binary bytes behind those of the %s", (long long)(binary.end - binary.at), what);
    if (is_reply)
        return true;
    if (!oip_read_params(r, err))
        return false;
    for (int i = 0; i < r->n_outputs; i++)
        r->outputs[i].is_binary = asked[i] >= 0 ? asked[i] : r->is_binary;
    return true;
}

bool oip_read_infer(struct oip_request *r, const char *body, size_t n, size_t n_json, struct arena *a, struct err *err)
{
    return read_message(r, false, body, n, n_json, a, err);
}

bool oip_read_reply(struct oip_request *r, const char *body, size_t n, size_t n_json, struct arena *a, struct err *err)
{
    return read_message(r, true, body, n, n_json, a, err);
}

const struct oip_param *oip_param(const struct oip_request *r, const char *name)
{
    for (int i = 0; i < r->n_params; i++)
        if (strcmp(r->params[i].name, name) == 0)
            return &r->params[i];
    return NULL;
}

/* A text that names a sequence becomes its number. */
static uint64_t hash(const char *s)
{
    const uint64_t h = hash_fnv64(s, strlen(s));
    return h ? h : 1;
}

static bool read_flag(const struct oip_request *r, const char *name, bool *out, struct err *err)
{
    const struct oip_param *p = oip_param(r, name);
    if (p && p->kind != OIP_BOOL)
        return err_set(err, ERR_INPUT, "parameters.%s: true or false is wanted", name);
    *out = p && p->i;
    return true;
}

bool oip_read_params(struct oip_request *r, struct err *err)
{
    const struct oip_param *id = oip_param(r, "sequence_id"), *timeout = oip_param(r, "timeout");
    if (!read_flag(r, "sequence_start", &r->session_start, err) || !read_flag(r, "sequence_end", &r->session_end, err) ||
        !read_flag(r, "binary_data_output", &r->is_binary, err))
        return false;
    if (id && id->kind != OIP_TEXT && (id->kind != OIP_INT || id->i < 0))
        return err_set(err, ERR_INPUT, "parameters.sequence_id: a text or a number from 0 on is wanted");
    if (id)
        r->session = id->kind == OIP_TEXT ? (*id->text ? hash(id->text) : 0) : (uint64_t)id->i;
    if (timeout && (timeout->kind != OIP_INT || timeout->i < 0))
        return err_set(err, ERR_INPUT, "parameters.timeout: microseconds are wanted");
    r->timeout_us = timeout ? (uint64_t)timeout->i : 0;
    return true;
}

bool oip_wants(const struct oip_request *r, const char *output, bool *is_binary)
{
    *is_binary = r->is_binary;
    for (int i = 0; i < r->n_outputs; i++)
        if (strcmp(r->outputs[i].name, output) == 0) {
            *is_binary = r->outputs[i].is_binary;
            return true;
        }
    return r->n_outputs == 0;
}

/* ---- answers ---- */


void oip_put_error(struct buf *out, const char *text)
{
    buf_puts(out, "{\"error\":");
    buf_put_json_text(out, text);
    buf_putc(out, '}');
}

void oip_put_server(struct buf *out, const char *version)
{
    buf_puts(out, "{\"name\":\"tutti\",\"version\":");
    buf_put_json_text(out, version);
    buf_puts(out, ",\"extensions\":[\"binary_tensor_data\",\"sequence\"]}");
}

static void put_shape(struct buf *out, const struct tensor *t)
{
    buf_puts(out, "\"datatype\":\"");
    buf_puts(out, tensor_type_name(t->type));
    buf_puts(out, "\",\"shape\":[");
    for (int i = 0; i < t->n_dims; i++) {
        if (i > 0)
            buf_putc(out, ',');
        put_i64(out, t->dims[i]);
    }
    buf_putc(out, ']');
}

static void put_descriptions(struct buf *out, const struct tensor *t, int n)
{
    for (int i = 0; i < n; i++) {
        buf_puts(out, i > 0 ? ",{\"name\":" : "{\"name\":");
        buf_put_json_text(out, t[i].name);
        buf_putc(out, ',');
        put_shape(out, &t[i]);
        buf_putc(out, '}');
    }
}

void oip_put_model(struct buf *out, const struct oip_model *m)
{
    buf_puts(out, "{\"name\":");
    buf_put_json_text(out, m->name);
    buf_puts(out, ",\"versions\":[\"1\"],\"platform\":");
    buf_put_json_text(out, m->platform);
    buf_puts(out, ",\"inputs\":[");
    put_descriptions(out, m->inputs, m->n_inputs);
    buf_puts(out, "],\"outputs\":[");
    put_descriptions(out, m->outputs, m->n_outputs);
    buf_puts(out, "]}");
}

void oip_put_reply_begin(struct buf *out, const char *model, const char *id, const struct oip_param *params, int n_params)
{
    buf_puts(out, "{\"model_name\":");
    buf_put_json_text(out, model);
    buf_puts(out, ",\"model_version\":\"1\",");
    if (*id) {
        buf_puts(out, "\"id\":");
        buf_put_json_text(out, id);
        buf_putc(out, ',');
    }
    for (int i = 0; i < n_params; i++) {
        buf_puts(out, i ? "," : "\"parameters\":{");
        buf_put_json_text(out, params[i].name);
        buf_putc(out, ':');
        buf_put_json_text(out, params[i].text);
        if (i == n_params - 1)
            buf_puts(out, "},");
    }
    buf_puts(out, "\"outputs\":[");
}

void oip_put_reply_end(struct buf *out) { buf_puts(out, "]}"); }

static void put_f64(struct buf *out, double v)
{
    if (v != v)
        buf_putc(out, '0');
    else
        buf_printf(out, "%.17g", v > 1e300 ? 1e300 : v < -1e300 ? -1e300 : v);
}

static uint32_t length_at(const unsigned char *p) { return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24; }

static bool put_data(struct buf *out, const struct tensor *t, struct err *err)
{
    const size_t each = tensor_type_bytes(t->type), n = each ? t->n_bytes / each : 0;
    const unsigned char *p = t->data;
#define EACH(name, type, put)                                                                                          \
    case TENSOR_##name:                                                                                                \
        for (size_t i = 0; i < n; i++) {                                                                               \
            type v;                                                                                                    \
            memcpy(&v, p + i * sizeof(v), sizeof(v));                                                                  \
            if (i > 0)                                                                                                 \
                buf_putc(out, ',');                                                                                    \
            put;                                                                                                       \
        }                                                                                                              \
        return true;
    switch (t->type) {
        EACH(F32, float, put_f32(out, v))
        EACH(F64, double, put_f64(out, v))
        EACH(I8, int8_t, put_i64(out, v))
        EACH(I16, int16_t, put_i64(out, v))
        EACH(I32, int32_t, put_i64(out, v))
        EACH(I64, int64_t, put_i64(out, v))
        EACH(U8, uint8_t, put_i64(out, v))
        EACH(U16, uint16_t, put_i64(out, v))
        EACH(U32, uint32_t, put_i64(out, v))
        EACH(U64, uint64_t, buf_printf(out, "%llu", (unsigned long long)v))
        EACH(BOOL, uint8_t, buf_puts(out, v ? "true" : "false"))
#undef EACH
    case TENSOR_STRING:
        for (size_t at = 0; at + 4 <= t->n_bytes; at += 4 + length_at(p + at)) {
            if (at > 0)
                buf_putc(out, ',');
            buf_put_json(out, (const char *)p + at + 4, length_at(p + at));
        }
        return true;
    default:
        return err_set(err, ERR_INPUT, "%s: %s has no form in JSON: ask for binary data (parameters: {\"binary_data_output\": true})", t->name,
                       tensor_type_name(t->type));
    }
}

bool oip_put_output(struct buf *out, const struct tensor *t, bool is_binary, struct err *err)
{
    if (!tensor_check(t, err))
        return false;
    buf_puts(out, "{\"name\":");
    buf_put_json_text(out, t->name);
    buf_putc(out, ',');
    put_shape(out, t);
    if (is_binary) {
        buf_puts(out, ",\"parameters\":{\"binary_data_size\":");
        put_i64(out, (int64_t)t->n_bytes);
        buf_puts(out, "}}");
        return true;
    }
    buf_puts(out, ",\"data\":[");
    if (!put_data(out, t, err))
        return false;
    buf_puts(out, "]}");
    return true;
}

/* ---- requests, written ---- */

bool oip_put_request(struct buf *out, const struct tensor *inputs, int n_inputs, const char *const *outputs, int n_outputs, bool is_binary,
                     uint64_t session, bool session_start, bool session_end, struct err *err)
{
    buf_puts(out, "{\"inputs\":[");
    for (int i = 0; i < n_inputs; i++) {
        if (i > 0)
            buf_putc(out, ',');
        if (!oip_put_output(out, &inputs[i], is_binary, err))
            return false;
    }
    buf_puts(out, "]");
    for (int i = 0; i < n_outputs; i++) {
        buf_puts(out, i ? ",{\"name\":" : ",\"outputs\":[{\"name\":");
        buf_put_json_text(out, outputs[i]);
        buf_putc(out, '}');
    }
    buf_puts(out, n_outputs > 0 ? "],\"parameters\":{" : ",\"parameters\":{");
    buf_printf(out, "\"binary_data_output\":%s", is_binary ? "true" : "false");
    if (session)
        buf_printf(out, ",\"sequence_id\":%llu,\"sequence_start\":%s,\"sequence_end\":%s", (unsigned long long)session,
                   session_start ? "true" : "false", session_end ? "true" : "false");
    buf_puts(out, "}}");
    return buf_ok(out, "a request", err);
}
