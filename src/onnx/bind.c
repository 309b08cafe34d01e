/* onnx/bind.c - what goes in, the run, what comes out; start reading at onnx_run().
 *
 * Inputs: a value of the library's is laid over our buffer (or the caller's, or another session's output) and bound; it
 * stays bound until its shape or place changes.  Outputs: the library allocates them in the first run; those whose shape
 * is fixed are written to the same place ever after, the others are handed out anew by each run.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "onnx/onnx_internal.h"

enum { ALIGN_BYTES = 64 };

/* ---- inputs ---- */

static bool check_dims(const struct onnx_session *s, const struct onnx_io *io, const int64_t *dims, int n_dims, size_t *n_bytes, struct err *err)
{
    const struct tensor *t = &io->info;
    if (n_dims != t->n_dims)
        return err_set(err, ERR_INPUT, "%s: input %s has %d dimensions, %d came", s->label, t->name, t->n_dims, n_dims);
    for (int d = 0; d < n_dims; d++)
        if (dims[d] < 0 || (t->dims[d] >= 0 && t->dims[d] != dims[d]))
            return err_set(err, ERR_INPUT, "%s: dimension %d of input %s is %" PRId64 ", %" PRId64 " came", s->label, d, t->name, t->dims[d], dims[d]);
    const int64_t count = tensor_count(dims, n_dims);
    const size_t each = t->type == TENSOR_STRING ? 4 : tensor_type_bytes(t->type); /* a string is at least its length */
    if (count < 0 || !checked_mul_size((size_t)count, each, n_bytes) || *n_bytes > s->max_tensor_bytes)
        return err_set(err, ERR_LIMIT, "%s: input %s would be larger than %zu bytes", s->label, t->name, s->max_tensor_bytes);
    return true;
}

static bool same_dims(const struct tensor *t, const int64_t *dims, int n_dims)
{
    return t->n_dims == n_dims && (n_dims == 0 || memcmp(t->dims, dims, (size_t)n_dims * sizeof *dims) == 0);
}

/* Lays a value over data and binds it; takes over `now`. */
static bool bind_memory(struct onnx_session *s, struct onnx_io *io, void *data, const int64_t *dims, int n_dims, size_t n_bytes, struct err *err)
{
    const struct ort_api *a = &s->o->api;
    struct ort_value *v = NULL;
    if (!ort_good(a, a->create_tensor_with_data(s->o->cpu_memory, data, n_bytes, dims, (size_t)n_dims, tensor_type_onnx(io->info.type), &v),
                  ERR_NONE, err) ||
        !ort_good(a, a->bind_input(s->binding, io->info.name, v), ERR_NONE, err)) {
        if (v)
            a->release_value(v);
        return err_prefix(err, "%s: input %s", s->label, io->info.name);
    }
    if (io->value)
        a->release_value(io->value);
    io->value = v;
    io->link_src = NULL;
    io->now.data = data;
    io->now.n_bytes = n_bytes;
    io->now.n_dims = n_dims;
    if (n_dims)
        memmove(io->now.dims, dims, (size_t)n_dims * sizeof *dims);
    return true;
}

bool onnx_set_dims(struct onnx_session *s, int i, const int64_t *dims, int n_dims, struct err *err)
{
    struct onnx_io *io = &s->inputs[i];
    size_t n_bytes;
    if (io->value && !io->link_src && io->now.data == io->own && same_dims(&io->now, dims, n_dims))
        return true;
    if (!check_dims(s, io, dims, n_dims, &n_bytes, err))
        return false;
    if (io->info.type == TENSOR_STRING)
        return err_set(err, ERR_INPUT, "%s: input %s takes texts", s->label, io->info.name);
    if (n_bytes > io->own_bytes || !io->own) {
        const size_t room = (n_bytes + ALIGN_BYTES) / ALIGN_BYTES * ALIGN_BYTES; /* never 0; n_bytes <= max_tensor_bytes */
        void *p = aligned_alloc(ALIGN_BYTES, room);
        if (!p)
            return err_set(err, ERR_NOMEM, "%s: %zu bytes for input %s", s->label, room, io->info.name);
        memset(p, 0, room);
        if (!bind_memory(s, io, p, dims, n_dims, n_bytes, err)) {
            free(p);
            return false;
        }
        free(io->own); /* nothing is bound to it any more */
        io->own = p;
        io->own_bytes = room;
        return true;
    }
    return bind_memory(s, io, io->own, dims, n_dims, n_bytes, err);
}

