/* tests/base/test_tensor.c - type, shape and bytes must agree before anybody reads them. */
#include <string.h>

#include "base/tensor.h"
#include "test.h"

TEST(types_have_names_sizes_and_onnx_numbers)
{
    enum tensor_type t;
    for (int i = 0; i < TENSOR_TYPE_COUNT; i++) {
        CHECK(tensor_type_find(tensor_type_name((enum tensor_type)i), &t) && (int)t == i);
        CHECK(tensor_type_find_onnx(tensor_type_onnx((enum tensor_type)i), &t) && (int)t == i);
    }
    CHECK(!tensor_type_find("FP8", &t) && !tensor_type_find_onnx(99, &t));
}

TEST(counts_that_overflow_are_refused)
{
    const int64_t huge[] = { INT64_MAX, 2 }, negative[] = { 2, -1 }, zero[] = { 5, 0 };
    CHECK(tensor_count(huge, 2) == -1 && tensor_count(negative, 2) == -1 && tensor_count(zero, 2) == 0 && tensor_count(NULL, 0) == 1);
}

TEST(shape_and_bytes_must_agree)
{
    struct err err;
    float data[6] = { 0 };
    struct tensor x = { .name = "x", .type = TENSOR_F32, .n_dims = 2, .dims = { 2, 3 }, .data = data, .n_bytes = sizeof(data) };
    CHECK(tensor_check(&x, &err));
    x.n_bytes--;
    CHECK(!tensor_check(&x, &err) && strncmp(err.text, "x: 23 bytes", 11) == 0, "%s", err.text);
    x.n_bytes = 24, x.n_dims = 9;
    CHECK(!tensor_check(&x, &err));
    x.n_dims = 2, x.dims[0] = INT64_MAX;
    CHECK(!tensor_check(&x, &err));
    x.dims[0] = 2, x.data = NULL;
    CHECK(!tensor_check(&x, &err));
}

TEST(each_length_of_a_text_tensor_lies_inside_the_data)
{
    struct err err;
    unsigned char two[] = { 1, 0, 0, 0, 'a', 0, 0, 0, 0 }, cut[] = { 5, 0, 0, 0, 'a' }, torn[] = { 1, 0 };
    struct tensor x = { .name = "t", .type = TENSOR_STRING, .n_dims = 1, .dims = { 2 }, .data = two, .n_bytes = sizeof(two) };
    CHECK(tensor_check(&x, &err), "%s", err.text);
    x.dims[0] = 3;
    CHECK(!tensor_check(&x, &err));
    x.dims[0] = 1, x.data = cut, x.n_bytes = sizeof(cut);
    CHECK(!tensor_check(&x, &err));
    x.data = torn, x.n_bytes = sizeof(torn);
    CHECK(!tensor_check(&x, &err));
}
