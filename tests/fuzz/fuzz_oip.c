/* tests/fuzz/fuzz_oip.c - requests of the Open Inference Protocol, JSON with binary data or protobuf: whatever is accepted
 * has tensors whose data is what their type and shape say.  First byte: even: protobuf; odd: JSON, the rest of it says how many bytes
 * at the end are binary. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "wire/oip.h"
#include "wire/oip_pb.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct oip_request rq;
    struct err err = { 0 };
    const char *model;
    bool is_raw, ok;
    if (size < 1)
        return 0;
    const size_t n = size - 1, n_binary = (size_t)(data[0] >> 1) < n ? data[0] >> 1 : n;
    struct arena *a = arena_new(4 << 20, &err);
    char *copy = malloc(n ? n : 1);
    if (!a || !copy)
        abort();
    memcpy(copy, data + 1, n);
    if (data[0] & 1)
        ok = oip_read_infer(&rq, copy, n, n - n_binary, a, &err);
    else
        ok = oip_pb_read_infer(&rq, &model, &is_raw, copy, n, a, &err);
    if (!ok && err.code == ERR_NONE)
        abort();
    for (int i = 0; ok && i < rq.n_inputs; i++) {
        struct buf out;
        const struct tensor *t = &rq.inputs[i];
        if (!tensor_check(t, &err))
            abort();
        volatile unsigned sum = 0;
        for (size_t k = 0; k < t->n_bytes; k++)
            sum += ((const unsigned char *)t->data)[k];
        buf_init(&out, 64 << 20);
        oip_put_output(&out, t, false, &err);
        oip_pb_put_output(&out, t, false, &err);
        buf_fini(&out);
    }
    arena_free(a);
    free(copy);
    return 0;
}