bool onnx_bind_input(struct onnx_session *s, int i, void *data, const int64_t *dims, int n_dims, struct err *err)
{
    struct onnx_io *io = &s->inputs[i];
    size_t n_bytes;
    if (io->value && !io->link_src && io->now.data == data && same_dims(&io->now, dims, n_dims))
        return true;
    if (!check_dims(s, io, dims, n_dims, &n_bytes, err))
        return false;
    if (io->info.type == TENSOR_STRING)
        return err_set(err, ERR_INPUT, "%s: input %s takes texts", s->label, io->info.name);
    return bind_memory(s, io, data, dims, n_dims, n_bytes, err);
}

bool onnx_link(struct onnx_session *s, int i, struct onnx_session *src, int j, struct err *err)
{
    struct onnx_io *io = &s->inputs[i];
    const struct onnx_io *from = &src->outputs[j];
    if (io->info.type != from->info.type)
        return err_set(err, ERR_INPUT, "%s: input %s is %s, output %s of %s is %s", s->label, io->info.name, tensor_type_name(io->info.type),
                       from->info.name, src->label, tensor_type_name(from->info.type));
    if (!src->has_run)
        return err_set(err, ERR_INTERNAL, "%s: %s has not run yet", s->label, src->label);
    io->link_src = src;
    io->link_index = j;
    io->link_seen = 0;
    return true;
}

static bool follow_link(struct onnx_session *s, struct onnx_io *io, struct err *err)
{
    const struct ort_api *a = &s->o->api;
    const struct onnx_io *from = &io->link_src->outputs[io->link_index];
    if (!from->value)
        return err_set(err, ERR_INPUT, "%s: input %s: %s has no output to give", s->label, io->info.name, io->link_src->label);
    if (io->link_seen == from->n_values)
        return true;
    if (!ort_good(a, a->bind_input(s->binding, io->info.name, from->value), ERR_NONE, err))
        return err_prefix(err, "%s: input %s", s->label, io->info.name);
    io->link_seen = from->n_values;
    const char *name = io->now.name;
    io->now = from->now;
    io->now.name = name;
    return true;
}

/* Texts arrive as tensor.h has them (4-byte length, bytes); ORT takes '\0'-terminated ones. */
bool onnx_set_texts(struct onnx_session *s, int i, const struct tensor *texts, struct err *err)
{
    const struct ort_api *a = &s->o->api;
    struct onnx_io *io = &s->inputs[i];
    struct ort_value *v = NULL;
    size_t n_bytes, room;
    bool good = false;
    if (!check_dims(s, io, texts->dims, texts->n_dims, &n_bytes, err) || !tensor_check(texts, err))
        return false;
    if (io->info.type != TENSOR_STRING || texts->type != TENSOR_STRING)
        return err_set(err, ERR_INPUT, "%s: input %s is %s, %s came", s->label, io->info.name, tensor_type_name(io->info.type), tensor_type_name(texts->type));
    const size_t n = (size_t)tensor_count(texts->dims, texts->n_dims);
    if (!checked_mul_size(n, sizeof(char *), &room) || !checked_add_size(room, texts->n_bytes + 1, &room) || room > s->max_tensor_bytes)
        return err_set(err, ERR_LIMIT, "%s: input %s would be larger than %zu bytes", s->label, io->info.name, s->max_tensor_bytes);
    char **at = malloc(room);
    if (!at)
        return err_set(err, ERR_NOMEM, "%s: %zu bytes for input %s", s->label, room, io->info.name);
    char *to = (char *)(at + n);
    const uint8_t *p = texts->data;
    for (size_t k = 0; k < n; k++) { /* tensor_check() has seen the lengths */
        uint32_t len = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
        memcpy(to, p + 4, len);
        to[len] = '\0';
        at[k] = to;
        to += len + 1;
        p += len + 4;
    }
    if (ort_good(a, a->create_tensor(s->o->allocator, texts->dims, (size_t)texts->n_dims, tensor_type_onnx(TENSOR_STRING), &v), ERR_NONE, err) &&
        ort_good(a, a->fill_strings(v, (const char *const *)at, n), ERR_NONE, err) &&
        ort_good(a, a->bind_input(s->binding, io->info.name, v), ERR_NONE, err)) {
        if (io->value)
            a->release_value(io->value);
        io->value = v;
        io->link_src = NULL;
        v = NULL;
        good = true;
    } else
        err_prefix(err, "%s: input %s", s->label, io->info.name);
    if (v)
        a->release_value(v);
    free(at);
    return good;
}

