/* wire/oip_model.c - what another server says of its model: GET /v2/models/NAME (oip.h). */
#include <jansson.h>
#include <string.h>

#include "wire/oip.h"

static bool wrong(struct err *err, const char *what) { return err_set(err, ERR_IO, "a model's description: %s", what); }

static bool read_list(const json_t *tree, const char *key, struct tensor *out, int *n_out, struct arena *a, struct err *err)
{
    const json_t *list = json_object_get(tree, key);
    json_t *item, *dim;
    size_t i, k;
    *n_out = 0;
    if (list && (!json_is_array(list) || json_array_size(list) > OIP_TENSORS_MAX))
        return wrong(err, "a list of tensors is no list, or too long");
    json_array_foreach((json_t *)(uintptr_t)list, i, item)
    {
        const json_t *name = json_object_get(item, "name"), *type = json_object_get(item, "datatype"), *shape = json_object_get(item, "shape");
        struct tensor *t = &out[*n_out];
        *t = (struct tensor){ .name = "" };
        if (!json_is_string(name) || !json_is_string(type) || !json_is_array(shape) || json_array_size(shape) > TENSOR_DIMS_MAX ||
            !tensor_type_find(json_string_value(type), &t->type))
            return wrong(err, "a tensor needs name, datatype and shape");
        t->name = arena_strndup(a, json_string_value(name), json_string_length(name), err);
        if (!t->name)
            return false;
        json_array_foreach((json_t *)(uintptr_t)shape, k, dim)
        {
            if (!json_is_integer(dim) || json_integer_value(dim) < -1)
                return wrong(err, "a dimension is a number from -1 on");
            t->dims[t->n_dims++] = json_integer_value(dim);
        }
        ++*n_out;
    }
    return true;
}

bool oip_read_model(const char *body, size_t n, struct tensor *inputs, int *n_inputs, struct tensor *outputs, int *n_outputs, struct arena *a,
                    struct err *err)
{
    json_t *tree = json_loadb(body, n, 0, NULL);
    const bool ok = (json_is_object(tree) || wrong(err, "not a JSON object")) && read_list(tree, "inputs", inputs, n_inputs, a, err) &&
                    read_list(tree, "outputs", outputs, n_outputs, a, err);
    json_decref(tree);
    return ok;
}
