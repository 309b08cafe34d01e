/* tests/fuzz/fuzz_csv.c - CSV records from anywhere: a clean error, or fields that end where they end. */
#include <stdlib.h>
#include <string.h>

#include "catalog/csv.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct csv c;
    struct csv_record r;
    struct err err;
    int got, n = 0;
    csv_init(&c, "fuzz.csv", (const char *)data, size);
    while ((got = csv_next(&c, &r, &err)) > 0) {
        if (r.n_fields < 1 || r.n_fields > CSV_FIELDS_MAX || r.n_fields != c.n_fields || ++n > CSV_RECORDS_MAX)
            abort();
        for (int i = 0; i < r.n_fields; i++)
            if (strlen(r.fields[i]) > CSV_FIELD_BYTES_MAX || r.field_line[i] < 1 || r.field_column[i] < 1)
                abort();
    }
    csv_fini(&c);
    return 0;
}
