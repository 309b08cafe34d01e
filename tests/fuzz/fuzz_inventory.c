/* tests/fuzz/fuzz_inventory.c - an inventory of a cluster: never a crash, never unbounded; what is read has nodes with devices and memory. */
#include <string.h>

#include "site/inventory.h"
#include "fuzz.h"

/* libfyaml 0.7.12 forgets a token's text after some errors: bounded by the document, not ours. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) { return "leak:libfyaml\n"; }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct catalog *catalog;
    struct err err = { 0 };
    if (!catalog)
        catalog = catalog_new(NULL, &err);
    struct inventory *inv = catalog ? inventory_parse("fuzz.yaml", (const char *)data, n, "/nonexistent", catalog, &err) : NULL;
    if (!inv && strchr(err.text, '\n'))
        __builtin_trap();
    for (int i = 0; inv && i < inv->n_nodes; i++)
        if (inv->nodes[i].n_devices < 1 || !inv->nodes[i].mem_bytes || inv->nodes[i].free_bytes > inv->nodes[i].mem_bytes)
            __builtin_trap();
    inventory_free(inv);
    return 0;
}
