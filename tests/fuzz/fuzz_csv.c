/* tests/fuzz/fuzz_csv.c - CSV from anywhere: a clean error, or fields that end where they end; then the same bytes as a
 * user's file of the smallest table: a clean error, or rows that hold to the rules of a row and can be asked for. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "catalog/catalog.h"
#include "catalog/csv.h"
#include "fuzz.h"

static char dir[] = "/tmp/tutti-fuzz-csv-XXXXXX", file[64];
static void clean_up(void)
{
    unlink(file);
    rmdir(dir);
}

static void read_records(const uint8_t *data, size_t size)
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
}

static void read_table(const uint8_t *data, size_t size)
{
    struct err err = { 0 };
    FILE *f = fopen(file, "wb");
    if (!f || fwrite(data, 1, size, f) != size)
        abort();
    fclose(f);
    struct catalog *c = catalog_new(dir, &err);
    const struct catalog_table *t = c ? catalog_table(c, "network", &err) : NULL;
    if (!t && !err.text[0])
        abort();
    for (int i = 0; t && i < catalog_n_rows(t); i++) {
        const struct catalog_row *r = catalog_row(t, i);
        if (!catalog_name(r)[0] || !catalog_source(r)[0] || !catalog_date(r, "date"))
            abort();
        const struct catalog_row *found = catalog_find(t, catalog_name(r), &err);
        if (found && !catalog_name(found)[0])
            abort();
        for (int k = 0; k < catalog_n_columns(t); k++) {
            const double v = catalog_number(r, catalog_column(t, k));
            if (!isnan(v) && !isfinite(v))
                abort();
        }
    }
    catalog_free(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!file[0]) {
        if (!mkdtemp(dir))
            abort();
        snprintf(file, sizeof(file), "%s/network.csv", dir);
        atexit(clean_up);
    }
    read_records(data, size);
    read_table(data, size);
    return 0;
}
