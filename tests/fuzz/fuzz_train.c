/* tests/fuzz/fuzz_train.c - any bytes as a file of training lines: a clean error, or lines whose labels are within bounds. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "route/train.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct train_set set = { 0 };
    struct err err = { 0 };
    char *bytes = malloc(size + 1);
    if (!bytes)
        return 0;
    memcpy(bytes, data, size);
    const bool ok = train_set_add_bytes(&set, bytes, size, "fuzz.tsv", &err);
    if (!ok && (err.code == 0 || strncmp(err.text, "fuzz.tsv:", 9) != 0))
        abort();
    for (size_t i = 0; i < set.n; i++) {
        const struct train_line *l = &set.line[i];
        if (l->intent < -1 || l->intent >= INTENT_COUNT || strlen(l->source) >= TRAIN_SOURCE_BYTES || l->text[l->n_bytes] != '\0' || l->weak < -1 || l->weak > 1 ||
            l->strong < -1 || l->strong > 1 || l->difficult < -1 || l->difficult > 1)
            abort();
    }
    train_set_fini(&set);
    free(bytes);
    return 0;
}
