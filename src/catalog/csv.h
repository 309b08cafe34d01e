/* catalog/csv.h - CSV as RFC 4180 has it, strictly, one record after the other.
 *
 * For:     catalog/.  Touches: nothing but its own memory.
 * Rule:    UTF-8 without control characters; lines end with LF or CR LF; a field is either bare (no quote inside) or
 *          in quotes, where "" is a quote and line ends are text.  All records have as many fields as the first.
 *          Sizes are bounded; an error names file, line and column (both from 1; the column counts bytes).
 */
#ifndef TUTTI_CATALOG_CSV_H
#define TUTTI_CATALOG_CSV_H
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

enum { CSV_FIELDS_MAX = 64, CSV_FIELD_BYTES_MAX = 4096, CSV_BYTES_MAX = 8 << 20, CSV_RECORDS_MAX = 10000 };

struct csv {
    const char *name; /* for errors; borrowed, as is the text */
    const char *text;
    size_t n, at;
    int line;         /* of `at` */
    size_t line_start;
    int n_fields;     /* of the first record; 0 before it */
    int n_records;
    struct buf bytes; /* of the record in work: each field and a '\0' */
};
struct csv_record {
    int n_fields;
    int line; /* on which it begins */
    const char *fields[CSV_FIELDS_MAX]; /* borrowed until the next record */
    int field_line[CSV_FIELDS_MAX], field_column[CSV_FIELDS_MAX];
};

void csv_init(struct csv *c, const char *name, const char *text, size_t n);
void csv_fini(struct csv *c);
/* 1: a record; 0: the end; -1: err is set. */
int csv_next(struct csv *c, struct csv_record *r, struct err *err);
#endif
