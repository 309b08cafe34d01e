/* tests/fuzz/fuzz_safetensors.c - any bytes as a safetensors file; every tensor that is found is read to its last byte. */
#include "fuzz.h"
#include "task/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct safetensors s;
    struct err err;
    if (!safetensors_parse(&s, data, size, &err))
        return 0;
    unsigned sum = 0;
    for (int i = 0; i < s.n_tensors; i++) {
        const struct tensor *t = &s.tensors[i];
        const uint8_t *bytes = t->data;
        for (size_t k = 0; k < t->n_bytes; k++)
            sum += bytes[k];
        const size_t each = tensor_type_bytes(t->type);
        if (t->type == TENSOR_F32 || t->type == TENSOR_F16 || t->type == TENSOR_BF16)
            for (size_t k = 0; k + 1 <= t->n_bytes / each; k++) {
                float v;
                safetensors_row(t, k, 1, &v);
                sum += v > 0;
            }
        sum += safetensors_find(&s, t->name) != NULL;
    }
    safetensors_close(&s);
    if (sum == 0xfeedface && size == 1) /* never; so that the reading is not left out */
        __builtin_trap();
    return 0;
}