const struct tensor *onnx_input(struct onnx_session *s, int i) { return &s->inputs[i].now; }

/* ---- outputs ---- */

/* Strings of an output, in the form of tensor.h, in our own buffer. */
static bool copy_texts(struct onnx_session *s, struct onnx_io *io, size_t n, struct err *err)
{
    const struct ort_api *a = &s->o->api;
    size_t total = 0, room, offsets_bytes;
    if (!ort_good(a, a->strings_length(io->value, &total), ERR_NONE, err))
        return false;
    /* Behind each other in one block: the offsets, the texts as ORT gives them, our form. */
    if (!checked_mul_size(n, sizeof(size_t), &offsets_bytes) || !checked_add_size(offsets_bytes, total, &room) ||
        !checked_add_size(room, total, &room) || !checked_add_size(room, offsets_bytes, &room) || room > s->max_tensor_bytes)
        return err_set(err, ERR_LIMIT, "its texts are larger than %zu bytes", s->max_tensor_bytes);
    if (room > io->own_bytes) {
        void *p = realloc(io->own, room);
        if (!p)
            return err_set(err, ERR_NOMEM, "out of memory");
        io->own = p;
        io->own_bytes = room;
    }
    size_t *offsets = io->own;
    char *raw = (char *)(offsets + n);
    uint8_t *to = (uint8_t *)raw + total;
    io->now.data = to;
    io->now.n_bytes = 0;
    if (n == 0)
        return true;
    if (!ort_good(a, a->strings_content(io->value, raw, total, offsets, n), ERR_NONE, err))
        return false;
    for (size_t k = 0; k < n; k++) {
        const size_t len = (k + 1 < n ? offsets[k + 1] : total) - offsets[k];
        for (int b = 0; b < 4; b++)
            *to++ = (uint8_t)(len >> 8 * b);
        memcpy(to, raw + offsets[k], len);
        to += len;
    }
    io->now.n_bytes = (size_t)(to - (uint8_t *)io->now.data);
    return true;
}

