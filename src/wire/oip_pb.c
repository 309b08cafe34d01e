/* wire/oip_pb.c - see oip_pb.h. */
#include "wire/oip_pb.h"

#include <string.h>

#include "base/utf8.h"
#include "gen/health.pb-c.h"
#include "gen/oip.pb-c.h"
#include "wire/pb.h"

/* ---- in ---- */

static bool check_name(const char *s, const char *what, struct err *err)
{
    return utf8_is_valid(s, strlen(s)) || err_set(err, ERR_INPUT, "%s: a name that is not UTF-8", what);
}

typedef Inference__ModelInferRequest__InferInputTensor pb_input;

static bool read_param(struct oip_request *r, const char *name, const Inference__InferParameter *p, struct err *err)
{
    struct oip_param *o = &r->params[r->n_params];
    if (!p)
        return true;
    if (r->n_params == OIP_PARAMS_MAX)
        return err_set(err, ERR_INPUT, "more than %d parameters", OIP_PARAMS_MAX);
    *o = (struct oip_param){ .name = name };
    switch (p->parameter_choice_case) {
    case INFERENCE__INFER_PARAMETER__PARAMETER_CHOICE_BOOL_PARAM: o->kind = OIP_BOOL, o->i = p->bool_param != 0; break;
    case INFERENCE__INFER_PARAMETER__PARAMETER_CHOICE_INT64_PARAM: o->kind = OIP_INT, o->i = p->int64_param, o->d = (double)o->i; break;
    case INFERENCE__INFER_PARAMETER__PARAMETER_CHOICE_STRING_PARAM: o->kind = OIP_TEXT, o->text = p->string_param; break;
    case INFERENCE__INFER_PARAMETER__PARAMETER_CHOICE_DOUBLE_PARAM: o->kind = OIP_DOUBLE, o->d = p->double_param; break;
    case INFERENCE__INFER_PARAMETER__PARAMETER_CHOICE_UINT64_PARAM:
        o->kind = p->uint64_param <= INT64_MAX ? OIP_INT : OIP_DOUBLE;
        o->i = (int64_t)p->uint64_param;
        o->d = (double)p->uint64_param;
        break;
    default: return true; /* none is set */
    }
    if (o->kind == OIP_TEXT && !check_name(o->text, name, err))
        return false;
    r->n_params++;
    return true;
}

static bool has_contents(const Inference__InferTensorContents *c)
{
    return c && (c->n_bool_contents || c->n_int_contents || c->n_int64_contents || c->n_uint_contents || c->n_uint64_contents ||
                 c->n_fp32_contents || c->n_fp64_contents || c->n_bytes_contents);
}

static void *place(struct tensor *t, size_t n, size_t each, struct arena *a, struct err *err)
{
    t->n_bytes = n * each; /* both came out of a message that fits into memory */
    return t->data = arena_alloc(a, n, each, err);
}

static bool read_texts(struct tensor *t, const Inference__InferTensorContents *c, struct arena *a, struct err *err)
{
    size_t n = 0;
    for (size_t i = 0; i < c->n_bytes_contents; i++)
        n += c->bytes_contents[i].len + 4;
    char *out = place(t, n, 1, a, err);
    for (size_t i = 0; out && i < c->n_bytes_contents; i++) {
        const size_t len = c->bytes_contents[i].len;
        for (int k = 0; k < 4; k++)
            *out++ = (char)((uint32_t)len >> (8 * k));
        if (len > 0)
            memcpy(out, c->bytes_contents[i].data, len);
        out += len;
    }
    return t->data != NULL;
}

