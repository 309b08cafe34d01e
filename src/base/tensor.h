/* base/tensor.h - a block of numbers with a name, a type and a shape, as it travels between rooms.
 *
 * For:     media/ fills them, onnx/ computes on them, expert/ carries them, wire/ writes them out.
 * Touches: nothing.
 * Rule:    row-major, dense, in the machine's byte order.  A tensor borrows its name and data; who hands it over says for
 *          how long.  TENSOR_STRING data is what the Open Inference Protocol calls BYTES: each element is a 4-byte
 *          little-endian length and that many bytes, so n_bytes is not a multiple of anything.
 */
#ifndef TUTTI_BASE_TENSOR_H
#define TUTTI_BASE_TENSOR_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* name here, name in the Open Inference Protocol, bytes of an element, number in ONNX.  ORDER TENSOR_TYPE */
#define TENSOR_TYPES(X)                                                                            \
    X(F32, "FP32", 4, 1) X(F64, "FP64", 8, 11) X(F16, "FP16", 2, 10) X(BF16, "BF16", 2, 16)        \
    X(I8, "INT8", 1, 3) X(I16, "INT16", 2, 5) X(I32, "INT32", 4, 6) X(I64, "INT64", 8, 7)          \
    X(U8, "UINT8", 1, 2) X(U16, "UINT16", 2, 4) X(U32, "UINT32", 4, 12) X(U64, "UINT64", 8, 13)    \
    X(BOOL, "BOOL", 1, 9) X(STRING, "BYTES", 0, 8)

enum tensor_type {
#define X(name, oip, bytes, onnx) TENSOR_##name,
    TENSOR_TYPES(X)
#undef X
        TENSOR_TYPE_COUNT
};

enum { TENSOR_DIMS_MAX = 8 };

struct tensor {
    const char *name;
    enum tensor_type type;
    int n_dims;                    /* 0: a scalar */
    int64_t dims[TENSOR_DIMS_MAX]; /* -1: free (only in descriptions, where data is NULL) */
    void *data;
    size_t n_bytes;
};

const char *tensor_type_name(enum tensor_type t);    /* "FP32" */
size_t tensor_type_bytes(enum tensor_type t);        /* 0: TENSOR_STRING */
int tensor_type_onnx(enum tensor_type t);            /* ONNX's number */
bool tensor_type_find(const char *oip_name, enum tensor_type *out);
bool tensor_type_find_onnx(int number, enum tensor_type *out);

/* Elements of that shape; -1: a dimension is negative or the product passes PTRDIFF_MAX. */
int64_t tensor_count(const int64_t *dims, int n_dims);
/* Do type, shape and n_bytes agree (strings: is each length inside the data, and is their number right)?
 * For tensors from outside.  false with err: ERR_INPUT, begins with the tensor's name. */
bool tensor_check(const struct tensor *t, struct err *err);
/* "FP32 [1,3,416,416]"; free dimensions are -1. */
void tensor_describe(const struct tensor *t, char *out, size_t max);
#endif