/* Reads shape and place of a new value. */
static bool read_value(struct onnx_session *s, struct onnx_io *io, struct err *err)
{
    const struct ort_api *a = &s->o->api;
    struct ort_tensor_info *info = NULL;
    size_t rank = 0, n_bytes;
    int type = 0, is_tensor = 0;
    bool good = ort_good(a, a->is_tensor(io->value, &is_tensor), ERR_NONE, err);
    if (good && !is_tensor)
        return err_set(err, ERR_UNSUPPORTED, "it is no tensor");
    good = good && ort_good(a, a->tensor_type_and_shape(io->value, &info), ERR_NONE, err) &&
           ort_good(a, a->element_type(info, &type), ERR_NONE, err) && ort_good(a, a->rank(info, &rank), ERR_NONE, err);
    if (good && (!tensor_type_find_onnx(type, &io->now.type) || rank > TENSOR_DIMS_MAX))
        good = err_set(err, ERR_UNSUPPORTED, "element type %d with %zu dimensions is not read", type, rank);
    if (good)
        io->now.n_dims = (int)rank;
    good = good && (rank == 0 || ort_good(a, a->dims(info, io->now.dims, rank), ERR_NONE, err));
    if (info)
        a->release_tensor_info(info);
    if (!good)
        return false;
    if (!same_dims(&io->info, io->now.dims, io->now.n_dims))
        io->is_free = true; /* also when the file said otherwise */
    const int64_t count = tensor_count(io->now.dims, io->now.n_dims);
    if (count < 0 || !checked_mul_size((size_t)count, tensor_type_bytes(io->now.type), &n_bytes))
        return err_set(err, ERR_INPUT, "an impossible shape");
    if (io->now.type == TENSOR_STRING)
        return copy_texts(s, io, (size_t)count, err);
    io->now.n_bytes = n_bytes;
    return ort_good(a, a->mutable_data(io->value, &io->now.data), ERR_NONE, err);
}

/* After a run: takes the values of outputs that have none yet. */
static bool take_outputs(struct onnx_session *s, struct err *err)
{
    const struct ort_api *a = &s->o->api;
    struct ort_value **values = NULL;
    size_t n = 0;
    bool is_complete = true, good = true;
    for (int j = 0; j < s->n_outputs; j++)
        is_complete = is_complete && s->outputs[j].value && s->outputs[j].info.type != TENSOR_STRING;
    if (is_complete)
        return true;
    if (!ort_good(a, a->bound_values(s->binding, s->o->allocator, &values, &n), ERR_NONE, err))
        return err_prefix(err, "%s", s->label);
    for (size_t j = 0; j < n; j++) {
        struct onnx_io *io = (int)j < s->n_outputs ? &s->outputs[j] : NULL;
        if (!good || !io || (io->value && io->info.type != TENSOR_STRING)) {
            a->release_value(values[j]);
            continue;
        }
        if (io->value)
            a->release_value(io->value);
        io->value = values[j];
        io->n_values++;
        if (!read_value(s, io, err))
            good = err_prefix(err, "%s: output %s", s->label, io->info.name);
    }
    if (values)
        ort_ignore(a, a->allocator_free(s->o->allocator, values));
    return good;
}

/* Before a run: outputs whose shape may change are the library's to allocate again. */
static bool let_go_of_outputs(struct onnx_session *s, struct err *err)
{
    const struct ort_api *a = &s->o->api;
    for (int j = 0; j < s->n_outputs; j++) {
        struct onnx_io *io = &s->outputs[j];
        if (!io->is_free || !io->value)
            continue;
        if (!ort_good(a, a->bind_output_to_device(s->binding, io->info.name, s->o->cpu_memory), ERR_NONE, err))
            return err_prefix(err, "%s", s->label);
        a->release_value(io->value);
        io->value = NULL;
    }
    return true;
}

bool onnx_run(struct onnx_session *s, struct err *err)
{
    const struct ort_api *a = &s->o->api;
    for (int i = 0; i < s->n_inputs; i++) {
        struct onnx_io *io = &s->inputs[i];
        if (io->link_src && !follow_link(s, io, err))
            return false;
        if (!io->link_src && !io->value)
            return err_set(err, ERR_INPUT, "%s: input %s was not given", s->label, io->info.name);
    }
    if (!let_go_of_outputs(s, err))
        return false;
    if (!ort_good(a, a->run_with_binding(s->session, s->run_options, s->binding), ERR_NONE, err))
        return err_prefix(err, "%s", s->label);
    s->has_run = true;
    return take_outputs(s, err);
}

const struct tensor *onnx_output(const struct onnx_session *s, int j)
{
    return s->outputs[j].value ? &s->outputs[j].now : NULL;
}