/* The typed contents of one tensor, narrowed to its type. */
static bool read_contents(struct tensor *t, const Inference__InferTensorContents *c, struct arena *a, struct err *err)
{
#define NARROW(NAME, ctype, field, min, max)                                                                           \
    case TENSOR_##NAME: {                                                                                              \
        ctype *out = place(t, c->n_##field, sizeof(ctype), a, err);                                                    \
        for (size_t i = 0; out && i < c->n_##field; i++) {                                                             \
            if ((int64_t)c->field[i] < (min) || (int64_t)c->field[i] > (max))                                          \
                return err_set(err, ERR_INPUT, "%s: element %zu does not fit into %s", t->name, i, tensor_type_name(t->type)); \
            out[i] = (ctype)c->field[i];                                                                               \
        }                                                                                                              \
        return out != NULL;                                                                                            \
    }
#define SAME(NAME, ctype, field)                                                                                       \
    case TENSOR_##NAME:                                                                                                \
        t->data = c->field; /* in the arena already */                                                                 \
        t->n_bytes = c->n_##field * sizeof(ctype);                                                                     \
        return true;
    switch (t->type) {
        NARROW(BOOL, uint8_t, bool_contents, 0, 1)
        NARROW(I8, int8_t, int_contents, INT8_MIN, INT8_MAX)
        NARROW(I16, int16_t, int_contents, INT16_MIN, INT16_MAX)
        NARROW(U8, uint8_t, uint_contents, 0, UINT8_MAX)
        NARROW(U16, uint16_t, uint_contents, 0, UINT16_MAX)
        SAME(I32, int32_t, int_contents)
        SAME(I64, int64_t, int64_contents)
        SAME(U32, uint32_t, uint_contents)
        SAME(U64, uint64_t, uint64_contents)
        SAME(F32, float, fp32_contents)
        SAME(F64, double, fp64_contents)
    case TENSOR_STRING: return read_texts(t, c, a, err);
    default: return err_set(err, ERR_INPUT, "%s: %s has no typed contents: send raw_input_contents", t->name, tensor_type_name(t->type));
    }
#undef NARROW
#undef SAME
}

static bool read_input(struct oip_request *r, const pb_input *in, const ProtobufCBinaryData *raw, struct arena *a, struct err *err)
{
    static const Inference__InferTensorContents nothing = INFERENCE__INFER_TENSOR_CONTENTS__INIT;
    struct tensor *t = &r->inputs[r->n_inputs++];
    *t = (struct tensor){ .name = in->name };
    if (!*in->name)
        return err_set(err, ERR_INPUT, "an input needs a name");
    if (!check_name(in->name, "inputs", err))
        return false;
    if (!tensor_type_find(in->datatype, &t->type))
        return err_set(err, ERR_INPUT, "%.80s: the datatype '%.40s' is not known", in->name, in->datatype);
    if (in->n_shape > TENSOR_DIMS_MAX)
        return err_set(err, ERR_INPUT, "%.80s: more than %d dimensions", in->name, TENSOR_DIMS_MAX);
    t->n_dims = (int)in->n_shape;
    for (size_t i = 0; i < in->n_shape; i++)
        t->dims[i] = in->shape[i];
    for (size_t i = 0; i < in->n_parameters; i++)
        if (in->parameters[i]->key && strncmp(in->parameters[i]->key, "shared_memory", 13) == 0)
            return err_set(err, ERR_INPUT, "%.80s: shared memory is not supported", in->name);
    if (raw && has_contents(in->contents))
        return err_set(err, ERR_INPUT, "%.80s: both contents and raw_input_contents", in->name);
    if (raw) {
        t->data = raw->data;
        t->n_bytes = raw->len;
    } else if (!read_contents(t, in->contents ? in->contents : &nothing, a, err)) {
        return false;
    }
    if (!tensor_check(t, err))
        return false;
    const uint8_t *bools = t->data;
    for (size_t i = 0; t->type == TENSOR_BOOL && i < t->n_bytes; i++)
        if (bools[i] > 1)
            return err_set(err, ERR_INPUT, "%.80s: a BOOL is 0 or 1", t->name);
    return true;
}

static bool read_output(struct oip_request *r, const Inference__ModelInferRequest__InferRequestedOutputTensor *o, struct err *err)
{
    if (!*o->name)
        return err_set(err, ERR_INPUT, "an output needs a name");
    for (size_t i = 0; i < o->n_parameters; i++) {
        const char *key = o->parameters[i]->key;
        if (key && (strcmp(key, "classification") == 0 || strncmp(key, "shared_memory", 13) == 0))
            return err_set(err, ERR_INPUT, "the output parameter '%.40s' is not supported", key);
    }
    r->outputs[r->n_outputs++] = (struct oip_output){ .name = o->name };
    return check_name(o->name, "outputs", err);
}

