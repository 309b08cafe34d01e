/* tests/fuzz/fuzz_json.c - bodies into the OpenAI request reader.  First byte: which endpoint. */
#include <string.h>

#include "fuzz.h"
#include "wire/openai.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct openai_request r;
    struct openai_error e;
    struct err err;
    struct arena *a = arena_new(1 << 20, &err);
    if (size > 0 && a) {
        openai_read_request(&r, (enum openai_task)(data[0] % 3), (const char *)data + 1, size - 1, a, &e);
        if (e.status != 0) { /* the refusal must be writable too */
            struct buf b;
            buf_init(&b, 1 << 16);
            openai_put_error(&b, &e);
            buf_fini(&b);
        }
        openai_request_fini(&r);
    }
    arena_free(a);
    return 0;
}
