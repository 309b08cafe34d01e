/* task/safetensors.c - see safetensors.h. */
#include "task/safetensors.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "dtype/dtype.h"

static bool find_type(const char *word, enum tensor_type *out)
{
    static const struct { const char *word; enum tensor_type type; } known[] = {
        { "F32", TENSOR_F32 }, { "F16", TENSOR_F16 }, { "BF16", TENSOR_BF16 }, { "F64", TENSOR_F64 }, { "I8", TENSOR_I8 },
        { "I16", TENSOR_I16 }, { "I32", TENSOR_I32 }, { "I64", TENSOR_I64 }, { "U8", TENSOR_U8 }, { "U16", TENSOR_U16 },
        { "U32", TENSOR_U32 }, { "U64", TENSOR_U64 }, { "BOOL", TENSOR_BOOL },
    };
    for (size_t i = 0; word && i < sizeof(known) / sizeof(*known); i++)
        if (strcmp(word, known[i].word) == 0) {
            *out = known[i].type;
            return true;
        }
    return false;
}

/* One entry of the head: {"dtype": "F32", "shape": [5050, 50], "data_offsets": [0, 1010000]}. */
static bool read_entry(struct tensor *t, const char *name, const json_t *entry, const uint8_t *data, uint64_t n_bytes, struct err *err)
{
    const json_t *shape = json_object_get(entry, "shape"), *offsets = json_object_get(entry, "data_offsets");
    if (!find_type(json_string_value(json_object_get(entry, "dtype")), &t->type))
        return err_set(err, ERR_INPUT, "tensor %.64s: its dtype is none that safetensors knows", name);
    if (!json_is_array(shape) || json_array_size(shape) > TENSOR_DIMS_MAX)
        return err_set(err, ERR_INPUT, "tensor %.64s: its shape is no list of at most %d numbers", name, TENSOR_DIMS_MAX);
    t->n_dims = (int)json_array_size(shape);
    for (int i = 0; i < t->n_dims; i++) {
        const json_t *d = json_array_get(shape, (size_t)i);
        if (!json_is_integer(d) || json_integer_value(d) < 0)
            return err_set(err, ERR_INPUT, "tensor %.64s: dimension %d is no count", name, i);
        t->dims[i] = json_integer_value(d);
    }
    const json_t *from = json_array_get(offsets, 0), *to = json_array_get(offsets, 1);
    if (!json_is_integer(from) || !json_is_integer(to) || json_array_size(offsets) != 2 || json_integer_value(from) < 0 ||
        json_integer_value(to) < json_integer_value(from) || (uint64_t)json_integer_value(to) > n_bytes)
        return err_set(err, ERR_INPUT, "tensor %.64s: its data_offsets do not lie within the %" PRIu64 " bytes of data", name, n_bytes);
    const int64_t count = tensor_count(t->dims, t->n_dims);
    const uint64_t have = (uint64_t)(json_integer_value(to) - json_integer_value(from));
    uint64_t want;
    if (count < 0 || !checked_mul_u64((uint64_t)count, tensor_type_bytes(t->type), &want) || want != have)
        return err_set(err, ERR_INPUT, "tensor %.64s: its shape and its %" PRIu64 " bytes do not agree", name, have);
    t->data = (void *)(uintptr_t)(data + json_integer_value(from));
    t->n_bytes = (size_t)have;
    return true;
}

bool safetensors_parse(struct safetensors *s, const uint8_t *data, size_t n_bytes, struct err *err)
{
    memset(s, 0, sizeof(*s));
    uint64_t n_head = 0;
    for (size_t i = 0; i < 8 && n_bytes >= 8; i++)
        n_head |= (uint64_t)data[i] << (8 * i);
    if (n_bytes < 8 || n_head > n_bytes - 8 || n_head > SAFETENSORS_HEAD_MAX || n_head < 2)
        return err_set(err, ERR_INPUT, "no safetensors file: its head of %" PRIu64 " bytes does not fit into %zu", n_head, n_bytes);
    json_error_t why;
    json_t *head = json_loadb((const char *)data + 8, (size_t)n_head, JSON_REJECT_DUPLICATES, &why);
    if (!head)
        return err_set(err, ERR_INPUT, "safetensors head: byte %d: %s", why.position, why.text);
    const size_t n = json_object_size(head);
    size_t n_names = 1, at = 0;
    const char *key;
    json_t *entry;
    json_object_foreach(head, key, entry) n_names += strlen(key) + 1;
    bool good = json_is_object(head) && n <= SAFETENSORS_MAX;
    if (!good) {
        err_set(err, ERR_INPUT, "safetensors head: no map of at most %d tensors", SAFETENSORS_MAX);
    } else {
        s->tensors = calloc(n + 1, sizeof(*s->tensors));
        s->names = malloc(n_names);
        good = s->tensors && s->names;
        if (!good)
            err_set(err, ERR_NOMEM, "safetensors: cannot get memory for %zu names", n);
    }
    if (good)
        json_object_foreach(head, key, entry) {
            if (strcmp(key, "__metadata__") == 0)
                continue;
            struct tensor *t = &s->tensors[s->n_tensors];
            t->name = strcpy(s->names + at, key);
            at += strlen(key) + 1;
            if (!(good = read_entry(t, key, entry, data + 8 + n_head, n_bytes - 8 - n_head, err)))
                break;
            s->n_tensors++;
        }
    json_decref(head);
    if (!good)
        safetensors_close(s);
    return good;
}

bool safetensors_open(struct safetensors *s, const char *path, struct err *err)
{
    struct file_map map = { 0 };
    memset(s, 0, sizeof(*s));
    if (!file_map_open(&map, path, err))
        return false;
    if (!safetensors_parse(s, map.data, map.size, err)) {
        file_map_close(&map);
        return err_prefix(err, "%s", path);
    }
    s->map = map;
    return true;
}

void safetensors_close(struct safetensors *s)
{
    file_map_close(&s->map);
    free(s->tensors);
    free(s->names);
    memset(s, 0, sizeof(*s));
}

const struct tensor *safetensors_find(const struct safetensors *s, const char *name)
{
    for (int i = 0; i < s->n_tensors; i++)
        if (strcmp(s->tensors[i].name, name) == 0)
            return &s->tensors[i];
    return NULL;
}

void safetensors_row(const struct tensor *t, size_t from, size_t n, float *out)
{
    const uint8_t *at = (const uint8_t *)t->data + from * tensor_type_bytes(t->type);
    if (t->type == TENSOR_F32) { /* little endian, as every machine that we build for */
        memcpy(out, at, n * sizeof(float));
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const uint16_t h = (uint16_t)(at[2 * i] | at[2 * i + 1] << 8);
        out[i] = t->type == TENSOR_BF16 ? dtype_bf16_to_f32(h) : dtype_f16_to_f32(h);
    }
}
