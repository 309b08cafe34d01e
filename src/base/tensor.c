/* base/tensor.c - names, sizes and checks of tensors. */
#include "base/tensor.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    size_t n_bytes;
    int onnx;
} types[] = {
#define X(name, oip, bytes, onnx) { oip, bytes, onnx },
    TENSOR_TYPES(X)
#undef X
};

const char *tensor_type_name(enum tensor_type t) { return t < TENSOR_TYPE_COUNT ? types[t].name : "?"; }
size_t tensor_type_bytes(enum tensor_type t) { return t < TENSOR_TYPE_COUNT ? types[t].n_bytes : 0; }
int tensor_type_onnx(enum tensor_type t) { return t < TENSOR_TYPE_COUNT ? types[t].onnx : 0; }

bool tensor_type_find(const char *oip_name, enum tensor_type *out)
{
    for (int i = 0; i < TENSOR_TYPE_COUNT; i++)
        if (strcmp(types[i].name, oip_name) == 0) {
            *out = (enum tensor_type)i;
            return true;
        }
    return false;
}

bool tensor_type_find_onnx(int number, enum tensor_type *out)
{
    for (int i = 0; i < TENSOR_TYPE_COUNT; i++)
        if (types[i].onnx == number) {
            *out = (enum tensor_type)i;
            return true;
        }
    return false;
}

int64_t tensor_count(const int64_t *dims, int n_dims)
{
    int64_t n = 1;
    for (int i = 0; i < n_dims; i++)
        if (dims[i] < 0 || __builtin_mul_overflow(n, dims[i], &n) || n > PTRDIFF_MAX)
            return -1;
    return n;
}

static uint32_t length_at(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static bool check_strings(const struct tensor *t, int64_t n, struct err *err)
{
    const unsigned char *p = t->data;
    size_t left = t->n_bytes;
    int64_t found = 0;
    for (; left > 0; found++) {
        if (left < 4 || length_at(p) > left - 4)
            return err_set(err, ERR_INPUT, "%s: element %lld ends behind the data", t->name, (long long)found);
        const size_t step = (size_t)length_at(p) + 4;
        p += step;
        left -= step;
    }
    if (found != n)
        return err_set(err, ERR_INPUT, "%s: %lld elements, its shape has %lld", t->name, (long long)found, (long long)n);
    return true;
}

bool tensor_check(const struct tensor *t, struct err *err)
{
    size_t want;
    if (t->type >= TENSOR_TYPE_COUNT)
        return err_set(err, ERR_INPUT, "%s: an unknown type", t->name);
    if (t->n_dims < 0 || t->n_dims > TENSOR_DIMS_MAX)
        return err_set(err, ERR_INPUT, "%s: %d dimensions, at most %d are possible", t->name, t->n_dims, TENSOR_DIMS_MAX);
    const int64_t n = tensor_count(t->dims, t->n_dims);
    if (n < 0)
        return err_set(err, ERR_INPUT, "%s: its shape makes no sense", t->name);
    if (!t->data && t->n_bytes > 0)
        return err_set(err, ERR_INPUT, "%s: no data", t->name);
    if (t->type == TENSOR_STRING)
        return check_strings(t, n, err);
    if (__builtin_mul_overflow((size_t)n, types[t->type].n_bytes, &want) || want != t->n_bytes)
        return err_set(err, ERR_INPUT, "%s: %zu bytes of data, its shape and type want %lld elements of %zu", t->name, t->n_bytes,
                       (long long)n, types[t->type].n_bytes);
    return true;
}

void tensor_describe(const struct tensor *t, char *out, size_t max)
{
    int n = snprintf(out, max, "%s [", tensor_type_name(t->type));
    for (int i = 0; i < t->n_dims && n >= 0 && (size_t)n < max; i++)
        n += snprintf(out + n, max - (size_t)n, "%s%lld", i ? "," : "", (long long)t->dims[i]);
    if (n >= 0 && (size_t)n < max)
        snprintf(out + n, max - (size_t)n, "]");
}
