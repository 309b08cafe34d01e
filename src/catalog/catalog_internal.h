/* catalog/catalog_internal.h - what the files of catalog/ share: rows in memory, the data in the binary. */
#ifndef TUTTI_CATALOG_INTERNAL_H
#define TUTTI_CATALOG_INTERNAL_H
#include "base/arena.h"
#include "catalog/catalog.h"

struct catalog_row {
    const struct catalog_table *table;
    bool is_user;
    const char **cells; /* one for each column */
};
struct catalog_table {
    const char *name;
    int n_columns, n_rows, cap_rows;
    const char **columns;
    struct catalog_row **rows;
};

/* One file of data/, made a C string by the Makefile (build/gen/catalog_data.c). */
struct catalog_data {
    const char *name, *text;
    size_t n;
};
extern const struct catalog_data catalog_data[]; /* alphabetical */
extern const int catalog_n_data;
#endif
