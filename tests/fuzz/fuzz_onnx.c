/* tests/fuzz/fuzz_onnx.c - whatever the bytes: the walk through an ONNX file ends with yes, or with one line that says why not. */
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "onnx/onnx.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = { 0 };
    if (!onnx_check(data, size, &err) && (err.code == ERR_NONE || !err.text[0] || strchr(err.text, '\n')))
        abort();
    return 0;
}