bool oip_pb_read_infer(struct oip_request *r, const char **model, bool *is_raw, const void *bytes, size_t n, struct arena *a, struct err *err)
{
    ProtobufCAllocator pieces = pb_pieces(a);
    const Inference__ModelInferRequest *m = inference__model_infer_request__unpack(&pieces, n, bytes);
    *r = (struct oip_request){ .id = "" };
    if (!m)
        return err_set(err, ERR_INPUT, "this is no ModelInferRequest, or it is too large");
    if (!check_name(m->model_name, "model_name", err) || !check_name(m->id, "id", err))
        return false;
    if (m->n_inputs < 1 || m->n_inputs > OIP_TENSORS_MAX || m->n_outputs > OIP_TENSORS_MAX)
        return err_set(err, ERR_INPUT, "%zu inputs and %zu outputs: 1 to %d are possible", m->n_inputs, m->n_outputs, OIP_TENSORS_MAX);
    if (m->n_raw_input_contents > 0 && m->n_raw_input_contents != m->n_inputs)
        return err_set(err, ERR_INPUT, "%zu raw_input_contents for %zu inputs", m->n_raw_input_contents, m->n_inputs);
    *model = m->model_name;
    *is_raw = m->n_raw_input_contents > 0;
    r->id = m->id;
    for (size_t i = 0; i < m->n_parameters; i++)
        if (!read_param(r, m->parameters[i]->key, m->parameters[i]->value, err))
            return false;
    for (size_t i = 0; i < m->n_inputs; i++)
        if (!read_input(r, m->inputs[i], *is_raw ? &m->raw_input_contents[i] : NULL, a, err))
            return false;
    for (size_t i = 0; i < m->n_outputs; i++)
        if (!read_output(r, m->outputs[i], err))
            return false;
    return oip_read_params(r, err);
}

bool oip_pb_read_name(const char **name, const void *bytes, size_t n, struct arena *a, struct err *err)
{
    ProtobufCAllocator pieces = pb_pieces(a);
    /* All three have it as field 1, a string; what else they have goes to unknown fields. */
    const Grpc__Health__V1__HealthCheckRequest *m = grpc__health__v1__health_check_request__unpack(&pieces, n, bytes);
    if (!m)
        return err_set(err, ERR_INPUT, "the message cannot be read");
    *name = m->service;
    return check_name(m->service, "name", err);
}

/* ---- out ---- */

void oip_pb_put_bool(struct buf *out, bool v) { pb_put_uint(out, 1, v); }

void oip_pb_put_health(struct buf *out, enum health h) { pb_put_uint(out, 1, (uint64_t)h); }

void oip_pb_put_server(struct buf *out, const char *version)
{
    pb_put_string(out, 1, "tutti");
    pb_put_string(out, 2, version);
    pb_put_string(out, 3, "sequence");
}

static void put_description(struct buf *out, const struct tensor *t)
{
    struct buf shape;
    pb_put_string(out, 1, t->name);
    pb_put_string(out, 2, tensor_type_name(t->type));
    if (t->n_dims == 0)
        return;
    buf_init(&shape, 256);
    for (int i = 0; i < t->n_dims; i++)
        pb_put_varint(&shape, (uint64_t)t->dims[i]);
    pb_put_inner(out, 3, &shape);
}

void oip_pb_put_model(struct buf *out, const struct oip_model *m)
{
    pb_put_string(out, 1, m->name);
    pb_put_string(out, 2, "1");
    pb_put_string(out, 3, m->platform);
    for (int i = 0; i < m->n_inputs + m->n_outputs; i++) {
        struct buf inner;
        buf_init(&inner, 4096);
        put_description(&inner, i < m->n_inputs ? &m->inputs[i] : &m->outputs[i - m->n_inputs]);
        pb_put_inner(out, i < m->n_inputs ? 4 : 5, &inner);
    }
}

void oip_pb_put_reply(struct buf *out, const char *model, const char *id, const struct oip_param *params, int n_params)
{
    pb_put_string(out, 1, model);
    pb_put_string(out, 2, "1");
    pb_put_string(out, 3, id);
    for (int i = 0; i < n_params; i++) {
        struct buf entry, value;
        buf_init(&entry, 4096);
        buf_init(&value, 4096);
        pb_put_string(&entry, 1, params[i].name);
        pb_put_string(&value, 3, params[i].text);
        pb_put_inner(&entry, 2, &value);
        pb_put_inner(out, 4, &entry);
    }
}

static uint32_t length_at(const unsigned char *p) { return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24; }

