/* tests/fuzz/fuzz_config.c - tutti.yaml: whatever is read can be shown, and what is shown reads the same. */
#include <stdlib.h>

#include "fuzz.h"
#include "serve/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = { 0 };
    struct buf b;
    struct config *c = config_parse("f.yaml", (const char *)data, size, ".", &err);
    if (!c)
        return 0;
    buf_init(&b, 16 << 20);
    config_show(c, &b);
    struct config *again = b.failed ? NULL : config_parse("g.yaml", b.data, b.len, ".", &err);
    for (int i = 0; again && i < CONFIG_COUNT; i++)
        if (config_number(c, (enum config_id)i) != config_number(again, (enum config_id)i))
            abort();
    if (!b.failed && !again)
        abort();
    config_free(again);
    config_free(c);
    buf_fini(&b);
    return 0;
}
