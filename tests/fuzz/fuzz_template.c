/* tests/fuzz/fuzz_template.c - any bytes as a chat template, rendered with any JSON (behind a '\0'). */
#include <string.h>

#include "fuzz.h"
#include "template/template.h"

static const char conversation[] =
    "{\"messages\":[{\"role\":\"system\",\"content\":\"S\"},{\"role\":\"user\",\"content\":\"\xc3\xa9 <x>\"},"
    "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"function\":{\"name\":\"f\",\"arguments\":{\"a\":[1,2.5]}}}]}],"
    "\"tools\":[],\"add_generation_prompt\":true,\"bos_token\":\"<s>\",\"n\":3,\"s\":\"Hello World\",\"d\":{\"b\":1,\"a\":2}}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const struct tm now = { .tm_mday = 1, .tm_year = 126 };
    const struct template_options opt = { .now = &now, .max_steps = 100000, .max_memory_bytes = 4 << 20 };
    const char *text = (const char *)data, *json = n ? memchr(text, '\0', n) : NULL;
    const size_t n_text = json ? (size_t)(json - text) : n;
    struct err err = { 0 };
    struct buf out;
    json_t *vars = json ? json_loadb(json + 1, n - n_text - 1, JSON_ALLOW_NUL, NULL) : json_loads(conversation, 0, NULL);
    if (!json_is_object(vars)) {
        json_decref(vars);
        vars = json_object();
    }
    buf_init(&out, 1 << 20);
    struct template *t = template_parse(text, n_text, &err);
    if (t)
        (void)template_render(t, vars, &opt, &out, &err);
    template_free(t);
    buf_fini(&out);
    json_decref(vars);
    return 0;
}