/* InferTensorContents of one tensor: packed numbers.  Fixed ones (floats) lie in memory as they do on the wire. */
static void put_contents(struct buf *out, const struct tensor *t)
{
    static const unsigned field_of[] = { [TENSOR_BOOL] = 1, [TENSOR_I8] = 2, [TENSOR_I16] = 2, [TENSOR_I32] = 2, [TENSOR_I64] = 3, [TENSOR_U8] = 4,
                                         [TENSOR_U16] = 4, [TENSOR_U32] = 4, [TENSOR_U64] = 5, [TENSOR_F32] = 6, [TENSOR_F64] = 7, [TENSOR_STRING] = 8 };
    const unsigned char *p = t->data;
    const size_t each = tensor_type_bytes(t->type);
    struct buf packed;
    if (t->type == TENSOR_STRING) {
        for (size_t at = 0; at + 4 <= t->n_bytes; at += 4 + length_at(p + at))
            pb_put_bytes(out, 8, p + at + 4, length_at(p + at));
        return;
    }
    if (t->type == TENSOR_F32 || t->type == TENSOR_F64) {
        pb_put_bytes(out, field_of[t->type], t->data, t->n_bytes);
        return;
    }
    buf_init(&packed, t->n_bytes * 10 + 16);
    for (size_t at = 0; at < t->n_bytes; at += each) {
        uint64_t v = 0;
        memcpy(&v, p + at, each); /* little-endian, as all our machines are */
        if (t->type == TENSOR_I8)
            v = (uint64_t)(int64_t)(int8_t)v;
        else if (t->type == TENSOR_I16)
            v = (uint64_t)(int64_t)(int16_t)v;
        else if (t->type == TENSOR_I32)
            v = (uint64_t)(int64_t)(int32_t)v;
        pb_put_varint(&packed, v);
    }
    pb_put_inner(out, field_of[t->type], &packed);
}

void oip_pb_put_raw(struct buf *out, const struct tensor *t) { pb_put_bytes(out, 6, t->data, t->n_bytes); }

bool oip_pb_put_output(struct buf *out, const struct tensor *t, bool is_raw, struct err *err)
{
    struct buf inner, contents;
    if (!tensor_check(t, err))
        return false;
    if (!is_raw && (t->type == TENSOR_F16 || t->type == TENSOR_BF16))
        return err_set(err, ERR_INPUT, "%.80s: %s has no typed contents: send the inputs as raw_input_contents", t->name, tensor_type_name(t->type));
    buf_init(&inner, t->n_bytes * 11 + 65536);
    put_description(&inner, t);
    if (!is_raw) {
        buf_init(&contents, t->n_bytes * 11 + 4096);
        put_contents(&contents, t);
        pb_put_inner(&inner, 5, &contents);
    }
    pb_put_inner(out, 5, &inner);
    return true;
}

/* ---- one block ---- */

static void put_block(struct buf *out, unsigned field, unsigned raw_field, const char *name, const void *bytes, size_t n)
{
    struct buf inner;
    buf_init(&inner, 4096);
    put_description(&inner, &(struct tensor){ .name = name, .type = TENSOR_U8, .n_dims = 1, .dims = { (int64_t)n } });
    pb_put_inner(out, field, &inner);
    pb_put_bytes(out, raw_field, bytes, n);
}

void oip_pb_put_block_request(struct buf *out, const char *model, const char *input, const void *bytes, size_t n)
{
    pb_put_string(out, 1, model);
    put_block(out, 5, 7, input, bytes, n);
}

void oip_pb_put_stream_reply(struct buf *out, struct buf *reply) { pb_put_inner(out, 2, reply); }

void oip_pb_put_block_reply(struct buf *out, const char *model, const char *output, const void *bytes, size_t n)
{
    struct buf reply;
    buf_init(&reply, n + 4096);
    pb_put_string(&reply, 1, model);
    put_block(&reply, 5, 6, output, bytes, n);
    oip_pb_put_stream_reply(out, &reply);
}

bool oip_pb_read_block_reply(const char **output, const void **block, size_t *n_block, const void *bytes, size_t n, struct arena *a, struct err *err)
{
    ProtobufCAllocator pieces = pb_pieces(a);
    const Inference__ModelStreamInferResponse *m = inference__model_stream_infer_response__unpack(&pieces, n, bytes);
    if (!m)
        return err_set(err, ERR_IO, "this is no ModelStreamInferResponse, or it is too large");
    if (*m->error_message)
        return err_set(err, ERR_IO, "%.150s", utf8_is_valid(m->error_message, strlen(m->error_message)) ? m->error_message : "an error");
    const Inference__ModelInferResponse *r = m->infer_response;
    if (!r || r->n_outputs != 1 || r->n_raw_output_contents != 1)
        return err_set(err, ERR_IO, "one output with raw contents is wanted");
    *output = r->outputs[0]->name;
    *block = r->raw_output_contents[0].data;
    *n_block = r->raw_output_contents[0].len;
    return true;
}
