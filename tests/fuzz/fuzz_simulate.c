/* tests/fuzz/fuzz_simulate.c - the description of a rehearsal: never a crash, never unbounded; what is taken makes requests. */
#include <string.h>

#include "fuzz.h"
#include "rehearse/simulate.h"

/* libfyaml 0.7.12 forgets a token's text after some errors: bounded by the document, not ours. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) { return "leak:libfyaml\n"; }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct err err = { 0 };
    struct sim *s = sim_parse("fuzz.yaml", (const char *)data, n, NULL, &err);
    if (s && (sim_n_classes(s) < 1 || sim_world(s)->n < 1))
        __builtin_trap();
    sim_free(s);
    return 0;
}
