/* tests/fuzz/fuzz_data_url.c - data: URLs; what is written never passes what was promised. */
#include <stdlib.h>

#include "fuzz.h"
#include "wire/data_url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct data_url u;
    struct err err;
    size_t n = 0;
    if (!data_url_read(&u, (const char *)data, size, &err))
        return 0;
    const size_t max = data_url_max_bytes(&u);
    void *out = malloc(max ? max : 1);
    if (out && data_url_decode(&u, out, &n, &err) && n > max)
        abort();
    free(out);
    return 0;
}
