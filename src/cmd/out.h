/* cmd/out.h - what people see: text tables of at most 80 columns, wrapped text, colour on a terminal only.
 *
 * For:     subcommands.  Touches: the FILE it is given; NO_COLOR and TERM of the environment.
 * Rule:    a table never prints a line longer than its width: columns that may shrink are elided with "~", in the end all.
 *
 *     struct out_table t;
 *     out_table_init(&t, (const struct out_column[]){ { "name", OUT_SHRINK }, { "GB/s", OUT_RIGHT } }, 2);
 *     out_row(&t), out_cell(&t, "%s", name), out_number(&t, gbps);
 *     ok = out_table_print(&t, stdout, OUT_WIDTH, &err);
 *     out_table_fini(&t);
 */
#ifndef TUTTI_CMD_OUT_H
#define TUTTI_CMD_OUT_H
#include <stdbool.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/err.h"

enum { OUT_WIDTH = 80, OUT_COLUMNS_MAX = 24 };
enum out_flags {
    OUT_LEFT = 0,
    OUT_RIGHT = 1 << 0,  /* numbers */
    OUT_SHRINK = 1 << 1, /* gives way first when the table is too wide */
};
enum out_style { OUT_PLAIN, OUT_BOLD, OUT_DIM, OUT_GOOD, OUT_WARN, OUT_BAD, OUT_STYLE_COUNT };

struct out_column {
    const char *title; /* borrowed until fini */
    unsigned flags;
};
struct out_table {
    struct out_column columns[OUT_COLUMNS_MAX];
    int n_columns;
    struct buf text;    /* the cells, each ends with '\0'; row by row */
    struct buf styles;  /* one byte for each row: enum out_style */
    int n_rows, n_cells; /* n_cells: of the row in work */
};

void out_table_init(struct out_table *t, const struct out_column *columns, int n_columns);
void out_table_fini(struct out_table *t);
void out_row(struct out_table *t);                      /* begins a row; cells that are not given stay empty */
void out_row_style(struct out_table *t, enum out_style style); /* of the row in work, on a terminal */
void out_cell(struct out_table *t, const char *fmt, ...) ERR_PRINTF(2, 3);
void out_number(struct out_table *t, double v);         /* three digits that matter ("1792", "33.6", "0.61"); "-" for NAN */
/* Titles, a rule, the rows.  false with err set: out of memory. */
bool out_table_print(const struct out_table *t, FILE *to, int width, struct err *err);

/* "" or the escape codes, by whether `to` is a terminal that wants colour. */
const char *out_style(FILE *to, enum out_style style);
const char *out_style_end(FILE *to);
/* The text wrapped at `width` columns, every line after `indent` spaces; words longer than a line are cut into pieces. */
void out_wrap(FILE *to, int indent, int width, const char *text);
/* As out_number() writes it. */
const char *out_format_number(char text[32], double v);
/* Columns that the text takes: characters, not bytes. */
int out_text_width(const char *s);
#endif
